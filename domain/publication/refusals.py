"""What the rules of publication refuse: a class for each refusal, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.kernel.refusals import ASKING, Conflict, NoSuchCase, NotAcceptable, NotFound, UnknownCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from domain.deadlines.calendar import CalendarPublished
    from domain.kernel.law import Article, Law
    from domain.publication.calendars import HolidayNotice, LeftOut
    from domain.publication.works import Work
    from domain.standard.fees import BannedName, FeeItem, Formula
    from domain.standard.sections.connection import Promise


class NoSuchDraft(NotFound):
    """No such draft."""

    title_zh = "没有该草案"
    needed = "a draft that is not published yet"
    next_step = "look up which drafts there are"
    next_step_zh = "没有该版本的草案，请核对版本号"

    def __init__(self, version: str) -> None:
        super().__init__(found=f"version {version[:40]!r}")


class VersionUsed(Conflict):
    """The version stands for another document."""

    title_zh = "该版本号已被使用"
    needed = "a version of its own"
    next_step = "give the document a new version"
    next_step_zh = "该版本号已被使用，请另取版本号"

    def __init__(self, version: str) -> None:
        super().__init__(found=f"version {version}, which stands for another document")


class ReviewMissing(Conflict):
    """A review is missing."""

    title_zh = "缺少主管部门审核"
    needed = "the agreement of both authorities"
    next_step_zh = "须经发改和市场监管两部门审核同意"

    def __init__(self, version: str, authority: str) -> None:
        super().__init__(
            found=f"catalogue {version} without a review by {authority}", next_step=f"have {authority} review it"
        )


class ReviewObjected(Conflict):
    """An authority objected."""

    title_zh = "主管部门有异议"
    needed = "the agreement of both authorities"
    next_step = "draft a new version, or have the authority review it again"
    next_step_zh = "主管部门有异议，请另拟版本或请其重新审核"

    def __init__(self, version: str, authority: str) -> None:
        super().__init__(found=f"catalogue {version}, to which {authority} objected")


class ReviewUnchanged(Conflict):
    """The opinion is on record already."""

    title_zh = "该审核意见已登记"
    needed = "another opinion"
    next_step = "nothing is to be done"
    next_step_zh = "该审核意见已登记，无需操作"

    def __init__(self, authority: str) -> None:
        super().__init__(found=f"the opinion that {authority} gave already")


class CalendarUnchanged(Conflict):
    """The calendar has these days already."""

    title_zh = "日历没有变化"
    needed = "a day that is moved, or a year more"
    next_step = "nothing is to be done"
    next_step_zh = "与现行日历相同，无需发布"

    def __init__(self, latest: CalendarPublished) -> None:
        super().__init__(found=f"the days of {latest.version}")


class BeyondThePromise(Conflict):
    """More than the public was promised."""

    title_zh = "超出公开承诺"


class PromiseChangedInSilence(Conflict):
    """A promise changed under its old name."""

    title_zh = "承诺变更未以新版本公开"
    needed = "the promise in force, word for word, or a new one under a new version"
    next_step = "give the changed promise a new version, so that it is published as what it is"
    next_step_zh = "承诺有变须以新版本公开，不得沿用原版本号"

    def __init__(self, promise: Promise) -> None:
        super().__init__(found=f"promise {promise.version}, which the public knows otherwise, or knows as replaced")


class BadVersion(NotAcceptable):
    """Not a version's name."""

    title_zh = "版本号格式不符"
    needed = "letters and digits, at most 40, with single dots or hyphens between them"
    next_step = "name the version so"
    next_step_zh = "版本号只能由字母、数字、点和连字符组成"

    def __init__(self, version: str) -> None:
        super().__init__(found=f"{version[:40]!r}")


class UnknownStage(UnknownCode):
    """Unknown stage of a connection."""

    title_zh = "未知的办理环节"


class UnknownTimeZone(NotAcceptable):
    """Unknown time zone."""

    title_zh = "未知的时区"
    needed = "a time zone by its name in the time zone database, for example Asia/Shanghai"
    next_step = "correct the name"
    next_step_zh = "时区名称有误，请更正，例如 Asia/Shanghai"

    def __init__(self, name: str) -> None:
        super().__init__(found=repr(name[:60]))


class DayTwice(NotAcceptable):
    """A day is given twice."""

    title_zh = "日期重复"
    needed = "each day once"
    next_step = "take one of the two out"
    next_step_zh = "日期重复，请删除其一"

    def __init__(self, twice: str) -> None:
        super().__init__(found=f"{twice} twice")


class EffectiveInThePast(NotAcceptable):
    """In force before it is public."""

    title_zh = "生效时间早于公布时间"
    next_step = "draft it with a date that is still to come"
    next_step_zh = "生效时间不得早于现在，请更正后重新起草"

    def __init__(self, effective_from: datetime, at: datetime) -> None:
        super().__init__(found=f"in force from {effective_from.isoformat()}", needed=f"not before {at.isoformat()}")


class CalendarLeavesOut(Conflict):
    """The calendar leaves out days that were known."""

    title_zh = "放假安排有遗漏"
    next_step = f"load the whole notice, or ask a second person with {ASKING} (at the command line: --confirmed-by)"
    next_step_zh = f"请载入完整的放假安排；确属如此的，请提交复核请求：{ASKING}"

    def __init__(self, missing: LeftOut) -> None:
        super().__init__(
            found=f"days off that are worked: {_shown(missing.worked)}; days that fall away: {_shown(missing.fallen)}",
            needed="a calendar that leaves out no statutory day and no day that is published, or a second person",
        )


MOST_SHOWN = 10


def _shown(days: Sequence[date]) -> str:
    if not days:
        return "none"
    more = f" and {len(days) - MOST_SHOWN} more" if len(days) > MOST_SHOWN else ""
    return f"{len(days)} ({', '.join(day.isoformat() for day in days[:MOST_SHOWN])}{more})"


class SettledGoesBack(NotAcceptable):
    """Fewer settled days than before."""

    title_zh = "已确定的日期减少"
    next_step = "publish a calendar that has every notice which is out"
    next_step_zh = "已确定的日期不得减少，请补全放假安排"

    def __init__(self, document: CalendarPublished, latest: CalendarPublished) -> None:
        super().__init__(
            found=f"settled until {document.settled_until}",
            needed=f"not before {latest.settled_until}, as {latest.version} says",
        )


class YearSkipped(NotAcceptable):
    """A year is left out."""

    title_zh = "年份不连续"
    next_step_zh = "年份不连续，请先载入中间年份的放假安排"

    def __init__(self, notice: HolidayNotice, last: int, first: int) -> None:
        super().__init__(
            found=f"the notice of {notice.year}",
            needed=f"a year from {first - 1} to {last}: the calendar has notices of {first} to {last - 1}",
            next_step=f"load the notice of {(last if notice.year > last else first - 1)} first",
        )


class PromiseMissing(NotAcceptable):
    """No promise in the standard."""

    title_zh = "标准缺少公开承诺"
    found = "a standard without a promise"
    needed = "what the public is told, in numbers"
    next_step = "add the promise"
    next_step_zh = "标准须写明公开承诺"


class PowerMissing(NotAcceptable):
    """A power that nobody has."""

    title_zh = "权限未授予任何岗位"
    needed = "at least one role for every power: what is not given is not allowed"
    next_step = "say who may do it"
    next_step_zh = "每项权限至少授予一个岗位"

    def __init__(self, power: str) -> None:
        super().__init__(found=f"nobody who may {power}")


class UnknownPower(UnknownCode):
    """Unknown power."""

    title_zh = "未知的权限"


class UnknownOutcome(UnknownCode):
    """Unknown outcome of a review."""

    title_zh = "未知的审核结论"


class UnknownPayerClass(UnknownCode):
    """Unknown payer class."""

    title_zh = "未知的缴费类别"


class BadBan(NotAcceptable):
    """A forbidden name that is not usable."""

    title_zh = "禁收名目不符合要求"
    needed = "at least two characters, and the source that forbids it"
    next_step = "correct the entry"
    next_step_zh = "禁收名目至少两个字，并须注明依据"

    def __init__(self, ban: BannedName) -> None:
        super().__init__(found=f"the forbidden name {ban.name_zh!r} by {ban.source!r}")


class FeeWithoutBasis(NotAcceptable):
    """A fee without a name or a legal basis."""

    title_zh = "收费项目缺少名称或依据"
    needed = "its name, and the number of the document that allows it"
    next_step = "name the document, or take the item out"
    next_step_zh = "每项收费须有名称和依据文号"

    def __init__(self, item: FeeItem) -> None:
        super().__init__(found=f"{item.code} without a name or without a legal basis")


class FeeOfUnknownLine(NotAcceptable):
    """A formula that cannot be computed."""

    title_zh = "计费公式无法计算"
    needed = "per-mille-of with a fixed or per-unit fee of the same catalogue, per-unit with a quantity"
    next_step = "correct the formula"
    next_step_zh = "计费公式与计费基数不符，请更正"

    def __init__(self, item: FeeItem, formula: Formula) -> None:
        super().__init__(found=f"{item.code}: {formula.kind} of {formula.of}, quantity {formula.quantity}")


class UnknownWorksKind(UnknownCode):
    """Unknown kind of works."""

    title_zh = "未知的工程类别"


class WorkHasStarted(Conflict):
    """The work has begun already."""

    code = "work-started"
    title_zh = "该工程已开工"
    needed = "a work that has not begun"
    next_step = "nothing is to be done"
    next_step_zh = "该工程已开工，无需操作"

    def __init__(self, work: Work, at: datetime) -> None:
        super().__init__(found=f"{work.number}, which began at {at.isoformat()}")


class WorkNotStarted(Conflict):
    """The work has not begun."""

    title_zh = "该工程尚未开工"
    needed = "a work that is under way"
    next_step = "report its start first"
    next_step_zh = "该工程尚未开工，请先登记开工"

    def __init__(self, work: Work) -> None:
        super().__init__(found=f"{work.number}, which has not begun")


class WorkIsCompleted(Conflict):
    """The work is done already."""

    code = "work-completed"
    title_zh = "该工程已竣工"
    needed = "a work that is under way"
    next_step = "nothing is to be done"
    next_step_zh = "该工程已竣工，无需操作"

    def __init__(self, work: Work, at: datetime) -> None:
        super().__init__(found=f"{work.number}, which was done at {at.isoformat()}")


class UnknownChannel(UnknownCode):
    """Unknown channel."""

    title_zh = "未知的渠道"


class UnknownRegion(UnknownCode):
    """No calendar for this region."""

    title_zh = "没有该地区的工作日历"
    next_step = "publish the wider region's calendar first"
    next_step_zh = "请先发布上级地区的工作日历"


class OutsideCalendar(NotAcceptable):
    """Outside the calendar."""

    title_zh = "超出工作日历范围"
    next_step = "correct the day, or the year"
    next_step_zh = "日期超出范围，请更正日期或年份"

    def __init__(self, day: date, first: date, last: date) -> None:
        where = "before" if day < first else "after"
        super().__init__(found=f"a day {where} the calendar", needed=f"a day from {first} to {last}")


def no_such_work() -> NoSuchCase:
    """What is said of a work that there is not."""
    return NoSuchCase(
        found="no work with this id",
        needed="the id of a work",
        next_step="register the work first",
        next_step_zh="没有该工程，请先登记",
    )


class UnknownRefusal(UnknownCode):
    """No refusal has this code."""

    title_zh = "未知的拒绝代码"


class UnknownLegalRule(UnknownCode):
    """No rule has this code."""

    title_zh = "未知的规则代码"


class ArticleUnclear(NotAcceptable):
    """An article lacks something, or says it unclearly."""

    title_zh = "法条内容不完整"
    next_step = "complete the article"
    next_step_zh = "请补全该法条的内容"

    def __init__(self, article: Article, needed: str) -> None:
        super().__init__(found=f"the article {article.code[:64]}", needed=needed)


class ArticleLeftOut(Conflict):
    """An article that was published is left out."""

    title_zh = "遗漏已公布的法条"
    next_step = "put it in again; one that is not in force any longer has a last day"
    next_step_zh = "请补回该法条；不再有效的法条填写失效日期"

    def __init__(self, codes: list[str], latest: Law) -> None:
        super().__init__(
            found=f"a law without {', '.join(codes[:10])}",
            needed=f"every article of {latest.version}: closed cases cite them",
        )


class RevisionWithoutReason(NotAcceptable):
    """A revision of the law without a reason."""

    title_zh = "修订未说明原因"
    needed = "why it was revised"
    next_step = "say it in reason"
    next_step_zh = "修订须在 reason 中说明原因"

    def __init__(self, document: Law) -> None:
        super().__init__(found=f"version {document.version} without a reason")


class LawUnchanged(Conflict):
    """The law has these articles already."""

    title_zh = "法律依据没有变化"
    needed = "an article that is added or corrected"
    next_step = "nothing is to be done"
    next_step_zh = "与现行版本相同，无需发布"

    def __init__(self, latest: Law) -> None:
        super().__init__(found=f"the articles of {latest.version}")


class NoSuchArticle(NotFound):
    """No such article."""

    title_zh = "没有该法条"
    next_step = "list the articles with `tongshui law list`"
    next_step_zh = "没有该法条，请用 tongshui law list 查看"

    def __init__(self, code: str, law: Law) -> None:
        known = ", ".join(each.code for each in law.articles[:20])
        super().__init__(found=f"article {code[:64]!r}", needed=f"an article of {law.version}, for example {known}")


class FeeExtentMissing(NotAcceptable):
    """A fee by length that does not say which metres count."""

    title_zh = "按长度计费未注明范围"
    needed = "which metres count: extent inside-red-line"
    next_step = "say that it counts the metres inside the building's red line"
    next_step_zh = "请注明仅计建筑区划红线内的长度（extent: inside-red-line）"

    def __init__(self, item: FeeItem) -> None:
        super().__init__(found=f"{item.code}, charged by the {item.formula.quantity}, without an extent")


class FeeOutsideRedLine(Conflict):
    """A fee for works outside the building's red line."""

    title_zh = "不得收取建筑区划红线外工程费用"
    needed = "works inside the building's red line"
    next_step = "take the item out: what lies outside is the utility's"
    next_step_zh = "红线外工程由供水企业承担，请删除该收费项目"

    def __init__(self, item: FeeItem) -> None:
        super().__init__(found=f"{item.code} {item.name_zh}, for works outside the red line")


class UnreadableStandard(NotAcceptable):
    """A document that is to be tried, and is no standard."""

    title_zh = "文件不是完整的标准"
    needed = "a whole standard, or based_on with what differs"
    next_step = "take the JSON of a published standard and change it"
    next_step_zh = "请下载已公布标准的 JSON，修改后再试"

    def __init__(self, problem: str) -> None:
        super().__init__(found=problem[:200])

"""What the rules of standard refuse: a class for each refusal, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.kernel.refusals import Conflict, NotAcceptable, NotAllowed, Repeated, UnknownCode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from decimal import Decimal

    from domain.deadlines.limits import Intake
    from domain.standard.context import Person
    from domain.standard.fees import FeeItem
    from domain.standard.sections.connection import DocumentRequirement
    from domain.standard.standards import Standard


class NothingToAcknowledge(Conflict):
    """Nothing there that somebody could take in hand."""

    title_zh = "没有需要确认接手的事项"
    needed = "a lapse that stands, or a reminder of the end that runs, of a promise that is not met"
    next_step = "look at the case: it was met, taken back, or nobody was called yet"
    next_step_zh = "没有需要确认的超时或预警，请查看案件"

    def __init__(self, commitment: str, state: str) -> None:
        super().__init__(found=f"{commitment}: {state}")


class AlreadyAcknowledged(Conflict):
    """Somebody has it in hand already."""

    title_zh = "已有人确认接手"
    needed = "what nobody has in hand"
    next_step = "talk to who has it; a new lapse begins a new ladder"
    next_step_zh = "已有人确认接手，请与其联系；再次超时将重新升级"

    def __init__(self, commitment: str, what: int | str, by: str) -> None:
        super().__init__(found=f"{commitment}, {what}: acknowledged by {by}")


class PersonNeeded(NotAcceptable):
    """Who takes it in hand must say who they are."""

    title_zh = "须填写接手人工号"
    found = "nobody's name"
    needed = "the staff id of who takes it in hand"
    next_step = "say who you are"
    next_step_zh = "请填写工号"


class UnknownDistrict(NotAcceptable):
    """Unknown district."""

    title_zh = "未知的片区"
    next_step = "choose a district of the supply area"
    next_step_zh = "请选择供水范围内的片区"

    def __init__(self, standard: Standard) -> None:
        # The code is not repeated: it comes from a query too, and may hold anything.
        super().__init__(found="a code that is not listed", needed="one of " + ", ".join(sorted(standard.districts)))


class FutureTime(NotAcceptable):
    """A time in the future."""

    title_zh = "时间晚于当前时间"
    next_step = "check the device's clock and send the time at which it happened"
    next_step_zh = "请核对设备时钟，填写实际发生时间"


class WrongRole(NotAllowed):
    """The role may not do this."""

    title_zh = "该岗位无此权限"
    next_step = "have it done by somebody in one of these roles"
    next_step_zh = "请由有权限的岗位办理"

    def __init__(self, power: str, by: Person, roles: Collection[str]) -> None:
        super().__init__(
            found=f"role {by.role} for {power}",
            needed="one of " + (", ".join(sorted(roles)) or "no role at all: the standard gives this to nobody"),
        )


class SamePerson(Conflict):
    """A second person is needed."""

    title_zh = "须由第二人办理"
    needed = "a second person"
    next_step = "have somebody else approve it"
    next_step_zh = "须由第二人审批"

    def __init__(self, what: str, first: str) -> None:
        super().__init__(found=f"{what} by {first}, who also made it")


class BadText(NotAcceptable):
    """A text is too long or not visible."""

    title_zh = "文字不符合要求"


class BadCode(NotAcceptable):
    """Not a code."""

    title_zh = "代码格式不符"
    needed = "a code: small letters and digits, with single hyphens between them, at most 64"
    next_step = "correct the code"
    next_step_zh = "代码只能由小写字母、数字和连字符组成，请更正"

    def __init__(self, where: str, code: str) -> None:
        super().__init__(found=f"{code[:64]!r} in {where}")


class BadShape(NotAcceptable):
    """Not a shape of numbers."""

    title_zh = "编号格式定义有误"
    needed = "pieces such as 9, A, 汉, N, W or a character of its own, each with {least,most} behind it or without"
    next_step = "correct the shape in number_shapes"
    next_step_zh = "请更正标准中的编号格式（number_shapes）"

    def __init__(self, found: str) -> None:
        super().__init__(found=found)


class UnknownKindOfNumber(UnknownCode):
    """Unknown kind of number."""

    title_zh = "未知的编号种类"


class NumberNotInShape(NotAcceptable):
    """A number does not look like the numbers of its kind."""

    title_zh = "编号格式不符"
    next_step = "write it as the body that gave it out does; how such numbers look is said by the standard"
    next_step_zh = "请按出具单位的写法填写编号；格式由标准规定"

    def __init__(self, kind: str, shapes: Collection[str]) -> None:
        # The number is not repeated: it may hold anything.
        super().__init__(
            found=f"a number of kind {kind} in another shape", needed=f"{' or '.join(shapes)}, as number_shapes says"
        )


class NotChargeable(Conflict):
    """The catalogue does not allow a charge."""

    abstract = True
    next_step = "leave it out: nothing but the catalogue's fees is charged"


class FeeNotInCatalogue(NotChargeable):
    """The charge is not in the catalogue."""

    title_zh = "收费目录中没有该项"
    next_step_zh = "目录之外一律不收，请删除该项"


class FeeSwitchedOff(NotChargeable):
    """The fee is switched off."""

    title_zh = "该项已停止收取"
    next_step_zh = "该项已停止收取，请删除该项"


class FeeNotValid(NotChargeable):
    """The fee is not valid on this day."""

    title_zh = "该项不在有效期内"
    next_step_zh = "该项不在有效期内，请删除该项"


class FeeNotForPayer(NotChargeable):
    """The fee is not for this payer."""

    title_zh = "该项不适用于该类用户"
    next_step_zh = "该项不适用于该类用户，请删除该项"


class FeeTwice(Repeated):
    """A fee on two lines."""

    title_zh = "收费项目重复"
    needed = "one line for each fee"
    next_step = "add the quantities up"
    next_step_zh = "同一项目请合并为一行"


class BadQuantity(NotAcceptable):
    """Not a quantity of the fee."""

    title_zh = "数量不符合要求"
    next_step = "correct the quantity"
    next_step_zh = "请更正数量"

    def __init__(self, quantity: Decimal, item: FeeItem, needed: str) -> None:
        super().__init__(found=f"{quantity:.6g} for {item.code}", needed=needed)


class BaseLineMissing(NotAcceptable):
    """The line that the fee is a part of is missing."""

    title_zh = "缺少计费基数项"
    next_step = "quote both, or neither"
    next_step_zh = "请同时列出计费基数项，或都不列"

    def __init__(self, item: FeeItem) -> None:
        super().__init__(
            found=f"{item.code} without {item.formula.of}",
            needed=f"a line {item.formula.of}, which {item.code} is a part of",
        )


class NothingToCharge(NotAcceptable):
    """Nothing to charge."""

    title_zh = "没有收费项目"
    found = "no line"
    needed = "at least one fee"
    next_step = "name the fees; a connection that is free has no quote"
    next_step_zh = "请列出收费项目；免费接水无需报价"


class BadActor(NotAcceptable):
    """Not a staff id."""

    title_zh = "工号格式不符"
    found = "what is no staff id"
    needed = "a letter, then at most 31 letters, digits, dots, hyphens or underscores"
    next_step = "use your staff id, not your name"
    next_step_zh = "请使用工号，不要使用姓名"


class TableEmpty(NotAcceptable):
    """A table is empty."""

    title_zh = "内容为空"
    needed = "at least one entry"
    next_step = "fill the table"
    next_step_zh = "该项不得为空，请补充"

    def __init__(self, name: str) -> None:
        super().__init__(found=f"nothing in {name}")


class UnknownNotice(UnknownCode):
    """A text about what an outage never is."""

    title_zh = "未知的停水通知情形或占位词"


class BadDay(NotAcceptable):
    """Not a day of the year."""

    title_zh = "日期格式不符"
    needed = "a day of the year as MM-DD"
    next_step = "correct the day"
    next_step_zh = "日期格式应为 月-日"

    def __init__(self, name: str, day: str) -> None:
        super().__init__(found=f"{name} {day[:10]!r}")


class IntakeUnclear(NotAcceptable):
    """Intake hours in which nobody takes anything in."""

    title_zh = "收件时间不明确"
    needed = "an opening time before the time at which the day's intake ends"
    next_step = "correct the two times"
    next_step_zh = "收件开始时间须早于截止时间，请更正"

    def __init__(self, hours: Intake) -> None:
        super().__init__(
            found=f"an intake that opens at {hours.opens.isoformat()} and ends at {hours.until.isoformat()}"
        )


class UnknownZone(UnknownCode):
    """Unknown zone."""

    title_zh = "未知的区域"


class UnknownSeverity(UnknownCode):
    """Unknown class of repair."""

    title_zh = "未知的维修等级"


class CategoryIncomplete(NotAcceptable):
    """A category of applicant is incomplete."""

    title_zh = "申请人类别不完整"
    needed = "documents, routing and a payer class for every category"
    next_step = "complete the category, or take it out"
    next_step_zh = "每类申请人须有材料清单、转办岗位和缴费类别"

    def __init__(self, category: str, name: str) -> None:
        super().__init__(found=f"{category} without {name}")


class UnknownDesk(UnknownCode):
    """Unknown desk."""

    title_zh = "未知的岗位"


class DeskWithoutOwner(NotAcceptable):
    """A desk that nobody owns."""

    title_zh = "岗位无专人负责"
    needed = "at least one named person: somebody answers for each case"
    next_step = "name who owns the desk's cases"
    next_step_zh = "每个岗位须有专人负责"

    def __init__(self, code: str) -> None:
        super().__init__(found=f"{code} with nobody")


class NoMainDocument(NotAcceptable):
    """No main document."""

    title_zh = "缺少主要材料"
    needed = "at least one main document: the working days begin when the main papers are in"
    next_step = "mark what is asked for first as main"
    next_step_zh = "每类申请人至少一份主要材料"

    def __init__(self, category: str) -> None:
        super().__init__(found=f"{category} without a main document")


class CatchAllDocument(NotAcceptable):
    """Catch-all wording for a document."""

    title_zh = "材料名称使用兜底表述"
    needed = "a document that is named"
    next_step = "name the document, or take it out"
    next_step_zh = "不得使用“其他材料”“有关材料”等兜底表述"

    def __init__(self, category: str, each: DocumentRequirement) -> None:
        super().__init__(found=f"{each.name_zh} ({each.code}) for {category}")


class UnknownDocumentWay(UnknownCode):
    """Unknown way to meet a document."""

    title_zh = "未知的材料提交方式"


class RungUnclear(NotAcceptable):
    """When a reminder is due is not clear."""

    title_zh = "提醒时间不明确"
    next_step = "say once when the reminder is due"
    next_step_zh = "每级提醒须且只能有一种时间规定"

    def __init__(
        self, commitment: str, name: str, given: dict[str, tuple[int, int]], said: Mapping[str, tuple[int | None, int]]
    ) -> None:
        super().__init__(
            found=f"{commitment}, {name}: {', '.join(given) or 'no time'}", needed="exactly one of " + ", ".join(said)
        )


class UnknownCommitment(UnknownCode):
    """Unknown commitment."""

    title_zh = "未知的承诺事项"


class NobodyCalled(NotAcceptable):
    """A ladder after a lapse that calls nobody."""

    title_zh = "超时无通知对象，不能设升级"
    needed = "somebody in notify_on_lapse: a ladder goes on from there"
    next_step = "say who is called first"
    next_step_zh = "请先在 notify_on_lapse 中规定超时通知对象"

    def __init__(self, pattern: str) -> None:
        super().__init__(found=f"a ladder after a lapse of {pattern}, which calls nobody")

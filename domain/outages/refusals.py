"""What the rules of outages refuse: a class for each refusal, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.kernel.refusals import Conflict, NoSuchCase, NotFound, UnknownCode

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from domain.kernel.facts import Moment
    from domain.outages.case import Outage
    from domain.standard.context import CommandContext
    from domain.standard.standards import Standard


class OutageNotApproved(Conflict):
    """The outage is not approved."""

    title_zh = "停水未经批准"
    next_step = "have the authority approve it first"

    def __init__(self, standard: Standard, reasons: Collection[str] | None, together: Collection[str] = ()) -> None:
        why, why_zh = _large(standard, reasons, together)
        super().__init__(
            found="no approval",
            needed=f"the number of the authority's approval{why}",
            next_step_zh=f"{why_zh}计划停水须先经主管部门批准",
        )


class TemporarySupplyMissing(Conflict):
    """Nobody says how people get water in the meantime."""

    title_zh = "缺少临时供水方案"

    def __init__(self, standard: Standard, reasons: Collection[str], together: Collection[str] = ()) -> None:
        why, why_zh = _large(standard, reasons, together)
        ways = standard.outages.planned_outages.supply_ways if standard.outages.planned_outages is not None else {}
        super().__init__(
            found="no way of temporary supply",
            needed=f"one of {', '.join(sorted(ways))}{why}",
            next_step="say how people's basic needs are met until water is back",
            next_step_zh=f"{why_zh}请说明停水期间的临时供水方式",
        )


_EFFECT_ZH = {"users": "用户多", "hours": "时间长", "places": "涉及重要场所"}


def _large(standard: Standard, reasons: Collection[str] | None, together: Collection[str]) -> tuple[str, str]:
    """Why the effect counts as large, in English and Chinese; empty where the standard asks it of every outage.
    ``together``: the numbers of the outages with which it does."""
    policy = standard.outages.planned_outages
    if policy is None or not reasons:
        return "", ""
    limits = {
        "users": f"{policy.large_from_users} users or more",
        "hours": f"{policy.large_from_hours} hours or more",
        "places": f"water of {', '.join(sorted(policy.sensitive_places))}",
    }
    because = "; ".join(limits[reason] for reason in reasons)
    because_zh = "、".join(_EFFECT_ZH[reason] for reason in reasons)
    if together:
        numbers = ", ".join(together)
        return f": with {numbers} its effect is large ({because})", f"与{numbers}合并计算影响较大（{because_zh}），"
    return f": its effect is large ({because})", f"影响较大（{because_zh}），"


class UnknownSensitivePlace(UnknownCode):
    """Unknown kind of place."""

    title_zh = "未知的场所类别"


class UnknownSupply(UnknownCode):
    """Unknown way of temporary supply."""

    title_zh = "未知的临时供水方式"


class OutsideAnnouncedTimes(Conflict):
    """Water may not go off at another time than announced."""

    title_zh = "不在公告的停水时间内"
    next_step = "announce new times, and tell the users; where water is off already, record that it went off"
    next_step_zh = "请改期并重新通知用户；已停水的请如实登记"

    def __init__(self, case: Outage, at: datetime, begin: datetime, tolerance: timedelta) -> None:
        minutes = int(tolerance.total_seconds() // 60)
        super().__init__(
            found=f"{case.number}, to be turned off at {at.isoformat()}",
            needed=f"within {minutes} minutes of the announced beginning, {begin.isoformat()}",
        )


class FireServiceNotTold(Conflict):
    """The fire service was not told."""

    title_zh = "未告知消防部门"
    needed = "the fire service told before water for fire fighting goes off"
    next_step = "tell the fire service, and record the document"
    next_step_zh = "停水影响消防用水，请先告知消防救援部门并登记"

    def __init__(self, case: Outage) -> None:
        super().__init__(found=f"{case.number}, which may affect fire fighting; nobody told the fire service")


class NoticeTooShort(Conflict):
    """The notice before the outage is too short."""

    title_zh = "停水通知提前时间不足"
    next_step = "tell the users first, and begin later"

    def __init__(self, noticed_at: datetime | None, hours: int, begin: datetime) -> None:
        super().__init__(
            found="no notice" if noticed_at is None else f"notice at {noticed_at.isoformat()}",
            needed=f"{hours} hours before water goes off at {begin.isoformat()}",
            next_step_zh=f"须提前{hours}小时通知用户，请推迟停水时间",
        )


class OutageHasStarted(Conflict):
    """The outage has begun already."""

    code = "outage-started"
    title_zh = "已停水"
    needed = "an outage that has not begun"
    next_step = "nothing is to be done"
    next_step_zh = "已停水，无需操作"

    def __init__(self, case: Outage, started: Moment) -> None:
        super().__init__(found=f"{case.number}, which began at {started.at.isoformat()}")


class OutageNotStarted(Conflict):
    """The outage has not begun."""

    title_zh = "尚未停水"
    needed = "an outage that has begun"
    next_step = "record its start first"
    next_step_zh = "尚未停水，请先登记停水"

    def __init__(self, case: Outage) -> None:
        super().__init__(found=f"{case.number}, which has not begun")


class OutageIsCancelled(Conflict):
    """The outage is cancelled."""

    code = "outage-cancelled"
    title_zh = "停水已取消"
    needed = "an outage that will be"
    next_step = "plan another one"
    next_step_zh = "该停水已取消，如需停水请另行计划"

    def __init__(self, case: Outage, cancelled: Moment) -> None:
        super().__init__(found=f"{case.number}, cancelled at {cancelled.at.isoformat()}")


class UnknownOutageReason(UnknownCode):
    """Unknown reason for cancelling an outage."""

    title_zh = "未知的停水取消原因"


class NoticeOrdered(Conflict):
    """The same notice is on its way, or arrived."""

    title_zh = "同样的通知已在发送或已送达"
    needed = "something new to tell, or another way"
    next_step = "wait for its delivery; one that failed can be ordered again"
    next_step_zh = "同样的通知已在发送或已送达，无需重复"

    def __init__(self, way: str, case: Outage) -> None:
        super().__init__(found=f"the same notice of {case.number} by {way}")


class NoNoticeText(Conflict):
    """The standard has no text for that notice."""

    title_zh = "标准没有该通知的文本"
    needed = "a text for how the outage stands"
    next_step = "tell the users by hand, and publish a standard with the text"
    next_step_zh = "标准缺少该情形的通知文本，请人工通知并登记"

    def __init__(self, about: str, ctx: CommandContext) -> None:
        super().__init__(found=f"no text for {about} in standard {ctx.standard.version}")


class OutageIsRestored(Conflict):
    """Water flows again already."""

    code = "outage-restored"
    title_zh = "已恢复供水"
    needed = "an outage that lasts"
    next_step = "nothing is to be done"
    next_step_zh = "已恢复供水，无需操作"

    def __init__(self, case: Outage, restored: Moment) -> None:
        super().__init__(found=f"{case.number}, over since {restored.at.isoformat()}")


class NoSuchNotice(NotFound):
    """No such notice."""

    title_zh = "没有该通知"
    next_step = "record the notice first"
    next_step_zh = "没有该通知，请先登记发送"

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(found=found, needed=needed)


def no_such_outage() -> NoSuchCase:
    """What is said of an outage that there is not."""
    return NoSuchCase(
        found="no outage with this id",
        needed="the id of an outage",
        next_step="plan or record the outage first",
        next_step_zh="没有该停水，请先登记",
    )

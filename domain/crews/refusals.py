"""What the rules of crews refuse: a class for each refusal, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.kernel.refusals import Conflict, NotAcceptable, UnknownCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.crews.crews import Assignment
    from domain.crews.register import FormedCrew
    from domain.crews.squads import Booking, Squad


class CrewBusy(Conflict):
    """The crew is on another incident."""

    title_zh = "该班组正在处理其他工单"
    needed = "a crew that is on no other incident"
    next_step = "send another crew, or take this one off the other incident (reassigned_from)"
    next_step_zh = "该班组正在处理其他工单，请另派班组，或明确从该工单调出"

    def __init__(self, crew: str, other: Assignment) -> None:
        super().__init__(found=f"crew {crew}, which is on {other.case_number} ({other.case_id})")


class CrewUnchanged(Conflict):
    """The crew is as it was."""

    title_zh = "班组信息未变"
    needed = "a change"
    next_step = "nothing is to be done"
    next_step_zh = "班组信息未变，无需操作"

    def __init__(self, crew: str) -> None:
        super().__init__(found=f"{crew} as it is")


class ShiftRunning(Conflict):
    """The crew is at work already."""

    title_zh = "该班组已在班"
    needed = "a crew that is off work"
    next_step = "nothing is to be done"
    next_step_zh = "该班组已在班，无需操作"

    def __init__(self, crew: str) -> None:
        super().__init__(found=f"{crew}, which is at work")


class NoShiftRunning(Conflict):
    """The crew is off work."""

    title_zh = "该班组未在班"
    needed = "a crew that is at work"
    next_step = "nothing is to be done"
    next_step_zh = "该班组未在班，无需操作"

    def __init__(self, crew: str) -> None:
        super().__init__(found=f"{crew}, which is off work")


class CrewNotFormed(Conflict):
    """Nobody has put that crew together."""

    title_zh = "该班组尚未组建"
    needed = "a crew with a lead and its skills"
    next_step = "form the crew first"
    next_step_zh = "该班组尚未组建，请先组建"

    def __init__(self, crew: str) -> None:
        super().__init__(found=f"{crew}, which nobody has put together")


class UnknownCrew(NotAcceptable):
    """There is no such crew."""

    title_zh = "没有该班组"

    def __init__(self, crew: str, nearest: Sequence[FormedCrew]) -> None:
        near = ", ".join(f"{each.code} ({each.name_zh})" for each in nearest)
        near_zh = "、".join(f"{each.code}（{each.name_zh}）" for each in nearest)
        super().__init__(
            found=f"crew {crew}, which nobody has put together",
            needed="a crew that was formed" + (f"; the nearest are {near}" if near else ""),
            next_step="correct the code: /api/v1/crews lists the crews; a new crew is formed first",
            next_step_zh="没有该班组"
            + (f"，代码相近的有 {near_zh}" if near_zh else "")
            + "；请核对代码（/api/v1/crews 列出全部班组），新班组须先组建",
        )


class UnknownSkill(UnknownCode):
    """Unknown skill."""

    title_zh = "未知的技能"


class RosterUnchanged(Conflict):
    """The squad has these members already."""

    title_zh = "专班人员未变"
    needed = "a change"
    next_step = "nothing is to be done"
    next_step_zh = "专班人员未变，无需操作"

    def __init__(self, squad: str) -> None:
        super().__init__(found=f"{squad} with the members it has")


class SquadNotFormed(Conflict):
    """The squad is not formed."""

    title_zh = "该专班尚未组建"
    found = "a squad without members"
    needed = "a squad that was put together"
    next_step = "form the squad first, or choose another one"
    next_step_zh = "该专班尚未组建，请先组建或另选专班"


class MemberElsewhere(Conflict):
    """A member is in another squad."""

    title_zh = "该人员已在其他专班"
    needed = "people who are in no other squad"
    next_step_zh = "该人员已在其他专班，请先调整原专班"

    def __init__(self, both: list[str], squad: Squad) -> None:
        super().__init__(found=f"{both[0]}, who is in {squad.number}", next_step=f"change {squad.number} first")


class VisitsOverlap(Conflict):
    """The squad is taken at that time."""

    title_zh = "该专班此时段已有上门"
    needed = "one visit at a time"
    next_step = "choose another time or another squad"
    next_step_zh = "该专班此时段已有上门，请另选时间或专班"

    def __init__(self, taken: Booking) -> None:
        super().__init__(found=f"a squad that is taken from {taken.begin.isoformat()} until {taken.end.isoformat()}")


class VisitIsDone(Conflict):
    """The visit was made."""

    code = "visit-done"
    title_zh = "该上门已完成"
    needed = "a visit that is still to be made"
    next_step = "nothing is to be done"
    next_step_zh = "该上门已完成，无需操作"

    def __init__(self, visit: UUID) -> None:
        super().__init__(found=f"visit {visit}, which was made")


class UnknownSquad(UnknownCode):
    """Unknown squad."""

    title_zh = "未知的专班"


class NoMembers(NotAcceptable):
    """A squad without members."""

    title_zh = "专班没有成员"
    found = "nobody"
    needed = "at least one member"
    next_step = "name who is in the squad"
    next_step_zh = "请至少指定一名成员"


class MemberTwice(NotAcceptable):
    """A member named twice."""

    title_zh = "成员重复"
    needed = "each member once"
    next_step = "name everybody once"
    next_step_zh = "同一人员请勿重复"

    def __init__(self, twice: str) -> None:
        super().__init__(found=f"{twice} named twice")


class VisitOverMidnight(NotAcceptable):
    """A visit over midnight."""

    title_zh = "上门跨日"
    needed = "a beginning and an end on one day"
    next_step = "book one visit for each day"
    next_step_zh = "上门须在同一日内，请按日预约"

    def __init__(self, *, found: str) -> None:
        super().__init__(found=found)


class VisitInThePast(NotAcceptable):
    """A visit in the past."""

    title_zh = "上门时间已过"
    next_step = "choose a time that is still to come"
    next_step_zh = "请选择尚未到来的时间"

    def __init__(self, begin: datetime, at: datetime) -> None:
        super().__init__(found=f"a visit that begins at {begin.isoformat()}", needed=f"not before {at.isoformat()}")

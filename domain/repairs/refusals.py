"""What the rules of repairs refuse: a class for each refusal, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.kernel.refusals import ASKING, Conflict, NoSuchCase, NotAcceptable, NotFound, UnknownCode

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.repairs.case import Repair
    from domain.repairs.facts import OrderReference
    from domain.repairs.orders import OutsideOrder
    from domain.standard.context import CommandContext
    from domain.standard.standards import Standard


def class_of(case: Repair) -> str:
    """An incident with its class, as refusals name it."""
    return f"repair {case.number}, class {case.severity or 'not assessed'}"


class CaseIsClosed(Conflict):
    """The case is closed."""

    code = "case-closed"
    title_zh = "工单已关闭"
    needed = "an open case"
    next_step = "report a new fault"
    next_step_zh = "工单已关闭，请另行报修"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number} is closed")


class RepairIsCompleted(Conflict):
    """The repair is completed."""

    code = "repair-completed"
    title_zh = "抢修已完成"


class AlreadyDismissed(Conflict):
    """The incident was dismissed already."""

    title_zh = "工单已按无需抢修处理"
    needed = "an incident that still needs one"
    next_step = "report a new fault if there is one after all"
    next_step_zh = "该工单已按无需抢修处理；如确有故障请另行报修"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}, which needs no repair of ours")


class NothingToCorrect(Conflict):
    """The detail stands so already."""

    title_zh = "内容一致，无需更正"
    needed = "another value than is known"
    next_step = "nothing: it stands as it should"
    next_step_zh = "现有内容与更正一致，无需更正"

    def __init__(self, detail: str, new: str | None, case: Repair) -> None:
        super().__init__(found=f"{detail} {new or 'not given'} at {case.number} already")


class NoSuchEvidence(NotFound):
    """No such arrival, completion or restoration."""

    title_zh = "没有该到场、修复或恢复供水记录"
    needed = "the id of an arrival, a completion or a restoration of this incident"
    next_step = "take the id from the case's timeline"
    next_step_zh = "请从案件时间线中选取到场、修复或恢复供水记录的编号"

    def __init__(self, event: UUID) -> None:
        super().__init__(found=f"event {event}")


class NoSuchArrival(NotFound):
    """No such arrival."""

    title_zh = "没有该到场记录"
    needed = "the id of an event that told an arrival of this incident"
    next_step = "take the id of the arrival from the case's timeline"
    next_step_zh = "请从案件时间线中选取到场记录的编号"

    def __init__(self, event: UUID) -> None:
        super().__init__(found=f"event {event}")


class ArrivalIsProven(Conflict):
    """The arrival has its evidence."""

    title_zh = "该到场已有证据"
    needed = "an arrival that was told without evidence"
    next_step = "nothing to do"
    next_step_zh = "该到场已有证据，无需补充"

    def __init__(self, event: UUID) -> None:
        super().__init__(found=f"arrival {event}, which has its evidence")


class AlreadyRejected(Conflict):
    """It was rejected already."""

    title_zh = "该记录已不予认可"
    needed = "an event that still counts"
    next_step = "nothing to do"
    next_step_zh = "该记录已不予认可，无需重复办理"

    def __init__(self, event: UUID) -> None:
        super().__init__(found=f"event {event}, rejected already")


class UnknownRejectionReason(UnknownCode):
    """Unknown reason for rejecting."""

    title_zh = "未知的不予认可原因"


class UnknownDismissalReason(UnknownCode):
    """Unknown reason for dismissing."""

    title_zh = "未知的无需抢修原因"


class UnknownDetail(UnknownCode):
    """Unknown detail of an incident."""

    title_zh = "未知的工单内容项"


class UnknownPipeMaterial(UnknownCode):
    """Unknown pipe material."""

    title_zh = "未知的管材"


class BadDetail(NotAcceptable):
    """The detail cannot be so."""

    title_zh = "内容不符合要求"
    next_step = "correct the value"
    next_step_zh = "内容不符合要求，请更正"

    def __init__(self, detail: str, found: str, needed: str) -> None:
        super().__init__(found=f"{detail} {found}", needed=needed)


class PipeUnnamed(NotAcceptable):
    """Nothing is said of the pipe."""

    title_zh = "未填写管段信息"
    found = "a pipe of which nothing is said"
    needed = "its number, material, diameter or year"
    next_step = "say what is known about it"
    next_step_zh = "请至少填写管段编号、材质、口径、敷设年份之一"


class BadPrecision(NotAcceptable):
    """Only imported history may know a time roughly."""

    title_zh = "仅历史导入可不精确到秒"
    needed = "a time to the second; only imported history may know less"
    next_step = "give the time at which it happened"
    next_step_zh = "请填写具体时刻；仅历史导入可不精确到秒"

    def __init__(self, precision: str, ctx: CommandContext) -> None:
        super().__init__(found=f"precision {precision} over channel {ctx.channel}")


class UnknownOrigin(UnknownCode):
    """Unknown origin of imported history."""

    title_zh = "未知的历史来源渠道"


class ReporterMissing(NotAcceptable):
    """The reporter is missing."""

    title_zh = "缺少报修人"
    needed = "a report whose maker can be told"
    next_step = "nothing is to be done: nobody waits for an answer to this report"
    next_step_zh = "该报修未留联系方式，无需回复"

    def __init__(self, report: int, case: Repair) -> None:
        super().__init__(found=f"report {report} of {case.number}, whose maker left no way to be told")


class AlreadyDispatched(Conflict):
    """The crew is on this incident already."""

    title_zh = "该班组已在本工单"
    needed = "a crew that is not on this incident yet"
    next_step = "wait for its acknowledgement, or send another crew"
    next_step_zh = "该班组已派，请等待接单或改派其他班组"

    def __init__(self, crew: str, case: Repair) -> None:
        super().__init__(found=f"crew {crew} is on {case.number}")


class MassIsDeclared(Conflict):
    """A mass incident of that code was declared before."""

    code = "mass-declared"
    title_zh = "该群发事件代码已使用"
    needed = "a code of its own"
    next_step = "give the mass incident another code"
    next_step_zh = "该代码已使用，请另取代码"

    def __init__(self, mass: str) -> None:
        super().__init__(found=f"{mass}, which was declared before")


class NoSuchMassIncident(NotFound):
    """No such mass incident holds."""

    title_zh = "没有进行中的该群发事件"
    needed = "a mass incident that was declared and has not ended"
    next_step = "look up which ones hold"
    next_step_zh = "没有进行中的该群发事件，请核对"

    def __init__(self, mass: str) -> None:
        super().__init__(found=f"{mass}, which does not hold")


class UnknownMassCause(UnknownCode):
    """Unknown cause of a mass incident."""

    title_zh = "未知的群发事件原因"


class CrewElsewhere(Conflict):
    """The crew is not on that incident."""

    title_zh = "该班组不在所填工单上"
    needed = "the incident that the crew is on"
    next_step = "look up where the crew is"
    next_step_zh = "该班组不在所填工单上，请核对"

    def __init__(self, crew: str, case: Repair) -> None:
        super().__init__(found=f"{case.number}, which crew {crew} is not on")


class UnknownDeclineReason(UnknownCode):
    """Unknown reason for declining."""

    title_zh = "未知的拒单原因"


class AlreadyAssessed(Conflict):
    """The repair is assessed already."""

    title_zh = "已定级"
    needed = "a reassessment, with a reason and evidence"
    next_step = "reassess the repair instead"
    next_step_zh = "已定级；如需变更请办理重新定级"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}, assessed as {case.severity}")


class SameCrew(NotAcceptable):
    """A hand-over needs two crews."""

    title_zh = "交接班须为两个班组"
    needed = "two crews"
    next_step = "name the crew that takes over"
    next_step_zh = "交接班须为两个不同班组"

    def __init__(self, from_crew: str) -> None:
        super().__init__(found=f"{from_crew} to itself")


class UnknownWorkNote(UnknownCode):
    """Unknown note of work."""

    title_zh = "未知的作业内容"


class IncidentNotOver(Conflict):
    """The incident goes on."""

    title_zh = "抢修尚未结束"
    needed = "an incident that was repaired or dismissed"
    next_step = "answer once the work is done"
    next_step_zh = "抢修尚未结束，请在修复后回复"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}, which goes on")


class NoAnswerText(Conflict):
    """The standard has no text for this."""

    title_zh = "标准缺少回复文本"
    needed = "a text for how the incident ended"
    next_step = "answer by telephone, and publish a standard with the text"
    next_step_zh = "标准缺少该情形的回复文本，请人工回复并登记"

    def __init__(self, stands: str, standard: Standard) -> None:
        super().__init__(found=f"no text for {stands} in standard {standard.version}")


class AnswerIsOrdered(Conflict):
    """The same answer was ordered already."""

    code = "answer-ordered"
    title_zh = "同样的回复已下达"
    needed = "something new to tell, or another way"
    next_step = "wait for its delivery; one that failed can be ordered again"
    next_step_zh = "同样的回复已在发送或已送达，无需重复"

    def __init__(self, report: int, way: str, case: Repair) -> None:
        super().__init__(found=f"the same answer to report {report} of {case.number} by {way}")


class NoSuchOrder(NotFound):
    """No such order."""

    title_zh = "没有该热线工单"
    found = "no order of that source and number"
    needed = "an order that was taken in with a report"
    next_step = "check the number, or take the order in with its report"
    next_step_zh = "没有该热线工单，请核对编号"


class OrderKnown(Conflict):
    """The order was taken in before."""

    title_zh = "该热线工单已受理"
    needed = "an order that was not taken in"
    next_step = "look at that case, or link the report without the order"
    next_step_zh = "该热线工单已受理，请在原工单办理"

    def __init__(self, order: OrderReference, state: OutsideOrder) -> None:
        super().__init__(
            found=f"order {order.source} {order.number}, which is report {state.report} of case {state.case_id}"
        )


class OrderIsReplied(Conflict):
    """The order was replied to."""

    code = "order-replied"
    title_zh = "该热线工单已回复"
    needed = "an order that waits for its reply"
    next_step = "nothing is to be done"
    next_step_zh = "该热线工单已回复，无需延期"

    def __init__(self, order: OutsideOrder) -> None:
        super().__init__(found=f"order {order.number}, which was replied to")


class ReplyTooFarOff(NotAcceptable):
    """The deadline of an order lies too far off."""

    title_zh = "工单答复期限过远"
    next_step = "correct the time; who grants that much more time changes the standard first"
    next_step_zh = "请核对答复期限；确需更长期限的，请先修订标准"

    def __init__(self, reply_by: datetime, latest: datetime, working_days: int) -> None:
        super().__init__(
            found=f"a reply by {reply_by.isoformat()}",
            needed=f"by {latest.isoformat()}, {working_days} working days from now",
        )


class UnknownOrderSource(UnknownCode):
    """Unknown source of an order."""

    title_zh = "未知的工单来源"


class NoSuchReport(NotFound):
    """No such report."""

    title_zh = "没有该报修"


class IncidentIsMerged(Conflict):
    """The incident goes on in another case."""

    code = "incident-merged"
    title_zh = "工单已并入其他工单"
    needed = "the incident that its reports belong to now"
    next_step_zh = "该工单已并入其他工单，请在并入的工单办理"

    def __init__(self, case: Repair) -> None:
        super().__init__(
            found=f"repair {case.number}, which goes on in case {case.merged_into}",
            next_step=f"send the same to case {case.merged_into}",
        )


class FirstReport(Conflict):
    """The first report stays with its incident."""

    title_zh = "首次报修不可拆分"
    needed = "a further report, that was linked"
    next_step = "unlink the further reports instead"
    next_step_zh = "首次报修不可拆分，请拆分后并入的报修"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"report 1, which opened repair {case.number}")


class SecondPersonNeeded(Conflict):
    """A second person is needed."""

    title_zh = "须由第二人核实"
    next_step_zh = f"须由第二人核实：请提交复核请求 {ASKING}；仅受信前端可在请求中注明其工号"

    def __init__(self, what: str, ctx: CommandContext, named_in: str) -> None:
        super().__init__(
            found=f"{what}, by {ctx.by.actor} alone",
            needed=f"another person in {named_in}",
            next_step=f"ask a second person with {ASKING}; only a trusted front end names them, in {named_in}",
        )


class RepairNotCompleted(Conflict):
    """The repair is not completed."""

    title_zh = "抢修尚未完成"
    needed = "a completed repair"
    next_step = "record the completion first"
    next_step_zh = "请先登记修复完成"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number} without completion")


class WaterNotRestored(Conflict):
    """Water is not restored."""

    title_zh = "尚未恢复供水"
    needed = "water restored"
    next_step = "record that water flows again first"
    next_step_zh = "大修须先登记恢复供水"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"major repair {case.number} without restored water")


class SameIncident(NotAcceptable):
    """An incident is not merged with itself."""

    title_zh = "不能并入自身"
    needed = "another incident"
    next_step = "name the other incident"
    next_step_zh = "不能并入自身"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}")


class WorkBegun(Conflict):
    """A crew has been on site."""

    title_zh = "已有班组到场，不可并单"
    needed = "an incident at which no crew has been"
    next_step = "merge the other one into this one instead"
    next_step_zh = "已有班组到场，请将另一工单并入本工单"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}")


class NotAssessed(Conflict):
    """The repair is not assessed."""

    title_zh = "尚未定级"
    needed = "a first assessment"
    next_step = "assess the repair first"
    next_step_zh = "请先办理首次定级"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=class_of(case))


class NotOnSite(Conflict):
    """Nobody was on site by then."""

    title_zh = "当时尚未到场"
    needed = "a crew on site"
    next_step = "record the arrival first"
    next_step_zh = "须到场后方可重新定级"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=class_of(case))


class SameSeverity(Conflict):
    """The repair has that class."""

    title_zh = "等级未变更"
    needed = "another class"
    next_step = "leave the class as it is"
    next_step_zh = "等级未变更"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=class_of(case))


class NotUserSide(Conflict):
    """The fault is not behind the meter."""

    title_zh = "非表后故障"
    needed = "a fault behind the meter"
    next_step = "mend the public side free of charge"
    next_step_zh = "非表后故障，不得收费"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}")


class ConsentMissing(Conflict):
    """The user has not consented."""

    title_zh = "用户尚未同意"
    needed = "the user's written consent"
    next_step = "ask for it first"
    next_step_zh = "须先取得用户书面同意"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}")


class ServiceStarted(Conflict):
    """The paid service has begun."""

    title_zh = "有偿服务已开始"
    needed = "a service not begun"
    next_step = "go on with the work"
    next_step_zh = "有偿服务已开始"

    def __init__(self, case: Repair) -> None:
        super().__init__(found=f"repair {case.number}")


def no_such_incident() -> NoSuchCase:
    """What is said of an incident that there is not."""
    return NoSuchCase(
        found="no repair case with this id",
        needed="the id of a reported incident",
        next_step="look the case up by its number",
        next_step_zh="请按工单号查询",
    )

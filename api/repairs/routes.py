"""Repairs 报修: a report opens an incident; the field tells, the dispatcher instructs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from api.crews import commands as crew_commands
from api.http.answers import COMMAND_ERRORS, Accepted
from api.http.caller import CallerDep
from api.http.commanding import carry_out
from api.http.dependencies import CaseId, ServiceDep
from api.http.fields import FromTheField, Nothing
from api.http.strict import StrictRoute
from api.repairs import bodies, commands
from api.repairs.evidence import measured
from domain import kinds
from infra.eventstore.shipped_rules import MASS

router = APIRouter(prefix="/api/v1/repairs", tags=["repairs 报修"], route_class=StrictRoute, responses=COMMAND_ERRORS)

ReportNumber = Annotated[int, Path(ge=1, le=100_000, description="the report's number in the incident")]


@router.post("", status_code=201, summary="Report a fault 报修")
async def report_fault(
    body: bodies.FaultReport, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    number = await run_in_threadpool(kinds.REPAIR.new_number, service.next_number)
    happened_at = body.happened_at or service.clock.now()
    register = (await run_in_threadpool(service.load, MASS))[0]
    tag = register.of(body.district, happened_at) if register is not None else None
    order = commands.report_fault(caller, body, number=number, happened_at=happened_at, mass=tag)
    return await carry_out(service, order, response, creates=True)


@router.post("/{case_id}/reports", summary="Link a further report 并单")
async def link_report(
    case_id: CaseId, body: bodies.FurtherReport, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.link_report(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/reports/{report}/unlinking", status_code=201, summary="Undo a wrong link 拆单")
async def unlink_report(
    case_id: CaseId,
    report: ReportNumber,
    body: bodies.Unlinking,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    """Answers with the new case, whose clock starts when the report was made."""
    number = await run_in_threadpool(kinds.REPAIR.new_number, service.next_number)
    return await crew_commands.looking(
        service,
        case_id,
        response,
        lambda seen: commands.unlink_report(caller, case_id, report, body, number=number, seen=seen),
        creates=True,
    )


@router.post("/{case_id}/merging", summary="It is the same burst as another incident 并入其他工单")
async def merge(
    case_id: CaseId, body: bodies.Merging, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    """The other incident takes over reports and outside orders; its clock starts at the first report of both. To undo
    it, undo the links there."""
    return await crew_commands.looking(
        service, case_id, response, lambda seen: crew_commands.merge(caller, case_id, body, seen)
    )


@router.post("/{case_id}/reports/{report}/answer", summary="A reporter was told what became of it 回复报修人")
async def answer_reporter(
    case_id: CaseId,
    report: ReportNumber,
    body: bodies.ReporterAnswer,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    order = commands.answer_reporter(caller, case_id, report, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/reports/{report}/apology", summary="A reporter was told that we are sorry 致歉")
async def apologise(
    case_id: CaseId,
    report: ReportNumber,
    body: bodies.ReporterAnswer,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    order = commands.apologise(caller, case_id, report, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/reports/{report}/answer/order", summary="Have the program answer a reporter 发送回复")
async def order_answer(
    case_id: CaseId,
    report: ReportNumber,
    body: bodies.AnswerByProgram,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    return await carry_out(service, commands.order_answer(caller, case_id, report, body), response)


@router.post("/{case_id}/dispatch", summary="Send a crew 派单")
async def dispatch(
    case_id: CaseId, body: bodies.Dispatch, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    return await crew_commands.looking(
        service, case_id, response, lambda seen: crew_commands.dispatch(caller, case_id, body, seen)
    )


@router.post("/{case_id}/decline", summary="The crew says no 拒单")
async def decline(
    case_id: CaseId, body: bodies.Declined, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = crew_commands.decline(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/acknowledgement", summary="The crew confirms 接单")
async def acknowledge(
    case_id: CaseId, body: bodies.DispatchConfirmation, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.acknowledge(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/arrival", summary="The crew is on site 到场")
async def arrive(
    case_id: CaseId, body: bodies.Arrival, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    proof = await run_in_threadpool(measured, service, case_id, body.evidence)
    order = commands.arrive(caller, case_id, body, body.happened_at or service.clock.now(), proof)
    return await carry_out(service, order, response)


@router.post("/{case_id}/assessment", summary="Class the repair 定级")
async def assess(
    case_id: CaseId, body: bodies.Assessment, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.assess(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/reassessment", summary="Give the repair another class 重新定级")
async def reassess(
    case_id: CaseId, body: bodies.Reassessment, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.reassess(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/work-logs", summary="The crew is at work 作业记录")
async def log_work(
    case_id: CaseId, body: bodies.WorkLog, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.log_work(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/hand-overs", summary="One crew takes over from another 交接班")
async def hand_over(
    case_id: CaseId, body: bodies.HandOver, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = crew_commands.hand_over(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/user-side", summary="The fault lies behind the meter 表后故障")
async def find_user_side(
    case_id: CaseId, body: FromTheField, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.find_user_side(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/paid-service/consent", summary="The user agrees to a paid service 同意有偿服务")
async def consent(
    case_id: CaseId, body: bodies.Consent, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.consent(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/paid-service", summary="The paid service begins 有偿服务开始")
async def start_paid_service(
    case_id: CaseId, body: bodies.PaidService, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    return await carry_out(service, commands.start_paid_service(caller, case_id, body), response)


@router.post("/{case_id}/completion", summary="The repair is done 修复完成")
async def complete(
    case_id: CaseId, body: bodies.Completion, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.complete(caller, case_id, body, body.happened_at or service.clock.now())
    return await crew_commands.freeing(service, order, response, "completed")


@router.post("/{case_id}/restoration", summary="Water flows again 恢复供水")
async def restore_water(
    case_id: CaseId, body: FromTheField, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.restore_water(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/closure", summary="Close the file 关单")
async def close(case_id: CaseId, body: Nothing, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    return await crew_commands.freeing(service, commands.close(caller, case_id), response, "closed")


@router.post("/{case_id}/dismissal", summary="The incident needs no repair of ours 无需抢修")
async def dismiss(
    case_id: CaseId, body: bodies.IncidentDismissal, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.dismiss(caller, case_id, body, body.happened_at or service.clock.now())
    return await crew_commands.freeing(service, order, response, "closed")


@router.post("/{case_id}/rejections", summary="What was told from the field did not happen so 证据不予认可")
async def reject_evidence(
    case_id: CaseId, body: bodies.Rejection, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    return await carry_out(service, commands.reject_evidence(caller, case_id, body), response)


@router.post("/{case_id}/pipe", summary="Which pipe failed 管段信息")
async def identify_pipe(
    case_id: CaseId, body: bodies.Pipe, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.identify_pipe(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/corrections", summary="Correct a detail; what stood there stays on record 更正")
async def correct(
    case_id: CaseId, body: bodies.Correction, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.correct(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)

"""Repairs 报修: a report opens an incident; the field tells, the dispatcher instructs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.concurrency import run_in_threadpool

from api.citizens.links import open_case_with_link, with_link
from api.crews import commands as crew_commands
from api.http.answers import COMMAND_ERRORS, Accepted, FollowedAccepted
from api.http.commanding import CommandRunner, runner_of
from api.http.dependencies import CaseId
from api.http.fields import FromTheField, Nothing
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.repairs import bodies, commands
from api.repairs.evidence import measured, measured_later
from domain import kinds
from domain.repairs import answers, apologies, details, dismissal, field, rejection, severity, user_side
from domain.repairs import dispatch as repair_dispatch

router = APIRouter(prefix="/api/v1/repairs", tags=["repairs 报修"], route_class=StrictRoute, responses=COMMAND_ERRORS)

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.REPAIR))]
ReportNumber = Annotated[int, Path(ge=1, le=100_000, description="the report's number in the incident")]


@router.post("", status_code=201, summary="Report a fault 报修", openapi_extra=needs(None))
async def report_fault(body: bodies.FaultReport, runner: Runner) -> FollowedAccepted:
    number, happened_at = runner.new_number(), body.happened_at or runner.now()
    command = commands.report_fault(runner.caller, body, number=number, happened_at=happened_at)
    return await open_case_with_link(runner, command)


@router.post("/{case_id}/reports", summary="Link a further report 并单", openapi_extra=needs("repair.link"))
async def link_report(case_id: CaseId, body: bodies.FurtherReport, runner: Runner) -> FollowedAccepted:
    command = commands.link_report(runner.caller, case_id, body, body.happened_at or runner.now())
    return await with_link(runner, await runner.carry_out(command))


@router.post(
    "/{case_id}/reports/{report}/unlinking",
    status_code=201,
    summary="Undo a wrong link 拆单",
    openapi_extra=needs("repair.unlink"),
)
async def unlink_report(case_id: CaseId, report: ReportNumber, body: bodies.Unlinking, runner: Runner) -> Accepted:
    """Answers with the new case, whose clock starts when the report was made."""
    number = runner.new_number()
    return await runner.with_case_lookup(
        case_id,
        lambda seen: commands.unlink_report(runner.caller, case_id, report, body, number=number, seen=seen),
        creates=True,
    )


@router.post(
    "/{case_id}/merging",
    summary="It is the same burst as another incident 并入其他工单",
    openapi_extra=needs("repair.unlink"),
)
async def merge(case_id: CaseId, body: bodies.Merging, runner: Runner) -> Accepted:
    """The other incident takes over reports and outside orders; its clock starts at the first report of both. To undo
    it, undo the links there."""
    return await runner.with_case_lookup(case_id, lambda seen: crew_commands.merge(runner.caller, case_id, body, seen))


@router.post(
    "/{case_id}/reports/{report}/answer",
    summary="A reporter was told what became of it 回复报修人",
    openapi_extra=needs("repair.tell-reporter"),
)
async def answer_reporter(
    case_id: CaseId, report: ReportNumber, body: bodies.ReporterAnswer, runner: Runner
) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: answers.answer_reporter(case, ctx, report=report, way=body.way, digest=body.digest),
    )


@router.post(
    "/{case_id}/reports/{report}/apology",
    summary="A reporter was told that we are sorry 致歉",
    openapi_extra=needs("repair.tell-reporter"),
)
async def apologise(case_id: CaseId, report: ReportNumber, body: bodies.ReporterAnswer, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: apologies.apologise(case, ctx, report=report, way=body.way, digest=body.digest),
    )


@router.post(
    "/{case_id}/reports/{report}/answer/order",
    summary="Have the program answer a reporter 发送回复",
    openapi_extra=needs("repair.tell-reporter"),
)
async def order_answer(case_id: CaseId, report: ReportNumber, body: bodies.AnswerByProgram, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: commands.ordered_answer(case, ctx, report, body.way))


@router.post("/{case_id}/dispatch", summary="Send a crew 派单", openapi_extra=needs("repair.dispatch"))
async def dispatch(case_id: CaseId, body: bodies.Dispatch, runner: Runner) -> Accepted:
    return await runner.with_case_lookup(
        case_id, lambda seen: crew_commands.dispatch(runner.caller, case_id, body, seen)
    )


@router.post("/{case_id}/decline", summary="The crew says no 拒单", openapi_extra=needs("repair.tell"))
async def decline(case_id: CaseId, body: bodies.Declined, runner: Runner) -> Accepted:
    return await runner.carry_out(crew_commands.decline(runner, case_id, body))


@router.post("/{case_id}/acknowledgement", summary="The crew confirms 接单", openapi_extra=needs("repair.tell"))
async def acknowledge(case_id: CaseId, body: bodies.DispatchConfirmation, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: repair_dispatch.acknowledge(case, ctx, crew=body.crew), names_crew=True
    )


@router.post("/{case_id}/delay", summary="The crew is held up on its way 途中受阻", openapi_extra=needs("repair.tell"))
async def delay(case_id: CaseId, body: bodies.Delay, runner: Runner) -> Accepted:
    """No limit moves with it; the dispatcher sees when the crew expects to be on site."""
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: repair_dispatch.delay(case, ctx, crew=body.crew, expected_at=body.expected_at),
        names_crew=True,
    )


@router.post("/{case_id}/arrival", summary="The crew is on site 到场", openapi_extra=needs("repair.tell"))
async def arrive(case_id: CaseId, body: bodies.Arrival, runner: Runner) -> Accepted:
    proof = await run_in_threadpool(measured, runner.service, case_id, body.evidence)
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: field.arrive(case, ctx, crew=body.crew, evidence=proof),
        names_crew=True,
    )


@router.post(
    "/{case_id}/arrival/evidence",
    summary="Supply the evidence of an arrival that was told without 补充到场证据",
    openapi_extra=needs("repair.tell"),
)
async def supply_evidence(case_id: CaseId, body: bodies.LaterEvidence, runner: Runner) -> Accepted:
    """Until the standard's time for it has passed, the arrival counts provisionally; evidence that comes later needs
    another person (`confirmed_by`)."""
    proof = await run_in_threadpool(measured_later, runner.service, case_id, body.evidence)
    return await runner.field(
        case_id, body, lambda case, ctx: field.supply_evidence(case, ctx, arrival=body.event_id, evidence=proof)
    )


@router.post("/{case_id}/assessment", summary="Class the repair 定级", openapi_extra=needs("repair.tell"))
async def assess(case_id: CaseId, body: bodies.Assessment, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: severity.assess(case, ctx, severity=body.severity, reason=body.reason)
    )


@router.post(
    "/{case_id}/reassessment", summary="Give the repair another class 重新定级", openapi_extra=needs("repair.reassess")
)
async def reassess(case_id: CaseId, body: bodies.Reassessment, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: severity.reassess(
            case,
            ctx,
            severity=body.severity,
            reason=body.reason,
            evidence_digest=body.evidence_digest,
            approved_by=body.approved_by or runner.caller.stamp.confirmed_by,
        ),
    )


@router.post("/{case_id}/work-logs", summary="The crew is at work 作业记录", openapi_extra=needs("repair.tell"))
async def log_work(case_id: CaseId, body: bodies.WorkLog, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: field.log_work(case, ctx, note=body.note, crew=body.crew),
        names_crew=True,
    )


@router.post(
    "/{case_id}/hand-overs", summary="One crew takes over from another 交接班", openapi_extra=needs("repair.tell")
)
async def hand_over(case_id: CaseId, body: bodies.HandOver, runner: Runner) -> Accepted:
    return await runner.carry_out(crew_commands.hand_over(runner, case_id, body))


@router.post(
    "/{case_id}/user-side", summary="The fault lies behind the meter 表后故障", openapi_extra=needs("repair.tell")
)
async def find_user_side(case_id: CaseId, body: FromTheField, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, user_side.find_user_side)


@router.post(
    "/{case_id}/paid-service/consent",
    summary="The user agrees to a paid service 同意有偿服务",
    openapi_extra=needs("repair.tell"),
)
async def consent(case_id: CaseId, body: bodies.Consent, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: user_side.consent(case, ctx, consent_digest=body.consent_digest)
    )


@router.post(
    "/{case_id}/paid-service",
    summary="The paid service begins 有偿服务开始",
    openapi_extra=needs("repair.start-paid-service"),
)
async def start_paid_service(case_id: CaseId, body: bodies.PaidService, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id, lambda case, ctx: user_side.start_paid_service(case, ctx, crew=body.crew), names_crew=True
    )


@router.post("/{case_id}/completion", summary="The repair is done 修复完成", openapi_extra=needs("repair.tell"))
async def complete(case_id: CaseId, body: bodies.Completion, runner: Runner) -> Accepted:
    return await crew_commands.releasing_crew(
        runner, case_id, body, lambda case, ctx: field.complete(case, ctx, precision=body.precision), "completed"
    )


@router.post("/{case_id}/restoration", summary="Water flows again 恢复供水", openapi_extra=needs("repair.tell"))
async def restore_water(case_id: CaseId, body: FromTheField, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, field.restore_water)


@router.post("/{case_id}/closure", summary="Close the file 关单", openapi_extra=needs("repair.close"))
async def close(case_id: CaseId, body: Nothing, runner: Runner) -> Accepted:
    return await crew_commands.releasing_crew(runner, case_id, None, field.close, "closed")


@router.post(
    "/{case_id}/dismissal",
    summary="The incident needs no repair of ours 无需抢修",
    openapi_extra=needs("repair.dismiss"),
)
async def dismiss(case_id: CaseId, body: bodies.IncidentDismissal, runner: Runner) -> Accepted:
    return await crew_commands.releasing_crew(
        runner,
        case_id,
        body,
        lambda case, ctx: dismissal.dismiss(
            case, ctx, reason=body.reason, evidence_digest=body.evidence_digest, precision=body.precision
        ),
        "closed",
    )


@router.post(
    "/{case_id}/rejections",
    summary="What was told from the field did not happen so 证据不予认可",
    openapi_extra=needs("repair.reject"),
)
async def reject_evidence(case_id: CaseId, body: bodies.Rejection, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: rejection.reject_evidence(
            case, ctx, event=body.event_id, reason=body.reason, evidence_digest=body.evidence_digest
        ),
        confirmed_by=body.confirmed_by,
    )


@router.post("/{case_id}/pipe", summary="Which pipe failed 管段信息", openapi_extra=needs("repair.tell"))
async def identify_pipe(case_id: CaseId, body: bodies.Pipe, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: details.identify_pipe(
            case, ctx, asset=body.asset, material=body.material, dn_mm=body.dn_mm, laid_in=body.laid_in
        ),
    )


@router.post(
    "/{case_id}/corrections",
    summary="Correct a detail; what stood there stays on record 更正",
    openapi_extra=needs("repair.correct"),
)
async def correct(case_id: CaseId, body: bodies.Correction, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: details.correct(case, ctx, detail=body.detail, old=body.old, new=body.new)
    )

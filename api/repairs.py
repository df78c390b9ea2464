"""Repairs 报修: a report opens an incident; the field tells, the dispatcher instructs."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api import bodies, commands
from api.answers import COMMAND_ERRORS, Accepted
from api.caller import CallerDep
from api.commands import carry_out
from api.edge import CaseId, ServiceDep
from api.strict import StrictRoute

router = APIRouter(prefix="/api/v1/repairs", tags=["repairs 报修"], route_class=StrictRoute, responses=COMMAND_ERRORS)


@router.post("", status_code=201, summary="Report a fault 报修")
async def report_fault(
    body: bodies.FaultReport, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    number = await run_in_threadpool(service.next_number, commands.REPAIR_NUMBERS)
    happened_at = body.happened_at or service.clock.now()
    order = commands.report_fault(caller, body, number=number, happened_at=happened_at)
    return await carry_out(service, order, response, creates=True)


@router.post("/{case_id}/reports", summary="Link a further report 并单")
async def link_report(
    case_id: CaseId, body: bodies.FurtherReport, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.link_report(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/dispatch", summary="Send a crew 派单")
async def dispatch(
    case_id: CaseId, body: bodies.Dispatch, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    return await carry_out(service, commands.dispatch(caller, case_id, body), response)


@router.post("/{case_id}/acknowledgement", summary="The crew confirms 接单")
async def acknowledge(
    case_id: CaseId, body: bodies.Acknowledgement, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.acknowledge(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/arrival", summary="The crew is on site 到场")
async def arrive(
    case_id: CaseId, body: bodies.Arrival, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.arrive(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/assessment", summary="Class the repair 定级")
async def assess(
    case_id: CaseId, body: bodies.Assessment, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.assess(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/completion", summary="The repair is done 修复完成")
async def complete(
    case_id: CaseId, body: bodies.When, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.complete(caller, case_id, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/restoration", summary="Water flows again 恢复供水")
async def restore_water(
    case_id: CaseId, body: bodies.When, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.restore_water(caller, case_id, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/closure", summary="Close the file 关单")
async def close(
    case_id: CaseId, body: bodies.Nothing, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    return await carry_out(service, commands.close(caller, case_id), response)

"""Water connections 用水报装: received, admitted, water on at each supply point."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from api import bodies, commands
from api.answers import COMMAND_ERRORS, Accepted
from api.caller import CallerDep
from api.commands import carry_out
from api.edge import CaseId, ServiceDep
from api.strict import StrictRoute

router = APIRouter(
    prefix="/api/v1/connections", tags=["connections 报装"], route_class=StrictRoute, responses=COMMAND_ERRORS
)


@router.post("", status_code=201, summary="Take an application in 收件")
async def receive(body: bodies.Application, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    number = await run_in_threadpool(service.next_number, commands.CONNECTION_NUMBERS)
    happened_at = body.happened_at or service.clock.now()
    order = commands.receive(caller, body, number=number, happened_at=happened_at)
    return await carry_out(service, order, response, creates=True)


@router.post("/{case_id}/admission", summary="Admit the application 受理")
async def admit(
    case_id: CaseId, body: bodies.When, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = commands.admit(caller, case_id, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/{case_id}/supply-points/{point}/water-on", summary="Water on at a supply point 通水")
async def turn_water_on(
    case_id: CaseId,
    point: Annotated[int, Path(ge=1, le=1_000_000, description="the supply point's number, from 1")],
    body: bodies.WaterOn,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    order = commands.turn_water_on(caller, case_id, point, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)

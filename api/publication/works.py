"""Works for the community 社区工程: registered, begun, done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import COMMAND_ERRORS, Accepted
from api.http.caller import Caller, CallerDep
from api.http.commanding import PendingCommand, carry_out, new_case
from api.http.dependencies import CaseId, ServiceDep
from api.http.fields import When
from api.http.strict import StrictRoute
from api.publication.bodies import WorkDone, WorkEntered
from domain import kinds
from domain.kernel.facts import EventToAppend, Fact
from domain.publication import works
from domain.publication.works import Work
from domain.standard.context import CommandContext
from infra.eventstore.commands import Snapshot, Stream, StreamEvent

router = APIRouter(prefix="/api/v1/works", tags=["works 社区工程"], route_class=StrictRoute, responses=COMMAND_ERRORS)


@router.post("", status_code=201, summary="Register a work 登记工程")
async def register(body: WorkEntered, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    number = await run_in_threadpool(kinds.WORK.new_number, service.next_number)

    def say(work: Work | None, ctx: CommandContext) -> Fact:
        return works.register(work, ctx, number=number, kind=body.kind, community=body.community, name_zh=body.name_zh)

    happened_at = body.happened_at or service.clock.now()
    order = _order(new_case(kinds.WORK, caller), caller, happened_at, say, number)
    return await carry_out(service, order, response)


@router.post("/{case_id}/start", summary="Work began 开工")
async def start(case_id: CaseId, body: When, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    order = _order(_work(case_id), caller, body.happened_at or service.clock.now(), works.start)
    return await carry_out(service, order, response)


@router.post("/{case_id}/completion", summary="The work is done 竣工")
async def complete(
    case_id: CaseId, body: WorkDone, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    def say(work: Work | None, ctx: CommandContext) -> Fact:
        return works.complete(work, ctx, households_served=body.households_served)

    order = _order(_work(case_id), caller, body.happened_at or service.clock.now(), say)
    return await carry_out(service, order, response)


def _work(case_id: UUID) -> Stream:
    return Stream(kinds.WORK, case_id)


def _order(
    case: Stream,
    caller: Caller,
    happened_at: datetime,
    say: Callable[[Work | None, CommandContext], Fact],
    number: str | None = None,
) -> PendingCommand:
    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        return [(case, EventToAppend(say(snapshot.of(case), snapshot.context(caller.stamp, happened_at)), happened_at))]

    return PendingCommand(case, caller, decide, number=number)

"""Works for the community 社区工程: registered, begun, done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends

from api.http.answers import COMMAND_ERRORS, Accepted
from api.http.commanding import CommandRunner, PendingCommand, events, runner_of
from api.http.dependencies import CaseId
from api.http.fields import When
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.publication.bodies import WorkDone, WorkEntered
from domain import kinds
from domain.publication import works
from infra.eventstore.commands import Snapshot, StreamEvent

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.WORK))]

router = APIRouter(prefix="/api/v1/works", tags=["works 社区工程"], route_class=StrictRoute, responses=COMMAND_ERRORS)


@router.post("", status_code=201, summary="Register a work 登记工程", openapi_extra=needs("works.register"))
async def register(body: WorkEntered, runner: Runner) -> Accepted:
    number, case, happened_at = runner.new_number(), runner.new_case(), body.happened_at or runner.now()

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = runner.context(snapshot, body, happened_at)
        fact = works.register(
            snapshot.of(case), ctx, number=number, kind=body.kind, community=body.community, name_zh=body.name_zh
        )
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, number=number))


@router.post("/{case_id}/start", summary="Work began 开工", openapi_extra=needs("works.report"))
async def start(case_id: CaseId, body: When, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, works.start)


@router.post("/{case_id}/completion", summary="The work is done 竣工", openapi_extra=needs("works.report"))
async def complete(case_id: CaseId, body: WorkDone, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda work, ctx: works.complete(work, ctx, households_served=body.households_served)
    )

"""Alerts 告警: what calls staff now, and taking it in hand 确认接手."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.board.cases import existing_kind
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted
from api.http.commanding import CommandRunner, runner_of
from api.http.dependencies import CaseId, Limit, ServiceDep
from api.http.fields import Body, Code
from api.http.strict import StrictRoute
from domain import kinds
from domain.kernel.facts import Fact
from domain.standard import escalation
from domain.standard.context import CommandContext
from infra.eventstore.commands import Stream
from infra.sql import sql

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.REPAIR))]

router = APIRouter(prefix="/api/v1", tags=["alerts 告警"], route_class=StrictRoute)

CommitmentPath = Annotated[str, Path(pattern=r"^[a-z-]{1,32}\.[a-z_-]{1,32}$", examples=["repair.arrival"])]


class Acknowledgement(Body):
    """Taking in hand: of one ``lapse`` by its number, or of one ``rung`` of a nearing; neither: the newest lapse that
    stands. Who it is, ``X-Actor`` says."""

    lapse: Annotated[int | None, Field(ge=1, le=100_000, strict=True)] = None
    rung: Code | None = None


class TellingView(BaseModel):
    """A role told by a way besides the page. ``state``: waiting, sent, proven, dead, withdrawn, or unreachable (the
    settings have no such way for the role). ``grouped``: in a message about several cases."""

    role: str
    way: str
    change: str
    state: str
    grouped: bool


class AlertView(BaseModel):
    """A window fact that calls ``roles``. ``step``: the rung, or the step after a lapse. ``cause``: why nobody need
    act any more (None: it is open); ``closed_by``: who took it in hand."""

    id: UUID
    case_id: UUID
    case_number: str
    mass: str | None
    change: Literal["nearing", "lapsed", "escalated"]
    commitment: str
    lapse: int | None
    step: str | None
    due_at: datetime
    roles: list[str]
    urgent: bool
    raised_at: datetime
    cause: str | None
    closed_by: str | None
    closed_at: datetime | None
    tellings: list[TellingView]


class Alerts(BaseModel):
    """Alerts, the one open longest first; with ``open=false`` all of them, the latest first."""

    at: datetime
    alerts: list[AlertView]
    more: bool


@router.get("/alerts", summary="What calls staff now; of one role, or all", responses=QUERY_ERRORS)
def alerts(
    service: ServiceDep,
    role: Annotated[str | None, Query(pattern=r"^[a-z-]{1,32}$", description="only what calls this role")] = None,
    is_open: Annotated[bool, Query(alias="open", description="only what nobody has in hand yet")] = True,
    case_id: Annotated[UUID | None, Query(description="only this case's")] = None,
    limit: Limit = 100,
) -> Alerts:
    wanted: dict[str, Any] = {"role": role, "open": is_open, "case_id": case_id, "limit": limit + 1}
    with service.connection() as connection:
        rows = connection.execute(sql("alerts_list"), wanted).fetchall()
    found = [AlertView.model_validate(row) for row in rows[:limit]]
    return Alerts(at=service.clock.now(), alerts=found, more=len(rows) > limit)


@router.post(
    "/cases/{case_id}/windows/{commitment}/acknowledgement",
    summary="Take a lapse, or a rung before it, in hand 确认接手",
    responses=COMMAND_ERRORS,
)
async def acknowledge(case_id: CaseId, commitment: CommitmentPath, body: Acknowledgement, runner: Runner) -> Accepted:
    """Ends the ladder of that lapse; the lapse stands. Said twice by the same person it changes nothing."""
    kind = await run_in_threadpool(existing_kind, runner.service, case_id)

    def decide(case: Any, ctx: CommandContext) -> Fact | tuple[()]:
        fact = escalation.acknowledge(case.ledger, ctx, commitment=commitment, lapse=body.lapse, rung=body.rung)
        return fact if fact is not None else ()

    return await runner.instruct(Stream(kind, case_id), decide)

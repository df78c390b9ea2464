"""Alerts 告警: what calls staff now, and taking it in hand 确认接手."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.board.cases import existing_kind
from api.http import described
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted
from api.http.commanding import CommandRunner, runner_of
from api.http.dependencies import CaseId, Limit, ServiceDep
from api.http.fields import Body, Code
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from domain import kinds
from domain.kernel.facts import Fact
from domain.standard import escalation
from domain.standard.context import CommandContext
from infra.eventstore.commands import Stream
from infra.sql import sql
from infra.sql.bounds import bounds_of

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.REPAIR))]

router = APIRouter(prefix="/api/v1", tags=["alerts 告警"], route_class=StrictRoute)

CommitmentPath = Annotated[
    str, Path(pattern=r"^[a-z-]{1,32}\.[a-z_-]{1,32}$", examples=["repair.arrival"], description="the promise's code")
]


class Acknowledgement(Body):
    """Taking in hand: of one ``lapse`` by its number, or of one reminder (``rung``) of a nearing; neither: the newest
    lapse that stands. Who it is, ``X-Actor`` says."""

    lapse: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            strict=True,
            description="Number of the lapse in its window, from 1; null: the newest that stands, or the reminder.",
        ),
    ] = None
    rung: Annotated[Code | None, Field(description="Code of the reminder; null: it is about a lapse.")] = None


class TellingView(BaseModel):
    """A role told by a way besides the page. ``state``: waiting, sent, proven, dead, withdrawn, or unreachable (the
    settings have no such way for the role). ``grouped``: in a message about several cases."""

    role: Annotated[str, Field(description="Role that is told, as a code.")]
    way: Annotated[str, Field(description="By which way, as a code of the standard.")]
    change: Annotated[
        str,
        Field(
            description="What the message said of the window: nearing, lapsed, escalated, retracted, met or cancelled."
        ),
    ]
    state: Annotated[
        str,
        Field(
            description=(
                "Whether the message waits, was sent, was proven, is dead, was withdrawn, or the "
                "settings have no such way for the role (unreachable)."
            )
        ),
    ]
    grouped: Annotated[bool, Field(description="Whether it is told in a message about several cases.")]


class AlertView(BaseModel):
    """A window fact that calls ``roles``. ``step``: the reminder, or the escalation level after a lapse. ``cause``: why
    nobody need act any more (None: it is open); ``closed_by``: who took it in hand."""

    id: Annotated[UUID, Field(description="Id of the event that the alert is about.")]
    case_id: described.CaseId
    case_number: described.CaseNumber
    mass: described.Mass
    change: Annotated[
        Literal["nearing", "lapsed", "escalated"],
        Field(description="What calls the roles: a promise nears its end, ran out, or is escalated."),
    ]
    commitment: described.PromiseCode
    lapse: Annotated[int | None, Field(description="Number of the lapse in its window, from 1; null of a nearing.")]
    step: Annotated[
        str | None,
        Field(description="Code of the reminder, or of the escalation level after a lapse; null of the lapse itself."),
    ]
    due_at: Annotated[datetime, Field(description="When the limit ends or ended.")]
    roles: Annotated[list[str], Field(description="Roles that are called.")]
    urgent: Annotated[bool, Field(description="Whether it is told at any hour.")]
    raised_at: Annotated[datetime, Field(description="When it was raised.")]
    cause: Annotated[str | None, Field(description="Why nobody need act any more, as a code; null: it is open.")]
    closed_by: Annotated[str | None, Field(description="Actor id of who took it in hand; null where nobody did.")]
    closed_at: Annotated[datetime | None, Field(description="When it was closed; null: it is open.")]
    tellings: Annotated[list[TellingView], Field(description="The roles told by ways besides the page.")]


class Alerts(BaseModel):
    """Alerts, the one open longest first; with ``open=false`` all of them, the latest first."""

    at: described.AnsweredAt
    alerts: Annotated[list[AlertView], Field(description="The alerts.")]
    more: described.More


@router.get(
    "/alerts",
    summary="What calls staff now; of one role, or all",
    responses=QUERY_ERRORS,
    openapi_extra=needs("alerts.read"),
)
def alerts(
    service: ServiceDep,
    scope: ScopeDep,
    role: Annotated[str | None, Query(pattern=r"^[a-z-]{1,32}$", description="only what calls this role")] = None,
    is_open: Annotated[bool, Query(alias="open", description="only what nobody has in hand yet")] = True,
    case_id: Annotated[UUID | None, Query(description="only this case's")] = None,
    limit: Limit = 100,
) -> Alerts:
    wanted: dict[str, Any] = {"role": role, "open": is_open, "case_id": case_id, "limit": limit + 1}
    wanted |= bounds_of(scope)
    with service.connection() as connection:
        rows = connection.execute(sql("alerts_list"), wanted).fetchall()
    found = [AlertView.model_validate(row) for row in rows[:limit]]
    return Alerts(at=service.clock.now(), alerts=found, more=len(rows) > limit)


@router.post(
    "/cases/{case_id}/windows/{commitment}/acknowledgement",
    summary="Take a lapse, or a reminder before it, in hand 确认接手",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("window.acknowledge"),
)
async def acknowledge(case_id: CaseId, commitment: CommitmentPath, body: Acknowledgement, runner: Runner) -> Accepted:
    """Ends the ladder of that lapse; the lapse stands. Said twice by the same person it changes nothing."""
    kind = await run_in_threadpool(existing_kind, runner.service, case_id)

    def decide(case: Any, ctx: CommandContext) -> Fact | tuple[()]:
        fact = escalation.acknowledge(case.ledger, ctx, commitment=commitment, lapse=body.lapse, reminder=body.rung)
        return fact if fact is not None else ()

    return await runner.instruct(Stream(kind, case_id), decide)

"""The dispatcher's screen 调度: open incidents, the most overdue first, then the one due next, each with its next
action and whose it is; and one incident with its reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http import described
from api.http.answers import CASE_ERRORS, QUERY_ERRORS
from api.http.dependencies import CaseId, Limit, ServiceDep
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from domain import kinds
from domain.repairs import outlook
from domain.repairs.case import Repair, Report
from domain.repairs.outlook import Delay, Milestone, NextAction, Outline, Reporter
from domain.repairs.promises import standard_of
from domain.standard.standards import Rules
from infra.decoders import converter
from infra.eventstore.commands import Stream
from infra.sql import sql
from infra.sql.bounds import bounds_of

router = APIRouter(prefix="/api/v1", tags=["dispatch 调度"], route_class=StrictRoute)

_MILESTONES = converter(tuple[Milestone, ...])
_REPORTERS = converter(tuple[Reporter, ...])
_DELAYS = converter(tuple[Delay, ...])

Role = Literal["dispatcher", "crew", "hotline"]


EvidenceDue = Annotated[
    datetime | None,
    Field(
        description=(
            "Until when the evidence of the arrival may follow, which counts provisionally; null where nobody waits "
            "for any."
        )
    ),
]


class NextStep(BaseModel):
    """An action, and the role whose it is first of all."""

    action: str = Field(examples=["dispatch"], description="What can be done next, as a code.")
    role: str = Field(examples=["dispatcher"], description="Role whose it is first of all.")


class IncidentRow(BaseModel):
    """An open incident as the dispatcher sees it. ``commitment`` and ``due_at``: of its first limit that is
    still owed, also when it has run out; None: none is. ``lapses`` are those that stand, of all its promises."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    kind: Annotated[str, Field(description="Kind of fault, as a code of the standard.")]
    district: Annotated[str, Field(description="Code of the district.")]
    zone: Annotated[str, Field(description="Whether the district is in town or out of it: which arrival limit holds.")]
    stage: described.Stage
    severity: Annotated[
        str | None, Field(description="Class of the repair: small, medium or major; null where it is not classed yet.")
    ]
    crew: Annotated[str | None, Field(description="Code of the crew that is on it; null where none is.")]
    expected_at: Annotated[
        datetime | None, Field(description="When the crew, held up, expects to be on site; null where it said nothing.")
    ] = None
    reports: Annotated[int, Field(description="How many reports the incident has.")]
    open: described.IsOpen
    mass: described.Mass
    opened_at: Annotated[datetime, Field(description="When the incident began: at its first report.")]
    commitment: Annotated[str | None, Field(description="Code of the promise whose limit ends next; null: none runs.")]
    due_at: Annotated[datetime | None, Field(description="When that limit ends; null: none runs.")]
    lapses: Annotated[int, Field(description="How many lapses stand, of all its promises.")]
    version: described.EventsRead
    evidence_due_at: EvidenceDue = None
    next_actions: Annotated[list[NextStep], Field(description="What can be done next.")]


class Incidents(BaseModel):
    """Open incidents, and closed ones whose reporters wait or whose arrival awaits its evidence: the most overdue
    first, then the one due next; those that owe nothing by a time last."""

    at: described.AnsweredAt
    incidents: Annotated[list[IncidentRow], Field(description="The incidents, the one due next first.")]
    more: described.More


class ReportView(BaseModel):
    """One report: its number, when it was made, the outside order it came with, and when its maker was told what
    became of it, and that we are sorry."""

    report: Annotated[int, Field(description="Number of the report in its incident, from 1.")]
    reported_at: Annotated[datetime, Field(description="When the report was made.")]
    order_source: Annotated[
        str | None, Field(description="Code of the body whose order it came with; null where it came with none.")
    ]
    order_number: Annotated[
        str | None, Field(description="The order's number at that body; null where it came with none.")
    ]
    answered_at: Annotated[
        datetime | None, Field(description="When the reporter was told what became of it; null while they were not.")
    ]
    apologised_at: Annotated[
        datetime | None, Field(description="When the reporter was told that we are sorry; null where they were not.")
    ]


class IncidentView(BaseModel):
    """An incident as it stands in the store. Nobody's particulars are in it."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    kind: Annotated[str, Field(description="Kind of fault, as a code of the standard.")]
    district: Annotated[str, Field(description="Code of the district.")]
    crew: Annotated[str | None, Field(description="Code of the crew that is on it; null where none is.")]
    severity: Annotated[
        str | None, Field(description="Class of the repair: small, medium or major; null where it is not classed yet.")
    ]
    expected_at: datetime | None = Field(default=None, description="when the crew, held up, expects to be on site")
    merged_into: UUID | None = Field(default=None, description="the incident that it is the same burst as")
    evidence_due_at: EvidenceDue = None
    reports: Annotated[list[ReportView], Field(description="The reports, in order of their numbers.")]
    next_actions: Annotated[list[NextStep], Field(description="What can be done next.")]


@router.get(
    "/dispatch",
    summary="Open incidents, the most overdue first, then the one due next",
    responses=QUERY_ERRORS,
    openapi_extra=needs("repair.read"),
)
def dispatch(
    service: ServiceDep,
    scope: ScopeDep,
    crew: Annotated[str | None, Query(max_length=32, description="only those of this crew")] = None,
    role: Annotated[Role | None, Query(description="only those whose next action is this role's")] = None,
    limit: Limit = 100,
) -> Incidents:
    # Whose turn it is, is a rule and no column: with a role asked for, more rows are looked at than are shown.
    looked_at = limit + 1 if role is None else 5 * limit + 1
    with service.connection() as connection:
        wanted = {"crew": crew, "limit": looked_at, **bounds_of(scope)}
        found = connection.execute(sql("list_incidents"), wanted).fetchall()
    every = [_row(each, service.rules) for each in found]
    rows = [row for row in every if role is None or any(step.role == role for step in row.next_actions)]
    return Incidents(at=service.clock.now(), incidents=rows[:limit], more=len(rows) > limit or len(found) == looked_at)


@router.get(
    "/repairs/{case_id}",
    summary="An incident with its reports and what is next",
    responses=CASE_ERRORS,
    openapi_extra=needs("repair.read"),
)
def the_incident(case_id: CaseId, service: ServiceDep) -> IncidentView:
    case: Repair = kinds.REPAIR.existing(service.load(Stream(kinds.REPAIR, case_id))[0])
    known = outlook.outline(case)
    return IncidentView(
        case_id=case_id,
        case_number=case.number,
        kind=case.kind,
        district=case.district,
        crew=case.crew,
        severity=case.severity,
        expected_at=outlook.expected_at(known),
        merged_into=case.merged_into,
        evidence_due_at=known.evidence_due_at,
        reports=[_report(case, report) for report in case.reported if report.number not in case.unlinked],
        next_actions=_steps(outlook.next_actions(outlook.progress(known, standard_of(case, service.rules)))),
    )


def _report(case: Repair, report: Report) -> ReportView:
    told = [moment.at for number, moment in case.answered if number == report.number]
    order = report.order
    return ReportView(
        report=report.number,
        reported_at=report.moment.at,
        order_source=order.source if order is not None else None,
        order_number=order.number if order is not None else None,
        answered_at=max(told, default=None),
        apologised_at=max((moment.at for n, moment in case.apologised if n == report.number), default=None),
    )


def _row(found: Mapping[str, Any], rules: Rules) -> IncidentRow:
    known = outline_of(found)
    standard = rules.in_force(known.first_reported_at or found["opened_at"])
    shown = {name: found[name] for name in IncidentRow.model_fields.keys() & found.keys()}
    return IncidentRow(
        **shown,
        expected_at=outlook.expected_at(known),
        next_actions=_steps(outlook.next_actions(outlook.progress(known, standard))),
    )


def outline_of(row: Mapping[str, Any]) -> Outline:
    """The outline of an incident by its row of ``list_incidents``."""
    return Outline(
        crew=row["crew"],
        severity=row["severity"],
        closed=not row["open"],
        merged=row["stage"] == "merged",
        milestones=_MILESTONES(row["milestones"]),
        reporters=_REPORTERS(row["reporters"]),
        delays=_DELAYS(row["delays"]),
        lapsed=frozenset(row["lapsed"]),
        untold=row["untold"],
        evidence_due_at=row["evidence_due_at"],
    )


def _steps(actions: tuple[NextAction, ...]) -> list[NextStep]:
    return [NextStep(action=each.action, role=each.role) for each in actions]

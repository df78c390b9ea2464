"""Read model: one row for each repair and connection case, as a screen lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from infra.reader import Event
from projections.model import Model, fact_name, family


@dataclass(frozen=True, slots=True)
class Case:
    """``stage``: reported, dispatched, acknowledged, on_site, assessed, completed, restored, closed; received,
    admitted, partly_on, water_on. ``flags`` counts what was odd about its field facts."""

    case_id: UUID
    family: str
    case_number: str
    kind: str | None
    category: str | None
    channel: str
    district: str | None
    zone: str | None
    crew: str | None
    severity: str | None
    stage: str
    open: bool
    opened_at: datetime
    supply_points: int
    points_on: int
    reports: int
    flags: int
    version: int
    position: int
    updated_at: datetime


STAGES = ("reported", "dispatched", "acknowledged", "on_site", "assessed", "completed", "restored", "closed")


def _forward(row: Case, stage: str) -> Case:
    """Field facts come in any order: a late arrival does not take a completed repair back to `on_site`."""
    return replace(row, stage=stage) if STAGES.index(stage) > STAGES.index(row.stage) else row


def _dispatched(row: Case, data: dict[str, Any]) -> Case:
    return replace(_forward(row, "dispatched"), crew=data["crew"])


def _assessed(row: Case, data: dict[str, Any]) -> Case:
    return replace(_forward(row, "assessed"), severity=data["severity"])


def _linked(row: Case, data: dict[str, Any]) -> Case:
    return replace(row, reports=max(row.reports, data["report"]))


def _closed(row: Case, data: dict[str, Any]) -> Case:
    return replace(row, stage="closed", open=False)


def _on(row: Case, data: dict[str, Any]) -> Case:
    points_on = row.points_on + 1
    done = points_on >= row.supply_points
    return replace(row, points_on=points_on, stage="water_on" if done else "partly_on", open=not done)


STEPS: dict[str, Callable[[Case, dict[str, Any]], Case]] = {
    "ReportLinked": _linked,
    "CrewDispatched": _dispatched,
    "DispatchAcknowledged": lambda row, data: _forward(row, "acknowledged"),
    "CrewArrived": lambda row, data: _forward(row, "on_site"),
    "SeverityAssessed": _assessed,
    "RepairCompleted": lambda row, data: _forward(row, "completed"),
    "WaterRestored": lambda row, data: _forward(row, "restored"),
    "CaseClosed": _closed,
    "ApplicationAdmitted": lambda row, data: replace(row, stage="admitted"),
    "WaterTurnedOn": _on,
}


def fold(row: Case | None, event: Event) -> Case | None:
    """The case's row after the event."""
    name = fact_name(event)
    if name in ("FaultReported", "ApplicationReceived"):
        row = _opened(event)
    elif row is None:
        return None
    elif name in STEPS:
        row = STEPS[name](row, event.data)
    flags = row.flags + len(event.data.get("flags") or ())
    return replace(row, flags=flags, version=event.version, position=event.position, updated_at=event.recorded_at)


def _opened(event: Event) -> Case:
    data = event.data
    return Case(
        case_id=event.case_id,
        family=family(event),
        case_number=data["case_number"],
        kind=data.get("kind"),
        category=data.get("category"),
        channel=event.channel,
        district=data.get("district"),
        zone=data.get("zone"),
        crew=None,
        severity=None,
        stage="reported" if family(event) == "repair" else "received",
        open=True,
        opened_at=event.happened_at,
        supply_points=data.get("supply_points", 0),
        points_on=0,
        reports=1 if family(event) == "repair" else 0,
        flags=0,
        version=event.version,
        position=event.position,
        updated_at=event.recorded_at,
    )


CASES = Model(
    name="cases",
    table="views.cases",
    row=Case,
    key=("case_id",),
    families=("repair", "connection"),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)

"""Read model: every outage with its announced and its real times, who was told, and how many users it cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.kernel.copies import changed
from domain.outages.facts import BEGUN_AS
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name
from projections.read_models.windows import required_time


@dataclass(frozen=True, slots=True)
class OutageRow:
    """One outage. ``kind``: planned, emergency or unannounced. ``begin_at`` and ``end_at`` are the announced ones;
    ``failed`` counts the ordered notices that could not be delivered."""

    case_id: UUID
    case_number: str
    kind: str
    incident: UUID | None
    districts: tuple[str, ...]
    affected_users: int
    announced_at: datetime
    begin_at: datetime | None
    end_at: datetime | None
    first_notice_at: datetime | None
    notices: int
    proven: int
    failed: int
    reported_at: datetime | None
    started_at: datetime | None
    restored_at: datetime | None
    cancelled_at: datetime | None
    water_litres: int
    position: int


def _earlier(known: datetime | None, event: Event) -> datetime:
    """The earlier of what is known and when this happened: field facts come in any order."""
    return event.happened_at if known is None else min(known, event.happened_at)


def _restored(row: OutageRow, event: Event) -> OutageRow:
    if row.started_at is None or event.happened_at < row.started_at:
        return row  # water never comes back before it went off
    return changed(row, restored_at=_earlier(row.restored_at, event))


KINDS = {fact.__name__: kind for fact, kind in BEGUN_AS.items()}

RowStep = Callable[[OutageRow, Event], OutageRow]

STEPS: dict[str, RowStep] = {
    "OutageNoticeSent": lambda row, event: changed(
        row, notices=row.notices + 1, first_notice_at=_earlier(row.first_notice_at, event)
    ),
    "OutageNoticeProven": lambda row, event: changed(row, proven=row.proven + 1),
    "OutageNoticeFailed": lambda row, event: changed(row, failed=row.failed + 1),
    "OutageReported": lambda row, event: changed(row, reported_at=_earlier(row.reported_at, event)),
    "OutageStarted": lambda row, event: changed(row, started_at=_earlier(row.started_at, event)),
    "OutageExtended": lambda row, event: changed(row, end_at=required_time(event.data["end"])),
    "OutageRescheduled": lambda row, event: changed(
        row, begin_at=required_time(event.data["begin"]), end_at=required_time(event.data["end"])
    ),
    "OutageCancelled": lambda row, event: changed(row, cancelled_at=event.happened_at),
    "OutageRestored": _restored,
    "EmergencyWaterProvided": lambda row, event: changed(row, water_litres=row.water_litres + event.data["litres"]),
}


def fold(row: OutageRow | None, event: Event) -> OutageRow | None:
    """The outage's row after the event; other cases have none."""
    name = fact_name(event)
    if name in KINDS:
        return _announced(event, KINDS[name])
    if row is None or name not in STEPS:
        return row
    return changed(STEPS[name](row, event), position=event.position)


def _announced(event: Event, kind: str) -> OutageRow:
    data: dict[str, Any] = event.data
    planned = kind == "planned"
    return OutageRow(
        case_id=event.case_id,
        case_number=data["number"],
        kind=kind,
        incident=UUID(data["incident"]) if kind == "emergency" else None,
        districts=tuple(data["districts"]),
        affected_users=data["affected_users"],
        announced_at=event.happened_at,
        begin_at=required_time(data["begin"]) if planned else None,
        end_at=required_time(data["end"]) if planned else None,
        first_notice_at=None,
        notices=0,
        proven=0,
        failed=0,
        reported_at=None,
        started_at=None if planned else event.happened_at,
        restored_at=None,
        cancelled_at=None,
        water_litres=0,
        position=event.position,
    )


OUTAGES = Model(
    name="outages",
    table="views.outages",
    row=OutageRow,
    key=("case_id",),
    topics=("repair",),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)

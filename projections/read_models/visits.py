"""Read model: every home visit 上门服务 that was booked, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name
from projections.read_models.windows import required_time

FACTS = frozenset({"HomeVisitBooked", "HomeVisitReassigned", "HomeVisitMade", "HomeVisitCancelled"})


@dataclass(frozen=True, slots=True)
class VisitRow:
    """``state``: booked, made or cancelled; ``papers``: how many documents the squad took along or saw."""

    case_id: UUID
    visit: UUID
    squad: str
    purpose: str
    begin_at: datetime
    end_at: datetime
    state: str
    made_at: datetime | None
    papers: int
    reassigned: int
    position: int


def key_of(event: Event) -> tuple[Any, ...] | None:
    """The case and the visit; None for what is not about a visit."""
    return (event.case_id, UUID(event.data["visit"])) if fact_name(event) in FACTS else None


def fold(row: VisitRow | None, event: Event) -> VisitRow | None:
    """The visit's row after the event."""
    data, name = event.data, fact_name(event)
    if name == "HomeVisitBooked":
        row = _booked(event)
    elif row is None:
        return None
    elif name == "HomeVisitReassigned":
        begin_at, end_at = required_time(data["begin"]), required_time(data["end"])
        again = row.reassigned + 1
        row = changed(row, squad=data["squad"], begin_at=begin_at, end_at=end_at, reassigned=again)
    elif name == "HomeVisitMade":
        papers = len(data["papers_collected"])
        row = changed(row, state="made", squad=data["squad"], made_at=event.happened_at, papers=papers)
    elif name == "HomeVisitCancelled":
        row = changed(row, state="cancelled")
    return changed(row, position=event.position)


def _booked(event: Event) -> VisitRow:
    data = event.data
    return VisitRow(
        case_id=event.case_id,
        visit=UUID(data["visit"]),
        squad=data["squad"],
        purpose=data["purpose"],
        begin_at=required_time(data["begin"]),
        end_at=required_time(data["end"]),
        state="booked",
        made_at=None,
        papers=0,
        reassigned=0,
        position=event.position,
    )


VISITS = Model(
    name="visits",
    table="views.visits",
    row=VisitRow,
    key=("case_id", "visit"),
    topics=("connection",),
    key_of=key_of,
    fold=fold,
)

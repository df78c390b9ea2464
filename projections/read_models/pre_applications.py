"""Read model: what was done before anybody applied: consultations 技术咨询, service before building 服务前置."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name


@dataclass(frozen=True, slots=True)
class Ahead:
    """``kind``: consultation or preservice; ``topic``: what was asked about, or which service. A consultation is given
    the moment it is recorded; a service before building once its first deliverable is (``given_at``)."""

    case_id: UUID
    kind: str
    number: str
    topic: str
    category: str | None
    channel: str
    asked_at: datetime
    given_at: datetime | None
    deliverables: int
    position: int


def fold(row: Ahead | None, event: Event) -> Ahead | None:
    """The row after the event; a stream that is neither has none."""
    data = event.data
    match fact_name(event):
        case "ConsultationGiven":
            return _asked(event, "consultation", data["topic"], event.happened_at)
        case "PreServiceRequested":
            return _asked(event, "preservice", data["service"], None)
        case "PreServiceGiven" if row is not None:
            first = min(row.given_at or event.happened_at, event.happened_at)
            return changed(row, given_at=first, deliverables=row.deliverables + 1, position=event.position)
        case _:
            return row


def _asked(event: Event, kind: str, topic: str, given_at: datetime | None) -> Ahead:
    return Ahead(
        case_id=event.case_id,
        kind=kind,
        number=event.data["number"],
        topic=topic,
        category=event.data.get("category"),
        channel=event.channel,
        asked_at=event.happened_at,
        given_at=given_at,
        deliverables=0,
        position=event.position,
    )


AHEAD = Model(
    name="ahead",
    table="views.ahead",
    row=Ahead,
    key=("case_id",),
    topics=("connection",),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)

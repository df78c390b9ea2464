"""Read model: the breach stream as rows, for the board and for clients that resume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from infra.readers.record import Event
from projections.read_models.model import Model, fact_name, kind_of_case
from projections.read_models.windows import time

CHANGES = {
    "WindowNearing": "nearing",
    "WindowLapsed": "lapsed",
    "WindowRetracted": "retracted",
    "WindowEscalated": "escalated",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One record of the breach topic. ``family``: the kind of case. ``rung``: the reminder before the end, or the
    escalation level after it. ``settles_at``: until then a lapse is open; ``overturns``: a settled verdict fell with
    it. ``provisional_until``: until when what lapsed had counted as met."""

    topic: str
    partition: int
    position: int
    event_id: UUID
    change: str
    family: str
    case_id: UUID
    commitment: str
    due_at: datetime | None
    lapse: int | None
    rung: str | None
    notify: tuple[str, ...]
    reason: str | None
    recorded_at: datetime
    settles_at: datetime | None = None
    overturns: bool = False
    provisional_until: datetime | None = None


def fold(row: Breach | None, event: Event) -> Breach | None:
    """The row of this record; a type that is not of the breach stream gives none."""
    change = CHANGES.get(fact_name(event))
    if change is None:
        return row
    data = event.data
    return Breach(
        topic=event.topic,
        partition=event.partition,
        position=event.position,
        event_id=event.id,
        change=change,
        family=kind_of_case(data["commitment"]),
        case_id=event.case_id,
        commitment=data["commitment"],
        due_at=time(data.get("due_at")),
        lapse=data.get("lapse"),
        rung=data.get("rung") or data.get("step"),
        notify=tuple(data.get("notify", ())),
        reason=data.get("reason"),
        recorded_at=event.recorded_at,
        settles_at=time(data.get("settles_at")),
        overturns=bool(data.get("overturns")),
        provisional_until=time(data.get("provisional_until")),
    )


BREACHES = Model(
    name="breaches",
    table="views.breaches",
    row=Breach,
    key=("topic", "partition", "position"),
    topics=("breach",),
    key_of=lambda event: (event.topic, event.partition, event.position),
    fold=fold,
)

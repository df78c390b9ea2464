"""Read model: the register of works for the community: pump rooms, renovated pipes, town and country."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name


@dataclass(frozen=True, slots=True)
class WorkRow:
    """One work. ``community`` is a code of the register; ``households_served`` is told when it is completed."""

    case_id: UUID
    number: str
    kind: str
    community: str
    name_zh: str
    registered_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    households_served: int | None
    position: int


def fold(row: WorkRow | None, event: Event) -> WorkRow | None:
    """The work's row after the event; other public streams have none."""
    name = fact_name(event)
    if name == "WorkRegistered":
        return _registered(event)
    if row is None:
        return None
    if name == "WorkStarted":
        return changed(row, started_at=event.happened_at, position=event.position)
    if name == "WorkCompleted":
        households = event.data["households_served"]
        return changed(row, completed_at=event.happened_at, households_served=households, position=event.position)
    return row


def _registered(event: Event) -> WorkRow:
    data = event.data
    return WorkRow(
        case_id=event.case_id,
        number=data["number"],
        kind=data["kind"],
        community=data["community"],
        name_zh=data["name_zh"],
        registered_at=event.happened_at,
        started_at=None,
        completed_at=None,
        households_served=None,
        position=event.position,
    )


WORKS = Model(
    name="works",
    table="views.works",
    row=WorkRow,
    key=("case_id",),
    topics=("public",),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)

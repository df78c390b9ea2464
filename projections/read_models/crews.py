"""Read model: the repair crews as they stand, for whoever must choose one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name


@dataclass(frozen=True, slots=True)
class CrewRow:
    """One crew. ``on_shift`` None: never told. ``on_case``: the incident that it is on."""

    stream_id: UUID
    crew: str
    name_zh: str
    skills: tuple[str, ...]
    lead: str
    on_shift: bool | None
    district: str | None
    located_at: datetime | None
    on_case: UUID | None
    position: int


OF_CREWS = ("CrewFormed", "ShiftStarted", "ShiftEnded", "CrewLocated", "CrewAssigned")


def fold(row: CrewRow | None, event: Event) -> CrewRow | None:
    """The crew's row after the event; squads have none."""
    name, data = fact_name(event), event.data
    if name in OF_CREWS:
        known = row or CrewRow(event.case_id, data["crew"], "", (), "", None, None, None, None, 0)
        return changed(_changed(known, name, event), position=event.position)
    if name == "CrewReleased" and row is not None and row.on_case == UUID(data["case_id"]):
        return changed(row, on_case=None, position=event.position)
    return row


def _changed(row: CrewRow, name: str, event: Event) -> CrewRow:
    data: dict[str, Any] = event.data
    match name:
        case "CrewFormed":
            return changed(row, name_zh=data["name_zh"], skills=tuple(data["skills"]), lead=data["lead"])
        case "ShiftStarted" | "ShiftEnded":
            return changed(row, on_shift=name == "ShiftStarted")
        case "CrewLocated":
            older = row.located_at is not None and event.happened_at < row.located_at
            return row if older else changed(row, district=data["district"], located_at=event.happened_at)
        case _:
            return changed(row, on_case=UUID(data["case_id"]))


CREWS = Model(
    name="crews",
    table="views.crews",
    row=CrewRow,
    key=("stream_id",),
    topics=("crew",),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)

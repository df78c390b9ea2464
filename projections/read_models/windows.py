"""Read model: every window of every case with its state, its end and its lapses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.kernel.copies import changed
from domain.kinds import WINDOW_TYPES
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name, kind_of_case


@dataclass(frozen=True, slots=True)
class WindowRow:
    """``family``: the kind of case. ``state``: running, met, lapsed (its end passed and it is not met), cancelled, or
    unknown (imported history that nobody can judge).
    ``lapses`` stand now, at the ends ``lapsed_ends``; ``retracted`` fell away. ``settles_at``: until then the verdict,
    met or lapsed, is open. ``provisional_until``: until then it counts as met, for evidence may still follow."""

    case_id: UUID
    commitment: str
    family: str
    number: int
    opened_at: datetime
    due_at: datetime | None
    tentative: bool
    standard: str
    calendar: str | None
    state: str
    met_at: datetime | None
    on_time: bool | None
    lapses: int
    retracted: int
    lapsed_ends: tuple[datetime, ...]
    position: int
    settles_at: datetime | None = None
    provisional_until: datetime | None = None


def time(text: str | None) -> datetime | None:
    """An instant in an event's data."""
    return None if text is None else datetime.fromisoformat(text)


def required_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def fold(row: WindowRow | None, event: Event) -> WindowRow | None:
    """The window's row after the event; the highest number counts."""
    data = event.data
    if row is not None and data["number"] <= row.number:
        return row
    name = fact_name(event)
    if name == "WindowOpened":
        row = _opened(event)
    elif row is None:
        return None
    else:
        row = _changed(row, name, data)
    basis = data["basis"]
    return changed(
        row,
        number=data["number"],
        standard=basis["standard"],
        calendar=basis["calendar"],
        position=event.position,
    )


def _opened(event: Event) -> WindowRow:
    data = event.data
    return WindowRow(
        case_id=event.case_id,
        commitment=data["commitment"],
        family=kind_of_case(data["commitment"]),
        number=data["number"],
        opened_at=required_time(data["opened_at"]),
        due_at=time(data["due_at"]),
        tentative=data["tentative"],
        standard="",
        calendar=None,
        state="running",
        met_at=None,
        on_time=None,
        lapses=0,
        retracted=0,
        lapsed_ends=(),
        position=event.position,
    )


def _changed(row: WindowRow, name: str, data: dict[str, Any]) -> WindowRow:
    match name:
        case "WindowMoved":
            moved = changed(
                row,
                opened_at=required_time(data["opened_at"]),
                due_at=time(data["due_at"]),
                tentative=data["tentative"],
            )
            return _open(moved) if row.state in ("running", "lapsed") else moved
        case "WindowMet":
            return changed(
                row,
                state="met",
                met_at=time(data["met_at"]),
                on_time=data["on_time"],
                settles_at=time(data.get("settles_at")),
                provisional_until=time(data.get("provisional_until")),
            )
        case "WindowLapsed":
            ends = tuple(sorted({*row.lapsed_ends, required_time(data["due_at"])}))
            after = changed(row, lapses=len(ends), lapsed_ends=ends)
            if row.state == "running":
                after = _open(changed(after, settles_at=time(data.get("settles_at"))))
            return after
        case "WindowRetracted":
            ends = tuple(end for end in row.lapsed_ends if end != required_time(data["due_at"]))
            after = changed(row, lapses=len(ends), retracted=row.retracted + 1, lapsed_ends=ends)
            return _open(after) if row.state == "lapsed" else after
        case "WindowReopened":
            return _open(changed(row, due_at=time(data["due_at"]), met_at=None, on_time=None, provisional_until=None))
        case "WindowCancelled":
            state = "unknown" if data["reason"] == "unknown" else "cancelled"
            return changed(row, state=state, met_at=None, on_time=None, settles_at=None, provisional_until=None)
        case _:
            return row


def _open(row: WindowRow) -> WindowRow:
    """Running or lapsed: by whether its end, or for a count anything at all, stands as lapsed."""
    lapsed = row.due_at in row.lapsed_ends if row.due_at is not None else bool(row.lapsed_ends)
    return changed(row, state="lapsed" if lapsed else "running", settles_at=row.settles_at if lapsed else None)


WINDOWS = Model(
    name="windows",
    table="views.windows",
    row=WindowRow,
    key=("case_id", "commitment"),
    topics=("repair", "connection", "usage"),
    key_of=lambda event: (event.case_id, event.data.get("commitment")) if event.type in WINDOW_TYPES else None,
    fold=fold,
)

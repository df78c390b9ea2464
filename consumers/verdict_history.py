"""How a case's promises stand by its published events alone: the verdicts on record, retractions included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class LapseOnRecord:
    """A lapse on record. ``retracted``: why it fell away; None: it stands."""

    number: int
    due_at: str
    retracted: str | None = None


@dataclass
class PromiseHistory:
    """One promise of a case. ``state``: running, met, met-late, not-running. Times as published."""

    commitment: str
    opened_at: str = ""
    due_at: str | None = None
    state: str = "running"
    met_at: str | None = None
    moved: int = 0
    lapses: list[LapseOnRecord] = field(default_factory=list)
    standard: str = ""
    calendar: str | None = None

    @property
    def standing_lapses(self) -> list[LapseOnRecord]:
        return [lapse for lapse in self.lapses if lapse.retracted is None]


def standings(said: Iterable[tuple[str, Mapping[str, Any]]]) -> list[PromiseHistory]:
    """The promises, in the order in which they began. ``said``: name of the fact and its data, in order of version."""
    found: dict[str, PromiseHistory] = {}
    for name, data in said:
        if name.startswith("Window") and "commitment" in data:
            _take(found.setdefault(data["commitment"], PromiseHistory(data["commitment"])), name, data)
    return list(found.values())


def _take(standing: PromiseHistory, name: str, data: Mapping[str, Any]) -> None:
    basis = data.get("basis") or {}
    standing.standard = basis.get("standard") or standing.standard
    standing.calendar = basis.get("calendar") or standing.calendar
    match name:
        case "WindowOpened":
            standing.opened_at, standing.due_at, standing.state = data["opened_at"], data["due_at"], "running"
        case "WindowMoved":
            standing.due_at, standing.state = data["due_at"], "running"
            standing.moved += 1
        case "WindowReopened":
            standing.due_at, standing.state, standing.met_at = data["due_at"], "running", None
        case "WindowMet":
            standing.state, standing.met_at = ("met" if data["on_time"] else "met-late"), data["met_at"]
        case "WindowCancelled":
            standing.state, standing.met_at = "not-running", None
        case "WindowLapsed":
            standing.lapses.append(LapseOnRecord(data["lapse"], data["due_at"]))
        case "WindowRetracted":
            for lapse in standing.lapses:
                if lapse.number == data["lapse"]:
                    lapse.retracted = data["reason"]
        case _:
            pass

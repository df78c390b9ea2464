"""What would have become of a case under another standard: the same facts, judged twice at the same instant.

Nothing is decided here and nothing follows from it. What people did, and what followed by rule at the time (an
admission by silence, papers that came too late), is taken as it happened; only the promises are counted anew (our
decision: nobody knows what people would have done under another promise).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

from domain.connections.case import Connection
from domain.deadlines.windows import Window, WindowEscalated, WindowNearing
from domain.kinds import Kind, State, concluded
from domain.metering.abnormal_use import Usage
from domain.metering.reading_rounds import ReadingRound
from domain.outages.case import Outage
from domain.repairs.case import Repair
from domain.repairs.orders import OutsideOrder
from domain.standard.standards import Rules, Standard

PromiseOutcome = Literal["met", "lapsed", "open", "no-end", "unknown", "not-owed"]
"""``lapsed``: ran out unmet at least once, met later or not. ``no-end``: had no end, or is owed no more. ``unknown``:
nobody can say. ``not-owed``: the standard does not promise it, or the case never came to it."""
OUTCOMES: tuple[PromiseOutcome, ...] = get_args(PromiseOutcome)
DIMENSIONS = ("channel", "district", "class", "crew")
NONE = "none"
"""In a dimension: the case has none there."""


@dataclass(frozen=True, slots=True)
class PromiseVerdict:
    """One promise of a case under one standard."""

    outcome: PromiseOutcome
    lapses: int = 0
    due_at: datetime | None = None
    met_at: datetime | None = None
    standard: str | None = None

    @property
    def verdict(self) -> tuple[PromiseOutcome, int]:
        """What makes a difference: a due time that moved and changed nothing else makes none."""
        return self.outcome, self.lapses


NOT_OWED = PromiseVerdict("not-owed")


@dataclass(frozen=True, slots=True)
class PromiseComparison:
    """One promise of a case under the standard that was in force, and under the one that is tried."""

    commitment: str
    before: PromiseVerdict
    after: PromiseVerdict

    @property
    def is_changed(self) -> bool:
        return self.before.verdict != self.after.verdict


def always(rules: Rules, standard: Standard) -> Rules:
    """The rules as if the standard had been in force ever since. ``rules`` know the calendar that it counts by."""
    return replace(rules, standards=(standard,))


def judged(window: Window) -> PromiseVerdict:
    """What became of a window."""
    return PromiseVerdict(_outcome(window), len(window.lapses), window.due_at, window.met_at, window.basis.standard)


def _outcome(window: Window) -> PromiseOutcome:
    if window.lapses:
        return "lapsed"
    if window.cancelled is not None:
        return "unknown" if window.cancelled == "unknown" else "no-end"
    return "met" if window.met_at is not None else "open"


def compare(before: Iterable[Window], after: Iterable[Window]) -> tuple[PromiseComparison, ...]:
    """Every promise of a case that either standard knows, in order of their names."""
    old = {window.commitment: judged(window) for window in before}
    new = {window.commitment: judged(window) for window in after}
    return tuple(
        PromiseComparison(commitment, old.get(commitment, NOT_OWED), new.get(commitment, NOT_OWED))
        for commitment in sorted({*old, *new})
    )


def unrecorded(kind: Kind, state: State, found: Sequence[Window], at: datetime) -> int:
    """How many promises of the case have another verdict at ``at`` than is on record; a warning and a step of
    the ladder are none."""
    facts = concluded(kind, state, found, at)
    return len({fact.commitment for fact in facts if not isinstance(fact, WindowNearing | WindowEscalated)})


def placed(state: State, channel: str) -> Mapping[str, str]:
    """Where a case stands in each dimension. ``channel``: of its first event.

    An incident has its last class and the crew that it was with last; an application its category, and the squad that
    was there last, else its desk; its district is the square of the utility's own grid, since it names no other.
    """
    known = _known(state, channel)
    return {dimension: known.get(dimension) or NONE for dimension in DIMENSIONS}


def _known(state: Any, channel: str) -> dict[str, str | None]:
    match state:
        case Repair():
            origin = state.first_report.origin
            where: dict[str, str | None] = {
                "channel": f"{channel}: {origin}" if origin is not None else channel,
                "district": state.district,
                "class": state.severity or "unassessed",
                "crew": state.crew,
            }
            return where
        case Connection():
            made = [visit for visit in state.visits.values() if visit.made is not None]
            last = max(made, key=lambda visit: visit.begin, default=None)
            square = state.points[0].address_code.rpartition("-")[0] if state.points else None
            crew = last.squad if last is not None else state.desk
            return {"channel": channel, "district": square, "class": state.category, "crew": crew}
        case OutsideOrder():
            return {"channel": channel, "class": state.source}
        case Outage():
            return {"channel": channel, "district": "+".join(state.districts), "class": state.begun_as}
        case ReadingRound():
            return {"channel": channel, "crew": state.reader}
        case Usage():
            return {"channel": channel, "class": "+".join(state.signs)}
    return {"channel": channel}

"""Every kind of stream: its family of published events, its fold, and the promises it carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import calendar, connection, repair, standards, usage
from domain.facts import Recorded, registry
from domain.standards import Rules
from domain.windows import Ledger, Obligation, Window, WindowFact, differences, judge

State = Any
"""A kind's state class, or None before the first fact."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of stream. ``obligations`` is None for streams that promise nothing."""

    name: str
    family: str
    evolve: Callable[[State, Recorded], State]
    obligations: Callable[[State, Rules], tuple[Obligation, ...]] | None = None


def _latest(state: State, recorded: Recorded) -> State:
    """A published document replaces the one before it."""
    return recorded.fact


def _all(state: State, recorded: Recorded) -> State:
    """Published standards are kept side by side; each governs from its date on."""
    return (*(state or ()), recorded.fact)


REPAIR = Kind("repair", "repair", repair.evolve, repair.obligations)
CONNECTION = Kind("connection", "connection", connection.evolve, connection.obligations)
METER = Kind("meter", "usage", usage.evolve)
STANDARDS = Kind("standards", "public", _all)
CALENDAR = Kind("calendar", "public", _latest)

REGISTRY = registry(
    (
        ("repair", repair.FACTS),
        ("connection", connection.FACTS),
        ("usage", usage.FACTS),
        ("public", (*standards.FACTS, *calendar.FACTS)),
    )
)


def windows(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[Window, ...]:
    """Every window of the case with its verdict at ``at``."""
    if kind.obligations is None:
        return ()
    return tuple(judge(obligation, at) for obligation in kind.obligations(state, rules))


def conclusion(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[WindowFact, ...]:
    """What every decision ends with: the facts that bring the verdicts on record up to ``at``."""
    if kind.obligations is None or state is None:
        return ()
    ledger: Ledger = state.ledger
    return differences(ledger, windows(kind, state, rules, at))


def next_ask_at(kind: Kind, state: State, rules: Rules, at: datetime) -> dict[str, datetime]:
    """Commitment → when its verdict can next change by time alone; a commitment that cannot is left out."""
    return {w.commitment: w.next_ask_at for w in windows(kind, state, rules, at) if w.next_ask_at is not None}

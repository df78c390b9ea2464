"""The outage index 停水指标: Σ(duration × users) / customers, in minutes for each customer (our decision)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Spell:
    """Water was off for so many users; ``until``: when it came back, or until when it is counted."""

    since: datetime
    until: datetime
    users: int


def lost_minutes(spells: Iterable[Spell], *, first: datetime | None = None, last: datetime | None = None) -> float:
    """Σ(duration × users) in minutes within a period (from ``first``, before ``last``; None: no bound).

    A spell that crosses a bound counts with the part inside it.
    """
    total = timedelta()
    for spell in spells:
        begin = max(spell.since, first) if first is not None else spell.since
        end = min(spell.until, last) if last is not None else spell.until
        if end > begin:
            total += (end - begin) * spell.users
    return total.total_seconds() / 60


def index_minutes(lost: float, customers: int | None) -> float | None:
    """The index of so many lost minutes. None where nobody said how many customers there are."""
    return lost / customers if customers else None

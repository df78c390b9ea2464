"""Ladders: when the rungs before the end of a round-the-clock limit are reached, by the standard."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.standards import Standard
from domain.windows import RungAt


def rungs(
    standard: Standard,
    commitment: str,
    start: datetime,
    due_at: datetime,
    acknowledged_at: datetime | None = None,
) -> tuple[RungAt, ...]:
    """The rungs of a commitment between start and end; those that an acknowledgement in time takes off are left out.

    Rungs by working day are for limits in working days and are passed over.
    """
    found = []
    for rung in standard.ladders.get(commitment, ()):
        if rung.minutes is not None:
            at = start + timedelta(minutes=rung.minutes)
        elif rung.percent is not None:
            at = start + (due_at - start) * rung.percent / 100
        else:
            continue
        if rung.unless_acknowledged and acknowledged_at is not None and acknowledged_at <= at:
            continue
        found.append(RungAt(rung.name, at, rung.notify))
    return tuple(found)

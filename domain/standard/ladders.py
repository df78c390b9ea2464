"""Round-the-clock limits: the reminders before their end, and one obligation from its terms, by the standard."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from domain.deadlines.windows import Obligation, ReminderAt, Term
from domain.kernel.facts import Moment
from domain.kernel.remembered import minutes
from domain.standard.standards import Standard


def reminders(
    standard: Standard,
    commitment: str,
    start: datetime,
    due_at: datetime,
    acknowledged_at: datetime | None = None,
) -> tuple[ReminderAt, ...]:
    """The reminders of a commitment between start and end; those that an acknowledgement in time takes off are left
    out.

    Reminders by working day are for limits in working days and are passed over.
    """
    found = []
    for reminder in standard.alerting.ladders.get(commitment, ()):
        if reminder.minutes is not None:
            at = start + minutes(reminder.minutes)
        elif reminder.percent is not None:
            at = start + (due_at - start) * reminder.percent / 100
        else:
            continue
        if reminder.unless_acknowledged and acknowledged_at is not None and acknowledged_at <= at:
            continue
        found.append(ReminderAt(reminder.name, at, reminder.notify))
    return tuple(found)


def counted(told: Iterable[Moment], begun: datetime, standard: Standard) -> tuple[Moment, ...]:
    """What was told that can fulfil something which began at ``begun``: what is said to have happened before that meets
    nothing, but for as much as two clocks may differ (our decision: a phone that runs wrong takes no lapse back)."""
    return tuple(moment for moment in told if moment.at >= begun - standard.clock_tolerance)


def obligation(
    commitment: str,
    standard: Standard,
    opened_at: datetime,
    terms: tuple[Term, ...],
    met: Moment | None,
    reminders: tuple[ReminderAt, ...],
    cause: str = "reclassified",
) -> Obligation:
    """One commitment whose limit is counted round the clock; ``met``: what met it, ``reminders``: those before its end.
    What met it before it was owed met it when it began to be owed."""
    return Obligation(
        commitment=commitment,
        opened_at=opened_at,
        terms=terms,
        met_at=max(met.at, opened_at) if met else None,
        met_by=(met.by,) if met else (),
        standard=standard.version,
        calendar=None,
        reminders=reminders,
        notify_on_lapse=standard.alerting.notify_on_lapse.get(commitment, ()),
        cause=cause,
        settles_after=standard.settles_after,
    )

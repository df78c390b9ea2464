"""The ladder after a lapse: its escalation levels, each at its instant, until somebody acknowledges or the promise no
longer runs.

Our decisions. The levels count from the end that ran out, also where the lapse becomes known later: who should have
been told by now is told now. The ladder is climbed while the window stands lapsed: once it is met, cancelled or
retracted, or has a later end (a reassessment, the next work log), it ends; a later end that runs out too begins a new
one, and so does a lapse that comes back after it was retracted. A lapse that calls nobody out (imported history) has
no ladder. There are no office hours in the promises, so working time is counted in working days, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from domain.deadlines.calendar import closing_time, local_date
from domain.deadlines.windows import (
    Basis,
    CountPromise,
    EscalationLevelAt,
    Obligation,
    OnRecord,
    Window,
    WindowAcknowledged,
    WindowLedger,
)
from domain.kernel.copies import changed
from domain.kernel.refusals import NoSuchWindow
from domain.kernel.remembered import minutes
from domain.standard.context import CommandContext, require_power
from domain.standard.refusals import AlreadyAcknowledged, NothingToAcknowledge, PersonNeeded
from domain.standard.sections.alerting import EscalationStep
from domain.standard.standards import Rules, Standard


def ladder_after(standard: Standard, commitment: str) -> tuple[EscalationStep, ...]:
    """The escalation levels after a lapse of the commitment: by its own name, else of its kind of case, else of all."""
    kind = commitment.partition(".")[0]
    for pattern in (commitment, f"{kind}.*", "*"):
        if pattern in standard.alerting.escalations:
            return standard.alerting.escalations[pattern]
    return ()


def climbed(
    window: Window, owed: Obligation | CountPromise, known: OnRecord | None, rules: Rules, at: datetime
) -> Window:
    """The window with the levels that were reached by ``at``, and the next one in ``next_ask_at``. ``known``: what is
    on record of it, which says what was acknowledged."""
    if not window.lapses or not owed.notify_on_lapse or not _climbing(window, owed, at):
        return window
    standard = rules.version(window.basis.standard)
    ladder = ladder_after(standard, window.commitment) if standard is not None else ()
    if standard is None or not ladder:
        return window
    levels: list[EscalationLevelAt] = []
    asks = [window.next_ask_at] if window.next_ask_at is not None else []
    for due_at in window.lapses:
        if window.due_at not in (None, due_at) or _is_acknowledged(known, due_at):
            continue
        for level, instant in _instants(ladder, standard, rules, window.opened_at, due_at):
            if instant <= at:
                levels.append(EscalationLevelAt(due_at, level.name, instant, level.notify))
            else:
                asks.append(instant)
    levels.sort(key=lambda each: (each.at, each.due_at, each.level))
    return changed(window, levels=tuple(levels), next_ask_at=min(asks, default=None))


def _climbing(window: Window, owed: Obligation | CountPromise, at: datetime) -> bool:
    ends = (window.met_at, owed.moot_from if isinstance(owed, Obligation) else None)
    return window.cancelled is None and not any(end is not None and end <= at for end in ends)


def _is_acknowledged(known: OnRecord | None, due_at: datetime) -> bool:
    lapse = known.lapses.get(due_at) if known is not None else None
    return known is not None and lapse is not None and (lapse, due_at) in known.acknowledged


def _instants(
    ladder: tuple[EscalationStep, ...], standard: Standard, rules: Rules, opened_at: datetime, due_at: datetime
) -> Iterator[tuple[EscalationStep, datetime]]:
    for level in ladder:
        if level.minutes is not None:
            yield level, due_at + minutes(level.minutes)
        elif level.percent is not None:
            yield level, due_at + (due_at - opened_at) * level.percent / 100
        elif level.working_days is not None:
            calendar = rules.calendars_of(standard)[-1].calendar
            day = calendar.add_working_days(local_date(due_at), level.working_days)
            yield level, closing_time(day, standard.close_of_business)


# ---- somebody has it in hand


def acknowledge(
    ledger: WindowLedger, ctx: CommandContext, *, commitment: str, lapse: int | None = None, reminder: str | None = None
) -> WindowAcknowledged | None:
    """A named person takes a lapse, or the reminder of a nearing, in hand; with neither named, the newest lapse that
    stands. None: the same person has said so already.

    Our decision: acknowledging a reminder quiets that reminder only. The later ones tell somebody else that time
    passes, which is so whoever knows. Refuses ``wrong-role``, ``person-needed``, ``no-such-window``,
    ``nothing-to-acknowledge`` and ``already-acknowledged``.
    """
    require_power(ctx, "window.acknowledge")
    _require_name(ctx)
    known = ledger.get(commitment)
    if known is None:
        raise NoSuchWindow(
            found=f"no window {commitment[:64]} of the case",
            needed="one of " + (", ".join(sorted(ledger)) or "none: the case owes nothing"),
        )
    what, due_at = _target(known, commitment, lapse, reminder)
    by = known.acknowledged.get((what, due_at))
    if by == ctx.by.actor:
        return None
    if by is not None:
        raise AlreadyAcknowledged(commitment, what, by)
    return WindowAcknowledged(
        commitment=commitment,
        number=known.number + 1,
        lapse=what if isinstance(what, int) else None,
        rung=what if isinstance(what, str) else None,
        due_at=due_at,
        by=ctx.by.actor,
        basis=Basis(known.standard, known.calendar, ()),
    )


def _target(known: OnRecord, commitment: str, lapse: int | None, reminder: str | None) -> tuple[int | str, datetime]:
    over = known.cancelled or known.met_at is not None
    lapses: dict[int | str, datetime] = {number: due for due, number in known.lapses.items()}
    # Reminders of an end that ran out are not asked about any more: the lapse is.
    reminders: dict[int | str, datetime] = {
        name: due for name, due in sorted(known.neared) if due == known.due_at and due not in known.lapses
    }
    wanted: int | str | None = lapse if lapse is not None else reminder
    if wanted is None:
        wanted = max(known.lapses.values(), default=None)
    found = lapses.get(wanted) or reminders.get(wanted) if wanted is not None and not over else None
    if wanted is None or found is None:
        state = "over" if over else f"{len(lapses)} lapses and {len(reminders)} reminders that stand"
        raise NothingToAcknowledge(commitment, state)
    return wanted, found


def _require_name(ctx: CommandContext) -> None:
    if ctx.by.actor in ("", "anonymous"):
        raise PersonNeeded()

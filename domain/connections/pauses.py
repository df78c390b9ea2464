"""Pauses (中止): typed, evidenced, approved by a second person, capped by the standard.

Sources: our decisions. Never a pause: papers outstanding, internal queues, design work, a contractor's delay; those are
no reasons of the standard. Gross and net time are both reported.
"""

from __future__ import annotations

from domain.connections.case import Connection, Pause
from domain.connections.facts import PauseApproved, PauseDeclined, PauseEnded, PauseRequested, PauseRevoked
from domain.connections.refusals import (
    NoSuchPause,
    PauseDecided,
    PauseNotApproved,
    PauseNotOpen,
    PauseOpen,
    PauseTooLate,
    UnknownPauseReason,
)
from domain.connections.requirements import (
    allowed,
    as_told,
    require_admitted,
    require_not_done,
    require_timely,
    under_way,
)
from domain.standard.context import CommandContext, require_second_person
from domain.standard.values import require_known


def request(case: Connection, ctx: CommandContext, *, reason: str, evidence_digest: str) -> PauseRequested:
    """Ask that the clock stand from ``told.happened_at`` on.

    Refuses ``not-admitted``, ``all-on``, ``unknown-pause-reason``, ``pause-too-late`` (later than the channel's allowed
    lateness), ``pause-open`` (one for the same reason), ``future-time``, ``dates-out-of-order``.
    """
    known = under_way(case, ctx, "request-pause")
    admitted = require_admitted(known)
    require_not_done(known)
    require_known(UnknownPauseReason, reason, ctx.standard.connection.pause_reasons)
    require_timely(known, ctx, (admitted, "the admission"))
    if ctx.is_late:
        raise PauseTooLate(ctx)
    for number, pause in known.pauses.items():
        _require_over(pause, number, reason)
    return as_told(ctx, PauseRequested(max(known.pauses, default=0) + 1, reason, evidence_digest))


def _require_over(pause: Pause, number: int, reason: str) -> None:
    is_open = pause.ended is None and (pause.is_pending or pause.counts)
    if is_open and pause.reason == reason:
        raise PauseOpen(number, reason, pause)


def approve(case: Connection, ctx: CommandContext, *, pause: int) -> PauseApproved:
    """A second person approves; also late, which may retract a lapse. Refuses ``no-such-pause``, ``pause-decided``,
    ``same-person``."""
    require_second_person(ctx, _pending(case, ctx, pause).requested_by, f"pause {pause}")
    return PauseApproved(pause)


def decline(case: Connection, ctx: CommandContext, *, pause: int) -> PauseDeclined:
    """A second person declines. Refuses ``no-such-pause``, ``pause-decided``, ``same-person``."""
    require_second_person(ctx, _pending(case, ctx, pause).requested_by, f"pause {pause}")
    return PauseDeclined(pause)


def _pending(case: Connection, ctx: CommandContext, number: int) -> Pause:
    pause = _the_pause(allowed(case, ctx, "approve-pause"), number)
    if not pause.is_pending:
        raise PauseDecided(number, pause)
    return pause


def end(case: Connection, ctx: CommandContext, *, pause: int) -> PauseEnded:
    """The reason fell away; also before the approval. Refuses ``no-such-pause``, ``pause-not-open``, ``future-time``,
    ``dates-out-of-order``."""
    known = allowed(case, ctx, "end-pause")
    found = _the_pause(known, pause)
    if found.ended is not None or not (found.is_pending or found.counts):
        raise PauseNotOpen(pause)
    require_timely(known, ctx, (found.since, "the pause's beginning"))
    return as_told(ctx, PauseEnded(pause))


def revoke(case: Connection, ctx: CommandContext, *, pause: int, reason: str) -> PauseRevoked:
    """An approved pause should never have been one: the clock ran all the time. Refuses ``no-such-pause``,
    ``pause-not-approved``, ``same-person`` (who asked for it)."""
    found = _the_pause(allowed(case, ctx, "revoke-pause"), pause)
    if not found.counts:
        raise PauseNotApproved(pause)
    require_second_person(ctx, found.requested_by, f"pause {pause}")
    return PauseRevoked(pause, reason)


def _the_pause(case: Connection, number: int) -> Pause:
    if number not in case.pauses:
        raise NoSuchPause(number, case)
    return case.pauses[number]

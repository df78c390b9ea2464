"""Pauses (中止): typed, evidenced, approved by a second person, capped by the standard.

Sources: our decisions. Never a pause: papers outstanding, internal queues, design work, a contractor's delay; those are
no reasons of the standard. Gross and net time are both reported.
"""

from __future__ import annotations

from domain.connections.case import Connection, Pause
from domain.connections.facts import PauseApproved, PauseDeclined, PauseEnded, PauseRequested, PauseRevoked
from domain.connections.requirements import allowed, require_admitted, require_not_done, require_timely, under_way
from domain.kernel.refusals import Refusal
from domain.standard.context import Told, require_second_person
from domain.standard.standards import require_known


def request(case: Connection | None, told: Told, *, reason: str, evidence_digest: str) -> PauseRequested:
    """Ask that the clock stand from ``told.happened_at`` on.

    Refuses ``not-admitted``, ``all-on``, ``unknown-pause-reason``, ``pause-too-late`` (later than the channel's allowed
    lateness), ``pause-open`` (one for the same reason), ``future-time``, ``dates-out-of-order``.
    """
    known = under_way(case, told, "request-pause")
    admitted = require_admitted(known)
    require_not_done(known)
    require_known("unknown-pause-reason", reason, told.standard.pause_reasons)
    require_timely(known, told, (admitted, "the admission"))
    if told.is_late:
        raise Refusal(
            "pause-too-late",
            found=f"a pause from {told.happened_at.isoformat()} on, asked for at {told.at.isoformat()}",
            needed=f"within {told.standard.allowed_lateness_minutes.get(told.channel)} minutes",
            next_step="ask for it from now on",
            next_step_zh="已超出允许迟报时间，请自当前时间起申请中止",
        )
    for number, pause in known.pauses.items():
        _require_over(pause, number, reason)
    return PauseRequested(max(known.pauses, default=0) + 1, reason, evidence_digest)


def _require_over(pause: Pause, number: int, reason: str) -> None:
    is_open = pause.ended is None and (pause.is_pending or pause.counts)
    if is_open and pause.reason == reason:
        raise Refusal(
            "pause-open",
            found=f"pause {number} for {reason} since {pause.since.at.isoformat()}",
            needed="no open pause for the same reason",
            next_step="end it first, or wait for its approval",
            next_step_zh="同一原因的中止尚未结束",
        )


def approve(case: Connection | None, told: Told, *, pause: int) -> PauseApproved:
    """A second person approves; also late, which may retract a lapse. Refuses ``no-such-pause``, ``pause-decided``,
    ``same-person``."""
    require_second_person(told, _pending(case, told, pause).requested_by, f"pause {pause}")
    return PauseApproved(pause)


def decline(case: Connection | None, told: Told, *, pause: int) -> PauseDeclined:
    """A second person declines. Refuses ``no-such-pause``, ``pause-decided``, ``same-person``."""
    require_second_person(told, _pending(case, told, pause).requested_by, f"pause {pause}")
    return PauseDeclined(pause)


def _pending(case: Connection | None, told: Told, number: int) -> Pause:
    pause = _the_pause(allowed(case, told, "approve-pause"), number)
    if not pause.is_pending:
        raise Refusal(
            "pause-decided",
            found=f"pause {number}, {'declined' if pause.declined else 'approved'} already",
            needed="a pause that waits for its approval",
            next_step="nothing to do; an approved one can be revoked",
            next_step_zh="该中止已审批",
        )
    return pause


def end(case: Connection | None, told: Told, *, pause: int) -> PauseEnded:
    """The reason fell away; also before the approval. Refuses ``no-such-pause``, ``pause-not-open``, ``future-time``,
    ``dates-out-of-order``."""
    known = allowed(case, told, "end-pause")
    found = _the_pause(known, pause)
    if found.ended is not None or not (found.is_pending or found.counts):
        raise Refusal(
            "pause-not-open",
            found=f"pause {pause}, which is over",
            needed="an open pause",
            next_step="nothing to do",
            next_step_zh="该中止已结束",
        )
    require_timely(known, told, (found.since, "the pause's beginning"))
    return PauseEnded(pause)


def revoke(case: Connection | None, told: Told, *, pause: int, reason: str) -> PauseRevoked:
    """An approved pause should never have been one: the clock ran all the time. Refuses ``no-such-pause``,
    ``pause-not-approved``, ``same-person`` (who asked for it)."""
    found = _the_pause(allowed(case, told, "revoke-pause"), pause)
    if not found.counts:
        raise Refusal(
            "pause-not-approved",
            found=f"pause {pause}, which does not count",
            needed="an approved pause",
            next_step="nothing to do",
            next_step_zh="该中止未生效，无需撤销",
        )
    require_second_person(told, found.requested_by, f"pause {pause}")
    return PauseRevoked(pause, reason)


def _the_pause(case: Connection, number: int) -> Pause:
    if number not in case.pauses:
        raise Refusal(
            "no-such-pause",
            found=f"pause {number}",
            needed="one of " + (", ".join(map(str, sorted(case.pauses))) or "none: there is no pause"),
            next_step="check the pause's number",
            next_step_zh="请核对中止编号",
        )
    return case.pauses[number]

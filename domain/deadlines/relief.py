"""Whether a word takes off what is owed: late in a limit, four eyes are for that (our decision)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.deadlines.windows import CountPromise, Obligation, Window, judge

Owed = Sequence[Obligation | CountPromise]


def eases_late(before: Owed, after: Owed, at: datetime, share: float, elsewhere: Owed = ()) -> bool:
    """Whether what is owed ``before`` a word loses a lapse ``after`` it, or a limit of which at least that ``share``
    (0 to 1) has run at ``at`` falls away or moves back. ``elsewhere``: what another case owes in its place from then
    on; what ends there no later, and is not met there, is kept."""
    then = {owed.commitment: judge(owed, at) for owed in after}
    others = [judge(owed, at) for owed in elsewhere]
    for owed in before:
        if isinstance(owed, CountPromise):
            continue
        window, alike = judge(owed, at), [each for each in others if each.commitment == owed.commitment]
        kept = then.get(owed.commitment)
        if _lost(window, kept, alike):
            return True
        if window.due_at is None or window.due_at <= at or window.met_at is not None:
            continue
        begun = owed.terms[-1].start or owed.terms[-1].since
        if at - begun < share * (window.due_at - begun):
            continue
        still_owed = [each for each in alike if each.met_at is None]
        if not any(_ends_by(each, window.due_at) for each in (kept, *still_owed)):
            return True
    return False


def _lost(window: Window, kept: Window | None, elsewhere: Sequence[Window]) -> bool:
    on_record = set(kept.lapses) if kept is not None else set()
    there = min((lapse for each in elsewhere for lapse in each.lapses), default=None)
    return any(lapse not in on_record and (there is None or there > lapse) for lapse in window.lapses)


def _ends_by(window: Window | None, due_at: datetime) -> bool:
    return window is not None and window.due_at is not None and window.due_at <= due_at

"""Open and settled verdicts 未定/已定: how long one may change on one person's word.

A verdict is open as long as facts may come, by the channels' allowed lateness, without a second person; then it is
settled. A settled verdict can still fall, for the truth may come late, but only before two pairs of eyes, and its fall
is marked in the event that says so (our decision). Time, calendars and standards are nobody's word: they need none.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.connections.facts import PauseApproved, PauseRevoked
from domain.deadlines.windows import WindowFact, overturned
from domain.kernel.facts import Fact
from domain.kernel.refusals import VerdictSettled
from domain.kernel.roles import SYSTEM
from domain.people.actors import is_same
from domain.standard.context import CommandContext

_BY_TWO = (PauseApproved, PauseRevoked)
"""Who decides on a pause is never who asked for it."""


def require_second_person_to_overturn(ctx: CommandContext, said: Iterable[Fact], facts: Iterable[WindowFact]) -> None:
    """Refuse ``verdict-settled`` where what one person alone said makes a settled verdict fall with ``facts``.

    ``said``: the facts of the command. Imported history has no lateness and needs none.
    """
    fallen = overturned(facts)
    if not fallen or ctx.by.role == SYSTEM or ctx.standard.allowed_lateness_minutes.get(ctx.channel) is None:
        return
    named = [second for second in (ctx.confirmed_by, *(_second_of(fact) for fact in said)) if second is not None]
    if any(not is_same(second, ctx.by.actor) for second in named) or any(isinstance(fact, _BY_TWO) for fact in said):
        return
    raise VerdictSettled(fallen, ctx.by.actor)


def _second_of(fact: Fact) -> str | None:
    return getattr(fact, "confirmed_by", None) or getattr(fact, "approved_by", None)

"""What every decision about an incident looks at first, and what is odd about a fact from the field."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from domain.crews.register import require_formed
from domain.deadlines import relief
from domain.deadlines.windows import judge
from domain.kernel.copies import changed
from domain.kernel.facts import Moment, Recorded
from domain.kernel.refusals import DatesOutOfOrder
from domain.people.actors import is_same
from domain.repairs.case import Repair, evolve
from domain.repairs.promises import obligations
from domain.repairs.refusals import CaseIsClosed, IncidentIsMerged, SecondPersonNeeded
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import Rules, require_not_future


class FieldFact(Protocol):
    """A fact from the field: flagged where something about it is odd, confirmed where it was told late."""

    @property
    def flags(self) -> tuple[str, ...]: ...

    @property
    def confirmed_by(self) -> str | None: ...


F = TypeVar("F", bound=FieldFact)
BACKDATED = "backdated"
UPLOADED_LATE = "uploaded-late"
BACKDATED_AFTER_LAPSE = "backdated-after-lapse"


def require_unmerged(case: Repair) -> Repair:
    """The incident, where its reports are still its own. Refuses ``incident-merged``."""
    if case.merged_into is not None:
        raise IncidentIsMerged(case)
    return case


TELL = "repair.tell"
"""The power to tell facts from the field."""


def known_to(case: Repair, ctx: CommandContext, power: str = TELL) -> Repair:
    """The incident that something is told of. Refuses ``wrong-role``, ``future-time``,
    ``second-person-needed``, and ``incident-merged``: not for its order, but since it would count for nothing here."""
    require_power(ctx, power)
    known = require_unmerged(case)
    require_credible(ctx)
    return known


def require_credible(ctx: CommandContext) -> None:
    """Refuses ``future-time``, ``dates-out-of-order`` for what a device took down before it happened, and
    ``second-person-needed`` for what is told later than the channel allows without another person who confirms it.
    Imported history has no limit, and is told by whoever has that power: refuses ``wrong-role``."""
    if ctx.is_history:
        require_power(ctx, "history.import")
    require_told_in_time(ctx)


def require_told_in_time(ctx: CommandContext) -> None:
    """Refuses what ``require_credible`` does, but for who may import history."""
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    if ctx.reported_at is not None:
        _require_taken_down(ctx, ctx.reported_at)
    if ctx.is_late:
        require_other_person(ctx, ctx.confirmed_by, "a fact told later than its channel allows", "confirmed_by")


def _require_taken_down(ctx: CommandContext, reported_at: datetime) -> None:
    require_not_future(ctx.standard, reported_at, ctx.at)
    if reported_at < ctx.happened_at:
        raise DatesOutOfOrder(
            found=f"taken down at {reported_at.isoformat()}",
            needed=f"not before it happened, {ctx.happened_at.isoformat()}",
            next_step="correct the times, or leave out when it was taken down",
            next_step_zh="记录时间早于发生时间，请更正",
        )


def require_other_person(ctx: CommandContext, other: str | None, what: str, named_in: str) -> None:
    """Refuse ``second-person-needed`` where nobody, or the same person, stands behind it (our decision: four eyes)."""
    if other is None or is_same(other, ctx.by.actor):
        raise SecondPersonNeeded(what, ctx, named_in)


def require_open(case: Repair) -> None:
    """Refuses ``case-closed``, and ``incident-merged`` where it goes on elsewhere."""
    require_unmerged(case)
    if case.closed:
        raise CaseIsClosed(case)


# ---- limits that are saved by a word


def looked_at(ctx: CommandContext) -> datetime:
    """When it is taken down: what is claimed for earlier on is what four eyes are for. An import tells old history."""
    limited = ctx.standard.allowed_lateness_minutes.get(ctx.channel) is not None
    return ctx.at if limited else ctx.happened_at


def eases_late(case: Repair, ctx: CommandContext, fact: object, elsewhere: Repair | None = None) -> bool:
    """Whether the fact takes a lapse back, or takes away or moves back a limit most of which has run: then a second
    person stands behind it (our decision, as for another class: a word late in the window could else save every
    promise). For what says that nothing is owed, and not for what fulfils it. Old history is told by who may.
    ``elsewhere``: the incident that takes over what this one owes."""
    if ctx.is_history:
        return False
    rules = ctx.rules
    share = rules.in_force(case.first_report.moment.at).repair.reassessment_second_person_percent / 100
    told = evolve(case, Recorded(fact, UNRECORDED, 0, ctx.happened_at))
    there = obligations(elsewhere, rules)
    return relief.eases_late(obligations(case, rules), obligations(told, rules), looked_at(ctx), share, there)


# ---- flags


def late(ctx: CommandContext) -> tuple[str, ...]:
    """What is odd about when it is told: later than the channel allows; by a device that was without a net."""
    return ((BACKDATED,) if ctx.is_late else ()) + ((UPLOADED_LATE,) if ctx.was_uploaded_late else ())


TOO_EARLY = "before-the-promise"
"""The flag of what is said to have happened before there was anything to fulfil: it fulfils nothing."""


def early(ctx: CommandContext, begun: datetime) -> tuple[str, ...]:
    """Whether it is said to be from before ``begun``, by more than two clocks may differ: that clock runs wrong."""
    return (TOO_EARLY,) if ctx.happened_at < begun - ctx.standard.clock_tolerance else ()


def field_flags(case: Repair, ctx: CommandContext, *, crew: str | None, before: tuple[Moment, ...]) -> tuple[str, ...]:
    """What is odd about a fact; ``before``: the facts of its sort that are on record. Refuses ``unknown-crew``."""
    flags = late(ctx) + (("after-close",) if case.closed else ()) + (("after-dismissal",) if case.dismissed else ())
    if crew is not None:
        flags += require_formed(ctx, crew, on_it=case.crew)
    if crew is not None and crew != case.crew:
        flags += ("not-the-dispatched-crew",)
    if ctx.happened_at < min(case.reports).at:
        flags += ("before-first-report",)
    if before:
        flags += ("repeated",)
    return flags


def from_the_field(case: Repair, ctx: CommandContext, fact: F, *, is_late: bool = False) -> F:
    """The fact with who confirmed it, and flagged where it is told late and takes a lapse off: auditors look there.
    ``is_late``: it is too late by a limit of its own, whatever its channel allows."""
    if not (ctx.is_late or is_late):
        return fact
    flags = fact.flags
    after = evolve(case, Recorded(fact, UNRECORDED, 0, ctx.happened_at))
    if _lapses(case, ctx.rules, ctx.at) - _lapses(after, ctx.rules, ctx.at):
        flags += (BACKDATED_AFTER_LAPSE,)
    return changed(fact, flags=flags, confirmed_by=ctx.confirmed_by)


UNRECORDED = UUID(int=2**128 - 1)
"""The id of a fact that is looked at before it is told: the last among those of one instant, and in no stream."""


def _lapses(case: Repair | None, rules: Rules, at: datetime) -> set[tuple[str, datetime]]:
    return {
        (obligation.commitment, lapse)
        for obligation in obligations(case, rules)
        for lapse in judge(obligation, at).lapses
    }

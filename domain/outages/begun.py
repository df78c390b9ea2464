"""Planning an outage, beginning one in an emergency, turning water off and on again: each an instruction or a fact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.outages.case import Outage
from domain.outages.checks import (
    confirmed_by,
    flags,
    known_to,
    lasting,
    require_cause,
    require_extent,
    require_later,
    require_new,
    require_no_mass,
    require_not_cancelled,
    require_not_started,
    require_notice,
)
from domain.outages.effect import (
    NO_EFFECT,
    PlannedEffect,
    Weighed,
    oddities_of_start,
    require_approved,
    require_effect,
    require_supplied,
    require_told,
    weigh,
)
from domain.outages.facts import (
    EmergencyOutageBegan,
    EmergencyWaterProvided,
    OutageCancelled,
    OutageExtended,
    OutagePlanned,
    OutageRescheduled,
    OutageRestored,
    OutageStarted,
    UnannouncedOutageBegan,
)
from domain.outages.refusals import OutageNotStarted, UnknownOutageReason
from domain.repairs.case import Repair
from domain.repairs.checks import require_credible
from domain.repairs.mass import Register
from domain.standard.context import CommandContext, require_power
from domain.standard.values import require_clean, require_codes, require_known, require_range

MOST_LITRES = 1_000_000


def plan(
    state: Outage | None,
    ctx: CommandContext,
    *,
    number: str,
    districts: Sequence[str],
    affected_users: int,
    begin: datetime,
    end: datetime,
    approval: str | None,
    mass: Register | None,
    effect: PlannedEffect = NO_EFFECT,
    others: Sequence[Outage] = (),
) -> OutagePlanned:
    """Plan an outage. Whether it needs the authority's approval, and water in the meantime, follows from its effect,
    with that of the ``others`` in its districts that it is a part of (``weigh``).

    Refuses ``wrong-role``, ``case-exists``, ``unknown-district``, ``code-twice``, ``out-of-range``, ``bad-text``,
    ``unknown-sensitive-place``, ``unknown-supply``, ``outage-not-approved``, ``temporary-supply-missing``,
    ``dates-out-of-order``, ``notice-too-short``, ``mass-running`` where a mass incident holds.
    """
    require_power(ctx, "outage.plan")
    require_new(state)
    require_extent(ctx, districts, affected_users)
    require_later(end, begin, "an outage until", "it begins")
    require_effect(ctx.standard, effect)
    weighed = weigh(
        ctx.standard,
        districts=districts,
        users=affected_users,
        begin=begin,
        end=end,
        places=effect.places,
        others=others,
    )
    require_approved(ctx.standard, weighed, approval)
    require_supplied(ctx.standard, weighed, effect.supply)
    fact = OutagePlanned(
        number,
        tuple(districts),
        affected_users,
        begin,
        end,
        approval or "",
        effect.places,
        effect.supply,
        effect.fire_affected,
        effect.extent,
    )
    require_clean(fact)
    require_notice(ctx, begin, ctx.at)
    for code in districts:
        require_no_mass(mass, code, ctx.at)
    return fact


def begin_emergency(
    state: Outage | None,
    ctx: CommandContext,
    *,
    number: str,
    incident: UUID,
    because_of: Repair,
    districts: Sequence[str],
    affected_users: int,
) -> EmergencyOutageBegan:
    """Water is off because of an incident: ``because_of``, with the id ``incident``.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``case-exists``, ``unknown-district``,
    ``code-twice``, ``out-of-range``, and for an incident that was over by then ``incident-merged``,
    ``already-dismissed``, ``repair-completed``.
    """
    require_power(ctx, "outage.tell")
    require_credible(ctx)
    require_new(state)
    require_cause(because_of, ctx)
    require_extent(ctx, districts, affected_users)
    return EmergencyOutageBegan(number, incident, tuple(districts), affected_users, flags(ctx), confirmed_by(ctx))


def begin_unannounced(
    state: Outage | None, ctx: CommandContext, *, number: str, districts: Sequence[str], affected_users: int
) -> UnannouncedOutageBegan:
    """Water is off though nobody planned it and no incident is known. It is a fact, and taken however it came about.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``case-exists``, ``unknown-district``,
    ``code-twice``, ``out-of-range``.
    """
    require_power(ctx, "outage.tell")
    require_credible(ctx)
    require_new(state)
    require_extent(ctx, districts, affected_users)
    return UnannouncedOutageBegan(number, tuple(districts), affected_users, flags(ctx), confirmed_by(ctx))


def start(state: Outage, ctx: CommandContext) -> OutageStarted:
    """Turn the water of a planned outage off. An instruction: nobody may without notice in time, at other times than
    announced, or before the fire service is told where fire fighting may be affected. Where water went off all the
    same, ``record_start`` takes it.

    Refuses ``wrong-role``, ``outage-started``, ``outage-cancelled``, ``notice-too-short``,
    ``outside-announced-times``, ``fire-service-not-told``.
    """
    outage = known_to(state, ctx)
    require_not_started(outage)
    require_not_cancelled(outage)
    require_told(outage, ctx)
    return OutageStarted()


def record_start(state: Outage, ctx: CommandContext) -> OutageStarted:
    """Water of a planned outage went off: with notice or without it, at the announced time or at another one. What
    happened is taken; flags say what is wrong with it, and the notice promise is judged by it.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``outage-started``.
    """
    outage = known_to(state, ctx)
    require_not_started(outage)
    return OutageStarted((*flags(ctx, outage), *oddities_of_start(outage, ctx)), confirmed_by(ctx))


def reschedule(
    state: Outage,
    ctx: CommandContext,
    *,
    begin: datetime,
    end: datetime,
    approval: str | None = None,
    supply: str | None = None,
    mass: Register | None,
    others: Sequence[Outage] = (),
) -> OutageRescheduled:
    """A planned outage will be at other times: it is announced anew, with the whole notice from now on.

    ``approval`` and ``supply``: of the new times, where the effect of these is large and the first ones' was not;
    ``others`` as of ``plan``.
    Refuses ``wrong-role``, ``outage-started``, ``outage-cancelled``, ``dates-out-of-order``,
    ``unknown-supply``, ``outage-not-approved``, ``temporary-supply-missing``, ``notice-too-short``, ``mass-running``.
    """
    outage = known_to(state, ctx, "outage.plan")
    require_not_started(outage)
    require_not_cancelled(outage)
    require_later(end, begin, "an outage until", "it begins")
    require_effect(ctx.standard, PlannedEffect(supply=supply))
    weighed = _weighed(outage, ctx, begin, end, others)
    require_approved(ctx.standard, weighed, approval or outage.approval)
    require_supplied(ctx.standard, weighed, supply or outage.supply)
    require_notice(ctx, begin, ctx.at)
    for code in outage.districts:
        require_no_mass(mass, code, ctx.at)
    fact = OutageRescheduled(begin, end, approval, supply)
    require_clean(fact)
    return fact


def cancel(state: Outage, ctx: CommandContext, *, reason: str) -> OutageCancelled:
    """Call a planned outage off before it begins: it owes nothing more.

    Refuses ``wrong-role``, ``unknown-outage-reason``, ``outage-started``, ``outage-cancelled``.
    """
    outage = known_to(state, ctx, "outage.cancel")
    require_known(UnknownOutageReason, reason, ctx.standard.outages.outage_cancel_reasons)
    require_not_started(outage)
    require_not_cancelled(outage)
    return OutageCancelled(reason)


def _weighed(outage: Outage, ctx: CommandContext, begin: datetime, end: datetime, others: Sequence[Outage]) -> Weighed:
    return weigh(
        ctx.standard,
        districts=outage.districts,
        users=outage.affected_users,
        begin=begin,
        end=end,
        places=outage.places,
        others=others,
    )


def extend(state: Outage, ctx: CommandContext, *, end: datetime, others: Sequence[Outage] = ()) -> OutageExtended:
    """It will take until then; of an emergency, the first time, an end is announced at all. Before water is off, a
    later end needs what the longer outage would have needed at first, ``others`` as of ``plan``; once it is off, what
    the works take is taken.

    Refuses ``wrong-role``, ``outage-restored``, ``outage-cancelled``, ``outage-not-approved``,
    ``temporary-supply-missing``, ``dates-out-of-order``.
    """
    outage = lasting(state, ctx)
    require_later(end, outage.end or outage.announced.at, "an outage until", "it was to end")
    require_later(end, ctx.at, "an outage until", "now: an end that is past would be broken as it is announced")
    if outage.begin is not None and outage.started is None:
        weighed = _weighed(outage, ctx, outage.begin, end, others)
        require_approved(ctx.standard, weighed, outage.approval)
        require_supplied(ctx.standard, weighed, outage.supply)
    return OutageExtended(end)


def provide_water(state: Outage, ctx: CommandContext, *, point: str, litres: int) -> EmergencyWaterProvided:
    """Water was handed out. Refuses ``wrong-role``, ``future-time``, ``bad-code``,
    ``out-of-range``."""
    known_to(state, ctx)
    require_codes("the points", [point])
    require_range("litres", litres, 1, MOST_LITRES)
    return EmergencyWaterProvided(point, litres, flags(ctx), confirmed_by(ctx))


def restore(state: Outage, ctx: CommandContext) -> OutageRestored:
    """Water flows again.

    Refuses ``wrong-role``, ``future-time``, ``outage-restored``, ``outage-not-started``,
    ``dates-out-of-order`` for a time before it began.
    """
    outage = lasting(state, ctx)
    if outage.started is None:
        raise OutageNotStarted(outage)
    if ctx.happened_at < outage.started.at:
        require_later(ctx.happened_at, outage.started.at, "water again at", "it was off")
    return OutageRestored(flags(ctx), confirmed_by(ctx))

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
    require_extent,
    require_later,
    require_new,
    require_no_mass,
    require_not_cancelled,
    require_not_started,
    require_notice,
)
from domain.outages.facts import (
    EmergencyOutageBegan,
    EmergencyWaterProvided,
    OutageCancelled,
    OutageExtended,
    OutagePlanned,
    OutageRestored,
    OutageStarted,
)
from domain.outages.refusals import OutageNotApproved, OutageNotStarted, UnknownOutageReason
from domain.repairs.checks import require_credible
from domain.repairs.mass import Register
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import require_known
from domain.standard.values import require_clean, require_codes, require_range, require_said

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
) -> OutagePlanned:
    """Plan an outage.

    Refuses ``wrong-role``, ``case-exists``, ``unknown-district``, ``code-twice``, ``out-of-range``, ``bad-text``,
    ``outage-not-approved``, ``dates-out-of-order``, ``notice-too-short``, ``mass-running`` where a mass incident holds.
    """
    require_power(ctx, "outage.plan")
    require_new(state)
    require_extent(ctx, districts, affected_users)
    if approval is None:
        raise OutageNotApproved()
    require_said("the approval", approval)
    fact = OutagePlanned(number, tuple(districts), affected_users, begin, end, approval)
    require_clean(fact)
    require_later(end, begin, "an outage until", "it begins")
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
    districts: Sequence[str],
    affected_users: int,
) -> EmergencyOutageBegan:
    """Water is off because of an incident.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``case-exists``, ``unknown-district``,
    ``code-twice``, ``out-of-range``.
    """
    require_power(ctx, "outage.report")
    require_credible(ctx)
    require_new(state)
    require_extent(ctx, districts, affected_users)
    return EmergencyOutageBegan(number, incident, tuple(districts), affected_users, flags(ctx), confirmed_by(ctx))


def start(state: Outage | None, ctx: CommandContext) -> OutageStarted:
    """Turn the water of a planned outage off. An instruction: nobody may without notice in time.

    Refuses ``wrong-role``, ``no-such-case``, ``outage-started``, ``outage-cancelled``, ``notice-too-short``.
    """
    outage = known_to(state, ctx)
    require_not_started(outage)
    require_not_cancelled(outage)
    require_notice(ctx, ctx.at, min((notice.at for notice in outage.notices), default=None))
    return OutageStarted()


def cancel(state: Outage | None, ctx: CommandContext, *, reason: str) -> OutageCancelled:
    """Call a planned outage off before it begins: it owes nothing more.

    Refuses ``wrong-role``, ``no-such-case``, ``unknown-outage-reason``, ``outage-started``, ``outage-cancelled``.
    """
    outage = known_to(state, ctx, "outage.cancel")
    require_known(UnknownOutageReason, reason, ctx.standard.outage_cancel_reasons)
    require_not_started(outage)
    require_not_cancelled(outage)
    return OutageCancelled(reason)


def extend(state: Outage | None, ctx: CommandContext, *, end: datetime) -> OutageExtended:
    """It will take until then; of an emergency, the first time, an end is announced at all.

    Refuses ``wrong-role``, ``no-such-case``, ``outage-restored``, ``outage-cancelled``,
    ``dates-out-of-order``.
    """
    outage = lasting(state, ctx)
    require_later(end, outage.end or outage.announced.at, "an outage until", "it was to end")
    require_later(end, ctx.at, "an outage until", "now: an end that is past would be broken as it is announced")
    return OutageExtended(end)


def provide_water(state: Outage | None, ctx: CommandContext, *, point: str, litres: int) -> EmergencyWaterProvided:
    """Water was handed out. Refuses ``wrong-role``, ``no-such-case``, ``future-time``, ``bad-code``,
    ``out-of-range``."""
    known_to(state, ctx)
    require_codes("the points", [point])
    require_range("litres", litres, 1, MOST_LITRES)
    return EmergencyWaterProvided(point, litres, flags(ctx), confirmed_by(ctx))


def restore(state: Outage | None, ctx: CommandContext) -> OutageRestored:
    """Water flows again.

    Refuses ``wrong-role``, ``no-such-case``, ``future-time``, ``outage-restored``, ``outage-not-started``,
    ``dates-out-of-order`` for a time before it began.
    """
    outage = lasting(state, ctx)
    if outage.started is None:
        raise OutageNotStarted(outage)
    if ctx.happened_at < outage.started.at:
        require_later(ctx.happened_at, outage.started.at, "water again at", "it was off")
    return OutageRestored(flags(ctx), confirmed_by(ctx))

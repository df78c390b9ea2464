"""What a planned outage does to people, what that demands, and what its beginning is held to.

Source: 供水条例 §23, in force since 2026-06-01: the authority approves a planned outage only where its effect is large,
and then people's basic needs are met in the meantime; the fire service is told beforehand where fire fighting may be
affected. From what on an effect is large is our decision, as the standard has it. A standard without these numbers
follows the law before: every planned outage needs the approval (城市供水条例 §22, in force until 2026-05-31).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.kernel.facts import Moment
from domain.outages.case import Outage
from domain.outages.checks import require_notice
from domain.outages.promises import is_unannounced
from domain.outages.refusals import (
    FireServiceNotTold,
    OutageNotApproved,
    OutsideAnnouncedTimes,
    TemporarySupplyMissing,
    UnknownSensitivePlace,
    UnknownSupply,
)
from domain.standard.context import CommandContext
from domain.standard.sections.numbers import require_number
from domain.standard.standards import Standard
from domain.standard.values import require_codes, require_known, require_said

WITHOUT_NOTICE = "without-notice"
OUTSIDE_ANNOUNCED_TIMES = "outside-announced-times"
CALLED_OFF = "called-off"
FIRE_SERVICE_NOT_TOLD = "fire-service-not-told"


@dataclass(frozen=True, slots=True)
class PlannedEffect:
    """What somebody who plans an outage says of its effect. ``places``: kinds of place without water, ``supply``: how
    people get water in the meantime, both as codes of the standard; ``extent``: streets and buildings in public
    words."""

    places: tuple[str, ...] = ()
    supply: str | None = None
    fire_affected: bool = False
    extent: str | None = None


NO_EFFECT = PlannedEffect()


def effect_of(standard: Standard, users: int, lasts: timedelta, places: tuple[str, ...]) -> tuple[str, ...] | None:
    """Why the effect is large: any of ``users``, ``hours``, ``places``; empty where it is not. None where the standard
    does not ask."""
    policy = standard.outages.planned_outages
    if policy is None:
        return None
    found = {
        "users": policy.large_from_users is not None and users >= policy.large_from_users,
        "hours": policy.large_from_hours is not None and lasts >= timedelta(hours=policy.large_from_hours),
        "places": any(place in policy.sensitive_places for place in places),
    }
    return tuple(reason for reason, is_large in found.items() if is_large)


def require_effect(standard: Standard, effect: PlannedEffect) -> None:
    """Refuses ``unknown-sensitive-place``, ``unknown-supply``, ``code-twice``, ``bad-text``."""
    policy = standard.outages.planned_outages
    if effect.places:
        require_codes("the kinds of place", effect.places)
    for place in effect.places:
        require_known(UnknownSensitivePlace, place, policy.sensitive_places if policy is not None else ())
    if effect.supply is not None:
        require_known(UnknownSupply, effect.supply, policy.supply_ways if policy is not None else ())
    if effect.extent is not None:
        require_said("the extent", effect.extent)


def require_approved(standard: Standard, reasons: tuple[str, ...] | None, approval: str | None) -> None:
    """Refuses ``outage-not-approved`` where an approval is needed and there is none, ``bad-text`` for one that says
    nothing."""
    if approval is not None:
        require_said("the approval", approval)
        require_number(standard, "approval", approval)
    elif reasons is None or reasons:
        raise OutageNotApproved(standard, reasons)


def require_supplied(standard: Standard, reasons: tuple[str, ...] | None, supply: str | None) -> None:
    """Refuses ``temporary-supply-missing`` where the effect is large and nobody says how people get water."""
    if reasons and supply is None:
        raise TemporarySupplyMissing(standard, reasons)


def require_told(outage: Outage, ctx: CommandContext) -> None:
    """What an instruction to turn water off needs.

    Refuses ``notice-too-short``, ``outside-announced-times``, ``fire-service-not-told``.
    """
    policy = ctx.standard.outages.planned_outages
    if policy is None or outage.begin is None:
        require_notice(ctx, ctx.at, min((notice.at for notice in outage.notices), default=None))
        return
    require_notice(ctx, outage.begin, _told_of_begin(outage))
    tolerance = timedelta(minutes=policy.start_tolerance_minutes)
    if abs(ctx.at - outage.begin) > tolerance:
        raise OutsideAnnouncedTimes(outage, ctx.at, outage.begin, tolerance)
    if outage.fire_affected and not outage.fire_told:
        raise FireServiceNotTold(outage)


def oddities_of_start(outage: Outage, ctx: CommandContext) -> tuple[str, ...]:
    """What is wrong with the beginning of a planned outage at ``ctx.happened_at``, as flags."""
    begin = outage.begin
    told = _told_of_begin(outage, ctx.happened_at)
    hours = timedelta(hours=ctx.standard.outages.outage_notice_hours)
    found = {
        WITHOUT_NOTICE: told is None or begin is None or begin - told < hours,
        OUTSIDE_ANNOUNCED_TIMES: is_unannounced(outage, ctx.standard, Moment(ctx.happened_at, outage.announced.by)),
        CALLED_OFF: outage.cancelled is not None and outage.cancelled.at <= ctx.happened_at,
        FIRE_SERVICE_NOT_TOLD: outage.fire_affected and not any(m.at <= ctx.happened_at for m in outage.fire_told),
    }
    return tuple(flag for flag, is_so in found.items() if is_so)


def _told_of_begin(outage: Outage, until: datetime | None = None) -> datetime | None:
    """When the users were first told of the times that were announced last; None where they were not (by then)."""
    announced = outage.announced_begins[-1][0].at if outage.begins else outage.announced.at
    told = [notice.at for notice in outage.notices if notice.at >= announced and (until is None or notice.at <= until)]
    return min(told, default=None)

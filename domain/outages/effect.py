"""What a planned outage does to people, what that demands, and what its beginning is held to.

Source: 供水条例 §23, in force since 2026-06-01: the authority approves a planned outage only where its effect is large,
and then people's basic needs are met in the meantime; the fire service is told beforehand where fire fighting may be
affected. From what on an effect is large is our decision, as the standard has it. A standard without these numbers
follows the law before: every planned outage needs the approval (城市供水条例 §22, in force until 2026-05-31).
"""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Weighed:
    """The effect of an outage as it is held to the standard: ``reasons`` as ``effect_of`` gives them, ``together``: the
    numbers of the other outages that make it large, where it is not by itself."""

    reasons: tuple[str, ...] | None
    together: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Times:
    """When water is to be off, where, and for how many users. ``number``: of another outage."""

    number: str
    districts: frozenset[str]
    users: int
    begin: datetime
    end: datetime


def weigh(
    standard: Standard,
    *,
    districts: Sequence[str],
    users: int,
    begin: datetime,
    end: datetime,
    places: tuple[str, ...],
    others: Sequence[Outage] = (),
) -> Weighed:
    """The effect of an outage, and of one that is planned in several parts (our decision: a large one would else be
    planned as small ones that nobody approves). Parts share a district and lie at most ``together_within_hours`` apart,
    each of another one. Their users are added up, and the hours in which water is off for any of them."""
    alone = effect_of(standard, users, end - begin, places)
    policy = standard.outages.planned_outages
    if alone is None or alone or policy is None or policy.together_within_hours is None:
        return Weighed(alone)
    own = _Times("", frozenset(districts), users, begin, end)
    parts = _parts_with(own, [_times(each) for each in others], timedelta(hours=policy.together_within_hours))
    large = effect_of(standard, sum(each.users for each in parts), _lasts(parts), places)
    return Weighed(large, tuple(sorted(each.number for each in parts[1:])) if large else ())


def _times(outage: Outage) -> _Times | None:
    """Of a planned outage that was not called off; None of others."""
    if outage.begin is None or outage.end is None or outage.cancelled is not None:
        return None
    return _Times(outage.number, frozenset(outage.districts), outage.affected_users, outage.begin, outage.end)


def _parts_with(own: _Times, others: Sequence[_Times | None], apart: timedelta) -> list[_Times]:
    parts, left = [own], [each for each in others if each is not None]
    for part in parts:
        near = [
            each
            for each in left
            if part.districts & each.districts and each.begin - part.end <= apart and part.begin - each.end <= apart
        ]
        parts += near
        left = [each for each in left if each not in near]
    return parts


def _lasts(parts: Sequence[_Times]) -> timedelta:
    """How long water is off in any of them; what lies between is not counted."""
    total, until = timedelta(), min(each.begin for each in parts)
    for each in sorted(parts, key=lambda part: part.begin):
        if each.end > until:
            total += each.end - max(each.begin, until)
            until = each.end
    return total


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


def require_approved(standard: Standard, weighed: Weighed, approval: str | None) -> None:
    """Refuses ``outage-not-approved`` where an approval is needed and there is none, ``bad-text`` for one that says
    nothing."""
    if approval is not None:
        require_said("the approval", approval)
        require_number(standard, "approval", approval)
    elif weighed.reasons is None or weighed.reasons:
        raise OutageNotApproved(standard, weighed.reasons, weighed.together)


def require_supplied(standard: Standard, weighed: Weighed, supply: str | None) -> None:
    """Refuses ``temporary-supply-missing`` where the effect is large and nobody says how people get water."""
    if weighed.reasons and supply is None:
        raise TemporarySupplyMissing(standard, weighed.reasons, weighed.together)


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

"""The door-to-door squads (上门服务专班): who is in one, and which visits it has on a day.

Sources: three squads visit at home, published; our decisions: a roster is whole and named, a squad's visits of a day
lie one behind the other, a visit is booked ahead. A day of a squad is a stream of its own, so two bookings at once
cannot both be taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from domain.crews.refusals import (
    MemberElsewhere,
    MemberTwice,
    NoMembers,
    RosterUnchanged,
    SquadNotFormed,
    UnknownSquad,
    VisitInThePast,
    VisitIsDone,
    VisitOverMidnight,
    VisitsOverlap,
)
from domain.deadlines.calendar import local_date
from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseId, ChineseName, SquadCode, VisitId
from domain.kernel.refusals import DatesOutOfOrder, NoSuchVisit, VisitAlreadyBooked
from domain.standard.context import CommandContext, require_power
from domain.standard.fees import first_repeated
from domain.standard.standards import Standard
from domain.standard.values import require_known


@fact("组建专班", "squad formed", topic="crew")
class SquadFormed:
    """The squad works with these people from now on. ``members``: opaque staff ids, the whole roster."""

    squad: SquadCode
    name_zh: ChineseName
    members: Annotated[tuple[str, ...], "Actor ids of the squad's members."]


@fact("专班接上门", "visit taken", topic="crew")
class VisitTaken:
    """The squad is taken by that visit between these instants."""

    visit: VisitId
    case_id: CaseId
    begin: Annotated[datetime, "Beginning of the time in which the squad comes."]
    end: Annotated[datetime, "End of the time in which the squad comes."]


@fact("专班退上门", "visit released", topic="crew")
class VisitReleased:
    """The squad is free of that visit."""

    visit: VisitId


@fact("专班上门完成", "visit done", topic="crew")
class VisitDone:
    """The squad made that visit."""

    visit: VisitId


# ---- states


@dataclass(frozen=True, slots=True)
class Squad:
    """A squad with its roster. ``number`` is its code in the standard."""

    number: str
    name_zh: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Booking:
    """A visit that a squad is taken by; ``done``: it was made."""

    case_id: UUID
    begin: datetime
    end: datetime
    done: bool = False


@dataclass(frozen=True, slots=True)
class SquadDay:
    """One civil day (China) of one squad: its visits that were not released."""

    bookings: Mapping[UUID, Booking] = field(default_factory=dict)


def evolve(state: Squad | None, recorded: Recorded) -> Squad | None:
    """The squad after a fact."""
    match recorded.fact:
        case SquadFormed(squad, name_zh, members):
            return Squad(squad, name_zh, members)
        case _:
            return state


def evolve_day(state: SquadDay | None, recorded: Recorded) -> SquadDay:
    """The squad's day after a fact."""
    day = state or SquadDay()
    match recorded.fact:
        case VisitTaken(visit, case_id, begin, end):
            return SquadDay({**day.bookings, visit: Booking(case_id, begin, end)})
        case VisitReleased(visit):
            return without(day, visit)
        case VisitDone(visit) if visit in day.bookings:
            return SquadDay({**day.bookings, visit: replace(day.bookings[visit], done=True)})
        case _:
            return day


def without(day: SquadDay | None, visit: UUID) -> SquadDay:
    """The day as if that visit were released: what a visit that moves within its day is booked against."""
    bookings = day.bookings if day is not None else {}
    return SquadDay({known: booking for known, booking in bookings.items() if known != visit})


# ---- decisions: the roster


def form(
    state: Squad | None, ctx: CommandContext, *, squad: str, members: Iterable[str], others: Iterable[Squad]
) -> SquadFormed:
    """Put a squad together, or change who is in it. ``others``: the other squads as they are now; two rosters that are
    formed in the same instant are not held against each other.

    Refuses ``wrong-role``, ``unknown-squad``, ``no-members``, ``member-twice``, ``member-elsewhere``,
    ``roster-unchanged``.
    """
    require_power(ctx, "squad.form")
    require_squad(ctx.standard, squad)
    roster = tuple(members)
    _require_roster(roster, others)
    name_zh = ctx.standard.crews.squads[squad]
    if state == Squad(squad, name_zh, roster):
        raise RosterUnchanged(squad)
    return SquadFormed(squad, name_zh, roster)


def require_squad(standard: Standard, squad: str) -> None:
    """Refuse ``unknown-squad`` where the standard does not have it."""
    require_known(UnknownSquad, squad, standard.crews.squads)


def _require_roster(roster: tuple[str, ...], others: Iterable[Squad]) -> None:
    if not roster:
        raise NoMembers()
    if twice := first_repeated(roster):
        raise MemberTwice(twice)
    for other in others:
        if both := sorted(set(roster) & set(other.members)):
            raise MemberElsewhere(both, other)


# ---- decisions: a day


def book(
    state: SquadDay | None,
    *,
    roster: Squad | None,
    visit: UUID,
    case_id: UUID,
    begin: datetime,
    end: datetime,
    at: datetime,
) -> VisitTaken:
    """Take the squad for a visit between two instants (UTC) of one civil day in China. Touching visits do not overlap.

    Refuses ``squad-not-formed``, ``dates-out-of-order``, ``visit-over-midnight``, ``visit-in-the-past``,
    ``visit-already-booked``, ``visits-overlap``.
    """
    if roster is None:
        raise SquadNotFormed()
    _require_span(begin, end, at)
    day = state or SquadDay()
    if visit in day.bookings:
        raise VisitAlreadyBooked(found=f"visit {visit}, which this squad has on that day")
    _require_free(day, begin, end)
    return VisitTaken(visit, case_id, begin, end)


def release(state: SquadDay | None, *, visit: UUID) -> VisitReleased:
    """Free the squad of a visit. Refuses ``no-such-visit``, ``visit-done``."""
    _require_open(state, visit)
    return VisitReleased(visit)


def make(state: SquadDay | None, *, visit: UUID) -> VisitDone:
    """The squad made the visit. Refuses ``no-such-visit``, ``visit-done``."""
    _require_open(state, visit)
    return VisitDone(visit)


def _require_span(begin: datetime, end: datetime, at: datetime) -> None:
    if end <= begin:
        raise DatesOutOfOrder(
            found=f"a visit from {begin.isoformat()} until {end.isoformat()}",
            needed="an end after the beginning",
            next_step="correct the times",
            next_step_zh="请更正起止时间",
        )
    if local_date(begin) != local_date(end):
        raise VisitOverMidnight(found=f"a visit from {local_date(begin)} until {local_date(end)}")
    if begin < at:
        raise VisitInThePast(begin, at)


def _require_free(day: SquadDay, begin: datetime, end: datetime) -> None:
    for taken in sorted(day.bookings.values(), key=lambda booking: booking.begin):
        if begin < taken.end and taken.begin < end:
            raise VisitsOverlap(taken)


def _require_open(state: SquadDay | None, visit: UUID) -> None:
    booking = state.bookings.get(visit) if state is not None else None
    if booking is None:
        raise NoSuchVisit(found=f"visit {visit}", needed="a visit that the squad has on that day")
    if booking.done:
        raise VisitIsDone(visit)

"""Limits in working days: when one ends, which days did not count and why, and what a revised calendar does to it.

Sources: 民法典 (in force since 2021-01-01) §201 (the starting day does not count) and §203 (the last day ends at the
close of business); our decisions: a day does not count where the clock stood at its close of business, so a paused
limit never runs out; a deadline that a revised calendar moves earlier leaves at least one working day from the
publication.

A standard may also promise a limit by another office's custom: one that ends at the time of day at which it began, in
working or in civil days, and begins only once the office that takes reports in is open (``Intake``). Days and
times of day are those of the calendar's own wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID

from domain.deadlines.calendar import Calendar, CalendarVersion
from domain.kernel.frozen import frozen


@frozen
class ClockStop:
    """The clock stands from ``since`` until ``until`` (None: still), for at most ``cap_working_days`` of its days.

    ``until`` itself is running time again. ``by``: the ids of the events that decided it; ``reason``: its code.
    """

    since: datetime
    until: datetime | None
    cap_working_days: int
    by: tuple[UUID, ...]
    reason: str = ""

    def covers(self, instant: datetime) -> bool:
        return self.since <= instant and (self.until is None or instant < self.until)


DayUnit = Literal["working", "civil"]
DayEnd = Literal["close", "same-time"]


@frozen
class Intake:
    """When what comes in counts as received: on a day off, on the next working day at the same time of day; at
    ``until`` or later, at ``opens`` of the next working day; before ``opens``, at once. (As the City of Boston counted;
    our own standards have no such hours, since their e-channels receive round the clock.)"""

    until: Annotated[time, "Time of day until which reports count as of that day."]
    opens: Annotated[time, "Time of day at which the office opens."]


@frozen
class WorkingDays:
    """A limit of ``days`` working days that starts at ``start``; the clock stands during ``stops``, of which all
    together excuse at most ``stops_cap_working_days``.

    ``unit`` civil: every day counts. ``ends`` close: at the close of business; same-time: at the time of day at which
    the limit began. ``intake``: the hours that what comes in counts by, where days are working days.
    """

    start: datetime
    days: int
    close_of_business: time
    stops: tuple[ClockStop, ...] = ()
    stops_cap_working_days: int = 0
    unit: DayUnit = "working"
    ends: DayEnd = "close"
    intake: Intake | None = None


@frozen
class Count:
    """How a limit was counted: the working days that counted, and those that did not because the clock stood.

    ``excuses``: for each day of ``stood`` the stop that excused it.
    """

    counted: tuple[date, ...]
    stood: tuple[date, ...]
    due_at: datetime
    tentative: bool
    excuses: tuple[ClockStop, ...] = ()


@frozen
class CalendarTerm:
    """What one version of the calendar made of a limit: how it is counted by it, and what is judged by from then on."""

    version: CalendarVersion
    count: Count
    judged: datetime


@frozen
class End:
    """When a limit ends, by which version of the calendar. ``due_at`` is what is judged by: for a deadline that a
    revision moved earlier, not before one working day from the publication. ``steps``: how it came about, from the
    calendar that held at the start to the newest that applies."""

    limit: WorkingDays
    steps: tuple[CalendarTerm, ...]

    @property
    def due_at(self) -> datetime:
        return self.steps[-1].judged

    @property
    def tentative(self) -> bool:
        return self.steps[-1].count.tentative

    @property
    def calendar(self) -> str:
        return self.steps[-1].version.calendar.version


def received(limit: WorkingDays, calendar: Calendar) -> tuple[date, time]:
    """The day and the time of day, by the calendar's wall clock, at which what starts the limit counts as received."""
    start = calendar.local(limit.start)
    day, at = start.date(), start.time()
    if limit.intake is None or limit.unit == "civil":
        return day, at
    if not calendar.is_working_day(day):
        day = calendar.add_working_days(day, 1)
    if at >= limit.intake.until:
        day, at = calendar.add_working_days(day, 1), limit.intake.opens
    return day, at


def count(limit: WorkingDays, calendar: Calendar) -> Count:
    """Count the limit by one calendar."""
    counted: list[date] = []
    stood: list[date] = []
    excuses: list[ClockStop] = []
    left = {stop: stop.cap_working_days for stop in limit.stops}
    day, at = received(limit, calendar)
    ends_at = limit.close_of_business if limit.ends == "close" else at
    while len(counted) < limit.days:
        day = calendar.add_working_days(day, 1) if limit.unit == "working" else day + timedelta(days=1)
        excuse = _excuse(limit, left, calendar.instant(day, ends_at)) if left else None
        if excuse is not None and len(stood) < limit.stops_cap_working_days:
            left[excuse] -= 1
            stood.append(day)
            excuses.append(excuse)
        else:
            counted.append(day)
    tentative = limit.unit == "working" and calendar.is_tentative(day)
    return Count(tuple(counted), tuple(stood), calendar.instant(day, ends_at), tentative, tuple(excuses))


def _excuse(limit: WorkingDays, left: Mapping[ClockStop, int], closing: datetime) -> ClockStop | None:
    """The stop that excuses the day that ends then; None where the clock ran, or no stop has a day left."""
    return next((stop for stop in limit.stops if left[stop] and stop.covers(closing)), None)


def end(limit: WorkingDays, calendars: Sequence[CalendarVersion], met_at: datetime | None) -> End:
    """When the limit ends, by the newest calendar that was published before it was met.

    A commitment that was met keeps the verdict of the calendar it was met under; one that is open moves with every
    revision. ``calendars`` is not empty, oldest first.
    """
    applied = [version for version in calendars if met_at is None or version.published_at <= met_at] or [calendars[0]]
    begun = [version for version in applied if version.published_at <= limit.start] or applied[:1]
    nominal = count(limit, begun[-1].calendar)
    steps = [CalendarTerm(begun[-1], nominal, nominal.due_at)]
    for revision in applied[applied.index(begun[-1]) + 1 :]:
        moved = count(limit, revision.calendar)
        before = steps[-1]
        judged = _revised(before.count.due_at, moved.due_at, before.judged, revision, limit.close_of_business)
        steps.append(CalendarTerm(revision, moved, judged))
    return End(limit, tuple(steps))


def _revised(
    before: datetime, after: datetime, judged: datetime, revision: CalendarVersion, close_of_business: time
) -> datetime:
    """What is judged by after a revision: a later end at once; an earlier one with a working day's grace, and not at
    all where the limit had run out before the revision came."""
    if after > before:
        return max(after, judged)
    if after == before or revision.published_at >= judged:
        return judged
    return max(after, _one_working_day_after(revision, close_of_business))


def _one_working_day_after(revision: CalendarVersion, close_of_business: time) -> datetime:
    calendar = revision.calendar
    day = calendar.add_working_days(calendar.local(revision.published_at).date(), 1)
    return calendar.instant(day, close_of_business)


def stood_for(stops: Iterable[ClockStop], start: datetime, until: datetime) -> timedelta:
    """How long the clock stood between two instants; overlapping stops count once. Caps are not looked at here."""
    total, reached = timedelta(), start
    for stop in sorted(stops, key=lambda stop: stop.since):
        begin = max(stop.since, reached)
        finish = min(stop.until or until, until)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total

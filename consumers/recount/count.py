"""The counting itself: minutes one by one, working days one by one, and what had run out when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from consumers.recount.policy import RecountCalendar, StandardDocument
from consumers.recount.published_events import PublishedEvent

CHINA = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


# ---- a promise and its verdict


@dataclass(frozen=True, slots=True)
class DueChange:
    """From ``at`` on the promise ends at ``due_at``; None: it has no end, for ``reason``."""

    at: datetime
    due_at: datetime | None
    by: tuple[UUID, ...] = ()
    reason: str | None = None
    tentative: bool = False


@dataclass(frozen=True, slots=True)
class RecountVerdict:
    """What is to be said of a promise. ``lapses``: every end at which it was broken, or will be if nothing more becomes
    known. ``by``: the events that it stands on."""

    commitment: str
    opened_at: datetime
    due_at: datetime | None
    met_at: datetime | None
    cancelled: str | None
    lapses: frozenset[datetime]
    tentative: bool = False
    by: frozenset[UUID] = field(default=frozenset(), compare=False)
    provisional_until: datetime | None = None
    """Until when it counts as met, where more has to follow by then; then the next of ``later`` is to be said."""
    later: tuple[tuple[datetime, RecountVerdict], ...] = ()
    """What is to be said instead from an instant on, if nothing more becomes known; in order of time."""

    def said_at(self, at: datetime) -> RecountVerdict:
        """What is to be said at an instant."""
        return [self, *(each for begins, each in self.later if begins <= at)][-1]


def verdict(
    commitment: str, opened_at: datetime, changes: Sequence[DueChange], met: PublishedEvent | None
) -> RecountVerdict:
    """Go through the time from change to change and from end to end, and look each time at the limit in force.

    It is broken where its end is reached and it was not met by then; met at the very end is in time. A limit that was
    replaced before its end, or at it, breaks nothing. ``changes`` are in order of time.
    """
    # What was there before it was owed met it when it began to be owed.
    met_at = max(met.at, opened_at) if met is not None else None
    broken: set[datetime] = set()
    for now in sorted({each.at for each in changes} | {each.due_at for each in changes if each.due_at is not None}):
        in_force = [each for each in changes if each.at <= now]
        if not in_force:
            continue
        due_at = in_force[-1].due_at
        if due_at is None or due_at > now:
            continue
        if met_at is None or met_at > due_at:
            broken.add(due_at)
    last = changes[-1]
    return RecountVerdict(
        commitment,
        opened_at,
        last.due_at,
        met_at if last.due_at is not None else None,
        (last.reason or "no-end-limit") if last.due_at is None else None,
        frozenset(broken),
        last.tentative,
        frozenset([*(by for each in changes for by in each.by), *([met.id] if met else [])]),
    )


def since(begun: datetime, events: Iterable[PublishedEvent], standard: StandardDocument) -> list[PublishedEvent]:
    """What can fulfil a promise that began then. What is said to have happened before that by more than clocks differ
    fulfils nothing: whoever says it has a clock that runs wrong."""
    tolerated = timedelta(seconds=standard.get("future_tolerance_seconds", 120))
    return [each for each in events if begun - each.at <= tolerated]


# ---- minutes


def after(start: datetime, minutes: int) -> datetime:
    """So many minutes later, counted one by one."""
    now = start
    for _ in range(minutes):
        now += MINUTE
    return now


# ---- working days


@dataclass(frozen=True, slots=True)
class CountedPause:
    """The clock stands from ``since``; at ``until`` it runs again (None: it still stands). At most ``cap`` of its
    working days are excused."""

    since: datetime
    until: datetime | None
    cap: int

    def stands_at(self, instant: datetime) -> bool:
        return self.since <= instant and (self.until is None or instant < self.until)


def closing(day: date, close: time) -> datetime:
    """The close of business of a day in China."""
    return datetime.combine(day, close, CHINA).astimezone(UTC)


def next_worked(day: date, calendar: RecountCalendar) -> date:
    """The next working day after a day."""
    day += DAY
    while not calendar.is_worked(day):
        day += DAY
    return day


def last_day(
    start: date,
    days: int,
    close: time,
    calendar: RecountCalendar,
    pauses: Iterable[CountedPause] = (),
    all_caps: int = 0,
) -> date:
    """The last of so many working days, day by day. The day of the start does not count (民法典 §201, in force since
    2021-01-01), nor does one at whose close of business the clock stood, as far as the caps go."""
    standing = list(pauses)
    excused = [0] * len(standing)
    day, counted = start, 0
    while counted < days:
        day = next_worked(day, calendar)
        end_of_day = calendar.closing(day, close)
        for place, pause in enumerate(standing):
            if pause.stands_at(end_of_day) and excused[place] < pause.cap:
                if sum(excused) < all_caps:
                    excused[place] += 1
                else:
                    counted += 1
                break
        else:
            counted += 1
    return day


@dataclass(frozen=True, slots=True)
class DayLimit:
    """A limit in working days."""

    start: datetime
    days: int
    close: time
    pauses: tuple[CountedPause, ...] = ()
    all_caps: int = 0
    civil: bool = False
    until_same_time: bool = False
    hours: tuple[time, time] | None = None
    """When the office opens, and from when on what comes in waits for the next working day."""

    def taken_in(self, calendar: RecountCalendar) -> datetime:
        """By the wall clock: when what came in counts as received."""
        wall = self.start.astimezone(calendar.zone).replace(tzinfo=None)
        if self.hours is None or self.civil:
            return wall
        opens, until = self.hours
        while not calendar.is_worked(wall.date()):
            wall += DAY
        if wall.time() >= until:
            wall = datetime.combine(next_worked(wall.date(), calendar), opens)
        return wall

    def counted(self, calendar: RecountCalendar) -> tuple[date, datetime]:
        """The last day, and the instant of the end on it."""
        begun = self.taken_in(calendar)
        if self.civil:
            day = begun.date() + self.days * DAY
        else:
            day = last_day(begun.date(), self.days, self.close, calendar, self.pauses, self.all_caps)
        return day, calendar.closing(day, begun.time() if self.until_same_time else self.close)


def day_end(limit: DayLimit, calendars: Sequence[RecountCalendar], met_at: datetime | None) -> tuple[datetime, bool]:
    """When a limit ends, and whether a notice that is not out may still move it (暂定).

    It is counted by the calendar that was out when it began, and again at every revision until it was met. A revision
    that moves it later does so at once. One that moves it earlier leaves a working day from its publication, and moves
    nothing where the limit had run out before.
    """
    known = [each for each in calendars if met_at is None or each.published_at <= met_at] or [calendars[0]]
    at_the_start = [place for place, each in enumerate(known) if each.published_at <= limit.start]
    place = at_the_start[-1] if at_the_start else 0
    day, end = limit.counted(known[place])
    held_to = end
    for revision in known[place + 1 :]:
        day, moved_to = limit.counted(revision)
        if moved_to > end:
            held_to = max(held_to, moved_to)
        if moved_to < end and revision.published_at < held_to:
            grace = next_worked(revision.civil_day(revision.published_at), revision)
            held_to = max(moved_to, revision.closing(grace, limit.close))
        end = moved_to
    return held_to, day > known[-1].settled_until and not limit.civil

"""Calendars on their way to the public: a year's notice is merged into the region's calendar, which is published whole.

Sources: the State Council's notice of each year (holidays and make-up working days); a prefecture's own days off. Our
decisions: a notice owns the days from 29 December before its year until 28 December in it, since the next one has moved
days from the 29th on (2018, 2022); no year is left out, for it would silently be counted Monday to Friday.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.deadlines.calendar import HOME, SATURDAY, Calendar, CalendarPublished, Day
from domain.kernel.refusals import Refusal
from domain.publication.documents import require_new_version
from domain.publication.publishing import Calendars
from domain.publication.refusals import (
    CalendarLeavesOut,
    CalendarUnchanged,
    DayTwice,
    OutsideCalendar,
    SettledGoesBack,
    UnknownRegion,
    UnknownTimeZone,
    YearSkipped,
)
from domain.standard.context import CommandContext, require_power, require_second_person
from domain.standard.fees import first_repeated
from domain.standard.standards import Standard
from domain.standard.values import require_clean, require_range, require_said

_REGION = re.compile(r"[A-Z]{2}(?:-[A-Za-z0-9]{1,20}){0,4}")
_TIME_ZONE = re.compile(r"[A-Z][A-Za-z]{1,20}(?:/[A-Z][A-Za-z_-]{1,30}){1,2}|UTC")
_NUMBERED = re.compile(r"(?P<year>[0-9]{4})-(?P<number>[0-9]{1,4})")
WarningCode = Literal["notice-missing", "year-without-notice"]
FIRST_YEAR, LAST_YEAR = 2000, 2199
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class HolidayNotice:
    """One year's notice: the civil days that it moves. ``time_zone``: whose wall clock they are read by; None: the
    region's as before, China's where there was none. An overlay has that of what it lies over."""

    year: int
    days: tuple[Day, ...]
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a calendar leaves out of what was known: ``worked``, statutory days (for an overlay: any day off of what it
    lies over) that are worked by it, and ``fallen``, days that the calendar before moved and this one does not. Both
    in order."""

    worked: tuple[date, ...]
    fallen: tuple[date, ...]

    def __bool__(self) -> bool:
        return bool(self.worked or self.fallen)


def left_out(
    latest: CalendarPublished | None, document: CalendarPublished, off_below: Collection[date] = ()
) -> LeftOut:
    """What the document leaves out: a notice that was cut off in the middle would be published without a word. A day
    that it moves to the other side than before is no such day: it says something of it.

    ``off_below``: the days off of the regions that it lies over, of which an overlay may make worked ones.
    """
    moved = {day.date: day.off for day in document.days}
    known = {*document.statutory, *(latest.statutory if latest is not None else ())}
    worked = [day for day in known if day <= document.settled_until and not moved.get(day, day.weekday() >= SATURDAY)]
    worked += [day for day, off in moved.items() if not off and day in off_below and day not in known]
    before = latest.days if latest is not None else ()
    return LeftOut(tuple(sorted(worked)), tuple(sorted(day.date for day in before if day.date not in moved)))


def publish(
    state: Calendars | None,
    ctx: CommandContext,
    *,
    document: CalendarPublished,
    regions: Collection[str],
    off_below: Collection[date] = (),
    confirmed_by: str | None = None,
) -> CalendarPublished:
    """Publish a region's calendar; open deadlines move. ``regions``: those with a published calendar;
    ``off_below``: as of ``left_out``; ``confirmed_by``: the second person who confirms what the calendar leaves
    out (our decision: four eyes).

    Refuses ``wrong-role``, ``unknown-region`` (an overlay without what it lies over), ``bad-version``,
    ``version-used``, ``calendar-unchanged``, ``day-twice``, ``outside-calendar``, ``settled-goes-back``, ``bad-text``,
    ``unknown-time-zone``, ``calendar-leaves-out``, ``same-person``.
    """
    require_power(ctx, "calendar.publish")
    published = [each for _, each in (state or Calendars()).published]
    _require_region(document.region, regions)
    require_new_version(document.version, [each.version for each in published])
    require_clean(document)
    require_said("the source", document.source)
    _require_time_zone(document.time_zone)
    _require_days(document)
    if published:
        _require_going_on(published[-1], document)
    missing = left_out(published[-1] if published else None, document, off_below)
    if not missing:
        return document
    if confirmed_by is None:
        raise CalendarLeavesOut(missing)
    require_second_person(ctx, confirmed_by, "what the calendar leaves out")
    return replace(document, confirmed_by=confirmed_by)


def notice_merged(
    latest: CalendarPublished | None,
    notice: HolidayNotice,
    *,
    region: str,
    source: str,
    version: str | None = None,
    statutory: Iterable[date] = (),
) -> CalendarPublished:
    """The region's calendar after a notice: its year is replaced as a whole, every other year stays.

    ``version`` None: the year up to which days are settled, and a number that counts up. ``statutory``: days off by law
    where there is no calendar yet. Refuses ``out-of-range``, ``outside-calendar``, ``day-twice``, ``year-skipped``.
    """
    require_range("the notice's year", notice.year, FIRST_YEAR, LAST_YEAR)
    _require_notice_days(notice)
    _require_no_gap(latest, notice, region)
    kept = [day for day in (latest.days if latest else ()) if not _owns(notice, day.date)]
    days = {day.date: day for day in (*kept, *notice.days)}
    settled_until = date(notice.year, 12, 28)
    if latest is not None:
        settled_until = max(latest.settled_until, settled_until)
    return CalendarPublished(
        region=region,
        version=version or _next_version(latest, settled_until.year),
        settled_until=settled_until,
        days=tuple(days[day] for day in sorted(days)),
        statutory=latest.statutory if latest is not None else tuple(statutory),
        source=source,
        time_zone=notice.time_zone or (latest.time_zone if latest is not None else HOME),
    )


def _owns(notice: HolidayNotice, day: date) -> bool:
    return date(notice.year - 1, 12, 29) <= day <= date(notice.year, 12, 28)


def _next_version(latest: CalendarPublished | None, year: int) -> str:
    match = _NUMBERED.fullmatch(latest.version) if latest is not None else None
    number = int(match["number"]) + 1 if match is not None and int(match["year"]) == year else 1
    return f"{year}-{number}"


def _is_overlay(region: str) -> bool:
    return "-" in region


def _require_notice_days(notice: HolidayNotice) -> None:
    require_range("days of the notice", len(notice.days), 1, MOST_DAYS)
    _require_each_once(day.date for day in notice.days)
    first, last = date(notice.year - 1, 12, 1), date(notice.year, 12, 31)
    for day in notice.days:
        if not first <= day.date <= last:
            raise _outside(day.date, first, last)


def _require_no_gap(latest: CalendarPublished | None, notice: HolidayNotice, region: str) -> None:
    # An overlay names what is off in its region; a year without such a day is no gap.
    if latest is None or not latest.days or _is_overlay(region):
        return
    first, last = latest.days[0].date.year, latest.settled_until.year + 1
    if not first - 1 <= notice.year <= last:
        raise YearSkipped(notice, last, first)


def _require_region(region: str, regions: Collection[str]) -> None:
    parent = region.rpartition("-")[0]
    if not _REGION.fullmatch(region) or (parent and parent not in regions):
        raise UnknownRegion(region, {*regions, "a country as two capitals"})


def _require_time_zone(name: str) -> None:
    try:
        if _TIME_ZONE.fullmatch(name) and ZoneInfo(name):
            return
    except (ZoneInfoNotFoundError, OSError):
        pass
    raise UnknownTimeZone(name)


def _require_days(document: CalendarPublished) -> None:
    _require_each_once(day.date for day in document.days)
    first, last = date(FIRST_YEAR, 1, 1), date(document.settled_until.year, 12, 31)
    for day in document.days:
        if not first <= day.date <= last:
            raise _outside(day.date, first, last)


def _require_going_on(latest: CalendarPublished, document: CalendarPublished) -> None:
    if document.settled_until < latest.settled_until:
        raise SettledGoesBack(document, latest)
    if (latest.days, latest.settled_until, latest.statutory, latest.time_zone) == (
        document.days,
        document.settled_until,
        document.statutory,
        document.time_zone,
    ):
        raise CalendarUnchanged(latest)


def _require_each_once(days: Iterable[date]) -> None:
    if twice := first_repeated(day.isoformat() for day in days):
        raise DayTwice(twice)


def _outside(day: date, first: date, last: date) -> Refusal:
    return OutsideCalendar(day, first, last)


# ---- what is missing


@dataclass(frozen=True, slots=True)
class CalendarWarning:
    """A year whose notice is missing. ``notice-missing``: it is the coming year's, and usually out by now;
    ``year-without-notice``: it is the current one's, and every deadline is tentative."""

    code: WarningCode
    year: int
    settled_until: date
    message: str
    message_zh: str

    def __str__(self) -> str:
        loud = "ALARM" if self.code == "year-without-notice" else "WARNING"
        return f"{loud} {self.message} {self.message_zh}"


def calendar_warnings(calendar: Calendar, standard: Standard, today: date) -> tuple[CalendarWarning, ...]:
    """What a person should do something about, on that civil day (China)."""
    settled = calendar.settled_until
    if settled.year < today.year:
        message = f"no notice of {today.year} is loaded: every deadline after {settled} is tentative"
        message_zh = f"尚未载入{today.year}年放假安排，{settled}之后的期限均为暂定"
        return (CalendarWarning("year-without-notice", today.year, settled, message, message_zh),)
    if settled.year == today.year and today >= _warning_from(standard, today.year):
        year = today.year + 1
        message = f"the notice of {year} is usually out by now and is not loaded: load it with `tongshui calendar load`"
        message_zh = f"{year}年放假安排通常已公布而尚未载入，请载入"
        return (CalendarWarning("notice-missing", year, settled, message, message_zh),)
    return ()


def _warning_from(standard: Standard, year: int) -> date:
    month, day = map(int, standard.calendar_warning_from.split("-"))
    # 29 February in a year without one: the day before.
    return date(year, month, 1) + timedelta(days=day - 1) if (month, day) != (2, 29) else date(year, 2, 28)


def days_off(calendars: Iterable[Calendars | None]) -> frozenset[date]:
    """Every day that the newest calendars of these streams have off by law or by a notice."""
    newest = [state.published[-1][1] for state in calendars if state is not None and state.published]
    by_notice = {day.date for each in newest for day in each.days if day.off}
    return frozenset(by_notice.union(*(each.statutory for each in newest)))


def known_regions(calendars: Iterable[Calendars | None]) -> tuple[str, ...]:
    """The regions of these streams that have a published calendar."""
    return tuple(state.published[-1][1].region for state in calendars if state is not None and state.published)

"""Working days in China: published holidays, make-up working days, region overlays, and what lies beyond the horizon.

Sources: the State Council's yearly notice names days off and weekend days worked instead (调休); a prefecture may add
its own (自治州州庆). By 民法典 §201 (in force since 2021-01-01; before it 民法总则 §201) the starting day does not
count; by §203 of both the last day ends at 24:00, or at the close of business where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from domain.kernel.facts import fact
from domain.kernel.fields import Version

HOME = "Asia/Shanghai"
LOCAL = ZoneInfo(HOME)
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Day:
    """One civil day that a notice moves: ``off`` True is a day off, False a day worked."""

    date: Annotated[date, "The day."]
    off: Annotated[bool, "Whether it is a day off."]
    name: Annotated[str, "Name of the holiday, in Chinese."]


@fact("发布工作日历", "calendar published", topic="public", changes_rules=True)
class CalendarPublished:
    """A region's calendar was published or revised; the whole calendar, not a difference.

    ``settled_until``: the last civil day that no later notice is expected to move. ``statutory``: days off by law whose
    notice is not out yet, used only beyond it. ``time_zone``: whose wall clock its days and hours are read by.
    """

    region: Annotated[str, "Code of the region whose calendar it is."]
    version: Version
    settled_until: Annotated[date, "Last day whose calendar is published; later ends are tentative."]
    days: Annotated[tuple[Day, ...], "Every day that differs from its weekday."]
    statutory: Annotated[tuple[date, ...], "Statutory holidays, on which no limit ends and no office is open."]
    source: Annotated[str, "Where the days come from: the notice of the State Council's office, or the law."]
    time_zone: Annotated[str, "IANA name of the calendar's wall clock."] = HOME
    confirmed_by: Annotated[
        str | None,
        "Actor id of the second person who confirmed what the notice leaves out: statutory days that it leaves worked, "
        "and days of the calendar before that it no longer moves; null where it leaves out nothing.",
    ] = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which civil days are worked, in one version. ``names``: what the notice calls the days that it moves.

    ``zone``: whose wall clock it is. Where the clock is put forward, a time that it skips is as much later as was
    skipped; where it is put back, a time that comes twice is the earlier one (our decision: the strict reading).
    """

    version: str
    settled_until: date
    moved: Mapping[date, bool]
    statutory: frozenset[date]
    names: Mapping[date, str] = field(default_factory=dict)
    zone: ZoneInfo = LOCAL

    def local(self, instant: datetime) -> datetime:
        """An instant by the calendar's wall clock."""
        return instant.astimezone(self.zone)

    def instant(self, day: date, at: time) -> datetime:
        """The instant (UTC) of a time of day by the calendar's wall clock."""
        return datetime.combine(day, at.replace(fold=0), self.zone).astimezone(UTC)

    def is_working_day(self, day: date) -> bool:
        """Whether the utility's office works on that civil day (local date)."""
        off = self.moved.get(day)
        if off is None:
            off = day.weekday() >= SATURDAY or (day > self.settled_until and day in self.statutory)
        return not off

    def add_working_days(self, start: date, days: int) -> date:
        """The last day of a limit of ``days`` working days (≥ 1); the starting day does not count."""
        if days < 1:
            raise ValueError(f"a limit has at least one working day, found {days}")
        day = start
        while days:
            day += timedelta(days=1)
            days -= self.is_working_day(day)
        return day

    def is_tentative(self, day: date) -> bool:
        """Whether a limit that ends on ``day`` may still be moved by a notice that is not out yet (暂定)."""
        return day > self.settled_until


def from_published(chain: Iterable[CalendarPublished]) -> Calendar:
    """One calendar from a region chain, the widest region first; a narrower region's entry wins."""
    versions: list[str] = []
    moved: dict[date, bool] = {}
    names: dict[date, str] = {}
    statutory: set[date] = set()
    settled: date | None = None
    zone: str | None = None
    for published in chain:
        versions.append(f"{published.region}@{published.version}")
        moved.update({day.date: day.off for day in published.days})
        names.update({day.date: day.name for day in published.days})
        statutory.update(published.statutory)
        # An overlay says which days are off in its region, not how far the national notice reaches nor what time it is.
        settled = settled or published.settled_until
        zone = zone or published.time_zone
    if settled is None or zone is None:
        raise ValueError("a calendar needs at least one published region")
    return Calendar("+".join(versions), settled, moved, frozenset(statutory), names, ZoneInfo(zone))


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """The calendar of a region chain as it stood from ``published_at`` on, until the next version."""

    published_at: datetime
    calendar: Calendar


def versions(
    chain: Iterable[str], published: Iterable[tuple[datetime, CalendarPublished]]
) -> tuple[CalendarVersion, ...]:
    """Every version of a region chain's calendar, oldest first: each publication in one of its regions makes one.

    Raises LookupError where a region of the chain was never published.
    """
    regions = tuple(chain)
    latest: dict[str, CalendarPublished] = {}
    found: list[CalendarVersion] = []
    for published_at, document in sorted(published, key=lambda publication: publication[0]):
        if document.region not in regions:
            continue
        latest[document.region] = document
        if latest.keys() == set(regions):
            found.append(CalendarVersion(published_at, from_published(latest[region] for region in regions)))
    if not found:
        missing = ", ".join(sorted(set(regions) - latest.keys())) or "none"
        raise LookupError(f"calendar regions that are not published: {missing}; run `tongshui migrate`")
    return tuple(found)


def local_date(instant: datetime) -> date:
    """The civil day in China of an instant."""
    return instant.astimezone(LOCAL).date()


def closing_time(day: date, close_of_business: time) -> datetime:
    """The instant (UTC) at which a limit that ends on ``day`` runs out."""
    return datetime.combine(day, close_of_business, LOCAL).astimezone(UTC)

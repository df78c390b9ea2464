"""The policy as it was published: which standard governs an instant, and which days are worked by which calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from consumers.recount.published_events import PublishedEvent, instant

CHINA = ZoneInfo("Asia/Shanghai")

StandardDocument = Mapping[str, Any]
"""The published document. A number that it does not have promises nothing."""


@dataclass(frozen=True, slots=True)
class RecountCalendar:
    """The days of a chain of regions, as they stood from ``published_at`` on."""

    published_at: datetime
    moved: Mapping[date, bool]
    statutory: frozenset[date]
    settled_until: date
    zone: ZoneInfo = CHINA

    def civil_day(self, instant: datetime) -> date:
        """The day by the calendar's wall clock."""
        return instant.astimezone(self.zone).date()

    def closing(self, day: date, close: time) -> datetime:
        """The instant of a time of day; of one that comes twice the earlier one."""
        return datetime.combine(day, close.replace(fold=0), self.zone).astimezone(UTC)

    def is_worked(self, day: date) -> bool:
        """A notice says so; else Monday to Friday, less the days off by law where no notice is out yet."""
        if day in self.moved:
            return not self.moved[day]
        if day > self.settled_until and day in self.statutory:
            return False
        return day.weekday() < 5


@dataclass(eq=False)
class NoPolicyError(Exception):
    """The events name no standard, or none of the calendars that a standard counts by."""

    missing: str

    def __str__(self) -> str:
        return (
            f"no-policy: found no {self.missing} among the events; needed what was published on the public topic; "
            "give its events too"
        )


class Policy:
    """Everything published so far."""

    def __init__(self, events: Iterable[PublishedEvent]) -> None:
        # Of two versions in one stream the later counts: the order of the log is the order of publication.
        published = sorted(events, key=lambda event: event.position)
        self._standards = [event for event in published if event.type == "water.public.StandardPublished.v1"]
        self._calendars = [event for event in published if event.type == "water.public.CalendarPublished.v1"]
        self._chains: dict[tuple[str, ...], list[RecountCalendar]] = {}
        self._until: dict[tuple[int, int], Policy] = {}

    @property
    def newest(self) -> PublishedEvent | None:
        """The publication that came last."""
        return max((*self._standards, *self._calendars), key=lambda event: event.position, default=None)

    def until(self, position: int) -> Policy:
        """The policy as it was published up to a place in the log; the first of each where nothing was yet."""
        standards = [each for each in self._standards if each.position <= position] or self._standards[:1]
        regions: set[str] = set()
        calendars = []
        for each in self._calendars:
            if each.position <= position or each.data["region"] not in regions:
                calendars.append(each)
                regions.add(each.data["region"])
        key = len(standards), len(calendars)
        if key not in self._until:
            self._until[key] = Policy([*standards, *calendars])
        return self._until[key]

    def in_force(self, at: datetime) -> StandardDocument:
        """The standard with the latest date that had come by ``at`` (of two with one date the one published last); the
        oldest one for anything earlier still. Raises NoPolicyError."""
        if not self._standards:
            raise NoPolicyError("standard")
        chosen: StandardDocument | None = None
        for event in self._standards:
            begins = instant(event.data["effective_from"])
            if begins <= at and (chosen is None or begins >= instant(chosen["effective_from"])):
                chosen = event.data
        if chosen is None:
            chosen = min((event.data for event in self._standards), key=lambda data: instant(data["effective_from"]))
        return chosen

    def version(self, name: str) -> StandardDocument | None:
        """The standard that was published under that version; None where none was."""
        return next((event.data for event in reversed(self._standards) if event.data["version"] == name), None)

    def calendars_of(self, standard: StandardDocument) -> list[RecountCalendar]:
        """The calendar that the standard counts by, in every version, oldest first. Raises NoPolicyError."""
        chain = tuple(standard["calendar_regions"])
        if chain not in self._chains:
            self._chains[chain] = _versions(chain, sorted(self._calendars, key=lambda event: event.at))
        return self._chains[chain]


def _versions(chain: Sequence[str], published: Iterable[PublishedEvent]) -> list[RecountCalendar]:
    latest: dict[str, PublishedEvent] = {}
    found: list[RecountCalendar] = []
    for event in published:
        if event.data["region"] not in chain:
            continue
        latest[event.data["region"]] = event
        if all(region in latest for region in chain):
            found.append(_merged(event.at, [latest[region].data for region in chain]))
    if not found:
        raise NoPolicyError("calendar of " + ", ".join(region for region in chain if region not in latest))
    return found


def _merged(published_at: datetime, documents: Sequence[Mapping[str, Any]]) -> RecountCalendar:
    """The widest region first; a narrower region's day wins. How far notices reach is the widest region's to say."""
    moved: dict[date, bool] = {}
    statutory: set[date] = set()
    for document in documents:
        for day in document["days"]:
            moved[date.fromisoformat(day["date"])] = day["off"]
        statutory |= {date.fromisoformat(day) for day in document["statutory"]}
    widest = documents[0]
    zone = ZoneInfo(widest.get("time_zone", CHINA.key))
    return RecountCalendar(published_at, moved, frozenset(statutory), date.fromisoformat(widest["settled_until"]), zone)


def close_of_business(standard: StandardDocument) -> time:
    """When a working day ends."""
    return time.fromisoformat(standard["close_of_business"])

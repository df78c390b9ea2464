"""What is common to all of a standard: its version and date, calendar, clock, channels, districts and powers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from domain.kernel.fields import ChineseName, Version
from domain.kernel.remembered import remembered
from domain.standard.refusals import BadDay
from domain.standard.values import MOST_MINUTES, Between, Codes, require_fields

Zone = Literal["urban", "other"]


@dataclass(frozen=True, slots=True)
class District:
    """A district of the supply area and the zone whose arrival promise it has."""

    name_zh: ChineseName
    zone: Annotated[Zone, "Whether the district is in town or out of it: which arrival limit holds."]


@dataclass(frozen=True, slots=True)
class CommonSection:
    """What every slice reads. It is no part by itself: a standard has these fields at its top."""

    version: Version
    effective_from: Annotated[datetime, "From when on it is in force."]
    close_of_business: Annotated[
        time, "Time of day, on the calendar's wall clock, at which the last day of a limit ends."
    ]
    calendar_regions: Annotated[tuple[str, ...], "Codes of the calendars that count together."]
    districts: Annotated[Mapping[str, District], "Code of a district → its name and zone.", Codes(required=True)]
    allowed_lateness_minutes: Annotated[
        Mapping[str, int | None],
        "Channel → minutes after which a fact told over it needs a second person; null: never.",
        Codes(required=True),
        Between(0, MOST_MINUTES),
    ]
    future_tolerance_seconds: Annotated[
        int,
        "Seconds by which two clocks may differ: so far ahead an instant may lie, or before what it fulfils.",
        Between(0, 3600),
    ]
    late_upload_minutes: Annotated[
        int, "Minutes after which a device's record counts as uploaded late.", Between(1, MOST_MINUTES)
    ] = 10
    calendar_warning_from: Annotated[
        str, "Month and day (MM-DD) from which on a missing calendar of the next year is warned of."
    ] = "11-15"
    powers: Annotated[Mapping[str, tuple[str, ...]], "Power → the roles that have it."] = field(default_factory=dict)

    def require_sound(self) -> None:
        """Refuse what could not be worked by: ``bad-day`` and what ``require_fields`` refuses."""
        require_fields(self, CommonSection)
        try:
            date.fromisoformat(f"2000-{self.calendar_warning_from}")
        except ValueError:
            raise BadDay("calendar_warning_from", self.calendar_warning_from) from None

    @property
    def clock_tolerance(self) -> timedelta:
        """By how much two clocks may differ."""
        return _clock_tolerance(self)

    @property
    def settles_after(self) -> timedelta | None:
        """How long after its instant a verdict stays open: as long as a fact may come, by the slowest channel that has
        a limit, without a second person (our decision). None where no channel has one."""
        return _settles_after(self)


@remembered
def _clock_tolerance(section: CommonSection) -> timedelta:
    return timedelta(seconds=section.future_tolerance_seconds)


@remembered
def _settles_after(section: CommonSection) -> timedelta | None:
    limits = [minutes for minutes in section.allowed_lateness_minutes.values() if minutes is not None]
    return timedelta(minutes=max(limits)) if limits else None

"""A standard: one published version of all promises. Every number of the service is here, as data.

Sources of the numbers in the first standard: the published "0225" promises and four of the eight repair promises; where
they are silent, the utility's own decision, marked so in ``infra/data/standard-0225.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal

from domain.calendar import Calendar
from domain.refusals import Refusal

Zone = Literal["urban", "other"]
Severity = Literal["small", "medium", "major"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder before the end of a window: who is told, and when.

    Exactly one of the three says when: ``minutes`` after the start, ``percent`` of the span, or the close of the
    ``working_day``-th working day. ``unless_acknowledged``: the rung falls away once a crew has acknowledged.
    """

    name: str
    notify: tuple[str, ...]
    minutes: int | None = None
    percent: int | None = None
    working_day: int | None = None
    unless_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class District:
    """A district of the supply area and the zone whose arrival promise it has."""

    name_zh: str
    zone: Zone


@dataclass(frozen=True, slots=True)
class StandardPublished:
    """A standard was published. The whole document; later versions replace it from their date on."""

    version: str
    effective_from: datetime
    arrival_minutes: Mapping[Zone, int]
    completion_minutes: Mapping[Severity, int | None]
    unassessed_as: Severity
    connection_working_days: int
    close_of_business: time
    calendar_regions: tuple[str, ...]
    ladders: Mapping[str, tuple[Rung, ...]]
    notify_on_lapse: Mapping[str, tuple[str, ...]]
    districts: Mapping[str, District]
    fault_kinds: Mapping[str, str]
    applicant_categories: Mapping[str, str]
    allowed_lateness_minutes: Mapping[str, int | None]
    future_tolerance_seconds: int
    max_supply_points: int
    meter_verification_years: tuple[tuple[int, int], ...]


Standard = StandardPublished
FACTS: tuple[type, ...] = (StandardPublished,)


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges: every published standard, and the calendar of its regions."""

    standards: tuple[Standard, ...]
    calendar: Calendar

    def in_force(self, at: datetime) -> Standard:
        """The standard that governs a limit which starts at ``at``; the oldest one for anything earlier still."""
        begun = [standard for standard in self.standards if standard.effective_from <= at]
        if begun:
            return max(begun, key=lambda standard: standard.effective_from)
        return min(self.standards, key=lambda standard: standard.effective_from)


def district(standard: Standard, code: str) -> District:
    """The district with that code. Refuses ``unknown-district``."""
    found = standard.districts.get(code)
    if found is None:
        raise Refusal(
            "unknown-district",
            found=repr(code),
            needed="one of " + ", ".join(sorted(standard.districts)),
            next_step="choose a district of the supply area",
            next_step_zh="请选择供水范围内的片区",
        )
    return found


def require_known(code: str, found: str, known: Mapping[str, str]) -> None:
    """Refuse with ``code`` where ``found`` is not a key of ``known``."""
    if found not in known:
        raise Refusal(
            code,
            found=repr(found),
            needed="one of " + ", ".join(sorted(known)),
            next_step="choose one of the listed codes",
            next_step_zh="请从列出的代码中选择",
        )


def is_backdated(standard: Standard, channel: str, happened_at: datetime, at: datetime) -> bool:
    """Whether a fact comes later than the channel's allowed lateness (允许迟报). A channel without a limit: never."""
    allowed = standard.allowed_lateness_minutes.get(channel)
    return allowed is not None and (at - happened_at).total_seconds() > allowed * 60


def require_not_future(standard: Standard, happened_at: datetime, at: datetime) -> None:
    """Refuse ``future-time``: nothing can have happened later than now (plus the tolerance for device clocks)."""
    if (happened_at - at).total_seconds() > standard.future_tolerance_seconds:
        raise Refusal(
            "future-time",
            found=f"happened_at {happened_at.isoformat()}",
            needed=f"not later than {at.isoformat()} (+ {standard.future_tolerance_seconds} s)",
            next_step="check the device's clock and send the time at which it happened",
            next_step_zh="请核对设备时钟，填写实际发生时间",
        )

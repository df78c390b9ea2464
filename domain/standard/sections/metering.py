"""What a standard says of meters, readings and abnormal use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from domain.standard.values import MOST_DAYS, MOST_MINUTES, Between, Codes, require_fields, require_range


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """When a consumption is out of the ordinary (用量异常).

    ``compared_with``: how many earlier consumptions the median is of; fewer than ``compared_at_least`` say nothing.
    ``dial_over_percent``: a dial is taken to have started anew where it stood within so much of its end and stands
    within so much of its beginning; any other smaller reading is a falling one. ``still_gap_minutes``: readings that
    lie further apart cannot show that water never stood still in between. ``zero_hours``: no use over a shorter time is
    nothing odd.
    """

    compared_with: Annotated[int, "Of how many earlier consumptions the median is.", Between(1, 120)] = 6
    compared_at_least: Annotated[int, "With fewer earlier consumptions nothing is said."] = 3
    high_percent: Annotated[int, "Percent of the median above which a consumption is high.", Between(100, 10_000)] = 200
    high_more_m3: Annotated[int, "And at least so many m³ above the median.", Between(0, 1_000_000)] = 5
    dial_over_percent: Annotated[
        int, "Percent of the dial within which a dial is taken to have started anew.", Between(0, 50)
    ] = 10
    never_still_hours: Annotated[
        int, "Hours without standing still after which a leak is likely.", Between(1, 24 * 31)
    ] = 24
    still_gap_minutes: Annotated[
        int, "Readings further apart cannot show that water never stood still in between.", Between(1, MOST_MINUTES)
    ] = 60
    zero_hours: Annotated[int, "No use over a shorter time is nothing odd.", Between(0, 24 * MOST_DAYS)] = 0


@dataclass(frozen=True, slots=True)
class VerificationPeriod:
    """How long the verification of a meter holds, up to a diameter and a permanent flow rate Q3.

    ``q3_assumed``: a meter whose Q3 is not recorded is taken to be within. ``replaced``: it is verified once, and
    replaced when that ends; the others are verified again.
    """

    dn_mm: Annotated[int, "Largest nominal diameter in millimetres."]
    years: Annotated[int, "Years that a verification holds, until the day before its anniversary."]
    q3_m3h: Annotated[Decimal | None, "Largest permanent flow rate Q3 in m³/h; null: any."] = None
    q3_assumed: Annotated[bool, "Whether a meter whose Q3 is not recorded is taken to be within."] = False
    replaced: Annotated[bool, "Whether the meter is replaced at the end instead of verified again."] = False

    def holds_for(self, dn_mm: int, q3_m3h: Decimal | None) -> bool:
        """Whether it is the period of such a meter."""
        if dn_mm > self.dn_mm:
            return False
        return self.q3_m3h is None or (self.q3_assumed if q3_m3h is None else q3_m3h <= self.q3_m3h)


@dataclass(frozen=True, slots=True)
class MeteringSection:
    """Of meters, readings, reading rounds and abnormal use. A number that a standard does not have promises nothing. A
    standard without ``meter_verification`` counts by ``meter_verification_years``."""

    meter_verification_years: Annotated[
        tuple[tuple[int, int], ...],
        "Pairs of largest nominal diameter in millimetres and years that a verification holds.",
    ]
    meter_verification: Annotated[
        tuple[VerificationPeriod, ...],
        "How long a verification holds; the first period that fits counts. Empty: by meter_verification_years.",
    ] = ()
    meter_expiry_warning_days: Annotated[
        int | None,
        "Days before the end of a verification from which on the meter is listed; null: it is not watched.",
        Between(1, MOST_DAYS),
    ] = None
    meter_replacements: Annotated[Mapping[str, str], "Code → why a meter may be replaced.", Codes()] = field(
        default_factory=dict
    )
    readings: Annotated[ReadingPolicy, "When a reading stands out."] = ReadingPolicy()
    reading_exceptions: Annotated[Mapping[str, str], "Code → why a meter may be left unread.", Codes()] = field(
        default_factory=dict
    )
    usage_audit_minutes: Annotated[
        int | None, "Minutes in which abnormal use is looked at; null: no promise.", Between(0, MOST_MINUTES)
    ] = None
    usage_notice_minutes: Annotated[
        int | None, "Minutes in which the user is told of it; null: no promise.", Between(0, MOST_MINUTES)
    ] = None
    usage_ways: Annotated[Mapping[str, str], "Code → how a user is told of abnormal use.", Codes()] = field(
        default_factory=dict
    )
    usage_dismissals: Annotated[Mapping[str, str], "Code → why it may be nothing.", Codes()] = field(
        default_factory=dict
    )
    usage_outcomes: Annotated[Mapping[str, str], "Code → what may come of it.", Codes()] = field(default_factory=dict)
    leak_findings: Annotated[Mapping[str, str], "Code → what a search for a leak may find.", Codes()] = field(
        default_factory=dict
    )

    def require_sound(self) -> None:
        """Refuse ``out-of-range`` and what else ``require_fields`` refuses."""
        require_fields(self, MeteringSection)
        require_range("readings: compared_at_least", self.readings.compared_at_least, 1, self.readings.compared_with)
        for what, value, least, most in (*self._years(), *self._periods()):
            require_range(what, value, least, most)

    def _years(self) -> Iterator[tuple[str, int, int, int]]:
        """What a number is of, the number, and the least and the most it can be. Diameters go up."""
        widest = 0
        for dn_mm, years in self.meter_verification_years:
            yield "meter_verification_years: a diameter of", dn_mm, widest + 1, 1_000_000
            yield "meter_verification_years: years of", years, 1, 50
            widest = dn_mm

    def _periods(self) -> Iterator[tuple[str, int, int, int]]:
        """The same. Diameters do not go down, and the last period takes whatever meter there is."""
        widest = 1
        for period in self.meter_verification:
            yield "meter_verification: a diameter of", period.dn_mm, widest, 1_000_000
            yield "meter_verification: years of", period.years, 1, 50
            yield "meter_verification: a Q3 in litres an hour of", _litres(period.q3_m3h), 1, 100_000_000
            widest = period.dn_mm
        if self.meter_verification:
            last = self.meter_verification[-1]
            yield "meter_verification: the diameter of the last period,", last.dn_mm, 4_000, 1_000_000
            yield "meter_verification: limits of Q3 in the last period,", int(last.q3_m3h is not None), 0, 0


def _litres(q3_m3h: Decimal | None) -> int:
    """Litres an hour; 1 where any flow rate fits, 0 of what is no number."""
    if q3_m3h is None:
        return 1
    return int(q3_m3h * 1000) if q3_m3h.is_finite() else 0

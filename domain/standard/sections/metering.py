"""What a standard says of meters, readings and abnormal use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """When a consumption is out of the ordinary (用量异常).

    ``compared_with``: how many earlier consumptions the median is of; fewer than ``compared_at_least`` say nothing.
    ``dial_over_percent``: a dial is taken to have started anew where it stood within so much of its end and stands
    within so much of its beginning; any other smaller reading is a falling one. ``still_gap_minutes``: readings that
    lie further apart cannot show that water never stood still in between. ``zero_hours``: no use over a shorter time is
    nothing odd.
    """

    compared_with: Annotated[int, "Of how many earlier consumptions the median is."] = 6
    compared_at_least: Annotated[int, "With fewer earlier consumptions nothing is said."] = 3
    high_percent: Annotated[int, "Percent of the median above which a consumption is high."] = 200
    high_more_m3: Annotated[int, "And at least so many m³ above the median."] = 5
    dial_over_percent: Annotated[int, "Percent of the dial within which a dial is taken to have started anew."] = 10
    never_still_hours: Annotated[int, "Hours without standing still after which a leak is likely."] = 24
    still_gap_minutes: Annotated[int, "Readings further apart cannot show that water never stood still in between."] = (
        60
    )
    zero_hours: Annotated[int, "No use over a shorter time is nothing odd."] = 0


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
        int | None, "Days before the end of a verification from which on the meter is listed; null: it is not watched."
    ] = None
    meter_replacements: Annotated[Mapping[str, str], "Code → why a meter may be replaced."] = field(
        default_factory=dict
    )
    readings: Annotated[ReadingPolicy, "When a reading stands out."] = ReadingPolicy()
    reading_exceptions: Annotated[Mapping[str, str], "Code → why a meter may be left unread."] = field(
        default_factory=dict
    )
    usage_audit_minutes: Annotated[int | None, "Minutes in which abnormal use is looked at; null: no promise."] = None
    usage_notice_minutes: Annotated[int | None, "Minutes in which the user is told of it; null: no promise."] = None
    usage_ways: Annotated[Mapping[str, str], "Code → how a user is told of abnormal use."] = field(default_factory=dict)
    usage_dismissals: Annotated[Mapping[str, str], "Code → why it may be nothing."] = field(default_factory=dict)
    usage_outcomes: Annotated[Mapping[str, str], "Code → what may come of it."] = field(default_factory=dict)
    leak_findings: Annotated[Mapping[str, str], "Code → what a search for a leak may find."] = field(
        default_factory=dict
    )

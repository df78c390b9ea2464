"""How long the forced verification of a meter holds, by the periods of a standard.

Source of the shipped periods: JJG 162-2019, 饮用冷水水表检定规程 (in force since 2020-03-31). Our decisions: it holds
until the day before the anniversary of the verification; whether a meter whose Q3 nobody recorded is taken to be a
small one is data of the standard. A standard without such periods counts as it always did, by diameter alone and until
the anniversary itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from domain.metering.meters import MeterDetails
from domain.standard.standards import Standard


@dataclass(frozen=True, slots=True)
class Verification:
    """What a standard makes of a meter's verification. ``until``: its last day by the standard, whatever the
    certificate
    says. ``q3_missing``: a longer period would hold if the meter's Q3 were known to be small enough. ``replaced``: the
    meter is replaced then, and not verified again."""

    years: int
    until: date
    q3_missing: bool
    replaced: bool


def verification(meter: MeterDetails, standard: Standard) -> Verification:
    """How long the meter's verification holds by the standard."""
    if not standard.metering.meter_verification:
        years = next(years for dn_mm, years in standard.metering.meter_verification_years if meter.dn_mm <= dn_mm)
        return Verification(years, _anniversary(meter.verified_on, years), q3_missing=False, replaced=False)
    periods = [each for each in standard.metering.meter_verification if meter.dn_mm <= each.dn_mm]
    period = next(each for each in periods if each.holds_for(meter.dn_mm, meter.q3_m3h))
    return Verification(
        years=period.years,
        until=_day_before_anniversary(meter.verified_on, period.years),
        q3_missing=meter.q3_m3h is None and period is not periods[0],
        replaced=period.replaced,
    )


def is_verified(meter: MeterDetails, standard: Standard, day: date) -> bool:
    """Whether the meter's verification holds on that civil day, by its certificate and by the standard."""
    return meter.verified_on <= day <= min(meter.expires_on, verification(meter, standard).until)


def _anniversary(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


def _day_before_anniversary(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years) - timedelta(days=1)
    except ValueError:  # 29 February: the year has gone round once its 28 February is over
        return date(day.year + years, 2, 28)

"""How long the verification of a meter holds: by diameter and Q3, or by an older standard by diameter alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.kernel.refusals import Refusal
from domain.metering.meters import MeterDetails
from domain.metering.verification import is_verified, verification
from domain.publication import standards
from domain.standard.flat import with_changes
from domain.standard.sections.metering import VerificationPeriod
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_standard
from tests.unit.cases import meter
from tests.unit.office import a_standard, by

SHIPPED = shipped_standard()
OLDER = with_changes(SHIPPED, meter_verification=())
"""As a standard of before: no periods by Q3."""
VERIFIED = date(2026, 3, 1)


def a_meter(dn_mm: int, q3: str | None = None, verified_on: date = VERIFIED) -> MeterDetails:
    return replace(
        meter(),
        dn_mm=dn_mm,
        q3_m3h=None if q3 is None else Decimal(q3),
        verified_on=verified_on,
        expires_on=date(2099, 1, 1),
    )


@pytest.mark.parametrize(
    ("dn_mm", "q3", "years", "replaced"),
    [
        (15, "2.5", 6, True),
        (25, "6.3", 6, True),
        (25, "16", 6, True),
        (25, "16.001", 2, False),
        (32, "10", 4, True),
        (40, "16", 4, True),
        (50, "16", 4, True),
        (50, "25", 2, False),
        (50, "40", 2, False),
        (65, "16", 2, False),
        (200, "400", 2, False),
    ],
)
def test_diameter_and_q3_say_how_long(dn_mm: int, q3: str, years: int, replaced: bool) -> None:
    found = verification(a_meter(dn_mm, q3), SHIPPED)
    assert (found.years, found.replaced, found.q3_missing) == (years, replaced, False)
    assert found.until == date(2026 + years, 3, 1) - timedelta(days=1), "the day before the anniversary"


def test_of_a_meter_whose_q3_nobody_recorded_only_a_small_one_is_taken_to_be_within() -> None:
    assert (verification(a_meter(25), SHIPPED).years, verification(a_meter(25), SHIPPED).q3_missing) == (6, False)
    assert (verification(a_meter(40), SHIPPED).years, verification(a_meter(40), SHIPPED).q3_missing) == (2, True)
    assert (verification(a_meter(80), SHIPPED).years, verification(a_meter(80), SHIPPED).q3_missing) == (2, False)


def test_it_is_valid_until_the_day_before_the_anniversary() -> None:
    assert is_verified(a_meter(20), SHIPPED, date(2032, 2, 29))
    assert not is_verified(a_meter(20), SHIPPED, date(2032, 3, 1))
    assert not is_verified(a_meter(20), SHIPPED, date(2026, 2, 28)), "nor before the verification"


def test_a_certificate_that_ends_earlier_counts() -> None:
    short = replace(a_meter(20), expires_on=date(2027, 1, 1))
    assert (is_verified(short, SHIPPED, date(2027, 1, 1)), is_verified(short, SHIPPED, date(2027, 1, 2))) == (
        True,
        False,
    )


def test_a_verification_on_a_leap_day_has_gone_round_on_28_february() -> None:
    assert verification(a_meter(20, verified_on=date(2024, 2, 29)), SHIPPED).until == date(2030, 2, 28)
    assert verification(a_meter(40, "10", date(2024, 2, 29)), SHIPPED).until == date(2028, 2, 28)


def test_a_standard_of_before_judges_as_it_did() -> None:
    assert verification(a_meter(50, "40"), OLDER).until == date(2030, 3, 1)
    assert is_verified(a_meter(20), OLDER, date(2032, 3, 1)), "until the anniversary itself"
    assert verification(a_meter(20, verified_on=date(2020, 2, 29)), OLDER).until == date(2026, 2, 28)


@pytest.mark.parametrize(
    "changes",
    [
        {"meter_verification": (VerificationPeriod(25, 6, Decimal(16)),)},
        {"meter_verification": (VerificationPeriod(100_000, 2, Decimal(16)),)},
        {"meter_verification": (VerificationPeriod(50, 4), VerificationPeriod(25, 6), VerificationPeriod(100_000, 2))},
        {"meter_verification": (VerificationPeriod(25, 0), VerificationPeriod(100_000, 2))},
        {"meter_verification": (VerificationPeriod(25, 6, Decimal(0)), VerificationPeriod(100_000, 2))},
        {"meter_verification": (VerificationPeriod(25, 6, Decimal("NaN")), VerificationPeriod(100_000, 2))},
        {"meter_expiry_warning_days": 0},
    ],
)
def test_periods_that_leave_a_meter_out_are_refused(rules: Rules, changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match=r"^out-of-range: "):
        standards.draft(None, by(rules, "manager"), document=a_standard(**changes), regions=("CN",))

"""Meters whose verification ends, over a real PostgreSQL: the query dates each as the rule does."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from domain.metering.verification import verification
from domain.standard.flat import with_changes
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import shipped_standard
from infra.meter_verifications import meter_verifications, meters_ending
from projections.read_models.meters import METERS, MeterRow
from tests.api_world import MORNING
from tests.unit.cases import meter

TODAY = date(2026, 9, 16)
SIZES = (15, 25, 26, 32, 50, 51, 200)
FLOWS = (None, Decimal("2.5"), Decimal("16"), Decimal("16.5"))
DAYS = (
    date(2020, 2, 29),
    date(2020, 9, 16),
    date(2020, 9, 17),
    date(2022, 9, 17),
    date(2024, 2, 28),
    date(2024, 9, 16),
)


@pytest.mark.parametrize("standard", [shipped_standard(), with_changes(shipped_standard(), meter_verification=())])
def test_each_verification_ends_on_the_day_that_the_rule_says(service: Service, standard: Any) -> None:
    meters = [
        meter(f"M-{number}", dn_mm=dn, q3_m3h=q3, verified_on=day, expires_on=date(2027, 1, 1) if number % 5 else TODAY)
        for number, (dn, q3, day) in enumerate(product(SIZES, FLOWS, DAYS))
    ]
    rows = [
        MeterRow(
            UUID(int=1),
            number,
            each.number,
            each.dn_mm,
            each.q3_m3h,
            each.verified_on,
            each.expires_on,
            MORNING,
            number,
        )
        for number, each in enumerate(meters, start=1)
    ]
    # An older standard's own rule is not asked here: what its certificates say is all that is known.
    by_rule = bool(standard.metering.meter_verification)
    ends = {
        each.number: min(each.expires_on, verification(each, standard).until) if by_rule else each.expires_on
        for each in meters
    }
    until = TODAY + timedelta(days=60)
    with psycopg.connect(service.settings.database_url, autocommit=True, row_factory=dict_row) as connection:
        METERS.store(connection.cursor(), rows)
        found = meters_ending(connection, standard, TODAY, days=60, limit=1_000)
        counted = meter_verifications(connection, service.rules, MORNING)
    assert {row["meter"]: row["ends_on"] for row in found} == {
        number: day for number, day in ends.items() if day <= until
    }
    assert [row["ends_on"] for row in found] == sorted(row["ends_on"] for row in found)
    assert found[0]["expired"] == sum(day < TODAY for day in ends.values())
    assert found[0]["ending"] == sum(TODAY <= day <= until for day in ends.values())
    replaced = {each.number: verification(each, standard).replaced for each in meters}
    assert {row["meter"]: row["replaced"] for row in found} == {row["meter"]: replaced[row["meter"]] for row in found}
    if by_rule:
        assert counted is not None
        assert (counted.expired, counted.ending) == (found[0]["expired"], found[0]["ending"])

"""The indicators of each month and district, held against the figures of the same month, counted otherwise."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from infra.clock import ManualClock
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import shipped_rules
from projections.reports.figures import PeriodFigures, figures
from projections.reports.indicators import INDICATORS, after, indicators, months_between
from tests.api_read_models import project
from tests.api_world import Client, app_of, staff
from tests.connection_history import tell_all

AT = datetime(2026, 12, 3, 4, tzinfo=UTC)
FIRST, LAST = date(2026, 8, 1), date(2026, 12, 1)
DISTRICTS = ("qianzhou", "jishou")


@pytest.fixture
def connection(service: Service, clock: ManualClock) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Five applications, and many random incidents and outages of five months."""
    project(service, [event for case in tell_all(service, clock).values() for event in service.load(case.stream)[1]])
    clock.move(AT - clock.now())
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    with psycopg.connect(service.settings.database_url, autocommit=True, row_factory=dict_row) as opened:
        fill(opened, random.Random(seed))
        yield opened


def fill(connection: psycopg.Connection[Any], dice: random.Random) -> None:
    for number in range(150):
        case = UUID(int=dice.getrandbits(128), version=4)
        opened_at = datetime(2026, 7, 31, 12, tzinfo=UTC) + timedelta(hours=dice.randrange(3_000))
        district = dice.choice(DISTRICTS)
        family = dice.choice(("repair", "repair", "order", "book"))
        stage = dice.choice(("reported", "reported", "merged")) if family == "repair" else "open"
        connection.execute(
            "INSERT INTO views.cases (case_id, family, case_number, kind, channel, stage, open, opened_at, "
            "supply_points, points_on, reports, flags, version, position, updated_at, district) VALUES (%s, %s, %s, "
            "'leak', 'hotline', %s, true, %s, 0, 0, 1, 0, 1, %s, %s, %s)",
            [
                case,
                family,
                f"N-{number}",
                stage,
                opened_at,
                10_000 + number,
                opened_at,
                district if family == "repair" else None,
            ],
        )
        promises = {"order": ("order.reply",), "book": ("book.read",)}.get(
            family, ("repair.arrival", "repair.completion", "repair.answer")
        )
        for commitment in promises:
            # Nobody was on site of an incident that was merged.
            state = dice.choice(("running", "lapsed", "cancelled", "unknown", *(("met",) if stage != "merged" else ())))
            met_at = opened_at + timedelta(minutes=dice.randrange(1, 600)) if state == "met" else None
            connection.execute(
                "INSERT INTO views.windows (case_id, commitment, family, number, opened_at, due_at, tentative, "
                "standard, state, met_at, lapses, retracted, position) VALUES (%s, %s, %s, 1, %s, "
                "%s, false, 's', %s, %s, %s, 0, 1)",
                [case, commitment, family, opened_at, opened_at, state, met_at, dice.randrange(2)],
            )
    for number in range(40):
        started_at = datetime(2026, 7, 30, tzinfo=UTC) + timedelta(hours=dice.randrange(3_000))
        restored_at = dice.choice((None, started_at + timedelta(hours=dice.randrange(1, 900))))
        connection.execute(
            "INSERT INTO views.outages (case_id, case_number, kind, districts, affected_users, announced_at, notices, "
            "proven, failed, started_at, restored_at, water_litres, position) VALUES (%s, %s, 'planned', %s, %s, %s, "
            "%s, 0, 0, %s, %s, 0, 1)",
            [
                UUID(int=dice.getrandbits(128), version=4),
                f"O-{number}",
                dice.sample(["qianzhou", "jishou"], dice.randrange(3)),
                dice.randrange(500),
                started_at,
                dice.randrange(2),
                started_at,
                restored_at,
            ],
        )


def same_of(found: PeriodFigures) -> dict[str, float | None]:
    """The indicators that the figures of the month say too."""
    outages = found.outages
    began = outages.planned + outages.emergency + outages.unannounced
    on_time = sum(each.by_final.on_time for each in found.repairs.classes)
    late = sum(each.by_final.late for each in found.repairs.classes)
    return {
        "applications": found.applications,
        "connection_on_time": found.on_time_percent,
        "incidents": found.repairs.incidents,
        "arrival_on_time": found.repairs.arrival.on_time_percent,
        "arrival_minutes": found.repairs.arrival_median_minutes,
        "answer_on_time": found.repairs.answers.on_time_percent,
        "completion_on_time": round(100 * on_time / (on_time + late), 1) if on_time + late else None,
        "orders_on_time": found.repairs.orders_replied.on_time_percent,
        "outages": began,
        "outages_noticed": round(100 * outages.noticed / began, 1) if began else None,
        "outage_index": outages.index_minutes,
    }


def test_the_indicators_of_a_month_are_its_figures(connection: psycopg.Connection[dict[str, Any]]) -> None:
    rules = shipped_rules()
    report = indicators(connection, FIRST, LAST, at=AT, rules=rules)
    city = {row.month: row.values for row in report.months if row.district is None}
    assert list(city) == ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12"]
    for month in months_between(FIRST, LAST):
        last = after(month) - timedelta(days=1)
        customers = rules.in_force(AT).outages.customers
        expected = same_of(figures(connection, month, last, at=AT, customers=customers))
        told = city[f"{month:%Y-%m}"]
        assert {code: told[code] for code in expected} == expected, month
    assert sum(values["applications"] or 0 for values in city.values()) == 5
    assert {values["connection_steps"] for values in city.values()} == {2}
    assert {values["connection_documents"] for values in city.values()} == {2}


def test_districts_are_counted_beside_the_city(connection: psycopg.Connection[dict[str, Any]]) -> None:
    report = indicators(connection, FIRST, LAST, at=AT, rules=shipped_rules())
    city = sum(row.values["incidents"] or 0 for row in report.months if row.district is None)
    parts = sum(row.values.get("incidents") or 0 for row in report.months if row.district is not None)
    assert city == parts > 0
    whole = {each.code for each in INDICATORS}
    of_places = {each.code for each in INDICATORS if each.by_district}
    assert all(set(row.values) == (whole if row.district is None else of_places) for row in report.months)


def test_anybody_gets_them_with_the_position_that_they_hold(
    service: Service, connection: psycopg.Connection[dict[str, Any]]
) -> None:
    client = Client(app_of(service))
    found = client.get("/api/v1/indicators?to=2026-12-31&months=5").json()
    assert found["position"] == 10_149
    assert [each["code"] for each in found["indicators"]] == [each.code for each in INDICATORS]
    assert (found["rows"][0]["month"], found["rows"][0]["district"]) == ("2026-08", None)
    assert client.get("/api/v1/indicators?to=0001-01-01").json()["rows"], "the first month that there is"
    assert client.get("/api/v1/indicators?months=61").json()["code"] == "bad-parameter"


def test_the_cases_behind_a_number_are_listed(service: Service, connection: psycopg.Connection[dict[str, Any]]) -> None:
    client = Client(app_of(service))
    report = client.get("/api/v1/indicators?to=2026-10-01&months=1").json()["rows"]
    city, district = (next(row for row in report if row["district"] == place) for place in (None, "qianzhou"))
    asked = "/api/v1/cases?kind=repair&from=2026-10-01&to=2026-10-31&limit=500"
    auditor = staff("auditor")
    listed = [each for each in client.get(asked, headers=auditor).json()["cases"] if each["stage"] != "merged"]
    assert len(listed) == city["values"]["incidents"]
    there = client.get(f"{asked}&district=qianzhou", headers=auditor).json()["cases"]
    assert len([each for each in there if each["stage"] != "merged"]) == district["values"]["incidents"]
    refused = client.get("/api/v1/cases?from=2026-10-02&to=2026-10-01", headers=auditor)
    assert refused.json()["code"] == "dates-out-of-order"

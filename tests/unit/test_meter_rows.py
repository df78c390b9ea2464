"""Which meter is in at a supply point, and what is answered and counted of the end of its verification."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from api.http.metrics import families
from domain.connections import facts as f
from domain.standard.flat import with_changes
from infra.meter_verifications import MeterVerifications, meter_verifications
from infra.status import Head, Status
from projections.read_models.meters import METERS, MeterRow
from tests.api_world import MORNING, Client, FakeService, app_over, staff
from tests.unit.cases import SUBJECT, meter, minutes
from tests.unit.test_connection_views import event

PATH = "/api/v1/meters/verification"
FIRST, SECOND = meter("M-1"), meter("M-2", dn_mm=40, q3_m3h=Decimal("16"))


def rows_after(*told: tuple[float, Any]) -> dict[Any, Any]:
    rows: dict[Any, Any] = {}
    for version, (minute, fact) in enumerate(told, start=1):
        METERS.take(rows, event(fact, minute, version))
    return rows


def test_a_supply_point_has_the_meter_that_went_in_last() -> None:
    rows = rows_after(
        (0, f.MeterInstalled(1, FIRST)),
        (5, f.WaterTurnedOn(1, SUBJECT, FIRST)),
        (6, f.MeterInstalled(2, meter("M-3"))),
        (60, f.MeterReplaced(1, "M-1", Decimal(7), SECOND, "worn-out")),
    )
    assert {key[1]: row.meter for key, row in rows.items()} == {1: "M-2", 2: "M-3"}
    case = UUID(int=1)
    assert rows[case, 1] == MeterRow(
        case, 1, "M-2", 40, Decimal("16"), date(2026, 6, 1), date(2032, 6, 1), minutes(60), 4
    )


def test_water_that_is_turned_on_later_leaves_the_meter_in_since_it_went_in() -> None:
    rows = rows_after((0, f.MeterInstalled(1, FIRST)), (5, f.WaterTurnedOn(1, SUBJECT, FIRST)))
    assert [row.in_since for row in rows.values()] == [minutes(0)]


def test_a_meter_that_was_verified_again_has_its_new_verification() -> None:
    again = f.MeterVerified(1, "M-1", date(2028, 6, 1), date(2030, 5, 31), Decimal("25"))
    (row,) = rows_after((0, f.MeterInstalled(1, FIRST)), (60, again)).values()
    assert (row.verified_on, row.expires_on, row.q3_m3h) == (date(2028, 6, 1), date(2030, 5, 31), Decimal("25"))
    assert row.in_since == minutes(0)
    gone = replace(again, meter="M-0")
    (row,) = rows_after((0, f.MeterInstalled(1, FIRST)), (60, gone)).values()
    assert row.verified_on == date(2026, 6, 1), "a meter that has gone changes nothing"


def test_facts_of_before_q3_was_recorded_are_read() -> None:
    told = event(f.MeterInstalled(1, FIRST), 0, 1)
    told.data["meter"].pop("q3_m3h")
    rows: dict[Any, Any] = {}
    METERS.take(rows, told)
    assert [row.q3_m3h for row in rows.values()] == [None]


# ---- asked about


def ending(meter_number: str, ends_on: date) -> dict[str, Any]:
    return {
        "meter": meter_number,
        "case_id": UUID(int=1),
        "point": 1,
        "dn_mm": 40,
        "q3_m3h": None,
        "verified_on": date(2024, 9, 1),
        "expires_on": date(2028, 8, 31),
        "ends_on": ends_on,
        "replaced": False,
        "expired": 1,
        "ending": 2,
    }


def test_the_list_says_what_has_run_out_and_on_which_articles_it_rests() -> None:
    service, asked = FakeService(), []
    service.answers["meters_ending"] = lambda wanted: (
        asked.append(wanted) or [ending("M-1", date(2026, 9, 15)), ending("M-2", date(2026, 9, 16))]  # type: ignore[func-returns-value]
    )
    shown = Client(app_over(service)).get(f"{PATH}?limit=1", headers=staff("meter-reader")).json()
    assert (shown["expired"], shown["ending"], shown["days"], shown["more"]) == (1, 2, 60, True)
    assert [(each["meter"], each["expired"]) for each in shown["meters"]] == [("M-1", True)]
    assert shown["basis"] == ["jjg-162-2019", "metrology-9"]
    (wanted,) = asked
    assert (wanted["today"], wanted["until"]) == (date(2026, 9, 16), date(2026, 11, 15))
    assert wanted["years"] == [6, 4, 2]


def test_a_verification_lasts_through_its_last_day() -> None:
    service = FakeService()
    service.answers["meters_ending"] = lambda _: [ending("M-2", date(2026, 9, 16))]
    (shown,) = Client(app_over(service)).get(PATH, headers=staff("meter-reader")).json()["meters"]
    assert shown["expired"] is False


def test_who_may_not_look_at_readings_gets_no_list() -> None:
    answer = Client(app_over(FakeService())).get(PATH, headers=staff("public"))
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-role")


# ---- counted


def test_the_meters_are_a_figure_where_the_standard_watches_them() -> None:
    service = FakeService()
    service.answers["meters_ending"] = lambda _: [ending("M-1", date(2026, 9, 1))]
    with service.connection() as connection:
        found = meter_verifications(connection, service.rules, MORNING)
        unwatched = tuple(with_changes(each, meter_expiry_warning_days=None) for each in service.rules.standards)
        assert meter_verifications(connection, replace(service.rules, standards=unwatched), MORNING) is None
    assert found == MeterVerifications(expired=1, ending=2, days=60)
    status = Status(Head(0, None, uuid4()), 1.0, None, (), ())
    named = {family.name: family for family in families(replace(status, meters=found))}
    samples = named["tongshui_meter_verifications"].samples
    assert {sample.labels["state"]: sample.value for sample in samples} == {"expired": 1, "ending": 2}
    assert "tongshui_meter_verifications" not in {family.name for family in families(status)}

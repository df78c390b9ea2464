"""Meters change: one out, another in, in one step with the case; one that is out may go in elsewhere."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from infra.eventstore.shipped_rules import meter_stream
from tests.api_world import METER, Client, FakeService, app_over, ready_for_water, step, turned_on

NEW = METER | {"number": "JS-2026-0002"}
BODY: dict[str, Any] = {"final_reading_m3": "12.5", "reason": "expired", "meter": NEW}
PATH = "supply-points/1/meter-replacement"


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


@pytest.fixture
def case_id(client: Client) -> str:
    found = ready_for_water(client)
    assert turned_on(client, found).status_code == 200
    return found


def replaced(client: Client, case_id: str, code: str | None = None, role: str = "crew", **changes: Any) -> Any:
    answer = step(client, case_id, PATH, BODY | changes, role)
    assert answer.json().get("code") == code, answer.text
    return answer


def last(service: FakeService, stream: UUID) -> tuple[str, dict[str, Any]]:
    event = json.loads(service.events[stream][-1])
    return event["type"].split(".")[2], event["data"]


def test_case_and_both_meters_change_together(service: FakeService, client: Client, case_id: str) -> None:
    replaced(client, case_id)
    name, data = last(service, UUID(case_id))
    assert (name, data["old_meter"], data["meter"]["number"]) == ("MeterReplaced", "JS-2026-0001", "JS-2026-0002")
    assert (data["final_reading_m3"], data["flags"]) == ("12.5", [])
    out, gone = last(service, meter_stream("JS-2026-0001").id)
    assert (out, gone["final_reading_m3"]) == ("MeterTakenOut", "12.5")
    into, there = last(service, meter_stream("JS-2026-0002").id)
    assert (into, there["point"]) == ("MeterPutIntoService", 1)
    assert client.get(f"/api/v1/cases/{case_id}").json()["meters"] == {"1": "JS-2026-0002"}


def test_a_meter_that_is_out_may_go_in_elsewhere(service: FakeService, client: Client, case_id: str) -> None:
    other = ready_for_water(client)
    assert turned_on(client, other).json()["code"] == "meter-already-in-service"
    replaced(client, case_id)
    assert turned_on(client, other).status_code == 200
    replaced(client, case_id, "meter-already-in-service", meter=METER)


def test_the_new_meter_must_be_verified(client: Client, case_id: str) -> None:
    replaced(client, case_id, "meter-not-verified", meter=NEW | {"expires_on": "2026-09-01"})


def test_a_final_reading_below_the_first_is_flagged_and_not_refused(
    service: FakeService, client: Client, case_id: str
) -> None:
    replaced(client, case_id, meter=NEW | {"initial_reading_m3": "7"})
    replaced(client, case_id, meter=METER | {"number": "JS-3"}, final_reading_m3="3")
    assert last(service, UUID(case_id))[1]["flags"] == ["final-below-initial"]


def test_a_meter_is_not_replaced_by_itself(client: Client, case_id: str) -> None:
    replaced(client, case_id, "meter-already-installed", meter=METER)


def test_where_no_meter_is_in_none_is_replaced(client: Client) -> None:
    replaced(client, ready_for_water(client), "meter-missing")


def test_a_reason_is_one_of_the_standard(client: Client, case_id: str) -> None:
    replaced(client, case_id, "unknown-replacement-reason", reason="whim")


def test_a_reader_replaces_no_meter(client: Client, case_id: str) -> None:
    replaced(client, case_id, "wrong-role", role="meter-reader")


def test_a_final_reading_below_zero_is_no_reading(client: Client, case_id: str) -> None:
    replaced(client, case_id, "bad-body", final_reading_m3="-1")


def test_a_wrong_meter_can_be_exchanged_before_water_is_on(client: Client) -> None:
    case_id = ready_for_water(client)
    body = {"meter": METER}
    assert step(client, case_id, "supply-points/1/meter", body, "crew").status_code == 200
    replaced(client, case_id)
    assert step(client, case_id, "supply-points/1/water-on", {}, "crew").status_code == 200


# ---- verified again


LARGE = METER | {"dn_mm": 80, "q3_m3h": "63", "verified_on": "2026-03-01", "expires_on": "2028-02-29"}
AGAIN: dict[str, Any] = {"number": "js-2026-0001", "verified_on": "2026-09-15", "expires_on": "2028-09-14"}


def verified(client: Client, case_id: str, code: str | None = None, role: str = "crew", **changes: Any) -> Any:
    answer = step(client, case_id, "supply-points/1/meter-verification", AGAIN | changes, role)
    assert answer.json().get("code") == code, answer.text
    return answer.json()


@pytest.fixture
def large(client: Client) -> str:
    found = ready_for_water(client)
    assert turned_on(client, found, meter=LARGE).status_code == 200
    return found


def test_a_large_meter_is_verified_again_where_it_is(service: FakeService, client: Client, large: str) -> None:
    verified(client, large)
    name, data = last(service, UUID(large))
    assert (name, data["meter"], data["q3_m3h"]) == ("MeterVerified", "JS-2026-0001", "63")
    assert (data["verified_on"], data["expires_on"]) == ("2026-09-15", "2028-09-14")
    verified(client, large, "verification-unchanged")
    assert client.get(f"/api/v1/cases/{large}").json()["meters"] == {"1": "JS-2026-0001"}


def test_a_small_meter_is_verified_once_and_then_replaced(client: Client, case_id: str) -> None:
    refused = verified(client, case_id, "meter-to-be-replaced")
    assert [each["code"] for each in refused["basis"]] == ["jjg-162-2019"]


def test_a_q3_that_becomes_known_is_recorded_whatever_it_makes_of_the_meter(
    service: FakeService, client: Client, case_id: str
) -> None:
    same: dict[str, Any] = {"verified_on": METER["verified_on"], "expires_on": METER["expires_on"]}
    verified(client, case_id, **same, q3_m3h="2.5")
    assert last(service, UUID(case_id))[1]["q3_m3h"] == "2.5"
    verified(client, case_id, "bad-body", **same, q3_m3h="0")
    verified(client, case_id, **same, q3_m3h="25")
    verified(client, case_id)  # with such a flow it is a large meter


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("meter-already-installed", {"number": "JS-2026-0009"}),
        ("meter-not-verified", {"verified_on": "2026-09-17"}),
        ("meter-not-verified", {"expires_on": "2026-09-15"}),
        ("wrong-role", {"role": "counter"}),
    ],
)
def test_a_verification_that_cannot_be_is_refused(
    client: Client, large: str, code: str, changes: dict[str, Any]
) -> None:
    verified(client, large, code, **changes)


def test_without_a_meter_nothing_is_verified(client: Client) -> None:
    verified(client, ready_for_water(client), "meter-missing")

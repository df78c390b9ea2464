"""Alerts over HTTP: what calls staff, and taking it in hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import kinds
from infra.eventstore.commands import Stream, evaluation_of
from infra.sql.bounds import bounds_of
from tests.api_world import MORNING, Client, FakeService, app_over, fault, staff

ARRIVAL = "repair.arrival"
MANAGER = staff("duty-manager", "duty-1")


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


@pytest.fixture
def lapsed(service: FakeService, client: Client) -> str:
    """An incident to which nobody came in half an hour."""
    case_id = str(client.post("/api/v1/repairs", fault(), headers=staff("hotline")).json()["case_id"])
    service.clock.move(timedelta(minutes=30))
    service.run(evaluation_of(Stream(kinds.REPAIR, UUID(case_id)), "watch"))
    return case_id


def taken(client: Client, case_id: str, body: Any = None, commitment: str = ARRIVAL, **headers: str) -> Any:
    path = f"/api/v1/cases/{case_id}/windows/{commitment}/acknowledgement"
    return client.post(path, body, headers={**MANAGER, **headers})


def test_a_lapse_is_taken_in_hand_by_a_named_person(service: FakeService, client: Client, lapsed: str) -> None:
    answer = taken(client, lapsed)
    assert answer.status_code == 200
    assert answer.json()["case_number"] == "BX-2026-000001"
    last = client.get(f"/api/v1/cases/{lapsed}").json()["timeline"][-1]
    assert (last["fact"], last["actor"], last["role"]) == ("WindowAcknowledged", "duty-1", "duty-manager")
    assert last["data"] | {"basis": None, "number": None} == {
        "commitment": ARRIVAL,
        "number": None,
        "lapse": 1,
        "rung": None,
        "due_at": "2026-09-16T01:30:00Z",
        "by": "duty-1",
        "basis": None,
    }


def test_said_twice_it_changes_nothing_and_another_person_is_told_who_has_it(client: Client, lapsed: str) -> None:
    first = taken(client, lapsed).json()
    again = taken(client, lapsed)
    assert again.status_code == 200
    assert again.json()["last_version"] == first["last_version"]
    other = taken(client, lapsed, **{"X-Actor": "duty-2"})
    assert (other.status_code, other.json()["code"]) == (409, "already-acknowledged")
    assert "duty-1" in other.json()["found"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ({"lapse": 2}, {}, 409, "nothing-to-acknowledge"),
        ({"lapse": 0}, {}, 422, "bad-body"),
        ({"lapse": "1"}, {}, 422, "bad-body"),
        ({"rung": "13812345678"}, {}, 422, "bad-body"),
        ({"lapse": 1, "why": "because"}, {}, 422, "bad-body"),
        ({}, {"X-Role": "public"}, 403, "wrong-role"),
        ({}, {"X-Actor": "anonymous"}, 422, "person-needed"),
    ],
)
def test_what_cannot_be_taken_in_hand_is_refused(
    client: Client, lapsed: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    answer = taken(client, lapsed, body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_case_or_a_window_that_is_not_there_is_not_found(client: Client, lapsed: str) -> None:
    assert taken(client, str(uuid4())).json()["code"] == "no-such-case"
    assert taken(client, lapsed, commitment="order.reply").json()["code"] == "no-such-window"


def test_an_explanation_tells_steps_and_who_took_it_in_hand(service: FakeService, client: Client, lapsed: str) -> None:
    service.clock.move(timedelta(minutes=10))
    service.run(evaluation_of(Stream(kinds.REPAIR, UUID(lapsed)), "watch"))
    taken(client, lapsed)
    found = client.get(f"/api/v1/cases/{lapsed}/windows/{ARRIVAL}").json()
    step, acknowledged = found["window"]["verdicts"][-2:]
    assert (step["verdict"], step["step"], step["notify"]) == ("escalated", "after-10-min", ["manager"])
    assert (acknowledged["verdict"], acknowledged["lapse"], acknowledged["by"]) == ("acknowledged", 1, "duty-1")
    assert any("升级 escalated, lapse 1" in line and "step 升级 after-10-min" in line for line in found["text"])
    assert any("确认接手 acknowledged" in line and "by 由 duty-1" in line for line in found["text"])


def test_alerts_are_asked_for_by_role_and_told_with_what_became_of_them(service: FakeService, client: Client) -> None:
    asked: list[Any] = []
    row = {
        "id": uuid4(),
        "case_id": uuid4(),
        "case_number": "BX-1",
        "mass": None,
        "change": "lapsed",
        "commitment": ARRIVAL,
        "lapse": 1,
        "step": None,
        "due_at": MORNING,
        "roles": ["duty-manager"],
        "urgent": True,
        "raised_at": MORNING,
        "cause": None,
        "closed_by": None,
        "closed_at": None,
        "tellings": [{"role": "duty-manager", "way": "email", "change": "lapsed", "state": "proven", "grouped": False}],
    }

    def rows(wanted: Any) -> list[dict[str, Any]]:
        asked.append(wanted)
        return [row, row, row]

    service.answers["alerts_list"] = rows
    answer = client.get("/api/v1/alerts?role=duty-manager&limit=2").json()
    assert (len(answer["alerts"]), answer["more"]) == (2, True)
    assert answer["alerts"][0]["tellings"][0]["state"] == "proven"
    assert asked == [{"role": "duty-manager", "open": True, "case_id": None, "limit": 3, **bounds_of()}]
    assert client.get("/api/v1/alerts?role=Boss!").json()["code"] == "bad-parameter"

"""Crews over HTTP: sent, said no, taken away, freed; never on two incidents at once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra.eventstore.shipped_rules import crew_stream
from tests.api_world import DISPATCHER, MORNING, Client, FakeService, app_over, fault, staff

NOBODY = uuid4()
FORM = {"crew": "crew-1", "name_zh": "抢修一班", "skills": ["pipes"], "lead": "lead-a"}


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def reported(client: Client) -> str:
    answer = client.post("/api/v1/repairs", fault())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def told(client: Client, case_id: Any, step: str, body: dict[str, Any], status: int = 200) -> httpx.Response:
    answer = client.post(f"/api/v1/repairs/{case_id}/{step}", body, headers=staff("dispatcher"))
    assert answer.status_code == status, answer.text
    return answer


def of_crew(service: FakeService, crew: str = "crew-1") -> list[str]:
    return [json.loads(event)["type"].split(".")[2] for event in service.events.get(crew_stream(crew).id, [])]


def on(service: FakeService, crew: str = "crew-1") -> str | None:
    state, _ = service.load(crew_stream(crew))
    return str(state.assignment.case_id) if state is not None and state.assignment is not None else None


def test_a_crew_is_on_its_incident_until_the_repair_is_done(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    told(client, case_id, "dispatch", {"crew": "crew-1"})
    assert on(service) == case_id
    told(client, case_id, "completion", {})
    assert of_crew(service) == ["CrewAssigned", "CrewReleased"]
    told(client, case_id, "closure", {})
    assert of_crew(service) == ["CrewAssigned", "CrewReleased"]
    told(client, reported(client), "dispatch", {"crew": "crew-1"})


def test_a_busy_crew_is_refused_with_the_other_incidents_number(client: Client, service: FakeService) -> None:
    first, second = reported(client), reported(client)
    told(client, first, "dispatch", {"crew": "crew-1"})
    problem = told(client, second, "dispatch", {"crew": "Crew-1"}, 409).json()
    assert problem["code"] == "crew-busy"
    assert "BX-2026-000001" in problem["found"]
    assert on(service) == first
    assert all("CrewDispatched" not in json.loads(event)["type"] for event in _events(service, second))


def _events(service: FakeService, case_id: str) -> list[bytes]:
    return next(events for id_, events in service.events.items() if str(id_) == case_id)


def test_a_crew_is_taken_away_from_the_incident_that_is_named(client: Client, service: FakeService) -> None:
    first, second = reported(client), reported(client)
    told(client, first, "dispatch", {"crew": "crew-1"})
    told(client, second, "dispatch", {"crew": "crew-1", "reassigned_from": first})
    assert on(service) == second
    assert of_crew(service) == ["CrewAssigned", "CrewReleased", "CrewAssigned"]
    assert json.loads(_events(service, first)[-1])["type"] == "water.repair.CrewWithdrawn.v1"
    told(client, first, "dispatch", {"crew": "crew-2"})
    answer = told(client, second, "dispatch", {"crew": "crew-3", "reassigned_from": second})
    assert answer.json()["case_number"] == "BX-2026-000002"


@pytest.mark.parametrize("where", ["nowhere", "elsewhere"])
def test_a_crew_is_not_taken_from_where_it_is_not(client: Client, service: FakeService, where: str) -> None:
    case_id = reported(client)
    named, status = (str(NOBODY), 404) if where == "nowhere" else (reported(client), 409)
    problem = told(client, case_id, "dispatch", {"crew": "crew-1", "reassigned_from": named}, status).json()
    assert problem["code"] == ("no-such-case" if where == "nowhere" else "crew-elsewhere")
    assert of_crew(service) == []


def test_another_crew_frees_the_one_before(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    told(client, case_id, "dispatch", {"crew": "crew-1"})
    told(client, case_id, "dispatch", {"crew": "crew-2"})
    assert (on(service), on(service, "crew-2")) == (None, case_id)


def test_a_crew_that_says_no_is_free_and_the_incident_without_one(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    told(client, case_id, "dispatch", {"crew": "crew-1"})
    told(client, case_id, "decline", {"crew": "crew-1", "reason": "vehicle"})
    assert on(service) is None
    told(client, case_id, "dispatch", {"crew": "crew-1"})
    assert on(service) == case_id


def test_the_no_of_another_crew_frees_nobody(client: Client, service: FakeService) -> None:
    first, second = reported(client), reported(client)
    told(client, first, "dispatch", {"crew": "crew-1"})
    told(client, second, "decline", {"crew": "crew-1", "reason": "still-busy"})
    assert on(service) == first


def test_a_dispatch_that_is_sent_again_is_done_once(client: Client, service: FakeService) -> None:
    case_id, headers = reported(client), DISPATCHER | {"Idempotency-Key": "k-1"}
    for replayed in (False, True):
        answer = client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-1"}, headers=headers)
        assert answer.status_code == 200
        assert ("idempotency-replayed" in answer.headers) is replayed
    assert of_crew(service) == ["CrewAssigned"]


def test_a_field_fact_of_a_crew_that_was_not_sent_is_taken_down(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    told(client, case_id, "arrival", {"crew": "crew-7"})
    told(client, case_id, "completion", {})
    assert of_crew(service, "crew-7") == []


def test_a_crew_is_formed_works_and_is_seen(client: Client, service: FakeService) -> None:
    answer = client.post("/api/v1/crews", FORM, headers=staff("manager"))
    assert (answer.status_code, answer.json()["case_number"]) == (201, "crew-1")
    for step, body in (("shift/start", {}), ("position", {"district": "zhenxi"}), ("shift/end", {})):
        answer = client.post(f"/api/v1/crews/crew-1/{step}", body, headers=staff("crew"))
        assert answer.status_code == 200, answer.text
    assert of_crew(service) == ["CrewFormed", "ShiftStarted", "CrewLocated", "ShiftEnded"]


@pytest.mark.parametrize(
    ("path", "body", "role", "status", "code"),
    [
        ("", FORM, "public", 403, "wrong-role"),
        ("", {**FORM, "skills": ["juggling"]}, "manager", 422, "unknown-skill"),
        ("", {**FORM, "skills": ["pipes", "pipes"]}, "manager", 422, "code-twice"),
        ("", {**FORM, "name_zh": ""}, "manager", 422, "bad-body"),
        ("", {**FORM, "name_zh": "13812345678"}, "manager", 422, "bad-body"),
        ("", {**FORM, "lead": "13812345678"}, "manager", 422, "bad-body"),
        ("", {**FORM, "phone": "13812345678"}, "manager", 422, "bad-body"),
        ("/crew-1/shift/start", {}, "crew", 409, "crew-not-formed"),
        ("/crew-1/shift/start", {"happened_at": "2026-09-16T02:00:00Z"}, "crew", 422, "future-time"),
        ("/crew-1/position", {"district": "atlantis"}, "crew", 422, "unknown-district"),
        ("/crew-1/position", {"district": "zhenxi", "latitude": 28.3}, "crew", 422, "bad-body"),
        ("/13812345678/position", {"district": "zhenxi"}, "crew", 422, "bad-parameter"),
    ],
)
def test_a_bad_crew_is_refused(
    client: Client, service: FakeService, path: str, body: dict[str, Any], role: str, status: int, code: str
) -> None:
    answer = client.post(f"/api/v1/crews{path}", body, headers=staff(role))
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert of_crew(service) == []


@pytest.mark.parametrize("reason", ["tired-of-it", "", None, 7])
def test_a_no_without_a_listed_reason_is_refused(client: Client, reason: Any) -> None:
    case_id = reported(client)
    answer = told(client, case_id, "decline", {"crew": "crew-1", "reason": reason}, 422)
    assert answer.json()["code"] == ("unknown-decline-reason" if reason == "tired-of-it" else "bad-body")


def test_the_nearest_free_crews_are_suggested(client: Client, service: FakeService) -> None:
    def row(crew: str, district: str | None) -> dict[str, Any]:
        seen = MORNING - timedelta(minutes=2) if district else None
        return {"crew": crew, "name_zh": "班", "skills": ["pipes"], "district": district, "located_at": seen}

    service.answers["free_crews"] = lambda _: [row("crew-1", None), row("crew-2", "hexi"), row("crew-3", "zhenxi")]
    found = client.get("/api/v1/crews/suggestions?district=zhenxi&skill=pipes").json()["crews"]
    assert [(crew["crew"], crew["seen_seconds_ago"]) for crew in found] == [
        ("crew-3", 120),
        ("crew-2", 120),
        ("crew-1", None),
    ]
    assert client.get("/api/v1/crews/suggestions?district=zhenxi&skill=welding").json() == {"crews": []}
    for query, code in (("district=atlantis", "unknown-district"), ("district=zhenxi&skill=juggling", "unknown-skill")):
        answer = client.get(f"/api/v1/crews/suggestions?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, code)

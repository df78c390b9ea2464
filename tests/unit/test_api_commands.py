"""Commands over HTTP: a request becomes one command of the domain, and its receipt the answer."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api_world import (
    APPLICANT,
    DISPATCHER,
    METER,
    REPORTER,
    Client,
    FakeService,
    app_over,
    application,
    fault,
    ready_for_water,
    turned_on,
)


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def reported(client: Client, **changes: Any) -> str:
    answer = client.post("/api/v1/repairs", fault(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def facts(service: FakeService, case_id: str) -> list[str]:
    return [json.loads(event)["type"].split(".")[2] for event in service.events.get(UUID(case_id), [])]


def last(service: FakeService, case_id: str, name: str) -> dict[str, Any]:
    events = [json.loads(event) for event in service.events[UUID(case_id)]]
    return next(event for event in reversed(events) if event["type"].split(".")[2] == name)


def test_a_report_opens_a_case_and_says_where_to_find_it(client: Client, service: FakeService) -> None:
    answer = client.post("/api/v1/repairs", fault())
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/cases/{body['case_id']}"
    assert "idempotency-replayed" not in answer.headers
    assert body["case_number"] == "BX-2026-000001"
    assert (body["first_version"], body["last_version"], body["position"]) == (1, 3, 3)
    assert body["recorded_at"] == "2026-09-16T01:00:00Z"
    assert facts(service, body["case_id"]) == ["FaultReported", "WindowOpened", "WindowOpened"]


def test_a_repair_runs_from_report_to_closed_file(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    evidence = {
        "inside_geofence": True,
        "distance_m": 12,
        "accuracy_m": 8,
        "photo_digest": "sha256:" + "0" * 64,
    }
    steps: list[tuple[str, dict[str, Any]]] = [
        ("reports", {"reporter": REPORTER}),
        ("dispatch", {"crew": "crew-1"}),
        ("acknowledgement", {"crew": "crew-1"}),
        ("arrival", {"crew": "crew-1", "evidence": evidence}),
        ("assessment", {"severity": "major", "reason": "trunk-main"}),
        ("completion", {}),
        ("restoration", {}),
        ("closure", {}),
    ]
    for step, body in steps:
        answer = client.post(f"/api/v1/repairs/{case_id}/{step}", body, headers=DISPATCHER)
        assert answer.status_code == 200, answer.text
        assert answer.json()["case_number"] == "BX-2026-000001"
    said = [name for name in facts(service, case_id) if not name.startswith("Window")]
    assert said == [
        "FaultReported",
        "ReportLinked",
        "CrewDispatched",
        "DispatchAcknowledged",
        "CrewArrived",
        "SeverityAssessed",
        "RepairCompleted",
        "WaterRestored",
        "CaseClosed",
    ]
    assert last(service, case_id, "CrewArrived")["data"]["evidence"] == evidence


def test_an_application_runs_until_its_last_supply_point_has_water(client: Client, service: FakeService) -> None:
    case_id = ready_for_water(client, supply_points=2)
    for point in (1, 2):
        answer = turned_on(client, case_id, point, METER | {"number": f"JS-000{point}"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["case_number"] == "BZ-2026-000001"
    assert facts(service, case_id)[-4:] == ["MeterInstalled", "WaterTurnedOn", "WindowMet", "WindowMet"]
    assert last(service, case_id, "WaterTurnedOn")["data"]["meter"] == {
        **METER,
        "number": "JS-0002",
        "q3_m3h": None,
    }


def test_a_meters_number_is_taken_without_blanks_and_in_capitals(client: Client, service: FakeService) -> None:
    first, second = ready_for_water(client), ready_for_water(client)
    assert turned_on(client, first, meter=METER | {"number": " js-0001 "}).status_code == 200
    assert last(service, first, "WaterTurnedOn")["data"]["meter"]["number"] == "JS-0001"
    again = turned_on(client, second, meter=METER | {"number": "JS-0001"})
    assert (again.status_code, again.json()["code"]) == (409, "meter-already-in-service")
    assert not {"MeterInstalled", "WaterTurnedOn"} & set(facts(service, second)), "together or not at all"


def test_headers_say_who_asked(client: Client, service: FakeService) -> None:
    headers = {"X-Actor": "disp-4", "X-Role": "dispatcher", "X-Channel": "hotline", "X-Correlation-Id": "call-9"}
    answer = client.post("/api/v1/repairs", fault(), headers=headers)
    event = last(service, answer.json()["case_id"], "FaultReported")
    said = {name: event[name] for name in ("actor", "role", "channel", "correlationid")}
    assert said == {"actor": "disp-4", "role": "dispatcher", "channel": "hotline", "correlationid": "call-9"}
    assert answer.headers["x-correlation-id"] == "call-9"


def test_without_headers_the_public_asks_over_the_website(client: Client, service: FakeService) -> None:
    event = last(service, reported(client), "FaultReported")
    assert (event["actor"], event["role"], event["channel"]) == ("anonymous", "public", "website")
    assert event["correlationid"] == event["commandid"]


def test_particulars_go_to_the_vault_and_into_no_event(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    client.post(f"/api/v1/repairs/{case_id}/reports", {"reporter": {"phone": "0743-8220000"}}, headers=DISPATCHER)
    assert turned_on(client, ready_for_water(client)).status_code == 200
    kept = [dict(subject.particulars) for subject in service.subjects]
    assert kept == [REPORTER, {"phone": "0743-8220000"}, APPLICANT]
    published = b"".join(event for events in service.events.values() for event in events).decode()
    for value in {*REPORTER.values(), *APPLICANT.values(), "0743-8220000"}:
        assert value not in published
    subject = last(service, case_id, "FaultReported")["data"]["subject"]
    assert subject == {"id": str(service.subjects[0].id), "revision": 1}


def test_a_claimed_time_is_kept_in_utc_and_without_one_it_is_now(client: Client, service: FakeService) -> None:
    claimed = reported(client, happened_at="2026-09-16T08:50:00+08:00")
    assert last(service, claimed, "FaultReported")["time"] == "2026-09-16T00:50:00Z"
    assert last(service, reported(client), "FaultReported")["time"] == "2026-09-16T01:00:00Z"


def test_an_assessments_reason_is_taken_down_as_a_code(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    for reason in ("Main fitting/joint", "main-fitting-joint"):
        body = {"severity": "medium", "reason": reason}
        assert client.post(f"/api/v1/repairs/{case_id}/assessment", body, headers=DISPATCHER).status_code == 200
        assert last(service, case_id, "SeverityAssessed")["data"]["reason"] == "main-fitting-joint"


# ---- idempotency


def test_a_repeated_request_is_done_once_and_answered_as_it_was(client: Client, service: FakeService) -> None:
    headers = {"Idempotency-Key": "5f0c", "X-Actor": "staff-1"}
    first = client.post("/api/v1/repairs", fault(), headers=headers)
    second = client.post("/api/v1/repairs", fault(), headers=headers)
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(service.events) == 1


def test_a_retried_creation_is_the_same_case_even_when_the_key_is_forgotten(
    client: Client, service: FakeService
) -> None:
    headers = {"Idempotency-Key": "5f0c"}
    case_id = client.post("/api/v1/repairs", fault(), headers=headers).json()["case_id"]
    service.forget_keys()
    again = client.post("/api/v1/repairs", fault(), headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "case-exists")
    assert list(service.events) == [UUID(case_id)]


def test_a_key_gives_nobody_the_answer_that_they_got_in_another_role(client: Client, service: FakeService) -> None:
    asks = {"Idempotency-Key": "5f0c", "X-Actor": "staff-1"}
    first = client.post("/api/v1/repairs", fault(), headers={**asks, "X-Role": "hotline"})
    assert first.status_code == 201
    other = client.post("/api/v1/repairs", fault(), headers={**asks, "X-Role": "crew"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert first.json()["case_id"] not in other.text
    assert len(service.events) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/api/v1/repairs", "body": fault(kind="burst")},
        {"path": "/api/v1/connections", "body": application()},
    ],
)
def test_a_key_stands_for_one_request(client: Client, service: FakeService, other: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "5f0c"}
    client.post("/api/v1/repairs", fault(), headers=headers)
    before = dict(service.events)
    answer = client.post(other["path"], other["body"], headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert service.events == before


def test_keys_of_two_actors_do_not_meet(client: Client, service: FakeService) -> None:
    for actor in ("staff-1", "staff-2"):
        answer = client.post("/api/v1/repairs", fault(), headers={"Idempotency-Key": "1", "X-Actor": actor})
        assert answer.status_code == 201
        assert "idempotency-replayed" not in answer.headers
    assert len(service.events) == 2


# ---- refusals


def test_an_instruction_in_the_wrong_state_is_a_conflict(client: Client, service: FakeService) -> None:
    case_id = reported(client)
    answer = client.post(f"/api/v1/repairs/{case_id}/closure", headers=DISPATCHER)
    assert (answer.status_code, answer.json()["code"]) == (409, "repair-not-completed")
    assert "CaseClosed" not in facts(service, case_id)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("repairs/{id}/dispatch", {"crew": "crew-1"}),
        ("repairs/{id}/arrival", {"crew": "crew-1"}),
    ],
)
def test_a_command_on_no_case_is_not_found(
    client: Client, service: FakeService, path: str, body: dict[str, Any]
) -> None:
    answer = client.post(f"/api/v1/{path}".format(id=uuid4()), body, headers=DISPATCHER)
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-case")
    assert service.events == {}


def test_what_has_not_happened_yet_is_refused(client: Client, service: FakeService) -> None:
    answer = client.post("/api/v1/repairs", fault(happened_at="2026-09-17T01:00:00Z"), headers=DISPATCHER)
    assert (answer.status_code, answer.json()["code"]) == (422, "future-time")
    assert service.events == {}

"""Repairs over HTTP: another class, continuous work, the user's side, and what is told too late."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api_world import MORNING, REPORTER, Client, FakeService, app_over, fault

PROOF = "sha256:" + "0" * 64
CREW = {"X-Actor": "crew-1", "X-Role": "crew", "X-Channel": "crew-phone"}
REASSESSMENT = {"severity": "medium", "reason": "DN 100", "evidence_digest": PROOF}


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def assessed(client: Client, severity: str = "small") -> str:
    """A case with a crew on site and a first class; gives its path."""
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    for step, body in (("arrival", {"crew": "crew-1"}), ("assessment", {"severity": severity, "reason": "valve"})):
        answer = client.post(f"{path}/{step}", body, headers=CREW)
        assert answer.status_code == 200, answer.text
    return path


def last(service: FakeService, path: str) -> dict[str, Any]:
    """The newest event of the case that is no verdict."""
    events = [json.loads(event) for event in service.events[UUID(path.rpartition("/")[2])]]
    return next(event for event in reversed(events) if ".Window" not in event["type"])


def test_another_class_comes_with_its_reason_and_evidence(client: Client, service: FakeService) -> None:
    path = assessed(client)
    answer = client.post(f"{path}/reassessment", REASSESSMENT, headers=CREW)
    assert answer.status_code == 200, answer.text
    said = last(service, path)
    assert said["type"] == "water.repair.SeverityReassessed.v1"
    assert said["data"]["evidence_digest"] == PROOF
    assert (said["data"]["reason"], said["data"]["approved_by"]) == ("dn-100", None)


def test_late_in_the_window_another_class_needs_another_person(client: Client, service: FakeService) -> None:
    path = assessed(client)
    service.clock.move(timedelta(minutes=200))
    alone = client.post(f"{path}/reassessment", REASSESSMENT | {"approved_by": "crew-1"}, headers=CREW)
    assert (alone.status_code, alone.json()["code"]) == (409, "second-person-needed")
    assert "approved_by" in alone.json()["next_step"]
    assert (
        client.post(f"{path}/reassessment", REASSESSMENT | {"approved_by": "manager-1"}, headers=CREW).status_code
        == 200
    )


def test_another_class_as_a_second_assessment_is_sent_to_the_reassessment(client: Client) -> None:
    answer = client.post(f"{assessed(client)}/assessment", {"severity": "major", "reason": "trunk"}, headers=CREW)
    assert (answer.status_code, answer.json()["code"]) == (409, "already-assessed")


def test_work_on_a_major_repair_is_logged_and_handed_over(client: Client, service: FakeService) -> None:
    path = assessed(client, "major")
    assert client.post(f"{path}/work-logs", {"note": "welding", "crew": "crew-1"}, headers=CREW).status_code == 200
    assert last(service, path)["data"]["note"] == "welding"
    handed = client.post(f"{path}/hand-overs", {"from_crew": "crew-1", "to_crew": "crew-2"}, headers=CREW)
    assert handed.status_code == 200
    assert last(service, path)["type"] == "water.repair.ShiftHandedOver.v1"


def test_what_is_told_too_late_is_kept_with_a_second_person_only(client: Client, service: FakeService) -> None:
    path = assessed(client)
    happened = (MORNING + timedelta(minutes=50)).isoformat()
    service.clock.move(timedelta(hours=26))
    before = len(service.events[UUID(path.rpartition("/")[2])])
    for confirmed_by in ({}, {"confirmed_by": "crew-1"}):
        answer = client.post(f"{path}/completion", {"happened_at": happened} | confirmed_by, headers=CREW)
        assert (answer.status_code, answer.json()["code"]) == (409, "second-person-needed")
        assert "confirmed_by" in answer.json()["next_step"]
    assert len(service.events[UUID(path.rpartition("/")[2])]) == before
    body = {"happened_at": happened, "confirmed_by": "dispatcher-2"}
    assert client.post(f"{path}/completion", body, headers=CREW).status_code == 200
    data = last(service, path)["data"]
    assert data["confirmed_by"] == "dispatcher-2"
    assert data["flags"] == ["backdated", "backdated-after-lapse"]


def test_a_paid_service_behind_the_meter_needs_the_finding_and_the_consent_first(client: Client) -> None:
    path = assessed(client)

    def start() -> tuple[int, str | None]:
        answer = client.post(f"{path}/paid-service", {"crew": "crew-1"}, headers=CREW)
        return answer.status_code, answer.json().get("code")

    assert start() == (409, "not-user-side")
    assert client.post(f"{path}/user-side", {}, headers=CREW).status_code == 200
    assert start() == (409, "consent-missing")
    assert client.post(f"{path}/paid-service/consent", {"consent_digest": PROOF}, headers=CREW).status_code == 200
    assert start()[0] == 200
    assert start() == (409, "service-started")


def test_a_paid_service_is_begun_by_who_the_standard_names(client: Client) -> None:
    answer = client.post(f"{assessed(client)}/paid-service", {"crew": "crew-1"}, headers=CREW | {"X-Role": "public"})
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-role")


@pytest.mark.parametrize(
    ("step", "body", "field"),
    [
        ("reassessment", REASSESSMENT | {"severity": "huge"}, "severity"),
        ("reassessment", REASSESSMENT | {"reason": "张三家"}, "reason"),
        ("reassessment", REASSESSMENT | {"evidence_digest": "sha256:" + "0" * 63}, "evidence_digest"),
        ("reassessment", REASSESSMENT | {"evidence_digest": "md5:" + "0" * 64}, "evidence_digest"),
        ("reassessment", REASSESSMENT | {"approved_by": "张三"}, "approved_by"),
        ("reassessment", REASSESSMENT | {"approved_by": "13812345678"}, "approved_by"),
        ("reassessment", {"severity": "small", "reason": "valve"}, "evidence_digest"),
        ("work-logs", {"note": "welding"}, "crew"),
        ("work-logs", {"note": "we weld at Mrs Li's", "crew": "crew-1"}, "note"),
        ("hand-overs", {"from_crew": "crew-1"}, "to_crew"),
        ("hand-overs", {"from_crew": "crew-1", "to_crew": ""}, "to_crew"),
        ("completion", {"confirmed_by": ""}, "confirmed_by"),
        ("completion", {"confirmed_by": 7}, "confirmed_by"),
        ("paid-service/consent", {"consent_digest": "yes"}, "consent_digest"),
        ("paid-service", {"crew": "crew-1", "price": 1}, "price"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_written(
    client: Client, service: FakeService, step: str, body: dict[str, Any], field: str
) -> None:
    answer = client.post(f"/api/v1/repairs/{uuid4()}/{step}", body, headers=CREW)
    assert answer.json()["code"] == "bad-body"
    assert field in {each["field"] for each in answer.json()["fields"]}
    assert service.commands == []


@pytest.mark.parametrize(
    ("step", "body", "code"),
    [
        ("work-logs", {"note": "tea", "crew": "crew-1"}, "unknown-work-note"),
        ("hand-overs", {"from_crew": "crew-1", "to_crew": "crew-1"}, "same-crew"),
    ],
)
def test_what_the_standard_does_not_know_is_refused(client: Client, step: str, body: dict[str, Any], code: str) -> None:
    answer = client.post(f"{assessed(client, 'major')}/{step}", body, headers=CREW)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_wrong_link_is_undone_into_a_new_case_with_the_same_reporter(client: Client, service: FakeService) -> None:
    path = assessed(client)
    client.post(f"{path}/reports", {"reporter": REPORTER}, headers=CREW)
    subject = last(service, path)["data"]["subject"]
    service.clock.move(timedelta(minutes=20))
    answer = client.post(f"{path}/reports/2/unlinking", {"district": "aizhai"}, headers=CREW | {"X-Role": "dispatcher"})
    assert answer.status_code == 201, answer.text
    new = answer.json()
    assert answer.headers["location"] == f"/api/v1/cases/{new['case_id']}"
    assert last(service, path)["data"] == {"report": 2, "new_case": new["case_id"]}
    opened = last(service, new["case_id"])
    assert (opened["time"], opened["data"]["subject"]) == ("2026-09-16T01:00:00Z", subject)
    assert (opened["data"]["zone"], new["case_number"]) == ("other", "BX-2026-000002")


def test_a_refused_unlinking_opens_no_case(client: Client, service: FakeService) -> None:
    path = assessed(client)
    before = set(service.events)
    answer = client.post(f"{path}/reports/2/unlinking", {}, headers=CREW | {"X-Role": "dispatcher"})
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-report")
    assert set(service.events) == before


def test_open_incidents_of_the_same_district_and_family_are_suggested(client: Client, service: FakeService) -> None:
    asked: list[Any] = []
    row = {
        "case_id": UUID(int=9),
        "case_number": "BX-2026-000009",
        "kind": "burst",
        "stage": "dispatched",
        "crew": "crew-1",
        "opened_at": MORNING,
        "reports": 2,
    }

    def answer(wanted: Any) -> list[dict[str, Any]]:
        asked.append(wanted)
        return [row]

    service.answers["incidents_to_link"] = answer
    at = "2026-09-16T09:30:00%2B08:00"
    found = client.get(f"/api/v1/repairs/suggestions?kind=no-water&district=zhenxi&at={at}").json()["incidents"]
    assert [each["case_number"] for each in found] == ["BX-2026-000009"]
    assert asked[0]["kinds"] == ["burst", "leak", "low-pressure", "no-water", "road-damage"]
    assert (asked[0]["since"], asked[0]["until"]) == (
        MORNING + timedelta(minutes=30 - 240),
        MORNING + timedelta(minutes=30 + 240),
    )


def test_a_kind_without_a_family_is_linked_to_its_own_kind_only(client: Client, service: FakeService) -> None:
    asked: list[Any] = []

    def answer(wanted: Any) -> list[dict[str, Any]]:
        asked.append(wanted)
        return []

    service.answers["incidents_to_link"] = answer
    client.get("/api/v1/repairs/suggestions?kind=other&district=zhenxi")
    assert (asked[0]["kinds"], asked[0]["at"]) == (["other"], MORNING)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("kind=flood&district=zhenxi", "unknown-fault-kind"),
        ("kind=leak&district=atlantis", "unknown-district"),
        ("kind=leak", "bad-parameter"),
        ("kind=leak&district=zhenxi&at=yesterday", "bad-parameter"),
    ],
)
def test_a_bad_question_for_suggestions_is_refused(client: Client, query: str, code: str) -> None:
    answer = client.get(f"/api/v1/repairs/suggestions?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)

"""Repairs over HTTP: another class, continuous work, the user's side, and what is told too late."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api_world import MORNING, REPORTER, Client, FakeService, app_over, fault, staff

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
    here = {"inside_geofence": True, "distance_m": 20, "accuracy_m": 8}
    for step, body in (
        ("arrival", {"crew": "crew-1", "evidence": here}),
        ("assessment", {"severity": severity, "reason": "valve"}),
    ):
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


MANAGER = {"X-Actor": "manager-1", "X-Role": "manager", "X-Channel": "office"}


def mended_and_closed(client: Client, service: FakeService) -> str:
    path = assessed(client)
    service.clock.move(timedelta(minutes=60))
    for step, headers in (("completion", CREW), ("closure", staff("dispatcher"))):
        assert client.post(f"{path}/{step}", {}, headers=headers).status_code == 200
    return path


def event_of(client: Client, path: str, fact: str) -> str:
    shown = client.get(f"/api/v1/cases/{path.rpartition('/')[2]}").json()
    return str(next(each["event_id"] for each in shown["timeline"] if each["fact"] == fact))


def test_a_completion_that_was_none_is_rejected_and_the_promise_runs_again(
    client: Client, service: FakeService
) -> None:
    path = mended_and_closed(client, service)
    body = {"event_id": event_of(client, path, "RepairCompleted"), "reason": "not-done", "evidence_digest": PROOF}
    alone = client.post(f"{path}/rejections", body, headers=CREW)
    assert (alone.status_code, alone.json()["code"]) == (403, "wrong-role")
    answer = client.post(f"{path}/rejections", body, headers=MANAGER)
    assert answer.status_code == 200, answer.text
    data = last(service, path)["data"]
    assert (data["of"], data["left"], data["reopens"]) == ("completion", ["arrival"], True)
    shown = client.get(f"/api/v1/cases/{path.rpartition('/')[2]}").json()
    assert (shown["stage"], shown["open"]) == ("assessed", True)
    (window,) = [each for each in shown["windows"] if each["commitment"] == "repair.completion"]
    assert (window["state"], window["settles_at"]) == ("running", None)
    assert client.post(f"{path}/rejections", body, headers=MANAGER).json()["code"] == "already-rejected"
    unknown = client.post(f"{path}/rejections", body | {"event_id": str(uuid4())}, headers=MANAGER)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no-such-evidence")


def test_a_settled_verdict_falls_with_a_second_person_only(client: Client, service: FakeService) -> None:
    path = mended_and_closed(client, service)
    body = {"event_id": event_of(client, path, "CrewArrived"), "reason": "photo-elsewhere"}
    shown = client.get(f"/api/v1/cases/{path.rpartition('/')[2]}").json()
    (arrival,) = [each for each in shown["windows"] if each["commitment"] == "repair.arrival"]
    assert arrival["settles_at"] == (MORNING + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    service.clock.move(timedelta(days=2))
    before = len(service.events[UUID(path.rpartition("/")[2])])
    for headers in (MANAGER, MANAGER | {"X-Confirmed-By": "manager-1"}):
        answer = client.post(f"{path}/rejections", body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "verdict-settled")
        assert "X-Confirmed-By" in answer.json()["next_step"]
    assert len(service.events[UUID(path.rpartition("/")[2])]) == before
    answer = client.post(f"{path}/rejections", body, headers=MANAGER | {"X-Confirmed-By": "auditor-1"})
    assert answer.status_code == 200, answer.text
    events = [json.loads(event) for event in service.events[UUID(path.rpartition("/")[2])][before:]]
    assert {event["confirmedby"] for event in events} == {"auditor-1"}
    assert events[0]["data"]["confirmed_by"] == "auditor-1"
    overturned = [event["type"] for event in events if event["data"].get("overturns")]
    assert overturned == ["water.repair.WindowLapsed.v1", "water.repair.WindowReopened.v1"]


def test_a_second_person_named_in_the_header_counts_as_one_named_in_the_body(client: Client) -> None:
    path = assessed(client)
    early = {"happened_at": (MORNING - timedelta(days=3)).isoformat()}
    body = {"reporter": REPORTER} | early
    alone = client.post(f"{path}/reports", body, headers=staff("hotline", channel="hotline"))
    assert (alone.status_code, alone.json()["code"]) == (409, "second-person-needed")
    two = staff("hotline", channel="hotline") | {"X-Confirmed-By": "dispatcher-2"}
    assert client.post(f"{path}/reports", body, headers=two).status_code == 200


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
        "near": True,
    }

    def answer(wanted: Any) -> list[dict[str, Any]]:
        asked.append(wanted)
        return [row]

    service.answers["incidents_to_link"] = answer
    at = "2026-09-16T09:30:00%2B08:00"
    query = f"kind=no-water&district=zhenxi&at={at}&cell=14155:54869"
    found = client.get(f"/api/v1/repairs/suggestions?{query}").json()["incidents"]
    assert [each["case_number"] for each in found] == ["BX-2026-000009"]
    assert len(asked[0]["cells"]) == 9
    assert "14154:54870" in asked[0]["cells"]
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
        ("kind=leak&district=zhenxi&cell=28.31,109.73", "bad-parameter"),
    ],
)
def test_a_bad_question_for_suggestions_is_refused(client: Client, query: str, code: str) -> None:
    answer = client.get(f"/api/v1/repairs/suggestions?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


# ---- who may what


EVERY_STEP: dict[str, dict[str, Any]] = {
    "reports": {"reporter": REPORTER},
    "reports/1/answer": {"way": "phone"},
    "dispatch": {"crew": "crew-1"},
    "acknowledgement": {"crew": "crew-1"},
    "decline": {"crew": "crew-1", "reason": "vehicle"},
    "arrival": {"crew": "crew-1"},
    "assessment": {"severity": "small", "reason": "valve"},
    "reassessment": REASSESSMENT,
    "work-logs": {"note": "welding", "crew": "crew-1"},
    "hand-overs": {"from_crew": "crew-1", "to_crew": "crew-2"},
    "user-side": {},
    "paid-service/consent": {"consent_digest": PROOF},
    "paid-service": {"crew": "crew-1"},
    "completion": {},
    "restoration": {},
    "closure": {},
}


@pytest.mark.parametrize("step", EVERY_STEP)
def test_the_public_reports_faults_and_does_nothing_else(client: Client, service: FakeService, step: str) -> None:
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    before = service.head
    answer = client.post(f"{path}/{step}", EVERY_STEP[step])
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-role")
    assert service.head == before


def test_a_crew_tells_and_a_dispatcher_sends(client: Client) -> None:
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    for step in ("dispatch", "closure", "reports/1/answer"):
        assert client.post(f"{path}/{step}", EVERY_STEP[step], headers=CREW).status_code == 403
    for step in ("acknowledgement", "arrival", "completion"):
        assert client.post(f"{path}/{step}", EVERY_STEP[step], headers=CREW).status_code == 200


# ---- answers and orders


ORDER = {"source": "hotline-12345", "number": "JS20260916-00123"}


def test_whoever_reported_is_answered_once_the_work_is_done(client: Client, service: FakeService) -> None:
    path = assessed(client)
    client.post(f"{path}/completion", {}, headers=CREW)
    answer = client.post(f"{path}/reports/1/answer", {"way": "phone"}, headers=staff("hotline"))
    assert answer.status_code == 200, answer.text
    said = last(service, path)["data"]
    assert (said["report"], said["way"], said["digest"], said["flags"]) == (1, "phone", None, [])
    (window,) = (
        w for w in client.get(path.replace("repairs", "cases")).json()["windows"] if w["commitment"] == "repair.answer"
    )
    assert (window["state"], window["due_at"]) == ("met", "2026-09-17T01:00:00Z")


@pytest.mark.parametrize(
    ("report", "body", "code"),
    [
        (2, {"way": "phone"}, "no-such-report"),
        (1, {"way": "pigeon"}, "unknown-way"),
        (1, {"way": "sms", "digest": "x"}, "bad-body"),
    ],
)
def test_an_answer_to_nobody_or_by_no_way_is_refused(
    client: Client, report: int, body: dict[str, Any], code: str
) -> None:
    answer = client.post(f"{assessed(client)}/reports/{report}/answer", body, headers=staff("hotline"))
    assert answer.json()["code"] == code


def test_an_order_comes_with_a_report_and_its_reply_answers_the_reporter(client: Client, service: FakeService) -> None:
    made = client.post("/api/v1/repairs", fault(order=ORDER | {"reply_by": "2026-09-18T09:00:00Z"}))
    assert made.status_code == 201, made.text
    path, case_id = f"/api/v1/repairs/{made.json()['case_id']}", made.json()["case_id"]
    shown = client.get("/api/v1/orders/hotline-12345/JS20260916-00123").json()
    assert (shown["case_id"], shown["report"], shown["reply_by"]) == (case_id, 1, "2026-09-18T09:00:00Z")
    assert client.get(f"/api/v1/cases/{shown['order_id']}").json()["case_number"] == ORDER["number"]
    client.post(f"{path}/completion", {}, headers=CREW)
    url = "/api/v1/orders/hotline-12345/JS20260916-00123"
    replied = client.post(f"{url}/reply", {"digest": PROOF}, headers=staff("hotline"))
    assert replied.status_code == 200, replied.text
    assert client.get(url).json()["replied_at"] == "2026-09-16T01:00:00Z"
    assert last(service, path)["data"]["way"] == "hotline-12345"
    states = {w["commitment"]: w["state"] for w in client.get(f"/api/v1/cases/{case_id}").json()["windows"]}
    assert states["repair.answer"] == "met"


def test_an_order_is_taken_in_once_whatever_report_brings_it(client: Client, service: FakeService) -> None:
    path = assessed(client)
    assert client.post("/api/v1/repairs", fault(order=ORDER)).status_code == 201
    before = service.head
    for url, body in (
        ("/api/v1/repairs", fault(order=ORDER)),
        (f"{path}/reports", {"reporter": REPORTER, "order": ORDER}),
    ):
        answer = client.post(url, body, headers=staff("hotline"))
        assert (answer.status_code, answer.json()["code"]) == (409, "order-known")
    assert service.head == before


def test_an_order_goes_with_its_report_when_the_link_is_undone(client: Client, service: FakeService) -> None:
    path = assessed(client)
    client.post(f"{path}/reports", {"reporter": REPORTER, "order": ORDER}, headers=staff("hotline"))
    undone = client.post(f"{path}/reports/2/unlinking", {}, headers=staff("dispatcher"))
    shown = client.get("/api/v1/orders/hotline-12345/JS20260916-00123").json()
    assert (shown["case_id"], shown["report"]) == (undone.json()["case_id"], 1)
    replied = client.post(
        "/api/v1/orders/hotline-12345/JS20260916-00123/reply", {"digest": PROOF}, headers=staff("hotline")
    )
    assert replied.status_code == 200, replied.text
    assert last(service, undone.json()["case_id"])["type"] == "water.repair.ReporterAnswered.v1"


def test_two_incidents_of_one_burst_become_one_with_orders_and_crew(client: Client, service: FakeService) -> None:
    first = client.post("/api/v1/repairs", fault()).json()
    service.clock.move(timedelta(minutes=3))
    second = client.post("/api/v1/repairs", fault(order=ORDER)).json()
    path = f"/api/v1/repairs/{second['case_id']}"
    assert client.post(f"{path}/dispatch", {"crew": "crew-1"}, headers=staff("dispatcher")).status_code == 200
    merged = client.post(f"{path}/merging", {"into": first["case_id"]}, headers=staff("dispatcher"))
    assert merged.status_code == 200, merged.text
    shown = client.get(f"/api/v1/cases/{second['case_id']}").json()
    assert (shown["stage"], shown["open"], shown["reports"]) == ("merged", False, 0)
    assert {window["state"] for window in shown["windows"]} == {"cancelled"}
    assert client.get(path).json()["merged_into"] == first["case_id"]
    whole = client.get(f"/api/v1/repairs/{first['case_id']}").json()
    assert [report["order_number"] for report in whole["reports"]] == [None, "JS20260916-00123"]
    order = client.get("/api/v1/orders/hotline-12345/JS20260916-00123").json()
    assert (order["case_id"], order["report"]) == (first["case_id"], 2)
    sent = client.post(f"/api/v1/repairs/{first['case_id']}/dispatch", {"crew": "crew-1"}, headers=staff("dispatcher"))
    assert sent.status_code == 200, "the crew is free of the one that was merged"
    again = client.post(f"{path}/reports", {"reporter": REPORTER}, headers=staff("hotline"))
    assert (again.status_code, again.json()["code"]) == (409, "incident-merged")
    assert first["case_id"] in again.json()["next_step"]


def test_a_merge_that_takes_a_settled_lapse_off_needs_a_second_person(client: Client, service: FakeService) -> None:
    first, second = (client.post("/api/v1/repairs", fault()).json()["case_id"] for _ in range(2))
    service.clock.move(timedelta(hours=50))
    path = f"/api/v1/repairs/{second}"
    assert client.post(f"{path}/acknowledgement", {"crew": "crew-1"}, headers=CREW).status_code == 200
    service.clock.move(timedelta(hours=50))
    alone = client.post(f"{path}/merging", {"into": first}, headers=staff("dispatcher"))
    assert (alone.status_code, alone.json()["code"]) == (409, "verdict-settled")
    two = client.post(f"{path}/merging", {"into": first, "confirmed_by": "manager-2"}, headers=staff("dispatcher"))
    assert two.status_code == 200, two.text
    assert last(service, path)["data"] == {"into": first, "confirmed_by": "manager-2"}
    shown = client.get(f"/api/v1/cases/{first}").json()["windows"]
    assert [window["lapses"] for window in shown] == [1, 1], "they stand where it goes on"


def test_a_merge_into_nothing_or_by_the_public_changes_nothing(client: Client, service: FakeService) -> None:
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    before = len(service.events[UUID(case_id)])
    for into, role, code in (
        (str(uuid4()), "dispatcher", "no-such-case"),
        (case_id, "dispatcher", "same-incident"),
        (str(uuid4()), "public", "wrong-role"),
    ):
        answer = client.post(f"/api/v1/repairs/{case_id}/merging", {"into": into}, headers=staff(role))
        assert answer.json()["code"] == code, answer.text
    assert len(service.events[UUID(case_id)]) == before


def test_more_time_for_an_order_moves_its_end(client: Client) -> None:
    client.post("/api/v1/repairs", fault(order=ORDER | {"reply_by": "2026-09-18T09:00:00Z"}))
    url = "/api/v1/orders/hotline-12345/JS20260916-00123"
    body = {"reply_by": "2026-09-25T09:00:00Z", "document": "延期〔2026〕1号"}
    assert client.post(f"{url}/extension", body, headers=staff("manager")).status_code == 200
    assert client.get(url).json()["reply_by"] == "2026-09-25T09:00:00Z"
    again = client.post(f"{url}/extension", body, headers=staff("manager"))
    assert (again.status_code, again.json()["code"]) == (422, "dates-out-of-order")


@pytest.mark.parametrize("step", ["reply", "extension", ""])
def test_an_order_that_nobody_took_in_is_not_there(client: Client, step: str) -> None:
    url = "/api/v1/orders/hotline-12345/NONE"
    bodies = {"reply": {"digest": PROOF}, "extension": {"reply_by": "2026-09-25T09:00:00Z", "document": "1号"}}
    answer = client.post(f"{url}/{step}", bodies[step], headers=staff("hotline")) if step else client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-order")


# ---- evidence of arrival


SITE = {"latitude": 28.3117, "longitude": 109.7382}


def arrived(client: Client, service: FakeService, place: Any, evidence: dict[str, Any]) -> dict[str, Any]:
    body = fault() if place is None else fault(place=place)
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', body).json()['case_id']}"
    answer = client.post(f"{path}/arrival", {"crew": "crew-1", "evidence": evidence}, headers=CREW)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = last(service, path)["data"]
    return said


def test_a_fix_is_measured_against_the_site_and_forgotten(client: Client, service: FakeService) -> None:
    fix = {"latitude": 28.3127, "longitude": 109.7382, "accuracy_m": 9}
    there = arrived(client, service, SITE, {"fix": fix, "photo_digest": PROOF})
    assert there["evidence"] == {"inside_geofence": True, "distance_m": 111, "accuracy_m": 9, "photo_digest": PROOF}
    away = arrived(client, service, SITE, {"fix": fix | {"latitude": 28.3217}})
    assert (away["evidence"]["inside_geofence"], away["evidence"]["distance_m"]) == (False, 1112)
    assert "outside-geofence" in away["flags"]
    published = b"".join(event for events in service.events.values() for event in events).decode()
    assert not [number for number in ("28.31", "109.73", "28.32") if number in published]
    assert {dict(subject.particulars).get("latitude") for subject in service.subjects} == {"28.311700"}


def test_a_fix_says_nothing_where_nobody_told_where_the_site_is(client: Client, service: FakeService) -> None:
    told = arrived(client, service, None, {"fix": SITE | {"accuracy_m": 9}})
    assert (told["evidence"]["inside_geofence"], told["evidence"]["distance_m"]) == (None, None)
    assert "site-unknown" in told["flags"]


@pytest.mark.parametrize(
    ("evidence", "field"),
    [
        ({"fix": {"latitude": 90.01, "longitude": 0.0, "accuracy_m": 1}}, "evidence.fix.latitude"),
        ({"fix": {"latitude": 0.0, "longitude": -180.5, "accuracy_m": 1}}, "evidence.fix.longitude"),
        ({"fix": {"latitude": "28.3", "longitude": 0.0, "accuracy_m": 1}}, "evidence.fix.latitude"),
        ({"fix": {"latitude": 0.0, "longitude": 0.0, "accuracy_m": -1}}, "evidence.fix.accuracy_m"),
        ({"fix": SITE | {"accuracy_m": 1}, "distance_m": 3}, "evidence"),
        ({"inside_geofence": True, "distance_m": 3}, "evidence"),
        ({"photo_digest": PROOF}, "evidence"),
        ({"fix": SITE | {"accuracy_m": 1}, "photo_digest": "sha1:00"}, "evidence.photo_digest"),
    ],
)
def test_coordinates_off_the_earth_and_half_evidence_are_refused(
    client: Client, service: FakeService, evidence: dict[str, Any], field: str
) -> None:
    answer = client.post(f"/api/v1/repairs/{uuid4()}/arrival", {"crew": "c", "evidence": evidence}, headers=CREW)
    assert answer.json()["code"] == "bad-body"
    assert field in {each["field"] for each in answer.json()["fields"]}
    assert service.commands == []


@pytest.mark.parametrize(
    "place", [{"latitude": -91.0, "longitude": 0.0}, {"latitude": 0.0}, {"latitude": 1e400, "longitude": 0.0}]
)
def test_a_report_from_off_the_earth_is_refused(client: Client, service: FakeService, place: dict[str, Any]) -> None:
    answer = client.raw("/api/v1/repairs", json.dumps(fault(place=place)).encode())
    assert 400 <= answer.status_code < 500
    assert service.commands == []


# ---- hand-overs


def test_a_hand_over_moves_the_incident_to_the_crew_that_takes_over(client: Client, service: FakeService) -> None:
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    other = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    client.post(f"{path}/dispatch", {"crew": "crew-1"}, headers=staff("dispatcher"))
    handed = client.post(f"{path}/hand-overs", {"from_crew": "crew-1", "to_crew": "crew-2"}, headers=CREW)
    assert handed.status_code == 200, handed.text
    assert client.get(path.replace("repairs", "cases")).json()["crew"] == "crew-2"
    free = client.post(f"{other}/dispatch", {"crew": "crew-1"}, headers=staff("dispatcher"))
    assert free.status_code == 200, free.text
    busy = client.post(f"{other}/dispatch", {"crew": "crew-2"}, headers=staff("dispatcher"))
    assert (busy.status_code, busy.json()["code"]) == (409, "crew-busy")


def test_a_crew_that_is_elsewhere_takes_nothing_over(client: Client, service: FakeService) -> None:
    first, second = (f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}" for _ in range(2))
    for path, crew in ((first, "crew-1"), (second, "crew-2")):
        client.post(f"{path}/dispatch", {"crew": crew}, headers=staff("dispatcher"))
    handed = client.post(f"{first}/hand-overs", {"from_crew": "crew-1", "to_crew": "crew-2"}, headers=CREW)
    assert handed.status_code == 200, "a fact from the field is taken"
    assert "crew-elsewhere" in last(service, first)["data"]["flags"]
    assert client.get(first.replace("repairs", "cases")).json()["crew"] is None
    assert client.get(second.replace("repairs", "cases")).json()["crew"] == "crew-2"


def test_a_hand_over_between_others_or_after_the_end_moves_nobody(client: Client, service: FakeService) -> None:
    path = assessed(client)
    client.post(f"{path}/dispatch", {"crew": "crew-1"}, headers=staff("dispatcher"))
    for from_crew, flag in (("crew-8", "not-the-dispatched-crew"),):
        client.post(f"{path}/hand-overs", {"from_crew": from_crew, "to_crew": "crew-9"}, headers=CREW)
        assert flag in last(service, path)["data"]["flags"]
    assert client.get(path.replace("repairs", "cases")).json()["crew"] == "crew-1"
    client.post(f"{path}/completion", {}, headers=CREW)
    client.post(f"{path}/hand-overs", {"from_crew": "crew-1", "to_crew": "crew-2"}, headers=CREW)
    assert not [e for events in service.events.values() for e in events if b"CrewAssigned" in e and b"crew-2" in e]


# ---- what a phone without a net sends later


def test_what_a_phone_took_down_and_sent_later_is_kept_with_both_times_and_flagged(
    client: Client, service: FakeService
) -> None:
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    service.clock.move(timedelta(minutes=60))
    times = {"happened_at": "2026-09-16T01:20:00Z", "reported_at": "2026-09-16T01:21:30Z"}
    answer = client.post(f"{path}/arrival", {"crew": "crew-1", **times}, headers=CREW)
    assert answer.status_code == 200, answer.text
    event = last(service, path)
    assert (event["time"], event["reportedat"]) == (times["happened_at"], times["reported_at"])
    assert event["recordedat"] == "2026-09-16T02:00:00Z"
    assert "uploaded-late" in event["data"]["flags"]
    timeline = client.get(path.replace("repairs", "cases")).json()["timeline"]
    assert [entry["reported_at"] for entry in timeline if entry["fact"] == "CrewArrived"] == [times["reported_at"]]


def test_what_was_sent_at_once_is_not_flagged(client: Client, service: FakeService) -> None:
    form = {"crew": "crew-1", "name_zh": "抢修一班", "skills": ["pipes"], "lead": "lead-1"}
    assert client.post("/api/v1/crews", form, headers=staff("manager")).status_code == 201
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    service.clock.move(timedelta(minutes=25))
    times = {"happened_at": "2026-09-16T01:20:00Z", "reported_at": "2026-09-16T01:20:00Z"}
    client.post(f"{path}/arrival", {"crew": "crew-1", **times}, headers=CREW)
    assert last(service, path)["data"]["flags"] == ["not-the-dispatched-crew", "no-evidence"]


@pytest.mark.parametrize(
    ("reported_at", "code"),
    [("2026-09-16T00:59:00Z", "dates-out-of-order"), ("2026-09-16T03:00:00Z", "future-time")],
)
def test_nothing_is_taken_down_before_it_happens_or_after_it_is_sent(
    client: Client, service: FakeService, reported_at: str, code: str
) -> None:
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    body = {"crew": "crew-1", "happened_at": "2026-09-16T01:00:00Z", "reported_at": reported_at}
    answer = client.post(f"{path}/arrival", body, headers=CREW)
    assert (answer.status_code, answer.json()["code"]) == (422, code)

"""Complaints and satisfaction, from each door to the lists and figures. On real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi import FastAPI

from infra.clock import ManualClock
from infra.eventstore.service import Service
from tests.api_world import Client, app_of, fault, ready_for_water, staff, turned_on
from tests.integration.test_citizens import code_of, signed_in
from tests.integration.test_rights import received, told
from tests.integration.test_vault import dump, found_in

API = "/api/v1"
PHONE, OTHER = "13800000001", "13800000002"
HOTLINE, MANAGER = staff("hotline"), staff("duty-manager")
UPHELD = {"outcome": "upheld", "remedy": "apology"}
LIST = f"{API}/complaints"


@pytest.fixture
def app(service: Service) -> FastAPI:
    return app_of(service)


@pytest.fixture
def public(app: FastAPI) -> Client:
    """Somebody whom nobody knows."""
    return Client(app, proxy_secret=None)


@pytest.fixture
def office(app: FastAPI) -> Client:
    """A front end that says who asks."""
    return Client(app)


def reported(office: Client, phone: str = PHONE) -> dict[str, Any]:
    answer = office.post(f"{API}/repairs", fault(reporter={"name": "欧阳示例", "phone": phone}), headers=HOTLINE)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def repaired(office: Client, case_id: str) -> None:
    for path, body, role in (
        ("dispatch", {"crew": "crew-1"}, "dispatcher"),
        ("arrival", {"crew": "crew-1"}, "crew"),
        ("completion", {}, "crew"),
    ):
        answer = office.post(f"{API}/repairs/{case_id}/{path}", body, headers=staff(role))
        assert answer.status_code == 200, answer.text


def made(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_whoever_has_the_link_complains_sees_the_answer_and_goes_to_the_authority(
    public: Client, office: Client, service: Service
) -> None:
    case, other = reported(office), reported(office, OTHER)
    link = f"{case['follow']}/complaints"
    complaint = made(public.post(link, {"topic": "late"}))
    assert (complaint["state"], complaint["number"][:3]) == ("open", "TU-")
    assert case["case_id"] not in str(complaint), "no id of the case"
    (listed,) = office.get(f"{LIST}?open=true", headers=HOTLINE).json()["complaints"]
    assert (listed["case_id"], listed["door"]) == (case["case_id"], "own-link")
    for act in ("escalation", "withdrawal"):
        foreign = f"{other['follow']}/complaints/{complaint['id']}/{act}"
        assert code_of(public.post(foreign, {})) == "no-such-complaint"
    answer = f"{LIST}/{complaint['id']}/answer"
    assert code_of(office.post(answer, UPHELD, headers=HOTLINE)) == "wrong-role"
    assert code_of(office.post(answer, UPHELD | {"remedy": "none"}, headers=MANAGER)) == "remedy-missing"
    assert office.post(answer, UPHELD, headers=MANAGER).json()["state"] == "answered"
    (seen,) = public.get(link).json()["complaints"]
    assert (seen["outcome"], seen["remedy"], seen["answered_late"]) == ("upheld", "apology", False)
    assert "duty-manager" not in str(seen)
    assert public.get(f"{other['follow']}/complaints").json()["complaints"] == []
    assert public.post(f"{link}/{complaint['id']}/escalation", {}).json()["escalated_at"] is not None
    shown = office.get(f"{LIST}/{complaint['id']}", headers=MANAGER).json()
    assert shown["escalated_because"] == "not-satisfied"
    assert code_of(public.post(f"{link}/{complaint['id']}/withdrawal", {})) == "complaint-answered"
    assert not found_in(told(service, "water.office.Complaint%"), ["欧阳示例", PHONE])


def test_a_complaint_that_is_sent_twice_without_a_key_is_one_until_it_is_answered(
    public: Client, office: Client, service: Service
) -> None:
    link = f"{reported(office)['follow']}/complaints"
    first = made(public.post(link, {"topic": "late"}))
    assert made(public.post(link, {"topic": "late"})) == first
    assert made(public.post(link, {"topic": "conduct"}))["id"] != first["id"]
    assert office.post(f"{LIST}/{first['id']}/answer", UPHELD, headers=MANAGER).json()["state"] == "answered"
    assert made(public.post(link, {"topic": "late"}))["id"] != first["id"]
    assert len(public.get(link).json()["complaints"]) == 3
    by_phone = signed_in(public, service)
    mine = [made(public.post(f"{API}/my/complaints", {"topic": "other"}, headers=by_phone))["id"] for _ in range(2)]
    assert len(set(mine)) == 1


def test_a_complaint_about_an_incident_that_was_merged_stays_with_its_person(public: Client, office: Client) -> None:
    first, second = reported(office), reported(office, OTHER)
    complaint = made(public.post(f"{second['follow']}/complaints", {"topic": "late"}))
    into = {"into": first["case_id"]}
    merged = office.post(f"{API}/repairs/{second['case_id']}/merging", into, headers=HOTLINE)
    assert merged.status_code == 200, merged.text
    made(public.post(f"{second['follow']}/complaints", {"topic": "conduct"}))
    found = public.get(f"{second['follow']}/complaints").json()["complaints"]
    assert {each["topic"] for each in found} == {"late", "conduct"}
    assert public.get(f"{first['follow']}/complaints").json()["complaints"] == []
    path = f"{second['follow']}/complaints/{complaint['id']}/withdrawal"
    assert public.post(path, {}).json()["state"] == "withdrawn"


def test_who_signs_in_by_telephone_complains_about_a_case_of_theirs_or_about_none(
    public: Client, office: Client, service: Service
) -> None:
    case, foreign = reported(office), reported(office, OTHER)
    mine, theirs = signed_in(public, service), signed_in(public, service, OTHER)
    path = f"{API}/my/complaints"
    assert code_of(public.post(path, {"topic": "other"})) == "session-ended"
    body = {"topic": "charge", "case_number": foreign["case_number"]}
    assert code_of(public.post(path, body, headers=mine)) == "not-yours"
    about = made(public.post(path, body | {"case_number": case["case_number"]}, headers=mine))
    key = mine | {"Idempotency-Key": "once"}
    none, again = (made(public.post(path, {"topic": "water-quality"}, headers=key)) for _ in range(2))
    assert none == again
    assert {each["id"] for each in public.get(path, headers=mine).json()["complaints"]} == {about["id"], none["id"]}
    assert public.get(path, headers=theirs).json()["complaints"] == []
    assert code_of(public.get(f"{path}/{none['id']}", headers=theirs)) == "no-such-complaint"
    assert code_of(public.post(f"{path}/{none['id']}/withdrawal", {}, headers=theirs)) == "no-such-complaint"
    assert public.post(f"{path}/{none['id']}/withdrawal", {}, headers=mine).json()["state"] == "withdrawn"
    assert public.post(f"{path}/{about['id']}/escalation", {}, headers=mine).json()["state"] == "open"
    (listed,) = office.get(f"{LIST}?open=true", headers=MANAGER).json()["complaints"]
    assert (listed["id"], listed["escalated_because"]) == (about["id"], "directly")


def test_a_clerk_takes_a_complaint_down_and_the_overdue_ones_stand_first(office: Client, service: Service) -> None:
    clock = cast(ManualClock, service.clock)
    name = "诸葛示例"
    person = {"topic": "conduct", "complainant": {"name": name, "phone": OTHER}}
    early = made(office.post(LIST, person, headers=HOTLINE))
    (subject,) = early["subjects"]
    assert service.vault.newest(UUID(subject)) == {"name": name, "phone": OTHER}
    assert not found_in(dump(service), [name, OTHER])
    assert code_of(office.post(LIST, {"topic": "late", "case_id": str(UUID(int=9))}, headers=HOTLINE)) == (
        "no-such-case"
    )
    assert code_of(office.post(LIST, {"topic": "late", "subjects": [str(UUID(int=9))]}, headers=HOTLINE)) == (
        "no-such-subject"
    )
    assert code_of(office.post(LIST, {"topic": "late"}, headers=staff("crew"))) == "wrong-role"
    clock.move(timedelta(days=3))
    later = made(office.post(LIST, {"topic": "late"}, headers=HOTLINE))
    assert office.get(f"{LIST}?overdue=true", headers=HOTLINE).json()["complaints"] == []
    clock.move(timedelta(days=4))
    found = office.get(f"{LIST}?open=true", headers=HOTLINE).json()["complaints"]
    assert [(each["id"], each["overdue"]) for each in found] == [(early["id"], True), (later["id"], False)]
    (overdue,) = office.get(f"{LIST}?overdue=true", headers=MANAGER).json()["complaints"]
    assert overdue["id"] == early["id"]
    seen = office.post(f"{LIST}/{early['id']}/particulars", {}, headers=MANAGER)
    assert seen.json() == {"subjects": [{"subject": subject, "name": name, "phone": OTHER}]}
    assert seen.headers["cache-control"] == "no-store"
    (event,) = told(service, "water.office.ParticularsUnmasked%").splitlines()
    assert '"reason":"complaint"' in event
    assert subject in event
    with service.connection() as connection:
        looked = connection.execute("SELECT role, reason, masked FROM vault.reads").fetchall()
    assert looked == [{"role": "duty-manager", "reason": "complaint", "masked": False}]
    assert code_of(office.post(f"{LIST}/{early['id']}/particulars", {}, headers=HOTLINE)) == "wrong-role"
    assert office.post(f"{LIST}/{later['id']}/particulars", {}, headers=MANAGER).json() == {"subjects": []}
    path = f"{LIST}/{early['id']}/answer"
    assert code_of(office.post(path, UPHELD, headers=MANAGER)) == "complainant-not-told"
    answered = office.post(path, UPHELD | {"way": "phone"}, headers=MANAGER).json()
    assert (answered["answered_late"], answered["way"]) == (True, "phone")
    refused = office.post(f"{LIST}/{early['id']}/particulars", {}, headers=MANAGER)
    assert code_of(refused) == "complaint-answered", "the answer is given, so nobody needs the telephone"
    assert office.post(f"{LIST}/{later['id']}/withdrawal", {}, headers=HOTLINE).json()["state"] == "withdrawn"
    assert office.get(f"{LIST}?open=true", headers=HOTLINE).json()["complaints"] == []


def test_nobody_is_erased_whose_complaint_waits_for_its_answer(office: Client) -> None:
    person = {"topic": "late", "complainant": {"phone": OTHER}}
    complaint = made(office.post(LIST, person, headers=HOTLINE))
    request = received(office, "erase", *complaint["subjects"])
    refused = office.post(f"{request}/grant", headers=staff("counter"))
    assert (code_of(refused), refused.json()["found"]) == ("erasure-hindered", "case-running")
    answer = UPHELD | {"way": "phone"}
    assert office.post(f"{LIST}/{complaint['id']}/answer", answer, headers=MANAGER).status_code == 200
    assert office.post(f"{request}/grant", headers=staff("counter")).json()["state"] == "granted"


def test_satisfaction_is_counted_by_what_each_person_said_last(
    public: Client, office: Client, service: Service
) -> None:
    first, second, application = reported(office), reported(office, OTHER), ready_for_water(office)
    early = public.post(f"{first['follow']}/satisfaction", {"score": 3})
    assert code_of(early) == "not-served-yet"
    for each in (first, second):
        repaired(office, each["case_id"])
    assert turned_on(office, application).status_code == 200
    said = {"score": 1, "reasons": ["speed"]}
    assert public.post(f"{first['follow']}/satisfaction", said).status_code == 200
    mine = signed_in(public, service)
    corrected = said | {"score": 4, "case_number": first["case_number"]}
    assert public.post(f"{API}/my/satisfaction", corrected, headers=mine).status_code == 200
    foreign = corrected | {"case_number": second["case_number"]}
    assert code_of(public.post(f"{API}/my/satisfaction", foreign, headers=mine)) == "not-yours"
    body = {"score": 5, "reasons": ["work", "conduct"]}
    versions = [public.post(f"{second['follow']}/satisfaction", body) for _ in range(2)]
    assert [each.status_code for each in versions] == [200, 200], "the very same twice is one"
    renewed = office.post(f"{API}/cases/{application}/follow", {}, headers=HOTLINE).json()["follow"]
    assert public.post(f"{renewed}/satisfaction", {"score": 2}).status_code == 200
    assert public.post(f"{renewed}/satisfaction", {"score": 6}).status_code == 422

    def figures(query: str = "") -> dict[str, Any]:
        answer = public.get(f"{API}/figures/satisfaction{query}").json()
        return {each.pop("kind"): each for each in answer["kinds"]}

    found = figures()
    assert found["repair"] == {
        "people": 2,
        "mean": 4.5,
        "shares": {"1": 0.0, "2": 0.0, "3": 0.0, "4": 0.5, "5": 0.5},
        "reasons": {"speed": 1, "work": 1, "conduct": 1},
    }
    assert (found["connection"]["people"], found["connection"]["mean"]) == (1, 2.0)
    assert figures("?from=2026-09-16&to=2026-09-16").keys() == {"repair", "connection"}
    assert figures("?to=2026-09-15") == {}
    cast(ManualClock, service.clock).move(timedelta(days=8))
    assert code_of(public.post(f"{second['follow']}/satisfaction", {"score": 1})) == "satisfaction-settled"

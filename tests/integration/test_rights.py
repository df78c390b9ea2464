"""A person's rights over their particulars, from the person's own door to the vault's rows. On real PostgreSQL."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi import FastAPI

from infra.clock import ManualClock
from infra.eventstore.service import Service
from infra.vault import upkeep
from tests.api_world import Client, app_of, fault, staff
from tests.integration.test_citizens import code_of, signed_in
from tests.integration.test_vault import dump, found_in

API = "/api/v1"
PHONE, OTHER = "13800000001", "13800000002"
PERSON = {"name": "欧阳示例", "phone": PHONE, "address": "秘密巷 7 号"}
CLERK, MANAGER = staff("counter"), staff("manager")


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


def reported(office: Client, **person: str) -> tuple[str, str]:
    """The case of a report, and the subject that it names."""
    answer = office.post(f"{API}/repairs", fault(reporter={**PERSON, **person}), headers=staff("hotline"))
    assert answer.status_code == 201, answer.text
    case_id = answer.json()["case_id"]
    (named,) = office.get(f"{API}/cases/{case_id}/particulars", headers=MANAGER).json()["subjects"]
    return case_id, named["subject"]


def received(office: Client, right: str, *subjects: str) -> str:
    """A request that a clerk took down; its path."""
    body = {"right": right, "subjects": list(subjects), "identity_check": "identity-card"}
    answer = office.post(f"{API}/rights", body, headers=CLERK)
    assert answer.status_code == 201, answer.text
    return f"{API}/rights/{answer.json()['id']}"


def granted(office: Client, right: str, *subjects: str) -> str:
    path = received(office, right, *subjects)
    answer = office.post(f"{path}/grant", headers=CLERK)
    assert (answer.status_code, answer.json()["state"]) == (200, "granted"), answer.text
    return path


def told(service: Service, like: str) -> str:
    """The events of the office about it, as they are stored."""
    with service.connection() as connection:
        rows = connection.execute(
            "SELECT convert_from(state, 'UTF8') AS text FROM store.stored_events WHERE topic LIKE %s", [like]
        ).fetchall()
    return "\n".join(row["text"] for row in rows)


def test_a_person_asks_by_telephone_and_takes_the_export_once(public: Client, office: Client, service: Service) -> None:
    case_id, subject = reported(office)
    _, foreign = reported(office, phone=OTHER, name="别人")
    assert code_of(public.post(f"{API}/my/rights", {"right": "export"})) == "session-ended"
    mine, theirs = signed_in(public, service), signed_in(public, service, OTHER)
    asked = public.post(f"{API}/my/rights", {"right": "export"}, headers=mine)
    assert (asked.status_code, asked.json()["state"]) == (201, "received"), asked.text
    id_ = asked.json()["id"]
    assert "subjects" not in asked.json()
    assert [each["id"] for each in public.get(f"{API}/my/rights", headers=mine).json()["requests"]] == [id_]
    assert public.get(f"{API}/my/rights", headers=theirs).json()["requests"] == []
    copy = f"{API}/my/rights/{id_}/copy"
    assert code_of(public.post(copy, headers=mine)) == "rights-request-not-granted"
    (listed,) = office.get(f"{API}/rights?open=true", headers=CLERK).json()["requests"]
    assert (listed["subjects"], listed["identity_check"]) == ([subject], "own-phone")
    assert office.post(f"{API}/rights/{id_}/grant", headers=CLERK).status_code == 200
    assert code_of(public.post(copy, headers=theirs)) == "no-such-rights-request"
    assert code_of(office.post(f"{API}/rights/{id_}/copy", headers=CLERK)) == "copy-for-the-person"

    taken = public.post(copy, headers=mine)
    assert (taken.status_code, taken.headers["cache-control"]) == (200, "no-store"), taken.text
    (held,) = taken.json()["subjects"]
    assert (taken.json()["format"], held["subject"]) == ("tongshui.particulars.v1", subject)
    assert held["revisions"] == [{"revision": 1, "particulars": PERSON}]
    number = office.get(f"{API}/cases/{case_id}", headers=MANAGER).json()["case_number"]
    assert held["cases"] == [{"case_number": number, "kind": "repair", "is_over": False}]
    assert held["kept_until"] is None, "its case runs"
    assert [(each["role"], each["reason"], each["masked"]) for each in held["reads"]] == [
        ("applicant", "rights-copy", False),
        ("manager", None, True),
    ]
    assert "manager-1" not in taken.text, "no id of who works here"
    assert foreign not in taken.text
    assert code_of(public.post(copy, headers=mine)) == "rights-request-not-granted", "an export is taken once"
    assert office.get(f"{API}/rights?open=true", headers=CLERK).json()["requests"] == []
    assert not found_in(told(service, "water.office.%"), PERSON.values())


def test_what_is_not_answered_in_time_is_in_the_list_of_overdue_ones(office: Client, service: Service) -> None:
    _, subject = reported(office)
    late, answered = received(office, "see", subject), received(office, "see", subject)
    clock = cast(ManualClock, service.clock)
    overdue = f"{API}/rights?overdue=true"
    assert office.get(overdue, headers=CLERK).json()["requests"] == []
    assert office.post(f"{answered}/refusal", {"ground": "identity-not-proven"}, headers=CLERK).status_code == 200
    clock.move(timedelta(days=40))
    (found,) = office.get(overdue, headers=CLERK).json()["requests"]
    assert (late.endswith(found["id"]), found["overdue"]) == (True, True)
    answer = office.post(f"{late}/refusal", {"ground": "not-held"}, headers=CLERK).json()
    assert (answer["answered_late"], answer["overdue"], answer["ground"]) == (True, False, "not-held")
    assert office.get(overdue, headers=CLERK).json()["requests"] == []
    assert code_of(office.get(overdue, headers=staff("crew"))) == "wrong-role"
    body = {"right": "see", "subjects": [str(UUID(int=9))], "identity_check": "call-back"}
    assert code_of(office.post(f"{API}/rights", body, headers=CLERK)) == "no-such-subject"


def test_a_correction_leaves_nothing_of_the_old_telephone_and_the_person_is_found_by_the_new_one(
    public: Client, office: Client, service: Service
) -> None:
    case_id, subject = reported(office)
    path = granted(office, "correct", subject)
    with service.connection() as connection:
        wanted = "SELECT sealed, phone_hash FROM vault.subjects WHERE subject_id = %s"
        row = connection.execute(wanted, [subject]).fetchone()
    assert row is not None
    old = [bytes(each).hex() for each in row.values()]
    assert found_in(dump(service), old) == old
    body = {"subject": subject, "phone": OTHER, "address": "新街 8 号"}
    assert code_of(office.post(f"{path}/correction", {"subject": subject}, headers=CLERK)) == "no-corrected-value"
    done = office.post(f"{path}/correction", body, headers=CLERK)
    assert (done.status_code, done.json()["state"]) == (200, "done"), done.text
    assert service.vault.newest(UUID(subject)) == {**PERSON, "phone": OTHER, "address": "新街 8 号"}
    assert not found_in(dump(service), [*old, PHONE, OTHER, "新街 8 号"])

    def found(phone: str) -> list[str]:
        answer = office.post(f"{API}/subjects/search", {"phone": phone}, headers=staff("hotline")).json()
        return [each["subject"] for each in answer["subjects"]]

    assert (found(PHONE), found(OTHER)) == ([], [subject])
    event = json.loads(told(service, "water.office.ParticularsCorrected.v1"))["data"]
    assert event == {"subject_id": subject, "fields": ["address", "phone"]}
    shown = office.post(f"{API}/cases/{case_id}/particulars", {"reason": "call-back"}, headers=staff("hotline"))
    assert shown.status_code == 200, shown.text
    assert code_of(office.post(f"{path}/correction", body, headers=CLERK)) == "rights-request-not-granted"
    assert signed_in(public, service, OTHER), "the person signs in with the new one"


def test_a_restriction_is_for_everybody_but_the_crew_on_its_way(office: Client) -> None:
    case_id, subject = reported(office)
    sent = office.post(f"{API}/repairs/{case_id}/dispatch", {"crew": "crew-01"}, headers=staff("dispatcher"))
    assert sent.status_code == 200, sent.text

    def plain(role: str, reason: str) -> Any:
        answer = office.post(f"{API}/cases/{case_id}/particulars", {"reason": reason}, headers=staff(role))
        return answer.json()["subjects"][0]["unmasked"] if answer.is_success else code_of(answer)

    before = plain("crew", "on-site")
    assert "phone" in before
    path = granted(office, "restrict", subject)
    assert plain("crew", "call-back") == before, "granted is not done yet"
    assert office.post(f"{path}/done", headers=CLERK).json()["state"] == "done"
    assert plain("crew", "call-back") == "subject-restricted"
    assert plain("crew", "on-site") == before
    masked = office.get(f"{API}/cases/{case_id}/particulars", headers=MANAGER).json()["subjects"][0]
    assert masked["unmasked"] == []
    assert office.post(f"{API}/rights/subjects/{subject}/lifting", headers=CLERK).status_code == 204
    assert plain("crew", "call-back") == before


def test_an_erasure_waits_for_the_case_and_the_term_and_ends_with_two_persons(office: Client, service: Service) -> None:
    case_id, subject = reported(office)
    path = received(office, "erase", subject)
    refused = office.post(f"{path}/grant", headers=CLERK)
    assert (code_of(refused), refused.json()["found"]) == ("erasure-hindered", "case-running")
    body = {"reason": "duplicate"}
    assert office.post(f"{API}/repairs/{case_id}/dismissal", body, headers=staff("dispatcher")).status_code == 200
    refused = office.post(f"{path}/grant", headers=CLERK)
    assert (code_of(refused), refused.json()["found"]) == ("erasure-hindered", "retention-runs")
    cast(ManualClock, service.clock).move(timedelta(days=1096))
    assert office.post(f"{path}/grant", headers=CLERK).json()["state"] == "granted"
    assert code_of(office.post(f"{path}/done", headers=CLERK)) == "not-erased-yet"
    with service.connection() as connection:
        before = connection.execute("SELECT sealed FROM vault.subjects WHERE subject_id = %s", [subject]).fetchone()
    assert before is not None
    erasure = {"reason": "asked-for", "confirmed_by": "manager-2"}
    assert office.post(f"{API}/subjects/{subject}/erasure", erasure, headers=MANAGER).status_code == 200
    assert office.post(f"{path}/done", headers=CLERK).json()["state"] == "done"
    assert service.vault.revisions(UUID(subject)) == {}
    assert not found_in(dump(service), PERSON.values())
    # The row as an older copy has it: its key is gone, so nobody reads it, and the next start empties it again.
    with service.connection() as connection:
        connection.execute("UPDATE vault.subjects SET sealed = %s WHERE subject_id = %s", [before["sealed"], subject])
    assert service.vault.revisions(UUID(subject)) == {}
    assert upkeep.vault_of(service.settings).erase_again() == 1
    assert bytes(before["sealed"]).hex() not in dump(service)

"""Connection cases on a real store: what only PostgreSQL can show — who was faster, what was written, whose key."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from domain import kinds
from domain.crews.squads import SquadFormed
from domain.kernel.facts import EventToAppend
from domain.kernel.subjects import Subject
from infra.clock import ManualClock
from infra.eventstore.commands import Command, Stamp, Stream
from infra.eventstore.pseudonyms import pseudonym_key
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import squad_stream
from tests.api_world import APPLICANT, PAPERS, Client, app_of, application, ready_for_water, step, turned_on

BOOKING = {"squad": "squad-1", "begin": "2026-09-16T02:00:00Z", "end": "2026-09-16T04:00:00Z", "purpose": "survey"}
PROMISE = {"papers": ["property-right"], "deadline": "2026-09-17", "commitment_digest": "sha256:" + "0" * 64}


@pytest.fixture
def client(service: Service) -> Client:
    return Client(app_of(service))


def received(client: Client, *documents: Any, **changes: Any) -> str:
    answer = client.post("/api/v1/connections", application(documents=list(documents), **changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def events(service: Service) -> list[dict[str, Any]]:
    with service.connection() as connection:
        rows = connection.execute("SELECT state FROM store.stored_events ORDER BY notification_id").fetchall()
    return [json.loads(bytes(row["state"])) for row in rows]


def count(service: Service, fact: str) -> int:
    return sum(event["type"].split(".")[2] == fact for event in events(service))


def test_an_application_goes_all_the_way_to_water(client: Client, service: Service) -> None:
    case_id = ready_for_water(client)
    assert turned_on(client, case_id).status_code == 200
    admitted = next(event for event in events(service) if event["type"].endswith("ApplicationAdmitted.v1"))
    assert (admitted["actor"], admitted["role"], admitted["channel"]) == ("tongshui", "system", "system")


def test_renamings_at_once_are_as_many_revisions_in_the_vault_as_were_accepted(
    client: Client, service: Service
) -> None:
    case_id = ready_for_water(client)
    assert turned_on(client, case_id).status_code == 200
    names = [{**APPLICANT, "name": f"张{number}"} for number in "甲乙丙丁戊己"]

    def rename(customer: dict[str, str]) -> str | None:
        body = {"customer": customer, "document_digest": PROMISE["commitment_digest"]}
        found: str | None = step(client, case_id, "supply-points/1/customer/name", body, "counter").json().get("code")
        return found

    with ThreadPoolExecutor(len(names)) as senders:
        answers = list(senders.map(rename, names))
    accepted = answers.count(None)
    assert accepted >= 1
    assert set(answers) <= {None, "busy"}, "one that lost every look is told to try again"
    (customer,) = [one["customer"] for one in client.get(f"/api/v1/connections/{case_id}").json()["accounts"]]
    assert customer["revision"] == 1 + accepted
    with service.connection() as connection:
        rows = connection.execute(
            "SELECT revision FROM vault.subjects WHERE subject_id = %s ORDER BY revision", [customer["subject"]]
        ).fetchall()
    revisions = [row["revision"] for row in rows]
    assert revisions == list(range(1, 2 + accepted))
    kept = service.particulars([Subject(UUID(customer["subject"]), revision) for revision in revisions])
    assert len({each["name"] for each in kept}) == 1 + accepted
    assert count(service, "CustomerRenamed") == accepted


def test_ten_bookings_of_one_squad_at_once_are_one_visit(client: Client, service: Service) -> None:
    squad = squad_stream("squad-1")
    stamp = Stamp("manager-1", "manager", "office", str(uuid4()), "test")
    formed = SquadFormed("squad-1", "上门服务一专班", ("squad-1-a",))
    service.run(Command(squad, stamp, lambda snapshot: [(squad, EventToAppend(formed, snapshot.at))]))
    cases = [received(client) for _ in range(10)]
    with ThreadPoolExecutor(10) as senders:
        answers = list(
            senders.map(lambda each: step(client, each, "visits", {"visit": str(uuid4()), **BOOKING}, "hotline"), cases)
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert {answer.json().get("code") for answer in answers} == {None, "visits-overlap"}
    assert (count(service, "HomeVisitBooked"), count(service, "VisitTaken")) == (1, 1)


def test_ten_attempts_to_charge_what_is_banned_are_ten_facts_and_no_quote(client: Client, service: Service) -> None:
    case_id = received(client, *PAPERS)
    body = {"charge": "account-opening", "name_zh": "开户费", "amount_fen": 10_000}
    with ThreadPoolExecutor(10) as senders:
        answers = list(senders.map(lambda _: step(client, case_id, "charges", body, "counter"), range(10)))
    assert {answer.json()["code"] for answer in answers} == {"fee-banned"}
    assert (count(service, "ChargeRefused"), count(service, "QuoteIssued")) == (10, 0)


def test_a_person_who_commits_in_many_cases_at_once_is_known_by_all_of_them(client: Client, service: Service) -> None:
    cases = [received(client, PAPERS[0]) for _ in range(6)]
    with ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(lambda each: step(client, each, "papers-commitment", PROMISE, "applicant"), cases))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"busy"}
    kept = {UUID(case) for case, answer in zip(cases, answers, strict=True) if answer.status_code == 200}
    state, _ = service.load(Stream(kinds.CONNECTION, UUID(cases[0])))
    applicant, _ = service.load(Stream(kinds.APPLICANT, state.applicant))
    assert set(applicant.cases) == kept
    assert len(kept) >= 1


def test_a_broken_commitment_bars_the_next_application(client: Client, service: Service, clock: ManualClock) -> None:
    first = received(client, PAPERS[0])
    assert step(client, first, "papers-commitment", PROMISE, "applicant").status_code == 200
    clock.move(timedelta(days=2))
    stamp = Stamp("watch", "system", "system", str(uuid4()), "test")
    service.run(Command(Stream(kinds.CONNECTION, UUID(first)), stamp, lambda snapshot: ()))
    second = received(client, PAPERS[0])
    shown = client.get(f"/api/v1/connections/{second}").json()
    assert (shown["barred"], shown["admitted_at"]) == (True, None)


def test_an_installation_has_one_key_and_it_stays(service: Service) -> None:
    key = pseudonym_key(service)
    assert key == pseudonym_key(service)
    assert len(key) == 32
    with service.connection() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO vault.pseudonym_key (key) VALUES (%s)", [b"x" * 32])


def test_no_event_and_no_key_tells_who_applied(client: Client, service: Service) -> None:
    case_id = received(client, PAPERS[0])
    step(client, case_id, "papers-commitment", PROMISE, "applicant")
    everything = json.dumps(events(service), ensure_ascii=False)
    assert "CommitmentEntered" in everything
    assert not [value for value in APPLICANT.values() if value in everything]

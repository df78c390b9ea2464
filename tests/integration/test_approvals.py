"""The second person is asked: over HTTP and on real PostgreSQL, each in a session of their own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from domain.metering import abnormal_use
from domain.people import people
from domain.people.people import Work
from infra.approvals.asked_commands import AskedCommands, closing_overdue, stream_of
from infra.clock import ManualClock
from infra.eventstore.commands import Command, Snapshot, Stamp, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import person_stream, usage_stream
from infra.identity.accounts import Accounts
from infra.identity.demo_accounts import join_by_program
from infra.vault.upkeep import rotate
from tests.api_world import PAPERS, REPORTER, Client, FakeService, app_over, application, fault, staff, wait_for
from tests.unit.test_api_connections import REFUND, overpaid, pausing, refunded
from tests.unit.test_api_publication import NOTICE
from tests.unit.test_api_repairs import PROOF, REASSESSMENT, assessed, event_of, mended_and_closed

API = "/api/v1"
LATE = timedelta(hours=26)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """One application for all: its making takes longer than most of these tests."""
    return app_over(FakeService())


@dataclass
class World:
    """An installation with people: ``front`` is a trusted front end, ``net`` shows a token."""

    service: Service
    clock: ManualClock
    front: Client
    net: Client

    def person(self, actor: str, *roles: str, **bound: Any) -> dict[str, str]:
        """The headers of a session of its own; the account is made where there is none. ``bound``: to what."""
        join_by_program(self.service, actor, Work(roles, **bound))
        account = Accounts(self.service).person(actor)
        assert account is not None
        token = Accounts(self.service).open_session(account, browser=False).token
        return {"Authorization": f"Bearer {token}", "X-Role": roles[0]}

    def ask(self, path: str, body: Any, who: dict[str, str], **whom: str) -> httpx.Response:
        asked = {"path": path, "body": body, "reason": "现场无网络", **whom}
        return self.net.post(f"{API}/approvals", asked, headers=who)

    def asked(self, path: str, body: Any, who: dict[str, str], **whom: str) -> str:
        answer = self.ask(path, body, who, **whom)
        assert answer.status_code == 201, answer.text
        assert answer.json()["state"] == "waiting"
        return str(answer.json()["id"])

    def answer(self, approval: str, how: str, who: dict[str, str], body: Any = None) -> httpx.Response:
        return self.net.post(f"{API}/approvals/{approval}/{how}", body or {}, headers=who)

    def view(self, approval: str, who: dict[str, str]) -> dict[str, Any]:
        shown: dict[str, Any] = self.net.get(f"{API}/approvals/{approval}", headers=who).json()
        return shown

    def listed(self, who: dict[str, str]) -> tuple[list[str], list[str]]:
        mine = self.net.get(f"{API}/approvals", headers=who).json()
        return [each["id"] for each in mine["waiting"]], [each["id"] for each in mine["asked"]]

    def events(self, case: str) -> list[dict[str, Any]]:
        return [json.loads(text) for _, text in self.service.store.log.select_many([UUID(case)])]

    @property
    def head(self) -> int:
        """How many events there are."""
        with self.service.connection() as connection:
            row = connection.execute("SELECT count(*) AS events FROM store.stored_events").fetchone()
        assert row is not None
        return int(row["events"])


@pytest.fixture
def world(app: FastAPI, service: Service, clock: ManualClock) -> World:
    app.state.service = service
    return World(service, clock, Client(app), Client(app, proxy_secret=None))


def code(answer: httpx.Response) -> str:
    return str(answer.json().get("code", answer.status_code))


# ---- every operation that needs a second person


@dataclass(frozen=True)
class Needed:
    """An operation that one person alone is refused for with ``alone``. ``make``: what there has to be before; gives
    path and body. ``first``, ``second``: account and role. ``field``: where the fact names the second person."""

    make: Callable[[World], tuple[str, dict[str, Any]]]
    first: tuple[str, str]
    second: tuple[str, str]
    alone: str = "second-person-needed"
    field: str = "confirmed_by"
    created: bool = False


def ago(world: World, **time: float) -> str:
    return (world.service.clock.now() - timedelta(**time)).isoformat()


def below(path: str) -> str:
    return path.removeprefix(API)


def late_completion(world: World) -> tuple[str, dict[str, Any]]:
    path = assessed(world.front)
    world.clock.move(LATE)
    return f"{below(path)}/completion", {"happened_at": ago(world, hours=25)}


def late_application(world: World) -> tuple[str, dict[str, Any]]:
    return "/connections", application(documents=PAPERS, happened_at=ago(world, hours=3))


def late_pause_end(world: World) -> tuple[str, dict[str, Any]]:
    case_id = pausing(approved=True)(world.front, world.service)  # type: ignore[arg-type]
    world.clock.move(timedelta(hours=5))
    return f"/connections/{case_id}/pauses/1/end", {"happened_at": ago(world, hours=3)}


def late_outage(world: World) -> tuple[str, dict[str, Any]]:
    return "/outages/unannounced", {"districts": ["zhenxi"], "affected_users": 3, "happened_at": ago(world, hours=3)}


def late_reassessment(world: World) -> tuple[str, dict[str, Any]]:
    path = assessed(world.front)
    world.clock.move(timedelta(minutes=200))
    return f"{below(path)}/reassessment", REASSESSMENT


def refund(world: World) -> tuple[str, dict[str, Any]]:
    return f"/connections/{overpaid(world.front, world.service)}/refunds", REFUND  # type: ignore[arg-type]


def reversed_refund(world: World) -> tuple[str, dict[str, Any]]:
    case_id = refunded(world.front, world.service)  # type: ignore[arg-type]
    return f"/connections/{case_id}/refunds/TK-1/reversal", {"reason": "bounced"}


def reversed_payment(world: World) -> tuple[str, dict[str, Any]]:
    case_id = overpaid(world.front, world.service)  # type: ignore[arg-type]
    return f"/connections/{case_id}/payments/PAY-1/reversal", {"reason": "bounced"}


def calendar(world: World) -> tuple[str, dict[str, Any]]:
    return "/calendars", {"region": "CN", "notice": NOTICE, "source": "示例通知"}


def erasure(world: World) -> tuple[str, dict[str, Any]]:
    case_id = world.front.post(f"{API}/repairs", fault()).json()["case_id"]
    shown = world.front.get(f"{API}/cases/{case_id}/particulars", headers=staff("manager")).json()
    return f"/subjects/{shown['subjects'][0]['subject']}/erasure", {"reason": "asked-for"}


def settled_rejection(world: World) -> tuple[str, dict[str, Any]]:
    path = mended_and_closed(world.front, world.service)  # type: ignore[arg-type]
    event = event_of(world.front, path, "CrewArrived")
    world.clock.move(timedelta(days=2))
    return f"{below(path)}/rejections", {"event_id": event, "reason": "photo-elsewhere"}


def settled_merge(world: World) -> tuple[str, dict[str, Any]]:
    first, second = (world.front.post(f"{API}/repairs", fault()).json()["case_id"] for _ in range(2))
    crew = {"X-Actor": "crew-1", "X-Role": "crew", "X-Channel": "crew-phone"}
    world.clock.move(timedelta(hours=50))
    told = world.front.post(f"{API}/repairs/{second}/acknowledgement", {"crew": "crew-1"}, headers=crew)
    assert told.status_code == 200, told.text
    world.clock.move(timedelta(hours=50))
    return f"/repairs/{second}/merging", {"into": first}


CREW, DISPATCHER, MANAGER = ("crew-9", "crew"), ("dispatcher-9", "dispatcher"), ("manager-9", "manager")
CASHIER = ("cashier-9", "cashier")
NEEDED = {
    "a late fact of a repair": Needed(late_completion, CREW, DISPATCHER),
    "a late application": Needed(late_application, ("counter-9", "counter"), MANAGER, created=True),
    "a late end of a pause": Needed(late_pause_end, ("case-owner-9", "case-owner"), MANAGER),
    "a late outage": Needed(late_outage, DISPATCHER, MANAGER, created=True),
    "a late reassessment": Needed(late_reassessment, CREW, MANAGER, field="approved_by"),
    "a refund": Needed(refund, CASHIER, MANAGER),
    "the reversal of a refund": Needed(reversed_refund, CASHIER, MANAGER),
    "the reversal of a payment": Needed(reversed_payment, CASHIER, MANAGER),
    "a calendar that leaves days out": Needed(
        calendar, MANAGER, ("director-9", "deputy-director"), "calendar-leaves-out"
    ),
    "the erasure of a person": Needed(erasure, MANAGER, ("manager-8", "manager")),
    "a settled verdict that falls": Needed(settled_rejection, MANAGER, ("auditor-9", "auditor"), "verdict-settled"),
    "a merge that takes a settled lapse off": Needed(settled_merge, DISPATCHER, MANAGER, "verdict-settled"),
}


@pytest.mark.parametrize("name", NEEDED)
def test_what_needs_a_second_person_is_done_once_they_gave_their_approval(world: World, name: str) -> None:
    needed = NEEDED[name]
    path, body = needed.make(world)
    first, second = world.person(*needed.first), world.person(*needed.second)
    alone = world.net.post(f"{API}{path}", body, headers=first)
    assert code(alone) == needed.alone
    assert f"POST {API}/approvals" in alone.json()["next_step"]
    assert f"POST {API}/approvals" in alone.json()["next_step_zh"]
    before = world.head
    approval = world.asked(path, body, first, role=needed.second[1])
    assert world.head == before + 1, "the request, and nothing of the command"
    assert world.listed(second)[0] == [approval]
    given = world.answer(approval, "giving", second)
    assert given.status_code == 200, given.text
    shown = given.json()["approval"]
    assert (shown["state"], shown["decided_by"], shown["asked_by"]) == ("given", needed.second[0], needed.first[0])
    told = [each for each in world.events(shown["case_id"]) if each.get("confirmedby") == needed.second[0]]
    assert {(each["actor"], each["role"]) for each in told if each["role"] != "system"} == {needed.first}
    assert next(each["data"][needed.field] for each in told if needed.field in each["data"]) == needed.second[0]
    request, yes = world.events(approval)
    assert (request["actor"], yes["actor"], yes["role"]) == (needed.first[0], *needed.second)
    assert yes["type"] == "water.office.ApprovalGiven.v1"


def test_a_late_fact_about_abnormal_use_goes_the_same_way(world: World) -> None:
    case_id = found_use(world)
    world.clock.move(timedelta(hours=5))
    reader, manager = world.person("reader-9", "meter-reader"), world.person(*MANAGER)
    body = {"by": "photo", "evidence_digest": PROOF, "happened_at": ago(world, hours=3)}
    path = f"/usage/{case_id}/confirmation"
    assert code(world.net.post(f"{API}{path}", body, headers=reader)) == "second-person-needed"
    given = world.answer(world.asked(path, body, reader, role="manager"), "giving", manager)
    assert given.status_code == 200, given.text
    told = [each for each in world.events(case_id) if each["actor"] == "reader-9"]
    assert told[0]["data"]["confirmed_by"] == "manager-9"


def test_what_two_may_do_of_their_own_will_goes_the_same_way(world: World) -> None:
    """A mass incident needs nobody else; a standard and its fees have two steps of two persons each."""
    manager, director = world.person(*MANAGER), world.person("director-9", "deputy-director")
    form = {"mass": "frost-a", "cause": "frost", "districts": ["zhenxi"]}
    approval = world.asked("/mass-incidents", form, manager, actor="director-9")
    given = world.answer(approval, "giving", director)
    assert given.status_code == 200, given.text
    assert given.json()["answer"]["case_number"] == "frost-a"
    (declared,) = world.events(given.json()["approval"]["case_id"])
    assert (declared["actor"], declared["confirmedby"]) == ("manager-9", "director-9")


# ---- who may


TYPED: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
    ({}, {"confirmed_by": "dispatcher-9"}),
    ({"X-Confirmed-By": "dispatcher-9"}, {}),
    ({"X-Confirmed-Role": "dispatcher"}, {}),
)


@pytest.mark.parametrize(("headers", "typed"), TYPED, ids=["the body", "a header", "a role"])
def test_a_second_person_who_is_typed_in_counts_for_a_front_end_alone(
    world: World, headers: dict[str, str], typed: dict[str, str]
) -> None:
    path, body = late_completion(world)
    refused = world.net.post(f"{API}{path}", body | typed, headers=world.person(*CREW) | headers)
    assert (refused.status_code, code(refused)) == (409, "second-person-not-asked")
    assert f"POST {API}/approvals" in refused.json()["next_step"]
    asked = world.ask(path, body | {"confirmed_by": "dispatcher-9"}, world.person(*CREW), role="dispatcher")
    assert code(asked) == "second-person-not-asked"
    by_front_end = world.front.post(
        f"{API}{path}", body | {"confirmed_by": "dispatcher-9"}, headers=staff("crew", channel="crew-phone")
    )
    assert by_front_end.status_code == 200, by_front_end.text


def test_imported_history_says_who_confirmed_a_fact_and_moves_no_money(world: World) -> None:
    importer = world.person("manager-7", "manager") | {"X-Channel": "import"}
    path, body = late_completion(world)
    told = world.net.post(f"{API}{path}", body | {"confirmed_by": "dispatcher-9"}, headers=importer)
    assert told.status_code == 200, told.text
    rows = {"reports": [fault(confirmed_by="dispatcher-9")]}
    assert world.net.post(f"{API}/repairs/bulk", rows, headers=importer).json()["accepted"] == 1
    assert code(world.net.post(f"{API}/repairs/bulk", rows, headers=world.person(*CREW))) == "second-person-not-asked"
    money, lines = refund(world)
    paid = world.net.post(
        f"{API}{money}", lines, headers=importer | {"X-Confirmed-By": "x", "X-Confirmed-Role": "cashier"}
    )
    assert code(paid) == "second-person-not-asked"
    path, body = late_reassessment(world)
    crew = world.person(*CREW) | {"X-Channel": "import"}
    typed = world.net.post(f"{API}{path}", body | {"approved_by": "dispatcher-9"}, headers=crew)
    assert code(typed) == "second-person-not-asked", "without the power to import"


def test_whoever_asked_cannot_approve_under_any_role_or_name(world: World) -> None:
    path, body = late_completion(world)
    both = world.person("crew-9", "crew", "dispatcher")
    approval = world.asked(path, body, both, role="dispatcher")
    assert world.listed(both) == ([], [approval])
    other_session = world.person("crew-9", "crew", "dispatcher") | {"X-Role": "dispatcher"}
    assert code(world.answer(approval, "giving", other_session)) == "same-person"
    assert code(world.answer(approval, "decline", other_session, {"reason": "other"})) == "same-person"
    for name in ("CREW-9", "crew-9.", "Crew-9.."):
        written_otherwise = {"X-Actor": name, "X-Role": "dispatcher", "X-Channel": "office"}
        refused = world.front.post(f"{API}/approvals/{approval}/giving", {}, headers=written_otherwise)
        assert code(refused) == "same-person", name
        typed = {"X-Actor": "crew-9", "X-Role": "crew", "X-Channel": "crew-phone", "X-Confirmed-By": name}
        assert code(world.front.post(f"{API}{path}", body, headers=typed)) == "second-person-needed", name
    assert code(world.ask(path, body, both, actor="crew-9")) == "same-person"


def test_the_second_person_is_one_who_is_asked_and_no_machine(world: World) -> None:
    path, body = late_completion(world)
    approval = world.asked(path, body, world.person(*CREW), role="dispatcher")
    hotline, machine = world.person("hotline-9", "hotline"), joined_machine(world, "gateway-9", "dispatcher")
    assert code(world.answer(approval, "giving", hotline)) == "no-such-approval"
    assert code(world.net.get(f"{API}/approvals/{approval}", headers=hotline)) == "no-such-approval"
    assert world.listed(hotline) == ([], [])
    assert code(world.answer(approval, "giving", machine)) == "machine-cannot-approve"
    assert world.listed(machine) == ([], [])
    assert code(world.ask(path, body, world.person(*CREW), actor="gateway-9")) == "machine-cannot-approve"
    nobody = world.net.post(f"{API}/approvals/{approval}/giving", {})
    assert (nobody.status_code, code(nobody)) == (403, "sign-in-to-ask")
    assert world.net.get(f"{API}/approvals").json() == {"waiting": [], "asked": []}
    forged = {**world.person(*CREW), "tongshui.carried": "x", "X-Confirmed-By": "dispatcher-9"}
    assert code(world.net.post(f"{API}{path}", body, headers=forged)) == "second-person-not-asked"


def test_who_is_bound_elsewhere_is_not_asked_about_a_case_that_they_may_not_read(world: World) -> None:
    path, body = late_completion(world)
    approval = world.asked(path, body, world.person("crew-9", "crew"), role="dispatcher")
    elsewhere = world.person("dispatcher-8", "dispatcher", districts=("hexi",))
    here = world.person("dispatcher-9", "dispatcher", districts=("hexi", fault()["district"]))
    case = world.net.get(f"{API}{path.removesuffix('/completion')}", headers=elsewhere)
    assert code(case) == "not-yours"
    assert world.listed(elsewhere) == ([], [])
    assert world.net.get(f"{API}/approvals/count", headers=elsewhere).json() == {"waiting": 0}
    assert code(world.net.get(f"{API}/approvals/{approval}", headers=elsewhere)) == "no-such-approval"
    for how, said in (("giving", {}), ("decline", {"reason": "other"})):
        assert code(world.answer(approval, how, elsewhere, said)) == "no-such-approval", how
    assert world.net.get(f"{API}/approvals/count", headers=here).json() == {"waiting": 1}
    assert world.listed(here) == ([approval], [])
    assert world.answer(approval, "giving", here).status_code == 200


def test_money_needs_another_role_and_is_refused_at_once_where_the_wrong_one_is_asked(world: World) -> None:
    path, body = refund(world)
    cashier = world.person(*CASHIER)
    assert code(world.ask(path, body, cashier, role="cashier")) == "second-role-needed"
    world.person("cashier-8", "cashier")
    assert code(world.ask(path, body, cashier, actor="cashier-8")) == "second-role-needed"
    chief = world.person("chief-9", "cashier", "manager")
    approval = world.asked(path, body, cashier, actor="chief-9")
    assert code(world.answer(approval, "giving", chief)) == "second-role-needed", "in the role that the asker has"
    assert world.view(approval, cashier)["state"] == "waiting"
    given = world.answer(approval, "giving", chief | {"X-Role": "manager"})
    assert given.status_code == 200, given.text
    assert given.json()["approval"]["decided_as"] == "manager"


ASKED_WRONGLY: tuple[tuple[dict[str, Any], str], ...] = (
    ({"role": None}, "nobody-asked"),
    ({"actor": "dispatcher-9"}, "nobody-asked"),
    ({"role": "king"}, "unknown-role"),
    ({"role": "applicant"}, "role-without-account"),
    ({"role": None, "actor": "nobody-9"}, "no-such-person"),
    ({"path": "/approvals"}, "not-for-approval"),
    ({"path": "/session"}, "not-for-approval"),
    ({"path": "/subjects/search"}, "not-for-approval"),
    ({"path": "/people"}, "not-for-approval"),
    ({"path": "/repairs/../people"}, "not-for-approval"),
    ({"path": "/repairs?role=manager"}, "bad-body"),
    ({"body": {"severity": "small"}}, "bad-body"),
    ({"path": f"/repairs/{UUID(int=404)}/completion"}, "no-such-case"),
    ({"path": f"/repairs/{UUID(int=404)}/closure", "body": {}}, "wrong-role"),
    ({"body": {"happened_at": "2030-01-01T00:00:00Z"}}, "future-time"),
)


def test_what_could_not_be_carried_out_is_refused_when_it_is_asked_for(world: World) -> None:
    path, body = late_completion(world)
    before, crew = world.head, world.person(*CREW)
    for changes, expected in ASKED_WRONGLY:
        wanted = {"path": path, "body": body, "reason": "现场无网络", "role": "dispatcher", **changes}
        assert code(world.net.post(f"{API}/approvals", wanted, headers=crew)) == expected, changes
    assert world.head == before + 1, "nothing but that somebody joined"


# ---- how it ends


def test_a_command_is_carried_out_once_however_often_it_is_given(world: World) -> None:
    path, body = late_completion(world)
    crew, one, other = world.person(*CREW), world.person(*DISPATCHER), world.person("dispatcher-8", "dispatcher")
    approval = world.asked(path, body, crew, role="dispatcher")
    answers: dict[str, list[httpx.Response]] = {"one": [], "other": []}
    start = threading.Barrier(4)

    def give(name: str, who: dict[str, str]) -> None:
        start.wait(10)
        answers[name].append(world.answer(approval, "giving", who))

    threads = [
        threading.Thread(target=give, args=each)
        for each in (("one", one), ("other", other), ("one", one), ("other", other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    codes = {name: {code(each) for each in found} for name, found in answers.items()}
    assert sorted(codes.values(), key=str) == [{"200"}, {"approval-decided"}]
    case = world.events(path.split("/")[2])
    assert [each["type"] for each in case].count("water.repair.RepairCompleted.v1") == 1
    assert len(world.events(approval)) == 2
    winner = one if codes["one"] == {"200"} else other
    head, again = world.head, world.answer(approval, "giving", winner)
    assert (again.json()["answer"], world.head) == (
        answers["one" if winner is one else "other"][0].json()["answer"],
        head,
    )
    for how, sent in (("decline", {"reason": "other"}), ("withdrawal", {})):
        assert code(world.answer(approval, how, crew if how == "withdrawal" else one, sent)) == "approval-decided"


def test_a_command_that_is_refused_by_now_leaves_the_request_waiting(world: World) -> None:
    path, body = refund(world)
    approval = world.asked(path, body, world.person(*CASHIER), role="manager")
    assert world.front.post(f"{API}{path}", body, headers={**staff("cashier"), **SECOND}).status_code == 200
    manager, before = world.person(*MANAGER), world.head
    refused = world.answer(approval, "giving", manager)
    assert refused.status_code == 409
    assert world.head == before
    assert world.view(approval, world.person(*CASHIER))["state"] == "waiting"


SECOND = {"X-Confirmed-By": "manager-2", "X-Confirmed-Role": "manager"}


def test_whoever_left_or_changed_their_work_has_nothing_carried_out(world: World) -> None:
    path, body = late_completion(world)
    approval = world.asked(path, body, world.person(*CREW), role="dispatcher")
    moved(world, "crew-9", "hotline")
    assert code(world.answer(approval, "giving", world.person(*DISPATCHER))) == "asker-may-not"


def test_it_is_declined_with_a_reason_or_taken_back_by_whoever_asked(world: World) -> None:
    path, body = late_completion(world)
    crew, dispatcher = world.person(*CREW), world.person(*DISPATCHER)
    declined, withdrawn = (world.asked(path, body, crew, role="dispatcher") for _ in range(2))
    assert code(world.answer(declined, "withdrawal", dispatcher)) == "not-your-request"
    no = world.answer(declined, "decline", dispatcher, {"reason": "unproven"})
    assert (no.status_code, no.json()["approval"]["state"]) == (200, "declined")
    back = world.answer(withdrawn, "withdrawal", crew)
    assert (back.status_code, back.json()["approval"]["state"]) == (200, "withdrawn")
    for approval in (declined, withdrawn):
        assert code(world.answer(approval, "giving", dispatcher)) == "approval-decided"
        assert world.view(approval, crew)["body"] is None, "what is decided is kept no longer"
    assert world.view(declined, crew)["decline_reason"] == "unproven"
    assert world.listed(dispatcher) == ([], [])


def test_an_unanswered_request_expires_and_its_text_is_forgotten(world: World) -> None:
    path, body = late_completion(world)
    crew, dispatcher = world.person(*CREW), world.person(*DISPATCHER)
    first, second = (world.asked(path, body, crew, role="dispatcher") for _ in range(2))
    world.clock.move(timedelta(hours=48))
    assert world.view(first, crew)["state"] == "expired"
    assert world.listed(dispatcher)[0] == []
    assert code(world.answer(first, "giving", dispatcher)) == "approval-expired"
    assert [each["type"].split(".")[2] for each in world.events(first)] == ["ApprovalRequested", "ApprovalExpired"]
    asked = AskedCommands(world.service)
    with closing_overdue(world.service):
        wait_for(lambda: asked.opened(UUID(first)) is None and asked.opened(UUID(second)) is None, seconds=20)
    assert world.events(second)[-1]["type"] == "water.office.ApprovalExpired.v1"
    assert len(world.events(first)) == len(world.events(second)) == 2
    assert asked.close_overdue() == 0


def test_a_repeated_request_asks_once(world: World) -> None:
    path, body = late_completion(world)
    crew = world.person(*CREW) | {"Idempotency-Key": "once"}
    first, again = (world.ask(path, body, crew, role="dispatcher") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = world.ask(path, body, crew, role="manager")
    assert code(other) == "idempotency-key-reused"


def test_what_happened_without_a_time_happened_when_it_was_asked_for(world: World) -> None:
    path = below(assessed(world.front))
    crew, dispatcher = world.person(*CREW), world.person(*DISPATCHER)
    asked_at = world.service.clock.now()
    approval = world.asked(f"{path}/completion", {}, crew, role="dispatcher")
    world.clock.move(LATE)
    assert world.answer(approval, "giving", dispatcher).status_code == 200
    (done,) = [each for each in world.events(path.split("/")[2]) if each["type"].endswith("RepairCompleted.v1")]
    assert done["time"].replace("Z", "+00:00") == asked_at.isoformat()


# ---- what is kept and shown


def test_a_body_with_particulars_is_sealed_masked_and_in_no_event(world: World) -> None:
    path, body = late_application(world)
    counter, manager = world.person("counter-9", "counter"), world.person(*MANAGER)
    approval = world.asked(path, body, counter, role="manager")
    shown = world.view(approval, manager)
    assert (shown["reason"], shown["path"]) == ("现场无网络", "/connections")
    assert shown["body"]["applicant"] == {"name": "张*", "phone": "138****5678", "address": "****", "id_number": "****"}
    with world.service.connection() as connection:
        rows = connection.execute("SELECT * FROM approvals.commands").fetchall()
    kept = str(rows) + json.dumps(world.events(approval), ensure_ascii=False)
    for personal in (*REPORTER.values(), "433101199001011234", "现场无网络"):
        assert personal not in kept
        assert personal.encode() not in bytes(rows[0]["sealed"])
    assert world.events(approval)[0]["data"]["digest"] == shown["digest"]


def test_a_waiting_command_is_sealed_anew_with_a_new_master_key(world: World) -> None:
    path, body = late_completion(world)
    approval = world.asked(path, body, world.person(*CREW), role="dispatcher")
    rotate(world.service.settings, new_key=True)
    with world.service.connection() as connection:
        row = connection.execute("SELECT sealed FROM approvals.commands").fetchone()
    assert row is not None
    world.service.vault.reread_keys()
    assert bytes(row["sealed"])[1:5].hex() == world.service.vault.newest_key()
    assert world.answer(approval, "giving", world.person(*DISPATCHER)).status_code == 200


def test_a_command_whose_text_is_gone_is_asked_for_anew(world: World) -> None:
    path, body = late_completion(world)
    approval = world.asked(path, body, world.person(*CREW), role="dispatcher")
    AskedCommands(world.service).forget(UUID(approval))
    assert code(world.answer(approval, "giving", world.person(*DISPATCHER))) == "command-gone"
    assert world.service.load(stream_of(UUID(approval)))[0].state == "waiting"


# ---- parts


def found_use(world: World) -> str:
    """A case of abnormal use, as the program finds it; its id."""
    at = world.service.clock.now()
    stream, stamp = usage_stream("JS-1", at), Stamp("tongshui", "system", "system", "found", "found")

    def decide(snapshot: Snapshot) -> list[StreamEvent]:
        ctx = snapshot.context(stamp)
        found = abnormal_use.find(
            snapshot.of(stream),
            ctx,
            number="YC-1",
            meter="JS-1",
            in_service=None,
            read_at=at,
            litres=70_000,
            used_litres=30_000,
            signs=("high",),
            revision=1,
        )
        return [(stream, ctx.event(each)) for each in found]

    world.service.run(Command(stream, stamp, decide))
    return str(stream.id)


def said_by_program(world: World, actor: str, decide: Callable[[Any, Any], Any]) -> None:
    stream, stamp = person_stream(actor), Stamp("tongshui", "system", "system", f"{actor}-said", f"{actor}-said")

    def decided(snapshot: Snapshot) -> list[StreamEvent]:
        ctx = snapshot.context(stamp)
        return [(stream, ctx.event(decide(snapshot.of(stream), ctx)))]

    world.service.run(Command(stream, stamp, decided))


def moved(world: World, actor: str, role: str) -> None:
    said_by_program(world, actor, lambda known, ctx: people.move(known, ctx, actor=actor, work=Work((role,))))


def joined_machine(world: World, actor: str, role: str) -> dict[str, str]:
    work = Work((role,))
    said_by_program(world, actor, lambda known, ctx: people.join(known, ctx, actor=actor, kind="machine", work=work))
    return world.person(actor, role)

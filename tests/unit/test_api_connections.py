"""Every command on a connection case over HTTP: accepted where it is right, and refused with a stable code, a next step
and nothing written where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI

from domain import kinds
from domain.connections.applicants import CommitmentEntered
from domain.crews.squads import SquadFormed
from domain.kernel.facts import EventToAppend
from infra.eventstore.commands import Command, Stamp, Stream
from infra.eventstore.shipped_rules import shipped_rules, squad_stream
from tests.api_world import (
    DIGEST,
    METER,
    MORNING,
    PAPERS,
    STEPS_TO_WATER,
    Client,
    FakeService,
    app_over,
    application,
    staff,
    step,
    turned_on,
)
from tests.unit.test_api_errors import problem

VISIT = str(UUID(int=70))
OTHER_VISIT = str(UUID(int=71))
BOOKING = {"squad": "squad-1", "begin": "2026-09-16T02:00:00Z", "end": "2026-09-16T04:00:00Z"}
IDENTITY_ONLY = PAPERS[:1]
PROPERTY_ONLY = PAPERS[1:]


RULES = shipped_rules()


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return app_over(FakeService(RULES))


@pytest.fixture
def service(app: FastAPI) -> FakeService:
    made = FakeService(RULES)
    app.state.service = made
    for squad in ("squad-1", "squad-2"):
        say(made, squad_stream(squad), SquadFormed(squad, "专班", (f"{squad}-a",)))
    return made


def say(service: FakeService, stream: Stream, fact: Any) -> None:
    stamp = Stamp("manager-1", "manager", "office", str(uuid4()), "test")
    service.run(Command(stream, stamp, lambda snapshot: [(stream, EventToAppend(fact, snapshot.at))]))


@pytest.fixture
def client(app: FastAPI, service: FakeService) -> Client:
    return Client(app)


# ---- cases at the stage at which a command is right


def received(client: Client, documents: Any = (), **changes: Any) -> str:
    answer = client.post("/api/v1/connections", application(documents=list(documents), **changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def told(client: Client, case_id: str, path: str, body: Any, role: str, **headers: str) -> None:
    answer = step(client, case_id, path, body, role, **headers)
    assert answer.status_code == 200, answer.text


def after(number: int) -> Callable[[Client, FakeService], str]:
    """A case with both papers, after so many of the steps to water."""

    def make(client: Client, service: FakeService) -> str:
        case_id = received(client, PAPERS)
        for path, body, role in STEPS_TO_WATER[:number]:
            told(client, case_id, path, body, role)
        return case_id

    return make


def with_papers(*papers: Any) -> Callable[[Client, FakeService], str]:
    return lambda client, service: received(client, papers)


def with_visit(client: Client, service: FakeService) -> str:
    case_id = received(client, PAPERS)
    told(client, case_id, "visits", {"visit": VISIT, "purpose": "approval", **BOOKING}, "hotline")
    return case_id


def on_visit(client: Client, service: FakeService) -> str:
    case_id = with_visit(client, service)
    service.clock.move(timedelta(hours=2))
    return case_id


def sent(client: Client, service: FakeService) -> str:
    case_id = received(client)
    told(client, case_id, "deliverables", {"deliverable": "plan", "way": "wechat", "digest": DIGEST}, "squad")
    return case_id


def with_meter(client: Client, service: FakeService) -> str:
    case_id = received(client, PAPERS)
    told(client, case_id, "supply-points/1/meter", {"meter": METER}, "crew")
    return case_id


def with_water(client: Client, service: FakeService) -> str:
    case_id = after(8)(client, service)
    told(client, case_id, "supply-points/1/water-on", {"meter": METER}, "crew")
    service.clock.move(timedelta(hours=1))
    return case_id


def pausing(*, approved: bool) -> Callable[[Client, FakeService], str]:
    def make(client: Client, service: FakeService) -> str:
        case_id = received(client, PAPERS)
        told(client, case_id, "pauses", {"reason": "government-permit", "evidence_digest": DIGEST}, "case-owner")
        if approved:
            told(client, case_id, "pauses/1/approval", {}, "manager")
        return case_id

    return make


def overpaid(client: Client, service: FakeService) -> str:
    case_id = after(5)(client, service)
    told(client, case_id, "quotes", {"lines": [{"fee": "water-loss", "quantity": "1"}]}, "squad")
    return case_id


def refunded(client: Client, service: FakeService) -> str:
    case_id = overpaid(client, service)
    told(client, case_id, "refunds", REFUND, "cashier")
    return case_id


def broken(client: Client, service: FakeService, **applicant: Any) -> str:
    """A commitment for the next day that was not kept, and whose papers came in afterwards."""
    case_id = received(client, IDENTITY_ONLY, **applicant)
    told(client, case_id, "papers-commitment", PROMISE, "applicant")
    service.clock.move(timedelta(days=2))
    told(client, case_id, "appearances", APPEARANCE, "counter")  # whoever is next asks the rulebook
    return case_id


def mended(client: Client, service: FakeService) -> str:
    case_id = broken(client, service)
    told(client, case_id, "documents", PAPERS[1], "counter")
    return case_id


APPEARANCE = {"place": "counter", "purpose": "papers"}
PROMISE = {"papers": ["property-right"], "deadline": "2026-09-17", "commitment_digest": DIGEST}
REFUND = {"refund": "TK-1", "lines": [{"fee": "installation", "amount_fen": 128_500}]}
REPLACEMENT = {"final_reading_m3": "12.5", "reason": "faulty", "meter": METER | {"number": "js-2026-0002"}}
VERIFICATION = {"number": METER["number"], "verified_on": METER["verified_on"], "expires_on": "2032-02-27"}
PAYMENT = STEPS_TO_WATER[4][1]
CLASS = {"usage_split": {"special": 100}, "reason": "use-changed", "document_digest": DIGEST}
NEWCOMER = {"name": "李四", "phone": "13912345678", "address": "人民北路 1 号"}
CUSTOMER = {"customer": NEWCOMER, "contract": "HT-2", "reading_m3": "1", "reason": "sale", "document_digest": DIGEST}
RENAMING = {"customer": NEWCOMER, "document_digest": DIGEST}


@dataclass(frozen=True)
class Told:
    """A command where it is right. ``field``: it says when something happened. ``lives``: it is taken in a case that
    was withdrawn too. ``only``: the code it is refused with even there, where the shipped rules never need it."""

    path: str
    body: dict[str, Any]
    role: str
    at: Callable[[Client, FakeService], str]
    field: bool = False
    lives: bool = False
    only: str | None = None
    wrong_role: str = "meter-reader"


COMMANDS = (
    Told("owner", {"owner": "owner-1"}, "manager", with_papers()),
    Told("appearances", APPEARANCE, "counter", with_papers(), field=True, lives=True),
    Told("withdrawal", {"reason": "no-longer-needed"}, "applicant", with_papers()),
    Told("refusal", {"reason": "arrears", "document_digest": DIGEST}, "manager", with_papers()),
    Told("documents", PAPERS[0], "public", with_papers(), field=True),
    Told("documents/property-right/rejection", {"defect": "illegible"}, "counter", with_papers(PAPERS[1])),
    Told(
        "notice",
        {"items": [{"document": "identity", "defect": "missing"}, {"document": "property-right", "defect": "missing"}]},
        "counter",
        with_papers(),
    ),
    Told(
        "further-requests",
        {"items": [{"document": "property-right", "defect": "site-differs"}]},
        "counter",
        with_papers(*PAPERS),
    ),
    Told("papers-commitment", PROMISE, "applicant", with_papers(PAPERS[0])),
    Told("papers-commitment/refusal", {}, "applicant", with_papers()),
    Told("papers-commitment/repair", {"evidence_digest": DIGEST}, "manager", mended, lives=True),
    Told("admission", {}, "counter", with_papers(), only="papers-missing"),
    Told("resumption", {"reason": "papers-in"}, "manager", mended, lives=True),
    Told("survey", STEPS_TO_WATER[0][1], "squad", after(0), field=True),
    Told("design", STEPS_TO_WATER[1][1], "squad", after(1), field=True),
    Told(
        "on-site-approval",
        {"visit": VISIT, "squad": "squad-1", "drawing_digest": DIGEST},
        "squad",
        on_visit,
        field=True,
    ),
    Told("construction/start", {"crew": "crew-1"}, "crew", after(5), field=True),
    Told("construction/completion", {}, "crew", after(6), field=True),
    Told("inspection", {"passed": True, "defects": []}, "inspector", after(7), field=True),
    Told("supply-points/1/meter", {"meter": METER}, "crew", after(0), field=True),
    Told("supply-points/1/meter-replacement", REPLACEMENT, "crew", with_meter, field=True),
    Told("supply-points/1/meter-verification", VERIFICATION, "crew", with_meter, field=True),
    Told("supply-points/1/water-on", {"meter": METER}, "crew", after(8), field=True),
    Told("supply-points/1/class", CLASS, "counter", with_water),
    Told("supply-points/1/customer", CUSTOMER, "counter", with_water),
    Told("supply-points/1/customer/name", RENAMING, "counter", with_water),
    Told("quotes", STEPS_TO_WATER[2][1], "squad", after(0)),
    Told(
        "charges",
        {"charge": "installation", "name_zh": "工程安装费", "amount_fen": 128_500},
        "counter",
        after(3),
        only="already-quoted",
    ),
    Told("contract", STEPS_TO_WATER[3][1], "applicant", after(3)),
    Told("payments", PAYMENT, "cashier", after(3), field=True, lives=True),
    Told("payments/PAY-1/reversal", {"reason": "bounced"}, "cashier", after(5), lives=True),
    Told("refunds", REFUND, "cashier", overpaid, lives=True),
    Told("refunds/TK-1/reversal", {"reason": "bounced"}, "cashier", refunded, lives=True),
    Told("visits", {"visit": OTHER_VISIT, "purpose": "survey", **BOOKING}, "hotline", with_papers()),
    Told(f"visits/{VISIT}/reassignment", {**BOOKING, "squad": "squad-2"}, "manager", with_visit),
    Told(f"visits/{VISIT}/made", {"papers_collected": ["identity"]}, "squad", on_visit, field=True),
    Told(f"visits/{VISIT}/cancellation", {"reason": "nobody-home"}, "counter", with_visit, lives=True),
    Told(
        "deliverables",
        {"deliverable": "plan", "way": "wechat", "digest": DIGEST},
        "squad",
        with_papers(),
        field=True,
        lives=True,
    ),
    Told("deliverables/receipt", {"deliverable": "plan", "digest": DIGEST}, "applicant", sent, field=True, lives=True),
    Told("pauses", {"reason": "government-permit", "evidence_digest": DIGEST}, "case-owner", after(0), field=True),
    Told("pauses/1/approval", {}, "manager", pausing(approved=False), lives=True),
    Told("pauses/1/decline", {}, "manager", pausing(approved=False), lives=True),
    Told("pauses/1/end", {}, "case-owner", pausing(approved=True), field=True, lives=True),
    Told("pauses/1/revocation", {"reason": "no-permit-needed"}, "manager", pausing(approved=True), lives=True),
)


def each(wanted: Callable[[Told], bool] = lambda command: True) -> pytest.MarkDecorator:
    """A test of every command of which that holds."""
    return pytest.mark.parametrize(
        "command", [c for c in COMMANDS if wanted(c)], ids=lambda command: command.path.replace(VISIT, "visit")
    )


every_command = each()
every_field_fact = each(lambda command: command.field)


def refused(service: FakeService, answer: Callable[[], Any], code: str) -> dict[str, Any]:
    """The answer's problem; the store's head is where it was."""
    head = service.head
    found = problem(answer())
    assert found["code"] == code, found
    assert service.head == head, "what is refused writes nothing"
    return found


def test_every_command_of_the_description_is_in_this_table(client: Client) -> None:
    described = {
        path.removeprefix("/api/v1/connections/{case_id}/")
        for path, operations in client.get("/openapi.json").json()["paths"].items()
        if path.startswith("/api/v1/connections/{case_id}/") and "post" in operations
    }
    named = {("/1/", "/{pause}/"), (f"/{VISIT}/", "/{visit}/"), ("/PAY-1/", "/{number}/"), ("/TK-1/", "/{number}/")}
    here = set()
    for command in COMMANDS:
        path = command.path.replace("supply-points/1/", "supply-points/{point}/")
        path = path.replace("documents/property-right/", "documents/{document}/")
        for value, name in named:
            path = path.replace(value, name)
        here.add(path)
    assert here == described


# ---- each command


@every_command
def test_it_is_accepted_where_it_is_right(client: Client, service: FakeService, command: Told) -> None:
    case_id = command.at(client, service)
    head = service.head
    answer = step(client, case_id, command.path, command.body, command.role)
    if command.only is not None:
        assert problem(answer)["code"] == command.only
        return
    assert answer.status_code == 200, answer.text
    assert service.head > head
    assert answer.json()["case_number"] == "BZ-2026-000001"


@every_command
def test_another_role_is_refused(client: Client, service: FakeService, command: Told) -> None:
    case_id = command.at(client, service)
    refused(service, lambda: step(client, case_id, command.path, command.body, command.wrong_role), "wrong-role")


@every_command
def test_there_is_no_case_where_there_is_none(client: Client, service: FakeService, command: Told) -> None:
    refused(service, lambda: step(client, str(uuid4()), command.path, command.body, command.role), "no-such-case")


@each(lambda command: command.at not in (mended, with_water))
def test_a_withdrawn_case_takes_no_more_than_it_must(client: Client, service: FakeService, command: Told) -> None:
    case_id = command.at(client, service)
    told(client, case_id, "withdrawal", {"reason": "no-longer-needed"}, "applicant")
    if command.lives:
        assert step(client, case_id, command.path, command.body, command.role).status_code == 200
    else:
        refused(service, lambda: step(client, case_id, command.path, command.body, command.role), "case-stopped")


@every_command
def test_a_megabyte_is_refused(client: Client, service: FakeService, command: Told) -> None:
    body = {**command.body, "note": "x" * 1_000_000}
    refused(service, lambda: step(client, str(uuid4()), command.path, body, command.role), "body-too-large")


@every_command
def test_a_field_that_it_does_not_have_is_refused_and_not_repeated(
    client: Client, service: FakeService, command: Told
) -> None:
    body = {**command.body, "note": "张三 13812345678"}
    found = refused(service, lambda: step(client, str(uuid4()), command.path, body, command.role), "bad-body")
    assert "13812345678" not in json.dumps(found, ensure_ascii=False)


def texts(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a body a text stands."""
    if isinstance(value, str):
        return [path]
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, child in children for found in texts(child, (*path, key))]


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    if not path:
        return to
    after: Any = dict(value) if isinstance(value, dict) else list(value)
    after[path[0]] = changed(value[path[0]], path[1:], to)
    return after


NO_CODES = ("a\x00b", "a\nb", "\u202eabc", "张三", "", "x" * 60_000, 7, None, "13812345678")
ANY_TEXT = {"name_zh": ("张三", "13812345678"), "digest": (None,), "number": ("13812345678",)}
"""A charge's name is looked at and not kept; only an upload has a digest; a meter may have any number."""
ANY_TEXT["body_code"] = ANY_TEXT["phone"] = ANY_TEXT["number"]
ANY_TEXT["name"] = ANY_TEXT["address"] = ANY_TEXT["name_zh"]


@every_command
def test_no_text_of_it_takes_what_is_no_code(client: Client, service: FakeService, command: Told) -> None:
    case_id, head = str(uuid4()), service.head
    for path in texts(command.body):
        for text in NO_CODES:
            if text in ANY_TEXT.get(str(path[-1]), ()):
                continue
            answer = step(client, case_id, command.path, changed(command.body, path, text), command.role)
            assert problem(answer)["code"] == "bad-body", (path, text, answer.text)
    assert service.head == head


@every_field_fact
def test_what_has_not_happened_yet_is_refused(client: Client, service: FakeService, command: Told) -> None:
    case_id = command.at(client, service)
    body = {**command.body, "happened_at": (service.clock.now() + timedelta(hours=1)).isoformat()}
    refused(service, lambda: step(client, case_id, command.path, body, command.role), "future-time")


@every_field_fact
def test_what_happened_before_the_receipt_is_refused(client: Client, service: FakeService, command: Told) -> None:
    case_id = command.at(client, service)
    body = {**command.body, "happened_at": (MORNING - timedelta(days=1)).isoformat()}
    refused(service, lambda: step(client, case_id, command.path, body, command.role), "dates-out-of-order")


@pytest.mark.parametrize("role", ["public", "applicant"])
def test_an_applicant_cannot_date_an_application_back(client: Client, service: FakeService, role: str) -> None:
    claimed = "1970-01-01T00:00:00Z"
    answer = client.post("/api/v1/connections", application(happened_at=claimed), headers=staff(role))
    assert answer.status_code == 201, answer.text
    stored = [json.loads(event) for event in service.events[UUID(answer.json()["case_id"])]]
    received = stored[0]
    assert received["time"] == MORNING.isoformat().replace("+00:00", "Z")
    assert (received["data"]["claimed_at"], received["data"]["flags"]) == (claimed, ["dated-back"])
    assert not [each for each in stored if "WindowLapsed" in each["type"]]


def test_staff_dates_an_application_back_with_a_second_person(client: Client, service: FakeService) -> None:
    body = application(happened_at=(MORNING - timedelta(hours=2)).isoformat())
    refused(service, lambda: client.post("/api/v1/connections", body, headers=staff("counter")), "second-person-needed")
    answer = client.post("/api/v1/connections", body | {"confirmed_by": "counter-2"}, headers=staff("counter"))
    assert answer.status_code == 201, answer.text
    received = json.loads(service.events[UUID(answer.json()["case_id"])][0])
    assert received["time"] == "2026-09-15T23:00:00Z"
    assert (received["data"]["flags"], received["data"]["confirmed_by"]) == (["backdated"], "counter-2")


@every_field_fact
def test_what_is_told_late_needs_a_second_person_and_says_so(
    client: Client, service: FakeService, command: Told
) -> None:
    case_id = command.at(client, service)
    happened_at, known = service.clock.now(), len(service.events[UUID(case_id)])
    service.clock.move(timedelta(minutes=31))
    body = {**command.body, "happened_at": happened_at.isoformat()}
    if command.path == "pauses":  # asked for while it begins, or not at all
        refused(service, lambda: step(client, case_id, command.path, body, command.role), "second-person-needed")
        return
    refused(service, lambda: step(client, case_id, command.path, body, command.role), "second-person-needed")
    later = (happened_at + timedelta(minutes=10)).isoformat()
    answer = step(client, case_id, command.path, body | {"confirmed_by": "a-2", "reported_at": later}, command.role)
    assert answer.status_code == 200, answer.text
    stored = [json.loads(event) for event in service.events[UUID(case_id)][known:]]
    told_late = [each for each in stored if "confirmed_by" in each["data"]]
    assert told_late
    for each in told_late:
        assert each["data"]["flags"][-2:] == ["backdated", "uploaded-late"], each
        assert (each["data"]["confirmed_by"], each["reportedat"]) == ("a-2", later.replace("+00:00", "Z"))


@every_field_fact
def test_a_time_without_an_offset_is_refused(client: Client, service: FakeService, command: Told) -> None:
    body = {**command.body, "happened_at": "2026-09-16T09:00:00"}
    refused(service, lambda: step(client, str(uuid4()), command.path, body, command.role), "naive-time")


@each(lambda command: not command.field)
def test_an_instruction_says_no_time_of_its_own(client: Client, service: FakeService, command: Told) -> None:
    body = {**command.body, "happened_at": MORNING.isoformat()}
    refused(service, lambda: step(client, str(uuid4()), command.path, body, command.role), "bad-body")


# ---- codes that nobody knows

UNKNOWN = (
    ("owner", {"owner": "nobody"}, "unknown-owner"),
    ("appearances", {"place": "moon"}, "unknown-place"),
    ("appearances", {"purpose": "tea"}, "unknown-purpose"),
    ("withdrawal", {"reason": "because"}, "unknown-reason"),
    ("refusal", {"reason": "because"}, "unknown-reason"),
    ("documents", {"document": "passport"}, "unknown-document"),
    ("documents/property-right/rejection", {"defect": "ugly"}, "unknown-defect"),
    ("notice", {"items": [{"document": "passport", "defect": "missing"}]}, "unknown-document"),
    ("notice", {"items": [{"document": "identity", "defect": "ugly"}]}, "unknown-defect"),
    ("further-requests", {"items": [{"document": "passport", "defect": "missing"}]}, "unknown-document"),
    ("papers-commitment", {"papers": ["passport"]}, "unknown-document"),
    ("survey", {"findings": ["dragons"]}, "unknown-finding"),
    ("on-site-approval", {"visit": OTHER_VISIT}, "no-such-visit"),
    ("on-site-approval", {"squad": "squad-9"}, "other-squad"),
    ("inspection", {"passed": False, "defects": ["ugly"]}, "unknown-defect"),
    ("quotes", {"lines": [{"fee": "installation", "quantity": "0"}]}, "bad-quantity"),
    ("visits", {"squad": "squad-9"}, "unknown-squad"),
    ("visits", {"purpose": "tea"}, "unknown-purpose"),
    (f"visits/{VISIT}/reassignment", {"squad": "squad-9"}, "unknown-squad"),
    (f"visits/{VISIT}/made", {"papers_collected": ["passport"]}, "unknown-document"),
    ("deliverables", {"deliverable": "poem"}, "unknown-deliverable"),
    ("deliverables", {"way": "pigeon"}, "unknown-way"),
    ("deliverables/receipt", {"deliverable": "poem"}, "unknown-deliverable"),
    ("pauses", {"reason": "design-work"}, "unknown-pause-reason"),
)


@pytest.mark.parametrize(("path", "changes", "code"), UNKNOWN)
def test_a_code_that_nobody_knows_is_refused(
    client: Client, service: FakeService, path: str, changes: dict[str, Any], code: str
) -> None:
    command = next(command for command in COMMANDS if command.path == path)
    case_id = command.at(client, service)
    refused(service, lambda: step(client, case_id, path, {**command.body, **changes}, command.role), code)


@pytest.mark.parametrize("number", ["documents/passport/rejection", "payments/PAY-9/reversal", "refunds/TK-9/reversal"])
def test_what_is_named_in_the_path_is_looked_up(client: Client, service: FakeService, number: str) -> None:
    case_id = after(5)(client, service)
    known = next(c for c in COMMANDS if c.path.split("/")[0] == number.split("/")[0] and c.path.count("/") == 2)
    code = {"documents": "unknown-document", "payments": "no-such-payment", "refunds": "no-such-refund"}
    refused(service, lambda: step(client, case_id, number, known.body, known.role), code[number.split("/")[0]])


@pytest.mark.parametrize("path", ["pauses/9/approval", "pauses/9/decline", "pauses/9/end", "pauses/9/revocation"])
def test_a_pause_that_is_not_there_is_not_found(client: Client, service: FakeService, path: str) -> None:
    known = next(command for command in COMMANDS if command.path == path.replace("9", "1"))
    case_id = known.at(client, service)
    refused(service, lambda: step(client, case_id, path, known.body, known.role), "no-such-pause")


# ---- money

MONEY = ("payments", "refunds", "charges")


@pytest.mark.parametrize("path", MONEY)
@pytest.mark.parametrize("amount", [-1, 0, 0.5, 1.0, "1", True, None, 10**12, 10**30, 1e300])
def test_money_is_a_whole_number_of_fen(client: Client, service: FakeService, path: str, amount: object) -> None:
    command = next(command for command in COMMANDS if command.path == path)
    case_id = command.at(client, service)
    where = ("amount_fen",) if path == "charges" else ("lines", 0, "amount_fen")
    body = changed(command.body, where, amount)
    refused(service, lambda: step(client, case_id, path, body, command.role), "bad-body")


@pytest.mark.parametrize("quantity", ["-1", "1e3", "0.0001", "99999999", 1, 1.5, True, "NaN", ""])
def test_a_quantity_is_a_decimal_as_text(client: Client, service: FakeService, quantity: object) -> None:
    case_id = received(client, PAPERS)
    body = {"lines": [{"fee": "installation", "quantity": quantity}]}
    refused(service, lambda: step(client, case_id, "quotes", body, "squad"), "bad-body")


@pytest.mark.parametrize(
    ("path", "body", "role", "code"),
    [
        (
            "charges",
            {"charge": "account-opening", "name_zh": "开 户 费", "amount_fen": 10_000},
            "counter",
            "fee-banned",
        ),
        ("charges", {"charge": "tea", "name_zh": "茶水费", "amount_fen": 1}, "counter", "fee-not-in-catalogue"),
        ("quotes", {"lines": [{"fee": "survey-design", "quantity": "1"}]}, "squad", "fee-not-for-payer"),
        ("payments", {"payment": "P-9", "lines": [{"fee": "tea", "amount_fen": 1}]}, "cashier", "not-quoted"),
        (
            "further-requests",
            {"items": [{"document": "property-right", "defect": "illegible"}]},
            "counter",
            "already-visible",
        ),
        ("documents/identity/rejection", {"defect": "illegible"}, "counter", "already-visible"),
    ],
)
def test_an_attempt_that_is_refused_leaves_exactly_one_event_however_often_its_key_comes_back(
    client: Client, service: FakeService, path: str, body: dict[str, Any], role: str, code: str
) -> None:
    case_id = after(3)(client, service)
    head = service.head
    for _ in range(3):
        answer = step(client, case_id, path, body, role, **{"Idempotency-Key": "k-1"})
        assert problem(answer)["code"] == code
    assert service.head == head + 1
    last = json.loads(service.events[UUID(case_id)][-1])
    assert last["type"].split(".")[2] in ("ChargeRefused", "FurtherRequestRefused")
    assert last["role"] == role


# ---- receiving


def test_an_application_at_the_counter_is_an_appearance(client: Client, service: FakeService) -> None:
    answer = client.post("/api/v1/connections", application(), headers=staff("counter", channel="counter"))
    facts = [json.loads(event)["type"].split(".")[2] for event in service.events[UUID(answer.json()["case_id"])]]
    assert facts[:3] == ["ApplicationReceived", "CaseRouted", "ApplicantAppeared"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"category": "king"}, "unknown-applicant-category"),
        ({"supply_points": 0}, "supply-points-out-of-range"),
        ({"supply_points": 501}, "supply-points-out-of-range"),
        ({"documents": [{"document": "passport", "way": "verified"}]}, "unknown-document"),
        ({"documents": [{"document": "identity", "way": "upload"}]}, "digest-missing"),
        ({"documents": [{"document": "identity", "way": "seen"}]}, "wrong-role"),
        ({"documents": [{"document": "identity", "way": "guessed"}]}, "bad-body"),
        ({"points": [{"address_code": "QZ-07", "usage_split": {"gold": 100}}]}, "unknown-price-class"),
        ({"points": [{"address_code": "QZ-07", "usage_split": {"residential": 99}}]}, "usage-split-not-whole"),
        ({"points": [{"address_code": "人民北路 1 号", "usage_split": {"residential": 100}}]}, "bad-body"),
        ({"points": [{"address_code": "13812345678", "usage_split": {"residential": 100}}]}, "bad-body"),
        ({"points": [{"address_code": "Q", "usage_split": {"residential": 100}}] * 2}, "points-do-not-match"),
        ({"happened_at": "2026-09-17T01:00:00Z"}, "future-time"),
        ({"supply_points": -1}, "bad-body"),
        ({"supply_points": 1.5}, "bad-body"),
        ({"declined_outstanding": "yes"}, "bad-body"),
        ({"consultation": "last week"}, "bad-body"),
    ],
)
def test_a_form_that_the_rules_do_not_know_is_refused(
    client: Client, service: FakeService, changes: dict[str, Any], code: str
) -> None:
    refused(service, lambda: client.post("/api/v1/connections", application(**changes)), code)
    assert service.subjects == [], "and nobody's particulars are kept"


def test_a_role_that_may_not_receive_is_refused(client: Client, service: FakeService) -> None:
    refused(service, lambda: client.post("/api/v1/connections", application(), headers=staff("crew")), "wrong-role")


# ---- the bar across applications


def test_a_broken_commitment_bars_the_same_person_elsewhere_until_it_is_repaired(
    client: Client, service: FakeService
) -> None:
    first = broken(client, service)
    second = received(client, IDENTITY_ONLY)
    shown = client.get(f"/api/v1/connections/{second}").json()
    assert (shown["barred"], shown["admitted_at"]) == (True, None)
    promise = {**PROMISE, "deadline": "2026-09-20"}
    refused(service, lambda: step(client, second, "papers-commitment", promise, "applicant"), "barred")
    told(client, first, "documents", PAPERS[1], "counter")
    told(client, first, "papers-commitment/repair", {"evidence_digest": DIGEST}, "manager")
    told(client, second, "papers-commitment", promise, "applicant")
    assert client.get(f"/api/v1/connections/{second}").json()["basis"] == "papers-outstanding"


def test_somebody_else_is_not_barred(client: Client, service: FakeService) -> None:
    broken(client, service)
    other = {"name": "李四", "phone": "13912345678", "address": "示例路 2 号", "id_number": "433101199001015678"}
    case_id = received(client, IDENTITY_ONLY, applicant=other)
    assert client.get(f"/api/v1/connections/{case_id}").json()["barred"] is False


def test_a_commitment_that_another_application_entered_meanwhile_is_looked_at(
    client: Client, service: FakeService
) -> None:
    """The applicant's stream grows between the look and the decision: the command looks again and sees the case."""
    case_id = received(client, IDENTITY_ONLY)
    applicant = service.load(Stream(kinds.CONNECTION, UUID(case_id)))[0].applicant
    grown = Stream(kinds.APPLICANT, applicant)
    load, looks = service.load, 0

    def growing(stream: Stream) -> Any:
        nonlocal looks
        found = load(stream)
        if stream == grown and looks == 0:
            looks += 1
            service.load = load  # type: ignore[method-assign]
            say(service, grown, CommitmentEntered(UUID(int=99)))
        return found

    service.load = growing  # type: ignore[method-assign]
    told(client, case_id, "papers-commitment", PROMISE, "applicant")
    assert service.load(grown)[0].cases == (UUID(int=99), UUID(case_id))
    assert UUID(int=99) in {stream.id for stream in service.commands[-1].others}


def test_an_applicant_whose_commitments_never_stand_still_is_told_to_try_again(
    client: Client, service: FakeService
) -> None:
    case_id = received(client, IDENTITY_ONLY)
    grown = Stream(kinds.APPLICANT, service.load(Stream(kinds.CONNECTION, UUID(case_id)))[0].applicant)
    run, looks = service.run, 0

    def overtaken(command: Command) -> Any:
        nonlocal looks
        if grown in command.others:
            looks += 1
            stamp = Stamp("manager-1", "manager", "office", str(uuid4()), "test")
            entered = EventToAppend(CommitmentEntered(UUID(int=100 + looks)), MORNING)
            run(Command(grown, stamp, lambda snapshot: [(grown, entered)]))
        return run(command)

    service.run = overtaken  # type: ignore[method-assign]
    answer = step(client, case_id, "papers-commitment", PROMISE, "applicant")
    assert problem(answer)["code"] == "busy"
    assert answer.headers["retry-after"] == "1"
    assert looks == 5


def test_nothing_of_the_pseudonym_tells_who_it_is(client: Client, service: FakeService) -> None:
    broken(client, service)
    everything = b"".join(event for events in service.events.values() for event in events).decode()
    assert "433101199001011234" not in everything
    assert "CommitmentEntered" in everything


# ---- visits, on both sides


def test_two_visits_of_a_squad_do_not_overlap(client: Client, service: FakeService) -> None:
    with_visit(client, service)
    second = received(client)
    overlapping = {"visit": OTHER_VISIT, "purpose": "survey", **BOOKING, "end": "2026-09-16T03:00:00Z"}
    refused(service, lambda: step(client, second, "visits", overlapping, "hotline"), "visits-overlap")
    told(client, second, "visits", {**overlapping, "squad": "squad-2"}, "hotline")


def test_a_visit_that_moves_frees_the_squad(client: Client, service: FakeService) -> None:
    first, second = with_visit(client, service), received(client)
    told(client, first, f"visits/{VISIT}/reassignment", {**BOOKING, "squad": "squad-2"}, "manager")
    told(client, second, "visits", {"visit": OTHER_VISIT, "purpose": "survey", **BOOKING}, "hotline")
    back = {**BOOKING, "squad": "squad-1"}
    refused(service, lambda: step(client, first, f"visits/{VISIT}/reassignment", back, "manager"), "visits-overlap")


def test_a_visit_may_move_within_its_own_day_and_into_its_own_time(client: Client, service: FakeService) -> None:
    case_id = with_visit(client, service)
    later = {**BOOKING, "begin": "2026-09-16T03:00:00Z", "end": "2026-09-16T05:00:00Z"}
    told(client, case_id, f"visits/{VISIT}/reassignment", later, "manager")
    (visit,) = client.get(f"/api/v1/connections/{case_id}").json()["visits"]
    assert (visit["begin"], visit["state"]) == ("2026-09-16T03:00:00Z", "booked")


def test_a_cancelled_visit_frees_the_squad(client: Client, service: FakeService) -> None:
    case_id = with_visit(client, service)
    told(client, case_id, f"visits/{VISIT}/cancellation", {"reason": "nobody-home"}, "counter")
    told(client, case_id, "visits", {"visit": OTHER_VISIT, "purpose": "survey", **BOOKING}, "hotline")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"end": "2026-09-16T02:00:00Z"}, "dates-out-of-order"),
        ({"begin": "2026-09-16T00:00:00Z"}, "visit-in-the-past"),
        ({"end": "2026-09-16T17:00:00Z"}, "visit-over-midnight"),
        ({"squad": "squad-3"}, "squad-not-formed"),
        ({"begin": "2026-09-16T02:00:00"}, "naive-time"),
        ({"visit": "today"}, "bad-body"),
    ],
)
def test_a_booking_that_cannot_be_kept_is_refused(
    client: Client, service: FakeService, changes: dict[str, Any], code: str
) -> None:
    case_id = received(client)
    body = {"visit": OTHER_VISIT, "purpose": "survey", **BOOKING, **changes}
    refused(service, lambda: step(client, case_id, "visits", body, "hotline"), code)


def test_a_visit_that_moved_since_the_look_is_looked_at_again(client: Client, service: FakeService) -> None:
    case_id = with_visit(client, service)
    load, moved = service.load, False

    def moving(stream: Stream) -> Any:
        nonlocal moved
        found = load(stream)
        if not moved and stream.id == UUID(case_id):
            moved = True
            told(client, case_id, f"visits/{VISIT}/reassignment", {**BOOKING, "squad": "squad-2"}, "manager")
        return found

    service.load = moving  # type: ignore[method-assign]
    told(client, case_id, f"visits/{VISIT}/cancellation", {"reason": "nobody-home"}, "counter")
    service.load = load  # type: ignore[method-assign]
    (visit,) = client.get(f"/api/v1/connections/{case_id}").json()["visits"]
    assert (visit["squad"], visit["state"]) == ("squad-2", "cancelled")


# ---- how a case stands


def shown(client: Client, case_id: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/connections/{case_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_case_says_what_is_missing_and_who_acts_next(client: Client, service: FakeService) -> None:
    view = shown(client, received(client))
    assert view["missing"] == ["identity", "property-right"]
    assert [(document["code"], document["main"], document["in"]) for document in view["documents"]] == [
        ("identity", True, False),
        ("property-right", False, False),
    ]
    actions = {action["action"]: action["role"] for action in view["next_actions"]}
    assert next(iter(actions)) == "give-notice"
    assert actions["supply-document"] == "applicant"
    assert (view["step"], view["stage"], view["owner"]) == ("1", "received", "owner-2")
    assert view["promised_at"] == "2026-09-22T09:30:00Z"


def test_every_step_leads_to_the_next_action_and_the_last_to_none(client: Client, service: FakeService) -> None:
    case_id = received(client, PAPERS)
    expected = ["survey", "design", "quote", "sign-contract", "pay", "construct", "construct", "inspect"]
    for action, (path, body, role) in zip(expected, STEPS_TO_WATER, strict=True):
        actions = [each["action"] for each in shown(client, case_id)["next_actions"]]
        assert action in actions, (path, actions)
        told(client, case_id, path, body, role)
    assert [each["action"] for each in shown(client, case_id)["next_actions"]] == ["install-meter"]
    told(client, case_id, "supply-points/1/meter", {"meter": METER}, "crew")
    assert [each["action"] for each in shown(client, case_id)["next_actions"]] == ["turn-water-on"]
    assert shown(client, case_id)["step"] == "2"
    told(client, case_id, "supply-points/1/water-on", {}, "crew")
    done = shown(client, case_id)
    assert (done["step"], done["stage"], done["next_actions"]) == ("done", "water_on", [])


def turns(client: Client, case_id: str) -> tuple[str, str] | None:
    turn = shown(client, case_id)["turn"]
    return (turn["whose"], turn["clock"]) if turn is not None else None


def test_a_case_says_whose_turn_it_is_and_what_the_clock_does(client: Client, service: FakeService) -> None:
    case_id = received(client, PAPERS)
    found = [turns(client, case_id)]
    for path, body, role in STEPS_TO_WATER:
        told(client, case_id, path, body, role)
        found.append(turns(client, case_id))
    told(client, case_id, "supply-points/1/water-on", {"meter": METER}, "crew")
    ours, theirs = ("utility", "runs"), ("applicant", "runs")
    # Quoted: the applicant signs; signed: the applicant pays; from then on the works are ours.
    assert found == [ours, ours, ours, theirs, theirs, ours, ours, ours, ours]
    assert turns(client, case_id) is None


def test_where_only_a_promised_paper_is_missing_it_is_the_applicants_turn(client: Client, service: FakeService) -> None:
    case_id = received(client, IDENTITY_ONLY)
    assert turns(client, case_id) == ("utility", "runs"), "nobody has told the applicant what is missing"
    told(client, case_id, "notice", {"items": [{"document": "property-right", "defect": "missing"}]}, "counter")
    assert turns(client, case_id) == ("applicant", "none")
    told(client, case_id, "papers-commitment", PROMISE, "applicant")
    assert turns(client, case_id) == ("utility", "runs"), "admitted: the works can begin"
    for path, body, role in STEPS_TO_WATER:
        told(client, case_id, path, body, role)
    told(client, case_id, "supply-points/1/meter", {"meter": METER}, "crew")
    assert turns(client, case_id) == ("applicant", "runs")
    service.clock.move(timedelta(days=2))
    told(client, case_id, "appearances", APPEARANCE, "counter")  # whoever is next asks the rulebook
    windows = {each["commitment"]: each for each in client.get(f"/api/v1/cases/{case_id}").json()["windows"]}
    assert windows["connection.papers"]["state"] == "lapsed", "the applicant's own clock"
    assert windows["connection.water_on"]["state"] == "cancelled", "the utility does not lapse for it"
    assert turns(client, case_id) is None


def test_a_pause_lets_the_clock_stand(client: Client, service: FakeService) -> None:
    case_id = pausing(approved=True)(client, service)
    service.clock.move(timedelta(days=1))
    assert turns(client, case_id) == ("utility", "stands")


def test_money_stands_beside_what_was_quoted(client: Client, service: FakeService) -> None:
    view = shown(client, refunded(client, service))
    lines = {line["fee"]: (line["quoted"], line["paid"], line["refunded"], line["balance"]) for line in view["fees"]}
    assert lines == {"installation": (0, 128_500, 128_500, 0), "water-loss": (6_000, 6_000, 0, 0)}


def test_a_stopped_case_says_why_and_what_mends_it(client: Client, service: FakeService) -> None:
    case_id = broken(client, service)
    view = shown(client, case_id)
    assert (view["step"], view["stage"], view["promised_at"]) == ("stopped", "ended", None)
    assert view["stopped"]["reason"] == "papers-commitment-broken"
    assert view["commitment"]["state"] == "broken"
    assert [each["action"] for each in view["next_actions"]] == ["supply-document"]
    told(client, case_id, "documents", PAPERS[1], "counter")
    assert [each["action"] for each in shown(client, case_id)["next_actions"]] == ["repair-commitment", "resume"]


def test_gross_and_net_time_are_both_there(client: Client, service: FakeService) -> None:
    case_id = pausing(approved=True)(client, service)
    service.clock.move(timedelta(days=2))
    told(client, case_id, "pauses/1/end", {}, "case-owner")
    service.clock.move(timedelta(days=5))
    view = shown(client, case_id)
    assert (view["gross_minutes"], view["net_minutes"]) == (7 * 1440, 5 * 1440)
    assert (view["working_days_counted"], view["working_days_stood"]) == (5, 1)
    assert view["pauses"][0]["state"] == "approved"


def test_a_refund_is_taken_with_a_second_person_in_another_role_only(client: Client, service: FakeService) -> None:
    case_id = overpaid(client, service)
    for headers, code in (
        ({"X-Confirmed-By": "cashier-1"}, "second-person-needed"),
        ({"X-Confirmed-Role": "cashier"}, "second-role-needed"),
        ({"X-Confirmed-Role": "king"}, "unknown-role"),
    ):
        assert step(client, case_id, "refunds", REFUND, "cashier", **headers).json()["code"] == code
    told(client, case_id, "refunds", REFUND, "cashier")


def test_a_withdrawn_case_with_money_in_it_asks_for_the_refund(client: Client, service: FakeService) -> None:
    case_id = after(5)(client, service)
    told(client, case_id, "withdrawal", {"reason": "no-longer-needed"}, "applicant")
    assert [each["action"] for each in shown(client, case_id)["next_actions"]] == ["refund"]


def test_a_case_that_is_not_there_is_not_shown(client: Client) -> None:
    assert problem(client.get(f"/api/v1/connections/{uuid4()}"))["code"] == "no-such-case"


def test_nobodys_particulars_are_shown(client: Client, service: FakeService) -> None:
    text = client.get(f"/api/v1/connections/{received(client, PAPERS)}").text
    assert "张三" not in text
    assert "13812345678" not in text


def test_a_meter_that_went_in_before_serves_no_other_case(client: Client, service: FakeService) -> None:
    first, second = after(8)(client, service), after(8)(client, service)
    told(client, first, "supply-points/1/meter", {"meter": METER}, "crew")
    refused(service, lambda: turned_on(client, second), "meter-already-in-service")
    told(client, first, "supply-points/1/water-on", {"meter": METER}, "crew")

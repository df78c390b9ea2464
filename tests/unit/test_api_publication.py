"""Standards, fees, calendars, squads, consultations and works over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from fastapi import FastAPI

from domain.kernel.refusals import refusals
from domain.standard.flat import as_published
from infra.eventstore import recompute
from infra.eventstore.commands import Command
from infra.eventstore.envelope import recorded_of
from infra.eventstore.recompute import DryRun, Move
from infra.eventstore.shipped_rules import (
    FEES,
    FIRST_START,
    STANDARDS,
    calendar_stream,
    first_publication,
    squad_stream,
)
from tests.api_world import DIGEST, MORNING, Client, FakeService, app_over, staff
from tests.unit.office import LONG_AGO, a_catalogue, a_standard

MANAGER, DIRECTOR = staff("manager"), staff("deputy-director")
PRICE, MARKET = staff("price-authority"), staff("market-regulator")
STANDARD: dict[str, Any] = msgspec.to_builtins(as_published(a_standard()))
CATALOGUE: dict[str, Any] = msgspec.to_builtins(a_catalogue())
ASKER = {"name": "张三", "phone": "13812345678", "id_number": "433101199001011234", "address": "人民北路 1 号"}
NEW_YEAR: dict[str, Any] = {"name": "元旦", "date": "2027-01-01", "isOffDay": True}
NOTICE: dict[str, Any] = {
    "$schema": "schema.json",
    "$id": "2027.json",
    "year": 2027,
    "papers": ["示例通知"],
    "days": [NEW_YEAR],
}
CALENDAR = {"confirmed_by": "director-2", "region": "CN", "notice": NOTICE, "source": "示例通知"}
SQUAD = {"squad": "squad-1", "members": ["sq-1", "sq-2"]}
CONSULTATION = {"topic": "technical", "applicant": ASKER}
PRESERVICE = {"service": "pipe-information", "category": "business", "applicant": ASKER}
WORK = {"kind": "pump-room", "community": "hongqimen", "name_zh": "某某小区加压泵房"}


@pytest.fixture
def service() -> FakeService:
    """An installation after its first start: the shipped rules are published."""
    made = FakeService()
    for stream, said in first_publication(LONG_AGO):
        made.run(Command(stream, FIRST_START, lambda _, stream=stream, said=said: [(stream, said)]))  # type: ignore[misc]
    return made


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """One application for all: its making takes longer than most of these tests."""
    return app_over(FakeService())


@pytest.fixture
def client(app: FastAPI, service: FakeService) -> Client:
    app.state.service = service
    return Client(app)


def told(client: Client, path: str, body: Any, who: dict[str, str], status: int = 201) -> dict[str, Any]:
    answer = client.post(f"/api/v1/{path}", body, headers=who)
    assert answer.status_code == status, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


def code(client: Client, path: str, body: Any, who: dict[str, str]) -> tuple[int, str]:
    answer = client.post(f"/api/v1/{path}", body, headers=who)
    return answer.status_code, answer.json()["code"]


def facts(service: FakeService, id_: Any) -> list[str]:
    return [json.loads(event)["type"] for event in service.events.get(UUID(str(id_)), [])]


# ---- standards


def test_a_standard_goes_from_a_draft_to_the_public(client: Client, service: FakeService) -> None:
    drafted = told(client, "standards", STANDARD, MANAGER)
    assert (drafted["case_id"], drafted["case_number"]) == (str(STANDARDS.id), "0225-6")
    waiting = client.get("/api/v1/standards").json()
    assert [each["version"] for each in waiting["standards"]] == ["0225-5", "2026-06-1"]
    assert (waiting["drafts"][0]["version"], waiting["drafts"][0]["drafted_by"]) == ("0225-6", "manager-1")
    told(client, "standards/0225-6/approval", {}, DIRECTOR, 200)
    shown = client.get("/api/v1/standards").json()
    assert [each["version"] for each in shown["standards"]] == ["0225-5", "2026-06-1", "0225-6"]
    assert shown["drafts"] == []
    stored = json.loads(service.events[STANDARDS.id][-1])
    assert stored["type"] == "water.public.StandardPublished.v1"
    assert stored["data"] == json.loads(msgspec.json.encode(as_published(a_standard())))


def test_a_standard_is_given_whole_and_every_field_is_known(client: Client, service: FakeService) -> None:
    before = service.head
    for table in ("powers", "documents", "papers", "severity_classes"):
        lacking = {name: value for name, value in STANDARD.items() if name != table}
        assert code(client, "standards", lacking, MANAGER) == (422, "bad-body")
    assert code(client, "standards", STANDARD | {"ladder": {}}, MANAGER) == (422, "bad-body")
    assert service.head == before


def test_a_third_document_needs_a_new_promise(client: Client, service: FakeService) -> None:
    private = STANDARD["documents"]["private"]
    third = {"code": "site-plan", "name_zh": "总平面图", "main": False, "met_by": ["upload"]}
    more = STANDARD | {"documents": STANDARD["documents"] | {"private": [*private, third]}}
    assert code(client, "standards", more, MANAGER) == (409, "beyond-the-promise")
    told(client, "standards", more | {"promise": more["promise"] | {"version": "0225-b", "documents": 3}}, MANAGER)
    assert facts(service, STANDARDS.id)[-1] == "water.public.StandardDrafted.v1"


def test_a_standard_may_leave_out_what_has_a_default(client: Client) -> None:
    told(client, "standards", STANDARD | {"alerts": {"most_per_hour": 5}, "readings": {}}, MANAGER)
    (draft,) = client.get("/api/v1/standards").json()["drafts"]
    assert (draft["document"]["alerts"]["most_per_hour"], draft["document"]["alerts"]["quiet_from"]) == (5, "22:00:00")


def test_a_standard_by_an_unpublished_calendar_is_refused(client: Client) -> None:
    overlaid = STANDARD | {"calendar_regions": ["CN", "CN-Xiangxi"]}
    assert code(client, "standards", overlaid, MANAGER) == (422, "unknown-region")
    told(client, "calendars", CALENDAR | {"region": "CN-Xiangxi"}, MANAGER)
    told(client, "standards", overlaid, MANAGER)
    told(client, "standards/0225-6/approval", {}, DIRECTOR, 200)


# ---- fees


def test_a_catalogue_is_public_after_both_reviews(client: Client, service: FakeService) -> None:
    told(client, "fees/catalogues", CATALOGUE, MANAGER)
    assert code(client, "fees/catalogues/2026-2/publication", {}, DIRECTOR) == (403, "wrong-role")
    second = staff("manager", "manager-2")
    assert code(client, "fees/catalogues/2026-2/publication", {}, second) == (409, "review-missing")
    for who in (PRICE, MARKET):
        opinion = {"outcome": "agreed", "document": "示例文号〔2026〕7号"}
        told(client, "fees/catalogues/2026-2/review", opinion, who, 200)
    reviewing = client.get("/api/v1/fees").json()
    assert {each["authority"] for each in reviewing["drafts"][0]["reviews"]} == {"price-authority", "market-regulator"}
    assert code(client, "fees/catalogues/2026-2/publication", {}, MANAGER) == (409, "same-person")
    told(client, "fees/catalogues/2026-2/publication", {}, second, 200)
    shown = client.get("/api/v1/fees").json()
    assert ([each["version"] for each in shown["catalogues"]], shown["in_force"]) == (["2021-2", "2026-2"], "2021-2")
    assert shown["catalogues"][1]["items"][0]["formula"]["rate"] == "6000"
    assert facts(service, FEES.id)[-1] == "water.public.CataloguePublished.v1"


def test_a_forbidden_name_does_not_get_into_a_draft(client: Client, service: FakeService) -> None:
    before = service.head
    item = CATALOGUE["items"][0] | {"name_zh": "开 户（工本）费"}
    assert code(client, "fees/catalogues", CATALOGUE | {"items": [item]}, MANAGER) == (409, "fee-banned")
    assert service.head == before


# ---- calendars


def test_a_notice_becomes_a_version_of_the_calendar(client: Client, service: FakeService) -> None:
    accepted = told(client, "calendars", CALENDAR, staff("operator"))
    assert (accepted["case_id"], accepted["case_number"]) == (str(calendar_stream("CN").id), "2027-1")
    shown = client.get("/api/v1/calendars").json()["calendars"][0]
    assert (shown["region"], shown["versions"], shown["settled_until"]) == ("CN", ["2026-1", "2027-1"], "2027-12-28")
    assert shown["days"][-1] == {"date": "2027-01-01", "off": True, "name": "元旦"}
    assert service.commands[-1].others == ()


def test_a_repeated_notice_is_published_once_and_answered_as_it_was(client: Client, service: FakeService) -> None:
    headers = {**MANAGER, "Idempotency-Key": "k-1"}
    first = client.post("/api/v1/calendars", CALENDAR, headers=headers)
    again = client.post("/api/v1/calendars", CALENDAR, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(service.events[calendar_stream("CN").id]) == 2


def test_a_missing_notice_is_warned_of(client: Client, service: FakeService) -> None:
    assert client.get("/api/v1/calendars").json()["warnings"] == []
    service.clock.set(datetime(2026, 11, 15, tzinfo=UTC))
    warned = client.get("/api/v1/calendars").json()
    assert [each["code"] for each in warned["warnings"]] == ["notice-missing"]
    assert warned["settled_days"] == 43
    service.clock.set(datetime(2027, 1, 2, tzinfo=UTC))
    assert [each["code"] for each in client.get("/api/v1/calendars").json()["warnings"]] == ["year-without-notice"]


def test_a_dry_run_tells_what_would_move_and_stores_nothing(
    client: Client, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def dry_run(_: Any, document: Any) -> DryRun:
        seen.append(document)
        move = Move("BZ-1", uuid4(), "connection.water_on", MORNING, MORNING, old_tentative=True, new_tentative=False)
        return DryRun("CN@2027-1", looked_at=3, moves=[move])

    monkeypatch.setattr(recompute, "dry_run", dry_run)
    before = service.head
    tried = told(client, "calendars/dry-run", CALENDAR, MANAGER, 200)
    assert (tried["looked_at"], tried["moved"], tried["more"]) == (3, 1, False)
    assert (tried["moves"][0]["case_number"], tried["moves"][0]["new_tentative"]) == ("BZ-1", False)
    assert (seen[0].version, seen[0].days[-1].date.isoformat()) == ("2027-1", "2027-01-01")
    assert service.head == before


def test_a_dry_run_of_a_region_that_nobody_counts_by_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def dry_run(*_: Any) -> DryRun:
        raise LookupError("no standard counts by it")

    monkeypatch.setattr(recompute, "dry_run", dry_run)
    overlay = CALENDAR | {"region": "CN-Xiangxi"}
    assert code(client, "calendars/dry-run", overlay, MANAGER) == (422, "unknown-region")


def test_a_regions_calendar_takes_no_national_day_away_without_a_second_person(client: Client) -> None:
    worked = {"date": "2026-10-01", "isOffDay": False, "name": "上班"}
    notice = {"$id": "2026.json", "year": 2026, "papers": ["示例通知"], "days": [worked]}
    overlay = {"region": "CN-Hunan", "notice": notice, "source": "示例通知"}
    assert code(client, "calendars", overlay, MANAGER) == (409, "calendar-leaves-out")
    told(client, "calendars", overlay | {"confirmed_by": "director-2"}, MANAGER)


# ---- squads, consultations, service ahead of building, works


def test_a_squad_is_formed_and_nobody_is_in_two(client: Client, service: FakeService) -> None:
    accepted = told(client, "squads", SQUAD, MANAGER)
    assert (accepted["case_id"], accepted["case_number"]) == (str(squad_stream("squad-1").id), "squad-1")
    both = {"squad": "squad-2", "members": ["sq-2"]}
    assert code(client, "squads", both, MANAGER) == (409, "member-elsewhere")
    assert facts(service, squad_stream("squad-1").id) == ["water.crew.SquadFormed.v1"]
    assert service.events.get(squad_stream("squad-2").id) is None


def test_who_asks_goes_to_the_vault_and_into_no_event(client: Client, service: FakeService) -> None:
    consulted = told(client, "consultations", CONSULTATION, staff("hotline"))
    requested = told(client, "preservices", PRESERVICE, staff("counter"))
    assert [dict(subject.particulars) for subject in service.subjects] == [ASKER, ASKER]
    for accepted in (consulted, requested):
        stored = service.events[UUID(accepted["case_id"])][0].decode()
        assert str(service.subjects.pop(0).id) in stored
        assert not [value for value in ASKER.values() if value in stored]
    assert (consulted["case_number"], requested["case_number"]) == ("ZX-2026-000001", "QZ-2026-000002")


def test_a_consultation_may_be_nobodys(client: Client, service: FakeService) -> None:
    accepted = told(client, "consultations", {"topic": "fees"}, staff("counter"))
    assert json.loads(service.events[UUID(accepted["case_id"])][0])["data"]["subject"] is None
    assert service.subjects == []


def test_the_public_cannot_date_a_question_back(client: Client, service: FakeService) -> None:
    long_ago = {"happened_at": "1970-01-01T00:00:00Z"}
    refused = code(client, "consultations", CONSULTATION | long_ago, staff("hotline"))
    assert refused == (409, "second-person-needed")
    accepted = told(client, "consultations", CONSULTATION | long_ago, staff("public", channel="website"))
    (event,) = map(recorded_of, service.events[UUID(accepted["case_id"])])
    assert event.happened_at == service.clock.now()


def test_a_company_gets_what_it_asked_for_ahead_of_building(client: Client, service: FakeService) -> None:
    case_id = told(client, "preservices", PRESERVICE, staff("counter"))["case_id"]
    handed = {"deliverable": "drawings", "digest": DIGEST}
    accepted = told(client, f"preservices/{case_id}/given", handed, staff("squad"), 200)
    assert accepted["case_number"] == "QZ-2026-000001"
    assert facts(service, case_id) == ["water.connection.PreServiceRequested.v1", "water.connection.PreServiceGiven.v1"]
    assert code(client, f"preservices/{case_id}/given", handed, staff("squad")) == (409, "already-given")


def test_a_work_is_registered_begun_and_done(client: Client, service: FakeService) -> None:
    case_id = told(client, "works", WORK, MANAGER)["case_id"]
    assert code(client, f"works/{case_id}/completion", {"households_served": 3}, MANAGER) == (409, "work-not-started")
    told(client, f"works/{case_id}/start", {}, staff("crew-lead"), 200)
    done = told(client, f"works/{case_id}/completion", {"households_served": 320}, staff("crew-lead"), 200)
    assert done["case_number"] == "GC-2026-000001"
    names = ["WorkRegistered", "WorkStarted", "WorkCompleted"]
    assert facts(service, case_id) == [f"water.public.{name}.v1" for name in names]


# ---- bad input, command by command

GIVEN = {"deliverable": "drawings", "digest": DIGEST}
REVIEW = {"outcome": "agreed", "document": "示例文号〔2026〕7号"}
NOBODY = "00000000-0000-0000-0000-000000000000"
COMMANDS: dict[str, tuple[Any, dict[str, str]]] = {
    "standards": (STANDARD, MANAGER),
    "standards/0225-9/approval": ({}, DIRECTOR),
    "fees/catalogues": (CATALOGUE, MANAGER),
    "fees/catalogues/2026-9/review": (REVIEW, PRICE),
    "fees/catalogues/2026-9/publication": ({}, MANAGER),
    "calendars": (CALENDAR, MANAGER),
    "squads": (SQUAD, MANAGER),
    "consultations": (CONSULTATION, staff("hotline")),
    "preservices": (PRESERVICE, staff("counter")),
    f"preservices/{NOBODY}/given": (GIVEN, staff("squad")),
    "works": (WORK, MANAGER),
    f"works/{NOBODY}/start": ({}, staff("crew-lead")),
    f"works/{NOBODY}/completion": ({"households_served": 3}, staff("crew-lead")),
}


@pytest.mark.parametrize("path", COMMANDS)
def test_a_role_without_the_power_is_refused(client: Client, service: FakeService, path: str) -> None:
    before = service.head
    assert code(client, path, COMMANDS[path][0], staff("auditor")) == (403, "wrong-role")
    assert service.head == before


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("standards/0225-9/approval", "no-such-draft"),
        ("fees/catalogues/2026-9/review", "no-such-draft"),
        ("fees/catalogues/2026-9/publication", "no-such-draft"),
        (f"preservices/{NOBODY}/given", "no-such-case"),
        (f"works/{NOBODY}/start", "no-such-case"),
        (f"works/{NOBODY}/completion", "no-such-case"),
    ],
)
def test_what_is_not_there_is_not_found(client: Client, service: FakeService, path: str, refusal: str) -> None:
    before = service.head
    assert code(client, path, *COMMANDS[path]) == (404, refusal)
    assert service.head == before


DEEP: list[tuple[str, dict[str, Any], str]] = [
    ("standards", {"version": "0225 3"}, "bad-version"),
    ("standards", {"version": "0225\x003"}, "bad-body"),
    ("standards", {"connection_working_days": "5"}, "bad-body"),
    ("standards", {"connection_working_days": 4.5}, "bad-body"),
    ("standards", {"arrival_minutes": {"moon": 30}}, "bad-body"),
    ("standards", {"effective_from": "2026-09-17T01:00:00"}, "naive-time"),
    ("standards", {"effective_from": "2026-09-01T01:00:00Z"}, "effective-in-the-past"),
    ("standards", {"close_of_business": "25:00:00"}, "bad-body"),
    ("fees/catalogues", {"version": "x" * 41}, "bad-version"),
    ("fees/catalogues", {"items": [CATALOGUE["items"][0] | {"cap_fen": -1}]}, "out-of-range"),
    ("fees/catalogues", {"items": [CATALOGUE["items"][0] | {"cap_fen": 0.5}]}, "bad-body"),
    ("fees/catalogues", {"items": [CATALOGUE["items"][0] | {"name_zh": "费\u202e用"}]}, "bad-body"),
    ("fees/catalogues", {"items": [CATALOGUE["items"][1] | {"formula": {"kind": "fixed", "rate": "-1"}}]}, "bad-body"),
    ("fees/catalogues", {"items": [CATALOGUE["items"][1] | {"formula": {"kind": "fixed", "rate": 1}}]}, "bad-body"),
    ("fees/catalogues", {"items": [CATALOGUE["items"][0] | {"valid_until": "2020-01-01"}]}, "dates-out-of-order"),
    ("fees/catalogues/2026-9/review", {"outcome": "perhaps"}, "bad-body"),
    ("fees/catalogues/2026-9/review", {"document": "1\x07号"}, "bad-body"),
    ("calendars", {"region": "china"}, "bad-body"),
    ("calendars", {"region": "US-NY"}, "unknown-region"),
    ("calendars", {"notice": NOTICE | {"year": 2028}}, "outside-calendar"),
    ("calendars", {"notice": NOTICE | {"days": [*NOTICE["days"], *NOTICE["days"]]}}, "day-twice"),
    (
        "calendars",
        {"notice": NOTICE | {"days": [{"name": "元旦", "date": "2027-02-30", "isOffDay": True}]}},
        "bad-body",
    ),
    ("calendars", {"notice": NOTICE | {"days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": 1}]}}, "bad-body"),
    ("calendars", {"source": "示\x00例"}, "bad-body"),
    ("squads", {"squad": "squad-9"}, "unknown-squad"),
    ("squads", {"members": []}, "no-members"),
    ("squads", {"members": ["sq-1", "sq-1"]}, "member-twice"),
    ("squads", {"members": ["张三"]}, "bad-body"),
    ("squads", {"members": ["sq-13812345678"]}, "bad-body"),
    ("consultations", {"topic": "weather"}, "unknown-topic"),
    ("consultations", {"happened_at": "2026-09-17T01:00:00Z"}, "future-time"),
    ("consultations", {"applicant": ASKER | {"name": "张\x00三"}}, "bad-body"),
    ("preservices", {"service": "gardening"}, "unknown-preservice"),
    ("preservices", {"category": "private"}, "companies-only"),
    ("preservices", {"category": "foreigner"}, "unknown-applicant-category"),
    (f"preservices/{NOBODY}/given", {"digest": "sha256:xyz"}, "bad-body"),
    ("works", {"kind": "palace"}, "unknown-works-kind"),
    ("works", {"community": "Hongqimen 7-2"}, "bad-body"),
    ("works", {"name_zh": "泵\u0000房"}, "bad-body"),
    ("works", {"name_zh": "泵房，联系人 13812345678"}, "bad-body"),
    (f"works/{NOBODY}/completion", {"households_served": -1}, "bad-body"),
    (f"works/{NOBODY}/completion", {"households_served": "3"}, "bad-body"),
]


@pytest.mark.parametrize(
    ("path", "change", "refusal"), DEEP, ids=[f"{n}-{refusal}" for n, (_, _, refusal) in enumerate(DEEP)]
)
def test_a_bad_value_has_its_code_and_writes_nothing(
    client: Client, service: FakeService, path: str, change: dict[str, Any], refusal: str
) -> None:
    before = service.head
    body, who = COMMANDS[path]
    assert code(client, path, body | change, who) == (refusals()[refusal].status, refusal)
    assert service.head == before


@pytest.mark.parametrize("path", COMMANDS)
def test_a_megabyte_of_text_an_unknown_field_and_no_json_are_refused(
    client: Client, service: FakeService, path: str
) -> None:
    before = service.head
    body, who = COMMANDS[path]
    assert code(client, path, {**body, "note": "长" * 350_000}, who) == (413, "body-too-large")
    assert code(client, path, {**body, "note": "长"}, who) == (422, "bad-body")
    assert client.raw(f"/api/v1/{path}", b"{nope").json()["code"] == "not-json"
    assert service.head == before


def test_a_version_in_a_path_is_a_versions_name(client: Client) -> None:
    for path in ("standards/two%20words/approval", f"standards/{'x' * 41}/approval"):
        assert code(client, path, {}, DIRECTOR) == (422, "bad-parameter")
    assert code(client, "fees/catalogues/%00/publication", {}, MANAGER) == (422, "bad-parameter")


def test_the_calendars_settled_days_are_a_figure(service: FakeService) -> None:
    from api.http.metrics import families
    from infra.status import Head, Status, calendar_status

    status = Status(Head(0, None, uuid4()), 1.0, None, (), ())
    assert not [family for family in families(status) if "calendar" in family.name]
    status = replace(status, calendar=calendar_status(service.rules, MORNING))
    figures = {
        family.name: [sample.value for sample in family.samples]
        for family in families(status)
        if "calendar" in family.name
    }
    assert figures == {"tongshui_calendar_settled_days": [103], "tongshui_calendar_warning": [0, 0]}


def test_a_standard_older_than_the_program_says_what_nobody_may_do() -> None:
    from app.status_report import standard_lines
    from infra.eventstore.shipped_rules import shipped_rules
    from infra.status import Head, Status, standard_status

    rules = shipped_rules()
    status = Status(Head(0, None, UUID(int=1)), 1.0, None, (), ())
    assert standard_lines(replace(status, standard=standard_status(rules, MORNING))) == ["standard   2026-06-1"]
    _, shipped = rules.standards
    less = {power: roles for power, roles in shipped.powers.items() if power != "repair.dispatch"}
    older = replace(rules, standards=(replace(shipped, powers=less),))
    _, warning = standard_lines(replace(status, standard=standard_status(older, MORNING)))
    assert "nobody may repair.dispatch" in warning

"""What is next about an incident: the rule, and the dispatcher's list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.repairs.dispatching import outline_of
from domain import kinds
from domain.kernel.refusals import Refusal
from domain.repairs import apologies, outlook
from domain.repairs import dispatch as repair_dispatch
from domain.repairs.case import Repair
from domain.repairs.facts import (
    ApologyMade,
    CaseClosed,
    CrewArrived,
    CrewDelayed,
    CrewDispatched,
    DispatchAcknowledged,
    DispatchDeclined,
    FaultReported,
    RepairCompleted,
    ReporterAnswered,
    ReportLinked,
    SeverityAssessed,
)
from domain.repairs.promises import ANSWER, ARRIVAL
from domain.standard.flat import with_changes
from infra.eventstore.envelope import read
from infra.eventstore.shipped_rules import shipped_rules
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse
from projections.read_models.cases import CASES, CaseRow
from projections.read_models.windows import WINDOWS, WindowRow
from tests.api_world import DISPATCHER, MORNING, REPORTER, Client, FakeService, app_over, fault, staff
from tests.unit.cases import ON_SITE, SUBJECT, Play, context, minutes, repairing
from tests.unit.test_histories import FOLDER

RULES = shipped_rules()
STANDARD = RULES.newest


def nexts(play: Play) -> list[tuple[str, str]]:
    return [
        (step.action, step.role)
        for step in outlook.next_actions(outlook.progress(outlook.outline(play.state), STANDARD))
    ]


def test_an_incident_goes_from_one_next_action_to_the_other() -> None:
    play = repairing(RULES)
    seen = [nexts(play)]
    for number, fact in enumerate(
        (
            CrewDispatched("crew-1"),
            DispatchAcknowledged("crew-1"),
            CrewArrived("crew-1", ON_SITE),
            SeverityAssessed("small", "valve"),
            RepairCompleted(),
            ReporterAnswered(1, "phone", None),
            CaseClosed(),
        ),
        start=1,
    ):
        play.say(fact, minutes(number))
        seen.append(nexts(play))
    assert seen == [
        [("dispatch", "dispatcher")],
        [("acknowledge", "crew")],
        [("arrive", "crew")],
        [("assess", "crew")],
        [("complete", "crew")],
        [("answer", "hotline")],
        [("close", "dispatcher")],
        [],
    ]


def test_a_major_repair_is_logged_while_it_lasts_and_restored_at_its_end() -> None:
    play = repairing(RULES)
    for fact in (CrewDispatched("c"), CrewArrived("c", ON_SITE), SeverityAssessed("major", "trunk")):
        play.say(fact, minutes(1))
    assert nexts(play) == [("log-work", "crew"), ("complete", "crew")]
    play.say(RepairCompleted(), minutes(9))
    assert nexts(play) == [("restore", "crew"), ("answer", "hotline")]


def test_a_step_told_out_of_its_order_is_not_asked_for_again() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(5))
    play.say(CrewDispatched("crew-1"), minutes(6))
    assert nexts(play) == [("assess", "crew")]


def test_an_incident_whose_crew_said_no_waits_for_another() -> None:
    play = repairing(RULES)
    play.say(CrewDispatched("crew-1"), minutes(1))
    play.say(DispatchDeclined("crew-1", "vehicle"), minutes(2))
    assert nexts(play) == [("dispatch", "dispatcher")]


def test_who_reported_later_waits_too() -> None:
    play = repairing(RULES)
    play.say(RepairCompleted(), minutes(10))
    play.say(ReporterAnswered(1, "phone", None), minutes(11))
    play.say(ReportLinked(2, SUBJECT), minutes(12))
    assert outlook.waiting(outlook.outline(play.state)) == (2,)
    assert nexts(play) == [("answer", "hotline")]


def test_who_reported_is_owed_an_answer_also_where_the_file_is_closed() -> None:
    play = repairing(RULES)
    for minute, fact in ((10, RepairCompleted()), (11, CaseClosed())):
        play.say(fact, minutes(minute))
    assert nexts(play) == [("answer", "hotline")]
    play.say(ReporterAnswered(1, "phone", None), minutes(12))
    assert nexts(play) == []


def test_of_imported_history_nobody_is_asked_to_answer() -> None:
    play = Play(kinds.REPAIR, RULES)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), minutes(0), channel="import")
    play.say(RepairCompleted(), minutes(60), channel="import")
    assert nexts(play) == [("close", "dispatcher")]
    play.say(CaseClosed(), minutes(61), channel="import")
    assert nexts(play) == []


def test_whoever_reported_is_owed_an_apology_while_the_arrivals_lapse_stands() -> None:
    play = repairing(RULES)
    play.say(ReportLinked(2, SUBJECT), minutes(5))
    assert nexts(play) == [("dispatch", "dispatcher")]
    play.conclude(minutes(30))
    assert nexts(play) == [("dispatch", "dispatcher"), ("apologise", "hotline")]
    said = context(RULES, minutes(40), role="hotline", channel="hotline")
    first = apologies.apologise(play.state, said, report=1, way="phone", digest=None)
    assert first == ApologyMade(1, "phone", None)
    play.say(first, minutes(40))
    assert outlook.sorry_for(outlook.outline(play.state), STANDARD) == (2,)
    assert apologies.apologise(play.state, said, report=1, way="phone", digest=None).flags == ("repeated",)
    play.say(ApologyMade(2, "sms", None), minutes(41))
    assert nexts(play) == [("dispatch", "dispatcher")]


def test_an_arrival_without_evidence_is_owed_it_until_it_is_due_also_where_the_file_is_closed() -> None:
    play = repairing(RULES)
    for fact in (CrewDispatched("crew-1"), CrewArrived("crew-1", None), SeverityAssessed("small", "valve")):
        play.say(fact, minutes(1))
    assert nexts(play) == [("complete", "crew"), ("supply-evidence", "crew")]
    assert outlook.outline(play.state).evidence_due_at == minutes(1 + 1440)
    for after in (RepairCompleted(), ReporterAnswered(1, "phone", None), CaseClosed()):
        play.say(after, minutes(2))
    assert nexts(play) == [("supply-evidence", "crew")]
    play.conclude(minutes(1 + 1440))
    assert nexts(play) == [("apologise", "hotline")], "it lapsed for want of it"


def test_the_list_says_until_when_an_arrival_awaits_its_evidence(client: Client, service: FakeService) -> None:
    due_at = MORNING + timedelta(days=1)
    on_site = milestones("arrival", "completion")
    service.answers["list_incidents"] = lambda _: [
        row(1, open=False, stage="closed", severity="small", milestones=on_site, untold=True, evidence_due_at=due_at)
    ]
    (shown,) = client.get("/api/v1/dispatch?role=crew").json()["incidents"]
    assert shown["evidence_due_at"] == due_at.isoformat().replace("+00:00", "Z")
    assert shown["next_actions"] == [{"action": "supply-evidence", "role": "crew"}]


def test_a_lapse_that_is_taken_back_takes_the_apology_with_it() -> None:
    play = repairing(RULES)
    play.conclude(minutes(30))
    play.say(CrewArrived("crew-1", ON_SITE), minutes(20), at=minutes(50))
    assert nexts(play) == [("dispatch", "dispatcher")]
    said = context(RULES, minutes(55), role="hotline", channel="hotline")
    assert apologies.apologise(play.state, said, report=1, way="phone", digest=None).flags == ("nothing-lapsed",)


def test_an_apology_is_owed_after_the_file_is_closed_too_and_by_no_older_standard() -> None:
    play = repairing(RULES)
    play.conclude(minutes(31))
    play.say((RepairCompleted(), ReporterAnswered(1, "phone", None), CaseClosed()), minutes(60))
    assert nexts(play) == [("apologise", "hotline")]
    assert outlook.sorry_for(outlook.outline(play.state), with_changes(STANDARD, apologies=())) == ()


def test_of_imported_history_nobody_is_owed_an_apology() -> None:
    play = Play(kinds.REPAIR, RULES)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), minutes(0), channel="import")
    play.say(CrewArrived("crew-1", None), minutes(50), channel="import")
    assert play.state.ledger[ARRIVAL].lapses
    assert outlook.sorry_for(outlook.outline(play.state), STANDARD) == ()


def test_an_apology_to_nobody_by_no_way_or_by_nobody_who_may_is_refused() -> None:
    play, said = repairing(RULES), context(RULES, minutes(40), role="hotline", channel="hotline")
    for code, who, values in (
        ("no-such-report", said, {"report": 2, "way": "phone"}),
        ("unknown-way", said, {"report": 1, "way": "pigeon"}),
        ("wrong-role", context(RULES, minutes(40), role="public"), {"report": 1, "way": "phone"}),
    ):
        with pytest.raises(Refusal, match=f"^{code}:"):
            apologies.apologise(play.state, who, **values, digest=None)  # type: ignore[arg-type]


# ---- over HTTP


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "case_id": UUID(int=number),
        "case_number": f"BX-2026-00000{number}",
        "kind": "leak",
        "district": "zhenxi",
        "zone": "urban",
        "stage": "reported",
        "severity": None,
        "crew": None,
        "reports": 1,
        "mass": None,
        "open": True,
        "opened_at": MORNING,
        "version": 3,
        "commitment": "repair.arrival",
        "due_at": MORNING,
        "lapses": 0,
        "milestones": [],
        "reporters": [reporter(1)],
        "delays": [],
        "lapsed": [],
        "untold": False,
        "evidence_due_at": None,
    } | changes


def reporter(report: int, **changes: Any) -> dict[str, Any]:
    values = {"reported_at": MORNING.isoformat(), "channel": "hotline", "answer_owed": True}
    return {"report": report} | values | {"answered_at": None, "apologised": False} | changes


def milestones(*reached: str) -> list[dict[str, Any]]:
    return [{"of": of, "at": MORNING.isoformat(), "rough": False, "event": str(uuid4())} for of in reached]


def test_the_list_says_whose_turn_it_is_and_can_be_asked_for_one_role(client: Client, service: FakeService) -> None:
    on_site, over = milestones("arrival"), milestones("arrival", "completion")
    rows = [row(1), row(2, crew="crew-1", milestones=on_site), row(3, crew="c", severity="small", milestones=over)]
    service.answers["list_incidents"] = lambda wanted: rows[: wanted["limit"]]
    found = client.get("/api/v1/dispatch").json()
    turns = [[(step["action"], step["role"]) for step in each["next_actions"]] for each in found["incidents"]]
    assert turns == [[("dispatch", "dispatcher")], [("assess", "crew")], [("answer", "hotline")]]
    mine = client.get("/api/v1/dispatch?role=hotline").json()["incidents"]
    assert [each["case_number"] for each in mine] == ["BX-2026-000003"]
    assert client.get("/api/v1/dispatch?limit=2").json()["more"] is True


def test_a_closed_incident_whose_reporters_wait_is_the_hotlines(client: Client, service: FakeService) -> None:
    service.answers["list_incidents"] = lambda _: [
        row(1, open=False, stage="closed", milestones=milestones("completion"))
    ]
    (shown,) = client.get("/api/v1/dispatch?role=hotline").json()["incidents"]
    assert shown["next_actions"] == [{"action": "answer", "role": "hotline"}]


REPAIRS = sorted(path.stem for path in FOLDER.glob("repair-*.jsonl"))


@pytest.mark.parametrize("name", REPAIRS)
def test_a_row_of_the_list_says_after_every_event_what_the_incident_itself_says(name: str) -> None:
    case: Repair | None = None
    rows: dict[tuple[Any, ...], CaseRow | None] = {}
    windows: dict[tuple[Any, ...], WindowRow | None] = {}
    for line in (FOLDER / f"{name}.jsonl").read_bytes().splitlines():
        case = kinds.REPAIR.evolve(case, read(line)[1])
        event = event_of(line)
        CASES.take(rows, event)
        WINDOWS.take(windows, event)
        assert case is not None
        (found,) = rows.values()
        assert found is not None
        listed = outline_of(asdict(found) | of_windows([each for each in windows.values() if each is not None]))
        kept = outlook.outline(case)
        assert replace(listed, milestones=frozenset(listed.milestones)) == replace(  # type: ignore[arg-type]
            kept,
            milestones=frozenset(kept.milestones),  # type: ignore[arg-type]
        ), event.type


def event_of(line: bytes) -> Event:
    case_id = UUID(json.loads(line)["subject"])
    event = parse(Record("water.repair.v1", 0, 0, case_key(case_id), line, {"previousposition": b"0"}))
    assert isinstance(event, Event), event
    return event


def of_windows(windows: Sequence[WindowRow]) -> dict[str, Any]:
    """What ``list_incidents`` takes from them."""
    return {
        "lapsed": [each.commitment for each in windows if each.lapses > 0],
        "untold": any(each.commitment == ANSWER and each.state in ("cancelled", "unknown") for each in windows),
        "evidence_due_at": max(
            (each.provisional_until for each in windows if each.provisional_until is not None), default=None
        ),
    }


def test_nobody_is_owed_an_apology_for_a_find_that_owes_no_answer(client: Client, service: FakeService) -> None:
    found = reporter(1, answer_owed=False)
    service.answers["list_incidents"] = lambda _: [row(1, reporters=[found], lapses=1, lapsed=[ARRIVAL])]
    (shown,) = client.get("/api/v1/dispatch").json()["incidents"]
    assert [step["action"] for step in shown["next_actions"]] == ["dispatch"]


def test_the_list_says_when_a_crew_that_is_held_up_comes(client: Client, service: FakeService) -> None:
    delay = {"crew": "crew-1", "told_at": MORNING.isoformat(), "expected_at": minutes(50).isoformat()}
    service.answers["list_incidents"] = lambda _: [
        row(1, crew="crew-1", delays=[delay]),
        row(2, crew="crew-2", delays=[delay]),
        row(3, crew="crew-1", delays=[delay], milestones=milestones("arrival")),
    ]
    listed = client.get("/api/v1/dispatch").json()["incidents"]
    assert [each["expected_at"] for each in listed] == ["2026-09-16T01:50:00Z", None, None]


def test_an_incident_shows_its_reports_and_nobody_s_particulars(client: Client) -> None:
    order = {"source": "hotline-12345", "number": "JS-1"}
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    path = f"/api/v1/repairs/{case_id}"
    client.post(f"{path}/reports", {"reporter": REPORTER, "order": order}, headers=DISPATCHER)
    client.post(f"{path}/completion", {}, headers=DISPATCHER)
    client.post(f"{path}/reports/1/answer", {"way": "phone"}, headers=staff("hotline"))
    answer = client.get(path)
    shown = answer.json()
    assert [(each["report"], each["order_number"], each["answered_at"]) for each in shown["reports"]] == [
        (1, None, "2026-09-16T01:00:00Z"),
        (2, "JS-1", None),
    ]
    assert shown["next_actions"] == [{"action": "answer", "role": "hotline"}]
    assert not [value for value in REPORTER.values() if value in answer.text]


def test_an_apology_is_the_hotlines_turn_until_it_is_told(client: Client, service: FakeService) -> None:
    service.answers["list_incidents"] = lambda _: [row(1, lapses=1, lapsed=[ARRIVAL])]
    (shown,) = client.get("/api/v1/dispatch?role=hotline").json()["incidents"]
    assert shown["next_actions"][-1] == {"action": "apologise", "role": "hotline"}
    path = f"/api/v1/repairs/{client.post('/api/v1/repairs', fault()).json()['case_id']}"
    service.clock.move(timedelta(minutes=31))
    assert client.post(f"{path}/acknowledgement", {"crew": "crew-1"}, headers=staff("crew")).status_code == 200
    assert client.get(path).json()["next_actions"][-1] == {"action": "apologise", "role": "hotline"}
    told_so = client.post(f"{path}/reports/1/apology", {"way": "phone"}, headers=staff("hotline"))
    assert told_so.status_code == 200, told_so.text
    seen = client.get(path).json()
    assert seen["reports"][0]["apologised_at"] == "2026-09-16T01:31:00Z"
    assert seen["next_actions"] == [{"action": "dispatch", "role": "dispatcher"}]


def test_a_crew_that_is_held_up_says_when_it_comes_and_its_limit_stays(client: Client) -> None:
    play = repairing(RULES)
    play.say(CrewDispatched("crew-1"), minutes(2))
    before = play.state.ledger
    later = minutes(50)
    fact = repair_dispatch.delay(play.state, context(RULES, minutes(10), role="crew"), crew="crew-1", expected_at=later)
    assert fact == CrewDelayed("crew-1", later)
    play.say(fact, minutes(10))
    assert outlook.expected_at(outlook.outline(play.state)) == later
    assert play.state.ledger[ARRIVAL].due_at == before[ARRIVAL].due_at == minutes(30)
    play.say(CrewDelayed("crew-1", minutes(40)), minutes(20))
    assert outlook.expected_at(outlook.outline(play.state)) == minutes(40), "what was said last counts"
    play.say(CrewArrived("crew-1", ON_SITE), minutes(41))
    assert outlook.expected_at(outlook.outline(play.state)) is None


def test_of_a_crew_that_has_not_the_job_a_delay_is_flagged_and_expected_of_nobody() -> None:
    play = repairing(RULES)
    play.say(CrewDispatched("crew-1"), minutes(2))
    by = context(RULES, minutes(10), role="crew")
    fact = repair_dispatch.delay(play.state, by, crew="crew-2", expected_at=minutes(50))
    assert fact.flags == ("not-the-dispatched-crew",)
    play.say(fact, minutes(10))
    assert outlook.expected_at(outlook.outline(play.state)) is None


def test_the_dispatcher_sees_when_a_crew_that_is_held_up_comes(client: Client) -> None:
    case_id = client.post("/api/v1/repairs", fault(), headers=DISPATCHER).json()["case_id"]
    client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-1"}, headers=DISPATCHER)
    body = {"crew": "crew-1", "expected_at": "2026-09-16T10:00:00+08:00"}
    told = client.post(f"/api/v1/repairs/{case_id}/delay", body, headers=staff("crew"))
    assert told.status_code == 200
    shown = client.get(f"/api/v1/repairs/{case_id}", headers=DISPATCHER).json()
    assert shown["expected_at"] == "2026-09-16T02:00:00Z"


def test_an_incident_that_is_not_there_is_not_shown(client: Client) -> None:
    answer = client.get(f"/api/v1/repairs/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-case")

"""An arrival that is told without evidence meets its promise provisionally, until the evidence had to follow."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.deadlines.windows import WindowFact, WindowLapsed, WindowMet, WindowReopened, overturned
from domain.kernel.facts import Fact, event_id
from domain.repairs.facts import (
    ArrivalEvidenceSupplied,
    CrewArrived,
    EvidenceRejected,
    FaultReported,
    IncidentDismissed,
    RepairCompleted,
    ReportLinked,
    SuppliedEvidence,
)
from domain.repairs.field import supply_evidence
from domain.repairs.promises import ARRIVAL, ASSESSMENT
from domain.repairs.refusals import AlreadyRejected, ArrivalIsProven, NoSuchArrival, SecondPersonNeeded
from domain.standard.alerts import raised
from domain.standard.flat import with_changes
from infra.eventstore.shipped_rules import shipped_rules, shipped_standards
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse
from projections.watch import due
from tests.api_world import MORNING, Client, FakeService, app_over, fault, staff
from tests.unit.cases import CASE, NINE, ON_SITE, SUBJECT, Play, context, minutes, names, repairing
from tests.unit.recounting import Published, assert_no_meeting_is_wrong
from tests.unit.test_histories import lines as stored

DAY_MINUTES = 1440
RULES = shipped_rules()
NEEDS = replace(RULES, standards=(with_changes(shipped_standards()[0], arrival_evidence_minutes=DAY_MINUTES),))
AS_BEFORE = replace(RULES, standards=shipped_standards()[:1])
WITHOUT = CrewArrived("crew-1", None)
DIGEST = "sha256:" + "ab" * 32
PHOTO = SuppliedEvidence(None, None, None, DIGEST)
THERE_AT = 20
ENDS = THERE_AT + DAY_MINUTES


def there(rules: Any = NEEDS, at: int = THERE_AT) -> Play:
    """An incident whose crew was there so many minutes after the report, and told it without evidence."""
    play = repairing(rules)
    play.say(WITHOUT, minutes(at))
    return play


def arrival_of(play: Play, place: int = 0) -> UUID:
    found: UUID = play.state.arrived[place].by
    return found


def of_arrival(facts: list[WindowFact]) -> list[WindowFact]:
    return [fact for fact in facts if fact.commitment == ARRIVAL]


# ---- what it meets, and until when


def test_without_evidence_it_meets_its_promise_until_then_and_lapses_at_that_instant_once() -> None:
    play = there()
    window = play.windows(minutes(21))[ARRIVAL]
    assert (window.met_at, window.provisional_until) == (minutes(THERE_AT), minutes(ENDS))
    assert window.next_ask_at == minutes(ENDS), "the watch asks at that instant"
    (met,) = [fact for fact in play.concluded if isinstance(fact, WindowMet)]
    assert (met.on_time, met.provisional_until, met.settles_at) == (True, minutes(ENDS), None)
    assert of_arrival(play.conclude(minutes(ENDS - 1))) == []
    lapsed, reopened, *ladder = of_arrival(play.conclude(minutes(ENDS)))
    assert isinstance(lapsed, WindowLapsed)
    assert (lapsed.due_at, lapsed.provisional_until) == (minutes(30), minutes(ENDS))
    assert isinstance(reopened, WindowReopened)
    assert set(names(ladder)) <= {"WindowEscalated"}
    assert of_arrival(play.conclude(minutes(ENDS))) == []
    assert of_arrival(play.conclude(minutes(ENDS + 9_000))) == []
    assert play.windows(minutes(ENDS))[ARRIVAL].met_at is None


def test_a_lapse_for_want_of_evidence_wakes_nobody() -> None:
    lapsed = of_arrival(there(RULES).conclude(minutes(ENDS)))[0]
    nobody_came = of_arrival(repairing(RULES).conclude(minutes(30)))[0]
    alerts = [raised(fact, RULES) for fact in (lapsed, nobody_came)]
    assert [(each.change, each.urgent) for each in alerts if each is not None] == [("lapsed", False), ("lapsed", True)]


def test_evidence_that_follows_in_time_makes_it_count_for_good_and_the_record_says_so() -> None:
    play = there()
    (met,) = of_arrival(play.say(ArrivalEvidenceSupplied(arrival_of(play), PHOTO), minutes(600)))
    assert isinstance(met, WindowMet)
    assert (met.met_at, met.on_time, met.provisional_until) == (minutes(THERE_AT), True, None)
    assert met.settles_at == minutes(THERE_AT) + timedelta(days=1)
    assert ARRIVAL not in kinds.next_ask_at(kinds.REPAIR, play.state, NEEDS, minutes(601))
    assert of_arrival(play.conclude(minutes(9_000))) == []


def test_a_late_arrival_without_evidence_lapses_once_and_is_unmet_again() -> None:
    play = there(at=45)
    assert play.state.ledger[ARRIVAL].on_time is False
    assert names(of_arrival(play.conclude(minutes(45 + DAY_MINUTES))))[0] == "WindowReopened"
    known = play.state.ledger[ARRIVAL]
    assert (known.met_at, known.lapse_count) == (None, 1)


def test_another_arrival_that_has_evidence_meets_it_instead() -> None:
    play = there()
    play.say(CrewArrived("crew-2", ON_SITE), minutes(25))
    assert play.windows(minutes(26))[ARRIVAL].met_at == minutes(THERE_AT)
    (met,) = of_arrival(play.conclude(minutes(ENDS)))
    assert isinstance(met, WindowMet)
    assert (met.met_at, met.on_time, met.provisional_until) == (minutes(25), True, None)


def test_of_two_without_evidence_each_counts_until_its_own_instant() -> None:
    play = there()
    play.say(CrewArrived("crew-2", None), minutes(40))
    lapsed, met = of_arrival(play.conclude(minutes(ENDS)))
    assert isinstance(lapsed, WindowLapsed)
    assert isinstance(met, WindowMet)
    assert (met.met_at, met.on_time) == (minutes(40), False)
    assert met.provisional_until == minutes(40 + DAY_MINUTES)
    assert names(of_arrival(play.conclude(minutes(40 + DAY_MINUTES))))[0] == "WindowReopened"


def test_one_that_is_proven_before_an_earlier_unproven_one_falls_meets_it_alone() -> None:
    play = there()
    play.say(CrewArrived("crew-2", None), minutes(10))
    play.say(ArrivalEvidenceSupplied(arrival_of(play, 0), PHOTO), minutes(60))
    assert play.windows(minutes(61))[ARRIVAL].provisional_until == minutes(10 + DAY_MINUTES)
    (met,) = of_arrival(play.conclude(minutes(10 + DAY_MINUTES)))
    assert isinstance(met, WindowMet)
    assert (met.met_at, met.on_time, met.provisional_until) == (minutes(THERE_AT), True, None)


def test_what_it_starts_is_counted_from_it_all_the_same() -> None:
    play = there()
    before = play.windows(minutes(30))[ASSESSMENT].due_at
    play.conclude(minutes(ENDS))
    assert play.windows(minutes(ENDS))[ASSESSMENT].due_at == before == minutes(THERE_AT + 60)


def test_what_fell_provisionally_is_owed_no_more_where_it_was_dismissed_before_its_end() -> None:
    play = there(at=10)
    play.say(IncidentDismissed("not-ours"), minutes(15))
    assert play.windows(minutes(16))[ARRIVAL].met_at == minutes(10)
    facts = of_arrival(play.conclude(minutes(10 + DAY_MINUTES)))
    assert names(facts) == ["WindowCancelled"]
    assert of_arrival(play.conclude(minutes(9_000))) == []


def test_an_arrival_that_is_told_a_day_late_without_evidence_meets_nothing() -> None:
    play = repairing(NEEDS)
    play.conclude(minutes(30))
    assert "WindowMet" not in names(play.say(WITHOUT, minutes(THERE_AT), at=minutes(ENDS + 5)))
    assert play.windows(minutes(ENDS + 5))[ARRIVAL].lapses == (minutes(30),)


def test_a_watch_that_was_away_for_days_overturns_nothing_with_it() -> None:
    """Else whoever tells something of the case next would be asked for a second person."""
    play = there()
    facts = play.say(RepairCompleted(), minutes(100), at=NINE + timedelta(days=9))
    assert names(of_arrival(facts))[0] == "WindowLapsed"
    assert overturned(facts) == ()


def test_a_rejected_arrival_lapses_at_once_and_awaits_nothing() -> None:
    play = there()
    play.append(EvidenceRejected(arrival_of(play), "arrival", "not-on-site", (), False), minutes(60))
    lapsed = of_arrival(play.conclude(minutes(60)))[0]
    assert isinstance(lapsed, WindowLapsed)
    assert lapsed.provisional_until is None
    assert play.state.ledger[ARRIVAL].provisional_until is None


# ---- who needs none


def test_a_standard_without_the_policy_judges_as_before() -> None:
    play = there(AS_BEFORE)
    window = play.windows(minutes(9_000))[ARRIVAL]
    assert (window.met_at, window.lapses, window.provisional_until) == (minutes(THERE_AT), (), None)


def test_the_shipped_standard_of_2026_06_needs_evidence_within_a_day() -> None:
    assert [each.repair.arrival_evidence_minutes for each in shipped_standards()] == [None, DAY_MINUTES]


@pytest.mark.parametrize("channels", [("import", "import"), ("", "import"), ("import", "crew-phone")])
def test_imported_history_is_exempt(channels: tuple[str, str]) -> None:
    reported, arrived = channels
    play = Play(kinds.REPAIR, NEEDS)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), NINE, channel=reported)
    play.say(WITHOUT, minutes(THERE_AT), channel=arrived)
    window = play.windows(minutes(9_000))[ARRIVAL]
    assert (window.met_at, window.lapses, window.provisional_until) == (minutes(THERE_AT), (), None)


def test_imported_history_without_an_arrival_is_unknown_and_lapses_for_want_of_nothing() -> None:
    play = Play(kinds.REPAIR, NEEDS)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), NINE, channel="import")
    window = play.windows(minutes(9_000))[ARRIVAL]
    assert (window.cancelled, window.lapses, window.provisional_until) == ("unknown", (), None)


# ---- telling it


def supplied(play: Play, minute: float, **who: Any) -> ArrivalEvidenceSupplied:
    return supply_evidence(play.state, context(NEEDS, minutes(minute), **who), arrival=arrival_of(play), evidence=PHOTO)


def test_at_the_very_instant_it_is_in_time() -> None:
    assert supplied(there(), ENDS) == ArrivalEvidenceSupplied(event_id(CASE, 4), PHOTO)


def test_late_evidence_takes_the_lapse_back_with_a_second_person_only_and_is_flagged() -> None:
    play = there()
    play.conclude(minutes(ENDS))
    for nobody_else in (None, "crew-1"):
        with pytest.raises(SecondPersonNeeded):
            supplied(play, ENDS + 1, actor="crew-1", confirmed_by=nobody_else)
    fact = supplied(play, ENDS + 1, confirmed_by="lead-1")
    assert (fact.flags, fact.confirmed_by) == (("evidence-late", "backdated-after-lapse"), "lead-1")
    found = of_arrival(play.say(fact, minutes(ENDS + 1)))
    assert names(found) == ["WindowRetracted", "WindowMet"]
    assert play.state.ledger[ARRIVAL].on_time
    assert play.state.ledger[ARRIVAL].provisional_until is None


def test_late_evidence_of_a_late_arrival_takes_nothing_back() -> None:
    play = there(at=45)
    play.conclude(minutes(45 + DAY_MINUTES))
    assert supplied(play, 46 + DAY_MINUTES, confirmed_by="lead-1").flags == ("evidence-late",)


@pytest.mark.parametrize(
    ("evidence", "flags"),
    [
        (PHOTO, ()),
        (SuppliedEvidence(True, 20, 8, None), ()),
        (SuppliedEvidence(False, 900, 8, None), ("outside-geofence",)),
        (SuppliedEvidence(None, None, 8, DIGEST), ("site-unknown",)),
    ],
)
def test_what_is_odd_about_it_is_flagged(evidence: SuppliedEvidence, flags: tuple[str, ...]) -> None:
    play = there()
    found = supply_evidence(play.state, context(NEEDS, minutes(60)), arrival=arrival_of(play), evidence=evidence)
    assert found.flags == flags


def test_evidence_is_of_an_arrival_that_stands_and_has_none() -> None:
    play = there()
    arrival = arrival_of(play)
    with pytest.raises(NoSuchArrival):
        supply_evidence(play.state, context(NEEDS, minutes(60)), arrival=event_id(CASE, 99), evidence=PHOTO)
    play.say(ArrivalEvidenceSupplied(arrival, PHOTO), minutes(60))
    with pytest.raises(ArrivalIsProven):
        supplied(play, 61)
    play.say(CrewArrived("crew-2", ON_SITE), minutes(62))
    with pytest.raises(ArrivalIsProven):
        supply_evidence(play.state, context(NEEDS, minutes(63)), arrival=arrival_of(play, 1), evidence=PHOTO)
    play.append(EvidenceRejected(arrival, "arrival", "not-on-site", (), False), minutes(64))
    with pytest.raises(AlreadyRejected):
        supply_evidence(play.state, context(NEEDS, minutes(65)), arrival=arrival, evidence=PHOTO)


# ---- over HTTP


CREW = staff("crew", channel="crew-phone")


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def arrived(client: Client) -> tuple[str, str]:
    """The id of an incident whose crew told its arrival without evidence, and of that event."""
    case_id = str(client.post("/api/v1/repairs", fault()).json()["case_id"])
    answer = client.post(f"/api/v1/repairs/{case_id}/arrival", {"crew": "crew-1"}, headers=CREW)
    assert answer.status_code == 200, answer.text
    timeline = client.get(f"/api/v1/cases/{case_id}").json()["timeline"]
    return case_id, next(each["event_id"] for each in timeline if each["fact"] == "CrewArrived")


def shown(client: Client, case_id: str) -> dict[str, Any]:
    windows = client.get(f"/api/v1/cases/{case_id}").json()["windows"]
    found: dict[str, Any] = next(each for each in windows if each["commitment"] == ARRIVAL)
    return found


def explained(client: Client, case_id: str) -> str:
    return "\n".join(client.get(f"/api/v1/cases/{case_id}/windows/{ARRIVAL}").json()["text"])


def test_a_case_and_its_explanation_say_until_when_the_evidence_is_awaited(
    client: Client, service: FakeService
) -> None:
    case_id, arrival = arrived(client)
    ends = MORNING + timedelta(days=1)
    assert shown(client, case_id)["provisional_until"] == ends.isoformat().replace("+00:00", "Z")
    assert (
        client.get(f"/api/v1/repairs/{case_id}").json()["evidence_due_at"]
        == shown(client, case_id)["provisional_until"]
    )
    awaiting = "provisional, awaits evidence until 暂计兑现，待补证据，至 2026-09-17 09:00:00"
    # Once as it stands, once as it was said.
    assert explained(client, case_id).count(awaiting) == 2
    path = f"/api/v1/repairs/{case_id}/arrival/evidence"
    answer = client.post(path, {"event_id": arrival, "evidence": {"photo_digest": DIGEST}}, headers=CREW)
    assert answer.status_code == 200, answer.text
    assert (shown(client, case_id)["state"], shown(client, case_id)["provisional_until"]) == ("met", None)
    assert explained(client, case_id).count(awaiting) == 1
    data = [json.loads(each)["data"] for each in service.events[UUID(case_id)] if b"ArrivalEvidenceSupplied" in each]
    none = {"inside_geofence": None, "distance_m": None, "accuracy_m": None}
    assert [each["evidence"] for each in data] == [none | {"photo_digest": DIGEST}]
    again = client.post(path, {"event_id": arrival, "evidence": {"photo_digest": DIGEST}}, headers=CREW)
    assert (again.status_code, again.json()["code"]) == (409, "arrival-is-proven")
    unknown = client.post(path, {"event_id": str(uuid4()), "evidence": {"photo_digest": DIGEST}}, headers=CREW)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no-such-arrival")


def test_what_lapsed_for_want_of_evidence_is_explained(client: Client, service: FakeService) -> None:
    case_id, arrival = arrived(client)
    service.clock.move(timedelta(days=1, minutes=1))
    client.post(f"/api/v1/repairs/{case_id}/completion", {}, headers=CREW)
    assert "had counted as met until 此前暂计兑现至 2026-09-17 09:00:00" in explained(client, case_id)
    path = f"/api/v1/repairs/{case_id}/arrival/evidence"
    body = {"event_id": arrival, "evidence": {"inside_geofence": True, "distance_m": 21, "accuracy_m": 8}}
    alone = client.post(path, body, headers=CREW)
    assert (alone.status_code, alone.json()["code"]) == (409, "second-person-needed")
    assert client.post(path, body | {"confirmed_by": "crew-lead-2"}, headers=CREW).status_code == 200
    assert (shown(client, case_id)["state"], shown(client, case_id)["retracted"]) == ("met", 1)


@pytest.mark.parametrize(
    "evidence", [{}, {"distance_m": 3}, {"photo_digest": DIGEST, "distance_m": 3}, {"photo_digest": "sha1:00"}]
)
def test_no_evidence_and_half_evidence_are_refused(
    client: Client, service: FakeService, evidence: dict[str, Any]
) -> None:
    body = {"event_id": str(uuid4()), "evidence": evidence}
    answer = client.post(f"/api/v1/repairs/{uuid4()}/arrival/evidence", body, headers=CREW)
    assert answer.json()["code"] == "bad-body"
    assert service.commands == []


# ---- the watch's index


def test_an_index_that_is_made_anew_from_the_topics_asks_about_what_is_met_provisionally() -> None:
    rows: dict[str, due.DueRow | None] = {}
    asked = []
    for line in stored("repair-evidence-supplied"):
        case_id = UUID(json.loads(line)["subject"])
        event = parse(Record("water.repair.v1", 0, 0, case_key(case_id), line, {"previousposition": b"0"}))
        assert isinstance(event, Event)
        if event.data.get("commitment") == ARRIVAL:
            rows[ARRIVAL] = row = due.fold(rows.get(ARRIVAL), event)
            assert row is not None
            asked.append((event.type.split(".")[2], row.next_ask_at is not None))
    assert asked == [("WindowOpened", True), ("WindowMet", True), ("WindowMet", False)]


# ---- whatever is told


TOLD: tuple[Fact, ...] = (
    WITHOUT,
    WITHOUT,
    CrewArrived("crew-2", ON_SITE),
    ReportLinked(2, SUBJECT),
    RepairCompleted(),
    IncidentDismissed("not-ours"),
    *(ArrivalEvidenceSupplied(event_id(CASE, version), PHOTO) for version in range(3, 14)),
    *(EvidenceRejected(event_id(CASE, version), "arrival", "not-on-site", (), False) for version in range(4, 14, 3)),
)
told_at = st.one_of(st.integers(-60, 300), st.sampled_from([0, 30, -2, -480, 90, 120]))


@given(
    st.lists(st.tuples(st.sampled_from(TOLD), told_at, st.sampled_from(["", "", "import"])), max_size=12),
    st.sampled_from([1, 5, 90, 400]),
    st.sampled_from(["hotline", "hotline", "import"]),
)
def test_nothing_is_met_before_it_began_nor_by_an_arrival_whose_evidence_is_overdue(
    told: list[tuple[Fact, int, str]], needs: int, channel: str
) -> None:
    standard = with_changes(shipped_standards()[0], arrival_evidence_minutes=needs)
    play = Published(kinds.REPAIR, replace(RULES, standards=(standard,)))
    play.say(FaultReported("BX-1", "leak", "x", "urban", SUBJECT), NINE, channel=channel)
    for place, (fact, happened, over) in enumerate(told):
        at = minutes(25 * place)
        play.say(fact, minutes(happened), at=at, channel=over)
        assert_no_meeting_is_wrong(play, at)
    for later in (300, 400, 700, 9_000):
        play.conclude(minutes(later))
        assert_no_meeting_is_wrong(play, minutes(later))

"""The recount as the oracle: two implementations, one verdict, whatever happens to a case in what order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from hypothesis import event as observed
from hypothesis import example, given
from hypothesis import strategies as st

from app.cli import main
from consumers.recount.count import last_day
from consumers.recount.policy import NoPolicyError, Policy
from consumers.recount.published_events import PublishedEvent, from_lines
from consumers.recount.verify import COUNTED, describe, verify
from consumers.timeline import UnknownCaseError
from domain import kinds
from domain.connections import facts as said
from domain.deadlines.calendar import CalendarPublished, Day
from domain.deadlines.windows import WindowLapsed
from domain.kernel.facts import Fact, event_id
from domain.repairs.facts import (
    ApologyMade,
    ArrivalEvidence,
    ArrivalEvidenceSupplied,
    CaseClosed,
    CrewArrived,
    EvidenceRejected,
    FaultReported,
    IncidentDismissed,
    IncidentMerged,
    RepairCompleted,
    ReporterAnswered,
    ReportLinked,
    ReportUnlinked,
    SeverityAssessed,
    SeverityReassessed,
    ShiftHandedOver,
    SuppliedEvidence,
    WaterRestored,
    WorkLogged,
)
from domain.repairs.promises import ARRIVAL
from domain.standard.flat import with_changes
from domain.standard.standards import Rules, make_rules
from infra.eventstore.shipped_rules import shipped_calendar, shipped_catalogue, shipped_standard
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse
from projections.read_models.connections import CONNECTIONS, ConnectionRow
from tests.unit.cases import CASE, NINE, SUBJECT, meter, minutes
from tests.unit.recounting import (
    LONG_AGO,
    Published,
    as_line,
    assert_no_meeting_is_wrong,
    disagreements,
    policy_events,
    policy_of,
    published,
    standards_of,
    told_apart,
)

PROOF = "sha256:" + "0" * 64
ELSEWHERE = UUID(int=9)
PHOTO = SuppliedEvidence(None, None, None, PROOF)


# ---- repairs

REPAIR_FACTS: tuple[Fact, ...] = (
    ReportLinked(2, SUBJECT),
    ReportLinked(3, SUBJECT, precision="day"),
    ReportLinked(4, SUBJECT, precision="by"),
    ReportUnlinked(2, ELSEWHERE),
    ReportUnlinked(3, ELSEWHERE),
    CrewArrived("crew-1", None),
    CrewArrived("crew-1", ArrivalEvidence(True, 20, 8, None)),
    *(ArrivalEvidenceSupplied(UUID(int=place), PHOTO) for place in range(3)),
    SeverityAssessed("small", "valve"),
    SeverityAssessed("medium", "dn-100"),
    SeverityReassessed("medium", "road", PROOF),
    SeverityReassessed("major", "trunk", PROOF),
    WorkLogged("welding", "crew-1"),
    ShiftHandedOver("crew-1", "crew-2"),
    RepairCompleted(),
    RepairCompleted(precision="day"),
    RepairCompleted(precision="by"),
    WaterRestored(),
    IncidentDismissed("not-ours"),
    IncidentDismissed("not-ours", precision="by"),
    ReporterAnswered(1, "phone", None),
    ReporterAnswered(2, "phone", None),
    ReporterAnswered(3, "phone", None),
    CaseClosed(),
    IncidentMerged(ELSEWHERE),
    ApologyMade(1, "phone", None),
    *(EvidenceRejected(event_id(CASE, version), "arrival", "not-done", (), False) for version in range(2, 24, 2)),
)
SHIPPED, CALENDAR, CATALOGUE = shipped_standard(), shipped_calendar(), shipped_catalogue()
STARTS = ("report", "arrival", "assessment")
REPAIR_STANDARDS = {start: with_changes(SHIPPED, completion_from=start) for start in STARTS}
REPAIR_STANDARDS["fewer"] = with_changes(SHIPPED, assessment_minutes=None, continuity_minutes=None, answer_minutes=None)
REPAIR_STANDARDS["proven"] = with_changes(SHIPPED, arrival_evidence_minutes=90)
REPAIR_STANDARDS["proven-at-once"] = with_changes(SHIPPED, arrival_evidence_minutes=5, completion_from="arrival")
REPAIR_RULES = {
    name: make_rules([standard], [(LONG_AGO, CALENDAR)], [CATALOGUE]) for name, standard in REPAIR_STANDARDS.items()
}
REPAIR_POLICIES = {name: policy_of([standard]) for name, standard in REPAIR_STANDARDS.items()}
# Whole and half minutes, and often the very ends: 30, 60, 240, 480.
# Now and then by a clock that runs wrong: eight hours early is a phone that sends UTC as China's time.
minute = st.one_of(
    st.integers(-30, 1_500),
    st.integers(-30, 1_500).map(lambda n: n + 0.5),
    st.sampled_from([30, 240, -2, -2.5, -480, -451]),
)
told_repairs = st.lists(
    st.tuples(st.sampled_from(REPAIR_FACTS), minute, st.sampled_from(["", "import", "hotline"])), max_size=14
)


def naming(play: Published, fact: Fact) -> Fact:
    """Evidence of the arrival at that place, counted in a circle; any other fact as it is, and all where none is
    known."""
    arrivals = [event.id for event in play.events if event.name == "CrewArrived"]
    if isinstance(fact, ArrivalEvidenceSupplied) and arrivals:
        return replace(fact, arrival=arrivals[fact.arrival.int % len(arrivals)])
    return fact


MAJOR_THEN_WATER_THEN_A_LOG: Sequence[tuple[Fact, float, str]] = (
    (SeverityAssessed("major", "trunk"), 10, ""),
    (WaterRestored(), 100, ""),
    (WorkLogged("welding", "crew-1"), 400, ""),
)


THERE_IN_TIME_THEN_AN_EARLIER_REPORT: Sequence[tuple[Fact, float, str]] = (
    (CrewArrived("crew-1", None), 29, ""),
    (ReportLinked(2, SUBJECT), -20, ""),
)


CLASSED_AND_DISMISSED_BEFORE_ARRIVAL: Sequence[tuple[Fact, float, str]] = (
    (CrewArrived("crew-1", None), 60, ""),
    (SeverityAssessed("major", "trunk"), 0, ""),
    (IncidentDismissed("not-ours", None), 0, ""),
)


@example(CLASSED_AND_DISMISSED_BEFORE_ARRIVAL, "report", "urban", "hotline", "second")
@example(THERE_IN_TIME_THEN_AN_EARLIER_REPORT, "report", "urban", "hotline", "second")
@example(MAJOR_THEN_WATER_THEN_A_LOG, "report", "urban", "hotline", "second")
@given(
    told_repairs,
    st.sampled_from(sorted(REPAIR_STANDARDS)),
    st.sampled_from(["urban", "other"]),
    st.sampled_from(["hotline", "import"]),
    st.sampled_from(["second", "second", "day"]),
)
def test_recount_and_algebra_agree_on_every_repair_told_in_any_order(
    told: Sequence[tuple[Fact, float, str]], standard: str, zone: Any, channel: str, precision: Any
) -> None:
    play = Published(kinds.REPAIR, REPAIR_RULES[standard])
    play.say(FaultReported("BX-1", "leak", "x", zone, SUBJECT, precision=precision), NINE, channel=channel)
    for place, (fact, happened, over) in enumerate(told):
        # Recorded in the order told, most of it long after it happened: late, early and doubled facts alike.
        at = minutes(100 * place)
        play.say(naming(play, fact), minutes(happened), at=at, channel=over)
        assert told_apart(disagreements(play.events, REPAIR_POLICIES[standard], at)) == []
        assert_no_meeting_is_wrong(play, at)
    play.conclude(minutes(9_000))
    assert told_apart(disagreements(play.events, REPAIR_POLICIES[standard], minutes(9_000))) == []


ARRIVALS: tuple[Fact, ...] = (
    CrewArrived("crew-1", None),
    CrewArrived("crew-1", None),
    CrewArrived("crew-2", ArrivalEvidence(True, 20, 8, None)),
    *(ArrivalEvidenceSupplied(UUID(int=place), PHOTO) for place in range(3)),
    *(EvidenceRejected(event_id(CASE, version), "arrival", "not-done", (), False) for version in (4, 6, 9)),
    ReportLinked(2, SUBJECT),
    ReportUnlinked(2, ELSEWHERE),
    RepairCompleted(),
    IncidentDismissed("not-ours"),
)
NEED_EVIDENCE = {
    f"{needs} minutes": with_changes(SHIPPED, arrival_evidence_minutes=needs, assessment_minutes=None)
    for needs in (5, 90, 400)
}
NEED_RULES = {name: make_rules([each], [(LONG_AGO, CALENDAR)], [CATALOGUE]) for name, each in NEED_EVIDENCE.items()}
NEED_POLICIES = {name: policy_of([each]) for name, each in NEED_EVIDENCE.items()}
# How long after the fact before it is recorded, and how long after it happened: often at the very end of a limit.
apart = st.one_of(st.integers(0, 120), st.sampled_from([0, 5, 30, 60, 90, 400]))


@given(
    st.sampled_from([(), ((CrewArrived("crew-1", None), 10, 0, ""),)]),
    st.lists(
        st.tuples(st.sampled_from(ARRIVALS), apart, apart, st.sampled_from(["", "", "import"])), min_size=1, max_size=12
    ),
    st.sampled_from(sorted(NEED_EVIDENCE)),
    st.sampled_from(["hotline", "hotline", "hotline", "import"]),
)
def test_recount_and_algebra_agree_on_arrivals_whose_evidence_follows_or_does_not(
    first: Sequence[tuple[Fact, int, int, str]],
    told: Sequence[tuple[Fact, int, int, str]],
    needs: str,
    channel: str,
) -> None:
    play = Published(kinds.REPAIR, NEED_RULES[needs])
    play.say(FaultReported("BX-1", "leak", "x", "urban", SUBJECT), NINE, channel=channel)
    recorded = 0
    for fact, after, late, over in (*first, *told):
        recorded += after
        at = minutes(recorded)
        if isinstance(fact, ArrivalEvidenceSupplied) and play.state.arrived:
            has_lapsed = bool(play.state.ledger[ARRIVAL].lapses)
            observed("evidence supplied, " + ("lapsed by then" if has_lapsed else "not lapsed by then"))
        play.say(naming(play, fact), minutes(recorded - late), at=at, channel=over)
        assert told_apart(disagreements(play.events, NEED_POLICIES[needs], at)) == []
        assert_no_meeting_is_wrong(play, at)
    play.conclude(minutes(9_000))
    if any(isinstance(fact, WindowLapsed) and fact.provisional_until is not None for fact in play.concluded):
        observed("lapsed for want of evidence")
    assert told_apart(disagreements(play.events, NEED_POLICIES[needs], minutes(9_000))) == []
    assert_no_meeting_is_wrong(play, minutes(9_000))


# ---- connections

CONNECTION_FACTS: tuple[Fact, ...] = (
    said.DocumentSupplied("identity", "upload", PROOF),
    said.DocumentSupplied("property-right", "upload", PROOF),
    said.DocumentRejected("property-right", "illegible"),
    said.OneTimeNoticeGiven((said.NoticeItem("identity", "missing"),)),
    said.PapersPromised(("property-right",), date(2026, 9, 18), "suspend", PROOF),
    said.PapersPromised(("property-right",), date(2026, 9, 18), "end", PROOF),
    said.ApplicationAdmitted("papers"),
    said.ApplicationWithdrawn("other"),
    said.ApplicationRefused("no-supply-capacity", "no main in the road"),
    said.CaseSuspended("other"),
    said.ApplicantAppeared("counter", "papers"),
    said.PauseRequested(1, "site-not-ready", PROOF),
    said.PauseApproved(1),
    said.PauseEnded(1),
    said.PauseRevoked(1, "no-reason"),
    said.PauseRequested(2, "force-majeure", PROOF),
    said.PauseApproved(2),
    said.PauseEnded(2),
    said.WaterTurnedOn(1, SUBJECT, meter("M-1")),
    said.WaterTurnedOn(2, SUBJECT, meter("M-2")),
    said.CaseResumed("papers-in"),
)
# Full hours, and often the very close of business.
hours = st.one_of(st.integers(0, 30 * 24), st.integers(0, 20).map(lambda day: 24 * day + 8.5))
told_connections = st.lists(st.tuples(st.sampled_from(CONNECTION_FACTS), hours, st.integers(0, 72)), max_size=14)
revised = st.lists(
    st.tuples(hours, st.dates(date(2026, 9, 16), date(2026, 10, 9)), st.booleans()).map(
        lambda found: (NINE + timedelta(hours=found[0]), Day(found[1], found[2], "x"))
    ),
    max_size=3,
)
Revision = tuple[datetime, Day]


def calendars(revisions: Sequence[Revision]) -> list[tuple[datetime, CalendarPublished]]:
    """The shipped calendar and its revisions, each of which moves a day more."""
    found, moved = [(LONG_AGO, CALENDAR)], {day.date: day for day in CALENDAR.days}
    for number, (published_at, day) in enumerate(sorted(revisions, key=lambda each: each[0]), start=2):
        moved = moved | {day.date: day}
        found.append((published_at, replace(CALENDAR, version=f"2026-{number}", days=tuple(moved.values()))))
    return found


@lru_cache(maxsize=64)
def both(revisions: tuple[Revision, ...] = ()) -> tuple[Rules, Policy]:
    """The same policy for the rulebook and for the recount."""
    days = calendars(revisions)
    return make_rules([SHIPPED], days, [CATALOGUE]), policy_of([SHIPPED], days)


ADMITTED = (said.ApplicationAdmitted("papers"), 0.0, 0)
PAUSED = ((said.PauseRequested(1, "site-not-ready", PROOF), 2.0, 0), (said.PauseApproved(1), 3.0, 0))


def worked_on_saturday(published_after_hours: float) -> list[Revision]:
    """Saturday the 19th is worked after all: five days from the 16th end a day earlier."""
    return [(NINE + timedelta(hours=published_after_hours), Day(date(2026, 9, 19), off=False, name="x"))]


FROM_THE_FIELD = (said.WaterTurnedOn, said.DocumentSupplied, said.SurveyMade, said.ConstructionStarted)


@example([ADMITTED], worked_on_saturday(72), 1, "website")
@example([ADMITTED], worked_on_saturday(120), 1, "website")
@example([ADMITTED, *PAUSED, (said.PauseEnded(1), 32.5, 0)], [], 1, "website")
@given(told_connections, revised, st.integers(1, 2), st.sampled_from(["website", "counter", "hotline"]))
def test_recount_and_algebra_agree_on_every_connection_with_pauses_stops_and_revised_calendars(
    told: Sequence[tuple[Fact, float, int]], revisions: Sequence[Revision], points: int, channel: str
) -> None:
    rules, policy = both()
    play = Published(kinds.CONNECTION, rules)
    play.say(said.ApplicationReceived("BZ-1", "private", points, SUBJECT), NINE, channel=channel)
    for fact, recorded, late in sorted(told, key=lambda step: step[1]):
        at = NINE + timedelta(hours=recorded)
        play.rules, policy = both(tuple(each for each in revisions if each[0] <= at))
        # What a squad tells may come by a clock that runs wrong; an instruction is of now.
        earliest = NINE - timedelta(hours=48) if isinstance(fact, FROM_THE_FIELD) else NINE
        play.say(fact, max(earliest, at - timedelta(hours=late)), at=at)
        assert told_apart(disagreements(play.events, policy, at)) == []
        assert_no_meeting_is_wrong(play, at)
    latest = NINE + timedelta(days=40)
    play.rules, policy = both(tuple(revisions))
    play.conclude(latest)
    assert told_apart(disagreements(play.events, policy, latest)) == []
    assert_no_minutes_are_negative(play)


def assert_no_minutes_are_negative(play: Published) -> None:
    """By the row from which the figures are counted, after each event."""
    rows: dict[tuple[Any, ...], ConnectionRow | None] = {}
    for line in play.lines:
        read = parse(Record("water.connection.v1", 0, 0, case_key(play.case_id), line, {"previousposition": b"0"}))
        assert isinstance(read, Event), read
        CONNECTIONS.take(rows, read)
        (row,) = rows.values()
        assert row is not None
        for minutes_ in (row.gross_minutes, row.net_minutes, row.paused_minutes):
            assert minutes_ is None or minutes_ >= 0, row


def test_a_lapse_of_what_was_never_owed_after_all_does_not_stand() -> None:
    rules, policy = both()
    play = Published(kinds.CONNECTION, rules)
    play.say(said.ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE, channel="website")
    two_days_on = NINE + timedelta(days=2)
    play.conclude(two_days_on)
    # The papers had come with the application, and were told late: it was admitted at once and no notice was owed.
    play.say(said.DocumentSupplied("identity", "upload", PROOF), NINE, at=two_days_on)
    assert told_apart(disagreements(play.events, policy, two_days_on)) == []


# ---- the shipped calendars by hand


@pytest.mark.parametrize(
    ("start", "last"),
    [
        ("2026-02-13", "2026-02-27"),
        ("2026-04-30", "2026-05-11"),
        ("2026-05-03", "2026-05-11"),
        ("2026-09-17", "2026-09-23"),
        ("2026-09-19", "2026-09-24"),
        ("2026-09-30", "2026-10-13"),
    ],
)
def test_five_working_days_are_counted_as_the_service_model_has_them(start: str, last: str) -> None:
    (calendar,) = policy_of().calendars_of({"calendar_regions": ["CN"]})
    begun = datetime.fromisoformat(f"{start}T10:00:00+08:00")
    assert last_day(begun.astimezone(calendar.zone).date(), 5, time(17, 30), calendar) == date.fromisoformat(last)


# ---- stored histories

HISTORIES = Path(__file__).parent / "histories"
TOLD_BEFORE: dict[str, set[str]] = {
    # Judged before these were promised; the standard of today has their numbers.
    "connection-lapsed": {"connection.trips"},
    "outage-emergency": {"outage.notice", "outage.report"},
    "outage-planned": {"outage.notice", "outage.restore"},
    "repair-continuous": {"repair.answer"},
    "repair-imported-and-dismissed": {"repair.answer"},
    "repair-imported-arrival-told-later": {"repair.answer"},
    "repair-imported-by-day": {"repair.answer"},
    "repair-late-and-retracted": {"repair.answer", "repair.assessment"},
    "repair-reassessed": {"repair.answer", "repair.assessment", "repair.continuity"},
    "repair-refused-today": {"repair.answer", "repair.assessment"},
}


def history(name: str) -> list[PublishedEvent]:
    return list(from_lines((HISTORIES / f"{name}.jsonl").read_bytes().splitlines()))


UNDER_ANOTHER_RULE = {"repair-in-working-days"}
"""Recounted under its own in test_recount_days.py."""
PROMISING = sorted(
    path.stem
    for path in HISTORIES.glob("*.jsonl")
    if path.stem not in UNDER_ANOTHER_RULE and history(path.stem)[0].type in COUNTED
)


@pytest.mark.parametrize("name", PROMISING)
def test_a_stored_history_recounts_to_what_is_on_record(name: str) -> None:
    events = history(name)
    found = told_apart(disagreements(events, policy_of(standards_of(events)), events[-1].recorded_at))
    assert set(found) == {(commitment, "window", None, "opened") for commitment in TOLD_BEFORE.get(name, ())}


def test_every_kind_with_promises_is_recounted() -> None:
    opened = {f"water.{kind.topic}.{fact.__name__}.v1" for kind in kinds.PROMISING for fact in kind.opened_by}
    assert opened == set(COUNTED)


# ---- what was tampered with is found

Change = Callable[[PublishedEvent], PublishedEvent | None]


def changed(name: str, change: Change) -> list[tuple[str, str]]:
    """Which window, and what of it, after each event of a stored history was changed (None: taken out). Versions and
    numbers are closed up, so that nothing but the count can tell."""
    kept = [after for event in history(name) if (after := change(event)) is not None]
    numbers: Counter[str] = Counter()
    events = []
    for version, event in enumerate(kept, start=1):
        data = event.data
        if "commitment" in data:
            numbers[data["commitment"]] += 1
            data = data | {"number": numbers[data["commitment"]]}
        events.append(replace(event, version=version, data=data))
    found = disagreements(events, policy_of(standards_of(events)), history(name)[-1].recorded_at)
    assert all(each.events for each in found)
    return [(each.commitment, each.what) for each in found if each.what != "window"]


def without(name: str, commitment: str) -> Change:
    return lambda event: None if event.name == name and event.data["commitment"] == commitment else event


def with_data(name: str, commitment: str, **data: object) -> Change:
    def change(event: PublishedEvent) -> PublishedEvent:
        is_it = event.name == name and event.data["commitment"] == commitment
        return replace(event, data=event.data | data) if is_it else event

    return change


@pytest.mark.parametrize(
    ("history_of", "change", "found"),
    [
        ("repair-refused-today", without("WindowLapsed", "repair.arrival"), ("repair.arrival", "lapse")),
        ("repair-late-and-retracted", without("WindowRetracted", "repair.arrival"), ("repair.arrival", "lapse")),
        ("repair-answered", without("WindowMet", "repair.completion"), ("repair.completion", "met_at")),
        (
            "repair-refused-today",
            with_data("WindowMet", "repair.arrival", met_at="2026-09-16T01:29:00Z", on_time=True),
            ("repair.arrival", "met_at"),
        ),
        ("repair-refused-today", with_data("WindowMet", "repair.arrival", on_time=True), ("repair.arrival", "on_time")),
        (
            "repair-refused-today",
            with_data("WindowOpened", "repair.completion", due_at="2026-09-16T06:00:00Z"),
            ("repair.completion", "due_at"),
        ),
        (
            "connection-lapsed",
            with_data("WindowOpened", "connection.water_on", due_at="2026-09-28T09:30:00Z"),
            ("connection.water_on", "due_at"),
        ),
        ("connection-lapsed", without("WindowLapsed", "connection.water_on"), ("connection.water_on", "lapse")),
        ("connection-at-the-door", without("WindowLapsed", "connection.trips"), ("connection.trips", "lapse")),
        (
            "repair-imported-and-dismissed",
            without("WindowCancelled", "repair.arrival"),
            ("repair.arrival", "cancelled"),
        ),
        ("book-lapsed-and-read", without("WindowLapsed", "book.read"), ("book.read", "lapse")),
        ("outage-told", without("WindowLapsed", "outage.restore"), ("outage.restore", "lapse")),
        ("usage-confirmed-after-all", without("WindowLapsed", "usage.notice"), ("usage.notice", "lapse")),
    ],
)
def test_a_verdict_that_was_tampered_with_is_found(history_of: str, change: Change, found: tuple[str, str]) -> None:
    assert changed(history_of, lambda event: event) == []
    assert found in changed(history_of, change)


def test_an_event_that_is_missing_is_found_by_its_version() -> None:
    events = history("repair-answered")
    del events[3]
    assert ("", "version", 5, 4) in told_apart(disagreements(events, policy_of(), events[-1].recorded_at))


def test_a_case_whose_beginning_is_missing_does_not_pass() -> None:
    report = verify([*policy_events(), *history("repair-answered")[1:]])
    assert told_apart(report.disagreements) == [("", "version", 2, 1)]
    assert report.not_recounted.total() == 1


def test_two_events_under_one_version_are_found() -> None:
    events = as_published("repair-answered")
    other = replace(events[-1], data={"forged": True})
    assert [(each.what) for each in verify([*events, other]).disagreements] == ["told twice"]


# ---- verify


def as_published(*names: str) -> list[PublishedEvent]:
    """The policy and these histories, as on the topics."""
    told = [event for name in names for event in history(name)]
    return [*policy_events(standards_of(told)), *told]


def test_verify_counts_what_it_recounted_and_names_what_it_did_not() -> None:
    unknown = [
        replace(each, type=each.type.replace("FaultReported", "ThingBegun")) for each in history("repair-answered")
    ]
    report = verify([*as_published("usage-told-and-settled", "order"), *unknown])
    assert report.agrees
    assert list(describe(report)) == [
        "not recounted: 1 cases with windows that begin with water.repair.ThingBegun.v1",
        "verify: 2 cases, 3 windows recounted, 0 disagreements, 1 cases not recounted",
    ]


def test_verify_looks_at_one_case_by_id_or_number_and_says_where_there_is_none() -> None:
    events = as_published("repair-answered", "usage-told-and-settled")
    wanted = history("repair-answered")[0]
    for name in (str(wanted.case), wanted.data["case_number"]):
        assert verify(events, case=name).cases == 1
    with pytest.raises(UnknownCaseError):
        verify(events, case="BX-2026-999999")


def test_a_lapse_need_not_be_on_record_at_once_but_a_while_later() -> None:
    events = as_published("usage-confirmed-by-audit")
    due_at = datetime.fromisoformat("2026-09-16T02:00:00Z")
    assert verify(events, at=due_at + timedelta(seconds=59)).agrees
    assert told_apart(verify(events, at=due_at + timedelta(seconds=60)).disagreements) == [
        ("usage.notice", "lapse", None, due_at)
    ]


def test_a_case_that_owes_nothing_more_keeps_the_verdict_of_its_policy() -> None:
    events = as_published("usage-told-and-settled")
    stricter = published(with_changes(SHIPPED, version="later", usage_notice_minutes=1), position=9_000)
    assert verify([*events, replace(stricter, recorded_at=events[-1].recorded_at + timedelta(hours=1))]).agrees


@pytest.mark.parametrize("name", sorted(set(PROMISING) - TOLD_BEFORE.keys()))
def test_a_stored_history_was_right_after_every_decision(name: str) -> None:
    found = verify(as_published(name), at=history(name)[-1].recorded_at, steps=True).disagreements
    assert [(each.after, *told_apart([each])) for each in found] == []


def test_an_end_that_was_wrong_for_a_while_is_found_step_by_step() -> None:
    # An outage's end that was announced as 16:00 and put down as 17:00, until it was moved to 18:00.
    change = with_data("WindowOpened", "outage.restore", due_at="2026-09-18T09:00:00Z")
    tampered = [after for event in history("outage-told") if (after := change(event)) is not None]
    events = [*policy_events(standards_of(tampered)), *tampered]
    assert verify(events).agrees, "what is on record last is right"
    found = verify(events, steps=True).disagreements
    assert [(each.commitment, each.what) for each in found] == [("outage.restore", "due_at")]
    assert found[0].after is not None


def test_events_in_any_order_and_twice_recount_to_the_same() -> None:
    events = as_published("repair-answered", "connection-at-the-door")
    assert verify([*reversed(events), *events]).agrees


def test_without_a_policy_nothing_is_recounted_and_it_is_said_what_is_missing() -> None:
    with pytest.raises(NoPolicyError, match="found no standard"):
        verify(history("repair-answered"))


def test_the_command_reads_a_file_prints_disagreements_with_their_events_and_ends_with_1(tmp_path: Path) -> None:
    lines = [as_line(event) for event in as_published("repair-answered")]
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text("\n".join(lines))
    bad.write_text("\n".join(lines).replace('"met_at": "2026-09-16T01:12:00Z"', '"met_at": "2026-09-16T01:02:00Z"'))
    ended = CliRunner().invoke(main, ["verify", "--file", str(good)])
    assert (ended.exit_code, ended.stdout.count("\n")) == (0, 1), ended.output
    ended = CliRunner().invoke(main, ["verify", "--file", str(bad)])
    assert ended.exit_code == 1
    assert "repair.arrival: met_at: on record 2026-09-16 09:02:00, recounted 2026-09-16 09:12:00" in ended.stdout
    assert "CrewArrived" in ended.stdout
    ended = CliRunner().invoke(main, ["verify", "--json", "--file", str(bad)])
    first, last = map(json.loads, ended.stdout.splitlines())
    assert (first["what"], last["disagreements"]) == ("met_at", 1)


def test_a_line_that_is_no_event_is_named_by_its_number_only(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"phone": "13812345678"}')
    ended = CliRunner().invoke(main, ["verify", "--file", str(broken)])
    assert ended.exit_code == 1
    assert "bad-event: line 1" in ended.stderr
    assert "138" not in ended.output

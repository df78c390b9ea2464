"""Explanations: the parts add up to what was judged, and say what was known then, not what is known now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.connections import facts as said
from domain.connections.promises import NOTICE, PAPERS, TRIPS, WATER_ON
from domain.deadlines.calendar import CalendarPublished, CalendarVersion, Day, closing_time, from_published, local_date
from domain.deadlines.explain import Known, TermExplained, WindowExplained, explain, explain_commitment
from domain.deadlines.limits import ClockStop, WorkingDays, end
from domain.deadlines.windows import CountPromise, Obligation, Term, judge
from domain.kernel.facts import Fact
from domain.repairs.facts import CrewArrived, RepairCompleted, ReportLinked, SeverityAssessed, WaterRestored, WorkLogged
from domain.repairs.promises import COMPLETION, CONTINUITY
from domain.standard.flat import with_changes
from domain.standard.standards import Rules, make_rules
from infra.eventstore.commands import Command, Receipt
from infra.eventstore.envelope import read
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import (
    shipped_calendar,
    shipped_catalogue,
    shipped_law,
    shipped_rules,
    shipped_standard,
    shipped_standards,
)
from projections.reports.explain import CaseWindowExplained, explain_window, lines
from tests import explained
from tests.api_world import DISPATCHER, Client, FakeService, app_over, fault
from tests.unit.cases import NINE, SUBJECT, minutes, repairing
from tests.unit.test_histories import ENDS, kind_of
from tests.unit.test_histories import lines as stored
from tests.unit.test_window_rows import Told, histories, revised, rules_with

RULES = shipped_rules()
DAY = timedelta(days=1)


# ---- the parts add up to what is judged


def adds_up(obligation: Obligation | CountPromise, at: datetime) -> WindowExplained:
    """Explain it, and check every part against the verdict."""
    window, found = judge(obligation, at), explain(obligation, (), at)
    assert (found.due_at, found.met_at, found.lapses) == (window.due_at, window.met_at, window.lapses)
    assert (found.standard, found.calendar) == (window.basis.standard, window.basis.calendar)
    if isinstance(obligation, CountPromise):
        too_many = sorted({each.at for each in found.occurrences if not each.allowed})
        assert too_many == list(window.lapses)
        return found
    assert [term.due_at for term in found.terms] == [term.due_at for term in obligation.terms]
    assert {term.due_at for term in found.terms if term.outcome == "lapsed"} == set(window.lapses)
    for term, shown in zip(obligation.terms, found.terms, strict=True):
        if term.due_at is None:
            assert (shown.outcome, shown.days, shown.spans) == ("no-end", (), ())
        elif term.counted is not None:
            _days_add_up(term, shown)
        else:
            _spans_add_up(obligation, term, shown)
    return found


def _days_add_up(term: Term, shown: TermExplained) -> None:
    assert term.counted is not None
    assert term.due_at is not None
    limit = term.counted.limit
    days = [each.day for each in shown.days]
    assert days == [days[0] + number * DAY for number in range(len(days))]
    assert days[0] == local_date(limit.start)
    assert closing_time(days[-1], limit.close_of_business) == term.due_at == shown.calendars[-1].judged
    assert [each.number for each in shown.days if each.number is not None] == list(range(1, limit.days + 1))
    last = next(each.day for each in reversed(shown.days) if each.number == limit.days)
    assert closing_time(last, limit.close_of_business) == shown.calendars[-1].due_at
    assert all(each.by for each in shown.days if each.rule in ("start", "paused", "pause-used-up"))
    assert all(each.rule == "grace" or each.number is None for each in shown.days if each.day > last)


def _spans_add_up(obligation: Obligation, term: Term, shown: TermExplained) -> None:
    start = term.start or term.since
    assert term.due_at is not None
    if term.due_at <= min(start, obligation.opened_at):
        assert shown.spans == ()
        return
    edges = [shown.spans[0].since, *(span.until for span in shown.spans)]
    assert [span.since for span in shown.spans] == edges[:-1]
    assert edges == sorted(set(edges))
    assert (edges[0], edges[-1]) == (min(obligation.opened_at, start), term.due_at)
    counted = sum((span.until - span.since for span in shown.spans if span.counted), timedelta())
    assert counted == shown.limit == max(term.due_at - start, timedelta())
    assert all(span.by for span in shown.spans)


def owed(kind: kinds.Kind, state: Any, rules: Rules) -> Sequence[Obligation | CountPromise]:
    assert kind.obligations is not None
    return kind.obligations(state, rules)


@given(histories, revised)
def test_the_days_of_any_application_add_up_to_its_limit(
    history: list[tuple[Fact, int, int]], revisions: list[tuple[datetime, Day]]
) -> None:
    told = Told(rules_with([]))
    told.say([said.ApplicationReceived("BZ-1", "private", 2, SUBJECT)], NINE, NINE)
    for fact, recorded, late in sorted(history, key=lambda step: step[1]):
        at = NINE + timedelta(hours=recorded)
        told.rules = rules_with([revision for revision in revisions if revision[0] <= at])
        told.say([fact], max(NINE, at - timedelta(hours=late)), at)
        for obligation in owed(kinds.CONNECTION, told.state, told.rules):
            adds_up(obligation, at)


FIELD: tuple[Fact, ...] = (
    ReportLinked(2, SUBJECT),
    CrewArrived("crew-1", None),
    SeverityAssessed("small", "DN 40"),
    SeverityAssessed("medium", "DN 100"),
    SeverityAssessed("major", "DN 300"),
    WorkLogged("digging", "crew-1"),
    RepairCompleted(),
    WaterRestored(),
)


@given(
    st.lists(st.tuples(st.sampled_from(FIELD), st.integers(-60, 900), st.integers(0, 500)), max_size=10),
    st.sampled_from(("report", "arrival", "assessment")),
)
def test_the_minutes_of_any_incident_add_up_to_its_limit(history: list[tuple[Fact, int, int]], start: str) -> None:
    standard = with_changes(shipped_standard(), completion_from=cast(Any, start))
    rules = make_rules([standard], [(minutes(-100_000), shipped_calendar())], [shipped_catalogue()])
    play = repairing(rules)
    for fact, happened, late in sorted(history, key=lambda step: step[1] + step[2]):
        at = minutes(happened + late)
        play.say(fact, minutes(happened), at=at)
        for obligation in owed(kinds.REPAIR, play.state, rules):
            adds_up(obligation, at)


@pytest.mark.parametrize("name", sorted(ENDS))
def test_every_window_of_every_stored_history_is_explained_as_of_each_of_its_events(name: str) -> None:
    kind, state, known = kind_of(name), None, []
    for line in stored(name):
        event, recorded = read(line)
        assert event.recordedat is not None
        state = kind.evolve(state, recorded)
        known.append(Known(recorded, event.recordedat))
        obligations = {each.commitment: each for each in owed(kind, state, RULES)}
        for obligation in obligations.values():
            adds_up(obligation, event.recordedat)
        for commitment in {*obligations, *state.ledger}:
            found = explain_commitment(commitment, obligations.values(), state.ledger, known, event.recordedat)
            named = {each.event_id for each in found.events}
            assert {by for term in found.terms for by in term.by} <= named
            text = list(lines(CaseWindowExplained(event.subject, "BZ-1", kind.name, found)))
            assert text[0].startswith("BZ-1 ")


def counted(start: datetime, *stops: ClockStop, revised_at: datetime | None = None, worked: Sequence[date] = ()) -> Any:
    """Five working days from ``start``; a revision makes the days of ``worked`` working days. The days as explained."""
    shipped = shipped_calendar()
    versions = [CalendarVersion(datetime(2021, 1, 1, tzinfo=UTC), from_published([shipped]))]
    if revised_at is not None:
        moved = {each.date: each for each in shipped.days} | {day: Day(day, False, "x") for day in worked}
        revision = replace(shipped, version="2", days=tuple(moved.values()))
        versions.append(CalendarVersion(revised_at, from_published([revision])))
    found = end(WorkingDays(start, 5, time(17, 30), stops, 40), versions, None)
    term = Term(start, found.due_at, (UUID(int=1),), found.tentative, counted=found)
    shown = adds_up(Obligation("x.y", start, (term,), None, (), "s", found.calendar), start).terms[0]
    return [(each.day, each.rule) for each in shown.days]


def test_an_end_that_a_revision_moves_earlier_is_told_with_its_grace() -> None:
    thursday = NINE - DAY * 6
    days = counted(thursday, revised_at=NINE + timedelta(hours=1), worked=[date(2026, 9, 12), date(2026, 9, 13)])
    assert days[-3:] == [(date(2026, 9, 15), "worked"), (date(2026, 9, 16), "grace"), (date(2026, 9, 17), "grace")]
    assert [rule for _, rule in days].count("make-up") == 2


def test_days_that_count_because_a_pause_is_used_up_are_told_as_such() -> None:
    pause = ClockStop(NINE, None, 1, (UUID(int=2), UUID(int=3)), "government-permit")
    rules = [rule for _, rule in counted(NINE, pause)]
    assert rules.count("paused") == 1
    assert rules.count("pause-used-up") == 5


def test_a_statutory_day_beyond_the_horizon_is_told_as_such() -> None:
    days = dict(counted(datetime(2026, 12, 30, 1, 0, tzinfo=UTC)))
    assert days[date(2027, 1, 1)] == "statutory"


def test_a_gap_in_continuous_work_is_told_with_its_length() -> None:
    play = repairing(RULES)
    play.say(SeverityAssessed("major", "DN 300"), minutes(30))
    play.say(WorkLogged("digging", "crew-1"), minutes(200))
    play.conclude(minutes(400))
    found = _of(owed(kinds.REPAIR, play.state, RULES), CONTINUITY, minutes(400))
    assert [(term.outcome, term.overrun_until) for term in found.terms] == [
        ("lapsed", minutes(200)),
        ("lapsed", minutes(400)),
    ]
    completion = _of(owed(kinds.REPAIR, play.state, RULES), COMPLETION, minutes(400))
    assert [term.outcome for term in completion.terms] == ["replaced", "no-end"]
    assert completion.state == "cancelled"


def _of(obligations: Sequence[Obligation | CountPromise], commitment: str, at: datetime) -> WindowExplained:
    return adds_up(next(each for each in obligations if each.commitment == commitment), at)


# ---- the worked example


class Asking(FakeService):
    """After every command somebody asks for every window of the worked example, and keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[str, datetime], CaseWindowExplained] = {}

    def run(self, command: Command) -> Receipt:
        receipt = super().run(command)
        for commitment in (WATER_ON, TRIPS):
            now = self.clock.now()
            self.said[commitment, now] = explain_window(cast(Service, self), explained.STREAM.id, commitment, None)
        return receipt


@pytest.fixture
def service() -> Asking:
    service = Asking()

    def publish(revision: Any) -> None:
        service.rules = _rules((NINE, shipped_calendar()), (service.clock.now(), revision))
        service.published.append((service.clock.now(), service.rules))

    service.rules = _rules((NINE, shipped_calendar()))
    service.published = [(NINE, service.rules)]
    explained.tell_worked_example(service, publish)
    return service


def _rules(*calendars: tuple[datetime, CalendarPublished]) -> Rules:
    return make_rules(shipped_standards(), calendars, [shipped_catalogue()], laws=[shipped_law()])


def worked(service: FakeService, commitment: str, at: datetime) -> CaseWindowExplained:
    return explain_window(cast(Service, service), explained.STREAM.id, commitment, at)


@pytest.mark.parametrize(("name", "at"), [("lapsed", explained.LAPSED_AT), ("retracted", explained.RETRACTED_AT)])
def test_a_pause_a_revision_a_lapse_and_its_retraction_read_as_written(
    service: FakeService, name: str, at: datetime
) -> None:
    assert "\n".join(lines(worked(service, WATER_ON, at))) + "\n" == explained.text_of(name)


def test_what_was_known_then_knows_neither_the_later_revision_nor_the_later_approval(service: FakeService) -> None:
    first = worked(service, WATER_ON, NINE + timedelta(hours=1)).window
    assert first.due_at == NINE.replace(day=22, hour=9, minute=30)
    assert [(day.rule, day.name) for day in first.terms[0].days if day.day.day == 20] == [("make-up", "国庆节")]
    revised_then = worked(service, WATER_ON, NINE + timedelta(days=1, hours=2)).window
    assert revised_then.due_at == NINE.replace(day=24, hour=9, minute=30)
    assert [day.name for day in revised_then.terms[0].days if day.rule == "holiday"] == ["州庆", "州庆"]
    lapsed = worked(service, WATER_ON, explained.LAPSED_AT).window
    assert (lapsed.state, lapsed.lapses) == ("lapsed", (NINE.replace(day=24, hour=9, minute=30),))
    assert not any(day.rule == "paused" for day in lapsed.terms[0].days)
    now = worked(service, WATER_ON, explained.OVER).window
    assert (now.state, now.on_time, now.lapses) == ("met", True, ())
    assert [day.by for day in now.terms[0].days if day.rule == "paused"] == [now.terms[0].by[1:]]
    assert [each.fact for each in now.events if each.event_id in now.met_by] == ["WaterTurnedOn"]


def test_what_was_said_then_is_said_of_then_for_ever(service: Asking) -> None:
    assert len(service.said) == 12
    for (commitment, at), then in service.said.items():
        assert worked(service, commitment, at) == then


def test_trips_are_explained_as_a_count(service: FakeService) -> None:
    found = worked(service, TRIPS, explained.OVER).window
    assert (found.allowed, found.occurrences, found.state) == (0, (), "met")


# ---- over HTTP


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def url(commitment: str, case: object = explained.STREAM.id) -> str:
    return f"/api/v1/cases/{case}/windows/{commitment}"


def test_an_explanation_is_answered_in_parts_and_in_words(client: Client) -> None:
    answer = client.get(url(WATER_ON), params={"as_of": "2026-09-24T18:00:00+08:00"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["case_number"] == explained.NUMBER
    assert body["window"]["state"] == "lapsed"
    assert body["window"]["terms"][0]["working_days"] == 5
    assert "\n".join(body["text"]) + "\n" == explained.text_of("lapsed")


@pytest.mark.parametrize(
    ("path", "as_of", "status", "code"),
    [
        (url(PAPERS), None, 404, "no-such-window"),
        (url(NOTICE), None, 404, "no-such-window"),
        (url("connection.unheard_of"), None, 404, "no-such-window"),
        (url(WATER_ON, "00000000-0000-0000-0000-000000000001"), None, 404, "no-such-case"),
        (url(WATER_ON), "2026-09-16T00:59:59Z", 404, "no-such-case"),
        (url(WATER_ON), "2026-10-01T01:00:01Z", 422, "future-time"),
        (url(WATER_ON), "2026-09-24T18:00:00", 422, "bad-parameter"),
        (url(WATER_ON), "yesterday", 422, "bad-parameter"),
        (url("not a commitment"), None, 422, "bad-parameter"),
        (url(WATER_ON, "BZ-1"), None, 422, "bad-parameter"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    client: Client, path: str, as_of: str | None, status: int, code: str
) -> None:
    answer = client.get(path, params={"as_of": as_of} if as_of else {})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_arrival_is_explained_in_minutes() -> None:
    service = FakeService()
    client = Client(app_over(service))
    case = client.post("/api/v1/repairs", fault()).json()["case_id"]
    client.post(f"/api/v1/repairs/{case}/dispatch", {"crew": "crew-1"}, headers=DISPATCHER)
    service.clock.move(timedelta(minutes=42))
    client.post(f"/api/v1/repairs/{case}/arrival", {"crew": "crew-1"}, headers=DISPATCHER)
    body = client.get(url("repair.arrival", case)).json()
    (term,) = body["window"]["terms"]
    assert (term["outcome"], term["limit"], len(term["spans"])) == ("lapsed", "PT30M", 1)
    assert "  = 30 of 30 min counted 共计 30 分钟" in body["text"]
    assert any("unmet for 12 min after that" in line for line in body["text"])


def test_minutes_that_have_not_been_are_to_come_and_not_counted() -> None:
    service = FakeService()
    client = Client(app_over(service))
    case = client.post("/api/v1/repairs", fault()).json()["case_id"]
    service.clock.move(timedelta(minutes=12))
    text = client.get(url("repair.arrival", case)).json()["text"]
    assert "  = 12 of 30 min counted 共计 12 分钟, 18 to come 尚有 18 分钟" in text
    been, left = (line for line in text if " min counted 计时" in line)
    assert "12 min" in been
    assert "18 min" in left
    assert ("to come 尚未到" in been, "to come 尚未到" in left) == (False, True)


def test_days_that_have_not_been_are_to_come_and_not_counted(service: FakeService) -> None:
    at = datetime(2026, 9, 22, 2, 0, tzinfo=UTC)  # Tuesday morning: Thursday and Friday are over
    text = list(lines(worked(service, WATER_ON, at)))
    assert "  = 2 of 5 working days counted 共计 2 个工作日, 3 to come 尚有 3 个工作日" in text
    to_come = [line.split()[0] for line in text if "to come 尚未到" in line]
    assert to_come == ["3.", "4.", "5."]

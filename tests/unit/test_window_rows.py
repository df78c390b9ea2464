"""The read model of windows says what the ledger of the case says, whatever happens to an application in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from eventsourcing.persistence import JSONTranscoder
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.connections import facts as said
from domain.connections.promises import WATER_ON
from domain.deadlines.calendar import Day
from domain.kernel.facts import Fact, Recorded, event_id
from domain.standard.standards import Rules, make_rules
from infra.eventstore.commands import Stamp
from infra.eventstore.envelope import CloudEventMapper, Envelope, seal
from infra.eventstore.shipped_rules import shipped_calendar, shipped_catalogue, shipped_standard
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse
from projections.read_models.windows import WINDOWS, WindowRow
from tests.unit.cases import CASE, NINE, SUBJECT, meter

STAMP = Stamp("somebody", "case-owner", "website", "c", "c")
LATEST = NINE + timedelta(days=40)
DIGEST = "sha256:" + "0" * 64


@dataclass
class Told:
    """A case in memory whose every event is also read as the read model reads it."""

    rules: Rules
    state: Any = None
    version: int = 0
    rows: dict[str, WindowRow] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)

    def say(self, facts: Sequence[Fact], happened_at: datetime, at: datetime) -> None:
        for fact in facts:
            self._append(fact, happened_at, at)
        while follows := kinds.follows(kinds.CONNECTION, self.state, self.rules, at):
            for stated in follows:
                self._append(stated.fact, stated.happened_at, at)
        for fact in kinds.conclusion(kinds.CONNECTION, self.state, self.rules, at):
            self._append(fact, at, at)

    def _append(self, fact: Fact, happened_at: datetime, at: datetime) -> None:
        self.version += 1
        envelope = Envelope(CASE, self.version, "connection", fact, happened_at, None, STAMP)
        stored = CloudEventMapper(JSONTranscoder()).to_stored_event(envelope)
        event = parse(
            Record("t", 0, 0, case_key(CASE), seal(stored.state, self.version, at), {"previousposition": b"0"})
        )
        assert isinstance(event, Event)
        self.types.append(event.type)
        key = WINDOWS.key_of(event)
        if key is not None:
            row = WINDOWS.fold(self.rows.get(key[1]), event)
            assert row is not None
            self.rows[key[1]] = row
        recorded = Recorded(fact, event_id(CASE, self.version), self.version, happened_at, "somebody", "x", "website")
        self.state = kinds.CONNECTION.evolve(self.state, recorded)


def rules_with(revisions: Sequence[tuple[datetime, Day]]) -> Rules:
    shipped = shipped_calendar()
    calendars = [(datetime(2021, 1, 1, tzinfo=NINE.tzinfo), shipped)]
    for number, (published_at, day) in enumerate(sorted(revisions, key=lambda found: found[0]), start=2):
        moved = {known.date: known for known in (*shipped.days, day)}
        calendars.append((published_at, replace(shipped, version=f"2026-{number}", days=tuple(moved.values()))))
    return make_rules([shipped_standard()], calendars, [shipped_catalogue()])


FACTS: tuple[Fact, ...] = (
    said.DocumentSupplied("identity", "upload", DIGEST),
    said.DocumentSupplied("property-right", "upload", DIGEST),
    said.DocumentRejected("property-right", "illegible"),
    said.OneTimeNoticeGiven((said.NoticeItem("identity", "missing"),)),
    said.PapersPromised(("property-right",), date(2026, 9, 18), "suspend", DIGEST),
    said.PapersPromised(("property-right",), date(2026, 9, 18), "end", DIGEST),
    said.ApplicationAdmitted("papers"),
    said.ApplicationWithdrawn("other"),
    said.ApplicantAppeared("counter", "papers"),
    said.PauseRequested(1, "site-not-ready", DIGEST),
    said.PauseApproved(1),
    said.PauseEnded(1),
    said.PauseRevoked(1, "no-reason"),
    said.WaterTurnedOn(1, SUBJECT, meter("M-1")),
    said.WaterTurnedOn(2, SUBJECT, meter("M-2")),
    said.CaseResumed("papers-in"),
)
hours = st.integers(0, 30 * 24)
histories = st.lists(st.tuples(st.sampled_from(FACTS), hours, st.integers(0, 72)), max_size=14)
revised = st.lists(
    st.tuples(hours, st.dates(date(2026, 9, 16), date(2026, 10, 9)), st.booleans()).map(
        lambda found: (NINE + timedelta(hours=found[0]), Day(found[1], found[2], "x"))
    ),
    max_size=2,
)


@given(histories, revised)
def test_rows_and_ledger_say_the_same(
    history: list[tuple[Fact, int, int]], revisions: list[tuple[datetime, Day]]
) -> None:
    told = Told(rules_with([]))
    told.say([said.ApplicationReceived("BZ-1", "private", 2, SUBJECT)], NINE, NINE)
    for fact, recorded, late in sorted(history, key=lambda step: step[1]):
        at = NINE + timedelta(hours=recorded)
        told.rules = rules_with([revision for revision in revisions if revision[0] <= at])
        told.say([fact], max(NINE, at - timedelta(hours=late)), at)
        _agree(told)
    told.say([], LATEST, LATEST)
    _agree(told)


def _agree(told: Told) -> None:
    assert set(told.rows) == set(told.state.ledger)
    for commitment, known in told.state.ledger.items():
        row = told.rows[commitment]
        assert (row.number, row.lapses, row.opened_at) == (known.number, len(known.lapses), known.opened_at)
        assert row.lapses + row.retracted == known.lapse_count
        assert row.met_at == known.met_at
        assert (row.state == "cancelled") == known.cancelled
        if not known.cancelled:
            assert (row.due_at, row.tentative, row.calendar) == (known.due_at, known.tentative, known.calendar)
            assert (row.state == "met") == (known.met_at is not None)
            lapsed = known.due_at in known.lapses if known.due_at is not None else bool(known.lapses)
            assert (row.state == "lapsed") == (lapsed and known.met_at is None)


@given(histories)
def test_asking_again_says_nothing_more(history: list[tuple[Fact, int, int]]) -> None:
    told = Told(rules_with([]))
    told.say([said.ApplicationReceived("BZ-1", "private", 2, SUBJECT)], NINE, NINE)
    for fact, recorded, late in sorted(history, key=lambda step: step[1]):
        at = NINE + timedelta(hours=recorded)
        told.say([fact], max(NINE, at - timedelta(hours=late)), at)
        before = told.version
        told.say([], at, at)
        assert told.version == before


def test_the_history_generator_reaches_what_it_is_for() -> None:
    told = Told(rules_with([]))
    told.say([said.ApplicationReceived("BZ-1", "private", 1, SUBJECT)], NINE, NINE)
    told.say([FACTS[0]], NINE, NINE)
    told.say([FACTS[4]], NINE, NINE)
    week = NINE + timedelta(days=7)
    told.say([], week, week)
    assert told.rows[WATER_ON].state == "cancelled"
    told.say([FACTS[1]], week, week)
    assert told.rows[WATER_ON].state == "running"
    names = {name.split(".")[2] for name in told.types}
    assert {"PapersCommitmentBroken", "CaseSuspended", "CaseResumed", "WindowReopened"} <= names

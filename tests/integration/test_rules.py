"""Rules that change while the program runs: publication, decisions under the newest only, and the recompute job."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import kinds
from domain.connections.facts import ApplicationAdmitted, ApplicationReceived, ChargeRefused
from domain.connections.promises import WATER_ON
from domain.deadlines.calendar import CalendarPublished, Day
from domain.kernel.facts import EventToAppend, Fact
from domain.kernel.refusals import FeeBanned, Refusal
from domain.repairs.orders import REPLY, OrderReceived
from domain.standard.flat import as_published, with_changes
from infra.clock import ManualClock
from infra.eventstore import recompute
from infra.eventstore import shipped_rules as rules
from infra.eventstore.commands import Command, IdempotencyKey, Receipt, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.envelope import Envelope
from infra.eventstore.service import Service, open_service
from infra.settings import Settings
from tests.bench.recompute import measure
from tests.unit.cases import NINE, SUBJECT

DUE = datetime(2026, 9, 22, 9, 30, tzinfo=UTC)
"""Five working days after Wednesday 2026-09-16; Sunday the 20th is one of them."""


def stamp() -> Stamp:
    return Stamp("tester", "manager", "office", str(uuid4()), "test")


def run(service: Service, stream: Stream, *facts: Fact, key: IdempotencyKey | None = None) -> Receipt:
    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        return [(stream, EventToAppend(fact, snapshot.at)) for fact in facts]

    return service.run(Command(stream, stamp(), decide, key=key))


def admitted(service: Service) -> Stream:
    stream = Stream(kinds.CONNECTION, uuid4())
    run(service, stream, ApplicationReceived("BZ-1", "private", 1, SUBJECT), ApplicationAdmitted())
    return stream


def calendar_with(*days: Day, version: str = "2026-2") -> CalendarPublished:
    """The shipped calendar with some days otherwise."""
    shipped = rules.shipped_calendar()
    moved = {day.date: day for day in (*shipped.days, *days)}
    return replace(shipped, version=version, days=tuple(moved[day] for day in sorted(moved)))


OFF_ON_MONDAY = calendar_with(Day(date(2026, 9, 21), True, "临时放假"))


def publish(service: Service, document: CalendarPublished) -> None:
    run(service, rules.calendar_stream(document.region), document)


@pytest.fixture
def second(store_settings: Settings, service: Service, clock: ManualClock) -> Iterator[Service]:
    """Another process of the same installation."""
    opened = open_service(store_settings, clock=clock)
    yield opened
    opened.close()


def due_at(service: Service, stream: Stream) -> datetime | None:
    state, _ = service.load(stream)
    due: datetime | None = state.ledger[WATER_ON].due_at
    return due


def test_who_publishes_decides_by_the_new_rules_from_then_on(service: Service) -> None:
    publish(service, OFF_ON_MONDAY)
    assert service.rules.calendar.version == "CN@2026-2"
    assert due_at(service, admitted(service)) == DUE + timedelta(days=1)


def test_no_process_ever_stores_a_decision_made_by_rules_that_were_replaced(service: Service, second: Service) -> None:
    old = second.rules
    publish(service, OFF_ON_MONDAY)
    # However long ago the second process looked, and even if it never looks by itself: the append tells it.
    second._writer.rules, second._writer._looked_at = old, float("inf")
    stream = admitted(second)
    assert due_at(service, stream) == DUE + timedelta(days=1)
    state, _ = service.load(stream)
    assert state.ledger[WATER_ON].calendar == "CN@2026-2"


def test_a_question_about_an_open_case_moves_its_deadline_once(service: Service) -> None:
    stream = admitted(service)
    publish(service, OFF_ON_MONDAY)
    run(service, stream)
    run(service, stream)
    _, events = service.load(stream)
    moves = [event["data"] for event in events if event["type"].endswith("WindowMoved.v1")]
    assert [(move["commitment"], move["cause"], move["old_due_at"], move["due_at"]) for move in moves] == [
        (WATER_ON, "calendar", "2026-09-22T09:30:00Z", "2026-09-23T09:30:00Z")
    ]
    assert moves[0]["basis"]["calendar"] == "CN@2026-2"


def test_a_dry_run_lists_what_would_move_and_stores_nothing(service: Service, clock: ManualClock) -> None:
    early = admitted(service)
    clock.move(timedelta(days=6))
    late = admitted(service)
    head = service.store.log.max_notification_id()
    found = recompute.dry_run(service, OFF_ON_MONDAY)
    assert service.store.log.max_notification_id() == head
    assert [(move.case_id, move.new_due_at) for move in found.moves] == [(early.id, DUE + timedelta(days=1))]
    assert (found.looked_at, found.calendar) == (2, "CN@2026-2")
    assert late.id not in {move.case_id for move in found.moves}


def test_a_calendar_that_no_standard_counts_by_is_refused_by_the_dry_run(service: Service) -> None:
    with pytest.raises(LookupError, match="CN-Nowhere"):
        recompute.dry_run(service, replace(OFF_ON_MONDAY, region="CN-Nowhere"))


def test_the_job_moves_every_open_deadline_once_and_no_closed_one(service: Service, clock: ManualClock) -> None:
    streams = [admitted(service) for _ in range(7)]
    run(service, closed := streams.pop(), withdrawn())
    before = due_at(service, closed)
    publish(service, OFF_ON_MONDAY)
    result = recompute.run(service)
    assert result is not None
    assert result.moved == 6
    assert {due_at(service, stream) for stream in streams} == {DUE + timedelta(days=1)}
    assert due_at(service, closed) == before
    assert recompute.run(service) is None


def test_the_job_moves_the_reply_to_an_order_too_and_not_one_that_has_a_deadline_of_its_own(service: Service) -> None:
    """Five working days from Wednesday; other windows of the same topic, without a calendar, are left alone."""
    replies = []
    for number, reply_by in (("JS-1", None), ("JS-2", NINE + timedelta(days=2))):
        stream = rules.order_stream("hotline-12345", number)
        run(service, stream, OrderReceived("hotline-12345", number, uuid4(), 1, reply_by))
        replies.append(stream)
    before = [service.load(stream)[0].ledger[REPLY].due_at for stream in replies]
    publish(service, OFF_ON_MONDAY)
    result = recompute.run(service)
    assert result is not None
    assert result.moved == 1
    after = [service.load(stream)[0].ledger[REPLY].due_at for stream in replies]
    assert after == [before[0] + timedelta(days=1), before[1]]


def withdrawn() -> Fact:
    from domain.connections.facts import ApplicationWithdrawn

    return ApplicationWithdrawn("no-longer-needed")


def test_a_deadline_moved_earlier_leaves_a_working_day_and_does_not_lapse_at_once(
    service: Service, clock: ManualClock
) -> None:
    saturday_worked = calendar_with(Day(date(2026, 9, 19), False, "补班"))
    stream = admitted(service)
    # Monday 18:00 in China: the new last day, Monday, is over already.
    clock.move(datetime(2026, 9, 21, 10, 0, tzinfo=UTC) - clock.now())
    publish(service, saturday_worked)
    run(service, stream)
    assert due_at(service, stream) == datetime(2026, 9, 22, 9, 30, tzinfo=UTC)
    state, _ = service.load(stream)
    assert not state.ledger[WATER_ON].lapses


def test_a_lapse_falls_away_when_the_day_turns_out_not_to_have_been_worked(
    service: Service, clock: ManualClock
) -> None:
    stream = admitted(service)
    clock.move(DUE + timedelta(minutes=1) - clock.now())
    run(service, stream)
    assert service.load(stream)[0].ledger[WATER_ON].lapses
    publish(service, OFF_ON_MONDAY)
    recompute.run(service)
    ledger = service.load(stream)[0].ledger
    assert not ledger[WATER_ON].lapses
    assert ledger[WATER_ON].due_at == DUE + timedelta(days=1)


# ---- refused on record


def charge(stream: Stream) -> Any:
    attempt = ChargeRefused("account-opening", "开户费", "fee-banned", 5000, "2021-1")

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        raise FeeBanned(found="开户费", needed="a fee of the catalogue", next_step="none", next_step_zh="无").on_record(
            attempt
        )

    return decide


def test_a_refused_attempt_is_on_record_once_and_its_sender_is_refused_each_time(service: Service) -> None:
    stream = admitted(service)
    key = IdempotencyKey("actor:tester", "k", b"d")
    for _ in range(2):
        with pytest.raises(Refusal, match=r"^fee-banned: found 开户费"):
            service.run(Command(stream, stamp(), charge(stream), key=key))
    _, events = service.load(stream)
    refused = [event for event in events if event["type"].endswith("ChargeRefused.v1")]
    assert len(refused) == 1
    assert refused[0]["data"]["banned"] == "开户费"
    assert refused[0]["actor"] == "tester"


# ---- what follows by rule


def test_silence_admits_at_the_close_of_the_fifth_day_and_the_limit_ends_there(
    service: Service, clock: ManualClock
) -> None:
    stream = Stream(kinds.CONNECTION, uuid4())
    receipt = run(service, stream, ApplicationReceived("BZ-1", "private", 1, SUBJECT))
    assert receipt.next_ask_at[WATER_ON] < DUE
    clock.move(DUE - timedelta(seconds=1) - clock.now())
    run(service, stream)
    assert service.load(stream)[0].admitted is None
    clock.move(timedelta(seconds=1))
    run(service, stream)
    state, events = service.load(stream)
    admission = next(event for event in events if event["type"].endswith("ApplicationAdmitted.v1"))
    assert (admission["actor"], admission["role"], admission["data"]["basis"]) == ("tongshui", "system", "silence")
    assert admission["time"] == "2026-09-16T01:00:00Z"
    assert list(state.ledger[WATER_ON].lapses) == [DUE]


# ---- upgrades


def test_an_installation_of_an_older_program_gets_what_is_new_and_keeps_what_it_published(
    store_settings: Settings, database: str, clock: ManualClock
) -> None:
    from infra.eventstore.application import open_store

    store = open_store(database, clock)
    older = with_changes(rules.shipped_standard(), version="0225-1", powers={}, promise=None)
    said = [(rules.STANDARDS, as_published(older)), (rules.calendar_stream("CN"), rules.shipped_calendar())]
    store.save(*(Envelope(s.id, 1, s.kind.topic, fact, clock.now(), None, rules.FIRST_START) for s, fact in said))
    store.close()
    clock.move(timedelta(days=1))
    service = open_service(store_settings, clock=clock)
    try:
        assert [standard.version for standard in service.rules.standards] == ["0225-1", "2026-06-1"]
        assert service.rules.in_force(clock.now() - timedelta(hours=1)).version == "0225-1"
        assert service.rules.in_force(clock.now()).version == "2026-06-1"
        assert service.rules.catalogue(clock.now()) is not None
    finally:
        service.close()
    again = open_service(store_settings, clock=clock)
    assert len(again.rules.standards) == 2
    again.close()


def test_a_standard_of_the_utilitys_own_is_never_replaced_by_an_upgrade(clock: ManualClock) -> None:
    from domain.publication.publishing import Standards

    own = replace(rules.shipped_standard(), version="jishou-2027")
    states: dict[UUID, Any] = {rules.STANDARDS.id: Standards((own,))}
    missing = [stream for stream, _, _ in rules.missing_publications(states, clock.now())]
    assert rules.STANDARDS not in missing


def test_under_load_no_event_is_stored_under_a_calendar_that_was_replaced_before_it(
    service: Service, second: Service
) -> None:
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(admitted, (service, second)[n % 2]) for n in range(120)]
        for number in range(2, 8):
            publish((service, second)[number % 2], replace(OFF_ON_MONDAY, version=f"2026-{number}"))
            work += [pool.submit(admitted, (service, second)[n % 2]) for n in range(40)]
        for future in work:
            future.result()
    in_force, opened = "CN@2026-1", 0
    with service.connection() as connection:
        rows = connection.execute("SELECT topic, state FROM store.stored_events ORDER BY notification_id").fetchall()
    for row in rows:
        data = json.loads(bytes(row["state"]))["data"]
        if row["topic"].endswith("CalendarPublished.v1"):
            in_force = f"CN@{data['version']}"
        elif row["topic"].endswith("WindowOpened.v1") and data["commitment"] == WATER_ON:
            opened += 1
            assert data["basis"]["calendar"] == in_force
    assert opened == 120 + 6 * 40


def test_hundreds_of_open_deadlines_move_and_none_lapses(database: str, tmp_path: Path) -> None:
    found = measure(database, tmp_path, 300)
    assert (found.result.looked_at, found.moved, found.lapsed) == (300, 300, 0)

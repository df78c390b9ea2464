"""Many watches on one database, clocks that jump, canaries, and what the watches tell about themselves."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from app.processes import asker
from app.status_report import watch_lines
from domain.deadlines.windows import WindowRetracted
from infra.clock import ManualClock
from infra.eventstore.envelope import read
from infra.eventstore.service import Service, open_service
from infra.kafka.cluster import ensure_canary_topic, ensure_topics
from infra.settings import Settings
from infra.status import CanaryStatus, Watching, collect
from projections.watch import watch as watching
from projections.watch.canary import Canaries
from projections.watch.watch import Evaluated, Question, Watch
from tests.commands import Incident
from tests.contracted import records_on, require_promised
from tests.faults.installation import wait_until
from tests.faults.watched import HALF_AN_HOUR, Index, ask_all, connection_of, due, lapses, run, watch_of
from tests.integration.test_rules import DUE, OFF_ON_MONDAY, admitted, publish

HOUR = timedelta(hours=1)
LONG_S = 600.0
"""Longer than any test waits: who does something within it was woken."""


@contextmanager
def running(watches: Sequence[Watch]) -> Iterator[None]:
    """All of them at once; they end at once too, however long they would have slept."""
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,), daemon=True) for each in watches]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        with psycopg.connect(watches[0].settings.database_url, autocommit=True) as opened:
            opened.execute("NOTIFY tongshui_due")
            opened.execute("NOTIFY tongshui_help")
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)


# ---- no thundering herd


@pytest.mark.usefixtures("told_by_the_stream_alone")
def test_one_notification_makes_one_of_many_watches_look(
    service: Service, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_AT_LEAST_EVERY_S", LONG_S)
    watches = [watch_of(service) for _ in range(6)]
    with running(watches):
        wait_until(lambda: all(each.looks for each in watches), what="everybody's first look")
        (on_duty,) = [each for each in watches if each.on_duty]
        before = {id(each): each.looks for each in watches}
        for number in range(1, 11):
            Incident(service)
            index.feed()
            wait_until(lambda number=number: on_duty.asked >= number, what="the asking")  # type: ignore[misc]
        looked = {id(each): each.looks - before[id(each)] for each in watches}
    assert sum(looked.values()) == looked[id(on_duty)], "only the one on duty looks"
    # One look that finds the case and one that finds nothing more; some notifications come while it looks already.
    assert looked[id(on_duty)] <= 10 * 4


def test_a_backlog_calls_the_others_who_take_it_in_bounded_batches(
    store_settings: Settings, service: Service, clock: ManualClock, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_AT_LEAST_EVERY_S", LONG_S)
    monkeypatch.setattr(watching, "AT_MOST", 5)
    cases = {Incident(service).case_id for _ in range(40)}
    index.feed()
    sizes: list[int] = []
    meeting = threading.Barrier(2, timeout=60)
    met = threading.local()

    def slowly(questions: Sequence[Question]) -> Sequence[Evaluated]:
        sizes.append(len(questions))
        if clock.now() >= began + HALF_AN_HOUR and not hasattr(met, "once"):
            met.once = True
            meeting.wait()  # neither goes on before the other has something too
        return asker(service)(questions)

    began = clock.now()
    watches = [watch_of(service, slowly) for _ in range(2)]
    with running(watches):
        wait_until(lambda: not due(service), what="the first answers")
        clock.move(HALF_AN_HOUR)
        with connection_of(service) as opened:
            opened.execute("NOTIFY tongshui_due")
        wait_until(lambda: len(lapses(service)) >= 40, what="the lapses")
    assert sorted(case_id for case_id, _, _ in lapses(service)) == sorted(cases)
    assert max(sizes) <= 5


@pytest.mark.usefixtures("told_by_the_stream_alone")
def test_where_asking_is_slow_a_watch_takes_less_at_a_time_so_that_its_leases_hold(
    service: Service,
    clock: ManualClock,
    index: Index,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "AT_MOST", 8)
    monkeypatch.setattr(watching, "AT_LEAST", 2)
    monkeypatch.setattr(watching, "BATCH_S", 0.0)  # everything is slow
    cases = {Incident(service).case_id for _ in range(14)}
    index.feed()
    clock.move(HALF_AN_HOUR)
    sizes: list[int] = []

    def noted(questions: Sequence[Question]) -> Sequence[Evaluated]:
        sizes.append(len(questions))
        return asker(service)(questions)

    ask_all(watch_of(service, noted), connection)
    assert sizes[0] == 4, "each case has two rows that are due"
    assert max(sizes[1:]) <= 2
    assert {case_id for case_id, _, _ in lapses(service)} == cases


@pytest.mark.usefixtures("told_by_the_stream_alone")
def test_when_the_watch_on_duty_is_gone_another_one_takes_over(service: Service, index: Index) -> None:
    with ExitStack() as first_one:
        first = watch_of(service)
        first_one.enter_context(running([first]))
        wait_until(lambda: first.on_duty, what="duty")
        second = watch_of(service)
        with running([second]):
            wait_until(lambda: second.looks >= 2, what="two looks of the one that stands by")
            assert not second.on_duty
            first_one.close()
            wait_until(lambda: second.on_duty, what="the second's duty")
            Incident(service)
            index.feed()
            wait_until(lambda: second.asked >= 1, what="the question")


# ---- clocks that jump


def retracted(service: Service) -> list[tuple[UUID, str]]:
    with service.connection() as opened:
        rows = opened.execute(
            "SELECT originator_id, state FROM store.stored_events WHERE topic LIKE '%%.WindowRetracted.%%'"
            " ORDER BY notification_id"
        ).fetchall()
    found = []
    for row in rows:
        fact = read(bytes(row["state"]))[1].fact
        assert isinstance(fact, WindowRetracted)
        found.append((row["originator_id"], fact.reason))
    return found


@pytest.mark.parametrize("anew", [False, True], ids=["the same watch", "one that starts after the jump"])
def test_a_lapse_found_by_a_clock_an_hour_ahead_is_taken_back_and_comes_at_its_time(
    service: Service, clock: ManualClock, index: Index, anew: bool
) -> None:
    began, case_id = clock.now(), Incident(service).case_id
    index.feed()
    clock.move(timedelta(minutes=10))
    watch = watch_of(service)
    with run(watch):
        wait_until(lambda: not due(service), what="the first answers")
        clock.move(HOUR)
        wait_until(lambda: len(lapses(service)) == 1, what="the lapse that is too early")
        if not anew:
            wait_until(lambda: not due(service), what="the answer")
            clock.set(began + timedelta(minutes=11))
            wait_until(lambda: retracted(service), what="the retraction")
    if anew:
        clock.set(began + timedelta(minutes=11))
    with run(watch_of(service) if anew else watch):
        wait_until(lambda: retracted(service), what="the retraction")
        wait_until(lambda: not due(service), what="the answer")
        assert retracted(service) == [(case_id, "not-due-yet")]
        assert len(lapses(service)) == 1
        clock.set(began + HALF_AN_HOUR)
        wait_until(lambda: len(lapses(service)) == 2, what="the lapse at its time")
        wait_until(lambda: not due(service), what="the last answer")
    assert lapses(service) == [(case_id, "repair.arrival", began + HALF_AN_HOUR)] * 2
    assert len(retracted(service)) == 1


def test_a_crew_that_comes_in_time_after_the_clock_was_ahead_clears_the_lapse(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident, began = Incident(service), clock.now()
    index.feed()
    clock.move(HOUR)
    ask_all(watch, connection)
    assert len(lapses(service)) == 1
    clock.set(began + timedelta(minutes=20))
    incident.arrive()
    assert retracted(service) == [(incident.case_id, "met-in-time")]


@pytest.mark.usefixtures("told_by_the_stream_alone")
def test_after_a_clock_was_set_back_an_hour_nothing_is_lost_and_nothing_fires_twice(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    """The log's own time stays ahead then; what is reported meanwhile must not wait for it."""
    before = Incident(service).case_id
    index.feed()
    ask_all(watch, connection)
    due_before = clock.now() + HALF_AN_HOUR
    clock.move(-HOUR)
    after, due_after = Incident(service).case_id, clock.now() + HALF_AN_HOUR
    index.feed()
    assert ask_all(watch, connection) == 1
    clock.set(due_after)
    ask_all(watch, connection)
    assert lapses(service) == [(after, "repair.arrival", due_after)]
    clock.set(due_before)
    ask_all(watch, connection)
    assert lapses(service)[1:] == [(before, "repair.arrival", due_before)]
    assert retracted(service) == []


def test_a_watch_that_sleeps_while_the_clock_jumps_ahead_asks_within_its_look_interval(
    service: Service, clock: ManualClock, index: Index, watch: Watch
) -> None:
    case_id = Incident(service).case_id
    index.feed()
    with run(watch):
        wait_until(lambda: not due(service), what="the first answers")
        clock.move(HOUR)  # nobody is told
        took = wait_until(lambda: lapses(service), what="the lapse")
    assert [lapse[0] for lapse in lapses(service)] == [case_id]
    assert took < watching.LOOK_AT_LEAST_EVERY_S + 5


def test_leases_from_before_the_servers_clock_was_set_back_bind_nobody(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    leased, asked = Incident(service).case_id, Incident(service).case_id
    index.feed()
    ask_all(watch, connection)
    clock.move(HALF_AN_HOUR)
    connection.execute("UPDATE watch.due SET leased_until = clock_timestamp() + interval '1 hour'")
    connection.execute("DELETE FROM watch.due WHERE case_id = %s", [asked])
    connection.execute(
        "INSERT INTO watch.ask_now (case_id, family, asked_for_at)"
        " VALUES (%s, 'repair', clock_timestamp() + interval '1 hour')",
        [asked],
    )
    ask_all(watch, connection)
    assert {case_id for case_id, _, _ in lapses(service)} == {leased, asked}


# ---- questions by the hundred


def test_a_case_that_cannot_be_appended_keeps_no_other_from_its_lapse(
    service: Service,
    clock: ManualClock,
    index: Index,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases = [Incident(service).case_id for _ in range(6)]
    index.feed()
    clock.move(HALF_AN_HOUR)
    append = service.store.log.insert_events

    def refusing(events: Sequence[StoredEvent], **options: Any) -> Any:
        if any(event.originator_id == cases[2] for event in events):
            raise ValueError("not this one")
        return append(events, **options)

    monkeypatch.setattr(service.store.log, "insert_events", refusing)
    watch_of(service).ask_due(connection)
    assert {case_id for case_id, _, _ in lapses(service)} == set(cases) - {cases[2]}
    assert {row["case_id"] for row in due(service)} == {cases[2]}, "it stays due"


def test_a_commit_lost_on_the_wire_is_asked_again_and_fires_nothing_twice(
    service: Service,
    clock: ManualClock,
    index: Index,
    watch: Watch,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case_id = Incident(service).case_id
    index.feed()
    clock.move(HALF_AN_HOUR)
    append = service.store.log.insert_events

    def lost(events: Sequence[StoredEvent], **options: Any) -> Any:
        append(events, **options)
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(service.store.log, "insert_events", lost)
        with pytest.raises(psycopg.OperationalError):
            watch.ask_due(connection)
    monkeypatch.setattr(watching, "LEASE_S", 0.0)
    wait_until(lambda: ask_all(watch, connection), what="the same question again")
    assert [lapse[0] for lapse in lapses(service)] == [case_id]


def test_a_question_under_rules_that_were_replaced_is_judged_anew_and_nothing_lapses_by_them(
    store_settings: Settings, service: Service, clock: ManualClock
) -> None:
    stream = admitted(service)
    other = open_service(store_settings, clock=clock)
    try:
        old = other.rules
        publish(service, OFF_ON_MONDAY)
        # However long ago the other process looked: the append tells it.
        other._writer.rules, other._writer._looked_at = old, math.inf
        clock.set(DUE)
        (answer,) = asker(other)([Question("connection", stream.id)])
    finally:
        other.close()
    assert lapses(service) == []
    assert DUE < answer.next_ask_at["connection.water_on"] <= DUE + timedelta(days=1)


# ---- figures


def test_every_lapse_that_a_watch_finds_is_counted_with_its_lateness(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    for _ in range(3):
        Incident(service)
    index.feed()
    ask_all(watch, connection)
    clock.move(HALF_AN_HOUR + timedelta(milliseconds=20))
    ask_all(watch, connection)
    Incident(service)
    clock.move(HALF_AN_HOUR + timedelta(seconds=40))
    index.feed()
    ask_all(watch, connection)
    watch.sweep(connection)
    found = collect(connection, service.settings).watching
    assert found is not None
    assert {le: count for le, count in found.late if count} == {0.025: 3, 60.0: 1}
    assert math.isclose(found.late_s, 3 * 0.02 + 40, abs_tol=1e-6)
    assert sum(count for _, count in found.late) == len(lapses(service)) == 4
    assert found.late[-1][0] == math.inf
    assert (found.asked, found.missed) == (watch.asked, 0)
    # Of the arrival that ran out last the ladder still goes on; three have come to its end.
    assert found.open_windows == {"repair.arrival": 1, "repair.completion": 4}


# ---- the canary


def test_a_canary_is_sung_each_minute_and_heard_on_its_own_topic_and_nowhere_else(
    settings: Settings, clock: ManualClock
) -> None:
    ensure_topics(settings)
    ensure_canary_topic(settings)
    service = open_service(settings, clock=clock)
    canaries, stop = Canaries(settings), threading.Event()
    thread = threading.Thread(target=canaries.run, args=(stop,), daemon=True)
    thread.start()
    try:
        with connection_of(service) as opened:
            watch = watch_of(service)
            watch.send = canaries.send
            head = collect(opened, settings).head.position
            watch.ask_due(opened)
            assert watch.canary.sent == 0
            for number in (1, 2):
                clock.move(timedelta(seconds=60, milliseconds=250))
                watch.ask_due(opened)
                wait_until(lambda number=number: _canary(opened, settings).heard == number, what="the canary")  # type: ignore[misc]
            require_promised("water.canary.Canary.v1", records_on(settings, settings.canary_topic))
            found = _canary(opened, settings)
            assert (found.sung, found.up) == (2, False)
            assert found.lateness_ms is not None
            assert found.lateness_ms >= 250
            assert found.silent_s < 30
            assert collect(opened, settings).head.position == head
            assert opened.execute("SELECT count(*) AS n FROM watch.due").fetchone() == {"n": 0}
    finally:
        stop.set()
        thread.join(60)
        service.close()


def _canary(connection: psycopg.Connection[Any], settings: Settings) -> CanaryStatus:
    found = collect(connection, settings).watching
    assert found is not None
    return found.canaries[0] if found.canaries else CanaryStatus(0, 0, 0, None, 0.0, up=False)


@pytest.mark.parametrize(
    ("canaries", "silent"),
    [
        pytest.param((), False, id="no watch has ever run here"),
        pytest.param((CanaryStatus(1, 3, 3, 20.0, 50.0, up=True),), False, id="received within the minute"),
        pytest.param((CanaryStatus(1, 9, 3, 20.0, 400.0, up=True),), True, id="it runs and nothing is received"),
        pytest.param((CanaryStatus(1, 3, 3, 20.0, 400.0, up=False),), True, id="no watch runs any more"),
        pytest.param(
            (CanaryStatus(1, 3, 3, 20.0, 400.0, up=False), CanaryStatus(2, 1, 1, 20.0, 5.0, up=True)),
            False,
            id="started anew",
        ),
        pytest.param(
            (CanaryStatus(1, 9, 3, 20.0, 400.0, up=True), CanaryStatus(2, 1, 1, 20.0, 5.0, up=True)),
            True,
            id="one of two",
        ),
    ],
)
def test_silence_of_some_minutes_is_an_alarm(canaries: tuple[CanaryStatus, ...], silent: bool) -> None:
    found = Watching(0, 0, ((math.inf, 0),), 0.0, {}, canaries)
    assert found.is_silent is silent
    assert any("SILENT" in line for line in watch_lines(found)) is silent

"""The window watch through faults: two at once, stopped over due instants, an index that lies, facts that come late."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from app.processes import asker, looker
from infra.clock import ManualClock
from infra.embedded import EmbeddedPostgres
from infra.eventstore.service import Service, open_service
from infra.kafka.cluster import Record
from infra.postgres.migrate import migrate
from infra.settings import Settings
from projections.watch import watch as watching
from projections.watch.watch import Ask, Evaluated, Question, Watch
from tests.api_world import Client, app_of, staff
from tests.commands import Application, Incident
from tests.faults.installation import new_home, wait_until
from tests.faults.watched import HALF_AN_HOUR, Index, ask_all, connection_of, due, lapses, run, watch_of
from tests.published import records

# ---- every kind of case


def test_an_outage_shares_the_topic_of_repairs_and_its_limits_lapse_like_theirs(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident = Incident(service).case_id
    form = {"incident": str(incident), "districts": ["zhenxi"], "affected_users": 300}
    answer = Client(app_of(service)).post("/api/v1/outages/emergency", form, headers=staff("manager"))
    outage, began = UUID(answer.json()["case_id"]), clock.now()
    index.feed()
    for minutes in (60, 60, 60):
        clock.move(timedelta(minutes=minutes))
        ask_all(watch, connection)
        index.feed()
    mine = [(commitment, due_at - began) for case_id, commitment, due_at in lapses(service) if case_id == outage]
    assert mine == [("outage.notice", timedelta(minutes=60)), ("outage.report", timedelta(minutes=120))]
    assert [watch.sweep(connection, whole=True) for _ in range(2)] == [0, 0]
    assert ask_all(watch, connection) == 0


# ---- two at once


def test_two_watches_share_the_work_and_fire_every_lapse_once(
    store_settings: Settings, service: Service, clock: ManualClock, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "AT_MOST", 5)
    arrivals = {Incident(service).case_id for _ in range(30)}
    index.feed()
    clock.move(HALF_AN_HOUR)
    with ExitStack() as both:
        other = open_service(store_settings, clock=clock)
        both.callback(other.close)
        # Neither asks for the first time before the other has taken its share too.
        meeting = threading.Barrier(2, timeout=60)
        watches = [watch_of(each, after(meeting.wait, asker(each))) for each in (service, other)]
        for each in watches:
            both.enter_context(run(each))
        wait_until(lambda: len(lapses(service)) >= 30, what="the lapses")
        wait_until(lambda: not due(service), what="the last answers")
    assert sorted(case_id for case_id, _, _ in lapses(service)) == sorted(arrivals)
    assert all(each.asked >= 5 for each in watches)


def test_two_watches_that_ask_about_the_same_case_at_the_same_time_fire_one_lapse(
    store_settings: Settings, service: Service, clock: ManualClock, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that runs out while its holder asks: nothing but the store keeps the second lapse out."""
    monkeypatch.setattr(watching, "LEASE_S", 0.0)
    cases = {Incident(service).case_id for _ in range(20)}
    index.feed()
    clock.move(HALF_AN_HOUR)
    other = open_service(store_settings, clock=clock)
    meeting = threading.Barrier(2, timeout=60)
    taken: list[set[UUID]] = []

    def asks(by: Service) -> None:
        def noted(questions: Sequence[Question]) -> Sequence[Evaluated]:
            taken.append({question.case_id for question in questions})
            meeting.wait()
            return asker(by)(questions)

        with connection_of(by) as opened:
            watch_of(by, noted).ask_due(opened)

    try:
        threads = [threading.Thread(target=asks, args=(each,)) for each in (service, other)]
        for number, thread in enumerate(threads, start=1):
            thread.start()
            wait_until(lambda number=number: len(taken) == number, what="the taking")  # type: ignore[misc]
        for thread in threads:
            thread.join(60)
    finally:
        other.close()
    assert taken == [cases, cases]
    assert sorted(case_id for case_id, _, _ in lapses(service)) == sorted(cases)


def after(wait: Callable[[], object], ask: Ask) -> Ask:
    """Ask, but the first time only after waiting."""
    waited = threading.Event()

    def asked(questions: Sequence[Question]) -> Sequence[Evaluated]:
        if not waited.is_set():
            waited.set()
            wait()
        return ask(questions)

    return asked


# ---- stopped


def test_a_watch_that_was_stopped_over_due_instants_catches_up_in_due_order(
    service: Service,
    clock: ManualClock,
    index: Index,
    watch: Watch,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "AT_MOST", 4)
    for _ in range(24):
        Incident(service)
        clock.move(timedelta(seconds=20))
    # Read in another order than they fall due: as the rows of several partitions come.
    index.feed()
    clock.move(timedelta(minutes=29) - timedelta(seconds=480))
    ask_all(watch, connection)
    shuffle_rows(connection)
    assert lapses(service) == []

    clock.move(timedelta(hours=3))
    begun: list[datetime] = []
    order = next_asks(connection)

    def noted(questions: Sequence[Question]) -> Sequence[Evaluated]:
        begun.extend(order[question.case_id] for question in questions if question.case_id in order)
        return asker(service)(questions)

    ask_all(watch_of(service, noted), connection)
    arrivals = [lapse for lapse in lapses(service) if lapse[1] == "repair.arrival"]
    assert len(arrivals) == len({case_id for case_id, _, _ in arrivals}) == 24
    assert [due_at for _, _, due_at in arrivals] == sorted(due_at for _, _, due_at in arrivals)
    assert begun[:24] == sorted(begun[:24])


def shuffle_rows(connection: psycopg.Connection[Any]) -> None:
    """Move rows about in the table, so that only an ORDER BY brings them in order."""
    for remainder in (1, 0, 2):
        connection.execute(
            "UPDATE watch.due SET leased_until = leased_until WHERE abs(hashtext(case_id::text)) %% 3 = %s", [remainder]
        )
    connection.execute("DROP INDEX watch.due_next")


def next_asks(connection: psycopg.Connection[Any]) -> dict[UUID, datetime]:
    rows = connection.execute("SELECT case_id, min(next_ask_at) AS at FROM watch.due GROUP BY 1").fetchall()
    return {row["case_id"]: row["at"] for row in rows}


def test_lateness_after_a_stop_is_recorded_with_the_lapse(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    Incident(service)
    index.feed()
    clock.move(timedelta(hours=2))
    ask_all(watch, connection)
    (row,) = connection.execute(
        "SELECT convert_from(state, 'UTF8')::jsonb AS event FROM store.stored_events WHERE topic LIKE '%%Lapsed%%'"
    ).fetchall()
    late = datetime.fromisoformat(row["event"]["recordedat"]) - datetime.fromisoformat(row["event"]["data"]["due_at"])
    assert late == timedelta(minutes=90)


# ---- an index that lies


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param("DELETE FROM watch.due", id="row deleted"),
        pytest.param("UPDATE watch.due SET next_ask_at = NULL", id="never to be asked"),
        pytest.param("UPDATE watch.due SET next_ask_at = next_ask_at + interval '1 hour'", id="asked too late"),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_the_sweeper_finds_what_the_index_does_not_have(
    service: Service,
    clock: ManualClock,
    index: Index,
    watch: Watch,
    connection: psycopg.Connection[Any],
    lie: str,
    whole: bool,
) -> None:
    incident, application = Incident(service), Application(service)
    index.feed()
    ask_all(watch, connection)
    watch.sweep(connection, whole=whole)  # what it sees now has had its time to come through at the next
    connection.execute(lie.encode())
    clock.move(HALF_AN_HOUR)
    assert ask_all(watch, connection) == 0
    assert lapses(service) == []

    assert watch.sweep(connection, whole=whole) == 2
    assert watch.missed == 2
    ask_all(watch, connection)
    assert [(case_id, commitment) for case_id, commitment, _ in lapses(service)] == [
        (incident.case_id, "repair.arrival")
    ]
    assert watch.sweep(connection, whole=True) == 0
    clock.move(timedelta(days=14))
    ask_all(watch, connection)
    assert application.stream.id in {case_id for case_id, _, _ in lapses(service)}


def test_the_sweeper_says_nothing_of_an_index_that_is_right(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident, _ = Incident(service), Application(service)
    incident.dispatch()
    index.feed()
    for minutes in (0, 3, 10, 200):
        clock.move(timedelta(minutes=minutes))
        ask_all(watch, connection)
        assert watch.sweep(connection, whole=True) == 0
    assert watch.missed == 0


def test_a_question_that_nobody_could_answer_is_not_forgotten(
    service: Service, clock: ManualClock, index: Index, connection: psycopg.Connection[Any], watch: Watch
) -> None:
    """The watch dies between taking the sweeper's question and its answer."""
    incident = Incident(service)
    index.feed()
    ask_all(watch, connection)
    watch.sweep(connection, whole=True)
    connection.execute("DELETE FROM watch.due")
    clock.move(HALF_AN_HOUR)
    assert watch.sweep(connection, whole=True) == 1

    assert watch_of(service, lambda questions: []).ask_due(connection) == 1
    assert lapses(service) == []

    wait_until(lambda: ask_all(watch, connection), what="the same question again")
    assert [case_id for case_id, _, _ in lapses(service)] == [incident.case_id]


@pytest.mark.usefixtures("told_by_the_stream_alone")
def test_a_record_that_nobody_can_read_makes_the_watch_ask_about_its_case(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    """The records that opened the windows come broken: the case is asked about nevertheless, and the lapse fires."""
    incident = Incident(service)
    published = [record for record in records(service.settings) if record.topic in index.topics]
    index.until_stored([broken(record) for record in published], stopping=lambda: False)
    assert connection.execute("SELECT count(*) AS n FROM watch.due").fetchone() == {"n": 0}
    assert connection.execute("SELECT DISTINCT code FROM store.dead_letters").fetchall() == [{"code": "not-in-store"}]
    assert ask_all(watch, connection) == 1
    clock.move(HALF_AN_HOUR)
    ask_all(watch, connection)
    assert [case_id for case_id, _, _ in lapses(service)] == [incident.case_id]


def broken(record: Record) -> Record:
    """The record with a time that is none; still a link of its partition's chain."""
    assert record.value is not None
    event = json.loads(record.value) | {"time": "yesterday"}
    return msgspec.structs.replace(record, value=json.dumps(event).encode())


# ---- facts that come late


def test_a_lapse_that_a_late_fact_has_made_untrue_is_never_fired(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    forgot, late = Incident(service), Incident(service)
    index.feed()
    began = clock.now()
    clock.move(timedelta(minutes=45))
    forgot.arrive(at=began + timedelta(minutes=20))
    assert ask_all(watch, connection) == 1
    assert lapses(service) == [(late.case_id, "repair.arrival", began + HALF_AN_HOUR)]


def test_a_late_fact_between_the_look_at_the_index_and_the_question_is_seen(
    service: Service, clock: ManualClock, index: Index, connection: psycopg.Connection[Any]
) -> None:
    incident = Incident(service)
    index.feed()
    began = clock.now()
    clock.move(timedelta(minutes=45))
    told = after(lambda: incident.arrive(at=began + timedelta(minutes=20)), asker(service))
    assert watch_of(service, told).ask_due(connection) == 1
    assert lapses(service) == []


def test_a_late_fact_between_the_question_and_the_append_takes_the_lapse_back_before_it_is_written(
    store_settings: Settings,
    service: Service,
    clock: ManualClock,
    index: Index,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The watch's process has decided that the limit ran out; another process is faster with the arrival."""
    incident = Incident(service)
    index.feed()
    began = clock.now()
    clock.move(timedelta(minutes=45))
    watcher = open_service(store_settings, clock=clock)
    append = watcher.store.log.insert_events
    decided: list[str] = []

    def late(events: Sequence[StoredEvent], **options: Any) -> Any:
        if not decided:
            decided.extend(event.topic for event in events)
            incident.arrive(at=began + timedelta(minutes=20))
        return append(events, **options)

    monkeypatch.setattr(watcher.store.log, "insert_events", late)
    try:
        assert watch_of(watcher).ask_due(connection) == 1
    finally:
        watcher.close()
    assert "water.repair.WindowLapsed.v1" in decided
    assert lapses(service) == []


def test_a_fact_that_ends_a_limit_ends_the_asking(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident = Incident(service)
    clock.move(timedelta(minutes=10))
    incident.arrive()
    incident.assess("small")
    incident.complete()
    incident.answer()
    index.feed()
    assert connection.execute("SELECT count(next_ask_at) AS n FROM watch.due").fetchone() == {"n": 0}
    clock.move(timedelta(days=9))
    assert ask_all(watch, connection) == 0


# ---- PostgreSQL


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that a test may kill."""
    with new_home() as home:
        server = EmbeddedPostgres(home / "data" / "postgres")
        with server:
            migrate(server.conninfo())
            yield server


def test_postgresql_killed_while_limits_run_out_costs_no_lapse_and_doubles_none(
    server: EmbeddedPostgres, store_settings: Settings, clock: ManualClock
) -> None:
    service = open_service(store_settings.model_copy(update={"database_url": server.conninfo()}), clock=clock)
    index = Index(service.settings)
    try:
        cases = [Incident(service).case_id for _ in range(20)]
        index.feed()
        watch = watch_of(service)
        with run(watch):
            wait_until(lambda: not due(service), what="the first answers")
            for minutes, number in ((30, 20), (210, 40)):
                server.kill()
                clock.move(timedelta(minutes=minutes))  # all of them run out while there is no store
                server.start()
                wait_until(lambda number=number: len(lapses(service)) >= number, what="the lapses")  # type: ignore[misc]
                wait_until(lambda: not due(service), what="the answers")
    finally:
        index.close()
        service.close()
    wanted = [(case, commitment) for case in cases for commitment in ("repair.arrival", "repair.completion")]
    found = _lapses_of(server.conninfo())
    assert sorted(found) == sorted(wanted)


def _lapses_of(address: str) -> list[tuple[UUID, str]]:
    with psycopg.connect(address) as connection:
        return connection.execute(
            "SELECT originator_id, convert_from(state, 'UTF8')::jsonb->'data'->>'commitment'"
            " FROM store.stored_events WHERE topic LIKE '%Lapsed%'"
        ).fetchall()


def test_a_sweep_without_postgresql_does_not_end_the_watch(
    server: EmbeddedPostgres, store_settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SWEEP_EVERY_S", 0.0)
    service = open_service(store_settings.model_copy(update={"database_url": server.conninfo()}), clock=clock)
    index = Index(service.settings)
    try:
        incident = Incident(service)
        index.feed()
        looked = threading.Event()
        watch = watch_of(service)
        watch.look = _interrupted(looked, server, looker(service))
        with run(watch):
            wait_until(looked.is_set, what="a sweep")
            server.start()
            clock.move(HALF_AN_HOUR)
            wait_until(lambda: bool(lapses(service)), what="the lapse")
        assert [case_id for case_id, _, _ in lapses(service)] == [incident.case_id]
    finally:
        index.close()
        service.close()


def _interrupted(looked: threading.Event, server: EmbeddedPostgres, look: Ask) -> Ask:
    """Look, but the first time with PostgreSQL killed in that moment."""

    def looking(questions: Sequence[Question]) -> Sequence[Evaluated]:
        if not looked.is_set():
            server.kill()
            try:
                return look(questions)
            finally:
                looked.set()
        return look(questions)

    return looking

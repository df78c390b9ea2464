"""The store on real PostgreSQL: gapless positions, sealed bytes, keys, conflicts, group commit."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests import persistence as library
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from domain import kinds
from domain.kernel.facts import EventToAppend, event_id
from domain.kernel.refusals import Refusal
from domain.kernel.subjects import Subject
from domain.repairs import dispatch as repair_dispatch
from domain.repairs import reports, severity
from domain.standard.context import CommandContext, Person
from infra.clock import ManualClock
from infra.eventstore.commands import (
    Command,
    IdempotencyKey,
    KeyReusedError,
    NewLink,
    NewSubject,
    Receipt,
    Snapshot,
    Stamp,
    Stream,
    StreamEvent,
    UnreadableStreamError,
)
from infra.eventstore.envelope import CloudEventMapper, seal
from infra.eventstore.key_purge import purge_keys, purging_keys
from infra.eventstore.recorder import AlreadyAppended, LogHeadRecorder
from infra.eventstore.service import Service, open_service
from infra.settings import Settings
from tests.api_world import wait_for

SUBJECT = Subject(UUID(int=7), 1)


def stamp(command_id: str | None = None) -> Stamp:
    return Stamp("tester", "hotline", "hotline", command_id or str(uuid4()), "test")


def case() -> Stream:
    return Stream(kinds.REPAIR, uuid4())


def report(stream: Stream, **options: Any) -> Command:
    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = CommandContext(snapshot.at, snapshot.at, "hotline", snapshot.rules)
        fact = reports.report_fault(
            snapshot.of(stream), ctx, case_number="BX-1", kind="leak", district_code="qianzhou", subject=SUBJECT
        )
        return [(stream, EventToAppend(fact, snapshot.at))]

    return Command(stream, options.pop("stamp", stamp()), decide, **options)


def dispatch(stream: Stream, crew: str, **options: Any) -> Command:
    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = CommandContext(snapshot.at, snapshot.at, "office", snapshot.rules, Person("dispatcher-1", "dispatcher"))
        return [
            (stream, EventToAppend(repair_dispatch.dispatch(snapshot.existing(stream), ctx, crew=crew), snapshot.at))
        ]

    return Command(stream, stamp(), decide, **options)


def positions(service: Service) -> list[int]:
    with service.connection() as connection:
        rows = connection.execute("SELECT notification_id FROM store.stored_events ORDER BY notification_id")
        return [row["notification_id"] for row in rows]


def test_a_command_is_stored_with_its_windows_and_sealed_with_position_and_time(service: Service) -> None:
    stream = case()
    receipt = service.run(report(stream))
    state, events = service.load(stream)
    assert [event["type"] for event in events] == [
        "water.repair.FaultReported.v1",
        "water.repair.WindowOpened.v1",
        "water.repair.WindowOpened.v1",
    ]
    assert (receipt.first_version, receipt.last_version) == (1, 3)
    assert [event["position"] for event in events] == [receipt.position - 2, receipt.position - 1, receipt.position]
    assert [event["id"] for event in events] == [str(event_id(stream.id, version)) for version in (1, 2, 3)]
    assert all(event["recordedat"] == "2026-09-16T01:00:00Z" for event in events)
    assert state.ledger["repair.arrival"].due_at == service.clock.now() + timedelta(minutes=30)
    assert receipt.next_ask_at["repair.arrival"] == service.clock.now() + timedelta(minutes=5)


def test_an_event_is_encoded_once_and_stored_as_it_was_encoded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[StoredEvent] = []
    encode = CloudEventMapper.to_stored_event

    def noting(mapper: CloudEventMapper, envelope: Any) -> StoredEvent:
        encoded.append(encode(mapper, envelope))
        return encoded[-1]

    monkeypatch.setattr(CloudEventMapper, "to_stored_event", noting)
    stream = case()
    receipt = service.run(report(stream))
    assert [(event.originator_id, event.originator_version) for event in encoded] == [
        (stream.id, version) for version in (1, 2, 3)
    ]
    assert receipt.recorded_at is not None
    assert [text for _, text in service.store.log.select_many([stream.id])] == [
        seal(bytes(event.state), position, receipt.recorded_at)
        for position, event in enumerate(encoded, start=receipt.position - 2)
    ]


def test_positions_are_gapless_and_time_never_falls(service: Service, clock: ManualClock) -> None:
    service.run(report(case()))
    clock.move(timedelta(minutes=-3))
    stream = case()
    receipt = service.run(report(stream))
    numbers = positions(service)
    assert numbers == list(range(1, len(numbers) + 1))
    assert receipt.recorded_at == datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
    assert service.store.log.clock_behind_seconds == 180


def test_a_refused_command_writes_nothing_not_even_its_subject(service: Service) -> None:
    before = positions(service)
    subject = NewSubject(uuid4(), 1, {"name": "somebody"})
    with pytest.raises(Refusal, match="no-such-case"):
        service.run(dispatch(case(), "crew-1", subject=subject))
    assert positions(service) == before
    with service.connection() as connection:
        assert connection.execute("SELECT count(*) AS n FROM vault.subjects").fetchone() == {"n": 0}


def test_the_first_link_of_a_case_is_kept_with_the_case_or_not_at_all(service: Service) -> None:
    refused, opened = case(), case()
    with pytest.raises(Refusal, match="no-such-case"):
        service.run(dispatch(refused, "crew-1", link=NewLink(b"r" * 32, refused.id, 1)))
    service.run(report(opened, link=NewLink(b"o" * 32, opened.id, 1)))
    with service.connection() as connection:
        rows = connection.execute("SELECT case_id, report, generation FROM identity.follow_links").fetchall()
    assert rows == [{"case_id": opened.id, "report": 1, "generation": 1}]


def test_the_same_key_gives_the_same_answer_and_writes_once(service: Service) -> None:
    stream, key = case(), IdempotencyKey("tester", "k-1", b"digest")
    first = service.run(report(stream, key=key))
    before = positions(service)
    again = service.run(report(stream, key=key))
    assert again.replayed
    assert (again.case_id, again.last_version, again.position, again.recorded_at) == (
        first.case_id,
        first.last_version,
        first.position,
        first.recorded_at,
    )
    assert positions(service) == before


def test_a_key_used_with_another_body_is_refused(service: Service) -> None:
    service.run(report(case(), key=IdempotencyKey("tester", "k-1", b"one body")))
    with pytest.raises(KeyReusedError):
        service.run(report(case(), key=IdempotencyKey("tester", "k-1", b"another body")))


def test_one_key_sent_at_once_by_many_writes_once(service: Service) -> None:
    stream, key = case(), IdempotencyKey("tester", "k-1", b"digest")
    receipts = [future.result(10) for future in [service.submit(report(stream, key=key)) for _ in range(20)]]
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert len({receipt.position for receipt in receipts}) == 1


def test_a_key_is_forgotten_when_its_term_is_over_and_no_sooner(service: Service, clock: ManualClock) -> None:
    old, newer, mine = [IdempotencyKey("tester", f"k-{number}", b"digest") for number in range(3)]
    service.run(report(case(), key=old))
    clock.move(timedelta(days=1))
    kept = service.run(report(case(), key=newer))
    clock.move(timedelta(days=service.settings.idempotency_days - 0.5))
    service.run(report(case(), key=mine))
    assert purge_keys(service, rows_at_once=1) == 1
    assert set(service.store.log.select_keys([old, newer, mine])) == {("tester", "k-1"), ("tester", "k-2")}
    assert service.run(report(case(), key=newer)).case_id == kept.case_id
    assert purge_keys(service) == 0


def test_keys_are_purged_while_the_api_runs(service: Service, clock: ManualClock) -> None:
    key = IdempotencyKey("tester", "k-1", b"digest")
    service.run(report(case(), key=key))
    with purging_keys(service, every_s=0.01):
        clock.move(timedelta(days=service.settings.idempotency_days, seconds=1))
        wait_for(lambda: not service.store.log.select_keys([key]), what="the key's end")


def test_a_commit_that_stuck_though_its_answer_was_lost_is_found_by_the_command_id(service: Service) -> None:
    stream, same = case(), stamp("command-77")
    first = service.run(report(stream, stamp=same))
    again = service.run(report(stream, stamp=same))
    assert again.replayed
    assert again.position == first.position


def test_two_writers_on_one_case_decide_again_instead_of_losing_one(
    store_settings: Settings, service: Service, clock: ManualClock
) -> None:
    stream = case()
    service.run(report(stream))
    other = open_service(store_settings, clock=clock)
    try:
        futures: list[Future[Receipt]] = []
        for number in range(40):
            futures.append((service, other)[number % 2].submit(dispatch(stream, f"crew-{number}")))
        receipts = [future.result(30) for future in futures]
    finally:
        other.close()
    versions = sorted(receipt.last_version for receipt in receipts)
    assert versions == list(range(4, 44))
    numbers = positions(service)
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_batch_is_larger_than_one_command(service: Service) -> None:
    """Sixty commands waiting together need far fewer transactions: they share recording times."""
    receipts = [future.result(10) for future in [service.submit(report(case())) for _ in range(60)]]
    with service.connection() as connection:
        row = connection.execute("SELECT count(DISTINCT xmin::text) AS n FROM store.command_keys").fetchone()
    assert row is not None
    assert row["n"] < len(receipts) / 2


def test_commands_that_only_look_at_a_stream_are_appended_together(service: Service) -> None:
    looked_at = case()
    service.run(report(looked_at))
    seen = []

    def look(snapshot: Snapshot) -> Sequence[StreamEvent]:
        seen.append((snapshot.of(looked_at).number, looked_at.id in snapshot.versions))
        return []

    batch = [report(each, reads=(looked_at,)) for each in (case() for _ in range(40))]
    futures = [service.submit(each) for each in batch]
    service.run(Command(case(), stamp(), look, reads=(looked_at,)))
    assert [future.result(10).last_version for future in futures] == [3] * 40
    with service.connection() as connection:
        row = connection.execute("SELECT count(DISTINCT xmin::text) AS n FROM store.command_keys").fetchone()
    assert row is not None
    assert row["n"] < 20
    assert service.store.log.last_version(looked_at.id) == 3, "whoever looks appends nothing"
    assert len(seen) == 1
    assert not seen[0][1], "nothing is saved by its version"


def test_an_event_over_64_kib_is_refused_as_input(service: Service) -> None:
    stream = case()
    service.run(report(stream))

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = CommandContext(snapshot.at, snapshot.at, "hotline", snapshot.rules, Person("crew-1", "crew"))
        fact = severity.assess(snapshot.existing(stream), ctx, severity="small", reason="x" * 70_000)
        return [(stream, EventToAppend(fact, snapshot.at))]

    with pytest.raises(Refusal, match="event-too-large"):
        service.run(Command(stream, stamp(), decide))


def test_a_stream_that_cannot_be_read_fails_its_own_commands_only(service: Service) -> None:
    broken = case()
    service.store.log.insert_events([StoredEvent(broken.id, 1, "water.repair.FromTomorrow.v9", b'{"no": "event"}')])
    futures = [service.submit(dispatch(broken, "crew-1")), *(service.submit(report(case())) for _ in range(20))]
    with pytest.raises(UnreadableStreamError):
        futures[0].result(10)
    assert all(future.result(10).last_version == 3 for future in futures[1:])


def test_five_hundred_large_events_do_not_hang(service: Service) -> None:
    """The library's own append hangs for ever on this, holding the lock."""
    stream = uuid4()
    text = json.dumps({"text": "x" * 480}).encode()
    events = [StoredEvent(stream, version, "water.repair.Rubbish.v1", text) for version in range(1, 501)]
    done = threading.Event()

    def append() -> None:
        service.store.log.insert_events(events)
        done.set()

    threading.Thread(target=append, daemon=True).start()
    assert done.wait(10)


def test_a_taken_version_is_told_and_nothing_is_written(service: Service) -> None:
    stream = case()
    service.run(report(stream))
    before = positions(service)
    fresh = StoredEvent(uuid4(), 1, "water.repair.Rubbish.v1", b"{}")
    taken = StoredEvent(stream.id, 1, "water.repair.Rubbish.v1", b"{}")
    with pytest.raises(AlreadyAppended) as caught:
        service.store.log.insert_events([fresh, taken])
    assert caught.value.versions == {(stream.id, 1)}
    assert positions(service) == before


def test_the_first_start_publishes_standards_calendar_fees_and_law_once(
    store_settings: Settings, service: Service, clock: ManualClock
) -> None:
    open_service(store_settings, clock=clock).close()
    with service.connection() as connection:
        rows = connection.execute("SELECT topic FROM store.stored_events").fetchall()
    assert sorted(row["topic"] for row in rows) == [
        "water.public.CalendarPublished.v1",
        "water.public.CataloguePublished.v1",
        "water.public.LawPublished.v1",
        "water.public.StandardPublished.v1",
        "water.public.StandardPublished.v1",
    ]


class _Unsealed(LogHeadRecorder):
    """The recorder as the library's own tests need it: they store bytes that are not JSON."""

    def seal(self, state: bytes, position: int, recorded_at: datetime) -> bytes:
        return state


class _OnRealPostgres:
    database: str

    def create_recorder(self) -> ApplicationRecorder:
        parts = conninfo_to_dict(self.database)
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("TRUNCATE store.stored_events")
            connection.execute("UPDATE store.log_head SET position = 0")
        self.datastore = PostgresDatastore(
            str(parts["dbname"]), str(parts["host"]), str(parts.get("port", 5432)), str(parts["user"]), "",
            schema="store", pool_size=2, max_overflow=10, max_waiting=200,
        )  # fmt: skip
        return _Unsealed(self.datastore)

    def tearDown(self) -> None:
        self.datastore.close()

    @pytest.fixture(autouse=True)
    def _on(self, database: str) -> None:
        self.database = database


class TestTheLibrarysRecorderCases(_OnRealPostgres, library.ApplicationRecorderTestCase[Any]):
    """The event-sourcing library's own tests of a recorder, run against ours."""


class TestTheLibrarysInterleavingCase(_OnRealPostgres, library.NonInterleavingNotificationIDsBaseCase):
    """Positions of concurrent appends do not interleave."""

    insert_num = 500


def opening(service: Service, prefix: str = "BX", *, kind: str = "leak", key: IdempotencyKey | None = None) -> Command:
    """A report that opens a case under a number of the store's."""
    stream, number = case(), service.next_number(prefix)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = CommandContext(snapshot.at, snapshot.at, "hotline", snapshot.rules)
        fact = reports.report_fault(
            snapshot.of(stream), ctx, case_number=number, kind=kind, district_code="qianzhou", subject=SUBJECT
        )
        return [(stream, EventToAppend(fact, snapshot.at))]

    return Command(stream, stamp(), decide, key=key)


def number_of(service: Service, receipt: Receipt) -> str:
    state, events = service.load(Stream(kinds.REPAIR, receipt.case_id))
    assert events[0]["data"]["case_number"] == state.number
    return str(state.number)


def test_a_command_that_is_refused_tried_out_or_repeated_takes_no_case_number(service: Service) -> None:
    first = service.run(opening(service))
    start = int(number_of(service, first).removeprefix("BX-2026-"))
    assert first.number == f"2026-{start:06d}"
    with pytest.raises(Refusal):
        service.run(opening(service, kind="flying"))
    service.try_out(opening(service))
    key = IdempotencyKey("tester", "opening", b"digest")
    once = service.run(opening(service, key=key))
    again = service.run(opening(service, key=key))
    assert (again.case_id, again.replayed, again.number) == (once.case_id, True, None)
    last = service.run(opening(service))
    assert [number_of(service, each) for each in (once, last)] == [f"BX-2026-{start + n:06d}" for n in (1, 2)]


def test_commands_that_wait_together_get_numbers_without_gap_or_twin(service: Service) -> None:
    kinds_asked = ["leak", "flying"] * 20
    futures = [service.submit(opening(service, kind=kind)) for kind in kinds_asked]
    taken = [future.result() for future, kind in zip(futures, kinds_asked, strict=True) if kind == "leak"]
    refused = [future.exception() for future, kind in zip(futures, kinds_asked, strict=True) if kind == "flying"]
    assert all(isinstance(each, Refusal) for each in refused)
    counts = sorted(int(number_of(service, each).removeprefix("BX-2026-")) for each in taken)
    assert counts == list(range(counts[0], counts[0] + 20))


def test_postgresql_is_asked_about_a_connection_only_where_it_ended_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    check = ConnectionPool.check_connection

    def noting(connection: psycopg.Connection[Any]) -> None:
        asked.append(connection.info.backend_pid)
        check(connection)

    monkeypatch.setattr(ConnectionPool, "check_connection", noting)
    pids = []
    for _ in range(3):
        with service.connection() as connection:
            pids.append(connection.info.backend_pid)
    assert (asked, len(set(pids))) == ([], 1)
    with psycopg.connect(service.settings.database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pids[0]])
    with service.connection() as connection:
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}
        assert connection.info.backend_pid != pids[0]
    assert asked == [pids[0]]

"""What the tests of relay and readers share: events in a store, running parts, what Kafka has, and faults."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec
import psycopg
import pytest
from kafka import KafkaProducer
from psycopg import Cursor

from infra.embedded import EmbeddedKafka
from infra.kafka.cluster import (
    Partition,
    Record,
    client_config,
    consumer,
    logs,
    look_up_cluster,
    read_ranges,
    route,
    topics,
)
from infra.readers.loop import run_reader
from infra.readers.record import Event
from infra.readers.rule import Applied, apply
from infra.relay.relay import Relay
from infra.settings import RelayProducer, Settings

CASES = [UUID(int=number * 7_919) for number in range(1, 13)]
NAMES = (
    "water.repair.FaultReported.v1",
    "water.repair.WindowLapsed.v1",
    "water.connection.WaterTurnedOn.v1",
    "water.usage.MeterPutIntoService.v1",
)

# Short times, so that a test of a fault takes seconds.
QUICK: dict[str, Any] = {
    "relay_delivery_timeout_ms": 3_000,
    "relay_request_timeout_ms": 1_500,
    "relay_poll_ms": 100,
    "relay_checkpoint_ms": 100,
    "relay_look_ms": 500,
    "hold_alarm_s": 2,
}


def wait_until(condition: Callable[[], bool], timeout_s: float = 90, *, what: str = "the condition") -> None:
    """Wait for something true; the longer it takes, the less often it is asked."""
    deadline = time.monotonic() + timeout_s
    tick, pause_s = threading.Event(), 0.02
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {timeout_s} s"
        tick.wait(pause_s)
        pause_s = min(0.25, pause_s * 1.3)


# ---- the store


def store_events(settings: Settings, number: int, *, cases: Sequence[UUID] = CASES, note: str = "") -> int:
    """Append events as the recorder does, round robin over cases and types. Returns the last position."""
    with psycopg.connect(settings.database_url) as connection:
        row = connection.execute("SELECT position FROM store.log_head FOR UPDATE").fetchone()
        assert row is not None
        first = int(row[0]) + 1
        rows = [stored_event(position, cases[position % len(cases)], note) for position in range(first, first + number)]
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO store.stored_events VALUES (%s, %s, %s, %s, %s)", rows)
        connection.execute("UPDATE store.log_head SET position = %s, recorded_at = now()", [first + number - 1])
        connection.execute("SELECT pg_notify('tongshui_log', %s)", [str(first + number - 1)])
    return first + number - 1


def stored_event(position: int, case: UUID, note: str) -> tuple[UUID, int, str, bytes, int]:
    """A row of the store."""
    name = NAMES[position % len(NAMES)]
    event = {
        "specversion": "1.0",
        "id": str(uuid5(case, str(position))),
        "source": "/tongshui",
        "type": name,
        "subject": str(case),
        "time": "2026-02-13T01:02:03.123456Z",
        "datacontenttype": "application/json",
        "caseversion": position,
        "actor": "test",
        "role": "test",
        "channel": "test",
        "commandid": "c",
        "correlationid": "k",
        "data": {"note": note},
        "position": position,
        "recordedat": "2026-02-13T01:02:03.500000Z",
    }
    return case, position, name, msgspec.json.encode(event), position


def stored(settings: Settings) -> list[tuple[int, UUID, str, bytes]]:
    """(position, case, type, bytes), in order."""
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute(
            "SELECT notification_id, originator_id, topic, state FROM store.stored_events ORDER BY notification_id"
        )
        return [(row[0], row[1], row[2], bytes(row[3])) for row in rows]


def expected(settings: Settings) -> dict[Partition, list[tuple[int, bytes]]]:
    """What each partition must have, by the store alone."""
    found: dict[Partition, list[tuple[int, bytes]]] = {}
    for position, case, name, state in stored(settings):
        for partition in route(name, case, settings.partitions, settings.topic_prefix):
            found.setdefault(partition, []).append((position, state))
    return found


def relay_state(settings: Settings) -> dict[str, Any]:
    """The row of the newest epoch; empty before the first session."""
    with psycopg.connect(settings.database_url, row_factory=psycopg.rows.dict_row) as connection:
        row = connection.execute("SELECT * FROM store.relay_state ORDER BY epoch DESC LIMIT 1").fetchone()
        return row or {}


def all_out(settings: Settings, position: int) -> Callable[[], bool]:
    return lambda: bool(relay_state(settings).get("all_out", -1) >= position)


# ---- Kafka


def on_kafka(settings: Settings) -> dict[Partition, list[Record]]:
    """Everything that is in the topics now."""
    cluster = look_up_cluster(settings, topics(settings))
    found: dict[Partition, list[Record]] = {partition: [] for partition in cluster.partitions}
    with consumer(settings, client_id="test", reset="none") as client:
        where = logs(client, cluster, cluster.partitions)
        for partition, records in read_ranges(client, {p: (its.first, its.end) for p, its in where.items()}):
            found[partition].extend(records)
    return found


def read_anew(settings: Settings) -> dict[Partition, list[tuple[int, bytes]]]:
    """What a reader who comes now makes of the topics, by the reader's rule."""
    records = [record for _, chunk in sorted(on_kafka(settings).items()) for record in chunk]
    found: dict[Partition, list[tuple[int, bytes]]] = {}
    for event in apply(records, {}).events:
        found.setdefault(Partition(event.topic, event.partition), []).append((event.position, event.raw))
    return found


def send_raw(settings: Settings, records: Mapping[Partition, Sequence[bytes]]) -> None:
    """Write to topics as somebody who has no business there."""
    producer = KafkaProducer(**client_config(settings), acks="all")
    futures = [
        producer.send(partition.topic, value, b"who?", partition=partition.partition)
        for partition, values in records.items()
        for value in values
    ]
    for future in futures:
        future.get(timeout=20)
    producer.close(timeout=5)


def cut_tail(broker: EmbeddedKafka, partition: Partition, keep: int) -> None:
    """Cut the log of a stopped broker so that at most ``keep`` records are left; whole batches go."""
    segment = broker.data / f"{partition.topic}-{partition.partition}" / f"{0:020d}.log"
    assert segment.exists(), segment
    segment.write_bytes(segment.read_bytes()[: _end_of_batches(segment, keep)])


def _end_of_batches(segment: Path, keep: int) -> int:
    data, end = segment.read_bytes(), 0
    while end < len(data):
        base, length = struct.unpack_from(">qi", data, end)
        (last_delta,) = struct.unpack_from(">i", data, end + 23)
        if base + last_delta >= keep:
            break
        end += 12 + length
    return end


# ---- running parts

PRODUCERS: tuple[RelayProducer, ...] = ("kafka-python", "confluent-kafka")


def over_producers(metafunc: pytest.Metafunc, *, quick: Collection[str] = ()) -> None:
    """Run each test of a relay, that is, each that has ``relay_producer`` among its fixtures, with both producers.

    In `make test` kafka-python goes through all of them, and confluent-kafka through those named in ``quick``.
    """
    if "relay_producer" in metafunc.fixturenames:
        late = () if metafunc.function.__name__ in quick else (pytest.mark.slow,)
        chosen = [pytest.param(name, marks=() if name == PRODUCERS[0] else late) for name in PRODUCERS]
        metafunc.parametrize("relay_producer", chosen)


class Running:
    """A part on a thread of its own; what it raised is kept."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self.stop_event = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self.stop_event)
        except BaseException as error:  # handed over to the test's own thread
            self.error = error

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 90) -> None:
        self.stop_event.set()
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"did not stop within {timeout_s} s"

    def ended(self, timeout_s: float = 90) -> BaseException | None:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"did not end within {timeout_s} s"
        return self.error


def relaying(settings: Settings) -> AbstractContextManager[Running]:
    """A relay for as long as the block lasts. An error that it ended with is the test's."""
    return during(Relay(settings).run)


@contextmanager
def during(run: Callable[[threading.Event], None]) -> Iterator[Running]:
    """A process's loop in a thread for as long as the block lasts. An error that it ended with is the test's."""
    running = Running(run)
    try:
        yield running
    finally:
        running.stop()
    if running.error is not None:
        raise running.error


READER = "test"
SEEN = "CREATE TABLE views.seen (number bigserial, topic text, partition int, position bigint)"


def write_down(cursor: Cursor[Any], events: list[Event]) -> None:
    cursor.executemany(
        "INSERT INTO views.seen (topic, partition, position) VALUES (%s, %s, %s)",
        [(event.topic, event.partition, event.position) for event in events],
    )


@contextmanager
def reading(
    settings: Settings,
    step: Callable[[Cursor[Any], list[Event]], None] = write_down,
    on_batch: Callable[[Applied], None] | None = None,
) -> Iterator[Running]:
    """A plain reader of every chained topic that writes down what it is given."""
    with psycopg.connect(settings.database_url) as connection:
        if connection.execute("SELECT to_regclass('views.seen')").fetchone() == (None,):
            connection.execute(SEEN)
    with during(
        lambda stop: run_reader(
            settings,
            reader_name=READER,
            schema="views",
            topics=(*settings.home_topics, settings.breach_topic),
            step=step,
            stop=stop,
            on_batch=on_batch,
        )
    ) as running:
        yield running


def seen(settings: Settings) -> dict[Partition, list[int]]:
    """The positions written down, in the order in which they were."""
    found: dict[Partition, list[int]] = {}
    with psycopg.connect(settings.database_url) as connection:
        for topic, number, position in connection.execute(
            "SELECT topic, partition, position FROM views.seen ORDER BY number"
        ):
            found.setdefault(Partition(topic, number), []).append(position)
    return found


def positions(wanted: Mapping[Partition, Sequence[tuple[int, bytes]]]) -> dict[Partition, list[int]]:
    return {partition: [position for position, _ in rows] for partition, rows in wanted.items()}


def has_seen_everything(settings: Settings) -> Callable[[], bool]:
    return lambda: seen(settings) == positions(expected(settings))

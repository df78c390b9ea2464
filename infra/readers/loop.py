"""A plain reader: kafka-python and one PostgreSQL transaction for each polled batch, without a consumer group."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from kafka.errors import KafkaError
from kafka.structs import TopicPartition
from psycopg import Cursor

from infra.kafka.cluster import (
    Cluster,
    Partition,
    Record,
    admin_client,
    consumer,
    logs,
    look_up,
    look_up_cluster,
    record_of,
)
from infra.postgres.connections import connect
from infra.readers.dead_letters import DeadLetterLimit, ReaderStopped, T, note_stop, save_dead_letters
from infra.readers.read_positions import (
    load_read_positions,
    lock_read_positions,
    positions_at,
    relayed_positions,
    save_read_positions,
    start_offsets,
)
from infra.readers.record import Event, parse_all
from infra.readers.rule import Applied, DeadLetter, HoldAlarm, apply_parsed
from infra.readers.store_check import confirmed
from infra.relay.topic_guard import ask_for_walks
from infra.settings import Settings

log = logging.getLogger(__name__)
POLL_MS = 500
"""How long a poll waits for records: a reader that is told to stop notices it so late at most."""
IDLE_MS = 1_000
"""How long a broker holds a fetch while there is nothing new: ten fetches a second were most of what idling cost."""
COMPARE_S = 2.0
"""How often the plain shell compares its places with how far the relay is."""
LOOK_S = 30.0
"""How often the plain shell asks whether topics were made anew."""


BatchStep = Callable[[Cursor[Any], list[Event]], Sequence[DeadLetter] | None]
"""Applies events within the cursor's transaction. It may be called again with the same events if that rolled back.
Gives the dead letters of those whose content it cannot take."""


def store_batch(
    connection: psycopg.Connection[Any],
    records: Sequence[Record],
    *,
    table: str,
    reader: str,
    build: int,
    topic_ids: Mapping[str, UUID],
    step: BatchStep,
    limit: DeadLetterLimit,
    settings: Settings,
) -> Applied:
    """Apply a batch in one transaction: what the step writes, dead letters, read positions. A record that the store
    does not have is not applied. Raises ReaderStopped."""
    partitions = {Partition(record.topic, record.partition) for record in records}
    with connection.transaction(), connection.cursor() as cursor:
        read_positions = lock_read_positions(cursor, table, reader, build, partitions)
        applied = apply_parsed(confirmed(cursor, parse_all(records), settings, reader), read_positions, topic_ids)
        refused = step(cursor, applied.events) if applied.events else None
        ids = {
            dead_letter.topic: topic_ids.get(dead_letter.topic, dead_letter.topic_id) for dead_letter in refused or ()
        }
        named = [msgspec.structs.replace(dead_letter, topic_id=ids[dead_letter.topic]) for dead_letter in refused or ()]
        dead_letters = [*applied.dead_letters, *named]
        save_dead_letters(cursor, reader, dead_letters)
        save_read_positions(cursor, table, reader, build, applied.read_positions)
        limit.check(cursor, reader, dead_letters, {**read_positions, **applied.read_positions})
    return applied


def run_reader(
    settings: Settings,
    *,
    reader_name: str,
    schema: str,
    topics: Sequence[str],
    step: BatchStep,
    stop: threading.Event,
    build: int = 1,
    on_batch: Callable[[Applied], None] | None = None,
    on_look: Callable[[psycopg.Connection[Any], Mapping[str, float]], None] | None = None,
) -> None:
    """Read whole topics with kafka-python until ``stop`` is set, one PostgreSQL transaction for each polled batch.

    Read positions are rows of ``<schema>.places``. All partitions are assigned by hand, without a consumer group: the
    read position rows already make a second process harmless, offsets come from PostgreSQL, and a killed process goes
    on at once when restarted instead of waiting out its own dead session. A second process is a hot standby.

    While PostgreSQL is away the same batch is tried again in place. What ``step`` raises, other than psycopg's
    operational errors, ends the reader: it is a fault that repeating does not mend. So does ReaderStopped, which is
    written down first.

    ``on_look`` is called every few seconds, between batches, with the shell's connection and "topic/partition" → how
    many seconds it stands still.
    """
    _Shell(settings, reader_name, schema, topics, step, stop, build, on_batch, on_look).run()


class _Shell:
    def __init__(
        self,
        settings: Settings,
        reader: str,
        schema: str,
        topics: Sequence[str],
        step: BatchStep,
        stop: threading.Event,
        build: int,
        on_batch: Callable[[Applied], None] | None,
        on_look: Callable[[psycopg.Connection[Any], Mapping[str, float]], None] | None,
    ) -> None:
        self.settings = settings
        self.reader = reader
        self.table = f"{schema}.places"
        self.topics = tuple(topics)
        self.step = step
        self.stop = stop
        self.build = build
        self.on_batch = on_batch
        self.on_look = on_look
        self.limit = DeadLetterLimit(settings)
        self.alarm = HoldAlarm(settings.hold_alarm_s)
        self.connection: psycopg.Connection[Any] | None = None
        self.cluster = Cluster("", {})
        self.looked_at = 0.0
        self.compared_at = time.monotonic()

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                try:
                    self.read()
                except KafkaError as error:
                    log.warning("%s: Kafka does not answer (%s); trying again", self.reader, error)
                    self.stop.wait(0.5)
        finally:
            self.disconnect()

    def read(self) -> None:
        if not self.wait_for_topics():
            return
        with consumer(
            self.settings,
            client_id=f"tongshui-{self.reader}",
            reset="earliest",
            max_records=self.settings.reader_batch,
            idle_ms=IDLE_MS,
        ) as client:
            self.seek(client)
            while not self.stop.is_set():
                polled = client.poll(timeout_ms=POLL_MS)
                records = [record_of(message) for messages in polled.values() for message in messages]
                if records:
                    self.until_stored(records)
                self.mind_standstill(client)
                if self.made_anew():
                    return

    def wait_for_topics(self) -> bool:
        """False: stopped before the topics were there."""
        with admin_client(self.settings) as admin:
            while not self.stop.is_set():
                self.cluster = look_up(admin, self.topics)
                self.looked_at = time.monotonic()
                if len(self.cluster.topics) == len(set(self.topics)):
                    return True
                self.stop.wait(0.2)
        return False

    def seek(self, client: Any) -> None:
        with consumer(self.settings, client_id=f"tongshui-{self.reader}-start", reset="none") as looker:
            where = logs(looker, self.cluster, self.cluster.partitions)
            offsets = self.retry(
                lambda connection: start_offsets(
                    connection,
                    self.table,
                    [(self.reader, self.build)],
                    where,
                    lambda wanted: positions_at(looker, wanted),
                )
            )
        client.assign([TopicPartition(*partition) for partition in where])
        for partition, offset in (offsets or {}).items():
            client.seek(TopicPartition(*partition), offset)

    def until_stored(self, records: Sequence[Record]) -> None:
        try:
            applied = self.retry(lambda connection: self.store(connection, records))
        except ReaderStopped as stopped:
            found = stopped
            self.retry(lambda connection: note_stop(connection, found))
            raise
        if applied is None:
            return
        self.alarm.update(applied, time.monotonic())
        if self.on_batch is not None:
            self.on_batch(applied)

    def store(self, connection: psycopg.Connection[Any], records: Sequence[Record]) -> Applied:
        return store_batch(
            connection,
            records,
            table=self.table,
            reader=self.reader,
            build=self.build,
            topic_ids=self.cluster.topic_ids,
            step=self.step,
            limit=self.limit,
            settings=self.settings,
        )

    def retry(self, work: Callable[[psycopg.Connection[Any]], T]) -> T | None:
        """Do it until PostgreSQL answers. None: stopped before it did."""
        begun = time.monotonic()
        while not self.stop.is_set():
            try:
                if self.connection is None:
                    self.connection = connect(self.settings)
                return work(self.connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                # A commit whose answer was lost is safe to repeat: the read positions tell what stuck.
                away = time.monotonic() - begun
                log.warning(
                    "%s: PostgreSQL does not answer (%s), for %.1f s; same batch again", self.reader, error, away
                )
                self.disconnect()
                self.stop.wait(min(1.0, 0.1 + away / 4))
        return None

    def mind_standstill(self, client: Any) -> None:
        now = time.monotonic()
        if now - self.compared_at >= COMPARE_S:
            self.compared_at = now
            self.retry(lambda connection: self.compare(connection, now))
            if (look := self.on_look) is not None:
                still = {str(partition): round(s, 1) for partition, s in self.alarm.still_s(now).items()}
                self.retry(lambda connection: look(connection, still))
        due = self.alarm.due(now)
        for partition in due:
            log.error(
                "%s: %s stands still for %.0f s though there is more: a record is missing; reading it from the start",
                self.reader,
                partition,
                self.alarm.still_s(now)[partition],
            )
            client.seek_to_beginning(TopicPartition(*partition))
        if due:
            self.retry(lambda connection: ask_for_walks(connection, due, by=self.reader))

    def compare(self, connection: psycopg.Connection[Any], now: float) -> None:
        out = relayed_positions(connection, self.topics)
        read_positions = load_read_positions(connection, self.table, [(self.reader, self.build)])
        self.alarm.compare(
            out, {partition: read_position for (_, _, partition), read_position in read_positions.items()}, now
        )

    def made_anew(self) -> bool:
        """Whether topics have other ids than when reading began. Asked every half minute."""
        if time.monotonic() - self.looked_at < LOOK_S:
            return False
        self.looked_at = time.monotonic()
        changed = look_up_cluster(self.settings, self.topics).topic_ids != self.cluster.topic_ids
        if changed:
            log.warning("%s: topics were made anew; looking up where to read from", self.reader)
        return changed

    def disconnect(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

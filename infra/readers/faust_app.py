"""The Faust shell: Faust owns consumption, assignment and scaling by workers; PostgreSQL owns what was applied.

Where to read from comes from the rows of read positions, not from Kafka's committed offsets. Nothing is decided in an
agent: it hands records to a queue, in chunks as they were fetched, and whatever has gathered there is the next batch,
applied in one transaction. An agent never raises (Faust acknowledges the whole batch of one that does, and never
delivers it again): while PostgreSQL is away the batch is tried in place, and a failure without a name ends the process
at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import faust
import psycopg
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from kafka.errors import KafkaError, UnknownTopicOrPartitionError
from psycopg import Cursor

from infra.kafka.batches import tolerate_in_faust
from infra.kafka.cluster import Partition, Record, consumer, logs, look_up_cluster, record_of
from infra.kafka.diagnose import tls_context, why_refused
from infra.postgres.connections import connect
from infra.readers.dead_letters import REFUSED, DeadLetterLimit, ReaderStopped, note_stop, save_dead_letters
from infra.readers.read_positions import (
    load_read_positions,
    lock_for_readers,
    positions_at,
    relayed_positions,
    save_for_readers,
    start_offsets,
)
from infra.readers.record import Event, ParsedRecord, parse_all
from infra.readers.rule import Applied, DeadLetter, HoldAlarm, ReadPosition, apply_parsed
from infra.readers.store_check import confirmed
from infra.relay.topic_guard import ask_for_walks
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

BUILD = 1
SESSION_TIMEOUT_S = 6.0
"""A killed worker's partitions stand still for about this long; Faust's default is a minute."""
HEARTBEAT_S = 1.0
MIND_EVERY_S = 2.0
ASK_AGAIN_S = 0.5
METADATA_AGE_S = 5.0
"""Who joined the group while a lost cluster's topics were not made anew yet gets none, and sees them only with fresh
metadata; the client's default is five minutes."""
UNNAMED_FAILURE = 70
STOPPED = 1
CHUNK = 200
"""How many records a Faust message carries at most."""
RECORDS = "records"


Chunk = Sequence[Any]
"""Records of one partition in their order, as the client fetched them."""
Beat = Callable[[dict[str, Any]], None]
"""Told, off the loop, what a process has to show for itself."""


class StreamModel(Protocol):
    """What the shell drives."""

    @property
    def name(self) -> str: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    def step(self, cursor: Cursor[Any], events: Sequence[Event], topic_ids: Mapping[str, UUID]) -> list[DeadLetter]: ...


class FaustSource(Protocol):
    """What a Faust app of ours reads, where from, and what becomes of it. Everything but ``topics`` may block."""

    @property
    def settings(self) -> Settings: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    @property
    def batch(self) -> int:
        """How many records a transaction has at most."""

    @property
    def linger_s(self) -> float:
        """For how long records gather before they are taken; 0 where somebody waits for what they change."""

    def start_offsets(self, assigned: set[Partition]) -> dict[Partition, int]:
        """Where to read each partition from. Raises KafkaError and what psycopg raises: it is asked again then."""

    def until_stored(self, records: Sequence[Record], stopping: Callable[[], bool]) -> None:
        """Store a batch, however long PostgreSQL is away. Returns with nothing stored only when stopping."""

    def minded(self) -> tuple[dict[Partition, int], dict[str, Any]]:
        """Partitions to read again, each from that offset; and what the process has to show for itself."""


def _as_reader(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The connection, on which no table is read whole where there is an index, and no commit waits for the disk.

    A reader asks for rows by their keys, and a plan from when a table was empty would else be kept while it grows.
    Commits that a crash of PostgreSQL takes back are read again: read positions are taken back with the rows.
    """
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET synchronous_commit = off")
    return connection


class ModelStream:
    """One process's models over the topics they read; applies batches to PostgreSQL.

    ``poisoned`` is told, in the same transaction, which records could not be read. ``again`` is called every few
    seconds with a connection: dead letters that are marked to be tried once more.
    """

    def __init__(
        self,
        settings: Settings,
        schema: str,
        models: Sequence[StreamModel],
        poisoned: Callable[[Cursor[Any], Sequence[DeadLetter]], None] | None = None,
        again: Callable[[psycopg.Connection[Any]], object] | None = None,
        linger_s: float = 0.0,
    ) -> None:
        self.settings = settings
        self.linger_s = linger_s
        self._again = again
        self._limit = DeadLetterLimit(settings)
        self.models = tuple(models)
        self.table = f"{schema}.places"
        self._who = schema
        self._alarms = {model.name: HoldAlarm(settings.hold_alarm_s) for model in models}
        self.applied_events = 0
        self._poisoned = poisoned
        self._topics = {model.name: {settings.home_topic(name) for name in model.topics} for model in models}
        self._topic_ids: Mapping[str, UUID] = {}
        self._connection: psycopg.Connection[Any] | None = None
        self._minding: psycopg.Connection[Any] | None = None

    @property
    def batch(self) -> int:
        """How many records a transaction has at most."""
        return self.settings.reader_batch

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that one of the models reads."""
        return tuple(sorted(set().union(*self._topics.values())))

    def start_offsets(self, assigned: set[Partition]) -> dict[Partition, int]:
        """Where to read each assigned partition from: behind the smallest read position of the models. Blocks.

        Raises KafkaError, also where a topic is not there (any more, or yet), and what psycopg raises.
        """
        cluster = look_up_cluster(self.settings, self.topics)
        missing = {partition.topic for partition in assigned} - cluster.topics.keys()
        if missing:
            raise UnknownTopicOrPartitionError(", ".join(sorted(missing)))
        self._topic_ids = cluster.topic_ids
        with (
            consumer(self.settings, client_id="tongshui-start", reset="none") as looker,
            connect(self.settings) as connection,
        ):
            where = logs(looker, cluster, sorted(assigned))
            starts: dict[Partition, int] = {}
            for model in self.models:
                mine = {p: found for p, found in where.items() if p.topic in self._topics[model.name]}
                found = start_offsets(
                    connection, self.table, [(model.name, BUILD)], mine, lambda wanted: positions_at(looker, wanted)
                )
                for partition, offset in found.items():
                    starts[partition] = min(offset, starts.get(partition, offset))
        return starts

    def until_stored(self, records: Sequence[Record], stopping: Callable[[], bool]) -> None:
        """Apply a batch; while PostgreSQL does not answer, again and again. Returns unapplied only when stopping."""
        begun = time.monotonic()
        parsed = parse_all(records)  # once for all models, and however often the batch is tried
        while not stopping():
            try:
                if self._connection is None:
                    self._connection = _as_reader(connect(self.settings))
                self._store(self._connection, parsed)
            except ReaderStopped as stopped:
                with connect(self.settings) as connection:
                    note_stop(connection, stopped)
                raise
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                away = time.monotonic() - begun
                log.warning("PostgreSQL does not answer for %.1f s, same batch again: %s", away, error)
                self._limit.forget()
                self._close_writer()
                time.sleep(min(1.0, 0.1 + away / 4))
            else:
                return

    def standing_still(self) -> tuple[list[Partition], dict[str, float]]:
        """Partitions to read again from their first record, and "model topic/partition" → how long it stands still.

        Compares the read positions with what the relay had acknowledged: a missing record shows even if none comes
        after it.
        """
        try:
            if self._minding is None:
                # Kept: a connection every two seconds costs PostgreSQL a process each time.
                self._minding = connect(self.settings)
            return self._compared(self._minding, time.monotonic())
        except (psycopg.OperationalError, psycopg.InterfaceError):
            if self._minding is not None:
                self._minding.close()
                self._minding = None
            raise

    def _compared(self, connection: psycopg.Connection[Any], now: float) -> tuple[list[Partition], dict[str, float]]:
        out = relayed_positions(connection, self.topics)
        read_positions = load_read_positions(connection, self.table, [(model.name, BUILD) for model in self.models])
        if self._again is not None:
            self._again(connection)
        again: list[Partition] = []
        still: dict[str, float] = {}
        for name, alarm in self._alarms.items():
            mine = {p: position for p, position in out.items() if p.topic in self._topics[name]}
            alarm.compare(
                mine,
                {p: read_position for (model, _, p), read_position in read_positions.items() if model == name},
                now,
            )
            due = alarm.due(now)
            ask_for_walks(connection, due, by=name)
            again += due
            still |= {f"{name} {partition}": round(s, 1) for partition, s in alarm.still_s(now).items()}
        return again, still

    def minded(self) -> tuple[dict[Partition, int], dict[str, Any]]:
        """What stands still is read again from its first record."""
        again, still = self.standing_still()
        return dict.fromkeys(again, 0), {"applied_events": self.applied_events, "still_s": still}

    def close(self) -> None:
        """Close what is open. Called once nothing is read any more."""
        self._close_writer()
        if self._minding is not None:
            self._minding.close()
            self._minding = None

    def _close_writer(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _store(self, connection: psycopg.Connection[Any], parsed: Sequence[ParsedRecord]) -> None:
        try:
            # Sent as it is made, and waited for where rows are needed: while one waits for every answer, others wait.
            with connection.pipeline():
                outcomes = self._applied(connection, parsed)
        except REFUSED:
            # Of several statements that are under way nobody knows which one was refused: one after the other, then.
            self._limit.forget()
            outcomes = self._applied(connection, parsed)
        now = time.monotonic()
        for name, outcome in outcomes.items():
            self._alarms[name].update(outcome, now)
            self.applied_events += len(outcome.events)

    def _applied(self, connection: psycopg.Connection[Any], parsed: Sequence[ParsedRecord]) -> dict[str, Applied]:
        """Model → what came of the records, in one transaction. Raises what psycopg raises, with nothing applied."""
        outcomes: dict[str, Applied] = {}
        with connection.transaction(), connection.cursor() as cursor:
            known = confirmed(cursor, parsed, self.settings, self._who)
            records = {
                model.name: mine
                for model in self.models
                if (mine := [each for each in known if each.record.topic in self._topics[model.name]])
            }
            partitions = {
                name: {Partition(each.record.topic, each.record.partition) for each in mine}
                for name, mine in records.items()
            }
            positions = lock_for_readers(cursor, self.table, BUILD, partitions)
            for model in self.models:
                if model.name in records:
                    outcomes[model.name] = self._step(cursor, model, records[model.name], positions[model.name])
            moved = {name: outcome.read_positions for name, outcome in outcomes.items()}
            save_for_readers(cursor, self.table, BUILD, moved)
            cursor.execute(sql("announce_views"))
        return outcomes

    def _step(
        self,
        cursor: Cursor[Any],
        model: StreamModel,
        parsed: Sequence[ParsedRecord],
        read_positions: Mapping[Partition, ReadPosition],
    ) -> Applied:
        outcome = apply_parsed(parsed, read_positions, self._topic_ids)
        dead_letters = list(outcome.dead_letters)
        dead_letters += model.step(cursor, outcome.events, self._topic_ids)
        save_dead_letters(cursor, model.name, dead_letters)
        if dead_letters and self._poisoned is not None:
            self._poisoned(cursor, dead_letters)
        self._limit.check(cursor, model.name, dead_letters, {**read_positions, **outcome.read_positions})
        return outcome


# ---- Faust


class _NoMemory(dict[Any, Any]):
    """Faust remembers the highest offset read and drops what is below it. A log whose lost tail was refilled comes with
    lower offsets again; the reader's rule judges by position, so nothing may be dropped before it."""

    def __missing__(self, key: Any) -> None:
        return None

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def update(self, *args: Any, **kwargs: Any) -> None:
        pass


class PositionedConsumer(driver.Consumer):  # type: ignore[misc]
    """A Faust consumer that starts where PostgreSQL says; asked at start and after every rebalance."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoMemory()
        self._taken_at = 0.0

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """What was fetched, in messages that each carry many records of a partition.

        Faust spends some 0.1 ms on every message, mostly on tasks that watch for a rebalance while it is handed on.
        That is more than it costs to judge and store a reading.
        """
        if self.app.source.linger_s:
            await asyncio.sleep(max(0.0, self._taken_at + self.app.source.linger_s - time.monotonic()))
        found, active = await self._wait_next_records(timeout)
        self._taken_at = time.monotonic()
        generation = self.app.consumer_generation_id
        if found is None or self.should_stop:
            return
        if not self.flow_active:
            # Fetched before partitions were taken away: as in the library, it is left out, and read again.
            await self.perform_seek()
            return
        for tp, records in found.items():
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            for start in range(0, len(records), CHUNK):
                if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                    return
                chunk = records[start : start + CHUNK]
                message = self._to_message(tp, chunk[-1])
                message.key = message.value = None
                message.headers = {RECORDS: chunk}
                yield tp, message

    def _new_offset(self, tp: TP) -> int | None:
        """What is committed to Kafka, where it only shows how far the app is: the end of what was handed on. (As the
        library has it, offsets between those of two messages are awaited for ever.)"""
        acked = self._acked[tp]
        if not acked:
            return None
        last: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return await self._thread.call_thread(self._seek_to_read_positions)  # type: ignore[no-any-return]

    async def _seek_to_read_positions(self) -> Mapping[TP, int]:
        """In the consumer thread's loop; the questions to Kafka and PostgreSQL are asked off it.

        Asked until both answer: Faust takes a seek that failed for one that was done.
        """
        starts = await self._starts()
        for partition, offset in starts.items():
            self._thread.seek(TopicPartition(*partition), offset)
        return {TP(*partition): offset for partition, offset in starts.items()}

    async def _starts(self) -> Mapping[Partition, int]:
        app, loop = self.transport.app, asyncio.get_running_loop()
        source: FaustSource = app.source
        while not app.should_stop:
            assigned = {Partition(tp.topic, tp.partition) for tp in self._thread.assignment()}
            try:
                return await loop.run_in_executor(None, source.start_offsets, assigned) if assigned else {}
            except (KafkaError, psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("where to read from cannot be told yet, asking again: %s", error)
                await asyncio.sleep(ASK_AGAIN_S)
        return {}


class PositionedTransport(driver.Transport):  # type: ignore[misc]
    Consumer = PositionedConsumer


class _App(faust.App):  # type: ignore[misc]
    source: FaustSource

    def _new_transport(self) -> Any:
        return PositionedTransport(self.conf.broker_consumer, self, loop=self.loop)


def build_app(source: FaustSource, name: str, beat: Beat | None = None) -> faust.App:
    """The Faust app of one kind of process; all its workers run the same agent over the same topics."""
    settings = source.settings
    tolerate_in_faust()
    chunks = 2 * source.batch // CHUNK + 2
    app = _App(
        f"{settings.topic_prefix}{name}",
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=int(METADATA_AGE_S * 1000),
        datadir=str(_folder(settings)),
        stream_wait_empty=False,
        stream_buffer_maxsize=chunks,
    )
    app.source = source
    topic = app.topic(
        *source.topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", allow_empty=True
    )
    queue: asyncio.Queue[Chunk] = asyncio.Queue(maxsize=chunks)

    @app.agent(topic, name=f"{name}.take")  # type: ignore[untyped-decorator]
    async def take(records: Any) -> None:
        async for event in records.events():
            await queue.put(event.message.headers[RECORDS])

    @app.task  # type: ignore[untyped-decorator]
    async def drain() -> None:
        await _drain(app, source, queue)

    @app.timer(MIND_EVERY_S)  # type: ignore[untyped-decorator]
    async def mind() -> None:
        await _mind(app, source, beat)

    return app


def _folder(settings: Settings) -> Path:
    """Faust insists on a folder though nothing of ours is kept in it; its default is below the working directory."""
    folder = settings.data_dir.resolve() / "faust"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _drain(app: faust.App, source: FaustSource, queue: asyncio.Queue[Chunk]) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="apply") as one:
        while not app.should_stop:
            batch = [await queue.get()]
            while sum(map(len, batch)) < source.batch and not queue.empty():
                batch.append(queue.get_nowait())
            try:
                await loop.run_in_executor(one, _store, app, source, batch)
            except asyncio.CancelledError:
                raise
            except ReaderStopped as stopped:
                log.error("%s", stopped)
                logging.shutdown()
                os._exit(STOPPED)
            except BaseException:
                log.exception("a batch failed in a way that has no name; the process ends")
                logging.shutdown()
                os._exit(UNNAMED_FAILURE)


def _store(app: faust.App, source: FaustSource, batch: Sequence[Chunk]) -> None:
    records = [record_of(message) for chunk in batch for message in chunk]
    for start in range(0, len(records), source.batch):
        source.until_stored(records[start : start + source.batch], lambda: bool(app.should_stop))


async def _mind(app: faust.App, source: FaustSource, beat: Beat | None) -> None:
    """Every few seconds: look for partitions that stand still, and tell that the process lives."""
    loop = asyncio.get_running_loop()
    try:
        again, shown = await loop.run_in_executor(None, source.minded)
        if beat is not None:
            await loop.run_in_executor(None, beat, shown)
    except (psycopg.OperationalError, psycopg.InterfaceError, KafkaError) as error:
        log.warning("PostgreSQL or Kafka does not answer: %s", error)
        return
    for partition, offset in again.items():
        log.error("%s stands still: a record is missing; reading again from offset %d", partition, offset)
        if TopicPartition(*partition) in app.consumer.assignment():
            await app.consumer.seek(TopicPartition(*partition), offset)


def _credentials(settings: Settings) -> Any:
    context = tls_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            mechanism=settings.kafka_sasl_mechanism,
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def run_worker(app: faust.App) -> None:
    """Run the app until it is told to stop (SIGTERM, SIGINT). Never returns: a Faust worker ends its process.

    Raises KafkaRefused where a broker does not let us in: Faust's own client would not say why.
    """
    refused = why_refused(app.source.settings)
    if refused is not None:
        raise refused
    # The process has set up its log; Faust's own would come on top, with another time and a spinner's control codes.
    worker = app.Worker(quiet=True, override_logging=False, redirect_stdouts=False, blocking_timeout=None)
    worker.spinner = None
    worker.execute_from_commandline()

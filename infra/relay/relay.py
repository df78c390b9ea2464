"""The relay: publishes the store's events to Kafka, in store order within each partition, for ever.

One relay is active, by an advisory lock; any other waits. It reads the store over the very connection that holds the
lock, and stores its checkpoints over it: who has lost the lock can write no checkpoint. What it may still append to
Kafka does no harm, for chain, routes and bytes depend on the store alone and readers drop what they have.

Any doubt ends the session: the producer is thrown away and the relay takes over from itself, that is, it reads what
Kafka really has and goes on behind the last record of the unbroken chain.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from kafka.errors import KafkaError

from infra.kafka.auxiliary_topics import JSON, DeadLetterRecord
from infra.kafka.cluster import (
    CONTENT_TYPE,
    BusRefusal,
    Cluster,
    Partition,
    PartitionLog,
    Record,
    admin_client,
    chained_topics,
    consumer,
    ensure_topics,
    logs,
    look_up,
    read_ranges,
    topics,
)
from infra.postgres.connections import connect, wait_for_notification
from infra.readers.record import Link, link_of
from infra.readers.store_check import belongs, stored_at
from infra.relay.chain import (
    ChainPosition,
    Outbox,
    OutgoingEvent,
    OutOfStep,
    Send,
    Tail,
    Walk,
    begin_behind,
    first_walk,
)
from infra.relay.disowned import Place, disowned, note_disowned, without
from infra.relay.producers import Headers, Producer, SendFailed, producer, refuse_missing
from infra.relay.topic_guard import TopicGuard
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

LOCK = 225_000_002
"""Advisory lock of the one active relay of a database."""

ROWS = 500
PENDING_RECORDS = 5_000
PENDING_BYTES = 16 * 1024 * 1024
DEAD_LETTERS = 100
LAST_ACKS_S = 5.0
"""How long an orderly stop waits for what is under way."""
LONGEST_PAUSE_S = 2.0

Database = psycopg.Connection[Any]


class RelayRefusal(BusRefusal):
    """Kafka and the store contradict each other: the relay must not run until an operator has decided."""


class SessionLost(Exception):
    """Something could not be sent, or not be known to be: take over anew."""


class Relay:
    """The relay of one installation. Database and cluster are those of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def run(self, stop: threading.Event) -> None:
        """Relay until ``stop`` is set. Waits while another relay is active, and while a part is away.

        Raises RelayRefusal "kafka-ahead-of-store" or "kafka-differs", BusRefusal "partition-count", "no-route" or
        "producer-not-installed".
        """
        refuse_missing(self.settings)
        pause_s = 0.1
        while not stop.is_set():
            try:
                with connect(self.settings) as db:
                    pause_s = 0.1
                    if _lead(db, stop, self.settings.relay_hang_ms):
                        _listen(db)
                        self._sessions(db, stop)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("relay: PostgreSQL does not answer (%s); trying again in %.1f s", _line(error), pause_s)
                stop.wait(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _sessions(self, db: Database, stop: threading.Event) -> None:
        """One session after the other while this connection, and with it the lock, lasts."""
        pause_s = 0.0
        already_lost: set[Partition] = set()
        held_against_store: dict[tuple[UUID, int], int] = {}
        while not stop.is_set():
            begun = time.monotonic()
            session = _Session(self.settings, db, stop, already_lost, held_against_store)
            already_lost = set()
            try:
                session.run()
            except BusRefusal as refusal:
                _note(db, str(refusal))
                log.error("relay: refuses to run: %s", refusal)
                raise
            except OutOfStep as step:
                log.warning("relay: %s; taking over anew", step)
                _note(db, str(step), tails_lost=int(step.lost))
                already_lost = {step.partition} if step.lost else set()
            except (KafkaError, SendFailed, SessionLost) as error:
                if stop.is_set():
                    return
                log.warning("relay: session ended (%s); taking over anew", _line(error))
                _note(db, _line(error))
            # At once the first time; a session that did not last is followed by a longer and longer pause.
            pause_s = 0.0 if time.monotonic() - begun > LONGEST_PAUSE_S else min(LONGEST_PAUSE_S, pause_s * 2 + 0.1)
            stop.wait(pause_s)


def _lead(db: Database, stop: threading.Event, hang_ms: int) -> bool:
    """Wait to be the active relay. False: stopped meanwhile.

    A stopped process keeps its connection, and the lock with it, for the kernel answers for it. One that works asks the
    store several times a second, and at least every 20 s while it looks at a Kafka that does not answer. So whoever
    has asked nothing for longer is cut off; should it wake up, it can only repeat.
    """
    waiting = False
    while not stop.is_set():
        row = db.execute(sql("try_relay_lock"), {"lock": LOCK}).fetchone()
        if row is not None and row[0]:
            log.info("relay: active")
            return True
        if not waiting:
            log.info("relay: another one is active; standing by")
            waiting = True
        if db.execute(sql("end_hung_relay"), {"lock": LOCK, "hang_ms": hang_ms}).fetchone() is not None:
            log.warning("relay: the active one has asked nothing for %.0f s; its connection is ended", hang_ms / 1000)
        stop.wait(0.25)
    return False


def _listen(db: Database) -> None:
    db.execute("LISTEN tongshui_log")


def _note(db: Database, error: str, *, tails_lost: int = 0) -> None:
    db.execute(sql("note_relay_error"), {"error": error, "tails_lost": tails_lost})


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@dataclass(slots=True)
class _Findings:
    """What a take-over found, for the state row and the log."""

    tails_lost: int = 0
    foreign_records: int = 0
    histories_refilled: int = 0


class _Session:
    """From one take-over to the next: one cluster, one epoch, one producer."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        stop: threading.Event,
        already_lost: set[Partition],
        held_against_store: dict[tuple[UUID, int], int],
    ) -> None:
        """``held_against_store``: topic id and partition, to the offset up to which a log was held against the store
        over this very connection, by a session before; what this session adds, the next one knows."""
        self.settings = settings
        self.db = db
        self.stop = stop
        self.already_lost = already_lost
        self.held_against_store = held_against_store
        self.disowned: set[Place] = set()
        self.cluster = Cluster("", {})
        self.heads: dict[Partition, int] = {}
        self.epoch = 0
        self.headers: Headers = []
        self.found = _Findings()
        self.changed = False
        self.checkpointed_at = time.monotonic()
        self.looked_at = time.monotonic()

    def run(self) -> None:
        self.cluster = ensure_topics(self.settings)
        with (
            admin_client(self.settings) as self.admin,
            consumer(self.settings, client_id="tongshui-relay-look", reset="none") as looker,
        ):
            self.guard = TopicGuard(self.settings, self.db, self.admin)
            checkpoints, all_out = self.begin()
            self.guard.check(self.cluster)
            self.outbox = self.take_over(looker, checkpoints, all_out)
            with producer(self.settings) as self.producer:
                self.dead_letters = _DeadLetters(self.db, self.producer, self.settings)
                self.pump(looker)

    # ---- taking over

    def begin(self) -> tuple[dict[Partition, ChainPosition], int]:
        """Count the session, say what is new about the cluster; the checkpoints of its topics, and ``all_out``."""
        who = {"cluster_id": self.cluster.id}
        stored = self.db.execute(sql("checkpoints"), who).fetchall()
        if _one(self.db, "known_cluster", who)[0]:
            refills = self.say_new_topics({row[0] for row in stored}, {row[1] for row in stored})
        else:
            refills = self.say_new_cluster()
        self.epoch, all_out = _one(self.db, "begin_session", {**who, "refills": refills})
        generation = _one(self.db, "generation", {})[0]
        self.headers = [
            ("generation", str(generation).encode()),
            ("epoch", str(self.epoch).encode()),
            ("content-type", CONTENT_TYPE),
        ]
        self.disowned = disowned(self.db, self.cluster)
        ids = self.cluster.topic_ids
        self.db.execute(sql("forget_topics"), {**who, "topic_ids": list(ids.values())})
        mine = {Partition(row[0], row[2]): row for row in stored if ids.get(row[0]) == row[1]}
        self.heads = {partition: row[6] for partition, row in mine.items() if row[6] is not None}
        return {partition: ChainPosition(row[3], row[4], row[5]) for partition, row in mine.items()}, all_out

    def say_new_cluster(self) -> int:
        other = self.db.execute(sql("other_cluster"), {"cluster_id": self.cluster.id}).fetchone()
        if other is None:
            log.info("relay: first session on the Kafka cluster %s", self.cluster.id)
            return 0
        log.warning(
            "relay: the Kafka cluster was %s and is %s: topics are made anew and refilled from the store (%d events)",
            other[0],
            self.cluster.id,
            _one(self.db, "last_position", {})[0],
        )
        return 1

    def say_new_topics(self, names: set[str], ids: set[UUID]) -> int:
        anew = [topic.name for topic in self.cluster.topics.values() if topic.name in names and topic.id not in ids]
        if anew:
            log.warning("relay: topics made anew are refilled from the store: %s", ", ".join(anew))
        return int(bool(anew))

    def take_over(self, looker: Any, checkpoints: Mapping[Partition, ChainPosition], all_out: int) -> Outbox:
        """Read what Kafka really has, and go on behind it."""
        where = logs(looker, self.cluster, self.chained_partitions())
        doubted = self.doubted(looker, where, checkpoints)
        known = {p: its for p, its in checkpoints.items() if p not in doubted}
        walks = self.walk_all(looker, where, known)
        self.count(walks, where, checkpoints, doubted)
        begin = begin_behind(walks.values(), all_out)
        heads = {p: walk.head for p, walk in walks.items() if walk.head not in (None, self.heads.get(p))}
        moved = {p: w.linked for p, w in walks.items() if w.linked != checkpoints.get(p) or p in heads}
        self.save(moved, begin, {p: head for p, head in heads.items() if head is not None})
        self.guard.walked(doubted)
        for partition, its in where.items():
            self.held_against_store.setdefault((its.topic_id, partition.partition), its.end)
        log.info(
            "relay: epoch %d takes over on cluster %s behind position %d; %d records read",
            self.epoch,
            self.cluster.id,
            begin,
            self.records_read,
        )
        looker.unsubscribe()
        return Outbox(
            {p: Tail(walk.linked.position, where[p].end) for p, walk in walks.items()},
            begin=begin,
            epoch=self.epoch,
            partitions=self.settings.partitions,
            prefix=self.settings.topic_prefix,
        )

    def doubted(
        self, looker: Any, where: Mapping[Partition, PartitionLog], checkpoints: Mapping[Partition, ChainPosition]
    ) -> set[Partition]:
        """The partitions whose history may not be whole: to be walked from their first record, whatever was
        acknowledged."""
        unknown = [p for p, its in checkpoints.items() if its.position and p not in self.heads and p in where]
        for partition in unknown:
            head = self.find_head(looker, partition, where[partition])
            if head is not None:
                self.heads[partition] = head
        # A chain that does not begin with the log's first link: what was before it is gone.
        headless = {p for p in unknown if p not in self.heads and self.guard.may_refill(p)}
        return headless | self.guard.lost(where, self.heads) | (self.guard.wanted() & where.keys())

    def find_head(self, looker: Any, partition: Partition, where: PartitionLog) -> int | None:
        """The offset of the log's first link of a chain, where nothing was before it; None where something was."""
        for _, records in read_ranges(looker, {partition: (where.first, where.end)}):
            for record in without(records, partition, self.disowned):
                link = link_of(record)
                if link is not None:
                    return record.offset if link.previous == 0 else None
        return None

    def walk_all(
        self, looker: Any, where: Mapping[Partition, PartitionLog], checkpoints: Mapping[Partition, ChainPosition]
    ) -> dict[Partition, Walk]:
        """Every partition's walk: from its checkpoint where that stands, else from its first record."""
        self.records_read = 0
        begun = {p: first_walk(checkpoints.get(p), its.first, its.end, self.heads.get(p)) for p, its in where.items()}
        walks = {p: walk for p, (walk, _) in begun.items()}
        self.walk(looker, walks, {p: (start, where[p].end) for p, (_, start) in begun.items()})
        anew = {p: Walk() for p, walk in walks.items() if walk.disproved}
        self.walk(looker, anew, {p: (where[p].first, where[p].end) for p in anew})
        return walks | anew

    def walk(self, looker: Any, walks: Mapping[Partition, Walk], ranges: Mapping[Partition, tuple[int, int]]) -> None:
        for partition, records in read_ranges(looker, ranges):
            self.records_read += len(records)
            ours = without(records, partition, self.disowned)
            self.compare(partition, [(link, record) for record in ours if (link := link_of(record)) is not None])
            for record in records:
                walks[partition].take(record, disowned=(partition, record.offset) in self.disowned)
            if self.stop.is_set():
                raise SessionLost("stopped while taking over")

    def compare(self, partition: Partition, records: Sequence[tuple[Link, Record]]) -> None:
        """Refuse a Kafka that has what the store has not.

        Two kinds of record can only be forged and are stepped over from now on: one that was written while this store
        was the relay's, and a copy of a stored event in a partition or under a key that is not the event's.
        """
        with self.db.cursor() as cursor:
            stored = stored_at(cursor, [link.position for link, _ in records])
        for link, record in records:
            event = stored.get(link.position)
            if event is not None and event.state == record.value:
                if belongs(record, event, self.settings):
                    continue
            elif not self.written_meanwhile(partition, record):
                raise self.contradiction(partition, record, link.position, event is not None)
            self.disown(partition, record, link.position)

    def written_meanwhile(self, partition: Partition, record: Record) -> bool:
        """Whether it came behind what was held against the store before, over this connection.

        A store that is restored, or another one, is another connection. So every event that a relay of this store can
        have published meanwhile is in it.
        """
        before = self.held_against_store.get((self.cluster.topics[partition.topic].id, partition.partition))
        return before is not None and record.offset >= before

    def disown(self, partition: Partition, record: Record, position: int) -> None:
        log.error(
            "relay: FORGED: the record at %s, offset %d, says position %d, which the store has not so, or not for this "
            "partition and key; somebody with the right to write there wrote it; it is stepped over",
            partition,
            record.offset,
            position,
        )
        topic_id = self.cluster.topics[partition.topic].id
        place = (partition, record.offset)
        note_disowned(self.db, place, topic_id=topic_id, position=position, by="relay", reason="not of the store")
        self.disowned.add(place)

    def contradiction(self, partition: Partition, record: Record, position: int, known: bool) -> RelayRefusal:
        found = f"position {position} at {partition}, offset {record.offset}"
        if known:
            return RelayRefusal(
                "kafka-differs",
                found=f"{found}, with other bytes than the store has at this position",
                needed="the same bytes in store and Kafka",
                next_step="find out which of the two was restored or written to by others. A record that is forged: "
                f"`tongshui topics disown {partition.topic} {partition.partition} {record.offset} --by NAME --reason "
                "TEXT`. A store that is to go on without what was published begins a new generation: `tongshui store "
                "recover --new-generation`",
            )
        last = _one(self.db, "last_position", {})[0]
        return RelayRefusal(
            "kafka-ahead-of-store",
            found=f"{found}, while the store ends at position {last}",
            needed="a store that has every published event; this one was probably restored from a backup",
            next_step="restore a later backup, or stop everything and run `tongshui store recover`; where nothing was "
            f"restored it is forged: `tongshui topics disown {partition.topic} {partition.partition} {record.offset} "
            "--by NAME --reason TEXT`",
        )

    def count(
        self,
        walks: Mapping[Partition, Walk],
        where: Mapping[Partition, PartitionLog],
        checkpoints: Mapping[Partition, ChainPosition],
        doubted: Collection[Partition],
    ) -> None:
        """Say what was lost and what was stepped over."""
        for partition, walk in walks.items():
            checkpoint = checkpoints.get(partition)
            if checkpoint is None or walk.stands:
                continue
            if partition in doubted:
                self.count_history(partition, walk, where[partition], checkpoint)
            elif partition not in self.already_lost:
                self.found.tails_lost += 1
                log.warning(
                    "relay: %s lost its tail: position %d was acknowledged at offset %d; the log now ends at offset %d "
                    "and its chain at position %d; appending again what is missing",
                    partition,
                    checkpoint.position,
                    checkpoint.offset,
                    where[partition].end,
                    walk.linked.position,
                )
        foreign = {partition: walk.foreign for partition, walk in walks.items() if walk.foreign}
        self.found.foreign_records = sum(foreign.values())
        if foreign:
            log.warning(
                "relay: stepped over %d records that are not ours, in %s",
                self.found.foreign_records,
                ", ".join(map(str, foreign)),
            )

    def count_history(self, partition: Partition, walk: Walk, where: PartitionLog, checkpoint: ChainPosition) -> None:
        """Say whether a log that was walked from its first record has its history."""
        if walk.linked.position >= checkpoint.position:
            log.info("relay: %s was read from its first record: its history is whole", partition)
            return
        self.found.histories_refilled += 1
        log.error(
            "relay: %s lost a part of its history: it begins at offset %d and its chain ends at position %d, while "
            "position %d was acknowledged; appending again what is missing",
            partition,
            where.first,
            walk.linked.position,
            checkpoint.position,
        )

    def save(
        self, checkpoints: Mapping[Partition, ChainPosition], all_out: int, heads: Mapping[Partition, int]
    ) -> None:
        """Checkpoints and ``all_out`` in one transaction: each is only true together with the other.

        ``heads``: where chains begin, of some of these partitions.
        """
        self.heads |= heads
        ids = self.cluster.topic_ids
        with self.db.transaction():
            # A crash of PostgreSQL that takes it back leaves the one before, and a longer way to read. What is sent
            # next does not wait for the disk.
            self.db.execute("SET LOCAL synchronous_commit = off")
            self.db.execute(
                sql("save_checkpoints"),
                {
                    "cluster_id": self.cluster.id,
                    "topic_ids": [ids[partition.topic] for partition in checkpoints],
                    "topics": [partition.topic for partition in checkpoints],
                    "partitions": [partition.partition for partition in checkpoints],
                    "positions": [checkpoint.position for checkpoint in checkpoints.values()],
                    "offsets": [checkpoint.offset for checkpoint in checkpoints.values()],
                    "epochs": [checkpoint.epoch for checkpoint in checkpoints.values()],
                    "heads": [self.heads.get(partition) for partition in checkpoints],
                },
            )
            self.db.execute(
                sql("save_relay_state"),
                {
                    "cluster_id": self.cluster.id,
                    "all_out": all_out,
                    "tails_lost": self.found.tails_lost,
                    "foreign_records": self.found.foreign_records,
                    "histories_refilled": self.found.histories_refilled,
                },
            )
        self.found = _Findings()

    # ---- publishing

    def pump(self, looker: Any) -> None:
        while not self.stop.is_set():
            self.collect()
            rows = self.fetch() if self.has_room() else []
            self.send(self.outbox.take(rows))
            # What Kafka has already is not sent, so no acknowledgement tells that more is out than is noted.
            self.changed = self.changed or bool(rows)
            self.checkpoint_when_due()
            self.check_topics_when_due(looker)
            self.dead_letters.publish()
            if not rows:
                self.look_when_due(looker)
                self.rest()
        self.finish()

    def has_room(self) -> bool:
        return self.outbox.pending < PENDING_RECORDS and self.outbox.pending_bytes < PENDING_BYTES

    def fetch(self) -> list[OutgoingEvent]:
        cursor = self.db.cursor(binary=True)
        cursor.execute(sql("outgoing"), {"position": self.outbox.read_to, "limit": ROWS}, prepare=True)
        return [OutgoingEvent._make(row) for row in cursor.fetchall()]

    def send(self, sends: Sequence[Send]) -> None:
        send, common = self.producer.send, self.headers
        for partition, _, previous, key, value in sends:
            send(partition, key, value, [("previousposition", b"%d" % previous), *common])

    def collect(self) -> None:
        """Take in acknowledgements, in order. Raises SendFailed for a failed send, OutOfStep for a wrong offset."""
        for partition, offset, count in self.producer.appended():
            if partition.topic == self.settings.dead_letter_topic:
                self.dead_letters.acknowledged(count)
            else:
                self.outbox.acknowledged(partition, offset, count)
                self.changed = True

    def checkpoint_when_due(self) -> None:
        if self.changed and time.monotonic() - self.checkpointed_at >= self.settings.relay_checkpoint_ms / 1000:
            self.checkpoint()

    def checkpoint(self) -> None:
        self.check_leaders()
        self.save(self.outbox.take_checkpoints(), self.outbox.all_out, self.outbox.heads)
        self.changed = False
        self.checkpointed_at = time.monotonic()

    def check_leaders(self) -> None:
        """Raise SessionLost where a partition got a new leader or the topics are others: a tail may have been lost.

        Offsets alone cannot tell: a cut that somebody's rubbish filled up again to the very offset looks like nothing.
        Asked before each checkpoint, so that no checkpoint is moved over a loss: the next take-over would trust it.
        """
        now = look_up(self.admin, topics(self.settings))
        if now != self.cluster:
            raise SessionLost(f"the cluster is not as it was: {_difference(self.cluster, now)}")

    def look_when_due(self, looker: Any) -> None:
        """With nothing to send nothing would tell that a log was cut or a cluster replaced: ask now and then."""
        if time.monotonic() - self.looked_at < self.settings.relay_look_ms / 1000:
            return
        self.looked_at = time.monotonic()
        self.check_leaders()
        # Nothing is sent or taken in between asking and comparing, so partitions with nothing under way stand still.
        where = logs(looker, self.cluster, self.chained_partitions())
        self.outbox.look({partition: its.end for partition, its in where.items()})
        self.doubt(where)
        self.db.execute(sql("relay_beat"), {"cluster_id": self.cluster.id})

    def check_topics_when_due(self, looker: Any) -> None:
        """Also under a load that leaves no time to look otherwise."""
        if self.guard.is_due:
            self.guard.check(self.cluster)
            self.doubt(logs(looker, self.cluster, self.chained_partitions()))

    def doubt(self, where: Mapping[Partition, PartitionLog]) -> None:
        """Raise SessionLost where a history may not be whole: taking over reads it from its first record."""
        doubted = self.guard.lost(where, self.heads) | (self.guard.wanted() & where.keys())
        if doubted:
            names = ", ".join(map(str, sorted(doubted)))
            raise SessionLost(f"the history of {names} may not be whole and is read from its first record")

    def chained_partitions(self) -> list[Partition]:
        chained = set(chained_topics(self.settings))
        return [partition for partition in self.cluster.partitions if partition.topic in chained]

    def rest(self) -> None:
        """Until the store says that it grew, which is only a hint, or a moment has passed."""
        wait_s = self.settings.relay_poll_ms / 1000
        if self.outbox.pending or self.dead_letters.under_way:
            wait_s = 0.01
        elif self.changed:
            due_at = self.checkpointed_at + self.settings.relay_checkpoint_ms / 1000
            wait_s = min(wait_s, max(0.0, due_at - time.monotonic()))
        wait_for_notification(self.db, wait_s)

    def finish(self) -> None:
        """An orderly stop: wait a little for what is under way, and remember how far it came."""
        deadline = time.monotonic() + LAST_ACKS_S
        while self.outbox.pending and time.monotonic() < deadline:
            self.collect()
            self.rest()
        if self.changed:
            self.checkpoint()


class _DeadLetters:
    """Publishes the rows that readers wrote, at least once each."""

    def __init__(self, db: Database, producer: Producer, settings: Settings) -> None:
        self.db = db
        self.producer = producer
        self.settings = settings
        self.under_way: list[int] = []
        """The rows that were sent together and are not all acknowledged yet."""
        self.unacknowledged = 0
        self.looked_at = 0.0

    def publish(self) -> None:
        if not self.under_way and time.monotonic() - self.looked_at >= 1.0:
            self.looked_at = time.monotonic()
            for row in self.db.execute(sql("unpublished_dead_letters"), {"limit": DEAD_LETTERS}).fetchall():
                self.send(row)
                self.under_way.append(row[0])
            self.unacknowledged = len(self.under_way)

    def acknowledged(self, count: int) -> None:
        """So many more of those under way are on Kafka."""
        self.unacknowledged -= count
        if not self.unacknowledged:
            self.db.execute(sql("mark_dead_letters_published"), {"ids": self.under_way})
            self.under_way = []
            self.looked_at = 0.0

    def send(self, row: tuple[Any, ...]) -> None:
        number, reader, topic, topic_id, partition, offset, position, code, reason, size, digest, recorded_at = row
        dead_letter = DeadLetterRecord(
            id=number,
            reader=reader,
            topic=topic,
            topic_id=topic_id,
            partition=partition,
            offset=offset,
            position=position,
            code=code,
            reason=reason,
            size_bytes=size,
            sha256=digest,
            recorded_at=recorded_at,
        )
        self.producer.send(
            Partition(self.settings.dead_letter_topic, number % self.settings.partitions),
            str(number).encode(),
            msgspec.json.encode(dead_letter),
            [("content-type", JSON)],
        )


def _difference(before: Cluster, now: Cluster) -> str:
    if before.id != now.id:
        return f"it was {before.id} and is {now.id}"
    changed = [name for name, topic in before.topics.items() if now.topics.get(name) != topic]
    return f"missing, made anew or led anew: {', '.join(changed)}"


def _one(db: Database, name: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = db.execute(sql(name), parameters).fetchone()
    if row is None:
        raise psycopg.OperationalError(f"the query {name} gave no row; run `tongshui migrate`")
    return row

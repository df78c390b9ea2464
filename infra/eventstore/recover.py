"""``tongshui store recover``: a store that was restored from an older backup stands behind Kafka.

What was published since the backup is on the topics, byte for byte as it was stored. Either it is appended back, at the
same positions, or it is given up and a new generation of the store begins above every published position.

A new generation makes the topics anew: a reader who knows nothing but the reader's rule would apply what was given up,
for it lies in the log before anything that could tell of it. What is given up is kept in a file with key and headers.
Everything happens in one transaction that holds the log's head and the relay's lock; the topics come last, for a store
that numbers from an old head beside empty topics would use positions twice.
"""

from __future__ import annotations

import itertools
import os
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
import psycopg
from eventsourcing.persistence import JSONTranscoder
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from domain import kinds
from domain.kinds import RULE_TYPES
from domain.publication.generations import GenerationStarted
from infra.clock import ScaledClock
from infra.decoders import converter
from infra.eventstore.commands import Stamp
from infra.eventstore.envelope import CloudEventMapper, Envelope, seal
from infra.eventstore.shipped_rules import NAMESPACE
from infra.kafka.cluster import (
    BusRefusal,
    Partition,
    Record,
    chained_topics,
    consumer,
    logs,
    look_up_cluster,
    make_anew,
    read_ranges,
    refuse_other_counts,
    route,
)
from infra.postgres.connections import connect
from infra.readers.record import Event, link_of, parse
from infra.relay.disowned import disowned, without
from infra.relay.relay import LOCK
from infra.settings import Settings
from infra.sql import sql

Database = psycopg.Connection[DictRow]

STREAM = uuid5(NAMESPACE, "generations")
STARTED = kinds.REGISTRY.names["public", GenerationStarted]
_GENERATION = converter(GenerationStarted)
TELLING = ("OutageNoticeOrdered", "AnswerOrdered")
"""Facts whose append writes a message to people; the message is not in the event."""
DRY = "dry run: nothing was written"
ALONE_S = 2.0
"""How long a session that is just ending may take."""
SHOWN = 20
"""How many of the events given up are printed; the file has all."""


class RecoverRefusal(BusRefusal):
    """The store is as it was: nothing was written."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The first record that store and Kafka disagree about."""

    position: int
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class KafkaSurplus:
    """What Kafka has that the store has not."""

    head: int
    events: int
    first: int
    last: int
    fork: Fork | None
    missing: tuple[int, int] | None
    """The first range of positions above the head that no topic has, though later ones are there."""
    generation: UUID
    """Of the newest event on Kafka."""
    forked_behind: int
    """Up to here every event of the store is on Kafka, byte for byte. What is not there as the store has it may have
    been there otherwise, and been read, before Kafka lost it too."""


@dataclass(frozen=True, slots=True)
class ReadModel:
    """What a reader of this installation keeps, so that it can be emptied and filled anew."""

    schema: str
    reader: str
    tables: tuple[str, ...]


def recover(settings: Settings, *, dry_run: bool) -> list[str]:
    """Append the missing tail back from Kafka. What was done, or with ``dry_run`` would be, a line each.

    An empty store is an earlier state of every store: where there is no backup at all, everything comes back.

    Raises RecoverRefusal ``store-in-use``, ``histories-forked``, ``chain-link-missing``, ``record-unreadable``,
    ``generation-unfinished``, BusRefusal ``partition-count``, and what PostgreSQL and Kafka raise.
    """
    with _alone(settings) as db, db.transaction(force_rollback=dry_run):
        _refuse_unfinished(db)
        found = _Look(settings, db).find()
        if not found.events:
            return [f"store: head {found.head}; Kafka has nothing that the store has not; nothing to do"]
        _refuse_forked(found)
        lines = [*_lost(db), *_append_back(db, found)]
    return [*lines, DRY if dry_run else "recovered; start the relay and everything else"]


def begin_generation(
    settings: Settings,
    *,
    actor: str,
    keep: Path,
    read_models: Sequence[ReadModel],
    rebuild_billing: bool,
    dry_run: bool,
) -> list[str]:
    """Give up what Kafka has and the store has not, and begin a new generation; lines as ``recover``.

    Raises RecoverRefusal ``store-in-use``, ``nothing-to-give-up``, ``billing-ahead``, ``list-exists``, and as there.
    """
    with _alone(settings) as db:
        if db.execute(sql("generation_unfinished")).fetchone() is not None:
            lines = ["a new generation has begun before and its topics were not made anew; finishing that"]
        else:
            with db.transaction(force_rollback=dry_run):
                found = _Look(settings, db).find()
                if not found.events:
                    raise _nothing_to_give_up(found)
                lines = _GivingUp(settings, db, found, actor, keep).run(read_models, rebuild_billing, dry_run)
        if dry_run:
            return [*lines, DRY]
        make_anew(settings, chained_topics(settings))
        db.execute(sql("generation_finished"))
    return [*lines, "topics made anew; start the relay, which fills them from the store, and everything else"]


# ---- alone with the store


@contextmanager
def _alone(settings: Settings) -> Iterator[Database]:
    """A connection that nobody shares the database with, that holds the relay's lock, so that none begins."""
    with connect(settings) as plain:
        db: Database = plain  # type: ignore[assignment]
        db.row_factory = dict_row
        locked = db.execute(sql("try_relay_lock"), {"lock": LOCK}).fetchone()
        others = _others(db)
        if others or locked is None or not locked["pg_try_advisory_lock"]:
            who = ", ".join(f"{row['program']} ({row['account']}, backend {row['pid']})" for row in others[:5])
            raise RecoverRefusal(
                "store-in-use",
                found=f"{len(others)} other sessions on the database: {who}" if others else "an active relay",
                needed="a database that nobody else uses",
                next_step="stop `tongshui up`, every process and every other program that is connected, then try again",
            )
        yield db


def _others(db: Database) -> list[DictRow]:
    deadline = time.monotonic() + ALONE_S
    while others := db.execute(sql("other_sessions")).fetchall():
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return others


def _refuse_unfinished(db: Database) -> None:
    if db.execute(sql("generation_unfinished")).fetchone() is not None:
        raise RecoverRefusal(
            "generation-unfinished",
            found="a new generation that has begun and whose topics were not made anew",
            needed="the end of what was begun",
            next_step="run `tongshui store recover --new-generation` again: it goes on where it was interrupted",
        )


# ---- looking


class _Look:
    """Reads every chained topic once; what the store has byte for byte is forgotten, the rest staged in a table."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self.settings = settings
        self.db = db
        self.confirmed = bytearray()

    def find(self) -> KafkaSurplus:
        head = self.db.execute(sql("lock_head")).fetchone()
        if head is None:
            raise psycopg.OperationalError("store.log_head has no row; run `tongshui migrate`")
        self.confirmed = bytearray(head["position"] + 1)
        self.db.execute(sql("recover_stage"))
        self.read()
        self.db.execute("ANALYZE beyond")
        seen = self.db.execute(sql("recover_found")).fetchone()
        assert seen is not None
        generations = self.generations()
        newest = self.newest_generation(head)
        generation = generations[-1].generation if generations else newest
        return KafkaSurplus(
            head=head["position"],
            events=seen["events"],
            first=seen["first"],
            last=seen["last"],
            fork=self.fork(head["position"], generations, newest),
            missing=self.missing(head["position"]) or self.unseen(head["position"], seen["last"]),
            generation=generation,
            forked_behind=min([self.agreed(head["position"]), *([seen["first"] - 1] if seen["events"] else [])]),
        )

    def read(self) -> None:
        cluster = look_up_cluster(self.settings, chained_topics(self.settings))
        refuse_other_counts(cluster, self.settings.partitions)
        known_forged = disowned(self.db, cluster)
        with consumer(self.settings, client_id="tongshui-recover", reset="none") as client:
            where = logs(client, cluster, cluster.partitions)
            for partition, records in read_ranges(client, {p: (its.first, its.end) for p, its in where.items()}):
                self.stage(partition, without(records, partition, known_forged))

    def stage(self, partition: Partition, records: Sequence[Record]) -> None:
        linked = [(link.position, record) for record in records if (link := link_of(record)) is not None]
        positions = [position for position, _ in linked]
        rows = self.db.execute(sql("events_at"), {"positions": positions}, binary=True).fetchall()
        stored = {row["notification_id"]: bytes(row["state"]) for row in rows}
        unknown = []
        for position, record in linked:
            if stored.get(position) != record.value:
                unknown.append(record)
            else:
                self.confirmed[position] = 1
        with self.db.cursor() as cursor:
            cursor.executemany(sql("recover_put"), [self.row(partition, record) for record in unknown])

    def row(self, partition: Partition, record: Record) -> dict[str, Any]:
        event = parse(record)
        if not isinstance(event, Event) or partition not in self.routes(event):
            raise RecoverRefusal(
                "record-unreadable",
                found=f"a record at {partition}, offset {record.offset}, that has the relay's marks and is no event "
                "of ours that belongs there",
                needed="records that this program's relay, or an older one's, wrote",
                next_step="find out who writes to the topics; run the program version that wrote the record",
            )
        return {
            "position": event.position,
            "topic": partition.topic,
            "partition": partition.partition,
            "record_offset": record.offset,
            "generation": record.headers["generation"].decode("ascii", "replace"),
            "headers": Jsonb({name: value.decode("utf-8", "replace") for name, value in record.headers.items()}),
            "event_id": event.id,
            "type": event.type,
            "case_id": event.case_id,
            "version": event.version,
            "recorded_at": event.recorded_at,
            "state": event.raw,
        }

    def routes(self, event: Event) -> tuple[Partition, ...]:
        return route(event.type, event.case_id, self.settings.partitions, self.settings.topic_prefix)

    def newest_generation(self, head: Mapping[str, Any]) -> UUID:
        """The store's own; an empty store takes on the one that Kafka's newest record is of."""
        row = self.db.execute(sql("recover_newest")).fetchone()
        return UUID(row["generation"]) if row is not None and not head["position"] else head["generation"]

    def fork(self, head: int, generations: Sequence[GenerationStarted], own: UUID) -> Fork | None:
        for started in generations:
            if started.forked_behind < head <= started.begins_behind:
                return Fork(
                    started.forked_behind + 1,
                    "the generation that began behind position " + str(started.begins_behind),
                    "which was given up there, though this store has it",
                )
        if fork := self.other_chain(head):
            return fork
        if row := self.db.execute(sql("recover_fork")).fetchone():
            return Fork(row["position"], _where(row), "with other bytes than the store or another record has")
        known = [str(own), *(str(started.generation) for started in generations)]
        if row := self.db.execute(sql("recover_strange"), {"known": known}).fetchone():
            return Fork(row["position"], _where(row), f"of another store's life ({row['generation']})")
        return None

    def other_chain(self, head: int) -> Fork | None:
        """The first record beyond the store whose chain names another event before it than the store has.

        It tells of a store that went on by itself where Kafka lost the very records that would contradict it.
        """
        chain: dict[Partition, int] = {}
        before: dict[tuple[Partition, int], int] = {}
        beyond = self.db.execute(sql("recover_links")).fetchall()
        for row in itertools.chain(self.stored(head), beyond):
            position = row["position"]
            for partition in route(row["type"], row["case_id"], self.settings.partitions, self.settings.topic_prefix):
                if chain.get(partition) != position:
                    if position > head:
                        before[partition, position] = chain.get(partition, 0)
                    chain[partition] = position
            if position > head:
                partition = Partition(row["kafka_topic"], row["partition"])
                if before.get((partition, position)) != int(row["previous"]):
                    return Fork(position, _where(row), "whose chain names another event before it than the store has")
        return None

    def stored(self, head: int) -> Iterator[DictRow]:
        """Where every event of the store is routed by; some thousands at a time."""
        position = 0
        while rows := self.db.execute(sql("recover_routes"), {"position": position, "head": head}).fetchall():
            yield from rows
            position = rows[-1]["position"]

    def generations(self) -> list[GenerationStarted]:
        rows = self.db.execute(sql("recover_generations"), {"type": STARTED}).fetchall()
        return [_GENERATION(row["data"]) for row in rows]

    def agreed(self, head: int) -> int:
        """Up to where every event of the store was found on Kafka; positions have holes where a generation began."""
        position = 0
        while 0 < (position := self.confirmed.find(0, position + 1)) <= head:
            row = self.db.execute(sql("outgoing"), {"position": position - 1, "limit": 1}).fetchone()
            if row is None:
                break
            if row["notification_id"] == position:
                return position - 1
            position = row["notification_id"] - 1
        return head

    def unseen(self, head: int, last: int) -> tuple[int, int] | None:
        """Positions that a reader of ours, or the relay, has noted down and that are nowhere any more."""
        row = self.db.execute(sql("recover_highest"), {"head": head}).fetchone()
        assert row is not None
        end = max(head, last)
        return (end + 1, int(row["highest"])) if last and row["highest"] > end else None

    def missing(self, head: int) -> tuple[int, int] | None:
        """Holes are errors, but for those that a new generation began behind: its first event says so."""
        for row in self.db.execute(sql("recover_holes"), {"head": head}):
            first, last = int(row["first"]), int(row["last"])
            explained = row["type"] == STARTED and row["data"]["begins_behind"] == last
            if last >= first and not explained:
                return first, last
        return None


def _where(row: Mapping[str, Any]) -> str:
    return f"{Partition(row['kafka_topic'], row['partition'])}, offset {row['record_offset']}"


# ---- appending back


def _refuse_forked(found: KafkaSurplus) -> None:
    if found.fork is not None:
        raise RecoverRefusal(
            "histories-forked",
            found=f"position {found.fork.position} at {found.fork.where}, {found.fork.why}",
            needed="a store that is an earlier state of what was published, and nothing else",
            next_step="restore a backup from before that, or give up what was published: "
            "`tongshui store recover --new-generation`",
        )
    if found.missing is not None:
        first, last = found.missing
        raise RecoverRefusal(
            "chain-link-missing",
            found=f"positions {first} to {last} on no topic, though they were published or later ones are there",
            needed="every position from the store's head on",
            next_step="restore a later backup, or give up what was published: "
            "`tongshui store recover --new-generation`",
        )


def _append_back(db: Database, found: KafkaSurplus) -> list[str]:
    db.execute(sql("recover_append"))
    rules = {"last": found.last, "generation": found.generation, "rule_types": list(RULE_TYPES)}
    db.execute(sql("recover_head"), rules)
    for row in db.execute(sql("recover_generations"), {"type": STARTED}).fetchall():
        db.execute(sql("generation_begun"), row["data"])
    db.execute(sql("generation_finished"))
    keys = db.execute(sql("recover_commands")).rowcount
    db.execute(sql("recover_numbers"))
    db.execute(sql("announce"), {"position": found.last})
    return [
        f"store: head {found.head}; Kafka's records up to there are the store's, byte for byte",
        f"appended back: {found.events} events, positions {found.first} to {found.last}, and {keys} command ids",
        f"what was stored behind position {found.last} and never published is lost, and nobody can name it",
        "checkpoints: the notary takes back from their topic what it lacks; its key must be the one that signed last",
    ]


def _lost(db: Database) -> list[str]:
    """What events do not carry, as lines."""
    subjects = db.execute(sql("recover_lost_subjects")).fetchone()
    counts = db.execute(sql("recover_counts"), {"telling": list(TELLING)}).fetchone()
    assert subjects is not None
    assert counts is not None
    return [
        f"does not come back: particulars of {subjects['subjects']} persons in the vault (their cases stand; ask "
        "again)",
        f"does not come back: idempotency keys that clients gave, of at most {counts['commands']} commands "
        "(one sent again is judged anew)",
        f"does not come back: {counts['messages']} messages of the outbox, and alerts (their orders are on record: see "
        "with the gateway what was sent, and have the rest told by hand)",
        "does not come back: meter readings older than their topic keeps them; younger ones are read from it again",
        "billing opens accounts again in the order in which it reads: compare their numbers with what was handed out",
    ]


# ---- giving up


class _GivingUp:
    """The store's side of a new generation, in the caller's transaction."""

    def __init__(self, settings: Settings, db: Database, found: KafkaSurplus, actor: str, keep: Path) -> None:
        self.settings = settings
        self.db = db
        self.found = found
        self.actor = actor
        self.generation = uuid4()
        self.keep = keep

    def run(self, read_models: Sequence[ReadModel], rebuild_billing: bool, dry_run: bool) -> list[str]:
        row = self.db.execute(sql("recover_highest"), {"head": self.found.head}).fetchone()
        assert row is not None
        rows = self.db.execute(sql("recover_list")).fetchall()
        text = b"".join(self.line(found) for found in rows)
        emptied = self.empty(read_models, rebuild_billing)
        if not dry_run:
            self.write(text)
        started = GenerationStarted(
            self.generation,
            self.found.forked_behind,
            int(row["highest"]),
            self.found.events,
            sha256(text).hexdigest(),
        )
        lost = _lost(self.db)
        position = self.begin(started, rows)
        return [
            f"store: head {self.found.head}; it agrees with Kafka up to position {started.forked_behind}",
            f"given up: {self.found.events} events of positions {self.found.first} to {self.found.last}",
            *self.shown(rows),
            f"kept with bytes and headers in {self.keep}, SHA-256 {started.list_sha256}",
            f"new generation {self.generation}, from position {position} on",
            *(f"emptied, to be filled anew: {name}" for name in emptied),
            *lost,
            f"readers outside who have read beyond position {started.forked_behind}: take back what is on the list, "
            "also from an inbox by event id, and read again from there",
            f"auditors who kept a checkpoint: hand them {self.keep}; with it `tongshui audit verify` shows that events "
            f"up to position {started.forked_behind} are as they were signed, and which of those signed were given up",
        ]

    def line(self, row: Mapping[str, Any]) -> bytes:
        """A record as it was published: the value as text where it is, which it is always."""
        kept = {
            "topic": row["kafka_topic"],
            "partition": row["partition"],
            "offset": row["record_offset"],
            "key": str(row["case_id"]),
            "headers": row["headers"],
            "value_base64": b64encode(bytes(row["state"])).decode(),
        }
        return msgspec.json.encode(kept) + b"\n"

    def write(self, text: bytes) -> None:
        if self.keep.exists():
            raise RecoverRefusal(
                "list-exists",
                found=f"the file {self.keep}",
                needed="a new file for what is given up",
                next_step="name another one with --keep",
            )
        self.keep.parent.mkdir(parents=True, exist_ok=True)
        with self.keep.open("xb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def begin(self, started: GenerationStarted, rows: Sequence[Mapping[str, Any]]) -> int:
        """Move the head above everything, and put on record why. Returns the event's position."""
        self.db.execute(sql("generation_begun"), msgspec.to_builtins(started))
        self.db.execute(sql("recover_numbers"))
        head = self.db.execute(sql("lock_head")).fetchone()
        assert head is not None
        now = max(self.now(), head["recorded_at"])
        # Above those given up too: an event's id is made of case and version, and is not used twice either.
        last = self.db.execute(sql("last_version"), {"id": STREAM}).fetchone()
        assert last is not None
        version = max([last["version"], *(row["version"] for row in rows if row["case_id"] == STREAM)]) + 1
        command = str(uuid4())
        stamp = Stamp(self.actor, "operator", "office", command, correlation_id=command)
        stored = CloudEventMapper(JSONTranscoder()).to_stored_event(
            Envelope(STREAM, version, kinds.GENERATIONS.topic, started, now, None, stamp)
        )
        position = started.begins_behind + 1
        self.db.execute(
            sql("insert_events"),
            {
                "ids": [STREAM],
                "versions": [version],
                "types": [stored.topic],
                "states": [seal(bytes(stored.state), position, now)],
                "positions": [position],
            },
        )
        moved = {"position": position, "recorded_at": now, "generation": started.generation}
        self.db.execute(sql("generation_head"), moved)
        self.db.execute(sql("announce"), {"position": position})
        return position

    def now(self) -> datetime:
        """The service's time; real where the clock was never anchored."""
        row = self.db.execute(sql("clock_anchor")).fetchone()
        return ScaledClock(row["real_at"], row["service_at"], row["factor"]).now() if row else datetime.now(UTC)

    def shown(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        events = list({row["position"]: row for row in rows}.values())
        for row in events[:SHOWN]:
            yield f"  {row['position']:>8}  {row['type']}  case {row['case_id']} version {row['version']}"
        if len(events) > SHOWN:
            yield f"  … and {len(events) - SHOWN} more in the file"

    def empty(self, read_models: Sequence[ReadModel], rebuild_billing: bool) -> list[str]:
        """Empty what has read beyond the fork: it holds what is given up."""
        ahead = self.db.execute(sql("recover_readers_ahead"), {"behind": self.found.forked_behind}).fetchall()
        names = {(row["schema"], row["reader"]) for row in ahead}
        models = [model for model in read_models if (model.schema, model.reader) in names]
        for model in models:
            self.clear(model.schema, model.reader, model.tables)
        if any(schema == "billing" for schema, _ in names):
            if not rebuild_billing:
                raise self.billing_ahead()
            tables = self.db.execute(sql("recover_tables"), {"schema": "billing"}).fetchall()
            self.db.execute(SQL("TRUNCATE ") + SQL(", ").join([SQL(row["name"]) for row in tables]))
        for schema, reader in sorted(names - {(model.schema, model.reader) for model in models}):
            if schema != "billing":
                self.clear(schema, reader, ())
        self.db.execute(sql("recover_sweep"), {"behind": self.found.forked_behind})
        self.db.execute(sql("recover_recompute"))
        return [f"{schema} {reader}" for schema, reader in sorted(names)]

    def clear(self, schema: str, reader: str, tables: Sequence[str]) -> None:
        if tables:
            self.db.execute(SQL("TRUNCATE " + ", ".join(tables)))  # names of our own
        self.db.execute(SQL(f"DELETE FROM {schema}.places WHERE reader = %s"), [reader])

    def billing_ahead(self) -> RecoverRefusal:
        return RecoverRefusal(
            "billing-ahead",
            found=f"billing has booked events above position {self.found.forked_behind} that would be given up",
            needed="books without them",
            next_step="copy the schema billing for the office, then add --rebuild-billing: the books are emptied and "
            "filled anew, with new account numbers",
        )


def _nothing_to_give_up(found: KafkaSurplus) -> RecoverRefusal:
    return RecoverRefusal(
        "nothing-to-give-up",
        found=f"nothing on Kafka that the store, which ends at position {found.head}, has not",
        needed="a store that stands behind Kafka",
        next_step="start the relay",
    )

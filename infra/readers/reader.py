"""What every reader of the topics shares: reading a record, the reader's rule, places, dead letters, a plain shell.

**The reader's rule.** A record has a position p and the position q of the record before it in its partition (0: none);
a reader has a stored position s for the partition. p <= s: drop it. q <= s < p: apply it. q > s: hold, that is read on
and apply nothing of the partition until a record fits again. With the place stored in the transaction that writes the
rows, a repeated record is dropped, a lost one is noticed, and each event is applied exactly once, in order.

The first half of this module is pure and free of any Kafka client: the protocol model, the Faust shell and the plain
shell below drive the same ``apply``.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
import psycopg
from kafka.errors import KafkaError
from kafka.structs import TopicPartition
from psycopg import Cursor
from psycopg.sql import SQL, Composed, Identifier

from infra.decoders import converter, decoder
from infra.kafka.cluster import (
    BusRefusal,
    Cluster,
    Log,
    Partition,
    Record,
    admin_client,
    case_key,
    consumer,
    logs,
    look_up,
    look_up_cluster,
    read_ranges,
    record_of,
)
from infra.relay.topic_guard import ask_for_walks
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

T = TypeVar("T")

LARGEST_POSITION = 2**63 - 1
UNDECODABLE = "undecodable-batch"
"""Why a record is none: the batch that lies at its offset cannot be decoded (``infra/kafka/batches.py``)."""
COMPARE_S = 2.0
"""How often the plain shell compares its places with how far the relay is."""
LOOK_S = 30.0
"""How often the plain shell asks whether topics were made anew."""
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_NO_TOPIC_IDS: Mapping[str, UUID] = {}
_UNKNOWN_TOPIC = UUID(int=0)


# ---- a record read


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A published event with its place in the store's log (``position``) and on Kafka (topic, partition, offset)."""

    position: int
    previous: int
    """Position of the record before it in the same partition; 0: it is the first."""
    id: UUID
    type: str
    case_id: UUID
    version: int
    happened_at: datetime
    reported_at: datetime | None
    recorded_at: datetime
    actor: str
    role: str
    channel: str
    command_id: str
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]
    raw: bytes
    topic: str
    partition: int
    offset: int


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record is no event. ``reason`` names fields, never what was in them: it may be somebody's phone number."""

    code: str
    """undecodable-batch, no-value, not-json, not-cloudevent, no-position, no-chain-header, bad-chain, bad-time, bad-id,
    wrong-key"""
    reason: str
    position: int | None = None
    previous: int | None = None
    """Both set where the record is a link of its partition's chain although its content cannot be read."""
    case_id: UUID | None = None
    """From the key: a reader that must not miss anything can look at this case in the store."""


class Link(msgspec.Struct, frozen=True, gc=False):
    """What the relay's chain needs of a record."""

    position: int
    previous: int
    epoch: int


_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_Position = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_POSITION)]


class _Wire(msgspec.Struct, frozen=True):
    """The published JSON, as far as readers use it. Fields we do not know are ignored: additions are no break."""

    specversion: str
    id: UUID
    type: str
    subject: UUID
    time: _Time
    caseversion: int
    position: _Position
    recordedat: _Time
    data: dict[str, Any]
    reportedat: _Time | None = None
    actor: str = ""
    role: str = ""
    channel: str = ""
    commandid: str = ""
    correlationid: str = ""
    causationid: str | None = None


class _Placed(msgspec.Struct, frozen=True, gc=False):
    position: _Position


_WIRE = decoder(_Wire)
_WIRE_OF = converter(_Wire)
_PLACED = decoder(_Placed)
_ANY = msgspec.json.Decoder()


def parse(record: Record) -> Event | Unreadable:
    """The event in a record, or why there is none. Never raises."""
    value = record.value
    previous = _decimal(record.headers.get("previousposition"))
    if value is None or previous is None:
        return _diagnose(record)
    try:
        wire = _WIRE.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _diagnose(record)
    if wire.position <= previous or wire.specversion != "1.0" or record.key != case_key(wire.subject):
        return _diagnose(record)
    return Event(
        position=wire.position,
        previous=previous,
        id=wire.id,
        type=wire.type,
        case_id=wire.subject,
        version=wire.caseversion,
        happened_at=wire.time.astimezone(UTC),
        reported_at=wire.reportedat and wire.reportedat.astimezone(UTC),
        recorded_at=wire.recordedat.astimezone(UTC),
        actor=wire.actor,
        role=wire.role,
        channel=wire.channel,
        command_id=wire.commandid,
        correlation_id=wire.correlationid,
        causation_id=wire.causationid,
        data=wire.data,
        raw=value,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def link_of(record: Record) -> Link | None:
    """The record's link of its partition's chain; None where the record is not of our relay's making."""
    previous = _decimal(record.headers.get("previousposition"))
    epoch = _decimal(record.headers.get("epoch"))
    if record.value is None or previous is None or epoch is None or "generation" not in record.headers:
        return None
    try:
        position = _PLACED.decode(record.value).position
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Link(position, previous, epoch) if position > previous else None


def _decimal(header: bytes | None) -> int | None:
    return int(header) if header is not None and _DECIMAL.fullmatch(header) else None


def _diagnose(record: Record) -> Unreadable:
    """The slow path: name what is wrong with a record, and keep what can still be told of it."""
    code, reason = _fault(record)
    link = link_of(record)
    return Unreadable(
        code=code,
        reason=reason,
        position=link.position if link else None,
        previous=link.previous if link else None,
        case_id=_case_of(record.key),
    )


def _fault(record: Record) -> tuple[str, str]:
    if record.damage is not None:
        return UNDECODABLE, record.damage.reason
    if record.value is None:
        return "no-value", "the record has no value; events are never deleted"
    try:
        found = _ANY.decode(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "not-json", "the value is not JSON"
    if not isinstance(found, dict) or found.get("specversion") != "1.0":
        return "not-cloudevent", "the value is not a CloudEvents 1.0 object"
    position = found.get("position")
    if not isinstance(position, int) or not 0 < position <= LARGEST_POSITION:
        return "no-position", "position is not a positive integer"
    previous = _decimal(record.headers.get("previousposition"))
    if previous is None:
        return "no-chain-header", "the header previousposition is missing or not a number"
    if position <= previous:
        return "bad-chain", "the header previousposition is not below position"
    return _field_fault(record, found)


def _field_fault(record: Record, found: dict[str, Any]) -> tuple[str, str]:
    try:
        wire = _WIRE_OF(found)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`") if "`$." in str(error) else ""
        if field in ("time", "recordedat", "reportedat"):
            return "bad-time", f"{field} is not an RFC 3339 time with an offset"
        if field in ("id", "subject"):
            return "bad-id", f"{field} is not a UUID"
        return "not-cloudevent", f"{field} is of the wrong type" if field else str(error)
    if record.key != case_key(wire.subject):
        return "wrong-key", "the record's key is not the event's subject"
    return "not-cloudevent", "the value could not be read"


def _case_of(key: bytes | None) -> UUID | None:
    try:
        return UUID(key.decode("ascii")) if key else None
    except ValueError:
        return None


# ---- the reader's rule


class Place(msgspec.Struct, frozen=True, gc=False):
    """How far a reader is in one partition: the last position applied, and the offset and topic it was seen at."""

    position: int = 0
    offset: int = -1
    topic_id: UUID | None = None


START = Place()


class Held(msgspec.Struct, frozen=True, gc=False):
    """The first record of a partition that did not fit: its predecessor has not come."""

    stored: int
    previous: int
    position: int
    offset: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is no event: where it lies and why, never what is in it."""

    topic: str
    topic_id: UUID
    partition: int
    offset: int
    position: int | None
    code: str
    reason: str
    size_bytes: int
    sha256: str
    case_id: UUID | None


def dead_letter_of(event: Event, topic_ids: Mapping[str, UUID], code: str, reason: str) -> DeadLetter:
    """The dead letter of a record that is an event by form but whose ``data`` a reader could not take."""
    return DeadLetter(
        topic=event.topic,
        topic_id=topic_ids.get(event.topic, _UNKNOWN_TOPIC),
        partition=event.partition,
        offset=event.offset,
        position=event.position,
        code=code,
        reason=reason,
        size_bytes=len(event.raw),
        sha256=sha256(event.raw).hexdigest(),
        case_id=event.case_id,
    )


BAD_CONTENT = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading content raises that its type does not promise, from a missing field to a text in a number's place."""
REFUSED = (psycopg.DataError, psycopg.IntegrityError, UnicodeError, OverflowError)
"""What a table refuses: a number beyond its column, a text with a zero character, nothing where something must be."""


def kept_or_dead(
    cursor: Cursor[Any],
    items: Sequence[T],
    keep: Callable[[Sequence[T]], Sequence[DeadLetter]],
    dead: Callable[[T, Exception], DeadLetter],
) -> list[DeadLetter]:
    """Keep all at once; where a table refuses something of them, in halves, until it is known which one it is.

    In the cursor's transaction, each try in a savepoint of its own, in order. Without this a single malformed event
    would end its reader for ever, at the same place after every start.
    """
    if not items:
        return []
    try:
        with cursor.connection.transaction():
            return list(keep(items))
    except REFUSED as error:
        if len(items) == 1:
            return [dead(items[0], error)]
    middle = len(items) // 2
    first = kept_or_dead(cursor, items[:middle], keep, dead)
    return first + kept_or_dead(cursor, items[middle:], keep, dead)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch of records comes to."""

    events: list[Event]
    """To be applied, in the order of the batch: by position within a partition."""
    places: dict[Partition, Place]
    """The places that changed; to be stored in the transaction that applies the events."""
    moved: frozenset[Partition]
    """Partitions whose position grew."""
    dead_letters: list[DeadLetter]
    held: dict[Partition, Held]
    """Partitions held when the batch ended."""
    dropped: int
    """Records that were applied before."""


def apply(
    records: Iterable[Record],
    places: Mapping[Partition, Place],
    topic_ids: Mapping[str, UUID] = _NO_TOPIC_IDS,
) -> Applied:
    """Judge records, in order of offset within each partition, against places, by the reader's rule. Pure.

    ``topic_ids`` are the ids of the topics the records were read from; a topic not named keeps the id its place has.
    A linked record whose content cannot be read becomes a dead letter *and* moves the place: it is one of the chain,
    and holding for ever would stop the partition. An unreadable record that is no link moves nothing.
    """
    return _Batch(places, topic_ids).run(records)


class _Batch:
    def __init__(self, places: Mapping[Partition, Place], topic_ids: Mapping[str, UUID]) -> None:
        self.places = places
        self.topic_ids = topic_ids
        self.events: list[Event] = []
        self.now: dict[Partition, Place] = {}
        self.moved: set[Partition] = set()
        self.dead: list[DeadLetter] = []
        self.held: dict[Partition, Held] = {}
        self.dropped = 0

    def run(self, records: Iterable[Record]) -> Applied:
        for record in records:
            self.take(record, Partition(record.topic, record.partition))
        return Applied(
            events=self.events,
            places=self.now,
            moved=frozenset(self.moved),
            dead_letters=self.dead,
            held=self.held,
            dropped=self.dropped,
        )

    def take(self, record: Record, at: Partition) -> None:
        found = parse(record)
        place = self.now.get(at) or self.places.get(at, START)
        if found.position is None or found.previous is None:
            self.dead.append(self.dead_letter(record, found, place))
        elif found.position <= place.position:
            self.dropped += 1
            if found.position == place.position:
                # Seen again at another offset, or in a topic made anew: that is where to read on from next time.
                self.set_place(at, record, place.position, place)
        elif found.previous > place.position:
            self.held.setdefault(at, Held(place.position, found.previous, found.position, record.offset))
        else:
            if isinstance(found, Event):
                self.events.append(found)
            else:
                self.dead.append(self.dead_letter(record, found, place))
            self.set_place(at, record, found.position, place)
            self.moved.add(at)
            self.held.pop(at, None)

    def set_place(self, at: Partition, record: Record, position: int, old: Place) -> None:
        place = Place(position, record.offset, self.topic_ids.get(at.topic, old.topic_id))
        if place != old:
            self.now[at] = place

    def dead_letter(self, record: Record, why: Unreadable, place: Place) -> DeadLetter:
        value = record.value or b""
        return DeadLetter(
            topic=record.topic,
            topic_id=self.topic_ids.get(record.topic) or place.topic_id or _UNKNOWN_TOPIC,
            partition=record.partition,
            offset=record.offset,
            position=why.position,
            code=why.code,
            reason=why.reason,
            size_bytes=len(value),
            sha256=sha256(value).hexdigest(),
            case_id=why.case_id,
        )


class HoldAlarm:
    """Remembers since when partitions stand still, and tells which are overdue. Times are seconds of one steady clock.

    A partition stands still while it is held, or while the relay has had records acknowledged that never came.
    """

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self._since: dict[Partition, float] = {}
        self._next: dict[Partition, float] = {}
        self._held: set[Partition] = set()

    def update(self, applied: Applied, now: float) -> None:
        """Take in what a batch came to, once it is stored."""
        self.forget(applied.moved)
        self._held.update(applied.held)
        self._start(applied.held, now)

    def compare(self, out: Mapping[Partition, int], places: Mapping[Partition, Place], now: float) -> None:
        """Take in how far the relay is (``relayed_positions``), and the places; to be asked every few seconds.

        The chain tells of a missing record only when a later one comes. Where a log was cut and has grown again just
        as far as we had read, none may come.
        """
        behind = {p for p, position in out.items() if position > places.get(p, START).position}
        self.forget([p for p in self._since if p not in behind and p not in self._held])
        self._start(behind, now)

    def due(self, now: float) -> list[Partition]:
        """Partitions to raise the alarm for *and to read again from their first record*: still for ``after_s``.

        Each is told again after twice its age, should that not have helped; it moves again as soon as something fits.
        """
        due = [partition for partition, at in self._next.items() if at <= now]
        for partition in due:
            self._next[partition] = now + max(self.after_s, now - self._since[partition])
        return due

    def forget(self, partitions: Iterable[Partition]) -> None:
        """They moved, or they are no longer ours."""
        for partition in list(partitions):
            self._since.pop(partition, None)
            self._next.pop(partition, None)
            self._held.discard(partition)

    def still_s(self, now: float) -> dict[Partition, float]:
        """How long each partition that stands still has done so."""
        return {partition: now - since for partition, since in self._since.items()}

    def _start(self, partitions: Iterable[Partition], now: float) -> None:
        for partition in partitions:
            self._since.setdefault(partition, now)
            self._next.setdefault(partition, now + self.after_s)


# ---- where to read from


def start_offset(place: Place | None, where: Log) -> int:
    """The offset to read from: behind the place, or the first where the place is not of this log."""
    if place is None or place.offset < 0 or place.topic_id != where.topic_id:
        return where.first
    behind = place.offset + 1
    return behind if where.first <= behind <= where.end else where.first


PositionsAt = Callable[[Mapping[Partition, int]], Mapping[Partition, int | None]]
"""Partition → offset, to partition → the position of the record at that offset (None: none of ours)."""


def start_offsets(
    connection: psycopg.Connection[Any],
    table: str,
    readers: Iterable[tuple[str, int]],
    assigned: Mapping[Partition, Log],
    positions_at: PositionsAt | None = None,
) -> dict[Partition, int]:
    """Where to read each assigned partition from, by the stored places of (reader, build) pairs: the smallest counts.

    With ``positions_at`` the record at the stored offset must carry the stored position, else the log was cut and
    written anew, and reading starts at its first record.
    """
    wanted = list(readers)
    places = load_places(connection, table, wanted)
    found: dict[Partition, tuple[int, Place | None]] = {}
    for partition, where in assigned.items():
        starts = [
            (start_offset(place, where), place) for place in (places.get((*reader, partition)) for reader in wanted)
        ]
        found[partition] = min(starts, key=lambda start: start[0])
    # A place before the first record (offset -1) is no record that could be looked at.
    behind = {p: place for p, (start, place) in found.items() if place is not None and 0 <= place.offset == start - 1}
    at = positions_at({p: place.offset for p, place in behind.items()}) if positions_at is not None and behind else None
    wrong = {p for p, place in behind.items() if at is not None and at.get(p) != place.position}
    return {p: assigned[p].first if p in wrong else start for p, (start, _) in found.items()}


def positions_at(client: Any, offsets: Mapping[Partition, int]) -> dict[Partition, int | None]:
    """The positions at the given offsets, by a kafka-python consumer made for it (``reset="none"``).

    The offsets must be in the logs. Raises KafkaTimeoutError where a record does not come.
    """
    found: dict[Partition, int | None] = dict.fromkeys(offsets)
    for partition, records in read_ranges(client, {p: (offset, offset + 1) for p, offset in offsets.items()}):
        for record in records:
            link = link_of(record)
            found[partition] = link.position if link else None
    return found


# ---- PostgreSQL


def connect(settings: Settings) -> psycopg.Connection[tuple[Any, ...]]:
    """A direct connection that notices within about 5 s that the other end is gone. Autocommit; use transactions."""
    return psycopg.connect(
        settings.database_url,
        autocommit=True,
        connect_timeout=5,
        keepalives=1,
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=3,
        tcp_user_timeout=5_000,
    )


def _on(name: str, table: str) -> Composed:
    return SQL(sql(name)).format(places=Identifier(*table.split(".")))


def lock_places(
    cursor: Cursor[Any], table: str, reader: str, build: int, partitions: Iterable[Partition]
) -> dict[Partition, Place]:
    """The reader's places of these partitions, locked in key order until the transaction ends; missing ones made.

    ``table`` is "views.places", "watch.places" or "billing.places". Whoever holds the lock is the only one who applies
    anything of the partition, so two processes that both believe a partition to be theirs do no harm.
    """
    wanted = sorted(set(partitions))
    keys = {
        "reader": reader,
        "build": build,
        "topics": [topic for topic, _ in wanted],
        "partitions": [number for _, number in wanted],
    }
    rows = cursor.execute(_on("lock_places", table), keys).fetchall()
    if len(rows) < len(wanted):
        cursor.execute(_on("insert_places", table), keys)
        rows = cursor.execute(_on("lock_places", table), keys).fetchall()
    return {Partition(row[0], row[1]): Place(row[3], row[4], row[2]) for row in rows}


def save_places(cursor: Cursor[Any], table: str, reader: str, build: int, places: Mapping[Partition, Place]) -> None:
    """Store places that ``lock_places`` locked in this transaction. None: nothing is done."""
    if not places:
        return
    cursor.execute(
        _on("save_places", table),
        {
            "reader": reader,
            "build": build,
            "topics": [partition.topic for partition in places],
            "partitions": [partition.partition for partition in places],
            "positions": [place.position for place in places.values()],
            "offsets": [place.offset for place in places.values()],
            "topic_ids": [place.topic_id for place in places.values()],
        },
    )


def load_places(
    connection: psycopg.Connection[Any], table: str, readers: Iterable[tuple[str, int]]
) -> dict[tuple[str, int, Partition], Place]:
    """(reader, build, partition) → place, of the given (reader, build) pairs; nothing is locked."""
    wanted = list(readers)
    keys = {"readers": [name for name, _ in wanted], "builds": [build for _, build in wanted]}
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        rows = cursor.execute(_on("places_of", table), keys).fetchall()
    return {(row[0], row[1], Partition(row[2], row[3])): Place(row[5], row[6], row[4]) for row in rows}


def relayed_positions(connection: psycopg.Connection[Any], topics: Iterable[str]) -> dict[Partition, int]:
    """How far the relay has had each partition acknowledged, by its last checkpoints; partitions with nothing are 0."""
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        rows = cursor.execute(sql("relayed_positions"), {"topics": list(topics)}).fetchall()
    return {Partition(row[0], row[1]): row[2] for row in rows}


def save_dead_letters(cursor: Cursor[Any], reader: str, letters: Sequence[DeadLetter]) -> None:
    """Write dead letters as rows; one read again is the same row. The relay publishes them."""
    if not letters:
        return
    cursor.execute(
        sql("insert_dead_letters"),
        {
            "reader": reader,
            "topics": [letter.topic for letter in letters],
            "topic_ids": [letter.topic_id for letter in letters],
            "partitions": [letter.partition for letter in letters],
            "offsets": [letter.offset for letter in letters],
            "positions": [letter.position for letter in letters],
            "codes": [letter.code for letter in letters],
            "reasons": [letter.reason for letter in letters],
            "sizes": [letter.size_bytes for letter in letters],
            "sha256s": [letter.sha256 for letter in letters],
            "cases": [letter.case_id for letter in letters],
        },
    )


class ReaderStopped(BusRefusal):
    """A reader met more records that it cannot take than settings allow: that is a fault of the program, and going on
    would pass over every one of them. Nothing of the batch was applied."""

    def __init__(self, reader: str, letters: int, at: DeadLetter, settings: Settings) -> None:
        place = f"{at.topic}/{at.partition} position {at.position}"
        super().__init__(
            "reader-stopped",
            found=f"{letters} dead letters of the reader {reader}, now {at.code} at {place}",
            needed=f"at most {settings.dead_letters_at_most} in {settings.dead_letters_within_s:.0f} s",
            next_step=f"see `tongshui dead-letters list --reader {reader}`; run a program that can read them, or "
            f"`tongshui dead-letters release {reader}` 读取已停止：请修复程序后重启，或由专人放行",
        )
        self.reader = reader
        self.letters = letters
        self.at = at


class _Stop(msgspec.Struct, frozen=True):
    at: Partition
    position: int


class LetterLimit:
    """Stops a reader that meets too many records it cannot take.

    Only links of the chain count, for with each of them the reader passes over an event; rubbish that somebody wrote
    to a topic stops nobody. A reader that was stopped takes no further dead letter, however much time goes by, until it
    is past the record that stopped it or a person releases it: else a faulty program would drain a topic slowly.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stops: dict[str, _Stop | None] = {}

    def check(
        self, cursor: Cursor[Any], reader: str, letters: Sequence[DeadLetter], places: Mapping[Partition, Place]
    ) -> None:
        """To be asked in the batch's transaction, after its dead letters were saved. Raises ReaderStopped."""
        linked = [letter for letter in letters if letter.position is not None]
        stop = self._stop(cursor, reader)
        if linked:
            within = {"reader": reader, "within_s": self._settings.dead_letters_within_s}
            row = cursor.execute(sql("dead_letters_lately"), within).fetchone()
            lately = int(row[0]) if row is not None else 0
            if stop is not None or lately > self._settings.dead_letters_at_most:
                raise ReaderStopped(reader, lately, linked[0], self._settings)
        elif stop is not None and places.get(stop.at, START).position >= stop.position:
            cursor.execute(sql("release_reader"), {"reader": reader, "by": "tongshui", "reason": "went on by itself"})
            self._stops[reader] = None

    def _stop(self, cursor: Cursor[Any], reader: str) -> _Stop | None:
        if reader not in self._stops:
            row = cursor.execute(sql("stop_of_reader"), {"reader": reader}).fetchone()
            self._stops[reader] = _Stop(Partition(row[0], row[1]), row[2]) if row is not None else None
        return self._stops[reader]


def note_stop(connection: psycopg.Connection[Any], stopped: ReaderStopped) -> None:
    """Write down that a reader stands still, for ``tongshui status`` and for when it is started again."""
    at = stopped.at
    connection.execute(
        sql("stop_reader"),
        {
            "reader": stopped.reader,
            "letters": stopped.letters,
            "topic": at.topic,
            "partition": at.partition,
            "position": at.position,
            "code": at.code,
        },
    )


# ---- a plain shell


Step = Callable[[Cursor[Any], list[Event]], Sequence[DeadLetter] | None]
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
    step: Step,
    limit: LetterLimit,
) -> Applied:
    """Apply a batch in one transaction: what the step writes, dead letters, places. Raises ReaderStopped."""
    partitions = {Partition(record.topic, record.partition) for record in records}
    with connection.transaction(), connection.cursor() as cursor:
        places = lock_places(cursor, table, reader, build, partitions)
        applied = apply(records, places, topic_ids)
        refused = step(cursor, applied.events) if applied.events else None
        ids = {letter.topic: topic_ids.get(letter.topic, letter.topic_id) for letter in refused or ()}
        named = [msgspec.structs.replace(letter, topic_id=ids[letter.topic]) for letter in refused or ()]
        letters = [*applied.dead_letters, *named]
        save_dead_letters(cursor, reader, letters)
        save_places(cursor, table, reader, build, applied.places)
        limit.check(cursor, reader, letters, {**places, **applied.places})
    return applied


def run_reader(
    settings: Settings,
    *,
    reader_name: str,
    schema: str,
    topics: Sequence[str],
    step: Step,
    stop: threading.Event,
    build: int = 1,
    on_batch: Callable[[Applied], None] | None = None,
    on_look: Callable[[psycopg.Connection[Any], Mapping[str, float]], None] | None = None,
) -> None:
    """Read whole topics with kafka-python until ``stop`` is set, one PostgreSQL transaction for each polled batch.

    Places are rows of ``<schema>.places``. All partitions are assigned by hand, without a consumer group: the place
    rows already make a second process harmless, offsets come from PostgreSQL, and a killed process goes on at once
    when restarted instead of waiting out its own dead session. A second process is a hot standby.

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
        step: Step,
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
        self.limit = LetterLimit(settings)
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
        ) as client:
            self.seek(client)
            while not self.stop.is_set():
                polled = client.poll(timeout_ms=self.settings.relay_poll_ms)
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
                # A commit whose answer was lost is safe to repeat: the places tell what stuck.
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
        places = load_places(connection, self.table, [(self.reader, self.build)])
        self.alarm.compare(out, {partition: place for (_, _, partition), place in places.items()}, now)

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

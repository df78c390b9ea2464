"""The reader's rule, pure and free of any Kafka client.

A record has a position p and the position q of the record before it in its partition (0: none); a reader has a stored
position s for the partition. p <= s: drop it. q <= s < p: apply it. q > s: hold, that is read on and apply nothing of
the partition until a record fits again. With the read position stored in the transaction that writes the rows, a
repeated record is dropped, a lost one is noticed, and each event is applied exactly once, in order.

The protocol model, the Faust app and the plain loop drive the same ``apply``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from uuid import UUID

import msgspec

from infra.kafka.cluster import (
    Partition,
    PartitionLog,
    Record,
)
from infra.readers.record import Event, ParsedRecord, Unreadable, parse_all

_NO_TOPIC_IDS: Mapping[str, UUID] = {}
_UNKNOWN_TOPIC = UUID(int=0)


class ReadPosition(msgspec.Struct, frozen=True, gc=False):
    """How far a reader is in one partition: the last position applied, and the offset and topic it was seen at."""

    position: int = 0
    offset: int = -1
    topic_id: UUID | None = None


START = ReadPosition()


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


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch of records comes to."""

    events: list[Event]
    """To be applied, in the order of the batch: by position within a partition."""
    read_positions: dict[Partition, ReadPosition]
    """The read positions that changed; to be stored in the transaction that applies the events."""
    moved: frozenset[Partition]
    """Partitions whose position grew."""
    dead_letters: list[DeadLetter]
    held: dict[Partition, Held]
    """Partitions held when the batch ended."""
    dropped: int
    """Records that were applied before."""


def apply(
    records: Iterable[Record],
    read_positions: Mapping[Partition, ReadPosition],
    topic_ids: Mapping[str, UUID] = _NO_TOPIC_IDS,
) -> Applied:
    """Judge records, in order of offset within each partition, against read positions, by the reader's rule. Pure.

    ``topic_ids`` are the ids of the topics the records were read from; a topic not named keeps the id its read position
    has. A linked record whose content cannot be read becomes a dead letter *and* moves the read position: it is one of
    the chain, and holding for ever would stop the partition. An unreadable record that is no link moves nothing.
    """
    return apply_parsed(parse_all(records), read_positions, topic_ids)


def apply_parsed(
    parsed: Iterable[ParsedRecord],
    read_positions: Mapping[Partition, ReadPosition],
    topic_ids: Mapping[str, UUID] = _NO_TOPIC_IDS,
) -> Applied:
    """As ``apply``, for records that were parsed already: a process with several readers parses each record once."""
    return _Batch(read_positions, topic_ids).run(parsed)


class _Batch:
    def __init__(self, read_positions: Mapping[Partition, ReadPosition], topic_ids: Mapping[str, UUID]) -> None:
        self.read_positions = read_positions
        self.topic_ids = topic_ids
        self.events: list[Event] = []
        self.now: dict[Partition, ReadPosition] = {}
        self.moved: set[Partition] = set()
        self.dead: list[DeadLetter] = []
        self.held: dict[Partition, Held] = {}
        self.dropped = 0

    def run(self, parsed: Iterable[ParsedRecord]) -> Applied:
        for each in parsed:
            self.take(each.record, each.found, Partition(each.record.topic, each.record.partition))
        return Applied(
            events=self.events,
            read_positions=self.now,
            moved=frozenset(self.moved),
            dead_letters=self.dead,
            held=self.held,
            dropped=self.dropped,
        )

    def take(self, record: Record, found: Event | Unreadable, at: Partition) -> None:
        read_position = self.now.get(at) or self.read_positions.get(at, START)
        if found.position is None or found.previous is None:
            self.dead.append(self.dead_letter(record, found, read_position))
        elif found.position <= read_position.position:
            self.dropped += 1
            if found.position == read_position.position:
                # Seen again at another offset, or in a topic made anew: that is where to read on from next time.
                self.set_read_position(at, record, read_position.position, read_position)
        elif found.previous > read_position.position:
            self.held.setdefault(at, Held(read_position.position, found.previous, found.position, record.offset))
        else:
            if isinstance(found, Event):
                self.events.append(found)
            else:
                self.dead.append(self.dead_letter(record, found, read_position))
            self.set_read_position(at, record, found.position, read_position)
            self.moved.add(at)
            self.held.pop(at, None)

    def set_read_position(self, at: Partition, record: Record, position: int, old: ReadPosition) -> None:
        read_position = ReadPosition(position, record.offset, self.topic_ids.get(at.topic, old.topic_id))
        if read_position != old:
            self.now[at] = read_position

    def dead_letter(self, record: Record, why: Unreadable, read_position: ReadPosition) -> DeadLetter:
        value = record.value or b""
        return DeadLetter(
            topic=record.topic,
            topic_id=self.topic_ids.get(record.topic) or read_position.topic_id or _UNKNOWN_TOPIC,
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

    def compare(
        self, out: Mapping[Partition, int], read_positions: Mapping[Partition, ReadPosition], now: float
    ) -> None:
        """Take in how far the relay is (``relayed_positions``), and the read positions; to be asked every few seconds.

        The chain tells of a missing record only when a later one comes. Where a log was cut and has grown again just
        as far as we had read, none may come.
        """
        behind = {p for p, position in out.items() if position > read_positions.get(p, START).position}
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


def start_offset(read_position: ReadPosition | None, where: PartitionLog) -> int:
    """The offset to read from: behind the read position, or the first where the read position is not of this log."""
    if read_position is None or read_position.offset < 0 or read_position.topic_id != where.topic_id:
        return where.first
    behind = read_position.offset + 1
    return behind if where.first <= behind <= where.end else where.first

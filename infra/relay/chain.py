"""The relay's protocol without its plumbing: the walk of a take-over, and what is on its way to Kafka.

Pure, so that the seeded model in the tests drives this very code under every loss it can think of. The chain, the
routes and the bytes depend on the store alone: whoever appends, how often and from how far back, appends the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from infra.kafka.cluster import Partition, Record, case_key, partition_of, routes_of
from infra.readers.record import Link, link_of


class ChainPosition(msgspec.Struct, frozen=True, gc=False):
    """Up to where a partition's chain was acknowledged: the record at ``offset`` carries this position and epoch.

    Position 0, offset -1: the partition was known and nothing had been written to it.
    """

    position: int
    offset: int
    epoch: int


NOTHING = ChainPosition(0, -1, 0)


class Walk:
    """Follows one partition's chain over its log, in offset order, as a reader who begins at the same point would.

    With a checkpoint the first record taken must be the one at its offset; ``stands`` tells whether it is the one the
    checkpoint means. Without one the walk begins at the log's first record.
    """

    def __init__(self, checkpoint: ChainPosition | None = None) -> None:
        self.linked = NOTHING
        """The last record of the unbroken chain: behind it everything is to be appended again."""
        self.head: int | None = None
        """The offset of the first record of that chain, where the walk has seen it."""
        self.foreign = 0
        """Records stepped over that are not of our making."""
        self._to_verify = self._given = checkpoint if checkpoint is not None and checkpoint.position else None
        self.stands = checkpoint is not None and self._to_verify is None
        """Whether what the checkpoint says is so; one whose record has not come yet is not believed."""

    @property
    def disproved(self) -> bool:
        """Whether the record that the checkpoint means is not where the checkpoint says: another one is, or none."""
        return self._given is not None and not self.stands

    def take(self, record: Record, *, disowned: bool = False) -> Link | None:
        """The next record. Returns its link, whether it continues the chain or not; None for a foreign one.
        ``disowned``: it has the marks of one of ours and is known to be none."""
        link = None if disowned else link_of(record)
        self.foreign += link is None
        if self._to_verify is not None:
            self._verify(self._to_verify, record, link)
        elif link is not None and link.previous == self.linked.position:
            self.linked = ChainPosition(link.position, record.offset, link.epoch)
            if link.previous == 0:
                self.head = record.offset
        return link

    def _verify(self, checkpoint: ChainPosition, record: Record, link: Link | None) -> None:
        self._to_verify = None
        found = ChainPosition(link.position, record.offset, link.epoch) if link is not None else None
        self.stands = found == checkpoint
        if self.stands:
            self.linked = checkpoint


def last_linked(records: Iterable[Record], checkpoint: ChainPosition | None = None) -> Walk:
    """Walk a whole log. With a checkpoint the records begin at its offset; see ``Walk.stands`` and ``Walk.linked``."""
    walk = Walk(checkpoint)
    for record in records:
        walk.take(record)
    return walk


def first_walk(checkpoint: ChainPosition | None, first: int, end: int, head: int | None = None) -> tuple[Walk, int]:
    """How to walk a log from offset ``first`` up to ``end``: the walk, and the offset to begin at.

    ``head``: the offset at which the chain begins, as far as it is known. Where the log begins behind it, its history
    is not whole any more, and it is walked from its first record as if nothing had been acknowledged: whatever is
    missing is then appended again. Where ``Walk.disproved`` is true afterwards the log is to be walked again, from its
    first record and without the checkpoint.
    """
    if head is not None and head < first:
        return Walk(), first
    if checkpoint is None or checkpoint.position == 0:
        return Walk(checkpoint), first
    if first <= checkpoint.offset < end:
        return Walk(checkpoint), checkpoint.offset
    return Walk(), first


def begin_behind(walks: Iterable[Walk], all_out: int) -> int:
    """The store position to send from: behind it something may be missing somewhere.

    Below ``all_out`` nothing is missing in a partition whose checkpoint stands, for both are stored together. Any
    other partition is missing whatever comes behind its last linked record.
    """
    return min([all_out, *(walk.linked.position for walk in walks if not walk.stands)])


class Tail(msgspec.Struct, frozen=True, gc=False):
    """Where a partition ends: the position its chain has come to, and the offset its next record must get."""

    position: int
    end: int


class OutgoingEvent(NamedTuple):
    """An event as the relay reads it from the store. ``case_id``: as text, which is what keys are made of."""

    position: int
    case_id: str
    type_name: str
    state: bytes


class Send(NamedTuple):
    """One record to append. ``previous`` is the position of the record before it in the partition."""

    partition: Partition
    position: int
    previous: int
    key: bytes
    value: bytes


class Appended(NamedTuple):
    """Records that Kafka appended one behind the other, the first of them at ``offset``."""

    partition: Partition
    offset: int
    number: int


def runs(partition: Partition, offsets: Sequence[int]) -> list[Appended]:
    """The offsets of acknowledgements of a partition, in the order of its records, as runs: one, as a rule."""
    if offsets and list(offsets) == list(range(offsets[0], offsets[0] + len(offsets))):
        return [Appended(partition, offsets[0], len(offsets))]
    return [Appended(partition, offset, 1) for offset in offsets]


class OutOfStep(Exception):
    """An offset is not the one behind the last: the log lost its tail, or somebody else appends to it."""

    def __init__(self, partition: Partition, expected: int, found: int) -> None:
        super().__init__(partition, expected, found)
        self.partition = partition
        self.expected = expected
        self.found = found

    @property
    def lost(self) -> bool:
        """A step back is a lost tail; a jump forward may be somebody's record, and may hide a loss."""
        return self.found < self.expected

    def __str__(self) -> str:
        what = "lost its tail" if self.lost else "was appended to by somebody else, or hides a loss"
        return f"{self.partition} {what}: offset {self.found} instead of {self.expected}"


class Outbox:
    """One relay session's account of what it sent, what was acknowledged and what may be forgotten."""

    def __init__(
        self, tails: Mapping[Partition, Tail], *, begin: int, epoch: int, partitions: int, prefix: str
    ) -> None:
        self.epoch = epoch
        self.read_to = begin
        """Store position read up to; rows are to be given from behind it, in order."""
        self.pending = 0
        self.pending_bytes = 0
        self.heads: dict[Partition, int] = {}
        """Where the chain of a partition begins, of those whose first record this session appended."""
        self._partitions = partitions
        self._prefix = prefix
        self._chain = {partition: tail.position for partition, tail in tails.items()}
        self._ends = {partition: tail.end for partition, tail in tails.items()}
        self._headless = {partition for partition, tail in tails.items() if tail.position == 0}
        """Partitions whose chain has no record yet: the next one that is appended to them is its head."""
        self._pending: dict[Partition, deque[tuple[int, int]]] = {}
        """Position and size of what is under way, in order; no partition with nothing."""
        self._acknowledged: dict[Partition, ChainPosition] = {}

    def take(self, rows: Iterable[OutgoingEvent]) -> list[Send]:
        """The records to append for the store's next events; those that are on Kafka already are left out."""
        sends, chain, pending = [], self._chain, self._pending
        partitions, prefix = self._partitions, self._prefix
        size = 0
        for position, case_id, type_name, state in rows:
            key = case_key(case_id)
            for partition in routes_of(type_name, partition_of(key, partitions), prefix):
                previous = chain[partition]
                if position > previous:
                    sends.append(Send(partition, position, previous, key, state))
                    chain[partition] = position
                    if (queue := pending.get(partition)) is None:
                        queue = pending[partition] = deque()
                    queue.append((position, len(state)))
                    size += len(state)
            self.read_to = position
        self.pending += len(sends)
        self.pending_bytes += size
        return sends

    def acknowledged(self, partition: Partition, offset: int, count: int = 1) -> None:
        """The oldest ``count`` records under way to a partition were appended one behind the other, the first of them
        at this offset: each of them then lies where it must. Raises OutOfStep."""
        expected = self._ends[partition]
        if offset != expected:
            raise OutOfStep(partition, expected, offset)
        queue = self._pending[partition]
        done = [queue.popleft() for _ in range(count)]
        if not queue:
            del self._pending[partition]
        if partition in self._headless:
            self._headless.discard(partition)
            self.heads[partition] = offset
        self._ends[partition] = offset + count
        self._acknowledged[partition] = ChainPosition(done[-1][0], offset + count - 1, self.epoch)
        self.pending -= count
        self.pending_bytes -= sum(size for _, size in done)

    def look(self, ends: Mapping[Partition, int]) -> None:
        """Compare the logs' end offsets with what they must be where nothing is under way. Raises OutOfStep."""
        for partition, end in ends.items():
            if partition not in self._pending and end != self._ends[partition]:
                raise OutOfStep(partition, self._ends[partition], end)

    @property
    def all_out(self) -> int:
        """Every event up to this position is on Kafka, wherever it is routed to."""
        return min((queue[0][0] for queue in self._pending.values()), default=self.read_to + 1) - 1

    def take_checkpoints(self) -> dict[Partition, ChainPosition]:
        """Checkpoints that grew since last asked; to be stored together with ``all_out``, replacing what is stored."""
        grown, self._acknowledged = self._acknowledged, {}
        return grown

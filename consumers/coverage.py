"""Every event on the topics, and how much of the store that is: who reads from Kafka alone must know what is missing.

A topic that lost its history (compacted, a short retention, records deleted, a topic made anew that nobody filled yet)
looks like one that never had more. What is read is therefore held against three things: each partition's own chain of
positions, which shows a missing beginning and a hole; the store's count of what the relay has had acknowledged, where a
database is named; else the newest checkpoint that the notary signed, which counts every event of the store.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from consumers.notary.published import last_note
from infra.kafka.cluster import Partition, PartitionLog, consumer, logs, look_up_cluster, read_ranges
from infra.postgres.connections import connect
from infra.readers.record import Event, link_of
from infra.readers.rule import START, ReadPosition, apply
from infra.settings import Settings
from infra.sql import sql

PATIENCE_S = 20.0
"""A checkpoint signs what is stored, and the relay may still have it under way."""


@dataclass(frozen=True, slots=True)
class Needed:
    """How many events there are up to a position, and who says so: the store, or a signed checkpoint.

    ``may_be_under_way``: they are stored, and perhaps not all on Kafka yet.
    """

    events: int
    position: int
    by: str
    may_be_under_way: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the store was read. ``needed`` None: nobody could say how much there is."""

    events: int
    needed: Needed | None
    gaps: tuple[str, ...]
    """What is missing, a sentence each."""
    of_everything: bool
    """Whether every home topic was read, so that something can be said about the whole log."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing; of a whole log only where it is known how much there is."""
        if not self.of_everything:
            return not self.gaps
        return self.needed is not None and self.events >= self.needed.events and not self.gaps

    def lines(self) -> list[str]:
        """For a person: what is missing, and how much was seen."""
        if self.needed is None:
            told = f"seen: {self.events} events"
            if self.of_everything:
                told += "; how many the store has is not known: no database answers, and there is no checkpoint"
        else:
            told = (
                f"seen: {self.events} of {self.needed.events} events up to position {self.needed.position}, "
                f"as {self.needed.by} has it"
            )
        return [*(f"not seen: {gap}" for gap in self.gaps), told]

    def as_json(self) -> dict[str, Any]:
        needed = self.needed
        return {
            "events": self.events,
            "needed": needed and {"events": needed.events, "position": needed.position, "by": needed.by},
            "gaps": list(self.gaps),
            "whole": self.is_whole,
        }


class TopicReading:
    """One reading of topics by the reader's rule, from nothing up to now: iterate it, then ask what was ``seen``.

    ``number``: only this partition of each topic. How much there is to be seen is known of the whole log only, so it is
    asked where every home topic is read.
    """

    def __init__(self, settings: Settings, topics: Iterable[str], *, number: int | None = None) -> None:
        self._settings = settings
        self._topics = sorted(set(topics))
        self._number = number
        self._is_of_everything = number is None and set(self._topics) >= set(settings.home_topics)
        self._needed: Needed | None = None
        self._missing: list[str] = []
        self._logs: dict[Partition, PartitionLog] = {}
        self._read_positions: dict[Partition, ReadPosition] = {}
        self._linked: dict[Partition, int] = {}
        self._seen = 0

    def __iter__(self) -> Iterator[Event]:
        # Asked before the records are read: what comes meanwhile is more than is needed.
        self._needed = needed(self._settings) if self._is_of_everything else None
        patience_s = PATIENCE_S if self._needed is not None and self._needed.may_be_under_way else 0.0
        deadline = time.monotonic() + patience_s
        while True:
            yield from self._read_on()
            if self._is_enough or time.monotonic() > deadline:
                return
            time.sleep(0.5)

    @property
    def seen(self) -> Coverage:
        """How much was read so far."""
        return Coverage(self._seen, self._needed, (*self._missing, *self._gaps()), self._is_of_everything)

    @property
    def _is_enough(self) -> bool:
        return self._needed is None or self._seen >= self._needed.events

    def _read_on(self) -> Iterator[Event]:
        cluster = look_up_cluster(self._settings, self._topics)
        self._missing = [f"the topic {name} is not there" for name in self._topics if name not in cluster.topics]
        wanted = [p for p in cluster.partitions if self._number is None or p.partition == self._number]
        with consumer(self._settings, client_id="tongshui-reading", reset="none") as client:
            where = logs(client, cluster, wanted)
            ranges = {p: (max(its.first, self._end(p)), its.end) for p, its in where.items()}
            self._logs = where
            for partition, records in read_ranges(client, ranges):
                outcome = apply(records, self._read_positions)
                self._read_positions.update(outcome.read_positions)
                links = [link.position for record in records if (link := link_of(record)) is not None]
                self._linked[partition] = max([self._linked.get(partition, 0), *links])
                for event in outcome.events:
                    self._seen += self._needed is None or event.position <= self._needed.position
                    yield event

    def _end(self, partition: Partition) -> int:
        return self._logs[partition].end if partition in self._logs else 0

    def _gaps(self) -> Iterator[str]:
        for partition, its in sorted(self._logs.items()):
            read_position, last = self._read_positions.get(partition, START).position, self._linked.get(partition, 0)
            if last > read_position:
                behind = f"behind position {read_position}" if read_position else "at its beginning"
                yield f"{partition} lacks records {behind}: nothing from there up to position {last} can be used"
            elif its.first > 0 and not read_position:
                yield f"{partition} begins at offset {its.first} and has no record of ours"


def needed(settings: Settings) -> Needed | None:
    """How many events the topics must have: what the relay has had acknowledged, by the store; where no database is
    named or none answers, what the newest checkpoint on the topic counts; None where there is neither."""
    if settings.database_url:
        try:
            with connect(settings) as connection:
                row = connection.execute(sql("published_events")).fetchone()
        except psycopg.Error:
            row = None
        if row is not None:
            return Needed(row[0], row[1], "the store")
    note = last_note(settings)
    if note is None:
        return None
    return Needed(note.checkpoint.size, note.checkpoint.position, "the newest checkpoint", may_be_under_way=True)

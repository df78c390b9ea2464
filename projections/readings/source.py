"""The topic of readings as a Faust app reads it: where from, what fits, what is stored; and the meters beside it.

Its records carry no chain of positions, so the offset is the read position and offsets are taken without a hole. What
comes beyond the next one (Faust may hand on a batch that was fetched before a rebalance) is left out: it comes again in
its order. A hole that stays is looked up in the log, which has holes where a producer used transactions.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from kafka.structs import TopicPartition

from infra.kafka.cluster import Cluster, Partition, Record, consumer, ensure_readings_topic, logs
from infra.postgres.connections import connect
from infra.readers.loop import run_reader
from infra.settings import Settings
from projections.readings.processor import METER_READER, Processor

log = logging.getLogger(__name__)

LOOK_S = 10.0
"""How often the log is looked at: whether the topic was made anew, where it begins and where it ends."""


class Readings:
    """One process's share of the topic. ``on_stored``: called after each batch, when it is committed."""

    linger_s = 0.0

    def __init__(self, processor: Processor, on_stored: Callable[[], None] = lambda: None) -> None:
        self.processor = processor
        self._on_stored = on_stored
        self._topic_id = UUID(int=0)
        self._next: dict[Partition, int] = {}
        self._beyond: set[Partition] = set()
        self._seeks = 0
        self._behind: dict[Partition, tuple[int, float]] = {}
        self._looked_at = -LOOK_S
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def settings(self) -> Settings:
        return self.processor.settings

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.settings.readings_topic,)

    @property
    def batch(self) -> int:
        return self.settings.readings_batch

    def start_offsets(self, assigned: set[Partition]) -> dict[Partition, int]:
        """Behind what is stored; the topic is made where it is missing. Raises KafkaError and what psycopg raises."""
        return self._begin(ensure_readings_topic(self.settings), assigned)

    def until_stored(self, records: Sequence[Record], stopping: Callable[[], bool]) -> None:
        """Store what fits of a batch; while PostgreSQL does not answer, again and again."""
        seeks, topic_id = self._seeks, self._topic_id
        fitting, ends = self._fitting(records)
        while fitting and not stopping():
            try:
                if self._connection is None:
                    self._connection = connect(self.settings)
                self.processor.store(self._connection, fitting, topic_id)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("PostgreSQL does not answer, same batch again: %s", error)
                self.close()
                time.sleep(0.3)
            else:
                if seeks == self._seeks:  # otherwise reading begins anew, where it was told meanwhile
                    self._next.update(ends)
                self._on_stored()
                return

    def minded(self) -> tuple[dict[Partition, int], dict[str, Any]]:
        """Looks after holes, after a topic that was made anew, and after a log that lost what was not read yet.

        Raises as ``start_offsets`` does.
        """
        again: dict[Partition, int] = {}
        holes, self._beyond = self._beyond, set()
        if holes or time.monotonic() - self._looked_at > LOOK_S:
            cluster = ensure_readings_topic(self.settings)
            self._looked_at = time.monotonic()
            again = self._looked(cluster, holes)
        shown = {"stored": self.processor.stored, "set_aside": self.processor.set_aside, "still_s": self._still_s()}
        return again, shown

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def meet_meters(self, stop: threading.Event) -> None:
        """Read which meters were put in, until told to stop; a plain reader of its own, any number of them at once."""
        run_reader(
            self.settings,
            reader_name=METER_READER,
            schema="readings",
            topics=[self.settings.home_topic("connection")],
            step=self.processor.meet,
            stop=stop,
        )

    def _begin(self, cluster: Cluster, assigned: set[Partition]) -> dict[Partition, int]:
        with (
            consumer(self.settings, client_id="tongshui-readings-start", reset="none") as looker,
            connect(self.settings) as connection,
        ):
            topic_id = cluster.topics[self.settings.readings_topic].id
            wanted = sorted(assigned)
            starts = self.processor.begin(connection, wanted, topic_id, lambda: logs(looker, cluster, wanted))
        self._topic_id = topic_id
        self._seeks += 1
        self._next = dict(starts)
        self._beyond = set()
        return starts

    def _fitting(self, records: Sequence[Record]) -> tuple[list[Record], dict[Partition, int]]:
        """The records that come next in their partitions, and where each partition goes on after them."""
        known = self._next
        fitting: list[Record] = []
        ends: dict[Partition, int] = {}
        for record in records:
            partition = Partition(record.topic, record.partition)
            wanted = ends.get(partition, known.get(partition))
            if wanted == record.offset:
                fitting.append(record)
                ends[partition] = record.next_offset
            elif wanted is not None and record.offset > wanted:
                self._beyond.add(partition)
        self._beyond -= ends.keys()
        return fitting, ends

    def _looked(self, cluster: Cluster, holes: set[Partition]) -> dict[Partition, int]:
        """Where to read from now, of the partitions that are not to be read on from where they are."""
        known = dict(self._next)
        if known and cluster.topic_ids[self.settings.readings_topic] != self._topic_id:
            return self._begin(cluster, set(known))
        with consumer(self.settings, client_id="tongshui-readings-look", reset="none", max_records=1) as looker:
            where = logs(looker, cluster, sorted(known))
            if any(its.first > known[partition] for partition, its in where.items()):
                # Retention, or somebody, deleted what was not read yet.
                return self._begin(cluster, set(known))
            with connect(self.settings) as connection:
                self.processor.see(connection, where)
            self._note_still({p: its.end for p, its in where.items()}, known)
            return self._across(looker, holes & known.keys())

    def _across(self, looker: Any, holes: set[Partition]) -> dict[Partition, int]:
        """Where the log goes on behind each hole."""
        found: dict[Partition, int] = {}
        for partition in sorted(holes):
            looker.assign([TopicPartition(*partition)])
            looker.seek(TopicPartition(*partition), self._next[partition])
            for messages in looker.poll(timeout_ms=2_000).values():
                found[partition] = messages[0].offset
        if holes:
            self._seeks += 1
            self._next.update(found)
        return found

    def _note_still(self, ends: dict[Partition, int], known: dict[Partition, int]) -> None:
        """Remember since when a partition has records and has not moved."""
        now = time.monotonic()
        behind = {p: known[p] for p, end in ends.items() if end > known[p]}
        self._behind = {
            p: before if (before := self._behind.get(p)) is not None and before[0] == at else (at, now)
            for p, at in behind.items()
        }

    def _still_s(self) -> dict[str, float]:
        """Partition → for how many seconds it has stood still, of those that have for longer than the alarm takes."""
        now = time.monotonic()
        still = {str(p): round(now - since, 1) for p, (at, since) in self._behind.items() if self._next.get(p) == at}
        return {name: s for name, s in still.items() if s > self.settings.hold_alarm_s}

"""Billing's books made anew from zero, beside those in use, and put in their place in one transaction.

All topics are read from their first record into a new build, with the process's own step. Meanwhile the old books stay
in use. At the end the old ones are held still for a moment, the new ones are read up to exactly their read positions,
compared with the store and take over. So nothing is billed twice, and a rebuild that dies or does not agree changes
nothing. Account numbers are no part of a build: a customer keeps his.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from consumers.billing.books import READER, live_build, step
from consumers.billing.consumer import TABLE, topics
from consumers.billing.reconcile import compare
from infra.kafka.cluster import BusRefusal, Cluster, Partition, Record, consumer, logs, look_up_cluster, read_ranges
from infra.postgres.connections import connect
from infra.readers.dead_letters import DeadLetterLimit
from infra.readers.loop import store_batch
from infra.readers.read_positions import load_read_positions
from infra.readers.record import link_of
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

TableDigest = Mapping[str, tuple[int, str]]
"""Part of the books → number of rows, and a sum over their hashes."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The new build, how many records it was made from, and both digests."""

    build: int
    records: int
    old: TableDigest
    new: TableDigest

    @property
    def is_same(self) -> bool:
        """Whether the new books say what the old ones said."""
        return self.old == self.new

    @property
    def changed(self) -> list[str]:
        """The parts that say something else than before."""
        return sorted(part for part in self.old.keys() | self.new.keys() if self.old.get(part) != self.new.get(part))


def digest(connection: psycopg.Connection[Any], build: int) -> TableDigest:
    """What a build's books say, in a form that can be compared; when they were written is no part of it."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(sql("billing_digest"), {"build": build}).fetchall()
    return {part: (count, total) for part, count, total in rows}


def rebuild(settings: Settings, say: Callable[[str], None] = log.info) -> Rebuilt:
    """Make the books anew, as far as those in use are, and put them in their place.

    Raises BusRefusal: "rebuilding-already"; "chain-broken" where Kafka does not have everything that the old books
    had; "books-disagree" where the new books are not what the store says. Then the old ones stay in use.
    """
    with connect(settings) as connection, connect(settings) as writing:
        if connection.execute(sql("billing_lock_rebuild")).fetchone() == (False,):
            raise BusRefusal(
                "rebuilding-already",
                found="another rebuild at this moment",
                needed="one at a time",
                next_step="wait for it 重建正在进行，请稍候",
            )
        for (left,) in connection.execute(sql("billing_going_builds")).fetchall():
            _drop(connection, left)
        made = connection.execute(sql("billing_begin_build")).fetchone()
        assert made is not None
        making = _Making(settings, writing, int(made[0]))
        try:
            making.read(_ends(connection, settings, live_build(connection)))
            say(f"billing: build {making.build} from {making.records} records; now in place of the old one")
            old, found = _take_over(connection, settings, making)
        except BaseException:
            _drop(connection, making.build)
            raise
        _forget(connection, old)
    return found


def _take_over(connection: psycopg.Connection[Any], settings: Settings, making: _Making) -> tuple[int, Rebuilt]:
    with connection.transaction():
        old = live_build(connection)
        # Whoever writes to the old books waits here, and finds them gone afterwards.
        connection.execute(sql("billing_lock_build"), {"build": old})
        making.read(_ends(connection, settings, old))
        differing = compare(connection, settings, making.build).differences
        if differing:
            raise BusRefusal(
                "books-disagree",
                found=f"{len(differing)} differences of the new books from the store, for example {differing[0]}",
                needed="none",
                next_step="see `tongshui dead-letters list --reader billing`; the old books stay in use "
                "新账与存储不符，旧账仍在使用",
            )
        found = Rebuilt(making.build, making.records, digest(connection, old), digest(connection, making.build))
        connection.execute(sql("billing_drop_build"), {"build": old})
        connection.execute(sql("billing_make_live"), {"build": making.build})
    return old, found


def _ends(connection: psycopg.Connection[Any], settings: Settings, build: int) -> dict[Partition, int]:
    """The position up to which the build has each partition of today's topics."""
    mine = set(topics(settings))
    read_positions = load_read_positions(connection, TABLE, [(READER, build)])
    return {
        at: read_position.position
        for (_, _, at), read_position in read_positions.items()
        if at.topic in mine and read_position.position
    }


def _drop(connection: psycopg.Connection[Any], build: int) -> None:
    connection.execute(sql("billing_drop_build"), {"build": build})
    _forget(connection, build)


def _forget(connection: psycopg.Connection[Any], build: int) -> None:
    connection.execute(sql("billing_forget_build"), {"build": build})


class _Making:
    """A build in the making, over a connection of its own."""

    def __init__(self, settings: Settings, connection: psycopg.Connection[Any], build: int) -> None:
        self.settings = settings
        self.connection = connection
        self.build = build
        self.records = 0
        self.limit = DeadLetterLimit(settings)

    def read(self, ends: Mapping[Partition, int]) -> None:
        """Read on up to these positions, and not beyond. Raises BusRefusal "chain-broken"."""
        cluster = look_up_cluster(self.settings, topics(self.settings))
        read_positions = load_read_positions(self.connection, TABLE, [(READER, self.build)])
        behind = {
            at: end
            for at, end in ends.items()
            if (read_position := read_positions.get((READER, self.build, at))) is None or read_position.position < end
        }
        for batch in self._batches(cluster, behind):
            self._store(cluster, batch)
        read_positions = load_read_positions(self.connection, TABLE, [(READER, self.build)])
        for at, end in behind.items():
            read_position = read_positions.get((READER, self.build, at))
            if read_position is None or read_position.position != end:
                raise BusRefusal(
                    "chain-broken",
                    found=f"{at} up to position {read_position.position if read_position is not None else 0}",
                    needed=f"everything up to {end}, where the books in use are",
                    next_step="let the relay fill the topics again, then rebuild 请待中继补齐主题后再重建",
                )

    def _batches(self, cluster: Cluster, ends: Mapping[Partition, int]) -> Iterator[list[Record]]:
        batch: list[Record] = []
        with consumer(self.settings, client_id="tongshui-billing-rebuild", reset="none") as client:
            where = logs(client, cluster, [at for at in ends if at.topic in cluster.topics])
            ranges = {at: (log_.first, log_.end) for at, log_ in where.items()}
            for at, records in read_ranges(client, ranges):
                batch += [one for one in records if (link := link_of(one)) is not None and link.position <= ends[at]]
                while len(batch) >= self.settings.reader_batch:
                    yield batch[: self.settings.reader_batch]
                    batch = batch[self.settings.reader_batch :]
        if batch:
            yield batch

    def _store(self, cluster: Cluster, batch: Sequence[Record]) -> None:
        applied = store_batch(
            self.connection,
            batch,
            table=TABLE,
            reader=READER,
            build=self.build,
            topic_ids=cluster.topic_ids,
            step=partial(step, build=self.build),
            limit=self.limit,
            settings=self.settings,
        )
        self.records += len(applied.events)

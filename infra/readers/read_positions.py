"""How far a reader has read: its places as rows, locked and stored in the transaction that applies the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from infra.kafka.cluster import (
    Partition,
    PartitionLog,
    read_ranges,
)
from infra.readers.record import link_of
from infra.readers.rule import ReadPosition, start_offset
from infra.sql import sql

PositionsAt = Callable[[Mapping[Partition, int]], Mapping[Partition, int | None]]
"""Partition → offset, to partition → the position of the record at that offset (None: none of ours)."""


def start_offsets(
    connection: psycopg.Connection[Any],
    table: str,
    readers: Iterable[tuple[str, int]],
    assigned: Mapping[Partition, PartitionLog],
    positions_at: PositionsAt | None = None,
) -> dict[Partition, int]:
    """Where to read each assigned partition from, by the stored read positions of (reader, build) pairs: the smallest
    counts.

    With ``positions_at`` the record at the stored offset must carry the stored position, else the log was cut and
    written anew, and reading starts at its first record.
    """
    wanted = list(readers)
    read_positions = load_read_positions(connection, table, wanted)
    found: dict[Partition, tuple[int, ReadPosition | None]] = {}
    for partition, where in assigned.items():
        starts = [
            (start_offset(read_position, where), read_position)
            for read_position in (read_positions.get((*reader, partition)) for reader in wanted)
        ]
        found[partition] = min(starts, key=lambda start: start[0])
    # A read position before the first record (offset -1) is no record that could be looked at.
    behind = {
        p: read_position
        for p, (start, read_position) in found.items()
        if read_position is not None and 0 <= read_position.offset == start - 1
    }
    at = (
        positions_at({p: read_position.offset for p, read_position in behind.items()})
        if positions_at is not None and behind
        else None
    )
    wrong = {p for p, read_position in behind.items() if at is not None and at.get(p) != read_position.position}
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


@cache
def _on(name: str, table: str) -> bytes:
    return SQL(sql(name)).format(read_positions=Identifier(*table.split("."))).as_bytes()


def lock_read_positions(
    cursor: Cursor[Any], table: str, reader: str, build: int, partitions: Iterable[Partition]
) -> dict[Partition, ReadPosition]:
    """The reader's read positions of these partitions, locked in key order until the transaction ends; missing ones
    made.

    ``table`` is "views.places", "watch.places" or "billing.places". Whoever holds the lock is the only one who applies
    anything of the partition, so two processes that both believe a partition to be theirs do no harm.
    """
    return lock_for_readers(cursor, table, build, {reader: partitions})[reader]


def lock_for_readers(
    cursor: Cursor[Any], table: str, build: int, wanted: Mapping[str, Iterable[Partition]]
) -> dict[str, dict[Partition, ReadPosition]]:
    """As ``lock_read_positions``, of several readers by one query: reader → partition → read position."""
    keys = sorted({(reader, partition) for reader, partitions in wanted.items() for partition in partitions})
    given = {
        "build": build,
        "readers": [reader for reader, _ in keys],
        "topics": [partition.topic for _, partition in keys],
        "partitions": [partition.partition for _, partition in keys],
    }
    rows = cursor.execute(_on("lock_read_positions", table), given).fetchall()
    if len(rows) < len(keys):
        cursor.execute(_on("insert_read_positions", table), given)
        rows = cursor.execute(_on("lock_read_positions", table), given).fetchall()
    found: dict[str, dict[Partition, ReadPosition]] = {reader: {} for reader in wanted}
    for reader, topic, partition, topic_id, position, offset in rows:
        found[reader][Partition(topic, partition)] = ReadPosition(position, offset, topic_id)
    return found


def save_read_positions(
    cursor: Cursor[Any], table: str, reader: str, build: int, read_positions: Mapping[Partition, ReadPosition]
) -> None:
    """Store read positions that ``lock_read_positions`` locked in this transaction. None: nothing is done."""
    save_for_readers(cursor, table, build, {reader: read_positions})


def save_for_readers(
    cursor: Cursor[Any], table: str, build: int, moved: Mapping[str, Mapping[Partition, ReadPosition]]
) -> None:
    """As ``save_read_positions``, of several readers by one query."""
    rows = [(reader, *where, its) for reader, positions in moved.items() for where, its in positions.items()]
    if not rows:
        return
    cursor.execute(
        _on("save_read_positions", table),
        {
            "build": build,
            "readers": [row[0] for row in rows],
            "topics": [row[1] for row in rows],
            "partitions": [row[2] for row in rows],
            "positions": [row[3].position for row in rows],
            "offsets": [row[3].offset for row in rows],
            "topic_ids": [row[3].topic_id for row in rows],
        },
    )


def load_read_positions(
    connection: psycopg.Connection[Any], table: str, readers: Iterable[tuple[str, int]]
) -> dict[tuple[str, int, Partition], ReadPosition]:
    """(reader, build, partition) → read position, of the given (reader, build) pairs; nothing is locked."""
    wanted = list(readers)
    keys = {"readers": [name for name, _ in wanted], "builds": [build for _, build in wanted]}
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        rows = cursor.execute(_on("read_positions_of", table), keys).fetchall()
    return {(row[0], row[1], Partition(row[2], row[3])): ReadPosition(row[5], row[6], row[4]) for row in rows}


def relayed_positions(connection: psycopg.Connection[Any], topics: Iterable[str]) -> dict[Partition, int]:
    """How far the relay has had each partition acknowledged, by its last checkpoints; partitions with nothing are 0."""
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        rows = cursor.execute(sql("relayed_positions"), {"topics": list(topics)}).fetchall()
    return {Partition(row[0], row[1]): row[2] for row in rows}

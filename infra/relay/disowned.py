"""Records on the chained topics that look like the relay's and are not: who names them, and who steps over them.

A record with a position that the store has not so is either forged or of a store that was restored from a backup. Its
bytes do not tell which. The relay knows where the store cannot have been restored (``infra/relay/relay.py``); else a
person must say it, with ``tongshui topics disown``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from infra.kafka.cluster import (
    BusRefusal,
    Cluster,
    Partition,
    Record,
    chained_topics,
    consumer,
    logs,
    look_up_cluster,
    read_ranges,
)
from infra.postgres.connections import connect
from infra.readers.record import Link, link_of
from infra.settings import Settings
from infra.sql import sql

Place = tuple[Partition, int]
"""A partition and an offset in it."""


def disowned(db: psycopg.Connection[Any], cluster: Cluster) -> set[Place]:
    """The records of these topics that are known not to be ours."""
    with db.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(sql("disowned_records"), {"topic_ids": list(cluster.topic_ids.values())}).fetchall()
    return {(Partition(topic, partition), offset) for topic, partition, offset in rows}


def note_disowned(
    db: psycopg.Connection[Any], place: Place, *, topic_id: UUID, position: int, by: str, reason: str
) -> None:
    """Remember that a record is not ours; once more changes nothing."""
    (topic, partition), offset = place
    values = {"topic_id": topic_id, "topic": topic, "partition": partition, "offset": offset}
    db.execute(sql("disown_record"), {**values, "position": position, "by": by, "reason": reason})


def disown(settings: Settings, topic: str, partition: int, offset: int, *, by: str, reason: str) -> str:
    """A person says that a record is forged; what was done, in words. The relay steps over it from its next start on.

    Raises BusRefusal "not-chained", "record-gone", "not-a-link" and "record-of-the-store", KafkaError, and what psycopg
    raises.
    """
    at = Partition(topic, partition)
    if topic not in chained_topics(settings):
        raise BusRefusal(
            "not-chained",
            found=f"the topic {topic}",
            needed=f"one whose records the relay holds against the store: {', '.join(chained_topics(settings))}",
            next_step="name the topic as the relay does in its refusal 请按中继所报的主题填写",
        )
    cluster = look_up_cluster(settings, [topic])
    link, value = _record_at(settings, cluster, at, offset)
    with connect(settings) as db:
        rows = db.execute(sql("events_at"), {"positions": [link.position]}, binary=True)
        if value in [bytes(state) for _, state in rows]:
            raise BusRefusal(
                "record-of-the-store",
                found=f"position {link.position} at {at}, offset {offset}, with the store's own bytes",
                needed="a record that the store has not so",
                next_step="nothing to do: it is an event of ours 该记录与存储一致，无需处理",
            )
        topic_id = cluster.topics[topic].id
        note_disowned(db, (at, offset), topic_id=topic_id, position=link.position, by=by, reason=reason)
    return f"{at}, offset {offset}: not ours; the relay steps over it from its next start on 中继下次启动时将跳过该记录"


def without(records: Iterable[Record], partition: Partition, places: Container[Place]) -> list[Record]:
    """The records of a partition but for those that are not ours."""
    return [record for record in records if (partition, record.offset) not in places]


def _record_at(settings: Settings, cluster: Cluster, at: Partition, offset: int) -> tuple[Link, bytes]:
    record = _found(settings, cluster, at, offset)
    if record is None:
        raise BusRefusal(
            "record-gone",
            found=f"no record at {at}, offset {offset}",
            needed="the record that the relay named",
            next_step="read topic, partition and offset from log/relay.log 请核对中继日志中的位置",
        )
    link = link_of(record)
    if link is None or record.value is None:
        raise BusRefusal(
            "not-a-link",
            found=f"a record at {at}, offset {offset}, without the relay's marks",
            needed="one that looks like the relay's",
            next_step="nothing to do: the relay steps over it as it is 该记录无中继标记，中继本就跳过",
        )
    return link, record.value


def _found(settings: Settings, cluster: Cluster, at: Partition, offset: int) -> Record | None:
    if at not in cluster.partitions:
        return None
    with consumer(settings, client_id="tongshui-disown", reset="none", max_records=1) as client:
        where = logs(client, cluster, [at])[at]
        if where.first <= offset < where.end:
            for _, records in read_ranges(client, {at: (offset, offset + 1)}):
                for record in records:
                    return record
    return None

"""``tongshui topics remake``: delete a topic and make it anew as settings say; the relay fills it from the store.

For a topic whose partitions somebody added to: Kafka takes no partition away, and a case's records must stay in one.
Only topics that the store can fill are made anew, and only where the store has what is on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from infra.kafka.cluster import BusRefusal, chained_topics, consumer, logs, look_up_cluster, make_anew, read_ranges
from infra.postgres.connections import connect
from infra.readers.record import link_of
from infra.relay.disowned import disowned, without
from infra.settings import Settings
from infra.sql import sql

TAIL = 200
"""How many records at the end of each partition are held against the store: a restored store lacks the last ones."""


def remake(settings: Settings, topic: str, *, dry_run: bool) -> Iterator[str]:
    """Do it, and say what was done, or would be. Raises BusRefusal "topic-not-filled", "topic-missing" and
    "kafka-ahead-of-store", KafkaError, and what psycopg raises."""
    fillable = (*chained_topics(settings), settings.dead_letter_topic)
    if topic not in fillable:
        raise BusRefusal(
            "topic-not-filled",
            found=f"the topic {topic}",
            needed=f"one that the store can fill: {', '.join(fillable)}",
            next_step="records of any other topic would be gone for good 该主题无法由存储重建",
        )
    found = look_up_cluster(settings, [topic]).topics.get(topic)
    if found is None:
        raise BusRefusal(
            "topic-missing",
            found=f"no topic {topic}",
            needed="one that is there",
            next_step="the relay makes it anew by itself 主题不存在，将自动创建",
        )
    with connect(settings) as db:
        if topic != settings.dead_letter_topic:
            _refuse_unknown_records(settings, db, topic)
        yield f"{topic}: {found.partitions} partitions now, {settings.partitions} once it is made anew"
        if dry_run:
            yield "nothing was done; run it again with --yes 未执行，确认请加 --yes"
            return
        make_anew(settings, [topic])
        if topic == settings.dead_letter_topic:
            db.execute(sql("publish_dead_letters_again"))
    yield f"{topic}: made anew; the relay fills it from the store, see `tongshui status` 已重建，正在补发"


def _refuse_unknown_records(settings: Settings, db: psycopg.Connection[Any], topic: str) -> None:
    """What the store does not have would be gone with the topic."""
    cluster = look_up_cluster(settings, [topic])
    known_forged = disowned(db, cluster)
    with consumer(settings, client_id="tongshui-remake", reset="none") as client:
        where = logs(client, cluster, cluster.partitions)
        ends = {p: (max(its.first, its.end - TAIL), its.end) for p, its in where.items()}
        for partition, records in read_ranges(client, ends):
            ours = without(records, partition, known_forged)
            linked = {link.position: record for record in ours if (link := link_of(record)) is not None}
            rows = db.execute(sql("events_at"), {"positions": list(linked)}, binary=True)
            stored = {position: bytes(state) for position, state in rows}
            for position, record in linked.items():
                if stored.get(position) != record.value:
                    raise BusRefusal(
                        "kafka-ahead-of-store",
                        found=f"position {position} at {partition}, offset {record.offset}, which the store has not so",
                        needed="a store that has everything on the topic",
                        next_step="`tongshui store recover` first; the topic is the only copy 请先恢复存储",
                    )

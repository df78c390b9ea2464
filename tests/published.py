"""The store's events as the records that the relay would publish, without any Kafka: for tests of readers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID, uuid5

import psycopg

from infra.kafka.cluster import Partition, Record, case_key, route
from infra.settings import Settings

TOPIC_IDS_OF = UUID(int=42)


def topic_ids(settings: Settings) -> dict[str, UUID]:
    """A made-up topic id for each chained topic."""
    return {name: uuid5(TOPIC_IDS_OF, name) for name in (*settings.home_topics, settings.breach_topic)}


def records(settings: Settings) -> list[Record]:
    """Every record of every topic, in order of position, with its chain and offset."""
    return list(_records(settings))


def _records(settings: Settings) -> Iterator[Record]:
    previous: dict[Partition, int] = defaultdict(int)
    offsets: dict[Partition, int] = defaultdict(int)
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute(
            "SELECT notification_id, originator_id, topic, state FROM store.stored_events ORDER BY 1"
        ).fetchall()
    for position, case_id, type_name, state in rows:
        for place in route(type_name, case_id, settings.partitions, settings.topic_prefix):
            headers = {
                "previousposition": str(previous[place]).encode(),
                "generation": b"g",
                "epoch": b"1",
            }
            yield Record(place.topic, place.partition, offsets[place], case_key(case_id), bytes(state), headers)
            previous[place] = position
            offsets[place] += 1

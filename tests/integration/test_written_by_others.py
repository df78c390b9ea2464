"""What others may do to the topics that we read: compress, write in transactions, write what is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaProducer

from infra.bus import Partition, Record, admin_client, client_config, consumer, logs, look_up, read_ranges, record_of
from infra.settings import Settings

CODECS = ("uncompressed", "gzip", "snappy", "lz4", "zstd")
NUMBER = 300


@contextmanager
def producing(settings: Settings, **how: Any) -> Iterator[Any]:
    producer = KafkaProducer(**client_config(settings), acks="all", **how)
    try:
        yield producer
        producer.flush(timeout=20)
    finally:
        producer.close(timeout=5)


def made(settings: Settings, **config: str) -> Partition:
    """A topic of one partition that is configured so."""
    name = f"{settings.topic_prefix}others.{uuid4().hex[:8]}"
    with admin_client(settings) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1, "configs": config}})
        admin.wait_for_topics([name], timeout_ms=10_000)
    return Partition(name, 0)


def read_plainly(settings: Settings, partition: Partition) -> list[Record]:
    """As billing, relay, notary and auditors read."""
    with admin_client(settings) as admin, consumer(settings, client_id="test", reset="none") as client:
        where = logs(client, look_up(admin, [partition.topic]), [partition])[partition]
        return [record for _, chunk in read_ranges(client, {partition: (where.first, where.end)}) for record in chunk]


def read_as_faust(settings: Settings, partition: Partition, number: int) -> list[Record]:
    """With the client that Faust reads with."""

    async def read() -> list[Record]:
        client = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False)
        await client.start()
        try:
            client.assign([TopicPartition(*partition)])
            await client.seek_to_beginning()
            return [record_of(await asyncio.wait_for(client.getone(), 20)) for _ in range(number)]
        finally:
            await client.stop()

    return asyncio.run(read())


@pytest.mark.parametrize("codec", CODECS)
def test_whatever_a_topic_is_compressed_with_both_our_clients_can_read_it(settings: Settings, codec: str) -> None:
    """An administrator may set it at any topic; the broker then packs anew what our relay sends as it is."""
    partition = made(settings, **{"compression.type": codec})
    sent = [b"%d " % number * 400 for number in range(NUMBER)]
    with producing(settings, linger_ms=50, batch_size=512 * 1024) as producer:
        for value in sent:
            producer.send(partition.topic, value, b"key", [("previousposition", b"0")])
    plainly = read_plainly(settings, partition)
    assert [record.value for record in plainly] == sent
    assert read_as_faust(settings, partition, NUMBER) == plainly

"""What others may do to the topics that we read: compress, write in transactions, write what is not ours."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.coverage import TopicReading
from infra.kafka.cluster import (
    Partition,
    Record,
    admin_client,
    consumer,
    ensure_topics,
    logs,
    look_up,
    read_ranges,
    record_of,
)
from infra.readers.rule import apply
from infra.settings import Settings
from tests.integration.others import CODECS, producing, write_as_others
from tests.integration.relaying import all_out, expected, on_kafka, relaying, store_events, wait_until

NUMBER = 300


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


@pytest.mark.parametrize("codec", ["uncompressed", *CODECS])
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


def test_what_others_write_to_a_topic_of_ours_changes_nothing_for_who_reads_it(settings: Settings) -> None:
    """Records that are not ours, in every packing, committed and aborted; ours once more; holes between the offsets."""
    ensure_topics(settings)
    last = store_events(settings, 60)
    with relaying(settings):
        wait_until(all_out(settings, last))
    wanted = expected(settings)
    partition = max(wanted, key=lambda each: len(wanted[each]))
    ours = on_kafka(settings)[partition]
    others = write_as_others(settings, partition, ours)
    records = read_plainly(settings, partition)
    applied = apply(records, {})
    assert [event.position for event in applied.events] == [position for position, _ in wanted[partition]]
    assert (len(applied.dead_letters), applied.dropped) == (others, 4 * len(ours))
    assert applied.held == {}
    offsets = [record.offset for record in records]
    assert offsets[-1] + 1 > len(offsets), "the markers of transactions leave no hole"
    reading = TopicReading(settings, [partition.topic], number=partition.partition)
    assert [event.raw for event in reading] == [raw for _, raw in wanted[partition]]
    assert reading.seen.gaps == ()
    assert read_as_faust(settings, partition, len(records)) == records

"""What other clients of the cluster may write, on every topic while everything runs: no reader stops, none is blinded.

The records are written by a second Kafka client (librdkafka), and by hand where no client would make them. The outcome
of each row is in docs/how-to/operate/foreign-records.md.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, Producer
from kafka import KafkaProducer
from kafka.errors import KafkaError as KafkaPythonError
from kafka.structs import OffsetAndMetadata, TopicPartition

from infra.kafka.cluster import Partition, admin_client, chained_topics, client_config, topics
from infra.readers.record import UNDECODABLE
from tests.faults.cases import SLOW, even, tell_cases
from tests.faults.installation import Installation, Row, installed, wait_until
from tests.integration.relaying import expected, read_anew

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
READING_PARTS = ("relay", "views", "watch", "billing", "readings", "notary")
IN_1970 = 1
IN_2100 = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
NOW = 0
"""A timestamp that the client sets itself."""


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with installed(**SLOW, hold_alarm_s=2, dead_letters_at_most=10_000) as running:
        yield running


class _NoText(str):
    """A header name whose bytes are no UTF-8."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xff\xfe\x00"


@dataclass
class Writer:
    """A second client, with what the brokers said to each record."""

    settings: Any
    codec: str = "none"
    more: dict[str, Any] = field(default_factory=dict)
    taken: int = 0
    refused: set[str] = field(default_factory=set)

    def __enter__(self) -> Writer:
        self.producer = Producer(
            {
                "bootstrap.servers": self.settings.kafka_bootstrap,
                "security.protocol": self.settings.kafka_security_protocol,
                "sasl.mechanism": self.settings.kafka_sasl_mechanism,
                "sasl.username": self.settings.kafka_sasl_username,
                "sasl.password": self.settings.kafka_sasl_password,
                "compression.type": self.codec,
                "message.max.bytes": 900_000_000,
                "queue.buffering.max.kbytes": 1_000_000,
                "message.timeout.ms": 60_000,
                **self.more,
            }
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.producer.flush(90) == 0, "the brokers did not answer"

    def write(
        self,
        partition: Partition,
        value: bytes | None,
        key: bytes | None = b"who?",
        *,
        headers: list[tuple[str, str | bytes | None]] | None = None,
        timestamp: int = NOW,
    ) -> None:
        self.producer.produce(
            partition.topic,
            value,
            key,
            partition=partition.partition,
            headers=headers,
            timestamp=timestamp,
            on_delivery=self._answered,
        )
        self.producer.poll(0)

    def _answered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.taken += 1
        else:
            self.refused.add(error.name())


def every_partition(it: Installation) -> list[Partition]:
    """Of every topic of the installation, also of those that are not the store's."""
    settings = it.settings
    alone = (settings.canary_topic, settings.checkpoint_topic)
    many = [Partition(topic, number) for topic in topics(settings) for number in range(settings.partitions)]
    readings = [Partition(settings.readings_topic, number) for number in range(settings.readings_partitions)]
    return [*many, *readings, *(Partition(topic, 0) for topic in alone)]


def dead_letters(it: Installation, code: str | None = None) -> list[Row]:
    return it.query("SELECT * FROM store.dead_letters WHERE code = coalesce(%s, code) ORDER BY id", code)


def processes(it: Installation) -> dict[str, int]:
    return {name: part["pid"] for name, part in it.state()["parts"].items()}


def goes_on(it: Installation, before: dict[str, int]) -> None:
    """What is told now reaches every reader, in the processes that ran before."""
    tell_cases(it, 3)
    even(it)
    assert processes(it) == before
    assert read_anew(it.settings) == expected(it.settings)


def reading(meter: str, minute: int) -> bytes:
    return json.dumps({"meter": meter, "read_at": f"2026-09-01T00:{minute:02d}:00Z", "value_m3": "12.500"}).encode()


def test_records_in_every_compression_are_read_on_every_topic(it: Installation) -> None:
    tell_cases(it, 2)
    even(it)
    before, written = processes(it), 0
    of_works = "SELECT count(*) FROM store.dead_letters WHERE code = 'not-json' AND reader = 'works'"
    known = it.one(of_works)
    for minute, codec in enumerate(CODECS):
        with Writer(it.settings, codec) as writer:
            for partition in every_partition(it):
                for number in range(3):
                    if partition.topic == it.settings.readings_topic:
                        writer.write(partition, reading(f"{codec}-{partition.partition}-{number}", minute))
                    else:
                        writer.write(partition, b"no event, in " + codec.encode() * 100)
        assert writer.refused == set()
        written += writer.taken
    assert written == len(CODECS) * len(every_partition(it)) * 3

    # A reading in any compression is a reading; a record that is none of ours is the same dead letter in any.
    wanted = len(CODECS) * it.settings.readings_partitions * 3
    taken = "SELECT count(*) FROM readings.set_aside WHERE meter ~ '^(NONE|GZIP|SNAPPY|LZ4|ZSTD)-'"
    wait_until(lambda: it.one(taken) == wanted, what="the readings")
    dead = known + len(CODECS) * it.settings.partitions * 3
    wait_until(lambda: it.one(of_works) == dead, what="the dead letters")
    goes_on(it, before)


def bad_header(it: Installation, partition: Partition) -> None:
    """A batch that the broker takes and a client cannot decode: the name of a header is no text."""
    producer = KafkaProducer(**client_config(it.settings), acks="all")
    try:
        producer.send(partition.topic, b"x", b"k", headers=[(_NoText("h"), b"")], partition=partition.partition).get(
            timeout=30
        )
    finally:
        producer.close(timeout=5)


def bomb(it: Installation, partition: Partition) -> None:
    """A batch of some kilobytes that decompresses to more than anybody should hold."""
    with Writer(it.settings, "zstd") as writer:
        writer.write(partition, bytes(100_000_000))
    assert (writer.taken, writer.refused) == (1, set())


def transaction(it: Installation, *, commit: bool) -> Callable[[list[Partition]], None]:
    def write(partitions: list[Partition]) -> None:
        with Writer(it.settings, more={"transactional.id": f"other-{commit}"}) as writer:
            writer.producer.init_transactions(60)
            writer.producer.begin_transaction()
            for partition in partitions:
                writer.write(partition, b"in a transaction")
            if commit:
                writer.producer.commit_transaction(60)
            else:
                writer.producer.flush(60)
                writer.producer.abort_transaction(60)

    return write


def test_batches_that_cannot_be_decoded_are_dead_letters_by_offset(it: Installation) -> None:
    read_positions = [Partition(topic, 1) for topic in (*chained_topics(it.settings), it.settings.readings_topic)]
    known, before = {row["id"] for row in dead_letters(it)}, processes(it)
    for read_position in read_positions:
        bad_header(it, read_position)
    for read_position in read_positions[:2]:
        bomb(it, read_position)
    told = {"cases", "windows", "due", "billing", "meters", "readings", "breaches", "works", "crews"}

    def new() -> list[Row]:
        return [row for row in dead_letters(it, UNDECODABLE) if row["id"] not in known]

    wait_until(lambda: told <= {row["reader"] for row in new()}, what="the dead letters")
    assert all(row["reason"] and row["position"] is None and row["size_bytes"] > 60 for row in new())
    assert max(row["size_bytes"] for row in new()) < 100_000
    goes_on(it, before)
    # The same after a restart, from the read positions that were stored.
    for part in READING_PARTS:
        it.wait_for_part(part, other_than=it.kill_part(part))
    tell_cases(it, 2)
    even(it)
    places_told = [(row["reader"], row["topic"], row["partition"], row["record_offset"]) for row in new()]
    assert len(places_told) == len(set(places_told))


Write = Callable[[Writer, Partition], None]
ODD: dict[str, Write] = {
    "no value (a tombstone)": lambda to, at: to.write(at, None),
    "no key and no value": lambda to, at: to.write(at, None, None),
    "a key of other bytes": lambda to, at: to.write(at, b"x", bytes(range(256))),
    "a key of 100 kB": lambda to, at: to.write(at, b"x", b"k" * 100_000),
    "a header of 500 kB": lambda to, at: to.write(at, b"x", headers=[("h", b"x" * 500_000)]),
    "1,000 headers of one name": lambda to, at: to.write(at, b"x", headers=[("previousposition", b"7")] * 1_000),
    "a chain header of 4,000 digits": lambda to, at: to.write(at, b"{}", headers=[("previousposition", b"9" * 4_000)]),
    "headers without values": lambda to, at: to.write(at, b"{}", headers=[("generation", b""), ("epoch", b"")]),
    "1.9 MB of value": lambda to, at: to.write(at, b"x" * 1_900_000),
    "1.9 MB of JSON": lambda to, at: to.write(at, b'{"specversion": "1.0", "data": "' + b"x" * 1_900_000 + b'"}'),
    "a time in 1970": lambda to, at: to.write(at, b"x", timestamp=IN_1970),
}


def test_odd_records_of_every_kind_stop_nobody(it: Installation) -> None:
    before = processes(it)
    with Writer(it.settings, more={"linger.ms": 0}) as writer:
        for partition in every_partition(it):
            for write in ODD.values():
                write(writer, partition)
    assert writer.refused == set()
    for commit in (True, False):
        transaction(it, commit=commit)(every_partition(it))
    goes_on(it, before)


def test_a_time_in_2100_is_refused_by_the_brokers(it: Installation) -> None:
    before = processes(it)
    with Writer(it.settings) as writer:
        for partition in every_partition(it):
            writer.write(partition, b"x", timestamp=IN_2100)
    # The readings' topic keeps the broker's own time, so the client's is not looked at.
    assert (writer.taken, writer.refused) == (it.settings.readings_partitions, {"INVALID_TIMESTAMP"})
    goes_on(it, before)


def test_offsets_of_the_groups_that_somebody_resets_move_nobody(it: Installation) -> None:
    """Places are rows in PostgreSQL; what is committed to Kafka only shows how far a group is."""
    workers = ("views", "watch", "readings")
    before = processes(it)
    for name in workers:
        os.kill(before[name], signal.SIGSTOP)  # offsets of a group are refused while it has members
    try:
        with admin_client(it.settings) as admin:
            for name in workers:
                wait_until(partial(reset_offsets, it, admin, f"{it.settings.topic_prefix}{name}"), what="a group alone")
    finally:
        for name in workers:
            os.kill(before[name], signal.SIGCONT)
    goes_on(it, before)


def reset_offsets(it: Installation, admin: Any, group: str) -> bool:
    """Whether the group's offsets are all 0 now; they are not to be changed while it has members."""
    wanted = {TopicPartition(*partition): OffsetAndMetadata(0, "", -1) for partition in every_partition(it)}
    try:
        admin.alter_group_offsets(group, wanted)
        found = admin.list_group_offsets([group])[group]
    except KafkaPythonError:
        return False
    return {offset.offset for offset in found.values()} == {0}

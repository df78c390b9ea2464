"""What others may write to a topic that we read: what is not ours, packed in each way, in transactions."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from api.contract.rule import RECORD_VECTORS
from infra.kafka.cluster import Partition, Record, admin_client, client_config
from infra.settings import Settings

LARGEST = str(2**63 - 1)
CODECS = ("gzip", "snappy", "lz4", "zstd")


@contextmanager
def producing(settings: Settings, **how: Any) -> Iterator[Any]:
    """A producer that has sent everything by the end of the block; a record that was refused fails it."""
    producer = KafkaProducer(**client_config(settings), acks="all", **how)
    sending, sent = producer.send, []
    producer.send = lambda *given, **named: sent.append(sending(*given, **named))
    try:
        yield producer
        producer.flush(timeout=20)
        for future in sent:
            future.get(timeout=20)
    finally:
        producer.close(timeout=5)


def foreign_records() -> list[dict[str, Any]]:
    """The records of the contract's vectors that a reader has to step over, as a producer is given them."""
    vectors = [vector["records"][1] for vector in RECORD_VECTORS if vector["stepped_over"]]
    # One of the vectors has neither key nor value, and this client sends no such thing.
    return [
        {
            "key": _content(record, "key"),
            "value": _content(record, "value"),
            "headers": [(name, value.encode()) for name, value in record["headers"].items()],
            "timestamp_ms": timestamp_ms,
        }
        for record in vectors
        if record.get("key", "") is not None
        for timestamp_ms in (0, 4_102_444_800_000)
    ]


def _content(record: dict[str, Any], name: str) -> bytes | None:
    if f"{name}_base64" in record:
        return base64.b64decode(record[f"{name}_base64"])
    text: str | None = record[name]
    return text.encode() if text is not None else None


def send_foreign(producer: Any, to: Partition) -> int:
    """Send each of them; how many there are."""
    records = foreign_records()
    for record in records:
        producer.send(to.topic, partition=to.partition, **record)
    return len(records)


def write_as_others(settings: Settings, to: Partition, ours: Iterable[Record]) -> int:
    """Records that are not ours, of any time, as an administrator may have allowed it at the topic: packed in
    each way, between them ``ours`` once more; then in a transaction that is committed and in one that is aborted.

    Returns how many records are not ours for who reads uncommitted."""
    any_timestamp = {"message.timestamp.before.max.ms": LARGEST, "message.timestamp.after.max.ms": LARGEST}
    with admin_client(settings) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, to.topic, any_timestamp)])
    others = 0
    for codec in CODECS:
        with producing(settings, compression_type=codec, linger_ms=20) as producer:
            others += send_foreign(producer, to)
            for record in ours:
                producer.send(to.topic, record.value, record.key, list(record.headers.items()), to.partition)
    with producing(settings, transactional_id=f"test-{uuid4()}", enable_idempotence=True) as producer:
        producer.init_transactions()
        for end in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            others += send_foreign(producer, to)
            producer.flush(timeout=20)
            end()
    return others

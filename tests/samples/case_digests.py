"""Prints a SHA-256 over the events of each case of a topic: all that a reader needs to know is in the event contract.

python case_digests.py 127.0.0.1:9092 water.repair.v1
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from kafka import KafkaConsumer, TopicPartition


def link(value: bytes | None, headers: list[tuple[str, bytes]]) -> tuple[int, int] | None:
    """Position, and that of the record before it in its partition; None: the record is not of the chain."""
    try:
        position, previous = json.loads(value or b"")["position"], dict(headers)["previousposition"] or b""
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    ours = type(position) is int and position < 2**63 and previous.isdigit() and int(previous) < position
    return (position, int(previous)) if ours else None


def digests(bootstrap: str, topic: str) -> dict[str, str]:
    """Case id -> SHA-256 in hex, over the events' bytes in order, up to the topic's present end."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, isolation_level="read_uncommitted")
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    cases: dict[str, Any] = {}
    stored, held, others = dict.fromkeys(partitions, 0), set(), 0
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for partition, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                if (found := link(record.value, record.headers)) is None:
                    others += 1  # not ours
                elif found[0] > stored[partition] >= found[1]:
                    held.discard(partition)
                    stored[partition] = found[0]
                    case = (record.key or b"").decode(errors="replace")
                    cases.setdefault(case, hashlib.sha256()).update(record.value)
                elif found[1] > stored[partition]:
                    held.add(partition)  # something before it is missing; else it was delivered again
    consumer.close()
    if held:
        sys.exit(f"incomplete: {sorted(held)}")
    print(f"stepped over {others} records that are not ours", file=sys.stderr)
    return {case: digest.hexdigest() for case, digest in cases.items()}


if __name__ == "__main__":
    for case, digest in sorted(digests(sys.argv[1], sys.argv[2]).items()):
        print(case, digest)

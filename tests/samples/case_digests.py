"""Prints a SHA-256 over the events of each case of a topic: all that a reader needs to know is in the event contract.

python case_digests.py 127.0.0.1:9092 water.repair.v1
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from kafka import KafkaConsumer, TopicPartition


def digests(bootstrap: str, topic: str) -> dict[str, str]:
    """Case id -> SHA-256 in hex, over the events' bytes in order, up to the topic's present end."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    cases: dict[str, Any] = {}
    stored = dict.fromkeys(partitions, 0)
    held: set[TopicPartition] = set()
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for partition, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                position = json.loads(record.value)["position"]
                previous = int(dict(record.headers)["previousposition"])
                if position <= stored[partition]:
                    continue  # delivered again
                if previous > stored[partition]:
                    held.add(partition)  # something before it is missing
                    continue
                held.discard(partition)
                stored[partition] = position
                cases.setdefault(record.key.decode(), hashlib.sha256()).update(record.value)
    consumer.close()
    if held:
        sys.exit(f"incomplete: {sorted(held)}")
    return {case: digest.hexdigest() for case, digest in cases.items()}


if __name__ == "__main__":
    for case, digest in sorted(digests(sys.argv[1], sys.argv[2]).items()):
        print(case, digest)

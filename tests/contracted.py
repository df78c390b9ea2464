"""Whether what really lies on a topic is what the event contract promises: value, key and headers of every record."""

from __future__ import annotations

import json

import jsonschema

from api.contract import published
from infra.kafka.cluster import Record, consumer, logs, look_up_cluster, read_ranges
from infra.settings import Settings

CHECKER = jsonschema.Draft202012Validator.FORMAT_CHECKER


def records_on(settings: Settings, topic: str) -> list[Record]:
    """Every record that is on a topic now."""
    cluster = look_up_cluster(settings, [topic])
    with consumer(settings, client_id="tongshui-test-contract", reset="none") as client:
        where = logs(client, cluster, cluster.partitions)
        ranges = {partition: (log.first, log.end) for partition, log in where.items()}
        return [record for _, chunk in read_ranges(client, ranges) for record in chunk]


def require_promised(name: str, records: list[Record]) -> None:
    """Hold records that are no events against the schema of their name; there must be some."""
    schema = published.messages()[name]
    assert records, f"no record of {name}"
    value = jsonschema.Draft202012Validator(schema, format_checker=CHECKER)
    key = jsonschema.Draft202012Validator(schema["x-key"])
    headers = jsonschema.Draft202012Validator(schema.get("x-headers", {"maxProperties": 0}))
    for record in records:
        text = (record.value or b"").decode()
        value.validate(json.loads(text) if schema["x-content-type"] == "application/json" else text)
        key.validate((record.key or b"").decode())
        # A header of bytes is held by its characters; what else it promises is its reader's to test.
        headers.validate({header: raw.decode("latin-1") for header, raw in record.headers.items()})

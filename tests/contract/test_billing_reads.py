"""Billing lives on the published contract: what it reads is promised there, and every recorded event can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from api.contract import published
from consumers.billing import messages as said
from consumers.billing.messages import TAKES
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse

HISTORIES = sorted((Path(__file__).parents[1] / "unit" / "histories").glob("*.jsonl"))
SCHEMAS = published.schemas()
LINES = [line for file in HISTORIES for line in file.read_bytes().splitlines() if line]


def requires(schema: Any, root: Any, reader: Any, where: str) -> list[str]:
    """Which of a reader's fields the schema does not promise; those without a default must always be there."""
    schema = root["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    missing = []
    for field in reader.fields:
        path = f"{where}.{field.encode_name}"
        promised = schema["properties"].get(field.encode_name)
        if promised is None or (field.required and field.encode_name not in schema["required"]):
            missing.append(path)
        elif isinstance(field.type, msgspec.inspect.StructType):
            missing += requires(promised, root, field.type, path)
        elif isinstance(field.type, msgspec.inspect.VarTupleType) and isinstance(
            field.type.item_type, msgspec.inspect.StructType
        ):
            missing += requires(promised["items"], root, field.type.item_type, f"{path}[]")
    return missing


@pytest.mark.parametrize("name", sorted(TAKES))
def test_every_field_that_billing_reads_is_promised(name: str) -> None:
    schema = SCHEMAS[name]
    reader = msgspec.inspect.type_info(TAKES[name])
    assert requires(schema["properties"]["data"], schema, reader, name) == []


def test_what_billing_would_need_beyond_the_contract_is_named() -> None:
    class Demanding(msgspec.Struct):
        payment: str
        bank: str

    schema = SCHEMAS["water.connection.PaymentReceived.v1"]
    found = requires(schema["properties"]["data"], schema, msgspec.inspect.type_info(Demanding), "payment")
    assert found == ["payment.bank"]


def test_every_recorded_event_that_billing_takes_can_be_read() -> None:
    seen = set()
    for line in LINES:
        subject = UUID(json.loads(line)["subject"])
        event = parse(Record("t", 0, 0, case_key(subject), line, {"previousposition": b"0"}))
        assert isinstance(event, Event)
        if event.type in TAKES:
            assert said.natural_key(event, said.read(event))
            seen.add(event.type)
    assert seen == set(TAKES)

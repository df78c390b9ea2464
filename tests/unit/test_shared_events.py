"""Read models of one process share each parsed event: none changes it, and rows are stored without copies of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.kafka.cluster import Partition, Record, case_key, route
from infra.readers.record import Event, parse_all
from infra.readers.rule import START, ReadPosition, apply, apply_parsed
from infra.settings import Settings
from projections.read_models.model import Journal, Model, as_jsonb
from projections.read_models.views import VIEWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.jsonl"))
SETTINGS = Settings()


@cache
def published(history: Path) -> tuple[Record, ...]:
    """The records of a stored history, one chain for each partition."""
    return tuple(_published(history))


def _published(history: Path) -> Iterator[Record]:
    last: dict[Partition, tuple[int, int]] = {}
    for line in history.read_bytes().splitlines():
        event = msgspec.json.decode(line)
        for at in route(event["type"], event["subject"], SETTINGS.partitions, SETTINGS.topic_prefix):
            position, offset = last.get(at, (0, -1))
            headers = {"previousposition": str(position).encode(), "epoch": b"1", "generation": b"g"}
            yield Record(at.topic, at.partition, offset + 1, case_key(event["subject"]), line, headers)
            last[at] = event["position"], offset + 1


def rows_of(model: Model[Any] | Journal[Any], events: list[Event]) -> list[Any]:
    topics = {SETTINGS.home_topic(name) for name in model.topics}
    rows: dict[tuple[Any, ...], Any] = {}
    for event in events:
        if event.topic in topics:
            model.take(rows, event)
    return [row for row in rows.values() if row is not None]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_no_read_model_changes_an_event_that_the_others_share(history: Path) -> None:
    records = published(history)
    shared = apply_parsed(parse_all(records), {}).events
    assert len(shared) == len(records)
    rows = {model.name: rows_of(model, shared) for model in VIEWS}
    assert shared == apply(records, {}).events, "a fold wrote into an event's data"
    assert rows == {model.name: rows_of(model, apply(records, {}).events) for model in VIEWS}


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_rows_are_encoded_as_their_copies_of_plain_values_were(history: Path) -> None:
    events = apply(published(history), {}).events
    for model in VIEWS:
        rows = rows_of(model, events)
        encoded = as_jsonb(rows)
        assert encoded.dumps is not None
        copies = json.dumps(msgspec.to_builtins([asdict(row) for row in rows]))
        assert json.loads(encoded.dumps(encoded.obj)) == json.loads(copies)


@pytest.mark.parametrize("position", [0, 1, 5, 1000])
def test_records_parsed_before_are_judged_as_records_are(position: int) -> None:
    rubbish = Record("water.repair.v1", 0, 99, None, b"\xff", {})
    records = [record for history in HISTORIES[-3:] for record in published(history)] + [rubbish]
    places = {Partition(record.topic, record.partition): ReadPosition(position) for record in records}
    parsed = parse_all(records)
    assert apply_parsed(parsed, places) == apply(records, places)
    assert apply_parsed(parsed, places) == apply(records, places), "a second reader of the same records"
    assert all(place == START or place.position == position for place in places.values())

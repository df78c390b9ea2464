"""Whether every read model says what the store says: each fold is run anew over the store and compared row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from infra.kafka.cluster import Record, case_key, route
from infra.readers.record import Event, Unreadable, parse
from infra.settings import Settings
from infra.sql import sql

AT_ONCE = 5_000


def published(settings: Settings, connection: psycopg.Connection[Any]) -> Iterator[Event]:
    """Every event of the store as its records on the topics carry it: one for each topic that it is routed to."""
    after = 0
    with connection.cursor(row_factory=dict_row) as cursor:
        while True:
            rows = cursor.execute(sql("events_after"), {"after": after, "most": AT_ONCE}).fetchall()
            if not rows:
                return
            for row in rows:
                yield from _records(settings, row["topic"], row["originator_id"], bytes(row["state"]))
            after = rows[-1]["position"]


def published_of(settings: Settings, connection: psycopg.Connection[Any], case_id: UUID) -> Iterator[Event]:
    """Every event of one stream, as its home topic carries it; none where there is no such stream."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql("events_of"), {"ids": [case_id]}).fetchall()
    for row in rows:
        yield next(_records(settings, row["topic"], case_id, bytes(row["state"])))


def _records(settings: Settings, type_name: str, case_id: UUID, state: bytes) -> Iterator[Event]:
    for topic, partition in route(type_name, case_id, settings.partitions, settings.topic_prefix):
        record = Record(topic, partition, 0, case_key(case_id), state, {"previousposition": b"0"})
        event = parse(record)
        if isinstance(event, Unreadable):
            raise ValueError(f"the store holds an event of {case_id} that readers cannot read: {event.code}")
        yield event


def expected_rows(
    settings: Settings, connection: psycopg.Connection[Any], models: Sequence[Any]
) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Model name → key → row, folded from the store alone."""
    rows: dict[str, dict[tuple[Any, ...], Any]] = {model.name: {} for model in models}
    topics = {model.name: {settings.home_topic(topic) for topic in model.topics} for model in models}
    for event in published(settings, connection):
        for model in models:
            if event.topic in topics[model.name]:
                model.take(rows[model.name], event)
    return {name: {key: asdict(row) for key, row in found.items() if row is not None} for name, found in rows.items()}


def actual_rows(connection: psycopg.Connection[Any], model: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Key → row of the model's table."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(SQL("SELECT * FROM {}").format(Identifier(*model.table.split("."))))
        rows = [{name: tuple(v) if isinstance(v, list) else v for name, v in row.items()} for row in cursor]
    return {tuple(row[name] for name in model.key): row for row in rows}


def disagreements(settings: Settings, connection: psycopg.Connection[Any], models: Sequence[Any]) -> list[str]:
    """Where tables differ from the store, a line each; none: every read model agrees."""
    found: list[str] = []
    expected = expected_rows(settings, connection, models)
    for model in models:
        found += _differences(model.name, expected[model.name], actual_rows(connection, model))
    return found


def _differences(
    name: str,
    expected: Mapping[tuple[Any, ...], Mapping[str, Any]],
    actual: Mapping[tuple[Any, ...], Mapping[str, Any]],
) -> Iterator[str]:
    for key in expected.keys() - actual.keys():
        yield f"{name}: the row {key} is missing"
    for key in actual.keys() - expected.keys():
        yield f"{name}: the row {key} is not of the store"
    for key in expected.keys() & actual.keys():
        for column, value in expected[key].items():
            if actual[key][column] != value:
                yield f"{name}: row {key}, {column}: found {actual[key][column]!r}, the store says {value!r}"


def account_disagreements(settings: Settings, connection: psycopg.Connection[Any]) -> list[str]:
    """Where billing's accounts differ from the store's water-on events."""
    wanted = {
        (event.case_id, event.data["point"])
        for event in published(settings, connection)
        if event.type == "water.connection.WaterTurnedOn.v1"
    }
    rows = connection.execute(sql("billing_supply_points")).fetchall()
    opened = [tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in rows]
    found = [f"billing: no account for {key}" for key in wanted - set(opened)]
    found += [f"billing: an account for {key} that the store does not know" for key in set(opened) - wanted]
    if len(opened) != len(set(opened)):
        found.append("billing: a supply point has two accounts")
    return found

"""The recorded histories (``tests/unit/histories``) over and over, as events of a store: for tests that need every kind
of fact, and for measurements that need many."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec
import psycopg

FOLDER = Path(__file__).parent / "unit" / "histories"
OPEN = 200
"""How many streams are under way at a time."""
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_POSITION = re.compile(rb'"position":\d+,"recordedat"')

Row = tuple[UUID, int, str, bytes, int]
"""A row of the store: stream, version, type, bytes, position."""


def events(first: int, rounds: int, seed: int = 225) -> Iterator[Row]:
    """Rows of the store from position ``first`` on: each history ``rounds`` times, under other ids each time, many
    streams at once as in a city."""
    chance = random.Random(seed)
    files = [(path.stem, path.read_bytes()) for path in sorted(FOLDER.glob("*.jsonl"))]
    waiting = [(text, f"{seed} {number} {name}") for number in range(rounds) for name, text in files]
    waiting.reverse()
    under_way: list[Iterator[tuple[UUID, int, str, bytes]]] = []
    position = first
    while waiting or under_way:
        while waiting and len(under_way) < OPEN:
            under_way.append(_stream(*waiting.pop()))
        place = chance.randrange(len(under_way))
        for stream, version, name, state in under_way[place]:
            yield stream, version, name, _POSITION.sub(b'"position":%d,"recordedat"' % position, state), position
            position += 1
            break
        else:
            under_way[place] = under_way[-1]
            under_way.pop()


def append(connection: psycopg.Connection[Any], rounds: int, seed: int = 225) -> int:
    """Append them to the store in one transaction, and wake the relay. Returns the store's last position."""
    with connection.transaction(), connection.cursor() as cursor:
        row = cursor.execute("SELECT position FROM store.log_head FOR UPDATE").fetchone()
        assert row is not None
        last = int(row["position"] if isinstance(row, dict) else row[0])
        columns = "originator_id, originator_version, topic, state, notification_id"
        with cursor.copy(f"COPY store.stored_events ({columns}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types(["uuid", "int8", "text", "bytea", "int8"])
            for each in events(last + 1, rounds, seed):
                copy.write_row(each)
                last = each[4]
        cursor.execute("UPDATE store.log_head SET position = %s, recorded_at = now()", [last])
        cursor.execute("SELECT pg_notify('tongshui_log', %s)", [str(last)])
    return last


def _stream(text: bytes, which: str) -> Iterator[tuple[UUID, int, str, bytes]]:
    other: dict[bytes, bytes] = {}

    def renamed(found: re.Match[bytes]) -> bytes:
        told = found.group()
        if told not in other:
            other[told] = str(uuid5(UUID(told.decode()), which)).encode()
        return other[told]

    for line in _ID.sub(renamed, text).splitlines():
        event = msgspec.json.decode(line)
        yield UUID(event["subject"]), event["caseversion"], event["type"], line

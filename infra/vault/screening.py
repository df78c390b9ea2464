"""Every stored event through the screen: which of them hold what looks personal. The values are told to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from domain.kernel.personal import find
from infra.settings import Settings
from infra.sql import sql

AT_ONCE = 2_000
ENVELOPE = ("actor", "role", "channel", "correlationid", "commandid", "causationid", "confirmedby")
"""Attributes of an event that hold what a caller said."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A field of a stored event that holds what looks personal: its position, case, type and place, and what kind of
    thing it is. ``case_number``: empty where the read models know no number."""

    position: int
    case_id: str
    case_number: str
    type: str
    field: str
    kind: str


@dataclass(slots=True)
class Looked:
    """How many events were looked at."""

    events: int = 0


def screened(settings: Settings, looked: Looked) -> Iterator[Finding]:
    """What is found in the stored events, oldest first, while they are read; ``looked`` counts them."""
    after = 0
    with psycopg.connect(settings.database_url, autocommit=True, connect_timeout=5, row_factory=dict_row) as connection:
        while rows := connection.execute(sql("vault_events_to_screen"), {"after": after, "most": AT_ONCE}).fetchall():
            for row in rows:
                yield from _found_in(row)
            looked.events += len(rows)
            after = rows[-1]["position"]


def _found_in(row: dict[str, Any]) -> Iterator[Finding]:
    event = msgspec.json.decode(bytes(row["state"]))
    said = {name: event[name] for name in ENVELOPE if name in event}
    for found in find({**said, "data": event.get("data")}):
        yield Finding(
            row["position"], str(row["case_id"]), row["case_number"] or "", row["topic"], found.where, found.kind
        )

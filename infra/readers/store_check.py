"""Holds what a topic says against the store: a record that the store does not have so is never applied.

Whoever may write to a topic can write what looks like ours in everything: id, position, chain. Only the store tells an
event from a forgery, and our readers live beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Cursor

from infra.kafka.cluster import Partition, Record, case_key, route
from infra.readers.record import ParsedRecord, Unreadable
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

NOT_IN_STORE = "not-in-store"
"""Why a record is no event: the store has not these bytes at this position, or not for this place and key."""


class StoredEvent(NamedTuple):
    """An event as the store has it: its case, its type's name and its bytes."""

    case_id: UUID
    name: str
    state: bytes


def confirmed(
    cursor: Cursor[Any], parsed: Sequence[ParsedRecord], settings: Settings, reader: str
) -> list[ParsedRecord]:
    """The same records in their order; one that claims a position and is not the store's has no position any more.

    So it becomes a dead letter that moves nothing, and the true event of the position is applied when it comes. The
    relay reads what is committed: what it published is in the store before any reader can see it. ``reader`` is named
    in the log. Raises what psycopg raises.
    """
    claims = [each for each in parsed if each.found.position is not None]
    if not claims:
        return list(parsed)
    stored = stored_at(cursor, [each.found.position or 0 for each in claims])
    true = {id(each) for each in claims if _is_stored(each, stored, settings)}
    found = []
    for each in parsed:
        if each.found.position is None or id(each) in true:
            found.append(each)
        else:
            found.append(_forged(each, reader))
    return found


def stored_at(cursor: Cursor[Any], positions: Sequence[int]) -> dict[int, StoredEvent]:
    """The store's events at these positions. Raises what psycopg raises."""
    rows = cursor.execute(sql("placed_events_at"), {"positions": positions}, binary=True).fetchall()
    return {position: StoredEvent(case_id, name, bytes(state)) for position, case_id, name, state in rows}


def belongs(record: Record, event: StoredEvent, settings: Settings) -> bool:
    """Whether the event is written to this partition and under this key."""
    where = route(event.name, event.case_id, settings.partitions, settings.topic_prefix)
    return record.key == case_key(event.case_id) and Partition(record.topic, record.partition) in where


def _is_stored(each: ParsedRecord, stored: Mapping[int, StoredEvent], settings: Settings) -> bool:
    """Whether the store has this record: these bytes at this position, of this key, for this partition."""
    event = stored.get(each.found.position or 0)
    return event is not None and event.state == each.record.value and belongs(each.record, event, settings)


def _forged(each: ParsedRecord, reader: str) -> ParsedRecord:
    record, found = each.record, each.found
    where = f"{Partition(record.topic, record.partition)}, offset {record.offset}"
    log.error(
        "%s: the record at %s says position %s, which the store has not so; not applied", reader, where, found.position
    )
    reason = (
        f"the record says position {found.position}, and the store has no such event there for this partition and key"
    )
    return msgspec.structs.replace(each, found=Unreadable(code=NOT_IN_STORE, reason=reason, case_id=found.case_id))

"""The window watch's index: when to ask the domain about which case.

Not a read model for people. A fact about a window says "ask now"; the domain's answer at a case version says when to
ask next, and facts up to that version say nothing new. A command has computed that answer: its append writes it here
(``watch_schedule``), so its facts ask nothing when they come through the stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import dict_row

from domain.kinds import WINDOW_TYPES
from infra.readers.dead_letters import BAD_CONTENT, kept_or_dead
from infra.readers.record import Event
from infra.readers.rule import DeadLetter, dead_letter_of
from infra.readers.store_check import NOT_IN_STORE
from infra.sql import sql
from projections.read_models.model import as_jsonb, fact_name, topic_of
from projections.read_models.windows import time

ENDS = frozenset({"WindowMet", "WindowCancelled"})
LINGER_S = 0.2
"""The index may know of an event this much later: no limit is so short. In a storm the lapses come back a few at a
time, and taken so they cost a quarter of the watches' work."""


@dataclass(frozen=True, slots=True)
class DueRow:
    """One window in the index; ``next_ask_at`` None: time alone changes nothing about it."""

    case_id: UUID
    commitment: str
    family: str
    number: int
    due_at: datetime | None
    next_ask_at: datetime | None
    case_version: int


def fold(row: DueRow | None, event: Event) -> DueRow | None:
    """The window's row after the event. Raises BAD_CONTENT on content that its type does not promise."""
    if event.type not in WINDOW_TYPES or (row is not None and event.version <= row.case_version):
        return row
    data = event.data
    # What is met provisionally ends by time: the domain is asked when.
    ended = fact_name(event) in ENDS and data.get("provisional_until") is None
    return DueRow(
        case_id=event.case_id,
        commitment=data["commitment"],
        family=topic_of(event),
        number=data["number"],
        due_at=time(data["due_at"]),
        # Now, that is. After a clock was set back the log's own time stays ahead of it, and now would be too late.
        next_ask_at=None if ended else min(event.recorded_at, event.happened_at),
        case_version=event.version,
    )


def _dead(event: Event, error: Exception, topic_ids: Mapping[str, UUID]) -> DeadLetter:
    return dead_letter_of(event, topic_ids, "fold-failed", f"{type(error).__name__} in the window watch")


class DueIndex:
    """The index as a model of the stream shell."""

    name = "due"
    topics = ("repair", "connection", "usage")

    def step(self, cursor: Cursor[Any], events: Sequence[Event], topic_ids: Mapping[str, UUID]) -> list[DeadLetter]:
        """Apply events in the cursor's transaction; what cannot be read becomes "ask about this case now"."""
        about = [event for event in events if event.type in WINDOW_TYPES]
        return kept_or_dead(
            cursor,
            about,
            lambda part: self._keep(cursor, part, topic_ids),
            lambda event, error: _dead(event, error, topic_ids),
        )

    def _keep(self, cursor: Cursor[Any], about: Sequence[Event], topic_ids: Mapping[str, UUID]) -> list[DeadLetter]:
        rows = self._load(cursor, {event.case_id for event in about})
        before = dict(rows)
        dead = []
        for event in about:
            key = (event.case_id, str(event.data.get("commitment")))
            try:
                row = fold(rows.get(key), event)
            except BAD_CONTENT as error:
                dead.append(_dead(event, error, topic_ids))
                continue
            if row is not None:
                rows[key] = row
        self._store(cursor, [row for key, row in rows.items() if row != before.get(key)])
        return dead

    def poisoned(self, cursor: Cursor[Any], dead_letters: Sequence[DeadLetter]) -> None:
        """A record that nobody can read may have opened a window: ask about its case."""
        known = [
            dead_letter
            for dead_letter in dead_letters
            # What is not the store's so may stand where a true record stood: to ask about its case once more is free.
            if dead_letter.case_id is not None
            and (dead_letter.position is not None or dead_letter.code == NOT_IN_STORE)
        ]
        topics = [dead_letter.topic.split(".")[-2] for dead_letter in known]
        if known:
            cursor.execute(
                sql("watch_ask_now"), {"ids": [dead_letter.case_id for dead_letter in known], "families": topics}
            )
            cursor.execute(sql("announce_due"))

    def _load(self, cursor: Cursor[Any], ids: set[UUID]) -> dict[tuple[UUID, str], DueRow]:
        with cursor.connection.cursor(row_factory=dict_row) as reading:
            reading.execute(sql("watch_rows"), {"ids": list(ids)})
            return {(row["case_id"], row["commitment"]): DueRow(**row) for row in reading}

    def _store(self, cursor: Cursor[Any], rows: Sequence[DueRow]) -> None:
        if rows:
            cursor.execute(sql("watch_store"), {"rows": as_jsonb(rows)})
            cursor.execute(sql("announce_due"))

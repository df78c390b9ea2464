"""A read model: a pure fold from events to rows of one table, and the set-based SQL that applies it.

A row is written by one partition only and a fold reads nothing of another case, so models need no locks beyond the
the rows of read positions that their reader holds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from infra.readers.dead_letters import BAD_CONTENT, kept_or_dead
from infra.readers.record import Event
from infra.readers.rule import DeadLetter, dead_letter_of
from infra.sql import sql

log = logging.getLogger(__name__)

R = TypeVar("R")


def fact_name(event: Event) -> str:
    """The fact's name in a type name, for example ``CrewArrived`` in ``water.repair.CrewArrived.v1``."""
    return _words(event.type)[2]


def topic_of(event: Event) -> str:
    """The topic in a type name, for example ``repair``."""
    return _words(event.type)[1]


def kind_of_case(commitment: str) -> str:
    """The kind of case that a commitment is of: ``outage`` of ``outage.notice``. A topic may have several
    kinds of case."""
    return commitment.partition(".")[0]


@cache
def _words(type_name: str) -> tuple[str, str, str]:
    words = type_name.split(".")
    # A type of another form is nobody's here: it falls through every fold.
    return (words[0], words[1], words[2]) if len(words) == 4 else ("", "", "")


def as_jsonb(rows: Sequence[Any]) -> Jsonb:
    """Rows, as dataclasses or dicts, for a query that unpacks them. Encoded as they are: copies of them, made of plain
    values first, cost more than folding them."""
    return Jsonb(rows, dumps=msgspec.json.encode)


@cache
def _composed(name: str, table: str, columns: tuple[str, ...], key: tuple[str, ...]) -> bytes:
    rest = [column for column in columns if column not in key]
    query = SQL(sql(name)).format(
        table=Identifier(*table.split(".")),
        keys=SQL(", ").join(map(Identifier, key)),
        columns=SQL(", ").join(map(Identifier, columns)),
        updates=SQL(", ").join(SQL("{0} = excluded.{0}").format(Identifier(column)) for column in rest),
    )
    return query.as_bytes()


@dataclass(frozen=True)
class Table(Generic[R]):
    """What every read model has: its table, the dataclass of a row with the table's columns, the key among them, and
    the topics of events that it reads."""

    name: str
    table: str
    row: type[R]
    key: tuple[str, ...]
    topics: tuple[str, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in fields(self.row))  # type: ignore[arg-type]

    def key_in(self, row: R) -> tuple[Any, ...]:
        """The key of a row."""
        return tuple(getattr(row, name) for name in self.key)

    def store(self, cursor: Cursor[Any], rows: Sequence[R]) -> None:
        """Upsert rows in the cursor's transaction."""
        if rows:
            cursor.execute(self._query("model_store"), {"rows": as_jsonb(rows)})

    def _query(self, name: str) -> bytes:
        return _composed(name, self.table, self.columns, self.key)

    def dead(self, event: Event, error: Exception, topic_ids: Mapping[str, UUID]) -> DeadLetter:
        """The dead letter of an event that the fold could not take."""
        # A link of the chain whose content is not what its type promises: poison, named and left behind.
        log.error("%s cannot take %s at position %d", self.name, event.type, event.position)
        return dead_letter_of(event, topic_ids, "fold-failed", f"{type(error).__name__} in the read model {self.name}")


@dataclass(frozen=True)
class Model(Table[R]):
    """A read model by fold: an event changes the row that it is about.

    ``key_of`` tells which row an event is about (None: none of this model's); ``fold`` gives the row after it. Types
    that a model does not know leave the row as it is.
    """

    key_of: Callable[[Event], tuple[Any, ...] | None]
    fold: Callable[[R | None, Event], R | None]

    def take(self, rows: dict[tuple[Any, ...], R | None], event: Event) -> None:
        """Apply an event to rows in memory. Raises BAD_CONTENT on content that its type does not promise."""
        key = self.key_of(event)
        if key is not None:
            rows[key] = self.fold(rows.get(key), event)

    def step(self, cursor: Cursor[Any], events: Sequence[Event], topic_ids: Mapping[str, UUID]) -> list[DeadLetter]:
        """Apply events in the cursor's transaction. Returns those that key, fold or table could not take."""
        about: list[tuple[tuple[Any, ...], Event]] = []
        dead = []
        for event in events:
            try:
                key = self.key_of(event)
                hash(key)
            except BAD_CONTENT as error:
                dead.append(self.dead(event, error, topic_ids))
            else:
                about += [(key, event)] if key is not None else []
        return dead + kept_or_dead(
            cursor,
            about,
            lambda part: self._keep(cursor, part, topic_ids),
            lambda one, error: self.dead(one[1], error, topic_ids),
        )

    def _keep(
        self, cursor: Cursor[Any], about: Sequence[tuple[tuple[Any, ...], Event]], topic_ids: Mapping[str, UUID]
    ) -> list[DeadLetter]:
        rows = self.load(cursor, {key for key, _ in about})
        before = dict(rows)
        dead = []
        for _, event in about:
            try:
                self.take(rows, event)
            except BAD_CONTENT as error:
                dead.append(self.dead(event, error, topic_ids))
        self.store(cursor, [row for key, row in rows.items() if row is not None and row != before.get(key)])
        return dead

    def load(self, cursor: Cursor[Any], keys: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], R | None]:
        """The rows of these keys that the table has."""
        wanted = [dict(zip(self.key, key, strict=True)) for key in keys]
        with cursor.connection.cursor(row_factory=dict_row) as reading:
            reading.execute(self._query("model_rows"), {"keys": as_jsonb(wanted)})
            found = [self._row(row) for row in reading]
        return {self.key_in(row): row for row in found}

    def _row(self, found: Mapping[str, Any]) -> R:
        values = {name: tuple(v) if isinstance(v := found[name], list) else v for name in self.columns}
        return self.row(**values)


@dataclass(frozen=True)
class Journal(Table[R]):
    """A read model that only adds: an event gives any number of rows, and none of them changes later."""

    rows_of: Callable[[Event], Sequence[R]]

    def take(self, rows: dict[tuple[Any, ...], R | None], event: Event) -> None:
        """Add an event's rows to those in memory; raises as ``Model.take`` does."""
        rows.update({self.key_in(row): row for row in self.rows_of(event)})

    def step(self, cursor: Cursor[Any], events: Sequence[Event], topic_ids: Mapping[str, UUID]) -> list[DeadLetter]:
        """Add events' rows in the cursor's transaction. Returns the events that gave none because of their content."""
        return kept_or_dead(
            cursor,
            events,
            lambda part: self._keep(cursor, part, topic_ids),
            lambda event, error: self.dead(event, error, topic_ids),
        )

    def _keep(self, cursor: Cursor[Any], events: Sequence[Event], topic_ids: Mapping[str, UUID]) -> list[DeadLetter]:
        rows: dict[tuple[Any, ...], R | None] = {}
        dead = []
        for event in events:
            try:
                self.take(rows, event)
            except BAD_CONTENT as error:
                dead.append(self.dead(event, error, topic_ids))
        self.store(cursor, [row for row in rows.values() if row is not None])
        return dead

"""One lane of a rebuild: the events of its cases, read from the store in bulk and folded in memory.

All of a case's events are of one lane, so lanes need nothing of each other. Each stretch of the store is one
transaction: the rows that it changed, the place of the lane, and the positions that its partitions are at. A lane that
is killed goes on where its last stretch ended.

The store is read and not the topics: whatever a reader applies of a topic was first found equal to the store's bytes
of that position (``infra/readers/store_check.py``), and the relay leaves none of them out. So the rows of a reader at
a position are the fold of the store's events of the partition up to there, and the store gives them ten times as fast.
"""

from __future__ import annotations

import logging
import os
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from multiprocessing import parent_process
from operator import attrgetter
from threading import Thread
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import set_json_dumps

from infra.kafka.cluster import BREACH_FACTS, BusRefusal, case_key, partition_of, route
from infra.postgres.connections import connect
from infra.readers.dead_letters import BAD_CONTENT, REFUSED
from infra.readers.record import UNREADABLE, Event, stored_event
from infra.settings import Settings
from infra.sql import sql
from projections.read_models.model import Journal, Model
from projections.read_models.views import VIEWS
from projections.rebuild.tables import ReadModel, beside, delete, types_of

log = logging.getLogger(__name__)

STRETCH = 40_000
"""How many positions of the store a transaction covers."""
ROWS_KEPT = 60_000
"""How many rows of a model a lane keeps in memory, so that it need not read what it wrote a moment ago."""

UNWRITABLE = (*REFUSED, *BAD_CONTENT, struct.error)
"""What writing rows raises where a value does not go into its column: then events are applied one by one."""
NOBODY = UUID(int=0)
Key = tuple[Any, ...]
Refused = tuple[str, int, str]
"""A model's name, the position of an event that it could not take, and why."""


def _only(form: type[Any]) -> Callable[[Any], Any]:
    def fits(value: Any) -> Any:
        if value is not None and type(value) is not form:
            raise TypeError(f"{type(value).__name__} in a column of {form.__name__}")
        return value

    return fits


def _integer(bits: int) -> Callable[[Any], Any]:
    most = 2 ** (bits - 1)

    def fits(value: Any) -> Any:
        if value is not None and (type(value) is not int or not -most <= value < most):
            raise TypeError(f"{type(value).__name__} in a column of integers of {bits} bits")
        return value

    return fits


def _instant(value: Any) -> Any:
    if value is not None and (type(value) is not datetime or value.tzinfo is None):
        raise TypeError(f"{type(value).__name__} in a column of instants")
    return value


def _many(fits: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def all_fit(values: Any) -> Any:
        if type(values) is not tuple:
            raise TypeError(f"{type(values).__name__} in a column of arrays")
        return [fits(value) for value in values]

    return all_fit


def _unknown(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} in a column of a type that has no form here")


FITS: Mapping[str, Callable[[Any], Any]] = {
    "bigint": _integer(64),
    "boolean": _only(bool),
    "date": _only(date),
    "integer": _integer(32),
    "jsonb": lambda value: list(value) if type(value) is tuple else value,
    "numeric": _only(Decimal),
    "text": _only(str),
    "text[]": _many(_only(str)),
    "timestamp with time zone": _instant,
    "timestamp with time zone[]": _many(_instant),
    "uuid": _only(UUID),
}
"""Type of a column → the value as COPY takes it. Whatever is not exactly of the type raises TypeError: in binary it
would be cut to size or taken for something else, where the reader's own way refuses it or converts it."""


class StoredEvents:
    """Which events of the store the models read, and how they are decoded."""

    def __init__(self, settings: Settings, models: Sequence[ReadModel]) -> None:
        self.settings = settings
        self.topics = sorted({topic for model in models for topic in model.topics})
        self._homes = {settings.home_topic(topic) for topic in self.topics}
        self._breach = settings.breach_topic if settings.breach_topic in self._homes else None
        self._models = {
            home: [model.name for model in models if home in map(settings.home_topic, model.topics)]
            for home in self._homes
        }
        self._carriers: dict[str, list[str]] = {}
        self._partitions: dict[UUID, int] = {}

    def between(
        self, cursor: Cursor[Any], after: int, until: int, lane: int = 0, lanes: int = 1
    ) -> tuple[list[Event], list[Refused]]:
        """The lane's events with positions above ``after`` up to ``until``, in order, one for each topic that carries
        it and that a model reads; and those that cannot be decoded."""
        facts = sorted(BREACH_FACTS) if self._breach is not None else []
        asked = {"after": after, "until": until, "lane": lane, "lanes": lanes, "topics": self.topics, "facts": facts}
        events: list[Event] = []
        refused: list[Refused] = []
        for position, name, state in cursor.execute(sql("rebuild_events"), asked, binary=True):
            for topic in self._carried_by(name):
                try:
                    events.append(stored_event(state, topic, self._partition))
                except UNREADABLE:
                    refused += [(model, position, "unreadable") for model in self._models[topic]]
        return events, refused

    def _carried_by(self, name: str) -> list[str]:
        found = self._carriers.get(name)
        if found is None:
            at = route(name, NOBODY, 1, self.settings.topic_prefix)
            found = self._carriers[name] = [place.topic for place in at if place.topic in self._homes]
        return found

    def _partition(self, case_id: UUID) -> int:
        partition = self._partitions.get(case_id)
        if partition is None:
            if len(self._partitions) > 4 * ROWS_KEPT:
                self._partitions.clear()
            partition = self._partitions[case_id] = partition_of(case_key(case_id), self.settings.partitions)
        return partition


class _Rows:
    """A model's rows in memory over its table beside the one in use."""

    def __init__(self, connection: psycopg.Connection[Any], settings: Settings, model: ReadModel) -> None:
        self.model = beside(model)
        self.topics = {settings.home_topic(topic) for topic in model.topics}
        self._types = types_of(connection, model.table, model.columns)
        self._fits = [FITS.get(type_, _unknown) for type_ in self._types]
        self._known: dict[Key, Any] = {}
        self._stored: set[Key] = set()
        self._changed: dict[Key, None] = {}

    def forget(self) -> None:
        """Know nothing of the table any more."""
        self._known.clear()
        self._stored.clear()
        self._changed.clear()

    def fold(self, cursor: Cursor[Any], events: Sequence[Event]) -> list[Refused]:
        """Fold events on in memory. Returns those that the model could not take."""
        if isinstance(self.model, Journal):
            return self._add(self.model, events)
        return self._fold(self.model, cursor, events)

    def _add(self, model: Journal[Any], events: Sequence[Event]) -> list[Refused]:
        refused: list[Refused] = []
        for event in events:
            added: dict[Key, Any] = {}
            try:
                model.take(added, event)
            except BAD_CONTENT as error:
                refused.append((model.name, event.position, type(error).__name__))
            self._known |= added
            self._changed |= dict.fromkeys(added)
        return refused

    def _fold(self, model: Model[Any], cursor: Cursor[Any], events: Sequence[Event]) -> list[Refused]:
        about: list[tuple[Key, Event]] = []
        refused: list[Refused] = []
        known = self._known
        for event in events:
            try:
                key = model.key_of(event)
                if key is not None:
                    hash(key)
                    about.append((key, event))
            except BAD_CONTENT as error:
                refused.append((model.name, event.position, type(error).__name__))
        unknown = {key for key, _ in about if key not in known}
        if unknown:
            found = model.load(cursor, unknown)
            self._stored.update(found)
            known.update(dict.fromkeys(unknown))
            known.update(found)
        changed, fold = self._changed, model.fold
        for key, event in about:
            try:
                before = known[key]
                after = fold(before, event)
            except BAD_CONTENT as error:
                refused.append((model.name, event.position, type(error).__name__))
            else:
                if after is not before:
                    known[key] = after
                    changed[key] = None
        return refused

    def write(self, cursor: Cursor[Any]) -> None:
        """Put the changed rows into the table, in the cursor's transaction. Raises REFUSED."""
        rows = [(key, row) for key in self._changed if (row := self._known[key]) is not None]
        if not rows:
            return
        delete(cursor, self.model, [key for key, _ in rows if key in self._stored])
        into = SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            Identifier(*self.model.table.split(".")), SQL(", ").join(map(Identifier, self.model.columns))
        )
        values = attrgetter(*self.model.columns)
        with cursor.copy(into) as copy:
            copy.set_types(self._types)
            for _, row in rows:
                copy.write_row([fits(value) for fits, value in zip(self._fits, values(row), strict=True)])

    def written(self) -> None:
        """The transaction is committed."""
        if isinstance(self.model, Journal):
            self.forget()
            return
        self._stored.update(key for key in self._changed if self._known[key] is not None)
        if len(self._known) > ROWS_KEPT:
            # What changed just now is likely to change again; the rest can be read from the table.
            self._known = {key: self._known[key] for key in self._changed}
            self._stored &= self._known.keys()
        self._changed.clear()


class Lane:
    """One lane over a connection of its own."""

    def __init__(
        self,
        settings: Settings,
        connection: psycopg.Connection[Any],
        names: Sequence[str],
        number: int,
        lanes: int,
        attempt: int,
    ) -> None:
        self.connection = connection
        set_json_dumps(msgspec.json.encode, connection)
        models = models_of(names)
        self.events = StoredEvents(settings, models)
        self.rows = [_Rows(connection, settings, model) for model in models]
        self.number, self.lanes, self.attempt = number, lanes, attempt
        row = connection.execute(sql("rebuild_lane"), self._who()).fetchone()
        if row is None:
            raise superseded()
        self.position = int(row[0])

    def run(self, until: int) -> None:
        """Fold everything up to this position. Raises BusRefusal "rebuilding-already" where another attempt goes on."""
        while self.position < until:
            self._stretch(min(until, self.position + STRETCH))

    def _stretch(self, until: int) -> None:
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            events, refused = self.events.between(cursor, self.position, until, self.number, self.lanes)
            by_topic: dict[str, list[Event]] = {}
            for event in events:
                by_topic.setdefault(event.topic, []).append(event)
            try:
                with self.connection.transaction():
                    found = [each for rows in self.rows for each in self._fast(cursor, rows, by_topic)]
                    self._move(cursor, until, events, refused + found)
            except UNWRITABLE as error:
                log.info("up to position %d one by one: %s", until, type(error).__name__)
                for rows in self.rows:
                    rows.forget()
                with self.connection.transaction():
                    found = [
                        each for rows in self.rows for each in apply_as_reader(cursor, rows.model, _of(by_topic, rows))
                    ]
                    self._move(cursor, until, events, refused + found)
            else:
                for rows in self.rows:
                    rows.written()
        self.position = until

    def _fast(self, cursor: Cursor[Any], rows: _Rows, by_topic: Mapping[str, list[Event]]) -> list[Refused]:
        refused = rows.fold(cursor, _of(by_topic, rows))
        rows.write(cursor)
        return refused

    def _move(self, cursor: Cursor[Any], until: int, events: Sequence[Event], refused: Sequence[Refused]) -> None:
        moved = cursor.execute(sql("rebuild_move_lane"), {**self._who(), "after": self.position, "until": until})
        if moved.rowcount != 1:
            raise superseded()
        at = {(event.topic, event.partition): event.position for event in events}
        cursor.execute(
            sql("rebuild_move_places"),
            {
                "lane": self.number,
                "topics": [topic for topic, _ in at],
                "partitions": [partition for _, partition in at],
                "positions": list(at.values()),
            },
        )
        save_refused(cursor, refused)

    def _who(self) -> dict[str, int]:
        return {"lane": self.number, "attempt": self.attempt}


def _of(by_topic: Mapping[str, list[Event]], rows: _Rows) -> list[Event]:
    """The events of the topics that a model reads, in order."""
    mine = [events for topic, events in by_topic.items() if topic in rows.topics]
    return mine[0] if len(mine) == 1 else sorted(chain.from_iterable(mine), key=lambda event: event.position)


def apply_as_reader(cursor: Cursor[Any], model: ReadModel, events: Sequence[Event]) -> list[Refused]:
    """Apply events to the model's table as its reader does, in the cursor's transaction."""
    return [
        (model.name, letter.position or 0, letter.reason)
        for letter in (model.step(cursor, events, {}) if events else ())
    ]


def save_refused(cursor: Cursor[Any], refused: Sequence[Refused]) -> None:
    """Keep which events models could not take."""
    if refused:
        names, positions, reasons = zip(*refused, strict=True)
        cursor.execute(
            sql("rebuild_refuse"), {"readers": list(names), "positions": list(positions), "reasons": list(reasons)}
        )


def models_of(names: Sequence[str]) -> list[ReadModel]:
    """The models of these names, in their order in ``VIEWS``."""
    return [model for model in VIEWS if model.name in names]


def superseded() -> BusRefusal:
    """The refusal of a second rebuild, or of a lane that was left over from a first."""
    return BusRefusal(
        "rebuilding-already",
        found="another rebuild of read models at this moment",
        needed="one at a time",
        next_step="wait for it 重建正在进行，请稍候",
    )


def run_lane(settings: Settings, names: Sequence[str], number: int, lanes: int, attempt: int, until: int) -> None:
    """A lane as a process of its own; says in one line what it cannot do, and ends with 1. Without a parent it ends."""
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        with connect(settings) as connection:
            Lane(settings, connection, names, number, lanes, attempt).run(until)
    except (BusRefusal, psycopg.OperationalError) as error:
        print(f"tongshui: lane {number}: {error}", file=sys.stderr)
        sys.exit(1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

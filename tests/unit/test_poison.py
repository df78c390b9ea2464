"""Content that its type does not promise ends nobody: it is one dead letter, and everything else is kept."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Cursor
from psycopg.pq import PipelineStatus

from infra.kafka.cluster import BREACH_FACTS, Record, case_key
from infra.readers.dead_letters import BAD_CONTENT, ReaderStopped, kept_or_dead
from infra.readers.faust_app import RECORDS, STOPPED, UNNAMED_FAILURE, _drain
from infra.readers.record import Event, parse
from infra.readers.rule import DeadLetter, dead_letter_of
from infra.settings import Settings
from projections.read_models.model import Journal, Model
from projections.read_models.views import VIEWS
from projections.watch import due

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.jsonl"))
ODD: tuple[Any, ...] = (None, 7, "x", [], {}, [[7]], 10**30, "\x00")


@dataclass(frozen=True)
class Row:
    """A row of a table that takes no number above a hundred."""

    case_id: UUID
    number: int


class Table:
    """A table in memory behind the few things of a cursor that models use; savepoints roll back."""

    def __init__(self) -> None:
        self.rows: dict[Any, Any] = {}
        self.connection = self
        self.info = SimpleNamespace(pipeline_status=PipelineStatus.OFF)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = copy.copy(self.rows)
        try:
            yield
        except BaseException:
            self.rows = before
            raise

    @contextmanager
    def cursor(self, **_: Any) -> Iterator[Any]:
        yield self

    def execute(self, query: Any, values: Any = None) -> None:
        if not values or "rows" not in values:
            return
        given = values["rows"]
        for row in msgspec.json.decode(given.dumps(given.obj)):
            if row["number"] > 100:
                raise psycopg.errors.NumericValueOutOfRange("it is not said here what was in it")
            self.rows[row["case_id"]] = row

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    @property
    def as_cursor(self) -> Cursor[Any]:
        return cast("Cursor[Any]", self)


def event(position: int, /, **data: Any) -> Event:
    at = datetime(2026, 9, 16, 1, tzinfo=UTC)
    return Event(
        position=position,
        previous=position - 1,
        id=UUID(int=position),
        type="water.repair.Told.v1",
        case_id=UUID(int=position),
        version=1,
        happened_at=at,
        reported_at=None,
        recorded_at=at,
        actor="a",
        role="r",
        channel="c",
        command_id="c",
        correlation_id="c",
        causation_id=None,
        data=data,
        raw=b"{}",
        topic="water.repair.v1",
        partition=0,
        offset=position,
    )


MODEL = Model(
    name="told",
    table="views.told",
    row=Row,
    key=("case_id",),
    topics=("repair",),
    key_of=lambda one: ([],) if one.data["key"] == "list" else (one.case_id,),
    fold=lambda row, one: Row(one.case_id, one.data["number"]),
)
JOURNAL = Journal(
    name="noted",
    table="views.noted",
    row=Row,
    key=("case_id",),
    topics=("repair",),
    rows_of=lambda one: [Row(one.case_id, one.data["number"])],
)
POISON = {
    2: event(2, number=2),  # no key
    4: event(4, key="list", number=4),  # a key that no table has
    5: event(5, key="k"),  # nothing to fold
    7: event(7, key="k", number=101),  # what the table refuses
    8: event(8, key="k", number=999),
}


def test_a_malformed_event_is_a_dead_letter_wherever_it_fails_and_the_others_are_kept() -> None:
    table = Table()
    events = [POISON.get(number, event(number, key="k", number=number)) for number in range(1, 11)]
    dead = MODEL.step(table.as_cursor, events, {})
    assert sorted(cast("int", dead_letter.position) for dead_letter in dead) == sorted(POISON)
    assert {dead_letter.code for dead_letter in dead} == {"fold-failed"}
    assert {row["number"] for row in table.rows.values()} == {1, 3, 6, 9, 10}
    assert not any("what was in it" in dead_letter.reason for dead_letter in dead)


def test_a_journal_keeps_the_others_too() -> None:
    table = Table()
    events = [POISON.get(number, event(number, number=number)) for number in range(1, 11)]
    dead = JOURNAL.step(table.as_cursor, events, {})
    assert sorted(cast("int", dead_letter.position) for dead_letter in dead) == [5, 7, 8]
    assert {row["number"] for row in table.rows.values()} == {1, 2, 3, 4, 6, 9, 10}


@given(st.lists(st.booleans(), max_size=40))
def test_exactly_what_is_refused_is_dead_and_each_other_one_is_kept_once_and_in_order(good: list[bool]) -> None:
    table = Table()
    kept: list[int] = []

    def keep(items: Sequence[int]) -> Sequence[DeadLetter]:
        before = list(kept)
        kept.extend(items)
        if not all(good[item] for item in items):
            kept[:] = before
            raise psycopg.DataError
        return ()

    dead = kept_or_dead(
        table.as_cursor, range(len(good)), keep, lambda item, _: dead_letter_of(event(item + 1), {}, "c", "r")
    )
    assert kept == [item for item, one in enumerate(good) if one]
    assert [dead_letter.position for dead_letter in dead] == [item + 1 for item, one in enumerate(good) if not one]


def test_what_is_no_fault_of_an_event_is_no_dead_letter() -> None:
    def keep(items: Sequence[int]) -> Sequence[DeadLetter]:
        raise psycopg.OperationalError("gone")

    with pytest.raises(psycopg.OperationalError):
        kept_or_dead(Table().as_cursor, [1, 2], keep, lambda item, error: dead_letter_of(event(1), {}, "c", "r"))


# ---- every read model, every type that can be stored, every field odd


def histories() -> Iterator[list[Event]]:
    for file in HISTORIES:
        found = []
        for line in file.read_bytes().splitlines():
            family = json.loads(line)["type"].split(".")[1]
            key = case_key(json.loads(line)["subject"])
            one = parse(Record(f"water.{family}.v1", 0, 0, key, line, {"previousposition": b"0"}))
            assert isinstance(one, Event)
            found.append(one)
        yield found


def oddities(one: Event) -> Iterator[Event]:
    """The event with each of its fields left out, and with something else in its place; not all of it everywhere."""
    for at, field in enumerate(one.data):
        rest = {name: value for name, value in one.data.items() if name != field}
        yield msgspec.structs.replace(one, data=rest)
        for odd in ODD[(one.position + at) % 2 :: 2]:
            yield msgspec.structs.replace(one, data=rest | {field: odd})


def reads(model: Any, one: Event) -> bool:
    copied = model.topics == ("breach",) and one.type.split(".")[2] in BREACH_FACTS
    return copied or one.topic.split(".")[1] in model.topics


@pytest.mark.parametrize("model", VIEWS, ids=lambda model: str(model.name))
def test_no_read_model_is_ended_by_a_field_that_is_missing_or_odd(model: Any) -> None:
    tried = refused = 0
    for history in histories():
        rows: dict[Any, Any] = {}
        for one in history:
            if reads(model, one):
                for odd in oddities(one):
                    tried += 1
                    try:
                        model.take(dict(rows), odd)
                    except BAD_CONTENT:
                        refused += 1
                model.take(rows, one)
    assert tried > 50
    assert refused > 0


def test_the_watchs_index_is_ended_by_none_either() -> None:
    tried = 0
    for history in histories():
        row: due.DueRow | None = None
        for one in history:
            for odd in oddities(one):
                tried += 1
                with suppress(*BAD_CONTENT):
                    due.fold(row, odd)
            row = due.fold(row, one)
    assert tried > 1_000


# ---- the process of a stream


class Left(BaseException):
    """Stands for os._exit: nothing comes behind it."""


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    return codes


def drained(error: BaseException | None) -> list[int]:
    """How many records each transaction had, of three chunks that wait; the second one fails."""
    taken: list[int] = []
    app = SimpleNamespace(should_stop=False)

    def until_stored(records: Sequence[Record], stopping: Any) -> None:
        assert not stopping()
        taken.append(len(records))
        if len(taken) == 2 and error is not None:
            raise error
        app.should_stop = sum(taken) == 6

    async def run() -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        for _ in range(3):
            message = SimpleNamespace(topic="t", partition=0, offset=1, key=b"k", value=b"v", headers=())
            queue.put_nowait([message, message])
        await _drain(cast("Any", app), cast("Any", SimpleNamespace(batch=2, until_stored=until_stored)), queue)

    asyncio.run(run())
    return taken


def test_what_waits_is_stored_in_its_order(exits: list[int]) -> None:
    assert drained(None) == [2, 2, 2]
    assert exits == []
    assert RECORDS


def test_a_reader_that_the_limit_stops_ends_its_process_with_one_clear_line(
    exits: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    dead_letter = dead_letter_of(event(7), {}, "fold-failed", "r")
    with pytest.raises(Left):
        drained(ReaderStopped("windows", 51, dead_letter, Settings()))
    assert exits == [STOPPED]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        "reader-stopped: found 51 dead letters of the reader windows, now fold-failed at water.repair"
    )
    assert "\n" not in line


def test_a_failure_without_a_name_ends_the_process_at_once(exits: list[int]) -> None:
    with pytest.raises(Left):
        drained(RuntimeError("nobody foresaw it"))
    assert exits == [UNNAMED_FAILURE] != [STOPPED]

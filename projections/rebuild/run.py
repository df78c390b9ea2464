"""A rebuild of read models from beginning to end, while the installation runs.

The rows are folded from zero into tables beside those in use, by two lanes up to where the readers are; each model then
catches up with its reader. Its read positions are locked for a moment, in which it reads up to exactly these, and its
table takes the place of the one in use in the same transaction. The reader, which waited for the lock, goes on with the
new rows, and nothing is applied twice or left out: its read positions stay as they are.

A rebuild that ends or is killed changes nothing that is in use, and goes on where it was when it is begun again; one
that another program began, or that was begun before the store got a new generation, begins anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from infra.kafka.cluster import BusRefusal, Partition
from infra.postgres.connections import connect
from infra.readers.faust_app import BUILD
from infra.readers.read_positions import load_read_positions, lock_read_positions, relayed_positions
from infra.readers.rule import ReadPosition
from infra.settings import Settings
from infra.sql import sql
from projections.read_models.views import VIEWS
from projections.rebuild.lane import Lane, StoredEvents, apply_as_reader, models_of, run_lane, save_refused, superseded
from projections.rebuild.tables import (
    NEW,
    OLD,
    Differences,
    ReadModel,
    beside,
    columns_of,
    differences,
    drop_all,
    in_use,
    index,
    make,
    put_in_place,
)

log = logging.getLogger(__name__)

PLACES = "views.places"
LANES = 2
NEAR = 5_000
"""How many positions a model may be behind its reader for it to catch up without the lanes."""
BY_PROCESSES = 100_000
"""From how many positions on lanes are worth processes of their own."""
AT_ONCE = 2_000
"""How many events are applied in one step while a model catches up."""
SAY_EVERY_S = 5.0
LOOK_S = 0.2
AGAIN_S = 1.0
WAIT_S = 60.0
"""For how long a rebuild waits for a reader that does not move, or for a table that somebody reads."""
PROGRAM = ("domain", "projections", "infra/readers")
"""The code that makes rows of events."""

Say = Callable[[str], None]
Ends = Mapping[Partition, int]
"""Partition → position."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A rebuild that is not at its end: its models, those that have not taken over, and how far its lanes are."""

    models: list[str]
    waiting: list[str]
    position: int


def rebuild(
    settings: Settings, names: Sequence[str] = (), say: Say = log.info, *, lanes: int = LANES
) -> dict[str, Differences]:
    """Make read models anew and put each in the place of its table in use; ``names`` empty: all of them. Goes on with
    one that did not end. Returns for each model that took over how its new rows differ from the old ones.

    Raises BusRefusal: "no-such-model", "rebuilding-already", "rebuild-unfinished" (another choice of models),
    "lane-failed", "reader-behind" (a reader that stands still), "model-refuses-events" (the new rows would lack events
    that those in use have), "table-in-use".
    """
    models = _known(names)
    with _alone(settings) as connection, connect(settings) as writing:
        return _Rebuild(settings, connection, writing, models, say, lanes).run()


def abandon(settings: Settings) -> Unfinished | None:
    """Throw a rebuild away that did not end; None: there was none. Raises BusRefusal "rebuilding-already"."""
    with _alone(settings) as connection, connection.transaction():
        found = unfinished(connection)
        _clear(connection)
    return found


def unfinished(connection: psycopg.Connection[Any]) -> Unfinished | None:
    """The rebuild that is under way or was left over; None: there is none."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(sql("rebuild_run")).fetchone()
        if row is None:
            return None
        progress = cursor.execute(sql("rebuild_progress")).fetchone()
    assert progress is not None
    return Unfinished(list(row[0]), list(row[1]), int(progress[1]))


def _known(names: Sequence[str]) -> list[ReadModel]:
    known = [model.name for model in VIEWS]
    if unknown := [name for name in names if name not in known]:
        raise BusRefusal(
            "no-such-model",
            found=", ".join(unknown),
            needed=f"some of {', '.join(known)}",
            next_step="see `tongshui read-models list` 可用名称见该命令",
        )
    return models_of(names or known)


@contextmanager
def _alone(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with connect(settings) as connection:
        if connection.execute(sql("rebuild_lock")).fetchone() == (False,):
            raise superseded()
        yield connection


def _clear(connection: psycopg.Connection[Any]) -> None:
    drop_all(connection, NEW, OLD)
    connection.execute(sql("rebuild_forget"))


def program(connection: psycopg.Connection[Any], models: Sequence[ReadModel]) -> str:
    """A digest of the code that makes rows, and of the columns that they have: rows of two programs are not mixed."""
    root = Path(__file__).parents[2]
    digest = sha256()
    for folder in PROGRAM:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    for model in models:
        digest.update("\n".join(columns_of(connection, model)).encode())
    return digest.hexdigest()


class _Rebuild:
    def __init__(
        self,
        settings: Settings,
        connection: psycopg.Connection[Any],
        writing: psycopg.Connection[Any],
        models: Sequence[ReadModel],
        say: Say,
        lanes: int,
    ) -> None:
        self.settings = settings
        self.connection = connection
        self.writing = writing
        self.models = list(models)
        self.say = say
        self.lanes = lanes

    def run(self) -> dict[str, Differences]:
        self.begin()
        found: dict[str, Differences] = {}
        self.fold()
        for model in list(self.models):
            index(self.writing, model)
        for model in list(self.models):
            self.fold()
            found[model.name] = self.take_over(model)
            self.models.remove(model)
        with self.connection.transaction():
            _clear(self.connection)
        return found

    # ---- begin

    def begin(self) -> None:
        """Go on with what is left of a rebuild of these models, or make their tables."""
        drop_all(self.connection, OLD)
        names = [model.name for model in self.models]
        digest = program(self.connection, self.models)
        row = self.connection.execute(sql("rebuild_run")).fetchone()
        if row is not None:
            asked, waiting, of_program, generation = row
            if set(names) not in (set(asked), set(waiting)):
                raise _another(asked)
            if (of_program, generation) == (digest, self.generation()):
                self.models = models_of(waiting)
                self.say(f"read-models: goes on at event {self.reached():,}")
                return
            self.say("read-models: another program or another generation began it; begins anew")
        with self.connection.transaction():
            _clear(self.connection)
            self.connection.execute(sql("rebuild_begin"), {"models": names, "program": digest})
            self.connection.execute(sql("rebuild_lanes"), {"lanes": self.lanes})
            for model in self.models:
                make(self.connection, model)

    def generation(self) -> Any:
        row = self.connection.execute(sql("rebuild_generation")).fetchone()
        return None if row is None else row[0]

    # ---- in bulk

    def fold(self) -> None:
        """Fold in bulk until the models are near their readers."""
        moved_at, reached = time.monotonic(), -1
        while names := self.in_bulk():
            until = self.frontier()
            if until > self.reached():
                self.fold_up_to(until, names)
            behind = max([0, *(max(self.ends(model).values(), default=0) for model in self.models)]) - self.reached()
            if behind <= NEAR:
                return
            if self.reached() > reached:
                moved_at, reached = time.monotonic(), self.reached()
            elif time.monotonic() - moved_at > WAIT_S:
                raise _behind(f"the readers of {', '.join(names)}, complete up to position {until} only")
            time.sleep(LOOK_S)

    def in_bulk(self) -> list[str]:
        """The models that the lanes fold: those that do not catch up by themselves yet."""
        alone = {reader for (reader,) in self.connection.execute(sql("rebuild_readers_caught_up")).fetchall()}
        return [model.name for model in self.models if model.name not in alone]

    def reached(self) -> int:
        """Up to which position the lanes are done."""
        row = self.connection.execute(sql("rebuild_progress")).fetchone()
        return 0 if row is None else int(row[1])

    def frontier(self) -> int:
        """Up to which position the readers have applied everything that is theirs.

        What the relay has out is complete up to ``all_out``; where a reader has not all of a partition that the relay
        has out, it is complete up to its read position.
        """
        row = self.connection.execute(sql("rebuild_all_out")).fetchone()
        found = 0 if row is None else int(row[0])
        topics = sorted({self.settings.home_topic(topic) for model in self.models for topic in model.topics})
        out = relayed_positions(self.connection, topics)
        for model in self.models:
            ends = self.ends(model)
            behind = [ends.get(at, 0) for at in self.partitions(model) if ends.get(at, 0) < out.get(at, 0)]
            found = min([found, *behind])
        return found

    def ends(self, model: ReadModel) -> dict[Partition, int]:
        """How far the reader of a model is, by partition."""
        mine = set(self.partitions(model))
        known = load_read_positions(self.connection, PLACES, [(model.name, BUILD)])
        return {at: place.position for (_, _, at), place in known.items() if at in mine}

    def partitions(self, model: ReadModel) -> list[Partition]:
        return [
            Partition(self.settings.home_topic(topic), number)
            for topic in model.topics
            for number in range(self.settings.partitions)
        ]

    def fold_up_to(self, until: int, names: Sequence[str]) -> None:
        lanes = self.connection.execute(sql("rebuild_attempt")).fetchall()
        if until - self.reached() < BY_PROCESSES:
            for number, attempt, _ in lanes:
                Lane(self.settings, self.writing, names, number, len(lanes), attempt).run(until)
            return
        context = get_context("spawn")
        processes: list[BaseProcess] = [
            context.Process(
                target=run_lane, args=(self.settings, names, number, len(lanes), attempt, until), daemon=True
            )
            for number, attempt, _ in lanes
        ]
        for process in processes:
            process.start()
        try:
            self.watch(processes, until)
        finally:
            for process in processes:
                process.kill()
                process.join()

    def watch(self, processes: Sequence[BaseProcess], until: int) -> None:
        """Say how far it is until every lane has ended."""
        begun = said = time.monotonic()
        first = self.done()
        while any(process.exitcode is None for process in processes):
            processes[0].join(LOOK_S)
            for process in processes[1:]:
                process.join(LOOK_S / 10 if processes[0].exitcode is None else LOOK_S)
            if any(process.exitcode for process in processes):
                break
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                self.say(progress(self.done(), until, (self.done() - first) / (said - begun)))
        if failed := [process.exitcode for process in processes if process.exitcode]:
            raise BusRefusal(
                "lane-failed",
                found=f"a process of the rebuild that ended with {failed[0]}",
                needed="both to go on to the end",
                next_step="see the line above; give the same command again: it goes on from here "
                "请查看上一行，重新执行同一命令即可继续",
            )
        took = time.monotonic() - begun
        self.say(f"read-models: {until - first:,} events in {took:.1f} s, {(until - first) / took:,.0f} a second")

    def done(self) -> int:
        row = self.connection.execute(sql("rebuild_progress")).fetchone()
        return 0 if row is None else int(row[0])

    # ---- one model after the other

    def take_over(self, model: ReadModel) -> Differences:
        """Catch up with the reader, hold it for a moment, and put the new table in the place of the one in use."""
        waited = time.monotonic()
        while not self.catch_up(model, self.ends(model)):
            if time.monotonic() - waited > WAIT_S:
                raise _behind(f"the reader of {model.name}, behind what the relay says that it has out")
            time.sleep(LOOK_S)
        while (found := self.swap(model)) is None:
            if time.monotonic() - waited > WAIT_S:
                raise in_use(self.connection, model)
            time.sleep(AGAIN_S)
        return found

    def swap(self, model: ReadModel) -> Differences | None:
        """Hold the reader, catch up to exactly its read positions, and swap the tables. None: somebody reads the one
        in use, and nothing was swapped."""
        with connect(self.settings) as comparing, comparing.cursor(row_factory=tuple_row) as cursor:
            try:
                with self.connection.transaction(), self.connection.cursor() as holding:
                    held = lock_read_positions(holding, PLACES, model.name, BUILD, self.partitions(model))
                    self.catch_up(model, _positions(held))
                    self.refuse_losses(model)
                    # Both tables as they are now, at the same read positions, to be compared once nobody waits.
                    comparing.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    comparing.execute("SELECT 1")
                    put_in_place(self.connection, model)
                    holding.execute(sql("rebuild_took_over"), {"model": model.name})
                    holding.execute(sql("announce_views"))
            except psycopg.errors.LockNotAvailable:
                return None
            self.say(f"read-models: {model.name} took over")
            found = differences(cursor, model)
            comparing.execute("COMMIT")
        drop_all(self.connection, OLD)
        return found

    def catch_up(self, model: ReadModel, ends: Ends) -> bool:
        """Apply what the model lacks up to these positions. False: the rows are ahead of them, nothing is done."""
        at, lanes_at = self.caught_up(model)
        if any(position > ends.get(partition, 0) for partition, position in at.items()):
            return False
        with self.writing.transaction(), self.writing.cursor(row_factory=tuple_row) as cursor:
            until = max(ends.values(), default=0)
            events, refused = StoredEvents(self.settings, [model]).between(cursor, lanes_at, until)
            lacking = [
                event
                for event in events
                if at.get(place := Partition(event.topic, event.partition), 0) < event.position <= ends.get(place, 0)
            ]
            for start in range(0, len(lacking), AT_ONCE):
                refused += apply_as_reader(cursor, beside(model), lacking[start : start + AT_ONCE])
            save_refused(cursor, refused)
            caught_up = {
                "reader": model.name,
                "topics": [partition.topic for partition in ends],
                "partitions": [partition.partition for partition in ends],
                "positions": list(ends.values()),
                "lanes_at": lanes_at,
            }
            cursor.execute(sql("rebuild_catch_up"), caught_up)
        return True

    def caught_up(self, model: ReadModel) -> tuple[dict[Partition, int], int]:
        """How far the model's new rows are, by partition, as it caught up or as the lanes were; and how far the lanes
        were when they left it: what it lacks is above that."""
        rows = self.connection.execute(sql("rebuild_caught_up"), {"reader": model.name}).fetchall()
        if rows:
            at = {Partition(topic, partition): int(position) for topic, partition, position, _ in rows}
            return at, int(rows[0][3])
        topics = sorted({partition.topic for partition in self.partitions(model)})
        rows = self.connection.execute(sql("rebuild_places"), {"topics": topics}).fetchall()
        return {Partition(topic, partition): int(position) for topic, partition, position in rows}, self.reached()

    def refuse_losses(self, model: ReadModel) -> None:
        row = self.connection.execute(sql("rebuild_newly_refused"), {"reader": model.name}).fetchone()
        if row is not None:
            raise BusRefusal(
                "model-refuses-events",
                found=f"{row[0]} events that {model.name} cannot take, the first at position {row[1]}: {row[2]}",
                needed="a program that takes what the rows in use have",
                next_step="mend the program, then rebuild; the rows in use stay as they are "
                "新程序无法处理部分事件，请先修复程序；现有数据不受影响",
            )


def progress(done: int, of: int, per_s: float) -> str:
    """How far a rebuild is, in a line."""
    left = f", {_time((of - done) / per_s)} left" if per_s > 0 else ""
    return f"read-models: {done:,} of {of:,} events, {done / max(of, 1):.0%}, {per_s:,.0f} a second{left}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _positions(held: Mapping[Partition, ReadPosition]) -> dict[Partition, int]:
    return {partition: place.position for partition, place in held.items()}


def _another(models: Sequence[str]) -> BusRefusal:
    asked = " ".join(models)
    return BusRefusal(
        "rebuild-unfinished",
        found=f"a rebuild of {', '.join(models)} that did not end",
        needed="the same read models, or none that did not end",
        next_step=f"`tongshui read-models rebuild {asked}` goes on with it, `tongshui read-models abandon` throws "
        "it away 上次重建尚未完成：可继续，或放弃后重来",
    )


def _behind(found: str) -> BusRefusal:
    return BusRefusal(
        "reader-behind",
        found=found,
        needed=f"readers and a relay that move within {WAIT_S:.0f} s",
        next_step="see `tongshui status`; once they move give the same command again: it goes on from here "
        "读取方或中继停滞，恢复后重新执行同一命令即可继续",
    )

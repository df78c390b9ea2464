"""Records that a reader cannot take: written down as dead letters, and too many of them stop the reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import Cursor

from infra.kafka.cluster import (
    BusRefusal,
    Partition,
)
from infra.readers.rule import START, DeadLetter, ReadPosition
from infra.settings import Settings
from infra.sql import sql

T = TypeVar("T")


BAD_CONTENT = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading content raises that its type does not promise, from a missing field to a text in a number's place."""
REFUSED = (psycopg.DataError, psycopg.IntegrityError, UnicodeError, OverflowError)
"""What a table refuses: a number beyond its column, a text with a zero character, nothing where something must be."""


def kept_or_dead(
    cursor: Cursor[Any],
    items: Sequence[T],
    keep: Callable[[Sequence[T]], Sequence[DeadLetter]],
    dead: Callable[[T, Exception], DeadLetter],
) -> list[DeadLetter]:
    """Keep all at once; where a table refuses something of them, in halves, until it is known which one it is.

    In the cursor's transaction, each try in a savepoint of its own, in order. Without this a single malformed event
    would end its reader for ever, at the same place after every start.

    In a pipeline a refusal comes later than the savepoint lasts: there it is left to whoever opened the pipeline, who
    tries again without one.
    """
    if not items:
        return []
    if cursor.connection.info.pipeline_status:
        return list(keep(items))
    try:
        with cursor.connection.transaction():
            return list(keep(items))
    except REFUSED as error:
        if len(items) == 1:
            return [dead(items[0], error)]
    middle = len(items) // 2
    first = kept_or_dead(cursor, items[:middle], keep, dead)
    return first + kept_or_dead(cursor, items[middle:], keep, dead)


def save_dead_letters(cursor: Cursor[Any], reader: str, dead_letters: Sequence[DeadLetter]) -> None:
    """Write dead letters as rows; one read again is the same row. The relay publishes them."""
    if not dead_letters:
        return
    cursor.execute(
        sql("insert_dead_letters"),
        {
            "reader": reader,
            "topics": [dead_letter.topic for dead_letter in dead_letters],
            "topic_ids": [dead_letter.topic_id for dead_letter in dead_letters],
            "partitions": [dead_letter.partition for dead_letter in dead_letters],
            "offsets": [dead_letter.offset for dead_letter in dead_letters],
            "positions": [dead_letter.position for dead_letter in dead_letters],
            "codes": [dead_letter.code for dead_letter in dead_letters],
            "reasons": [dead_letter.reason for dead_letter in dead_letters],
            "sizes": [dead_letter.size_bytes for dead_letter in dead_letters],
            "sha256s": [dead_letter.sha256 for dead_letter in dead_letters],
            "cases": [dead_letter.case_id for dead_letter in dead_letters],
        },
    )


class ReaderStopped(BusRefusal):
    """A reader met more records that it cannot take than settings allow: that is a fault of the program, and going on
    would pass over every one of them. Nothing of the batch was applied."""

    def __init__(self, reader: str, dead_letters: int, at: DeadLetter, settings: Settings) -> None:
        where = f"{at.topic}/{at.partition} position {at.position}"
        super().__init__(
            "reader-stopped",
            found=f"{dead_letters} dead letters of the reader {reader}, now {at.code} at {where}",
            needed=f"at most {settings.dead_letters_at_most} in {settings.dead_letters_within_s:.0f} s",
            next_step=f"see `tongshui dead-letters list --reader {reader}`; run a program that can read them, or "
            f"`tongshui dead-letters release {reader}` 读取已停止：请修复程序后重启，或由专人放行",
        )
        self.reader = reader
        self.dead_letters = dead_letters
        self.at = at


class _Stop(msgspec.Struct, frozen=True):
    at: Partition
    position: int


class DeadLetterLimit:
    """Stops a reader that meets too many records it cannot take.

    Only links of the chain count, for with each of them the reader passes over an event; rubbish that somebody wrote
    to a topic stops nobody. A reader that was stopped takes no further dead letter, however much time goes by, until it
    is past the record that stopped it or a person releases it: else a faulty program would drain a topic slowly.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stops: dict[str, _Stop | None] = {}

    def check(
        self,
        cursor: Cursor[Any],
        reader: str,
        dead_letters: Sequence[DeadLetter],
        read_positions: Mapping[Partition, ReadPosition],
    ) -> None:
        """To be asked in the batch's transaction, after its dead letters were saved. Raises ReaderStopped."""
        linked = [dead_letter for dead_letter in dead_letters if dead_letter.position is not None]
        stop = self._stop(cursor, reader)
        if linked:
            within = {"reader": reader, "within_s": self._settings.dead_letters_within_s}
            row = cursor.execute(sql("dead_letters_lately"), within).fetchone()
            lately = int(row[0]) if row is not None else 0
            if stop is not None or lately > self._settings.dead_letters_at_most:
                raise ReaderStopped(reader, lately, linked[0], self._settings)
        elif stop is not None and read_positions.get(stop.at, START).position >= stop.position:
            cursor.execute(sql("release_reader"), {"reader": reader, "by": "tongshui", "reason": "went on by itself"})
            self._stops[reader] = None

    def forget(self) -> None:
        """Ask anew which readers are stopped: a transaction in which that was changed may have been taken back."""
        self._stops.clear()

    def _stop(self, cursor: Cursor[Any], reader: str) -> _Stop | None:
        if reader not in self._stops:
            row = cursor.execute(sql("stop_of_reader"), {"reader": reader}).fetchone()
            self._stops[reader] = _Stop(Partition(row[0], row[1]), row[2]) if row is not None else None
        return self._stops[reader]


def note_stop(connection: psycopg.Connection[Any], stopped: ReaderStopped) -> None:
    """Write down that a reader stands still, for ``tongshui status`` and for when it is started again."""
    at = stopped.at
    connection.execute(
        sql("stop_reader"),
        {
            "reader": stopped.reader,
            "letters": stopped.dead_letters,
            "topic": at.topic,
            "partition": at.partition,
            "position": at.position,
            "code": at.code,
        },
    )

"""The process: reads the topics into the live build, tries marked dead letters again, meets the store once a day."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg import Cursor

from consumers.billing.books import READER, Superseded, live_build, rebook, step
from consumers.billing.reconcile import reconcile_if_due
from infra.postgres.connections import connect
from infra.readers.dead_letter_desk import Mender, repair_marked
from infra.readers.loop import run_reader
from infra.readers.record import Event
from infra.readers.rule import Applied, DeadLetter
from infra.settings import Settings

log = logging.getLogger(__name__)

TABLE = "billing.places"
SCHEMA = "billing"
RECONCILE_LOOK_S = 60.0


def topics(settings: Settings) -> list[str]:
    """The topics that billing lives on."""
    return [settings.home_topic("connection"), settings.home_topic("usage")]


@dataclass
class Shown:
    """What the process has to show for itself: events applied, records dropped as read before, dead letters, partitions
    held for a gap, and how long each stands still."""

    applied: int = 0
    dropped: int = 0
    dead_letters: int = 0
    held: list[str] = field(default_factory=list)
    still_s: Mapping[str, float] = field(default_factory=dict)

    def batch(self, applied: Applied) -> None:
        """Count what a batch came to."""
        self.applied += len(applied.events)
        self.dropped += applied.dropped
        self.dead_letters += len(applied.dead_letters)
        moved = {str(partition) for partition in applied.moved}
        self.held = sorted({*(place for place in self.held if place not in moved), *map(str, applied.held)})

    def as_detail(self) -> dict[str, Any]:
        """For the process's beat; the supervisor's status is not well while something stands still."""
        return {
            "applied_events": self.applied,
            "dropped": self.dropped,
            "dead_letters": self.dead_letters,
            "held": list(self.held),
            "still_s": dict(self.still_s),
        }


def run(
    settings: Settings,
    stop: threading.Event,
    on_batch: Callable[[Applied], None] | None = None,
    shown: Shown | None = None,
) -> None:
    """Consume until ``stop`` is set. Where the books were made anew meanwhile, it goes on with the new build. Raises
    ReaderStopped."""
    mine = shown if shown is not None else Shown()

    def batch(applied: Applied) -> None:
        mine.batch(applied)
        if on_batch is not None:
            on_batch(applied)

    threading.Thread(target=_meet_the_store, args=(settings, stop), name="reconcile", daemon=True).start()
    while not stop.is_set():
        build = _live(settings, stop)
        if build is None:
            return
        look = _Look(settings, build, mine)
        try:
            run_reader(
                settings,
                reader_name=READER,
                schema=SCHEMA,
                topics=topics(settings),
                step=partial(step, build=build),
                stop=stop,
                build=build,
                on_batch=batch,
                on_look=look,
            )
        except Superseded:
            log.info("billing's books were made anew; going on with them")


def _live(settings: Settings, stop: threading.Event) -> int | None:
    """The live build, however long PostgreSQL is away; None: stopped."""
    while not stop.is_set():
        try:
            with connect(settings) as connection:
                return live_build(connection)
        except psycopg.OperationalError as error:
            log.warning("billing: PostgreSQL does not answer (%s); trying again", error)
            stop.wait(0.5)
    return None


class _Look:
    """Between batches: whether the build is still the live one, and dead letters that are marked to be read again."""

    def __init__(self, settings: Settings, build: int, shown: Shown) -> None:
        self._settings = settings
        self._build = build
        self._shown = shown

    def __call__(self, connection: psycopg.Connection[Any], still_s: Mapping[str, float]) -> None:
        self._shown.still_s = still_s
        if live_build(connection) != self._build:
            raise Superseded(f"build {self._build} of billing's books")
        repair_marked(connection, self._settings, {READER: mender()})


def _meet_the_store(settings: Settings, stop: threading.Event) -> None:
    """Once a day, beside the reading: it looks at the whole store and must hold nothing up."""
    while not stop.wait(RECONCILE_LOOK_S):
        try:
            with connect(settings) as connection:
                reconcile_if_due(connection, settings)
        except Exception:
            # The next look tries again; that none has come for days shows in `tongshui billing status`.
            log.exception("billing: the daily reconciliation failed")


def mender() -> Mender:
    """How billing is mended: the case's part of the books is made anew."""
    return Mender(TABLE, _mend, live_build)


def _mend(cursor: Cursor[Any], events: Sequence[Event]) -> list[DeadLetter]:
    return rebook(cursor, live_build(cursor.connection), events[0].case_id, events) if events else []

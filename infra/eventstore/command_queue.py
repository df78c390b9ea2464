"""Commands that wait to be decided, handed out in batches to several threads.

While one batch is appended, and its thread waits for PostgreSQL, another thread decides the next one. Commands that
have a stream or a key in common are never under way at the same time, and never overtake each other.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID


class Waiting(Protocol):
    """What the queue must know of a command."""

    @property
    def streams(self) -> set[UUID]:
        """Those that it may append to."""

    @property
    def scoped_key(self) -> tuple[str, str]:
        """Scope and key under which it is carried out once."""


W = TypeVar("W", bound=Waiting)


class CommandQueue(Generic[W]):
    """A queue for threads that each call ``take``, serve the batch, and call ``done``."""

    def __init__(self, most: int) -> None:
        """``most``: commands that a batch looks at."""
        self._most = most
        self._waiting: list[W] = []
        self._streams: set[UUID] = set()
        self._keys: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, command: W) -> None:
        """Queue a command. One that comes after ``close`` is handed out too, as long as a thread takes."""
        with self._changed:
            self._waiting.append(command)
            self._changed.notify()

    def take(self) -> list[W]:
        """Wait for commands, and give the oldest that nothing under way has a stream or key in common with; at most one
        for each stream. Nothing: the queue is closed and empty."""
        with self._changed:
            while not (batch := self._free()):
                if self._closed and not self._waiting:
                    return []
                self._changed.wait()
            return batch

    def done(self, batch: Sequence[W]) -> None:
        """A batch that was taken is no longer under way."""
        with self._changed:
            for command in batch:
                self._streams -= command.streams
                self._keys.discard(command.scoped_key)
            self._changed.notify_all()

    def close(self) -> None:
        """Hand out what waits, and then tell each thread that there is nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _free(self) -> list[W]:
        batch: list[W] = []
        held: list[W] = []
        streams, keys = set(self._streams), set(self._keys)
        for command in self._waiting[: self._most]:
            if streams & command.streams or command.scoped_key in keys:
                held.append(command)
            else:
                batch.append(command)
            # Streams of a held command are taken too: a later one must not overtake it.
            streams |= command.streams
            keys.add(command.scoped_key)
        self._waiting[: self._most] = held
        for command in batch:
            self._streams |= command.streams
            self._keys.add(command.scoped_key)
        return batch

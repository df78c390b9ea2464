"""One look at the breach rows for all open streams, instead of one for each.

PostgreSQL's notification tells of a committed event, not of the row that a reader makes of it later, so we look. The
look is one index probe for each partition, at most four times a second, and only while somebody listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from starlette.concurrency import run_in_threadpool

from api.http.refusals import TooManyStreams, TooManyStreamsOfOne

log = logging.getLogger(__name__)

EVERY_SECONDS = 0.25

Heads = dict[int, int]


class Pulse:
    """Wakes the open streams when a partition has a newer row. Lives in the server's event loop."""

    def __init__(
        self,
        look: Callable[[], Heads],
        *,
        every_seconds: float = EVERY_SECONDS,
        at_most: int = 100,
        at_most_each: int = 100,
    ) -> None:
        self.closed = False
        self._look = look
        self._every_seconds = every_seconds
        self._seen: Heads | None = None
        self._at_most = at_most
        self._at_most_each = at_most_each
        self._listeners = 0
        self._of_each: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._next: asyncio.Future[None] | None = None

    @property
    def open_streams(self) -> int:
        """How many streams are open now."""
        return self._listeners

    @contextmanager
    def listening(self, whose: str | None = None) -> Iterator[None]:
        """Count a stream in while it is open. ``whose``: under which name who asks is counted; None: only with all
        others. Refuses ``too-many-streams`` where no further one may open, and ``too-many-streams-of-one`` where none
        of theirs may: in one step with the counting, or many that ask at once would all find room."""
        if whose is not None and self._of_each[whose] >= self._at_most_each:
            raise TooManyStreamsOfOne(self._at_most_each)
        if self._listeners >= self._at_most:
            raise TooManyStreams(self._at_most)
        self._listeners += 1
        if whose is not None:
            self._of_each[whose] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            self._listeners -= 1
            if whose is not None:
                self._of_each[whose] -= 1
                self._of_each = +self._of_each  # who listens no more is forgotten
            if self._listeners == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    def next(self) -> asyncio.Future[None]:
        """Done at the next change. Take it before you look yourself, so that nothing falls between."""
        if self._next is None or self._next.done():
            self._next = asyncio.get_running_loop().create_future()
            if self.closed:
                self._next.set_result(None)
        return self._next

    def close(self) -> None:
        """End every open stream: a server that stops must not wait for listeners. Call it in the event loop."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(None)

    async def _beat(self) -> None:
        away = False
        while not self.closed:
            try:
                heads = await run_in_threadpool(self._look)
                away = False
            except psycopg.Error as error:
                if not away:
                    log.warning("the breach rows cannot be read: %s", type(error).__name__)
                away = True
            else:
                if heads != self._seen:
                    self._seen = heads
                    self._wake()
            await asyncio.sleep(self._every_seconds)

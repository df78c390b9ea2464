"""Answers that may be some seconds old, so that what many ask for is worked out once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The last value of each question, until it is ``seconds`` old; 0: it is worked out each time. At most ``most``
    questions are kept, the latest ones.

    Safe for threads. One value is worked out at a time, and who asks meanwhile waits: what is dear is never worked out
    twice at once, and a question that many ask is worked out once.
    """

    def __init__(self, seconds: float, *, most: int = 50, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._found: dict[Hashable, tuple[float, T]] = {}

    def get(self, work_out: Callable[[], T], question: Hashable = None) -> T:
        """The value; ``work_out`` is called where none is young enough, and what it raises is not kept."""
        if self._seconds == 0:
            return work_out()
        with self._lock:
            known = self._found.get(question)
            if known is None or self._monotonic() - known[0] >= self._seconds:
                known = (self._monotonic(), work_out())
                self._found.pop(question, None)
                self._found[question] = known
                while len(self._found) > self._most:
                    del self._found[next(iter(self._found))]
            return known[1]

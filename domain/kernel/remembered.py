"""What is worked out of a standard, or of all rules, once and not at each question about a case."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def remembered(work: Callable[[T], R], most: int = 64) -> Callable[[T], R]:
    """``work``, which keeps what it gave for the objects that it was asked about, by their identity: for immutable
    objects that cannot be hashed. At most so many, which stay in memory with what was found."""
    known: dict[int, tuple[T, R]] = {}

    def found(of: T) -> R:
        entry = known.get(id(of))
        if entry is None:
            if len(known) >= most:
                known.clear()
            # The object is kept beside it, so that no other one is given its identity meanwhile.
            entry = known[id(of)] = (of, work(of))
        return entry[1]

    return found


@lru_cache(maxsize=1024)
def minutes(count: int) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)

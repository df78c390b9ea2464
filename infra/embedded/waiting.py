"""How long a start may take on a machine that may be busy."""

from __future__ import annotations

MOST_TIMES = 16


class StartPatience:
    """Seconds that a start may take: twice as many after each one that was ended too early, up to sixteen times.

    A limit that stayed the same would end a slow start again and again at the same point, and it would never come up.
    """

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self.seconds = first_s

    def was_too_short(self) -> None:
        """The start did not fail: it was ended for want of time."""
        self.seconds = min(2 * self.seconds, MOST_TIMES * self._first_s)

    def was_enough(self) -> None:
        """The start came to its end; the next one is measured as the first."""
        self.seconds = self._first_s

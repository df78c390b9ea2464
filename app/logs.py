"""Log lines of a process: time, level, where, what; to stderr, which ``up`` keeps in a file for each part."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

from infra.settings import Settings

LINE = "%(levelname)-7s %(name)s: %(message)s"
SELDOM_S = 60.0
CHATTY = ("kafka", "aiokafka", "faust", "mode", "httpx", "httpcore")


def start_logging(settings: Settings) -> None:
    """Log from now on. No personal data reaches a log line: commands are never logged.

    The time is left out where whoever keeps the log writes it before each line.
    """
    line = LINE if settings.log_stamped else f"%(asctime)s {LINE}"
    logging.basicConfig(level=settings.log_level, stream=sys.stderr, format=line)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.ERROR)
    # It says "socket.send() raised exception." for each write to a peer that is gone, some hundreds a second.
    logging.getLogger("asyncio").addFilter(Seldom(SELDOM_S))


class Seldom(logging.Filter):
    """Lets the same line pass once in so many seconds; the next one that passes says how many did not."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._now = now
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        line, now = (record.name, str(record.msg)), self._now()
        passed_at, kept_back = self._seen.get(line, (float("-inf"), 0))
        if now - passed_at < self._seconds:
            self._seen[line] = passed_at, kept_back + 1
            return False
        if kept_back:
            record.msg = f"{record.msg} ({kept_back} more since the last of these lines)"
        self._seen[line] = now, 0
        return True

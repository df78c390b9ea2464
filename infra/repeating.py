"""Work that a process does again and again beside its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)
PATIENCE_S = 5.0
"""How long the end of the body waits for work that is under way."""


@contextmanager
def repeating(name: str, work: Callable[[], object], every_s: float) -> Iterator[None]:
    """Do the work from a thread while the body runs, at once and then every ``every_s`` seconds.

    What it raises is logged by its type alone, for its words may quote a row, and the work is tried again.
    """
    stop = threading.Event()

    def run() -> None:
        while True:
            try:
                work()
            except Exception as error:
                log.warning("%s: not done now: %s", name, type(error).__name__)
            if stop.wait(every_s):
                return

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=PATIENCE_S)

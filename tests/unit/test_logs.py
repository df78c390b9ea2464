"""Log lines: one time each, no control codes, no line a hundred times."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

from app.logs import Seldom
from app.up import _environment
from infra.settings import Settings

WRITES = """
import logging
from app.logs import start_logging
from infra.settings import Settings
start_logging(Settings())
logging.getLogger("here").warning("something")
for _ in range(300):
    logging.getLogger("asyncio").warning("socket.send() raised exception.")
"""


def written(code: str, **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TONGSHUI_")}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ended.stdout + ended.stderr


def test_a_line_has_its_own_time_only_where_nobody_else_writes_it() -> None:
    of_up = _environment(Settings())
    assert written(WRITES, **of_up).splitlines()[0] == "WARNING here: something"
    alone = written(WRITES).splitlines()[0]
    assert alone.endswith(" WARNING here: something")
    assert alone[:4].isdigit()


def test_what_asyncio_says_of_a_peer_that_is_gone_is_written_once() -> None:
    assert written(WRITES).count("socket.send() raised exception.") == 1


def test_a_line_that_was_kept_back_is_counted_in_the_next() -> None:
    now = [0.0]
    seldom = Seldom(60, lambda: now[0])
    passed = []
    for at in (0, 1, 59, 60, 61, 120):
        now[0] = at
        record = logging.LogRecord("asyncio", logging.WARNING, "", 0, "gone", None, None)
        if seldom.filter(record):
            passed.append((at, record.getMessage()))
    assert passed == [
        (0, "gone"),
        (60, "gone (2 more since the last of these lines)"),
        (120, "gone (1 more since the last of these lines)"),
    ]

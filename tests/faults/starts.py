"""Starts of a whole installation where starting is hard. ``python -m tests.faults.starts``

Ten starts in a row on a machine that four processes keep busy, then ten under kill -9 of a random process of ``up`` in
the first seconds, each with an empty data directory. A start has come up when /healthz answers 200 and ``tongshui
status`` ends with 0. One line for each, with the seconds that took and what was killed when; exit 1 where one did not
come up. ``--starts 3``, ``--busy-only``, ``--killed-only``, ``--seed 7`` (of the kills; printed).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from tests.faults.installation import Installation, gone, new_home, wait_until

BURNERS = 4
KILLS = 5
DEADLINE_S = 600.0
_BURN = "while True: pass"


@dataclass
class Start:
    """What became of one start. ``ready_s``: until /healthz answered 200; ``well_s``: until ``status`` ended with 0."""

    kind: str
    number: int
    ready_s: float = 0.0
    well_s: float = 0.0
    tries: int = 0
    """Lines in which ``up`` told of a failure that it tried again."""
    killed: list[str] = field(default_factory=list)
    failure: str = ""

    def __str__(self) -> str:
        took = f"healthz {self.ready_s:6.1f} s  status {self.well_s:6.1f} s  tried again {self.tries:2}"
        kills = f"  killed {', '.join(self.killed)}" if self.killed else ""
        return f"{self.kind:<6} {self.number:>2}  {took}{kills}{'  FAILED: ' + self.failure if self.failure else ''}"


def start(kind: str, number: int, chance: random.Random | None = None, *, deadline_s: float = DEADLINE_S) -> Start:
    """One start with an empty data directory. ``chance``: whom it lets die while everything starts; None: nobody."""
    found = Start(kind, number)
    with new_home() as home:
        it = Installation(home)
        begun = time.monotonic()
        it.launch()
        try:
            if chance is not None:
                found.killed = _kill(it, chance)
            wait_until(lambda: _ended(it) or _answers(it), deadline_s, what="/healthz")
            found.ready_s = time.monotonic() - begun
            wait_until(lambda: _ended(it) or it.run("status").code == 0, deadline_s, what="a status that is well")
            found.well_s = time.monotonic() - begun
            if _ended(it):
                found.failure = f"`up` ended: {it.output().strip().splitlines()[-1:]}"
        except AssertionError as error:
            found.failure = f"{error}; {it.output().strip().splitlines()[-3:]}; {it.run('status').out}"
        finally:
            found.tries = it.output().count("again in ")
            _end(it)
    return found


@contextmanager
def busy_machine(burners: int = BURNERS) -> Iterator[None]:
    """Processes that compute all the while, each enough for one processor."""
    running = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(burners)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def _kill(it: Installation, chance: random.Random) -> list[str]:
    """SIGKILL children of ``up``, whatever is there at the moment; what was killed, and after how many seconds."""
    assert it.process is not None
    up, begun, tick = psutil.Process(it.process.pid), time.monotonic(), threading.Event()
    killed: list[str] = []
    while len(killed) < KILLS and not _ended(it):
        tick.wait(chance.uniform(0.3, 3.0))
        try:
            victim = chance.choice(up.children())
            name = _name(victim)
            victim.kill()
        except (IndexError, psutil.NoSuchProcess):
            continue  # nobody there, or gone by itself
        killed.append(f"{name}@{time.monotonic() - begun:.1f}")
    return killed


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    if "app.cli" in words:
        return words[words.index("app.cli") + 1]
    return "kafka" if any("kafka." in word for word in words) else process.name()


def _answers(it: Installation) -> bool:
    return httpx.get(f"{it.base_url}/healthz", timeout=30).status_code == 200


def _ended(it: Installation) -> bool:
    assert it.process is not None
    return it.process.poll() is not None


def _end(it: Installation) -> None:
    if not _ended(it):
        processes = it.processes()
        it.kill()
        wait_until(lambda: gone(processes), what="the end of every process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--busy-only", action="store_true")
    parser.add_argument("--killed-only", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    found: list[Start] = []

    def tell(one: Start) -> None:
        found.append(one)
        print(one, flush=True)

    if not options.killed_only:
        with busy_machine():
            for number in range(1, options.starts + 1):
                tell(start("busy", number))
    if not options.busy_only:
        print(f"seed {options.seed}", flush=True)
        chance = random.Random(options.seed)
        for number in range(1, options.starts + 1):
            tell(start("killed", number, chance))
    came_up = sum(not one.failure for one in found)
    print(f"{came_up} of {len(found)} came up")
    sys.exit(0 if came_up == len(found) else 1)


if __name__ == "__main__":
    main()

"""Child processes that never outlive this program, however it ends."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import psutil

from infra.embedded.errors import unwritable

Say = Callable[[str], None]

_BECOME = Path(__file__).with_name("become.py")
_LOG_LIMIT_BYTES = 8 * 1024 * 1024


class Child(Protocol):
    """A process that we started: ``subprocess.Popen``, or what behaves like one."""

    pid: int
    stdout: IO[bytes] | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def silent(line: str) -> None:
    """A ``say`` that tells nobody."""


@dataclass(frozen=True)
class ChildUser:
    """A user of the system that a child runs as."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str],
    *,
    death_signal: signal.Signals = signal.SIGKILL,
    account: ChildUser | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: int | IO[bytes] = subprocess.DEVNULL,
    keep_open: Sequence[int] = (),
) -> Child:
    """Start a program as our child, in a session of its own, its stdout and stderr both going to ``output``.

    When this process ends, even by SIGKILL, the kernel sends ``death_signal`` to the child (Linux; elsewhere the child
    stays). Its own session keeps a terminal's Ctrl-C from it, so that the order of stopping is ours. ``account`` needs
    root. A program that cannot be executed ends with code 127 and says why in ``output``.
    """
    program = shutil.which(argv[0]) or argv[0]
    become = [sys.executable, "-I", "-S", str(_BECOME), str(os.getpid()), str(int(death_signal))]
    become += [str(account.uid), str(account.gid)] if account else ["-1", "-1"]
    return _SPAWNER.run(
        lambda: subprocess.Popen(
            [*become, program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            pass_fds=keep_open,
            start_new_session=True,
        )
    )


class _Spawner:
    """One thread that starts every child and lives as long as the program.

    The kernel sends the death signal when the *thread* that started the child ends, so a child started by a passing
    worker thread would die with that worker.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Child], Future[Child]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, start: Callable[[], Child]) -> Child:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # not alive: we are a fork of the program
                self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
                self._thread.start()
        child: Future[Child] = Future()
        self._work.put((start, child))
        return child.result()

    def _serve(self) -> None:
        while True:
            start, child = self._work.get()
            try:
                child.set_result(start())
            except BaseException as error:
                child.set_exception(error)


_SPAWNER = _Spawner()


def alive(child: Child | None) -> bool:
    return child is not None and child.poll() is None


def end(child: Child, *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn, waiting its seconds for the child to go; SIGKILL after the last."""
    for number, patience_s in (*steps, (signal.SIGKILL, 30.0)):
        if child.poll() is not None:
            return
        child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)


def end_group(child: Child, patience_s: float = 10.0) -> None:
    """SIGKILL whatever a child that has ended left running in its session, and wait until nothing is left."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and _runs_in_group(child.pid):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        time.sleep(0.02)


def _runs_in_group(group: int) -> bool:
    """Whether a process of the group runs; one that is dead and not yet collected by its parent does not."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def how_it_ended(child: Child) -> str:
    """``exit code 1``, ``SIGKILL`` or ``still running``."""
    code = child.poll()
    if code is None:
        return "still running"
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn an OSError of the block into the coded one that names the directory."""
    try:
        yield
    except OSError as error:
        raise unwritable(error) from error


def append_to(log: Path) -> IO[bytes]:
    """The log opened for appending, begun anew where it has grown over 8 MiB."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    return log.open("ab")


def tail(log: Path, since: int = 0, lines: int = 8) -> str:
    """The last lines that were written to the log after byte ``since``, in one line; for error messages."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return " | ".join(text.strip().splitlines()[-lines:])

"""Parts as forks of one process: each with its own environment, output, signals and end, and none outlives ``up``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from app.forks import ForkServer

# In a process of its own: pytest has threads, and a fork server must be made before the first.
PROGRAM = """
import os, signal, sys, threading, time
from app.forks import ForkServer

def run(name):
    if name == "ends":
        sys.exit(3)
    if name == "fails":
        raise ValueError("a defect")
    if name == "tells":
        mine = os.getsid(0) == os.getpid()
        print("out", os.environ.get("ONE"), os.environ.get("TWO"), mine, threading.active_count())
        print("err", file=sys.stderr)
        return
    print("here", flush=True)
    signal.pause()

os.environ["TWO"] = "of the server"
forks = ForkServer(run)
for line in sys.stdin:
    wish, _, name = line.strip().partition(" ")
    if wish == "start":
        fork = forks.start(name, {"ONE": "1"})
        print(fork.pid, flush=True)
    elif wish == "read":
        print(fork.stdout.read().decode().replace("\\n", "|"), flush=True)
    elif wish == "line":
        print(fork.stdout.readline().decode().strip(), flush=True)
    elif wish == "wait":
        print(fork.wait(20), fork.poll(), flush=True)
    elif wish == "terminate":
        fork.terminate()
        print("sent", flush=True)
    elif wish == "server":
        print(forks.pid, flush=True)
    elif wish == "close":
        forks.close()
        print("closed", flush=True)
"""


class Program:
    """A program that starts forks as it is told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *wish: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join(wish) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def start(self, name: str) -> int:
        return int(self.ask("start", name))


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture(autouse=True)
def _ended(program: Program) -> object:
    yield
    program.process.kill()
    program.process.communicate()


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline, tick = time.monotonic() + 20, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        tick.wait(0.01)


def test_a_fork_has_the_environment_output_session_and_single_thread_of_a_new_program(program: Program) -> None:
    program.start("tells")
    assert program.ask("read") == "out 1 None True 1|err|"
    assert program.ask("wait") == "0 0"


@pytest.mark.parametrize(("name", "code"), [("ends", "3 3"), ("fails", "1 1")])
def test_its_exit_code_is_its_own(program: Program, name: str, code: str) -> None:
    program.start(name)
    assert program.ask("wait") == code
    assert ("ValueError: a defect" in program.ask("read")) is (name == "fails")


def test_a_signal_ends_one_fork_and_leaves_the_others(program: Program) -> None:
    first = program.start("waits")
    second = program.start("waits")
    assert program.ask("line") == "here"
    assert program.ask("terminate") == "sent"
    assert program.ask("wait") == f"-{signal.SIGTERM:d} -{signal.SIGTERM:d}"
    assert not runs(second)
    assert runs(first)


def test_a_fork_is_called_by_its_part(program: Program) -> None:
    pid = program.start("waits")
    assert program.ask("line") == "here"
    assert psutil.Process(pid).name() == "ts-waits"


@pytest.mark.parametrize("killed", ["program", "server"])
def test_no_fork_outlives_the_program_or_the_server(program: Program, killed: str) -> None:
    forks = [program.start("waits"), program.start("waits")]
    server = int(program.ask("server"))
    os.kill(program.process.pid if killed == "program" else server, signal.SIGKILL)
    wait_until(lambda: not any(runs(pid) for pid in (*forks, server)))
    if killed == "server":
        assert program.ask("wait") == "-9 -9"


def test_closing_ends_the_server(program: Program) -> None:
    pid, server = program.start("waits"), int(program.ask("server"))
    assert program.ask("close") == "closed"
    wait_until(lambda: not runs(pid) and not runs(server))


def test_a_process_with_threads_has_no_fork_server() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="found a process with threads"):
            ForkServer(lambda name: None)
    finally:
        stop.set()
        thread.join()

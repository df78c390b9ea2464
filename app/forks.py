"""Parts of an installation that share their memory: forks of one process that has imported everything.

A part started as a program of its own imports 50 MB of modules again. A fork shares them until it writes to them. Each
part stays a process: it may be killed, and dies, by itself. ``up`` has many threads, and what forks must have none, so
the fork server is itself forked before the first thread begins, and starts every part from then on.

Where it cannot be had any more (it was killed, and all its parts with it), parts are started as programs again.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_M_ARENA_MAX = -8
_MESSAGE_BYTES = 256 * 1024
_LIBC = ctypes.CDLL(None, use_errno=True)

Run = Callable[[str], object]
"""Runs a part, by its name, until it ends."""


class Fork:
    """A part that was forked, as ``subprocess.Popen`` shows one that was executed."""

    def __init__(self, pid: int, stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdout: IO[bytes] | None = stdout
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, minus a signal's number. Raises TimeoutExpired."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.returncode is None:
            try:
                os.kill(self.pid, sig)
            except ProcessLookupError:
                return

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def note_end(self, returncode: int) -> None:
        """What the fork server tells of it."""
        self.returncode = returncode
        self._ended.set()


class ForkServer:
    """The process that every part is a fork of. ``run`` is what a part does, with its name; ``is_up``: until it ends.

    Made before this process has its first thread: raises RuntimeError where there is one.
    """

    def __init__(self, run: Run) -> None:
        if threading.active_count() > 1:
            raise RuntimeError("found a process with threads; needed one without, before it forks")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        gc.collect()
        gc.freeze()  # or the collector would write to every object, and so copy it
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _serve(theirs, run, parent)
        theirs.close()
        self.is_up = True
        self._socket = ours
        self._lock = threading.Lock()
        self._answers: list[int] = []
        self._told = threading.Condition()
        self._forks: dict[int, Fork] = {}
        self._early: dict[int, int] = {}
        self._reader: threading.Thread | None = None

    def start(self, name: str, env: Mapping[str, str]) -> Fork:
        """Start a part with this environment; its output comes from ``stdout``. Raises OSError where the server is
        gone."""
        with self._lock:
            if self._reader is None:
                self._reader = threading.Thread(target=self._listen, name="fork server", daemon=True)
                self._reader.start()
            reading, writing = os.pipe()
            try:
                request = json.dumps({"name": name, "env": dict(env)}).encode()
                socket.send_fds(self._socket, [request], [writing])
            except OSError:
                os.close(reading)
                raise
            finally:
                os.close(writing)
            with self._told:
                self._told.wait_for(lambda: self._answers or not self.is_up)
                if not self._answers:
                    os.close(reading)
                    raise ConnectionResetError("the fork server is gone")
                fork = Fork(self._answers.pop(), os.fdopen(reading, "rb"))
                if fork.pid in self._early:
                    fork.note_end(self._early.pop(fork.pid))
                else:
                    self._forks[fork.pid] = fork
        return fork

    def close(self) -> None:
        """End the server, and whatever still runs of its parts, and wait for it."""
        self._socket.close() if self._reader is None else self._socket.shutdown(socket.SHUT_RDWR)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def _listen(self) -> None:
        try:
            while message := self._socket.recv(_MESSAGE_BYTES):
                self._hear(json.loads(message))
        except OSError:
            pass  # as if it had closed its end
        with self._told:
            self.is_up = False
            for fork in self._forks.values():
                fork.note_end(-signal.SIGKILL)  # the kernel ends the children of a server that ends
            self._forks.clear()
            self._told.notify_all()

    def _hear(self, message: Mapping[str, int]) -> None:
        with self._told:
            if "started" in message:
                self._answers.append(message["started"])
            else:
                pid, code = message["ended"], message["code"]
                if pid in self._forks:
                    self._forks.pop(pid).note_end(code)
                else:
                    self._early[pid] = code
            self._told.notify_all()


# ---- in the server, which has one thread


def _serve(wishes: socket.socket, run: Run, parent: int) -> NoReturn:
    """Fork a part for each wish, and tell of each that ends; until the other end is closed."""
    _die_with(parent)
    os.setsid()
    _be_called("ts-forks")
    if sys.platform == "linux":
        _LIBC.mallopt(_M_ARENA_MAX, 2)  # of a part's dozen idle threads each would else keep a heap
    here = os.getpid()
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    looked = selectors.DefaultSelector()
    looked.register(wishes, selectors.EVENT_READ)
    looked.register(woken, selectors.EVENT_READ)
    while True:
        for key, _ in looked.select():
            if key.fileobj is wishes:
                request, files, _, _ = socket.recv_fds(wishes, _MESSAGE_BYTES, 1)
                if not request:
                    os._exit(0)
                pid = os.fork()
                if pid == 0:
                    for each in (woken, waking, wishes.detach(), looked.fileno()):
                        os.close(each)
                    _become(json.loads(request), files[0], run, here)
                os.close(files[0])
                _tell(wishes, {"started": pid})
            else:
                os.read(woken, 4096)
        _tell_of_ends(wishes)


def _tell_of_ends(wishes: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(wishes, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _tell(wishes: socket.socket, message: Mapping[str, int]) -> None:
    try:
        wishes.send(json.dumps(message).encode())
    except OSError:
        os._exit(0)


# ---- in a part


def _become(request: Mapping[str, Any], output: int, run: Run, server: int) -> NoReturn:
    """Be a part: a session, an environment and an output of its own, and the signals as Python has them."""
    _die_with(server)
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    _be_called(f"ts-{request['name']}")
    os._exit(_code_of(run, request["name"]))


def _code_of(run: Run, name: str) -> int:
    code = 0
    try:
        run(name)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _die_with(parent: int) -> None:
    """End when the parent ends, however it does (Linux)."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _be_called(name: str) -> None:
    """What ``ps -o comm`` and ``top`` show; the command line stays the server's."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)

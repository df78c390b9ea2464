"""Keeps the parts of an installation on one machine running, and leaves nothing running when it ends.

Parts start in the order given, each when the one before is ready, and stop in the reverse order. A part that dies is
started again, and so is one that fails or is slow while everything starts: only what a person must put right ends a
start. What runs is written to a state file, from which the other programs of the machine read the addresses.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Literal, Protocol, Self

from infra.embedded import waiting
from infra.embedded.become import CANNOT_RUN
from infra.embedded.children import Child, Say, alive, append_to, end, how_it_ended, spawn, writing
from infra.embedded.errors import EmbeddedError
from infra.embedded.files import write_whole
from infra.failures import in_words, may_pass

_LINE_LIMIT_BYTES = 64 * 1024
_POLL_S = 0.05


class Runnable(Protocol):
    """What can be kept running: an embedded PostgreSQL or Kafka, or a program.

    ``start`` returns when it is ready, or raises EmbeddedError; ``stop`` returns when it has gone, and may be called at
    any time, also while another thread starts it.
    """

    def start(self) -> None: ...

    def stop(self) -> None: ...

    @property
    def process(self) -> Child | None: ...


@dataclass(frozen=True)
class Part:
    """A program to keep running. ``env`` is added to ours; ``ready`` None: nobody waits for more than its process.
    ``fork`` starts it from memory that it shares, with an environment; where that raises OSError, ``argv`` is run."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    restart: bool = True
    fork: Callable[[Mapping[str, str]], Child] | None = None

    @property
    def waited_for(self) -> str:
        """What is said before a wait for it; empty where nobody waits."""
        return "" if self.ready is None else "starting"


@dataclass(frozen=True)
class ServicePart:
    """A service to keep running, for example ``ServicePart("kafka", EmbeddedKafka(...))``."""

    name: str
    service: Runnable
    restart: bool = True
    waited_for: str = "starting"


@dataclass(frozen=True)
class StartStep:
    """Something done once, in its place in the order, in this process: a migration, the making of topics.

    ``action`` runs in a thread of its own. It is done again after a failure that may pass (``infra.failures``), so it
    must be harmless to do twice. ``waited_for`` is said before it; empty for one that takes no time.
    """

    name: str
    action: Callable[[], None]
    waited_for: str = ""


@dataclass(frozen=True)
class Addresses:
    """Where the parts are reached; empty where there is none."""

    database_url: str = ""
    kafka: str = ""
    http: str = ""


@dataclass(frozen=True)
class SupervisorTimes:
    """Seconds: how long things may take, and how long to wait before starting a part again. ``ready_s`` is that of the
    first start; each that was ended for want of time makes the next one's twice as long, up to sixteen times."""

    ready_s: float = 60.0
    stop_s: float = 20.0
    stop_all_s: float = 60.0
    kill_s: float = 5.0
    silent_s: float = 3.0  # a part that takes longer to stop is named
    second_wish_s: float = 1.0  # a wish to stop that follows sooner is the same wish, sent twice
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0
    healthy_s: float = 30.0


class Backoff:
    """The pause before the next start: doubling up to a limit, forgotten after a healthy life."""

    def __init__(self, patience: SupervisorTimes) -> None:
        self._patience = patience
        self._next_s = patience.first_pause_s

    def pause_s(self, lived_s: float) -> float:
        """The pause after a life of so many seconds."""
        if lived_s >= self._patience.healthy_s:
            self._next_s = self._patience.first_pause_s
        pause_s = self._next_s
        self._next_s = min(2 * pause_s, self._patience.longest_pause_s)
        return pause_s


class Supervisor:
    """Runs the parts of one data directory, which is the directory of ``state_file``.

    ``run()`` is the whole life of a program: it takes SIGINT, SIGTERM and SIGHUP as the wish to stop (a second one
    kills what still runs). As a context manager it only starts and stops. ``say`` gets one line for each thing a person
    should know; it is never called by two threads at once. A part's output is in ``<data>/log/<name>.log``.
    ``on_stopped`` is called once nothing runs any more.

    A failure that may pass, of a part or a step, is one line (what, why, when again) and another try, for as long as it
    takes: a machine may be busy, a part may be killed while another one starts. Any other ends the start.

    Raises EmbeddedError: ``already-running`` where another one runs on the data directory, ``part-not-ready`` where a
    program cannot be executed or shall not be started again, whatever else a service's own first start raises. What a
    step raises comes out as it is. In each case everything that was started has been stopped.
    """

    def __init__(
        self,
        parts: Sequence[Part | ServicePart | StartStep],
        say: Say,
        state_file: Path,
        *,
        addresses: Addresses | None = None,
        patience: SupervisorTimes | None = None,
        on_stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_stopped = on_stopped
        self._patience = patience or SupervisorTimes()
        self._addresses = addresses or Addresses()
        self._file = state_file.resolve()
        self._say_unlocked = say
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        # A queue of this kind, unlike an Event, may be put into by a signal handler at any moment.
        self._news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._started_at = ""
        self._parts = list(parts)
        self._keepers: list[_Keeper] = []
        self._lock_file: IO[str] | None = None
        self._said_it_stops = False

    def run(self) -> None:
        """Start everything, keep it running until a signal or ``ask_to_stop()``, stop everything."""
        with self._signals():
            self.start()
            try:
                self.wait()
            finally:
                self.stop()

    def start(self) -> None:
        """Start the parts in order; returns early, with less than all running, when asked to stop meanwhile."""
        self._lock_file = take_lock(self._file)
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            with writing():
                self._write_state()  # before the first part, because parts read the addresses in it
            for part in self._parts:
                self._begin(part)
                if self._stopping.is_set():
                    return
        except BaseException:
            self.stop()
            raise

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the wish to stop, or so many seconds; whether the wish came."""
        if not self._stopping.is_set() and self._next_news(timeout_s, {"stop"}):
            self._begin_to_stop()
        return self._stopping.is_set()

    def ask_to_stop(self) -> None:
        """Wish to stop; from any thread or signal handler, and returns at once."""
        self._news.put(_News("stop"))

    def stop(self) -> None:
        """Stop in the reverse order and wait until nothing runs; remove the state file. May be called again."""
        self._begin_to_stop()
        begun = time.monotonic()
        ending = _Ending(begun, self._patience)
        for keeper in reversed(self._keepers):
            self._end(keeper, ending)
        if self._keepers:
            self.say(f"up: everything has stopped after {time.monotonic() - begun:.1f} s")
        self._keepers.clear()
        if self._lock_file is not None:
            self._on_stopped()
            self._file.unlink(missing_ok=True)
            self._lock_file.close()
            self._lock_file = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def say(self, line: str) -> None:
        # A terminal that is gone must not take the parts with it.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._say_unlocked(line)

    def _begin_to_stop(self) -> None:
        """From now on nothing is started; says at once, and once, what is stopped, so that nobody waits in the dark."""
        self._stopping.set()
        if self._keepers and not self._said_it_stops:
            self._said_it_stops = True
            names = ", ".join(keeper.name for keeper in reversed(self._keepers))
            self.say(f"up: stopping {names}, one after the other; Ctrl-C again kills what still runs")

    def _begin(self, part: Part | ServicePart | StartStep) -> None:
        """Start the part and wait until it is up or somebody wishes to stop."""
        news: _News | None
        if part.waited_for:
            self.say(f"{part.name}: {part.waited_for}")
        if isinstance(part, StartStep):
            news = self._do(part)
        else:
            keeper = _Keeper(part, self._file.parent / "log", self._patience, self._stopping, self._changed)
            self._keepers.append(keeper)
            keeper.begin()
            news = self._next_news(None, {"stop", "up", "failed"}, keeper)
        if news and news.failure:
            raise news.failure
        if news and news.kind == "stop":
            self._begin_to_stop()

    def _do(self, step: StartStep) -> _News:
        """Do the step, again after a failure that may pass; how it ended, or the wish to stop."""
        backoff = Backoff(self._patience)
        while True:
            begun = time.monotonic()
            threading.Thread(target=self._attempt, args=(step,), name=step.name, daemon=True).start()
            news = self._next_news(None, {"stop", "done", "failed"})
            assert news is not None, "there is no time limit"
            if news.failure is None or not may_pass(news.failure):
                return news
            took_s, pause_s = time.monotonic() - begun, backoff.pause_s(0)
            self.say(
                f"{step.name}: failed after {took_s:.1f} s ({in_words(news.failure)}); "
                f"it is tried again in {pause_s:.1f} s"
            )
            if stop := self._next_news(pause_s, {"stop"}):
                return stop

    def _attempt(self, step: StartStep) -> None:
        try:
            step.action()
        except Exception as failure:  # of which kind it is, is asked by whoever waits
            self._news.put(_News("failed", failure=failure))
        else:
            self._news.put(_News("done"))

    def _next_news(self, timeout_s: float | None, kinds: set[str], keeper: _Keeper | None = None) -> _News | None:
        """The next news of these kinds, of the keeper or of nobody in particular; None when the time is over.

        Other news is dropped: it tells of parts that come and go while nobody waits for them.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                news = self._news.get(timeout=left_s)
            except queue.Empty:
                return None
            if news.kind in kinds and news.keeper in (None, keeper):
                return news

    def _end(self, keeper: _Keeper, ending: _Ending) -> None:
        """Stop one part; kill it when its time is over or somebody is in a hurry."""
        stopper = threading.Thread(target=keeper.stop, name=f"stop {keeper.name}", daemon=True)
        stopper.start()
        begun = time.monotonic()
        say_at, kill_at = begun + self._patience.silent_s, ending.kill_at(begun)
        while stopper.is_alive() and not ending.hurry and time.monotonic() < kill_at:
            stopper.join(_POLL_S)
            if stopper.is_alive() and time.monotonic() > say_at:
                self.say(f"{keeper.name}: still stopping; it is killed in {kill_at - time.monotonic():.0f} s")
                say_at = kill_at
            if self._next_news(0, {"stop"}):
                ending.wish_again(time.monotonic())
        if stopper.is_alive():
            self.say(f"{keeper.name}: did not stop in time and is killed")
            keeper.kill()
            stopper.join(self._patience.kill_s)

    def _changed(self, news: _News) -> None:
        if news.line:
            self.say(news.line)
        if not self._stopping.is_set():
            try:
                self._write_state()
            except OSError as error:  # a full disk must not end the keeping
                self.say(f"state file: {error}")
        self._news.put(news)

    def _write_state(self) -> None:
        with self._lock:
            write_whole(self._file, json.dumps(self._state(), indent=1, ensure_ascii=False) + "\n")

    def _state(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "started": self._started_at,
            "parts": {keeper.name: keeper.state() for keeper in self._keepers},
            "database_url": self._addresses.database_url,
            "kafka": self._addresses.kafka,
            "http": self._addresses.http,
        }

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Let signals wish us to stop, and put back what was there before."""

        def wish(number: int, frame: FrameType | None) -> None:
            self.ask_to_stop()

        before = {number: signal.signal(number, wish) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def take_lock(state_file: Path) -> IO[str]:
    """Hold the data directory until the returned file is closed or the process ends, however it ends.

    Raises EmbeddedError ``already-running``.
    """
    with writing():
        state_file.parent.mkdir(parents=True, exist_ok=True)
        lock = (state_file.parent / "up.lock").open("a+")
    deadline = time.monotonic() + 1.0  # running_state() holds it for a moment
    while not _locked(lock, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise EmbeddedError(
                "already-running",
                found=f"process {holder} running on {state_file.parent}",
                needed="a data directory that nobody uses",
                next_step=f"use what runs, stop it with: kill {holder}, or choose another TONGSHUI_DATA_DIR",
            )
        time.sleep(0.02)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def running_state(state_file: Path) -> dict[str, Any] | None:
    """The state file's content, or None where no supervisor runs on its directory (a killed one leaves the file).

    Raises EmbeddedError ``data-directory-closed`` where it is another user's.
    """
    try:
        with (state_file.parent / "up.lock").open() as lock:
            if _locked(lock, fcntl.LOCK_SH):
                return None
        state: dict[str, Any] = json.loads(state_file.read_text())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise EmbeddedError(
            "data-directory-closed",
            found=f"{error.filename}: {error.strerror}",
            needed="the user who runs `tongshui up` there; its data are closed to every other",
            next_step="run the command as that user, or name your own data directory with TONGSHUI_DATA_DIR",
        ) from error
    return state


def _locked(lock: IO[str], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Ending:
    """How much longer the parts may take to stop."""

    def __init__(self, now: float, patience: SupervisorTimes) -> None:
        self._begun = now
        self._patience = patience
        self.hurry = False

    def kill_at(self, now: float) -> float:
        return min(now + self._patience.stop_s, self._begun + self._patience.stop_all_s)

    def wish_again(self, now: float) -> None:
        self.hurry = self.hurry or now >= self._begun + self._patience.second_wish_s


@dataclass(frozen=True)
class _News:
    """What happened to a part or a step, or (``stop``) what somebody wishes."""

    kind: Literal["up", "down", "failed", "done", "stop"]
    keeper: _Keeper | None = None
    line: str = ""
    failure: Exception | None = None


class _Keeper:
    """Keeps one part running, in a thread of its own."""

    def __init__(
        self,
        part: Part | ServicePart,
        logs: Path,
        patience: SupervisorTimes,
        stopping: threading.Event,
        tell: Callable[[_News], None],
    ) -> None:
        self.name = part.name
        self._waited_for = part.waited_for
        self._service = part.service if isinstance(part, ServicePart) else _Program(part, logs, patience)
        self._restart = part.restart
        self._patience = patience
        self._backoff = Backoff(patience)
        self._stopping = stopping
        self._tell = tell
        self._thread = threading.Thread(target=self._keep, name=f"keep {part.name}", daemon=True)
        self._starts = 0
        self._was_up = False
        self._is_up = False

    def begin(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the part, also when it is just being started, and return when it is gone."""
        while self._thread.is_alive():
            self._service.stop()
            self._thread.join(_POLL_S)

    def kill(self) -> None:
        """SIGKILL the part and what it started."""
        process = self._service.process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def state(self) -> dict[str, Any]:
        process = self._service.process
        running = process is not None and alive(process)
        return {
            "pid": process.pid if process is not None and running else None,
            "restarts": max(0, self._starts - 1),
            "up": self._is_up,
        }

    def _keep(self) -> None:
        while not self._stopping.is_set():
            begun = time.monotonic()
            self._starts += 1
            failure = self._live()
            if self._stopping.is_set():
                break
            lived_s = time.monotonic() - begun
            if failure is not None and not self._was_up and not (self._restart and may_pass(failure)):
                self._tell(_News("failed", self, failure=failure))
                return
            if not self._pause(lived_s, failure):
                return
        self._service.stop()

    def _live(self) -> Exception | None:
        """One life of the part, from start to end; what its start raised, None if it was up."""
        begun = time.monotonic()
        try:
            self._service.start()
        except Exception as failure:  # a service's own errors, of which nothing is known here
            self._service.stop()
            return failure
        process = self._service.process
        if process is None or self._stopping.is_set():
            self._service.stop()
            return None
        self._is_up = self._was_up = True
        took = (
            f"ready after {time.monotonic() - begun:.1f} s" if self._waited_for else f"started, process {process.pid}"
        )
        self._tell(_News("up", self, line=f"{self.name}: {took}"))
        process.wait()
        self._is_up = False
        return None

    def _pause(self, lived_s: float, failure: Exception | None) -> bool:
        """Report the end of a life and wait before the next; False where there is no next."""
        process = self._service.process
        ended = how_it_ended(process) if process is not None else "no process"
        line = f"{self.name}: {ended} after {lived_s:.1f} s"
        if failure is not None:
            line += f", before it was ready ({in_words(failure)})"
        if not self._restart:
            self._tell(_News("down", self, line=f"{line}; it is not started again"))
            return False
        pause_s = self._backoff.pause_s(lived_s)
        self._tell(_News("down", self, line=f"{line}; it is started again in {pause_s:.1f} s"))
        self._stopping.wait(pause_s)
        return True


class _Program:
    """A Part as a Service."""

    def __init__(self, part: Part, logs: Path, patience: SupervisorTimes) -> None:
        self.process: Child | None = None
        self._part = part
        self._kill_s = patience.kill_s
        self._ready = waiting.StartPatience(patience.ready_s)
        self._log = logs / f"{part.name}.log"

    def start(self) -> None:
        self.process = child = self._begun({**os.environ, **self._part.env})
        _Pump(child, self._part.name, self._log).start()
        try:
            self._wait_until_ready(child)
        except BaseException:
            end(child, (signal.SIGTERM, self._kill_s))
            raise

    def stop(self) -> None:
        """SIGTERM and wait; the supervisor kills what does not obey."""
        if self.process is not None and alive(self.process):
            self.process.terminate()
            self.process.wait()

    def _begun(self, environment: Mapping[str, str]) -> Child:
        if self._part.fork is not None:
            with contextlib.suppress(OSError):
                return self._part.fork(environment)
        return spawn(self._part.argv, env=environment, output=subprocess.PIPE, death_signal=signal.SIGKILL)

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + self._ready.seconds
        while not self._is_ready():
            if not alive(child):
                raise self._not_ready(how_it_ended(child), may_pass=child.poll() != CANNOT_RUN)
            if time.monotonic() > deadline:
                found = f"not ready after {self._ready.seconds:.0f} s"
                self._ready.was_too_short()
                raise self._not_ready(found, may_pass=True)
            time.sleep(_POLL_S)
        self._ready.was_enough()

    def _is_ready(self) -> bool:
        if self._part.ready is None:
            return True
        try:
            return self._part.ready()
        except OSError:  # nobody listens yet
            return False

    def _not_ready(self, found: str, *, may_pass: bool) -> EmbeddedError:
        return EmbeddedError(
            "part-not-ready",
            found=f"{self._part.name}: {found}",
            needed="a part that comes up",
            next_step=f"read {self._log}",
            may_pass=may_pass,
        )


class _Pump(threading.Thread):
    """Copies a child's output into its log, each line with the time, the name and the process id before it."""

    def __init__(self, child: Child, name: str, log: Path) -> None:
        super().__init__(name=f"log {name}", daemon=True)
        self._child = child
        self._label = f"{name}[{child.pid}]"
        self._path = log

    def run(self) -> None:
        output = self._child.stdout
        assert output is not None
        with output:
            while line := output.readline(_LINE_LIMIT_BYTES):
                # A full disk must not block the child, which would wait for its output to be read.
                with contextlib.suppress(OSError):
                    self._write(line.rstrip(b"\n"))

    def _write(self, line: bytes) -> None:
        with append_to(self._path) as log:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            log.write(f"{now} {self._label} ".encode() + line + b"\n")

"""The supervisor, with small Python programs as its parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)

from app.supervisor import (
    Addresses,
    Backoff,
    Part,
    ServicePart,
    StartStep,
    Supervisor,
    SupervisorTimes,
    running_state,
    take_lock,
)
from infra.embedded import EmbeddedError
from infra.embedded.children import Child, end, spawn
from infra.failures import in_words, may_pass
from infra.kafka.cluster import BusRefusal
from infra.kafka.diagnose import KafkaRefused
from infra.postgres.migrate import MigrationError

ROOT = Path(__file__).parents[2]
Parts = list[Part | ServicePart | StartStep]
QUICK = SupervisorTimes(first_pause_s=0.01, longest_pause_s=0.05, ready_s=20, second_wish_s=0)

RUN_ON = "import signal; print('here', flush=True); signal.pause()"
STUBBORN = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""
TELLS_ITS_END = """
import pathlib, signal, sys
ends, ready = map(pathlib.Path, sys.argv[1:3])
def end(number, frame):
    with ends.open("a") as file:
        file.write(sys.argv[3] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
ready.touch()
while True:
    signal.pause()
"""


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "up.json"


class Said(list[str]):
    """What the supervisor told; usable as its ``say``."""

    __call__ = list[str].append

    def has(self, *words: str) -> bool:
        return any(all(word in line for word in words) for line in self)


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def state(state_file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(state_file.read_text())
    return content


def pid_of(state_file: Path, name: str) -> int | None:
    pid: int | None = state(state_file)["parts"].get(name, {}).get("pid")
    return pid


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_each_part_starts_when_the_one_before_is_ready(tmp_path: Path, state_file: Path) -> None:
    first, seen = tmp_path / "first", tmp_path / "seen"
    slow = "import pathlib, sys, signal; sum(range(2_000_000)); pathlib.Path(sys.argv[1]).touch(); signal.pause()"
    look = (
        "import pathlib, sys, signal; there = pathlib.Path(sys.argv[1]).exists();"
        "pathlib.Path(sys.argv[2]).write_text(str(there)); signal.pause()"
    )
    parts: Parts = [
        Part("first", python(slow, first), ready=first.exists),
        Part("second", python(look, first, seen), ready=lambda: seen.exists() and seen.read_text() != ""),
    ]
    with Supervisor(parts, Said(), state_file, patience=QUICK):
        assert seen.read_text() == "True"


def test_a_part_gets_its_environment_and_ours(tmp_path: Path, state_file: Path) -> None:
    told = tmp_path / "told"
    code = (
        "import os, pathlib, signal, sys\n"
        "pathlib.Path(sys.argv[1]).write_text(os.environ['PATH'] + '|' + os.environ['X']); signal.pause()"
    )
    part = Part("part", python(code, told), {"X": "1"}, ready=lambda: told.exists() and "|" in told.read_text())
    with Supervisor([part], Said(), state_file, patience=QUICK):
        assert told.read_text() == os.environ["PATH"] + "|1"


def test_a_part_that_cannot_be_forked_any_more_is_run_as_a_program(state_file: Path) -> None:
    asked: list[str] = []

    def fork(environment: Mapping[str, str]) -> Child:
        asked.append(environment["MARK"])
        raise ConnectionResetError("the fork server is gone")

    part = Part("part", python(RUN_ON), env={"MARK": "of the part"}, fork=fork)
    with Supervisor([part], Said(), state_file, patience=QUICK):
        pid = pid_of(state_file, "part")
        assert pid is not None
        assert runs(pid)
    assert asked == ["of the part"]


def test_a_killed_part_is_started_again_and_reported(state_file: Path) -> None:
    said = Said()
    with Supervisor([Part("relay", python(RUN_ON))], said, state_file, patience=QUICK):
        first = pid_of(state_file, "relay")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: pid_of(state_file, "relay") not in (None, first))
        wait_until(lambda: bool(state(state_file)["parts"]["relay"]["up"]))
        assert state(state_file)["parts"]["relay"]["restarts"] == 1
    assert said.has("relay: SIGKILL after ", " s; it is started again in 0.0 s")


def test_an_exit_code_is_reported_and_a_part_that_shall_not_restart_stays_down(state_file: Path) -> None:
    said = Said()
    parts = [Part("once", python("raise SystemExit(3)"), restart=False), Part("other", python(RUN_ON))]
    with Supervisor(parts, said, state_file, patience=QUICK):
        wait_until(lambda: said.has("once: exit code 3 after ", "not started again"))
        wait_until(lambda: not state(state_file)["parts"]["once"]["up"])
        assert state(state_file)["parts"]["once"] == {"pid": None, "restarts": 0, "up": False}
        assert state(state_file)["parts"]["other"]["up"]


def test_a_part_that_dies_before_it_is_ready_is_tried_again(tmp_path: Path, state_file: Path) -> None:
    tried, ready = tmp_path / "tried", tmp_path / "ready"
    code = (
        "import pathlib, signal, sys; tried, ready = map(pathlib.Path, sys.argv[1:])\n"
        "if not tried.exists(): tried.touch(); sys.exit(7)\n"
        "ready.touch(); signal.pause()"
    )
    said = Said()
    with Supervisor([Part("late", python(code, tried, ready), ready=ready.exists)], said, state_file, patience=QUICK):
        assert said.has("late: exit code 7", "before it was ready")
        assert state(state_file)["parts"]["late"]["restarts"] == 1


def test_a_part_that_is_too_slow_is_tried_again_with_more_patience_each_time(tmp_path: Path, state_file: Path) -> None:
    """It needs half a second; the first start has a tenth, the second two, the third four, the fourth eight."""
    ready, said = tmp_path / "ready", Said()
    slow = "import pathlib, signal, sys, time; time.sleep(0.5); pathlib.Path(sys.argv[1]).touch(); signal.pause()"
    patience = SupervisorTimes(ready_s=0.1, first_pause_s=0.01, longest_pause_s=0.01)
    with Supervisor([Part("slow", python(slow, ready), ready=ready.exists)], said, state_file, patience=patience):
        assert state(state_file)["parts"]["slow"]["up"]
    tries = [line for line in said if "part-not-ready: found slow: not ready after" in line]
    assert len(tries) >= 2
    assert all("it is started again in 0.0 s" in line and "read " in line for line in tries)
    assert said.has("slow: ready after")


def test_a_part_that_shall_not_restart_and_never_gets_ready_ends_the_start_and_what_ran_before(
    state_file: Path,
) -> None:
    pids: list[int | None] = []
    parts: Parts = [
        Part("good", python(RUN_ON)),
        StartStep("look", lambda: pids.append(pid_of(state_file, "good"))),
        Part("never", python(RUN_ON), ready=lambda: False, restart=False),
    ]
    with pytest.raises(EmbeddedError, match="part-not-ready") as failure:
        Supervisor(parts, Said(), state_file, patience=SupervisorTimes(ready_s=0.2)).start()
    assert "never.log" in failure.value.next_step
    assert pids[0] is not None
    assert not runs(pids[0])
    assert not state_file.exists()


def test_a_ready_question_that_nobody_answers_yet_is_asked_again(state_file: Path) -> None:
    answers = iter([ConnectionRefusedError(), None])

    def ready() -> bool:
        answer = next(answers)
        if answer:
            raise answer
        return True

    with Supervisor([Part("part", python(RUN_ON), ready=ready)], Said(), state_file, patience=QUICK):
        assert state(state_file)["parts"]["part"]["up"]


def test_a_step_is_done_in_its_place_and_its_failure_ends_the_start(state_file: Path) -> None:
    done: list[str] = []

    def fail() -> None:
        done.append(str(state(state_file)["parts"]["before"]["up"]))
        raise ValueError("no such table")

    parts: Parts = [
        Part("before", python(RUN_ON)),
        StartStep("migrate", fail),
        StartStep("never", lambda: done.append("never")),
    ]
    with pytest.raises(ValueError, match="no such table"):
        Supervisor(parts, Said(), state_file, patience=QUICK).start()
    assert done == ["True"]


AWAY = psycopg.OperationalError("connection failed: Connection refused")


def test_a_step_that_meets_a_part_that_is_away_is_tried_again_and_each_try_is_one_line(state_file: Path) -> None:
    failures: list[Exception] = [AWAY, KafkaTimeoutError("no broker"), ConnectionResetError("gone")]
    said, done = Said(), []

    def migrate() -> None:
        if failures:
            raise failures.pop(0)
        done.append("migrated")

    with Supervisor([StartStep("migrate", migrate), Part("next", python(RUN_ON))], said, state_file, patience=QUICK):
        assert done == ["migrated"]
        assert state(state_file)["parts"]["next"]["up"]
        assert len(said) == 4  # and "next: started"
    assert said.has("migrate: failed after ", "(postgres-unreachable: connection failed", "it is tried again in 0.0 s")
    assert said.has("migrate: failed after ", "(kafka-unreachable: KafkaTimeoutError", "it is tried again in 0.0 s")
    assert said.has("migrate: failed after ", "(ConnectionResetError: gone)", "it is tried again in 0.0 s")


@pytest.mark.parametrize(
    "hopeless",
    [
        BusRefusal("partition-count", found="8", needed="4", next_step="set it"),
        KafkaRefused("kafka-login-refused", found="a", needed="b", next_step="c"),
        MigrationError("schema-newer", "a", "b", "c"),
        psycopg.OperationalError('FATAL:  password authentication failed for user "u"'),
        psycopg.OperationalError('FATAL:  database "none" does not exist'),
        psycopg.errors.InsufficientPrivilege("permission denied for schema store"),
        TopicAuthorizationFailedError("topic"),
        PermissionError(13, "Permission denied"),
        TypeError("a defect"),
    ],
    ids=lambda error: f"{type(error).__name__} {str(error)[:50]}",
)
def test_what_a_person_must_put_right_ends_the_start_at_once(state_file: Path, hopeless: Exception) -> None:
    said, tries = Said(), []

    def fail() -> None:
        tries.append(1)
        raise hopeless

    with pytest.raises(type(hopeless)) as failure:
        Supervisor([StartStep("migrate", fail)], said, state_file, patience=QUICK).start()
    assert failure.value is hopeless
    assert (len(tries), said) == (1, [])


@pytest.mark.parametrize(
    "passing",
    [
        AWAY,
        psycopg.OperationalError("FATAL:  the database system is starting up"),
        psycopg.errors.AdminShutdown("terminating connection due to administrator command"),
        psycopg.errors.DiskFull("could not extend file"),
        psycopg.errors.ReadOnlySqlTransaction("cannot execute CREATE TABLE in a read-only transaction"),
        psycopg.errors.LockNotAvailable("lock timeout"),
        KafkaConnectionError("reset"),
        InvalidReplicationFactorError("3 of 1 brokers"),
        OSError(28, "No space left on device"),
        EmbeddedError("kafka-start-failed", found="SIGKILL", needed="b", next_step="c", may_pass=True),
    ],
    ids=lambda error: f"{type(error).__name__} {str(error)[:50]}",
)
def test_what_passes_by_itself_is_told_apart(passing: Exception) -> None:
    assert may_pass(passing)
    assert "\n" not in in_words(passing)


@pytest.mark.parametrize("moment", ["during a try that hangs", "between two tries"])
def test_a_wish_to_stop_ends_a_step_that_is_tried_again_and_again(state_file: Path, moment: str) -> None:
    begun, released = threading.Event(), threading.Event()

    def migrate() -> None:
        begun.set()
        if moment == "during a try that hangs":
            released.wait(60)
        raise AWAY

    supervisor = Supervisor(
        [StartStep("migrate", migrate), Part("not", python(RUN_ON))],
        Said(),
        state_file,
        patience=SupervisorTimes(first_pause_s=60, longest_pause_s=60),
    )

    def wish() -> None:
        begun.wait(20)
        supervisor.ask_to_stop()

    wisher = threading.Thread(target=wish)
    wisher.start()
    asked_at = time.monotonic()
    supervisor.start()
    assert supervisor.wait(0)
    supervisor.stop()
    assert time.monotonic() - asked_at < 20
    released.set()
    wisher.join()
    assert not state_file.exists()


def test_parts_stop_in_the_reverse_order(tmp_path: Path, state_file: Path) -> None:
    ends = tmp_path / "ends"
    parts: Parts = [
        Part(name, python(TELLS_ITS_END, ends, tmp_path / name, name), ready=(tmp_path / name).exists)
        for name in ("one", "two", "three")
    ]
    with Supervisor(parts, Said(), state_file, patience=QUICK):
        pass
    assert ends.read_text().split() == ["three", "two", "one"]


def test_a_part_that_does_not_obey_is_killed_in_bounded_time(tmp_path: Path, state_file: Path) -> None:
    said, ready = Said(), tmp_path / "ready"
    stubborn = Part("stubborn", python(STUBBORN, ready), ready=ready.exists)
    with Supervisor([stubborn], said, state_file, patience=SupervisorTimes(stop_s=0.1)):
        pid = pid_of(state_file, "stubborn")
    assert said.has("stubborn: did not stop in time")
    assert pid is not None
    assert not runs(pid)


def test_a_wish_to_stop_is_answered_at_once_with_what_is_stopped_and_who_is_waited_for(
    tmp_path: Path, state_file: Path
) -> None:
    said, ready = Said(), tmp_path / "ready"
    parts: Parts = [Part("good", python(RUN_ON)), Part("stubborn", python(STUBBORN, ready), ready=ready.exists)]
    supervisor = Supervisor(parts, said, state_file, patience=SupervisorTimes(stop_s=0.5, silent_s=0.1))
    supervisor.start()
    supervisor.ask_to_stop()
    assert supervisor.wait()
    answer = "up: stopping stubborn, good, one after the other; Ctrl-C again kills what still runs"
    assert said[-1] == answer  # before anything was stopped
    supervisor.stop()
    assert said.count(answer) == 1
    assert said.has("stubborn: still stopping; it is killed in")
    assert said[-1].startswith("up: everything has stopped after")


def test_what_is_waited_for_is_named_before_the_wait_and_only_what_answered_is_called_ready(
    tmp_path: Path, state_file: Path
) -> None:
    said, ready = Said(), tmp_path / "ready"
    parts: Parts = [
        Part("spawned", python(RUN_ON)),
        StartStep("step", lambda: None, waited_for="tables are made"),
        Part("asked", python(STUBBORN, ready), ready=ready.exists),
    ]
    with Supervisor(parts, said, state_file, patience=SupervisorTimes(stop_s=0)):
        pids = [pid_of(state_file, "spawned"), pid_of(state_file, "asked")]
        lines = list(said)
    assert lines[:3] == [f"spawned: started, process {pids[0]}", "step: tables are made", "asked: starting"]
    assert lines[3].startswith("asked: ready after ")


def test_a_second_wish_to_stop_kills_at_once(tmp_path: Path, state_file: Path) -> None:
    ready = tmp_path / "ready"
    supervisor = Supervisor(
        [Part("stubborn", python(STUBBORN, ready), ready=ready.exists)],
        Said(),
        state_file,
        patience=SupervisorTimes(stop_s=1000, stop_all_s=1000, second_wish_s=0),
    )
    supervisor.start()
    supervisor.ask_to_stop()
    assert supervisor.wait()
    supervisor.ask_to_stop()
    supervisor.stop()
    assert not state_file.exists()


def test_the_state_file_tells_addresses_and_parts_and_goes_at_the_end(state_file: Path) -> None:
    addresses = Addresses(database_url="host=/run/数据 dbname=tongshui", kafka="127.0.0.1:1", http="http://127.0.0.1:2")
    seen: list[dict[str, Any]] = []
    parts: Parts = [StartStep("early", lambda: seen.append(state(state_file))), Part("relay", python(RUN_ON))]
    with Supervisor(parts, Said(), state_file, addresses=addresses, patience=QUICK):
        content = state(state_file)
        assert running_state(state_file) == content
    assert content.keys() == {"pid", "started", "parts", "database_url", "kafka", "http"}
    assert content["pid"] == os.getpid()
    assert content["parts"]["relay"].keys() == {"pid", "restarts", "up"}
    assert content["database_url"] == addresses.database_url
    assert seen[0]["kafka"] == addresses.kafka  # known before the first part starts
    assert not state_file.exists()
    assert running_state(state_file) is None


def test_a_second_supervisor_on_the_same_data_directory_is_refused(state_file: Path) -> None:
    with Supervisor([Part("part", python(RUN_ON))], Said(), state_file, patience=QUICK):
        with pytest.raises(EmbeddedError, match="already-running") as refusal:
            Supervisor([], Said(), state_file).start()
        assert str(os.getpid()) in refusal.value.found
        assert state(state_file)["parts"]["part"]["up"]
    take_lock(state_file).close()


def test_the_state_of_a_killed_supervisor_is_not_believed(state_file: Path) -> None:
    take_lock(state_file).close()
    state_file.write_text('{"pid": 1}')
    assert running_state(state_file) is None


def test_output_goes_to_a_log_with_time_name_and_process_id(state_file: Path) -> None:
    code = "import sys; print('水务', flush=True); print('bad', file=sys.stderr, flush=True); import signal"
    code += "; signal.pause()"
    log = state_file.parent / "log" / "views.log"
    with Supervisor([Part("views", python(code))], Said(), state_file, patience=QUICK):
        wait_until(lambda: log.exists() and log.read_text().count("\n") == 2)
        pid = pid_of(state_file, "views")
    lines = [line.split(" ", 2) for line in log.read_text().splitlines()]
    assert [line[1:] for line in lines] == [[f"views[{pid}]", "水务"], [f"views[{pid}]", "bad"]]
    assert lines[0][0].endswith("Z")


def tail(log: Path) -> bytes:
    """The end of a log, which is put aside and begun anew meanwhile."""
    try:
        return log.read_bytes()[-100:]
    except FileNotFoundError:
        return b""


def test_a_log_that_has_grown_too_large_is_begun_anew(state_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.children._LOG_LIMIT_BYTES", 2_000)
    code = "for n in range(500): print(n, flush=True)\nimport signal; signal.pause()"
    log = state_file.parent / "log" / "views.log"
    with Supervisor([Part("views", python(code))], Said(), state_file, patience=QUICK):
        wait_until(lambda: b" 499\n" in tail(log))
    assert log.stat().st_size < 2_200
    assert 2_000 < log.with_name("views.log.1").stat().st_size < 2_200


class Clockwork:
    """A service: something with start, stop and process, as the embedded parts are."""

    def __init__(self, failures: int = 0, *, may_pass: bool = False) -> None:
        self.process: Child | None = None
        self.starts = 0
        self._failures = failures
        self._may_pass = may_pass

    def start(self) -> None:
        self.starts += 1
        if self.starts <= self._failures:
            raise EmbeddedError(
                "wound-down", found="a slack spring", needed="a tight one", next_step="wind it", may_pass=self._may_pass
            )
        self.process = spawn(python(RUN_ON))

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, (signal.SIGTERM, 10))


def test_a_service_is_kept_running_too(state_file: Path) -> None:
    clockwork = Clockwork()
    with Supervisor([ServicePart("clockwork", clockwork)], Said(), state_file, patience=QUICK):
        assert clockwork.process is not None
        first = clockwork.process
        first.kill()
        wait_until(lambda: pid_of(state_file, "clockwork") not in (None, first.pid))
    assert clockwork.starts == 2
    assert clockwork.process.poll() is not None


def test_the_first_start_of_a_service_that_fails_ends_the_start(state_file: Path) -> None:
    clockwork = Clockwork(failures=1)
    with pytest.raises(EmbeddedError, match="wound-down"):
        Supervisor([ServicePart("clockwork", clockwork)], Said(), state_file, patience=QUICK).start()
    assert clockwork.starts == 1


def test_the_first_start_of_a_service_that_was_killed_is_tried_again(state_file: Path) -> None:
    clockwork, said = Clockwork(failures=2, may_pass=True), Said()
    with Supervisor([ServicePart("clockwork", clockwork)], said, state_file, patience=QUICK):
        assert clockwork.starts == 3
        assert state(state_file)["parts"]["clockwork"] | {"pid": 0} == {"pid": 0, "restarts": 2, "up": True}
    assert said.has("clockwork: no process after", "before it was ready (wound-down: found a slack spring", "again in")


def test_a_service_that_fails_later_is_tried_until_it_starts(state_file: Path) -> None:
    clockwork, said = Clockwork(), Said()
    with Supervisor([ServicePart("clockwork", clockwork)], said, state_file, patience=QUICK):
        clockwork._failures = 3
        assert clockwork.process is not None
        clockwork.process.kill()
        wait_until(lambda: clockwork.starts == 4)
        wait_until(lambda: bool(state(state_file)["parts"]["clockwork"]["up"]))
    assert said.has("a slack spring")


def test_a_wish_to_stop_during_the_start_ends_it(state_file: Path) -> None:
    asked = threading.Event()

    def ready() -> bool:
        asked.set()
        return False

    parts: Parts = [
        Part("good", python(RUN_ON)),
        Part("never", python(RUN_ON), ready=ready),
        StartStep("not", asked.clear),
    ]
    supervisor = Supervisor(parts, Said(), state_file, patience=QUICK)

    def wish() -> None:
        asked.wait(20)
        supervisor.ask_to_stop()

    wisher = threading.Thread(target=wish)
    wisher.start()
    supervisor.start()
    assert supervisor.wait(0)
    supervisor.stop()
    wisher.join()
    assert asked.is_set()
    assert not state_file.exists()


def test_a_say_that_cannot_write_any_more_ends_nothing(state_file: Path) -> None:
    def say(line: str) -> None:
        raise BrokenPipeError

    with Supervisor([Part("part", python(RUN_ON))], say, state_file, patience=QUICK):
        pid = pid_of(state_file, "part")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid_of(state_file, "part") not in (None, pid))


def test_the_pause_doubles_to_its_limit_and_is_forgotten_after_a_healthy_life() -> None:
    backoff = Backoff(SupervisorTimes())
    assert [backoff.pause_s(1) for _ in range(6)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert [backoff.pause_s(30), backoff.pause_s(1)] == [0.2, 0.4]


SILENT = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
PROGRAM = f"""
import sys
from pathlib import Path
from app.supervisor import Part, Supervisor
file = Path(sys.argv[1])
parts = []
for name in ("relay", "api"):
    there = file.with_name(name + ".there")
    parts.append(Part(name, [sys.executable, "-c", {SILENT!r}, str(there)], ready=there.exists))
Supervisor(parts, lambda line: print(line, flush=True), file).run()
"""


@pytest.fixture
def program(state_file: Path) -> Any:
    with subprocess.Popen(python(PROGRAM, state_file), cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        wait_until(lambda: state_file.exists() and bool(state(state_file)["parts"].get("api", {}).get("up")))
        yield running
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(
    program: subprocess.Popen[str], state_file: Path, number: signal.Signals
) -> None:
    pids = [part["pid"] for part in state(state_file)["parts"].values()]
    program.send_signal(number)
    assert program.wait(20) == 0
    assert not any(runs(pid) for pid in pids)
    assert not state_file.exists()


def test_a_killed_supervisor_leaves_nothing_running_and_the_next_one_may_start(
    program: subprocess.Popen[str], state_file: Path
) -> None:
    pids = [part["pid"] for part in state(state_file)["parts"].values()]
    program.kill()
    program.wait()
    wait_until(lambda: not any(runs(pid) for pid in pids))
    assert running_state(state_file) is None
    with Supervisor([Part("part", python(RUN_ON))], Said(), state_file, patience=QUICK):
        assert state(state_file)["pid"] == os.getpid()


def test_a_program_that_is_not_there_is_reported_with_its_log(state_file: Path) -> None:
    part = Part("ghost", ["/no/such/program"], ready=lambda: False)
    with pytest.raises(EmbeddedError, match="ghost: exit code 127"):
        Supervisor([part], Said(), state_file, patience=QUICK).start()
    log = state_file.parent / "log" / "ghost.log"
    wait_until(lambda: "/no/such/program" in log.read_text() or "No such file" in log.read_text())

"""A whole installation for a test: the real processes, as ``tongshui up`` runs them, on a data directory of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg.rows import dict_row

from app.up import logged_in
from infra.embedded import EmbeddedPostgres, free_port
from infra.embedded.children import Child, spawn
from infra.eventstore.consistency_check import account_disagreements, actual_rows, disagreements
from infra.eventstore.envelope import read
from infra.kafka.access import ADMIN
from infra.settings import Settings
from projections.read_models.views import VIEWS as MODELS
from tests.proven import PROXY

PARTS = ("postgres", "kafka", "relay", "views", "watch", "billing", "readings", "sender", "notary", "api")
Row = dict[str, Any]


def wait_until(condition: Callable[[], object], timeout_s: float = 120, *, what: str = "the condition") -> float:
    """Wait for something true. Returns the seconds it took; a database that does not answer counts as not yet.

    The longer it takes, the less often it is asked: questions cost what they wait for.
    """
    begun = time.monotonic()
    tick, pause_s = threading.Event(), 0.02
    while True:
        try:
            if condition():
                return time.monotonic() - begun
            wrong = ""
        except (psycopg.OperationalError, httpx.TransportError) as error:
            wrong = f" ({error})"
        assert time.monotonic() - begun < timeout_s, f"{what} did not come within {timeout_s:.0f} s{wrong}"
        tick.wait(pause_s)
        pause_s = min(0.25, pause_s * 1.3)


@contextmanager
def new_home() -> Iterator[Path]:
    """A directory that every user can reach, with a name short enough for a socket below it; wiped afterwards."""
    home = Path(tempfile.mkdtemp(prefix="ts-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        EmbeddedPostgres(home / "data" / "postgres").wipe()
        shutil.rmtree(home, ignore_errors=True)


def environment_of(options: Mapping[str, object]) -> dict[str, str]:
    """What a program of ours is started with: these settings, and none of whoever runs the test."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGSHUI_")}
    options = {"proxy_secret": PROXY, **options}
    return ours | {f"TONGSHUI_{name.upper()}": str(value) for name, value in options.items()}


class Installation:
    """``tongshui up`` as a process. ``options`` are settings, for example ``clock_factor=300``."""

    def __init__(self, home: Path, **options: object) -> None:
        self.home = home
        self.data = home / "data"
        self.said = home / "up.out"
        self.options: dict[str, object] = {"http_port": free_port(), "log_level": "INFO", **options}
        self.process: Child | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What every program of this installation is started with."""
        return environment_of(self.options | {"data_dir": self.data})

    def launch(self, *arguments: str) -> Child:
        """Start ``tongshui up`` and do not wait for it."""
        with self.said.open("wb") as output:
            self.process = spawn(
                [sys.executable, "-m", "app.cli", "up", *arguments],
                env=self.environment,
                cwd=self.home,
                output=output,
            )
        return self.process

    def start(self, *arguments: str) -> None:
        """Start it, and wait until it says that everything runs."""
        process = self.launch(*arguments)
        wait_until(lambda: "up: http" in self.output() or process.poll() is not None, what="`up`")
        assert process.poll() is None, self.output()

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        # The supervisor itself gives its parts a minute to end, and then some seconds to be killed.
        return self.process.wait(120)

    def kill(self) -> None:
        """End it as nobody should."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def output(self) -> str:
        return self.said.read_text(errors="replace")

    def log(self, part: str) -> str:
        """What a part has written so far; empty before its first line."""
        path = self.data / "log" / f"{part}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def run(self, *arguments: str, timeout_s: float = 120) -> Ended:
        """Run ``tongshui`` with these arguments beside it."""
        output, errors = self.home / "run.out", self.home / "run.err"
        with output.open("wb") as out, errors.open("wb") as err:
            program = [sys.executable, "-m", "app.cli", *arguments]
            process = psutil.Popen(program, env=self.environment, cwd=self.home, stdout=out, stderr=err)
            try:
                code = process.wait(timeout_s)
            finally:
                if process.is_running():
                    process.kill()
        return Ended(int(code), output.read_text(), errors.read_text())

    # ---- its parts

    def state(self) -> dict[str, Any]:
        """What ``up`` wrote down."""
        found: dict[str, Any] = json.loads((self.data / "up.json").read_text())
        return found

    def part(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state()["parts"][name]
        return found

    def kill_part(self, name: str) -> int:
        """SIGKILL a part; the process id it had."""
        pid = int(self.part(name)["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_part(self, name: str, *, other_than: int, timeout_s: float = 120) -> float:
        """Wait until the supervisor has it up again, as another process."""
        return wait_until(
            lambda: self.part(name)["up"] and self.part(name)["pid"] not in (None, other_than),
            timeout_s,
            what=f"the restart of {name}",
        )

    def processes(self) -> list[psutil.Process]:
        """``up`` and everything that it started."""
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    # ---- what it knows

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.options['http_port']}"

    @property
    def settings(self) -> Settings:
        """Its settings, with the addresses that ``up`` wrote down, as whoever administers its Kafka has them."""
        return self.settings_of(ADMIN)

    def settings_of(self, principal: str) -> Settings:
        """The same, with the login of one process at its embedded Kafka."""
        state = self.state()
        found = Settings.model_validate(
            {
                **self.options,
                "data_dir": self.data,
                "database_url": state["database_url"],
                "kafka_bootstrap": state["kafka"],
            }
        )
        return found if "kafka_bootstrap" in self.options else logged_in(found, principal)

    def kafka_of(self, principal: str) -> dict[str, object]:
        """The options by which another program reaches this installation's Kafka as that principal."""
        names = {name for name in Settings.model_fields if name.startswith("kafka_")}
        return self.settings_of(principal).model_dump(include=names, exclude_none=True)

    def query(self, text: str, *values: object) -> list[Row]:
        """Rows of a query, over a connection of its own. Raises OperationalError while PostgreSQL is away."""
        with psycopg.connect(
            self.settings.database_url, autocommit=True, connect_timeout=5, row_factory=dict_row
        ) as connection:
            return connection.execute(text.encode(), values).fetchall()

    def one(self, text: str, *values: object) -> Any:
        """The first column of the first row; None where there is none."""
        rows = self.query(text, *values)
        return next(iter(rows[0].values())) if rows else None

    def head(self) -> int:
        return int(self.one("SELECT position FROM store.log_head"))

    def all_out(self) -> int:
        """Up to which position everything is on Kafka."""
        return int(self.one("SELECT all_out FROM store.relay_state ORDER BY epoch DESC LIMIT 1") or 0)

    def lowest_read_position(self, schema: str, reader: str, topic: str) -> int:
        """The read position of the partition that has come least far."""
        return int(
            self.one(
                f"SELECT min(position) FROM {schema}.places WHERE reader = %s AND topic = %s",
                reader,
                f"{self.settings.topic_prefix}{topic}.v1",
            )
            or 0
        )

    def lagging(self) -> list[str]:
        """Readers that do not have all that is on Kafka, and the relay where the store has more; none: all is even."""
        head = self.head()
        lag = [f"relay at {self.all_out()} of {head}"] if self.all_out() < head else []
        out = {
            (row["topic"], row["partition"]): row["position"]
            for row in self.query(
                "SELECT topic, partition, position FROM store.relay_checkpoint WHERE cluster_id ="
                " (SELECT cluster_id FROM store.relay_state ORDER BY epoch DESC LIMIT 1)"
            )
        }
        views = tuple(model.name for model in MODELS)
        for schema, readers in (("views", views), ("watch", ("due",)), ("billing", None)):
            for row in self.query(f"SELECT reader, topic, partition, position FROM {schema}.places"):
                if readers is None or row["reader"] in readers:
                    wanted = out.get((row["topic"], row["partition"]), 0)
                    if row["position"] < wanted:
                        lag.append(
                            f"{row['reader']} {row['topic']}/{row['partition']} at {row['position']} of {wanted}"
                        )
        return lag

    def disagreements(self) -> list[str]:
        """Where a read model or billing differs from the store, judged in one snapshot."""
        with psycopg.connect(self.settings.database_url, row_factory=dict_row) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            found = disagreements(self.settings, connection, MODELS)
            return found + account_disagreements(self.settings, connection)

    def wait_for_agreement(self, timeout_s: float = 120) -> None:
        """Wait until every read model and billing say what the store says; fails with where they do not."""
        wrong: list[str] = ["nothing was compared"]

        def agrees() -> bool:
            wrong[:] = self.disagreements()
            return not wrong

        try:
            wait_until(agrees, timeout_s)
        except AssertionError:
            raise AssertionError(f"{len(wrong)} disagreements: {wrong[:10]}; lag: {self.lagging()[:10]}") from None

    def tables(self) -> dict[str, dict[tuple[Any, ...], Row]]:
        """Every row that readers wrote, by table."""
        with psycopg.connect(self.settings.database_url, row_factory=dict_row) as connection:
            rows = {model.table: actual_rows(connection, model) for model in MODELS}
            for table, key in (("billing.accounts", "account_number"), ("billing.inbox", "event_id")):
                found = connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
                rows[table] = {(row[key],): row for row in found}
            found = connection.execute(
                "SELECT case_id, commitment, number, due_at, next_ask_at, case_version FROM watch.due"
            ).fetchall()
            rows["watch.due"] = {(row["case_id"], row["commitment"]): row for row in found}
        return rows

    def events(self) -> list[Row]:
        """Every stored event: position, case, version, type, bytes, and the JSON read."""
        rows = self.query(
            "SELECT notification_id AS position, originator_id AS case_id, originator_version AS version,"
            " topic AS type, state FROM store.stored_events ORDER BY notification_id"
        )
        for row in rows:
            row["state"] = bytes(row["state"])
            row["event"], row["recorded"] = read(row["state"])
        return rows


class Ended:
    """What became of a program."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def complaint(self) -> str:
        """The one line on stderr. Fails where it said more, or less."""
        (line,) = self.err.splitlines()
        return line


@contextmanager
def installed(*arguments: str, **options: object) -> Iterator[Installation]:
    """A running installation, with these arguments of ``up``; gone, with all it had, at the end."""
    with new_home() as home:
        it = Installation(home, **options)
        try:
            it.start(*arguments)
            yield it
        finally:
            if it.process is not None and it.process.poll() is None:
                _end(it)


def _end(it: Installation) -> None:
    """By force, which takes a second: that it ends in order has a test of its own."""
    processes = it.processes()
    it.kill()
    wait_until(lambda: gone(processes), what="the end of every process")


def gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(_runs(process) for process in processes)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

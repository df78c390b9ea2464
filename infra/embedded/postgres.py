"""PostgreSQL 18 as a child of this process, reached through a Unix socket only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.embedded import postgres_place
from infra.embedded.children import (
    Child,
    Say,
    alive,
    append_to,
    end,
    end_group,
    how_it_ended,
    silent,
    spawn,
    tail,
    writing,
)
from infra.embedded.errors import EmbeddedError, unwritable
from infra.embedded.postgres_place import MAJOR, PostgresFolder
from infra.embedded.waiting import StartPatience

PORT = 5432
"""Only part of the socket's name; no TCP port is opened."""

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "200",
    # Nothing is replicated and little is read from the disk: these processes would only be there.
    "max_logical_replication_workers": "0",
    "io_workers": "1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",  # the start recognises one message of the server
    "log_error_verbosity": "terse",  # the detail of an error may quote a row, and rows may name people
}
_INITDB = (
    *("--username", "postgres", "--auth", "trust"),  # only the socket leads in, and its directory is closed
    *("--encoding", "UTF8", "--no-locale", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
)
_INITDB_PATIENCE_S = 120.0
_READY_PATIENCE_S = 60.0
_LINGERING_PATIENCE_S = 20.0
_STOPPING_PATIENCE_S = 30.0
_TELLING_PATIENCE_S = 10.0
_TELL_EVERY_S = 30.0
_POLL_S = 0.02
# What a server says that is up and does not serve yet: after a kill it reads its log again, for as long as that takes.
_AT_WORK = ("starting up", "not yet accepting connections", "in recovery mode")
# What a server or initdb says that ended by itself for a reason which passes: a child was killed, or there was no room.
_PASSING = (
    "terminated by signal",
    "is still in use",
    "No space left on device",
    "Cannot allocate memory",
    "Too many open files",
)


class EmbeddedPostgres:
    """One cluster with the database ``tongshui``, made at the first start and kept until ``wipe()``.

    ``home`` is a directory of its own (its subdirectory ``data`` is the cluster). ``settings`` are server settings over
    the defaults, for example ``{"log_statement": "all"}``. ``say`` is told what a person should know. ``log`` is the
    server's own log (default ``home/postgres.log``). It stops, in the fast way, also when this process is killed.
    """

    def __init__(
        self,
        home: Path,
        *,
        settings: Mapping[str, str] = MappingProxyType({}),
        say: Say = silent,
        log: Path | None = None,
    ) -> None:
        self.home = home.resolve()
        self.log = log or self.home / "postgres.log"
        self.process: Child | None = None
        self._settings = {**_SETTINGS, **settings}
        self._say = say
        self._place: PostgresFolder | None = None
        self._patience = StartPatience(_READY_PATIENCE_S)

    def start(self) -> None:
        """Start the server and wait until it answers; does nothing while it runs.

        Raises EmbeddedError with the code ``postgres-data-version``, ``postgres-already-running``,
        ``postgres-start-failed``, ``postgres-initdb-failed``, or one of ``postgres_place.settle``. A server that was
        killed or too slow may do better the next time (``may_pass``), and is given twice as long then.
        """
        if alive(self.process):
            return
        place = self._settled()
        with writing():
            if not _found_version(place.data):
                self._initialise(place)
        _wait_until_unserved(place.data)
        self._launch(place)
        try:
            self._create_database("tongshui")
        except BaseException:
            self.stop()
            raise

    def stop(self, immediate: bool = False) -> None:
        """Stop and wait. Fast by default (sessions are cut, a checkpoint is written); immediate leaves a recovery."""
        if self.process is not None:
            quickly = (signal.SIGQUIT, 10.0)
            end(self.process, *([quickly] if immediate else [(signal.SIGINT, 30.0), quickly]))

    def kill(self) -> None:
        """SIGKILL the postmaster, as a fault; ``start()`` recovers."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def wipe(self) -> None:
        """Delete the cluster, wherever it is; only while stopped."""
        if alive(self.process):
            raise RuntimeError("wipe() needs a stopped server")
        _found_version(self.home / "data")
        postgres_place.remove(self.home)
        self._place = None

    def conninfo(self, dbname: str = "tongshui") -> str:
        """The libpq connection string of a database; the same after every restart."""
        socket = self._settled().socket
        return make_conninfo("", host=str(socket), port=PORT, user="postgres", dbname=dbname)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _settled(self) -> PostgresFolder:
        """Where it lives; looked up once, before the first use."""
        if self._place is None:
            _found_version(self.home / "data")  # before anything is made or touched
            self._place = postgres_place.settle(self.home, self._say)
        return self._place

    def _initialise(self, place: PostgresFolder) -> None:
        """Make the cluster beside its place and move it there, so that half a cluster is never taken for one."""
        _refuse_unless_empty(place.data)
        part = place.data.with_name("data.part")
        if part.exists():
            shutil.rmtree(part)
        postgres_place.give(part, place.account)
        self._initdb(place, part)
        part.rename(place.data)

    def _initdb(self, place: PostgresFolder, directory: Path) -> None:
        with append_to(self.log) as output:
            begun = output.tell()
            command = [str(place.programs / "initdb"), "--pgdata", str(directory), *_INITDB]
            child = spawn(command, account=place.account, env=_environment(), cwd=directory.parent, output=output)
        self.process = child  # whoever stops us meanwhile ends it
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_INITDB_PATIENCE_S)
        if child.poll() != 0:
            said = tail(self.log, begun)
            may_pass = _may_pass(child, said)
            end(child)
            end_group(child)  # its own children would go on writing into what is made anew
            raise EmbeddedError(
                "postgres-initdb-failed",
                found=f"{how_it_ended(child)}: {said}",
                needed="a new cluster",
                next_step=f"read {self.log}",
                may_pass=may_pass,
            )

    def _launch(self, place: PostgresFolder) -> None:
        deadline = time.monotonic() + _LINGERING_PATIENCE_S
        while True:
            failure = self._launch_once(place)
            if failure is None:
                return
            # The children of a killed server hold its shared memory until they notice, usually within a second.
            if "is still in use" not in failure.found or time.monotonic() > deadline:
                raise failure
            time.sleep(0.1)

    def _launch_once(self, place: PostgresFolder) -> EmbeddedError | None:
        """Start the server; None when it answers, else how it ended and what it said before."""
        with writing(), append_to(self.log) as output:
            begun = output.tell()
            self.process = spawn(
                [str(place.programs / "postgres"), "-D", str(place.data), *self._arguments(place)],
                death_signal=signal.SIGINT,
                account=place.account,
                env=_environment(),
                cwd=place.data.parent,
                output=output,
            )
        error = self._wait_until_it_answers(self.process)
        if error is None:
            self._patience.was_enough()
            return None
        if alive(self.process):
            self._patience.was_too_short()
        said = tail(self.log, begun) or error
        ended, may_pass = how_it_ended(self.process), _may_pass(self.process, said)
        self.kill()
        return EmbeddedError(
            "postgres-start-failed",
            found=f"{ended}: {said}",
            needed="a PostgreSQL that answers",
            next_step=f"read {self.log}",
            may_pass=may_pass,
        )

    def _wait_until_it_answers(self, server: Child) -> str | None:
        """None when it serves; else, when it has ended or time is over, the last error. Time does not run while it says
        that it is at work: a recovery that is ended begins anew."""
        begun = time.monotonic()
        deadline, tell_at, error = begun + self._patience.seconds, begun + _TELL_EVERY_S, ""
        while alive(server) and time.monotonic() < deadline:
            try:
                psycopg.connect(self.conninfo("postgres"), connect_timeout=5).close()
                return None
            except psycopg.OperationalError as failure:
                error = str(failure)
            now = time.monotonic()
            if any(words in error for words in _AT_WORK):
                deadline = now + self._patience.seconds
            if now > tell_at:
                tell_at = now + _TELL_EVERY_S
                self._say(f"postgres: not ready after {now - begun:.0f} s, and waited for: {error.strip()[-200:]}")
            time.sleep(_POLL_S)
        return error

    def _arguments(self, place: PostgresFolder) -> list[str]:
        quoted = str(place.socket).replace('"', '""')
        settings = {**self._settings, "unix_socket_directories": f'"{quoted}"'}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _create_database(self, name: str) -> None:
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _may_pass(server: Child, said: str) -> bool:
    """Whether another start may help: it was killed, was too slow, or ended for a reason that passes."""
    code = server.poll()
    return code is None or code < 0 or any(words in said for words in _PASSING)


def _found_version(data: Path) -> bool:
    """Whether a cluster of our version is there. Raises where it is one of another version."""
    try:
        found = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unwritable(error) from error
    if found != MAJOR:
        raise EmbeddedError(
            "postgres-data-version",
            found=f"a PostgreSQL {found} cluster in {data}",
            needed=f"PostgreSQL {MAJOR}; nothing was touched",
            next_step=f"dump it with PostgreSQL {found}'s own programs: `postgres -D {data}`, `pg_dumpall -f all.sql`, "
            f"stop it; move {data} away, start again, and load the dump with `psql -f all.sql`",
        )
    return True


def _refuse_unless_empty(data: Path) -> None:
    if data.exists():
        if any(data.iterdir()):
            raise EmbeddedError(
                "postgres-data-unknown",
                found=f"files but no PG_VERSION in {data}",
                needed="a PostgreSQL cluster or nothing",
                next_step="move the directory away, or choose another one with TONGSHUI_DATA_DIR",
            )
        data.rmdir()


def _wait_until_unserved(data: Path) -> None:
    """Refuse where a server runs on the cluster; one that is stopping is waited for.

    A process id that another program got since is forgotten; the server itself judges one that nobody has.
    """
    pid_file = data / "postmaster.pid"
    begun = time.monotonic()
    while (served := _server(pid_file)) is not None:
        pid, status = served
        # The server of a killed program has been told to stop in the same moment, but says so a little later.
        patience_s = _STOPPING_PATIENCE_S if status == "stopping" else _TELLING_PATIENCE_S
        if time.monotonic() - begun > patience_s:
            raise EmbeddedError(
                "postgres-already-running",
                found=f"process {pid} serves {data}",
                needed="a cluster that no other server uses",
                next_step=f"stop the other program, or the process: kill -INT {pid}",
                may_pass=status == "stopping",
            )
        time.sleep(_POLL_S)


def _server(pid_file: Path) -> tuple[int, str] | None:
    """Process id and status of the server that runs on the cluster, as it wrote them down."""
    try:
        lines = [line.strip() for line in pid_file.read_text().splitlines()]
        pid = int(lines[0])
        is_server = _serves(psutil.Process(pid), pid_file.parent)
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    if not is_server:
        pid_file.unlink(missing_ok=True)
        return None
    return pid, lines[7] if len(lines) > 7 else "starting"


def _serves(process: psutil.Process, data: Path) -> bool:
    if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
        return False
    return Path(process.cwd()) == data


def _environment() -> dict[str, str]:
    """Ours without what would steer a server or its client tools past our arguments."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}

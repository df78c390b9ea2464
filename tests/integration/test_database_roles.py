"""Each process has a role in PostgreSQL with the rights that its work needs, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege
from psycopg.errors import SyntaxError as SyntaxError_

from infra.postgres.roles import DECIDERS, EVENTS, PROCESSES, Process, role_of, settle_roles
from infra.settings import Settings

ROOT = Path(__file__).parents[2]
RUN_BY: dict[str, tuple[Process, ...]] = {
    "alerts": ("sender",),
    "api": ("api",),
    "approvals": ("api",),
    "billing": ("billing",),
    "complaints": ("api",),
    "evidence": ("api",),
    "figures": ("api",),
    "identity": ("api",),
    "indicators": ("api",),
    "notary": ("notary",),
    "outages": ("api",),
    "outbox": ("sender",),
    "reader": ("views", "watch", "billing", "readings"),
    "readings": ("readings",),
    "recompute": ("watch",),
    "relay": ("relay",),
    "rights": ("api",),
    "status": ("api",),
    "store": DECIDERS,
    "vault": ("api",),
    "watch": ("watch",),
}
"""File of named queries → the processes that run them."""
BY_A_PERSON = {"dead_letters", "models", "rebuild", "recover", "schema", "tickets", "what_if", "pseudonyms"}
"""Files whose queries no process runs alone: those of commands, and what modules of ``SHARED`` run."""
READERS: tuple[Process, ...] = ("views", "watch", "billing", "readings")
SHARED: dict[str, tuple[Process, ...]] = {
    "app/processes.py": PROCESSES,
    "consumers/billing/books.py": ("billing",),
    "consumers/billing/reconcile.py": ("billing",),
    "consumers/notary/notary.py": ("notary",),
    "infra/disk_space.py": ("relay", "watch", "api"),
    "infra/eventstore/pseudonyms.py": DECIDERS,
    "infra/eventstore/recorder.py": DECIDERS,
    "infra/eventstore/service.py": DECIDERS,
    "infra/eventstore/writer.py": DECIDERS,
    "infra/meter_verifications.py": ("watch", "api"),
    "infra/outbox/alerts.py": ("sender", "api"),
    "infra/readers/dead_letters.py": READERS,
    "infra/readers/faust_app.py": ("views", "watch", "readings"),
    "infra/readers/read_positions.py": READERS,
    "infra/readers/store_check.py": READERS,
    "infra/relay/disowned.py": ("relay",),
    "infra/relay/topic_guard.py": ("relay",),
    "infra/status.py": ("api",),
    "projections/readings/cases.py": ("readings",),
    "projections/readings/processor.py": ("readings",),
    "projections/watch/due.py": ("watch",),
    "projections/watch/watch.py": ("watch",),
}
"""Module → the processes that run its queries, wherever these stand."""
NOT_PLANNED = {
    "readings_make_month": "the readings' own test",
    "try_to_write": "a temporary table, which everybody may make",
    "vault_rewrite": "a person's command and the start, as the owner",
    "watch_call_for_help": "a notification, which everybody may send",
}
"""Statements that PostgreSQL cannot explain, and what holds instead."""


@pytest.fixture
def roles(settings: Settings) -> Settings:
    settle_roles(settings.database_url)
    settle_roles(settings.database_url)  # and once more changes nothing
    return settings


def session(settings: Settings, process: Process) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(settings.database_url, user=role_of(process)), autocommit=True)


def queries(file: str, process: Process) -> Iterator[tuple[str, str]]:
    """(name, SQL with every parameter null) of each named query of a file."""
    text = (resources.files("infra.sql") / f"{file}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: ([a-z_]+)\s*$", text, flags=re.MULTILINE)
    for name, statement in zip(parts[1::2], parts[2::2], strict=True):
        yield name, re.sub(r"%\(\w+\)[sbt]|%s", "NULL", statement).replace("{read_positions}", f"{process}.places")


def test_every_file_of_queries_is_said_to_be_somebodys() -> None:
    files = {each.name for each in resources.files("infra.sql").iterdir()}
    assert {name.removesuffix(".sql") for name in files if name.endswith(".sql")} == set(RUN_BY) | BY_A_PERSON


def runs(process: Process) -> dict[str, str]:
    """Name → SQL of every query that the process runs."""
    found = {
        name: text for file, run_by in RUN_BY.items() if process in run_by for name, text in queries(file, process)
    }
    every = {name: text for file in {*RUN_BY, *BY_A_PERSON} - {"schema"} for name, text in queries(file, process)}
    for module, run_by in SHARED.items():
        if process in run_by:
            words = re.findall(r'"([a-z_]+)"', (ROOT / module).read_text(encoding="utf-8"))
            found |= {name: every[name] for name in words if name in every}
    return found


def test_a_process_may_run_every_query_of_its_own(roles: Settings) -> None:
    """PostgreSQL checks the rights of a plan before it is explained."""
    not_planned = set()
    for process in PROCESSES:
        with session(roles, process) as connection:
            for name, statement in runs(process).items():
                try:
                    connection.execute(f"EXPLAIN {statement}".encode())
                except SyntaxError_:
                    not_planned.add(name)
                except psycopg.Error as error:
                    pytest.fail(f"{process}: {name}: {error}")
    assert not_planned == set(NOT_PLANNED)


def test_nobody_changes_an_event_and_only_who_decides_appends_one(roles: Settings) -> None:
    append = f"INSERT INTO {EVENTS} SELECT * FROM {EVENTS} WHERE false"
    forbidden = (
        f"UPDATE {EVENTS} SET state = '' WHERE false",
        f"DELETE FROM {EVENTS} WHERE false",
        f"TRUNCATE {EVENTS}",
        f"DROP TABLE {EVENTS}",
        f"ALTER TABLE {EVENTS} DISABLE TRIGGER ALL",
        "DELETE FROM store.generations",
        "CREATE TABLE store.mine ()",
        "CREATE TABLE public.mine ()",
        "SET ROLE postgres",
    )
    for process in PROCESSES:
        with session(roles, process) as connection:
            for statement in forbidden:
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(statement.encode())
            if process in DECIDERS:
                connection.execute(append.encode())
            else:
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(append.encode())


def test_the_processor_of_readings_makes_a_month_and_nobody_else_does(roles: Settings) -> None:
    span = "FROM ('2031-01-01') TO ('2031-02-01')"
    month = f"CREATE TABLE readings.of_2031_01 PARTITION OF readings.readings FOR VALUES {span}"
    for process in PROCESSES:
        with session(roles, process) as connection, connection.transaction(force_rollback=True):
            if process == "readings":
                connection.execute(month.encode())
                connection.execute(b"DELETE FROM readings.readings WHERE false")
            else:
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(month.encode())


def test_secrets_and_the_tables_of_others_are_closed(roles: Settings) -> None:
    readers = {"views", "watch", "billing", "readings", "notary"}
    with psycopg.connect(roles.database_url) as connection:
        tables = connection.execute(
            "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace::regnamespace::text = ANY(%s)",
            [list(readers)],
        ).fetchall()
    assert {schema for schema, _ in tables} == readers
    for process in set(PROCESSES) - {"api"}:
        closed = ["SELECT FROM identity.credentials", "SELECT FROM identity.sessions"]
        if process in DECIDERS:
            closed += ["DELETE FROM vault.subjects", "UPDATE vault.subject_keys SET subject_id = NULL WHERE false"]
        else:
            closed += ["SELECT FROM vault.subjects", "SELECT FROM vault.subject_keys", "SELECT FROM vault.installation"]
        own = {process, "watch"} if process in DECIDERS else {process}
        closed += [f"DELETE FROM {schema}.{table} WHERE false" for schema, table in tables if schema not in own]
        with session(roles, process) as connection:
            for statement in closed:
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(statement.encode())

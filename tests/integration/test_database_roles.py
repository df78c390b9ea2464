"""Each process has a role in PostgreSQL with the rights that its work needs, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from infra.postgres.roles import DECIDERS, EVENTS, PROCESSES, Process, role_of, settle_roles
from infra.settings import Settings

RUN_BY: dict[str, tuple[Process, ...]] = {
    "alerts": ("sender",),
    "api": ("api",),
    "approvals": ("api",),
    "billing": ("billing",),
    "evidence": ("api",),
    "figures": ("api",),
    "identity": ("api",),
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
BY_A_PERSON = {"dead_letters", "models", "recover", "schema", "tickets", "what_if", "pseudonyms"}
"""Files whose queries no process runs alone: those of commands, and what other tests run in their process."""


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


def test_a_process_may_run_every_query_of_its_own(roles: Settings) -> None:
    """PostgreSQL checks the rights of a plan before it is explained."""
    for process in PROCESSES:
        tried = of = 0
        with session(roles, process) as connection:
            for file in (file for file, run_by in RUN_BY.items() if process in run_by):
                for name, statement in queries(file, process):
                    of += 1
                    try:
                        connection.execute(f"EXPLAIN {statement}".encode())
                    except InsufficientPrivilege as error:
                        pytest.fail(f"{process}: {name}: {error}")
                    except psycopg.Error:
                        continue  # a parameter whose type null does not tell
                    tried += 1
        assert tried >= of * 2 / 3, process


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

"""Which process may do what in PostgreSQL: a role for each process, and no more rights than its work needs.

Nobody but the owner of the schema can change or delete an event. Only processes that decide can append one; readers
write what is theirs; secrets and particulars are read by those who serve them. An external database has roles of its
own: ``tongshui database-rights`` prints the same statements for whoever administers it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Identifier

from infra.settings import Settings

Process = Literal["relay", "views", "watch", "billing", "readings", "sender", "notary", "api"]
PROCESSES: tuple[Process, ...] = get_args(Process)
OPEN = ("store", "views", "watch", "billing", "readings", "outbox", "notary")
"""What every process may read: positions and figures of each other, and no secret."""
CLOSED = ("vault", "identity", "approvals", "evidence")
"""What the API alone serves: particulars, secrets of accounts, commands that wait for a second person, files. The
sender makes secret links of cases too, of which the table keeps hashes."""
SCHEMAS = (*OPEN, *CLOSED)
DECIDERS: tuple[Process, ...] = ("watch", "readings", "sender", "api")
"""Who appends events."""
EVENTS = "store.stored_events"
_ROWS = "SELECT, INSERT, UPDATE, DELETE"


class Right(NamedTuple):
    """A right of one process on one table, or on all tables and sequences of a schema where it ends with ``.*``."""

    process: Process
    on: str
    words: str


def rights() -> Iterator[Right]:
    """Every right there is; what is not granted is denied."""
    for process in PROCESSES:
        yield from (Right(process, f"{schema}.*", "SELECT") for schema in OPEN)
        yield Right(process, "store.process_beats", _ROWS)
    for reader in ("views", "watch", "billing", "readings"):
        yield Right(reader, "store.dead_letters", "SELECT, INSERT, UPDATE")
        yield Right(reader, "store.stopped_readers", _ROWS)
        yield Right(reader, f"{reader}.*", f"{_ROWS}, TRUNCATE")
    yield Right("notary", "notary.*", _ROWS)
    yield Right("sender", "outbox.*", _ROWS)
    yield Right("sender", "identity.follow_links", "SELECT, INSERT")
    for table in ("relay_state", "relay_checkpoint", "relay_walks", "disowned_records", "topic_findings"):
        yield Right("relay", f"store.{table}", _ROWS)
    yield Right("relay", "store.dead_letters", "SELECT, UPDATE")
    for process in DECIDERS:
        yield Right(process, EVENTS, "SELECT, INSERT")
        yield Right(process, "store.log_head", "SELECT, UPDATE")
        yield Right(process, "store.command_keys", _ROWS)
        yield Right(process, "store.case_numbers", "USAGE, SELECT")
        yield Right(process, "store.clock_anchor", "SELECT, INSERT")
        yield Right(process, "watch.*", _ROWS)
        yield Right(process, "outbox.*", "SELECT, INSERT, UPDATE")
        yield Right(process, "vault.*", "SELECT")
    yield from (Right("api", f"{schema}.*", _ROWS) for schema in CLOSED)
    yield Right("api", "store.dead_letters", "SELECT, UPDATE")


def role_of(process: str) -> str:
    """The name of a process's role."""
    return f"tongshui_{process}"


def as_process(settings: Settings, process: str) -> Settings:
    """The settings with the process's own role at the database; of whoever has none, as they are."""
    if process not in PROCESSES:
        return settings
    url = make_conninfo(settings.database_url, user=role_of(process))
    return settings.model_copy(update={"database_url": url})


def statements() -> Iterator[Composed]:
    """SQL that makes the roles and gives each its rights and no others; to be run by the schema's owner after every
    migration. Running it again changes nothing."""
    for process in PROCESSES:
        yield SQL(
            "DO $$ BEGIN CREATE ROLE {} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        ).format(Identifier(role_of(process)))
        role = Identifier(role_of(process))
        yield SQL("GRANT pg_monitor TO {}").format(role)  # room on the disk, sizes, who waits for whom
        for schema in SCHEMAS:
            # Trigger functions are looked up in schemas whose tables the role may not read.
            yield SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(schema), role)
            yield SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(Identifier(schema), role)
        yield SQL("GRANT SELECT ON public.tongshui_migrations TO {}").format(role)
    # The months of the readings are partitions that their processor makes: only the table's owner may add one.
    owner = Identifier(role_of("readings"))
    yield SQL("GRANT {} TO CURRENT_USER").format(owner)
    yield SQL("ALTER TABLE readings.readings OWNER TO {}").format(owner)
    yield SQL("GRANT CREATE ON SCHEMA readings TO {}").format(owner)
    for right in rights():
        schema, table = right.on.split(".")
        kind = SQL("SEQUENCE ") if right.words.startswith("USAGE") else SQL("")
        on = SQL("ALL TABLES IN SCHEMA {}").format(Identifier(schema))
        if table != "*":
            on = kind + Identifier(schema, table)
        yield SQL("GRANT {} ON {} TO {}").format(SQL(right.words), on, Identifier(role_of(right.process)))
        if table == "*" and "INSERT" in right.words:
            yield SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(
                Identifier(schema), Identifier(role_of(right.process))
            )


def settle_roles(conninfo: str) -> None:
    """Make the roles and settle their rights, in one transaction. Raises what psycopg raises."""
    with psycopg.connect(conninfo) as connection:
        for statement in statements():
            connection.execute(statement)

"""Bring a database to the schema of this program: numbered files, one transaction, one at a time.

A migration tool would bring an object-relational mapper or a second configuration; all that is needed is an order, a
lock and a table of what was done. Processes never create tables themselves: started together they would collide.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib import resources

import psycopg

LOCK = 225_000_001
"""Advisory lock of the migration step."""


@dataclass(eq=False)
class MigrationError(Exception):
    """The database does not fit this program."""

    code: str
    found: str
    needed: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.code}: found {self.found}; needed {self.needed}; {self.next_step}"


def migrations() -> list[tuple[int, str, str]]:
    """(number, file name, SQL) in order."""
    folder = resources.files("infra.sql") / "migrations"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return [(int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in files]


def migrate(conninfo: str) -> list[str]:
    """Apply what is missing. Returns the names applied. Raises MigrationError for a changed or newer history."""
    applied: list[str] = []
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS public.tongshui_migrations "
            "(number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz DEFAULT now())"
        )
        done = {row[0]: row for row in connection.execute("SELECT number, name, sha256 FROM tongshui_migrations")}
        known = migrations()
        _refuse_unknown(done.keys() - {number for number, _, _ in known})
        for number, name, text in known:
            digest = sha256(text.encode()).hexdigest()
            if number in done:
                _refuse_changed(name, found=done[number][2], needed=digest)
                continue
            connection.execute(text)
            connection.execute(
                "INSERT INTO tongshui_migrations (number, name, sha256) VALUES (%s, %s, %s)", [number, name, digest]
            )
            applied.append(name)
    return applied


def _refuse_unknown(numbers: set[int]) -> None:
    if numbers:
        raise MigrationError(
            "schema-newer",
            found=f"migrations {sorted(numbers)} in the database",
            needed="a database that this program's migrations made",
            next_step="run the newer program that made them",
        )


def _refuse_changed(name: str, *, found: str, needed: str) -> None:
    if found != needed:
        raise MigrationError(
            "migration-changed",
            found=f"{name} was applied with SHA-256 {found[:12]}…",
            needed=f"{needed[:12]}…",
            next_step="add a new migration instead of changing an old one",
        )

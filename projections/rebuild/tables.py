"""A model's table beside the one in use: made empty, filled, and put in its place.

It has the columns, defaults and checks of the one in use, and in the end its indexes, their names and its rights:
nobody who asks the table sees that it is another one. A schema of its own lets all of them have their names already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier

from infra.kafka.cluster import BusRefusal
from infra.sql import sql
from projections.read_models.model import Journal, Model, as_jsonb

NEW = "views_new"
OLD = "views_old"
"""Schemas that are there while a rebuild is."""
LOCK_MS = 1_000
"""For how long taking over waits for whoever reads the table; who comes after it waits behind, and so does the reader
of the topics."""

ReadModel = Model[Any] | Journal[Any]


@dataclass(frozen=True, slots=True)
class Differences:
    """Rows before and after, at the same read positions: those that only one side has, and those that differ."""

    before: int
    after: int
    added: int
    missing: int
    changed: int

    @property
    def are_none(self) -> bool:
        """Whether both say the same."""
        return not (self.added or self.missing or self.changed)


def beside(model: ReadModel, schema: str = NEW) -> ReadModel:
    """The same model over its table in another schema."""
    return replace(model, table=f"{schema}.{_name(model.table)}")


def columns_of(connection: psycopg.Connection[Any], model: ReadModel) -> list[str]:
    """The columns of the table in use, each with its type."""
    return [told for (told,) in connection.execute(sql("rebuild_columns"), {"table": model.table}).fetchall()]


def types_of(connection: psycopg.Connection[Any], table: str, columns: Sequence[str]) -> list[str]:
    """The types of these columns, in their order."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        known: dict[str, str] = dict(cursor.execute(sql("rebuild_types"), {"table": table}).fetchall())
    return [known[column] for column in columns]


def make(connection: psycopg.Connection[Any], model: ReadModel) -> None:
    """Make the table anew and empty, with its keys; other indexes cost less once the rows are in."""
    new = beside(model).table
    connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(NEW)))
    connection.execute(SQL(sql("rebuild_like")).format(new=_of(new), table=_of(model.table)))
    for name, words in connection.execute(sql("rebuild_keys"), {"table": model.table}).fetchall():
        connection.execute(SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(_of(new), Identifier(name), SQL(words)))


def index(connection: psycopg.Connection[Any], model: ReadModel) -> None:
    """Make the indexes that the table in use has beside its keys, and count the rows for the planner."""
    new = beside(model).table
    for (statement,) in connection.execute(
        sql("rebuild_indexes"), {"table": model.table, "new": new, "new_schema": NEW}
    ).fetchall():
        connection.execute(statement)
    connection.execute(SQL("ANALYZE {}").format(_of(new)))


def drop_all(connection: psycopg.Connection[Any], *schemas: str) -> None:
    """Drop these schemas with every table in them."""
    for schema in schemas:
        connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))


def put_in_place(connection: psycopg.Connection[Any], model: ReadModel) -> None:
    """In the connection's transaction: the new table takes over the name and the rights of the one in use, which goes
    to another schema. Raises LockNotAvailable where somebody reads it for longer than a moment."""
    old, new = _of(model.table), _of(beside(model).table)
    connection.execute(SQL("SET LOCAL lock_timeout = {}").format(SQL(str(LOCK_MS))))
    connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(old))
    connection.execute("SET LOCAL lock_timeout = 0")
    grants = connection.execute(sql("rebuild_grants"), {"table": model.table}).fetchall()
    for role, privilege in grants:
        who = SQL("PUBLIC") if role is None else SQL(role)
        connection.execute(SQL("GRANT {} ON {} TO {}").format(SQL(privilege), new, who))
    connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(OLD)))
    connection.execute(SQL("ALTER TABLE {} SET SCHEMA {}").format(old, Identifier(OLD)))
    schema = model.table.partition(".")[0]
    connection.execute(SQL("ALTER TABLE {} SET SCHEMA {}").format(new, Identifier(schema)))


def differences(cursor: Cursor[Any], model: ReadModel) -> Differences:
    """The table in use compared with the one that it replaced, row by row."""
    old = Identifier(*beside(model, OLD).table.split("."))
    row = cursor.execute(
        SQL(sql("rebuild_differences")).format(
            old=old,
            table=_of(model.table),
            key=Identifier(model.key[0]),
            keys=_listed(model.key),
            old_columns=_listed(model.columns, "old"),
            new_columns=_listed(model.columns, "new"),
        )
    ).fetchone()
    assert row is not None
    return Differences(*row)


def delete(cursor: Cursor[Any], model: ReadModel, keys: Iterable[tuple[Any, ...]]) -> None:
    """Delete the rows of these keys from the model's table."""
    wanted = [dict(zip(model.key, key, strict=True)) for key in keys]
    if wanted:
        cursor.execute(
            SQL(sql("rebuild_delete")).format(
                table=_of(model.table),
                found_keys=_listed(model.key, "found"),
                wanted_keys=_listed(model.key, "wanted"),
            ),
            {"keys": as_jsonb(wanted)},
        )


def in_use(connection: psycopg.Connection[Any], model: ReadModel) -> BusRefusal:
    """The refusal of a table that is read all the time, with who reads it now."""
    found = connection.execute(sql("rebuild_in_use"), {"table": model.table}).fetchall()
    who = ", ".join(f"{program} ({account}, process {pid})" for pid, program, account in found) or "nobody any more"
    return BusRefusal(
        "table-in-use",
        found=f"{model.table}, which is being read: {who}",
        needed="a moment in which nobody reads it",
        next_step="let the backup or the long query end, then give the same command again: it goes on from here "
        "请待备份或长查询结束后重试，已完成的部分会保留",
    )


def _name(table: str) -> str:
    return table.partition(".")[2]


def _of(table: str) -> Composed:
    return SQL("{}").format(Identifier(*table.split(".")))


def _listed(columns: Iterable[str], of: str | None = None) -> Composed:
    return SQL(", ").join(Identifier(column) if of is None else Identifier(of, column) for column in columns)

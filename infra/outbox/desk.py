"""The outbox for an operator: what waits, what was given up and why, and having that tried anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from infra.refusals import NoSuchMessage
from infra.sql import sql

STATES = ("waiting", "sent", "proven", "dead", "withdrawn")


def messages(connection: psycopg.Connection[DictRow], state: str | None, limit: int) -> list[dict[str, Any]]:
    """The latest messages, without their texts; ``state`` None: all of them."""
    return connection.execute(sql("outbox_list"), {"state": state, "limit": limit}).fetchall()


def retry(connection: psycopg.Connection[DictRow], message: UUID | None) -> int:
    """Try a message anew that was given up, or all of them (None). How many. Refuses ``no-such-message``."""
    found = connection.execute(sql("outbox_retry"), {"id": message}).fetchall()
    if message is not None and not found:
        raise NoSuchMessage(found=f"no message {message} that was given up")
    return len(found)


def lines(found: list[dict[str, Any]]) -> Iterator[str]:
    """Messages as lines for a terminal."""
    for row in found:
        why = f"  {row['last_error']}" if row["last_error"] else ""
        proof = f"  receipt {row['receipt']} ({row['status']})" if row["receipt"] else ""
        tries = f"round {row['round']}, attempt {row['attempts']}"
        yield f"{row['id']}  {row['state']:<7} {row['kind']} by {row['way']}, {tries}{why}{proof}"
    if not found:
        yield "nothing there 无"

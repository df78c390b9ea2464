"""A direct connection to PostgreSQL, for whoever holds locks or waits for notifications."""

from __future__ import annotations

import select
from typing import Any

import psycopg

from infra.settings import Settings


def connect(settings: Settings) -> psycopg.Connection[tuple[Any, ...]]:
    """A direct connection that notices within about 5 s that the other end is gone. Autocommit; use transactions."""
    return psycopg.connect(
        settings.database_url,
        autocommit=True,
        connect_timeout=5,
        keepalives=1,
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=3,
        tcp_user_timeout=5_000,
    )


def wait_for_notification(connection: psycopg.Connection[Any], timeout_s: float) -> bool:
    """Wait until the connection was told something that it listens to, at most so many seconds; whether it was.

    What it was told is taken note of: only what comes afterwards ends the next wait. psycopg's own ``notifies`` wakes
    the process ten times a second while nothing comes. Raises what psycopg raises where the other end is gone.
    """
    if _told(connection):
        return True
    select.select([connection.fileno()], [], [], max(0.0, timeout_s))
    return _told(connection)


def _told(connection: psycopg.Connection[Any]) -> bool:
    told = False
    while list(connection.notifies(timeout=0)):  # first what came with answers, then what lies in the socket
        told = True
    return told

"""A direct connection to PostgreSQL, for whoever holds locks or waits for notifications."""

from __future__ import annotations

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

"""Databases of a test's own: copies of one that was migrated once on its server, which is quicker than migrating."""

from __future__ import annotations

import psycopg

from infra.embedded import EmbeddedPostgres
from infra.postgres.migrate import migrate

UNSAFE = {"fsync": "off", "full_page_writes": "off"}
"""Settings of a server whose data nobody wants after the run: what is killed is a process, never the machine."""
TEMPLATE = "template"


def make_template(server: EmbeddedPostgres) -> None:
    """Make the database that the server's others are copied from."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}".encode())
    migrate(server.conninfo(TEMPLATE))


def copied(server: EmbeddedPostgres, name: str) -> str:
    """A fresh migrated database of that name, instead of one that there was; its connection string."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        # Without a wait for the disk copying files is quicker than writing them to the log.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY".encode())
    return server.conninfo(name)

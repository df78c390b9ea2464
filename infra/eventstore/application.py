"""The event-sourcing library's application, set up with our mapper and our recorder."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.postgres import PostgresFactory
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from infra.clock import Clock
from infra.eventstore.recorder import LogHeadRecorder

URL = "TONGSHUI_STORE_URL"
"""Of the library's own environment, which is made by ``open_store`` and read from nowhere else."""


class StoreApplication(Application[UUID]):
    """Streams of envelopes under ``store.stored_events``."""

    name = "stored"
    paper_ways: frozenset[str] = frozenset()
    """By which ways the installation can send applicants papers: what it cannot send is not put into the outbox."""

    @property
    def log(self) -> LogHeadRecorder:  # type: ignore[override]
        return cast(LogHeadRecorder, self.recorder)


class StoreFactory(PostgresFactory):
    """Connects by the whole of the URL. The library knows five parts of it: everything else — TLS and whom it trusts,
    keepalives, several hosts — it would drop without a word."""

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        parts = conninfo_to_dict(env.get(URL) or "")
        self.datastore.pool.kwargs = {"connect_timeout": 5, **parts, "row_factory": dict_row}


def open_store(database_url: str, clock: Clock, *, connections: int = 4) -> StoreApplication:
    """Open the store. Creates nothing: the tables come from ``tongshui migrate``."""
    parts = conninfo_to_dict(database_url)
    application = StoreApplication(
        env={
            "PERSISTENCE_MODULE": "infra.eventstore.application:StoreFactory",
            URL: database_url,
            "MAPPER_TOPIC": "infra.eventstore.envelope:CloudEventMapper",
            "APPLICATION_RECORDER_TOPIC": "infra.eventstore.recorder:LogHeadRecorder",
            "CREATE_TABLE": "n",
            "POSTGRES_DBNAME": str(parts.get("dbname") or ""),
            "POSTGRES_HOST": str(parts.get("host") or "localhost"),
            "POSTGRES_PORT": str(parts.get("port") or "5432"),
            "POSTGRES_USER": str(parts.get("user") or "postgres"),
            # The library insists on a word; a server that trusts the socket does not look at it.
            "POSTGRES_PASSWORD": str(parts.get("password") or "not-asked"),
            "POSTGRES_SCHEMA": "store",
            "POSTGRES_POOL_SIZE": "1",
            "POSTGRES_MAX_OVERFLOW": str(connections - 1),
            "POSTGRES_CONNECT_TIMEOUT": "5",
            "POSTGRES_IDLE_IN_TRANSACTION_SESSION_TIMEOUT": "5",
        }
    )
    application.log.clock = clock
    return application

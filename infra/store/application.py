"""The event-sourcing library's application, set up with our mapper and our recorder."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from eventsourcing.application import Application
from psycopg.conninfo import conninfo_to_dict

from infra.clock import Clock
from infra.store.recorder import LogHeadRecorder


class StoreApplication(Application[UUID]):
    """Streams of envelopes under ``store.stored_events``."""

    name = "stored"

    @property
    def log(self) -> LogHeadRecorder:  # type: ignore[override]
        return cast(LogHeadRecorder, self.recorder)


def open_store(database_url: str, clock: Clock, *, connections: int = 4) -> StoreApplication:
    """Open the store. Creates nothing: the tables come from ``tongshui migrate``."""
    parts = conninfo_to_dict(database_url)
    application = StoreApplication(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "MAPPER_TOPIC": "infra.store.envelope:CloudEventMapper",
            "APPLICATION_RECORDER_TOPIC": "infra.store.recorder:LogHeadRecorder",
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

"""The library ``eventsourcing`` with nothing of ours: one client saves aggregates of three events, one by one."""

from __future__ import annotations

import os
import time
from typing import cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from psycopg.conninfo import conninfo_to_dict

TEXT = "x" * 500
"""So that an event has about as many bytes as ours."""


class Report(Aggregate):
    """An aggregate that makes three events of itself."""

    @event("Reported")
    def __init__(self, text: str) -> None:
        self.text = text

    @event("Opened")
    def open(self, text: str) -> None:
        """The second event."""
        self.text = text

    @event("Judged")
    def judge(self, text: str) -> None:
        """The third."""
        self.text = text


def saves_a_second(conninfo: str, number: int = 1_000) -> float:
    """Aggregates a second, each saved with its three events in one transaction of the library's PostgreSQL recorder."""
    known = conninfo_to_dict(conninfo)
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": known["dbname"],
        "POSTGRES_HOST": known["host"],
        "POSTGRES_PORT": known.get("port", "5432"),
        "POSTGRES_USER": known.get("user", "postgres"),
        "POSTGRES_PASSWORD": known.get("password") or os.environ.get("PGPASSWORD", "none"),
    }
    application: Application[UUID] = Application({name: cast(str, value) for name, value in environment.items()})
    try:
        begun = time.perf_counter()
        for _ in range(number):
            report = Report(text=TEXT)
            report.open(text=TEXT)
            report.judge(text=TEXT)
            application.save(report)
        return number / (time.perf_counter() - begun)
    finally:
        application.close()

"""Forget idempotency keys whose term is over: otherwise their table grows by a row for each command, for ever."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from datetime import timedelta

from infra.eventstore.service import Service
from infra.repeating import repeating
from infra.sql import sql

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3600.0
ROWS_AT_ONCE = 5_000
"""So many keys in one transaction: it holds no lock for long, and a second process skips what the first one takes."""


def purge_keys(service: Service, *, rows_at_once: int = ROWS_AT_ONCE) -> int:
    """Delete every key that was recorded longer ago than the settings keep it; how many. Raises psycopg's errors."""
    before = service.clock.now() - timedelta(days=service.settings.idempotency_days)
    purged = 0
    with service.connection() as connection:
        while True:
            rows = connection.execute(sql("purge_keys"), {"before": before, "most": rows_at_once}).rowcount
            purged += rows
            if rows < rows_at_once:
                return purged


def purging_keys(service: Service, *, every_s: float = LOOK_EVERY_S) -> AbstractContextManager[None]:
    """Purge from a thread while the body runs, at once and then every ``every_s`` seconds."""

    def purge() -> None:
        if purged := purge_keys(service):
            log.info("%d idempotency keys were past their term and are forgotten", purged)

    return repeating("key-purge", purge, every_s)

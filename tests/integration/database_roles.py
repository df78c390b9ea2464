"""A service as the API's process has it: with the rights of its role in PostgreSQL, and no others.

A test that looks into tables, or does to them what no program of ours does, does so as their owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from infra.clock import Clock
from infra.eventstore.service import Service, open_service
from infra.postgres.roles import as_process, settle_roles
from infra.settings import Settings

OWNERS: dict[str, str] = {}
"""Database → the connection string of its owner, where a service of a role was opened on it."""


def opened_by_the_api(settings: Settings, *, clock: Clock | None = None) -> Service:
    """The service, under the role ``tongshui_api``; to be closed. ``settings``: of the owner."""
    settle_roles(settings.database_url)
    limited = as_process(settings, "api")
    OWNERS[limited.database_url] = settings.database_url
    return open_service(limited, clock=clock)


@contextmanager
def service_of_the_api(settings: Settings, clock: Clock) -> Iterator[Service]:
    """The same, for as long as a test runs."""
    opened = opened_by_the_api(settings, clock=clock)
    yield opened
    opened.close()


@contextmanager
def owned(service: Service) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection of the owner to the service's database."""
    url = OWNERS.get(service.settings.database_url, service.settings.database_url)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        yield connection

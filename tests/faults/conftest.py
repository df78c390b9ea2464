"""A watch, its index and a connection, on the test's own service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from infra.eventstore.recorder import LogHeadRecorder
from infra.eventstore.service import Service
from projections.watch.watch import Watch
from tests.faults.watched import Index, connection_of, watch_of


@pytest.fixture
def index(service: Service) -> Iterator[Index]:
    made = Index(service.settings)
    yield made
    made.close()


@pytest.fixture
def told_by_the_stream_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Appends write no instants into the index, as where somebody else holds its rows: events alone say what to ask."""
    monkeypatch.setattr(LogHeadRecorder, "_insert_next_asks", lambda *_: None)


@pytest.fixture
def watch(service: Service) -> Watch:
    return watch_of(service)


@pytest.fixture
def connection(service: Service) -> Iterator[psycopg.Connection[Any]]:
    with connection_of(service) as opened:
        yield opened

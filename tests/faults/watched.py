"""Watches without Kafka: their index is fed from the store, and they ask a service of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from app.processes import asker, looker
from domain.deadlines.windows import WindowLapsed
from infra.eventstore.envelope import read
from infra.eventstore.service import Service
from infra.kafka.cluster import Record
from infra.postgres.connections import connect
from infra.readers.faust_app import ModelStream
from infra.settings import Settings
from projections.watch.due import DueIndex
from projections.watch.watch import Ask, Watch
from tests.published import records, topic_ids

Lapse = tuple[UUID, str, datetime]
HALF_AN_HOUR = timedelta(minutes=30)


class Index(ModelStream):
    """The watch's stream without Kafka: fed with what the relay would publish."""

    def __init__(self, settings: Settings) -> None:
        index = DueIndex()
        super().__init__(settings, "watch", [index], index.poisoned)
        self._topic_ids = topic_ids(settings)
        self._fed = 0

    def feed(self, more: Sequence[Record] = ()) -> None:
        """Apply what is new in the store, and then records that nobody of ours wrote."""
        of_the_store = records(self.settings)
        batch = [record for record in of_the_store[self._fed :] if record.topic in self.topics]
        self.until_stored([*batch, *more], stopping=lambda: False)
        self._fed = len(of_the_store)


def watch_of(service: Service, ask: Ask | None = None) -> Watch:
    return Watch(service.settings, service.clock, ask or asker(service), looker(service))


@contextmanager
def connection_of(service: Service) -> Iterator[psycopg.Connection[Any]]:
    with connect(service.settings) as opened:
        opened.row_factory = dict_row  # type: ignore[assignment]
        yield opened


def lapses(service: Service) -> list[Lapse]:
    """Every recorded lapse, in the order of recording."""
    with service.connection() as opened:
        rows = opened.execute(
            "SELECT originator_id, state FROM store.stored_events WHERE topic LIKE '%%.WindowLapsed.%%'"
            " ORDER BY notification_id"
        ).fetchall()
    found = []
    for row in rows:
        fact = read(bytes(row["state"]))[1].fact
        assert isinstance(fact, WindowLapsed)
        found.append((row["originator_id"], fact.commitment, fact.due_at))
    return found


def ask_all(watch: Watch, connection: psycopg.Connection[Any]) -> int:
    """Ask until nothing is due."""
    asked = 0
    while number := watch.ask_due(connection):
        asked += number
    return asked


@contextmanager
def run(watch: Watch) -> Iterator[None]:
    """The watch's own loops in threads; what they raised is the test's."""
    stop, failed = threading.Event(), []

    def work(loop: Callable[[threading.Event], None]) -> None:
        try:
            loop(stop)
        except BaseException as error:  # handed over below
            failed.append(error)

    threads = [threading.Thread(target=work, args=[loop], daemon=True) for loop in (watch.run, watch.run_sweeps)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert not failed, failed


def due(service: Service) -> list[dict[str, Any]]:
    with service.connection() as opened:
        return opened.execute("SELECT case_id FROM watch.due WHERE next_ask_at <= %s", [service.clock.now()]).fetchall()

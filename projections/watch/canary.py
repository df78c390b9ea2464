"""The watch's canary on its way: due in the watch's loop, sent to a topic of its own, read back, and written down.

It falls due like a window and goes the way of a lapse, but for the store: no case, no event, nothing that anybody acts
on. So whoever looks at its lateness sees what a lapse would have met in this minute, even in a night without one; and
where it is silent, either the loop, Kafka or PostgreSQL does not do its part, and lapses are late or stay away.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from infra.clock import real_now
from infra.kafka.auxiliary_topics import CanaryRecord
from infra.kafka.cluster import client_config, consumer, ensure_canary_topic
from infra.postgres.connections import connect
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

RECEIVED_WITHIN_S = 30.0
"""A canary that is not read back by then is given up; the next one may be."""
AGAIN_S = 1.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class DueCanary:
    """The watch's loop found the canary due: the how manieth, how late in real seconds, and when (monotonic)."""

    number: int
    late_s: float
    sent_at: float


class Canaries:
    """Sends and receives one watch's canaries, in a thread of its own: the watch's loop never waits for Kafka."""

    def __init__(self, settings: Settings) -> None:
        self.received = 0
        self.sent = 0
        self.lateness_ms: float | None = None
        self._settings = settings
        self._due: queue.SimpleQueue[DueCanary] = queue.SimpleQueue()
        self._who: dict[str, Any] = {"pid": os.getpid(), "began_at": real_now()}

    def send(self, canary: DueCanary) -> None:
        """Take a canary over from the watch's loop; returns at once."""
        self._due.put(canary)

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set; while Kafka or PostgreSQL is away there is silence, as there should be."""
        while not stop.is_set():
            try:
                self._write(sql("canary_begins"), self._who)
                self._write(sql("forget_canaries"), {})
                ensure_canary_topic(self._settings)
                with self._line() as (producer, listener):
                    self._serve(producer, listener, stop)
            except (KafkaError, psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("the canary's way is blocked, trying again: %s", error)
                stop.wait(AGAIN_S)

    # ---- steps

    @contextmanager
    def _line(self) -> Iterator[tuple[Any, Any]]:
        producer = KafkaProducer(**client_config(self._settings), client_id="tongshui-canary", acks="all")
        try:
            with consumer(self._settings, client_id="tongshui-canary", reset="earliest") as listener:
                partition = TopicPartition(self._settings.canary_topic, 0)
                listener.assign([partition])
                listener.seek_to_end(partition)
                listener.position(partition)
                yield producer, listener
        finally:
            producer.close(timeout=1)

    def _serve(self, producer: Any, listener: Any, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                canary = self._due.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            self.sent = canary.number
            record = CanaryRecord(**self._who, number=canary.number)
            value = msgspec.json.encode(record)
            producer.send(self._settings.canary_topic, value, str(record.pid).encode(), partition=0)
            received = self._receive(listener, value, stop)
            if received:
                self.received += 1
                self.lateness_ms = (canary.late_s + time.monotonic() - canary.sent_at) * 1000
            elif not stop.is_set():
                log.error("canary %d was sent and not received within %.0f s", canary.number, RECEIVED_WITHIN_S)
            self._note(received)

    def _receive(self, listener: Any, value: bytes, stop: threading.Event) -> bool:
        """Read on until the canary comes; those of other watches pass."""
        deadline = time.monotonic() + RECEIVED_WITHIN_S
        while time.monotonic() < deadline and not stop.is_set():
            found = listener.poll(timeout_ms=200)
            if any(record.value == value for records in found.values() for record in records):
                return True
        return False

    def _note(self, received: bool) -> None:
        figures = {"sung": self.sent, "heard": self.received, "lateness_ms": self.lateness_ms if received else None}
        self._write(sql("canary_heard"), {**self._who, **figures, "now": received})

    def _write(self, query: Any, values: dict[str, Any]) -> None:
        with connect(self._settings) as connection:
            connection.execute(query, values)

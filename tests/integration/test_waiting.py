"""Waiting for PostgreSQL's notifications: told at once, and no processor time while there is nothing to be told."""

from __future__ import annotations

import resource
import threading
import time
from typing import Any

import psycopg
import pytest

from infra.postgres.connections import connect, wait_for_notification
from infra.settings import Settings


def test_who_waits_is_told_at_once_and_sleeps_through_while_nothing_comes(store_settings: Settings) -> None:
    with connect(store_settings) as listener, connect(store_settings) as teller:
        listener.execute("LISTEN news")
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        begun = time.monotonic()
        assert not wait_for_notification(listener, 1.0)
        assert time.monotonic() - begun >= 1.0
        assert resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before < 5  # psycopg's own wait takes ten
        later = threading.Timer(0.2, lambda: teller.execute("NOTIFY news"))
        later.start()
        begun = time.monotonic()
        assert wait_for_notification(listener, 30)
        assert time.monotonic() - begun < 15
        later.join()


def test_what_was_told_before_the_wait_ends_it_and_only_it(store_settings: Settings) -> None:
    with connect(store_settings) as listener, connect(store_settings) as teller:
        listener.execute("LISTEN news")
        teller.execute("NOTIFY news")
        listener.execute("SELECT 1")  # brings the notification along with its answer
        teller.execute("NOTIFY news")
        begun = time.monotonic()
        assert wait_for_notification(listener, 30)
        assert time.monotonic() - begun < 15
        assert not wait_for_notification(listener, 0)


def test_who_waits_on_a_connection_that_is_ended_is_told_so(store_settings: Settings) -> None:
    with connect(store_settings) as other:
        listener = connect(store_settings)
        listener.execute("LISTEN news")
        other.execute("SELECT pg_terminate_backend(%s)", [listener.info.backend_pid])
        try:
            with pytest.raises(psycopg.OperationalError):
                waited_to_the_end(listener)
        finally:
            listener.close()


def waited_to_the_end(listener: psycopg.Connection[Any]) -> None:
    """Wait some times: the server's last words may come by themselves, the end of the connection only after them."""
    for _ in range(10):
        wait_for_notification(listener, 3)

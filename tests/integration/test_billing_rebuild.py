"""Billing's books made anew from the topics on real Kafka, while they are in use; and the process killed for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumers.billing import live_build, reconcile
from consumers.billing import messages as said
from consumers.billing.rebuild import digest, rebuild
from infra.clock import ManualClock
from infra.eventstore.service import Service, open_service
from infra.kafka.cluster import BusRefusal, ensure_topics
from infra.settings import Settings
from infra.sql import sql
from tests.commands import Application
from tests.integration.billing_world import history
from tests.integration.relaying import QUICK, Running, all_out, relaying, wait_until
from tests.integration.test_dead_letters import billing_runs, head, read_all


@pytest.fixture
def whole(settings: Settings, clock: ManualClock) -> Iterator[Service]:
    quick = settings.model_copy(update=QUICK | {"reader_batch": 20})
    ensure_topics(quick)
    opened = open_service(quick, clock=clock)
    history(opened)
    yield opened
    opened.close()


@pytest.fixture
def connection(whole: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(whole.settings.database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def relay(whole: Service, connection: psycopg.Connection[Any]) -> Iterator[Running]:
    with relaying(whole.settings) as running:
        wait_until(all_out(whole.settings, head(connection)))
        yield running


def count(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.usefixtures("relay")
def test_made_anew_from_zero_the_books_say_the_same_and_the_running_process_goes_on_with_them(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    settings = whole.settings
    with billing_runs(settings) as running:
        wait_until(read_all(settings, connection))
        before = digest(connection, 1)
        numbers = connection.execute("SELECT account_number FROM billing.accounts ORDER BY 1").fetchall()
        found = rebuild(settings)
        assert found.is_same
        assert found.new == before == digest(connection, found.build)
        assert found.records > 50
        assert live_build(connection) == found.build == 2
        assert count(connection, "SELECT count(*) FROM billing.inbox WHERE build <> 2") == 0
        assert count(connection, "SELECT count(*) FROM billing.places WHERE build <> 2") == 0
        later = Application(whole)
        later.turn_on(1, "M-7")
        wait_until(all_out(settings, head(connection)))
        wait_until(read_all(settings, connection))
        wait_until(lambda: count(connection, "SELECT count(*) FROM billing.accounts") == 3, what="the new account")
        assert running.alive
    assert reconcile.reconcile(connection, settings).differences == []
    again = connection.execute("SELECT account_number FROM billing.accounts ORDER BY 1").fetchall()
    assert again[:2] == numbers


@pytest.mark.usefixtures("relay")
def test_books_that_were_tampered_with_are_right_again_and_it_is_said_what_changed(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    settings = whole.settings
    with billing_runs(settings):
        wait_until(read_all(settings, connection))
    connection.execute("DELETE FROM billing.accounts")
    connection.execute("UPDATE billing.postings SET amount_fen = amount_fen * 2")
    assert len(reconcile.reconcile_and_keep(connection, settings).differences) > 5
    found = rebuild(settings)
    assert found.changed == ["accounts", "postings"]
    assert reconcile.reconcile_and_keep(connection, settings).differences == []
    # They are gone, and still somebody has to say so.
    open_ = "SELECT count(*) FROM billing.differences WHERE resolved_at IS NULL AND gone_at IS NOT NULL"
    assert count(connection, open_) > 5


@pytest.mark.usefixtures("relay")
def test_a_rebuild_that_does_not_agree_or_dies_leaves_the_old_books_in_use(
    whole: Service, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = whole.settings
    with billing_runs(settings):
        wait_until(read_all(settings, connection))
    before = digest(connection, 1)
    with monkeypatch.context() as older:
        older.delitem(said.TAKES, "water.connection.PaymentReceived.v1")
        with pytest.raises(BusRefusal, match="books-disagree"):
            rebuild(settings)
    with monkeypatch.context() as killed:
        killed.setattr("consumers.billing.rebuild.compare", _dies)
        with pytest.raises(KeyboardInterrupt):
            rebuild(settings)
    assert (live_build(connection), digest(connection, 1)) == (1, before)
    assert count(connection, "SELECT count(*) FROM billing.builds") == 1
    # What a SIGKILL leaves: the next one begins by clearing it away.
    connection.execute(sql("billing_begin_build"))
    assert rebuild(settings).is_same
    assert count(connection, "SELECT count(*) FROM billing.builds") == 1


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("relay")
def test_topics_that_lack_what_the_books_had_are_no_ground_to_make_them_anew_from(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    settings = whole.settings
    with billing_runs(settings):
        wait_until(read_all(settings, connection))
    connection.execute("UPDATE billing.places SET position = position + 1000 WHERE position > 0")
    with pytest.raises(BusRefusal, match="chain-broken"):
        rebuild(settings)
    assert live_build(connection) == 1


@pytest.mark.slow  # ten processes, each killed in the middle of its work
@pytest.mark.usefixtures("relay")
def test_a_process_killed_ten_times_leaves_books_that_balance_and_equal_the_store(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    settings = whole.settings
    for number in range(6):
        Application(whole).turn_on(1, f"K-{number}")
    wait_until(all_out(settings, head(connection)))
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGSHUI_")}
    environment = ours | {
        "TONGSHUI_DATABASE_URL": settings.database_url,
        "TONGSHUI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "TONGSHUI_TOPIC_PREFIX": settings.topic_prefix,
        "TONGSHUI_READER_BATCH": "5",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    deaths = 0
    for _ in range(10):
        booked = count(connection, "SELECT count(*) FROM billing.inbox")
        with subprocess.Popen([sys.executable, "-m", "app.cli", "billing"], env=environment) as process:
            try:
                wait_until(
                    lambda booked=booked: (
                        count(connection, "SELECT count(*) FROM billing.inbox") > booked  # type: ignore[misc]
                        or read_all(settings, connection)()
                    )
                )
            finally:
                os.kill(process.pid, signal.SIGKILL)
        deaths += process.returncode == -signal.SIGKILL
        assert count(connection, "SELECT coalesce(sum(amount_fen), 0) FROM billing.postings") == 0
        assert reconcile.reconcile(connection, settings).differences == []
    with billing_runs(settings):
        wait_until(read_all(settings, connection))
    assert deaths == 10
    assert reconcile.reconcile(connection, settings).differences == []
    assert count(connection, "SELECT count(*) FROM billing.accounts") == 8
    assert count(connection, "SELECT count(*) FROM store.dead_letters") == 0
    assert rebuild(settings).is_same

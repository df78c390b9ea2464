"""One broker of three is gone: nothing for a reader, seconds for the relay; nothing is lost, nothing is restarted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.embedded import EmbeddedPostgres
from infra.postgres.migrate import migrate
from infra.settings import RelayProducer, Settings
from tests.faults.cases import SLOW, even, tell_cases
from tests.faults.installation import Installation, new_home, wait_until
from tests.faults.three_brokers import BROKERS, ThreeBrokers, three_brokers
from tests.integration.relaying import (
    all_out,
    expected,
    has_seen_everything,
    over_producers,
    read_anew,
    reading,
    relay_state,
    relaying,
    store_events,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeBrokers]:
    with three_brokers(tmp_path_factory.mktemp("k3")) as running:
        yield running


def database(postgres: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    migrate(postgres.conninfo(name))
    return postgres.conninfo(name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    over_producers(metafunc)


def test_a_broker_that_is_killed_costs_the_relay_seconds_and_a_reader_nothing(
    cluster: ThreeBrokers,
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    relay_producer: RelayProducer,
) -> None:
    name = f"three_{relay_producer[:5]}"
    settings = Settings(
        data_dir=tmp_path,
        database_url=database(postgres, name),
        kafka_bootstrap=cluster.bootstrap,
        topic_prefix=f"{name}.",
        replication=3,
        relay_producer=relay_producer,
    )
    caplog.set_level(logging.CRITICAL, logger="kafka")
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, store_events(settings, 60)), what="the first events")
        wait_until(has_seen_everything(settings))
        victim = cluster.leader(settings, settings.home_topic("repair"), 0)
        cluster.kill(victim)
        wait_until(all_out(settings, store_events(settings, 60)), what="events without the broker")
        wait_until(has_seen_everything(settings), what="a reader without the broker")
        cluster.start(victim)
        wait_until(lambda: cluster.whole(settings), what="three whole brokers")
        # All gone at once, and back: whoever waits goes on.
        last = store_events(settings, 60)
        cluster.kill(*BROKERS)
        cluster.start()
        wait_until(all_out(settings, store_events(settings, 60)), what="events after all brokers were gone")
        wait_until(has_seen_everything(settings))
    assert read_anew(settings) == expected(settings)
    assert relay_state(settings)["all_out"] > last
    assert relay_state(settings)["histories_refilled"] == 0
    readers = [record.getMessage() for record in caplog.records if record.name == "infra.readers.loop"]
    assert [line for line in readers if "stands still" in line] == []


def test_a_whole_installation_outlives_each_of_three_brokers(cluster: ThreeBrokers, postgres: EmbeddedPostgres) -> None:
    with new_home() as home:
        it = Installation(
            home,
            **SLOW,
            database_url=database(postgres, "three_whole"),
            kafka_bootstrap=cluster.bootstrap,
            topic_prefix="whole.",
            replication=3,
        )
        try:
            it.start("--external")
            tell_cases(it, 2)
            even(it)
            for node in BROKERS:
                cluster.kill(node)
                tell_cases(it, 2)
                even(it)
                cluster.start(node)
                wait_until(lambda: cluster.whole(it.settings), what="three whole brokers")
            wait_until(lambda: it.run("status").code == 0, what="a status that is well")
            assert {name: part["restarts"] for name, part in it.state()["parts"].items() if part["restarts"]} == {}
        finally:
            it.stop()

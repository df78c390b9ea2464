"""The relay on real PostgreSQL and real Kafka, and what becomes of it when either of them fails."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from app.status_report import status_report
from app.up import _environment
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.kafka.cluster import (
    BusRefusal,
    Partition,
    admin_client,
    ensure_canary_topic,
    ensure_checkpoint_topic,
    ensure_readings_topic,
    ensure_topics,
    look_up_cluster,
    partition_of,
    topics,
)
from infra.relay.chain import Appended
from infra.relay.producers import producer
from infra.relay.relay import LOCK, Relay, RelayRefusal
from infra.relay.topic_remake import remake
from infra.settings import RelayProducer, Settings
from tests.contracted import records_on, require_promised
from tests.databases import UNSAFE, copied, make_template
from tests.integration.relaying import (
    CASES,
    QUICK,
    Running,
    all_out,
    cut_tail,
    expected,
    has_seen_everything,
    on_kafka,
    over_producers,
    read_anew,
    reading,
    relay_state,
    relaying,
    seen,
    send_raw,
    store_events,
    wait_until,
)

_numbers = itertools.count(1)
QUICK_WITH_BOTH = (
    "test_everything_stored_appears_in_each_partition_in_order_with_its_chain",
    "test_a_restarted_relay_goes_on_behind_what_kafka_has",
    "test_of_two_relays_one_waits_and_takes_over",
    "test_a_tail_cut_under_a_live_relay_is_noticed_and_filled_again",
    "test_rubbish_is_stepped_over_and_told",
    "test_large_records_go_among_small_ones",
    "test_a_producer_that_is_thrown_away_sends_nothing_more",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    over_producers(metafunc, quick=QUICK_WITH_BOTH)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker of this module's own: it is killed, cut and wiped."""
    with EmbeddedKafka(tmp_path_factory.mktemp("k")) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this module's own: it is killed."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("p"), settings=UNSAFE) as postgres:
        make_template(postgres)
        yield postgres


@pytest.fixture
def settings(
    broker: EmbeddedKafka, server: EmbeddedPostgres, tmp_path: Path, relay_producer: RelayProducer
) -> Settings:
    number = next(_numbers)
    return Settings(
        data_dir=tmp_path,
        database_url=copied(server, f"relay_{number}"),
        kafka_bootstrap=broker.bootstrap,
        topic_prefix=f"relay{number}.",
        relay_producer=relay_producer,
        **QUICK,
    )


def partition_with_most(settings: Settings) -> Partition:
    return max(expected(settings), key=lambda partition: len(expected(settings)[partition]))


def said(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return any(words in record.getMessage() for record in caplog.records)


# ---- nothing fails


def test_everything_stored_appears_in_each_partition_in_order_with_its_chain(settings: Settings) -> None:
    last = store_events(settings, 1_200)
    with relaying(settings):
        wait_until(all_out(settings, last))
        last = store_events(settings, 30)
        wait_until(all_out(settings, last))
    found, wanted = on_kafka(settings), expected(settings)
    for partition, rows in wanted.items():
        records = found[partition]
        assert [record.value for record in records] == [state for _, state in rows]
        chain = [0, *(position for position, _ in rows)]
        assert [int(record.headers["previousposition"]) for record in records] == chain[:-1]
    assert {partition for partition, records in found.items() if records} == set(wanted)


def test_records_carry_key_generation_epoch_and_content_type(settings: Settings) -> None:
    last = store_events(settings, 1)
    with relaying(settings):
        wait_until(all_out(settings, last))
    with psycopg.connect(settings.database_url) as connection:
        generation = connection.execute("SELECT generation::text FROM store.log_head").fetchone()
    # The first event is a lapse: its copy in the breach topic has the same bytes and a chain of its own.
    (record,), (copy,) = [records for records in on_kafka(settings).values() if records]
    assert (record.key, record.value, record.headers) == (copy.key, copy.value, copy.headers)
    assert generation is not None
    assert record.headers == {
        "previousposition": b"0",
        "generation": generation[0].encode(),
        "epoch": b"1",
        "content-type": b"application/cloudevents+json; charset=UTF-8",
    }
    assert record.key == str(CASES[1]).encode()
    assert record.partition == partition_of(record.key, settings.partitions)


def test_topics_are_kept_for_ever(settings: Settings) -> None:
    ensure_topics(settings)
    with admin_client(settings) as admin:
        for name in topics(settings):
            found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
            assert "retention.ms" in str(found)
            assert "'-1'" in str(found)


def test_a_restarted_relay_goes_on_behind_what_kafka_has(settings: Settings) -> None:
    last = store_events(settings, 100)
    with relaying(settings):
        wait_until(all_out(settings, last))
    last = store_events(settings, 50)
    with relaying(settings):
        wait_until(all_out(settings, last))
    wanted = expected(settings)
    assert {p: len(records) for p, records in on_kafka(settings).items() if records} == {
        p: len(rows) for p, rows in wanted.items()
    }
    assert read_anew(settings) == wanted
    state = relay_state(settings)
    assert (state["sessions"], state["epoch"], state["tails_lost"], state["refills"]) == (2, 2, 0, 0)


def test_a_lost_checkpoint_costs_nothing_but_time(settings: Settings) -> None:
    last = store_events(settings, 100)
    with relaying(settings):
        wait_until(all_out(settings, last))
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("DELETE FROM store.relay_checkpoint")
        connection.execute("DELETE FROM store.relay_state")
    last = store_events(settings, 10)
    with relaying(settings):
        wait_until(all_out(settings, last))
    assert sum(len(records) for records in on_kafka(settings).values()) == sum(map(len, expected(settings).values()))


def test_what_is_out_is_noted_at_the_next_checkpoint(settings: Settings) -> None:
    """And not when the relay next looks for events unasked, which nothing here makes it do for ten minutes."""
    settings = settings.model_copy(update={"relay_poll_ms": 600_000, "relay_checkpoint_ms": 2_000})
    last = store_events(settings, 30)
    with relaying(settings):
        try:
            wait_until(all_out(settings, last), 20)
        finally:  # it rests until it is told of an event
            store_events(settings, 1)


def test_large_records_go_among_small_ones(settings: Settings) -> None:
    for number, size in ((9, 100), (9, 200_000), (9, 100), (3, 1_020_000), (9, 300_000), (9, 100)):
        last = store_events(settings, number, note="x" * size)
    with relaying(settings):
        wait_until(all_out(settings, last))
    assert read_anew(settings) == expected(settings)
    assert relay_state(settings)["sessions"] == 1


def test_a_producer_that_is_thrown_away_sends_nothing_more(settings: Settings, broker: EmbeddedKafka) -> None:
    """What was under way to a broker that hangs may arrive; what was not is never sent."""
    settings = settings.model_copy(update={"relay_delivery_timeout_ms": 60_000, "relay_request_timeout_ms": 30_000})
    ensure_topics(settings)
    where = Partition(settings.home_topic("repair"), 0)
    values = [b"%d " % number + b"x" * 2_000 for number in range(10_000)]
    assert broker.process is not None
    with producer(settings) as made:
        made.send(where, b"k", values[0], [])
        wait_until(lambda: made.appended() == [Appended(where, 0, 1)], what="the first acknowledgement")
        os.kill(broker.process.pid, signal.SIGSTOP)
        try:
            for value in values[1:]:
                made.send(where, b"k", value, [])
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)
    arrived = [record.value for record in on_kafka(settings)[where]]
    assert arrived == values[: len(arrived)]
    assert len(arrived) < len(values) / 2


def test_another_number_of_partitions_in_the_settings_is_refused(settings: Settings) -> None:
    ensure_topics(settings)
    other = settings.model_copy(update={"partitions": settings.partitions + 2})
    with pytest.raises(BusRefusal, match="partition-count") as refusal:
        ensure_topics(other)
    assert f"TONGSHUI_PARTITIONS={settings.partitions}" in refusal.value.next_step
    assert isinstance(Running(Relay(other).run).ended(), BusRefusal)


def test_partitions_added_to_a_topic_are_refused_with_an_advice_that_works(settings: Settings) -> None:
    last = store_events(settings, 60)
    topic = settings.home_topic("connection")
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings))
    with admin_client(settings) as admin:
        admin.create_partitions({topic: 6})
    refusal = Running(Relay(settings).run).ended()
    assert isinstance(refusal, BusRefusal)
    assert refusal.code == "partition-count"
    assert f"tongshui topics remake {topic} --yes" in refusal.next_step

    assert list(remake(settings, topic, dry_run=True))
    assert look_up_cluster(settings, [topic]).topics[topic].partitions == 6
    assert list(remake(settings, topic, dry_run=False))
    last = store_events(settings, 30)
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings), what="a reader that had everything before")
    assert read_anew(settings) == expected(settings)


def test_a_topic_is_not_made_anew_where_it_is_the_only_copy(settings: Settings) -> None:
    last = store_events(settings, 12)
    with relaying(settings):
        wait_until(all_out(settings, last))
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("DELETE FROM store.stored_events WHERE notification_id > 8")
    for topic in (settings.home_topic("repair"), settings.home_topic("connection")):
        with pytest.raises(BusRefusal, match="kafka-ahead-of-store"):
            list(remake(settings, topic, dry_run=False))
    with pytest.raises(BusRefusal, match="topic-not-filled"):
        list(remake(settings, settings.readings_topic, dry_run=False))


def test_an_event_that_waits_too_long_for_kafka_is_an_alarm(settings: Settings) -> None:
    for ensure in (ensure_readings_topic, ensure_canary_topic, ensure_checkpoint_topic):
        ensure(settings)
    last = store_events(settings, 10)
    with relaying(settings):
        wait_until(all_out(settings, last))
    assert status_report(settings, as_json=False)[1]
    store_events(settings, 10)  # recorded long ago, as the test's events are, and no relay runs
    text, well = status_report(settings, as_json=False)
    assert not well
    assert "lag 10 events" in text
    assert "the oldest event that is not out waits for" in text


# ---- two relays


def test_of_two_relays_one_waits_and_takes_over(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "infra.relay.relay")
    last = store_events(settings, 50)
    with relaying(settings) as first:
        wait_until(all_out(settings, last))
        with relaying(settings):
            wait_until(lambda: said(caplog, "standing by"))
            assert relay_state(settings)["sessions"] == 1
            first.stop()
            last = store_events(settings, 50)
            wait_until(all_out(settings, last))
    assert relay_state(settings)["sessions"] == 2
    assert read_anew(settings) == expected(settings)
    assert sum(len(records) for records in on_kafka(settings).values()) == sum(map(len, expected(settings).values()))


def test_a_killed_relay_process_leaves_no_gap(settings: Settings) -> None:
    program = (
        "import threading; from infra.settings import RelayProducer, Settings; from infra.relay.relay import Relay; "
        "Relay(Settings()).run(threading.Event())"
    )
    environment = os.environ | _environment(settings)
    for _ in range(3):
        out = relay_state(settings).get("all_out", 0)
        last = store_events(settings, 2_500)
        child = subprocess.Popen([sys.executable, "-c", program], env=environment)
        wait_until(lambda out=out: relay_state(settings).get("all_out", 0) > out, what="progress")  # type: ignore[misc]
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    with relaying(settings):
        wait_until(all_out(settings, last))
    assert read_anew(settings) == expected(settings)


# ---- Kafka fails


def test_a_tail_cut_under_a_live_relay_is_noticed_and_filled_again(
    settings: Settings, broker: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    with relaying(settings), reading(settings):
        for _ in range(8):
            last = store_events(settings, 12)
            wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings))
        victim = partition_with_most(settings)
        broker.kill()
        cut_tail(broker, victim, keep=len(expected(settings)[victim]) // 2)
        broker.start()
        # Nothing new is stored: the relay has to find out by itself.
        wait_until(lambda: said(caplog, f"{victim} lost its tail"), what="notice of the loss")
        wait_until(lambda: read_anew(settings) == expected(settings), what="the refilled tail")
        store_events(settings, 24)
        wait_until(has_seen_everything(settings), what="the reader's way on")
    assert relay_state(settings)["tails_lost"] == 1
    assert read_anew(settings) == expected(settings)


@pytest.mark.slow
def test_a_tail_cut_and_overwritten_by_rubbish_is_noticed(settings: Settings, broker: EmbeddedKafka) -> None:
    """Whoever writes first after the cut: where rubbish fills it up, offsets look as they should."""
    with relaying(settings):
        for _ in range(4):
            last = store_events(settings, 12)
            wait_until(all_out(settings, last))
        victim = partition_with_most(settings)
        full = len(expected(settings)[victim])
        broker.kill()
        cut_tail(broker, victim, keep=full - 3)
        broker.start()
        left = full - len(on_kafka(settings)[victim])
        send_raw(settings, {victim: [b"rubbish"] * left})
        last = store_events(settings, 24)
        wait_until(lambda: read_anew(settings) == expected(settings), what="the refilled tail")
    assert relay_state(settings)["foreign_records"] > 0


def test_a_tail_cut_while_no_relay_runs_is_noticed(settings: Settings, broker: EmbeddedKafka) -> None:
    with relaying(settings):
        for _ in range(4):
            last = store_events(settings, 12)
            wait_until(all_out(settings, last))
    victim = partition_with_most(settings)
    broker.stop()
    cut_tail(broker, victim, keep=2)
    broker.start()
    assert len(on_kafka(settings)[victim]) <= 2
    with relaying(settings):
        wait_until(lambda: read_anew(settings) == expected(settings), what="the refilled tail")
    assert relay_state(settings)["tails_lost"] == 1


@pytest.mark.slow
def test_a_broker_away_for_longer_than_the_delivery_timeout_loses_nothing(
    settings: Settings, broker: EmbeddedKafka
) -> None:
    last = store_events(settings, 40)
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, last))
        broker.kill()
        last = store_events(settings, 400)
        sessions = relay_state(settings)["sessions"]
        wait_until(lambda: relay_state(settings)["last_error"] is not None, what="the end of the session")
        last = store_events(settings, 40)
        broker.start()
        wait_until(all_out(settings, last))
        assert relay_state(settings)["sessions"] > sessions
        wait_until(has_seen_everything(settings))
    assert read_anew(settings) == expected(settings)


@pytest.mark.slow
def test_a_lost_cluster_is_filled_again_and_readers_end_in_the_same_state(
    settings: Settings, broker: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    last = store_events(settings, 300)
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings))
    before, old = seen(settings), look_up_cluster(settings, ()).id
    broker.stop()
    broker.wipe()
    broker.start()
    with relaying(settings), reading(settings):
        wait_until(lambda: said(caplog, f"the Kafka cluster was {old}"), what="notice of the loss")
        wait_until(lambda: read_anew(settings) == expected(settings), what="the refilled topics")
        assert seen(settings) == before
        store_events(settings, 60)
        wait_until(has_seen_everything(settings))
    assert relay_state(settings)["refills"] == 1


def test_a_cluster_lost_under_live_parts_is_filled_again(settings: Settings, broker: EmbeddedKafka) -> None:
    last = store_events(settings, 100)
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings))
        broker.kill()
        broker.wipe()
        broker.start()
        wait_until(lambda: bool(relay_state(settings)["refills"]), what="the refill")
        last = store_events(settings, 60)
        wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings))
    assert read_anew(settings) == expected(settings)


# ---- rubbish


def test_a_relay_that_died_before_it_noted_what_is_out_notes_it_without_a_further_event(settings: Settings) -> None:
    """Everything is on Kafka, and nothing is there to be acknowledged: the lag must not stay for ever."""
    last = store_events(settings, 20)
    with relaying(settings):
        wait_until(all_out(settings, last))
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE store.relay_state SET all_out = all_out - 5")
    assert not all_out(settings, last)()
    with relaying(settings):
        wait_until(all_out(settings, last))
    assert read_anew(settings) == expected(settings)
    assert sum(map(len, on_kafka(settings).values())) == sum(map(len, expected(settings).values()))


def test_rubbish_is_stepped_over_and_told(settings: Settings) -> None:
    last = store_events(settings, 60)
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings))
        rubbish = {
            partition: [b"\xff\x00 rubbish", b'{"position": 7}', b""]
            for partition in look_up_cluster(settings, topics(settings)).partitions
            if partition.topic != settings.dead_letter_topic
        }
        send_raw(settings, rubbish)
        store_events(settings, 60)
        wait_until(has_seen_everything(settings), what="the reader's way past the rubbish")
        wait_until(lambda: len(dead_letters(settings)) == 3 * len(rubbish), what="the dead letters")
        wait_until(
            lambda: all(dead_letter["published_at"] for dead_letter in dead_letters(settings)), what="their publication"
        )
    assert {dead_letter["code"] for dead_letter in dead_letters(settings)} == {"not-json", "not-cloudevent"}
    published = records_on(settings, settings.dead_letter_topic)
    require_promised("water.deadletter.DeadLetter.v1", published)
    told = [json.loads(record.value or b"") for record in published]
    assert {dead_letter["id"] for dead_letter in told} == {dead_letter["id"] for dead_letter in dead_letters(settings)}
    assert relay_state(settings)["foreign_records"] >= 3 * len(rubbish)
    assert read_anew(settings) == expected(settings)


def dead_letters(settings: Settings) -> list[dict[str, object]]:
    with psycopg.connect(settings.database_url, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute("SELECT * FROM store.dead_letters ORDER BY id").fetchall()


# ---- PostgreSQL fails


def test_a_reader_that_met_only_rubbish_in_a_partition_starts_again(settings: Settings) -> None:
    """Its place is before the first record then, and there is no record at it that could be looked at."""
    empty = Partition(settings.home_topic("office"), 3)
    with relaying(settings), reading(settings):
        wait_until(lambda: bool(relay_state(settings).get("sessions")), what="the relay")
        send_raw(settings, {empty: [b"x"]})
        wait_until(lambda: dead_letters_by_offset(settings) == [(str(empty), 0, "not-json")], what="the dead letter")
    with relaying(settings), reading(settings):
        store_events(settings, 24)
        wait_until(has_seen_everything(settings))
    assert dead_letters_by_offset(settings) == [(str(empty), 0, "not-json")]


def dead_letters_by_offset(settings: Settings) -> list[tuple[str, int, str]]:
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute("SELECT topic, partition, record_offset, code FROM store.dead_letters ORDER BY id")
        return [(str(Partition(row[0], row[1])), row[2], row[3]) for row in rows]


def test_postgresql_killed_with_events_unsent_and_then_no_further_event(
    settings: Settings, server: EmbeddedPostgres
) -> None:
    last = store_events(settings, 40)
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, last))
        last = store_events(settings, 3_000)
        server.kill()
        server.start()
        wait_until(all_out(settings, last))
        wait_until(has_seen_everything(settings))
    assert read_anew(settings) == expected(settings)


def test_a_relay_whose_connection_is_ended_takes_the_lock_again(settings: Settings) -> None:
    last = store_events(settings, 40)
    with relaying(settings):
        wait_until(all_out(settings, last))
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                [LOCK],
            )
        last = store_events(settings, 40)
        wait_until(all_out(settings, last))
    assert relay_state(settings)["sessions"] == 2
    assert read_anew(settings) == expected(settings)


# ---- Kafka and the store contradict each other


def test_a_store_restored_from_a_backup_is_refused(settings: Settings) -> None:
    last = store_events(settings, 60)
    with relaying(settings):
        wait_until(all_out(settings, last))
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("DELETE FROM store.stored_events WHERE notification_id > 40")
        connection.execute("UPDATE store.log_head SET position = 40")
        connection.execute("DELETE FROM store.relay_checkpoint")
    error = Running(Relay(settings).run).ended()
    assert isinstance(error, RelayRefusal)
    assert error.code == "kafka-ahead-of-store"
    assert "the store ends at position 40" in error.found
    assert "kafka-ahead-of-store" in relay_state(settings)["last_error"]

    store_events(settings, 30, note="another history")
    error = Running(Relay(settings).run).ended()
    assert isinstance(error, RelayRefusal)
    assert error.code == "kafka-differs"

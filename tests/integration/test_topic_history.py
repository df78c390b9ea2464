"""Topics that somebody changes or empties behind our back: it is noticed, put right, and what is missing comes back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import TopicPartition
from psycopg.rows import dict_row

from app.status_report import status_report
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.kafka.cluster import (
    Partition,
    admin_client,
    ensure_canary_topic,
    ensure_checkpoint_topic,
    ensure_readings_topic,
)
from infra.kafka.topic_settings import every_topic, findings
from infra.settings import RelayProducer, Settings
from tests.databases import copied
from tests.integration.relaying import (
    QUICK,
    all_out,
    expected,
    has_seen_everything,
    on_kafka,
    over_producers,
    read_anew,
    reading,
    relay_state,
    relaying,
    send_raw,
    store_events,
    wait_until,
)

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    over_producers(metafunc)


SOON = {
    "log.cleaner.backoff.ms": "200",
    "log.retention.check.interval.ms": "300",
    "log.initial.task.delay.ms": "100",
    "log.segment.delete.delay.ms": "100",
}
"""A broker that deletes at once what it would delete some time."""
DELETING_SOON = {"segment.ms": "200", "min.cleanable.dirty.ratio": "0.01"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(tmp_path_factory.mktemp("k"), properties=SOON) as kafka:
        yield kafka


@pytest.fixture
def settings(
    broker: EmbeddedKafka, postgres: EmbeddedPostgres, tmp_path: Path, relay_producer: RelayProducer
) -> Settings:
    number = next(_numbers)
    made = Settings(
        data_dir=tmp_path,
        database_url=copied(postgres, f"history_{number}"),
        kafka_bootstrap=broker.bootstrap,
        topic_prefix=f"history{number}.",
        relay_topics_s=0.5,
        relay_producer=relay_producer,
        **QUICK,
    )
    ensure_readings_topic(made)
    ensure_canary_topic(made)
    ensure_checkpoint_topic(made)
    return made


def change(settings: Settings, topic: str, **values: str) -> None:
    named = {name.replace("_", "."): value for name, value in values.items()}
    with admin_client(settings) as admin:
        answer = admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=named)])
        assert answer == {"topic": {topic: "OK"}}


def wrong(settings: Settings) -> list[tuple[str, str]]:
    with admin_client(settings) as admin:
        return sorted((finding.topic, finding.name) for finding in findings(admin, settings))


def noted(settings: Settings) -> list[dict[str, Any]]:
    with psycopg.connect(settings.database_url, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM store.topic_findings ORDER BY topic, code, name").fetchall()


def everything(settings: Settings) -> bool:
    return read_anew(settings) == expected(settings)


def published(settings: Settings, number: int) -> None:
    """So many events in the store and on Kafka."""
    last = store_events(settings, number)
    with relaying(settings):
        wait_until(all_out(settings, last))
    assert everything(settings)


def compacted(settings: Settings, topic: str) -> None:
    """Wait until a topic set to be compacted has lost records; something must be written, or its segment stays open."""
    before = sum(len(records) for at, records in on_kafka(settings).items() if at.topic == topic)
    here = [Partition(topic, number) for number in range(settings.partitions)]

    def shrunk() -> bool:
        send_raw(settings, {partition: [b"x"] for partition in here})
        after = [record for at, found in on_kafka(settings).items() if at.topic == topic for record in found]
        return len([record for record in after if record.value != b"x"]) < before / 2

    wait_until(shrunk, what="the compaction")


def test_a_topic_set_to_be_compacted_is_put_right_and_filled_again(settings: Settings) -> None:
    topic = settings.home_topic("repair")
    published(settings, 400)
    change(settings, topic, cleanup_policy="compact", **DELETING_SOON)
    compacted(settings, topic)
    assert not everything(settings)
    assert wrong(settings) == [(topic, "cleanup.policy")]
    with relaying(settings), reading(settings):
        wait_until(lambda: everything(settings), what="the history")
        wait_until(has_seen_everything(settings), what="a reader who comes later")
        assert wrong(settings) == []
    (finding,) = noted(settings)
    assert (finding["topic"], finding["name"], finding["found"]) == (topic, "cleanup.policy", "compact")
    assert finding["put_right_at"] is not None
    state = relay_state(settings)
    assert (state["settings_put_right"], state["histories_refilled"] > 0) == (1, True)


def test_a_setting_changed_under_a_live_relay_is_put_right_before_it_deletes(settings: Settings) -> None:
    last = store_events(settings, 60)
    with relaying(settings):
        wait_until(all_out(settings, last))
        for topic in every_topic(settings):
            change(settings, topic, retention_bytes="1000")
        change(settings, settings.breach_topic, retention_ms="86400000", max_message_bytes="5000")
        change(settings, settings.home_topic("crew"), min_insync_replicas="3")
        change(settings, settings.readings_topic, message_timestamp_type="CreateTime")
        wait_until(lambda: wrong(settings) == [], what="the settings")
        # What only lets through more, or keeps longer, is nobody's business.
        change(settings, settings.readings_topic, retention_ms="-1", compression_type="zstd")
        last = store_events(settings, 60)
        wait_until(all_out(settings, last))
    assert everything(settings)
    assert relay_state(settings)["settings_put_right"] == len(every_topic(settings)) + 4
    assert {finding["put_right_at"] is not None for finding in noted(settings)} == {True}


def test_records_that_an_administrator_deleted_are_sent_again(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    last = store_events(settings, 200)
    with relaying(settings):
        wait_until(all_out(settings, last))
        gone = max(expected(settings), key=lambda partition: len(expected(settings)[partition]))
        whole = len(expected(settings)[gone])
        with admin_client(settings) as admin:
            admin.delete_records({TopicPartition(*gone): whole - 2})
        wait_until(lambda: everything(settings), what="the history")
        # The relay notes it behind the last record: what is deleted before that is part of the same loss.
        wait_until(lambda: relay_state(settings)["histories_refilled"] == 1, what="the note of the relay")
        # Only what was acknowledged and noted can be counted as lost.
        wait_until(all_out(settings, last), what="the checkpoint behind the refill")
        # With nothing left at all, too: the log is empty and does not begin at 0.
        with admin_client(settings) as admin:
            admin.delete_records({TopicPartition(*gone): -1})
        wait_until(lambda: relay_state(settings)["histories_refilled"] == 2, what="the second note of the relay")
        wait_until(lambda: everything(settings), what="the history")
        last = store_events(settings, 40)
        wait_until(all_out(settings, last))
        with reading(settings):
            wait_until(has_seen_everything(settings))
    assert everything(settings)
    assert f"{gone} lost a part of its history" in caplog.text


def test_what_was_deleted_while_no_relay_ran_is_sent_again_by_the_next(settings: Settings) -> None:
    published(settings, 120)
    gone = max(expected(settings), key=lambda partition: len(expected(settings)[partition]))
    with admin_client(settings) as admin:
        admin.delete_records({TopicPartition(*gone): 3})
    assert not everything(settings)
    with relaying(settings):
        wait_until(lambda: everything(settings), what="the history")


def test_a_relay_that_may_not_change_settings_says_so_and_does_not_refill_for_ever(settings: Settings) -> None:
    settings = settings.model_copy(update={"relay_puts_topics_right": False})
    last = store_events(settings, 100)
    with relaying(settings):
        wait_until(all_out(settings, last))
        topic = settings.home_topic("repair")
        change(settings, topic, retention_ms="100", segment_ms="100")
        wait_until(lambda: "topic-setting" in {row["code"] for row in noted(settings)}, what="the finding")
        here = Partition(topic, max(p.partition for p in expected(settings) if p.topic == topic))
        wait_until(lambda: len(on_kafka(settings)[here]) == 0, what="the retention")
        wait_until(lambda: "history-lost" in {row["code"] for row in noted(settings)}, what="the loss")
        text, well = status_report(settings, as_json=False)
        assert not well
        assert f"topic-setting: {topic} retention.ms: found 100" in text
        assert f"history-lost: {topic} partition {here.partition}" in text
        sessions = relay_state(settings)["sessions"]
        last = store_events(settings, 40)
        wait_until(all_out(settings, last))
        assert relay_state(settings)["sessions"] == sessions
        # Once somebody has put it right, the history comes back by itself.
        change(settings, topic, retention_ms="-1")
        wait_until(lambda: everything(settings), what="the history")
        wait_until(lambda: noted(settings) == [], what="a clean record")


@pytest.mark.slow  # waits for a compaction, as the first test here does
def test_a_hole_that_left_no_trace_is_found_by_the_reader_who_needs_it(settings: Settings) -> None:
    """Compacted, and set back before anybody looked: the log begins where it did, and its tail is as acknowledged."""
    topic = settings.home_topic("connection")
    published(settings, 300)
    change(settings, topic, cleanup_policy="compact", **DELETING_SOON)
    compacted(settings, topic)
    change(settings, topic, cleanup_policy="delete")
    with relaying(settings), reading(settings):
        wait_until(has_seen_everything(settings), what="a reader who comes later")
        wait_until(lambda: everything(settings), what="the history")
    assert relay_state(settings)["histories_refilled"] > 0


@pytest.mark.slow  # the refilling itself is shown by the losses before it
def test_a_byte_that_changed_on_a_brokers_disk_loses_nothing(settings: Settings, broker: EmbeddedKafka) -> None:
    """The broker hands out what it has; the checksum is wrong, so the batch is no record, and its events come again."""
    published(settings, 60)
    published(settings, 60)
    damaged = max(expected(settings), key=lambda partition: len(expected(settings)[partition]))
    broker.stop()
    segment = broker.data / f"{damaged.topic}-{damaged.partition}" / f"{0:020d}.log"
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 4] ^= 0x01
    segment.write_bytes(raw)
    broker.start()
    assert not everything(settings)
    with relaying(settings), reading(settings):
        wait_until(has_seen_everything(settings), what="a reader who comes later")
    assert everything(settings)

"""What an administrator of the cluster may do while everything runs: told, put right, and made good by itself."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import TopicPartition

from infra.kafka.cluster import Partition, admin_client, client_config, topics
from tests.faults.cases import SLOW, even, tell_cases
from tests.faults.installation import Installation, installed, wait_until
from tests.integration.relaying import expected, on_kafka, read_anew

# `make test` holds the same of the relay in integration/test_topic_history, of the readings in
# integration/test_readings, of each tool's words in integration/test_whole.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with installed(**SLOW, hold_alarm_s=2, relay_topics_s=1, relay_look_ms=500) as running:
        tell_cases(running, 6)
        even(running)
        yield running


@contextmanager
def stopped(it: Installation, part: str) -> Iterator[None]:
    """A part that does nothing for as long as the block lasts."""
    pid = it.part(part)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def change(it: Installation, topic: str, **values: str) -> None:
    named = {name.replace("_", "."): value for name, value in values.items()}
    with admin_client(it.settings) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=named)])


def delete(it: Installation, partition: Partition, before: int) -> None:
    with admin_client(it.settings) as admin:
        admin.delete_records({TopicPartition(*partition): before})


def is_well(it: Installation) -> bool:
    return it.run("status").code == 0


def test_a_topic_that_lost_its_history_is_told_by_every_tool_and_filled_again(it: Installation, tmp_path: Path) -> None:
    wait_until(lambda: is_well(it), what="a status that is well")
    topic = it.settings.home_topic("repair")
    gone = max((p for p in expected(it.settings) if p.topic == topic), key=lambda p: len(expected(it.settings)[p]))
    case = str(
        it.one(
            "SELECT originator_id FROM store.stored_events WHERE notification_id = %s",
            expected(it.settings)[gone][0][0],
        )
    )
    wait_until(lambda: it.run("verify").code == 0, what="a recount that agrees")
    with stopped(it, "relay"):
        change(it, topic, retention_ms="86400000")
        delete(it, gone, len(expected(it.settings)[gone]) - 1)
        verified = it.run("verify")
        assert (verified.code, "lacks records at its beginning" in verified.out) == (1, True), verified
        status = it.run("status")
        assert status.code == 1
        assert f"topic-setting: {topic} retention.ms: found 86400000; needed -1" in status.out
        checked = it.run("topics", "check", "--whole")
        assert (checked.code, "topics: 1 findings" in checked.out) == (1, True), checked
        assert it.run("timeline", case).code == 1
        assert it.run("audit", "export", "--out", str(tmp_path / "export")).code == 1
    wait_until(lambda: read_anew(it.settings) == expected(it.settings), what="the history")
    wait_until(lambda: is_well(it), what="a status that is well")
    assert it.run("verify").code == 0
    assert it.run("topics", "check", "--whole").code == 0
    assert it.run("timeline", case).code == 0
    assert "put right" in it.run("status").out
    tell_cases(it, 1)
    even(it)


def test_topics_deleted_under_live_parts_come_back_whole(it: Installation) -> None:
    everything = list(topics(it.settings))
    with admin_client(it.settings) as admin:
        admin.delete_topics(everything)
    tell_cases(it, 1)
    wait_until(lambda: len(on_kafka(it.settings)) == len(everything) * it.settings.partitions, what="the topics")
    wait_until(lambda: read_anew(it.settings) == expected(it.settings), what="the history")
    even(it)
    wait_until(lambda: is_well(it), what="a status that is well")


def test_readings_deleted_before_they_were_read_are_told_until_somebody_has_looked(it: Installation) -> None:
    here = Partition(it.settings.readings_topic, 2)
    with stopped(it, "readings"):
        send_readings(it, here, "AFTER-1", 40)
        delete(it, here, 30)
    taken = "SELECT count(*) FROM readings.set_aside WHERE meter = 'AFTER-1'"
    send_readings(it, here, "AFTER-2", 1)  # a record behind the hole is not waited for
    lost = "SELECT sum(lost) FROM readings.offsets"
    wait_until(lambda: it.one(taken) + it.one(lost) == 40, what="every reading, taken or told as lost")
    assert 20 < it.one(lost) <= 30  # the first of them may have been on their way to the worker already
    status = it.run("status")
    assert status.code == 1
    assert f"{it.one(lost)} were gone from Kafka before they were read" in status.out
    assert "dead-letters list --reader readings" in status.out
    number = it.one("SELECT id FROM store.dead_letters WHERE code = 'readings-gone'")
    assert f"{number}" in it.run("dead-letters", "list", "--reader", "readings").out
    settled = it.run("dead-letters", "resolve", str(number), "--actor", "op-1", "--reason", "sent again by the vendor")
    assert settled.code == 0, settled
    wait_until(lambda: is_well(it), what="a status that is well")


def send_readings(it: Installation, here: Partition, meter: str, number: int) -> None:
    producer = KafkaProducer(**client_config(it.settings), acks="all")
    try:
        for minute in range(number):
            row = {"meter": meter, "read_at": f"2026-09-01T00:{minute:02d}:00Z", "value_m3": "1.000"}
            producer.send(here.topic, json.dumps(row).encode(), meter.encode(), partition=here.partition).get(
                timeout=20
            )
    finally:
        producer.close(timeout=5)

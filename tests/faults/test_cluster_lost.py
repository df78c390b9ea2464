"""The Kafka cluster is lost, data and all: the relay says so and refills it, and readers end in the same state.

A whole installation, with every reader. The relay and the readers' core go through the same in test_relay, each time.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from infra.kafka.cluster import look_up_cluster, topics
from infra.readers.rule import apply
from tests.faults.cases import SLOW, even, tell_cases
from tests.faults.installation import Installation, Row, installed, wait_until
from tests.integration.relaying import expected, on_kafka, read_anew

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with installed(**SLOW, hold_alarm_s=3, relay_look_ms=1000) as running:
        yield running


def read_positions(it: Installation) -> dict[tuple[str, str, int], tuple[int, Any]]:
    """Reader and partition → its position and the topic it was seen in."""
    found = {}
    for schema in ("views", "watch", "billing"):
        for row in it.query(f"SELECT reader, topic, partition, position, topic_id FROM {schema}.places"):
            if row["position"]:
                found[row["reader"], row["topic"], row["partition"]] = (row["position"], row["topic_id"])
    return found


def applied(it: Installation) -> dict[tuple[str, int], int]:
    """Events that each stream worker has applied since it was started, by beats that are younger than this call."""
    pids = [it.part(name)["pid"] for name in ("views", "watch")]
    now = it.one("SELECT clock_timestamp()")
    rows: list[Row] = []

    def beaten() -> bool:
        rows[:] = it.query(
            "SELECT name, pid, (detail->>'applied_events')::int AS applied FROM store.process_beats"
            " WHERE name IN ('views', 'watch') AND pid = ANY(%s) AND beat_at > %s",
            pids,
            now,
        )
        return len(rows) == 2

    wait_until(beaten, what="the workers' beats")
    return {(row["name"], row["pid"]): row["applied"] for row in rows}


def lose_cluster_beside_the_rest(it: Installation) -> None:
    """Kafka killed and its data deleted before the supervisor can start it again; all others go on running."""
    assert it.process is not None
    broker = psutil.Process(it.part("kafka")["pid"])
    os.kill(it.process.pid, signal.SIGSTOP)  # the supervisor must not be faster than the deletion
    try:
        broker.kill()
        wait_until(lambda: not broker.is_running() or broker.status() == psutil.STATUS_ZOMBIE, what="Kafka's end")
        shutil.rmtree(it.data / "kafka" / "data")
    finally:
        os.kill(it.process.pid, signal.SIGCONT)
    it.wait_for_part("kafka", other_than=broker.pid)


def lose_cluster_while_all_is_stopped(it: Installation) -> None:
    assert it.stop() == 0
    shutil.rmtree(it.data / "kafka" / "data")
    it.start()


@pytest.mark.parametrize("lose", [lose_cluster_beside_the_rest, lose_cluster_while_all_is_stopped])
def test_a_lost_cluster_is_noticed_and_refilled_and_readers_end_in_the_same_state(
    it: Installation, lose: Callable[[Installation], None]
) -> None:
    tell_cases(it, 12)
    even(it)
    old, tables, before = look_up_cluster(it.settings, ()).id, it.tables(), read_positions(it)
    refills = it.one("SELECT coalesce(sum(refills), 0)::int FROM store.relay_state")
    told = len(it.log("relay"))

    lose(it)

    wait_until(lambda: it.one("SELECT sum(refills)::int FROM store.relay_state") == refills + 1, what="the notice")
    even(it)
    new = look_up_cluster(it.settings, topics(it.settings))
    assert new.id != old
    said = it.log("relay")[told:]
    assert f"the Kafka cluster was {old} and is {new.id}: topics are made anew and refilled from the store" in said

    # Everything is there again, and nothing of it was applied a second time.
    assert read_anew(it.settings) == expected(it.settings)
    wait_until(lambda: seen_in(it, new.topic_ids) >= 3, what="readers on the new topics")
    assert it.tables() == tables
    assert {key: position for key, (position, _) in read_positions(it).items()} == {
        key: position for key, (position, _) in before.items()
    }
    assert it.disagreements() == []

    # And life goes on, for every reader.
    head = it.head()
    tell_cases(it, 12)
    even(it)
    assert it.head() > head
    assert read_anew(it.settings) == expected(it.settings)
    for records in on_kafka(it.settings).values():
        outcome = apply(records, {})
        assert not outcome.held
        assert not outcome.dead_letters
    assert it.one("SELECT count(*) FROM store.dead_letters") == 0


def seen_in(it: Installation, topic_ids: Any) -> int:
    """How many readers have seen a record in the topics as they are now."""
    return len(
        {reader for (reader, topic, _), (_, topic_id) in read_positions(it).items() if topic_id == topic_ids[topic]}
    )


def test_workers_that_go_on_running_drop_the_refill(it: Installation) -> None:
    tell_cases(it, 6)
    even(it)
    head, counts = it.head(), applied(it)
    assert min(counts.values()) > 0
    refills = it.one("SELECT sum(refills)::int FROM store.relay_state")
    lose_cluster_beside_the_rest(it)
    wait_until(lambda: it.one("SELECT sum(refills)::int FROM store.relay_state") > refills, what="the notice")
    new = look_up_cluster(it.settings, topics(it.settings))
    wait_until(lambda: seen_in(it, new.topic_ids) >= 4, what="the stream workers on the new topics")
    wait_until(lambda: it.all_out() >= head, what="the refill")
    assert applied(it) == counts
    assert it.head() == head

"""Who reads from Kafka alone knows how much of the store that was."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka.structs import TopicPartition

from consumers.coverage import TopicReading, needed
from consumers.notary.keys import Keys
from consumers.notary.notary import Notary
from consumers.recount.verify import RecountReport, describe, from_topics
from consumers.timeline import UnknownCaseError, timeline_and_seen
from infra.kafka.cluster import Partition, admin_client, ensure_topics
from infra.settings import Settings
from tests.integration.relaying import (
    CASES,
    QUICK,
    all_out,
    during,
    expected,
    relaying,
    store_events,
    wait_until,
)


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update=QUICK)


@pytest.fixture
def published(quick: Settings) -> Settings:
    """A store of 120 events, all of them on Kafka, and nobody who would fill up what goes."""
    last = store_events(quick, 120)
    with relaying(quick):
        wait_until(all_out(quick, last))
    return quick


def fullest(settings: Settings, topic: str) -> Partition:
    found = expected(settings)
    return max((p for p in found if p.topic == topic), key=lambda partition: len(found[partition]))


def delete(settings: Settings, partition: Partition, before: int) -> None:
    with admin_client(settings) as admin:
        admin.delete_records({TopicPartition(*partition): before})


def test_all_of_it_is_told_as_all_of_it(published: Settings) -> None:
    events, seen = from_topics(published)
    assert len(events) == 120
    assert seen.is_whole
    assert seen.lines() == ["seen: 120 of 120 events up to position 120, as the store has it"]


def test_a_recount_of_less_than_the_store_does_not_agree(published: Settings) -> None:
    gone = fullest(published, published.home_topic("repair"))
    delete(published, gone, 1)
    events, seen = from_topics(published)
    assert len(events) == 120 - len(expected(published)[gone])
    report = RecountReport(seen=seen)
    assert not report.agrees
    told = "\n".join(describe(report))
    assert f"not seen: {gone} lacks records at its beginning" in told
    assert f"seen: {len(events)} of 120 events" in told


def test_a_partition_with_nothing_left_is_not_taken_for_one_that_had_nothing(published: Settings) -> None:
    gone = fullest(published, published.home_topic("connection"))
    delete(published, gone, -1)
    _, seen = from_topics(published)
    assert not seen.is_whole
    assert any(f"{gone} begins at offset" in gap for gap in seen.gaps)


def test_a_topic_that_was_made_anew_and_not_filled_is_missed_by_the_count_alone(published: Settings) -> None:
    topic = published.home_topic("repair")
    with admin_client(published) as admin:
        admin.delete_topics([topic])
    wait_until(lambda: "is not there" in "".join(from_topics_quickly(published)), what="the end of the topic")
    ensure_topics(published)
    _, seen = from_topics(published.model_copy(update={"database_url": published.database_url}))
    assert seen.gaps == ()
    assert not seen.is_whole


def from_topics_quickly(settings: Settings) -> tuple[str, ...]:
    reading = TopicReading(settings, settings.home_topics)
    for _ in reading._read_on():
        pass
    return reading.seen.gaps


def test_without_a_database_a_signed_checkpoint_says_how_much_there_is(published: Settings, tmp_path: Path) -> None:
    with relaying(published), during(Notary(published).run):
        wait_until(lambda: (found := needed(alone(published))) is not None and found.events == 120, what="a checkpoint")
    assert Keys(published).current() is not None
    _, seen = from_topics(alone(published))
    assert seen.is_whole
    assert seen.lines() == ["seen: 120 of 120 events up to position 120, as the newest checkpoint has it"]


def test_where_nobody_can_say_how_much_there_is_it_is_not_said_to_be_all(published: Settings) -> None:
    _, seen = from_topics(alone(published))
    assert not seen.is_whole
    assert "is not known" in seen.lines()[-1]


def alone(settings: Settings) -> Settings:
    """As an auditor who is let to Kafka and to nothing else."""
    return settings.model_copy(update={"database_url": ""})


def test_a_timeline_says_what_its_topics_lack(published: Settings) -> None:
    case = str(CASES[3])
    events, gaps = timeline_and_seen(published, case)
    assert events
    # These events are no whole case, and their versions say so; of the topics nothing is missing.
    assert [gap for gap in gaps if "of the case" not in gap] == []
    for partition in expected(published):
        delete(published, partition, 1)
    with pytest.raises(UnknownCaseError, match="lacks records at its beginning"):
        timeline_and_seen(published, case)

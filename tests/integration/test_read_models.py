"""Each read model: applied live = replayed twice = rebuilt from zero, on real PostgreSQL."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from consumers import billing
from domain.kernel.refusals import Refusal
from infra.clock import ManualClock
from infra.eventstore.consistency_check import account_disagreements, actual_rows, disagreements
from infra.eventstore.service import Service
from infra.kafka.cluster import Partition, Record
from infra.readers import record as record_module
from infra.readers.faust_app import ModelStream
from infra.readers.read_positions import lock_read_positions, save_read_positions
from infra.readers.record import parse
from infra.readers.rule import apply
from infra.sql import sql
from infra.sql.bounds import bounds_of
from projections.read_models.views import VIEWS as MODELS
from tests.commands import Application, Incident, ask
from tests.published import records, topic_ids


@pytest.fixture
def history(service: Service, clock: ManualClock) -> Service:
    """A late repair, one that forgot to say, a closed one, an open application and one with water."""
    late, forgot, quick = (Incident(service) for _ in range(3))
    open_one, done = Application(service), Application(service, points=2)
    for incident in (late, forgot, quick):
        clock.move(timedelta(minutes=1))
        incident.dispatch()
    quick.arrive()
    quick.assess("medium")
    clock.move(timedelta(minutes=40))
    for incident in (late, forgot):
        ask(service, incident.stream)
    forgot.arrive(at=clock.now() - timedelta(minutes=20))
    late.arrive()
    quick.complete()
    quick.close()
    done.turn_on(1, "M-1")
    done.turn_on(2, "M-2")
    clock.move(timedelta(days=9))
    ask(service, open_one.stream)
    return service


class _Stream(ModelStream):
    """The stream shell without Kafka: topic ids are made up."""

    def feed(self, batch: Sequence[Record]) -> None:
        self._topic_ids = topic_ids(self.settings)
        self.until_stored(batch, stopping=lambda: False)


@pytest.fixture
def stream(history: Service) -> Iterator[_Stream]:
    made = _Stream(history.settings, "views", MODELS)
    yield made
    made.close()


@pytest.fixture
def connection(history: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(history.settings.database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


def tables(connection: psycopg.Connection[Any]) -> list[Any]:
    return [actual_rows(connection, model) for model in MODELS]


def test_applied_one_by_one_is_what_the_store_says(stream: _Stream, connection: psycopg.Connection[Any]) -> None:
    for record in records(stream.settings):
        stream.feed([record])
    assert disagreements(stream.settings, connection, MODELS) == []
    assert [len(table) for table in tables(connection)] == [5, 14, 7, 2, 4, 0, 0, 0, 0, 0, 0, 2]


def test_applied_in_one_batch_is_the_same(stream: _Stream, connection: psycopg.Connection[Any]) -> None:
    stream.feed(records(stream.settings))
    assert disagreements(stream.settings, connection, MODELS) == []


class _Counting:
    """Decodes as ``decoder`` does, and counts how often each value was decoded."""

    def __init__(self, decoder: Any) -> None:
        self.counts: Counter[bytes] = Counter()
        self._decoder = decoder

    def decode(self, value: bytes) -> Any:
        self.counts[value] += 1
        return self._decoder.decode(value)


def test_a_record_is_parsed_once_however_many_models_read_it(
    stream: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = _Counting(record_module._WIRE)
    monkeypatch.setattr(record_module, "_WIRE", counting)
    batch = [record for record in records(stream.settings) if record.topic == stream.settings.home_topic("connection")]
    stream.feed(batch)
    readers = sum("connection" in model.topics for model in MODELS)
    assert readers >= 6
    assert counting.counts == Counter(record.value for record in batch)
    assert stream.applied_events == readers * len(batch)


@pytest.mark.parametrize("seed", range(5))
def test_redelivery_of_any_stretch_changes_nothing(
    stream: _Stream, connection: psycopg.Connection[Any], seed: int
) -> None:
    rng = random.Random(seed)
    everything = records(stream.settings)
    place = 0
    while place < len(everything):
        back = rng.randrange(place + 1)
        place = min(len(everything), place + rng.randrange(1, 9))
        stream.feed(everything[back:place])
    assert disagreements(stream.settings, connection, MODELS) == []


def test_replayed_twice_is_the_same(stream: _Stream, connection: psycopg.Connection[Any]) -> None:
    stream.feed(records(stream.settings))
    before = tables(connection)
    stream.feed(records(stream.settings))
    assert tables(connection) == before


def test_a_missing_record_holds_its_partition_until_it_comes(
    stream: _Stream, connection: psycopg.Connection[Any]
) -> None:
    everything = records(stream.settings)
    first = next(record for record in everything if record.topic == stream.settings.home_topic("repair"))
    partition = [r for r in everything if (r.topic, r.partition) == (first.topic, first.partition)]
    assert len(partition) > 2
    lost = partition[1]
    stream.feed([record for record in everything if record is not lost])
    assert disagreements(stream.settings, connection, MODELS) != []
    stream.feed(partition)
    assert disagreements(stream.settings, connection, MODELS) == []


def test_the_agreement_check_can_fail(stream: _Stream, connection: psycopg.Connection[Any]) -> None:
    stream.feed(records(stream.settings))
    connection.execute("UPDATE views.cases SET stage = 'reported' WHERE stage = 'closed'")
    connection.execute("DELETE FROM views.windows WHERE commitment = 'connection.water_on'")
    found = disagreements(stream.settings, connection, MODELS)
    assert len(found) == 3


def test_billing_opens_one_account_for_each_supply_point(history: Service, connection: psycopg.Connection[Any]) -> None:
    settings = history.settings
    mine = [record for record in records(settings) if record.topic == settings.home_topic("connection")]
    with psycopg.connect(settings.database_url) as plain:
        for batch in (mine[:3], mine, mine[2:], mine):
            with plain.transaction(), plain.cursor() as cursor:
                partitions = {Partition(record.topic, record.partition) for record in batch}
                places = lock_read_positions(cursor, "billing.places", billing.READER, 1, partitions)
                outcome = apply(batch, places, topic_ids(settings))
                billing.step(cursor, outcome.events)
                save_read_positions(cursor, "billing.places", billing.READER, 1, outcome.read_positions)
    assert account_disagreements(settings, connection) == []
    accounts = connection.execute("SELECT meter_number FROM billing.accounts ORDER BY 1").fetchall()
    assert [row["meter_number"] for row in accounts] == ["M-1", "M-2"]


def test_billing_takes_an_event_once_even_without_read_positions(
    history: Service, connection: psycopg.Connection[Any]
) -> None:
    """The inbox is the second line: unique by event id and by case and point."""
    settings = history.settings
    events = [event for record in records(settings) if not hasattr(event := parse(record), "code")]
    with psycopg.connect(settings.database_url) as plain:
        for _ in range(2):
            with plain.transaction(), plain.cursor() as cursor:
                billing.step(cursor, events)
    assert account_disagreements(settings, connection) == []


def test_a_meter_in_service_elsewhere_is_refused_across_cases(history: Service) -> None:
    application = Application(history)
    with pytest.raises(Refusal, match="meter-already-in-service"):
        application.turn_on(1, "M-1")


def test_the_incident_that_a_report_may_be_of_is_found_by_district_kind_and_time(
    stream: _Stream, connection: psycopg.Connection[Any], history: Service
) -> None:
    stream.feed(records(stream.settings))
    at = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)

    def found(**changes: Any) -> int:
        wanted = {
            "district": "qianzhou",
            "kinds": ["leak", "burst"],
            "at": at,
            "cells": [],
            "since": at - timedelta(hours=4),
            "until": at + timedelta(hours=4),
            **bounds_of(),
        }
        return len(connection.execute(sql("incidents_to_link"), wanted | changes).fetchall())

    assert found() == 2, "the third one is closed"
    assert found(district="zhenxi") == found(kinds=["meter"]) == found(since=at + timedelta(hours=1)) == 0

"""Readings on real Kafka and real PostgreSQL: nothing lost, nothing twice, the same whatever the order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from kafka.structs import TopicPartition
from psycopg.rows import dict_row

from api.metering.readings import ReadingsProducer
from domain import kinds
from domain.standard.standards import Rules
from infra.clock import ManualClock
from infra.eventstore.commands import Stream
from infra.kafka.batches import Damage
from infra.kafka.cluster import (
    Partition,
    PartitionLog,
    Record,
    admin_client,
    consumer,
    ensure_readings_topic,
    ensure_topics,
    look_up_cluster,
    record_of,
)
from infra.kafka.meter_readings import MeterReading, to_record
from infra.readers.record import Event, parse
from infra.settings import Settings
from infra.sql import sql
from infra.status import collect
from projections.readings.processor import Processor, _In
from projections.readings.source import Readings
from tests.api_world import METER, MORNING, Client, FakeService, app_over, ready_for_water, step, turned_on
from tests.contracted import records_on, require_promised

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
METERS = [f"JS-{number:04d}" for number in range(20)]


@pytest.fixture
def installed(settings: Settings) -> Settings:
    ensure_topics(settings)
    ensure_readings_topic(settings)
    return settings


@pytest.fixture
def intake(installed: Settings) -> Iterator[ReadingsProducer]:
    door = ReadingsProducer(lambda: installed)
    yield door
    door.close()


@pytest.fixture
def connection(installed: Settings) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed.database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def processor(installed: Settings, rules: Rules, clock: ManualClock) -> Processor:
    return Processor(installed, lambda: rules, clock)


def know(connection: psycopg.Connection[Any], *meters: str) -> None:
    for meter in meters:
        connection.execute("INSERT INTO readings.meters VALUES (%s, 0, 99999)", [meter])


def months(meter: str, *cubic_metres: int) -> list[MeterReading]:
    return [
        MeterReading(meter, BEGIN + timedelta(days=28 * month), value * 1000)
        for month, value in enumerate(cubic_metres)
    ]


def pump(processor: Processor, connection: psycopg.Connection[Any], wanted: int) -> None:
    """Read the topic as the Faust app does, with a plain consumer in its place, until so many offsets are taken."""
    settings, readings = processor.settings, Readings(processor)
    cluster = look_up_cluster(settings, readings.topics)
    with consumer(settings, client_id="pump", reset="none") as client:
        client.assign([TopicPartition(*partition) for partition in cluster.partitions])
        for partition, offset in readings.start_offsets(set(cluster.partitions)).items():
            client.seek(TopicPartition(*partition), offset)
        try:
            while taken(connection) < wanted:
                found = client.poll(timeout_ms=1_000)
                assert found, "the topic has less than was wanted"
                records = [record_of(message) for messages in found.values() for message in messages]
                readings.until_stored(records, lambda: False)
        finally:
            readings.close()


def taken(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM readings.offsets").fetchone()
    return int(row[0]) if row else 0


def table(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()


def take(processor: Processor, connection: psycopg.Connection[Any], readings: list[MeterReading]) -> tuple[int, int]:
    processor._make_months(connection, [reading.read_at for reading in readings])
    with connection.transaction(), connection.cursor() as cursor:
        return processor.take(cursor, readings)


def everything(connection: psycopg.Connection[Any]) -> list[Any]:
    return [
        table(connection, "SELECT * FROM readings.readings ORDER BY meter, read_at"),
        table(connection, "SELECT * FROM readings.histories ORDER BY meter"),
        table(
            connection,
            "SELECT meter, read_at, used_litres, flags FROM readings.anomalies WHERE standing ORDER BY meter, read_at",
        ),
    ]


def test_the_topic_forgets_after_some_days(installed: Settings) -> None:
    from kafka.admin import ConfigResource, ConfigResourceType

    from infra.kafka.cluster import admin_client

    with admin_client(installed) as admin:
        found = str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, installed.readings_topic)]))
    assert "'retention.ms'" in found
    assert str(7 * 24 * 3600 * 1000) in found


def test_what_was_sent_is_stored_and_what_stands_out_is_written_down(
    intake: ReadingsProducer, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, *METERS)
    for meter in METERS:
        intake.send(months(meter, 10, 20, 30, 40, 70))
    pump(processor, connection, 100)
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(100,)]
    rows = connection.execute(sql("readings_anomalies"), {"meter": "JS-0003", "limit": 5}).fetchall()
    assert [(row[0], row[2], row[3]) for row in rows] == [("JS-0003", 30_000, ["high"])]
    assert table(connection, "SELECT DISTINCT used_litres, flags FROM readings.anomalies") == [(30_000, ["high"])]
    assert table(connection, "SELECT count(*) FROM readings.anomalies") == [(20,)]
    names = table(
        connection,
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhparent"
        " WHERE c.relname = 'readings' AND c.relkind = 'p' ORDER BY 1",
    )
    assert names[0] == ("readings.readings_2026_01",)


@pytest.mark.parametrize("seed", range(5))
def test_any_order_any_repetition_and_any_batches_end_in_the_same_rows(
    seed: int, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, *METERS[:3])
    readings = [reading for meter in METERS[:3] for reading in months(meter, 10, 20, 30, 41, 70, 60, 60, 75, 200)]
    take(processor, connection, readings)
    expected = everything(connection)
    for name in ("readings", "histories", "anomalies"):
        connection.execute(f"TRUNCATE readings.{name}".encode())
    chance = random.Random(seed)
    told = readings + chance.sample(readings, 9)
    chance.shuffle(told)
    while told:
        size = chance.randint(1, 7)
        take(processor, connection, told[:size])
        told = told[size:]
    assert everything(connection) == expected
    assert expected[2]


def test_a_late_reading_takes_back_what_stood_out_for_want_of_it(
    processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    first, second, third, fourth, missing, last = months("JS-1", 10, 20, 30, 40, 55, 65)
    take(processor, connection, [first, second, third, fourth, last])
    assert table(connection, "SELECT flags FROM readings.anomalies WHERE standing") == [(["high"],)]
    take(processor, connection, [missing])
    assert table(connection, "SELECT flags FROM readings.anomalies WHERE standing") == []


def test_a_reading_that_contradicts_the_first_is_kept_aside(
    processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    assert take(processor, connection, [MeterReading("JS-1", BEGIN, 5), MeterReading("JS-1", BEGIN, 6)]) == (1, 1)
    assert take(processor, connection, [MeterReading("JS-1", BEGIN, 5)]) == (0, 0)
    assert table(connection, "SELECT litres, reason FROM readings.set_aside") == [(6, "contradicts")]


def test_readings_of_an_unknown_meter_wait_until_it_is_known(
    processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    waiting = months("JS-1", 10, 20, 30, 40, 70)
    assert take(processor, connection, waiting) == (0, 5)
    wanted = {"meter": None, "reason": "unknown-meter", "limit": 2}
    shown = connection.execute(sql("readings_aside"), wanted).fetchall()
    assert [(meter, litres, reason) for meter, _, litres, reason, _ in shown] == [
        ("JS-1", 70_000, "unknown-meter"),
        ("JS-1", 40_000, "unknown-meter"),
    ]
    with connection.transaction(), connection.cursor() as cursor:
        processor._introduce(cursor, {"JS-1": _In(0, 99_999, BEGIN, BEGIN)})
    assert table(connection, "SELECT count(*) FROM readings.set_aside") == [(0,)]
    assert table(connection, "SELECT flags FROM readings.anomalies WHERE standing") == [(["high"],)]


def test_what_a_dial_cannot_show_and_what_is_from_before_its_meter_is_set_aside(
    processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    """Before, 188,888 m³ were billed by the one, and 300 old readings opened 302 cases by the other."""
    with connection.transaction(), connection.cursor() as cursor:
        processor._introduce(cursor, {"JS-1": _In(10_000, 99_999, BEGIN, BEGIN)})
    true = MeterReading("JS-1", BEGIN + timedelta(days=10), 25_000)
    above = MeterReading("JS-1", BEGIN + timedelta(days=20), 188_888_887)
    last_year = [MeterReading("JS-1", BEGIN - timedelta(days=365 - day), 90_000 + day) for day in range(30)]
    after_it = MeterReading("JS-1", BEGIN + timedelta(days=30), 44_000)
    assert take(processor, connection, [true, above, *last_year, after_it]) == (2, 31)
    reasons = "SELECT reason, count(*) FROM readings.set_aside GROUP BY reason ORDER BY reason"
    assert table(connection, reasons) == [("above-dial", 1), ("before-meter", 30)]
    assert table(connection, "SELECT count(*) FROM readings.anomalies WHERE standing") == [(0,)]
    used = "SELECT litres FROM readings.histories WHERE meter = 'JS-1'"
    assert table(connection, used) == [(44_000,)], "neither is the base of the next one"


def test_a_reading_waits_aside_until_its_meter_is_known_to_have_been_in_earlier(
    processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        processor._introduce(cursor, {"JS-1": _In(0, 99_999, BEGIN, BEGIN)})
    early = MeterReading("JS-1", BEGIN - timedelta(days=3), 1_000)
    assert take(processor, connection, [early]) == (0, 1)
    before = BEGIN - timedelta(days=5)
    with connection.transaction(), connection.cursor() as cursor:
        processor._introduce(cursor, {"JS-1": _In(0, 99_999, before, before)})
    assert table(connection, "SELECT count(*) FROM readings.set_aside") == [(0,)]
    assert table(connection, "SELECT litres FROM readings.readings") == [(1_000,)]


def test_a_meter_is_known_from_the_event_that_puts_it_in(
    processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    store = FakeService()
    client = Client(app_over(store))
    case_id = ready_for_water(client)
    meter = METER | {"number": "JS-9", "initial_reading_m3": "1.250"}
    assert turned_on(client, case_id, meter=meter).status_code == 200
    found = told_of(store, case_id)
    take(processor, connection, [MeterReading("JS-9", MORNING + timedelta(days=30), 1_250)])
    for _ in range(2):
        with connection.transaction(), connection.cursor() as cursor:
            processor.meet(cursor, found)
    assert table(connection, "SELECT meter, initial_litres, dial_max_m3 FROM readings.meters") == [
        ("JS-9", 1_250, 99_999)
    ]
    assert table(connection, "SELECT used_litres, flags FROM readings.anomalies") == [(0, ["zero"])]
    assert table(connection, "SELECT count(*) FROM readings.set_aside") == [(0,)]


def told_of(store: FakeService, case_id: str) -> list[Event]:
    """A case's events as the reader has them."""
    return parsed(store.load(Stream(kinds.CONNECTION, UUID(case_id)))[1])


def parsed(stored: list[dict[str, Any]]) -> list[Event]:
    """Stored events as a reader has them."""
    records = [
        Record("c", 0, 0, event["subject"].encode(), msgspec.json.encode(event), {"previousposition": b"0"})
        for event in stored
    ]
    found = [event for record in records if isinstance(event := parse(record), Event)]
    assert len(found) == len(stored)
    return found


def test_a_meter_that_is_out_measures_no_more_and_the_one_in_its_place_does(
    processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    store = FakeService()
    client = Client(app_over(store))
    case_id = ready_for_water(client)
    assert turned_on(client, case_id, meter=METER | {"number": "JS-8"}).status_code == 200
    store.clock.move(timedelta(days=30))
    swapped_at = store.clock.now()
    later = MeterReading("JS-8", swapped_at + timedelta(hours=1), 12_000)
    with connection.transaction(), connection.cursor() as cursor:
        processor.meet(cursor, told_of(store, case_id))
    take(processor, connection, [MeterReading("JS-8", swapped_at - timedelta(days=9), 9_000), later])
    body = {"final_reading_m3": "11.500", "reason": "expired", "meter": METER | {"number": "JS-9"}}
    assert step(client, case_id, "supply-points/1/meter-replacement", body, "crew").status_code == 200
    for _ in range(2):
        with connection.transaction(), connection.cursor() as cursor:
            processor.meet(cursor, told_of(store, case_id))
    rows = table(connection, "SELECT litres, read_at FROM readings.readings WHERE meter = 'JS-8' ORDER BY read_at DESC")
    assert [litres for litres, _ in rows] == [11_500, 9_000]
    assert rows[0][1] == swapped_at
    assert table(connection, "SELECT read_at, litres FROM readings.histories") == [(swapped_at, 11_500)]
    assert table(connection, "SELECT litres, reason FROM readings.set_aside") == [(12_000, "meter-out")]
    evenings = [MeterReading(meter, swapped_at + timedelta(days=1), 800) for meter in ("JS-8", "JS-9")]
    assert take(processor, connection, evenings) == (1, 1)


def test_a_record_that_is_no_reading_becomes_a_dead_letter_and_the_others_go_on(
    installed: Settings, intake: ReadingsProducer, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    intake.send(months("JS-1", 1))
    require_promised("water.readings.MeterReading.v1", records_on(installed, installed.readings_topic))
    intake._made().send(installed.readings_topic, key=b"JS-1", value=b'{"meter":"JS-1"}').get(10)
    future = MeterReading("JS-1", datetime(2030, 1, 1, tzinfo=UTC), 1)
    intake.send([future])
    pump(processor, connection, 3)
    assert table(connection, "SELECT code FROM store.dead_letters ORDER BY code") == [
        ("bad-reading",),
        ("future-time",),
    ]
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(1,)]


def test_a_batch_that_fails_half_way_is_read_again_from_where_it_began(
    intake: ReadingsProducer,
    installed: Settings,
    processor: Processor,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a kill does between the rows and the commit: the transaction is gone, and so is the place."""
    know(connection, *METERS)
    for meter in METERS:
        intake.send(months(meter, 10, 20, 30))
    with monkeypatch.context() as broken:
        broken.setattr("projections.readings.processor.save_dead_letters", _dies)
        with pytest.raises(RuntimeError, match="killed"):
            pump(processor, connection, 60)
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(0,)]
    assert taken(connection) == 0
    pump(processor, connection, 60)
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(60,)]


def _dies(*_: object) -> None:
    raise RuntimeError("killed")


def test_records_that_come_again_are_dropped_by_their_place(
    intake: ReadingsProducer, installed: Settings, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    topic_id = look_up_cluster(installed, [installed.readings_topic]).topics[installed.readings_topic].id
    records = [
        Record(installed.readings_topic, 0, offset, *to_record(reading), {})
        for offset, reading in enumerate(months("JS-1", 1, 2, 3))
    ]
    for batch in (records, records[:2], records):
        processor.store(connection, batch, topic_id)
    assert processor.stored == 3
    assert taken(connection) == 3


def records_of(settings: Settings, readings: list[MeterReading], first: int = 0) -> list[Record]:
    """Readings as records of the first partition."""
    return [
        Record(settings.readings_topic, 0, offset, *to_record(reading), {})
        for offset, reading in enumerate(readings, start=first)
    ]


def test_a_batch_from_before_a_rebalance_waits_for_what_comes_before_it(
    installed: Settings, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    source = Readings(processor)
    source.start_offsets({Partition(installed.readings_topic, 0)})
    records = records_of(installed, months("JS-1", 1, 2, 3, 4))
    source.until_stored(records[2:], lambda: False)
    assert taken(connection) == 0, "they would have moved the place over the first two"
    source.until_stored(records[:2], lambda: False)
    source.until_stored(records[2:], lambda: False)
    assert taken(connection) == 4
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(4,)]
    source.close()


def test_a_hole_that_stays_is_looked_up_in_the_log(
    installed: Settings, intake: ReadingsProducer, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    intake.send(months("JS-1", 1))
    cluster = look_up_cluster(installed, [installed.readings_topic])
    source = Readings(processor)
    source.start_offsets(set(cluster.partitions))
    with consumer(installed, client_id="test", reset="earliest") as client:
        client.assign([TopicPartition(*partition) for partition in cluster.partitions])
        (message,) = [one for found in client.poll(timeout_ms=5_000).values() for one in found]
    record = record_of(message)
    here = Partition(record.topic, record.partition)
    beyond = Record(record.topic, record.partition, 5, record.key, record.value, {})
    source.until_stored([beyond], lambda: False)
    again, shown = source.minded()
    assert again == {here: 0}, "the log has that one, so it is read"
    assert shown["stored"] == 0
    source.close()


def test_a_log_that_lost_its_tail_is_read_from_its_first_record(
    installed: Settings, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    topic_id = look_up_cluster(installed, [installed.readings_topic]).topics[installed.readings_topic].id
    here = Partition(installed.readings_topic, 0)
    processor.store(connection, records_of(installed, months("JS-1", 1, 2, 3)), topic_id)
    assert processor.begin(connection, [here], topic_id, lambda: {here: PartitionLog(topic_id, 0, 3)}) == {here: 3}
    assert processor.begin(connection, [here], topic_id, lambda: {here: PartitionLog(topic_id, 0, 1)}) == {here: 0}
    processor.store(connection, records_of(installed, months("JS-1", 1, 9, 30, 40)[::3]), topic_id)
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(4,)], "what is stored stays one row"


def dead_letters(connection: psycopg.Connection[Any]) -> list[tuple[int, str, str]]:
    rows = connection.execute("SELECT record_offset, code, reason FROM store.dead_letters ORDER BY id").fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def test_readings_that_retention_deleted_before_they_were_read_are_counted_and_told(
    installed: Settings, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    topic_id = look_up_cluster(installed, [installed.readings_topic]).topics[installed.readings_topic].id
    here = Partition(installed.readings_topic, 0)
    for _ in range(2):  # a second start finds nothing more to tell
        assert processor.begin(connection, [here], topic_id, lambda: {here: PartitionLog(topic_id, 7, 9)}) == {here: 7}
    assert table(connection, "SELECT lost, next_offset, end_offset FROM readings.offsets") == [(7, 7, 9)]
    ((offset, code, reason),) = dead_letters(connection)
    assert (offset, code) == (0, "readings-gone")
    assert "7 readings" in reason


def test_readings_on_a_topic_that_was_made_anew_before_they_were_read_are_counted_and_told(
    installed: Settings, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    here, old, new = Partition(installed.readings_topic, 0), UUID(int=1), UUID(int=2)
    processor.begin(connection, [here], old, lambda: {here: PartitionLog(old, 0, 12)})
    assert processor.begin(connection, [here], new, lambda: {here: PartitionLog(new, 0, 3)}) == {here: 0}
    assert table(connection, "SELECT lost, next_offset, end_offset FROM readings.offsets") == [(12, 0, 3)]
    assert [(offset, code) for offset, code, _ in dead_letters(connection)] == [(0, "readings-gone")]


def test_what_retention_deletes_while_the_worker_runs_is_passed_over_and_told(
    installed: Settings, intake: ReadingsProducer, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    """The worker asks for an offset that is not there any more; nobody starts it again."""
    know(connection, "JS-1")
    intake.send(months("JS-1", *range(1, 8)))
    cluster = look_up_cluster(installed, [installed.readings_topic])
    source = Readings(processor)
    source.start_offsets(set(cluster.partitions))
    with consumer(installed, client_id="test", reset="earliest") as client:
        client.assign([TopicPartition(*partition) for partition in cluster.partitions])
        found = [record_of(one) for messages in client.poll(timeout_ms=5_000).values() for one in messages]
    here = Partition(found[0].topic, found[0].partition)
    source.until_stored(found[:2], lambda: False)
    with admin_client(installed) as admin:
        admin.delete_records({TopicPartition(*here): 5})

    source.until_stored(found[5:], lambda: False)
    assert taken(connection) == 2, "what comes beyond waits for what comes before it"
    again, _ = source.minded()
    assert again[here] == 5
    source.until_stored(found[5:], lambda: False)
    assert taken(connection) == 7
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(4,)]
    assert table(connection, "SELECT sum(lost) FROM readings.offsets") == [(3,)]
    ((offset, code, reason),) = dead_letters(connection)
    assert (offset, code) == (2, "readings-gone")
    assert "3 readings" in reason
    source.close()


def test_how_far_behind_the_readings_are_is_seen(
    installed: Settings, intake: ReadingsProducer, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    source = Readings(processor)
    source.start_offsets(set(look_up_cluster(installed, [installed.readings_topic]).partitions))
    intake.send(months("JS-1", *range(1, 8)))
    _, shown = source.minded()
    assert shown["still_s"] == {}
    with psycopg.connect(installed.database_url, row_factory=dict_row) as rows:
        lags = [r.lag for r in collect(rows, installed).readers if (r.schema, r.reader) == ("readings", "readings")]
    assert sorted(lags) == [0, 0, 0, 7]
    source.close()


def test_a_batch_that_cannot_be_decoded_is_one_dead_letter_and_leaves_no_hole(
    installed: Settings, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    source = Readings(processor)
    source.start_offsets({Partition(installed.readings_topic, 0)})
    readings = months("JS-1", 1, 2, 3)
    lost = Record(installed.readings_topic, 0, 1, None, b"????", {}, Damage("no codec", 3))
    batch = [records_of(installed, readings[:1])[0], lost, *records_of(installed, readings[1:], first=4)]
    source.until_stored(batch, lambda: False)
    assert taken(connection) == 6
    assert table(connection, "SELECT count(*) FROM readings.readings") == [(3,)]
    assert dead_letters(connection) == [(1, "undecodable-batch", "no codec")]
    source.close()

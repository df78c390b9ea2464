"""The whole way of abnormal use on real Kafka and PostgreSQL: batch in, anomaly, case, told, settled, released."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from consumers import billing
from domain import kinds
from infra.clock import ManualClock
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import usage_stream
from infra.kafka.cluster import ensure_readings_topic, ensure_topics
from infra.kafka.meter_readings import MeterReading
from infra.settings import Settings
from projections.readings.cases import UsageCaseWriter
from projections.readings.processor import Processor
from tests.api_read_models import project
from tests.api_world import (
    DIGEST,
    METER,
    MORNING,
    Client,
    FakeService,
    app_of,
    app_over,
    ready_for_water,
    staff,
    step,
    turned_on,
)
from tests.integration.relaying import wait_until
from tests.integration.test_readings import know, months, parsed, pump, take


@pytest.fixture
def whole(settings: Settings, clock: ManualClock) -> Iterator[Service]:
    ensure_topics(settings)
    ensure_readings_topic(settings)
    opened = open_service(settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def connection(whole: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(whole.settings.database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def processor(whole: Service) -> Processor:
    return Processor(whole.settings, lambda: whole.rules, whole.clock)


def untold(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM readings.anomalies WHERE told < revision").fetchone()
    return int(row[0]) if row else 0


def test_from_a_batch_to_a_released_reading(
    whole: Service, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    client = Client(app_of(whole))
    readings = [
        {"meter": "JS-1", "read_at": (MORNING - timedelta(days=days)).isoformat(), "value_m3": value}
        for days, value in ((120, "10"), (90, "20"), (60, "30"), (30, "40"), (0, "70"))
    ]
    wrong = [{"meter": "JS-1", "read_at": MORNING.isoformat(), "value_m3": "-3"}]
    answer = client.post("/api/v1/readings", {"readings": readings + wrong}, headers=staff("meter-reader"))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 5)
    assert [row["row"] for row in answer.json()["refused"]] == [6]
    pump(processor, connection, 5)
    teller = UsageCaseWriter(whole.settings, whole)
    assert teller.turn(connection) == 1
    assert untold(connection) == 0
    case = usage_stream("JS-1", MORNING)
    for path, body, role in (
        ("confirmation", {"by": "photo", "evidence_digest": DIGEST}, "meter-reader"),
        ("notification", {"way": "door", "proof_digest": DIGEST}, "meter-reader"),
        ("leak-help/offer", {"accepted": False}, "meter-reader"),
        ("outcome", {"outcome": "genuine-use"}, "manager"),
    ):
        told = client.post(f"/api/v1/usage/{case.id}/{path}", body, headers=staff(role))
        assert told.status_code == 200, told.text
    state, events = whole.load(case)
    assert [event["type"].split(".")[2] for event in events if "Reading" in event["type"]] == [
        "ReadingHeld",
        "ReadingReleased",
    ]
    assert not state.held
    assert {name: window.met_at is not None for name, window in state.ledger.items()} == {
        "usage.audit": True,
        "usage.notice": True,
    }
    for _ in range(2):
        with connection.transaction(), connection.cursor() as cursor:
            billing.step(cursor, parsed(events))
    holds = connection.execute("SELECT hold, meter, litres, held_at, released_at, cause FROM billing.holds").fetchall()
    assert holds == [(1, "JS-1", 70_000, MORNING, MORNING, "outcome")]
    project(whole, events)
    listed = client.get("/api/v1/usage?open=false", headers=staff("manager")).json()["cases"]
    assert [(row["case_id"], row["used_litres"], row["outcome"], row["held"]) for row in listed] == [
        (str(case.id), 30_000, "genuine-use", False)
    ]


def test_what_was_submitted_and_not_noted_down_is_no_second_case(
    whole: Service, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    """What a kill leaves between the store's commit and the note of it."""
    know(connection, "JS-1")
    take(processor, connection, months("JS-1", 10, 20, 30, 40, 70))
    teller = UsageCaseWriter(whole.settings, whole)
    assert teller.turn(connection) == 1
    connection.execute("UPDATE readings.anomalies SET told = 0")
    assert teller.turn(connection) == 1
    (found,) = connection.execute("SELECT meter, read_at FROM readings.anomalies").fetchall()
    _, events = whole.load(usage_stream(*found))
    assert [event["type"].split(".")[2] for event in events] == ["UsageAnomalyFound", "ReadingHeld", "WindowOpened"]


def test_a_late_reading_that_explains_it_withdraws_the_case(
    whole: Service, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    first, second, third, fourth, missing, last = months("JS-1", 10, 20, 30, 40, 55, 65)
    take(processor, connection, [first, second, third, fourth, last])
    teller = UsageCaseWriter(whole.settings, whole)
    teller.turn(connection)
    take(processor, connection, [missing])
    assert untold(connection) == 1
    teller.turn(connection)
    state, _ = whole.load(usage_stream(last.meter, last.read_at))
    assert (state.over, state.held) == ("withdrawn", False)


def test_one_of_two_processes_tells_and_the_other_takes_over(
    whole: Service, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1", "JS-2")
    tellers = [UsageCaseWriter(whole.settings, whole), UsageCaseWriter(whole.settings, whole)]
    stops = [threading.Event(), threading.Event()]
    threads = [threading.Thread(target=t.run, args=(s,)) for t, s in zip(tellers, stops, strict=True)]
    threads[0].start()
    take(processor, connection, months("JS-1", 10, 20, 30, 40, 70))
    wait_until(lambda: untold(connection) == 0)
    threads[1].start()
    stops[0].set()
    tellers[0].wake()
    threads[0].join(timeout=20)
    take(processor, connection, months("JS-2", 10, 20, 30, 40, 70))
    wait_until(lambda: untold(connection) == 0)
    stops[1].set()
    tellers[1].wake()
    threads[1].join(timeout=20)
    assert [teller.cases_informed for teller in tellers] == [1, 1]


def test_the_watch_knows_the_kind_of_such_a_case(
    whole: Service, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1")
    take(processor, connection, months("JS-1", 10, 20, 30, 40, 70))
    UsageCaseWriter(whole.settings, whole).turn(connection)
    (found,) = connection.execute("SELECT meter, read_at FROM readings.anomalies").fetchall()
    case: UUID = usage_stream(*found).id
    assert whole.kinds_of([case]) == {case: kinds.USAGE}
    assert whole.load(Stream(kinds.USAGE, case))[0].ledger


def up_to_now(readings: list[MeterReading]) -> list[MeterReading]:
    """The same, the last of them this morning: in the month of the round."""
    later = MORNING - timedelta(minutes=30) - readings[-1].read_at
    return [MeterReading(each.meter, each.read_at + later, each.litres) for each in readings]


def test_an_audit_takes_what_is_stored_and_starts_the_hour_of_what_stands_out(
    whole: Service, processor: Processor, connection: psycopg.Connection[Any]
) -> None:
    know(connection, "JS-1", "JS-2")
    high, plain = (up_to_now(months("JS-1", 10, 20, 30, 40, 70)), up_to_now(months("JS-2", 7, 19)))
    take(processor, connection, high + plain)
    client = Client(app_of(whole))
    round_ = {"book": "zhenxi-07", "month": "2026-09", "due_on": "2026-09-18", "reader": "reader-7"}
    opened = client.post("/api/v1/reading-books", round_ | {"meters": ["JS-1", "JS-2"]}, headers=staff("manager"))
    path = f"/api/v1/reading-books/{opened.json()['case_id']}/audit"
    rows = [{"meter": reading.meter, "read_at": reading.read_at.isoformat()} for reading in (high[-1], plain[-1])]
    refused = client.post(path, {"rows": rows}, headers=staff("meter-reader"))
    assert refused.json()["code"] == "anomaly-pending"
    UsageCaseWriter(whole.settings, whole).turn(connection)
    assert client.post(path, {"rows": rows}, headers=staff("meter-reader")).status_code == 200
    state, events = whole.load(Stream(kinds.BOOK, UUID(opened.json()["case_id"])))
    used = [event["data"]["used_litres"] for event in events if "Audited" in event["type"]]
    assert sorted(used) == [12_000, 30_000]
    assert state.completed
    usage, _ = whole.load(usage_stream("JS-1", high[-1].read_at))
    assert usage.ledger["usage.notice"].due_at == MORNING + timedelta(hours=1)
    project(whole, events)
    (listed,) = client.get("/api/v1/reading-books", headers=staff("manager")).json()["books"]
    assert (listed["stage"], listed["open"], listed["state"]) == ("read", False, "met")


def test_billing_is_told_of_a_meter_that_was_replaced_once(connection: psycopg.Connection[Any]) -> None:
    store = FakeService()
    client = Client(app_over(store))
    case_id = ready_for_water(client)
    assert turned_on(client, case_id).status_code == 200
    body = {"final_reading_m3": "12.500", "reason": "faulty", "meter": METER | {"number": "JS-9"}}
    assert step(client, case_id, "supply-points/1/meter-replacement", body, "crew").status_code == 200
    for _ in range(2):
        with connection.transaction(), connection.cursor() as cursor:
            billing.step(cursor, parsed(store.load(Stream(kinds.CONNECTION, UUID(case_id)))[1]))
    rows = connection.execute(
        "SELECT old_meter, final_reading_m3::text, new_meter FROM billing.meter_changes"
    ).fetchall()
    assert rows == [("JS-2026-0001", "12.500", "JS-9")]
    assert connection.execute("SELECT count(*) FROM billing.accounts").fetchall() == [(1,)]

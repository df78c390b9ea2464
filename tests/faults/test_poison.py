"""Rubbish on every topic while all readers run: told with its place and reason, never with its content; all go on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer

from infra.kafka.cluster import Partition, case_key, client_config, partition_of, topics
from tests.faults.cases import SLOW, even, tell_cases
from tests.faults.installation import Installation, Row, installed, wait_until
from tests.integration.relaying import expected, on_kafka, read_anew

READERS = {
    "repair": {"cases", "windows", "outages", "due"},
    "connection": {"cases", "windows", "connections", "charges", "visits", "ahead", "due", "billing", "meters"},
    "usage": {"cases", "windows", "usage", "due", "billing"},
    "breach": {"breaches"},
    "public": {"works"},
    "crew": {"crews"},
}
"""Who reads which topic; of the others there is no reader that could complain."""
SECRET = "0743-8225225-nobody-may-read-this"
FAR = 10**12


@dataclass(frozen=True)
class Rubbish:
    """A record that is no event of ours, and the code under which a reader must tell of it."""

    name: str
    code: str
    value: bytes | None
    key: bytes | None = b"who?"
    previous: int | None = None


def event(**changes: Any) -> bytes:
    """A published event but for the changes; None leaves a field out."""
    case_id = str(uuid4())
    fields: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/tongshui",
        "type": "water.repair.CrewArrived.v1",
        "subject": case_id,
        "time": "2026-09-18T06:30:00Z",
        "datacontenttype": "application/json",
        "caseversion": 1,
        "actor": SECRET,
        "role": "crew",
        "channel": "crew-phone",
        "commandid": "c",
        "correlationid": "c",
        "data": {"note": SECRET},
        "position": FAR,
        "recordedat": "2026-09-18T06:30:00Z",
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def rubbish() -> list[Rubbish]:
    noise = bytes([0xFF]) + random.Random(20).randbytes(200) + SECRET.encode()
    subject = str(uuid4())
    return [
        Rubbish("random bytes", "not-json", noise),
        Rubbish("no bytes at all", "not-json", b""),
        Rubbish("no value", "no-value", None),
        Rubbish("no key", "not-cloudevent", json.dumps({"phone": SECRET}).encode(), key=None),
        Rubbish("JSON that is no object", "not-cloudevent", json.dumps([SECRET]).encode()),
        Rubbish("JSON that is no event", "not-cloudevent", json.dumps({"phone": SECRET}).encode()),
        Rubbish("deeply nested", "not-json", b"[" * 100_000),
        Rubbish("an event without a position", "no-position", event(position=None), previous=0),
        Rubbish("an event without its chain", "no-chain-header", event()),
        Rubbish("an event without data behind itself", "bad-chain", event(data={}), previous=FAR),
        Rubbish("an event with data of another kind", "not-cloudevent", event(data=SECRET), previous=0),
        Rubbish("an event with no time", "bad-time", event(time=SECRET), previous=0),
        Rubbish("an event with no id", "bad-id", event(id=SECRET), previous=0),
        Rubbish("an event without a key", "wrong-key", event(subject=subject), key=None, previous=0),
        Rubbish("an event with another key", "wrong-key", event(subject=subject), previous=0),
    ]


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with installed(**SLOW, hold_alarm_s=2) as running:
        yield running


def write(it: Installation, records: list[tuple[Partition, Rubbish]]) -> dict[tuple[str, int, int], Rubbish]:
    """Write to topics as somebody who has no business there. Gives topic, partition and offset of each record."""
    producer = KafkaProducer(**client_config(it.settings), acks="all", max_request_size=2_000_000)
    try:
        sent = []
        for partition, record in records:
            headers = [("previousposition", str(record.previous).encode())] if record.previous is not None else []
            future = producer.send(
                partition.topic, record.value, record.key, headers=headers, partition=partition.partition
            )
            sent.append((partition, record, future))
        return {(*partition, future.get(timeout=20).offset): record for partition, record, future in sent}
    finally:
        producer.close(timeout=5)


def read_rows(it: Installation) -> dict[str, dict[tuple[Any, ...], Row]]:
    """Every row of the read models and of billing; when the watch asks again is its own affair."""
    return {table: rows for table, rows in it.tables().items() if table != "watch.due"}


def rows_about(it: Installation, cases: set[str]) -> list[Row]:
    """Every row of a reader's, the watch's too, that names one of these cases."""
    return [row for rows in it.tables().values() for row in rows.values() if str(row.get("case_id")) in cases]


def dead_letters(it: Installation) -> list[Row]:
    return it.query("SELECT * FROM store.dead_letters ORDER BY id")


def published_dead_letters(it: Installation) -> list[Row]:
    records = on_kafka(it.settings)
    return [
        json.loads(record.value)
        for partition, found in records.items()
        if partition.topic == it.settings.dead_letter_topic
        for record in found
        if record.value and record.headers.get("content-type") == b"application/json"
    ]


def test_rubbish_on_each_topic_is_told_with_its_place_and_reason_and_readers_go_on(it: Installation) -> None:
    tell_cases(it, 6)
    even(it)
    settings = it.settings
    everywhere = [Partition(topic, number) for topic in topics(settings) for number in range(settings.partitions)]
    known = {dead_letter["id"] for dead_letter in dead_letters(it)}

    written = write(it, [(partition, record) for partition in everywhere for record in rubbish()])

    wanted = {
        (reader, *place): record.code
        for place, record in written.items()
        for reader in READERS.get(place[0].split(".")[-2], ())
    }
    new: list[Row] = []

    def told() -> bool:
        new[:] = [dead_letter for dead_letter in dead_letters(it) if dead_letter["id"] not in known]
        return len(new) >= len(wanted)

    wait_until(told, what="the dead letters")
    found = {(row["reader"], row["topic"], row["partition"], row["record_offset"]): row["code"] for row in new}
    assert found == wanted
    assert len(new) == len(wanted)
    assert all(row["reason"] for row in new)

    # Readers and relay go on, in the same processes, and end where the store is.
    tell_cases(it, 12)
    even(it)
    assert read_anew(settings) == expected(settings)
    assert {part["restarts"] for part in it.state()["parts"].values()} == {0}
    assert it.one("SELECT tails_lost FROM store.relay_state") == 0
    assert it.one("SELECT foreign_records FROM store.relay_state") > 0


def test_each_dead_letter_is_published_and_tells_no_content(it: Installation) -> None:
    tell_cases(it, 1)
    place = Partition(it.settings.home_topic("connection"), 1)
    write(it, [(place, record) for record in rubbish()])
    wait_until(lambda: len(dead_letters(it)) >= len(READERS["connection"]) * len(rubbish()), what="the dead letters")
    wait_until(lambda: not [row for row in dead_letters(it) if row["published_at"] is None], what="their publication")

    rows = {row["id"]: row for row in dead_letters(it)}
    published = published_dead_letters(it)
    assert {dead_letter["id"] for dead_letter in published} == rows.keys()
    for dead_letter in published:
        row = rows[dead_letter["id"]]
        assert (dead_letter["topic"], dead_letter["partition"], dead_letter["offset"]) == (
            row["topic"],
            row["partition"],
            row["record_offset"],
        )
        assert (dead_letter["reader"], dead_letter["code"], dead_letter["reason"]) == (
            row["reader"],
            row["code"],
            row["reason"],
        )
        assert dead_letter["topic_id"] == str(row["topic_id"]) != str(uuid4())
    assert SECRET not in json.dumps(published)
    assert SECRET not in repr(rows)
    for part in ("views", "watch", "billing", "relay", "api"):
        assert SECRET not in it.log(part)
    assert "0743" not in it.output()


@pytest.mark.slow
def test_an_event_whose_predecessor_is_not_there_holds_only_until_the_chain_goes_on(it: Installation) -> None:
    """The reader's rule does not apply it, and does not wait for it for ever."""
    tell_cases(it, 1)
    even(it)
    settings = it.settings
    before = read_rows(it)
    dead = len(dead_letters(it))
    forged = []
    for topic in (settings.home_topic("repair"), settings.home_topic("connection"), settings.breach_topic):
        for _ in range(8):
            case_id = str(uuid4())
            data = {"commitment": "repair.arrival", "number": 1, "point": 1}
            record = Rubbish("forged", "", event(subject=case_id, data=data), case_key(case_id), previous=FAR - 1)
            forged.append((Partition(topic, partition_of(case_key(case_id), settings.partitions)), record))
    write(it, forged)

    # Where nothing comes after it, it is an alarm, and seen in the status.
    wait_until(lambda: "stands still" in it.log("views") and "stands still" in it.log("billing"), what="the alarm")
    wait_until(lambda: it.run("status").code == 1, what="a status that says so")
    assert read_rows(it) == before
    assert rows_about(it, {str(json.loads(record.value or b"")["subject"]) for _, record in forged}) == []

    tell_cases(it, 24)
    even(it)
    assert read_anew(settings) == expected(settings)
    assert len(dead_letters(it)) == dead
    wait_until(lambda: it.run("status").code == 0, what="a status that is well again")

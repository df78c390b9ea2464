"""Reading records, the reader's rule, and where to read from."""

from __future__ import annotations

import json
from collections import namedtuple
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import pytest

from infra.kafka.cluster import Partition, PartitionLog, Record, record_of
from infra.readers.record import Event, Unreadable, link_of, parse
from infra.readers.rule import START, HoldAlarm, ReadPosition, apply, start_offset

CASE = UUID("0f1e2d3c-4b5a-4789-8abc-0123456789ab")
TOPIC = "water.repair.v1"
HERE = Partition(TOPIC, 2)
OLD, NEW = UUID(int=1), UUID(int=2)


def body(position: Any = 1, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid5(CASE, str(position))),
        "source": "/tongshui",
        "type": "water.repair.CrewArrived.v1",
        "subject": str(CASE),
        "time": "2026-02-13T01:02:03.123456Z",
        "datacontenttype": "application/json",
        "caseversion": position,
        "actor": "crew-7",
        "role": "crew",
        "channel": "phone",
        "commandid": "c-1",
        "correlationid": "k-1",
        "data": {"crew": "7"},
        "position": position,
        "recordedat": "2026-02-13T01:02:03.5Z",
    } | changes


def record(position: int = 1, previous: int = 0, *, offset: int | None = None, **changes: Any) -> Record:
    """A record as the relay makes it; ``changes`` replace fields of the JSON."""
    return raw(json.dumps(body(position, **changes)).encode(), previous, offset=position if offset is None else offset)


def raw(
    value: bytes | None, previous: int | None = 0, *, offset: int = 0, key: bytes | None = str(CASE).encode()
) -> Record:
    headers = (
        {} if previous is None else {"previousposition": str(previous).encode(), "epoch": b"3", "generation": b"g"}
    )
    return Record(TOPIC, 2, offset, key, value, headers)


def fault(found: Event | Unreadable) -> str:
    assert isinstance(found, Unreadable), found
    return found.code


# ---- reading a record


def test_a_published_record_is_read_whole() -> None:
    found = parse(record(17, 12, offset=5))
    assert isinstance(found, Event)
    assert (found.position, found.previous, found.offset, found.partition, found.topic) == (17, 12, 5, 2, TOPIC)
    assert (found.case_id, found.version, found.type) == (CASE, 17, "water.repair.CrewArrived.v1")
    assert found.happened_at == datetime(2026, 2, 13, 1, 2, 3, 123456, tzinfo=UTC)
    assert found.recorded_at == datetime(2026, 2, 13, 1, 2, 3, 500000, tzinfo=UTC)
    assert (found.reported_at, found.causation_id) == (None, None)
    assert (found.actor, found.role, found.channel, found.command_id, found.correlation_id) == (
        "crew-7",
        "crew",
        "phone",
        "c-1",
        "k-1",
    )
    assert found.data == {"crew": "7"}
    assert json.loads(found.raw) == body(17)


def test_times_are_told_in_utc() -> None:
    found = parse(record(time="2026-02-13T09:02:03+08:00"))
    assert isinstance(found, Event)
    assert found.happened_at.utcoffset() == UTC.utcoffset(None)
    assert found.happened_at == datetime(2026, 2, 13, 1, 2, 3, tzinfo=UTC)


def test_fields_that_were_added_later_are_ignored() -> None:
    assert isinstance(parse(record(weather="rain")), Event)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (raw(None), "no-value"),
        (raw(b""), "not-json"),
        (raw(b"\xff\xfe\x00"), "not-json"),
        (raw(b"[" * 100_000), "not-json"),
        (raw(b"17"), "not-cloudevent"),
        (raw(b"[]"), "not-cloudevent"),
        (raw(b"{}"), "not-cloudevent"),
        (record(specversion="0.3"), "not-cloudevent"),
        (record(data=None), "not-cloudevent"),
        (record(caseversion="four"), "not-cloudevent"),
        (raw(json.dumps(body(position="17")).encode()), "no-position"),
        (raw(json.dumps(body(position=0)).encode()), "no-position"),
        (raw(json.dumps(body(position=2**63)).encode()), "no-position"),
        (raw(json.dumps(body(1)).encode(), None), "no-chain-header"),
        (record(5, 5), "bad-chain"),
        (record(5, 9), "bad-chain"),
        (record(time="yesterday"), "bad-time"),
        (record(time="2026-02-13T01:02:03"), "bad-time"),
        (record(recordedat=None), "bad-time"),
        (record(reportedat="soon"), "bad-time"),
        (record(id="17"), "bad-id"),
        (record(subject="Mr Wang, 13800000000"), "bad-id"),
        (raw(json.dumps(body(1)).encode(), key=b"other"), "wrong-key"),
        (raw(json.dumps(body(1)).encode(), key=None), "wrong-key"),
    ],
)
def test_what_is_no_event_says_why(found: Record, code: str) -> None:
    assert fault(parse(found)) == code


@pytest.mark.parametrize("header", [b"", b"-1", b"1.0", b"abc", b"9" * 40, "１".encode()])
def test_a_chain_header_that_is_no_number_is_none(header: bytes) -> None:
    broken = Record(TOPIC, 2, 0, str(CASE).encode(), json.dumps(body(1)).encode(), {"previousposition": header})
    assert fault(parse(broken)) == "no-chain-header"


def test_a_reason_never_quotes_what_was_in_the_record() -> None:
    found = parse(record(subject="Mr Wang, 13800000000", time="13800000000"))
    assert isinstance(found, Unreadable)
    assert "13800000000" not in found.reason
    assert "Wang" not in found.reason


def test_an_unreadable_record_still_tells_its_case_and_its_link() -> None:
    found = parse(record(9, 4, time="yesterday"))
    assert isinstance(found, Unreadable)
    assert (found.position, found.previous, found.case_id) == (9, 4, CASE)


def test_a_record_that_is_not_from_the_relay_has_no_link() -> None:
    assert link_of(raw(b"{}")) is None
    assert link_of(raw(json.dumps(body(1)).encode(), None)) is None
    link = link_of(record(9, 4))
    assert link is not None
    assert (link.position, link.previous, link.epoch) == (9, 4, 3)


def test_every_client_s_record_becomes_the_same() -> None:
    message = namedtuple("message", ["topic", "partition", "offset", "key", "value", "headers", "timestamp"])
    pairs = [("previousposition", b"4"), ("empty", None)]
    expected = Record("t", 1, 7, b"k", b"v", {"previousposition": b"4", "empty": b""})
    assert record_of(message("t", 1, 7, b"k", b"v", pairs, 0)) == expected
    assert record_of(message("t", 1, 7, b"k", b"v", tuple(pairs), 0)) == expected
    assert record_of(message("t", 1, 7, b"k", b"v", dict(pairs), 0)) == expected
    assert record_of(message("t", 1, 7, None, None, None, 0)).headers == {}


# ---- the rule


def positions(records: list[Record], read_position: ReadPosition = START) -> list[int]:
    return [event.position for event in apply(records, {HERE: read_position}).events]


def test_the_first_record_of_a_partition_is_applied() -> None:
    applied = apply([record(3, 0, offset=0)], {}, {TOPIC: NEW})
    assert [event.position for event in applied.events] == [3]
    assert applied.read_positions == {HERE: ReadPosition(3, 0, NEW)}
    assert applied.moved == {HERE}


def test_what_was_applied_is_dropped() -> None:
    applied = apply([record(3, 0), record(5, 3)], {HERE: ReadPosition(5, 9, OLD)}, {TOPIC: OLD})
    assert (applied.events, applied.dropped, applied.held) == ([], 2, {})


def test_a_chain_is_applied_in_order() -> None:
    assert positions([record(3, 0), record(5, 3), record(9, 5)]) == [3, 5, 9]


def test_a_repeated_record_within_a_batch_is_dropped() -> None:
    assert positions([record(3, 0), record(5, 3), record(3, 0), record(5, 3), record(9, 5)]) == [3, 5, 9]


def test_a_gap_holds_the_partition() -> None:
    applied = apply([record(3, 0), record(9, 5, offset=1), record(11, 9, offset=2)], {})
    assert [event.position for event in applied.events] == [3]
    assert applied.read_positions[HERE].position == 3
    held = applied.held[HERE]
    assert (held.stored, held.previous, held.position, held.offset) == (3, 5, 9, 1)


def test_a_held_partition_goes_on_when_the_chain_reconnects() -> None:
    applied = apply([record(9, 5), record(5, 3), record(9, 5), record(11, 9)], {HERE: ReadPosition(3)})
    assert [event.position for event in applied.events] == [5, 9, 11]
    assert applied.held == {}


def test_one_partition_held_does_not_hold_another() -> None:
    there = record(4, 0)
    other = Record("water.breach.v1", 0, 0, there.key, there.value, there.headers)
    applied = apply([record(9, 5), other], {})
    assert [event.position for event in applied.events] == [4]
    assert set(applied.held) == {HERE}


def test_a_model_built_from_the_store_begins_at_the_position_it_was_built_to() -> None:
    # The chain's previous positions lie below the store position: q <= s, not q == s.
    assert positions([record(3, 0), record(90, 3), record(120, 90)], ReadPosition(100)) == [120]


def test_a_topic_made_anew_is_dropped_by_position_and_read_on_from() -> None:
    applied = apply([record(3, 0, offset=0), record(5, 3, offset=1)], {HERE: ReadPosition(5, 70, OLD)}, {TOPIC: NEW})
    assert applied.events == []
    assert applied.read_positions == {HERE: ReadPosition(5, 1, NEW)}
    assert applied.moved == frozenset()


def test_older_records_seen_again_do_not_move_the_read_position_back() -> None:
    assert apply([record(3, 0, offset=50)], {HERE: ReadPosition(5, 9, OLD)}, {TOPIC: OLD}).read_positions == {}


# ---- dead letters


def test_rubbish_becomes_a_dead_letter_and_the_next_is_applied() -> None:
    applied = apply([record(3, 0), raw(b"\xff rubbish", None, offset=8), record(5, 3)], {}, {TOPIC: NEW})
    assert [event.position for event in applied.events] == [3, 5]
    (dead_letter,) = applied.dead_letters
    assert (dead_letter.topic, dead_letter.partition, dead_letter.offset, dead_letter.topic_id) == (TOPIC, 2, 8, NEW)
    assert (dead_letter.code, dead_letter.position, dead_letter.size_bytes) == ("not-json", None, 9)
    assert dead_letter.sha256 == sha256(b"\xff rubbish").hexdigest()


def test_a_link_whose_content_cannot_be_read_does_not_stop_the_partition() -> None:
    applied = apply([record(3, 0), record(5, 3, time="yesterday"), record(9, 5)], {})
    assert [event.position for event in applied.events] == [3, 9]
    (dead_letter,) = applied.dead_letters
    assert (dead_letter.position, dead_letter.code, dead_letter.case_id) == (5, "bad-time", CASE)


def test_an_unreadable_link_is_judged_by_the_rule_as_well() -> None:
    assert apply([record(5, 3, time="x")], {HERE: ReadPosition(5)}).dead_letters == []
    held = apply([record(9, 5, time="x")], {HERE: ReadPosition(3)})
    assert held.dead_letters == []
    assert set(held.held) == {HERE}


def test_rubbish_at_the_end_leaves_the_read_position_at_the_last_event() -> None:
    applied = apply([record(3, 0, offset=0), raw(b"?", None, offset=1)], {})
    assert applied.read_positions[HERE].offset == 0


# ---- the alarm


def held_at(previous: int) -> Any:
    return apply([record(previous + 1, previous)], {HERE: ReadPosition(1)})


def test_a_hold_is_an_alarm_when_it_lasts() -> None:
    alarm = HoldAlarm(10)
    alarm.update(held_at(5), 100.0)
    assert alarm.due(109.9) == []
    assert alarm.due(110.0) == [HERE]
    assert alarm.still_s(110.0) == {HERE: 10.0}


def test_an_alarm_is_repeated_at_growing_intervals() -> None:
    alarm = HoldAlarm(10)
    alarm.update(held_at(5), 0.0)
    times = [float(t) for t in range(200) if alarm.due(float(t))]
    assert times == [10, 20, 40, 80, 160]


def test_a_partition_that_moves_is_no_alarm() -> None:
    alarm = HoldAlarm(10)
    alarm.update(held_at(5), 0.0)
    alarm.update(apply([record(2, 1)], {HERE: ReadPosition(1)}), 5.0)
    assert alarm.due(100.0) == []


def test_being_behind_the_relay_and_standing_still_is_an_alarm_too() -> None:
    alarm = HoldAlarm(10)
    alarm.compare({HERE: 7}, {HERE: ReadPosition(3)}, 0.0)
    assert alarm.due(10.0) == [HERE]
    alarm.compare({HERE: 7}, {HERE: ReadPosition(7)}, 11.0)
    assert alarm.due(100.0) == []


def test_not_being_behind_does_not_end_a_hold() -> None:
    alarm = HoldAlarm(10)
    alarm.update(held_at(5), 0.0)
    alarm.compare({HERE: 1}, {HERE: ReadPosition(1)}, 1.0)
    assert alarm.due(10.0) == [HERE]


# ---- where to read from


@pytest.mark.parametrize(
    ("read_position", "where", "offset"),
    [
        (None, PartitionLog(OLD, 0, 9), 0),
        (START, PartitionLog(OLD, 0, 9), 0),
        (ReadPosition(100, -1, None), PartitionLog(OLD, 4, 9), 4),
        (ReadPosition(5, 3, OLD), PartitionLog(OLD, 0, 9), 4),
        (ReadPosition(5, 8, OLD), PartitionLog(OLD, 0, 9), 9),
        (ReadPosition(5, 9, OLD), PartitionLog(OLD, 0, 9), 0),
        (ReadPosition(5, 3, NEW), PartitionLog(OLD, 0, 9), 0),
        (ReadPosition(5, 3, OLD), PartitionLog(OLD, 6, 9), 6),
    ],
    ids=[
        "no place",
        "nothing read",
        "built from the store",
        "behind the place",
        "at the end",
        "the log is shorter",
        "another topic of that name",
        "the head was deleted",
    ],
)
def test_reading_goes_on_behind_the_read_position_where_it_is_of_this_log(
    read_position: ReadPosition | None, where: PartitionLog, offset: int
) -> None:
    assert start_offset(read_position, where) == offset

"""The auditors' timeline: who, when it happened, was reported and recorded, and what was known at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from consumers.timeline import as_known_at, describe, missing_versions, verdicts
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse

HISTORIES = Path(__file__).parent / "histories"


def read(name: str, **changes: object) -> list[Event]:
    events = []
    for offset, line in enumerate((HISTORIES / f"{name}.jsonl").read_bytes().splitlines()):
        said = {**msgspec.json.decode(line), **changes}
        headers = {"previousposition": b"0", "epoch": b"1", "generation": b"g"}
        record = Record("water.repair.v1", 0, offset, case_key(said["subject"]), msgspec.json.encode(said), headers)
        event = parse(record)
        assert isinstance(event, Event)
        events.append(event)
    return events


EVENTS = read("repair-late-and-retracted")
LAPSED = next(event for event in EVENTS if event.type.endswith("WindowLapsed.v1"))
RETRACTED = next(event for event in EVENTS if event.type.endswith("WindowRetracted.v1"))


def test_before_it_was_taken_back_a_lapse_was_known_as_a_lapse() -> None:
    then = as_known_at(EVENTS, RETRACTED.recorded_at - timedelta(microseconds=1))
    assert LAPSED in then
    assert RETRACTED not in then
    (arrival,) = [line for line in verdicts(then) if "repair.arrival" in line]
    assert "lapsed 2026-09-16 09:30:00" in arrival
    assert "retracted" not in arrival
    (arrival,) = [line for line in verdicts(EVENTS) if "repair.arrival" in line]
    assert "lapsed 2026-09-16 09:30:00 (retracted: met-in-time)" in arrival
    assert " met at 2026-09-16 09:21:00" in arrival


def test_what_had_happened_and_was_not_told_was_not_known() -> None:
    arrived = next(event for event in EVENTS if event.type.endswith("CrewArrived.v1"))
    assert arrived.happened_at < arrived.recorded_at
    assert arrived not in as_known_at(EVENTS, arrived.happened_at)


def test_a_line_names_every_time_every_person_and_the_rules() -> None:
    event = read("repair-late-and-retracted", reportedat="2026-09-16T01:02:03Z", confirmedby="manager-2")[6]
    (line,) = describe([event])
    for words in ("reported=2026-09-16 09:02:03", "tester/crew", "+ manager-2", "standard=0225-1", "WindowLapsed"):
        assert words in line


def test_a_hole_in_the_versions_is_told() -> None:
    assert missing_versions(EVENTS) == []
    assert missing_versions([EVENTS[0], EVENTS[3]]) == [2, 3]
    assert missing_versions([]) == []
    assert as_known_at(EVENTS, datetime(2020, 1, 1, tzinfo=UTC)) == []

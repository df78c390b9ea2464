"""Yesterday's histories still read: stored bytes through today's code, one of them with what rules would now refuse.

A file holds the events of one stream, one CloudEvents JSON a line, as stored. It is never edited: a change that breaks
it breaks histories in production.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain import kinds
from infra.bus import Record, case_key
from infra.reader import Event, parse
from infra.store.envelope import CloudEventMapper, read, seal

FOLDER = Path(__file__).parent / "histories"
KINDS = {"repair": kinds.REPAIR, "connection": kinds.CONNECTION}

ENDS = {
    "repair-late-and-retracted": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:21:00+00:00", False, 0, 1),
        "repair.completion": ("2026-09-16T09:00:00+00:00", "2026-09-16T03:40:00+00:00", False, 0, 0),
    },
    "connection-lapsed": {
        "connection.water_on": ("2026-09-22T09:30:00+00:00", "2026-09-25T01:00:00+00:00", False, 1, 1),
    },
    "repair-refused-today": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T02:10:00+00:00", False, 1, 1),
        "repair.completion": ("2026-09-16T05:00:00+00:00", "2026-09-16T02:20:00+00:00", False, 0, 0),
    },
}


def lines(name: str) -> list[bytes]:
    return [line for line in (FOLDER / f"{name}.jsonl").read_bytes().splitlines() if line]


@pytest.mark.parametrize("name", sorted(ENDS))
def test_a_stored_history_folds_to_the_same_ledger(name: str) -> None:
    state: Any = None
    kind = KINDS[name.split("-")[0]]
    for line in lines(name):
        _, recorded = read(line)
        state = kind.evolve(state, recorded)
    ledger = {
        commitment: (
            known.due_at.isoformat() if known.due_at else None,
            known.met_at.isoformat() if known.met_at else None,
            known.cancelled,
            len(known.lapses),
            known.lapse_count,
        )
        for commitment, known in state.ledger.items()
    }
    assert ledger == ENDS[name]


@pytest.mark.parametrize("name", sorted(ENDS))
def test_a_stored_event_is_written_again_byte_for_byte(name: str) -> None:
    mapper = CloudEventMapper(JSONTranscoder())
    for line in lines(name):
        event, _ = read(line)
        stored = StoredEvent(event.subject, event.caseversion, event.type, line)
        again = mapper.to_stored_event(mapper.to_domain_event(stored))
        assert event.recordedat is not None
        assert seal(bytes(again.state), event.position, event.recordedat) == line


@pytest.mark.parametrize("name", sorted(ENDS))
def test_readers_outside_read_it_too(name: str) -> None:
    for line in lines(name):
        case = json.loads(line)["subject"]
        record = Record("t", 0, 0, case_key(case), line, {"previousposition": b"0"})
        assert isinstance(parse(record), Event)


def test_every_file_has_its_expected_end() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(ENDS)

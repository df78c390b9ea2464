"""Yesterday's histories still read: stored bytes through today's code, one of them with what rules would now refuse.

A file holds the events of one stream, one CloudEvents JSON a line, as stored. It is never edited: a change that breaks
it breaks histories in production.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain import kinds
from domain.kinds import Kind
from infra.eventstore.envelope import CloudEventMapper, read, recorded_of, seal
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse

FOLDER = Path(__file__).parent / "histories"
KINDS = {
    "repair": kinds.REPAIR,
    "connection": kinds.CONNECTION,
    "standards": kinds.STANDARDS,
    "calendar": kinds.CALENDAR,
    "law": kinds.LAW,
    "fees": kinds.FEES,
    "order": kinds.ORDER,
    "outage": kinds.OUTAGE,
    "mass": kinds.MASS,
    "crew": kinds.CREW,
    "squad": kinds.SQUAD,
    "person": kinds.PERSON,
    "squad-day": kinds.SQUAD_DAY,
    "consultation": kinds.CONSULTATION,
    "preservice": kinds.PRESERVICE,
    "work": kinds.WORK,
    "generations": kinds.GENERATIONS,
    "applicant": kinds.APPLICANT,
    "vault": kinds.VAULT,
    "approval": kinds.APPROVAL,
    "evidence": kinds.EVIDENCE,
    "rights": kinds.RIGHTS,
    "complaint": kinds.COMPLAINT,
    "meter": kinds.METER,
    "usage": kinds.USAGE,
    "book": kinds.BOOK,
}

ENDS = {
    "repair-continuous": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:20:00+00:00", False, 0, 0),
        "repair.completion": ("2026-09-16T09:00:00+00:00", None, True, 0, 0),
        "repair.assessment": ("2026-09-16T02:20:00+00:00", "2026-09-16T01:35:00+00:00", False, 0, 0),
        "repair.continuity": ("2026-09-16T08:00:00+00:00", "2026-09-16T07:40:00+00:00", False, 0, 1),
    },
    "repair-late-and-retracted": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:21:00+00:00", False, 0, 1),
        "repair.completion": ("2026-09-16T09:00:00+00:00", "2026-09-16T03:40:00+00:00", False, 0, 0),
    },
    "connection-lapsed": {
        "connection.water_on": ("2026-09-22T09:30:00+00:00", "2026-09-25T01:00:00+00:00", False, 1, 1),
    },
    "connection-admitted-by-silence": {
        "connection.notice": ("2026-09-23T09:30:00+00:00", None, True, 1, 1),
        "connection.water_on": ("2026-09-30T09:30:00+00:00", None, True, 1, 1),
        "connection.trips": (None, None, True, 0, 0),
    },
    "connection-papers-sent": {
        "connection.notice": ("2026-09-16T01:15:00+00:00", None, True, 0, 0),
        "connection.water_on": ("2026-09-22T09:30:00+00:00", None, True, 0, 0),
        "connection.trips": (None, None, True, 0, 0),
    },
    "connection-at-the-door": {
        "connection.notice": ("2026-09-17T09:30:00+00:00", "2026-09-16T02:20:00+00:00", False, 0, 0),
        "connection.water_on": ("2026-09-22T09:30:00+00:00", "2026-09-19T10:20:00+00:00", False, 0, 0),
        "connection.trips": (None, None, False, 1, 1),
        "connection.papers": ("2026-09-21T09:30:00+00:00", "2026-09-18T10:20:00+00:00", False, 0, 0),
    },
    "connection-declined": {
        "connection.notice": ("2026-10-14T09:30:00+00:00", None, False, 0, 0),
        "connection.water_on": ("2026-10-20T09:30:00+00:00", None, False, 0, 0),
        "connection.trips": (None, None, False, 0, 0),
    },
    "connection-ended-and-upheld": {
        "connection.water_on": ("2026-10-19T09:30:00+00:00", None, False, 0, 0),
        "connection.papers": ("2026-10-11T09:30:00+00:00", "2026-10-10T10:20:00+00:00", False, 0, 1),
        "connection.trips": (None, None, False, 0, 0),
    },
    "connection-meter-replaced": {
        "connection.water_on": ("2026-09-22T09:30:00+00:00", "2026-09-16T01:00:00+00:00", False, 0, 0),
        "connection.trips": (None, "2026-09-16T01:00:00+00:00", False, 0, 0),
    },
    "connection-satisfaction": {
        "connection.water_on": ("2026-09-22T09:30:00+00:00", "2026-09-16T01:00:00+00:00", False, 0, 0),
        "connection.trips": (None, "2026-09-16T01:00:00+00:00", False, 0, 0),
    },
    "connection-meter-verified": {
        "connection.water_on": ("2026-09-22T09:30:00+00:00", "2026-09-16T01:00:00+00:00", False, 0, 0),
        "connection.trips": (None, "2026-09-16T01:00:00+00:00", False, 0, 0),
    },
    "connection-class-and-customer-changed": {
        "connection.water_on": ("2026-09-22T09:30:00+00:00", "2026-09-16T01:00:00+00:00", False, 0, 0),
        "connection.trips": (None, "2026-09-16T01:00:00+00:00", False, 0, 0),
    },
    "connection-suspended-and-repaired": {
        "connection.water_on": ("2026-10-14T09:30:00+00:00", None, True, 0, 0),
        "connection.papers": ("2026-10-06T09:30:00+00:00", None, True, 1, 1),
        "connection.trips": (None, None, True, 0, 0),
    },
    "repair-reassessed": {
        "repair.arrival": ("2026-10-13T10:46:00+00:00", "2026-10-13T11:05:00+00:00", False, 1, 1),
        "repair.completion": ("2026-10-13T18:16:00+00:00", "2026-10-13T20:05:00+00:00", False, 1, 1),
    },
    "repair-crew-taken-away": {
        "repair.arrival": ("2026-09-16T01:34:00+00:00", None, False, 0, 0),
        "repair.completion": ("2026-09-16T05:04:00+00:00", None, False, 0, 0),
    },
    "repair-crew-delayed": {
        "repair.arrival": ("2026-09-16T01:34:00+00:00", None, False, 0, 0),
        "repair.completion": ("2026-09-16T05:04:00+00:00", None, False, 0, 0),
    },
    "repair-imported-and-dismissed": {
        "repair.arrival": (None, None, True, 0, 0),
        "repair.completion": ("2026-09-16T05:00:00+00:00", None, True, 1, 1),
    },
    "repair-imported-by-day": {
        "repair.arrival": (None, None, True, 0, 0),
        "repair.completion": (None, None, True, 0, 0),
    },
    "repair-imported-arrival-told-later": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:45:00+00:00", False, 1, 1),
        "repair.completion": ("2026-09-16T05:00:00+00:00", "2026-09-16T04:20:00+00:00", False, 0, 1),
        "repair.assessment": ("2026-09-16T02:45:00+00:00", "2026-09-16T01:50:00+00:00", False, 0, 1),
    },
    "repair-in-working-days": {
        "repair.arrival": (None, None, True, 0, 0),
        "repair.completion": ("2011-07-15T07:03:48+00:00", "2011-07-22T20:13:45+00:00", False, 1, 1),
        "repair.answer": (None, None, True, 0, 0),
    },
    "order": {"order.reply": ("2026-09-25T09:00:00+00:00", "2026-09-16T03:14:00+00:00", False, 0, 0)},
    "repair-answered": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:12:00+00:00", False, 0, 0),
        "repair.completion": ("2026-09-16T05:00:00+00:00", "2026-09-16T02:14:00+00:00", False, 0, 0),
        "repair.assessment": ("2026-09-16T02:12:00+00:00", "2026-09-16T01:14:00+00:00", False, 0, 0),
        "repair.answer": ("2026-09-17T02:14:00+00:00", "2026-09-16T02:44:00+00:00", False, 0, 0),
    },
    "repair-satisfaction": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:12:00+00:00", False, 0, 0),
        "repair.completion": ("2026-09-16T05:00:00+00:00", "2026-09-16T02:14:00+00:00", False, 0, 0),
        "repair.assessment": ("2026-09-16T02:12:00+00:00", "2026-09-16T01:14:00+00:00", False, 0, 0),
        "repair.answer": ("2026-09-17T02:14:00+00:00", "2026-09-16T02:44:00+00:00", False, 0, 0),
    },
    "repair-with-an-order": {
        "repair.arrival": ("2026-09-16T01:37:00+00:00", None, False, 1, 1),
        "repair.completion": ("2026-09-16T05:07:00+00:00", "2026-09-16T03:14:00+00:00", False, 0, 0),
        "repair.answer": ("2026-09-17T03:14:00+00:00", "2026-09-16T03:14:00+00:00", False, 0, 0),
    },
    "repair-dismissed-and-answered": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", None, True, 0, 0),
        "repair.completion": ("2026-09-16T05:00:00+00:00", None, True, 0, 0),
        "repair.answer": ("2026-09-17T01:20:00+00:00", "2026-09-16T01:27:00+00:00", False, 0, 0),
    },
    # Told before outages owed anything by a time: nothing is on record.
    "outage-planned": {},
    "outage-emergency": {},
    "outage-told": {
        "outage.notice": ("2026-09-17T02:00:00+00:00", "2026-09-16T14:11:00+00:00", False, 0, 0),
        "outage.restore": ("2026-09-18T10:00:00+00:00", "2026-09-18T10:20:00+00:00", False, 1, 1),
    },
    "outage-cancelled": {
        "outage.notice": ("2026-09-17T02:00:00+00:00", None, True, 0, 0),
        "outage.restore": ("2026-09-18T08:00:00+00:00", None, True, 0, 0),
    },
    "outage-rescheduled": {
        "outage.notice": ("2026-09-18T01:00:00+00:00", "2026-09-16T01:00:00+00:00", False, 0, 0),
        "outage.restore": ("2026-09-20T07:00:00+00:00", "2026-09-20T06:00:00+00:00", False, 0, 0),
        "outage.fire-notice": ("2026-09-20T01:00:00+00:00", "2026-09-16T03:00:00+00:00", False, 0, 0),
        "outage.change-notice": ("2026-09-19T01:00:00+00:00", "2026-09-16T04:00:00+00:00", False, 0, 0),
    },
    "outage-unannounced": {
        "outage.notice": ("2026-09-16T00:50:00+00:00", "2026-09-16T01:15:00+00:00", False, 1, 1),
    },
    "outage-emergency-retracted": {
        "outage.notice": ("2026-09-16T02:00:00+00:00", "2026-09-16T02:01:00+00:00", False, 1, 1),
        "outage.report": ("2026-09-16T03:00:00+00:00", "2026-09-16T02:30:00+00:00", False, 0, 1),
        "outage.restore": ("2026-09-16T06:00:00+00:00", "2026-09-16T05:01:00+00:00", False, 0, 0),
    },
    "usage-confirmed-after-all": {
        "usage.audit": ("2026-09-17T01:00:00+00:00", "2026-09-16T01:10:00+00:00", False, 0, 0),
        "usage.notice": ("2026-09-16T02:25:00+00:00", None, False, 1, 1),
    },
    "book-lapsed-and-read": {
        "book.read": ("2026-09-18T09:30:00+00:00", "2026-09-18T09:51:00+00:00", False, 1, 1),
    },
    "usage-confirmed-by-audit": {
        "usage.audit": ("2026-09-17T01:00:00+00:00", "2026-09-16T01:00:00+00:00", False, 0, 0),
        "usage.notice": ("2026-09-16T02:00:00+00:00", None, False, 0, 0),
    },
    "usage-retracted-and-dismissed": {
        "usage.audit": ("2026-09-17T01:00:00+00:00", "2026-09-16T01:10:00+00:00", False, 0, 0),
        "usage.notice": ("2026-09-16T02:10:00+00:00", "2026-09-16T01:42:00+00:00", False, 0, 1),
    },
    "usage-told-and-settled": {
        "usage.audit": ("2026-09-17T01:00:00+00:00", "2026-09-16T01:20:00+00:00", False, 0, 0),
        "usage.notice": ("2026-09-16T02:20:00+00:00", "2026-09-16T02:00:00+00:00", False, 0, 0),
    },
    "repair-apologised": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:36:00+00:00", False, 1, 1),
        "repair.completion": ("2026-09-16T05:00:00+00:00", None, False, 0, 0),
        "repair.assessment": ("2026-09-16T02:36:00+00:00", None, False, 0, 0),
    },
    "repair-merged": {
        # The other incident promises what this one promised.
        "repair.arrival": ("2026-09-16T01:32:00+00:00", None, True, 0, 1),
        "repair.completion": ("2026-09-16T05:02:00+00:00", None, True, 0, 0),
    },
    "repair-evidence-rejected": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", None, False, 1, 1),
        "repair.completion": ("2026-09-16T05:00:00+00:00", None, False, 1, 1),
        # Nobody came and nothing was done: neither an assessment nor an answer was ever owed.
        "repair.assessment": ("2026-09-16T02:00:00+00:00", None, True, 0, 0),
        "repair.answer": ("2026-09-17T02:00:00+00:00", None, True, 0, 1),
    },
    "repair-evidence-supplied": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:12:00+00:00", False, 0, 0),
        "repair.completion": ("2026-09-16T05:00:00+00:00", "2026-09-16T02:17:00+00:00", False, 0, 0),
        "repair.assessment": ("2026-09-16T02:12:00+00:00", "2026-09-16T01:17:00+00:00", False, 0, 0),
        "repair.answer": ("2026-09-17T02:17:00+00:00", None, False, 0, 0),
    },
    # The evidence came when the arrival had lapsed for want of it.
    "repair-evidence-late": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:12:00+00:00", False, 0, 1),
        "repair.completion": ("2026-09-16T05:00:00+00:00", "2026-09-16T02:17:00+00:00", False, 0, 0),
        "repair.assessment": ("2026-09-16T02:12:00+00:00", "2026-09-16T01:17:00+00:00", False, 0, 0),
        "repair.answer": ("2026-09-17T02:17:00+00:00", None, False, 1, 1),
    },
    "repair-escalated-and-retracted": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T01:24:00+00:00", False, 0, 1),
        "repair.completion": ("2026-09-16T05:00:00+00:00", None, False, 0, 0),
        "repair.assessment": ("2026-09-16T02:24:00+00:00", None, False, 0, 0),
    },
    "connection-escalated-and-taken-in-hand": {
        "connection.water_on": ("2026-09-22T09:30:00+00:00", None, False, 1, 1),
        "connection.trips": (None, None, False, 0, 0),
    },
    "usage-escalated-and-taken-in-hand": {
        "usage.audit": ("2026-09-17T01:00:00+00:00", None, False, 1, 1),
    },
    "repair-refused-today": {
        "repair.arrival": ("2026-09-16T01:30:00+00:00", "2026-09-16T02:10:00+00:00", False, 1, 1),
        "repair.completion": ("2026-09-16T05:00:00+00:00", "2026-09-16T02:20:00+00:00", False, 0, 0),
    },
}


FILES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def kind_of(name: str) -> Kind:
    return KINDS[name] if name in KINDS else KINDS[name.split("-")[0]]


def lines(name: str) -> list[bytes]:
    return [line for line in (FOLDER / f"{name}.jsonl").read_bytes().splitlines() if line]


@pytest.mark.parametrize("name", sorted(ENDS))
def test_a_stored_history_folds_to_the_same_ledger(name: str) -> None:
    state: Any = None
    kind = kind_of(name)
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


@pytest.mark.parametrize("name", FILES)
def test_a_stored_event_is_written_again_byte_for_byte_but_for_fields_that_came_later(name: str) -> None:
    mapper = CloudEventMapper(JSONTranscoder())
    for line in lines(name):
        event, _ = read(line)
        stored = StoredEvent(event.subject, event.caseversion, event.type, line)
        again = mapper.to_stored_event(mapper.to_domain_event(stored))
        assert event.recordedat is not None
        written = seal(bytes(again.state), event.position, event.recordedat)
        assert _without_later_fields(written, line) == line


def _without_later_fields(written: bytes, line: bytes) -> bytes:
    """What is written today, its data cut down to the fields that the stored event has, in the order of today."""
    event = msgspec.json.decode(written, type=dict[str, msgspec.Raw])
    event["data"] = _cut(event["data"], json.loads(line)["data"])
    return msgspec.json.encode(event)


def _cut(raw: msgspec.Raw, known: dict[str, Any]) -> msgspec.Raw:
    """The object's fields that were known already, and the same of every object within it: drafts hold a document."""
    found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    assert set(known) <= set(found)
    return msgspec.Raw(
        msgspec.json.encode({name: _cut_within(found[name], known[name]) for name in found if name in known})
    )


def _cut_within(raw: msgspec.Raw, known: Any) -> msgspec.Raw:
    if isinstance(known, dict):
        return _cut(raw, known)
    if isinstance(known, list):
        each = zip(msgspec.json.decode(raw, type=list[msgspec.Raw]), known, strict=True)
        return msgspec.Raw(msgspec.json.encode([_cut_within(one, its) for one, its in each]))
    return raw


@pytest.mark.parametrize("name", FILES)
def test_readers_outside_read_it_too(name: str) -> None:
    for line in lines(name):
        case = json.loads(line)["subject"]
        record = Record("t", 0, 0, case_key(case), line, {"previousposition": b"0"})
        assert isinstance(parse(record), Event)


@pytest.mark.parametrize("name", sorted(set(FILES) - set(ENDS)))
def test_a_stream_without_limits_folds_to_a_state(name: str) -> None:
    kind, state = kind_of(name), None
    assert kind.obligations is None
    for line in lines(name):
        before, (_, recorded) = state, read(line)
        state = kind.evolve(state, recorded)
        assert state is not None
        assert state != before


@pytest.mark.parametrize("name", FILES)
def test_a_history_folded_at_once_is_the_same_state_at_every_event(name: str) -> None:
    kind, state, facts = kind_of(name), None, []
    for line in lines(name):
        _, recorded = read(line)
        assert recorded_of(line) == recorded
        facts.append(recorded)
        state = kind.evolve(state, recorded)
        assert kinds.folded(kind, facts) == state


def test_every_history_of_a_case_with_limits_has_its_expected_end() -> None:
    assert {name for name in FILES if kind_of(name).obligations is not None} == set(ENDS)


def test_every_type_that_can_be_stored_is_in_a_history() -> None:
    stored = {json.loads(line)["type"] for name in FILES for line in lines(name)}
    assert set(kinds.REGISTRY.types) - stored == set()

"""Kinds of case: told by a stream's first event, and each promise by its kind's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain import kinds
from domain.kinds import Kind
from domain.publication.standards import COMMITMENTS

HISTORIES = Path(__file__).parent / "histories"


def test_a_stream_is_of_the_kind_that_its_first_event_opens() -> None:
    assert kinds.opened_as("water.repair.FaultReported.v1") is kinds.REPAIR
    assert kinds.opened_as("water.connection.ApplicationReceived.v1") is kinds.CONNECTION


def test_a_stream_that_owes_nothing_is_of_no_such_kind() -> None:
    assert kinds.opened_as("water.repair.MassDeclared.v1") is None
    assert kinds.opened_as("water.repair.CrewArrived.v1") is None, "not how a case begins"


@pytest.mark.parametrize("kind", kinds.PROMISING, ids=lambda kind: kind.name)
def test_every_case_with_promises_begins_as_its_kind_says(kind: Kind) -> None:
    assert kind.obligations is not None
    assert kind.opened_by, "the watch could not tell what to ask"


def test_every_promise_is_named_after_its_kind_of_case() -> None:
    named = {commitment.partition(".")[0] for commitment in COMMITMENTS}
    assert named == {kind.name for kind in kinds.PROMISING}


def test_stored_cases_begin_with_what_opens_their_kind() -> None:
    for kind in kinds.PROMISING:
        for path in HISTORIES.glob(f"{kind.name}-*.jsonl"):
            first = json.loads(path.read_bytes().splitlines()[0])["type"]
            assert kinds.opened_as(first) is kind, path.name

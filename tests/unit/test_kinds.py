"""Kinds of case: told by a stream's first event, and each promise by its kind's name."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path

import pytest

import domain
from domain import kinds
from domain.kernel.facts import DECLARED, fact
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


def test_every_fact_that_is_declared_anywhere_is_in_the_registry() -> None:
    for module in pkgutil.walk_packages(domain.__path__, "domain."):
        importlib.import_module(module.name)
    assert set(DECLARED) == {cls for _, cls in kinds.REGISTRY.names}


def test_a_second_fact_of_one_name_on_a_topic_is_refused() -> None:
    with pytest.raises(ValueError, match="CrewDispatched is declared twice"):

        @fact("派单", "crew sent", topic="repair")
        class CrewDispatched:
            crew: str


def test_the_stage_that_a_fact_leads_to_is_one_of_its_kinds() -> None:
    for cls, declared in DECLARED.items():
        stages = {stage for kind in kinds.PROMISING if kind.topic in declared.topics for stage in kind.stages}
        assert declared.stage is None or declared.stage in stages, cls


def test_no_two_kinds_number_their_cases_alike() -> None:
    prefixes = [kind.number_prefix for kind in vars(kinds).values() if isinstance(kind, Kind) and kind.number_prefix]
    assert len(prefixes) == len(set(prefixes)) == 9

"""The table of faults done to the relay, each asserted: nothing lost, nothing doubled in effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from infra.settings import RelayProducer
from tests.faults import relay_faults
from tests.faults.relay_faults import FAULTS, Outcome, Parts
from tests.integration.relaying import over_producers

QUICK_ONES = ("zombie", "topic_made_anew")


@pytest.fixture(scope="module")
def its() -> Iterator[Parts]:
    with relay_faults.parts() as found:
        yield found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    over_producers(metafunc)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.__name__, marks=() if fault.__name__ in QUICK_ONES else (pytest.mark.slow,))
        for fault in FAULTS
    ],
)
def test_a_fault_loses_nothing_and_doubles_nothing(
    its: Parts, fault: Callable[[Parts], Outcome], relay_producer: RelayProducer
) -> None:
    its.producer = relay_producer
    outcome = fault(its)
    assert outcome.events > 0, outcome
    assert (outcome.lost, outcome.doubled) == (0, 0), outcome

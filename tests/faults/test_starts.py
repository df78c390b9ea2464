"""Whatever happens while everything starts: it comes up."""

from __future__ import annotations

import random

import pytest

from tests.faults import starts

pytestmark = pytest.mark.slow


def test_a_start_in_whose_first_seconds_processes_are_killed_comes_up() -> None:
    seed = random.randrange(1_000_000)
    found = starts.start("killed", 1, random.Random(seed), deadline_s=240)
    assert not found.failure, f"seed {seed}: {found}"
    assert len(found.killed) == starts.KILLS


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_starts_in_a_row_on_a_busy_machine_come_up() -> None:
    with starts.busy_machine():
        found = [starts.start("busy", number) for number in range(1, 11)]
    assert not [one for one in found if one.failure], "\n".join(map(str, found))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_starts_in_a_row_under_kills_come_up() -> None:
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    found = [starts.start("killed", number, chance) for number in range(1, 11)]
    assert not [one for one in found if one.failure], f"seed {seed}\n" + "\n".join(map(str, found))

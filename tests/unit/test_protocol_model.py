"""Whatever fails, in whatever order: a reader applies each event of a partition once, in order, and misses none."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.unit.protocol_model import FLAWS, Broken, World

RUNS = int(os.environ.get("PROTOCOL_RUNS", "3000"))
FIRST_SEED = int(os.environ.get("PROTOCOL_SEED", "1"))
"""`PROTOCOL_RUNS=100000 PROTOCOL_SEED=7 pytest tests/unit/test_protocol_model.py` tries others."""

SEEDS_FOR_A_FLAW = 4_000


def run(seed: int, *flaws: str) -> World:
    world = World(seed, flaws)
    try:
        world.run()
    except Broken as broken:
        raise Broken(f"seed {seed}: {broken}") from broken
    return world


def test_every_event_is_applied_once_and_in_order_whatever_fails() -> None:
    happened: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + RUNS):
        happened.update(run(seed).happened)
    assert min(happened.values()) > RUNS / 10, f"something hardly ever happened, so little was shown: {happened}"


@pytest.mark.parametrize("flaw", FLAWS)
def test_the_model_notices_every_deliberate_mistake(flaw: str) -> None:
    for seed in range(SEEDS_FOR_A_FLAW):
        try:
            World(seed, [flaw]).run()
        except Broken:
            return
    pytest.fail(f"{SEEDS_FOR_A_FLAW} runs with the flaw {flaw} and no invariant broken: the model cannot see it")


def test_a_run_is_its_seed() -> None:
    first, second = run(FIRST_SEED), run(FIRST_SEED)
    assert first.happened == second.happened
    assert first.readers[0].applied == second.readers[0].applied
    assert first.broker.logs == second.broker.logs

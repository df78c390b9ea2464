"""Commands that wait: each is served once, those that share a stream or a key one after the other and in order."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from infra.eventstore.command_queue import CommandQueue


@dataclass(frozen=True)
class Asked:
    """A command: when it was put, its streams, its key."""

    number: int
    places: frozenset[int]
    key: int

    @property
    def streams(self) -> set[UUID]:
        return {UUID(int=place) for place in self.places}

    @property
    def scoped_key(self) -> tuple[str, str]:
        return "scope", str(self.key)


SHAPES = st.lists(st.tuples(st.frozensets(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 20)), max_size=40)


def shares(one: Asked, other: Asked) -> bool:
    return bool(one.places & other.places) or one.key == other.key


@given(SHAPES, st.integers(1, 8))
def test_what_shares_a_stream_or_a_key_is_served_in_order_and_never_at_once(
    shapes: list[tuple[frozenset[int], int]], most: int
) -> None:
    queue: CommandQueue[Asked] = CommandQueue(most)
    commands = [Asked(number, places, key) for number, (places, key) in enumerate(shapes)]
    under_way: list[Asked] = []
    served: list[Asked] = []
    wrong: list[str] = []
    guard = threading.Lock()

    def serve() -> None:
        while batch := queue.take():
            with guard:
                for number, one in enumerate(batch):
                    others = [*under_way, *batch[:number]]
                    wrong.extend(f"{one} beside {other}" for other in others if shares(one, other))
                under_way.extend(batch)
                served.extend(batch)
            with guard:
                for one in batch:
                    under_way.remove(one)
            queue.done(batch)

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    for command in commands:
        queue.put(command)
    queue.close()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert sorted(served, key=lambda one: one.number) == commands
    for number, one in enumerate(served):
        assert not [other for other in served[:number] if shares(one, other) and other.number > one.number]


def test_another_thread_gets_what_nothing_under_way_holds() -> None:
    queue: CommandQueue[Asked] = CommandQueue(100)
    first, same, later, free = (
        Asked(0, frozenset({1}), 0),
        Asked(1, frozenset({1, 2}), 1),
        Asked(2, frozenset({2}), 2),
        Asked(3, frozenset({3}), 3),
    )
    queue.put(first)
    assert queue.take() == [first]
    for command in (same, later, free):
        queue.put(command)
    assert queue.take() == [free], "what a held command needs is held for it"
    queue.done([first])
    assert queue.take() == [same]
    queue.close()
    queue.done([same])
    assert queue.take() == [later]
    queue.done([later, free])
    assert queue.take() == []

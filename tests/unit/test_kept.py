"""What is worked out once for many who ask."""

from __future__ import annotations

import threading

import pytest

from api.http.kept import Kept


def test_a_value_is_worked_out_again_when_it_is_too_old() -> None:
    now, made = [100.0], iter(range(9))
    kept = Kept[int](30, monotonic=lambda: now[0])
    assert [kept.get(lambda: next(made)) for _ in range(3)] == [0, 0, 0]
    now[0] += 29.9
    assert kept.get(lambda: next(made)) == 0
    now[0] += 0.1
    assert kept.get(lambda: next(made)) == 1


def test_each_question_has_its_own_value_and_the_oldest_is_forgotten() -> None:
    made = iter(range(9))
    kept = Kept[int](30, most=2)
    assert [kept.get(lambda: next(made), each) for each in "abab"] == [0, 1, 0, 1]
    assert [kept.get(lambda: next(made), each) for each in "ca"] == [2, 3], "the first one had to go"
    assert kept.get(lambda: next(made), "c") == 2


def test_nothing_is_kept_for_no_time() -> None:
    made = iter(range(9))
    kept = Kept[int](0)
    assert [kept.get(lambda: next(made)) for _ in range(3)] == [0, 1, 2]


def test_a_failure_is_not_kept() -> None:
    kept = Kept[int](30)

    def fail() -> int:
        raise LookupError("the store is away")

    with pytest.raises(LookupError):
        kept.get(fail)
    assert kept.get(lambda: 7) == 7


def test_many_who_ask_at_once_get_one_count() -> None:
    kept, calls, gate = Kept[int](30), list[int](), threading.Event()

    def count() -> int:
        gate.wait(10)
        calls.append(1)
        return len(calls)

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(kept.get(count))) for _ in range(8)]
    for each in threads:
        each.start()
    gate.set()
    for each in threads:
        each.join(10)
    assert (found, len(calls)) == ([1] * 8, 1)

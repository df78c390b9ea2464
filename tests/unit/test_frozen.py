"""``frozen`` is ``dataclass(frozen=True, slots=True)`` in all that can be seen of it; only making one is cheaper."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from inspect import signature
from typing import Any

import msgspec
import pytest

from domain.deadlines.windows import OnRecord, Window
from domain.kernel.copies import changed
from domain.kernel.facts import Moment
from domain.kernel.frozen import frozen


@frozen
class Pipe:
    """What the tests make."""

    number: int
    material: str = "iron"
    valves: Mapping[str, int] = field(default_factory=dict)


@frozen(order=True, kw_only=True)
class Named:
    first: int
    second: int = 2


@dataclass(frozen=True, slots=True)
class Usual:
    number: int
    material: str = "iron"
    valves: Mapping[str, int] = field(default_factory=dict)


def test_it_looks_like_a_dataclass_of_the_usual_kind() -> None:
    assert [each.name for each in fields(Pipe)] == [each.name for each in fields(Usual)]
    assert repr(Pipe(1, valves={"a": 2})) == repr(Usual(1, valves={"a": 2})).replace("Usual", "Pipe")
    assert list(signature(Pipe).parameters) == list(signature(Usual).parameters)
    assert Pipe.__match_args__ == Usual.__match_args__
    assert type(Pipe(1)) is Pipe
    assert not hasattr(Pipe(1), "__dict__")


def test_equality_order_and_hash_are_those_of_the_fields() -> None:
    assert Pipe(1) == Pipe(1, "iron", {})
    assert Pipe(1) != Pipe(2)
    assert Named(first=1, second=3) > Named(first=1)
    assert hash(Moment(1, 2)) == hash(Moment(1, 2))  # type: ignore[arg-type]
    assert Pipe(1).valves is not Pipe(1).valves


def test_no_field_can_be_set_or_taken_away() -> None:
    one: Any = Pipe(1)
    with pytest.raises(FrozenInstanceError):
        one.number = 2
    with pytest.raises(FrozenInstanceError):
        del one.number
    with pytest.raises((FrozenInstanceError, TypeError)):
        one.__class__ = Named


def test_what_is_missing_or_too_much_is_a_type_error_as_usual() -> None:
    wrong: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = (
        ((), {}),
        ((1, "iron", {}, 4), {}),
        ((1,), {"colour": "red"}),
        ((1,), {"number": 1}),
    )
    for made in (Pipe, Usual):
        for values, named in wrong:
            with pytest.raises(TypeError):
                made(*values, **named)


def test_copies_of_every_kind_are_equal() -> None:
    one = Pipe(1, "lead", {"a": 1})
    assert (
        copy.copy(one) == copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == replace(one) == changed(one) == one
    )
    assert replace(one, material="iron") == changed(one, material="iron") == Pipe(1, "iron", {"a": 1})


def test_a_copy_with_changes_is_frozen_and_the_one_before_stays() -> None:
    usual = Usual(1)
    after = changed(usual, number=2)
    assert (usual, after) == (Usual(1), Usual(2))
    assert type(after) is Usual
    with pytest.raises(FrozenInstanceError):
        after.number = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        changed(usual, colour="red")


def test_json_is_read_and_written_as_of_a_dataclass() -> None:
    read = msgspec.json.decode(b'{"number": 3}', type=Pipe)
    assert (read, type(read)) == (Pipe(3), Pipe)
    assert msgspec.json.encode(read) == msgspec.json.encode(Usual(3))
    with pytest.raises(FrozenInstanceError):
        read.number = 4  # type: ignore[misc]


def test_a_class_with_a_base_or_a_post_init_is_not_taken() -> None:
    with pytest.raises(TypeError, match="has a base"):
        frozen(type("Below", (Usual,), {}))
    with pytest.raises(TypeError, match="__post_init__"):
        frozen(type("Later", (), {"__post_init__": lambda self: None}))


def test_what_an_evaluation_makes_by_the_dozen_is_made_so() -> None:
    several: tuple[Any, ...] = (Window, OnRecord, Moment)
    for made in several:
        assert made.__init__ is object.__init__

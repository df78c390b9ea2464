"""``changed``: what ``dataclasses.replace`` does, at a quarter of its cost, for the folds of long histories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


def changed(one: T, **changes: Any) -> T:
    """A copy of a dataclass instance (of at least two fields, all taken by its ``__init__``) with fields changed."""
    cls: Any = type(one)
    getter, places = _shape(cls)
    values = list(getter(one))
    for name, value in changes.items():
        values[places[name]] = value
    copy: T = cls(*values)
    return copy


@cache
def _shape(cls: Any) -> tuple[Callable[[Any], tuple[Any, ...]], Mapping[str, int]]:
    names = [field.name for field in fields(cls)]
    return attrgetter(*names), {name: place for place, name in enumerate(names)}

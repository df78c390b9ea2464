"""``frozen``: a frozen dataclass with slots whose instances are made at a quarter of the cost.

What ``dataclass(frozen=True)`` makes writes each field by ``object.__setattr__``, which looks the name up every time.
To judge a case makes some fifty such objects, and that was an eighth of the processor time of a lapse. Here an object
is filled while it is an instance of an open class with the same slots, and is then handed over to the frozen one;
nobody sees it before. Fields, equality, order, hash, ``replace`` and the refusal to be changed are the dataclass's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

_NOT_GIVEN = object()
"""In place of a value that the field's own factory makes."""


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, eq: bool = ..., order: bool = ..., kw_only: bool = ...) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True)
def frozen(cls: type[Any] | None = None, /, **options: bool) -> Any:
    """As ``dataclass(frozen=True, slots=True)``. The class has no ``__post_init__``, no bases and no subclasses.

    Raises TypeError where it has one of the first two.
    """

    def make(cls: type[Any]) -> Any:
        if cls.__bases__ != (object,) or hasattr(cls, "__post_init__"):
            raise TypeError(f"{cls.__name__} has a base or a __post_init__; make it a dataclass of the usual kind")
        made: Any = dataclass(frozen=True, slots=True, **options)(cls)
        made.__new__ = _maker(made)
        made.__reduce__ = _reduced
        del made.__init__
        return made

    return make if cls is None else make(cls)


@cache
def opened(cls: Any) -> type[Any]:
    """A class with the slots of a frozen one, whose instances can be changed and become the frozen one's by their
    ``__class__``."""
    return type(f"Open{cls.__name__}", (), {"__slots__": tuple(cls.__slots__)})


def function(name: str, parameters: Iterable[str], body: Iterable[str], known: Mapping[str, Any]) -> Any:
    """A function from its lines, as the standard library makes those of a dataclass. ``known``: its globals."""
    found: dict[str, Any] = {}
    lines = [f"def {name}({', '.join(parameters)}):", *(f"    {line}" for line in body)]
    exec("\n".join(lines), dict(known), found)
    return found[name]


def _maker(cls: Any) -> Any:
    """The ``__new__`` of the class; an ``__init__`` is not called any more."""
    known: dict[str, Any] = {"_new": object.__new__, "_open": opened(cls), "_not_given": _NOT_GIVEN}
    parameters = [_parameter(each, known) for each in fields(cls) if not each.kw_only]
    by_name = [_parameter(each, known) for each in fields(cls) if each.kw_only]
    body = ["_made = _new(_open)"]
    for each in fields(cls):
        value = each.name
        if each.default_factory is not MISSING:
            value = f"_make_{each.name}() if {each.name} is _not_given else {each.name}"
        body.append(f"_made.{each.name} = {value}")
    signature = ["_cls", *parameters, *(["*", *by_name] if by_name else [])]
    maker = function("__new__", signature, [*body, "_made.__class__ = _cls", "return _made"], known)
    maker.__annotations__ = {name: said for name, said in cls.__init__.__annotations__.items() if name != "return"}
    maker.__qualname__ = f"{cls.__qualname__}.__new__"
    return maker


def _parameter(each: Field[Any], known: dict[str, Any]) -> str:
    if not each.init:
        raise TypeError(f"the field {each.name} is not given when an object is made; leave it out")
    if each.default_factory is not MISSING:
        known[f"_make_{each.name}"] = each.default_factory
        return f"{each.name}=_not_given"
    if each.default is not MISSING:
        known[f"_default_{each.name}"] = each.default
        return f"{each.name}=_default_{each.name}"
    return each.name


def _reduced(one: Any) -> tuple[Any, ...]:
    """For ``copy`` and ``pickle``, which else would make one without its fields."""
    names = [each.name for each in fields(one)]
    values = attrgetter(*names)(one)
    return _of_names, (type(one), dict(zip(names, values if len(names) > 1 else (values,), strict=True)))


def _of_names(cls: type[T], named: Mapping[str, Any]) -> T:
    return cls(**named)

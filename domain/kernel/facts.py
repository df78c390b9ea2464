"""What a fact is, and the registry that gives every fact its public name.

A fact is a frozen dataclass that carries only what happened. The store shell adds case, version, times and actor
(``Recorded`` is what a fold sees of them). A public type name is ``water.<family>.<Fact>.v1``; families are the homes
of the published topics, so one fact class may stand in more than one family (a window opens in repairs and in
connections alike).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from domain.kernel.messages import Message

Fact = Any
"""Any registered fact class's instance. (The families' own unions are narrower.)"""


@dataclass(frozen=True, slots=True)
class EventToAppend:
    """A fact that a decision returns, with the time it claims.

    ``happened_at`` is when it happened as claimed, ``reported_at`` when a device or operator took it down, if known.
    Both are aware datetimes in UTC. ``tells``: whom it is to be told; the message waits for the sender from the
    transaction on that takes the fact, under the fact's own event id.
    """

    fact: Fact
    happened_at: datetime
    reported_at: datetime | None = None
    tells: Message | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact in its case's stream, as a fold sees it: with who said it, in which role, over which channel."""

    fact: Fact
    event_id: UUID
    version: int
    happened_at: datetime
    actor: str = ""
    role: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """When something happened, and the event that says so; sorts by time, ties by event id."""

    at: datetime
    by: UUID


@lru_cache(maxsize=16_384)
def event_id(case_id: UUID, version: int) -> UUID:
    """The id of a case's event: known from case and version alone, so a repeated append cannot mint a second one."""
    return uuid5(case_id, str(version))


@dataclass(frozen=True, slots=True)
class Registry:
    """Fact class ↔ public type name, both ways."""

    names: dict[tuple[str, type], str]
    types: dict[str, tuple[str, type]]

    def name(self, family: str, fact: Fact) -> str:
        return self.names[family, type(fact)]


def registry(families: Iterable[tuple[str, Iterable[type]]]) -> Registry:
    """A registry of the given families. Raises ValueError where a name would be given twice."""
    names: dict[tuple[str, type], str] = {}
    types: dict[str, tuple[str, type]] = {}
    for family, classes in families:
        for cls in classes:
            name = f"water.{family}.{cls.__name__}.v1"
            if name in types:
                raise ValueError(f"the type name {name} is given twice")
            names[family, cls] = name
            types[name] = (family, cls)
    return Registry(names, types)

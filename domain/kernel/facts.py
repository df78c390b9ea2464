"""What a fact is, and the one place where it says what it is called and where it is published.

A fact is a frozen dataclass that carries only what happened. The store adds case, version, times and actor
(``Recorded`` is what a fold sees of them). ``@fact`` declares one: its Chinese and English name, its topic, and the
stage that it takes a case to. Registry, event contract, labels of the pages and routing are derived from that.

A public type name is ``water.<topic>.<Fact>.v1``. A fact that cases of several topics share (a window opens in repairs
and in connections alike) has one public type in each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha1
from typing import Any, Literal, NamedTuple, TypeVar, dataclass_transform
from uuid import UUID

from domain.kernel.frozen import frozen
from domain.kernel.messages import Message

Fact = Any
"""An instance of any class that ``@fact`` declares."""

Topic = Literal["repair", "connection", "usage", "public", "crew", "office"]
TOPICS: Mapping[Topic, str] = {
    "repair": "Incidents, outages, mass incidents and the orders of other bodies.",
    "connection": "Applications for water, consultations and service before building.",
    "usage": "Meters, abnormal use of water, reading rounds.",
    "public": "What is published: standards, calendars, fee catalogues, works for the community.",
    "crew": "Crews, and squads with their bookings.",
    "office": "Which cases an applicant's pseudonym made commitments in. Restricted.",
}
"""Every topic that facts are published on, as it stands in a public type name, and what is published there."""

CASE_TOPICS: tuple[Topic, ...] = ("repair", "connection", "usage")
"""The topics of cases with promises: the facts about windows and alerts are published on each of them."""

F = TypeVar("F")


class Name(NamedTuple):
    """What people are shown for a code."""

    zh: str
    en: str


@frozen
class Declaration:
    """What ``@fact`` says of a fact's class. ``stage``: the stage that the fact takes its case to, where that does not
    depend on its data. ``on_breach_topic``: whether a copy is published for those who watch breaches.
    ``changes_rules``: whether later decisions follow other rules from it on."""

    name: Name
    topics: tuple[Topic, ...]
    stage: str | None
    on_breach_topic: bool
    changes_rules: bool


DECLARED: dict[type, Declaration] = {}
"""Every fact class that was imported, in the order of its definition."""


@dataclass_transform(frozen_default=True)
def fact(
    zh: str,
    en: str,
    *,
    topic: Topic | tuple[Topic, ...],
    stage: str | None = None,
    on_breach_topic: bool = False,
    changes_rules: bool = False,
) -> Callable[[type[F]], type[F]]:
    """Declare a fact: makes the class a frozen dataclass with slots, and registers what ``Declaration`` describes.

    Raises ValueError where a topic would get two facts of one name.
    """
    topics = (topic,) if isinstance(topic, str) else topic

    def declare(cls: type[F]) -> type[F]:
        made = frozen(cls)
        for other, declared in DECLARED.items():
            if other.__name__ == made.__name__ and set(declared.topics) & set(topics):
                raise ValueError(
                    f"the fact {made.__name__} is declared twice, in {other.__module__} and {made.__module__}"
                )
        DECLARED[made] = Declaration(Name(zh, en), topics, stage, on_breach_topic, changes_rules)
        return made

    return declare


@frozen
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


@frozen
class Recorded:
    """A fact in its case's stream, as a fold sees it: with who said it, in which role, over which channel."""

    fact: Fact
    event_id: UUID
    version: int
    happened_at: datetime
    actor: str = ""
    role: str = ""
    channel: str = ""


@frozen(order=True)
class Moment:
    """When something happened, and the event that says so; sorts by time, ties by event id."""

    at: datetime
    by: UUID


_ALL_BUT_VERSION = ~(0xF << 76 | 0x3 << 62)
_VERSION_5 = 5 << 76 | 0x2 << 62


@lru_cache(maxsize=16_384)
def event_id(case_id: UUID, version: int) -> UUID:
    """The id of a case's event: known from case and version alone, so a repeated append cannot mint a second one."""
    # As uuid.uuid5 makes it, without its look at every other way to give a UUID.
    digest = sha1(case_id.bytes + str(version).encode(), usedforsecurity=False).digest()
    return UUID(int=int.from_bytes(digest[:16]) & _ALL_BUT_VERSION | _VERSION_5)


@frozen
class Registry:
    """Fact class ↔ public type name, both ways."""

    names: dict[tuple[Topic, type], str]
    types: dict[str, tuple[Topic, type]]

    def name(self, topic: Topic, fact: Fact) -> str:
        return self.names[topic, type(fact)]

    def having(self, matches: Callable[[Declaration], bool]) -> frozenset[str]:
        """The public type names of the facts whose declaration matches."""
        return frozenset(name for name, (_, cls) in self.types.items() if matches(DECLARED[cls]))


def registry() -> Registry:
    """The registry of every fact that is declared; ``domain.kinds`` imports all of them before it asks."""
    names = {
        (topic, cls): f"water.{topic}.{cls.__name__}.v1"
        for cls, declared in DECLARED.items()
        for topic in declared.topics
    }
    return Registry(names, {name: entry for entry, name in names.items()})

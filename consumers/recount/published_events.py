"""An event as the recount reads it: published CloudEvents JSON, from a topic or from a line of a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from infra.readers.record import Event

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """One published event. ``name`` is the fact's, without topic and version; ``at``: when it happened as claimed."""

    position: int
    id: UUID
    type: str
    case: UUID
    version: int
    at: datetime
    recorded_at: datetime
    channel: str
    data: dict[str, Any]
    command: str = ""

    @property
    def name(self) -> str:
        return self.type.split(".")[2]

    @property
    def moment(self) -> tuple[datetime, UUID]:
        """What facts are ordered by: when it happened, of two at one instant by the event's id."""
        return self.at, self.id


@dataclass(eq=False)
class BadLineError(Exception):
    """A line of a file is no published event. What was in it is not repeated: it may be somebody's phone number."""

    line: int

    def __str__(self) -> str:
        return (
            f"bad-event: line {self.line} is not a published event; needed one CloudEvents JSON a line, as "
            "`tongshui timeline --json` prints it"
        )


def from_topic(event: Event) -> PublishedEvent:
    """An event that was read from a topic."""
    return PublishedEvent(
        event.position,
        event.id,
        event.type,
        event.case_id,
        event.version,
        event.happened_at,
        event.recorded_at,
        event.channel,
        event.data,
        event.command_id,
    )


def from_lines(lines: Iterable[bytes]) -> Iterator[PublishedEvent]:
    """The events of a file of JSON lines; empty lines are passed over. Raises BadLineError."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield from_line(line)
            except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                raise BadLineError(number) from error


def from_line(line: bytes) -> PublishedEvent:
    """The event of one line."""
    found = json.loads(line)
    said = PublishedEvent(
        int(found["position"]),
        UUID(found["id"]),
        found["type"],
        UUID(found["subject"]),
        int(found["caseversion"]),
        instant(found["time"]),
        instant(found["recordedat"]),
        found.get("channel", ""),
        dict(found["data"]),
        found.get("commandid", ""),
    )
    return said if said.name and said.at.tzinfo and said.recorded_at.tzinfo else _no_event()


def _no_event() -> PublishedEvent:
    raise ValueError("not an event")


def instant(text: str) -> datetime:
    """A published time."""
    return datetime.fromisoformat(text)


def instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else instant(text)


def first(said: Iterable[PublishedEvent]) -> PublishedEvent | None:
    """The one that happened first; None where there is none."""
    return min(said, key=lambda each: each.moment, default=None)


def named(events: Iterable[PublishedEvent], *names: str) -> list[PublishedEvent]:
    """The events of these names, in the order in which they were told."""
    return [event for event in events if event.name in names]


def in_time_order(said: Iterable[PublishedEvent]) -> list[PublishedEvent]:
    """In the order in which they happened."""
    return sorted(said, key=lambda each: each.moment)

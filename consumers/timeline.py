"""``tongshui timeline``: everything that happened to a case, rebuilt from Kafka alone.

An auditor needs no access to the store: the topics hold every event of every case, in order, for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from consumers.coverage import TopicReading
from consumers.verdict_history import standings
from infra.decoders import decoder
from infra.kafka.cluster import case_key, partition_of
from infra.readers.record import Event
from infra.settings import Settings

LOCAL = ZoneInfo("Asia/Shanghai")
CASE_TOPICS = ("repair", "connection", "usage")
STREAM_TOPICS = (*CASE_TOPICS, "public", "crew")
"""Where a stream that is known by its id is looked for: a standard, a calendar, a crew has a timeline too."""


@dataclass(eq=False)
class UnknownCaseError(Exception):
    """No topic has an event of the case."""

    case: str
    gaps: tuple[str, ...] = ()
    """What is missing on the topics where it was looked for."""

    def __str__(self) -> str:
        missing = f"; but {'; '.join(self.gaps)}" if self.gaps else ""
        return (
            f"no-such-case: found no event of {self.case} on the topics{missing}; needed a case id or a case number; "
            "check it, or wait until the relay has published it (`tongshui status`)"
        )


def timeline(settings: Settings, case: str) -> list[Event]:
    """The case's events in version order. ``case`` is a case id or a case number. Raises UnknownCaseError."""
    return timeline_and_seen(settings, case)[0]


def timeline_and_seen(settings: Settings, case: str) -> tuple[list[Event], list[str]]:
    """The case's events in version order, and what is missing of them or of their topics, a sentence each.

    Raises UnknownCaseError.
    """
    try:
        wanted: UUID | None = UUID(case)
    except ValueError:
        wanted = None
    topics = [settings.home_topic(topic) for topic in (CASE_TOPICS if wanted is None else STREAM_TOPICS)]
    number = None if wanted is None else partition_of(case_key(wanted), settings.partitions)
    reading = TopicReading(settings, topics, number=number)
    events = list(reading)
    if wanted is None:
        wanted = next((event.case_id for event in events if _is_of(event, case)), None)
    found = [event for event in events if event.case_id == wanted]
    gaps = list(reading.seen.gaps)
    if not found:
        raise UnknownCaseError(case, tuple(gaps))
    if missing := missing_versions(found):
        gaps.append(f"version {', '.join(map(str, missing))} of the case")
    return found, gaps


def _is_of(event: Event, number: str) -> bool:
    """Whether the event gives its case that number. An outage's is called `number`, as a window's counter is."""
    return number in (event.data.get("case_number"), event.data.get("number"))


def as_known_at(events: Iterable[Event], at: datetime) -> list[Event]:
    """The events that were on record at an instant: what anybody could know then, whenever it had happened."""
    return [event for event in events if event.recorded_at <= at]


def missing_versions(events: Iterable[Event]) -> list[int]:
    """Versions of the case that are not there although later ones are: a reader holds at a hole, and so shows less."""
    versions = {event.version for event in events}
    return sorted(set(range(1, max(versions, default=0) + 1)) - versions)


def verdicts(events: Iterable[Event]) -> list[str]:
    """How each promise stands by these events, as lines: state, end, every lapse and why one was taken back."""
    lines = []
    for each in standings((event.type.split(".")[2], event.data) for event in events):
        line = f"  = {each.commitment:<22} {each.state}"
        line += f" at {_value(each.met_at)}" if each.met_at else ""
        line += f"  due {_value(each.due_at)}" if each.due_at else ""
        for lapse in each.lapses:
            line += f"  lapsed {_value(lapse.due_at)}" + (f" (retracted: {lapse.retracted})" if lapse.retracted else "")
        lines.append(line)
    return lines


def describe(events: Iterable[Event]) -> list[str]:
    """The timeline as lines: version, when it happened, when it was recorded, what, by whom, under what. Where a device
    or an operator said when they took it down, that is among the details."""
    return [_line(event) for event in events]


def _line(event: Event) -> str:
    fact = event.type.split(".")[2]
    happened, recorded = _clock(event.happened_at), _clock(event.recorded_at)
    return f"{event.version:>3}  {happened}  {recorded}  {fact:<22} {_who(event):<26} {_what(event)}".rstrip()


def _who(event: Event) -> str:
    second = second_person(event)
    return f"{event.actor}/{event.role} ({event.channel})" + (f" + {second}" if second else "")


class _Confirmed(msgspec.Struct):
    confirmedby: str | None = None


_CONFIRMED = decoder(_Confirmed)


def second_person(event: Event) -> str | None:
    """Who confirmed the event, where it needed a second person."""
    return _CONFIRMED.decode(event.raw).confirmedby if event.raw else None


def _what(event: Event) -> str:
    data = event.data
    parts = [f"reported={_clock(event.reported_at)}"] if event.reported_at is not None else []
    # A verdict's basis is what it stands on; an admission's is a word like any other.
    basis = data.get("basis")
    stands_on = basis if isinstance(basis, dict) else None
    for key, value in data.items():
        if key in ("subject", "number") or value in (None, [], "", stands_on):
            continue
        parts.append(f"{key}={_value(value)}")
    if basis := stands_on:
        parts.append(f"standard={basis['standard']}" + (f" calendar={basis['calendar']}" if basis["calendar"] else ""))
    return " ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, str) and value.endswith("Z") and "T" in value:
        return _clock(datetime.fromisoformat(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def _clock(at: datetime) -> str:
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")

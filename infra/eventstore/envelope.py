"""One form of an event, everywhere: the envelope around a fact, and its CloudEvents JSON.

What is written here is what is stored, what the relay publishes and what auditors hash: the same bytes. The recorder
closes the JSON with ``position`` and ``recordedat`` under the lock that gives them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import Mapper, StoredEvent

from domain import kinds
from domain.kernel.facts import Fact, Recorded, Topic, event_id
from domain.kernel.frozen import frozen
from domain.kinds import REGISTRY, Kind, State
from infra.decoders import decoder
from infra.eventstore.commands import Stamp

SOURCE = "/tongshui"
EVENT_LIMIT_BYTES = 64 * 1024


@frozen
class Envelope:
    """A fact with its place in its stream and its circumstances, before it has a position."""

    originator_id: UUID
    originator_version: int
    topic: Topic
    fact: Fact
    happened_at: datetime
    reported_at: datetime | None
    stamp: Stamp


class CloudEvent(msgspec.Struct, omit_defaults=True):
    """The stored and published JSON of one event. See decision 37 in docs/explanation/decisions."""

    specversion: str
    id: UUID
    source: str
    type: str
    subject: UUID
    time: datetime
    datacontenttype: str
    caseversion: int
    actor: str
    role: str
    channel: str
    commandid: str
    correlationid: str
    data: msgspec.Raw
    reportedat: datetime | None = None
    causationid: str | None = None
    confirmedby: str | None = None
    position: int = 0
    recordedat: datetime | None = None


_CLOUD_EVENT = decoder(CloudEvent)
_FACTS: Mapping[str, msgspec.json.Decoder[Any]] = {name: decoder(cls) for name, (_, cls) in REGISTRY.types.items()}
"""Public type name → the decoder of its data."""


class _Folded(msgspec.Struct):
    """What a fold needs of a stored event."""

    id: UUID
    type: str
    time: datetime
    caseversion: int
    actor: str
    role: str
    channel: str
    data: msgspec.Raw


_FOLDED = decoder(_Folded)


def seal(state: bytes, position: int, recorded_at: datetime) -> bytes:
    """Close an event's JSON with what only the recorder knows. ``state`` ends with the closing brace."""
    stamp = msgspec.json.encode({"position": position, "recordedat": recorded_at})
    return state[:-1] + b"," + stamp[1:]


def read(state: bytes) -> tuple[CloudEvent, Recorded]:
    """A stored event's JSON, as envelope and as the fold sees it. Raises KeyError for a type name nobody registered."""
    event = _CLOUD_EVENT.decode(state)
    fact = _FACTS[event.type].decode(event.data)
    return event, Recorded(fact, event.id, event.caseversion, event.time, event.actor, event.role, event.channel)


def recorded_of(state: bytes) -> Recorded:
    """A stored event's JSON as the fold sees it. Raises as ``read``, but for what it does not look at."""
    event = _FOLDED.decode(state)
    fact = _FACTS[event.type].decode(event.data)
    return Recorded(fact, event.id, event.caseversion, event.time, event.actor, event.role, event.channel)


def folded(
    events: Iterable[tuple[UUID, bytes]], kind_of: Mapping[UUID, Kind], by: datetime | None = None
) -> dict[UUID, tuple[State, int]]:
    """The states and versions of streams from (stream, JSON), each stream's in version order; ``by``: as they were
    recorded by then. A stream without an event is left out. Raises what ``read`` does."""
    facts: dict[UUID, list[Recorded]] = {}
    for id_, text in events:
        event, recorded = read(text)
        if by is None or event.recordedat is None or event.recordedat <= by:
            facts.setdefault(id_, []).append(recorded)
    return {id_: (kinds.folded(kind_of[id_], found), found[-1].version) for id_, found in facts.items()}


class CloudEventMapper(Mapper[UUID]):
    """Writes envelopes as CloudEvents JSON under their public type name, never a module path: code can move."""

    def to_stored_event(self, domain_event: Envelope) -> StoredEvent:  # type: ignore[override]
        """The stored form, without position and recording time."""
        name = REGISTRY.name(domain_event.topic, domain_event.fact)
        stamp = domain_event.stamp
        event = CloudEvent(
            specversion="1.0",
            id=event_id(domain_event.originator_id, domain_event.originator_version),
            source=SOURCE,
            type=name,
            subject=domain_event.originator_id,
            time=domain_event.happened_at,
            datacontenttype="application/json",
            caseversion=domain_event.originator_version,
            actor=stamp.actor,
            role=stamp.role,
            channel=stamp.channel,
            commandid=stamp.command_id,
            correlationid=stamp.correlation_id,
            # Written with the rest in one go: the same bytes as of the fact alone.
            data=domain_event.fact,
            reportedat=domain_event.reported_at,
            causationid=stamp.causation_id,
            confirmedby=stamp.confirmed_by,
        )
        return StoredEvent(
            domain_event.originator_id, domain_event.originator_version, name, msgspec.json.encode(event)
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Envelope:
        """The envelope of a stored event."""
        event, recorded = read(bytes(stored_event.state))
        topic, _ = REGISTRY.types[event.type]
        stamp = Stamp(
            event.actor,
            event.role,
            event.channel,
            event.commandid,
            event.correlationid,
            event.causationid,
            event.confirmedby,
        )
        return Envelope(event.subject, event.caseversion, topic, recorded.fact, event.time, event.reportedat, stamp)

"""Reading a record of a topic: the event in it, or why there is none; its link of the chain. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from infra.decoders import converter, decoder
from infra.kafka.cluster import (
    Record,
    case_key,
)

LARGEST_POSITION = 2**63 - 1
UNDECODABLE = "undecodable-batch"
"""Why a record is none: the batch that lies at its offset cannot be decoded (``infra/kafka/batches.py``)."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding bytes raises that are no event."""
_DECIMAL = re.compile(rb"[0-9]{1,19}")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A published event with its place in the store's log (``position``) and on Kafka (topic, partition, offset)."""

    position: int
    previous: int
    """Position of the record before it in the same partition; 0: it is the first."""
    id: UUID
    type: str
    case_id: UUID
    version: int
    happened_at: datetime
    reported_at: datetime | None
    recorded_at: datetime
    actor: str
    role: str
    channel: str
    command_id: str
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]
    raw: bytes
    topic: str
    partition: int
    offset: int


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record is no event. ``reason`` names fields, never what was in them: it may be somebody's phone number."""

    code: str
    """undecodable-batch, no-value, not-json, not-cloudevent, no-position, no-chain-header, bad-chain, bad-time, bad-id,
    wrong-key"""
    reason: str
    position: int | None = None
    previous: int | None = None
    """Both set where the record is a link of its partition's chain although its content cannot be read."""
    case_id: UUID | None = None
    """From the key: a reader that must not miss anything can look at this case in the store."""


class ParsedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record with what was found in it. Several readers may share one: none of them changes it."""

    record: Record
    found: Event | Unreadable


class Link(msgspec.Struct, frozen=True, gc=False):
    """What the relay's chain needs of a record."""

    position: int
    previous: int
    epoch: int


_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_Position = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_POSITION)]


class _Wire(msgspec.Struct, frozen=True):
    """The published JSON, as far as readers use it. Fields we do not know are ignored: additions are no break."""

    specversion: str
    id: UUID
    type: str
    subject: UUID
    time: _Time
    caseversion: int
    position: _Position
    recordedat: _Time
    data: dict[str, Any]
    reportedat: _Time | None = None
    actor: str = ""
    role: str = ""
    channel: str = ""
    commandid: str = ""
    correlationid: str = ""
    causationid: str | None = None


class _Placed(msgspec.Struct, frozen=True, gc=False):
    position: _Position


_WIRE = decoder(_Wire)
_WIRE_OF = converter(_Wire)
_PLACED = decoder(_Placed)
_ANY = msgspec.json.Decoder()


def parse(record: Record) -> Event | Unreadable:
    """The event in a record, or why there is none. Never raises."""
    value = record.value
    previous = _decimal(record.headers.get("previousposition"))
    if value is None or previous is None:
        return _diagnose(record)
    try:
        wire = _WIRE.decode(value)
    except UNREADABLE:
        return _diagnose(record)
    if wire.position <= previous or wire.specversion != "1.0" or record.key != case_key(wire.subject):
        return _diagnose(record)
    return _event(wire, previous, value, record.topic, record.partition, record.offset)


def stored_event(state: bytes, topic: str, partition_of: Callable[[UUID], int]) -> Event:
    """The event in the store's own bytes, as its record on the topic carries it; it has no offset (-1) and no link.

    ``partition_of``: the partition of a case. Raises UNREADABLE.
    """
    wire = _WIRE.decode(state)
    if wire.specversion != "1.0":
        raise msgspec.ValidationError("specversion is not 1.0")
    return _event(wire, 0, state, topic, partition_of(wire.subject), -1)


def _event(wire: _Wire, previous: int, raw: bytes, topic: str, partition: int, offset: int) -> Event:
    return Event(
        position=wire.position,
        previous=previous,
        id=wire.id,
        type=wire.type,
        case_id=wire.subject,
        version=wire.caseversion,
        happened_at=wire.time.astimezone(UTC),
        reported_at=wire.reportedat and wire.reportedat.astimezone(UTC),
        recorded_at=wire.recordedat.astimezone(UTC),
        actor=wire.actor,
        role=wire.role,
        channel=wire.channel,
        command_id=wire.commandid,
        correlation_id=wire.correlationid,
        causation_id=wire.causationid,
        data=wire.data,
        raw=raw,
        topic=topic,
        partition=partition,
        offset=offset,
    )


def parse_all(records: Iterable[Record]) -> list[ParsedRecord]:
    """Each record with the event in it, or why there is none, in their order. Never raises."""
    return [ParsedRecord(record, parse(record)) for record in records]


def link_of(record: Record) -> Link | None:
    """The record's link of its partition's chain; None where the record is not of our relay's making."""
    previous = _decimal(record.headers.get("previousposition"))
    epoch = _decimal(record.headers.get("epoch"))
    if record.value is None or previous is None or epoch is None or "generation" not in record.headers:
        return None
    try:
        position = _PLACED.decode(record.value).position
    except UNREADABLE:
        return None
    return Link(position, previous, epoch) if position > previous else None


def _decimal(header: bytes | None) -> int | None:
    return int(header) if header is not None and _DECIMAL.fullmatch(header) else None


def _diagnose(record: Record) -> Unreadable:
    """The slow path: name what is wrong with a record, and keep what can still be told of it."""
    code, reason = _fault(record)
    link = link_of(record)
    return Unreadable(
        code=code,
        reason=reason,
        position=link.position if link else None,
        previous=link.previous if link else None,
        case_id=_case_of(record.key),
    )


def _fault(record: Record) -> tuple[str, str]:
    if record.damage is not None:
        return UNDECODABLE, record.damage.reason
    if record.value is None:
        return "no-value", "the record has no value; events are never deleted"
    try:
        found = _ANY.decode(record.value)
    except UNREADABLE:
        return "not-json", "the value is not JSON"
    if not isinstance(found, dict) or found.get("specversion") != "1.0":
        return "not-cloudevent", "the value is not a CloudEvents 1.0 object"
    position = found.get("position")
    if not isinstance(position, int) or not 0 < position <= LARGEST_POSITION:
        return "no-position", "position is not a positive integer"
    previous = _decimal(record.headers.get("previousposition"))
    if previous is None:
        return "no-chain-header", "the header previousposition is missing or not a number"
    if position <= previous:
        return "bad-chain", "the header previousposition is not below position"
    return _field_fault(record, found)


def _field_fault(record: Record, found: dict[str, Any]) -> tuple[str, str]:
    try:
        wire = _WIRE_OF(found)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`") if "`$." in str(error) else ""
        if field in ("time", "recordedat", "reportedat"):
            return "bad-time", f"{field} is not an RFC 3339 time with an offset"
        if field in ("id", "subject"):
            return "bad-id", f"{field} is not a UUID"
        return "not-cloudevent", f"{field} is of the wrong type" if field else str(error)
    if record.key != case_key(wire.subject):
        return "wrong-key", "the record's key is not the event's subject"
    return "not-cloudevent", "the value could not be read"


def _case_of(key: bytes | None) -> UUID | None:
    try:
        return UUID(key.decode("ascii")) if key else None
    except ValueError:
        return None

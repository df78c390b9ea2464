"""The attributes around every event's data, as JSON Schema: CloudEvents 1.0 and our extensions."""

from __future__ import annotations

from typing import Any

from infra.eventstore.envelope import SOURCE
from infra.kafka.cluster import CONTENT_TYPE

Schema = dict[str, Any]

UUID_TEXT: Schema = {"type": "string", "format": "uuid"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
WORD: Schema = {"type": "string", "maxLength": 64}
DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?(E[+-][0-9]+)?$"
"""Every text that a finite decimal number is written as: `12.5`, `0.000`; `1E+3` where a catalogue had it so."""
DECIMAL_WORDS = "An exact decimal number, as text."
POSITION: Schema = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}

REQUIRED = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "caseversion",
    "actor",
    "role",
    "channel",
    "commandid",
    "correlationid",
    "data",
    "position",
    "recordedat",
)


def attributes(type_name: str) -> dict[str, Schema]:
    """Every attribute but ``data``, in the order in which it is written."""
    return {
        "specversion": {"const": "1.0"},
        "id": _said(UUID_TEXT, "UUIDv5 of case and version: the same event has the same id wherever it is met"),
        "source": {"const": SOURCE},
        "type": {"const": type_name},
        "subject": _said(UUID_TEXT, "the case, or another stream (a meter, a crew, a calendar); also the record's key"),
        "time": _said(INSTANT, "when it happened, as claimed by whoever told it"),
        "datacontenttype": {"const": "application/json"},
        "caseversion": {
            "type": "integer",
            "minimum": 1,
            "description": "its place in its case: 1, 2, 3 … without a gap",
        },
        "actor": {"type": "string", "description": "who told it: an opaque staff or system id, never a name"},
        "role": {"type": "string", "description": "in which role"},
        "channel": {"type": "string", "description": "over which channel"},
        "commandid": {"type": "string", "description": "the command that it belongs to: its events come together"},
        "correlationid": {"type": "string", "description": "the caller's own word for what it belongs to"},
        "reportedat": _said(INSTANT, "when a device took it down, where it was sent only later"),
        "causationid": {"type": "string", "description": "the event or message that it answers"},
        "confirmedby": {"type": "string", "description": "the second person who stands behind it"},
        "position": _said(POSITION, "its place in the store's log; see the reader's rule"),
        "recordedat": _said(INSTANT, "when it was stored; never falls from one position to the next"),
    }


HEADERS: Schema = {
    "type": "object",
    "required": ["previousposition", "generation", "epoch", "content-type"],
    "properties": {
        "previousposition": {
            "type": "string",
            "pattern": "^[0-9]{1,19}$",
            "description": "position of the record before this one in the same partition; 0: it is the first",
        },
        "generation": {"type": "string", "description": "random id of the store's life; another one after a recovery"},
        "epoch": {"type": "string", "pattern": "^[0-9]{1,19}$", "description": "of the relay; for diagnosis only"},
        "content-type": {"const": CONTENT_TYPE.decode()},
    },
}
"""The Kafka headers, as text."""


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}

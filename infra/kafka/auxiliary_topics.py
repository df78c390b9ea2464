"""What the topics carry that are not of the store's log: dead letters, canaries, the notary's checkpoints.

One definition of each record: whoever writes it uses it, and the event contract is made from it. Meter readings have
theirs beside their own door (``infra/kafka/meter_readings.py``).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

JSON = b"application/json"
TEXT = b"text/plain; charset=UTF-8"

# ---- dead letters


class DeadLetterRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that one of our readers could not take: where it lies and why, never what is in it.

    ``id``: the letter's number, also the record's key; it may be sent twice, so drop by it. ``reader``: who could not
    take it. ``topic``, ``topic_id``, ``partition``, ``offset``: where it lies; a topic made anew has another id.
    ``position``: its place in the store's log, where it is an event of ours. ``code`` and ``reason``: why, for a
    program and for a person; they name fields, never what was in them. ``size_bytes``, ``sha256``: of the record's
    value.
    """

    id: Annotated[int, msgspec.Meta(ge=1)]
    reader: str
    topic: str
    topic_id: UUID
    partition: Annotated[int, msgspec.Meta(ge=0)]
    offset: Annotated[int, msgspec.Meta(ge=0)]
    position: int | None
    code: str
    reason: str
    size_bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    recorded_at: datetime


# ---- canaries


class CanaryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A watch found its canary due, as it finds a promise's end due: once a minute, also in a night without a lapse.

    ``pid``, ``began_at``: which watch, by its process and when that began; the process number is the record's key.
    ``number``: the how manieth of this watch, from 1. Nobody acts on it: a silence is what tells something.
    """

    pid: Annotated[int, msgspec.Meta(ge=1)]
    began_at: datetime
    number: Annotated[int, msgspec.Meta(ge=1)]


# ---- checkpoints

CHECKPOINT_PATTERN = r"^[^\n]+\n[0-9]{1,19}\n[A-Za-z0-9+/]+={0,2}\n([^\n]+\n)*\n(— [^ \n]+ [A-Za-z0-9+/]+={0,2}\n)+$"
"""The form of a checkpoint's text: origin, size, root; extension lines; an empty line; signature lines."""
CHECKPOINT = re.compile(CHECKPOINT_PATTERN.removesuffix("$") + r"\Z")
FIRST_LEAF = "first"
"""Header: the number of the first leaf hash that comes with a checkpoint, from 0."""
LEAVES = "leaves"
"""Header: the leaf hashes of the events added since the checkpoint before, 32 bytes each."""

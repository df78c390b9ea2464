"""The records of topics that are not of the store's log: their schemas from the classes that write and read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from infra.kafka.auxiliary_topics import (
    CHECKPOINT_PATTERN,
    FIRST_LEAF,
    JSON,
    LEAVES,
    TEXT,
    CanaryRecord,
    DeadLetterRecord,
)
from infra.kafka.meter_readings import MeterReading, ReadingRow, to_record

Schema = dict[str, Any]

_AT = datetime(2026, 9, 16, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """A record that is no event. ``record``: the class that is written and read, None where it is text; ``key``: of
    its Kafka key; ``sent``: when it is sent; ``taken``: whether others may send it to us."""

    name: str
    topic: str
    title_zh: str
    about: str
    sent: str
    key: Schema
    headers: Schema
    example: Any
    record: type | None = None
    text: Schema | None = None
    content_type: bytes = JSON
    taken: bool = False

    @property
    def title(self) -> str:
        return self.name.split(".")[2]


def _headers(**properties: Schema) -> Schema:
    return {"type": "object", "required": sorted(properties), "properties": properties} if properties else {}


def _content_type(value: bytes) -> Schema:
    return {"content-type": {"const": value.decode()}}


CHECKPOINT_MEANING = """\
A signed checkpoint of the log over everything stored, as a C2SP signed note (tlog-checkpoint, Ed25519).

Lines: the log's name with the store's generation; its size; the root of the Merkle tree (RFC 9162) in base64;
`position` of the last event in it; `at`, when it was signed; `without`, ranges of positions that this generation never
had; `next-key`, where from here on another key signs; unknown lines are to be passed over. Then an empty line and the
signatures.

With it, in the header `leaves`, come the leaf hashes of the events added since the checkpoint before it, the first of
which is number `first`: they are believed only where they lead to a root that somebody kept.
"""

CHECKPOINT_EXAMPLE = """\
tongshui/8c9e6a0e-52f6-4f0c-a7cf-0d6f7d8b7d51
40
rYkBnDx5s5HhVtJ0oZ6c2vV0pX2q0b7nF5YwTjW0k3E=
position 40
at 2026-09-16T01:00:05Z

— tongshui/8c9e6a0e-52f6-4f0c-a7cf-0d6f7d8b7d51 \
Zm9vYjU1bm90IGEgcmVhbCBzaWduYXR1cmUsIG9ubHkgdGhlIGZvcm0gb2Ygb25lLCA2OCBieXRlcyBsb25nIA==
"""


def _reading() -> Any:
    return msgspec.json.decode(to_record(MeterReading("JS-2026-0001", _AT, 12_500))[1])


MESSAGES: tuple[Message, ...] = (
    Message(
        name="water.readings.MeterReading.v1",
        topic="readings",
        title_zh="抄表读数",
        about="Raw meter readings, from meter readers and smart meters. Kept seven days; the position is the offset.",
        sent="Whenever a dial was read: by whoever may write to the topic, and by our own door for readings over HTTP.",
        record=ReadingRow,
        key={"type": "string", "description": "the meter's number: its readings lie in one partition"},
        headers=_headers(),
        example=_reading(),
        taken=True,
    ),
    Message(
        name="water.checkpoint.Checkpoint.v1",
        topic="checkpoint",
        title_zh="检查点",
        about="Signed checkpoints of the log over everything stored. One partition, kept for ever.",
        sent="Every few seconds in which something was stored; in order, one after the other.",
        text={"type": "string", "pattern": CHECKPOINT_PATTERN},
        key={"type": "string", "description": "the log's name"},
        headers=_headers(
            **{
                FIRST_LEAF: {
                    "type": "string",
                    "pattern": "^[0-9]{1,19}$",
                    "description": "number of the first of the leaf hashes, from 0",
                },
                LEAVES: {
                    "type": "string",
                    "contentEncoding": "binary",
                    "description": "leaf hashes, 32 bytes each, one after the other",
                },
                **_content_type(TEXT),
            }
        ),
        content_type=TEXT,
        example=CHECKPOINT_EXAMPLE,
    ),
    Message(
        name="water.canary.Canary.v1",
        topic="canary",
        title_zh="时限监看自检",
        about="The watches' canaries. Kept an hour.",
        sent="Once a minute by each watch, in the way a lapse would be found.",
        record=CanaryRecord,
        key={"type": "string", "pattern": "^[0-9]+$", "description": "the watch's process number"},
        headers=_headers(),
        example=msgspec.to_builtins(CanaryRecord(pid=4711, began_at=_AT, number=1)),
    ),
    Message(
        name="water.deadletter.DeadLetter.v1",
        topic="deadletter",
        title_zh="死信",
        about="Records that a reader of ours could not take: where and why, never the content. Kept for ever.",
        sent="When a reader met it; at least once, so drop by `id`.",
        record=DeadLetterRecord,
        key={"type": "string", "pattern": "^[0-9]+$", "description": "the letter's number"},
        headers=_headers(**_content_type(JSON)),
        example=msgspec.to_builtins(
            DeadLetterRecord(
                id=1,
                reader="billing",
                topic="water.connection.v1",
                topic_id=UUID("6f1d3a52-0a52-4a8e-9d0a-0d5f0f6f2c11"),
                partition=2,
                offset=118,
                position=4711,
                code="not-json",
                reason="the value is not JSON",
                size_bytes=312,
                sha256="0" * 64,
                recorded_at=_AT,
            )
        ),
    ),
)
"""Every record that is sent or taken on a topic beside the events."""

BY_NAME: Mapping[str, Message] = {message.name: message for message in MESSAGES}

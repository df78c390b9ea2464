"""The reader's rule, in words and as test vectors for whoever writes a reader."""

from __future__ import annotations

import json
from typing import Any

from infra.kafka.cluster import CONTENT_TYPE, partition_of

WORDS = """\
Keep, with your own data and in the same transaction, the last position p that you applied in each partition (0 before
the first). Of a record take its `position` (attribute of the event) and `previousposition` (Kafka header):

1. position <= p: drop it. It was delivered again.
2. previousposition <= p < position: apply it, and keep its position as p.
3. previousposition > p: something before it is missing. Apply nothing of this partition until a record fits again by
   1 or 2. The relay appends what is missing by itself; raise an alarm if that takes longer than ten seconds.

So each event takes effect exactly once and in order, whatever is delivered twice, late, or out of a refilled cluster.
Offsets tell none of this: they are a cluster's own and start anew with it. Events of one case are always in one
partition and in order of `caseversion`; between partitions and between topics there is no order. `water.breach.v1`
holds copies with the same id, position and bytes: who reads both topics drops by id.

Ignore event types, attributes and fields that you do not know: additions are no break. Codes (kinds of fault, reasons,
flags) are words of the published standard, and new ones come with a new standard. A type's meaning never changes. A
break is a new type beside the old one, from an announced day to an announced end, and until then both are sent.
"""

READING: dict[str, tuple[str, str]] = {
    "held": (
        "When a partition is held",
        """\
Read on while rule 3 holds a partition, and apply nothing of it. What you pass over is lost to you until you read it
again: the record that is missing may be appended behind others, and those behind it are appended again with it.

If nothing of the partition fits for ten seconds, raise an alarm, seek to the first offset of the partition and read it
again from there. What you applied is dropped by rule 1. Do so again at growing intervals (ten seconds later, twenty,
forty …) as long as nothing fits. Other partitions go on meanwhile.

Never skip: do not take `previousposition` for p, and do not apply what does not fit. A hold that does not end by itself
is a loss that an operator has to mend. The chain names a missing record only when a later one of its partition comes;
a record that is missing at the very end of a partition shows when the next one comes.
""",
    ),
    "where-to-read-from": (
        "Where to read from",
        """\
Beside p keep the offset at which you saw that record, and the id of the topic (KIP-516). When you start, or when you
are given a partition, go on behind that offset only if all of this holds: the topic has still that id; the offset is
not below the first and below the end offset of the partition; the record at that offset has still the position p.
Otherwise start at the first offset, and keep p: rule 1 drops what you have.

So you start at the first offset, with p as it is,
* in a topic that was made anew (it has another id): the store's history is appended to it from the beginning, with the
  same positions; a stored offset means nothing in it;
* where a log lost its tail: its end lies before your offset, or it has grown again and another record lies there. What
  was lost is appended again;
* where the head of a log was deleted beyond your offset.

Look every half minute or so whether a topic has got another id, for a client does not tell. Without topic ids always
start at the first offset: that takes longer, and is never wrong. An offset that a consumer group keeps in Kafka is not
enough, for it is not stored in your transaction, and it survives a topic that is made anew.

These topics are kept for ever. Should the head of a partition be gone all the same, the whole history may be appended
again behind what is there. A reader with nothing stored holds from its first record on, until the chain begins again
with `previousposition` 0, and goes on from there. A reader that has applied something drops up to p and goes on.
""",
    ),
    "not-ours": (
        "Records that are not ours",
        """\
Whoever may write to a topic can put a record on it. Ours have a value, which is a JSON object with an integer
`position` from 1 on, and a header `previousposition` of decimal digits that says less than `position`. Step over any
other record, count it, keep p as it is, and do not fail: a record without headers or without a value, a value that is
no JSON, a key of any bytes. Judge nothing by a record's timestamp: it is whatever its writer said, 1970 and, where the
broker takes it, 2100 as well. Ignore headers that you do not know.

A record whose `position` and `previousposition` fit is a link of the chain even where you cannot use it (its key is not
the `subject`, an attribute is missing, its data are none of its schema). Judge it by the rule, keep its position as p,
and set the event aside for a person to look at. If you held for it, the partition would stand still for ever.
""",
    ),
    "compression": (
        "Compression",
        """\
A reader has to decode batches that are not compressed, and those packed by gzip, snappy, lz4 or zstd. Our relay
compresses nothing; but an administrator may set `compression.type` at a topic at any time, and the broker then packs
what we send; and whoever writes to `water.readings.v1` packs as he likes. Many client libraries need further packages
for snappy, lz4 and zstd: install them, and try all five before you go live.

Set a limit to what a batch may decompress to (our readers: 64 MiB), for a small one may come to gigabytes. A batch that
you cannot decode (another codec, damaged bytes, beyond your limit) is no record of yours: note topic, partition and
offset, go on behind it, and let a person look. Had it held records of ours, the next one does not fit by rule 3, and
you hold: so nothing is passed over unnoticed. Records of `water.readings.v1` have no chain; there the noted offset is
all that tells.
""",
    ),
    "isolation": (
        "Isolation",
        """\
We write without transactions, so `read_uncommitted` and `read_committed` show the same records of ours. Our own readers
use `read_uncommitted`; set it by name, for the default of some clients is the other one. With `read_committed` a
transaction that somebody else has left open on a topic keeps back all that comes behind it, ours too, until it ends.
With `read_uncommitted` you see also what somebody else wrote and aborted: it is not ours, and is stepped over. Whoever
writes to `water.readings.v1` in a transaction and aborts it has sent the readings all the same.

Offsets of a partition are not contiguous for a reader: the markers of transactions take an offset each and are never
shown, and aborted records may be left out. Do not wait for a particular offset. You have come to the end when your
client's position has reached the end offset, not when the last record's offset is one below it.
""",
    ),
    "partitions": (
        "Partitions",
        """\
The topics of events (those of the store's log, and `water.breach.v1`) all have the same number of partitions. It is
chosen when they are made and never changed; our programs refuse to start with another. Assume no number: ask the
cluster, and keep the number beside your positions. If you ever find another one, stop and ask: positions of partitions
then mean nothing.

The partition of a case is that of Kafka's own Java clients: the key's bytes by murmur2, `(murmur2(key) & 0x7fffffff) %
number`; the key is the case's id as 36 characters. A case has the same number of partition in each of these topics.
`water.readings.v1` has a number of its own and lies by the writer's partitioner; `water.checkpoint.v1` and
`water.canary.v1` have one partition.
""",
    ),
    "windows": (
        "Numbers in facts about windows",
        """\
A window is one commitment of one case. `number` counts the facts about it: 1 for WindowOpened, then one more with each
further Window… fact of whatever kind, without a gap. The highest number is the newest; it counts neither windows nor
lapses. `lapse` counts the window's lapses in the order in which they were recorded, from 1 on, and names one of them in
WindowRetracted, WindowEscalated and WindowAcknowledged. A lapse that is retracted keeps its number, and no other one is
given it: who wants to know how many lapses stand counts those that were not retracted.
""",
    ),
    "decimals": (
        "Decimal numbers",
        """\
A field of `format` decimal is an exact decimal number as text, never NaN or infinite: `12.5`, `0.000`. Its `pattern`
says so to every validator. A fee's rate may have an exponent (`1E+3`), and may be `-0`. Read it as a decimal number,
not as a binary fraction: amounts follow from it.
""",
    ),
    "validators": (
        "Validators",
        """\
The schema of a type has keywords and a format of our own. JSON Schema lets a validator ignore what it does not know,
and most do. One that refuses it, as ajv in strict mode, takes `plain.json`, which has every schema without them, under
the same `$id` (the formats date, date-time and uuid come to ajv with ajv-formats).
""",
    ),
}
"""Name → heading and words: what a reader meets beside the rule itself."""


def document() -> dict[str, Any]:
    """readers-rule.json: the rule, what a reader meets beside it, and test vectors."""
    return {
        "rule": WORDS,
        "reading": {name: {"title": title, "words": words} for name, (title, words) in READING.items()},
        "vectors": VECTORS,
        "record_vectors": RECORD_VECTORS,
        "start_vectors": START_VECTORS,
        "hold_vectors": HOLD_VECTORS,
        "partition_vectors": PARTITION_VECTORS,
    }


# ---- the rule


def _vector(
    name: str, stored: int, records: list[tuple[int, int]], applied: list[int], *, held: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "stored": stored,
        "records": _positions(records),
        "applied": applied,
        "stored_after": applied[-1] if applied else stored,
        "held": held,
    }


def _positions(records: list[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"position": position, "previousposition": previous} for position, previous in records]


HISTORY = [(3, 0), (7, 3), (12, 7), (15, 12)]
VECTORS = [
    _vector("the first record of a partition", 0, [(3, 0)], [3], held=False),
    _vector("positions have gaps, for other partitions have the rest", 3, [(7, 3), (12, 7)], [7, 12], held=False),
    _vector("delivered again", 7, [(7, 3)], [], held=False),
    _vector("an older record again", 12, [(3, 0), (7, 3)], [], held=False),
    _vector("a record is missing", 3, [(12, 7)], [], held=True),
    _vector("nothing is applied while one is missing", 3, [(12, 7), (15, 12)], [], held=True),
    _vector("what was missing comes, and all after it again", 3, [(12, 7), (7, 3), (12, 7)], [7, 12], held=False),
    _vector("the cluster was filled anew", 12, [(3, 0), (7, 3), (12, 7), (15, 12)], [15], held=False),
    _vector("a reader that begins in the middle", 9, [(7, 3), (12, 7)], [12], held=False),
    _vector("the relay began anew below the reader", 9, [(8, 7), (11, 8)], [11], held=False),
    _vector("some fit, then one is missing", 0, [(3, 0), (7, 3), (15, 12)], [3, 7], held=True),
    _vector("of two that are missing the first comes", 3, [(15, 12), (7, 3), (15, 12)], [7], held=True),
    _vector("an older record again does not end a hold", 7, [(15, 12), (3, 0)], [], held=True),
    _vector("read again from the first offset", 7, [(15, 12), *HISTORY], [12, 15], held=False),
    _vector("the beginning is gone", 0, [(12, 7), (15, 12)], [], held=True),
    _vector(
        "the beginning is gone, and all is appended again behind it",
        0,
        [(12, 7), (15, 12), *HISTORY, (20, 15)],
        [3, 7, 12, 15, 20],
        held=False,
    ),
    _vector(
        "the beginning is gone and all is appended again, for who has some",
        12,
        [(12, 7), (15, 12), *HISTORY, (20, 15)],
        [15, 20],
        held=False,
    ),
    _vector("a lost tail is appended again", 12, [(7, 3), (12, 7), (15, 12)], [15], held=False),
    _vector("the whole history again, in the midst of it", 0, [*HISTORY[:3], *HISTORY], [3, 7, 12, 15], held=False),
    _vector("a new generation begins far above", 15, [(15, 12), (1_000_003, 15)], [1_000_003], held=False),
    _vector("the largest position", 15, [(2**63 - 1, 15)], [2**63 - 1], held=False),
]
"""Of one partition: the position stored before, records as delivered, the positions to apply, the position stored after
them, and whether the reader waits for a missing one at the end."""


# ---- records that are not ours

CASE = "848526f0-87ab-473a-9138-0f647cdd8452"
NOON = 1_789_531_200_000
"""The timestamp of a record, in milliseconds."""


def _event(position: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"1d3c2c0a-a431-5b48-83ce-{position:012d}",
        "source": "/tongshui",
        "type": "water.repair.CaseClosed.v1",
        "subject": CASE,
        "time": "2026-09-16T01:27:00Z",
        "datacontenttype": "application/json",
        "caseversion": position,
        "actor": "dispatcher-1",
        "role": "dispatcher",
        "channel": "office",
        "commandid": "830c8dd2-5cd7-41a1-9cb7-323aa43e2278",
        "correlationid": "830c8dd2-5cd7-41a1-9cb7-323aa43e2278",
        "data": {},
        "position": position,
        "recordedat": "2026-09-16T01:27:00Z",
    }


def _record(position: int, previous: int | str, **changes: Any) -> dict[str, Any]:
    """A record as the relay makes it, but for ``changes``."""
    headers = {
        "previousposition": str(previous),
        "generation": "8c9e6a0e-52f6-4f0c-a7cf-0d6f7d8b7d51",
        "epoch": "3",
        "content-type": CONTENT_TYPE.decode(),
    }
    made = {"key": CASE, "value": json.dumps(_event(position)), "headers": headers, "timestamp": NOON}
    return made | changes


def _of_bytes(key: str, value: str) -> dict[str, Any]:
    return {"key_base64": key, "value_base64": value, "headers": _record(7, 3)["headers"], "timestamp": NOON}


def _said(at: int, **changes: Any) -> str:
    return json.dumps(_event(at) | changes)


def _around(name: str, record: dict[str, Any], *, applied: bool = False, aside: bool = False) -> dict[str, Any]:
    """A record between two others of a chain; whether it is one of the chain, and whether it can be used."""
    return {
        "name": name,
        "stored": 0,
        "records": [_record(3, 0), record, _record(12, 7 if applied or aside else 3)],
        "applied": [3, 7, 12] if applied else [3, 12],
        "set_aside": [7] if aside else [],
        "stepped_over": 0 if applied or aside else 1,
        "stored_after": 12,
        "held": False,
    }


NO_HEADERS: dict[str, str] = {}
RECORD_VECTORS = [
    _around("nothing at all", {"key": None, "value": None, "headers": NO_HEADERS, "timestamp": NOON}),
    _around("no header of the chain", _record(7, 3, headers=NO_HEADERS)),
    _around("no value, although it has the headers", _record(7, 3, value=None)),
    _around("an empty value", _record(7, 3, value="")),
    _around("no JSON", _record(7, 3, value="hello")),
    _around("bytes that are no text", _of_bytes("//79/A==", "gIGC/w==")),
    _around("JSON that is no object", _record(7, 3, value="[7]")),
    _around("no position", _record(7, 3, value=json.dumps({"specversion": "1.0"}))),
    _around("a position that is a text", _record(7, 3, value=_said(7, position="7"))),
    _around("position 0", _record(7, 3, value=_said(7, position=0))),
    _around("a position beyond the largest", _record(7, 3, value=_said(7, position=2**63))),
    _around("a previous position that is no number", _record(7, "three")),
    _around("a previous position below zero", _record(7, "-3")),
    _around("a previous position that is empty", _record(7, "")),
    _around("a previous position that is not below the position", _record(7, 7)),
    _around(
        "headers that nobody knows", _record(7, 3) | {"headers": _record(7, 3)["headers"] | {"x": "1"}}, applied=True
    ),
    _around("a timestamp of 1970", _record(7, 3, timestamp=0), applied=True),
    _around("a timestamp of 2100", _record(7, 3, timestamp=4_102_444_800_000), applied=True),
    _around("an attribute that came later", _record(7, 3, value=_said(7, weather="rain")), applied=True),
    _around("a key that is not the subject", _record(7, 3, key="another"), aside=True),
    _around("no key", _record(7, 3, key=None), aside=True),
    _around("a time that is none", _record(7, 3, value=_said(7, time="yesterday")), aside=True),
    _around("data that are none", _record(7, 3, value=_said(7, data=None)), aside=True),
]
"""Of one partition, whole records: key, value, headers (as text; ``key_base64`` and ``value_base64`` where they are no
text) and timestamp. ``applied`` as above; ``set_aside``: positions of links that cannot be used, by which p grows all
the same; ``stepped_over``: how many are not ours."""


# ---- where to read from

TOPIC, ANEW = "6f1d3a52-0a52-4a8e-9d0a-0d5f0f6f2c11", "6f1d3a52-0a52-4a8e-9d0a-0d5f0f6f2c12"
Stored = dict[str, Any] | None


def _start(name: str, stored: Stored, log: tuple[str, int, int], position: int | None, offset: int) -> dict[str, Any]:
    topic_id, first, end = log
    return {
        "name": name,
        "stored": stored,
        "log": {"topic_id": topic_id, "first": first, "end": end, "position_at_stored_offset": position},
        "read_from": offset,
    }


_AT_40: Stored = {"position": 118, "offset": 40, "topic_id": TOPIC}
START_VECTORS = [
    _start("nothing stored", None, (TOPIC, 0, 90), None, 0),
    _start("nothing stored, and the head is gone", None, (TOPIC, 5, 90), None, 5),
    _start("behind what is stored", _AT_40, (TOPIC, 0, 90), 118, 41),
    _start("there is nothing new", _AT_40, (TOPIC, 0, 41), 118, 41),
    _start("the topic was made anew", _AT_40, (ANEW, 0, 90), 118, 0),
    _start("the log lost its tail", _AT_40, (TOPIC, 0, 33), None, 0),
    _start("the log lost its tail and grew again", _AT_40, (TOPIC, 0, 90), 121, 0),
    _start("a record that is not ours lies there now", _AT_40, (TOPIC, 0, 90), None, 0),
    _start("the head was deleted beyond it", _AT_40, (TOPIC, 60, 90), None, 60),
    _start("the head was deleted below it", _AT_40, (TOPIC, 20, 90), 118, 41),
]
"""What a reader has stored of a partition, the log as it is now (``end``: the offset that the next record will get;
``position_at_stored_offset``: of the record there, null where there is none of ours), and the offset to read from. The
stored position stays as it is in each case."""


# ---- a hold that lasts


def _hold(
    name: str, stored: int, batches: list[tuple[int, list[tuple[int, int]]]], now_s: int, *, alarm: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "stored": stored,
        "batches": [{"at_s": at_s, "records": _positions(records)} for at_s, records in batches],
        "now_s": now_s,
        "read_again_from_the_first": alarm,
    }


HOLD_VECTORS = [
    _hold("held for less than ten seconds", 3, [(0, [(12, 7)])], 9, alarm=False),
    _hold("held for ten seconds", 3, [(0, [(12, 7)])], 10, alarm=True),
    _hold("more that does not fit does not begin it anew", 3, [(0, [(12, 7)]), (6, [(15, 12)])], 10, alarm=True),
    _hold("what was missing came", 3, [(0, [(12, 7)]), (6, [(7, 3), (12, 7)])], 30, alarm=False),
    _hold("the first of two came: it is held anew", 3, [(0, [(15, 12)]), (6, [(7, 3), (15, 12)])], 12, alarm=False),
    _hold(
        "the first of two came, and the other did not", 3, [(0, [(15, 12)]), (6, [(7, 3), (15, 12)])], 16, alarm=True
    ),
    _hold("what is delivered again does not end it", 3, [(0, [(12, 7)]), (6, [(3, 0)])], 10, alarm=True),
]
"""Of one partition: what a reader had stored, batches with the second at which each was applied, and whether by
``now_s`` it has to raise the alarm and read again from the first offset."""


# ---- partitions

PARTITION_VECTORS = [
    {"key": key, "partitions": number, "partition": partition_of(key.encode(), number)}
    for key in (
        CASE,
        "00000000-0000-0000-0000-000000000000",
        "11111111-1111-4111-8111-111111111111",
        "ffffffff-ffff-4fff-bfff-ffffffffffff",
        "5a0c7a4e-0000-4000-8000-000000000001",
    )
    for number in (1, 3, 4, 12, 64)
]
"""A case's key, how many partitions there are, and the partition in which the case lies."""

"""The reader's rule, in words and as test vectors for whoever writes a reader."""

from __future__ import annotations

from typing import Any

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


def _vector(
    name: str, stored: int, records: list[tuple[int, int]], applied: list[int], *, held: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "stored": stored,
        "records": [{"position": position, "previousposition": previous} for position, previous in records],
        "applied": applied,
        "stored_after": applied[-1] if applied else stored,
        "held": held,
    }


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
]
"""Of one partition: the position stored before, records as delivered, the positions to apply, the position stored after
them, and whether the reader waits for a missing one at the end."""

"""A position in the breach stream: one position for each partition of its topic.

Within a partition breach rows become visible in order of position, because one reader applies them in that order and
commits row and read position together. Between partitions no order holds: position 18 of partition 0 may be visible
before position 17 of partition 1. A single number as "read up to here" would skip the 17 for good; one number for each
partition cannot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from api.http.refusals import BadCursor

_NUMBER = re.compile(r"[0-9]{1,18}")
_PAIRS = re.compile(r"[0-9]{1,5}:[0-9]{1,18}(?:,[0-9]{1,5}:[0-9]{1,18}){0,9999}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Partition → the last position that was read of it; every partition of the topic is a key."""

    positions: Mapping[int, int]

    def __str__(self) -> str:
        return ",".join(f"{partition}:{position}" for partition, position in sorted(self.positions.items()))

    def after(self, partition: int, position: int) -> Cursor:
        """The position after that row."""
        return Cursor({**self.positions, partition: position})


def parse(text: str, partitions: int) -> Cursor:
    """A cursor as we gave it out, or one plain position that stands for every partition. Refuses ``bad-cursor``."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return Cursor(dict.fromkeys(range(partitions), int(text)))
    if not _PAIRS.fullmatch(text):
        raise BadCursor("something else", partitions)
    given = {int(partition): int(position) for partition, _, position in _pairs(text)}
    if not given.keys() <= set(range(partitions)):
        raise BadCursor("a partition that the topic does not have", partitions)
    return Cursor({partition: given.get(partition, 0) for partition in range(partitions)})


def _pairs(text: str) -> list[tuple[str, str, str]]:
    return [pair.partition(":") for pair in text.split(",")]

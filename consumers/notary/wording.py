"""What a bundle calls things and the forms of its events, by what the event contract has ever published.

Words and schemas are not signed. So nobody need believe those that he is handed: a program that holds them by itself
makes them again, as they were when the bundle was made, and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec


class Edition(NamedTuple):
    """So many names and so many schemas had been published."""

    words: int
    schemas: int


FIRST = Edition(192, 176)
"""Of bundles that do not say it: they were made before names and schemas were counted."""


@dataclass(frozen=True, slots=True)
class Wording:
    """``words``: (code, Chinese name), ``digests``: (type of event, digest of its schema), both in the order of
    publishing, the last one counts; ``schemas``: the newest of each type."""

    words: Sequence[tuple[str, str]]
    digests: Sequence[tuple[str, str]]
    schemas: Mapping[str, Mapping[str, Any]]

    @property
    def newest(self) -> Edition:
        return Edition(len(self.words), len(self.digests))

    def words_of(self, lines: Iterable[bytes], edition: Edition) -> dict[str, str]:
        """The names, at an edition, of the codes that events use; ``lines``: the events' bytes."""
        names = dict(self.words[: edition.words])
        text = b"\n".join(lines)
        return {code: names[code] for code in sorted(names) if code.encode() in text}

    def digests_at(self, edition: Edition) -> dict[str, str]:
        """Type of event → digest of its schema at an edition."""
        return dict(self.digests[: edition.schemas])


def digest(schema: Any) -> str:
    """SHA-256, in hex, over a schema as JSON without spaces and with sorted names."""
    return sha256(msgspec.json.encode(schema, order="sorted")).hexdigest()


def as_words_file(words: Mapping[str, str]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(words), indent=1)


def as_schema_file(schema: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2)

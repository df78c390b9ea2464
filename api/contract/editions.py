"""All names of codes and all forms of schemas that the event contract has ever published, in the order of publishing.

A bundle of a case that was handed over says how far these lists went when it was made. Whoever verifies it later, with
the program of then, takes the lists up to there and makes the same words again, instead of believing those in the
bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Editions:
    """``words``: (code, its Chinese name); ``schemas``: (type of event, digest of its schema). The last one counts."""

    words: tuple[tuple[str, str], ...] = ()
    schemas: tuple[tuple[str, str], ...] = ()

    def followed_by(self, words: Mapping[str, str], schemas: Mapping[str, Mapping[str, Any]]) -> Editions:
        """These, and behind them whatever is new or another one in what is to be published."""
        digests = {name: digest(schema) for name, schema in schemas.items()}
        return Editions(self.words + _news(self.words, words), self.schemas + _news(self.schemas, digests))


def _news(published: tuple[tuple[str, str], ...], now: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    known = dict(published)
    return tuple((name, each) for name, each in now.items() if known.get(name) != each)


def digest(schema: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over the schema as JSON without spaces and with sorted names."""
    return sha256(msgspec.json.encode(schema, order="sorted")).hexdigest()


def as_document(editions: Editions) -> dict[str, Any]:
    """The published document."""
    return {
        "about": "Every name of a code and every form of a schema that was ever published, in the order of publishing; "
        "the last one of a code or type counts. words: code, Chinese name. schemas: type of event, SHA-256 of its "
        "schema as JSON without spaces and with sorted names. A bundle of a case says how many of each there were.",
        "words": [list(each) for each in editions.words],
        "schemas": [list(each) for each in editions.schemas],
    }


def from_document(document: Mapping[str, Any]) -> Editions:
    """From the published document."""
    return Editions(
        tuple((code, name) for code, name in document["words"]),
        tuple((name, hexed) for name, hexed in document["schemas"]),
    )

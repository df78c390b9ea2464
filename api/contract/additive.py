"""What of a change to the event contract would break somebody who reads our topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from api.contract.envelope import DECIMAL_PATTERN

Schema = Mapping[str, Any]


def breaks(published: Mapping[str, Schema], proposed: Mapping[str, Schema]) -> list[str]:
    """Every break between two sets of schemas (type name → schema); empty where the change only adds.

    A type, a field, a field's presence and its form are for ever. What may come: new types, new fields, further codes
    in an enumeration, words that say the same better.
    """
    found: list[str] = []
    for name in sorted(published):
        if name not in proposed:
            found.append(f"{name}: the type is gone")
            continue
        found += [
            f"{name}: {each}"
            for each in _between(published[name], proposed[name], _Roots(published[name], proposed[name]), "")
        ]
        found += [f"{name}: {each}" for each in _outside(published[name], proposed[name])]
    return found


def channel_breaks(published: Schema, proposed: Schema) -> list[str]:
    """The same of two AsyncAPI documents: which topics there are, what is on them, under which key and headers."""
    found: list[str] = []
    news = proposed["channels"]
    for name, channel in sorted(published["channels"].items()):
        if name not in news or news[name]["address"] != channel["address"]:
            found.append(f"{channel['address']}: the topic is gone")
            continue
        gone = channel["messages"].keys() - news[name]["messages"].keys()
        found += [f"{channel['address']}: {each} is not on it any more" for each in sorted(gone)]
    for name, message in sorted(published["components"]["messages"].items()):
        other = proposed["components"]["messages"].get(name)
        if other is not None:
            found += [f"{name}: {each}" for each in _around(message, other, published, proposed)]
    return found


def vector_breaks(published: Schema, proposed: Schema) -> list[str]:
    """The same of two documents of the reader's rule: a test vector that readers are built on stays as it is."""
    return [
        f"readers-rule.json: of {kind} {vector.get('name') or vector} is gone, or is another one"
        for kind in sorted(published)
        if kind.endswith("vectors")
        for vector in published[kind]
        if vector not in proposed.get(kind, ())
    ]


def _around(old: Schema, new: Schema, published: Schema, proposed: Schema) -> Iterator[str]:
    """Of a message: what stands beside its payload."""
    key, other = (each["bindings"]["kafka"]["key"] for each in (old, new))
    yield from _between(key, other, _Roots(key, other), "the key")
    if old["contentType"] != new["contentType"]:
        yield f"contentType was {old['contentType']!r}, would be {new['contentType']!r}"
    before, after = _component(old.get("headers", {}), published), _component(new.get("headers", {}), proposed)
    yield from _between(before, after, _Roots(before, after), "the headers")


def _component(schema: Schema, whole: Schema) -> Schema:
    found = schema
    while "$ref" in found:
        found = whole["components"]["schemas"][found["$ref"].rpartition("/")[2]]
    return found


def _outside(old: Schema, new: Schema) -> Iterator[str]:
    """Of a record's whole schema: where it lies, under which key and headers, and the end that was announced for it."""
    for keyword in ("x-topic", "x-content-type"):
        if old.get(keyword) != new.get(keyword):
            yield f"{keyword} was {old.get(keyword)!r}, would be {new.get(keyword)!r}"
    for keyword in ("x-key", "x-headers"):
        one, other = old.get(keyword, {}), new.get(keyword, {})
        yield from _between(one, other, _Roots(one, other), keyword)
    before, after = (each.get("x-announced-end", {}).get("ends") for each in (old, new))
    if before is not None and after is not None and after < before:
        yield f"its announced end was {before}, would be {after}, which is nearer"


KEYWORDS = (
    "type",
    "format",
    "const",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "propertyNames",
    "contentEncoding",
    "not",
    "oneOf",
    "allOf",
    "if",
)
"""What of a form a reader may have been built on; none of it may come, go or change, but for SPELLED_OUT."""

SPELLED_OUT: Mapping[str, str] = {"decimal": DECIMAL_PATTERN}
"""Format → the pattern that may come to a field of this format, once and for ever: it says, in a keyword that every
validator knows, what the format said already. It narrows nothing, for every value that can have been stored has this
form; the tests prove that of the numbers themselves, of every way by which they come in, and of stored histories."""


class _Roots:
    """Both documents, to follow references; and which pairs were looked at already."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self.old = old
        self.new = new
        self.seen: set[tuple[str, str]] = set()


def _between(old: Schema, new: Schema, roots: _Roots, where: str) -> Iterator[str]:
    pair = (str(old.get("$ref")), str(new.get("$ref")))
    if "$ref" in old or "$ref" in new:
        if pair in roots.seen:
            return
        roots.seen.add(pair)
        old, new = _resolved(old, roots.old), _resolved(new, roots.new)
    here = where or "the event"
    for keyword in KEYWORDS:
        if old.get(keyword) != new.get(keyword) and not _spells_out(keyword, old, new):
            yield f"{here}: {keyword} was {old.get(keyword)!r}, would be {new.get(keyword)!r}"
    if gone := set(map(str, old.get("enum", ()))) - set(map(str, new.get("enum", ()))):
        yield f"{here}: the codes {', '.join(sorted(gone))} are gone"
    if ("enum" in old) != ("enum" in new):
        yield f"{here}: an enumeration {'is gone' if 'enum' in old else 'would close what was open'}"
    yield from _fields(old, new, roots, where)
    yield from _parts(old, new, roots, where)


def _spells_out(keyword: str, old: Schema, new: Schema) -> bool:
    pattern = SPELLED_OUT.get(old.get("format", ""))
    return keyword == "pattern" and keyword not in old and pattern is not None and new.get(keyword) == pattern


def _fields(old: Schema, new: Schema, roots: _Roots, where: str) -> Iterator[str]:
    olds, news = old.get("properties", {}), new.get("properties", {})
    for field in sorted(olds):
        path = f"{where}.{field}" if where else field
        if field not in news:
            yield f"{path}: the field is gone"
        else:
            yield from _between(olds[field], news[field], roots, path)
    for field in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        if field in news:
            yield f"{where or 'the event'}: {field} was always there, and would not be"
    for field in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{where or 'the event'}: {field} would be required, and events on record do not have it"


def _parts(old: Schema, new: Schema, roots: _Roots, where: str) -> Iterator[str]:
    for keyword in ("items", "additionalProperties"):
        before, after = old.get(keyword), new.get(keyword)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _between(before, after, roots, f"{where}[]")
        elif before != after:
            yield f"{where}: {keyword} was {before!r}, would be {after!r}"
    for keyword, word in (("anyOf", "one of"), ("prefixItems", "a row of")):
        befores, afters = old.get(keyword, []), new.get(keyword, [])
        if len(befores) != len(afters):
            yield f"{where}: was {word} {len(befores)} forms, would be {word} {len(afters)}"
            continue
        for before, after in zip(befores, afters, strict=True):
            yield from _between(before, after, roots, where)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema

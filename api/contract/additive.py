"""What of a change to the event contract would break somebody who reads our topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
    return found


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
    for keyword in ("type", "format", "const", "pattern", "minimum", "maximum"):
        if old.get(keyword) != new.get(keyword):
            yield f"{here}: {keyword} was {old.get(keyword)!r}, would be {new.get(keyword)!r}"
    if gone := set(map(str, old.get("enum", ()))) - set(map(str, new.get("enum", ()))):
        yield f"{here}: the codes {', '.join(sorted(gone))} are gone"
    if ("enum" in old) != ("enum" in new):
        yield f"{here}: an enumeration {'is gone' if 'enum' in old else 'would close what was open'}"
    yield from _fields(old, new, roots, where)
    yield from _parts(old, new, roots, where)


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

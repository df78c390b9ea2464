"""JSON Schema as tables: of the event contract and of the API alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.reference.markdown import cell, prose, table

Schema = Mapping[str, Any]
HEADS = ("field", "type", "required", "allowed", "meaning")
BOUNDS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}


def fields(schema: Schema) -> list[str]:
    """The table of an object's fields."""
    needed = set(schema.get("required", ()))
    rows = (
        (f"`{name}`", kind(each), "yes" if name in needed else "no", allowed(each), meaning(each))
        for name, each in schema.get("properties", {}).items()
    )
    return table(HEADS, rows)


def kind(schema: Schema) -> str:
    """The type in a word or two; another object is named."""
    if "$ref" in schema:
        return f"`{referred(schema)}`"
    if "anyOf" in schema or "oneOf" in schema:
        found = [kind(each) for each in schema.get("anyOf", schema.get("oneOf", ()))]
        return " or ".join(dict.fromkeys(found))
    if "allOf" in schema:
        return " and ".join(kind(each) for each in schema["allOf"])
    if "const" in schema or "enum" in schema:
        return "code"
    name = schema.get("type", "any value")
    if name == "array":
        return _list(schema)
    if name == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map of {kind(schema['additionalProperties'])}"
    form = schema.get("format")
    return f"{name} ({form})" if form else str(name)


def _list(schema: Schema) -> str:
    """A list of anything, of one kind, or of a fixed row of kinds."""
    if "prefixItems" in schema:
        return f"list of {', '.join(kind(each) for each in schema['prefixItems'])}"
    items = schema.get("items")
    return f"list of {kind(items)}" if isinstance(items, Mapping) else "list"


def allowed(schema: Schema) -> str:
    """Codes and bounds, of the field itself or of one of its forms."""
    found = list(_allowed(schema))
    return "; ".join(dict.fromkeys(found))


def _allowed(schema: Schema) -> Iterator[str]:
    if "const" in schema:
        yield f"`{schema['const']}`"
    if "enum" in schema:
        yield ", ".join(f"`{each}`" for each in schema["enum"])
    for keyword, words in BOUNDS.items():
        if keyword in schema:
            yield words.format(schema[keyword])
    if "pattern" in schema:
        yield f"`{schema['pattern']}`"
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _allowed(each)
    if isinstance(schema.get("items"), Mapping):
        yield from _allowed(schema["items"])


def meaning(schema: Schema) -> str:
    """What is said of a field, and what it is when it is left out."""
    words = prose(str(schema.get("description", "")))
    if schema.get("default") not in (None, "", [], {}):
        given = json.dumps(schema["default"], ensure_ascii=False)
        words = f"{words}{'; ' if words else ''}`{given}` if left out"
    return words


def referred(schema: Schema) -> str:
    """The name of the object that a reference leads to."""
    return str(schema["$ref"]).rpartition("/")[2]


def objects(schema: Any, known: Mapping[str, Schema], seen: dict[str, Schema] | None = None) -> dict[str, Schema]:
    """Name → schema of every object that a schema leads to, in the order in which they are met."""
    seen = {} if seen is None else seen
    if isinstance(schema, Mapping):
        if "$ref" in schema and (name := referred(schema)) in known and name not in seen:
            seen[name] = known[name]
            objects(known[name], known, seen)
        for each in schema.values():
            objects(each, known, seen)
    elif isinstance(schema, list):
        for each in schema:
            objects(each, known, seen)
    return seen


def described(name: str, schema: Schema) -> list[str]:
    """An object that others lead to: its name, its meaning, its fields or codes."""
    words = prose(str(schema.get("description", "")))
    lines = [f"**`{name}`**{': ' + words if words else ''}", ""]
    if "enum" in schema:
        return [*lines, "Codes: " + ", ".join(f"`{each}`" for each in schema["enum"]), ""]
    if "anyOf" in schema or "oneOf" in schema:
        return [*lines, f"One of: {cell(kind(schema))}", ""]
    return [*lines, *fields(schema)]

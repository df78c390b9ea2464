"""The documents of the event contract, from the facts' own classes.

A schema for each type of event, all of them in one document for strict validators, one AsyncAPI 3 document over all
topics, the reader's rule with its test vectors, and the editions: what all earlier documents called things.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

import msgspec

from api.contract import freeze, rule
from api.contract.auxiliary_messages import CHECKPOINT_MEANING, MESSAGES, Message
from api.contract.editions import Editions, as_document
from api.contract.envelope import DECIMAL_PATTERN, DECIMAL_WORDS, HEADERS, REQUIRED, Schema, attributes
from api.contract.freeze import ENDINGS
from domain.kernel.facts import TOPICS
from domain.kinds import BREACH_TYPES, REGISTRY
from infra.kafka.cluster import CONTENT_TYPE
from projections.names import CHANNELS, COMMITMENTS, FACTS, REASONS

VERSION = "1.0.0"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
BREACHES = "Copies of what operations act on: limits that near, lapse, escalate or are taken back."
Documents = dict[str, Any]
"""Path below the folder of the version → document."""


def documents(examples: Mapping[str, Mapping[str, Any]], before: Editions) -> Documents:
    """Every document. ``examples``: type name → a recorded event; a type without one has none in its schema.
    ``before``: the editions that are published."""
    schemas = {name: schema(name, examples.get(name)) for name in sorted(REGISTRY.types)}
    besides = {message.name: message_schema(message) for message in MESSAGES}
    return {
        **{f"schemas/{name}.json": found for name, found in schemas.items()},
        **{f"messages/{name}.json": found for name, found in besides.items()},
        "asyncapi.json": asyncapi(schemas, besides),
        "plain.json": plain({**schemas, **besides}),
        "readers-rule.json": rule.document(),
        "editions.json": as_document(before.followed_by(words(schemas), schemas)),
    }


def words(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Code → its Chinese name, of whatever an event says by a code: commitments, channels, reasons, types of event."""
    titles = {name.split(".")[2]: str(found["x-title-zh"]) for name, found in schemas.items()}
    names = {**COMMITMENTS, **CHANNELS, **REASONS}
    return {**{code: each.zh for code, each in names.items()}, **titles}


# ---- one event


def schema(type_name: str, example: Mapping[str, Any] | None) -> Schema:
    """The JSON Schema of one type of event, whole: attributes and data."""
    _, fact = REGISTRY.types[type_name]
    data, definitions = _data(fact)
    meaning = _text(fact.__doc__ or "")
    return {
        "$schema": DIALECT,
        "$id": f"urn:tongshui:event:{type_name}",
        "title": fact.__name__,
        "description": meaning,
        "x-title-zh": FACTS[fact.__name__].zh,
        "x-sent": sent(type_name, example),
        "type": "object",
        "required": list(REQUIRED),
        "properties": {**attributes(type_name), "data": data},
        **({"$defs": definitions} if definitions else {}),
        **_ending(type_name),
        **({"examples": [example]} if example is not None else {}),
    }


def _ending(name: str) -> Schema:
    """What a schema says of its type's announced end, where there is one."""
    ending = ENDINGS.get(name)
    if ending is None:
        return {}
    said = {"announced": ending.announced_on.isoformat(), "ends": ending.ends_on.isoformat(), "instead": ending.instead}
    return {"deprecated": True, "x-announced-end": said}


def _data(fact: type) -> tuple[Schema, dict[str, Schema]]:
    (reference,), components = msgspec.json.schema_components([fact], ref_template="#/$defs/{name}")
    _say_forms(msgspec.inspect.type_info(fact), reference, components)
    found = {name: _clean(each) for name, each in components.items()}
    own = found.pop(reference["$ref"].rpartition("/")[2])
    # Its meaning is the event's, and stands there.
    own.pop("description", None)
    own.pop("title", None)
    return own, found


def _say_forms(info: Any, schema: Schema, components: Mapping[str, Schema]) -> None:
    """Say what the library leaves out: the format of an instant, for ours all have a zone; the pattern of a decimal
    number; and what a class says of a field."""
    match info:
        case msgspec.inspect.DateTimeType():
            schema["format"] = "date-time"
        case msgspec.inspect.DecimalType():
            schema.update(pattern=DECIMAL_PATTERN, description=DECIMAL_WORDS)
        case msgspec.inspect.DataclassType(cls=cls, fields=fields) | msgspec.inspect.StructType(cls=cls, fields=fields):
            properties = components[schema["$ref"].rpartition("/")[2]]["properties"]
            for each in fields:
                _say_forms(each.type, properties[each.encode_name], components)
            for name, words in _field_words(cls).items():
                properties[name]["description"] = words
        case msgspec.inspect.UnionType(types=types) if "anyOf" in schema:
            for one, its in zip(types, schema["anyOf"], strict=True):
                _say_forms(one, its, components)
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            _say_forms(item, schema["items"], components)
        case msgspec.inspect.TupleType(item_types=items):
            for one, its in zip(items, schema["prefixItems"], strict=True):
                _say_forms(one, its, components)
        case msgspec.inspect.DictType(value_type=value) if isinstance(schema.get("additionalProperties"), dict):
            _say_forms(value, schema["additionalProperties"], components)


def _field_words(cls: type) -> dict[str, str]:
    """Field → what its class says of it, where that stands in the field's annotation."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        name: words
        for name, hint in hints.items()
        for words in getattr(hint, "__metadata__", ())
        if isinstance(words, str)
    }


def _clean(schema: Any) -> Any:
    """Docstrings as plain text; a default is left out, for what is sent has every field that its type had then."""
    if isinstance(schema, dict):
        cleaned = {name: _clean(each) for name, each in schema.items() if name != "default"}
        if isinstance(schema.get("pattern"), str):
            # The end of a text as Python has it; other languages know the plain one, and JSON Schema is theirs.
            cleaned["pattern"] = schema["pattern"].replace("\\Z", "$")
        if isinstance(schema.get("description"), str):
            cleaned["description"] = _text(schema["description"])
        return cleaned
    return [_clean(each) for each in schema] if isinstance(schema, list) else schema


def _text(docstring: str) -> str:
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(docstring))
    return "\n\n".join(" ".join(each.split()) for each in paragraphs).replace("``", "`")


def sent(type_name: str, example: Mapping[str, Any] | None) -> str:
    """When an event of the type is sent, in words."""
    fact = type_name.split(".")[2]
    if fact.startswith("Window"):
        return (
            "In the transaction of whatever changed the verdict: a fact that was told, or the instant itself, to which "
            "the window watch comes by itself."
        )
    if example is not None and example["role"] == "system":
        return "By the program itself, where the rules say that it follows; nobody tells it."
    by = f" In the example by the role {example['role']} over the channel {example['channel']}." if example else ""
    return f"As soon as somebody has told it and the rules took it.{by}"


# ---- one record that is no event


def message_schema(message: Message) -> Schema:
    """The JSON Schema of a record that is not of the store's log, whole."""
    meaning = CHECKPOINT_MEANING if message.record is None else message.record.__doc__
    form, definitions = _data(message.record) if message.record is not None else (dict(message.text or {}), {})
    return {
        "$schema": DIALECT,
        "$id": f"urn:tongshui:message:{message.name}",
        "title": message.title,
        "description": _text(meaning or ""),
        "x-title-zh": message.title_zh,
        "x-sent": message.sent,
        "x-topic": f"water.{message.topic}.v1",
        "x-content-type": message.content_type.decode(),
        "x-key": message.key,
        **({"x-headers": message.headers} if message.headers else {}),
        **form,
        **({"$defs": definitions} if definitions else {}),
        **_ending(message.name),
        "examples": [message.example],
    }


# ---- all schemas, for validators that refuse what they do not know

ANNOTATIONS = ("x-title-zh", "x-sent", "x-topic", "x-content-type", "x-key", "x-headers", "x-announced-end")
"""Our own keywords. They say something to people and tools and nothing to a validator; frozen as they are."""
MAPS = ("properties", "$defs")
"""Keywords whose names are those of fields and types, not keywords."""
OWN_FORMATS = ("decimal",)
"""Formats that are not of the standard; where one is, a pattern says the same."""
PLAIN_WORDS = """\
Every schema of this version in one JSON Schema document, in keywords and formats of the standard alone (draft 2020-12):
a validator that refuses what it does not know takes it as it is, for example ajv in strict mode with ajv-formats. Each
is a part of its own under `$defs`, by the name of its type and by the same `$id` as the schema of the type alone, which
says more: its names in Chinese, when it is sent, an example.
"""


def plain(schemas: Mapping[str, Schema]) -> Schema:
    """One document with all schemas, without our own keywords and formats."""
    return {
        "$schema": DIALECT,
        "$id": "urn:tongshui:contract:v1",
        "title": "tongshui events and records, v1",
        "description": _text(PLAIN_WORDS),
        "$defs": {name: _standard(found) for name, found in schemas.items()},
    }


def _standard(schema: Any) -> Any:
    """A schema without our own keywords and formats; examples and the dialect stand with the type alone."""
    if isinstance(schema, list):
        return [_standard(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = {"$schema", "examples", *ANNOTATIONS, *(["format"] if schema.get("format") in OWN_FORMATS else [])}
    kept = {keyword: each for keyword, each in schema.items() if keyword not in left_out}
    named = {
        keyword: {name: _standard(its) for name, its in kept[keyword].items()} for keyword in MAPS if keyword in kept
    }
    return {keyword: named[keyword] if keyword in named else _standard(each) for keyword, each in kept.items()}


# ---- all topics


def asyncapi(schemas: Mapping[str, Schema], besides: Mapping[str, Schema]) -> Schema:
    """The AsyncAPI 3 document: ``schemas`` of events, ``besides`` of the other records."""
    by_topic = {topic: [name for name in schemas if name.split(".")[1] == topic] for topic in TOPICS}
    breaches = [name for name in schemas if name in BREACH_TYPES]
    channels: dict[str, Schema] = {topic: _channel(topic, TOPICS[topic], names) for topic, names in by_topic.items()}
    channels["breach"] = _channel("breach", BREACHES, breaches)
    channels |= {message.topic: _channel(message.topic, message.about, [message.name]) for message in MESSAGES}
    reading = "".join(f"\n## {title}\n\n{words}" for title, words in rule.READING.values())
    sides = {message.name: _side_message(message, besides[message.name]) for message in MESSAGES}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:tongshui",
        "info": {
            "title": "通水 tongshui events",
            "version": VERSION,
            "description": "Every event of a water utility's applications, repairs and promises.\n\n"
            f"{freeze.WORDS}\nThe reader's rule. {rule.WORDS}{reading}",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE.decode().partition(";")[0],
        "channels": channels,
        "operations": {
            **{f"send-{name}": _operation(name, channel) for name, channel in channels.items()},
            **{
                f"receive-{message.topic}": _operation(message.topic, channels[message.topic], "receive")
                for message in MESSAGES
                if message.taken
            },
        },
        "components": {
            "messages": {**{name: _message(name, found) for name, found in schemas.items()}, **sides},
            "schemas": {
                **_shared({**schemas, **besides}),
                **{name: _embedded(found) for name, found in {**schemas, **besides}.items()},
                "headers": HEADERS,
            },
        },
    }


def _channel(name: str, description: str, types: Iterable[str]) -> Schema:
    return {
        "address": f"water.{name}.v1",
        "description": description,
        "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in types},
        "bindings": {"kafka": {"topic": f"water.{name}.v1", "bindingVersion": "0.5.0"}},
    }


def _operation(name: str, channel: Schema, action: str = "send") -> Schema:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": channel["description"],
        "messages": [{"$ref": f"#/channels/{name}/messages/{each}"} for each in channel["messages"]],
    }


def _message(name: str, schema: Schema) -> Schema:
    examples = [{"payload": each} for each in schema.get("examples", ())]
    return {
        "name": name,
        "title": f"{schema['x-title-zh']} {schema['title']}",
        "summary": schema["description"].partition("\n\n")[0],
        "contentType": CONTENT_TYPE.decode().partition(";")[0],
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "correlationId": {"location": "$message.payload#/correlationid"},
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}, "bindingVersion": "0.5.0"}},
        **({"examples": examples} if examples else {}),
    }


def _side_message(message: Message, schema: Schema) -> Schema:
    return {
        "name": message.name,
        "title": f"{message.title_zh} {message.title}",
        "summary": schema["description"].partition("\n\n")[0],
        "contentType": message.content_type.decode().partition(";")[0],
        **({"headers": message.headers} if message.headers else {}),
        "payload": {"$ref": f"#/components/schemas/{message.name}"},
        "bindings": {"kafka": {"key": message.key, "bindingVersion": "0.5.0"}},
        "examples": [{"payload": message.example}],
    }


def _embedded(schema: Schema) -> Schema:
    """The schema as a component of the one document, where its definitions are components too."""
    left_out = ("$schema", "$id", "$defs", "examples")
    return {name: _moved(each) for name, each in schema.items() if name not in left_out}


def _shared(schemas: Mapping[str, Schema]) -> Schema:
    """Every schema's definitions. Raises ValueError where two things have one name."""
    found: Schema = {}
    for schema in schemas.values():
        for name, each in schema.get("$defs", {}).items():
            if found.setdefault(name, _moved(each)) != _moved(each):
                raise ValueError(f"two definitions are named {name}")
    return found


def _moved(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: each.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _moved(each)
            for name, each in schema.items()
        }
    return [_moved(each) for each in schema] if isinstance(schema, list) else schema


def as_text(document: Any) -> str:
    """A document as it is kept in a file and served: the same bytes for the same content."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

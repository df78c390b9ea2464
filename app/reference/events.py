"""Events and the other records of Kafka, from the committed contract."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from api.contract.generate import BREACHES
from app.reference.markdown import page, prose, table
from app.reference.schemas import described, fields, objects
from domain.kernel.facts import TOPICS
from domain.kinds import REGISTRY
from infra.kafka.cluster import BREACH_FACTS

CONTRACT = resources.files("api") / "contract" / "v1"


def event_pages() -> dict[str, str]:
    """A page for each topic of events, one for the records beside them, and one that says what all events share."""
    schemas = {name: _read("schemas", name) for name in sorted(REGISTRY.types)}
    pages = {"reference/events/index.md": _shared_page(schemas)}
    for topic in TOPICS:
        own = {name: each for name, each in schemas.items() if name.split(".")[1] == topic}
        pages[f"reference/events/{topic}.md"] = page(
            f"Events of water.{topic}.v1",
            f"{TOPICS[topic]} What every event carries beside its data is in [Events](index.md).",
            table(("event", "name", "meaning"), (_row(name, each) for name, each in own.items())),
            *(_section(each) for each in own.values()),
        )
    pages["reference/events/messages.md"] = _messages_page()
    return pages


def _read(folder: str, name: str) -> Any:
    return json.loads((CONTRACT / folder / f"{name}.json").read_text(encoding="utf-8"))


def _row(name: str, schema: Any) -> tuple[str, ...]:
    first = prose(schema["description"]).partition("\n\n")[0]
    return f"[`{schema['title']}`](#{schema['title'].lower()})", schema["x-title-zh"], first


def _section(schema: Any) -> list[str]:
    data = schema["properties"]["data"]
    lines = [f"## {schema['title']} {schema['x-title-zh']} {{ #{schema['title'].lower()} }}", ""]
    lines += [f"Type `{schema['properties']['type']['const']}`", "", prose(schema["description"]), ""]
    lines += [f"**When it is sent:** {prose(schema['x-sent'])}", ""]
    lines += fields(data) or ["The event has no fields of its own.", ""]
    for name, each in objects(data, schema.get("$defs", {})).items():
        lines += described(name, each)
    if "examples" in schema:
        example = json.dumps(schema["examples"][0]["data"], ensure_ascii=False, indent=2)
        lines += ["Example of the data:", "", "```json", *example.splitlines(), "```", ""]
    return lines


def _shared_page(schemas: dict[str, Any]) -> str:
    some = next(iter(schemas.values()))
    attributes = {name: each for name, each in some["properties"].items() if name != "data"}
    attributes["type"] = {"type": "string", "description": "the public type, for example `water.repair.CrewArrived.v1`"}
    shared = {"properties": attributes, "required": some["required"]}
    topics = [(f"[`water.{name}.v1`]({name}.md)", _number(schemas, name), words) for name, words in TOPICS.items()]
    topics.append(("`water.breach.v1`", str(len(BREACH_FACTS)), f"{BREACHES} `{'`, `'.join(sorted(BREACH_FACTS))}`."))
    return page(
        "Events",
        "Every event is one JSON object of CloudEvents 1.0. This page says what all of them carry; each topic has a "
        "page with its events. The files themselves, with an AsyncAPI 3 document and test vectors for readers, are in "
        "`api/contract/v1/` and at `/api/v1/contract` of a running installation.",
        table(("topic", "types", "what"), topics),
        [
            "Readings, checkpoints, canaries and dead letters are no events: see [Other records](messages.md).",
            "",
        ],
        ["## Attributes of every event", ""],
        fields(shared),
    )


def _number(schemas: dict[str, Any], topic: str) -> str:
    return str(sum(name.split(".")[1] == topic for name in schemas))


def _messages_page() -> str:
    names = sorted(file.name.removesuffix(".json") for file in (CONTRACT / "messages").iterdir())
    return page(
        "Other records",
        "Records of topics that are not of the store's log.",
        *(_message(name) for name in names),
    )


def _message(name: str) -> list[str]:
    schema = _read("messages", name)
    lines = [f"## {schema['title']} {schema['x-title-zh']} {{ #{schema['title'].lower()} }}", ""]
    lines += [
        f"Name `{name}`",
        "",
        prose(schema["description"]),
        "",
        f"**When it is sent:** {prose(schema['x-sent'])}",
        "",
    ]
    lines += fields(schema)
    for inner, each in objects(schema.get("properties", {}), schema.get("$defs", {})).items():
        lines += described(inner, each)
    return lines

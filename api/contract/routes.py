"""The event contract over HTTP: the documents under /api/v1/contract, and pages for people under /contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from api.contract import freeze, published, rule
from api.contract.generate import VERSION
from api.http.answers import QUERY_ERRORS, documented
from api.http.dependencies import ServiceDep
from api.http.powers import needs
from api.http.refusals import NoSuchEventType
from api.http.strict import StrictRoute
from api.pages.static_files import HEADERS
from infra.settings import Settings

router = APIRouter(
    prefix="/api/v1/contract", tags=["contract 事件约定"], responses=QUERY_ERRORS, route_class=StrictRoute
)
page = APIRouter(include_in_schema=False, route_class=StrictRoute)

TypeName = Annotated[
    str,
    Path(
        max_length=100,
        pattern=r"^[A-Za-z0-9.]+$",
        examples=["water.repair.CrewArrived.v1"],
        description="the event's public type name",
    ),
]


class EventType(BaseModel):
    """One type of event."""

    type: str = Field(examples=["water.repair.CrewArrived.v1"], description="Public type name of the event.")
    title: Annotated[str, Field(description="Its English name.")]
    title_zh: Annotated[str, Field(description="Its Chinese name.")]
    meaning: Annotated[str, Field(description="What it says, in English.")]
    schema_at: str = Field(description="where its JSON Schema is")
    page_at: str = Field(description="where its page is")


class OtherRecord(BaseModel):
    """A record that is no event: of a topic that is not of the store's log."""

    name: str = Field(examples=["water.readings.MeterReading.v1"], description="Public name of the record's type.")
    title: Annotated[str, Field(description="Its English name.")]
    title_zh: Annotated[str, Field(description="Its Chinese name.")]
    topic: Annotated[str, Field(description="Name of the Kafka topic that it is on.")]
    meaning: Annotated[str, Field(description="What it says, in English.")]
    schema_at: str = Field(description="where its JSON Schema is")
    page_at: str = Field(description="where its page is")


class ContractOverview(BaseModel):
    """What outside teams may rely on when they read our topics. ``frozen``: since when, and how a type ends."""

    version: Annotated[str, Field(description="Version of the event contract.")]
    frozen_on: Annotated[date, Field(description="Day since which the contract is frozen.")]
    frozen: Annotated[str, Field(description="What stays as it is, and how a type ends.")]
    asyncapi_at: Annotated[str, Field(description="Path of the AsyncAPI document.")]
    plain_at: Annotated[str, Field(description="Path of all JSON Schemas in one, in standard keywords alone.")]
    readers_rule_at: Annotated[str, Field(description="Path of the reader's rule, in words and as test vectors.")]
    editions_at: Annotated[str, Field(description="Path of the list of editions.")]
    types: Annotated[list[EventType], Field(description="Every type of event.")]
    others: Annotated[list[OtherRecord], Field(description="The records that are no events.")]


@router.get(
    "", summary="The event contract: every type of event, and where its documents are", openapi_extra=needs(None)
)
def contract() -> ContractOverview:
    return ContractOverview(
        version=VERSION,
        frozen_on=freeze.FROZEN_ON,
        frozen=freeze.WORDS,
        asyncapi_at=f"{router.prefix}/asyncapi.json",
        plain_at=f"{router.prefix}/plain.json",
        readers_rule_at=f"{router.prefix}/readers-rule.json",
        editions_at=f"{router.prefix}/{published.EDITIONS}",
        types=[_listed(name, schema) for name, schema in published.schemas().items()],
        others=[_other(name, schema) for name, schema in published.messages().items()],
    )


def _other(name: str, schema: Mapping[str, Any]) -> OtherRecord:
    return OtherRecord(
        name=name,
        title=schema["title"],
        title_zh=schema["x-title-zh"],
        topic=schema["x-topic"],
        meaning=schema["description"],
        schema_at=f"{router.prefix}/schemas/{name}",
        page_at=f"/contract/events/{name}",
    )


def _listed(name: str, schema: Mapping[str, Any]) -> EventType:
    return EventType(
        type=name,
        title=schema["title"],
        title_zh=schema["x-title-zh"],
        meaning=schema["description"],
        schema_at=f"{router.prefix}/schemas/{name}",
        page_at=f"/contract/events/{name}",
    )


@router.get(
    "/asyncapi.json",
    summary="The AsyncAPI 3 document over all topics, with this installation's brokers",
    openapi_extra=needs(None),
)
def asyncapi(service: ServiceDep) -> dict[str, Any]:
    return _document("asyncapi.json") | servers(service.settings)


def servers(settings: Settings) -> dict[str, Any]:
    """The part ``servers`` of the AsyncAPI document: the brokers that this installation knows. The published file has
    none, since it is the same for every installation."""
    protocol = "kafka-secure" if settings.kafka_security_protocol.endswith("SSL") else "kafka"
    description = f"security protocol {settings.kafka_security_protocol}"
    brokers = [host for host in settings.kafka_bootstrap.split(",") if host]
    found = {
        f"broker-{number}": {"host": host.strip(), "protocol": protocol, "description": description}
        for number, host in enumerate(brokers, start=1)
    }
    return {"servers": found} if found else {}


@router.get(
    "/plain.json",
    summary="All JSON Schemas in one, in standard keywords alone, for strict validators",
    openapi_extra=needs(None),
)
def plain() -> dict[str, Any]:
    return _document("plain.json")


@router.get("/readers-rule.json", summary="The reader's rule in words and as test vectors", openapi_extra=needs(None))
def readers_rule() -> dict[str, Any]:
    return _document("readers-rule.json")


@router.get(
    "/editions.json",
    summary="Every Chinese name of a code and every form of a schema that was ever published",
    openapi_extra=needs(None),
)
def editions() -> dict[str, Any]:
    return _document(published.EDITIONS)


@router.get(
    "/schemas/{type_name}",
    summary="The JSON Schema of one type of event, or of another record",
    responses=documented(_404="no-such-event-type"),
    openapi_extra=needs(None),
)
def schema(type_name: TypeName) -> dict[str, Any]:
    return _document(_path(type_name))


def _path(name: str) -> str:
    return f"{'messages' if name in published.messages() else 'schemas'}/{name}.json"


def _document(path: str) -> dict[str, Any]:
    text = published.document(path)
    if text is None:
        raise NoSuchEventType(path, router.prefix)
    found: dict[str, Any] = json.loads(text)
    return found


# ---- pages


@page.get("/contract")
def index() -> Response:
    return _html("事件约定 Event contract", "".join(_index()))


@page.get("/contract/events/{type_name}")
def event(type_name: TypeName) -> Response:
    found = _document(_path(type_name))
    return _html(f"{found['x-title-zh']} {found['title']}", "".join(_event(type_name, found)))


def _index() -> Iterator[str]:
    yield f'<p lang="en"><a href="{router.prefix}/asyncapi.json">asyncapi.json</a> · '
    yield f'<a href="{router.prefix}/plain.json">plain.json</a> · '
    yield f'<a href="{router.prefix}/readers-rule.json">readers-rule.json</a> · '
    yield f'<a href="{router.prefix}/{published.EDITIONS}">{published.EDITIONS}</a></p>'
    yield "<h2>冻结与终止 <span lang='en'>Frozen as v1, and how a type ends</span></h2>"
    yield f'<pre lang="en" class="rule">{escape(freeze.WORDS)}</pre>'
    yield "<h2>读取规则 <span lang='en'>The reader's rule</span></h2>"
    yield f'<pre lang="en" class="rule">{escape(rule.WORDS)}</pre>'
    for name, (title, words) in rule.READING.items():
        yield f'<h3 id="{name}" lang="en">{escape(title)}</h3><pre lang="en" class="rule">{escape(words)}</pre>'
    last_topic = ""
    for name, found in sorted(published.schemas().items()):
        if (topic := name.split(".")[1]) != last_topic:
            yield f"{'</table>' if last_topic else ''}<h2>water.{topic}.v1</h2><table>"
            last_topic = topic
        meaning = worded(found["description"].partition("\n\n")[0])
        link = f'<a href="/contract/events/{name}">{escape(found["title"])}</a>'
        yield f'<tr><th>{escape(found["x-title-zh"])}</th><td lang="en">{link}</td><td lang="en">{meaning}</td></tr>'
    yield "</table>"
    yield "<h2>其他主题 <span lang='en'>Topics that are not of the store's log</span></h2><table>"
    for name, found in sorted(published.messages().items()):
        meaning = worded(found["description"].partition("\n\n")[0])
        link = f'<a href="/contract/events/{name}">{escape(found["x-topic"])}</a>'
        yield f'<tr><th>{escape(found["x-title-zh"])}</th><td lang="en">{link}</td><td lang="en">{meaning}</td></tr>'
    yield "</table>"


def _event(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    yield f"<p><code>{name}</code>{_deprecated(found)}</p>"
    yield "".join(f'<p lang="en">{worded(part)}</p>' for part in found["description"].split("\n\n"))
    yield f'<h2>何时发出 <span lang="en">When it is sent</span></h2><p lang="en">{escape(found["x-sent"])}</p>'
    data = found["properties"]["data"] if "x-topic" not in found else found
    if "x-topic" in found:
        yield from _around(found)
    yield '<h2>内容 <span lang="en">data</span></h2><table>'
    for field, schema in data.get("properties", {}).items():
        always = "" if field in data.get("required", ()) else "Not in older events. "
        words = worded(always + schema.get("description", ""))
        yield f"<tr><th><code>{escape(field)}</code></th><td>{escape(form(schema))}</td><td lang='en'>{words}</td></tr>"
    yield "</table>"
    for title, definition in found.get("$defs", {}).items():
        yield f'<h3>{escape(title)}</h3><p lang="en">{worded(definition.get("description", ""))}</p><table>'
        for field, schema in definition.get("properties", {}).items():
            yield f"<tr><th><code>{escape(field)}</code></th><td>{escape(form(schema))}</td></tr>"
        yield "</table>"
    for example in found.get("examples", ()):
        yield '<h2>示例 <span lang="en">Example</span></h2>'
        text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False, indent=2)
        yield f"<pre>{escape(text)}</pre>"
    yield f'<p><a href="{router.prefix}/schemas/{name}">JSON Schema</a> · <a href="/contract">事件约定</a></p>'


def _around(found: Mapping[str, Any]) -> Iterator[str]:
    """Of a record that is no event: topic, key, headers; and its form, where it is text."""
    rows = [("topic", found["x-topic"], ""), ("content type", found["x-content-type"], "")]
    rows.append(("key", form(found["x-key"]), found["x-key"].get("description", "")))
    headers = found.get("x-headers", {}).get("properties", {})
    rows += [(f"header {name}", form(each), each.get("description", "")) for name, each in headers.items()]
    if "pattern" in found:
        rows.append(("value", "text", found["pattern"]))
    yield "<table>"
    for name, what, more in rows:
        yield f"<tr><th lang='en'>{escape(name)}</th><td>{escape(what)}</td><td lang='en'>{escape(more)}</td></tr>"
    yield "</table>"


def _deprecated(found: Mapping[str, Any]) -> str:
    end = found.get("x-announced-end")
    return f" <strong>{end['ends']} 起停发 ends, {escape(end['instead'])}</strong>" if end else ""


def worded(text: str) -> str:
    """Text for a page, with its code words as such."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def form(schema: Mapping[str, Any]) -> str:
    """A field's form in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(form(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "prefixItems" in schema:
        return f"({', '.join(form(each) for each in schema['prefixItems'])})"
    if schema.get("type") == "array":
        return f"list of {form(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {form(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "any")


def _html(title: str, body: str) -> Response:
    return HTMLResponse(
        "<!doctype html>\n<html lang='zh-CN'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>通水 · {escape(title)}</title><link rel='icon' href='/static/icon.svg' type='image/svg+xml'>"
        f"<link rel='stylesheet' href='/static/docs.css'></head><body><header><h1>通水 · {escape(title)}</h1>"
        "<p><a href='/contract'>事件约定 <span lang='en'>contract</span></a> · <a href='/docs'>接口说明 "
        "<span lang='en'>API</span></a> · <a href='/'>看板 <span lang='en'>board</span></a></p></header>"
        f"<main>{body}</main></body></html>",
        headers=HEADERS,
    )

"""The HTTP API, from its own OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from api.app import create_app
from api.http.powers import NONE, POWER
from app.reference.markdown import page, prose, slug, table
from app.reference.schemas import Schema, allowed, described, fields, kind, meaning, objects, referred
from infra.eventstore.service import Service
from infra.settings import Settings

PARTS = "#/components/schemas/"


class _NoService:
    """Stands where a service would: describing the API asks nothing of it."""

    settings = Settings.model_construct()


def api_document() -> dict[str, Any]:
    """The OpenAPI document of the application."""
    return create_app(cast(Service, _NoService())).openapi()


def api_pages(document: Mapping[str, Any]) -> dict[str, str]:
    """A page for each group of routes, and one that lists all of them."""
    groups: dict[str, list[tuple[str, str, Any]]] = {}
    for path, method, operation in _operations(document):
        groups.setdefault(operation.get("tags", ["other"])[0], []).append((path, method, operation))
    pages = {"reference/api/index.md": _overview(document, groups)}
    for tag, operations in groups.items():
        pages[f"reference/api/{slug(tag)}.md"] = page(
            f"API: {tag}",
            "Headers that every command takes and the form of every error are described in [API](index.md).",
            *(_operation(document, *each) for each in operations),
        )
    return pages


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _anchor(path: str, method: str) -> str:
    return slug(f"{method} {path.removeprefix('/api/v1/')}")


def _overview(document: Mapping[str, Any], groups: Mapping[str, list[tuple[str, str, Any]]]) -> str:
    known = document["components"]["schemas"]
    lines: list[str] = []
    for tag, operations in groups.items():
        rows = (
            (
                f"[`{method} {path}`]({slug(tag)}.md#{_anchor(path, method)})",
                operation.get("summary", ""),
                f"`{operation[POWER]}`" if operation.get(POWER, NONE) != NONE else "",
            )
            for path, method, operation in operations
        )
        lines += [f"## {tag} {{ #{slug(tag)} }}", "", *table(("route", "what it does", "power that it needs"), rows)]
    problem: list[str] = ["## Errors", "", "Every error is `application/problem+json`. Its codes are in ", ""]
    problem[2] += "[Refusal codes](../refusals.md)."
    problem += fields(known["Problem"])
    for name, each in objects(known["Problem"], known).items():
        problem += described(name, each)
    return page("API", prose(document["info"]["description"]), _common_headers(document), lines, problem)


def _common_headers(document: Mapping[str, Any]) -> list[str]:
    """The headers that every command takes, as one of them declares them."""
    command = document["paths"]["/api/v1/repairs"]["post"]
    return ["## Headers of every command { #headers }", "", *_parameters(command.get("parameters", ()))]


def _parameters(parameters: Any) -> list[str]:
    rows = (
        (
            f"`{each['name']}`",
            each["in"],
            kind(each.get("schema", {})),
            "yes" if each.get("required") else "no",
            allowed(each.get("schema", {})),
            meaning({**each.get("schema", {}), "description": each.get("description", "")}),
        )
        for each in parameters
    )
    return table(("name", "in", "type", "required", "allowed", "meaning"), rows)


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Any) -> list[str]:
    known: Mapping[str, Schema] = document["components"]["schemas"]
    lines = [f"## {operation.get('summary', path)} {{ #{_anchor(path, method)} }}", "", f"`{method} {path}`", ""]
    if operation.get("description"):
        lines += [prose(operation["description"]), ""]
    own = [each for each in operation.get("parameters", ()) if each["in"] != "header"]
    lines += _parameters(own)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    shown: dict[str, Schema] = {}
    if body is not None:
        lines += ["**Body**", "", *_whole(body, known, shown)]
    for status, answer in sorted(operation.get("responses", {}).items()):
        if status.startswith("2"):
            schema = answer.get("content", {}).get("application/json", {}).get("schema")
            lines += [f"**Answer {status}**", ""]
            lines += _whole(schema, known, shown) if schema else [prose(answer.get("description", "")), ""]
    codes = ", ".join(f"`{status}`" for status in sorted(operation.get("responses", {})) if not status.startswith("2"))
    return [*lines, *([f"Errors: {codes}, as [problem+json](index.md#errors).", ""] if codes else [])]


def _whole(schema: Schema, known: Mapping[str, Schema], shown: dict[str, Schema]) -> list[str]:
    """A schema with every object that it leads to. ``shown``: what the operation's section has already."""
    lines: list[str] = []
    top = known.get(referred(schema)) if "$ref" in schema else None
    if top is None:
        lines += [f"{kind(schema)}", ""]
    elif referred(schema) not in shown:
        lines += fields(top) or ["No fields.", ""]
        shown[referred(schema)] = top
    else:
        lines += [f"`{referred(schema)}`, as above.", ""]
    for name, each in objects(schema, known).items():
        if name not in shown:
            shown[name] = each
            lines += described(name, each)
    return lines

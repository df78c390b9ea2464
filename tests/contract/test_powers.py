"""The power that an operation declares is the one that it is refused for, where a role has no power at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest

from api.http.powers import NONE, POWER, needs
from domain.kinds import POWERS
from infra.eventstore import recompute
from infra.eventstore.recompute import DryRun
from infra.eventstore.shipped_rules import shipped_law, shipped_rules
from tests.api_world import REPORTER, Client, FakeService, app_over, fault, staff

PREFIX = "/api/v1"
NOTICE = {
    "notice": {"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": True}]},
    "source": "国务院办公厅关于2027年部分节假日安排的通知",
}
LAW = msgspec.to_builtins(shipped_law())
BODIES: Mapping[str, Any] = {
    "/repairs": fault(),
    "/repairs/bulk": {"reports": [fault()]},
    "/repairs/{case_id}/reports": {"reporter": REPORTER},
    "/repairs/{case_id}/arrival/evidence": {
        "event_id": "00000000-0000-4000-8000-000000000000",
        "evidence": {"photo_digest": "sha256:" + "0" * 64},
    },
    "/calendars": NOTICE,
    "/calendars/dry-run": NOTICE,
    "/law": LAW,
    "/law/dry-run": LAW,
}
"""Of operations that look at more than the form of a body before they look at the role."""
ABOUT_WHO_ASKS = ("/session", "/token", "/people", "/approvals", "/follow/", "/my/")
"""Paths that need accounts, or links, which are in PostgreSQL; test_identity.py, test_approvals.py and test_citizens.py
of tests/integration ask them."""
NEEDS_NO_POWER = {"/repairs", "/repairs/bulk", "/calendars/dry-run", "/law/dry-run"}
"""A report is taken from everybody; to try a notice or a law stores nothing."""
NOT_ASKED = {
    "/api/v1/figures": "counts in PostgreSQL",
    "/api/v1/figures/satisfaction": "counts in PostgreSQL",
    "/api/v1/disclosure": "counts in PostgreSQL",
    "/api/v1/indicators": "counts in PostgreSQL",
    "/healthz": "asks PostgreSQL how the parts stand",
    "/metrics": "asks PostgreSQL how the parts stand",
    "/api/v1/breaches/stream": "does not end",
}
"""Queries that cannot be sent to the service in memory, and why. Commands can all be sent."""


@pytest.fixture(scope="module")
def service() -> FakeService:
    """A service whose standards give no power to anybody."""
    rules = shipped_rules()
    powerless = FakeService(
        replace(
            rules, standards=tuple(replace(each, powers=dict.fromkeys(POWERS, ("nobody",))) for each in rules.standards)
        )
    )
    powerless.answers["readings_to_audit"] = lambda wanted: [
        {"meter": meter, "read_at": at, "litres": 1, "used_litres": 1, "flags": [], "pending": False}
        for meter, at in zip(wanted["meters"], wanted["times"], strict=True)
    ]
    return powerless


@pytest.fixture(scope="module")
def client(service: FakeService) -> Client:
    return Client(app_over(service))


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    return client.app.openapi()


@pytest.fixture(scope="module")
def incident(client: Client) -> str:
    """An incident that exists: some operations look for their case before they look at the role."""
    return str(client.post(f"{PREFIX}/repairs", fault()).json()["case_id"])


def sample(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """A value that the schema allows: its example, or the least that is required."""
    if "$ref" in schema:
        return sample(known[schema["$ref"].rpartition("/")[2]], known)
    for given in ("examples", "enum"):
        if given in schema:
            return schema[given][0]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], known)
    match schema["type"]:
        case "object":
            asked = schema.get("required", ())
            return {name: sample(each, known) for name, each in schema.get("properties", {}).items() if name in asked}
        case "array":
            # A list of fixed length says each of its items.
            each = schema.get("prefixItems") or [schema["items"]] * schema.get("minItems", 0)
            return [sample(item, known) for item in each]
        case "integer":
            return int(schema.get("minimum", 1))
        case "number":
            return 1.0
        case "boolean":
            return True
    return "00000000-0000-4000-8000-000000000000" if schema.get("format") == "uuid" else "crew-1"


def operations(document: Mapping[str, Any], method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        if method in methods:
            yield path, methods[method]


def asked(client: Client, document: Mapping[str, Any], incident: str, path: str, method: str) -> httpx.Response:
    """The answer to the operation, sent by somebody in a role without any power."""
    known, operation, url = document["components"]["schemas"], document["paths"][path][method], path
    query = {}
    for each in operation.get("parameters", ()):
        value = incident if each["name"] in ("case_id", "incident") else sample(each["schema"], known)
        if each["in"] == "path":
            url = url.replace(f"{{{each['name']}}}", str(value))
        elif each["in"] == "query" and each.get("required"):
            query[each["name"]] = "2026-02-13" if each["schema"].get("format") == "date" else value
    if method == "get":
        return client.get(url, params=query, headers=staff("crew"))
    if method == "patch":
        return client.request("PATCH", url, content=b"", headers={**staff("crew"), "Upload-Offset": "0"})
    content = operation.get("requestBody", {}).get("content", {})
    form = content["application/json"]["schema"] if content else {"type": "object"}
    body = BODIES.get(path.removeprefix(PREFIX)) or sample(form, known)
    if "incident" in body:
        body = {**body, "incident": incident}
    return client.post(url, body, headers=staff("crew"))


def refused_for(answer: httpx.Response) -> str:
    """The power that the answer says is missing, or none where the role was not what it was refused for."""
    if answer.status_code != 403:
        return NONE
    problem = answer.json()
    assert problem["code"] == "wrong-role", problem
    return str(problem["found"]).removeprefix("role crew for ")


def test_every_command_declares_the_power_that_it_is_refused_for(
    client: Client, document: dict[str, Any], incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompute, "dry_run", lambda *_: DryRun("CN@2027-1"))
    declared = {
        path: operation.get(POWER, "not declared")
        for path, operation in operations(document, "post")
        if not path.removeprefix(PREFIX).startswith(ABOUT_WHO_ASKS)
    }
    assert {path.removeprefix(PREFIX) for path, power in declared.items() if power == NONE} == NEEDS_NO_POWER
    for path, power in declared.items():
        answer = asked(client, document, incident, path, "post")
        assert refused_for(answer) == power, (path, answer.text)
        assert power != NONE or answer.is_success, (path, answer.text)


def test_every_query_declares_the_power_that_it_is_refused_for(
    client: Client, document: dict[str, Any], incident: str
) -> None:
    queries = {
        path: operation
        for path, operation in operations(document, "get")
        if not path.removeprefix(PREFIX).startswith(ABOUT_WHO_ASKS)
    }
    assert set(NOT_ASKED) < set(queries)
    for path in queries.keys() - NOT_ASKED.keys():
        answer = asked(client, document, incident, path, "get")
        assert refused_for(answer) == queries[path].get(POWER, NONE), (path, answer.text)
        assert answer.status_code < 500, (path, answer.text)


def test_the_power_stands_in_the_description_in_both_languages(document: dict[str, Any]) -> None:
    dispatch = document["paths"][f"{PREFIX}/repairs/{{case_id}}/dispatch"]["post"]
    assert dispatch["description"] == "Needs the power `repair.dispatch`. 需要权限 `repair.dispatch`。"
    arrival = document["paths"][f"{PREFIX}/repairs/{{case_id}}/delay"]["post"]
    assert arrival["description"].endswith("\n\nNeeds the power `repair.tell`. 需要权限 `repair.tell`。")
    report = document["paths"][f"{PREFIX}/repairs"]["post"]
    assert report["description"].startswith("Needs no power. 无需权限。")


def test_only_powers_that_a_standard_gives_can_be_declared() -> None:
    assert all(needs(power) == {POWER: power} for power in POWERS)
    assert needs(None) == {POWER: NONE}
    with pytest.raises(ValueError, match="no such power: repair\\.dream"):
        needs("repair.dream")

"""Every command that takes a second person: none is typed in from a session, and who was asked reaches the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi import FastAPI, Request, Response

from api.approvals.carrying import carry
from api.approvals.masking import PERSONS
from api.approvals.operations import NEVER, PREFIX, operation_of, operations
from api.http.caller import SECOND_PERSON_FIELDS
from api.http.carried import Carried
from api.http.identity import Identity
from api.http.powers import NONE, POWER
from domain.approvals.refusals import NotForApproval
from domain.people.people import Work
from domain.standard.context import Person
from domain.standard.powers import roles_with
from infra.approvals.asked_commands import AskedCommand
from infra.approvals.carrying import CommandPassed, trying
from infra.eventstore.commands import Command, IdempotencyKey, Stamp
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import shipped_rules
from tests.api_world import Client, FakeService, app_over, fault
from tests.contract.test_powers import BODIES, sample

SECOND = Person("manager-9", "manager")
KEY = IdempotencyKey("approval", "1", b"1")


class Noting(FakeService):
    """A service that notes who says a command, and carries nothing out that is tried."""

    def __init__(self) -> None:
        super().__init__()
        self.stamps: list[tuple[Stamp, IdempotencyKey | None]] = []
        self.vault = SimpleNamespace(knows=lambda _: True)
        session: dict[str, Any] = {
            "is_machine": False,
            "for_browser": False,
            "is_limited": False,
            "crew": None,
            "squad": None,
            "scopes": [],
            "phone_hash": None,
            "by_provider": False,
        }
        who = {"actor": "everyone-1", "role": "manager", "roles": list(ROLES), "districts": [], "idle_s": 0}
        self.answers["identity_session"] = lambda _: [session | who]
        self.answers["readings_to_audit"] = lambda wanted: [
            {"meter": meter, "read_at": at, "litres": 1, "used_litres": 1, "flags": [], "pending": False}
            for meter, at in zip(wanted["meters"], wanted["times"], strict=True)
        ]

    def try_out(self, command: Command) -> None:
        self.stamps.append((command.stamp, command.key))


ROLES = sorted({role for roles in shipped_rules().newest.powers.values() for role in roles} - {"public", "system"})


@pytest.fixture(scope="module")
def service() -> Noting:
    return Noting()


@pytest.fixture(scope="module")
def app(service: Noting) -> FastAPI:
    return app_over(service)


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


@pytest.fixture(scope="module")
def incident(app: FastAPI) -> str:
    return str(Client(app).post(f"{PREFIX}/repairs", fault()).json()["case_id"])


def path_and_body(document: Mapping[str, Any], path: str, incident: str) -> tuple[str, Any]:
    """A request that the operation's description allows."""
    known, operation = document["components"]["schemas"], document["paths"][path]["post"]
    url = path.removeprefix(PREFIX)
    for each in operation.get("parameters", ()):
        value = incident if each["name"] in ("case_id", "incident") else sample(each["schema"], known)
        url = url.replace(f"{{{each['name']}}}", str(value))
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return url, {}
    form = content["application/json"]["schema"]
    body = BODIES.get(path.removeprefix(PREFIX)) or sample(form, known)
    return url, {**body, "incident": incident} if "incident" in body else body


def takes_second_person(document: Mapping[str, Any]) -> dict[str, str]:
    """Path → id, of every operation whose header or body takes a second person."""
    found = {}
    for path, methods in document["paths"].items():
        operation = methods.get("post", {})
        headers = {each["name"] for each in operation.get("parameters", ())}
        text = json.dumps(_form(document, operation).get("properties", {}))
        if "X-Confirmed-By" in headers or any(f'"{name}"' in text for name in SECOND_PERSON_FIELDS):
            found[path] = operation["operationId"]
    return found


def _form(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    form: Mapping[str, Any] = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    return form


def test_every_operation_that_takes_a_second_person_can_be_asked_for(
    app: FastAPI, document: dict[str, Any], incident: str
) -> None:
    taking = takes_second_person(document)
    assert set(taking.values()) >= NEVER
    assert {each.id for each in operations(app)} == set(taking.values()) - NEVER
    for path, name in taking.items():
        url, _ = path_and_body(document, path, incident)
        if name in NEVER:
            with pytest.raises(NotForApproval):
                operation_of(app, url)
        else:
            found, case_id = operation_of(app, url)
            assert (found.id, case_id) == (name, UUID(incident) if "{case_id}" in path else None)


def test_from_a_session_no_second_person_is_typed_in_wherever_one_could_be(
    app: FastAPI, document: dict[str, Any], incident: str
) -> None:
    client = Client(app, proxy_secret=None)
    for path, name in takes_second_person(document).items():
        if "/follow/" in path:
            continue  # whoever comes by a link has no session, and a link that opens nothing is told first
        url, body = path_and_body(document, path, incident)
        form = _form(document, document["paths"][path]["post"])
        ways: list[tuple[dict[str, str], dict[str, Any]]] = [
            ({"X-Confirmed-By": "manager-9"}, {}),
            ({"X-Confirmed-Role": "manager"}, {}),
            *(({}, {name: "manager-9"}) for name in SECOND_PERSON_FIELDS if name in form.get("properties", {})),
        ]
        for headers, typed in ways:
            said = headers | {"Authorization": "Bearer token", "X-Role": role_for(document, path)}
            refused = client.post(f"{PREFIX}{url}", body | typed, headers=said)
            assert refused.json().get("code") == "second-person-not-asked", (path, headers, typed)


def test_who_was_asked_reaches_every_command_as_its_second_person(
    app: FastAPI, service: Noting, document: dict[str, Any], incident: str
) -> None:
    named = {path: name for path, name in takes_second_person(document).items() if name not in NEVER}
    for path, name in named.items():
        url, body = path_and_body(document, path, incident)
        service.stamps.clear()
        role = role_for(document, path)
        answer = carried(app, service, url, body, role)
        assert answer is None, (name, answer.body)
        ((stamp, key),) = service.stamps
        assert (stamp.actor, stamp.role) == ("everyone-1", role), path
        assert (stamp.confirmed_by, stamp.confirmed_role) == (SECOND.actor, SECOND.role), path
        assert key == KEY, path


def role_for(document: Mapping[str, Any], path: str) -> str:
    """A role that may send the command; a manager where it may."""
    power = document["paths"][path]["post"][POWER]
    roles = roles_with(shipped_rules().newest, power) if power != NONE else ("manager",)
    return "manager" if "manager" in roles else roles[0]


def carried(app: FastAPI, service: Noting, path: str, body: Any, role: str) -> Response | None:
    """The answer of a command that is tried out with a second person; None: it passed."""
    first = Identity("everyone-1", role, "session", Work(tuple(ROLES)))
    command = AskedCommand(path, body, "x", first.actor, first.role, "session", "office", "corr", "salt")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "app": app,
        "scheme": "http",
        "root_path": "",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1")],
    }
    tried = Carried(first, SECOND, KEY, trying(cast(Service, service)))

    async def send() -> Response:
        return await carry(Request(scope), command, tried)

    try:
        return asyncio.run(send())
    except CommandPassed:
        return None


def test_every_field_that_holds_a_person_is_masked(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    persons = {name for name in ("Reporter", "ApplicantDetails", "Asker") if name in schemas}
    holding = {
        field
        for schema in schemas.values()
        for field, said in schema.get("properties", {}).items()
        if any(f'/{name}"' in json.dumps(said) for name in persons)
    }
    assert holding
    assert holding <= PERSONS

"""The table of permissions, tried cell by cell against the application on real PostgreSQL; and lists, that leave out
what is not theirs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from api.http.permissions import Permission, permissions
from domain import kinds
from domain.kernel.roles import ROLES
from domain.people.people import Work
from domain.standard.scopes import CITIZEN_ROLES, Bound
from infra.clock import ManualClock
from infra.eventstore.commands import Command, Stamp, Stream
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import crew_stream, order_stream
from infra.identity.accounts import Accounts
from infra.identity.citizens import Citizens
from infra.identity.demo_accounts import join_by_program
from tests.api_read_models import project
from tests.api_world import APPLICANT, Client, app_of, application, fault, staff

API = "/api/v1"
REFUSED = ("wrong-role", "not-yours", "not-your-crew")


@dataclass(frozen=True)
class Cases:
    """A case of each kind: of one crew, one squad and one district."""

    incident: str
    application: str
    outage: str
    order: str
    crew: str


@dataclass(frozen=True)
class City:
    """Two districts with a crew and a squad each, and a case of each kind."""

    own: Cases
    foreign: Cases


OWN, FOREIGN = ("zhenxi", "crew-01", "squad-1", "JS-1"), ("qianzhou", "crew-02", "squad-2", "JS-2")


@pytest.fixture
def app(service: Service) -> FastAPI:
    return app_of(service)


@pytest.fixture
def city(app: FastAPI) -> City:
    client = Client(app)
    return City(*(_cases(client, *each) for each in (OWN, FOREIGN)))


def _cases(client: Client, district: str, crew: str, squad: str, order: str) -> Cases:
    def post(path: str, body: dict[str, Any], role: str) -> str:
        answer = client.post(f"{API}/{path}", body, headers=staff(role))
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["case_id"])

    post("crews", {"crew": crew, "name_zh": "班组", "skills": ["pipes"], "lead": "lead-1"}, "dispatcher")
    post("squads", {"squad": squad, "members": [f"{squad}-a"]}, "manager")
    named = {"source": "hotline-12345", "number": order}
    person = {"name": "张三", "phone": PHONES[district], "address": "人民北路 1 号"}
    incident = post("repairs", fault(district=district, order=named, reporter=person), "hotline")
    post(f"repairs/{incident}/dispatch", {"crew": crew}, "dispatcher")
    applied = post("connections", application(district=district, applicant=APPLICANT | person), "counter")
    visit = {"visit": str(uuid4()), "squad": squad, "purpose": "survey"}
    visit |= {"begin": "2026-09-16T02:00:00Z", "end": "2026-09-16T04:00:00Z"}
    post(f"connections/{applied}/visits", visit, "hotline")
    outage = {"districts": [district], "affected_users": 10, "begin": "2026-09-20T02:00:00Z"}
    planned = post("outages/planned", outage | {"end": "2026-09-20T04:00:00Z"}, "manager")
    return Cases(incident, applied, planned, order, crew)


PHONES = {"zhenxi": "13800000001", "qianzhou": "13800000002"}


def bound_account(service: Service, role: str) -> str:
    """The token of an account of the role, bound as narrowly as its role can be; of a citizen, of their telephone."""
    if role in CITIZEN_ROLES:
        return citizen(service, PHONES["zhenxi"])
    work = Work((role,), districts=("zhenxi",))
    if role in ("crew", "crew-lead"):
        work = Work((role,), crew="crew-01")
    elif role == "squad":
        work = Work((role,), squad="squad-1")
    return token_of(service, f"{role}-7", work)


def token_of(service: Service, actor: str, work: Work) -> str:
    join_by_program(service, actor, work)
    accounts = Accounts(service)
    person = accounts.person(actor)
    assert person is not None
    return accounts.open_session(person, browser=False).token


NOTHING = str(uuid4())
"""An id of nothing that there is."""


def citizen(service: Service, phone: str) -> str:
    """The token of whoever has the telephone."""
    citizens = Citizens(service)
    citizens.send_code(phone)
    with service.connection() as connection:
        text = connection.execute(
            "SELECT text FROM outbox.messages WHERE kind = 'phone-code' ORDER BY created_at DESC LIMIT 1"
        ).fetchone()
    assert text is not None
    code = re.search(r"\d{6}", text["text"])
    assert code is not None
    return citizens.sign_in(phone, code[0], browser=False).token


def address(row: Permission, role: str, cases: Cases) -> str:
    """The row's path with the ids of these cases; of a kind that nobody is bound by, an id of nothing."""
    if row.path.startswith(f"{API}/cases/"):
        case_id = cases.application if role == "squad" else cases.incident
    else:
        part = row.path.removeprefix(f"{API}/").partition("/")[0]
        case_id = {"repairs": cases.incident, "connections": cases.application, "outages": cases.outage}.get(
            part, NOTHING
        )
    values = {"case_id": case_id, "crew": cases.crew, "source": "hotline-12345", "number": cases.order}
    path = row.path
    for name in ("case_id", "crew", "source", "number"):
        if name != "number" or "{source}" in row.path:
            path = path.replace("{" + name + "}", values[name])
    for name in ("visit", "subject_id"):
        path = path.replace("{" + name + "}", NOTHING)
    for name in ("point", "report", "pause", "number"):
        path = path.replace("{" + name + "}", "1")
    path = path.replace("{commitment}", "repair.arrival").replace("{document}", "identity")
    return path.replace("{", "").replace("}", "")


def expected(row: Permission, role: str, *, own: bool) -> str:
    """What the table says of the cell: a refusal's kind, or that the request is let in."""
    if row.power is None:
        return "let in"
    if role not in row.roles:
        return "wrong-role"
    names_a_case = any(name in row.path for name in ("{case_id}", "{source}", "{crew}"))
    narrowed: dict[str, Bound] = {"crew": "own-crew", "crew-lead": "own-crew", "squad": "own-squad"}
    account = narrowed.get(role, "own-case" if role in CITIZEN_ROLES else "own-district")
    return "not theirs" if names_a_case and not own and account in row.bounds_of(role) else "let in"


def found(answer: httpx.Response) -> str:
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    code = answer.json()["code"] if is_problem else ""
    return {"wrong-role": "wrong-role", "not-yours": "not theirs", "not-your-crew": "not theirs"}.get(code, "let in")


def test_every_cell_of_the_table_is_as_the_application_answers(service: Service, app: FastAPI, city: City) -> None:
    rows = permissions(app.openapi(), service.rules.in_force(service.clock.now()))
    # What ends the sessions of the test; and what is opened by a code, of which tests/integration/test_citizens.py is.
    apart = tuple(f"{API}/{part}" for part in ("session", "token", "follow/", "my/"))
    rows = tuple(row for row in rows if not row.path.startswith(apart))
    tokens = {role: bound_account(service, role) for role in ROLES if role != "public"}
    app.state.pulse.close()  # an event stream ends at once

    def cells(row: Permission) -> Iterator[tuple[str, bool, str]]:
        for role in tokens:
            path = address(row, role, city.own)
            yield role, True, path
            if expected(row, role, own=True) != "wrong-role" and (other := address(row, role, city.foreign)) != path:
                yield role, False, other

    async def wrong() -> list[str]:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8225") as client:

            async def tried(row: Permission, role: str, own: bool, path: str) -> str | None:
                bearer = {"Authorization": f"Bearer {tokens[role]}", "X-Role": role}
                body = None if row.method == "GET" else {"no": "such field"}
                answer = await client.request(row.method, path, headers=bearer, json=body)
                wanted = expected(row, role, own=own)
                if found(answer) == wanted:
                    return None
                return f"{row.method} {row.path} {role}, own: {own}: {answer.text[:90]}, not {wanted}"

            answers = [await asyncio.gather(*(tried(row, *cell) for cell in cells(row))) for row in rows]
        return [each for row in answers for each in row if each is not None]

    assert asyncio.run(wrong()) == []


def projected(service: Service, city: City) -> None:
    """The cases of the city in the read models, as Kafka's readers would have them."""
    events: list[dict[str, Any]] = []
    for cases in (city.own, city.foreign):
        order = order_stream("hotline-12345", cases.order)
        for kind, case_id in (
            (kinds.REPAIR, UUID(cases.incident)),
            (kinds.CONNECTION, UUID(cases.application)),
            (kinds.OUTAGE, UUID(cases.outage)),
            (kinds.ORDER, order.id),
            (kinds.CREW, crew_stream(cases.crew).id),
        ):
            events += service.load(Stream(kind, case_id))[1]
    project(service, sorted(events, key=lambda event: int(event["position"])))


LISTS = (
    "cases",
    "windows",
    "windows?running=false",
    "breaches",
    "breaches?after=0",
    "dispatch",
    "desk",
    "alerts",
    "crews",
)


def test_a_list_holds_what_is_somebodys_own_and_nothing_else(
    service: Service, app: FastAPI, city: City, clock: ManualClock
) -> None:
    clock.move(timedelta(hours=3))
    for cases in (city.own, city.foreign):  # so that something has lapsed
        stamp = Stamp("watch", "system", "system", str(uuid4()), "test")
        service.run(Command(Stream(kinds.REPAIR, UUID(cases.incident)), stamp, lambda snapshot: ()))
    projected(service, city)
    client = Client(app, proxy_secret=None)
    expected = {
        "crew": (Work(("crew",), crew="crew-01"), {"incident", "order"}),
        "squad": (Work(("squad",), squad="squad-1"), {"application"}),
        "dispatcher": (Work(("dispatcher",), districts=("zhenxi",)), {"incident", "application", "outage", "order"}),
        "manager": (Work(("manager",), districts=("zhenxi",)), {"incident", "application", "outage", "order"}),
        "auditor": (Work(("auditor",)), None),
    }
    for role, (work, own) in expected.items():
        bearer = {"Authorization": f"Bearer {token_of(service, f'{role}-8', work)}", "X-Role": role}
        for path in LISTS:
            answer = client.get(f"{API}/{path}", headers=bearer)
            if answer.status_code == 403:
                assert answer.json()["code"] == "wrong-role", answer.text
                continue
            text = answer.text
            mine, others = (_ids(cases) for cases in (city.own, city.foreign))
            shown = {name for name, each in mine.items() if each in text}
            strange = {name for name, each in others.items() if each in text}
            if own is None:
                assert (shown, strange) != (set(), set()), f"{path}: nothing is there to leave out"
            else:
                assert strange <= (set() if path != "crews" or work.crew else {"crew", "incident"}), (role, path, text)
                assert shown <= own | {"crew"}, (role, path)
            if path == "cases" and own is not None:
                assert shown - {"crew"} == own, role


def _ids(cases: Cases) -> dict[str, str]:
    order = str(order_stream("hotline-12345", cases.order).id)
    return {
        "incident": cases.incident,
        "application": cases.application,
        "outage": cases.outage,
        "order": order,
        "crew": f'"crew":"{cases.crew}"',
    }


def test_what_is_foreign_and_what_there_is_not_are_refused_alike(service: Service, app: FastAPI, city: City) -> None:
    client = Client(app, proxy_secret=None)
    crew = {"Authorization": f"Bearer {token_of(service, 'crew-8', Work(('crew',), crew='crew-01'))}", "X-Role": "crew"}
    paths = ("cases/{}", "cases/{}/windows/repair.arrival", "cases/{}/particulars", "repairs/{}")
    for path in paths:
        foreign = client.get(f"{API}/{path.format(city.foreign.incident)}", headers=crew)
        nothing = client.get(f"{API}/{path.format(uuid4())}", headers=crew)
        assert (foreign.status_code, foreign.json()["code"]) == (403, "not-yours"), path
        assert foreign.json() == nothing.json(), path
        assert client.get(f"{API}/{path.format(city.own.incident)}", headers=crew).status_code == 200, path
    assert client.get(f"{API}/cases/{city.own.application}", headers=crew).json()["code"] == "not-yours"


def test_a_crew_loses_an_incident_that_it_handed_over_and_may_still_tell_late_what_it_did(
    service: Service, app: FastAPI, city: City
) -> None:
    office, client = Client(app), Client(app, proxy_secret=None)
    bearer = {"Authorization": f"Bearer {token_of(service, 'crew-8', Work(('crew',), crew='crew-01'))}"}
    crew = bearer | {"X-Role": "crew"}
    case = city.own.incident
    over = {"from_crew": "crew-01", "to_crew": "crew-02"}
    answer = office.post(f"{API}/repairs/{case}/hand-overs", over, headers=staff("dispatcher"))
    assert answer.status_code == 200, answer.text
    assert client.get(f"{API}/cases/{case}", headers=crew).json()["code"] == "not-yours"
    late = client.post(f"{API}/repairs/{case}/acknowledgement", {"crew": "crew-01"}, headers=crew)
    assert late.json().get("code") != "not-yours", late.text
    assert client.post(f"{API}/repairs/{case}/completion", {}, headers=crew).json()["code"] == "not-your-crew"


def test_nobody_reaches_another_district_through_the_body_of_a_request(
    service: Service, app: FastAPI, city: City
) -> None:
    client = Client(app, proxy_secret=None)
    work = Work(("dispatcher", "hotline"), districts=("zhenxi",))
    bearer = {"Authorization": f"Bearer {token_of(service, 'dispatcher-8', work)}"}
    outage = {"affected_users": 10, "begin": "2026-09-20T02:00:00Z", "end": "2026-09-20T04:00:00Z"}
    foreign = client.post(f"{API}/outages/planned", outage | {"districts": ["zhenxi", "qianzhou"]}, headers=bearer)
    assert foreign.json()["code"] == "not-yours"
    assert client.post(f"{API}/outages/planned", outage | {"districts": ["zhenxi"]}, headers=bearer).status_code == 201
    merge = {"into": city.foreign.incident}
    merged = client.post(f"{API}/repairs/{city.own.incident}/merging", merge, headers=bearer)
    assert merged.json()["code"] == "not-yours", merged.text
    other = client.post(f"{API}/repairs", fault(district="qianzhou"), headers=bearer)
    assert other.status_code == 201, "anybody may report"


def test_a_dispatcher_hears_of_another_district_s_crew_that_it_is_busy_and_not_where(
    service: Service, app: FastAPI, city: City
) -> None:
    office, client = Client(app), Client(app, proxy_secret=None)
    streams = [Stream(kinds.REPAIR, UUID(cases.incident)) for cases in (city.own, city.foreign)]
    streams += [crew_stream(cases.crew) for cases in (city.own, city.foreign)]
    project(service, [event for stream in streams for event in service.load(stream)[1]])
    work = Work(("dispatcher",), districts=("zhenxi",))
    bearer = {"Authorization": f"Bearer {token_of(service, 'dispatcher-9', work)}"}
    every = {row["crew"]: row for row in office.get(f"{API}/crews", headers=staff("dispatcher")).json()["crews"]}
    assert {crew: row["on_case"] for crew, row in every.items()} == {
        "crew-01": city.own.incident,
        "crew-02": city.foreign.incident,
    }
    seen = {row["crew"]: row for row in client.get(f"{API}/crews", headers=bearer).json()["crews"]}
    assert seen == every | {"crew-02": every["crew-02"] | {"on_case": None, "case_number": None}}
    assert seen["crew-02"]["busy"]


def test_a_squad_books_visits_for_itself_alone(service: Service, app: FastAPI, city: City) -> None:
    client = Client(app, proxy_secret=None)
    bearer = {"Authorization": f"Bearer {token_of(service, 'squad-8', Work(('squad',), squad='squad-1'))}"}
    visit = {"visit": str(uuid4()), "purpose": "survey", "begin": "2026-09-17T02:00:00Z", "end": "2026-09-17T04:00:00Z"}
    path = f"{API}/connections/{city.foreign.application}/visits"
    assert client.post(path, visit | {"squad": "squad-2"}, headers=bearer).json()["code"] == "not-yours"
    booked = client.post(path, visit | {"squad": "squad-1"}, headers=bearer)
    assert booked.status_code == 200, booked.text
    assert client.get(f"{API}/cases/{city.foreign.application}", headers=bearer).status_code == 200, "it visits it now"


def test_a_machine_does_what_it_was_granted_and_nothing_else(service: Service, app: FastAPI, city: City) -> None:
    office, client = Client(app), Client(app, proxy_secret=None)
    operator = staff("operator", "operator-7")
    joined = {"actor": "platform-12345", "kind": "machine", "roles": ["platform"], "scopes": ["order.read"]}
    for bad in (["no.such"], ["order.read", "order.read"]):
        assert office.post(f"{API}/people", joined | {"scopes": bad}, headers=operator).json()["code"] == "bad-scopes"
    person = joined | {"actor": "hotline-9", "kind": "person", "roles": ["hotline"]}
    assert office.post(f"{API}/people", person, headers=operator).json()["code"] == "bad-scopes"
    secret = office.post(f"{API}/people", joined, headers=operator).json()["secret"]
    form = {"grant_type": "client_credentials", "client_id": "platform-12345", "client_secret": secret}
    granted = client.request("POST", f"{API}/token", data=form).json()
    assert granted["scope"] == "order.read"
    bearer = {"Authorization": f"Bearer {granted['access_token']}", "X-Role": "platform"}
    assert client.get(f"{API}/orders/hotline-12345/JS-1", headers=bearer).status_code == 200
    assert client.post(f"{API}/repairs", fault(), headers=bearer).status_code == 201, "whoever it is may report"
    for path in ("readings", "connections", f"repairs/{city.own.incident}/reports"):
        refused = client.post(f"{API}/{path}", {}, headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope-not-granted"), path
    history = client.post(f"{API}/repairs", fault(), headers=bearer | {"X-Channel": "import"})
    assert history.json()["code"] == "scope-not-granted", "history needs a power of its own"
    moved = {"roles": ["platform"], "scopes": ["order.read", "readings.send"]}
    assert office.post(f"{API}/people/platform-12345/work", moved, headers=operator).status_code == 200
    again = client.request("POST", f"{API}/token", data=form).json()
    assert again["scope"] == "order.read readings.send"

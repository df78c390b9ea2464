"""A command that names a crew names one that was formed; what is taken all the same, and what is said of a slip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import TypeAdapter

from api.http.fields import CrewCode
from domain.crews import crews
from domain.crews.register import NO_CREW_FORMED, CrewRegister, FormedCrew, crew_register
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.repairs import dispatch, field, user_side
from domain.repairs.case import Repair
from domain.repairs.facts import CrewDispatched, PaidServiceConsented, UserSideFound
from domain.standard.context import CommandContext
from infra.eventstore.shipped_rules import shipped_rules, usage_stream
from projections.readings.cases import ReadingFinding, command_for
from tests.api_world import (
    DIGEST,
    MORNING,
    PAPERS,
    STEPS_TO_WATER,
    Client,
    FakeService,
    app_over,
    application,
    fault,
    staff,
)
from tests.unit.cases import NINE, context, minutes, repairing

RULES = shipped_rules()
SOME = crew_register(FormedCrew(f"Crew-{number}", f"抢修 {number} 班") for number in (1, 14, 15, 51))
NONE = CrewRegister({})


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, match=f"^{code}:")


def told(role: str, register: CrewRegister | None, channel: str = "office") -> CommandContext:
    return replace(context(RULES, minutes(5), role=role, channel=channel), crews=register)


def incident(crew: str | None = None) -> Repair:
    play = repairing(RULES)
    play.say(UserSideFound(), minutes(1))
    play.say(PaidServiceConsented(DIGEST), minutes(2))
    if crew is not None:
        play.say(CrewDispatched(crew), minutes(3))
    state: Repair = play.state
    return state


NAMING: dict[str, Callable[[str, CommandContext, Repair], Fact]] = {
    "dispatch": lambda crew, ctx, case: dispatch.dispatch(case, ctx, crew=crew),
    "acknowledge": lambda crew, ctx, case: dispatch.acknowledge(case, ctx, crew=crew),
    "decline": lambda crew, ctx, case: dispatch.decline(case, ctx, crew=crew, reason="vehicle"),
    "delay": lambda crew, ctx, case: dispatch.delay(case, ctx, crew=crew, expected_at=minutes(20)),
    "arrive": lambda crew, ctx, case: field.arrive(case, ctx, crew=crew, evidence=None),
    "log work": lambda crew, ctx, case: field.log_work(case, ctx, note="welding", crew=crew),
    "hand over to": lambda crew, ctx, case: field.hand_over(case, ctx, from_crew="crew-1", to_crew=crew),
    "hand over from": lambda crew, ctx, case: field.hand_over(case, ctx, from_crew=crew, to_crew="crew-1"),
    "paid service": lambda crew, ctx, case: user_side.start_paid_service(case, ctx, crew=crew),
    "locate": lambda crew, ctx, case: crews.locate(None, ctx, crew=crew, district_code="zhenxi"),
}
"""What names a crew about an incident, or a crew itself; the operator may do all of it."""


def flags(fact: Fact) -> tuple[str, ...]:
    found: tuple[str, ...] = fact.flags
    return found


def ctx_of(step: str, register: CrewRegister | None, channel: str = "office") -> CommandContext:
    power = {"dispatch": "repair.dispatch", "locate": "crew.locate", "paid service": "repair.start-paid-service"}
    role = RULES.newest.powers[power.get(step, "repair.tell")][0]
    return told("operator" if channel == "import" else role, register, channel)


@pytest.mark.parametrize("step", NAMING)
def test_a_crew_that_nobody_formed_is_refused_with_the_nearest(step: str) -> None:
    with refused("unknown-crew") as raised:
        NAMING[step]("crew-155", ctx_of(step, SOME), incident())
    refusal = raised.value
    assert refusal.found == "crew crew-155, which nobody has put together"
    assert "the nearest are Crew-15 (抢修 15 班), " in refusal.needed
    assert "/api/v1/crews" in refusal.next_step
    assert "Crew-15（抢修 15 班）" in refusal.next_step_zh
    assert NO_CREW_FORMED not in flags(NAMING[step]("CREW-15", ctx_of(step, SOME), incident()))


@pytest.mark.parametrize("step", NAMING)
def test_while_no_crew_was_formed_at_all_it_is_taken_and_flagged_once(step: str) -> None:
    assert flags(NAMING[step]("crew-7", ctx_of(step, NONE), incident())).count(NO_CREW_FORMED) == 1


@pytest.mark.parametrize("step", [step for step in NAMING if step not in ("locate", "paid service")])
def test_imported_history_names_whom_its_source_names(step: str) -> None:
    for register in (SOME, NONE):
        assert NO_CREW_FORMED not in flags(NAMING[step]("gang-3", ctx_of(step, register, "import"), incident()))


def test_the_channel_of_history_helps_nobody_who_may_not_import() -> None:
    with refused("unknown-crew"):
        dispatch.dispatch(incident(), told("dispatcher", SOME, "import"), crew="gang-3")


@pytest.mark.parametrize("step", ["acknowledge", "decline", "delay", "arrive", "log work", "hand over from"])
def test_the_crew_that_the_incident_has_is_taken_though_others_were_formed_since(step: str) -> None:
    ctx = replace(ctx_of(step, SOME), crews=SOME)
    assert NO_CREW_FORMED not in flags(NAMING[step]("gang-3", ctx, incident("gang-3")))
    with refused("unknown-crew"):
        NAMING[step]("gang-4", ctx, incident("gang-3"))


def test_where_nothing_is_near_no_crew_is_named() -> None:
    with refused("unknown-crew") as raised:
        dispatch.dispatch(incident(), told("dispatcher", SOME), crew="zz")
    assert raised.value.needed == "a crew that was formed"
    assert "相近" not in raised.value.next_step_zh


def test_who_may_not_dispatch_hears_that_and_nothing_of_crews() -> None:
    with refused("wrong-role"):
        dispatch.dispatch(incident(), told("public", SOME), crew="crew-155")


def test_of_a_crew_that_was_formed_again_the_later_name_holds() -> None:
    register = crew_register([FormedCrew("crew-1", "一班"), FormedCrew("Crew-1", "抢修一班")])
    assert [crew.name_zh for crew in register.nearest("crew-11")] == ["抢修一班"]


# ---- over HTTP

BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/repairs/{case_id}/dispatch": {},
    "/api/v1/repairs/{case_id}/decline": {"reason": "vehicle"},
    "/api/v1/repairs/{case_id}/acknowledgement": {},
    "/api/v1/repairs/{case_id}/delay": {"expected_at": "2026-09-16T02:00:00Z"},
    "/api/v1/repairs/{case_id}/arrival": {},
    "/api/v1/repairs/{case_id}/work-logs": {"note": "welding"},
    "/api/v1/repairs/{case_id}/hand-overs": {},
    "/api/v1/repairs/{case_id}/paid-service": {},
    "/api/v1/connections/{case_id}/construction/start": {},
    "/api/v1/usage/{case_id}/leak-help/start": {},
    "/api/v1/crews/{crew}/position": {"district": "zhenxi"},
}
"""Every command that names a crew, with the rest of its body."""
FORMING = ("/api/v1/crews", "/api/v1/crews/{crew}/shift/start", "/api/v1/crews/{crew}/shift/end")
"""What forms a crew, and what its own stream refuses where it was never formed (``crew-not-formed``)."""


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def form(client: Client, crew: str = "crew-15", name_zh: str = "抢修十五班") -> None:
    body = {"crew": crew, "name_zh": name_zh, "skills": ["pipes"], "lead": f"lead-of-{crew}"}
    assert client.post("/api/v1/crews", body, headers=staff("manager")).status_code == 201


def crew_fields() -> Iterator[tuple[str, str]]:
    """(path, field or parameter) of every command that takes a crew's code, by its type."""
    pattern = TypeAdapter(CrewCode).json_schema()["pattern"]
    document = app_over(FakeService()).openapi()
    for path, methods in document["paths"].items():
        if "post" not in methods:
            continue
        if "{crew}" in path:
            yield path, "{crew}"
        content = methods["post"].get("requestBody", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        fields = document["components"]["schemas"].get(name, {}).get("properties", {})
        yield from ((path, field) for field, schema in fields.items() if schema.get("pattern") == pattern)


FIELDS = [found for found in crew_fields() if found[0] not in FORMING]


def test_every_command_that_names_a_crew_is_known_here() -> None:
    assert {path for path, _ in FIELDS} == BODIES.keys()
    assert {path for path, _ in crew_fields()} == {*BODIES, *FORMING}


@pytest.mark.parametrize(("path", "field_name"), FIELDS)
def test_every_command_that_names_a_crew_is_decided_by_the_register(
    client: Client, service: FakeService, path: str, field_name: str
) -> None:
    crews_named = {name: "crew-1" for where, name in FIELDS if where == path and name != "{crew}"}
    role = "dispatcher" if path.endswith("/dispatch") else "crew-lead"
    client.post(path.format(case_id=uuid4(), crew="crew-1"), BODIES[path] | crews_named, headers=staff(role))
    assert [command.names_crew for command in service.commands] == [True]


def test_a_slip_of_the_hand_sends_nobody(client: Client, service: FakeService) -> None:
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    form(client)
    before = service.head
    answer = client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-51"}, headers=staff("dispatcher"))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "unknown-crew")
    assert "crew-15 (抢修十五班)" in problem["needed"]
    assert "没有该班组，代码相近的有 crew-15（抢修十五班）" in problem["next_step_zh"]
    assert service.head == before
    sent = client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-15"}, headers=staff("dispatcher"))
    assert sent.status_code == 200


def test_a_connection_is_built_by_a_crew_that_was_formed_or_by_a_squad(client: Client, service: FakeService) -> None:
    def started(crew: str) -> tuple[int, str | None]:
        answer = client.post("/api/v1/connections", application(documents=PAPERS))
        path = f"/api/v1/connections/{answer.json()['case_id']}"
        before = takewhile(lambda step: step[0] != "construction/start", STEPS_TO_WATER)
        for step, body, role in before:
            assert client.post(f"{path}/{step}", body, headers=staff(role)).status_code == 200
        answer = client.post(f"{path}/construction/start", {"crew": crew}, headers=staff("crew-lead"))
        return answer.status_code, answer.json().get("code")

    form(client)
    assert started("crew-51") == (422, "unknown-crew")
    assert started("crew-15") == started("squad-1") == (200, None)


def test_a_leak_is_sought_by_a_crew_that_was_formed(client: Client, service: FakeService) -> None:
    found = ReadingFinding("JS-2026-0001", NINE, 130_000, 90_000, ("high",), standing=True, revision=1, told=0)
    service.run(command_for(found, service.next_number("YC")))
    path = f"/api/v1/usage/{usage_stream(found.meter, found.read_at).id}/leak-help/start"
    form(client)
    answers = [client.post(path, {"crew": crew}, headers=staff("crew")) for crew in ("crew-51", "crew-15")]
    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [
        (422, "unknown-crew"),
        (200, None),
    ]


def test_the_crews_are_listed_with_what_is_known_of_each(client: Client, service: FakeService) -> None:
    known = {"name_zh": "抢修一班", "skills": ["pipes"], "formed": True, "on_shift": True, "district": "zhenxi"}
    seen = {"located_at": MORNING - timedelta(minutes=2), "on_case": UUID(int=5), "case_number": "BX-2026-000005"}
    never = dict.fromkeys(("on_shift", "district", "located_at", "on_case", "case_number"))
    known["busy"], never["busy"] = True, False
    rows = [
        {"crew": "crew-1", **known, **seen},
        {"crew": "crew-2", "name_zh": "", "skills": [], "formed": False, **never},
    ]
    service.answers["list_crews"] = lambda asked: rows[: asked["limit"]]
    first, second = client.get("/api/v1/crews").json()["crews"]
    assert first == {
        "crew": "crew-1",
        **known,
        "seen_seconds_ago": 120,
        "on_case": str(UUID(int=5)),
        "case_number": "BX-2026-000005",
    }
    assert (second["crew"], second["formed"], second["seen_seconds_ago"]) == ("crew-2", False, None)
    assert client.get("/api/v1/crews?limit=1").json()["more"] is True

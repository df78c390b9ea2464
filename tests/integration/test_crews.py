"""Crews on a real store: what only PostgreSQL can show — who was first, and what the read model says of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from domain import kinds
from infra.clock import ManualClock
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import crew_stream
from infra.settings import Settings
from infra.sql import sql
from tests.api_read_models import project
from tests.api_world import DISPATCHER, Client, app_of, fault, staff


@pytest.fixture
def client(service: Service) -> Client:
    return Client(app_of(service))


def reported(client: Client) -> str:
    answer = client.post("/api/v1/repairs", fault())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def dispatch(client: Client, case_id: str, crew: str = "crew-1", **more: Any) -> Any:
    return client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": crew, **more}, headers=staff("dispatcher"))


def crew_facts(service: Service, crew: str = "crew-1") -> list[str]:
    return [event["type"].split(".")[2] for event in service.load(crew_stream(crew))[1]]


def test_one_crew_sent_by_eight_dispatchers_at_once_is_on_one_incident(
    store_settings: Settings, client: Client, service: Service, clock: ManualClock
) -> None:
    other = open_service(store_settings, clock=clock)
    try:
        clients = (client, Client(app_of(other)))
        cases = [reported(client) for _ in range(8)]
        with ThreadPoolExecutor(8) as dispatchers:
            answers = list(dispatchers.map(lambda n: dispatch(clients[n % 2], cases[n]), range(8)))
    finally:
        other.close()
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert {answer.json().get("code") for answer in answers} == {None, "crew-busy"}
    assert crew_facts(service) == ["CrewAssigned"]
    sent = [case for case in cases if service.load(Stream(kinds.REPAIR, UUID(case)))[0].crew is not None]
    state, _ = service.load(crew_stream("crew-1"))
    assert sent == [str(state.assignment.case_id)]


def test_a_crew_sent_while_its_repair_is_being_completed_is_never_on_two(client: Client, service: Service) -> None:
    for _ in range(5):
        first, second = reported(client), reported(client)
        assert dispatch(client, first).status_code == 200
        with ThreadPoolExecutor(2) as senders:
            done = senders.submit(client.post, f"/api/v1/repairs/{first}/completion", {}, headers=DISPATCHER)
            sent = senders.submit(dispatch, client, second)
        assert done.result().status_code == 200
        assert sent.result().status_code in (200, 409)
        if sent.result().status_code == 409:
            assert dispatch(client, second).status_code == 200
        client.post(f"/api/v1/repairs/{second}/completion", {}, headers=DISPATCHER)
    assert crew_facts(service) == ["CrewAssigned", "CrewReleased"] * 10


def test_crews_that_are_free_and_at_work_are_suggested(client: Client, service: Service) -> None:
    for crew, district in (("crew-1", "zhenxi"), ("crew-2", "hexi"), ("crew-3", "zhenxi"), ("crew-4", "zhenxi")):
        form = {"crew": crew, "name_zh": "抢修班", "skills": ["pipes"], "lead": f"lead-of-{crew}"}
        assert client.post("/api/v1/crews", form, headers=staff("manager")).status_code == 201
        assert client.post(f"/api/v1/crews/{crew}/shift/start", {}, headers=staff("crew")).status_code == 200
        told = client.post(f"/api/v1/crews/{crew}/position", {"district": district}, headers=staff("crew"))
        assert told.status_code == 200
    assert client.post("/api/v1/crews/crew-4/shift/end", {}, headers=staff("crew")).status_code == 200
    first, second = reported(client), reported(client)
    assert dispatch(client, first, "crew-1").status_code == 200
    assert dispatch(client, second, "crew-3").status_code == 200
    assert client.post(f"/api/v1/repairs/{second}/completion", {}, headers=DISPATCHER).status_code == 200
    streams = [crew_stream(f"crew-{number}") for number in (1, 2, 3, 4)]
    project(service, [event for stream in streams for event in service.load(stream)[1]])
    found = client.get("/api/v1/crews/suggestions?district=zhenxi&skill=pipes").json()["crews"]
    assert [crew["crew"] for crew in found] == ["crew-3", "crew-2"]


def formed(client: Client, crew: str) -> None:
    form = {"crew": crew, "name_zh": "抢修班", "skills": ["pipes"], "lead": f"lead-of-{crew}"}
    assert client.post("/api/v1/crews", form, headers=staff("manager")).status_code == 201


def dispatched(service: Service, case_id: str) -> list[tuple[str, list[str]]]:
    """The crews that were sent, each with the flags of its dispatch."""
    events = service.load(Stream(kinds.REPAIR, UUID(case_id)))[1]
    return [(event["data"]["crew"], event["data"]["flags"]) for event in events if "CrewDispatched" in event["type"]]


def test_a_crew_that_another_process_formed_is_sent_at_once_and_one_that_nobody_formed_is_not(
    store_settings: Settings, client: Client, service: Service, clock: ManualClock
) -> None:
    first, second = reported(client), reported(client)
    assert dispatch(client, first, "crew-7").status_code == 200, "the first day: no crew was formed yet"
    other = open_service(store_settings, clock=clock)
    try:
        formed(Client(app_of(other)), "crew-15")
    finally:
        other.close()
    refused = dispatch(client, second, "crew-155")
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown-crew")
    assert "crew-15 (抢修班)" in refused.json()["needed"]
    assert dispatch(client, second, "Crew-15").status_code == 200
    arrived = client.post(f"/api/v1/repairs/{first}/arrival", {"crew": "crew-7"}, headers=staff("crew"))
    assert arrived.status_code == 200, "the incident's own crew is taken, though others were formed since"
    assert dispatched(service, first) == [("crew-7", ["no-crew-formed"])]
    assert dispatched(service, second) == [("Crew-15", [])]


def test_the_crews_are_listed_as_the_read_models_know_them(client: Client, service: Service) -> None:
    first = reported(client)
    assert dispatch(client, first, "crew-9").status_code == 200
    formed(client, "crew-2")
    assert client.post("/api/v1/crews/crew-2/shift/start", {}, headers=staff("crew")).status_code == 200
    streams = [crew_stream("crew-9"), crew_stream("crew-2"), Stream(kinds.REPAIR, UUID(first))]
    project(service, [event for stream in streams for event in service.load(stream)[1]])
    found = client.get("/api/v1/crews").json()["crews"]
    told = [(row["crew"], row["formed"], row["on_shift"], row["on_case"], row["case_number"]) for row in found]
    number = service.load(Stream(kinds.REPAIR, UUID(first)))[0].number
    assert told == [("crew-2", True, True, None, None), ("crew-9", False, None, first, number)]


def test_which_crews_were_formed_is_found_without_reading_the_whole_store(service: Service) -> None:
    with service.connection() as connection, connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute("EXPLAIN " + sql("crews_formed")).fetchall()
    assert "stored_events_crews_formed" in "\n".join(row["QUERY PLAN"] for row in plan)

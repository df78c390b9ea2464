"""The watch at the instant at which an arrival's evidence is due: once, on time, and nothing where it had followed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.deadlines.windows import WindowLapsed, WindowReopened
from infra.clock import ManualClock
from infra.eventstore.recorder import LATENESS_SECONDS
from infra.eventstore.service import Service
from infra.status import collect
from projections.watch.watch import Watch
from tests.api_read_models import project
from tests.api_world import Client, app_of
from tests.commands import Incident
from tests.faults.watched import Index, ask_all, connection_of, lapses, watch_of
from tests.integration.test_api import stored

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def index(service: Service) -> Iterator[Index]:
    made = Index(service.settings)
    yield made
    made.close()


@pytest.fixture
def watch(service: Service) -> Watch:
    return watch_of(service)


@pytest.fixture
def connection(service: Service) -> Iterator[psycopg.Connection[Any]]:
    with connection_of(service) as opened:
        yield opened


def mended(service: Service, clock: ManualClock) -> tuple[Incident, datetime]:
    """An incident whose crew was there in time, told it without evidence, and repaired it; and until when the evidence
    may follow."""
    incident = Incident(service)
    clock.move(12 * MINUTE)
    incident.arrive(evidence=None)
    due_at = clock.now() + DAY
    clock.move(MINUTE)
    incident.assess("small")
    clock.move(60 * MINUTE)
    incident.complete()
    incident.answer()
    incident.close()
    return incident, due_at


def verdicts(service: Service) -> list[tuple[str, str]]:
    """What is on record of the arrival: fact and when it was recorded."""
    return [
        (event["type"].split(".")[2], event["recordedat"])
        for event in stored(service)
        if event["data"].get("commitment") == "repair.arrival"
    ]


def test_at_that_instant_the_lapse_is_recorded_once_and_not_as_late(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident, due_at = mended(service, clock)
    index.feed()
    assert ask_all(watch, connection) == 0
    clock.set(due_at - timedelta(seconds=1))
    assert ask_all(watch, connection) == 0
    assert lapses(service) == []
    clock.set(due_at)
    assert ask_all(watch, connection) == 1
    assert [(case_id, commitment) for case_id, commitment, _ in lapses(service)] == [
        (incident.case_id, "repair.arrival")
    ]
    at = due_at.isoformat().replace("+00:00", "Z")
    assert verdicts(service)[-2:] == [(WindowLapsed.__name__, at), (WindowReopened.__name__, at)]
    before = verdicts(service)
    index.feed()
    clock.move(DAY)
    ask_all(watch, connection)
    assert watch.sweep(connection, whole=True) == 0
    assert verdicts(service) == before
    # The end of the limit lay a day back: the watch was not a day late.
    (counted,) = connection.execute("SELECT le, lapses FROM watch.lateness WHERE lapses > 0").fetchall()
    assert (counted["le"], counted["lapses"]) == (LATENESS_SECONDS[0], 1)
    project(service, stored(service))
    found = collect(connection, service.settings).lateness
    assert found is not None
    assert found.max_ms == 0


def test_evidence_that_followed_in_time_leaves_nothing_to_ask_and_nothing_to_record(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident, due_at = mended(service, clock)
    clock.set(due_at - MINUTE)
    incident.supply_evidence()
    before = verdicts(service)
    index.feed()
    clock.set(due_at)
    assert ask_all(watch, connection) == 0
    clock.move(DAY)
    ask_all(watch, connection)
    assert lapses(service) == []
    assert verdicts(service) == before


def test_a_watch_that_lost_its_index_finds_it_again(
    service: Service, clock: ManualClock, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    _, due_at = mended(service, clock)
    connection.execute("TRUNCATE watch.due")
    index = Index(service.settings)
    index.feed()
    index.close()
    ask_all(watch, connection)
    rows = connection.execute("SELECT next_ask_at FROM watch.due WHERE commitment = 'repair.arrival'").fetchall()
    assert [row["next_ask_at"] for row in rows] == [due_at]
    clock.set(due_at)
    assert ask_all(watch, connection) == 1
    assert [commitment for _, commitment, _ in lapses(service)] == ["repair.arrival"]


def test_the_dispatch_list_has_a_closed_incident_until_its_evidence_is_there(
    service: Service, clock: ManualClock
) -> None:
    incident, due_at = mended(service, clock)
    client = Client(app_of(service))
    told = stored(service)
    project(service, told)
    (shown,) = client.get("/api/v1/dispatch?role=crew").json()["incidents"]
    assert (shown["case_id"], shown["open"]) == (str(incident.case_id), False)
    assert datetime.fromisoformat(shown["evidence_due_at"]) == due_at
    assert shown["next_actions"] == [{"action": "supply-evidence", "role": "crew"}]
    incident.supply_evidence()
    project(service, stored(service)[len(told) :])
    assert client.get("/api/v1/dispatch").json()["incidents"] == []

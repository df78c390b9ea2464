"""What a command has computed is not asked again: appends write into the watch's index when to ask next."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from domain.kernel.refusals import Refusal
from infra.clock import ManualClock
from infra.eventstore.recorder import SOON_S
from infra.eventstore.service import Service
from projections.watch.watch import Watch
from tests.commands import Application, Incident, ask
from tests.faults.watched import HALF_AN_HOUR, Index, ask_all, connection_of, lapses, watch_of

Rows = dict[tuple[UUID, str], datetime]
FIVE_MINUTES = timedelta(minutes=5)


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


def instants(connection: psycopg.Connection[Any]) -> Rows:
    """What the index has to ask, and when."""
    rows = connection.execute(
        "SELECT case_id, commitment, next_ask_at FROM watch.due WHERE next_ask_at IS NOT NULL"
    ).fetchall()
    return {(row["case_id"], row["commitment"]): row["next_ask_at"] for row in rows}


def asked_anew(service: Service, connection: psycopg.Connection[Any]) -> Rows:
    """The same as the domain says now, which is asked about every case in the index."""
    cases = [row["case_id"] for row in connection.execute("SELECT DISTINCT case_id FROM watch.due").fetchall()]
    answers = service.evaluator("test").evaluate(cases)
    return {
        (case_id, commitment): at
        for case_id, answer in answers.items()
        if answer is not None
        for commitment, at in answer.next_ask_at.items()
    }


def test_a_commands_events_come_through_the_stream_and_nothing_is_asked(
    service: Service, clock: ManualClock, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident, application = Incident(service), Application(service)
    index.feed()
    assert ask_all(watch, connection) == 0
    assert instants(connection) == asked_anew(service, connection)
    assert instants(connection)[incident.case_id, "repair.arrival"] == clock.now() + FIVE_MINUTES
    assert (application.stream.id, "connection.water_on") in instants(connection)
    clock.move(HALF_AN_HOUR)
    assert ask_all(watch, connection) == 1
    assert [case_id for case_id, _, _ in lapses(service)] == [incident.case_id]


STEPS: tuple[Callable[[Incident], object], ...] = (
    lambda incident: incident.dispatch(f"crew-{incident.case_id}"),
    lambda incident: incident.arrive(crew=f"crew-{incident.case_id}", evidence=None),
    lambda incident: incident.arrive(incident.service.clock.now() - FIVE_MINUTES, evidence=None),
    lambda incident: incident.supply_evidence(),
    lambda incident: incident.assess("small"),
    lambda incident: incident.assess("major"),
    lambda incident: incident.complete(),
    lambda incident: incident.complete(incident.service.clock.now() - FIVE_MINUTES),
    lambda incident: incident.answer(),
    lambda incident: incident.close(),
    lambda incident: ask(incident.service, incident.stream),
)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_told_the_index_has_every_instant_that_the_domain_would_answer(
    service: Service,
    clock: ManualClock,
    index: Index,
    watch: Watch,
    connection: psycopg.Connection[Any],
    seed: int,
) -> None:
    rng = random.Random(seed)
    incidents = [Incident(service) for _ in range(3)]
    for _ in range(25):
        clock.move(timedelta(seconds=rng.choice((1, 60, 299, 1_200, 5_000, 40_000))))
        try:
            rng.choice(STEPS)(rng.choice(incidents))
        except Refusal:
            continue
        if rng.random() < 0.5:
            index.feed()
        if rng.random() < 0.5:
            ask_all(watch, connection)
    index.feed()
    ask_all(watch, connection)
    assert instants(connection) == asked_anew(service, connection), f"seed {seed}"
    assert watch.sweep(connection, whole=True) == 0


def test_a_row_that_somebody_holds_keeps_no_command_waiting_and_is_asked_about_through_the_stream(
    service: Service, index: Index, watch: Watch, connection: psycopg.Connection[Any]
) -> None:
    incident = Incident(service)
    incident.arrive()
    index.feed()
    with connection_of(service) as other, other.transaction():
        other.execute("SELECT FROM watch.due WHERE case_id = %s FOR UPDATE", [incident.case_id])
        incident.assess("medium")  # would wait for ever, and be refused by the append's time limit
    assert ask_all(watch, connection) == 0
    index.feed()
    assert ask_all(watch, connection) == 1
    assert instants(connection) == asked_anew(service, connection)


@pytest.mark.parametrize(("factor", "woken"), [(1.0, False), (FIVE_MINUTES.total_seconds() / SOON_S, True)])
def test_the_watch_is_woken_only_for_what_comes_before_its_next_look(
    service: Service, clock: ManualClock, connection: psycopg.Connection[Any], factor: float, woken: bool
) -> None:
    clock.factor = factor
    connection.execute("LISTEN tongshui_due")
    Incident(service)
    assert bool(list(connection.notifies(timeout=0.5, stop_after=1))) == woken


def test_a_command_that_is_refused_writes_no_instant(service: Service, connection: psycopg.Connection[Any]) -> None:
    incident = Incident(service)
    before = instants(connection)
    with pytest.raises(Refusal):
        incident.close()
    assert instants(connection) == before

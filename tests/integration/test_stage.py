"""What a replay plays: crews by their codes, orders of other bodies at their own time, papers as the standard has it.

The whole published period is replayed by the slow tests in test_replay.py.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.demo import city
from app.demo.run import run_demo
from app.demo.script import Script
from app.demo.stage import Stage
from infra.clock import ManualClock
from infra.embedded.errors import EmbeddedError
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import shipped_rules
from infra.settings import Settings

RULES = shipped_rules()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(city.START)


@pytest.fixture
def service(store_settings: Settings, clock: ManualClock) -> Iterator[Service]:
    opened = open_service(store_settings, clock=clock)
    yield opened
    opened.close()


def played(service: Service, clock: ManualClock, scripts: Sequence[Script]) -> Stage:
    stage = Stage(service, clock)
    asyncio.run(stage.play(scripts))
    return stage


def events(settings: Settings) -> list[dict[str, Any]]:
    """Everything in the store, in order."""
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute("SELECT state FROM store.stored_events ORDER BY notification_id").fetchall()
    return [json.loads(bytes(state)) for (state,) in rows]


def of_type(found: Sequence[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [event for event in found if event["type"].split(".")[2] in names]


def test_crews_are_formed_begin_their_shift_and_are_seen(
    service: Service, clock: ManualClock, store_settings: Settings
) -> None:
    crews = [script for script in city.connections(225, RULES) if script.kind == "crews"][:2]
    stage = played(service, clock, crews)
    assert (stage.refused, stage.astray) == ({}, {})
    told = of_type(events(store_settings), "CrewFormed", "ShiftStarted", "CrewLocated")
    assert len(told) == 2 * 3


def test_papers_are_promised_before_each_admission_with_papers_outstanding(
    service: Service, clock: ManualClock, store_settings: Settings
) -> None:
    """The shipped standard as its source has it: main papers, a written commitment, and only then the admission."""
    scripts = city.connections(225, RULES)
    formed = [script for script in scripts if script.kind in ("crews", "squads")]
    outstanding = (
        script for script in scripts if any(request.path == "/papers-commitment" for request in script.requests)
    )
    stage = played(service, clock, [*formed, *islice(outstanding, 4)])
    assert stage.astray == {}
    found = events(store_settings)
    admitted = of_type(found, "ApplicationAdmitted")
    assert [event["data"]["basis"] for event in admitted] == ["papers-outstanding"] * 4
    for event in admitted:
        (promised,) = [each for each in of_type(found, "PapersPromised") if each["subject"] == event["subject"]]
        assert promised["data"]["papers"] == event["data"]["outstanding"]
        assert int(promised["caseversion"]) < int(event["caseversion"])
        assert promised["time"] == event["time"], "it is admitted by the promise, at once"


def test_an_order_that_came_with_a_report_lapses_at_its_own_time(
    service: Service, clock: ManualClock, store_settings: Settings
) -> None:
    """Before, a replay asked about the incident alone: nobody noticed that the order was not replied to."""
    scripts = city.plan(225, RULES)
    formed = [script for script in scripts if script.kind == "crews"]
    ordered = next(script for script in scripts if any("order" in request.body for request in script.requests))
    stage = played(service, clock, [*formed, ordered])
    assert stage.astray == {}
    lapses = of_type(events(store_settings), "WindowLapsed")
    (lapse,) = (event for event in lapses if event["data"]["commitment"] == "order.reply")
    assert lapse["recordedat"] == lapse["data"]["due_at"]


def test_the_first_outages_of_a_year_is_taken_as_it_is_meant(
    service: Service, clock: ManualClock, store_settings: Settings
) -> None:
    scripts = [
        script
        for script in city.year(225, RULES)
        if script.kind == "outages" and script.requests[0].at < city.START + timedelta(days=80)
    ]
    stage = played(service, clock, scripts)
    assert (stage.refused, stage.astray) == ({}, {})
    assert {event["data"]["commitment"] for event in of_type(events(store_settings), "WindowLapsed")} >= {
        "outage.notice",
        "outage.change-notice",
    }


class EndOfYearReached(Exception):
    """Instead of the parts that the demo starts after its year."""


def test_a_demos_year_is_on_record_before_its_parts_start_and_its_clock_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [script for script in city.year(225, RULES) if script.kind == "outages"][:2]
    started: list[Settings] = []
    monkeypatch.setattr(city, "year", lambda seed, rules, start: first)
    monkeypatch.setattr("app.demo.run.supervisor", lambda settings, say, external: stop(started, settings))
    said: list[str] = []

    def demo(*, fresh: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            settings = Settings(data_dir=tmp_path, http_port=free.getsockname()[1])
        run_demo(
            settings, said.append, until_proven=True, factor=600, seed=225, fresh=fresh, year_from=date(2026, 9, 14)
        )

    with pytest.raises(EndOfYearReached):
        demo(fresh=True)
    last = max(request.at for script in first for request in script.requests)
    (settings,) = started
    assert settings.clock_start is not None
    assert settings.clock_start >= last
    assert any("a year is on record" in line and "nothing astray" in line for line in said), said
    with pytest.raises(EmbeddedError, match="database-not-empty"):
        demo(fresh=False)


def stop(started: list[Settings], settings: Settings) -> None:
    started.append(settings)
    raise EndOfYearReached

"""`tongshui explain` on a real store: prints what the worked example is written down as."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from domain.deadlines.calendar import CalendarPublished
from domain.kernel.facts import EventToAppend
from infra.eventstore.commands import Command, Snapshot, Stamp, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import calendar_stream
from tests import explained


@pytest.fixture
def case(service: Service, monkeypatch: pytest.MonkeyPatch) -> str:
    """The worked example in the store; the command finds the store, and a clock on which it is over."""

    def publish(revision: CalendarPublished) -> None:
        stream = calendar_stream(revision.region)

        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            return [(stream, EventToAppend(revision, snapshot.at))]

        service.run(Command(stream, Stamp("operator", "operator", "office", "revision", "revision"), decide))

    monkeypatch.setenv("TONGSHUI_DATABASE_URL", service.settings.database_url)
    monkeypatch.setenv("TONGSHUI_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TONGSHUI_CLOCK_START", explained.OVER.isoformat())
    return str(explained.tell_worked_example(service, publish))


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["explain", *words])


def test_the_command_prints_the_worked_example_as_written(case: str) -> None:
    for name, as_of in (("lapsed", "2026-09-24T18:00"), ("retracted", "2026-09-28T10:00:00Z")):
        told = run(case, "connection.water_on", "--as-of", as_of)
        assert told.exit_code == 0, told.output
        assert told.output == explained.text_of(name)
    told = run(case, "connection.water_on", "--json")
    found = json.loads(told.output)
    assert (found["case_number"], found["window"]["state"]) == (explained.NUMBER, "met")


def test_what_cannot_be_explained_is_one_clear_line(case: str) -> None:
    for words, code in (
        (("BZ-0000-000000", "connection.water_on"), "no-such-case"),
        ((case, "connection.notice"), "no-such-window"),
        ((case, "connection.water_on", "--as-of", "2190-01-01T00:00"), "future-time"),
        ((case, "connection.water_on", "--as-of", "2026-09-24"), "bad-parameter"),
        ((case, "connection.water_on", "--as-of", "2026-09-16T08:59"), "no-such-case"),
        ((case, "connection.water_on", "--as-of", "yesterday"), "bad-parameter"),
    ):
        told = run(*words)
        assert told.exit_code == 1
        assert code in told.output
        assert len(told.output.splitlines()) == 1

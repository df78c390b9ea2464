"""The published period replayed through the real rulebook, once; and one case replayed from the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from app.cli import main
from app.demo import city
from app.demo.replay import ReplayResult, replay_published, report
from domain import kinds
from domain.connections import outlook
from domain.kernel.refusals import Refusal
from infra.clock import ManualClock
from infra.embedded import EmbeddedPostgres
from infra.embedded.errors import EmbeddedError
from infra.eventstore.commands import Stream
from infra.eventstore.consistency_check import disagreements
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import STANDARDS
from infra.settings import Settings
from projections.read_models.views import VIEWS
from projections.reports.replay import lines, replay_case, to_come
from tests.connection_history import Told, tell_all

SEED = 225


@pytest.fixture(scope="module")
def replaying(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with an empty database of their own."""
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE replayed")
    yield Settings(data_dir=tmp_path_factory.mktemp("replayed"), database_url=postgres.conninfo("replayed"))
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE replayed WITH (FORCE)")


@pytest.fixture(scope="module")
def replayed(replaying: Settings) -> ReplayResult:
    return replay_published(replaying, SEED, replaying.database_url)


@pytest.fixture
def connection(replaying: Settings, replayed: ReplayResult) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(replaying.database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


@pytest.mark.slow
def test_our_counts_are_the_mix_that_was_played(replayed: ReplayResult) -> None:
    assert replayed.figures.by_category == dict(sorted(city.PUBLISHED_CATEGORIES.items()))
    assert replayed.figures.by_channel == dict(sorted(city.PUBLISHED_CHANNELS.items()))
    assert replayed.figures.applications == replayed.applications == 240
    assert replayed.figures.online == 20


@pytest.mark.slow
def test_every_application_is_accounted_for(replayed: ReplayResult) -> None:
    assert replayed.is_accounted_for
    assert "open" not in replayed.figures.by_outcome
    assert replayed.figures.by_outcome == {"ended": 2, "water_on": 235, "withdrawn": 3}


@pytest.mark.slow
def test_nothing_was_refused_but_what_was_meant_to_be(replayed: ReplayResult) -> None:
    assert replayed.astray == {}
    assert replayed.refused == {"fee-banned": 4, "already-visible": 2}
    assert (replayed.figures.charges_refused, replayed.figures.further_requests_refused) == (4, 2)


@pytest.mark.slow
def test_the_figures_that_were_published_are_met_in_kind(replayed: ReplayResult) -> None:
    found = replayed.figures
    assert found.home_visits > 30
    assert found.papers_outstanding == 27
    assert 2 * found.papers_outstanding_at_home > found.papers_outstanding
    assert found.preservices_given == 4
    assert [(works.completed, works.communities) for works in found.works if works.kind == "pump-room"] == [(5, 5)]


@pytest.mark.slow
def test_promises_that_were_broken_are_seen(replayed: ReplayResult) -> None:
    """Eight are late by plan; two commitments were not kept, one of them was repaired; five made a trip too many."""
    found = replayed.figures
    assert (found.water_on - found.on_time, found.lapsed) == (8, 8)
    assert sum(channel.broken for channel in found.channels) == 2
    assert sum(channel.repaired for channel in found.channels) == 1
    assert sum(channel.too_many_trips for channel in found.channels) > 0
    assert sum(found.pauses.values()) == 2
    assert found.paid_fen == found.quoted_fen > 0


@pytest.mark.slow
def test_238_is_said_not_to_be_the_sum_and_60_percent_not_to_be_right(replayed: ReplayResult) -> None:
    text = report(replayed, as_json=False)
    assert "the report's total of 238 is not the sum of its parts" in text
    assert "66.7 %" in text
    found = json.loads(report(replayed, as_json=True))
    assert [one["code"] for one in found["contradictions"]] == ["total", "documents"]
    assert found["accounted_for"] is True
    beside = {line["code"]: line for line in found["published"]}
    assert (beside["applications"]["ours"], beside["applications"]["published"]) == (240, "238")


@pytest.mark.slow
def test_the_read_models_are_what_the_store_says(
    connection: psycopg.Connection[Any], replaying: Settings, replayed: ReplayResult
) -> None:
    assert disagreements(replaying, connection, VIEWS) == []


@pytest.mark.slow
def test_the_listed_stage_is_the_one_that_the_case_itself_says(
    connection: psycopg.Connection[Any], replaying: Settings, replayed: ReplayResult
) -> None:
    rows = connection.execute("SELECT case_id, stage FROM views.cases WHERE family = 'connection'").fetchall()
    service = open_service(replaying, clock=ManualClock(city.START))
    try:
        states = {row["case_id"]: service.load(Stream(kinds.CONNECTION, row["case_id"]))[0] for row in rows}
    finally:
        service.close()
    assert {row["case_id"]: row["stage"] for row in rows} == {id_: outlook.stage(case) for id_, case in states.items()}


@pytest.mark.slow
def test_no_squad_is_in_two_places_at_once(connection: psycopg.Connection[Any]) -> None:
    overlaps = connection.execute(
        "SELECT count(*) FROM views.visits a JOIN views.visits b ON a.squad = b.squad AND a.visit < b.visit"
        " AND a.begin_at < b.end_at AND b.begin_at < a.end_at WHERE a.state <> 'cancelled' AND b.state <> 'cancelled'"
    ).fetchone()
    squads = connection.execute("SELECT count(DISTINCT squad) FROM views.visits").fetchone()
    assert (overlaps, squads) == ({"count": 0}, {"count": 3})


@pytest.mark.slow
def test_a_database_that_holds_something_is_left_alone(replaying: Settings, replayed: ReplayResult) -> None:
    with pytest.raises(EmbeddedError, match="database-not-empty"):
        replay_published(replaying, SEED, replaying.database_url)


@pytest.mark.slow
def test_figures_are_told_at_the_terminal(
    replaying: Settings, replayed: ReplayResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONGSHUI_DATABASE_URL", replaying.database_url)
    monkeypatch.setenv("TONGSHUI_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    told = CliRunner().invoke(main, ["figures", "--published"])
    assert told.exit_code == 0, told.output
    assert "按时通水 on time" in told.output
    assert "37+14+2+187 = 240" in told.output
    none = CliRunner().invoke(main, ["figures", "--from", "2027-01-01", "--json"])
    assert json.loads(none.output)["figures"]["applications"] == 0
    wrong = CliRunner().invoke(main, ["figures", "--from", "2027-01-02", "--to", "2027-01-01"])
    assert wrong.exit_code == 1
    assert "dates-out-of-order" in wrong.output


@pytest.mark.slow
def test_a_case_is_replayed_by_its_number(
    replaying: Settings, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONGSHUI_DATABASE_URL", replaying.database_url)
    monkeypatch.setenv("TONGSHUI_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    row = connection.execute(
        "SELECT case_number FROM views.connections WHERE on_time = false ORDER BY case_number"
    ).fetchone()
    assert row is not None
    told = CliRunner().invoke(main, ["replay", "case", row["case_number"]])
    assert told.exit_code == 0, told.output
    assert "stage 阶段 已收件 received" in told.output
    assert "超时 lapsed" in told.output
    assert "the rulebook agrees with what is on record" in told.output
    unknown = CliRunner().invoke(main, ["replay", "case", "BZ-0000-000000"])
    assert unknown.exit_code == 1
    assert "no-such-case" in unknown.output


# ---- one case, without the period


@pytest.fixture
def told(service: Service, clock: ManualClock) -> dict[str, Told]:
    return tell_all(service, clock)


def test_a_replay_shows_stage_and_windows_after_every_event(service: Service, told: dict[str, Told]) -> None:
    found = replay_case(service, str(told["paper_not_kept"].case_id))
    _, events = service.load(told["paper_not_kept"].stream)
    assert [step.version for step in found.steps] == [event["caseversion"] for event in events]
    assert found.steps[0].stage == "received"
    assert found.steps[-1].stage == "ended"
    papers = [
        next((w.state for w in step.windows if w.commitment == "connection.papers"), None) for step in found.steps
    ]
    assert papers[0] is None
    assert [state for place, state in enumerate(papers) if place and state != papers[place - 1]][:2] == [
        "running",
        "lapsed",
    ]
    assert list(to_come(found)) == ["the rulebook agrees with what is on record 与规则一致"]
    assert any("超时 lapsed" in line for line in lines(found.steps))


def test_a_replay_says_where_the_rulebook_would_go_on(
    service: Service, clock: ManualClock, told: dict[str, Told], tmp_path: Path
) -> None:
    open_case = Told(service)
    open_case.supply("identity", "property-right")
    clock.set(clock.now().replace(year=2027))
    found = replay_case(service, str(open_case.case_id))
    assert any("WindowLapsed" in line for line in to_come(found))


@pytest.mark.parametrize("case", ["", "BZ-1", "00000000-0000-0000-0000-000000000001", "x" * 4000])
def test_a_case_that_is_not_there_is_refused(service: Service, case: str) -> None:
    with pytest.raises(Refusal, match="no-such-case") as refused:
        replay_case(service, case)
    assert len(refused.value.found) < 100


def test_a_stream_that_is_no_case_is_refused(service: Service) -> None:
    with pytest.raises(Refusal, match="no-such-case"):
        replay_case(service, str(STANDARDS.id))

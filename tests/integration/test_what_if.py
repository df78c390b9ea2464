"""`tongshui what-if` on a real store: the difference as counted by hand, and nothing touched anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from app.cli import main
from app.demo.stage import fill
from infra.clock import ManualClock
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.eventstore.commands import Stream
from infra.eventstore.consistency_check import published
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import shipped_trials
from infra.kafka.cluster import ensure_topics
from infra.settings import Settings
from infra.sql import sql
from projections.reports.what_if import Period, trial
from projections.watch.due import DueIndex
from tests.commands import Application, Incident, ask
from tests.connection_history import tell_all
from tests.integration.relaying import all_out, on_kafka, relaying, wait_until
from tests.unit.cases import NINE

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def tell(service: Service, clock: ManualClock) -> None:
    """An application on after two days and one on the fifth working day; arrivals after 20, 27 and 40 minutes; and the
    whole applications of the figures' tests."""
    begun = clock.now()
    quick, slow = Application(service), Application(service)
    for days, (after, district) in enumerate(((20, "qianzhou"), (27, "qianzhou"), (40, "donghe"))):
        clock.set(begun + days * DAY)
        incident = Incident(service, district=district)
        clock.move(after * MINUTE)
        incident.arrive()
        incident.assess("small")
        clock.move(60 * MINUTE)
        incident.complete()
        incident.answer()
        incident.close()
    quick.turn_on(1, "M-1")
    clock.set(begun + 6 * DAY)
    slow.turn_on(1, "M-2")
    tell_all(service, clock)
    clock.move(30 * DAY)
    with service.connection() as connection:
        cases = connection.execute("SELECT DISTINCT originator_id AS id FROM store.stored_events").fetchall()
    for case_id, kind in service.kinds_of([row["id"] for row in cases]).items():
        ask(service, Stream(kind, case_id))


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["what-if", *words])


@pytest.fixture(scope="module")
def settings(
    postgres: EmbeddedPostgres, kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """An installation at work: store, topics, read models and the watch's index are filled. One for all tests here:
    none of them may change anything."""
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE what_if TEMPLATE template")
    found = Settings(
        data_dir=tmp_path_factory.mktemp("what-if"),
        database_url=postgres.conninfo("what_if"),
        kafka_bootstrap=kafka.bootstrap,
        topic_prefix="whatif.water.",
    )
    ensure_topics(found)
    clock = ManualClock(NINE)
    service = open_service(found, clock=clock)
    tell(service, clock)
    service.close()
    with relaying(found), psycopg.connect(found.database_url, row_factory=dict_row) as connection:
        head = connection.execute(sql("log_head")).fetchone()
        assert head is not None
        wait_until(all_out(found, head["position"]))
        fill(found, connection)
        with connection.transaction(), connection.cursor() as cursor:
            DueIndex().step(cursor, list(published(found, connection)), {})
    yield found
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE what_if WITH (FORCE)")


@pytest.fixture
def told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The same, found by the command."""
    monkeypatch.setenv("TONGSHUI_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TONGSHUI_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    return settings


TABLES = """
SELECT n.nspname, c.relname, c.relkind = 'S' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


def tables(settings: Settings) -> dict[str, tuple[int, str | None]]:
    """Every table and sequence of the database: rows, and a digest of all of them and of who wrote each."""
    found = {}
    with psycopg.connect(settings.database_url) as connection:
        for schema, name, is_sequence in connection.execute(TABLES).fetchall():
            row = "last_value, is_called" if is_sequence else "t, t.xmin"
            query = "SELECT count(*), md5(string_agg(ROW({})::text, chr(10) ORDER BY ROW({})::text)) FROM {{}} t"
            counted = connection.execute(SQL(query.format(row, row)).format(Identifier(schema, name))).fetchone()
            assert counted is not None
            found[f"{schema}.{name}"] = (counted[0], counted[1])
    return found


def topics(settings: Settings) -> dict[str, list[tuple[int, bytes | None]]]:
    return {
        str(place): [(each.offset, each.value) for each in records] for place, records in on_kafka(settings).items()
    }


def test_store_topics_read_models_and_watch_are_byte_for_byte_as_before(told: Settings, tmp_path: Path) -> None:
    before = tables(told), topics(told)
    assert before[0]["store.stored_events"][0] > 100
    assert before[0]["views.windows"][0] > 10
    assert before[0]["watch.due"][0] > 0
    for name in shipped_trials():
        drawn = tmp_path / f"{name}.html"
        assert run("--standard", name, "--chart", str(drawn), "--cases", "3").exit_code == 0
        assert f"假如执行 what-if-{name}" in drawn.read_text(encoding="utf-8")
        assert run("--standard", name, "--json").exit_code == 0
    assert (tables(told), topics(told)) == before


def test_the_store_itself_refuses_a_write_of_a_trial(told: Settings) -> None:
    with (
        trial(told, shipped_trials()["four-days"], Period()) as found,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        found._connection.execute("UPDATE store.log_head SET position = position")


def test_the_difference_is_as_counted_by_hand(told: Settings) -> None:
    *changes, last = [json.loads(line) for line in run("--standard", "arrival-25", "--json").output.splitlines()]
    (late,) = changes
    assert (late["commitment"], late["before"]["outcome"], late["after"]["outcome"]) == (
        "repair.arrival",
        "met",
        "lapsed",
    )
    assert (late["where"]["district"], late["where"]["class"]) == ("qianzhou", "small")
    arrival = last["sums"]["by_commitment"]["repair.arrival"]
    assert (arrival["before"], arrival["after"]) == ({"met": 2, "lapsed": 1}, {"met": 1, "lapsed": 2})
    assert last["sums"]["unrecorded"] == 0, "what is on record is what the standards in force say"
    assert last["sums"]["by_commitment"]["connection.water_on"]["changed"] == 0


def test_four_days_are_broken_by_whom_five_were_kept_for(told: Settings) -> None:
    *changes, last = [json.loads(line) for line in run("--standard", "four-days", "--json").output.splitlines()]
    water = [each for each in changes if each["commitment"] == "connection.water_on"]
    assert len(water) == len(changes) == last["sums"]["changed_cases"]
    assert "BZ-1" in {each["case_number"] for each in water}
    for each in water:
        assert each["after"]["due_at"] < each["before"]["due_at"]
        assert each["after"]["due_at"] < each["before"]["met_at"] <= each["before"]["due_at"]


def test_the_same_standard_makes_no_difference(told: Settings, tmp_path: Path) -> None:
    same = tmp_path / "same.json"
    same.write_text('{"based_on": "in-force"}')
    (last,) = [json.loads(line) for line in run("--standard", str(same), "--json").output.splitlines()]
    assert (last["sums"]["changed_cases"], last["sums"]["unrecorded"]) == (0, 0)
    for both in last["sums"]["by_commitment"].values():
        assert both["before"] == both["after"]
        assert both["moved"] == 0


def test_a_period_has_the_cases_that_began_in_it(told: Settings, tmp_path: Path) -> None:
    def cases(*words: str) -> int:
        last = json.loads(run("--standard", "arrival-25", "--json", *words).output.splitlines()[-1])
        return int(last["sums"]["cases"])

    assert cases("--from", "2026-09-16", "--to", "2026-09-16") == 3, "two applications and an incident"
    assert cases("--from", "2026-09-17", "--to", "2026-09-17") >= 1
    assert cases("--to", "2026-09-15") == 0
    assert cases() == cases("--from", "2026-09-16")


def test_what_cannot_be_tried_is_one_clear_line_in_both_languages(told: Settings, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    for text, code, words in (
        ('{"based_on": "in-force", "connection_working_days": 6}', "beyond-the-promise", "超出公开承诺"),
        ('{"based_on": "in-force", "uncounted_stages": {"tea": 1}}', "unknown-stage", "请"),
        ('{"based_on": "2019-1"}', "bad-document", "2019-1"),
        ("{", "bad-document", "JSON"),
    ):
        file.write_text(text)
        found = run("--standard", str(file))
        assert found.exit_code == 1
        assert code in found.output
        assert words in found.output
        assert len(found.output.splitlines()) == 1
    for words_, code in (
        (("--standard", "nowhere"), "no-such-file"),
        (("--standard", "four-days", "--by", "weather"), "bad-parameter"),
        (("--standard", "four-days", "--chart", "x.png"), "bad-parameter"),
        (("--standard", "four-days", "--from", "2026-09-17", "--to", "2026-09-16"), "dates-out-of-order"),
    ):
        found = run(*words_)
        assert found.exit_code == 1
        assert code in found.output

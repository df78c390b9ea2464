"""Read models made anew beside those in use: live = replayed twice = rebuilt, for each, also under a live writer and
after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from infra.eventstore.consistency_check import actual_rows, disagreements
from infra.kafka.cluster import BusRefusal, ensure_topics
from infra.postgres.roles import settle_roles
from infra.postgres.schema import schema_of
from infra.readers.faust_app import ModelStream
from infra.settings import Settings
from infra.sql import sql
from projections.read_models.cases import CASES
from projections.read_models.model import Model
from projections.read_models.views import VIEWS
from projections.rebuild import lane, run, tables
from projections.rebuild.run import abandon, rebuild, unfinished
from projections.rebuild.tables import Differences
from projections.watch.due import DueIndex, DueRow
from tests.integration.relaying import QUICK, all_out, relaying, wait_until
from tests.published import records, topic_ids
from tests.repeated import append

ROOT = Path(__file__).parents[2]


class _Stream(ModelStream):
    """The stream shell without Kafka."""

    def feed(self) -> None:
        """What the relay would have published by now, from the beginning."""
        self._topic_ids = topic_ids(self.settings)
        self.until_stored(records(self.settings), stopping=lambda: False)


@pytest.fixture
def connection(store_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(store_settings.database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


@pytest.fixture
def stream(store_settings: Settings) -> Iterator[_Stream]:
    made = _Stream(store_settings, "views", VIEWS)
    yield made
    made.close()


@pytest.fixture
def live(stream: _Stream, connection: psycopg.Connection[Any]) -> _Stream:
    """Every recorded history twice, read."""
    append(connection, 2)
    stream.feed()
    relayed(connection)
    return stream


def relayed(connection: psycopg.Connection[Any]) -> None:
    """Say that the relay has everything out."""
    connection.execute(
        "INSERT INTO store.relay_state (cluster_id, epoch, sessions, all_out) SELECT 'test', 1, 1, position"
        " FROM store.log_head ON CONFLICT (cluster_id) DO UPDATE SET all_out = excluded.all_out"
    )


@pytest.mark.parametrize("name", [model.name for model in VIEWS])
def test_live_is_replayed_twice_is_rebuilt(live: _Stream, connection: psycopg.Connection[Any], name: str) -> None:
    (model,) = (each for each in VIEWS if each.name == name)
    rows = actual_rows(connection, model)
    assert rows
    live.feed()
    assert actual_rows(connection, model) == rows
    assert rebuild(live.settings, [name]) == {name: Differences(len(rows), len(rows), 0, 0, 0)}
    assert actual_rows(connection, model) == rows
    assert disagreements(live.settings, connection, [model]) == []


def test_the_watchs_index_is_the_same_live_replayed_twice_and_made_from_zero(
    store_settings: Settings, connection: psycopg.Connection[Any]
) -> None:
    def rows() -> list[Any]:
        columns = ", ".join(field.name for field in fields(DueRow))
        return connection.execute(f"SELECT {columns} FROM watch.due ORDER BY case_id, commitment".encode()).fetchall()

    append(connection, 2)
    with closing(_Stream(store_settings, "watch", [DueIndex()])) as index:
        index.feed()
        live = rows()
        assert len(live) > 50
        index.feed()
        assert rows() == live
        connection.execute("TRUNCATE watch.due, watch.places")
        index.feed()
        assert rows() == live


def test_all_are_rebuilt_and_the_reader_goes_on_where_they_end(
    live: _Stream, connection: psycopg.Connection[Any]
) -> None:
    found = rebuild(live.settings)
    assert list(found) == [model.name for model in VIEWS]
    assert all(each.are_none for each in found.values())
    append(connection, 1, seed=7)
    live.feed()
    assert disagreements(live.settings, connection, VIEWS) == []
    assert unfinished(connection) is None


def test_nobody_sees_from_the_schema_or_the_rights_that_it_is_another_table(
    live: _Stream, connection: psycopg.Connection[Any]
) -> None:
    settle_roles(live.settings.database_url)
    asked = (
        "SELECT relname, grantee::regrole::text AS who, privilege_type FROM pg_class, aclexplode(relacl)"
        " WHERE relnamespace = 'views'::regnamespace ORDER BY 1, 2, 3"
    )
    before, rights = schema_of(live.settings.database_url), connection.execute(asked).fetchall()
    rebuild(live.settings)
    assert schema_of(live.settings.database_url) == before
    assert connection.execute(asked).fetchall() == rights
    assert {"relname": "cases", "who": "tongshui_api", "privilege_type": "SELECT"} in rights


def test_rows_that_were_tampered_with_are_right_again_and_it_is_said_what_differed(
    live: _Stream, connection: psycopg.Connection[Any]
) -> None:
    assert connection.execute("UPDATE views.cases SET stage = 'closed', owner = 'x'").rowcount > 50
    gone = connection.execute("DELETE FROM views.windows WHERE commitment = 'repair.arrival'").rowcount
    found = rebuild(live.settings, ["cases", "windows"])
    assert found["cases"].changed == found["cases"].before == found["cases"].after
    assert (found["windows"].added, found["windows"].missing, found["windows"].changed) == (gone, 0, 0)
    assert disagreements(live.settings, connection, VIEWS) == []


def test_a_changed_fold_and_a_new_column_come_to_the_rows_of_closed_cases(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("ALTER TABLE views.cases ADD COLUMN told_by text NOT NULL DEFAULT ''")
    fold = CASES.fold
    newer = replace(CASES, fold=lambda row, event: (after := fold(row, event)) and replace(after, owner=event.channel))
    views = [newer if model is CASES else model for model in VIEWS]
    monkeypatch.setattr(lane, "VIEWS", views)
    found = rebuild(live.settings, ["cases"])["cases"]
    assert found.changed == found.after > 50
    assert found.added == found.missing == 0
    owners = connection.execute("SELECT count(*) AS n FROM views.cases WHERE owner IS NULL OR told_by <> ''").fetchone()
    assert owners == {"n": 0}


# ---- in stretches, killed, refused


@pytest.fixture
def in_small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "STRETCH", 150)
    monkeypatch.setattr(lane, "ROWS_KEPT", 20)
    monkeypatch.setattr(run, "NEAR", 10)
    monkeypatch.setattr(run, "AT_ONCE", 7)


class _Killed(BaseException):
    pass


@pytest.mark.usefixtures("in_small_stretches")
@pytest.mark.parametrize("after", [0, 3, 8])
def test_one_that_ends_in_the_middle_goes_on_where_it_was(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    stretch, done = lane.Lane._stretch, 0

    def dies(self: lane.Lane, until: int) -> None:
        nonlocal done
        if done == after:
            raise _Killed
        done += 1
        stretch(self, until)

    with monkeypatch.context() as killing:
        killing.setattr(lane.Lane, "_stretch", dies)
        with pytest.raises(_Killed):
            rebuild(live.settings)
    left = unfinished(connection)
    assert left is not None
    assert left.waiting == [model.name for model in VIEWS]
    append(connection, 1, seed=7)
    live.feed()
    relayed(connection)
    said: list[str] = []
    found = rebuild(live.settings, say=said.append)
    assert said[0] == f"read-models: goes on at event {left.position:,}"
    assert all(each.are_none for each in found.values())
    assert disagreements(live.settings, connection, VIEWS) == []


@pytest.mark.usefixtures("in_small_stretches")
def test_one_that_ends_after_it_caught_up_applies_nothing_twice(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = connection.execute("SELECT position / 2 AS half FROM store.log_head").fetchone()
    assert behind is not None
    connection.execute("UPDATE store.relay_state SET all_out = %s", [behind["half"]])
    monkeypatch.setattr(run, "NEAR", 10_000)  # so that half of the events are left for catching up
    with monkeypatch.context() as killing:
        killing.setattr(run, "put_in_place", _dies)
        with pytest.raises(_Killed):
            rebuild(live.settings, ["cases", "charges"])
    append(connection, 1, seed=7)
    live.feed()
    relayed(connection)
    found = rebuild(live.settings, ["cases", "charges"])
    assert all(each.are_none for each in found.values())
    assert disagreements(live.settings, connection, VIEWS) == []


def _dies(*_: object) -> None:
    raise _Killed


def test_a_lane_that_is_left_over_from_a_killed_rebuild_writes_nothing_more(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killing:
        killing.setattr(run._Rebuild, "fold", _dies)
        with pytest.raises(_Killed):
            rebuild(live.settings, ["cases"])
    with psycopg.connect(live.settings.database_url, autocommit=True) as orphan:
        (attempt,) = {row[1] for row in orphan.execute(sql("rebuild_attempt")).fetchall()}
        left = lane.Lane(live.settings, orphan, ["cases"], 0, 2, attempt)
        orphan.execute(sql("rebuild_attempt"))
        with pytest.raises(BusRefusal, match="rebuilding-already"):
            left.run(100)
    assert connection.execute("SELECT FROM views_new.cases").rowcount == 0
    assert rebuild(live.settings, ["cases"])["cases"].are_none


def test_begun_by_another_program_it_begins_anew(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killing:
        killing.setattr(run, "index", _dies)
        with pytest.raises(_Killed):
            rebuild(live.settings, ["cases"])
    connection.execute("UPDATE views_new.cases SET stage = 'of an older fold'")
    connection.execute("UPDATE rebuild.run SET program = 'an older one'")
    said: list[str] = []
    assert rebuild(live.settings, ["cases"], said.append)["cases"].are_none
    assert "begins anew" in said[0]


def test_only_one_at_a_time_another_choice_is_refused_and_it_can_be_thrown_away(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema_of(live.settings.database_url)
    with monkeypatch.context() as killing:
        killing.setattr(run, "index", _dies)
        with pytest.raises(_Killed):
            rebuild(live.settings, ["cases", "windows"])
    with psycopg.connect(live.settings.database_url, autocommit=True) as other:
        # A connection that was closed is gone at the server a moment later.
        wait_until(lambda: other.execute(sql("rebuild_lock")).fetchone() == (True,), what="the lock")
        with pytest.raises(BusRefusal, match="rebuilding-already"):
            rebuild(live.settings, ["cases", "windows"])
        with pytest.raises(BusRefusal, match="rebuilding-already"):
            abandon(live.settings)
    with pytest.raises(BusRefusal, match=r"rebuild-unfinished: .*read-models rebuild cases windows"):
        rebuild(live.settings, ["visits"])
    with pytest.raises(BusRefusal, match="no-such-model: found boards"):
        rebuild(live.settings, ["boards"])
    found = abandon(live.settings)
    assert found is not None
    assert found.waiting == ["cases", "windows"]
    assert abandon(live.settings) is None
    assert schema_of(live.settings.database_url) == before
    assert disagreements(live.settings, connection, VIEWS) == []


def test_a_program_that_cannot_take_what_the_rows_in_use_have_does_not_take_over(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(row: Any, event: Any) -> Any:
        if event.type == "water.repair.CrewArrived.v1":
            raise ValueError
        return CASES.fold(row, event)

    rows = actual_rows(connection, CASES)
    with monkeypatch.context() as worse:
        worse.setattr(lane, "VIEWS", [replace(CASES, fold=refuses) if each is CASES else each for each in VIEWS])
        with pytest.raises(BusRefusal, match=r"model-refuses-events: found \d+ events that cases cannot take"):
            rebuild(live.settings, ["cases"])
    assert actual_rows(connection, CASES) == rows
    abandon(live.settings)
    assert rebuild(live.settings, ["cases"])["cases"].are_none


def test_what_the_table_refuses_and_the_reader_left_out_is_left_out_too(
    store_settings: Settings, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a column: the reader wrote it down as a dead letter and went on with the rest of the case."""

    def too_many(row: Any, event: Any) -> Any:
        after = CASES.fold(row, event)
        if after is None or event.type != "water.repair.SeverityAssessed.v1":
            return after
        return replace(after, flags=2**40)

    worse: list[Any] = [replace(CASES, fold=too_many) if each is CASES else each for each in VIEWS]
    append(connection, 1)
    odd = _Stream(store_settings.model_copy(update={"dead_letters_at_most": 10_000}), "views", worse)
    odd.feed()
    odd.close()
    relayed(connection)
    letters = connection.execute("SELECT count(*) AS n FROM store.dead_letters WHERE reader = 'cases'").fetchone()
    assert letters is not None
    assert letters["n"] > 5
    monkeypatch.setattr(lane, "VIEWS", worse)
    assert rebuild(store_settings, ["cases"])["cases"].are_none


def test_a_table_that_somebody_reads_for_long_stays_in_use_and_is_replaced_when_they_are_done(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "WAIT_S", 0.5)
    monkeypatch.setattr(run, "AGAIN_S", 0.1)
    monkeypatch.setattr(tables, "LOCK_MS", 200)
    with psycopg.connect(live.settings.database_url, application_name="pg_dump") as reading:
        reading.execute("SELECT count(*) FROM views.cases")
        with pytest.raises(BusRefusal, match=r"table-in-use: found views\.cases, .*pg_dump"):
            rebuild(live.settings, ["cases"])
        append(connection, 1, seed=7)
        live.feed()
        relayed(connection)
    assert rebuild(live.settings, ["cases"])["cases"].are_none
    assert disagreements(live.settings, connection, VIEWS) == []


def test_a_reader_that_stands_still_is_named_and_nothing_is_swapped(
    live: _Stream, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "WAIT_S", 0.5)
    connection.execute("UPDATE views.places SET position = position / 2 WHERE reader = 'cases'")
    with pytest.raises(BusRefusal, match=r"reader-behind: found the reader of cases"):
        rebuild(live.settings, ["cases"])
    assert connection.execute("SELECT to_regclass('views_new.cases') IS NOT NULL AS left").fetchone() == {"left": True}


# ---- on a real installation's parts


def environment(settings: Settings) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGSHUI_")}
    return ours | {
        "TONGSHUI_DATA_DIR": str(settings.data_dir),
        "TONGSHUI_DATABASE_URL": settings.database_url,
        "TONGSHUI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "TONGSHUI_TOPIC_PREFIX": settings.topic_prefix,
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def quick(settings: Settings) -> Settings:
    quick = settings.model_copy(update=QUICK)
    ensure_topics(quick)
    return quick


@contextmanager
def views(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the read models as a process of its own."""
    with subprocess.Popen([sys.executable, "-m", "app.cli", "views"], env=environment(settings)) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def writing(settings: Settings, rounds: int) -> Iterator[Callable[[], int]]:
    """Somebody who appends to the store all the time, at most so many rounds; gives how many were appended."""
    stop, done = threading.Event(), 0

    def append_on() -> None:
        nonlocal done
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            while done < rounds and not stop.wait(0.1):
                append(connection, 1, seed=1_000 + done)
                done += 1

    thread = threading.Thread(target=append_on)
    thread.start()
    try:
        yield lambda: done
    finally:
        stop.set()
        thread.join()


def read_everything(settings: Settings, connection: psycopg.Connection[Any]) -> Callable[[], bool]:
    """Whether every read model is where the relay is, and that is the store's end."""

    def even() -> bool:
        row = connection.execute("SELECT position FROM store.log_head").fetchone()
        if row is None or not all_out(settings, row["position"])():
            return False
        return run_ends(settings) == {}

    return even


def run_ends(settings: Settings) -> Mapping[str, int]:
    """Models whose readers are behind the relay, and up to where they are complete."""
    with psycopg.connect(settings.database_url, autocommit=True) as one:
        found = {}
        for model in VIEWS:
            it = run._Rebuild(settings, one, one, [model], print, 2)
            row = one.execute("SELECT position FROM store.log_head").fetchone()
            assert row is not None
            if (at := it.frontier()) < row[0]:
                found[model.name] = at
    return found


def test_rebuilt_under_a_live_writer_and_a_live_reader_each_row_is_what_the_store_says(quick: Settings) -> None:
    with (
        psycopg.connect(quick.database_url, autocommit=True, row_factory=dict_row) as connection,
        relaying(quick),
        views(quick) as reader,
    ):
        append(connection, 5)
        wait_until(read_everything(quick, connection), what="the first events")
        connection.execute("UPDATE views.cases SET owner = 'somebody else'")
        with writing(quick, rounds=100) as written:
            wait_until(lambda: written() > 0, what="the writer")
            begun = written()
            found = rebuild(quick)
            assert written() > begun, "nothing was written meanwhile"
        assert found["cases"].changed > 200
        assert all(each.are_none for name, each in found.items() if name != "cases")
        wait_until(read_everything(quick, connection), what="the last events")
        assert disagreements(quick, connection, VIEWS) == []
        assert reader.poll() is None
        row = connection.execute("SELECT count(*) AS n FROM store.dead_letters").fetchone()
        assert row == {"n": 0}


def test_a_look_up_that_waits_for_a_swap_finds_the_new_table(store_settings: Settings) -> None:
    """A reader of a partition that it never read before has no place that a swap could hold it by."""
    found: list[Any] = []
    with (
        psycopg.connect(store_settings.database_url, autocommit=True) as swapping,
        psycopg.connect(store_settings.database_url, autocommit=True) as reading,
        reading.cursor() as cursor,
    ):

        def look_up() -> None:
            found.append(CASES.load(cursor, {(UUID(int=1),)}))

        waiting = threading.Thread(target=look_up)
        with swapping.transaction():
            swapping.execute("ALTER TABLE views.cases RENAME TO cases_before")
            swapping.execute("CREATE TABLE views.cases (LIKE views.cases_before INCLUDING ALL)")
            waiting.start()
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
            wait_until(
                lambda: swapping.execute(waits, [reading.info.backend_pid]).fetchone() == (1,), what="the look-up"
            )
            swapping.execute("DROP TABLE views.cases_before CASCADE")
        waiting.join(20)
    assert found == [{}]


def test_killed_in_the_middle_with_its_lanes_it_goes_on(
    live: _Stream, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    append(connection, 40, seed=9)
    live.feed()
    relayed(connection)
    program = tmp_path / "killed.py"
    program.write_text(
        "from infra.settings import Settings\n"
        "from projections.rebuild import lane, run\n"
        "lane.STRETCH = 500\n"
        "run.BY_PROCESSES = 1\n"
        "if __name__ == '__main__':\n"
        "    run.rebuild(Settings(), say=print)\n"
    )
    with subprocess.Popen([sys.executable, str(program)], env=environment(live.settings)) as killed:
        try:

            def in_the_middle() -> bool:
                left = unfinished(connection)
                return left is not None and left.position > 0

            wait_until(in_the_middle, what="the first stretch")
        finally:
            os.kill(killed.pid, signal.SIGKILL)
    left = unfinished(connection)
    assert left is not None
    row = connection.execute("SELECT position FROM store.log_head").fetchone()
    assert row is not None
    assert 0 < left.position < row["position"]
    found = rebuild(live.settings)
    assert all(each.are_none for each in found.values())
    assert disagreements(live.settings, connection, VIEWS) == []


def test_the_command_says_what_there_is_and_what_became_of_it(
    live: _Stream, connection: psycopg.Connection[Any]
) -> None:
    def told(*arguments: str) -> str:
        asked = [sys.executable, "-m", "app.cli", "read-models", *arguments]
        done = subprocess.run(asked, env=environment(live.settings), capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "cases        views.cases        repair, connection, usage\n" in told("list")
    rows = len(actual_rows(connection, CASES))
    assert f"cases        {rows} rows before, {rows} now 行: says what the old rows said" in told("rebuild", "cases")
    assert "there was none" in told("abandon")
    assert "no-such-model: found boards; needed some of cases" in told("rebuild", "boards")


def test_every_model_is_one_that_a_rebuild_can_split_by_case() -> None:
    """Lanes split the events by case: a model whose rows were of several cases would be wrong."""
    for model in VIEWS:
        if isinstance(model, Model):
            assert model.key[0] in ("case_id", "stream_id", "topic")


def test_every_row_of_the_histories_goes_in_bulk(live: _Stream, caplog: pytest.LogCaptureFixture) -> None:
    """Else a model would be slow all the time, and nobody would notice."""
    with caplog.at_level("INFO", logger=lane.__name__):
        rebuild(live.settings)
    assert [record.message for record in caplog.records if "one by one" in record.message] == []

"""Real municipal tickets through the public API: every row accounted for, at its own date, twice the same.

The sums that the data sets' own descriptions give are held against the whole files by the slow tests.
"""

from __future__ import annotations

import csv
import json
import lzma
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from app.cli import main
from app.demo.tickets import boston, kitchener, report
from app.demo.tickets.rows import TicketBook
from app.demo.tickets.run import TicketReplay, replay
from infra.embedded import EmbeddedPostgres
from infra.embedded.errors import EmbeddedError
from infra.eventstore.consistency_check import disagreements
from infra.eventstore.service import open_service
from infra.settings import Settings
from projections.read_models.views import VIEWS
from projections.reports.replay import lines, replay_case, to_come

DATA = Path(__file__).parents[1] / "data" / "tickets"
BOSTON, KITCHENER = DATA / "boston.csv.xz", DATA / "kitchener.csv.xz"
CHANGES = DATA / "kitchener-changes.csv.xz"
SOME = 70
"""Rows in order; the odd ones come on top."""


@contextmanager
def a_database(postgres: EmbeddedPostgres, name: str) -> Iterator[str]:
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.conninfo(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def some_rows(folder: Path) -> Path:
    """The first rows, and of every sort of closing and of duplicates some more."""
    rows = rows_of(BOSTON)
    named = {row["duplicate_of"] for row in rows[:600]}
    chosen = rows[:SOME] + [row for row in rows[SOME:1_500] if row["duplicate_of"] or row["id"] in named][:40]
    for word in sorted({row["closure_code"] for row in rows}):
        chosen += [row for row in rows if row["closure_code"] == word and row not in chosen][:3]
    chosen += [row for row in rows if row["status"] == "Open"][:5]
    unique = list({row["id"]: row for row in chosen}.values())
    return write(folder / "some.csv", [*unique, unique[0], {**unique[1], "id": "1", "reported": ""}])


def some_breaks(folder: Path) -> Path:
    """A few breaks that changed, and a few of every closeness of time and of those that were cancelled."""
    rows, changed = rows_of(KITCHENER), {row["id"] for row in rows_of(CHANGES)}
    chosen = [row for row in rows if row["id"] in changed][-12:]
    for name in ("reported_precision", "status_precision", "status"):
        for value in sorted({row[name] for row in rows}):
            chosen += [row for row in rows if row[name] == value][-2:]
    return write(folder / "breaks.csv", list({row["id"]: row for row in chosen}.values()))


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(lzma.decompress(path.read_bytes()).decode())))


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def windows(url: str) -> dict[tuple[Any, str], tuple[Any, ...]]:
    """Every window's verdict, and the ends that it lapsed at."""
    columns = "case_id, commitment, state, due_at, met_at, on_time, lapses, lapsed_ends"
    with psycopg.connect(url) as connection:
        return {row[:2]: row[2:] for row in connection.execute(f"SELECT {columns} FROM views.windows")}


def head(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT position FROM store.log_head").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> TicketBook:
    return boston.read_book(some_rows(tmp_path_factory.mktemp("tickets")))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("replaying"))


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> Iterator[str]:
    with a_database(postgres, "tickets") as opened:
        yield opened


@pytest.fixture(scope="module")
def replayed(base: Settings, url: str, book: TicketBook) -> TicketReplay:
    return replay(base, book, url)


def test_every_row_is_opened_linked_or_refused_with_a_reason(replayed: TicketReplay, book: TicketBook) -> None:
    assert replayed.unaccounted == ()
    assert sum(replayed.rows.values()) == len(book.tickets)
    assert set(replayed.rows) == {"opened", "linked", "id-twice", "no-report-time"}
    assert replayed.rows["linked"] > 0
    assert replayed.parts_refused == {}


def test_reports_are_counted_by_the_channel_of_their_source(replayed: TicketReplay, book: TicketBook) -> None:
    assert sum(replayed.origins.values()) == replayed.rows["opened"] + replayed.rows["linked"]
    told = Counter(ticket.channel for ticket in book.tickets if ticket.refused is None)
    assert replayed.origins["constituent-call"] == told["Constituent Call"]


def test_no_arrival_is_on_record_so_every_arrival_promise_is_unknown(replayed: TicketReplay) -> None:
    assert replayed.windows["repair.arrival"] == {"unknown": replayed.incidents}


def test_what_was_dismissed_owes_nothing_more_and_what_is_open_has_lapsed(replayed: TicketReplay) -> None:
    completion = replayed.windows["repair.completion"]
    assert sum(completion.values()) == replayed.incidents
    assert replayed.stages["reported"] >= 5
    assert replayed.facts["IncidentDismissed"] + replayed.facts["RepairCompleted"] == replayed.stages["closed"]
    assert completion["met"] == replayed.completed["within_4_h"] > 0
    assert completion["lapsed"] > completion["cancelled"] > 0


def test_each_is_recorded_at_its_own_date(url: str, replayed: TicketReplay) -> None:
    with psycopg.connect(url) as connection:
        years = connection.execute(
            "SELECT DISTINCT extract(year FROM opened_at)::int, extract(year FROM updated_at)::int"
            " FROM views.cases WHERE stage = 'closed' AND updated_at < '2012-01-01'"
        ).fetchall()
    assert years == [(2011, 2011)]


def test_the_read_models_say_what_the_store_says(url: str, base: Settings, replayed: TicketReplay) -> None:
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        replaying = base.model_copy(update={"database_url": url})
        assert disagreements(replaying, connection, VIEWS) == []


def test_a_replayed_case_agrees_with_the_rulebook_and_shows_what_is_unknown(
    url: str, base: Settings, replayed: TicketReplay
) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT case_number FROM views.cases WHERE reports > 1 LIMIT 1").fetchone()
    assert row is not None
    service = open_service(base.model_copy(update={"database_url": url}))
    try:
        found = replay_case(service, row[0])
    finally:
        service.close()
    assert "无从判定 unknown" in "\n".join(lines(found.steps))
    assert list(to_come(found)) == ["the rulebook agrees with what is on record 与规则一致"]


def test_a_second_run_changes_nothing(url: str, base: Settings, book: TicketBook, replayed: TicketReplay) -> None:
    before, verdicts = head(url), windows(url)
    again = replay(base, book, url)
    assert head(url) == before
    assert windows(url) == verdicts
    assert (again.rows, again.windows, again.unaccounted) == (replayed.rows, replayed.windows, ())


@pytest.mark.slow  # asks for each window at each instant
def test_asking_at_every_instant_and_telling_all_at_once_end_in_the_same_windows(
    url: str, postgres: EmbeddedPostgres, base: Settings, book: TicketBook, replayed: TicketReplay
) -> None:
    with a_database(postgres, "tickets_watched") as watched:
        found = replay(base, book, watched, watched=True)
        assert found.asked > replayed.asked
        assert windows(watched) == windows(url)
        assert found.unaccounted == ()


def test_another_books_database_is_refused(url: str, base: Settings, replayed: TicketReplay) -> None:
    with pytest.raises(EmbeddedError, match=r"^database-not-empty"):
        replay(base, kitchener.read_book(KITCHENER, limit=3), url)


def test_breaks_known_by_their_day_are_not_judged_and_changes_are_corrections(
    postgres: EmbeddedPostgres, base: Settings, tmp_path: Path
) -> None:
    book = kitchener.read_book(some_breaks(tmp_path), CHANGES)
    with a_database(postgres, "breaks") as opened:
        found = replay(base, book, opened)
    assert found.unaccounted == ()
    assert found.parts_refused == {}
    assert sum(found.changes.values()) == len(book.changes)
    assert found.changes["told"] == 4
    assert found.changes["corrected"] == found.facts["DetailCorrected"] - found_first(book) > 0
    assert found.windows["repair.completion"].keys() <= {"unknown", "met", "lapsed", "cancelled"}
    assert found.windows["repair.completion"]["unknown"] > 0


def test_a_book_whose_times_are_days_is_taken_and_nothing_in_hours_is_judged_of_it(
    postgres: EmbeddedPostgres, base: Settings, tmp_path: Path
) -> None:
    rows = [row for row in rows_of(BOSTON)[:40] if not row["duplicate_of"]]
    days = [row | {name: row[name][:10] for name in ("reported", "closed")} for row in rows]
    with a_database(postgres, "days") as opened:
        found = replay(base, boston.read_book(write(tmp_path / "days.csv", days)), opened)
    assert (found.unaccounted, found.parts_refused, found.rows) == ((), {}, {"opened": len(days)})
    assert found.flags["day-only"] == len(days)
    assert set(found.windows["repair.arrival"]) == set(found.windows["repair.completion"]) == {"unknown"}


def found_first(book: TicketBook) -> int:
    """How many details were filled in at the report."""
    return sum(
        request.path == "/corrections" and request.body["old"] is None and request.at == script.requests[0].at
        for script in book.scripts
        for request in script.requests
    )


def test_the_command_says_what_came_of_it_and_exits_well(book: TicketBook, tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        main, ["replay", "tickets", "--source", "boston", str(BOSTON), "--limit", "3", "--json"]
    )
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.stdout)
    assert (said["accounted_for"], said["rows"]) == (True, {"opened": 3})


def test_changes_belong_to_kitchener(tmp_path: Path) -> None:
    options = ["replay", "tickets", "--source", "boston", str(BOSTON), "--changes", str(CHANGES)]
    answer = CliRunner().invoke(main, options)
    assert (answer.exit_code, "no-changes" in answer.stderr) == (1, True)


# ---- the whole files


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_all_of_boston_is_accounted_for_as_its_description_counts_it(
    postgres: EmbeddedPostgres, base: Settings
) -> None:
    with a_database(postgres, "all_of_boston") as opened:
        found = replay(base, boston.read_book(BOSTON), opened)
    assert found.unaccounted == ()
    assert sum(found.rows.values()) == 13_701
    assert found.rows["linked"] == 697
    counted = found.all_tickets
    assert (counted.closed, counted.within_4_h, counted.within_8_h) == (13_488, 6_137, 6_725)
    channels = {
        name: (each.tickets, each.within_4_h, each.within_8_h) for name, each in found.tables["channel"].items()
    }
    assert channels == {
        "Constituent Call": (5_738, 1_568, 1_893),
        "Employee Generated": (5_713, 4_307, 4_481),
        "Citizens Connect App": (1_133, 140, 194),
        "Self Service": (1_114, 121, 156),
        "Maximo Integration": (3, 1, 1),
    }
    assert found.windows["repair.arrival"] == {"unknown": 13_004}


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_all_of_kitchener_is_accounted_for_as_its_description_counts_it(
    postgres: EmbeddedPostgres, base: Settings
) -> None:
    with a_database(postgres, "all_of_kitchener") as opened:
        found = replay(base, kitchener.read_book(KITCHENER, CHANGES), opened)
    assert found.unaccounted == ()
    assert found.rows == {"opened": 1_876, "no-report-time": 59}
    assert found.changes == {"corrected": 112, "its-row-was-refused": 6, "told": 4}
    counted = found.all_tickets
    assert (counted.closed, counted.within_4_h, counted.within_8_h) == (38, 10, 13)
    assert found.flags["restored-before-reported"] == 5
    assert "every row is accounted for" in report.as_text(found)

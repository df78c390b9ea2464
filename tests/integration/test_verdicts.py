"""A real city's verdicts: its tickets under its own rule, through the real API and store, against what it published."""

from __future__ import annotations

import csv
import json
import lzma
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app.cli import main
from app.demo.tickets.verdicts import TicketComparison, compare
from consumers.recount.published_events import from_line
from consumers.recount.verify import verify
from infra.embedded import EmbeddedPostgres
from infra.settings import Settings

BOSTON = Path(__file__).parents[1] / "data" / "tickets" / "boston.csv.xz"
ODD = {"2011-08-30T22:42:48", "2011-07-18T10:00:47", "2011-10-17T04:11:03"}
"""Reports of tickets that are the only ones of their kind: due over a holiday, or some minutes early."""


def sample(folder: Path) -> Path:
    """The first rows, and some of every sort of difference."""
    rows = list(csv.DictReader(StringIO(lzma.decompress(BOSTON.read_bytes()).decode())))
    targets = [row for row in rows if row["due"]]
    chosen = targets[:12]
    chosen += [row for row in targets if row["type"] == "Highway Maintenance"]
    chosen += [row for row in targets if row["due"][:4] > "2013"][:3]
    chosen += [row for row in targets if row["due"] < row["reported"]]
    chosen += [row for row in targets if row["type"] == "Missing Sign"][:6]
    chosen += [row for row in rows if row["type"] == "Sidewalk Repair" and not row["due"]][:3]
    chosen += [row for row in rows if not row["on_time"]][:3]
    chosen += [row for row in targets if row["reported"] in ODD]
    chosen += [row for row in rows if row["closure_code"] in ("DUPLICATE", "INVALID")][:6]
    unique = sorted({row["id"]: row for row in chosen}.values(), key=lambda row: row["reported"])
    path = folder / "sample.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(unique)
    return path


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> Iterator[str]:
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE city_verdicts")
    yield postgres.conninfo("city_verdicts")
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE city_verdicts WITH (FORCE)")


@pytest.fixture(scope="module")
def found(url: str, tmp_path_factory: pytest.TempPathFactory) -> TicketComparison:
    folder = tmp_path_factory.mktemp("verdicts")
    return compare(Settings(data_dir=folder), sample(folder), database_url=url)


def test_tickets_known_by_their_days_are_judged_in_days_where_the_day_is_enough_to_tell(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    rows = list(csv.DictReader(StringIO(lzma.decompress(BOSTON.read_bytes()).decode())))
    chosen = [row for row in rows if row["due"] and row["status"] == "Closed" and not row["duplicate_of"]][:60]
    path = tmp_path / "days.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {name: row[name][:10] for name in ("reported", "closed", "due")} for row in chosen)
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE verdicts_in_days")
        try:
            found = compare(Settings(data_dir=tmp_path), path, database_url=postgres.conninfo("verdicts_in_days"))
        finally:
            connection.execute("DROP DATABASE verdicts_in_days WITH (FORCE)")
    ours = [name for verdicts in found.verdicts.values() for name in verdicts]
    assert {"ONTIME", "OVERDUE", "UNKNOWN"} == set(ours)
    # Whoever is judged by the day is judged as the city judged by the second.
    assert all(set(found.verdicts[each]) <= {each, "UNKNOWN"} for each in found.verdicts)
    assert found.due["same-day"] > 0


def test_every_ticket_is_judged_and_every_difference_has_its_class(found: TicketComparison) -> None:
    assert found.not_told == 0
    assert found.is_explained
    assert {
        "exact",
        "within-a-minute",
        "before-the-report",
        "placeholder-year",
        "limit-of-another-kind",
        "any-hour",
        "holiday-not-worked",
        "set-by-hand",
        "form-opened-earlier",
        "no-target-given",
        "target-by-hand",
    } <= set(found.due)


def test_where_the_due_times_agree_the_verdicts_do(found: TicketComparison) -> None:
    assert not set(found.apart) & {"exact", "within-a-minute", "no-target"}
    assert found.verdicts["none given"] == {"OVERDUE": 3}, "closed late, and the city said nothing"


def test_the_independent_recount_agrees_with_every_verdict_under_the_citys_rule(
    url: str, found: TicketComparison
) -> None:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT state FROM store.stored_events ORDER BY notification_id").fetchall()
    report = verify([from_line(bytes(state)) for (state,) in rows])
    assert report.agrees, report.disagreements[:3]
    assert report.cases >= found.tickets


def test_the_command_prints_the_comparison(tmp_path: Path, url: str, found: TicketComparison) -> None:
    told = CliRunner().invoke(main, ["compare-verdicts", str(BOSTON), "--derive"])
    assert told.exit_code == 0
    assert "Traffic Signal Repair" in told.output
    # What was played there before is played once: nothing is told twice, and the answer is the same.
    again = CliRunner().invoke(main, ["compare-verdicts", str(sample(tmp_path)), "--database", url, "--json"])
    assert again.exit_code == 0, again.output
    said = json.loads(again.output)
    assert (said["due"], said["verdicts"]) == (found.due, {city: dict(ours) for city, ours in found.verdicts.items()})


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_all_of_the_citys_verdicts(tmp_path: Path) -> None:
    found = compare(Settings(data_dir=tmp_path), BOSTON)
    assert (found.tickets, found.not_told) == (13_701, 0)
    assert found.is_explained
    assert found.due == {
        "exact": 6_196,
        "no-target": 5_002,
        "within-a-minute": 2_262,
        "set-by-hand": 156,
        "limit-of-another-kind": 25,
        "placeholder-year": 20,
        "no-target-given": 18,
        "any-hour": 9,
        "form-opened-earlier": 5,
        "before-the-report": 3,
        "target-by-hand": 3,
        "holiday-not-worked": 2,
    }
    # The city gave 13,651 verdicts; 13,568 are ours too. Where it gave none, the ticket was closed too late.
    assert found.verdicts == {
        "ONTIME": {"ONTIME": 11_311, "OVERDUE": 58},
        "OVERDUE": {"OVERDUE": 2_257, "ONTIME": 25},
        "none given": {"OVERDUE": 50},
    }
    assert found.apart == {
        "set-by-hand": 21,
        "limit-of-another-kind": 18,
        "no-target-given": 18,
        "placeholder-year": 16,
        "any-hour": 7,
        "before-the-report": 3,
    }

"""The list of open incidents against the same rule in Python, over random rows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from infra.sql import sql

START = datetime(2026, 9, 16, tzinfo=UTC)
COMMITMENTS = ("repair.arrival", "repair.completion", "repair.answer")
STATES = ("running", "met", "lapsed", "cancelled", "unknown")
CREWS = (None, "crew-01", "CREW-01", "crew-02")
DISTRICTS: tuple[tuple[str, ...], ...] = ((), ("north",), ("south",), ("north", "south"))

Row = Mapping[str, Any]


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as opened:
        yield opened


def fill(connection: psycopg.Connection[Any], dice: random.Random) -> tuple[dict[UUID, Row], list[Row]]:
    """Random incidents, some of them closed, each with some of its limits; a few cases that are no incidents."""
    cases: dict[UUID, Row] = {}
    windows: list[Row] = []
    for number in range(120):
        case = UUID(int=dice.getrandbits(128), version=4)
        family = dice.choice(("repair", "repair", "repair", "connection"))
        cases[case] = {
            "case_id": case,
            "family": family,
            "crew": dice.choice(CREWS),
            "districts": list(dice.choice(DISTRICTS)),
            "open": dice.random() < 0.6,
            "opened_at": START + timedelta(minutes=dice.randrange(30)),
        }
        connection.execute(
            "INSERT INTO views.cases (case_id, family, case_number, channel, stage, open, opened_at, supply_points, "
            "points_on, reports, flags, version, position, updated_at, crew, districts) VALUES (%(case_id)s, "
            "%(family)s, %(number)s, 'hotline', 'reported', %(open)s, %(opened_at)s, 0, 0, 1, 0, 1, 1, %(opened_at)s, "
            "%(crew)s, %(districts)s)",
            {**cases[case], "number": f"N-{number}"},
        )
        for commitment in dice.sample(COMMITMENTS, dice.randrange(4)):
            windows.append(
                {
                    "case_id": case,
                    "commitment": commitment,
                    "family": family,
                    # Few different instants, so that ends coincide.
                    "due_at": dice.choice((None, *(START + timedelta(hours=hour) for hour in range(6)))),
                    "state": dice.choice(STATES),
                    "lapses": dice.randrange(2),
                    "provisional_until": dice.choice((None, None, START + timedelta(days=1))),
                }
            )
            connection.execute(
                "INSERT INTO views.windows (case_id, commitment, family, number, opened_at, due_at, tentative, "
                "standard, state, lapses, retracted, position, provisional_until) VALUES (%(case_id)s, %(commitment)s, "
                "%(family)s, 1, now(), %(due_at)s, false, 's', %(state)s, %(lapses)s, 0, 1, %(provisional_until)s)",
                windows[-1],
            )
    return cases, windows


def expected(cases: Mapping[UUID, Row], windows: list[Row], crew: str | None, district: str | None) -> list[Row]:
    """Every incident that the list shall have, in its order: what it still owes first, by its end, then the rest by
    when they were opened."""
    found = []
    for case in cases.values():
        own = [each for each in windows if each["case_id"] == case["case_id"]]
        answer = any(w["commitment"] == "repair.answer" and w["state"] in ("running", "lapsed") for w in own)
        if case["family"] != "repair" or not (case["open"] or answer or any(w["provisional_until"] for w in own)):
            continue
        if crew is not None and (case["crew"] or "").lower() != crew.lower():
            continue
        if district is not None and case["districts"] and district not in case["districts"]:
            continue
        owed = [
            (w["due_at"], w["commitment"])
            for w in own
            if w["due_at"] is not None
            and (
                w["state"] == "running"
                or (w["state"] == "lapsed" and (case["open"] or w["commitment"] == "repair.answer"))
            )
        ]
        due_at, commitment = min(owed, default=(None, None))
        found.append(
            {
                "case_id": case["case_id"],
                "due_at": due_at,
                "commitment": commitment,
                "lapses": sum(w["lapses"] for w in own),
                "opened_at": case["opened_at"],
            }
        )
    return sorted(
        found, key=lambda row: (row["due_at"] is None, row["due_at"] or START, row["opened_at"], row["case_id"].bytes)
    )


@pytest.mark.parametrize("round_", range(3))
def test_the_list_of_incidents_is_the_rule(connection: psycopg.Connection[dict[str, Any]], round_: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    cases, windows = fill(connection, random.Random(seed))
    connection.execute("ANALYZE views.cases")
    connection.execute("ANALYZE views.windows")
    for crew in (None, "crew-01"):
        for district in (None, "north"):
            everything = expected(cases, windows, crew, district)
            assert everything, "nothing to compare"
            for limit in (1, 7, len(everything), 500):
                wanted: dict[str, Any] = {"crew": crew, "limit": limit, "bound": district is not None, "own_crew": None}
                wanted |= {"own_squad": None, "own_districts": None if district is None else [district]}
                found = connection.execute(sql("list_incidents"), wanted).fetchall()
                assert [{key: row[key] for key in everything[0]} for row in found] == everything[:limit]


IN_ORDER: tuple[tuple[str, str, Row], ...] = (
    ("list_cases", "cases_newest", {"number": None}),
    ("list_cases", "cases_number", {"number": "BX-2026-000001"}),
    ("windows_latest", "windows_latest", {}),
    ("reading_books", "cases_books", {}),
)
EVERYTHING = dict.fromkeys(
    ("family", "open", "district", "since", "until", "number", "own_crew", "own_squad", "own_districts")
) | {"bound": False, "limit": 50}


@pytest.mark.parametrize(("query", "index", "asked"), IN_ORDER)
def test_a_list_costs_the_same_however_many_cases_there_are(
    connection: psycopg.Connection[dict[str, Any]], query: str, index: str, asked: Row
) -> None:
    """Its rows are read by an index, in their order or by what is asked for."""
    connection.execute("SET enable_seqscan = off")
    text = sql(query)
    wanted = {name: value for name, value in {**EVERYTHING, **asked}.items() if f"%({name})s" in text}
    client_side = psycopg.ClientCursor(connection, row_factory=dict_row)
    plan = "\n".join(row["QUERY PLAN"] for row in client_side.execute(f"EXPLAIN {text}".encode(), wanted))
    assert index in plan, plan

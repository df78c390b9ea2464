"""The breach stream: no row is skipped though partitions overtake one another, and who resumes misses nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest

from api.board.breach_notifier import Pulse
from api.board.breaches import events, heads
from api.http import cursor as cursors
from api.http.cursor import Cursor
from api.http.refusals import BadCursor, TooManyStreams
from infra.eventstore.service import Service
from tests.api_world import MORNING, Client, FakeService, app_over

PARTITIONS = 3


def row(partition: int, position: int, **changes: Any) -> dict[str, Any]:
    """A breach row as the query gives it."""
    return {
        "partition": partition,
        "position": position,
        "event_id": UUID(int=position),
        "change": "lapsed",
        "family": "repair",
        "case_id": UUID(int=7),
        "commitment": "repair.arrival",
        "due_at": MORNING,
        "lapse": 1,
        "rung": None,
        "notify": [],
        "reason": None,
        "recorded_at": MORNING,
        "settles_at": None,
        "overturns": False,
        "case_number": "BX-2026-000007",
        "kind": "leak",
        "category": None,
        "district": "zhenxi",
        "crew": None,
        "mass": None,
        **changes,
    }


class Table:
    """The breach rows that are visible so far, behind the three queries that read them."""

    def __init__(self, service: FakeService) -> None:
        self.rows: list[dict[str, Any]] = []
        service.answers["breaches_after"] = self._after
        service.answers["breaches_latest"] = self._latest
        service.answers["breach_heads"] = self._heads

    def _after(self, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        positions = dict(zip(params["partitions"], params["positions"], strict=True))
        found = [row for row in self.rows if row["position"] > positions[row["partition"]]]
        return sorted(found, key=lambda row: int(row["position"]))[: params["limit"]]

    def _latest(self, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        kept = []
        for partition in params["partitions"]:
            kept += [row for row in self.rows if row["partition"] == partition][-params["limit"] :]
        return sorted(kept, key=lambda row: int(row["position"]))

    def _heads(self, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        tops = {row["partition"]: row["position"] for row in self.rows}
        return [{"partition": each, "position": tops.get(each)} for each in params["partitions"]]


@pytest.fixture
def service() -> FakeService:
    return FakeService(partitions=PARTITIONS)


@pytest.fixture
def table(service: FakeService) -> Table:
    return Table(service)


def start() -> Cursor:
    return Cursor(dict.fromkeys(range(PARTITIONS), 0))


class Listener:
    """Reads a stream as a browser would, and remembers the last id."""

    def __init__(self, service: FakeService, pulse: Pulse, cursor: Cursor) -> None:
        self.seen: list[int] = []
        self.last_id = str(cursor)
        self.lines: list[str] = []
        self._pulse = pulse
        self._stream = events(cast(Service, service), pulse, cursor, heartbeat_seconds=0.05)

    async def read(self) -> None:
        with self._pulse.listening():
            async for text in self._stream:
                self.lines.append(text)
                if text.startswith("id: "):
                    self.last_id = text.split("\n")[0].removeprefix("id: ")
                    self.seen.append(int(text.split('"position":')[1].split(",")[0]))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.seen) < count:
                await asyncio.sleep(0)


def pulse_over(service: FakeService) -> Pulse:
    return Pulse(lambda: heads(cast(Service, service)), every_seconds=0.001)


@pytest.mark.parametrize("seed", range(12))
def test_every_row_comes_once_whatever_partition_is_ahead_and_wherever_one_resumes(
    service: FakeService, table: Table, seed: int
) -> None:
    chance = random.Random(seed)
    where = {position: chance.randrange(PARTITIONS) for position in range(1, 61)}
    waiting = {each: [p for p in where if where[p] == each] for each in range(PARTITIONS)}

    async def run() -> list[int]:
        pulse = pulse_over(service)
        seen: list[int] = []
        cursor = start()
        while len(seen) < len(where):
            listener = Listener(service, pulse, cursor)
            reading = asyncio.create_task(listener.read())
            for _ in range(chance.randint(1, 20)):
                partition = chance.choice([each for each, left in waiting.items() if left] or [None])
                if partition is None:
                    break
                # A partition shows its rows in order; another one may be far ahead or far behind.
                table.rows.append(row(partition, waiting[partition].pop(0)))
                if chance.random() < 0.3:
                    await asyncio.sleep(0.002)
            await listener.until(chance.randint(0, len(table.rows) - len(seen)))
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            seen += listener.seen
            cursor = cursors.parse(listener.last_id, PARTITIONS)
        pulse.close()
        return seen

    seen = asyncio.run(run())
    assert sorted(seen) == sorted(where), f"seed {seed}"
    for partition in range(PARTITIONS):
        own = [position for position in seen if where[position] == partition]
        assert own == sorted(own), f"seed {seed}: partition {partition} out of order"


def test_an_idle_stream_says_that_it_is_there_and_ends_when_the_server_stops(
    service: FakeService, table: Table
) -> None:
    async def run() -> list[str]:
        pulse = pulse_over(service)
        listener = Listener(service, pulse, start())
        reading = asyncio.create_task(listener.read())
        async with asyncio.timeout(10):
            while ": still here\n\n" not in listener.lines:
                await asyncio.sleep(0.005)
            pulse.close()
            await reading
        return listener.lines

    assert asyncio.run(run())[0] == "retry: 2000\n\n"


def test_a_stream_outlives_a_store_that_is_away_for_a_while(service: FakeService, table: Table) -> None:
    async def run() -> list[int]:
        pulse = pulse_over(service)
        listener = Listener(service, pulse, start())
        reading = asyncio.create_task(listener.read())
        table.rows.append(row(0, 1))
        await listener.until(1)
        service.fails = psycopg.OperationalError("away")
        table.rows.append(row(1, 2))
        await asyncio.sleep(0.02)
        service.fails = None
        await listener.until(2)
        pulse.close()
        await reading
        return listener.seen

    assert asyncio.run(run()) == [1, 2]


def test_an_event_names_its_change_and_the_cursor_after_it(client_text: str) -> None:
    assert client_text.startswith("id: 0:0,1:5,2:0\nevent: retracted\ndata: {")
    assert '"reason":"met-in-time"' in client_text
    assert client_text.endswith("}\n\n")


@pytest.fixture
def client_text(service: FakeService, table: Table) -> str:
    table.rows.append(row(1, 5, change="retracted", reason="met-in-time"))

    async def run() -> str:
        pulse = pulse_over(service)
        listener = Listener(service, pulse, start())
        reading = asyncio.create_task(listener.read())
        await listener.until(1)
        pulse.close()
        await reading
        return next(line for line in listener.lines if line.startswith("id: "))

    return asyncio.run(run())


def test_only_so_many_streams_are_open_at_once(service: FakeService) -> None:
    async def run() -> None:
        pulse = Pulse(lambda: heads(cast(Service, service)), at_most=1)
        with pulse.listening():
            with pytest.raises(TooManyStreams, match="too-many-streams"), pulse.listening():
                pass
            assert pulse.open_streams == 1
        with pulse.listening():
            assert pulse.open_streams == 1

    asyncio.run(run())


# ---- pages


def test_pages_follow_one_another_without_gap_or_repeat(service: FakeService, table: Table) -> None:
    table.rows = [row(position % PARTITIONS, position) for position in range(1, 11)]
    client = Client(app_over(service))
    seen: list[int] = []
    after = "0"
    while True:
        page = client.get("/api/v1/breaches", params={"after": after, "limit": 4}).json()
        seen += [each["position"] for each in page["breaches"]]
        after = page["next"]
        if not page["more"]:
            break
    assert seen == list(range(1, 11))


def test_without_a_cursor_the_latest_rows_come_and_the_cursor_behind_all_of_them(
    service: FakeService, table: Table
) -> None:
    table.rows = [row(position % PARTITIONS, position) for position in range(1, 11)]
    page = Client(app_over(service)).get("/api/v1/breaches?limit=3").json()
    assert [each["position"] for each in page["breaches"]] == [8, 9, 10]
    assert page["next"] == "0:9,1:10,2:8"


def test_without_any_row_the_cursor_is_the_beginning(service: FakeService, table: Table) -> None:
    assert Client(app_over(service)).get("/api/v1/breaches").json() == {
        "breaches": [],
        "next": "0:0,1:0,2:0",
        "more": False,
    }


# ---- positions


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("0", {0: 0, 1: 0, 2: 0}),
        ("17", {0: 17, 1: 17, 2: 17}),
        ("0:3,1:4,2:5", {0: 3, 1: 4, 2: 5}),
        (" 2:5 ", {0: 0, 1: 0, 2: 5}),
    ],
)
def test_a_cursor_is_read(text: str, positions: dict[int, int]) -> None:
    assert cursors.parse(text, PARTITIONS).positions == positions


@pytest.mark.parametrize("text", ["", "x", "1:", ":1", "1:2,", "1.5", "-1", "0:1;1:2", "3:1", "9" * 19, "١"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor, match="bad-cursor"):
        cursors.parse(text, PARTITIONS)


def test_a_cursor_reads_back_as_written() -> None:
    cursor = Cursor({2: 5, 0: 1, 1: 0}).after(1, 9)
    assert str(cursor) == "0:1,1:9,2:5"
    assert cursors.parse(str(cursor), PARTITIONS) == cursor


def test_times_of_a_row_are_utc(service: FakeService, table: Table) -> None:
    table.rows = [row(0, 1)]
    shown = Client(app_over(service)).get("/api/v1/breaches").json()["breaches"][0]
    assert datetime.fromisoformat(shown["recorded_at"]) == MORNING
    assert shown["cursor"] == "0:1,1:0,2:0"

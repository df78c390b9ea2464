"""What the same work costs in a store of one, three and ten million events. ``python -m tests.bench.growth``

Real PostgreSQL with its usual settings, no Kafka. The store is filled with the recorded histories over and over under
new ids, many streams at once; the watch's index holds an open limit for every tenth event. At each size: processor
time of a command (a fault report, then a dispatch) and of a lapse, ours and PostgreSQL's together; how long a look at
the timeline of a case with fifty events and more takes, each case for the first time, and the newest page of the case
list; how fast the case list is made anew; and the disk. The ratio is that of the largest size to the smallest.

BENCH_SIZES names the sizes, in events; ten million take some 20 GB of disk and a quarter of an hour.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
from fastapi import Response

from api.board.cases import case as case_answer
from app.processes import asker, collect_less, looker
from infra.clock import ManualClock
from infra.embedded import EmbeddedPostgres
from infra.eventstore.commands import Receipt
from infra.eventstore.service import Service, open_service
from infra.postgres.migrate import migrate
from infra.settings import Settings
from projections.read_models.cases import CASES
from projections.watch.watch import Watch
from tests.api_world import Client, app_of
from tests.bench.cpu import Queued, Spent, ask_all, watching
from tests.bench.installation import at_share
from tests.bench.rebuild import rate, say_all_is_read
from tests.bench.results import found
from tests.bench.watch import fill as fill_index
from tests.commands import Incident
from tests.proven import PROXY
from tests.repeated import FOLDER, append

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "1000000 3000000 10000000").split()]
COMMANDS = int(os.environ.get("BENCH_COMMANDS", "2000"))
WARM = 200
LOOKS = 400
LONG = 50
"""Events of a case whose timeline is looked at, at least."""
CHUNK = 400_000
GOAL = 1.3
TIMELINE_MS = 10


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured at one size; microseconds of processor time, milliseconds on the wall, events a second."""

    command_us: float
    lapse_us: float
    timeline_p50_ms: float
    timeline_p99_ms: float
    list_p50_ms: float
    rebuild_us: float
    """For an event."""
    bytes_an_event: float


def grow(settings: Settings, size: int) -> int:
    """Fill the store up to so many events. Returns how many it has."""
    each = sum(path.read_bytes().count(b"\n") for path in FOLDER.glob("*.jsonl"))
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        events = int(_one(connection, "SELECT position FROM store.log_head"))
        begun = events
        while events < size - each:
            events = append(connection, min(CHUNK, size - events) // each, seed=events)
        fill_index(connection, (events - begun) // 10)
        connection.execute("VACUUM (ANALYZE) store.stored_events")
        connection.execute("CHECKPOINT")
        say_all_is_read(connection, settings, events)
    return events


def commands(service: Service) -> float:
    """Microseconds of a command: half are reports of new cases, half a dispatch in one that has events."""
    queued = cast(Service, Queued(service))
    wait([cast(Future[Receipt], Incident(queued).receipt) for _ in range(WARM)])
    spent = Spent()
    made = [Incident(queued) for _ in range(COMMANDS)]
    wait([cast(Future[Receipt], incident.receipt) for incident in made])
    wait([cast(Future[Receipt], incident.dispatch(f"crew-{each}")) for each, incident in enumerate(made)])
    return sum(spent.told(2 * COMMANDS))


def lapses(service: Service, clock: ManualClock) -> float:
    """Microseconds of a lapse: half an hour after the reports nobody is there."""
    watch = Watch(service.settings, service.clock, asker(service), looker(service))
    counted = "SELECT coalesce(sum(lapses), 0) FROM watch.lateness"
    with watching(service) as connection, psycopg.connect(service.settings.database_url) as looking:
        for minutes in (5, 15):  # the reminders before the end are not what is measured
            clock.move(timedelta(minutes=minutes))
            ask_all(watch, connection)
        clock.move(timedelta(minutes=11))
        before = int(_one(looking, counted))
        spent = Spent()
        ask_all(watch, connection)
        looking.rollback()
        lapsed = int(_one(looking, counted)) - before
        each = sum(spent.told(lapsed or 1))
    if lapsed != WARM + COMMANDS:
        raise AssertionError(f"{lapsed} limits lapsed, {WARM + COMMANDS} should have")
    return each


def timelines(service: Service) -> list[float]:
    """Seconds of ``GET /cases/{id}``, without the HTTP around it, of cases taken at random from the whole log."""
    with psycopg.connect(service.settings.database_url) as connection:
        last = int(_one(connection, "SELECT position FROM store.log_head"))
        chance = random.Random(last)
        cases: list[UUID] = []
        while len(cases) < LOOKS:
            row = connection.execute(
                "SELECT originator_id FROM store.stored_events WHERE notification_id > %s AND originator_version >= %s"
                " ORDER BY notification_id LIMIT 1",
                [chance.randrange(last), LONG],
            ).fetchone()
            cases += [row[0]] if row else []
    return taken(lambda case_id: case_answer(case_id, service, Response()), cases)


def lists(service: Service) -> list[float]:
    """Seconds of ``GET /api/v1/cases``, by one client."""
    client = Client(app_of(service))

    def look(_: object) -> None:
        assert client.get("/api/v1/cases?limit=50").status_code == 200

    taken(look, range(20))
    return taken(look, range(LOOKS // 4))


def taken(work: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    """Seconds that the work took for each."""
    seconds = []
    for item in items:
        begun = time.perf_counter()
        work(item)
        seconds.append(time.perf_counter() - begun)
    return seconds


def measured(settings: Settings, size: int) -> Costs:
    """Fill up to the size and measure there."""
    begun = time.monotonic()
    events = grow(settings, size)
    print(f"{events:,} events after {time.monotonic() - begun:.0f} s", flush=True)
    rebuilt = rate(settings, [CASES.name], events)
    clock = ManualClock(datetime.now(UTC))
    service = open_service(settings, clock=clock)
    try:
        command_us = commands(service)
        timeline, newest = timelines(service), lists(service)
        lapse_us = lapses(service, clock)
    finally:
        service.close()
    with psycopg.connect(settings.database_url) as connection:
        size_bytes = int(_one(connection, "SELECT pg_total_relation_size('store.stored_events')"))
    costs = Costs(
        command_us=command_us,
        lapse_us=lapse_us,
        timeline_p50_ms=at_share(timeline, 0.5) * 1000,
        timeline_p99_ms=at_share(timeline, 0.99) * 1000,
        list_p50_ms=at_share(newest, 0.5) * 1000,
        rebuild_us=1e6 / rebuilt,
        bytes_an_event=size_bytes / events,
    )
    print("  " + ", ".join(f"{field.name} {getattr(costs, field.name):,.1f}" for field in fields(costs)), flush=True)
    return costs


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def main() -> None:
    """Measure each size; print how much dearer the largest is than the smallest."""
    home = Path(tempfile.mkdtemp(prefix="tsg-"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home / "postgres") as server:
            migrate(server.conninfo())
            settings = Settings(
                data_dir=home, database_url=server.conninfo(), kafka_bootstrap="127.0.0.1:1", proxy_secret=PROXY
            )
            open_service(settings).close()  # the first opening publishes the rules
            collect_less()
            costs = [measured(settings, size) for size in SIZES]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    first, last = costs[0], costs[-1]
    print(f"from {SIZES[0]:,} to {SIZES[-1]:,} events")
    for field in fields(Costs):
        small, large = getattr(first, field.name), getattr(last, field.name)
        print(f"  {field.name:<16} {small:10,.1f} {large:10,.1f}   {large / small:5.2f} times")
        what, unit = field.name.rpartition("_")[::2] if field.name != "bytes_an_event" else ("disk", "bytes an event")
        found(f"growth: {what}", large, unit, "lower", beside=small, what=f"with {SIZES[0]:,} events", goal=GOAL)
    found("timeline of a long case, p99", last.timeline_p99_ms, "ms", "lower", goal=TIMELINE_MS)


if __name__ == "__main__":
    main()

"""How fast read models are made anew from zero: the case list, and all of them, with both lanes and PostgreSQL on this
machine's cores; beside it how fast the store's bytes alone are read and decoded on one.

``python -m tests.bench.rebuild`` (BENCH_EVENTS, 300,000 by default: the recorded histories over and over, many streams
at once). No topics: where the readers are is said to them. ``--profile FILE`` runs one lane in this process under
cProfile instead.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from infra.embedded import EmbeddedPostgres
from infra.postgres.migrate import migrate
from infra.readers.record import stored_event
from infra.settings import Settings
from infra.sql import sql
from projections.read_models.cases import CASES
from projections.read_models.views import VIEWS
from projections.rebuild import run
from projections.rebuild.lane import Lane
from projections.rebuild.run import rebuild
from projections.rebuild.tables import make
from tests.bench.results import found
from tests.repeated import FOLDER, append

EVENTS = int(os.environ.get("BENCH_EVENTS", "300000"))
GOAL = 30_000
"""Events a second, of the case list, on two cores."""


def fill(settings: Settings) -> int:
    """Fill the store, and say that relay and readers have read everything. Returns the number of events."""
    each = sum(path.read_bytes().count(b"\n") for path in FOLDER.glob("*.jsonl"))
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        events = append(connection, EVENTS // each)
        connection.execute("VACUUM ANALYZE store.stored_events")
        say_all_is_read(connection, settings, events)
    return events


def say_all_is_read(connection: psycopg.Connection[Any], settings: Settings, events: int) -> None:
    """Say that relay and readers have come to the position ``events``."""
    connection.execute(
        "INSERT INTO store.relay_state (cluster_id, epoch, sessions, all_out) VALUES ('bench', 1, 1, %s)"
        " ON CONFLICT (cluster_id) DO UPDATE SET all_out = excluded.all_out",
        [events],
    )
    for model in VIEWS:
        for topic in model.topics:
            connection.execute(
                "INSERT INTO views.places (reader, build, topic, partition, position)"
                " SELECT %s, 1, %s, n, %s FROM generate_series(0, %s) n"
                " ON CONFLICT (reader, build, topic, partition) DO UPDATE SET position = excluded.position",
                [model.name, settings.home_topic(topic), events, settings.partitions - 1],
            )


def rate(settings: Settings, names: list[str], events: int) -> float:
    """Events a second of the whole rebuild, from the command to the last table that took over."""
    begun = time.monotonic()
    rebuild(settings, names, print)
    return events / (time.monotonic() - begun)


def bare(settings: Settings) -> float:
    """Events a second that one core reads from the store and decodes, and does nothing with."""
    with psycopg.connect(settings.database_url) as connection:
        begun = time.monotonic()
        count = 0
        with connection.cursor("bare", binary=True) as cursor:
            cursor.itersize = 20_000
            for (state,) in cursor.execute("SELECT state FROM store.stored_events ORDER BY notification_id"):
                stored_event(state, "t", lambda case_id: 0)
                count += 1
        return count / (time.monotonic() - begun)


def profiled(settings: Settings, events: int, names: list[str], file: str) -> None:
    """One lane of two under cProfile, in this process."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(sql("rebuild_begin"), {"models": names, "program": "bench"})
        connection.execute(sql("rebuild_lanes"), {"lanes": 2})
        for model in VIEWS:
            if model.name in names:
                make(connection, model)
        lane = Lane(settings, connection, names, 0, 2, 0)
        profile = cProfile.Profile()
        profile.runcall(lane.run, events)
        profile.dump_stats(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", metavar="FILE")
    parser.add_argument("--all", action="store_true", help="profile all read models, not the case list alone")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tsb-"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home / "postgres") as server:
            migrate(server.conninfo())
            settings = Settings(data_dir=home, database_url=server.conninfo(), kafka_bootstrap="127.0.0.1:1")
            events = fill(settings)
            if options.profile:
                names = [model.name for model in VIEWS] if options.all else [CASES.name]
                profiled(settings, events, names, options.profile)
                return
            decoded = bare(settings)
            cases = rate(settings, [CASES.name], events)
            every = rate(settings, [], events)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"{events} events, {run.LANES} lanes")
    print(f"the case list          {cases:9,.0f} events/s")
    print(f"all {len(VIEWS)} read models     {every:9,.0f} events/s")
    print(f"read and decoded alone {decoded:9,.0f} events/s on one core")
    found("rebuild of the case list", cases, "events/s", "higher", goal=GOAL)
    found("rebuild of all read models", every, "events/s", "higher")


if __name__ == "__main__":
    main()

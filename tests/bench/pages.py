"""How long the pages take while many cases are open. ``python -m tests.bench.pages [--cases 100000] [--rounds 40]``

Real PostgreSQL and the API's own server, no Kafka: one incident and one application are made over the API, and their
rows of the read models are multiplied in the database. Each page is asked for in turn by one client; beside it stands
the answer of the API that it is made of, and ``/healthz`` as what a request costs that does little. Milliseconds on the
wall, so the machine has to be quiet. ``/desk`` is left out: it reads each case, and copies have no events.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

import httpx
import psycopg

from infra.clock import ManualClock
from infra.embedded import EmbeddedPostgres
from infra.eventstore.service import open_service
from infra.identity.demo_accounts import join_demo_accounts
from infra.postgres.migrate import migrate
from infra.settings import Settings
from tests.api_world import PAPERS, app_of, application, fault, served
from tests.bench.cpu import AT
from tests.e2e.city import City
from tests.proven import PROXY

PAGES = (
    ("/healthz", None),
    ("/api/v1/dispatch?limit=100", "dispatcher-1"),
    ("/dispatch", "dispatcher-1"),
    ("/api/v1/desk?limit=50", "owner-1"),
    ("/hotline", "hotline-1"),
    ("/crew/tasks?crew=crew-01", "crew-lead-1"),
    ("/board", None),
    ("/api/v1/counts", None),
    ("/search?number=BX-2026-000001", "hotline-1"),
    ("/", None),
    ("/apply", None),
    ("/report", None),
    ("/outages", None),
    ("/disclosure", None),
)
"""Path, and who looks; None: somebody without an account."""
MULTIPLIED = ("cases", "windows", "connections")


def multiply(connection: psycopg.Connection, times: int) -> None:
    """Put ``times`` copies of every case beside it, due over the next ten days."""
    connection.execute(
        "CREATE TEMP TABLE copies AS SELECT case_id AS old, gen_random_uuid() AS new, n "
        "FROM views.cases, generate_series(1, %s) n",
        [times],
    )
    for table in MULTIPLIED:
        numbered = "case_number" if table != "windows" else "commitment"
        value = f"t.{numbered} || '-' || c.n" if table != "windows" else "t.commitment"
        connection.execute(
            f"INSERT INTO views.{table} SELECT (jsonb_populate_record(t, jsonb_build_object('case_id', c.new, "
            f"'{numbered}', {value}))).* FROM views.{table} t JOIN copies c ON c.old = t.case_id"
        )
    connection.execute(
        "UPDATE views.windows w SET due_at = due_at + make_interval(mins => (c.n % 14400)) FROM copies c "
        "WHERE c.new = w.case_id"
    )
    connection.execute("ANALYZE views.cases")
    connection.execute("ANALYZE views.windows")
    connection.execute("ANALYZE views.connections")


def times_ms(client: httpx.Client, path: str, rounds: int) -> tuple[int, Sequence[float]]:
    """The size of the answer in bytes, and how long each round took. Raises for an answer that is an error."""
    found, size = [], 0
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get(path, follow_redirects=True)
        found.append((time.perf_counter() - began) * 1_000)
        answer.raise_for_status()
        size = len(answer.content)
    return size, found


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as postgres:
        settings = Settings(
            data_dir=Path(folder),
            database_url=postgres.conninfo(),
            kafka_bootstrap="127.0.0.1:1",
            proxy_secret=PROXY,
            demo=True,
        )
        migrate(postgres.conninfo())
        clock = ManualClock(AT)
        service = open_service(settings, clock=clock)
        join_demo_accounts(service)
        with served(app_of(service)) as url:
            city = City(service, clock, url)
            city.post("repairs", fault())
            city.post("connections", application(documents=PAPERS), "website", "applicant")
            city.show()
            with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
                multiply(connection, options.cases // 2)
                (count,) = connection.execute("SELECT count(*) FROM views.cases WHERE open").fetchone() or (0,)
            print(f"{count} open cases, {options.rounds} rounds; milliseconds", flush=True)
            print(f"{'page':34} {'p50':>7} {'p95':>7} {'kB':>7}")
            for path, actor in PAGES:
                with httpx.Client(base_url=url, timeout=60) as client:
                    if actor is not None:
                        client.post("/api/v1/session/demo", json={"actor": actor}).raise_for_status()
                    client.get(path)
                    size, found = times_ms(client, path, options.rounds)
                cuts = quantiles(found, n=20)
                print(f"{path:34} {cuts[9]:7.0f} {cuts[18]:7.0f} {size / 1_000:7.1f}", flush=True)
        service.close()


if __name__ == "__main__":
    main()

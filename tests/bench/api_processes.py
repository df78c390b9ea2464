"""What a second API process adds. ``python -m tests.bench.api_processes [--seconds 10] [--clients 16]``

Fault reports over HTTP into one PostgreSQL, no Kafka, by one API process and then by two of them on the same store,
with so many clients for each; beside them bare saves of the library ``eventsourcing``, one by one, into the same
server. Several processes may write to one store: positions are given under one lock, and what a decision was based on
is held against the store by version and key in the append, whichever process decided it (decision 38).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg

from infra.embedded import EmbeddedPostgres
from infra.embedded.ports import free_port
from infra.eventstore.service import open_service
from infra.postgres.migrate import migrate
from infra.settings import Settings
from tests.api_world import fault, wait_for
from tests.bench.bare_eventsourcing import saves_a_second
from tests.bench.installation import UNLIMITED, at_share, percentiles
from tests.bench.plain_http import ask, listens, request_bytes
from tests.bench.results import found
from tests.proven import PROVEN, PROXY

MOST = 2


@contextmanager
def api(folder: Path, database_url: str) -> Iterator[tuple[int, psutil.Process]]:
    """An API process; its port."""
    port = free_port()
    given = {
        "data_dir": str(folder),
        "database_url": database_url,
        "kafka_bootstrap": "127.0.0.1:1",
        "http_port": str(port),
        "proxy_secret": PROXY,
        "actor_posts_per_minute": str(UNLIMITED),
        "log_level": "ERROR",
    }
    environment = os.environ | {f"TONGSHUI_{name.upper()}": value for name, value in given.items()}
    with subprocess.Popen([sys.executable, "-m", "app.cli", "api"], env=environment) as process:
        try:
            wait_for(lambda: listens(port), what="the API to answer")
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()


async def reports(ports: Sequence[int], clients: int, seconds: float) -> list[float]:
    """Seconds of each answer, of so many clients for each port that ask one after the other."""
    body = json.dumps(fault()).encode()
    answers: list[float] = []
    until = time.perf_counter() + seconds

    async def client(port: int) -> None:
        request = request_bytes("POST", "/api/v1/repairs", port, {**PROVEN, "X-Actor": "b", "X-Role": "hotline"}, body)
        connection = await asyncio.open_connection("127.0.0.1", port)
        while (sent := time.perf_counter()) < until:
            await ask(connection, request)
            answers.append(time.perf_counter() - sent)
        connection[1].close()

    await asyncio.gather(*(client(port) for port in ports for _ in range(clients)))
    return answers


def main() -> None:
    """Measure one and two processes, and the bare library."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    rates: dict[int, float] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        url = postgres.conninfo()
        migrate(url)
        open_service(Settings(data_dir=folder, database_url=url)).close()  # the first opening publishes the rules
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bare")
        bare = saves_a_second(postgres.conninfo("bare"))
        running: list[tuple[int, psutil.Process]] = []
        for number in range(1, MOST + 1):
            running.append(stack.enter_context(api(folder, url)))
            ports = [port for port, _ in running]
            asyncio.run(reports(ports, options.clients, 2))  # warm
            before = sum(sum(process.cpu_times()[:2]) for _, process in running)
            answers = asyncio.run(reports(ports, options.clients, options.seconds))
            spent = sum(sum(process.cpu_times()[:2]) for _, process in running) - before
            rates[number] = len(answers) / options.seconds
            print(
                f"{number} API processes, {options.clients} clients each: {rates[number]:.0f} reports/s, "
                f"{spent / len(answers) * 1000:.1f} ms of processor time each, {percentiles(answers)}",
                flush=True,
            )
            if number == 1:
                found("HTTP, p99 of one process", at_share(answers, 0.99) * 1000, "ms", "lower")
    print(
        f"bare eventsourcing, one by one: {bare:.0f} saves/s; ratio {rates[1] / bare:.2f} and {rates[MOST] / bare:.2f}"
    )
    found("HTTP, one API process", rates[1], "/s", "higher", beside=bare, what="bare eventsourcing saves", goal=2)
    found("HTTP, two API processes", rates[MOST], "/s", "higher", beside=bare, what="bare eventsourcing saves", goal=2)


if __name__ == "__main__":
    main()

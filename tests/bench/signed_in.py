"""What it costs that who asks is proven. ``python -m tests.bench.signed_in [--seconds 5] [--rounds 4] [--clients 16]``

Commands a second and milliseconds over HTTP, of three who may send the same command: a front end that the settings
trust (nothing is looked up), a person with a session's cookie and its token for forms, and a machine with its token.
The API is a process of its own on a real PostgreSQL; the clients are one more. The three take turns, so what else
the machine does meets all of them, and the ratio is that of one run.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from domain.people.people import Work, join
from infra.embedded import EmbeddedPostgres
from infra.embedded.ports import free_port
from infra.eventstore.commands import Command, Snapshot, Stamp, StreamEvent
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import person_stream
from infra.identity.accounts import Accounts, csrf_token
from infra.postgres.migrate import migrate
from infra.settings import Settings
from tests.api_world import fault, wait_for
from tests.bench.installation import percentiles
from tests.bench.plain_http import ask, listens, request_bytes
from tests.proven import PROVEN, PROXY

ROLE = "hotline"
KINDS: tuple[Literal["person", "machine"], ...] = ("person", "machine")
PATHS = {"POST": "/api/v1/repairs", "GET": "/api/v1/approvals/count"}
UNLIMITED = "1000000000"


@dataclass(slots=True)
class Asker:
    """Who asks, and what was measured of them: seconds of each answer, and the seconds of their turns."""

    name: str
    headers: Mapping[str, str]
    answers: list[float] = field(default_factory=list)
    turns_s: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.turns_s


def askers(service: Service) -> list[Asker]:
    """The three, with accounts and sessions made for them."""
    tokens = {kind: _token(service, f"bench-{kind}", kind) for kind in KINDS}
    cookie = {"Cookie": f"tongshui_session={tokens['person']}", "X-CSRF-Token": csrf_token(tokens["person"])}
    return [
        Asker("a trusted front end", {**PROVEN, "X-Actor": "bench-proxy", "X-Role": ROLE}),
        Asker("a person's session", cookie),
        Asker("a machine's token", {"Authorization": f"Bearer {tokens['machine']}"}),
    ]


def _token(service: Service, actor: str, kind: Literal["person", "machine"]) -> str:
    stream, stamp = person_stream(actor), Stamp("tongshui", "system", "system", f"join:{actor}", f"join:{actor}")

    def decide(snapshot: Snapshot) -> list[StreamEvent]:
        work = Work((ROLE,))
        ctx = snapshot.context(stamp)
        return [(stream, ctx.event(join(snapshot.of(stream), ctx, actor=actor, kind=kind, work=work)))]

    service.run(Command(stream, stamp, decide))
    person = Accounts(service).person(actor)
    assert person is not None
    return Accounts(service).open_session(person, browser=kind == "person").token


async def turn(asker: Asker, method: str, port: int, clients: int, seconds: float) -> None:
    """Let so many clients ask one after the other for some seconds. Raises RuntimeError for an answer of refusal."""
    body = json.dumps(fault()).encode() if method == "POST" else b""
    request = request_bytes(method, PATHS[method], port, asker.headers, body)
    begun = time.perf_counter()

    async def client() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        while (sent := time.perf_counter()) < begun + seconds:
            await ask(connection, request)
            asker.answers.append(time.perf_counter() - sent)
        connection[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    asker.turns_s += time.perf_counter() - begun


def measure(found: Sequence[Asker], method: str, port: int, options: argparse.Namespace) -> None:
    """Each asker's turns, one round after the other, after one that is not counted."""
    for each in found:
        asyncio.run(turn(each, method, port, options.clients, 1))
        each.answers.clear()
        each.turns_s = 0.0
    for _ in range(options.rounds):
        for each in found:
            asyncio.run(turn(each, method, port, options.clients, options.seconds))


def main() -> None:
    """Start, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as postgres:
        given = {
            "data_dir": folder,
            "database_url": postgres.conninfo(),
            "kafka_bootstrap": "127.0.0.1:1",
            "http_port": str(free_port()),
            "proxy_secret": PROXY,
            "actor_posts_per_minute": UNLIMITED,
            "actor_queries_per_minute": UNLIMITED,
            "log_level": "ERROR",
        }
        migrate(postgres.conninfo())
        settings = Settings.model_validate(given)
        environment = os.environ | {f"TONGSHUI_{name.upper()}": value for name, value in given.items()}
        service = open_service(settings)
        with subprocess.Popen([sys.executable, "-m", "app.cli", "api"], env=environment) as api:
            try:
                wait_for(lambda: listens(settings.http_port), what="the API to answer")
                found = askers(service)
                for method in PATHS:
                    measure(found, method, settings.http_port, options)
                    print(
                        f"{method} {PATHS[method]}, {options.clients} clients, {options.rounds} x {options.seconds} s"
                    )
                    for each in found:
                        ratio = each.rate / found[0].rate
                        print(f"  {each.name:20} {each.rate:6.0f} /s  ratio {ratio:.2f}   {percentiles(each.answers)}")
            finally:
                api.terminate()
        service.close()


if __name__ == "__main__":
    main()

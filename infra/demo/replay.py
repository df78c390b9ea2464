"""The published period replayed: its applications through the real rulebook, as fast as the machine goes.

Every request goes through the HTTP application itself (no socket), under a clock that jumps from one to the next; what
the window watch would ask in between is asked at the very instant it falls due. There is no Kafka: the read models are
folded from the store at the end. Which days the published period had is not known, so the demo's are played.
"""

from __future__ import annotations

import asyncio
import heapq
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
import psycopg
from psycopg.rows import DictRow, dict_row

from api.app import create_app
from domain import kinds
from infra.agreement import published
from infra.clock import ManualClock
from infra.demo import city
from infra.demo.play import body_of, headers_of, key_of
from infra.demo.script import Request, Script
from infra.embedded import EmbeddedPostgres
from infra.embedded.errors import EmbeddedError
from infra.migrate import migrate
from infra.rules import shipped_rules
from infra.service import Service, open_service
from infra.settings import Settings
from infra.sql import sql
from infra.store.commands import Command, Receipt, Stream, asking
from projections.figures import Figures, figures
from projections.figures_text import as_object, as_text
from projections.views import VIEWS

BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it. ``refused`` counts refusals by code, ``astray`` those that the plan did not mean; ``seconds`` is
    real time."""

    seed: int
    applications: int
    by_category: Mapping[str, int]
    by_channel: Mapping[str, int]
    requests: int
    asked: int
    events: int
    refused: Mapping[str, int]
    astray: Mapping[str, int]
    seconds: float
    figures: Figures

    @property
    def is_accounted_for(self) -> bool:
        """Whether every application that was played is counted, by category and by channel, and under way or over."""
        found = self.figures
        return (
            found.applications == self.applications == sum(found.by_outcome.values())
            and dict(found.by_category) == dict(self.by_category)
            and dict(found.by_channel) == dict(self.by_channel)
        )


def replay_published(settings: Settings, seed: int, database_url: str | None = None) -> Replayed:
    """Play the published period on an empty database: the given one, or a fresh embedded one that is gone afterwards.

    Raises EmbeddedError ``database-not-empty``, and what PostgreSQL raises.
    """
    with _database(database_url) as url:
        migrate(url)
        _require_empty(url)
        replaying = settings.model_copy(update={"database_url": url, "kafka_bootstrap": "", "demo": True})
        return _replay(replaying, seed)


def report(found: Replayed, *, as_json: bool) -> str:
    """What came of it, for a terminal or as one JSON object."""
    counted = found.is_accounted_for
    if as_json:
        played = {f.name: getattr(found, f.name) for f in fields(found) if f.name != "figures"}
        answer = {"played": played, "accounted_for": counted, **as_object(found.figures, beside=True)}
        return msgspec.json.encode(answer).decode()
    refused = ", ".join(f"{code} {count}" for code, count in found.refused.items()) or "none"
    lines = [
        f"played {found.applications} applications: {found.requests} requests, {found.asked} questions of the watch, "
        f"{found.events} events in {found.seconds:g} s (the period's days are not published; the demo's were played)",
        f"refused as planned: {refused}" if not found.astray else f"REFUSED AGAINST THE PLAN: {dict(found.astray)}",
        "every application is accounted for 件件有着落" if counted else "NOT EVERY APPLICATION IS ACCOUNTED FOR",
        "",
        as_text(found.figures, beside=True, as_json=False),
    ]
    return "\n".join(lines)


@contextmanager
def _database(database_url: str | None) -> Iterator[str]:
    if database_url is not None:
        yield database_url
        return
    # A short name: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="ts-replay-") as folder, EmbeddedPostgres(Path(folder) / "pg") as server:
        yield server.conninfo()


def _require_empty(url: str) -> None:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        head = connection.execute(sql("log_head")).fetchone()
    assert head is not None
    if head["position"]:
        raise EmbeddedError(
            "database-not-empty",
            found=f"a database with {head['position']} events",
            needed="an empty one: a replay makes up 240 applications",
            next_step="name an empty database, or none at all",
        )


def _replay(settings: Settings, seed: int) -> Replayed:
    begun = time.monotonic()
    rules = shipped_rules()
    scripts = city.connections(seed, rules)
    clock = ManualClock(city.START)
    service = open_service(settings, clock=clock)
    try:
        stage = _Stage(service, clock)
        asyncio.run(stage.play(scripts))
    finally:
        service.close()
    with psycopg.connect(settings.database_url, row_factory=dict_row) as connection:
        events = fill(settings, connection)
        found = figures(connection)
    return Replayed(
        seed=seed,
        applications=sum(script.kind == "connections" for script in scripts),
        by_category=dict(sorted(city.counted(scripts, "category").items())),
        by_channel=dict(sorted(city.counted(scripts, "channel").items())),
        requests=sum(len(script.requests) for script in scripts),
        asked=stage.asked,
        events=events,
        refused=dict(stage.refused),
        astray=dict(stage.astray),
        seconds=round(time.monotonic() - begun, 1),
        figures=found,
    )


def fill(settings: Settings, connection: psycopg.Connection[DictRow]) -> int:
    """Fold the whole store into the read models' tables. Returns how many events there are.

    Raises ValueError for an event that a model cannot take.
    """
    topics = {model.name: {settings.home_topic(family) for family in model.families} for model in VIEWS}
    positions: set[int] = set()
    records = published(settings, connection)
    while batch := list(islice(records, BATCH)):
        positions.update(event.position for event in batch)
        with connection.transaction(), connection.cursor() as cursor:
            for model in VIEWS:
                if dead := model.step(cursor, [event for event in batch if event.topic in topics[model.name]], {}):
                    raise ValueError(f"{model.name} cannot take position {dead[0].position}: {dead[0].reason}")
    return len(positions)


# ---- the stage


class _Listened:
    """The service, listened to: every receipt tells when to ask about its case again."""

    def __init__(self, service: Service, heard: dict[UUID, Mapping[str, datetime]]) -> None:
        self._service = service
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def submit(self, command: Command) -> Future[Receipt]:
        future = self._service.submit(command)
        future.add_done_callback(self._hear)
        return future

    def _hear(self, future: Future[Receipt]) -> None:
        if future.exception() is None:
            receipt = future.result()
            self._heard[receipt.case_id] = receipt.next_ask_at


class _Stage:
    """Requests one after the other at their own time, and in between what falls due."""

    def __init__(self, service: Service, clock: ManualClock) -> None:
        self.refused: Counter[str] = Counter()
        self.astray: Counter[str] = Counter()
        self.asked = 0
        self._service = service
        self._clock = clock
        self._heard: dict[UUID, Mapping[str, datetime]] = {}
        self._asks: list[tuple[datetime, UUID]] = []
        self._known: dict[UUID, Mapping[str, datetime]] = {}
        self._app = create_app(cast(Service, _Listened(service, self._heard)))

    async def play(self, scripts: Sequence[Script]) -> None:
        """Play every request in order of time, then let every limit run out that still runs."""
        paths = {script.name: f"/api/v1/{script.kind}" for script in scripts}
        turns = sorted(
            (
                (request.at, script.name, number, script, request)
                for script in scripts
                for number, request in enumerate(script.requests)
            ),
            key=lambda turn: turn[:3],
        )
        transport = httpx.ASGITransport(self._app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8225") as client:
            for at, name, number, script, request in turns:
                self._ask_until(at)
                self._clock.set(max(at, self._clock.now()))
                created = await self._send(client, paths[name], request, key_of(script, number))
                if number == 0 and created is not None:
                    paths[name] += f"/{created}"
        self._ask_until(None)

    async def _send(self, client: httpx.AsyncClient, path: str, request: Request, key: str) -> str | None:
        answer = await client.post(path + request.path, json=body_of(request), headers=headers_of(request, key))
        if answer.status_code < 300:
            self.astray.update(["accepted"] if request.refusal is not None else [])
            case_id: str = answer.json()["case_id"]
            return case_id
        code = str(answer.json().get("code", answer.status_code))
        self.refused[code] += 1
        if code != request.refusal:
            self.astray[f"{request.path.rpartition('/')[2] or 'created'}: {code}"] += 1
        return None

    def _ask_until(self, at: datetime | None) -> None:
        """Ask about every case that falls due up to an instant (None: until nothing does), at its own instant."""
        self._take_down()
        while self._asks and (at is None or self._asks[0][0] <= at):
            due_at, case_id = heapq.heappop(self._asks)
            if due_at not in self._known[case_id].values():
                continue  # another fact has moved it since
            self._clock.set(max(due_at, self._clock.now()))
            receipt = self._service.run(asking(Stream(kinds.CONNECTION, case_id), "window-watch"))
            self._heard[case_id] = receipt.next_ask_at
            self.asked += 1
            self._take_down()

    def _take_down(self) -> None:
        for case_id, asks in self._heard.items():
            for due_at in asks.values():
                heapq.heappush(self._asks, (due_at, case_id))
        self._known.update(self._heard)
        self._heard.clear()

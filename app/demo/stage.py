"""A stage for what is replayed: scripts played through the HTTP application itself, under a clock that jumps.

There is no socket and no Kafka: requests go to the application in memory, what the window watch would ask in between is
asked at the very instant it falls due, and the read models are folded from the store at the end.
"""

from __future__ import annotations

import asyncio
import heapq
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast
from uuid import UUID

import httpx
import psycopg
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from api.app import create_app
from app.demo.play import below, body_of, first_event, headers_of, key_of
from app.demo.script import Request, Script
from infra.clock import ManualClock
from infra.embedded import EmbeddedPostgres
from infra.eventstore.commands import Command, Receipt, Stream, evaluation_of
from infra.eventstore.consistency_check import published
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import order_stream
from infra.identity.proxy_secret import proxy_secret
from infra.settings import Settings
from infra.sql import sql
from projections.read_models.views import VIEWS

BATCH = 2_000
TOGETHER = timedelta(minutes=15)
AT_ONCE = 64
ACCEPTED = "accepted"
NOT_OPENED = "case-not-opened"
"""The outcome of a request whose case was never opened: there is nowhere to send it."""


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """The given database, or a fresh embedded one that is gone afterwards."""
    if url is not None:
        yield url
        return
    # A short name: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="ts-replay-") as folder, EmbeddedPostgres(Path(folder) / "pg") as server:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            # What is gone afterwards need not survive a power cut; a replay is thousands of commits one after another.
            connection.execute(sql("commit_without_waiting"))
        yield server.conninfo()


def fill(settings: Settings, connection: psycopg.Connection[DictRow]) -> int:
    """Fold the whole store into the read models' tables, emptied first. Returns how many events there are.

    Raises ValueError for an event that a model cannot take.
    """
    topics = {model.name: {settings.home_topic(topic) for topic in model.topics} for model in VIEWS}
    for model in VIEWS:
        connection.execute(SQL("TRUNCATE {}").format(Identifier(*model.table.split("."))))
    positions: set[int] = set()
    records = published(settings, connection)
    while batch := list(islice(records, BATCH)):
        positions.update(event.position for event in batch)
        with connection.transaction(), connection.cursor() as cursor:
            for model in VIEWS:
                if dead := model.step(cursor, [event for event in batch if event.topic in topics[model.name]], {}):
                    raise ValueError(f"{model.name} cannot take position {dead[0].position}: {dead[0].reason}")
    return len(positions)


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


class Turn(NamedTuple):
    """One request at its time; sorts by time, and within a script by its order there."""

    at: datetime
    name: str
    number: int
    script: Script
    request: Request


def _alone(turns: Iterable[Turn]) -> Iterator[list[Turn]]:
    return ([turn] for turn in turns)


def _together(turns: Iterable[Turn]) -> Iterator[list[Turn]]:
    """Turns that lie close together, in order."""
    part: list[Turn] = []
    for turn in turns:
        if part and (turn.at - part[0].at > TOGETHER or len(part) >= AT_ONCE):
            yield part
            part = []
        part.append(turn)
    if part:
        yield part


class Stage:
    """Requests one after the other at their own time, and in between what falls due.

    ``watched`` False: nothing is asked until all is told, and requests of
    different scripts that lie within ``TOGETHER`` are sent together, so that the writer commits them together; none is
    taken down before its own time, and no verdict depends on it. ``refused`` counts refusals by code; ``astray`` those
    that a script did not mean; ``outcomes`` has every request's, by its script's name and its number: ``ACCEPTED`` or
    the code.
    """

    def __init__(self, service: Service, clock: ManualClock, *, watched: bool = True) -> None:
        self.refused: Counter[str] = Counter()
        self.astray: Counter[str] = Counter()
        self.outcomes: dict[tuple[str, int], str] = {}
        self.cases: dict[str, UUID] = {}
        self._told: dict[str, dict[str, UUID]] = {}
        self.asked = 0
        self._service = service
        self._clock = clock
        self._watched = watched
        self._heard: dict[UUID, Mapping[str, datetime]] = {}
        self._asks: list[tuple[datetime, UUID]] = []
        self._known: dict[UUID, Mapping[str, datetime]] = {}
        self._app = create_app(cast(Service, _Listened(service, self._heard)))

    async def play(self, scripts: Sequence[Script]) -> None:
        """Play every request in order of time, then let every limit run out that still runs."""
        turns = sorted(
            (
                Turn(request.at, script.name, number, script, request)
                for script in scripts
                for number, request in enumerate(script.requests)
            ),
            key=lambda turn: turn[:3],
        )
        async with self.client() as client:
            for together in _alone(turns) if self._watched else _together(turns):
                at = max(turn.at for turn in together)
                if self._watched:
                    self._ask_until(at)
                self._clock.set(max(at, self._clock.now()))
                of_script: dict[str, list[Turn]] = {}
                for turn in together:
                    of_script.setdefault(turn.name, []).append(turn)
                await asyncio.gather(*(self._turns(client, in_order) for in_order in of_script.values()))
        self._ask_until(None)

    def client(self) -> httpx.AsyncClient:
        """A client of the application, without a network."""
        transport = httpx.ASGITransport(self._app, client=("127.0.0.1", 1))
        proven = {"X-Proxy-Secret": proxy_secret(self._service.settings)}
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8225", headers=proven)

    async def _turns(self, client: httpx.AsyncClient, in_order: Sequence[Turn]) -> None:
        for turn in in_order:
            self.outcomes[turn.name, turn.number] = await self._turn(client, turn)

    async def _turn(self, client: httpx.AsyncClient, turn: Turn) -> str:
        _, _, number, script, request = turn
        path = f"/api/v1/{script.kind}"
        if number > 0:
            if script.name not in self.cases:
                return NOT_OPENED
            path += below(script, str(self.cases[script.name]))
        told = self._told.setdefault(script.name, {})
        headers = headers_of(request, key_of(script, number))
        body = body_of(request, told)
        answer = await client.post(path + request.path, json=body, headers=headers)
        if answer.status_code < 300:
            if "order" in body:  # another body's order that the report came with: the receipt is of the report's case
                self._ask(order_stream(body["order"]["source"], body["order"]["number"]))
            told[request.path] = first_event(answer.json())
            self.astray.update(["accepted"] if request.refusal is not None else [])
            if number == 0:
                self.cases[script.name] = UUID(answer.json()["case_id"])
            return ACCEPTED
        code = str(answer.json().get("code", answer.status_code))
        self.refused[code] += 1
        if code != request.refusal:
            self.astray[f"{request.path.rpartition('/')[2] or 'created'}: {code}"] += 1
        return code

    def _ask_until(self, at: datetime | None) -> None:
        """Ask about every case that falls due up to an instant (None: until nothing does), at its own instant."""
        self._take_down()
        while self._asks and (at is None or self._asks[0][0] <= at):
            due_at, case_id = heapq.heappop(self._asks)
            if due_at not in self._known[case_id].values():
                continue  # another fact has moved it since
            self._clock.set(max(due_at, self._clock.now()))
            self._ask(Stream(self._service.kinds_of([case_id])[case_id], case_id))
            self.asked += 1
            self._take_down()

    def _ask(self, case: Stream) -> None:
        self._heard[case.id] = self._service.run(evaluation_of(case, "window-watch")).next_ask_at

    def _take_down(self) -> None:
        for case_id, asks in self._heard.items():
            for due_at in asks.values():
                heapq.heappush(self._asks, (due_at, case_id))
        self._known.update(self._heard)
        self._heard.clear()

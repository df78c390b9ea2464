"""What the tests of the API share: a service in memory, a client without a network, and a real server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
from eventsourcing.persistence import JSONTranscoder
from fastapi import FastAPI

from api.app import create_app
from api.server import make_server
from domain.facts import Recorded, Stated, event_id
from domain.kinds import State, conclusion
from domain.standards import Rules
from infra.clock import ManualClock
from infra.rules import shipped_rules
from infra.service import Service
from infra.settings import Settings
from infra.sql import sql
from infra.store.commands import Command, KeyReusedError, NewSubject, Receipt, Sight, Stream
from infra.store.envelope import CloudEventMapper, Envelope, read, seal

MORNING = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
"""Wednesday 2026-09-16, 09:00 in China."""

Rows = Callable[[Mapping[str, Any]], list[dict[str, Any]]]


class FakeService:
    """The service's face over dictionaries: real decisions, real events, no PostgreSQL.

    ``answers``: query name → rows. ``fails``: what every command and query raises instead.
    """

    def __init__(self, rules: Rules | None = None, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.clock = ManualClock(MORNING)
        self.rules = rules or shipped_rules()
        self.answers: dict[str, Rows] = {}
        self.fails: BaseException | None = None
        self.subjects: list[NewSubject] = []
        self.commands: list[Command] = []
        self.events: dict[UUID, list[bytes]] = {}
        self._keys: dict[tuple[str, str], tuple[bytes, Receipt]] = {}
        self._position = 0
        self._number = 0

    # ---- commands

    def next_number(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}-{self.clock.now().year}-{self._number:06d}"

    def submit(self, command: Command) -> Future[Receipt]:
        future: Future[Receipt] = Future()
        try:
            future.set_result(self.run(command))
        except Exception as error:
            future.set_exception(error)
        return future

    def run(self, command: Command) -> Receipt:
        self.commands.append(command)
        if self.fails is not None:
            raise self.fails
        known = command.key and self._keys.get((command.key.scope, command.key.key))
        if command.key is not None and known:
            if known[0] != command.key.digest:
                raise KeyReusedError(command.key.key)
            return known[1]
        receipt = self._decide(command)
        if command.key is not None:
            kept = Receipt(**{**_fields(receipt), "replayed": True})
            self._keys[command.key.scope, command.key.key] = (command.key.digest, kept)
        if command.subject is not None:
            self.subjects.append(command.subject)
        return receipt

    def forget_keys(self) -> None:
        """As after the term for which keys are kept."""
        self._keys.clear()

    def _decide(self, command: Command) -> Receipt:
        at = self.clock.now()
        streams = {stream.id: stream for stream in (command.case, *command.others)}
        states = {id_: self.load(stream)[0] for id_, stream in streams.items()}
        first = len(self.events.get(command.case.id, ())) + 1
        written: dict[UUID, list[bytes]] = {}
        for stream, stated in command.decide(Sight(at, self.rules, dict(states))):
            states[stream.id] = self._say(command, stream, stated, states[stream.id], written)
        for stream in streams.values():
            for fact in conclusion(stream.kind, states[stream.id], self.rules, at):
                states[stream.id] = self._say(command, stream, Stated(fact, at), states[stream.id], written)
        for id_, sealed in written.items():
            self.events.setdefault(id_, []).extend(sealed)
        return Receipt(command.case.id, first, len(self.events[command.case.id]), self._position, at, False, {})

    def _say(
        self, command: Command, stream: Stream, stated: Stated, state: State, written: dict[UUID, list[bytes]]
    ) -> State:
        sealed = written.setdefault(stream.id, [])
        version = len(self.events.get(stream.id, ())) + len(sealed) + 1
        envelope = Envelope(
            stream.id,
            version,
            stream.kind.family,
            stated.fact,
            stated.happened_at,
            stated.reported_at,
            command.stamp,
        )
        self._position += 1
        stored = CloudEventMapper(JSONTranscoder()).to_stored_event(envelope)
        sealed.append(seal(stored.state, self._position, self.clock.now()))
        recorded = Recorded(stated.fact, event_id(stream.id, version), version, stated.happened_at)
        return stream.kind.evolve(state, recorded)

    # ---- queries

    def load(self, stream: Stream) -> tuple[State, list[dict[str, Any]]]:
        if self.fails is not None:
            raise self.fails
        state: State = None
        events = self.events.get(stream.id, [])
        for stored in events:
            state = stream.kind.evolve(state, read(stored)[1])
        return state, [msgspec.json.decode(stored) for stored in events]

    @contextmanager
    def connection(self) -> Iterator[Any]:
        if self.fails is not None:
            raise self.fails
        yield self

    def execute(self, query: str, params: Mapping[str, Any] | None = None) -> _Found:
        for name, rows in self.answers.items():
            if sql(name) == query:
                return _Found(rows(params or {}))
        return _Found([])


class _Found:
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def fetchall(self) -> list[dict[str, Any]]:
        return self._rows

    def fetchone(self) -> dict[str, Any] | None:
        return self._rows[0] if self._rows else None


def _fields(receipt: Receipt) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in Receipt.__slots__}


def app_over(service: FakeService) -> FastAPI:
    """The application over a fake."""
    return create_app(cast(Service, service))


class Client:
    """Asks an application without a network; every request runs in an event loop of its own."""

    def __init__(self, app: FastAPI, *, host: str = "127.0.0.1:8225", peer: str = "127.0.0.1") -> None:
        self.app = app
        self._base = f"http://{host}"
        self._peer = (peer, 40_000)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=self._peer)
            async with httpx.AsyncClient(transport=transport, base_url=self._base) as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.request("POST", path, json={} if body is None else body, **options)

    def raw(self, path: str, content: bytes, content_type: str = "application/json") -> httpx.Response:
        return self.request("POST", path, content=content, headers={"Content-Type": content_type})


REPORTER = {"name": "张三", "phone": "13812345678", "address": "人民北路 1 号 2 栋 301"}
APPLICANT = {**REPORTER, "id_number": "433101199001011234"}
METER = {
    "number": "js-2026-0001",
    "body_code": "LXS-15E",
    "dn_mm": 15,
    "verified_on": "2026-03-01",
    "expires_on": "2032-02-28",
    "initial_reading_m3": "0.000",
    "dial_max_m3": 99_999,
}


def fault(**changes: Any) -> dict[str, Any]:
    return {"reporter": REPORTER, "kind": "leak", "district": "zhenxi", **changes}


def application(**changes: Any) -> dict[str, Any]:
    return {"applicant": APPLICANT, "category": "private", "supply_points": 1, **changes}


# ---- a real server


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application behind a real server on a free loopback port; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = make_server(app, host="127.0.0.1", port=port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop()
            thread.join(timeout=20)
    assert not thread.is_alive(), "the server did not stop"


def wait_for(condition: Callable[[], Any], *, seconds: float = 20, what: str = "the condition") -> Any:
    """Wait until the condition holds; its value."""
    patience = threading.Event()
    end = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < end, f"{what} did not come true within {seconds} s"
        patience.wait(0.02)
    return value

"""What the tests of the API share: a service in memory, a client without a network, and a real server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
from eventsourcing.persistence import JSONTranscoder
from fastapi import FastAPI
from starlette.routing import BaseRoute

from api.app import create_app
from api.server import Server, make_server
from domain import kinds
from domain.crews.crews import CrewFormed
from domain.evidence import sending
from domain.kernel.facts import EventToAppend, Recorded
from domain.kernel.refusals import Refusal
from domain.kernel.subjects import Subject
from domain.kinds import Kind, State, conclusion, follows
from domain.settling import require_second_person_to_overturn
from domain.standard.standards import Rules
from infra.clock import ManualClock
from infra.eventstore.commands import (
    Command,
    KeyReusedError,
    NewMessage,
    NewSubject,
    Receipt,
    Snapshot,
    Stamp,
    Stream,
    StreamEvent,
)
from infra.eventstore.envelope import CloudEvent, CloudEventMapper, Envelope, read, seal
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import shipped_rules
from infra.eventstore.writer import register_of
from infra.settings import Settings
from infra.sql import sql
from tests.proven import PROVEN, PROXY

MORNING = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
"""Wednesday 2026-09-16, 09:00 in China."""

Rows = Callable[[Mapping[str, Any]], list[dict[str, Any]]]


class FakeService:
    """The service's face over dictionaries: real decisions, real events, no PostgreSQL.

    ``answers``: query name → rows. ``fails``: what every command and query raises instead. ``published``: rules that
    were known from an instant on, oldest first; ``rules`` where there are none.
    """

    def __init__(self, rules: Rules | None = None, **settings: Any) -> None:
        self.settings = Settings(**{"proxy_secret": PROXY, **settings})
        self.clock = ManualClock(MORNING)
        self.rules = rules or shipped_rules()
        self.answers: dict[str, Rows] = {
            "pseudonym_key": lambda _: [{"key": b"k" * 32}],
            "outages_around": lambda _: [{"case_id": id_} for id_ in self._outages_planned()],
        }
        self.fails: BaseException | None = None
        self.subjects: list[NewSubject] = []
        self.messages: list[NewMessage] = []
        self.commands: list[Command] = []
        self.events: dict[UUID, list[bytes]] = {}
        self._keys: dict[tuple[str, str], tuple[bytes, Receipt | Refusal]] = {}
        self._position = 0
        self._number = 0
        self.published: list[tuple[datetime, Rules]] = []

    # ---- commands

    def next_number(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}-{self.clock.now().year}-{self._number:06d}"

    def next_turn(self) -> int:
        return self._number

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
            if isinstance(known[1], Refusal):
                raise known[1]
            return known[1]
        receipt, refusal = self._decide(command)
        if command.key is not None:
            kept = refusal or Receipt(**{**_fields(receipt), "replayed": True})
            self._keys[command.key.scope, command.key.key] = (command.key.digest, kept)
        if refusal is not None:
            raise refusal
        if command.subject is not None:
            self.subjects.append(command.subject)
        return receipt

    def forget_keys(self) -> None:
        """As after the term for which keys are kept."""
        self._keys.clear()

    @property
    def head(self) -> int:
        """The position of the newest event."""
        return self._position

    def _decide(self, command: Command) -> tuple[Receipt, Refusal | None]:
        at = self.clock.now()
        streams = {stream.id: stream for stream in (command.case, *command.others)}
        states = {stream.id: self.load(stream)[0] for stream in (*streams.values(), *command.reads)}
        first = len(self.events.get(command.case.id, ())) + 1
        written: dict[UUID, list[bytes]] = {}
        crews = register_of(self._crews_formed()) if command.names_crew else None
        versions = {id_: len(self.events.get(id_, ())) for id_ in streams}
        said, refusal = self._said(command, Snapshot(at, self.rules, dict(states), crews, versions))
        for stream, stated in said:
            states[stream.id] = self._say(command.stamp_of(stream), stream, stated, states[stream.id], written)
        for stream in streams.values():
            states[stream.id] = self._conclude(command.stamp, stream, states[stream.id], written, said)
        for id_, sealed in written.items():
            self.events.setdefault(id_, []).extend(sealed)
        last = len(self.events.get(command.case.id, ()))
        return Receipt(command.case.id, first, last, self._position, at, False, {}), refusal

    def _crews_formed(self) -> list[bytes]:
        every = [event for events in self.events.values() for event in events]
        return [event for event in every if b"CrewFormed" in event and type(read(event)[1].fact) is CrewFormed]

    def _outages_planned(self) -> list[UUID]:
        return [id_ for id_, events in self.events.items() if b".OutagePlanned." in events[0]]

    def _said(self, command: Command, snapshot: Snapshot) -> tuple[Sequence[StreamEvent], Refusal | None]:
        """As the writer does it: a refusal whose attempt is a fact leaves that fact in the case."""
        try:
            return command.decide(snapshot), None
        except Refusal as refused:
            if refused.attempt is None:
                raise
            return [(command.case, EventToAppend(refused.attempt, snapshot.at))], refused

    def _conclude(
        self, stamp: Stamp, stream: Stream, state: State, written: dict[UUID, list[bytes]], said: Sequence[StreamEvent]
    ) -> State:
        at = self.clock.now()
        by_rule = replace(stamp, actor="tongshui", role="system", channel="system")
        while following := follows(stream.kind, state, self.rules, at):
            for stated in following:
                state = self._say(by_rule, stream, stated, state, written)
        facts = conclusion(stream.kind, state, self.rules, at)
        ctx = Snapshot(at, self.rules, {}).context(stamp)
        require_second_person_to_overturn(ctx, [stated.fact for _, stated in said], facts)
        for fact in facts:
            state = self._say(stamp, stream, EventToAppend(fact, at), state, written)
        return state

    def _say(
        self, stamp: Stamp, stream: Stream, stated: EventToAppend, state: State, written: dict[UUID, list[bytes]]
    ) -> State:
        sealed = written.setdefault(stream.id, [])
        version = len(self.events.get(stream.id, ())) + len(sealed) + 1
        envelope = Envelope(
            stream.id, version, stream.kind.topic, stated.fact, stated.happened_at, stated.reported_at, stamp
        )
        self._position += 1
        stored = CloudEventMapper(JSONTranscoder()).to_stored_event(envelope)
        sealed.append(seal(stored.state, self._position, self.clock.now()))
        recorded = read(sealed[-1])[1]
        state = stream.kind.evolve(state, recorded)
        paper = sending.message_of(recorded, state, self.rules, self.clock.now())
        if paper is not None and paper.way in self.settings.paper_ways:
            self.messages.append(NewMessage(recorded.event_id, stream.id, paper))
        if stated.tells is not None:
            self.messages.append(NewMessage(recorded.event_id, stream.id, stated.tells))
        return state

    # ---- queries

    def particulars(self, subjects: Sequence[Subject]) -> list[Mapping[str, str]]:
        kept = {(subject.id, subject.revision): subject.particulars for subject in self.subjects}
        return [kept[each.id, each.revision] for each in subjects if (each.id, each.revision) in kept]

    def load(self, stream: Stream) -> tuple[State, list[dict[str, Any]]]:
        if self.fails is not None:
            raise self.fails
        state: State = None
        events = self.events.get(stream.id, [])
        for stored in events:
            state = stream.kind.evolve(state, read(stored)[1])
        return state, [msgspec.json.decode(stored) for stored in events]

    def states(self, streams: Sequence[Stream]) -> dict[UUID, State]:
        return {stream.id: self.load(stream)[0] for stream in streams}

    def history(self, case_id: UUID) -> list[tuple[CloudEvent, Recorded]]:
        if self.fails is not None:
            raise self.fails
        return [read(stored) for stored in self.events.get(case_id, [])]

    def kinds_of(self, cases: Sequence[UUID]) -> dict[UUID, Kind]:
        first = {case_id: self.history(case_id)[:1] for case_id in cases}
        opened = {case_id: kinds.opened_as(found[0][0].type) for case_id, found in first.items() if found}
        return {case_id: kind for case_id, kind in opened.items() if kind is not None}

    def rules_at(self, at: datetime) -> Rules:
        return next((rules for since, rules in reversed(self.published) if since <= at), self.rules)

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
    return {each.name: getattr(receipt, each.name) for each in fields(receipt)}


_PREPARED: list[BaseRoute] = []


def app_of(service: Service) -> FastAPI:
    """The application over a service, as ``create_app`` makes it.

    FastAPI prepares a route when it is first looked at, which takes half a second for all of ours. Whatever differs
    between two applications is in their state: all but the first of a run take over the routes that it has prepared.
    """
    app = create_app(service)
    if not _PREPARED:
        _PREPARED.extend(app.router.routes)
    app.router.routes[:] = _PREPARED
    return app


def app_over(service: FakeService) -> FastAPI:
    """The application over a fake."""
    return app_of(cast(Service, service))


class Client:
    """Asks an application without a network, as a front end that it trusts; every request runs in an event loop of its
    own. A query is an auditor's where nobody else is named. ``proxy_secret`` None: as somebody whom nobody knows."""

    def __init__(
        self,
        app: FastAPI,
        *,
        host: str = "127.0.0.1:8225",
        peer: str = "127.0.0.1",
        proxy_secret: str | None = PROXY,
        scheme: str = "http",
    ) -> None:
        self.app = app
        self._proxy = {"X-Proxy-Secret": proxy_secret} if proxy_secret is not None else {}
        self._base = f"{scheme}://{host}"
        self._peer = (peer, 40_000)

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        given = httpx.Headers(headers)
        asks = staff("auditor") if method == "GET" and "X-Role" not in given else {}
        said = httpx.Headers(asks if self._proxy else {})
        said.update(given)
        said.pop("X-Proxy-Secret", None)
        said.update(self._proxy)

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=self._peer)
            async with httpx.AsyncClient(transport=transport, base_url=self._base) as client:
                return await client.request(method, path, headers=said, **options)

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


DIGEST = "sha256:" + "0" * 64
PAPERS = [
    {"document": "identity", "way": "verified"},
    {"document": "property-right", "way": "upload", "digest": DIGEST},
]
"""Both documents of a private applicant."""


def staff(role: str, actor: str | None = None, channel: str = "office") -> dict[str, str]:
    """The headers of somebody in that role."""
    return {**PROVEN, "X-Actor": actor or f"{role}-1", "X-Role": role, "X-Channel": channel}


SECOND = {"X-Confirmed-By": "manager-2", "X-Confirmed-Role": "manager"}
"""The second person behind money that goes back."""

DISPATCHER = staff("dispatcher")
"""Who may send crews, tell what they say over the radio, link reports and close files."""


STEPS_TO_WATER: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("survey", {"feasible": True, "findings": []}, "squad"),
    ("design", {"drawing_digest": DIGEST}, "squad"),
    ("quotes", {"lines": [{"fee": "water-loss", "quantity": "1"}, {"fee": "installation", "quantity": "10"}]}, "squad"),
    ("contract", {"contract": "HT-1", "digest": DIGEST}, "applicant"),
    (
        "payments",
        {
            "payment": "PAY-1",
            "lines": [{"fee": "water-loss", "amount_fen": 6000}, {"fee": "installation", "amount_fen": 128_500}],
        },
        "cashier",
    ),
    ("construction/start", {"crew": "crew-1"}, "crew-lead"),
    ("construction/completion", {}, "crew-lead"),
    ("inspection", {"passed": True, "defects": []}, "inspector"),
)
"""What lies between an application of a private person with all papers and its meters: step, body, role."""


def step(client: Client, case_id: str, path: str, body: Any, role: str, **headers: str) -> httpx.Response:
    """One command on a connection case, by somebody in that role; where money goes back, with a manager behind it."""
    second = SECOND if path.startswith("refunds") or path.endswith("/reversal") else {}
    return client.post(f"/api/v1/connections/{case_id}/{path}", body, headers={**staff(role), **second, **headers})


def ready_for_water(client: Client, **changes: Any) -> str:
    """An application that has come as far as its meters; its id."""
    answer = client.post("/api/v1/connections", application(documents=PAPERS, **changes))
    assert answer.status_code == 201, answer.text
    case_id = str(answer.json()["case_id"])
    for path, body, role in STEPS_TO_WATER:
        told = step(client, case_id, path, body, role)
        assert told.status_code == 200, told.text
    return case_id


def turned_on(client: Client, case_id: str, point: int = 1, meter: dict[str, Any] | None = None) -> httpx.Response:
    return step(client, case_id, f"supply-points/{point}/water-on", {"meter": meter or METER}, "crew")


# ---- a real server


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application behind a real server on a free loopback port; gives its address."""
    with serving(app) as (_, address):
        yield address


@contextmanager
def serving(app: FastAPI) -> Iterator[tuple[Server, str]]:
    """The same, with the server itself."""
    # With its protocol named: asyncio answers without a delay of 40 ms only on a socket that says it is TCP's.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        port = listening.getsockname()[1]
        server = make_server(app, host="127.0.0.1", port=port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        try:
            yield server, f"{'http' if server.config.ssl is None else 'https'}://127.0.0.1:{port}"
        finally:
            server.stop()
            thread.join(timeout=20)
    assert not thread.is_alive(), "the server did not stop"


def wait_for(condition: Callable[[], Any], *, seconds: float = 60, what: str = "the condition") -> Any:
    """Wait until the condition holds; its value."""
    patience = threading.Event()
    end = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < end, f"{what} did not come true within {seconds} s"
        patience.wait(0.02)
    return value

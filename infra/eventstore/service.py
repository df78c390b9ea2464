"""The service as entry points see it: run a command, look at a case, ask the clock and the rules."""

from __future__ import annotations

import select
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import IntegrityError, PersistenceError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from domain import kinds
from domain.kernel.facts import Recorded
from domain.kernel.subjects import Subject
from domain.kinds import Kind, State
from domain.standard.standards import Rules
from infra.clock import Clock, ScaledClock
from infra.eventstore import case_numbers
from infra.eventstore import shipped_rules as published
from infra.eventstore.application import StoreApplication, open_store
from infra.eventstore.commands import Command, Receipt, Stream
from infra.eventstore.envelope import CloudEvent, Envelope, folded, read
from infra.eventstore.evaluation import Evaluator
from infra.eventstore.writer import Writer
from infra.evidence.store import EvidenceStore
from infra.postgres.connections import connect
from infra.settings import Settings
from infra.sql import sql
from infra.vault.vault import Vault


class Service:
    """Store, rules and clock of one process. Made by ``open_service``; close it when done."""

    def __init__(
        self, settings: Settings, store: StoreApplication, clock: Clock, rules: Rules, pool: ConnectionPool[Any]
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.store = store
        self._pool = pool
        store.paper_ways = settings.paper_ways
        self.vault = store.log.vault = Vault(settings, self.connection)
        self.evidence = EvidenceStore(settings, self.vault, self.connection)
        self._turns = count(1)
        self._writer = Writer(store, clock, rules, lambda: load_rules(store))

    @property
    def rules(self) -> Rules:
        """The published standards, calendars, fee catalogues and law, at most a second old. A decision is never made by
        older ones than are published: the append sees to that."""
        try:
            return self._writer.current_rules()
        except PersistenceError:
            return self._writer.rules  # PostgreSQL is away: these are the last that were known

    def submit(self, command: Command) -> Future[Receipt]:
        """Queue a command; see ``Writer.submit`` for what the future raises."""
        return self._writer.submit(command)

    def run(self, command: Command) -> Receipt:
        """Run a command and wait for its receipt."""
        return self.submit(command).result()

    def try_out(self, command: Command) -> None:
        """Decide a command and write nothing; see ``Writer.try_out`` for what it raises."""
        self._writer.try_out(command)

    def evaluator(self, asker: str) -> Evaluator:
        """Evaluates many cases at once, for one thread. ``asker``: the part that asks for it."""
        return Evaluator(self.store, self.clock, lambda: self.rules, self._writer.refreshed_rules, asker)

    def next_number(self, prefix: str) -> str:
        """What stands for the number of a case that a command opens, until the append gives it one, for example
        ``BX-2026-000017`` (``Receipt.number``). A command that is refused takes none; numbers never repeat."""
        return case_numbers.stand_in(prefix)

    def next_turn(self) -> int:
        """The count of an application, by which the owners of its desk take turns; each process counts for itself."""
        return next(self._turns)

    def load(self, stream: Stream) -> tuple[State, list[dict[str, Any]]]:
        """The whole case from the store: its state, and its events as CloudEvents in version order (none: unknown)."""
        state: State = None
        events: list[dict[str, Any]] = []
        for _, text in self.store.log.select_many([stream.id]):
            _, recorded = read(text)
            state = stream.kind.evolve(state, recorded)
            events.append(msgspec.json.decode(text))
        return state, events

    def states(self, streams: Sequence[Stream]) -> dict[UUID, State]:
        """The states of streams, by one query; None, or no entry, before the first fact."""
        return _fold(self.store, streams)

    def history(self, case_id: UUID) -> list[tuple[CloudEvent, Recorded]]:
        """Every event of a stream in version order: its envelope, and as its fold sees it."""
        return [read(text) for _, text in self.store.log.select_many([case_id])]

    def rules_at(self, at: datetime) -> Rules:
        """The rules as they were published by ``at``. Raises LookupError where nothing was yet."""
        return published.rules_from(load_publications(self.store, at))

    def kinds_of(self, cases: Sequence[UUID]) -> dict[UUID, Kind]:
        """The kind of each case that owes something by a time, by its first event; other streams are left out."""
        found = {id_: kinds.opened_as(name) for id_, name in self.store.log.first_types(cases).items()}
        return {id_: kind for id_, kind in found.items() if kind is not None}

    def particulars(self, subjects: Sequence[Subject]) -> list[Mapping[str, str]]:
        """What the vault keeps of subjects, in their order; one that it does not have any more is left out."""
        found = self.vault.particulars(subjects)
        return [found[subject] for subject in subjects if subject in found]

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        """A pooled autocommit connection with rows as dicts."""
        with self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        """Finish queued commands and let go of every connection."""
        self._writer.close()
        self._pool.close()
        self.store.close()


def connection_pool(database_url: str, *, most: int = 8) -> ConnectionPool[Any]:
    """A pool of autocommit connections with rows as dicts and time limits on everything."""
    return ConnectionPool(
        database_url,
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": 5,
            "options": "-c statement_timeout=10s -c lock_timeout=5s",
        },
        min_size=1,
        max_size=most,
        max_idle=60,  # what a start or a rush opened is closed again
        timeout=5,
        check=_require_open,
        open=True,
    )


def _require_open(connection: psycopg.Connection[Any]) -> None:
    """Let the pool replace a connection that PostgreSQL has ended. Whoever ends one says so on its socket: PostgreSQL
    is asked only where something came there, for asking takes as long as a query. Raises what psycopg raises."""
    ended = select.poll()
    ended.register(connection.pgconn.socket, select.POLLIN)
    if ended.poll(0):
        ConnectionPool.check_connection(connection)


def open_clock(settings: Settings, connection: psycopg.Connection[DictRow]) -> ScaledClock:
    """The installation's clock: the stored anchor, set once by whoever comes first."""
    now = datetime.now(UTC)
    start = settings.clock_start or now
    connection.execute(sql("anchor_clock"), {"real_at": now, "service_at": start, "factor": settings.clock_factor})
    row = connection.execute(sql("clock_anchor")).fetchone()
    assert row is not None
    return ScaledClock(row["real_at"], row["service_at"], row["factor"])


def open_service(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Open store, clock and rules; the first opening publishes the shipped rules. Raises what PostgreSQL raises."""
    pool = connection_pool(settings.database_url)
    if clock is None:
        try:
            with pool.connection() as connection:
                clock = open_clock(settings, connection)
        except PoolTimeout:
            pool.close()
            connect(settings).close()  # says why, which a pool does not
            raise
    store = open_store(settings.database_url, clock)
    publish_shipped(store, clock)
    return Service(settings, store, clock, load_rules(store), pool)


def load_rules(store: StoreApplication) -> Rules:
    """The rules as they are published. Raises LookupError where something is not."""
    # Read before the streams: what is published in between makes the next append ask for the rules again.
    position = store.log.rules_position()
    return published.rules_from(load_publications(store), position)


def load_publications(store: StoreApplication, at: datetime | None = None) -> dict[UUID, State]:
    """The folded streams of everything that is published: standards, fee catalogues, law, and the regions' calendars.
    ``at``: only what was recorded by then."""
    states = _fold(store, published.rule_streams({}), at)
    return states | _fold(store, [stream for stream in published.rule_streams(states) if stream.id not in states], at)


def publish_shipped(store: StoreApplication, clock: Clock) -> None:
    """Publish what the program ships and the store has not: all at the first start, what is new after an upgrade."""
    now = clock.now()
    states = _fold(store, [stream for stream, _ in published.first_publication(now)])
    versions = Counter({id_: store.log.last_version(id_) for id_ in states})
    envelopes = []
    for stream, said, stamp in published.missing_publications(states, now):
        versions[stream.id] += 1
        version = versions[stream.id]
        envelopes.append(Envelope(stream.id, version, stream.kind.topic, said.fact, now, None, stamp))
    if not envelopes:
        return
    try:
        store.save(*envelopes)
    except IntegrityError:
        return  # another process of this installation was faster


def _fold(store: StoreApplication, streams: Sequence[Stream], at: datetime | None = None) -> dict[UUID, State]:
    kind_of = {stream.id: stream.kind for stream in streams}
    return {id_: state for id_, (state, _) in folded(store.log.select_many(list(kind_of)), kind_of, at).items()}

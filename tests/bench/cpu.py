"""Processor time (user and system) of a command, a record, a look at a case, a question and a lapse, in microseconds.

Real PostgreSQL, no Kafka: records are made of the store's events as the relay would publish them, and handed to the
readers' own shell. Time is that of the process, not of the clock on the wall, so that a busy machine changes little;
PostgreSQL's is told beside it. Beside each figure stands the bare part: the same bytes appended with nothing decided,
each record parsed once, a case's events read and parsed once. Then an evaluation without any store, part by part:
decode the events, fold them, judge the case, find the differences, encode what they say.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import psutil
import psycopg
from eventsourcing.persistence import JSONTranscoder, StoredEvent
from fastapi import Response
from psycopg.rows import dict_row

from api.board.cases import case as case_answer
from app.processes import asker, collect_less, looker
from domain import kinds
from domain.kernel.facts import event_id
from domain.kinds import Kind
from domain.standard.standards import Rules
from infra.clock import ManualClock
from infra.embedded import EmbeddedPostgres
from infra.eventstore.application import StoreApplication
from infra.eventstore.commands import Receipt, Stamp, Stream
from infra.eventstore.envelope import CloudEventMapper, Envelope, recorded_of
from infra.eventstore.evaluation import Evaluator
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import shipped_rules
from infra.kafka.cluster import Record
from infra.postgres.connections import connect
from infra.postgres.migrate import migrate
from infra.readers.faust_app import ModelStream
from infra.readers.record import parse
from infra.settings import Settings
from projections.read_models.views import VIEWS
from projections.watch.due import DueIndex
from projections.watch.watch import Watch
from tests.bench.results import found as figure
from tests.bench.watch import case as unanswered_case
from tests.commands import Application, Incident
from tests.published import records, topic_ids

CLIENTS = 64
ALONE = 100
AT = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)


class Spent:
    """Processor seconds of this process, and of PostgreSQL, since it was made."""

    def __init__(self) -> None:
        self._own, self._postgres = time.process_time(), _of_postgres()

    def told(self, number: int) -> tuple[float, float]:
        """Microseconds each of ``number``: our own, and PostgreSQL's."""
        own, postgres = time.process_time() - self._own, _of_postgres() - self._postgres
        return own / number * 1e6, postgres / number * 1e6


def _of_postgres() -> float:
    """Of all processes below this one; those that have ended count with whoever had started them."""
    return sum(sum(process.cpu_times()[:4]) for process in psutil.Process().children(recursive=True))


class _Stream(ModelStream):
    """The readers' shell, fed by hand."""

    def feed(self, batch: Sequence[Record]) -> None:
        self._topic_ids = topic_ids(self.settings)
        mine = [record for record in batch if record.topic in self.topics]
        for start in range(0, len(mine), self.batch):
            self.until_stored(mine[start : start + self.batch], stopping=lambda: False)


def line(title: str, figures: tuple[float, float], bare: float | None = None, bare_title: str = "") -> None:
    own, postgres = figures
    beside = f"   {bare_title} {bare:7.1f} µs, ratio {own / bare:5.2f}" if bare else ""
    print(f"  {title:<34} {own:8.1f} µs   PostgreSQL {postgres:8.1f} µs{beside}")


def in_parallel(work: Callable[[int], object], number: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(number)))


class Queued:
    """A service whose commands are queued and not waited for: clients that wait would be measured with them."""

    def __init__(self, service: Service) -> None:
        self.run = service.submit


# ---- the parts


def commands(service: Service, number: int) -> None:
    """Fault reports, each a new case, and then a dispatch in each: a case that is loaded first."""
    queued = cast(Service, Queued(service))
    spent = Spent()
    made = [Incident(queued) for _ in range(number)]
    wait([cast(Future[Receipt], incident.receipt) for incident in made])
    reports = spent.told(number)
    spent = Spent()
    wait([cast(Future[Receipt], incident.dispatch(f"crew-{each}")) for each, incident in enumerate(made)])
    dispatches = spent.told(number)
    bare = bare_append(service, number)
    line("a command: a fault is reported", reports, bare, "bare append of the same bytes")
    line("a command: a crew is dispatched", dispatches, bare, "the same")


def bare_append(service: Service, number: int) -> float:
    """The reports' events appended again as other cases' events, hundreds at a time, with nothing decided."""
    with service.connection() as connection:
        rows = connection.execute(
            "SELECT state FROM store.stored_events WHERE topic LIKE 'water.repair.%%' AND originator_version <= 3"
            " ORDER BY notification_id LIMIT %s",
            [3 * number],
        ).fetchall()
    events = [
        StoredEvent(uuid4(), 1, "water.office.Bare.v1", bytes(row["state"]).partition(b',"position"')[0] + b"}")
        for row in rows
    ]
    spent = Spent()
    for start in range(0, len(events), 300):
        service.store.log.insert_events(events[start : start + 300])
    own = spent.told(number)[0]
    with service.connection() as connection:
        connection.execute("DELETE FROM store.stored_events WHERE topic = 'water.office.Bare.v1'")
    return own


def index(service: Service, published: Sequence[Record], number: int) -> None:
    """What the watch does because of the commands: it reads their records, and asks about what they opened. First of
    some that come alone, as they do in a quiet hour, then of all others at once."""
    stream = _Stream(service.settings, "watch", [DueIndex()])
    watch = Watch(service.settings, service.clock, asker(service), looker(service))
    mine = [record for record in published if record.topic in stream.topics]
    with watching(service) as connection:
        spent = Spent()
        for start in range(0, 3 * ALONE, 3):
            stream.feed(mine[start : start + 3])
            ask_all(watch, connection)
        line("one that comes alone: the watch", spent.told(ALONE))
        spent = Spent()
        stream.feed(mine[3 * ALONE :])
        reading = spent.told(number - ALONE)
        spent = Spent()
        ask_all(watch, connection)
    line("a command's records in the index", reading)
    line("a command's questions of the watch", spent.told(number - ALONE))
    print(f"  questions for a command            {watch.asked / number:8.2f}")
    stream.close()


@contextmanager
def watching(service: Service) -> Iterator[psycopg.Connection[Any]]:
    """A watch's connection to its index."""
    with connect(service.settings) as connection:
        connection.row_factory = dict_row  # type: ignore[assignment]
        connection.execute("SET synchronous_commit = off")
        yield connection


def ask_all(watch: Watch, connection: psycopg.Connection[Any]) -> None:
    while watch.ask_due(connection):
        pass


def lapses(service: Service, clock: ManualClock, number: int) -> None:
    """Half an hour later nobody is there."""
    watch = Watch(service.settings, service.clock, asker(service), looker(service))
    with watching(service) as connection:
        for minutes in (5, 15):  # the reminders before the end are not what is measured
            clock.move(timedelta(minutes=minutes))
            ask_all(watch, connection)
        clock.move(timedelta(minutes=11))
        counted = "SELECT coalesce(sum(lapses), 0)::int AS n FROM watch.lateness"
        before = connection.execute(counted).fetchone()
        spent = Spent()
        ask_all(watch, connection)
        figures, after = spent.told(number), connection.execute(counted).fetchone()
    assert before is not None
    assert after is not None
    assert after["n"] - before["n"] == number, (before, after)
    line("a lapse, from due to on record", figures)


def reading(service: Service, number: int) -> None:
    """Every read model over applications' records."""
    made: list[Application] = []
    in_parallel(lambda _: made.append(Application(service).ready()), number)
    published = [r for r in records(service.settings) if r.topic == service.settings.home_topic("connection")]
    spent = Spent()
    for record in published:
        parse(record)
    bare = spent.told(len(published))[0]
    stream = _Stream(service.settings, "views", VIEWS)
    spent = Spent()
    stream.feed(published)
    line("a record of connections, 11 models", spent.told(len(published)), bare, "parsed once")
    stream.close()
    looks(service, [application.stream.id for application in made])


def looks(service: Service, cases: Sequence[UUID]) -> None:
    """``GET /cases/{id}`` without the HTTP around it."""
    for case_id in cases[:20]:
        case_answer(case_id, service, Response())
    spent = Spent()
    for case_id in cases:
        service.history(case_id)
    bare = spent.told(len(cases))[0]
    spent = Spent()
    for case_id in cases:
        case_answer(case_id, service, Response())
    line("GET /cases/{id} of a connection", spent.told(len(cases)), bare, "its events read once")


# ---- an evaluation, part by part

COPIES = 300
"""Of each case, under ids of their own: a single one would lie in the processor's caches throughout."""
ROUNDS = 7
HISTORIES = Path(__file__).parents[1] / "unit" / "histories"
Texts = list[tuple[UUID, list[bytes]]]
"""Cases with their stored events."""


def evaluation() -> None:
    """The parts of an evaluation of typical cases: an incident that nobody has answered and whose arrival limit ends
    (five events), and stored histories of an incident and of applications, in the middle of which they are asked."""
    rules = shipped_rules()
    unanswered, _ = unanswered_case(rules, uuid4(), AT)
    mapper = CloudEventMapper(JSONTranscoder())
    lines = [mapper.to_stored_event(envelope).state for envelope in unanswered]
    parts("an incident at its arrival limit", kinds.REPAIR, lines, rules, AT)
    for name, kind in (("repair-continuous", kinds.REPAIR), ("connection-at-the-door", kinds.CONNECTION)):
        lines = (HISTORIES / f"{name}.jsonl").read_bytes().splitlines()
        parts(name, kind, lines, rules, recorded_of(lines[-1]).happened_at + timedelta(days=30))


def parts(title: str, kind: Kind, lines: Sequence[bytes], rules: Rules, at: datetime) -> None:
    """Print what each part of evaluating the case at ``at`` costs, and all of it as the watch does it."""
    texts = copies(lines)
    facts = [[recorded_of(line) for line in events] for _, events in texts]
    states = [kinds.folded(kind, found) for found in facts]
    found = [kinds.windows(kind, state, rules, at) for state in states]
    said = [kinds.concluded(kind, state, each, at) for state, each in zip(states, found, strict=True)]
    mapper, stamp = CloudEventMapper(JSONTranscoder()), Stamp("bench", "system", "system", str(uuid4()), str(uuid4()))
    # The part of a store that a decision uses.
    store = cast(StoreApplication, SimpleNamespace(mapper=mapper, paper_ways=frozenset()))
    evaluator = Evaluator(store, ManualClock(at), lambda: rules, lambda: rules, "bench")
    typed = [(Stream(kind, case), [(case, "", line) for line in events]) for case, events in texts]

    def encode() -> None:
        for (case, events), concluded in zip(texts, said, strict=True):
            for version, fact in enumerate(concluded, start=len(events) + 1):
                mapper.to_stored_event(Envelope(case, version, kind.topic, fact, at, None, stamp))

    costs = {
        "decode": least(lambda: [[recorded_of(line) for line in events] for _, events in texts]),
        "fold": least(lambda: [kinds.folded(kind, recorded) for recorded in facts]),
        "judge": least(lambda: [kinds.windows(kind, state, rules, at) for state in states]),
        "differences": least(lambda: [kinds.concluded(kind, s, w, at) for s, w in zip(states, found, strict=True)]),
        "encode": least(encode),
        "whole": least(lambda: [evaluator.decided(case, events, rules) for case, events in typed]),
    }
    print(f"  {title}: {len(lines)} events, {len(found[0])} windows, says {len(said[0])}; µs")
    print("    " + ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items()), flush=True)
    figure(f"evaluation of {title}, {len(lines)} events", costs["whole"], "µs", "lower")


def copies(lines: Sequence[bytes]) -> Texts:
    """The stored events of a case as those of many cases."""
    original = str(msgspec.json.decode(lines[0])["subject"]).encode()
    cases = [uuid4() for _ in range(COPIES)]
    return [(case, [line.replace(original, str(case).encode()) for line in lines]) for case in cases]


def least(work: Callable[[], object]) -> float:
    """Microseconds of processor time for a case, of several rounds the least."""
    spent = []
    for _ in range(ROUNDS):
        event_id.cache_clear()  # what a case's new events are called is found once
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent) / COPIES * 1e6


@contextmanager
def opened() -> Iterator[tuple[Service, ManualClock]]:
    """A service on an empty store."""
    home = Path(tempfile.mkdtemp(prefix="tsc-"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home / "postgres") as server:
            migrate(server.conninfo())
            clock = ManualClock(AT)
            service = open_service(Settings(data_dir=home, database_url=server.conninfo()), clock=clock)
            try:
                yield service, clock
            finally:
                service.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--cases", type=int, default=2_000)
    arguments.add_argument("--only-evaluation", action="store_true", help="the parts of an evaluation, without a store")
    options = arguments.parse_args()
    number = options.cases
    if not options.only_evaluation:
        with_store(number)
    collect_less()
    evaluation()


def with_store(number: int) -> None:
    """Everything that a store is needed for; commands and read models first, and then the watch."""
    with opened() as (service, clock):
        in_parallel(lambda _: Incident(service), 200)  # warm
        with psycopg.connect(service.settings.database_url) as connection:
            (warm,) = connection.execute("SELECT position FROM store.log_head").fetchone() or (0,)
        print(f"{number} cases, {CLIENTS} clients, {threading.active_count()} threads")
        commands(service, number)
        published = records(service.settings)
        reading(service, number // 10)
        collect_less()  # as the process of the watch does
        index(service, published, number + 200)
        lapses(service, clock, number + 200)
        assert warm


if __name__ == "__main__":
    main()

"""The window watch with a full index: lateness at a steady rate, a storm, an hour's stop, kill -9; beside it the floor.

Real: PostgreSQL, Kafka, the relay and the watches, each the process that `tongshui up` starts. Every case that falls
due here has its stream by the domain's own decisions: reported, its windows opened, and the two reminders before the
arrival limit told. It is recorded in one go, on a clock set to when that would have been. Its rows in the index are the
domain's answers. The rest of the million are rows of the index alone: other cases, due between two hours and thirty
days from now, so that nothing asks about them. The read models and the API do not run.

The floor is a polling loop, once a second, over a table of the same rows, that does nothing but mark them: no case is
read, nobody is asked, nothing is appended or published. Beside the storm also stands the bare insert of as many event
rows of the same size, 500 to a transaction.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import psycopg
from kafka.structs import TopicPartition
from psycopg import sql

from app.up import _environment, prepare
from domain import kinds
from domain.kernel.facts import Recorded, event_id
from domain.repairs import reports
from domain.standard.context import CommandContext, Person
from domain.standard.standards import Rules
from infra.clock import ManualClock
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.eventstore.commands import Stamp
from infra.eventstore.envelope import Envelope
from infra.eventstore.service import open_service
from infra.kafka.cluster import consumer
from infra.settings import Settings
from infra.sql import sql as named
from tests.bench.installation import at_share, percentiles
from tests.bench.results import found as figure
from tests.unit.cases import SUBJECT

OPEN = int(os.environ.get("BENCH_OPEN", "1000000"))
STORM = int(os.environ.get("BENCH_STORM", "100000"))
STEADY_S = int(os.environ.get("BENCH_STEADY_S", "60"))
STOPPED = int(os.environ.get("BENCH_STOPPED", "30000"))
KILLED = int(os.environ.get("BENCH_KILLED", "30000"))
WORKERS = int(os.environ.get("BENCH_WORKERS", "2"))
PARTS = os.environ.get("BENCH_PARTS", "steady storm stopped killed floor").split()
RATE = 20
PROBE = 400
PATIENCE_S = 900

ARRIVAL = timedelta(minutes=30)
STAMP = Stamp("bench", "hotline", "hotline", "bench", "bench")
STEPS = (timedelta(0), timedelta(minutes=5), timedelta(minutes=20))
"""When the domain is asked before the arrival limit ends: at the report, and at the two reminders."""


# ---- the stage


LAPSED = "SELECT coalesce(sum(lapses), 0) FROM watch.lateness"
"""Counted in the appends' own transactions: to count the events again and again would be a load of its own."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log, and the lapses up to it."""

    position: int
    lapsed: int


@dataclass
class Stage:
    """PostgreSQL, Kafka and the relay; watches as they are asked for."""

    settings: Settings
    connection: psycopg.Connection[Any]
    environment: Mapping[str, str]
    watches: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, part: str) -> subprocess.Popen[bytes]:
        """A process as `tongshui up` starts it."""
        log = (self.settings.data_dir / f"{part}.log").open("ab")
        arguments = [sys.executable, "-m", "app.cli", part]
        return subprocess.Popen(arguments, env=self.environment, stdout=log, stderr=log)

    def start_watches(self, workers: int = WORKERS) -> None:
        """Start watches, and wait until they have read everything there is."""
        self.watches = [self.start("watch") for _ in range(workers)]
        self.wait("SELECT count(*) >= %s FROM store.process_beats WHERE name = 'watch' AND pid = ANY(%s)",
                  workers, [process.pid for process in self.watches])  # fmt: skip

    def stop_watches(self) -> None:
        for process in self.watches:
            process.terminate()
        for process in self.watches:
            end(process)
        self.watches = []

    def wait(self, query: str, *values: Any) -> float:
        """Until the query's one column is true. Returns the seconds."""
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            row = self.connection.execute(query.encode(), values).fetchone()
            if row is not None and row[0]:
                return time.monotonic() - begun
            time.sleep(0.1)
        raise TimeoutError(query)

    def one(self, query: str, *values: Any) -> Any:
        row = self.connection.execute(query.encode(), values).fetchone()
        return row[0] if row is not None else None

    def head(self) -> int:
        return int(self.one("SELECT position FROM store.log_head"))

    def mark(self) -> Mark:
        """Where the log stands, and how many lapses were counted in it."""
        return Mark(self.head(), int(self.one(LAPSED)))

    def wait_for_quiet(self) -> None:
        """Until everything is on Kafka, the index has read it, and nothing is due."""
        self.wait("SELECT coalesce(max(all_out), 0) >= (SELECT position FROM store.log_head) FROM store.relay_state")
        self.wait(
            "SELECT coalesce(bool_and(w.position >= c.position), true) FROM watch.places w"
            " JOIN store.relay_checkpoint c USING (topic, partition)"
        )
        self.wait("SELECT NOT EXISTS (SELECT FROM watch.due WHERE next_ask_at <= clock_timestamp())")


@contextmanager
def stage() -> Iterator[Stage]:
    """Everything but the watches, with a full index."""
    home = Path(tempfile.mkdtemp(prefix="tsw-"))
    home.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        postgres = stack.enter_context(EmbeddedPostgres(home / "postgres"))
        kafka = stack.enter_context(EmbeddedKafka(home / "kafka"))
        settings = Settings(
            data_dir=home, database_url=postgres.conninfo(), kafka_bootstrap=kafka.bootstrap, log_level="WARNING"
        )
        prepare(settings)
        environment = {**os.environ, **_environment(settings)}
        connection = stack.enter_context(psycopg.connect(settings.database_url, autocommit=True))
        made = Stage(settings, connection, environment)
        open_service(settings).close()  # the first opening publishes the rules
        stack.callback(made.stop_watches)
        relay = made.start("relay")
        stack.callback(end, relay)
        stack.callback(relay.terminate)
        fill(connection, OPEN)
        yield made


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was told to end; by force where it does not."""
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def fill(connection: psycopg.Connection[Any], rows: int) -> None:
    """Open windows of other cases, far in the future."""
    connection.execute(
        "INSERT INTO watch.due (case_id, commitment, family, number, due_at, next_ask_at, case_version)"
        " SELECT gen_random_uuid(), 'repair.completion', 'repair', 1, at, at, 3 FROM ("
        "  SELECT clock_timestamp() + interval '2 hours' + random() * interval '29 days' AS at"
        "  FROM generate_series(1, %s)) far",
        [rows],
    )
    connection.execute("ANALYZE watch.due")


# ---- cases


def case(rules: Rules, case_id: UUID, due_at: datetime) -> tuple[list[Envelope], dict[str, datetime]]:
    """The events of an incident whose arrival limit ends at ``due_at``, and what the domain says when to ask next."""
    reported_at, state = due_at - ARRIVAL, None
    envelopes: list[Envelope] = []

    def say(state: Any, fact: Any, at: datetime) -> Any:
        version = len(envelopes) + 1
        envelopes.append(Envelope(case_id, version, "repair", fact, at, None, STAMP))
        return kinds.REPAIR.evolve(
            state, Recorded(fact, event_id(case_id, version), version, at, "bench", "hotline", "hotline")
        )

    ctx = CommandContext(reported_at, reported_at, "hotline", rules, Person("bench", "hotline"))
    fault = reports.report_fault(None, ctx, case_number="BX-1", kind="leak", district_code="qianzhou", subject=SUBJECT)
    state = say(state, fault, reported_at)
    for step in STEPS:
        for fact in kinds.conclusion(kinds.REPAIR, state, rules, reported_at + step):
            state = say(state, fact, reported_at + step)
    return envelopes, kinds.next_ask_at(kinds.REPAIR, state, rules, reported_at + STEPS[-1])


def record(stage: Stage, dues: Sequence[datetime]) -> set[UUID]:
    """Cases whose arrival limits end at these instants, in store and index."""
    # Never ahead of the real time: the log's own time would stay ahead with it.
    at = min(min(dues) - timedelta(minutes=10), datetime.now(UTC))
    service = open_service(stage.settings, clock=ManualClock(at))
    cases: set[UUID] = set()
    rules = service.rules
    try:
        for start in range(0, len(dues), 80):
            envelopes, rows = [], []
            for due_at in dues[start : start + 80]:
                cases.add(case_id := uuid4())
                events, asks = case(rules, case_id, due_at)
                envelopes += events
                rows += [(case_id, name, at, len(events)) for name, at in asks.items()]
            # The rows come first: the index then knows of every event that it has been answered for already.
            put(stage.connection, rows)
            service.store.save(*envelopes)
    finally:
        service.close()
    return cases


def put(connection: psycopg.Connection[Any], rows: Sequence[tuple[UUID, str, datetime, int]]) -> None:
    """Rows of the index, as a watch writes the domain's answers."""
    cases, commitments, next_asks, versions = (list(column) for column in zip(*rows, strict=True))
    families = ["repair"] * len(rows)
    connection.execute(
        named("watch_answer"),
        {"cases": cases, "commitments": commitments, "families": families, "next": next_asks, "versions": versions},
        prepare=True,
    )


# ---- what came of it


@dataclass(frozen=True, slots=True)
class Lapse:
    """A lapse on record."""

    case_id: UUID
    due_at: datetime
    recorded_at: datetime
    position: int


LAPSES = (
    "SELECT originator_id, (e->'data'->>'due_at')::timestamptz, (e->>'recordedat')::timestamptz, position FROM ("
    " SELECT originator_id, convert_from(state, 'UTF8')::jsonb AS e, notification_id AS position"
    " FROM store.stored_events WHERE notification_id > %s AND topic = 'water.repair.WindowLapsed.v1') lapsed"
    " WHERE e->'data'->>'commitment' = 'repair.arrival' ORDER BY position"
)


def lapses(stage: Stage, after: Mark) -> list[Lapse]:
    """Every arrival lapse behind a position, in the order of recording."""
    return [Lapse(*row) for row in stage.connection.execute(LAPSES, [after.position])]


def wait_for_lapses(stage: Stage, after: Mark, number: int) -> None:
    stage.wait(f"SELECT ({LAPSED}) >= %s", after.lapsed + number)


def account(found: Sequence[Lapse], cases: set[UUID]) -> str:
    """Twice and missing, as they should all be 0."""
    fired = [lapse.case_id for lapse in found]
    early = sum(lapse.recorded_at < lapse.due_at for lapse in found)
    return f"twice {len(fired) - len(set(fired))}, missing {len(cases - set(fired))}, early {early}"


class Sightings:
    """A bare consumer of the breach topic: when each lapse could be read there."""

    def __init__(self, settings: Settings) -> None:
        self.seen: dict[UUID, datetime] = {}
        self._settings = settings
        self._stop, self._ready = threading.Event(), threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        self._ready.wait(30)
        yield
        self._stop.set()
        thread.join()

    def _watch(self) -> None:
        topic = self._settings.breach_topic
        with consumer(self._settings, client_id="bench", reset="none") as client:
            client.assign([TopicPartition(topic, number) for number in range(self._settings.partitions)])
            client.seek_to_end()
            for tp in client.assignment():
                client.position(tp)
            self._ready.set()
            while not self._stop.is_set():
                found = client.poll(timeout_ms=100)
                now = datetime.now(UTC)
                for record in (record for records in found.values() for record in records):
                    if b".WindowLapsed." in record.value:
                        self.seen.setdefault(UUID(record.key.decode()), now)


# ---- the measurements


def steady(stage: Stage) -> None:
    """Lateness at 20 lapses a second."""
    number = RATE * STEADY_S
    begin = in_time(stage, number)
    dues = [begin + timedelta(seconds=each / RATE) for each in range(number)]
    after = stage.mark()
    cases = record(stage, dues)
    sightings = Sightings(stage.settings)
    with sightings.watching():
        wait_for_lapses(stage, after, number)
        deadline = time.monotonic() + 20
        while not cases <= sightings.seen.keys() and time.monotonic() < deadline:
            time.sleep(0.05)
    found = lapses(stage, after)
    stored = [(lapse.recorded_at - lapse.due_at).total_seconds() for lapse in found]
    due_of = {lapse.case_id: lapse.due_at for lapse in found}
    read = [(at - due_of[case_id]).total_seconds() for case_id, at in sightings.seen.items() if case_id in due_of]
    print(f"{RATE} lapses a second for {STEADY_S} s: {account(found, cases)}, load {load()}")
    print(f"  due instant to recorded               {percentiles(stored)}")
    print(f"  due instant to read on {stage.settings.breach_topic:<16} {percentiles(read)}")
    figure(f"lateness, {OPEN:,} open, p99", at_share(read, 0.99) * 1000, "ms on the topic", "lower", goal=30)
    lost = len(cases - sightings.seen.keys())
    if lost:
        print(f"  not read on the topic: {lost}")


def in_time(stage: Stage, number: int) -> datetime:
    """An instant by which so many cases will be on record, on Kafka and read: by how long a few of them take now."""
    begun = time.monotonic()
    record(stage, [datetime.now(UTC)] * PROBE)
    stage.wait_for_quiet()
    return datetime.now(UTC) + timedelta(seconds=20 + 1.4 * number * (time.monotonic() - begun) / PROBE)


class Cpu:
    """What the machine did meanwhile: for each part of ours, for others, and what was taken from it altogether."""

    PARTS: Mapping[str, str] = {"app.cli watch": "watches", "app.cli relay": "relay", "postgres": "PostgreSQL",
                                "kafka": "Kafka"}  # fmt: skip

    def __init__(self) -> None:
        self._begun, self._machine = time.monotonic(), psutil.cpu_times()
        self._spent = self._now()

    def _now(self) -> dict[int, tuple[str, float]]:
        """Process → its part, and the seconds it has had."""
        spent = {}
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                part = next((part for word, part in self.PARTS.items() if word in line), "the bench itself")
                spent[process.pid] = part, sum(process.cpu_times()[:2])
        spent[os.getpid()] = "the bench itself", sum(psutil.Process().cpu_times()[:2])
        return spent

    def told(self, lapses: int) -> tuple[float, str]:
        """Microseconds a lapse of all our parts; and the same in words, part by part."""
        now, cores = psutil.cpu_times(), os.cpu_count() or 1
        whole = (time.monotonic() - self._begun) * cores
        parts: dict[str, float] = {}
        for pid, (part, seconds) in self._now().items():
            parts[part] = parts.get(part, 0.0) + seconds - self._spent.get(pid, ("", 0.0))[1]
        idle = now.idle + now.iowait - self._machine.idle - self._machine.iowait
        ours = sum(parts.values())
        each = ", ".join(f"{part} {seconds / lapses * 1e6:.0f}" for part, seconds in sorted(parts.items()))
        others, all_of_it = max(0.0, whole - idle - ours) / whole, ours / lapses * 1e6
        return all_of_it, f"µs a lapse: {each}; all {all_of_it:.0f}; {others:.0%} of the machine was others'"


def storm(stage: Stage, number: int, title: str) -> float:
    """Windows that end in the same second. Returns how long they took."""
    due_at = in_time(stage, number)
    after = stage.mark()
    cases = record(stage, [due_at + timedelta(milliseconds=each % 1000) for each in range(number)])
    stage.wait("SELECT coalesce(max(all_out), 0) >= (SELECT position FROM store.log_head) FROM store.relay_state")
    late = (datetime.now(UTC) - due_at).total_seconds()
    if late > 0:
        print(f"  (the cases were all on Kafka only {late:.0f} s after the storm began: the machine is too busy)")
    else:
        print(f"  (the storm begins in {-late:.0f} s)", flush=True)
        time.sleep(-late)
    cpu, asked = Cpu(), stage.one("SELECT asked FROM watch.tally")
    wait_for_lapses(stage, after, number)
    (all_of_it, spent), asked = cpu.told(number), stage.one("SELECT asked FROM watch.tally") - asked
    found = lapses(stage, after)
    took = (found[-1].recorded_at - due_at).total_seconds()
    out = stage.wait("SELECT max(all_out) >= (SELECT position FROM store.log_head) FROM store.relay_state")
    print(f"{number} windows {title}, {len(stage.watches)} watches: {account(found, cases)}, load {load()}")
    print(f"  lapses recorded                       {number / took:8.0f} /s   in {took:.1f} s from the due instant")
    figure(f"storm of {number:,} limits", number / took, "lapses/s", "higher", goal=3_000)
    print(f"  CPU                                   {spent}")
    figure(f"processor time of a lapse in a storm of {number:,}", all_of_it, "µs", "lower", goal=600)
    print(f"  questions asked                       {asked / number:8.2f}    a lapse")
    print(f"  all of them on Kafka                  {out:8.1f} s   after the last was recorded")
    return took


def stopped(stage: Stage) -> None:
    """No watch for an hour of limits that end, then started again."""
    stage.stop_watches()
    begin = datetime.now(UTC) - timedelta(hours=1)
    after = stage.mark()
    dues = [begin + timedelta(seconds=3600 * each / STOPPED) for each in range(STOPPED)]
    cases = record(stage, dues)
    began = datetime.now(UTC)
    stage.start_watches()
    wait_for_lapses(stage, after, STOPPED)
    found = lapses(stage, after)
    took = (found[-1].recorded_at - found[0].recorded_at).total_seconds()
    furthest, back = found[0].due_at, timedelta(0)
    for lapse in found:
        furthest = max(furthest, lapse.due_at)
        back = max(back, furthest - lapse.due_at)
    first = (found[0].recorded_at - began).total_seconds()
    print(f"{STOPPED} windows of an hour without a watch: {account(found, cases)}, load {load()}")
    print(f"  lapses recorded                       {STOPPED / took:8.0f} /s   the first {first:.1f} s after the start")
    print(f"  due order                             kept but for {back.total_seconds():.0f} s of the hour (batches)")


def killed(stage: Stage) -> None:
    """kill -9 of one of two watches in the middle of a storm."""
    stage.stop_watches()
    stage.start_watches(2)
    stage.wait_for_quiet()
    due_at = in_time(stage, KILLED)
    after = stage.mark()
    cases = record(stage, [due_at] * KILLED)
    wait_for_lapses(stage, after, KILLED // 3)
    at = datetime.now(UTC)
    stage.watches[0].send_signal(signal.SIGKILL)
    leased = {row[0] for row in stage.connection.execute(
        "SELECT case_id FROM watch.due WHERE next_ask_at <= %s AND leased_until > %s", [at, at])}  # fmt: skip
    stage.watches[0].wait()
    stage.watches[0] = stage.start("watch")  # as the supervisor does
    wait_for_lapses(stage, after, KILLED)
    found = lapses(stage, after)
    left = [lapse.recorded_at for lapse in found if lapse.recorded_at > at]
    gap = max((b - a for a, b in zip([at, *left], left, strict=False)), default=timedelta(0))
    under_way = max((lapse.recorded_at - at for lapse in found if lapse.case_id in leased), default=timedelta(0))
    before = sum(lapse.recorded_at <= at for lapse in found)
    rate, after_it = before / (at - due_at).total_seconds(), len(left) / (left[-1] - at).total_seconds()
    print(f"{KILLED} windows due at once, kill -9 of one of two watches: {account(found, cases)}, load {load()}")
    print(f"  before the kill {rate:8.0f} /s, after it {after_it:8.0f} /s; longest silence {gap.total_seconds():.2f} s")
    print(f"  what was under way at the kill is on record after {under_way.total_seconds():.2f} s")


# ---- the floor


def floor(stage: Stage, took: float | None) -> None:
    """Polling once a second over rows alone, and the bare insert of as many event rows."""
    connection = stage.connection
    connection.execute(
        "CREATE TABLE public.polled (case_id uuid PRIMARY KEY, due_at timestamptz, fired_at timestamptz)"
    )
    connection.execute("CREATE INDEX ON public.polled (due_at) WHERE fired_at IS NULL")
    connection.execute("INSERT INTO public.polled SELECT case_id, next_ask_at FROM watch.due WHERE next_ask_at"
                       " > clock_timestamp() + interval '1 hour'")  # fmt: skip
    late = _polled(connection, [datetime.now(UTC) + timedelta(seconds=2 + each / RATE) for each in range(RATE * 15)])
    print(f"the floor: rows marked by a loop that polls each second, load {load()}")
    print(f"  lateness at {RATE} a second                {percentiles(late)}")
    late = _polled(connection, [datetime.now(UTC)] * STORM)
    polling = max(late)
    print(f"  a storm of {STORM}                  {STORM / polling:8.0f} /s")
    bare = bare_inserts(stage, STORM)
    print(f"  bare insert of as many event rows     {STORM / bare:8.0f} /s")
    if took is not None:
        ratios = f"to the polling loop's rate: ratio {polling / took:.2f}; to the bare insert's: {bare / took:.2f}"
        print(f"  the watch's storm, {ratios}")


def _polled(connection: psycopg.Connection[Any], dues: Sequence[datetime]) -> list[float]:
    """Rows that fall due at these instants, marked by the loop; their lateness in seconds."""
    with connection.cursor() as cursor, cursor.copy("COPY public.polled (case_id, due_at) FROM STDIN") as copy:
        for due_at in dues:
            copy.write_row((uuid4(), due_at))
    left, late = len(dues), []
    while left:
        while rows := connection.execute(
            "WITH due AS (SELECT case_id FROM public.polled WHERE due_at <= clock_timestamp() AND fired_at IS NULL"
            " ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED)"
            " UPDATE public.polled p SET fired_at = clock_timestamp() FROM due WHERE p.case_id = due.case_id"
            " RETURNING extract(epoch FROM clock_timestamp() - p.due_at)::float8"
        ).fetchall():
            late += [row[0] for row in rows]
            left -= len(rows)
        time.sleep(1.0 if left else 0)
    return late


def bare_inserts(stage: Stage, number: int) -> float:
    """Seconds to insert as many rows as a lapse's into a table with the store's indexes, 500 to a transaction."""
    connection = stage.connection
    row = connection.execute(
        "SELECT state FROM store.stored_events WHERE topic = 'water.repair.WindowLapsed.v1' LIMIT 1"
    ).fetchone()
    state = bytes(row[0]) if row is not None else b"x" * 900
    connection.execute("CREATE TABLE public.bare (LIKE store.stored_events INCLUDING ALL)")
    statement = sql.SQL(named("insert_events").replace("store.stored_events", "public.bare"))
    begun = time.perf_counter()
    for start in range(0, number, 500):
        some = range(start, min(start + 500, number))
        connection.execute(
            statement,
            {
                "ids": [uuid4() for _ in some],
                "versions": [1 for _ in some],
                "types": ["water.repair.WindowLapsed.v1" for _ in some],
                "states": [state for _ in some],
                "positions": list(some),
            },
            prepare=True,
        )
    return time.perf_counter() - begun


def load() -> str:
    """The machine's load average over the last minute: others may be at work."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def moderate() -> None:
    """The same with fewer of everything, as one measurement among others."""
    sizes = {"OPEN": 200_000, "STORM": 20_000, "STEADY_S": 20, "STOPPED": 5_000, "KILLED": 10_000}
    globals().update({name: size for name, size in sizes.items() if f"BENCH_{name}" not in os.environ})
    main()


def main() -> None:
    """Print the figures."""
    with stage() as made:
        print(f"{OPEN} open windows in the index, {WORKERS} watches, load {load()} before anything runs", flush=True)
        took = None
        made.start_watches()
        made.wait_for_quiet()
        if "steady" in PARTS:
            steady(made)
        if "storm" in PARTS:
            took = storm(made, STORM, "due in the same second")
            made.wait_for_quiet()
        if "stopped" in PARTS:
            stopped(made)
            made.wait_for_quiet()
        if "killed" in PARTS:
            killed(made)
        made.stop_watches()
        if "floor" in PARTS:
            floor(made, took)


if __name__ == "__main__":
    main()

"""What the relay stands: each fault done to it under load, then counted. ``python -m tests.faults.relay_faults``.

One line for each fault: events stored, lost, doubled in effect, and the seconds from the fault's end (for a kill: from
the kill) until a reader had everything that was stored until then. The lines are printed, the tests assert them.
``--kafka-down 600`` keeps Kafka away for ten minutes; the default is shorter, and what it exercises is the same, for
``relay_delivery_timeout_ms`` is shorter too: sessions end, are begun anew and end again all the while.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from app.up import _environment
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.kafka.cluster import admin_client, look_up_cluster
from infra.settings import RelayProducer, Settings
from tests.databases import UNSAFE, copied, make_template
from tests.integration.relaying import (
    CASES,
    PRODUCERS,
    QUICK,
    all_out,
    cut_tail,
    expected,
    has_seen_everything,
    positions,
    reading,
    relay_state,
    relaying,
    seen,
    store_events,
    stored_event,
    wait_until,
)

PROGRAM = (
    "import threading; from infra.settings import RelayProducer, Settings; from infra.relay.relay import Relay; "
    "Relay(Settings()).run(threading.Event())"
)
A_SECOND = 200
"""Events stored each second while a fault lasts."""


@dataclass
class Parts:
    """The servers that faults are done to, and a database and topics of a fault's own."""

    postgres: EmbeddedPostgres
    kafka: EmbeddedKafka
    home: Path
    number: int = 0
    producer: RelayProducer = PRODUCERS[0]
    """The library that the relays send with."""

    def settings(self, **changes: object) -> Settings:
        self.number += 1
        name = f"fault_{os.getpid()}_{self.number}"
        return Settings.model_validate(
            {
                "data_dir": self.home,
                "database_url": copied(self.postgres, name),
                "kafka_bootstrap": self.kafka.bootstrap,
                "topic_prefix": f"fault{os.getpid()}x{self.number}.",
                "relay_producer": self.producer,
                **QUICK,
                **changes,
            }
        )


@contextmanager
def parts() -> Iterator[Parts]:
    """Servers of one's own: they are killed, cut and wiped."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tf-")))
        home.chmod(0o755)
        postgres = stack.enter_context(EmbeddedPostgres(home / "p", settings=UNSAFE))
        make_template(postgres)
        kafka = stack.enter_context(EmbeddedKafka(home / "k"))
        yield Parts(postgres, kafka, home)


@dataclass(frozen=True)
class Outcome:
    """What a fault did."""

    fault: str
    events: int
    lost: int
    doubled: int
    recovered_s: float
    note: str = ""

    def __str__(self) -> str:
        return (
            f"{self.fault:<58} {self.events:>6} events  lost {self.lost}  doubled {self.doubled}  "
            f"recovered in {self.recovered_s:5.1f} s  {self.note}"
        ).rstrip()


@contextmanager
def load(settings: Settings) -> Iterator[None]:
    """Events stored all the time; a PostgreSQL that is away is waited for, as the writer does."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.1):
            try:
                store_events(settings, A_SECOND // 10)
            except psycopg.OperationalError:
                continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def judged(settings: Settings, fault: str, since: float, note: str = "", timeout_s: float = 120) -> Outcome:
    """Wait until the reader has everything, and count. Fails where it never has."""
    wait_until(has_seen_everything(settings), timeout_s, what=f"everything after: {fault}")
    recovered_s = time.monotonic() - since
    wanted, found = positions(expected(settings)), seen(settings)
    lost = sum(len(set(wanted[p]) - set(found.get(p, ()))) for p in wanted)
    doubled = sum(len(rows) - len(set(rows)) for rows in found.values())
    return Outcome(fault, store_events(settings, 0), lost, doubled, recovered_s, note)


def _process(settings: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=os.environ | _environment(settings))


@contextmanager
def _processes(settings: Settings, number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [_process(settings)]
    wait_until(lambda: relay_state(settings).get("all_out", 0) > 0, what="the active relay")
    started += [_process(settings) for _ in range(number - 1)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait(10)


# ---- the faults


def killed(its: Parts) -> Outcome:
    """The active relay is killed with SIGKILL; the standby takes over."""
    settings = its.settings()
    store_events(settings, 500)
    with reading(settings), _processes(settings, 2) as (active, _):
        with load(settings):
            time.sleep(1)
            active.kill()
            since = time.monotonic()
            wait_until(lambda: relay_state(settings)["sessions"] == 2, what="the standby")
            taken_s = time.monotonic() - since
            time.sleep(1)
        return judged(settings, "active relay killed (SIGKILL), standby", since, f"taken over in {taken_s:.1f} s")


def zombie(its: Parts) -> Outcome:
    """The active relay is stopped with events under way, the standby takes over, and then the first one wakes up."""
    settings = its.settings(relay_hang_ms=3_000)
    store_events(settings, 500)
    with reading(settings), _processes(settings, 2) as (active, _):
        with load(settings):
            time.sleep(1)
            store_events(settings, 4_000)
            active.send_signal(signal.SIGSTOP)
            since = time.monotonic()
            wait_until(lambda: relay_state(settings)["sessions"] == 2, what="the standby")
            taken_s = time.monotonic() - since
            wait_until(all_out(settings, store_events(settings, 10)), what="the standby's work")
            active.send_signal(signal.SIGCONT)
            time.sleep(3)  # it sends what it had under way, finds its lock gone, and stands by
        # What it appended is stepped over in a session of its own; that it took the lock back would be one more.
        note = f"taken over in {taken_s:.1f} s, {relay_state(settings)['sessions']} sessions"
        return judged(settings, "active relay stopped (SIGSTOP), wakes as a zombie", since, note)


def kafka_down(its: Parts, seconds: float = 15) -> Outcome:
    """Kafka is killed and stays away under load."""
    settings = its.settings()
    store_events(settings, 500)
    with reading(settings), _processes(settings, 1) as (relay,), load(settings):
        time.sleep(1)
        its.kafka.kill()
        before = _memory_mb(relay)
        time.sleep(seconds)
        after = _memory_mb(relay)
        its.kafka.start()
        since = time.monotonic()
        wait_until(all_out(settings, store_events(settings, 1)), 240, what="what was stored meanwhile")
        note = f"away {seconds:.0f} s, relay {before:.0f} → {after:.0f} MB"
        out = time.monotonic() - since
    found = _after(settings, f"Kafka down for {seconds:.0f} s under load", since, note)
    return Outcome(found.fault, found.events, found.lost, found.doubled, out, found.note)


def _after(settings: Settings, fault: str, since: float, note: str) -> Outcome:
    """Once the load has ended: with a relay and a reader of its own."""
    with relaying(settings), reading(settings):
        return judged(settings, fault, since, note)


def postgres_restarted(its: Parts) -> Outcome:
    """PostgreSQL is killed and started again under load."""
    settings = its.settings()
    store_events(settings, 500)
    with relaying(settings), reading(settings):
        with load(settings):
            time.sleep(1)
            its.postgres.kill()
            time.sleep(1)
            its.postgres.start()
            since = time.monotonic()
            wait_until(all_out(settings, store_events(settings, 1)), what="the relay's work")
        return judged(settings, "PostgreSQL killed and started under load", since)


def notify_lost(its: Parts) -> Outcome:
    """Nobody is notified of anything: the relay looks by itself."""
    settings = its.settings()
    store_events(settings, 500)
    with relaying(settings), reading(settings):
        wait_until(has_seen_everything(settings))
        with psycopg.connect(settings.database_url) as connection:  # events of a transaction whose NOTIFY is lost
            connection.execute("LOCK store.log_head")
            rows = _unannounced(settings, connection, 50)
        since = time.monotonic()
        wait_until(all_out(settings, rows), 10, what="the relay's own look")
        return judged(settings, "NOTIFY lost", since, "poll 100 ms")


def _unannounced(settings: Settings, connection: psycopg.Connection[tuple[object, ...]], number: int) -> int:
    row = connection.execute("SELECT position FROM store.log_head").fetchone()
    assert row is not None
    first = int(str(row[0])) + 1
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO store.stored_events VALUES (%s, %s, %s, %s, %s)",
            [stored_event(position, CASES[position % len(CASES)], "") for position in range(first, first + number)],
        )
    connection.execute("UPDATE store.log_head SET position = %s, recorded_at = now()", [first + number - 1])
    return first + number - 1


def tail_lost(its: Parts) -> Outcome:
    """A partition loses the end of its log while Kafka is down for a moment."""
    settings = its.settings()
    with relaying(settings), reading(settings):
        for _ in range(10):
            wait_until(all_out(settings, store_events(settings, 20)))
        victim = max(expected(settings), key=lambda partition: len(expected(settings)[partition]))
        its.kafka.kill()
        cut_tail(its.kafka, victim, keep=len(expected(settings)[victim]) // 2)
        its.kafka.start()
        since = time.monotonic()
        store_events(settings, 40)
        found = judged(settings, "one partition lost half of its log", since)
    return found if relay_state(settings)["tails_lost"] == 1 else Outcome("the loss was not noticed", 0, 1, 0, 0.0)


def topic_made_anew(its: Parts) -> Outcome:
    """A topic is deleted under a live relay, which makes it anew and fills it."""
    settings = its.settings()
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, store_events(settings, 300)))
        wait_until(has_seen_everything(settings))
        name = settings.home_topic("repair")
        old = look_up_cluster(settings, [name]).topic_ids
        with admin_client(settings) as admin:
            admin.delete_topics([name], timeout_ms=5_000)
        since = time.monotonic()
        store_events(settings, 100)
        found = judged(settings, "a topic deleted under a live relay", since)
        assert look_up_cluster(settings, [name]).topic_ids != old
    return found


def cluster_lost(its: Parts) -> Outcome:
    """The cluster is lost, data and all, under a live relay."""
    settings = its.settings()
    with relaying(settings), reading(settings):
        wait_until(all_out(settings, store_events(settings, 1_000)))
        wait_until(has_seen_everything(settings))
        its.kafka.kill()
        its.kafka.wipe()
        its.kafka.start()
        since = time.monotonic()
        store_events(settings, 100)
        return judged(settings, "the Kafka cluster lost, data and all", since)


def slow_kafka(its: Parts, events: int = 25_000) -> Outcome:
    """Kafka hangs with much to send: the relay stops reading and its memory stays as it is."""
    settings = its.settings(relay_delivery_timeout_ms=60_000, relay_request_timeout_ms=30_000)
    store_events(settings, 500)
    with reading(settings), _processes(settings, 1) as (relay,):
        assert its.kafka.process is not None
        os.kill(its.kafka.process.pid, signal.SIGSTOP)
        try:
            before = _memory_mb(relay)
            for _ in range(events // 5_000):
                store_events(settings, 5_000, note="x" * 1_000)
            time.sleep(3)
            after = _memory_mb(relay)
        finally:
            os.kill(its.kafka.process.pid, signal.SIGCONT)
        since = time.monotonic()
        note = f"{events / 1000:.0f} MB waiting, relay {before:.0f} → {after:.0f} MB"
        wait_until(all_out(settings, store_events(settings, 1)), 120, what="what had waited")
        found = judged(settings, "Kafka hangs with much to send (back-pressure)", since, note, 240)
    return found if after - before < 64 else Outcome("back-pressure: " + note, found.events, 1, 0, 0.0)


def _memory_mb(process: subprocess.Popen[bytes]) -> float:
    return float(psutil.Process(process.pid).memory_info().rss) / 1e6


FAULTS: tuple[Callable[[Parts], Outcome], ...] = (
    killed,
    zombie,
    kafka_down,
    postgres_restarted,
    notify_lost,
    tail_lost,
    topic_made_anew,
    slow_kafka,
    cluster_lost,
)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description="Faults done to the relay, and what became of the events.")
    arguments.add_argument("--kafka-down", type=float, default=15, metavar="SECONDS")
    arguments.add_argument("--producer", choices=PRODUCERS, default=PRODUCERS[0])
    wanted = arguments.parse_args()
    logging.disable(logging.ERROR)
    with parts() as its:
        its.producer = wanted.producer
        for fault in FAULTS:
            print(kafka_down(its, wanted.kafka_down) if fault is kafka_down else fault(its), flush=True)


if __name__ == "__main__":
    main()

"""The relay's throughput beside the bare library producing the same bytes to the same cluster, in the same run.

Once with kafka-python and once with confluent-kafka. Both sides send what a store of real fault reports has, with keys
and headers, acks=all, idempotent, the same linger and batch size. Bare: one loop over records that lie in memory, then
a flush. The relay: from its take-over on an empty cluster until everything is noted as out; it reads PostgreSQL, keeps
the chain, checks each offset and writes checkpoints. They take turns, so that the machine's moods fall on all.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import psycopg
from confluent_kafka import Producer
from kafka import KafkaProducer

from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.kafka.cluster import Partition, admin_client, case_key, client_config, ensure_topics, route, topics
from infra.postgres.migrate import migrate
from infra.relay.producers import Headers, librdkafka_config
from infra.relay.relay import Relay
from infra.settings import Settings
from tests.bench.results import found
from tests.integration.relaying import relay_state, store_events, stored, wait_until

EVENTS = 60_000
EVENTS_OF_A_CASE = 5
GOAL = 0.8
"""Of the bare library."""
GOAL_A_SECOND = 25_000
"""With confluent-kafka."""
FORGETTING = {"log.segment.delete.delay.ms": "100"}
"""What a turn wrote goes from the disk with its topics."""
NOTE = "x" * 300
"""So that an event has some 900 bytes, as the demo's have on average."""

Message = tuple[Partition, bytes, bytes, Headers]


def messages(settings: Settings) -> list[Message]:
    """What the relay will send: the same bytes, keys and headers."""
    chain: dict[Partition, int] = {}
    sent: list[Message] = []
    fixed = [
        ("generation", b"x" * 36),
        ("epoch", b"1"),
        ("content-type", b"application/cloudevents+json; charset=UTF-8"),
    ]
    for position, case, name, state in stored(settings):
        for partition in route(name, case, settings.partitions, settings.topic_prefix):
            headers = [("previousposition", str(chain.get(partition, 0)).encode()), *fixed]
            sent.append((partition, case_key(case), state, headers))
            chain[partition] = position
    return sent


def bare_kafka_python(settings: Settings, sent: list[Message]) -> float:
    """Records a second of kafka-python alone."""
    producer = KafkaProducer(
        **client_config(settings), acks="all", enable_idempotence=True, linger_ms=5, batch_size=256 * 1024
    )
    begun = time.perf_counter()
    for partition, key, value, headers in sent:
        producer.send(partition.topic, value, key, headers=headers, partition=partition.partition)
    producer.flush()
    rate = len(sent) / (time.perf_counter() - begun)
    producer.close()
    return rate


def bare_confluent(settings: Settings, sent: list[Message]) -> float:
    """Records a second of confluent-kafka alone, each of which is reported to a function that does nothing."""
    producer = Producer(librdkafka_config(settings))
    produce: Any = producer.produce
    begun = time.perf_counter()
    for number, (partition, key, value, headers) in enumerate(sent):
        produce(partition.topic, value, key, partition.partition, lambda *_: None, headers=headers)
        if not number % 500:
            producer.poll(0)
    producer.flush()
    rate = len(sent) / (time.perf_counter() - begun)
    producer.close()
    return rate


BARE: dict[str, Callable[[Settings, list[Message]], float]] = {
    "kafka-python": bare_kafka_python,
    "confluent-kafka": bare_confluent,
}


def relayed(settings: Settings, events: int, records: int) -> float:
    """Records a second of the relay, from its start until all is out."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("DELETE FROM store.relay_checkpoint")
        connection.execute("DELETE FROM store.relay_state")
    ensure_topics(settings)
    stop = threading.Event()
    thread = threading.Thread(target=Relay(settings).run, args=(stop,), daemon=True)
    begun = time.perf_counter()
    thread.start()
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        all_out = "SELECT coalesce(max(all_out), 0) >= %s FROM store.relay_state"
        while connection.execute(all_out, [events]).fetchone() != (True,):
            assert time.perf_counter() - begun < 300
            time.sleep(0.02)
    rate = records / (time.perf_counter() - begun)
    stop.set()
    thread.join(20)
    return rate


def profile(settings: Settings, events: int, records: int) -> None:
    """Where the relay's own thread spends its time."""
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    stop = threading.Event()

    def run() -> None:
        profiler.runcall(Relay(settings).run, stop)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_until(lambda: relay_state(settings).get("all_out", 0) >= events, 600)
    stop.set()
    thread.join(20)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Print the rates and the ratio of the medians."""
    arguments = argparse.ArgumentParser(description="The relay beside the bare library, for each of the two.")
    arguments.add_argument("--events", type=int, default=EVENTS)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument(
        "--profile", choices=tuple(BARE), help="Print where the relay's thread spends its time with this library."
    )
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="tsb-") as name:
        home = Path(name)
        home.chmod(0o755)
        with EmbeddedPostgres(home / "p") as postgres, EmbeddedKafka(home / "k", properties=FORGETTING) as kafka:
            migrate(postgres.conninfo())
            settings = Settings(
                data_dir=home,
                database_url=postgres.conninfo(),
                kafka_bootstrap=kafka.bootstrap,
                relay_checkpoint_ms=200,
            )
            cases = [uuid5(UUID(int=0), str(number)) for number in range(wanted.events // EVENTS_OF_A_CASE)]
            store_events(settings, wanted.events, cases=cases, note=NOTE)
            sent = messages(settings)
            if wanted.profile:
                chosen = settings.model_copy(update={"relay_producer": wanted.profile})
                profile(chosen, wanted.events, len(sent))
                return
            gc.freeze()  # What the measurement itself holds is no part of either side's work.
            rates: dict[str, list[tuple[float, float]]] = {library: [] for library in BARE}
            for turn in range(wanted.rounds):
                for library, bare in BARE.items():
                    beside = settings.model_copy(update={"topic_prefix": f"bare.{library}{turn}."})
                    ensure_topics(beside)
                    renamed = [
                        (Partition(beside.topic_prefix + p.topic.removeprefix("water."), p.partition), k, v, h)
                        for p, k, v, h in sent
                    ]
                    mine = settings.model_copy(
                        update={"topic_prefix": f"relay.{library}{turn}.", "relay_producer": library}
                    )
                    rates[library].append((bare(beside, renamed), relayed(mine, wanted.events, len(sent))))
                    with admin_client(settings) as admin:
                        admin.delete_topics([*topics(beside), *topics(mine)])
    print(f"{len(sent)} records of {wanted.events} events, {wanted.rounds} turns each, on this machine")
    for library, turns in rates.items():
        for alone, ours in turns:
            show(library, alone, ours)
        alone, ours = (statistics.median(column) for column in zip(*turns, strict=True))
        show(f"{library}, medians", alone, ours)
        work = "relay" if library == "kafka-python" else f"relay with {library}"
        found(work, ours, "records/s", "higher", beside=alone, what=f"bare {library}", goal=GOAL)
    found("relay with confluent-kafka, alone", ours, "records/s", "higher", goal=GOAL_A_SECOND)


def show(what: str, alone: float, ours: float) -> None:
    """Print a line."""
    print(f"  {what:<24} bare {alone:8.0f} records/s   relay {ours:8.0f} records/s   ratio {ours / alone:.2f}")


if __name__ == "__main__":
    main()

"""The relay's throughput beside bare kafka-python producing the same bytes to the same cluster, in the same run.

Both send what a store of real fault reports has, with keys and headers, acks=all, idempotent, the same linger and batch
size. Bare: one loop over records that lie in memory, then a flush. The relay: from its take-over on an empty cluster
until everything is noted as out; it reads PostgreSQL, keeps the chain, checks each offset and writes checkpoints. They
take turns, so that the machine's moods fall on both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import psycopg
from kafka import KafkaProducer

from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.kafka.cluster import Partition, case_key, client_config, ensure_topics, route
from infra.postgres.migrate import migrate
from infra.relay.relay import Relay
from infra.settings import Settings
from tests.integration.relaying import relay_state, store_events, stored, wait_until

EVENTS = 40_000
NOTE = "x" * 300
"""So that an event has some 900 bytes, as the demo's have on average."""

Message = tuple[Partition, bytes, bytes, list[tuple[str, bytes]]]


def messages(settings: Settings) -> list[Message]:
    """What the relay will send: the same bytes, keys and headers."""
    chain: dict[Partition, int] = {}
    found: list[Message] = []
    fixed = [
        ("generation", b"x" * 36),
        ("epoch", b"1"),
        ("content-type", b"application/cloudevents+json; charset=UTF-8"),
    ]
    for position, case, name, state in stored(settings):
        for partition in route(name, case, settings.partitions, settings.topic_prefix):
            headers = [("previousposition", str(chain.get(partition, 0)).encode()), *fixed]
            found.append((partition, case_key(case), state, headers))
            chain[partition] = position
    return found


def bare(settings: Settings, sent: list[Message]) -> float:
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
    wait_until(lambda: relay_state(settings).get("all_out", 0) >= events, 300)
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
    arguments = argparse.ArgumentParser(description="The relay beside bare kafka-python.")
    arguments.add_argument("--events", type=int, default=EVENTS)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--profile", action="store_true", help="Print where the relay's thread spends its time.")
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="tsb-") as name:
        home = Path(name)
        home.chmod(0o755)
        with EmbeddedPostgres(home / "p") as postgres, EmbeddedKafka(home / "k") as kafka:
            migrate(postgres.conninfo())
            settings = Settings(
                data_dir=home,
                database_url=postgres.conninfo(),
                kafka_bootstrap=kafka.bootstrap,
                relay_checkpoint_ms=200,
            )
            store_events(settings, wanted.events, note=NOTE)
            sent = messages(settings)
            if wanted.profile:
                profile(settings, wanted.events, len(sent))
                return
            rates = []
            for turn in range(wanted.rounds):
                beside = settings.model_copy(update={"topic_prefix": f"bare{turn}."})
                ensure_topics(beside)
                renamed = [
                    (Partition(f"bare{turn}.{p.topic.removeprefix('water.')}", p.partition), k, v, h)
                    for p, k, v, h in sent
                ]
                mine = settings.model_copy(update={"topic_prefix": f"relay{turn}."})
                rates.append((bare(beside, renamed), relayed(mine, wanted.events, len(sent))))
    print(f"{len(sent)} records of {wanted.events} events, {wanted.rounds} turns each, on this machine")
    for alone, ours in rates:
        print(f"  bare kafka-python {alone:8.0f} records/s   relay {ours:8.0f} records/s   ratio {ours / alone:.2f}")
    alone, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"  medians           {alone:8.0f} records/s   relay {ours:8.0f} records/s   ratio {ours / alone:.2f}")


if __name__ == "__main__":
    main()

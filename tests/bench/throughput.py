"""Commands a second into the store beside bare saves of the library and single-row commits; relay and read models
beside bare kafka-python."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
from kafka import KafkaProducer

from infra.eventstore.service import Service, open_service
from infra.kafka.cluster import client_config
from infra.settings import Settings
from tests.bench.bare_eventsourcing import saves_a_second
from tests.bench.installation import installation
from tests.bench.results import found
from tests.commands import Incident

CLIENTS = 64
CASES = 4_000


def commands(service: Service) -> float:
    """Fault reports a second with 64 clients, each three events."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: Incident(service), range(CASES)))
    return CASES / (time.perf_counter() - begun)


def bare_commits(settings: Settings) -> float:
    """Single-row commits a second of one client."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.bare (id bigint GENERATED ALWAYS AS IDENTITY, state bytea)")
        begun = time.perf_counter()
        for _ in range(2_000):
            connection.execute("INSERT INTO public.bare (state) VALUES (%s)", [b"x" * 700])
        return 2_000 / (time.perf_counter() - begun)


def until(settings: Settings, query: str, wanted: int) -> float:
    """Seconds until the query's number reaches ``wanted``; at most two minutes."""
    begun = time.perf_counter()
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        while time.perf_counter() - begun < 120:
            row = connection.execute(query).fetchone()
            if row is not None and row[0] is not None and row[0] >= wanted:
                break
            time.sleep(0.02)
    return time.perf_counter() - begun


def bare_producing(settings: Settings, states: list[bytes]) -> float:
    """Records a second of bare kafka-python producing the same bytes with the same guarantees."""
    producer = KafkaProducer(
        **client_config(settings), acks="all", enable_idempotence=True, linger_ms=5, batch_size=256 * 1024
    )
    begun = time.perf_counter()
    for number, state in enumerate(states):
        producer.send(settings.dead_letter_topic, value=state, partition=number % settings.partitions)
    producer.flush()
    rate = len(states) / (time.perf_counter() - begun)
    producer.close()
    return rate


def main() -> None:
    """Print the rates."""
    with installation() as settings:
        service = open_service(settings)
        bare = bare_commits(settings)
        saves = saves_a_second(settings.database_url)
        rate = commands(service)
        with service.connection() as connection:
            row = connection.execute("SELECT position FROM store.log_head").fetchone()
            head = int(row["position"]) if row else 0
        relayed = until(settings, "SELECT max(all_out) FROM store.relay_state", head)
        seen = until(settings, "SELECT count(*) FROM views.cases", CASES)
        with psycopg.connect(settings.database_url) as plain:
            states = [bytes(each) for (each,) in plain.execute("SELECT state FROM store.stored_events")]
        producing = bare_producing(settings, states)
        service.close()
    print(f"{CASES} fault reports (three events each), {CLIENTS} clients, everything running on this machine")
    print(f"  commands stored                      {rate:8.0f} /s")
    print(f"  bare eventsourcing, one client       {saves:8.0f} /s   ratio {rate / saves:.2f}")
    print(f"  bare single-row commits, one client  {bare:8.0f} /s   ratio {rate / bare:.2f}")
    print(f"  bare kafka-python, same bytes        {producing:8.0f} records/s")
    print(f"  after the last command: relay done in {relayed:.2f} s, read model in {relayed + seen:.2f} s")
    found("commands", rate, "/s", "higher", beside=saves, what="bare eventsourcing, one by one", goal=5)


if __name__ == "__main__":
    main()

"""From command accepted to row visible in the read model, at a steady rate (``--rate``, commands a second); beside it
the broker's own round trip."""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from infra.kafka.cluster import client_config
from infra.settings import Settings
from tests.bench.installation import at_share, installation, percentiles
from tests.bench.plain_http import Pool, ask, request_bytes
from tests.bench.results import found
from tests.proven import PROVEN

RATE = 50
SECONDS = 20


class Sightings:
    """When each case's row was first seen, by looking after each of the stream's notifications."""

    def __init__(self, database_url: str) -> None:
        self.seen: dict[UUID, float] = {}
        self._url = database_url
        self._stop = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        yield
        self._stop.set()
        thread.join()

    def _watch(self) -> None:
        last = 0
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("LISTEN tongshui_views")
            while not self._stop.is_set():
                for _ in connection.notifies(timeout=0.05, stop_after=1):
                    pass
                rows = connection.execute("SELECT case_id, position FROM views.cases WHERE position > %s", [last])
                now = time.perf_counter()
                for case_id, position in rows:
                    self.seen.setdefault(case_id, now)
                    # Partitions are not merged: look a little behind the highest position.
                    last = max(last, position - 200)


async def send(port: int, rate: int, seconds: int) -> dict[UUID, tuple[float, float]]:
    """Report faults at a steady rate. Case → (sent, accepted), both perf_counter seconds."""
    accepted: dict[UUID, tuple[float, float]] = {}
    headers = {**PROVEN, "X-Actor": "bench", "X-Role": "hotline", "X-Channel": "hotline"}
    body = {"kind": "leak", "district": "qianzhou", "reporter": {"phone": "13800000000"}}
    request = request_bytes("POST", "/api/v1/repairs", port, headers, json.dumps(body).encode())
    pool = Pool(port)

    async def one() -> None:
        sent = time.perf_counter()
        async with pool.connection() as connection:
            answer = await ask(connection, request)
        accepted[UUID(json.loads(answer)["case_id"])] = (sent, time.perf_counter())

    begun, tasks = time.perf_counter(), []
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    pool.close()
    return accepted


def round_trips(settings: Settings, rate: int, seconds: int) -> list[float]:
    """Bare kafka-python: a record of 700 bytes produced with acks=all and read by a consumer of one partition."""
    topic, seen = settings.dead_letter_topic, {}
    stop = threading.Event()
    consumer = KafkaConsumer(**client_config(settings), group_id=None, fetch_max_wait_ms=100)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_end()
    consumer.position(TopicPartition(topic, 0))

    def read() -> None:
        while not stop.is_set():
            for records in consumer.poll(timeout_ms=50).values():
                for record in records:
                    seen[record.key] = time.perf_counter()

    thread = threading.Thread(target=read)
    thread.start()
    producer = KafkaProducer(**client_config(settings), acks="all", linger_ms=0)
    sent, begun = {}, time.perf_counter()
    for number in range(rate * seconds):
        time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        key = str(number).encode()
        sent[key] = time.perf_counter()
        producer.send(topic, key=key, value=b"x" * 700, partition=0)
    producer.flush()
    deadline = time.monotonic() + 10
    while len(seen) < len(sent) and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join()
    consumer.close()
    producer.close()
    return [seen[key] - at for key, at in sent.items() if key in seen]


def main() -> None:
    """Print the latencies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(";")[0])
    parser.add_argument("--rate", type=int, default=RATE)
    rate: int = parser.parse_args().rate
    with installation() as settings:
        asyncio.run(send(settings.http_port, rate, 3))  # warm
        sightings = Sightings(settings.database_url)
        with sightings.watching():
            accepted = asyncio.run(send(settings.http_port, rate, SECONDS))
            deadline = time.monotonic() + 15
            while not accepted.keys() <= sightings.seen.keys() and time.monotonic() < deadline:
                time.sleep(0.05)
        missing = [case for case in accepted if case not in sightings.seen]
        visible = [max(0.0, sightings.seen[case] - at) for case, (_, at) in accepted.items() if case not in missing]
        answered = [at - sent for sent, at in accepted.values()]
        bare = round_trips(settings, rate, 5)
    print(f"{rate} commands a second for {SECONDS} s, {len(missing)} rows not seen")
    print(f"  request to answer (committed)        {percentiles(answered)}")
    print(f"  answer to row visible                {percentiles(visible)}")
    print(f"  bare kafka-python produce to consume {percentiles(bare)}")
    seen_ms, bare_ms = at_share(visible, 0.5) * 1000, at_share(bare, 0.5) * 1000
    print(f"  ratio of the medians                 {seen_ms / bare_ms:.1f}")
    every = f"at {rate} a second"
    found(
        f"answer to row visible {every}, p50",
        seen_ms,
        "ms",
        "lower",
        beside=bare_ms,
        what="ms, bare round trip",
        goal=3,
    )
    found(f"answer to row visible {every}, p99", at_share(visible, 0.99) * 1000, "ms", "lower", goal=60)
    found(f"request to answer {every}, p99", at_share(answered, 0.99) * 1000, "ms", "lower", goal=100)


if __name__ == "__main__":
    main()

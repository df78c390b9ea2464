"""Readings a second, judged and stored with everything running, beside bare Faust and a bare consumer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from kafka import KafkaProducer
from kafka.structs import TopicPartition

from infra.kafka.cluster import client_config, consumer, look_up_cluster
from infra.kafka.meter_readings import MeterReading, to_record
from infra.settings import Settings
from tests.bench.installation import installation
from tests.bench.results import found

METERS = int(os.environ.get("BENCH_METERS", "20000"))
EACH = int(os.environ.get("BENCH_READINGS_EACH", "10"))


def readings() -> Iterator[MeterReading]:
    """Hourly readings of every meter, meter by meter in each hour; one in fifty stands out."""
    begin = datetime.now(UTC) - timedelta(hours=EACH + 1)
    for hour in range(EACH):
        for number in range(METERS):
            more = 40_000 if (hour, number % 5) == (EACH - 1, 0) else 0
            yield MeterReading(f"JS-{number:07d}", begin + timedelta(hours=hour), (hour + 1) * 10_000 + more)


def send(settings: Settings) -> float:
    """Seconds to produce all of them, acknowledged."""
    producer = KafkaProducer(
        **client_config(settings), acks="all", enable_idempotence=True, linger_ms=5, batch_size=256 * 1024
    )
    begun = time.perf_counter()
    for reading in readings():
        key, value = to_record(reading)
        producer.send(settings.readings_topic, key=key, value=value)
    producer.flush()
    producer.close()
    return time.perf_counter() - begun


def bare(settings: Settings) -> float:
    """Seconds in which a bare consumer reads as many records of the topic and does nothing with them."""
    cluster = look_up_cluster(settings, [settings.readings_topic])
    left = METERS * EACH
    with consumer(settings, client_id="bench", reset="earliest", max_records=settings.readings_batch) as client:
        client.assign([TopicPartition(*partition) for partition in cluster.partitions])
        client.seek_to_beginning()
        begun = time.perf_counter()
        while left > 0:
            left -= sum(len(found) for found in client.poll(timeout_ms=200).values())
        return time.perf_counter() - begun


def bare_faust(settings: Settings) -> float:
    """Seconds in which an agent of a bare Faust app counts as many records of the topic, from the first to the last."""
    environment = os.environ | {"BENCH_KAFKA": settings.kafka_bootstrap, "BENCH_COUNT": str(METERS * EACH)}
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, "-m", "tests.bench.bare_faust", settings.readings_topic, folder]
        found = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300, check=True)
    return float(found.stdout.split()[-1])


def taken(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM readings.offsets").fetchone()
    return row[0] if row else 0


def untold(connection: psycopg.Connection[tuple[int]]) -> bool:
    row = connection.execute("SELECT count(*) FROM readings.anomalies WHERE told < revision").fetchone()
    return row is None or row[0] > 0


def main() -> None:
    """Print the rates."""
    total = METERS * EACH
    with installation() as settings, psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO readings.meters SELECT 'JS-' || lpad(n::text, 7, '0'), 0, 99999"
            " FROM generate_series(0, %s) AS n",
            [METERS - 1],
        )
        begun = time.perf_counter()
        producing = send(settings)
        while taken(connection) < total and time.perf_counter() - begun < 300:
            time.sleep(0.05)
        took = time.perf_counter() - begun
        while untold(connection) and time.perf_counter() - begun < 300:
            time.sleep(0.05)
        runner = time.perf_counter() - begun
        reading = bare(settings)
        counting = bare_faust(settings)
        stored = connection.execute("SELECT count(*) FROM readings.readings").fetchone()
        flagged = connection.execute("SELECT count(*) FROM readings.anomalies").fetchone()
    assert stored == (total,), stored
    assert flagged is not None
    print(f"{total} readings of {METERS} meters, everything running on this machine")
    print(f"  produced and acknowledged         {total / producing:8.0f} /s")
    print(f"  judged and stored, from the first {total / took:8.0f} /s   {flagged[0]} stand out")
    print(f"  every one of those has its case   {runner:8.1f} s after the first reading, {took:.1f} s for the readings")
    print(f"  bare Faust, an agent that counts  {total / counting:8.0f} /s   ratio {counting / took:.2f}")
    found("readings", total / took, "/s", "higher", beside=total / counting, what="bare Faust that counts", goal=0.8)
    print(f"  bare consumer on the same topic   {total / reading:8.0f} /s   ratio {reading / took:.2f}")


if __name__ == "__main__":
    main()

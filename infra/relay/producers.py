"""What the relay needs of a Kafka producer, and the two libraries that give it.

Both are idempotent, wait for all replicas in sync and keep the order within a partition. A record is sent once: whether
it was appended is told by ``appended``, in order for each partition and with offsets. Where one fails the relay throws
the producer away, and what that has not sent by then it never sends.

kafka-python is what every other client of ours is made of. confluent-kafka (librdkafka) encodes and sends outside of
Python, which takes a good part of the relay's processor time away; it is installed only where somebody wants it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from infra.kafka.cluster import BusRefusal, Partition, client_config, named
from infra.relay.chain import Appended, runs
from infra.settings import RelayProducer, Settings

log = logging.getLogger(__name__)

CLIENT_ID = "tongshui-relay"
LINGER_MS = 0
"""Nothing waits for more: under a backlog records gather anyway, while others are under way."""
BATCH_BYTES = 256 * 1024
REQUEST_BYTES = 1024 * 1024
"""At most, as kafka-python has it; a larger record is refused."""

Headers = list[tuple[str, bytes]]


class SendFailed(Exception):
    """A record was not acknowledged, or cannot be sent at all; what became of it is not known."""


class Producer(Protocol):
    """A producer of one relay session; see the module."""

    def send(self, partition: Partition, key: bytes, value: bytes, headers: Headers) -> None:
        """Send a record behind those that were sent to the partition before. Raises SendFailed, KafkaError."""

    def appended(self) -> list[Appended]:
        """What was acknowledged since last asked, of each partition in the order in which it was sent. Raises
        SendFailed where a record failed."""

    def throw_away(self) -> None:
        """End it: what is not on its way yet is never sent. Waits for as long as a request may take, at most."""


@contextmanager
def producer(settings: Settings) -> Iterator[Producer]:
    """The producer that the settings choose, thrown away at the end. Raises BusRefusal "producer-not-installed",
    KafkaError where no broker answers, KafkaRefused where one does and does not let us in."""
    refuse_missing(settings)
    with named(settings):
        made: Producer = _MAKERS[settings.relay_producer](settings)
    try:
        yield made
    finally:
        made.throw_away()


def refuse_missing(settings: Settings) -> None:
    """Raise BusRefusal "producer-not-installed" where the library of the chosen producer is not installed."""
    if settings.relay_producer == "confluent-kafka" and find_spec("confluent_kafka") is None:
        raise BusRefusal(
            "producer-not-installed",
            found="TONGSHUI_RELAY_PRODUCER=confluent-kafka and no library confluent-kafka 未安装 confluent-kafka 库",
            needed="the library that the setting names 该设置所指的库",
            next_step="install it with `pip install --require-hashes -r requirements-confluent.txt`, or set "
            "TONGSHUI_RELAY_PRODUCER=kafka-python 请安装该库，或改用 kafka-python",
        )


# ---- kafka-python


class KafkaPython:
    """By kafka-python.

    Its ``send`` looks at topic, headers and size of each record, which takes a third of its time. Here the first record
    of a partition goes that way each time after acknowledgements were asked for; the others are put straight where
    ``send`` puts them.
    """

    def __init__(self, settings: Settings) -> None:
        self._patience_s = settings.relay_request_timeout_ms / 1000 + 1
        self._under_way: dict[Partition, deque[Any]] = {}
        self._producer = KafkaProducer(
            **client_config(settings),
            client_id=CLIENT_ID,
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            delivery_timeout_ms=settings.relay_delivery_timeout_ms,
            request_timeout_ms=settings.relay_request_timeout_ms,
            max_block_ms=settings.relay_request_timeout_ms,
            allow_auto_create_topics=False,
        )
        self._append = self._producer._accumulator.append
        self._wake_up = self._producer._sender.wakeup
        self._looked_at: dict[Partition, TopicPartition] = {}

    def send(self, partition: Partition, key: bytes, value: bytes, headers: Headers) -> None:
        if (place := self._looked_at.get(partition)) is not None:
            future, full, new, _ = self._append(place, None, key, value, headers)
            if full or new:
                self._wake_up()
        else:
            try:
                future = self._producer.send(partition.topic, value, key, headers, partition.partition)
            except ValueError as error:
                raise SendFailed(f"{partition} is not there any more: {error}") from error
            self._looked_at[partition] = TopicPartition(*partition)
        if (futures := self._under_way.get(partition)) is None:
            futures = self._under_way[partition] = deque()
        futures.append(future)

    def appended(self) -> list[Appended]:
        self._looked_at.clear()
        found: list[Appended] = []
        for partition, futures in self._under_way.items():
            offsets = []
            while futures and futures[0].is_done:
                future = futures.popleft()
                if future.exception is not None:
                    raise SendFailed(f"a record for {partition} was not acknowledged: {_line(future.exception)}")
                offsets.append(future.value.offset)
            found += runs(partition, offsets)
        return found

    def throw_away(self) -> None:
        # close() begins with a flush, which would send what is behind a failed record. The sender has the way out that
        # other clients reach by a close with no time: fail whatever is not under way, then end.
        self._producer._sender.force_close()
        self._producer._sender.join(self._patience_s)
        with suppress(KafkaError):
            self._producer.close(timeout=0)


# ---- confluent-kafka


class Confluent:
    """By confluent-kafka. Its reports come one for each record; its batches know no headers."""

    def __init__(self, settings: Settings) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka import Producer as Library

        self._errors = (KafkaException, BufferError)
        self._patience_s = settings.relay_request_timeout_ms / 1000 + 1
        self._offsets: dict[Partition, list[int]] = {}
        self._failed: list[str] = []
        self._told: dict[Partition, Callable[[Any, Any], None]] = {}
        self._producer = Library(librdkafka_config(settings), logger=log)
        self._produce: Any = self._producer.produce

    def send(self, partition: Partition, key: bytes, value: bytes, headers: Headers) -> None:
        if (told := self._told.get(partition)) is None:
            told = self._told[partition] = self._listener(partition)
        try:
            self._produce(partition[0], value, key, partition[1], told, headers=headers)
        except self._errors as error:
            raise SendFailed(f"a record for {partition} cannot be sent: {_line(error)}") from error

    def _listener(self, partition: Partition) -> Callable[[Any, Any], None]:
        """Called for each record of a partition, in order, by ``poll``."""
        offsets = self._offsets[partition] = []
        take, failed = offsets.append, self._failed

        def told(error: Any, message: Any) -> None:
            if error is None:
                take(message.offset())
            else:
                failed.append(f"a record for {partition} was not acknowledged: {_line(error)}")

        return told

    def appended(self) -> list[Appended]:
        self._producer.poll(0)
        if self._failed:
            raise SendFailed(self._failed[0])
        found: list[Appended] = []
        for partition, offsets in self._offsets.items():
            found += runs(partition, offsets)
            offsets.clear()
        return found

    def throw_away(self) -> None:
        # What is in a queue or under way is given up before the end, which would wait for it and send it otherwise.
        self._producer.purge(blocking=False)
        self._producer.flush(self._patience_s)
        self._producer.close()


def librdkafka_config(settings: Settings) -> dict[str, Any]:
    """The same addresses, security and reconnects as ``client_config`` gives, in librdkafka's names."""
    chosen = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
        "ssl.ca.location": settings.kafka_ssl_cafile,
        "ssl.certificate.location": settings.kafka_ssl_certfile,
        "ssl.key.location": settings.kafka_ssl_keyfile,
    }
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        **{name: value for name, value in chosen.items() if value is not None},
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        "client.id": CLIENT_ID,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "batch.size": BATCH_BYTES,
        "message.max.bytes": REQUEST_BYTES,
        "delivery.timeout.ms": settings.relay_delivery_timeout_ms,
        "request.timeout.ms": settings.relay_request_timeout_ms,
        "socket.timeout.ms": settings.relay_request_timeout_ms,
        "allow.auto.create.topics": False,
        # It would tell the brokers about itself every five minutes.
        "enable.metrics.push": False,
    }


_MAKERS: dict[RelayProducer, Callable[[Settings], Producer]] = {
    "kafka-python": KafkaPython,
    "confluent-kafka": Confluent,
}


def _line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__

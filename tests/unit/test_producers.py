"""What the relay sends with: the library is refused where it is not there, and is told what the other one is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from infra.kafka.cluster import BusRefusal, client_config
from infra.relay import producers
from infra.relay.producers import librdkafka_config, refuse_missing
from infra.relay.relay import Relay
from infra.settings import Settings

CONFLUENT = Settings(relay_producer="confluent-kafka")
SAME = {
    "bootstrap_servers": "bootstrap.servers",
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "reconnect_backoff_max_ms": "reconnect.backoff.max.ms",
    "metadata_max_age_ms": "topic.metadata.refresh.interval.ms",
}
"""A setting of kafka-python, and the same of librdkafka."""


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producers, "find_spec", lambda name: None)


@pytest.mark.usefixtures("not_installed")
def test_a_library_that_is_not_installed_is_refused_before_anything_else() -> None:
    with pytest.raises(BusRefusal) as refusal:
        Relay(CONFLUENT).run(threading.Event())
    assert refusal.value.code == "producer-not-installed"
    said = str(refusal.value)
    assert "TONGSHUI_RELAY_PRODUCER=confluent-kafka" in said
    assert "requirements-confluent.txt" in said
    assert "未安装 confluent-kafka 库" in said


@pytest.mark.usefixtures("not_installed")
def test_kafka_python_needs_nothing_more() -> None:
    refuse_missing(Settings())


def test_both_libraries_are_told_the_same_addresses_and_security() -> None:
    settings = Settings(
        relay_producer="confluent-kafka",
        kafka_bootstrap="one:9092,two:9092",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username="relay",
        kafka_sasl_password="secret",
        kafka_ssl_cafile="/ca.pem",
        kafka_ssl_certfile="/own.pem",
        kafka_ssl_keyfile="/own.key",
    )
    known = client_config(settings) | {"bootstrap_servers": settings.kafka_bootstrap}
    # How long bootstrapping may take: librdkafka does it while it sends.
    del known["bootstrap_timeout_ms"]
    told = librdkafka_config(settings)
    assert {name: told[SAME[name]] for name in known} == known


def test_what_is_not_set_is_not_told() -> None:
    told: dict[str, Any] = librdkafka_config(CONFLUENT)
    assert not [name for name in told if name.startswith(("sasl.", "ssl."))]
    assert None not in told.values()


def test_the_other_library_keeps_the_order_and_waits_for_every_replica() -> None:
    told = librdkafka_config(CONFLUENT)
    assert (told["acks"], told["enable.idempotence"], told["allow.auto.create.topics"]) == ("all", True, False)

"""TLS and passwords: servers that demand them, every kind of client, and one clear line where something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import PersistenceError
from kafka import KafkaProducer
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion
from kafka.errors import KafkaError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.up import _environment
from infra.clock import REAL
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.eventstore.application import open_store
from infra.eventstore.service import connection_pool
from infra.kafka.cluster import admin_client, client_config, ensure_topics, look_up_cluster
from infra.kafka.diagnose import KafkaRefused
from infra.postgres.connections import connect
from infra.settings import Settings
from tests.integration.relaying import (
    QUICK,
    all_out,
    expected,
    read_anew,
    relaying,
    store_events,
    wait_until,
)
from tests.secured import PASSWORD, USER, Authority, TlsFront, authority, secured_kafka, tls_front


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "ours")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "another")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, ours: Authority) -> Iterator[EmbeddedKafka]:
    with secured_kafka(tmp_path_factory.mktemp("sk"), ours) as kafka:
        yield kafka


def secured(broker: EmbeddedKafka, ours: Authority, database: str, tmp_path: Path, **changes: object) -> Settings:
    right: dict[str, object] = {
        "data_dir": tmp_path,
        "database_url": database,
        "kafka_bootstrap": broker.bootstrap,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_sasl_username": USER,
        "kafka_sasl_password": PASSWORD,
        "kafka_ssl_cafile": str(ours.certificate),
        "topic_prefix": f"{conninfo_to_dict(database)['dbname']}.",
    }
    return Settings.model_validate(right | QUICK | changes)


def environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, **_environment(settings)}


def tongshui(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(program, env=environment(settings), capture_output=True, text=True, timeout=60, check=False)


# ---- Kafka


@pytest.mark.parametrize(
    ("mechanism", "producer"),
    [("PLAIN", "kafka-python"), ("SCRAM-SHA-512", "kafka-python"), ("SCRAM-SHA-512", "confluent-kafka")],
)
def test_relay_and_readers_work_over_tls_with_a_password(
    broker: EmbeddedKafka, ours: Authority, database: str, tmp_path: Path, mechanism: str, producer: str
) -> None:
    """Admin client, producer and consumers of kafka-python, and the relay's other producer."""
    settings = secured(broker, ours, database, tmp_path, relay_producer=producer)
    if mechanism != "PLAIN":
        with admin_client(settings) as admin:
            admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion("scrammer", ScramMechanism.SCRAM_SHA_512, "another-password")]
            )
        login = {"kafka_sasl_username": "scrammer", "kafka_sasl_password": "another-password"}
        settings = settings.model_copy(update={"kafka_sasl_mechanism": mechanism, **login})
    last = store_events(settings, 50)
    with relaying(settings):
        wait_until(all_out(settings, last))
    assert read_anew(settings) == expected(settings)


@pytest.mark.slow  # the relay over TLS is shown above, and a worker that is not let in below
def test_a_faust_worker_works_over_tls_with_a_password(
    broker: EmbeddedKafka, ours: Authority, database: str, tmp_path: Path
) -> None:
    settings = secured(broker, ours, database, tmp_path)
    last = store_events(settings, 50)
    worker = subprocess.Popen([sys.executable, "-m", "app.cli", "views"], env=environment(settings))
    try:
        with relaying(settings):
            wait_until(all_out(settings, last))
            wait_until(lambda: read_to(settings) >= 40, what="the worker's places")
    finally:
        worker.kill()
        worker.wait(10)


def read_to(settings: Settings) -> int:
    with psycopg.connect(settings.database_url) as connection:
        row = connection.execute("SELECT coalesce(max(position), 0) FROM views.places").fetchone()
        assert row is not None
        return int(row[0])


WRONG: dict[str, dict[str, Any]] = {
    "kafka-login-refused": {"kafka_sasl_password": "a wrong one"},
    "kafka-mechanism-unknown": {"kafka_sasl_mechanism": "SCRAM-SHA-256"},
    "kafka-demands-tls": {"kafka_security_protocol": "PLAINTEXT"},
    "kafka-demands-login": {"kafka_security_protocol": "SSL"},
    "kafka-certificate-unreadable": {"kafka_ssl_cafile": "/nowhere/ca.pem"},
    "kafka-certificate-unknown": {},
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bootstrapping is given up after a moment: the answer at the door is what matters."""
    monkeypatch.setattr("infra.kafka.cluster.REPLY_MS", 1_500)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("code", sorted(WRONG))
def test_a_broker_that_does_not_let_us_in_is_named_by_its_reason(
    broker: EmbeddedKafka, ours: Authority, another: Authority, store_settings: Settings, tmp_path: Path, code: str
) -> None:
    changes = WRONG[code] or {"kafka_ssl_cafile": str(another.certificate)}
    settings = secured(broker, ours, store_settings.database_url, tmp_path, **changes)
    with pytest.raises(KafkaRefused) as shut:
        look_up_cluster(settings, ())
    assert shut.value.code == code
    assert broker.bootstrap in str(shut.value) or code == "kafka-certificate-unreadable"
    assert PASSWORD not in str(shut.value)
    assert "a wrong one" not in str(shut.value)
    with pytest.raises((KafkaError, OSError)):
        KafkaProducer(**client_config(settings))


@pytest.mark.usefixtures("impatient")
def test_a_broker_without_tls_is_named(kafka: EmbeddedKafka, ours: Authority, database: str, tmp_path: Path) -> None:
    settings = secured(kafka, ours, database, tmp_path)
    with pytest.raises(KafkaRefused, match="kafka-speaks-no-tls"):
        look_up_cluster(settings, ())


def test_a_certificate_for_another_host_is_refused(
    tmp_path_factory: pytest.TempPathFactory, ours: Authority, postgres: EmbeddedPostgres
) -> None:
    """The same for PostgreSQL, where the front is cheap to start."""
    with tls_front(socket_of(postgres), *ours.issue("DNS:elsewhere.example")) as front:
        url = over_tls(front, ours)
        with pytest.raises(psycopg.OperationalError, match=r"certificate|host name"):
            psycopg.connect(url)


def test_a_worker_that_is_not_let_in_ends_with_one_clear_line(
    broker: EmbeddedKafka, ours: Authority, database: str, tmp_path: Path
) -> None:
    settings = secured(broker, ours, database, tmp_path, kafka_sasl_password="a wrong one")
    ended = tongshui(settings, "views")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tongshui: kafka-login-refused: found a broker that refuses the user 'tongshui'")


# ---- PostgreSQL


def socket_of(postgres: EmbeddedPostgres) -> Path:
    parts = conninfo_to_dict(postgres.conninfo())
    return Path(str(parts["host"])) / f".s.PGSQL.{parts['port']}"


def over_tls(front: TlsFront, trusted: Authority, **changes: object) -> str:
    right = {
        "host": "127.0.0.1",
        "port": front.port,
        "user": "postgres",
        "dbname": "template",
        "sslmode": "verify-full",
        "sslrootcert": str(trusted.certificate),
    }
    return make_conninfo("", **(right | changes))  # type: ignore[arg-type]


@pytest.fixture
def front(postgres: EmbeddedPostgres, ours: Authority) -> Iterator[TlsFront]:
    with tls_front(socket_of(postgres), *ours.issue()) as running:
        yield running


def test_every_kind_of_connection_is_made_over_tls(
    front: TlsFront, ours: Authority, database: str, tmp_path: Path
) -> None:
    url = over_tls(front, ours, dbname=conninfo_to_dict(database)["dbname"])
    settings = Settings(data_dir=tmp_path, database_url=url, kafka_bootstrap="127.0.0.1:1")
    connect(settings).close()
    pool = connection_pool(url)
    with pool.connection() as connection:
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}
    pool.close()
    store = open_store(url, REAL)
    assert store.log.rules_position() == 0
    store.close()
    assert front.plain == 0


def test_the_store_itself_refuses_an_unknown_authority(front: TlsFront, another: Authority, database: str) -> None:
    """The event-sourcing library knows nothing of TLS: what the URL says of it must reach it all the same."""
    with pytest.raises(PersistenceError):
        open_store(over_tls(front, another, dbname=conninfo_to_dict(database)["dbname"]), REAL)


@pytest.mark.parametrize("wrong", ["authority", "plaintext"])
def test_a_postgresql_that_is_not_trusted_or_demands_tls_is_one_clear_line(
    front: TlsFront, ours: Authority, another: Authority, tmp_path: Path, wrong: str
) -> None:
    url, code = {
        "authority": (over_tls(front, another), "postgres-certificate-unknown"),
        "plaintext": (over_tls(front, ours, sslmode="disable"), "postgres-demands-tls"),
    }[wrong]
    settings = Settings(data_dir=tmp_path, database_url=url, kafka_bootstrap="127.0.0.1:1")
    ended = tongshui(settings, "outbox", "list")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"tongshui: {code}: ")


def test_a_wrong_password_of_postgresql_is_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, ours: Authority, tmp_path: Path
) -> None:
    home = tmp_path_factory.mktemp("pw")
    with EmbeddedPostgres(home / "p") as server:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("CREATE ROLE utility LOGIN PASSWORD 'right'")
            (path,) = connection.execute("SHOW hba_file").fetchone() or ("",)
            Path(path).write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            connection.execute("SELECT pg_reload_conf()")
        with tls_front(socket_of(server), *ours.issue()) as front:
            login = {"dbname": "tongshui", "user": "utility"}
            psycopg.connect(over_tls(front, ours, **login, password="right")).close()
            url = over_tls(front, ours, **login, password="wrong")
            settings = Settings(data_dir=tmp_path, database_url=url, kafka_bootstrap="127.0.0.1:1")
            ended = tongshui(settings, "outbox", "list")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tongshui: postgres-login-refused: ")


def test_topics_are_made_over_tls(broker: EmbeddedKafka, ours: Authority, database: str, tmp_path: Path) -> None:
    settings = secured(broker, ours, database, tmp_path)
    assert len(ensure_topics(settings).topics) == len(settings.home_topics) + 2

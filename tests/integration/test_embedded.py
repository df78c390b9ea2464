"""The embedded parts: real PostgreSQL and real Kafka as children, through restarts, faults and refusals."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from infra.embedded import EmbeddedError, EmbeddedKafka, EmbeddedPostgres, free_port, kafka_archive, postgres_place
from infra.embedded.jars import LOCK, read_lock, verify
from infra.embedded.waiting import StartPatience

ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A directory that every user can reach; tmp_path is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="tongshui-"))
    folder.chmod(0o755)
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture
def postgres(open_home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(open_home)
    yield server
    server.stop(immediate=True)


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    broker = EmbeddedKafka(tmp_path / "kafka")
    yield broker
    broker.kill()


def wait_until(condition: Callable[[], bool], timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def test_postgres_is_version_18_without_a_network_port(postgres: EmbeddedPostgres) -> None:
    postgres.start()

    with psycopg.connect(postgres.conninfo()) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.info.dbname == "tongshui"
        assert setting(connection, "listen_addresses") == ""
        assert setting(connection, "fsync") == "on"
        assert setting(connection, "max_connections") == "200"


def test_a_setting_given_by_the_caller_reaches_postgres(open_home: Path) -> None:
    with (
        EmbeddedPostgres(open_home, settings={"max_connections": "37"}) as server,
        psycopg.connect(server.conninfo()) as connection,
    ):
        assert setting(connection, "max_connections") == "37"


@pytest.mark.parametrize("how", ["stop", "stop at once", "kill"])
def test_postgres_keeps_what_was_committed_and_its_address(postgres: EmbeddedPostgres, how: str) -> None:
    postgres.start()
    address = postgres.conninfo()
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        connection.commit()
        {"stop": postgres.stop, "stop at once": lambda: postgres.stop(immediate=True), "kill": postgres.kill}[how]()

    postgres.start()

    assert postgres.conninfo() == address
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_starting_what_runs_changes_nothing(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    first = postgres.process
    postgres.start()
    assert postgres.process is first


def test_a_second_postgres_on_the_same_home_is_refused(
    postgres: EmbeddedPostgres, open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.embedded.postgres._TELLING_PATIENCE_S", 0.1)
    postgres.start()
    with pytest.raises(EmbeddedError, match="postgres-already-running") as refusal:
        EmbeddedPostgres(open_home).start()
    assert postgres.process is not None
    assert str(postgres.process.pid) in refusal.value.found


def test_a_pid_file_of_a_dead_or_foreign_process_does_not_hinder(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.kill()
    pid_file = data_of(postgres) / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    postgres.start()

    assert pid_file.read_text().splitlines()[0] != str(os.getpid())


def test_another_major_version_is_refused_and_nothing_touched(open_home: Path) -> None:
    data = open_home / "data"
    data.mkdir(parents=True, mode=0o700)
    (data / "PG_VERSION").write_text("16\n")
    before = sorted(open_home.rglob("*"))

    with pytest.raises(EmbeddedError, match="postgres-data-version") as refusal:
        EmbeddedPostgres(open_home).start()

    assert "16" in refusal.value.found
    assert "18" in refusal.value.needed
    assert "pg_dumpall" in refusal.value.next_step
    assert sorted(open_home.rglob("*")) == before


def test_files_that_are_no_cluster_are_refused(open_home: Path) -> None:
    (open_home / "data").mkdir(parents=True)
    (open_home / "data" / "letter.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="postgres-data-unknown"):
        EmbeddedPostgres(open_home).start()
    assert (open_home / "data" / "letter.txt").read_text() == "mine"


def test_a_cluster_that_was_never_finished_is_made_anew(open_home: Path) -> None:
    (open_home / "data.part").mkdir(parents=True)
    (open_home / "data.part" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(open_home) as server:
        psycopg.connect(server.conninfo()).close()


@pytest.mark.parametrize("part", [EmbeddedPostgres, EmbeddedKafka])
def test_a_home_that_cannot_be_written_is_refused(
    tmp_path: Path, part: type[EmbeddedPostgres] | type[EmbeddedKafka]
) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(EmbeddedError, match="data-directory-unwritable") as refusal:
        part(tmp_path / "file" / "home").start()
    assert "TONGSHUI_DATA_DIR" in refusal.value.next_step


def test_a_setting_that_postgres_does_not_know_is_told(open_home: Path) -> None:
    with pytest.raises(EmbeddedError, match="postgres-start-failed") as refusal:
        EmbeddedPostgres(open_home, settings={"no_such_setting": "1"}).start()
    assert "no_such_setting" in refusal.value.found
    assert not refusal.value.may_pass


@pytest.mark.slow  # starts both parts four times
def test_a_part_that_is_killed_while_it_starts_may_do_better_the_next_time(
    postgres: EmbeddedPostgres, kafka: EmbeddedKafka
) -> None:
    """Killed as soon as its first process runs, and again while that makes the data directory."""
    parts: list[tuple[EmbeddedPostgres | EmbeddedKafka, Path]] = [
        (postgres, postgres.home / "data.part" / "global"),
        (kafka, kafka.home / "data.part.properties"),
    ]
    for part, made in parts:
        for moment in (lambda: True, made.exists):
            failure = killed_while_it_starts(part, moment)
            assert failure.may_pass, failure
            assert "SIGKILL" in failure.found
        part.start()


def killed_while_it_starts(part: EmbeddedPostgres | EmbeddedKafka, moment: Callable[[], bool]) -> EmbeddedError:
    """The error of a start whose first process is killed once it runs and the moment has come."""
    known = part.process
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(part.start)
        wait_until(lambda: part.process is not known and moment())
        part.kill()
        failure = starting.exception(90)
    assert isinstance(failure, EmbeddedError), failure
    return failure


def test_a_postgres_that_says_that_it_recovers_is_waited_for(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log is read again for longer than a start may take."""
    postgres.start()
    postgres.stop()
    said: list[str] = []
    monkeypatch.setattr(postgres, "_say", said.append)
    monkeypatch.setattr("infra.embedded.postgres._TELL_EVERY_S", 0.1)
    postgres._patience = StartPatience(1)
    ready_at, connect = time.monotonic() + 1.5, psycopg.connect

    def answer(*arguments: Any, **options: Any) -> Any:
        if time.monotonic() < ready_at:
            raise psycopg.OperationalError("FATAL:  the database system is not yet accepting connections")
        return connect(*arguments, **options)

    monkeypatch.setattr("infra.embedded.postgres.psycopg.connect", answer)
    postgres.start()
    assert any("not ready after" in line and "not yet accepting connections" in line for line in said)


def test_a_long_path_in_chinese_with_a_comma_does_not_hinder_postgres(open_home: Path) -> None:
    with (
        EmbeddedPostgres(open_home.parent / ("供水, '公司\" " * 5) / "数据") as server,
        psycopg.connect(server.conninfo()) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.wipe()


@as_root
def test_root_puts_the_cluster_elsewhere_where_its_user_cannot_reach_home(
    open_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = open_home.parent / "elsewhere"
    monkeypatch.setattr(postgres_place, "ELSEWHERE", elsewhere)
    tmp_path.chmod(0o700)
    said: list[str] = []
    server = EmbeddedPostgres(tmp_path / "home", say=said.append)

    with server:
        assert elsewhere in data_of(server).parents
        address = server.conninfo()
    assert len(said) == 1
    assert str(data_of(server).parent) in said[0]
    assert tmp_path.stat().st_mode & 0o777 == 0o700

    again = EmbeddedPostgres(tmp_path / "home", say=said.append)
    with again:
        assert again.conninfo() == address
    assert len(said) == 1


@as_root
def test_a_deleted_home_begins_anew_and_its_old_cluster_is_set_aside(
    open_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_place, "ELSEWHERE", open_home.parent / "elsewhere")
    home = tmp_path / "home"
    with EmbeddedPostgres(home) as server, psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE old()")
    shutil.rmtree(home)
    said: list[str] = []

    with EmbeddedPostgres(home, say=said.append) as server, psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT to_regclass('old')").fetchone() == (None,)

    assert any("orphan" in line for line in said)
    server.wipe()
    assert [path.name.split(".")[1][:6] for path in postgres_place.ELSEWHERE.iterdir()] == ["orphan"]


@as_root
def test_programs_that_the_other_user_cannot_read_are_copied_once(
    open_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    site = postgres_place.installation()
    for tree in postgres_place._trees(site):
        shutil.copytree(site / tree, closed / tree, symlinks=True)
    for path in closed.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.setattr(postgres_place, "installation", lambda: closed)
    monkeypatch.setattr(postgres_place, "ELSEWHERE", open_home.parent / "elsewhere")
    said: list[str] = []

    for name in ("one", "two"):
        with EmbeddedPostgres(open_home / name, say=said.append) as server:
            psycopg.connect(server.conninfo()).close()

    assert len(said) == 1
    assert "copied to" in said[0]


def test_kafka_keeps_records_and_its_address_over_stop_and_kill(kafka: EmbeddedKafka) -> None:
    kafka.start()
    address = kafka.bootstrap
    create_topic(kafka, "kept")
    send(kafka, "kept", b"before the stop")

    kafka.stop()
    kafka.start()
    send(kafka, "kept", b"before the kill")
    kafka.kill()
    kafka.start()

    assert kafka.bootstrap == address
    assert received(kafka, "kept", 2) == [b"before the stop", b"before the kill"]


@pytest.mark.slow
def test_wiped_kafka_is_another_cluster_on_the_same_port(kafka: EmbeddedKafka) -> None:
    kafka.start()
    address, first = kafka.bootstrap, cluster_id(kafka)
    create_topic(kafka, "gone")
    with pytest.raises(RuntimeError, match="stopped"):
        kafka.wipe()
    kafka.stop()

    kafka.wipe()
    kafka.start()

    assert kafka.bootstrap == address
    assert cluster_id(kafka) != first
    assert topics(kafka) == []


@pytest.mark.slow
def test_kafka_in_a_directory_with_a_chinese_name_and_a_comma_stores_there(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "水务, 数据") as broker:
        create_topic(broker, "water")
        wait_until((broker.data / "water-0").is_dir)


def test_a_second_kafka_on_the_same_home_is_refused(kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.kafka._DYING_PATIENCE_S", 0.1)
    kafka.start()
    with pytest.raises(EmbeddedError, match="kafka-already-running"):
        EmbeddedKafka(kafka.home).start()


def test_a_port_that_another_program_has_is_refused(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(EmbeddedError, match="kafka-port-taken") as refusal:
        EmbeddedKafka(tmp_path, port=port).start()
    assert str(port) in refusal.value.found


def test_kafka_leaves_files_alone_that_are_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("18\n")
    broker = EmbeddedKafka(tmp_path)
    with pytest.raises(EmbeddedError, match="kafka-data-unknown"):
        broker.start()
    broker.wipe()
    assert (tmp_path / "data" / "PG_VERSION").exists()


@pytest.mark.slow
def test_a_broker_that_ends_at_its_start_is_told_with_the_way_out(kafka: EmbeddedKafka) -> None:
    kafka.start()
    kafka.stop()
    properties = kafka.data / "meta.properties"
    properties.write_text(properties.read_text().replace("node.id=1", "node.id=9"))
    with pytest.raises(EmbeddedError, match="kafka-start-failed: found exit code 1; it said: nothing") as refusal:
        kafka.start()
    assert str(kafka.data) in refusal.value.next_step


def test_a_jar_with_other_bytes_is_refused(tmp_path: Path) -> None:
    home, changed = tmp_path / "home", tmp_path / "jars"
    with EmbeddedKafka(home):
        pass
    remembered = home / "jars.json"
    jars = [
        shutil.copy(jar, changed.joinpath(Path(jar).name)) for jar in made(changed, json.loads(remembered.read_text()))
    ]
    with changed.joinpath("kafka-clients-4.4.0.jar").open("ab") as jar:
        jar.write(b"x")
    remembered.write_text(json.dumps([str(jar) for jar in jars]))

    with pytest.raises(EmbeddedError, match="kafka-jar-mismatch") as refusal:
        EmbeddedKafka(home).start()

    assert "kafka-clients-4.4.0.jar" in refusal.value.found
    assert read_lock(LOCK)["kafka-clients-4.4.0.jar"] in refusal.value.needed


def test_a_missing_and_an_unknown_jar_are_refused(tmp_path: Path) -> None:
    jar = tmp_path / "a.jar"
    jar.write_bytes(b"a")
    lock = {"a.jar": hashlib.sha256(b"a").hexdigest()}
    verify([jar], lock)
    with pytest.raises(EmbeddedError, match=r"no b\.jar among 1 jars"):
        verify([jar], lock | {"b.jar": "0" * 64})
    with pytest.raises(EmbeddedError, match=r"no jar that kafka-jars\.lock does not name"):
        verify([jar], {})


def test_both_die_with_the_program_that_started_them(open_home: Path, tmp_path: Path) -> None:
    program = f"""
import signal, sys, threading
from pathlib import Path
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
parts = [EmbeddedPostgres(Path({str(open_home)!r})), EmbeddedKafka(Path({str(tmp_path)!r}))]
for part in parts:  # each from a thread that ends: the children must live on
    thread = threading.Thread(target=part.start)
    thread.start()
    thread.join()
print(*(part.process.pid for part in parts), flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        assert all(child.is_running() for child in children)
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(runs(child) for child in children))

    with EmbeddedPostgres(open_home) as server:  # and what they leave can be started again
        psycopg.connect(server.conninfo()).close()


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def setting(connection: psycopg.Connection[tuple[object, ...]], name: str) -> object:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return row[0]


def data_of(server: EmbeddedPostgres) -> Path:
    place = server._place
    assert place is not None
    return place.data


def made(folder: Path, names: list[str]) -> list[str]:
    folder.mkdir()
    return names


def create_topic(broker: EmbeddedKafka, name: str) -> None:
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        client.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        client.close()


def topics(broker: EmbeddedKafka) -> list[str]:
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        return sorted(client.list_topics())
    finally:
        client.close()


def cluster_id(broker: EmbeddedKafka) -> str:
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        return str(client.describe_cluster()["cluster_id"])
    finally:
        client.close()


def send(broker: EmbeddedKafka, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    try:
        producer.send(topic, value).get(timeout=30)
    finally:
        producer.close()


def received(broker: EmbeddedKafka, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", group_id=None)
    values: list[bytes] = []
    try:
        consumer.assign([TopicPartition(topic, 0)])
        wait_until(lambda: len(_take(consumer, values)) >= count)
    finally:
        consumer.close()
    return values


def _take(consumer: KafkaConsumer, values: list[bytes]) -> list[bytes]:
    for batch in consumer.poll(timeout_ms=200).values():
        values += [record.value for record in batch]
    return values


def test_a_broker_starts_from_the_archive_of_its_classes_and_without_one_that_java_does_not_take(
    kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kafka_archive.ARCHIVE.exists():
        pytest.skip("there is no archive of Kafka's classes; `make archive` makes it")
    kafka.start()
    assert str(kafka_archive.ARCHIVE) in mapped_by(kafka)
    kafka.stop()
    other = tmp_path / "other.aot"
    other.write_bytes(b"no archive of Java's")
    monkeypatch.setattr(kafka_archive, "ARCHIVE", other)
    kafka.start()
    assert str(other) not in mapped_by(kafka)


def mapped_by(broker: EmbeddedKafka) -> set[str]:
    """The files that the broker's process has in its memory."""
    assert broker.process is not None
    return {each.path for each in psutil.Process(broker.process.pid).memory_maps()}

"""A store restored from an earlier copy behind a real Kafka: appended back, or a new generation."""

from __future__ import annotations

import itertools
import json
import shutil
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaProducer
from psycopg.rows import dict_row

from app.processes import begin_generation, recover_store
from consumers.notary.export import gather
from consumers.notary.keys import Keys
from consumers.notary.note import Note
from consumers.notary.verify import AuditEvidence, AuditReport, verify
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.eventstore import recover
from infra.eventstore.recover import RecoverRefusal
from infra.kafka.cluster import Partition, case_key, client_config, look_up_cluster, partition_of, topics
from infra.relay.relay import Relay, RelayRefusal
from infra.settings import Settings
from tests.integration.relaying import (
    CASES,
    QUICK,
    READER,
    Running,
    all_out,
    expected,
    has_seen_everything,
    on_kafka,
    positions,
    read_anew,
    reading,
    relaying,
    seen,
    store_events,
    stored,
    stored_event,
    wait_until,
)
from tests.integration.test_notary import audit, on_topic, refused, rows, signed_up_to, signing

_numbers = itertools.count(1)


class Place:
    """A database that can be copied and put back, and the topics of its events."""

    def __init__(self, postgres: EmbeddedPostgres, settings: Settings) -> None:
        self.postgres = postgres
        self.settings = settings
        self.name = psycopg.conninfo.conninfo_to_dict(settings.database_url)["dbname"]

    def back_up(self) -> None:
        self._run(f"CREATE DATABASE {self.name}_backup TEMPLATE {self.name}")

    def restore(self) -> None:
        self._run(f"DROP DATABASE {self.name} WITH (FORCE)")
        self._run(f"CREATE DATABASE {self.name} TEMPLATE {self.name}_backup")

    def head(self) -> dict[str, Any]:
        with psycopg.connect(self.settings.database_url, row_factory=dict_row) as connection:
            row = connection.execute("SELECT * FROM store.log_head").fetchone()
            assert row is not None
            return row

    def relay(self, events: int, note: str = "") -> int:
        last = store_events(self.settings, events, note=note)
        with relaying(self.settings), reading(self.settings):
            wait_until(all_out(self.settings, last))
            wait_until(has_seen_everything(self.settings))
        return last

    def refused(self) -> str:
        error = Running(Relay(self.settings).run).ended()
        assert isinstance(error, RelayRefusal)
        return error.code

    def begin_generation(self, *, dry_run: bool = False, rebuild_billing: bool = False) -> list[str]:
        keep = self.settings.data_dir / "kept.jsonl"
        return begin_generation(self.settings, "op-1", keep, rebuild_billing=rebuild_billing, dry_run=dry_run)

    def _run(self, text: str) -> None:
        with psycopg.connect(self.postgres.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(text.encode())


@pytest.fixture
def place(postgres: EmbeddedPostgres, kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Place]:
    name = f"recover_{next(_numbers)}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template".encode())
    settings = Settings(
        data_dir=tmp_path,
        database_url=postgres.conninfo(name),
        kafka_bootstrap=kafka.bootstrap,
        topic_prefix=f"{name.replace('_', '')}.",
        **QUICK,
    )
    yield Place(postgres, settings)
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        for each in (name, f"{name}_backup"):
            connection.execute(f"DROP DATABASE IF EXISTS {each} WITH (FORCE)".encode())


def test_a_restored_store_gets_its_tail_back_from_kafka_byte_for_byte(place: Place) -> None:
    place.relay(60)
    place.back_up()
    place.relay(700, note="since the backup")
    before, head, read = stored(place.settings), place.head(), seen(place.settings)
    place.restore()
    assert place.refused() == "kafka-ahead-of-store"

    assert recover.DRY in recover_store(place.settings, dry_run=True)
    assert len(stored(place.settings)) == 60, "a dry run writes nothing"
    said = recover_store(place.settings, dry_run=False)

    assert any("appended back: 700 events, positions 61 to 760" in line for line in said)
    assert any(line.startswith("does not come back: idempotency keys") for line in said)
    assert stored(place.settings) == before
    after = place.head()
    assert (after["position"], after["generation"]) == (760, head["generation"])
    assert recover_store(place.settings, dry_run=False)[0].endswith("nothing to do")
    last = place.relay(30)
    assert last == 790
    assert {p: found[: len(read[p])] for p, found in seen(place.settings).items()} == read
    assert read_anew(place.settings) == expected(place.settings)
    records = sum(len(found) for found in on_kafka(place.settings).values())
    assert records == sum(map(len, expected(place.settings).values())), "nothing was published twice"


@pytest.mark.slow
def test_a_lost_store_without_a_backup_comes_back_whole(place: Place) -> None:
    place.back_up()  # of the empty schema
    place.relay(40)
    before, head = stored(place.settings), place.head()
    place.restore()
    with psycopg.connect(place.settings.database_url) as connection:
        connection.execute("UPDATE store.log_head SET generation = gen_random_uuid()")  # as a new database has
    recover_store(place.settings, dry_run=False)
    assert stored(place.settings) == before
    assert place.head()["generation"] == head["generation"]
    place.relay(10)
    assert read_anew(place.settings) == expected(place.settings)


def test_forked_histories_are_refused_and_a_new_generation_is_offered(place: Place) -> None:
    place.relay(40)
    place.back_up()
    place.relay(40)
    place.restore()
    store_events(place.settings, 5, note="another history")
    before = stored(place.settings)
    with pytest.raises(RecoverRefusal, match="histories-forked: found position 41 at ") as refusal:
        recover_store(place.settings, dry_run=False)
    assert "--new-generation" in refusal.value.next_step
    assert stored(place.settings) == before


@pytest.mark.slow
def test_a_position_that_no_topic_has_is_refused(place: Place) -> None:
    place.relay(40)
    place.back_up()
    store_events(place.settings, 10)
    with psycopg.connect(place.settings.database_url) as connection:
        connection.execute("DELETE FROM store.stored_events WHERE notification_id = 45")
    with relaying(place.settings):
        wait_until(all_out(place.settings, 50))
    place.restore()
    with pytest.raises(RecoverRefusal, match="chain-link-missing: found positions 45 to 45 on no topic"):
        recover_store(place.settings, dry_run=False)


def test_a_store_that_somebody_else_uses_is_refused(place: Place) -> None:
    with psycopg.connect(place.settings.database_url, application_name="the old api") as connection:
        connection.execute("SELECT 1")
        with pytest.raises(RecoverRefusal, match="store-in-use: found 1 other sessions on the database: the old api"):
            recover_store(place.settings, dry_run=True)


def test_what_is_given_up_is_kept_and_the_new_generation_begins_above_it(place: Place) -> None:
    place.relay(40)
    place.back_up()
    last = place.relay(60, note="given up")
    given_up = stored(place.settings)[40:]
    place.restore()
    store_events(place.settings, 5, note="another history")
    old = look_up_cluster(place.settings, topics(place.settings)).topic_ids
    first_generation = place.head()["generation"]

    assert recover.DRY in place.begin_generation(dry_run=True)
    assert not (place.settings.data_dir / "kept.jsonl").exists()
    said = place.begin_generation()

    assert any(line.startswith("given up: 60 events of positions 41 to 100") for line in said)
    kept = [json.loads(line) for line in (place.settings.data_dir / "kept.jsonl").read_bytes().splitlines()]
    assert {b64decode(line["value_base64"]) for line in kept} == {state for *_, state in given_up}
    assert all(line["headers"]["generation"] == str(first_generation) for line in kept)
    (*_, event) = stored(place.settings)
    assert event[0] == last + 1
    assert event[2] == "water.public.GenerationStarted.v1"
    data = json.loads(event[3])["data"]
    assert (data["forked_behind"], data["begins_behind"], data["given_up"]) == (40, 100, 60)
    assert place.head()["generation"] != first_generation

    # Readers: the restored one goes on; one who comes anew finds the store's events and no others.
    place.relay(30)
    assert read_anew(place.settings) == expected(place.settings)
    assert seen(place.settings) == positions(expected(place.settings))
    generations = {record.headers["generation"] for found in on_kafka(place.settings).values() for record in found}
    assert generations == {str(place.head()["generation"]).encode()}
    new = look_up_cluster(place.settings, topics(place.settings)).topic_ids
    assert not set(old.values()) - {old[place.settings.dead_letter_topic]} & set(new.values())


def test_a_reader_who_had_read_what_is_given_up_takes_every_later_event(place: Place) -> None:
    """By the reader's rule alone: nothing of the new generation is held or dropped."""
    place.relay(40)
    place.back_up()
    place.relay(60, note="given up")
    read = {p: found[-1] for p, found in seen(place.settings).items()}
    place.restore()
    place.begin_generation()
    with psycopg.connect(place.settings.database_url) as connection:
        for partition, position in read.items():  # a reader outside has what the restored database has not
            connection.execute(
                "UPDATE views.places SET position = %s WHERE reader = %s AND topic = %s AND partition = %s",
                [position, READER, *partition],
            )
        connection.execute("TRUNCATE views.seen")
    last = store_events(place.settings, 40)
    with relaying(place.settings), reading(place.settings):
        wait_until(all_out(place.settings, last))
        wanted = {
            p: [position for position, _ in rows if position > 100]
            for p, rows in expected(place.settings).items()
            if any(position > 100 for position, _ in rows)
        }
        wait_until(lambda: seen(place.settings) == wanted, what="the new generation's events, each once")


@pytest.mark.slow
def test_a_new_generation_that_was_interrupted_is_finished(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.relay(20)
    place.back_up()
    place.relay(20)
    place.restore()

    def interrupted(settings: Settings, names: Sequence[str]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recover, "make_anew", interrupted)
        with pytest.raises(KeyboardInterrupt):
            place.begin_generation()
    assert place.refused() == "kafka-ahead-of-store"
    with pytest.raises(RecoverRefusal, match="generation-unfinished"):
        recover_store(place.settings, dry_run=False)
    head = place.head()
    place.begin_generation()
    assert place.head() == head
    place.relay(10)
    assert read_anew(place.settings) == expected(place.settings)


@pytest.mark.slow
def test_a_store_restored_from_before_a_new_generation_gets_that_back_too(place: Place) -> None:
    place.relay(20)
    place.back_up()
    place.relay(20)
    place.restore()
    place.begin_generation()
    place.relay(30)
    before, head = stored(place.settings), place.head()
    place.restore()
    recover_store(place.settings, dry_run=False)
    assert stored(place.settings) == before
    assert place.head()["generation"] == head["generation"]
    place.relay(10)
    assert read_anew(place.settings) == expected(place.settings)


@pytest.mark.slow
def test_there_is_nothing_to_give_up_where_kafka_has_no_more(place: Place) -> None:
    place.relay(20)
    with pytest.raises(RecoverRefusal, match="nothing-to-give-up"):
        place.begin_generation()


def test_a_forged_record_with_the_relays_marks_is_not_taken_in(place: Place) -> None:
    place.relay(20)
    partition = next(iter(expected(place.settings)))
    producer = KafkaProducer(**client_config(place.settings), acks="all")
    headers = [("previousposition", b"20"), ("epoch", b"1"), ("generation", b"g")]
    producer.send(partition.topic, b'{"position": 21}', b"k", headers=headers, partition=partition.partition).get(10)
    producer.close(timeout=5)
    with pytest.raises(RecoverRefusal, match="record-unreadable"):
        recover_store(place.settings, dry_run=False)


@pytest.mark.slow
def test_a_store_that_went_on_where_kafka_lost_the_contradiction_is_refused_by_its_chain(place: Place) -> None:
    """Nothing differs at any position; only what the records say of the event before them tells of another history."""
    place.back_up()
    settings = place.settings
    last = store_events(settings, 1, cases=[CASES[0]])
    with relaying(settings):
        wait_until(all_out(settings, last))
    place.restore()
    store_events(settings, 1, cases=[CASES[0]])  # position 1 anew, the same bytes: no fork
    partition = Partition(settings.home_topic("repair"), partition_of(case_key(CASES[0]), settings.partitions))
    _, _, _, state, _ = stored_event(2, CASES[0], "")
    event = json.loads(state) | {"type": "water.repair.FaultReported.v1"}
    headers = [("previousposition", b"0"), ("epoch", b"1"), ("generation", str(place.head()["generation"]).encode())]
    producer = KafkaProducer(**client_config(settings), acks="all")
    value = json.dumps(event).encode()
    producer.send(partition.topic, value, case_key(CASES[0]), headers=headers, partition=partition.partition).get(10)
    producer.close(timeout=5)
    with pytest.raises(RecoverRefusal, match=r"histories-forked: found position 2 .*another event before it"):
        recover_store(settings, dry_run=False)


# ---- the notary


def sign(place: Place, number: int) -> Note:
    """Store events, have them relayed and signed. Returns what an auditor would keep now."""
    last = place.relay(number)
    with signing(place.settings):
        wait_until(signed_up_to(place.settings, last), what="the checkpoint")
    return on_topic(place.settings).newest


def back_up_keys(settings: Settings, to: str) -> None:
    shutil.copytree(Keys(settings).folder, settings.data_dir / to)


def restore_keys(settings: Settings, of: str) -> None:
    shutil.rmtree(Keys(settings).folder)
    shutil.copytree(settings.data_dir / of, Keys(settings).folder)


def test_after_a_recovery_the_notary_goes_on_with_the_log_that_an_auditor_kept(place: Place, tmp_path: Path) -> None:
    """Not only the database is of yesterday: the folder of the keys is, too."""
    sign(place, 20)
    place.back_up()
    back_up_keys(place.settings, "yesterday")
    old = Keys(place.settings).current()
    Keys(place.settings).lay_down_next()
    kept = sign(place, 20)
    before = [note.whole for note in rows(place.settings)]
    back_up_keys(place.settings, "today")

    place.restore()
    restore_keys(place.settings, "yesterday")
    assert refused(place.settings) == "key-handed-over"
    restore_keys(place.settings, "today")
    assert refused(place.settings) == "store-behind"
    recover_store(place.settings, dry_run=False)
    sign(place, 10)

    # Who kept the old key still gets from it to the new one: the hand-over is a row again, not only a record.
    assert [note.whole for note in rows(place.settings)][: len(before)] == before
    report = audit(place.settings, tmp_path / "export", kept, key=old)
    assert (report.findings, report.breaks, report.proven) == ([], [], 40)


def test_after_a_new_generation_an_auditor_sees_a_break_that_is_signed_and_named(place: Place, tmp_path: Path) -> None:
    sign(place, 20)
    place.back_up()
    back_up_keys(place.settings, "yesterday")
    kept = sign(place, 20)
    place.restore()
    restore_keys(place.settings, "yesterday")
    place.begin_generation()
    now = sign(place, 10)

    follows = now.checkpoint.follows
    assert follows is not None
    assert (follows.origin, follows.position, follows.shares) == (kept.checkpoint.origin, 40, 20)
    assert (follows.size, follows.root) == (40, kept.checkpoint.root)
    assert now.checkpoint.without == ((21, 40),)

    report = audit(place.settings, tmp_path / "export", kept)
    assert report.findings == []
    assert [(b.shares, b.proven, b.given_up, b.listed) for b in report.breaks] == [(20, 20, 20, False)]
    assert (report.proven, report.exit_code) == (20, 3)
    with_list = audited(place.settings, [tmp_path / "export", place.settings.data_dir / "kept.jsonl"], kept)
    assert with_list.findings == []
    assert [(b.proven, b.given_up, b.listed) for b in with_list.breaks] == [(20, 20, True)]
    # Who keeps the newer one sees a log like any other.
    report = audited(place.settings, [tmp_path / "export"], now)
    assert (report.findings, report.breaks, report.proven) == ([], [], 31)
    assert sign(place, 5).checkpoint.follows == follows


def audited(settings: Settings, paths: list[Path], kept: Note) -> AuditReport:
    """As ``audit``, of files that are there, and without the leaf hashes of any log."""
    found = gather(paths)
    key = Keys(settings).current()
    assert key is not None
    return verify(found.files, AuditEvidence([kept], found.notes, (), [key.public]))

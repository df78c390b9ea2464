"""Places, dead letters and the plain reader on real PostgreSQL and real Kafka."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Cursor

from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.kafka.cluster import Partition, PartitionLog
from infra.postgres.migrate import migrate
from infra.readers.dead_letters import save_dead_letters
from infra.readers.read_positions import (
    PositionsAt,
    load_read_positions,
    lock_read_positions,
    relayed_positions,
    save_read_positions,
    start_offsets,
)
from infra.readers.record import Event
from infra.readers.rule import Applied, DeadLetter, ReadPosition
from infra.settings import Settings
from tests.integration.relaying import (
    QUICK,
    all_out,
    expected,
    has_seen_everything,
    positions,
    reading,
    relaying,
    seen,
    send_raw,
    store_events,
    wait_until,
    write_down,
)

TABLE = "views.places"
TOPIC_ID = UUID(int=7)
HERE, THERE = Partition("t", 0), Partition("t", 1)


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update=QUICK)


@pytest.fixture
def connection(store_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(store_settings.database_url, autocommit=True) as opened:
        yield opened


def dead_letter(offset: int = 3) -> DeadLetter:
    return DeadLetter(
        topic="t",
        topic_id=TOPIC_ID,
        partition=0,
        offset=offset,
        position=None,
        code="not-json",
        reason="the value is not JSON",
        size_bytes=4,
        sha256="0" * 64,
        case_id=None,
    )


# ---- read positions and dead letters


def test_read_positions_begin_at_nothing_and_are_kept_by_reader_and_build(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        assert lock_read_positions(cursor, TABLE, "cases", 1, [THERE, HERE, HERE]) == {
            HERE: ReadPosition(),
            THERE: ReadPosition(),
        }
        save_read_positions(cursor, TABLE, "cases", 1, {HERE: ReadPosition(5, 4, TOPIC_ID)})
    with connection.transaction(), connection.cursor() as cursor:
        assert lock_read_positions(cursor, TABLE, "cases", 1, [HERE]) == {HERE: ReadPosition(5, 4, TOPIC_ID)}
        assert lock_read_positions(cursor, TABLE, "cases", 2, [HERE]) == {HERE: ReadPosition()}
        assert lock_read_positions(cursor, "watch.places", "cases", 1, [HERE]) == {HERE: ReadPosition()}
    assert load_read_positions(connection, TABLE, [("cases", 1)])[("cases", 1, HERE)] == ReadPosition(5, 4, TOPIC_ID)


def test_read_positions_of_a_transaction_that_fails_are_as_before(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        lock_read_positions(cursor, TABLE, "cases", 1, [HERE])
        save_read_positions(cursor, TABLE, "cases", 1, {HERE: ReadPosition(5, 4, TOPIC_ID)})
    assert load_read_positions(connection, TABLE, [("cases", 1)]) == {}


def test_a_read_position_is_locked_until_the_transaction_ends(
    connection: psycopg.Connection[Any], store_settings: Settings
) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        lock_read_positions(cursor, TABLE, "cases", 1, [HERE])
    with psycopg.connect(store_settings.database_url) as other, connection.transaction(), connection.cursor() as cursor:
        lock_read_positions(cursor, TABLE, "cases", 1, [HERE])
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            lock_read_positions(other.cursor(), TABLE, "cases", 1, [HERE])
        other.rollback()
        assert lock_read_positions(other.cursor(), TABLE, "cases", 1, [THERE]) == {THERE: ReadPosition()}


def test_a_dead_letter_read_again_is_one_row(connection: psycopg.Connection[Any]) -> None:
    for _ in range(2):
        save_dead_letters(connection.cursor(), "cases", [dead_letter(3), dead_letter(4)])
    save_dead_letters(connection.cursor(), "windows", [dead_letter(3)])
    rows = connection.execute("SELECT reader, record_offset FROM store.dead_letters ORDER BY id").fetchall()
    assert rows == [("cases", 3), ("cases", 4), ("windows", 3)]


def test_reading_starts_at_the_smallest_read_position_of_a_process(connection: psycopg.Connection[Any]) -> None:
    where = {HERE: PartitionLog(TOPIC_ID, 0, 50), THERE: PartitionLog(TOPIC_ID, 2, 50)}
    with connection.transaction(), connection.cursor() as cursor:
        for reader, read_position in (
            ("cases", ReadPosition(9, 20, TOPIC_ID)),
            ("windows", ReadPosition(7, 10, TOPIC_ID)),
        ):
            lock_read_positions(cursor, TABLE, reader, 1, [HERE])
            save_read_positions(cursor, TABLE, reader, 1, {HERE: read_position})
    both = [("cases", 1), ("windows", 1)]
    assert start_offsets(connection, TABLE, both, where) == {HERE: 11, THERE: 2}
    assert start_offsets(connection, TABLE, [("cases", 1)], where) == {HERE: 21, THERE: 2}
    assert start_offsets(connection, TABLE, [*both, ("new", 1)], where) == {HERE: 0, THERE: 2}


def test_reading_starts_anew_where_another_record_lies_at_the_read_position(
    connection: psycopg.Connection[Any],
) -> None:
    where = {HERE: PartitionLog(TOPIC_ID, 0, 50)}
    with connection.transaction(), connection.cursor() as cursor:
        lock_read_positions(cursor, TABLE, "cases", 1, [HERE])
        save_read_positions(cursor, TABLE, "cases", 1, {HERE: ReadPosition(9, 20, TOPIC_ID)})

    def lies(position: int | None) -> PositionsAt:
        """The looker who finds this position at offset 20."""
        return lambda wanted: {HERE: position} if wanted == {HERE: 20} else {}

    assert start_offsets(connection, TABLE, [("cases", 1)], where, lies(9)) == {HERE: 21}
    assert start_offsets(connection, TABLE, [("cases", 1)], where, lies(8)) == {HERE: 0}
    assert start_offsets(connection, TABLE, [("cases", 1)], where, lies(None)) == {HERE: 0}


# ---- the plain reader


def test_a_reader_waits_for_topics_and_then_applies_everything_once(quick: Settings) -> None:
    with reading(quick):
        store_events(quick, 400)
        with relaying(quick):
            wait_until(has_seen_everything(quick))
            store_events(quick, 40)
            wait_until(has_seen_everything(quick))


def test_a_restarted_reader_goes_on_at_its_read_position(quick: Settings) -> None:
    taken: list[Applied] = []
    last = store_events(quick, 100)
    with relaying(quick):
        with reading(quick):
            wait_until(has_seen_everything(quick))
        last = store_events(quick, 20)
        wait_until(all_out(quick, last))
        with reading(quick, on_batch=taken.append):
            wait_until(has_seen_everything(quick))
    assert sum(batch.dropped for batch in taken) == 0
    new = [position for rows in positions(expected(quick)).values() for position in rows if position > 100]
    assert sorted(event.position for batch in taken for event in batch.events) == sorted(new)


def test_two_readers_at_once_apply_everything_once(quick: Settings) -> None:
    with relaying(quick), reading(quick), reading(quick):
        for _ in range(5):
            store_events(quick, 40)
        wait_until(has_seen_everything(quick))
    assert seen(quick) == positions(expected(quick))


def test_what_the_step_raises_ends_the_reader_and_nothing_is_lost(quick: Settings) -> None:
    def fails(cursor: Cursor[Any], events: list[Event]) -> None:
        write_down(cursor, events)
        raise ZeroDivisionError

    store_events(quick, 20)
    with relaying(quick):
        with pytest.raises(ZeroDivisionError), reading(quick, fails) as reader:
            reader.ended()
        assert seen(quick) == {}
        with reading(quick):
            wait_until(has_seen_everything(quick))


def test_rubbish_read_again_and_again_is_one_dead_letter(quick: Settings) -> None:
    last = store_events(quick, 20)
    with relaying(quick):
        wait_until(all_out(quick, last))
        victim = next(iter(expected(quick)))
        send_raw(quick, {victim: [b"rubbish"]})
        for _ in range(3):
            batches: list[Applied] = []
            with reading(quick, on_batch=batches.append):
                wait_until(lambda batches=batches: any(batch.dead_letters for batch in batches))  # type: ignore[misc]
    with psycopg.connect(quick.database_url) as opened:
        rows = opened.execute("SELECT topic, partition, code, reason FROM store.dead_letters").fetchall()
    assert rows == [(*victim, "not-json", "the value is not JSON")]


def test_a_reader_knows_how_far_the_relay_is(quick: Settings) -> None:
    last = store_events(quick, 40)
    with relaying(quick):
        wait_until(all_out(quick, last))
    with psycopg.connect(quick.database_url) as opened:
        out = relayed_positions(opened, (*quick.home_topics, quick.breach_topic))
    assert {p: position for p, position in out.items() if position} == {
        p: rows[-1] for p, rows in positions(expected(quick)).items()
    }


def test_postgresql_killed_in_mid_batch_and_then_no_further_event(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """The rows appear all the same: the batch in hand is tried again until PostgreSQL answers."""
    with EmbeddedPostgres(tmp_path / "p") as server:
        migrate(server.conninfo())
        settings = Settings(
            data_dir=tmp_path,
            database_url=server.conninfo(),
            kafka_bootstrap=kafka.bootstrap,
            topic_prefix="midbatch.",
            **QUICK,
        )
        in_step, killed = threading.Event(), threading.Event()

        def killed_once(cursor: Cursor[Any], events: list[Event]) -> None:
            write_down(cursor, events)
            in_step.set()
            killed.wait(30)

        last = store_events(settings, 30)
        with relaying(settings):
            wait_until(all_out(settings, last))
            with reading(settings, killed_once):
                assert in_step.wait(30)
                server.kill()
                killed.set()
                server.start()
                wait_until(has_seen_everything(settings))

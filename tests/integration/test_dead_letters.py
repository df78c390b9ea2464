"""Dead letters in the hands of a person, and the limit that stops a reader, on real PostgreSQL and real Kafka."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import psycopg
import pytest
from click.testing import CliRunner
from kafka import KafkaProducer
from psycopg.rows import dict_row

from app import processes as bootstrap
from app.cli import main
from app.status_report import _is_well, _positions
from consumers import billing
from consumers.billing import messages as said
from consumers.billing import reconcile
from consumers.billing.consumer import topics as billing_topics
from infra.clock import ManualClock
from infra.decoders import converter
from infra.eventstore.consistency_check import disagreements
from infra.eventstore.service import Service, open_service
from infra.kafka.cluster import (
    BusRefusal,
    Partition,
    Record,
    case_key,
    client_config,
    ensure_readings_topic,
    ensure_topics,
)
from infra.readers.dead_letter_desk import (
    dead_letter,
    dead_letters,
    lines,
    mark,
    raw,
    release,
    repair,
    repair_marked,
    resolve,
)
from infra.readers.dead_letters import ReaderStopped, note_stop
from infra.readers.faust_app import ModelStream
from infra.readers.record import parse
from infra.settings import Settings
from infra.status import collect
from projections.read_models.charges import CHARGES
from projections.read_models.mend import due_menders, view_menders
from projections.read_models.views import VIEWS
from projections.read_models.windows import WINDOWS
from projections.watch import due
from projections.watch.due import DueIndex
from tests.commands import Application, Incident, ask
from tests.integration.billing_world import feed, history, mine
from tests.integration.relaying import QUICK, Running, all_out, relaying, send_raw, wait_until
from tests.published import records, topic_ids

SECRET = "0743-8225225-nobody-may-read-this"


@pytest.fixture
def whole(settings: Settings, clock: ManualClock) -> Iterator[Service]:
    """A store with a history, on topics that nothing is published to yet."""
    quick = settings.model_copy(update=QUICK)
    ensure_topics(quick)
    opened = open_service(quick, clock=clock)
    history(opened)
    late = Incident(opened)
    late.dispatch()
    clock.move(timedelta(hours=2))
    ask(opened, late.stream)
    late.arrive()
    yield opened
    opened.close()


@pytest.fixture
def connection(whole: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(whole.settings.database_url, autocommit=True) as opened:
        yield opened


class Older(msgspec.Struct, frozen=True):
    """What an older program took a payment to be."""

    payment: str
    lines: tuple[said.Line, ...]
    bank: str


@contextmanager
def older_program() -> Iterator[None]:
    """Billing as it was before it could read a payment."""
    with pytest.MonkeyPatch.context() as older:
        older.setitem(said.READ_AS, "water.connection.PaymentReceived.v1", converter(Older))
        yield


@contextmanager
def billing_runs(settings: Settings) -> Iterator[Running]:
    running = Running(lambda stop: billing.run(settings, stop))
    try:
        yield running
    finally:
        running.stop()


def read_all(settings: Settings, connection: psycopg.Connection[Any]) -> Callable[[], bool]:
    """Whether billing is where the relay is."""

    def even() -> bool:
        row = connection.execute(
            "SELECT count(*) FROM store.relay_checkpoint c WHERE c.topic = ANY(%s) AND position > coalesce((SELECT"
            " position FROM billing.places p JOIN billing.builds USING (build) WHERE state = 'live'"
            " AND p.topic = c.topic AND p.partition = c.partition), 0)",
            [[settings.home_topic("connection"), settings.home_topic("usage")]],
        ).fetchone()
        return row == (0,)

    return even


def head(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT position FROM store.log_head").fetchone()
    assert row is not None
    return int(row[0])


# ---- repaired, and read again


def test_what_billing_could_not_read_is_read_again_by_a_newer_program(
    whole: Service, connection: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings = whole.settings
    with relaying(settings):
        wait_until(all_out(settings, head(connection)))
        with older_program(), billing_runs(settings):
            wait_until(read_all(settings, connection))
        found = dead_letters(connection, reader="billing")
        assert [row["code"] for row in found] == ["bad-data"] * 4
        assert reconcile.reconcile(connection, settings).differences
        # One is repaired by hand, the others by the reader itself; one is tried by a program that is still too old.
        repair(connection, settings, found[0]["id"], bootstrap.menders(settings), by="op-1", reason="version 2")
        for row in found[1:]:
            mark(connection, settings, row["id"], by="op-1", reason="version 2")
        with older_program():
            assert {code for _, code in repair_marked(connection, settings, {"billing": billing.mender()})} == {
                "still-unreadable"
            }
        assert {row["state"] for row in dead_letters(connection)} == {"open"}
        for row in dead_letters(connection):
            mark(connection, settings, row["id"], by="op-1", reason="version 2")
        with billing_runs(settings):
            wait_until(lambda: dead_letters(connection) == [], what="the letters read again")
    assert reconcile.reconcile(connection, settings).differences == []
    settled = dead_letters(connection, states=None)
    assert {(row["state"], row["settled_by"]) for row in settled} == {("repaired", "op-1")}
    assert all("by op-1" in line for line in lines(settled))
    assert "PAY-1" not in caplog.text, "content is nobody's but the books'"


class _Stream(ModelStream):
    """The stream shell without Kafka: topic ids are made up."""

    def feed(self, batch: list[Record]) -> None:
        self._topic_ids = topic_ids(self.settings)
        self.until_stored(batch, stopping=lambda: False)


def _fails(*_: Any) -> Any:
    raise KeyError("a field that came later")


@pytest.mark.parametrize("model", [WINDOWS, CHARGES], ids=lambda model: str(model.name))
def test_a_read_model_is_repaired_once_and_in_its_order(
    whole: Service, connection: psycopg.Connection[Any], model: Any
) -> None:
    settings = whole.settings
    field = "fold" if model is WINDOWS else "rows_of"
    right = getattr(model, field)
    seen = iter(range(1_000))
    broken = replace(model, **{field: lambda *a: _fails() if next(seen) % 3 == 1 else right(*a)})
    stream = _Stream(settings, "views", [broken if each is model else each for each in VIEWS])
    try:
        stream.feed(records(settings))
    finally:
        stream.close()
    with psycopg.connect(settings.database_url, row_factory=dict_row) as looking:
        assert disagreements(settings, looking, VIEWS)
    menders = bootstrap.menders(settings)
    failed = {model.name: replace(menders[model.name], mend=lambda *_: [stale])}
    first, *others = dead_letters(connection, reader=model.name)
    stale = model.dead(_event(settings, first["position"]), KeyError("x"), {})
    with pytest.raises(BusRefusal, match="still-unreadable"):
        repair(connection, settings, first["id"], failed, by="op-1", reason="too early")
    repair(connection, settings, first["id"], menders, by="op-1", reason="version 2")
    # The others are left to the process itself: it takes what is marked at its next look.
    for row in others:
        mark(connection, settings, row["id"], by="op-1", reason="version 2")
    healed = _Stream(settings, "views", VIEWS, again=partial(repair_marked, settings=settings, menders=view_menders()))
    healed.minded()
    healed.close()
    with psycopg.connect(settings.database_url, row_factory=dict_row) as looking:
        assert disagreements(settings, looking, VIEWS) == []
    assert dead_letters(connection) == []


def test_what_the_watch_could_not_read_is_asked_about_at_once_and_read_again_at_its_next_look(
    whole: Service, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = whole.settings
    index = DueIndex()
    again = partial(repair_marked, settings=settings, menders=due_menders())
    with monkeypatch.context() as broken:
        broken.setattr(due, "fold", lambda row, event: _fails() if event.version == 2 else right(row, event))
        stream = _Stream(settings, "watch", [index], index.poisoned, again)
        stream.feed(records(settings))
    found = dead_letters(connection, reader="due")
    assert found
    assert {row["code"] for row in found} == {"fold-failed"}
    asked = "SELECT count(*) FROM watch.due WHERE next_ask_at <= clock_timestamp() AND case_id = ANY(%s)"
    cases = list({row["case_id"] for row in found})
    before = connection.execute(asked, [cases]).fetchone()
    assert before is not None
    assert before[0] >= len(cases)
    run = tool(settings, monkeypatch)
    for row in found:
        code, said_, _ = run("resend", str(row["id"]), "--actor", "op-1", "--reason", "version 2")
        assert code == 0
        assert said_ == f"dead letter {row['id']}: the reader due is to try it again 已标记，由读取方重读\n"
    stream.minded()
    stream.close()
    assert dead_letters(connection) == []
    assert {row["state"] for row in dead_letters(connection, states=None)} == {"repaired"}


right = due.fold


def put(connection: psycopg.Connection[Any], position: int, value: bytes) -> None:
    """Have the store say this at a position."""
    connection.execute("UPDATE store.stored_events SET state = %s WHERE notification_id = %s", [value, position])


def test_what_a_table_refuses_is_one_dead_letter_and_everything_else_is_kept(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    """Well formed, a link of the chain, and its content fits no column: in a batch with everything else."""
    settings = whole.settings
    connection.execute("DELETE FROM watch.due")  # what appends wrote into the index: it is filled by events alone
    batch = records(settings)
    right: dict[int, bytes] = {}
    spoilt = {"WindowOpened": {"number": 10**12}, "PaymentReceived": {"lines": [{"fee": "f\u0000", "amount_fen": 1}]}}
    for fact, content in spoilt.items():
        # The last one: what is told of the same window later takes the place of its row before a table sees it.
        at = max(n for n, record in enumerate(batch) if f"{fact}.v1".encode() in (record.value or b""))
        whole_event = msgspec.json.decode(batch[at].value or b"")
        whole_event["data"] |= content
        right[whole_event["position"]] = batch[at].value or b""
        spoiled = msgspec.json.encode(whole_event)
        batch[at] = msgspec.structs.replace(batch[at], value=spoiled)
        put(connection, whole_event["position"], spoiled)  # or readers would take it for forged
    index = DueIndex()
    for stream in (_Stream(settings, "views", VIEWS), _Stream(settings, "watch", [index], index.poisoned)):
        stream.feed(batch)
        stream.close()
    feed(settings, connection, [record for record in batch if record.topic in billing_topics(settings)])
    found = {(row["reader"], row["position"]) for row in dead_letters(connection)}
    assert {reader for reader, _ in found} >= {"windows", "due", "billing"}
    assert len({position for _, position in found}) == 2
    for position, value in right.items():
        put(connection, position, value)
    assert not any(SECRET in str(row) or "f\\u0000" in str(row) for row in dead_letters(connection))
    for row in dead_letters(connection):
        repair(connection, settings, row["id"], bootstrap.menders(settings), by="op-1", reason="the store has it right")
    mended = [model for model in VIEWS if model.name in {reader for reader, _ in found}]
    with psycopg.connect(settings.database_url, row_factory=dict_row) as looking:
        assert disagreements(settings, looking, mended) == []
    assert reconcile.reconcile(connection, settings).differences == []


def _event(settings: Settings, position: int) -> Any:
    return next(e for record in records(settings) if (e := parse(record)).position == position)


def test_who_repairs_at_the_same_moment_repairs_once(whole: Service, connection: psycopg.Connection[Any]) -> None:
    settings = whole.settings
    with older_program():
        feed(settings, connection, mine(settings))
    number = dead_letters(connection)[-1]["id"]
    done: list[str] = []
    gate = threading.Barrier(4)

    def work() -> None:
        with psycopg.connect(settings.database_url, autocommit=True) as own:
            gate.wait(20)
            try:
                repair(own, settings, number, bootstrap.menders(settings), by="op", reason="version 2")
                done.append("repaired")
            except BusRefusal as refusal:
                done.append(refusal.code)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == ["repaired", "settled-already", "settled-already", "settled-already"]


def tool(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """`tongshui dead-letters` on this installation: exit code, what it says, what it warns of."""
    for name, value in {
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "TOPIC_PREFIX": settings.topic_prefix,
    }.items():
        monkeypatch.setenv(f"TONGSHUI_{name}", value)

    def run(*arguments: str) -> tuple[int, str, str]:
        found = CliRunner().invoke(main, ["dead-letters", *arguments])
        return found.exit_code, found.stdout, found.stderr

    return run


# ---- what is no event of ours


def test_rubbish_is_shown_and_resolved_and_never_repaired(
    whole: Service,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = whole.settings
    caplog.set_level(logging.DEBUG, logger="infra")
    place = Partition(settings.home_topic("usage"), 1)
    with relaying(settings), billing_runs(settings):
        send_raw(settings, {place: [SECRET.encode()]})
        wait_until(lambda: len(dead_letters(connection, reader="billing")) == 1, what="the dead letter")
    (row,) = dead_letters(connection, reader="billing")
    run = tool(settings, monkeypatch)
    number, who = str(row["id"]), ("--actor", "op-1", "--reason", "a test of the network")
    code, out, _ = run("list")
    assert (code, SECRET in out) == (1, False)
    assert f"billing  {place}@{row['record_offset']} not of the store" in out
    assert SECRET not in run("show", number)[1]
    code, out, warned = run("show", number, "--raw")
    assert code == 0
    assert SECRET in out
    assert "personal data" in warned
    assert "not-of-the-store" in run("repair", number, *who)[2]
    assert "not-of-the-store" in run("resend", number, *who)[2]
    assert run("resolve", number, *who)[0] == 0
    assert "settled-already" in run("resolve", number, *who)[2]
    assert run("list")[:2] == (0, "no dead letters 无死信\n")
    assert "a test of the network" in run("list", "--all")[1]
    assert "no-such-letter" in run("show", "999")[2]
    assert SECRET not in caplog.text


def test_a_record_of_a_topic_that_was_made_anew_is_gone(whole: Service, connection: psycopg.Connection[Any]) -> None:
    settings = whole.settings
    with older_program():
        feed(settings, connection, mine(settings))
    row = dead_letters(connection)[0]  # read from a topic with a made-up id
    with pytest.raises(BusRefusal, match="record-gone"):
        raw(settings, row)


def test_a_meter_reading_is_sent_to_its_topic_again(whole: Service, connection: psycopg.Connection[Any]) -> None:
    settings = whole.settings
    cluster = ensure_readings_topic(settings)
    producer = KafkaProducer(**client_config(settings), acks="all")
    try:
        sent = producer.send(settings.readings_topic, b'{"meter": "JS-1"}', b"JS-1", partition=0).get(timeout=20)
    finally:
        producer.close(timeout=5)
    connection.execute(
        "INSERT INTO store.dead_letters (reader, topic, topic_id, partition, record_offset, code, reason, size_bytes,"
        " sha256) VALUES ('readings', %s, %s, 0, %s, 'bad-reading', 'r', 17, 'x')",
        [settings.readings_topic, cluster.topic_ids[settings.readings_topic], sent.offset],
    )
    number = dead_letters(connection)[0]["id"]
    assert f"offset {sent.offset + 1}" in mark(connection, settings, number, by="op-1", reason="version 2")
    again = raw(settings, {**dead_letter(connection, number), "record_offset": sent.offset + 1})
    assert (again.key, again.value) == (b"JS-1", b'{"meter": "JS-1"}')
    with pytest.raises(BusRefusal, match="settled-already"):
        mark(connection, settings, number, by="op-1", reason="once more")


# ---- the limit


def status_of(settings: Settings) -> Any:
    with psycopg.connect(settings.database_url, row_factory=dict_row) as opened:
        return collect(opened, settings)


def test_too_many_stop_a_reader_until_a_program_that_can_read_them(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    """On real Kafka: one clear line, a status that says so, nothing passed over, and on it goes with the mended one."""
    strict = whole.settings.model_copy(update={"dead_letters_at_most": 2, "dead_letters_within_s": 3_600})
    with relaying(strict):
        wait_until(all_out(strict, head(connection)))
        for _ in range(2):  # started again it stops again, at the same record
            with older_program(), billing_runs(strict) as running:
                error = running.ended()
                assert isinstance(error, ReaderStopped)
                assert re.match("reader-stopped: found [3-6] dead letters of the reader billing", str(error))
                assert "\n" not in str(error)
            assert len(dead_letters(connection)) <= 2
            (stop,) = status_of(strict).stopped
            assert (stop.reader, stop.code) == ("billing", "bad-data")
            assert not _is_well(status_of(strict), None, strict.relay_alarm_s)
            assert any(line.startswith("STOPPED    billing") for line in _positions(status_of(strict)))
        with billing_runs(strict):
            wait_until(read_all(strict, connection))
            wait_until(lambda: status_of(strict).stopped == (), what="the reader past the record that stopped it")
        for row in dead_letters(connection):
            repair(connection, strict, row["id"], bootstrap.menders(strict), by="op-1", reason="version 2")
    assert reconcile.reconcile(connection, strict).differences == []


def test_a_stopped_reader_takes_none_however_much_time_goes_by_until_somebody_releases_it(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    strict = whole.settings.model_copy(update={"dead_letters_at_most": 2, "dead_letters_within_s": 600})
    payments = [r for r in mine(strict) if r.value and b"PaymentReceived" in r.value]
    assert len(payments) == 4

    def read_one_by_one() -> ReaderStopped | None:
        try:
            for record in mine(strict):
                feed(strict, connection, [record])
        except ReaderStopped as stopped:
            note_stop(connection, stopped)
            return stopped
        return None

    with older_program():
        assert read_one_by_one() is not None
        connection.execute("UPDATE store.dead_letters SET recorded_at = recorded_at - interval '1 day'")
        assert read_one_by_one() is not None, "a slow drain is a drain"
        assert len(dead_letters(connection)) == 2
        release(connection, "billing", by="op-1", reason="known, repaired tomorrow")
        with pytest.raises(BusRefusal, match="not-stopped"):
            release(connection, "billing", by="op-1", reason="again")
        assert read_one_by_one() is None
    assert len(dead_letters(connection)) == 4


def test_rubbish_by_others_stops_nobody(whole: Service, connection: psycopg.Connection[Any]) -> None:
    strict = whole.settings.model_copy(update={"dead_letters_at_most": 0})
    place = mine(strict)[0]
    rubbish = [Record(place.topic, place.partition, 1_000 + n, case_key("x"), b"rubbish", {}) for n in range(60)]
    applied = feed(strict, connection, rubbish)
    assert len(applied.dead_letters) == 60
    assert status_of(strict).stopped == ()


def test_a_read_model_that_fails_on_every_record_stops_its_process_and_passes_over_none(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    strict = whole.settings.model_copy(update={"dead_letters_at_most": 5})
    broken = replace(CHARGES, rows_of=_fails)
    stream = _Stream(strict, "views", [broken])
    with pytest.raises(ReaderStopped, match="the reader charges"):
        stream.feed(records(strict))
    stream.close()
    assert dead_letters(connection) == []
    assert connection.execute("SELECT coalesce(sum(position), 0) FROM views.places").fetchone() == (0,)
    assert [stop.reader for stop in status_of(strict).stopped] == ["charges"]
    healed = _Stream(strict, "views", VIEWS)
    healed.feed(records(strict))
    healed.close()
    assert status_of(strict).stopped == ()


def test_resolving_says_why_and_a_reader_that_has_not_passed_is_left_alone(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    settings = whole.settings
    with older_program():
        feed(settings, connection, mine(settings))
    first, second, *_ = dead_letters(connection)
    resolve(connection, first["id"], by="op-1", reason="booked by hand")
    assert dead_letter(connection, first["id"])["note"] == "booked by hand"
    connection.execute("UPDATE billing.places SET position = 0")
    with pytest.raises(BusRefusal, match="not-passed"):
        repair(connection, settings, second["id"], bootstrap.menders(settings), by="op-1", reason="r")
    with pytest.raises(BusRefusal, match="no-mender"):
        repair(connection, settings, second["id"], view_menders(), by="op-1", reason="r")


def test_every_reader_of_the_stores_events_can_be_mended(whole: Service) -> None:
    assert bootstrap.menders(whole.settings).keys() == {model.name for model in VIEWS} | {"due", "meters", "billing"}


def test_an_application_of_another_case_is_untouched_by_a_repair(
    whole: Service, connection: psycopg.Connection[Any]
) -> None:
    settings = whole.settings
    with older_program():
        feed(settings, connection, mine(settings))
    other = Application(whole)
    feed(settings, connection, mine(settings))
    before = connection.execute("SELECT * FROM billing.inbox WHERE case_id = %s", [other.stream.id]).fetchall()
    for row in dead_letters(connection):
        repair(connection, settings, row["id"], bootstrap.menders(settings), by="op-1", reason="version 2")
    after = connection.execute("SELECT * FROM billing.inbox WHERE case_id = %s", [other.stream.id]).fetchall()
    assert after == before != []

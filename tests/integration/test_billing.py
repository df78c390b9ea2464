"""Billing's books on real PostgreSQL: they balance, equal the store, survive a death at every statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from click.testing import CliRunner

from app.cli import main
from app.status_report import _is_well
from consumers import billing
from consumers.billing import desk, reconcile
from consumers.billing import messages as said
from consumers.billing.rebuild import digest
from infra.clock import ManualClock
from infra.decoders import converter
from infra.eventstore.service import Service
from infra.kafka.cluster import BusRefusal
from infra.postgres.connections import connect
from infra.readers.dead_letter_desk import dead_letters, repair
from infra.readers.record import Event, parse
from infra.settings import Settings
from infra.status import collect
from tests.commands import Application
from tests.integration.billing_world import feed, history, mine
from tests.statuses import STATUS
from tests.unit.cases import SUBJECT
from tests.unit.test_billing_ledger import CASE, event


@pytest.fixture
def told(service: Service, clock: ManualClock) -> list[Application]:
    cases = history(service)
    clock.move(timedelta(days=1))
    return cases


@pytest.fixture
def settings(store_settings: Settings, told: list[Application]) -> Settings:
    return store_settings


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(settings.database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def booked(settings: Settings, connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    feed(settings, connection, mine(settings))
    return connection


def one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def differing(connection: psycopg.Connection[Any], settings: Settings) -> list[tuple[str, str, str]]:
    found = reconcile.reconcile(connection, settings)
    return [(one.kind, one.fee, one.what) for one in found.differences]


# ---- the books


def test_the_books_balance_and_are_what_the_store_says(booked: psycopg.Connection[Any], settings: Settings) -> None:
    found = reconcile.reconcile(booked, settings)
    assert found.differences == []
    assert found.items > 20
    assert {kind for kind, _ in found.groups} == {
        "quote",
        "payment",
        "payment-reversed",
        "refund",
        "refund-reversed",
        "claim",
        "account",
        "class",
        "customer",
    }
    assert one(booked, "SELECT sum(amount_fen) FROM billing.postings") == 0
    assert (
        one(
            booked,
            "SELECT count(*) FROM billing.postings LEFT JOIN billing.inbox USING (build, event_id)"
            " WHERE inbox.event_id IS NULL",
        )
        == 0
    )


def test_a_case_that_withdrew_and_got_its_money_back_owes_nothing(
    booked: psycopg.Connection[Any], told: list[Application]
) -> None:
    sums = booked.execute(
        "SELECT ledger, sum(amount_fen) FROM billing.postings WHERE case_id = %s GROUP BY ledger", [told[2].stream.id]
    ).fetchall()
    assert {ledger: int(fen) for ledger, fen in sums} == {"receivable": 0, "income": 0, "cash": 0}


def test_delivered_again_in_other_batches_and_without_read_positions_it_has_its_effect_once(
    booked: psycopg.Connection[Any], settings: Settings
) -> None:
    before = digest(booked, 1)
    records = mine(settings)
    dropped = feed(settings, booked, records[3:]).dropped
    assert dropped == len(records) - 3
    booked.execute("DELETE FROM billing.places")
    for start in range(0, len(records), 7):
        feed(settings, booked, records[start : start + 7])
    assert digest(booked, 1) == before


def test_the_same_thing_under_another_event_id_is_kept_as_a_duplicate_and_books_nothing(
    booked: psycopg.Connection[Any], settings: Settings
) -> None:
    events = [event for record in mine(settings) if not hasattr(event := parse(record), "code")]
    paid = next(event for event in events if event.type == "water.connection.PaymentReceived.v1")
    again = msgspec.structs.replace(paid, id=UUID(int=99), position=paid.position + 1_000)
    before = digest(booked, 1)["postings"]
    with booked.transaction(), booked.cursor() as cursor:
        assert billing.step(cursor, [again, again]) == []
    assert digest(booked, 1)["postings"] == before
    assert one(booked, "SELECT count(*) FROM billing.inbox WHERE outcome = 'duplicate'") == 1
    assert any("the same thing was booked before" in line for line in desk.status(booked)[0])


def test_a_missing_record_holds_its_partition_and_is_seen(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    records = mine(settings)
    read_position = (records[5].topic, records[5].partition)
    there = [record for record in records if (record.topic, record.partition) == read_position]
    shown = billing.Shown()
    applied = feed(settings, connection, [there[0], *there[2:]])
    shown.batch(applied)
    assert shown.as_detail()["held"] == [f"{read_position[0]}/{read_position[1]}"]
    assert len(applied.events) == 1
    filled = feed(settings, connection, there)
    shown.batch(filled)
    assert shown.as_detail()["held"] == []
    assert len(filled.events) == len(there) - 1


def test_the_database_refuses_an_entry_that_does_not_balance(booked: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="sum to"):
        booked.execute("UPDATE billing.postings SET amount_fen = amount_fen + 1 WHERE ledger = 'cash'")


def test_an_account_keeps_its_number_whatever_becomes_of_the_books(
    booked: psycopg.Connection[Any], settings: Settings
) -> None:
    query = "SELECT case_id, point, account_number FROM billing.accounts ORDER BY 1, 2"
    before = booked.execute(query).fetchall()
    booked.execute("UPDATE billing.numbers SET account_number = account_number - 9000000")
    for table in ("inbox", "cases", "money", "holds", "places"):
        booked.execute(f"DELETE FROM billing.{table}".encode())
    feed(settings, booked, mine(settings))
    assert booked.execute(query).fetchall() == [(case, point, number - 9_000_000) for case, point, number in before]


# ---- killed


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and the connection is gone."""


class MortalCursor(psycopg.Cursor[Any]):
    """A cursor that dies before or after the nth statement of its process."""

    left = -1
    after = False

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        cls = type(self)
        cls.left -= 1
        if cls.left == 0 and not cls.after:
            raise Killed
        found = super().execute(*args, **kwargs)
        if cls.left == 0:
            raise Killed
        return found


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_statement_the_books_balance_and_equal_the_store(
    connection: psycopg.Connection[Any], settings: Settings, after: bool
) -> None:
    """Before and after the inbox, the postings, the places; and after the commit, before anything else is read."""
    records = mine(settings)
    third = len(records) // 3
    batches = [records[:third], records[third : 2 * third], records[2 * third :]]
    deaths = 0
    for batch in batches:
        for statement in range(1, 60):
            MortalCursor.left, MortalCursor.after = statement, after
            with connect(settings) as mortal:
                mortal.cursor_factory = MortalCursor
                try:
                    feed(settings, mortal, batch)
                except Killed:
                    deaths += 1
                else:
                    break
            assert one(connection, "SELECT coalesce(sum(amount_fen), 0) FROM billing.postings") == 0
            assert differing(connection, settings) == []
        # The commit stuck and its answer was lost: the same batch comes again.
        assert feed(settings, connection, batch).events == []
    assert deaths > 3 * 8
    assert differing(connection, settings) == []
    assert one(connection, "SELECT count(*) FROM billing.accounts") == 2


# ---- against the store

Injected = tuple[str, set[tuple[str, str, str]]]
PAIR = "(SELECT event_id FROM billing.postings WHERE movement = 'payment' ORDER BY event_id LIMIT 1)"
INJECTIONS: dict[str, Injected] = {
    "a row deleted": (
        f"DELETE FROM billing.postings WHERE fee = 'installation' AND event_id = {PAIR}",
        {("payment", "installation", "missing")},
    ),
    "an amount changed": (
        "UPDATE billing.postings SET amount_fen = amount_fen + sign(amount_fen)"
        f" WHERE fee = 'water-loss' AND event_id = {PAIR}",
        {("payment", "water-loss", "other")},
    ),
    "doubled": (
        "INSERT INTO billing.postings SELECT build, event_id, line + 100, case_id, ledger, movement, reference, fee,"
        f" amount_fen FROM billing.postings WHERE fee = 'water-loss' AND event_id = {PAIR}",
        {("payment", "water-loss", "doubled")},
    ),
    "an account deleted": (
        "DELETE FROM billing.accounts WHERE point = 1 RETURNING 1",
        {("account", "", "missing")},
    ),
    "an account with another meter": (
        "UPDATE billing.accounts SET meter_number = 'M-9' WHERE point = 1",
        {("account", "", "other")},
    ),
    "an account of another class": (
        "UPDATE billing.classes SET usage_split = '{\"residential\": 100}'",
        {("class", "", "other")},
    ),
    "a reading that the store does not know": (
        "INSERT INTO billing.readings SELECT build, 'M-1', now(), 5, 5, '{}', event_id FROM billing.inbox LIMIT 1",
        {("reading", "", "unknown")},
    ),
}


@pytest.mark.parametrize("name", INJECTIONS)
def test_a_difference_is_found_named_and_settled_by_name(
    booked: psycopg.Connection[Any], settings: Settings, name: str
) -> None:
    query, expected = INJECTIONS[name]
    assert reconcile.reconcile_and_keep(booked, settings).differences == []
    booked.execute(query.encode())
    found = reconcile.reconcile_and_keep(booked, settings)
    assert {(one.kind, one.fee, one.what) for one in found.differences} == expected
    # The same difference the next day is the same case.
    reconcile.reconcile_and_keep(booked, settings)
    (line,) = desk.differences(booked)
    assert line.startswith("DZ-")
    assert not desk.status(booked)[1]
    number = one(booked, "SELECT number FROM billing.differences")
    reconcile.resolve(booked, number, by="engineer-1", reason="tried it out")
    with pytest.raises(BusRefusal, match="no-such-difference"):
        reconcile.resolve(booked, number, by="engineer-1", reason="again")
    (settled,) = desk.differences(booked, every=True)
    assert "by engineer-1: tried it out" in settled
    # Settled and still there: it is found again, as a case of its own.
    reconcile.reconcile_and_keep(booked, settings)
    assert one(booked, "SELECT count(*) FROM billing.differences WHERE resolved_at IS NULL") == 1


def test_an_open_difference_makes_the_status_say_so(booked: psycopg.Connection[Any], settings: Settings) -> None:
    def status() -> Any:
        with psycopg.connect(settings.database_url, row_factory=psycopg.rows.dict_row) as opened:
            return replace(collect(opened, settings), relay=STATUS.relay)

    reconcile.reconcile_and_keep(booked, settings)
    assert (status().billing_differences, _is_well(status(), None, 30)) == (0, True)
    booked.execute("DELETE FROM billing.accounts")
    reconcile.reconcile_and_keep(booked, settings)
    assert (status().billing_differences, _is_well(status(), None, 30)) == (2, False)


def test_what_billing_has_not_read_yet_is_no_difference(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    records = mine(settings)
    for upto in range(0, len(records), 5):
        feed(settings, connection, records[:upto])
        assert differing(connection, settings) == []


def test_it_is_done_once_a_day(booked: psycopg.Connection[Any], settings: Settings) -> None:
    assert reconcile.reconcile_if_due(booked, settings) is not None
    assert reconcile.reconcile_if_due(booked, settings) is None
    booked.execute("UPDATE billing.reconciliations SET at = at - interval '25 hours'")
    assert reconcile.reconcile_if_due(booked, settings) is not None


# ---- what could not be read


class Demanding(msgspec.Struct, frozen=True):
    """What an older program took a payment to be."""

    payment: str
    lines: tuple[said.Line, ...]
    bank: str


def test_a_payment_that_an_older_program_could_not_read_is_repaired_in_its_order(
    connection: psycopg.Connection[Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reversal came in meanwhile and fitted nothing: the whole case is booked anew."""
    with monkeypatch.context() as older:
        older.setitem(said.READ_AS, "water.connection.PaymentReceived.v1", converter(Demanding))
        feed(settings, connection, mine(settings))
    assert one(connection, "SELECT count(*) FROM billing.inbox WHERE outcome = 'odd'") == 1
    assert {(kind, what) for kind, _, what in differing(connection, settings)} == {
        ("payment", "missing"),
        ("payment-reversed", "missing"),
    }
    found = dead_letters(connection)
    assert {row["code"] for row in found} == {"bad-data"}
    assert "bank" in found[0]["reason"]
    menders = {billing.READER: billing.mender()}
    for row in found:
        repair(connection, settings, row["id"], menders, by="operator-1", reason="version 2")
        with pytest.raises(BusRefusal, match="settled-already"):
            repair(connection, settings, row["id"], menders, by="operator-1", reason="once more")
    assert differing(connection, settings) == []
    assert one(connection, "SELECT count(*) FROM billing.inbox WHERE outcome <> 'booked'") == 0
    assert feed(settings, connection, mine(settings)).events == []


# ---- the commands


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("TONGSHUI_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TONGSHUI_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)

    def ran(*arguments: str) -> tuple[int, str]:
        found = CliRunner().invoke(main, arguments)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code, found.output

    return ran


def test_a_billing_engineer_sees_accounts_ledger_and_status(
    booked: psycopg.Connection[Any], run: Callable[..., tuple[int, str]], told: list[Application]
) -> None:
    code, status = run("billing", "status")
    assert code == 0
    assert "accounts   2 户" in status
    assert "平 balances" in status
    code, accounts = run("billing", "accounts")
    assert code == 0
    assert len(accounts.splitlines()) == 2
    assert "类别 person" in accounts
    number = accounts.split()[0]
    code, ledger = run("billing", "ledger", number)
    assert code == 0
    assert "收款 payment PAY-1" in ledger
    assert "balance 余额" in ledger
    assert "用水性质 class non-residential 60 %, residential 40 %" in ledger
    assert f"用户 customer {SUBJECT.id} r2  合同 HT-1" in ledger
    assert run("billing", "ledger", str(told[1].stream.id))[1].count("收款冲正 payment-reversed PAY-1") == 4
    code, refused = run("billing", "ledger", "BZ-9")
    assert code == 1
    assert "unknown-case" in refused


def test_reconcile_says_by_its_exit_code_whether_the_books_agree(
    booked: psycopg.Connection[Any], run: Callable[..., tuple[int, str]]
) -> None:
    code, said_ = run("billing", "reconcile")
    assert code == 0
    assert "DIFFERS" not in said_
    booked.execute("DELETE FROM billing.accounts WHERE point = 1")
    code, said_ = run("billing", "reconcile")
    assert code == 1
    assert "DIFFERS 不一致" in said_
    code, listed = run("billing", "differences")
    assert code == 0
    assert "账上缺失" in listed
    number = listed.split()[0]
    assert run("billing", "resolve", number, "--actor", "engineer-1", "--reason", "a trial")[0] == 0
    assert run("billing", "resolve", number, "--actor", "engineer-1", "--reason", "a trial")[0] == 1
    assert "bad-arguments" in run("billing", "resolve", "DZ-x", "--actor", "e", "--reason", "r")[1]
    assert run("billing", "differences")[1] == "no differences 无差异\n"


# ---- what there is to bill


def test_use_is_of_the_class_and_the_customer_in_force_when_its_stretch_began(database: str) -> None:
    day = datetime(2026, 9, 1, tzinfo=UTC)
    other = UUID(int=7)

    def on(number: int) -> str:
        return (day + timedelta(days=number)).isoformat()

    def said_on(number: int, fact: str, version: int, **data: Any) -> Event:
        return msgspec.structs.replace(event(fact, version, data), happened_at=day + timedelta(days=number))

    def read_on(number: int, litres: int, version: int) -> Event:
        reading = {"meter": "M-1", "read_at": on(number), "litres": litres, "used_litres": None, "signs": []}
        return said_on(number, "ReadingAudited", version, **reading)

    def classed(change: int, number: int, told: int, price_class: str, **data: Any) -> Event:
        data |= {"change": change, "point": 1, "usage_split": {price_class: 100}, "effective_at": on(number)}
        return said_on(told, "UsageClassChanged", 20 + change, **data)

    meter = {"number": "M-1", "body_code": "B", "dn_mm": 20, "initial_reading_m3": "0"}
    home = {"subject": {"id": str(CASE), "revision": 1}, "usage_split": {"residential": 100}, "contract": "HT-1"}
    sold = {"change": 3, "point": 1, "subject": {"id": str(other), "revision": 1}, "contract": "HT-2"}
    events = [
        said_on(1, "WaterTurnedOn", 1, point=1, meter=meter, **home),
        # Told for a day in the middle of a stretch, wrongly at first, and nobody looked at the dial.
        classed(1, 15, 5, "special"),
        classed(2, 15, 6, "non-residential"),
        said_on(25, "CustomerChanged", 23, **sold, effective_at=on(25), reading_m3="30"),
        said_on(26, "CustomerRenamed", 24, change=4, points=[1], subject={"id": str(other), "revision": 2}),
        classed(5, 35, 35, "residential", reading_m3="44"),
        *(read_on(number, litres, 40 + number) for number, litres in ((10, 10_000), (20, 20_000), (40, 50_000))),
    ]
    again = [msgspec.structs.replace(each, id=UUID(int=100 + at), position=100 + at) for at, each in enumerate(events)]
    with psycopg.connect(database, autocommit=True) as connection:
        for batch in ([events[0]], events, again):
            with connection.transaction(), connection.cursor() as cursor:
                assert billing.step(cursor, batch) == []
        number = one(connection, "SELECT account_number FROM billing.accounts")
        account, *uses = desk.use(connection, number)
        found = [(use.split("used 用量 ")[1].split(" m³")[0], use.split("  ")[-2], use[-39:]) for use in uses]
        first, second, renamed = f"{CASE} r1", f"{other} r1", f"{other} r2"
        assert found == [
            ("10.000", "residential 100 %", first),
            ("10.000", "residential 100 %", first),
            ("10.000", "non-residential 100 %", first),
            ("14.000", "non-residential 100 %", second),
            ("6.000", "residential 100 %", renamed),
        ]
        assert "合同 HT-2 自 2026-09-27" in account
        assert "(residential 100 % 自 2026-10-06" in account
        terms = [line for line in desk.case_ledger(connection, str(number)) if "用水点 1" in line]
        assert [line.split("  ")[2] for line in terms if "class" in line] == [
            "用水性质 class residential 100 %",
            "用水性质 class non-residential 100 %",
            "用水性质 class residential 100 %",
        ]
        assert [line.split("合同 ")[1] for line in terms if "customer" in line] == ["HT-1", "HT-2", "HT-2"]
        assert one(connection, "SELECT count(*) FROM billing.inbox WHERE outcome = 'duplicate'") == len(events)


def test_use_runs_from_dial_to_dial_across_a_meter_change_and_a_hold(database: str) -> None:
    day = datetime(2026, 9, 1, tzinfo=UTC)

    def said_on(number: int, fact: str, **data: Any) -> Event:
        return msgspec.structs.replace(event(fact, number, data), happened_at=day + timedelta(days=number))

    def read_on(number: int, meter: str, litres: int, version: int) -> Event:
        at = (day + timedelta(days=number)).isoformat()
        reading = {"meter": meter, "read_at": at, "litres": litres, "used_litres": None, "signs": []}
        return said_on(version, "ReadingAudited", **reading)

    meter = {"number": "M-1", "body_code": "B", "dn_mm": 20, "initial_reading_m3": "2.000"}
    held = {"hold": 1, "meter": "M-2", "read_at": (day + timedelta(days=40)).isoformat(), "litres": 90_000}
    held |= {"connection": str(CASE), "point": 1}
    new = {"number": "M-2", "initial_reading_m3": "1.000"}
    events = [
        said_on(1, "WaterTurnedOn", point=1, subject={"id": str(CASE), "revision": 1}, meter=meter),
        read_on(10, "M-1", 12_000, 2),
        said_on(20, "MeterReplaced", point=1, old_meter="M-1", final_reading_m3="15.500", meter=new),
        read_on(30, "M-2", 5_000, 31),
        read_on(40, "M-2", 90_000, 41),
        said_on(42, "ReadingHeld", **held),
    ]
    with psycopg.connect(database, autocommit=True) as connection:
        with connection.transaction(), connection.cursor() as cursor:
            assert billing.step(cursor, events) == []
        number = one(connection, "SELECT account_number FROM billing.accounts")
        account, *uses = desk.use(connection, number)
        assert "表 M-2" in account
        assert "held 暂缓 1" in account
        assert [use.split("used 用量 ")[1].split(" m³")[0] for use in uses] == ["10.000", "3.500", "4.000", "85.000"]
        assert ["final reading" in use for use in uses] == [False, True, False, False]
        assert ["HELD" in use for use in uses] == [False, False, False, True]
        with connection.transaction(), connection.cursor() as cursor:
            billing.step(cursor, [said_on(43, "ReadingReleased", cause="outcome", **held)])
        assert "HELD" not in desk.use(connection, number)[-1]
        with pytest.raises(BusRefusal, match="unknown-account"):
            desk.use(connection, 5)

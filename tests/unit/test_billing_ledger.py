"""Billing's arithmetic: every entry balances, whatever happens to a case in whatever order, and two counts agree."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.billing import desk, ledger, statement
from consumers.billing.desk import yuan
from consumers.billing.ledger import BillingCase, Posting, take
from consumers.billing.messages import (
    TAKES,
    CaseResumed,
    Line,
    OwnerReplaced,
    PaymentReceived,
    PaymentReversed,
    QuoteIssued,
    RefundMade,
    RefundReversed,
    Stopped,
    natural_key,
    read,
)
from consumers.billing.statement import StatementItem
from infra.readers.record import Event

CASE = UUID(int=5)
QUOTE = QuoteIssued(1, "2021-1", "person", (Line("water-loss", 6_000), Line("installation", 128_500)))
PAID = PaymentReceived("P-1", (Line("water-loss", 6_000), Line("installation", 100_000)))


def told(*said: Any) -> tuple[BillingCase, list[Posting]]:
    case = BillingCase()
    posted: list[Posting] = []
    for each in said:
        taken = take(case, each)
        assert taken.odd is None
        case = taken.case
        posted += taken.postings
    return case, posted


def balances(posted: Iterable[Posting]) -> dict[tuple[str, str], int]:
    sums: Counter[tuple[str, str]] = Counter()
    for posting in posted:
        sums[posting.ledger, posting.fee] += posting.amount_fen
    return {key: fen for key, fen in sums.items() if fen}


def test_a_quote_is_a_claim_and_a_payment_takes_it_down() -> None:
    _, posted = told(QUOTE, PAID)
    assert balances(posted) == {
        ("receivable", "installation"): 28_500,
        ("income", "water-loss"): -6_000,
        ("income", "installation"): -128_500,
        ("cash", "water-loss"): 6_000,
        ("cash", "installation"): 100_000,
    }


def test_a_new_quote_takes_the_old_claim_back_first() -> None:
    lower = QuoteIssued(2, "2021-1", "person", (Line("water-loss", 5_000),))
    case, posted = told(QUOTE, PAID, lower)
    assert balances(posted)["receivable", "water-loss"] == -1_000, "to be refunded"
    assert balances(posted)["receivable", "installation"] == -100_000
    assert case.claim == {"water-loss": 5_000}


def test_what_stops_a_case_takes_its_claim_back_and_a_resumption_makes_it_again() -> None:
    _, stopped = told(QUOTE, PAID, Stopped("withdrawn"))
    assert balances(stopped) == {
        ("receivable", "water-loss"): -6_000,
        ("receivable", "installation"): -100_000,
        ("cash", "water-loss"): 6_000,
        ("cash", "installation"): 100_000,
    }
    _, resumed = told(QUOTE, PAID, Stopped("papers-late"), Stopped("withdrawn"), CaseResumed("repaired"))
    assert balances(resumed) == balances(told(QUOTE, PAID)[1])
    assert balances(told(QUOTE, CaseResumed("was only suspended"))[1]) == balances(told(QUOTE)[1])


def test_a_reversal_is_the_mirror_of_what_it_reverses() -> None:
    back = RefundMade("R-1", (Line("installation", 40_000),))
    _, posted = told(QUOTE, PAID, back, RefundReversed("R-1"), PaymentReversed("P-1"))
    assert balances(posted) == balances(told(QUOTE)[1])


def test_a_reversal_of_what_is_not_booked_is_odd_and_posts_nothing() -> None:
    case, _ = told(QUOTE, PAID)
    for said in (PaymentReversed("P-2"), RefundReversed("P-1")):
        taken = take(case, said)
        assert taken.postings == ()
        assert "not booked" in str(taken.odd)
    once, _ = told(QUOTE, PAID, PaymentReversed("P-1"))
    assert "reversed already" in str(take(once, PaymentReversed("P-1")).odd)


def test_class_and_owner_changes_are_told_with_old_and_new() -> None:
    before, _ = told(QUOTE, OwnerReplaced("owner-1"))
    after = take(take(before, QuoteIssued(2, "2021-1", "company", ())).case, OwnerReplaced("owner-2")).case
    assert list(ledger.changes(before, after)) == [
        ("payer_class", "person", "company"),
        ("owner", "owner-1", "owner-2"),
    ]


# ---- any history

FEES = st.sampled_from(("water-loss", "installation", "survey-design"))
LINES = st.dictionaries(FEES, st.integers(0, 10**9), max_size=3).map(
    lambda lines: [{"fee": fee, "amount_fen": fen} for fee, fen in lines.items()]
)
NUMBERS = st.sampled_from(("1", "2", "3"))
ANY_FACT: st.SearchStrategy[tuple[str, Any, str]] = st.one_of(
    st.tuples(st.just("QuoteIssued"), LINES, NUMBERS),
    st.tuples(st.sampled_from(("PaymentReceived", "RefundMade")), LINES, NUMBERS),
    st.tuples(st.sampled_from(("PaymentReversed", "RefundReversed")), st.just([]), NUMBERS),
    st.tuples(st.sampled_from(("CaseEnded", "CaseResumed", "ApplicationWithdrawn")), st.just([]), NUMBERS),
)


def data(fact: str, lines: list[dict[str, Any]], number: str) -> dict[str, Any]:
    if fact == "QuoteIssued":
        return {"quote": int(number), "catalogue": "c", "payer_class": "person", "lines": lines}
    if fact.startswith(("Payment", "Refund")):
        return {"payment": number, "refund": number, "reason": "r", "lines": lines}
    return {"reason": "r"}


def event(fact: str, version: int, said: dict[str, Any]) -> Event:
    at = datetime(2026, 9, 16, 1, tzinfo=UTC)
    return Event(
        position=version,
        previous=version - 1,
        id=uuid5(CASE, str(version)),
        type=f"water.{'usage' if fact.startswith('Reading') else 'connection'}.{fact}.v1",
        case_id=CASE,
        version=version,
        happened_at=at,
        reported_at=None,
        recorded_at=at,
        actor="a",
        role="r",
        channel="c",
        command_id="c",
        correlation_id="c",
        causation_id=None,
        data=said,
        raw=b"",
        topic="water.connection.v1",
        partition=0,
        offset=version,
    )


def booked(events: Sequence[Event]) -> tuple[BillingCase, list[tuple[Event, list[Posting]]]]:
    """As the inbox does it: each natural key once, and what is odd not at all."""
    case, keys, found = BillingCase(), set(), []
    for each in events:
        said = read(each)
        key = natural_key(each, said)
        taken = take(case, said)
        if key not in keys and taken.odd is None:
            keys.add(key)
            case = taken.case
            found.append((each, list(taken.postings)))
    return case, found


@given(st.lists(ANY_FACT, max_size=25))
def test_every_entry_balances_and_the_receivable_is_what_is_owed(history: list[tuple[str, Any, str]]) -> None:
    events = [event(fact, at, data(fact, lines, number)) for at, (fact, lines, number) in enumerate(history, 1)]
    case, found = booked(events)
    for _, postings in found:
        assert sum(posting.amount_fen for posting in postings) == 0
    sums = balances(posting for _, postings in found for posting in postings)
    for fee in ("water-loss", "installation", "survey-design"):
        moved = {"payment": 0, "refund": 0}
        for (kind, _), money in case.money.items():
            moved[kind] += 0 if money.reversed else money.lines.get(fee, 0)
        owed = case.claim.get(fee, 0) - moved["payment"] + moved["refund"]
        assert sums.get(("receivable", fee), 0) == owed


@given(st.lists(ANY_FACT, max_size=25))
def test_the_statement_by_the_store_is_what_the_ledger_books(history: list[tuple[str, Any, str]]) -> None:
    """Two programs, one history. What is refused anyway, a reversal of what is not there, is left out."""
    events = [event(fact, at, data(fact, lines, number)) for at, (fact, lines, number) in enumerate(history, 1)]
    case, found = booked(events)
    kept = [each for each, _ in found]
    by_store = Counter(statement.items_of((each.type, str(CASE), {"data": each.data}) for each in kept))
    by_books: Counter[StatementItem] = Counter()
    for _, postings in found:
        for posting in postings:
            if posting.movement in statement.MONEY and posting.ledger != "receivable":
                item = StatementItem(
                    posting.movement, posting.fee, f"{CASE}/{posting.reference}", abs(posting.amount_fen), ""
                )
                by_books[item] += 1
    for fee, fen in case.claim.items():
        if fen:
            by_books[StatementItem("claim", fee, str(CASE), fen, "")] += 1
    assert by_store == by_books


# ---- names


def test_the_same_thing_in_two_forms_has_one_natural_key() -> None:
    reading = {"meter": "M-1", "litres": 5, "used_litres": None, "signs": []}
    first = event("ReadingAudited", 1, reading | {"read_at": "2026-09-01T08:00:00+08:00"})
    other = event("ReadingAudited", 9, reading | {"read_at": "2026-09-01T00:00:00Z"})
    assert natural_key(first, read(first)) == natural_key(other, read(other)) == "reading/M-1/2026-09-01T00:00:00+00:00"
    paid = event("PaymentReceived", 2, data("PaymentReceived", [], "P-7"))
    again = msgspec.structs.replace(paid, id=uuid5(CASE, "v2"), version=3)
    assert natural_key(paid, read(paid)) == natural_key(again, read(again)) == f"{CASE}/payment/P-7"


def test_a_change_of_class_or_customer_is_named_by_its_number_in_the_case() -> None:
    split = {"change": 3, "point": 1, "usage_split": {"special": 100}, "effective_at": "2026-10-01T00:00:00Z"}
    changed, again = (event("UsageClassChanged", version, split) for version in (4, 9))
    assert natural_key(changed, read(changed)) == natural_key(again, read(again)) == f"{CASE}/change/3"


def test_what_is_said_of_classes_and_customers_is_the_same_twice_and_in_any_offset() -> None:
    """The items by the store; a new name is one for each supply point that it is the customer's of."""
    one = {"change": 1, "point": 2, "usage_split": {"b": 40, "a": 60}, "household_size": None, "reading_m3": "7.5"}
    told = [
        event("UsageClassChanged", 1, one | {"effective_at": "2026-10-01T00:00:00+08:00"}),
        event("UsageClassChanged", 2, one | {"effective_at": "2026-09-30T16:00:00Z"}),
        event("CustomerRenamed", 3, {"change": 2, "points": [1, 2], "subject": {"id": "s", "revision": 2}}),
    ]
    items = statement.items_of(
        (each.type, str(CASE), {"data": each.data, "time": each.happened_at.isoformat()}) for each in told
    )
    since = told[0].happened_at.isoformat()
    assert list(items) == [
        StatementItem("class", "", f"{CASE}/2/1", 0, "a:60,b:40 - 2026-09-30T16:00:00+00:00 7.500"),
        StatementItem("customer", "", f"{CASE}/1/2", 0, f"s/2 - {since} -"),
        StatementItem("customer", "", f"{CASE}/2/2", 0, f"s/2 - {since} -"),
    ]


@pytest.mark.parametrize("type_name", sorted(TAKES))
def test_content_that_its_type_does_not_promise_is_named_without_its_value(type_name: str) -> None:
    family, fact = type_name.split(".")[1:3]
    broken = msgspec.structs.replace(event(fact, 1, {"phone": "0743-8225225"}), type=f"water.{family}.{fact}.v1")
    with pytest.raises(msgspec.ValidationError) as failed:
        read(broken)
    assert "0743" not in str(failed.value)


def test_fen_are_shown_as_yuan_to_the_fen() -> None:
    assert [yuan(fen) for fen in (0, 5, -123_456_789)] == ["¥0.00", "¥0.05", "-¥1,234,567.89"]


def test_the_desk_prints_time_in_china_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert desk._at(datetime(2026, 9, 16, 1, 0, tzinfo=UTC)) == "2026-09-16 09:00"
    finally:
        monkeypatch.undo()
        time.tzset()

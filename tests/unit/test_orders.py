"""Orders of other bodies: taken in once, replied to by their own deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from domain import kinds
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.repairs import orders
from domain.repairs.facts import OrderReference
from domain.repairs.orders import OrderExtended, OrderReceived, OrderReplied
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, Play, context, minutes, names

RULES = shipped_rules()
CASE = UUID(int=9)
REFERENCE = OrderReference("hotline-12345", "JS-1")
DIGEST = "sha256:" + "0" * 64
HOTLINE: Any = {"role": "hotline", "channel": "hotline"}


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, match=f"^{code}:")


def received(reply_by: Any = None) -> Play:
    play = Play(kinds.ORDER, RULES)
    play.say(take_in(None, reply_by), NINE)
    return play


def take_in(
    state: orders.OutsideOrder | None, reply_by: Any = None, reference: OrderReference = REFERENCE
) -> OrderReceived:
    return orders.receive(state, context(RULES, NINE), order=reference, case_id=CASE, report=1, reply_by=reply_by)


def test_an_order_with_a_deadline_of_its_own_is_due_then() -> None:
    (window,) = received(minutes(600)).windows(NINE).values()
    assert (window.commitment, window.due_at, window.basis.calendar) == ("order.reply", minutes(600), None)


def test_an_order_without_one_is_due_after_the_working_days_of_its_source() -> None:
    """Wednesday 16 September, five working days: the make-up Sunday counts."""
    (window,) = received().windows(NINE).values()
    assert window.due_at is not None
    assert window.due_at.isoformat() == "2026-09-22T09:30:00+00:00"
    assert window.basis.calendar == "CN@2026-1"


def test_an_order_is_taken_in_once() -> None:
    with refused("order-known"):
        take_in(received().state)


def test_an_order_of_nobody_we_know_is_refused() -> None:
    with refused("unknown-order-source"):
        take_in(None, reference=OrderReference("mayor", "1"))


def test_a_deadline_before_the_order_is_refused() -> None:
    with refused("dates-out-of-order"):
        take_in(None, reply_by=minutes(-1))


def test_a_deadline_in_years_is_refused_of_an_order_and_of_an_extension() -> None:
    """Sixty working days from Wednesday 16 September 2026, holidays left out and made up for: 15 December."""
    at_most = datetime(2026, 12, 15, 9, 30, tzinfo=UTC)
    assert take_in(None, reply_by=at_most).reply_by == at_most
    late = at_most + timedelta(minutes=1)
    with refused("reply-too-far-off"):
        take_in(None, reply_by=late)
    with refused("reply-too-far-off"):
        orders.extend(received(minutes(600)).state, context(RULES, NINE, **HOTLINE), reply_by=late, document="延期1号")


def test_a_reply_in_time_meets_it_and_a_late_one_comes_after_its_lapse() -> None:
    in_time = received(minutes(600))
    in_time.say(orders.reply(in_time.state, context(RULES, minutes(500), **HOTLINE), digest=DIGEST), minutes(500))
    assert names(in_time.concluded)[-1] == "WindowMet"
    late = received(minutes(600))
    late.say(orders.reply(late.state, context(RULES, minutes(700), **HOTLINE), digest=DIGEST), minutes(700))
    assert names(late.concluded)[-2:] == ["WindowLapsed", "WindowMet"]


def test_more_time_moves_the_end_and_saves_no_lapse() -> None:
    play = received(minutes(600))
    given = orders.extend(
        play.state, context(RULES, minutes(100), **HOTLINE), reply_by=minutes(900), document="延期〔2026〕1号"
    )
    (moved,) = play.say(given, minutes(100))
    assert (type(moved).__name__, moved.cause, moved.due_at) == ("WindowMoved", "extended", minutes(900))  # type: ignore[union-attr]
    late = received(minutes(600))
    late.say(OrderExtended(minutes(900), "延期〔2026〕1号"), minutes(700))
    assert "WindowLapsed" in names(late.concluded)


@pytest.mark.parametrize(
    ("by", "document", "code"),
    [
        (minutes(600), "延期1号", "dates-out-of-order"),
        (minutes(900), " ", "bad-text"),
        (minutes(900), "x" * 201, "bad-text"),
    ],
)
def test_more_time_must_be_more_and_have_its_document(by: Any, document: str, code: str) -> None:
    with refused(code):
        orders.extend(received(minutes(600)).state, context(RULES, NINE, **HOTLINE), reply_by=by, document=document)


def test_an_order_that_was_replied_to_needs_no_more_time() -> None:
    play = received(minutes(600))
    play.say(OrderReplied(DIGEST), minutes(10))
    with refused("order-replied"):
        orders.extend(play.state, context(RULES, minutes(20), **HOTLINE), reply_by=minutes(900), document="延期1号")


def test_a_second_reply_is_taken_and_flagged() -> None:
    play = received()
    play.say(OrderReplied(DIGEST), minutes(10))
    again = orders.reply(play.state, context(RULES, minutes(20), **HOTLINE), digest=DIGEST)
    assert again.flags == ("repeated",)


def test_a_reply_told_too_late_for_its_channel_needs_another_person() -> None:
    play, late = received(), dict(HOTLINE, at=minutes(100))
    with refused("second-person-needed"):
        orders.reply(play.state, context(RULES, minutes(10), **late), digest=DIGEST)
    confirmed = orders.reply(play.state, context(RULES, minutes(10), confirmed_by="manager-1", **late), digest=DIGEST)
    assert (confirmed.flags, confirmed.confirmed_by) == (("backdated",), "manager-1")


def test_nobody_else_replies() -> None:
    with refused("wrong-role"):
        orders.reply(received().state, context(RULES, minutes(10), role="public"), digest=DIGEST)


def test_any_order_and_any_duplication_of_its_facts_ends_in_the_same_verdict() -> None:
    later: list[tuple[Fact, Any]] = [
        (OrderExtended(minutes(900), "1号"), minutes(100)),
        (OrderExtended(minutes(1200), "2号"), minutes(800)),
        (OrderReplied(DIGEST), minutes(1000)),
        (OrderReplied(DIGEST), minutes(1300)),
    ]
    ends = set()
    for order in permutations(later):
        play = received(minutes(600))
        for fact, at in (*order, order[0]):
            play.append(fact, at)
        play.conclude(NINE + timedelta(days=3))
        known = play.state.ledger["order.reply"]
        ends.add((known.due_at, known.met_at, tuple(known.lapses)))
    assert ends == {(minutes(1200), minutes(1000), ())}

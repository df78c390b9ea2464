"""The recount as the oracle for orders, outages, abnormal use and reading rounds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.kernel.facts import Fact
from domain.kinds import Kind
from domain.metering import abnormal_use as abnormal
from domain.metering import reading_rounds as books
from domain.outages.facts import (
    EmergencyOutageBegan,
    FireServiceTold,
    OutageCancelled,
    OutageExtended,
    OutageNoticeSent,
    OutagePlanned,
    OutageReported,
    OutageRescheduled,
    OutageRestored,
    OutageStarted,
    UnannouncedOutageBegan,
)
from domain.repairs import orders
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, minutes
from tests.unit.recounting import (
    Published,
    assert_no_meeting_is_wrong,
    disagreements,
    policy_of,
    told_apart,
)

RULES, POLICY = shipped_rules(), policy_of()
PROOF = "sha256:" + "0" * 64
CASE = UUID(int=3)
LATER = NINE + timedelta(days=60)

METERS = ("M-1", "M-2")
OPENINGS: dict[str, tuple[Kind, Fact, tuple[Fact, ...]]] = {
    "order with a deadline": (
        kinds.ORDER,
        orders.OrderReceived("12345", "G-1", CASE, 1, minutes(600)),
        (
            orders.OrderExtended(minutes(900), "doc-1"),
            orders.OrderExtended(minutes(500), "doc-2"),
            orders.OrderMoved(UUID(int=4), 2),
            orders.OrderReplied(PROOF),
        ),
    ),
    "order without one": (
        kinds.ORDER,
        orders.OrderReceived("12345", "G-1", CASE, 1, None),
        (orders.OrderExtended(minutes(20_000), "doc-1"), orders.OrderReplied(PROOF)),
    ),
    "planned outage": (
        kinds.OUTAGE,
        OutagePlanned("TS-1", ("qianzhou",), 100, minutes(1_600), minutes(1_900), "approval"),
        (
            OutageNoticeSent("sms", PROOF),
            OutageCancelled("postponed"),
            OutageStarted(),
            OutageExtended(minutes(1_200)),
            OutageExtended(minutes(2_000)),
            OutageRestored(),
        ),
    ),
    "planned outage that is announced anew": (
        kinds.OUTAGE,
        OutagePlanned("TS-1", ("qianzhou",), 100, minutes(1_600), minutes(1_900), "", fire_affected=True),
        (
            OutageNoticeSent("sms", PROOF),
            OutageNoticeSent("page", PROOF),
            OutageRescheduled(minutes(1_700), minutes(1_900)),
            OutageRescheduled(minutes(2_100), minutes(2_400)),
            OutageCancelled("postponed"),
            OutageStarted(),
            OutageStarted(("without-notice",)),
            OutageExtended(minutes(2_600)),
            FireServiceTold("doc-1"),
            OutageRestored(),
        ),
    ),
    "outage without notice": (
        kinds.OUTAGE,
        UnannouncedOutageBegan("TS-1", ("qianzhou",), 100),
        (
            OutageNoticeSent("sms", PROOF),
            OutageReported("doc-1"),
            OutageExtended(minutes(300)),
            OutageRestored(),
        ),
    ),
    "emergency outage": (
        kinds.OUTAGE,
        EmergencyOutageBegan("TS-1", CASE, ("qianzhou",), 100),
        (
            OutageNoticeSent("sms", PROOF),
            OutageReported("doc-1"),
            OutageExtended(minutes(300)),
            OutageExtended(minutes(700)),
            OutageRestored(),
        ),
    ),
    "abnormal use": (
        kinds.USAGE,
        abnormal.UsageAnomalyFound("YC-1", "M-1", NINE, 90_000, 80_000, ("high",), None, None),
        (
            abnormal.AnomalyConfirmed("photo", PROOF),
            abnormal.AnomalyDismissed("pool-filled", PROOF),
            abnormal.UserNotified("door", PROOF),
        ),
    ),
    "reading round": (
        kinds.BOOK,
        books.ReadingRoundOpened("CB-1", "book-1", "2026-09", date(2026, 9, 17), "reader-1", METERS),
        (
            books.ReadingAudited("M-1", NINE, 1_000, 10, ()),
            books.ReadingAudited("M-2", NINE, 1_000, 10, ()),
            books.ReadingExcepted("M-2", "locked"),
        ),
    ),
}


@pytest.mark.parametrize("opening", sorted(OPENINGS))
@given(data=st.data())
def test_recount_and_algebra_agree_whatever_is_told_in_what_order(opening: str, data: Any) -> None:
    kind, opened, facts = OPENINGS[opening]
    # Now and then by a clock that runs wrong.
    minute = st.one_of(st.integers(0, 2_500), st.sampled_from([30, 60, 300, 600, 700, 1_600, 1_900, -1, -3, -480]))
    told: Sequence[tuple[Fact, int]] = data.draw(st.lists(st.tuples(st.sampled_from(facts), minute), max_size=10))
    play = Published(kind, RULES)
    play.say(opened, NINE, channel="hotline")
    for place, (fact, happened) in enumerate(told):
        at = minutes(200 * place)
        play.say(fact, minutes(happened), at=at)
        assert told_apart(disagreements(play.events, POLICY, at)) == []
        assert_no_meeting_is_wrong(play, at)
    _agree_at_last(play)


@given(
    st.lists(
        st.tuples(st.sampled_from(["confirm", "dismiss", "tell", "turn"]), st.integers(0, 900)),
        max_size=10,
    )
)
def test_recount_and_algebra_agree_on_use_that_stands_out_and_then_does_not(told: Sequence[tuple[str, int]]) -> None:
    # A revision is of now: its moments come in the order of its numbers. Looks and words may be told late.
    play = Published(kinds.USAGE, RULES)
    play.say(abnormal.UsageAnomalyFound("YC-1", "M-1", NINE, 90_000, 80_000, ("high",), None, None), NINE)
    revision, now = 1, NINE
    for what, late in told:
        now += timedelta(minutes=97)
        happened: datetime = now - timedelta(minutes=late)
        if what == "turn":
            revision += 1
            fact: Fact = abnormal.AnomalyRevised(revision, 1, ("high",))
            play.say(abnormal.AnomalyWithdrawn(revision) if revision % 2 == 0 else fact, now)
        elif what == "confirm":
            play.say(abnormal.AnomalyConfirmed("photo", PROOF), happened, at=now)
        elif what == "dismiss":
            play.say(abnormal.AnomalyDismissed("pool-filled", PROOF), happened, at=now)
        else:
            play.say(abnormal.UserNotified("door", PROOF), happened, at=now)
        assert told_apart(disagreements(play.events, POLICY, now)) == []
        assert_no_meeting_is_wrong(play, now)


def _agree_at_last(play: Published) -> None:
    play.conclude(LATER)
    assert told_apart(disagreements(play.events, POLICY, LATER)) == []

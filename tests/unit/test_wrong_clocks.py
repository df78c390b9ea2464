"""What is said to have happened before there was anything to fulfil: kept, flagged, and it fulfils nothing.

A phone that sends its local time as UTC, or UTC as local time, is eight hours off. Before, such an arrival took the
lapse back: met before the incident was reported, "on time", by one person. Random histories with such clocks are in
test_recount.py and test_recount_others.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain import kinds
from domain.connections.facts import WaterTurnedOn
from domain.deadlines.windows import Window
from domain.kernel.facts import Fact
from domain.metering.abnormal_use import AnomalyConfirmed, UsageAnomalyFound, UserNotified
from domain.outages import notices
from domain.outages.facts import OutageNoticeSent, OutagePlanned
from domain.repairs import field, orders
from domain.repairs import outlook as repair_outlook
from domain.repairs.facts import (
    CrewArrived,
    CrewDispatched,
    FaultReported,
    IncidentDismissed,
    RepairCompleted,
    ReportLinked,
    SeverityAssessed,
)
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, SUBJECT, Play, connecting, context, meter, minutes, repairing

RULES = shipped_rules()
PROOF = "sha256:" + "0" * 64
EIGHT_HOURS_EARLY = minutes(35 - 480)


def window(play: Play, commitment: str, at: datetime) -> Window:
    (found,) = (each for each in kinds.windows(play.kind, play.state, play.rules, at) if each.commitment == commitment)
    return found


def assert_still_lapsed(play: Play, commitment: str, at: datetime) -> None:
    found = window(play, commitment, at)
    assert (found.met_at, bool(found.lapses)) == (None, True)
    assert play.state.ledger[commitment].lapses, "and so it is on record"


def test_an_arrival_from_before_the_report_takes_no_lapse_back() -> None:
    play = repairing(RULES)
    play.say(CrewDispatched("crew-1"), minutes(2))
    play.conclude(minutes(31))
    by = context(RULES, EIGHT_HOURS_EARLY, at=minutes(35), role="crew", confirmed_by="dispatcher-2")
    fact = field.arrive(play.state, by, crew="crew-1", evidence=None)
    assert "before-first-report" in fact.flags
    assert not play.say(fact, EIGHT_HOURS_EARLY, minutes(35)), "nothing is concluded from it"
    assert_still_lapsed(play, "repair.arrival", minutes(35))
    assert not repair_outlook.progress(repair_outlook.outline(play.state), RULES.newest).arrived, (
        "the crew is still awaited"
    )


def test_the_true_arrival_counts_though_a_wrong_one_was_told_before() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), EIGHT_HOURS_EARLY, minutes(20))
    play.say(CrewArrived("crew-1", None), minutes(25))
    assert window(play, "repair.arrival", minutes(40)).met_at == minutes(25)


def test_an_earlier_report_that_is_linked_later_makes_it_count() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), minutes(-20), minutes(5))
    assert window(play, "repair.arrival", minutes(10)).met_at is None
    play.say(ReportLinked(2, SUBJECT), minutes(-40), minutes(12))
    assert window(play, "repair.arrival", minutes(12)).met_at == minutes(-20)


@pytest.mark.parametrize(("early_s", "met"), [(120, True), (121, False)])
def test_two_clocks_may_differ_by_two_minutes(early_s: int, met: bool) -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), NINE - timedelta(seconds=early_s), minutes(1))
    assert window(play, "repair.arrival", minutes(1)).met_at == (NINE if met else None), "met when it was owed"


@pytest.mark.parametrize("fact", [RepairCompleted(), IncidentDismissed("false-alarm")])
def test_a_completion_or_a_dismissal_from_before_the_report_ends_nothing(fact: Fact) -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), minutes(10))
    play.say(SeverityAssessed("small", "valve"), minutes(12))
    play.conclude(minutes(300))
    play.say(fact, EIGHT_HOURS_EARLY, minutes(301))
    assert_still_lapsed(play, "repair.completion", minutes(301))
    found = kinds.windows(play.kind, play.state, RULES, minutes(301))
    assert "repair.answer" not in {each.commitment for each in found}, "it is not over"


def test_of_imported_history_that_was_done_before_it_was_reported_nothing_is_judged() -> None:
    play = Play(kinds.REPAIR, RULES)
    play.say(FaultReported("BX-1", "leak", "zhenxi", "urban", SUBJECT), NINE, channel="import")
    play.say(RepairCompleted(), minutes(-60), minutes(5), channel="import")
    for commitment in ("repair.arrival", "repair.completion"):
        found = window(play, commitment, minutes(500))
        assert (found.cancelled, found.met_at, found.lapses) == ("unknown", None, ())


def test_a_reply_from_before_the_order_meets_nothing() -> None:
    play = Play(kinds.ORDER, RULES)
    play.say(orders.OrderReceived("hotline-12345", "G-1", UUID(int=5), 1, minutes(60)), NINE)
    play.conclude(minutes(61))
    by = context(RULES, EIGHT_HOURS_EARLY, at=minutes(70), role="hotline", confirmed_by="hotline-2")
    fact = orders.reply(play.state, by, digest=PROOF)
    assert "before-the-promise" in fact.flags
    play.say(fact, EIGHT_HOURS_EARLY, minutes(70))
    assert_still_lapsed(play, "order.reply", minutes(70))


def test_a_user_who_is_said_to_have_been_told_before_it_was_found_was_not_told() -> None:
    play = Play(kinds.USAGE, RULES)
    play.say(UsageAnomalyFound("YC-1", "M-1", NINE, 90_000, 80_000, ("high",), None, None), NINE)
    play.say(AnomalyConfirmed("photo", PROOF), minutes(10))
    play.conclude(minutes(90))
    play.say(UserNotified("door", PROOF), EIGHT_HOURS_EARLY, minutes(95))
    assert_still_lapsed(play, "usage.notice", minutes(95))


def test_a_notice_from_before_the_outage_was_announced_meets_nothing() -> None:
    play = Play(kinds.OUTAGE, RULES)
    begin = NINE + timedelta(hours=20)
    play.say(OutagePlanned("TS-1", ("zhenxi",), 10, begin, begin + timedelta(hours=4), "approval-1"), NINE)
    by = context(RULES, EIGHT_HOURS_EARLY, at=minutes(35), role="dispatcher", confirmed_by="dispatcher-2")
    fact = notices.send_notice(play.state, by, way="sms", digest=PROOF)
    assert isinstance(fact, OutageNoticeSent)
    assert "before-the-promise" in fact.flags
    play.say(fact, EIGHT_HOURS_EARLY, minutes(35))
    assert window(play, "outage.notice", minutes(36)).met_at is None


def test_water_that_is_said_to_have_been_on_before_the_admission_is_not_on() -> None:
    play = connecting(RULES)
    play.conclude(NINE + timedelta(days=14))
    late = NINE + timedelta(days=15)
    play.say(WaterTurnedOn(1, SUBJECT, meter()), minutes(-60), late)
    assert_still_lapsed(play, "connection.water_on", late)

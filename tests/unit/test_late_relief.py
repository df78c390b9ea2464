"""What says that nothing is owed: late in a limit, or where it takes a lapse back, another person confirms it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.connections import intake
from domain.metering import abnormal_use
from domain.metering.abnormal_use import AnomalyConfirmed, UsageAnomalyFound
from domain.repairs import details, dismissal, orders, reports
from domain.repairs.facts import CrewArrived, FaultReported, OrderReference, ReportLinked, SeverityAssessed, WorkLogged
from domain.repairs.promises import ARRIVAL, COMPLETION
from domain.repairs.refusals import SecondPersonNeeded
from domain.standard.context import CommandContext
from domain.standard.flat import with_changes
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import SUBJECT, Play, connecting, context, minutes, repairing

REASON = "not-ours"


def rules(**changes: Any) -> Rules:
    """The shipped rules with a changed standard."""
    shipped = shipped_rules()
    return replace(shipped, standards=tuple(with_changes(standard, **changes) for standard in shipped.standards))


RULES = rules()


def by(happened: float, at: float | None = None, confirmed_by: str | None = None, **more: Any) -> CommandContext:
    told = minutes(at if at is not None else happened)
    return context(
        RULES, minutes(happened), told, role="dispatcher", actor="dispatcher-1", confirmed_by=confirmed_by, **more
    )


def dismiss(play: Play, ctx: CommandContext) -> Any:
    return dismissal.dismiss(play.state, ctx, reason=REASON)


def test_early_in_the_window_one_person_dismisses() -> None:
    assert dismiss(repairing(RULES), by(20)).confirmed_by is None


@pytest.mark.parametrize(("minute", "arrived"), [(23, False), (29, False), (181, True), (239, True)])
def test_late_in_the_arrival_or_the_completion_window_a_second_person_confirms(minute: int, arrived: bool) -> None:
    play = repairing(RULES)
    if arrived:
        play.say(CrewArrived("crew-1", None), minutes(15))
        play.say(SeverityAssessed("small", "valve"), minutes(20))
    for other in (None, "dispatcher-1", "DISPATCHER-1."):
        with pytest.raises(SecondPersonNeeded):
            dismiss(play, by(minute, confirmed_by=other))
    fact = dismiss(play, by(minute, confirmed_by="manager-1"))
    assert fact.confirmed_by == "manager-1"
    play.say(fact, minutes(minute))
    windows = play.windows(minutes(300))
    assert windows[COMPLETION].lapses == ()


def test_between_the_arrival_and_three_quarters_of_the_repair_one_person_dismisses() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), minutes(15))
    play.say(SeverityAssessed("small", "valve"), minutes(20))
    assert dismiss(play, by(179)).confirmed_by is None


def test_a_dismissal_that_is_told_for_before_a_lapse_is_looked_at_when_it_is_told() -> None:
    play = repairing(RULES)
    play.conclude(minutes(31))
    with pytest.raises(SecondPersonNeeded):
        dismiss(play, by(20, at=35))
    assert dismiss(play, by(20, at=35, confirmed_by="manager-1")).confirmed_by == "manager-1"


def test_after_the_lapse_nothing_is_saved_and_one_person_dismisses() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), minutes(15))
    play.say(SeverityAssessed("small", "valve"), minutes(20))
    play.conclude(minutes(241))
    fact = dismiss(play, by(250))
    assert fact.confirmed_by is None
    play.say(fact, minutes(250))
    assert play.windows(minutes(300))[COMPLETION].lapses == (minutes(240),)


def test_what_is_owed_between_two_logs_of_a_major_repair_counts_too() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), minutes(15))
    play.say(SeverityAssessed("major", "trunk"), minutes(20))
    play.say(WorkLogged("excavating", "crew-1"), minutes(100))
    assert dismiss(play, by(150)).confirmed_by is None
    with pytest.raises(SecondPersonNeeded):
        dismiss(play, by(195))


def test_a_kind_with_a_longer_limit_needs_a_second_person_late_and_after_the_lapse() -> None:
    using = rules(kind_limits={"meter": KindLimit(45, "civil", "same-time")})
    play = Play(kinds.REPAIR, using)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), minutes(0))
    play.say(CrewArrived("crew-1", None), minutes(15))

    def correct(minute: float, confirmed_by: str | None, new: str) -> Any:
        ctx = context(using, minutes(minute), role="dispatcher", actor="dispatcher-1", confirmed_by=confirmed_by)
        return details.correct(play.state, ctx, detail="kind", old="leak", new=new)

    assert correct(100, None, "meter").confirmed_by is None
    for minute in (200, 250):
        with pytest.raises(SecondPersonNeeded):
            correct(minute, None, "meter")
        assert correct(minute, "manager-1", "meter").confirmed_by == "manager-1"
        assert correct(minute, None, "burst").confirmed_by is None, "another kind with the same limit"


@given(st.integers(0, 400), st.integers(0, 25), st.booleans())
def test_one_person_saves_no_limit_of_which_most_has_run(minute: int, arrival: int, arrives: bool) -> None:
    play = repairing(RULES)
    if arrives:
        play.say(CrewArrived("crew-1", None), minutes(arrival))
    at = minutes(max(minute, arrival))
    before = play.windows(at)
    ctx = by(max(minute, arrival))
    try:
        play.say(dismiss(play, ctx), at)
    except SecondPersonNeeded:
        return
    later = play.windows(at + timedelta(days=1))
    for commitment, window in before.items():
        assert set(window.lapses) <= set(later[commitment].lapses)
        if window.due_at is not None and window.met_at is None and window.due_at > at:
            assert (at - window.opened_at) < 0.75 * (window.due_at - window.opened_at)


def test_a_standard_says_from_which_share_on() -> None:
    strict = rules(reassessment_second_person_percent=10)
    play = repairing(strict)
    ctx = context(strict, minutes(5), role="dispatcher", actor="dispatcher-1")
    with pytest.raises(SecondPersonNeeded):
        dismissal.dismiss(play.state, ctx, reason=REASON)
    assert ARRIVAL in play.windows(minutes(5))


def merged(play: Play, other: Play, minute: int, confirmed_by: str | None = None) -> reports.Merged:
    return reports.merge(
        play.state, other.state, by(minute, confirmed_by=confirmed_by), case_id=play.case_id, into=UUID(int=2)
    )


def other_incident(minute: int, *, arrived: int | None = None) -> Play:
    play = Play(kinds.REPAIR, RULES, UUID(int=2))
    play.say(FaultReported("BX-2", "leak", "qianzhou", "urban", SUBJECT), minutes(minute))
    if arrived is not None:
        play.say(CrewArrived("crew-1", None), minutes(arrived))
    return play


def test_a_merge_late_into_an_incident_that_owes_no_more_needs_a_second_person() -> None:
    play = repairing(RULES)
    assert merged(play, other_incident(-5, arrived=2), 10).merged.confirmed_by is None
    for other in (None, "dispatcher-1"):
        with pytest.raises(SecondPersonNeeded):
            merged(play, other_incident(-200, arrived=-190), 29, other)
    found = merged(play, other_incident(-200, arrived=-190), 29, "manager-1")
    assert found.merged.confirmed_by == "manager-1"


def test_a_merge_into_an_incident_that_owes_the_same_by_then_is_done_by_one() -> None:
    assert merged(repairing(RULES), other_incident(-2), 27).merged.confirmed_by is None
    assert merged(repairing(RULES), other_incident(3), 29).merged.confirmed_by is None


def taken_out(play: Play, minute: int, confirmed_by: str | None = None, **changes: Any) -> reports.Unlinked:
    values: dict[str, Any] = {"new_case": UUID(int=2), "case_number": "BX-2", "kind": None, "district_code": None}
    return reports.unlink_report(play.state, by(minute, confirmed_by=confirmed_by), report=2, **(values | changes))


def test_a_report_that_is_taken_out_late_into_a_longer_limit_needs_a_second_person() -> None:
    play = repairing(RULES, at=minutes(10))
    play.say(ReportLinked(2, SUBJECT), minutes(0), at=minutes(11))
    assert taken_out(play, 29).reported_at == minutes(0), "the new case owes the same by then"
    elsewhere = {"district_code": "aizhai"}
    assert taken_out(play, 12, **elsewhere).reported.zone == "other"
    with pytest.raises(SecondPersonNeeded):
        taken_out(play, 29, **elsewhere)
    taken_out(play, 29, "manager-1", **elsewhere)


def test_more_time_late_in_the_term_of_an_order_needs_a_second_person() -> None:
    play = Play(kinds.ORDER, RULES)
    play.say(
        orders.receive(
            None,
            context(RULES, minutes(0)),
            order=OrderReference("hotline-12345", "JS-1"),
            case_id=UUID(int=9),
            report=1,
            reply_by=minutes(600),
        ),
        minutes(0),
    )

    def extend(minute: int, confirmed_by: str | None = None) -> Any:
        ctx = context(RULES, minutes(minute), role="hotline", channel="hotline", confirmed_by=confirmed_by)
        return orders.extend(play.state, ctx, reply_by=minutes(900), document="延期〔2026〕1号")

    extend(449)
    for minute in (450, 599):
        with pytest.raises(SecondPersonNeeded):
            extend(minute)
        extend(minute, "manager-1")
    assert extend(601).reply_by == minutes(900), "it saves no lapse"


def test_a_clerk_says_late_in_a_limit_that_an_application_is_withdrawn_with_a_second_person() -> None:
    play = connecting(RULES)
    window = next(each for each in play.windows(minutes(1)).values() if each.due_at is not None)
    assert window.due_at is not None
    late = (window.due_at - window.opened_at) * 0.9 + window.opened_at

    def withdraw(at: Any, role: str, confirmed_by: str | None = None) -> Any:
        reason = next(iter(RULES.newest.connection.withdrawal_reasons))
        return intake.withdraw(
            play.state, context(RULES, at, role=role, channel="counter", confirmed_by=confirmed_by), reason=reason
        )

    withdraw(minutes(1), "counter")
    withdraw(late, "applicant")
    with pytest.raises(SecondPersonNeeded):
        withdraw(late, "counter")
    withdraw(late, "counter", "manager-1")


def test_abnormal_use_is_dismissed_late_by_two_once_the_user_is_to_be_told() -> None:
    play = Play(kinds.USAGE, RULES)
    play.say(UsageAnomalyFound("YC-1", "M-1", minutes(-60), 9_000, 8_000, ("high",), None, None), minutes(0))
    reason = next(iter(RULES.newest.metering.usage_dismissals))

    def dismissed(minute: float, confirmed_by: str | None = None) -> Any:
        ctx = context(RULES, minutes(minute), role="manager", confirmed_by=confirmed_by)
        return abnormal_use.dismiss(play.state, ctx, reason=reason)

    due = RULES.newest.metering.usage_audit_minutes
    assert due is not None
    dismissed(due - 1)  # the look that is owed
    play.say(AnomalyConfirmed("audit", None), minutes(10))
    told = RULES.newest.metering.usage_notice_minutes
    assert told is not None
    dismissed(10 + told * 0.74)
    with pytest.raises(SecondPersonNeeded):
        dismissed(10 + told * 0.76)
    dismissed(10 + told * 0.76, "manager-2")

"""The windows of a connection case: water on, notice, papers, trips; silence, pauses, and what stops them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.connections import intake, papers, pauses
from domain.connections.facts import ApplicationAdmitted
from domain.connections.promises import NOTICE, PAPERS, TRIPS, WATER_ON, obligations, papers_due_at
from domain.deadlines.calendar import CalendarVersion
from domain.deadlines.windows import (
    WindowCancelled,
    WindowLapsed,
    WindowMet,
    WindowMoved,
    WindowNearing,
    WindowOpened,
    WindowReopened,
    WindowRetracted,
)
from domain.standard.flat import with_changes
from domain.standard.standards import Rules
from tests.unit.cases import NINE
from tests.unit.connecting import (
    DAY,
    DIGEST,
    FIFTH_CLOSE,
    HOUR,
    IDENTITY,
    MAIN_PAPERS_ADMIT,
    PROPERTY,
    RULES,
    Case,
    admitted,
    kinds_of,
    received,
    refused,
)

PERMIT = "government-permit"
NO_PAPER_MISSING_LATER = replace(
    RULES,
    standards=tuple(
        with_changes(one, papers=replace(one.connection.papers, when_broken="suspend")) for one in RULES.standards
    ),
)


def of(case: Case, commitment: str, *types: type) -> list[Any]:
    """What was concluded about a commitment, in order."""
    wanted = types or (object,)
    return [fact for fact in case.play.concluded if fact.commitment == commitment and isinstance(fact, wanted)]


def due(case: Case) -> datetime | None:
    return case.state.ledger[WATER_ON].due_at


def pause(case: Case, reason: str = PERMIT, **when: Any) -> None:
    case.tell("case-owner", lambda c, ctx: pauses.request(c, ctx, reason=reason, evidence_digest=DIGEST), **when)


def approve(case: Case, number: int = 1, **when: Any) -> None:
    case.tell("manager", lambda c, ctx: pauses.approve(c, ctx, pause=number), **when)


def end(case: Case, number: int = 1, **when: Any) -> None:
    case.tell("case-owner", lambda c, ctx: pauses.end(c, ctx, pause=number), **when)


# ---- water on


def test_the_five_days_run_from_admission_by_the_calendar() -> None:
    case = admitted()
    (opened,) = of(case, WATER_ON)
    assert isinstance(opened, WindowOpened)
    assert (opened.opened_at, opened.due_at) == (NINE, FIFTH_CLOSE)
    assert (opened.basis.standard, opened.basis.calendar) == ("2026-06-1", "CN@2026-1")


def test_before_admission_the_window_is_provisional_from_the_receipt_and_admission_moves_it() -> None:
    case = received(rules=MAIN_PAPERS_ADMIT)
    assert due(case) == FIFTH_CLOSE
    case.supply(IDENTITY, at=NINE + DAY)
    (moved,) = of(case, WATER_ON, WindowMoved)
    assert (moved.cause, moved.opened_at, moved.old_due_at) == ("start", NINE + DAY, FIFTH_CLOSE)
    assert moved.due_at == datetime(2026, 9, 23, 9, 30, tzinfo=UTC)


def test_the_notice_stops_the_provisional_window_and_admission_lets_it_run() -> None:
    case = received(rules=MAIN_PAPERS_ADMIT)
    case.notice(("identity", "missing"), ("property-right", "missing"), at=NINE + HOUR)
    assert kinds_of(of(case, WATER_ON)) == ["WindowOpened", "WindowCancelled"]
    assert of(case, WATER_ON)[-1].reason == "notice-given"
    assert case.wait(NINE + 10 * DAY) == []
    case.supply(IDENTITY, at=NINE + 12 * DAY)
    reopened, moved = of(case, WATER_ON)[2:]
    assert isinstance(reopened, WindowReopened)
    assert (moved.cause, moved.opened_at) == ("start", NINE + 12 * DAY)


def test_silence_admits_at_the_close_of_the_fifth_day_as_of_the_receipt_and_lapses_at_that_instant() -> None:
    case = received()
    third, fourth = FIFTH_CLOSE.replace(day=20), FIFTH_CLOSE.replace(day=21)
    first = set(kinds_of(case.wait(third)))
    assert first == {"WindowNearing", "WindowLapsed", "WindowEscalated"}, "the lapse and its ladder are the notice's"
    assert kinds_of(case.wait(fourth)) == ["WindowNearing"]
    assert case.wait(FIFTH_CLOSE.replace(minute=29)) == []
    came = case.wait(FIFTH_CLOSE)
    assert came[0] == ApplicationAdmitted("silence", ("identity", "property-right"))
    assert case.state.admitted is not None
    assert case.state.admitted.at == NINE, "admitted on the day of receipt"
    lapsed = of(case, WATER_ON, WindowLapsed)
    assert [lapse.due_at for lapse in lapsed] == [FIFTH_CLOSE]
    assert [fact.rung for fact in of(case, WATER_ON, WindowNearing)] == ["third-working-day", "fourth-working-day"]


def test_after_a_notice_silence_admits_nobody() -> None:
    case = received()
    case.notice(("identity", "missing"), ("property-right", "missing"), at=NINE + DAY)
    case.wait(NINE + 30 * DAY)
    assert case.state.admitted is None
    assert of(case, WATER_ON, WindowLapsed) == []


def test_the_window_is_met_by_the_last_supply_point() -> None:
    case = admitted(points=3).ready()
    for point in (1, 3):
        case.turn_on(point, f"M-{point}", at=NINE + point * HOUR)
    assert of(case, WATER_ON, WindowMet) == []
    case.turn_on(2, "M-2", at=NINE + DAY)
    (met,) = of(case, WATER_ON, WindowMet)
    assert (met.met_at, met.on_time) == (NINE + DAY, True)


def test_meeting_it_at_the_very_instant_is_in_time_and_a_minute_later_is_not() -> None:
    in_time = admitted().ready()
    in_time.turn_on(at=FIFTH_CLOSE)
    assert [met.on_time for met in of(in_time, WATER_ON, WindowMet)] == [True]
    late = admitted().ready()
    late.turn_on(at=FIFTH_CLOSE.replace(minute=31))
    assert kinds_of(of(late, WATER_ON))[-2:] == ["WindowLapsed", "WindowMet"]
    assert [met.on_time for met in of(late, WATER_ON, WindowMet)] == [False]


def test_water_that_was_told_late_retracts_the_lapse() -> None:
    case = admitted().ready()
    case.wait(FIFTH_CLOSE)
    case.turn_on(at=FIFTH_CLOSE + HOUR, happened_at=FIFTH_CLOSE - HOUR)
    assert kinds_of(of(case, WATER_ON))[-3:] == ["WindowLapsed", "WindowRetracted", "WindowMet"]


def test_withdrawal_cancels_every_window() -> None:
    case = received()
    case.tell("applicant", lambda c, ctx: intake.withdraw(c, ctx, reason="no-longer-needed"))
    cancelled = {fact.commitment for fact in case.play.concluded if isinstance(fact, WindowCancelled)}
    assert cancelled == {WATER_ON, NOTICE, TRIPS}
    assert case.wait(NINE + 60 * DAY) == []


def revised(published_at: datetime, off: date) -> Rules:
    """The shipped rules with a later calendar in which that day is off."""
    (chain,) = RULES.calendars
    first = RULES.calendars[chain][-1]
    later = replace(first.calendar, version="CN@2026-2", moved={**first.calendar.moved, off: True})
    return replace(RULES, calendars={chain: (*RULES.calendars[chain], CalendarVersion(published_at, later))})


def test_an_open_window_moves_with_a_revised_calendar_and_a_met_one_keeps_its_own() -> None:
    case, done = admitted().ready(), admitted().ready()
    done.turn_on(at=NINE + HOUR)
    for one in (case, done):
        one.play.rules = revised(NINE + DAY, date(2026, 9, 21))
        one.wait(NINE + DAY + HOUR)
    (moved,) = of(case, WATER_ON, WindowMoved)
    assert (moved.cause, moved.due_at) == ("calendar", datetime(2026, 9, 23, 9, 30, tzinfo=UTC))
    assert of(done, WATER_ON, WindowMoved) == []


# ---- the notice


def test_a_complete_application_needs_no_notice() -> None:
    assert of(admitted(), NOTICE) == []


def test_at_the_counter_the_notice_is_given_at_once() -> None:
    case = received(channel="counter")
    (opened,) = of(case, NOTICE)
    assert opened.due_at == NINE + 0.25 * HOUR
    case.notice(("identity", "missing"), ("property-right", "missing"), at=NINE + 0.2 * HOUR)
    assert [met.on_time for met in of(case, NOTICE, WindowMet)] == [True]


def test_elsewhere_the_notice_is_given_within_a_working_day_and_lapses_after_it() -> None:
    case = received()
    (opened,) = of(case, NOTICE)
    assert opened.due_at == datetime(2026, 9, 17, 9, 30, tzinfo=UTC)
    case.wait(datetime(2026, 9, 17, 9, 30, tzinfo=UTC))
    assert kinds_of(of(case, NOTICE)) == ["WindowOpened", "WindowLapsed"]


def test_admission_answers_the_application_as_a_notice_does_but_silence_does_not() -> None:
    answered = received(rules=MAIN_PAPERS_ADMIT)
    answered.supply(IDENTITY, at=NINE + HOUR)
    assert kinds_of(of(answered, NOTICE)) == ["WindowOpened", "WindowMet"]
    silent = received()
    silent.wait(FIFTH_CLOSE)
    assert kinds_of(of(silent, NOTICE)) == ["WindowOpened", "WindowLapsed"]


# ---- papers outstanding


def promised(rules: Rules = RULES) -> Case:
    case = received(IDENTITY, rules=rules)
    case.promise(NINE + DAY)
    return case


CLOSE = datetime(2026, 9, 17, 9, 30, tzinfo=UTC)


def test_a_commitment_has_its_own_window_and_is_kept_by_the_last_paper() -> None:
    case = promised()
    (opened,) = of(case, PAPERS)
    assert (opened.opened_at, opened.due_at) == (NINE, CLOSE)
    assert papers_due_at(case.state, RULES.newest) == CLOSE
    case.supply(PROPERTY, at=CLOSE)
    assert [met.on_time for met in of(case, PAPERS, WindowMet)] == [True]


def test_a_broken_commitment_lapses_and_ends_what_the_utility_owes() -> None:
    case = promised()
    came = kinds_of(case.wait(CLOSE))
    assert came[:2] == ["PapersCommitmentBroken", "CaseEnded"]
    assert kinds_of(of(case, PAPERS)) == ["WindowOpened", "WindowLapsed"]
    assert of(case, WATER_ON)[-1].reason == "papers-commitment-broken"


def test_a_suspended_case_is_owed_nothing_and_its_days_run_anew_once_the_papers_are_in() -> None:
    case = promised(NO_PAPER_MISSING_LATER)
    case.wait(CLOSE)
    assert case.wait(NINE + 8 * DAY) == []
    case.supply(PROPERTY, at=NINE + 8 * DAY)
    assert kinds_of(of(case, WATER_ON))[1:] == ["WindowCancelled", "WindowReopened", "WindowMoved"]
    due_after_two_holidays = datetime(2026, 10, 9, 9, 30, tzinfo=UTC)
    assert due(case) == due_after_two_holidays


def test_a_paper_that_came_in_in_time_but_on_record_later_takes_the_lapse_back() -> None:
    case = promised()
    case.wait(CLOSE)
    case.supply(PROPERTY, at=CLOSE + HOUR, happened_at=CLOSE - HOUR)
    assert kinds_of(of(case, PAPERS)) == ["WindowOpened", "WindowLapsed", "WindowRetracted", "WindowMet"]
    assert case.state.stopped is None


def test_a_repair_leaves_the_lapse_on_record() -> None:
    case = promised()
    case.wait(CLOSE)
    case.supply(PROPERTY, at=CLOSE + HOUR)
    case.tell("manager", lambda c, ctx: papers.repair_commitment(c, ctx, evidence_digest=DIGEST))
    assert of(case, PAPERS, WindowRetracted) == []
    assert [met.on_time for met in of(case, PAPERS, WindowMet)] == [False]


# ---- trips


def appear(case: Case, **when: Any) -> None:
    case.tell("counter", lambda c, ctx: intake.appear(c, ctx, place="counter", purpose="papers"), **when)


@pytest.mark.parametrize(
    ("channel", "allowed"),
    [("website", 0), ("wechat", 0), ("platform", 0), ("home", 0), ("hotline", 1), ("counter", 1)],
)
def test_no_trip_where_applied_for_online_or_at_home_and_one_otherwise(channel: str, allowed: int) -> None:
    case = admitted(channel=channel)
    for _ in range(allowed - len(case.state.appearances)):
        appear(case)
    assert of(case, TRIPS, WindowLapsed) == []
    appear(case, at=NINE + HOUR)
    (lapsed,) = of(case, TRIPS, WindowLapsed)
    assert (lapsed.due_at, lapsed.notify) == (NINE + HOUR, ("manager",))


def test_the_count_of_trips_closes_when_the_water_is_on() -> None:
    case = admitted().ready()
    case.turn_on(at=NINE + HOUR)
    assert [met.met_at for met in of(case, TRIPS, WindowMet)] == [NINE + HOUR]
    appear(case, at=NINE + DAY)
    assert of(case, TRIPS, WindowLapsed) == [], "who comes afterwards does not come for the connection"


def test_who_comes_after_withdrawing_does_not_come_for_the_connection() -> None:
    case = received()
    case.tell("applicant", lambda c, ctx: intake.withdraw(c, ctx, reason="no-longer-needed"))
    appear(case, at=NINE + DAY)
    assert of(case, TRIPS, WindowLapsed) == []


# ---- pauses


def test_an_approved_pause_moves_the_end_by_the_working_days_that_it_covers() -> None:
    case = admitted()
    pause(case)
    assert due(case) == FIFTH_CLOSE, "asking stops no clock"
    approve(case)
    end(case, at=NINE + 2 * DAY)
    # It stood at the close of the 17th; by the close of the 18th it ran again.
    assert due(case) == datetime(2026, 9, 23, 9, 30, tzinfo=UTC)
    assert {moved.cause for moved in of(case, WATER_ON, WindowMoved)} == {"pause"}


def test_nothing_lapses_while_the_clock_stands() -> None:
    case = admitted()
    pause(case)
    approve(case)
    for day in range(1, 20):
        case.wait(NINE + day * DAY)
    assert of(case, WATER_ON, WindowLapsed) == []


def test_a_pause_stops_no_longer_than_its_cap() -> None:
    case = admitted()
    pause(case, "applicant-payment")
    approve(case)
    case.wait(datetime(2026, 12, 1, tzinfo=UTC))
    (lapsed,) = of(case, WATER_ON, WindowLapsed)
    # The day of admission itself stood too, but the starting day never counts: ten stood and five counted after it.
    expected = RULES.calendar.add_working_days(date(2026, 9, 16), 15)
    assert lapsed.due_at.date() == expected


def test_a_pause_that_is_approved_late_takes_the_lapse_back_and_its_revocation_brings_it_again() -> None:
    case = admitted()
    pause(case, at=FIFTH_CLOSE - HOUR)
    case.wait(FIFTH_CLOSE)
    assert len(of(case, WATER_ON, WindowLapsed)) == 1
    approve(case, at=FIFTH_CLOSE + HOUR)
    assert len(of(case, WATER_ON, WindowRetracted)) == 1
    case.tell(
        "manager", lambda c, ctx: pauses.revoke(c, ctx, pause=1, reason="no-permit-needed"), at=FIFTH_CLOSE + 2 * HOUR
    )
    assert [lapse.lapse for lapse in of(case, WATER_ON, WindowLapsed)] == [1, 2]
    assert due(case) == FIFTH_CLOSE


def test_a_declined_pause_changes_nothing() -> None:
    case = admitted()
    pause(case)
    case.tell("manager", lambda c, ctx: pauses.decline(c, ctx, pause=1), at=NINE + HOUR)
    case.wait(FIFTH_CLOSE)
    assert len(of(case, WATER_ON, WindowLapsed)) == 1


def test_a_window_says_which_pauses_moved_it() -> None:
    case = admitted()
    pause(case)
    approve(case)
    (obligation,) = (one for one in obligations(case.state, RULES) if one.commitment == WATER_ON)
    known = case.state.pauses[1]
    assert known.approved is not None
    assert {known.since.by, known.approved.by} <= set(obligation.terms[0].decided_by)  # type: ignore[union-attr]


def test_a_paused_case_still_refuses_what_it_refused() -> None:
    case = received(IDENTITY, rules=MAIN_PAPERS_ADMIT).ready()
    pause(case)
    approve(case)
    with refused("papers-missing"):
        case.turn_on()

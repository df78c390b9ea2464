"""What says that nothing is owed: late in a limit, or where it takes a lapse back, another person confirms it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.repairs import details, dismissal
from domain.repairs.facts import CrewArrived, FaultReported, SeverityAssessed, WorkLogged
from domain.repairs.promises import ARRIVAL, COMPLETION
from domain.repairs.refusals import SecondPersonNeeded
from domain.standard.context import CommandContext
from domain.standard.flat import with_changes
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import SUBJECT, Play, context, minutes, repairing

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

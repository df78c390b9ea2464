"""The ladder after a lapse: each step once at its instant, until it is in hand or the promise no longer runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.deadlines.windows import Basis, WindowAcknowledged, WindowEscalated
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.repairs import promises
from domain.repairs.facts import (
    CrewArrived,
    FaultReported,
    RepairCompleted,
    ReportLinked,
    SeverityAssessed,
    SeverityReassessed,
)
from domain.repairs.promises import ANSWER, COMPLETION
from domain.standard.escalation import acknowledge, ladder_after
from domain.standard.flat import with_changes
from domain.standard.sections.alerting import EscalationStep
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, ON_SITE, SUBJECT, Play, connecting, context, minutes, names, repairing

RULES = shipped_rules()
ARRIVAL = promises.ARRIVAL
AT_30 = minutes(30)
"""When the arrival of an incident reported at nine lapses. The shipped ladder goes on at 40 and at 60."""


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, match=f"^{code}:")


def steps(play: Play, commitment: str = ARRIVAL) -> list[tuple[int, str]]:
    """Every escalation on record, as lapse and step."""
    said = [fact for fact in play.concluded if isinstance(fact, WindowEscalated) and fact.commitment == commitment]
    return [(fact.lapse, fact.step) for fact in said]


def taken_in_hand(play: Play, at: datetime, actor: str = "manager-1", **what: Any) -> list[str]:
    """Somebody acknowledges; the names of what follows."""
    by = context(RULES, at, role="manager", channel="office", actor=actor)
    fact = acknowledge(play.state.ledger, by, commitment=ARRIVAL, **what)
    return names(play.say(fact, at, by=by.by)) if fact is not None else ["nothing new"]


def lapsed(rules: Rules = RULES) -> Play:
    play = repairing(rules)
    play.conclude(AT_30)
    return play


# ---- the steps


def test_each_step_is_said_once_at_its_instant_to_those_it_names() -> None:
    play = lapsed()
    heard = [names(play.conclude(minutes(at))) for at in (39, 40, 41, 60, 61)]
    assert heard == [[], ["WindowEscalated"], [], ["WindowEscalated"], []]
    first, second = [fact for fact in play.concluded if isinstance(fact, WindowEscalated)]
    assert (first.lapse, first.step, first.due_at, first.notify) == (1, "after-10-min", AT_30, ("manager",))
    assert (second.step, second.notify) == ("after-30-min", ("deputy-director",))
    assert second.number == first.number + 1


def test_the_next_time_to_ask_is_the_next_step() -> None:
    play = lapsed()
    asks = [kinds.next_ask_at(kinds.REPAIR, play.state, RULES, minutes(at)).get(ARRIVAL) for at in (31, 40, 60)]
    assert asks == [minutes(40), minutes(60), None]


def test_a_watch_that_was_away_says_every_step_that_passed_in_order() -> None:
    play = repairing(RULES)
    facts = play.conclude(minutes(200))
    arrival = [fact for fact in facts if fact.commitment == ARRIVAL]
    assert names(arrival) == ["WindowLapsed", "WindowEscalated", "WindowEscalated"]
    assert steps(play) == [(1, "after-10-min"), (1, "after-30-min")]


def test_an_arrival_ends_the_ladder() -> None:
    play = lapsed()
    play.say(CrewArrived("crew-1", ON_SITE), minutes(35))
    assert ARRIVAL not in kinds.next_ask_at(kinds.REPAIR, play.state, RULES, minutes(36))
    play.conclude(minutes(100))
    assert steps(play) == []


def test_a_repair_that_is_done_calls_nobody_for_an_arrival_that_was_never_told() -> None:
    play = lapsed()
    play.say(RepairCompleted(), minutes(35))
    play.conclude(minutes(100))
    assert steps(play) == []
    assert play.windows(minutes(100))[ARRIVAL].lapses == (AT_30,), "the lapse stands"


def test_a_later_end_ends_the_ladder_of_the_one_before_and_has_its_own() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(10))
    play.say(SeverityAssessed("small", "DN 40"), minutes(20))
    play.conclude(minutes(240))
    play.say(SeverityReassessed("medium", "DN 100", "sha256:0"), minutes(250))
    assert "WindowEscalated" not in names(play.conclude(minutes(479)))
    play.conclude(minutes(900))
    assert steps(play, COMPLETION) == [(2, "after-1-hour"), (2, "half-again")]


def test_percent_counts_beyond_the_end() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(10))
    play.say(SeverityAssessed("small", "DN 40"), minutes(20))
    play.conclude(minutes(359))
    assert steps(play, COMPLETION) == [(1, "after-1-hour")]
    play.conclude(minutes(360))
    assert steps(play, COMPLETION) == [(1, "after-1-hour"), (1, "half-again")]


def test_working_days_after_a_lapse_end_at_the_close_of_business() -> None:
    play = connecting(RULES)
    play.conclude(datetime(2026, 9, 22, 9, 30, tzinfo=UTC))
    assert play.state.ledger["connection.water_on"].lapse_count == 1
    first = datetime(2026, 9, 23, 9, 30, tzinfo=UTC)
    third = datetime(2026, 9, 28, 9, 30, tzinfo=UTC)  # 25–27 September are a holiday
    just_before = timedelta(seconds=1)
    heard = [names(play.conclude(at)) for at in (first - just_before, first, third - just_before, third)]
    assert heard == [[], ["WindowEscalated"], [], ["WindowEscalated"]]


def test_imported_history_calls_nobody() -> None:
    play = Play(kinds.REPAIR, RULES)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), NINE, channel="import")
    play.conclude(minutes(5_000))
    assert "WindowEscalated" not in names(play.concluded)


def test_an_older_standard_has_no_ladder() -> None:
    older = replace(RULES, standards=(with_changes(RULES.newest, version="0225-3", escalations={}),))
    play = lapsed(older)
    play.conclude(minutes(500))
    assert "WindowEscalated" not in names(play.concluded)


def test_the_most_exact_name_of_a_ladder_counts() -> None:
    def one(name: str) -> tuple[EscalationStep, ...]:
        return (EscalationStep(name, ("manager",), ("page",), minutes=1),)

    standard = with_changes(RULES.newest, escalations={"*": one("all"), "repair.*": one("kind"), ARRIVAL: one("own")})
    found = [ladder_after(standard, each)[0].name for each in (ARRIVAL, ANSWER, "order.reply")]
    assert found == ["own", "kind", "all"]
    assert ladder_after(with_changes(standard, escalations={}), ARRIVAL) == ()


# ---- in hand


def test_an_acknowledgement_ends_the_ladder_and_not_the_lapse() -> None:
    play = lapsed()
    taken_in_hand(play, minutes(35))
    assert kinds.next_ask_at(kinds.REPAIR, play.state, RULES, minutes(36)).get(ARRIVAL) is None
    play.conclude(minutes(500))
    assert steps(play) == []
    assert play.state.ledger[ARRIVAL].lapses == {AT_30: 1}


def test_an_acknowledgement_after_a_step_leaves_the_rest_unsaid() -> None:
    play = lapsed()
    play.conclude(minutes(40))
    taken_in_hand(play, minutes(41))
    play.conclude(minutes(500))
    assert steps(play) == [(1, "after-10-min")]


def test_the_same_person_twice_is_nothing_new_and_another_one_is_refused() -> None:
    play = lapsed()
    taken_in_hand(play, minutes(35))
    assert taken_in_hand(play, minutes(36)) == ["nothing new"]
    with refused("already-acknowledged"):
        taken_in_hand(play, minutes(36), actor="manager-2")


def test_a_lapse_that_comes_back_has_a_ladder_of_its_own() -> None:
    play = lapsed()
    taken_in_hand(play, minutes(35))
    # A second report, wrongly linked, had come earlier: its end ran out at twenty past.
    play.say(ReportLinked(2, SUBJECT), minutes(-10), at=minutes(36))
    assert play.state.ledger[ARRIVAL].lapses == {minutes(20): 2}
    play.conclude(minutes(500))
    assert steps(play) == [(2, "after-10-min"), (2, "after-30-min")]


def test_a_reminder_is_acknowledged_by_its_name_and_the_lapse_comes_all_the_same() -> None:
    play = repairing(RULES)
    play.conclude(minutes(20))
    taken_in_hand(play, minutes(21), reminder="no-arrival-20-min")
    assert names(play.conclude(AT_30)) == ["WindowLapsed"]
    assert names(play.conclude(minutes(40))) == ["WindowEscalated"]


@pytest.mark.parametrize("what", [{"lapse": 2}, {"reminder": "unknown"}, {"reminder": "no-arrival-20-min"}])
def test_only_what_stands_can_be_taken_in_hand(what: dict[str, Any]) -> None:
    with refused("nothing-to-acknowledge"):
        taken_in_hand(lapsed(), minutes(35), **what)


def test_what_is_met_needs_nobody() -> None:
    play = lapsed()
    play.say(CrewArrived("crew-1", ON_SITE), minutes(35))
    with refused("nothing-to-acknowledge"):
        taken_in_hand(play, minutes(36))


def test_nobody_has_nothing_in_hand() -> None:
    with refused("person-needed"):
        taken_in_hand(lapsed(), minutes(35), actor="anonymous")


def test_a_role_without_the_power_is_refused() -> None:
    play = lapsed()
    with refused("wrong-role"):
        acknowledge(play.state.ledger, context(RULES, minutes(35), role="public"), commitment=ARRIVAL)


def test_a_window_that_is_not_there_is_named() -> None:
    with refused("no-such-window"):
        acknowledge(lapsed().state.ledger, context(RULES, minutes(35), role="manager"), commitment="order.reply")


def test_the_ledger_ignores_an_acknowledgement_with_an_old_number() -> None:
    play = lapsed()
    known = play.state.ledger[ARRIVAL]
    old = WindowAcknowledged(ARRIVAL, known.number, 1, None, AT_30, "manager-1", Basis("0225-5", None, ()))
    play.append(old, minutes(35))
    assert play.state.ledger[ARRIVAL] == known


# ---- any order, any number of times

Told = tuple[Fact, float]
FIELD: list[Told] = [
    (ReportLinked(2, SUBJECT), -12),
    (CrewArrived("crew-1", ON_SITE), 95),
    (SeverityAssessed("medium", "DN 100"), 110),
    (RepairCompleted(), 700),
]


def standing(order: tuple[Told, ...]) -> object:
    """The windows long after the facts, told in this order, and the escalations of the lapses that stand."""
    play = repairing(RULES)
    for place, (fact, happened) in enumerate(order):
        play.say(fact, minutes(happened), at=minutes(1_000 + place))
    play.conclude(minutes(5_000))
    windows = play.windows(minutes(6_000))
    return {
        commitment: (window.due_at, window.met_at, window.lapses, window.levels, window.next_ask_at)
        for commitment, window in windows.items()
    }


def test_any_order_of_the_facts_leaves_the_same_ladder() -> None:
    first = standing(tuple(FIELD))
    assert all(standing(order) == first for order in permutations(FIELD))


@given(
    looks=st.lists(st.integers(0, 700), min_size=1, max_size=12),
    arrived=st.none() | st.integers(1, 120),
    reported_late=st.integers(0, 200),
    in_hand=st.none() | st.integers(31, 100),
    earlier=st.none() | st.integers(1, 25),
)
def test_whenever_it_is_looked_at_each_step_is_said_at_most_once_and_never_early(
    looks: list[int], arrived: int | None, reported_late: int, in_hand: int | None, earlier: int | None
) -> None:
    play = repairing(RULES)
    todo: list[tuple[int, str]] = [(at, "look") for at in looks]
    todo += [(arrived + reported_late, "arrived")] if arrived is not None else []
    todo += [(in_hand, "in-hand")] if in_hand is not None else []
    todo += [(reported_late, "earlier")] if earlier is not None else []
    for at, what in sorted(todo):
        before = len(play.concluded)
        if what == "arrived":
            play.say(CrewArrived("crew-1", ON_SITE), minutes(arrived or 0), at=minutes(at))
        elif what == "earlier":
            play.say(ReportLinked(2, SUBJECT), minutes(-(earlier or 0)), at=minutes(at))
        elif what == "in-hand" and play.state.ledger[ARRIVAL].lapses and play.state.ledger[ARRIVAL].met_at is None:
            play.conclude(minutes(at))
            if play.state.ledger[ARRIVAL].lapses:
                taken_in_hand(play, minutes(at))
        play.conclude(minutes(at))
        assert play.conclude(minutes(at)) == [], "asked again it says nothing new"
        for fact in play.concluded[before:]:
            if isinstance(fact, WindowEscalated) and fact.commitment == ARRIVAL:
                ladder = {step.name: step.minutes or 0 for step in ladder_after(RULES.newest, ARRIVAL)}
                assert fact.due_at + timedelta(minutes=ladder[fact.step]) <= minutes(at)
                assert fact.lapse in play.state.ledger[ARRIVAL].lapses.values()
    said = steps(play)
    assert len(said) == len(set(said))


@given(look=st.integers(31, 900))
def test_asking_when_told_misses_no_step(look: int) -> None:
    """Between an ask and the next one that it names nothing is to be said."""
    play = lapsed()
    play.conclude(minutes(look))
    ahead = kinds.next_ask_at(kinds.REPAIR, play.state, RULES, minutes(look))
    until = min(ahead.values(), default=minutes(look + 5_000)) - timedelta(microseconds=1)
    assert play.conclude(until) == []

"""Repair crews: formed, on shift, last seen, and never on two incidents at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.crews import crews
from domain.crews.crews import Assignment, Crew, Free
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.repairs import dispatch
from domain.repairs.facts import CrewWithdrawn
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import crew_stream, shipped_rules, shipped_standard
from tests.unit.cases import CASE, context, minutes, repairing
from tests.unit.office import after, by

DISPATCHER = context(shipped_rules(), minutes(0), role="dispatcher", channel="office")

OTHER = UUID(int=2)
BUSY = Crew("crew-1", assignment=Assignment(CASE, "BX-1"))


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


def form(rules: Rules, state: Crew | None = None, role: str = "manager", **changes: Any) -> Crew:
    values: dict[str, Any] = {"crew": "crew-1", "name_zh": "抢修一班", "skills": ("pipes",), "lead": "lead-1"}
    fact = crews.form(state, by(rules, role), **(values | changes))
    known: Crew = after(crews.evolve, state, fact)
    return known


# ---- the crew itself


def test_a_crew_is_formed_and_works_its_shift(rules: Rules) -> None:
    crew = form(rules)
    assert (crew.number, crew.formed, crew.on_shift) == ("crew-1", True, None)
    crew = after(crews.evolve, crew, crews.start_shift(crew, by(rules, "crew"), crew="crew-1"))
    assert crew.on_shift is True
    with refused("shift-running"):
        crews.start_shift(crew, by(rules, "crew"), crew="crew-1")
    crew = after(crews.evolve, crew, crews.end_shift(crew, by(rules, "crew"), crew="crew-1"))
    assert crew.on_shift is False
    with refused("no-shift-running"):
        crews.end_shift(crew, by(rules, "crew"), crew="crew-1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"role": "public"}, "wrong-role"),
        ({"skills": ("juggling",)}, "unknown-skill"),
        ({"skills": ("pipes", "pipes")}, "code-twice"),
        ({"name_zh": " "}, "bad-text"),
        ({"name_zh": "抢" * 201}, "bad-text"),
    ],
)
def test_a_crew_that_does_not_do_is_not_formed(rules: Rules, changes: dict[str, Any], code: str) -> None:
    with refused(code):
        form(rules, **changes)


def test_a_crew_is_not_formed_again_as_it_is(rules: Rules) -> None:
    crew = form(rules)
    with refused("crew-unchanged"):
        form(rules, crew)
    assert form(rules, crew, skills=("pipes", "valves")).skills == ("pipes", "valves")


def test_a_crew_that_nobody_formed_has_no_shift(rules: Rules) -> None:
    for state in (None, BUSY):
        with refused("crew-not-formed"):
            crews.start_shift(state, by(rules, "crew"), crew="crew-1")


def test_no_shift_begins_in_the_future_and_none_by_a_stranger(rules: Rules) -> None:
    crew = form(rules)
    with refused("future-time"):
        crews.start_shift(crew, context(rules, minutes(10), minutes(0)), crew="crew-1")
    with refused("wrong-role"):
        crews.end_shift(crew, by(rules, "public"), crew="crew-1")


def test_of_where_a_crew_is_the_newest_fix_counts_in_whatever_order_they_come(rules: Rules) -> None:
    early = crews.locate(None, context(rules, minutes(0)), crew="crew-1", district_code="zhenxi")
    late = crews.locate(None, context(rules, minutes(5)), crew="crew-1", district_code="hexi")
    state: Crew | None = None
    for fact, at in ((late, minutes(5)), (early, minutes(0))):
        state = after(crews.evolve, state, fact, at=at)
    assert state is not None
    assert (state.district, state.located_at) == ("hexi", minutes(5))
    with refused("unknown-district"):
        crews.locate(state, context(rules, minutes(5)), crew="crew-1", district_code="atlantis")


# ---- one incident at a time


def test_a_crew_on_an_incident_is_busy_for_every_other_and_the_other_is_named() -> None:
    with refused("crew-busy") as refusal:
        crews.assign(BUSY, crew="crew-1", case_id=OTHER, case_number="BX-2")
    assert "BX-1" in refusal.value.found
    assert crews.assign(BUSY, crew="crew-1", case_id=CASE, case_number="BX-1").case_id == CASE


def test_a_crew_that_was_never_formed_may_be_sent() -> None:
    state = after(crews.evolve, None, crews.assign(None, crew="crew-1", case_id=CASE, case_number="BX-1"))
    assert state == BUSY


def test_a_crew_is_freed_of_the_incident_that_it_is_on_and_of_no_other() -> None:
    assert crews.release(BUSY, case_id=OTHER, reason="completed") is None
    assert crews.release(None, case_id=CASE, reason="completed") is None
    fact = crews.release(BUSY, case_id=CASE, reason="completed")
    assert after(crews.evolve, BUSY, fact) == Crew("crew-1")
    assert crews.without(BUSY, CASE) == Crew("crew-1")
    assert crews.without(BUSY, OTHER) == BUSY


@given(st.lists(st.tuples(st.sampled_from(["assign", "release"]), st.integers(0, 3)), max_size=30))
def test_whatever_is_asked_a_crew_is_on_one_incident_at_most(steps: list[tuple[str, int]]) -> None:
    state: Crew | None = None
    on: set[UUID] = set()
    for step, number in steps:
        case_id = UUID(int=number)
        fact: Fact | None = None
        if step == "release":
            fact = crews.release(state, case_id=case_id, reason="completed")
            on -= {case_id}
        else:
            with suppress(Refusal):
                fact = crews.assign(state, crew="crew-1", case_id=case_id, case_number=f"BX-{number}")
                on |= {case_id}
        state = after(crews.evolve, state, fact) if fact is not None else state
        assert len(on) <= 1
        known = state.assignment if state is not None else None
        assert on == ({known.case_id} if known is not None else set())


def test_writing_a_crews_code_large_does_not_make_another_crew() -> None:
    assert crew_stream("Crew-1") == crew_stream("crew-1")
    assert crew_stream("crew-1").kind is kinds.CREW


# ---- the incident's side


def test_a_crew_that_says_no_is_off_the_incident(rules: Rules) -> None:
    play = repairing(rules)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    fact = dispatch.decline(play.state, context(rules, minutes(2)), crew="crew-1", reason="vehicle")
    assert fact.flags == ()
    play.say(fact, minutes(2))
    assert play.state.crew is None
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(3))
    assert play.state.crew == "crew-1"


def test_the_no_of_a_crew_that_was_not_sent_changes_nothing_and_is_flagged(rules: Rules) -> None:
    play = repairing(rules)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    fact = dispatch.decline(play.state, context(rules, minutes(-1), minutes(2)), crew="crew-2", reason="unsafe")
    assert fact.flags == ("not-the-dispatched-crew", "before-first-report")
    play.say(fact, minutes(-1), minutes(2))
    assert play.state.crew == "crew-1"


def test_a_no_needs_a_reason_and_a_time_that_has_come(rules: Rules) -> None:
    play = repairing(rules)
    with refused("unknown-decline-reason"):
        dispatch.decline(play.state, context(rules, minutes(1)), crew="crew-1", reason="tired-of-it")
    with refused("future-time"):
        dispatch.decline(play.state, context(rules, minutes(30), minutes(1)), crew="crew-1", reason="vehicle")


def test_a_crew_is_taken_away_only_from_where_it_is(rules: Rules) -> None:
    play = repairing(rules)
    with refused("crew-elsewhere"):
        dispatch.withdraw(play.state, DISPATCHER, crew="crew-1")
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    assert dispatch.withdraw(play.state, DISPATCHER, crew="crew-1") == CrewWithdrawn("crew-1")
    play.say(CrewWithdrawn("crew-1"), minutes(2))
    assert play.state.crew is None


# ---- suggestions


def test_the_nearest_is_in_the_district_then_in_its_zone_then_elsewhere_then_nowhere() -> None:
    def free(code: str, where: str | None, age: float | None) -> Free:
        return Free(code, ("pipes",), where, timedelta(minutes=age) if age is not None else None)

    known = [
        free("nowhere", None, None),
        free("rural", "hexi", 1),
        free("urban", "donghe", 2),
        free("stale", "zhenxi", 50),
        free("fresh", "zhenxi", 5),
        Free("welders", ("welding",), "zhenxi", timedelta(0)),
    ]
    ranked = crews.nearest(known, shipped_standard(), to="zhenxi", skill="pipes")
    assert [crew.crew for crew in ranked] == ["fresh", "stale", "urban", "rural", "nowhere"]
    assert crews.nearest(known, shipped_standard(), to="zhenxi")[0].crew == "welders"
    with refused("unknown-district"):
        crews.nearest(known, shipped_standard(), to="atlantis")
    with refused("unknown-skill"):
        crews.nearest(known, shipped_standard(), to="zhenxi", skill="juggling")

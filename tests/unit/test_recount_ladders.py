"""The ladders after lapses, gone up a second time from published events alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.recount.ladder import ladders
from consumers.recount.policy import Policy
from consumers.recount.published_events import PublishedEvent
from consumers.recount.record import ComparisonTime
from domain import kinds
from domain.connections.facts import ApplicationAdmitted, ApplicationReceived
from domain.repairs.facts import CrewArrived, FaultReported, RepairCompleted, ReportLinked, SeverityAssessed
from domain.repairs.promises import ARRIVAL
from domain.standard.escalation import acknowledge
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, SUBJECT, context, minutes
from tests.unit.recounting import Published, policy_events

RULES = shipped_rules()
POLICY = Policy(policy_events())
GRACE = timedelta(minutes=1)


def incident() -> Published:
    play = Published(kinds.REPAIR, RULES)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), NINE)
    return play


def wrong(events: Sequence[PublishedEvent], until: float) -> list[tuple[str, Any, Any]]:
    found = ladders(events, POLICY, ComparisonTime(minutes(until), GRACE))
    return [(each.what, each.on_record, each.recounted) for each in found if each.commitment == ARRIVAL]


def escalated() -> list[PublishedEvent]:
    play = incident()
    for at in (30, 40, 60):
        play.conclude(minutes(at))
    return play.events


def test_a_ladder_as_it_was_climbed_agrees() -> None:
    assert wrong(escalated(), 100) == []


def test_a_step_that_is_not_on_record_is_missed() -> None:
    events = [event for event in escalated() if event.data.get("step") != "after-30-min"]
    assert wrong(events, 60) == [], "within the grace"
    assert wrong(events, 61) == [("escalated", None, "after-30-min")]


def test_a_step_that_came_too_early_is_seen() -> None:
    events = escalated()
    early = [replace(e, recorded_at=minutes(59)) if e.data.get("step") == "after-30-min" else e for e in events]
    assert [what for what, _, _ in wrong(early, 100)] == ["escalated before its step"]


def test_a_step_twice_one_without_its_lapse_and_one_that_the_standard_does_not_have_are_seen() -> None:
    events = escalated()
    step = next(event for event in events if event.name == "WindowEscalated")
    assert ("escalated twice", "after-10-min", "once") in wrong([*events, step], 100)
    forged = replace(step, data={**step.data, "lapse": 7})
    assert ("escalated", "after-10-min", "a lapse before it") in wrong([*events, forged], 100)
    invented = replace(step, data={**step.data, "step": "midnight-call"})
    assert ("escalated", "midnight-call", "no such step in the standard") in wrong([*events, invented], 100)


def test_a_step_after_somebody_had_it_in_hand_is_seen() -> None:
    play = incident()
    play.conclude(minutes(30))
    by = context(RULES, minutes(35), role="manager")
    fact = acknowledge(play.state.ledger, by, commitment=ARRIVAL)
    assert fact is not None
    play.say(fact, minutes(35), by=by.by)
    play.conclude(minutes(200))
    assert wrong(play.events, 200) == []
    step = next(event for event in escalated() if event.name == "WindowEscalated")
    assert [should for _, _, should in wrong([*play.events, step], 200)] == ["nothing: the ladder had ended"]


def test_steps_in_working_days_agree() -> None:
    play = Published(kinds.CONNECTION, RULES)
    play.append(ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE)
    play.say(ApplicationAdmitted(), NINE)
    for day in range(1, 14):
        play.conclude(NINE + timedelta(days=day, hours=8, minutes=30))
    assert sum(event.name == "WindowEscalated" for event in play.events) == 2
    assert ladders(play.events, POLICY, ComparisonTime(minutes(20 * 1440), GRACE)) == []


@given(
    looks=st.lists(st.integers(0, 700), max_size=10),
    facts=st.lists(
        st.tuples(
            st.sampled_from(["arrived", "earlier", "assessed", "done", "in-hand"]),
            st.integers(0, 500),
            st.integers(0, 90),
        ),
        max_size=5,
    ),
)
def test_whatever_happens_the_recount_finds_nothing_wrong(looks: list[int], facts: list[tuple[str, int, int]]) -> None:
    play = incident()
    todo = [(at, "look", at) for at in looks] + [(at + late, what, at) for what, at, late in facts]
    for at, what, happened in sorted(todo):
        match what:
            case "arrived":
                play.say(CrewArrived("crew-1", None), minutes(happened), at=minutes(at))
            case "earlier":
                play.say(ReportLinked(2 + len(play.events), SUBJECT), minutes(-(happened % 40)), at=minutes(at))
            case "assessed":
                play.say(SeverityAssessed("medium", "DN 100"), minutes(happened), at=minutes(at))
            case "done":
                play.say(RepairCompleted(), minutes(happened), at=minutes(at))
            case "in-hand":
                known = play.state.ledger[ARRIVAL]
                if known.lapses and known.met_at is None and not known.acknowledged:
                    by = context(RULES, minutes(at), role="manager")
                    fact = acknowledge(play.state.ledger, by, commitment=ARRIVAL)
                    play.say(fact, minutes(at), by=by.by)
        play.conclude(minutes(at))
    play.conclude(minutes(3_000))
    # What is published of a concluded fact has the instant of the decision.
    found = ladders(play.events, POLICY, ComparisonTime(minutes(3_000), GRACE))
    assert found == []

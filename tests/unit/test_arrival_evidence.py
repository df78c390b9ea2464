"""An arrival that is told without evidence meets its promise until the evidence had to follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.deadlines.windows import WindowLapsed, WindowMet, WindowReopened
from domain.kernel.facts import event_id
from domain.repairs.facts import ArrivalEvidence, ArrivalEvidenceSupplied, CrewArrived
from domain.repairs.field import supply_evidence
from domain.repairs.promises import ARRIVAL
from domain.repairs.refusals import ArrivalIsProven, NoSuchEvidence, SecondPersonNeeded
from infra.eventstore.shipped_rules import shipped_rules, shipped_standards
from tests.unit.cases import CASE, Play, context, minutes, names, repairing

RULES = shipped_rules()
NEEDS = replace(RULES, standards=(replace(shipped_standards()[0], arrival_evidence_minutes=1440),))
AS_BEFORE = replace(RULES, standards=shipped_standards()[:1])
ENDS = 20 + 1440
PROOF = ArrivalEvidence(True, 20, 8, None)


def arrived(rules: object = NEEDS) -> tuple[Play, CrewArrived]:
    play = repairing(rules)  # type: ignore[arg-type]
    fact = CrewArrived("crew-1", None)
    play.say(fact, minutes(20))
    return play, fact


def arrival_of(play: Play) -> object:
    (moment,) = play.state.arrived
    return moment.by


def test_without_evidence_the_arrival_counts_until_it_had_to_follow_and_then_meets_nothing() -> None:
    play, _ = arrived()
    window = play.windows(minutes(21))[ARRIVAL]
    assert (window.met_at, window.next_ask_at) == (minutes(20), minutes(ENDS)), "the watch asks at that instant"
    assert not [fact for fact in play.conclude(minutes(ENDS - 1)) if fact.commitment == ARRIVAL]
    found = [fact for fact in play.conclude(minutes(ENDS)) if fact.commitment == ARRIVAL]
    assert names(found)[:2] == ["WindowLapsed", "WindowReopened"]
    assert not any(fact.overturns for fact in found if isinstance(fact, WindowLapsed | WindowReopened))


def test_evidence_that_followed_in_time_makes_it_count_for_good() -> None:
    play, _ = arrived()
    play.say(ArrivalEvidenceSupplied(arrival_of(play), PROOF), minutes(600))  # type: ignore[arg-type]
    assert play.windows(minutes(9_000))[ARRIVAL].met_at == minutes(20)
    assert not [f for f in play.conclude(minutes(9_000)) if f.commitment == ARRIVAL]


def test_a_standard_without_the_policy_judges_as_before() -> None:
    play, _ = arrived(AS_BEFORE)
    window = play.windows(minutes(9_000))[ARRIVAL]
    assert (window.met_at, window.lapses) == (minutes(20), ())


def test_the_shipped_standard_of_2026_06_needs_evidence_within_a_day() -> None:
    assert [each.arrival_evidence_minutes for each in shipped_standards()] == [None, 1440]


def test_late_evidence_counts_with_a_second_person_only() -> None:
    play, _ = arrived()
    play.conclude(minutes(ENDS))
    by = arrival_of(play)
    late = minutes(ENDS + 1)
    with pytest.raises(SecondPersonNeeded):
        supply_evidence(play.state, context(NEEDS, late), arrival=by, evidence=PROOF)  # type: ignore[arg-type]
    fact = supply_evidence(play.state, context(NEEDS, late, confirmed_by="lead-1"), arrival=by, evidence=PROOF)  # type: ignore[arg-type]
    assert (fact.flags, fact.confirmed_by) == (("evidence-late",), "lead-1")
    found = [each for each in play.say(fact, late) if each.commitment == ARRIVAL]
    assert names(found) == ["WindowRetracted", "WindowMet"]
    assert isinstance(found[-1], WindowMet)
    assert found[-1].on_time
    with pytest.raises(ArrivalIsProven):
        supply_evidence(play.state, context(NEEDS, late), arrival=by, evidence=PROOF)  # type: ignore[arg-type]
    with pytest.raises(NoSuchEvidence):
        supply_evidence(play.state, context(NEEDS, late), arrival=event_id(CASE, 99), evidence=PROOF)


def test_imported_history_is_exempt() -> None:
    play = repairing(NEEDS)
    play.say(CrewArrived("crew-1", None), minutes(20), channel="import")
    assert play.windows(minutes(9_000))[ARRIVAL].met_at == minutes(20)

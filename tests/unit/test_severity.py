"""Severity and continuity: another class saves no promise, and a major repair is work without a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deadlines.windows import WindowLapsed
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.repairs import field
from domain.repairs import severity as repair_severity
from domain.repairs.facts import (
    CaseClosed,
    CrewArrived,
    RepairCompleted,
    ReporterAnswered,
    ReportLinked,
    ReportUnlinked,
    SeverityAssessed,
    SeverityReassessed,
    ShiftHandedOver,
    WaterRestored,
    WorkLogged,
)
from domain.repairs.promises import ARRIVAL, ASSESSMENT, COMPLETION, CONTINUITY
from domain.standard.flat import with_changes
from domain.standard.sections.repair import Severity
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, SUBJECT, Play, context, minutes, names, repairing

RULES = shipped_rules()
PROOF = "sha256:" + "0" * 64


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, match=f"^{code}:")


def rules(**changes: Any) -> Rules:
    """The shipped rules with a changed standard."""
    return replace(RULES, standards=tuple(with_changes(standard, **changes) for standard in RULES.standards))


def lapses(play: Play, commitment: str, at: datetime) -> tuple[datetime, ...]:
    return play.windows(at)[commitment].lapses


def on_site(rules: Rules = RULES) -> Play:
    """Reported at nine, a crew on site ten minutes later."""
    play = repairing(rules)
    play.say(CrewArrived("crew-1", None), minutes(10))
    return play


def small(rules: Rules = RULES) -> Play:
    play = on_site(rules)
    play.say(SeverityAssessed("small", "valve"), minutes(20))
    return play


# ---- the assessment is due


def test_an_assessment_is_due_an_hour_after_arrival_and_not_before_there_is_one() -> None:
    assert ASSESSMENT not in repairing(RULES).windows(minutes(200))
    play = on_site()
    assert play.state.ledger[ASSESSMENT].due_at == minutes(70)
    assert lapses(play, ASSESSMENT, minutes(70)) == (minutes(70),)


def test_the_first_assessment_meets_it() -> None:
    play = small()
    window = play.windows(minutes(300))[ASSESSMENT]
    assert (window.met_at, window.lapses) == (minutes(20), ())


def test_an_incident_that_was_never_assessed_stays_held_to_the_small_window() -> None:
    play = on_site()
    assert lapses(play, COMPLETION, minutes(240)) == (minutes(240),)


def test_a_standard_without_these_numbers_promises_nothing_of_the_sort() -> None:
    play = on_site(rules(assessment_minutes=None, continuity_minutes=None))
    play.say(SeverityAssessed("major", "trunk"), minutes(20))
    assert set(play.windows(minutes(900))) == {ARRIVAL, COMPLETION}


# ---- where the completion starts


@pytest.mark.parametrize(("start", "due"), [("report", 480), ("arrival", 490), ("assessment", 500)])
def test_the_standard_selects_where_the_completion_starts(start: str, due: int) -> None:
    play = on_site(rules(completion_from=start))
    play.say(SeverityAssessed("medium", "dn-100"), minutes(20))
    assert play.windows(minutes(30))[COMPLETION].due_at == minutes(due)


@pytest.mark.parametrize("start", ["arrival", "assessment"])
def test_before_a_later_start_the_completion_runs_from_the_report_and_its_lapse_stays(start: str) -> None:
    play = repairing(rules(completion_from=start))
    assert play.state.ledger[COMPLETION].due_at == minutes(240)
    play.say(CrewArrived("crew-1", None), minutes(250))
    play.say(SeverityAssessed("medium", "dn-100"), minutes(260))
    window = play.windows(minutes(300))[COMPLETION]
    assert window.lapses == (minutes(240),)
    assert window.due_at == minutes(730 if start == "arrival" else 740)


# ---- another class


def reassess(play: Play, minute: float, *, at: float | None = None, **changes: Any) -> SeverityReassessed:
    values = {"severity": "medium", "reason": "road", "evidence_digest": PROOF, "approved_by": None} | changes
    teller = context(RULES, minutes(minute), at=minutes(at or minute), actor="crew-1")
    return repair_severity.reassess(play.state, teller, **values)


def test_a_reassessment_carries_the_time_that_has_run() -> None:
    play = small()
    play.say(reassess(play, 100), minutes(100))
    assert play.state.severity == "medium"
    assert play.windows(minutes(101))[COMPLETION].due_at == minutes(480)


def test_a_reassessment_after_a_lapse_keeps_the_lapse() -> None:
    play = small()
    play.say(reassess(play, 250, approved_by="manager-1"), minutes(250))
    assert lapses(play, COMPLETION, minutes(251)) == (minutes(240),)


@pytest.mark.parametrize("approved_by", [None, "crew-1"])
def test_once_three_quarters_have_run_a_reassessment_needs_a_second_person(approved_by: str | None) -> None:
    play = small()
    assert reassess(play, 179, approved_by=approved_by)
    with refused("second-person-needed"):
        reassess(play, 180, approved_by=approved_by)
    assert reassess(play, 180, approved_by="manager-1").approved_by == "manager-1"


@pytest.mark.parametrize("severity", ["medium", "major"])
def test_a_first_class_that_gives_more_time_needs_a_second_person_late_in_the_window(severity: Severity) -> None:
    """Before, "major" at minute 239 took the four hours away, by the crew alone."""

    def told(play: Play, minute: float, confirmed_by: str | None = None) -> SeverityAssessed:
        ctx = context(RULES, minutes(minute), confirmed_by=confirmed_by)
        return repair_severity.assess(play.state, ctx, severity=severity, reason="trunk")

    late_arrival = repairing(RULES)
    late_arrival.say(CrewArrived("crew-1", None), minutes(150))
    assert told(late_arrival, 179).confirmed_by is None
    for confirmed_by in (None, "crew-1"):
        with refused("second-person-needed"):
            told(late_arrival, 239, confirmed_by)
    assert told(late_arrival, 239, "dispatcher-2").confirmed_by == "dispatcher-2"
    overdue = on_site()
    with refused("second-person-needed"):
        told(overdue, 120)


def test_a_first_class_that_gives_no_more_time_is_taken_from_one_person_however_late() -> None:
    ctx = context(RULES, minutes(239))
    fact = repair_severity.assess(on_site().state, ctx, severity="small", reason="valve")
    assert (fact.severity, fact.confirmed_by) == ("small", None)


def test_a_reassessment_claimed_for_earlier_is_looked_at_when_it_is_told() -> None:
    play = small()
    with refused("second-person-needed"):
        reassess(play, 60, at=200)


def test_a_major_repair_is_reassessed_by_one_person_since_its_window_has_no_end() -> None:
    play = on_site()
    play.say(SeverityAssessed("major", "trunk"), minutes(20))
    assert reassess(play, 900, severity="small")


def test_nobody_reassesses_before_arrival_before_an_assessment_or_after_completion() -> None:
    play = repairing(RULES)
    with refused("not-assessed"):
        reassess(play, 30)
    play.say(SeverityAssessed("small", "valve"), minutes(5))
    with refused("not-on-site"):
        reassess(play, 30)
    play.say(CrewArrived("crew-1", None), minutes(10))
    with refused("same-severity"):
        reassess(play, 30, severity="small")
    play.say(RepairCompleted(), minutes(60))
    with refused("repair-completed"):
        reassess(play, 61)
    assert reassess(play, 50, at=61), "it happened before, and was told late"
    play.say(CaseClosed(), minutes(70))
    with refused("case-closed"):
        reassess(play, 50, at=71)


def test_only_who_the_standard_names_reassesses() -> None:
    play = small()
    with refused("wrong-role"):
        repair_severity.reassess(
            play.state,
            context(RULES, minutes(30), role="public"),
            severity="medium",
            reason="road",
            evidence_digest=PROOF,
            approved_by=None,
        )


def test_another_class_does_not_come_in_as_a_second_first_assessment() -> None:
    play = small()
    with refused("already-assessed"):
        repair_severity.assess(play.state, context(RULES, minutes(30)), severity="medium", reason="road")
    again = repair_severity.assess(play.state, context(RULES, minutes(30)), severity="small", reason="valve")
    assert "repeated" in again.flags
    earlier = repair_severity.assess(
        play.state, context(RULES, minutes(15), at=minutes(30)), severity="medium", reason="road"
    )
    assert "repeated" in earlier.flags, "an offline phone tells an earlier look later"


# ---- continuous work


def major() -> Play:
    """A major repair since half past nine."""
    play = on_site()
    play.say(SeverityAssessed("major", "trunk"), minutes(30))
    return play


def log(play: Play, minute: float) -> None:
    play.say(WorkLogged("welding", "crew-1"), minutes(minute))


def test_work_on_a_major_repair_is_logged_every_two_hours_until_water_flows() -> None:
    play = major()
    assert play.state.ledger[CONTINUITY].due_at == minutes(150)
    log(play, 150)
    play.say(ShiftHandedOver("crew-1", "crew-2"), minutes(260))
    play.say(WaterRestored(), minutes(380))
    window = play.windows(minutes(5_000))[CONTINUITY]
    assert (window.lapses, window.met_at) == ((), minutes(380))


def test_each_longer_gap_is_a_lapse_of_its_own_that_names_the_gap() -> None:
    play = major()
    log(play, 200)
    log(play, 300)
    log(play, 700)
    play.conclude(minutes(820))
    lapsed = [fact.due_at for fact in play.concluded if isinstance(fact, WindowLapsed)]
    assert [due for due in lapsed if due in (minutes(150), minutes(320), minutes(420), minutes(820))] == [
        minutes(150),
        minutes(420),
        minutes(820),
    ]


def test_a_gap_is_warned_of_before_it_lapses() -> None:
    play = major()
    assert "WindowNearing" in names(play.conclude(minutes(120)))


def test_a_log_that_was_only_told_late_closes_the_gap() -> None:
    play = major()
    play.conclude(minutes(160))
    facts = play.say(WorkLogged("welding", "crew-1"), minutes(140), at=minutes(170))
    assert "WindowRetracted" in names(facts)


def test_logs_after_the_water_is_back_are_kept_and_count_for_nothing() -> None:
    play = major()
    play.say(WaterRestored(), minutes(100))
    log(play, 400)
    assert lapses(play, CONTINUITY, minutes(5_000)) == ()


def test_a_repair_that_is_major_no_longer_owes_no_logs_but_keeps_its_gaps() -> None:
    play = major()
    play.say(SeverityReassessed("medium", "dn-150", PROOF), minutes(200))
    log(play, 250)
    window = play.windows(minutes(5_000))[CONTINUITY]
    assert (window.lapses, window.cancelled) == ((minutes(150),), "no-longer-major")


def test_only_known_work_is_logged_and_two_crews_hand_over() -> None:
    play = major()
    with refused("unknown-work-note"):
        field.log_work(play.state, context(RULES, minutes(60)), note="tea", crew="crew-1")
    with refused("same-crew"):
        field.hand_over(play.state, context(RULES, minutes(60)), from_crew="crew-1", to_crew="crew-1")


def test_a_log_of_a_repair_that_is_not_major_is_taken_and_flagged() -> None:
    fact = field.log_work(small().state, context(RULES, minutes(60)), note="welding", crew="crew-1")
    assert "not-major" in fact.flags


# ---- whatever the order


Happened = tuple[Fact, datetime]
FACTS: tuple[Happened, ...] = (
    (ReportLinked(2, SUBJECT), minutes(-4)),
    (ReportLinked(3, SUBJECT), minutes(-9)),
    (ReportUnlinked(3, UUID(int=3)), minutes(8)),
    (CrewArrived("crew-1", None), minutes(12)),
    (SeverityAssessed("small", "valve"), minutes(30)),
    (SeverityReassessed("medium", "road", PROOF), minutes(90)),
    (SeverityReassessed("major", "trunk", PROOF), minutes(250)),
    (WorkLogged("welding", "crew-1"), minutes(340)),
    (ShiftHandedOver("crew-1", "crew-2"), minutes(520)),
    (SeverityReassessed("medium", "dn-150", PROOF), minutes(700)),
    (RepairCompleted(), minutes(760)),
    (WaterRestored(), minutes(765)),
    (ReporterAnswered(2, "phone", None), minutes(770)),
    (ReporterAnswered(1, "phone", None), minutes(800)),
    (ReporterAnswered(3, "phone", None), minutes(900)),
)


def verdicts(facts: Sequence[Happened], using: Rules) -> object:
    play = repairing(using)
    for place, (fact, happened_at) in enumerate(facts):
        play.say(fact, happened_at, at=minutes(1_000 + place))
    play.conclude(minutes(9_000))
    return {
        commitment: (None if known.cancelled else known.due_at, known.met_at, known.cancelled, frozenset(known.lapses))
        for commitment, known in play.state.ledger.items()
    }


@given(
    order=st.permutations(range(len(FACTS))),
    extra=st.lists(st.sampled_from(range(len(FACTS))), max_size=6),
    start=st.sampled_from(["report", "arrival", "assessment"]),
)
def test_any_order_and_duplication_ends_in_the_same_verdicts(order: list[int], extra: list[int], start: str) -> None:
    using = rules(completion_from=start)
    told_so = [FACTS[number] for number in (*order, *extra)]
    assert verdicts(told_so, using) == verdicts(FACTS, using)


@given(
    st.lists(
        st.tuples(st.sampled_from(["small", "medium", "major"]), st.integers(11, 1_400)),
        max_size=6,
        unique_by=lambda x: x[1],
    ),
    st.integers(11, 1_500),
)
def test_no_other_class_loses_elapsed_time_or_a_lapse(classes: list[tuple[Any, int]], looked_at: int) -> None:
    play = on_site()
    before: set[tuple[str, datetime]] = set()
    for severity, minute in sorted(classes, key=lambda each: each[1]):
        play.conclude(minutes(minute))
        # At the very end counts as in time, for a class as for an arrival.
        before |= {each for each in _all_lapses(play, minutes(minute)) if each[1] < minutes(minute)}
        play.say(SeverityReassessed(severity, "road", PROOF), minutes(minute))
        assert before <= _all_lapses(play, minutes(minute))
        limit = RULES.in_force(NINE).repair.completion_minutes[severity]
        assert play.windows(minutes(minute))[COMPLETION].due_at == (None if limit is None else minutes(limit))
    last = minutes(max([looked_at, *(minute for _, minute in classes)]))
    assert before <= _all_lapses(play, last)


def _all_lapses(play: Play, at: datetime) -> set[tuple[str, datetime]]:
    return {(name, lapse) for name, window in play.windows(at).items() for lapse in window.lapses}

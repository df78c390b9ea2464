"""The repair rulebook: instructions may be refused, facts from the field never for their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.kernel.subjects import Subject
from domain.repairs import answers, dispatch, field, outlook, reports, severity
from domain.repairs.facts import (
    ArrivalEvidence,
    CaseClosed,
    CrewArrived,
    FaultReported,
    IncidentDismissed,
    IncidentMerged,
    OrderReference,
    RepairCompleted,
    ReportLinked,
    ReportUnlinked,
    SeverityAssessed,
    WaterRestored,
)
from domain.repairs.promises import ANSWER, ARRIVAL, COMPLETION
from domain.repairs.reports import Merged, Unlinked
from domain.standard.flat import with_changes
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import CASE, NINE, ON_SITE, SUBJECT, Play, context, minutes, repairing

RULES = shipped_rules()
DISPATCHER = context(RULES, NINE, role="dispatcher", channel="office")

OTHER = Subject(UUID(int=8), 1)
ORDER = OrderReference("hotline-12345", "JS-1")


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, match=f"^{code}:")


def test_a_report_opens_an_incident_with_its_zone() -> None:
    fact = reports.report_fault(
        None, context(RULES, NINE), case_number="BX-1", kind="leak", district_code="aizhai", subject=SUBJECT
    )
    assert (fact.zone, fact.flags) == ("other", ())


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"kind": "flood"}, "unknown-fault-kind"), ({"district_code": "beijing"}, "unknown-district")],
)
def test_a_report_with_an_unknown_code_is_refused(changes: dict[str, str], code: str) -> None:
    values: Any = {"case_number": "BX-1", "kind": "leak", "district_code": "qianzhou"} | changes
    with refused(code):
        reports.report_fault(None, context(RULES, NINE), subject=SUBJECT, **values)


def test_a_report_from_the_future_is_refused() -> None:
    with refused("future-time"):
        reports.report_fault(
            None,
            context(RULES, minutes(3), at=NINE),
            case_number="BX-1",
            kind="leak",
            district_code="qianzhou",
            subject=SUBJECT,
        )


def test_a_device_clock_a_minute_ahead_is_tolerated() -> None:
    play = repairing(RULES)
    assert field.arrive(play.state, context(RULES, minutes(11), at=minutes(10)), crew="c", evidence=None)


def test_a_second_report_of_the_incident_is_number_two() -> None:
    play = repairing(RULES)
    assert reports.link_report(play.state, context(RULES, minutes(5)), subject=SUBJECT).report == 2


def test_a_crew_is_dispatched_and_another_one_takes_over() -> None:
    play = repairing(RULES)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-2"), minutes(2))
    assert play.state.crew == "crew-2"


def test_the_same_crew_is_not_dispatched_twice() -> None:
    play = repairing(RULES)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    with refused("already-dispatched"):
        dispatch.dispatch(play.state, DISPATCHER, crew="crew-1")


def test_a_completed_repair_needs_no_crew() -> None:
    play = repairing(RULES)
    play.say(RepairCompleted(), minutes(60))
    with refused("repair-completed"):
        dispatch.dispatch(play.state, DISPATCHER, crew="crew-1")


def test_a_repair_is_closed_after_its_completion_only() -> None:
    play = repairing(RULES)
    with refused("repair-not-completed"):
        field.close(play.state, DISPATCHER)
    play.say(RepairCompleted(), minutes(60))
    play.say(field.close(play.state, DISPATCHER), minutes(61))
    with refused("case-closed"):
        field.close(play.state, DISPATCHER)


def test_a_major_repair_is_closed_after_water_is_back_only() -> None:
    play = repairing(RULES)
    play.say(SeverityAssessed("major", "DN 300"), minutes(30))
    play.say(RepairCompleted(), minutes(600))
    with refused("water-not-restored"):
        field.close(play.state, DISPATCHER)
    play.say(WaterRestored(), minutes(610))
    assert field.close(play.state, DISPATCHER)


def test_an_arrival_nobody_was_dispatched_for_counts_and_is_flagged() -> None:
    play = repairing(RULES)
    fact = field.arrive(play.state, context(RULES, minutes(10)), crew="crew-9", evidence=None)
    assert fact.flags == ("not-the-dispatched-crew", "no-evidence")


def test_an_arrival_outside_the_geofence_is_flagged() -> None:
    play = repairing(RULES)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    evidence = ArrivalEvidence(inside_geofence=False, distance_m=300, accuracy_m=10, photo_digest=None)
    fact = field.arrive(play.state, context(RULES, minutes(10)), crew="crew-1", evidence=evidence)
    assert fact.flags == ("outside-geofence",)


def test_a_fact_later_than_its_channel_allows_needs_a_second_person_and_is_flagged_backdated() -> None:
    play = repairing(RULES)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    at = minutes(10) + timedelta(hours=25)
    for nobody_else in (None, "crew-1"):
        with refused("second-person-needed"):
            dispatch.acknowledge(
                play.state, context(RULES, minutes(10), at=at, actor="crew-1", confirmed_by=nobody_else), crew="crew-1"
            )
    confirmed = context(RULES, minutes(10), at=at, actor="crew-1", confirmed_by="dispatcher-2")
    fact = dispatch.acknowledge(play.state, confirmed, crew="crew-1")
    assert (fact.flags, fact.confirmed_by) == (("backdated",), "dispatcher-2")


def test_an_import_is_never_backdated() -> None:
    play = repairing(RULES)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    imported = context(RULES, minutes(10), at=minutes(10) + timedelta(days=400), channel="import", role="operator")
    fact = dispatch.acknowledge(play.state, imported, crew="crew-1")
    assert (fact.flags, fact.confirmed_by) == ((), None)


def test_a_backdated_arrival_that_takes_a_lapse_off_is_flagged_for_auditors() -> None:
    asks_for_none = replace(RULES, standards=(with_changes(RULES.newest, arrival_evidence_minutes=None),))
    play = repairing(asks_for_none)
    play.say(dispatch.dispatch(play.state, DISPATCHER, crew="crew-1"), minutes(1))
    late = timedelta(hours=25)
    play.conclude(minutes(40))

    def flags(minute: int) -> tuple[str, ...]:
        confirmed = context(asks_for_none, minutes(minute), at=minutes(minute) + late, confirmed_by="dispatcher-2")
        return field.arrive(play.state, confirmed, crew="crew-1", evidence=None).flags

    assert flags(20) == ("backdated", "no-evidence", "backdated-after-lapse")
    assert flags(45) == ("backdated", "no-evidence"), "it was late anyway: nothing was taken off"


def test_a_report_that_comes_too_late_needs_a_second_person_too() -> None:
    at = minutes(31)
    values: dict[str, Any] = {"case_number": "BX-1", "kind": "leak", "district_code": "qianzhou", "subject": SUBJECT}
    with refused("second-person-needed"):
        reports.report_fault(None, context(RULES, NINE, at=at, channel="hotline"), **values)
    confirmed = context(RULES, NINE, at=at, channel="hotline", confirmed_by="dispatcher-2")
    fact = reports.report_fault(None, confirmed, **values)
    assert (fact.flags, fact.confirmed_by) == (("backdated",), "dispatcher-2")


def test_a_fact_after_the_close_is_taken_and_flagged() -> None:
    play = repairing(RULES)
    play.say(RepairCompleted(), minutes(60))
    play.say(CaseClosed(), minutes(61))
    assert "after-close" in field.arrive(play.state, context(RULES, minutes(70)), crew="c", evidence=None).flags


def linked() -> Play:
    """Reported at nine, and again five and ten minutes later."""
    play = repairing(RULES)
    for minute in (5, 10):
        play.say(reports.link_report(play.state, context(RULES, minutes(minute)), subject=OTHER), minutes(minute))
    return play


def unlink(play: Play, report: int, *, role: str = "dispatcher", **changes: Any) -> Unlinked:
    values: dict[str, Any] = {"new_case": UUID(int=2), "case_number": "BX-2", "kind": None, "district_code": None}
    return reports.unlink_report(
        play.state, context(RULES, minutes(60), role=role), report=report, **(values | changes)
    )


def test_a_wrong_link_becomes_a_case_of_its_own_from_its_own_time() -> None:
    undone = unlink(linked(), 2, district_code="aizhai")
    assert undone.unlinked == ReportUnlinked(2, UUID(int=2))
    assert (undone.reported.subject, undone.reported.zone, undone.reported.kind) == (OTHER, "other", "leak")
    assert (undone.reported.flags, undone.reported_at) == (("unlinked",), minutes(5))


def test_a_wrong_link_keeps_the_tag_of_a_mass_incident_in_its_own_district() -> None:
    play = Play(kinds.REPAIR, RULES)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT, mass="frost-a"), NINE)
    play.say(ReportLinked(2, OTHER), minutes(5))
    assert unlink(play, 2).reported.mass == "frost-a"
    assert unlink(play, 2, district_code="aizhai").reported.mass is None


def test_verdicts_follow_a_link_and_its_undoing() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(25))
    play.say(ReportLinked(2, SUBJECT), minutes(-10), at=minutes(26))
    assert play.windows(minutes(30))[ARRIVAL].lapses == (minutes(20),)
    play.say(ReportUnlinked(2, UUID(int=2)), minutes(40))
    assert play.windows(minutes(41))[ARRIVAL].lapses == ()
    assert play.state.ledger[ARRIVAL].due_at == minutes(30)


# ---- two incidents that are one


def second(minute: int = 10) -> Play:
    """Another report, of what turns out to be the same burst, that opened an incident of its own."""
    play = Play(kinds.REPAIR, RULES, UUID(int=2))
    fact = FaultReported("BX-2", "no-water", "qianzhou", "urban", OTHER, order=ORDER)
    play.say(fact, minutes(minute))
    return play


def merging(case: Play, other: Play, minute: int = 40, **changes: Any) -> Merged:
    values: dict[str, Any] = {"case_id": case.case_id, "into": other.case_id} | changes
    told_by = context(RULES, minutes(minute), role=values.pop("role", "dispatcher"))
    return reports.merge(case.state, other.state, told_by, **values)


def merge(case: Play, other: Play, minute: int = 40) -> None:
    merged = merging(case, other, minute)
    for moved in merged.reports:
        other.say(moved.linked, moved.reported_at, at=minutes(minute))
    case.say(merged.merged, minutes(minute))


def test_two_incidents_become_one_that_has_every_report_and_its_order() -> None:
    play, other = linked(), second()
    assert merging(other, play).reports[0].linked == ReportLinked(4, OTHER, ("merged",), order=ORDER)
    merge(other, play)
    assert play.state.report(4).order == ORDER
    assert other.state.merged_into == play.case_id
    assert (other.state.closed, other.state.crew) == (True, None)


def test_a_merged_incident_owes_nothing_and_its_lapses_are_the_other_ones() -> None:
    play, other = repairing(RULES, at=minutes(20)), second(-5)
    other.conclude(minutes(30))
    assert len(other.state.ledger[ARRIVAL].lapses) == 1
    merge(other, play, 30)
    assert {(known.cancelled, len(known.lapses)) for known in other.state.ledger.values()} == {(True, 0)}
    # The burst was reported five minutes before nine, and nobody came: that is on record where it goes on.
    assert play.state.ledger[ARRIVAL].due_at == minutes(25)
    assert len(play.state.ledger[ARRIVAL].lapses) == 1
    assert kinds.next_ask_at(kinds.REPAIR, other.state, RULES, minutes(31)) == {}


def test_a_merge_is_undone_by_undoing_its_links() -> None:
    play, other = repairing(RULES), second()
    merge(other, play)
    undone = unlink(play, 2, kind="no-water", new_case=UUID(int=3))
    assert (undone.reported_at, undone.reported.order) == (minutes(10), ORDER)


def test_who_was_answered_waits_no_more_in_the_incident_that_was_merged() -> None:
    play, other = repairing(RULES), second()
    merge(other, play)
    play.say(RepairCompleted(), minutes(60))
    assert outlook.waiting(outlook.outline(play.state)) == (1, 2)
    assert outlook.waiting(outlook.outline(other.state)) == ()
    assert outlook.next_actions(outlook.progress(outlook.outline(other.state), RULES.newest)) == ()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ((CrewArrived("crew-1", ON_SITE),), "work-begun"),
        ((RepairCompleted(),), "work-begun"),
        ((IncidentDismissed("not-ours"),), "already-dismissed"),
        ((IncidentMerged(UUID(int=9)),), "incident-merged"),
        ((IncidentDismissed("not-ours"), CaseClosed()), "case-closed"),
    ],
)
def test_an_incident_that_is_over_or_was_worked_at_is_not_merged(facts: tuple[Any, ...], code: str) -> None:
    play, other = repairing(RULES), second()
    other.say(facts, minutes(20))
    with refused(code):
        merging(other, play)


def test_nothing_is_merged_with_itself_with_nothing_or_by_a_stranger() -> None:
    play, other = repairing(RULES), second()
    with refused("same-incident"):
        merging(play, play)
    with refused("wrong-role"):
        merging(other, play, role="public")
    other.say(IncidentMerged(UUID(int=9)), minutes(20))
    with refused("incident-merged"):
        merging(play, other)


def test_what_is_told_of_a_merged_incident_is_sent_to_where_it_goes_on() -> None:
    """Not for its order: here it would count for nothing, and the crew's arrival would be missed where it counts."""
    other = second()
    other.say(IncidentMerged(CASE), minutes(20))
    steps: list[Callable[[], Any]] = [partial(say, other.state, context(RULES, minutes(30))) for say in FIELD.values()]
    dispatcher = context(RULES, minutes(30), role="dispatcher")
    steps += [
        partial(unlink, other, 1),
        partial(dispatch.dispatch, other.state, dispatcher, crew="crew-2"),
        partial(field.close, other.state, dispatcher),
        partial(answers.answer_reporter, other.state, dispatcher, report=1, way="phone", digest=None),
    ]
    for step in steps:
        with refused("incident-merged") as found:
            step()
        assert str(CASE) in found.value.next_step


def test_a_number_of_a_report_is_never_given_twice_nor_unlinked_twice() -> None:
    play = linked()
    play.say(unlink(play, 3).unlinked, minutes(60))
    assert reports.link_report(play.state, context(RULES, minutes(61)), subject=SUBJECT).report == 4
    with refused("no-such-report"):
        unlink(play, 3)
    with refused("no-such-report"):
        unlink(play, 9)


def test_the_first_report_stays_and_only_who_may_undoes_a_link() -> None:
    with refused("first-report"):
        unlink(linked(), 1)
    with refused("wrong-role"):
        unlink(linked(), 2, role="public")
    with refused("unknown-district"):
        unlink(linked(), 2, district_code="beijing")
    with refused("unknown-fault-kind"):
        unlink(linked(), 2, kind="flood")


FIELD: dict[str, Callable[..., Any]] = {
    "acknowledge": lambda case, t: dispatch.acknowledge(case, t, crew="crew-1"),
    "arrive": lambda case, t: field.arrive(case, t, crew="crew-1", evidence=None),
    "assess": lambda case, t: severity.assess(case, t, severity="medium", reason="r"),
    "complete": field.complete,
    "restore": field.restore_water,
    "link": lambda case, t: reports.link_report(case, t, subject=SUBJECT),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(FIELD)), st.integers(-500, 900)), max_size=10), st.integers(0, 9))
def test_a_field_fact_is_never_refused_for_its_order(facts: list[tuple[str, int]], close_at: int) -> None:
    play: Play = repairing(RULES)
    for place, (name, minute) in enumerate(facts):
        if place == close_at:
            play.say(CaseClosed(), minutes(900))
        fact = FIELD[name](play.state, context(RULES, minutes(minute), at=minutes(900), confirmed_by="dispatcher-2"))
        play.say(fact, minutes(minute), at=minutes(900 + place))
    assert play.state.number == "BX-1"


def test_elsewhere_a_crew_has_an_hour_and_a_half() -> None:
    urban = repairing(RULES).state.ledger[ARRIVAL]
    other = repairing(RULES, zone="other").state.ledger[ARRIVAL]
    assert (urban.due_at, other.due_at) == (minutes(30), minutes(90))


def test_until_assessed_a_repair_is_held_to_the_small_window() -> None:
    play = repairing(RULES)
    assert play.state.ledger[COMPLETION].due_at == minutes(240)
    play.say(SeverityAssessed("medium", "DN 100"), minutes(30))
    assert play.state.ledger[COMPLETION].due_at == minutes(480)


# ---- everybody who reported is answered


def answered(play: Play, report: int, minute: float) -> None:
    fact = answers.answer_reporter(
        play.state,
        context(RULES, minutes(minute), role="hotline", channel="hotline"),
        report=report,
        way="phone",
        digest=None,
    )
    play.say(fact, minutes(minute))


def test_answers_are_due_a_day_after_the_work_is_done() -> None:
    play = linked()
    assert ANSWER not in play.windows(minutes(99))
    play.say(RepairCompleted(), minutes(100))
    assert play.state.ledger[ANSWER].due_at == minutes(100 + 1440)


def test_the_last_answer_meets_it_and_a_report_linked_later_opens_it_again() -> None:
    play = linked()
    play.say(RepairCompleted(), minutes(100))
    for report, minute in ((1, 110), (3, 120)):
        answered(play, report, minute)
    assert play.state.ledger[ANSWER].met_at is None, "report 2 waits"
    answered(play, 2, 130)
    assert play.state.ledger[ANSWER].met_at == minutes(130)
    play.say(ReportLinked(4, OTHER), minutes(140))
    assert play.state.ledger[ANSWER].met_at is None
    play.say(unlink(play, 4).unlinked, minutes(150))
    assert play.state.ledger[ANSWER].met_at == minutes(130)


def test_an_answer_before_the_work_is_done_is_flagged_and_meets_nothing() -> None:
    play = repairing(RULES)
    early = answers.answer_reporter(
        play.state, context(RULES, minutes(5), role="hotline", channel="hotline"), report=1, way="phone", digest=None
    )
    assert early.flags == ("before-completion",)
    play.say(early, minutes(5))
    play.say(RepairCompleted(), minutes(100))
    assert play.state.ledger[ANSWER].met_at is None


def test_nobody_answers_a_report_that_is_not_there_or_in_a_way_nobody_knows() -> None:
    play, by = linked(), context(RULES, minutes(5), role="hotline", channel="hotline")
    play.say(unlink(play, 2).unlinked, minutes(5))
    for report in (2, 9):
        with refused("no-such-report"):
            answers.answer_reporter(play.state, by, report=report, way="phone", digest=None)
    with refused("unknown-way"):
        answers.answer_reporter(play.state, by, report=1, way="pigeon", digest=None)
    with refused("wrong-role"):
        answers.answer_reporter(
            play.state, context(RULES, minutes(5), role="public"), report=1, way="phone", digest=None
        )


def over(by: Fact) -> Play:
    """Reported at nine and by somebody else five minutes later, over at ten."""
    play = repairing(RULES)
    play.say(ReportLinked(2, OTHER), minutes(5))
    play.say(by, minutes(60))
    return play


HOTLINE = context(RULES, minutes(70), role="hotline", channel="hotline")
SENDER = context(RULES, minutes(71), role="system", channel="system", actor="sender")


def test_the_program_answers_in_the_standards_words_and_names_nobody() -> None:
    play = over(RepairCompleted())
    ordered = answers.order_answer(play.state, HOTLINE, report=2, way="sms")
    assert ordered.message.to == OTHER
    assert ordered.message.text.startswith("【抢修回访】您反映的乾州街道漏水（工单BX-1）已于9月16日10:00修复。")
    assert (ordered.fact.report, ordered.fact.way, ordered.fact.digest) == (2, "sms", ordered.message.digest)
    dismissed = over(IncidentDismissed("not-ours"))
    assert "不属于供水抢修范围" in answers.order_answer(dismissed.state, HOTLINE, report=1, way="sms").message.text


def test_a_sent_answer_counts_when_it_was_taken_and_once() -> None:
    play = over(RepairCompleted())
    play.say(answers.order_answer(play.state, HOTLINE, report=1, way="sms").fact, minutes(70))
    assert play.state.answered == (), "an order answers nobody"
    (order,) = play.state.ordered_answers
    answered = answers.deliver_answer(play.state, SENDER, order=order.by, receipt="r-1")
    assert answered is not None
    assert (answered.report, answered.way, answered.digest, answered.receipt) == (1, "sms", order.digest, "r-1")
    play.say(answered, minutes(71))
    assert answers.deliver_answer(play.state, SENDER, order=order.by, receipt="r-1") is None
    assert answers.fail_answer(play.state, SENDER, order=order.by, reason="late") is None
    assert play.state.ledger[ANSWER].met_at is None, "the other reporter waits"


def test_the_same_answer_is_ordered_again_only_where_it_failed() -> None:
    play = over(RepairCompleted())
    play.say(answers.order_answer(play.state, HOTLINE, report=1, way="sms").fact, minutes(70))
    with refused("answer-ordered"):
        answers.order_answer(play.state, HOTLINE, report=1, way="sms")
    assert answers.order_answer(play.state, HOTLINE, report=1, way="wechat")
    failed = answers.fail_answer(play.state, SENDER, order=play.state.ordered_answers[0].by, reason="no-address")
    assert failed is not None
    play.say(failed, minutes(72))
    assert answers.order_answer(play.state, HOTLINE, report=1, way="sms")


def test_nothing_is_sent_before_the_end_by_no_way_or_by_nobody() -> None:
    running, done = repairing(RULES), over(RepairCompleted())
    with refused("incident-not-over"):
        answers.order_answer(running.state, HOTLINE, report=1, way="sms")
    with refused("unknown-way"):
        answers.order_answer(done.state, HOTLINE, report=1, way="phone")
    with refused("no-such-report"):
        answers.order_answer(done.state, HOTLINE, report=9, way="sms")
    with refused("wrong-role"):
        answers.order_answer(done.state, context(RULES, minutes(70)), report=1, way="sms")
    with refused("wrong-role"):
        answers.deliver_answer(done.state, HOTLINE, order=UUID(int=5), receipt="r")
    with refused("no-such-report"):
        answers.deliver_answer(done.state, SENDER, order=UUID(int=5), receipt="r")


def test_who_reported_what_needs_no_repair_is_told_too() -> None:
    play = over(IncidentDismissed("not-ours"))
    assert play.state.ledger[ANSWER].due_at == minutes(60 + 1440)
    for report in (1, 2):
        answered(play, report, 80 + report)
    assert play.state.ledger[ANSWER].met_at == minutes(82)

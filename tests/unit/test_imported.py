"""Imported history: taken at its own date, judged where it can be; dismissed incidents; details and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.repairs import details, dispatch, field, outlook, reports
from domain.repairs import dismissal as repair_dismissal
from domain.repairs.facts import (
    CaseClosed,
    CrewArrived,
    DetailCorrected,
    FaultReported,
    IncidentDismissed,
    PipeIdentified,
    RepairCompleted,
    ReporterAnswered,
    ReportLinked,
    SeverityAssessed,
)
from domain.repairs.promises import ANSWER, ARRIVAL, ASSESSMENT, COMPLETION
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, SUBJECT, Play, context, minutes, names, repairing

RULES = shipped_rules()
LATER = minutes(60 * 24 * 30)


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, match=f"^{code}:")


def imported(precision: Any = "second", channel: str = "import") -> Play:
    """An incident of an earlier order book, told a month later."""
    play = Play(kinds.REPAIR, RULES)
    fact = FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT, precision=precision)
    play.say(fact, NINE, at=LATER, channel=channel)
    return play


def states(play: Play) -> dict[str, str | None]:
    """Commitment → why it is owed no more, None where it is."""
    return {name: known.reason for name, known in play.state.ledger.items()}


# ---- what cannot be judged


def test_the_arrival_of_imported_history_is_unknown_and_never_lapses() -> None:
    play = imported()
    play.conclude(minutes(60 * 24 * 400))
    known = play.state.ledger[ARRIVAL]
    assert (known.reason, known.lapse_count, known.met_at) == ("unknown", 0, None)
    assert play.windows(LATER)[ARRIVAL].next_ask_at is None


def test_its_completion_is_judged_as_any_other() -> None:
    play = imported()
    assert play.state.ledger[COMPLETION].lapse_count == 1
    play.say(RepairCompleted(), minutes(200), at=LATER, channel="import")
    known = play.state.ledger[COMPLETION]
    assert (known.met_at, len(known.lapses)) == (minutes(200), 0)


def test_nobody_is_called_out_for_a_limit_that_ran_out_in_an_earlier_order_book() -> None:
    play = Play(kinds.REPAIR, RULES)
    fact = FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT)
    play.say(fact, NINE, channel="import")
    for minute in (130, 190, 300):
        play.conclude(minutes(minute))
    assert names(play.concluded) == ["WindowOpened", "WindowCancelled", "WindowOpened", "WindowLapsed"]
    assert play.concluded[-1].notify == ()  # type: ignore[union-attr]


def test_whether_the_reporters_of_an_earlier_order_book_were_answered_is_unknown_until_told() -> None:
    play = imported()
    play.say(RepairCompleted(), minutes(200), at=LATER, channel="import")
    assert states(play)[ANSWER] == "unknown"
    play.say(ReporterAnswered(1, "phone", None), minutes(300), at=LATER, channel="import")
    assert play.state.ledger[ANSWER].met_at == minutes(300)


def test_an_arrival_that_is_told_after_all_is_judged() -> None:
    play = imported()
    play.say(CrewArrived("crew-1", None), minutes(45), at=LATER, channel="import")
    known = play.state.ledger[ARRIVAL]
    assert (known.reason, known.met_at, len(known.lapses)) == (None, minutes(45), 1)


def test_an_incident_that_somebody_reported_live_is_judged_even_where_a_later_report_was_imported() -> None:
    play = imported(channel="hotline")
    play.say(ReportLinked(2, SUBJECT), minutes(5), at=LATER, channel="import")
    assert play.state.ledger[ARRIVAL].lapse_count == 1


def test_a_live_report_before_the_imported_one_makes_the_arrival_owed() -> None:
    play = imported()
    play.say(ReportLinked(2, SUBJECT), minutes(-5), at=LATER, channel="hotline")
    assert states(play)[ARRIVAL] is None
    assert play.state.ledger[ARRIVAL].lapse_count == 1


def test_of_a_report_known_by_its_day_nothing_in_hours_is_judged() -> None:
    play = imported("day")
    play.say(RepairCompleted(), minutes(5_000), at=LATER, channel="import")
    play.say(CrewArrived("crew-1", None), minutes(45), at=LATER, channel="import")
    assert states(play)[ARRIVAL] == states(play)[COMPLETION] == "unknown"
    assert not any(known.lapse_count for name, known in play.state.ledger.items() if name != ASSESSMENT)


@pytest.mark.parametrize(
    ("day_begins", "reason", "lapses"), [(-540, "unknown", 0), (240, "unknown", 0), (241, None, 1)]
)
def test_a_completion_known_by_its_day_is_late_only_where_the_limit_ended_before_that_day(
    day_begins: int, reason: str | None, lapses: int
) -> None:
    play = imported()
    play.say(RepairCompleted(precision="day"), minutes(day_begins), at=LATER, channel="import")
    known = play.state.ledger[COMPLETION]
    assert (known.reason, len(known.lapses)) == (reason, lapses)


@pytest.mark.parametrize(("over_by", "reason", "met"), [(200, None, True), (241, "unknown", False)])
def test_what_was_over_by_the_end_was_in_time_and_later_nobody_knows(
    over_by: int, reason: str | None, met: bool
) -> None:
    play = imported()
    play.say(RepairCompleted(precision="by"), minutes(over_by), at=LATER, channel="import")
    known = play.state.ledger[COMPLETION]
    assert (known.reason, known.met_at is not None, len(known.lapses)) == (reason, met, 0)


def test_of_an_incident_dismissed_nobody_knows_when_nothing_is_judged() -> None:
    play = imported()
    play.say(IncidentDismissed("withdrawn", precision="by"), LATER, at=LATER, channel="import")
    assert states(play) == {ARRIVAL: "unknown", COMPLETION: "unknown", ANSWER: "unknown"}
    assert not any(known.lapses for known in play.state.ledger.values())


def test_a_completion_to_the_second_counts_before_one_known_by_its_day() -> None:
    play = imported()
    play.say(RepairCompleted(precision="day"), minutes(-540), at=LATER, channel="import")
    play.say(RepairCompleted(), minutes(100), at=LATER, channel="import")
    assert play.state.ledger[COMPLETION].met_at == minutes(100)


# ---- what a report may leave out


def report(channel: str, **changes: Any) -> FaultReported:
    values: dict[str, Any] = {"case_number": "BX-1", "kind": "leak", "district_code": "qianzhou", "subject": SUBJECT}
    return reports.report_fault(None, context(RULES, NINE, channel=channel, role="operator"), **(values | changes))


def test_only_history_is_precise_to_the_day_and_has_an_origin() -> None:
    fact = report("import", precision="day", origin="hotline")
    assert (fact.precision, fact.origin) == ("day", "hotline")
    with refused("bad-precision"):
        report("hotline", precision="day")
    with refused("unknown-origin"):
        report("hotline", origin="hotline")
    with refused("unknown-origin"):
        report("import", origin="pigeon")
    with refused("bad-precision"):
        field.complete(repairing(RULES).state, context(RULES, minutes(9)), precision="day")


def test_a_wrong_link_undone_keeps_how_closely_its_time_is_known() -> None:
    play = imported()
    play.say(ReportLinked(2, SUBJECT, precision="day", origin="website"), minutes(5), channel="import")
    undone = reports.unlink_report(
        play.state,
        context(RULES, LATER, channel="office", role="dispatcher"),
        report=2,
        new_case=play.case_id,
        case_number="BX-2",
        kind=None,
        district_code=None,
    )
    assert (undone.reported.precision, undone.reported.origin) == ("day", "website")


# ---- dismissed


def dismissal(play: Play, minute: float, **changes: Any) -> IncidentDismissed:
    who = {"role": "dispatcher", "channel": "office"} | changes
    return repair_dismissal.dismiss(play.state, context(RULES, minutes(minute), **who), reason="false-alarm")


def test_a_dismissed_incident_owes_an_answer_and_nothing_more_and_is_closed() -> None:
    play = repairing(RULES)
    play.say(dismissal(play, 10), minutes(10))
    play.say(ReporterAnswered(1, "phone", None), minutes(15))
    play.conclude(LATER)
    assert states(play) == {ARRIVAL: "dismissed", COMPLETION: "dismissed", ANSWER: None}
    assert not any(known.lapse_count for known in play.state.ledger.values())
    assert field.close(play.state, context(RULES, minutes(20), role="dispatcher")) == CaseClosed()


def test_all_that_is_left_to_do_about_a_dismissed_incident_is_to_answer_and_to_close_it() -> None:
    play = repairing(RULES)
    play.say(dismissal(play, 10), minutes(10))
    assert outlook.next_actions(outlook.progress(outlook.outline(play.state), RULES.newest)) == (
        outlook.NextAction("answer", "hotline"),
    )
    play.say(ReporterAnswered(1, "phone", None), minutes(15))
    assert outlook.next_actions(outlook.progress(outlook.outline(play.state), RULES.newest)) == (
        outlook.NextAction("close", "dispatcher"),
    )


def test_a_lapse_that_had_run_out_before_the_dismissal_stays() -> None:
    play = repairing(RULES)
    play.conclude(minutes(40))
    play.say(dismissal(play, 50), minutes(50))
    assert {name: len(known.lapses) for name, known in play.state.ledger.items()} == {
        ARRIVAL: 1,
        COMPLETION: 0,
        ANSWER: 0,
    }


def test_what_was_met_before_the_dismissal_stays_met() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", None), minutes(12))
    play.say(dismissal(play, 20), minutes(20))
    assert play.state.ledger[ARRIVAL].met_at == minutes(12)
    assert states(play) == {
        ARRIVAL: None,
        COMPLETION: "dismissed",
        ASSESSMENT: "dismissed",
        ANSWER: None,
    }


def test_who_may_not_dismiss_and_what_cannot_be_dismissed_is_refused() -> None:
    play = repairing(RULES)
    with refused("wrong-role"):
        dismissal(play, 10, role="crew")
    with refused("unknown-dismissal-reason"):
        repair_dismissal.dismiss(play.state, context(RULES, minutes(9), role="dispatcher"), reason="boredom")
    play.say(RepairCompleted(), minutes(20))
    with refused("repair-completed"):
        dismissal(play, 30)


def test_nobody_is_sent_to_a_dismissed_incident_and_it_is_dismissed_once() -> None:
    play = repairing(RULES)
    play.say(dismissal(play, 10), minutes(10))
    with refused("already-dismissed"):
        dismissal(play, 11)
    with refused("already-dismissed"):
        dispatch.dispatch(play.state, context(RULES, minutes(12), role="dispatcher"), crew="crew-1")


def test_what_the_field_tells_of_a_dismissed_incident_is_taken_and_flagged() -> None:
    play = repairing(RULES)
    play.say(dismissal(play, 10), minutes(10))
    fact = field.complete(play.state, context(RULES, minutes(30)))
    play.say(fact, minutes(30))
    assert "after-dismissal" in fact.flags
    assert states(play)[COMPLETION] == "dismissed"


# ---- the pipe and corrections


def test_a_pipe_is_named_by_codes_and_one_younger_than_the_fault_is_flagged() -> None:
    fact = details.identify_pipe(
        repairing(RULES).state, context(RULES, minutes(9)), asset="97716", material="pvc", dn_mm=200, laid_in=2030
    )
    assert fact == PipeIdentified("97716", "pvc", 200, 2030, ("younger-than-the-fault",))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "pipe-unnamed"),
        ({"material": "gold"}, "unknown-pipe-material"),
        ({"asset": "13812345678"}, "bad-detail"),
        ({"dn_mm": 0}, "bad-detail"),
        ({"laid_in": 1066}, "bad-detail"),
    ],
)
def test_a_pipe_that_cannot_be_is_refused(said: dict[str, Any], code: str) -> None:
    with refused(code):
        details.identify_pipe(repairing(RULES).state, context(RULES, minutes(9)), **said)


def correction(play: Play, detail: str, old: str | None, new: str | None, role: str = "counter") -> Fact:
    return details.correct(play.state, context(RULES, minutes(60), role=role), detail=detail, old=old, new=new)


def test_a_correction_keeps_what_stood_there_and_changes_no_verdict() -> None:
    play = repairing(RULES)
    play.say(PipeIdentified("1", "pvc", 100, None), minutes(9))
    before = dict(play.state.ledger)
    fact = correction(play, "material", "pvc", "pe")
    play.say(fact, minutes(9))
    assert fact == DetailCorrected("material", "pvc", "pe")
    assert play.state.detail("material") == "pe"
    assert play.state.ledger == before


def test_the_kind_is_corrected_and_everybody_sees_the_new_one() -> None:
    play = repairing(RULES)
    play.say(correction(play, "kind", "leak", "burst"), minutes(20))
    assert (play.state.kind, play.state.detail("kind")) == ("burst", "burst")


def test_a_correction_of_what_did_not_stand_there_is_taken_and_flagged() -> None:
    assert correction(repairing(RULES), "cause", "frost", "age") == DetailCorrected(
        "cause", "frost", "age", ("not-what-was-known",)
    )


@pytest.mark.parametrize(
    ("detail", "new", "role", "code"),
    [
        ("kind", "leak", "counter", "nothing-to-correct"),
        ("cause", None, "counter", "nothing-to-correct"),
        ("kind", "flood", "counter", "unknown-fault-kind"),
        ("kind", None, "counter", "bad-detail"),
        ("cause", "sabotage", "counter", "bad-detail"),
        ("dn-mm", "wide", "counter", "bad-detail"),
        ("colour", "red", "counter", "unknown-detail"),
        ("cause", "age", "crew", "wrong-role"),
    ],
)
def test_a_correction_that_is_none_is_refused(detail: str, new: str | None, role: str, code: str) -> None:
    with refused(code):
        correction(repairing(RULES), detail, None, new, role)


# ---- whatever the order


Happened = tuple[Fact, datetime, str]
FACTS: tuple[Happened, ...] = (
    (ReportLinked(2, SUBJECT, precision="day"), minutes(-600), "import"),
    (ReportLinked(3, SUBJECT), minutes(-20), "hotline"),
    (CrewArrived("crew-1", None), minutes(45), "import"),
    (SeverityAssessed("medium", "valve"), minutes(50), "import"),
    (RepairCompleted(precision="day"), minutes(-540), "import"),
    (RepairCompleted(), minutes(300), "import"),
    (ReporterAnswered(1, "phone", None), minutes(400), "import"),
    (IncidentDismissed("not-ours"), minutes(120), "import"),
    (IncidentDismissed("not-ours", precision="by"), minutes(90), "import"),
    (RepairCompleted(precision="by"), minutes(900), "import"),
    (PipeIdentified("1", "pvc", 100, None), minutes(100), "import"),
    (DetailCorrected("kind", "leak", "burst"), minutes(200), "import"),
)


def verdicts(facts: Sequence[Happened]) -> object:
    play = imported()
    for fact, happened_at, channel in facts:
        play.say(fact, happened_at, at=LATER, channel=channel)
    ledger = {
        name: (None if known.cancelled else known.due_at, known.met_at, known.reason, frozenset(known.lapses))
        for name, known in play.state.ledger.items()
    }
    return ledger, play.state.kind, play.state.detail("material")


@given(st.lists(st.sampled_from(range(len(FACTS))), min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_any_order_and_duplication_of_imported_facts_ends_in_the_same_verdicts(chosen: list[int], rng: Any) -> None:
    once = [FACTS[number] for number in sorted(set(chosen))]
    shuffled = [FACTS[number] for number in chosen]
    rng.shuffle(shuffled)
    assert verdicts(shuffled) == verdicts(once)

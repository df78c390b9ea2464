"""Complaints and satisfaction: their steps and limits, who may say what, and that no verdict depends on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain import kinds
from domain.complaints import complaints, satisfaction
from domain.complaints.complaints import Complaint, Grievance
from domain.kernel.facts import Recorded, event_id
from domain.kernel.refusals import Refusal
from domain.kernel.satisfaction import REASONS, SatisfactionGiven
from domain.standard.context import CommandContext, Person
from domain.standard.standards import Rules
from domain.vault.vault import VaultSubject
from infra.eventstore.envelope import read
from infra.eventstore.shipped_rules import shipped_rules
from tests.api_world import MORNING

COMPLAINT, SUBJECT, CASE = UUID(int=1), UUID(int=2), UUID(int=3)
CITIZEN, CLERK, MANAGER = Person("citizen-a", "reporter"), Person("hotline-1", "hotline"), Person("m-1", "duty-manager")
HISTORIES = Path(__file__).parent / "histories"


@pytest.fixture(scope="module")
def rules() -> Rules:
    return shipped_rules()


def context(rules: Rules, who: Person = CLERK, at: datetime = MORNING) -> CommandContext:
    return CommandContext(at, at, "office", rules, who)


def after(state: Complaint | None, *facts: Any, at: datetime = MORNING) -> Complaint:
    for fact in facts:
        state = complaints.evolve(state, Recorded(fact, event_id(COMPLAINT, 1), 1, at, CLERK.actor, CLERK.role))
    assert state is not None
    return state


def made(rules: Rules, door: Any = "own-link", subjects: tuple[UUID, ...] = (SUBJECT,)) -> Complaint:
    said = Grievance("late", CASE, [*subjects, *subjects])
    return after(None, *complaints.make(None, context(rules), said, number="TU-1", door=door))


def answered(rules: Rules, state: Complaint, at: datetime = MORNING) -> Complaint:
    fact = complaints.answer(state, context(rules, MANAGER, at), outcome="upheld", remedy="apology", way=None)
    return after(state, fact, at=at)


def code_of(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(Refusal) as refused:
        act(*args, **named)
    assert refused.value.next_step_zh
    return refused.value.code


def test_a_complaint_is_due_after_the_working_days_of_the_standard_and_overdue_until_it_is_answered(
    rules: Rules,
) -> None:
    state = made(rules)
    assert state.subjects == (SUBJECT,), "each once"
    # From Wednesday 16 September: five working days, of which Sunday 20 September is one that is worked.
    assert state.due_at.isoformat() == "2026-09-22T09:30:00+00:00"
    assert not state.is_overdue(state.due_at)
    late = state.due_at + timedelta(seconds=1)
    assert state.is_overdue(late)
    given = answered(rules, state, late)
    assert (given.state, given.was_late, given.is_overdue(late)) == ("answered", True, False)
    assert not after(state, complaints.ComplaintWithdrawn()).is_overdue(late)


def test_who_is_not_satisfied_goes_to_the_authority_and_who_waited_in_vain_or_not_at_all_does_too(rules: Rules) -> None:
    state, late = made(rules), context(rules, CITIZEN, MORNING + timedelta(days=30))
    for known, ctx, ground in (
        (answered(rules, state), context(rules, CITIZEN), "not-satisfied"),
        (state, late, "answer-overdue"),
        (state, context(rules, CITIZEN), "directly"),
    ):
        fact = complaints.escalate(known, ctx, by_person=True)
        assert fact.ground == ground
        gone = after(known, fact)
        assert code_of(complaints.escalate, gone, context(rules), by_person=False) == "complaint-escalated"
    directly = after(state, complaints.ComplaintEscalated("directly"))
    assert directly.is_overdue(late.at), "the authority's answer is not ours"
    assert answered(rules, directly).state == "answered"


def test_a_complaint_is_answered_once_and_withdrawn_before_that(rules: Rules) -> None:
    state, clerk, manager = made(rules), context(rules), context(rules, MANAGER)
    gone, done = after(state, complaints.withdraw(state, clerk, by_person=False)), answered(rules, state)
    for known, code in ((gone, "complaint-withdrawn"), (done, "complaint-answered"), (None, "no-such-complaint")):
        assert code_of(complaints.answer, known, manager, outcome="not-upheld", remedy="none", way=None) == code
        assert code_of(complaints.withdraw, known, clerk, by_person=False) == code
    assert code_of(lambda: complaints.escalate(gone, clerk, by_person=True)) == "complaint-withdrawn"
    assert complaints.make(state, clerk, Grievance("late", CASE, ()), number="TU-2", door="own-link") == ()


def test_what_is_upheld_has_a_remedy_and_whoever_has_no_door_of_their_own_is_told(rules: Rules) -> None:
    ctx = context(rules, MANAGER)

    def answer(state: Complaint, outcome: Any, remedy: Any, way: str | None) -> Any:
        return complaints.answer(state, ctx, outcome=outcome, remedy=remedy, way=way)

    own, by_clerk, unknown = made(rules), made(rules, "taken-down"), made(rules, "taken-down", ())
    for outcome in ("upheld", "partly-upheld"):
        assert code_of(answer, own, outcome, "none", None) == "remedy-missing"
    assert answer(own, "not-upheld", "none", None).way is None
    assert code_of(lambda: answer(by_clerk, "not-upheld", "none", None)) == "complainant-not-told"
    assert answer(by_clerk, "not-upheld", "none", "phone").way == "phone"
    assert code_of(lambda: answer(by_clerk, "not-upheld", "none", "pigeon")) == "unknown-way"
    assert answer(unknown, "not-upheld", "none", None).way is None


def test_a_person_complains_by_themselves_and_nothing_else_is_done_without_the_power(rules: Rules) -> None:
    ctx, state = context(rules, CITIZEN), made(rules)
    said = Grievance("late", None, [SUBJECT])
    assert complaints.make(None, ctx, said, number="TU-1", door="own-phone")
    assert complaints.withdraw(state, ctx, by_person=True)
    for act in (
        lambda: complaints.make(None, ctx, said, number="TU-1", door="taken-down"),
        lambda: complaints.withdraw(state, ctx, by_person=False),
        lambda: complaints.escalate(state, ctx, by_person=False),
        lambda: complaints.answer(state, ctx, outcome="not-upheld", remedy="none", way=None),
        # Who takes it down does not answer it by that.
        lambda: complaints.answer(state, context(rules), outcome="not-upheld", remedy="none", way=None),
    ):
        assert code_of(act) == "wrong-role"


def test_who_answers_is_shown_the_person_while_the_complaint_waits_and_nobody_who_is_restricted(rules: Rules) -> None:
    state, ctx = made(rules), context(rules, MANAGER)
    known = {SUBJECT: VaultSubject()}
    (fact,) = complaints.show(state, ctx, complaint=COMPLAINT, kept=known).values()
    assert (fact.case_id, fact.subject_id, fact.reason) == (COMPLAINT, SUBJECT, "complaint")
    restricted = {SUBJECT: VaultSubject(is_restricted=True)}
    assert code_of(complaints.show, state, ctx, complaint=COMPLAINT, kept=restricted) == "subject-restricted"
    assert code_of(complaints.show, state, context(rules), complaint=COMPLAINT, kept=known) == "wrong-role"
    done = answered(rules, state)
    assert code_of(complaints.show, done, ctx, complaint=COMPLAINT, kept=known) == "complaint-answered"
    assert complaints.show(made(rules, "taken-down", ()), ctx, complaint=COMPLAINT, kept={}) == {}


# ---- satisfaction


def history(name: str, until: int | None = None) -> tuple[Any, list[Recorded]]:
    """The state of a stored history, and its facts; ``until``: up to that version."""
    kind = kinds.REPAIR if name.startswith("repair") else kinds.CONNECTION
    recorded = [read(line)[1] for line in (HISTORIES / f"{name}.jsonl").read_bytes().splitlines()]
    return kinds.folded(kind, [each for each in recorded if until is None or each.version <= until]), recorded


def test_satisfaction_is_told_once_the_repair_is_done_and_corrected_for_some_days(rules: Rules) -> None:
    case, recorded = history("repair-answered")
    done = next(each for each in recorded if type(each.fact).__name__ == "RepairCompleted")
    before, _ = history("repair-answered", done.version - 1)
    ctx = context(rules, CITIZEN, done.happened_at + timedelta(hours=1))
    assert code_of(lambda: satisfaction.give(before, ctx, report=1, score=1, reasons=[])) == "not-served-yet"
    assert code_of(lambda: satisfaction.give(case, ctx, report=9, score=1, reasons=[])) == "no-such-report"
    (first,) = satisfaction.give(case, ctx, report=1, score=2, reasons=["speed"])
    rated = kinds.REPAIR.evolve(case, Recorded(first, event_id(CASE, 99), 99, ctx.at))
    assert satisfaction.give(rated, ctx, report=1, score=2, reasons=["speed"]) == (), "the very same"
    days = rules.in_force(MORNING).complaints.satisfaction_correction_days
    in_time = context(rules, CITIZEN, ctx.at + timedelta(days=days) - timedelta(seconds=1))
    (second,) = satisfaction.give(rated, in_time, report=1, score=5, reasons=[])
    corrected = kinds.REPAIR.evolve(rated, Recorded(second, event_id(CASE, 100), 100, in_time.at))
    assert (corrected.satisfaction[1].score, corrected.satisfaction[1].first_at) == (5, ctx.at), "the later counts"
    over = context(rules, CITIZEN, ctx.at + timedelta(days=days))
    # The days run from the first word, so that nobody corrects for ever.
    assert code_of(lambda: satisfaction.give(corrected, over, report=1, score=1, reasons=[])) == "satisfaction-settled"


def test_satisfaction_with_an_application_waits_until_water_is_on(rules: Rules) -> None:
    case, recorded = history("connection-meter-replaced")
    on = next(each for each in recorded if type(each.fact).__name__ == "WaterTurnedOn")
    before, _ = history("connection-meter-replaced", on.version - 1)
    ctx = context(rules, CITIZEN, on.happened_at)
    assert code_of(lambda: satisfaction.give(before, ctx, report=0, score=3, reasons=[])) == "not-served-yet"
    (fact,) = satisfaction.give(case, ctx, report=0, score=3, reasons=["charge"])
    assert fact == SatisfactionGiven(0, 3, ("charge",))


@pytest.mark.parametrize("name", ["repair-satisfaction", "connection-satisfaction"])
def test_no_verdict_depends_on_satisfaction(rules: Rules, name: str) -> None:
    case, recorded = history(name)
    kind = kinds.REPAIR if name.startswith("repair") else kinds.CONNECTION
    without = kinds.folded(kind, [each for each in recorded if not isinstance(each.fact, SatisfactionGiven)])
    at = recorded[-1].happened_at + timedelta(days=60)
    assert case.satisfaction
    assert not without.satisfaction
    assert kinds.windows(kind, case, rules, at) == kinds.windows(kind, without, rules, at)


def test_the_reasons_are_said_in_the_contract() -> None:
    schema = json.loads(Path("api/contract/v1/schemas/water.repair.SatisfactionGiven.v1.json").read_text("utf-8"))
    assert all(reason in json.dumps(schema) for reason in REASONS)

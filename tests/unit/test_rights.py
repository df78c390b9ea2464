"""Requests of persons about their particulars: their steps, limits, copies, and what hinders an erasure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.kernel.facts import Recorded, event_id
from domain.kernel.refusals import Refusal
from domain.rights import rights
from domain.rights.rights import GROUNDS, RIGHTS, Keeping, RightsRequest
from domain.standard.context import CommandContext, Person
from domain.standard.flat import with_changes
from domain.standard.standards import Rules
from domain.vault import vault
from domain.vault.vault import VaultSubject
from infra.eventstore.shipped_rules import shipped_rules
from tests.api_world import MORNING

REQUEST, SUBJECT, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
CITIZEN, CLERK, CREW = Person("citizen-a", "applicant"), Person("counter-1", "counter"), Person("crew-1", "crew")


@pytest.fixture(scope="module")
def rules() -> Rules:
    return shipped_rules()


def context(rules: Rules, who: Person = CLERK, at: datetime = MORNING) -> CommandContext:
    return CommandContext(at, at, "office", rules, who)


def after(state: RightsRequest | None, *facts: Any, at: datetime = MORNING) -> RightsRequest:
    for fact in facts:
        state = rights.evolve(state, Recorded(fact, event_id(REQUEST, 1), 1, at, CLERK.actor, CLERK.role))
    assert state is not None
    return state


def asked(rules: Rules, right: Any, check: Any = "identity-card") -> RightsRequest:
    return after(
        None, *rights.receive(None, context(rules), right=right, subjects=[SUBJECT, SUBJECT, OTHER], check=check)
    )


def granted(rules: Rules, right: Any, check: Any = "identity-card") -> RightsRequest:
    state = asked(rules, right, check)
    return after(state, rights.grant(state, context(rules), []))


def code_of(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(Refusal) as refused:
        act(*args, **named)
    assert refused.value.next_step_zh
    return refused.value.code


def test_a_request_is_due_after_the_working_days_of_the_standard(rules: Rules) -> None:
    state = asked(rules, "see")
    assert state.subjects == (SUBJECT, OTHER), "each once"
    # From Wednesday 16 September: 15 working days with 20 September worked, and 25 September and 1-7 October off.
    assert state.due_at.isoformat() == "2026-10-13T09:30:00+00:00"
    assert not state.is_overdue(state.due_at)
    assert state.is_overdue(state.due_at + timedelta(seconds=1))
    sooner = Rules(
        **{
            **{name: getattr(rules, name) for name in rules.__dataclass_fields__},
            "standards": tuple(with_changes(each, rights_answer_working_days=1) for each in rules.standards),
        }
    )
    assert asked(sooner, "see").due_at.isoformat() == "2026-09-17T09:30:00+00:00"


@pytest.mark.parametrize("right", RIGHTS)
def test_what_was_granted_stays_owed_until_it_is_done_and_a_copy_waits_for_the_person(rules: Rules, right: str) -> None:
    state = granted(rules, right)
    late = state.due_at + timedelta(days=1)
    assert state.is_overdue(late) == (right not in ("see", "export"))
    assert not after(state, rights.RightsRequestDone()).is_overdue(late)
    assert not state.was_late
    asked_late = asked(rules, right)
    refused = after(asked_late, rights.refuse(asked_late, context(rules), ground="not-held"), at=late)
    assert (refused.was_late, refused.ground, refused.is_overdue(late)) == (True, "not-held", False)


def test_a_request_is_taken_once_and_answered_once(rules: Rules) -> None:
    state, ctx = asked(rules, "see"), context(rules)
    assert rights.receive(state, ctx, right="see", subjects=[SUBJECT], check="identity-card") == ()
    for answered in (granted(rules, "see"), after(state, rights.refuse(state, ctx, ground="not-held"))):
        assert code_of(rights.grant, answered, ctx, []) == "rights-request-decided"
        assert code_of(rights.refuse, answered, ctx, ground="not-held") == ("rights-request-decided")
    assert code_of(lambda: rights.grant(None, ctx, [])) == "no-such-rights-request"
    citizen = context(rules, CITIZEN)
    assert code_of(lambda: rights.receive(None, citizen, right="see", subjects=[], check="own-phone")) == (
        "nothing-kept-of-you"
    )


def test_a_person_asks_by_themselves_and_nothing_else_is_done_without_the_power(rules: Rules) -> None:
    ctx, state = context(rules, CITIZEN), granted(rules, "restrict")
    assert rights.receive(None, ctx, right="see", subjects=[SUBJECT], check="own-phone")
    for act in (
        lambda: rights.receive(None, ctx, right="see", subjects=[SUBJECT], check="identity-card"),
        lambda: rights.grant(asked(rules, "see"), ctx, []),
        lambda: rights.refuse(asked(rules, "see"), ctx, ground="not-held"),
        lambda: rights.take_copy(granted(rules, "see"), ctx, by_person=False),
        lambda: rights.correct(granted(rules, "correct"), ctx, subject=SUBJECT, fields=["name"]),
        lambda: rights.finish(state, ctx, {}),
        lambda: rights.lift(VaultSubject(is_restricted=True), ctx, subject=SUBJECT),
    ):
        assert code_of(act) == "wrong-role"


def test_an_export_is_taken_once_and_a_view_until_its_time_is_over(rules: Rules) -> None:
    ctx = context(rules, CITIZEN)
    for right, again in (("export", "rights-request-not-granted"), ("see", None)):
        state = granted(rules, right, "own-phone")
        taken = after(state, *rights.take_copy(state, ctx, by_person=True))
        assert taken.state == "done"
        if again is None:
            assert rights.take_copy(taken, ctx, by_person=True) == ()
        else:
            assert code_of(rights.take_copy, taken, ctx, by_person=True) == again
        over = context(rules, CITIZEN, MORNING + timedelta(days=30))
        assert code_of(rights.take_copy, state, over, by_person=True) == "copy-time-over"
        assert code_of(rights.take_copy, state, context(rules), by_person=False) == ("copy-for-the-person")
    assert rights.take_copy(granted(rules, "see"), context(rules), by_person=False)
    assert code_of(lambda: rights.take_copy(asked(rules, "see"), ctx, by_person=True)) == "rights-request-not-granted"
    assert code_of(lambda: rights.take_copy(granted(rules, "erase"), ctx, by_person=True)) == "other-right"


def test_an_erasure_is_not_granted_while_a_case_runs_or_the_term(rules: Rules) -> None:
    state, ctx = asked(rules, "erase"), context(rules)
    over = Keeping(False, MORNING)
    for hindered, ground in (
        (Keeping(True, None), "case-running"),
        (Keeping(False, MORNING + timedelta(seconds=1)), "retention-runs"),
    ):
        with pytest.raises(Refusal) as refused:
            rights.grant(state, ctx, [over, hindered])
        assert (refused.value.code, refused.value.found) == ("erasure-hindered", ground)
        assert ground in GROUNDS
        assert rights.grant(asked(rules, "restrict"), ctx, [hindered]), "nothing else is hindered by it"
    assert rights.grant(state, ctx, [over, Keeping(False, None)])


def test_an_erasure_is_done_once_every_subject_is_erased(rules: Rules) -> None:
    state, ctx, gone = granted(rules, "erase"), context(rules), VaultSubject(is_erased=True)
    for kept in ({}, {SUBJECT: gone}, {SUBJECT: gone, OTHER: VaultSubject()}):
        assert code_of(rights.finish, state, ctx, kept) == "not-erased-yet"
    assert rights.finish(state, ctx, {SUBJECT: gone, OTHER: gone}) == ({}, rights.RightsRequestDone())
    assert code_of(lambda: rights.finish(asked(rules, "erase"), ctx, {})) == "rights-request-not-granted"
    assert code_of(lambda: rights.finish(granted(rules, "see"), ctx, {})) == "other-right"


def test_a_correction_names_its_fields_and_nothing_of_what_they_say(rules: Rules) -> None:
    state, ctx = granted(rules, "correct"), context(rules)
    corrected, _ = rights.correct(state, ctx, subject=OTHER, fields=["phone", "address"])
    assert corrected == vault.ParticularsCorrected(OTHER, ("address", "phone"))
    assert code_of(lambda: rights.correct(state, ctx, subject=REQUEST, fields=["name"])) == "not-of-this-request"
    assert code_of(lambda: rights.correct(state, ctx, subject=OTHER, fields=[])) == "no-corrected-value"


def test_a_restriction_keeps_particulars_from_all_but_who_is_on_the_way(rules: Rules) -> None:
    facts, _ = rights.finish(granted(rules, "restrict"), context(rules), {OTHER: VaultSubject(is_erased=True)})
    assert facts == {SUBJECT: vault.ParticularsRestricted(SUBJECT)}, "who is erased has nothing to restrict"

    def told(state: VaultSubject | None, fact: Any) -> VaultSubject | None:
        return vault.evolve(state, Recorded(fact, event_id(SUBJECT, 1), 1, MORNING, CLERK.actor, CLERK.role))

    def unmasked(state: VaultSubject | None, who: Person, reason: Any) -> Any:
        return vault.unmask(state, context(rules, who), case_id=REQUEST, subject=SUBJECT, reason=reason)

    restricted = told(None, facts[SUBJECT])
    assert code_of(lambda: unmasked(restricted, CLERK, "on-site")) == "subject-restricted"
    assert code_of(lambda: unmasked(restricted, CREW, "call-back")) == "subject-restricted"
    assert unmasked(restricted, CREW, "on-site")
    assert unmasked(None, CLERK, "call-back")
    (lifted,) = rights.lift(restricted, context(rules), subject=SUBJECT)
    assert unmasked(told(restricted, lifted), CLERK, "call-back")
    assert rights.lift(told(restricted, lifted), context(rules), subject=SUBJECT) == ()

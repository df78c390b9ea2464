"""Approval requests: in whatever order people act, a command is carried out at most once, never by who asked alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.approvals.masking import PERSONS, without_particulars
from domain.approvals import approvals
from domain.approvals.approvals import Approval, ApprovalGiven, Approver
from domain.approvals.refusals import (
    ApprovalDecided,
    ApprovalLate,
    MachineCannotApprove,
    NotAskedOfYou,
    NotYourRequest,
)
from domain.kernel.facts import Recorded, event_id
from domain.kernel.refusals import Refusal
from domain.people.actors import is_same
from domain.standard.context import CommandContext, Person
from domain.standard.flat import with_changes
from domain.standard.refusals import SamePerson
from domain.standard.standards import Rules
from tests.api_world import MORNING

ASKER = Person("crew-1", "crew")
SECOND = Approver("dispatcher-2", "dispatcher", ("dispatcher",))
CASE = UUID(int=9)
DIGEST = "sha256:" + "1" * 64


def context(rules: Rules, who: Person, at: datetime) -> CommandContext:
    return CommandContext(at, at, "office", rules, who)


def recorded(fact: Any, who: Person, at: datetime, version: int) -> Recorded:
    return Recorded(fact, event_id(CASE, version), version, at, who.actor, who.role)


def asked(rules: Rules, role: str | None = "dispatcher", actor: str | None = None) -> Approval:
    ctx = context(rules, ASKER, MORNING)
    (fact,) = approvals.request(None, ctx, operation="x", digest=DIGEST, role=role, actor=actor, case_id=CASE)
    state = approvals.evolve(None, recorded(fact, ASKER, MORNING, 1))
    assert state is not None
    return state


def give(rules: Rules, state: Approval, who: Approver, at: datetime = MORNING) -> ApprovalGiven:
    return approvals.give(state, context(rules, Person(who.actor, who.role), at), who, case_id=CASE)


# ---- who may answer


@pytest.mark.parametrize("name", ["crew-1", "CREW-1", "crew-1.", "Ｃrew-1"])
@pytest.mark.parametrize("role", ["crew", "dispatcher"])
def test_whoever_asked_is_no_second_person_however_they_call_themselves(rules: Rules, name: str, role: str) -> None:
    with pytest.raises(SamePerson):
        give(rules, asked(rules), Approver(name, role, ("crew", "dispatcher")))


def test_a_role_is_asked_or_an_account_and_no_machine(rules: Rules) -> None:
    assert give(rules, asked(rules), SECOND).role == "dispatcher"
    in_another_role = Approver("chief-1", "manager", ("manager", "dispatcher"))
    assert give(rules, asked(rules), in_another_role).role == "dispatcher", "the role that was asked, which they hold"
    by_name = asked(rules, None, "chief-1")
    assert give(rules, by_name, in_another_role).role == "manager"
    for state, who in ((asked(rules), Approver("hotline-1", "hotline", ("hotline",))), (by_name, SECOND)):
        with pytest.raises(NotAskedOfYou):
            give(rules, state, who)
    with pytest.raises(MachineCannotApprove):
        give(rules, asked(rules), Approver("gateway-1", "dispatcher", ("dispatcher",), is_machine=True))


def test_only_whoever_asked_takes_it_back(rules: Rules) -> None:
    with pytest.raises(NotYourRequest):
        approvals.withdraw(asked(rules), context(rules, Person("dispatcher-2", "dispatcher"), MORNING))


def test_the_standard_says_how_long_it_waits(rules: Rules) -> None:
    state = asked(rules)
    assert state.expires_at == MORNING + timedelta(hours=48)
    short = Rules(tuple(with_changes(each, approval_hours=1) for each in rules.standards), rules.calendars)
    assert asked(short).expires_at == MORNING + timedelta(hours=1)
    assert give(rules, state, SECOND, state.expires_at - timedelta(microseconds=1))
    with pytest.raises(ApprovalLate):
        give(rules, state, SECOND, state.expires_at)


# ---- whatever order people act in


ACTORS = (
    Approver("crew-1", "crew", ("crew", "dispatcher")),
    Approver("CREW-1.", "dispatcher", ("dispatcher",)),
    SECOND,
    Approver("dispatcher-3", "dispatcher", ("dispatcher",)),
    Approver("hotline-1", "hotline", ("hotline",)),
)
ACTS = st.tuples(
    st.sampled_from(("give", "decline", "withdraw", "expire")), st.sampled_from(ACTORS), st.integers(0, 30)
)


def said(act: str, state: Approval, ctx: CommandContext, who: Approver) -> tuple[Any, ...]:
    match act:
        case "give":
            return (approvals.give(state, ctx, who, case_id=CASE),)
        case "decline":
            return (approvals.decline(state, ctx, who, reason="other"),)
        case "withdraw":
            return (approvals.withdraw(state, ctx),)
        case _:
            return approvals.expire(state, ctx.at)


@given(acts=st.lists(ACTS, max_size=8))
def test_a_command_is_carried_out_once_by_somebody_else_and_in_time_or_never(
    rules: Rules, acts: list[tuple[str, Approver, int]]
) -> None:
    state, at, version = asked(rules), MORNING, 1
    facts: list[tuple[Any, Approver, datetime]] = []
    for act, who, hours in acts:
        at += timedelta(hours=hours)
        before, person = state, Person(who.actor, who.role)
        try:
            found = said(act, state, context(rules, person, at), who)
        except Refusal:
            continue
        for fact in found:
            version += 1
            state = approvals.evolve(state, recorded(fact, person, at, version)) or state
            facts.append((fact, who, at))
        assert not found or before.state == "waiting", "what is decided stays so"
    assert len(facts) <= 1
    for fact, who, when in facts:
        if isinstance(fact, ApprovalGiven):
            assert not is_same(who.actor, ASKER.actor)
            assert when < state.expires_at
            assert state.state == "given"


@pytest.mark.parametrize("how", ["decline", "withdraw", "expire", "give"])
def test_what_is_decided_cannot_be_decided_again(rules: Rules, how: str) -> None:
    state = asked(rules)
    at = state.expires_at if how == "expire" else MORNING
    who = ACTORS[0] if how == "withdraw" else SECOND
    (fact,) = said(how, state, context(rules, Person(who.actor, who.role), at), who)
    decided = approvals.evolve(state, recorded(fact, Person(who.actor, who.role), at, 2))
    assert decided is not None
    with pytest.raises(ApprovalLate if how == "expire" else ApprovalDecided):
        give(rules, decided, ACTORS[3], at)


# ---- what is shown


def test_persons_in_a_body_are_masked_however_deep() -> None:
    body = {"reports": [{"reporter": {"name": "张三", "phone": "13812345678"}}], "kind": "leak", "customer": None}
    assert without_particulars(body) == {
        "reports": [{"reporter": {"name": "张*", "phone": "138****5678"}}],
        "kind": "leak",
        "customer": None,
    }
    assert without_particulars({"applicant": "张三"}) == {"applicant": "****"}
    assert {"reporter", "applicant", "customer"} == PERSONS

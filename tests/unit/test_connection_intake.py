"""Intake: one form, routed to one person, and the ways in which an application ends before water."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.connections import intake
from domain.connections.facts import (
    ApplicantAppeared,
    ApplicationReceived,
    ApplicationRefused,
    ApplicationWithdrawn,
    CaseRouted,
    OwnerReplaced,
    SupplyPoint,
)
from domain.deadlines.windows import WindowCancelled
from tests.unit.cases import NINE, SUBJECT
from tests.unit.connecting import (
    DAY,
    DIGEST,
    HOUR,
    IDENTITY,
    PAPERS,
    Case,
    admitted,
    kinds_of,
    received,
    refused,
)

POINT = SupplyPoint("QZ-07", {"residential": 80, "non-residential": 20}, 4)


def form(**changes: Any) -> intake.Form:
    return replace(intake.Form("private", 1, SUBJECT), **changes)


def receive(case: Case, filled: intake.Form, role: str = "counter", turn: int = 1, **when: Any) -> list[Any]:
    return case.tell(
        role,
        lambda known, ctx: intake.receive(known, ctx, case_number="BZ-2026-000001", form=filled, turn=turn),
        **when,
    )


# ---- receive


def test_an_application_is_received_routed_and_its_documents_are_in() -> None:
    case = received(*PAPERS)
    assert kinds_of(case.facts) == ["ApplicationReceived", "CaseRouted", "DocumentSupplied", "DocumentSupplied"]
    assert kinds_of(case.play.followed) == ["ApplicationAdmitted"]
    assert (case.state.desk, case.state.owner) == ("household", "owner-2")


def test_what_billing_needs_is_taken_down_at_once() -> None:
    fact = receive(Case(), form(points=(POINT,), declined_outstanding=True))[0]
    assert isinstance(fact, ApplicationReceived)
    assert (fact.points, fact.declined_outstanding, fact.barred) == ((POINT,), True, False)


def test_owners_take_turns() -> None:
    owners: list[str] = []
    for turn in range(4):
        said = receive(Case(), form(), turn=turn)
        owners.extend(fact.owner for fact in said if isinstance(fact, CaseRouted))
    assert owners == ["owner-1", "owner-2", "owner-1", "owner-2"]


def test_a_company_goes_to_the_desk_for_companies() -> None:
    (routed,) = (fact for fact in receive(Case(), form(category="business")) if isinstance(fact, CaseRouted))
    assert routed.desk == "enterprise"


def test_who_applies_at_the_counter_has_come_in_person() -> None:
    assert ApplicantAppeared("counter", "application") in receive(Case(channel="counter"), form())
    assert "ApplicantAppeared" not in kinds_of(receive(Case(), form()))


def test_the_same_case_is_not_received_twice() -> None:
    case = received()
    with refused("case-exists"):
        receive(case, form())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"category": "king"}, "unknown-applicant-category"),
        ({"supply_points": 0}, "supply-points-out-of-range"),
        ({"supply_points": -1}, "supply-points-out-of-range"),
        ({"supply_points": 501}, "supply-points-out-of-range"),
        ({"supply_points": 2, "points": (POINT,)}, "points-do-not-match"),
        ({"points": (SupplyPoint("QZ-07", {"gold": 100}),)}, "unknown-price-class"),
        ({"points": (SupplyPoint("QZ-07", {"residential": 99}),)}, "usage-split-not-whole"),
        ({"points": (SupplyPoint("QZ-07", {}),)}, "usage-split-not-whole"),
        ({"points": (SupplyPoint("QZ-07", {"residential": 101, "special": -1}),)}, "usage-split-not-whole"),
        ({"documents": (IDENTITY, IDENTITY)}, "named-twice"),
        ({"documents": (intake.Supplied("dowry", "seen"),)}, "unknown-document"),
        ({"documents": (intake.Supplied("property-right", "verified"),)}, "way-not-allowed"),
        ({"documents": (intake.Supplied("identity", "upload"),)}, "digest-missing"),
    ],
)
def test_a_form_that_the_rules_do_not_know_is_refused(changes: dict[str, Any], code: str) -> None:
    case = Case()
    with refused(code):
        receive(case, form(**changes))
    assert case.play.state is None


def test_an_application_from_the_future_is_refused() -> None:
    with refused("future-time"):
        receive(Case(), form(), happened_at=NINE + HOUR)


def test_a_role_without_the_power_may_not_receive() -> None:
    with refused("wrong-role"):
        receive(Case(), form(), role="crew")


@pytest.mark.parametrize("role", ["public", "applicant"])
@pytest.mark.parametrize("way", ["seen", "shared"])
def test_an_applicant_cannot_say_that_the_utility_saw_a_document(role: str, way: Any) -> None:
    with refused("wrong-role"):
        receive(Case(), form(documents=(intake.Supplied("identity", way),)), role=role)


def test_the_construction_approval_platform_shares_documents() -> None:
    said = receive(Case(channel="platform"), form(documents=(intake.Supplied("identity", "shared"),)), role="public")
    assert "DocumentSupplied" in kinds_of(said)


# ---- owner, appearances


def test_another_person_may_answer_for_the_case() -> None:
    case = received()
    said = case.tell("manager", lambda known, ctx: intake.replace_owner(known, ctx, owner="owner-1"))
    assert said == [OwnerReplaced("owner-1")]
    assert case.state.owner == "owner-1"


@pytest.mark.parametrize(("owner", "code"), [("nobody", "unknown-owner"), ("owner-2", "owner-unchanged")])
def test_an_owner_is_somebody_else_of_a_desk(owner: str, code: str) -> None:
    with refused(code):
        received().tell("manager", lambda known, ctx: intake.replace_owner(known, ctx, owner=owner))


def test_only_a_manager_replaces_the_owner() -> None:
    with refused("wrong-role"):
        received().tell("counter", lambda known, ctx: intake.replace_owner(known, ctx, owner="owner-1"))


def test_an_appearance_is_taken_down_in_every_state() -> None:
    case = withdrawn()
    case.tell("counter", lambda known, ctx: intake.appear(known, ctx, place="counter", purpose="payment"))
    assert len(case.state.appearances) == 1


@pytest.mark.parametrize(
    ("place", "purpose", "hours", "code"),
    [
        ("moon", "papers", 0, "unknown-place"),
        ("counter", "tea", 0, "unknown-purpose"),
        ("counter", "papers", 1, "future-time"),
        ("counter", "papers", -1, "dates-out-of-order"),
    ],
)
def test_an_appearance_has_a_known_place_and_purpose_and_a_possible_time(
    place: str, purpose: str, hours: int, code: str
) -> None:
    with refused(code):
        received().tell(
            "counter",
            lambda known, ctx: intake.appear(known, ctx, place=place, purpose=purpose),
            happened_at=NINE + hours * HOUR,
        )


# ---- withdrawal and refusal


def withdrawn(case: Case | None = None, reason: str = "no-longer-needed") -> Case:
    case = case or received()
    case.tell("applicant", lambda known, ctx: intake.withdraw(known, ctx, reason=reason))
    return case


def turned_away(case: Case, reason: str = "arrears") -> list[Any]:
    return case.tell("manager", lambda known, ctx: intake.refuse(known, ctx, reason=reason, document_digest=DIGEST))


def test_a_withdrawn_application_owes_nothing_any_more() -> None:
    case = withdrawn(admitted())
    assert ApplicationWithdrawn("no-longer-needed") in case.facts
    cancelled = {fact.commitment for fact in case.play.concluded if isinstance(fact, WindowCancelled)}
    assert cancelled == {"connection.water_on", "connection.trips"}
    assert case.wait(NINE + 30 * DAY) == []


def test_nothing_goes_on_in_a_case_that_was_withdrawn() -> None:
    case = withdrawn(admitted())
    for step in (case.survey, case.design, case.quote, case.sign, case.start, case.complete, case.inspect):
        with refused("case-stopped"):
            step()
    with refused("case-stopped"):
        withdrawn(case)
    with refused("case-stopped"):
        turned_away(case)


def test_the_utility_refuses_with_a_reason_of_its_list() -> None:
    case = admitted()
    assert turned_away(case) == [ApplicationRefused("arrears", DIGEST)]
    assert case.state.stopped is not None
    assert case.state.stopped.final


def test_a_reason_that_is_not_on_the_list_is_refused() -> None:
    with refused("unknown-reason"):
        withdrawn(reason="because")
    with refused("unknown-reason"):
        turned_away(admitted(), "no-longer-needed")


def test_once_water_is_on_anywhere_nothing_is_withdrawn_or_refused() -> None:
    case = admitted(points=2).ready()
    case.turn_on(1)
    with refused("water-is-on"):
        withdrawn(case)
    with refused("water-is-on"):
        turned_away(case)


def test_only_a_manager_refuses_an_application() -> None:
    with refused("wrong-role"):
        admitted().tell("counter", lambda c, ctx: intake.refuse(c, ctx, reason="arrears", document_digest=DIGEST))


def test_an_application_may_be_told_late_and_was_received_when_it_came_in() -> None:
    case = Case()
    receive(case, form(), happened_at=NINE - timedelta(days=30))
    assert case.state.received.at == NINE - timedelta(days=30)
    assert kinds_of(case.play.followed) == ["ApplicationAdmitted"], "silence admitted it long ago"

"""On site: survey, design, construction, final inspection, meters in, water on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.connections import site, visits
from domain.connections.facts import (
    ApprovedOnSite,
    ConstructionStarted,
    MeterInstalled,
    MoneyLine,
    SupplyPoint,
    WaterTurnedOn,
)
from domain.kernel.refusals import Refusal
from domain.metering import meters as usage
from tests.unit.cases import NINE, meter
from tests.unit.connecting import (
    DAY,
    DIGEST,
    HOUR,
    IDENTITY,
    MAIN_PAPERS_ADMIT,
    PAPERS,
    PROPERTY,
    VISIT,
    Case,
    admitted,
    kinds_of,
    received,
    refused,
)

# ---- survey and design


def test_address_and_phone_alone_are_enough_to_send_a_surveyor() -> None:
    case = received()
    case.survey("main-far")
    assert case.state.admitted is None
    assert case.state.feasible is True


@pytest.mark.parametrize(
    ("findings", "feasible", "code"),
    [
        (("dragons",), True, "unknown-finding"),
        ((), False, "findings-missing"),
        (("main-far",) * 2, True, "named-twice"),
    ],
)
def test_a_survey_names_known_findings_once_and_a_reason_where_it_is_not_feasible(
    findings: tuple[str, ...], feasible: bool, code: str
) -> None:
    with refused(code):
        received().survey(*findings, feasible=feasible)


def test_a_design_needs_a_survey_that_found_it_feasible() -> None:
    with refused("not-surveyed"):
        admitted().design()
    case = admitted()
    case.survey("no-main", feasible=False)
    with refused("not-feasible"):
        case.design()
    case.survey(at=NINE + HOUR)
    assert kinds_of(case.design()) == ["DesignApproved"]


def test_a_design_before_the_survey_or_in_the_future_is_refused() -> None:
    case = admitted()
    case.survey(at=NINE + HOUR)
    with refused("dates-out-of-order"):
        case.design(happened_at=NINE)
    with refused("future-time"):
        case.design(happened_at=NINE + DAY)


def test_nothing_is_designed_any_more_once_the_pipe_is_laid() -> None:
    with refused("construction-completed"):
        admitted().ready().design()


@pytest.mark.parametrize("step", ["survey", "design", "start", "complete", "inspect", "turn_on"])
def test_works_need_their_roles(step: str) -> None:
    case = admitted().ready()
    decisions: dict[str, Any] = {
        "survey": lambda c, ctx: site.survey(c, ctx, feasible=True, findings=()),
        "design": lambda c, ctx: site.design(c, ctx, drawing_digest=DIGEST),
        "start": lambda c, ctx: site.start_construction(c, ctx, crew="crew-1"),
        "complete": site.complete_construction,
        "inspect": lambda c, ctx: site.inspect(c, ctx, passed=True, defects=()),
        "turn_on": lambda c, ctx: site.turn_water_on(c, ctx, point=1, meter=meter()),
    }
    with refused("wrong-role"):
        case.tell("applicant", decisions[step])


# ---- approval at the door


def visited(case: Case | None = None, squad: str = "squad-1") -> Case:
    case = case or admitted()
    case.tell(
        "case-owner",
        lambda c, ctx: visits.book(
            c, ctx, visit=VISIT, squad=squad, purpose="approval", begin=NINE + HOUR, end=NINE + 3 * HOUR
        ),
    )
    return case


def approve(case: Case, squad: str = "squad-1", visit: UUID = VISIT, **when: Any) -> list[Any]:
    return case.tell(
        "squad",
        lambda c, ctx: site.approve_on_site(c, ctx, visit=visit, squad=squad, drawing_digest=DIGEST),
        **({"at": NINE + 2 * HOUR} | when),
    )


def make(case: Case, **when: Any) -> list[Any]:
    return case.tell("squad", lambda c, ctx: visits.make(c, ctx, visit=VISIT, papers_collected=()), **when)


def test_approval_at_the_door_starts_construction_at_once() -> None:
    case = visited()
    assert approve(case) == [ApprovedOnSite(VISIT, "squad-1", DIGEST), ConstructionStarted("squad-1")]
    case.complete()
    case.inspect()
    with refused("not-contracted"):
        case.turn_on()


def test_approval_may_be_told_after_the_visit_it_was_given_on() -> None:
    case = visited()
    make(case, at=NINE + 3 * HOUR)
    assert approve(case, at=NINE + 4 * HOUR, happened_at=NINE + 2 * HOUR)


def test_approval_needs_an_admitted_case_and_that_squads_visit_under_way() -> None:
    with refused("not-admitted"):
        approve(visited(received()))
    with refused("no-such-visit"):
        approve(admitted())
    with refused("other-squad"):
        approve(visited(), squad="squad-2")
    case = visited()
    make(case, at=NINE + 2 * HOUR)
    with refused("visit-over"):
        approve(case, at=NINE + 3 * HOUR)
    cancelled = visited()
    cancelled.tell("counter", lambda c, ctx: visits.cancel(c, ctx, visit=VISIT, reason="other"))
    with refused("visit-over"):
        approve(cancelled)


def test_approval_is_not_given_before_the_visit_nor_where_it_is_not_feasible_nor_twice() -> None:
    with refused("dates-out-of-order"):
        approve(visited(), at=NINE + 0.5 * HOUR)
    infeasible = visited()
    infeasible.survey("no-main", feasible=False)
    with refused("not-feasible"):
        approve(infeasible)
    case = visited()
    approve(case)
    with refused("construction-started"):
        approve(case)


# ---- construction and inspection


def test_construction_needs_admission_design_contract_and_payment() -> None:
    case = received(rules=MAIN_PAPERS_ADMIT)
    with refused("not-admitted"):
        case.start()
    case.supply(IDENTITY)
    with refused("not-designed"):
        case.start()
    case.survey()
    case.design()
    case.quote()
    with refused("not-contracted"):
        case.start()
    case.sign()
    case.pay(MoneyLine("water-loss", 6_000))
    with refused("not-paid"):
        case.start()
    case.pay(MoneyLine("installation", 128_500), payment="PAY-2")
    assert case.start() == [ConstructionStarted("crew-1")]
    with refused("construction-started"):
        case.start()


def test_construction_is_completed_once_it_began_and_inspected_once_it_is_completed() -> None:
    case = admitted()
    with refused("construction-not-started"):
        case.complete()
    with refused("construction-not-completed"):
        case.inspect()
    case.ready()
    with refused("construction-completed"):
        case.complete()


def test_what_failed_its_inspection_is_mended_and_inspected_again() -> None:
    case = admitted()
    for step in (case.survey, case.design, case.quote, case.sign, case.pay, case.start, case.complete):
        step()
    case.inspect("leak", "depth", at=NINE + HOUR)
    with refused("not-inspected"):
        case.turn_on()
    case.complete(at=NINE + 2 * HOUR)
    case.inspect(at=NINE + 3 * HOUR)
    assert case.state.inspected
    with refused("already-inspected"):
        case.inspect("leak")


@pytest.mark.parametrize(
    ("passed", "defects", "code"),
    [
        (True, ("leak",), "defects-do-not-match"),
        (False, (), "defects-do-not-match"),
        (False, ("ugly",), "unknown-defect"),
        (False, ("leak", "leak"), "named-twice"),
    ],
)
def test_an_inspections_outcome_and_defects_match(passed: bool, defects: tuple[str, ...], code: str) -> None:
    case = admitted()
    for step in (case.survey, case.design, case.quote, case.sign, case.pay, case.start, case.complete):
        step()
    with refused(code):
        case.tell("inspector", lambda c, ctx: site.inspect(c, ctx, passed=passed, defects=defects))


def test_works_happen_one_after_the_other() -> None:
    case = admitted()
    for step in (case.survey, case.design, case.quote, case.sign, case.pay):
        step()
    case.at = NINE + DAY
    with refused("dates-out-of-order"):
        case.start(happened_at=NINE - HOUR)
    case.start()
    with refused("dates-out-of-order"):
        case.complete(happened_at=NINE)
    case.complete()
    with refused("dates-out-of-order"):
        case.tell("inspector", lambda c, t: site.inspect(c, t, passed=True, defects=()), happened_at=NINE)


# ---- meters


def install(case: Case, point: int = 1, **changes: Any) -> list[Any]:
    return case.tell("crew", lambda c, ctx: site.install_meter(c, ctx, point=point, meter=meter(**changes)))


def test_a_meter_goes_in_before_water_is_on() -> None:
    case = admitted().ready()
    install(case)
    facts = case.turn_on(number=None)
    assert kinds_of(facts) == ["WaterTurnedOn"]
    assert facts[0].meter == meter()


def test_a_meter_goes_in_with_the_water() -> None:
    assert kinds_of(admitted().ready().turn_on()) == ["MeterInstalled", "WaterTurnedOn"]


def test_no_water_without_a_meter_nor_behind_another_one_than_is_in() -> None:
    case = admitted().ready()
    with refused("meter-missing"):
        case.turn_on(number=None)
    install(case)
    with refused("meter-already-installed"):
        case.turn_on(number="M-2")
    with refused("meter-already-installed"):
        install(case, number="M-2")
    assert kinds_of(case.turn_on(number="M-1")) == ["WaterTurnedOn"], "the same meter again is no other one"


def test_a_meter_needs_an_admitted_case_and_a_supply_point_of_it() -> None:
    with refused("not-admitted"):
        install(received())
    with refused("no-such-supply-point"):
        install(admitted(), 2)
    with refused("dates-out-of-order"):
        case = received(PROPERTY)
        case.supply(IDENTITY, at=NINE + HOUR)
        case.tell("crew", lambda c, ctx: site.install_meter(c, ctx, point=1, meter=meter()), happened_at=NINE)


UNVERIFIED: list[dict[str, Any]] = [
    {"expires_on": date(2026, 9, 15)},
    {"verified_on": date(2026, 9, 17)},
    {"verified_on": date(2020, 9, 15), "expires_on": date(2040, 1, 1)},
    {"dn_mm": 40, "verified_on": date(2022, 9, 15), "expires_on": date(2040, 1, 1)},
    {"dn_mm": 80, "verified_on": date(2024, 9, 15), "expires_on": date(2040, 1, 1)},
]


@pytest.mark.parametrize("changes", UNVERIFIED)
def test_a_meter_without_a_valid_verification_is_refused(changes: dict[str, Any]) -> None:
    with refused("meter-not-verified"):
        admitted().ready().turn_on(meter_changes=changes)
    with refused("meter-not-verified"):
        install(admitted(), **changes)


def test_a_verification_that_ran_out_since_the_meter_went_in_is_refused() -> None:
    case = admitted().ready()
    install(case, expires_on=date(2026, 9, 16))
    with refused("meter-not-verified"):
        case.turn_on(number=None, at=NINE + DAY)


def test_a_verification_on_a_leap_day_ends_on_28_february() -> None:
    last = datetime(2026, 2, 28, 1, 0, tzinfo=UTC)
    leap: dict[str, Any] = {"verified_on": date(2020, 2, 29), "expires_on": date(2040, 1, 1)}
    case = admitted(at=datetime(2026, 2, 27, 1, 0, tzinfo=UTC), points=2).ready()
    assert case.turn_on(1, meter_changes=leap, at=last)
    with refused("meter-not-verified"):
        case.turn_on(2, "M-2", meter_changes=leap, at=last + DAY)


def test_a_meter_in_service_elsewhere_is_refused_and_says_where() -> None:
    elsewhere = usage.Meter("M-1", UUID(int=5), 2)
    with pytest.raises(Refusal, match=f"{UUID(int=5)}/2"):
        usage.put_into_service(elsewhere, number="M-1", case_id=UUID(int=1), point=1)


# ---- water


def test_water_on_carries_what_billing_needs() -> None:
    point = SupplyPoint("QZ-07", {"residential": 100}, 4)
    case = received(*PAPERS, places=(point,))
    facts = case.ready().turn_on()
    on = facts[-1]
    assert on == WaterTurnedOn(
        1, case.state.subject, meter(), "HT-1", "QZ-07", {"residential": 100}, 4, price_version="2021-1"
    )
    assert facts[0] == MeterInstalled(1, meter())


def test_no_water_before_admission_papers_contract_payment_and_inspection() -> None:
    case = received(rules=MAIN_PAPERS_ADMIT)
    with refused("not-admitted"):
        case.turn_on()
    case.supply(IDENTITY)
    with refused("papers-missing"):
        case.turn_on()
    case.supply(PROPERTY)
    with refused("not-contracted"):
        case.turn_on()
    case.survey()
    case.design()
    case.quote()
    case.sign()
    with refused("not-paid"):
        case.turn_on()
    case.pay()
    with refused("not-inspected"):
        case.turn_on()
    case.start()
    case.complete()
    case.inspect()
    assert case.turn_on()


def test_a_paper_that_is_outstanding_keeps_the_water_off_to_the_very_end() -> None:
    case = received(IDENTITY, rules=MAIN_PAPERS_ADMIT).ready()
    with refused("papers-missing"):
        case.turn_on()
    case.supply(PROPERTY)
    assert case.turn_on()


def test_water_is_not_claimed_for_before_the_papers_or_the_inspection() -> None:
    case = received(IDENTITY, rules=MAIN_PAPERS_ADMIT).ready()
    case.supply(PROPERTY, at=NINE + 2 * HOUR)
    with refused("dates-out-of-order"):
        case.turn_on(happened_at=NINE + HOUR)
    with refused("future-time"):
        case.turn_on(happened_at=NINE + DAY)
    assert case.turn_on(happened_at=NINE + 2 * HOUR)


def test_a_supply_point_twice_or_one_that_does_not_exist_is_refused() -> None:
    case = admitted().ready()
    with refused("no-such-supply-point"):
        case.turn_on(2)
    case.turn_on(1)
    with refused("already-on"):
        case.turn_on(1)
    with refused("all-on"):
        case.survey()


def test_a_new_quote_needs_its_own_contract_before_there_is_water() -> None:
    case = admitted().ready()
    case.quote(("water-loss", Decimal(1)), ("installation", Decimal(5)))
    with refused("not-contracted"):
        case.turn_on()
    case.sign("HT-2")
    assert case.turn_on()[-1].contract == "HT-2"

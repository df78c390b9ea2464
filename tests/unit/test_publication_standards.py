"""How a standard becomes public, and what it can never ask of an applicant without a new promise."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.deadlines.limits import Intake
from domain.kernel.refusals import Refusal
from domain.kinds import POWERS
from domain.publication import standards
from domain.publication.publishing import StandardDrafted, Standards, evolve_standards
from domain.standard.flat import as_published
from domain.standard.powers import UNLESS_SAID, roles_with
from domain.standard.sections.alerting import EscalationStep, Rung
from domain.standard.sections.connection import (
    Desk,
    DocumentRequirement,
    PapersPolicy,
    PauseReason,
    Promise,
    Step,
    is_catch_all,
)
from domain.standard.sections.metering import ReadingPolicy
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import Rules, Standard
from infra.eventstore.shipped_rules import shipped_standard
from tests.unit.cases import NINE
from tests.unit.office import LONG_AGO, TOMORROW, a_catalogue, a_standard, after, an_item, by

SHIPPED = shipped_standard()
REGIONS = ("CN",)


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


@pytest.fixture
def known() -> Standards:
    """The shipped standard is in force."""
    state: Standards = after(evolve_standards, None, as_published(SHIPPED), "tongshui", LONG_AGO)
    return state


def drafted(rules: Rules, state: Standards | None, document: Standard) -> Standards:
    fact = standards.draft(state, by(rules, "manager", "drafter"), document=document, regions=REGIONS)
    made: Standards = after(evolve_standards, state, fact, "drafter")
    return made


def approved(
    rules: Rules, state: Standards, version: str = "0225-6", actor: str = "approver", **told: Any
) -> Standards:
    somebody = by(rules, told.pop("role", "deputy-director"), actor, **told)
    fact = standards.approve(state, somebody, version="0225-6", regions=REGIONS)
    made: Standards = after(evolve_standards, state, fact, actor)
    return made


# ---- the way


def test_a_standard_is_public_once_a_second_person_approved(rules: Rules, known: Standards) -> None:
    state = approved(rules, drafted(rules, known, a_standard()))
    assert [each.version for each in state.published] == ["0225-5", "0225-6"]
    assert state.published[1] == a_standard()
    assert state.drafts == {}


def test_nothing_runs_under_a_draft(rules: Rules, known: Standards) -> None:
    state = drafted(rules, known, a_standard())
    assert [each.version for each in state.published] == ["0225-5"]
    assert state.drafts["0225-6"].drafted_by == "drafter"


def test_who_drafted_does_not_approve(rules: Rules, known: Standards) -> None:
    with refused("same-person"):
        approved(rules, drafted(rules, known, a_standard()), actor="drafter")


def test_each_step_has_its_role(rules: Rules, known: Standards) -> None:
    with refused("wrong-role"):
        standards.draft(known, by(rules, "case-owner"), document=a_standard(), regions=REGIONS)
    with refused("wrong-role"):
        approved(rules, drafted(rules, known, a_standard()), role="manager")


def test_an_approved_standard_is_not_approved_again(rules: Rules, known: Standards) -> None:
    state = approved(rules, drafted(rules, known, a_standard()))
    for each in (state, known):
        with refused("no-such-draft"):
            approved(rules, each)


@pytest.mark.parametrize("version", ["0225-5", "0225-6"])
def test_a_version_stands_for_one_text(rules: Rules, known: Standards, version: str) -> None:
    state = drafted(rules, known, a_standard())
    with refused("version-used"):
        drafted(rules, state, a_standard(version=version))


def test_the_date_is_still_to_come_at_the_draft_and_at_the_approval(rules: Rules, known: Standards) -> None:
    with refused("effective-in-the-past"):
        drafted(rules, known, a_standard(effective_from=NINE - timedelta(seconds=1)))
    state = drafted(rules, known, a_standard())
    with refused("effective-in-the-past"):
        approved(rules, state, at=TOMORROW + timedelta(seconds=1))
    assert len(approved(rules, state, at=TOMORROW).published) == 2


def test_a_guard_that_came_to_apply_after_the_draft_stops_the_approval(rules: Rules, known: Standards) -> None:
    state = drafted(rules, known, a_standard())
    with refused("unknown-region"):
        standards.approve(state, by(rules, "deputy-director"), version="0225-6", regions=())
    crowded = replace(rules, catalogues=(_published(4),))
    with refused("beyond-the-promise"):
        approved(crowded, state)


def _published(fees: int) -> Any:
    from domain.standard.fees import CataloguePublished

    made = a_catalogue(*(an_item(code=f"fee-{'abcdef'[number]}") for number in range(fees)), effective_from=LONG_AGO)
    return CataloguePublished(made.version, made.effective_from, made.items, made.banned)


# ---- the promise

THIRD = DocumentRequirement("site-plan", "总平面图", main=False, met_by=("upload",))
MORE: dict[str, dict[str, Any]] = {
    "a third step": {"steps": (*SHIPPED.connection.steps, Step("inspect", "现场核验"))},
    "a third document": {
        "documents": {**SHIPPED.connection.documents, "private": (*SHIPPED.connection.documents["private"], THIRD)}
    },
    "a sixth working day": {"connection_working_days": 6},
}


@pytest.mark.parametrize("more", MORE.values(), ids=MORE.keys())
def test_more_than_was_promised_is_refused(rules: Rules, known: Standards, more: dict[str, Any]) -> None:
    with refused("beyond-the-promise"):
        drafted(rules, known, a_standard(**more))


@pytest.mark.parametrize("more", MORE.values(), ids=MORE.keys())
def test_more_than_was_promised_needs_a_new_promise_published_with_it(
    rules: Rules, known: Standards, more: dict[str, Any]
) -> None:
    wider = Promise("0225-b", working_days=6, steps=3, documents=3, fees=3, trips_remote=0, trips_otherwise=1)
    with refused("promise-changed-in-silence"):
        drafted(rules, known, a_standard(promise=replace(wider, version="0225"), **more))
    state = approved(rules, drafted(rules, known, a_standard(promise=wider, **more)))
    assert state.published[-1].connection.promise == wider


@pytest.mark.parametrize(
    "less", [{"steps": SHIPPED.connection.steps[:1]}, {"connection_working_days": 3}], ids=["a step", "days"]
)
def test_less_than_was_promised_needs_no_new_promise(rules: Rules, known: Standards, less: dict[str, Any]) -> None:
    assert "0225-6" in drafted(rules, known, a_standard(**less)).drafts


@pytest.mark.parametrize("change", ["working_days", "steps", "documents", "fees", "trips_remote", "trips_otherwise"])
def test_a_promise_does_not_change_under_its_name(rules: Rules, known: Standards, change: str) -> None:
    assert SHIPPED.connection.promise is not None
    weaker = replace(SHIPPED.connection.promise, **{change: getattr(SHIPPED.connection.promise, change) + 1})
    with refused("promise-changed-in-silence"):
        drafted(rules, known, a_standard(promise=weaker))
    renamed = replace(weaker, version="0225-b")
    assert "0225-6" in drafted(rules, known, a_standard(promise=renamed)).drafts


def test_a_promise_that_was_replaced_does_not_come_back_under_its_name(rules: Rules, known: Standards) -> None:
    assert SHIPPED.connection.promise is not None
    better = replace(SHIPPED.connection.promise, version="0225-b", working_days=4)
    newer = a_standard(promise=better, connection_working_days=4)
    state = approved(rules, drafted(rules, known, newer))
    since = replace(rules, standards=(*rules.standards, newer))
    later = TOMORROW + timedelta(days=1)
    back = a_standard(version="0225-7", effective_from=later + timedelta(days=1))
    with refused("promise-changed-in-silence"):
        standards.draft(state, by(since, "manager", at=later), document=back, regions=REGIONS)


def test_a_standard_without_a_promise_is_refused(rules: Rules, known: Standards) -> None:
    with refused("promise-missing"):
        drafted(rules, known, a_standard(promise=None))


def test_a_promise_of_fewer_fees_than_are_charged_is_refused(rules: Rules, known: Standards) -> None:
    assert SHIPPED.connection.promise is not None
    fewer = replace(SHIPPED.connection.promise, version="0225-b", fees=2)
    with refused("beyond-the-promise"):
        drafted(rules, known, a_standard(promise=fewer))


def test_a_catalogue_to_come_with_more_fees_than_promised_is_seen(rules: Rules, known: Standards) -> None:
    later = replace(_published(4), effective_from=TOMORROW + timedelta(days=30))
    coming = replace(rules, catalogues=(*rules.catalogues, later))
    with refused("beyond-the-promise"):
        drafted(coming, known, a_standard())
    newer = a_standard(version="0225-9", effective_from=TOMORROW + timedelta(days=20))
    superseded = replace(coming, standards=(*coming.standards, newer))
    assert "0225-6" in drafted(superseded, known, a_standard()).drafts, "another standard governs by then"


# ---- what a standard may say


@pytest.mark.parametrize(
    "name",
    [
        "其他材料",
        "有关材料",
        "相关证明材料",
        "身份证等材料",
        "其 他 材 料",
        "其他（相关）材料",
        "等有关手续",
        "其它资料",
        "所需证件",
        "相 关文件",
    ],
)
def test_catch_all_wording_is_no_document(rules: Rules, known: Standards, name: str) -> None:
    assert is_catch_all(name)
    both = (
        SHIPPED.connection.documents["private"][0],
        DocumentRequirement("more", name, main=False, met_by=("upload",)),
    )
    with refused("catch-all-document"):
        drafted(rules, known, a_standard(documents={**SHIPPED.connection.documents, "private": both}))


def test_the_shipped_documents_are_named() -> None:
    names = [each.name_zh for required in SHIPPED.connection.documents.values() for each in required]
    assert not any(is_catch_all(name) for name in names)


def required(*requirements: DocumentRequirement) -> dict[str, Any]:
    return {"documents": {**SHIPPED.connection.documents, "private": requirements}}


def reminder(**when: Any) -> dict[str, Any]:
    return {"ladders": {"connection.water_on": (Rung("first", ("manager",), **when),)}}


def step(pattern: str = "repair.arrival", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"name": "first", "notify": ("manager",), "ways": ("page",), "minutes": 10}
    return {"escalations": {pattern: (EscalationStep(**(values | changes)),)}}


def told_so(**changes: Any) -> dict[str, Any]:
    return {"alerts": replace(SHIPPED.alerting.alerts, **changes)}


def without(table: str, key: str) -> dict[str, Any]:
    return {table: {known: value for known, value in getattr(as_published(SHIPPED), table).items() if known != key}}


MAIN = SHIPPED.connection.documents["private"][0]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"version": "two words"}, "bad-version"),
    ({"calendar_regions": ()}, "unknown-region"),
    ({"calendar_regions": ("CN", "CN-Xiangxi")}, "unknown-region"),
    ({"calendar_regions": ("CN", "CN")}, "code-twice"),
    # documents
    (required(), "category-incomplete"),
    (without("documents", "private"), "category-incomplete"),
    (without("routing", "private"), "category-incomplete"),
    (without("payer_classes", "private"), "category-incomplete"),
    (required(replace(MAIN, main=False)), "no-main-document"),
    (required(MAIN, MAIN), "code-twice"),
    (required(replace(MAIN, code="Identity")), "bad-code"),
    (required(replace(MAIN, code="other")), "catch-all-document"),
    (required(replace(MAIN, met_by=())), "unknown-document-way"),
    (required(replace(MAIN, met_by=("fax",))), "unknown-document-way"),
    ({"document_ways": {**SHIPPED.connection.document_ways, "fax": "传真"}}, "unknown-document-way"),
    ({"documents": {**SHIPPED.connection.documents, "foreigner": (MAIN,)}}, "unknown-applicant-category"),
    ({"routing": {**SHIPPED.connection.routing, "private": "basement"}}, "unknown-desk"),
    ({"desks": {**SHIPPED.connection.desks, "household": Desk("居民报装岗", ())}}, "desk-without-owner"),
    ({"desks": {**SHIPPED.connection.desks, "household": Desk("居民报装岗", ("o-1", "o-1"))}}, "code-twice"),
    # tables
    ({"steps": ()}, "table-empty"),
    ({"applicant_categories": {}}, "table-empty"),
    ({"steps": (SHIPPED.connection.steps[0], SHIPPED.connection.steps[0])}, "code-twice"),
    ({"defects": {"Not a code": "缺少"}}, "bad-code"),
    ({"calendar_warning_from": "13-01"}, "bad-day"),
    ({"calendar_warning_from": "11-31"}, "bad-day"),
    # numbers
    ({"connection_working_days": 0}, "out-of-range"),
    ({"pause_cap_working_days": -1}, "out-of-range"),
    ({"outage_notice_hours": 23}, "out-of-range"),
    ({"emergency_notice_minutes": 0}, "out-of-range"),
    ({"emergency_report_minutes": 0}, "out-of-range"),
    ({"customers": 0}, "out-of-range"),
    ({"outage_cancel_reasons": {"Rain": "下雨"}}, "bad-code"),
    ({"notice_ways": {"pigeon": "信鸽"}}, "unknown-way"),
    ({"outage_texts": {"flooded": "水漫金山"}}, "unknown-notice"),
    ({"outage_texts": {"planned": "{street}将停水"}}, "unknown-notice"),
    ({"mass_causes": {"Frost": "冰冻"}}, "bad-code"),
    ({"pause_reasons": {"permit": PauseReason("许可", -1)}}, "out-of-range"),
    ({"papers": PapersPolicy("main-papers", "end", 0, 12)}, "out-of-range"),
    ({"papers": PapersPolicy("main-papers", "end", 5, -1)}, "out-of-range"),
    ({"notice_working_days": 0}, "out-of-range"),
    ({"silence_working_days": 0}, "out-of-range"),
    ({"notice_minutes": {"counter": 0}}, "out-of-range"),
    ({"notice_minutes": {"pigeon": 15}}, "unknown-channel"),
    ({"remote_channels": ("pigeon",)}, "unknown-channel"),
    ({"allowed_lateness_minutes": {**SHIPPED.allowed_lateness_minutes, "hotline": -1}}, "out-of-range"),
    ({"arrival_minutes": {"urban": 30}}, "unknown-zone"),
    ({"arrival_minutes": {"urban": 0, "other": 90}}, "out-of-range"),
    ({"completion_minutes": {"small": 240, "medium": 480}}, "unknown-severity"),
    ({"meter_verification_years": ((50, 4), (25, 6))}, "out-of-range"),
    ({"future_tolerance_seconds": -1}, "out-of-range"),
    ({"max_supply_points": 0}, "out-of-range"),
    ({"readings": ReadingPolicy(compared_with=0)}, "out-of-range"),
    ({"readings": ReadingPolicy(compared_with=2, compared_at_least=3)}, "out-of-range"),
    ({"readings": ReadingPolicy(high_percent=99)}, "out-of-range"),
    ({"readings": ReadingPolicy(dial_over_percent=51)}, "out-of-range"),
    ({"readings": ReadingPolicy(never_still_hours=0)}, "out-of-range"),
    # limits in days by kind, intake hours, uncounted stages
    ({"kind_limits": {"leak": KindLimit(0)}}, "out-of-range"),
    ({"kind_limits": {"leak": KindLimit(1_001)}}, "out-of-range"),
    ({"kind_limits": {"fire": KindLimit(2)}}, "unknown-fault-kind"),
    ({"intake": Intake(until=time(8, 30), opens=time(17, 0))}, "intake-unclear"),
    ({"intake": Intake(until=time(17, 0), opens=time(17, 0))}, "intake-unclear"),
    ({"uncounted_stages": {"tea": 2}}, "unknown-stage"),
    ({"uncounted_stages": {"payment": -1}}, "out-of-range"),
    # ladders
    (reminder(percent=0), "out-of-range"),
    (reminder(percent=101), "out-of-range"),
    (reminder(minutes=0), "out-of-range"),
    (reminder(working_day=0), "out-of-range"),
    (reminder(), "rung-unclear"),
    (reminder(percent=50, minutes=5), "rung-unclear"),
    ({"ladders": {"connection.tea": (Rung("first", ("manager",), percent=50),)}}, "unknown-commitment"),
    ({"notify_on_lapse": {"connection.tea": ("manager",)}}, "unknown-commitment"),
    ({"notify_on_lapse": {"connection.water_on": ("king",)}}, "unknown-role"),
    ({"notify_on_lapse": {"connection.water_on": ()}}, "unknown-role"),
    ({"ladders": {"connection.water_on": (Rung("first", ("king",), percent=50),)}}, "unknown-role"),
    # escalations and alerts
    (step("repair.tea"), "unknown-commitment"),
    (step("tea.*"), "unknown-commitment"),
    (step(notify=()), "unknown-role"),
    (step(notify=("king",)), "unknown-role"),
    (step(ways=("smoke-signals",)), "unknown-way"),
    (step(minutes=None), "rung-unclear"),
    (step(percent=50), "rung-unclear"),
    (step(minutes=None, working_days=0), "out-of-range"),
    (step(name="10-min"), "bad-code"),
    ({**step(), "notify_on_lapse": {}}, "nobody-called"),
    (told_so(ways={"retracted": ("page",)}), "unknown-notice"),
    (told_so(ways={"lapsed": ("smoke-signals",)}), "unknown-way"),
    (told_so(urgent=("tea.*",)), "unknown-commitment"),
    (told_so(most_per_hour=0), "out-of-range"),
    (told_so(texts={"lapsed": "{number} {phone}"}), "unknown-notice"),
    (told_so(texts={"tea": "{number}"}), "unknown-notice"),
    # powers
    ({"powers": {**SHIPPED.powers, "connection.quote": ("king",)}}, "unknown-role"),
    ({"powers": {**SHIPPED.powers, "connection.bribe": ("manager",)}}, "unknown-power"),
    ({"powers": {**SHIPPED.powers, "standard.approve": ()}}, "power-missing"),
    (without("powers", "fees.review"), "power-missing"),
    # texts
    ({"squads": {"squad-1": "一" * 201}}, "bad-text"),
    ({"squads": {"squad-1": "一\u202e专班"}}, "bad-text"),
    ({"price_version": "2021\x00"}, "bad-text"),
    ({"squads": {"squad-1": "专" * 1_000_000}}, "bad-text"),
]
IDS = [f"{number}-{code}-{'-'.join(change)}" for number, (change, code) in enumerate(BAD)]


@pytest.mark.parametrize(("change", "refusal"), BAD, ids=IDS)
def test_a_standard_that_could_not_be_worked_by_is_not_even_drafted(
    rules: Rules, known: Standards, change: dict[str, Any], refusal: str
) -> None:
    with refused(refusal) as caught:
        drafted(rules, known, a_standard(**change))
    assert len(str(caught.value)) < 2_500, "a refusal names what it found, it does not repeat it"


@pytest.mark.parametrize(("change", "refusal"), BAD, ids=IDS)
def test_every_guard_stands_at_the_approval_too(
    rules: Rules, known: Standards, change: dict[str, Any], refusal: str
) -> None:
    if "version" in change:
        return  # the version's form is looked at when it is given, and never changes
    unguarded = after(evolve_standards, known, StandardDrafted(as_published(a_standard(**change))), "drafter")
    with refused(refusal):
        approved(rules, unguarded)


def test_the_shipped_standard_passes_every_guard(rules: Rules, known: Standards) -> None:
    assert drafted(rules, known, a_standard()).drafts["0225-6"].document == a_standard()


# ---- powers


def test_the_powers_are_those_that_decisions_ask_for_and_the_shipped_standard_gives() -> None:
    written: set[str] = set()
    required: set[str] = set()
    top = Path(__file__).parents[2]
    for file in (*(top / "domain").rglob("*.py"), *(top / "api").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and file.name != "kinds.py":
                written.add(node.value)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require_power":
                required |= {power.value for power in node.args[1:] if isinstance(power, ast.Constant)}  # type: ignore[misc]
    assert SHIPPED.powers.keys() | UNLESS_SAID.keys() == POWERS
    assert all(roles_with(SHIPPED, power) for power in POWERS)
    # Decisions on a connection leave its family's name out (domain/connections/requirements.py).
    asked = written | {f"connection.{word}" for word in written}
    assert POWERS - asked == set(), "a power that no decision asks for"
    assert required - POWERS == set(), "a power that no standard could give"

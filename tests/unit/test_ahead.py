"""Before an application, and beside it: consultations, service ahead of building, works for the community."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.connections import consultations, preservice
from domain.connections.consultations import Consultation, ConsultationGiven
from domain.connections.preservice import PreService, PreServiceRequested
from domain.kernel.refusals import Refusal
from domain.publication import works
from domain.publication.works import Work
from domain.standard.standards import Rules
from tests.unit.cases import NINE, SUBJECT
from tests.unit.office import after, by

DIGEST = "sha256:" + "0" * 64
LATER = NINE + timedelta(hours=1)
TOO_LATE = NINE + timedelta(minutes=3)


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


# ---- consultations


def consult(rules: Rules, state: Consultation | None = None, *, topic: str = "technical", **told: Any) -> Consultation:
    said = by(rules, told.pop("role", "hotline"), **told)
    fact = consultations.give(state, said, number="ZX-2026-000001", topic=topic, subject=None)
    known: Consultation = after(consultations.evolve, state, fact)
    return known


def test_a_consultation_is_recorded(rules: Rules) -> None:
    assert consult(rules) == Consultation("ZX-2026-000001", "technical")


def test_who_asked_is_a_reference_or_nobody(rules: Rules) -> None:
    ctx = by(rules, "counter")
    fact = consultations.give(None, ctx, number="ZX-2026-000001", topic="fees", subject=SUBJECT)
    assert fact == ConsultationGiven("ZX-2026-000001", "fees", SUBJECT)


def test_what_is_no_consultation_is_refused(rules: Rules) -> None:
    with refused("unknown-topic"):
        consult(rules, topic="weather")
    with refused("wrong-role"):
        consult(rules, role="crew")
    with refused("future-time"):
        consult(rules, happened_at=TOO_LATE)
    with refused("case-exists"):
        consult(rules, consult(rules))


def test_what_is_told_late_needs_a_second_person_and_says_so(rules: Rules) -> None:
    ago = LATER - timedelta(hours=3)
    with refused("second-person-needed"):
        consult(rules, at=LATER, happened_at=ago)
    with refused("second-person-needed"):
        request(rules, at=LATER, happened_at=ago)
    ctx = replace(by(rules, "hotline", at=LATER, happened_at=ago), confirmed_by="manager-2")
    fact = consultations.give(None, ctx, number="ZX-1", topic="fees", subject=None)
    assert (fact.flags, fact.confirmed_by) == (("backdated",), "manager-2")


# ---- service ahead of building


def request(rules: Rules, *, service: str = "pipe-information", category: str = "business", **told: Any) -> PreService:
    state: PreService | None = told.pop("state", None)
    said = by(rules, told.pop("role", "counter"), **told)
    fact = preservice.request(state, said, number="QZ-1", service=service, category=category, subject=SUBJECT)
    known: PreService = after(preservice.evolve, state, fact, at=said.happened_at)
    return known


def give(rules: Rules, state: PreService, *, deliverable: str = "drawings", **told: Any) -> PreService:
    said = by(rules, told.pop("role", "squad"), at=LATER, **told)
    fact = preservice.give(state, said, deliverable=deliverable, digest=DIGEST)
    known: PreService = after(preservice.evolve, state, fact)
    return known


def test_a_company_asks_and_gets_what_it_asked_for(rules: Rules) -> None:
    state = give(rules, give(rules, request(rules)), deliverable="plan")
    assert state.given == (("drawings", DIGEST), ("plan", DIGEST))


@pytest.mark.parametrize("category", ["business", "institution", "prefecture-platform"])
def test_companies_and_institutions_may_ask(rules: Rules, category: str) -> None:
    assert request(rules, category=category).category == category


@pytest.mark.parametrize("category", ["private", "village-group"])
def test_persons_are_told_to_ask_otherwise(rules: Rules, category: str) -> None:
    with refused("companies-only"):
        request(rules, category=category)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"service": "gardening"}, "unknown-preservice"),
        ({"category": "foreigner"}, "unknown-applicant-category"),
        ({"role": "crew"}, "wrong-role"),
        ({"happened_at": TOO_LATE}, "future-time"),
    ],
)
def test_what_is_no_request_is_refused(rules: Rules, changes: dict[str, Any], refusal: str) -> None:
    with refused(refusal):
        request(rules, **changes)


def test_a_request_is_taken_in_once(rules: Rules) -> None:
    with refused("case-exists"):
        request(rules, state=request(rules))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"deliverable": "water"}, "unknown-deliverable"),
        ({"role": "counter"}, "wrong-role"),
        ({"happened_at": LATER + timedelta(minutes=3)}, "future-time"),
        ({"happened_at": NINE - timedelta(seconds=1)}, "dates-out-of-order"),
    ],
)
def test_what_cannot_be_handed_over_is_refused(rules: Rules, changes: dict[str, Any], refusal: str) -> None:
    with refused(refusal):
        give(rules, request(rules), **changes)


def test_the_same_thing_again_is_nothing_to_do(rules: Rules) -> None:
    with refused("already-given"):
        give(rules, give(rules, request(rules)))


def test_something_handed_over_is_no_request() -> None:
    assert after(preservice.evolve, None, preservice.PreServiceGiven("plan", DIGEST)) is None
    known = after(preservice.evolve, None, PreServiceRequested("QZ-1", "pipe-information", "business", SUBJECT))
    assert known.given == ()


# ---- works


def register(rules: Rules, *, state: Work | None = None, **changes: Any) -> Work:
    ctx = by(rules, changes.pop("role", "manager"), happened_at=changes.pop("happened_at", None))
    values = {"number": "GC-1", "kind": "pump-room", "community": "hongqimen", "name_zh": "某某小区加压泵房"}
    fact = works.register(state, ctx, **(values | changes))
    known: Work = after(works.evolve, state, fact)
    return known


def start(rules: Rules, state: Work, **told: Any) -> Work:
    said = by(rules, told.pop("role", "crew-lead"), at=LATER, **told)
    known: Work = after(works.evolve, state, works.start(state, said), at=said.happened_at)
    return known


def complete(rules: Rules, state: Work, households: int = 300, **told: Any) -> Work:
    said = by(rules, told.pop("role", "crew-lead"), at=LATER, **told)
    fact = works.complete(state, said, households_served=households)
    known: Work = after(works.evolve, state, fact, at=said.happened_at)
    return known


def test_a_work_is_registered_begun_and_done(rules: Rules) -> None:
    work = complete(rules, start(rules, register(rules), happened_at=NINE))
    assert (work.started_at, work.completed_at) == (NINE, LATER)


def test_a_work_may_have_begun_before_it_was_registered(rules: Rules) -> None:
    long_ago = NINE - timedelta(days=100)
    assert start(rules, register(rules), happened_at=long_ago).started_at == long_ago


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"kind": "palace"}, "unknown-works-kind"),
        ({"community": "Hongqimen 7-2"}, "bad-code"),
        ({"name_zh": "泵房\x00"}, "bad-text"),
        ({"name_zh": "  "}, "bad-text"),
        ({"name_zh": "泵" * 1_000_000}, "bad-text"),
        ({"role": "crew-lead"}, "wrong-role"),
        ({"happened_at": TOO_LATE}, "future-time"),
    ],
)
def test_what_is_no_work_is_refused(rules: Rules, changes: dict[str, Any], refusal: str) -> None:
    with refused(refusal):
        register(rules, **changes)


def test_each_step_of_a_work_is_taken_once_and_in_order(rules: Rules) -> None:
    registered = register(rules)
    started = start(rules, registered)
    done = complete(rules, started)
    with refused("case-exists"):
        register(rules, state=registered)
    with refused("work-not-started"):
        complete(rules, registered)
    with refused("work-started"):
        start(rules, started)
    with refused("work-started"):
        start(rules, done)
    with refused("work-completed"):
        complete(rules, done)


def test_steps_of_the_wrong_role_or_at_the_wrong_time_are_refused(rules: Rules) -> None:
    started = start(rules, register(rules))
    for act in (start, complete):
        with refused("wrong-role"):
            act(rules, register(rules), role="public")
        with refused("future-time"):
            act(rules, register(rules), happened_at=LATER + timedelta(minutes=3))
    with refused("dates-out-of-order"):
        complete(rules, started, happened_at=LATER - timedelta(seconds=1))


@pytest.mark.parametrize("households", [-1, 1_000_001])
def test_households_are_a_number_of_households(rules: Rules, households: int) -> None:
    with refused("out-of-range"):
        complete(rules, start(rules, register(rules)), households)


def test_steps_without_a_beginning_fold_to_nothing() -> None:
    for fact in (works.WorkStarted(), works.WorkCompleted(3)):
        assert after(works.evolve, None, fact) is None

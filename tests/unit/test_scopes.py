"""How far a power reaches: every combination of what an account is bound to and where a case lies."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from domain.kernel.roles import ROLES
from domain.kinds import POWERS
from domain.people.people import Work
from domain.people.refusals import NotYourCrew
from domain.people.scope import ALL, Place, Scope, require_own_facts, scope_of
from domain.repairs.facts import CrewDispatched
from domain.standard.scopes import BOUNDS, SCOPES, holds

CASE, OTHER = UUID(int=1), UUID(int=2)
CREWS = (None, "crew-01")
SQUADS = (None, "squad-1")
DISTRICTS = ((), ("zhenxi",), ("zhenxi", "donghe"))
CASES = (None, frozenset({CASE}), frozenset[UUID]())
PLACES = [
    Place(frozenset(crews), frozenset(before), frozenset(squads), frozenset(districts))
    for crews in ((), ("crew-01",), ("crew-02",))
    for before in ((), ("crew-01", "crew-02"))
    for squads in ((), ("squad-1",), ("squad-1", "squad-2"))
    for districts in ((), ("zhenxi",), ("qianzhou",), ("qianzhou", "donghe"))
]
SCOPED = [Scope(*each) for each in product(CREWS, SQUADS, DISTRICTS, CASES)]


def test_every_power_has_a_scope_and_every_scope_is_of_a_power() -> None:
    assert SCOPES.keys() == POWERS
    assert {bound for bounds in SCOPES.values() for bound in bounds} == BOUNDS.keys()


@pytest.mark.parametrize("role", ROLES)
def test_who_is_bound_to_nothing_has_each_power_over_all(role: str) -> None:
    for power in (None, *POWERS):
        assert scope_of(power, role, Work((role,))) == scope_of(power, role, None) == ALL


def test_an_account_is_narrowed_by_what_its_role_is_held_to_alone() -> None:
    work = Work(("crew", "squad", "manager"), crew="crew-01", squad="squad-1", districts=("zhenxi",))
    assert scope_of("case.read", "crew", work) == Scope(crew="crew-01", districts=("zhenxi",))
    assert scope_of("case.read", "squad", work) == Scope(squad="squad-1", districts=("zhenxi",))
    assert scope_of("case.read", "manager", work) == Scope(districts=("zhenxi",))
    assert scope_of("standard.draft", "manager", work) == ALL
    assert scope_of("connection.withdraw", "applicant", None, frozenset({CASE})) == Scope(cases=frozenset({CASE}))
    assert scope_of("connection.withdraw", "counter", work, frozenset({CASE})).cases is None


@pytest.mark.parametrize("acts", [False, True])
def test_a_scope_reaches_what_each_of_its_bounds_reaches(acts: bool) -> None:
    for scope, place in product(SCOPED, PLACES):
        parts = (
            Scope(crew=scope.crew),
            Scope(squad=scope.squad),
            Scope(districts=scope.districts),
            Scope(cases=scope.cases),
        )
        reached = scope.reaches(place, CASE, acts=acts)
        assert reached == all(each.reaches(place, CASE, acts=acts) for each in parts), (scope, place)


def test_a_narrower_scope_never_reaches_more() -> None:
    for scope, place in product(SCOPED, PLACES):
        if scope.reaches(place, CASE):
            assert scope.reaches(place, CASE, acts=True), "who may read may act, as far as the power goes"
            assert ALL.reaches(place, CASE)
        wider = Scope(scope.crew, scope.squad, (*scope.districts, "qianzhou") if scope.districts else (), scope.cases)
        assert wider.reaches(place, CASE) >= scope.reaches(place, CASE)


def test_what_there_is_not_is_within_no_bound() -> None:
    assert [scope for scope in SCOPED if scope.reaches(None, CASE)] == [ALL]


def test_a_crew_reads_what_it_is_on_and_tells_late_what_it_was_on() -> None:
    handed_over = Place(frozenset({"crew-02"}), frozenset({"crew-01", "crew-02"}))
    mine = Scope(crew="crew-01")
    assert not mine.reaches(handed_over, CASE)
    assert mine.reaches(handed_over, CASE, acts=True)
    assert mine.reaches(Place(frozenset({"CREW-01"})), CASE), "codes of crews are compared as people write them"
    assert not mine.reaches(Place(), CASE), "nobody is on it"


def test_a_case_that_names_no_district_lies_in_each() -> None:
    mine = Scope(districts=("zhenxi",))
    assert mine.reaches(Place(), CASE)
    assert mine.reaches(Place(districts=frozenset({"qianzhou", "zhenxi"})), CASE)
    assert not mine.reaches(Place(districts=frozenset({"qianzhou"})), CASE)


def test_an_applicant_has_their_own_cases_and_no_other() -> None:
    mine = Scope(cases=frozenset({CASE}))
    assert mine.reaches(Place(), CASE)
    assert not mine.reaches(Place(), OTHER)


def test_a_fact_names_ones_own_crew_and_ones_own_districts() -> None:
    crew = Work(("crew",), crew="crew-01")
    require_own_facts(crew, "crew", "repair.tell", None, [CrewDispatched("crew-01")])
    with pytest.raises(NotYourCrew):
        require_own_facts(crew, "crew", "repair.tell", "crew-01", [CrewDispatched("crew-02")])
    require_own_facts(crew, "manager", "repair.tell", None, [CrewDispatched("crew-02")])


@pytest.mark.parametrize("role", ROLES)
def test_a_bound_narrows_citizens_or_staff_and_never_both(role: str) -> None:
    held = {bound for bound in BOUNDS if holds(bound, role)}
    assert ("own-case" in held) != ("own-district" in held)

"""Who is one actor, however their id is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.people import people
from domain.people.actors import canonical, is_same
from domain.people.refusals import NotYourOwnAccount
from domain.repairs.checks import require_other_person
from domain.repairs.refusals import SecondPersonNeeded
from domain.standard.context import CommandContext, Person, require_second_person
from domain.standard.refusals import SamePerson
from domain.standard.standards import Rules
from tests.api_world import MORNING


@pytest.mark.parametrize("written", ["c1", "C1", "c1.", " C1.. ", "Ｃ１", "ｃ1．", "c1。", "c\u200b1", "\tc1\n"])
def test_an_actors_id_is_compared_in_one_form_however_it_is_written(written: str) -> None:
    assert canonical(written) == "c1"
    assert is_same(written, "C1")


@pytest.mark.parametrize("other", ["c2", "c-1", "c1.x", "c11", ""])
def test_another_id_is_another_actor(other: str) -> None:
    assert not is_same(other, "c1")


@given(st.text(max_size=12))
def test_the_one_form_is_its_own_form(text: str) -> None:
    assert is_same(canonical(text), text)


@pytest.mark.parametrize("second", ["crew-1", "CREW-1", "crew-1.", "Crew-1 "])
def test_a_second_person_who_is_the_first_under_another_spelling_is_none(rules: Rules, second: str) -> None:
    ctx = CommandContext(MORNING, MORNING, "office", rules, Person("crew-1", "crew"), second)
    with pytest.raises(SecondPersonNeeded):
        require_other_person(ctx, ctx.confirmed_by, "a late fact", "confirmed_by")
    with pytest.raises(SamePerson):
        require_second_person(ctx, second, "the readings")
    with pytest.raises(NotYourOwnAccount):
        people.leave(person("crew-1"), replace(ctx, by=Person(second, "manager")), actor="crew-1")


def person(actor: str) -> people.PersonState:
    return people.PersonState(actor, "person", people.Work(("crew",)))

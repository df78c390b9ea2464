"""Applicants across applications: a pseudonym, a small stream, and a bar that is read where it stands."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain import kinds
from domain.connections import applicants, papers
from domain.connections.applicants import Applicant, CommitmentEntered
from infra.eventstore.pseudonyms import pseudonym
from tests.unit.cases import NINE, Play
from tests.unit.connecting import DAY, DIGEST, HOUR, IDENTITY, PROPERTY, RULES, received

KEY = b"k" * 32
PERSON = {"name": "张三", "phone": "138 1234 5678", "id_number": "433101199001011234"}


def test_a_person_has_one_pseudonym_however_they_are_written() -> None:
    again = {**PERSON, "name": "李四", "phone": "1", "id_number": " 433101199001011234 "}
    assert pseudonym(KEY, **PERSON) == pseudonym(KEY, **again)


@pytest.mark.parametrize("phone", ["13812345678", "138-1234-5678", "+86 138 1234 5678", "１３８１２３４５６７８"])
def test_without_an_identity_number_name_and_phone_are_the_person(phone: str) -> None:
    known = pseudonym(KEY, name="张三", phone="138 1234 5678")
    assert pseudonym(KEY, name=" 张 三 ", phone=phone) == known
    assert pseudonym(KEY, name="张四", phone=phone) != known


def test_a_pseudonym_needs_the_key_and_names_nobody() -> None:
    known = pseudonym(KEY, **PERSON)
    assert known != pseudonym(b"x" * 32, **PERSON)
    assert known.version == 8
    assert not [value for value in PERSON.values() if value in str(known)]


def test_a_case_is_noted_once() -> None:
    play = Play(kinds.APPLICANT, RULES)
    (fact,) = applicants.enter_commitment(None, case_id=UUID(int=1))
    play.say(fact, NINE)
    assert play.state == Applicant((UUID(int=1),))
    assert applicants.enter_commitment(play.state, case_id=UUID(int=1)) == ()
    assert applicants.enter_commitment(play.state, case_id=UUID(int=2)) == (CommitmentEntered(UUID(int=2)),)


def test_a_broken_commitment_bars_until_it_is_repaired_or_expires() -> None:
    case = received(IDENTITY)
    case.promise(NINE + DAY)
    assert not applicants.is_barred([case.state], case.at)
    case.wait(NINE + 2 * DAY)
    assert applicants.is_barred([None, case.state], case.at)
    assert not applicants.is_barred([case.state], NINE + 366 * DAY + 9 * HOUR), "after the standard's twelve months"
    case.supply(PROPERTY)
    case.tell("manager", lambda c, ctx: papers.repair_commitment(c, ctx, evidence_digest=DIGEST))
    assert not applicants.is_barred([case.state], case.at)


def test_nobody_is_barred_by_nothing() -> None:
    assert not applicants.is_barred([], NINE)
    assert not applicants.is_barred([received(IDENTITY).state], NINE)

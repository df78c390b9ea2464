"""What of somebody's particulars whose work needs, and how the rest looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.connections.case import Account, Connection, Customer, Interruption, UsageClass, Visit
from domain.kernel.facts import Moment, Recorded
from domain.kernel.subjects import Subject
from domain.particulars import ANSWER, NOTHING, PLACE, VISIT, Asker, needed_fields, subjects_of
from domain.people.people import Work
from domain.repairs.case import Repair, Report
from domain.repairs.facts import FaultReported, ReportLinked, ReportUnlinked
from domain.vault.masks import masked

NOON = datetime(2026, 9, 16, 4, 0, tzinfo=UTC)
MOMENT = Moment(NOON, UUID(int=1))
FIRST, SECOND, BEFORE = Subject(UUID(int=11), 1), Subject(UUID(int=12), 1), Subject(UUID(int=13), 1)
INCIDENT = Repair(
    "BX-1", "leak", "zhenxi", "urban", (Report(1, MOMENT, FIRST), Report(2, MOMENT, SECOND)), crew="crew-01"
)
APPLICATION = Connection("BZ-1", "private", 1, FIRST, MOMENT, "counter")


def crew(code: str | None, *districts: str) -> Asker:
    return Asker("crew", Work(("crew",), crew=code, districts=districts))


@pytest.mark.parametrize(
    ("case", "asker", "needed"),
    [
        (INCIDENT, crew("crew-01"), PLACE),
        (INCIDENT, crew("crew-02"), NOTHING),
        (INCIDENT, crew(None), NOTHING),
        (INCIDENT, Asker("crew"), PLACE),
        (INCIDENT, Asker("crew-lead"), PLACE),
        (INCIDENT, crew("crew-01", "zhenxi", "donghe"), PLACE),
        (INCIDENT, crew("crew-01", "donghe"), NOTHING),
        (replace(INCIDENT, crew=None), Asker("crew"), NOTHING),
        (replace(INCIDENT, closed=True), crew("crew-01"), NOTHING),
        (replace(INCIDENT, unlinked=frozenset({1})), crew("crew-01"), NOTHING),
        (INCIDENT, Asker("hotline"), ANSWER),
        (INCIDENT, Asker("hotline", Work(("hotline",), districts=("donghe",))), NOTHING),
        (replace(INCIDENT, answered=((2, MOMENT),)), Asker("hotline"), ANSWER),
        (replace(INCIDENT, answered=((1, MOMENT),)), Asker("hotline"), NOTHING),
        (replace(INCIDENT, merged_into=uuid4(), closed=True), Asker("hotline"), NOTHING),
        (INCIDENT, Asker("manager"), NOTHING),
        (INCIDENT, Asker("auditor"), NOTHING),
        (INCIDENT, Asker("squad"), NOTHING),
    ],
)
def test_of_an_incident_a_crew_needs_the_place_and_a_desk_whoever_waits(
    case: Repair, asker: Asker, needed: frozenset[str]
) -> None:
    assert needed_fields(case, FIRST, asker, NOON) == needed


def test_nobody_needs_somebody_of_another_case() -> None:
    for case in (INCIDENT, APPLICATION):
        assert needed_fields(case, BEFORE, Asker("hotline"), NOON) == NOTHING
        assert needed_fields(case, BEFORE, Asker("crew"), NOON) == NOTHING


def visited(begin: datetime, squad: str = "squad-1", **changes: object) -> Connection:
    visit = replace(Visit(squad, "survey", begin, begin + timedelta(hours=2)), **changes)  # type: ignore[arg-type]
    return replace(APPLICATION, visits={UUID(int=5): visit})


ENDED = Interruption(MOMENT, "withdrawn", final=True)
SQUAD = Asker("squad", Work(("squad",), squad="squad-1"))
MIDNIGHT = datetime(2026, 9, 16, 16, 0, tzinfo=UTC)
"""When the day after begins in China."""


@pytest.mark.parametrize(
    ("case", "asker", "needed"),
    [
        (visited(NOON), SQUAD, VISIT),
        (visited(NOON), Asker("squad"), VISIT),
        (visited(NOON, "squad-2"), SQUAD, NOTHING),
        (visited(NOON), Asker("squad", Work(("squad",))), NOTHING),
        (visited(MIDNIGHT - timedelta(seconds=1)), SQUAD, VISIT),
        (visited(MIDNIGHT), SQUAD, NOTHING),
        (visited(NOON, made=MOMENT), SQUAD, NOTHING),
        (visited(NOON, cancelled=True), SQUAD, NOTHING),
        (APPLICATION, Asker("squad"), NOTHING),
        (APPLICATION, Asker("counter"), ANSWER),
        (APPLICATION, Asker("case-owner"), ANSWER),
        (replace(APPLICATION, on={1: MOMENT}), Asker("counter"), NOTHING),
        (replace(APPLICATION, interruptions=(ENDED,)), Asker("counter"), NOTHING),
        (replace(APPLICATION, interruptions=(replace(ENDED, final=False),)), Asker("counter"), ANSWER),
        (APPLICATION, Asker("cashier"), NOTHING),
    ],
)
def test_of_an_application_a_squad_needs_whom_it_visits_today_and_a_desk_whoever_waits(
    case: Connection, asker: Asker, needed: frozenset[str]
) -> None:
    assert needed_fields(case, FIRST, asker, NOON) == needed


def test_a_customer_from_before_is_nobody_s_work_any_more() -> None:
    customers = (Customer(NOON - timedelta(days=9), BEFORE, None, None), Customer(NOON, SECOND, None, None))
    account = Account(customers, (UsageClass(NOON, {}, None),), NOON)
    case = replace(visited(NOON), accounts={1: account})
    assert needed_fields(case, SECOND, SQUAD, NOON) == VISIT
    assert needed_fields(case, BEFORE, SQUAD, NOON) == NOTHING


def test_no_work_needs_the_number_of_a_card() -> None:
    assert "id_number" not in PLACE | VISIT | ANSWER


def recorded(*facts: object) -> list[Recorded]:
    return [Recorded(each, uuid4(), number, NOON) for number, each in enumerate(facts, 1)]


def test_a_case_names_each_person_once_and_not_whoever_s_report_went_elsewhere() -> None:
    opened = FaultReported("BX-1", "leak", "zhenxi", "urban", FIRST)
    revised = Subject(FIRST.id, 2)
    facts = [opened, ReportLinked(2, SECOND), ReportLinked(3, revised), ReportLinked(4, BEFORE)]
    assert subjects_of(recorded(*facts)) == (revised, SECOND, BEFORE)
    assert subjects_of(recorded(*facts, ReportUnlinked(2, uuid4()))) == (revised, BEFORE)


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("13812341234", "138****1234"),
        ("+86 138 1234 1234", "138****1234"),
        ("0743-8220000", "****00"),
        ("8220000转12", "****00"),
        ("12345", "****"),
        ("", "****"),
    ],
)
def test_a_telephone_is_masked(phone: str, shown: str) -> None:
    assert masked({"phone": phone}, None) == {"phone": shown}


def test_what_is_not_needed_is_masked_and_what_has_no_mask_is_hidden_whole() -> None:
    person = {
        "name": "张三",
        "phone": "13812345678",
        "address": "人民北路 1 号 2 栋 301",
        "id_number": "433101199001011234",
        "latitude": "28.311700",
        "phone_as_given": "微信同号 138-1234",
        "unheard-of": "x",
    }
    hidden = dict.fromkeys(("id_number", "latitude", "phone_as_given", "unheard-of"), "****")
    assert masked(person, "镇溪街道") == {"name": "张*", "phone": "138****5678", "address": "镇溪街道****", **hidden}
    assert masked(person, None)["address"] == "****"
    assert masked(person, None, but=person.keys()) == person

"""At the door: home visits, and what is handed over to the applicant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.connections import visits
from domain.connections.facts import (
    DeliverableReceived,
    DeliverableSent,
    DocumentSupplied,
    HomeVisitBooked,
    HomeVisitCancelled,
    HomeVisitMade,
    HomeVisitReassigned,
)
from tests.unit.cases import NINE
from tests.unit.connecting import DAY, DIGEST, HOUR, IDENTITY, VISIT, Case, admitted, received, refused

OTHER = "sha256:" + "1" * 64
TEN, NOON = NINE + HOUR, NINE + 3 * HOUR


def book(case: Case, visit: UUID = VISIT, squad: str = "squad-1", purpose: str = "papers", **when: Any) -> list[Any]:
    return case.tell(
        "hotline",
        lambda c, ctx: visits.book(c, ctx, visit=visit, squad=squad, purpose=purpose, begin=TEN, end=NOON),
        **when,
    )


def booked() -> Case:
    case = received()
    book(case)
    return case


def make(case: Case, *papers: str, role: str = "squad", **when: Any) -> list[Any]:
    return case.tell(role, lambda c, ctx: visits.make(c, ctx, visit=VISIT, papers_collected=papers), **when)


def reassign(case: Case, squad: str = "squad-2", begin: Any = TEN, visit: UUID = VISIT) -> list[Any]:
    return case.tell("manager", lambda c, ctx: visits.reassign(c, ctx, visit=visit, squad=squad, begin=begin, end=NOON))


def cancel(case: Case, visit: UUID = VISIT) -> list[Any]:
    return case.tell("counter", lambda c, ctx: visits.cancel(c, ctx, visit=visit, reason="nobody-home"))


def test_a_visit_is_booked_before_admission_too() -> None:
    assert book(received()) == [HomeVisitBooked(VISIT, "squad-1", "papers", TEN, NOON)]


def test_a_visit_has_a_squad_a_purpose_and_an_id_of_its_own() -> None:
    with refused("unknown-squad"):
        book(received(), squad="squad-9")
    with refused("unknown-purpose"):
        book(received(), purpose="tea")
    with refused("visit-already-booked"):
        book(booked())


def test_nobody_visits_once_water_is_on() -> None:
    case = admitted().ready()
    case.turn_on()
    with refused("all-on"):
        book(case)


def test_the_papers_that_a_squad_sees_are_in() -> None:
    case = booked()
    facts = make(case, "identity", "property-right", at=NOON)
    assert facts == [
        HomeVisitMade(VISIT, "squad-1", ("identity", "property-right")),
        DocumentSupplied("identity", "seen", None),
        DocumentSupplied("property-right", "seen", None),
    ]
    assert case.state.basis == "papers"


def test_a_paper_that_was_in_is_collected_and_not_supplied_again() -> None:
    case = received(IDENTITY)
    book(case)
    assert make(case, "identity", at=NOON) == [HomeVisitMade(VISIT, "squad-1", ("identity",))]


@pytest.mark.parametrize(
    ("papers", "code"), [(("passport",), "unknown-document"), (("identity", "identity"), "named-twice")]
)
def test_only_papers_that_are_owed_are_collected_each_once(papers: tuple[str, ...], code: str) -> None:
    with refused(code):
        make(booked(), *papers, at=NOON)


def test_a_visit_is_made_once_and_not_before_it_began() -> None:
    case = booked()
    with refused("dates-out-of-order"):
        make(case)
    with refused("future-time"):
        make(case, happened_at=NOON)
    make(case, at=NOON)
    with refused("visit-over"):
        make(case)
    with refused("visit-over"):
        cancel(case)


def test_a_visit_moves_to_another_squad_or_another_time() -> None:
    case = booked()
    assert reassign(case) == [HomeVisitReassigned(VISIT, "squad-2", TEN, NOON)]
    assert case.state.visits[VISIT].squad == "squad-2"
    with refused("visit-unchanged"):
        reassign(case)
    assert reassign(case, begin=TEN + timedelta(minutes=30))
    with refused("unknown-squad"):
        reassign(case, "squad-9")


def test_a_visit_that_is_cancelled_is_neither_made_nor_moved() -> None:
    case = booked()
    assert cancel(case) == [HomeVisitCancelled(VISIT, "nobody-home")]
    with refused("visit-over"):
        make(case, at=NOON)
    with refused("visit-over"):
        reassign(case)


def test_a_visit_that_nobody_booked_is_not_there() -> None:
    case = received()
    for decision in (make, reassign, cancel):
        with refused("no-such-visit"):
            decision(case)


def test_only_a_squad_makes_visits_and_only_a_manager_moves_them() -> None:
    with refused("wrong-role"):
        make(booked(), role="counter", at=NOON)
    with refused("wrong-role"):
        booked().tell(
            "squad", lambda c, ctx: visits.reassign(c, ctx, visit=VISIT, squad="squad-2", begin=TEN, end=NOON)
        )
    with refused("wrong-role"):
        received().tell(
            "crew",
            lambda c, ctx: visits.book(c, ctx, visit=VISIT, squad="squad-1", purpose="papers", begin=TEN, end=NOON),
        )


# ---- what is handed over


def deliver(case: Case, deliverable: str = "plan", way: str = "wechat", digest: str = DIGEST, **when: Any) -> list[Any]:
    return case.tell(
        "squad", lambda c, ctx: visits.deliver(c, ctx, deliverable=deliverable, way=way, digest=digest), **when
    )


def confirm(case: Case, deliverable: str = "plan", digest: str = DIGEST, role: str = "applicant") -> list[Any]:
    return case.tell(role, lambda c, ctx: visits.confirm_delivery(c, ctx, deliverable=deliverable, digest=digest))


def test_what_was_sent_is_confirmed_once() -> None:
    case = received()
    assert deliver(case) == [DeliverableSent("plan", "wechat", DIGEST)]
    assert confirm(case) == [DeliverableReceived("plan", DIGEST)]
    with refused("already-confirmed"):
        confirm(case)


def test_only_what_was_sent_is_confirmed() -> None:
    case = received()
    with refused("not-sent"):
        confirm(case)
    deliver(case)
    with refused("not-sent"):
        confirm(case, digest=OTHER)
    with refused("unknown-deliverable"):
        confirm(case, "poem")


def test_a_deliverable_and_its_way_are_on_the_lists_and_its_time_is_possible() -> None:
    with refused("unknown-deliverable"):
        deliver(received(), "poem")
    with refused("unknown-way"):
        deliver(received(), way="pigeon")
    with refused("future-time"):
        deliver(received(), happened_at=NINE + DAY)
    with refused("dates-out-of-order"):
        deliver(received(), happened_at=NINE - DAY)


def test_what_is_handed_over_needs_its_roles() -> None:
    case = received()
    with refused("wrong-role"):
        case.tell("public", lambda c, ctx: visits.deliver(c, ctx, deliverable="plan", way="wechat", digest=DIGEST))
    with refused("wrong-role"):
        confirm(case, role="crew")

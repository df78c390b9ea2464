"""Pauses: typed, evidenced, approved by a second person, capped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.connections import pauses
from domain.connections.facts import PauseApproved, PauseDeclined, PauseEnded, PauseRequested, PauseRevoked
from tests.unit.cases import NINE
from tests.unit.connecting import DAY, DIGEST, HOUR, Case, admitted, received, refused

PERMIT = "government-permit"


def request(case: Case, reason: str = PERMIT, **when: Any) -> list[Any]:
    return case.tell("case-owner", lambda c, ctx: pauses.request(c, ctx, reason=reason, evidence_digest=DIGEST), **when)


def approve(case: Case, number: int = 1, **when: Any) -> list[Any]:
    return case.tell("manager", lambda c, ctx: pauses.approve(c, ctx, pause=number), **when)


def decline(case: Case, number: int = 1, **when: Any) -> list[Any]:
    return case.tell("manager", lambda c, ctx: pauses.decline(c, ctx, pause=number), **when)


def end(case: Case, number: int = 1, **when: Any) -> list[Any]:
    return case.tell("case-owner", lambda c, ctx: pauses.end(c, ctx, pause=number), **when)


def revoke(case: Case, number: int = 1, **when: Any) -> list[Any]:
    return case.tell("manager", lambda c, ctx: pauses.revoke(c, ctx, pause=number, reason="no-permit-needed"), **when)


def paused() -> Case:
    case = admitted(channel="office")
    request(case)
    approve(case)
    return case


def test_a_pause_is_asked_for_and_approved_by_a_second_person() -> None:
    case = admitted()
    assert request(case) == [PauseRequested(1, PERMIT, DIGEST)]
    assert approve(case) == [PauseApproved(1)]
    assert end(case, at=NINE + DAY) == [PauseEnded(1)]


@pytest.mark.parametrize("decide", [approve, decline, revoke])
def test_who_asked_for_a_pause_decides_nothing_about_it(decide: Any) -> None:
    case = admitted()
    case.tell(
        "case-owner",
        lambda c, ctx: pauses.request(c, ctx, reason=PERMIT, evidence_digest=DIGEST),
        actor="manager-1",
    )
    if decide is revoke:
        approve(case, actor="manager-2")
    with refused("same-person"):
        decide(case)


def test_a_pause_needs_an_admitted_case_that_is_not_done() -> None:
    with refused("not-admitted"):
        request(received())
    case = admitted().ready()
    case.turn_on()
    with refused("all-on"):
        request(case)


@pytest.mark.parametrize("reason", ["papers-outstanding", "internal-queue", "design-work", "contractor-late"])
def test_what_is_the_utilitys_own_is_no_reason_for_a_pause(reason: str) -> None:
    with refused("unknown-pause-reason"):
        request(admitted(), reason)


def test_a_pause_is_not_asked_for_long_after_it_began() -> None:
    case = admitted()
    case.at = NINE + 2 * HOUR
    assert request(case, happened_at=NINE + 1.5 * HOUR)
    other = admitted()
    other.at = NINE + 2 * HOUR
    with refused("pause-too-late"):
        request(other, happened_at=NINE + 1.5 * HOUR - timedelta(seconds=1))


def test_a_pause_begins_after_the_admission_and_not_in_the_future() -> None:
    with refused("dates-out-of-order"):
        request(admitted(), happened_at=NINE - timedelta(minutes=1))
    with refused("future-time"):
        request(admitted(), happened_at=NINE + HOUR)


def test_one_pause_for_a_reason_is_open_at_a_time() -> None:
    case = admitted()
    request(case)
    with refused("pause-open"):
        request(case)
    assert request(case, "force-majeure") == [PauseRequested(2, "force-majeure", DIGEST)]
    approve(case)
    with refused("pause-open"):
        request(case)
    end(case)
    assert request(case) == [PauseRequested(3, PERMIT, DIGEST)]


def test_a_declined_pause_leaves_the_reason_free() -> None:
    case = admitted()
    request(case)
    assert decline(case) == [PauseDeclined(1)]
    assert request(case)


def test_a_pause_is_decided_once() -> None:
    case = paused()
    with refused("pause-decided"):
        approve(case)
    with refused("pause-decided"):
        decline(case)


def test_an_open_pause_ends_once_and_not_before_it_began() -> None:
    case = paused()
    case.at = NINE + DAY
    with refused("dates-out-of-order"):
        end(case, happened_at=NINE - HOUR)
    with refused("future-time"):
        end(case, happened_at=NINE + 2 * DAY)
    end(case)
    with refused("pause-not-open"):
        end(case)


def test_a_pause_may_end_before_it_is_approved() -> None:
    case = admitted()
    request(case)
    end(case, at=NINE + HOUR)
    assert approve(case, at=NINE + 2 * HOUR)


def test_an_approved_pause_is_revoked_once() -> None:
    case = paused()
    assert revoke(case) == [PauseRevoked(1, "no-permit-needed")]
    with refused("pause-not-approved"):
        revoke(case)
    with refused("pause-not-open"):
        end(case)


def test_a_pause_that_nobody_approved_is_not_revoked() -> None:
    case = admitted()
    request(case)
    with refused("pause-not-approved"):
        revoke(case)


@pytest.mark.parametrize("decide", [approve, decline, end, revoke])
def test_a_pause_that_is_not_there_is_not_decided(decide: Any) -> None:
    with refused("no-such-pause"):
        decide(admitted())


def test_pauses_need_their_roles() -> None:
    case = paused()
    decisions: tuple[Any, ...] = (
        lambda c, ctx: pauses.request(c, ctx, reason=PERMIT, evidence_digest=DIGEST),
        lambda c, ctx: pauses.approve(c, ctx, pause=1),
        lambda c, ctx: pauses.decline(c, ctx, pause=1),
        lambda c, ctx: pauses.end(c, ctx, pause=1),
        lambda c, ctx: pauses.revoke(c, ctx, pause=1, reason="x"),
    )
    for decision in decisions:
        with refused("wrong-role"):
            case.tell("applicant", decision)

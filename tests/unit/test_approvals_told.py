"""Whoever is asked for an approval is told: when, how often and with which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.approvals.telling import Telling, WaitingRequest, telling_of
from domain.standard.flat import with_changes
from domain.standard.standards import Standard
from infra.eventstore.shipped_rules import shipped_rules

STANDARD = shipped_rules().standards[-1]
MORNING = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
NIGHT = datetime(2026, 9, 16, 15, 0, tzinfo=UTC)
"""23:00 in China."""
LINK = "https://water.example.org/approvals"
REQUEST = WaitingRequest(MORNING, MORNING + timedelta(hours=48), ("manager",), "本岗位", told=False, reminded=False)
BOTH = frozenset({"manager email", "manager webhook"})


def told(
    request: WaitingRequest, at: datetime, standard: Standard = STANDARD, reachable: frozenset[str] = BOTH
) -> Telling | None:
    return telling_of(request, standard, reachable, LINK, at)


def test_the_role_is_told_by_each_of_its_ways_that_and_until_when_something_waits() -> None:
    found = told(REQUEST, MORNING)
    assert found is not None
    assert (found.occasion, found.complete) == ("asked", True)
    assert [(each.audience, each.way) for each in found.messages] == [
        (("manager",), "email"),
        (("manager",), "webhook"),
    ]
    text = "【待复核】有一项操作请本岗位复核，09-18 09:00前有效。请登录查看：https://water.example.org/approvals"
    assert {each.text for each in found.messages} == {text}


def test_once_more_before_the_time_is_over_and_not_again() -> None:
    after = replace(REQUEST, told=True)
    end = REQUEST.expires_at
    assert told(after, end - timedelta(minutes=241)) is None
    found = told(after, end - timedelta(minutes=240))
    assert found is not None
    assert found.occasion == "expiring"
    assert "09-18 09:00过期" in found.messages[0].text
    assert told(replace(after, reminded=True), end - timedelta(minutes=1)) is None


def test_a_short_time_is_reminded_of_after_its_half_and_who_was_not_told_yet_is_told_once() -> None:
    short = replace(REQUEST, expires_at=MORNING + timedelta(hours=2), told=True)
    assert told(short, MORNING + timedelta(minutes=59)) is None
    assert told(short, MORNING + timedelta(hours=1)) is not None
    late = told(replace(short, told=False), MORNING + timedelta(hours=1))
    assert late is not None
    assert late.occasion == "expiring"


def test_at_night_mail_waits_for_the_morning_and_a_webhook_does_not() -> None:
    found = told(REQUEST, NIGHT)
    assert found is not None
    assert ([each.way for each in found.messages], found.complete) == (["webhook"], False)
    soon = told(replace(REQUEST, expires_at=NIGHT + timedelta(hours=8)), NIGHT)
    assert soon is not None
    assert [each.way for each in soon.messages] == ["email", "webhook"], "in the morning it would be too late"


@pytest.mark.parametrize(
    "changes", [{"approval_ways": ()}, {"approval_texts": {}}], ids=["a standard without ways", "without texts"]
)
def test_a_standard_that_says_nothing_of_it_tells_nobody(changes: dict[str, object]) -> None:
    found = told(REQUEST, MORNING, with_changes(STANDARD, **changes))
    assert found is not None
    assert (found.messages, found.complete) == ((), True)


def test_a_role_without_contact_is_passed_over() -> None:
    found = told(REQUEST, MORNING, reachable=frozenset({"dispatcher email"}))
    assert found is not None
    assert (found.messages, found.complete) == ((), True)


def test_a_standard_without_a_reminder_reminds_nobody() -> None:
    standard = with_changes(STANDARD, approval_reminder_minutes=0)
    assert told(replace(REQUEST, told=True), REQUEST.expires_at, standard) is None

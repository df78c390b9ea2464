"""Whom alerts call, and when staff are left alone: quiet hours, one message for a mass incident, so many an hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deadlines.windows import WindowLapsed, WindowMoved, WindowNearing
from domain.kernel.refusals import Refusal
from domain.repairs.facts import CrewArrived
from domain.repairs.promises import ARRIVAL
from domain.standard import alerts
from domain.standard.alerts import AlertTold, Closing, Plan, SentMessage, WaitingAlert, plan, quiet_end
from domain.standard.flat import with_changes
from domain.standard.sections.alerting import AlertPolicy
from infra.eventstore.shipped_rules import shipped_rules
from infra.outbox.reach import reachable
from infra.settings import Settings, StaffContact
from tests.unit.cases import Play, context, minutes, repairing

RULES = shipped_rules()
STANDARD = RULES.newest
NOON = datetime(2026, 9, 16, 4, 0, tzinfo=UTC)
NIGHT = datetime(2026, 9, 16, 15, 0, tzinfo=UTC)
"""23:00 in China."""
MORNING = datetime(2026, 9, 16, 23, 0, tzinfo=UTC)
"""The 17th, 07:00 in China."""


def waiting(number: int = 1, **changes: Any) -> WaitingAlert:
    values: dict[str, Any] = {
        "alert": UUID(int=number),
        "role": "manager",
        "way": "email",
        "change": "lapsed",
        "case_id": UUID(int=1_000 + number),
        "case_number": f"BX-{number}",
        "commitment": "repair.arrival",
        "step": None,
        "due_at": NOON,
        "urgent": False,
        "mass": None,
        "version": 3,
        "raised_at": NOON + timedelta(seconds=number),
    }
    return WaitingAlert(**(values | changes))


def planned(tells: Sequence[WaitingAlert], made: Sequence[SentMessage] = (), at: datetime = NOON) -> Plan:
    return plan(tells, made, STANDARD, at)


def counts(found: Plan) -> list[tuple[str | None, int]]:
    return [(message.group, len(message.tells)) for message in found.messages]


# ---- what is raised and closed


def facts_of(play: Play, commitment: str = ARRIVAL) -> list[Any]:
    return [fact for fact in play.concluded if fact.commitment == commitment]


def test_a_rung_a_lapse_and_a_step_call_whom_they_name_by_the_standards_ways() -> None:
    play = repairing(RULES)
    for minute in (5, 20, 30, 40):
        play.conclude(minutes(minute))
    found = [alert for fact in facts_of(play) if (alert := alerts.raised(fact, RULES)) is not None]
    assert [(each.change, each.lapse, each.step, each.roles, each.ways, each.urgent) for each in found] == [
        ("nearing", None, "unacknowledged-5-min", ("duty-dispatcher",), ("page",), True),
        ("nearing", None, "no-arrival-20-min", ("crew-lead", "second-crew"), ("page",), True),
        ("lapsed", 1, None, ("duty-manager",), ("page", "email", "webhook"), True),
        ("escalated", 1, "after-10-min", ("manager",), ("page", "sms", "webhook"), True),
    ]


def test_a_lapse_that_calls_nobody_raises_nothing() -> None:
    play = repairing(RULES)
    play.conclude(minutes(30))
    lapse = next(fact for fact in facts_of(play) if isinstance(fact, WindowLapsed))
    assert alerts.raised(replace(lapse, notify=()), RULES) is None
    assert alerts.raised(replace(lapse, basis=replace(lapse.basis, standard="of-another-house")), RULES) is None


def test_what_closes_alerts_and_why() -> None:
    play = repairing(RULES)
    play.conclude(minutes(30))
    play.say(CrewArrived("crew-1", None), minutes(24), at=minutes(52))
    closings = [closing for fact in facts_of(play) if (closing := alerts.closed(fact)) is not None]
    assert closings == [
        Closing(ARRIVAL, "lapsed", "nearing", due_at=minutes(30)),
        Closing(ARRIVAL, "retracted", lapse=1),
        Closing(ARRIVAL, "met"),
    ]
    assert max(alerts.RANKS[closing.cause] for closing in closings) == alerts.RANKS["retracted"]


def test_a_window_that_is_stamped_with_a_new_calendar_closes_nothing() -> None:
    play = repairing(RULES)
    opened = facts_of(play)[0]
    moved = WindowMoved("c", 2, opened.opened_at, minutes(30), minutes(30), False, "calendar", opened.basis)
    assert alerts.closed(moved) is None
    assert alerts.closed(replace(moved, due_at=minutes(40))) == Closing("c", "moved")


def test_only_the_program_brings_in_what_became_of_a_message() -> None:
    fact = AlertTold(UUID(int=1), ARRIVAL, "lapsed", "manager", "email", "r", "accepted", "sha256:0")
    assert alerts.tell(context(RULES, NOON, role="system"), fact) is fact
    with pytest.raises(Refusal, match=r"^wrong-role:"):
        alerts.tell(context(RULES, NOON, role="manager"), fact)


# ---- one case, one message


def test_a_message_says_what_ran_out_and_names_nobody() -> None:
    (message,) = planned([waiting(change="escalated", step="after-10-min")]).messages
    assert message.text == "【超时升级】BX-1 到场已于09-16 12:00超时，至今无人确认接手（超时已10分钟）。请立即处理。"
    assert (message.role, message.way, message.title, message.group) == ("manager", "email", "通水 BX-1", None)


@pytest.mark.parametrize(
    ("change", "commitment", "step", "named"),
    [
        ("escalated", "repair.completion", "after-1-hour", "超时已1小时"),
        ("escalated", "repair.completion", "half-again", "超出时限50%"),
        ("escalated", "connection.water_on", "after-3-working-days", "超时已3个工作日"),
        ("nearing", ARRIVAL, "unacknowledged-5-min", "未接单已5分钟"),
        ("nearing", ARRIVAL, "no-arrival-20-min", "计时已20分钟"),
        ("nearing", "repair.completion", "three-quarters", "时限已过75%"),
        ("nearing", "connection.water_on", "fourth-working-day", "第4个工作日"),
        ("escalated", ARRIVAL, "of-an-older-standard", "of-an-older-standard"),
    ],
)
def test_a_message_says_in_chinese_which_reminder_or_escalation_level_it_is(
    change: str, commitment: str, step: str, named: str
) -> None:
    (message,) = planned([waiting(change=change, commitment=commitment, step=step)]).messages
    assert f"（{named}）。" in message.text


def test_what_one_role_waits_to_hear_of_one_case_is_one_message_with_the_newest_news() -> None:
    first, second = waiting(1), waiting(2, case_id=UUID(int=1_001), change="escalated", version=9)
    (message,) = planned([second, first]).messages
    assert message.newest == second
    assert set(message.tells) == {first, second}


def test_each_role_and_each_way_has_a_message_of_its_own() -> None:
    found = planned([waiting(), waiting(role="duty-manager"), waiting(way="webhook")])
    assert sorted((message.role, message.way) for message in found.messages) == [
        ("duty-manager", "email"),
        ("manager", "email"),
        ("manager", "webhook"),
    ]


def test_a_text_that_the_standard_does_not_have_is_a_plain_one() -> None:
    bare = with_changes(STANDARD, alerts=replace(STANDARD.alerting.alerts, texts={}, names={}))
    (message,) = plan([waiting()], [], bare, NOON).messages
    assert message.text.startswith("lapsed: BX-1 repair.arrival")


# ---- quiet hours


@pytest.mark.parametrize(
    ("hour", "minute", "until"),
    [
        (21, 59, None),
        (22, 0, MORNING),
        (23, 59, MORNING),
        (0, 0, MORNING),
        (6, 59, MORNING),
        (7, 0, None),
        (12, 0, None),
    ],
)
def test_the_night_is_from_ten_to_seven(hour: int, minute: int, until: datetime | None) -> None:
    day = 16 if hour >= 20 else 17
    at = datetime(2026, 9, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)
    assert quiet_end(STANDARD.alerting.alerts, at) == until


def test_quiet_hours_within_one_day_are_too() -> None:
    siesta = replace(STANDARD.alerting.alerts, quiet_from=time(12), quiet_until=time(14))
    assert quiet_end(siesta, NOON) == NOON + timedelta(hours=2)
    assert quiet_end(siesta, NOON + timedelta(hours=2)) is None


def test_at_night_what_is_not_urgent_waits_for_the_morning() -> None:
    found = planned([waiting(1), waiting(2, urgent=True), waiting(3, way="webhook")], at=NIGHT)
    assert found.held == ((waiting(1), MORNING),)
    assert [message.newest.alert for message in found.messages] == [UUID(int=2), UUID(int=3)], "a system does not sleep"


def test_in_the_morning_it_goes_out() -> None:
    assert counts(planned([waiting()], at=MORNING)) == [(None, 1)]


# ---- mass incidents


def test_a_mass_incident_is_told_once_and_not_case_by_case() -> None:
    found = planned([waiting(number, mass="frost-a") for number in range(1, 16)])
    assert counts(found) == [("frost-a", 15)]
    assert found.messages[0].text.startswith("【群发事件】frost-a：15条时限告警，涉及BX-1、BX-2")
    assert "等15件" in found.messages[0].text


def test_what_the_mass_incident_brings_next_waits_half_an_hour() -> None:
    last = SentMessage("manager", "email", NOON - timedelta(minutes=10), "frost-a")
    found = planned([waiting(mass="frost-a"), waiting(2)], [last])
    assert found.held == ((waiting(mass="frost-a"), NOON + timedelta(minutes=20)),)
    assert counts(found) == [(None, 1)]
    assert counts(planned([waiting(mass="frost-a")], [last], NOON + timedelta(minutes=20))) == [("frost-a", 1)]


# ---- so many an hour


def test_beyond_twelve_an_hour_the_rest_is_one_digest() -> None:
    found = planned([waiting(number) for number in range(1, 31)])
    assert counts(found) == [(None, 1)] * 12 + [("digest", 18)]
    assert found.messages[-1].text.startswith("【告警汇总】18条时限告警，涉及BX-13")


def test_the_next_digest_waits_a_quarter_of_an_hour_and_messages_of_an_hour_ago_are_forgotten() -> None:
    singles = [SentMessage("manager", "email", NOON - timedelta(minutes=50), None) for _ in range(12)]
    digest = SentMessage("manager", "email", NOON - timedelta(minutes=5), "digest")
    found = planned([waiting()], [*singles, digest])
    assert found.held == ((waiting(), NOON + timedelta(minutes=10)),)
    assert counts(planned([waiting()], [*singles, digest], NOON + timedelta(minutes=10))) == [(None, 1)]


def test_another_roles_messages_do_not_count() -> None:
    others = [SentMessage("duty-manager", "email", NOON, None) for _ in range(12)]
    assert counts(planned([waiting()], others)) == [(None, 1)]


def test_corrections_in_a_rush_are_told_as_corrections() -> None:
    singles = [SentMessage("manager", "email", NOON, None) for _ in range(12)]
    found = planned([waiting(1, change="retracted"), waiting(2, change="met"), waiting(3)], singles)
    assert sorted((message.group or "", len(message.tells)) for message in found.messages) == [
        ("corrections", 2),
        ("digest", 1),
    ]


def test_a_correction_is_told_of_its_case_also_in_a_mass_incident() -> None:
    (message,) = planned([waiting(change="retracted", mass="frost-a")]).messages
    assert message.text == "【更正】此前通知的BX-1 到场（09-16 12:00）超时已撤回，请勿再据此处理。"


@given(
    tells=st.lists(
        st.tuples(
            st.sampled_from(["manager", "duty-manager"]),
            st.sampled_from(["email", "webhook"]),
            st.sampled_from([None, "frost-a"]),
            st.sampled_from(["lapsed", "escalated", "retracted"]),
            st.booleans(),
            st.integers(1, 6),
        ),
        max_size=60,
    ),
    minute=st.integers(0, 24 * 60),
    before=st.lists(st.tuples(st.integers(0, 90), st.sampled_from([None, "digest", "frost-a"])), max_size=30),
)
def test_everything_that_waits_is_told_once_or_held_once_and_no_hour_has_too_many(
    tells: list[Any], minute: int, before: list[Any]
) -> None:
    at = NOON + timedelta(minutes=minute)
    wanted = [
        waiting(number, role=role, way=way, mass=mass, change=change, urgent=urgent, case_id=UUID(int=case))
        for number, (role, way, mass, change, urgent, case) in enumerate(tells, start=1)
    ]
    made = [SentMessage("manager", "email", at - timedelta(minutes=ago), group) for ago, group in before]
    found = planned(wanted, made, at)
    seen = [each for message in found.messages for each in message.tells] + [each for each, _ in found.held]
    assert sorted(seen, key=lambda each: each.alert.int) == wanted
    assert all(until > at for _, until in found.held)
    recent = [each for each in made if each.group is None and each.at > at - timedelta(hours=1)]
    singles = [
        message
        for message in found.messages
        if message.group is None and message.way == "email" and message.role == "manager"
    ]
    assert not singles or len(singles) + len(recent) <= STANDARD.alerting.alerts.most_per_hour
    assert planned(list(reversed(wanted)), made, at) == found, "the order in which they come does not matter"


# ---- who can be reached


def test_only_ways_that_the_settings_have_are_tried() -> None:
    contacts = {"manager": StaffContact(email="manager@example.org", webhook="http://127.0.0.1:1/")}
    assert reachable(Settings(staff_contacts=contacts)) == []
    with_mail = Settings(staff_contacts=contacts, smtp_host="127.0.0.1", smtp_from="water@example.org")
    assert reachable(with_mail) == ["manager email"]
    with_gateway = Settings(staff_contacts=contacts, gateway_url="http://127.0.0.1:1/", gateway_secret="secret")
    found = reachable(with_gateway)
    assert {"manager webhook", "manager sms", "duty-manager wechat"} <= set(found)
    assert "manager email" not in found


def test_a_contact_of_a_role_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="TONGSHUI_STAFF_CONTACTS: found the roles boss"):
        reachable(Settings(staff_contacts={"boss": StaffContact()}))


def test_a_standard_without_ways_tells_nobody() -> None:
    assert AlertPolicy().ways == {}
    near = WindowNearing("repair.arrival", 2, NOON, "half", ("manager",), repairing(RULES).concluded[0].basis)
    silent = replace(RULES, standards=(with_changes(STANDARD, alerts=AlertPolicy()),))
    assert alerts.raised(near, silent) is None

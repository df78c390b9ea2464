"""Planned outages since 供水条例 is in force (2026-06-01): effect, approval, temporary supply, the fire service, other
times, and water that went off without notice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain import kinds
from domain.deadlines.windows import Window
from domain.kernel.facts import Fact, Recorded
from domain.outages.case import Outage
from domain.outages.facts import (
    FireServiceTold,
    OutageCancelled,
    OutageExtended,
    OutageNoticeSent,
    OutagePlanned,
    OutageRescheduled,
    OutageStarted,
    UnannouncedOutageBegan,
)
from domain.outages.promises import CHANGE, FIRE, NOTICE, REPORT
from infra.eventstore.shipped_rules import shipped_rules, shipped_standards
from tests.api_world import DIGEST, MORNING, Client, FakeService, app_over, staff

RULES = shipped_rules()
OLD_LAW = replace(RULES, standards=shipped_standards()[:1])
HOUR = timedelta(hours=1)
BEGIN, END = MORNING + 72 * HOUR, MORNING + 78 * HOUR
PLAN = OutagePlanned("TS-1", ("zhenxi",), 300, BEGIN, END, "")
NOTICED = OutageNoticeSent("page", DIGEST)
PATH = "/api/v1/outages"
SMALL = {
    "districts": ["zhenxi"],
    "affected_users": 300,
    "begin": BEGIN.isoformat(),
    "end": END.isoformat(),
}


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def told(
    client: Client, path: str, body: dict[str, Any], status: int = 200, code: str | None = None, role: str = "manager"
) -> dict[str, Any]:
    answer = client.post(f"{PATH}/{path}", body, headers=staff(role))
    found: dict[str, Any] = answer.json()
    assert (answer.status_code, found.get("code")) == (status, code), answer.text
    return found


def planned(client: Client, body: dict[str, Any] = SMALL) -> str:
    return str(told(client, "planned", body, 201)["case_id"])


def noticed(client: Client, case_id: str) -> None:
    told(client, f"{case_id}/notices", {"way": "page", "digest": DIGEST})


def data(service: FakeService, case_id: str, fact: str) -> Any:
    stored = [json.loads(event) for event in service.events[UUID(case_id)]]
    return next(event["data"] for event in stored if event["type"] == f"water.repair.{fact}.v1")


def windows(facts: Iterable[tuple[Fact, datetime]], at: datetime, rules: Any = RULES) -> dict[str, Window]:
    state = None
    for version, (fact, happened_at) in enumerate(facts, start=1):
        id_ = uuid5(UUID(int=1), f"{fact} {happened_at}")
        state = kinds.OUTAGE.evolve(state, Recorded(fact, id_, version, happened_at))
    assert isinstance(state, Outage)
    return {found.commitment: found for found in kinds.windows(kinds.OUTAGE, state, rules, at)}


# ---- what the effect demands


def test_a_small_outage_needs_no_approval(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    assert data(service, case_id, "OutagePlanned")["approval"] == ""
    assert client.get(f"{PATH}/{case_id}").json()["approval"] is None


@pytest.mark.parametrize(
    "large",
    [
        {"affected_users": 1000},
        {"end": (BEGIN + 12 * HOUR).isoformat()},
        {"places": ["dialysis"]},
    ],
)
def test_a_large_effect_needs_the_approval_and_water_in_the_meantime(client: Client, large: dict[str, Any]) -> None:
    body = SMALL | large
    refused = told(client, "planned", body, 409, "outage-not-approved")
    assert "its effect is large" in refused["detail"]
    told(client, "planned", body | {"approval": "示例〔2026〕7号"}, 409, "temporary-supply-missing")
    told(client, "planned", body | {"approval": "示例〔2026〕7号", "supply": "balloon"}, 422, "unknown-supply")
    planned(client, body | {"approval": "示例〔2026〕7号", "supply": "tanker"})


def test_just_below_what_is_large_nothing_is_needed(client: Client) -> None:
    planned(client, SMALL | {"affected_users": 999, "end": (BEGIN + 12 * HOUR - timedelta(seconds=1)).isoformat()})
    told(client, "planned", SMALL | {"places": ["palace"]}, 422, "unknown-sensitive-place")
    told(client, "planned", SMALL | {"places": ["school", "school"]}, 422, "code-twice")


def test_what_is_small_as_it_is_planned_is_not_made_large_by_a_later_end(client: Client, service: FakeService) -> None:
    """Before, eleven hours were planned, and then put off by two days, without an approval and without water."""
    long_after = {"end": (BEGIN + 48 * HOUR).isoformat()}
    case_id = planned(client)
    told(client, f"{case_id}/extension", long_after, 409, "outage-not-approved")
    told(client, f"{case_id}/extension", {"end": (BEGIN + 11 * HOUR).isoformat()})
    as_before = {"begin": BEGIN.isoformat(), "end": END.isoformat(), "approval": "示例〔2026〕7号"}
    told(client, f"{case_id}/new-times", as_before)
    told(client, f"{case_id}/extension", long_after, 409, "temporary-supply-missing")
    told(client, f"{case_id}/new-times", as_before | {"supply": "tanker"})
    told(client, f"{case_id}/extension", long_after)
    off = planned(client, SMALL | {"districts": ["aizhai"]})
    noticed(client, off)
    service.clock.set(BEGIN)
    told(client, f"{off}/water-off", {})
    told(client, f"{off}/extension", long_after)


def test_under_the_law_before_every_planned_outage_needs_the_approval() -> None:
    client = Client(app_over(FakeService(OLD_LAW)))
    told(client, "planned", SMALL, 409, "outage-not-approved")
    planned(client, SMALL | {"approval": "示例〔2026〕7号"})


def test_the_extent_is_told_to_the_users(client: Client, service: FakeService) -> None:
    case_id = planned(client, SMALL | {"extent": "人民路以北"})
    told(client, f"{case_id}/notices/order", {"way": "page"})
    assert "镇溪街道（人民路以北）计划于" in service.messages[-1].message.text


@pytest.mark.parametrize("extent", ["李四 13812345678 家", "433101199001011234", "\u202e人民路", " "])
def test_an_extent_holds_nobodys_number_and_words_that_can_be_seen(
    client: Client, service: FakeService, extent: str
) -> None:
    refused = told(client, "planned", SMALL | {"extent": extent}, 422, "bad-body")
    assert "1381234" not in json.dumps(refused)
    assert service.events == {}


# ---- the fire service


def test_the_fire_service_is_told_before_water_goes_off(client: Client, service: FakeService) -> None:
    case_id = planned(client, SMALL | {"fire_affected": True})
    noticed(client, case_id)
    service.clock.move(72 * HOUR)
    told(client, f"{case_id}/start", {}, 409, "fire-service-not-told")
    told(client, f"{case_id}/fire-service", {"document": "示例消防〔2026〕1号"})
    assert client.get(f"{PATH}/{case_id}").json()["fire_told"] is True
    told(client, f"{case_id}/start", {})


def test_that_the_fire_service_is_told_is_a_promise() -> None:
    plan = replace(PLAN, fire_affected=True)
    assert windows([(plan, MORNING)], BEGIN)[FIRE].lapses == (BEGIN,)
    in_time = [(plan, MORNING), (FireServiceTold("d"), MORNING + HOUR)]
    assert windows(in_time, END)[FIRE].lapses == ()
    early = [(plan, MORNING), (OutageStarted(), MORNING + 2 * HOUR), (FireServiceTold("d"), MORNING + 3 * HOUR)]
    assert windows(early, END)[FIRE].lapses == (MORNING + 2 * HOUR,)
    moved = [(plan, MORNING), (OutageRescheduled(END, END + HOUR), MORNING + HOUR)]
    assert windows(moved, BEGIN)[FIRE].due_at == END
    assert FIRE not in windows([(PLAN, MORNING)], END)
    assert FIRE not in windows([(plan, MORNING)], END, OLD_LAW)


# ---- water goes off as announced


@pytest.mark.parametrize(("late", "code"), [(-31, "outside"), (-30, None), (30, None), (31, "outside")])
def test_water_is_turned_off_within_half_an_hour_of_the_announced_time(
    client: Client, service: FakeService, late: int, code: str | None
) -> None:
    case_id = planned(client)
    noticed(client, case_id)
    service.clock.move(72 * HOUR + timedelta(minutes=late))
    told(client, f"{case_id}/start", {}, 200 if code is None else 409, code and "outside-announced-times")


@pytest.mark.parametrize("hours", [-48, 48])
def test_water_that_went_off_at_another_time_breaks_the_notice(hours: int) -> None:
    off_at = BEGIN + hours * HOUR
    facts = [(PLAN, MORNING), (NOTICED, MORNING + HOUR), (OutageStarted(), off_at)]
    found = windows(facts, BEGIN + 50 * HOUR)[NOTICE]
    assert (found.lapses, found.met_at) == ((off_at,), None)
    told_late = windows([*facts, (NOTICED, off_at + HOUR)], BEGIN + 50 * HOUR)[NOTICE]
    assert (told_late.lapses, told_late.met_at) == ((off_at,), off_at + HOUR)
    before = windows(facts, BEGIN + 50 * HOUR, OLD_LAW)[NOTICE]
    assert before.lapses == (), "the law before did not hold the beginning to its notice"


def test_a_notice_that_was_broken_already_is_broken_once() -> None:
    facts = [(PLAN, MORNING), (NOTICED, BEGIN - HOUR), (OutageStarted(), BEGIN + 48 * HOUR)]
    assert windows(facts, BEGIN + 50 * HOUR)[NOTICE].lapses == (BEGIN - 24 * HOUR,)


# ---- water that went off is always recorded


def test_water_that_went_off_without_notice_is_recorded_and_breaks_the_promise(
    client: Client, service: FakeService
) -> None:
    case_id = planned(client)
    service.clock.move(60 * HOUR)
    told(client, f"{case_id}/start", {}, 409, "notice-too-short")
    told(client, f"{case_id}/water-off", {}, role="crew")
    flags = data(service, case_id, "OutageStarted")["flags"]
    assert flags == ["without-notice", "outside-announced-times"]
    lapsed = [json.loads(event)["type"] for event in service.events[UUID(case_id)]]
    assert "water.repair.WindowLapsed.v1" in lapsed
    told(client, f"{case_id}/water-off", {}, 409, "outage-started", role="crew")


def test_water_of_a_cancelled_outage_that_went_off_is_recorded(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    noticed(client, case_id)
    told(client, f"{case_id}/cancellation", {"reason": "weather"})
    service.clock.move(72 * HOUR)
    told(client, f"{case_id}/water-off", {}, role="crew")
    assert data(service, case_id, "OutageStarted")["flags"] == ["outside-announced-times", "called-off"]
    shown = client.get(f"{PATH}/{case_id}").json()
    assert (shown["cancelled_at"], shown["started_at"]) == (None, "2026-09-19T01:00:00Z")


def test_an_outage_that_nobody_planned_is_recorded_with_its_broken_notice(client: Client, service: FakeService) -> None:
    body = {"districts": ["zhenxi"], "affected_users": 40, "happened_at": "2026-09-16T00:50:00Z"}
    told(client, "unannounced", body, 403, "wrong-role", role="public")
    case_id = told(client, "unannounced", body, 201, role="hotline")["case_id"]
    shown = client.get(f"{PATH}/{case_id}").json()
    assert (shown["kind"], shown["started_at"]) == ("unannounced", "2026-09-16T00:50:00Z")
    assert data(service, case_id, "WindowLapsed")["due_at"] == "2026-09-16T00:50:00Z"
    told(client, f"{case_id}/notices", {"way": "page", "digest": DIGEST})
    assert data(service, case_id, "WindowMet")["on_time"] is False
    told(client, f"{case_id}/restoration", {}, role="crew")
    late = {**body, "happened_at": "2026-09-15T22:00:00Z"}
    told(client, "unannounced", late, 409, "second-person-needed", role="hotline")
    found = windows([(UnannouncedOutageBegan("TS-2", ("zhenxi",), 40), MORNING)], MORNING)
    assert REPORT not in found


# ---- other times, a later end, cancelled


def test_other_times_need_the_whole_notice(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    noticed(client, case_id)
    service.clock.move(48 * HOUR)
    soon = {"begin": (BEGIN - HOUR).isoformat(), "end": END.isoformat()}
    told(client, f"{case_id}/new-times", soon, 409, "notice-too-short")
    told(
        client, f"{case_id}/new-times", soon | {"begin": BEGIN.isoformat()}, role="crew", status=403, code="wrong-role"
    )
    later = {"begin": (BEGIN + 24 * HOUR).isoformat(), "end": (BEGIN + 40 * HOUR).isoformat()}
    told(client, f"{case_id}/new-times", later, 409, "outage-not-approved")
    approved = later | {"approval": "示例〔2026〕8号"}
    told(client, f"{case_id}/new-times", approved, 409, "temporary-supply-missing")
    told(client, f"{case_id}/new-times", approved | {"supply": "standpipe"})
    service.clock.move(48 * HOUR)
    told(client, f"{case_id}/start", {}, 409, "notice-too-short")
    told(client, f"{case_id}/notices/order", {"way": "page"})
    assert service.messages[-1].message.text.startswith("【停水改期】镇溪街道原定的停水改为9月20日09:00至")


def test_who_was_told_of_an_outage_is_told_of_every_change() -> None:
    later = OutageRescheduled(BEGIN + 48 * HOUR, END + 48 * HOUR)
    start = [(PLAN, MORNING), (NOTICED, MORNING + HOUR)]
    assert CHANGE not in windows(start, MORNING + 2 * HOUR)
    moved = [*start, (later, MORNING + 2 * HOUR)]
    found = windows(moved, MORNING + 3 * HOUR)
    assert (found[CHANGE].due_at, found[NOTICE].met_at) == (BEGIN + 24 * HOUR, MORNING + HOUR)
    assert windows(moved, END + 48 * HOUR)[CHANGE].lapses == (BEGIN + 24 * HOUR,)
    assert windows([*moved, (NOTICED, MORNING + 3 * HOUR)], END)[CHANGE].lapses == ()
    cancelled = [*moved, (OutageCancelled("weather"), MORNING + 4 * HOUR)]
    found_cancelled = windows(cancelled, END)[CHANGE]
    assert (found_cancelled.due_at, found_cancelled.lapses) == (MORNING + 5 * HOUR, (MORNING + 5 * HOUR,))
    extended = [*start, (OutageStarted(), BEGIN), (OutageExtended(END + HOUR), END - HOUR), (NOTICED, END)]
    assert windows(extended, END + HOUR)[CHANGE].lapses == ()
    assert CHANGE not in windows(moved, END, OLD_LAW)


def test_a_change_that_was_told_late_stays_broken_whatever_changes_after_it() -> None:
    first, second = OutageExtended(END + HOUR), OutageExtended(END + 2 * HOUR)
    facts = [
        (PLAN, MORNING),
        (NOTICED, MORNING + HOUR),
        (OutageStarted(), BEGIN),
        (first, BEGIN + HOUR),
        (NOTICED, BEGIN + 3 * HOUR),
        (second, BEGIN + 4 * HOUR),
        (NOTICED, BEGIN + 4 * HOUR),
    ]
    found = windows(facts, END)[CHANGE]
    assert (found.lapses, found.met_at) == ((BEGIN + 2 * HOUR,), BEGIN + 4 * HOUR)


def test_one_later_end_after_the_other_gives_no_more_time_to_tell_of_the_first() -> None:
    """Before, whoever put the end off again every 59 minutes need never tell anybody."""
    off = [(PLAN, MORNING), (NOTICED, MORNING + HOUR), (OutageStarted(), BEGIN)]
    chain = [(OutageExtended(END + (n + 1) * HOUR), BEGIN + n * 59 * HOUR / 60) for n in range(1, 4)]
    told_at_last = (NOTICED, chain[-1][1] + HOUR / 2)
    found = windows([*off, *chain, told_at_last], END)[CHANGE]
    assert (found.lapses, found.met_at) == ((chain[0][1] + HOUR,), told_at_last[1])
    told_each = [each for change in chain for each in (change, (NOTICED, change[1] + HOUR / 2))]
    assert windows([*off, *told_each], END)[CHANGE].lapses == ()


def test_a_later_end_gives_no_more_time_to_tell_of_new_times() -> None:
    """Before, the whole notice of new times was put off by a later end said just before it was due."""
    moved = [
        (PLAN, MORNING),
        (NOTICED, MORNING + HOUR),
        (OutageRescheduled(BEGIN + 48 * HOUR, END + 48 * HOUR), MORNING + 2 * HOUR),
    ]
    due_at = BEGIN + 24 * HOUR
    extended = (OutageExtended(END + 49 * HOUR), due_at - HOUR / 4)
    late = (NOTICED, due_at + HOUR / 4)
    assert windows([*moved, extended, late], END + 24 * HOUR)[CHANGE].lapses == (due_at,)
    newer = (OutageRescheduled(BEGIN + 72 * HOUR, END + 72 * HOUR), due_at - HOUR / 4)
    assert windows([*moved, newer, late], END + 24 * HOUR)[CHANGE].lapses == (), "the newer times alone are to be told"


def test_before_anybody_is_told_the_notice_moves_with_the_beginning() -> None:
    facts = [(PLAN, MORNING), (OutageRescheduled(BEGIN + 48 * HOUR, END + 48 * HOUR), MORNING + HOUR)]
    found = windows(facts, BEGIN)
    assert (found[NOTICE].due_at, found[NOTICE].lapses) == (BEGIN + 24 * HOUR, ())
    assert CHANGE not in found


def test_new_times_of_which_nobody_was_told_are_no_promise_once_water_is_off() -> None:
    facts = [
        (PLAN, MORNING),
        (NOTICED, MORNING + HOUR),
        (OutageRescheduled(BEGIN + 48 * HOUR, END + 48 * HOUR), MORNING + 2 * HOUR),
        (OutageStarted(), BEGIN),
    ]
    found = windows(facts, END)
    assert (found[CHANGE].cancelled, found[CHANGE].lapses) == ("water-off", ())
    assert found[NOTICE].lapses == (BEGIN,), "it went off at the time that was no longer announced"

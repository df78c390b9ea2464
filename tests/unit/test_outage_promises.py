"""What an outage promises: who is told by when, that the authority is, and that water is back by the announced end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.deadlines.windows import Window, judge
from domain.kernel.facts import Fact, Recorded
from domain.outages import promises
from domain.outages.case import Outage
from domain.outages.facts import (
    EmergencyOutageBegan,
    OutageCancelled,
    OutageExtended,
    OutageNoticeOrdered,
    OutageNoticeSent,
    OutagePlanned,
    OutageReported,
    OutageRestored,
    OutageStarted,
)
from domain.outages.promises import NOTICE, REPORT, RESTORE
from domain.standard.flat import with_changes
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.api_world import DIGEST, MORNING

RULES = shipped_rules()
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
BEGIN, END = MORNING + 3 * DAY, MORNING + 3 * DAY + 6 * HOUR
PLANNED = OutagePlanned("TS-1", ("zhenxi",), 1200, BEGIN, END, "示例〔2026〕7号")
EMERGENCY = EmergencyOutageBegan("TS-2", UUID(int=7), ("zhenxi",), 300)
NOTICED = OutageNoticeSent("wechat", DIGEST)
Happened = tuple[Fact, datetime]


def told(*facts: Happened) -> Outage:
    """An outage of facts in the order of recording. A fact's id follows from the fact: told twice it is the same."""
    state = None
    for version, (fact, at) in enumerate(facts, start=1):
        id_ = uuid5(UUID(int=1), f"{fact} {at}")
        state = kinds.OUTAGE.evolve(state, Recorded(fact, id_, version, at))
    assert isinstance(state, Outage)
    return state


def windows(outage: Outage, at: datetime, rules: Rules = RULES) -> dict[str, Window]:
    return {found.commitment: found for found in kinds.windows(kinds.OUTAGE, outage, rules, at)}


# ---- notice


def test_the_users_are_told_a_day_before_water_goes_off() -> None:
    outage = told((PLANNED, MORNING))
    assert windows(outage, MORNING)[NOTICE].due_at == BEGIN - DAY
    assert windows(outage, BEGIN - DAY - HOUR)[NOTICE].lapses == ()
    assert windows(outage, BEGIN - DAY)[NOTICE].lapses == (BEGIN - DAY,)


def test_the_first_notice_that_was_sent_meets_it() -> None:
    noticed_at = BEGIN - DAY
    outage = told((PLANNED, MORNING), (NOTICED, noticed_at + HOUR), (NOTICED, noticed_at))
    found = windows(outage, END)[NOTICE]
    assert (found.met_at, found.lapses) == (noticed_at, ())


def test_a_notice_that_was_only_ordered_meets_nothing() -> None:
    ordered = OutageNoticeOrdered("sms", "planned", DIGEST)
    assert windows(told((PLANNED, MORNING), (ordered, MORNING)), BEGIN)[NOTICE].lapses == (BEGIN - DAY,)


def test_in_an_emergency_the_users_are_told_within_the_hour_and_the_authority_within_two() -> None:
    outage = told((EMERGENCY, MORNING), (NOTICED, MORNING + timedelta(minutes=61)))
    found = windows(outage, MORNING + 2 * HOUR)
    assert found[NOTICE].lapses == (MORNING + HOUR,)
    assert found[NOTICE].met_at == MORNING + timedelta(minutes=61)
    assert found[REPORT].lapses == (MORNING + 2 * HOUR,)
    reported = told((EMERGENCY, MORNING), (OutageReported("示例"), MORNING + 2 * HOUR))
    assert windows(reported, END)[REPORT].lapses == ()


def test_a_planned_outage_owes_no_report_and_a_standard_without_minutes_promises_none() -> None:
    assert REPORT not in windows(told((PLANNED, MORNING)), END)
    silent = with_changes(RULES.standards[0], emergency_notice_minutes=None, emergency_report_minutes=None)
    assert windows(told((EMERGENCY, MORNING)), END, replace(RULES, standards=(silent,))) == {}


# ---- restoration


def test_water_is_back_by_the_announced_end() -> None:
    started = (OutageStarted(), BEGIN)
    in_time = told((PLANNED, MORNING), started, (OutageRestored(), END))
    late = told((PLANNED, MORNING), started, (OutageRestored(), END + HOUR))
    assert windows(in_time, END)[RESTORE].lapses == ()
    assert windows(late, END + HOUR)[RESTORE].lapses == (END,)
    assert windows(late, END + HOUR)[RESTORE].met_at == END + HOUR


def test_an_extension_moves_the_end_and_saves_no_lapse_that_ran_out_before() -> None:
    extended = OutageExtended(END + 2 * HOUR)
    before = windows(told((PLANNED, MORNING), (extended, END - HOUR)), END + HOUR)[RESTORE]
    assert (before.due_at, before.lapses, before.cause) == (END + 2 * HOUR, (), "extended")
    after = windows(told((PLANNED, MORNING), (extended, END + HOUR)), END + HOUR)[RESTORE]
    assert (after.due_at, after.lapses) == (END + 2 * HOUR, (END,))


def test_an_emergency_promises_no_end_before_one_is_announced() -> None:
    assert RESTORE not in windows(told((EMERGENCY, MORNING)), END)
    announced = told((EMERGENCY, MORNING), (OutageExtended(MORNING + 4 * HOUR), MORNING + HOUR))
    found = windows(announced, MORNING + 4 * HOUR)[RESTORE]
    assert (found.opened_at, found.due_at, found.lapses) == (
        MORNING + HOUR,
        MORNING + 4 * HOUR,
        (MORNING + 4 * HOUR,),
    )


def test_water_that_came_back_before_it_was_off_did_not() -> None:
    odd = told((PLANNED, MORNING), (OutageRestored(), BEGIN - HOUR), (OutageStarted(), BEGIN))
    assert odd.restored is None
    assert windows(odd, END)[RESTORE].lapses == (END,)


def test_the_ladder_of_restoration_runs_from_the_announced_beginning() -> None:
    outage = told((PLANNED, MORNING))
    (reminder,) = windows(outage, BEGIN + 5 * HOUR)[RESTORE].passed
    assert reminder.at == BEGIN + 4.5 * HOUR


# ---- cancelled


def test_what_is_cancelled_owes_nothing_more_and_keeps_what_ran_out() -> None:
    cancelled = OutageCancelled("weather")
    early = windows(told((PLANNED, MORNING), (cancelled, MORNING + HOUR)), END + DAY)
    assert {found.cancelled for found in early.values()} == {"outage-cancelled"}
    assert [found.lapses for found in early.values()] == [(), ()]
    late = windows(told((PLANNED, MORNING), (cancelled, BEGIN - HOUR)), END + DAY)
    assert late[NOTICE].lapses == (BEGIN - DAY,), "nobody had been told by then"
    noticed = windows(told((PLANNED, MORNING), (NOTICED, MORNING), (cancelled, MORNING + HOUR)), END)
    assert (noticed[NOTICE].met_at, noticed[NOTICE].cancelled) == (MORNING, None)


def test_water_that_went_off_all_the_same_is_owed_back() -> None:
    outage = told((PLANNED, MORNING), (OutageCancelled("weather"), MORNING), (OutageStarted(), BEGIN))
    assert windows(outage, END)[RESTORE].lapses == (END,)


# ---- any order, any duplication

LATER: dict[bool, list[Happened]] = {
    True: [
        (NOTICED, BEGIN - DAY - HOUR),
        (OutageStarted(), BEGIN),
        (OutageExtended(END + HOUR), END - HOUR),
        (OutageExtended(END + 3 * HOUR), END + 2 * HOUR),
        (OutageRestored(), END + 4 * HOUR),
    ],
    False: [
        (NOTICED, MORNING + 2 * HOUR),
        (OutageReported("示例"), MORNING + HOUR),
        (OutageExtended(MORNING + 3 * HOUR), MORNING + HOUR),
        (OutageExtended(MORNING + 5 * HOUR), MORNING + 4 * HOUR),
        (OutageRestored(), MORNING + 5 * HOUR),
    ],
}


@pytest.mark.parametrize("planned", [True, False])
def test_all_orders_of_the_same_facts_end_in_the_same_verdicts(planned: bool) -> None:
    opened = (PLANNED if planned else EMERGENCY, MORNING)
    at = END + 2 * DAY
    verdicts = {str(sorted(windows(told(opened, *order), at).items())) for order in permutations(LATER[planned])}
    assert len(verdicts) == 1


@given(planned=st.booleans(), data=st.data(), hours=st.integers(0, 200))
def test_any_part_of_them_told_in_any_order_and_twice_ends_in_the_same_verdicts(
    planned: bool, data: st.DataObject, hours: int
) -> None:
    opened: Happened = (PLANNED if planned else EMERGENCY, MORNING)
    part: list[Any] = data.draw(st.lists(st.sampled_from(LATER[planned]), unique=True, max_size=5))
    told_as: list[Any] = data.draw(st.permutations(part + data.draw(st.lists(st.sampled_from(part or [opened])))))
    told_as = [fact for fact in told_as if fact != opened]
    at = MORNING + hours * HOUR
    assert windows(told(opened, *told_as), at) == windows(told(opened, *part), at)


@given(st.lists(st.integers(0, 300), max_size=4), st.integers(0, 300))
def test_the_same_end_never_lapses_and_is_met_in_time(extensions: list[int], restored: int) -> None:
    facts: list[Happened] = [(PLANNED, MORNING), (OutageStarted(), BEGIN)]
    facts += [(OutageExtended(END + n * HOUR), END + (n - 150) * HOUR) for n in extensions]
    outage = told(*facts, (OutageRestored(), BEGIN + restored * HOUR))
    for obligation in promises.obligations(outage, RULES):
        found = judge(obligation, END + 900 * HOUR)
        assert found.met_at is None or all(lapse < found.met_at for lapse in found.lapses)

"""The recount as the oracle of limits in days by kind, of intake hours, other wall clocks, and uncounted stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from app.demo.tickets.rule import city_rule
from domain import kinds
from domain.connections import facts as said
from domain.deadlines.calendar import CalendarPublished, Day
from domain.deadlines.limits import Intake
from domain.kernel.facts import Fact
from domain.repairs.facts import (
    CrewArrived,
    DetailCorrected,
    FaultReported,
    IncidentDismissed,
    RepairCompleted,
    ReportLinked,
    ReportUnlinked,
    SeverityAssessed,
    SeverityReassessed,
)
from domain.standard.flat import with_changes
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import make_rules
from infra.eventstore.envelope import read
from infra.eventstore.shipped_rules import shipped_calendar, shipped_catalogue, shipped_standard
from tests.unit.cases import NINE, SUBJECT, meter
from tests.unit.recounting import LONG_AGO, Published, disagreements, policy_of, told_apart
from tests.unit.test_recount import HISTORIES, history

SHIPPED, CATALOGUE = shipped_standard(), shipped_catalogue()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONE = ZoneInfo("America/New_York")
CITY = CalendarPublished("US", "1", date(2012, 12, 28), (), (), "test", "America/New_York")
REVISED = replace(CITY, version="2", days=(Day(date(2011, 11, 4), True, "x"), Day(date(2011, 11, 5), False, "x")))
CALENDARS = [(LONG_AGO, CITY), (datetime(2021, 6, 1, tzinfo=UTC), REVISED)]
CITY_STANDARDS = {
    start: with_changes(
        SHIPPED,
        calendar_regions=("US",),
        completion_from=start,
        kind_limits={
            "leak": KindLimit(2, "working", "same-time"),
            "burst": KindLimit(1, "working", "close"),
            "cover": KindLimit(9, "civil", "same-time"),
        },
        intake=Intake(time(17, 0), time(8, 30)),
    )
    for start in ("report", "arrival", "assessment")
}
CITY_RULES = {name: make_rules([each], CALENDARS, [CATALOGUE]) for name, each in CITY_STANDARDS.items()}
CITY_POLICIES = {name: policy_of([each], CALENDARS) for name, each in CITY_STANDARDS.items()}
REPAIR_FACTS: tuple[Fact, ...] = (
    ReportLinked(2, SUBJECT),
    ReportLinked(3, SUBJECT, precision="day"),
    ReportUnlinked(2, UUID(int=9)),
    CrewArrived("crew-1", None),
    SeverityAssessed("major", "trunk"),
    SeverityReassessed("small", "valve", "sha256:" + "0" * 64),
    DetailCorrected("kind", "leak", "burst"),
    DetailCorrected("kind", "leak", "cover"),
    DetailCorrected("kind", "leak", "valve"),
    RepairCompleted(),
    RepairCompleted(precision="by"),
    RepairCompleted(precision="day"),
    IncidentDismissed("not-ours"),
)
instants = st.integers(-20, 400).map(lambda hours: datetime(2011, 10, 30, 4, 30, tzinfo=UTC) + hours * HOUR)
told_repairs = st.lists(st.tuples(st.sampled_from(REPAIR_FACTS), instants), max_size=8)


days = st.integers(0, 16).map(lambda day: datetime(2011, 10, 29, tzinfo=ZONE) + day * DAY)
"""The beginnings of days in New York; the clocks are put back on one of them."""


@given(
    told_repairs,
    st.one_of(instants.map(lambda at: (at, "second")), days.map(lambda at: (at.astimezone(UTC), "day"))),
    st.sampled_from(sorted(CITY_STANDARDS)),
    st.sampled_from(["leak", "burst", "cover"]),
)
def test_recount_and_algebra_agree_on_limits_in_days_over_a_clock_change(
    told: Sequence[tuple[Fact, datetime]], first: tuple[datetime, Any], standard: str, kind: str
) -> None:
    reported, precision = first
    play = Published(kinds.REPAIR, CITY_RULES[standard])
    play.say(FaultReported("BX-1", kind, "x", "urban", SUBJECT, precision=precision), reported)
    at = reported
    for fact, happened in told:
        at = max(at, happened)
        play.say(fact, happened, at=at)
        assert told_apart(disagreements(play.events, CITY_POLICIES[standard], at)) == []
    latest = datetime(2011, 12, 24, tzinfo=UTC)
    play.conclude(latest)
    assert told_apart(disagreements(play.events, CITY_POLICIES[standard], latest)) == []


def test_a_stored_repair_in_working_days_recounts_under_its_citys_rule() -> None:
    events = history("repair-in-working-days")
    lines = (HISTORIES / "calendar-abroad.jsonl").read_bytes().splitlines()
    calendars = [(recorded.happened_at, recorded.fact) for _, recorded in map(read, lines)]
    standard = with_changes(SHIPPED, version="boston-rule-1", calendar_regions=("US",), **city_changes())
    found = disagreements(events, policy_of([standard], calendars), events[-1].recorded_at)
    assert told_apart(found) == []


def city_changes() -> dict[str, Any]:
    rule = city_rule()
    limits = {"street-light-outages": rule.limits["Street Light Outages"]}
    return {"kind_limits": limits, "intake": rule.intake, "history_channels": ("import",)}


# ---- uncounted stages

STAGED = with_changes(
    SHIPPED,
    uncounted_stages={"survey": 2, "design": 1, "payment": 3, "construction": 4, "inspection": 0},
    pause_cap_working_days=6,
)
STAGED_RULES = make_rules([STAGED], [(LONG_AGO, shipped_calendar())], [CATALOGUE])
STAGED_POLICY = policy_of([STAGED])


def quote(amount_fen: int) -> said.QuoteIssued:
    return said.QuoteIssued(1, "2021-1", "person", (said.QuoteLine("installation", Decimal(1), amount_fen),))


def paid(number: str, amount_fen: int) -> said.PaymentReceived:
    return said.PaymentReceived(number, (said.MoneyLine("installation", amount_fen),))


PROOF = "sha256:" + "0" * 64
STAGE_FACTS: tuple[Fact, ...] = (
    said.SurveyMade(True, ()),
    said.DesignApproved(PROOF),
    said.ApprovedOnSite(UUID(int=3), "squad-1", PROOF),
    quote(50_000),
    quote(80_000),
    paid("P-1", 50_000),
    paid("P-2", 30_000),
    said.PaymentReversed("P-1", "bounced"),
    said.RefundMade("R-1", (said.MoneyLine("installation", 10_000),)),
    said.RefundReversed("R-1", "bounced"),
    said.ConstructionStarted("crew-1"),
    said.ConstructionCompleted(),
    said.FinalInspectionMade(False, ("leak",)),
    said.FinalInspectionMade(True, ()),
    said.PauseRequested(1, "site-not-ready", PROOF),
    said.PauseApproved(1),
    said.WaterTurnedOn(1, SUBJECT, meter("M-1")),
)
hours = st.one_of(st.integers(0, 20 * 24), st.integers(0, 15).map(lambda day: 24 * day + 8.5))
told_stages = st.lists(st.tuples(st.sampled_from(STAGE_FACTS), hours, st.integers(0, 72)), max_size=14)
UNPAID_TWICE: Sequence[tuple[Fact, Any, int]] = (
    (quote(50_000), 2, 0),
    (paid("P-1", 50_000), 30, 0),
    (quote(80_000), 50, 0),
    (paid("P-2", 30_000), 80, 0),
)


@example(UNPAID_TWICE)
@given(told_stages)
def test_recount_and_algebra_agree_on_connections_with_uncounted_stages(
    told: Sequence[tuple[Fact, Any, int]],
) -> None:
    play = Published(kinds.CONNECTION, STAGED_RULES)
    play.append(said.ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE, channel="website")
    play.say(said.ApplicationAdmitted("papers"), NINE, channel="website")
    for fact, recorded, late in sorted(told, key=lambda step: step[1]):
        at = NINE + recorded * HOUR
        play.say(fact, max(NINE, at - late * HOUR), at=at)
        assert told_apart(disagreements(play.events, STAGED_POLICY, at)) == []
    latest = NINE + timedelta(days=40)
    play.conclude(latest)
    assert told_apart(disagreements(play.events, STAGED_POLICY, latest)) == []


def admitted(standard: Any) -> Published:
    play = Published(kinds.CONNECTION, make_rules([standard], [(LONG_AGO, shipped_calendar())], [CATALOGUE]))
    play.append(said.ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE)
    play.say(said.ApplicationAdmitted("papers"), NINE)
    return play


def day_of_water(play: Published, at: datetime) -> str:
    due_at = play.windows(at)["connection.water_on"].due_at
    assert due_at is not None
    return due_at.date().isoformat()


def test_a_day_at_whose_close_an_uncounted_stage_stands_is_not_counted_up_to_its_cap() -> None:
    play = admitted(with_changes(SHIPPED, uncounted_stages={"payment": 2}))
    assert day_of_water(play, NINE) == "2026-09-22"
    play.say(quote(50_000), NINE + 24 * HOUR)
    # Unpaid at the close of Thursday, Friday and the make-up Sunday: of the three days two are excused.
    play.say(paid("P-1", 50_000), NINE + 5 * 24 * HOUR)
    assert day_of_water(play, NINE) == "2026-09-24"


def test_a_stage_that_our_own_standard_counts_stops_nothing() -> None:
    play = admitted(SHIPPED)
    play.say(quote(50_000), NINE + 24 * HOUR)
    assert day_of_water(play, NINE) == "2026-09-22"


def test_what_is_quoted_and_paid_in_the_same_hour_excuses_no_day() -> None:
    play = admitted(with_changes(SHIPPED, uncounted_stages={"payment": 5}))
    play.say(quote(50_000), NINE + HOUR)
    play.say(paid("P-1", 50_000), NINE + 2 * HOUR)
    assert day_of_water(play, NINE) == "2026-09-22"

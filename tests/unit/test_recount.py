"""The recount as the oracle: two implementations, one verdict, whatever happens to a case in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consumers.recount.policy import Policy
from domain import kinds, repair
from domain.calendar import CalendarPublished, Day
from domain.connection import facts as said
from domain.facts import Fact
from domain.standards import Rules, make_rules
from infra.rules import shipped_calendar, shipped_catalogue, shipped_standard
from tests.unit.cases import NINE, SUBJECT, meter, minutes
from tests.unit.recounting import LONG_AGO, Published, disagreements, policy_of, told_apart

PROOF = "sha256:" + "0" * 64
ELSEWHERE = UUID(int=9)


# ---- repairs

REPAIR_FACTS: tuple[Fact, ...] = (
    repair.ReportLinked(2, SUBJECT),
    repair.ReportLinked(3, SUBJECT, precision="day"),
    repair.ReportLinked(4, SUBJECT, precision="by"),
    repair.ReportUnlinked(2, ELSEWHERE),
    repair.ReportUnlinked(3, ELSEWHERE),
    repair.CrewArrived("crew-1", None),
    repair.SeverityAssessed("small", "valve"),
    repair.SeverityAssessed("medium", "dn-100"),
    repair.SeverityReassessed("medium", "road", PROOF),
    repair.SeverityReassessed("major", "trunk", PROOF),
    repair.WorkLogged("welding", "crew-1"),
    repair.ShiftHandedOver("crew-1", "crew-2"),
    repair.RepairCompleted(),
    repair.RepairCompleted(precision="day"),
    repair.RepairCompleted(precision="by"),
    repair.WaterRestored(),
    repair.IncidentDismissed("not-ours"),
    repair.IncidentDismissed("not-ours", precision="by"),
    repair.ReporterAnswered(1, "phone", None),
    repair.ReporterAnswered(2, "phone", None),
    repair.ReporterAnswered(3, "phone", None),
    repair.CaseClosed(),
)
SHIPPED = shipped_standard()
STARTS = ("report", "arrival", "assessment")
REPAIR_STANDARDS = {start: replace(SHIPPED, completion_from=start) for start in STARTS}  # type: ignore[arg-type]
REPAIR_STANDARDS["fewer"] = replace(SHIPPED, assessment_minutes=None, continuity_minutes=None, answer_minutes=None)
REPAIR_RULES = {
    name: make_rules([standard], [(LONG_AGO, shipped_calendar())], [shipped_catalogue()])
    for name, standard in REPAIR_STANDARDS.items()
}
REPAIR_POLICIES = {name: policy_of([standard]) for name, standard in REPAIR_STANDARDS.items()}
# Whole and half minutes, and often the very ends: 30, 60, 240, 480.
minute = st.one_of(st.integers(-30, 1_500), st.integers(-30, 1_500).map(lambda n: n + 0.5), st.sampled_from([30, 240]))
told_repairs = st.lists(
    st.tuples(st.sampled_from(REPAIR_FACTS), minute, st.sampled_from(["", "import", "hotline"])), max_size=14
)


@given(
    told_repairs,
    st.sampled_from(sorted(REPAIR_STANDARDS)),
    st.sampled_from(["urban", "other"]),
    st.sampled_from(["hotline", "import"]),
    st.sampled_from(["second", "second", "day"]),
)
def test_recount_and_algebra_agree_on_every_repair_told_in_any_order(
    told: Sequence[tuple[Fact, float, str]], standard: str, zone: Any, channel: str, precision: Any
) -> None:
    play = Published(kinds.REPAIR, REPAIR_RULES[standard])
    play.say(repair.FaultReported("BX-1", "leak", "x", zone, SUBJECT, precision=precision), NINE, channel=channel)
    for place, (fact, happened, over) in enumerate(told):
        # Recorded in the order told, most of it long after it happened: late, early and doubled facts alike.
        at = minutes(100 * place)
        play.say(fact, minutes(happened), at=at, channel=over)
        assert told_apart(disagreements(play.events, REPAIR_POLICIES[standard], at)) == []
    play.conclude(minutes(9_000))
    assert told_apart(disagreements(play.events, REPAIR_POLICIES[standard], minutes(9_000))) == []


# ---- connections

CONNECTION_FACTS: tuple[Fact, ...] = (
    said.DocumentSupplied("identity", "upload", PROOF),
    said.DocumentSupplied("property-right", "upload", PROOF),
    said.DocumentRejected("property-right", "illegible"),
    said.OneTimeNoticeGiven((said.NoticeItem("identity", "missing"),)),
    said.PapersPromised(("property-right",), date(2026, 9, 18), "suspend", PROOF),
    said.PapersPromised(("property-right",), date(2026, 9, 18), "end", PROOF),
    said.ApplicationAdmitted("papers"),
    said.ApplicationWithdrawn("other"),
    said.ApplicationRefused("no-supply-capacity", "no main in the road"),
    said.CaseSuspended("other"),
    said.ApplicantAppeared("counter", "papers"),
    said.PauseRequested(1, "site-not-ready", PROOF),
    said.PauseApproved(1),
    said.PauseEnded(1),
    said.PauseRevoked(1, "no-reason"),
    said.PauseRequested(2, "force-majeure", PROOF),
    said.PauseApproved(2),
    said.PauseEnded(2),
    said.WaterTurnedOn(1, SUBJECT, meter("M-1")),
    said.WaterTurnedOn(2, SUBJECT, meter("M-2")),
    said.CaseResumed("papers-in"),
)
hours = st.integers(0, 30 * 24)
told_connections = st.lists(st.tuples(st.sampled_from(CONNECTION_FACTS), hours, st.integers(0, 72)), max_size=14)
revised = st.lists(
    st.tuples(hours, st.dates(date(2026, 9, 16), date(2026, 10, 9)), st.booleans()).map(
        lambda found: (NINE + timedelta(hours=found[0]), Day(found[1], found[2], "x"))
    ),
    max_size=3,
)
Revision = tuple[datetime, Day]


def calendars(revisions: Sequence[Revision]) -> list[tuple[datetime, CalendarPublished]]:
    """The shipped calendar and its revisions, each of which moves a day more."""
    shipped = shipped_calendar()
    found, moved = [(LONG_AGO, shipped)], {day.date: day for day in shipped.days}
    for number, (published_at, day) in enumerate(sorted(revisions, key=lambda each: each[0]), start=2):
        moved = moved | {day.date: day}
        found.append((published_at, replace(shipped, version=f"2026-{number}", days=tuple(moved.values()))))
    return found


def both(revisions: Sequence[Revision]) -> tuple[Rules, Policy]:
    """The same policy for the rulebook and for the recount."""
    days = calendars(revisions)
    return make_rules([SHIPPED], days, [shipped_catalogue()]), policy_of(calendars=days)


@given(told_connections, revised, st.integers(1, 2), st.sampled_from(["website", "counter", "hotline"]))
def test_recount_and_algebra_agree_on_every_connection_with_pauses_stops_and_revised_calendars(
    told: Sequence[tuple[Fact, int, int]], revisions: Sequence[Revision], points: int, channel: str
) -> None:
    rules, policy = both([])
    play = Published(kinds.CONNECTION, rules)
    play.say(said.ApplicationReceived("BZ-1", "private", points, SUBJECT), NINE, channel=channel)
    for fact, recorded, late in sorted(told, key=lambda step: step[1]):
        at = NINE + timedelta(hours=recorded)
        play.rules, policy = both([each for each in revisions if each[0] <= at])
        play.say(fact, max(NINE, at - timedelta(hours=late)), at=at)
        assert told_apart(disagreements(play.events, policy, at)) == []
    latest = NINE + timedelta(days=40)
    play.rules, policy = both(revisions)
    play.conclude(latest)
    assert told_apart(disagreements(play.events, policy, latest)) == []

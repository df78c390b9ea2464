"""Limits in days by other offices' customs: intake hours, civil days, the time of day, and clocks that are changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.connections.stages import STAGES
from domain.deadlines.calendar import Calendar, CalendarPublished, CalendarVersion, Day, from_published
from domain.deadlines.explain import WindowExplained, explain
from domain.deadlines.limits import ClockStop, DayUnit, Intake, WorkingDays, count, end, received
from domain.deadlines.windows import Obligation, Term
from domain.repairs.facts import CrewArrived, DetailCorrected, FaultReported, RepairCompleted, SeverityAssessed
from domain.standard.flat import with_changes
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import Rules, make_rules
from infra.eventstore.shipped_rules import shipped_calendar, shipped_catalogue, shipped_standard
from projections.reports.explain import CaseWindowExplained, lines
from tests.unit.cases import NINE, SUBJECT, Play

NEW_YORK = ZoneInfo("America/New_York")
CITY = CalendarPublished("US", "2011-1", date(2012, 12, 28), (), (), "test", "America/New_York")
CALENDAR = from_published([CITY])
HOURS = Intake(until=time(17, 0), opens=time(8, 30))
CLOSE = time(17, 30)
CHINA = from_published([shipped_calendar()])


def wall(text: str, fold: int = 0) -> datetime:
    """An instant by New York's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold).astimezone(UTC)


def due(start: datetime, days: int, unit: DayUnit = "working") -> str:
    """Until when, by New York's wall clock."""
    found = count(WorkingDays(start, days, CLOSE, unit=unit, ends="same-time", intake=HOURS), CALENDAR).due_at
    return at_the_wall(found)


def at_the_wall(instant: datetime) -> str:
    return instant.astimezone(NEW_YORK).replace(tzinfo=None).isoformat()


# ---- intake hours


@pytest.mark.parametrize(
    ("reported", "days", "expected"),
    [
        ("2011-09-12T10:15:00", 2, "2011-09-14T10:15:00"),  # Monday to Wednesday, at the time of the report
        ("2011-09-15T16:59:59", 2, "2011-09-19T16:59:59"),  # Thursday, over the weekend
        ("2011-09-15T17:00:00", 1, "2011-09-19T08:30:00"),  # too late on Thursday: received on Friday
        ("2011-09-16T23:10:00", 1, "2011-09-20T08:30:00"),  # too late on Friday: received on Monday
        ("2011-09-17T09:20:00", 1, "2011-09-20T09:20:00"),  # Saturday counts as Monday at the same time
        ("2011-09-18T19:00:00", 1, "2011-09-21T08:30:00"),  # Sunday evening: Monday evening, so Tuesday morning
        ("2011-09-12T05:00:00", 1, "2011-09-13T05:00:00"),  # before the office opens: at once
    ],
)
def test_what_comes_in_outside_the_hours_counts_from_the_next_working_day(
    reported: str, days: int, expected: str
) -> None:
    assert due(wall(reported), days) == expected


def test_civil_days_know_no_intake_hours() -> None:
    assert due(wall("2011-09-17T23:10:00"), 45, "civil") == "2011-11-01T23:10:00"


def test_a_public_holiday_that_is_worked_counts_and_one_that_is_not_does_not() -> None:
    columbus = Day(date(2011, 10, 10), off=True, name="Columbus Day")
    off = from_published([replace(CITY, days=(columbus,))])
    limit = WorkingDays(wall("2011-10-07T10:00:00"), 1, CLOSE, ends="same-time", intake=HOURS)
    assert count(limit, CALENDAR).due_at == wall("2011-10-10T10:00:00")
    assert count(limit, off).due_at == wall("2011-10-11T10:00:00")


def test_the_close_of_business_is_by_the_calendars_own_wall_clock() -> None:
    found = count(WorkingDays(wall("2011-09-12T10:15:00"), 1, CLOSE), CALENDAR)
    assert found.due_at == wall("2011-09-13T17:30:00") == datetime(2011, 9, 13, 21, 30, tzinfo=UTC)


# ---- clocks that are changed


def test_a_due_time_beyond_a_clock_change_keeps_its_time_of_day() -> None:
    # 6 November 2011, 02:00: back to 01:00. 13 March 2011, 02:00: on to 03:00.
    assert due(wall("2011-11-04T10:00:00"), 2) == "2011-11-08T10:00:00"
    assert due(wall("2011-03-11T10:00:00"), 2) == "2011-03-15T10:00:00"
    found = count(WorkingDays(wall("2011-11-04T10:00:00"), 1, CLOSE, ends="same-time"), CALENDAR)
    assert found.due_at - wall("2011-11-04T10:00:00") == timedelta(days=3, hours=1), "the weekend had an hour more"


def test_a_due_time_that_comes_twice_is_the_earlier_one() -> None:
    limit = WorkingDays(wall("2011-11-05T01:30:00"), 1, CLOSE, unit="civil", ends="same-time")
    assert count(limit, CALENDAR).due_at == datetime(2011, 11, 6, 5, 30, tzinfo=UTC)


def test_a_report_in_the_hour_that_comes_twice_is_due_at_the_same_time_whichever_it_was() -> None:
    first, second = wall("2011-11-06T01:30:00"), wall("2011-11-06T01:30:00", fold=1)
    assert second - first == timedelta(hours=1)
    assert due(first, 1, "civil") == due(second, 1, "civil") == "2011-11-07T01:30:00"


def test_a_due_time_that_is_skipped_is_as_much_later_as_was_skipped() -> None:
    limit = WorkingDays(wall("2011-03-12T02:30:00"), 1, CLOSE, unit="civil", ends="same-time")
    assert count(limit, CALENDAR).due_at == wall("2011-03-13T03:30:00") == datetime(2011, 3, 13, 7, 30, tzinfo=UTC)


def test_a_minute_limit_over_a_clock_change_has_every_one_of_its_minutes() -> None:
    start = wall("2011-11-06T00:50:00")
    standard = replace(shipped_standard(), calendar_regions=("US",))
    rules = make_rules([standard], [(datetime(2011, 1, 1, tzinfo=UTC), CITY)], [shipped_catalogue()])
    play = Play(kinds.REPAIR, rules)
    play.say(FaultReported("BX-1", "leak", "qianzhou", "urban", SUBJECT), start)
    due_at = play.windows(start)["repair.completion"].due_at
    assert due_at is not None
    assert due_at - start == timedelta(hours=4)
    assert at_the_wall(due_at) == "2011-11-06T03:50:00", "an hour came twice"


# ---- the year's odd days


def test_a_leap_day_is_a_day() -> None:
    start = datetime(2011, 3, 1, 15, 0, tzinfo=UTC)
    limit = WorkingDays(start, 365, CLOSE, unit="civil", ends="same-time")
    assert CALENDAR.local(count(limit, CALENDAR).due_at).date() == date(2012, 2, 29)
    thursday = WorkingDays(datetime(2024, 2, 28, 2, 0, tzinfo=UTC), 1, CLOSE)
    assert count(thursday, CHINA).due_at == datetime(2024, 2, 29, 9, 30, tzinfo=UTC)


def test_over_a_year_end_without_the_next_notice_the_end_is_tentative_and_moves_when_it_comes() -> None:
    admitted = datetime(2026, 12, 29, 2, 0, tzinfo=UTC)
    limit = WorkingDays(admitted, 5, CLOSE)
    before = CalendarVersion(datetime(2021, 1, 1, tzinfo=UTC), CHINA)
    open_end = end(limit, [before], None)
    # 1 January is off by law; the 2nd and 3rd are a weekend; whatever else the notice of 2027 says is not known yet.
    assert (open_end.due_at, open_end.tentative) == (datetime(2027, 1, 6, 9, 30, tzinfo=UTC), True)
    shipped = shipped_calendar()
    notice = (Day(date(2027, 1, 1), True, "元旦"), Day(date(2027, 1, 4), True, "元旦"))
    days = tuple(sorted((*shipped.days, *notice), key=lambda day: day.date))
    revised = from_published([replace(shipped, version="2027-1", settled_until=date(2027, 12, 28), days=days)])
    found = end(limit, [before, CalendarVersion(admitted + timedelta(hours=4), revised)], None)
    assert (found.due_at, found.tentative) == (datetime(2027, 1, 7, 9, 30, tzinfo=UTC), False)


def test_a_limit_in_civil_days_is_never_tentative() -> None:
    limit = WorkingDays(datetime(2026, 12, 29, 2, 0, tzinfo=UTC), 30, CLOSE, unit="civil")
    assert not count(limit, CHINA).tentative


@given(
    st.integers(0, 12_000).map(lambda hours: datetime(2011, 1, 1, 5, 30, tzinfo=UTC) + timedelta(hours=hours)),
    st.integers(1, 30),
    st.sampled_from(["working", "civil"]),
    st.booleans(),
)
def test_a_limit_ends_later_the_later_it_begins_and_never_on_a_day_off(
    start: datetime, days: int, unit: Any, has_hours: bool
) -> None:
    def made(at: datetime) -> WorkingDays:
        return WorkingDays(at, days, CLOSE, unit=unit, ends="same-time", intake=HOURS if has_hours else None)

    # A day later by the wall clock: 24 hours later it is an hour earlier there, where summer time ended in between.
    wall = CALENDAR.local(start)
    a_day_later = CALENDAR.instant(wall.date() + timedelta(days=1), wall.time())
    found, later = count(made(start), CALENDAR), count(made(a_day_later), CALENDAR)
    day, at = received(made(start), CALENDAR)
    assert start < found.due_at
    assert found.due_at <= later.due_at
    assert len(found.counted) == days
    assert found.counted[0] > day
    assert CALENDAR.local(found.due_at).date() == found.counted[-1]
    if unit == "working":
        assert all(CALENDAR.is_working_day(each) for each in found.counted)
    if CALENDAR.local(found.due_at).time() != at:
        skipped = (date(2011, 3, 13), date(2012, 3, 11))
        assert CALENDAR.local(found.due_at).date() in skipped, "only the hour that was skipped"


# ---- a kind of fault with a limit of its own


def city_rules(**changes: Any) -> Rules:
    promised = {"leak": KindLimit(2, "working", "same-time"), "cover": KindLimit(45, "civil", "same-time")}
    standard = with_changes(shipped_standard(), calendar_regions=("US",), kind_limits=promised, intake=HOURS, **changes)
    return make_rules([standard], [(datetime(2011, 1, 1, tzinfo=UTC), CITY)], [shipped_catalogue()])


def broken(rules: Rules, kind: str, at: datetime) -> Play:
    play = Play(kinds.REPAIR, rules)
    play.say(FaultReported("BX-1", kind, "qianzhou", "urban", SUBJECT), at)
    return play


def test_a_kind_with_a_limit_of_its_own_is_held_to_it_whatever_its_class() -> None:
    start = wall("2011-09-16T18:00:00")
    play = broken(city_rules(), "leak", start)
    for severity in ("small", "major"):
        play.say(SeverityAssessed(severity, "x"), start + timedelta(hours=1))
        window = play.windows(start)["repair.completion"]
        assert window.due_at == wall("2011-09-21T08:30:00")
        assert window.basis.calendar == "US@2011-1"


def test_a_kind_without_one_is_held_to_its_class() -> None:
    start = wall("2011-09-16T18:00:00")
    assert broken(city_rules(), "valve", start).windows(start)["repair.completion"].due_at == start + timedelta(hours=4)


def test_a_corrected_kind_is_held_to_its_own_limit_from_the_beginning_and_the_lapse_falls_away() -> None:
    start = wall("2011-09-12T10:00:00")
    play = broken(city_rules(), "leak", start)
    assert [type(fact).__name__ for fact in play.conclude(wall("2011-09-14T10:00:00"))][-1] == "WindowLapsed"
    corrected = play.say(DetailCorrected("kind", "leak", "cover"), wall("2011-09-15T10:00:00"))
    assert {"WindowMoved", "WindowRetracted"} <= {type(fact).__name__ for fact in corrected}
    assert play.windows(NINE)["repair.completion"].due_at == wall("2011-10-27T10:00:00")


def test_a_completion_that_starts_at_the_arrival_counts_its_days_from_there() -> None:
    start = wall("2011-09-12T10:00:00")
    play = broken(city_rules(completion_from="arrival"), "leak", start)
    play.say(CrewArrived("crew-1", None), wall("2011-09-13T11:00:00"))
    assert play.windows(start)["repair.completion"].due_at == wall("2011-09-15T11:00:00")


# ---- known by the day only


def day_only(at: str, *, rules: Rules | None = None, kind: str = "cover") -> Play:
    """Imported history whose report is known by its day; it begins at midnight in New York."""
    play = Play(kinds.REPAIR, rules or city_rules(history_channels=("import",)))
    fact = FaultReported("BX-1", kind, "qianzhou", "urban", SUBJECT, precision="day")
    play.say(fact, wall(f"{at}T00:00:00"), at=NINE, channel="import")
    return play


def completion(play: Play) -> tuple[str | None, bool, int]:
    """Why it is owed no more, whether it was met, and its lapses that stand."""
    known = play.state.ledger["repair.completion"]
    return known.reason, known.met_at is not None, len(known.lapses)


def done(play: Play, at: str, precision: Any = "second") -> tuple[str | None, bool, int]:
    play.say(RepairCompleted(precision=precision), wall(at), at=NINE, channel="import")
    return completion(play)


MET, LAPSED, NOBODY_KNOWS = (None, True, 0), (None, True, 1), ("unknown", False, 0)


@pytest.mark.parametrize(
    ("at", "precision", "expected"),
    [
        # 45 civil days from 12 September: the limit ended at some time of 27 October.
        ("2011-10-26T23:59:59", "second", MET),
        ("2011-10-27T00:00:00", "second", MET),
        ("2011-10-27T00:00:01", "second", NOBODY_KNOWS),
        ("2011-10-27T23:00:00", "second", NOBODY_KNOWS),
        ("2011-10-28T00:00:00", "second", LAPSED),
        ("2011-10-20T00:00:00", "day", MET),
        ("2011-10-27T00:00:00", "day", NOBODY_KNOWS),
        ("2011-10-28T00:00:00", "day", LAPSED),
        ("2011-10-20T00:00:00", "by", MET),
        ("2011-10-28T00:00:00", "by", NOBODY_KNOWS),
        ("2011-09-12T00:00:00", "day", MET),
    ],
)
def test_a_limit_in_days_is_judged_from_a_day_where_the_day_is_enough_to_tell(
    at: str, precision: Any, expected: tuple[str | None, bool, int]
) -> None:
    play = day_only("2011-09-12")
    assert done(play, at, precision) == expected
    assert play.state.ledger["repair.arrival"].reason == "unknown", "in minutes nothing is judged of a day"


def test_a_limit_in_days_whose_report_is_known_by_its_day_lapses_when_the_last_hour_is_over() -> None:
    play = day_only("2011-09-12")
    assert completion(play) == (None, False, 1)
    assert play.state.ledger["repair.completion"].due_at == wall("2011-10-28T00:00:00") - timedelta(microseconds=1)


def test_a_limit_that_ends_at_the_close_of_its_last_day_ends_there_at_whatever_hour_it_was_reported() -> None:
    standard = with_changes(
        city_rules(history_channels=("import",)).newest,
        intake=None,
        kind_limits={"cover": KindLimit(3, "working", "close")},
    )
    rules = make_rules([standard], [(datetime(2011, 1, 1, tzinfo=UTC), CITY)], [shipped_catalogue()])
    play = day_only("2011-09-12", rules=rules)
    assert play.state.ledger["repair.completion"].due_at == wall("2011-09-15T17:30:00")
    assert done(play, "2011-09-15T17:00:00") == MET
    assert done(day_only("2011-09-12", rules=rules), "2011-09-15T00:00:00", "day") == NOBODY_KNOWS
    assert done(day_only("2011-09-12", rules=rules), "2011-09-14T00:00:00", "day") == MET


def test_a_report_of_that_day_may_have_come_after_the_office_had_closed() -> None:
    # Monday: received on Monday and due on Wednesday, or after hours and due on Thursday at half past eight.
    assert done(day_only("2011-09-12", kind="leak"), "2011-09-15T08:30:00") == NOBODY_KNOWS
    assert done(day_only("2011-09-12", kind="leak"), "2011-09-15T08:31:00") == LAPSED
    assert done(day_only("2011-09-12", kind="leak"), "2011-09-13T23:00:00") == MET


# ---- explained


def window(limit: WorkingDays, calendar: Calendar = CALENDAR) -> WindowExplained:
    found = end(limit, [CalendarVersion(datetime(2011, 1, 1, tzinfo=UTC), calendar)], None)
    term = Term(limit.start, found.due_at, (UUID(int=1),), counted=found)
    owed = Obligation("repair.completion", limit.start, (term,), None, (), "s", found.calendar)
    return explain(owed, (), found.due_at)


def told_in_words(limit: WorkingDays, calendar: Calendar = CALENDAR) -> str:
    case = CaseWindowExplained(UUID(int=1), "BX-1", "repair", window(limit, calendar), dict(STAGES))
    return "\n".join(lines(case))


def explained(limit: WorkingDays) -> Sequence[tuple[str, str]]:
    (shown,) = window(limit).terms
    assert sum(day.number is not None for day in shown.days) == limit.days
    return [(f"{day.day:%a}", day.rule) for day in shown.days]


def test_the_day_on_which_a_late_report_counts_as_received_is_told_as_such() -> None:
    friday_night = WorkingDays(wall("2011-09-16T23:10:00"), 2, CLOSE, ends="same-time", intake=HOURS)
    assert explained(friday_night) == [
        ("Fri", "start"),
        ("Sat", "weekend"),
        ("Sun", "weekend"),
        ("Mon", "intake"),
        ("Tue", "worked"),
        ("Wed", "worked"),
    ]


def test_civil_days_are_told_as_such() -> None:
    saturday = WorkingDays(wall("2011-09-17T23:10:00"), 2, CLOSE, unit="civil", ends="same-time")
    assert explained(saturday) == [("Sat", "start"), ("Sun", "civil"), ("Mon", "civil")]
    assert "civil day 自然日" in told_in_words(saturday)
    assert "= 2 of 2 civil days counted 共计 2 个自然日" in told_in_words(saturday)


def test_an_uncounted_stage_is_told_by_its_name() -> None:
    stop = ClockStop(NINE, NINE + timedelta(days=2), 5, (UUID(int=2),), "payment")
    text = told_in_words(WorkingDays(NINE - timedelta(hours=1), 5, CLOSE, (stop,), 40), CHINA)
    assert "stood: pause, not counted 中止不计 (待缴费 payment)" in text
    assert "= 5 of 5 working days counted 共计 5 个工作日" in text

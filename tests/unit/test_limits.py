"""Limits in working days: pauses, caps, and what a revised calendar does to a deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.deadlines.calendar import CalendarVersion, Day, closing_time, from_published, local_date
from domain.deadlines.limits import ClockStop, WorkingDays, count, end, stood_for
from infra.eventstore.shipped_rules import shipped_calendar

CLOSE = time(17, 30)
SHIPPED = shipped_calendar()
CN = from_published([SHIPPED])
LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)
WEDNESDAY = datetime(2026, 9, 9, 1, 0, tzinfo=UTC)
"""2026-09-09, 09:00 in China; the five working days after it are the 10th, 11th, 14th, 15th and 16th."""
DUE = datetime(2026, 9, 16, 9, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def stop(since: datetime, until: datetime | None, cap: int = 20) -> ClockStop:
    return ClockStop(since, until, cap, (UUID(int=3),))


def limit(*stops: ClockStop, start: datetime = WEDNESDAY, days: int = 5, cap: int = 40) -> WorkingDays:
    return WorkingDays(start, days, CLOSE, stops, cap)


def version(published_at: datetime, *days: Day, name: str = "2") -> CalendarVersion:
    moved = {day.date: day for day in (*SHIPPED.days, *days)}
    return CalendarVersion(published_at, from_published([replace(SHIPPED, version=name, days=tuple(moved.values()))]))


FIRST = CalendarVersion(LONG_AGO, CN)


# ---- pauses


def test_a_day_does_not_count_where_the_clock_stood_at_its_close() -> None:
    over_one_close = stop(WEDNESDAY + DAY + 3 * HOUR, WEDNESDAY + 2 * DAY)
    found = count(limit(over_one_close), CN)
    assert found.stood == (date(2026, 9, 10),)
    assert found.due_at == DUE + DAY


def test_a_pause_that_ends_before_the_close_costs_the_applicant_nothing() -> None:
    within_a_day = stop(WEDNESDAY + DAY, WEDNESDAY + DAY + 8 * HOUR)
    assert count(limit(within_a_day), CN).due_at == DUE


def test_a_pause_over_days_that_are_not_worked_moves_nothing() -> None:
    friday_night = datetime(2026, 9, 11, 10, 0, tzinfo=UTC)
    assert count(limit(stop(friday_night, friday_night + 2 * DAY)), CN).due_at == DUE


def test_two_pauses_over_one_day_excuse_it_once() -> None:
    same = (WEDNESDAY + DAY, WEDNESDAY + DAY + 10 * HOUR)
    assert count(limit(stop(*same), stop(*same)), CN).due_at == DUE + DAY


def test_a_pause_excuses_no_more_days_than_its_reason_allows() -> None:
    assert count(limit(stop(WEDNESDAY, None, cap=2)), CN).due_at == count(limit(days=7), CN).due_at


def test_all_pauses_together_excuse_no_more_days_than_the_standard_allows() -> None:
    endless = stop(WEDNESDAY, None, cap=30)
    assert count(limit(endless, cap=3), CN).due_at == count(limit(days=8), CN).due_at


hours = st.integers(0, 40 * 24).map(lambda count: WEDNESDAY + count * HOUR)
stops = st.lists(
    st.builds(
        lambda since, length, cap: stop(since, None if length is None else since + length * HOUR, cap),
        hours,
        st.one_of(st.none(), st.integers(1, 300)),
        st.integers(0, 6),
    ),
    max_size=4,
    unique=True,
)


@given(stops, st.integers(1, 8), st.integers(0, 10), hours)
def test_counting_agrees_with_walking_day_by_day(found: list[ClockStop], days: int, cap: int, start: datetime) -> None:
    counted, stood = count(limit(*found, start=start, days=days, cap=cap), CN), []
    left, budget, day, ran = {s: s.cap_working_days for s in found}, cap, local_date(start), 0
    while ran < days:
        day += DAY
        if not CN.is_working_day(day):
            continue
        closing = closing_time(day, CLOSE)
        standing = [s for s in found if s.since <= closing and (s.until is None or closing < s.until) and left[s]]
        if standing and budget:
            left[standing[0]] -= 1
            budget -= 1
            stood.append(day)
        else:
            ran += 1
    assert (counted.due_at, list(counted.stood)) == (closing_time(day, CLOSE), stood)
    assert len(counted.counted) == days


@given(stops, hours)
def test_a_limit_never_runs_out_while_its_clock_stands(found: list[ClockStop], start: datetime) -> None:
    uncapped = [replace(s, cap_working_days=10_000, until=s.until or s.since + 300 * HOUR) for s in found]
    due_at = count(limit(*uncapped, start=start, cap=10_000), CN).due_at
    assert not any(s.covers(due_at) for s in uncapped)


@given(stops, hours)
def test_a_pause_never_moves_a_deadline_earlier(found: list[ClockStop], start: datetime) -> None:
    assert count(limit(*found, start=start), CN).due_at >= count(limit(start=start), CN).due_at


@given(stops, hours, st.integers(0, 1000))
def test_standing_time_is_counted_once_and_never_longer_than_the_time_itself(
    found: list[ClockStop], start: datetime, length: int
) -> None:
    until = start + length * HOUR
    instants = [start + n * HOUR for n in range(length)]
    assert stood_for(found, start, until) == sum(any(s.covers(i) for s in found) for i in instants) * HOUR


# ---- revised calendars


def test_a_revision_moves_an_open_deadline_later() -> None:
    off = version(WEDNESDAY + DAY, Day(date(2026, 9, 15), True, "放假"))
    assert end(limit(), [FIRST, off], None).due_at == DUE + DAY


def test_a_revision_after_the_commitment_was_met_changes_nothing() -> None:
    off = version(WEDNESDAY + 3 * DAY, Day(date(2026, 9, 15), True, "放假"))
    found = end(limit(), [FIRST, off], WEDNESDAY + 2 * DAY)
    assert (found.due_at, found.calendar) == (DUE, "CN@2026-1")


def test_the_calendar_in_force_at_the_start_is_not_a_revision() -> None:
    worked = version(WEDNESDAY - DAY, Day(date(2026, 9, 12), False, "补班"))
    assert end(limit(), [FIRST, worked], None).due_at == DUE - DAY


def test_a_deadline_moved_earlier_leaves_one_working_day_from_the_publication() -> None:
    tuesday_noon = datetime(2026, 9, 15, 4, 0, tzinfo=UTC)
    worked = version(tuesday_noon, Day(date(2026, 9, 12), False, "补班"))
    found = end(limit(), [FIRST, worked], None)
    assert found.due_at == datetime(2026, 9, 16, 9, 30, tzinfo=UTC)
    assert found.calendar == "CN@2"


def test_a_deadline_moved_earlier_in_good_time_is_the_new_one() -> None:
    worked = version(WEDNESDAY + HOUR, Day(date(2026, 9, 12), False, "补班"))
    assert end(limit(), [FIRST, worked], None).due_at == DUE - DAY


def test_a_further_revision_that_changes_nothing_gives_no_further_day() -> None:
    tuesday_noon = datetime(2026, 9, 15, 4, 0, tzinfo=UTC)
    worked = version(tuesday_noon, Day(date(2026, 9, 12), False, "补班"))
    same = version(tuesday_noon + DAY, Day(date(2026, 9, 12), False, "补班"), name="3")
    assert end(limit(), [FIRST, worked, same], None).due_at == end(limit(), [FIRST, worked], None).due_at


def test_a_deadline_that_has_run_out_is_not_moved_earlier_afterwards() -> None:
    worked = version(DUE + DAY, Day(date(2026, 9, 12), False, "补班"))
    assert end(limit(), [FIRST, worked], None).due_at == DUE


def test_a_deadline_that_has_run_out_is_moved_later_and_its_lapse_can_fall_away() -> None:
    off = version(DUE + DAY, Day(date(2026, 9, 16), True, "放假"))
    assert end(limit(), [FIRST, off], None).due_at == DUE + DAY


revisions = st.lists(
    st.tuples(st.integers(1, 12 * 24), st.dates(date(2026, 9, 9), date(2026, 9, 24)), st.booleans()), max_size=4
)


@given(revisions)
def test_no_revision_takes_an_open_deadline_away_without_a_working_day(found: list[tuple[int, date, bool]]) -> None:
    versions = [
        version(WEDNESDAY + hours * HOUR, Day(day, off, "x"), name=str(number))
        for number, (hours, day, off) in enumerate(sorted(found), start=2)
    ]
    judged = end(limit(), [FIRST], None).due_at
    for number, revision in enumerate(versions, start=1):
        after = end(limit(), [FIRST, *versions[:number]], None).due_at
        if after < judged and revision.published_at < judged:
            following = revision.calendar.add_working_days(local_date(revision.published_at), 1)
            assert after >= closing_time(following, CLOSE)
        judged = after

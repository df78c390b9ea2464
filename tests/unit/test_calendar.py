"""Working days in China, against the published table, an independent package and a day-by-day oracle."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deadlines.calendar import closing_time, from_published, local_date
from infra.eventstore.shipped_rules import shipped_regions, shipped_rules

CN = shipped_rules().calendar
XIANGXI = from_published(shipped_regions()[region] for region in ("CN", "CN-Xiangxi"))


@pytest.mark.parametrize(
    ("admitted", "national", "xiangxi"),
    [
        ("2026-02-13", "2026-02-27", "2026-02-27"),
        ("2026-04-30", "2026-05-11", "2026-05-11"),
        ("2026-05-03", "2026-05-11", "2026-05-11"),
        ("2026-09-17", "2026-09-23", "2026-09-28"),
        ("2026-09-19", "2026-09-24", "2026-09-29"),
        ("2026-09-30", "2026-10-13", "2026-10-13"),
    ],
)
def test_the_table_of_due_dates(admitted: str, national: str, xiangxi: str) -> None:
    day = date.fromisoformat(admitted)
    assert CN.add_working_days(day, 5) == date.fromisoformat(national)
    assert XIANGXI.add_working_days(day, 5) == date.fromisoformat(xiangxi)


PUBLISHED = [date(2015, 1, 1) + timedelta(days=n) for n in range((date(2027, 1, 1) - date(2015, 1, 1)).days)]
CROSSCHECK = Path(sys.prefix) / "crosscheck"
"""Where `make setup` puts the package `holidays`, beside the environment: it needs an older python-dateutil."""


def test_every_day_of_the_published_years_agrees_with_chinese_calendar() -> None:
    assert [day for day in PUBLISHED if CN.is_working_day(day) != chinese_calendar.is_workday(day)] == []


def test_every_day_of_the_published_years_agrees_with_holidays() -> None:
    assert CROSSCHECK.is_dir(), "the second calendar is missing; run `make setup`"
    program = (
        "import holidays, sys; from datetime import date\n"
        "known = holidays.country_holidays('CN', years=range(2015, 2027))\n"
        "print(' '.join(day for day in sys.stdin.read().split() if known.is_working_day(date.fromisoformat(day))))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        input=" ".join(day.isoformat() for day in PUBLISHED),
        env={"PYTHONPATH": str(CROSSCHECK), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    worked = {date.fromisoformat(day) for day in answer.stdout.split()}
    assert len(worked) > 2_900
    assert [day for day in PUBLISHED if CN.is_working_day(day) != (day in worked)] == []


def test_a_start_on_any_day_that_is_not_worked_counts_the_next_working_day_as_the_first() -> None:
    # An off-by-one of some libraries: they take a start on a day off for a start on the working day after it.
    for start in (day for day in PUBLISHED if day.year < 2026 and not CN.is_working_day(day)):
        following = next(d for n in range(1, 20) if CN.is_working_day(d := start + timedelta(days=n)))
        assert CN.add_working_days(start, 1) == following
        assert CN.add_working_days(start, 2) == CN.add_working_days(following, 1)


@given(st.dates(date(2015, 1, 1), date(2026, 11, 30)), st.integers(1, 30))
def test_adding_agrees_with_walking_day_by_day(start: date, count: int) -> None:
    worked: list[date] = []
    day = start
    while len(worked) < count:
        day += timedelta(days=1)
        if CN.is_working_day(day):
            worked.append(day)
    assert CN.add_working_days(start, count) == worked[-1]


@given(st.dates(date(2015, 1, 1), date(2026, 11, 30)), st.integers(1, 15))
def test_a_limit_ends_on_a_working_day_and_counts_exactly_its_days(start: date, count: int) -> None:
    end = CN.add_working_days(start, count)
    between = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert CN.is_working_day(end)
    assert sum(CN.is_working_day(day) for day in between) == count


def test_the_starting_day_does_not_count_whether_it_is_worked_or_not() -> None:
    friday, saturday, sunday = date(2026, 8, 21), date(2026, 8, 22), date(2026, 8, 23)
    assert {CN.add_working_days(day, 1) for day in (friday, saturday, sunday)} == {date(2026, 8, 24)}


def test_beyond_the_horizon_statutory_days_are_off_and_the_end_is_tentative() -> None:
    assert not CN.is_working_day(date(2027, 2, 8))
    assert CN.is_working_day(date(2027, 2, 9))
    assert CN.is_tentative(date(2027, 2, 9))


def test_the_last_days_of_the_last_published_year_are_not_settled() -> None:
    assert not CN.is_tentative(date(2026, 12, 28))
    assert CN.is_tentative(date(2026, 12, 29))


def test_a_limit_ends_at_the_close_of_business_in_china() -> None:
    assert closing_time(date(2026, 9, 23), time(17, 30)) == datetime(2026, 9, 23, 9, 30, tzinfo=UTC)


def test_the_civil_day_is_chinas_not_utcs() -> None:
    assert local_date(datetime(2026, 9, 16, 16, 30, tzinfo=UTC)) == date(2026, 9, 17)


def test_a_limit_of_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one working day"):
        CN.add_working_days(date(2026, 9, 16), 0)

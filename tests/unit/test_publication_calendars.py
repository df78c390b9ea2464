"""How a year's notice becomes part of the calendar, what is refused, and what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deadlines.calendar import CalendarPublished, Day, from_published
from domain.kernel.refusals import Refusal
from domain.publication import calendars
from domain.publication.calendars import HolidayNotice, calendar_warnings, notice_merged
from domain.publication.publishing import Calendars, evolve_calendar
from domain.standard.standards import Rules
from infra.eventstore.documents import notice_of
from infra.eventstore.shipped_rules import calendar_of, shipped_calendar, shipped_standard
from tests.unit.office import LONG_AGO, after, by

SHIPPED = shipped_calendar()
OFF, WORKED = True, False


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


def notice(year: int, *days: tuple[str, bool]) -> HolidayNotice:
    return HolidayNotice(year, tuple(Day(date.fromisoformat(day), off, "春节") for day, off in days))


def merged(latest: CalendarPublished | None, given_notice: HolidayNotice, **options: Any) -> CalendarPublished:
    return notice_merged(latest, given_notice, **({"region": "CN", "source": "示例通知"} | options))


def shipped_notice(year: int) -> HolidayNotice:
    return notice_of((resources.files("infra") / "data" / "holiday-cn" / f"{year}.json").read_bytes())


NEXT = notice(2027, ("2027-02-08", OFF), ("2027-02-13", WORKED))


# ---- merging


def test_year_by_year_the_notices_make_the_calendar_that_is_shipped() -> None:
    calendar: CalendarPublished | None = None
    for year in range(2015, 2027):
        calendar = merged(calendar, shipped_notice(year), statutory=SHIPPED.statutory)
        assert calendar.version == f"{year}-1"
    assert calendar is not None
    assert replace(calendar, source=SHIPPED.source) == SHIPPED


def test_a_notice_that_comes_again_replaces_its_year_and_nothing_else() -> None:
    assert merged(SHIPPED, shipped_notice(2019)).days == SHIPPED.days
    once = merged(SHIPPED, NEXT)
    twice = merged(once, notice(2027, ("2027-02-09", OFF)))
    assert (once.version, twice.version) == ("2027-1", "2027-2")
    assert [day.date.isoformat() for day in twice.days if day.date.year == 2027] == ["2027-02-09"]
    assert twice.days[:-1] == SHIPPED.days


def test_a_notice_may_move_the_last_days_of_the_year_before() -> None:
    once = merged(SHIPPED, notice(2027, ("2026-12-29", WORKED), ("2026-12-31", OFF), ("2027-01-01", OFF)))
    assert {day.date.isoformat(): day.off for day in once.days[-3:]} == {
        "2026-12-29": WORKED,
        "2026-12-31": OFF,
        "2027-01-01": OFF,
    }
    # An amended notice takes them back; an amended notice of the year before leaves them alone.
    assert date(2026, 12, 31) not in {day.date for day in merged(once, NEXT).days}
    assert merged(once, shipped_notice(2026)).days == once.days


def test_a_revision_of_an_earlier_year_settles_no_less_and_counts_up() -> None:
    revised = merged(SHIPPED, shipped_notice(2020))
    assert (revised.settled_until, revised.version) == (SHIPPED.settled_until, "2026-2")


def test_statutory_days_stay_for_the_years_to_come() -> None:
    assert merged(SHIPPED, NEXT).statutory == SHIPPED.statutory


def test_the_merged_calendar_counts_the_new_year() -> None:
    calendar = from_published([merged(SHIPPED, NEXT)])
    assert not calendar.is_working_day(date(2027, 2, 8))
    assert calendar.is_working_day(date(2027, 2, 13))
    assert not calendar.is_tentative(date(2027, 12, 28))
    assert calendar.is_tentative(date(2027, 12, 29))


@pytest.mark.parametrize(
    ("given_notice", "refusal"),
    [
        (notice(2028, ("2028-01-25", OFF)), "year-skipped"),
        (notice(2013, ("2013-01-01", OFF)), "year-skipped"),
        (notice(2027, ("2028-01-01", OFF)), "outside-calendar"),
        (notice(2027, ("2026-11-30", OFF)), "outside-calendar"),
        (notice(2027, ("2027-02-08", OFF), ("2027-02-08", WORKED)), "day-twice"),
        (notice(2027), "out-of-range"),
        (notice(1999, ("1999-01-01", OFF)), "out-of-range"),
        (notice(2200, ("2200-01-01", OFF)), "out-of-range"),
    ],
)
def test_a_notice_that_would_leave_the_calendar_wrong_is_refused(given_notice: HolidayNotice, refusal: str) -> None:
    with refused(refusal):
        merged(SHIPPED, given_notice)


def test_an_overlay_may_leave_years_out() -> None:
    first = merged(None, notice(2024, ("2024-09-20", OFF)), region="CN-Xiangxi")
    second = merged(first, notice(2026, ("2026-09-21", OFF)), region="CN-Xiangxi")
    assert [day.date.year for day in second.days] == [2024, 2026]


days_of_2027 = st.dates(date(2026, 12, 29), date(2027, 12, 28))


@given(st.lists(st.dictionaries(days_of_2027, st.booleans(), min_size=1, max_size=40), min_size=1, max_size=4))
def test_however_often_a_year_is_revised_the_last_notice_stands_and_other_years_stay(
    revisions: list[dict[date, bool]],
) -> None:
    calendar = SHIPPED
    for moved in revisions:
        days = tuple(Day(day, off, "节") for day, off in moved.items())
        calendar = merged(calendar, HolidayNotice(2027, days))
    assert calendar.version == f"2027-{len(revisions)}"
    assert [day for day in calendar.days if day.date <= SHIPPED.settled_until] == list(SHIPPED.days)
    assert {day.date: day.off for day in calendar.days if day.date > SHIPPED.settled_until} == revisions[-1]


# ---- publishing


@pytest.fixture
def known() -> Calendars:
    state: Calendars = after(evolve_calendar, None, SHIPPED, at=LONG_AGO)
    return state


def published(
    rules: Rules,
    state: Calendars | None,
    document: CalendarPublished,
    *,
    role: str = "manager",
    regions: Any = (),
    confirmed_by: str | None = "director-2",
) -> Calendars:
    fact = calendars.publish(state, by(rules, role), document=document, regions=regions, confirmed_by=confirmed_by)
    made: Calendars = after(evolve_calendar, state, fact)
    return made


def test_a_calendar_is_published_beside_the_earlier_ones(rules: Rules, known: Calendars) -> None:
    state = published(rules, known, merged(SHIPPED, NEXT))
    assert [document.version for _, document in state.published] == ["2026-1", "2027-1"]


STATUTORY = tuple(day for day in SHIPPED.statutory if day.year == 2027 and day.weekday() < 5)


def test_a_notice_that_leaves_statutory_days_worked_needs_a_second_person(rules: Rules, known: Calendars) -> None:
    document = merged(SHIPPED, NEXT)
    worked = tuple(day for day in STATUTORY if day != date(2027, 2, 8))
    assert calendars.left_out(SHIPPED, document).worked == worked
    with refused("calendar-leaves-out") as error:
        published(rules, known, document, confirmed_by=None)
    assert f"days off that are worked: {len(worked)} (2027-01-01, " in error.value.found
    with refused("same-person"):
        published(rules, known, document, confirmed_by=by(rules, "manager").by.actor)
    state = published(rules, known, document)
    assert state.published[-1][1].confirmed_by == "director-2"


def test_an_overlay_that_makes_a_day_off_a_worked_one_needs_a_second_person(rules: Rules) -> None:
    """Before, a region's overlay took the national days away without a word."""
    new_year, ordinary = date(2026, 1, 1), date(2026, 1, 10)
    overlay = merged(None, notice(2026, (f"{new_year}", WORKED), (f"{ordinary}", WORKED)), region="CN-Xiangxi")
    below = calendars.days_off([after(evolve_calendar, None, SHIPPED), None])
    assert calendars.left_out(None, overlay, below).worked == (new_year,)
    with refused("calendar-leaves-out"):
        calendars.publish(None, by(rules, "manager"), document=overlay, regions=("CN",), off_below=below)
    confirmed = calendars.publish(
        None, by(rules, "manager"), document=overlay, regions=("CN",), off_below=below, confirmed_by="director-2"
    )
    assert confirmed.confirmed_by == "director-2"


def test_a_whole_notice_needs_nobody_and_names_nobody(rules: Rules, known: Calendars) -> None:
    whole = merged(SHIPPED, notice(2027, *((day.isoformat(), OFF) for day in STATUTORY)))
    state = published(rules, known, whole, confirmed_by=None)
    assert state.published[-1][1].confirmed_by is None
    assert published(rules, known, whole).published[-1][1].confirmed_by is None


def test_days_of_a_loaded_year_that_fall_away_need_a_second_person(rules: Rules, known: Calendars) -> None:
    of_2026 = [day.date for day in shipped_notice(2026).days]
    document = merged(SHIPPED, notice(2026, ("2026-01-01", OFF), ("2026-02-16", OFF)))
    kept = {date(2026, 1, 1), date(2026, 2, 16)}
    assert calendars.left_out(SHIPPED, document).fallen == tuple(sorted(set(of_2026) - kept))
    with refused("calendar-leaves-out"):
        published(rules, known, document, confirmed_by=None)
    # A day that is said to be worked after all says so.
    turned = [(day.date.isoformat(), day.off if day.date != date(2026, 1, 2) else WORKED) for day in SHIPPED.days]
    revised = merged(SHIPPED, notice(2026, *(day for day in turned if day[0].startswith("2026"))))
    assert not calendars.left_out(SHIPPED, revised)


def test_an_operator_may_publish_and_the_counter_may_not(rules: Rules, known: Calendars) -> None:
    assert len(published(rules, known, merged(SHIPPED, NEXT), role="operator").published) == 2
    with refused("wrong-role"):
        published(rules, known, merged(SHIPPED, NEXT), role="counter")


def test_the_same_days_again_are_nothing_to_do(rules: Rules, known: Calendars) -> None:
    with refused("calendar-unchanged"):
        published(rules, known, merged(SHIPPED, shipped_notice(2026)))


def test_an_overlay_needs_what_it_lies_over(rules: Rules) -> None:
    overlay = merged(None, notice(2026, ("2026-09-21", OFF)), region="CN-Xiangxi")
    with refused("unknown-region"):
        published(rules, None, overlay)
    assert len(published(rules, None, overlay, regions=("CN",)).published) == 1


NEW = merged(SHIPPED, NEXT)


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (replace(NEW, version="2026-1"), "version-used"),
        (replace(NEW, version="next year's"), "bad-version"),
        (replace(SHIPPED, version="2026-2", settled_until=date(2026, 12, 27)), "settled-goes-back"),
        (replace(NEW, days=(*NEW.days, NEW.days[0])), "day-twice"),
        (replace(NEW, days=(*NEW.days, Day(date(2028, 1, 1), OFF, "元旦"))), "outside-calendar"),
        (replace(NEW, days=(Day(date(1999, 1, 1), OFF, "元旦"), *NEW.days)), "outside-calendar"),
        (replace(NEW, source="示\x07例"), "bad-text"),
        (replace(NEW, source="长" * 1_000_000), "bad-text"),
        (replace(NEW, region="China"), "unknown-region"),
        (replace(NEW, region="CN-"), "unknown-region"),
        (replace(NEW, time_zone="America/Gotham"), "unknown-time-zone"),
        (replace(NEW, time_zone="../zoneinfo/UTC"), "unknown-time-zone"),
        (replace(NEW, time_zone=""), "unknown-time-zone"),
    ],
)
def test_what_is_no_calendar_is_refused(
    rules: Rules, known: Calendars, document: CalendarPublished, refusal: str
) -> None:
    with refused(refusal):
        published(rules, known, document, regions=("CN",))


def test_a_notice_without_a_time_zone_keeps_the_regions_and_a_first_one_has_chinas() -> None:
    assert merged(None, NEXT).time_zone == "Asia/Shanghai"
    abroad = merged(None, replace(NEXT, time_zone="America/New_York"))
    assert merged(abroad, notice(2027, ("2027-02-09", OFF))).time_zone == "America/New_York"


def test_another_time_zone_is_another_calendar(rules: Rules, known: Calendars) -> None:
    moved = replace(SHIPPED, version="2026-2", time_zone="Asia/Urumqi")
    state = published(rules, known, moved)
    assert from_published([state.published[-1][1]]).zone.key == "Asia/Urumqi"


def test_an_overlay_has_the_time_of_what_it_lies_over() -> None:
    overlay = merged(None, replace(notice(2026, ("2026-09-21", OFF)), time_zone="Asia/Urumqi"), region="CN-Xiangxi")
    assert from_published([SHIPPED, overlay]).zone.key == "Asia/Shanghai"


# ---- what is missing


@pytest.mark.parametrize(
    ("today", "code", "year"),
    [
        (date(2026, 11, 14), None, None),
        (date(2026, 11, 15), "notice-missing", 2027),
        (date(2026, 12, 31), "notice-missing", 2027),
        (date(2027, 1, 1), "year-without-notice", 2027),
        (date(2027, 11, 20), "year-without-notice", 2027),
    ],
)
def test_a_missing_notice_is_warned_of_and_louder_once_its_year_has_begun(
    today: date, code: str | None, year: int | None
) -> None:
    found = calendar_warnings(from_published([SHIPPED]), shipped_standard(), today)
    assert [(each.code, each.year) for each in found] == ([] if code is None else [(code, year)])


def test_once_the_notice_is_loaded_nothing_is_missing() -> None:
    calendar = from_published([merged(SHIPPED, NEXT)])
    for today in (date(2026, 11, 15), date(2027, 1, 1), date(2027, 11, 14)):
        assert calendar_warnings(calendar, shipped_standard(), today) == ()


def test_the_day_of_the_warning_is_data_even_on_a_leap_day() -> None:
    leap = replace(shipped_standard(), calendar_warning_from="02-29")
    calendar = from_published([SHIPPED])
    assert calendar_warnings(calendar, leap, date(2026, 2, 27)) == ()
    assert len(calendar_warnings(calendar, leap, date(2026, 2, 28))) == 1


def test_the_builder_of_the_shipped_calendar_and_the_merge_agree_on_one_notice() -> None:
    file = json.loads((resources.files("infra") / "data" / "holiday-cn" / "2026.json").read_text(encoding="utf-8"))
    built = calendar_of("CN", [file], ())
    assert merged(None, shipped_notice(2026), source=built.source) == built

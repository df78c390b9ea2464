"""Boston's rule as data: how it is found in the due times, that it could be published, how differences are named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.demo.tickets import boston, rule
from app.demo.tickets.verdicts import CLASSES, DueClass, as_text, derived, due_class
from app.demo.tickets.verdicts import _counted as counted
from app.demo.tickets.verdicts import _line as line
from domain.publication import calendars, standards
from domain.publication.publishing import Calendars, Standards, evolve_calendar, evolve_standards
from domain.standard.flat import as_published, in_sections
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import Rules, Standard
from infra.eventstore.publication import merged
from infra.eventstore.shipped_rules import shipped_standard
from tests.unit.cases import NINE
from tests.unit.office import LONG_AGO, TOMORROW, after, by

BOSTON = Path(__file__).parents[1] / "data" / "tickets" / "boston.csv.xz"
DAYS = rule.calendar()


@pytest.fixture(scope="module")
def standard() -> Standard:
    return rule.standard_of(boston.read_book(BOSTON), "boston-rule-1", TOMORROW)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)


# ---- the rule


def test_the_shipped_limits_are_those_that_the_due_times_name() -> None:
    found = rule.limits_from(BOSTON)
    assert {each.kind: each.limit for each in found if each.limit is not None} == dict(rule.city_rule().limits)
    fits = {each.kind: (each.with_target, each.fit) for each in found}
    # As the data set's own description counts them, by its own reckoning.
    assert fits["Street Light Outages"] == (3_437, 3_397)
    assert fits["Request for Pothole Repair"] == (930, 909)
    assert fits["Sidewalk Repair (Make Safe)"] == (865, 835)
    assert fits["Traffic Signal Repair"] == (803, 803)
    assert fits["Sign Repair"] == (313, 310)
    assert fits["Major System Failure"] == (277, 266)
    assert fits["Street Light Knock Downs"] == (200, 198)
    assert fits["Utility Call-In"] == (171, 171)
    assert fits["Contractor Complaints"] == (138, 136)
    assert fits["Empty Litter Basket"] == (89, 85)
    assert fits["Highway Maintenance"] == (6, 0)


def test_how_the_limits_are_found_is_told_for_every_kind() -> None:
    told = [text.split() for text in derived(BOSTON)]
    assert len(told) == 1 + 26
    assert ["Empty", "Litter", "Basket", "89", "89", "85", "1", "working", "days"] in told
    assert ["Roadway", "Repair", "126", "0", "0", "none"] in told


def test_calendar_and_standard_of_the_city_pass_every_check_of_a_publication(rules: Rules, standard: Standard) -> None:
    state: Calendars | None = None
    for wanted in rule.notices():
        document = calendars.publish(state, by(rules, "operator"), document=merged(state, wanted), regions=("CN",))
        state = after(evolve_calendar, state, document)
    assert state is not None
    latest = state.published[-1][1]
    assert (latest.time_zone, latest.version) == ("America/New_York", "2012-1")
    known: Standards = after(evolve_standards, None, as_published(shipped_standard()), at=LONG_AGO)
    drafted = standards.draft(known, by(rules, "manager"), document=standard, regions=("CN", "US"))
    assert in_sections(drafted.document).repair.kind_limits["traffic-signal-repair"] == KindLimit(
        1, "working", "same-time"
    )


def test_our_own_standard_and_calendar_are_not_touched_by_it(rules: Rules) -> None:
    shipped = shipped_standard()
    assert (dict(shipped.repair.kind_limits), shipped.repair.intake, dict(shipped.connection.uncounted_stages)) == (
        {},
        None,
        {},
    )
    assert rules.calendar.zone.key == "Asia/Shanghai"


# ---- differences


@pytest.mark.parametrize(
    ("city", "ours", "expected"),
    [
        ("2011-09-14T10:15:30", "2011-09-14T10:15:30", "exact"),
        ("2011-09-14T10:15:28", "2011-09-14T10:15:30", "within-a-minute"),
        (None, None, "no-target"),
        (None, "2011-09-14T10:15:30", "no-target-given"),
        ("2011-09-14T10:15:30", None, "target-by-hand"),
        ("2011-09-12T00:00:00", "2011-09-14T10:15:30", "before-the-report"),
        ("2059-12-31T19:00:00", "2011-09-14T10:15:30", "placeholder-year"),
        ("2011-09-26T10:15:30", "2011-09-14T10:15:30", "limit-of-another-kind"),
        ("2011-09-20T09:00:00", "2011-09-14T10:15:30", "set-by-hand"),
        ("2011-09-14T10:13:31", "2011-09-14T10:15:30", "form-opened-earlier"),
        ("2011-09-14T12:13:31", "2011-09-14T10:15:30", "unexplained"),
    ],
)
def test_each_difference_is_named(standard: Standard, city: str | None, ours: str | None, expected: DueClass) -> None:
    reported = wall("2011-09-12T10:15:30")
    found = due_class(reported, wall(city) if city else None, wall(ours) if ours else None, standard, DAYS)
    assert found == expected
    assert CLASSES[found]


def test_a_due_time_that_passes_over_a_holiday_is_named(standard: Standard) -> None:
    reported, ours = wall("2011-08-30T22:42:48"), wall("2011-09-14T08:30:00")
    assert due_class(reported, wall("2011-09-15T08:30:00"), ours, standard, DAYS) == "holiday-not-worked"


def test_a_due_time_that_knows_no_intake_hours_is_named(standard: Standard) -> None:
    reported, ours = wall("2011-07-07T20:25:28"), wall("2011-07-22T08:30:00")
    assert due_class(reported, wall("2011-07-11T20:25:28"), ours, standard, DAYS) == "any-hour"


def test_a_due_time_that_is_a_day_is_compared_by_the_day(standard: Standard) -> None:
    reported, ours = wall("2011-09-12T10:15:30"), wall("2011-09-14T10:15:30")
    assert due_class(reported, wall("2011-09-14T00:00:00"), ours, standard, DAYS, by_day=True) == "same-day"
    assert due_class(reported, wall("2011-09-15T00:00:00"), ours, standard, DAYS, by_day=True) != "same-day"


def test_a_ticket_that_cannot_be_judged_by_its_day_is_no_difference_and_no_agreement(standard: Standard) -> None:
    from domain.deadlines.windows import OnRecord

    ours = OnRecord(1, NINE, None, False, "s", None, cancelled=True, reason="unknown")
    row = {"reported": "2011-09-12", "type": "x", "due": "2011-09-14T12:13:31", "on_time": "OVERDUE"}
    ticket = boston._ticket(2, dict.fromkeys(boston.COLUMNS, "") | row)
    judged = line(ticket, row, ours, standard, DAYS)
    assert (judged.due_class, judged.our_verdict, judged.verdict_agrees) == ("not-judged", "UNKNOWN", False)
    found = counted([judged], 0, standard, DAYS, 0.0)
    assert (found.apart, found.is_explained) == ({}, True)
    assert "? ours 我方 UNKNOWN" in "\n".join(as_text(found))


def test_no_limit_is_worked_out_from_days(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    row = dict.fromkeys((*boston.COLUMNS, "due"), "") | {"id": "1", "type": "x", "due": "2011-09-14T00:00:00"}
    path.write_text("\n".join((",".join(row), ",".join((row | {"reported": "2011-09-12"}).values()))), encoding="utf-8")
    (found,) = rule.limits_from(path)
    assert (found.with_target, found.fit, found.limit) == (1, 0, None)


def test_an_unexplained_difference_is_loud(standard: Standard) -> None:
    from domain.deadlines.windows import OnRecord

    ours = OnRecord(1, NINE, wall("2011-09-14T10:15:30"), False, "s", None)
    ticket = boston._ticket(2, dict.fromkeys(boston.COLUMNS, "") | {"reported": "2011-09-12T10:15:30", "type": "x"})
    row = {"due": "2011-09-14T12:13:31", "on_time": "OVERDUE"}
    found = counted([line(ticket, row, ours, standard, DAYS)], 0, standard, DAYS, 0.0)
    assert not found.is_explained
    told = "\n".join(as_text(found))
    assert "UNEXPLAINED" in told
    assert "≠" in told

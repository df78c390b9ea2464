"""What the pages of auditors and of who publishes the rules work out themselves: the bar of a limit, what was known at
an instant, what differs between two documents, cells of a table for a spreadsheet."""

from __future__ import annotations

from typing import Any

import pytest

from api.pages.case import instants_of, known_by
from api.pages.charges import _cell
from api.pages.documents import FIELDS, Difference, differences, part_name, said
from api.pages.explained import RULE_NAMES, bar_of, merged
from domain.standard.flat import StandardPublished
from infra.eventstore.commands import Command
from infra.eventstore.shipped_rules import FIRST_START, first_publication
from tests.api_world import Client, FakeService, app_over
from tests.unit.office import LONG_AGO

BASE: dict[str, Any] = {"replaced_at": None, "overrun_until": None, "days": [], "spans": []}


def window(as_of: str, met_at: str | None = None) -> dict[str, Any]:
    return {"as_of": as_of, "met_at": met_at}


def half_an_hour(**changes: Any) -> dict[str, Any]:
    span = {
        "since": "2026-09-16T01:00:00Z",
        "until": "2026-09-16T01:30:00Z",
        "rule": "running",
        "counted": True,
        "by": [],
    }
    return BASE | {"due_at": "2026-09-16T01:30:00Z", "spans": [span]} | changes


def test_what_is_not_reached_is_drawn_apart() -> None:
    bar = bar_of(half_an_hour(), window("2026-09-16T01:15:00Z"))
    assert bar is not None
    assert [(each.x, each.width, each.to_come) for each in bar.segments] == [(0, 50, False), (50, 50, True)]
    assert bar.marks == {"due": 100, "as-of": 50}


def test_a_promise_that_was_met_stops_the_bar() -> None:
    bar = bar_of(half_an_hour(), window("2026-09-16T05:00:00Z", "2026-09-16T01:06:00Z"))
    assert bar is not None
    assert [(each.width, each.to_come) for each in bar.segments] == [(20, False), (80, True)]
    assert bar.marks == {"due": 100, "met": 20}


def test_being_over_by_days_does_not_crush_the_limit() -> None:
    late = half_an_hour(overrun_until="2026-09-20T01:00:00Z")
    bar = bar_of(late, window("2026-09-20T01:00:00Z"))
    assert bar is not None
    assert bar.cut
    over = bar.segments[-1]
    assert (over.tone, round(over.x, 1), round(over.width, 1)) == ("over", 66.7, 33.3)
    short = bar_of(half_an_hour(overrun_until="2026-09-16T01:40:00Z"), window("2026-09-16T01:40:00Z"))
    assert short is not None
    assert not short.cut


def test_days_that_are_alike_are_said_at_once_and_drawn_each() -> None:
    days = [
        {"day": "2026-09-14", "rule": "start", "number": None, "name": None, "by": ["e1"]},
        {"day": "2026-09-15", "rule": "worked", "number": 1, "name": None, "by": []},
        {"day": "2026-09-16", "rule": "worked", "number": 2, "name": None, "by": []},
        {"day": "2026-09-17", "rule": "paused", "number": None, "name": "wait", "by": ["e2"]},
    ]
    term = BASE | {"due_at": "2026-09-17T09:30:00Z", "days": days}
    assert [(each.rule, each.numbers) for each in merged(term)] == [
        ("start", None),
        ("worked", (1, 2)),
        ("paused", None),
    ]
    bar = bar_of(term, window("2026-09-20T00:00:00Z"))
    assert bar is not None
    assert [(each.width, each.tone, each.label) for each in bar.segments] == [
        (25, "uncounted", ""),
        (25, "counted", "1"),
        (25, "counted", "2"),
        (25, "uncounted", ""),
    ]


def test_a_term_without_an_end_has_no_bar() -> None:
    assert bar_of(BASE | {"due_at": None}, window("2026-09-16T01:15:00Z")) is None


def test_every_rule_of_a_day_has_a_name_in_both_languages() -> None:
    assert [code for code, name in RULE_NAMES.items() if not name.zh or name.zh == name.en] == []


def test_a_timeline_holds_what_was_on_record_by_an_instant() -> None:
    rows = [
        {"recorded_at": "2026-09-16T01:00:00.5Z", "fact": "FaultReported"},
        {"recorded_at": "2026-09-16T01:00:00.5Z", "fact": "WindowOpened"},
        {"recorded_at": "2026-09-16T02:00:00Z", "fact": "CrewArrived"},
    ]
    assert known_by(rows, "2026-09-16T09:00:00.5+08:00") == rows[:2]
    assert known_by(rows, "2026-09-16T00:00:00Z") == []
    assert known_by(rows, "2026-09-16T09:00:00") is None, "without an offset it is no instant"
    assert known_by(rows, "") is None
    assert [each["facts"] for each in instants_of(rows)] == [["CrewArrived"], ["FaultReported", "WindowOpened"]]


def test_documents_differ_in_their_parts_and_lists_by_the_codes_of_their_entries() -> None:
    old = {"a": 1, "gone": [1], "items": [{"code": "x", "cap": 1}, {"code": "y", "cap": 2}], "nothing": None}
    new = {"a": 1, "items": [{"code": "y", "cap": 3}, {"code": "z", "cap": 4}], "more": False}
    assert list(differences(old, new)) == [
        Difference(("items", "y", "cap"), 2, 3),
        Difference(("items", "z"), None, {"code": "z", "cap": 4}),
        Difference(("items", "x"), {"code": "x", "cap": 1}, None),
        Difference(("more",), None, False),
        Difference(("gone",), [1], None),
    ]
    assert list(differences(old, old)) == []
    assert [said(each) for each in (None, False, [1, 2], {"a": True})] == ["—", "✗", "1, 2", "a: ✓"]


def test_every_field_of_a_standard_has_a_chinese_name() -> None:
    nameless = [each for each in StandardPublished.__dataclass_fields__ if part_name(each, {}).zh == each]
    assert nameless == []
    assert StandardPublished.__dataclass_fields__.keys() <= FIELDS.keys()


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+8613800000000", "'+8613800000000"),
        ("@x", "'@x"),
        ("-x", "'-x"),
        ("-12.50", "-12.50"),
        ("水", "水"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula(value: str | None, cell: str) -> None:
    assert _cell(value) == cell


def test_a_document_that_is_no_json_stays_in_its_form_with_what_is_wrong() -> None:
    service = FakeService()
    for stream, told in first_publication(LONG_AGO):
        service.run(Command(stream, FIRST_START, lambda _, stream=stream, told=told: [(stream, told)]))  # type: ignore[misc]
    client = Client(app_over(service))
    sent = b"mode=try&source=x&text=%7B%22year%22"
    refused = client.request("POST", "/rules/calendars", content=sent, headers=FORM)
    assert refused.status_code == 400
    assert "not-json" in refused.text
    assert "{&#34;year&#34;</textarea>" in refused.text, "what was pasted stays"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}

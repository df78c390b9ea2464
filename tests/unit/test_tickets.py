"""How rows of the two order books are read: odd ones are taken, flagged or refused with a reason, none is lost."""

from __future__ import annotations

import csv
import gzip
import lzma
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.demo.script import Request
from app.demo.tickets import boston, city, kitchener
from app.demo.tickets.rows import TicketBook, code, local
from infra.embedded.errors import EmbeddedError

BOSTON_ROW = dict.fromkeys(boston.COLUMNS, "") | {
    "id": "101",
    "reason": "Street Lights",
    "type": "Street Light Outages",
    "channel": "Self Service",
    "reported": "2011-07-01T09:00:00",
    "closed": "2011-07-01T12:00:00",
    "status": "Closed",
    "closure_code": "RESOLVED",
    "area": "Back Bay",
}
KITCHENER_ROW = dict.fromkeys(kitchener.COLUMNS, "") | {
    "id": "7",
    "break_type": "MAIN",
    "status": "REPAIR COMPLETED",
    "reported": "2021-02-01T09:00:00",
    "reported_precision": "second",
    "status_changed": "2021-02-01T12:00:00",
    "status_precision": "second",
    "first_seen_snapshot": "2021-12",
}
CHANGE = {"snapshot_from": "2021-12", "snapshot_to": "2022-10-22", "id": "7", "column": "", "old": "", "new": ""}


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def in_boston(tmp_path: Path) -> Any:
    return lambda *rows: boston.read_book(write(tmp_path / "b.csv", [BOSTON_ROW | row for row in rows]))


@pytest.fixture
def in_kitchener(tmp_path: Path) -> Any:
    def read(*rows: dict[str, str], changes: tuple[dict[str, str], ...] = ()) -> TicketBook:
        changed = write(tmp_path / "c.csv", [CHANGE | change for change in changes]) if changes else None
        return kitchener.read_book(write(tmp_path / "k.csv", [KITCHENER_ROW | row for row in rows]), changed)

    return read


def told(book: TicketBook, script: int = 0) -> list[str]:
    return [request.path for request in book.scripts[script].requests]


def request(book: TicketBook, path: str) -> Request:
    (found,) = (each for each in book.scripts[0].requests if each.path == path)
    return found


def utc(year: int, month: int, day: int, *rest: int) -> datetime:
    hour, minute, second = (*rest, 0, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


# ---- what both share


@pytest.mark.parametrize(
    ("words", "expected"),
    [("New Sign  Crosswalk or Marking", "new-sign-crosswalk-or-marking"), ("8-12 hours", "x-8-12-hours"), ("???", "x")],
)
def test_words_become_codes(words: str, expected: str) -> None:
    assert code(words) == expected


@pytest.mark.parametrize(
    ("clock", "at", "flag"),
    [
        ("2011-07-01T09:00:00", utc(2011, 7, 1, 13), None),
        ("2011-11-06T01:30:00", utc(2011, 11, 6, 5, 30), "repeated-hour"),
        ("2012-03-11T02:30:00", utc(2012, 3, 11, 7, 30), "skipped-hour"),
        ("2011-07-01T09:00:00+00:00", utc(2011, 7, 1, 9), None),
    ],
)
def test_a_wall_clock_is_turned_into_an_instant_and_a_doubtful_one_flagged(
    clock: str, at: datetime, flag: str | None
) -> None:
    found = local(clock, boston.ZONE)
    assert found is not None
    assert (found.at, found.flag) == (at, flag)


@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_compressed_files_are_read_as_they_are(suffix: str, tmp_path: Path) -> None:
    plain = write(tmp_path / "b.csv", [BOSTON_ROW])
    packed = tmp_path / f"b.csv.{suffix}"
    packed.write_bytes((gzip.compress if suffix == "gz" else lzma.compress)(plain.read_bytes()))
    assert boston.read_book(packed) == boston.read_book(plain)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"^not-this-form: found b\.csv: no column id, reason"):
        boston.read_book(write(tmp_path / "b.csv", [{"a": "1"}]))
    broken = tmp_path / "b.csv.xz"
    broken.write_bytes(b"no xz")
    with pytest.raises(EmbeddedError, match=r"^not-this-form"):
        boston.read_book(broken)


@pytest.mark.parametrize("day", ["2011-07-01", "20110701"])
def test_a_day_without_a_time_of_day_is_known_by_its_day_and_no_midnight(day: str) -> None:
    found = local(day, boston.ZONE)
    assert found is not None
    assert (found.at, found.is_day) == (utc(2011, 7, 1, 4), True)
    midnight = local("2011-07-01T00:00:00", boston.ZONE)
    assert midnight is not None
    assert (midnight.at, midnight.is_day) == (utc(2011, 7, 1, 4), False)


# ---- Boston

DAYS = {"reported": "2011-07-01", "closed": "2011-07-03"}


def test_a_ticket_of_days_is_told_by_its_days(in_boston: Any) -> None:
    book = in_boston(DAYS)
    assert (request(book, "").body["precision"], request(book, "").happened_at) == ("day", utc(2011, 7, 1, 4))
    assert request(book, "/completion").body == {"precision": "day"}
    assert request(book, "/completion").happened_at == utc(2011, 7, 3, 4)
    assert told(book) == ["", "/completion", "/closure"]
    ticket = book.tickets[0]
    assert (ticket.closed, "day-only" in ticket.flags, "no-close-time" in ticket.flags) == (None, True, False)


def test_a_ticket_of_which_only_the_close_is_a_day_has_a_report_to_the_second(in_boston: Any) -> None:
    book = in_boston({"closed": "2011-07-03", "closure_code": "INVALID"})
    assert "precision" not in request(book, "").body
    assert request(book, "/dismissal").body == {"reason": "invalid", "precision": "day"}
    assert book.tickets[0].closed is None


@pytest.mark.parametrize("midnight", ["T00:00:00", " 00:00", "T00:00:00.000", "T00:00:00+00:00", "T00:00:00Z"])
def test_a_column_that_has_midnights_only_has_days(midnight: str, in_boston: Any) -> None:
    rows = [DAYS | {"id": str(number), "reported": f"2011-07-0{number}{midnight}"} for number in (1, 2, 3)]
    book = in_boston(*rows)
    assert [script.requests[0].body.get("precision") for script in book.scripts] == ["day"] * 3
    assert [script.requests[0].happened_at for script in book.scripts] == [utc(2011, 7, day, 4) for day in (1, 2, 3)]


def test_a_midnight_among_other_times_is_one(in_boston: Any) -> None:
    book = in_boston({"reported": "2011-07-01T00:00:00"}, {"id": "102"})
    assert "precision" not in request(book, "").body
    assert book.tickets[0].closed is not None


def test_a_further_report_of_a_day_is_told_by_its_day(in_boston: Any) -> None:
    book = in_boston({}, {"id": "102", "reported": "2011-07-02", "closed": "", "duplicate_of": "101"})
    assert request(book, "/reports").body["precision"] == "day"
    assert "precision" not in request(book, "").body


def test_a_ticket_is_reported_completed_and_closed(in_boston: Any) -> None:
    book = in_boston({})
    assert told(book) == ["", "/completion", "/closure"]
    assert request(book, "").body == {
        "origin": "self-service",
        "kind": "street-light-outages",
        "district": "back-bay",
    }
    assert request(book, "/completion").happened_at == utc(2011, 7, 1, 16)
    assert book.tickets[0].request == ("boston 101", 0)


@pytest.mark.parametrize("word", ["RESOLVED", "INTERNAL", "SCHEDULED", "OTHER", "", "PUT OFF"])
def test_what_was_done_counts_as_repaired(word: str, in_boston: Any) -> None:
    assert told(in_boston({"closure_code": word})) == ["", "/completion", "/closure"]


@pytest.mark.parametrize("word", ["INVALID", "REFERRED", "NOTED", "DUPLICATE"])
def test_what_was_not_repaired_is_dismissed_with_its_reason(word: str, in_boston: Any) -> None:
    book = in_boston({"closure_code": word})
    assert told(book) == ["", "/dismissal", "/closure"]
    assert request(book, "/dismissal").body == {"reason": word.lower()}


def test_an_open_ticket_stays_open_whatever_its_note_says(in_boston: Any) -> None:
    book = in_boston({"status": "Open", "closed": ""})
    assert told(book) == [""]
    assert book.tickets[0].flags == ["open-with-a-closing-note"]


def test_a_closed_ticket_without_a_time_stays_open_and_is_flagged(in_boston: Any) -> None:
    book = in_boston({"closed": ""})
    assert told(book) == [""]
    assert book.tickets[0].flags == ["no-close-time"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"reported": ""}, "no-report-time"),
        ({"reported": "last Tuesday"}, "bad-time"),
        ({"type": ""}, "no-kind"),
        ({"id": ""}, "no-id"),
    ],
)
def test_a_row_that_says_too_little_is_refused_with_its_reason(
    row: dict[str, str], reason: str, in_boston: Any
) -> None:
    book = in_boston(row)
    assert [ticket.refused for ticket in book.tickets] == [reason]
    assert book.scripts == ()


def test_a_second_row_of_one_number_is_refused(in_boston: Any) -> None:
    assert [ticket.refused for ticket in in_boston({}, {}).tickets] == [None, "id-twice"]


def test_a_row_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.csv", [BOSTON_ROW])
    path.write_text(path.read_text(encoding="utf-8") + "1,2\n", encoding="utf-8")
    assert [ticket.refused for ticket in boston.read_book(path).tickets] == [None, "bad-row"]


DUPLICATES = (
    {"id": "1", "reported": "2011-07-01T10:00:00", "closure_code": "DUPLICATE", "duplicate_of": "2"},
    {"id": "2", "reported": "2011-07-01T11:00:00", "closure_code": "DUPLICATE", "duplicate_of": "3"},
    {"id": "3", "reported": "2011-07-01T12:00:00", "closed": "2011-07-03T12:00:00"},
    {"id": "4", "reported": "2011-07-04T12:00:00", "closure_code": "DUPLICATE", "duplicate_of": "3"},
)


def test_duplicates_through_chains_are_one_incident_that_the_earliest_report_opens(in_boston: Any) -> None:
    book = in_boston(*DUPLICATES)
    assert [script.name for script in book.scripts] == ["boston 1"]
    # The ticket that was worked on is closed before the last report of it came in.
    assert told(book) == ["", "/reports", "/reports", "/completion", "/closure", "/reports"]
    assert [ticket.request for ticket in book.tickets] == [("boston 1", number) for number in (0, 1, 2, 5)]
    assert request(book, "/completion").happened_at == utc(2011, 7, 3, 16)


def test_a_duplicate_whose_original_is_not_here_is_an_incident_of_its_own(in_boston: Any) -> None:
    book = in_boston({"closure_code": "DUPLICATE", "duplicate_of": "999"})
    assert told(book) == ["", "/dismissal", "/closure"]
    assert book.tickets[0].flags == ["original-not-here"]


def test_tickets_that_name_each_other_in_a_ring_are_one_incident(in_boston: Any) -> None:
    ring = ({"id": "1", "duplicate_of": "2"}, {"id": "2", "duplicate_of": "1", "reported": "2011-07-01T11:00:00"})
    assert told(in_boston(*ring)) == ["", "/reports", "/completion", "/closure"]


def test_what_was_closed_before_it_was_reported_is_told_so_after_the_report(in_boston: Any) -> None:
    book = in_boston({"closed": "2011-06-30T12:00:00"})
    done = request(book, "/completion")
    assert (done.happened_at, done.at) == (utc(2011, 6, 30, 16), utc(2011, 7, 1, 13))
    assert book.tickets[0].flags == ["closed-before-report"]


# ---- Kitchener


def test_a_break_has_two_clocks(in_kitchener: Any) -> None:
    book = in_kitchener({"return_to_normal_utc": "2021-02-01T17:30:00"})
    assert told(book) == ["", "/completion", "/closure", "/restoration"]
    assert request(book, "").happened_at == utc(2021, 2, 1, 14)
    assert request(book, "/completion").happened_at == utc(2021, 2, 1, 17)
    assert request(book, "/restoration").happened_at == utc(2021, 2, 1, 17, 30)


def test_a_report_known_by_its_day_is_told_so_and_a_data_load_is_no_report(in_kitchener: Any) -> None:
    book = in_kitchener({"reported_precision": "day"}, {"id": "8", "reported_precision": "bulk_load"})
    assert request(book, "").body["precision"] == "day"
    assert [ticket.refused for ticket in book.tickets] == [None, "no-report-time"]


@pytest.mark.parametrize(
    ("row", "at", "precision"),
    [
        ({}, utc(2021, 2, 1, 17), None),
        ({"status_precision": "day"}, utc(2021, 2, 1, 17), "day"),
        ({"status_precision": "bulk_load"}, utc(2021, 2, 1, 17), "by"),
        ({"status_changed": "", "status_precision": ""}, utc(2022, 1, 1, 4, 59, 59), "by"),
        (
            {"status_changed": "", "status_precision": "", "return_to_normal_utc": "2021-02-01T20:00:00"},
            utc(2021, 2, 1, 20),
            None,
        ),
        (
            {"status_changed": "", "status_precision": "", "return_to_normal_utc": "2020-02-01T20:00:00"},
            utc(2022, 1, 1, 4, 59, 59),
            "by",
        ),
    ],
)
def test_when_the_repair_was_done_is_told_as_closely_as_it_is_known(
    row: dict[str, str], at: datetime, precision: str | None, in_kitchener: Any
) -> None:
    done = request(in_kitchener(row), "/completion")
    assert (done.happened_at, done.body.get("precision")) == (at, precision)


def test_a_return_to_normal_before_the_report_is_told_and_flagged(in_kitchener: Any) -> None:
    book = in_kitchener({"return_to_normal_utc": "2020-02-01T20:00:00"})
    restored = request(book, "/restoration")
    assert (restored.happened_at, restored.at) == (utc(2020, 2, 1, 20), utc(2021, 2, 1, 14))
    assert book.tickets[0].flags == ["restored-before-reported"]


def test_a_cancelled_break_is_dismissed(in_kitchener: Any) -> None:
    book = in_kitchener({"status": "CANCELLED"})
    assert told(book) == ["", "/dismissal", "/closure"]
    assert request(book, "/dismissal").body == {"reason": "cancelled"}
    rough = in_kitchener({"status": "CANCELLED", "status_changed": "", "status_precision": ""})
    assert request(rough, "/dismissal").body == {"reason": "cancelled", "precision": "by"}


def test_a_break_under_investigation_stays_open(in_kitchener: Any) -> None:
    assert told(in_kitchener({"status": "UNDER INVESTIGATION"})) == [""]


def test_the_pipe_is_told_as_far_as_it_can_be(in_kitchener: Any) -> None:
    pipe = {"asset_id": "135674", "asset_material": "PVC", "asset_size_mm": "0", "asset_year": "2024"}
    book = in_kitchener(pipe)
    assert request(book, "/pipe").body == {"asset": "135674", "material": "pvc", "laid_in": 2024}
    assert book.tickets[0].flags == ["pipe-younger-than-the-break", "asset-size-mm-not-possible"]


def test_what_somebody_wrote_behind_a_word_gets_into_no_event(in_kitchener: Any) -> None:
    book = in_kitchener({"nature": "CORROSION - MR SMITH SAW IT"})
    assert request(book, "/corrections").body == {"detail": "nature", "old": None, "new": "corrosion"}
    assert book.tickets[0].flags == ["free-text"]
    assert "SMITH" not in str(city.standard_of(book, "k-1", utc(2021, 1, 1)))


def test_what_repeats_and_what_overflowed_is_flagged(in_kitchener: Any) -> None:
    book = in_kitchener({"work_order": "1", "service_request": "-1280222931"}, {"id": "8", "work_order": "1"})
    assert [ticket.flags for ticket in book.tickets] == [
        ["service-request-overflow", "same-time-and-place", "work-order-twice"],
        ["same-time-and-place", "work-order-twice"],
    ]


# ---- Kitchener's changes


def test_a_changed_pipe_starts_as_it_was_and_is_corrected_at_the_next_snapshot(in_kitchener: Any) -> None:
    change = {"column": "asset_material", "old": "CI", "new": ""}
    book = in_kitchener({}, changes=(change,))
    assert request(book, "/pipe").body == {"material": "ci"}
    corrected = request(book, "/corrections")
    assert corrected.body == {"detail": "material", "old": "ci", "new": None}
    assert corrected.at == utc(2022, 10, 23, 3, 59, 59)
    assert len(book.scripts) == 1


def test_a_status_that_changed_is_told_as_the_completion_at_its_new_time(in_kitchener: Any) -> None:
    changes = (
        {"column": "status", "old": "UNDER INVESTIGATION", "new": "REPAIR COMPLETED"},
        {"column": "status_changed", "old": "2021-02-01T09:00:00", "new": "2021-02-01T12:00:00"},
    )
    done = request(book := in_kitchener({}, changes=changes), "/completion")
    assert (done.happened_at, done.at) == (utc(2021, 2, 1, 17), utc(2022, 10, 23, 3, 59, 59))
    assert {change.request for change in book.changes} == {("kitchener 7", 1)}


def test_a_status_that_changed_without_its_time_says_only_that_it_was_over_by_then(in_kitchener: Any) -> None:
    change = {"column": "status", "old": "UNDER INVESTIGATION", "new": "REPAIR COMPLETED"}
    done = request(in_kitchener({}, changes=(change,)), "/completion")
    assert (done.happened_at, done.body) == (utc(2022, 10, 23, 3, 59, 59), {"precision": "by"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "99", "column": "cause"}, "unknown-id"),
        ({"id": "8", "column": "cause"}, "its-row-was-refused"),
        ({"column": "lat"}, "unknown-column"),
        ({"column": "cause", "snapshot_to": "soon"}, "bad-time"),
        ({"column": "status", "old": "REPAIR COMPLETED", "new": "UNDER INVESTIGATION"}, "cannot-be-untold"),
    ],
)
def test_a_change_that_cannot_be_told_is_refused_with_its_reason(
    change: dict[str, str], reason: str, in_kitchener: Any
) -> None:
    refused = {"id": "8", "reported_precision": "bulk_load"}
    status = {"status": change["new"]} if "new" in change else {}
    book = in_kitchener(status, refused, changes=(change,))
    assert [each.refused for each in book.changes] == [reason]


# ---- the city's standard


def test_a_citys_standard_is_the_shipped_one_with_its_own_codes(in_boston: Any) -> None:
    document = city.standard_of(in_boston({}), "boston-1", utc(2011, 6, 1))
    assert document.repair.fault_kinds == {"street-light-outages": "Street Light Outages"}
    assert document.repair.origins == {"self-service": "Self Service"}
    assert (document.repair.completion_minutes["small"], document.repair.completion_minutes["medium"]) == (240, 480)


# ---- Kitchener: days whose precision says otherwise


def test_a_break_whose_times_are_days_is_told_so_whatever_its_precision_says(in_kitchener: Any) -> None:
    book = in_kitchener({"reported": "2021-02-01", "status_changed": "2021-02-03"})
    assert request(book, "").body["precision"] == "day"
    assert request(book, "/completion").body == {"precision": "day"}
    assert (book.tickets[0].closed, "day-only" in book.tickets[0].flags) == (None, True)


def test_a_cancelled_break_whose_status_is_a_days_is_dismissed_at_no_midnight(in_kitchener: Any) -> None:
    book = in_kitchener({"status": "CANCELLED", "status_changed": "2021-02-03"})
    assert request(book, "/dismissal").body["precision"] == "by"


def test_water_that_was_back_on_some_day_is_flagged_and_ends_the_repair_on_that_day(in_kitchener: Any) -> None:
    days = {"status_changed": "", "status_precision": "", "return_to_normal_utc": "2021-02-01"}
    book = in_kitchener(days)
    assert request(book, "/completion").body == {"precision": "day"}
    assert "/restoration" not in told(book)
    assert "restored-on-some-day" in book.tickets[0].flags
    assert "restored-before-reported" not in book.tickets[0].flags
    assert "restored-before-reported" in in_kitchener(days | {"return_to_normal_utc": "2021-01-30"}).tickets[0].flags

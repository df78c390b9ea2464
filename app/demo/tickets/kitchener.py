"""Kitchener's water main and service breaks, and what its publisher changed in them from snapshot to snapshot.

How a row is read (our decisions, where the data set says nothing):
- Report and status times are the wall clock of Toronto, the return to normal is UTC.
- A report known by its day is told so: nothing in hours is judged of it. A time without a time of day is known by its
  day whatever its precision says, and so is every time of a column that has midnights only; water that was back on some
  day is flagged and not told, since a restoration is an instant. A report time that is the instant of a data
  load is none: the row is refused.
- REPAIR COMPLETED: the repair was done at the status time where that is known to the second, else when all was back to
  normal (unless before the report), else on the status time's day, else by the data load or by the snapshot that first
  shows the row. When exactly it was then, nobody knows, and nothing is judged by it.
- CANCELLED: dismissed, at the status time, or by the snapshot. Any other status: still open.
- A return to normal is told as water restored, even before the report: what is odd is flagged, not mended.
- Of a value with somebody's words behind it (``CORROSION - …``, ``OTHER: …``) the words before them are the code: what
  people write freely does not get into an event.
- With the changes, every row starts as its first snapshot had it, and each changed line is told when the next snapshot
  was taken: a pipe or a cause as a correction, a status or its time as what the field tells further. Where a status
  changed and its time did not, when it changed is not known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app.days import is_day
from app.demo.tickets.rows import (
    CityCodes,
    Local,
    SourceChange,
    SourceRow,
    Story,
    Ticket,
    TicketBook,
    each_once,
    known,
    local,
    read_rows,
    with_bare_days,
)

ZONE = ZoneInfo("America/Toronto")
UTC_ZONE = ZoneInfo("UTC")
DISTRICT = "Kitchener"
"""The data set has no districts."""
COLUMNS = (
    "id",
    "break_type",
    "nature",
    "cause",
    "category",
    "status",
    "reported",
    "reported_precision",
    "status_changed",
    "status_precision",
    "return_to_normal_utc",
    "work_order",
    "service_request",
    "repair_type",
    "asset_id",
    "asset_material",
    "asset_size_mm",
    "asset_year",
    "lat",
    "lon",
    "first_seen_snapshot",
)
CHANGE_COLUMNS = ("snapshot_from", "snapshot_to", "id", "column", "old", "new")
DETAILS = {"nature": "nature", "cause": "cause", "category": "category", "repair_type": "repair-type"}
PIPE = {"asset_id": "asset", "asset_material": "material", "asset_size_mm": "dn-mm", "asset_year": "laid-in"}
FACTS = ("status", "status_changed", "return_to_normal_utc")
"""Columns whose change is a further fact from the field."""
LAID_IN = range(1800, 2200)
DN_MM = range(1, 10_001)
LARGEST_NUMBER = 2**31 - 1


def read_book(path: Path, changes: Path | None = None, limit: int | None = None) -> TicketBook:
    """The order book in our words. Raises EmbeddedError ``not-this-form``."""
    read = with_bare_days(read_rows(path, COLUMNS), ("reported", "status_changed", "return_to_normal_utc"))[:limit]
    rows = {line: row or {} for line, row in read}
    tickets = [Ticket(line, refused="bad-row") if row is None else _ticket(line, row) for line, row in read]
    _flag_what_repeats([(ticket, rows[ticket.line]) for ticket in tickets if rows[ticket.line]])
    usable = {ticket.id: ticket for ticket in each_once(tickets)}
    changed = _read_changes(changes, usable, {ticket.id for ticket in tickets}) if changes is not None else []
    latest = max(
        (seen for row in rows.values() if (seen := _snapshot(row.get("first_seen_snapshot", "")))), default=None
    )
    codes, of = CityCodes(), defaultdict(list)
    for each in changed:
        of[each.row["id"]].append(each)
    scripts = []
    for ticket in sorted(usable.values(), key=lambda each: (each.reported, each.line)):
        seen = _snapshot(rows[ticket.line]["first_seen_snapshot"]) or latest
        teller = _Teller(ticket, rows[ticket.line], of[ticket.id], codes, seen)
        scripts.append(teller.told().script())
    known(codes.districts, DISTRICT)
    return TicketBook("kitchener", ZONE, codes, tuple(tickets), tuple(each.change for each in changed), tuple(scripts))


# ---- rows


def _ticket(line: int, row: SourceRow) -> Ticket:
    ticket = Ticket(line, row["id"], "", row["category"], row["break_type"])
    reported = local(row["reported"], ZONE)
    if row["reported_precision"] == "bulk_load" or not row["reported"]:
        ticket.refused = "no-report-time"
    elif reported is None:
        ticket.refused = "bad-time"
    elif row["reported_precision"] not in ("second", "day"):
        ticket.refused = "unknown-precision"
    elif not row["break_type"]:
        ticket.refused = "no-kind"
    if reported is None:
        return ticket
    ticket.reported = reported.at
    changed = _status_time(row)
    if _report_precision(row) == _status_precision(row) == "second" and changed is not None:
        ticket.closed = changed
    ticket.flags += [reported.flag] if reported.flag is not None else []
    ticket.flags += _oddities(ticket, row)
    return ticket


def _oddities(ticket: Ticket, row: SourceRow) -> Iterator[str]:
    if _report_precision(row) == "day":
        yield "day-only"
    if ticket.closed is not None and ticket.closed == ticket.reported:
        yield "closed-at-report"
    if row["status"] in ("REPAIR COMPLETED", "CANCELLED") and _status_time(row) is None:
        yield "no-status-time"
    normal = _normal(row)
    if normal is not None and ticket.reported is not None and _latest(normal) < ticket.reported:
        yield "restored-before-reported"
    if normal is not None and normal.is_day:
        yield "restored-on-some-day"
    if row["service_request"] and not _is_number(row["service_request"]):
        yield "service-request-overflow"
    year = row["asset_year"]
    if year.isdecimal() and ticket.reported is not None and int(year) > ticket.reported.astimezone(ZONE).year:
        yield "pipe-younger-than-the-break"
    for name, allowed in (("asset_year", LAID_IN), ("asset_size_mm", DN_MM)):
        if row[name] and _number(row[name], allowed) is None:
            yield f"{name.replace('_', '-')}-not-possible"
    if any(_is_free(row[name]) for name in DETAILS):
        yield "free-text"


def _flag_what_repeats(pairs: Sequence[tuple[Ticket, SourceRow]]) -> None:
    """Rows at one time and place, and work orders on more than one break: each stays an incident of its own."""
    places = Counter((row["reported"], row["lat"], row["lon"]) for _, row in pairs)
    orders = Counter(row["work_order"] for _, row in pairs if row["work_order"])
    for ticket, row in pairs:
        if places[row["reported"], row["lat"], row["lon"]] > 1:
            ticket.flags.append("same-time-and-place")
        if orders[row["work_order"]] > 1:
            ticket.flags.append("work-order-twice")


def _is_number(text: str) -> bool:
    return text.isdecimal() and int(text) <= LARGEST_NUMBER


def _number(text: str, allowed: range) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) in allowed else None


def _is_free(value: str) -> bool:
    return " - " in value or ": " in value


def _word(value: str) -> str:
    """The catalogue's word in a value, without what somebody wrote behind it."""
    return value.partition(" - ")[0].partition(": ")[0]


def _status_time(row: SourceRow) -> datetime | None:
    changed = local(row["status_changed"], ZONE)
    return changed.at if changed is not None else None


def _report_precision(row: SourceRow) -> str:
    return "day" if is_day(row["reported"]) and row["reported_precision"] == "second" else row["reported_precision"]


def _status_precision(row: SourceRow) -> str:
    return "day" if is_day(row["status_changed"]) and row["status_precision"] == "second" else row["status_precision"]


def _normal(row: SourceRow) -> Local | None:
    return local(row["return_to_normal_utc"], UTC_ZONE)


def _latest(known_as: Local) -> datetime:
    """The last instant that it may have been."""
    return known_as.at + timedelta(days=1) if known_as.is_day else known_as.at


def _snapshot(name: str) -> datetime | None:
    """The end of the snapshot's day, or month: what it shows had happened by then."""
    try:
        if len(name) == len("2021-12"):
            first = datetime.fromisoformat(f"{name}-01")
            day = (first + timedelta(days=31)).replace(day=1)
        else:
            day = datetime.fromisoformat(name) + timedelta(days=1)
    except ValueError:
        return None
    return day.replace(tzinfo=ZONE).astimezone(UTC) - timedelta(seconds=1)


# ---- changes


@dataclass(frozen=True, slots=True)
class _Changed:
    change: SourceChange
    row: SourceRow
    at: datetime


def _read_changes(path: Path, usable: Mapping[str, Ticket], every: set[str]) -> list[_Changed]:
    """The changed lines in order of their snapshots; those that cannot be told are refused here."""
    found = []
    for line, row in read_rows(path, CHANGE_COLUMNS):
        change = SourceChange(line, row["column"] if row is not None else "")
        at = _snapshot(row["snapshot_to"]) if row is not None else None
        if row is None:
            change.refused = "bad-row"
        elif row["id"] not in usable:
            change.refused = "its-row-was-refused" if row["id"] in every else "unknown-id"
        elif at is None:
            change.refused = "bad-time"
        elif row["column"] not in (*DETAILS, *PIPE, *FACTS):
            change.refused = "unknown-column"
        change.is_fact = change.column in FACTS
        found.append(_Changed(change, row or {"id": ""}, at or datetime.max.replace(tzinfo=UTC)))
    return sorted(found, key=lambda each: (each.at, each.change.line))


# ---- what is told


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an incident ended as a row has it."""

    path: str
    happened_at: datetime
    precision: str | None = None
    reason: str | None = None

    @property
    def told(self) -> tuple[str, datetime | None, str | None]:
        """What it tells: the same where it says the same. An instant by which it was over says no more later."""
        return self.path, None if self.precision == "by" else self.happened_at, self.precision

    def body(self) -> dict[str, Any]:
        said = {"precision": self.precision, "reason": self.reason}
        return {name: value for name, value in said.items() if value is not None}


class _Teller:
    """Tells one row, as it was at first and as it changed."""

    def __init__(
        self, ticket: Ticket, row: SourceRow, changes: Sequence[_Changed], codes: CityCodes, seen: datetime | None
    ) -> None:
        assert ticket.reported is not None
        self._ticket = ticket
        self._reported = ticket.reported
        self._changes = [each for each in changes if each.change.refused is None]
        self._codes = codes
        self._seen = max(seen or ticket.reported, ticket.reported)
        self._row = dict(row)
        for each in reversed(self._changes):
            self._row[each.row["column"]] = each.row["old"]
        self._story = Story(f"kitchener {ticket.id}")
        self._closed = False

    def told(self) -> Story:
        """The whole story."""
        row = self._row
        body: dict[str, Any] = {
            "kind": known(self._codes.kinds, row["break_type"]),
            "district": known(self._codes.districts, DISTRICT),
        }
        if _report_precision(row) == "day":
            body["precision"] = "day"
        self._story.tell("", body, self._reported, carries=[self._ticket])
        self._pipe()
        for column, detail in DETAILS.items():
            if (new := self._value(column, row[column])) is not None:
                said = {"detail": detail, "old": None, "new": new}
                self._story.tell("/corrections", said, self._reported)
        self._end(self._endings(self._seen), None)
        steps: dict[datetime, list[_Changed]] = defaultdict(list)
        for each in self._changes:
            steps[each.at].append(each)
        for at, step in steps.items():
            self._step(at, step)
        return self._story

    def _pipe(self) -> None:
        row = self._row
        pipe = {
            "asset": row["asset_id"] or None,
            "material": self._value("asset_material", row["asset_material"]),
            "dn_mm": _number(row["asset_size_mm"], DN_MM),
            "laid_in": _number(row["asset_year"], LAID_IN),
        }
        said = {name: value for name, value in pipe.items() if value is not None}
        if said:
            self._story.tell("/pipe", said, self._reported)

    def _value(self, column: str, words: str) -> str | None:
        """A column's value as a detail's."""
        if not words:
            return None
        if column == "asset_material":
            return known(self._codes.materials, words)
        if column in DETAILS:
            return known(self._codes.details.setdefault(DETAILS[column], {}), _word(words))
        return words

    # ---- changes

    def _step(self, at: datetime, step: Sequence[_Changed]) -> None:
        """What changed from one snapshot to the next."""
        before = self._endings(self._seen)
        for each in step:
            self._row[each.row["column"]] = each.row["new"]
            if not each.change.is_fact:
                said = {
                    "detail": (DETAILS | PIPE)[each.row["column"]],
                    "old": self._value(each.row["column"], each.row["old"]),
                    "new": self._value(each.row["column"], each.row["new"]),
                }
                self._story.tell("/corrections", said, at, carries=[each.change])
        facts = [each.change for each in step if each.change.is_fact]
        columns = {change.column for change in facts}
        if "status" in columns and "status_changed" not in columns:
            self._row["status_precision"] = ""  # the time that stands there is of the status before
        if not facts:
            return
        told = {ending.told for ending in before}
        new = [ending for ending in self._endings(at) if ending.told not in told]
        if not new:
            for change in facts:
                change.refused = "cannot-be-untold"
        self._end(new, at, facts)

    def _end(self, endings: Iterable[_Ending], at: datetime | None, carried: Sequence[SourceChange] = ()) -> None:
        for ending in endings:
            told_at = ending.happened_at if at is None else max(at, ending.happened_at)
            self._story.tell(ending.path, ending.body(), ending.happened_at, told_at, carries=carried)
            carried = ()
            if ending.path != "/restoration" and not self._closed:
                self._story.tell("/closure", {}, None, max(told_at, self._reported))
                self._closed = True

    def _endings(self, seen: datetime) -> list[_Ending]:
        """How the row says that the incident ended; ``seen``: the snapshot that shows it so."""
        row = self._row
        changed, normal = _status_time(row), _normal(row)
        found = []
        if row["status"] == "REPAIR COMPLETED":
            found.append(self._completion(changed, normal, seen))
        elif row["status"] == "CANCELLED":
            reason = known(self._codes.reasons, row["status"])
            if changed is not None and _status_precision(row) == "second":
                found.append(_Ending("/dismissal", changed, None, reason))
            else:
                found.append(_Ending("/dismissal", max(seen, self._reported), "by", reason))
        if normal is not None and not normal.is_day:
            found.append(_Ending("/restoration", normal.at))
        return found

    def _completion(self, changed: datetime | None, normal: Local | None, seen: datetime) -> _Ending:
        precision = _status_precision(self._row)
        if changed is not None and precision == "second":
            return _Ending("/completion", changed)
        if normal is not None and _latest(normal) >= self._reported:
            return _Ending("/completion", normal.at, "day" if normal.is_day else None)
        if changed is not None and precision == "day":
            return _Ending("/completion", changed, "day")
        if changed is not None and precision == "bulk_load" and changed >= self._reported:
            return _Ending("/completion", changed, "by")
        return _Ending("/completion", max(seen, self._reported), "by")

"""Billing's books in PostgreSQL: a batch of events is taken into one build of them, in the cursor's transaction.

The inbox is unique by event id and by natural key, so an event that comes twice, or in two forms, has its effect once.
The second one stays in the inbox as a duplicate, where it can be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from consumers.billing import ledger
from consumers.billing.ledger import BillingCase, Money
from consumers.billing.messages import (
    TAKES,
    BillingEvent,
    CustomerChanged,
    CustomerRenamed,
    MeterReplaced,
    ReadingAudited,
    ReadingHeld,
    ReadingReleased,
    UsageClassChanged,
    WaterTurnedOn,
    natural_key,
    read,
)
from infra.readers.dead_letters import kept_or_dead
from infra.readers.record import Event
from infra.readers.rule import DeadLetter, dead_letter_of
from infra.sql import sql

READER = "billing"
BooksRow = dict[str, Any]
BookingOutcome = Literal["booked", "duplicate", "odd"]


class Superseded(Exception):
    """The build is no longer one that is written to: another one took its place."""


def live_build(connection: Connection[Any]) -> int:
    """The build that is in use."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(sql("billing_live")).fetchone()
    assert row is not None, "a migration makes the first build"
    return int(row[0])


def step(cursor: Cursor[Any], events: Sequence[Event], build: int | None = None) -> list[DeadLetter]:
    """Take events into the inbox and the books, in the cursor's transaction; None: of the live build. Returns those
    whose content billing cannot read. Raises Superseded."""
    wanted, poison = _read(events)
    if wanted:
        build = live_build(cursor.connection) if build is None else build
        # One writer at a time, and none to books that are not in use any more.
        if cursor.execute(sql("billing_lock_build"), {"build": build}).fetchone() is None:
            raise Superseded(f"build {build} of billing's books")
        poison += kept_or_dead(
            cursor,
            wanted,
            partial(_book, cursor, build),
            lambda one, error: dead_letter_of(one[0], {}, "bad-data", type(error).__name__),
        )
    return poison


def _book(cursor: Cursor[Any], build: int, wanted: Sequence[tuple[Event, BillingEvent]]) -> Sequence[DeadLetter]:
    _Batch(cursor, build, wanted).run()
    return ()


def rebook(cursor: Cursor[Any], build: int, case_id: UUID, events: Sequence[Event]) -> list[DeadLetter]:
    """Make a case's part of the books anew from all its events so far; account numbers stay. Raises Superseded."""
    if cursor.execute(sql("billing_lock_build"), {"build": build}).fetchone() is None:
        raise Superseded(f"build {build} of billing's books")
    cursor.execute(sql("billing_forget_case"), {"build": build, "case_id": case_id})
    return step(cursor, events, build)


def _read(events: Sequence[Event]) -> tuple[list[tuple[Event, BillingEvent]], list[DeadLetter]]:
    found: list[tuple[Event, BillingEvent]] = []
    poison: list[DeadLetter] = []
    for event in events:
        if event.type not in TAKES:
            continue
        try:
            found.append((event, read(event)))
        except msgspec.ValidationError as error:
            # The validation error names field and type, never the value.
            poison.append(dead_letter_of(event, {}, "bad-data", str(error)))
    return found, poison


class _Batch:
    """Events of one transaction: what is known is loaded, each event taken in turn, what came of it written."""

    def __init__(self, cursor: Cursor[Any], build: int, wanted: Sequence[tuple[Event, BillingEvent]]) -> None:
        self.cursor = cursor
        self.build = build
        self.wanted = wanted
        self.keys = {event.id: natural_key(event, said) for event, said in wanted}
        self.rows: dict[str, list[BooksRow]] = {}
        self.holds: list[BooksRow] = []

    def run(self) -> None:
        known = {row[0] for row in self._ask("billing_known_events", ids=list(self.keys))}
        fresh = list({event.id: (event, said) for event, said in self.wanted if event.id not in known}.values())
        if not fresh:
            return
        booked = {row[0] for row in self._ask("billing_known_keys", keys=[self.keys[event.id] for event, _ in fresh])}
        before = self._cases({event.case_id for event, _ in fresh})
        cases = dict(before)
        for event, said in fresh:
            key = self.keys[event.id]
            if key in booked:
                self._note(event, key, "duplicate", None)
                continue
            case = cases[event.case_id]
            taken = ledger.take(case, said)
            if taken.odd is not None:
                self._note(event, key, "odd", taken.odd)
                continue
            booked.add(key)
            self._note(event, key, "booked", None)
            cases[event.case_id] = taken.case
            self._entries(event, case, taken)
            self._points(event, said)
        self._write(before, cases)

    def _ask(self, name: str, **values: Any) -> list[Any]:
        with self.cursor.connection.cursor(row_factory=tuple_row) as asking:
            return asking.execute(sql(name), {"build": self.build, **values}).fetchall()

    def _cases(self, ids: set[UUID]) -> dict[UUID, BillingCase]:
        wanted = sorted(ids)
        money: dict[UUID, dict[Any, Money]] = {}
        for case_id, kind, number, lines, reversed_ in self._ask("billing_money", ids=wanted):
            money.setdefault(case_id, {})[kind, number] = Money(lines, reversed_)
        found = {id_: BillingCase() for id_ in wanted}
        for case_id, *values in self._ask("billing_cases", ids=wanted):
            found[case_id] = replace(BillingCase(*values), money=money.get(case_id, {}))
        return found

    # ---- what an event comes to

    def _add(self, table: str, row: BooksRow) -> None:
        self.rows.setdefault(table, []).append(row)

    def _note(self, event: Event, key: str, outcome: BookingOutcome, note: str | None) -> None:
        self._add(
            "inbox",
            {
                "event_id": event.id,
                "natural_key": key,
                "type": event.type,
                "case_id": event.case_id,
                "position": event.position,
                "topic": event.topic,
                "partition": event.partition,
                "happened_at": event.happened_at,
                "outcome": outcome,
                "note": note,
            },
        )

    def _entries(self, event: Event, before: BillingCase, taken: ledger.PostedEvent) -> None:
        for line, posting in enumerate(taken.postings, 1):
            row = {"event_id": event.id, "line": line, "case_id": event.case_id, **posting._asdict()}
            self._add("postings", row)
        for what, old, new in ledger.changes(before, taken.case):
            self._add("changes", {"event_id": event.id, "what": what, "old": old, "new": new})

    def _points(self, event: Event, said: BillingEvent) -> None:
        match said:
            case WaterTurnedOn():
                self._add("accounts", _account(event, said))
            case MeterReplaced():
                self._add("meters", _meters(event, said))
            case UsageClassChanged():
                self._add("classes", _class(event, said))
            case CustomerChanged():
                self._add("customers", _customer(event, said))
            case CustomerRenamed(points=points):
                for point in points:
                    self._add("customers", _renamed(event, said, point))
            case ReadingAudited():
                self._add("readings", {"event_id": event.id, **msgspec.structs.asdict(said)})
            case ReadingHeld() | ReadingReleased():
                self.holds.append(_hold(event.case_id, event.happened_at, said))
            case _:
                pass

    def _write(self, before: Mapping[UUID, BillingCase], cases: Mapping[UUID, BillingCase]) -> None:
        changed = {id_: case for id_, case in cases.items() if case != before[id_]}
        for case_id, case in changed.items():
            self._add("cases", _case(case_id, case))
            for (kind, number), money in case.money.items():
                if before[case_id].money.get((kind, number)) != money:
                    row = {"kind": kind, "number": number, "lines": money.lines, "reversed": money.reversed}
                    self._add("money", {"case_id": case_id, **row})
        self._save("billing_save_inbox", "inbox")
        self._save("billing_save_cases", "cases")
        self._save("billing_save_money", "money")
        self._save("billing_save_changes", "changes")
        self._save("billing_save_postings", "postings")
        self._save("billing_number_accounts", "accounts")
        self._save("billing_save_accounts", "accounts")
        self._save("billing_save_meters", "meters")
        self._save("billing_save_classes", "classes")
        self._save("billing_save_customers", "customers")
        self._save("billing_save_readings", "readings")
        for row in self.holds:
            self._do("billing_save_hold", row=row)

    def _save(self, name: str, table: str) -> None:
        if rows := self.rows.get(table):
            self._do(name, rows=rows)

    def _do(self, name: str, **values: Any) -> None:
        encoded = {key: Jsonb(msgspec.to_builtins(value)) for key, value in values.items()}
        self.cursor.execute(sql(name), {"build": self.build, **encoded})


def _case(case_id: UUID, case: BillingCase) -> BooksRow:
    names: Iterable[str] = (
        "case_number",
        "category",
        "payer_class",
        "desk",
        "owner",
        "catalogue",
        "quote",
        "quote_lines",
        "stopped",
    )
    return {"case_id": case_id, **{name: getattr(case, name) for name in names}}


def _account(event: Event, said: WaterTurnedOn) -> BooksRow:
    meter = said.meter
    return {
        "event_id": event.id,
        "position": event.position,
        "case_id": event.case_id,
        "point": said.point,
        "subject_id": said.subject.id,
        "subject_revision": said.subject.revision,
        "meter_number": meter.number,
        "meter_body_code": meter.body_code,
        "meter_dn_mm": meter.dn_mm,
        "verified_on": meter.verified_on,
        "expires_on": meter.expires_on,
        "initial_reading_m3": meter.initial_reading_m3,
        "dial_max_m3": meter.dial_max_m3,
        "contract": said.contract,
        "address_code": said.address_code,
        "usage_split": said.usage_split,
        "household_size": said.household_size,
        "price_version": said.price_version,
        "water_on_at": event.happened_at,
    }


def _meters(event: Event, said: MeterReplaced) -> BooksRow:
    return {
        "event_id": event.id,
        "case_id": event.case_id,
        "point": said.point,
        "old_meter": said.old_meter,
        "final_reading_m3": said.final_reading_m3,
        "new_meter": said.meter.number,
        "initial_reading_m3": said.meter.initial_reading_m3,
        "changed_at": event.happened_at,
    }


def _class(event: Event, said: UsageClassChanged) -> BooksRow:
    return {
        "event_id": event.id,
        "case_id": event.case_id,
        "point": said.point,
        "change": said.change,
        "usage_split": said.usage_split,
        "household_size": said.household_size,
        "price_version": said.price_version,
        "valid_from": said.effective_at,
        "reading_m3": said.reading_m3,
    }


def _customer(event: Event, said: CustomerChanged) -> BooksRow:
    return {
        "event_id": event.id,
        "case_id": event.case_id,
        "point": said.point,
        "change": said.change,
        "subject_id": said.subject.id,
        "subject_revision": said.subject.revision,
        "contract": said.contract,
        "valid_from": said.effective_at,
        "reading_m3": said.reading_m3,
    }


def _renamed(event: Event, said: CustomerRenamed, point: int) -> BooksRow:
    """A new name is in force from when it was told on, under the contract that goes on."""
    return {
        "event_id": event.id,
        "case_id": event.case_id,
        "point": point,
        "change": said.change,
        "subject_id": said.subject.id,
        "subject_revision": said.subject.revision,
        "contract": None,
        "valid_from": event.happened_at,
        "reading_m3": None,
    }


def _hold(case_id: UUID, at: datetime, said: ReadingHeld | ReadingReleased) -> BooksRow:
    when = "held_at" if isinstance(said, ReadingHeld) else "released_at"
    return {"case_id": case_id, **msgspec.structs.asdict(said), when: at}

"""The billing consumer: an account for each supply point with water, its meters, and the readings that are held.

It lives on the published topics alone. Its inbox is unique by event id, its accounts by case and supply point, its
holds by case and number, so an event that comes twice, or in two forms, has its effect once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.types.json import Jsonb

from infra.reader import Applied, DeadLetter, Event, dead_letter_of, run_reader, save_dead_letters
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

READER = "billing"
WATER_ON = "water.connection.WaterTurnedOn.v1"
METER_REPLACED = "water.connection.MeterReplaced.v1"
HELD = "water.usage.ReadingHeld.v1"
RELEASED = "water.usage.ReadingReleased.v1"


class _Subject(msgspec.Struct):
    id: str
    revision: int


class _Meter(msgspec.Struct):
    number: str
    body_code: str
    dn_mm: int
    initial_reading_m3: str


class _WaterTurnedOn(msgspec.Struct):
    """What billing needs of the published data; other fields are ignored."""

    point: int
    subject: _Subject
    meter: _Meter


class _NewMeter(msgspec.Struct):
    number: str
    initial_reading_m3: str


class _MeterReplaced(msgspec.Struct):
    point: int
    old_meter: str
    final_reading_m3: str
    meter: _NewMeter


class _Hold(msgspec.Struct):
    hold: int
    meter: str
    read_at: str
    litres: int
    connection: str | None
    point: int | None
    cause: str | None = None


def account(event: Event) -> dict[str, Any]:
    """The account that a water-on event opens. Raises msgspec.ValidationError where a field is missing or wrong."""
    data = msgspec.convert(event.data, _WaterTurnedOn)
    return {
        "case_id": str(event.case_id),
        "point": data.point,
        "subject_id": data.subject.id,
        "subject_revision": data.subject.revision,
        "meter_number": data.meter.number,
        "meter_body_code": data.meter.body_code,
        "meter_dn_mm": data.meter.dn_mm,
        "initial_reading_m3": data.meter.initial_reading_m3,
        "water_on_at": event.happened_at.isoformat(),
        "event_id": str(event.id),
    }


def meter_change(event: Event) -> dict[str, Any]:
    """What a replaced meter changes for billing. Raises as ``account`` does."""
    data = msgspec.convert(event.data, _MeterReplaced)
    return {
        "event_id": str(event.id),
        "case_id": str(event.case_id),
        "point": data.point,
        "old_meter": data.old_meter,
        "final_reading_m3": data.final_reading_m3,
        "new_meter": data.meter.number,
        "initial_reading_m3": data.meter.initial_reading_m3,
        "changed_at": event.happened_at.isoformat(),
    }


def hold(event: Event) -> dict[str, Any]:
    """What a held or released reading says. Raises as ``account`` does."""
    said = msgspec.to_builtins(msgspec.convert(event.data, _Hold))
    at = event.happened_at.isoformat()
    times = {"held_at": at} if event.type == HELD else {"released_at": at}
    return {**said, "case_id": str(event.case_id), **times}


TAKES: dict[str, Callable[[Event], dict[str, Any]]] = {
    WATER_ON: account,
    METER_REPLACED: meter_change,
    HELD: hold,
    RELEASED: hold,
}
"""What billing needs, and what it makes of it; every other event is somebody else's."""


def step(cursor: Cursor[Any], events: Sequence[Event]) -> None:
    """Take events into the inbox and into the books, in the cursor's transaction."""
    wanted, poison = _read(events)
    save_dead_letters(cursor, READER, poison)
    if not wanted:
        return
    cursor.execute(
        sql("billing_take"),
        {
            "ids": [event.id for event, _ in wanted],
            "positions": [event.position for event, _ in wanted],
            "types": [event.type for event, _ in wanted],
        },
    )
    fresh = {row[0] for row in cursor.fetchall()}
    news = [(event, said) for event, said in wanted if event.id in fresh]
    _book(cursor, news)


def _book(cursor: Cursor[Any], news: Sequence[tuple[Event, dict[str, Any]]]) -> None:
    accounts = [said for event, said in news if event.type == WATER_ON]
    if accounts:
        cursor.execute(sql("billing_open"), {"accounts": Jsonb(accounts)})
        log.info("opened %d accounts", cursor.rowcount)
    changes = [said for event, said in news if event.type == METER_REPLACED]
    if changes:
        cursor.execute(sql("billing_change_meters"), {"changes": Jsonb(changes)})
    for event, said in news:
        if event.type in (HELD, RELEASED):
            cursor.execute(sql("billing_hold"), {"hold": Jsonb(said)})


def _read(events: Sequence[Event]) -> tuple[list[tuple[Event, dict[str, Any]]], list[DeadLetter]]:
    found: list[tuple[Event, dict[str, Any]]] = []
    poison: list[DeadLetter] = []
    for event in events:
        if event.type not in TAKES:
            continue
        try:
            found.append((event, TAKES[event.type](event)))
        except msgspec.ValidationError as error:
            # The validation error names field and type, never the value.
            poison.append(dead_letter_of(event, {}, "bad-data", str(error)))
    return found, poison


def run(settings: Settings, stop: threading.Event, on_batch: Callable[[Applied], None] | None = None) -> None:
    """Consume until ``stop`` is set."""
    run_reader(
        settings,
        reader_name=READER,
        schema="billing",
        topics=[settings.home_topic("connection"), settings.home_topic("usage")],
        step=step,
        stop=stop,
        on_batch=on_batch,
    )

"""The billing consumer: opens one account for each supply point that water was turned on at.

It lives on the published topic alone. Its inbox is unique by event id and its accounts by case and supply point, so an
event that comes twice, or in two forms, opens one account.
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


def step(cursor: Cursor[Any], events: Sequence[Event]) -> None:
    """Take events into the inbox and open their accounts, in the cursor's transaction."""
    accounts, poison = _accounts(events)
    save_dead_letters(cursor, READER, poison)
    if not accounts:
        return
    known = {str(event.id): event for event in events}
    cursor.execute(
        sql("billing_take"),
        {
            "ids": list(accounts),
            "positions": [known[id_].position for id_ in accounts],
            "types": [known[id_].type for id_ in accounts],
        },
    )
    fresh = [accounts[str(row[0])] for row in cursor.fetchall()]
    cursor.execute(sql("billing_open"), {"accounts": Jsonb(fresh)})
    log.info("opened %d accounts", cursor.rowcount)


def _accounts(events: Sequence[Event]) -> tuple[dict[str, dict[str, Any]], list[DeadLetter]]:
    accounts: dict[str, dict[str, Any]] = {}
    poison: list[DeadLetter] = []
    for event in events:
        if event.type != WATER_ON:
            continue
        try:
            accounts[str(event.id)] = account(event)
        except msgspec.ValidationError as error:
            # The validation error names field and type, never the value.
            poison.append(dead_letter_of(event, {}, "bad-data", str(error)))
    return accounts, poison


def run(settings: Settings, stop: threading.Event, on_batch: Callable[[Applied], None] | None = None) -> None:
    """Consume until ``stop`` is set."""
    run_reader(
        settings,
        reader_name=READER,
        schema="billing",
        topics=[settings.home_topic("connection")],
        step=step,
        stop=stop,
        on_batch=on_batch,
    )

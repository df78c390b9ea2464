"""Read model: the meter that measures each supply point, with its verification: whose it ends is looked at by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name

FACTS = ("MeterInstalled", "MeterReplaced", "WaterTurnedOn")
"""Each of them says which meter is in at a supply point, with its details."""
AGAIN = "MeterVerified"


@dataclass(frozen=True, slots=True)
class MeterRow:
    """The meter that is in at a supply point. ``in_since``: when it went in, as it was told first."""

    case_id: UUID
    point: int
    meter: str
    dn_mm: int
    q3_m3h: Decimal | None
    verified_on: date
    expires_on: date
    in_since: datetime
    position: int


def key_of(event: Event) -> tuple[Any, ...] | None:
    """The supply point that the event is about; None where it is about no meter."""
    return (event.case_id, event.data["point"]) if fact_name(event) in (*FACTS, AGAIN) else None


def fold(row: MeterRow | None, event: Event) -> MeterRow | None:
    """The supply point's row after the event. Of the meter that is in already only what is told of it anew changes."""
    if fact_name(event) == AGAIN:
        return _again(row, event)
    meter: dict[str, Any] = event.data["meter"]
    same = row is not None and row.meter == meter["number"]
    return MeterRow(
        case_id=event.case_id,
        point=event.data["point"],
        meter=meter["number"],
        dn_mm=meter["dn_mm"],
        q3_m3h=_flow(meter.get("q3_m3h")),
        verified_on=date.fromisoformat(meter["verified_on"]),
        expires_on=date.fromisoformat(meter["expires_on"]),
        in_since=row.in_since if row is not None and same else event.happened_at,
        position=event.position,
    )


def _again(row: MeterRow | None, event: Event) -> MeterRow | None:
    """After another verification of the meter that is in; one of a meter that has gone changes nothing."""
    data = event.data
    if row is None or row.meter != data["meter"]:
        return row
    return changed(
        row,
        q3_m3h=_flow(data["q3_m3h"]),
        verified_on=date.fromisoformat(data["verified_on"]),
        expires_on=date.fromisoformat(data["expires_on"]),
        position=event.position,
    )


def _flow(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None


METERS = Model(
    name="meters",
    table="views.meters",
    row=MeterRow,
    key=("case_id", "point"),
    topics=("connection",),
    key_of=key_of,
    fold=fold,
)

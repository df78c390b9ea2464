"""What billing needs of the published events; other types and fields are ignored, for additions are no break.

``read`` gives a small frozen class for each type billing takes, and ``natural_key`` the name under which the same
thing has its effect once, whatever event ids it comes with.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from infra.decoders import converter
from infra.readers.record import Event


class Subject(msgspec.Struct, frozen=True):
    id: str
    revision: int


class Meter(msgspec.Struct, frozen=True):
    number: str
    body_code: str
    dn_mm: int
    initial_reading_m3: Decimal
    verified_on: date | None = None
    expires_on: date | None = None
    dial_max_m3: int | None = None


class Line(msgspec.Struct, frozen=True):
    fee: str
    amount_fen: int


class ApplicationReceived(msgspec.Struct, frozen=True):
    case_number: str
    category: str


class CaseRouted(msgspec.Struct, frozen=True):
    desk: str
    owner: str


class OwnerReplaced(msgspec.Struct, frozen=True):
    owner: str


class QuoteIssued(msgspec.Struct, frozen=True):
    quote: int
    catalogue: str
    payer_class: str
    lines: tuple[Line, ...]


class PaymentReceived(msgspec.Struct, frozen=True):
    payment: str
    lines: tuple[Line, ...]


class PaymentReversed(msgspec.Struct, frozen=True):
    payment: str


class RefundMade(msgspec.Struct, frozen=True):
    refund: str
    lines: tuple[Line, ...]


class RefundReversed(msgspec.Struct, frozen=True):
    refund: str


class Stopped(msgspec.Struct, frozen=True):
    """The case stopped for good: nothing of its quote is owed any more, and what was paid can go back."""

    reason: str


class CaseResumed(msgspec.Struct, frozen=True):
    reason: str


class WaterTurnedOn(msgspec.Struct, frozen=True):
    point: int
    subject: Subject
    meter: Meter
    contract: str | None = None
    address_code: str | None = None
    usage_split: dict[str, int] = {}
    household_size: int | None = None
    price_version: str | None = None


class NewMeter(msgspec.Struct, frozen=True):
    number: str
    initial_reading_m3: Decimal


class MeterReplaced(msgspec.Struct, frozen=True):
    point: int
    old_meter: str
    final_reading_m3: Decimal
    meter: NewMeter


class UsageClassChanged(msgspec.Struct, frozen=True):
    """Another class of use from ``effective_at`` on; with a reading, what was used before is of the old one."""

    change: int
    point: int
    usage_split: dict[str, int]
    effective_at: datetime
    household_size: int | None = None
    price_version: str | None = None
    reading_m3: Decimal | None = None


class CustomerChanged(msgspec.Struct, frozen=True):
    """Another customer from ``effective_at`` on, when the dial showed that."""

    change: int
    point: int
    subject: Subject
    contract: str
    effective_at: datetime
    reading_m3: Decimal


class CustomerRenamed(msgspec.Struct, frozen=True):
    """The same customer under another name, at these supply points."""

    change: int
    points: tuple[int, ...]
    subject: Subject


class ReadingHeld(msgspec.Struct, frozen=True):
    hold: int
    meter: str
    read_at: datetime
    litres: int
    connection: str | None
    point: int | None


class ReadingReleased(msgspec.Struct, frozen=True):
    hold: int
    meter: str
    read_at: datetime
    litres: int
    connection: str | None
    point: int | None
    cause: str


class ReadingAudited(msgspec.Struct, frozen=True):
    """A reading that a second person accepted: what there is to bill."""

    meter: str
    read_at: datetime
    litres: int
    used_litres: int | None
    signs: tuple[str, ...]


BillingEvent = (
    ApplicationReceived
    | CaseRouted
    | OwnerReplaced
    | QuoteIssued
    | PaymentReceived
    | PaymentReversed
    | RefundMade
    | RefundReversed
    | Stopped
    | CaseResumed
    | WaterTurnedOn
    | MeterReplaced
    | UsageClassChanged
    | CustomerChanged
    | CustomerRenamed
    | ReadingHeld
    | ReadingReleased
    | ReadingAudited
)

TAKES: dict[str, type[BillingEvent]] = {
    "water.connection.ApplicationReceived.v1": ApplicationReceived,
    "water.connection.CaseRouted.v1": CaseRouted,
    "water.connection.OwnerReplaced.v1": OwnerReplaced,
    "water.connection.QuoteIssued.v1": QuoteIssued,
    "water.connection.PaymentReceived.v1": PaymentReceived,
    "water.connection.PaymentReversed.v1": PaymentReversed,
    "water.connection.RefundMade.v1": RefundMade,
    "water.connection.RefundReversed.v1": RefundReversed,
    "water.connection.ApplicationWithdrawn.v1": Stopped,
    "water.connection.ApplicationRefused.v1": Stopped,
    "water.connection.CaseEnded.v1": Stopped,
    "water.connection.CaseResumed.v1": CaseResumed,
    "water.connection.WaterTurnedOn.v1": WaterTurnedOn,
    "water.connection.MeterReplaced.v1": MeterReplaced,
    "water.connection.UsageClassChanged.v1": UsageClassChanged,
    "water.connection.CustomerChanged.v1": CustomerChanged,
    "water.connection.CustomerRenamed.v1": CustomerRenamed,
    "water.usage.ReadingHeld.v1": ReadingHeld,
    "water.usage.ReadingReleased.v1": ReadingReleased,
    "water.usage.ReadingAudited.v1": ReadingAudited,
}
"""Public type name → what billing reads of it."""

READ_AS: dict[str, Callable[[Any], BillingEvent]] = {name: converter(form) for name, form in TAKES.items()}
"""Public type name → what reads an event's data so."""


def read(event: Event) -> BillingEvent:
    """What an event of a type in TAKES says. Raises msgspec.ValidationError, which names field and type and never the
    value, where a field is missing or wrong."""
    # The published numbers are strings where they must be exact; nothing else is converted.
    return READ_AS[event.type](event.data)


def natural_key(event: Event, said: BillingEvent) -> str:
    """The thing itself, in the service's own numbers; of what has none, its place in its case."""
    case = str(event.case_id)
    match said:
        case ApplicationReceived():
            return f"{case}/application"
        case QuoteIssued(quote=number):
            return f"{case}/quote/{number}"
        case PaymentReceived(payment=number):
            return f"{case}/payment/{number}"
        case PaymentReversed(payment=number):
            return f"{case}/payment-reversed/{number}"
        case RefundMade(refund=number):
            return f"{case}/refund/{number}"
        case RefundReversed(refund=number):
            return f"{case}/refund-reversed/{number}"
        case WaterTurnedOn(point=point):
            return f"{case}/water-on/{point}"
        case MeterReplaced():
            return f"{case}/meter/{said.point}/{said.old_meter}/{said.meter.number}/{_utc(event.happened_at)}"
        case UsageClassChanged(change=number) | CustomerChanged(change=number) | CustomerRenamed(change=number):
            return f"{case}/change/{number}"
        case ReadingHeld(hold=number):
            return f"{case}/held/{number}"
        case ReadingReleased(hold=number):
            return f"{case}/released/{number}"
        case ReadingAudited():
            # Not by its case: the same reading of the same meter is billed once, whichever round it was accepted in.
            return f"reading/{said.meter}/{_utc(said.read_at)}"
        case _:
            return f"{case}/v{event.version}"


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()

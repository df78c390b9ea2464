"""Read model: every charge as the price authority and the market regulator see it, one row for each line.

A reversal names the payment or refund that it takes back, not its amount: ``number`` joins the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Journal, fact_name

KINDS = ("quoted", "paid", "payment-reversed", "refunded", "refund-reversed", "refused")


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """``kind`` is one of ``KINDS``. ``number``: of the quote, payment or refund. ``fee``: the catalogue's code, or what
    was asked for where it was refused; ``banned`` the forbidden name that it is, ``why`` the refusal's code. Amounts
    are fen; None where none was named."""

    case_id: UUID
    version: int
    line: int
    kind: str
    number: str | None
    fee: str | None
    quantity: str | None
    amount_fen: int | None
    catalogue: str | None
    banned: str | None
    why: str | None
    reason: str | None
    actor: str
    role: str
    happened_at: datetime
    recorded_at: datetime
    position: int


def rows_of(event: Event) -> Sequence[ChargeRow]:
    """The event's lines; none where it is not about money."""
    made = KIND_OF.get(fact_name(event))
    return made(_plain(event), event.data) if made is not None else ()


def _plain(event: Event) -> ChargeRow:
    return ChargeRow(
        case_id=event.case_id,
        version=event.version,
        line=1,
        kind="",
        number=None,
        fee=None,
        quantity=None,
        amount_fen=None,
        catalogue=None,
        banned=None,
        why=None,
        reason=None,
        actor=event.actor,
        role=event.role,
        happened_at=event.happened_at,
        recorded_at=event.recorded_at,
        position=event.position,
    )


ChargesOf = Callable[[ChargeRow, dict[str, Any]], Sequence[ChargeRow]]


def _lines(charge: ChargeRow, lines: Sequence[dict[str, Any]]) -> Sequence[ChargeRow]:
    return [
        changed(charge, line=number, fee=line["fee"], quantity=line.get("quantity"), amount_fen=line["amount_fen"])
        for number, line in enumerate(lines, start=1)
    ]


def _quoted(charge: ChargeRow, data: dict[str, Any]) -> Sequence[ChargeRow]:
    quote = changed(charge, kind="quoted", number=str(data["quote"]), catalogue=data["catalogue"])
    return _lines(quote, data["lines"])


def _moved(kind: str, number: str) -> ChargesOf:
    return lambda charge, data: _lines(changed(charge, kind=kind, number=data[number]), data["lines"])


def _reversed(kind: str, number: str) -> ChargesOf:
    return lambda charge, data: [changed(charge, kind=kind, number=data[number], reason=data["reason"])]


def _refused(charge: ChargeRow, data: dict[str, Any]) -> Sequence[ChargeRow]:
    refused = changed(charge, kind="refused", fee=data["charge"], banned=data["banned"], why=data["why"])
    return [changed(refused, amount_fen=data["amount_fen"], catalogue=data["catalogue"])]


KIND_OF: dict[str, ChargesOf] = {
    "QuoteIssued": _quoted,
    "PaymentReceived": _moved("paid", "payment"),
    "PaymentReversed": _reversed("payment-reversed", "payment"),
    "RefundMade": _moved("refunded", "refund"),
    "RefundReversed": _reversed("refund-reversed", "refund"),
    "ChargeRefused": _refused,
}


CHARGES = Journal(
    name="charges",
    table="views.charges",
    row=ChargeRow,
    key=("case_id", "version", "line"),
    topics=("connection",),
    rows_of=rows_of,
)

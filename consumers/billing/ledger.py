"""Billing's arithmetic: what an event means for a case's books, in double entry. Pure; all amounts are fen (分).

Three ledgers. A quote makes a claim: receivable +, income -. A payment: cash +, receivable -. A refund the other way.
What replaces or stops a quote takes its claim back first; a reversal is the mirror of what it reverses. So the postings
of every event sum to nothing, and a case's receivable is what is still to be paid, below zero what is to go back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeAlias

from consumers.billing.messages import (
    ApplicationReceived,
    BillingEvent,
    CaseResumed,
    CaseRouted,
    Line,
    OwnerReplaced,
    PaymentReceived,
    PaymentReversed,
    QuoteIssued,
    RefundMade,
    RefundReversed,
    Stopped,
)

LedgerName = Literal["receivable", "income", "cash"]
Movement = Literal[
    "quote",
    "quote-replaced",
    "quote-void",
    "quote-again",
    "payment",
    "payment-reversed",
    "refund",
    "refund-reversed",
]
MoneyKind = Literal["payment", "refund"]
Fen: TypeAlias = Mapping[str, int]
"""Fee → amount."""


class Posting(NamedTuple):
    """One line of an entry. ``reference``: the quote's, payment's or refund's number."""

    ledger: LedgerName
    movement: Movement
    reference: str
    fee: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Money:
    """A payment or a refund by its number."""

    lines: Fen
    reversed: bool = False


@dataclass(frozen=True, slots=True)
class BillingCase:
    """A connection case as billing keeps it. ``stopped``: why nothing is owed any more; None: it is under way."""

    case_number: str | None = None
    category: str | None = None
    payer_class: str | None = None
    desk: str | None = None
    owner: str | None = None
    catalogue: str | None = None
    quote: int | None = None
    quote_lines: Fen = field(default_factory=dict)
    stopped: str | None = None
    money: Mapping[tuple[MoneyKind, str], Money] = field(default_factory=dict)

    @property
    def claim(self) -> Fen:
        """What the case owes in all, by fee, before any payment."""
        return {} if self.stopped is not None else self.quote_lines


@dataclass(frozen=True, slots=True)
class PostedEvent:
    """A case after an event. ``odd``: why it does not fit what is booked; then nothing was posted."""

    case: BillingCase
    postings: Sequence[Posting] = ()
    odd: str | None = None


def take(case: BillingCase, said: BillingEvent) -> PostedEvent:
    """The case after what was said; what is of no concern to its books leaves it as it is."""
    match said:
        case ApplicationReceived(case_number=number, category=category):
            return PostedEvent(replace(case, case_number=number, category=category))
        case CaseRouted(desk=desk, owner=owner):
            return PostedEvent(replace(case, desk=desk, owner=owner))
        case OwnerReplaced(owner=owner):
            return PostedEvent(replace(case, owner=owner))
        case QuoteIssued():
            return _quoted(case, said)
        case Stopped(reason=reason):
            after = replace(case, stopped=reason)
            return PostedEvent(after, _claim(case, -1, "quote-void"))
        case CaseResumed():
            after = replace(case, stopped=None)
            return PostedEvent(after, _claim(after, 1, "quote-again") if case.stopped is not None else ())
        case PaymentReceived(payment=number, lines=lines):
            return _moved(case, "payment", number, lines)
        case RefundMade(refund=number, lines=lines):
            return _moved(case, "refund", number, lines)
        case PaymentReversed(payment=number):
            return _reversed(case, "payment", number)
        case RefundReversed(refund=number):
            return _reversed(case, "refund", number)
        case _:
            return PostedEvent(case)


def changes(before: BillingCase, after: BillingCase) -> Iterator[tuple[str, str | None, str | None]]:
    """What of a case's terms changed: (what, old, new)."""
    for what in ("payer_class", "owner", "stopped"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            yield what, old, new


def _quoted(case: BillingCase, said: QuoteIssued) -> PostedEvent:
    after = replace(
        case,
        payer_class=said.payer_class,
        catalogue=said.catalogue,
        quote=said.quote,
        quote_lines=_by_fee(said.lines),
    )
    standing = replace(after, stopped=None)
    # A stopped case is not quoted to; where it is said all the same, it is on the books and owed by nobody.
    void = _claim(standing, -1, "quote-void") if case.stopped is not None else ()
    return PostedEvent(after, (*_claim(case, -1, "quote-replaced"), *_claim(standing, 1, "quote"), *void))


def _moved(case: BillingCase, kind: MoneyKind, number: str, lines: Sequence[Line]) -> PostedEvent:
    money = Money(_by_fee(lines))
    after = replace(case, money={**case.money, (kind, number): money})
    return PostedEvent(after, _cash(kind, kind, number, money, 1))


def _reversed(case: BillingCase, kind: MoneyKind, number: str) -> PostedEvent:
    money = case.money.get((kind, number))
    if money is None or money.reversed:
        return PostedEvent(case, odd=f"{kind} {number} is {'not booked' if money is None else 'reversed already'}")
    after = replace(case, money={**case.money, (kind, number): replace(money, reversed=True)})
    movement: Movement = "payment-reversed" if kind == "payment" else "refund-reversed"
    return PostedEvent(after, _cash(kind, movement, number, money, -1))


def _claim(case: BillingCase, sign: int, movement: Movement) -> tuple[Posting, ...]:
    return _pairs("receivable", "income", movement, str(case.quote), case.claim, sign)


def _cash(kind: MoneyKind, movement: Movement, number: str, money: Money, sign: int) -> tuple[Posting, ...]:
    return _pairs("cash", "receivable", movement, number, money.lines, sign if kind == "payment" else -sign)


def _pairs(
    debit: LedgerName, credit: LedgerName, movement: Movement, reference: str, lines: Fen, sign: int
) -> tuple[Posting, ...]:
    return tuple(
        Posting(ledger, movement, reference, fee, amount)
        for fee, fen in lines.items()
        if fen
        for ledger, amount in ((debit, sign * fen), (credit, -sign * fen))
    )


def _by_fee(lines: Sequence[Line]) -> Fen:
    found: dict[str, int] = {}
    for line in lines:
        found[line.fee] = found.get(line.fee, 0) + line.amount_fen
    return found

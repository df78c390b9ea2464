"""Charges (费用): quote, contract, payment, refund, reversal, and every attempt to charge anything else.

Sources: the published promise of three fees (只保留); 国办函〔2020〕129号 (in force since 2021-03-01) for what may
never be charged. Our decisions: a quote binds to the catalogue in force; any other charge is refused and the refusal
recorded; refunds never exceed what was paid on their line, and corrections are reversals; both need a second person in
another role; once the contract is signed
and money came in, a new quote may only lower a line. All amounts are fen (分).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NoReturn
from unicodedata import normalize

from domain.connections.case import Connection, Payment
from domain.connections.facts import (
    ChargeRefused,
    ContractSigned,
    MoneyLine,
    PaymentReceived,
    PaymentReversed,
    QuoteIssued,
    QuoteLine,
    RefundMade,
    RefundReversed,
)
from domain.connections.refusals import (
    AlreadyQuoted,
    AlreadyReversed,
    AmountOutOfRange,
    ContractIsSigned,
    NoCatalogue,
    NoPayerClass,
    NoQuote,
    NoSuchNumber,
    NoSuchPayment,
    NoSuchRefund,
    NotContracted,
    NothingToPay,
    NotPaid,
    NotQuoted,
    NumberUsed,
    Overpaid,
    PaymentNumberUsed,
    QuoteRaised,
    RefundedAlready,
    RefundNumberUsed,
    RefundTooLarge,
    SecondRoleNeeded,
)
from domain.connections.requirements import (
    allowed,
    as_told,
    require_feasible,
    require_not_done,
    require_once,
    require_timely,
    under_way,
)
from domain.deadlines.calendar import local_date
from domain.kernel.refusals import FeeBanned, Refusal
from domain.repairs.checks import require_other_person
from domain.standard import fees
from domain.standard.context import CommandContext
from domain.standard.fees import CataloguePublished
from domain.standard.powers import roles_with
from domain.standard.refusals import FeeNotInCatalogue, FeeTwice
from domain.standard.sections.numbers import require_number

# ---- quote


def issue_quote(case: Connection, ctx: CommandContext, *, lines: Sequence[tuple[str, Decimal]]) -> QuoteIssued:
    """Quote (fee, quantity) lines by the catalogue in force. It replaces an earlier quote and needs its own contract.

    Refuses ``no-catalogue``, ``not-feasible``, ``all-on``, ``quote-raised`` (money came in under the contract, and a
    line would grow) and what ``fees.priced`` refuses. A fee that may not be charged is refused with its own code, and
    the attempt recorded.
    """
    known = under_way(case, ctx, "quote")
    require_not_done(known)
    require_feasible(known)
    catalogue = _catalogue(ctx)
    payer_class = _payer_class(known, ctx)
    on = local_date(ctx.at)
    for fee, _ in lines:
        _require_chargeable(catalogue, fee, payer_class, ctx)
    priced = fees.priced(catalogue, payer_class, lines, on, _banned_by_law(ctx))
    quoted = tuple(QuoteLine(line.fee, line.quantity, line.amount_fen) for line in priced)
    _require_not_raised(known, quoted)
    number = known.quote.quote + 1 if known.quote is not None else 1
    return QuoteIssued(number, catalogue.version, payer_class, quoted)


def _catalogue(ctx: CommandContext) -> CataloguePublished:
    catalogue = ctx.rules.catalogue(ctx.at)
    if catalogue is None:
        raise NoCatalogue()
    return catalogue


def _payer_class(case: Connection, ctx: CommandContext) -> str:
    found = ctx.standard.connection.payer_classes.get(case.category)
    if found is None:
        raise NoPayerClass(case)
    return found


def _require_chargeable(catalogue: CataloguePublished, fee: str, payer_class: str, ctx: CommandContext) -> None:
    by_law = _banned_by_law(ctx)
    try:
        fees.chargeable(catalogue, fee, payer_class, local_date(ctx.at), by_law)
    except Refusal as refusal:
        raise _attempt(refusal, catalogue, fee, banned=fees.banned_name(catalogue, fee, by_law)) from None


def _banned_by_law(ctx: CommandContext) -> tuple[str, ...]:
    return ctx.rules.law.banned_names(local_date(ctx.at))


def _attempt(
    refusal: Refusal,
    catalogue: CataloguePublished,
    charge: str,
    *,
    banned: str | None = None,
    amount_fen: int | None = None,
) -> Refusal:
    return refusal.on_record(ChargeRefused(charge, banned, refusal.code, amount_fen, catalogue.version))


def _require_not_raised(case: Connection, quoted: Sequence[QuoteLine]) -> None:
    """The price of a signed contract under which money came in never grows."""
    if case.contract is None or not any(case.paid_fen(fee) - case.refunded_fen(fee) > 0 for fee in case.fees):
        return
    raised = [line for line in quoted if line.amount_fen > case.quoted_fen(line.fee)]
    if raised:
        raise QuoteRaised(raised, case)


# ---- asking for a charge by name


def ask_charge(case: Connection, ctx: CommandContext, *, charge: str, name_zh: str, amount_fen: int) -> NoReturn:
    """Look whether a charge may be asked for. It never may, unless it is a line of the quote already: then
    ``already-quoted``. Everything else is refused and the attempt recorded, under the code that says why:
    ``fee-banned``, ``fee-not-in-catalogue`` (also a fee under another name), ``fee-switched-off``, ``fee-not-valid``,
    ``fee-not-for-payer``, ``not-quoted``. ``name_zh`` is looked at and not kept."""
    known = under_way(case, ctx, "quote")
    catalogue = _catalogue(ctx)
    _require_amount(amount_fen)
    refusal, banned = _not_allowed(known, ctx, catalogue, charge, name_zh)
    if refusal is None and known.quoted_fen(charge) != amount_fen:
        refusal = _not_quoted(known, charge, amount_fen)
    if refusal is not None:
        raise _attempt(refusal, catalogue, charge, banned=banned, amount_fen=amount_fen)
    raise AlreadyQuoted(charge, amount_fen, known)


def _not_allowed(
    case: Connection, ctx: CommandContext, catalogue: CataloguePublished, charge: str, name_zh: str
) -> tuple[Refusal | None, str | None]:
    """Why the catalogue does not allow it, and the banned name that it is."""
    by_law = _banned_by_law(ctx)
    banned = fees.banned_name(catalogue, name_zh, by_law) or fees.banned_name(catalogue, charge, by_law)
    if banned is not None:
        return _banned(banned), banned
    try:
        item = fees.chargeable(catalogue, charge, _payer_class(case, ctx), local_date(ctx.at), by_law)
    except Refusal as refusal:
        return refusal, None
    if normalize("NFKC", item.name_zh) != normalize("NFKC", name_zh):
        return _other_name(charge, item.name_zh), None
    return None, None


def _banned(name: str) -> Refusal:
    return FeeBanned(
        found=f"another word for {name}" if name else "a banned name",
        needed=f"a charge that the law allows; {name} is forbidden",
        next_step_zh="该名目依法禁止收取，请勿收费；本次尝试已留痕",
    )


def _other_name(charge: str, name_zh: str) -> Refusal:
    return FeeNotInCatalogue(
        found=f"{charge} under another name",
        needed=f"the catalogue's own name, {name_zh}",
        next_step_zh="收费名称与目录不符，请勿收费；本次尝试已留痕",
    )


def _not_quoted(case: Connection, charge: str, amount_fen: int) -> Refusal:
    quoted = [f"{line.fee} {line.amount_fen}" for line in case.quote.lines] if case.quote is not None else []
    return NotQuoted(charge, amount_fen, quoted)


# ---- contract


def sign_contract(case: Connection, ctx: CommandContext, *, contract: str, digest: str) -> ContractSigned:
    """The contract for supply was signed, for the quote in force. Refuses ``no-quote``, ``contract-signed`` (for this
    quote: nothing to do)."""
    known = under_way(case, ctx, "sign-contract")
    quote = _quote(known)
    if known.contract is not None and known.contract.quote == quote.quote:
        raise ContractIsSigned(known.contract)
    require_number(ctx.standard, "contract", contract)
    return ContractSigned(contract, quote.quote, digest)


def require_contract(case: Connection) -> None:
    """Refuse ``not-contracted`` where the quote in force has no signed contract."""
    if case.contract is None or case.quote is None or case.contract.quote != case.quote.quote:
        signed = f"signed for quote {case.contract.quote} only" if case.contract is not None else "without a contract"
        raise NotContracted(signed, case)


def require_paid(case: Connection) -> None:
    """Refuse ``not-paid`` where something of the quote in force is not paid."""
    if not case.is_paid:
        owed = [f"{fee} {case.balance_fen(fee)} fen" for fee in case.fees if case.balance_fen(fee) > 0]
        raise NotPaid(case, owed)


def _quote(case: Connection) -> QuoteIssued:
    if case.quote is None:
        raise NoQuote(case)
    return case.quote


# ---- payments


def pay(case: Connection, ctx: CommandContext, *, payment: str, lines: Sequence[MoneyLine]) -> PaymentReceived:
    """Money came in on lines of the quote. Refuses ``no-quote``, ``payment-number-used``, ``amount-out-of-range``,
    ``nothing-to-pay`` (no line), ``fee-twice``, ``overpaid``; money on a line that the quote does not have is refused
    as ``not-quoted``, and the attempt recorded. Money that was on its way when the case stopped is taken down, and can
    be refunded."""
    known = allowed(case, ctx, "pay")
    quote = _quote(known)
    require_timely(known, ctx)
    require_number(ctx.standard, "payment", payment)
    _require_new(known.payments, payment, PaymentNumberUsed)
    _require_lines(lines)
    for line in lines:
        if line.fee not in {quoted.fee for quoted in quote.lines}:
            refusal = _not_quoted(known, line.fee, line.amount_fen)
            raise _attempt(refusal, _catalogue(ctx), line.fee, amount_fen=line.amount_fen)
    for line in lines:
        _require_not_overpaid(known, line)
    return as_told(ctx, PaymentReceived(payment, tuple(lines)))


def _require_not_overpaid(case: Connection, line: MoneyLine) -> None:
    balance = max(0, case.balance_fen(line.fee))
    if line.amount_fen > balance:
        raise Overpaid(line, balance)


def reverse_payment(case: Connection, ctx: CommandContext, *, payment: str, reason: str) -> PaymentReversed:
    """A payment was entered in error or bounced; in every state of the case. Refuses ``no-such-payment``,
    ``already-reversed``, ``refunded-already`` (a refund of it stands) and what ``_second_person`` refuses."""
    known = allowed(case, ctx, "reverse-payment")
    found = _standing(known.payments, payment, NoSuchPayment)
    for fee in {line.fee for line in found.lines}:
        left = known.paid_fen(fee) - sum(line.amount_fen for line in found.lines if line.fee == fee)
        if left < known.refunded_fen(fee):
            raise RefundedAlready(fee, known, left, payment)
    return PaymentReversed(payment, reason, _second_person(ctx, f"the reversal of payment {payment}"))


# ---- refunds


def refund(case: Connection, ctx: CommandContext, *, refund: str, lines: Sequence[MoneyLine]) -> RefundMade:
    """Money goes back: what the quote in force leaves over, or everything where the case stopped for good.

    Refuses ``refund-number-used``, ``amount-out-of-range``, ``nothing-to-pay`` (no line), ``fee-twice``,
    ``refund-too-large`` and what ``_second_person`` refuses.
    """
    known = allowed(case, ctx, "refund")
    require_number(ctx.standard, "payment", refund)
    _require_new(known.refunds, refund, RefundNumberUsed)
    _require_lines(lines)
    for line in lines:
        most = _refundable_fen(known, line.fee)
        if line.amount_fen > most:
            raise RefundTooLarge(line, most)
    return RefundMade(refund, tuple(lines), _second_person(ctx, f"refund {refund}"))


def _refundable_fen(case: Connection, fee: str) -> int:
    kept = case.paid_fen(fee) - case.refunded_fen(fee)
    stop = case.stopped
    owed = 0 if stop is not None and stop.final else case.quoted_fen(fee)
    return max(0, kept - owed)


def reverse_refund(case: Connection, ctx: CommandContext, *, refund: str, reason: str) -> RefundReversed:
    """A refund was entered in error or bounced. Refuses ``no-such-refund``, ``already-reversed`` and
    what ``_second_person`` refuses."""
    known = allowed(case, ctx, "refund")
    _standing(known.refunds, refund, NoSuchRefund)
    return RefundReversed(refund, reason, _second_person(ctx, f"the reversal of refund {refund}"))


# ---- helpers


CONFIRM_REFUND = "connection.confirm-refund"


def _second_person(ctx: CommandContext, what: str) -> str | None:
    """Who else stands behind money that goes back, or that never came: somebody in another role, who has the power for
    it. None under a standard that gives nobody this power (it was published before there was one). Refuses
    ``second-person-needed``, ``second-role-needed``. Our decision: two
    persons of two roles."""
    roles = roles_with(ctx.standard, CONFIRM_REFUND)
    if not roles:
        return None
    require_other_person(ctx, ctx.confirmed_by, what, "X-Confirmed-By")
    allowed_roles = set(roles) - {ctx.by.role}
    if ctx.confirmed_role not in allowed_roles:
        raise SecondRoleNeeded(what, ctx, allowed_roles)
    return ctx.confirmed_by


def _require_amount(amount_fen: int) -> None:
    # A boolean is an integer to Python; a fraction of a fen is no money.
    if type(amount_fen) is not int or not 0 < amount_fen <= LARGEST_FEN:
        raise AmountOutOfRange(amount_fen, needed=f"a whole number of fen, 1 to {LARGEST_FEN}")


LARGEST_FEN = 100_000_000_000
"""A billion yuan: beyond any line that could be meant. Our decision."""


def _require_lines(lines: Sequence[MoneyLine]) -> None:
    if not lines:
        raise NothingToPay()
    require_once(FeeTwice, (line.fee for line in lines))
    for line in lines:
        _require_amount(line.amount_fen)


def _require_new(known: Mapping[str, Payment], number: str, used: type[NumberUsed]) -> None:
    if number in known:
        raise used(number)


def _standing(known: Mapping[str, Payment], number: str, missing: type[NoSuchNumber]) -> Payment:
    if number not in known:
        raise missing(number, known)
    if known[number].reversed:
        raise AlreadyReversed(number)
    return known[number]

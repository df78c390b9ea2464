"""Once water is on: another class of use, another customer, another name (用水性质变更、过户、更名).

Sources: downstream billing must be told of both, in order with everything else of the case; 民法典 §555 and §648 (by
§656; in force since 2021-01-01): a supply contract passes to another with the utility's consent, so a new customer
signs one of their own.
Practice of other water companies: on application with a proof, the dial is read, the use before it is the old
customer's, a class counts from its day on and not for what was used before. Our decisions: each is a fact of the case's
own stream, for its account is opened by that stream and only there has it an order with the meters; arrears of the
water bill are billing's to ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.connections.case import Account, Connection
from domain.connections.facts import CustomerChanged, CustomerRenamed, SupplyPoint, UsageClassChanged
from domain.connections.intake import require_whole
from domain.connections.refusals import (
    ClassUnchanged,
    ContractUnchanged,
    CustomerUnchanged,
    NameUnchanged,
    NoSuchSupplyPoint,
    ReadingBeforeItIsDue,
    TooFarAhead,
    UnknownClassChange,
    UnknownCustomerChange,
    WaterNotOn,
)
from domain.connections.requirements import allowed, require_after
from domain.kernel.subjects import Subject
from domain.repairs.checks import require_other_person
from domain.standard.context import CommandContext
from domain.standard.sections.numbers import require_number
from domain.standard.values import require_known

CONFIRMED_IN = "the header X-Confirmed-By"


def change_class(
    case: Connection,
    ctx: CommandContext,
    *,
    point: int,
    usage_split: Mapping[str, int],
    household_size: int | None,
    reason: str,
    document_digest: str,
    effective_at: datetime | None = None,
    reading_m3: Decimal | None = None,
) -> UsageClassChanged:
    """The water of a supply point is used for something else from ``effective_at`` on (None: now), which may lie ahead
    as far as the standard says. One told of the instant of the last change takes its place: so it is corrected.

    Refuses ``wrong-role``, ``no-such-supply-point``, ``water-not-on``, ``unknown-class-change``,
    ``unknown-price-class``, ``usage-split-not-whole``, ``class-unchanged``, ``too-far-ahead``, ``dates-out-of-order``
    (before water was on or the last change), ``reading-before-it-is-due`` (with a reading, of a day to come) and
    ``second-person-needed`` where it reaches back further than any fact may be told late by one person.
    """
    known = allowed(case, ctx, "change-class")
    account = _account(known, point)
    since = effective_at or ctx.at
    require_known(UnknownClassChange, reason, ctx.standard.connection.class_changes)
    require_whole(SupplyPoint("", usage_split, household_size), ctx.standard)
    _require_not_too_far_ahead(ctx, since)
    require_after(since, account.classes[-1].since, "water was on, or the last change,")
    _require_reach(ctx, since)
    if reading_m3 is not None:
        _require_readable(ctx, account, since)
    before = account.class_at(since)
    if (dict(before.usage_split), before.household_size) == (dict(usage_split), household_size):
        raise ClassUnchanged(point, known, since)
    return UsageClassChanged(
        change=known.changes + 1,
        point=point,
        usage_split=dict(usage_split),
        household_size=household_size,
        old_split=dict(before.usage_split),
        price_version=ctx.standard.connection.price_version or None,
        effective_at=since,
        reading_m3=reading_m3,
        reason=reason,
        document_digest=document_digest,
        flags=_flags(known, point, reading_m3),
    )


def change_customer(
    case: Connection,
    ctx: CommandContext,
    *,
    point: int,
    subject: Subject,
    customer: UUID,
    contract: str,
    reading_m3: Decimal,
    reason: str,
    document_digest: str,
    effective_at: datetime | None = None,
) -> CustomerChanged:
    """A supply point is handed over to another customer at ``effective_at`` (None: now), with what its dial shows.

    ``customer``: the pseudonym of the new one, ``subject``: where the vault has them. Refuses ``wrong-role``,
    ``no-such-supply-point``, ``water-not-on``, ``unknown-customer-change``, ``customer-unchanged``,
    ``contract-unchanged``, ``reading-before-it-is-due``, ``dates-out-of-order`` (before water was on, the last change
    or the present meter) and ``second-person-needed`` as ``change_class`` does.
    """
    known = allowed(case, ctx, "change-customer")
    account = _account(known, point)
    since = effective_at or ctx.at
    require_known(UnknownCustomerChange, reason, ctx.standard.connection.customer_changes)
    _require_readable(ctx, account, since)
    require_after(since, account.customers[-1].since, "water was on, or the last change,")
    _require_reach(ctx, since)
    before = account.customer_at(since)
    if before.pseudonym == customer:
        raise CustomerUnchanged(point, known, since)
    if before.contract == contract:
        raise ContractUnchanged(contract)
    require_number(ctx.standard, "contract", contract)
    return CustomerChanged(
        change=known.changes + 1,
        point=point,
        subject=subject,
        customer=customer,
        old_subject=before.subject,
        contract=contract,
        effective_at=since,
        reading_m3=reading_m3,
        reason=reason,
        document_digest=document_digest,
        flags=_flags(known, point, reading_m3),
    )


def rename_customer(
    case: Connection, ctx: CommandContext, *, point: int, subject: Subject, same_name: bool, document_digest: str
) -> CustomerRenamed:
    """The customer of a supply point has another name from now on, at every supply point of the case that is theirs.

    ``subject``: the customer's own, with the revision that has the new name; ``same_name``: whether the vault has that
    name already. Refuses ``wrong-role``, ``no-such-supply-point``, ``water-not-on``,
    ``name-unchanged`` and ``dates-out-of-order``.
    """
    known = allowed(case, ctx, "rename-customer")
    _account(known, point)
    theirs = tuple(
        number
        for number, account in sorted(known.accounts.items())
        if account.customer_at(ctx.happened_at).subject.id == subject.id
    )
    for number in theirs:
        require_after(ctx.happened_at, known.accounts[number].customers[-1].since, "the last change of the customer")
    if same_name:
        raise NameUnchanged(point, known)
    return CustomerRenamed(known.changes + 1, theirs, subject, document_digest)


def next_revision(case: Connection | None, point: int, at: datetime) -> Subject | None:
    """Under which revision the vault is to have a new name of the supply point's customer; None: there is none yet."""
    account = case.accounts.get(point) if case is not None else None
    if account is None:
        return None
    present = account.customer_at(at).subject
    assert case is not None
    # Of the same person the supply points may have been renamed at different times: the vault has each revision once.
    known = [
        one.subject.revision for a in case.accounts.values() for one in a.customers if one.subject.id == present.id
    ]
    return Subject(present.id, max(known) + 1)


# ---- what each of them asks for


def _account(case: Connection, point: int) -> Account:
    if not 1 <= point <= case.supply_points:
        raise NoSuchSupplyPoint(found=f"supply point {point}", needed=f"1 to {case.supply_points}")
    account = case.accounts.get(point)
    if account is None:
        raise WaterNotOn(point, case)
    return account


def _require_not_too_far_ahead(ctx: CommandContext, since: datetime) -> None:
    latest = ctx.at + timedelta(days=ctx.standard.connection.class_change_ahead_days)
    if since > latest:
        raise TooFarAhead(since, latest, ctx)


def _require_reach(ctx: CommandContext, since: datetime) -> None:
    """What was used and perhaps billed already is not changed on one person's word (our decision: four eyes)."""
    alone = ctx.standard.settles_after
    if alone is not None and since < ctx.at - alone:
        require_other_person(ctx, ctx.confirmed_by, f"a change from {since.isoformat()} on", CONFIRMED_IN)


def _require_readable(ctx: CommandContext, account: Account, since: datetime) -> None:
    """A dial can be read at that instant, and is the one that is in."""
    if (since - ctx.at).total_seconds() > ctx.standard.future_tolerance_seconds:
        raise ReadingBeforeItIsDue(since, ctx)
    require_after(since, account.metered, "the present meter was in")


def _flags(case: Connection, point: int, reading_m3: Decimal | None) -> tuple[str, ...]:
    meter = case.meters.get(point)
    below = reading_m3 is not None and meter is not None and reading_m3 < meter.initial_reading_m3
    return ("reading-below-initial",) if below else ()

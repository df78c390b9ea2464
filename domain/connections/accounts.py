"""Once water is on: another class of use, another customer, another name (用水性质变更、过户、更名).

Sources: downstream billing must be told of both, in order with everything else of the case; 民法典 §555 and §648 (by
§656): a supply contract passes to another with the utility's consent, so a new customer signs one of their own.
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
from domain.connections.requirements import allowed, require_after
from domain.kernel.refusals import Refusal
from domain.kernel.subjects import Subject
from domain.repairs.checks import require_other_person
from domain.standard.context import Told
from domain.standard.standards import require_known

CONFIRMED_IN = "the header X-Confirmed-By"


def change_class(
    case: Connection | None,
    told: Told,
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

    Refuses ``wrong-role``, ``no-such-case``, ``no-such-supply-point``, ``water-not-on``, ``unknown-class-change``,
    ``unknown-price-class``, ``usage-split-not-whole``, ``class-unchanged``, ``too-far-ahead``, ``dates-out-of-order``
    (before water was on or the last change), ``reading-before-it-is-due`` (with a reading, of a day to come) and
    ``second-person-needed`` where it reaches back further than any fact may be told late by one person.
    """
    known = allowed(case, told, "change-class")
    account = _account(known, point)
    since = effective_at or told.at
    require_known("unknown-class-change", reason, told.standard.class_changes)
    require_whole(SupplyPoint("", usage_split, household_size), told.standard)
    _require_not_too_far_ahead(told, since)
    require_after(since, account.classes[-1].since, "water was on, or the last change,")
    _require_reach(told, since)
    if reading_m3 is not None:
        _require_readable(told, account, since)
    before = account.class_at(since)
    if (dict(before.usage_split), before.household_size) == (dict(usage_split), household_size):
        raise Refusal(
            "class-unchanged",
            found=f"supply point {known.number}/{point}, whose water is used so at {since.isoformat()}",
            needed="another mix of classes, or another size of household",
            next_step="nothing to do",
            next_step_zh="用水性质未变，无需办理",
        )
    return UsageClassChanged(
        change=known.changes + 1,
        point=point,
        usage_split=dict(usage_split),
        household_size=household_size,
        old_split=dict(before.usage_split),
        price_version=told.standard.price_version or None,
        effective_at=since,
        reading_m3=reading_m3,
        reason=reason,
        document_digest=document_digest,
        flags=_flags(known, point, reading_m3),
    )


def change_customer(
    case: Connection | None,
    told: Told,
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
    ``no-such-case``, ``no-such-supply-point``, ``water-not-on``, ``unknown-customer-change``, ``customer-unchanged``,
    ``contract-unchanged``, ``reading-before-it-is-due``, ``dates-out-of-order`` (before water was on, the last change
    or the present meter) and ``second-person-needed`` as ``change_class`` does.
    """
    known = allowed(case, told, "change-customer")
    account = _account(known, point)
    since = effective_at or told.at
    require_known("unknown-customer-change", reason, told.standard.customer_changes)
    _require_readable(told, account, since)
    require_after(since, account.customers[-1].since, "water was on, or the last change,")
    _require_reach(told, since)
    before = account.customer_at(since)
    if before.pseudonym == customer:
        raise Refusal(
            "customer-unchanged",
            found=f"supply point {known.number}/{point}, which is this customer's at {since.isoformat()}",
            needed="another customer",
            next_step="where only the name is another one, have the customer renamed",
            next_step_zh="用户未变；仅名称变更请办理更名",
        )
    if before.contract == contract:
        raise Refusal(
            "contract-unchanged",
            found=f"contract {contract}, which is the former customer's",
            needed="a contract that the new customer signed",
            next_step="sign a contract with the new customer first",
            next_step_zh="请先与新用户签订供用水合同",
        )
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
    case: Connection | None, told: Told, *, point: int, subject: Subject, same_name: bool, document_digest: str
) -> CustomerRenamed:
    """The customer of a supply point has another name from now on, at every supply point of the case that is theirs.

    ``subject``: the customer's own, with the revision that has the new name; ``same_name``: whether the vault has that
    name already. Refuses ``wrong-role``, ``no-such-case``, ``no-such-supply-point``, ``water-not-on``,
    ``name-unchanged`` and ``dates-out-of-order``.
    """
    known = allowed(case, told, "rename-customer")
    _account(known, point)
    theirs = tuple(
        number
        for number, account in sorted(known.accounts.items())
        if account.customer_at(told.happened_at).subject.id == subject.id
    )
    for number in theirs:
        require_after(told.happened_at, known.accounts[number].customers[-1].since, "the last change of the customer")
    if same_name:
        raise Refusal(
            "name-unchanged",
            found=f"supply point {known.number}/{point}, whose customer has that name",
            needed="another name",
            next_step="nothing to do",
            next_step_zh="户名未变，无需办理",
        )
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
        raise Refusal(
            "no-such-supply-point",
            found=f"supply point {point}",
            needed=f"1 to {case.supply_points}",
            next_step="check the supply point's number",
            next_step_zh="请核对用水点编号",
        )
    account = case.accounts.get(point)
    if account is None:
        raise Refusal(
            "water-not-on",
            found=f"supply point {case.number}/{point} without water",
            needed="a supply point with water, and so an account",
            next_step="before water is on, the application itself says whose it is and what for",
            next_step_zh="尚未通水，请先办理通水",
        )
    return account


def _require_not_too_far_ahead(told: Told, since: datetime) -> None:
    latest = told.at + timedelta(days=told.standard.class_change_ahead_days)
    if since > latest:
        raise Refusal(
            "too-far-ahead",
            found=f"effective at {since.isoformat()}",
            needed=f"not later than {latest.isoformat()}, {told.standard.class_change_ahead_days} days ahead",
            next_step="tell it nearer to its day",
            next_step_zh="生效时间超出可提前办理的期限，请届时办理",
        )


def _require_reach(told: Told, since: datetime) -> None:
    """What was used and perhaps billed already is not changed on one person's word (our decision: four eyes)."""
    alone = told.standard.settles_after
    if alone is not None and since < told.at - alone:
        require_other_person(told, told.confirmed_by, f"a change from {since.isoformat()} on", CONFIRMED_IN)


def _require_readable(told: Told, account: Account, since: datetime) -> None:
    """A dial can be read at that instant, and is the one that is in."""
    if (since - told.at).total_seconds() > told.standard.future_tolerance_seconds:
        raise Refusal(
            "reading-before-it-is-due",
            found=f"a reading at {since.isoformat()}",
            needed=f"one of an instant that has come, not later than {told.at.isoformat()}",
            next_step="read the dial on its day; a change of class can be told without",
            next_step_zh="读数时间尚未到来，请届时抄表；用水性质变更可不填读数",
        )
    require_after(since, account.metered, "the present meter was in")


def _flags(case: Connection, point: int, reading_m3: Decimal | None) -> tuple[str, ...]:
    meter = case.meters.get(point)
    below = reading_m3 is not None and meter is not None and reading_m3 < meter.initial_reading_m3
    return ("reading-below-initial",) if below else ()

"""Intake (收件): one form for every channel, routed to one named person, and how an application ends before water.

Sources: the published "0225" promises (one form 一张表单, sorted and handed on 分类转办, one named person 专人专责);
reasons for refusal and withdrawal are lists of the standard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.connections.case import Connection, evolve
from domain.connections.facts import (
    ApplicantAppeared,
    ApplicationReceived,
    ApplicationRefused,
    ApplicationWithdrawn,
    CaseRouted,
    DocumentSupplied,
    DocumentWay,
    OwnerReplaced,
    SupplyPoint,
)
from domain.connections.promises import obligations
from domain.connections.refusals import (
    DigestMissing,
    NamedTwice,
    OwnerUnchanged,
    PointsDoNotMatch,
    SupplyPointsOutOfRange,
    UnknownDocument,
    UnknownOwner,
    UnknownPlace,
    UnknownPriceClass,
    UnknownPurpose,
    UnknownReason,
    UsageSplitNotWhole,
    WaterIsOn,
    WayNotAllowed,
)
from domain.connections.requirements import allowed, as_told, require_once, require_timely, stopped
from domain.deadlines.relief import eases_late
from domain.kernel.facts import Fact, Recorded
from domain.kernel.refusals import CaseExists, UnknownApplicantCategory
from domain.kernel.subjects import Subject
from domain.repairs.checks import UNRECORDED, looked_at, require_other_person, require_told_in_time
from domain.standard.context import CommandContext, require_one_of, require_power
from domain.standard.powers import roles_with
from domain.standard.sections.connection import DocumentRequirement
from domain.standard.standards import Standard, district
from domain.standard.values import require_known

IN_PERSON = "counter"
"""The channel over which the applicant stands before us."""
PLACES = ("counter", "government-hall", "office", "site", "other")
"""Where somebody can appear in person. Our decision."""
PURPOSES = ("application", "papers", "contract", "payment", "collection", "other")
"""What for. Our decision."""


@dataclass(frozen=True, slots=True)
class Supplied:
    """A document as it is handed in: by which way, and the digest of an upload."""

    document: str
    way: DocumentWay
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """The one application form. ``points``: none, or one for each supply point; ``applicant``: the pseudonym."""

    category: str
    supply_points: int
    subject: Subject
    points: tuple[SupplyPoint, ...] = ()
    documents: tuple[Supplied, ...] = ()
    applicant: UUID | None = None
    declined_outstanding: bool = False
    consultation: UUID | None = None
    district: str | None = None


def receive(
    case: Connection | None,
    ctx: CommandContext,
    *,
    case_number: str,
    form: Form,
    barred: bool = False,
    claimed_at: datetime | None = None,
    turn: int = 0,
) -> tuple[Fact, ...]:
    """Take an application in: received, routed, in person where it came over the counter, with the documents of the
    form.

    ``barred``: an earlier broken commitment of the applicant is unrepaired; ``claimed_at``: when the applicant says
    that it was handed in (``as_received``); ``turn``: how many applications came before, as
    whoever takes them in counts, so that owners take turns. Refuses ``wrong-role``, ``case-exists``, ``future-time``,
    ``second-person-needed`` (from staff, later than the channel allows), ``unknown-applicant-category``,
    ``unknown-district``,
    ``supply-points-out-of-range``, ``points-do-not-match``, ``unknown-price-class``, ``usage-split-not-whole`` and what
    handing a document in refuses.
    """
    require_power(ctx, "connection.receive")
    if case is not None:
        raise CaseExists(
            found=f"case {case.number}",
            needed="a new case",
            next_step="look the application up by its number",
            next_step_zh="请按受理编号查询",
        )
    # The standard that the case will run under is the one in force when it came in.
    standard = ctx.rules.in_force(ctx.happened_at)
    require_told_in_time(ctx)
    require_known(UnknownApplicantCategory, form.category, standard.connection.applicant_categories)
    if form.district is not None:
        district(standard, form.district)
    _require_points(form, standard)
    require_once(NamedTwice, (one.document for one in form.documents))
    received = _received(case_number, form, barred)
    if claimed_at is not None and claimed_at < ctx.happened_at:
        received = replace(received, claimed_at=claimed_at, flags=(DATED_BACK,))
    return (
        as_told(ctx, received),
        *_routed(turn, form.category, ctx.standard),
        *([ApplicantAppeared("counter", "application")] if ctx.channel == IN_PERSON else []),
        *(handed_in(ctx, one, _owed(form.category, standard, one.document)) for one in form.documents),
    )


APPLICANTS = ("public", "applicant")
"""The roles of who applies: they say when they applied, and we say when we received it. Our decision."""
DATED_BACK = "dated-back"
"""The flag of an application that its applicant says was handed in before we received it."""


def as_received(ctx: CommandContext) -> CommandContext:
    """The context with the time at which the application counts as received. An applicant cannot date it back: it is
    received when it comes in, however its clock runs; what was claimed stays in the fact. Staff can, as a fact that is
    told late."""
    is_back = ctx.happened_at < ctx.at - ctx.standard.clock_tolerance
    return replace(ctx, happened_at=ctx.at) if is_back and ctx.by.role in APPLICANTS else ctx


def _received(case_number: str, form: Form, barred: bool) -> ApplicationReceived:
    return ApplicationReceived(
        case_number=case_number,
        category=form.category,
        supply_points=form.supply_points,
        subject=form.subject,
        points=form.points,
        applicant=form.applicant,
        barred=barred,
        declined_outstanding=form.declined_outstanding,
        consultation=form.consultation,
        district=form.district,
    )


def _routed(turn: int, category: str, standard: Standard) -> Sequence[CaseRouted]:
    """The desk of the category, and the owner whose turn it is: turns go round, so nobody has to look."""
    code = standard.connection.routing.get(category, "")
    desk = standard.connection.desks.get(code)
    if desk is None or not desk.owners:
        return ()
    return (CaseRouted(code, desk.owners[turn % len(desk.owners)]),)


def _require_points(form: Form, standard: Standard) -> None:
    if not 1 <= form.supply_points <= standard.connection.max_supply_points:
        raise SupplyPointsOutOfRange(form, standard)
    if form.points and len(form.points) != form.supply_points:
        raise PointsDoNotMatch(form)
    for point in form.points:
        require_whole(point, standard)


def require_whole(point: SupplyPoint, standard: Standard) -> None:
    """Refuse ``unknown-price-class`` and ``usage-split-not-whole``."""
    for price_class in point.usage_split:
        require_known(UnknownPriceClass, price_class, standard.connection.price_classes)
    shares = point.usage_split.values()
    if sum(shares) != 100 or any(share < 1 for share in shares):
        raise UsageSplitNotWhole(shares)


def _owed(category: str, standard: Standard, document: str) -> DocumentRequirement:
    owed = {one.code: one for one in standard.connection.documents.get(category, ())}
    require_known(UnknownDocument, document, owed)
    return owed[document]


def handed_in(ctx: CommandContext, supplied: Supplied, requirement: DocumentRequirement) -> DocumentSupplied:
    """The document is there. Refuses ``way-not-allowed``, ``digest-missing``, and ``wrong-role`` where somebody claims
    a way that is not theirs: only who may reject a document can say to have seen it, and nobody outside the utility
    but the construction-approval platform can say that it shared one."""
    require_known(WayNotAllowed, supplied.way, requirement.met_by)
    if supplied.way == "seen" or (supplied.way == "shared" and ctx.channel != "platform"):
        roles = roles_with(ctx.standard, "connection.reject-document")
        require_one_of(ctx.by, roles, f"a document {supplied.way}")
    if supplied.way == "upload" and supplied.digest is None:
        raise DigestMissing(supplied)
    return DocumentSupplied(supplied.document, supplied.way, supplied.digest)


def replace_owner(case: Connection, ctx: CommandContext, *, owner: str) -> OwnerReplaced:
    """Somebody else answers for the case. Refuses ``unknown-owner`` and ``owner-unchanged``."""
    known = allowed(case, ctx, "route")
    if known.stopped is not None and known.stopped.final:
        raise stopped(known)
    require_known(UnknownOwner, owner, (one for desk in ctx.standard.connection.desks.values() for one in desk.owners))
    if owner == known.owner:
        raise OwnerUnchanged(owner, known)
    return OwnerReplaced(owner)


def appear(case: Connection, ctx: CommandContext, *, place: str, purpose: str) -> ApplicantAppeared:
    """The applicant had to come in person. A fact of the field: taken in every state of the case.

    Refuses ``unknown-place``, ``unknown-purpose``, ``future-time`` and ``dates-out-of-order``.
    """
    known = allowed(case, ctx, "appear")
    require_known(UnknownPlace, place, PLACES)
    require_known(UnknownPurpose, purpose, PURPOSES)
    require_timely(known, ctx)
    return as_told(ctx, ApplicantAppeared(place, purpose))


def withdraw(case: Connection, ctx: CommandContext, *, reason: str) -> ApplicationWithdrawn:
    """The applicant withdraws; also from a suspended case. Where somebody else says so once most of a running limit has
    run, another person confirms it (our decision: a clerk could else take every promise off). Refuses ``case-stopped``,
    ``water-is-on``, ``unknown-reason``, ``second-person-needed``."""
    known = _stoppable(case, ctx, "withdraw")
    require_known(UnknownReason, reason, ctx.standard.connection.withdrawal_reasons)
    require_timely(known, ctx)
    fact = ApplicationWithdrawn(reason)
    if ctx.by.role != "applicant" and not ctx.is_history:
        told = evolve(known, Recorded(fact, UNRECORDED, 0, ctx.happened_at))
        share = ctx.standard.repair.reassessment_second_person_percent / 100
        if eases_late(obligations(known, ctx.rules), obligations(told, ctx.rules), looked_at(ctx), share):
            require_other_person(ctx, ctx.confirmed_by, "a withdrawal late in the window", "X-Confirmed-By")
    return as_told(ctx, fact)


def refuse(case: Connection, ctx: CommandContext, *, reason: str, document_digest: str) -> ApplicationRefused:
    """The utility refuses, with a reason of the standard's list. Refuses ``case-stopped``, ``water-is-on``,
    ``unknown-reason``."""
    known = _stoppable(case, ctx, "refuse")
    require_known(UnknownReason, reason, ctx.standard.connection.refusal_reasons)
    require_timely(known, ctx)
    return as_told(ctx, ApplicationRefused(reason, document_digest))


def _stoppable(case: Connection, ctx: CommandContext, power: str) -> Connection:
    known = allowed(case, ctx, power)
    if known.stopped is not None and known.stopped.final:
        raise stopped(known)
    if known.on:
        raise WaterIsOn(known)
    return known

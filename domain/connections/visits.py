"""At the door (上门服务): home visits by the squads, and what is handed over to the applicant.

A visit stands in two places: in the case, and on the squad's day (``domain.crews.squads``), where no two visits
overlap. Both are written together. Sources: three squads that visit, draw up the plan and collect documents; plans,
budgets, drawings, contracts and invoices go by email or WeChat; both as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.connections.case import Connection, Visit
from domain.connections.facts import (
    DeliverableReceived,
    DeliverableSent,
    HomeVisitBooked,
    HomeVisitCancelled,
    HomeVisitMade,
    HomeVisitReassigned,
)
from domain.connections.intake import Supplied, handed_in
from domain.connections.refusals import (
    AlreadyConfirmed,
    NamedTwice,
    NotSent,
    UnknownDeliverable,
    UnknownPurpose,
    VisitOver,
    VisitUnchanged,
)
from domain.connections.requirements import (
    allowed,
    as_told,
    require_not_done,
    require_once,
    require_timely,
    requirement,
    under_way,
)
from domain.crews.squads import require_squad
from domain.kernel.facts import Fact
from domain.kernel.refusals import NoSuchVisit, UnknownWay, VisitAlreadyBooked
from domain.standard.context import CommandContext
from domain.standard.values import require_known


def book(
    case: Connection,
    ctx: CommandContext,
    *,
    visit: UUID,
    squad: str,
    purpose: str,
    begin: datetime,
    end: datetime,
) -> HomeVisitBooked:
    """A squad comes between these instants; whether it is free is its day's to say.

    Refuses ``unknown-squad``, ``unknown-purpose``, ``visit-already-booked`` (that id), ``all-on``.
    """
    known = under_way(case, ctx, "book-visit")
    require_not_done(known)
    require_squad(ctx.standard, squad)
    require_known(UnknownPurpose, purpose, ctx.standard.connection.visit_purposes)
    if visit in known.visits:
        raise VisitAlreadyBooked(found=f"visit {visit}, booked already")
    return HomeVisitBooked(visit, squad, purpose, begin, end)


def reassign(
    case: Connection, ctx: CommandContext, *, visit: UUID, squad: str, begin: datetime, end: datetime
) -> HomeVisitReassigned:
    """Another squad, or another time. Refuses ``no-such-visit``, ``visit-over``, ``unknown-squad``,
    ``visit-unchanged``."""
    known = under_way(case, ctx, "reassign-visit")
    booked = _open(known, visit)
    require_squad(ctx.standard, squad)
    if (booked.squad, booked.begin, booked.end) == (squad, begin, end):
        raise VisitUnchanged(visit, squad)
    return HomeVisitReassigned(visit, squad, begin, end)


def make(case: Connection, ctx: CommandContext, *, visit: UUID, papers_collected: Sequence[str]) -> tuple[Fact, ...]:
    """The squad was there; the papers that it saw or took along, and that were not in, are in now.

    Refuses ``no-such-visit``, ``visit-over``, ``unknown-document``, ``way-not-allowed``, ``named-twice``, and a time
    before the visit's beginning.
    """
    known = under_way(case, ctx, "make-visit")
    booked = _open(known, visit)
    require_timely(known, ctx, (booked.begin, "the visit's beginning"))
    require_once(NamedTwice, papers_collected)
    owed = [requirement(known, ctx.rules, paper) for paper in papers_collected]
    collected = [handed_in(ctx, Supplied(one.code, "seen"), one) for one in owed if not known.has(one.code)]
    made = HomeVisitMade(visit, booked.squad, tuple(papers_collected))
    return as_told(ctx, made), *(as_told(ctx, each) for each in collected)


def cancel(case: Connection, ctx: CommandContext, *, visit: UUID, reason: str) -> HomeVisitCancelled:
    """Nobody comes after all; whoever may book may cancel. Refuses ``no-such-visit``, ``visit-over``."""
    known = allowed(case, ctx, "book-visit")
    _open(known, visit)
    return HomeVisitCancelled(visit, reason)


def the_visit(case: Connection, visit: UUID) -> Visit:
    """The visit of that id. Refuses ``no-such-visit``."""
    if visit not in case.visits:
        raise NoSuchVisit(found=f"visit {visit}", needed=f"a visit of application {case.number}")
    return case.visits[visit]


def _open(case: Connection, visit: UUID) -> Visit:
    booked = the_visit(case, visit)
    if not booked.is_open:
        raise VisitOver(
            found=f"visit {visit}, which was {('cancelled' if booked.cancelled else 'made')}",
            needed="a visit that is still to be made",
        )
    return booked


# ---- what is handed over


def deliver(case: Connection, ctx: CommandContext, *, deliverable: str, way: str, digest: str) -> DeliverableSent:
    """A plan, budget, drawing, contract or invoice went out; in every state of the case. Refuses
    ``unknown-deliverable``, ``unknown-way`` and what every fact of the field may be refused for."""
    known = allowed(case, ctx, "deliver")
    require_known(UnknownDeliverable, deliverable, ctx.standard.connection.deliverables)
    require_known(UnknownWay, way, ctx.standard.connection.delivery_ways)
    require_timely(known, ctx)
    return as_told(ctx, DeliverableSent(deliverable, way, digest))


def confirm_delivery(case: Connection, ctx: CommandContext, *, deliverable: str, digest: str) -> DeliverableReceived:
    """It arrived. Refuses ``unknown-deliverable``, ``not-sent``, ``already-confirmed``."""
    known = allowed(case, ctx, "confirm-delivery")
    require_known(UnknownDeliverable, deliverable, ctx.standard.connection.deliverables)
    require_timely(known, ctx)
    if digest not in known.sent.get(deliverable, ()):
        raise NotSent(deliverable)
    if (deliverable, digest) in known.confirmed:
        raise AlreadyConfirmed(deliverable)
    return as_told(ctx, DeliverableReceived(deliverable, digest))

"""Orders of other bodies 热线工单: a report that came through the 12345 hotline, with a number and a deadline there.

Each order is a stream of its own, named by its source and number, so that none is taken in twice. Its reply is due at
the deadline that the order itself names or, where it names none, so many working days after it came in (practice of
12345 hotlines; the number is the standard's). The source may grant more time: that moves the end, with its document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from domain.deadlines.limits import WorkingDays, end
from domain.deadlines.relief import eases_late
from domain.deadlines.windows import Obligation, Term, WindowFact, WindowLedger, record
from domain.kernel.copies import changed
from domain.kernel.facts import Moment, Name, Recorded, fact
from domain.kernel.fields import CaseId, Digest, Flags, ReportNumber, SecondPerson
from domain.kernel.refusals import DatesOutOfOrder
from domain.repairs.checks import UNRECORDED, early, late, require_credible, require_other_person
from domain.repairs.facts import OrderReference
from domain.repairs.refusals import OrderIsReplied, OrderKnown, ReplyTooFarOff, UnknownOrderSource
from domain.standard.context import CommandContext, require_power
from domain.standard.ladders import counted, reminders
from domain.standard.sections.numbers import require_number
from domain.standard.sections.repair import OrderSource
from domain.standard.standards import Rules, Standard
from domain.standard.values import require_clean, require_known, require_said

REPLY = "order.reply"
PROMISES: Mapping[str, Name] = {REPLY: Name("热线工单回复", "reply to an order")}

STAGES: Mapping[str, Name] = {
    "received": Name("已收件", "received"),
    "replied": Name("已回复", "replied to"),
}
"""The stages of such a case, in order."""


# ---- facts


@fact("热线工单收件", "order received", topic="repair", stage="received")
class OrderReceived:
    """An order came in with a report of that incident. ``reply_by`` (UTC): the deadline that it names; None: none."""

    source: Annotated[str, "Code of the body whose order it is."]
    number: Annotated[str, "The order's number at that body."]
    case_id: CaseId
    report: ReportNumber
    reply_by: Annotated[
        datetime | None, "When the other body wants its reply; null where the standard's own limit holds."
    ]


@fact("热线工单改挂", "order moved", topic="repair")
class OrderMoved:
    """The report that the order came with belongs to another incident after all."""

    case_id: CaseId
    report: ReportNumber


@fact("热线工单延期", "order extended", topic="repair")
class OrderExtended:
    """The source granted more time, in that document."""

    reply_by: Annotated[datetime, "When the other body wants its reply."]
    document: Annotated[str, "Number of the document in which the source gave more time."]


@fact("热线工单回复", "order replied to", topic="repair", stage="replied")
class OrderReplied:
    """The source was told what became of it; ``digest``: of the reply."""

    digest: Digest
    flags: Flags = ()
    confirmed_by: SecondPerson = None


OPENED_BY: tuple[type, ...] = (OrderReceived,)


# ---- state


@dataclass(frozen=True, slots=True)
class OutsideOrder:
    """An order as it stands. ``case_id`` and ``report``: the incident that it belongs to now."""

    source: str
    number: str
    received: Moment
    case_id: UUID
    report: int
    reply_by: datetime | None
    extended: tuple[tuple[Moment, datetime], ...] = ()
    replied: tuple[Moment, ...] = ()
    ledger: WindowLedger = field(default_factory=dict)


def evolve(state: OutsideOrder | None, recorded: Recorded) -> OutsideOrder | None:
    """The order after a fact of its stream; never refuses."""
    fact = recorded.fact
    moment = Moment(recorded.happened_at, recorded.event_id)
    if isinstance(fact, OrderReceived):
        return OutsideOrder(fact.source, fact.number, moment, fact.case_id, fact.report, fact.reply_by)
    if state is None:
        return None
    if isinstance(fact, WindowFact):
        return changed(state, ledger=record(state.ledger, fact))
    match fact:
        case OrderMoved(case_id, report):
            return replace(state, case_id=case_id, report=report)
        case OrderExtended(reply_by):
            return replace(state, extended=(*state.extended, (moment, reply_by)))
        case OrderReplied():
            return replace(state, replied=(*state.replied, moment))
        case _:
            return state


# ---- the promise


def obligations(state: OutsideOrder | None, rules: Rules) -> tuple[Obligation, ...]:
    """The reply, once by its deadline. Whatever the number, it is the standard's that was in force at receipt."""
    if state is None:
        return ()
    standard = rules.in_force(state.received.at)
    begun = state.received
    met = min(counted(state.replied, begun.at, standard), default=None)
    first, calendar = _first_term(state, standard, rules, met)
    terms = [first]
    terms += [Term(max(given.at, begun.at), until, (begun.by, given.by)) for given, until in sorted(state.extended)]
    last = terms[-1].due_at
    assert last is not None
    return (
        Obligation(
            commitment=REPLY,
            opened_at=begun.at,
            terms=tuple(terms),
            met_at=max(met.at, begun.at) if met else None,
            met_by=(met.by,) if met else (),
            standard=standard.version,
            calendar=calendar,
            reminders=reminders(standard, REPLY, begun.at, last),
            notify_on_lapse=standard.alerting.notify_on_lapse.get(REPLY, ()),
            settles_after=standard.settles_after,
            cause="extended",
        ),
    )


def _first_term(state: OutsideOrder, standard: Standard, rules: Rules, met: Moment | None) -> tuple[Term, str | None]:
    begun = state.received
    if state.reply_by is not None:
        return Term(begun.at, state.reply_by, (begun.by,)), None
    source = standard.repair.order_sources.get(state.source, OrderSource("", 1))
    limit = WorkingDays(state.received.at, source.reply_working_days, standard.close_of_business)
    found = end(limit, rules.calendars_of(standard), met.at if met else None)
    return Term(begun.at, found.due_at, (begun.by,), found.tentative, counted=found), found.calendar


# ---- decisions


def receive(
    state: OutsideOrder | None,
    ctx: CommandContext,
    *,
    order: OrderReference,
    case_id: UUID,
    report: int,
    reply_by: datetime | None,
) -> OrderReceived:
    """Take an order in, with the report that it came with.

    Refuses ``unknown-order-source``, ``order-known`` for one that was taken in before, ``dates-out-of-order`` for a
    deadline before it came in, ``reply-too-far-off`` for one that is further off than the standard takes.
    """
    require_known(UnknownOrderSource, order.source, ctx.standard.repair.order_sources)
    require_number(ctx.standard, "order", order.number)
    if state is not None:
        raise OrderKnown(order, state)
    if reply_by is not None:
        _require_after(reply_by, ctx.happened_at, "it came in")
        _require_near(reply_by, ctx, order.source)
    return OrderReceived(order.source, order.number, case_id, report, reply_by)


def extend(state: OutsideOrder, ctx: CommandContext, *, reply_by: datetime, document: str) -> OrderExtended:
    """The source grants more time. It saves no lapse that ran out before.

    Refuses ``wrong-role``, ``no-such-order``, ``order-replied``, ``bad-text``, ``dates-out-of-order`` for a deadline
    that is no later than the one before, ``reply-too-far-off``, ``second-person-needed`` once most of the term has run.
    """
    require_power(ctx, "order.extend")
    if state.replied:
        raise OrderIsReplied(state)
    fact = OrderExtended(reply_by, document)
    require_clean(fact)
    require_said("the document", document)
    require_number(ctx.standard, "document", document)
    (owed,) = obligations(state, ctx.rules)
    before = owed.terms[-1].due_at
    assert before is not None
    _require_after(reply_by, before, "it was due")
    _require_near(reply_by, ctx, state.source)
    told = evolve(state, Recorded(fact, UNRECORDED, 0, ctx.happened_at))
    share = ctx.standard.repair.reassessment_second_person_percent / 100
    if eases_late((owed,), obligations(told, ctx.rules), ctx.at, share):
        require_other_person(ctx, ctx.confirmed_by, "more time late in the term of an order", "X-Confirmed-By")
    return fact


def reply(state: OutsideOrder, ctx: CommandContext, *, digest: str) -> OrderReplied:
    """The source was told. A second reply is taken and flagged.

    Refuses ``wrong-role``, ``no-such-order``, ``future-time``, and ``second-person-needed`` where it is told later than
    the channel allows.
    """
    require_power(ctx, "order.send-reply")
    require_credible(ctx)
    flags = (("repeated",) if state.replied else ()) + late(ctx) + early(ctx, state.received.at)
    return OrderReplied(digest, flags, ctx.confirmed_by if ctx.is_late else None)


def move(state: OutsideOrder, *, case_id: UUID, report: int) -> OrderMoved:
    """The order goes with its report to another incident. Refuses ``no-such-order``."""
    return OrderMoved(case_id, report)


def _require_after(later: datetime, earlier: datetime, needed: str) -> None:
    if later <= earlier:
        raise DatesOutOfOrder(
            found=f"a reply by {later.isoformat()}",
            needed=f"after {needed}, {earlier.isoformat()}",
            next_step="correct the time",
            next_step_zh="请更正时间",
        )


def _require_near(reply_by: datetime, ctx: CommandContext, source: str) -> None:
    """Refuses ``reply-too-far-off``. Counted from when it is told, so that an old order may be taken in late."""
    days = ctx.standard.repair.order_sources.get(source, OrderSource("", 1)).furthest_working_days
    limit = WorkingDays(ctx.at, days, ctx.standard.close_of_business)
    latest = end(limit, ctx.rules.calendars_of(ctx.standard), None).due_at
    if reply_by > latest:
        raise ReplyTooFarOff(reply_by, latest, days)

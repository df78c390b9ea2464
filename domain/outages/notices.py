"""Telling people of an outage: ordered and sent by the program, or by hand; proven; and the report to the authority.

Our decision: a notice counts as sent when its way has taken it, not when it was ordered; its proof is the receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.deadlines.calendar import LOCAL
from domain.kernel.messages import Message, filled
from domain.kernel.refusals import Refusal, UnknownWay
from domain.outages.case import NoticeOrder, Outage
from domain.outages.checks import confirmed_by, flags, known_to
from domain.outages.facts import (
    FireServiceTold,
    OutageNoticeFailed,
    OutageNoticeOrdered,
    OutageNoticeProven,
    OutageNoticeSent,
    OutageReported,
)
from domain.outages.refusals import NoNoticeText, NoSuchNotice, NoticeOrdered
from domain.standard.context import CommandContext
from domain.standard.sections.numbers import require_number
from domain.standard.sections.outages import OUTAGE_WORDS
from domain.standard.standards import Standard
from domain.standard.values import require_clean, require_known, require_said

KIND = "outage-notice"
"""Of its messages."""


@dataclass(frozen=True, slots=True)
class OrderedNotice:
    """An order, and the message that it puts into the outbox."""

    fact: OutageNoticeOrdered
    message: Message


def order_notice(state: Outage, ctx: CommandContext, *, way: str) -> OrderedNotice:
    """Have the program tell the users how the outage stands, by the standard's text.

    Refuses ``wrong-role``, ``unknown-way``, ``no-notice-text``, and ``notice-ordered`` where the same
    words are on their way already, or arrived.
    """
    outage = known_to(state, ctx, "outage.notify")
    require_known(UnknownWay, way, ctx.standard.outages.notice_ways)
    about = stands_as(outage)
    text = notice_text(outage, ctx.standard)
    if text is None:
        raise NoNoticeText(about, ctx)
    message = Message(KIND, way, f"停水通知 {outage.number}", text, outage.districts)
    for order in outage.ordered:
        if (order.way, order.digest) == (way, message.digest) and order.by not in outage.failed:
            raise NoticeOrdered(way, outage)
    return OrderedNotice(OutageNoticeOrdered(way, about, message.digest), message)


def stands_as(outage: Outage) -> str:
    """Which of the standard's texts tells how the outage stands."""
    if outage.cancelled is not None:
        return "cancelled"
    if outage.restored is not None:
        return "restored"
    if outage.is_planned:
        return _planned_stands_as(outage)
    return ("emergency", "emergency-until", "extended")[min(len(outage.ends), 2)]


def _planned_stands_as(outage: Outage) -> str:
    announced = outage.announced_begins[-1][0]
    if outage.extensions and max(outage.extensions) > announced:
        return "extended"
    return "rescheduled" if len(outage.begins) > 1 else "planned"


def notice_text(outage: Outage, standard: Standard) -> str | None:
    """What the users are told, times in China; None where the standard has no text for it."""
    template = standard.outages.outage_texts.get(stands_as(outage))
    if template is None:
        return None
    known = standard.districts
    names = "、".join(known[code].name_zh if code in known else code for code in outage.districts)
    if outage.extent is not None:
        names = f"{names}（{outage.extent}）"
    begin = outage.started.at if outage.started is not None else outage.begin
    restored = outage.restored.at if outage.restored is not None else None
    words = (outage.number, names, _zh(begin), _zh(outage.end), _zh(restored))
    return filled(template, dict(zip(OUTAGE_WORDS, words, strict=True)))


def _zh(at: datetime | None) -> str:
    if at is None:
        return "待定"
    local = at.astimezone(LOCAL)
    return f"{local.month}月{local.day}日{local:%H:%M}"


def deliver_notice(
    state: Outage, ctx: CommandContext, *, order: UUID, receipt: str, status: str, digest: str
) -> tuple[OutageNoticeSent, OutageNoticeProven] | None:
    """An ordered notice was taken, and here is the proof. None where that is on record already.

    Refuses ``wrong-role``, ``no-such-notice`` for one that was never ordered.
    """
    outage = known_to(state, ctx, "outage.deliver")
    ordered = _ordered(outage, order)
    if order in outage.delivered:
        return None
    proof = OutageNoticeProven(len(outage.notices) + 1, digest, receipt, status)
    require_clean(proof)
    return OutageNoticeSent(ordered.way, ordered.digest, order), proof


def fail_notice(state: Outage, ctx: CommandContext, *, order: UUID, reason: str) -> OutageNoticeFailed | None:
    """An ordered notice could not be delivered. None where it was; refuses as ``deliver_notice`` does."""
    outage = known_to(state, ctx, "outage.deliver")
    _ordered(outage, order)
    return OutageNoticeFailed(order, reason) if order not in outage.delivered else None


def send_notice(state: Outage, ctx: CommandContext, *, way: str, digest: str) -> OutageNoticeSent:
    """Somebody told the users by hand.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``unknown-way``.
    """
    known = known_to(state, ctx)
    require_known(UnknownWay, way, {**ctx.standard.connection.delivery_ways, **ctx.standard.outages.notice_ways})
    return OutageNoticeSent(way, digest, None, flags(ctx, known), confirmed_by(ctx))


def prove_notice(state: Outage, ctx: CommandContext, *, notice: int, digest: str) -> OutageNoticeProven:
    """A notice arrived.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``no-such-notice``.
    """
    outage = known_to(state, ctx)
    if not 1 <= notice <= len(outage.notices):
        raise _no_such_notice(f"notice {notice} of {len(outage.notices)}", "a notice that was sent")
    return OutageNoticeProven(notice, digest)


def tell_fire_service(state: Outage, ctx: CommandContext, *, document: str) -> FireServiceTold:
    """The fire service was told that water for fire fighting may be affected.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``bad-text``.
    """
    known = known_to(state, ctx)
    fact = FireServiceTold(document, flags(ctx, known), confirmed_by(ctx))
    require_clean(fact)
    require_said("the document", document)
    require_number(ctx.standard, "document", document)
    return fact


def report(state: Outage, ctx: CommandContext, *, document: str) -> OutageReported:
    """The authority was told.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``bad-text``.
    """
    known = known_to(state, ctx)
    fact = OutageReported(document, flags(ctx, known), confirmed_by(ctx))
    require_clean(fact)
    require_said("the report", document)
    require_number(ctx.standard, "document", document)
    return fact


def _ordered(outage: Outage, order: UUID) -> NoticeOrder:
    found = next((each for each in outage.ordered if each.by == order), None)
    if found is None:
        raise _no_such_notice(f"order {order}", "a notice that was ordered")
    return found


def _no_such_notice(found: str, needed: str) -> Refusal:
    return NoSuchNotice(found, needed)

"""Answers: whoever reported is told what became of it, by somebody or by the program.

Our decision: an answer counts from when the incident was over (repaired, or found to need no repair of ours), and when
it was taken by its way, not when it was ordered. The program's words are the standard's; they name nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.deadlines.calendar import LOCAL
from domain.kernel.messages import Message, filled, to_subject
from domain.kernel.refusals import UnknownWay
from domain.repairs.case import AnswerOrder, Repair, credible
from domain.repairs.checks import from_the_field, known_to, late
from domain.repairs.facts import AnswerFailed, AnswerOrdered, ReporterAnswered
from domain.repairs.promises import standard_of
from domain.repairs.refusals import AnswerIsOrdered, IncidentNotOver, NoAnswerText, NoSuchReport, ReporterMissing
from domain.repairs.reports import known_report
from domain.standard.context import CommandContext, require_power
from domain.standard.sections.repair import ANSWER_WORDS
from domain.standard.standards import Standard
from domain.standard.values import require_known

KIND = "reporter-answer"
"""Of its messages."""


def answer_reporter(
    case: Repair, ctx: CommandContext, *, report: int, way: str, digest: str | None
) -> ReporterAnswered:
    """Whoever made a report was told what became of it. An answer before the incident is over counts for nothing and
    is flagged.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``no-such-report``,
    ``unknown-way``.
    """
    known = known_to(case, ctx, "repair.tell-reporter")
    known_report(known, report)
    require_known(UnknownWay, way, ctx.standard.repair.answer_ways)
    return from_the_field(known, ctx, ReporterAnswered(report, way, digest, late(ctx) + _flags(known, ctx, report)))


def _flags(case: Repair, ctx: CommandContext, report: int) -> tuple[str, ...]:
    before = any(number == report for number, _ in case.answered)
    ended = credible(case, standard_of(case, ctx.rules).clock_tolerance).over
    over = ended is not None and ended.at <= ctx.happened_at
    return (("repeated",) if before else ()) + (() if over else ("before-completion",))


# ---- by the program


@dataclass(frozen=True, slots=True)
class OrderedAnswer:
    """An order, and the message that it puts into the outbox."""

    fact: AnswerOrdered
    message: Message


def order_answer(case: Repair, ctx: CommandContext, *, report: int, way: str) -> OrderedAnswer:
    """Have the program tell whoever made a report what became of it.

    Refuses ``wrong-role``, ``no-such-report``, ``reporter-missing``, ``unknown-way``,
    ``incident-not-over``, ``no-answer-text``, and ``answer-ordered`` where the same words are on their way already,
    or arrived.
    """
    known = known_to(case, ctx, "repair.tell-reporter")
    found = known_report(known, report)
    if not found.answer_owed:
        raise ReporterMissing(report, known)
    require_known(UnknownWay, way, {*ctx.standard.repair.answer_ways} & {*ctx.standard.outages.notice_ways})
    text = _text(known, ctx.standard)
    message = to_subject(KIND, way, f"抢修回访 {known.number}", text, found.subject)
    for order in known.ordered_answers:
        same = (order.report, order.way, order.digest) == (report, way, message.digest)
        if same and order.by not in known.failed_answers:
            raise AnswerIsOrdered(report, way, known)
    return OrderedAnswer(AnswerOrdered(report, way, message.digest), message)


def deliver_answer(case: Repair, ctx: CommandContext, *, order: UUID, receipt: str) -> ReporterAnswered | None:
    """An ordered answer was taken by its way. None where that is on record already.

    Refuses ``wrong-role``, ``no-such-report`` for an order that was never made.
    """
    known = _known_to_sender(case, ctx)
    ordered = _ordered(known, order)
    if order in known.delivered_answers:
        return None
    flags = _flags(known, ctx, ordered.report)
    return ReporterAnswered(ordered.report, ordered.way, ordered.digest, flags, None, order, receipt)


def fail_answer(case: Repair, ctx: CommandContext, *, order: UUID, reason: str) -> AnswerFailed | None:
    """An ordered answer could not be delivered. None where it was; refuses as ``deliver_answer`` does."""
    known = _known_to_sender(case, ctx)
    ordered = _ordered(known, order)
    return AnswerFailed(ordered.report, order, reason) if order not in known.delivered_answers else None


def _known_to_sender(case: Repair, ctx: CommandContext) -> Repair:
    """Also one that was merged since: what was sent is on record where it was ordered."""
    require_power(ctx, "repair.deliver")
    return case


def _ordered(case: Repair, order: UUID) -> AnswerOrder:
    found = next((each for each in case.ordered_answers if each.by == order), None)
    if found is None:
        raise NoSuchReport(
            found=f"no answer ordered by {order} at repair {case.number}",
            needed="an answer that was ordered",
            next_step="order the answer first",
            next_step_zh="没有该回复，请先下达",
        )
    return found


def _text(case: Repair, standard: Standard) -> str:
    over = credible(case, standard.clock_tolerance).over
    if over is None:
        raise IncidentNotOver(case)
    stands = "completed" if over in case.completed else "dismissed"
    template = standard.repair.answer_texts.get(stands)
    if template is None:
        raise NoAnswerText(stands, standard)
    known = standard.districts.get(case.district)
    local = over.at.astimezone(LOCAL)
    words = (
        case.number,
        standard.repair.fault_kinds.get(case.kind, case.kind),
        known.name_zh if known is not None else case.district,
        f"{local.month}月{local.day}日{local:%H:%M}",
    )
    return filled(template, dict(zip(ANSWER_WORDS, words, strict=True)))

"""Apologies 致歉: after a lapse of the promises that the standard names, whoever reported is told that we are sorry.

Our decision: it is a task of the ladder and no promise, so nothing runs out. It is owed to everybody who reported while
the lapse stands (``outlook.sorry_for``); one that is taken back takes the task with it. Nobody is owed one for an
earlier order book, and nobody for a find that owes no answer.
"""

from __future__ import annotations

from domain.kernel.refusals import UnknownWay
from domain.repairs.case import Repair
from domain.repairs.checks import from_the_field, known_to, late
from domain.repairs.facts import ApologyMade
from domain.repairs.promises import standard_of
from domain.repairs.reports import known_report
from domain.standard.context import CommandContext
from domain.standard.standards import Standard
from domain.standard.values import require_known


def apologise(case: Repair, ctx: CommandContext, *, report: int, way: str, digest: str | None) -> ApologyMade:
    """Whoever made a report was told that we are sorry. One where nothing had lapsed is taken and flagged.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``no-such-report``,
    ``unknown-way``.
    """
    known = known_to(case, ctx, "repair.tell-reporter")
    known_report(known, report)
    require_known(UnknownWay, way, ctx.standard.repair.answer_ways)
    before = any(number == report for number, _ in known.apologised)
    flags = late(ctx) + (("repeated",) if before else ())
    flags += () if _has_lapsed(known, standard_of(known, ctx.rules)) else ("nothing-lapsed",)
    return from_the_field(known, ctx, ApologyMade(report, way, digest, flags))


def _has_lapsed(case: Repair, standard: Standard) -> bool:
    return any(case.ledger[each].lapses for each in standard.repair.apologies if each in case.ledger)

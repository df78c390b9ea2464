"""When somebody may say how satisfied they are with a repair or a connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from domain.complaints.refusals import NotServedYet, SatisfactionSettled
from domain.connections.case import Connection
from domain.kernel.satisfaction import APPLICATION, SatisfactionGiven
from domain.repairs.case import Repair
from domain.repairs.reports import known_report
from domain.standard.context import CommandContext


def give(
    case: Repair | Connection, ctx: CommandContext, *, report: int, score: int, reasons: Sequence[str]
) -> tuple[SatisfactionGiven, ...]:
    """What the person of that report (0: of the application) says; nothing where they said the very same last. Whoever
    asks is the person: the route sees to it. Refuses ``no-such-report``, ``not-served-yet``, and
    ``satisfaction-settled`` once the days for a correction are over."""
    if isinstance(case, Repair):
        known_report(case, report)
    if not _is_served(case):
        raise NotServedYet()
    said = SatisfactionGiven(APPLICATION if isinstance(case, Connection) else report, score, tuple(reasons))
    before = case.satisfaction.get(said.report)
    if before is not None:
        if (before.score, before.reasons) == (said.score, said.reasons):
            return ()
        until = before.first_at + timedelta(days=ctx.standard.complaints.satisfaction_correction_days)
        if ctx.at >= until:
            raise SatisfactionSettled(until)
    return (said,)


def _is_served(case: Repair | Connection) -> bool:
    """Whether water is on at every supply point, or the incident is repaired and, after a major one, with water."""
    if isinstance(case, Connection):
        return case.all_on
    return bool(case.completed) and (bool(case.restored) or case.severity != "major")

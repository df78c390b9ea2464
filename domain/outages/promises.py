"""The promises of an outage, from its facts as they happened.

Sources: 供水条例 §23 (in force since 2026-06-01) and 城市供水条例 §22 (in force until 2026-05-31): the users are told
24 hours before a planned outage; in an emergency they are told while it is being repaired, and the authority is
reported to. Which article a window cites is looked up in the published law. In how many minutes that is in an
emergency, and that water is back by the announced end, are our decision. The numbers are the standard's in force when
the outage was planned or began; a number that a standard does not have promises nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.deadlines.windows import Obligation, Term
from domain.kernel.facts import Moment, Name
from domain.outages.case import Outage
from domain.standard.ladders import counted, obligation, rungs
from domain.standard.standards import Rules, Standard

NOTICE = "outage.notice"
REPORT = "outage.report"
RESTORE = "outage.restore"
PROMISES: Mapping[str, Name] = {
    NOTICE: Name("停水通知", "outage notice"),
    REPORT: Name("报告主管部门", "report to the authority"),
    RESTORE: Name("按时恢复供水", "water back by the announced end"),
}


def obligations(outage: Outage | None, rules: Rules) -> tuple[Obligation, ...]:
    """Everything that the outage promises so far."""
    if outage is None:
        return ()
    standard = rules.in_force(outage.announced.at)
    found = (_notice(outage, standard), _report(outage, standard), _restore(outage, standard))
    return tuple(each for each in found if each is not None)


def _notice(outage: Outage, standard: Standard) -> Obligation | None:
    """The first notice that was sent meets it, whoever sent it."""
    told = min(counted(outage.notices, outage.announced.at, standard), default=None)
    if outage.begin is not None:
        due_at = outage.begin - timedelta(hours=standard.outage_notice_hours)
    elif standard.emergency_notice_minutes is not None:
        due_at = outage.announced.at + timedelta(minutes=standard.emergency_notice_minutes)
    else:
        return None
    terms = (Term(outage.announced.at, due_at, (outage.announced.by,)),)
    return _obligation(NOTICE, outage, standard, terms, told, outage.announced.at)


def _report(outage: Outage, standard: Standard) -> Obligation | None:
    """Of an emergency only: a planned one has the authority's approval."""
    if outage.is_planned or standard.emergency_report_minutes is None:
        return None
    due_at = outage.announced.at + timedelta(minutes=standard.emergency_report_minutes)
    reported = min(counted(outage.reports, outage.announced.at, standard), default=None)
    terms = (Term(outage.announced.at, due_at, (outage.announced.by,)),)
    return _obligation(REPORT, outage, standard, terms, reported, outage.announced.at)


def _restore(outage: Outage, standard: Standard) -> Obligation | None:
    """From the first announced end on: each later one replaces it, and saves nothing that had run out."""
    terms = tuple(Term(moment.at, end, (moment.by,)) for moment, end in sorted(outage.ends))
    if not terms:
        return None
    begin = outage.begin or outage.announced.at
    return _obligation(RESTORE, outage, standard, terms, outage.restored, begin, cause="extended")


# ---- what they share


def _obligation(
    commitment: str,
    outage: Outage,
    standard: Standard,
    terms: tuple[Term, ...],
    met: Moment | None,
    runs_from: datetime,
    cause: str = "reclassified",
) -> Obligation:
    """``runs_from``: where the ladder's percentages begin."""
    cancelled = outage.cancelled
    last = terms[-1].due_at
    steps = rungs(standard, commitment, runs_from, last) if last is not None and last > runs_from else ()
    if cancelled is not None and (met is None or met.at > cancelled.at):
        since = max(cancelled.at, terms[-1].since)
        terms, steps = (*terms, Term(since, None, (cancelled.by,), reason="outage-cancelled")), ()
    return obligation(commitment, standard, terms[0].since, terms, met, steps, cause)

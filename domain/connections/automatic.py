"""What follows by itself: the system admits, silence admits, a broken commitment ends or suspends the case.

Pure and repeatable: what is on record already follows no second time.
"""

from __future__ import annotations

from datetime import datetime

from domain.connections.case import Connection
from domain.connections.facts import (
    AdmissionBasis,
    ApplicationAdmitted,
    CaseEnded,
    CaseResumed,
    CaseSuspended,
    PapersCommitmentBroken,
    PapersCommitmentUpheld,
)
from domain.connections.promises import PAPERS_BROKEN, papers_due_at, papers_in, papers_kept, silence_end, standard_of
from domain.kernel.facts import EventToAppend, Moment
from domain.standard.standards import Rules, Standard


def consequences(case: Connection | None, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    """The facts that follow from the case at ``at`` and are not on record; none where nothing does."""
    if case is None:
        return ()
    return _upheld(case, rules, at) or _resumed(case) or _admission(case, rules, at) or _broken(case, rules, at)


# ---- admission


def _admission(case: Connection, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    if case.admitted is not None or case.stopped is not None:
        return ()
    complete = admissible(case, standard_of(case, rules))
    if complete is not None:
        moment, outstanding = complete
        basis: AdmissionBasis = "papers-outstanding" if outstanding else "papers"
        return (EventToAppend(ApplicationAdmitted(basis, outstanding), moment.at),)
    if case.notice is None and at >= silence_end(case, rules).due_at:
        # Admitted on the day of receipt: the five days ran from there, and their last one has just ended.
        return (
            EventToAppend(ApplicationAdmitted("silence", missing(case, standard_of(case, rules))), case.received.at),
        )
    return ()


def admissible(case: Connection, standard: Standard) -> tuple[Moment, tuple[str, ...]] | None:
    """Since when the application can be admitted, and the papers that are outstanding then; None: it cannot yet.

    The main papers are in, and each deferrable one is in, promised, or may be outstanding by the standard's policy
    (never for somebody who is barred, or who has declined).
    """
    requirements = standard.connection.documents.get(case.category)
    if not requirements:
        return None
    moments = [case.received]
    outstanding = []
    promised = case.commitment.promise.papers if case.commitment is not None else ()
    for requirement in requirements:
        since = case.supplied_since(requirement.code)
        if since is not None:
            moments.append(since)
        elif requirement.main or case.barred or case.declined_outstanding:
            return None
        elif requirement.code in promised and case.commitment is not None:
            moments.append(case.commitment.made)
            outstanding.append(requirement.code)
        elif standard.connection.papers.admits == "main-papers":
            outstanding.append(requirement.code)
        else:
            return None
    return max(moments), tuple(outstanding)


def missing(case: Connection, standard: Standard) -> tuple[str, ...]:
    """The required documents that are not in."""
    return tuple(r.code for r in standard.connection.documents.get(case.category, ()) if not case.has(r.code))


# ---- a broken commitment


def _broken(case: Connection, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    standard = standard_of(case, rules)
    known = case.commitment
    if known is None or known.broken is not None or case.stopped is not None:
        return ()
    due_at = papers_due_at(case, standard)
    if at < due_at or papers_kept(case, standard) is not None:
        return ()
    papers = tuple(paper for paper in known.promise.papers if case.supplied_since(paper, due_at) is None)
    broken = PapersCommitmentBroken(papers, _months_later(due_at, standard.connection.papers.bar_months))
    stop = CaseEnded(PAPERS_BROKEN) if known.promise.consequence == "end" else CaseSuspended(PAPERS_BROKEN)
    return (EventToAppend(broken, due_at), EventToAppend(stop, due_at))


def _upheld(case: Connection, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    """A paper that was in before the deadline came on record after it: the commitment was kept."""
    if case.commitment is None or case.commitment.broken is None:
        return ()
    if papers_kept(case, standard_of(case, rules)) is None:
        return ()
    upheld = EventToAppend(PapersCommitmentUpheld(), at)
    return (upheld, EventToAppend(CaseResumed("papers-upheld"), at)) if _stopped_by_papers(case) else (upheld,)


def _resumed(case: Connection) -> tuple[EventToAppend, ...]:
    """A case that was suspended for want of papers goes on once they are in."""
    stop = case.stopped
    if stop is None or stop.final or not _stopped_by_papers(case):
        return ()
    since = papers_in(case)
    return (EventToAppend(CaseResumed("papers-in"), max(since.at, stop.since.at)),) if since is not None else ()


def _stopped_by_papers(case: Connection) -> bool:
    return case.stopped is not None and case.stopped.reason == PAPERS_BROKEN


def _months_later(instant: datetime, months: int) -> datetime:
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    for day in range(instant.day, 27, -1):
        try:
            return instant.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return instant.replace(year=year, month=month + 1, day=min(instant.day, 28))

"""Papers (材料): handed in, judged, asked for once, promised for later, and what they admit to.

Sources: the one-time notice (一次性告知) and admission with papers outstanding (容缺受理) as published; the terms of
the commitment (公布清单、书面承诺、期限、后果、信用修复) are the practice of other utilities; what a later request may
name is our decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from domain.connections.automatic import missing
from domain.connections.case import Connection, Document
from domain.connections.facts import (
    ApplicationAdmitted,
    CaseResumed,
    DocumentRejected,
    DocumentSupplied,
    FurtherRequestMade,
    FurtherRequestRefused,
    NoticeItem,
    OneTimeNoticeGiven,
    OutstandingDeclined,
    PapersCommitmentRepaired,
    PapersPromised,
)
from domain.connections.intake import Supplied, handed_in
from domain.connections.promises import PAPERS_BROKEN, papers_in, standard_of, water_on_end
from domain.connections.refusals import (
    AlreadyAsked,
    AlreadyVisible,
    Barred,
    CommitmentNotBroken,
    CommitmentRepaired,
    CommitmentRunning,
    DeadlinePast,
    DeadlineTooLate,
    DocumentIn,
    DocumentNotIn,
    NamedTwice,
    NotDeferrable,
    NothingLookedAt,
    NothingMissing,
    NoticeGiven,
    NoticeIncomplete,
    NotStopped,
    OutstandingIsDeclined,
    UnknownDefect,
)
from domain.connections.requirements import (
    allowed,
    as_told,
    papers_missing,
    require_codes,
    require_not_admitted,
    require_not_done,
    require_once,
    require_timely,
    requirement,
    requirements,
    stopped,
    under_way,
)
from domain.deadlines.calendar import closing_time, local_date
from domain.kernel.facts import Fact, Moment
from domain.kernel.refusals import Refusal
from domain.standard.context import CommandContext
from domain.standard.standards import Standard
from domain.standard.values import require_known

MISSING = "missing"
"""The defect of a document that is not there at all."""

# ---- documents


def supply_document(case: Connection, ctx: CommandContext, *, supplied: Supplied) -> DocumentSupplied:
    """A required document is there. Also for a case that a broken commitment stopped: that is how it is made good.

    Refuses ``unknown-document``, ``way-not-allowed``, ``digest-missing``, ``wrong-role``, ``document-in`` (it was in
    then already), ``case-stopped``, ``future-time`` and ``dates-out-of-order``.
    """
    known = allowed(case, ctx, "supply-document")
    if known.stopped is not None and known.stopped.reason != PAPERS_BROKEN:
        raise stopped(known)
    owed = requirement(known, ctx.rules, supplied.document)
    require_timely(known, ctx)
    since = known.supplied_since(supplied.document)
    if since is not None and since.at <= ctx.happened_at:
        raise _document_in(known, supplied.document)
    return as_told(ctx, handed_in(ctx, supplied, owed))


def reject_document(case: Connection, ctx: CommandContext, *, document: str, defect: str) -> DocumentRejected:
    """A document that is in does not do.

    After the notice or the admission it binds like them: a defect that could have been seen then is refused as
    ``already-visible`` and the attempt recorded. Refuses ``unknown-document``, ``unknown-defect``,
    ``document-not-in``, ``all-on``, ``case-stopped`` and ``wrong-role``.
    """
    known = under_way(case, ctx, "reject-document")
    require_not_done(known)
    requirement(known, ctx.rules, document)
    require_codes(UnknownDefect, [defect], _defects(ctx.standard) - {MISSING})
    if not known.has(document):
        raise DocumentNotIn(document, known)
    item = NoticeItem(document, defect)
    if _was_visible(known, item, ctx.standard):
        raise _already_visible(known, (item,))
    return DocumentRejected(document, defect)


def _document_in(case: Connection, document: str) -> Refusal:
    return DocumentIn(document, case)


def _defects(standard: Standard) -> set[str]:
    return {*standard.connection.defects, *standard.connection.hidden_defects}


# ---- the one-time notice, and what may come after it


def give_notice(case: Connection, ctx: CommandContext, *, items: Sequence[NoticeItem]) -> tuple[Fact, ...]:
    """Tell the applicant at once everything that is missing. A document that is in and named with a defect is rejected
    with it.

    Refuses ``already-admitted``, ``notice-given``, ``notice-incomplete`` (names what is left out), ``nothing-missing``,
    ``document-in`` (named as missing), ``unknown-document``, ``unknown-defect``, ``named-twice``.
    """
    known = under_way(case, ctx, "give-notice")
    require_not_admitted(known)
    if known.notice is not None:
        raise NoticeGiven(known, known.notice[0])
    lacking = missing(known, standard_of(known, ctx.rules))
    if not lacking and not items:
        raise _nothing_missing(known)
    rejected = _named(known, ctx, items)
    left_out = [document for document in lacking if document not in {item.document for item in items}]
    if left_out:
        raise NoticeIncomplete(left_out)
    return (*rejected, OneTimeNoticeGiven(tuple(items)))


def request_further(case: Connection, ctx: CommandContext, *, items: Sequence[NoticeItem]) -> tuple[Fact, ...]:
    """Ask for something after the notice or the admission: only for what could not be seen then.

    That is a document that came in afterwards, or a hidden defect of the standard's list. Anything else is refused as
    ``already-visible`` and the attempt recorded. Refuses ``nothing-looked-at`` before both, ``already-asked`` for what
    the notice named and nobody supplied since, ``nothing-missing`` for an empty list, ``unknown-document``,
    ``unknown-defect``, ``named-twice``, ``document-in``, ``all-on``.
    """
    known = under_way(case, ctx, "request-further")
    require_not_done(known)
    if not _looks(known):
        raise NothingLookedAt(known)
    if not items:
        raise _nothing_missing(known)
    rejected = _named(known, ctx, items)
    _require_not_asked(known, items)
    visible = tuple(item for item in items if _was_visible(known, item, ctx.standard))
    if visible:
        raise _already_visible(known, visible)
    return (*rejected, FurtherRequestMade(tuple(items)))


def _named(case: Connection, ctx: CommandContext, items: Sequence[NoticeItem]) -> tuple[DocumentRejected, ...]:
    """What a list of items rejects of the documents that are in."""
    require_once(NamedTwice, (item.document for item in items))
    for item in items:
        requirement(case, ctx.rules, item.document)
        require_known(UnknownDefect, item.defect, _defects(ctx.standard))
        if item.defect == MISSING and case.has(item.document):
            raise _document_in(case, item.document)
    return tuple(DocumentRejected(item.document, item.defect) for item in items if case.has(item.document))


def _nothing_missing(case: Connection) -> Refusal:
    return NothingMissing(case)


def _require_not_asked(case: Connection, items: Iterable[NoticeItem]) -> None:
    asked = {NoticeItem(document, MISSING) for document in case.outstanding}
    asked.update(case.notice[1] if case.notice is not None else ())
    repeated = [item.document for item in items if item in asked and not _supplied_after(case, item.document)]
    if repeated:
        raise AlreadyAsked(repeated)


def _supplied_after(case: Connection, document: str) -> bool:
    known = case.documents.get(document, Document())
    named = case.notice[0] if case.notice is not None else case.admitted
    return named is not None and any(moment.at > named.at for moment in known.supplied)


def _looks(case: Connection) -> list[Moment]:
    """When somebody looked at the papers and said what was to be said: at the notice, the admission, a request."""
    looked = [case.notice[0]] if case.notice is not None else []
    if case.admitted is not None:
        # Silence looked at nothing, but it must not be the better for it: it counts as an admission all the same.
        looked.append(case.admitted)
    return [*looked, *case.requests]


def _was_visible(case: Connection, item: NoticeItem, standard: Standard) -> bool:
    """Whether it could have been seen when the papers were last looked at."""
    looks = _looks(case)
    if not looks or item.defect in standard.connection.hidden_defects:
        return False
    known = case.documents.get(item.document, Document())
    changed = [*known.supplied, *known.rejected]
    return not changed or max(changed).at <= max(looks).at


def _already_visible(case: Connection, items: tuple[NoticeItem, ...]) -> Refusal:
    named = ", ".join(f"{item.document} ({item.defect})" for item in items)
    return AlreadyVisible(named, case).on_record(FurtherRequestRefused(items))


# ---- papers outstanding


def promise_papers(
    case: Connection,
    ctx: CommandContext,
    *,
    papers: Sequence[str],
    deadline: date,
    commitment_digest: str,
    barred: bool = False,
) -> PapersPromised:
    """The applicant commits in writing to supply deferrable papers by a day. ``barred``: as of now.

    Refuses ``barred``, ``outstanding-declined``, ``commitment-running``, ``nothing-missing`` (no paper named),
    ``unknown-document``, ``not-deferrable``, ``document-in``, ``named-twice``, ``deadline-past``, ``deadline-too-late``
    (later than the standard allows, or than the case's own due day).
    """
    known = under_way(case, ctx, "promise-papers")
    require_not_done(known)
    _require_may_promise(known, ctx, barred)
    if not papers:
        raise _nothing_missing(known)
    require_once(NamedTwice, papers)
    for paper in papers:
        _require_deferrable(known, ctx, paper)
    _require_deadline(known, ctx, deadline)
    consequence = standard_of(known, ctx.rules).connection.papers.when_broken
    return PapersPromised(tuple(papers), deadline, consequence, commitment_digest)


def _require_may_promise(case: Connection, ctx: CommandContext, barred: bool) -> None:
    if barred or (case.commitment is not None and case.commitment.bars(ctx.at)):
        raise _barred(case)
    if case.declined_outstanding:
        raise _declined(case)
    if case.commitment is not None and papers_in(case) is None:
        raise CommitmentRunning(
            found=f"application {case.number} with a commitment until {case.commitment.promise.deadline}",
            needed="no commitment that is still to be kept",
            next_step_zh="已有承诺在履行中，请先按承诺补交",
        )


def _barred(case: Connection) -> Refusal:
    return Barred(case)


def _declined(case: Connection) -> Refusal:
    return OutstandingIsDeclined(case)


def _require_deferrable(case: Connection, ctx: CommandContext, paper: str) -> None:
    if requirement(case, ctx.rules, paper).main:
        deferrable = [one.code for one in requirements(case, ctx.rules) if not one.main]
        raise NotDeferrable(paper, deferrable)
    if case.has(paper):
        raise _document_in(case, paper)


def _require_deadline(case: Connection, ctx: CommandContext, deadline: date) -> None:
    standard = standard_of(case, ctx.rules)
    if closing_time(deadline, standard.close_of_business) <= ctx.at:
        raise DeadlinePast(deadline, ctx)
    calendar = ctx.rules.calendars_of(standard)[-1].calendar
    by_policy = calendar.add_working_days(local_date(ctx.at), standard.connection.papers.longest_working_days)
    latest = min(by_policy, local_date(water_on_end(case, ctx.rules).due_at))
    if deadline > latest:
        raise DeadlineTooLate(deadline, latest, standard)


def decline_outstanding(case: Connection, ctx: CommandContext) -> OutstandingDeclined:
    """The applicant does not want to be admitted with papers outstanding. Refuses ``already-admitted``,
    ``commitment-running`` and ``outstanding-declined`` (nothing to do)."""
    known = under_way(case, ctx, "decline-outstanding")
    require_not_admitted(known)
    if known.declined_outstanding:
        raise _declined(known)
    if known.commitment is not None:
        raise CommitmentRunning(
            found=f"application {known.number}, whose applicant committed to supply papers",
            needed="no commitment",
            next_step_zh="已作出容缺承诺，请按承诺补交",
        )
    return OutstandingDeclined()


def repair_commitment(case: Connection, ctx: CommandContext, *, evidence_digest: str) -> PapersCommitmentRepaired:
    """The broken commitment was made good; the bar is lifted at once. Also for a case that it ended.

    Refuses ``commitment-not-broken``, ``commitment-repaired`` (nothing to do), ``papers-missing``.
    """
    known = allowed(case, ctx, "repair-commitment")
    commitment = known.commitment
    if commitment is None or commitment.broken is None:
        raise CommitmentNotBroken(known)
    if commitment.repaired is not None:
        raise CommitmentRepaired(known, commitment.repaired)
    _require_promised_in(known)
    return PapersCommitmentRepaired(evidence_digest)


def _require_promised_in(case: Connection) -> None:
    if case.commitment is not None and papers_in(case) is None:
        raise papers_missing(case, [paper for paper in case.commitment.promise.papers if not case.has(paper)])


# ---- admission, and going on


def admit(case: Connection, ctx: CommandContext) -> ApplicationAdmitted:
    """The office admits (受理) where the system would wait for a commitment: the main papers are in, the others may
    follow by the office's own decision (the utility *may* admit).

    Refuses ``already-admitted``, ``papers-missing`` (main ones; or any, for who is barred: ``barred``, or declined:
    ``outstanding-declined``).
    """
    known = under_way(case, ctx, "admit")
    require_not_admitted(known)
    main = [one.code for one in requirements(known, ctx.rules) if one.main and not known.has(one.code)]
    if main:
        raise papers_missing(known, main)
    outstanding = missing(known, standard_of(known, ctx.rules))
    if outstanding and known.barred:
        raise _barred(known)
    if outstanding and known.declined_outstanding:
        raise _declined(known)
    return ApplicationAdmitted("office", outstanding)


def resume(case: Connection, ctx: CommandContext, *, reason: str) -> CaseResumed:
    """A case that a broken commitment suspended or ended goes on, once the promised papers are in; its working days
    run anew. Refuses ``not-stopped``, ``case-stopped`` (for good), ``papers-missing``."""
    known = allowed(case, ctx, "resume")
    stop = known.stopped
    if stop is None:
        raise NotStopped(known)
    if stop.final and stop.reason != PAPERS_BROKEN:
        raise stopped(known)
    _require_promised_in(known)
    return CaseResumed(reason)

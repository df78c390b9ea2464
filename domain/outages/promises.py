"""The promises of an outage, from its facts as they happened.

Sources: 供水条例 §23 (in force since 2026-06-01; users are told 24 hours before a planned outage, by public notice or
in writing; in an emergency they are told while it is being repaired, and the authority is reported to; the fire
service is told beforehand where fire fighting may be affected). Until 2026-05-31 城市供水条例 §22 said the same of
notice and report, and nothing of the fire service. In how many minutes that is in an emergency, that water is back by
the announced end, and how a change is told, are our decision. The numbers are the standard's in force when the outage
was planned or began; a number that a standard does not have promises nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from domain.deadlines.windows import Obligation, Term
from domain.kernel.copies import changed
from domain.kernel.facts import Moment, Name
from domain.outages.case import Outage
from domain.standard.ladders import counted, obligation, reminders
from domain.standard.standards import Rules, Standard

NOTICE = "outage.notice"
REPORT = "outage.report"
RESTORE = "outage.restore"
CHANGE = "outage.change-notice"
FIRE = "outage.fire-notice"
PROMISES: Mapping[str, Name] = {
    NOTICE: Name("停水通知", "outage notice"),
    REPORT: Name("报告主管部门", "report to the authority"),
    RESTORE: Name("按时恢复供水", "water back by the announced end"),
    CHANGE: Name("停水变更通知", "notice of a changed outage"),
    FIRE: Name("告知消防部门", "fire service told"),
}


def obligations(outage: Outage | None, rules: Rules) -> tuple[Obligation, ...]:
    """Everything that the outage promises so far."""
    if outage is None:
        return ()
    standard = rules.in_force(outage.announced.at)
    found = (
        _notice(outage, standard),
        _report(outage, standard),
        _restore(outage, standard),
        _change(outage, standard),
        _fire(outage, standard),
    )
    return tuple(each for each in found if each is not None)


def _notice(outage: Outage, standard: Standard) -> Obligation | None:
    """The first notice that was sent meets it, whoever sent it."""
    told = min(counted(outage.notices, outage.announced.at, standard), default=None)
    if outage.is_planned:
        return _planned_notice(outage, standard, told)
    if outage.incident is None:
        due_at = outage.announced.at  # it had to be told before; whoever tells the users now tells them late
    elif standard.outages.emergency_notice_minutes is not None:
        due_at = outage.announced.at + timedelta(minutes=standard.outages.emergency_notice_minutes)
    else:
        return None
    terms = (Term(outage.announced.at, due_at, (outage.announced.by,)),)
    return _obligation(NOTICE, outage, standard, terms, told, outage.announced.at)


def _planned_notice(outage: Outage, standard: Standard, told: Moment | None) -> Obligation:
    """Before the announced beginning; where it was announced anew before anybody was told, before the new one.

    Our decision: water that goes off at another time than announced, by more than the standard's tolerance, goes off
    without notice. What was told does not count then, and the promise is broken at that instant.
    """
    ahead = timedelta(hours=standard.outages.outage_notice_hours)
    terms = tuple(
        Term(max(moment.at, outage.announced.at), begin - ahead, (moment.by,))
        for moment, begin in outage.announced_begins
        if moment.by == outage.announced.by or told is None or moment < told
    )
    started = outage.started
    if started is not None and is_unannounced(outage, standard, started):
        off_at = max(started.at, outage.announced.at)
        is_told = told is not None and told.at <= _end_in_force(terms, told.at)
        if is_told or off_at < _end_in_force(terms, off_at):
            off = Term(outage.announced.at if is_told else off_at, off_at, (started.by,))
            terms = (off,) if is_told else (*(term for term in terms if term.since < off_at), off)
            told = _next_notice(outage, off_at)
    owed = _obligation(NOTICE, outage, standard, terms, told, outage.announced.at, cause="announced-anew")
    if standard.outages.planned_outages is None:
        return owed
    # Only when water goes off is it known whether it went off as announced: until then no verdict is settled, so that
    # one person can record that it did not.
    return changed(owed, settles_after=None)


def is_unannounced(outage: Outage, standard: Standard, started: Moment) -> bool:
    """Whether water of a planned outage went off at another time than announced; False where the standard does not hold
    the beginning to its notice."""
    policy = standard.outages.planned_outages
    if policy is None:
        return False
    announced = [begin for moment, begin in outage.announced_begins if moment.at <= started.at]
    is_called_off = any(moment.at <= started.at for moment in outage.cancellations)
    tolerance = timedelta(minutes=policy.start_tolerance_minutes)
    return is_called_off or not announced or abs(started.at - announced[-1]) > tolerance


def _end_in_force(terms: tuple[Term, ...], at: datetime) -> datetime:
    """The end of the term that held at an instant; all of them have one."""
    held = [term for term in terms if term.since <= at] or terms[:1]
    assert held[-1].due_at is not None
    return held[-1].due_at


def _report(outage: Outage, standard: Standard) -> Obligation | None:
    """Of an emergency only."""
    if outage.incident is None or standard.outages.emergency_report_minutes is None:
        return None
    due_at = outage.announced.at + timedelta(minutes=standard.outages.emergency_report_minutes)
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


def _change(outage: Outage, standard: Standard) -> Obligation | None:
    """Who was told of a planned outage is told of other times, of a later end, and that it is cancelled.

    New times are told as long ahead as the first ones; the other two within the standard's minutes (our decision). A
    notice tells how the outage stands when it is sent: one that was sent after a change tells of it. A later end gives
    no more time to tell of a change before it: else nobody need be told while one later end follows the other.
    """
    changes = _changes(outage, standard)
    if not changes:
        return None
    last = changes[-1]
    terms = [
        change
        for change, following in pairwise(changes)
        if not _is_told_of(outage, change, min(change.due_at or following.since, following.since))
    ]
    told = _next_notice(outage, last.since)
    return obligation(CHANGE, standard, changes[0].since, (*terms, last), told, (), "announced-anew")


def _changes(outage: Outage, standard: Standard) -> tuple[Term, ...]:
    """What the users have to be told anew, in order of time: only what came after they were told at all. New times need
    not be told any more once water is off."""
    policy = standard.outages.planned_outages
    if policy is None or not outage.is_planned or not outage.notices:
        return ()
    first = min(outage.notices)
    ahead, soon = timedelta(hours=standard.outages.outage_notice_hours), timedelta(minutes=policy.change_notice_minutes)
    found = [(moment, begin - ahead) for moment, begin in outage.begins if moment.by != outage.announced.by]
    found += [(moment, moment.at + soon) for moment in outage.extensions]
    started, called_off = outage.started, min(outage.cancellations, default=None)
    if called_off is not None and (started is None or called_off.at <= started.at):
        found.append((called_off, called_off.at + soon))
    changes: list[Term] = []
    for moment, due_at in sorted(found):
        if first < moment:
            owed = _still_owed(outage, changes, moment) if moment in outage.extensions else None
            changes.append(Term(moment.at, min(due_at, owed or due_at), (moment.by,)))
    rescheduled = outage.announced_begins[-1][0]
    if started is not None and changes and changes[-1].decided_by == (rescheduled.by,):
        last = changes[-1]
        is_before = last.due_at is not None and last.since <= started.at < last.due_at
        if is_before and not _is_told_of(outage, last, started.at):
            changes.append(Term(started.at, None, (started.by,), reason="water-off"))
    return tuple(changes)


def _still_owed(outage: Outage, changes: Sequence[Term], moment: Moment) -> datetime | None:
    """By when the users were to be told of the last of the changes, where they still wait for that; else None."""
    if not changes or _is_told_of(outage, changes[-1], moment.at):
        return None
    due_at = changes[-1].due_at
    return due_at if due_at is not None and due_at > moment.at else None


def _is_told_of(outage: Outage, change: Term, until: datetime) -> bool:
    """Whether the users were told between a change and an instant."""
    told = _next_notice(outage, change.since)
    return told is not None and told.at <= until


def _next_notice(outage: Outage, at: datetime) -> Moment | None:
    return min((notice for notice in outage.notices if notice.at >= at), default=None)


def _fire(outage: Outage, standard: Standard) -> Obligation | None:
    """The fire service is told before water goes off, where fire fighting may be affected."""
    if standard.outages.planned_outages is None or not outage.fire_affected:
        return None
    terms = tuple(
        Term(max(moment.at, outage.announced.at), begin, (moment.by,)) for moment, begin in outage.announced_begins
    )
    started = outage.started
    off_at = max(started.at, outage.announced.at) if started is not None else None
    if started is not None and off_at is not None and off_at < _end_in_force(terms, off_at):
        terms = (*(term for term in terms if term.since < off_at), Term(off_at, off_at, (started.by,)))
    told = min(counted(outage.fire_told, outage.announced.at, standard), default=None)
    return _obligation(FIRE, outage, standard, terms, told, outage.announced.at, cause="announced-anew")


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
    due_reminders = reminders(standard, commitment, runs_from, last) if last is not None and last > runs_from else ()
    if cancelled is not None and (met is None or met.at > cancelled.at):
        since = max(cancelled.at, terms[-1].since)
        terms, due_reminders = (*terms, Term(since, None, (cancelled.by,), reason="outage-cancelled")), ()
    return obligation(commitment, standard, terms[0].since, terms, met, due_reminders, cause)

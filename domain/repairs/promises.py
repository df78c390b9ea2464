"""The promises of an incident, from its facts as they happened.

Sources: arrival and completion are published promises, counted from the first report (our strict reading; a standard
may select a later start for the completion). A major repair has no end limit but is continuous work until water flows,
as published; that it is logged every so often, and that an assessment is due, is our decision, so that no incident
escapes its limit by never being classed. The numbers are the standard's in force at the first report; a number that a
standard does not have promises nothing.

What is said to have happened before anybody had reported fulfils nothing (our decision; ``case.credible``).

Our decision, for imported history: without an arrival the arrival promise is ``unknown``, neither kept nor broken, and
so is the answer promise where nobody's answer is on record. Of a report that is known by its day nothing in hours is
judged; a limit in days is, by the day, unless it ends at an hour that nobody knows and the repair was done just then. A
completion that is known by its day, or by an instant at which it was over, is judged only where that is enough to tell;
of a repair that is said to have been done before it was reported nothing is judged. Nobody is called out for what ran
out in it. What a dismissed incident still owed, it owes no more, but for the answer to whoever reported it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta

from domain.deadlines.limits import End, WorkingDays, end
from domain.deadlines.windows import Obligation, Term
from domain.kernel.copies import changed
from domain.kernel.facts import Moment, Name
from domain.kernel.remembered import minutes
from domain.repairs.case import Repair, Report, credible
from domain.standard.ladders import counted, obligation, reminders
from domain.standard.sections.repair import Severity
from domain.standard.standards import Rules, Standard

ARRIVAL = "repair.arrival"
COMPLETION = "repair.completion"
ASSESSMENT = "repair.assessment"
CONTINUITY = "repair.continuity"
ANSWER = "repair.answer"
PROMISES: Mapping[str, Name] = {
    ARRIVAL: Name("到场", "arrival"),
    COMPLETION: Name("修复", "completion"),
    ASSESSMENT: Name("定级", "assessment"),
    CONTINUITY: Name("连续作业", "continuous work"),
    ANSWER: Name("回复报修人", "reporters answered"),
}


def obligations(case: Repair | None, rules: Rules) -> tuple[Obligation, ...]:
    """Everything that the incident promises so far. One that was merged promises nothing: the other incident does."""
    if case is None or case.merged_into is not None:
        return ()
    report = case.first_report
    standard = rules.in_force(report.moment.at)
    told, case = case, credible(case, standard.clock_tolerance)
    if _is_history(report, standard) and told.completed and not case.completed:
        return (_unknown(ARRIVAL, standard, report.moment), _unknown(COMPLETION, standard, report.moment))
    found = (
        _arrival(case, standard, report),
        _completion_in_days(case, standard, report, rules)
        if case.kind in standard.repair.kind_limits
        else _completion(case, standard, report),
        _assessment(case, standard),
        _continuity(case, standard),
    )
    answer = _answer(case, standard, report)
    owed = tuple([each for each in found if each is not None])
    if case.over is not None:
        owed = tuple([_until_over(case, each) for each in owed])
    owed += (answer,) if answer is not None else ()
    # A limit that ran out in an earlier order book is counted, and nobody is called out for it.
    return (
        tuple(changed(each, reminders=(), notify_on_lapse=()) for each in owed)
        if _is_history(report, standard)
        else owed
    )


def standard_of(case: Repair, rules: Rules) -> Standard:
    """The standard that governs the incident: the one in force at its first report."""
    return rules.in_force(case.first_report.moment.at)


def _arrival(case: Repair, standard: Standard, report: Report) -> Obligation:
    first = report.moment
    if report.precision != "second" or (not case.arrived and _is_history(report, standard)):
        return _unknown(ARRIVAL, standard, first)
    due_at = first.at + minutes(standard.repair.arrival_minutes[case.zone])
    acknowledged = min(case.acknowledged, default=None)
    due_reminders = reminders(standard, ARRIVAL, first.at, due_at, acknowledged.at if acknowledged else None)
    terms = (Term(first.at, due_at, (first.by,)),)
    if not case.arrived:
        return obligation(ARRIVAL, standard, first.at, terms, None, due_reminders)
    ends = {arrival: evidence_due(case, standard, arrival) for arrival in case.arrived}
    proven = min((arrival for arrival, until in ends.items() if until is None), default=None)
    owed = obligation(ARRIVAL, standard, first.at, terms, proven, due_reminders)
    waiting = [(arrival, until) for arrival, until in ends.items() if until is not None]
    for arrival, until in sorted(waiting, reverse=True):
        if proven is None or arrival < proven:
            owed = changed(owed, met_at=max(arrival.at, first.at), met_by=(arrival.by,), until=until, then=owed)
    return owed


def evidence_due(case: Repair, standard: Standard, arrival: Moment) -> datetime | None:
    """Until when the evidence of an arrival may follow, where it has none and needs one. Our decision: without
    evidence an arrival fulfils its promise until then and no longer; imported history is exempt."""
    channel = case.unproven.get(arrival.by)
    may_follow = standard.repair.arrival_evidence_minutes
    if may_follow is None or channel is None or arrival.by in case.proven_later:
        return None
    if channel in standard.repair.history_channels or _is_history(case.first_report, standard):
        return None
    return arrival.at + minutes(may_follow)


# ---- completion


def start_of_completion(case: Repair, standard: Standard) -> Moment:
    """Where the completion window starts: at the first report, or at the arrival or the assessment where the standard
    says so and there is one; until then at the first report, so that an incident without one has a limit too."""
    return _start_of_completion(case, standard, case.first_report.moment)


def _start_of_completion(case: Repair, standard: Standard, first: Moment) -> Moment:
    if standard.repair.completion_from == "report":
        return first
    assessed = (moment for moment, _ in case.assessed)
    return max(first, min(case.arrived if standard.repair.completion_from == "arrival" else assessed, default=first))


def _completion(case: Repair, standard: Standard, report: Report) -> Obligation:
    first = report.moment
    start = _start_of_completion(case, standard, first)
    terms = tuple(_completion_terms(case, standard, first, start))
    due_at, done = terms[-1].due_at, _completed(case)
    if report.precision != "second" or (done is not None and _is_rough(case, done, due_at)):
        return _unknown(COMPLETION, standard, first)
    due_reminders = reminders(standard, COMPLETION, start.at, due_at) if due_at else ()
    return obligation(COMPLETION, standard, first.at, terms, done, due_reminders)


def _completion_in_days(case: Repair, standard: Standard, report: Report, rules: Rules) -> Obligation:
    """The completion of a kind of fault that has a limit of its own, whatever its class. A kind that is corrected was
    never the other one: the limit is then the corrected kind's from the beginning (our decision)."""
    first, done = report.moment, _completed(case)
    start = _start_of_completion(case, standard, first)
    begins = tuple(dict.fromkeys((first, start)))
    soonest = [_days(case, standard, rules, begin.at, done) for begin in begins]
    latest = soonest
    if report.precision == "day":
        latest = [_days(case, standard, rules, _end_of_day(first, rules, standard), done), *soonest[1:]]
    due_at = latest[-1].due_at
    if report.precision == "by" or (done is not None and _is_unclear(case, done, soonest[-1].due_at, due_at)):
        return _unknown(COMPLETION, standard, first)
    found = tuple(zip(begins, latest, strict=True))
    terms = tuple(Term(begin.at, days.due_at, (begin.by,), days.tentative, counted=days) for begin, days in found)
    due_reminders = reminders(standard, COMPLETION, start.at, due_at)
    owed = obligation(COMPLETION, standard, first.at, terms, done, due_reminders)
    return changed(owed, calendar=found[-1][1].calendar)


LONGEST_DAY = timedelta(hours=25)
"""A civil day where the clocks are put back on it."""


def _end_of_day(report: Moment, rules: Rules, standard: Standard) -> datetime:
    """The last instant of the day that a report is known by. The calendar may be another place's than the report's."""
    calendar = rules.calendars_of(standard)[-1].calendar
    begun = calendar.local(report.at)
    if begun.time() == time():
        return calendar.instant(begun.date(), time.max)
    return report.at + timedelta(days=1, microseconds=-1)


def _is_unclear(case: Repair, done: Moment, soonest: datetime, latest: datetime) -> bool:
    """Whether nobody can say if it was done in time, where the limit ended between these two instants."""
    match case.rough.get(done.by):
        case "day":
            return done.at <= latest and done.at + LONGEST_DAY > soonest
        case "by":
            return done.at > soonest
        case _:
            return soonest < done.at <= latest


def _days(case: Repair, standard: Standard, rules: Rules, begin: datetime, done: Moment | None) -> End:
    promised = standard.repair.kind_limits[case.kind]
    limit = WorkingDays(
        begin,
        promised.days,
        standard.close_of_business,
        unit=promised.unit,
        ends=promised.ends,
        intake=standard.repair.intake,
    )
    return end(limit, rules.calendars_of(standard), done.at if done is not None else None)


def _completed(case: Repair) -> Moment | None:
    """The first completion; one that is known to the second before any that is not."""
    if not case.completed:
        return None
    exact = [moment for moment in case.completed if moment.by not in case.rough]
    return min(exact or case.completed, default=None)


def _is_rough(case: Repair, done: Moment, due_at: datetime | None) -> bool:
    """Whether nobody can say if it was in time. A day that began after the end of the limit is late enough; what was
    over by the end was in time."""
    precision = case.rough.get(done.by)
    if due_at is None or precision is None:
        return False
    return done.at <= due_at if precision == "day" else done.at > due_at


def _completion_terms(case: Repair, standard: Standard, first: Moment, start: Moment) -> Iterator[Term]:
    """From the first report on; a later start and every class begin a term. A term that had run out stays lapsed."""
    yield _term(first, first, standard.repair.completion_minutes[standard.repair.unassessed_as])
    if not case.assessed and start == first:
        return
    severity: Severity = standard.repair.unassessed_as
    changes: list[tuple[Moment, Severity | None]] = [*case.assessed]
    if start != first:
        changes.append((start, None))
    for moment, named in sorted(changes, key=lambda change: (change[0], change[1] or "")):
        severity = named or severity
        yield _term(start if start <= moment else first, moment, standard.repair.completion_minutes[severity])


def _term(start: Moment, since: Moment, limit_minutes: int | None) -> Term:
    due_at = None if limit_minutes is None else start.at + minutes(limit_minutes)
    decided_by = (start.by,) if since == start else (start.by, since.by)
    return Term(max(since.at, start.at), due_at, decided_by, start=start.at)


# ---- assessment


def _assessment(case: Repair, standard: Standard) -> Obligation | None:
    """Due so many minutes after the first arrival; the first assessment meets it, an imported one before it too."""
    if standard.repair.assessment_minutes is None or not case.arrived:
        return None
    start = min(case.arrived)
    due_at = start.at + minutes(standard.repair.assessment_minutes)
    assessed = counted((moment for moment, _ in case.assessed), case.first_report.moment.at, standard)
    met = min(assessed, default=None)
    due_reminders = reminders(standard, ASSESSMENT, start.at, due_at)
    return obligation(ASSESSMENT, standard, start.at, (Term(start.at, due_at, (start.by,)),), met, due_reminders)


# ---- continuity


def _continuity(case: Repair, standard: Standard) -> Obligation | None:
    """While the repair is a major one: each log replaces the end that the one before has set. An end that no log
    replaced in time is a gap, and lapses by itself."""
    if not standard.repair.continuity_minutes or not case.assessed:
        return None
    terms = tuple(_continuous(case, standard.repair.continuity_minutes))
    if not terms:
        return None
    last, due_at = terms[-1], terms[-1].due_at
    due_reminders = reminders(standard, CONTINUITY, last.since, due_at) if due_at else ()
    restored = min(case.restored, default=None)
    return obligation(CONTINUITY, standard, terms[0].since, terms, restored, due_reminders, cause="work-logged")


def _continuous(case: Repair, gap_minutes: int) -> Iterator[Term]:
    """A term from the class major, and from every log while it holds; one without end from a lower class on."""
    events: list[tuple[Moment, Severity | None]] = [*case.assessed, *((log, None) for log in _logs(case))]
    held = False
    for moment, severity in sorted(events, key=lambda event: event[0]):
        if severity == "major" or (severity is None and held):
            held = True
            yield Term(moment.at, moment.at + minutes(gap_minutes), (moment.by,))
        elif held and severity is not None:
            held = False
            yield Term(moment.at, None, (moment.by,), reason="no-longer-major")


def _logs(case: Repair) -> tuple[Moment, ...]:
    """The logs that count: once water flows, nothing needs one."""
    restored = min(case.restored, default=None)
    return tuple(log for log in case.logged if restored is None or log.at < restored.at)


# ---- answers


def _answer(case: Repair, standard: Standard, report: Report) -> Obligation | None:
    """Due so many minutes after the incident was over, repaired or dismissed: everybody who reported has been told by
    then (our decision). The last of them counts; a report that is linked later owes an answer too. Of an earlier order
    book that has no answers nobody can say."""
    start = case.over
    if standard.repair.answer_minutes is None or start is None or not case.answers_owed:
        return None
    answered = _all_answered(case, start)
    if _is_history(report, standard) and (answered is None or start.by in case.rough):
        return _unknown(ANSWER, standard, start)
    due_at = start.at + minutes(standard.repair.answer_minutes)
    due_reminders = reminders(standard, ANSWER, start.at, due_at)
    terms = (Term(start.at, due_at, (start.by,)),)
    return obligation(ANSWER, standard, start.at, terms, answered, due_reminders)


def _all_answered(case: Repair, start: Moment) -> Moment | None:
    """When the last reporter was first told, after the work was done; None while somebody waits."""
    first: dict[int, Moment] = {}
    for report, moment in sorted(case.answered, key=lambda answer: answer[1]):
        if moment.at >= start.at:
            first.setdefault(report, moment)
    waiting = case.answers_owed
    return max(first[report] for report in waiting) if waiting <= first.keys() else None


# ---- what cannot be judged, and what is owed no more


UNKNOWN = "unknown"
DISMISSED = "dismissed"


def _is_history(report: Report, standard: Standard) -> bool:
    return report.channel in standard.repair.history_channels


def _unknown(commitment: str, standard: Standard, first: Moment) -> Obligation:
    """A promise of which nobody can say whether it was kept: it has no end, for this reason, and never lapses."""
    return obligation(commitment, standard, first.at, (Term(first.at, None, (first.by,), reason=UNKNOWN),), None, ())


def _until_over(case: Repair, owed: Obligation) -> Obligation:
    """Once the repair is done nobody need be called for an arrival or a class that was never told (our decision)."""
    if owed.then is not None:
        owed = changed(owed, then=_until_over(case, owed.then))
    owed = _until_dismissed(case, owed)
    if owed.commitment not in (ARRIVAL, ASSESSMENT) or case.over is None:
        return owed
    return changed(owed, moot_from=case.over.at)


def _until_dismissed(case: Repair, owed: Obligation) -> Obligation:
    """From the dismissal on nothing more is owed, unless it was met by then; what had run out before stays lapsed."""
    if not case.dismissed:
        return owed
    exact = [moment for moment in case.dismissed if moment.by not in case.rough]
    dismissed = min(exact or case.dismissed)
    met_at, first = owed.met_at, owed.terms[0]
    if first.reason == UNKNOWN or (met_at is not None and met_at <= dismissed.at):
        return owed
    if dismissed.by in case.rough:
        # What had run out by then is not known either.
        return changed(owed, terms=(changed(first, due_at=None, reason=UNKNOWN),), met_at=None, met_by=(), reminders=())
    before = tuple(term for term in owed.terms if term.since < dismissed.at)
    last = Term(max(dismissed.at, first.since), None, (dismissed.by,), reason=DISMISSED)
    return changed(owed, terms=(*before, last), met_at=None, met_by=(), reminders=())

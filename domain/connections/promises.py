"""What the utility owes an applicant, and the applicant the utility, as windows.

Sources: the published "0225" promises (5 working days, zero trips or at most one); 行政许可法 §32 (in force since
2004-07-01) by analogy for silence; the terms of papers outstanding (容缺受理); our decisions where they are silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from domain.connections.case import Connection, Interruption
from domain.connections.stages import stage_stops
from domain.deadlines.calendar import CalendarVersion, closing_time
from domain.deadlines.limits import ClockStop, End, WorkingDays, count, end
from domain.deadlines.windows import CountPromise, Obligation, ReminderAt, Term
from domain.kernel.facts import Moment, Name
from domain.standard.ladders import counted
from domain.standard.standards import Rules, Standard

WATER_ON = "connection.water_on"
NOTICE = "connection.notice"
PAPERS = "connection.papers"
TRIPS = "connection.trips"
PROMISES: Mapping[str, Name] = {
    WATER_ON: Name("通水", "water on"),
    NOTICE: Name("一次性告知", "one-time notice"),
    PAPERS: Name("容缺补件", "papers outstanding"),
    TRIPS: Name("跑腿次数", "trips"),
}

PAPERS_BROKEN = "papers-commitment-broken"
"""Why a case ended or was suspended by a broken commitment."""


def standard_of(case: Connection, rules: Rules) -> Standard:
    """The standard that the case runs under: the one in force when the application came in."""
    return rules.in_force(case.received.at)


def obligations(case: Connection | None, rules: Rules) -> tuple[Obligation | CountPromise, ...]:
    """Notice or admission in time, water on in 5 working days, promised papers by their day, and no needless trip."""
    if case is None:
        return ()
    standard = standard_of(case, rules)
    found = (
        _notice(case, standard, rules),
        _water_on(case, standard, rules),
        _papers(case, standard, rules),
        _trips(case, standard),
    )
    return tuple(obligation for obligation in found if obligation is not None)


# ---- water on


def water_on_limit(case: Connection, standard: Standard, start: datetime) -> WorkingDays:
    """The working days until water is on, from an instant on, with the pauses that count and the stages that do not."""
    pauses = tuple(
        ClockStop(
            pause.since.at,
            pause.ended.at if pause.ended else None,
            standard.connection.pause_reasons[pause.reason].cap_working_days
            if pause.reason in standard.connection.pause_reasons
            else 0,
            (pause.since.by, pause.approved.by),
            pause.reason,
        )
        for _, pause in sorted(case.pauses.items())
        if pause.approved is not None and pause.counts
    )
    stops = (*pauses, *stage_stops(case, standard))
    return WorkingDays(
        start,
        standard.connection.connection_working_days,
        standard.close_of_business,
        stops,
        standard.connection.pause_cap_working_days,
    )


def silence_end(case: Connection, rules: Rules) -> End:
    """When silence counts as admission: neither notice nor admission within the working days after receipt."""
    standard = standard_of(case, rules)
    limit = WorkingDays(case.received.at, standard.connection.silence_working_days, standard.close_of_business)
    return end(limit, rules.calendars_of(standard), None)


def water_on_end(case: Connection, rules: Rules) -> End:
    """When water is due as things stand: from admission, or from the last resumption."""
    standard = standard_of(case, rules)
    start = _start(case).at
    met = _met(case, standard, start)
    return end(water_on_limit(case, standard, start), rules.calendars_of(standard), met.at if met else None)


def _start(case: Connection) -> Moment:
    resumed = [stop.until for stop in case.interruptions if stop.until is not None]
    begun = case.admitted or case.received
    return max([begun, *resumed])


def _met(case: Connection, standard: Standard, begun: datetime) -> Moment | None:
    """When the last supply point got water; None while one waits. Water that is said to have been turned on before the
    promise began fulfils nothing (our decision)."""
    on = counted(case.on.values(), begun, standard) if case.all_on else ()
    return max(on) if on and len(on) == len(case.on) else None


def _water_on(case: Connection, standard: Standard, rules: Rules) -> Obligation:
    calendars = rules.calendars_of(standard)
    start = _start(case)
    met = _met(case, standard, start.at)
    if case.admitted is None:
        ends = [(case.received, silence_end(case, rules))]
    else:
        ends = [
            (begin, end(water_on_limit(case, standard, begin.at), calendars, met.at if met else None))
            for begin in _beginnings(case)
        ]
    terms = [
        Term(begin.at, found.due_at, _decided_by(case, standard, begin), found.tentative, counted=found)
        for begin, found in ends
    ]
    terms += [Term(stop.since.at, None, (stop.since.by,), reason=stop.reason) for stop in case.interruptions]
    if case.admitted is None and case.notice is not None:
        terms.append(Term(case.notice[0].at, None, (case.notice[0].by,), reason="notice-given"))
    return Obligation(
        commitment=WATER_ON,
        opened_at=start.at,
        terms=_in_order(terms),
        met_at=max(met.at, start.at) if met else None,
        met_by=(met.by,) if met else (),
        standard=standard.version,
        calendar=ends[-1][1].calendar,
        reminders=_reminders(case, standard, start.at, _applied(calendars, ends[-1][1])),
        notify_on_lapse=standard.alerting.notify_on_lapse.get(WATER_ON, ()),
        settles_after=standard.settles_after,
        cause="pause",
    )


def _beginnings(case: Connection) -> list[Moment]:
    """Admission, and every time the case went on after it had stopped."""
    assert case.admitted is not None
    resumed = [stop.until for stop in case.interruptions if stop.until is not None and stop.until > case.admitted]
    return sorted([case.admitted, *resumed])


def _in_order(terms: Sequence[Term]) -> tuple[Term, ...]:
    # Of two at one instant the one without an end comes later: who stops a case at the instant of its admission means
    # to stop it.
    return tuple(sorted(terms, key=lambda term: (term.since, term.due_at is None)))


def _decided_by(case: Connection, standard: Standard, begin: Moment) -> tuple[UUID, ...]:
    stops = water_on_limit(case, standard, begin.at).stops
    return (begin.by, *(by for stop in stops for by in stop.by))


def _applied(calendars: Sequence[CalendarVersion], found: End) -> CalendarVersion:
    return next(version for version in reversed(calendars) if version.calendar.version == found.calendar)


def _reminders(
    case: Connection, standard: Standard, start: datetime, version: CalendarVersion
) -> tuple[ReminderAt, ...]:
    limit = water_on_limit(case, standard, start)
    return tuple(
        ReminderAt(
            reminder.name,
            count(
                WorkingDays(
                    start, reminder.working_day, limit.close_of_business, limit.stops, limit.stops_cap_working_days
                ),
                version.calendar,
            ).due_at,
            reminder.notify,
        )
        for reminder in standard.alerting.ladders.get(WATER_ON, ())
        if reminder.working_day is not None
    )


# ---- notice


def _notice(case: Connection, standard: Standard, rules: Rules) -> Obligation | None:
    """The one-time notice of an incomplete application: at once at the counter, within 1 working day elsewhere."""
    answers = [case.notice[0]] if case.notice is not None else []
    if case.admitted is not None and case.basis != "silence":
        answers.append(case.admitted)
    met = min(answers, default=None)
    if met is not None and met.at <= case.received.at:
        return None
    term, calendar = _notice_term(case, standard, rules, met.at if met else None)
    terms = [term]
    terms += [
        Term(stop.since.at, None, (stop.since.by,), reason=stop.reason) for stop in case.interruptions if stop.final
    ]
    return Obligation(
        commitment=NOTICE,
        opened_at=case.received.at,
        terms=_in_order(terms),
        met_at=met.at if met else None,
        met_by=(met.by,) if met else (),
        standard=standard.version,
        calendar=calendar,
        notify_on_lapse=standard.alerting.notify_on_lapse.get(NOTICE, ()),
        settles_after=standard.settles_after,
        # Admitted by silence, the applicant needs no notice any more.
        moot_from=case.admitted.at if case.admitted is not None else None,
    )


def _notice_term(
    case: Connection, standard: Standard, rules: Rules, met_at: datetime | None
) -> tuple[Term, str | None]:
    begun = case.received
    minutes = standard.connection.notice_minutes.get(case.channel)
    if minutes is not None:
        return Term(begun.at, begun.at + timedelta(minutes=minutes), (begun.by,)), None
    limit = WorkingDays(case.received.at, standard.connection.notice_working_days, standard.close_of_business)
    found = end(limit, rules.calendars_of(standard), met_at)
    return Term(begun.at, found.due_at, (begun.by,), found.tentative, counted=found), found.calendar


# ---- papers outstanding


def papers_due_at(case: Connection, standard: Standard) -> datetime:
    """When the promised papers must be in: the close of business of their day."""
    assert case.commitment is not None
    return closing_time(case.commitment.promise.deadline, standard.close_of_business)


def papers_in(case: Connection, by: datetime | None = None) -> Moment | None:
    """When the last promised paper came in, as it stood at the instant ``by`` (None: now); None: one was missing."""
    assert case.commitment is not None
    since = [case.supplied_since(paper, by) for paper in case.commitment.promise.papers]
    known = [moment for moment in since if moment is not None]
    return max(known) if known and len(known) == len(since) else None


def papers_kept(case: Connection, standard: Standard) -> Moment | None:
    """When the commitment was kept: all promised papers were in at its deadline. One that is rejected afterwards has
    to be supplied again, but breaks nothing (our decision: the applicant did what was promised)."""
    return papers_in(case, papers_due_at(case, standard))


def _papers(case: Connection, standard: Standard, rules: Rules) -> Obligation | None:
    """The applicant's commitment, as its own window: kept, or broken at the close of its day."""
    if case.commitment is None:
        return None
    made = case.commitment.made
    met = papers_kept(case, standard) or papers_in(case)
    terms = [Term(made.at, papers_due_at(case, standard), (made.by,))]
    terms += [
        Term(stop.since.at, None, (stop.since.by,), reason=stop.reason)
        for stop in case.interruptions
        if stop.reason != PAPERS_BROKEN and stop.until is None
    ]
    return Obligation(
        commitment=PAPERS,
        opened_at=made.at,
        terms=_in_order(terms),
        # Papers that were in before the promise was made meet it when it is made.
        met_at=max(met.at, made.at) if met else None,
        met_by=(met.by,) if met else (),
        standard=standard.version,
        calendar=None,
        notify_on_lapse=standard.alerting.notify_on_lapse.get(PAPERS, ()),
        settles_after=standard.settles_after,
    )


# ---- zero trips


def _trips(case: Connection, standard: Standard) -> CountPromise | None:
    """No trip where applied for online or at home, at most one otherwise."""
    allowed = standard.connection.allowed_trips(case.channel)
    if allowed is None:
        return None
    met = _met(case, standard, case.received.at)
    stop: Interruption | None = case.stopped
    # Who comes after water is on, or for a refund after the case stopped, does not come for the connection.
    until = met or (stop.since if stop is not None and stop.final else None)
    return CountPromise(
        commitment=TRIPS,
        opened_at=case.received.at,
        allowed=allowed,
        counted=tuple(sorted((m.at, m.by) for m in case.appearances if until is None or m.at <= until.at)),
        closed=(met.at, met.by) if met else None,
        cancelled=stop.reason if stop is not None and stop.final else None,
        standard=standard.version,
        decided_by=(case.received.by,),
        notify_on_lapse=standard.alerting.notify_on_lapse.get(TRIPS, ()),
        settles_after=standard.settles_after,
    )

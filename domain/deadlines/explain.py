"""Why a window stands as it does: its segments, counted and uncounted, each with the event and the rule behind it.

Nothing is counted here. ``judge`` gives the verdict, ``domain.deadlines.limits`` counted the days; this module shows
their parts, so an explanation cannot say anything else than what was judged. Whoever wants it as it was known at an
instant gives the events that were recorded and the rules that were published by then.

Our decision: a limit in working days is told civil day by civil day, also the days that do not count; a limit around
the clock is told in spans, cut wherever a term of the window begins, whether or not the term was to last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import Annotated, Literal, cast
from uuid import UUID

from domain.deadlines import windows
from domain.deadlines.calendar import SATURDAY, Calendar, local_date
from domain.deadlines.limits import ClockStop, End, received
from domain.deadlines.windows import (
    NO_LONGER_OWED,
    CountPromise,
    Obligation,
    OnRecord,
    Term,
    Window,
    WindowFact,
    WindowLedger,
    judge,
)
from domain.kernel.facts import Recorded
from domain.kernel.law import NO_LAW, Citation, Law
from domain.kernel.refusals import NoSuchWindow

DayRule = Literal[
    "start",
    "worked",
    "make-up",
    "pause-used-up",
    "civil",
    "weekend",
    "holiday",
    "statutory",
    "paused",
    "grace",
    "intake",
]
"""Why a civil day counts (the second to the fifth) or does not. ``pause-used-up``: the clock stood, but the pauses
have excused as many days as they may. ``civil``: every day counts. ``grace``: a revised calendar moved the end earlier;
the day is left as grace. ``intake``: what came in outside the office's hours counts as received on that day."""
SpanRule = Literal["not-begun", "carried", "running"]
"""Of time around the clock: before the limit's start; counted, though another term held then; counted."""
TermOutcome = Literal["no-end", "replaced", "lapsed", "met", "running"]
WindowState = Literal["running", "met", "lapsed", "cancelled", "unknown"]


@dataclass(frozen=True, slots=True)
class Known:
    """An event of the case, and when it was recorded."""

    recorded: Recorded
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class EventNamed:
    """An event that decided something; other parts name it by its id."""

    event_id: Annotated[UUID, "Id of the event."]
    version: Annotated[int, "Number of the event in its case, from 1."]
    fact: Annotated[str, "Name of the fact, without topic and version."]
    happened_at: Annotated[datetime, "When it happened."]
    recorded_at: Annotated[datetime, "When it was recorded."]
    role: Annotated[str, "The role in which somebody acted."]
    channel: Annotated[str, "The channel over which it was told, as a code of the standard."]


@dataclass(frozen=True, slots=True)
class DayCounted:
    """One civil day of a limit in working days.

    ``number``: which working day of the limit it is, where it counts. ``name``: the holiday's, or the pause's reason.
    ``by``: the events that made it so, where it was not the calendar.
    """

    day: Annotated[date, "The civil day."]
    rule: Annotated[DayRule, "Why the day counts or does not, as a code."]
    number: Annotated[int | None, "Which working day of the limit it is, from 1; null where it does not count."]
    name: Annotated[
        str | None, "Name of the holiday, or why the clock stood, as a code; null where there is neither."
    ] = None
    by: Annotated[tuple[UUID, ...], "Ids of the events that made it so; empty where the calendar did."] = ()


@dataclass(frozen=True, slots=True)
class SpanCounted:
    """A stretch of a limit around the clock, and the events that begin it."""

    since: Annotated[datetime, "Beginning of the stretch."]
    until: Annotated[datetime, "End of the stretch."]
    rule: Annotated[
        SpanRule, "Why the stretch counts or does not: the limit had not begun, another term held, or it runs."
    ]
    counted: Annotated[bool, "Whether it counts."]
    by: Annotated[tuple[UUID, ...], "Ids of the events that begin the stretch."]


@dataclass(frozen=True, slots=True)
class CalendarStep:
    """What a version of the calendar made of the limit: ``due_at`` by counting, ``judged`` what is judged by."""

    calendar: Annotated[str, "Version of the calendar."]
    published_at: Annotated[datetime, "When that version was published."]
    due_at: Annotated[datetime, "The end of the limit by counting with that version."]
    judged: Annotated[datetime, "The end that is judged by: a revision never takes days away that were promised."]
    tentative: Annotated[bool, "Whether the end follows a calendar that is not published yet."]


@dataclass(frozen=True, slots=True)
class TermExplained:
    """A term of the window: from ``since`` until another replaced it, it ended at ``due_at`` (None: for ``reason`` it
    had no end).

    A limit in working days has ``working_days`` and ``days``, from its starting day to its end; one around the clock
    ``limit`` and ``spans``, from the window's opening to its end. What is counted of them adds up to the limit.
    ``overrun_until``: until when it stayed unmet after its end, or until when that is known.
    """

    since: Annotated[datetime, "From when on the term held."]
    replaced_at: Annotated[datetime | None, "When another term replaced it; null where none did."]
    due_at: Annotated[datetime | None, "End of the term; null where it had none."]
    tentative: Annotated[bool, "Whether the end follows a calendar that is not published yet."]
    reason: Annotated[str | None, "Why it had no end, as a code; null where it had one."]
    outcome: Annotated[
        TermOutcome, "What became of the term: it had no end, was replaced in time, lapsed, was met, or runs."
    ]
    by: Annotated[tuple[UUID, ...], "Ids of the events that decided it."]
    working_days: Annotated[
        int | None, "How many working days the limit has; null of a limit around the clock, and without an end."
    ] = None
    limit: Annotated[
        timedelta | None,
        "How long the limit is around the clock, as an ISO 8601 duration; null of one in working days and without end.",
    ] = None
    days: Annotated[
        tuple[DayCounted, ...],
        "Every civil day of a limit in working days, from its starting day to its end; empty of others.",
    ] = ()
    spans: Annotated[
        tuple[SpanCounted, ...],
        "The stretches of a limit around the clock, from the window's opening to its end; empty of others.",
    ] = ()
    calendars: Annotated[
        tuple[CalendarStep, ...], "What each version of the calendar made of a limit in working days; empty of others."
    ] = ()
    overrun_until: Annotated[
        datetime | None,
        "Until when it stayed unmet after its end, or until when that is known; null where it did not lapse.",
    ] = None


@dataclass(frozen=True, slots=True)
class OccurrenceCounted:
    """One of what a commitment counts, for example a trip; ``allowed`` False: one too many, a lapse."""

    at: Annotated[datetime, "When it happened."]
    by: Annotated[UUID, "Id of the event."]
    number: Annotated[int, "Which one it is, from 1."]
    allowed: Annotated[bool, "Whether it is within the promise; false: one too many, a lapse."]


@dataclass(frozen=True, slots=True)
class VerdictGiven:
    """What went on record about the window: what was said, when, and what it stood on. ``step`` of the ladder after a
    lapse; ``notify``: who is called; ``by``: who acknowledged."""

    event_id: Annotated[UUID, "Id of the event."]
    version: Annotated[int, "Number of the event in its case, from 1."]
    verdict: Annotated[str, "What was said about the window, as a code, for example opened, met or lapsed."]
    recorded_at: Annotated[datetime, "When it was recorded."]
    number: Annotated[int, "Number of the fact about the window, from 1."]
    due_at: Annotated[datetime | None, "When the limit ended by it; null where it had no end."]
    old_due_at: Annotated[datetime | None, "When the limit ended before; null where the fact moves no end."]
    met_at: Annotated[datetime | None, "When the promise was fulfilled; null where the fact does not say so."]
    on_time: Annotated[bool | None, "Whether it was fulfilled in time; null where the fact does not say so."]
    lapse: Annotated[int | None, "Number of the lapse in its window, from 1; null where the fact is about none."]
    rung: Annotated[str | None, "Code of the reminder; null where the fact is about none."]
    reason: Annotated[str | None, "Why, as a code; null where the fact gives no reason."]
    standard: Annotated[str, "Version of the standard that it follows."]
    calendar: Annotated[str | None, "Version of the calendar that it was counted by; null where no days are counted."]
    decided_by: Annotated[tuple[UUID, ...], "Ids of the events that decided it."]
    step: Annotated[str | None, "Code of the escalation level after a lapse; null where the fact is about none."] = None
    notify: Annotated[tuple[str, ...], "Roles that are told, as codes."] = ()
    by: Annotated[str | None, "Actor id of who took it in hand; null where nobody did by it."] = None
    provisional_until: Annotated[
        datetime | None,
        "Until when it counts, or had counted, as met provisionally; null where the fact says nothing of that.",
    ] = None


@dataclass(frozen=True, slots=True)
class WindowExplained:
    """One window of a case as it stood at ``as_of`` by what was known then.

    ``settles_at``: until then its verdict, kept or broken, is open. ``allowed`` and ``occurrences`` only of a
    commitment that is a count; ``terms`` of every other. ``events``: those that the parts name, in their order.
    """

    commitment: Annotated[str, "The promise's code, for example repair.arrival."]
    as_of: Annotated[datetime, "The instant of which this is told, by what was known then."]
    state: Annotated[
        WindowState,
        "Whether the limit ran, was met, lapsed, was cancelled, or is of imported history that nobody can judge.",
    ]
    opened_at: Annotated[datetime, "When the limit began."]
    due_at: Annotated[datetime | None, "When the limit ends; null where it has no end."]
    tentative: Annotated[bool, "Whether the end follows a calendar that is not published yet."]
    met_at: Annotated[datetime | None, "When the promise was fulfilled; null while it is not."]
    met_by: Annotated[tuple[UUID, ...], "Ids of the events that fulfilled the promise; empty while it is not."]
    on_time: Annotated[bool | None, "Whether it was fulfilled in time; null where it is not fulfilled, or had no end."]
    lapses: Annotated[tuple[datetime, ...], "The instants of the lapses that stand."]
    reason: Annotated[str | None, "Why no end is owed any longer, as a code; null where one is."]
    settles_at: Annotated[
        datetime | None,
        "Until then the verdict, met or lapsed, is open; null where none stands, or none is ever settled.",
    ]
    standard: Annotated[str, "Version of the standard that it follows."]
    calendar: Annotated[str | None, "Version of the calendar that it was counted by; null where no days are counted."]
    decided_by: Annotated[tuple[UUID, ...], "Ids of the events that decided it."]
    terms: Annotated[
        tuple[TermExplained, ...], "The terms that it had, one after the other; empty of a promise that is a count."
    ]
    allowed: Annotated[
        int | None, "How many are allowed by a promise that is a count, for example of trips; null of others."
    ]
    occurrences: Annotated[
        tuple[OccurrenceCounted, ...], "What a promise that is a count has counted; empty of others."
    ]
    verdicts: Annotated[tuple[VerdictGiven, ...], "What is on record about the window."]
    events: Annotated[tuple[EventNamed, ...], "The events that the parts name, in their order."]
    basis: Annotated[
        tuple[Citation, ...],
        "The articles of law that the promise and its counting rest on, as in force when the limit began; empty where "
        "it is the utility's own promise alone.",
    ] = ()
    provisional_until: Annotated[
        datetime | None,
        "Until then it counts as met, for evidence may still follow; null where it is met for good, or not at all.",
    ] = None


def explain_commitment(
    commitment: str,
    owed: Iterable[Obligation | CountPromise],
    ledger: WindowLedger,
    events: Sequence[Known],
    as_of: datetime,
    law: Law = NO_LAW,
) -> WindowExplained:
    """The case's window of ``commitment``, of all that it owes and has on record. ``law``: as it was published by then.
    Refuses ``no-such-window``."""
    obligations = {each.commitment: each for each in owed}
    if commitment in obligations:
        return explain(obligations[commitment], events, as_of, law)
    if commitment in ledger:
        return explain_no_longer_owed(commitment, ledger[commitment], events, as_of, law)
    raise NoSuchWindow(
        found="no such window of the case at that time",
        needed="one of " + (", ".join(sorted({*obligations, *ledger})) or "none: the case owed nothing by then"),
    )


def explain(
    obligation: Obligation | CountPromise, events: Sequence[Known], as_of: datetime, law: Law = NO_LAW
) -> WindowExplained:
    """The window of ``obligation`` as ``judge`` has it at ``as_of``, with its parts. ``events``: the case's, as known
    then."""
    if isinstance(obligation, Obligation):
        obligation = windows.in_force(obligation, as_of)
    window = judge(obligation, as_of)
    verdicts = tuple(_verdicts(events, obligation.commitment))
    terms: tuple[TermExplained, ...] = ()
    occurrences: tuple[OccurrenceCounted, ...] = ()
    allowed: int | None = None
    met_by: tuple[UUID, ...]
    if isinstance(obligation, CountPromise):
        allowed, occurrences = obligation.allowed, tuple(_occurrences(obligation, as_of))
        met_by = obligation.closed[1:] if obligation.closed is not None else ()
    else:
        terms, met_by = tuple(_terms(obligation, window, as_of)), obligation.met_by
    return WindowExplained(
        commitment=window.commitment,
        as_of=as_of,
        state=_state(window),
        opened_at=window.opened_at,
        due_at=window.due_at,
        tentative=window.tentative,
        met_at=window.met_at,
        met_by=met_by if window.met_at is not None else (),
        on_time=None if window.met_at is None or window.due_at is None else window.met_at <= window.due_at,
        lapses=window.lapses,
        reason=window.cancelled,
        settles_at=_settles_at(window),
        standard=window.basis.standard,
        calendar=window.basis.calendar,
        decided_by=window.basis.decided_by,
        terms=terms,
        allowed=allowed,
        occurrences=occurrences,
        verdicts=verdicts,
        events=_named(events, _mentioned(window.basis.decided_by, terms, occurrences, verdicts)),
        basis=cited(law, window.commitment, window.opened_at, in_days=any(term.days for term in terms)),
        provisional_until=window.provisional_until,
    )


def cited(law: Law, commitment: str, opened_at: datetime, *, in_days: bool) -> tuple[Citation, ...]:
    """The articles in force when a limit began that its promise rests on, and where it is counted in days (``in_days``)
    those of the counting."""
    on = local_date(opened_at)
    found = law.cited("promise", commitment, on)
    rules = ("day.start", "day.end") if in_days else ()
    return (*found, *(each for rule in rules for each in law.cited("rule", rule, on)))


def explain_no_longer_owed(
    commitment: str, known: OnRecord, events: Sequence[Known], as_of: datetime, law: Law = NO_LAW
) -> WindowExplained:
    """A window that is on record and that the facts, as they are known by now, do not give rise to any longer."""
    verdicts = tuple(_verdicts(events, commitment))
    return WindowExplained(
        commitment=commitment,
        as_of=as_of,
        state="cancelled",
        opened_at=known.opened_at,
        due_at=None,
        tentative=False,
        met_at=None,
        met_by=(),
        on_time=None,
        lapses=tuple(sorted(known.lapses)),
        reason=NO_LONGER_OWED,
        settles_at=None,
        standard=known.standard,
        calendar=known.calendar,
        decided_by=(),
        terms=(),
        allowed=None,
        occurrences=(),
        verdicts=verdicts,
        events=_named(events, _mentioned((), (), (), verdicts)),
        basis=cited(law, commitment, known.opened_at, in_days=False),
    )


def _settles_at(window: Window) -> datetime | None:
    """When the verdict that stands is settled."""
    decided_at = windows.decided(window.met_at, window.due_at, window.lapses)
    return window.settles_at(decided_at) if decided_at is not None and window.cancelled is None else None


def _state(window: Window) -> WindowState:
    if window.cancelled is not None:
        return "unknown" if window.cancelled == "unknown" else "cancelled"
    if window.met_at is not None:
        return "met"
    # A count has no end: each of its lapses stands by itself.
    return "lapsed" if window.lapses and window.due_at in (None, *window.lapses) else "running"


# ---- terms


def _terms(obligation: Obligation, window: Window, as_of: datetime) -> Iterator[TermExplained]:
    for term, following in zip_longest(obligation.terms, obligation.terms[1:]):
        outcome = _outcome(obligation, term, following, window)
        counted = term.counted if term.due_at is not None else None
        start = term.start or term.since
        yield TermExplained(
            since=term.since,
            replaced_at=following.since if following is not None else None,
            due_at=term.due_at,
            tentative=term.tentative,
            reason=term.reason if term.due_at is None else None,
            outcome=outcome,
            by=term.decided_by,
            working_days=counted.limit.days if counted is not None else None,
            limit=max(term.due_at - start, timedelta()) if term.due_at is not None and counted is None else None,
            days=tuple(_days(counted, term)) if counted is not None else (),
            spans=tuple(_spans(obligation, term)) if counted is None else (),
            calendars=tuple(_calendars(counted)) if counted is not None else (),
            overrun_until=_overrun(obligation, term, following, as_of) if outcome == "lapsed" else None,
        )


def _overrun(obligation: Obligation, term: Term, following: Term | None, as_of: datetime) -> datetime | None:
    """Until when a lapsed term is known to have stayed unmet; None at the very instant of its end."""
    ends = [obligation.met_at, following.since if following is not None else None, as_of]
    return min((end for end in ends if end is not None and term.due_at is not None and end > term.due_at), default=None)


def _outcome(obligation: Obligation, term: Term, following: Term | None, window: Window) -> TermOutcome:
    if term.due_at is None:
        return "no-end"
    met_at = obligation.met_at
    if met_at is not None and met_at <= term.due_at and (following is None or met_at <= following.since):
        return "met"
    if windows.is_replaced_in_time(term, following):
        return "replaced"
    return "lapsed" if term.due_at in window.lapses else "running"


# ---- working days


def _days(counted: End, term: Term) -> Iterator[DayCounted]:
    """Every civil day from the starting day to the end that is judged by."""
    found, calendar = counted.steps[-1].count, counted.steps[-1].version.calendar
    numbers = {day: number for number, day in enumerate(found.counted, start=1)}
    excuses = dict(zip(found.stood, found.excuses, strict=True))
    first, last = calendar.local(counted.limit.start).date(), calendar.local(found.due_at).date()
    begun, _ = received(counted.limit, calendar)
    yield DayCounted(first, "start", None, by=term.decided_by[:1])
    for day in _through(first + timedelta(days=1), calendar.local(counted.due_at).date()):
        if day == begun:
            yield DayCounted(day, "intake", None)
        elif day in excuses:
            yield DayCounted(day, "paused", None, excuses[day].reason, excuses[day].by)
        elif day in numbers:
            yield _worked(day, numbers[day], calendar, counted)
        elif calendar.is_working_day(day):
            # Only beyond the last day that counts: the revision's grace.
            assert day > last
            yield DayCounted(day, "grace", None)
        else:
            yield _off(day, calendar)


def _worked(day: date, number: int, calendar: Calendar, counted: End) -> DayCounted:
    standing = _standing(counted, day, calendar)
    if standing is not None:
        return DayCounted(day, "pause-used-up", number, standing.reason, standing.by)
    if counted.limit.unit == "civil":
        return DayCounted(day, "civil", number)
    if calendar.moved.get(day) is False:
        return DayCounted(day, "make-up", number, calendar.names.get(day))
    return DayCounted(day, "worked", number)


def _standing(counted: End, day: date, calendar: Calendar) -> ClockStop | None:
    closing = calendar.instant(day, counted.limit.close_of_business)
    return next((stop for stop in counted.limit.stops if stop.covers(closing)), None)


def _off(day: date, calendar: Calendar) -> DayCounted:
    if day in calendar.moved:
        return DayCounted(day, "holiday", None, calendar.names.get(day))
    return DayCounted(day, "weekend" if day.weekday() >= SATURDAY else "statutory", None)


def _through(first: date, last: date) -> Iterator[date]:
    for ahead in range((last - first).days + 1):
        yield first + timedelta(days=ahead)


def _calendars(counted: End) -> Iterator[CalendarStep]:
    for step in counted.steps:
        version, found = step.version, step.count
        yield CalendarStep(version.calendar.version, version.published_at, found.due_at, step.judged, found.tentative)


# ---- around the clock


def _spans(obligation: Obligation, term: Term) -> Iterator[SpanCounted]:
    """From the window's opening to the term's end, cut where a term begins; none where it ended before it began."""
    if term.due_at is None:
        return
    start = term.start or term.since
    begins = {start: term.decided_by[:1]}
    for each in obligation.terms:
        begins[each.since] = each.decided_by[-1:]
    begins.setdefault(obligation.opened_at, obligation.terms[0].decided_by[:1])
    cuts = sorted(at for at in begins if min(obligation.opened_at, start) <= at < term.due_at)
    for since, until in zip_longest(cuts, cuts[1:], fillvalue=term.due_at):
        rule: SpanRule = "not-begun" if since < start else "carried" if since < term.since else "running"
        yield SpanCounted(since, until, rule, since >= start, begins[since])


# ---- counts


def _occurrences(tally: CountPromise, as_of: datetime) -> Iterator[OccurrenceCounted]:
    for number, (at, by) in enumerate(tally.counted, start=1):
        if at <= as_of:
            yield OccurrenceCounted(at, by, number, number <= tally.allowed)


# ---- what is on record


def _verdicts(events: Iterable[Known], commitment: str) -> Iterator[VerdictGiven]:
    for known in events:
        if not isinstance(known.recorded.fact, windows.WINDOW_FACTS):
            continue
        fact = cast(WindowFact, known.recorded.fact)
        if fact.commitment != commitment:
            continue
        yield VerdictGiven(
            event_id=known.recorded.event_id,
            version=known.recorded.version,
            verdict=type(fact).__name__.removeprefix("Window").lower(),
            recorded_at=known.recorded_at,
            number=fact.number,
            due_at=fact.due_at,
            old_due_at=getattr(fact, "old_due_at", None),
            met_at=getattr(fact, "met_at", None),
            on_time=getattr(fact, "on_time", None),
            lapse=getattr(fact, "lapse", None),
            rung=getattr(fact, "rung", None),
            reason=getattr(fact, "reason", None) or getattr(fact, "cause", None),
            standard=fact.basis.standard,
            calendar=fact.basis.calendar,
            decided_by=fact.basis.decided_by,
            step=getattr(fact, "step", None),
            notify=getattr(fact, "notify", ()),
            by=getattr(fact, "by", None),
            provisional_until=getattr(fact, "provisional_until", None),
        )


def _mentioned(
    decided_by: Iterable[UUID],
    terms: Iterable[TermExplained],
    occurrences: Iterable[OccurrenceCounted],
    verdicts: Iterable[VerdictGiven],
) -> set[UUID]:
    found = {*decided_by, *(each.by for each in occurrences)}
    for term in terms:
        found.update(term.by, *(day.by for day in term.days), *(span.by for span in term.spans))
    for verdict in verdicts:
        found.update(verdict.decided_by)
    return found


def _named(events: Iterable[Known], wanted: set[UUID]) -> tuple[EventNamed, ...]:
    return tuple(
        EventNamed(
            event_id=known.recorded.event_id,
            version=known.recorded.version,
            fact=type(known.recorded.fact).__name__,
            happened_at=known.recorded.happened_at,
            recorded_at=known.recorded_at,
            role=known.recorded.role,
            channel=known.recorded.channel,
        )
        for known in events
        if known.recorded.event_id in wanted
    )

"""The time-limit engine: one pure ``judge`` for every promise, and the differences that a decision appends.

An ``Obligation`` says what the facts of a case, sorted by when they happened, make of one commitment: when its window
opened, which terms (due instants) held from when, and when it was met. ``judge`` turns it into a ``Window`` as it
stands at an instant. ``differences`` compares windows with the verdicts on record and gives the facts to append.
Nothing is ever erased: a lapse that falls away is retracted, a moved end is moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Annotated, Any, assert_never, get_args
from uuid import UUID

from domain.deadlines.limits import End
from domain.kernel.copies import changed
from domain.kernel.facts import CASE_TOPICS, fact
from domain.kernel.fields import NotifiedRoles, PromiseCode
from domain.kernel.frozen import frozen


@frozen
class Term:
    """From ``since`` on the window ends at ``due_at``; None means no end limit, for ``reason``.

    Only for whoever asks why: ``start`` is where the time was counted from, where not from ``since``; ``counted`` how
    the end was counted, where it is one in working days.
    """

    since: datetime
    due_at: datetime | None
    decided_by: tuple[UUID, ...]
    tentative: bool = False
    reason: str = "no-end-limit"
    start: datetime | None = None
    counted: End | None = None


@frozen
class ReminderAt:
    """A reminder before the end, at its instant."""

    reminder: str
    at: datetime
    notify: tuple[str, ...]


@frozen
class EscalationLevelAt:
    """An escalation level after the lapse at ``due_at``, at its instant."""

    due_at: datetime
    level: str
    at: datetime
    notify: tuple[str, ...]


@frozen
class Obligation:
    """One commitment of one case, from its facts. ``terms`` are in order of ``since`` and not empty. ``cause`` names
    what moves its end where neither start, standard nor calendar did; ``settles_after``: how long after its instant a
    verdict stays open (None: for ever). ``moot_from``: from then on nobody need act on it any more, though it is unmet
    (a crew's arrival, once the repair is done): its lapse stands, the ladder ends. ``until``: what met it counts
    provisionally, and from then on ``then`` is owed instead, if nothing more becomes known (an arrival whose evidence
    did not follow); both or neither are given."""

    commitment: str
    opened_at: datetime
    terms: tuple[Term, ...]
    met_at: datetime | None
    met_by: tuple[UUID, ...]
    standard: str
    calendar: str | None
    reminders: tuple[ReminderAt, ...] = ()
    notify_on_lapse: tuple[str, ...] = ()
    cause: str = "reclassified"
    settles_after: timedelta | None = None
    moot_from: datetime | None = None
    until: datetime | None = None
    then: Obligation | None = None


@frozen
class CountPromise:
    """A commitment that is a count, not a time: at most ``allowed`` of what is ``counted`` (instant and event, in
    order) until it is ``closed``. Each one too many is a lapse at its own instant. ``cancelled``: why it is owed no
    more."""

    commitment: str
    opened_at: datetime
    allowed: int
    counted: tuple[tuple[datetime, UUID], ...]
    closed: tuple[datetime, UUID] | None
    cancelled: str | None
    standard: str
    decided_by: tuple[UUID, ...]
    notify_on_lapse: tuple[str, ...] = ()
    settles_after: timedelta | None = None


@frozen
class Window:
    """The verdict on one commitment at an instant.

    ``lapses``: the due instants that ran out unmet, in order. ``due_at`` None: a count, or no end limit (any longer);
    ``cancelled`` says why in the second case. ``next_ask_at``: when the verdict can next change by the mere passing of
    time; None if it cannot. ``levels``: the escalation levels after a lapse that were reached. ``provisional_until``:
    from then on it is not met after all, if nothing more becomes known; None: it is met for good, or not at all.
    """

    commitment: str
    opened_at: datetime
    due_at: datetime | None
    tentative: bool
    met_at: datetime | None
    lapses: tuple[datetime, ...]
    passed: tuple[ReminderAt, ...]
    next_ask_at: datetime | None
    basis: Basis
    notify_on_lapse: tuple[str, ...] = ()
    cause: str = "reclassified"
    cancelled: str | None = None
    settles_after: timedelta | None = None
    levels: tuple[EscalationLevelAt, ...] = ()
    provisional_until: datetime | None = None

    def settles_at(self, decided_at: datetime) -> datetime | None:
        """When a verdict of ``decided_at`` (the meeting, or the end that ran out) is settled; None: never, or not while
        it is provisional."""
        if self.provisional_until is not None and decided_at == self.met_at:
            return None
        return decided_at + self.settles_after if self.settles_after is not None else None


def judge(obligation: Obligation | CountPromise, at: datetime) -> Window:
    """The window as it stands at ``at``.

    A term's end is a lapse when it was reached while the term held and nothing had met the commitment by then; meeting
    it at the very instant is in time. A term that a later one replaced before its end does not lapse; one replaced
    after its end stays lapsed, so no reassessment saves a broken promise.
    """
    if isinstance(obligation, CountPromise):
        return _tallied(obligation, at)
    obligation = in_force(obligation, at)
    last = obligation.terms[-1]
    due_at, met_at = last.due_at, obligation.met_at
    provisional_until = obligation.until if met_at is not None and due_at is not None else None
    ends = _unmet_ends(obligation)
    lapses = tuple([end for end in ends if end <= at])
    ahead = [end for end in ends if end > at]
    passed: tuple[ReminderAt, ...] = ()
    if due_at is not None and due_at not in lapses and (met_at is None or met_at > at):
        passed = tuple([mark for mark in obligation.reminders if mark.at <= at])
        ahead += [mark.at for mark in obligation.reminders if mark.at > at]
    if provisional_until is not None:
        ahead.append(provisional_until)
    return Window(
        commitment=obligation.commitment,
        opened_at=obligation.opened_at,
        due_at=due_at,
        tentative=last.tentative,
        met_at=met_at if due_at is not None else None,
        lapses=lapses,
        passed=passed,
        next_ask_at=min(ahead, default=None),
        basis=Basis(
            obligation.standard,
            obligation.calendar,
            last.decided_by + (obligation.met_by if met_at is not None else ()),
        ),
        notify_on_lapse=obligation.notify_on_lapse,
        cause=obligation.cause,
        cancelled=last.reason if due_at is None else None,
        settles_after=obligation.settles_after,
        provisional_until=provisional_until,
    )


def in_force(obligation: Obligation, at: datetime) -> Obligation:
    """What is owed as it stands at ``at``: without what counted until then only."""
    while obligation.until is not None and obligation.then is not None and obligation.until <= at:
        obligation = obligation.then
    return obligation


def _tallied(tally: CountPromise, at: datetime) -> Window:
    excess = [(when, by) for when, by in tally.counted[tally.allowed :] if when <= at]
    closed = tally.closed if not excess and tally.cancelled is None else None
    decided_by = tally.decided_by + tuple(by for _, by in excess) + ((closed[1],) if closed else ())
    return Window(
        commitment=tally.commitment,
        opened_at=tally.opened_at,
        due_at=None,
        tentative=False,
        met_at=closed[0] if closed else None,
        lapses=tuple(sorted({when for when, _ in excess})),
        passed=(),
        next_ask_at=None,
        basis=Basis(tally.standard, None, decided_by),
        notify_on_lapse=tally.notify_on_lapse,
        cancelled=tally.cancelled,
        settles_after=tally.settles_after,
    )


def _unmet_ends(obligation: Obligation) -> tuple[datetime, ...]:
    """Every end that lapses once it is reached, if nothing more becomes known; in order."""
    ends: set[datetime] = set()
    for term, following in zip_longest(obligation.terms, obligation.terms[1:]):
        if term.due_at is None:
            continue
        replaced_in_time = is_replaced_in_time(term, following)
        met_in_time = obligation.met_at is not None and obligation.met_at <= term.due_at
        if not replaced_in_time and not met_in_time:
            ends.add(term.due_at)
    return tuple(sorted(ends))


def is_replaced_in_time(term: Term, following: Term | None) -> bool:
    """Whether a later term took the place of this one before it ran out."""
    return following is not None and term.due_at is not None and following.since <= max(term.due_at, term.since)


# ---- the facts

FactNumber = Annotated[
    int,
    "Counts the facts about this window, that is about this commitment of this case: 1 for WindowOpened, then one more "
    "with each further Window… fact of whatever kind, without a gap; the fact with the highest number is the newest. "
    "It counts neither windows nor lapses.",
]
NewLapse = Annotated[
    int,
    "Counts the lapses of this window in the order in which they were recorded: 1, 2, 3 … A lapse that is retracted "
    "keeps its number, and no other lapse of the window is given it.",
]
LAPSE = "Which lapse of this window: the number that its WindowLapsed has in the field `lapse`."


@frozen
class Basis:
    """What a verdict stands on: standard and calendar version, and the ids of the events that decided it."""

    standard: Annotated[str, "Version of the standard that the verdict follows."]
    calendar: Annotated[str | None, "Version of the calendar that it follows; null where no day was counted."]
    decided_by: Annotated[tuple[UUID, ...], "Ids of the events that decided it."]


@fact("时限开始", "limit opened", topic=CASE_TOPICS)
class WindowOpened:
    """A limit of the case began to run: the utility now owes ``commitment`` by ``due_at`` (None: without end limit)."""

    commitment: PromiseCode
    number: FactNumber
    opened_at: Annotated[datetime, "When the window opened."]
    due_at: Annotated[datetime | None, "When it ends; null where it has no end limit."]
    tentative: Annotated[bool, "Whether the end follows a calendar that is not published yet."]
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]


@fact("时限变更", "limit moved", topic=CASE_TOPICS)
class WindowMoved:
    """The end of a running or lapsed limit is another one now; ``cause`` names why."""

    commitment: PromiseCode
    number: FactNumber
    opened_at: Annotated[datetime, "When the window opened."]
    old_due_at: Annotated[datetime | None, "The end before; null where there was none."]
    due_at: Annotated[datetime | None, "When it ends now; null where it has no end limit any longer."]
    tentative: Annotated[bool, "Whether the end follows a calendar that is not published yet."]
    cause: Annotated[
        str,
        "Why the end moved: start, standard, calendar, reclassified, pause, work-logged, extended, announced-anew or "
        "judged-anew.",
    ]
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]


@fact("承诺兑现", "promise met", topic=CASE_TOPICS)
class WindowMet:
    """The commitment was fulfilled at ``met_at``; ``on_time`` False where that was after its end (``due_at``; None for
    a commitment that is a count). ``settles_at``: until then a fact may be told by one person that changes it.
    ``provisional_until``: it counts as met until then, and for good only if what is wanting follows by then (the
    evidence of an arrival); it is then said again, without."""

    commitment: PromiseCode
    number: FactNumber
    due_at: Annotated[datetime | None, "When it ended or would have ended; null for a count."]
    met_at: Annotated[datetime, "When it was met."]
    on_time: Annotated[bool, "Whether it was met by its end."]
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]
    settles_at: Annotated[datetime | None, "When the verdict is settled; null: never, or not while provisional."] = None
    provisional_until: Annotated[
        datetime | None, "Until when it is met provisionally; null where it is met for good."
    ] = None


@fact("时限临近", "limit nearing", topic=CASE_TOPICS, on_breach_topic=True)
class WindowNearing:
    """A rung of the ladder before the end was reached; ``notify`` are the roles who must act."""

    commitment: PromiseCode
    number: FactNumber
    due_at: Annotated[datetime, "When it ends."]
    rung: Annotated[str, "Code of the reminder before the end."]
    notify: NotifiedRoles
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]


@fact("超时", "limit lapsed", topic=CASE_TOPICS, on_breach_topic=True)
class WindowLapsed:
    """The limit ran out unmet: an SLA breach. ``lapse`` counts the window's lapses, retracted ones included;
    ``notify`` are the roles who must act. ``settles_at``: until then a fact may be told by one person that takes it
    back; ``overturns``: a settled verdict, that the promise was met, falls with it. ``provisional_until``: what had
    met it counted until then only."""

    commitment: PromiseCode
    number: FactNumber
    lapse: NewLapse
    due_at: Annotated[datetime, "The end that ran out unmet."]
    notify: NotifiedRoles
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]
    settles_at: Annotated[datetime | None, "When the verdict is settled; null: never."] = None
    overturns: Annotated[bool, "Whether a settled verdict is overturned."] = False
    provisional_until: Annotated[
        datetime | None,
        "Until when it had counted as met provisionally, where it lapsed since that passed; null where it did not.",
    ] = None


@fact("超时撤回", "lapse retracted", topic=CASE_TOPICS, on_breach_topic=True)
class WindowRetracted:
    """A lapse on record fell away, because of what became known later. The lapse stays in the history. ``overturns``:
    it was settled already."""

    commitment: PromiseCode
    number: FactNumber
    lapse: Annotated[int, LAPSE]
    due_at: Annotated[datetime, "The end whose lapse fell away."]
    reason: Annotated[str, "Why the lapse fell away, as a code."]
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]
    overturns: Annotated[bool, "Whether a settled verdict is overturned."] = False


@fact("时限重启", "limit reopened", topic=CASE_TOPICS)
class WindowReopened:
    """A met (or cancelled) limit runs again, because what met it no longer stands. ``overturns``: that it was met was
    settled already."""

    commitment: PromiseCode
    number: FactNumber
    due_at: Annotated[datetime | None, "When it ends; null where it has no end limit."]
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]
    overturns: Annotated[bool, "Whether a settled verdict is overturned."] = False


@fact("时限取消", "limit cancelled", topic=CASE_TOPICS)
class WindowCancelled:
    """The limit has no end any longer (a major repair), or the case owes it no more."""

    commitment: PromiseCode
    number: FactNumber
    due_at: Annotated[datetime | None, "When it would have ended; null where it had no end."]
    reason: Annotated[str, "Why it is owed no more, as a code."]
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]


@fact("超时升级", "escalated", topic=CASE_TOPICS, on_breach_topic=True)
class WindowEscalated:
    """A step of the ladder after a lapse was reached, and nobody had acknowledged it; ``notify`` are the roles who must
    act now. ``lapse`` and ``due_at`` are the lapse's."""

    commitment: PromiseCode
    number: FactNumber
    lapse: Annotated[int, LAPSE]
    due_at: Annotated[datetime, "The end that ran out unmet."]
    step: Annotated[str, "Code of the escalation level."]
    notify: NotifiedRoles
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]


@fact("确认接手", "taken in hand", topic=CASE_TOPICS)
class WindowAcknowledged:
    """A named person (``by``, a staff id) took a lapse, or the rung of a ``nearing``, in hand. It ends the ladder of
    that lapse and takes no lapse back. Exactly one of ``lapse`` and ``rung`` says of what."""

    commitment: PromiseCode
    number: FactNumber
    lapse: Annotated[int | None, LAPSE + " Null where a rung is taken in hand."]
    rung: Annotated[str | None, "Code of the reminder that is taken in hand; null where a lapse is."]
    due_at: Annotated[datetime, "The end that the lapse or the reminder is of."]
    by: Annotated[str, "Actor id of who takes it in hand."]
    basis: Annotated[Basis, "What the verdict rests on: standard, calendar and events."]


WindowFact = (
    WindowOpened
    | WindowMoved
    | WindowMet
    | WindowNearing
    | WindowLapsed
    | WindowRetracted
    | WindowReopened
    | WindowCancelled
    | WindowEscalated
    | WindowAcknowledged
)
WINDOW_FACTS: tuple[type, ...] = get_args(WindowFact)


# ---- the verdicts on record


@frozen
class OnRecord:
    """One window as the events of the case have it so far. ``reason``: why it is cancelled, where it is. ``settles``:
    the instant of a verdict on record (its meeting, or an end that ran out) → when it is settled, where it ever is.
    ``neared``: reminders and the ends they were of; ``escalated``: lapses by number and the levels after them.
    ``acknowledged``: by whom, of lapses by number and of reminders by name, each with its end. ``provisional_until``:
    until when it counts as met, where that is provisional."""

    number: int
    opened_at: datetime
    due_at: datetime | None
    tentative: bool
    standard: str
    calendar: str | None
    met_at: datetime | None = None
    on_time: bool | None = None
    cancelled: bool = False
    reason: str | None = None
    lapses: Mapping[datetime, int] = field(default_factory=dict)
    lapse_count: int = 0
    neared: frozenset[tuple[str, datetime]] = frozenset()
    escalated: frozenset[tuple[int, str]] = frozenset()
    acknowledged: Mapping[tuple[int | str, datetime], str] = field(default_factory=dict)
    settles: Mapping[datetime, datetime] = field(default_factory=dict)
    provisional_until: datetime | None = None

    @property
    def settles_at(self) -> datetime | None:
        """When the verdict that stands is settled; None while there is none or it is provisional, and where it never
        is."""
        decided_at = decided(self.met_at, self.due_at, self.lapses)
        return self.settles.get(decided_at) if decided_at is not None and not self.cancelled else None

    def is_settled(self, decided_at: datetime | None, at: datetime | None) -> bool:
        """Whether the verdict on record of that instant is settled by ``at``."""
        settles_at = self.settles.get(decided_at) if decided_at is not None else None
        return settles_at is not None and at is not None and at > settles_at


def decided(met_at: datetime | None, due_at: datetime | None, lapses: Iterable[datetime]) -> datetime | None:
    """The instant of the verdict that stands: the meeting, else the end that ran out; None while there is none."""
    return met_at or max((lapse for lapse in lapses if due_at in (None, lapse)), default=None)


WindowLedger = Mapping[str, OnRecord]
"""Commitment → its window on record."""


def record(ledger: WindowLedger, fact: WindowFact) -> WindowLedger:
    """The ledger after a window fact. Never refuses: the highest number counts, an older one changes nothing."""
    known = ledger.get(fact.commitment)
    if known is not None and fact.number <= known.number:
        return ledger
    if isinstance(fact, WindowOpened):
        after = OnRecord(
            fact.number, fact.opened_at, fact.due_at, fact.tentative, fact.basis.standard, fact.basis.calendar
        )
    elif known is None:
        return ledger
    else:
        after = _recorded(known, fact)
    return {**ledger, fact.commitment: after}


def _recorded(known: OnRecord, fact: WindowFact) -> OnRecord:
    number = fact.number
    match fact:
        case WindowOpened():
            return known
        case WindowMoved():
            return changed(
                known,
                number=number,
                opened_at=fact.opened_at,
                due_at=fact.due_at,
                tentative=fact.tentative,
                standard=fact.basis.standard,
                calendar=fact.basis.calendar,
            )
        case WindowMet():
            basis = fact.basis
            return changed(
                known,
                number=number,
                met_at=fact.met_at,
                on_time=fact.on_time,
                standard=basis.standard,
                calendar=basis.calendar,
                settles=_settling(known, fact.met_at, fact.settles_at),
                provisional_until=fact.provisional_until,
            )
        case WindowNearing():
            return changed(known, number=number, neared=known.neared | {(fact.rung, fact.due_at)})
        case WindowLapsed():
            return changed(
                known,
                number=number,
                lapses={**known.lapses, fact.due_at: fact.lapse},
                lapse_count=fact.lapse,
                settles=_settling(known, fact.due_at, fact.settles_at),
            )
        case WindowRetracted():
            return changed(
                known, number=number, lapses={due: n for due, n in known.lapses.items() if due != fact.due_at}
            )
        case WindowReopened():
            return _unmet(known, number=number, cancelled=False, reason=None, due_at=fact.due_at)
        case WindowCancelled():
            return _unmet(known, number=number, cancelled=True, reason=fact.reason)
        case WindowEscalated():
            return changed(known, number=number, escalated=known.escalated | {(fact.lapse, fact.step)})
        case WindowAcknowledged():
            what = fact.lapse if fact.lapse is not None else fact.rung or ""
            return changed(known, number=number, acknowledged={**known.acknowledged, (what, fact.due_at): fact.by})
        case _:
            assert_never(fact)


def _unmet(known: OnRecord, **changes: Any) -> OnRecord:
    return changed(known, met_at=None, on_time=None, provisional_until=None, **changes)


def _settling(known: OnRecord, decided_at: datetime, settles_at: datetime | None) -> Mapping[datetime, datetime]:
    return known.settles if settles_at is None else {**known.settles, decided_at: settles_at}


def differences(ledger: WindowLedger, windows: Iterable[Window], at: datetime | None = None) -> tuple[WindowFact, ...]:
    """The facts that bring the verdicts on record to ``windows``; none where they agree already. By ``at`` it is told
    which of those verdicts are settled (None: none is)."""
    facts: list[WindowFact] = []
    computed = {window.commitment: window for window in windows}
    for commitment, window in computed.items():
        facts.extend(_Difference(ledger.get(commitment), window, at).facts())
    for commitment, known in ledger.items():
        if commitment not in computed:
            facts.extend(_no_longer_owed(commitment, known, at))
    return tuple(facts)


def overturned(facts: Iterable[WindowFact]) -> tuple[str, ...]:
    """The commitments whose settled verdict falls with these facts."""
    marked = (WindowLapsed, WindowRetracted, WindowReopened)
    return tuple(dict.fromkeys(fact.commitment for fact in facts if isinstance(fact, marked) and fact.overturns))


def _no_longer_owed(commitment: str, known: OnRecord, at: datetime | None) -> Iterator[WindowFact]:
    """What was never owed after all: nothing of it stands, no lapse and no end."""
    number, basis = known.number, Basis(known.standard, known.calendar, ())
    for due_at, lapse in sorted(known.lapses.items()):
        number += 1
        overturns = known.is_settled(due_at, at)
        yield WindowRetracted(commitment, number, lapse, due_at, NO_LONGER_OWED, basis, overturns)
    if not known.cancelled:
        yield WindowCancelled(commitment, number + 1, due_at=known.due_at, reason=NO_LONGER_OWED, basis=basis)


NOT_DUE_YET = "not-due-yet"
NO_LONGER_OWED = "no-longer-owed"
"""Why a verdict fell away with its window: by what became known later, the case never owed it."""


class _Difference:
    """One window against its record; numbers what it finds."""

    def __init__(self, known: OnRecord | None, window: Window, at: datetime | None) -> None:
        self._window = window
        self._known = known
        self._at = at
        self._facts: list[WindowFact] = []
        self._number = known.number if known is not None else 0

    def facts(self) -> list[WindowFact]:
        known = self._known or self._opened()
        self._ends(known)
        lapses = self._lapses(known)
        self._met(known)
        self._nearing(known)
        self._escalated(known, lapses)
        return self._facts

    def _say(self, fact: type[WindowFact], **what: Any) -> None:
        """A fact of this window with the next number and the window's basis."""
        self._number += 1
        window = self._window
        self._facts.append(fact(commitment=window.commitment, number=self._number, basis=window.basis, **what))

    def _opened(self) -> OnRecord:
        w = self._window
        self._say(WindowOpened, opened_at=w.opened_at, due_at=w.due_at, tentative=w.tentative)
        return OnRecord(self._number, w.opened_at, w.due_at, w.tentative, w.basis.standard, w.basis.calendar)

    def _ends(self, known: OnRecord) -> None:
        w = self._window
        if w.cancelled is not None:
            if not known.cancelled or known.reason != w.cancelled:
                self._say(WindowCancelled, due_at=None, reason=w.cancelled)
            return
        if known.cancelled:
            self._say(WindowReopened, due_at=w.due_at)
            known = changed(known, due_at=w.due_at)
        if (cause := _cause_of_move(known, w)) is not None:
            self._say(
                WindowMoved,
                opened_at=w.opened_at,
                old_due_at=known.due_at,
                due_at=w.due_at,
                tentative=w.tentative,
                cause=cause,
            )

    def _lapses(self, known: OnRecord) -> dict[datetime, int]:
        """Says which lapses fell away and which are new; the number of each that stands."""
        w = self._window
        if not known.lapses and not w.lapses:
            return {}
        for due_at, lapse in sorted(known.lapses.items()):
            if due_at not in w.lapses:
                overturns = known.is_settled(due_at, self._at)
                reason = _why_retracted(w, due_at)
                self._say(WindowRetracted, lapse=lapse, due_at=due_at, reason=reason, overturns=overturns)
        new = [due_at for due_at in w.lapses if due_at not in known.lapses]
        numbered = {due_at: lapse for lapse, due_at in enumerate(new, start=known.lapse_count + 1)}
        for due_at, lapse in numbered.items():
            self._say(
                WindowLapsed,
                lapse=lapse,
                due_at=due_at,
                notify=w.notify_on_lapse,
                settles_at=w.settles_at(due_at),
                overturns=known.is_settled(known.met_at, self._at),
                provisional_until=self._had_counted_until(known, due_at),
            )
        return {**known.lapses, **numbered}

    def _had_counted_until(self, known: OnRecord, due_at: datetime) -> datetime | None:
        """Until when it had counted as met, where this end is found to have run out by the mere passing of that."""
        until = known.provisional_until
        return until if until is not None and self._at is not None and due_at < until <= self._at else None

    def _met(self, known: OnRecord) -> None:
        w = self._window
        met_on_record = None if known.cancelled else known.met_at
        on_time = w.met_at is None or w.due_at is None or w.met_at <= w.due_at
        # An end that moved to the other side of the meeting is another verdict, too, and so is a provisional one.
        same = (w.met_at, w.provisional_until) == (met_on_record, known.provisional_until)
        same = same and known.on_time in (None, on_time)
        if same or w.cancelled is not None:
            return
        if w.met_at is None:
            self._say(WindowReopened, due_at=w.due_at, overturns=known.is_settled(met_on_record, self._at))
        else:
            self._say(
                WindowMet,
                due_at=w.due_at,
                met_at=w.met_at,
                on_time=on_time,
                settles_at=w.settles_at(w.met_at),
                provisional_until=w.provisional_until,
            )

    def _nearing(self, known: OnRecord) -> None:
        w = self._window
        for mark in w.passed:
            if (mark.reminder, w.due_at) not in known.neared:
                self._say(WindowNearing, due_at=w.due_at, rung=mark.reminder, notify=mark.notify)

    def _escalated(self, known: OnRecord, lapses: Mapping[datetime, int]) -> None:
        for each in self._window.levels:
            lapse = lapses[each.due_at]
            if (lapse, each.level) not in known.escalated:
                self._say(WindowEscalated, lapse=lapse, due_at=each.due_at, step=each.level, notify=each.notify)


def _why_retracted(window: Window, due_at: datetime) -> str:
    """Why a lapse on record is none. One that has still to come was recorded by a clock that was ahead."""
    if window.met_at is not None:
        return "met-in-time" if window.met_at <= due_at else "end-moved"
    return NOT_DUE_YET if window.due_at == due_at else "end-moved"


def _cause_of_move(known: OnRecord, window: Window) -> str | None:
    if known.opened_at != window.opened_at:
        return "start"
    if known.standard != window.basis.standard:
        return "standard"
    if known.calendar != window.basis.calendar:
        # Also where the end stays: every open window says which calendar it runs under.
        return "calendar"
    if known.due_at != window.due_at or known.tentative != window.tentative:
        return window.cause
    return None

"""What is to be done next about an incident, and by whom: for the screens of dispatchers, crews and the hotline.

The rule is asked about an ``Outline``, which is made of an incident in the store or of a row of a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from domain.kernel.facts import Moment
from domain.repairs.case import Repair
from domain.repairs.promises import ANSWER, ARRIVAL
from domain.standard.sections.repair import Severity
from domain.standard.standards import Standard

Action = Literal[
    "dispatch",
    "acknowledge",
    "arrive",
    "assess",
    "log-work",
    "complete",
    "restore",
    "supply-evidence",
    "answer",
    "apologise",
    "close",
]
ACTIONS: tuple[Action, ...] = (
    "dispatch",
    "acknowledge",
    "arrive",
    "assess",
    "log-work",
    "complete",
    "restore",
    "supply-evidence",
    "answer",
    "apologise",
    "close",
)


@dataclass(frozen=True, slots=True)
class NextAction:
    """An action, and the role whose it is first of all. (Who else may is the standard's to say.)"""

    action: Action
    role: str


# ---- what is known of an incident

MilestoneOf = Literal["acknowledgement", "arrival", "completion", "restoration", "dismissal"]


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something from the field that takes an incident further, and when it happened. ``rough``: known by its day only,
    or as over by then."""

    of: MilestoneOf
    at: datetime
    rough: bool = False


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who made a report of the incident: over which channel, whether an answer is owed, when the last one was given,
    and whether an apology was made."""

    report: int
    reported_at: datetime
    channel: str
    answer_owed: bool = True
    answered_at: datetime | None = None
    apologised: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """What a crew that is held up said: when, and when it expects to be on site."""

    crew: str
    told_at: datetime
    expected_at: datetime


@dataclass(frozen=True, slots=True)
class Outline:
    """An incident, as much of it as decides what is next. ``lapsed``: the promises of which a lapse stands.
    ``untold``: of imported history nobody can say whether its reporters were told. One that was merged has no
    reporters: they are the other incident's. ``evidence_due_at``: until when the evidence of the arrival may follow;
    None: nobody waits for any."""

    crew: str | None
    severity: Severity | None
    closed: bool
    merged: bool
    milestones: tuple[Milestone, ...]
    reporters: tuple[Reporter, ...]
    delays: tuple[Delay, ...]
    lapsed: frozenset[str]
    untold: bool
    evidence_due_at: datetime | None = None

    @property
    def first_reported_at(self) -> datetime | None:
        """When the earliest report was made; None of one that was merged."""
        return min((each.reported_at for each in self.reporters), default=None)


def outline(case: Repair) -> Outline:
    """The outline of an incident in the store."""
    answer, arrival = case.ledger.get(ANSWER), case.ledger.get(ARRIVAL)
    return Outline(
        crew=case.crew,
        severity=case.severity,
        closed=case.closed,
        merged=case.merged_into is not None,
        milestones=tuple(_milestones(case)),
        reporters=_reporters(case) if case.merged_into is None else (),
        delays=tuple(Delay(crew, moment.at, expected_at) for moment, crew, expected_at in case.delayed),
        lapsed=frozenset(commitment for commitment, window in case.ledger.items() if window.lapses),
        untold=answer is not None and answer.cancelled,
        evidence_due_at=arrival.provisional_until if arrival is not None else None,
    )


def _milestones(case: Repair) -> Iterator[Milestone]:
    told: tuple[tuple[MilestoneOf, tuple[Moment, ...]], ...] = (
        ("acknowledgement", case.acknowledged),
        ("arrival", case.arrived),
        ("completion", case.completed),
        ("restoration", case.restored),
        ("dismissal", case.dismissed),
    )
    for of, moments in told:
        yield from (Milestone(of, moment.at, moment.by in case.rough) for moment in moments)


def _reporters(case: Repair) -> tuple[Reporter, ...]:
    answered = {number: moment.at for number, moment in sorted(case.answered, key=lambda each: each[1])}
    apologised = {number for number, _ in case.apologised}
    return tuple(
        Reporter(
            each.number,
            each.moment.at,
            each.channel,
            each.answer_owed,
            answered.get(each.number),
            each.number in apologised,
        )
        for each in case.reported
        if each.number not in case.unlinked
    )


# ---- how far it has come


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an incident has come, in whatever order its facts came in. ``answered``: nobody who reported
    waits, or of imported history nobody can say. ``sorry``: somebody is owed an apology. ``unproven``: the arrival
    awaits its evidence."""

    crew: bool
    acknowledged: bool
    arrived: bool
    severity: Severity | None
    completed: bool
    restored: bool
    answered: bool
    closed: bool
    dismissed: bool = False
    sorry: bool = False
    unproven: bool = False


def progress(known: Outline, standard: Standard) -> Progress:
    """How far the incident has come; ``standard``: the one that governs it. What is said to have happened before the
    first report takes it nowhere."""
    known = _credible(known, standard.clock_tolerance)
    reached = {each.of for each in known.milestones}
    return Progress(
        crew=known.crew is not None,
        acknowledged="acknowledgement" in reached,
        arrived="arrival" in reached,
        severity=known.severity,
        completed="completion" in reached,
        restored="restoration" in reached,
        answered=known.merged or (_over_at(known) is not None and (known.untold or not waiting(known))),
        closed=known.closed,
        dismissed="dismissal" in reached,
        sorry=bool(sorry_for(known, standard)),
        unproven=known.evidence_due_at is not None,
    )


def _credible(known: Outline, tolerance: timedelta) -> Outline:
    """As ``case.credible`` has it."""
    first = known.first_reported_at
    if first is None:
        return known
    return replace(
        known,
        milestones=tuple(
            each
            for each in known.milestones
            if each.of == "acknowledgement" or each.rough or each.at >= first - tolerance
        ),
    )


def _over_at(known: Outline) -> datetime | None:
    """When it was first repaired, or found to need no repair of ours; None while it goes on."""
    return min((each.at for each in known.milestones if each.of in ("completion", "dismissal")), default=None)


def waiting(known: Outline) -> tuple[int, ...]:
    """The numbers of the reports whose makers were not told, since the incident was over, what became of it."""
    over_at = _over_at(known)
    return tuple(
        each.report
        for each in known.reporters
        if each.answer_owed and (over_at is None or each.answered_at is None or each.answered_at < over_at)
    )


def sorry_for(known: Outline, standard: Standard) -> tuple[int, ...]:
    """The numbers of the reports whose makers are owed an apology."""
    if known.lapsed.isdisjoint(standard.repair.apologies):
        return ()
    return tuple(
        each.report
        for each in known.reporters
        if each.answer_owed and not each.apologised and each.channel not in standard.repair.history_channels
    )


def expected_at(known: Outline) -> datetime | None:
    """When the crew that has the job said last that it expects to be on site; None where it said nothing, or is
    there."""
    said = [(each.told_at, each.expected_at) for each in known.delays if each.crew == known.crew]
    is_there = any(each.of == "arrival" for each in known.milestones)
    return max(said)[1] if said and not is_there else None


# ---- what is next


def next_actions(known: Progress) -> tuple[NextAction, ...]:
    """What is to be done next, the most urgent first. A step that was told out of its order is not asked for again.
    Whoever reported is owed an answer, and an apology, also where the file is closed; an arrival is owed its
    evidence."""
    owed: tuple[NextAction, ...] = (NextAction("supply-evidence", "crew"),) if known.unproven else ()
    owed += (NextAction("apologise", "hotline"),) if known.sorry else ()
    if known.closed:
        return owed if known.answered else (NextAction("answer", "hotline"), *owed)
    if known.completed or known.dismissed:
        return (*_once_over(known), *owed)
    return (*_under_way(known), *owed)


def _under_way(known: Progress) -> tuple[NextAction, ...]:
    if not known.crew:
        return (NextAction("dispatch", "dispatcher"),)
    if not known.arrived:
        step: Action = "arrive" if known.acknowledged else "acknowledge"
        return (NextAction(step, "crew"),)
    if known.severity is None:
        return (NextAction("assess", "crew"),)
    work = (NextAction("complete", "crew"),)
    return (NextAction("log-work", "crew"), *work) if known.severity == "major" else work


def _once_over(known: Progress) -> list[NextAction]:
    steps = []
    if known.completed and known.severity == "major" and not known.restored:
        steps.append(NextAction("restore", "crew"))
    if not known.answered:
        steps.append(NextAction("answer", "hotline"))
    return steps or [NextAction("close", "dispatcher")]

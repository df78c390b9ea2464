"""What is to be done next about an incident, and by whom: for the screens of dispatchers, crews and the hotline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from domain.repairs.apologies import sorry_for
from domain.repairs.case import Repair, credible
from domain.repairs.promises import ANSWER
from domain.standard.standards import Severity, Standard

Action = Literal[
    "dispatch", "acknowledge", "arrive", "assess", "log-work", "complete", "restore", "answer", "apologise", "close"
]
ACTIONS: tuple[Action, ...] = (
    "dispatch",
    "acknowledge",
    "arrive",
    "assess",
    "log-work",
    "complete",
    "restore",
    "answer",
    "apologise",
    "close",
)


@dataclass(frozen=True, slots=True)
class NextAction:
    """An action, and the role whose it is first of all. (Who else may is the standard's to say.)"""

    action: Action
    role: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an incident has come, in whatever order its facts came in. ``answered``: nobody who reported
    waits, or of imported history nobody can say. ``sorry``: somebody is owed an apology."""

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


def progress(case: Repair, standard: Standard) -> Progress:
    """How far the incident has come; ``standard``: the one that governs it. What is said to have happened before the
    first report takes it nowhere."""
    case = credible(case, standard.clock_tolerance)
    return Progress(
        crew=case.crew is not None,
        acknowledged=bool(case.acknowledged),
        arrived=bool(case.arrived),
        severity=case.severity,
        completed=bool(case.completed),
        restored=bool(case.restored),
        answered=case.merged_into is not None
        or (case.over is not None and (not waiting(case) or _cannot_be_told(case))),
        closed=case.closed,
        dismissed=bool(case.dismissed),
        sorry=bool(sorry_for(case, standard)),
    )


def _cannot_be_told(case: Repair) -> bool:
    answer = case.ledger.get(ANSWER)
    return answer is not None and answer.cancelled


def waiting(case: Repair) -> tuple[int, ...]:
    """The numbers of the reports whose makers were not told, since the incident was over, what became of it."""
    if case.merged_into is not None:
        return ()
    over = case.over
    told = {report for report, moment in case.answered if over is not None and moment.at >= over.at}
    return tuple(r.number for r in case.reported if r.number in case.answers_owed and r.number not in told)


def next_actions(known: Progress) -> tuple[NextAction, ...]:
    """What is to be done next, the most urgent first. A step that was told out of its order is not asked for again.
    Whoever reported is owed an answer, and an apology, also where the file is closed."""
    owed = (NextAction("apologise", "hotline"),) if known.sorry else ()
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

"""Every kind of stream: its family of published events, its fold, the promises it carries, what follows by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from domain import outages
from domain import repairs as repair
from domain.connections import applicants, automatic, case, consultations, preservice, promises
from domain.connections import facts as connection
from domain.crews import crews, squads
from domain.deadlines import calendar
from domain.deadlines.windows import FACTS as WINDOW_FACTS
from domain.deadlines.windows import (
    CountPromise,
    Obligation,
    Window,
    WindowFact,
    WindowLedger,
    differences,
    judge,
    record,
)
from domain.kernel.copies import changed
from domain.kernel.facts import EventToAppend, Recorded, registry
from domain.metering import abnormal_use as abnormal
from domain.metering import meters as usage
from domain.metering import reading_rounds as books
from domain.publication import generations, publishing, works
from domain.repairs import mass, orders
from domain.standard import alerts, fees
from domain.standard.escalation import climbed
from domain.standard.standards import Rules

State = Any
"""A kind's state class, or None before the first fact."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of stream.

    ``obligations`` is None for streams that promise nothing. ``consequences`` are the facts that follow from the state
    at an instant by rule, without anybody's command (None: none ever do); they are asked for again until none is left.
    ``opened_by``: the facts that a stream with promises begins with; they tell its kind from its first event.
    """

    name: str
    family: str
    evolve: Callable[[State, Recorded], State]
    obligations: Callable[[State, Rules], tuple[Obligation | CountPromise, ...]] | None = None
    consequences: Callable[[State, Rules, datetime], tuple[EventToAppend, ...]] | None = None
    opened_by: tuple[type, ...] = ()


REPAIR = Kind("repair", "repair", repair.evolve, repair.obligations, opened_by=(repair.FaultReported,))
CONNECTION = Kind(
    "connection",
    "connection",
    case.evolve,
    promises.obligations,
    automatic.consequences,
    opened_by=(connection.ApplicationReceived,),
)
ORDER = Kind("order", "repair", orders.evolve, orders.obligations, opened_by=orders.OPENED_BY)
METER = Kind("meter", "usage", usage.evolve)
USAGE = Kind(
    "usage",
    "usage",
    abnormal.evolve,
    abnormal.obligations,
    abnormal.consequences,
    opened_by=(abnormal.UsageAnomalyFound,),
)
BOOK = Kind(
    "book",
    "usage",
    books.evolve,
    books.obligations,
    books.consequences,
    opened_by=(books.ReadingRoundOpened,),
)
STANDARDS = Kind("standards", "public", publishing.evolve_standards)
CALENDAR = Kind("calendar", "public", publishing.evolve_calendar)
FEES = Kind("fees", "public", publishing.evolve_catalogues)
SQUAD = Kind("squad", "crew", squads.evolve)
CREW = Kind("crew", "crew", crews.evolve)
SQUAD_DAY = Kind("squad-day", "crew", squads.evolve_day)
APPLICANT = Kind("applicant", "office", applicants.evolve)
CONSULTATION = Kind("consultation", "connection", consultations.evolve)
PRESERVICE = Kind("preservice", "connection", preservice.evolve)
OUTAGE = Kind(
    "outage",
    "repair",
    outages.evolve,
    outages.obligations,
    opened_by=(outages.OutagePlanned, outages.EmergencyOutageBegan),
)
MASS = Kind("mass", "repair", mass.evolve)
WORK = Kind("work", "public", works.evolve)
GENERATIONS = Kind("generations", "public", generations.evolve)


def _own(facts: tuple[type, ...]) -> tuple[type, ...]:
    """A kind's facts without those of windows, which its family has already."""
    return tuple(fact for fact in facts if fact not in WINDOW_FACTS)


REGISTRY = registry(
    (
        ("repair", (*repair.FACTS, *mass.FACTS, *outages.FACTS, *_own(orders.FACTS), *alerts.FACTS)),
        ("connection", (*connection.FACTS, *consultations.FACTS, *preservice.FACTS, *alerts.FACTS)),
        ("usage", (*usage.FACTS, *abnormal.FACTS, *books.ROUND_FACTS, *alerts.FACTS)),
        ("public", (*publishing.STANDARD_FACTS, *calendar.FACTS, *fees.FACTS, *works.FACTS, *generations.FACTS)),
        ("crew", (*squads.FACTS, *crews.FACTS)),
        ("office", applicants.FACTS),
    )
)


PROMISING = (REPAIR, CONNECTION, ORDER, OUTAGE, USAGE, BOOK)
"""The kinds of case that owe something by a time: the window watch asks about them, and about no other."""

_OPENED_BY = {REGISTRY.names[kind.family, fact]: kind for kind in PROMISING for fact in kind.opened_by}
OPENERS = tuple(sorted(_OPENED_BY))
"""The public types of the events that a case with promises begins with."""


def opened_as(type_name: str) -> Kind | None:
    """The kind of case whose stream begins with an event of that public type; None where such a stream owes nothing."""
    return _OPENED_BY.get(type_name)


def folded(kind: Kind, recorded: Iterable[Recorded]) -> State:
    """The state after all facts of a stream: what ``evolve`` gives one after the other. Most facts of a case are its
    windows': they go into its ledger, and those that stand together change the case once."""
    state: State = None
    ledger: WindowLedger | None = None
    for each in recorded:
        if state is not None and kind.obligations is not None and isinstance(each.fact, WINDOW_FACTS):
            ledger = record(state.ledger if ledger is None else ledger, cast(WindowFact, each.fact))
            continue
        if ledger is not None:
            state, ledger = changed(state, ledger=ledger), None
        state = kind.evolve(state, each)
    return state if ledger is None else changed(state, ledger=ledger)


def follows(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    """The facts that follow by rule and are not on record; to be appended and asked for again until there are none."""
    if kind.consequences is None or state is None:
        return ()
    return kind.consequences(state, rules, at)


def windows(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[Window, ...]:
    """Every window of the case with its verdict at ``at``."""
    if kind.obligations is None:
        return ()
    return tuple(
        climbed(judge(owed, at), owed, state.ledger.get(owed.commitment) if state is not None else None, rules, at)
        for owed in kind.obligations(state, rules)
    )


def conclusion(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[WindowFact, ...]:
    """What every decision ends with: the facts that bring the verdicts on record up to ``at``."""
    return concluded(kind, state, windows(kind, state, rules, at), at) if state is not None else ()


def concluded(kind: Kind, state: State, found: Sequence[Window], at: datetime) -> tuple[WindowFact, ...]:
    """The facts that bring the verdicts on record to windows that were judged already, at ``at``."""
    if kind.obligations is None or state is None:
        return ()
    ledger: WindowLedger = state.ledger
    return differences(ledger, found, at)


def next_ask_at(kind: Kind, state: State, rules: Rules, at: datetime) -> dict[str, datetime]:
    """Commitment → when its verdict can next change by time alone; a commitment that cannot is left out."""
    return asks(windows(kind, state, rules, at))


def asks(found: Sequence[Window]) -> dict[str, datetime]:
    """The same, of windows that were judged already."""
    return {window.commitment: window.next_ask_at for window in found if window.next_ask_at is not None}

"""How a case stands, for whoever opens it: what is missing, what was promised, who acts next, which clock ran how long.

Pure: everything follows from the case, the rules and the instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.connections.automatic import missing
from domain.connections.case import Connection
from domain.connections.promises import papers_due_at, standard_of, water_on_end, water_on_limit
from domain.connections.requirements import requirements
from domain.deadlines.calendar import local_date
from domain.deadlines.limits import ClockStop, count, stood_for
from domain.kernel.facts import Moment
from domain.standard.powers import roles_with
from domain.standard.standards import Rules, Standard

UserStep = Literal["1", "2", "done", "stopped"]


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document that the applicant owes; ``since``: when it came in, None while it is not in."""

    code: str
    name_zh: str
    main: bool
    since: datetime | None


@dataclass(frozen=True, slots=True)
class FeeState:
    """One line of money, in fen; ``balance_fen`` below zero is to be refunded."""

    fee: str
    quoted_fen: int
    paid_fen: int
    refunded_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class NextAction:
    """What is to be done next, as the power that it needs, by whom first of all, and by whom else."""

    action: str
    role: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Gross: from receipt; net: from admission, without the pauses that count; both until water is on, or now.
    ``counted`` and ``stood``: working days of the limit so far that counted, or during which the clock stood."""

    gross: timedelta
    net: timedelta | None
    counted: int
    stood: int


@dataclass(frozen=True, slots=True)
class Promised:
    """Until when water was promised; tentative where a notice that is not out yet may move it."""

    at: datetime
    tentative: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """For whom the case waits, and what the clock of the working days does meanwhile: it ``runs``, it ``stands`` today
    (a pause or a stage that the standard does not count), or there is ``none``: nothing is promised until the applicant
    has done what the notice asked for."""

    whose: Literal["applicant", "utility"]
    clock: Literal["runs", "stands", "none"]


def user_step(case: Connection) -> UserStep:
    """Which of the two steps that the applicant sees: apply, sign, pay (1); install and water on (2)."""
    if case.all_on:
        return "done"
    if case.stopped is not None:
        return "stopped"
    return "2" if case.admitted is not None and _is_contracted(case) and case.is_paid else "1"


def stage(case: Connection) -> str:
    """How far the case has come: the furthest step that is on record, or how it stopped."""
    if case.stopped is not None and not case.all_on:
        return case.stopped.kind
    steps = (
        (case.all_on, "water_on"),
        (bool(case.on), "partly_on"),
        (case.inspected, "inspected"),
        (case.construction_completed is not None, "constructed"),
        (case.construction_started is not None, "under_construction"),
        (case.is_paid, "paid"),
        (case.contract is not None, "contracted"),
        (case.quote is not None, "quoted"),
        (case.design is not None, "designed"),
        (bool(case.surveys), "surveyed"),
        (case.admitted is not None, "admitted"),
        (case.notice is not None, "notice_given"),
    )
    return next((name for reached, name in steps if reached), "received")


def documents(case: Connection, rules: Rules) -> tuple[DocumentState, ...]:
    """Every document that the applicant owes, in the standard's order."""
    found = [(owed, case.supplied_since(owed.code)) for owed in requirements(case, rules)]
    return tuple(DocumentState(o.code, o.name_zh, o.main, since.at if since else None) for o, since in found)


def lacking(case: Connection, rules: Rules) -> tuple[str, ...]:
    """The documents that are not in."""
    return missing(case, standard_of(case, rules))


def fees(case: Connection) -> tuple[FeeState, ...]:
    """Every line that has a quote or money on it."""
    return tuple(
        FeeState(fee, case.quoted_fen(fee), case.paid_fen(fee), case.refunded_fen(fee), case.balance_fen(fee))
        for fee in case.fees
    )


def promised(case: Connection, rules: Rules) -> Promised | None:
    """The promised day; None where the case stopped, or waits for papers after its notice: nothing is promised then."""
    if case.stopped is not None or (case.admitted is None and case.notice is not None):
        return None
    found = water_on_end(case, rules)
    return Promised(found.due_at, found.tentative)


def papers_promised_until(case: Connection, rules: Rules) -> datetime | None:
    """Until when the applicant promised the outstanding papers."""
    return papers_due_at(case, standard_of(case, rules)) if case.commitment is not None else None


def times(case: Connection, rules: Rules, at: datetime) -> Times:
    """Gross and net time so far."""
    until = max(case.on.values()).at if case.all_on else at
    gross = until - case.received.at
    if case.admitted is None:
        return Times(gross, None, 0, 0)
    standard = standard_of(case, rules)
    limit = water_on_limit(case, standard, case.admitted.at)
    stops = [*limit.stops, *_interrupted(case)]
    net = until - case.admitted.at - stood_for(stops, case.admitted.at, until)
    days = count(limit, rules.calendars_of(standard)[-1].calendar)
    last = local_date(until)
    return Times(gross, net, sum(day <= last for day in days.counted), sum(day <= last for day in days.stood))


def _interrupted(case: Connection) -> list[ClockStop]:
    """A suspended case owes nothing, so its net time stands too."""
    return [
        ClockStop(stop.since.at, stop.until.at if stop.until else None, 0, (stop.since.by,))
        for stop in case.interruptions
    ]


# ---- whose turn it is

_APPLICANTS = frozenset({"supply-document", "promise-papers", "sign-contract", "pay"})
"""What only the applicant can do."""


def turn(case: Connection, rules: Rules, at: datetime) -> Turn | None:
    """Whose turn it is; None where the case stopped or every supply point has water.

    It is the applicant's once the utility can do nothing more without them. The clock runs on all the same: a standard
    that admits with a written promise of papers has a clock of its own on them, whose end is never later than ours and
    ends or suspends the case, so the utility does not lapse for the applicant's paper.
    """
    if case.stopped is not None or case.all_on:
        return None
    if case.admitted is None:
        return Turn("utility", "runs") if case.notice is None else Turn("applicant", "none")
    ours = {*_decisions(case), *_money(case), *_works(case)} - _APPLICANTS
    if lacking(case, rules):
        ours.discard("turn-water-on")
    standard = standard_of(case, rules)
    start = max([case.admitted, *(stop.until for stop in case.interruptions if stop.until is not None)]).at
    days = count(water_on_limit(case, standard, start), rules.calendars_of(standard)[-1].calendar)
    return Turn("utility" if ours else "applicant", "stands" if local_date(at) in days.stood else "runs")


# ---- who acts next


def next_actions(case: Connection, rules: Rules, at: datetime) -> tuple[NextAction, ...]:
    """What can be done now to bring the case on, the most pressing first; each with its role by the standard."""
    standard = rules.in_force(at)
    return tuple(_action(standard, power) for power in dict.fromkeys(_powers(case, rules)))


def _powers(case: Connection, rules: Rules) -> Iterator[str]:
    stop = case.stopped
    if stop is None and not case.all_on:
        yield from _papers(case, rules)
        yield from _decisions(case)
        yield from _money(case)
        yield from _works(case)
    elif stop is not None and case.commitment is not None and case.commitment.broken is not None:
        yield from _mending(case, rules, is_final=stop.final)
    if any(fee.balance_fen < 0 for fee in fees(case)) or (stop is not None and stop.final and _kept(case) > 0):
        yield "refund"


def _papers(case: Connection, rules: Rules) -> Iterator[str]:
    gone = lacking(case, rules)
    if gone and case.admitted is None and case.notice is None:
        yield "give-notice"
    if gone:
        yield "supply-document"
    deferrable = {one.code for one in requirements(case, rules) if not one.main}
    if set(gone) & deferrable and not (case.commitment or case.barred or case.declined_outstanding):
        yield "promise-papers"


def _decisions(case: Connection) -> Iterator[str]:
    if any(pause.is_pending for pause in case.pauses.values()):
        yield "approve-pause"
    if any(pause.counts and pause.ended is None for pause in case.pauses.values()):
        yield "end-pause"
    if any(visit.is_open for visit in case.visits.values()):
        yield "make-visit"


def _money(case: Connection) -> Iterator[str]:
    if case.quote is None:
        yield "quote"
    elif not _is_contracted(case):
        yield "sign-contract"
    elif not case.is_paid:
        yield "pay"


def _works(case: Connection) -> Iterator[str]:
    if case.design is None:
        yield "survey" if not case.feasible else "design"
    elif case.admitted is not None:
        yield from _building(case)


def _building(case: Connection) -> Iterator[str]:
    if case.construction_started is None:
        if _is_contracted(case) and case.is_paid:
            yield "construct"
    elif case.construction_completed is None:
        yield "construct"
    elif not case.inspected:
        yield "inspect"
    elif len(case.meters) < case.supply_points:
        yield "install-meter"
    elif _is_contracted(case) and case.is_paid:
        yield "turn-water-on"


def _mending(case: Connection, rules: Rules, *, is_final: bool) -> Iterator[str]:
    assert case.commitment is not None
    if any(paper in lacking(case, rules) for paper in case.commitment.promise.papers):
        yield "supply-document"
        return
    if case.commitment.repaired is None:
        yield "repair-commitment"
    if is_final:
        yield "resume"


def _kept(case: Connection) -> int:
    return sum(case.paid_fen(fee) - case.refunded_fen(fee) for fee in case.fees)


def _is_contracted(case: Connection) -> bool:
    return case.contract is not None and case.quote is not None and case.contract.quote == case.quote.quote


def _action(standard: Standard, power: str) -> NextAction:
    roles = roles_with(standard, f"connection.{power}")
    # The public is whoever has not said who they are: the applicant, when it is their turn.
    named = [role for role in roles if role != "public"]
    return NextAction(power, named[0] if named else "", tuple(roles))


def moment_at(moment: Moment | None) -> datetime | None:
    """When it happened; None where it did not."""
    return moment.at if moment is not None else None

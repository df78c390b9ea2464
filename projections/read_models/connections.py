"""Read model: one row for each water connection, with everything that the figures are counted from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.connections.promises import PAPERS, WATER_ON
from domain.deadlines.limits import ClockStop, stood_for
from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name
from projections.read_models.windows import required_time, time

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One application.

    ``promise``: none, made, kept, broken, repaired or void (the case stopped before it was due); ``declined``: the
    applicant does not want papers outstanding. ``outstanding``: how many papers were, at admission.

    Once water is on everywhere: ``gross_minutes`` from receipt, ``net_minutes`` from admission less the pauses that
    count and the time for which the case stood still, ``paused_minutes`` what the pauses took. ``on_time`` is the
    verdict on record; ``lapses`` are those of the working-day limit that stand, ``excess_trips`` the needless trips.
    ``stopped``: why nothing goes on. The amounts are fen, reversals taken off.

    ``pauses`` (number → pause), ``halts`` (since → until) and ``moved`` (payments and refunds by number → fen) are what
    the fold remembers for facts to come.
    """

    case_id: UUID
    case_number: str
    category: str
    channel: str
    desk: str | None
    owner: str | None
    supply_points: int
    points_on: int
    received_at: datetime
    notice_at: datetime | None
    admitted_at: datetime | None
    basis: str | None
    outstanding: int
    promise: str
    declined: bool
    appearances: int
    excess_trips: int
    visits_booked: int
    visits_made: int
    on_site_approval: bool
    paused_minutes: int | None
    last_on_at: datetime | None
    water_on_at: datetime | None
    gross_minutes: int | None
    net_minutes: int | None
    on_time: bool | None
    lapses: int
    stopped: str | None
    quoted_fen: int
    paid_fen: int
    refunded_fen: int
    charges_refused: int
    further_requests_refused: int
    deliverables: int
    position: int
    pauses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    halts: Mapping[str, str | None] = field(default_factory=dict)
    moved: Mapping[str, int] = field(default_factory=dict)


def fold(row: ConnectionRow | None, event: Event) -> ConnectionRow | None:
    """The application's row after the event; streams that are no applications have none."""
    name = fact_name(event)
    if name == "ApplicationReceived":
        return _received(event)
    if row is None:
        return None
    step = STEPS.get(name)
    if step is not None:
        row = _measured(step(row, event))
    return changed(row, position=event.position)


def _received(event: Event) -> ConnectionRow:
    data = event.data
    return ConnectionRow(
        case_id=event.case_id,
        case_number=data["case_number"],
        category=data["category"],
        channel=event.channel,
        desk=None,
        owner=None,
        supply_points=data["supply_points"],
        points_on=0,
        received_at=event.happened_at,
        notice_at=None,
        admitted_at=None,
        basis=None,
        outstanding=0,
        promise="none",
        declined=data.get("declined_outstanding", False),
        appearances=0,
        excess_trips=0,
        visits_booked=0,
        visits_made=0,
        on_site_approval=False,
        paused_minutes=None,
        last_on_at=None,
        water_on_at=None,
        gross_minutes=None,
        net_minutes=None,
        on_time=None,
        lapses=0,
        stopped=None,
        quoted_fen=0,
        paid_fen=0,
        refunded_fen=0,
        charges_refused=0,
        further_requests_refused=0,
        deliverables=0,
        position=event.position,
    )


# ---- times


def _measured(row: ConnectionRow) -> ConnectionRow:
    """Gross and net time, anew after each fact: a pause approved or revoked late changes what was counted before."""
    on_at = row.last_on_at if row.points_on >= row.supply_points else None
    if on_at is None or row.admitted_at is None:
        return changed(row, water_on_at=on_at, gross_minutes=None, net_minutes=None, paused_minutes=None)
    start, pauses = row.admitted_at, _pauses(row)
    halts = [_stop(since, until) for since, until in row.halts.items()]
    # Water that was on before it was applied for, or before the admission, was told by a wrong clock: it took no time.
    end = max(on_at, start)
    return changed(
        row,
        water_on_at=on_at,
        gross_minutes=max(on_at - row.received_at, timedelta(0)) // MINUTE,
        net_minutes=(end - start - stood_for([*pauses, *halts], start, end)) // MINUTE,
        paused_minutes=stood_for(pauses, start, end) // MINUTE,
    )


def _pauses(row: ConnectionRow) -> list[ClockStop]:
    counting = [pause for pause in row.pauses.values() if pause["approved"] and not pause["revoked"]]
    return [_stop(pause["since"], pause["ended"]) for pause in counting]


def _stop(since: str, until: str | None) -> ClockStop:
    return ClockStop(required_time(since), time(until), 0, ())


# ---- steps

RowStep = Callable[[ConnectionRow, Event], ConnectionRow]

AT = object()
"""Stands for the instant at which the fact happened."""


def _turned_on(row: ConnectionRow, event: Event) -> ConnectionRow:
    last = max(filter(None, (row.last_on_at, event.happened_at)))
    return changed(row, points_on=row.points_on + 1, last_on_at=last)


def _admitted(row: ConnectionRow, event: Event) -> ConnectionRow:
    data = event.data
    outstanding = len(data.get("outstanding", ()))
    return changed(row, admitted_at=event.happened_at, basis=data.get("basis", "office"), outstanding=outstanding)


def _pause(**changes: Any) -> RowStep:
    def step(row: ConnectionRow, event: Event) -> ConnectionRow:
        number = str(event.data["pause"])
        known = row.pauses.get(number)
        if known is None:
            return row
        values = {key: event.happened_at.isoformat() if value is AT else value for key, value in changes.items()}
        return changed(row, pauses={**row.pauses, number: {**known, **values}})

    return step


def _pause_requested(row: ConnectionRow, event: Event) -> ConnectionRow:
    pause = {
        "reason": event.data["reason"],
        "since": event.happened_at.isoformat(),
        "approved": False,
        "declined": False,
        "revoked": False,
        "ended": None,
    }
    return changed(row, pauses={**row.pauses, str(event.data["pause"]): pause})


def _money(kind: str, number: str, column: str) -> RowStep:
    def step(row: ConnectionRow, event: Event) -> ConnectionRow:
        amount = sum(line["amount_fen"] for line in event.data["lines"])
        moved = {**row.moved, f"{kind} {event.data[number]}": amount}
        return changed(row, moved=moved, **{column: getattr(row, column) + amount})

    return step


def _reversed(kind: str, number: str, column: str) -> RowStep:
    def step(row: ConnectionRow, event: Event) -> ConnectionRow:
        moved = dict(row.moved)
        amount = moved.pop(f"{kind} {event.data[number]}", 0)
        return changed(row, moved=moved, **{column: getattr(row, column) - amount})

    return step


def _count(column: str) -> RowStep:
    return lambda row, event: changed(row, **{column: getattr(row, column) + 1})


def _set(**values: Any) -> RowStep:
    return lambda row, event: changed(row, **values)


def _stopped(stop: str) -> RowStep:
    def step(row: ConnectionRow, event: Event) -> ConnectionRow:
        return changed(row, stopped=stop, halts={**row.halts, event.happened_at.isoformat(): None})

    return step


def _resumed(row: ConnectionRow, event: Event) -> ConnectionRow:
    until = event.happened_at.isoformat()
    return changed(row, stopped=None, halts={since: known or until for since, known in row.halts.items()})


def _window(row: ConnectionRow, event: Event) -> ConnectionRow:
    change, commitment = fact_name(event), event.data["commitment"]
    if commitment == PAPERS:
        return _promise_judged(row, change, event.data)
    counted = COUNTED.get(commitment)
    if counted is not None and change in LAPSES:
        row = changed(row, **{counted: getattr(row, counted) + LAPSES[change]})
    if commitment == WATER_ON and change in ("WindowMet", "WindowReopened", "WindowCancelled"):
        return changed(row, on_time=event.data["on_time"] if change == "WindowMet" else None)
    return row


COUNTED = {WATER_ON: "lapses", "connection.trips": "excess_trips"}
LAPSES = {"WindowLapsed": 1, "WindowRetracted": -1}


def _promise_judged(row: ConnectionRow, change: str, data: Mapping[str, Any]) -> ConnectionRow:
    match change, row.promise:
        case "WindowMet", "made" if data["on_time"]:
            return changed(row, promise="kept")
        case "WindowReopened", ("kept" | "void"):
            return changed(row, promise="made")
        case "WindowCancelled", "made":
            return changed(row, promise="void")
        case _:
            return row


def _upheld(row: ConnectionRow, event: Event) -> ConnectionRow:
    """It had been kept in time after all. The verdict on the window may have come before or comes with it."""
    return changed(row, promise="kept")


STEPS: dict[str, RowStep] = {
    "CaseRouted": lambda row, event: changed(row, desk=event.data["desk"], owner=event.data["owner"]),
    "OwnerReplaced": lambda row, event: changed(row, owner=event.data["owner"]),
    "ApplicantAppeared": _count("appearances"),
    "OneTimeNoticeGiven": lambda row, event: changed(row, notice_at=row.notice_at or event.happened_at),
    "FurtherRequestRefused": _count("further_requests_refused"),
    "PapersPromised": _set(promise="made"),
    "OutstandingDeclined": _set(declined=True),
    "PapersCommitmentBroken": _set(promise="broken"),
    "PapersCommitmentUpheld": _upheld,
    "PapersCommitmentRepaired": _set(promise="repaired"),
    "ApplicationAdmitted": _admitted,
    "ApplicationWithdrawn": _stopped("withdrawn"),
    "ApplicationRefused": _stopped("refused"),
    "CaseEnded": _stopped("ended"),
    "CaseSuspended": _stopped("suspended"),
    "CaseResumed": _resumed,
    "ApprovedOnSite": _set(on_site_approval=True),
    "WaterTurnedOn": _turned_on,
    "QuoteIssued": lambda row, event: changed(row, quoted_fen=sum(line["amount_fen"] for line in event.data["lines"])),
    "ChargeRefused": _count("charges_refused"),
    "PaymentReceived": _money("payment", "payment", "paid_fen"),
    "PaymentReversed": _reversed("payment", "payment", "paid_fen"),
    "RefundMade": _money("refund", "refund", "refunded_fen"),
    "RefundReversed": _reversed("refund", "refund", "refunded_fen"),
    "HomeVisitBooked": _count("visits_booked"),
    "HomeVisitMade": _count("visits_made"),
    "DeliverableSent": _count("deliverables"),
    "PauseRequested": _pause_requested,
    "PauseApproved": _pause(approved=True),
    "PauseDeclined": _pause(declined=True),
    "PauseEnded": _pause(ended=AT),
    "PauseRevoked": _pause(revoked=True),
    **dict.fromkeys(("WindowMet", "WindowLapsed", "WindowRetracted", "WindowReopened", "WindowCancelled"), _window),
}
"""What each fact changes. One that is not here changes nothing that is counted."""


CONNECTIONS = Model(
    name="connections",
    table="views.connections",
    row=ConnectionRow,
    key=("case_id",),
    topics=("connection",),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)

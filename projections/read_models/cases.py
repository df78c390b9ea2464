"""Read model: one row for each case that owes something by a time, as a screen lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import kinds
from domain.kernel.copies import changed
from domain.kernel.facts import DECLARED
from domain.outages.facts import BEGUN_AS
from domain.repairs.case import CREW_ELSEWHERE
from domain.repairs.outlook import MilestoneOf
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name


@dataclass(frozen=True, slots=True)
class CaseRow:
    """``family``: the kind of case. ``stage``: one of ``STAGES``, or why the case stands still (suspended) or is over
    (ended, withdrawn, refused).

    ``reached`` is how far it had come by then. ``flags`` counts what was odd about its field facts. ``quoted_fen`` and
    ``paid_fen`` are what the quote in force asks and what has come in, reversals not taken off: they only tell whether
    the case once got as far as `paid`. ``severity`` is the class that was seen last, ``first_severity`` the one seen
    first, whenever they were told; ``cell`` is the square that an incident lies in, ``mass`` the mass incident that it
    is tagged with. ``district``: of an outage, the first; ``districts`` are all of them. ``incident``: the one that an
    order came in about.

    ``milestones``, ``reporters`` and ``delays`` are what of an incident decides its next action, as
    ``domain.repairs.outlook`` asks for it; the instants in them are texts.
    """

    case_id: UUID
    family: str
    case_number: str
    kind: str | None
    category: str | None
    channel: str
    district: str | None
    zone: str | None
    crew: str | None
    severity: str | None
    stage: str
    open: bool
    opened_at: datetime
    supply_points: int
    points_on: int
    reports: int
    flags: int
    version: int
    position: int
    updated_at: datetime
    owner: str | None = None
    reached: str = ""
    quoted_fen: int = 0
    paid_fen: int = 0
    cell: str | None = None
    first_severity: str | None = None
    first_assessed_at: datetime | None = None
    last_assessed_at: datetime | None = None
    mass: str | None = None
    milestones: tuple[dict[str, Any], ...] = ()
    reporters: tuple[dict[str, Any], ...] = ()
    delays: tuple[dict[str, Any], ...] = ()
    incident: UUID | None = None
    districts: tuple[str, ...] = ()


STAGES: tuple[str, ...] = tuple(dict.fromkeys(stage for kind in kinds.PROMISING for stage in kind.stages))
"""The stages of every kind of case, each kind's in order."""
STOPS = frozenset(stop for kind in kinds.PROMISING for stop in kind.stops)
"""What a case is at instead of a stage while it stands still, or once it is over."""
STAGE_OF = {cls.__name__: declared.stage for cls, declared in DECLARED.items() if declared.stage is not None}
"""Fact → the stage that it takes its case to, as the rulebook declares it."""


RowStep = Callable[["CaseRow", dict[str, Any]], "CaseRow"]
"""The row after a fact, by the fact's data alone."""


def _forward(row: CaseRow, stage: str) -> CaseRow:
    """Field facts come in any order: a late arrival does not take a completed repair back to `on_site`."""
    if STAGES.index(stage) <= STAGES.index(row.reached):
        return row
    return changed(row, reached=stage, stage=row.stage if row.stage in STOPS else stage)


def _dispatched(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, crew=data["crew"])


def _without_crew(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, crew=None) if row.crew == data["crew"] else row


def _handed_over(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    if row.crew != data["from_crew"]:
        return row
    return changed(row, crew=None if CREW_ELSEWHERE in data["flags"] else data["to_crew"])


def _linked(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, reports=row.reports + 1)


def _unlinked(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, reports=row.reports - 1)


def _merged(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    """Its reports are counted where they are now."""
    return changed(row, stage="merged", open=False, crew=None, reports=0)


def _corrected(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, kind=data["new"]) if data["detail"] == "kind" else row


def _rejected(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    """As far as the incident has come by what still counts."""
    if row.stage == "merged" or row.reached == "dismissed" or (row.reached == "closed" and not data["reopens"]):
        return row
    steps = (
        ("restoration" in data["left"], "restored"),
        ("completion" in data["left"], "completed"),
        (row.severity is not None, "assessed"),
        ("arrival" in data["left"], "on_site"),
        (row.crew is not None, "dispatched"),
    )
    stage = next((stage for reached, stage in steps if reached), "reported")
    return changed(row, reached=stage, stage=stage, open=True)


def _over(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, open=False)


def _on(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    row = changed(row, points_on=row.points_on + 1)
    done = row.points_on >= row.supply_points
    return changed(_forward(row, "water_on" if done else "partly_on"), open=row.open and not done)


def _stopped(stop: str) -> RowStep:
    return lambda row, data: changed(row, stage=stop, open=stop == "suspended")


def _resumed(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, stage=row.reached, open=row.reached != "water_on")


def _quoted(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return changed(row, quoted_fen=_sum(data))


def _paid(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    row = changed(row, paid_fen=row.paid_fen + _sum(data))
    return _forward(row, "paid") if row.paid_fen >= row.quoted_fen > 0 else row


def _sum(data: dict[str, Any]) -> int:
    return sum(line["amount_fen"] for line in data["lines"])


def _inspected(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    return _forward(row, "inspected") if data["passed"] else row


def _released(row: CaseRow, data: dict[str, Any]) -> CaseRow:
    """Over: with its outcome, or because it was no anomaly after all."""
    stops = {"dismissed": "explained", "withdrawn": "withdrawn"}
    return changed(row, stage=stops.get(data["cause"], row.stage), open=False)


STEPS: dict[str, RowStep] = {
    "ReportLinked": _linked,
    "ReportUnlinked": _unlinked,
    "IncidentMerged": _merged,
    "CrewDispatched": _dispatched,
    "DispatchDeclined": _without_crew,
    "CrewWithdrawn": _without_crew,
    "ShiftHandedOver": _handed_over,
    "CaseClosed": _over,
    "DetailCorrected": _corrected,
    "EvidenceRejected": _rejected,
    "OrderReplied": _over,
    "OrderMoved": lambda row, data: changed(row, incident=UUID(data["case_id"])),
    "CaseRouted": lambda row, data: changed(row, owner=data["owner"]),
    "OwnerReplaced": lambda row, data: changed(row, owner=data["owner"]),
    "QuoteIssued": _quoted,
    "PaymentReceived": _paid,
    "FinalInspectionMade": _inspected,
    "WaterTurnedOn": _on,
    "ApplicationWithdrawn": _stopped("withdrawn"),
    "ApplicationRefused": _stopped("refused"),
    "CaseEnded": _stopped("ended"),
    "CaseSuspended": _stopped("suspended"),
    "CaseResumed": _resumed,
    "OutageCancelled": _stopped("cancelled"),
    # Water that went off all the same: the cancelled outage is one again.
    "OutageStarted": lambda row, data: changed(row, stage=row.reached, open=True),
    "OutageRestored": _over,
    "ReadingRoundCompleted": _over,
    # That a case of abnormal use is over, and that it is open again, is told by the hold of its reading.
    "ReadingReleased": _released,
    "ReadingHeld": lambda row, data: changed(row, stage=row.reached, open=True),
}


# ---- what decides the next action about an incident

EventStep = Callable[["CaseRow", Event], "CaseRow"]
"""The row after a fact, by its data, its time and its channel."""


def _assessed(row: CaseRow, event: Event) -> CaseRow:
    """Assessments come in any order: the first and the last are so by when the class was seen; of two at one instant
    the one told first is the first."""
    at, severity = event.happened_at, event.data["severity"]
    if row.first_assessed_at is None or at < row.first_assessed_at:
        row = changed(row, first_severity=severity, first_assessed_at=at)
    if row.last_assessed_at is None or at >= row.last_assessed_at:
        row = changed(row, severity=severity, last_assessed_at=at)
    return row


def _milestone(of: MilestoneOf) -> EventStep:
    def step(row: CaseRow, event: Event) -> CaseRow:
        rough = event.data.get("precision", "second") != "second"
        reached = {"of": of, "at": event.happened_at.isoformat(), "rough": rough, "event": str(event.id)}
        return changed(row, milestones=(*row.milestones, reached))

    return step


def _without_milestone(row: CaseRow, event: Event) -> CaseRow:
    left = tuple(each for each in row.milestones if each["event"] != event.data["rejects"])
    return changed(row, milestones=left)


def _reporter(row: CaseRow, event: Event) -> CaseRow:
    reporter = {
        "report": event.data.get("report", 1),
        "reported_at": event.happened_at.isoformat(),
        "channel": event.channel,
        "answer_owed": event.data.get("answer_owed", True),
        "answered_at": None,
        "apologised": False,
    }
    return changed(row, reporters=(*row.reporters, reporter))


def _without_reporter(row: CaseRow, event: Event) -> CaseRow:
    return changed(row, reporters=tuple(each for each in row.reporters if each["report"] != event.data["report"]))


def _answered(row: CaseRow, event: Event) -> CaseRow:
    """The last answer counts, whenever it was told."""

    def later(before: str | None) -> str:
        at = event.happened_at
        return (at if before is None else max(at, datetime.fromisoformat(before))).isoformat()

    return _about(row, event, lambda reporter: reporter | {"answered_at": later(reporter["answered_at"])})


def _apologised(row: CaseRow, event: Event) -> CaseRow:
    return _about(row, event, lambda reporter: reporter | {"apologised": True})


def _about(row: CaseRow, event: Event, change: Callable[[dict[str, Any]], dict[str, Any]]) -> CaseRow:
    report = event.data["report"]
    return changed(row, reporters=tuple(change(each) if each["report"] == report else each for each in row.reporters))


def _delayed(row: CaseRow, event: Event) -> CaseRow:
    delay = {
        "crew": event.data["crew"],
        "told_at": event.happened_at.isoformat(),
        "expected_at": event.data["expected_at"],
    }
    return changed(row, delays=(*row.delays, delay))


EVENT_STEPS: dict[str, EventStep] = {
    "FaultReported": _reporter,
    "ReportLinked": _reporter,
    "ReportUnlinked": _without_reporter,
    "IncidentMerged": lambda row, event: changed(row, reporters=()),
    "ReporterAnswered": _answered,
    "ApologyMade": _apologised,
    "CrewDelayed": _delayed,
    "SeverityAssessed": _assessed,
    "SeverityReassessed": _assessed,
    "DispatchAcknowledged": _milestone("acknowledgement"),
    "CrewArrived": _milestone("arrival"),
    "RepairCompleted": _milestone("completion"),
    "WaterRestored": _milestone("restoration"),
    "IncidentDismissed": _milestone("dismissal"),
    "EvidenceRejected": _without_milestone,
}


# ---- the row after an event

OPENED = {cls.__name__: kind.name for kind in kinds.PROMISING for cls in kind.opened_by}
"""What opens a case: its kind."""
KINDS = {fact.__name__: kind for fact, kind in BEGUN_AS.items()}


def fold(row: CaseRow | None, event: Event) -> CaseRow | None:
    """The case's row after the event."""
    name = fact_name(event)
    if name in OPENED:
        row = _opened(event, OPENED[name], STAGE_OF[name])
    elif row is None:
        return None
    else:
        if name in STAGE_OF:
            row = _forward(row, STAGE_OF[name])
        if name in STEPS:
            row = STEPS[name](row, event.data)
    if name in EVENT_STEPS:
        row = EVENT_STEPS[name](row, event)
    flags = row.flags + len(event.data.get("flags") or ())
    return changed(row, flags=flags, version=event.version, position=event.position, updated_at=event.recorded_at)


def _opened(event: Event, kind_of_case: str, first: str) -> CaseRow:
    data = event.data
    return CaseRow(
        case_id=event.case_id,
        family=kind_of_case,
        case_number=data["case_number"] if "case_number" in data else data["number"],
        kind=KINDS.get(fact_name(event)) or data.get("kind") or data.get("source"),
        category=data.get("category"),
        channel=event.channel,
        district=data["districts"][0] if kind_of_case == "outage" else data.get("district"),
        zone=data.get("zone"),
        crew=None,
        severity=None,
        stage=first,
        open=True,
        opened_at=event.happened_at,
        supply_points=data.get("supply_points", 0),
        points_on=0,
        reports=1 if kind_of_case == "repair" else 0,
        flags=0,
        version=event.version,
        position=event.position,
        updated_at=event.recorded_at,
        reached=first,
        cell=data.get("cell"),
        mass=data.get("mass"),
        incident=UUID(data["case_id"]) if kind_of_case == "order" else None,
        districts=tuple(data.get("districts") or filter(None, [data.get("district")])),
    )


CASES = Model(
    name="cases",
    table="views.cases",
    row=CaseRow,
    key=("case_id",),
    topics=("repair", "connection", "usage"),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)

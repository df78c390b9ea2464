"""The incident as its facts have it. Moments are kept as claimed, in no order: whoever judges sorts them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from domain.facts import Moment, Recorded
from domain.repair.facts import (
    CaseClosed,
    CrewArrived,
    CrewDispatched,
    CrewWithdrawn,
    DispatchAcknowledged,
    DispatchDeclined,
    FaultReported,
    OrderReference,
    PaidServiceConsented,
    PaidServiceStarted,
    RepairCompleted,
    ReporterAnswered,
    ReportLinked,
    ReportUnlinked,
    SeverityAssessed,
    SeverityReassessed,
    ShiftHandedOver,
    UserSideFound,
    WaterRestored,
    WorkLogged,
)
from domain.standards import Severity, Zone
from domain.subjects import Subject
from domain.windows import Ledger, WindowFact, record

CREW_ELSEWHERE = "crew-elsewhere"
"""The flag of a hand-over to a crew that is on another incident: it stays there, and this one has none."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report of the incident: its number, when it was made, who made it, and the outside order it came with."""

    number: int
    moment: Moment
    subject: Subject
    order: OrderReference | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """The incident as its facts have it. ``assessed`` holds reassessments too; ``logged`` shift hand-overs too."""

    number: str
    kind: str
    district: str
    zone: Zone
    reported: tuple[Report, ...]
    unlinked: frozenset[int] = frozenset()
    crew: str | None = None
    acknowledged: tuple[Moment, ...] = ()
    arrived: tuple[Moment, ...] = ()
    assessed: tuple[tuple[Moment, Severity], ...] = ()
    logged: tuple[Moment, ...] = ()
    user_side: tuple[Moment, ...] = ()
    consented: tuple[Moment, ...] = ()
    paid_service: bool = False
    completed: tuple[Moment, ...] = ()
    restored: tuple[Moment, ...] = ()
    answered: tuple[tuple[int, Moment], ...] = ()
    closed: bool = False
    mass: str | None = None
    ledger: Ledger = field(default_factory=dict)

    @property
    def reports(self) -> tuple[Moment, ...]:
        """When it was reported, by the reports that are of this incident; never empty."""
        return tuple(report.moment for report in self.reported if report.number not in self.unlinked)

    def report(self, number: int) -> Report | None:
        """The report of that number; None where there is none, or it was unlinked."""
        return next((r for r in self.reported if r.number == number and number not in self.unlinked), None)

    @property
    def severity(self) -> Severity | None:
        """The class by the assessment that happened last; None before the first."""
        return max(self.assessed)[1] if self.assessed else None


def evolve(case: Repair | None, recorded: Recorded) -> Repair | None:
    """The incident after a fact of its stream; never refuses."""
    fact = recorded.fact
    moment = Moment(recorded.happened_at, recorded.event_id)
    if isinstance(fact, FaultReported):
        first = Report(1, moment, fact.subject, fact.order)
        return Repair(fact.case_number, fact.kind, fact.district, fact.zone, (first,), mass=fact.mass)
    if case is None:
        return None
    if isinstance(fact, WindowFact):
        return replace(case, ledger=record(case.ledger, fact))
    return _happened(case, recorded, moment)


def _happened(case: Repair, recorded: Recorded, moment: Moment) -> Repair:
    match recorded.fact:
        case ReportLinked(number, subject) as linked:
            return replace(case, reported=(*case.reported, Report(number, moment, subject, linked.order)))
        case ReportUnlinked(number):
            return replace(case, unlinked=case.unlinked | {number})
        case CrewDispatched(crew):
            return replace(case, crew=crew)
        case DispatchDeclined(crew) | CrewWithdrawn(crew):
            return replace(case, crew=None) if case.crew == crew else case
        case DispatchAcknowledged():
            return replace(case, acknowledged=(*case.acknowledged, moment))
        case CrewArrived():
            return replace(case, arrived=(*case.arrived, moment))
        case SeverityAssessed(severity) | SeverityReassessed(severity):
            return replace(case, assessed=(*case.assessed, (moment, severity)))
        case WorkLogged():
            return replace(case, logged=(*case.logged, moment))
        case ShiftHandedOver(from_crew, to_crew, flags):
            taken_over = case.crew if case.crew != from_crew else None if CREW_ELSEWHERE in flags else to_crew
            return replace(case, logged=(*case.logged, moment), crew=taken_over)
        case UserSideFound():
            return replace(case, user_side=(*case.user_side, moment))
        case PaidServiceConsented():
            return replace(case, consented=(*case.consented, moment))
        case PaidServiceStarted():
            return replace(case, paid_service=True)
        case RepairCompleted():
            return replace(case, completed=(*case.completed, moment))
        case ReporterAnswered(report):
            return replace(case, answered=(*case.answered, (report, moment)))
        case WaterRestored():
            return replace(case, restored=(*case.restored, moment))
        case CaseClosed():
            return replace(case, closed=True)
        case _:
            return case

"""The incident as its facts have it. Moments are kept as claimed, in no order: whoever judges sorts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from uuid import UUID

from domain.deadlines.windows import WindowFact, WindowLedger, record
from domain.kernel.copies import changed
from domain.kernel.facts import Moment, Recorded
from domain.kernel.frozen import frozen
from domain.kernel.satisfaction import Given, SatisfactionGiven, given
from domain.kernel.subjects import Subject
from domain.repairs.facts import (
    AnswerFailed,
    AnswerOrdered,
    ApologyMade,
    ArrivalEvidenceSupplied,
    CaseClosed,
    CrewArrived,
    CrewDelayed,
    CrewDispatched,
    CrewWithdrawn,
    DetailCorrected,
    DispatchAcknowledged,
    DispatchDeclined,
    EvidenceRejected,
    FaultReported,
    IncidentDismissed,
    IncidentMerged,
    OrderReference,
    PaidServiceConsented,
    PaidServiceStarted,
    PipeIdentified,
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
from domain.standard.sections.common import Zone
from domain.standard.sections.repair import Severity
from domain.standard.standards import Precision

KIND = "kind"
"""The detail that every incident has from its first report on."""
CREW_ELSEWHERE = "crew-elsewhere"
"""The flag of a hand-over to a crew that is on another incident: it stays there, and this one has none."""


@frozen
class AnswerOrder:
    """An answer that the program was to give, by the event that says so."""

    by: UUID
    report: int
    way: str
    digest: str


@frozen
class Report:
    """One report of the incident: its number, when it was made, who made it, and the outside order it came with; over
    which channel it was told, how closely its time is known, over which way of the source's own (imported history
    only), and whether anybody is to be told what became of it."""

    number: int
    moment: Moment
    subject: Subject
    order: OrderReference | None = None
    channel: str = ""
    precision: Precision = "second"
    origin: str | None = None
    answer_owed: bool = True


@frozen
class Repair:
    """The incident as its facts have it. ``assessed`` holds reassessments too; ``logged`` shift hand-overs too.
    ``delayed``: when a crew said that it is held up, which one, and when it expects to be on site.

    ``told_by``: the event of an arrival, a completion or a restoration → who told it; ``rejected``: those that count no
    more. ``unproven``: the event of an arrival that was told without evidence → the channel over which it was told;
    ``proven_later``: arrivals whose evidence followed. ``rough``: completions and dismissals whose time is not known
    to the second. ``details``: what was told last
    of the fault and its pipe; no promise depends on it. ``merged_into``: the incident that it is the same burst as.
    """

    number: str
    kind: str
    district: str
    zone: Zone
    reported: tuple[Report, ...]
    unlinked: frozenset[int] = frozenset()
    crew: str | None = None
    delayed: tuple[tuple[Moment, str, datetime], ...] = ()
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
    apologised: tuple[tuple[int, Moment], ...] = ()
    ordered_answers: tuple[AnswerOrder, ...] = ()
    delivered_answers: frozenset[UUID] = frozenset()
    failed_answers: frozenset[UUID] = frozenset()
    told_by: Mapping[UUID, str] = field(default_factory=dict)
    rejected: frozenset[UUID] = frozenset()
    unproven: Mapping[UUID, str] = field(default_factory=dict)
    proven_later: frozenset[UUID] = frozenset()
    closed: bool = False
    dismissed: tuple[Moment, ...] = ()
    rough: Mapping[UUID, Precision] = field(default_factory=dict)
    details: Mapping[str, str | None] = field(default_factory=dict)
    mass: str | None = None
    merged_into: UUID | None = None
    satisfaction: Given = field(default_factory=dict)
    ledger: WindowLedger = field(default_factory=dict)

    @property
    def reports(self) -> tuple[Moment, ...]:
        """When it was reported, by the reports that are of this incident; never empty."""
        return tuple(report.moment for report in self.reported if report.number not in self.unlinked)

    @property
    def answers_owed(self) -> frozenset[int]:
        """The numbers of the reports whose makers are to be told what became of it."""
        return frozenset(each.number for each in self.reported if each.answer_owed) - self.unlinked

    @property
    def over(self) -> Moment | None:
        """When it was first repaired, or found to need no repair of ours; None while it goes on."""
        return min((*self.completed, *self.dismissed), default=None)

    def report(self, number: int) -> Report | None:
        """The report of that number; None where there is none, or it was unlinked."""
        return next((r for r in self.reported if r.number == number and number not in self.unlinked), None)

    @property
    def first_report(self) -> Report:
        """The earliest report that is of this incident."""
        if len(self.reported) == 1:
            return self.reported[0]
        return min((each for each in self.reported if each.number not in self.unlinked), key=lambda each: each.moment)

    @property
    def severity(self) -> Severity | None:
        """The class by the assessment that happened last; None before the first."""
        return max(self.assessed)[1] if self.assessed else None

    def detail(self, name: str) -> str | None:
        """What is known of a detail; None where nothing is."""
        if name not in self.details:
            return self.kind if name == KIND else None
        return self.details[name]


def credible(case: Repair, tolerance: timedelta) -> Repair:
    """The incident without what is said to have happened to it before anybody had reported it, by more than two clocks
    may differ (``tolerance``): such an arrival, completion, restoration or dismissal fulfils and ends nothing (our
    decision: a phone that runs wrong takes no lapse back). One that is known by its day only stays: what can be told
    of it is another rule's."""
    if not (case.arrived or case.completed or case.restored or case.dismissed):
        return case
    earliest = case.first_report.moment.at - tolerance
    doubted = {
        name: tuple(moment for moment in moments if moment.at >= earliest or moment.by in case.rough)
        for name, moments in _fulfilments(case).items()
        if any(moment.at < earliest for moment in moments)
    }
    return changed(case, **doubted) if doubted else case


def _fulfilments(case: Repair) -> dict[str, tuple[Moment, ...]]:
    return {
        "arrived": case.arrived,
        "completed": case.completed,
        "restored": case.restored,
        "dismissed": case.dismissed,
    }


def evolve(case: Repair | None, recorded: Recorded) -> Repair | None:
    """The incident after a fact of its stream; never refuses."""
    fact = recorded.fact
    moment = Moment(recorded.happened_at, recorded.event_id)
    if isinstance(fact, FaultReported):
        first = Report(1, moment, fact.subject, fact.order, recorded.channel, fact.precision, fact.origin)
        first = first if fact.answer_owed else changed(first, answer_owed=False)
        return Repair(fact.case_number, fact.kind, fact.district, fact.zone, (first,), mass=fact.mass)
    if case is None:
        return None
    if isinstance(fact, WindowFact):
        return changed(case, ledger=record(case.ledger, fact))
    if isinstance(fact, EvidenceRejected):
        return without(case, fact.rejects)
    if isinstance(fact, SatisfactionGiven):
        return changed(case, satisfaction=given(case.satisfaction, fact, moment.at))
    if isinstance(fact, CrewArrived | RepairCompleted | WaterRestored):
        if recorded.event_id in case.rejected:
            return case
        case = changed(case, told_by={**case.told_by, recorded.event_id: recorded.actor})
    return _happened(case, recorded, moment)


def _happened(case: Repair, recorded: Recorded, moment: Moment) -> Repair:
    match recorded.fact:
        case ReportLinked(number, subject) as linked:
            further = Report(number, moment, subject, linked.order, recorded.channel, linked.precision, linked.origin)
            further = further if linked.answer_owed else changed(further, answer_owed=False)
            return changed(case, reported=(*case.reported, further))
        case ReportUnlinked(number):
            return changed(case, unlinked=case.unlinked | {number})
        case IncidentMerged(into):
            return changed(case, merged_into=into, crew=None, closed=True)
        case CrewDispatched(crew):
            return changed(case, crew=crew)
        case DispatchDeclined(crew) | CrewWithdrawn(crew):
            return changed(case, crew=None) if case.crew == crew else case
        case CrewDelayed(crew, expected_at):
            return changed(case, delayed=(*case.delayed, (moment, crew, expected_at)))
        case DispatchAcknowledged():
            return changed(case, acknowledged=(*case.acknowledged, moment))
        case CrewArrived(evidence=evidence):
            told = {} if evidence is not None else {moment.by: recorded.channel}
            return changed(case, arrived=(*case.arrived, moment), unproven={**case.unproven, **told})
        case ArrivalEvidenceSupplied(arrival):
            return changed(case, proven_later=case.proven_later | {arrival})
        case SeverityAssessed(severity) | SeverityReassessed(severity):
            return changed(case, assessed=(*case.assessed, (moment, severity)))
        case WorkLogged():
            return changed(case, logged=(*case.logged, moment))
        case ShiftHandedOver(from_crew, to_crew, flags):
            taken_over = case.crew if case.crew != from_crew else None if CREW_ELSEWHERE in flags else to_crew
            return changed(case, logged=(*case.logged, moment), crew=taken_over)
        case UserSideFound():
            return changed(case, user_side=(*case.user_side, moment))
        case PaidServiceConsented():
            return changed(case, consented=(*case.consented, moment))
        case PaidServiceStarted():
            return changed(case, paid_service=True)
        case RepairCompleted(precision=precision):
            return changed(_roughly(case, moment, precision), completed=(*case.completed, moment))
        case IncidentDismissed(precision=precision):
            return changed(_roughly(case, moment, precision), dismissed=(*case.dismissed, moment))
        case PipeIdentified():
            return _detailed(case, pipe_details(recorded.fact))
        case DetailCorrected(detail, _, new):
            return _detailed(case, {detail: new})
        case ReporterAnswered(report) as answer:
            delivered = case.delivered_answers | ({answer.order} if answer.order is not None else set())
            return changed(case, answered=(*case.answered, (report, moment)), delivered_answers=delivered)
        case ApologyMade(report):
            return changed(case, apologised=(*case.apologised, (report, moment)))
        case AnswerOrdered(report, way, digest):
            order = AnswerOrder(recorded.event_id, report, way, digest)
            return changed(case, ordered_answers=(*case.ordered_answers, order))
        case AnswerFailed(_, order_id):
            return changed(case, failed_answers=case.failed_answers | {order_id})
        case WaterRestored():
            return changed(case, restored=(*case.restored, moment))
        case CaseClosed():
            return changed(case, closed=True)
        case _:
            return case


def without(case: Repair, rejected: UUID) -> Repair:
    """The incident without what was told in that event; open again where its end falls with it."""
    ends = {moment.by for moment in (*case.completed, *case.restored)}
    after = changed(
        case,
        rejected=case.rejected | {rejected},
        arrived=_others(case.arrived, rejected),
        completed=_others(case.completed, rejected),
        restored=_others(case.restored, rejected),
    )
    reopens = rejected in ends and not is_done(after) and case.merged_into is None
    return changed(after, closed=False) if reopens else after


def _others(moments: tuple[Moment, ...], without: UUID) -> tuple[Moment, ...]:
    return tuple(moment for moment in moments if moment.by != without)


def is_done(case: Repair) -> bool:
    """Whether nothing is left to do: dismissed, or repaired and, after a major repair, with water."""
    repaired = bool(case.completed) and (bool(case.restored) or case.severity != "major")
    return bool(case.dismissed) or repaired


def pipe_details(pipe: PipeIdentified) -> dict[str, str | None]:
    """What is said about the pipe, as details; what is not known is left out."""
    said = {"asset": pipe.asset, "material": pipe.material, "dn-mm": pipe.dn_mm, "laid-in": pipe.laid_in}
    return {name: str(value) for name, value in said.items() if value is not None}


def _detailed(case: Repair, said: Mapping[str, str | None]) -> Repair:
    return changed(case, details={**case.details, **said}, kind=said.get(KIND) or case.kind)


def _roughly(case: Repair, moment: Moment, precision: Precision) -> Repair:
    return case if precision == "second" else changed(case, rough={**case.rough, moment.by: precision})

"""The repair case: one incident, from its first report to water and a closed file.

Facts from the field (reports, acknowledgement, arrival, assessment, completion, restoration) are never refused for
their order; what is odd about them is flagged. Instructions (dispatch, close) may be refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.facts import Recorded
from domain.refusals import Refusal
from domain.standards import (
    Rules,
    Severity,
    Standard,
    Zone,
    district,
    require_known,
    require_not_future,
)
from domain.subjects import Subject
from domain.told import Told
from domain.windows import FACTS as WINDOW_FACTS
from domain.windows import Ledger, Obligation, RungAt, Term, WindowFact, record

ARRIVAL = "repair.arrival"
COMPLETION = "repair.completion"


# ---- facts


@dataclass(frozen=True, slots=True)
class FaultReported:
    """Somebody reported a fault and an incident was opened; the clock of its promises starts at ``happened_at``."""

    case_number: str
    kind: str
    district: str
    zone: Zone
    subject: Subject
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportLinked:
    """A further report of the same incident, number ``report`` (≥ 2); an earlier one starts the clock earlier."""

    report: int
    subject: Subject
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CrewDispatched:
    """The dispatcher sent a crew."""

    crew: str


@dataclass(frozen=True, slots=True)
class DispatchAcknowledged:
    """The crew confirmed that it is on its way."""

    crew: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrivalEvidence:
    """What proves an arrival. A fix inside the geofence or not, never coordinates; lengths in metres."""

    inside_geofence: bool
    distance_m: int
    accuracy_m: int
    photo_digest: str | None


@dataclass(frozen=True, slots=True)
class CrewArrived:
    """A crew is on site."""

    crew: str
    evidence: ArrivalEvidence | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeverityAssessed:
    """The repair's class as assessed on site: small 小修, medium 中修 or major 大修."""

    severity: Severity
    reason: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairCompleted:
    """The repair is done; meets the completion promise."""

    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaterRestored:
    """Water flows again for everybody that the incident cut off."""

    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseClosed:
    """The dispatcher closed the file."""


FieldFact = (
    FaultReported
    | ReportLinked
    | DispatchAcknowledged
    | CrewArrived
    | SeverityAssessed
    | RepairCompleted
    | WaterRestored
)
RepairFact = FieldFact | CrewDispatched | CaseClosed | WindowFact
FACTS: tuple[type, ...] = (
    FaultReported,
    ReportLinked,
    CrewDispatched,
    DispatchAcknowledged,
    CrewArrived,
    SeverityAssessed,
    RepairCompleted,
    WaterRestored,
    CaseClosed,
    *WINDOW_FACTS,
)


# ---- state


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """When something happened, and the event that says so; sorts by time, ties by event id."""

    at: datetime
    by: UUID


@dataclass(frozen=True, slots=True)
class Repair:
    """The incident as its facts have it."""

    number: str
    kind: str
    district: str
    zone: Zone
    reports: tuple[Moment, ...]
    crew: str | None = None
    acknowledged: tuple[Moment, ...] = ()
    arrived: tuple[Moment, ...] = ()
    assessed: tuple[tuple[Moment, Severity], ...] = ()
    completed: tuple[Moment, ...] = ()
    restored: tuple[Moment, ...] = ()
    closed: bool = False
    ledger: Ledger = field(default_factory=dict)

    @property
    def severity(self) -> Severity | None:
        """The class by the assessment that happened last; None before the first."""
        return max(self.assessed)[1] if self.assessed else None


def evolve(case: Repair | None, recorded: Recorded) -> Repair | None:
    """The incident after a fact of its stream; never refuses."""
    fact = recorded.fact
    moment = Moment(recorded.happened_at, recorded.event_id)
    if isinstance(fact, FaultReported):
        return Repair(fact.case_number, fact.kind, fact.district, fact.zone, reports=(moment,))
    if case is None:
        return None
    if isinstance(fact, WindowFact):
        return replace(case, ledger=record(case.ledger, fact))
    match fact:
        case ReportLinked():
            return replace(case, reports=(*case.reports, moment))
        case CrewDispatched(crew):
            return replace(case, crew=crew)
        case DispatchAcknowledged():
            return replace(case, acknowledged=(*case.acknowledged, moment))
        case CrewArrived():
            return replace(case, arrived=(*case.arrived, moment))
        case SeverityAssessed(severity):
            return replace(case, assessed=(*case.assessed, (moment, severity)))
        case RepairCompleted():
            return replace(case, completed=(*case.completed, moment))
        case WaterRestored():
            return replace(case, restored=(*case.restored, moment))
        case CaseClosed():
            return replace(case, closed=True)
        case _:
            return case


# ---- decisions


def report_fault(
    case: Repair | None, told: Told, *, case_number: str, kind: str, district_code: str, subject: Subject
) -> FaultReported:
    """Open an incident at its first report. Refuses unknown kinds and districts, and a case that exists."""
    require_not_future(told.standard, told.happened_at, told.at)
    if case is not None:
        raise Refusal(
            "case-exists",
            found=f"case {case.number}",
            needed="a new case",
            next_step="link the report to the incident instead",
            next_step_zh="请将该报修并入已有工单",
        )
    require_known("unknown-fault-kind", kind, told.standard.fault_kinds)
    zone = district(told.standard, district_code).zone
    return FaultReported(case_number, kind, district_code, zone, subject, _late(told))


def link_report(case: Repair | None, told: Told, *, subject: Subject) -> ReportLinked:
    """Take a further report of the same burst into the incident."""
    known = _known(case, told)
    return ReportLinked(len(known.reports) + 1, subject, _late(told) + _after_close(known))


def dispatch(case: Repair | None, *, crew: str) -> CrewDispatched:
    """Send a crew; another one than before takes the job over. Refuses on a finished incident and for the same crew."""
    known = _existing(case)
    _require_open(known)
    if known.completed:
        raise Refusal(
            "repair-completed",
            found=f"repair {known.number} is completed",
            needed="an incident that still needs a crew",
            next_step="report a new fault if water fails again",
            next_step_zh="抢修已完成；如再次停水请另行报修",
        )
    if known.crew == crew:
        raise Refusal(
            "already-dispatched",
            found=f"crew {crew} is on {known.number}",
            needed="a crew that is not on this incident yet",
            next_step="wait for its acknowledgement, or send another crew",
            next_step_zh="该班组已派，请等待接单或改派其他班组",
        )
    return CrewDispatched(crew)


def acknowledge(case: Repair | None, told: Told, *, crew: str) -> DispatchAcknowledged:
    """The crew confirms the job."""
    known = _known(case, told)
    return DispatchAcknowledged(crew, _field_flags(known, told, crew=crew, before=known.acknowledged))


def arrive(case: Repair | None, told: Told, *, crew: str, evidence: ArrivalEvidence | None) -> CrewArrived:
    """The crew is on site; without evidence, or from outside the geofence, it counts and is flagged."""
    known = _known(case, told)
    flags = _field_flags(known, told, crew=crew, before=known.arrived)
    if evidence is None:
        flags += ("no-evidence",)
    elif not evidence.inside_geofence:
        flags += ("outside-geofence",)
    return CrewArrived(crew, evidence, flags)


def assess(case: Repair | None, told: Told, *, severity: Severity, reason: str) -> SeverityAssessed:
    """Class the repair. A later class moves the end of the limit; it never saves one that has lapsed."""
    known = _known(case, told)
    flags = _field_flags(known, told, crew=None, before=())
    if not known.arrived:
        flags += ("before-arrival",)
    return SeverityAssessed(severity, reason, flags)


def complete(case: Repair | None, told: Told) -> RepairCompleted:
    """The repair is done."""
    known = _known(case, told)
    flags = _field_flags(known, told, crew=None, before=known.completed)
    if not known.arrived:
        flags += ("before-arrival",)
    return RepairCompleted(flags)


def restore_water(case: Repair | None, told: Told) -> WaterRestored:
    """Water flows again."""
    known = _known(case, told)
    return WaterRestored(_field_flags(known, told, crew=None, before=known.restored))


def close(case: Repair | None) -> CaseClosed:
    """Close the file. Refuses while the repair is open, and for a major repair until water is restored."""
    known = _existing(case)
    _require_open(known)
    if not known.completed:
        raise Refusal(
            "repair-not-completed",
            found=f"repair {known.number} without completion",
            needed="a completed repair",
            next_step="record the completion first",
            next_step_zh="请先登记修复完成",
        )
    if known.severity == "major" and not known.restored:
        raise Refusal(
            "water-not-restored",
            found=f"major repair {known.number} without restored water",
            needed="water restored",
            next_step="record that water flows again first",
            next_step_zh="大修须先登记恢复供水",
        )
    return CaseClosed()


# ---- the promises of an incident


def obligations(case: Repair | None, rules: Rules) -> tuple[Obligation, ...]:
    """Arrival and completion, from the first report (our strict reading of the published promises)."""
    if case is None:
        return ()
    first = min(case.reports)
    standard = rules.in_force(first.at)
    return (_arrival(case, first, standard), _completion(case, first, standard))


def _arrival(case: Repair, first: Moment, standard: Standard) -> Obligation:
    due_at = first.at + timedelta(minutes=standard.arrival_minutes[case.zone])
    met = min(case.arrived, default=None)
    return Obligation(
        commitment=ARRIVAL,
        opened_at=first.at,
        terms=(Term(first.at, due_at, (first.by,)),),
        met_at=met.at if met else None,
        met_by=(met.by,) if met else (),
        standard=standard.version,
        calendar=None,
        rungs=_rungs(standard, ARRIVAL, first.at, due_at, min(case.acknowledged, default=None)),
        notify_on_lapse=standard.notify_on_lapse.get(ARRIVAL, ()),
    )


def _completion(case: Repair, first: Moment, standard: Standard) -> Obligation:
    terms = [_term(first, first, standard.completion_minutes[standard.unassessed_as])]
    terms += [_term(first, moment, standard.completion_minutes[severity]) for moment, severity in sorted(case.assessed)]
    met = min(case.completed, default=None)
    due_at = terms[-1].due_at
    return Obligation(
        commitment=COMPLETION,
        opened_at=first.at,
        terms=tuple(terms),
        met_at=met.at if met else None,
        met_by=(met.by,) if met else (),
        standard=standard.version,
        calendar=None,
        rungs=_rungs(standard, COMPLETION, first.at, due_at, None) if due_at else (),
        notify_on_lapse=standard.notify_on_lapse.get(COMPLETION, ()),
    )


def _term(first: Moment, since: Moment, minutes: int | None) -> Term:
    due_at = None if minutes is None else first.at + timedelta(minutes=minutes)
    decided_by = (first.by,) if since == first else (first.by, since.by)
    return Term(max(since.at, first.at), due_at, decided_by)


def _rungs(
    standard: Standard, commitment: str, start: datetime, due_at: datetime, acknowledged: Moment | None
) -> tuple[RungAt, ...]:
    rungs = []
    for rung in standard.ladders.get(commitment, ()):
        if rung.minutes is not None:
            at = start + timedelta(minutes=rung.minutes)
        else:
            at = start + (due_at - start) * (rung.percent or 0) / 100
        if rung.unless_acknowledged and acknowledged is not None and acknowledged.at <= at:
            continue
        rungs.append(RungAt(rung.name, at, rung.notify))
    return tuple(rungs)


# ---- helpers


def _existing(case: Repair | None) -> Repair:
    if case is None:
        raise no_such_case()
    return case


def no_such_case() -> Refusal:
    return Refusal(
        "no-such-case",
        found="no repair case with this id",
        needed="the id of a reported incident",
        next_step="look the case up by its number",
        next_step_zh="请按工单号查询",
    )


def _known(case: Repair | None, told: Told) -> Repair:
    known = _existing(case)
    require_not_future(told.standard, told.happened_at, told.at)
    return known


def _require_open(case: Repair) -> None:
    if case.closed:
        raise Refusal(
            "case-closed",
            found=f"repair {case.number} is closed",
            needed="an open case",
            next_step="report a new fault",
            next_step_zh="工单已关闭，请另行报修",
        )


def _late(told: Told) -> tuple[str, ...]:
    return ("backdated",) if told.is_late else ()


def _after_close(case: Repair) -> tuple[str, ...]:
    return ("after-close",) if case.closed else ()


def _field_flags(case: Repair, told: Told, *, crew: str | None, before: tuple[Moment, ...]) -> tuple[str, ...]:
    flags = _late(told) + _after_close(case)
    if crew is not None and crew != case.crew:
        flags += ("not-the-dispatched-crew",)
    if told.happened_at < min(case.reports).at:
        flags += ("before-first-report",)
    if before:
        flags += ("repeated",)
    return flags

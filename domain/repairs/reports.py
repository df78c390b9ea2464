"""Reports: the first one opens the incident, further ones of the same burst are linked; a wrong link is undone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.kernel.facts import Recorded
from domain.kernel.refusals import CaseExists, UnknownFaultKind
from domain.kernel.subjects import Subject
from domain.repairs.case import Repair, Report, evolve
from domain.repairs.checks import (
    UNRECORDED,
    eases_late,
    from_the_field,
    known_to,
    late,
    require_credible,
    require_open,
    require_other_person,
    require_unmerged,
)
from domain.repairs.dismissal import require_undismissed
from domain.repairs.facts import FaultReported, IncidentMerged, OrderReference, ReportLinked, ReportUnlinked
from domain.repairs.imported import require_import_fields
from domain.repairs.refusals import FirstReport, NoSuchReport, SameIncident, WorkBegun
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import Precision, Standard, district
from domain.standard.values import require_known

Contact = Literal["known", "unclear", "none"]
"""What we know of how whoever reported can be told: a number; something that nobody could read as one; nothing."""


REPORTERS = ("public", "applicant")
"""The roles of who reports on their own: when we received it is when it was reported, where their clock runs wrong."""
CLOCK_DOUBTED = "clock-doubted"
"""The flag of such a report."""


def as_received(ctx: CommandContext) -> CommandContext:
    """The context with the time at which a report counts as made. A phone of the public whose clock is further back
    than its channel allows, or ahead, costs nobody the report: it counts from when it comes in (our decision; there is
    no second person whom the public could ask)."""
    taken_down = ctx.reported_at if ctx.reported_at is not None else ctx.happened_at
    is_ahead = max(ctx.happened_at, taken_down) > ctx.at + ctx.standard.clock_tolerance
    is_wrong = ctx.is_late or is_ahead or taken_down < ctx.happened_at
    return replace(ctx, happened_at=ctx.at, reported_at=None) if is_wrong and ctx.by.role in REPORTERS else ctx


def report_fault(
    case: Repair | None,
    ctx: CommandContext,
    *,
    case_number: str,
    kind: str,
    district_code: str,
    subject: Subject,
    mass: str | None = None,
    order: OrderReference | None = None,
    cell: str | None = None,
    precision: Precision = "second",
    origin: str | None = None,
    contact: Contact = "known",
    clock_doubted: bool = False,
) -> FaultReported:
    """Open an incident at its first report; ``order``: that it came with, ``cell``: where it lies, coarsely;
    ``clock_doubted``: another time was claimed for it (``as_received``).

    Refuses ``future-time``, ``second-person-needed``, ``case-exists``, ``unknown-fault-kind``, ``unknown-district``,
    ``bad-precision``, ``unknown-origin``.
    """
    require_credible(ctx)
    require_import_fields(ctx, precision, origin)
    if case is not None:
        raise CaseExists(
            found=f"case {case.number}",
            needed="a new case",
            next_step="link the report to the incident instead",
            next_step_zh="请将该报修并入已有工单",
        )
    require_known(UnknownFaultKind, kind, ctx.standard.repair.fault_kinds)
    zone = district(ctx.standard, district_code).zone
    confirmed_by = ctx.confirmed_by if ctx.is_late else None
    return FaultReported(
        case_number,
        kind,
        district_code,
        zone,
        subject,
        late(ctx) + _unclear(contact) + ((CLOCK_DOUBTED,) if clock_doubted else ()),
        confirmed_by,
        mass,
        order=order,
        cell=cell,
        precision=precision,
        origin=origin,
        answer_owed=_is_answer_owed(ctx, contact, order),
    )


def _unclear(contact: Contact) -> tuple[str, ...]:
    return (CONTACT_UNCLEAR,) if contact == "unclear" else ()


def _is_answer_owed(ctx: CommandContext, contact: Contact, order: OrderReference | None) -> bool:
    """A patrol, or somebody without a phone, left no way to be told; whose order it came with is told all the same. Of
    imported history nobody can say."""
    return contact != "none" or order is not None or ctx.is_history


def link_report(
    case: Repair,
    ctx: CommandContext,
    *,
    subject: Subject,
    order: OrderReference | None = None,
    precision: Precision = "second",
    origin: str | None = None,
    contact: Contact = "known",
) -> ReportLinked:
    """Take a further report of the same burst into the incident. Refuses as ``known_to`` does, ``bad-precision`` and
    ``unknown-origin``."""
    known = known_to(case, ctx, "repair.link")
    require_import_fields(ctx, precision, origin)
    flags = late(ctx) + (("after-close",) if known.closed else ()) + _unclear(contact)
    linked = ReportLinked(
        _next_report(known),
        subject,
        flags,
        order=order,
        precision=precision,
        origin=origin,
        answer_owed=_is_answer_owed(ctx, contact, order),
    )
    return from_the_field(known, ctx, linked)


def _next_report(case: Repair) -> int:
    """The number that the next report of the incident gets; none is ever given twice."""
    return max(each.number for each in case.reported) + 1


@dataclass(frozen=True, slots=True)
class Moved:
    """A report that goes on in another incident, made at ``reported_at``."""

    linked: ReportLinked
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class Merged:
    """Two incidents that are one: what the one says, and its reports as the other takes them in."""

    merged: IncidentMerged
    reports: tuple[Moved, ...]


def merge(case: Repair, other: Repair, ctx: CommandContext, *, case_id: UUID, into: UUID) -> Merged:
    """Two incidents turn out to be one burst: the reports of ``case`` go on in the ``other`` one, each at its own time,
    and ``case`` owes nothing more. A wrong one is undone there, report by report.

    Our decision: not once a crew was on site for it, for what it told there would count for nothing.

    Late in a limit that the other one does not owe by the same instant, another person confirms it. Refuses
    ``wrong-role``, ``same-incident``, ``incident-merged``, ``case-closed``, ``already-dismissed``, ``work-begun`` and
    ``second-person-needed``.
    """
    require_power(ctx, "repair.unlink")
    known, target = require_unmerged(case), require_unmerged(other)
    if case_id == into:
        raise SameIncident(known)
    require_open(known)
    require_undismissed(known)
    require_undismissed(target)
    if known.arrived or known.completed:
        raise WorkBegun(known)
    flags = (MERGED,) + (("after-close",) if target.closed else ())
    own = [each for each in known.reported if each.number not in known.unlinked]
    moved = tuple(
        Moved(_as_linked(each, number, flags), each.moment.at) for number, each in enumerate(own, _next_report(target))
    )
    fact, both = IncidentMerged(into, ctx.confirmed_by), target
    for each in moved:
        both = _after(both, each.linked, each.reported_at)
    if eases_late(known, ctx, fact, both):
        require_other_person(ctx, ctx.confirmed_by, "a merge late in the window", "confirmed_by")
    return Merged(fact, moved)


def _after(case: Repair | None, fact: object, happened_at: datetime) -> Repair:
    """The incident as it would be with that fact."""
    told = evolve(case, Recorded(fact, UNRECORDED, 0, happened_at))
    assert told is not None
    return told


def _as_linked(report: Report, number: int, flags: tuple[str, ...]) -> ReportLinked:
    return ReportLinked(
        number,
        report.subject,
        flags,
        None,
        report.order,
        report.precision,
        report.origin,
        report.answer_owed,
    )


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A wrong link undone: what the incident says, and the report that opens the new case, made at ``reported_at``."""

    unlinked: ReportUnlinked
    reported: FaultReported
    reported_at: datetime


def unlink_report(
    case: Repair,
    ctx: CommandContext,
    *,
    report: int,
    new_case: UUID,
    case_number: str,
    kind: str | None,
    district_code: str | None,
) -> Unlinked:
    """Take a further report out of the incident into a case of its own, whose clock starts when it was made.

    ``kind`` and ``district_code``: where the other fault is another one, or elsewhere. Late in a limit that the new
    case does not owe by the same instant, or where it takes a lapse back, another person confirms it. Refuses
    ``wrong-role``, ``incident-merged``, ``first-report``, ``no-such-report``, ``unknown-fault-kind``,
    ``unknown-district`` and ``second-person-needed``.
    """
    require_power(ctx, "repair.unlink")
    known = require_unmerged(case)
    found = _linked(known, report)
    require_known(UnknownFaultKind, kind or known.kind, ctx.standard.repair.fault_kinds)
    code = district_code or known.district
    zone = district(ctx.standard, code).zone
    opened = FaultReported(
        case_number,
        kind or known.kind,
        code,
        zone,
        found.subject,
        (UNLINKED,),
        mass=known.mass if code == known.district else None,
        order=found.order,
        precision=found.precision,
        origin=found.origin,
        answer_owed=found.answer_owed,
    )
    fact = ReportUnlinked(report, new_case)
    if eases_late(known, ctx, fact, _after(None, opened, found.moment.at)):
        require_other_person(ctx, ctx.confirmed_by, "a report taken out late in the window", "X-Confirmed-By")
    return Unlinked(fact, opened, found.moment.at)


def kinds_that_may_be_one(standard: Standard, kind: str) -> tuple[str, ...]:
    """The kinds of fault that one burst may be reported as, this one among them. Refuses ``unknown-fault-kind``."""
    require_known(UnknownFaultKind, kind, standard.repair.fault_kinds)
    burst = standard.repair.fault_families.get(kind)
    alike = (
        {each for each, its in standard.repair.fault_families.items() if its == burst} if burst is not None else set()
    )
    return tuple(sorted({kind, *alike}))


CONTACT_UNCLEAR = "contact-unclear"
"""The flag of a report whose maker can be reached only by what the vault keeps as it was given."""
MERGED = "merged"
"""The flag of a report that came with another incident."""
UNLINKED = "unlinked"
"""The flag of a case that began as a wrong link."""


def _linked(case: Repair, number: int) -> Report:
    if number == 1:
        raise FirstReport(case)
    return known_report(case, number)


def known_report(case: Repair, number: int) -> Report:
    """The report of that number. Refuses ``no-such-report``, also for one that was unlinked."""
    found = case.report(number)
    if found is None:
        raise NoSuchReport(
            found=f"report {number} of repair {case.number}",
            needed="a report that is linked to the incident",
            next_step="look at the incident's reports",
            next_step_zh="请核对工单下的报修序号",
        )
    return found

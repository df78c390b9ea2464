"""What crews tell from the field: arrival, work on a major repair, completion, water; and the close of the file."""

from __future__ import annotations

from uuid import UUID

from domain.crews.register import require_formed
from domain.repairs.case import CREW_ELSEWHERE, Repair
from domain.repairs.checks import field_flags, from_the_field, known_to, late, require_open, require_other_person
from domain.repairs.facts import (
    ArrivalEvidence,
    ArrivalEvidenceSupplied,
    CaseClosed,
    CrewArrived,
    RepairCompleted,
    ShiftHandedOver,
    SuppliedEvidence,
    WaterRestored,
    WorkLogged,
)
from domain.repairs.imported import require_import_fields
from domain.repairs.promises import evidence_due, standard_of
from domain.repairs.refusals import (
    AlreadyRejected,
    ArrivalIsProven,
    NoSuchArrival,
    RepairNotCompleted,
    SameCrew,
    UnknownWorkNote,
    WaterNotRestored,
)
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import Precision
from domain.standard.values import require_known


def arrive(case: Repair, ctx: CommandContext, *, crew: str, evidence: ArrivalEvidence | None) -> CrewArrived:
    """The crew is on site; without evidence, from outside the geofence, or where nobody knows where the site is, it
    counts and is flagged. Refuses ``unknown-crew``."""
    known = known_to(case, ctx)
    flags = field_flags(known, ctx, crew=crew, before=known.arrived)
    flags += _about(evidence) if evidence is not None else ("no-evidence",)
    return from_the_field(known, ctx, CrewArrived(crew, evidence, flags))


def _about(evidence: ArrivalEvidence | SuppliedEvidence) -> tuple[str, ...]:
    if evidence.accuracy_m is None:
        return ()
    if evidence.inside_geofence is None:
        return ("site-unknown",)
    return () if evidence.inside_geofence else ("outside-geofence",)


def supply_evidence(
    case: Repair, ctx: CommandContext, *, arrival: UUID, evidence: SuppliedEvidence
) -> ArrivalEvidenceSupplied:
    """The evidence of an arrival that was told without; ``arrival``: the event that told it.

    Later than the standard of the incident allows, it is a late fact: it counts only with a second person, and is
    flagged where it takes a lapse off (our decision). Refuses ``no-such-arrival``, ``already-rejected``,
    ``arrival-is-proven`` and ``second-person-needed``.
    """
    known = known_to(case, ctx)
    if arrival in known.rejected:
        raise AlreadyRejected(arrival)
    told = next((moment for moment in known.arrived if moment.by == arrival), None)
    if told is None:
        raise NoSuchArrival(arrival)
    if arrival not in known.unproven or arrival in known.proven_later:
        raise ArrivalIsProven(arrival)
    due = evidence_due(known, standard_of(known, ctx.rules), told)
    is_late = due is not None and ctx.at > due
    if is_late:
        require_other_person(ctx, ctx.confirmed_by, "evidence of an arrival that comes late", "confirmed_by")
    flags = late(ctx) + (("evidence-late",) if is_late else ()) + _about(evidence)
    return from_the_field(known, ctx, ArrivalEvidenceSupplied(arrival, evidence, flags), is_late=is_late)


def log_work(case: Repair, ctx: CommandContext, *, note: str, crew: str) -> WorkLogged:
    """The crew is at work: keeps a major repair's continuity. Refuses ``unknown-work-note``, ``unknown-crew``."""
    known = known_to(case, ctx)
    require_known(UnknownWorkNote, note, ctx.standard.repair.work_notes)
    flags = field_flags(known, ctx, crew=crew, before=()) + _not_needed(known)
    return from_the_field(known, ctx, WorkLogged(note, crew, flags))


def takes_over(case: Repair, from_crew: str) -> bool:
    """Whether the incident goes to another crew when that one hands over: it has it, and is still at work."""
    return case.crew == from_crew and not case.completed and not case.closed


def hand_over(
    case: Repair, ctx: CommandContext, *, from_crew: str, to_crew: str, elsewhere: bool = False
) -> ShiftHandedOver:
    """One crew takes over from another on site; a log of the work too. Refuses ``same-crew``, and ``unknown-crew`` for
    either crew.

    ``elsewhere``: the crew that takes over is on another incident, and nobody is on two.
    """
    known = known_to(case, ctx)
    if from_crew == to_crew:
        raise SameCrew(from_crew)
    flags = field_flags(known, ctx, crew=from_crew, before=()) + _not_needed(known)
    flags += tuple(flag for flag in require_formed(ctx, to_crew, on_it=known.crew) if flag not in flags)
    flags += (CREW_ELSEWHERE,) if elsewhere else ()
    return from_the_field(known, ctx, ShiftHandedOver(from_crew, to_crew, flags))


def _not_needed(case: Repair) -> tuple[str, ...]:
    return () if case.severity == "major" else ("not-major",)


def complete(case: Repair, ctx: CommandContext, *, precision: Precision = "second") -> RepairCompleted:
    """The repair is done. Refuses ``bad-precision``."""
    known = known_to(case, ctx)
    require_import_fields(ctx, precision)
    flags = field_flags(known, ctx, crew=None, before=known.completed)
    if not known.arrived:
        flags += ("before-arrival",)
    return from_the_field(known, ctx, RepairCompleted(flags, precision=precision))


def restore_water(case: Repair, ctx: CommandContext) -> WaterRestored:
    """Water flows again."""
    known = known_to(case, ctx)
    return from_the_field(known, ctx, WaterRestored(field_flags(known, ctx, crew=None, before=known.restored)))


def close(case: Repair, ctx: CommandContext) -> CaseClosed:
    """Close the file; an incident that was dismissed needs neither a completion nor water.

    Refuses ``wrong-role``, ``case-closed``, ``repair-not-completed`` and, for a major repair,
    ``water-not-restored``.
    """
    require_power(ctx, "repair.close")
    require_open(case)
    if case.dismissed:
        return CaseClosed()
    if not case.completed:
        raise RepairNotCompleted(case)
    if case.severity == "major" and not case.restored:
        raise WaterNotRestored(case)
    return CaseClosed()

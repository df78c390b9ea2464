"""Closed without a repair (误报、非我司管辖 …): our decision, for order books that have such incidents.

The dispatcher says so with a reason of the standard, and evidence where there is some. What had run out by then stays
broken; what was still open is owed no more. Late in the window a second person confirms it.
"""

from __future__ import annotations

from domain.repairs.case import Repair
from domain.repairs.checks import (
    eases_late,
    field_flags,
    from_the_field,
    known_to,
    require_open,
    require_other_person,
)
from domain.repairs.facts import IncidentDismissed
from domain.repairs.imported import require_import_fields
from domain.repairs.refusals import AlreadyDismissed, RepairIsCompleted, UnknownDismissalReason
from domain.standard.context import CommandContext
from domain.standard.standards import Precision
from domain.standard.values import require_known


def dismiss(
    case: Repair,
    ctx: CommandContext,
    *,
    reason: str,
    evidence_digest: str | None = None,
    precision: Precision = "second",
) -> IncidentDismissed:
    """Say that the incident needs no repair of ours. Once most of a running limit has run another person confirms it.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``case-closed``,
    ``repair-completed``, ``already-dismissed``, ``unknown-dismissal-reason``, ``bad-precision``.
    """
    known = known_to(case, ctx, "repair.dismiss")
    require_import_fields(ctx, precision)
    require_open(known)
    if known.completed:
        raise RepairIsCompleted(
            found=f"repair {known.number} is completed",
            needed="an incident that was not repaired",
            next_step="close the file: it was repaired",
            next_step_zh="抢修已完成，请直接关单",
        )
    require_undismissed(known)
    require_known(UnknownDismissalReason, reason, ctx.standard.repair.dismissal_reasons)
    flags = field_flags(known, ctx, crew=None, before=())
    fact = IncidentDismissed(reason, evidence_digest, flags, precision=precision)
    comes_late = eases_late(known, ctx, fact)
    if comes_late:
        require_other_person(ctx, ctx.confirmed_by, "a dismissal late in the window", "confirmed_by")
    return from_the_field(known, ctx, fact, is_late=comes_late)


def require_undismissed(case: Repair) -> None:
    """Refuses ``already-dismissed``."""
    if case.dismissed:
        raise AlreadyDismissed(case)

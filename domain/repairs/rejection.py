"""Evidence rejected 证据不予认可: what was told from the field did not happen so, and counts for no promise any more.

Our decision: any arrival, completion or restoration may be rejected, also of a closed file, by somebody else than who
told it, with a reason of the standard. What was told stays on record. An incident of which nothing is done after all is
open again, for somebody has to go and mend it.
"""

from __future__ import annotations

from uuid import UUID

from domain.kernel.facts import Moment
from domain.repairs.case import Repair, without
from domain.repairs.facts import EvidenceOf, EvidenceRejected
from domain.repairs.refusals import AlreadyRejected, NoSuchEvidence, UnknownRejectionReason
from domain.standard.context import CommandContext, require_power, require_second_person
from domain.standard.values import require_known


def reject_evidence(
    case: Repair, ctx: CommandContext, *, event: UUID, reason: str, evidence_digest: str | None = None
) -> EvidenceRejected:
    """Reject the arrival, the completion or the restoration of that event.

    Refuses ``wrong-role``, ``no-such-evidence``, ``already-rejected``, ``same-person`` (who told it)
    and ``unknown-rejection-reason``.
    """
    require_power(ctx, "repair.reject")
    of = _what(case, event)
    require_second_person(ctx, case.told_by.get(event, ""), f"the {of}")
    require_known(UnknownRejectionReason, reason, ctx.standard.repair.rejection_reasons)
    after = without(case, event)
    left = tuple(sort for sort, moments in _sorts(after) if moments)
    reopens = case.closed and not after.closed
    return EvidenceRejected(event, of, reason, left, reopens, evidence_digest, ctx.confirmed_by)


def _sorts(case: Repair) -> tuple[tuple[EvidenceOf, tuple[Moment, ...]], ...]:
    return ("arrival", case.arrived), ("completion", case.completed), ("restoration", case.restored)


def _what(case: Repair, event: UUID) -> EvidenceOf:
    if event in case.rejected:
        raise AlreadyRejected(event)
    for of, moments in _sorts(case):
        if any(moment.by == event for moment in moments):
            return of
    raise NoSuchEvidence(event)

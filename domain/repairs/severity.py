"""Severity 定级: the first class is a fact from the field; another class needs a reason, evidence, and late in the
window a second person (our decision: or every promise could be saved by a word)."""

from __future__ import annotations

from datetime import timedelta

from domain.repairs.case import Repair
from domain.repairs.checks import (
    field_flags,
    from_the_field,
    known_to,
    looked_at,
    require_open,
    require_other_person,
)
from domain.repairs.facts import SeverityAssessed, SeverityReassessed
from domain.repairs.promises import standard_of, start_of_completion
from domain.repairs.refusals import AlreadyAssessed, NotAssessed, NotOnSite, RepairIsCompleted, SameSeverity, class_of
from domain.standard.context import CommandContext, require_power
from domain.standard.sections.repair import Severity


def assess(case: Repair, ctx: CommandContext, *, severity: Severity, reason: str) -> SeverityAssessed:
    """Class the repair. The same class again, or an earlier look told later, is taken and flagged.

    Refuses ``already-assessed`` for another class after the first one: that is a reassessment. Refuses
    ``second-person-needed`` for a first class that gives more time once most of the window has run, or the class
    itself is overdue (our decision: "major" at minute 239 would else save the promise by one person's word).
    """
    known = known_to(case, ctx)
    seen = tuple(moment for moment, _ in known.assessed)
    if seen and severity != known.severity and ctx.happened_at >= min(seen).at:
        raise AlreadyAssessed(known)
    comes_late = not seen and _gives_more_time(known, ctx, severity) and _is_late_to_class(known, ctx)
    if comes_late:
        require_other_person(ctx, ctx.confirmed_by, "a first class that gives more time, late", "confirmed_by")
    flags = field_flags(known, ctx, crew=None, before=seen)
    if not known.arrived:
        flags += ("before-arrival",)
    confirmed_by = ctx.confirmed_by if comes_late else None
    return from_the_field(known, ctx, SeverityAssessed(severity, reason, flags, confirmed_by))


def _gives_more_time(case: Repair, ctx: CommandContext, severity: Severity) -> bool:
    """Whether the class ends later than the one that holds until there is one, or has no end at all."""
    standard = standard_of(case, ctx.rules)
    before, after = (standard.repair.completion_minutes[each] for each in (standard.repair.unassessed_as, severity))
    return before is not None and (after is None or after > before)


def _is_late_to_class(case: Repair, ctx: CommandContext) -> bool:
    """Whether most of the window has run, or the class itself was due before. Old history is told by who may."""
    if ctx.is_history:
        return False
    minutes = standard_of(case, ctx.rules).repair.assessment_minutes
    due = minutes is not None and any(looked_at(ctx) > each.at + timedelta(minutes=minutes) for each in case.arrived)
    return due or _has_mostly_run(case, ctx)


def reassess(
    case: Repair,
    ctx: CommandContext,
    *,
    severity: Severity,
    reason: str,
    evidence_digest: str,
    approved_by: str | None,
) -> SeverityReassessed:
    """Give the repair another class. It moves the end of the limit, carries the time that has run, saves no lapse.

    Refuses ``wrong-role``, ``case-closed``, ``not-assessed``, ``not-on-site``, ``repair-completed``,
    ``same-severity`` and ``second-person-needed``.
    """
    require_power(ctx, "repair.reassess")
    known = known_to(case, ctx)
    require_open(known)
    _require_reassessable(known, ctx, severity)
    if _has_mostly_run(known, ctx):
        require_other_person(ctx, approved_by, "a reassessment late in the window", "approved_by")
    flags = field_flags(known, ctx, crew=None, before=())
    return from_the_field(known, ctx, SeverityReassessed(severity, reason, evidence_digest, approved_by, flags))


def _require_reassessable(case: Repair, ctx: CommandContext, severity: Severity) -> None:
    first = min((moment.at for moment, _ in case.assessed), default=None)
    if first is None or ctx.happened_at < first:
        raise NotAssessed(case)
    if not any(arrival.at <= ctx.happened_at for arrival in case.arrived):
        raise NotOnSite(case)
    if any(done.at <= ctx.happened_at for done in case.completed):
        raise RepairIsCompleted(
            found=class_of(case),
            needed="a repair under way",
            next_step="leave the class as it is",
            next_step_zh="抢修已完成",
        )
    if severity == case.severity:
        raise SameSeverity(case)


def _has_mostly_run(case: Repair, ctx: CommandContext) -> bool:
    """Whether so much of the completion window has run that a second person must approve. Never for a major repair,
    whose window has no end."""
    standard = standard_of(case, ctx.rules)
    minutes = standard.repair.completion_minutes[case.severity or standard.repair.unassessed_as]
    if minutes is None:
        return False
    run = looked_at(ctx) - start_of_completion(case, standard).at
    return run.total_seconds() / 60 >= minutes * standard.repair.reassessment_second_person_percent / 100

"""Dispatch: which crew has the job, and that it knows."""

from __future__ import annotations

from datetime import datetime

from domain.crews.register import require_formed
from domain.repairs.case import Repair
from domain.repairs.checks import field_flags, from_the_field, known_to, require_open
from domain.repairs.dismissal import require_undismissed
from domain.repairs.facts import CrewDelayed, CrewDispatched, CrewWithdrawn, DispatchAcknowledged, DispatchDeclined
from domain.repairs.refusals import AlreadyDispatched, CrewElsewhere, RepairIsCompleted, UnknownDeclineReason
from domain.standard.context import CommandContext, require_power
from domain.standard.values import require_known


def dispatch(case: Repair, ctx: CommandContext, *, crew: str) -> CrewDispatched:
    """Send a crew; another one than before takes the job over.

    Refuses ``wrong-role``, ``case-closed``, ``repair-completed``, ``already-dispatched``, ``unknown-crew``.
    """
    require_power(ctx, "repair.dispatch")
    require_open(case)
    if case.completed:
        raise RepairIsCompleted(
            found=f"repair {case.number} is completed",
            needed="an incident that still needs a crew",
            next_step="report a new fault if water fails again",
            next_step_zh="抢修已完成；如再次停水请另行报修",
        )
    require_undismissed(case)
    if case.crew == crew:
        raise AlreadyDispatched(crew, case)
    return CrewDispatched(crew, require_formed(ctx, crew))


def acknowledge(case: Repair, ctx: CommandContext, *, crew: str) -> DispatchAcknowledged:
    """The crew confirms the job. Refuses ``unknown-crew``."""
    known = known_to(case, ctx)
    flags = field_flags(known, ctx, crew=crew, before=known.acknowledged)
    return from_the_field(known, ctx, DispatchAcknowledged(crew, flags))


def decline(case: Repair, ctx: CommandContext, *, crew: str, reason: str) -> DispatchDeclined:
    """The crew says that it cannot come; from a crew that was not sent it changes nothing and is flagged.

    Refuses ``future-time``, ``second-person-needed``, ``unknown-decline-reason``, ``unknown-crew``.
    """
    known = known_to(case, ctx)
    require_known(UnknownDeclineReason, reason, ctx.standard.crews.decline_reasons)
    flags = field_flags(known, ctx, crew=crew, before=())
    return from_the_field(known, ctx, DispatchDeclined(crew, reason, flags))


def delay(case: Repair, ctx: CommandContext, *, crew: str, expected_at: datetime) -> CrewDelayed:
    """The crew is held up on its way; it expects to be on site at ``expected_at`` (aware). Its limit does not move: the
    dispatcher learns early that it may lapse. From a crew that was not sent it changes nothing and is flagged.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``incident-merged``, ``unknown-crew``.
    """
    known = known_to(case, ctx)
    flags = field_flags(known, ctx, crew=crew, before=())
    return from_the_field(known, ctx, CrewDelayed(crew, expected_at, flags))


def withdraw(case: Repair, ctx: CommandContext, *, crew: str) -> CrewWithdrawn:
    """Take a crew off the incident, for another one. Refuses ``wrong-role``, ``crew-elsewhere``."""
    require_power(ctx, "repair.dispatch")
    if case.crew != crew:
        raise CrewElsewhere(crew, case)
    return CrewWithdrawn(crew)

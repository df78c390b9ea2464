"""What every decision about an outage looks at first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.kernel.refusals import CaseExists, DatesOutOfOrder, MassRunning
from domain.outages.case import Outage
from domain.outages.refusals import NoticeTooShort, OutageHasStarted, OutageIsCancelled, OutageIsRestored
from domain.repairs.case import Repair
from domain.repairs.checks import early, late, require_credible, require_unmerged
from domain.repairs.mass import Register
from domain.repairs.refusals import AlreadyDismissed, RepairIsCompleted
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import district
from domain.standard.values import require_codes, require_range

MOST_USERS = 10_000_000


def known_to(state: Outage, ctx: CommandContext, power: str = "outage.tell") -> Outage:
    """The outage that something is told of.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``.
    """
    require_power(ctx, power)
    require_credible(ctx)
    return state


def lasting(state: Outage, ctx: CommandContext) -> Outage:
    """An outage that is not over. Refuses what ``known_to`` does, ``outage-restored``, ``outage-cancelled``."""
    outage = known_to(state, ctx)
    if outage.restored is not None:
        raise OutageIsRestored(outage, outage.restored)
    require_not_cancelled(outage)
    return outage


def require_not_cancelled(outage: Outage) -> None:
    """Refuses ``outage-cancelled``."""
    if outage.cancelled is not None:
        raise OutageIsCancelled(outage, outage.cancelled)


def require_not_started(outage: Outage) -> None:
    """Refuses ``outage-started``."""
    if outage.started is not None:
        raise OutageHasStarted(outage, outage.started)


def flags(ctx: CommandContext, outage: Outage | None = None) -> tuple[str, ...]:
    """What is odd about a fact: that it comes later than its channel allows, was sent later than taken down, or is said
    to be from before the ``outage`` was announced."""
    return late(ctx) + (early(ctx, outage.announced.at) if outage is not None else ())


def confirmed_by(ctx: CommandContext) -> str | None:
    """Who confirmed a fact that came late; nobody needs to confirm another."""
    return ctx.confirmed_by if ctx.is_late else None


def require_cause(incident: Repair, ctx: CommandContext) -> None:
    """Refuse what went off when its incident was over: works that nobody announced would else owe their notice an hour
    later, as an emergency does. Such an outage is taken as one without notice (our decision).

    Refuses ``incident-merged``, ``already-dismissed``, ``repair-completed``.
    """
    require_unmerged(incident)
    if any(moment.at < ctx.happened_at for moment in incident.dismissed):
        raise AlreadyDismissed(incident)
    if any(moment.at < ctx.happened_at for moment in incident.completed):
        raise RepairIsCompleted(
            found=f"repair {incident.number}, which was completed before water went off",
            needed="an incident that was not over by then",
            next_step="say when water went off, if that was earlier; else record an outage without notice",
            next_step_zh="若停水更早请更正时间；否则请按无通知停水登记",
        )


def require_new(state: Outage | None) -> None:
    if state is not None:
        raise CaseExists(
            found=f"outage {state.number}",
            needed="a new outage",
            next_step="nothing is to be done",
            next_step_zh="该停水已登记，无需操作",
        )


def require_extent(ctx: CommandContext, districts: Sequence[str], affected_users: int) -> None:
    require_codes("the districts", districts)
    for code in districts:
        district(ctx.standard, code)
    require_range("affected users", affected_users, 1, MOST_USERS)


def require_later(later: datetime, earlier: datetime, what: str, needed: str) -> None:
    if later <= earlier:
        raise DatesOutOfOrder(
            found=f"{what} {later.isoformat()}",
            needed=f"after {needed}, {earlier.isoformat()}",
            next_step="correct the time",
            next_step_zh="请更正时间",
        )


def require_notice(ctx: CommandContext, begin: datetime, noticed_at: datetime | None) -> None:
    hours = ctx.standard.outages.outage_notice_hours
    if noticed_at is None or begin - noticed_at < timedelta(hours=hours):
        raise NoticeTooShort(noticed_at, hours, begin)


def require_no_mass(mass: Register | None, code: str, at: datetime) -> None:
    holds = mass.of(code, at) if mass is not None else None
    if holds is not None:
        raise MassRunning(
            found=f"{holds}, which holds in {code}",
            needed="districts in which no mass incident holds",
            next_step=f"wait until {holds} is over, or leave the district out",
            next_step_zh="该片区有进行中的群发事件，期间不得计划停水",
        )

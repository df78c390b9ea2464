"""The register of works for the community: old pipes renewed, pump rooms, town and country joined (城乡一体化).

Source: renovation of old communities, standardised booster pump rooms and integration, published; what is registered
about a work is our decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseNumber, ChineseName
from domain.kernel.refusals import CaseExists, DatesOutOfOrder
from domain.publication.refusals import UnknownWorksKind, WorkHasStarted, WorkIsCompleted, WorkNotStarted
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import require_not_future
from domain.standard.values import require_clean, require_codes, require_known, require_range, require_said

MOST_HOUSEHOLDS = 1_000_000


@fact("登记工程", "work registered", topic="public")
class WorkRegistered:
    """A work for a community is planned. ``community``: its code; ``name_zh``: the work's public name."""

    number: CaseNumber
    kind: Annotated[str, "Kind of work, as a code of the standard."]
    community: Annotated[str, "Code of the community."]
    name_zh: ChineseName


@fact("工程开工", "work started", topic="public")
class WorkStarted:
    """Work began on site."""


@fact("工程完工", "work completed", topic="public")
class WorkCompleted:
    """The work is done and serves so many households."""

    households_served: Annotated[int, "How many households it serves."]


@dataclass(frozen=True, slots=True)
class Work:
    """A work as it stands."""

    number: str
    kind: str
    community: str
    name_zh: str
    started_at: datetime | None = None
    completed_at: datetime | None = None


def evolve(state: Work | None, recorded: Recorded) -> Work | None:
    """The work after a fact."""
    match recorded.fact:
        case WorkRegistered(number, kind, community, name_zh):
            return Work(number, kind, community, name_zh)
        case WorkStarted() if state is not None:
            return replace(state, started_at=recorded.happened_at)
        case WorkCompleted() if state is not None:
            return replace(state, completed_at=recorded.happened_at)
        case _:
            return state


def register(
    state: Work | None, ctx: CommandContext, *, number: str, kind: str, community: str, name_zh: str
) -> WorkRegistered:
    """Enter a work.

    Refuses ``wrong-role``, ``case-exists``, ``future-time``, ``unknown-works-kind``, ``bad-code``, ``bad-text``.
    """
    require_power(ctx, "works.register")
    if state is not None:
        raise CaseExists(
            found=f"work {state.number}",
            needed="a new work",
            next_step="nothing is to be done",
            next_step_zh="该工程已登记，无需操作",
        )
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    require_known(UnknownWorksKind, kind, ctx.standard.connection.works_kinds)
    require_codes("the communities", [community])
    fact = WorkRegistered(number, kind, community, name_zh)
    require_clean(fact)
    require_said("the work's name", name_zh)
    return fact


def start(work: Work, ctx: CommandContext) -> WorkStarted:
    """Work began. Refuses ``wrong-role``, ``future-time``, ``work-started``."""
    require_power(ctx, "works.report")
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    if work.started_at is not None:
        raise WorkHasStarted(work, work.started_at)
    return WorkStarted()


def complete(work: Work, ctx: CommandContext, *, households_served: int) -> WorkCompleted:
    """The work is done.

    Refuses ``wrong-role``, ``future-time``, ``work-not-started``, ``work-completed``,
    ``dates-out-of-order``, ``out-of-range``.
    """
    require_power(ctx, "works.report")
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    _require_under_way(work, ctx.happened_at)
    require_range("households served", households_served, 0, MOST_HOUSEHOLDS)
    return WorkCompleted(households_served)


def _require_under_way(work: Work, happened_at: datetime) -> None:
    if work.completed_at is not None:
        raise WorkIsCompleted(work, work.completed_at)
    if work.started_at is None:
        raise WorkNotStarted(work)
    if happened_at < work.started_at:
        raise DatesOutOfOrder(
            found=f"done at {happened_at.isoformat()}",
            needed=f"not before it began, {work.started_at.isoformat()}",
            next_step="correct the time",
            next_step_zh="竣工时间早于开工时间，请更正",
        )

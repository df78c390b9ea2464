"""Mass incidents 群发事件 (frost, flood): declared for districts by the manager, and ended.

Our decision: nothing about an incident changes but its tag. Clocks keep running and lapses stay visible. All mass
incidents are one stream, so that two at once in one district are seen; one is tagged by when its fault happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from domain.kernel.facts import Recorded, fact
from domain.kernel.refusals import DatesOutOfOrder, MassRunning
from domain.repairs.refusals import MassIsDeclared, NoSuchMassIncident, UnknownMassCause
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import district, require_not_future
from domain.standard.values import require_codes, require_known


@fact("宣布群发事件", "mass incident declared", topic="repair")
class MassDeclared:
    """A mass incident holds in these districts from when it happened. ``mass``: its code; ``cause``: the standard's."""

    mass: Annotated[str, "Code of the mass incident."]
    cause: Annotated[str, "What caused it, as a code of the standard."]
    districts: Annotated[tuple[str, ...], "Codes of the districts in which it holds."]


@fact("群发事件结束", "mass incident over", topic="repair")
class MassEnded:
    """It is over."""

    mass: Annotated[str, "Code of the mass incident."]


@dataclass(frozen=True, slots=True)
class Mass:
    """One mass incident; ``until`` None: it holds."""

    mass: str
    cause: str
    districts: tuple[str, ...]
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Every mass incident there was, in the order of declaration."""

    declared: tuple[Mass, ...] = ()

    def of(self, district_code: str, at: datetime) -> str | None:
        """The mass incident that a fault of that district and instant belongs to; None where there is none."""
        return next(
            (
                known.mass
                for known in self.declared
                if district_code in known.districts and known.since <= at and (known.until is None or at < known.until)
            ),
            None,
        )


def evolve(state: Register | None, recorded: Recorded) -> Register:
    """The register after a fact; never refuses."""
    register = state or Register()
    match recorded.fact:
        case MassDeclared(mass, cause, districts):
            return Register((*register.declared, Mass(mass, cause, districts, recorded.happened_at)))
        case MassEnded(mass):
            return Register(
                tuple(
                    replace(known, until=recorded.happened_at) if known.mass == mass and known.until is None else known
                    for known in register.declared
                )
            )
        case _:
            return register


def declare(
    state: Register | None, ctx: CommandContext, *, mass: str, cause: str, districts: Sequence[str]
) -> MassDeclared:
    """Declare a mass incident.

    Refuses ``wrong-role``, ``future-time``, ``unknown-mass-cause``, ``unknown-district``, ``code-twice``,
    ``bad-code``, ``mass-declared`` for a code that was used, ``mass-running`` where one holds in a district.
    """
    require_power(ctx, "mass.declare")
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    require_known(UnknownMassCause, cause, ctx.standard.repair.mass_causes)
    require_codes("the districts", districts)
    for code in districts:
        district(ctx.standard, code)
    register = state or Register()
    _require_new(register, mass)
    _require_none_running(register, districts)
    return MassDeclared(mass, cause, tuple(districts))


def end(state: Register | None, ctx: CommandContext, *, mass: str) -> MassEnded:
    """It is over. Refuses ``wrong-role``, ``future-time``, ``no-such-mass-incident``, ``dates-out-of-order``."""
    require_power(ctx, "mass.end")
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    declared = (state or Register()).declared
    running = next((known for known in declared if known.mass == mass and known.until is None), None)
    if running is None:
        raise NoSuchMassIncident(mass)
    if ctx.happened_at < running.since:
        raise DatesOutOfOrder(
            found=f"over at {ctx.happened_at.isoformat()}",
            needed=f"not before it began, {running.since.isoformat()}",
            next_step="correct the time",
            next_step_zh="结束时间早于开始时间，请更正",
        )
    return MassEnded(mass)


def _require_new(register: Register, mass: str) -> None:
    if any(known.mass == mass for known in register.declared):
        raise MassIsDeclared(mass)


def _require_none_running(register: Register, districts: Sequence[str]) -> None:
    for known in register.declared:
        if known.until is None and (both := sorted(set(known.districts) & set(districts))):
            raise MassRunning(
                found=f"{known.mass}, which holds in {both[0]}",
                needed="districts in which none holds",
                next_step=f"end {known.mass} first, or leave the district out",
                next_step_zh="该片区已有进行中的群发事件，请先结束或去除该片区",
            )

"""What several decisions about a connection case ask for before they say anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from domain.connections.case import Connection
from domain.connections.promises import standard_of
from domain.connections.refusals import (
    AllOn,
    AlreadyAdmitted,
    AlreadyOn,
    CaseStopped,
    NoSuchSupplyPoint,
    NotAdmitted,
    NotFeasible,
    PapersMissing,
    UnknownDocument,
)
from domain.kernel.copies import changed
from domain.kernel.facts import Moment
from domain.kernel.refusals import DatesOutOfOrder, Refusal, Repeated, UnknownCode
from domain.repairs.checks import FieldFact, late, require_told_in_time
from domain.standard.context import CommandContext, require_power
from domain.standard.sections.connection import DocumentRequirement
from domain.standard.standards import Rules, require_not_future
from domain.standard.values import require_known


def allowed(case: Connection, ctx: CommandContext, power: str) -> Connection:
    """The case, for somebody who has that power of connections. Refuses ``wrong-role``."""
    require_power(ctx, f"connection.{power}")
    return case


def under_way(case: Connection, ctx: CommandContext, power: str) -> Connection:
    """The case, which is not stopped. Refuses ``case-stopped`` beside what ``allowed`` refuses."""
    known = allowed(case, ctx, power)
    if known.stopped is not None:
        raise stopped(known)
    return known


def stopped(case: Connection) -> Refusal:
    """The refusal for a case that ended, was withdrawn or refused, or is suspended."""
    stop = case.stopped
    assert stop is not None
    return CaseStopped(case, stop)


def require_timely(case: Connection, ctx: CommandContext, *later_than: tuple[Moment | datetime | None, str]) -> None:
    """Refuse what lies in the future or before the receipt, or before one of ``later_than`` (instant and its name), and
    what is told later than the channel allows without a second person."""
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    require_after(ctx.happened_at, case.received, "the receipt")
    for earlier, what in later_than:
        require_after(ctx.happened_at, earlier, what)
    require_told_in_time(ctx)


F = TypeVar("F", bound=FieldFact)


def as_told(ctx: CommandContext, fact: F) -> F:
    """The fact as it was told: flagged where that was later than the channel allows, with who confirmed it, or where a
    device sent it later than it took it down."""
    flags = late(ctx)
    if not flags:
        return fact
    return changed(fact, flags=(*fact.flags, *flags), confirmed_by=ctx.confirmed_by if ctx.is_late else None)


def require_after(happened_at: datetime, earlier: Moment | datetime | None, what: str) -> None:
    """Refuse ``dates-out-of-order`` where it is claimed to have happened before ``earlier`` (None: nothing to keep)."""
    since = earlier.at if isinstance(earlier, Moment) else earlier
    if since is not None and happened_at < since:
        raise DatesOutOfOrder(
            found=f"happened_at {happened_at.isoformat()}",
            needed=f"not before {what} at {since.isoformat()}",
            next_step="check the date",
            next_step_zh="请核对日期先后",
        )


def require_admitted(case: Connection) -> Moment:
    """When it was admitted. Refuses ``not-admitted``."""
    if case.admitted is None:
        raise NotAdmitted(case)
    return case.admitted


def require_not_admitted(case: Connection) -> None:
    """Refuse ``already-admitted``."""
    if case.admitted is not None:
        raise AlreadyAdmitted(case, case.admitted)


def require_not_done(case: Connection) -> None:
    """Refuse ``all-on`` where every supply point has water."""
    if case.all_on:
        raise AllOn(case)


def require_feasible(case: Connection) -> None:
    """Refuse ``not-feasible`` where the last survey found that water cannot be laid."""
    if case.feasible is False:
        raise NotFeasible(case)


def require_point(case: Connection, point: int) -> None:
    """Refuse ``no-such-supply-point`` and ``already-on``."""
    if not 1 <= point <= case.supply_points:
        raise NoSuchSupplyPoint(found=f"supply point {point}", needed=f"1 to {case.supply_points}")
    if point in case.on:
        raise AlreadyOn(point, case)


def require_once(repeated: type[Repeated], named: Iterable[str]) -> None:
    """Refuse as ``repeated`` where something is named twice."""
    listed = list(named)
    twice = sorted({one for one in listed if listed.count(one) > 1})
    if twice:
        raise repeated(twice[0], listed.count(twice[0]))


def require_codes(unknown: type[UnknownCode], found: Iterable[str], known: Collection[str]) -> None:
    """Refuse as ``unknown`` where one of ``found`` is not ``known``."""
    for one in found:
        require_known(unknown, one, known)


# ---- documents


def requirements(case: Connection, rules: Rules) -> Sequence[DocumentRequirement]:
    """The documents that the applicant owes, by the standard that the case runs under."""
    return standard_of(case, rules).connection.documents.get(case.category, ())


def requirement(case: Connection, rules: Rules, document: str) -> DocumentRequirement:
    """The requirement of that code. Refuses ``unknown-document``: nothing else is ever asked for."""
    owed = {one.code: one for one in requirements(case, rules)}
    require_known(UnknownDocument, document, owed)
    return owed[document]


def papers_missing(case: Connection, documents: Iterable[str]) -> Refusal:
    """The refusal ``papers-missing`` that names them."""
    return PapersMissing(case, documents)

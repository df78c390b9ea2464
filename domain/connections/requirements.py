"""What several decisions about a connection case ask for before they say anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from domain.connections.case import Connection
from domain.connections.promises import standard_of
from domain.kernel.facts import Moment
from domain.kernel.refusals import Refusal
from domain.standard.context import Told, require_power
from domain.standard.standards import DocumentRequirement, Rules, require_known, require_not_future


def existing(case: Connection | None) -> Connection:
    """The case. Refuses ``no-such-case`` before its first fact."""
    if case is None:
        raise Refusal(
            "no-such-case",
            found="no connection case with this id",
            needed="the id of a received application",
            next_step="look the application up by its number",
            next_step_zh="请按受理编号查询",
        )
    return case


def allowed(case: Connection | None, told: Told, power: str) -> Connection:
    """The case, for somebody who has that power of connections. Refuses ``wrong-role`` and ``no-such-case``."""
    require_power(told, f"connection.{power}")
    return existing(case)


def under_way(case: Connection | None, told: Told, power: str) -> Connection:
    """The case, which is not stopped. Refuses ``case-stopped`` beside what ``allowed`` refuses."""
    known = allowed(case, told, power)
    if known.stopped is not None:
        raise stopped(known)
    return known


def stopped(case: Connection) -> Refusal:
    """The refusal for a case that ended, was withdrawn or refused, or is suspended."""
    stop = case.stopped
    assert stop is not None
    return Refusal(
        "case-stopped",
        found=f"application {case.number} stopped at {stop.since.at.isoformat()}: {stop.reason}",
        needed="an application that is under way",
        next_step="receive a new application" if stop.final else "supply the promised papers, then it goes on",
        next_step_zh="请重新申请" if stop.final else "请补交承诺材料后继续办理",
    )


def require_timely(case: Connection, told: Told, *later_than: tuple[Moment | datetime | None, str]) -> None:
    """Refuse what lies in the future or before the receipt, or before one of ``later_than`` (instant and its name)."""
    require_not_future(told.standard, told.happened_at, told.at)
    require_after(told.happened_at, case.received, "the receipt")
    for earlier, what in later_than:
        require_after(told.happened_at, earlier, what)


def require_after(happened_at: datetime, earlier: Moment | datetime | None, what: str) -> None:
    """Refuse ``dates-out-of-order`` where it is claimed to have happened before ``earlier`` (None: nothing to keep)."""
    since = earlier.at if isinstance(earlier, Moment) else earlier
    if since is not None and happened_at < since:
        raise Refusal(
            "dates-out-of-order",
            found=f"happened_at {happened_at.isoformat()}",
            needed=f"not before {what} at {since.isoformat()}",
            next_step="check the date",
            next_step_zh="请核对日期先后",
        )


def require_admitted(case: Connection) -> Moment:
    """When it was admitted. Refuses ``not-admitted``."""
    if case.admitted is None:
        raise Refusal(
            "not-admitted",
            found=f"application {case.number} is not admitted",
            needed="an admitted application",
            next_step="supply the main papers: the application is then admitted by itself",
            next_step_zh="请补齐主要材料，材料齐全即自动受理",
        )
    return case.admitted


def require_not_admitted(case: Connection) -> None:
    """Refuse ``already-admitted``."""
    if case.admitted is not None:
        raise Refusal(
            "already-admitted",
            found=f"application {case.number} admitted at {case.admitted.at.isoformat()}",
            needed="an application that is not admitted yet",
            next_step="nothing to do: its limit runs",
            next_step_zh="已受理，时限已开始计算",
        )


def require_not_done(case: Connection) -> None:
    """Refuse ``all-on`` where every supply point has water."""
    if case.all_on:
        raise Refusal(
            "all-on",
            found=f"application {case.number}, whose supply points all have water",
            needed="an application that is still under way",
            next_step="nothing to do",
            next_step_zh="已全部通水，无需操作",
        )


def require_feasible(case: Connection) -> None:
    """Refuse ``not-feasible`` where the last survey found that water cannot be laid."""
    if case.feasible is False:
        raise Refusal(
            "not-feasible",
            found=f"application {case.number}, whose survey found that water cannot be laid so",
            needed="a survey that found it feasible",
            next_step="survey again, or refuse the application with its reason",
            next_step_zh="请复勘，或按规定说明理由不予受理",
        )


def require_point(case: Connection, point: int) -> None:
    """Refuse ``no-such-supply-point`` and ``already-on``."""
    if not 1 <= point <= case.supply_points:
        raise Refusal(
            "no-such-supply-point",
            found=f"supply point {point}",
            needed=f"1 to {case.supply_points}",
            next_step="check the supply point's number",
            next_step_zh="请核对用水点编号",
        )
    if point in case.on:
        raise Refusal(
            "already-on",
            found=f"supply point {case.number}/{point} has water since {case.on[point].at.isoformat()}",
            needed="a supply point without water",
            next_step="nothing to do",
            next_step_zh="该用水点已通水",
        )


def require_once(code: str, named: Iterable[str]) -> None:
    """Refuse with ``code`` where something is named twice."""
    listed = list(named)
    twice = sorted({one for one in listed if listed.count(one) > 1})
    if twice:
        raise Refusal(
            code,
            found=f"{twice[0]} named {listed.count(twice[0])} times",
            needed="each one once",
            next_step="name each one once",
            next_step_zh="每项仅列一次",
        )


def require_codes(code: str, found: Iterable[str], known: Collection[str]) -> None:
    """Refuse with ``code`` where one of ``found`` is not ``known``."""
    for one in found:
        require_known(code, one, known)


# ---- documents


def requirements(case: Connection, rules: Rules) -> Sequence[DocumentRequirement]:
    """The documents that the applicant owes, by the standard that the case runs under."""
    return standard_of(case, rules).documents.get(case.category, ())


def requirement(case: Connection, rules: Rules, document: str) -> DocumentRequirement:
    """The requirement of that code. Refuses ``unknown-document``: nothing else is ever asked for."""
    owed = {one.code: one for one in requirements(case, rules)}
    require_known("unknown-document", document, owed)
    return owed[document]


def papers_missing(case: Connection, documents: Iterable[str]) -> Refusal:
    """The refusal ``papers-missing`` that names them."""
    return Refusal(
        "papers-missing",
        found=f"application {case.number} without {', '.join(documents)}",
        needed="these papers",
        next_step="supply them by one of the ways that they allow",
        next_step_zh="请先补交所缺材料",
    )

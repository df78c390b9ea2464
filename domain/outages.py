"""Outages 停水: planned with approval and notice, or in an emergency; who is cut off, and until when.

Source: 城市供水条例 §22 (a planned outage needs the authority's approval and 24 hours' notice; in an emergency people
are told while it is being repaired, and the authority is reported to). That none is planned during a mass incident, and
the index, are our decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.facts import Recorded
from domain.mass import Register
from domain.refusals import Refusal
from domain.standards import district, require_known, require_not_future
from domain.told import Told, require_power
from domain.values import require_clean, require_codes, require_range, require_said

MOST_USERS = 10_000_000
MOST_LITRES = 1_000_000


# ---- facts


@dataclass(frozen=True, slots=True)
class OutagePlanned:
    """Water will be off between two instants (UTC), as the authority approved in that document."""

    number: str
    districts: tuple[str, ...]
    affected_users: int
    begin: datetime
    end: datetime
    approval: str


@dataclass(frozen=True, slots=True)
class EmergencyOutageBegan:
    """Water is off because of an incident."""

    number: str
    incident: UUID
    districts: tuple[str, ...]
    affected_users: int


@dataclass(frozen=True, slots=True)
class OutageNoticeSent:
    """The users were told. ``way``: a delivery way of the standard; ``digest``: of what was sent."""

    way: str
    digest: str


@dataclass(frozen=True, slots=True)
class OutageNoticeProven:
    """The notice number ``notice`` (from 1) arrived; ``digest``: of the proof."""

    notice: int
    digest: str


@dataclass(frozen=True, slots=True)
class OutageReported:
    """The authority was told of an emergency, in that document."""

    document: str


@dataclass(frozen=True, slots=True)
class OutageStarted:
    """Water of a planned outage is off."""


@dataclass(frozen=True, slots=True)
class OutageExtended:
    """It will take until then."""

    end: datetime


@dataclass(frozen=True, slots=True)
class EmergencyWaterProvided:
    """Water was handed out. ``point``: a code, never a private address."""

    point: str
    litres: int


@dataclass(frozen=True, slots=True)
class OutageRestored:
    """Water flows again."""


FACTS: tuple[type, ...] = (
    OutagePlanned,
    EmergencyOutageBegan,
    OutageNoticeSent,
    OutageNoticeProven,
    OutageReported,
    OutageStarted,
    OutageExtended,
    EmergencyWaterProvided,
    OutageRestored,
)
OutageFact = (
    OutagePlanned
    | EmergencyOutageBegan
    | OutageNoticeSent
    | OutageNoticeProven
    | OutageReported
    | OutageStarted
    | OutageExtended
    | EmergencyWaterProvided
    | OutageRestored
)


# ---- state


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage as it stands. ``incident`` None: it was planned. ``noticed``: when each notice was sent."""

    number: str
    districts: tuple[str, ...]
    affected_users: int
    incident: UUID | None
    end: datetime | None = None
    noticed: tuple[datetime, ...] = ()
    proven: frozenset[int] = frozenset()
    reported: bool = False
    started_at: datetime | None = None
    restored_at: datetime | None = None
    water_litres: int = 0


def evolve(state: Outage | None, recorded: Recorded) -> Outage | None:
    """The outage after a fact of its stream; never refuses."""
    at = recorded.happened_at
    match recorded.fact:
        case OutagePlanned(number, districts, users, _, end):
            return Outage(number, districts, users, None, end)
        case EmergencyOutageBegan(number, incident, districts, users):
            return Outage(number, districts, users, incident, started_at=at)
    return _happened(state, recorded) if state is not None else None


def _happened(outage: Outage, recorded: Recorded) -> Outage:
    at = recorded.happened_at
    match recorded.fact:
        case OutageNoticeSent():
            return replace(outage, noticed=(*outage.noticed, at))
        case OutageNoticeProven(notice):
            return replace(outage, proven=outage.proven | {notice})
        case OutageReported():
            return replace(outage, reported=True)
        case OutageStarted():
            return replace(outage, started_at=at)
        case OutageExtended(end):
            return replace(outage, end=end)
        case EmergencyWaterProvided(_, litres):
            return replace(outage, water_litres=outage.water_litres + litres)
        case OutageRestored():
            return replace(outage, restored_at=at)
        case _:
            return outage


# ---- decisions: begun


def plan(
    state: Outage | None,
    told: Told,
    *,
    number: str,
    districts: Sequence[str],
    affected_users: int,
    begin: datetime,
    end: datetime,
    approval: str | None,
    mass: Register | None,
) -> OutagePlanned:
    """Plan an outage.

    Refuses ``wrong-role``, ``case-exists``, ``unknown-district``, ``code-twice``, ``out-of-range``, ``bad-text``,
    ``outage-not-approved``, ``dates-out-of-order``, ``notice-too-short``, ``mass-running`` where a mass incident holds.
    """
    require_power(told, "outage.plan")
    _require_new(state)
    _require_extent(told, districts, affected_users)
    if approval is None:
        raise Refusal(
            "outage-not-approved",
            found="no approval",
            needed="the number of the authority's approval (城市供水条例 §22)",
            next_step="have the authority approve it first",
            next_step_zh="计划停水须先经主管部门批准",
        )
    require_said("the approval", approval)
    fact = OutagePlanned(number, tuple(districts), affected_users, begin, end, approval)
    require_clean(fact)
    _require_later(end, begin, "an outage until", "it begins")
    _require_notice(told, begin, told.at)
    for code in districts:
        _require_no_mass(mass, code, told.at)
    return fact


def begin_emergency(
    state: Outage | None,
    told: Told,
    *,
    number: str,
    incident: UUID,
    districts: Sequence[str],
    affected_users: int,
) -> EmergencyOutageBegan:
    """Water is off because of an incident.

    Refuses ``wrong-role``, ``future-time``, ``case-exists``, ``unknown-district``, ``code-twice``, ``out-of-range``.
    """
    require_power(told, "outage.report")
    require_not_future(told.standard, told.happened_at, told.at)
    _require_new(state)
    _require_extent(told, districts, affected_users)
    return EmergencyOutageBegan(number, incident, tuple(districts), affected_users)


def start(state: Outage | None, told: Told) -> OutageStarted:
    """Turn the water of a planned outage off. An instruction: nobody may without notice in time.

    Refuses ``wrong-role``, ``no-such-case``, ``outage-started``, ``notice-too-short``.
    """
    outage = _known(state, told)
    if outage.started_at is not None:
        raise Refusal(
            "outage-started",
            found=f"{outage.number}, which began at {outage.started_at.isoformat()}",
            needed="an outage that has not begun",
            next_step="nothing is to be done",
            next_step_zh="已停水，无需操作",
        )
    _require_notice(told, told.at, min(outage.noticed, default=None))
    return OutageStarted()


# ---- decisions: told, and over


def send_notice(state: Outage | None, told: Told, *, way: str, digest: str) -> OutageNoticeSent:
    """The users were told. Refuses ``wrong-role``, ``no-such-case``, ``future-time``, ``unknown-way``."""
    _known(state, told)
    require_known("unknown-way", way, told.standard.delivery_ways)
    return OutageNoticeSent(way, digest)


def prove_notice(state: Outage | None, told: Told, *, notice: int, digest: str) -> OutageNoticeProven:
    """A notice arrived. Refuses ``wrong-role``, ``no-such-case``, ``future-time``, ``no-such-notice``."""
    outage = _known(state, told)
    if not 1 <= notice <= len(outage.noticed):
        raise Refusal(
            "no-such-notice",
            found=f"notice {notice} of {len(outage.noticed)}",
            needed="a notice that was sent",
            next_step="record the notice first",
            next_step_zh="没有该通知，请先登记发送",
        )
    return OutageNoticeProven(notice, digest)


def report(state: Outage | None, told: Told, *, document: str) -> OutageReported:
    """The authority was told. Refuses ``wrong-role``, ``no-such-case``, ``future-time``, ``bad-text``."""
    _known(state, told)
    fact = OutageReported(document)
    require_clean(fact)
    require_said("the report", document)
    return fact


def extend(state: Outage | None, told: Told, *, end: datetime) -> OutageExtended:
    """It will take longer.

    Refuses ``wrong-role``, ``no-such-case``, ``outage-restored``, ``dates-out-of-order``.
    """
    outage = _open(state, told)
    _require_later(end, outage.end or outage.started_at or told.at, "an outage until", "it was to end")
    return OutageExtended(end)


def provide_water(state: Outage | None, told: Told, *, point: str, litres: int) -> EmergencyWaterProvided:
    """Water was handed out. Refuses ``wrong-role``, ``no-such-case``, ``future-time``, ``bad-code``,
    ``out-of-range``."""
    _known(state, told)
    require_codes("the points", [point])
    require_range("litres", litres, 1, MOST_LITRES)
    return EmergencyWaterProvided(point, litres)


def restore(state: Outage | None, told: Told) -> OutageRestored:
    """Water flows again.

    Refuses ``wrong-role``, ``no-such-case``, ``future-time``, ``outage-restored``, ``outage-not-started``,
    ``dates-out-of-order`` for a time before it began.
    """
    outage = _open(state, told)
    if outage.started_at is None:
        raise Refusal(
            "outage-not-started",
            found=f"{outage.number}, which has not begun",
            needed="an outage that has begun",
            next_step="record its start first",
            next_step_zh="尚未停水，请先登记停水",
        )
    if told.happened_at < outage.started_at:
        _require_later(told.happened_at, outage.started_at, "water again at", "it was off")
    return OutageRestored()


# ---- the index


def index_minutes(outages: Iterable[Outage], customers: int) -> float | None:
    """Σ(duration × users) / customers, in minutes for each customer; outages that are over. None without customers."""
    if customers <= 0:
        return None
    lost = sum(
        (outage.restored_at - outage.started_at).total_seconds() / 60 * outage.affected_users
        for outage in outages
        if outage.started_at is not None and outage.restored_at is not None
    )
    return lost / customers


# ---- helpers


def _require_new(state: Outage | None) -> None:
    if state is not None:
        raise Refusal(
            "case-exists",
            found=f"outage {state.number}",
            needed="a new outage",
            next_step="nothing is to be done",
            next_step_zh="该停水已登记，无需操作",
        )


def _require_extent(told: Told, districts: Sequence[str], affected_users: int) -> None:
    require_codes("the districts", districts)
    for code in districts:
        district(told.standard, code)
    require_range("affected users", affected_users, 1, MOST_USERS)


def _require_later(later: datetime, earlier: datetime, what: str, needed: str) -> None:
    if later <= earlier:
        raise Refusal(
            "dates-out-of-order",
            found=f"{what} {later.isoformat()}",
            needed=f"after {needed}, {earlier.isoformat()}",
            next_step="correct the time",
            next_step_zh="请更正时间",
        )


def _require_notice(told: Told, begin: datetime, noticed_at: datetime | None) -> None:
    hours = told.standard.outage_notice_hours
    if noticed_at is None or begin - noticed_at < timedelta(hours=hours):
        raise Refusal(
            "notice-too-short",
            found="no notice" if noticed_at is None else f"notice at {noticed_at.isoformat()}",
            needed=f"{hours} hours before water goes off at {begin.isoformat()} (城市供水条例 §22)",
            next_step="tell the users first, and begin later",
            next_step_zh=f"须提前{hours}小时通知用户，请推迟停水时间",
        )


def _require_no_mass(mass: Register | None, code: str, at: datetime) -> None:
    holds = mass.of(code, at) if mass is not None else None
    if holds is not None:
        raise Refusal(
            "mass-running",
            found=f"{holds}, which holds in {code}",
            needed="districts in which no mass incident holds",
            next_step=f"wait until {holds} is over, or leave the district out",
            next_step_zh="该片区有进行中的群发事件，期间不得计划停水",
        )


def _known(state: Outage | None, told: Told) -> Outage:
    require_power(told, "outage.report")
    require_not_future(told.standard, told.happened_at, told.at)
    if state is None:
        raise Refusal(
            "no-such-case",
            found="no outage with this id",
            needed="the id of an outage",
            next_step="plan or record the outage first",
            next_step_zh="没有该停水，请先登记",
        )
    return state


def _open(state: Outage | None, told: Told) -> Outage:
    outage = _known(state, told)
    if outage.restored_at is not None:
        raise Refusal(
            "outage-restored",
            found=f"{outage.number}, over since {outage.restored_at.isoformat()}",
            needed="an outage that lasts",
            next_step="nothing is to be done",
            next_step_zh="已恢复供水，无需操作",
        )
    return outage

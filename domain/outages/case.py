"""The outage as its facts have it. Moments are kept as claimed, in no order: whoever judges sorts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.deadlines.windows import WindowFact, WindowLedger, record
from domain.kernel.copies import changed
from domain.kernel.facts import Moment, Recorded
from domain.outages.facts import (
    BegunAs,
    EmergencyOutageBegan,
    EmergencyWaterProvided,
    FireServiceTold,
    OutageCancelled,
    OutageExtended,
    OutageNoticeFailed,
    OutageNoticeOrdered,
    OutageNoticeProven,
    OutageNoticeSent,
    OutagePlanned,
    OutageReported,
    OutageRescheduled,
    OutageRestored,
    OutageStarted,
    UnannouncedOutageBegan,
)


@dataclass(frozen=True, slots=True)
class NoticeOrder:
    """A notice that was ordered, by the event that says so."""

    by: UUID
    way: str
    digest: str


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage: planned, because of an ``incident``, or neither. ``announced``: when it was planned, or it began.

    ``begins`` and ``ends`` are the announced ones with when each was announced; ``extensions``: when it was said that
    water stays off longer. ``notices`` are in the order in which they were told, which gives them their numbers.
    """

    number: str
    districts: tuple[str, ...]
    affected_users: int
    incident: UUID | None
    announced: Moment
    approval: str | None = None
    places: tuple[str, ...] = ()
    supply: str | None = None
    fire_affected: bool = False
    extent: str | None = None
    begins: tuple[tuple[Moment, datetime], ...] = ()
    extensions: tuple[Moment, ...] = ()
    fire_told: tuple[Moment, ...] = ()
    ends: tuple[tuple[Moment, datetime], ...] = ()
    ordered: tuple[NoticeOrder, ...] = ()
    failed: frozenset[UUID] = frozenset()
    notices: tuple[Moment, ...] = ()
    delivered: frozenset[UUID] = frozenset()
    proven: frozenset[int] = frozenset()
    reports: tuple[Moment, ...] = ()
    cancellations: tuple[Moment, ...] = ()
    starts: tuple[Moment, ...] = ()
    restorations: tuple[Moment, ...] = ()
    water_litres: int = 0
    ledger: WindowLedger = field(default_factory=dict)

    @property
    def begun_as(self) -> BegunAs:
        """How it came about: planned, emergency or unannounced."""
        return "planned" if self.begins else "emergency" if self.incident is not None else "unannounced"

    @property
    def is_planned(self) -> bool:
        return bool(self.begins)

    @property
    def begin(self) -> datetime | None:
        """The beginning that was announced last; None where nobody planned it."""
        return self.announced_begins[-1][1] if self.begins else None

    @property
    def announced_begins(self) -> tuple[tuple[Moment, datetime], ...]:
        """The announced beginnings with when each was announced, in order of time; the plan is the first of them."""
        return tuple(sorted(self.begins, key=lambda each: (each[0] != self.announced, each[0])))

    @property
    def end(self) -> datetime | None:
        """The end that was announced last; None before the first."""
        return max(self.ends)[1] if self.ends else None

    @property
    def started(self) -> Moment | None:
        """When water went off; an emergency begins with it."""
        return min(self.starts, default=None) if self.is_planned else self.announced

    @property
    def restored(self) -> Moment | None:
        """When water came back. It never does before it went off."""
        started = self.started
        if started is None:
            return None
        return min((moment for moment in self.restorations if moment.at >= started.at), default=None)

    @property
    def cancelled(self) -> Moment | None:
        """When it was cancelled; one whose water went off all the same was not."""
        return min(self.cancellations, default=None) if self.started is None else None


def evolve(state: Outage | None, recorded: Recorded) -> Outage | None:
    """The outage after a fact of its stream; never refuses."""
    moment = Moment(recorded.happened_at, recorded.event_id)
    match recorded.fact:
        case OutagePlanned() as plan:
            return _planned(plan, moment)
        case EmergencyOutageBegan(number, incident, districts, users):
            return Outage(number, districts, users, incident, moment)
        case UnannouncedOutageBegan(number, districts, users):
            return Outage(number, districts, users, None, moment)
    if state is None:
        return None
    if isinstance(recorded.fact, WindowFact):
        return changed(state, ledger=record(state.ledger, recorded.fact))
    return _happened(state, recorded, moment)


def _planned(plan: OutagePlanned, moment: Moment) -> Outage:
    return Outage(
        plan.number,
        plan.districts,
        plan.affected_users,
        None,
        moment,
        approval=plan.approval or None,
        places=plan.places,
        supply=plan.supply,
        fire_affected=plan.fire_affected,
        extent=plan.extent,
        begins=((moment, plan.begin),),
        ends=((moment, plan.end),),
    )


def _happened(outage: Outage, recorded: Recorded, moment: Moment) -> Outage:
    match recorded.fact:
        case OutageNoticeOrdered(way, _, digest):
            return changed(outage, ordered=(*outage.ordered, NoticeOrder(recorded.event_id, way, digest)))
        case OutageNoticeSent(_, _, order):
            delivered = outage.delivered if order is None else outage.delivered | {order}
            return changed(outage, notices=(*outage.notices, moment), delivered=delivered)
        case OutageNoticeProven(notice):
            return changed(outage, proven=outage.proven | {notice})
        case OutageNoticeFailed(order):
            return changed(outage, failed=outage.failed | {order})
        case OutageReported():
            return changed(outage, reports=(*outage.reports, moment))
        case OutageCancelled():
            return changed(outage, cancellations=(*outage.cancellations, moment))
        case OutageStarted():
            return changed(outage, starts=(*outage.starts, moment))
        case OutageExtended(end):
            return changed(outage, ends=(*outage.ends, (moment, end)), extensions=(*outage.extensions, moment))
        case OutageRescheduled(begin, end, approval, supply):
            return changed(
                outage,
                begins=(*outage.begins, (moment, begin)),
                ends=(*outage.ends, (moment, end)),
                approval=approval or outage.approval,
                supply=supply or outage.supply,
            )
        case FireServiceTold():
            return changed(outage, fire_told=(*outage.fire_told, moment))
        case EmergencyWaterProvided(_, litres):
            return changed(outage, water_litres=outage.water_litres + litres)
        case OutageRestored():
            return changed(outage, restorations=(*outage.restorations, moment))
        case _:
            return outage

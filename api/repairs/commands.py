"""Commands on an incident that change further streams with it: the orders of other bodies, and other incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from api.http.caller import Caller
from api.http.commanding import PendingCommand, StaleLookup, named, new_case
from api.repairs import bodies
from domain import kinds
from domain.kernel.facts import EventToAppend
from domain.kernel.geo import GeoPoint, cell_of
from domain.repairs import answers, orders, reports
from domain.repairs.case import Repair
from domain.repairs.facts import OrderReference
from domain.standard.context import CommandContext
from infra.eventstore.commands import NewSubject, Snapshot, Stream, StreamEvent
from infra.eventstore.shipped_rules import MASS, order_stream


def report_fault(caller: Caller, body: bodies.FaultReport, *, number: str, happened_at: datetime) -> PendingCommand:
    """A new incident, of the mass incident that there is in its district then."""
    case = new_case(kinds.REPAIR, caller)
    subject = _reporter(body.reporter, body.place)
    reference = _order_of(body)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        register = snapshot.of(MASS)
        claimed = snapshot.context(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        # A request that only waited claims nothing.
        ctx = reports.as_received(claimed) if body.happened_at is not None else claimed
        fact = reports.report_fault(
            snapshot.of(case),
            ctx,
            case_number=number,
            kind=body.kind,
            district_code=body.district,
            subject=named(subject),
            mass=register.of(body.district, happened_at) if register is not None else None,
            precision=body.precision,
            origin=body.origin,
            order=reference,
            contact=_contact(body.reporter),
            clock_doubted=ctx is not claimed,
            cell=cell_of(_place(body.place)) if body.place is not None else None,
        )
        return [(case, ctx.event(fact)), *_taken_in(snapshot, ctx, body, case.id, 1)]

    return PendingCommand(
        case, caller, decide, others=_stream_of(reference), subject=subject, number=number, reads=(MASS,)
    )


def link_report(caller: Caller, case_id: UUID, body: bodies.FurtherReport, happened_at: datetime) -> PendingCommand:
    """A further report of an incident."""
    case = Stream(kinds.REPAIR, case_id)
    subject = _reporter(body.reporter, body.place)
    reference = _order_of(body)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        linked = reports.link_report(
            _repair(snapshot, case),
            ctx,
            subject=named(subject),
            order=reference,
            precision=body.precision,
            origin=body.origin,
            contact=_contact(body.reporter),
        )
        return [(case, ctx.event(linked)), *_taken_in(snapshot, ctx, body, case_id, linked.report)]

    return PendingCommand(case, caller, decide, others=_stream_of(reference), subject=subject)


def _order_of(body: bodies.FaultReport | bodies.FurtherReport) -> OrderReference | None:
    return OrderReference(body.order.source, body.order.number) if body.order is not None else None


def _stream_of(reference: OrderReference | None) -> tuple[Stream, ...]:
    return (order_stream(reference.source, reference.number),) if reference is not None else ()


def _taken_in(
    snapshot: Snapshot, ctx: CommandContext, body: bodies.FaultReport | bodies.FurtherReport, case_id: UUID, report: int
) -> list[StreamEvent]:
    """The order that a report came with, in its own stream: none is taken in twice."""
    reference = _order_of(body)
    if reference is None or body.order is None:
        return []
    (stream,) = _stream_of(reference)
    reply_by = body.order.reply_by
    received = orders.receive(
        snapshot.of(stream), ctx, order=reference, case_id=case_id, report=report, reply_by=reply_by
    )
    return [(stream, EventToAppend(received, ctx.happened_at))]


def unlink_report(
    caller: Caller,
    case_id: UUID,
    report: int,
    body: bodies.Unlinking,
    *,
    number: str,
    seen: Repair | None,
) -> PendingCommand:
    """Undo a wrong link: the report opens a case of its own, and its outside order goes with it."""
    case, wrong = new_case(kinds.REPAIR, caller), Stream(kinds.REPAIR, case_id)
    order = _stream_of(_order_of_report(seen, report))

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        if _stream_of(_order_of_report(_repair(snapshot, wrong), report)) != order:
            raise StaleLookup
        undone = reports.unlink_report(
            _repair(snapshot, wrong),
            snapshot.context(caller.stamp, snapshot.at, None),
            report=report,
            new_case=case.id,
            case_number=number,
            kind=body.kind,
            district_code=body.district,
        )
        said: list[StreamEvent] = [
            (case, EventToAppend(undone.reported, undone.reported_at)),
            (wrong, EventToAppend(undone.unlinked, snapshot.at)),
        ]
        for stream in order:
            said.append(
                (stream, EventToAppend(orders.move(snapshot.existing(stream), case_id=case.id, report=1), snapshot.at))
            )
        return said

    return PendingCommand(case, caller, decide, others=(wrong, *order), number=number)


def merged(
    snapshot: Snapshot, caller: Caller, case: Stream, body: bodies.Merging, orders_seen: tuple[Stream, ...]
) -> list[StreamEvent]:
    """Two incidents are one burst: reports and outside orders go over to the other one."""
    state, at, into = _repair(snapshot, case), snapshot.at, Stream(kinds.REPAIR, body.into)
    if orders_of(state) != orders_seen:
        raise StaleLookup
    ctx = snapshot.context(caller.stamp, at, body.confirmed_by)
    merged = reports.merge(state, _repair(snapshot, into), ctx, case_id=case.id, into=body.into)
    said: list[StreamEvent] = [(into, EventToAppend(each.linked, each.reported_at)) for each in merged.reports]
    said.append((case, EventToAppend(merged.merged, at)))
    for each in merged.reports:
        for stream in _stream_of(each.linked.order):
            moved = orders.move(snapshot.existing(stream), case_id=body.into, report=each.linked.report)
            said.append((stream, EventToAppend(moved, at)))
    return said


def orders_of(case: Repair | None) -> tuple[Stream, ...]:
    """The orders of other bodies that the incident's reports came with."""
    if case is None:
        return ()
    numbers = [each.number for each in case.reported if each.number not in case.unlinked]
    return tuple(stream for number in numbers for stream in _stream_of(_order_of_report(case, number)))


def _order_of_report(case: Repair | None, number: int) -> OrderReference | None:
    report = case.report(number) if case is not None else None
    return report.order if report is not None else None


def ordered_answer(case: Repair, ctx: CommandContext, report: int, way: str) -> EventToAppend:
    """Have the program answer a reporter."""
    ordered = answers.order_answer(case, ctx, report=report, way=way)
    return EventToAppend(ordered.fact, ctx.happened_at, tells=ordered.message)


def _repair(snapshot: Snapshot, case: Stream) -> Repair:
    state: Repair = snapshot.existing(case)
    return state


def _contact(reporter: bodies.Reporter | None) -> reports.Contact:
    return reporter.contact if reporter is not None else "none"


def _reporter(reporter: bodies.Reporter | None, place: bodies.Position | None) -> NewSubject:
    """Whoever reported; of imported history without one the vault knows the place at most."""
    known = reporter.particulars() if reporter is not None else {}
    where = {} if place is None else {"latitude": f"{place.latitude:.6f}", "longitude": f"{place.longitude:.6f}"}
    return NewSubject(uuid4(), 1, known | where)


def _place(position: bodies.Position) -> GeoPoint:
    return GeoPoint(position.latitude, position.longitude)

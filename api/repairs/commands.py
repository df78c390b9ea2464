"""From a request to one command. Every builder is pure but for the ids it mints: they are made at this edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from api.http.caller import Caller
from api.http.commanding import PendingCommand, StaleLookup, named, new_case, particulars
from api.http.fields import FromTheField
from api.repairs import bodies
from domain import kinds
from domain import repairs as repair
from domain.kernel.facts import EventToAppend, Fact
from domain.kernel.geo import GeoPoint, cell_of
from domain.repairs import orders
from domain.standard.context import CommandContext
from infra.eventstore.commands import NewSubject, Snapshot, Stream, StreamEvent
from infra.eventstore.shipped_rules import order_stream


def report_fault(
    caller: Caller, body: bodies.FaultReport, *, number: str, happened_at: datetime, mass: str | None = None
) -> PendingCommand:
    """A new incident; ``mass``: the mass incident that it belongs to."""
    case = new_case(kinds.REPAIR, caller)
    subject = _reporter(body.reporter, body.place)
    reference = _order_of(body)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        repair.require_reporter(ctx, body.reporter is not None)
        fact = repair.report_fault(
            snapshot.of(case),
            ctx,
            case_number=number,
            kind=body.kind,
            district_code=body.district,
            subject=named(subject),
            mass=mass,
            precision=body.precision,
            origin=body.origin,
            order=reference,
            cell=cell_of(_place(body.place)) if body.place is not None else None,
        )
        return [(case, ctx.event(fact)), *_taken_in(snapshot, ctx, body, case.id, 1)]

    return PendingCommand(case, caller, decide, others=_stream_of(reference), subject=subject, number=number)


def link_report(caller: Caller, case_id: UUID, body: bodies.FurtherReport, happened_at: datetime) -> PendingCommand:
    """A further report of an incident."""
    case = Stream(kinds.REPAIR, case_id)
    subject = _reporter(body.reporter, body.place)
    reference = _order_of(body)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        repair.require_reporter(ctx, body.reporter is not None)
        linked = repair.link_report(
            _repair(snapshot, case),
            ctx,
            subject=named(subject),
            order=reference,
            precision=body.precision,
            origin=body.origin,
        )
        return [(case, ctx.event(linked)), *_taken_in(snapshot, ctx, body, case_id, linked.report)]

    return PendingCommand(case, caller, decide, others=_stream_of(reference), subject=subject)


def _order_of(body: bodies.FaultReport | bodies.FurtherReport) -> repair.OrderReference | None:
    return repair.OrderReference(body.order.source, body.order.number) if body.order is not None else None


def _stream_of(reference: repair.OrderReference | None) -> tuple[Stream, ...]:
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
    seen: repair.Repair | None,
) -> PendingCommand:
    """Undo a wrong link: the report opens a case of its own, and its outside order goes with it."""
    case, wrong = new_case(kinds.REPAIR, caller), Stream(kinds.REPAIR, case_id)
    order = _stream_of(_order_of_report(seen, report))

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        if _stream_of(_order_of_report(_repair(snapshot, wrong), report)) != order:
            raise StaleLookup
        undone = repair.unlink_report(
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
                (stream, EventToAppend(orders.move(snapshot.of(stream), case_id=case.id, report=1), snapshot.at))
            )
        return said

    return PendingCommand(case, caller, decide, others=(wrong, *order), number=number)


def merge(caller: Caller, case_id: UUID, body: bodies.Merging, *, seen: repair.Repair | None) -> PendingCommand:
    """Two incidents are one burst: reports and outside orders go over to the other one, and the crew is free."""
    case, into = Stream(kinds.REPAIR, case_id), Stream(kinds.REPAIR, body.into)
    streams = _orders_of(seen)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        state, at = _repair(snapshot, case), snapshot.at
        if _orders_of(state) != streams:
            raise StaleLookup
        ctx = snapshot.context(caller.stamp, at, body.confirmed_by)
        merged = repair.merge(state, _repair(snapshot, into), ctx, case_id=case_id, into=body.into)
        said: list[StreamEvent] = [(into, EventToAppend(each.linked, each.reported_at)) for each in merged.reports]
        said.append((case, EventToAppend(merged.merged, at)))
        for each in merged.reports:
            for stream in _stream_of(each.linked.order):
                moved = orders.move(snapshot.of(stream), case_id=body.into, report=each.linked.report)
                said.append((stream, EventToAppend(moved, at)))
        return said

    return PendingCommand(case, caller, decide, others=(into, *streams))


def _orders_of(case: repair.Repair | None) -> tuple[Stream, ...]:
    if case is None:
        return ()
    numbers = [each.number for each in case.reported if each.number not in case.unlinked]
    return tuple(stream for number in numbers for stream in _stream_of(_order_of_report(case, number)))


def _order_of_report(case: repair.Repair | None, number: int) -> repair.OrderReference | None:
    report = case.report(number) if case is not None else None
    return report.order if report is not None else None


def answer_reporter(
    caller: Caller, case_id: UUID, report: int, body: bodies.ReporterAnswer, happened_at: datetime
) -> PendingCommand:
    """A reporter was told what became of it."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.answer_reporter(case, ctx, report=report, way=body.way, digest=body.digest),
    )


def apologise(
    caller: Caller, case_id: UUID, report: int, body: bodies.ReporterAnswer, happened_at: datetime
) -> PendingCommand:
    """A reporter was told that we are sorry."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.apologise(case, ctx, report=report, way=body.way, digest=body.digest),
    )


def order_answer(caller: Caller, case_id: UUID, report: int, body: bodies.AnswerByProgram) -> PendingCommand:
    """Have the program answer a reporter."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ordered = repair.order_answer(
            _repair(snapshot, case), snapshot.context(caller.stamp), report=report, way=body.way
        )
        return [(case, EventToAppend(ordered.fact, snapshot.at, tells=ordered.message))]

    return PendingCommand(case, caller, decide)


def acknowledge(
    caller: Caller, case_id: UUID, body: bodies.DispatchConfirmation, happened_at: datetime
) -> PendingCommand:
    """The crew confirms."""
    return _from_the_field(
        caller, case_id, body, happened_at, lambda case, ctx: repair.acknowledge(case, ctx, crew=body.crew)
    )


def arrive(
    caller: Caller,
    case_id: UUID,
    body: bodies.Arrival,
    happened_at: datetime,
    evidence: repair.ArrivalEvidence | None,
) -> PendingCommand:
    """The crew is on site."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.arrive(case, ctx, crew=body.crew, evidence=evidence),
    )


def assess(caller: Caller, case_id: UUID, body: bodies.Assessment, happened_at: datetime) -> PendingCommand:
    """Class the repair."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.assess(case, ctx, severity=body.severity, reason=body.reason),
    )


def reassess(caller: Caller, case_id: UUID, body: bodies.Reassessment, happened_at: datetime) -> PendingCommand:
    """Give the repair another class."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.reassess(
            case,
            ctx,
            severity=body.severity,
            reason=body.reason,
            evidence_digest=body.evidence_digest,
            approved_by=body.approved_by,
        ),
    )


def log_work(caller: Caller, case_id: UUID, body: bodies.WorkLog, happened_at: datetime) -> PendingCommand:
    """The crew is at work."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.log_work(case, ctx, note=body.note, crew=body.crew),
    )


def find_user_side(caller: Caller, case_id: UUID, body: FromTheField, happened_at: datetime) -> PendingCommand:
    """The fault lies behind the meter."""
    return _from_the_field(caller, case_id, body, happened_at, repair.find_user_side)


def consent(caller: Caller, case_id: UUID, body: bodies.Consent, happened_at: datetime) -> PendingCommand:
    """The user agreed to a paid service."""
    digest = body.consent_digest
    return _from_the_field(
        caller, case_id, body, happened_at, lambda case, ctx: repair.consent(case, ctx, consent_digest=digest)
    )


def start_paid_service(caller: Caller, case_id: UUID, body: bodies.PaidService) -> PendingCommand:
    """The crew begins the paid service."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, snapshot.at, None)
        return [
            (case, EventToAppend(repair.start_paid_service(_repair(snapshot, case), ctx, crew=body.crew), snapshot.at))
        ]

    return PendingCommand(case, caller, decide)


def complete(caller: Caller, case_id: UUID, body: bodies.Completion, happened_at: datetime) -> PendingCommand:
    """The repair is done."""
    return _from_the_field(
        caller, case_id, body, happened_at, lambda case, ctx: repair.complete(case, ctx, precision=body.precision)
    )


def dismiss(caller: Caller, case_id: UUID, body: bodies.IncidentDismissal, happened_at: datetime) -> PendingCommand:
    """The incident needs no repair of ours."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.dismiss(
            case, ctx, reason=body.reason, evidence_digest=body.evidence_digest, precision=body.precision
        ),
    )


def reject_evidence(caller: Caller, case_id: UUID, body: bodies.Rejection) -> PendingCommand:
    """What was told from the field did not happen so."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, None, body.confirmed_by)
        rejected = repair.reject_evidence(
            _repair(snapshot, case),
            ctx,
            event=body.event_id,
            reason=body.reason,
            evidence_digest=body.evidence_digest,
        )
        return [(case, ctx.event(rejected))]

    return PendingCommand(case, caller, decide)


def identify_pipe(caller: Caller, case_id: UUID, body: bodies.Pipe, happened_at: datetime) -> PendingCommand:
    """Which pipe failed."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.identify_pipe(
            case, ctx, asset=body.asset, material=body.material, dn_mm=body.dn_mm, laid_in=body.laid_in
        ),
    )


def correct(caller: Caller, case_id: UUID, body: bodies.Correction, happened_at: datetime) -> PendingCommand:
    """A detail is another one."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, ctx: repair.correct(case, ctx, detail=body.detail, old=body.old, new=body.new),
    )


def restore_water(caller: Caller, case_id: UUID, body: FromTheField, happened_at: datetime) -> PendingCommand:
    """Water flows again."""
    return _from_the_field(caller, case_id, body, happened_at, repair.restore_water)


def close(caller: Caller, case_id: UUID) -> PendingCommand:
    """Close the file."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(case, EventToAppend(repair.close(_repair(snapshot, case), ctx), ctx.happened_at))]

    return PendingCommand(case, caller, decide)


def _from_the_field(
    caller: Caller,
    case_id: UUID,
    body: FromTheField,
    happened_at: datetime,
    say: Callable[[repair.Repair | None, CommandContext], Fact],
) -> PendingCommand:
    case = Stream(kinds.REPAIR, case_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        return [(case, ctx.event(say(_repair(snapshot, case), ctx)))]

    return PendingCommand(case, caller, decide)


def _repair(snapshot: Snapshot, case: Stream) -> repair.Repair | None:
    state: repair.Repair | None = snapshot.of(case)
    return state


def _reporter(reporter: bodies.Reporter | None, place: bodies.Position | None) -> NewSubject:
    """Whoever reported; of imported history without one the vault knows the place at most."""
    known = particulars(reporter) if reporter is not None else {}
    where = {} if place is None else {"latitude": f"{place.latitude:.6f}", "longitude": f"{place.longitude:.6f}"}
    return NewSubject(uuid4(), 1, known | where)


def _place(position: bodies.Position) -> GeoPoint:
    return GeoPoint(position.latitude, position.longitude)

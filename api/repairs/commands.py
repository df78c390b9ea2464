"""From a request to one command. Every builder is pure but for the ids it mints: they are made at this edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from api.http.caller import Caller
from api.http.commanding import LookAgain, Order, named, new_case, particulars
from api.http.fields import FromTheField
from api.repairs import bodies
from domain import kinds
from domain import repairs as repair
from domain.kernel.facts import Fact, Stated
from domain.kernel.geo import Place, cell_of
from domain.repairs import orders
from domain.standard.context import Told
from infra.eventstore.commands import NewSubject, Said, Sight, Stream
from infra.eventstore.shipped_rules import order_stream

REPAIR_NUMBERS = "BX"
"""报修"""


def report_fault(
    caller: Caller, body: bodies.FaultReport, *, number: str, happened_at: datetime, mass: str | None = None
) -> Order:
    """A new incident; ``mass``: the mass incident that it belongs to."""
    case = new_case(kinds.REPAIR, caller)
    subject = _reporter(body.reporter, body.place)
    reference = _order_of(body)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        repair.require_reporter(told, body.reporter is not None)
        fact = repair.report_fault(
            sight.of(case),
            told,
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
        return [(case, told.stated(fact)), *_taken_in(sight, told, body, case.id, 1)]

    return Order(case, caller, decide, others=_stream_of(reference), subject=subject, number=number)


def link_report(caller: Caller, case_id: UUID, body: bodies.FurtherReport, happened_at: datetime) -> Order:
    """A further report of an incident."""
    case = Stream(kinds.REPAIR, case_id)
    subject = _reporter(body.reporter, body.place)
    reference = _order_of(body)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        repair.require_reporter(told, body.reporter is not None)
        linked = repair.link_report(
            _repair(sight, case),
            told,
            subject=named(subject),
            order=reference,
            precision=body.precision,
            origin=body.origin,
        )
        return [(case, told.stated(linked)), *_taken_in(sight, told, body, case_id, linked.report)]

    return Order(case, caller, decide, others=_stream_of(reference), subject=subject)


def _order_of(body: bodies.FaultReport | bodies.FurtherReport) -> repair.OrderReference | None:
    return repair.OrderReference(body.order.source, body.order.number) if body.order is not None else None


def _stream_of(reference: repair.OrderReference | None) -> tuple[Stream, ...]:
    return (order_stream(reference.source, reference.number),) if reference is not None else ()


def _taken_in(
    sight: Sight, told: Told, body: bodies.FaultReport | bodies.FurtherReport, case_id: UUID, report: int
) -> list[Said]:
    """The order that a report came with, in its own stream: none is taken in twice."""
    reference = _order_of(body)
    if reference is None or body.order is None:
        return []
    (stream,) = _stream_of(reference)
    reply_by = body.order.reply_by
    received = orders.receive(
        sight.of(stream), told, order=reference, case_id=case_id, report=report, reply_by=reply_by
    )
    return [(stream, Stated(received, told.happened_at))]


def unlink_report(
    caller: Caller,
    case_id: UUID,
    report: int,
    body: bodies.Unlinking,
    *,
    number: str,
    seen: repair.Repair | None,
) -> Order:
    """Undo a wrong link: the report opens a case of its own, and its outside order goes with it."""
    case, wrong = new_case(kinds.REPAIR, caller), Stream(kinds.REPAIR, case_id)
    order = _stream_of(_order_of_report(seen, report))

    def decide(sight: Sight) -> Sequence[Said]:
        if _stream_of(_order_of_report(_repair(sight, wrong), report)) != order:
            raise LookAgain
        undone = repair.unlink_report(
            _repair(sight, wrong),
            sight.told(caller.stamp, sight.at, None),
            report=report,
            new_case=case.id,
            case_number=number,
            kind=body.kind,
            district_code=body.district,
        )
        said: list[Said] = [
            (case, Stated(undone.reported, undone.reported_at)),
            (wrong, Stated(undone.unlinked, sight.at)),
        ]
        for stream in order:
            said.append((stream, Stated(orders.move(sight.of(stream), case_id=case.id, report=1), sight.at)))
        return said

    return Order(case, caller, decide, others=(wrong, *order), number=number)


def merge(caller: Caller, case_id: UUID, body: bodies.Merging, *, seen: repair.Repair | None) -> Order:
    """Two incidents are one burst: reports and outside orders go over to the other one, and the crew is free."""
    case, into = Stream(kinds.REPAIR, case_id), Stream(kinds.REPAIR, body.into)
    streams = _orders_of(seen)

    def decide(sight: Sight) -> Sequence[Said]:
        state, at = _repair(sight, case), sight.at
        if _orders_of(state) != streams:
            raise LookAgain
        told = sight.told(caller.stamp, at, body.confirmed_by)
        merged = repair.merge(state, _repair(sight, into), told, case_id=case_id, into=body.into)
        said: list[Said] = [(into, Stated(each.linked, each.reported_at)) for each in merged.reports]
        said.append((case, Stated(merged.merged, at)))
        for each in merged.reports:
            for stream in _stream_of(each.linked.order):
                moved = orders.move(sight.of(stream), case_id=body.into, report=each.linked.report)
                said.append((stream, Stated(moved, at)))
        return said

    return Order(case, caller, decide, others=(into, *streams))


def _orders_of(case: repair.Repair | None) -> tuple[Stream, ...]:
    if case is None:
        return ()
    numbers = [each.number for each in case.reported if each.number not in case.unlinked]
    return tuple(stream for number in numbers for stream in _stream_of(_order_of_report(case, number)))


def _order_of_report(case: repair.Repair | None, number: int) -> repair.OrderReference | None:
    report = case.report(number) if case is not None else None
    return report.order if report is not None else None


def answer_reporter(caller: Caller, case_id: UUID, report: int, body: bodies.Answer, happened_at: datetime) -> Order:
    """A reporter was told what became of it."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.answer_reporter(case, told, report=report, way=body.way, digest=body.digest),
    )


def apologise(caller: Caller, case_id: UUID, report: int, body: bodies.Answer, happened_at: datetime) -> Order:
    """A reporter was told that we are sorry."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.apologise(case, told, report=report, way=body.way, digest=body.digest),
    )


def order_answer(caller: Caller, case_id: UUID, report: int, body: bodies.AnswerByProgram) -> Order:
    """Have the program answer a reporter."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(sight: Sight) -> Sequence[Said]:
        ordered = repair.order_answer(_repair(sight, case), sight.told(caller.stamp), report=report, way=body.way)
        return [(case, Stated(ordered.fact, sight.at, tells=ordered.message))]

    return Order(case, caller, decide)


def acknowledge(caller: Caller, case_id: UUID, body: bodies.Acknowledgement, happened_at: datetime) -> Order:
    """The crew confirms."""
    return _from_the_field(
        caller, case_id, body, happened_at, lambda case, told: repair.acknowledge(case, told, crew=body.crew)
    )


def arrive(
    caller: Caller,
    case_id: UUID,
    body: bodies.Arrival,
    happened_at: datetime,
    evidence: repair.ArrivalEvidence | None,
) -> Order:
    """The crew is on site."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.arrive(case, told, crew=body.crew, evidence=evidence),
    )


def assess(caller: Caller, case_id: UUID, body: bodies.Assessment, happened_at: datetime) -> Order:
    """Class the repair."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.assess(case, told, severity=body.severity, reason=body.reason),
    )


def reassess(caller: Caller, case_id: UUID, body: bodies.Reassessment, happened_at: datetime) -> Order:
    """Give the repair another class."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.reassess(
            case,
            told,
            severity=body.severity,
            reason=body.reason,
            evidence_digest=body.evidence_digest,
            approved_by=body.approved_by,
        ),
    )


def log_work(caller: Caller, case_id: UUID, body: bodies.WorkLog, happened_at: datetime) -> Order:
    """The crew is at work."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.log_work(case, told, note=body.note, crew=body.crew),
    )


def find_user_side(caller: Caller, case_id: UUID, body: FromTheField, happened_at: datetime) -> Order:
    """The fault lies behind the meter."""
    return _from_the_field(caller, case_id, body, happened_at, repair.find_user_side)


def consent(caller: Caller, case_id: UUID, body: bodies.Consent, happened_at: datetime) -> Order:
    """The user agreed to a paid service."""
    digest = body.consent_digest
    return _from_the_field(
        caller, case_id, body, happened_at, lambda case, told: repair.consent(case, told, consent_digest=digest)
    )


def start_paid_service(caller: Caller, case_id: UUID, body: bodies.PaidService) -> Order:
    """The crew begins the paid service."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp, sight.at, None)
        return [(case, Stated(repair.start_paid_service(_repair(sight, case), told, crew=body.crew), sight.at))]

    return Order(case, caller, decide)


def complete(caller: Caller, case_id: UUID, body: bodies.Completion, happened_at: datetime) -> Order:
    """The repair is done."""
    return _from_the_field(
        caller, case_id, body, happened_at, lambda case, told: repair.complete(case, told, precision=body.precision)
    )


def dismiss(caller: Caller, case_id: UUID, body: bodies.Dismissal, happened_at: datetime) -> Order:
    """The incident needs no repair of ours."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.dismiss(
            case, told, reason=body.reason, evidence_digest=body.evidence_digest, precision=body.precision
        ),
    )


def reject_evidence(caller: Caller, case_id: UUID, body: bodies.Rejection) -> Order:
    """What was told from the field did not happen so."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp, None, body.confirmed_by)
        rejected = repair.reject_evidence(
            _repair(sight, case),
            told,
            event=body.event_id,
            reason=body.reason,
            evidence_digest=body.evidence_digest,
        )
        return [(case, told.stated(rejected))]

    return Order(case, caller, decide)


def identify_pipe(caller: Caller, case_id: UUID, body: bodies.Pipe, happened_at: datetime) -> Order:
    """Which pipe failed."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.identify_pipe(
            case, told, asset=body.asset, material=body.material, dn_mm=body.dn_mm, laid_in=body.laid_in
        ),
    )


def correct(caller: Caller, case_id: UUID, body: bodies.Correction, happened_at: datetime) -> Order:
    """A detail is another one."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.correct(case, told, detail=body.detail, old=body.old, new=body.new),
    )


def restore_water(caller: Caller, case_id: UUID, body: FromTheField, happened_at: datetime) -> Order:
    """Water flows again."""
    return _from_the_field(caller, case_id, body, happened_at, repair.restore_water)


def close(caller: Caller, case_id: UUID) -> Order:
    """Close the file."""
    case = Stream(kinds.REPAIR, case_id)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp)
        return [(case, Stated(repair.close(_repair(sight, case), told), told.happened_at))]

    return Order(case, caller, decide)


def _from_the_field(
    caller: Caller,
    case_id: UUID,
    body: FromTheField,
    happened_at: datetime,
    say: Callable[[repair.Repair | None, Told], Fact],
) -> Order:
    case = Stream(kinds.REPAIR, case_id)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp, happened_at, body.confirmed_by, body.reported_at)
        return [(case, told.stated(say(_repair(sight, case), told)))]

    return Order(case, caller, decide)


def _repair(sight: Sight, case: Stream) -> repair.Repair | None:
    state: repair.Repair | None = sight.of(case)
    return state


def _reporter(reporter: bodies.Reporter | None, place: bodies.Position | None) -> NewSubject:
    """Whoever reported; of imported history without one the vault knows the place at most."""
    known = particulars(reporter) if reporter is not None else {}
    where = {} if place is None else {"latitude": f"{place.latitude:.6f}", "longitude": f"{place.longitude:.6f}"}
    return NewSubject(uuid4(), 1, known | where)


def _place(position: bodies.Position) -> Place:
    return Place(position.latitude, position.longitude)

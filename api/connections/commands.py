"""From a request on a connection case to one command.

Most commands need nothing but the case. Some name further streams that change with it or are looked at: a meter, the
days of squads, the applicant and the cases that hold their commitments. Which ones is known only after a look at the
case; if the look was out of date by the time of the decision, the command looks again (``StaleLookup``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends
from starlette.concurrency import run_in_threadpool

from api.citizens.links import open_case_with_link
from api.connections import bodies
from api.http.answers import Accepted, FollowedAccepted
from api.http.caller import Caller
from api.http.commanding import (
    CommandRunner,
    Decision,
    PendingCommand,
    StaleLookup,
    events,
    meter_number,
    named,
    particulars,
    retry_on_stale,
    runner_of,
)
from api.http.fields import FromTheField
from domain import kinds
from domain.connections import accounts, applicants, intake, papers, site, visits
from domain.connections.case import Connection, Visit
from domain.connections.facts import MeterInstalled, MoneyLine, NoticeItem, SupplyPoint
from domain.crews import squads
from domain.deadlines.calendar import local_date
from domain.kernel.facts import EventToAppend
from domain.kernel.subjects import Subject
from domain.metering import meters as usage
from domain.metering.meters import MeterDetails
from domain.standard.context import CommandContext
from infra.eventstore.commands import NewSubject, Snapshot, Stream, StreamEvent
from infra.eventstore.pseudonyms import pseudonym, pseudonym_key
from infra.eventstore.shipped_rules import meter_stream, squad_day_stream, squad_stream

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.CONNECTION))]


# ---- intake: the case, its applicant, and the cases that hold the applicant's commitments


async def receive(runner: CommandRunner, body: bodies.Application) -> FollowedAccepted:
    """A new application. Its applicant is recognised by a pseudonym, and barred by what their other cases hold."""
    number, turn = runner.new_number(), runner.service.next_turn()
    key = await run_in_threadpool(pseudonym_key, runner.service)
    who = pseudonym(key, name=body.applicant.name, phone=body.applicant.phone, id_number=body.applicant.id_number)
    happened_at = body.happened_at or runner.now()
    case = runner.new_case()

    async def attempt() -> FollowedAccepted:
        held = _held(await runner.load(Stream(kinds.APPLICANT, who)))
        return await open_case_with_link(
            runner, _received(runner.caller, case, body, number, turn, who, held, happened_at)
        )

    return await retry_on_stale(attempt)


def _received(
    caller: Caller,
    case: Stream,
    body: bodies.Application,
    number: str,
    turn: int,
    who: UUID,
    held: Iterable[UUID],
    happened_at: datetime,
) -> PendingCommand:
    applicant = Stream(kinds.APPLICANT, who)
    holding = _cases(held)
    subject = NewSubject(uuid4(), 1, particulars(body.applicant))
    form = _form(body, subject, who)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = as_claimed(snapshot, caller, body, happened_at)
        if body.happened_at is not None:  # a request that only waited claims nothing
            ctx = intake.as_received(ctx)
        facts = intake.receive(
            snapshot.of(case),
            ctx,
            case_number=number,
            form=form,
            barred=_is_barred(snapshot, applicant),
            claimed_at=body.happened_at,
            turn=turn,
        )
        return events(case, facts, ctx)

    return PendingCommand(case, caller, decide, others=(applicant, *holding), subject=subject, number=number)


def _form(body: bodies.Application, subject: NewSubject, who: UUID) -> intake.Form:
    return intake.Form(
        category=body.category,
        supply_points=body.supply_points,
        subject=named(subject),
        points=tuple(SupplyPoint(p.address_code, p.usage_split, p.household_size) for p in body.points),
        documents=tuple(supplied(document) for document in body.documents),
        applicant=who,
        declined_outstanding=body.declined_outstanding,
        consultation=body.consultation,
        district=body.district,
    )


def supplied(body: bodies.DocumentBody) -> intake.Supplied:
    """The document of a body."""
    return intake.Supplied(body.document, body.way, body.digest)


async def promise_papers(runner: CommandRunner, case_id: UUID, body: bodies.PapersCommitment) -> Accepted:
    """The applicant commits, with a look at the cases that hold their earlier commitments."""

    async def attempt() -> Accepted:
        case: Connection | None = await runner.load(Stream(kinds.CONNECTION, case_id))
        who = case.applicant if case is not None else None
        if who is None:  # an application from before applicants were recognised: nothing can bar it
            return await runner.instruct(case_id, _promise(body))
        applicant = Stream(kinds.APPLICANT, who)
        held = _held(await runner.load(applicant))
        return await runner.carry_out(_promised(runner.caller, case_id, body, applicant, held))

    return await retry_on_stale(attempt)


def _promise(body: bodies.PapersCommitment, *, barred: bool = False) -> Decision:
    return lambda case, ctx: papers.promise_papers(
        case,
        ctx,
        papers=body.papers,
        deadline=body.deadline,
        commitment_digest=body.commitment_digest,
        barred=barred,
    )


def _promised(
    caller: Caller, case_id: UUID, body: bodies.PapersCommitment, applicant: Stream, held: Iterable[UUID]
) -> PendingCommand:
    """The commitment, noted in the applicant's own stream too."""
    case = Stream(kinds.CONNECTION, case_id)
    others = tuple(one for one in _cases(held) if one != case)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        promised = _promise(body, barred=_is_barred(snapshot, applicant))(snapshot.existing(case), ctx)
        entered = applicants.enter_commitment(snapshot.of(applicant), case_id=case_id)
        return [*events(case, promised, ctx), *events(applicant, entered, ctx)]

    return PendingCommand(case, caller, decide, others=(applicant, *others))


def _held(applicant: applicants.Applicant | None) -> tuple[UUID, ...]:
    return applicant.cases if applicant is not None else ()


def _cases(ids: Iterable[UUID]) -> tuple[Stream, ...]:
    return tuple(Stream(kinds.CONNECTION, id_) for id_ in ids)


def _is_barred(snapshot: Snapshot, applicant: Stream) -> bool:
    """Whether a commitment of the applicant's bars them, as the cases stand in this very decision.

    The command named the cases that the applicant's stream held when it was looked at. Another application of the same
    person may have entered a commitment since: then the decision does not see that case, and must look again.
    """
    held = _held(snapshot.of(applicant))
    if any(case not in snapshot.states for case in held):
        raise StaleLookup
    return applicants.is_barred((snapshot.states[case] for case in held), snapshot.at)


def items(listed: Iterable[bodies.DocumentDefect]) -> tuple[NoticeItem, ...]:
    """The items of a notice."""
    return tuple(NoticeItem(item.document, item.defect) for item in listed)


def money(listed: Iterable[bodies.MoneyBody]) -> tuple[MoneyLine, ...]:
    """The lines of a payment."""
    return tuple(MoneyLine(line.fee, line.amount_fen) for line in listed)


# ---- meters


def as_claimed(snapshot: Snapshot, caller: Caller, body: FromTheField, happened_at: datetime) -> CommandContext:
    """The context of a fact from the field: with its second person and the time of the device, where the body has
    them."""
    return snapshot.context(caller.stamp, happened_at, body.confirmed_by, body.reported_at)


def install_meter(
    caller: Caller, case_id: UUID, point: int, body: bodies.MeterIn, happened_at: datetime
) -> PendingCommand:
    """The meter goes in; case and meter change together or not at all."""
    case = Stream(kinds.CONNECTION, case_id)
    details = meter_details(body.meter)
    meter = meter_stream(details.number)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = as_claimed(snapshot, caller, body, happened_at)
        installed = site.install_meter(snapshot.existing(case), ctx, point=point, meter=details)
        return [*events(case, installed, ctx), _in_service(snapshot, meter, details, case_id, point, ctx)]

    return PendingCommand(case, caller, decide, others=(meter,))


def replace_meter(
    caller: Caller, case_id: UUID, point: int, body: bodies.MeterReplacement, happened_at: datetime
) -> Callable[[Connection | None], PendingCommand]:
    """One meter out, another in: the case and both meters change together or not at all."""
    case = Stream(kinds.CONNECTION, case_id)
    details = meter_details(body.meter)
    new = meter_stream(details.number)

    def looked(found: Connection | None) -> PendingCommand:
        known = found.meters.get(point) if found is not None else None
        old = meter_stream(known.number) if known is not None else new

        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            ctx = as_claimed(snapshot, caller, body, happened_at)
            fact = site.replace_meter(
                snapshot.existing(case),
                ctx,
                point=point,
                final_reading_m3=body.final_reading_m3,
                meter=details,
                reason=body.reason,
            )
            if known is None or fact.old_meter != known.number:
                raise StaleLookup
            out = usage.take_out(
                snapshot.of(old),
                number=fact.old_meter,
                case_id=case_id,
                point=point,
                final_reading_m3=fact.final_reading_m3,
            )
            goes_in = _in_service(snapshot, new, details, case_id, point, ctx)
            return [*events(case, fact, ctx), (old, EventToAppend(out, ctx.happened_at)), goes_in]

        return PendingCommand(case, caller, decide, others=tuple(dict.fromkeys((old, new))))

    return looked


def turn_water_on(
    caller: Caller, case_id: UUID, point: int, body: bodies.WaterOn, happened_at: datetime
) -> PendingCommand:
    """Water on at one supply point; a meter that goes in with it changes with the case or not at all."""
    case = Stream(kinds.CONNECTION, case_id)
    details = meter_details(body.meter) if body.meter is not None else None
    meter = meter_stream(details.number) if details is not None else None

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = as_claimed(snapshot, caller, body, happened_at)
        facts = site.turn_water_on(snapshot.existing(case), ctx, point=point, meter=details)
        goes_in = any(isinstance(fact, MeterInstalled) for fact in facts)
        if meter is None or details is None or not goes_in:
            return events(case, facts, ctx)
        return [*events(case, facts, ctx), _in_service(snapshot, meter, details, case_id, point, ctx)]

    return PendingCommand(case, caller, decide, others=(meter,) if meter is not None else ())


def _in_service(
    snapshot: Snapshot, meter: Stream, details: MeterDetails, case_id: UUID, point: int, ctx: CommandContext
) -> tuple[Stream, EventToAppend]:
    fact = usage.put_into_service(snapshot.of(meter), number=details.number, case_id=case_id, point=point)
    return meter, EventToAppend(fact, ctx.happened_at)


def meter_details(body: bodies.MeterBody) -> MeterDetails:
    """The meter of a body."""
    return MeterDetails(
        number=meter_number(body.number),
        body_code=body.body_code.strip(),
        dn_mm=body.dn_mm,
        verified_on=body.verified_on,
        expires_on=body.expires_on,
        initial_reading_m3=body.initial_reading_m3,
        dial_max_m3=body.dial_max_m3,
        q3_m3h=body.q3_m3h,
    )


# ---- once water is on: the customer's particulars go to the vault, the events name them by reference


async def change_customer(runner: CommandRunner, case_id: UUID, point: int, body: bodies.CustomerChange) -> Accepted:
    """A supply point is handed over to somebody else."""
    case = Stream(kinds.CONNECTION, case_id)
    key = await run_in_threadpool(pseudonym_key, runner.service)
    who = pseudonym(key, name=body.customer.name, phone=body.customer.phone, id_number=body.customer.id_number)
    subject = NewSubject(uuid4(), 1, particulars(body.customer))

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(runner.caller.stamp)
        changed = accounts.change_customer(
            snapshot.existing(case),
            ctx,
            point=point,
            subject=named(subject),
            customer=who,
            contract=body.contract,
            reading_m3=body.reading_m3,
            reason=body.reason,
            document_digest=body.document_digest,
            effective_at=body.effective_at,
        )
        return events(case, changed, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, subject=subject))


async def rename_customer(runner: CommandRunner, case_id: UUID, point: int, body: bodies.Renaming) -> Accepted:
    """The customer's new name is a further revision in the vault, of the same subject."""
    case = Stream(kinds.CONNECTION, case_id)

    async def attempt() -> Accepted:
        known: Connection | None = await runner.load(case)
        found = accounts.next_revision(known, point, runner.service.clock.now())
        if known is None or found is None:  # nothing to rename: the decision says why
            return await runner.carry_out(_renamed(runner.caller, case, point, body, None, same_name=False))
        present = known.accounts[point].customer_at(runner.service.clock.now()).subject
        kept = await run_in_threadpool(runner.service.particulars, [present])
        same = any(one.get("name") == body.customer.name for one in kept)
        return await runner.carry_out(_renamed(runner.caller, case, point, body, found, same_name=same))

    return await retry_on_stale(attempt)


def _renamed(
    caller: Caller, case: Stream, point: int, body: bodies.Renaming, found: Subject | None, *, same_name: bool
) -> PendingCommand:
    revised = found or Subject(uuid4(), 1)
    subject = NewSubject(revised.id, revised.revision, particulars(body.customer))

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        if accounts.next_revision(snapshot.existing(case), point, ctx.happened_at) != found:
            raise StaleLookup
        fact = accounts.rename_customer(
            snapshot.existing(case),
            ctx,
            point=point,
            subject=revised,
            same_name=same_name,
            document_digest=body.document_digest,
        )
        return events(case, fact, ctx)

    return PendingCommand(case, caller, decide, subject=subject)


# ---- visits: the case, and the days of the squads


def book_visit(caller: Caller, case_id: UUID, body: bodies.VisitBooking) -> PendingCommand:
    """A visit, in the case and on the squad's day."""
    case = Stream(kinds.CONNECTION, case_id)
    roster, day = squad_stream(body.squad), _day(body.squad, body.begin)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        booked = visits.book(
            snapshot.existing(case),
            ctx,
            visit=body.visit,
            squad=body.squad,
            purpose=body.purpose,
            begin=body.begin,
            end=body.end,
        )
        taken = squads.book(
            snapshot.of(day),
            roster=snapshot.of(roster),
            visit=body.visit,
            case_id=case_id,
            begin=body.begin,
            end=body.end,
            at=snapshot.at,
        )
        return [*events(case, booked, ctx), *events(day, taken, ctx)]

    return PendingCommand(case, caller, decide, others=(roster, day))


def reassign_visit(
    caller: Caller, case_id: UUID, visit: UUID, body: bodies.VisitReassignment, case_seen: Connection | None
) -> PendingCommand:
    """A visit that moves: off one squad's day and onto another's, or within the same one."""
    case = Stream(kinds.CONNECTION, case_id)
    roster, after = squad_stream(body.squad), _day(body.squad, body.begin)
    before = _day_of(case_seen, visit)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        moved = visits.reassign(
            snapshot.existing(case), ctx, visit=visit, squad=body.squad, begin=body.begin, end=body.end
        )
        _require_seen(snapshot, case, visit, before)
        assert before is not None
        released = squads.release(snapshot.of(before), visit=visit)
        taken = squads.book(
            squads.without(snapshot.of(after), visit),
            roster=snapshot.of(roster),
            visit=visit,
            case_id=case_id,
            begin=body.begin,
            end=body.end,
            at=snapshot.at,
        )
        return [*events(case, moved, ctx), *events(before, released, ctx), *events(after, taken, ctx)]

    days = {day.id: day for day in (before, after) if day is not None}
    return PendingCommand(case, caller, decide, others=(roster, *days.values()))


def make_visit(
    caller: Caller,
    case_id: UUID,
    visit: UUID,
    body: bodies.VisitMade,
    happened_at: datetime,
    case_seen: Connection | None,
) -> PendingCommand:
    """The squad was there."""
    case, day = Stream(kinds.CONNECTION, case_id), _day_of(case_seen, visit)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = as_claimed(snapshot, caller, body, happened_at)
        made = visits.make(snapshot.existing(case), ctx, visit=visit, papers_collected=body.papers_collected)
        _require_seen(snapshot, case, visit, day)
        assert day is not None
        return [*events(case, made, ctx), *events(day, squads.make(snapshot.of(day), visit=visit), ctx)]

    return PendingCommand(case, caller, decide, others=(day,) if day is not None else ())


def cancel_visit(
    caller: Caller, case_id: UUID, visit: UUID, body: bodies.Reason, case_seen: Connection | None
) -> PendingCommand:
    """Nobody comes; the squad is free."""
    case, day = Stream(kinds.CONNECTION, case_id), _day_of(case_seen, visit)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        cancelled = visits.cancel(snapshot.existing(case), ctx, visit=visit, reason=body.reason)
        _require_seen(snapshot, case, visit, day)
        assert day is not None
        return [*events(case, cancelled, ctx), *events(day, squads.release(snapshot.of(day), visit=visit), ctx)]

    return PendingCommand(case, caller, decide, others=(day,) if day is not None else ())


def _day(squad: str, begin: datetime) -> Stream:
    return squad_day_stream(squad, local_date(begin))


def _day_of(case: Connection | None, visit: UUID) -> Stream | None:
    """The squad's day that the visit stands on, as far as the case shows it."""
    booked: Visit | None = case.visits.get(visit) if case is not None else None
    return _day(booked.squad, booked.begin) if booked is not None else None


def _require_seen(snapshot: Snapshot, case: Stream, visit: UUID, day: Stream | None) -> None:
    """The day that the command named is the one on which the visit stands; else it moved since the look."""
    if day is None or _day_of(snapshot.existing(case), visit) != day:
        raise StaleLookup

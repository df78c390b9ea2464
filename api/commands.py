"""From a request to one command. Every builder is pure but for the ids it mints: they are made at this edge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from fastapi import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api import bodies
from api.answers import Accepted
from api.caller import Caller
from domain import kinds, repair
from domain.facts import Fact, Stated
from domain.kinds import Kind
from domain.refusals import Refusal
from domain.subjects import Subject
from domain.told import Told
from infra.rules import NAMESPACE
from infra.service import Service
from infra.store.commands import Command, NewSubject, Said, Sight, Stream

REPAIR_NUMBERS = "BX"
"""报修"""


class Order:
    """A command, and the number of its case: noted when it is decided, since a receipt names the id only."""

    def __init__(
        self,
        case: Stream,
        caller: Caller,
        decide: Callable[[Sight], Sequence[Said]],
        *,
        others: tuple[Stream, ...] = (),
        subject: NewSubject | None = None,
        number: str | None = None,
    ) -> None:
        self.number = number

        def noting(sight: Sight) -> Sequence[Said]:
            said = decide(sight)
            known = sight.of(case)
            if known is not None:
                self.number = known.number
            return said

        self.command = Command(case, caller.stamp, noting, others, caller.key, subject)


async def carry_out(service: Service, order: Order, response: Response, *, creates: bool = False) -> Accepted:
    """Run the order and shape its answer. Raises what ``Service.submit`` says; the table of errors answers it."""
    # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
    receipt = await asyncio.shield(asyncio.wrap_future(service.submit(order.command)))
    number = order.number
    if receipt.replayed or number is None:
        state, _ = await run_in_threadpool(service.load, Stream(order.command.case.kind, receipt.case_id))
        number = state.number
    if receipt.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    if creates:
        response.headers["Location"] = f"/api/v1/cases/{receipt.case_id}"
    return Accepted(
        case_id=receipt.case_id,
        case_number=number,
        first_version=receipt.first_version,
        last_version=receipt.last_version,
        position=receipt.position,
        recorded_at=receipt.recorded_at,
    )


# ---- commands that must look first


LOOKS = 5
"""How often a command looks at a case that changes under it, before its sender is told to try again."""


class LookAgain(Refusal):
    """The command named other streams than it would name now. Nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "busy",
            found="a case that was changed by others at every look",
            needed="a moment of quiet",
            next_step="send the same request again, under the same key if it had one",
            next_step_zh="请稍后以同一幂等键重试",
        )


async def again(attempt: Callable[[], Awaitable[Accepted]]) -> Accepted:
    """The command, as often as it says that it must look again; then what it says of itself: busy."""
    for _ in range(LOOKS - 1):
        with suppress(LookAgain):
            return await attempt()
    return await attempt()


# ---- ids


def new_case(kind: Kind, caller: Caller) -> Stream:
    """A new case; under an idempotency key its id follows from the key, so a retried creation is the same case."""
    if caller.key is None:
        return Stream(kind, uuid4())
    return Stream(kind, uuid5(NAMESPACE, f"case:{caller.key.scope}\n{caller.key.key}"))


def meter_number(number: str) -> str:
    """A meter's number as its stream is named by."""
    return number.strip().upper()


# ---- repairs


def report_fault(
    caller: Caller, body: bodies.FaultReport, *, number: str, happened_at: datetime, mass: str | None = None
) -> Order:
    """A new incident; ``mass``: the mass incident that it belongs to."""
    case = new_case(kinds.REPAIR, caller)
    subject = _reporter(body.reporter)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp, happened_at, body.confirmed_by)
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
        )
        return [(case, Stated(fact, happened_at))]

    return Order(case, caller, decide, subject=subject, number=number)


def link_report(caller: Caller, case_id: UUID, body: bodies.FurtherReport, happened_at: datetime) -> Order:
    """A further report of an incident."""
    subject = _reporter(body.reporter)

    def say(case: repair.Repair | None, told: Told) -> Fact:
        repair.require_reporter(told, body.reporter is not None)
        return repair.link_report(case, told, subject=named(subject), precision=body.precision, origin=body.origin)

    return _from_the_field(caller, case_id, body, happened_at, say, subject=subject)


def unlink_report(caller: Caller, case_id: UUID, report: int, body: bodies.Unlinking, *, number: str) -> Order:
    """Undo a wrong link: the report opens a case of its own."""
    case, wrong = new_case(kinds.REPAIR, caller), Stream(kinds.REPAIR, case_id)

    def decide(sight: Sight) -> Sequence[Said]:
        undone = repair.unlink_report(
            _repair(sight, wrong),
            sight.told(caller.stamp, sight.at, None),
            report=report,
            new_case=case.id,
            case_number=number,
            kind=body.kind,
            district_code=body.district,
        )
        return [
            (case, Stated(undone.reported, undone.reported_at)),
            (wrong, Stated(undone.unlinked, sight.at)),
        ]

    return Order(case, caller, decide, others=(wrong,), number=number)


def acknowledge(caller: Caller, case_id: UUID, body: bodies.Acknowledgement, happened_at: datetime) -> Order:
    """The crew confirms."""
    return _from_the_field(
        caller, case_id, body, happened_at, lambda case, told: repair.acknowledge(case, told, crew=body.crew)
    )


def arrive(caller: Caller, case_id: UUID, body: bodies.Arrival, happened_at: datetime) -> Order:
    """The crew is on site."""
    evidence = _evidence(body.evidence) if body.evidence is not None else None
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.arrive(case, told, crew=body.crew, evidence=evidence),
    )


def _evidence(proof: bodies.Evidence) -> repair.ArrivalEvidence:
    return repair.ArrivalEvidence(proof.inside_geofence, proof.distance_m, proof.accuracy_m, proof.photo_digest)


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


def hand_over(caller: Caller, case_id: UUID, body: bodies.HandOver, happened_at: datetime) -> Order:
    """One crew takes over from another."""
    return _from_the_field(
        caller,
        case_id,
        body,
        happened_at,
        lambda case, told: repair.hand_over(case, told, from_crew=body.from_crew, to_crew=body.to_crew),
    )


def find_user_side(caller: Caller, case_id: UUID, body: bodies.FromTheField, happened_at: datetime) -> Order:
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


def restore_water(caller: Caller, case_id: UUID, body: bodies.FromTheField, happened_at: datetime) -> Order:
    """Water flows again."""
    return _from_the_field(caller, case_id, body, happened_at, repair.restore_water)


def close(caller: Caller, case_id: UUID) -> Order:
    """Close the file."""
    return _instruction(caller, case_id, repair.close)


def _from_the_field(
    caller: Caller,
    case_id: UUID,
    body: bodies.FromTheField,
    happened_at: datetime,
    say: Callable[[repair.Repair | None, Told], Fact],
    *,
    subject: NewSubject | None = None,
) -> Order:
    case = Stream(kinds.REPAIR, case_id)

    def decide(sight: Sight) -> Sequence[Said]:
        told = sight.told(caller.stamp, happened_at, body.confirmed_by)
        return [(case, Stated(say(_repair(sight, case), told), happened_at))]

    return Order(case, caller, decide, subject=subject)


def _instruction(caller: Caller, case_id: UUID, say: Callable[[repair.Repair | None], Fact]) -> Order:
    case = Stream(kinds.REPAIR, case_id)
    return Order(case, caller, lambda sight: [(case, Stated(say(_repair(sight, case)), sight.at))])


def _repair(sight: Sight, case: Stream) -> repair.Repair | None:
    state: repair.Repair | None = sight.of(case)
    return state


# ---- subjects


def _reporter(reporter: bodies.Reporter | None) -> NewSubject:
    """Whoever reported; of imported history without one a subject of whom the vault knows nothing."""
    return NewSubject(uuid4(), 1, particulars(reporter) if reporter is not None else {})


def particulars(person: BaseModel) -> dict[str, str]:
    """What the vault keeps of a person: every field that was given."""
    return person.model_dump(exclude_none=True)


def named(subject: NewSubject) -> Subject:
    """How events name the person."""
    return Subject(subject.id, subject.revision)

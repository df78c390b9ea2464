"""What comes before an application: consultations 技术咨询, and service ahead of building 服务前置."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import COMMAND_ERRORS, Accepted
from api.http.caller import Caller, CallerDep
from api.http.commanding import PendingCommand, carry_out, named, new_case, particulars
from api.http.dependencies import CaseId, ServiceDep
from api.http.strict import StrictRoute
from api.publication.bodies import Asker, Consulted, PreServiceAsked, PreServiceHanded
from domain import kinds
from domain.connections import consultations, preservice
from domain.kernel.facts import EventToAppend
from infra.eventstore.commands import NewSubject, Snapshot, Stream, StreamEvent

router = APIRouter(prefix="/api/v1", tags=["ahead 咨询与前置"], route_class=StrictRoute, responses=COMMAND_ERRORS)


@router.post("/consultations", status_code=201, summary="Record a consultation 登记咨询")
async def consult(body: Consulted, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    number = await run_in_threadpool(kinds.CONSULTATION.new_number, service.next_number)
    order = consulting(caller, body, number, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/preservices", status_code=201, summary="A company asks for service ahead of building 前置服务申请")
async def request(body: PreServiceAsked, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    number = await run_in_threadpool(kinds.PRESERVICE.new_number, service.next_number)
    order = requesting(caller, body, number, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


@router.post("/preservices/{case_id}/given", summary="Hand over what was asked for 提供前置服务")
async def give(
    case_id: CaseId, body: PreServiceHanded, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    order = giving(caller, case_id, body, body.happened_at or service.clock.now())
    return await carry_out(service, order, response)


# ---- commands


def consulting(caller: Caller, body: Consulted, number: str, happened_at: datetime) -> PendingCommand:
    """A consultation; who asked goes to the vault, where they said so."""
    case = new_case(kinds.CONSULTATION, caller)
    asked = _vaulted(body.applicant) if body.applicant is not None else None
    subject = named(asked) if asked is not None else None

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, happened_at)
        fact = consultations.give(snapshot.of(case), ctx, number=number, topic=body.topic, subject=subject)
        return [(case, EventToAppend(fact, happened_at))]

    return PendingCommand(case, caller, decide, subject=asked, number=number)


def requesting(caller: Caller, body: PreServiceAsked, number: str, happened_at: datetime) -> PendingCommand:
    """A request for service ahead of building."""
    case = new_case(kinds.PRESERVICE, caller)
    asked = _vaulted(body.applicant)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        fact = preservice.request(
            snapshot.of(case),
            snapshot.context(caller.stamp, happened_at),
            number=number,
            service=body.service,
            category=body.category,
            subject=named(asked),
        )
        return [(case, EventToAppend(fact, happened_at))]

    return PendingCommand(case, caller, decide, subject=asked, number=number)


def giving(caller: Caller, case_id: UUID, body: PreServiceHanded, happened_at: datetime) -> PendingCommand:
    """Something is handed over."""
    case = Stream(kinds.PRESERVICE, case_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, happened_at)
        fact = preservice.give(snapshot.of(case), ctx, deliverable=body.deliverable, digest=body.digest)
        return [(case, EventToAppend(fact, happened_at))]

    return PendingCommand(case, caller, decide)


def _vaulted(asker: Asker) -> NewSubject:
    return NewSubject(uuid4(), 1, particulars(asker))

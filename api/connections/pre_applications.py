"""What comes before an application: consultations 技术咨询, and service ahead of building 服务前置."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends

from api.http.answers import COMMAND_ERRORS, Accepted
from api.http.commanding import CommandRunner, PendingCommand, events, named, particulars, runner_of
from api.http.dependencies import CaseId
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.publication.bodies import Asker, Consulted, PreServiceAsked, PreServiceHanded
from domain import kinds
from domain.connections import consultations, preservice
from domain.connections.intake import as_received
from infra.eventstore.commands import NewSubject, Snapshot, StreamEvent

ConsultationRunner = Annotated[CommandRunner, Depends(runner_of(kinds.CONSULTATION))]
PreServiceRunner = Annotated[CommandRunner, Depends(runner_of(kinds.PRESERVICE))]

router = APIRouter(prefix="/api/v1", tags=["ahead 咨询与前置"], route_class=StrictRoute, responses=COMMAND_ERRORS)


@router.post(
    "/consultations",
    status_code=201,
    summary="Record a consultation 登记咨询",
    openapi_extra=needs("consultation.record"),
)
async def consult(body: Consulted, runner: ConsultationRunner) -> Accepted:
    """Who asked goes to the vault, where they said so."""
    number, case, happened_at = runner.new_number(), runner.new_case(), body.happened_at or runner.now()
    asked = _vaulted(body.applicant) if body.applicant is not None else None
    subject = named(asked) if asked is not None else None

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = as_received(runner.context(snapshot, body, happened_at))
        fact = consultations.give(snapshot.of(case), ctx, number=number, topic=body.topic, subject=subject)
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, subject=asked, number=number))


@router.post(
    "/preservices",
    status_code=201,
    summary="A company asks for service ahead of building 前置服务申请",
    openapi_extra=needs("preservice.request"),
)
async def request(body: PreServiceAsked, runner: PreServiceRunner) -> Accepted:
    number, case, happened_at = runner.new_number(), runner.new_case(), body.happened_at or runner.now()
    asked = _vaulted(body.applicant)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = as_received(runner.context(snapshot, body, happened_at))
        fact = preservice.request(
            snapshot.of(case),
            ctx,
            number=number,
            service=body.service,
            category=body.category,
            subject=named(asked),
        )
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, subject=asked, number=number))


@router.post(
    "/preservices/{case_id}/given",
    summary="Hand over what was asked for 提供前置服务",
    openapi_extra=needs("preservice.give"),
)
async def give(case_id: CaseId, body: PreServiceHanded, runner: PreServiceRunner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: preservice.give(case, ctx, deliverable=body.deliverable, digest=body.digest),
    )


def _vaulted(asker: Asker) -> NewSubject:
    return NewSubject(uuid4(), 1, particulars(asker))

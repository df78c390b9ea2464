"""Complaints for who works here: a clerk takes one down for whoever calls or comes, somebody answers it, and hotline
and duty manager see what is overdue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from api.complaints import bodies, carrying
from api.complaints.bodies import Complaints, StaffComplaintView
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, documented
from api.http.caller import Caller, CallerDep, context_now
from api.http.dependencies import ServiceDep
from api.http.fields import Nothing
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain.complaints import complaints
from domain.complaints.complaints import ANSWERS, READS, TAKES, Complaint, Grievance
from domain.repairs.refusals import no_such_incident
from domain.standard.context import require_power
from domain.vault.refusals import NoSuchSubject
from infra.complaints.complaints import Complaints as StoredComplaints
from infra.eventstore.commands import NewSubject
from infra.eventstore.service import Service
from infra.vault.vault import Reading

router = APIRouter(prefix="/api/v1/complaints", tags=["complaints 投诉"], route_class=StrictRoute)

ComplaintId = Annotated[UUID, Path(description="id of the complaint")]
NO_COMPLAINT = documented(_404="no-such-complaint")


@router.post(
    "",
    status_code=201,
    summary="Take a complaint down 登记投诉",
    responses=COMMAND_ERRORS | documented(_404="no-such-case, no-such-subject"),
    openapi_extra=needs(TAKES),
)
async def take_down(
    body: bodies.ComplaintTakenDown, caller: CallerDep, service: ServiceDep, response: Response
) -> StaffComplaintView:
    """For somebody who calls or stands at the counter."""
    require_power(context_now(caller, service), TAKES)
    await run_in_threadpool(_require_known, service, body)
    person = body.complainant
    new = NewSubject(uuid4(), 1, person.model_dump(exclude_none=True)) if person is not None else None
    subjects = [*body.subjects, *([new.id] if new is not None else [])]
    said = Grievance(body.topic, body.case_id, subjects)
    id_, state = await carrying.make(service, caller, said, "taken-down", new)
    response.headers["Location"] = f"/api/v1/complaints/{id_}"
    return _view(service, id_, state)


@router.get("", summary="Complaints 投诉列表", responses=QUERY_ERRORS, openapi_extra=needs(READS))
def listed(
    service: ServiceDep,
    open_only: Annotated[bool, Query(alias="open", description="only those that wait for their answer")] = False,
    overdue: Annotated[bool, Query(description="only those whose limit has passed without an answer")] = False,
) -> Complaints:
    """What is overdue first, then by the end of the limit; at most the oldest 500."""
    now, found = service.clock.now(), StoredComplaints(service).found(open_only=open_only or overdue)
    return Complaints(
        complaints=[_view(service, id_, state) for id_, state in found if not overdue or state.is_overdue(now)]
    )


@router.get(
    "/{complaint_id}", summary="A complaint 一件投诉", responses=QUERY_ERRORS | NO_COMPLAINT, openapi_extra=needs(READS)
)
def one(complaint_id: ComplaintId, service: ServiceDep) -> StaffComplaintView:
    return _view(service, complaint_id, carrying.existing(service, complaint_id))


@router.post(
    "/{complaint_id}/answer",
    summary="Answer a complaint 答复投诉",
    responses=COMMAND_ERRORS | NO_COMPLAINT,
    openapi_extra=needs(ANSWERS),
)
async def answer(
    complaint_id: ComplaintId, body: bodies.ComplaintAnswer, caller: CallerDep, service: ServiceDep
) -> StaffComplaintView:
    """Once whoever complained was told. One that went to the authority is answered all the same."""
    await carrying.say(
        service,
        caller,
        complaint_id,
        lambda state, ctx: (complaints.answer(state, ctx, outcome=body.outcome, remedy=body.remedy, way=body.way),),
    )
    return await run_in_threadpool(one, complaint_id, service)


@router.post(
    "/{complaint_id}/particulars",
    summary="How whoever complained is reached 查看投诉人联系方式",
    responses=COMMAND_ERRORS
    | documented(
        _404="no-such-complaint",
        _409="complaint-answered, complaint-withdrawn, subject-restricted",
        _503="store-unavailable, store-cannot-write, vault-closed",
    ),
    openapi_extra=needs(ANSWERS),
)
async def unmasked(
    complaint_id: ComplaintId, body: Nothing, caller: CallerDep, service: ServiceDep, response: Response
) -> bodies.Complainants:
    """While it waits for its answer. Each look is an event and a row of who read what."""
    response.headers["Cache-Control"] = "no-store"
    require_power(context_now(caller, service), ANSWERS)
    state = await run_in_threadpool(carrying.existing, service, complaint_id)
    shown = await carrying.show(service, caller, complaint_id, state)
    return await run_in_threadpool(_reached, service, caller, complaint_id, shown)


@router.post(
    "/{complaint_id}/escalation",
    summary="Note that the person goes to the authority 登记转主管部门",
    responses=COMMAND_ERRORS | NO_COMPLAINT,
    openapi_extra=needs(TAKES),
)
async def escalate(
    complaint_id: ComplaintId, body: Nothing, caller: CallerDep, service: ServiceDep
) -> StaffComplaintView:
    await carrying.say(
        service, caller, complaint_id, lambda state, ctx: (complaints.escalate(state, ctx, by_person=False),)
    )
    return await run_in_threadpool(one, complaint_id, service)


@router.post(
    "/{complaint_id}/withdrawal",
    summary="Withdraw a complaint for the person 代为撤回投诉",
    responses=COMMAND_ERRORS | NO_COMPLAINT,
    openapi_extra=needs(TAKES),
)
async def withdraw(
    complaint_id: ComplaintId, body: Nothing, caller: CallerDep, service: ServiceDep
) -> StaffComplaintView:
    await carrying.say(
        service, caller, complaint_id, lambda state, ctx: (complaints.withdraw(state, ctx, by_person=False),)
    )
    return await run_in_threadpool(one, complaint_id, service)


# ---- parts


def _require_known(service: Service, body: bodies.ComplaintTakenDown) -> None:
    """Refuse ``no-such-case`` and ``no-such-subject``."""
    if body.case_id is not None and not service.history(body.case_id):
        raise no_such_incident()
    for each in body.subjects:
        if not service.vault.knows(each):
            raise NoSuchSubject()


def _view(service: Service, complaint_id: UUID, state: Complaint) -> StaffComplaintView:
    more: dict[str, Any] = {
        "case_id": state.case_id,
        "subjects": list(state.subjects),
        "door": state.door,
        "made_by": state.made_by.actor,
        "way": state.way,
        "escalated_because": state.escalated_because,
    }
    return StaffComplaintView(**carrying.fields(service, complaint_id, state), **more)


def _reached(service: Service, caller: Caller, complaint_id: UUID, shown: Sequence[UUID]) -> bodies.Complainants:
    stamp = caller.stamp
    reading = Reading(service.clock.now(), stamp.actor, stamp.role, complaint_id, complaints.WHY)
    service.vault.note(reading, dict.fromkeys(shown, False))
    kept = {each: service.vault.newest(each) or {} for each in shown}
    return bodies.Complainants(
        subjects=[
            bodies.ReachedAt(subject=each, name=known.get("name"), phone=known.get("phone"))
            for each, known in kept.items()
        ]
    )

"""The doors of whoever complains or says how satisfied they are: by their telephone and a code, or by the secret link
of their case. Who has the link is taken as the person, and sees what is about that case alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from api.citizens.follow import Code, LinkDep
from api.citizens.own import Citizen, OwnCase, case_of_link, the_citizen
from api.complaints import carrying
from api.complaints.bodies import (
    ComplaintView,
    LinkComplaint,
    LinkSatisfaction,
    MyComplaint,
    MyComplaints,
    MySatisfaction,
)
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted, documented
from api.http.caller import Caller, CallerDep
from api.http.dependencies import ServiceDep
from api.http.fields import Nothing
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain.complaints import complaints
from domain.complaints.complaints import Complaint, Grievance
from domain.complaints.refusals import NoSuchComplaint
from infra.complaints.complaints import Complaints
from infra.eventstore.commands import IdempotencyKey
from infra.eventstore.service import Service
from infra.identity.follow import Followed

my = APIRouter(prefix="/api/v1/my", tags=["complaints 投诉"], route_class=StrictRoute)
link = APIRouter(prefix="/api/v1/follow", tags=["complaints 投诉"], route_class=StrictRoute)

ComplaintId = Annotated[UUID, Path(description="id of the complaint")]
_SESSION = documented(_401="session-ended")
_MINE = _SESSION | documented(_404="no-such-complaint")
_LINK = documented(_404="no-such-link")
_OF_LINK = documented(_404="no-such-link, no-such-complaint")


# ---- by telephone


@my.post(
    "/complaints",
    status_code=201,
    summary="Complain 提出投诉",
    responses=COMMAND_ERRORS | _SESSION,
    openapi_extra=needs(None),
)
async def complain(
    body: MyComplaint, request: Request, caller: CallerDep, service: ServiceDep, response: Response
) -> ComplaintView:
    """About a case of yours, or about none. It is answered within the working days of the standard. Without a key, the
    same topic once more is the complaint that still waits for its answer."""
    citizen = await the_citizen(request, service)
    said = Grievance(body.topic, None, citizen.subjects)
    if body.case_number is not None:
        case = await run_in_threadpool(citizen.case, service, body.case_number)
        said = Grievance(body.topic, case.stream.id, [case.subject])
    earlier = await run_in_threadpool(_of_citizen, service, citizen)
    id_, state = await carrying.make(service, _once(caller, said, earlier), said, "own-phone")
    response.headers["Location"] = f"/api/v1/my/complaints/{id_}"
    return carrying.view(service, id_, state)


@my.get("/complaints", summary="My complaints 我的投诉", responses=QUERY_ERRORS | _SESSION, openapi_extra=needs(None))
async def mine(request: Request, service: ServiceDep) -> MyComplaints:
    """Those that are about nobody but whoever has your telephone."""
    citizen = await the_citizen(request, service)
    found = await run_in_threadpool(_of_citizen, service, citizen)
    return MyComplaints(complaints=[carrying.view(service, id_, state) for id_, state in found])


@my.get(
    "/complaints/{complaint_id}",
    summary="A complaint of mine 我的一件投诉",
    responses=QUERY_ERRORS | _MINE,
    openapi_extra=needs(None),
)
async def my_one(complaint_id: ComplaintId, request: Request, service: ServiceDep) -> ComplaintView:
    return carrying.view(service, complaint_id, await _mine(request, service, complaint_id))


@my.post(
    "/complaints/{complaint_id}/escalation",
    summary="Take my complaint to the authority 转主管部门",
    responses=COMMAND_ERRORS | _MINE,
    openapi_extra=needs(None),
)
async def escalate_mine(
    complaint_id: ComplaintId, body: Nothing, request: Request, caller: CallerDep, service: ServiceDep
) -> ComplaintView:
    """Not satisfied with the answer, not answered in time, or at once. It is on record here; tell the authority
    yourself."""
    await _mine(request, service, complaint_id)
    return await _escalated(service, caller, complaint_id)


@my.post(
    "/complaints/{complaint_id}/withdrawal",
    summary="Withdraw my complaint 撤回投诉",
    responses=COMMAND_ERRORS | _MINE,
    openapi_extra=needs(None),
)
async def withdraw_mine(
    complaint_id: ComplaintId, body: Nothing, request: Request, caller: CallerDep, service: ServiceDep
) -> ComplaintView:
    await _mine(request, service, complaint_id)
    return await _withdrawn(service, caller, complaint_id)


@my.post(
    "/satisfaction",
    summary="Say how satisfied I am 评价服务",
    responses=COMMAND_ERRORS | _SESSION,
    openapi_extra=needs(None),
)
async def rate(
    body: MySatisfaction, request: Request, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    """Once water is on, or the repair is done. It can be corrected for the days of the standard; the last counts."""
    citizen = await the_citizen(request, service)
    case = await run_in_threadpool(citizen.case, service, body.case_number)
    return await carrying.give(service, caller, response, case, body)


# ---- by the link of the case


@link.post(
    "/{code}/complaints",
    status_code=201,
    summary="Complain about the case 就本案投诉",
    responses=COMMAND_ERRORS | _LINK,
    openapi_extra=needs(None),
)
async def complain_by_link(
    code: Code, body: LinkComplaint, opened: LinkDep, caller: CallerDep, service: ServiceDep
) -> ComplaintView:
    """It is answered within the working days of the standard. Without a key, the same topic once more is the complaint
    that still waits for its answer."""
    case = await run_in_threadpool(case_of_link, service, opened)
    said = Grievance(body.topic, case.stream.id, [case.subject])
    earlier = await run_in_threadpool(_of_case, service, opened)
    id_, state = await carrying.make(service, _once(caller, said, earlier), said, "own-link")
    return carrying.view(service, id_, state)


@link.get(
    "/{code}/complaints",
    summary="My complaints about the case 本案投诉",
    responses=QUERY_ERRORS | _LINK,
    openapi_extra=needs(None),
)
def by_link(code: Code, opened: LinkDep, service: ServiceDep) -> MyComplaints:
    found = _of_case(service, opened)
    return MyComplaints(complaints=[carrying.view(service, id_, state) for id_, state in found])


@link.post(
    "/{code}/complaints/{complaint_id}/escalation",
    summary="Take the complaint to the authority 转主管部门",
    responses=COMMAND_ERRORS | _OF_LINK,
    openapi_extra=needs(None),
)
async def escalate_by_link(
    code: Code, complaint_id: ComplaintId, body: Nothing, opened: LinkDep, caller: CallerDep, service: ServiceDep
) -> ComplaintView:
    """Not satisfied with the answer, not answered in time, or at once. It is on record here; tell the authority
    yourself."""
    await run_in_threadpool(_require_of_case, service, opened, complaint_id)
    return await _escalated(service, caller, complaint_id)


@link.post(
    "/{code}/complaints/{complaint_id}/withdrawal",
    summary="Withdraw the complaint 撤回投诉",
    responses=COMMAND_ERRORS | _OF_LINK,
    openapi_extra=needs(None),
)
async def withdraw_by_link(
    code: Code, complaint_id: ComplaintId, body: Nothing, opened: LinkDep, caller: CallerDep, service: ServiceDep
) -> ComplaintView:
    await run_in_threadpool(_require_of_case, service, opened, complaint_id)
    return await _withdrawn(service, caller, complaint_id)


@link.post(
    "/{code}/satisfaction",
    summary="Say how satisfied I am 评价服务",
    responses=COMMAND_ERRORS | _LINK,
    openapi_extra=needs(None),
)
async def rate_by_link(
    code: Code, body: LinkSatisfaction, opened: LinkDep, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    """Once water is on, or the repair is done. It can be corrected for the days of the standard; the last counts."""
    case = await run_in_threadpool(case_of_link, service, opened)
    return await carrying.give(service, caller, response, case, body)


# ---- parts


def _once(caller: Caller, said: Grievance, earlier: Sequence[tuple[UUID, Complaint]]) -> Caller:
    """The caller with a key where they sent none: the same complaint keeps it until it is answered or withdrawn, so
    that who sends it twice, even at once, makes one. ``earlier``: the complaints of the person."""
    if caller.key is not None:
        return caller
    alike = [each for _, each in earlier if (each.topic, each.case_id) == (said.topic, said.case_id)]
    over = sum(each.state != "open" for each in alike)
    key = f"complaint:{said.topic}:{said.case_id or ''}:{over}"
    return replace(caller, key=IdempotencyKey(f"actor:{caller.stamp.actor}", key, sha256(key.encode()).digest()))


async def _mine(request: Request, service: Service, complaint_id: UUID) -> Complaint:
    """The complaint, where it is about nobody else. Refuses ``no-such-complaint``."""
    citizen = await the_citizen(request, service)
    state = await run_in_threadpool(carrying.existing, service, complaint_id)
    if not _is_of(citizen, state):
        raise NoSuchComplaint()
    return state


def _of_citizen(service: Service, citizen: Citizen) -> list[tuple[UUID, Complaint]]:
    found = Complaints(service).found(subjects=citizen.subjects) if citizen.subjects else []
    return [(id_, state) for id_, state in found if _is_of(citizen, state)]


def _is_of(citizen: Citizen, complaint: Complaint) -> bool:
    return bool(complaint.subjects) and set(complaint.subjects) <= set(citizen.subjects)


def _of_case(service: Service, opened: Followed) -> list[tuple[UUID, Complaint]]:
    case = case_of_link(service, opened)
    found = Complaints(service).found(subjects=[case.subject])
    return [(id_, state) for id_, state in found if _is_about(case, opened, state)]


def _require_of_case(service: Service, opened: Followed, complaint_id: UUID) -> None:
    if not _is_about(case_of_link(service, opened), opened, carrying.existing(service, complaint_id)):
        raise NoSuchComplaint()


def _is_about(case: OwnCase, opened: Followed, complaint: Complaint) -> bool:
    """Whether the person of the link made it, or a clerk for them, about this case. What was said before the incident
    was merged names the one that the link was given for."""
    return case.subject in complaint.subjects and complaint.case_id in (case.stream.id, opened.case_id)


async def _escalated(service: Service, caller: CallerDep, complaint_id: UUID) -> ComplaintView:
    await carrying.say(
        service, caller, complaint_id, lambda state, ctx: (complaints.escalate(state, ctx, by_person=True),)
    )
    return carrying.view(service, complaint_id, await run_in_threadpool(carrying.existing, service, complaint_id))


async def _withdrawn(service: Service, caller: CallerDep, complaint_id: UUID) -> ComplaintView:
    await carrying.say(
        service, caller, complaint_id, lambda state, ctx: (complaints.withdraw(state, ctx, by_person=True),)
    )
    return carrying.view(service, complaint_id, await run_in_threadpool(carrying.existing, service, complaint_id))

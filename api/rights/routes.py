"""Requests of persons about their particulars: a person asks over their own session, a clerk takes down for somebody at
the counter, decides, and does what was granted. Nothing personal is in any answer but the copy's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, documented
from api.http.caller import Caller, CallerDep, context_now
from api.http.commanding import new_case
from api.http.dependencies import ServiceDep
from api.http.fields import Nothing
from api.http.identity import Identity, identified
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.rights import bodies
from api.rights.bodies import MyRequests, ParticularsCopy, Requests, RequestView, StaffRequestView
from domain import kinds
from domain.kernel.facts import EventToAppend
from domain.rights import rights
from domain.rights.refusals import NoSuchRightsRequest
from domain.rights.rights import POWER, RightsRequest
from domain.standard.context import CommandContext, require_power
from domain.vault.refusals import NoSuchSubject
from infra.eventstore.commands import Command, NewSubject, Snapshot, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.identity.refusals import SessionEnded
from infra.rights.requests import RightsRequests
from infra.vault.vault import Reading

router = APIRouter(prefix="/api/v1/rights", tags=["rights 个人信息权利"], route_class=StrictRoute)
my = APIRouter(prefix="/api/v1/my/rights", tags=["rights 个人信息权利"], route_class=StrictRoute)

RequestId = Annotated[UUID, Path(description="id of the request")]
SubjectId = Annotated[UUID, Path(description="id of the person's entry in the vault")]
NO_REQUEST = documented(_404="no-such-rights-request")
CLOSED_VAULT = documented(_404="no-such-rights-request", _503="store-unavailable, store-cannot-write, vault-closed")
COPY = "rights-copy"
"""The reason on record where a person was given the copy of what is kept of them."""
Deciding = Callable[[RightsRequest | None, CommandContext], Sequence[Any]]


# ---- the person's own door


@my.post(
    "",
    status_code=201,
    summary="Ask about my particulars 提出个人信息请求",
    responses=COMMAND_ERRORS | documented(_401="session-ended"),
    openapi_extra=needs(None),
)
async def ask(
    body: bodies.MyRightsAsking, request: Request, caller: CallerDep, service: ServiceDep, response: Response
) -> RequestView:
    """For everything that is kept under the telephone that you signed in with. It is answered within the working days
    of the standard."""
    mine = await _own_subjects(request, service)
    stream = new_case(kinds.RIGHTS, caller)
    await _say(
        service,
        caller,
        stream,
        lambda state, ctx: rights.receive(state, ctx, right=body.right, subjects=mine, check="own-phone"),
    )
    response.headers["Location"] = f"/api/v1/my/rights/{stream.id}"
    return _view(service, stream.id, await run_in_threadpool(_own, service, stream.id, mine))


@my.get(
    "",
    summary="My requests 我的个人信息请求",
    responses=QUERY_ERRORS | documented(_401="session-ended"),
    openapi_extra=needs(None),
)
async def mine(request: Request, service: ServiceDep) -> MyRequests:
    """Those that are about nobody but whoever has your telephone."""
    own = await _own_subjects(request, service)
    found = await run_in_threadpool(lambda: RightsRequests(service).found(subjects=own)) if own else []
    return MyRequests(requests=[_view(service, id_, state) for id_, state in found if set(state.subjects) <= set(own)])


@my.post(
    "/{request_id}/copy",
    summary="Take the copy of what is kept of me 领取个人信息副本",
    responses=COMMAND_ERRORS | CLOSED_VAULT | documented(_401="session-ended"),
    openapi_extra=needs(None),
)
async def take_my_copy(
    request_id: RequestId,
    body: Nothing,
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> ParticularsCopy:
    """Once it was granted. What was asked for to be seen can be taken again until its time is over; an export once."""
    state = await run_in_threadpool(_own, service, request_id, await _own_subjects(request, service))
    return await _copy(service, caller, request_id, state, response, by_person=True)


# ---- whoever answers


@router.post(
    "",
    status_code=201,
    summary="Take a person's request down 登记个人信息请求",
    responses=COMMAND_ERRORS | documented(_404="no-such-subject"),
    openapi_extra=needs(POWER),
)
async def receive(
    body: bodies.RightsAsking, caller: CallerDep, service: ServiceDep, response: Response
) -> StaffRequestView:
    """For somebody who stands at the counter or calls, once it was seen who they are."""
    require_power(context_now(caller, service), POWER)
    for each in body.subjects:
        if not await run_in_threadpool(service.vault.knows, each):
            raise NoSuchSubject()
    stream = new_case(kinds.RIGHTS, caller)
    await _say(
        service,
        caller,
        stream,
        lambda state, ctx: rights.receive(
            state, ctx, right=body.right, subjects=body.subjects, check=body.identity_check
        ),
    )
    response.headers["Location"] = f"/api/v1/rights/{stream.id}"
    return await run_in_threadpool(_staff_view_of, service, stream.id)


@router.get(
    "",
    summary="Requests of persons about their particulars 个人信息请求列表",
    responses=QUERY_ERRORS,
    openapi_extra=needs(POWER),
)
def listed(
    service: ServiceDep,
    open_only: Annotated[bool, Query(alias="open", description="only those neither refused nor done")] = False,
    overdue: Annotated[bool, Query(description="only those whose limit has passed and that are still owed")] = False,
) -> Requests:
    """The oldest first; at most 500."""
    now, found = service.clock.now(), RightsRequests(service).found(open_only=open_only or overdue)
    return Requests(
        requests=[_staff_view(service, id_, state) for id_, state in found if not overdue or state.is_overdue(now)]
    )


@router.get(
    "/{request_id}",
    summary="A request of a person 个人信息请求",
    responses=QUERY_ERRORS | NO_REQUEST,
    openapi_extra=needs(POWER),
)
def one(request_id: RequestId, service: ServiceDep) -> StaffRequestView:
    return _staff_view_of(service, request_id)


@router.post(
    "/{request_id}/grant",
    summary="Grant a request 同意个人信息请求",
    responses=COMMAND_ERRORS | NO_REQUEST,
    openapi_extra=needs(POWER),
)
async def grant(request_id: RequestId, body: Nothing, caller: CallerDep, service: ServiceDep) -> StaffRequestView:
    """An erasure is not granted while a case of the person runs, or the time for which it is kept."""
    keeping = await run_in_threadpool(_keeping, service, request_id)
    return await _answered(service, caller, request_id, lambda state, ctx: (rights.grant(state, ctx, keeping),))


@router.post(
    "/{request_id}/refusal",
    summary="Refuse a request 拒绝个人信息请求",
    responses=COMMAND_ERRORS | NO_REQUEST,
    openapi_extra=needs(POWER),
)
async def refuse(
    request_id: RequestId, body: bodies.Refusing, caller: CallerDep, service: ServiceDep
) -> StaffRequestView:
    return await _answered(
        service, caller, request_id, lambda state, ctx: (rights.refuse(state, ctx, ground=body.ground),)
    )


@router.post(
    "/{request_id}/copy",
    summary="Take the copy for the person at the counter 代为领取个人信息副本",
    responses=COMMAND_ERRORS | CLOSED_VAULT,
    openapi_extra=needs(POWER),
)
async def take_copy(
    request_id: RequestId, body: Nothing, caller: CallerDep, service: ServiceDep, response: Response
) -> ParticularsCopy:
    """For a request that a clerk took down after seeing who asks. It is on record who took it."""
    require_power(context_now(caller, service), POWER)
    state = await run_in_threadpool(_existing, service, request_id)
    return await _copy(service, caller, request_id, state, response, by_person=False)


@router.post(
    "/{request_id}/correction",
    summary="Correct what is kept of the person 更正个人信息",
    responses=COMMAND_ERRORS | CLOSED_VAULT,
    openapi_extra=needs(POWER),
)
async def correct(
    request_id: RequestId, body: bodies.ParticularsCorrection, caller: CallerDep, service: ServiceDep
) -> StaffRequestView:
    """Ends a request to correct. The old values are gone, the person is found by the new telephone alone, and the event
    names the fields only."""
    stream, subject, fields = Stream(kinds.RIGHTS, request_id), Stream(kinds.VAULT, body.subject), body.fields

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        corrected, done = rights.correct(snapshot.of(stream), ctx, subject=body.subject, fields=fields)
        return [(subject, ctx.event(corrected)), (stream, ctx.event(done))]

    new = NewSubject(body.subject, 0, fields, corrects=True)
    await _run(service, Command(stream, caller.stamp, decide, (subject,), caller.key, new))
    return await run_in_threadpool(_staff_view_of, service, request_id)


@router.post(
    "/{request_id}/done",
    summary="End a request to restrict or to erase 办结限制或删除请求",
    responses=COMMAND_ERRORS | NO_REQUEST,
    openapi_extra=needs(POWER),
)
async def finish(request_id: RequestId, body: Nothing, caller: CallerDep, service: ServiceDep) -> StaffRequestView:
    """A restriction begins with it. An erasure is done before it, at `/api/v1/subjects/{subject_id}/erasure`, by two
    persons."""
    require_power(context_now(caller, service), POWER)
    state = await run_in_threadpool(_existing, service, request_id)
    stream = Stream(kinds.RIGHTS, request_id)
    subjects = {each: Stream(kinds.VAULT, each) for each in state.subjects}

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        kept = {each: snapshot.of(of) for each, of in subjects.items()}
        restricted, done = rights.finish(snapshot.of(stream), ctx, kept)
        facts: list[tuple[Stream, EventToAppend]] = [
            (subjects[each], ctx.event(fact)) for each, fact in restricted.items()
        ]
        return [*facts, (stream, ctx.event(done))]

    await _run(service, Command(stream, caller.stamp, decide, tuple(subjects.values()), caller.key))
    return await run_in_threadpool(_staff_view_of, service, request_id)


@router.post(
    "/subjects/{subject_id}/lifting",
    status_code=204,
    response_class=Response,
    summary="End a restriction 解除限制",
    responses=COMMAND_ERRORS,
    openapi_extra=needs(POWER),
)
async def lift(subject_id: SubjectId, body: Nothing, caller: CallerDep, service: ServiceDep) -> Response:
    """As the person wants it. Changes nothing where there is none."""
    stream = Stream(kinds.VAULT, subject_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(stream, ctx.event(each)) for each in rights.lift(snapshot.of(stream), ctx, subject=subject_id)]

    await _run(service, Command(stream, caller.stamp, decide, (), caller.key))
    return Response(status_code=204)


# ---- parts


async def _own_subjects(request: Request, service: Service) -> list[UUID]:
    """Whoever has the telephone of the session. Refuses ``session-ended`` to who has no session of a citizen."""
    identity: Identity = await identified(request)
    if identity.session is None or identity.session.phone_hash is None:
        raise SessionEnded()
    found = await run_in_threadpool(service.vault.with_phone_now, identity.session.phone_hash)
    return sorted(found)


def _existing(service: Service, request_id: UUID) -> RightsRequest:
    state = RightsRequests(service).state(request_id)
    if state is None:
        raise NoSuchRightsRequest()
    return state


def _own(service: Service, request_id: UUID, own: Sequence[UUID]) -> RightsRequest:
    """The request, where it is about nobody else. Refuses ``no-such-rights-request``."""
    state = _existing(service, request_id)
    if not set(state.subjects) <= set(own):
        raise NoSuchRightsRequest()
    return state


def _keeping(service: Service, request_id: UUID) -> list[rights.Keeping]:
    requests = RightsRequests(service)
    state = requests.state(request_id)
    return [requests.keeping_of(each) for each in state.subjects] if state is not None else []


async def _answered(service: Service, caller: Caller, request_id: UUID, decision: Deciding) -> StaffRequestView:
    await _say(service, caller, Stream(kinds.RIGHTS, request_id), decision)
    return await run_in_threadpool(_staff_view_of, service, request_id)


async def _say(service: Service, caller: Caller, stream: Stream, decision: Deciding) -> None:
    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(stream, ctx.event(fact)) for fact in decision(snapshot.of(stream), ctx)]

    await _run(service, Command(stream, caller.stamp, decide, (), caller.key))


async def _copy(
    service: Service, caller: Caller, request_id: UUID, state: RightsRequest, response: Response, *, by_person: bool
) -> ParticularsCopy:
    response.headers["Cache-Control"] = "no-store"
    stream = Stream(kinds.RIGHTS, request_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(stream, ctx.event(fact)) for fact in rights.take_copy(snapshot.of(stream), ctx, by_person=by_person)]

    # Without the request's key: an export is given once, whatever key comes with it.
    await _run(service, Command(stream, caller.stamp, decide))
    return await run_in_threadpool(_copy_of, service, caller, request_id, state)


def _copy_of(service: Service, caller: Caller, request_id: UUID, state: RightsRequest) -> ParticularsCopy:
    at, stamp = service.clock.now(), caller.stamp
    service.vault.note(Reading(at, stamp.actor, stamp.role, None, COPY), dict.fromkeys(state.subjects, False))
    requests = RightsRequests(service)
    return ParticularsCopy(
        request=request_id, made_at=at, subjects=[_subject_of_copy(requests, each) for each in state.subjects]
    )


def _subject_of_copy(requests: RightsRequests, subject: UUID) -> bodies.SubjectOfCopy:
    revisions, cases = requests.revisions(subject), requests.cases(subject)
    return bodies.SubjectOfCopy(
        subject=subject,
        erased=not revisions,
        revisions=[
            bodies.RevisionOfCopy(revision=each.revision, particulars=dict(kept)) for each, kept in revisions.items()
        ],
        cases=[bodies.CaseOfCopy(case_number=each.number, kind=each.kind, is_over=each.is_over) for each in cases],
        files=[
            bodies.FileOfCopy(
                digest=each["digest"],
                evidence_class=each["class"],
                media_type=each["media_type"],
                size_bytes=each["size_bytes"],
            )
            for each in requests.files(subject)
        ],
        reads=[
            bodies.ReadOfCopy(at=each["at"], role=each["role"], reason=each["reason"], masked=each["masked"])
            for each in requests.reads(subject)
        ],
        kept_until=requests.keeping(cases).kept_until,
    )


def _fields(service: Service, request_id: UUID, state: RightsRequest) -> dict[str, Any]:
    return {
        "id": request_id,
        "right": state.right,
        "state": state.state,
        "received_at": state.received_at,
        "due_at": state.due_at,
        "overdue": state.is_overdue(service.clock.now()),
        "answered_at": state.decided_at,
        "answered_late": state.was_late,
        "ground": state.ground,
        "copy_until": state.copy_until,
        "done_at": state.done_at,
    }


def _view(service: Service, request_id: UUID, state: RightsRequest) -> RequestView:
    return RequestView(**_fields(service, request_id, state))


def _staff_view(service: Service, request_id: UUID, state: RightsRequest) -> StaffRequestView:
    return StaffRequestView(
        **_fields(service, request_id, state),
        subjects=list(state.subjects),
        identity_check=state.identity_check,
        received_by=state.received_by.actor,
    )


def _staff_view_of(service: Service, request_id: UUID) -> StaffRequestView:
    return _staff_view(service, request_id, _existing(service, request_id))


async def _run(service: Service, command: Command) -> None:
    # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
    await asyncio.shield(asyncio.wrap_future(service.submit(command)))

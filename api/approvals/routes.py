"""A second person is asked, answers in a session of their own, and the command is carried out with their yes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Path, Request, Response
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool

from api.approvals.bodies import Answered, ApprovalDetail, ApprovalView, Asking, Declining, MyApprovals, WaitingCount
from api.approvals.carrying import carry
from api.approvals.masking import without_particulars
from api.approvals.operations import Operation, operation_of
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, documented
from api.http.caller import Caller, CallerDep
from api.http.carried import Carried
from api.http.commanding import new_case
from api.http.dependencies import ServiceDep
from api.http.fields import Nothing
from api.http.identity import Identity, identified
from api.http.powers import needs
from api.http.scoping import where
from api.http.strict import StrictRoute
from domain import kinds
from domain.approvals import approvals
from domain.approvals.approvals import Approval, Approver
from domain.approvals.refusals import AskerMayNot, CommandGone, NoSuchApproval, SignInToAsk
from domain.people.people import PersonState
from domain.people.scope import scope_of
from domain.standard.context import CommandContext, Person
from infra.approvals.asked_commands import AskedCommand, AskedCommands, new_salt, stream_of
from infra.approvals.carrying import CommandPassed, giving, trying
from infra.approvals.telling import ApprovalTeller
from infra.eventstore.commands import Command, IdempotencyKey, Receipt, Snapshot, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.identity.accounts import Accounts

log = logging.getLogger(__name__)

CLOSED_VAULT = documented(_503="store-unavailable, store-cannot-write, vault-closed")


class LargeCommandRoute(StrictRoute):
    """A route whose body holds that of another command."""

    body_limit_bytes = StrictRoute.body_limit_bytes + 2 * 1024


router = APIRouter(prefix="/api/v1", tags=["approvals 复核"])
_asking = APIRouter(prefix="/approvals", route_class=LargeCommandRoute)
_answering = APIRouter(prefix="/approvals", route_class=StrictRoute)


async def _whole(request: Request) -> Identity:
    """Who asks; a session that still lacks its second factor sees no list. Refuses ``session-limited``."""
    identity = await identified(request)
    if identity.session is not None:
        identity.session.require_whole()
    return identity


IdentityDep = Annotated[Identity, Depends(_whole)]
ApprovalId = Annotated[UUID, Path(description="id of the approval request")]
SOMEBODY = "(a second person)"
"""Who stands behind a command that is tried out, where a role is asked: no account can have this id."""


@_asking.post(
    "",
    status_code=201,
    response_model=ApprovalView,
    summary="Ask a second person to approve a command 请求复核",
    responses=COMMAND_ERRORS | CLOSED_VAULT,
    openapi_extra=needs(None),
)
async def ask(
    body: Asking, caller: CallerDep, service: ServiceDep, request: Request, response: Response
) -> ApprovalView | Response:
    """Takes the very command, tries it out as the second person would let it pass, and keeps it. What it would be
    refused for besides the missing second person, it is refused for now, with that code. A fact from the field that
    does not say when it happened happened now."""
    identity = _known(caller)
    operation, case_id = await run_in_threadpool(operation_of, request.app, body.path)
    account = await run_in_threadpool(Accounts(service).person, body.actor) if body.actor is not None else None
    approvals.require_one_asked(_context(caller, service), body.role, body.actor, account)
    stream, command = new_case(kinds.APPROVAL, caller), _asked(body, caller, identity, operation, service.clock.now())
    state = await run_in_threadpool(AskedCommands(service).state, stream.id)
    if state is None:
        refused = await _tried(request, service, command, identity, _seconds(body.role, account))
        if refused is not None:
            return refused
        # Kept first: a request on record whose command is nowhere could not be given. One that is kept for nothing is
        # forgotten with its time.
        await run_in_threadpool(_keep, service, stream, command, body)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx, digest = snapshot.context(caller.stamp), command.digest
        whom = {"role": body.role, "actor": body.actor}
        facts = approvals.request(
            snapshot.of(stream), ctx, operation=operation.id, digest=digest, case_id=case_id, **whom
        )
        return [(stream, ctx.event(fact)) for fact in facts]

    receipt = await _run(service, Command(stream, caller.stamp, decide, (), caller.key))
    await run_in_threadpool(_tell, service)
    if receipt.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = f"/api/v1/approvals/{stream.id}"
    return await run_in_threadpool(_view_of, service, stream.id)


@_answering.get(
    "", summary="What waits for you, and what you asked 我的复核", responses=QUERY_ERRORS, openapi_extra=needs(None)
)
def mine(service: ServiceDep, who: IdentityDep) -> MyApprovals:
    approver, now = _approver(who), service.clock.now()
    found = AskedCommands(service).of(who.actor, approver.roles) if _is_known(who) else []
    asked = [(id_, state) for id_, state in found if approvals.is_own(state, approver)]
    answerable = [(id_, state) for id_, state in found if approvals.can_answer(state, approver, now)]
    waiting = [(id_, state) for id_, state in answerable if _reaches(service, who, state)]
    return MyApprovals(
        waiting=[_view(service, id_, state) for id_, state in waiting],
        asked=[_view(service, id_, state) for id_, state in asked],
    )


@_answering.get("/count", summary="How many wait for you 待我复核数", responses=QUERY_ERRORS, openapi_extra=needs(None))
def count(service: ServiceDep, who: IdentityDep) -> WaitingCount:
    approver = _approver(who)
    if not _is_known(who) or approver.is_machine:
        return WaitingCount(waiting=0)
    if who.work is not None and who.work.is_bound:
        return WaitingCount(waiting=len(mine(service, who).waiting))
    return WaitingCount(waiting=AskedCommands(service).waiting(who.actor, approver.roles))


@_answering.get(
    "/{approval_id}",
    summary="An approval request with its command 复核请求",
    responses=QUERY_ERRORS | documented(_404="no-such-approval", _503="store-unavailable, vault-closed"),
    openapi_extra=needs(None),
)
def one(approval_id: ApprovalId, service: ServiceDep, who: IdentityDep) -> ApprovalDetail:
    """For whoever asked, and for whoever is asked."""
    state = _visible(service, approval_id, who)
    command = AskedCommands(service).opened(approval_id)
    return ApprovalDetail(
        **_view(service, approval_id, state).model_dump(),
        path=command.path if command is not None else None,
        body=without_particulars(command.body) if command is not None else None,
        reason=command.reason if command is not None else None,
    )


@_answering.post(
    "/{approval_id}/giving",
    response_model=Answered,
    summary="Approve: the command is carried out 同意复核",
    responses=COMMAND_ERRORS | CLOSED_VAULT | documented(_404="no-such-approval, or what the command is refused for"),
    openapi_extra=needs(None),
)
async def give(
    approval_id: ApprovalId, body: Nothing, caller: CallerDep, service: ServiceDep, request: Request
) -> Answered | Response:
    """The command is carried out as whoever asked for it, with you as the second person, in one transaction with your
    yes. Where it is refused by now, nothing is written, and the request still waits. Giving it again changes nothing
    and is answered as before."""
    identity, asked = _known(caller), AskedCommands(service)
    state = await run_in_threadpool(_visible, service, approval_id, identity)
    approver = _approver(identity)
    given_by_them = state.state == "given" and approvals.was_decided_by(state, approver)
    role = state.decided_by.role if given_by_them and state.decided_by is not None else None
    if role is None:
        await _close_if_overdue(service, approval_id, state)
        role = approvals.require_answerable(state, _context(caller, service), approver)
    command = await run_in_threadpool(asked.opened, approval_id)
    if command is None or command.digest != state.digest:
        if given_by_them:
            return Answered(approval=_view(service, approval_id, state))
        raise CommandGone()
    first = await run_in_threadpool(_as_asked, service, command)
    second = Approver(approver.actor, role, approver.roles, approver.is_machine)
    carried = Carried(
        first,
        Person(approver.actor, role),
        IdempotencyKey("approval", str(approval_id), bytes.fromhex(state.digest.removeprefix("sha256:"))),
        giving(service, approval_id, second, caller.stamp.channel),
    )
    answer = await carry(request, command, carried)
    if answer.status_code >= 400:
        return answer
    state = approvals.require_given_by(await run_in_threadpool(asked.state, approval_id), approver)
    return Answered(approval=_view(service, approval_id, state), answer=json.loads(bytes(answer.body)))


@_answering.post(
    "/{approval_id}/decline",
    summary="Say no: the command is not carried out 退回复核",
    responses=COMMAND_ERRORS | documented(_404="no-such-approval"),
    openapi_extra=needs(None),
)
async def decline(approval_id: ApprovalId, body: Declining, caller: CallerDep, service: ServiceDep) -> Answered:
    approver = _approver(_known(caller))
    return await _decided(
        service,
        caller,
        approval_id,
        lambda state, ctx: approvals.decline(state, ctx, approver, reason=body.reason),
    )


@_answering.post(
    "/{approval_id}/withdrawal",
    summary="Take your own request back 撤回复核请求",
    responses=COMMAND_ERRORS | documented(_404="no-such-approval"),
    openapi_extra=needs(None),
)
async def withdraw(approval_id: ApprovalId, body: Nothing, caller: CallerDep, service: ServiceDep) -> Answered:
    return await _decided(service, caller, approval_id, approvals.withdraw)


router.include_router(_asking)
router.include_router(_answering)


# ---- parts


def _asked(body: Asking, caller: Caller, identity: Identity, operation: Operation, now: datetime) -> AskedCommand:
    """The command as it is kept. What does not say when it happened happened when it was asked for."""
    said = body.body
    if operation.says_when and said.get("happened_at") is None:
        said = said | {"happened_at": now.isoformat()}
    stamp = caller.stamp
    return AskedCommand(
        body.path,
        said,
        body.reason,
        identity.actor,
        identity.role,
        identity.by,
        stamp.channel,
        stamp.correlation_id,
        new_salt(),
    )


def _tell(service: Service) -> None:
    """Tell whoever is asked at once; what cannot be written now is written within a minute."""
    try:
        ApprovalTeller(service).turn()
    except (psycopg.Error, PoolTimeout) as error:
        log.warning("a second person is told later: %s", type(error).__name__)


def _keep(service: Service, stream: Stream, command: AskedCommand, body: Asking) -> None:
    now = service.clock.now()
    AskedCommands(service).keep(
        stream.id,
        command,
        asked_role=body.role,
        asked_actor=body.actor,
        asked_at=now,
        expires_at=now + timedelta(hours=service.rules.in_force(now).approvals.approval_hours),
    )


async def _tried(
    request: Request, service: Service, command: AskedCommand, identity: Identity, seconds: Sequence[Person]
) -> Response | None:
    """The refusal of a command that no one of these second persons would let pass; None: one would."""
    refused: Response | None = None
    for second in seconds:
        key = IdempotencyKey("approval-trial", command.salt, b"")
        try:
            refused = await carry(request, command, Carried(identity, second, key, trying(service)))
        except CommandPassed:
            return None
    return refused


def _seconds(role: str | None, account: PersonState | None) -> list[Person]:
    """Who could be the second person: somebody in the role, or the account in one of its roles."""
    if account is not None:
        return [Person(account.number, each) for each in account.work.roles]
    return [Person(SOMEBODY, role)] if role is not None else []


def _as_asked(service: Service, command: AskedCommand) -> Identity:
    """Whoever asked, as they may act now. Refuses ``asker-may-not``."""
    if command.by == "proxy":
        return Identity(command.actor, command.role, "proxy")
    person = Accounts(service).person(command.actor)
    if person is None or person.has_left or command.role not in person.work.roles:
        raise AskerMayNot(command.actor, command.role)
    return Identity(command.actor, command.role, "session", person.work)


async def _decided(
    service: Service,
    caller: Caller,
    approval_id: UUID,
    decision: Callable[[Approval | None, CommandContext], Any],
) -> Answered:
    state = await run_in_threadpool(_visible, service, approval_id, _known(caller))
    await _close_if_overdue(service, approval_id, state)
    stream = stream_of(approval_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(stream, ctx.event(decision(snapshot.of(stream), ctx)))]

    await _run(service, Command(stream, caller.stamp, decide, (), caller.key))
    await run_in_threadpool(AskedCommands(service).forget, approval_id)
    return Answered(approval=await run_in_threadpool(_view_of, service, approval_id))


async def _close_if_overdue(service: Service, approval_id: UUID, state: Approval) -> None:
    if state.is_overdue(service.clock.now()):
        await run_in_threadpool(AskedCommands(service).put_expiry_on_record, approval_id)


def _visible(service: Service, approval_id: UUID, who: Identity) -> Approval:
    """The request, for whoever asked, or is asked and may read its case. Refuses ``no-such-approval`` to everybody
    else."""
    state = AskedCommands(service).state(approval_id)
    if state is None or not _is_known(who) or not approvals.may_see(state, _approver(who)):
        raise NoSuchApproval()
    if not approvals.is_own(state, _approver(who)) and not _reaches(service, who, state):
        raise NoSuchApproval()
    return state


def _reaches(service: Service, who: Identity, state: Approval) -> bool:
    """Whether the case of a request is one that an account may read which is bound to a crew, a squad or districts. A
    request on no case is in everybody's reach."""
    if state.case_id is None:
        return True
    role = state.asked_role if state.asked_role in _approver(who).roles else who.role
    scope = scope_of("case.read", role or who.role, who.work)
    return scope.is_all or scope.reaches(where(service, state.case_id), state.case_id)


def _known(caller: Caller) -> Identity:
    """Who asks. Refuses ``sign-in-to-ask`` to the public."""
    if caller.identity is None or not _is_known(caller.identity):
        raise SignInToAsk()
    return caller.identity


def _is_known(who: Identity) -> bool:
    return who.by != "nobody"


def _approver(who: Identity) -> Approver:
    roles = who.work.roles if who.work is not None else (who.role,)
    return Approver(who.actor, who.role, roles, who.session is not None and who.session.is_machine)


def _context(caller: Caller, service: Service) -> CommandContext:
    return Snapshot(service.clock.now(), service.rules, {}).context(caller.stamp)


def _view_of(service: Service, approval_id: UUID) -> ApprovalView:
    state = AskedCommands(service).state(approval_id)
    if state is None:
        raise NoSuchApproval()
    return _view(service, approval_id, state)


def _view(service: Service, approval_id: UUID, state: Approval) -> ApprovalView:
    by = state.decided_by
    return ApprovalView(
        id=approval_id,
        state=state.standing(service.clock.now()),
        operation=state.operation,
        case_id=state.case_id,
        digest=state.digest,
        asked_by=state.asker.actor,
        asked_as=state.asker.role,
        asked_at=state.requested_at,
        asked_role=state.asked_role,
        asked_actor=state.asked_actor,
        expires_at=state.expires_at,
        decided_by=by.actor if by is not None else None,
        decided_as=by.role if by is not None else None,
        decided_at=state.decided_at,
        decline_reason=state.reason,
    )


async def _run(service: Service, command: Command) -> Receipt:
    # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
    return await asyncio.shield(asyncio.wrap_future(service.submit(command)))

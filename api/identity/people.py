"""Who has an account: they join, move to other work, and leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted
from api.http.caller import Caller, CallerDep
from api.http.dependencies import ServiceDep
from api.http.fields import Nothing
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.identity import bodies
from api.identity.bodies import NewSecret, People, PersonView
from api.publication.routes import published
from domain.people import people
from domain.people.people import PersonState, Work
from domain.standard.context import CommandContext
from infra.eventstore.commands import Command, Snapshot, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import person_stream
from infra.identity.accounts import Accounts
from infra.identity.registry import actors

PersonId = Annotated[str, Path(max_length=64, examples=["dispatcher-7"], description="Id of the account.")]

router = APIRouter(prefix="/api/v1/people", tags=["people 人员"], route_class=StrictRoute, responses=COMMAND_ERRORS)
queries = APIRouter(prefix="/api/v1/people", tags=["people 人员"], route_class=StrictRoute, responses=QUERY_ERRORS)


@queries.get("", summary="Who has an account 人员列表", openapi_extra=needs("people.read"))
def everybody(service: ServiceDep) -> People:
    accounts = Accounts(service)
    known = (accounts.person(actor) for actor in actors(service))
    return People(people=[_view(person) for person in known if person is not None])


@router.post("", status_code=201, summary="Give somebody an account 入职", openapi_extra=needs("people.manage"))
async def join(body: bodies.Joining, caller: CallerDep, service: ServiceDep, response: Response) -> NewSecret:
    """The answer holds the secret, once: a person's password for the first sign-in, or a machine's secret."""
    stream, work = person_stream(body.actor), _work(body)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        joined = people.join(snapshot.of(stream), ctx, actor=body.actor, kind=body.kind, work=work)
        return [(stream, ctx.event(joined))]

    await published(service, Command(stream, caller.stamp, decide), response, body.actor)
    secret = await run_in_threadpool(Accounts(service).new_secret, body.actor, must_change=body.kind == "person")
    response.headers["Cache-Control"] = "no-store"
    return NewSecret(actor=body.actor, secret=secret)


@router.post("/{person_id}/work", summary="Change what somebody may act as 调岗", openapi_extra=needs("people.manage"))
async def move(
    person_id: PersonId, body: bodies.WorkGiven, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    """Every session of theirs ends."""
    stream, work = person_stream(person_id), _work(body)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(stream, ctx.event(people.move(snapshot.of(stream), ctx, actor=person_id, work=work)))]

    accepted = await published(service, Command(stream, caller.stamp, decide, (), caller.key), response, person_id)
    await run_in_threadpool(Accounts(service).close_all, person_id)
    return accepted


@router.post("/{person_id}/departure", summary="Let somebody act no more 离职", openapi_extra=needs("people.manage"))
async def leave(
    person_id: PersonId, body: Nothing, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    """Every session of theirs ends, and no secret is left."""
    stream = person_stream(person_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(stream, ctx.event(people.leave(snapshot.of(stream), ctx, actor=person_id)))]

    accepted = await published(service, Command(stream, caller.stamp, decide, (), caller.key), response, person_id)
    await run_in_threadpool(Accounts(service).forget, person_id)
    return accepted


@router.post("/{person_id}/secret", summary="Set a new secret 重置密码", openapi_extra=needs("people.manage"))
async def reset(
    person_id: PersonId, body: Nothing, caller: CallerDep, service: ServiceDep, response: Response
) -> NewSecret:
    """For who lost the password or the second factor, and to turn a machine's secret over. Every session ends."""

    def new() -> str:
        accounts = Accounts(service)
        person = people.require_manageable(accounts.person(person_id), _context(caller, service), person_id)
        if person.kind == "machine":
            return accounts.new_secret(person_id, must_change=False)
        return accounts.reset(person_id)

    secret = await run_in_threadpool(new)
    response.headers["Cache-Control"] = "no-store"
    return NewSecret(actor=person_id, secret=secret)


def _context(caller: Caller, service: Service) -> CommandContext:
    return Snapshot(service.clock.now(), service.rules, {}).context(caller.stamp)


def _work(body: bodies.WorkGiven) -> Work:
    return Work(tuple(body.roles), body.crew, body.squad, tuple(body.districts), tuple(body.scopes))


def _view(person: PersonState) -> PersonView:
    work = person.work
    return PersonView(
        actor=person.number,
        kind=person.kind,
        roles=list(work.roles),
        crew=work.crew,
        squad=work.squad,
        districts=list(work.districts),
        scopes=list(work.scopes),
        left=person.has_left,
    )

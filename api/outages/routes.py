"""Outages 停水: planned with notice, in an emergency, or without either; told, rescheduled, extended, over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, StrictBool, StrictInt
from starlette.concurrency import run_in_threadpool

from api.http import described
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, Accepted
from api.http.commanding import CommandRunner, PendingCommand, events, runner_of
from api.http.dependencies import CaseId, ServiceDep
from api.http.fields import Body, Code, Digest, FromTheField, Instant, Nothing
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.outages.nearby import nearby, seen
from api.publication.bodies import DocumentNumber, PublicSource
from domain import kinds
from domain.kernel.facts import EventToAppend, Moment
from domain.kernel.refusals import NoSuchCase
from domain.outages import begun, notices
from domain.outages.begun import MOST_LITRES
from domain.outages.case import Outage
from domain.outages.checks import MOST_USERS
from domain.outages.effect import PlannedEffect
from domain.outages.facts import BegunAs
from domain.standard.context import CommandContext
from infra.eventstore.commands import Snapshot, Stream, StreamEvent
from infra.eventstore.shipped_rules import MASS

router = APIRouter(tags=["outages 停水"])
_commands = APIRouter(prefix="/api/v1/outages", route_class=StrictRoute, responses=COMMAND_ERRORS)
_queries = APIRouter(prefix="/api/v1/outages", route_class=StrictRoute, responses=CASE_ERRORS)

Districts = Annotated[list[Code], Field(min_length=1, max_length=100)]
Users = Annotated[StrictInt, Field(ge=1, le=MOST_USERS)]
Runner = Annotated[CommandRunner, Depends(runner_of(kinds.OUTAGE))]


class Planned(Body):
    """A planned outage, with its effect: who and what is without water, and how they get water in the meantime."""

    districts: Annotated[Districts, Field(description="Codes of the districts without water.")]
    affected_users: Annotated[Users, Field(description="Users without water.")]
    begin: Annotated[Instant, Field(description="Announced beginning of the outage.")]
    end: Annotated[Instant, Field(description="Announced end of the outage.")]
    approval: Annotated[
        DocumentNumber | None,
        Field(description="Number of the authority's approval; null where none is needed. A large effect needs one."),
    ] = None
    places: Annotated[
        list[Code],
        Field(
            max_length=20,
            examples=[["hospital"]],
            default_factory=list,
            description="Kinds of place without water that count for the effect, as codes of the standard.",
        ),
    ]
    supply: Annotated[
        Code | None,
        Field(
            examples=["tanker"],
            description="How people get water in the meantime, as a code of the standard; null: not at all. A large "
            "effect needs one.",
        ),
    ] = None
    fire_affected: Annotated[
        StrictBool, Field(description="Whether water for fire fighting may be affected: the fire service is told then.")
    ] = False
    extent: Annotated[
        PublicSource | None,
        Field(
            min_length=2,
            examples=["人民路以北"],
            description="Streets and buildings without water, in public words; null where the districts say it all.",
        ),
    ] = None


class NewTimes(Body):
    """Other times of a planned outage; ``approval`` and ``supply`` where the new effect needs them."""

    begin: Annotated[Instant, Field(description="New announced beginning of the outage.")]
    end: Annotated[Instant, Field(description="New announced end of the outage.")]
    approval: Annotated[
        DocumentNumber | None, Field(description="Number of the authority's approval; null: the earlier one holds.")
    ] = None
    supply: Annotated[
        Code | None,
        Field(description="How people get water in the meantime, as a code of the standard; null: that stays."),
    ] = None


class Unannounced(FromTheField):
    """Water is off though nobody planned it and no incident is known."""

    districts: Annotated[Districts, Field(description="Codes of the districts without water.")]
    affected_users: Annotated[Users, Field(description="Users without water.")]


class FireServiceReport(FromTheField):
    """The document in which the fire service was told."""

    document: Annotated[DocumentNumber, Field(description="Number of the document in which the fire service was told.")]


class Emergency(FromTheField):
    """Water is off because of an incident."""

    incident: Annotated[UUID, Field(description="Id of the incident that the outage is because of.")]
    districts: Annotated[Districts, Field(description="Codes of the districts without water.")]
    affected_users: Annotated[Users, Field(description="Users without water.")]


class UserNotice(FromTheField):
    """How the users were told, and the digest of what was sent."""

    way: Annotated[
        Code, Field(description="By which way, as a code of the standard (for example sms, phone, at-the-door).")
    ]
    digest: Annotated[Digest, Field(description="SHA-256 of what was sent, as sha256: and 64 hex digits.")]


class Proof(FromTheField):
    """Which notice arrived, from 1, and the digest of the proof."""

    notice: Annotated[StrictInt, Field(ge=1, le=10_000, description="Number of the notice in its outage, from 1.")]
    digest: Annotated[Digest, Field(description="SHA-256 of the proof, as sha256: and 64 hex digits.")]


class AuthorityReport(FromTheField):
    """The document in which the authority was told."""

    document: Annotated[DocumentNumber, Field(description="Number of the document in which the authority was told.")]


class Cancellation(Body):
    """Why the outage will not be, by a code of the standard."""

    reason: Annotated[Code, Field(examples=["work-postponed"], description="Why, as a code of the standard.")]


class NoticeOrder(Body):
    """By which way of the standard the users are to be told; the text is the standard's."""

    way: Annotated[
        Code,
        Field(
            examples=["sms"],
            description="By which way, as a code of the standard (for example sms, phone, at-the-door).",
        ),
    ]


class Extension(Body):
    """Until when it will take."""

    end: Annotated[Instant, Field(description="New announced end of the outage.")]


class Water(FromTheField):
    """Emergency water: at which point, by its code, and how much."""

    point: Annotated[
        Code, Field(examples=["renmin-square"], description="Code of the place where water was handed out.")
    ]
    litres: Annotated[StrictInt, Field(ge=1, le=MOST_LITRES, description="How much water was handed out, in litres.")]


class OutageView(BaseModel):
    """An outage as it stands. ``noticed``: when each notice was sent, from number 1."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    districts: Annotated[list[str], Field(description="Codes of the districts without water.")]
    affected_users: Annotated[int, Field(description="Users without water.")]
    incident: Annotated[
        UUID | None, Field(description="Id of the incident that the outage is because of; null: there is none.")
    ]
    kind: Annotated[
        BegunAs,
        Field(description="Whether it was planned, is because of an incident, or came without either."),
    ]
    begin: Annotated[datetime | None, Field(description="Announced beginning; null where nobody planned it.")]
    approval: Annotated[str | None, Field(description="Number of the authority's approval; null where there is none.")]
    places: Annotated[list[str], Field(description="Kinds of place without water, as codes.")]
    supply: Annotated[str | None, Field(description="How people get water in the meantime; null: nothing planned.")]
    fire_affected: Annotated[bool, Field(description="Whether water for fire fighting may be affected.")]
    fire_told: Annotated[bool, Field(description="Whether the fire service was told.")]
    extent: Annotated[str | None, Field(description="Streets and buildings without water; null: the districts.")]
    end: Annotated[datetime | None, Field(description="Announced end of the outage; null where none was announced.")]
    noticed: Annotated[list[datetime], Field(description="When each notice was sent, from number 1.")]
    ordered: Annotated[int, Field(description="How many notices the program was told to send.")]
    undelivered: Annotated[int, Field(description="How many of these could not be delivered.")]
    proven: Annotated[list[int], Field(description="Numbers of the notices whose delivery is proven.")]
    reported: Annotated[bool, Field(description="Whether the authority was told.")]
    started_at: Annotated[datetime | None, Field(description="When water went off; null while it is on.")]
    cancelled_at: Annotated[datetime | None, Field(description="When it was cancelled; null where it was not.")]
    restored_at: Annotated[datetime | None, Field(description="When water was back; null while it is not.")]
    water_litres: Annotated[int, Field(description="How much water was handed out, in litres.")]


@_queries.get("/{case_id}", summary="How the outage stands", openapi_extra=needs(None))
def the_outage(case_id: CaseId, service: ServiceDep) -> OutageView:
    outage: Outage | None = service.load(Stream(kinds.OUTAGE, case_id))[0]
    if outage is None:
        raise NoSuchCase(
            found="no outage with this id",
            needed="the id of an outage",
            next_step="look the outage up where it was planned or recorded",
            next_step_zh="没有该停水，请核对编号",
        )
    return OutageView(
        case_id=case_id,
        case_number=outage.number,
        districts=list(outage.districts),
        affected_users=outage.affected_users,
        incident=outage.incident,
        kind=outage.begun_as,
        begin=outage.begin,
        approval=outage.approval,
        places=list(outage.places),
        supply=outage.supply,
        fire_affected=outage.fire_affected,
        fire_told=bool(outage.fire_told),
        extent=outage.extent,
        end=outage.end,
        noticed=[notice.at for notice in outage.notices],
        ordered=len(outage.ordered),
        undelivered=len(outage.failed - outage.delivered),
        proven=sorted(outage.proven),
        reported=bool(outage.reports),
        started_at=_at(outage.started),
        cancelled_at=_at(outage.cancelled),
        restored_at=_at(outage.restored),
        water_litres=outage.water_litres,
    )


@_commands.post("/planned", status_code=201, summary="Plan an outage 计划停水", openapi_extra=needs("outage.plan"))
async def plan(body: Planned, runner: Runner) -> Accepted:
    number, case = runner.new_number(), runner.new_case()
    others = await run_in_threadpool(nearby, runner.service, body.districts, body.begin, body.end, case)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(runner.caller.stamp)
        fact = begun.plan(
            snapshot.of(case),
            ctx,
            number=number,
            districts=body.districts,
            affected_users=body.affected_users,
            begin=body.begin,
            end=body.end,
            approval=body.approval,
            mass=snapshot.of(MASS),
            effect=PlannedEffect(tuple(body.places), body.supply, body.fire_affected, body.extent),
            others=seen(snapshot, others),
        )
        return events(case, fact, ctx)

    return await runner.carry_out(
        PendingCommand(case, runner.caller, decide, others=(MASS,), number=number, reads=others)
    )


@_commands.post(
    "/emergency",
    status_code=201,
    summary="Water is off because of an incident 突发停水",
    openapi_extra=needs("outage.tell"),
)
async def begin_emergency(body: Emergency, runner: Runner) -> Accepted:
    number, case, incident = runner.new_number(), runner.new_case(), Stream(kinds.REPAIR, body.incident)
    happened_at = body.happened_at or runner.now()

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        because_of = snapshot.existing(incident)
        ctx = runner.context(snapshot, body, happened_at)
        fact = begun.begin_emergency(
            snapshot.of(case),
            ctx,
            number=number,
            incident=body.incident,
            because_of=because_of,
            districts=body.districts,
            affected_users=body.affected_users,
        )
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, others=(incident,), number=number))


@_commands.post(
    "/unannounced",
    status_code=201,
    summary="Water is off without a plan and without a known incident 无通知停水",
    openapi_extra=needs("outage.tell"),
)
async def begin_unannounced(body: Unannounced, runner: Runner) -> Accepted:
    number, case = runner.new_number(), runner.new_case()
    happened_at = body.happened_at or runner.now()

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = runner.context(snapshot, body, happened_at)
        fact = begun.begin_unannounced(
            snapshot.of(case), ctx, number=number, districts=body.districts, affected_users=body.affected_users
        )
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, number=number))


@_commands.post(
    "/{case_id}/water-off",
    summary="Water of a planned outage went off, as announced or not 登记停水",
    openapi_extra=needs("outage.tell"),
)
async def record_start(case_id: CaseId, body: FromTheField, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, begun.record_start)


@_commands.post(
    "/{case_id}/new-times",
    summary="A planned outage will be at other times 停水改期",
    openapi_extra=needs("outage.plan"),
)
async def reschedule(case_id: CaseId, body: NewTimes, runner: Runner) -> Accepted:
    case = Stream(kinds.OUTAGE, case_id)
    others = await _others(runner, case, body.begin, body.end)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(runner.caller.stamp)
        fact = begun.reschedule(
            snapshot.existing(case),
            ctx,
            begin=body.begin,
            end=body.end,
            approval=body.approval,
            supply=body.supply,
            mass=snapshot.of(MASS),
            others=seen(snapshot, others),
        )
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, others=(MASS,), reads=others))


@_commands.post(
    "/{case_id}/fire-service",
    summary="The fire service was told 告知消防部门",
    openapi_extra=needs("outage.tell"),
)
async def tell_fire_service(case_id: CaseId, body: FireServiceReport, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda outage, ctx: notices.tell_fire_service(outage, ctx, document=body.document)
    )


@_commands.post(
    "/{case_id}/start", summary="Turn the water of a planned outage off 开始停水", openapi_extra=needs("outage.tell")
)
async def start(case_id: CaseId, body: Nothing, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, begun.start)


@_commands.post(
    "/{case_id}/cancellation", summary="A planned outage will not be 取消停水", openapi_extra=needs("outage.cancel")
)
async def cancel(case_id: CaseId, body: Cancellation, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda outage, ctx: begun.cancel(outage, ctx, reason=body.reason))


@_commands.post(
    "/{case_id}/notices/order",
    summary="Have the users told how the outage stands 发送停水通知",
    openapi_extra=needs("outage.notify"),
)
async def order_notice(case_id: CaseId, body: NoticeOrder, runner: Runner) -> Accepted:
    def decide(outage: Outage, ctx: CommandContext) -> EventToAppend:
        ordered = notices.order_notice(outage, ctx, way=body.way)
        return EventToAppend(ordered.fact, ctx.happened_at, tells=ordered.message)

    return await runner.instruct(case_id, decide)


@_commands.post("/{case_id}/notices", summary="The users were told 停水通知", openapi_extra=needs("outage.tell"))
async def send_notice(case_id: CaseId, body: UserNotice, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda outage, ctx: notices.send_notice(outage, ctx, way=body.way, digest=body.digest)
    )


@_commands.post("/{case_id}/notices/proof", summary="A notice arrived 通知送达", openapi_extra=needs("outage.tell"))
async def prove_notice(case_id: CaseId, body: Proof, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda outage, ctx: notices.prove_notice(outage, ctx, notice=body.notice, digest=body.digest)
    )


@_commands.post("/{case_id}/report", summary="The authority was told 报告主管部门", openapi_extra=needs("outage.tell"))
async def report(case_id: CaseId, body: AuthorityReport, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, lambda outage, ctx: notices.report(outage, ctx, document=body.document))


@_commands.post(
    "/{case_id}/extension",
    summary="It takes longer, or in an emergency: until when 公布或延长停水",
    openapi_extra=needs("outage.tell"),
)
async def extend(case_id: CaseId, body: Extension, runner: Runner) -> Accepted:
    case = Stream(kinds.OUTAGE, case_id)
    others = await _others(runner, case, None, body.end)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(runner.caller.stamp)
        fact = begun.extend(snapshot.existing(case), ctx, end=body.end, others=seen(snapshot, others))
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, reads=others))


@_commands.post(
    "/{case_id}/water", summary="Emergency water was handed out 应急供水", openapi_extra=needs("outage.tell")
)
async def provide_water(case_id: CaseId, body: Water, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda outage, ctx: begun.provide_water(outage, ctx, point=body.point, litres=body.litres)
    )


@_commands.post("/{case_id}/restoration", summary="Water flows again 恢复供水", openapi_extra=needs("outage.tell"))
async def restore(case_id: CaseId, body: FromTheField, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, begun.restore)


async def _others(runner: CommandRunner, case: Stream, begin: datetime | None, end: datetime) -> tuple[Stream, ...]:
    """The other planned outages around an outage whose water is not off; ``begin`` None: as it is announced."""
    outage: Outage | None = await runner.load(case)
    since = begin or (outage.begin if outage is not None else None)
    if outage is None or since is None or outage.started is not None:
        return ()
    return await run_in_threadpool(nearby, runner.service, outage.districts, since, end, case)


def _at(moment: Moment | None) -> datetime | None:
    return moment.at if moment is not None else None


router.include_router(_commands)
router.include_router(_queries)

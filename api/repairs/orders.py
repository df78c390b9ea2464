"""Orders of other bodies 热线工单 (12345): how one stands, its reply, more time for it.

An order is taken in with the report that it came with (``order`` in the body of a report).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from api.board.answers import WindowView
from api.board.cases import windows_on_record
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, Accepted
from api.http.commanding import CommandRunner, PendingCommand, StaleLookup, runner_of
from api.http.dependencies import ServiceDep
from api.http.fields import Body, Code, Digest, FromTheField, Instant
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.publication.bodies import DocumentNumber
from api.repairs.bodies import OrderNumber
from domain import kinds
from domain.repairs import answers, orders
from infra.eventstore.commands import Snapshot, Stream, StreamEvent
from infra.eventstore.shipped_rules import order_stream

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.ORDER))]

router = APIRouter(tags=["orders 热线工单"])
_commands = APIRouter(prefix="/api/v1/orders", route_class=StrictRoute, responses=COMMAND_ERRORS)
_queries = APIRouter(prefix="/api/v1/orders", route_class=StrictRoute, responses=CASE_ERRORS)

OrderSourcePath = Annotated[Code, Path(description="whose order it is, a code of the standard")]
OrderNumberPath = Annotated[OrderNumber, Path(description="its number there")]


class Reply(FromTheField):
    """The source was told what became of it: the digest of the reply."""

    digest: Annotated[Digest, Field(description="SHA-256 of the reply, as sha256: and 64 hex digits.")]


class MoreTime(Body):
    """Until when the source gives time, and the document in which it does."""

    reply_by: Annotated[Instant, Field(description="When the other body wants its reply.")]
    document: Annotated[DocumentNumber, Field(description="Number of the document in which the source gave more time.")]


class OrderView(BaseModel):
    """An order as it stands. ``case_id`` and ``report``: the incident that it belongs to."""

    order_id: Annotated[UUID, Field(description="Id of the order, which is a case of its own.")]
    source: Annotated[str, Field(description="Code of the body whose order it is.")]
    number: Annotated[str, Field(description="The order's number at that body.")]
    case_id: Annotated[UUID, Field(description="Id of the incident that it belongs to.")]
    report: Annotated[int, Field(description="Number of the report in its incident, from 1.")]
    received_at: Annotated[datetime, Field(description="When the order was received.")]
    reply_by: Annotated[datetime | None, Field(description="When the limit to reply ends; null where it has no end.")]
    replied_at: Annotated[datetime | None, Field(description="When the body had its reply; null while it has none.")]
    windows: Annotated[list[WindowView], Field(description="The verdicts on record, one window for each promise.")]


@_queries.get("/{source}/{number}", summary="How the order stands", openapi_extra=needs("order.read"))
def the_order(source: OrderSourcePath, number: OrderNumberPath, service: ServiceDep) -> OrderView:
    stream = order_stream(source, number)
    order = kinds.ORDER.existing(service.load(stream)[0])
    return OrderView(
        order_id=stream.id,
        source=order.source,
        number=order.number,
        case_id=order.case_id,
        report=order.report,
        received_at=order.received.at,
        reply_by=order.ledger[orders.REPLY].due_at,
        replied_at=min(order.replied).at if order.replied else None,
        windows=windows_on_record(order.ledger, service.rules),
    )


@_commands.post(
    "/{source}/{number}/reply",
    summary="The source was told what became of it 回复热线工单",
    openapi_extra=needs("order.send-reply"),
)
async def reply(source: OrderSourcePath, number: OrderNumberPath, body: Reply, runner: Runner) -> Accepted:
    """Answers whoever made the report too: the hotline tells them."""
    stream = order_stream(source, number)
    return await runner.with_case_lookup(stream, lambda seen: replying(runner, stream, seen, body))


def replying(runner: CommandRunner, stream: Stream, seen: orders.OutsideOrder | None, body: Reply) -> PendingCommand:
    """The reply in the order's stream, and the answer to its reporter in the incident's."""
    case = Stream(kinds.REPAIR, seen.case_id) if seen is not None else None
    happened_at = body.happened_at or runner.now()

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = runner.context(snapshot, body, happened_at)
        order: orders.OutsideOrder = snapshot.existing(stream)
        replied = orders.reply(order, ctx, digest=body.digest)
        if case is None or order.case_id != case.id:
            raise StaleLookup
        answered = answers.answer_reporter(
            snapshot.existing(case), ctx, report=order.report, way=order.source, digest=body.digest
        )
        return [(stream, ctx.event(replied)), (case, ctx.event(answered))]

    return PendingCommand(stream, runner.caller, decide, others=(case,) if case is not None else ())


@_commands.post(
    "/{source}/{number}/extension", summary="The source gives more time 延期回复", openapi_extra=needs("order.extend")
)
async def extend(source: OrderSourcePath, number: OrderNumberPath, body: MoreTime, runner: Runner) -> Accepted:
    return await runner.instruct(
        order_stream(source, number),
        lambda order, ctx: orders.extend(order, ctx, reply_by=body.reply_by, document=body.document),
    )


for part in (_commands, _queries):
    router.include_router(part)

"""Mass incidents 群发事件: declared, ended, and the reports of one taken in together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted
from api.http.caller import Caller, CallerDep
from api.http.commanding import CommandRunner
from api.http.dependencies import ServiceDep
from api.http.errors import as_refusal
from api.http.fields import Body, Code, HappenedAt, When
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.publication.routes import published
from api.repairs import bodies, commands
from domain import kinds
from domain.kernel.facts import EventToAppend, Fact
from domain.kernel.refusals import Refusal
from domain.repairs import mass
from domain.standard.context import CommandContext
from infra.eventstore.commands import Command, IdempotencyKey, Snapshot, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import MASS
from infra.sql import sql

MOST_REPORTS = 200
NONE_TAGGED = {"incidents": 0, "still_open": 0, "lapses": 0, "retracted": 0}


class BulkRoute(StrictRoute):
    """Two hundred reports are longer than any other body."""

    body_limit_bytes = 256 * 1024


router = APIRouter(tags=["mass incidents 群发事件"])
_commands = APIRouter(prefix="/api/v1", route_class=StrictRoute, responses=COMMAND_ERRORS)
_bulk = APIRouter(prefix="/api/v1", route_class=BulkRoute, responses=COMMAND_ERRORS)
_queries = APIRouter(prefix="/api/v1", route_class=StrictRoute, responses=QUERY_ERRORS)

MassCode = Annotated[Code, Path(description="the mass incident's code")]


class MassForm(Body):
    """A mass incident: its own code, a cause of the standard, the districts."""

    mass: Annotated[Code, Field(examples=["frost-a"], description="Code of the mass incident.")]
    cause: Annotated[Code, Field(examples=["frost"], description="What caused it, as a code of the standard.")]
    districts: Annotated[
        list[Code], Field(min_length=1, max_length=100, description="Codes of the districts in which it holds.")
    ]
    happened_at: HappenedAt = None


class MassView(BaseModel):
    """One mass incident; ``until`` None: it holds."""

    mass: Annotated[str, Field(description="Code of the mass incident.")]
    cause: Annotated[str, Field(description="What caused it, as a code of the standard.")]
    districts: Annotated[list[str], Field(description="Codes of the districts in which it holds.")]
    since: Annotated[datetime, Field(description="From when on it holds.")]
    until: Annotated[datetime | None, Field(description="Until when it held; null: it holds.")]
    incidents: Annotated[int, Field(description="how many incidents are tagged with it")]
    open: Annotated[int, Field(description="how many of them are still open")]
    lapses: Annotated[int, Field(description="lapses of theirs that stand")]
    retracted: Annotated[int, Field(description="lapses of theirs that fell away")]


class MassList(BaseModel):
    """Every mass incident, in the order of declaration."""

    mass_incidents: Annotated[list[MassView], Field(description="The mass incidents, in the order of declaration.")]


class Bulk(Body):
    """Reports as they would be sent one by one; each is accepted or refused by itself."""

    tells_facts = True
    unscreened = frozenset({"reports"})

    reports: Annotated[
        list[Any],
        Field(min_length=1, max_length=MOST_REPORTS, description="The reports, each as the body of a single report."),
    ]


class BulkRow(BaseModel):
    """What became of one report, ``row`` from 1: its case, or why it was refused."""

    row: Annotated[int, Field(description="Number of the report in the batch, from 1.")]
    case_id: Annotated[
        UUID | None, Field(description="Id of the case that the report opened; null where it was refused.")
    ] = None
    case_number: Annotated[
        str | None, Field(description="The number that people know the case by; null where the report was refused.")
    ] = None
    code: Annotated[str | None, Field(description="Code of the refusal; null where the report was accepted.")] = None
    found: Annotated[
        str | None, Field(description="What was found, in English; null where the report was accepted.")
    ] = None
    needed: Annotated[
        str | None, Field(description="What was needed, in English; null where the report was accepted.")
    ] = None
    next_step: Annotated[
        str | None, Field(description="What to do next, in English; null where the report was accepted.")
    ] = None
    next_step_zh: Annotated[
        str | None, Field(description="What to do next, in Chinese; null where the report was accepted.")
    ] = None


class BulkAnswer(BaseModel):
    """Row by row, in the order of sending."""

    accepted: Annotated[int, Field(description="How many reports were accepted.")]
    refused: Annotated[int, Field(description="How many reports were refused.")]
    rows: Annotated[list[BulkRow], Field(description="What became of each report, in the order of sending.")]


# ---- declared, ended


@_commands.post(
    "/mass-incidents",
    status_code=201,
    summary="Declare a mass incident 宣布群发事件",
    openapi_extra=needs("mass.declare"),
)
async def declare(body: MassForm, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    def say(register: mass.Register | None, ctx: CommandContext) -> Fact:
        return mass.declare(register, ctx, mass=body.mass, cause=body.cause, districts=body.districts)

    return await published(service, _command(caller, body.happened_at, say), response, body.mass)


@_commands.post(
    "/mass-incidents/{code}/end", summary="A mass incident is over 群发事件结束", openapi_extra=needs("mass.end")
)
async def end(code: MassCode, body: When, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    command = _command(caller, body.happened_at, lambda register, ctx: mass.end(register, ctx, mass=code))
    return await published(service, command, response, code)


@_queries.get("/mass-incidents", summary="Which mass incidents hold, and which did", openapi_extra=needs(None))
def every(service: ServiceDep) -> MassList:
    register: mass.Register | None = service.load(MASS)[0]
    known = register.declared if register is not None else ()
    with service.connection() as connection:
        counts = {row["mass"]: row for row in connection.execute(sql("mass_counts")).fetchall()}
    return MassList(
        mass_incidents=[
            MassView(
                mass=m.mass,
                cause=m.cause,
                districts=list(m.districts),
                since=m.since,
                until=m.until,
                incidents=(tagged := counts.get(m.mass, NONE_TAGGED))["incidents"],
                open=tagged["still_open"],
                lapses=tagged["lapses"],
                retracted=tagged["retracted"],
            )
            for m in known
        ]
    )


def _command(
    caller: Caller, happened_at: datetime | None, say: Callable[[mass.Register | None, CommandContext], Fact]
) -> Command:
    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, happened_at)
        return [(MASS, EventToAppend(say(snapshot.of(MASS), ctx), ctx.happened_at))]

    return Command(MASS, caller.stamp, decide, key=caller.key)


# ---- many reports at once


@_bulk.post(
    "/repairs/bulk", summary="Up to 200 reports, each accepted or refused by itself 批量报修", openapi_extra=needs(None)
)
async def report_many(body: Bulk, caller: CallerDep, service: ServiceDep) -> BulkAnswer:
    rows = await asyncio.gather(
        *(_row(service, caller, number, report) for number, report in enumerate(body.reports, start=1))
    )
    accepted = sum(row.case_id is not None for row in rows)
    return BulkAnswer(accepted=accepted, refused=len(rows) - accepted, rows=rows)


async def _row(service: Service, caller: Caller, row: int, report: Any) -> BulkRow:
    try:
        made = await _report(service, _for_row(caller, row), _body(report))
    except Exception as error:
        refused = as_refusal(error)
        if refused is None or refused.status >= 500:
            raise  # the whole is sent again, under its key: what was done is not done twice
        return _refused(row, refused)
    return BulkRow(row=row, case_id=made.case_id, case_number=made.case_number)


async def _report(service: Service, caller: Caller, body: bodies.FaultReport) -> Accepted:
    runner = CommandRunner(kinds.REPAIR, caller, service, Response())
    number, happened_at = runner.new_number(), body.happened_at or runner.now()
    return await runner.carry_out(commands.report_fault(caller, body, number=number, happened_at=happened_at))


def _body(report: Any) -> bodies.FaultReport:
    try:
        return bodies.FaultReport.model_validate(report)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from None


def _for_row(caller: Caller, row: int) -> Caller:
    """Each row is a command of its own; under a key it has one too, so that sending the whole again does none twice."""
    stamp = replace(caller.stamp, command_id=str(uuid4()))
    if caller.key is None:
        return Caller(stamp, None)
    name = hashlib.sha256(caller.key.key.encode()).hexdigest()[:40]
    return Caller(stamp, IdempotencyKey(caller.key.scope, f"bulk:{name}:{row}", caller.key.digest))


def _refused(row: int, error: Refusal) -> BulkRow:
    return BulkRow(
        row=row,
        code=error.code,
        found=error.found,
        needed=error.needed,
        next_step=error.next_step,
        next_step_zh=error.next_step_zh,
    )


for part in (_commands, _bulk, _queries):
    router.include_router(part)

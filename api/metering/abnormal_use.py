"""Abnormal use 用量异常: what stands out and is open, looked at again, told to the user, the leak sought, settled."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StrictBool

from api.http import described
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted
from api.http.caller import CallerDep, context_now
from api.http.commanding import CommandRunner, runner_of
from api.http.dependencies import CaseId, Limit, ServiceDep
from api.http.fields import Body, Code, CrewCode, Digest, EvidenceDigest, FromTheField
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain import kinds
from domain.metering import abnormal_use as abnormal
from domain.metering.readings import FLAGS_ZH
from domain.standard.context import require_power
from infra.sql import sql

router = APIRouter(tags=["usage 用量异常"])
_commands = APIRouter(prefix="/api/v1/usage", route_class=StrictRoute, responses=COMMAND_ERRORS)
_queries = APIRouter(prefix="/api/v1/usage", route_class=StrictRoute, responses=QUERY_ERRORS)

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.USAGE))]
MeterFilter = Annotated[str | None, Query(min_length=3, max_length=32, description="of this meter alone")]


class AnomalyLook(FromTheField):
    """How it was looked at again, and the digest of the photo or of the record."""

    by: Annotated[
        Literal["re-read", "photo"],
        Field(description="How it was looked at again: re-read at the dial, or by a photo."),
    ]
    evidence_digest: EvidenceDigest = None


class AnomalyDismissal(Body):
    """Why it is nothing, by a code of the standard."""

    reason: Annotated[Code, Field(examples=["misread"], description="Why, as a code of the standard.")]
    evidence_digest: EvidenceDigest = None


class Notification(FromTheField):
    """How the user was told, and the digest of the signed slip or of the receipt."""

    way: Annotated[
        Code,
        Field(
            examples=["door"],
            description="By which way, as a code of the standard (for example sms, phone, at-the-door).",
        ),
    ]
    proof_digest: Annotated[
        Digest, Field(description="SHA-256 of the proof that the user was told, as sha256: and 64 hex digits.")
    ]


class HelpOffered(FromTheField):
    """Whether the user accepts the help."""

    accepted: Annotated[StrictBool, Field(description="Whether the user accepts the help.")]


class HelpStarted(FromTheField):
    """The crew that looks for the leak."""

    crew: CrewCode


class HelpFinished(FromTheField):
    """What was found, by a code of the standard."""

    finding: Annotated[
        Code, Field(examples=["leak-behind-meter"], description="What was found, as a code of the standard.")
    ]


class UsageOutcome(Body):
    """What came of it, by a code of the standard."""

    outcome: Annotated[Code, Field(examples=["genuine-use"], description="What came of it, as a code of the standard.")]


class UsageView(BaseModel):
    """A case of abnormal use; read from Kafka's read model, so a moment behind the store. ``held``: billing waits.

    ``connection`` and ``point``: where the meter was in service when it was found.
    """

    case_id: described.CaseId
    case_number: described.CaseNumber
    meter: described.MeterNumber
    read_at: described.ReadAt
    litres: Annotated[int, Field(description="What the dial showed, in litres.")]
    used_litres: Annotated[
        int | None,
        Field(description=("Use since the reading before, in litres; null where it cannot be told.")),
    ]
    signs: Annotated[
        list[str],
        Field(description="What about the reading stands out: high, zero, falling, dial-over or never-still."),
    ]
    signs_zh: Annotated[list[str], Field(description="What about the reading stands out, in Chinese.")]
    connection: Annotated[
        UUID | None,
        Field(
            description=(
                "Id of the connection where the meter was in service when it was found; null where it was in none."
            )
        ),
    ]
    point: Annotated[
        int | None, Field(description="Number of the supply point there, from 1; null where the meter was in none.")
    ]
    found_at: Annotated[datetime, Field(description="When the reading was found to stand out.")]
    standing: Annotated[bool, Field(description="Whether the reading still stands out, after whatever came in later.")]
    held: Annotated[bool, Field(description="Whether billing waits for the case.")]
    confirmed_at: Annotated[
        datetime | None, Field(description="When it was looked at again and confirmed; null while it was not.")
    ]
    dismissed_at: Annotated[
        datetime | None, Field(description="When it was said to be nothing; null where it was not.")
    ]
    notified_at: Annotated[datetime | None, Field(description="When the user was told; null while they were not.")]
    notified_by: Annotated[
        str | None,
        Field(description="By which way the user was told, as a code of the standard; null while they were not."),
    ]
    offered_at: Annotated[
        datetime | None,
        Field(description="When the user was offered help with finding the leak; null while they were not."),
    ]
    help_started_at: Annotated[
        datetime | None, Field(description="When a crew began to look for the leak; null while none did.")
    ]
    help_finished_at: Annotated[
        datetime | None, Field(description="When the search for the leak was over; null while it is not.")
    ]
    finding: Annotated[
        str | None,
        Field(description="What the search found, as a code of the standard; null while it found nothing yet."),
    ]
    outcome: Annotated[
        str | None, Field(description="What came of it, as a code of the standard; null while the case has no outcome.")
    ]
    open: described.IsOpen
    version: described.EventsRead


class UsageCases(BaseModel):
    """Cases of abnormal use, the oldest first: it is the next to look at."""

    cases: Annotated[list[UsageView], Field(description="The cases, the oldest first.")]


@_queries.get("", summary="Abnormal use, the oldest first 用量异常清单", openapi_extra=needs("usage.read"))
def cases(
    caller: CallerDep,
    service: ServiceDep,
    is_open: Annotated[bool | None, Query(alias="open", description="only open, or only finished ones")] = True,
    meter: MeterFilter = None,
    limit: Limit = 100,
) -> UsageCases:
    require_power(context_now(caller, service), "usage.read")
    wanted = {"open": is_open, "meter": meter and meter.strip().upper(), "limit": limit}
    with service.connection() as connection:
        rows = connection.execute(sql("usage_cases"), wanted).fetchall()
    found = [UsageView(**row, signs_zh=[_named(sign) for sign in row["signs"]]) for row in rows]
    return UsageCases(cases=found)


@_commands.post(
    "/{case_id}/confirmation", summary="Looked at again, and it is so 核实异常", openapi_extra=needs("usage.inspect")
)
async def confirm(case_id: CaseId, body: AnomalyLook, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: abnormal.confirm(case, ctx, by=body.by, evidence_digest=body.evidence_digest)
    )


@_commands.post("/{case_id}/dismissal", summary="It is nothing 排除异常", openapi_extra=needs("usage.dismiss"))
async def dismiss(case_id: CaseId, body: AnomalyDismissal, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: abnormal.dismiss(case, ctx, reason=body.reason, evidence_digest=body.evidence_digest),
    )


@_commands.post(
    "/{case_id}/notification", summary="The user was told, with proof 告知用户", openapi_extra=needs("usage.notify")
)
async def notify(case_id: CaseId, body: Notification, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: abnormal.notify(case, ctx, way=body.way, proof_digest=body.proof_digest)
    )


@_commands.post(
    "/{case_id}/leak-help/offer",
    summary="Help with finding the leak was offered 提供查漏",
    openapi_extra=needs("usage.help"),
)
async def offer_help(case_id: CaseId, body: HelpOffered, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, lambda case, ctx: abnormal.offer_help(case, ctx, accepted=body.accepted))


@_commands.post(
    "/{case_id}/leak-help/start", summary="A crew looks for the leak 开始查漏", openapi_extra=needs("usage.help")
)
async def start_help(case_id: CaseId, body: HelpStarted, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: abnormal.start_help(case, ctx, crew=body.crew), names_crew=True
    )


@_commands.post("/{case_id}/leak-help/finish", summary="The search is over 查漏完成", openapi_extra=needs("usage.help"))
async def finish_help(case_id: CaseId, body: HelpFinished, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, lambda case, ctx: abnormal.finish_help(case, ctx, finding=body.finding))


@_commands.post(
    "/{case_id}/outcome", summary="What came of it; billing goes on 处理结果", openapi_extra=needs("usage.conclude")
)
async def conclude(case_id: CaseId, body: UsageOutcome, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: abnormal.conclude(case, ctx, outcome=body.outcome))


def _named(sign: str) -> str:
    return next((name for code, name in FLAGS_ZH.items() if code == sign), sign)


router.include_router(_commands)
router.include_router(_queries)

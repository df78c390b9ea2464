"""What requests about approvals say, and what they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StrictStr

from api.http.fields import Body, clean_text
from domain.approvals.approvals import DeclineReason, State

ApprovalId = Annotated[UUID, Field(description="Id of the approval request.")]
CommandPath = Annotated[
    StrictStr,
    Field(
        pattern=r"^(?:/[A-Za-z0-9._~:-]{1,64}){1,8}$",
        examples=["/repairs/5f0c3a52-6a0b-4d53-9d5e-0f3f5f3a1b11/completion"],
        description="Path of the command below /api/v1.",
    ),
]
AskReason = Annotated[
    StrictStr,
    Field(min_length=1, max_length=200, description="Why it is needed, for the second person. It is in no event."),
    AfterValidator(clean_text),
]


class Asking(Body):
    """The very command that needs a second person, and who is asked: a role or an account. The command is tried out,
    and screened by that."""

    unscreened = frozenset({"body"})

    path: CommandPath
    body: Annotated[dict[str, Any], Field(description="Body of the command, as it would be sent itself.")] = Field(
        default_factory=dict
    )
    role: Annotated[str | None, Field(max_length=64, description="The role that is asked.")] = None
    actor: Annotated[str | None, Field(max_length=64, description="Id of the account that is asked.")] = None
    reason: AskReason


class Declining(Body):
    """Why the second person says no."""

    reason: Annotated[DeclineReason, Field(description="Why, as a code. It is on record.")]


class ApprovalView(BaseModel):
    """An approval request as it stands."""

    id: ApprovalId
    state: Annotated[State, Field(description="How it stands.")]
    operation: Annotated[str, Field(description="The operation that is asked for, by its id in /openapi.json.")]
    case_id: Annotated[
        UUID | None,
        Field(description="The case that it is about; once it was carried out, the stream it was carried out on."),
    ]
    digest: Annotated[str, Field(description="SHA-256 of the command and a random text, as the event has it.")]
    asked_by: Annotated[str, Field(description="Actor id of who asked.")]
    asked_as: Annotated[str, Field(description="The role in which they asked.")]
    asked_at: Annotated[datetime, Field(description="When they asked.")]
    asked_role: Annotated[str | None, Field(description="The role that is asked; null: an account is.")]
    asked_actor: Annotated[str | None, Field(description="The account that is asked; null: a role is.")]
    expires_at: Annotated[datetime, Field(description="Until when it can be answered.")]
    decided_by: Annotated[str | None, Field(description="Actor id of who answered or withdrew it; null: nobody yet.")]
    decided_as: Annotated[str | None, Field(description="The role in which they did; null: nobody yet.")]
    decided_at: Annotated[datetime | None, Field(description="When they did; null: nobody yet.")]
    decline_reason: Annotated[str | None, Field(description="Why it was declined, as a code; null: it was not.")]


class ApprovalDetail(ApprovalView):
    """The same, with the command."""

    path: Annotated[str | None, Field(description="Path of the command below /api/v1; null: it is kept no longer.")]
    body: Annotated[
        dict[str, Any] | None,
        Field(description="Body of the command, particulars of persons masked; null: it is kept no longer."),
    ]
    reason: Annotated[str | None, Field(description="Why it is needed; null: it is kept no longer.")]


class MyApprovals(BaseModel):
    """What waits for whoever looks, and what they asked for; the newest first."""

    waiting: Annotated[list[ApprovalView], Field(description="Requests that you can answer now.")]
    asked: Annotated[list[ApprovalView], Field(description="Requests of your own, however they stand.")]


class WaitingCount(BaseModel):
    """How many approval requests wait for an answer of whoever looks."""

    waiting: Annotated[int, Field(ge=0, description="Requests that you can answer now.")]


class Answered(BaseModel):
    """What became of an approval request."""

    approval: Annotated[ApprovalView, Field(description="The request as it stands now.")]
    answer: Annotated[
        dict[str, Any] | None,
        Field(description="What the command was answered; null: it was not carried out, or that is kept no longer."),
    ] = None

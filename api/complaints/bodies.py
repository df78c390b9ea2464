"""What complaints and answers to them say, and how satisfied somebody is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictInt, StrictStr

from api.http import described
from api.http.fields import PARTICULARS, Body, Code, Name, Phone
from domain.complaints.complaints import ComplaintTopic, Door, EscalationGround, Outcome, Remedy, State
from domain.kernel.satisfaction import SatisfactionReason

CaseNumber = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Z]{2}-\d{4}-\d{1,9}$", examples=["BX-2026-000001"], description="Number of your case."),
]
Topic = Annotated[ComplaintTopic, Field(examples=["late"], description="What it is about.")]


class LinkComplaint(Body):
    """What is complained of, about the case of the link. There is no free text: whoever answers asks."""

    topic: Topic


class MyComplaint(Body):
    """What is complained of. There is no free text: whoever answers asks."""

    topic: Topic
    case_number: Annotated[CaseNumber | None, Field(description="Number of your case; null: about none.")] = None


class Complainant(Body):
    """Who complains, where no case of theirs says so already. It goes to the vault and to no event."""

    unscreened = PARTICULARS

    name: Annotated[Name | None, Field(description="Name of the person. It goes to the vault.")] = None
    phone: Annotated[Phone, Field(description="Telephone number of the person. It goes to the vault.")]


class ComplaintTakenDown(Body):
    """What a clerk takes down for a person. Without `subjects` and `complainant` nobody is told the outcome."""

    topic: Topic
    case_id: Annotated[UUID | None, Field(description="Id of the case that it is about; null: about none.")] = None
    subjects: Annotated[
        tuple[UUID, ...],
        Field(max_length=50, description="Ids of the person's entries in the vault, where they have some."),
    ] = ()
    complainant: Annotated[
        Complainant | None, Field(description="Who complains, where the vault does not have them.")
    ] = None


class ComplaintAnswer(Body):
    """The outcome, what is done about it, and how the person was told."""

    outcome: Annotated[Outcome, Field(examples=["upheld"], description="Whether the complaint was right.")]
    remedy: Annotated[Remedy, Field(examples=["apology"], description="What is done about it. It is on record.")]
    way: Annotated[
        Code | None,
        Field(
            examples=["phone"],
            description="By which way the person was told, as a code of `answer_ways` of the standard; null where they "
            "see it at their own door, or are not known.",
        ),
    ] = None


class LinkSatisfaction(Body):
    """How satisfied the person is."""

    score: Annotated[StrictInt, Field(ge=1, le=5, description="From 1, not at all, to 5, fully.")]
    reasons: Annotated[tuple[SatisfactionReason, ...], Field(max_length=6, description="What for.")] = ()


class MySatisfaction(LinkSatisfaction):
    """The same, and of which case."""

    case_number: CaseNumber


class ComplaintView(BaseModel):
    """A complaint as whoever made it sees it."""

    id: Annotated[UUID, Field(description="Id of the complaint.")]
    number: Annotated[str, Field(examples=["TU-2026-000001"], description="Its number.")]
    topic: Topic
    state: Annotated[State, Field(description="Whether an answer is owed, was given, or is not wanted any more.")]
    made_at: Annotated[datetime, Field(description="When it was made.")]
    due_at: Annotated[datetime, Field(description="Until when it is to be answered.")]
    overdue: Annotated[bool, Field(description="Whether that has passed without an answer.")]
    answered_at: Annotated[datetime | None, Field(description="When it was answered; null: it was not.")]
    answered_late: Annotated[bool, Field(description="Whether that was after `due_at`.")]
    outcome: Annotated[Outcome | None, Field(description="Whether the complaint was right; null: no answer yet.")]
    remedy: Annotated[Remedy | None, Field(description="What is done about it; null: no answer yet.")]
    escalated_at: Annotated[datetime | None, Field(description="When it went to the authority; null: it did not.")]
    withdrawn_at: Annotated[datetime | None, Field(description="When it was withdrawn; null: it was not.")]


class StaffComplaintView(ComplaintView):
    """The same for who answers it."""

    case_id: Annotated[UUID | None, Field(description="Id of the case that it is about; null: about none.")]
    subjects: Annotated[list[UUID], Field(description="Ids of the person's entries in the vault.")]
    door: Annotated[Door, Field(description="By the link of the case, by their telephone, or taken down by a clerk.")]
    made_by: Annotated[str, Field(description="Actor id of who took it down; a session's or a link's otherwise.")]
    way: Annotated[str | None, Field(description="By which way the person was told; null: at their own door.")]
    escalated_because: Annotated[EscalationGround | None, Field(description="Why it went there; null: it did not.")]


class ReachedAt(BaseModel):
    """How a person is reached. A field is null where nothing is known of it."""

    subject: Annotated[UUID, Field(description="Id of the person's entry in the vault.")]
    name: Annotated[str | None, Field(description="Name of the person.")] = None
    phone: Annotated[str | None, Field(description="Telephone number of the person.")] = None


class Complainants(BaseModel):
    """Whoever complained, in plain."""

    subjects: Annotated[list[ReachedAt], Field(description="Those who are shown; none where nobody is known.")]


class MyComplaints(BaseModel):
    """The complaints of whoever asks."""

    complaints: Annotated[list[ComplaintView], Field(description="What is overdue first, then by `due_at`.")]


class Complaints(BaseModel):
    """Complaints."""

    complaints: Annotated[list[StaffComplaintView], Field(description="What is overdue first, then by `due_at`.")]


class SatisfactionOfKind(BaseModel):
    """How satisfied people are with one kind of case. Of each person what they said last counts."""

    kind: Annotated[Literal["connection", "repair"], Field(description="Applications, or reported faults.")]
    people: Annotated[int, Field(description="How many said something.")]
    mean: Annotated[float, Field(description="Mean of their scores, to two decimals.")]
    shares: Annotated[
        dict[Literal["1", "2", "3", "4", "5"], float],
        Field(description="Score → share of the people who gave it, between 0 and 1, to four decimals."),
    ]
    reasons: Annotated[dict[str, int], Field(description="Reason → how many named it.")]


class SatisfactionFigures(BaseModel):
    """How satisfied people are, by what they said in the period."""

    at: described.AnsweredAt
    kinds: Annotated[list[SatisfactionOfKind], Field(description="Kinds of case of which somebody said something.")]

"""What requests of persons about their particulars say, and what they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.http.fields import PARTICULARS, Address, Body, Name, Phone
from domain.rights.rights import ClerksCheck, Ground, Right, State

RequestId = Annotated[UUID, Field(description="Id of the request.")]
SubjectId = Annotated[UUID, Field(description="Id of the person's entry in the vault.")]
FORMAT: Literal["tongshui.particulars.v1"] = "tongshui.particulars.v1"


class MyRightsAsking(Body):
    """What is asked for."""

    right: Annotated[Right, Field(examples=["see"], description="What is asked for.")]


class RightsAsking(MyRightsAsking):
    """What a clerk takes down for a person, and how they saw who it is."""

    subjects: Annotated[
        list[UUID], Field(min_length=1, max_length=50, description="Ids of the person's entries in the vault.")
    ]
    identity_check: Annotated[
        ClerksCheck, Field(examples=["identity-card"], description="How it was seen who asks. It is on record.")
    ]


class Refusing(Body):
    """Why the person does not get what they asked for."""

    ground: Annotated[Ground, Field(examples=["case-running"], description="Why, as a code. It is on record.")]


class ParticularsCorrection(Body):
    """What is to be kept instead. A field that is left out stays as it is."""

    unscreened = PARTICULARS

    subject: SubjectId
    name: Annotated[Name | None, Field(description="Name of the person. It goes to the vault.")] = None
    phone: Annotated[Phone | None, Field(description="Telephone number of the person. It goes to the vault.")] = None
    address: Annotated[Address | None, Field(description="Address of the person. It goes to the vault.")] = None

    @property
    def fields(self) -> dict[str, str]:
        """The values that are given."""
        return self.model_dump(include={"name", "phone", "address"}, exclude_none=True)


class RequestView(BaseModel):
    """A request as it stands. Nothing personal is in it."""

    id: RequestId
    right: Annotated[Right, Field(description="What is asked for.")]
    state: Annotated[State, Field(description="How it stands.")]
    received_at: Annotated[datetime, Field(description="When it was taken down.")]
    due_at: Annotated[datetime, Field(description="Until when it is to be answered.")]
    overdue: Annotated[bool, Field(description="Whether that has passed and the utility still owes something.")]
    answered_at: Annotated[datetime | None, Field(description="When it was granted or refused.")]
    answered_late: Annotated[bool, Field(description="Whether that was after `due_at`.")]
    ground: Annotated[Ground | None, Field(description="Why it was refused; null: it was not.")]
    copy_until: Annotated[datetime | None, Field(description="Until when the copy can be taken; null: there is none.")]
    done_at: Annotated[datetime | None, Field(description="When what was granted was done; null: it was not.")]


class StaffRequestView(RequestView):
    """The same for who answers it."""

    subjects: Annotated[list[UUID], Field(description="Ids of the person's entries in the vault.")]
    identity_check: Annotated[str, Field(description="How it was seen who asks.")]
    received_by: Annotated[str, Field(description="Actor id of who took it down; a session's where the person did.")]


class MyRequests(BaseModel):
    """The requests that are about whoever asks."""

    requests: Annotated[list[RequestView], Field(description="The oldest first.")]


class Requests(BaseModel):
    """Requests of persons."""

    requests: Annotated[list[StaffRequestView], Field(description="The oldest first.")]


class RevisionOfCopy(BaseModel):
    """What was told of the person at one time."""

    revision: Annotated[int, Field(description="Which revision it is, from 1.")]
    particulars: Annotated[dict[str, str], Field(description="Field → what is kept, in plain.")]


class CaseOfCopy(BaseModel):
    """A case that names the person."""

    case_number: Annotated[str, Field(description="Its number.")]
    kind: Annotated[str, Field(examples=["repair"], description="Kind of case.")]
    is_over: Annotated[bool, Field(description="Whether it is over.")]


class ReadOfCopy(BaseModel):
    """That somebody looked."""

    at: Annotated[datetime, Field(description="When.")]
    role: Annotated[str, Field(description="The role of who looked.")]
    reason: Annotated[str | None, Field(description="What for, as a code; null: none is on record.")]
    masked: Annotated[bool, Field(description="Whether they saw it masked.")]


class FileOfCopy(BaseModel):
    """A file that was handed in for the person."""

    digest: Annotated[str, Field(description="SHA-256 of the file.")]
    evidence_class: Annotated[str, Field(description="Class of the file.")]
    media_type: Annotated[str, Field(description="Media type.")]
    size_bytes: Annotated[int, Field(description="Size in bytes.")]


class SubjectOfCopy(BaseModel):
    """Everything that is kept of one entry of the person."""

    subject: SubjectId
    erased: Annotated[bool, Field(description="Whether nothing is kept of it any more.")]
    revisions: Annotated[list[RevisionOfCopy], Field(description="What was told, the oldest first.")]
    cases: Annotated[list[CaseOfCopy], Field(description="The cases that name it.")]
    files: Annotated[list[FileOfCopy], Field(description="The files that were handed in for it.")]
    reads: Annotated[list[ReadOfCopy], Field(description="Who looked, the newest first; at most 1,000.")]
    kept_until: Annotated[
        datetime | None,
        Field(description="Until when it is kept at least; null: a case runs, or no case names it."),
    ]


class ParticularsCopy(BaseModel):
    """Everything that is kept of a person, in plain."""

    format: Annotated[Literal["tongshui.particulars.v1"], Field(description="The form; it gets additions only.")] = (
        FORMAT
    )
    request: RequestId
    made_at: Annotated[datetime, Field(description="When the copy was made.")]
    subjects: Annotated[list[SubjectOfCopy], Field(description="The entries of the person.")]

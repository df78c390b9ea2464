"""What requests about evidence say, and what they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictInt, StrictStr

from api.http import described
from api.http.fields import Body, Code, Digest
from domain.evidence.classes import CLASSES

State = Literal["kept", "quarantined", "missing", "purged", "erased"]
StateOfFile = Annotated[
    State,
    Field(
        description=(
            "kept: it can be read. quarantined: no scanner has looked at it yet. missing: no file came, or it is not "
            "where it was put. purged: its term was over, or it was infected. erased: with the person it was of."
        )
    ),
]
ClassCode = Annotated[Code, Field(examples=["photo"], description="Class of the file: " + ", ".join(CLASSES) + ".")]
MediaType = Annotated[
    StrictStr,
    Field(
        max_length=64,
        pattern=r"^[a-z]+/[a-z0-9.+-]+$",
        examples=["image/jpeg"],
        description="Media type of the file; its content must be of it.",
    ),
]
SizeBytes = Annotated[int, Field(description="Size of the file in bytes.")]


class Beginning(Body):
    """A file that is to come."""

    evidence_class: ClassCode
    media_type: MediaType
    size_bytes: Annotated[StrictInt, Field(ge=1, le=1 << 40, description="Size of the file in bytes.")]
    digest: Digest
    case_id: Annotated[UUID | None, Field(description="Id of the case that it is for; left out: for none.")] = None
    subject_id: Annotated[
        UUID | None,
        Field(
            description=(
                "Id of the person of the case that it is of; it is erased with them. Left out, for a class of "
                "persons: the one whom the case is about."
            )
        ),
    ] = None


class UploadView(BaseModel):
    """How far an upload has come."""

    upload_id: Annotated[UUID, Field(description="Id of the upload.")]
    digest: Digest
    offset: Annotated[int, Field(description="Where the next part begins, in bytes from 0.")]
    size_bytes: SizeBytes
    part_bytes: Annotated[int, Field(description="Size of a part at most, in bytes.")]
    is_complete: Annotated[bool, Field(description="Whether the file was checked and taken.")]
    ends_at: Annotated[datetime, Field(description="When it is thrown away unless somebody goes on with it.")]


class Kept(BaseModel):
    """What became of the file."""

    digest: Digest
    state: StateOfFile
    media_type: Annotated[str, Field(description="Media type of the file, by its content.")]
    size_bytes: SizeBytes


class Place(BaseModel):
    """An event of the case that names the digest."""

    fact: Annotated[str, Field(examples=["ArrivalVerified"], description="Name of the fact.")]
    field: Annotated[str, Field(examples=["photo_digest"], description="Field of the fact.")]


class EvidenceOfCase(BaseModel):
    """A digest of the case, and whether its file is there."""

    digest: Digest
    state: StateOfFile
    evidence_class: Annotated[
        str | None, Field(description="Class of the file; null where none was handed in for the case.")
    ]
    media_type: Annotated[str | None, Field(description="Media type of the file; null where none ever came.")]
    size_bytes: Annotated[int | None, Field(description="Size of the file in bytes; null where none ever came.")]
    named_by: Annotated[list[Place], Field(description="The events that name it; none: it was handed in only.")]


class EvidenceList(BaseModel):
    """The digests of a case: of files, and of words that the program sent, which no file is kept of."""

    case_id: described.CaseId
    at: described.AnsweredAt
    evidence: Annotated[list[EvidenceOfCase], Field(description="In the order in which the events name them.")]

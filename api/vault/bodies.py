"""What requests about particulars of persons say, and what they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from api.http import described
from api.http.fields import Address, Body, Phone, SecondPerson
from domain.vault.vault import ErasureReason, Reason

SubjectId = Annotated[UUID, Field(description="Id of the person's entry in the vault.")]


class Unmasking(Body):
    """What the particulars are needed for."""

    reason: Annotated[Reason, Field(examples=["call-back"], description="What they are needed for. It is on record.")]


class PhoneSearch(Body):
    """Whom to look for. A telephone is in no path and no query, because those are logged."""

    unscreened = frozenset({"phone"})

    phone: Annotated[Phone, Field(description="Telephone number of the person. It is kept nowhere.")]


class AddressSearch(Body):
    """Where to look for. An address is in no path and no query, because those are logged."""

    unscreened = frozenset({"address"})

    address: Annotated[
        Address,
        Field(
            examples=["人民北路 1 号 2 栋 301"],
            description="The whole address as it was given; blanks, full-width signs, 号, 栋, 单元 and their like do "
            "not matter. It is kept nowhere.",
        ),
    ]


class Erasure(Body):
    """Why, and who else stands behind it."""

    reason: Annotated[ErasureReason, Field(examples=["asked-for"], description="Why the person is erased.")]
    confirmed_by: Annotated[
        SecondPerson | None,
        Field(description="Actor id of the second person; from a session, ask at /api/v1/approvals."),
    ] = None


class SubjectView(BaseModel):
    """A person of the case. A field is null where nothing is known of it; it is masked unless ``unmasked`` names it."""

    subject: SubjectId
    revision: Annotated[int, Field(description="Which revision of the particulars it is, from 1.")]
    erased: Annotated[bool, Field(description="Whether nothing is kept of the person any more.")]
    unmasked: Annotated[list[str], Field(description="Names of the fields that are shown in plain.")]
    name: Annotated[str | None, Field(examples=["张*"], description="Name of the person or the company.")] = None
    phone: Annotated[str | None, Field(examples=["138****1234"], description="Telephone number.")] = None
    phone_as_given: Annotated[
        str | None, Field(description="What was given as a telephone and cannot be read as one.")
    ] = None
    address: Annotated[
        str | None, Field(description="Address as it was told; masked, the district of the case is all of it.")
    ] = None
    id_number: Annotated[
        str | None, Field(description="Number of the identity card, or 统一社会信用代码. It is always masked.")
    ] = None
    latitude: Annotated[str | None, Field(description="Degrees north of the place that was reported.")] = None
    longitude: Annotated[str | None, Field(description="Degrees east of the place that was reported.")] = None


class CaseParticulars(BaseModel):
    """The persons of a case, in the order in which they came into it."""

    case_id: described.CaseId
    at: Annotated[datetime, Field(description="When the answer was made, by the service's clock.")]
    subjects: Annotated[list[SubjectView], Field(description="The persons.")]


class CaseOfSubject(BaseModel):
    """A case that names the person."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    kind: Annotated[str, Field(examples=["repair"], description="Kind of case.")]


class FoundSubject(BaseModel):
    """A person who has, or had, the telephone."""

    subject: SubjectId
    cases: Annotated[list[CaseOfSubject], Field(description="The cases that name the person.")]


class FoundSubjects(BaseModel):
    """Who has, or had, the telephone. Somebody is one subject for each report or application that they made."""

    subjects: Annotated[list[FoundSubject], Field(description="The persons.")]


class Erased(BaseModel):
    """The person is erased."""

    subject: SubjectId
    position: Annotated[int, Field(description="Position of the store's log after the event that says so.")]

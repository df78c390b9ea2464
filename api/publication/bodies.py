"""The bodies of commands outside of cases: documents that are published, squads, what comes before an application."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from api.http.caller import looks_personal
from api.http.fields import Address, Body, CivilDay, Code, Digest, HappenedAt, IdNumber, Name, Phone, clean_text


def _public_words(value: str) -> str:
    """Clean words with nobody's telephone or identity number among them: they go into events that all can read."""
    text = clean_text(value)
    if looks_personal(text):
        raise PydanticCustomError("long_number", "has what looks like a personal number")
    return text


Version = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*$", max_length=40)]
Region = Annotated[StrictStr, Field(pattern=r"^[A-Z]{2}(?:-[A-Za-z0-9]{1,20}){0,4}$", examples=["CN"])]
PublicSource = Annotated[StrictStr, Field(max_length=200), AfterValidator(_public_words)]
DocumentNumber = Annotated[
    StrictStr,
    Field(max_length=80, examples=["示例文号〔2026〕7号"]),
    AfterValidator(_public_words),
]
PublicName = Annotated[
    StrictStr,
    Field(max_length=80, examples=["某某小区供水管网改造"]),
    AfterValidator(_public_words),
]
StaffId = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,31}$", examples=["squad-1-a"]),
    AfterValidator(_public_words),
]


class FeeReview(Body):
    """An authority's opinion of a drafted catalogue; which authority, the caller's role says."""

    outcome: Literal["agreed", "objected"]
    document: Annotated[DocumentNumber, Field(description="the number of the written opinion")]


class HolidayDayForm(Body):
    """One civil day that a notice moves."""

    name: PublicName
    date: CivilDay
    isOffDay: StrictBool  # noqa: N815 the data set's own spelling


class HolidayNotice(Body):
    """A year's notice in the form of the holiday-cn data set; what the file says about itself is let through."""

    schema_uri: Annotated[StrictStr | None, Field(alias="$schema", max_length=200)] = None
    id_uri: Annotated[StrictStr | None, Field(alias="$id", max_length=200)] = None
    year: Annotated[StrictInt, Field(ge=2000, le=2199)]
    papers: Annotated[tuple[Annotated[StrictStr, Field(max_length=200)], ...], Field(max_length=20)] = ()
    days: Annotated[list[HolidayDayForm], Field(min_length=1, max_length=366)]
    time_zone: Annotated[
        StrictStr | None, Field(max_length=60, description="for example America/New_York; left out: as before")
    ] = None


class CalendarNotice(Body):
    """A notice to be merged into a region's calendar; ``version`` left out: counted up."""

    region: Region = "CN"
    version: Version | None = None
    notice: HolidayNotice
    source: Annotated[PublicSource, Field(examples=["国务院办公厅关于2027年部分节假日安排的通知"])]


class SquadRoster(Body):
    """A squad of the standard, and everybody who is in it."""

    squad: Code
    members: Annotated[list[StaffId], Field(max_length=50)]


class Asker(Body):
    """Who asks, before there is an application. Goes to the vault and to no event."""

    name: Name
    phone: Phone
    id_number: IdNumber | None = None
    address: Address | None = None


class Consulted(Body):
    """A question that was answered; ``applicant`` goes to the vault and to no event."""

    topic: Annotated[Code, Field(examples=["technical"])]
    applicant: Asker | None = None
    happened_at: HappenedAt = None


class PreServiceAsked(Body):
    """A company asks for a service ahead of building. ``applicant`` goes to the vault and to no event."""

    service: Annotated[Code, Field(examples=["pipe-information"])]
    category: Annotated[Code, Field(examples=["business"])]
    applicant: Asker
    happened_at: HappenedAt = None


class PreServiceHanded(Body):
    """What was handed over."""

    deliverable: Annotated[Code, Field(examples=["drawings"])]
    digest: Digest
    happened_at: HappenedAt = None


class WorkEntered(Body):
    """A work for a community. ``name_zh`` is its public name."""

    kind: Annotated[Code, Field(examples=["pump-room"])]
    community: Annotated[Code, Field(examples=["hongqimen"])]
    name_zh: PublicName
    happened_at: HappenedAt = None


class WorkDone(Body):
    """The work is done."""

    households_served: Annotated[StrictInt, Field(ge=0, le=1_000_000)]
    happened_at: HappenedAt = None

"""The bodies of commands outside of cases: documents that are published, squads, what comes before an application."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from api.http.fields import (
    PARTICULARS,
    Address,
    Body,
    CivilDay,
    Code,
    Digest,
    FromTheField,
    HappenedAt,
    IdNumber,
    Name,
    Phone,
    clean_text,
)

Version = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*$", max_length=40)]
Region = Annotated[StrictStr, Field(pattern=r"^[A-Z]{2}(?:-[A-Za-z0-9]{1,20}){0,4}$", examples=["CN"])]
PublicSource = Annotated[StrictStr, Field(max_length=200), AfterValidator(clean_text)]
DocumentNumber = Annotated[
    StrictStr,
    Field(max_length=80, examples=["示例文号〔2026〕7号"]),
    AfterValidator(clean_text),
]
PublicName = Annotated[
    StrictStr,
    Field(max_length=80, examples=["某某小区供水管网改造"]),
    AfterValidator(clean_text),
]
StaffId = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,31}$", examples=["squad-1-a"]),
    AfterValidator(clean_text),
]


class FeeReview(Body):
    """An authority's opinion of a drafted catalogue; which authority, the caller's role says."""

    outcome: Annotated[Literal["agreed", "objected"], Field(description="Whether the authority agrees or objects.")]
    document: Annotated[DocumentNumber, Field(description="the number of the written opinion")]


class HolidayDayForm(Body):
    """One civil day that a notice moves."""

    name: Annotated[PublicName, Field(description="Name of the holiday, as the notice has it.")]
    date: Annotated[CivilDay, Field(description="The civil day.")]
    isOffDay: Annotated[  # noqa: N815 the data set's own spelling
        StrictBool,
        Field(description="Whether it is a day off; false: a day that is worked although it is a weekend's."),
    ]


class HolidayNotice(Body):
    """A year's notice in the form of the holiday-cn data set; what the file says about itself is let through."""

    schema_uri: Annotated[
        StrictStr | None,
        Field(
            alias="$schema",
            max_length=200,
            description=(
                "Address of the data set's own schema; null where it is left out. It is let through and not kept."
            ),
        ),
    ] = None
    id_uri: Annotated[
        StrictStr | None,
        Field(
            alias="$id",
            max_length=200,
            description=(
                "Address of the data set's own file; null where it is left out. It is let through and not kept."
            ),
        ),
    ] = None
    year: Annotated[StrictInt, Field(ge=2000, le=2199, description="The year that the notice is about.")]
    papers: Annotated[
        tuple[Annotated[StrictStr, Field(max_length=200)], ...],
        Field(max_length=20, description="Addresses of the published notices; they are let through and not kept."),
    ] = ()
    days: Annotated[
        list[HolidayDayForm], Field(min_length=1, max_length=366, description="Every civil day that the notice moves.")
    ]
    time_zone: Annotated[
        StrictStr | None, Field(max_length=60, description="for example America/New_York; left out: as before")
    ] = None


class CalendarNotice(Body):
    """A notice to be merged into a region's calendar; ``version`` left out: counted up."""

    region: Annotated[Region, Field(description="Code of the calendar that the notice changes.")] = "CN"
    version: Annotated[
        Version | None, Field(description="Version of the calendar with the notice in it; null: counted up.")
    ] = None
    notice: Annotated[HolidayNotice, Field(description="The notice, in the form of the holiday-cn data set.")]
    source: Annotated[
        PublicSource,
        Field(
            examples=["国务院办公厅关于2027年部分节假日安排的通知"],
            description="Title or number of the document that it is from.",
        ),
    ]
    confirmed_by: Annotated[
        StaffId | None,
        Field(
            description="Actor id of who confirms what the notice leaves out; null where it leaves out nothing. From a "
            "session, ask at /api/v1/approvals."
        ),
    ] = None


class SquadRoster(Body):
    """A squad of the standard, and everybody who is in it."""

    squad: Annotated[Code, Field(description="Code of the squad.")]
    members: Annotated[list[StaffId], Field(max_length=50, description="Actor ids of the squad's members.")]


class Asker(Body):
    """Who asks, before there is an application. Goes to the vault and to no event."""

    unscreened = PARTICULARS

    name: Annotated[Name, Field(description="Name of the person or the company. It goes to the vault.")]
    phone: Annotated[Phone, Field(description="Telephone number of the person. It goes to the vault.")]
    id_number: Annotated[
        IdNumber | None,
        Field(
            description=(
                "Number of the identity card, or 统一社会信用代码; null where it was not told. It goes to the vault."
            )
        ),
    ] = None
    address: Annotated[
        Address | None,
        Field(description="Address that the person tells; null where none was told. It goes to the vault."),
    ] = None


class Consulted(FromTheField):
    """A question that was answered; ``applicant`` goes to the vault and to no event."""

    topic: Annotated[Code, Field(examples=["technical"], description="What it was about, as a code of the standard.")]
    applicant: Annotated[
        Asker | None, Field(description="Who asked; null where nobody said. It goes to the vault and to no event.")
    ] = None


class PreServiceAsked(FromTheField):
    """A company asks for a service ahead of building. ``applicant`` goes to the vault and to no event."""

    service: Annotated[
        Code,
        Field(
            examples=["pipe-information"], description="What is asked for before building, as a code of the standard."
        ),
    ]
    category: Annotated[
        Code, Field(examples=["business"], description="Category of the applicant, as a code of the standard.")
    ]
    applicant: Annotated[Asker, Field(description="Who asks. It goes to the vault and to no event.")]


class PreServiceHanded(FromTheField):
    """What was handed over."""

    deliverable: Annotated[
        Code,
        Field(
            examples=["drawings"],
            description="Code of what is handed over, for example plan, budget, drawings, contract or invoice.",
        ),
    ]
    digest: Digest


class WorkEntered(Body):
    """A work for a community. ``name_zh`` is its public name."""

    kind: Annotated[Code, Field(examples=["pump-room"], description="Kind of work, as a code of the standard.")]
    community: Annotated[Code, Field(examples=["hongqimen"], description="Code of the community.")]
    name_zh: Annotated[PublicName, Field(description="Its public name in Chinese.")]
    happened_at: HappenedAt = None


class WorkDone(Body):
    """The work is done."""

    households_served: Annotated[StrictInt, Field(ge=0, le=1_000_000, description="How many households it serves.")]
    happened_at: HappenedAt = None

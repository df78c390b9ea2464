"""The bodies of commands: every field bounded, unknown fields refused, texts cleaned, times with their offset."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.repairs.details import ASSET, ASSET_LENGTH
from domain.standard.standards import Precision, Severity

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AMOUNT = re.compile(r"(?:0|[1-9]\d{0,8})(?:\.\d{1,3})?", re.ASCII)
_YEARS = range(2000, 2200)
_HISTORY_YEARS = range(1900, 2200)
"""Of instants: order books are imported, and some begin long ago."""


def clean_text(value: str) -> str:
    """Composed form, without blanks around it. Refuses what cannot be seen: it hides in names and breaks screens."""
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise PydanticCustomError("empty_text", "is empty")
    # All of "other" (control, format, surrogate, private use, unassigned), and line and paragraph separators.
    if any(unicodedata.category(character) in _UNSEEN for character in text):
        raise PydanticCustomError("control_character", "has a control or invisible character")
    return text


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _instant(value: Any) -> datetime:
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("bad_time", "is not an RFC 3339 time, for example 2026-02-13T09:00:00+08:00")
    if match["offset"] is None:
        raise PydanticCustomError("naive_time", "has no offset from UTC, for example 2026-02-13T09:00:00+08:00")
    try:
        at = datetime.fromisoformat(value.upper())
    except ValueError:
        raise PydanticCustomError("bad_time", "is not a time that exists") from None
    if at.year not in _HISTORY_YEARS:
        raise PydanticCustomError("bad_time", "is not in the years 1900 to 2199")
    return at.astimezone(UTC)


def _day(value: Any) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise PydanticCustomError("bad_date", "is not a date, for example 2026-02-13")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("bad_date", "is not a day that exists") from None
    if day.year not in _YEARS:
        raise PydanticCustomError("bad_date", "is not in the years 2000 to 2199")
    return day


def _amount(value: Any) -> Decimal:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise PydanticCustomError("bad_amount", 'is not a decimal as text, for example "0.000"')
    return Decimal(value)


def _short_numbers(value: str) -> str:
    """A code of ours numbers a diameter or a crew; a longer run of digits is somebody's telephone or card."""
    if re.search(r"\d{6}", value):
        raise PydanticCustomError("long_number", "has a run of more than five digits")
    return value


def _short_detail(value: str) -> str:
    """A pipe's number is short; what is longer is a code, and then numbers little."""
    return value if len(value) <= ASSET_LENGTH else _short_numbers(value)


def _as_code(value: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-02-13T09:00:00+08:00"]}),
]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-02-13"]}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "string", "pattern": f"^{_AMOUNT.pattern}$", "examples": ["0.000"]}),
]
HappenedAt = Annotated[Instant | None, Field(description="when it happened; left out: now")]

Name = Annotated[StrictStr, Field(max_length=80, examples=["张三"]), AfterValidator(clean_text)]
Address = Annotated[StrictStr, Field(max_length=200, examples=["人民北路 1 号"]), AfterValidator(clean_text)]
Phone = Annotated[StrictStr, Field(pattern=r"^\+?[0-9](?:[0-9 -]{3,18})[0-9]$", examples=["0743-8220000"])]
IdNumber = Annotated[
    StrictStr,
    Field(pattern=r"^[0-9A-Z]{15}(?:[0-9A-Z]{3})?$", description="identity card, or 统一社会信用代码"),
]
Code = Annotated[
    StrictStr, Field(pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=64), AfterValidator(_short_numbers)
]
"""A word of the standard or the catalogue. What people write freely has no place in an event: it may name somebody."""
Cause = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,.:/()&+_-]{0,79}$"),
    AfterValidator(_short_numbers),
    AfterValidator(_as_code),
]
"""A phrase of a catalogue, taken down as its code: ``Main corrosion`` and ``main-corrosion`` are one."""
Crew = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*$", max_length=32),
    AfterValidator(_short_numbers),
]
Digest = Annotated[
    StrictStr, Field(pattern=r"^sha256:[0-9a-f]{64}$", examples=["sha256:" + "0" * 64], description="of a file")
]
BodyMark = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./-]{0,31}$")]


class Body(BaseModel):
    """A body: fields that are not named here are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


SecondPerson = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$", examples=["dispatcher-2"]),
    AfterValidator(_short_numbers),
]


class FromTheField(Body):
    """What happened, and when; with the second person where it is told later than the channel allows."""

    happened_at: HappenedAt = None
    reported_at: Annotated[
        Instant | None, Field(description="when the device took it down, where it could send it only later")
    ] = None
    confirmed_by: Annotated[
        SecondPerson | None, Field(description="another person's id; needed where it is told too late for the channel")
    ] = None


class Reporter(Body):
    """Who reports a fault. Goes to the vault and to no event."""

    name: Name | None = None
    phone: Phone
    address: Address | None = None


class Position(Body):
    """A point on the earth, WGS 84 degrees. Goes to the vault and to no event."""

    latitude: Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False, examples=[28.3117])]
    longitude: Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False, examples=[109.7382])]


OrderNumber = Annotated[StrictStr, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,39}$", examples=["JS20260916-00123"])]


class OutsideOrder(Body):
    """The work order of another body that the report came with, and its deadline where it names one."""

    source: Annotated[Code, Field(examples=["hotline-12345"])]
    number: OrderNumber
    reply_by: Instant | None = None


Origin = Annotated[
    Code | None, Field(description="imported history only: how its source was told, a code of the standard")
]
ToTheDay = Annotated[
    Literal["second", "day"],
    Field(description="day: imported history of which the hour is not known; happened_at is the day's beginning"),
]
Precise = Annotated[
    Precision, Field(description="imported history only: day, as of a report; by: it had happened by happened_at")
]


class FaultReport(FromTheField):
    """A first report of a fault. Imported history alone may have no reporter."""

    reporter: Reporter | None = None
    precision: ToTheDay = "second"
    origin: Origin = None
    kind: Annotated[Code, Field(examples=["leak"])]
    district: Annotated[Code, Field(examples=["zhenxi"])]
    place: Position | None = None
    order: OutsideOrder | None = None


class FurtherReport(FromTheField):
    """Another report of the same incident. Imported history alone may have no reporter."""

    reporter: Reporter | None = None
    precision: ToTheDay = "second"
    origin: Origin = None
    place: Position | None = None
    order: OutsideOrder | None = None


class Completion(FromTheField):
    """The repair is done."""

    precision: Precise = "second"


class Dismissal(FromTheField):
    """The incident needs no repair of ours, and why by a code of the standard."""

    reason: Annotated[Code, Field(examples=["false-alarm"])]
    evidence_digest: Digest | None = None
    precision: Precise = "second"


class Rejection(Body):
    """An arrival, a completion or a restoration that did not happen so, and why by a code of the standard."""

    event_id: Annotated[UUID, Field(description="of the event, from the case's timeline")]
    reason: Annotated[Code, Field(examples=["not-on-site"])]
    evidence_digest: Digest | None = None
    confirmed_by: Annotated[
        SecondPerson | None, Field(description="another person's id; needed where a settled verdict falls with it")
    ] = None


Asset = Annotated[
    StrictStr, Field(pattern=f"^{ASSET.pattern}$", examples=["DN-10442"], description="the pipe register's number")
]


class Pipe(FromTheField):
    """Which pipe failed, as far as it is known."""

    asset: Asset | None = None
    material: Annotated[Code | None, Field(examples=["ductile-iron"])] = None
    dn_mm: Annotated[StrictInt | None, Field(ge=1, le=10_000)] = None
    laid_in: Annotated[StrictInt | None, Field(ge=1800, le=2199, description="the year")] = None


Detail = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/-]{0,63}$"), AfterValidator(_short_detail)]


class Correction(FromTheField):
    """A detail is another one than was taken down; both stay on record. null: nothing."""

    detail: Annotated[Code, Field(examples=["material"])]
    old: Annotated[Detail | None, Field(examples=["steel"], description="what stood there")]
    new: Annotated[Detail | None, Field(examples=["ductile-iron"], description="what stands there now")]


class AnswerByProgram(Body):
    """By which way the program is to tell the reporter what became of it, in the standard's words."""

    way: Annotated[Code, Field(examples=["sms"])]


class Answer(FromTheField):
    """How the reporter was told; the digest of what was sent, none of what was said."""

    way: Annotated[Code, Field(examples=["phone"])]
    digest: Digest | None = None


class Dispatch(Body):
    """The crew to send; taken away from the incident that it is on only where that is named."""

    crew: Crew
    reassigned_from: Annotated[UUID | None, Field(description="the incident that the crew is taken away from")] = None


class Declined(FromTheField):
    """The crew cannot come, and why by a code of the standard."""

    crew: Crew
    reason: Annotated[Code, Field(examples=["vehicle"])]


class Acknowledgement(FromTheField):
    """The crew confirms."""

    crew: Crew


class Fix(Position):
    """Where the crew's phone is, and how well it knows. Forgotten once it is measured against the site."""

    accuracy_m: Annotated[StrictInt, Field(ge=0, le=1_000_000)]


class Evidence(Body):
    """What proves an arrival: the phone's fix, which is measured against the site and forgotten; or, from a phone that
    has measured itself, how it lies to the geofence."""

    fix: Fix | None = None
    inside_geofence: StrictBool | None = None
    distance_m: Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None = None
    accuracy_m: Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None = None
    photo_digest: Digest | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        measured = (self.inside_geofence, self.distance_m, self.accuracy_m)
        given = [each is not None for each in measured]
        if any(given) if self.fix is not None else not all(given):
            raise PydanticCustomError(
                "evidence_unclear", "has neither a fix alone nor all of inside_geofence, distance_m and accuracy_m"
            )
        return self


class Arrival(FromTheField):
    """The crew is on site."""

    crew: Crew
    evidence: Evidence | None = None


class Assessment(FromTheField):
    """The repair's class, and why as a code of the catalogue."""

    severity: Severity
    reason: Annotated[
        Cause, Field(description="a catalogue's words, never free text", examples=["dn-100-no-road-opening"])
    ]


class Reassessment(FromTheField):
    """Another class, why as a code of the catalogue, on what evidence, and who approved it."""

    severity: Severity
    reason: Annotated[
        Cause, Field(description="a catalogue's words, never free text", examples=["road-must-be-closed"])
    ]
    evidence_digest: Digest
    approved_by: Annotated[SecondPerson | None, Field(description="another person's id; needed late in the window")] = (
        None
    )


class WorkLog(FromTheField):
    """The crew is at work; the note is a code of the standard."""

    note: Annotated[Code, Field(examples=["welding"])]
    crew: Crew


class Unlinking(Body):
    """A report is of another fault: of another kind or elsewhere, where that is so."""

    kind: Annotated[Code | None, Field(examples=["leak"])] = None
    district: Annotated[Code | None, Field(examples=["donghe"])] = None


class Merging(Body):
    """The incident that this one is the same burst as; ``confirmed_by`` where a settled verdict falls with it."""

    into: UUID
    confirmed_by: SecondPerson | None = None


class Consent(FromTheField):
    """The user agreed in writing to a paid service."""

    consent_digest: Digest


class PaidService(Body):
    """The crew that begins the paid service."""

    crew: Crew


class HandOver(FromTheField):
    """One crew takes over from another."""

    from_crew: Crew
    to_crew: Crew


class When(Body):
    """Only when."""

    happened_at: HappenedAt = None


class Nothing(Body):
    """No field at all: {}."""


class Applicant(Body):
    """Who applies. Goes to the vault and to no event."""

    name: Name
    phone: Phone
    id_number: IdNumber | None = None
    address: Address

"""The fields of which bodies are made: bounded, cleaned, times with their offset; unknown fields are refused."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from api.http.described import words
from domain.kernel import fields as events
from domain.kernel import personal
from domain.repairs.details import ASSET_LENGTH
from infra.decoders import converter

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_AT = converter(datetime)
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


def pasted_text(value: str) -> str:
    """What somebody pasted, without what cannot be seen: direction marks, zero-width characters, line breaks."""
    text = unicodedata.normalize("NFC", value)
    seen = (" " if character.isspace() else character for character in text)
    return " ".join("".join(each for each in seen if unicodedata.category(each) not in _UNSEEN).split())


_EXTENSION = re.compile(r"(?:转|分机|ext\.?|x|#)\s*([0-9]{1,6})$", re.IGNORECASE)
_PHONE = re.compile(r"\+?[0-9][0-9 -]{3,18}[0-9](?:转[0-9]{1,6})?", re.ASCII)


def plain_phone(value: str) -> str | None:
    """A telephone number in its plain form: half-width digits, single hyphens, an extension behind ``转``. None where
    nobody can read it as one."""
    text = unicodedata.normalize("NFKC", pasted_text(value)).strip()
    extension = _EXTENSION.search(text)
    number = text[: extension.start()] if extension else text
    number = re.sub(r"[()\[\]{}（）〔〕]", " ", number)
    number = "".join("-" if unicodedata.category(each) == "Pd" or each == "−" else each for each in number)
    number = re.sub(r"[ .·-]*-[ .·-]*", "-", re.sub(r"[ .·]+", " ", number)).strip(" -,;:，；：")
    plain = number + (f"转{extension[1]}" if extension else "")
    return plain if _PHONE.fullmatch(plain) else None


def _phone(value: str) -> str:
    plain = plain_phone(value)
    if plain is None:
        raise PydanticCustomError("bad_phone", "is not a telephone number, for example 0743-8220000 or 13800000000")
    return plain


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _instant(value: Any) -> datetime:
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, str) and _DAY.fullmatch(value):
        # Read as midnight it would keep or break promises by an hour that nobody told.
        raise PydanticCustomError(
            "day_only", "is a day without a time of day, not 2026-02-13T09:00:00+08:00 for example"
        )
    if match is None:
        raise PydanticCustomError("bad_time", "is not an RFC 3339 time, for example 2026-02-13T09:00:00+08:00")
    if match["offset"] is None:
        raise PydanticCustomError("naive_time", "has no offset from UTC, for example 2026-02-13T09:00:00+08:00")
    try:
        # By the parser that readings come through too: every door rounds seven digits alike.
        at = _AT(value)
    except msgspec.ValidationError:
        raise PydanticCustomError("bad_time", "is not a time that exists") from None
    if at.year not in _HISTORY_YEARS:
        raise PydanticCustomError("bad_time", "is not in the years 1900 to 2199")
    return at.astimezone(UTC)


def _day(value: Any) -> date:
    day = _any_day(value)
    if day.year not in _YEARS:
        raise PydanticCustomError("bad_date", "is not in the years 2000 to 2199")
    return day


def _any_day(value: Any) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise PydanticCustomError("bad_date", "is not a date, for example 2026-02-13")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("bad_date", "is not a day that exists") from None
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
CivilDay = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-02-13"]}),
]
DayOfAnyYear = Annotated[
    date,
    BeforeValidator(_any_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["1994-10-01"]}),
]
"""Of documents: an act may be older than the service."""
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "string", "pattern": f"^{_AMOUNT.pattern}$", "examples": ["0.000"]}),
]
HappenedAt = Annotated[Instant | None, Field(description="when it happened; left out: now")]

Name = Annotated[StrictStr, Field(max_length=80, examples=["张三"]), AfterValidator(clean_text)]
Address = Annotated[StrictStr, Field(max_length=200, examples=["人民北路 1 号"]), AfterValidator(clean_text)]
Phone = Annotated[StrictStr, Field(max_length=64, examples=["0743-8220000"]), AfterValidator(_phone)]
"""As people paste it: blanks, brackets, full-width digits and marks that cannot be seen are taken out."""
Pasted = Annotated[StrictStr, Field(max_length=500), AfterValidator(pasted_text)]
"""What somebody pasted, for the vault: nothing in it costs the report."""
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
CrewCode = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*$", max_length=32, description=words(events.CrewCode)),
    AfterValidator(_short_numbers),
]
Digest = Annotated[
    StrictStr,
    Field(pattern=r"^sha256:[0-9a-f]{64}$", examples=["sha256:" + "0" * 64], description=words(events.Digest)),
]
EvidenceDigest = Annotated[Digest | None, Field(description=words(events.EvidenceDigest))]
BodyMark = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./-]{0,31}$")]


PARTICULARS = frozenset({"name", "phone", "id_number", "address"})
"""Fields of a person's particulars: they go to the vault."""


class Body(BaseModel):
    """A body: fields that are not named here are refused. ``tells_facts``: it tells facts from the field, which may be
    imported history. ``unscreened``: names of the fields that the screen leaves out, because their text is sealed in
    the vault, is kept nowhere, or is screened where it is taken apart."""

    tells_facts: ClassVar[bool] = False
    unscreened: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _tells_nobody(cls, value: Any, info: ValidationInfo) -> Any:
        """Every text of every body passes the screen; a body within this one has done so by itself."""
        if info.field_name not in cls.unscreened and not isinstance(value, Body):
            for found in personal.find(value):
                what = personal.KIND_NAMES[found.kind][0]
                raise PydanticCustomError(f"personal-{found.kind}", "holds what looks like {what}", {"what": what})
        return value


SecondPerson = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$", examples=["dispatcher-2"]),
    AfterValidator(_short_numbers),
]


class FromTheField(Body):
    """What happened, and when; with the second person where it is told later than the channel allows."""

    tells_facts = True
    happened_at: HappenedAt = None
    reported_at: Annotated[
        Instant | None, Field(description="when the device took it down, where it could send it only later")
    ] = None
    confirmed_by: Annotated[
        SecondPerson | None,
        Field(
            description="another person's id; needed where it is told too late for the channel; sessions use /approvals"
        ),
    ] = None


class When(Body):
    """Only when."""

    happened_at: HappenedAt = None


class Nothing(Body):
    """No field at all: {}."""

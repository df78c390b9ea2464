"""Fields that many answers share: each alias is the type and its description in the OpenAPI document.

What an event says of the same field is said in the event's own words, read from ``domain.kernel.fields``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import Field

from domain.kernel import fields as events


def words(alias: Any) -> str:
    """The description that an alias of ``domain.kernel.fields``, or a field of a dataclass of ours, carries; empty
    where it carries none, which a test of the OpenAPI document finds."""
    return next((str(said) for said in getattr(alias, "__metadata__", ()) if isinstance(said, str)), "")


CaseId = Annotated[UUID, Field(description=words(events.CaseId))]
CaseNumber = Annotated[str, Field(description=words(events.CaseNumber))]
CaseNumberIfRead = Annotated[
    str | None,
    Field(description="The number that people know the case by; null where the read model does not have the case yet."),
]
Stage = Annotated[str, Field(description="How far it has come, as a code.")]
IsOpen = Annotated[bool, Field(description="Whether it is still open.")]
EventsRead = Annotated[int, Field(description="How many events of the case the read model has.")]
EventId = Annotated[UUID, Field(description="Id of the event.")]
EventNumber = Annotated[int, Field(description="Number of the event in its case, from 1.")]
EventPosition = Annotated[int, Field(description="Position of the event in the store's log.")]
HappenedAt = Annotated[datetime, Field(description="When it happened.")]
RecordedAt = Annotated[datetime, Field(description="When it was recorded.")]
AnsweredAt = Annotated[datetime, Field(description="When the answer was made, by the service's clock.")]
More = Annotated[bool, Field(description="Whether the limit cut some off.")]

ChineseName = Annotated[str, Field(description=words(events.ChineseName))]
PromiseCode = Annotated[str, Field(description=words(events.PromiseCode))]
Tentative = Annotated[bool, Field(description="Whether the end follows a calendar that is not published yet.")]
CountedBy = Annotated[
    str | None,
    Field(description="Version of the calendar that it was counted by; null where no days are counted."),
]
DocumentVersion = Annotated[str, Field(description=words(events.Version))]
StandardInForce = Annotated[str, Field(description="Version of the standard in force.")]
MeterNumber = Annotated[str, Field(description=words(events.MeterNumber))]
ReadAt = Annotated[datetime, Field(description=words(events.ReadAt))]

Kind = Annotated[
    str | None,
    Field(
        description=(
            "Kind of fault, as a code of the standard, or of the case within its kind; null where it has none."
        )
    ),
]
Category = Annotated[
    str | None,
    Field(description="Category of the applicant, as a code of the standard; null where nobody applied."),
]
District = Annotated[str | None, Field(description="Code of the district; null where the case has none.")]
Crew = Annotated[
    str | None,
    Field(description="Code of the crew that is on it; null where none is, or where it is no incident."),
]
Severity = Annotated[
    str | None,
    Field(description="Class of the repair: small, medium or major; null where it is not classed, or is no repair."),
]
Mass = Annotated[
    str | None,
    Field(description="Code of the mass incident that it belongs to; null where it belongs to none."),
]


def describe_dataclasses(schemas: Mapping[str, Any], answers: tuple[type, ...]) -> None:
    """Put what the fields of dataclasses say of themselves into their JSON Schemas. ``answers``: the dataclasses that
    answers hold; whatever dataclass their fields lead to is described as well."""
    for shown in dict.fromkeys(found for answer in answers for found in _dataclasses(answer)):
        properties = schemas[shown.__name__]["properties"]
        for name, hint in get_type_hints(shown, include_extras=True).items():
            properties[name].setdefault("description", words(hint))


def _dataclasses(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
        hints = get_type_hints(hint)
        for field in fields(hint):
            yield from _dataclasses(hints[field.name])
    elif get_origin(hint) is not None:
        for inner in get_args(hint):
            yield from _dataclasses(inner)

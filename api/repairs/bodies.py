"""The bodies of commands: every field bounded, unknown fields refused, texts cleaned, times with their offset."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from api.http.fields import (
    PARTICULARS,
    Address,
    Body,
    Cause,
    Code,
    CrewCode,
    Digest,
    EvidenceDigest,
    FromTheField,
    IdNumber,
    Instant,
    Name,
    Pasted,
    Phone,
    SecondPerson,
    _short_detail,
    plain_phone,
)
from domain.repairs.details import ASSET
from domain.repairs.reports import Contact
from domain.standard.sections.repair import Severity
from domain.standard.standards import Precision


class Reporter(Body):
    """Who reports a fault. Goes to the vault and to no event. Whatever is in these fields, the report is taken: a
    telephone that nobody can read as one is kept as it was given, and the report is flagged ``contact-unclear``."""

    unscreened = PARTICULARS

    name: Annotated[
        Pasted | None,
        Field(examples=["张三"], description="Name of the person; null where it was not told. It goes to the vault."),
    ] = None
    phone: Annotated[
        Pasted | None,
        Field(
            examples=["0743-8220000"],
            description="Telephone number of the person, as pasted; null where there is none. It goes to the vault.",
        ),
    ] = None
    address: Annotated[
        Pasted | None,
        Field(
            examples=["人民北路 1 号"],
            description="Address that the person tells; null where none was told. It goes to the vault.",
        ),
    ] = None

    @property
    def contact(self) -> Contact:
        """What we know of how they can be told."""
        if not self.phone:
            return "none"
        return "known" if plain_phone(self.phone) is not None else "unclear"

    def particulars(self) -> dict[str, str]:
        """What the vault keeps: the telephone in its plain form, or as it was given."""
        plain = plain_phone(self.phone) if self.phone else None
        given = {"name": self.name, "address": self.address, "phone": plain}
        unread = {"phone_as_given": self.phone} if self.phone and plain is None else {}
        return {name: value for name, value in given.items() if value} | unread


class Position(Body):
    """A point on the earth, WGS 84 degrees. Goes to the vault and to no event."""

    latitude: Annotated[
        float,
        Field(
            strict=True,
            ge=-90,
            le=90,
            allow_inf_nan=False,
            examples=[28.3117],
            description="Degrees north, WGS 84; south is below zero.",
        ),
    ]
    longitude: Annotated[
        float,
        Field(
            strict=True,
            ge=-180,
            le=180,
            allow_inf_nan=False,
            examples=[109.7382],
            description="Degrees east, WGS 84; west is below zero.",
        ),
    ]


OrderNumber = Annotated[
    StrictStr,
    Field(
        pattern=r"^[A-Za-z0-9〔\[(][A-Za-z0-9_./〔〕\[\]()-]{0,39}$",
        examples=["JS20260916-00123"],
        description="as that body writes it; large and small letters, brackets and dashes make no other number",
    ),
]


class OutsideOrder(Body):
    """The work order of another body that the report came with, and its deadline where it names one."""

    source: Annotated[Code, Field(examples=["hotline-12345"], description="Code of the body whose order it is.")]
    number: Annotated[OrderNumber, Field(description="The order's number at that body.")]
    reply_by: Annotated[
        Instant | None,
        Field(description="When the other body wants its reply; null where the standard's own limit holds."),
    ] = None


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
    """A first report of a fault. Without a reporter (a patrol, somebody without a phone) nobody is owed an answer."""

    reporter: Annotated[
        Reporter | None, Field(description="Who reports it; null where nobody can be told, as of a patrol.")
    ] = None
    precision: ToTheDay = "second"
    origin: Origin = None
    kind: Annotated[Code, Field(examples=["leak"], description="Kind of fault, as a code of the standard.")]
    district: Annotated[Code, Field(examples=["zhenxi"], description="Code of the district.")]
    place: Annotated[
        Position | None,
        Field(description="Where it is; null where it was not told. Events have only a square of some 200 m of it."),
    ] = None
    order: Annotated[
        OutsideOrder | None,
        Field(description="The order of another body that the report came with; null where it came with none."),
    ] = None


class FurtherReport(FromTheField):
    """Another report of the same incident. Without a reporter nobody is owed an answer to it."""

    reporter: Annotated[
        Reporter | None, Field(description="Who reports it; null where nobody can be told, as of a patrol.")
    ] = None
    precision: ToTheDay = "second"
    origin: Origin = None
    place: Annotated[
        Position | None,
        Field(description="Where it is; null where it was not told. Events have only a square of some 200 m of it."),
    ] = None
    order: Annotated[
        OutsideOrder | None,
        Field(description="The order of another body that the report came with; null where it came with none."),
    ] = None


class Completion(FromTheField):
    """The repair is done."""

    precision: Precise = "second"


class IncidentDismissal(FromTheField):
    """The incident needs no repair of ours, and why by a code of the standard."""

    reason: Annotated[Code, Field(examples=["false-alarm"], description="Why, as a code of the standard.")]
    evidence_digest: EvidenceDigest = None
    precision: Precise = "second"


class Rejection(Body):
    """An arrival, a completion or a restoration that did not happen so, and why by a code of the standard."""

    event_id: Annotated[UUID, Field(description="of the event, from the case's timeline")]
    reason: Annotated[Code, Field(examples=["not-on-site"], description="Why, as a code of the standard.")]
    evidence_digest: EvidenceDigest = None
    confirmed_by: Annotated[
        SecondPerson | None,
        Field(description="another person's id; needed where a settled verdict falls with it; sessions use /approvals"),
    ] = None


Asset = Annotated[
    StrictStr, Field(pattern=f"^{ASSET.pattern}$", examples=["DN-10442"], description="the pipe register's number")
]


class Pipe(FromTheField):
    """Which pipe failed, as far as it is known."""

    asset: Annotated[
        Asset | None, Field(description="Number of the pipe in the register; null where it is not known.")
    ] = None
    material: Annotated[
        Code | None,
        Field(examples=["ductile-iron"], description="Material of the pipe, as a code; null where it is not known."),
    ] = None
    dn_mm: Annotated[
        StrictInt | None,
        Field(ge=1, le=10_000, description="Nominal diameter in millimetres; null where it is not known."),
    ] = None
    laid_in: Annotated[StrictInt | None, Field(ge=1800, le=2199, description="the year")] = None


Detail = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/-]{0,63}$"), AfterValidator(_short_detail)]


class Correction(FromTheField):
    """A detail is another one than was taken down; both stay on record. null: nothing."""

    detail: Annotated[
        Code,
        Field(
            examples=["material"],
            description=(
                "Which detail is corrected: kind, asset, material, dn-mm, laid-in, or one of the standard's own."
            ),
        ),
    ]
    old: Annotated[Detail | None, Field(examples=["steel"], description="what stood there")]
    new: Annotated[Detail | None, Field(examples=["ductile-iron"], description="what stands there now")]


class AnswerByProgram(Body):
    """By which way the program is to tell the reporter what became of it, in the standard's words."""

    way: Annotated[
        Code,
        Field(
            examples=["sms"],
            description="By which way, as a code of the standard (for example sms, phone, at-the-door).",
        ),
    ]


class ReporterAnswer(FromTheField):
    """How the reporter was told; the digest of what was sent, none of what was said."""

    way: Annotated[
        Code,
        Field(
            examples=["phone"],
            description="By which way, as a code of the standard (for example sms, phone, at-the-door).",
        ),
    ]
    digest: Annotated[
        Digest | None,
        Field(description="SHA-256 of what was sent, as sha256: and 64 hex digits; null where nothing was written."),
    ] = None


class Dispatch(Body):
    """The crew to send; taken away from the incident that it is on only where that is named."""

    crew: CrewCode
    reassigned_from: Annotated[UUID | None, Field(description="the incident that the crew is taken away from")] = None


class Declined(FromTheField):
    """The crew cannot come, and why by a code of the standard."""

    crew: CrewCode
    reason: Annotated[Code, Field(examples=["vehicle"], description="Why, as a code of the standard.")]


class DispatchConfirmation(FromTheField):
    """The crew confirms."""

    crew: CrewCode


class Delay(FromTheField):
    """The crew is held up on its way."""

    crew: CrewCode
    expected_at: Annotated[Instant, Field(description="when the crew expects to be on site")]


class PhoneFix(Position):
    """Where the crew's phone is, and how well it knows. Forgotten once it is measured against the site."""

    accuracy_m: Annotated[
        StrictInt, Field(ge=0, le=1_000_000, description="Accuracy of the phone's position in metres.")
    ]


class ArrivalProof(Body):
    """What proves an arrival: the phone's fix, which is measured against the site and forgotten; or, from a phone that
    has measured itself, how it lies to the geofence."""

    fix: Annotated[
        PhoneFix | None,
        Field(
            description=(
                "Where the crew's phone is; null where the phone measured itself. It is forgotten once "
                "it is measured against the site."
            )
        ),
    ] = None
    inside_geofence: Annotated[
        StrictBool | None,
        Field(
            description="Whether the device was near enough to the incident, as the phone measured it; null with a fix."
        ),
    ] = None
    distance_m: Annotated[
        Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None,
        Field(description="Metres from the incident, as the phone measured it; null with a fix."),
    ] = None
    accuracy_m: Annotated[
        Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None,
        Field(description="Accuracy of the device's position in metres, as the phone tells it; null with a fix."),
    ] = None
    photo_digest: Annotated[
        Digest | None, Field(description="SHA-256 of the photo, as sha256: and 64 hex digits; null without one.")
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        return require_one_of_both(self)


Proof = TypeVar("Proof", bound=ArrivalProof)


def require_one_of_both(proof: Proof) -> Proof:
    """The proof, where it has a fix alone, or all that a phone measured itself. Raises PydanticCustomError."""
    given = [each is not None for each in (proof.inside_geofence, proof.distance_m, proof.accuracy_m)]
    if any(given) if proof.fix is not None else not all(given):
        raise PydanticCustomError(
            "evidence_unclear", "has neither a fix alone nor all of inside_geofence, distance_m and accuracy_m"
        )
    return proof


class Arrival(FromTheField):
    """The crew is on site."""

    crew: CrewCode
    evidence: Annotated[ArrivalProof | None, Field(description="What proves the arrival; null where nothing does.")] = (
        None
    )


class LaterProof(ArrivalProof):
    """What proves an arrival and is told after it: as with the arrival itself, or a photo alone."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        measured = (self.fix, self.inside_geofence, self.distance_m, self.accuracy_m)
        if self.photo_digest is not None and all(each is None for each in measured):
            return self
        return require_one_of_both(self)


class LaterEvidence(FromTheField):
    """What proves an arrival that was told without evidence."""

    event_id: Annotated[UUID, Field(description="Id of the event that told the arrival, from the case's timeline.")]
    evidence: Annotated[LaterProof, Field(description="What proves the arrival.")]


class Assessment(FromTheField):
    """The repair's class, and why as a code of the catalogue."""

    severity: Annotated[Severity, Field(description="Class of the repair: small, medium or major.")]
    reason: Annotated[
        Cause, Field(description="a catalogue's words, never free text", examples=["dn-100-no-road-opening"])
    ]


class Reassessment(FromTheField):
    """Another class, why as a code of the catalogue, on what evidence, and who approved it."""

    severity: Annotated[Severity, Field(description="Class of the repair: small, medium or major.")]
    reason: Annotated[
        Cause, Field(description="a catalogue's words, never free text", examples=["road-must-be-closed"])
    ]
    evidence_digest: Annotated[Digest, Field(description="SHA-256 of the proof, as sha256: and 64 hex digits.")]
    approved_by: Annotated[
        SecondPerson | None,
        Field(description="another person's id; needed late in the window; sessions use /approvals"),
    ] = None


class WorkLog(FromTheField):
    """The crew is at work; the note is a code of the standard."""

    note: Annotated[Code, Field(examples=["welding"], description="What was done, as a code of the standard.")]
    crew: CrewCode


class Unlinking(Body):
    """A report is of another fault: of another kind or elsewhere, where that is so."""

    kind: Annotated[
        Code | None,
        Field(
            examples=["leak"], description="Kind of the other fault, as a code of the standard; null: the same kind."
        ),
    ] = None
    district: Annotated[
        Code | None,
        Field(examples=["donghe"], description="Code of the other fault's district; null: the same district."),
    ] = None


class Merging(Body):
    """The incident that this one is the same burst as; ``confirmed_by`` where a settled verdict falls with it."""

    into: Annotated[UUID, Field(description="Id of the incident that goes on.")]
    confirmed_by: Annotated[
        SecondPerson | None,
        Field(
            description="Actor id of another person; needed where a settled verdict falls with it, null elsewhere. "
            "Sessions use /api/v1/approvals."
        ),
    ] = None


class Consent(FromTheField):
    """The user agreed in writing to a paid service."""

    consent_digest: Annotated[Digest, Field(description="SHA-256 of the signed consent, as sha256: and 64 hex digits.")]


class PaidService(Body):
    """The crew that begins the paid service."""

    crew: CrewCode


class HandOver(FromTheField):
    """One crew takes over from another."""

    from_crew: Annotated[CrewCode, Field(description="Code of the crew that leaves.")]
    to_crew: Annotated[CrewCode, Field(description="Code of the crew that takes over.")]


class ApplicantDetails(Body):
    """Who applies. Goes to the vault and to no event."""

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
    address: Annotated[Address, Field(description="Address that the person tells. It goes to the vault.")]

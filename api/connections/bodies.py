"""The bodies of commands on connection cases. What people write freely has no place here but in the applicant's
particulars, which go to the vault."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.http.fields import (
    Amount,
    Body,
    BodyMark,
    CivilDay,
    Code,
    CrewCode,
    Digest,
    FromTheField,
    Instant,
    Name,
)
from api.repairs.bodies import ApplicantDetails
from domain.connections.charges import LARGEST_FEN
from domain.connections.facts import DocumentWay

_QUANTITY = re.compile(r"(?:0|[1-9]\d{0,6})(?:\.\d{1,3})?", re.ASCII)


def _quantity(value: Any) -> Decimal:
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise PydanticCustomError("bad_amount", 'is not a decimal as text, for example "12.5"')
    return Decimal(value)


PaperNumber = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$", examples=["HT-2026-0001"]),
]
"""A number that another system or a form gives out: a contract's, a payment's."""
Actor = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$", examples=["owner-1"])]
GridCode = Annotated[
    StrictStr,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$",
        description="of the utility's grid, never a door",
        examples=["QZ-07"],
    ),
]
Quantity = Annotated[
    Decimal,
    BeforeValidator(_quantity),
    WithJsonSchema({"type": "string", "pattern": f"^{_QUANTITY.pattern}$", "examples": ["12.5"]}),
]
Fen = Annotated[StrictInt, Field(ge=1, le=LARGEST_FEN, description="whole fen (分)", examples=[6000])]
Percent = Annotated[StrictInt, Field(ge=1, le=100)]
CodeList = Annotated[tuple[Code, ...], Field(max_length=20)]
EffectiveAt = Annotated[Instant | None, Field(description="from when on it counts; left out: now")]
VisitId = Annotated[UUID, Field(description="minted by whoever books")]


# ---- intake


class PointBody(Body):
    """A place that wants water: its grid cell, and how its use splits over price classes, in percent."""

    address_code: Annotated[GridCode, Field(description="Place in the utility's own grid; never a door.")]
    usage_split: Annotated[
        dict[Code, Percent],
        Field(
            min_length=1,
            max_length=10,
            examples=[{"residential": 100}],
            description="Price class → percent of the use; the percents sum to 100.",
        ),
    ]
    household_size: Annotated[
        Annotated[StrictInt, Field(ge=1, le=100)] | None,
        Field(description="Persons in the household; null where it is no household or is not known."),
    ] = None


class DocumentBody(Body):
    """A document that is handed in, and by which way; an upload with its digest."""

    document: Annotated[Code, Field(examples=["identity"], description="Code of the document.")]
    way: Annotated[
        DocumentWay,
        Field(
            examples=["verified"],
            description=(
                "How the document came: upload, seen at the counter, shared by another office, or verified there. "
                "Seen, and shared over another channel than the platform's, can only be said with the power "
                "connection.reject-document."
            ),
        ),
    ]
    digest: Annotated[
        Digest | None,
        Field(
            description="SHA-256 of the document, as sha256: and 64 hex digits; needed with an upload, null elsewhere."
        ),
    ] = None


class Application(FromTheField):
    """An application for a water connection, on the one form of every channel."""

    applicant: Annotated[ApplicantDetails, Field(description="Who applies. It goes to the vault and to no event.")]
    category: Annotated[
        Code, Field(examples=["private"], description="Category of the applicant, as a code of the standard.")
    ]
    supply_points: Annotated[
        StrictInt, Field(ge=0, le=1_000_000, examples=[1], description="How many places want water.")
    ]
    points: Annotated[
        tuple[PointBody, ...],
        Field(
            max_length=500,
            description="The places that want water, in order of their numbers; empty where they are not told yet.",
        ),
    ] = ()
    documents: Annotated[
        tuple[DocumentBody, ...], Field(max_length=20, description="The documents that are handed in with it.")
    ] = ()
    declined_outstanding: Annotated[
        StrictBool, Field(description="Whether the applicant wants no papers outstanding.")
    ] = False
    consultation: Annotated[
        UUID | None, Field(description="Id of the consultation before it; null where there was none.")
    ] = None
    district: Annotated[
        Code | None,
        Field(
            examples=["zhenxi"],
            description="Code of the district that the places lie in; null: not told, so it lies in each.",
        ),
    ] = None


class Owner(Body):
    """Who answers for the case from now on."""

    owner: Annotated[Actor, Field(description="Actor id of who answers for the case.")]


class Appearance(FromTheField):
    """The applicant had to come in person."""

    place: Annotated[Code, Field(examples=["counter"], description="Where the applicant had to come, as a code.")]
    purpose: Annotated[
        Code,
        Field(
            examples=["papers"], description="What for: application, papers, contract, payment, collection or other."
        ),
    ]


class Reason(Body):
    """A reason, as a code."""

    reason: Annotated[Code, Field(examples=["no-longer-needed"], description="Why, as a code of the standard.")]


class ReasonedRefusal(Body):
    """A reason of the standard's list, and the written refusal."""

    reason: Annotated[Code, Field(examples=["no-supply-capacity"], description="Why, as a code of the standard.")]
    document_digest: Annotated[Digest, Field(description="SHA-256 of the document, as sha256: and 64 hex digits.")]


# ---- papers


class DocumentHandedIn(DocumentBody, FromTheField):
    """A document is there."""


class Defect(Body):
    """What is wrong with a document."""

    defect: Annotated[Code, Field(examples=["illegible"], description="What is wrong, as a code of the standard.")]


class DocumentDefect(Body):
    """A document, and what is wrong with it; `missing` where it is not there."""

    document: Annotated[Code, Field(examples=["identity"], description="Code of the document.")]
    defect: Annotated[Code, Field(examples=["missing"], description="What is wrong, as a code of the standard.")]


class Items(Body):
    """What is missing."""

    items: Annotated[list[DocumentDefect], Field(max_length=20, description="Everything that is missing or wrong.")]


class PapersCommitment(Body):
    """The applicant's written commitment: which papers, by the close of which day."""

    papers: Annotated[CodeList, Field(description="Codes of the papers that are supplied later.")]
    deadline: Annotated[
        CivilDay, Field(description="Day by which the papers are there; it ends at the close of business.")
    ]
    commitment_digest: Annotated[
        Digest, Field(description="SHA-256 of the signed promise, as sha256: and 64 hex digits.")
    ]


class CommitmentEvidence(Body):
    """What shows that the commitment was made good."""

    evidence_digest: Annotated[Digest, Field(description="SHA-256 of the proof, as sha256: and 64 hex digits.")]


# ---- on site


class Survey(FromTheField):
    """What the surveyor found."""

    feasible: Annotated[StrictBool, Field(description="Whether the site can be supplied.")]
    findings: Annotated[CodeList, Field(description="What the survey found, as codes of the standard.")] = ()


class Design(FromTheField):
    """The approved drawing."""

    drawing_digest: Annotated[Digest, Field(description="SHA-256 of the drawing, as sha256: and 64 hex digits.")]


class OnSiteApproval(FromTheField):
    """Surveyed, designed and approved at the door."""

    visit: Annotated[VisitId, Field(description="Id of the visit, given by whoever books it.")]
    squad: Annotated[Code, Field(description="Code of the squad.")]
    drawing_digest: Annotated[Digest, Field(description="SHA-256 of the drawing, as sha256: and 64 hex digits.")]


class ConstructionStart(FromTheField):
    """Who works on site."""

    crew: CrewCode


class Inspection(FromTheField):
    """The outcome of the final inspection."""

    passed: Annotated[StrictBool, Field(description="Whether it passed.")]
    defects: Annotated[
        CodeList, Field(description="What is wrong, as codes of the standard; empty where it passed.")
    ] = ()


FlowRate = Annotated[Amount, Field(gt=0, le=100_000)]


class MeterBody(Body):
    """A meter with its forced verification. The number is taken without blanks around it and in capitals."""

    number: Annotated[
        StrictStr,
        Field(
            pattern=r"^ {0,8}[A-Za-z0-9][A-Za-z0-9-]{2,31} {0,8}$",
            examples=["JS-2026-0001"],
            description="Number of the meter; it is taken without blanks around it and in capitals.",
        ),
    ]
    body_code: Annotated[BodyMark, Field(description="Mark on the meter's body.")]
    dn_mm: Annotated[StrictInt, Field(ge=1, le=4_000, description="Nominal diameter in millimetres.")]
    verified_on: Annotated[CivilDay, Field(description="Day of the verification.")]
    expires_on: Annotated[CivilDay, Field(description="Day on which the verification ends.")]
    initial_reading_m3: Annotated[Amount, Field(description="Reading at installation, in m³, as a decimal in text.")]
    dial_max_m3: Annotated[
        StrictInt, Field(ge=1, le=999_999_999, description="Largest reading that the dial can show, in m³.")
    ]
    q3_m3h: Annotated[
        FlowRate | None,
        Field(
            description=(
                "Permanent flow rate Q3 in m³/h, as a decimal in text, as the meter's plate says; null where it is not "
                "known. How long a verification holds depends on it."
            )
        ),
    ] = None

    @model_validator(mode="after")
    def _reading_fits_the_dial(self) -> MeterBody:
        if self.initial_reading_m3 > self.dial_max_m3:
            raise PydanticCustomError("reading_beyond_dial", "the initial reading is beyond the dial's end")
        return self


class MeterIn(FromTheField):
    """A meter goes in at one supply point."""

    meter: Annotated[MeterBody, Field(description="The meter that went in.")]


class MeterReplacement(FromTheField):
    """Another meter in place of the one that is in; what the old dial showed at the end, and why, by a code of the
    standard."""

    final_reading_m3: Annotated[
        Amount, Field(description="Last reading of the meter that was taken out, in m³, as a decimal in text.")
    ]
    meter: Annotated[MeterBody, Field(description="The meter that went in instead.")]
    reason: Annotated[Code, Field(examples=["expired"], description="Why, as a code of the standard.")]


class MeterVerification(FromTheField):
    """The meter that is in was verified again, or its Q3 became known."""

    number: Annotated[
        StrictStr,
        Field(
            pattern=r"^ {0,8}[A-Za-z0-9][A-Za-z0-9-]{2,31} {0,8}$",
            examples=["JS-2026-0001"],
            description="Number of the meter that is in; it is taken without blanks around it and in capitals.",
        ),
    ]
    verified_on: Annotated[CivilDay, Field(description="Day of the verification.")]
    expires_on: Annotated[CivilDay, Field(description="Day on which the verification ends.")]
    q3_m3h: Annotated[
        FlowRate | None,
        Field(description="Permanent flow rate Q3 in m³/h, as a decimal in text; null: it stays as it is."),
    ] = None


class WaterOn(FromTheField):
    """Water on at one supply point; the meter may be left out where it is in."""

    meter: Annotated[MeterBody | None, Field(description="The meter that went in; null where one is in already.")] = (
        None
    )


# ---- once water is on


class ClassChange(Body):
    """Another mix of price classes, from when on, and why, by a code of the standard; with what the dial showed then,
    where somebody looked. `document_digest`: of the application or the report of who looked."""

    usage_split: Annotated[
        dict[Code, Percent],
        Field(
            min_length=1,
            max_length=10,
            examples=[{"non-residential": 100}],
            description="Price class → percent of the use; the percents sum to 100.",
        ),
    ]
    household_size: Annotated[
        Annotated[StrictInt, Field(ge=1, le=100)] | None,
        Field(description="Persons in the household; null where it is no household or is not known."),
    ] = None
    reason: Annotated[Code, Field(examples=["use-changed"], description="Why, as a code of the standard.")]
    document_digest: Annotated[Digest, Field(description="SHA-256 of the document, as sha256: and 64 hex digits.")]
    effective_at: EffectiveAt = None
    reading_m3: Annotated[
        Amount | None,
        Field(
            description=(
                "Reading of the dial at that instant, in m³, as a decimal in text; null where the meter was not read."
            )
        ),
    ] = None


class CustomerChange(Body):
    """Another customer, with a contract of their own, and what the dial showed at the hand-over. `document_digest`: of
    what proves the right."""

    customer: Annotated[ApplicantDetails, Field(description="The new customer. It goes to the vault and to no event.")]
    contract: Annotated[PaperNumber, Field(description="Number of the new customer's contract.")]
    reading_m3: Annotated[
        Amount, Field(description="Reading of the dial at that instant, in m³, as a decimal in text.")
    ]
    reason: Annotated[Code, Field(examples=["sale"], description="Why, as a code of the standard.")]
    document_digest: Annotated[
        Digest, Field(description="SHA-256 of the document that proves the right, as sha256: and 64 hex digits.")
    ]
    effective_at: EffectiveAt = None


class Renaming(Body):
    """The customer's particulars with the new name, whole. `document_digest`: of what proves it."""

    customer: Annotated[
        ApplicantDetails,
        Field(description="The customer's particulars with the new name, whole. It goes to the vault and to no event."),
    ]
    document_digest: Annotated[
        Digest, Field(description="SHA-256 of the document that proves the new name, as sha256: and 64 hex digits.")
    ]


# ---- charges


class QuoteLineBody(Body):
    """A fee of the catalogue, and how much of its unit."""

    fee: Annotated[Code, Field(examples=["installation"], description="Code of the fee.")]
    quantity: Annotated[Quantity, Field(description="How many units, as a decimal in text.")]


class QuoteBody(Body):
    """The lines of a quote."""

    lines: Annotated[list[QuoteLineBody], Field(min_length=1, max_length=20, description="The fees of the quote.")]


class ChargeAsked(Body):
    """A charge that somebody would ask for. Its name is looked at and not kept."""

    charge: Annotated[Code, Field(examples=["account-opening"], description="Code of the charge that was asked for.")]
    name_zh: Annotated[
        Name,
        Field(
            examples=["开户费"],
            description="Chinese name of the charge as it was asked for; it is looked at and not kept.",
        ),
    ]
    amount_fen: Fen


class SignedContract(Body):
    """The signed contract."""

    contract: Annotated[PaperNumber, Field(description="Number of the contract.")]
    digest: Digest


class MoneyBody(Body):
    """Money on one line of the quote."""

    fee: Annotated[Code, Field(examples=["installation"], description="Code of the fee.")]
    amount_fen: Fen


class PaymentBody(FromTheField):
    """Money that came in, by the cashier's or the platform's own number."""

    payment: Annotated[
        PaperNumber,
        Field(
            examples=["PAY-2026-0001"], description="Number of the payment, as the cashier or the platform gives it."
        ),
    ]
    lines: Annotated[list[MoneyBody], Field(min_length=1, max_length=20, description="What was paid for each fee.")]


class RefundBody(Body):
    """Money that goes back."""

    refund: Annotated[
        PaperNumber, Field(examples=["TK-2026-0001"], description="Number of the refund, as the cashier gives it.")
    ]
    lines: Annotated[list[MoneyBody], Field(min_length=1, max_length=20, description="What is refunded of each fee.")]


# ---- visits and what is handed over


class VisitBooking(Body):
    """A squad comes between these instants."""

    visit: Annotated[VisitId, Field(description="Id of the visit, given by whoever books it.")]
    squad: Annotated[Code, Field(examples=["squad-1"], description="Code of the squad.")]
    purpose: Annotated[
        Code, Field(examples=["survey"], description="What the squad comes for, as a code of the standard.")
    ]
    begin: Annotated[Instant, Field(description="Beginning of the time in which the squad comes.")]
    end: Annotated[Instant, Field(description="End of the time in which the squad comes.")]


class VisitReassignment(Body):
    """Another squad, or another time."""

    squad: Annotated[Code, Field(examples=["squad-2"], description="Code of the squad.")]
    begin: Annotated[Instant, Field(description="Beginning of the time in which the squad comes.")]
    end: Annotated[Instant, Field(description="End of the time in which the squad comes.")]


class VisitMade(FromTheField):
    """The squad was there, and saw or took along these papers."""

    papers_collected: Annotated[CodeList, Field(description="Codes of the papers that the squad took along.")] = ()


class DeliverableBody(FromTheField):
    """What went out, and how."""

    deliverable: Annotated[
        Code,
        Field(
            examples=["plan"],
            description="Code of what is handed over, for example plan, budget, drawings, contract or invoice.",
        ),
    ]
    way: Annotated[
        Code,
        Field(
            examples=["wechat"],
            description="By which way, as a code of the standard (for example sms, phone, at-the-door).",
        ),
    ]
    digest: Digest


class DeliverableReceipt(FromTheField):
    """What arrived."""

    deliverable: Annotated[
        Code,
        Field(
            examples=["plan"],
            description="Code of what is handed over, for example plan, budget, drawings, contract or invoice.",
        ),
    ]
    digest: Digest


# ---- pauses


class PauseBody(FromTheField):
    """Why the clock is to stand, with evidence."""

    reason: Annotated[Code, Field(examples=["government-permit"], description="Why, as a code of the standard.")]
    evidence_digest: Annotated[Digest, Field(description="SHA-256 of the proof, as sha256: and 64 hex digits.")]

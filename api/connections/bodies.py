"""The bodies of commands on connection cases. What people write freely has no place here but in the applicant's
particulars, which go to the vault."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.http.caller import looks_personal
from api.http.fields import Amount, Body, BodyMark, CivilDay, Code, CrewCode, Digest, HappenedAt, Instant, Name
from api.repairs.bodies import ApplicantDetails
from domain.connections.charges import LARGEST_FEN
from domain.connections.facts import DocumentWay

_QUANTITY = re.compile(r"(?:0|[1-9]\d{0,6})(?:\.\d{1,3})?", re.ASCII)


def _impersonal(value: str) -> str:
    if looks_personal(value):
        raise PydanticCustomError("long_number", "looks like somebody's telephone or identity card")
    return value


def _quantity(value: Any) -> Decimal:
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise PydanticCustomError("bad_amount", 'is not a decimal as text, for example "12.5"')
    return Decimal(value)


PaperNumber = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$", examples=["HT-2026-0001"]),
    AfterValidator(_impersonal),
]
"""A number that another system or a form gives out: a contract's, a payment's."""
Actor = Annotated[
    StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$", examples=["owner-1"]), AfterValidator(_impersonal)
]
GridCode = Annotated[
    StrictStr,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$",
        description="of the utility's grid, never a door",
        examples=["QZ-07"],
    ),
    AfterValidator(_impersonal),
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

    address_code: GridCode
    usage_split: Annotated[dict[Code, Percent], Field(min_length=1, max_length=10, examples=[{"residential": 100}])]
    household_size: Annotated[StrictInt, Field(ge=1, le=100)] | None = None


class DocumentBody(Body):
    """A document that is handed in, and by which way; an upload with its digest."""

    document: Annotated[Code, Field(examples=["identity"])]
    way: Annotated[DocumentWay, Field(examples=["verified"])]
    digest: Digest | None = None


class Application(Body):
    """An application for a water connection, on the one form of every channel."""

    applicant: ApplicantDetails
    category: Annotated[Code, Field(examples=["private"])]
    supply_points: Annotated[StrictInt, Field(ge=0, le=1_000_000, examples=[1])]
    points: Annotated[tuple[PointBody, ...], Field(max_length=500)] = ()
    documents: Annotated[tuple[DocumentBody, ...], Field(max_length=20)] = ()
    declined_outstanding: StrictBool = False
    consultation: UUID | None = None
    happened_at: HappenedAt = None


class Owner(Body):
    """Who answers for the case from now on."""

    owner: Actor


class Appearance(Body):
    """The applicant had to come in person."""

    place: Annotated[Code, Field(examples=["counter"])]
    purpose: Annotated[Code, Field(examples=["papers"])]
    happened_at: HappenedAt = None


class Reason(Body):
    """A reason, as a code."""

    reason: Annotated[Code, Field(examples=["no-longer-needed"])]


class ReasonedRefusal(Body):
    """A reason of the standard's list, and the written refusal."""

    reason: Annotated[Code, Field(examples=["no-supply-capacity"])]
    document_digest: Digest


# ---- papers


class DocumentHandedIn(DocumentBody):
    """A document is there."""

    happened_at: HappenedAt = None


class Defect(Body):
    """What is wrong with a document."""

    defect: Annotated[Code, Field(examples=["illegible"])]


class DocumentDefect(Body):
    """A document, and what is wrong with it; `missing` where it is not there."""

    document: Annotated[Code, Field(examples=["identity"])]
    defect: Annotated[Code, Field(examples=["missing"])]


class Items(Body):
    """What is missing."""

    items: Annotated[list[DocumentDefect], Field(max_length=20)]


class PapersCommitment(Body):
    """The applicant's written commitment: which papers, by the close of which day."""

    papers: CodeList
    deadline: CivilDay
    commitment_digest: Digest


class CommitmentEvidence(Body):
    """What shows that the commitment was made good."""

    evidence_digest: Digest


# ---- on site


class Survey(Body):
    """What the surveyor found."""

    feasible: StrictBool
    findings: CodeList = ()
    happened_at: HappenedAt = None


class Design(Body):
    """The approved drawing."""

    drawing_digest: Digest
    happened_at: HappenedAt = None


class OnSiteApproval(Body):
    """Surveyed, designed and approved at the door."""

    visit: VisitId
    squad: Code
    drawing_digest: Digest
    happened_at: HappenedAt = None


class ConstructionStart(Body):
    """Who works on site."""

    crew: CrewCode
    happened_at: HappenedAt = None


class Inspection(Body):
    """The outcome of the final inspection."""

    passed: StrictBool
    defects: CodeList = ()
    happened_at: HappenedAt = None


class MeterBody(Body):
    """A meter with its forced verification. The number is taken without blanks around it and in capitals."""

    number: Annotated[
        StrictStr, Field(pattern=r"^ {0,8}[A-Za-z0-9][A-Za-z0-9-]{2,31} {0,8}$", examples=["JS-2026-0001"])
    ]
    body_code: BodyMark
    dn_mm: Annotated[StrictInt, Field(ge=1, le=4_000)]
    verified_on: CivilDay
    expires_on: CivilDay
    initial_reading_m3: Amount
    dial_max_m3: Annotated[StrictInt, Field(ge=1, le=999_999_999)]

    @model_validator(mode="after")
    def _reading_fits_the_dial(self) -> MeterBody:
        if self.initial_reading_m3 > self.dial_max_m3:
            raise PydanticCustomError("reading_beyond_dial", "the initial reading is beyond the dial's end")
        return self


class MeterIn(Body):
    """A meter goes in at one supply point."""

    meter: MeterBody
    happened_at: HappenedAt = None


class MeterReplacement(Body):
    """Another meter in place of the one that is in; what the old dial showed at the end, and why, by a code of the
    standard."""

    final_reading_m3: Amount
    meter: MeterBody
    reason: Annotated[Code, Field(examples=["expired"])]
    happened_at: HappenedAt = None


class WaterOn(Body):
    """Water on at one supply point; the meter may be left out where it is in."""

    meter: MeterBody | None = None
    happened_at: HappenedAt = None


# ---- once water is on


class ClassChange(Body):
    """Another mix of price classes, from when on, and why, by a code of the standard; with what the dial showed then,
    where somebody looked. `document_digest`: of the application or the report of who looked."""

    usage_split: Annotated[dict[Code, Percent], Field(min_length=1, max_length=10, examples=[{"non-residential": 100}])]
    household_size: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    reason: Annotated[Code, Field(examples=["use-changed"])]
    document_digest: Digest
    effective_at: EffectiveAt = None
    reading_m3: Amount | None = None


class CustomerChange(Body):
    """Another customer, with a contract of their own, and what the dial showed at the hand-over. `document_digest`: of
    what proves the right."""

    customer: ApplicantDetails
    contract: PaperNumber
    reading_m3: Amount
    reason: Annotated[Code, Field(examples=["sale"])]
    document_digest: Digest
    effective_at: EffectiveAt = None


class Renaming(Body):
    """The customer's particulars with the new name, whole. `document_digest`: of what proves it."""

    customer: ApplicantDetails
    document_digest: Digest


# ---- charges


class QuoteLineBody(Body):
    """A fee of the catalogue, and how much of its unit."""

    fee: Annotated[Code, Field(examples=["installation"])]
    quantity: Quantity


class QuoteBody(Body):
    """The lines of a quote."""

    lines: Annotated[list[QuoteLineBody], Field(min_length=1, max_length=20)]


class ChargeAsked(Body):
    """A charge that somebody would ask for. Its name is looked at and not kept."""

    charge: Annotated[Code, Field(examples=["account-opening"])]
    name_zh: Annotated[Name, Field(examples=["开户费"])]
    amount_fen: Fen


class SignedContract(Body):
    """The signed contract."""

    contract: PaperNumber
    digest: Digest


class MoneyBody(Body):
    """Money on one line of the quote."""

    fee: Annotated[Code, Field(examples=["installation"])]
    amount_fen: Fen


class PaymentBody(Body):
    """Money that came in, by the cashier's or the platform's own number."""

    payment: Annotated[PaperNumber, Field(examples=["PAY-2026-0001"])]
    lines: Annotated[list[MoneyBody], Field(min_length=1, max_length=20)]
    happened_at: HappenedAt = None


class RefundBody(Body):
    """Money that goes back."""

    refund: Annotated[PaperNumber, Field(examples=["TK-2026-0001"])]
    lines: Annotated[list[MoneyBody], Field(min_length=1, max_length=20)]


# ---- visits and what is handed over


class VisitBooking(Body):
    """A squad comes between these instants."""

    visit: VisitId
    squad: Annotated[Code, Field(examples=["squad-1"])]
    purpose: Annotated[Code, Field(examples=["survey"])]
    begin: Instant
    end: Instant


class VisitReassignment(Body):
    """Another squad, or another time."""

    squad: Annotated[Code, Field(examples=["squad-2"])]
    begin: Instant
    end: Instant


class VisitMade(Body):
    """The squad was there, and saw or took along these papers."""

    papers_collected: CodeList = ()
    happened_at: HappenedAt = None


class DeliverableBody(Body):
    """What went out, and how."""

    deliverable: Annotated[Code, Field(examples=["plan"])]
    way: Annotated[Code, Field(examples=["wechat"])]
    digest: Digest
    happened_at: HappenedAt = None


class DeliverableReceipt(Body):
    """What arrived."""

    deliverable: Annotated[Code, Field(examples=["plan"])]
    digest: Digest
    happened_at: HappenedAt = None


# ---- pauses


class PauseBody(Body):
    """Why the clock is to stand, with evidence."""

    reason: Annotated[Code, Field(examples=["government-permit"])]
    evidence_digest: Digest
    happened_at: HappenedAt = None

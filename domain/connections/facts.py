"""What can happen to a water connection (用水报装), from the first question to water and the last refund."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from domain.deadlines.windows import FACTS as WINDOW_FACTS
from domain.deadlines.windows import WindowFact
from domain.kernel.subjects import Subject
from domain.metering.meters import MeterDetails

DocumentWay = Literal["upload", "seen", "shared", "verified"]
AdmissionBasis = Literal["office", "papers", "papers-outstanding", "silence"]


# ---- intake 收件, 分类转办


@dataclass(frozen=True, slots=True)
class SupplyPoint:
    """A place that wants water, as billing needs it. ``usage_split``: price class → percent of the use, summing to
    100. ``address_code``: of the utility's own grid, never a door-level address."""

    address_code: str
    usage_split: Mapping[str, int]
    household_size: int | None = None


@dataclass(frozen=True, slots=True)
class ApplicationReceived:
    """An application came in, on the one form, over whichever channel; the 5 working days do not run yet.

    ``applicant``: the pseudonym of the person or body across applications (keyed, not reversible from outside).
    ``declined_outstanding``: the applicant does not want to be admitted with papers outstanding.
    """

    case_number: str
    category: str
    supply_points: int
    subject: Subject
    points: tuple[SupplyPoint, ...] = ()
    applicant: UUID | None = None
    barred: bool = False
    declined_outstanding: bool = False
    consultation: UUID | None = None


@dataclass(frozen=True, slots=True)
class CaseRouted:
    """The application was handed on (转办) to a desk, and one named person answers for it (专人专责)."""

    desk: str
    owner: str


@dataclass(frozen=True, slots=True)
class OwnerReplaced:
    """Another named person answers for the case from now on."""

    owner: str


@dataclass(frozen=True, slots=True)
class ApplicantAppeared:
    """The applicant had to come in person. ``purpose``: application, papers, contract, payment, collection, other."""

    place: str
    purpose: str


@dataclass(frozen=True, slots=True)
class ApplicationWithdrawn:
    """The applicant withdrew; nothing is owed any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class ApplicationRefused:
    """The utility refused, for a reason of the standard's list, told in writing."""

    reason: str
    document_digest: str


# ---- papers 材料


@dataclass(frozen=True, slots=True)
class DocumentSupplied:
    """A required document is there, by one of the ways its requirement allows. ``digest``: of an upload."""

    document: str
    way: DocumentWay
    digest: str | None


@dataclass(frozen=True, slots=True)
class DocumentRejected:
    """A document that was there does not do; ``defect`` is a code of the standard."""

    document: str
    defect: str


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One thing that is missing: a document, and what is wrong with it (``missing`` or another defect)."""

    document: str
    defect: str


@dataclass(frozen=True, slots=True)
class OneTimeNoticeGiven:
    """The one-time notice (一次性告知): everything that is missing, named at once."""

    items: tuple[NoticeItem, ...]


@dataclass(frozen=True, slots=True)
class FurtherRequestRefused:
    """Somebody tried to ask for what could have been named in the one-time notice. Nothing was asked of the applicant;
    the attempt is on record."""

    items: tuple[NoticeItem, ...]


@dataclass(frozen=True, slots=True)
class FurtherRequestMade:
    """A later request, for what could not be seen the first time."""

    items: tuple[NoticeItem, ...]


@dataclass(frozen=True, slots=True)
class PapersPromised:
    """The applicant committed in writing (承诺) to supply these papers by the close of that day, and knows what
    follows otherwise. ``consequence``: end or suspend."""

    papers: tuple[str, ...]
    deadline: date
    consequence: Literal["end", "suspend"]
    commitment_digest: str


@dataclass(frozen=True, slots=True)
class OutstandingDeclined:
    """The applicant does not want to be admitted with papers outstanding."""


@dataclass(frozen=True, slots=True)
class PapersCommitmentBroken:
    """The deadline passed and these promised papers were not in; the applicant is barred until repair or expiry."""

    papers: tuple[str, ...]
    barred_until: datetime


@dataclass(frozen=True, slots=True)
class PapersCommitmentUpheld:
    """A commitment that was on record as broken was kept after all: the papers were in before the deadline."""


@dataclass(frozen=True, slots=True)
class PapersCommitmentRepaired:
    """The broken commitment was made good (信用修复): the papers were supplied late, and somebody checked it."""

    evidence_digest: str


@dataclass(frozen=True, slots=True)
class ApplicationAdmitted:
    """The utility admitted (受理) the application; its 5 working days run from ``happened_at``.

    ``basis``: papers (main and deferrable ones in), papers-outstanding (some may follow), silence (neither notice nor
    admission in time: admitted on the day of receipt), office (before admission had a basis on record).
    """

    basis: AdmissionBasis = "office"
    outstanding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseEnded:
    """The case ended by a rule, not by a person; ``reason`` names it."""

    reason: str


@dataclass(frozen=True, slots=True)
class CaseSuspended:
    """The case stands still by a rule; nothing is owed meanwhile."""

    reason: str


@dataclass(frozen=True, slots=True)
class CaseResumed:
    """A suspended or ended case goes on; its working days run anew from here."""

    reason: str


# ---- works 勘察、设计、施工、验收、通水


@dataclass(frozen=True, slots=True)
class SurveyMade:
    """A surveyor saw the site (勘察). ``findings``: codes; ``feasible`` False: water cannot be laid there so."""

    feasible: bool
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DesignApproved:
    """The connection's design is done and approved."""

    drawing_digest: str


@dataclass(frozen=True, slots=True)
class ApprovedOnSite:
    """A squad surveyed, designed and approved at the applicant's door (现场审批); construction starts at once."""

    visit: UUID
    squad: str
    drawing_digest: str


@dataclass(frozen=True, slots=True)
class ConstructionStarted:
    """Work began on site."""

    crew: str


@dataclass(frozen=True, slots=True)
class ConstructionCompleted:
    """The pipe is laid."""


@dataclass(frozen=True, slots=True)
class FinalInspectionMade:
    """Final inspection (验收). ``passed`` False: ``defects`` must be mended and it is inspected again."""

    passed: bool
    defects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MeterInstalled:
    """A verified meter is in at a supply point; free of charge."""

    point: int
    meter: MeterDetails


@dataclass(frozen=True, slots=True)
class MeterReplaced:
    """Another verified meter is in at a supply point, in place of ``old_meter``, whose dial showed that at the end.

    ``reason``: the standard's. ``flags``: what is odd about the final reading (final-below-initial)."""

    point: int
    old_meter: str
    final_reading_m3: Decimal
    meter: MeterDetails
    reason: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaterTurnedOn:
    """Water flows at one supply point (通水), measured by that meter; billing opens an account."""

    point: int
    subject: Subject
    meter: MeterDetails
    contract: str | None = None
    address_code: str | None = None
    usage_split: Mapping[str, int] = field(default_factory=dict)
    household_size: int | None = None
    price_version: str | None = None


# ---- once water is on 用水性质变更、过户、更名: what billing's account says from then on


@dataclass(frozen=True, slots=True)
class UsageClassChanged:
    """What the water of a supply point is used for is another mix from ``effective_at`` on (用水性质变更).

    ``change``: its number among the case's changes of class and customer, from 1; of two with one ``effective_at`` the
    higher number counts. ``usage_split``: price class → percent, summing to 100; ``old_split``: what it takes the place
    of. ``reading_m3``: what the dial showed at that instant, where somebody looked; without it the use up to the next
    reading is still of the old class. ``reason``: the standard's. ``flags``: what is odd about the reading
    (reading-below-initial).
    """

    change: int
    point: int
    usage_split: Mapping[str, int]
    household_size: int | None
    old_split: Mapping[str, int]
    price_version: str | None
    effective_at: datetime
    reading_m3: Decimal | None
    reason: str
    document_digest: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomerChanged:
    """A supply point has another customer from ``effective_at`` on (过户), under a contract of their own.

    ``change``: as in UsageClassChanged. ``customer``: the new one's pseudonym across cases, as ``applicant`` is in
    ApplicationReceived. ``reading_m3``: what the dial showed at the hand-over; use before it is the old customer's.
    ``reason``: the standard's; ``document_digest``: of what proves the right. ``flags``: as in UsageClassChanged.
    """

    change: int
    point: int
    subject: Subject
    customer: UUID
    old_subject: Subject
    contract: str
    effective_at: datetime
    reading_m3: Decimal
    reason: str
    document_digest: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomerRenamed:
    """The customer of these supply points has another name (更名): the same one, contract and account go on.

    ``subject``: with the revision in which the vault has the new name. ``document_digest``: of what proves it.
    """

    change: int
    points: tuple[int, ...]
    subject: Subject
    document_digest: str


# ---- charges 费用: all amounts are fen (分)


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One fee of the catalogue, for a quantity of its unit; ``amount_fen`` half-up, capped."""

    fee: str
    quantity: Decimal
    amount_fen: int


@dataclass(frozen=True, slots=True)
class QuoteIssued:
    """A quote (报价) under one version of the catalogue; it replaces an earlier one."""

    quote: int
    catalogue: str
    payer_class: str
    lines: tuple[QuoteLine, ...]


@dataclass(frozen=True, slots=True)
class ChargeRefused:
    """Somebody tried to charge what the catalogue does not allow. ``charge``: the code asked for; ``banned``: the
    banned name that it is, or is another word for; ``why``: a refusal's code."""

    charge: str
    banned: str | None
    why: str
    amount_fen: int | None
    catalogue: str


@dataclass(frozen=True, slots=True)
class ContractSigned:
    """The contract (合同) for supply was signed."""

    contract: str
    quote: int
    digest: str


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """Money on one line of the quote."""

    fee: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class PaymentReceived:
    """Money came in on lines of the quote. ``payment``: the cashier's or platform's own number."""

    payment: str
    lines: tuple[MoneyLine, ...]


@dataclass(frozen=True, slots=True)
class PaymentReversed:
    """A payment was entered in error or bounced (冲正): all its lines fall away."""

    payment: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefundMade:
    """Money went back, never more than was paid on the line."""

    refund: str
    lines: tuple[MoneyLine, ...]


@dataclass(frozen=True, slots=True)
class RefundReversed:
    """A refund was entered in error or bounced."""

    refund: str
    reason: str


# ---- at the door 上门服务, and what is handed over


@dataclass(frozen=True, slots=True)
class HomeVisitBooked:
    """A squad comes to the applicant between these instants."""

    visit: UUID
    squad: str
    purpose: str
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class HomeVisitReassigned:
    """Another squad, or another time."""

    visit: UUID
    squad: str
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class HomeVisitMade:
    """The squad was there. ``papers_collected``: documents it took along or saw."""

    visit: UUID
    squad: str
    papers_collected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HomeVisitCancelled:
    """Nobody comes after all."""

    visit: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class DeliverableSent:
    """A plan, budget, drawing, contract or invoice went to the applicant."""

    deliverable: str
    way: str
    digest: str


@dataclass(frozen=True, slots=True)
class DeliverableReceived:
    """The applicant (or the mail system) confirmed the receipt of what has that digest."""

    deliverable: str
    digest: str


# ---- pauses 中止


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """Somebody asks that the clock stand from ``happened_at`` on; it does only once a second person approves."""

    pause: int
    reason: str
    evidence_digest: str


@dataclass(frozen=True, slots=True)
class PauseApproved:
    """A second person approved: the clock stood from the pause's start."""

    pause: int


@dataclass(frozen=True, slots=True)
class PauseDeclined:
    """A second person declined: the clock never stood."""

    pause: int


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """The reason fell away: the clock runs from ``happened_at`` on."""

    pause: int


@dataclass(frozen=True, slots=True)
class PauseRevoked:
    """An approved pause should never have been one: the clock ran all the time."""

    pause: int
    reason: str


ConnectionFact = (
    ApplicationReceived
    | CaseRouted
    | OwnerReplaced
    | ApplicantAppeared
    | ApplicationWithdrawn
    | ApplicationRefused
    | DocumentSupplied
    | DocumentRejected
    | OneTimeNoticeGiven
    | FurtherRequestRefused
    | FurtherRequestMade
    | PapersPromised
    | OutstandingDeclined
    | PapersCommitmentBroken
    | PapersCommitmentUpheld
    | PapersCommitmentRepaired
    | ApplicationAdmitted
    | CaseEnded
    | CaseSuspended
    | CaseResumed
    | SurveyMade
    | DesignApproved
    | ApprovedOnSite
    | ConstructionStarted
    | ConstructionCompleted
    | FinalInspectionMade
    | MeterInstalled
    | MeterReplaced
    | WaterTurnedOn
    | UsageClassChanged
    | CustomerChanged
    | CustomerRenamed
    | QuoteIssued
    | ChargeRefused
    | ContractSigned
    | PaymentReceived
    | PaymentReversed
    | RefundMade
    | RefundReversed
    | HomeVisitBooked
    | HomeVisitReassigned
    | HomeVisitMade
    | HomeVisitCancelled
    | DeliverableSent
    | DeliverableReceived
    | PauseRequested
    | PauseApproved
    | PauseDeclined
    | PauseEnded
    | PauseRevoked
    | WindowFact
)
FACTS: tuple[type, ...] = (
    ApplicationReceived,
    CaseRouted,
    OwnerReplaced,
    ApplicantAppeared,
    ApplicationWithdrawn,
    ApplicationRefused,
    DocumentSupplied,
    DocumentRejected,
    OneTimeNoticeGiven,
    FurtherRequestRefused,
    FurtherRequestMade,
    PapersPromised,
    OutstandingDeclined,
    PapersCommitmentBroken,
    PapersCommitmentUpheld,
    PapersCommitmentRepaired,
    ApplicationAdmitted,
    CaseEnded,
    CaseSuspended,
    CaseResumed,
    SurveyMade,
    DesignApproved,
    ApprovedOnSite,
    ConstructionStarted,
    ConstructionCompleted,
    FinalInspectionMade,
    MeterInstalled,
    MeterReplaced,
    WaterTurnedOn,
    UsageClassChanged,
    CustomerChanged,
    CustomerRenamed,
    QuoteIssued,
    ChargeRefused,
    ContractSigned,
    PaymentReceived,
    PaymentReversed,
    RefundMade,
    RefundReversed,
    HomeVisitBooked,
    HomeVisitReassigned,
    HomeVisitMade,
    HomeVisitCancelled,
    DeliverableSent,
    DeliverableReceived,
    PauseRequested,
    PauseApproved,
    PauseDeclined,
    PauseEnded,
    PauseRevoked,
    *WINDOW_FACTS,
)

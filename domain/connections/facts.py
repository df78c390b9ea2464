"""What can happen to a water connection (用水报装), from the first question to water and the last refund."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from domain.kernel.facts import Name, fact
from domain.kernel.subjects import Subject
from domain.metering.meters import MeterDetails

DocumentWay = Literal["upload", "seen", "shared", "verified"]
AdmissionBasis = Literal["office", "papers", "papers-outstanding", "silence"]

STAGES: Mapping[str, Name] = {
    "received": Name("已收件", "received"),
    "notice_given": Name("已一次性告知", "notice given"),
    "admitted": Name("已受理", "admitted"),
    "surveyed": Name("已勘察", "surveyed"),
    "designed": Name("已设计", "designed"),
    "quoted": Name("已报价", "quoted"),
    "contracted": Name("已签约", "contracted"),
    "paid": Name("已缴费", "paid"),
    "under_construction": Name("施工中", "under construction"),
    "constructed": Name("已完工", "constructed"),
    "inspected": Name("验收合格", "inspected"),
    "partly_on": Name("部分通水", "partly on"),
    "water_on": Name("已通水", "water on"),
}
"""The stages of such a case, in order."""

STOPS: Mapping[str, Name] = {
    "suspended": Name("已中止", "suspended"),
    "ended": Name("已终止", "ended"),
    "withdrawn": Name("已撤回", "withdrawn"),
    "refused": Name("不予受理", "refused"),
}
"""What it is at instead of a stage while it stands still, or once it is over."""


# ---- intake 收件, 分类转办


@dataclass(frozen=True, slots=True)
class SupplyPoint:
    """A place that wants water, as billing needs it. ``usage_split``: price class → percent of the use, summing to
    100. ``address_code``: of the utility's own grid, never a door-level address."""

    address_code: str
    usage_split: Mapping[str, int]
    household_size: int | None = None


@fact("收件", "application received", topic="connection", stage="received")
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


@fact("分办", "routed", topic="connection")
class CaseRouted:
    """The application was handed on (转办) to a desk, and one named person answers for it (专人专责)."""

    desk: str
    owner: str


@fact("更换专办人员", "owner replaced", topic="connection")
class OwnerReplaced:
    """Another named person answers for the case from now on."""

    owner: str


@fact("申请人到场", "applicant appeared", topic="connection")
class ApplicantAppeared:
    """The applicant had to come in person. ``purpose``: application, papers, contract, payment, collection, other."""

    place: str
    purpose: str


@fact("撤回申请", "withdrawn", topic="connection")
class ApplicationWithdrawn:
    """The applicant withdrew; nothing is owed any more."""

    reason: str


@fact("不予受理", "refused", topic="connection")
class ApplicationRefused:
    """The utility refused, for a reason of the standard's list, told in writing."""

    reason: str
    document_digest: str


# ---- papers 材料


@fact("提交材料", "document supplied", topic="connection")
class DocumentSupplied:
    """A required document is there, by one of the ways its requirement allows. ``digest``: of an upload."""

    document: str
    way: DocumentWay
    digest: str | None


@fact("退回材料", "document rejected", topic="connection")
class DocumentRejected:
    """A document that was there does not do; ``defect`` is a code of the standard."""

    document: str
    defect: str


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One thing that is missing: a document, and what is wrong with it (``missing`` or another defect)."""

    document: str
    defect: str


@fact("一次性告知", "one-time notice", topic="connection", stage="notice_given")
class OneTimeNoticeGiven:
    """The one-time notice (一次性告知): everything that is missing, named at once."""

    items: tuple[NoticeItem, ...]


@fact("再次补正被拒", "further request refused", topic="connection")
class FurtherRequestRefused:
    """Somebody tried to ask for what could have been named in the one-time notice. Nothing was asked of the applicant;
    the attempt is on record."""

    items: tuple[NoticeItem, ...]


@fact("再次补正", "further request", topic="connection")
class FurtherRequestMade:
    """A later request, for what could not be seen the first time."""

    items: tuple[NoticeItem, ...]


@fact("容缺承诺", "papers promised", topic="connection")
class PapersPromised:
    """The applicant committed in writing (承诺) to supply these papers by the close of that day, and knows what
    follows otherwise. ``consequence``: end or suspend."""

    papers: tuple[str, ...]
    deadline: date
    consequence: Literal["end", "suspend"]
    commitment_digest: str


@fact("不选择容缺", "outstanding declined", topic="connection")
class OutstandingDeclined:
    """The applicant does not want to be admitted with papers outstanding."""


@fact("承诺未兑现", "commitment broken", topic="connection")
class PapersCommitmentBroken:
    """The deadline passed and these promised papers were not in; the applicant is barred until repair or expiry."""

    papers: tuple[str, ...]
    barred_until: datetime


@fact("承诺已兑现（更正）", "commitment upheld", topic="connection")
class PapersCommitmentUpheld:
    """A commitment that was on record as broken was kept after all: the papers were in before the deadline."""


@fact("信用修复", "commitment repaired", topic="connection")
class PapersCommitmentRepaired:
    """The broken commitment was made good (信用修复): the papers were supplied late, and somebody checked it."""

    evidence_digest: str


@fact("受理", "admitted", topic="connection", stage="admitted")
class ApplicationAdmitted:
    """The utility admitted (受理) the application; its 5 working days run from ``happened_at``.

    ``basis``: papers (main and deferrable ones in), papers-outstanding (some may follow), silence (neither notice nor
    admission in time: admitted on the day of receipt), office (before admission had a basis on record).
    """

    basis: AdmissionBasis = "office"
    outstanding: tuple[str, ...] = ()


@fact("终止", "ended", topic="connection")
class CaseEnded:
    """The case ended by a rule, not by a person; ``reason`` names it."""

    reason: str


@fact("中止办理", "suspended", topic="connection")
class CaseSuspended:
    """The case stands still by a rule; nothing is owed meanwhile."""

    reason: str


@fact("恢复办理", "resumed", topic="connection")
class CaseResumed:
    """A suspended or ended case goes on; its working days run anew from here."""

    reason: str


# ---- works 勘察、设计、施工、验收、通水


@fact("勘察", "surveyed", topic="connection", stage="surveyed")
class SurveyMade:
    """A surveyor saw the site (勘察). ``findings``: codes; ``feasible`` False: water cannot be laid there so."""

    feasible: bool
    findings: tuple[str, ...]


@fact("设计审定", "design approved", topic="connection", stage="designed")
class DesignApproved:
    """The connection's design is done and approved."""

    drawing_digest: str


@fact("现场审批", "approved on site", topic="connection", stage="designed")
class ApprovedOnSite:
    """A squad surveyed, designed and approved at the applicant's door (现场审批); construction starts at once."""

    visit: UUID
    squad: str
    drawing_digest: str


@fact("开工", "construction started", topic="connection", stage="under_construction")
class ConstructionStarted:
    """Work began on site."""

    crew: str


@fact("完工", "construction completed", topic="connection", stage="constructed")
class ConstructionCompleted:
    """The pipe is laid."""


@fact("验收", "final inspection", topic="connection")
class FinalInspectionMade:
    """Final inspection (验收). ``passed`` False: ``defects`` must be mended and it is inspected again."""

    passed: bool
    defects: tuple[str, ...]


@fact("装表", "meter installed", topic="connection")
class MeterInstalled:
    """A verified meter is in at a supply point; free of charge."""

    point: int
    meter: MeterDetails


@fact("换表", "meter replaced", topic="connection")
class MeterReplaced:
    """Another verified meter is in at a supply point, in place of ``old_meter``, whose dial showed that at the end.

    ``reason``: the standard's. ``flags``: what is odd about the final reading (final-below-initial)."""

    point: int
    old_meter: str
    final_reading_m3: Decimal
    meter: MeterDetails
    reason: str
    flags: tuple[str, ...] = ()


@fact("通水", "water on", topic="connection")
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


@fact("用水性质变更", "class of use changed", topic="connection")
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


@fact("过户", "customer changed", topic="connection")
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


@fact("更名", "customer renamed", topic="connection")
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


@fact("报价", "quoted", topic="connection", stage="quoted")
class QuoteIssued:
    """A quote (报价) under one version of the catalogue; it replaces an earlier one."""

    quote: int
    catalogue: str
    payer_class: str
    lines: tuple[QuoteLine, ...]


@fact("违规收费被拒", "charge refused", topic="connection")
class ChargeRefused:
    """Somebody tried to charge what the catalogue does not allow. ``charge``: the code asked for; ``banned``: the
    banned name that it is, or is another word for; ``why``: a refusal's code."""

    charge: str
    banned: str | None
    why: str
    amount_fen: int | None
    catalogue: str


@fact("签订合同", "contract signed", topic="connection", stage="contracted")
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


@fact("缴费", "paid", topic="connection")
class PaymentReceived:
    """Money came in on lines of the quote. ``payment``: the cashier's or platform's own number."""

    payment: str
    lines: tuple[MoneyLine, ...]


@fact("缴费冲正", "payment reversed", topic="connection")
class PaymentReversed:
    """A payment was entered in error or bounced (冲正): all its lines fall away."""

    payment: str
    reason: str


@fact("退款", "refunded", topic="connection")
class RefundMade:
    """Money went back, never more than was paid on the line."""

    refund: str
    lines: tuple[MoneyLine, ...]


@fact("退款冲正", "refund reversed", topic="connection")
class RefundReversed:
    """A refund was entered in error or bounced."""

    refund: str
    reason: str


# ---- at the door 上门服务, and what is handed over


@fact("预约上门", "visit booked", topic="connection")
class HomeVisitBooked:
    """A squad comes to the applicant between these instants."""

    visit: UUID
    squad: str
    purpose: str
    begin: datetime
    end: datetime


@fact("改派上门", "visit reassigned", topic="connection")
class HomeVisitReassigned:
    """Another squad, or another time."""

    visit: UUID
    squad: str
    begin: datetime
    end: datetime


@fact("上门服务", "visit made", topic="connection")
class HomeVisitMade:
    """The squad was there. ``papers_collected``: documents it took along or saw."""

    visit: UUID
    squad: str
    papers_collected: tuple[str, ...]


@fact("取消上门", "visit cancelled", topic="connection")
class HomeVisitCancelled:
    """Nobody comes after all."""

    visit: UUID
    reason: str


@fact("送达文件", "deliverable sent", topic="connection")
class DeliverableSent:
    """A plan, budget, drawing, contract or invoice went to the applicant."""

    deliverable: str
    way: str
    digest: str


@fact("签收文件", "deliverable received", topic="connection")
class DeliverableReceived:
    """The applicant (or the mail system) confirmed the receipt of what has that digest."""

    deliverable: str
    digest: str


# ---- pauses 中止


@fact("申请中止", "pause requested", topic="connection")
class PauseRequested:
    """Somebody asks that the clock stand from ``happened_at`` on; it does only once a second person approves."""

    pause: int
    reason: str
    evidence_digest: str


@fact("批准中止", "pause approved", topic="connection")
class PauseApproved:
    """A second person approved: the clock stood from the pause's start."""

    pause: int


@fact("不予中止", "pause declined", topic="connection")
class PauseDeclined:
    """A second person declined: the clock never stood."""

    pause: int


@fact("中止结束", "pause ended", topic="connection")
class PauseEnded:
    """The reason fell away: the clock runs from ``happened_at`` on."""

    pause: int


@fact("撤销中止", "pause revoked", topic="connection")
class PauseRevoked:
    """An approved pause should never have been one: the clock ran all the time."""

    pause: int
    reason: str

"""What can happen to a water connection (用水报装), from the first question to water and the last refund."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from domain.kernel.facts import Name, fact
from domain.kernel.fields import (
    CaseNumber,
    CrewCode,
    Digest,
    DocumentDigest,
    Flags,
    PauseNumber,
    PointNumber,
    ReasonCode,
    SecondPerson,
    SquadCode,
    VisitId,
    Way,
)
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

    address_code: Annotated[str, "Place in the utility's own grid; never a door."]
    usage_split: Annotated[Mapping[str, int], "Price class → percent of the use; the percents sum to 100."]
    household_size: Annotated[
        int | None, "Persons in the household; null where it is no household or is not known."
    ] = None


@fact("收件", "application received", topic="connection", stage="received")
class ApplicationReceived:
    """An application came in, on the one form, over whichever channel; the 5 working days do not run yet.

    ``applicant``: the pseudonym of the person or body across applications (keyed, not reversible from outside).
    ``declined_outstanding``: the applicant does not want to be admitted with papers outstanding.
    """

    case_number: CaseNumber
    category: Annotated[str, "Category of the applicant, as a code of the standard."]
    supply_points: Annotated[int, "How many places want water."]
    subject: Annotated[Subject, "Reference to the person in the vault; the particulars themselves are in no event."]
    points: Annotated[
        tuple[SupplyPoint, ...],
        "The places that want water, in order of their numbers; empty in events from before they were told.",
    ] = ()
    applicant: Annotated[
        UUID | None,
        "Pseudonym of the applicant, the same in each of their cases; null in events from before there was one.",
    ] = None
    barred: Annotated[bool, "Whether a broken promise of papers bars the applicant from promising papers again."] = (
        False
    )
    declined_outstanding: Annotated[bool, "Whether the applicant wants no papers outstanding."] = False
    consultation: Annotated[UUID | None, "Id of the consultation before it; null where there was none."] = None
    claimed_at: Annotated[
        datetime | None,
        "When the applicant says that it was handed in, where that is earlier than we received it; null elsewhere.",
    ] = None
    flags: Flags = ()
    confirmed_by: SecondPerson = None
    district: Annotated[str | None, "Code of the district that the places lie in; null where it was not told."] = None


@fact("分办", "routed", topic="connection")
class CaseRouted:
    """The application was handed on (转办) to a desk, and one named person answers for it (专人专责)."""

    desk: Annotated[str, "Code of the desk."]
    owner: Annotated[str, "Actor id of who answers for the case."]


@fact("更换专办人员", "owner replaced", topic="connection")
class OwnerReplaced:
    """Another named person answers for the case from now on."""

    owner: Annotated[str, "Actor id of who answers for the case."]


@fact("申请人到场", "applicant appeared", topic="connection")
class ApplicantAppeared:
    """The applicant had to come in person. ``purpose``: application, papers, contract, payment, collection, other."""

    place: Annotated[str, "Where the applicant had to come."]
    purpose: Annotated[str, "What for: application, papers, contract, payment, collection or other."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("撤回申请", "withdrawn", topic="connection")
class ApplicationWithdrawn:
    """The applicant withdrew; nothing is owed any more."""

    reason: ReasonCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("不予受理", "refused", topic="connection")
class ApplicationRefused:
    """The utility refused, for a reason of the standard's list, told in writing."""

    reason: ReasonCode
    document_digest: DocumentDigest
    flags: Flags = ()
    confirmed_by: SecondPerson = None


# ---- papers 材料


@fact("提交材料", "document supplied", topic="connection")
class DocumentSupplied:
    """A required document is there, by one of the ways its requirement allows. ``digest``: of an upload."""

    document: Annotated[str, "Code of the document."]
    way: Annotated[
        DocumentWay, "How the document came: upload, seen at the counter, shared by another office, or verified there."
    ]
    digest: Annotated[str | None, "SHA-256 of the file or the words, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("退回材料", "document rejected", topic="connection")
class DocumentRejected:
    """A document that was there does not do; ``defect`` is a code of the standard."""

    document: Annotated[str, "Code of the document."]
    defect: Annotated[str, "What is wrong, as a code of the standard."]


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One thing that is missing: a document, and what is wrong with it (``missing`` or another defect)."""

    document: Annotated[str, "Code of the document."]
    defect: Annotated[str, "What is wrong, as a code of the standard."]


@fact("一次性告知", "one-time notice", topic="connection", stage="notice_given")
class OneTimeNoticeGiven:
    """The one-time notice (一次性告知): everything that is missing, named at once."""

    items: Annotated[tuple[NoticeItem, ...], "Everything that is missing or wrong."]


@fact("再次补正被拒", "further request refused", topic="connection")
class FurtherRequestRefused:
    """Somebody tried to ask for what could have been named in the one-time notice. Nothing was asked of the applicant;
    the attempt is on record."""

    items: Annotated[tuple[NoticeItem, ...], "What was asked for and had to be asked the first time."]


@fact("再次补正", "further request", topic="connection")
class FurtherRequestMade:
    """A later request, for what could not be seen the first time."""

    items: Annotated[tuple[NoticeItem, ...], "What could not be seen the first time."]


@fact("容缺承诺", "papers promised", topic="connection")
class PapersPromised:
    """The applicant committed in writing (承诺) to supply these papers by the close of that day, and knows what
    follows otherwise. ``consequence``: end or suspend."""

    papers: Annotated[tuple[str, ...], "Codes of the papers that are supplied later."]
    deadline: Annotated[date, "Day by which the papers are there."]
    consequence: Annotated[
        Literal["end", "suspend"], "What happens where they are not: the case ends, or it is suspended."
    ]
    commitment_digest: Annotated[str, "SHA-256 of the signed promise, as sha256: and 64 hex digits."]


@fact("不选择容缺", "outstanding declined", topic="connection")
class OutstandingDeclined:
    """The applicant does not want to be admitted with papers outstanding."""


@fact("承诺未兑现", "commitment broken", topic="connection")
class PapersCommitmentBroken:
    """The deadline passed and these promised papers were not in; the applicant is barred until repair or expiry."""

    papers: Annotated[tuple[str, ...], "Codes of the papers that were not supplied."]
    barred_until: Annotated[datetime, "Until when the applicant may not promise papers again."]


@fact("承诺已兑现（更正）", "commitment upheld", topic="connection")
class PapersCommitmentUpheld:
    """A commitment that was on record as broken was kept after all: the papers were in before the deadline."""


@fact("信用修复", "commitment repaired", topic="connection")
class PapersCommitmentRepaired:
    """The broken commitment was made good (信用修复): the papers were supplied late, and somebody checked it."""

    evidence_digest: Annotated[str, "SHA-256 of the proof, as sha256: and 64 hex digits."]


@fact("受理", "admitted", topic="connection", stage="admitted")
class ApplicationAdmitted:
    """The utility admitted (受理) the application; its 5 working days run from ``happened_at``.

    ``basis``: papers (main and deferrable ones in), papers-outstanding (some may follow), silence (neither notice nor
    admission in time: admitted on the day of receipt), office (before admission had a basis on record).
    """

    basis: Annotated[
        AdmissionBasis, "Why it is admitted: the office, complete papers, papers outstanding, or silence."
    ] = "office"
    outstanding: Annotated[tuple[str, ...], "Codes of the papers that are supplied later."] = ()


@fact("终止", "ended", topic="connection")
class CaseEnded:
    """The case ended by a rule, not by a person; ``reason`` names it."""

    reason: Annotated[str, "Why the case ended, as a code."]


@fact("中止办理", "suspended", topic="connection")
class CaseSuspended:
    """The case stands still by a rule; nothing is owed meanwhile."""

    reason: Annotated[str, "Why the case is suspended, as a code."]


@fact("恢复办理", "resumed", topic="connection")
class CaseResumed:
    """A suspended or ended case goes on; its working days run anew from here."""

    reason: Annotated[str, "Why the case goes on, as a code."]


# ---- works 勘察、设计、施工、验收、通水


@fact("勘察", "surveyed", topic="connection", stage="surveyed")
class SurveyMade:
    """A surveyor saw the site (勘察). ``findings``: codes; ``feasible`` False: water cannot be laid there so."""

    feasible: Annotated[bool, "Whether the site can be supplied."]
    findings: Annotated[tuple[str, ...], "What the survey found, as codes of the standard."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("设计审定", "design approved", topic="connection", stage="designed")
class DesignApproved:
    """The connection's design is done and approved."""

    drawing_digest: Annotated[str, "SHA-256 of the drawing, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("现场审批", "approved on site", topic="connection", stage="designed")
class ApprovedOnSite:
    """A squad surveyed, designed and approved at the applicant's door (现场审批); construction starts at once."""

    visit: VisitId
    squad: SquadCode
    drawing_digest: Annotated[str, "SHA-256 of the drawing, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("开工", "construction started", topic="connection", stage="under_construction")
class ConstructionStarted:
    """Work began on site."""

    crew: CrewCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("完工", "construction completed", topic="connection", stage="constructed")
class ConstructionCompleted:
    """The pipe is laid."""

    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("验收", "final inspection", topic="connection")
class FinalInspectionMade:
    """Final inspection (验收). ``passed`` False: ``defects`` must be mended and it is inspected again."""

    passed: Annotated[bool, "Whether it passed."]
    defects: Annotated[tuple[str, ...], "What is wrong, as codes of the standard; empty where it passed."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("装表", "meter installed", topic="connection")
class MeterInstalled:
    """A verified meter is in at a supply point; free of charge."""

    point: PointNumber
    meter: Annotated[MeterDetails, "The meter that went in."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("水表检定", "meter verified again", topic="connection")
class MeterVerified:
    """The meter that is in was verified again, or its Q3 became known; free of charge."""

    point: PointNumber
    meter: Annotated[str, "Number of the meter that is in."]
    verified_on: Annotated[date, "Day of the verification."]
    expires_on: Annotated[date, "Day on which the verification ends."]
    q3_m3h: Annotated[Decimal | None, "Permanent flow rate Q3 in m³/h; null where it is not recorded."] = None
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("换表", "meter replaced", topic="connection")
class MeterReplaced:
    """Another verified meter is in at a supply point, in place of ``old_meter``, whose dial showed that at the end.

    ``reason``: the standard's. ``flags``: what is odd about the final reading (final-below-initial)."""

    point: PointNumber
    old_meter: Annotated[str, "Number of the meter that was taken out."]
    final_reading_m3: Annotated[Decimal, "Last reading of the meter that was taken out, in m³."]
    meter: Annotated[MeterDetails, "The meter that went in instead."]
    reason: ReasonCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("通水", "water on", topic="connection")
class WaterTurnedOn:
    """Water flows at one supply point (通水), measured by that meter; billing opens an account."""

    point: PointNumber
    subject: Annotated[Subject, "Reference to the person in the vault; the particulars themselves are in no event."]
    meter: Annotated[MeterDetails, "The meter at the supply point."]
    contract: Annotated[str | None, "Number of the contract; null where there is none yet."] = None
    address_code: Annotated[str | None, "Place in the utility's own grid; never a door."] = None
    usage_split: Annotated[Mapping[str, int], "Price class → percent of the use; the percents sum to 100."] = field(
        default_factory=dict
    )
    household_size: Annotated[
        int | None, "Persons in the household; null where it is no household or is not known."
    ] = None
    price_version: Annotated[
        str | None,
        "Version of the water prices that hold at the supply point; null in events from before prices had versions.",
    ] = None
    flags: Flags = ()
    confirmed_by: SecondPerson = None


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

    change: Annotated[int, "Number of the change of the supply point's class, from 1."]
    point: PointNumber
    usage_split: Annotated[Mapping[str, int], "Price class → percent of the use; the percents sum to 100."]
    household_size: Annotated[int | None, "Persons in the household; null where it is no household or is not known."]
    old_split: Annotated[Mapping[str, int], "Price class → percent of the use before."]
    price_version: Annotated[
        str | None,
        "Version of the water prices that hold at the supply point; null in events from before prices had versions.",
    ]
    effective_at: Annotated[datetime, "From when on it holds."]
    reading_m3: Annotated[
        Decimal | None, "Reading of the dial at that instant, in m³; null where the meter was not read."
    ]
    reason: ReasonCode
    document_digest: DocumentDigest
    flags: Flags = ()


@fact("过户", "customer changed", topic="connection")
class CustomerChanged:
    """A supply point has another customer from ``effective_at`` on (过户), under a contract of their own.

    ``change``: as in UsageClassChanged. ``customer``: the new one's pseudonym across cases, as ``applicant`` is in
    ApplicationReceived. ``reading_m3``: what the dial showed at the hand-over; use before it is the old customer's.
    ``reason``: the standard's; ``document_digest``: of what proves the right. ``flags``: as in UsageClassChanged.
    """

    change: Annotated[int, "Number of the change of the supply point's customer, from 1."]
    point: PointNumber
    subject: Annotated[Subject, "Reference to the person in the vault; the particulars themselves are in no event."]
    customer: Annotated[UUID, "Pseudonym of the new customer."]
    old_subject: Annotated[Subject, "Reference to the customer before, in the vault."]
    contract: Annotated[str, "Number of the contract."]
    effective_at: Annotated[datetime, "From when on it holds."]
    reading_m3: Annotated[Decimal, "Reading of the dial at that instant, in m³."]
    reason: ReasonCode
    document_digest: DocumentDigest
    flags: Flags = ()


@fact("更名", "customer renamed", topic="connection")
class CustomerRenamed:
    """The customer of these supply points has another name (更名): the same one, contract and account go on.

    ``subject``: with the revision in which the vault has the new name. ``document_digest``: of what proves it.
    """

    change: Annotated[int, "Number of the change of the supply point's customer, from 1."]
    points: Annotated[tuple[int, ...], "Numbers of the supply points of that customer."]
    subject: Annotated[Subject, "Reference to the person in the vault; the particulars themselves are in no event."]
    document_digest: DocumentDigest


# ---- charges 费用: all amounts are fen (分)


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One fee of the catalogue, for a quantity of its unit; ``amount_fen`` half-up, capped."""

    fee: Annotated[str, "Code of the fee."]
    quantity: Annotated[Decimal, "How many units."]
    amount_fen: Annotated[int, "Amount in fen."]


@fact("报价", "quoted", topic="connection", stage="quoted")
class QuoteIssued:
    """A quote (报价) under one version of the catalogue; it replaces an earlier one."""

    quote: Annotated[int, "Number of the quote in its case, from 1."]
    catalogue: Annotated[str, "Version of the fee catalogue that the quote follows."]
    payer_class: Annotated[str, "Class of who pays, as a code."]
    lines: Annotated[tuple[QuoteLine, ...], "The fees of the quote."]


@fact("违规收费被拒", "charge refused", topic="connection")
class ChargeRefused:
    """Somebody tried to charge what the catalogue does not allow. ``charge``: the code asked for; ``banned``: the
    banned name that it is, or is another word for; ``why``: a refusal's code."""

    charge: Annotated[str, "Code of the charge that was asked for."]
    banned: Annotated[str | None, "The banned charge that it is, or is another word for; null where it is none."]
    why: Annotated[str, "Code of the refusal."]
    amount_fen: Annotated[int | None, "The amount that was asked for, in fen; null where none was named."]
    catalogue: Annotated[str, "Version of the fee catalogue that it was asked under."]


@fact("签订合同", "contract signed", topic="connection", stage="contracted")
class ContractSigned:
    """The contract (合同) for supply was signed."""

    contract: Annotated[str, "Number of the contract."]
    quote: Annotated[int, "Number of the quote in its case, from 1."]
    digest: Digest


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """Money on one line of the quote."""

    fee: Annotated[str, "Code of the fee."]
    amount_fen: Annotated[int, "Amount in fen."]


@fact("缴费", "paid", topic="connection")
class PaymentReceived:
    """Money came in on lines of the quote. ``payment``: the cashier's or platform's own number."""

    payment: Annotated[str, "Its own number."]
    lines: Annotated[tuple[MoneyLine, ...], "What was paid for each fee."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("缴费冲正", "payment reversed", topic="connection")
class PaymentReversed:
    """A payment was entered in error or bounced (冲正): all its lines fall away."""

    payment: Annotated[str, "Its own number."]
    reason: ReasonCode
    confirmed_by: SecondPerson = None


@fact("退款", "refunded", topic="connection")
class RefundMade:
    """Money went back, never more than was paid on the line."""

    refund: Annotated[str, "Its own number."]
    lines: Annotated[tuple[MoneyLine, ...], "What was refunded of each fee."]
    confirmed_by: SecondPerson = None


@fact("退款冲正", "refund reversed", topic="connection")
class RefundReversed:
    """A refund was entered in error or bounced."""

    refund: Annotated[str, "Its own number."]
    reason: ReasonCode
    confirmed_by: SecondPerson = None


# ---- at the door 上门服务, and what is handed over


@fact("预约上门", "visit booked", topic="connection")
class HomeVisitBooked:
    """A squad comes to the applicant between these instants."""

    visit: VisitId
    squad: SquadCode
    purpose: Annotated[str, "What the squad comes for, as a code of the standard."]
    begin: Annotated[datetime, "Beginning of the time in which the squad comes."]
    end: Annotated[datetime, "End of the time in which the squad comes."]


@fact("改派上门", "visit reassigned", topic="connection")
class HomeVisitReassigned:
    """Another squad, or another time."""

    visit: VisitId
    squad: SquadCode
    begin: Annotated[datetime, "Beginning of the time in which the squad comes."]
    end: Annotated[datetime, "End of the time in which the squad comes."]


@fact("上门服务", "visit made", topic="connection")
class HomeVisitMade:
    """The squad was there. ``papers_collected``: documents it took along or saw."""

    visit: VisitId
    squad: SquadCode
    papers_collected: Annotated[tuple[str, ...], "Codes of the papers that the squad took along."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("取消上门", "visit cancelled", topic="connection")
class HomeVisitCancelled:
    """Nobody comes after all."""

    visit: VisitId
    reason: ReasonCode


@fact("送达文件", "deliverable sent", topic="connection")
class DeliverableSent:
    """A plan, budget, drawing, contract or invoice went to the applicant."""

    deliverable: Annotated[str, "Code of what is handed over, for example plan, budget, drawings, contract or invoice."]
    way: Way
    digest: Digest
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("签收文件", "deliverable received", topic="connection")
class DeliverableReceived:
    """The applicant (or the mail system) confirmed the receipt of what has that digest."""

    deliverable: Annotated[str, "Code of what is handed over, for example plan, budget, drawings, contract or invoice."]
    digest: Digest
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("文书已发送", "paper sent", topic="connection")
class PaperSent:
    """The program sent the applicant a message with the link to a paper (文书), and its way took it.

    ``digest``: of the paper's words, which stands on the paper too. Whom it went to, and the link, are in no event."""

    paper: Annotated[str, "Kind of the paper, for example one-time-notice, acceptance, refusal, quote or contract."]
    number: Annotated[int, "Which one of its kind in the case, from 1."]
    event_id: Annotated[UUID, "Id of the event that the paper follows from."]
    digest: Digest
    way: Way
    receipt: Annotated[str, "The way's own receipt."]
    status: Annotated[str, "What the way says of the delivery, as its own code."]
    proof_digest: Annotated[str, "SHA-256 of the way's whole answer, as sha256: and 64 hex digits."]


@fact("文书未送达", "paper not sent", topic="connection")
class PaperNotSent:
    """The message with a paper was given up, for ``reason``: the paper is to be handed over otherwise."""

    paper: Annotated[str, "Kind of the paper, for example one-time-notice, acceptance, refusal, quote or contract."]
    number: Annotated[int, "Which one of its kind in the case, from 1."]
    event_id: Annotated[UUID, "Id of the event that the paper follows from."]
    way: Way
    reason: Annotated[str, "Why, as the sender's code."]


# ---- pauses 中止


@fact("申请中止", "pause requested", topic="connection")
class PauseRequested:
    """Somebody asks that the clock stand from ``happened_at`` on; it does only once a second person approves."""

    pause: PauseNumber
    reason: ReasonCode
    evidence_digest: Annotated[str, "SHA-256 of the proof, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("批准中止", "pause approved", topic="connection")
class PauseApproved:
    """A second person approved: the clock stood from the pause's start."""

    pause: PauseNumber


@fact("不予中止", "pause declined", topic="connection")
class PauseDeclined:
    """A second person declined: the clock never stood."""

    pause: PauseNumber


@fact("中止结束", "pause ended", topic="connection")
class PauseEnded:
    """The reason fell away: the clock runs from ``happened_at`` on."""

    pause: PauseNumber
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("撤销中止", "pause revoked", topic="connection")
class PauseRevoked:
    """An approved pause should never have been one: the clock ran all the time."""

    pause: PauseNumber
    reason: ReasonCode

"""What the rules of connections refuse: a class for each refusal, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.kernel.refusals import ASKING, Conflict, NoSuchCase, NotAcceptable, NotFound, Repeated, UnknownCode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence, ValuesView
    from datetime import date, datetime
    from uuid import UUID

    from domain.connections.case import Connection, Interruption, Pause, Visit
    from domain.connections.facts import ContractSigned, MoneyLine, QuoteLine
    from domain.connections.intake import Form, Supplied
    from domain.kernel.facts import Moment
    from domain.metering.meters import MeterDetails
    from domain.metering.verification import Verification
    from domain.standard.context import CommandContext
    from domain.standard.standards import Standard


class AlreadyAdmitted(Conflict):
    """The application is admitted already."""

    title_zh = "该申请已受理"
    needed = "an application that is not admitted yet"
    next_step = "nothing to do: its limit runs"
    next_step_zh = "已受理，时限已开始计算"

    def __init__(self, case: Connection, admitted: Moment) -> None:
        super().__init__(found=f"application {case.number} admitted at {admitted.at.isoformat()}")


class NotAdmitted(Conflict):
    """The application is not admitted."""

    title_zh = "该申请尚未受理"
    needed = "an admitted application"
    next_step = "supply the main papers: the application is then admitted by itself"
    next_step_zh = "请补齐主要材料，材料齐全即自动受理"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number} is not admitted")


class AlreadyOn(Conflict):
    """The supply point has water already."""

    title_zh = "该用水点已通水"
    needed = "a supply point without water"
    next_step = "nothing to do"
    next_step_zh = "该用水点已通水"

    def __init__(self, point: int, case: Connection) -> None:
        super().__init__(found=f"supply point {case.number}/{point} has water since {case.on[point].at.isoformat()}")


class NoSuchSupplyPoint(NotFound):
    """No such supply point."""

    title_zh = "没有该用水点"
    next_step = "check the supply point's number"
    next_step_zh = "请核对用水点编号"


class SupplyPointsOutOfRange(NotAcceptable):
    """Number of supply points out of range."""

    title_zh = "用水点数量超出范围"
    next_step = "split the application"
    next_step_zh = "请拆分申请"

    def __init__(self, form: Form, standard: Standard) -> None:
        super().__init__(found=str(form.supply_points), needed=f"1 to {standard.connection.max_supply_points}")


class MeterNotVerified(NotAcceptable):
    """The meter has no valid verification."""

    title_zh = "水表检定不在有效期内"
    next_step = "fit a meter with a valid verification"
    next_step_zh = "请更换检定有效期内的水表"

    def __init__(self, meter: MeterDetails, day: date, found: Verification) -> None:
        size = f"DN {meter.dn_mm}" + (f", Q3 {meter.q3_m3h:f} m³/h" if meter.q3_m3h is not None else "")
        super().__init__(
            found=f"meter {meter.number} {size}, verified {meter.verified_on}, expires {meter.expires_on}",
            needed=f"a verification valid on {day}, at most {found.years} years old: until {found.until} at the latest",
            next_step=f"record the meter's Q3, or {self.next_step}" if found.q3_missing else None,
            next_step_zh=f"请登记水表的常用流量 Q3，或{self.next_step_zh[1:]}" if found.q3_missing else None,
        )


class MeterToBeReplaced(Conflict):
    """Such a meter is verified once, and then replaced."""

    title_zh = "该水表只作首次检定，到期须更换"
    needed = "a meter that may be verified again: a large one by the standard's periods"
    next_step = "replace the meter; if its Q3 is larger, record it"
    next_step_zh = "请更换水表；如常用流量 Q3 较大，请登记 Q3"

    def __init__(self, meter: MeterDetails) -> None:
        size = f"DN {meter.dn_mm}" + (f", Q3 {meter.q3_m3h:f} m³/h" if meter.q3_m3h is not None else "")
        super().__init__(found=f"meter {meter.number} {size}")


class VerificationUnchanged(Conflict):
    """The verification is on record already."""

    title_zh = "该检定已登记"
    needed = "another verification, or another Q3"
    next_step = "nothing is to be done"
    next_step_zh = "该检定已登记，无需操作"

    def __init__(self, meter: MeterDetails) -> None:
        super().__init__(found=f"meter {meter.number}, verified {meter.verified_on}, expires {meter.expires_on}")


class UnknownReplacementReason(UnknownCode):
    """Not a reason to replace a meter."""

    title_zh = "不是换表原因"


class UnknownTopic(UnknownCode):
    """Unknown topic."""

    title_zh = "未知的咨询事项"


class UnknownPreservice(UnknownCode):
    """Unknown service ahead of building."""

    title_zh = "未知的前置服务"


class UnknownDeliverable(UnknownCode):
    """Unknown deliverable."""

    title_zh = "未知的交付资料"


class CompaniesOnly(NotAcceptable):
    """For companies only."""

    title_zh = "仅面向企业和单位"
    next_step = "record a consultation instead"
    next_step_zh = "服务前置面向企业和单位，个人请登记技术咨询"

    def __init__(self, category: str, companies: list[str]) -> None:
        super().__init__(found=f"category {category}", needed="one of " + ", ".join(companies))


class AlreadyGiven(Conflict):
    """It was given already."""

    title_zh = "该资料已提供"
    needed = "something that was not given yet"
    next_step = "nothing is to be done"
    next_step_zh = "该资料已提供，无需操作"

    def __init__(self, deliverable: str) -> None:
        super().__init__(found=f"a {deliverable} with this digest, which was given")


class CaseStopped(Conflict):
    """The case is stopped."""

    title_zh = "案件已终止或暂停"
    needed = "an application that is under way"

    def __init__(self, case: Connection, stop: Interruption) -> None:
        super().__init__(
            found=f"application {case.number} stopped at {stop.since.at.isoformat()}: {stop.reason}",
            next_step="receive a new application" if stop.final else "supply the promised papers, then it goes on",
            next_step_zh="请重新申请" if stop.final else "请补交承诺材料后继续办理",
        )


class AllOn(Conflict):
    """Every supply point has water."""

    title_zh = "已全部通水"
    needed = "an application that is still under way"
    next_step = "nothing to do"
    next_step_zh = "已全部通水，无需操作"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, whose supply points all have water")


class WaterIsOn(Conflict):
    """Water is on at a supply point."""

    title_zh = "已有用水点通水"
    needed = "an application without water yet"
    next_step = "finish the other supply points"
    next_step_zh = "已有用水点通水，请继续办理其余用水点"

    def __init__(self, case: Connection) -> None:
        super().__init__(
            found=f"application {case.number} with water at {len(case.on)} of {case.supply_points} supply points"
        )


class OwnerUnchanged(Conflict):
    """The same person answers for the case already."""

    title_zh = "经办人未变"
    needed = "somebody else"
    next_step = "nothing to do"
    next_step_zh = "经办人未变，无需操作"

    def __init__(self, owner: str, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, which {owner} answers for")


class DocumentIn(Conflict):
    """The document is in already."""

    title_zh = "该材料已提交"
    needed = "a document that is not in"
    next_step = "nothing to do; reject it first where it does not do"
    next_step_zh = "该材料已提交，无需重复；如不合格请先退回"

    def __init__(self, document: str, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, which has {document}")


class DocumentNotIn(Conflict):
    """The document is not in."""

    title_zh = "该材料尚未提交"
    needed = "a document that is in"
    next_step = "name it in the one-time notice"
    next_step_zh = "该材料尚未提交，请列入一次性告知"

    def __init__(self, document: str, case: Connection) -> None:
        super().__init__(found=f"application {case.number} without {document}")


class NoticeGiven(Conflict):
    """The one-time notice was given already."""

    title_zh = "一次性告知已出具"
    needed = "an application without a notice"
    next_step = "ask further only for what could not be seen then"
    next_step_zh = "一次性告知已出具；仅可就当时无法发现的事项再行告知"

    def __init__(self, case: Connection, given: Moment) -> None:
        super().__init__(found=f"application {case.number}, whose notice was given at {given.at.isoformat()}")


class NothingMissing(Conflict):
    """Nothing is missing."""

    title_zh = "材料齐全"
    needed = "something that is missing"
    next_step = "nothing to do"
    next_step_zh = "材料齐全，无需告知"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, of which nothing is to be named")


class NothingLookedAt(Conflict):
    """Nobody looked at the papers yet."""

    title_zh = "尚未受理或告知"
    needed = "a notice or an admission before it"
    next_step = "give the one-time notice"
    next_step_zh = "请先出具一次性告知"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, neither admitted nor given its notice")


class AlreadyAsked(Conflict):
    """It was asked for already."""

    title_zh = "此前已告知"
    needed = "something that was not named"
    next_step = "nothing to do: remind the applicant of it"
    next_step_zh = "此前已一次性告知，提醒申请人补交即可"

    def __init__(self, repeated: list[str]) -> None:
        super().__init__(found=f"{', '.join(repeated)}, named in the notice or at the admission already")


class Barred(Conflict):
    """An earlier broken commitment bars the applicant."""

    title_zh = "存在未修复的失信承诺"
    needed = "nothing broken, or a repair, or the end of the bar"
    next_step = "supply all papers, or repair the earlier commitment first"
    next_step_zh = "存在未修复的失信承诺：请一次交齐材料，或先行信用修复"

    def __init__(self, case: Connection) -> None:
        super().__init__(
            found=f"the applicant of {case.number} has an earlier commitment that was broken and is not repaired"
        )


class OutstandingIsDeclined(Conflict):
    """The applicant wants no papers outstanding."""

    code = "outstanding-declined"
    title_zh = "申请人不选择容缺受理"
    needed = "an applicant who wants it"
    next_step = "supply all papers"
    next_step_zh = "申请人不选择容缺受理，请交齐材料"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"the applicant of {case.number} declined admission with papers outstanding")


class CommitmentRunning(Conflict):
    """A commitment is running."""

    title_zh = "已有容缺承诺"
    next_step = "supply what was promised"


class CommitmentNotBroken(Conflict):
    """No commitment was broken."""

    title_zh = "没有失信承诺"
    needed = "a commitment that was broken"
    next_step = "nothing to do"
    next_step_zh = "没有失信承诺，无需修复"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number} without a broken commitment")


class CommitmentRepaired(Conflict):
    """The commitment is repaired already."""

    title_zh = "信用已修复"
    needed = "a commitment that is not repaired"
    next_step = "nothing to do"
    next_step_zh = "信用已修复，无需重复办理"

    def __init__(self, case: Connection, repaired: Moment) -> None:
        super().__init__(found=f"application {case.number}, repaired at {repaired.at.isoformat()}")


class PapersMissing(Conflict):
    """Papers are missing."""

    title_zh = "材料不齐"
    needed = "these papers"
    next_step = "supply them by one of the ways that they allow"
    next_step_zh = "请先补交所缺材料"

    def __init__(self, case: Connection, documents: Iterable[str]) -> None:
        super().__init__(found=f"application {case.number} without {', '.join(documents)}")


class NotStopped(Conflict):
    """The case is under way."""

    title_zh = "案件正在办理"
    needed = "a case that is suspended, or ended by a broken commitment"
    next_step = "nothing to do"
    next_step_zh = "案件正在办理，无需恢复"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, which is under way")


class NotSurveyed(Conflict):
    """The site is not surveyed."""

    title_zh = "尚未勘察"
    needed = "a survey that found it feasible"
    next_step = "survey the site first"
    next_step_zh = "请先现场勘察"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number} without a survey")


class NotFeasible(Conflict):
    """Water cannot be laid there so."""

    title_zh = "现场不具备接水条件"
    needed = "a survey that found it feasible"
    next_step = "survey again, or refuse the application with its reason"
    next_step_zh = "请复勘，或按规定说明理由不予受理"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, whose survey found that water cannot be laid so")


class NotDesigned(Conflict):
    """The design is not approved."""

    title_zh = "设计未审批"
    needed = "an approved design, or approval on site"
    next_step = "have the design approved first"
    next_step_zh = "请先完成设计审批"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number} without an approved design")


class VisitOver(Conflict):
    """The visit is over."""

    title_zh = "该上门已结束"
    next_step = "book another visit"
    next_step_zh = "该上门已结束，请另行预约"


class OtherSquad(Conflict):
    """Another squad has the visit."""

    title_zh = "该上门由其他专班负责"
    needed = "the squad of the visit"
    next_step = "reassign the visit first"
    next_step_zh = "该上门由其他专班负责，请先改派"

    def __init__(self, squad: str, booked: Visit) -> None:
        super().__init__(found=f"{squad}, while {booked.squad} has the visit")


class VisitUnchanged(Conflict):
    """The visit stands as it is."""

    title_zh = "上门安排未变"
    needed = "another squad or another time"
    next_step = "nothing to do"
    next_step_zh = "专班与时间均未变，无需改派"

    def __init__(self, visit: UUID, squad: str) -> None:
        super().__init__(found=f"visit {visit} by {squad} at the same time")


class ConstructionHasStarted(Conflict):
    """Work has begun already."""

    code = "construction-started"
    title_zh = "已开工"
    needed = "an application where no work has begun"
    next_step = "nothing to do"
    next_step_zh = "已开工，无需重复办理"

    def __init__(self, case: Connection, started: Moment) -> None:
        super().__init__(found=f"application {case.number}, where work began at {started.at.isoformat()}")


class ConstructionNotStarted(Conflict):
    """Work has not begun."""

    title_zh = "尚未开工"
    needed = "construction under way"
    next_step = "start construction first"
    next_step_zh = "请先开工"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, where no work has begun")


class ConstructionIsCompleted(Conflict):
    """The pipe is laid already."""

    code = "construction-completed"
    title_zh = "已完工"
    needed = "construction under way"
    next_step = "have it inspected"
    next_step_zh = "已完工，请组织验收"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, whose pipe is laid")


class ConstructionNotCompleted(Conflict):
    """The pipe is not laid."""

    title_zh = "尚未完工"
    needed = "completed construction"
    next_step = "complete construction first"
    next_step_zh = "请先完工"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, whose pipe is not laid")


class AlreadyInspected(Conflict):
    """The inspection was passed already."""

    title_zh = "验收已合格"
    needed = "an inspection that is still to be passed"
    next_step = "nothing to do: install the meter and turn water on"
    next_step_zh = "验收已合格，请装表通水"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, whose inspection was passed")


class NotInspected(Conflict):
    """The final inspection is not passed."""

    title_zh = "尚未验收合格"
    needed = "a passed final inspection"
    next_step = "have the work inspected first"
    next_step_zh = "请先验收合格"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number} without a passed final inspection")


class MeterAlreadyInstalled(Conflict):
    """The supply point has a meter already."""

    title_zh = "该用水点已装表"
    needed = "a supply point without a meter"
    next_step = "turn water on behind the meter that is in"
    next_step_zh = "该用水点已装表，请直接通水"

    def __init__(self, point: int, case: Connection) -> None:
        super().__init__(found=f"supply point {case.number}/{point} with meter {case.meters[point].number}")


class MeterMissing(Conflict):
    """The supply point has no meter."""

    title_zh = "该用水点尚未装表"
    needed = "a verified meter"
    next_step = "install the meter first, or name it here"
    next_step_zh = "请先装表，或在此填写水表信息"

    def __init__(self, point: int, case: Connection) -> None:
        super().__init__(found=f"supply point {case.number}/{point} without a meter")


class WaterNotOn(Conflict):
    """The supply point has no water yet."""

    title_zh = "该用水点尚未通水"
    needed = "a supply point with water, and so an account"
    next_step = "before water is on, the application itself says whose it is and what for"
    next_step_zh = "尚未通水，请先办理通水"

    def __init__(self, point: int, case: Connection) -> None:
        super().__init__(found=f"supply point {case.number}/{point} without water")


class ClassUnchanged(Conflict):
    """The water is used so already."""

    title_zh = "用水性质未变"
    needed = "another mix of classes, or another size of household"
    next_step = "nothing to do"
    next_step_zh = "用水性质未变，无需办理"

    def __init__(self, point: int, case: Connection, since: datetime) -> None:
        super().__init__(found=f"supply point {case.number}/{point}, whose water is used so at {since.isoformat()}")


class CustomerUnchanged(Conflict):
    """The supply point is this customer's already."""

    title_zh = "用户未变"
    needed = "another customer"
    next_step = "where only the name is another one, have the customer renamed"
    next_step_zh = "用户未变；仅名称变更请办理更名"

    def __init__(self, point: int, case: Connection, since: datetime) -> None:
        super().__init__(found=f"supply point {case.number}/{point}, which is this customer's at {since.isoformat()}")


class NameUnchanged(Conflict):
    """The customer has this name already."""

    title_zh = "户名未变"
    needed = "another name"
    next_step = "nothing to do"
    next_step_zh = "户名未变，无需办理"

    def __init__(self, point: int, case: Connection) -> None:
        super().__init__(found=f"supply point {case.number}/{point}, whose customer has that name")


class ContractUnchanged(Conflict):
    """The contract is the former customer's."""

    title_zh = "供用水合同仍为原用户合同"
    needed = "a contract that the new customer signed"
    next_step = "sign a contract with the new customer first"
    next_step_zh = "请先与新用户签订供用水合同"

    def __init__(self, contract: str) -> None:
        super().__init__(found=f"contract {contract}, which is the former customer's")


class UnknownClassChange(UnknownCode):
    """Not a reason to change the class."""

    title_zh = "不是用水性质变更原因"


class UnknownCustomerChange(UnknownCode):
    """Not a reason to change the customer."""

    title_zh = "不是过户原因"


class TooFarAhead(NotAcceptable):
    """It would be in force too far ahead."""

    title_zh = "生效时间过远"
    next_step = "tell it nearer to its day"
    next_step_zh = "生效时间超出可提前办理的期限，请届时办理"

    def __init__(self, since: datetime, latest: datetime, ctx: CommandContext) -> None:
        super().__init__(
            found=f"effective at {since.isoformat()}",
            needed=f"not later than {latest.isoformat()}, {ctx.standard.connection.class_change_ahead_days} days ahead",
        )


class ReadingBeforeItIsDue(NotAcceptable):
    """A reading of a day that has not come."""

    title_zh = "读数时间尚未到来"
    next_step = "read the dial on its day; a change of class can be told without"
    next_step_zh = "读数时间尚未到来，请届时抄表；用水性质变更可不填读数"

    def __init__(self, since: datetime, ctx: CommandContext) -> None:
        super().__init__(
            found=f"a reading at {since.isoformat()}",
            needed=f"one of an instant that has come, not later than {ctx.at.isoformat()}",
        )


class NoCatalogue(Conflict):
    """No fee catalogue is in force."""

    title_zh = "没有生效的收费目录"
    found = "no fee catalogue in force"
    needed = "a published catalogue"
    next_step = "have a catalogue reviewed and published; until then nothing is charged"
    next_step_zh = "收费目录尚未公布，不得收费"


class NoPayerClass(Conflict):
    """No payer class for this category."""

    title_zh = "未规定缴费类别"
    needed = "a payer class of the standard in force"
    next_step = "publish a standard that gives the category its payer class"
    next_step_zh = "标准未规定该类申请人的付费类别"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"applicants of category {case.category}")


class QuoteRaised(Conflict):
    """What was signed and paid on does not grow dearer."""

    title_zh = "已签约缴费，不得提高收费"
    needed = "no line above the quote that was signed and paid on"
    next_step = "leave it: what was signed and paid on does not grow dearer"
    next_step_zh = "已签约缴费，不得提高收费"

    def __init__(self, raised: list[QuoteLine], case: Connection) -> None:
        super().__init__(
            found=f"{raised[0].fee} at {raised[0].amount_fen} fen, {case.quoted_fen(raised[0].fee)} before"
        )


class NotQuoted(Conflict):
    """The charge is no line of the quote."""

    title_zh = "报价中没有该项"
    next_step = "charge what the quote says, or issue a new quote"
    next_step_zh = "报价之外一律不收，请按报价收取"

    def __init__(self, charge: str, amount_fen: int, quoted: list[str]) -> None:
        super().__init__(
            found=f"{charge}, {amount_fen} fen", needed="a line of the quote: " + (", ".join(quoted) or "there is none")
        )


class AlreadyQuoted(Conflict):
    """The charge is a line of the quote."""

    title_zh = "该项已在报价内"
    needed = "a charge that is not quoted"
    next_step = "nothing to do: take the payment"
    next_step_zh = "该项已在报价内，直接收款即可"

    def __init__(self, charge: str, amount_fen: int, case: Connection) -> None:
        super().__init__(
            found=f"{charge}, {amount_fen} fen, a line of quote {(case.quote.quote if case.quote else '')}"
        )


class NoQuote(Conflict):
    """There is no quote."""

    title_zh = "尚未出具报价"
    needed = "a quote"
    next_step = "issue the quote first"
    next_step_zh = "请先出具报价"

    def __init__(self, case: Connection) -> None:
        super().__init__(found=f"application {case.number} without a quote")


class ContractIsSigned(Conflict):
    """The contract is signed already."""

    code = "contract-signed"
    title_zh = "该报价已签约"
    needed = "a quote without a contract"
    next_step = "nothing to do"
    next_step_zh = "该报价已签约"

    def __init__(self, signed: ContractSigned) -> None:
        super().__init__(found=f"contract {signed.contract} for quote {signed.quote}")


class NotContracted(Conflict):
    """There is no contract for the quote in force."""

    title_zh = "尚未签约"
    needed = "a signed contract for the quote in force"
    next_step = "have the contract signed"
    next_step_zh = "请先签订供用水合同"

    def __init__(self, signed: str, case: Connection) -> None:
        super().__init__(found=f"application {case.number}, {signed}")


class NotPaid(Conflict):
    """The quote is not paid in full."""

    title_zh = "费用未缴清"
    needed = "the quote in force paid in full"
    next_step = "take the payment"
    next_step_zh = "请先缴清费用"

    def __init__(self, case: Connection, owed: list[str]) -> None:
        super().__init__(found=f"application {case.number} with {', '.join(owed) or 'no quote'} unpaid")


class Overpaid(Conflict):
    """More than is left to pay."""

    title_zh = "超出应缴金额"
    next_step = "take what is left to pay"
    next_step_zh = "超出应缴金额，请按余额收取"

    def __init__(self, line: MoneyLine, balance: int) -> None:
        super().__init__(
            found=f"{line.fee}, {line.amount_fen} fen",
            needed=f"at most {balance} fen, what is left to pay on that line",
        )


class AlreadyReversed(Conflict):
    """It is reversed already."""

    title_zh = "已冲正"
    needed = "one that stands"
    next_step = "nothing to do"
    next_step_zh = "已冲正，无需重复"

    def __init__(self, number: str) -> None:
        super().__init__(found=f"number {number}, reversed already")


class RefundedAlready(Conflict):
    """A refund of it stands."""

    title_zh = "该款已退"
    next_step = "reverse the refund first"
    next_step_zh = "该款已退，请先冲正退款"

    def __init__(self, fee: str, case: Connection, left: int, payment: str) -> None:
        super().__init__(
            found=f"{fee}, of which {case.refunded_fen(fee)} fen went back",
            needed=f"at most {left} fen refunded without payment {payment}",
        )


class RefundTooLarge(Conflict):
    """More than can be refunded."""

    title_zh = "超出可退金额"
    next_step = "refund what was paid too much; issue a lower quote first where less is owed"
    next_step_zh = "退款超出可退金额"

    def __init__(self, line: MoneyLine, most: int) -> None:
        super().__init__(found=f"{line.fee}, {line.amount_fen} fen", needed=f"at most {most} fen")


class SecondRoleNeeded(Conflict):
    """The second person must have another role."""

    title_zh = "须由另一岗位的人员复核"
    next_step = f"ask one of these roles with {ASKING}"
    next_step_zh = f"请向所列岗位之一提交复核请求：{ASKING}"

    def __init__(self, what: str, ctx: CommandContext, roles: Collection[str]) -> None:
        super().__init__(
            found=f"{what}, by {ctx.by.role}, confirmed in the role {ctx.confirmed_role or '(none)'}",
            needed=f"a second person in one of {', '.join(sorted(roles))}",
        )


class NotSent(Conflict):
    """It was not sent."""

    title_zh = "未曾送达"
    needed = "the digest of what was sent"
    next_step = "compare the digest, or send it again"
    next_step_zh = "未曾发送该文件，请核对摘要"

    def __init__(self, deliverable: str) -> None:
        super().__init__(found=f"{deliverable} with a digest that was not sent")


class AlreadyConfirmed(Conflict):
    """Its receipt is confirmed already."""

    title_zh = "已签收"
    needed = "something that is not confirmed"
    next_step = "nothing to do"
    next_step_zh = "已签收，无需重复"

    def __init__(self, deliverable: str) -> None:
        super().__init__(found=f"{deliverable}, confirmed already")


class PauseOpen(Conflict):
    """A pause for the same reason is open."""

    title_zh = "同一原因的中止尚未结束"
    needed = "no open pause for the same reason"
    next_step = "end it first, or wait for its approval"
    next_step_zh = "同一原因的中止尚未结束"

    def __init__(self, number: int, reason: str, pause: Pause) -> None:
        super().__init__(found=f"pause {number} for {reason} since {pause.since.at.isoformat()}")


class PauseDecided(Conflict):
    """The pause is decided already."""

    title_zh = "该中止已审批"
    needed = "a pause that waits for its approval"
    next_step = "nothing to do; an approved one can be revoked"
    next_step_zh = "该中止已审批"

    def __init__(self, number: int, pause: Pause) -> None:
        super().__init__(found=f"pause {number}, {('declined' if pause.declined else 'approved')} already")


class PauseNotOpen(Conflict):
    """The pause is over."""

    title_zh = "该中止已结束"
    needed = "an open pause"
    next_step = "nothing to do"
    next_step_zh = "该中止已结束"

    def __init__(self, pause: int) -> None:
        super().__init__(found=f"pause {pause}, which is over")


class PauseNotApproved(Conflict):
    """The pause does not count."""

    title_zh = "该中止未生效"
    needed = "an approved pause"
    next_step = "nothing to do"
    next_step_zh = "该中止未生效，无需撤销"

    def __init__(self, pause: int) -> None:
        super().__init__(found=f"pause {pause}, which does not count")


class NoSuchPause(NotFound):
    """No such pause."""

    title_zh = "没有该中止"
    next_step = "check the pause's number"
    next_step_zh = "请核对中止编号"

    def __init__(self, number: int, case: Connection) -> None:
        super().__init__(
            found=f"pause {number}",
            needed="one of " + (", ".join(map(str, sorted(case.pauses))) or "none: there is no pause"),
        )


class UnknownOwner(UnknownCode):
    """Unknown owner."""

    title_zh = "未知的经办人"


class UnknownPlace(UnknownCode):
    """Unknown place."""

    title_zh = "未知的地点"


class UnknownPurpose(UnknownCode):
    """Unknown purpose."""

    title_zh = "未知的事由"


class UnknownReason(UnknownCode):
    """Unknown reason."""

    title_zh = "未知的原因"


class UnknownDocument(UnknownCode):
    """Not a document that is owed."""

    title_zh = "不在应交材料之列"


class UnknownDefect(UnknownCode):
    """Unknown defect."""

    title_zh = "未知的缺陷"


class UnknownFinding(UnknownCode):
    """Unknown finding."""

    title_zh = "未知的勘察结果"


class UnknownPauseReason(UnknownCode):
    """Not a reason for a pause."""

    title_zh = "不是可中止的原因"


class UnknownPriceClass(UnknownCode):
    """Unknown price class."""

    title_zh = "未知的水价类别"


class PointsDoNotMatch(NotAcceptable):
    """Supply points do not match their descriptions."""

    title_zh = "用水点数量不符"
    needed = "one description for each supply point, or none at all"
    next_step = "describe each supply point"
    next_step_zh = "请逐一填写每个用水点"

    def __init__(self, form: Form) -> None:
        super().__init__(found=f"{len(form.points)} points described for {form.supply_points} supply points")


class UsageSplitNotWhole(NotAcceptable):
    """The shares of use do not sum to 100."""

    title_zh = "用水比例之和不为 100%"
    needed = "shares of 1 to 100 percent that sum to 100"
    next_step = "correct the shares"
    next_step_zh = "各类用水比例之和应为 100%"

    def __init__(self, shares: ValuesView[int]) -> None:
        super().__init__(found=f"shares of {', '.join(map(str, shares)) or 'nothing'}")


class WayNotAllowed(UnknownCode):
    """The document cannot be met that way."""

    title_zh = "该材料不支持此提交方式"


class DigestMissing(NotAcceptable):
    """An upload without its digest."""

    title_zh = "上传缺少文件摘要"
    needed = "the digest of the file"
    next_step = "send the SHA-256 of what was uploaded"
    next_step_zh = "请提交上传文件的摘要"

    def __init__(self, supplied: Supplied) -> None:
        super().__init__(found=f"an upload of {supplied.document} without its digest")


class NamedTwice(Repeated):
    """Named twice."""

    title_zh = "重复列出"


class NoticeIncomplete(NotAcceptable):
    """The notice leaves something out."""

    title_zh = "一次性告知不完整"
    needed = "a notice that names everything that is missing"
    next_step = "name these papers too: they cannot be asked for later"

    def __init__(self, left_out: list[str]) -> None:
        super().__init__(
            found=f"a notice without {', '.join(left_out)}",
            next_step_zh="请一次性告知全部所缺材料：" + "、".join(left_out),
        )


class NotDeferrable(NotAcceptable):
    """A main document cannot be outstanding."""

    title_zh = "主要材料不可容缺"
    next_step = "supply the main documents now"
    next_step_zh = "主要材料不可容缺，请先提交"

    def __init__(self, paper: str, deferrable: list[str]) -> None:
        super().__init__(
            found=f"{paper}, a main document", needed="one of " + (", ".join(deferrable) or "no paper at all")
        )


class DeadlinePast(NotAcceptable):
    """The deadline has passed."""

    title_zh = "承诺期限已过"
    needed = "a deadline that is still to come"
    next_step = "choose a later day, or supply the papers"
    next_step_zh = "承诺期限须晚于当前时间"

    def __init__(self, deadline: date, ctx: CommandContext) -> None:
        super().__init__(found=f"a deadline of {deadline}, at whose close {ctx.at.isoformat()} lies")


class DeadlineTooLate(NotAcceptable):
    """The deadline is too late."""

    title_zh = "承诺期限过晚"
    next_step = "choose an earlier day"
    next_step_zh = "承诺期限过晚，请选择更早的日期"

    def __init__(self, deadline: date, latest: date, standard: Standard) -> None:
        days = standard.connection.papers.longest_working_days
        super().__init__(
            found=f"a deadline of {deadline}",
            needed=f"not later than {latest}: {days} working days, and the case's own",
        )


class FindingsMissing(NotAcceptable):
    """Not feasible, without a finding."""

    title_zh = "缺少勘察结果"
    found = "a site where water cannot be laid, without a finding"
    needed = "what stands against it"
    next_step = "name at least one finding"
    next_step_zh = "不可行须至少列明一项勘察结果"


class DefectsDoNotMatch(NotAcceptable):
    """Outcome and defects do not match."""

    title_zh = "验收结论与缺陷不符"
    needed = "no defect where passed, at least one where failed"
    next_step = "correct the outcome or the defects"
    next_step_zh = "合格不得有缺陷，不合格须列明缺陷"

    def __init__(self, passed: bool, defects: Sequence[str]) -> None:
        super().__init__(found=f"{('passed' if passed else 'failed')} with {len(defects)} defects")


class AmountOutOfRange(NotAcceptable):
    """Not an amount of money."""

    title_zh = "金额不符合要求"
    next_step = "correct the amount"
    next_step_zh = "金额须为大于零的整数（分）"

    def __init__(self, amount_fen: int, *, needed: str) -> None:
        super().__init__(found=f"{amount_fen} fen", needed=needed)


class NothingToPay(NotAcceptable):
    """No line of money."""

    title_zh = "没有金额项"
    found = "no line"
    needed = "at least one line"
    next_step = "name what is paid on which fee"
    next_step_zh = "请至少填写一项"


class PauseTooLate(NotAcceptable):
    """The pause is asked for too late."""

    title_zh = "中止申请已超时"
    next_step = "ask for it from now on"
    next_step_zh = "已超出允许迟报时间，请自当前时间起申请中止"

    def __init__(self, ctx: CommandContext) -> None:
        super().__init__(
            found=f"a pause from {ctx.happened_at.isoformat()} on, asked for at {ctx.at.isoformat()}",
            needed=f"within {ctx.standard.allowed_lateness_minutes.get(ctx.channel)} minutes",
        )


class NumberUsed(Conflict):
    """A number of money that moved is on record already."""

    abstract = True
    needed = "a number of its own"
    next_step = "nothing to do where it is the same one; otherwise check the number"
    next_step_zh = "该单号已登记，请勿重复"

    def __init__(self, number: str) -> None:
        super().__init__(found=f"number {number}, which is on record")


class PaymentNumberUsed(NumberUsed):
    """The payment's number is on record already."""

    title_zh = "缴费单号已登记"


class RefundNumberUsed(NumberUsed):
    """The refund's number is on record already."""

    title_zh = "退费单号已登记"


class NoSuchNumber(NotFound):
    """No money of that number moved."""

    abstract = True
    next_step = "check the number"
    next_step_zh = "请核对单号"

    def __init__(self, number: str, known: Collection[str]) -> None:
        needed = "a number of this application: " + (", ".join(sorted(known)) or "there is none")
        super().__init__(found=f"number {number}", needed=needed)


class NoSuchPayment(NoSuchNumber):
    """No such payment."""

    title_zh = "没有该缴费"


class NoSuchRefund(NoSuchNumber):
    """No such refund."""

    title_zh = "没有该退费"


class AlreadyVisible(Conflict):
    """It could have been seen the first time."""

    title_zh = "首次未告知的事项不得再要求"
    needed = "a document that came in afterwards, or a hidden defect"
    next_step = "go on without it: what was not named the first time is not asked for"
    next_step_zh = "首次未一次性告知的，不得再要求补正；本次尝试已留痕"

    def __init__(self, named: str, case: Connection) -> None:
        super().__init__(found=f"{named}, which could have been seen when application {case.number} was looked at")


def no_such_request() -> NoSuchCase:
    """What is said of a request for service before building that there is not."""
    return NoSuchCase(
        found="no request with this id",
        needed="the id of a request",
        next_step="take the request in first",
        next_step_zh="没有该服务申请，请先登记",
    )


def no_such_application() -> NoSuchCase:
    """What is said of an application that there is not."""
    return NoSuchCase(
        found="no connection case with this id",
        needed="the id of a received application",
        next_step="look the application up by its number",
        next_step_zh="请按受理编号查询",
    )

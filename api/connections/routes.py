"""Water connections 用水报装: one form, papers asked for once, works, charges, visits, pauses, water on."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from api.connections import bodies, commands
from api.connections.answers import ConnectionView, connection_view
from api.connections.commands import TellingDep
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, Accepted
from api.http.dependencies import CaseId, ServiceDep
from api.http.fields import Nothing, When
from api.http.strict import StrictRoute
from domain import kinds
from domain.connections import accounts, charges, intake, papers, pauses, site, visits
from domain.connections.requirements import existing
from infra.eventstore.commands import Stream

PREFIX = "/api/v1/connections"

router = APIRouter(tags=["connections 报装"])
_telling = APIRouter(prefix=PREFIX, route_class=StrictRoute, responses=COMMAND_ERRORS)
_asking = APIRouter(prefix=PREFIX, route_class=StrictRoute, responses=CASE_ERRORS)

Point = Annotated[int, Path(ge=1, le=1_000_000, description="the supply point's number, from 1")]
Visit = Annotated[UUID, Path(description="the visit's id")]
Pause = Annotated[int, Path(ge=1, le=1_000_000, description="the pause's number, from 1")]
Document = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="a document's code")]
MoneyNumber = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="its own number")]


@_asking.get("/{case_id}", summary="How the case stands, and what comes next")
def the_case(case_id: CaseId, service: ServiceDep) -> ConnectionView:
    state, events = service.load(Stream(kinds.CONNECTION, case_id))
    case = existing(state)
    return connection_view(case_id, case, events[-1]["caseversion"], service.rules, service.clock.now())


# ---- intake


@_telling.post("", status_code=201, summary="Take an application in 收件")
async def receive(body: bodies.Application, telling: TellingDep) -> Accepted:
    return await commands.receive(telling, body)


@_telling.post("/{case_id}/owner", summary="Somebody else answers for the case 更换专人")
async def replace_owner(case_id: CaseId, body: bodies.Owner, telling: TellingDep) -> Accepted:
    return await telling.instruct(case_id, lambda case, told: intake.replace_owner(case, told, owner=body.owner))


@_telling.post("/{case_id}/appearances", summary="The applicant had to come in person 到场")
async def appear(case_id: CaseId, body: bodies.Appearance, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: intake.appear(case, told, place=body.place, purpose=body.purpose),
    )


@_telling.post("/{case_id}/withdrawal", summary="The applicant withdraws 撤回")
async def withdraw(case_id: CaseId, body: bodies.Reason, telling: TellingDep) -> Accepted:
    return await telling.instruct(case_id, lambda case, told: intake.withdraw(case, told, reason=body.reason))


@_telling.post("/{case_id}/refusal", summary="Refuse with a reason of the list 不予受理")
async def refuse(case_id: CaseId, body: bodies.ReasonedRefusal, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: intake.refuse(case, told, reason=body.reason, document_digest=body.document_digest),
    )


# ---- papers


@_telling.post("/{case_id}/documents", summary="A document is there 提交材料")
async def supply_document(case_id: CaseId, body: bodies.DocumentHandedIn, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: papers.supply_document(case, told, supplied=commands.supplied(body)),
    )


@_telling.post("/{case_id}/documents/{document}/rejection", summary="A document does not do 退回材料")
async def reject_document(case_id: CaseId, document: Document, body: bodies.Defect, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: papers.reject_document(case, told, document=document, defect=body.defect),
    )


@_telling.post("/{case_id}/notice", summary="The one-time notice of everything that is missing 一次性告知")
async def give_notice(case_id: CaseId, body: bodies.Items, telling: TellingDep) -> Accepted:
    named = commands.items(body.items)
    return await telling.instruct(case_id, lambda case, told: papers.give_notice(case, told, items=named))


@_telling.post("/{case_id}/further-requests", summary="Ask for what could not be seen the first time 再次告知")
async def request_further(case_id: CaseId, body: bodies.Items, telling: TellingDep) -> Accepted:
    named = commands.items(body.items)
    return await telling.instruct(case_id, lambda case, told: papers.request_further(case, told, items=named))


@_telling.post("/{case_id}/papers-commitment", summary="The applicant commits to supply papers later 容缺承诺")
async def promise_papers(case_id: CaseId, body: bodies.PapersCommitment, telling: TellingDep) -> Accepted:
    return await commands.promise_papers(telling, case_id, body)


@_telling.post("/{case_id}/papers-commitment/refusal", summary="The applicant wants no papers outstanding 不选择容缺")
async def decline_outstanding(case_id: CaseId, body: Nothing, telling: TellingDep) -> Accepted:
    return await telling.instruct(case_id, papers.decline_outstanding)


@_telling.post("/{case_id}/papers-commitment/repair", summary="A broken commitment was made good 信用修复")
async def repair_commitment(case_id: CaseId, body: bodies.CommitmentEvidence, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: papers.repair_commitment(case, told, evidence_digest=body.evidence_digest),
    )


@_telling.post("/{case_id}/admission", summary="The office admits 受理")
async def admit(case_id: CaseId, body: Nothing, telling: TellingDep) -> Accepted:
    return await telling.instruct(case_id, papers.admit)


@_telling.post("/{case_id}/resumption", summary="A stopped case goes on 恢复办理")
async def resume(case_id: CaseId, body: bodies.Reason, telling: TellingDep) -> Accepted:
    return await telling.instruct(case_id, lambda case, told: papers.resume(case, told, reason=body.reason))


# ---- on site


@_telling.post("/{case_id}/survey", summary="A surveyor saw the site 勘察")
async def survey(case_id: CaseId, body: bodies.Survey, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: site.survey(case, told, feasible=body.feasible, findings=body.findings),
    )


@_telling.post("/{case_id}/design", summary="The design is approved 设计")
async def design(case_id: CaseId, body: bodies.Design, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: site.design(case, told, drawing_digest=body.drawing_digest),
    )


@_telling.post("/{case_id}/on-site-approval", summary="Approved at the door; construction starts 现场审批即施工")
async def approve_on_site(case_id: CaseId, body: bodies.OnSiteApproval, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: site.approve_on_site(
            case, told, visit=body.visit, squad=body.squad, drawing_digest=body.drawing_digest
        ),
    )


@_telling.post("/{case_id}/construction/start", summary="Work begins 开工")
async def start_construction(case_id: CaseId, body: bodies.ConstructionStart, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id, body.happened_at, lambda case, told: site.start_construction(case, told, crew=body.crew)
    )


@_telling.post("/{case_id}/construction/completion", summary="The pipe is laid 完工")
async def complete_construction(case_id: CaseId, body: When, telling: TellingDep) -> Accepted:
    return await telling.field(case_id, body.happened_at, site.complete_construction)


@_telling.post("/{case_id}/inspection", summary="Final inspection 验收")
async def inspect(case_id: CaseId, body: bodies.Inspection, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: site.inspect(case, told, passed=body.passed, defects=body.defects),
    )


@_telling.post("/{case_id}/supply-points/{point}/meter", summary="A verified meter goes in 装表")
async def install_meter(case_id: CaseId, point: Point, body: bodies.MeterIn, telling: TellingDep) -> Accepted:
    happened_at = body.happened_at or telling.service.clock.now()
    return await telling.carry_out(commands.install_meter(telling.caller, case_id, point, body, happened_at))


@_telling.post("/{case_id}/supply-points/{point}/meter-replacement", summary="Another meter in its place 换表")
async def replace_meter(case_id: CaseId, point: Point, body: bodies.MeterReplacement, telling: TellingDep) -> Accepted:
    happened_at = body.happened_at or telling.service.clock.now()
    return await telling.looking(case_id, commands.replace_meter(telling.caller, case_id, point, body, happened_at))


@_telling.post("/{case_id}/supply-points/{point}/water-on", summary="Water on at a supply point 通水")
async def turn_water_on(case_id: CaseId, point: Point, body: bodies.WaterOn, telling: TellingDep) -> Accepted:
    happened_at = body.happened_at or telling.service.clock.now()
    return await telling.carry_out(commands.turn_water_on(telling.caller, case_id, point, body, happened_at))


# ---- once water is on


@_telling.post("/{case_id}/supply-points/{point}/class", summary="Its water is used for something else 用水性质变更")
async def change_class(case_id: CaseId, point: Point, body: bodies.ClassChange, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: accounts.change_class(
            case,
            told,
            point=point,
            usage_split=body.usage_split,
            household_size=body.household_size,
            reason=body.reason,
            document_digest=body.document_digest,
            effective_at=body.effective_at,
            reading_m3=body.reading_m3,
        ),
    )


@_telling.post("/{case_id}/supply-points/{point}/customer", summary="It is another customer's 过户")
async def change_customer(case_id: CaseId, point: Point, body: bodies.CustomerChange, telling: TellingDep) -> Accepted:
    return await commands.change_customer(telling, case_id, point, body)


@_telling.post("/{case_id}/supply-points/{point}/customer/name", summary="Its customer has another name 更名")
async def rename_customer(case_id: CaseId, point: Point, body: bodies.Renaming, telling: TellingDep) -> Accepted:
    return await commands.rename_customer(telling, case_id, point, body)


# ---- charges


@_telling.post("/{case_id}/quotes", summary="Quote by the catalogue in force 报价")
async def issue_quote(case_id: CaseId, body: bodies.QuoteBody, telling: TellingDep) -> Accepted:
    lines = [(line.fee, line.quantity) for line in body.lines]
    return await telling.instruct(case_id, lambda case, told: charges.issue_quote(case, told, lines=lines))


@_telling.post("/{case_id}/charges", summary="Ask for a charge by name: only the quote's are allowed 收费核查")
async def ask_charge(case_id: CaseId, body: bodies.Charge, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: charges.ask_charge(
            case, told, charge=body.charge, name_zh=body.name_zh, amount_fen=body.amount_fen
        ),
    )


@_telling.post("/{case_id}/contract", summary="The contract was signed 签约")
async def sign_contract(case_id: CaseId, body: bodies.Contract, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: charges.sign_contract(case, told, contract=body.contract, digest=body.digest),
    )


@_telling.post("/{case_id}/payments", summary="Money came in 缴费")
async def pay(case_id: CaseId, body: bodies.PaymentBody, telling: TellingDep) -> Accepted:
    lines = commands.money(body.lines)
    return await telling.field(
        case_id, body.happened_at, lambda case, told: charges.pay(case, told, payment=body.payment, lines=lines)
    )


@_telling.post("/{case_id}/payments/{number}/reversal", summary="A payment was entered in error or bounced 冲正")
async def reverse_payment(case_id: CaseId, number: MoneyNumber, body: bodies.Reason, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: charges.reverse_payment(case, told, payment=number, reason=body.reason),
    )


@_telling.post("/{case_id}/refunds", summary="Money goes back 退费")
async def refund(case_id: CaseId, body: bodies.RefundBody, telling: TellingDep) -> Accepted:
    lines = commands.money(body.lines)
    return await telling.instruct(
        case_id, lambda case, told: charges.refund(case, told, refund=body.refund, lines=lines)
    )


@_telling.post("/{case_id}/refunds/{number}/reversal", summary="A refund was entered in error or bounced 退费冲正")
async def reverse_refund(case_id: CaseId, number: MoneyNumber, body: bodies.Reason, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id,
        lambda case, told: charges.reverse_refund(case, told, refund=number, reason=body.reason),
    )


# ---- visits, and what is handed over


@_telling.post("/{case_id}/visits", summary="A squad comes to the door 预约上门")
async def book_visit(case_id: CaseId, body: bodies.VisitBooking, telling: TellingDep) -> Accepted:
    return await telling.carry_out(commands.book_visit(telling.caller, case_id, body))


@_telling.post("/{case_id}/visits/{visit}/reassignment", summary="Another squad, or another time 改派")
async def reassign_visit(
    case_id: CaseId, visit: Visit, body: bodies.VisitReassignment, telling: TellingDep
) -> Accepted:
    return await telling.looking(
        case_id, lambda case: commands.reassign_visit(telling.caller, case_id, visit, body, case)
    )


@_telling.post("/{case_id}/visits/{visit}/made", summary="The squad was there 已上门")
async def make_visit(case_id: CaseId, visit: Visit, body: bodies.VisitMade, telling: TellingDep) -> Accepted:
    happened_at = body.happened_at or telling.service.clock.now()
    return await telling.looking(
        case_id, lambda case: commands.make_visit(telling.caller, case_id, visit, body, happened_at, case)
    )


@_telling.post("/{case_id}/visits/{visit}/cancellation", summary="Nobody comes after all 取消上门")
async def cancel_visit(case_id: CaseId, visit: Visit, body: bodies.Reason, telling: TellingDep) -> Accepted:
    return await telling.looking(
        case_id, lambda case: commands.cancel_visit(telling.caller, case_id, visit, body, case)
    )


@_telling.post("/{case_id}/deliverables", summary="Plan, budget, drawings, contract or invoice went out 送达")
async def deliver(case_id: CaseId, body: bodies.DeliverableBody, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: visits.deliver(case, told, deliverable=body.deliverable, way=body.way, digest=body.digest),
    )


@_telling.post("/{case_id}/deliverables/receipt", summary="It arrived 签收")
async def confirm_delivery(case_id: CaseId, body: bodies.DeliverableReceipt, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: visits.confirm_delivery(case, told, deliverable=body.deliverable, digest=body.digest),
    )


# ---- pauses


@_telling.post("/{case_id}/pauses", summary="Ask that the clock stand 申请中止")
async def request_pause(case_id: CaseId, body: bodies.PauseBody, telling: TellingDep) -> Accepted:
    return await telling.field(
        case_id,
        body.happened_at,
        lambda case, told: pauses.request(case, told, reason=body.reason, evidence_digest=body.evidence_digest),
    )


@_telling.post("/{case_id}/pauses/{pause}/approval", summary="A second person approves 批准中止")
async def approve_pause(case_id: CaseId, pause: Pause, body: Nothing, telling: TellingDep) -> Accepted:
    return await telling.instruct(case_id, lambda case, told: pauses.approve(case, told, pause=pause))


@_telling.post("/{case_id}/pauses/{pause}/decline", summary="A second person declines 不批准中止")
async def decline_pause(case_id: CaseId, pause: Pause, body: Nothing, telling: TellingDep) -> Accepted:
    return await telling.instruct(case_id, lambda case, told: pauses.decline(case, told, pause=pause))


@_telling.post("/{case_id}/pauses/{pause}/end", summary="The reason fell away 结束中止")
async def end_pause(case_id: CaseId, pause: Pause, body: When, telling: TellingDep) -> Accepted:
    return await telling.field(case_id, body.happened_at, lambda case, told: pauses.end(case, told, pause=pause))


@_telling.post("/{case_id}/pauses/{pause}/revocation", summary="It should never have been a pause 撤销中止")
async def revoke_pause(case_id: CaseId, pause: Pause, body: bodies.Reason, telling: TellingDep) -> Accepted:
    return await telling.instruct(
        case_id, lambda case, told: pauses.revoke(case, told, pause=pause, reason=body.reason)
    )


router.include_router(_telling)
router.include_router(_asking)

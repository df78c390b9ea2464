"""Water connections 用水报装: one form, papers asked for once, works, charges, visits, pauses, water on."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from api.connections import bodies, commands
from api.connections.answers import ConnectionView, connection_view
from api.connections.commands import Runner
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, Accepted, FollowedAccepted
from api.http.commanding import meter_number
from api.http.dependencies import CaseId, ServiceDep
from api.http.fields import FromTheField, Nothing
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain import kinds
from domain.connections import accounts, charges, intake, papers, pauses, site, visits
from infra.eventstore.commands import Stream

PREFIX = "/api/v1/connections"

router = APIRouter(tags=["connections 报装"])
_commands = APIRouter(prefix=PREFIX, route_class=StrictRoute, responses=COMMAND_ERRORS)
_queries = APIRouter(prefix=PREFIX, route_class=StrictRoute, responses=CASE_ERRORS)

Point = Annotated[int, Path(ge=1, le=1_000_000, description="the supply point's number, from 1")]
VisitId = Annotated[UUID, Path(description="the visit's id")]
PauseNumber = Annotated[int, Path(ge=1, le=1_000_000, description="the pause's number, from 1")]
DocumentCode = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="a document's code")]
MoneyNumber = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="its own number")]


@_queries.get("/{case_id}", summary="How the case stands, and what comes next", openapi_extra=needs("connection.read"))
def the_case(case_id: CaseId, service: ServiceDep) -> ConnectionView:
    state, events = service.load(Stream(kinds.CONNECTION, case_id))
    case = kinds.CONNECTION.existing(state)
    return connection_view(case_id, case, events[-1]["caseversion"], service.rules, service.clock.now())


# ---- intake


@_commands.post("", status_code=201, summary="Take an application in 收件", openapi_extra=needs("connection.receive"))
async def receive(body: bodies.Application, runner: Runner) -> FollowedAccepted:
    return await commands.receive(runner, body)


@_commands.post(
    "/{case_id}/owner", summary="Somebody else answers for the case 更换专人", openapi_extra=needs("connection.route")
)
async def replace_owner(case_id: CaseId, body: bodies.Owner, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: intake.replace_owner(case, ctx, owner=body.owner))


@_commands.post(
    "/{case_id}/appearances",
    summary="The applicant had to come in person 到场",
    openapi_extra=needs("connection.appear"),
)
async def appear(case_id: CaseId, body: bodies.Appearance, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: intake.appear(case, ctx, place=body.place, purpose=body.purpose),
    )


@_commands.post(
    "/{case_id}/withdrawal", summary="The applicant withdraws 撤回", openapi_extra=needs("connection.withdraw")
)
async def withdraw(case_id: CaseId, body: bodies.Reason, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: intake.withdraw(case, ctx, reason=body.reason))


@_commands.post(
    "/{case_id}/refusal", summary="Refuse with a reason of the list 不予受理", openapi_extra=needs("connection.refuse")
)
async def refuse(case_id: CaseId, body: bodies.ReasonedRefusal, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: intake.refuse(case, ctx, reason=body.reason, document_digest=body.document_digest),
    )


# ---- papers


@_commands.post(
    "/{case_id}/documents", summary="A document is there 提交材料", openapi_extra=needs("connection.supply-document")
)
async def supply_document(case_id: CaseId, body: bodies.DocumentHandedIn, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: papers.supply_document(case, ctx, supplied=commands.supplied(body)),
    )


@_commands.post(
    "/{case_id}/documents/{document}/rejection",
    summary="A document does not do 退回材料",
    openapi_extra=needs("connection.reject-document"),
)
async def reject_document(case_id: CaseId, document: DocumentCode, body: bodies.Defect, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: papers.reject_document(case, ctx, document=document, defect=body.defect),
    )


@_commands.post(
    "/{case_id}/notice",
    summary="The one-time notice of everything that is missing 一次性告知",
    openapi_extra=needs("connection.give-notice"),
)
async def give_notice(case_id: CaseId, body: bodies.Items, runner: Runner) -> Accepted:
    named = commands.items(body.items)
    return await runner.instruct(case_id, lambda case, ctx: papers.give_notice(case, ctx, items=named))


@_commands.post(
    "/{case_id}/further-requests",
    summary="Ask for what could not be seen the first time 再次告知",
    openapi_extra=needs("connection.request-further"),
)
async def request_further(case_id: CaseId, body: bodies.Items, runner: Runner) -> Accepted:
    named = commands.items(body.items)
    return await runner.instruct(case_id, lambda case, ctx: papers.request_further(case, ctx, items=named))


@_commands.post(
    "/{case_id}/papers-commitment",
    summary="The applicant commits to supply papers later 容缺承诺",
    openapi_extra=needs("connection.promise-papers"),
)
async def promise_papers(case_id: CaseId, body: bodies.PapersCommitment, runner: Runner) -> Accepted:
    return await commands.promise_papers(runner, case_id, body)


@_commands.post(
    "/{case_id}/papers-commitment/refusal",
    summary="The applicant wants no papers outstanding 不选择容缺",
    openapi_extra=needs("connection.decline-outstanding"),
)
async def decline_outstanding(case_id: CaseId, body: Nothing, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, papers.decline_outstanding)


@_commands.post(
    "/{case_id}/papers-commitment/repair",
    summary="A broken commitment was made good 信用修复",
    openapi_extra=needs("connection.repair-commitment"),
)
async def repair_commitment(case_id: CaseId, body: bodies.CommitmentEvidence, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: papers.repair_commitment(case, ctx, evidence_digest=body.evidence_digest),
    )


@_commands.post("/{case_id}/admission", summary="The office admits 受理", openapi_extra=needs("connection.admit"))
async def admit(case_id: CaseId, body: Nothing, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, papers.admit)


@_commands.post(
    "/{case_id}/resumption", summary="A stopped case goes on 恢复办理", openapi_extra=needs("connection.resume")
)
async def resume(case_id: CaseId, body: bodies.Reason, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: papers.resume(case, ctx, reason=body.reason))


# ---- on site


@_commands.post("/{case_id}/survey", summary="A surveyor saw the site 勘察", openapi_extra=needs("connection.survey"))
async def survey(case_id: CaseId, body: bodies.Survey, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: site.survey(case, ctx, feasible=body.feasible, findings=body.findings),
    )


@_commands.post("/{case_id}/design", summary="The design is approved 设计", openapi_extra=needs("connection.design"))
async def design(case_id: CaseId, body: bodies.Design, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: site.design(case, ctx, drawing_digest=body.drawing_digest),
    )


@_commands.post(
    "/{case_id}/on-site-approval",
    summary="Approved at the door; construction starts 现场审批即施工",
    openapi_extra=needs("connection.approve-on-site"),
)
async def approve_on_site(case_id: CaseId, body: bodies.OnSiteApproval, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: site.approve_on_site(
            case, ctx, visit=body.visit, squad=body.squad, drawing_digest=body.drawing_digest
        ),
    )


@_commands.post(
    "/{case_id}/construction/start", summary="Work begins 开工", openapi_extra=needs("connection.construct")
)
async def start_construction(case_id: CaseId, body: bodies.ConstructionStart, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: site.start_construction(case, ctx, crew=body.crew), names_crew=True
    )


@_commands.post(
    "/{case_id}/construction/completion", summary="The pipe is laid 完工", openapi_extra=needs("connection.construct")
)
async def complete_construction(case_id: CaseId, body: FromTheField, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, site.complete_construction)


@_commands.post("/{case_id}/inspection", summary="Final inspection 验收", openapi_extra=needs("connection.inspect"))
async def inspect(case_id: CaseId, body: bodies.Inspection, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: site.inspect(case, ctx, passed=body.passed, defects=body.defects),
    )


@_commands.post(
    "/{case_id}/supply-points/{point}/meter",
    summary="A verified meter goes in 装表",
    openapi_extra=needs("connection.install-meter"),
)
async def install_meter(case_id: CaseId, point: Point, body: bodies.MeterIn, runner: Runner) -> Accepted:
    happened_at = body.happened_at or runner.now()
    return await runner.carry_out(commands.install_meter(runner.caller, case_id, point, body, happened_at))


@_commands.post(
    "/{case_id}/supply-points/{point}/meter-replacement",
    summary="Another meter in its place 换表",
    openapi_extra=needs("connection.replace-meter"),
)
async def replace_meter(case_id: CaseId, point: Point, body: bodies.MeterReplacement, runner: Runner) -> Accepted:
    happened_at = body.happened_at or runner.now()
    return await runner.with_case_lookup(
        case_id, commands.replace_meter(runner.caller, case_id, point, body, happened_at)
    )


@_commands.post(
    "/{case_id}/supply-points/{point}/meter-verification",
    summary="The meter that is in was verified again 水表检定",
    openapi_extra=needs("connection.replace-meter"),
)
async def verify_meter(case_id: CaseId, point: Point, body: bodies.MeterVerification, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: site.verify_meter(
            case,
            ctx,
            point=point,
            number=meter_number(body.number),
            verified_on=body.verified_on,
            expires_on=body.expires_on,
            q3_m3h=body.q3_m3h,
        ),
    )


@_commands.post(
    "/{case_id}/supply-points/{point}/water-on",
    summary="Water on at a supply point 通水",
    openapi_extra=needs("connection.turn-water-on"),
)
async def turn_water_on(case_id: CaseId, point: Point, body: bodies.WaterOn, runner: Runner) -> Accepted:
    happened_at = body.happened_at or runner.now()
    return await runner.carry_out(commands.turn_water_on(runner.caller, case_id, point, body, happened_at))


# ---- once water is on


@_commands.post(
    "/{case_id}/supply-points/{point}/class",
    summary="Its water is used for something else 用水性质变更",
    openapi_extra=needs("connection.change-class"),
)
async def change_class(case_id: CaseId, point: Point, body: bodies.ClassChange, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: accounts.change_class(
            case,
            ctx,
            point=point,
            usage_split=body.usage_split,
            household_size=body.household_size,
            reason=body.reason,
            document_digest=body.document_digest,
            effective_at=body.effective_at,
            reading_m3=body.reading_m3,
        ),
    )


@_commands.post(
    "/{case_id}/supply-points/{point}/customer",
    summary="It is another customer's 过户",
    openapi_extra=needs("connection.change-customer"),
)
async def change_customer(case_id: CaseId, point: Point, body: bodies.CustomerChange, runner: Runner) -> Accepted:
    return await commands.change_customer(runner, case_id, point, body)


@_commands.post(
    "/{case_id}/supply-points/{point}/customer/name",
    summary="Its customer has another name 更名",
    openapi_extra=needs("connection.rename-customer"),
)
async def rename_customer(case_id: CaseId, point: Point, body: bodies.Renaming, runner: Runner) -> Accepted:
    return await commands.rename_customer(runner, case_id, point, body)


# ---- charges


@_commands.post(
    "/{case_id}/quotes", summary="Quote by the catalogue in force 报价", openapi_extra=needs("connection.quote")
)
async def issue_quote(case_id: CaseId, body: bodies.QuoteBody, runner: Runner) -> Accepted:
    lines = [(line.fee, line.quantity) for line in body.lines]
    return await runner.instruct(case_id, lambda case, ctx: charges.issue_quote(case, ctx, lines=lines))


@_commands.post(
    "/{case_id}/charges",
    summary="Ask for a charge by name: only the quote's are allowed 收费核查",
    openapi_extra=needs("connection.quote"),
)
async def ask_charge(case_id: CaseId, body: bodies.ChargeAsked, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: charges.ask_charge(
            case, ctx, charge=body.charge, name_zh=body.name_zh, amount_fen=body.amount_fen
        ),
    )


@_commands.post(
    "/{case_id}/contract", summary="The contract was signed 签约", openapi_extra=needs("connection.sign-contract")
)
async def sign_contract(case_id: CaseId, body: bodies.SignedContract, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: charges.sign_contract(case, ctx, contract=body.contract, digest=body.digest),
    )


@_commands.post("/{case_id}/payments", summary="Money came in 缴费", openapi_extra=needs("connection.pay"))
async def pay(case_id: CaseId, body: bodies.PaymentBody, runner: Runner) -> Accepted:
    lines = commands.money(body.lines)
    return await runner.field(
        case_id, body, lambda case, ctx: charges.pay(case, ctx, payment=body.payment, lines=lines)
    )


@_commands.post(
    "/{case_id}/payments/{number}/reversal",
    summary="A payment was entered in error or bounced 冲正",
    openapi_extra=needs("connection.reverse-payment"),
)
async def reverse_payment(case_id: CaseId, number: MoneyNumber, body: bodies.Reason, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: charges.reverse_payment(case, ctx, payment=number, reason=body.reason),
    )


@_commands.post("/{case_id}/refunds", summary="Money goes back 退费", openapi_extra=needs("connection.refund"))
async def refund(case_id: CaseId, body: bodies.RefundBody, runner: Runner) -> Accepted:
    lines = commands.money(body.lines)
    return await runner.instruct(case_id, lambda case, ctx: charges.refund(case, ctx, refund=body.refund, lines=lines))


@_commands.post(
    "/{case_id}/refunds/{number}/reversal",
    summary="A refund was entered in error or bounced 退费冲正",
    openapi_extra=needs("connection.refund"),
)
async def reverse_refund(case_id: CaseId, number: MoneyNumber, body: bodies.Reason, runner: Runner) -> Accepted:
    return await runner.instruct(
        case_id,
        lambda case, ctx: charges.reverse_refund(case, ctx, refund=number, reason=body.reason),
    )


# ---- visits, and what is handed over


@_commands.post(
    "/{case_id}/visits", summary="A squad comes to the door 预约上门", openapi_extra=needs("connection.book-visit")
)
async def book_visit(case_id: CaseId, body: bodies.VisitBooking, runner: Runner) -> Accepted:
    return await runner.carry_out(commands.book_visit(runner.caller, case_id, body))


@_commands.post(
    "/{case_id}/visits/{visit}/reassignment",
    summary="Another squad, or another time 改派",
    openapi_extra=needs("connection.reassign-visit"),
)
async def reassign_visit(case_id: CaseId, visit: VisitId, body: bodies.VisitReassignment, runner: Runner) -> Accepted:
    return await runner.with_case_lookup(
        case_id, lambda case: commands.reassign_visit(runner.caller, case_id, visit, body, case)
    )


@_commands.post(
    "/{case_id}/visits/{visit}/made", summary="The squad was there 已上门", openapi_extra=needs("connection.make-visit")
)
async def make_visit(case_id: CaseId, visit: VisitId, body: bodies.VisitMade, runner: Runner) -> Accepted:
    happened_at = body.happened_at or runner.now()
    return await runner.with_case_lookup(
        case_id, lambda case: commands.make_visit(runner.caller, case_id, visit, body, happened_at, case)
    )


@_commands.post(
    "/{case_id}/visits/{visit}/cancellation",
    summary="Nobody comes after all 取消上门",
    openapi_extra=needs("connection.book-visit"),
)
async def cancel_visit(case_id: CaseId, visit: VisitId, body: bodies.Reason, runner: Runner) -> Accepted:
    return await runner.with_case_lookup(
        case_id, lambda case: commands.cancel_visit(runner.caller, case_id, visit, body, case)
    )


@_commands.post(
    "/{case_id}/deliverables",
    summary="Plan, budget, drawings, contract or invoice went out 送达",
    openapi_extra=needs("connection.deliver"),
)
async def deliver(case_id: CaseId, body: bodies.DeliverableBody, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: visits.deliver(case, ctx, deliverable=body.deliverable, way=body.way, digest=body.digest),
    )


@_commands.post(
    "/{case_id}/deliverables/receipt", summary="It arrived 签收", openapi_extra=needs("connection.confirm-delivery")
)
async def confirm_delivery(case_id: CaseId, body: bodies.DeliverableReceipt, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: visits.confirm_delivery(case, ctx, deliverable=body.deliverable, digest=body.digest),
    )


# ---- pauses


@_commands.post(
    "/{case_id}/pauses", summary="Ask that the clock stand 申请中止", openapi_extra=needs("connection.request-pause")
)
async def request_pause(case_id: CaseId, body: bodies.PauseBody, runner: Runner) -> Accepted:
    return await runner.field(
        case_id,
        body,
        lambda case, ctx: pauses.request(case, ctx, reason=body.reason, evidence_digest=body.evidence_digest),
    )


@_commands.post(
    "/{case_id}/pauses/{pause}/approval",
    summary="A second person approves 批准中止",
    openapi_extra=needs("connection.approve-pause"),
)
async def approve_pause(case_id: CaseId, pause: PauseNumber, body: Nothing, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: pauses.approve(case, ctx, pause=pause))


@_commands.post(
    "/{case_id}/pauses/{pause}/decline",
    summary="A second person declines 不批准中止",
    openapi_extra=needs("connection.approve-pause"),
)
async def decline_pause(case_id: CaseId, pause: PauseNumber, body: Nothing, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: pauses.decline(case, ctx, pause=pause))


@_commands.post(
    "/{case_id}/pauses/{pause}/end",
    summary="The reason fell away 结束中止",
    openapi_extra=needs("connection.end-pause"),
)
async def end_pause(case_id: CaseId, pause: PauseNumber, body: FromTheField, runner: Runner) -> Accepted:
    return await runner.field(case_id, body, lambda case, ctx: pauses.end(case, ctx, pause=pause))


@_commands.post(
    "/{case_id}/pauses/{pause}/revocation",
    summary="It should never have been a pause 撤销中止",
    openapi_extra=needs("connection.revoke-pause"),
)
async def revoke_pause(case_id: CaseId, pause: PauseNumber, body: bodies.Reason, runner: Runner) -> Accepted:
    return await runner.instruct(case_id, lambda case, ctx: pauses.revoke(case, ctx, pause=pause, reason=body.reason))


router.include_router(_commands)
router.include_router(_queries)

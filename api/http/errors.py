"""Errors become answers here, in one table. Every answer is ``application/problem+json`` with a stable code.

A code says which rule said no; ``MEANINGS`` gives its status and its words in English and Chinese. No answer and no log
line repeats a value of a request's body that may be personal: bodies are answered with the field's name alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from eventsourcing.persistence import PersistenceError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.http.trace import note_outcome
from domain.kernel.refusals import Refusal
from infra.eventstore.commands import BusyError, KeyReusedError, StoreUnavailableError
from infra.failures import why_it_cannot_write

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
FIELDS_SHOWN = 20
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,40}(?:[0-9]{1,3}[A-Za-z_-]{0,40}){0,3}")


class FieldProblem(BaseModel):
    """What is wrong with one field; names the field, never its value."""

    field: str = Field(examples=["reporter.phone"])
    problem: str
    problem_zh: str


class Problem(BaseModel):
    """RFC 9457 problem details, with what was found, what was needed and the next step, in English and Chinese."""

    type: str = Field(examples=["urn:tongshui:error:no-such-case"])
    title: str
    status: int
    code: str
    detail: str
    detail_zh: str
    found: str
    needed: str
    next_step: str
    next_step_zh: str
    fields: list[FieldProblem] | None = Field(default=None, description="with bad-body, naive-time, bad-parameter")
    incident: str | None = Field(default=None, description="with internal-error: what to quote to the operator")


@dataclass(frozen=True, slots=True)
class Meaning:
    """The HTTP status of a code, and its words."""

    status: int
    title: str
    title_zh: str
    retry_after_seconds: int | None = None


MEANINGS: Mapping[str, Meaning] = {
    # The rulebook's refusals: an instruction in the wrong state, or something that is taken.
    "case-exists": Meaning(409, "The case exists already", "该案件已存在"),
    "case-closed": Meaning(409, "The case is closed", "工单已关闭"),
    "repair-completed": Meaning(409, "The repair is completed", "抢修已完成"),
    "already-dismissed": Meaning(409, "The incident was dismissed already", "工单已按无需抢修处理"),
    "nothing-to-correct": Meaning(409, "The detail stands so already", "内容一致，无需更正"),
    "no-such-event-type": Meaning(404, "No such type of event", "没有该事件类型"),
    "no-such-evidence": Meaning(404, "No such arrival, completion or restoration", "没有该到场、修复或恢复供水记录"),
    "already-rejected": Meaning(409, "It was rejected already", "该记录已不予认可"),
    "unknown-rejection-reason": Meaning(422, "Unknown reason for rejecting", "未知的不予认可原因"),
    "unknown-dismissal-reason": Meaning(422, "Unknown reason for dismissing", "未知的无需抢修原因"),
    "unknown-detail": Meaning(422, "Unknown detail of an incident", "未知的工单内容项"),
    "unknown-pipe-material": Meaning(422, "Unknown pipe material", "未知的管材"),
    "bad-detail": Meaning(422, "The detail cannot be so", "内容不符合要求"),
    "pipe-unnamed": Meaning(422, "Nothing is said of the pipe", "未填写管段信息"),
    "bad-precision": Meaning(422, "Only imported history may know a time roughly", "仅历史导入可不精确到秒"),
    "unknown-origin": Meaning(422, "Unknown origin of imported history", "未知的历史来源渠道"),
    "reporter-missing": Meaning(422, "The reporter is missing", "缺少报修人"),
    "already-dispatched": Meaning(409, "The crew is on this incident already", "该班组已在本工单"),
    "outage-not-approved": Meaning(409, "The outage is not approved", "停水未经批准"),
    "notice-too-short": Meaning(409, "The notice before the outage is too short", "停水通知提前时间不足"),
    "outage-started": Meaning(409, "The outage has begun already", "已停水"),
    "outage-not-started": Meaning(409, "The outage has not begun", "尚未停水"),
    "outage-cancelled": Meaning(409, "The outage is cancelled", "停水已取消"),
    "unknown-outage-reason": Meaning(422, "Unknown reason for cancelling an outage", "未知的停水取消原因"),
    "notice-ordered": Meaning(409, "The same notice is on its way, or arrived", "同样的通知已在发送或已送达"),
    "no-notice-text": Meaning(409, "The standard has no text for that notice", "标准没有该通知的文本"),
    "unknown-notice": Meaning(422, "A text about what an outage never is", "未知的停水通知情形或占位词"),
    "outage-restored": Meaning(409, "Water flows again already", "已恢复供水"),
    "no-such-notice": Meaning(404, "No such notice", "没有该通知"),
    "mass-declared": Meaning(409, "A mass incident of that code was declared before", "该群发事件代码已使用"),
    "mass-running": Meaning(409, "A mass incident holds in that district", "该片区已有进行中的群发事件"),
    "no-such-mass-incident": Meaning(404, "No such mass incident holds", "没有进行中的该群发事件"),
    "unknown-mass-cause": Meaning(422, "Unknown cause of a mass incident", "未知的群发事件原因"),
    "crew-busy": Meaning(409, "The crew is on another incident", "该班组正在处理其他工单"),
    "crew-elsewhere": Meaning(409, "The crew is not on that incident", "该班组不在所填工单上"),
    "crew-unchanged": Meaning(409, "The crew is as it was", "班组信息未变"),
    "shift-running": Meaning(409, "The crew is at work already", "该班组已在班"),
    "no-shift-running": Meaning(409, "The crew is off work", "该班组未在班"),
    "crew-not-formed": Meaning(409, "Nobody has put that crew together", "该班组尚未组建"),
    "unknown-skill": Meaning(422, "Unknown skill", "未知的技能"),
    "unknown-decline-reason": Meaning(422, "Unknown reason for declining", "未知的拒单原因"),
    "already-assessed": Meaning(409, "The repair is assessed already", "已定级"),
    "not-assessed": Meaning(409, "The repair is not assessed", "尚未定级"),
    "not-on-site": Meaning(409, "Nobody was on site by then", "当时尚未到场"),
    "same-severity": Meaning(409, "The repair has that class", "等级未变更"),
    "same-crew": Meaning(422, "A hand-over needs two crews", "交接班须为两个班组"),
    "unknown-work-note": Meaning(422, "Unknown note of work", "未知的作业内容"),
    "not-user-side": Meaning(409, "The fault is not behind the meter", "非表后故障"),
    "consent-missing": Meaning(409, "The user has not consented", "用户尚未同意"),
    "service-started": Meaning(409, "The paid service has begun", "有偿服务已开始"),
    "incident-not-over": Meaning(409, "The incident goes on", "抢修尚未结束"),
    "no-answer-text": Meaning(409, "The standard has no text for this", "标准缺少回复文本"),
    "answer-ordered": Meaning(409, "The same answer was ordered already", "同样的回复已下达"),
    "no-such-order": Meaning(404, "No such order", "没有该热线工单"),
    "order-known": Meaning(409, "The order was taken in before", "该热线工单已受理"),
    "order-replied": Meaning(409, "The order was replied to", "该热线工单已回复"),
    "unknown-order-source": Meaning(422, "Unknown source of an order", "未知的工单来源"),
    "no-such-window": Meaning(404, "The case has no such window", "该案件没有这项时限"),
    "nothing-to-acknowledge": Meaning(409, "Nothing there that somebody could take in hand", "没有需要确认接手的事项"),
    "already-acknowledged": Meaning(409, "Somebody has it in hand already", "已有人确认接手"),
    "person-needed": Meaning(422, "Who takes it in hand must say who they are", "须填写接手人工号"),
    "nobody-called": Meaning(422, "A ladder after a lapse that calls nobody", "超时无通知对象，不能设升级"),
    "no-such-report": Meaning(404, "No such report", "没有该报修"),
    "incident-merged": Meaning(409, "The incident goes on in another case", "工单已并入其他工单"),
    "same-incident": Meaning(422, "An incident is not merged with itself", "不能并入自身"),
    "work-begun": Meaning(409, "A crew has been on site", "已有班组到场，不可并单"),
    "first-report": Meaning(409, "The first report stays with its incident", "首次报修不可拆分"),
    "second-person-needed": Meaning(409, "A second person is needed", "须由第二人核实"),
    "verdict-settled": Meaning(409, "The verdict is settled: a second person is needed", "判定已定案，须由第二人核实"),
    "repair-not-completed": Meaning(409, "The repair is not completed", "抢修尚未完成"),
    "water-not-restored": Meaning(409, "Water is not restored", "尚未恢复供水"),
    "already-admitted": Meaning(409, "The application is admitted already", "该申请已受理"),
    "not-admitted": Meaning(409, "The application is not admitted", "该申请尚未受理"),
    "already-on": Meaning(409, "The supply point has water already", "该用水点已通水"),
    "meter-already-in-service": Meaning(
        409, "The meter is in service at another supply point", "该水表已在其他用水点使用"
    ),
    # The rulebook's refusals: nothing there.
    "no-such-case": Meaning(404, "No such case", "没有该案件"),
    "no-such-supply-point": Meaning(404, "No such supply point", "没有该用水点"),
    # The rulebook's refusals: a value that the rules do not know or allow.
    "unknown-fault-kind": Meaning(422, "Unknown kind of fault", "未知的故障类型"),
    "unknown-district": Meaning(422, "Unknown district", "未知的片区"),
    "unknown-applicant-category": Meaning(422, "Unknown category of applicant", "未知的申请人类别"),
    "supply-points-out-of-range": Meaning(422, "Number of supply points out of range", "用水点数量超出范围"),
    "future-time": Meaning(422, "A time in the future", "时间晚于当前时间"),
    "dates-out-of-order": Meaning(422, "Dates out of order", "日期先后颠倒"),
    "meter-not-verified": Meaning(422, "The meter has no valid verification", "水表检定不在有效期内"),
    "event-too-large": Meaning(413, "The event would be too large", "事件内容过大"),
    "wrong-role": Meaning(403, "The role may not do this", "该岗位无此权限"),
    "same-person": Meaning(409, "A second person is needed", "须由第二人办理"),
    # Meters, and abnormal use of water.
    "meter-not-in-service": Meaning(409, "The meter is not in service there", "水表不在该用水点"),
    "unknown-replacement-reason": Meaning(422, "Not a reason to replace a meter", "不是换表原因"),
    "meter-not-in-book": Meaning(409, "The meter is not in the book", "水表不在该表册"),
    "no-such-reading": Meaning(404, "No such reading", "没有该读数"),
    "anomaly-pending": Meaning(
        409, "The case of abnormal use is being opened", "用量异常正在建立", retry_after_seconds=2
    ),
    "bad-month": Meaning(422, "Not a month", "月份格式不正确"),
    "unknown-reading-exception": Meaning(422, "Not a reason for an exception", "不是抄表例外原因"),
    "usage-closed": Meaning(409, "The case of abnormal use is over", "该用量异常已办结"),
    "user-not-told": Meaning(409, "The user was not told", "尚未告知用户"),
    "evidence-missing": Meaning(422, "Evidence is missing", "缺少佐证"),
    "unknown-dismissal": Meaning(422, "Not a reason to dismiss it", "不是可排除的原因"),
    "unknown-usage-outcome": Meaning(422, "Unknown outcome", "未知的处理结果"),
    "unknown-leak-finding": Meaning(422, "Unknown finding", "未知的查漏结果"),
    # What is published: standards, calendars, the fee catalogue.
    "no-such-message": Meaning(404, "No such message was given up", "没有该失败消息"),
    "no-such-draft": Meaning(404, "No such draft", "没有该草案"),
    "version-used": Meaning(409, "The version stands for another document", "该版本号已被使用"),
    "review-missing": Meaning(409, "A review is missing", "缺少主管部门审核"),
    "review-objected": Meaning(409, "An authority objected", "主管部门有异议"),
    "review-unchanged": Meaning(409, "The opinion is on record already", "该审核意见已登记"),
    "calendar-unchanged": Meaning(409, "The calendar has these days already", "日历没有变化"),
    "beyond-the-promise": Meaning(409, "More than the public was promised", "超出公开承诺"),
    "promise-changed-in-silence": Meaning(409, "A promise changed under its old name", "承诺变更未以新版本公开"),
    "bad-version": Meaning(422, "Not a version's name", "版本号格式不符"),
    "bad-text": Meaning(422, "A text is too long or not visible", "文字不符合要求"),
    "bad-code": Meaning(422, "Not a code", "代码格式不符"),
    "code-twice": Meaning(422, "A code is given twice", "代码重复"),
    "bad-day": Meaning(422, "Not a day of the year", "日期格式不符"),
    "intake-unclear": Meaning(422, "Intake hours in which nobody takes anything in", "收件时间不明确"),
    "unknown-stage": Meaning(422, "Unknown stage of a connection", "未知的办理环节"),
    "unknown-time-zone": Meaning(422, "Unknown time zone", "未知的时区"),
    "day-twice": Meaning(422, "A day is given twice", "日期重复"),
    "table-empty": Meaning(422, "A table is empty", "内容为空"),
    "out-of-range": Meaning(422, "A number out of range", "数值超出范围"),
    "effective-in-the-past": Meaning(422, "In force before it is public", "生效时间早于公布时间"),
    "settled-goes-back": Meaning(422, "Fewer settled days than before", "已确定的日期减少"),
    "year-skipped": Meaning(422, "A year is left out", "年份不连续"),
    "promise-missing": Meaning(422, "No promise in the standard", "标准缺少公开承诺"),
    "category-incomplete": Meaning(422, "A category of applicant is incomplete", "申请人类别不完整"),
    "catch-all-document": Meaning(422, "Catch-all wording for a document", "材料名称使用兜底表述"),
    "no-main-document": Meaning(422, "No main document", "缺少主要材料"),
    "desk-without-owner": Meaning(422, "A desk that nobody owns", "岗位无专人负责"),
    "rung-unclear": Meaning(422, "When a rung is reached is not clear", "提醒时间不明确"),
    "power-missing": Meaning(422, "A power that nobody has", "权限未授予任何岗位"),
    "unknown-power": Meaning(422, "Unknown power", "未知的权限"),
    "unknown-commitment": Meaning(422, "Unknown commitment", "未知的承诺事项"),
    "unknown-desk": Meaning(422, "Unknown desk", "未知的岗位"),
    "unknown-document-way": Meaning(422, "Unknown way to meet a document", "未知的材料提交方式"),
    "unknown-zone": Meaning(422, "Unknown zone", "未知的区域"),
    "unknown-severity": Meaning(422, "Unknown class of repair", "未知的维修等级"),
    "unknown-outcome": Meaning(422, "Unknown outcome of a review", "未知的审核结论"),
    "unknown-payer-class": Meaning(422, "Unknown payer class", "未知的缴费类别"),
    "bad-ban": Meaning(422, "A forbidden name that is not usable", "禁收名目不符合要求"),
    "fee-without-basis": Meaning(422, "A fee without a name or a legal basis", "收费项目缺少名称或依据"),
    "fee-of-unknown-line": Meaning(422, "A formula that cannot be computed", "计费公式无法计算"),
    # Fees, when something is charged.
    "fee-banned": Meaning(409, "The law forbids this charge", "该名目依法禁止收取"),
    "fee-not-in-catalogue": Meaning(409, "The charge is not in the catalogue", "收费目录中没有该项"),
    "fee-switched-off": Meaning(409, "The fee is switched off", "该项已停止收取"),
    "fee-not-valid": Meaning(409, "The fee is not valid on this day", "该项不在有效期内"),
    "fee-not-for-payer": Meaning(409, "The fee is not for this payer", "该项不适用于该类用户"),
    "fee-twice": Meaning(422, "A fee on two lines", "收费项目重复"),
    "bad-quantity": Meaning(422, "Not a quantity of the fee", "数量不符合要求"),
    "base-line-missing": Meaning(422, "The line that the fee is a part of is missing", "缺少计费基数项"),
    "nothing-to-charge": Meaning(422, "Nothing to charge", "没有收费项目"),
    # Squads.
    "roster-unchanged": Meaning(409, "The squad has these members already", "专班人员未变"),
    "squad-not-formed": Meaning(409, "The squad is not formed", "该专班尚未组建"),
    "member-elsewhere": Meaning(409, "A member is in another squad", "该人员已在其他专班"),
    "visits-overlap": Meaning(409, "The squad is taken at that time", "该专班此时段已有上门"),
    "visit-already-booked": Meaning(409, "The visit is booked already", "该上门已预约"),
    "visit-done": Meaning(409, "The visit was made", "该上门已完成"),
    "no-such-visit": Meaning(404, "No such visit", "没有该上门预约"),
    "unknown-squad": Meaning(422, "Unknown squad", "未知的专班"),
    "no-members": Meaning(422, "A squad without members", "专班没有成员"),
    "member-twice": Meaning(422, "A member named twice", "成员重复"),
    "visit-over-midnight": Meaning(422, "A visit over midnight", "上门跨日"),
    "visit-in-the-past": Meaning(422, "A visit in the past", "上门时间已过"),
    # Before applying, and works for the community.
    "unknown-topic": Meaning(422, "Unknown topic", "未知的咨询事项"),
    "unknown-preservice": Meaning(422, "Unknown service ahead of building", "未知的前置服务"),
    "unknown-deliverable": Meaning(422, "Unknown deliverable", "未知的交付资料"),
    "companies-only": Meaning(422, "For companies only", "仅面向企业和单位"),
    "already-given": Meaning(409, "It was given already", "该资料已提供"),
    "unknown-works-kind": Meaning(422, "Unknown kind of works", "未知的工程类别"),
    "work-started": Meaning(409, "The work has begun already", "该工程已开工"),
    "work-not-started": Meaning(409, "The work has not begun", "该工程尚未开工"),
    "work-completed": Meaning(409, "The work is done already", "该工程已竣工"),
    # Connections: an instruction in the wrong state, or nothing to do.
    "case-stopped": Meaning(409, "The case is stopped", "案件已终止或暂停"),
    "all-on": Meaning(409, "Every supply point has water", "已全部通水"),
    "water-is-on": Meaning(409, "Water is on at a supply point", "已有用水点通水"),
    "owner-unchanged": Meaning(409, "The same person answers for the case already", "经办人未变"),
    "document-in": Meaning(409, "The document is in already", "该材料已提交"),
    "document-not-in": Meaning(409, "The document is not in", "该材料尚未提交"),
    "notice-given": Meaning(409, "The one-time notice was given already", "一次性告知已出具"),
    "nothing-missing": Meaning(409, "Nothing is missing", "材料齐全"),
    "nothing-looked-at": Meaning(409, "Nobody looked at the papers yet", "尚未受理或告知"),
    "already-asked": Meaning(409, "It was asked for already", "此前已告知"),
    "already-visible": Meaning(409, "It could have been seen the first time", "首次未告知的事项不得再要求"),
    "barred": Meaning(409, "An earlier broken commitment bars the applicant", "存在未修复的失信承诺"),
    "outstanding-declined": Meaning(409, "The applicant wants no papers outstanding", "申请人不选择容缺受理"),
    "commitment-running": Meaning(409, "A commitment is running", "已有容缺承诺"),
    "commitment-not-broken": Meaning(409, "No commitment was broken", "没有失信承诺"),
    "commitment-repaired": Meaning(409, "The commitment is repaired already", "信用已修复"),
    "papers-missing": Meaning(409, "Papers are missing", "材料不齐"),
    "not-stopped": Meaning(409, "The case is under way", "案件正在办理"),
    "not-surveyed": Meaning(409, "The site is not surveyed", "尚未勘察"),
    "not-feasible": Meaning(409, "Water cannot be laid there so", "现场不具备接水条件"),
    "not-designed": Meaning(409, "The design is not approved", "设计未审批"),
    "visit-over": Meaning(409, "The visit is over", "该上门已结束"),
    "other-squad": Meaning(409, "Another squad has the visit", "该上门由其他专班负责"),
    "visit-unchanged": Meaning(409, "The visit stands as it is", "上门安排未变"),
    "construction-started": Meaning(409, "Work has begun already", "已开工"),
    "construction-not-started": Meaning(409, "Work has not begun", "尚未开工"),
    "construction-completed": Meaning(409, "The pipe is laid already", "已完工"),
    "construction-not-completed": Meaning(409, "The pipe is not laid", "尚未完工"),
    "already-inspected": Meaning(409, "The inspection was passed already", "验收已合格"),
    "not-inspected": Meaning(409, "The final inspection is not passed", "尚未验收合格"),
    "meter-already-installed": Meaning(409, "The supply point has a meter already", "该用水点已装表"),
    "meter-missing": Meaning(409, "The supply point has no meter", "该用水点尚未装表"),
    # Once water is on: another class, customer or name.
    "water-not-on": Meaning(409, "The supply point has no water yet", "该用水点尚未通水"),
    "class-unchanged": Meaning(409, "The water is used so already", "用水性质未变"),
    "customer-unchanged": Meaning(409, "The supply point is this customer's already", "用户未变"),
    "name-unchanged": Meaning(409, "The customer has this name already", "户名未变"),
    "contract-unchanged": Meaning(409, "The contract is the former customer's", "供用水合同仍为原用户合同"),
    "unknown-class-change": Meaning(422, "Not a reason to change the class", "不是用水性质变更原因"),
    "unknown-customer-change": Meaning(422, "Not a reason to change the customer", "不是过户原因"),
    "too-far-ahead": Meaning(422, "It would be in force too far ahead", "生效时间过远"),
    "reading-before-it-is-due": Meaning(422, "A reading of a day that has not come", "读数时间尚未到来"),
    "no-catalogue": Meaning(409, "No fee catalogue is in force", "没有生效的收费目录"),
    "no-payer-class": Meaning(409, "No payer class for this category", "未规定缴费类别"),
    "quote-raised": Meaning(409, "What was signed and paid on does not grow dearer", "已签约缴费，不得提高收费"),
    "not-quoted": Meaning(409, "The charge is no line of the quote", "报价中没有该项"),
    "already-quoted": Meaning(409, "The charge is a line of the quote", "该项已在报价内"),
    "no-quote": Meaning(409, "There is no quote", "尚未出具报价"),
    "contract-signed": Meaning(409, "The contract is signed already", "该报价已签约"),
    "not-contracted": Meaning(409, "There is no contract for the quote in force", "尚未签约"),
    "not-paid": Meaning(409, "The quote is not paid in full", "费用未缴清"),
    "payment-number-used": Meaning(409, "The payment's number is on record already", "缴费单号已登记"),
    "refund-number-used": Meaning(409, "The refund's number is on record already", "退费单号已登记"),
    "overpaid": Meaning(409, "More than is left to pay", "超出应缴金额"),
    "already-reversed": Meaning(409, "It is reversed already", "已冲正"),
    "refunded-already": Meaning(409, "A refund of it stands", "该款已退"),
    "refund-too-large": Meaning(409, "More than can be refunded", "超出可退金额"),
    "not-sent": Meaning(409, "It was not sent", "未曾送达"),
    "already-confirmed": Meaning(409, "Its receipt is confirmed already", "已签收"),
    "pause-open": Meaning(409, "A pause for the same reason is open", "同一原因的中止尚未结束"),
    "pause-decided": Meaning(409, "The pause is decided already", "该中止已审批"),
    "pause-not-open": Meaning(409, "The pause is over", "该中止已结束"),
    "pause-not-approved": Meaning(409, "The pause does not count", "该中止未生效"),
    # Connections: nothing there.
    "no-such-payment": Meaning(404, "No such payment", "没有该缴费"),
    "no-such-refund": Meaning(404, "No such refund", "没有该退费"),
    "no-such-pause": Meaning(404, "No such pause", "没有该中止"),
    # Connections: a value that the rules do not know or allow.
    "unknown-owner": Meaning(422, "Unknown owner", "未知的经办人"),
    "unknown-place": Meaning(422, "Unknown place", "未知的地点"),
    "unknown-purpose": Meaning(422, "Unknown purpose", "未知的事由"),
    "unknown-reason": Meaning(422, "Unknown reason", "未知的原因"),
    "unknown-document": Meaning(422, "Not a document that is owed", "不在应交材料之列"),
    "unknown-defect": Meaning(422, "Unknown defect", "未知的缺陷"),
    "unknown-finding": Meaning(422, "Unknown finding", "未知的勘察结果"),
    "unknown-way": Meaning(422, "Unknown way of delivery", "未知的送达方式"),
    "unknown-pause-reason": Meaning(422, "Not a reason for a pause", "不是可中止的原因"),
    "unknown-price-class": Meaning(422, "Unknown price class", "未知的水价类别"),
    "points-do-not-match": Meaning(422, "Supply points do not match their descriptions", "用水点数量不符"),
    "usage-split-not-whole": Meaning(422, "The shares of use do not sum to 100", "用水比例之和不为 100%"),
    "way-not-allowed": Meaning(422, "The document cannot be met that way", "该材料不支持此提交方式"),
    "digest-missing": Meaning(422, "An upload without its digest", "上传缺少文件摘要"),
    "named-twice": Meaning(422, "Named twice", "重复列出"),
    "notice-incomplete": Meaning(422, "The notice leaves something out", "一次性告知不完整"),
    "not-deferrable": Meaning(422, "A main document cannot be outstanding", "主要材料不可容缺"),
    "deadline-past": Meaning(422, "The deadline has passed", "承诺期限已过"),
    "deadline-too-late": Meaning(422, "The deadline is too late", "承诺期限过晚"),
    "findings-missing": Meaning(422, "Not feasible, without a finding", "缺少勘察结果"),
    "defects-do-not-match": Meaning(422, "Outcome and defects do not match", "验收结论与缺陷不符"),
    "amount-out-of-range": Meaning(422, "Not an amount of money", "金额不符合要求"),
    "nothing-to-pay": Meaning(422, "No line of money", "没有金额项"),
    "pause-too-late": Meaning(422, "The pause is asked for too late", "中止申请已超时"),
    # The edge's own.
    "not-json": Meaning(400, "The body is not JSON", "请求内容不是有效的 JSON"),
    "bad-header": Meaning(400, "A header is not acceptable", "请求头不符合要求"),
    "bad-cursor": Meaning(400, "The place in the stream is not readable", "无法识别的读取位置"),
    "bad-request": Meaning(400, "The request cannot be read", "无法识别的请求"),
    "not-loopback": Meaning(403, "Only this machine may ask", "仅允许本机访问"),
    "no-such-path": Meaning(404, "No such path", "没有该路径"),
    "method-not-allowed": Meaning(405, "Method not allowed", "不支持该方法"),
    "busy": Meaning(409, "Others kept changing the case", "该案件正被他人修改", retry_after_seconds=1),
    "body-too-large": Meaning(413, "The body is too large", "请求内容过大"),
    "wrong-content-type": Meaning(415, "Wrong content type", "请求内容类型错误"),
    "wrong-host": Meaning(421, "Asked under a foreign name", "主机名不符"),
    "bad-body": Meaning(422, "The body does not have the form that is needed", "请求内容不符合要求"),
    "naive-time": Meaning(422, "A time without its offset from UTC", "时间缺少时区"),
    "bad-parameter": Meaning(422, "A parameter does not have the form that is needed", "参数不符合要求"),
    "unknown-role": Meaning(422, "Unknown role", "未知的角色"),
    "unknown-channel": Meaning(422, "Unknown channel", "未知的渠道"),
    "unknown-region": Meaning(422, "No calendar for this region", "没有该地区的工作日历"),
    "outside-calendar": Meaning(422, "Outside the calendar", "超出工作日历范围"),
    "idempotency-key-reused": Meaning(422, "The idempotency key stands for another request", "幂等键已用于其他请求"),
    "internal-error": Meaning(500, "Something unforeseen happened", "系统内部错误"),
    "readings-unavailable": Meaning(503, "Kafka does not take readings", "暂不能接收读数", retry_after_seconds=2),
    "store-unavailable": Meaning(503, "The store does not answer", "存储暂不可用", retry_after_seconds=2),
    "store-cannot-write": Meaning(503, "The store cannot write", "存储无法写入", retry_after_seconds=10),
    "too-many-streams": Meaning(503, "Too many open streams", "事件流连接过多", retry_after_seconds=10),
}
UNFORESEEN = Meaning(409, "Refused", "被拒绝")
"""Of a refusal that nobody entered above; a test sees to it that there is none."""


class ApiError(Exception):
    """A request that the edge itself turns away, under one of the codes of ``MEANINGS``."""

    def __init__(
        self,
        code: str,
        *,
        found: str,
        needed: str,
        next_step: str,
        next_step_zh: str,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        incident: str | None = None,
    ) -> None:
        super().__init__(f"{code}: found {found}; needed {needed}; {next_step}")
        self.code = code
        self.found = found
        self.needed = needed
        self.next_step = next_step
        self.next_step_zh = next_step_zh
        self.fields = tuple(fields)
        self.headers = dict(headers or {})
        self.incident = incident


def answer(error: ApiError) -> JSONResponse:
    """The problem+json answer."""
    meaning = MEANINGS.get(error.code, UNFORESEEN)
    problem = Problem(
        type=f"urn:tongshui:error:{error.code}",
        title=meaning.title,
        status=meaning.status,
        code=error.code,
        detail=f"{meaning.title}: found {error.found}; needed {error.needed}. Next: {error.next_step}.",
        detail_zh=f"{meaning.title_zh}。{error.next_step_zh}。",
        found=error.found,
        needed=error.needed,
        next_step=error.next_step,
        next_step_zh=error.next_step_zh,
        fields=list(error.fields) or None,
        incident=error.incident,
    )
    headers = {"Cache-Control": "no-store", **error.headers}
    if meaning.retry_after_seconds is not None:
        headers["Retry-After"] = str(meaning.retry_after_seconds)
    return JSONResponse(problem.model_dump(exclude_none=True), meaning.status, headers, media_type=PROBLEM_JSON)


# ---- what each kind of exception is


def _refusal(error: Refusal) -> ApiError:
    return ApiError(
        error.code,
        found=error.found,
        needed=error.needed,
        next_step=error.next_step,
        next_step_zh=error.next_step_zh,
    )


def _key_reused(error: KeyReusedError) -> ApiError:
    return ApiError(
        "idempotency-key-reused",
        found="a key that was accepted with another request",
        needed="one key for one request, repeated byte for byte",
        next_step="send a new request under a new key",
        next_step_zh="请为新的请求使用新的幂等键",
    )


def _busy(error: BusyError) -> ApiError:
    return ApiError(
        "busy",
        found="a case that was changed by others at every try",
        needed="a moment of quiet",
        next_step="send the same request again, under the same key if it had one",
        next_step_zh="请稍后以同一幂等键重试",
    )


def store_unavailable() -> ApiError:
    """PostgreSQL is away: what a command or a query is answered with."""
    return ApiError(
        "store-unavailable",
        found="no answer from PostgreSQL in time",
        needed="the store",
        next_step="send the same request again in a moment; with an idempotency key it cannot be done twice",
        next_step_zh="请稍后重试；带幂等键的请求不会重复执行",
    )


def store_cannot_write(why: str) -> ApiError:
    """PostgreSQL answers and writes nothing, for example on a full disk: the answer to a command, and to /healthz."""
    return ApiError(
        "store-cannot-write",
        found=why,
        needed="a PostgreSQL that can write",
        next_step="make room on its disk, or see why it is read-only; then it goes on by itself, and a request that is "
        "sent again under its idempotency key is not done twice",
        next_step_zh="请清理数据库磁盘空间或排查只读原因，恢复后自动继续；带幂等键的请求可安全重试",
    )


def _store_unavailable(error: Exception) -> ApiError:
    if why := why_it_cannot_write(error):
        log.warning("the store cannot write: %s", why)
        return store_cannot_write(why)
    log.warning("the store is away: %s", type(error).__name__)
    return store_unavailable()


def _http(error: HTTPException) -> ApiError:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return ApiError(
            "no-such-path",
            found="a path that this service does not have",
            needed="one of the paths of /openapi.json",
            next_step="look the path up at /docs",
            next_step_zh="请在 /docs 查询接口路径",
        )
    if error.status_code == 405:
        allowed = headers.get("Allow") or headers.get("allow") or "another method"
        return ApiError(
            "method-not-allowed",
            found="a method that this path does not have",
            needed=allowed,
            next_step="use the method that /docs names for this path",
            next_step_zh="请按 /docs 使用正确的方法",
            headers=headers,
        )
    return ApiError(
        "bad-request",
        found=f"a request that HTTP itself refuses with {error.status_code}",
        needed="a request as /openapi.json describes it",
        next_step="compare the request with /docs",
        next_step_zh="请对照 /docs 检查请求",
        headers=headers,
    )


_ZH = {
    "missing": "缺少该字段",
    "extra_forbidden": "没有该字段",
    "string_type": "应为文本",
    "int_type": "应为整数",
    "bool_type": "应为 true 或 false",
    "string_too_long": "过长",
    "string_too_short": "过短",
    "string_pattern_mismatch": "格式不符",
    "greater_than_equal": "过小",
    "less_than_equal": "过大",
    "literal_error": "不在可选值之内",
    "naive_time": "时间须带时区，例如 2026-02-13T09:00:00+08:00",
    "empty_text": "不能为空",
    "control_character": "含有不可见字符",
    "bad_time": "时间格式应为 RFC 3339",
    "bad_date": "日期格式应为 年-月-日",
    "bad_amount": "数量格式不符",
    "long_number": "不得含有超过五位的数字",
    "reading_beyond_dial": "初始读数超出表盘量程",
}


def field_path(location: Sequence[Any]) -> str:
    """``reporter.phone``. A name that does not look like one of ours is not repeated: it may hold anything."""
    names = [str(part) for part in location]
    return ".".join(name if FIELD_NAME.fullmatch(name) else "(not repeated)" for name in names)


def _validation(error: RequestValidationError) -> ApiError:
    errors = error.errors()[:FIELDS_SHOWN]
    where = str(errors[0]["loc"][0])
    fields = [
        FieldProblem(
            field=field_path(e["loc"][1:]) or "(whole body)",
            problem=str(e["msg"]).removeprefix("Value error, "),
            problem_zh=_ZH.get(str(e["type"]), "不符合要求"),
        )
        for e in errors
    ]
    named = ", ".join(dict.fromkeys(f"{field.field} ({field.problem})" for field in fields))
    if where == "body":
        code = "naive-time" if all(e["type"] == "naive_time" for e in errors) else "bad-body"
    else:
        code = "bad-header" if where == "header" else "bad-parameter"
    return ApiError(
        code,
        found=named,
        needed="what /openapi.json describes for this request",
        next_step="correct the named fields and send again",
        next_step_zh="请更正：" + "，".join(dict.fromkeys(f"{f.field}（{f.problem_zh}）" for f in fields)),
        fields=fields,
    )


AS_ERROR: tuple[tuple[type[Exception], Callable[[Any], ApiError]], ...] = (
    (ApiError, lambda error: error),
    (Refusal, _refusal),
    (KeyReusedError, _key_reused),
    (BusyError, _busy),
    (StoreUnavailableError, _store_unavailable),
    (psycopg.OperationalError, _store_unavailable),
    (psycopg.InterfaceError, _store_unavailable),
    (PersistenceError, _store_unavailable),
    (HTTPException, _http),
    (RequestValidationError, _validation),
)
"""Which exception is answered how. What is not listed is ours to mend: ``api.http.access_log`` answers it with
internal-error."""


def as_api_error(error: Exception) -> ApiError | None:
    """The row of the table above for an exception; None where there is none."""
    return next((shaped(error) for kind, shaped in AS_ERROR if isinstance(error, kind)), None)


def install(app: FastAPI) -> None:
    """Answer by the same table what is raised outside of our routes: unknown paths, methods, files."""
    for kind in (ApiError, HTTPException):
        app.add_exception_handler(kind, _handle)


def _handle(request: Request, error: Exception) -> JSONResponse:
    api_error = as_api_error(error)
    assert api_error is not None, "installed for kinds that the table lists"
    note_outcome(request.scope, api_error.code)
    return answer(api_error)

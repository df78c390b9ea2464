"""What the fields of forms are called in both languages, and which codes there are to choose from.

The codes themselves, with their Chinese names, are data of the standard in force; words that the API's document lists
(``enum``) are named here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.pages.english import in_both
from domain.kernel.facts import Name
from domain.standard.fees import CataloguePublished
from domain.standard.standards import Standard
from projections import names

_LABELS: Mapping[str, tuple[str, str]] = {
    "account": ("账户", "account"),
    "accepted": ("用户是否接受", "did they accept"),
    "actor": ("人员编号", "account"),
    "address": ("地址", "address"),
    "affected_users": ("影响户数", "users affected"),
    "amount_fen": ("金额（元）", "amount in yuan"),
    "applicant": ("申请人", "applicant"),
    "applicant.address": ("用水地址", "address of the water"),
    "applicant.id_number": ("证件号码", "number of the identity document"),
    "applicant.name": ("姓名或单位名称", "name of the person or company"),
    "applicant.phone": ("联系电话", "telephone"),
    "approval": ("批准文号", "number of the approval"),
    "asset": ("管段编号", "pipe's number"),
    "begin": ("开始时间", "from"),
    "body": ("内容", "content"),
    "book": ("抄表册", "meter route"),
    "by": ("复核方式", "how it was looked at"),
    "case_id": ("所涉案件", "case that it is about"),
    "case_number": ("案件编号", "number of the case"),
    "complainant": ("投诉人", "who complains"),
    "complainant.name": ("姓名", "name"),
    "complainant.phone": ("电话", "telephone"),
    "category": ("申请人类别", "kind of applicant"),
    "cause": ("原因", "cause"),
    "charge": ("收费代码", "charge"),
    "code": ("验证码", "code"),
    "commitment_digest": ("签名的承诺书", "the signed commitment"),
    "community": ("小区代码", "community"),
    "consent_digest": ("用户签字的同意书", "the user's signed consent"),
    "consultation": ("此前的咨询", "consultation before"),
    "contract": ("合同编号", "contract's number"),
    "crew": ("班组", "crew"),
    "customer": ("新用户", "new customer"),
    "customer.address": ("地址", "address"),
    "customer.id_number": ("证件号码", "number of the identity document"),
    "customer.name": ("姓名或单位名称", "name of the person or company"),
    "customer.phone": ("联系电话", "telephone"),
    "deadline": ("补齐期限", "day until which they come"),
    "declined_outstanding": ("不选择容缺受理", "no papers outstanding wanted"),
    "defect": ("问题", "what is wrong"),
    "defects": ("不合格项", "defects"),
    "deliverable": ("交付物", "deliverable"),
    "detail": ("更正项目", "detail"),
    "digest": ("文件", "file"),
    "district": ("片区", "district"),
    "districts": ("片区", "districts"),
    "dn_mm": ("口径（毫米）", "nominal diameter in mm"),
    "document": ("文件编号", "document's number"),
    "document_digest": ("依据文件", "document that it rests on"),
    "documents": ("材料", "documents"),
    "documents.digest": ("文件或照片", "file or photograph"),
    "documents.document": ("材料名称", "document"),
    "documents.way": ("提交方式", "how it came"),
    "drawing_digest": ("设计图", "drawing"),
    "due_on": ("完成日期", "due on"),
    "effective_at": ("生效时间", "in effect from"),
    "effective_from": ("生效时间", "in effect from"),
    "end": ("结束时间", "until"),
    "event_id": ("所指记录", "the fact that is meant"),
    "evidence": ("到场证据", "evidence of the arrival"),
    "evidence.accuracy_m": ("定位精度（米）", "accuracy in metres"),
    "evidence.distance_m": ("距离（米）", "distance in metres"),
    "evidence.fix": ("手机定位", "position of the phone"),
    "evidence.fix.accuracy_m": ("精度（米）", "accuracy in metres"),
    "evidence.fix.latitude": ("纬度", "latitude"),
    "evidence.fix.longitude": ("经度", "longitude"),
    "evidence.inside_geofence": ("在现场范围内", "inside the geofence"),
    "evidence.photo_digest": ("现场照片", "photograph of the site"),
    "evidence_digest": ("证明文件或照片", "proof, a file or a photograph"),
    "expected_at": ("预计到场时间", "expected at"),
    "expires_on": ("检定有效期至", "verified until"),
    "extent": ("停水范围说明", "extent"),
    "feasible": ("具备供水条件", "can it be supplied"),
    "final_reading_m3": ("旧表止码（立方米）", "last reading of the old meter in m³"),
    "finding": ("查漏结果", "what the search found"),
    "findings": ("勘察结论", "findings"),
    "fire_affected": ("影响消防用水", "does it affect fire hydrants"),
    "from_crew": ("交班班组", "crew that hands over"),
    "ground": ("理由", "ground"),
    "happened_at": ("发生时间", "when it happened"),
    "household_size": ("家庭人口", "people of the household"),
    "households_served": ("受益户数", "households served"),
    "identity_check": ("身份核验方式", "how the identity was checked"),
    "incident": ("相关抢修工单", "incident"),
    "initial_reading_m3": ("起码（立方米）", "first reading in m³"),
    "into": ("并入的工单", "incident that it belongs to"),
    "items": ("缺少或有误的材料", "what is missing or wrong"),
    "items.defect": ("问题", "what is wrong"),
    "items.document": ("材料", "document"),
    "kind": ("故障类型", "kind of fault"),
    "laid_in": ("敷设年份", "year in which it was laid"),
    "lapse": ("第几次超时", "which lapse"),
    "lead": ("班组长", "lead"),
    "lines": ("收费项目", "fees"),
    "lines.amount_fen": ("金额（元）", "amount in yuan"),
    "lines.fee": ("项目", "fee"),
    "lines.quantity": ("数量", "quantity"),
    "litres": ("水量（升）", "litres"),
    "login": ("账号", "account"),
    "mass": ("群发事件代码", "code of the mass incident"),
    "material": ("管材", "material"),
    "members": ("成员", "members"),
    "meter": ("水表", "meter"),
    "meter.body_code": ("表身号", "mark on its body"),
    "meter.dial_max_m3": ("满量程（立方米）", "full dial in m³"),
    "meter.dn_mm": ("口径（毫米）", "nominal diameter in mm"),
    "meter.expires_on": ("检定有效期至", "verified until"),
    "meter.initial_reading_m3": ("起码（立方米）", "first reading in m³"),
    "meter.number": ("水表编号", "meter's number"),
    "meter.q3_m3h": ("常用流量 Q3（立方米/时）", "flow rate Q3 in m³/h"),
    "meter.verified_on": ("检定日期", "verified on"),
    "meters": ("水表", "meters"),
    "month": ("月份", "month"),
    "name": ("姓名", "name"),
    "name_zh": ("名称", "name"),
    "new": ("更正为", "right value"),
    "note": ("作业内容", "what was done"),
    "notice": ("第几份通知", "which notice"),
    "number": ("编号", "number"),
    "old": ("原值", "value that stands there"),
    "order": ("热线工单", "order of the hotline"),
    "order.number": ("工单号", "order's number"),
    "order.reply_by": ("要求答复时间", "reply by"),
    "order.source": ("来源", "source"),
    "origin": ("历史来源", "how its source was told"),
    "outcome": ("处理结果", "outcome"),
    "owner": ("专办人员", "case owner"),
    "papers": ("后补材料", "papers that come later"),
    "papers_collected": ("带回的材料", "papers taken along"),
    "passed": ("验收合格", "did it pass"),
    "password": ("密码", "password"),
    "bearer": ("程序使用", "for a program"),
    "payment": ("收款流水号", "payment's number"),
    "phone": ("电话", "telephone"),
    "place": ("到场地点", "place"),
    "place.latitude": ("纬度", "latitude"),
    "place.longitude": ("经度", "longitude"),
    "places": ("敏感场所", "kinds of place affected"),
    "point": ("供水点", "point of supply"),
    "points": ("用水点", "places that want water"),
    "points.address_code": ("地址网格码", "grid code"),
    "points.household_size": ("家庭人口", "people of the household"),
    "points.usage_split": ("用水性质（百分比）", "use by price class in percent"),
    "precision": ("时间精确到", "how exactly the time is known"),
    "proof_digest": ("送达凭证", "proof that they were told"),
    "purpose": ("事由", "purpose"),
    "q3_m3h": ("常用流量 Q3（立方米/时）", "flow rate Q3 in m³/h"),
    "reader": ("抄表员", "reader"),
    "reading_m3": ("交接读数（立方米）", "reading in m³"),
    "reason": ("原因", "reason"),
    "reassigned_from": ("改派自", "instead of"),
    "reasons": ("原因", "what for"),
    "remedy": ("处理措施", "what is done about it"),
    "score": ("满意度（1–5）", "how satisfied, 1 to 5"),
    "refund": ("退款流水号", "refund's number"),
    "region": ("地区", "region"),
    "reply_by": ("新的答复期限", "new reply limit"),
    "report": ("第几次报修", "which report"),
    "reporter": ("报修人", "who reports"),
    "reporter.address": ("地址", "address"),
    "reporter.name": ("姓名", "name"),
    "reporter.phone": ("电话", "telephone"),
    "right": ("请求事项", "what is asked for"),
    "role": ("岗位", "role"),
    "roles": ("岗位", "roles"),
    "rows": ("复核读数", "readings that were checked"),
    "rows.meter": ("水表", "meter"),
    "rows.read_at": ("抄表时间", "read at"),
    "rung": ("提醒", "reminder"),
    "scopes": ("权限范围", "scopes"),
    "service": ("服务", "service"),
    "severity": ("等级", "class"),
    "skills": ("技能", "skills"),
    "source": ("来源", "source"),
    "squad": ("专班", "squad"),
    "subject": ("人员", "person"),
    "subjects": ("人员", "persons"),
    "supply": ("临时供水方式", "water in the meantime"),
    "supply_points": ("用水点数", "number of supply points"),
    "to_crew": ("接班班组", "crew that takes over"),
    "topic": ("事项", "topic"),
    "usage_split": ("用水性质（百分比）", "use by price class in percent"),
    "verified_on": ("检定日期", "verified on"),
    "version": ("版本", "version"),
    "visit": ("上门编号", "visit"),
    "way": ("方式", "way"),
}
_OF_OPERATION: Mapping[tuple[str, str], tuple[str, str]] = {
    ("complaints_answer", "outcome"): ("投诉是否成立", "was the complaint right"),
    ("repairs_report_fault", "place"): ("准确位置", "exact place"),
    ("repairs_link_report", "place"): ("准确位置", "exact place"),
    ("reading_books_exempt", "meter"): ("水表编号", "meter's number"),
    ("works_register", "kind"): ("工程类别", "kind of work"),
    ("people_join", "kind"): ("账号类别", "kind of account"),
    ("connections_supply_document", "document"): ("材料名称", "document"),
    ("connections_give_notice", "items"): ("须一次性告知的全部问题", "everything that is missing or wrong"),
    ("approvals_ask", "reason"): ("请求复核的理由", "why it is needed"),
}

_WORDS: Mapping[str, Name] = {
    "true": Name("是", "yes"),
    "false": Name("否", "no"),
    "second": Name("秒", "to the second"),
    "day": Name("日", "to the day"),
    "by": Name("不晚于", "not later than"),
    "small": Name("小修", "small"),
    "medium": Name("中修", "medium"),
    "major": Name("大修", "major"),
    "upload": Name("上传", "uploaded"),
    "seen": Name("窗口核验原件", "seen at the counter"),
    "shared": Name("部门共享", "shared by another office"),
    "verified": Name("部门核验", "verified by another office"),
    "re-read": Name("重新抄表", "read again"),
    "photo": Name("看照片", "looked at the photograph"),
    "agreed": Name("同意", "agreed"),
    "objected": Name("不同意", "objected"),
    "see": Name("查阅", "see"),
    "export": Name("复制", "export"),
    "correct": Name("更正", "correct"),
    "restrict": Name("限制处理", "restrict"),
    "erase": Name("删除", "erase"),
    "identity-card": Name("核验证件", "identity document"),
    "call-back": Name("电话回访", "call back"),
    "authorised-person": Name("受托人", "authorised person"),
    "identity-not-proven": Name("身份未核实", "identity not proven"),
    "not-held": Name("未保存该信息", "not held"),
    "case-running": Name("业务尚在办理", "a case is running"),
    "retention-runs": Name("保存期限未满", "it must be kept for longer"),
    "others-rights": Name("涉及他人权益", "rights of others"),
    "on-site": Name("上门", "to come to the place"),
    "papers": Name("办理材料", "papers"),
    "complaint": Name("投诉处理", "complaint"),
    "fixed": Name("定额", "fixed"),
    "per-unit": Name("按数量", "per unit"),
    "per-mille-of": Name("按千分比", "per mille of"),
    "application": Name("申请", "application"),
    "payment": Name("缴费", "payment"),
    "collection": Name("领取", "collection"),
    "counter": Name("窗口", "counter"),
    "other": Name("其他", "other"),
    "nature": Name("破损形式", "nature"),
    "cause": Name("损坏原因", "cause"),
    "asset": Name("管段编号", "pipe's number"),
    "material": Name("管材", "material"),
    "dn-mm": Name("口径（毫米）", "nominal diameter in mm"),
    "laid-in": Name("敷设年份", "year in which it was laid"),
    "incorrect": Name("内容有误", "it is not correct"),
    "unproven": Name("依据不足", "it is not proven"),
    "not-mine": Name("不属本岗位", "not mine to decide"),
    "law-requires-it": Name("法律要求保存", "the law requires it to be kept"),
    "asked-for": Name("本人要求", "they asked for it"),
    "taken-by-mistake": Name("误采集", "taken by mistake"),
    "time-is-up": Name("保存期满", "the time for keeping it is up"),
    "entered-in-error": Name("录入错误", "entered in error"),
    "bounced": Name("款项退回", "the money came back"),
    "nobody-home": Name("无人在家", "nobody at home"),
    "applicant-defers": Name("申请人要求改期", "the applicant wants another day"),
    "done-otherwise": Name("已另行办理", "done otherwise"),
    "contract": Name("签约", "contract"),
    "no-road-opening": Name("无需破路", "no road is opened"),
    "road-opening": Name("需破路", "a road is opened"),
    "road-must-be-closed": Name("须封路", "a road is closed"),
    "dn-100-or-less": Name("口径 100 毫米及以下", "a pipe of 100 mm or less"),
    "above-dn-100": Name("口径 100 毫米以上", "a pipe above 100 mm"),
    "many-users-dry": Name("大面积停水", "many users without water"),
    "late": Name("未按时办理", "late"),
    "quality": Name("工程质量", "quality of the work"),
    "charge": Name("收费", "charges"),
    "conduct": Name("服务态度", "conduct"),
    "water-quality": Name("水质", "quality of the water"),
    "speed": Name("办理速度", "speed"),
    "work": Name("工程质量", "the work"),
    "information": Name("信息告知", "information"),
    "upheld": Name("成立", "upheld"),
    "partly-upheld": Name("部分成立", "partly upheld"),
    "not-upheld": Name("不成立", "not upheld"),
    "none": Name("无", "nothing"),
    "apology": Name("致歉", "apology"),
    "work-repeated": Name("返工", "work done again"),
    "charge-corrected": Name("更正收费", "charge corrected"),
    "staff-instructed": Name("教育相关人员", "staff instructed"),
    "procedure-changed": Name("改进流程", "procedure changed"),
    "person": Name("人员", "person"),
    "machine": Name("机器", "machine"),
}
"""Words that the API's document lists, and codes that no standard names."""

Source = Callable[[Standard, CataloguePublished | None], Mapping[str, Any]]

_CLASS_REASONS = (
    "no-road-opening",
    "road-opening",
    "road-must-be-closed",
    "dn-100-or-less",
    "above-dn-100",
    "many-users-dry",
)
"""Why a repair has its class, as the pages offer it. The API takes any words of a catalogue. Our decision."""
REVERSALS = ("entered-in-error", "bounced")
CANCELLED_VISITS = ("nobody-home", "applicant-defers", "done-otherwise")
"""Reasons that no standard lists: the API takes any code, and the pages offer these."""

_CODES: Mapping[str, Source] = {
    "kind": lambda s, _: s.repair.fault_kinds,
    "district": lambda s, _: s.districts,
    "districts": lambda s, _: s.districts,
    "category": lambda s, _: s.connection.applicant_categories,
    "squad": lambda s, _: s.crews.squads,
    "cause": lambda s, _: s.repair.mass_causes,
    "note": lambda s, _: s.repair.work_notes,
    "material": lambda s, _: s.repair.pipe_materials,
    "skills": lambda s, _: s.crews.crew_skills,
    "supply": lambda s, _: s.outages.planned_outages.supply_ways if s.outages.planned_outages else {},
    "places": lambda s, _: s.outages.planned_outages.sensitive_places if s.outages.planned_outages else {},
    "order.source": lambda s, _: s.repair.order_sources,
    "findings": lambda s, _: s.connection.survey_findings,
    "deliverable": lambda s, _: s.connection.deliverables,
    "papers": lambda s, _: _papers(s),
    "papers_collected": lambda s, _: _papers(s),
    "documents.document": lambda s, _: _papers(s),
    "items.document": lambda s, _: _papers(s),
    "items.defect": lambda s, _: {**s.connection.defects, **s.connection.hidden_defects},
    "defect": lambda s, _: s.connection.defects,
    "defects": lambda s, _: s.connection.inspection_defects,
    "lines.fee": lambda _, fees: {each.code: each.name_zh for each in fees.items if each.active} if fees else {},
    "purpose": lambda s, _: s.connection.visit_purposes,
    "points.usage_split": lambda s, _: s.connection.price_classes,
    "usage_split": lambda s, _: s.connection.price_classes,
    "service": lambda s, _: s.connection.preservices,
    "topic": lambda s, _: s.connection.consultation_topics,
    "finding": lambda s, _: s.metering.leak_findings,
    "detail": lambda s, _: dict.fromkeys(["asset", "material", "dn-mm", "laid-in", *s.repair.incident_details], ""),
    "place": lambda s, _: {"counter": "窗口", "other": "其他"},
}
"""Field → where its codes stand in the standard."""
_CODES_OF_OPERATION: Mapping[tuple[str, str], Source] = {
    ("connections_issue_quote", "lines.fee"): lambda _, fees: (
        {each.code: f"{each.name_zh}（按{each.unit_zh}）" for each in fees.items if each.active} if fees else {}
    ),
    ("connections_supply_document", "document"): lambda s, _: _papers(s),
    ("follow_hand_in", "document"): lambda s, _: _papers(s),
    ("connections_refuse", "reason"): lambda s, _: s.connection.refusal_reasons,
    ("connections_withdraw", "reason"): lambda s, _: s.connection.withdrawal_reasons,
    ("follow_withdraw", "reason"): lambda s, _: s.connection.withdrawal_reasons,
    ("connections_request_pause", "reason"): lambda s, _: s.connection.pause_reasons,
    ("connections_replace_meter", "reason"): lambda s, _: s.metering.meter_replacements,
    ("connections_change_class", "reason"): lambda s, _: s.connection.class_changes,
    ("connections_change_customer", "reason"): lambda s, _: s.connection.customer_changes,
    ("connections_appear", "purpose"): lambda *_: dict.fromkeys(
        ("application", "papers", "contract", "payment", "collection", "other"), ""
    ),
    ("connections_reverse_payment", "reason"): lambda *_: dict.fromkeys(REVERSALS, ""),
    ("connections_reverse_refund", "reason"): lambda *_: dict.fromkeys(REVERSALS, ""),
    ("connections_cancel_visit", "reason"): lambda *_: dict.fromkeys(CANCELLED_VISITS, ""),
    ("connections_deliver", "way"): lambda s, _: s.connection.delivery_ways,
    ("works_register", "kind"): lambda s, _: s.connection.works_kinds,
    ("repairs_assess", "reason"): lambda *_: dict.fromkeys(_CLASS_REASONS, ""),
    ("repairs_reassess", "reason"): lambda *_: dict.fromkeys(_CLASS_REASONS, ""),
    ("repairs_decline", "reason"): lambda s, _: s.crews.decline_reasons,
    ("repairs_dismiss", "reason"): lambda s, _: s.repair.dismissal_reasons,
    ("repairs_reject_evidence", "reason"): lambda s, _: s.repair.rejection_reasons,
    ("repairs_answer_reporter", "way"): lambda s, _: s.repair.answer_ways,
    ("repairs_apologise", "way"): lambda s, _: s.repair.answer_ways,
    ("repairs_order_answer", "way"): lambda s, _: s.repair.answer_ways,
    ("outages_send_notice", "way"): lambda s, _: s.outages.notice_ways,
    ("outages_order_notice", "way"): lambda s, _: s.outages.notice_ways,
    ("outages_cancel", "reason"): lambda s, _: s.outages.outage_cancel_reasons,
    ("usage_dismiss", "reason"): lambda s, _: s.metering.usage_dismissals,
    ("usage_notify", "way"): lambda s, _: s.metering.usage_ways,
    ("usage_conclude", "outcome"): lambda s, _: s.metering.usage_outcomes,
    ("reading_books_exempt", "reason"): lambda s, _: s.metering.reading_exceptions,
}


@dataclass(frozen=True, slots=True)
class Choices:
    """The codes of the standard and of the fee catalogue that hold now. ``known``: further codes for this one form, by
    field: crews that are on shift, documents of the case."""

    standard: Standard
    catalogue: CataloguePublished | None
    known: Mapping[str, Sequence[tuple[str, Name]]]

    def of(self, operation: str, key: str, schema: Mapping[str, Any]) -> Sequence[tuple[str, Name]]:
        """What a field may hold, as codes with their names; none: it is no choice."""
        if key in self.known:
            return self.known[key]
        if schema.get("type") == "boolean":
            return [("true", _WORDS["true"]), ("false", _WORDS["false"])]
        if listed := schema.get("enum"):
            return [(code, word(code)) for code in listed]
        source = _CODES_OF_OPERATION.get((operation, key)) or _CODES.get(key)
        found = source(self.standard, self.catalogue) if source is not None else {}
        return [(code, _named(code, each)) for code, each in found.items()]


def label_of(operation: str, key: str) -> Name:
    """What a field is called. ``key``: its name in the body, with dots, without row numbers."""
    found = _OF_OPERATION.get((operation, key)) or _LABELS.get(key) or _LABELS.get(key.rpartition(".")[2])
    return Name(*found) if found is not None else Name(key, key.replace("_", " "))


def has_label(operation: str, key: str) -> bool:
    """Whether a field has a label of its own."""
    return (operation, key) in _OF_OPERATION or key in _LABELS or key.rpartition(".")[2] in _LABELS


def word(code: str) -> Name:
    """What a listed word is called; the word itself where nobody named it."""
    return _WORDS.get(code) or names.ROLES.get(code) or Name(code, code)


def _papers(standard: Standard) -> Mapping[str, str]:
    return {one.code: one.name_zh for owed in standard.connection.documents.values() for one in owed}


def _named(code: str, found: Any) -> Name:
    """The name of a code: its Chinese one is data of the standard."""
    zh = found if isinstance(found, str) else getattr(found, "name_zh", "")
    return in_both(zh or word(code).zh, code)

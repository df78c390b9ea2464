"""Documents that are published, standards above all, as people read them: what differs between two of them, and what
their parts are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.pages.english import in_both
from api.pages.labels import has_label, label_of, word
from domain.kernel.facts import Name
from projections import names

_MISSING = object()
_KEYS = ("code", "id", "name")
"""Fields by which the entries of a list are known again; without one, a list is compared whole."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of a document that is said otherwise. ``path``: its place, from the document inwards; ``old`` or ``new``
    is None where it is not there, or nothing."""

    path: tuple[str, ...]
    old: Any
    new: Any


def differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Every part in which two documents differ, in the order of the new one; what is only in the old one comes last."""
    one, other = _by_key(old), _by_key(new)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in [*other, *(each for each in one if each not in other)]:
            before, after = one.get(name, _MISSING), other.get(name, _MISSING)
            if before is _MISSING or after is _MISSING:
                found = None if before is _MISSING else before, None if after is _MISSING else after
                if found != (None, None):
                    yield Difference((*path, str(name)), *found)
            else:
                yield from differences(before, after, (*path, str(name)))
    elif old != new:
        yield Difference(path, old, new)


def said(value: Any) -> str:
    """A value in one line, as a table shows it."""
    if value is None or value == {} or value == []:
        return "—"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {said(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(said(each) for each in value)
    return str(value)


def part_name(part: str, codes: Mapping[str, Name]) -> Name:
    """What a part of a document is called: a field, a code of the standard, or the code itself."""
    if part in FIELDS:
        return Name(FIELDS[part], part.replace("_", " "))
    if part in codes:
        return codes[part]
    if has_label("", part):
        return label_of("", part)
    return word(part)


def codes_named(codes: Mapping[str, Mapping[str, Any]]) -> dict[str, Name]:
    """Every code that a document may speak of, with its name. ``codes``: those of the standard, by what they are of."""
    found: dict[str, Name] = {}
    for table in codes.values():
        for code, each in table.items():
            found[code] = each if isinstance(each, Name) else in_both(str(getattr(each, "name_zh", each)), code)
    return {**found, **names.COMMITMENTS, **names.ROLES, **names.CHANNELS, **names.SEVERITIES}


def _by_key(value: Any) -> Any:
    """A list whose entries have a key of their own, as a mapping from it; everything else as it is."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        for key in _KEYS:
            found = [each.get(key) if isinstance(each, Mapping) else None for each in value]
            if all(isinstance(each, str) for each in found) and len(set(found)) == len(found):
                return dict(zip(found, value, strict=True))
    return value


FIELDS: Mapping[str, str] = {
    "version": "版本",
    "effective_from": "生效时间",
    "arrival_minutes": "到场时限（分钟）",
    "completion_minutes": "修复时限（分钟）",
    "unassessed_as": "未定级时按",
    "connection_working_days": "通水时限（工作日）",
    "close_of_business": "下班时间",
    "calendar_regions": "采用的日历",
    "ladders": "预警提醒",
    "notify_on_lapse": "超时通知岗位",
    "districts": "片区",
    "fault_kinds": "故障类型",
    "applicant_categories": "申请人类别",
    "allowed_lateness_minutes": "允许迟报（分钟）",
    "future_tolerance_seconds": "时钟误差（秒）",
    "max_supply_points": "用水点上限",
    "meter_verification_years": "水表检定周期（年）",
    "promise": "对外承诺",
    "steps": "环节",
    "documents": "材料",
    "document_ways": "材料替代方式",
    "defects": "材料问题",
    "hidden_defects": "材料隐蔽问题",
    "notice_minutes": "一次性告知时限（分钟）",
    "notice_working_days": "一次性告知时限（工作日）",
    "silence_working_days": "逾期视为受理（工作日）",
    "papers": "补正材料",
    "pause_reasons": "中止原因",
    "pause_cap_working_days": "中止上限（工作日）",
    "remote_channels": "线上渠道",
    "desks": "窗口",
    "routing": "分办规则",
    "refusal_reasons": "不予受理原因",
    "withdrawal_reasons": "撤回原因",
    "survey_findings": "勘察结论",
    "inspection_defects": "验收不合格项",
    "deliverables": "交付物",
    "delivery_ways": "交付方式",
    "paper_way": "文书发送方式",
    "paper_texts": "文书通知文字",
    "payer_classes": "缴费类别",
    "price_version": "水价版本",
    "price_classes": "用水性质",
    "squads": "专班",
    "visit_purposes": "上门事由",
    "consultation_topics": "咨询事项",
    "preservices": "前期服务",
    "works_kinds": "工程类型",
    "severity_classes": "报修等级",
    "calendar_warning_from": "日历缺失提醒起",
    "crew_skills": "班组技能",
    "decline_reasons": "拒单原因",
    "mass_causes": "群发原因",
    "outage_notice_hours": "停水提前通知（小时）",
    "emergency_notice_minutes": "突发停水通知（分钟）",
    "emergency_report_minutes": "突发停水报告（分钟）",
    "planned_outages": "计划停水规则",
    "outage_cancel_reasons": "取消停水原因",
    "notice_ways": "通知方式",
    "outage_texts": "停水通知文字",
    "customers": "用户总数",
    "completion_from": "修复起算",
    "arrival_evidence_minutes": "到场证据补交（分钟）",
    "assessment_minutes": "定级时限（分钟）",
    "reassessment_second_person_percent": "改级须复核（已用时限％）",
    "continuity_minutes": "连续作业间隔（分钟）",
    "work_notes": "作业记录",
    "fault_families": "故障大类",
    "link_suggestion_minutes": "并单提示（分钟）",
    "history_channels": "历史渠道",
    "origins": "历史来源",
    "dismissal_reasons": "无需抢修原因",
    "rejection_reasons": "驳回原因",
    "pipe_materials": "管材",
    "incident_details": "工单内容",
    "answer_minutes": "回复时限（分钟）",
    "answer_ways": "回复方式",
    "answer_texts": "回复文字",
    "apologies": "致歉",
    "order_sources": "工单来源",
    "geofence_metres": "到场围栏（米）",
    "late_upload_minutes": "迟传界限（分钟）",
    "readings": "抄表规则",
    "usage_audit_minutes": "用量复核（分钟）",
    "usage_notice_minutes": "用量告知（分钟）",
    "usage_ways": "告知方式",
    "usage_dismissals": "用量异常排除原因",
    "usage_outcomes": "用量处理结果",
    "leak_findings": "查漏结论",
    "meter_replacements": "换表原因",
    "reading_exceptions": "免抄原因",
    "escalations": "升级层级",
    "alerts": "告警方式",
    "kind_limits": "各故障类型时限",
    "intake": "受理时间",
    "uncounted_stages": "不计时环节",
    "class_changes": "变更用水性质原因",
    "customer_changes": "过户原因",
    "class_change_ahead_days": "变更提前（天）",
    "meter_verification": "水表检定",
    "meter_expiry_warning_days": "检定到期提醒（天）",
    "powers": "岗位权限",
    "approval_hours": "复核时限（小时）",
    "approval_reminder_minutes": "复核到期提醒（分钟）",
    "approval_ways": "复核通知方式",
    "approval_texts": "复核通知文字",
    "number_shapes": "编号格式",
    "rights_answer_working_days": "个人信息答复（工作日）",
    "complaint_answer_working_days": "投诉答复（工作日）",
    "satisfaction_correction_days": "评价可更正（天）",
    "rights_copy_days": "信息副本保留（天）",
    "particulars_keep_days": "个人信息保存（天）",
    "items": "收费项目",
    "banned": "禁收名目",
    "formula": "计费方式",
    "rate": "标准",
    "cap_fen": "上限（分）",
    "legal_basis": "依据文号",
    "unit_zh": "单位",
    "valid_from": "自",
    "valid_until": "至",
    "active": "启用",
    "extent": "红线",
    "name_zh": "中文名称",
    "small": "小修",
    "medium": "中修",
    "major": "大修",
    "urban": "城区",
    "suburban": "郊区",
    "rural": "乡村",
}
"""Field of a standard or a fee catalogue → its Chinese name."""

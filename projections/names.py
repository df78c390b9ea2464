"""What people are shown for a code, in Chinese and English: the one place for terminal, pages and event contract.

Facts, stages and promises are named where they are declared in the rulebook; the other tables stand here. The pages are
served these tables as a script (``as_script``), so that no name stands twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from domain.evidence.papers import TITLES
from domain.kernel.facts import DECLARED, Name
from domain.kinds import PROMISING

FACTS: Mapping[str, Name] = {cls.__name__: declared.name for cls, declared in DECLARED.items()}

STAGES: Mapping[str, Name] = {code: name for kind in PROMISING for code, name in {**kind.stages, **kind.stops}.items()}
"""Of every kind of case, and what a case is at instead of a stage. Where two kinds share a code they share its name."""

COMMITMENTS: Mapping[str, Name] = {
    **{code: name for kind in PROMISING for code, name in kind.promises.items()},
    "connection.silence": Name("逾期视为受理", "silence admits"),
}
"""The promises, and the one limit of a case that is none: the applicant's own, after which silence admits."""

SEVERITIES: Mapping[str, Name] = {
    "small": Name("小修", "small"),
    "medium": Name("中修", "medium"),
    "major": Name("大修", "major"),
    "unassessed": Name("未定级", "not assessed"),
}
"""Class of an incident."""

STATES: Mapping[str, Name] = {
    "running": Name("运行中", "running"),
    "met": Name("已兑现", "met"),
    "lapsed": Name("超时", "lapsed"),
    "cancelled": Name("已取消", "not running"),
    "unknown": Name("无从判定", "unknown"),
    "none": Name("未开始", "not begun"),
}
"""How a window stands."""

CHANGES: Mapping[str, Name] = {
    "nearing": Name("临近", "nearing"),
    "lapsed": Name("超时", "lapsed"),
    "retracted": Name("撤回", "retracted"),
    "escalated": Name("升级", "escalated"),
}
"""What happens to a window on the breach topic."""

CHANNELS: Mapping[str, Name] = {
    "website": Name("网站", "website"),
    "wechat": Name("微信", "WeChat"),
    "hotline": Name("热线", "hotline"),
    "platform": Name("平台", "platform"),
    "counter": Name("窗口", "counter"),
    "home": Name("上门", "at home"),
    "crew-phone": Name("班组手机", "crew phone"),
    "office": Name("调度室", "office"),
    "import": Name("批量导入", "import"),
    "system": Name("系统", "system"),
}
"""How somebody came to us, or what told a fact."""

BASES: Mapping[str, Name] = {
    "papers": Name("材料齐全", "papers complete"),
    "papers-outstanding": Name("容缺受理", "papers outstanding"),
    "silence": Name("逾期视为受理", "by silence"),
    "office": Name("人工受理", "by the office"),
    "not-admitted": Name("未受理", "not admitted"),
}
"""Why an application is admitted."""

REASONS: Mapping[str, Name] = {
    "no-end-limit": Name("不设截止", "major repair: no end limit"),
    "unknown": Name("无从判定", "imported history, cannot be judged"),
    "dismissed": Name("无需抢修", "dismissed"),
    "withdrawn": Name("已撤回", "withdrawn"),
    "no-longer-major": Name("不再属大修", "no major repair any longer"),
    "no-longer-owed": Name("不再承担", "no longer owed"),
    "notice-given": Name("已一次性告知", "notice given, waiting for papers"),
    "outage-cancelled": Name("已取消停水", "the outage was cancelled"),
    "papers-commitment-broken": Name("容缺承诺未兑现", "papers commitment broken"),
    "met-in-time": Name("已按时兑现", "it was met in time after all"),
    "end-moved": Name("截止已变更", "its end was moved"),
    "not-due-yet": Name("尚未到期", "it was recorded by a clock that was ahead"),
    "start": Name("起算变更", "its start was moved"),
    "standard": Name("标准变更", "the standard was changed"),
    "calendar": Name("日历变更", "the calendar was changed"),
    "reclassified": Name("重新定级", "reassessed"),
    "pause": Name("中止", "pause"),
    "extended": Name("延期", "extended"),
    "work-logged": Name("作业记录", "work logged"),
    "announced-anew": Name("重新公告", "announced anew"),
    "water-off": Name("已停水", "water is off"),
    "judged-anew": Name("重新判定", "judged anew"),
    "papers-in": Name("材料已补齐", "papers in"),
    "papers-upheld": Name("承诺经核实已兑现", "commitment upheld"),
    "no-longer-needed": Name("不再需要", "no longer needed"),
    "applied-twice": Name("重复申请", "applied twice"),
    "other-source": Name("另有水源", "other source"),
    "government-permit": Name("行政许可", "government permit"),
    "applicant-payment": Name("等待缴费", "waiting for payment"),
    "site-not-ready": Name("现场不具备条件", "site not ready"),
    "applicant-defers": Name("申请人要求延期", "applicant defers"),
    "force-majeure": Name("不可抗力", "force majeure"),
}
"""Why a window ended, moved or lost a lapse, why a case stopped or a clock stood."""

ROLES: Mapping[str, Name] = {
    "duty-dispatcher": Name("值班调度", "duty dispatcher"),
    "crew-lead": Name("班组长", "crew lead"),
    "second-crew": Name("就近第二班组", "second crew"),
    "manager": Name("主管", "manager"),
    "case-owner": Name("专办人员", "case owner"),
    "duty-manager": Name("值班经理", "duty manager"),
    "deputy-director": Name("分管副主任", "deputy director"),
    "dispatcher": Name("调度", "dispatcher"),
    "crew": Name("班组", "crew"),
    "hotline": Name("热线", "hotline"),
    "counter": Name("窗口", "counter"),
    "inspector": Name("验收员", "inspector"),
    "cashier": Name("收费员", "cashier"),
    "applicant": Name("申请人", "applicant"),
    "platform": Name("审批或支付平台", "platform"),
    "reporter": Name("报修人", "reporter"),
    "meter-reader": Name("抄表员", "meter reader"),
    "price-authority": Name("发改部门", "price authority"),
    "market-regulator": Name("市场监管部门", "market regulator"),
    "auditor": Name("审计", "auditor"),
    "public": Name("公众", "public"),
    "system": Name("系统", "system"),
    "squad": Name("专班", "squad"),
    "operator": Name("运维", "operator"),
}
"""In which role somebody acts or is told."""

FLAGS: Mapping[str, Name] = {
    "backdated": Name("迟报", "backdated"),
    "after-close": Name("关单后", "after close"),
    "not-the-dispatched-crew": Name("非派单班组", "not the dispatched crew"),
    "before-first-report": Name("早于首次报修", "before first report"),
    "repeated": Name("重复", "repeated"),
    "no-evidence": Name("无到场证据", "no evidence"),
    "evidence-late": Name("到场证据逾期", "evidence came late"),
    "outside-geofence": Name("围栏外", "outside geofence"),
    "backdated-after-lapse": Name("超时后迟报", "backdated after a lapse"),
    "not-major": Name("非大修", "not a major repair"),
    "unlinked": Name("由并单拆分", "was a wrong link"),
    "site-unknown": Name("现场位置未知", "site unknown"),
    "no-crew-formed": Name("尚未组建任何班组", "no crew was formed yet"),
    "crew-elsewhere": Name("接班班组在其他工单", "crew is elsewhere"),
    "before-completion": Name("未修复先回复", "before completion"),
    "uploaded-late": Name("离线补传", "uploaded late"),
    "merged": Name("由其他工单并入", "came with another incident"),
    "nothing-lapsed": Name("并无超时", "nothing had lapsed"),
    "before-arrival": Name("未到场先报", "before arrival"),
    "clock-doubted": Name("报修时间以收到为准", "clock doubted, counts from its receipt"),
    "contact-unclear": Name("联系方式待核实", "contact unclear"),
    "before-the-promise": Name("早于承诺起算", "before the promise began"),
    "after-dismissal": Name("判定无需抢修后", "after dismissal"),
    "not-what-was-known": Name("原值不符", "not what was known"),
    "younger-than-the-fault": Name("管段晚于故障敷设", "pipe younger than the fault"),
    "dated-back": Name("申请人所称时间较早", "dated back by the applicant"),
    "without-notice": Name("未按时通知", "without notice in time"),
    "outside-announced-times": Name("不在公告时间", "outside the announced times"),
    "called-off": Name("已取消后停水", "after it was cancelled"),
    "fire-service-not-told": Name("未告知消防", "fire service not told"),
}
"""What is odd about a fact from the field."""

OUTAGE_KINDS: Mapping[str, Name] = {
    "planned": Name("计划停水", "planned outage"),
    "emergency": Name("突发停水", "emergency outage"),
    "unannounced": Name("无通知停水", "outage without notice"),
}

REPAIR_ACTIONS: Mapping[str, Name] = {
    "dispatch": Name("派单", "send a crew"),
    "acknowledge": Name("接单", "acknowledge"),
    "arrive": Name("到场", "arrive"),
    "assess": Name("定级", "assess"),
    "log-work": Name("作业记录", "log the work"),
    "complete": Name("修复", "complete"),
    "restore": Name("恢复供水", "restore water"),
    "supply-evidence": Name("补充到场证据", "supply the evidence of the arrival"),
    "answer": Name("回复报修人", "answer the reporters"),
    "apologise": Name("致歉", "apologise"),
    "close": Name("关单", "close"),
}
"""What can be done next about an incident."""

ACTIONS: Mapping[str, Name] = {
    "give-notice": Name("一次性告知", "give the notice"),
    "supply-document": Name("补交材料", "supply papers"),
    "promise-papers": Name("作出容缺承诺", "promise papers"),
    "admit": Name("受理", "admit"),
    "survey": Name("勘察", "survey"),
    "design": Name("设计", "design"),
    "quote": Name("报价", "quote"),
    "sign-contract": Name("签订合同", "sign the contract"),
    "pay": Name("缴费", "pay"),
    "construct": Name("施工", "construct"),
    "inspect": Name("验收", "inspect"),
    "install-meter": Name("装表", "install the meter"),
    "turn-water-on": Name("通水", "turn water on"),
    "make-visit": Name("上门", "make the visit"),
    "approve-pause": Name("审批中止", "decide the pause"),
    "end-pause": Name("结束中止", "end the pause"),
    "resume": Name("恢复办理", "resume"),
    "repair-commitment": Name("信用修复", "repair the commitment"),
    "refund": Name("退款", "refund"),
    "refuse": Name("不予受理", "refuse"),
    "approve-on-site": Name("现场审批", "approve on site"),
}
"""What can be done next about an application."""

OUTCOMES: Mapping[str, Name] = {**STAGES, "open": Name("在办", "open")}

TONES: Mapping[str, str] = {
    "OutageNoticeFailed": "bad",
    "WindowEscalated": "bad",
    "WindowAcknowledged": "near",
    "AlertFailed": "bad",
    "WindowLapsed": "bad",
    "WindowNearing": "near",
    "WindowRetracted": "good",
    "WindowMet": "good",
    "ChargeRefused": "bad",
    "FurtherRequestRefused": "bad",
    "PapersCommitmentBroken": "bad",
    "ApplicationRefused": "bad",
    "CaseEnded": "bad",
    "PauseRequested": "near",
    "PauseApproved": "near",
    "CaseSuspended": "near",
    "WaterTurnedOn": "good",
    "PapersCommitmentRepaired": "good",
    "WindowOpened": "promise",
    "WindowMoved": "promise",
    "WindowReopened": "promise",
    "WindowCancelled": "promise",
}
"""Fact → the colour in which the pages show it; one without a tone is plain."""

PAPERS: Mapping[str, Name] = TITLES
"""Kinds of paper that people are handed."""

_SCRIPT = {
    "COMMITMENTS": COMMITMENTS,
    "SEVERITIES": SEVERITIES,
    "CHANGES": CHANGES,
    "STATES": STATES,
    "REASONS": REASONS,
    "ROLES": ROLES,
    "CHANNELS": CHANNELS,
    "FACTS": FACTS,
    "OUTAGE_KINDS": OUTAGE_KINDS,
    "TONES": TONES,
    "FLAGS": FLAGS,
    "STAGES": STAGES,
    "BASES": BASES,
    "PAPERS": PAPERS,
    "REPAIR_ACTIONS": REPAIR_ACTIONS,
    "ACTIONS": ACTIONS,
}


def as_script() -> str:
    """The tables as a JavaScript module: each is exported under its own name, code → [Chinese, English]."""
    tables = (f"export const {table} = {json.dumps(names, ensure_ascii=False)};" for table, names in _SCRIPT.items())
    return "\n".join(tables) + "\n"


def name(names: Mapping[str, Name], code: str) -> str:
    """The code with its Chinese name; the code alone where it has none."""
    return f"{names[code].zh} {code}" if code in names else code

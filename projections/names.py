"""Chinese names of what read models call by a code, for people at a terminal. Pages have their own."""

from __future__ import annotations

STAGES = {
    "reported": "已报修",
    "dispatched": "已派单",
    "acknowledged": "已接单",
    "on_site": "已到场",
    "assessed": "已定级",
    "dismissed": "无需抢修",
    "completed": "已修复",
    "restored": "已恢复供水",
    "closed": "已关单",
    "replied": "已回复",
    "outage_planned": "计划停水",
    "outage_noticed": "已通知停水",
    "water_off": "停水中",
    "water_back": "已恢复供水",
    "cancelled": "已取消",
    "received": "已收件",
    "notice_given": "已一次性告知",
    "admitted": "已受理",
    "surveyed": "已勘察",
    "designed": "已设计",
    "quoted": "已报价",
    "contracted": "已签约",
    "paid": "已缴费",
    "under_construction": "施工中",
    "constructed": "已完工",
    "inspected": "验收合格",
    "partly_on": "部分通水",
    "water_on": "已通水",
    "suspended": "已中止",
    "ended": "已终止",
    "withdrawn": "已撤回",
    "refused": "不予受理",
    "found": "已发现",
    "confirmed": "已核实",
    "notified": "已告知",
    "help_started": "查漏中",
    "help_finished": "查漏完成",
    "settled": "已办结",
    "explained": "已排除",
    "round_opened": "待抄表",
    "partly_read": "抄表中",
    "read": "已抄齐",
}
COMMITMENTS = {
    "repair.arrival": "到场",
    "repair.completion": "修复",
    "repair.assessment": "定级",
    "repair.continuity": "连续作业",
    "repair.answer": "回复报修人",
    "order.reply": "热线工单回复",
    "outage.notice": "停水通知",
    "outage.report": "报告主管部门",
    "outage.restore": "按时恢复供水",
    "connection.water_on": "通水",
    "connection.notice": "一次性告知",
    "connection.papers": "容缺补件",
    "connection.trips": "跑腿次数",
    "usage.audit": "异常核实",
    "usage.notice": "上门告知",
    "book.read": "按时抄表",
}
WINDOW_STATES = {
    "running": "运行中",
    "met": "已兑现",
    "lapsed": "超时",
    "cancelled": "已取消",
    "unknown": "无从判定",
}
SEVERITIES = {"small": "小修", "medium": "中修", "major": "大修", "unassessed": "未定级"}
CHANNELS = {
    "website": "网站",
    "wechat": "微信",
    "hotline": "热线",
    "platform": "平台",
    "counter": "窗口",
    "home": "上门",
}
BASES = {
    "papers": "材料齐全",
    "papers-outstanding": "容缺受理",
    "silence": "逾期视为受理",
    "office": "人工受理",
    "not-admitted": "未受理",
}
OUTCOMES = {**STAGES, "open": "在办"}


def name(names: dict[str, str], code: str) -> str:
    """The code with its Chinese name; the code alone where it has none."""
    return f"{names[code]} {code}" if code in names else code

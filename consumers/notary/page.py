"""The readable page of a bundle: one HTML file, Chinese and English, that loads nothing and escapes everything.

A function of the events and what they are called, so that whoever verifies a bundle can make it again and compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from consumers.notary.note import Note
from consumers.verdict_history import PromiseHistory, standings
from infra.decoders import decoder

LOCAL = ZoneInfo("Asia/Shanghai")


class AuditPage(msgspec.Struct, frozen=True):
    """An event as the page shows it."""

    type: str
    subject: str
    time: str
    caseversion: int
    actor: str
    role: str
    channel: str
    position: int
    recordedat: str
    data: dict[str, Any]
    reportedat: str | None = None
    confirmedby: str | None = None

    @property
    def name(self) -> str:
        return self.type.split(".")[2] if self.type.count(".") >= 2 else self.type


TOLD = decoder(AuditPage)
STATES = {
    "running": "运行中 running",
    "met": "已兑现 met in time",
    "met-late": "逾期兑现 met late",
    "not-running": "停止计时 not running",
}
CLASSES = {"WindowLapsed": "lapsed", "WindowRetracted": "retracted", "WindowMet": "met", "WindowEscalated": "lapsed"}
STYLE = """
body { font: 15px/1.5 "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; color: #1c2733;
  max-width: 76rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p.sub, td.when, td.who, small { color: #5a6a7a; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid #1c2733; padding: .3rem .6rem .3rem 0; }
td { vertical-align: top; border-bottom: 1px solid #dfe5ea; padding: .35rem .6rem .35rem 0; overflow-wrap: anywhere; }
td.when { white-space: nowrap; font-variant-numeric: tabular-nums; font-size: .87rem; }
tr { break-inside: avoid; } .lapsed td:first-child { box-shadow: inset 4px 0 #c0392b; }
.retracted td:first-child { box-shadow: inset 4px 0 #8e6bbf; } .met td:first-child { box-shadow: inset 4px 0 #2e8b57; }
td:first-child { padding-left: .7rem; } s { color: #8e6bbf; } strong.bad { color: #c0392b; }
pre { background: #f4f6f8; padding: .8rem 1rem; overflow-x: auto; font-size: .82rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
"""


def number_of(events: Sequence[AuditPage]) -> str:
    """The number by which people call the case; empty where it has none."""
    found = (event.data[key] for event in events[:1] for key in ("case_number", "number") if key in event.data)
    return str(next(found, "") or "")


def page(lines: Sequence[bytes], note: Note, words: Mapping[str, str]) -> str:
    """The page of a case. ``lines``: its events' bytes, by version; ``words``: Chinese names of codes."""
    events = [TOLD.decode(line) for line in lines]
    title = number_of(events) or events[0].subject
    checkpoint = note.checkpoint
    body = [
        f"<h1>{_text(title)} 审计卷宗 <small>audit bundle</small></h1>",
        f'<p class="sub">案件 case {_text(events[0].subject)} · {len(events)} 条事件 events · '
        f"时间均为北京时间 times are China time · 个人信息不在卷宗内，仅有编号 no personal data, references only</p>",
        "<h2>承诺与判定 Promises and verdicts</h2>",
        _standings(standings((event.name, event.data) for event in events), words),
        "<h2>时间线 Timeline</h2>",
        _timeline(events, words),
        "<h2>凭证 Proof</h2>",
        "<p>每条事件的原始字节都在下列检查点所签署的日志中，卷宗附有证明；核验："
        "<code>tongshui audit verify-bundle</code>。此页本身不是凭证，核验时会由事件重新生成并比对。<br>"
        "Every event's bytes are in the log that this checkpoint was signed over; the bundle has the proofs. This page "
        "proves nothing by itself: verifying makes it again from the events and compares.</p>",
        f"<p>{checkpoint.size} 条事件 events · 位置 position {checkpoint.position} · "
        f"签署 signed {_clock(checkpoint.at.isoformat())}</p>",
        f"<pre>{_text(note.whole)}</pre>",
    ]
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _standings(found: Sequence[PromiseHistory], words: Mapping[str, str]) -> str:
    if not found:
        return "<p>没有时限 none</p>"
    rows = []
    for each in found:
        lapses = "<br>".join(
            f"<s>{_clock(lapse.due_at)}</s> 已撤回 retracted: {_word(lapse.retracted, words)}"
            if lapse.retracted
            else f'<strong class="bad">{_clock(lapse.due_at)}</strong> 超时 lapsed'
            for lapse in each.lapses
        )
        state = STATES[each.state] + (f" {_clock(each.met_at)}" if each.met_at else "")
        rows.append(
            f"<tr><td>{_word(each.commitment, words)}</td><td class=when>{_clock(each.opened_at)}</td>"
            f"<td class=when>{_clock(each.due_at)}</td><td>{state}</td><td>{lapses or '–'}</td>"
            f"<td>{_text(each.standard)}<br><small>{_text(each.calendar or '')}</small></td></tr>"
        )
    head = _head(
        "承诺 promise",
        "起算 opened",
        "截止 due",
        "状态 state",
        "超时与撤回 lapses, retractions",
        "标准、日历 standard, calendar",
    )
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _timeline(events: Sequence[AuditPage], words: Mapping[str, str]) -> str:
    rows = []
    for event in events:
        basis = event.data.get("basis")
        basis = basis if isinstance(basis, dict) else {}
        under = "<br>".join(_text(basis[key]) for key in ("standard", "calendar") if basis.get(key))
        second = f"<br>复核 confirmed by {_text(event.confirmedby)}" if event.confirmedby else ""
        # The class is ours, by the fact's name: nothing of an event becomes markup.
        rows.append(
            f'<tr class="{CLASSES.get(event.name, "")}"><td>{event.caseversion}</td>'
            f"<td class=when>{_clock(event.time)}</td><td class=when>{_clock(event.reportedat)}</td>"
            f"<td class=when>{_clock(event.recordedat)}</td><td>{_word(event.name, words)}</td>"
            f"<td class=who>{_text(event.actor)}<br>{_text(event.role)} · {_word(event.channel, words)}{second}</td>"
            f"<td>{_details(event.data, words)}</td><td class=who>{under}</td><td class=when>{event.position}</td></tr>"
        )
    head = _head(
        "版本 v",
        "发生 happened",
        "上报 reported",
        "记录 recorded",
        "事件 event",
        "何人 who",
        "内容 details",
        "标准、日历 standard, calendar",
        "位置 position",
    )
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _head(*titles: str) -> str:
    return f"<thead><tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr></thead>"


def _details(data: Mapping[str, Any], words: Mapping[str, str]) -> str:
    parts = []
    for key, value in data.items():
        if value in (None, [], "") or (key == "basis" and isinstance(value, dict)):
            continue
        parts.append(f"<small>{_text(key)}</small> {_value(value, words)}")
    return "<br>".join(parts)


def _value(value: Any, words: Mapping[str, str]) -> str:
    if isinstance(value, str):
        return _clock(value) if value.endswith("Z") and "T" in value else _word(value, words)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "、".join(_word(item, words) for item in value)
    return _text(json.dumps(value, ensure_ascii=False))


def _word(code: str, words: Mapping[str, str]) -> str:
    return f"{_text(words[code])} <small>{_text(code)}</small>" if code in words else _text(code)


def _clock(text: str | None) -> str:
    if not text:
        return "–"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return _text(text)
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S") if at.tzinfo else _text(text)


def _text(value: object) -> str:
    return escape(str(value), quote=True)

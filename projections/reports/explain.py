"""A window of a case explained as it was known at an instant, from the store; and the same for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from domain import kinds
from domain.connections.stages import STAGES
from domain.deadlines.calendar import LOCAL, local_date
from domain.deadlines.explain import (
    DayCounted,
    EventNamed,
    Known,
    SpanCounted,
    TermExplained,
    VerdictGiven,
    WindowExplained,
    explain_commitment,
)
from domain.kernel.facts import Name
from domain.kernel.law import LEGAL_RULES
from domain.kernel.refusals import NoSuchCase, Refusal
from domain.standard.refusals import FutureTime
from infra.eventstore.service import Service
from projections.names import COMMITMENTS, FACTS, REASONS, STATES, name
from projections.reports.replay import id_of


@dataclass(frozen=True, slots=True)
class CaseWindowExplained:
    """The explanation with the case that it is of. ``pauses``: what its standard calls the reasons of pauses."""

    case_id: UUID
    case_number: str
    family: str
    window: WindowExplained
    pauses: Mapping[str, Name] = field(default_factory=dict)


def explain_window(
    service: Service, case_id: UUID | None, commitment: str, as_of: datetime | None
) -> CaseWindowExplained:
    """The window as it was known at ``as_of`` (None: now): by the events recorded and the rules published by then.

    Refuses ``future-time``, ``no-such-case`` (also where nothing of it was on record by then), ``no-such-window``.
    """
    now = service.clock.now()
    at = as_of or now
    if at > now:
        raise _in_the_future(at, now)
    whole = service.history(case_id) if case_id is not None else []
    kind = kinds.opened_as(whole[0][0].type) if whole else None
    events = [Known(said, event.recordedat) for event, said in whole if event.recordedat and event.recordedat <= at]
    if case_id is None or kind is None or not events:
        raise _no_such_case(at, is_known=kind is not None)
    state: Any = None
    for known in events:
        state = kind.evolve(state, known.recorded)
    rules = service.rules_at(at)
    assert kind.obligations is not None
    window = explain_commitment(commitment, kind.obligations(state, rules), state.ledger, events, at, rules.law)
    standard = next((each for each in rules.standards if each.version == window.standard), None)
    pauses = (
        {code: Name(reason.name_zh, code) for code, reason in standard.connection.pause_reasons.items()}
        if standard is not None
        else {}
    )
    pauses |= STAGES
    return CaseWindowExplained(case_id, state.number, kind.name, window, pauses)


def explain_named(service: Service, case: str, commitment: str, as_of: datetime | None) -> CaseWindowExplained:
    """The same, of the case with that id or number."""
    with service.connection() as connection:
        case_id = id_of(connection, case)
    return explain_window(service, case_id, commitment, as_of)


def _in_the_future(at: datetime, now: datetime) -> Refusal:
    return FutureTime(
        found="an as_of in the future",
        needed=f"not later than {now.isoformat()}",
        next_step="ask for an instant that has passed; what is due is in the case's windows",
        next_step_zh="请查询已过去的时间；到期时间见案件时限",
    )


def _no_such_case(at: datetime, *, is_known: bool) -> Refusal:
    return NoSuchCase(
        found="nothing of the case on record by that time" if is_known else "no case with this id or number",
        needed="the id or the number of a case, and an instant from its first event on",
        next_step="look the case up by its number at /api/v1/cases?number=…",
        next_step_zh="请按编号在 /api/v1/cases?number=… 查询",
    )


# ---- for people


TO_COME = ", to come 尚未到"
PROVISIONAL = "provisional, awaits evidence until 暂计兑现，待补证据，至"
WAS_PROVISIONAL = "had counted as met until 此前暂计兑现至"
RULES = {
    "start": "the starting day does not count 起算日不计",
    "worked": "working day 工作日",
    "make-up": "make-up working day 调休上班",
    "pause-used-up": "counts: the pause is used up 中止已达上限，计入",
    "civil": "civil day 自然日",
    "weekend": "weekend, not counted 周末不计",
    "holiday": "holiday, not counted 放假不计",
    "statutory": "statutory day off, notice not out, not counted 法定节假日不计",
    "paused": "stood: pause, not counted 中止不计",
    "grace": "grace after a revision that moved the end earlier, not counted 日历提前后的宽限",
    "intake": "counts as received on this day 视为当日收件，起算日不计",
    "not-begun": "not counted: the limit starts later 未起算",
    "carried": "counted: carried over from before 沿用已计",
    "running": "counted 计时",
}
OUTCOMES = {
    "no-end": "without an end 无截止时刻",
    "replaced": "replaced before it ran out 期满前被取代",
    "lapsed": "ran out unmet 超时",
    "met": "met 已兑现",
    "running": "running 运行中",
}
VERDICTS = {
    "opened": "开始",
    "moved": "变更",
    "met": "兑现",
    "nearing": "临近",
    "lapsed": "超时",
    "retracted": "撤回",
    "reopened": "恢复",
    "cancelled": "取消",
    "escalated": "升级",
    "acknowledged": "确认接手",
}


def lines(found: CaseWindowExplained) -> Iterator[str]:
    """The explanation for a terminal or a letter, in English and Chinese, times in China."""
    window = found.window
    events = {event.event_id: event for event in window.events}
    yield (
        f"{found.case_number} {name(COMMITMENTS, window.commitment)}: {name(STATES, window.state)}"
        f" as known at 截至 {_at(window.as_of)}"
    )
    calendar = f", calendar 日历 {window.calendar}" if window.calendar else ""
    yield f"  under standard 依据 {window.standard}{calendar}"
    for cited in window.basis:
        yield f"  by law 法律依据 {_legal_name(cited.of)}: {cited}"
    yield f"  opened 起算 {_at(window.opened_at)}{_due(window)}"
    if window.met_at is not None:
        late = "" if window.on_time is not False else " late 迟"
        yield f"  met 兑现 {_at(window.met_at)}{late}{_by(window.met_by, events)}"
    if window.provisional_until is not None:
        yield f"  {PROVISIONAL} {_at(window.provisional_until)}"
    for due_at in window.lapses:
        yield f"  lapse stands 超时 {_at(due_at)}"
    if window.settles_at is not None:
        word = "open until 未定，至" if window.as_of <= window.settles_at else "settled since 已定案，自"
        yield f"  verdict 判定 {word} {_at(window.settles_at)}"
    if window.reason is not None:
        yield f"  no end because 无截止原因 {name(REASONS, window.reason)}"
    for number, term in enumerate(window.terms, start=1):
        yield from _term(number, term, window.as_of, events, found.pauses)
    if window.allowed is not None:
        yield f"allowed 允许 {window.allowed}, counted 已计 {len(window.occurrences)}"
        for each in window.occurrences:
            verdict = "within 允许内" if each.allowed else "one too many 超出"
            yield f"  {each.number}. {_at(each.at)} {verdict}{_by((each.by,), events)}"
    if window.verdicts:
        yield "on record 判定记录"
    for given in window.verdicts:
        yield _verdict(given, events)


def _legal_name(of: str) -> str:
    return name(LEGAL_RULES if of in LEGAL_RULES else COMMITMENTS, of)


def _due(window: WindowExplained) -> str:
    if window.due_at is None:
        return ""
    return f", due 截止 {_at(window.due_at)}{' tentative 暂定' if window.tentative else ''}"


def _term(
    number: int,
    term: TermExplained,
    as_of: datetime,
    events: Mapping[UUID, EventNamed],
    pauses: Mapping[str, Name],
) -> Iterator[str]:
    """A term's parts. What lies behind ``as_of`` follows from the rules and has not been counted: it is to come."""
    end = f"until 至 {_at(term.due_at)}" if term.due_at else f"no end 无截止 {name(REASONS, term.reason or '')}"
    yield f"term 期限 {number}: from 自 {_at(term.since)} {end}, {OUTCOMES[term.outcome]}{_by(term.by, events)}"
    if len(term.calendars) > 1:
        for step in term.calendars:
            judged = f", judged by 判定 {_at(step.judged)}" if step.judged != step.due_at else ""
            yield (
                f"  by calendar 按日历 {step.calendar} (published 发布 {_at(step.published_at)}):"
                f" {_at(step.due_at)}{judged}"
            )
    yield from _term_in_days(term, as_of, events, pauses)
    yield from _term_in_minutes(term, as_of, events)
    if term.overrun_until is not None and term.due_at is not None:
        over = _minutes(term.overrun_until - term.due_at)
        yield f"  unmet for {over} min after that 超出 {over} 分钟, until 至 {_at(term.overrun_until)}"


def _term_in_days(
    term: TermExplained, as_of: datetime, events: Mapping[UUID, EventNamed], pauses: Mapping[str, Name]
) -> Iterator[str]:
    def is_over(day: DayCounted) -> bool:
        """Of the limit's last day its end is the limit's, of every other one midnight."""
        return day.day < local_date(as_of) or (term.due_at is not None and as_of >= term.due_at)

    for over, same in groupby(term.days, key=lambda day: (is_over(day), day.number or day.rule, day.name, day.by)):
        yield f"  {_days(list(same), events, pauses)}{'' if over[0] else TO_COME}"
    if term.working_days is not None:
        counted = [is_over(day) for day in term.days if day.number is not None]
        civil = any(day.rule == "civil" for day in term.days)
        unit, unit_zh = ("civil days", "个自然日") if civil else ("working days", "个工作日")
        left = counted.count(False)
        to_come = f", {left} to come 尚有 {left} {unit_zh}" if left else ""
        yield f"  = {sum(counted)} of {term.working_days} {unit} counted 共计 {sum(counted)} {unit_zh}{to_come}"


def _term_in_minutes(term: TermExplained, as_of: datetime, events: Mapping[UUID, EventNamed]) -> Iterator[str]:
    been, left = timedelta(), timedelta()
    for span in term.spans:
        for part in _cut(span, as_of):
            to_come = part.since >= as_of
            yield f"  {_span(part, events)}{TO_COME if to_come else ''}"
            length = part.until - part.since if part.counted else timedelta()
            been, left = (been, left + length) if to_come else (been + length, left)
    if term.limit is not None:
        to_come_text = f", {_minutes(left)} to come 尚有 {_minutes(left)} 分钟" if left else ""
        yield f"  = {_minutes(been)} of {_minutes(term.limit)} min counted 共计 {_minutes(been)} 分钟{to_come_text}"


def _cut(span: SpanCounted, at: datetime) -> tuple[SpanCounted, ...]:
    """The span, in two where ``at`` lies within it."""
    if not span.since < at < span.until:
        return (span,)
    return replace(span, until=at), replace(span, since=at, by=())


def _days(days: list[DayCounted], events: Mapping[UUID, EventNamed], pauses: Mapping[str, Name]) -> str:
    first, last = days[0], days[-1]
    span = f"{first.day:%Y-%m-%d %a}" + (f" … {last.day:%Y-%m-%d %a}" if len(days) > 1 else "")
    number = f"{first.number}. " if first.number is not None else "–  "
    named = f" ({name(pauses, first.name)})" if first.name else ""
    return f"{number}{span} {RULES[first.rule]}{named}{_by(first.by, events)}"


def _span(span: SpanCounted, events: Mapping[UUID, EventNamed]) -> str:
    mark = "+" if span.counted else "–"
    length = _minutes(span.until - span.since)
    return f"{mark} {_at(span.since)} → {_at(span.until)} {length} min {RULES[span.rule]}{_by(span.by, events)}"


def _verdict(given: VerdictGiven, events: Mapping[UUID, EventNamed]) -> str:
    words = [f"  v{given.version} {_at(given.recorded_at)} {VERDICTS[given.verdict]} {given.verdict}"]
    words += [f"lapse {given.lapse}"] if given.lapse is not None else []
    words += [f"from 自 {_at(given.old_due_at)}"] if given.old_due_at is not None else []
    words += [f"met at 兑现 {_at(given.met_at)}"] if given.met_at is not None else []
    words += [f"due 截止 {_at(given.due_at)}"] if given.due_at is not None else []
    words += [_until(given, given.provisional_until)] if given.provisional_until is not None else []
    words += [f"rung 预警 {given.rung}"] if given.rung is not None else []
    words += [f"step 升级 {given.step}"] if given.step is not None else []
    words += [f"to 通知 {', '.join(given.notify)}"] if given.step is not None else []
    words += [f"by 由 {given.by}"] if given.by is not None else []
    words += [f"because 因 {name(REASONS, given.reason)}"] if given.reason is not None else []
    words += [f"under 依据 {given.standard}" + (f" {given.calendar}" if given.calendar else "")]
    return ", ".join(words) + _by(given.decided_by, events)


def _until(given: VerdictGiven, until: datetime) -> str:
    """Until when it counts as met by this verdict, or had counted before it."""
    return f"{PROVISIONAL if given.verdict == 'met' else WAS_PROVISIONAL} {_at(until)}"


def _by(ids: Iterable[UUID], events: Mapping[UUID, EventNamed]) -> str:
    known = [events[id_] for id_ in ids if id_ in events]
    return "  ← " + ", ".join(f"v{event.version} {name(FACTS, event.fact)}" for event in known) if known else ""


def _minutes(length: timedelta) -> str:
    return f"{length.total_seconds() / 60:.10g}"


def _at(at: datetime) -> str:
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")

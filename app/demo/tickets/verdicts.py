"""A real city's own verdicts against ours: its tickets judged by its own rule, published as a standard.

Every ticket is told as an incident of its own through the API, under the city's calendar and standard; what our engine
put on record (when it is due, whether it lapsed) is then compared, ticket by ticket, with the due time and the verdict
that the city itself published. Each difference is put into a class by what the city's due time shows:

- ``within-a-minute``: the city's is up to a minute off, nearly always some seconds earlier: its clock began when the
  form was opened, ours when the ticket was numbered.
- ``before-the-report``, ``placeholder-year``: no due time that anybody can mean: earlier than the report, or years off.
- ``limit-of-another-kind``: the rule, with the limit of another kind: the ticket was another kind's once.
- ``same-day``: report or due time is known by its day, and the days agree.
- ``not-judged``: report or completion is known by its day, and by that nobody can say whether it was in time.
- ``any-hour``: the rule, or that of another kind, as if there were no intake hours.
- ``holiday-not-worked``: the rule, if the public holiday in between had been a day off.
- ``set-by-hand``: on a whole minute, as people type it; every computed one has its report's seconds.
- ``form-opened-earlier``: up to ten minutes earlier than ours.
- ``no-target-given``: the city gave none though its kind has one; ``target-by-hand``: one though its kind has none.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from app.days import is_day
from app.demo.stage import Stage, database
from app.demo.tickets import boston, city, rule
from app.demo.tickets.rows import SourceRow, Ticket, TicketBook, local, read_rows, with_bare_days
from app.demo.tickets.run import publish, require_ours
from domain import kinds
from domain.deadlines.calendar import Calendar
from domain.deadlines.limits import Intake, WorkingDays, count
from domain.deadlines.windows import OnRecord, WindowLedger
from domain.repairs.promises import COMPLETION, UNKNOWN
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import Standard
from infra.clock import ManualClock
from infra.eventstore import publication
from infra.eventstore.commands import Stamp
from infra.eventstore.envelope import folded
from infra.eventstore.service import Service, open_service
from infra.postgres.migrate import migrate
from infra.settings import Settings

SOURCE = "boston-rule"
OPERATOR = Stamp("operator-1", "operator", "office", f"{SOURCE}-calendar", SOURCE)
AT_ONCE = 500
MINUTE = timedelta(minutes=1)
NEAR = 10 * MINUTE
YEARS_OFF = timedelta(days=2 * 365)
DueClass = Literal[
    "exact",
    "within-a-minute",
    "same-day",
    "not-judged",
    "no-target",
    "before-the-report",
    "placeholder-year",
    "limit-of-another-kind",
    "any-hour",
    "holiday-not-worked",
    "set-by-hand",
    "form-opened-earlier",
    "no-target-given",
    "target-by-hand",
    "unexplained",
]
AGREED: tuple[DueClass, ...] = ("exact", "within-a-minute", "same-day", "no-target")
CityVerdict = Literal["ONTIME", "OVERDUE"]
NOT_JUDGED: Literal["UNKNOWN"] = "UNKNOWN"
"""Ours, of a ticket that is known by its day and by that cannot be judged: it neither agrees nor differs."""
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class TicketLine:
    """One ticket: the city's due time and verdict ("" for none given), and ours."""

    id: str
    kind: str
    reported: datetime
    city_due: datetime | None
    our_due: datetime | None
    due_class: DueClass
    city_verdict: str
    our_verdict: CityVerdict | Literal["UNKNOWN"]

    @property
    def verdict_agrees(self) -> bool:
        return self.city_verdict == self.our_verdict


@dataclass(frozen=True, slots=True)
class TicketComparison:
    """What came of it. ``due``: tickets by class of their due time; ``verdicts``: the city's → ours → tickets;
    ``apart``: tickets whose verdicts differ, by the class of their due time; ``examples``: of each class some."""

    tickets: int
    not_told: int
    standard: str
    calendar: str
    due: Mapping[str, int]
    verdicts: Mapping[str, Mapping[str, int]]
    apart: Mapping[str, int]
    examples: Mapping[str, Sequence[TicketLine]]
    kinds: Mapping[str, Mapping[str, int]]
    seconds: float

    @property
    def is_explained(self) -> bool:
        """Whether every ticket was told and every difference has a class."""
        return not self.not_told and not self.due.get("unexplained") and set(self.apart) <= set(self.due) - set(AGREED)


def compare(
    settings: Settings, path: Path, limit: int | None = None, database_url: str | None = None
) -> TicketComparison:
    """Replay the tickets under the city's rule, on an empty database or one for the run, and compare.

    Raises EmbeddedError ``not-this-form``, ``database-not-empty``; Refusal where standard or calendar is refused.
    """
    begun = time.monotonic()
    book = replace(boston.read_book(path, limit, alone=True), source=SOURCE)
    read = with_bare_days(read_rows(path, (*boston.COLUMNS, "due", "on_time")), ("reported", "closed", "due"))
    rows = {line: row for line, row in read if row is not None}
    with database(database_url) as url:
        migrate(url)
        require_ours(url, SOURCE)
        replaying = settings.model_copy(update={"database_url": url, "kafka_bootstrap": "", "demo": True})
        clock = ManualClock(city.starts_at(book))
        service = open_service(replaying, clock=clock)
        try:
            found = _played(service, clock, book)
            standard = service.rules.in_force(clock.now())
            days = service.rules.calendars_of(standard)[-1].calendar
        finally:
            service.close()
    told = [ticket for ticket in book.tickets if _name(ticket) in found]
    lines = [_line(ticket, rows[ticket.line], found[_name(ticket)], standard, days) for ticket in told]
    return _counted(lines, len(book.tickets) - len(lines), standard, days, begun)


def _played(service: Service, clock: ManualClock, book: TicketBook) -> dict[str, OnRecord]:
    """The completion window that is on record of each ticket, by its script's name."""
    for number, wanted in enumerate(rule.notices()):
        service.run(publication.publish_calendar(replace(OPERATOR, command_id=f"{SOURCE}-{number}"), wanted))
    stage = Stage(service, clock, watched=False)
    asyncio.run(publish(stage, SOURCE, city.publication(book, rule.standard_of)))
    asyncio.run(stage.play(book.scripts))
    ledgers: dict[UUID, WindowLedger] = {}
    ids = list(stage.cases.values())
    for first in range(0, len(ids), AT_ONCE):
        ledgers |= _ledgers(service, ids[first : first + AT_ONCE])
    return {name: ledgers[case_id][COMPLETION] for name, case_id in stage.cases.items()}


def _ledgers(service: Service, ids: Sequence[UUID]) -> dict[UUID, WindowLedger]:
    found = folded(service.store.log.select_many(ids), dict.fromkeys(ids, kinds.REPAIR))
    return {case_id: state.ledger for case_id, (state, _) in found.items()}


def _name(ticket: Ticket) -> str:
    return ticket.request[0] if ticket.request is not None else ""


# ---- ticket by ticket


def _line(ticket: Ticket, row: SourceRow, ours: OnRecord, standard: Standard, days: Calendar) -> TicketLine:
    assert ticket.reported is not None
    given = local(row["due"], boston.ZONE)
    due = given.at if given is not None else None
    is_unknown = ours.reason == UNKNOWN
    by_day = is_day(row.get("reported", "")) or (given is not None and given.is_day)
    return TicketLine(
        id=ticket.id,
        kind=ticket.kind,
        reported=ticket.reported,
        city_due=due,
        our_due=ours.due_at,
        due_class="not-judged" if is_unknown else due_class(ticket.reported, due, ours.due_at, standard, days, by_day),
        city_verdict=row["on_time"],
        our_verdict=NOT_JUDGED if is_unknown else "OVERDUE" if ours.lapses else "ONTIME",
    )


def due_class(
    reported: datetime,
    due: datetime | None,
    ours: datetime | None,
    standard: Standard,
    days: Calendar,
    by_day: bool = False,
) -> DueClass:
    """In which class a ticket's due time is. ``by_day``: of report or due time only the day is known."""
    if by_day and due is not None and ours is not None and days.local(due).date() == days.local(ours).date():
        return "same-day"
    if due is not None and due < reported:
        return "before-the-report"
    if due is None or ours is None:
        return "no-target" if due == ours else "no-target-given" if due is None else "target-by-hand"
    if abs(due - ours) <= MINUTE:
        return "exact" if due == ours else "within-a-minute"
    if due - ours > YEARS_OFF:
        return "placeholder-year"
    trials: tuple[tuple[DueClass, Intake | None, Calendar], ...] = (
        ("limit-of-another-kind", standard.repair.intake, days),
        ("any-hour", None, days),
        ("holiday-not-worked", standard.repair.intake, _with_holidays(days)),
    )
    limits = set(standard.repair.kind_limits.values())
    for name, intake, calendar in trials:
        if any(abs(_due(reported, limit, intake, calendar) - due) <= MINUTE for limit in limits):
            return name
    if not due.second:
        return "set-by-hand"
    return "form-opened-earlier" if timedelta() < ours - due <= NEAR else "unexplained"


def _due(reported: datetime, limit: KindLimit, intake: Intake | None, days: Calendar) -> datetime:
    counted = WorkingDays(reported, limit.days, rule.CLOSE, unit=limit.unit, ends=limit.ends, intake=intake)
    return count(counted, days).due_at


def _with_holidays(days: Calendar) -> Calendar:
    """The same calendar, if nobody had worked on the public holidays that it names."""
    return replace(days, moved=dict.fromkeys(days.moved, True))


# ---- counting


def _counted(
    lines: Sequence[TicketLine], not_told: int, standard: Standard, days: Calendar, begun: float
) -> TicketComparison:
    verdicts: dict[str, Counter[str]] = {}
    examples: dict[str, list[TicketLine]] = {}
    by_kind: dict[str, Counter[str]] = {}
    for line in lines:
        verdicts.setdefault(line.city_verdict or "none given", Counter())[line.our_verdict] += 1
        by_kind.setdefault(line.kind, Counter())[line.due_class] += 1
        if line.due_class not in AGREED and len(shown := examples.setdefault(line.due_class, [])) < EXAMPLES:
            shown.append(line)
    judged = [line for line in lines if line.our_verdict != NOT_JUDGED]
    apart = Counter(line.due_class for line in judged if line.city_verdict and not line.verdict_agrees)
    return TicketComparison(
        tickets=len(lines) + not_told,
        not_told=not_told,
        standard=standard.version,
        calendar=days.version,
        due=_sorted(Counter(line.due_class for line in lines)),
        verdicts={city_: _sorted(ours) for city_, ours in sorted(verdicts.items())},
        apart=_sorted(apart),
        examples=examples,
        kinds={kind: _sorted(classes) for kind, classes in sorted(by_kind.items())},
        seconds=round(time.monotonic() - begun, 1),
    )


def _sorted(counter: Mapping[Any, int]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda each: (-each[1], each[0])))


# ---- for people

CLASSES: Mapping[DueClass, str] = {
    "exact": "to the second 完全一致",
    "within-a-minute": "within a minute 相差一分钟内",
    "same-day": "the same day, and the time of day is not known 同日，时刻不详",
    "not-judged": "known by its day, not judged 仅知日期，不作判定",
    "no-target": "no target, for either 双方均无期限",
    "before-the-report": "the city's is before the report 早于报修",
    "placeholder-year": "the city's is years off 占位年份",
    "limit-of-another-kind": "by the limit of another kind 按其他类别的时限",
    "any-hour": "as if there were no intake hours 不计收件时间",
    "holiday-not-worked": "as if the holiday had not been worked 视节假日为休息",
    "set-by-hand": "set by hand 人工填写",
    "form-opened-earlier": "some minutes earlier: the form was opened before 表单先行打开",
    "no-target-given": "the city gave none, its kind has one 该类有期限而未给",
    "target-by-hand": "the city gave one, its kind has none 该类无期限而给了",
    "unexplained": "UNEXPLAINED 未能解释",
}


def as_text(found: TicketComparison) -> Iterator[str]:
    """The comparison for a terminal."""
    agree = sum(found.due.get(each, 0) for each in AGREED)
    yield (
        f"{found.tickets} tickets under standard 标准 {found.standard}, calendar 日历 {found.calendar}, in "
        f"{found.seconds:g} s; not told 未录入 {found.not_told}"
    )
    yield f"due times that agree 到期一致: {agree} of {found.tickets}"
    for name, number in found.due.items():
        yield f"  {number:>7}  {name:<22} {CLASSES[name]}"  # type: ignore[index]
        for line in found.examples.get(name, ()):
            yield f"           e.g. {_example(line)}"
    same = sum(ours.get(city_, 0) for city_, ours in found.verdicts.items())
    given = sum(sum(ours.values()) for city_, ours in found.verdicts.items() if city_ != "none given")
    yield f"verdicts that agree 结论一致: {same} of the {given} that the city gave"
    for city_, ours in found.verdicts.items():
        for our, number in ours.items():
            mark = " " if city_ in (our, "none given") else "?" if our == NOT_JUDGED else "≠"
            yield f"  {number:>7}  city 市方 {city_:<10} {mark} ours 我方 {our}"
    for name, number in found.apart.items():
        yield f"  {number:>7}  of those that differ: {name} {CLASSES[name]}"  # type: ignore[index]


def _example(line: TicketLine) -> str:
    city_, ours = _wall(line.city_due), _wall(line.our_due)
    return f"{line.id} {' '.join(line.kind.split())}: reported {_wall(line.reported)}, city {city_}, ours {ours}"


def _wall(at: datetime | None) -> str:
    return at.astimezone(boston.ZONE).strftime("%Y-%m-%d %H:%M:%S") if at is not None else "none"


def derived(path: Path) -> Iterator[str]:
    """How the limits are found in an order book, a line for each kind."""
    yield f"{'kind':<44}{'tickets':>9}{'target':>9}{'fit':>9}  limit"
    for each in rule.limits_from(path):
        limit = f"{each.limit.days} {each.limit.unit} days" if each.limit is not None else "none"
        kind = " ".join(each.kind.split())[:43]
        yield f"{kind:<44}{each.tickets:>9}{each.with_target:>9}{each.fit:>9}  {limit}"

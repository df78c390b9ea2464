"""One case folded anew from the store, event by event: what was on record after each, for auditors and developers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import kinds
from domain.deadlines.calendar import LOCAL
from domain.deadlines.windows import WindowFact
from domain.kernel.refusals import NoSuchCase
from infra.eventstore.commands import Stream
from infra.eventstore.consistency_check import published_of
from infra.eventstore.service import Service
from infra.readers.record import Event
from infra.sql import sql
from infra.sql.bounds import bounds_of
from projections.names import COMMITMENTS, STAGES, STATES, name
from projections.read_models.cases import CASES, CaseRow
from projections.read_models.model import fact_name
from projections.read_models.windows import WINDOWS, WindowRow
from projections.reports.figures import bounds


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """A case after one of its events: how far it had come, and every window as it stood on record."""

    version: int
    position: int
    happened_at: datetime
    recorded_at: datetime
    fact: str
    actor: str
    role: str
    channel: str
    stage: str
    windows: tuple[WindowRow, ...]


def replay(events: Iterable[Event]) -> Iterator[ReplayStep]:
    """The case after each of its events, in order; by the read models' own folds."""
    cases: dict[tuple[Any, ...], CaseRow | None] = {}
    windows: dict[tuple[Any, ...], WindowRow | None] = {}
    for event in events:
        CASES.take(cases, event)
        WINDOWS.take(windows, event)
        case = cases.get((event.case_id,))
        yield ReplayStep(
            version=event.version,
            position=event.position,
            happened_at=event.happened_at,
            recorded_at=event.recorded_at,
            fact=fact_name(event),
            actor=event.actor,
            role=event.role,
            channel=event.channel,
            stage=case.stage if case is not None else "",
            windows=tuple(window for window in windows.values() if window is not None),
        )


@dataclass(frozen=True, slots=True)
class Replay:
    """A case replayed. ``to_come``: what the rulebook would append now; it agrees with the record where that is
    nothing."""

    case_id: UUID
    steps: tuple[ReplayStep, ...]
    to_come: tuple[WindowFact, ...]


def replay_case(service: Service, case: str) -> Replay:
    """Replay the case of that id or number. Refuses ``no-such-case``."""
    with service.connection() as connection:
        case_id = id_of(connection, case)
        events = list(published_of(service.settings, connection, case_id)) if case_id is not None else []
    kind = kinds.opened_as(events[0].type) if events else None
    steps = tuple(replay(events)) if kind is not None else ()
    if case_id is None or kind is None or not any(step.stage for step in steps):
        raise NoSuchCase(
            found=f"no case {case[:64]}",
            needed="the id or the number of a case",
            next_step="look the case up on the board",
            next_step_zh="请在看板查询案件编号",
        )
    state, _ = service.load(Stream(kind, case_id))
    return Replay(case_id, steps, kinds.conclusion(kind, state, service.rules, service.clock.now()))


def id_of(connection: Any, case: str) -> UUID | None:
    """The id of a case that is named by its id or by its number; None where no such number is listed."""
    return _id_of(case) or _id_of_number(connection, case)


def _id_of(case: str) -> UUID | None:
    try:
        return UUID(case)
    except ValueError:
        return None


def _id_of_number(connection: Any, number: str) -> UUID | None:
    wanted = {"family": None, "open": None, "number": number.strip().upper(), "district": None, "limit": 1}
    row = connection.execute(sql("list_cases"), wanted | bounds() | bounds_of()).fetchone()
    return row["case_id"] if row is not None else None


def to_come(found: Replay) -> Iterator[str]:
    """Whether the rulebook agrees with what is on record, for a terminal."""
    if not found.to_come:
        yield "the rulebook agrees with what is on record 与规则一致"
    for fact in found.to_come:
        yield f"! the rulebook would append 规则将追加 {type(fact).__name__} {name(COMMITMENTS, fact.commitment)}"


def lines(steps: Iterable[ReplayStep]) -> Iterator[str]:
    """The replay for a terminal, times in China."""
    for step in steps:
        late = f"  recorded 登记 {_at(step.recorded_at)}" if step.recorded_at != step.happened_at else ""
        yield f"v{step.version} #{step.position} {_at(step.happened_at)} {step.fact}{late}"
        yield f"    by {step.role} {step.actor} over {step.channel}; stage 阶段 {name(STAGES, step.stage)}"
        for window in step.windows:
            yield f"    {_window(window)}"


def _window(window: WindowRow) -> str:
    due = "no end instant 无截止时刻" if window.due_at is None else f"due 截止 {_at(window.due_at)}"
    words = [name(COMMITMENTS, window.commitment), name(STATES, window.state), due]
    words += ["tentative 暂定"] if window.tentative else []
    words += [f"met 兑现 {_at(window.met_at)}{'' if window.on_time else ' late 迟'}"] if window.met_at else []
    words += [f"lapses 超时 {window.lapses}"] if window.lapses else []
    words += [f"retracted 撤回 {window.retracted}"] if window.retracted else []
    return ", ".join([*words, f"under 依据 {window.standard}" + (f" {window.calendar}" if window.calendar else "")])


def _at(at: datetime) -> str:
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")

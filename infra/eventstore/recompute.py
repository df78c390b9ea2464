"""Open deadlines under a new calendar: what would move before it is published, and moving it all once it is.

Every decision and every question on a case moves its windows before judging, so a window can never lapse by a calendar
that was replaced. The job here is for speed only: it asks about every case with an open deadline, soonest the better,
so that applicants, boards and the watch's index know the new day at once. It is safe to run twice, or in two processes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import kinds
from domain.deadlines.calendar import CalendarPublished
from domain.deadlines.windows import Window
from domain.kernel.facts import Recorded
from domain.kinds import Kind, State
from domain.standard.standards import Rules
from infra.eventstore import shipped_rules as published
from infra.eventstore.commands import Receipt, Stream, UnreadableStreamError, evaluation_of
from infra.eventstore.envelope import folded
from infra.eventstore.service import Service, load_publications
from infra.sql import sql

log = logging.getLogger(__name__)

COUNTED = (kinds.CONNECTION, kinds.ORDER, kinds.REPAIR)
"""The kinds of case whose deadlines are in working days; a repair's only where the standard has them so."""
AT_ONCE = 1_000
_BEFORE_ALL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Move:
    """A deadline that a calendar moves, or makes tentative or settled."""

    case_number: str
    case_id: UUID
    commitment: str
    old_due_at: datetime | None
    new_due_at: datetime | None
    old_tentative: bool
    new_tentative: bool


@dataclass(slots=True)
class DryRun:
    """What a calendar would do if it were published now: nothing of it is stored."""

    calendar: str
    looked_at: int = 0
    moves: list[Move] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One run of the job: how many cases were looked at, how many got an event, and how long it took (real time)."""

    rules_position: int
    looked_at: int
    moved: int
    seconds: float


def dry_run(service: Service, document: CalendarPublished) -> DryRun:
    """Every open deadline that the calendar would move, soonest first, without publishing it.

    Raises LookupError where no standard counts by the calendar's region and nothing would ever read it.
    """
    now, rules = service.clock.now(), service.rules
    states = load_publications(service.store)
    stream = published.calendar_stream(document.region)
    if not any(document.region in standard.calendar_regions for standard in rules.standards):
        raise LookupError(f"no standard counts by a calendar of region {document.region}")
    recorded = Recorded(document, stream.id, 0, now)
    hypothetical = published.rules_from(states | {stream.id: stream.kind.evolve(states.get(stream.id), recorded)})
    found = DryRun(hypothetical.calendar.version)
    for kind in COUNTED:
        for part in _parts(_open_cases(service, kind, newest=())):
            for case_id, state in _states(service, kind, part).items():
                moves = list(_moves(kind, case_id, state, rules, hypothetical, now))
                found.looked_at += _is_open(kind, state, rules, now)
                found.moves += moves
    found.moves.sort(key=lambda move: (move.new_due_at is None, move.new_due_at, move.case_number))
    return found


def open_cases(service: Service) -> int:
    """How many cases have an open deadline that a calendar decides, as a dry run counts them."""
    now, rules = service.clock.now(), service.rules
    return sum(
        _is_open(kind, state, rules, now)
        for kind in COUNTED
        for part in _parts(_open_cases(service, kind, newest=()))
        for state in _states(service, kind, part).values()
    )


def moved_since(service: Service, position: int) -> int:
    """How many deadlines calendars have moved, by what was recorded after a position of the log."""
    with service.connection() as connection:
        found = connection.execute(sql("moved_by_calendar"), {"after": position}).fetchone()
    assert found is not None
    return int(found["moved"])


Answered = Callable[[Sequence[tuple[Kind, Receipt]]], None]
"""Is told what the domain answered, so that nobody needs to ask again because of the moves."""


def run(service: Service, answered: Answered = lambda receipts: None) -> Recomputed | None:
    """Bring every open deadline to the rules in force; None where that was done already."""
    rules = service.rules
    with service.connection() as connection:
        done = connection.execute(sql("recompute_state")).fetchone()
    if done is not None and done["rules_position"] >= rules.position:
        return None
    begun, looked_at, moved = time.monotonic(), 0, 0
    newest = [versions[-1].calendar.version for versions in rules.calendars.values()]
    for kind in COUNTED:
        for part in _parts(_open_cases(service, kind, newest)):
            receipts = _ask(service, kind, part)
            answered([(kind, receipt) for receipt in receipts])
            looked_at += len(receipts)
            moved += sum(receipt.last_version >= receipt.first_version for receipt in receipts)
    result = Recomputed(rules.position, looked_at, moved, time.monotonic() - begun)
    with service.connection() as connection:
        connection.execute(
            sql("recompute_done"),
            {
                "rules_position": rules.position,
                "looked_at": looked_at,
                "moved": moved,
                "finished_at": service.clock.now(),
            },
        )
    log.info("recomputed %d open cases, %d moved, %.1f s", looked_at, moved, result.seconds)
    return result


# ---- steps


def _open_cases(service: Service, kind: Kind, newest: Sequence[str]) -> Iterator[UUID]:
    """Every case that may have an open deadline under another calendar than ``newest``.

    The read model knows them up to a position; whatever happened to windows after it is looked up in the store. So none
    is missed however far the read model is behind.
    """
    settings = service.settings
    topic = settings.home_topic(kind.topic)
    with service.connection() as connection:
        read_position = connection.execute(
            sql("windows_read_to"), {"topic": topic, "partitions": settings.partitions}
        ).fetchone()
        like = f"water.{kind.topic}.Window%"
        position = read_position["position"] if read_position is not None else 0
        rows = connection.execute(sql("windows_since"), {"after": position, "like": like}).fetchall()
    touched = [row["case_id"] for row in rows]
    recent = [case_id for case_id, its in service.kinds_of(touched).items() if its is kind]
    yield from recent
    seen, after = set(recent), _BEFORE_ALL
    while True:
        query = {"family": kind.name, "newest": list(newest), "after": after, "most": AT_ONCE}
        with service.connection() as connection:
            found = [row["case_id"] for row in connection.execute(sql("deadlines_by_calendar"), query)]
        if not found:
            return
        yield from (case_id for case_id in found if case_id not in seen)
        after = found[-1]


def _parts(cases: Iterator[UUID]) -> Iterator[list[UUID]]:
    part: list[UUID] = []
    for case_id in cases:
        part.append(case_id)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _ask(service: Service, kind: Kind, cases: Sequence[UUID]) -> list[Receipt]:
    futures = [service.submit(evaluation_of(Stream(kind, case_id), "recompute")) for case_id in cases]
    return [receipt for future in futures if (receipt := _receipt(future)) is not None]


def _receipt(future: Future[Receipt]) -> Receipt | None:
    try:
        return future.result()
    except UnreadableStreamError as error:
        log.error("left out of the recompute: %s", error)  # one case must not keep all others from their new day
        return None


def _states(service: Service, kind: Kind, cases: Sequence[UUID]) -> dict[UUID, State]:
    found = folded(service.store.log.select_many(list(cases)), dict.fromkeys(cases, kind))
    return {case_id: state for case_id, (state, _) in found.items()}


def _is_open(kind: Kind, state: State, rules: Rules, now: datetime) -> bool:
    return any(_runs(window) for window in kinds.windows(kind, state, rules, now))


def _runs(window: Window) -> bool:
    return window.basis.calendar is not None and window.met_at is None and window.cancelled is None


def _moves(kind: Kind, case_id: UUID, state: Any, rules: Rules, hypothetical: Rules, now: datetime) -> Iterator[Move]:
    after = {window.commitment: window for window in kinds.windows(kind, state, hypothetical, now)}
    for before in kinds.windows(kind, state, rules, now):
        window = after[before.commitment]
        moved = (before.due_at, before.tentative) != (window.due_at, window.tentative)
        if _runs(before) and moved:
            yield Move(
                state.number,
                case_id,
                before.commitment,
                before.due_at,
                window.due_at,
                before.tentative,
                window.tentative,
            )

"""Policy replay: a period's real cases judged under the standards in force and under another one, touching nothing.

Read from the store, in one read-only repeatable-read transaction: it is one instant of the whole history, also of what
the relay has not published yet, and it gives one case after another, so that memory holds some hundred cases however
long the period is. (On the topics the events of all cases lie mixed; a case is whole only at their end.) Nothing is
opened that could write: no service, no writer, no clock's anchor; PostgreSQL itself refuses a write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from time import monotonic
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, dict_row

from domain import kinds
from domain.deadlines.calendar import LOCAL
from domain.kernel.refusals import DatesOutOfOrder, Refusal
from domain.kinds import Kind, State
from domain.publication import calendars, standards
from domain.publication.publishing import Calendars, Standards
from domain.standard.context import CommandContext, Person
from domain.standard.standards import Rules, Standard, make_rules
from domain.what_if import DIMENSIONS, PromiseComparison, PromiseVerdict, always, compare, placed, unrecorded
from infra.clock import REAL, ScaledClock
from infra.eventstore import shipped_rules as published
from infra.eventstore.commands import Stream
from infra.eventstore.documents import trial_standard_of
from infra.eventstore.envelope import folded
from infra.settings import Settings
from infra.sql import sql

AT_ONCE = 500
LONGEST = "-c statement_timeout=30min -c lock_timeout=5s -c default_transaction_read_only=on"
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)


@dataclass(frozen=True, slots=True)
class Period:
    """Cases that began on these civil days in China, both included. None: from the beginning, until now."""

    first: date | None = None
    last: date | None = None

    def begin(self) -> datetime:
        return datetime.combine(self.first or FIRST_DAY, time(0), LOCAL).astimezone(UTC)

    def end(self) -> datetime:
        return datetime.combine((self.last or LAST_DAY) + timedelta(days=1), time(0), LOCAL).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Changed:
    """A promise of a case that would have become something else."""

    case_number: str
    case_id: UUID
    kind: str
    commitment: str
    where: Mapping[str, str]
    before: PromiseVerdict
    after: PromiseVerdict


@dataclass(slots=True)
class Both:
    """How many promises became what, under both; ``lapses`` counts every end that ran out unmet."""

    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    lapses_before: int = 0
    lapses_after: int = 0
    changed: int = 0
    moved: int = 0
    """Due at another time, and otherwise the same."""

    def take(self, found: PromiseComparison) -> None:
        """Count one promise."""
        self.before[found.before.outcome] += 1
        self.after[found.after.outcome] += 1
        self.lapses_before += found.before.lapses
        self.lapses_after += found.after.lapses
        self.changed += found.is_changed
        self.moved += not found.is_changed and found.before.due_at != found.after.due_at


@dataclass(slots=True)
class Sums:
    """What a trial has counted so far. ``by``: dimension → value → commitment. ``governed``: cases by the standard that
    was in force for them. ``unrecorded``: promises whose verdict under the standards in force is not what is on record
    (what ran out just now, or was judged by an older program)."""

    cases: int = 0
    events: int = 0
    changed_cases: int = 0
    by_commitment: dict[str, Both] = field(default_factory=dict)
    by: dict[str, dict[str, dict[str, Both]]] = field(default_factory=lambda: {name: {} for name in DIMENSIONS})
    governed: Counter[str] = field(default_factory=Counter)
    unrecorded: int = 0
    seconds: float = 0.0

    def take(self, found: Sequence[PromiseComparison], where: Mapping[str, str]) -> None:
        """Count one case."""
        self.cases += 1
        self.changed_cases += any(each.is_changed for each in found)
        self.governed[next((each.before.standard for each in found if each.before.standard), "none")] += 1
        for each in found:
            self.by_commitment.setdefault(each.commitment, Both()).take(each)
            for dimension, value in where.items():
                values = self.by[dimension].setdefault(value, {})
                values.setdefault(each.commitment, Both()).take(each)


class Trial:
    """One comparison. ``changes`` goes through the cases and counts them into ``sums``; made by ``trial``."""

    def __init__(
        self,
        connection: psycopg.Connection[DictRow],
        before: Rules,
        after: Rules,
        period: Period,
        at: datetime,
        longest_s: float | None = None,
    ) -> None:
        self.sums = Sums()
        self.period = period
        self.at = at
        self.standard = after.standards[0]
        self._connection = connection
        self._longest_s = longest_s
        self._before, self._after = before, after

    def changes(self) -> Iterator[Changed]:
        """Every promise that would have become something else, case by case; to be asked for once. Raises TimeoutError
        where it takes longer than it may."""
        begun = monotonic()
        for part in self._parts():
            channels = {row["case_id"]: row["channel"] for row in part}
            opened = {row["case_id"]: kinds.opened_as(row["type"]) for row in part}
            kind_of = {case_id: kind for case_id, kind in opened.items() if kind is not None}
            for case_id, state in self._states(kind_of).items():
                if state is not None:
                    yield from self._case(kind_of[case_id], case_id, state, channels[case_id])
            self.sums.seconds = monotonic() - begun
            if self._longest_s is not None and self.sums.seconds > self._longest_s:
                raise TimeoutError

    def run(self) -> list[Changed]:
        """All of them at once."""
        return list(self.changes())

    def _parts(self) -> Iterator[list[DictRow]]:
        query = {"types": list(kinds.OPENERS), "begin": self.period.begin(), "end": self.period.end()}
        # A cursor of the server: what it has not handed out yet does not lie in our memory.
        with self._connection.cursor(name="cases_begun") as cursor:
            cursor.itersize = AT_ONCE
            rows = iter(cursor.execute(sql("cases_begun"), query))
            while part := list(islice(rows, AT_ONCE)):
                yield part

    def _states(self, kind_of: Mapping[UUID, Kind]) -> dict[UUID, State]:
        found = folded(_events_of(self._connection, kind_of), kind_of)
        self.sums.events += sum(version for _, version in found.values())
        return {case_id: state for case_id, (state, _) in found.items()}

    def _case(self, kind: Kind, case_id: UUID, state: Any, channel: str) -> Iterator[Changed]:
        before = kinds.windows(kind, state, self._before, self.at)
        found = compare(before, kinds.windows(kind, state, self._after, self.at))
        where = placed(state, channel)
        self.sums.take(found, where)
        self.sums.unrecorded += unrecorded(kind, state, before, self.at)
        for each in found:
            if each.is_changed:
                yield Changed(state.number, case_id, kind.name, each.commitment, where, each.before, each.after)


@contextmanager
def trial(
    settings: Settings, raw: bytes, period: Period, at: datetime | None = None, *, longest_s: float | None = None
) -> Iterator[Trial]:
    """A trial of the standard in ``raw`` (see ``infra.eventstore.documents.trial_standard_of``) on the cases of a
    period, judged at ``at`` (None: now, by the installation's clock). It holds one read-only transaction while it is
    open. ``longest_s``: how long its cases may take; None: as long as they take.

    Raises DocumentError, LookupError where nothing is published, and what PostgreSQL raises; refuses what the draft of
    the standard would be refused for, and ``dates-out-of-order``.
    """
    if period.first is not None and period.last is not None and period.first > period.last:
        raise _out_of_order(period.first, period.last)
    with psycopg.connect(settings.database_url, connect_timeout=5, options=LONGEST, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        states = _folded(connection, published.rule_streams({}))
        before = published.rules_from(states | _folded(connection, published.rule_streams(states)))
        at = at or _now(connection)
        given = _given(connection, raw, before, states, at)
        regions = _calendars(connection, given.calendar_regions)
        after = make_rules([given], [each for state in regions for each in state.published], before.catalogues)
        yield Trial(connection, before, always(after, given), period, at, longest_s)


def _given(
    connection: psycopg.Connection[DictRow], raw: bytes, rules: Rules, states: Mapping[UUID, State], at: datetime
) -> Standard:
    """The standard to try, looked at as its draft would be."""
    # Of two with one version the later counts; the standards are in order of their publication.
    known = {standard.version: standard for standard in rules.standards}
    document = trial_standard_of(raw, known, rules.in_force(at).version)
    ctx = CommandContext(at, at, "office", rules, Person("what-if", "operator"))
    state: Standards | None = states.get(published.STANDARDS.id)
    regions = calendars.known_regions(_calendars(connection, document.calendar_regions))
    return standards.try_out(state, ctx, document=document, regions=regions)


def _calendars(connection: psycopg.Connection[DictRow], regions: Sequence[str]) -> list[Calendars]:
    streams = [published.calendar_stream(region) for region in dict.fromkeys(regions)]
    return [state for state in _folded(connection, streams).values() if isinstance(state, Calendars)]


def _folded(connection: psycopg.Connection[DictRow], streams: Sequence[Stream]) -> dict[UUID, State]:
    kind_of = {stream.id: stream.kind for stream in streams}
    return {id_: state for id_, (state, _) in folded(_events_of(connection, kind_of), kind_of).items()}


def _events_of(connection: psycopg.Connection[DictRow], streams: Collection[UUID]) -> Iterator[tuple[UUID, bytes]]:
    for row in connection.execute(sql("events_of"), {"ids": list(streams)}):
        yield row["originator_id"], bytes(row["state"])


def _now(connection: psycopg.Connection[DictRow]) -> datetime:
    """By the installation's clock; one that no process has set yet is the real one."""
    row = connection.execute(sql("clock_anchor")).fetchone()
    clock = ScaledClock(row["real_at"], row["service_at"], row["factor"]) if row is not None else REAL
    return clock.now()


def _out_of_order(first: date, last: date) -> Refusal:
    return DatesOutOfOrder(found=f"{first} to {last}", needed="a first day not later than the last")

"""Reading rounds 抄表: a book of meters is read each month by its day, and a second person checks what was read.

Sources: every meter is read monthly, on time and correctly, as published; the check by a second person is the practice
of other water companies. That a book unread by the close of business of its day is a lapse is our decision, and so is
that a meter nobody can read counts with a coded exception. One stream is one book in one month.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Annotated

from domain.deadlines.calendar import closing_time, local_date
from domain.deadlines.windows import Obligation, Term, WindowFact, WindowLedger, record
from domain.kernel.copies import changed
from domain.kernel.facts import EventToAppend, Moment, Name, Recorded, fact
from domain.kernel.fields import CaseNumber, Flags, Litres, MeterNumber, ReadAt, ReasonCode, SecondPerson
from domain.kernel.refusals import CaseExists, CodeTwice, DatesOutOfOrder
from domain.metering.refusals import BadMonth, MeterNotInBook, ReadingOutOfPeriod, UnknownReadingException
from domain.repairs.checks import early, late, require_credible
from domain.standard.context import CommandContext, require_power, require_second_person
from domain.standard.fees import first_repeated
from domain.standard.ladders import counted, obligation, reminders
from domain.standard.standards import Rules
from domain.standard.values import require_known, require_range

READ = "book.read"
PROMISES: Mapping[str, Name] = {READ: Name("按时抄表", "meter route read")}
MOST_METERS = 1_500
MOST_ROWS = 200
MOST_DAYS_AHEAD = 366
_MONTH = re.compile(r"20\d\d-(?:0[1-9]|1[0-2])")

STAGES: Mapping[str, Name] = {
    "round_opened": Name("待抄表", "to be read"),
    "partly_read": Name("抄表中", "being read"),
    "read": Name("已抄齐", "read"),
}
"""The stages of such a case, in order."""


# ---- facts


@fact("抄表任务", "reading round opened", topic="usage", stage="round_opened")
class ReadingRoundOpened:
    """The book is to be read by the close of business of ``due_on``. ``month``: for which, as 2026-09; ``reader``: the
    staff id of who reads it."""

    case_number: CaseNumber
    book: Annotated[str, "Code of the meter route."]
    month: Annotated[str, "Month of the round, as YYYY-MM."]
    due_on: Annotated[date, "Day by which the route is read."]
    reader: Annotated[str, "Actor id of the meter reader."]
    meters: Annotated[tuple[str, ...], "Numbers of the meters to read."]


@fact("读数复核", "reading audited", topic="usage", stage="partly_read")
class ReadingAudited:
    """A second person checked a reading: billing may use it. ``signs``: what stands out about it."""

    meter: MeterNumber
    read_at: ReadAt
    litres: Litres
    used_litres: Annotated[int | None, "Use since the reading before, in litres; null where it cannot be told."]
    signs: Annotated[
        tuple[str, ...], "What about the reading stands out: high, zero, falling, dial-over or never-still."
    ]


@fact("抄表例外", "reading excepted", topic="usage", stage="partly_read")
class ReadingExcepted:
    """The meter could not be read; ``reason``: the standard's."""

    meter: MeterNumber
    reason: ReasonCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("抄表完成", "round complete", topic="usage", stage="read")
class ReadingRoundCompleted:
    """Every meter of the book has an audited reading or an exception."""

    audited: Annotated[int, "How many readings were checked."]
    excepted: Annotated[int, "How many meters could not be read."]


# ---- state


@dataclass(frozen=True, slots=True)
class ReadingRound:
    """The book in its month. ``settled``: meter → when it was audited or excepted."""

    number: str
    book: str
    month: str
    due_on: date
    reader: str
    meters: tuple[str, ...]
    opened: Moment
    settled: dict[str, tuple[Moment, ...]] = field(default_factory=dict)
    audited: frozenset[tuple[str, datetime]] = frozenset()
    excepted: dict[str, str] = field(default_factory=dict)
    completed: bool = False
    ledger: WindowLedger = field(default_factory=dict)

    @property
    def unread(self) -> tuple[str, ...]:
        """The meters that nothing is known of yet, in the order of the book."""
        return tuple(meter for meter in self.meters if meter not in self.settled)

    @property
    def read(self) -> frozenset[str]:
        """The meters that have an audited reading."""
        return frozenset(meter for meter, _ in self.audited)


def evolve(state: ReadingRound | None, recorded: Recorded) -> ReadingRound | None:
    """The book after a fact of its stream; never refuses."""
    fact = recorded.fact
    moment = Moment(recorded.happened_at, recorded.event_id)
    if isinstance(fact, ReadingRoundOpened):
        number, book = fact.case_number, fact.book
        return state or ReadingRound(number, book, fact.month, fact.due_on, fact.reader, fact.meters, moment)
    if state is None:
        return None
    if isinstance(fact, WindowFact):
        return changed(state, ledger=record(state.ledger, fact))
    match fact:
        case ReadingAudited(meter, read_at):
            after = _settled(state, meter, moment)
            return replace(after, audited=after.audited | {(meter, read_at)})
        case ReadingExcepted(meter, reason):
            after = _settled(state, meter, moment)
            return replace(after, excepted={**after.excepted, meter: reason})
        case ReadingRoundCompleted():
            return replace(state, completed=True)
        case _:
            return state


def _settled(state: ReadingRound, meter: str, moment: Moment) -> ReadingRound:
    return replace(state, settled={**state.settled, meter: (*state.settled.get(meter, ()), moment)})


def consequences(state: ReadingRound | None, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    """The round is complete with its last meter."""
    if state is None or state.completed or state.unread:
        return ()
    audited = len(state.read)
    return (EventToAppend(ReadingRoundCompleted(audited, len(state.meters) - audited), at),)


def obligations(state: ReadingRound | None, rules: Rules) -> tuple[Obligation, ...]:
    """Read by the close of business of its day; met with the last meter."""
    if state is None:
        return ()
    standard = rules.in_force(state.opened.at)
    opened = state.opened
    due_at = closing_time(state.due_on, standard.close_of_business)
    term = Term(opened.at, due_at, (opened.by,))
    due_reminders = reminders(standard, READ, opened.at, due_at)
    settled = [counted(state.settled.get(meter, ()), opened.at, standard) for meter in state.meters]
    met = max(min(moments) for moments in settled) if all(settled) else None
    return (obligation(READ, standard, opened.at, (term,), met, due_reminders),)


# ---- decisions


def open_round(
    state: ReadingRound | None,
    ctx: CommandContext,
    *,
    number: str,
    book: str,
    month: str,
    due_on: date,
    reader: str,
    meters: Sequence[str],
) -> ReadingRoundOpened:
    """Open a book's round. Refuses ``wrong-role``, ``case-exists``, ``bad-month``, ``dates-out-of-order`` (a day that
    is over, or more than a year ahead), ``out-of-range`` (no meter, or more than an event holds), ``code-twice``."""
    require_power(ctx, "book.open")
    if state is not None:
        raise CaseExists(
            found=f"round {state.number} of book {state.book} in {state.month}",
            needed="a book that has no round in that month",
            next_step="nothing is to be done",
            next_step_zh="该表册本月抄表任务已建立，无需操作",
        )
    if not _MONTH.fullmatch(month):
        raise BadMonth(month)
    today = local_date(ctx.at)
    if not today <= due_on <= today + timedelta(days=MOST_DAYS_AHEAD):
        raise DatesOutOfOrder(
            found=f"due on {due_on}",
            needed=f"a day from {today} on, at most {MOST_DAYS_AHEAD} days ahead",
            next_step="correct the day",
            next_step_zh="截止日须为今日起一年内",
        )
    require_range("meters of a book", len(meters), 1, MOST_METERS)
    if twice := first_repeated(meters):
        raise CodeTwice(
            found=f"meter {twice} twice in book {book}",
            needed="each meter once",
            next_step_zh="同一水表重复，请删除其一",
        )
    return ReadingRoundOpened(number, book, month, due_on, reader, tuple(meters))


def audit(state: ReadingRound, ctx: CommandContext, rows: Sequence[ReadingAudited]) -> tuple[ReadingAudited, ...]:
    """A second person checked these readings; those that were checked before say nothing again.

    Refuses ``wrong-role``, ``same-person`` (who read them), ``out-of-range``, ``meter-not-in-book``,
    ``reading-out-of-period``.
    """
    book = _known(state, ctx, "book.audit")
    require_second_person(ctx, book.reader, f"the readings of book {book.book}")
    require_range("rows of an audit", len(rows), 1, MOST_ROWS)
    for row in rows:
        _require_in(book, row.meter)
        # A clock that was set back, or last year's reading, fills no round (our decision).
        if f"{local_date(row.read_at):%Y-%m}" != book.month:
            raise ReadingOutOfPeriod(row.meter, row.read_at, book.month)
    fresh = {(row.meter, row.read_at): row for row in rows if (row.meter, row.read_at) not in book.audited}
    return tuple(fresh.values())


def exempt(state: ReadingRound, ctx: CommandContext, *, meter: str, reason: str) -> ReadingExcepted:
    """The meter could not be read. Refuses ``wrong-role``, ``meter-not-in-book``,
    ``unknown-reading-exception`` and what a fact from the field may be refused for."""
    book = _known(state, ctx, "book.except")
    require_credible(ctx)
    _require_in(book, meter)
    require_known(UnknownReadingException, reason, ctx.standard.metering.reading_exceptions)
    flags = late(ctx) + early(ctx, book.opened.at) + (("repeated",) if meter in book.settled else ())
    return ReadingExcepted(meter, reason, flags, ctx.confirmed_by if ctx.is_late else None)


def _known(state: ReadingRound, ctx: CommandContext, power: str) -> ReadingRound:
    require_power(ctx, power)
    return state


def _require_in(book: ReadingRound, meter: str) -> None:
    if meter not in book.meters:
        raise MeterNotInBook(meter, book)

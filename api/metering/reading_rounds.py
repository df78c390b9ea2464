"""Reading rounds 抄表: a book is to be read by its day; what came in is checked by a second person, or excepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, Field, StrictStr
from starlette.concurrency import run_in_threadpool

from api.board.answers import WindowView
from api.board.cases import book_stage, windows_on_record
from api.http import described
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, Accepted
from api.http.caller import CallerDep, context_now
from api.http.commanding import CommandRunner, PendingCommand, events, meter_number, runner_of
from api.http.dependencies import CaseId, Limit, ServiceDep
from api.http.fields import Body, CivilDay, Code, FromTheField, Instant, SecondPerson
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain import kinds
from domain.kernel.facts import Fact
from domain.kernel.refusals import NoSuchCase
from domain.metering import abnormal_use as abnormal
from domain.metering import reading_rounds as books
from domain.metering.reading_rounds import ReadingAudited, ReadingRound
from domain.metering.refusals import AnomalyPending, NoSuchReading
from domain.standard.context import CommandContext, require_power
from domain.standard.values import require_range
from infra.eventstore.commands import Snapshot, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import book_stream, usage_stream
from infra.sql import sql

router = APIRouter(tags=["reading books 抄表册"])
_commands = APIRouter(prefix="/api/v1/reading-books", route_class=StrictRoute, responses=COMMAND_ERRORS)
_queries = APIRouter(prefix="/api/v1/reading-books", route_class=StrictRoute, responses=CASE_ERRORS)

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.BOOK))]
MOST_STANDING_OUT = 40
"""Each of these brings its own case with it, and all of them go into the store together."""
MeterNumber = Annotated[
    StrictStr,
    Field(pattern=r"^ {0,8}[A-Za-z0-9][A-Za-z0-9-]{2,31} {0,8}$", examples=["JS-2026-0001"]),
    AfterValidator(meter_number),
]


class RoundOpening(Body):
    """A book to be read: which meters, by which day, by whom. One round for each book and month."""

    book: Annotated[Code, Field(examples=["zhenxi-07"], description="Code of the meter route.")]
    month: Annotated[
        StrictStr,
        Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-09"], description="Month of the round, as YYYY-MM."),
    ]
    due_on: Annotated[CivilDay, Field(description="Day by which the route is read.")]
    reader: Annotated[SecondPerson, Field(description="Actor id of the meter reader.")]
    meters: Annotated[
        list[MeterNumber],
        Field(min_length=1, max_length=books.MOST_METERS, description="Numbers of the meters to read."),
    ]


class AuditRow(Body):
    """A reading that came in: of which meter, and when the dial was read."""

    meter: Annotated[MeterNumber, Field(description="Number of the meter.")]
    read_at: Annotated[Instant, Field(description="When the dial was read.")]


class Audit(Body):
    """Readings that were checked, by somebody who did not read them."""

    rows: Annotated[
        list[AuditRow], Field(min_length=1, max_length=books.MOST_ROWS, description="The readings that were checked.")
    ]


class Exemption(FromTheField):
    """A meter that could not be read, and why by a code of the standard."""

    meter: Annotated[MeterNumber, Field(description="Number of the meter.")]
    reason: Annotated[Code, Field(examples=["no-access"], description="Why, as a code of the standard.")]


class BookRow(BaseModel):
    """A round in the list; from Kafka's read models, so a moment behind the store."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    stage: described.Stage
    open: described.IsOpen
    opened_at: Annotated[datetime, Field(description="When the round was opened.")]
    due_at: Annotated[
        datetime | None, Field(description="When the limit of the round ends; null where none is known yet.")
    ]
    state: Annotated[
        str | None,
        Field(
            description=(
                "How the limit of the round stands: running, met, lapsed, cancelled or unknown; null "
                "where none is known yet."
            )
        ),
    ]
    lapses: Annotated[
        int | None, Field(description="How many lapses of the round's limit stand; null where no limit is known yet.")
    ]


class Books(BaseModel):
    """Rounds, the one due next first."""

    books: Annotated[list[BookRow], Field(description="The rounds, the one due next first.")]


class BookView(BaseModel):
    """A round as the store has it: what was read, what could not be, and what is still unread."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    book: Annotated[str, Field(description="Code of the meter route.")]
    month: Annotated[str, Field(description="Month of the round, as YYYY-MM.")]
    due_on: Annotated[date, Field(description="Day by which the route is read.")]
    reader: Annotated[str, Field(description="Actor id of the meter reader.")]
    stage: described.Stage
    audited: Annotated[int, Field(description="How many readings were checked by a second person.")]
    excepted: Annotated[
        dict[str, str], Field(description="Number of a meter that could not be read → why, as a code of the standard.")
    ]
    unread: Annotated[list[str], Field(description="Numbers of the meters that are still unread.")]
    windows: Annotated[list[WindowView], Field(description="The verdicts on record, one window for each promise.")]


@dataclass(frozen=True, slots=True)
class _Found:
    """A stored reading as an audit takes it; ``pending``: its case has yet to be told."""

    row: ReadingAudited
    pending: bool


@_queries.get("", summary="Reading rounds, the one due next first 抄表任务", openapi_extra=needs("book.view"))
def rounds(
    caller: CallerDep,
    service: ServiceDep,
    is_open: Annotated[bool | None, Query(alias="open", description="only open, or only finished ones")] = None,
    limit: Limit = 100,
) -> Books:
    require_power(context_now(caller, service), "book.view")
    with service.connection() as connection:
        rows = connection.execute(sql("reading_books"), {"open": is_open, "limit": limit}).fetchall()
    return Books(books=[BookRow.model_validate(row) for row in rows])


@_queries.get("/{case_id}", summary="A round, and what is still unread 未抄水表", openapi_extra=needs("book.view"))
def the_round(case_id: CaseId, caller: CallerDep, service: ServiceDep) -> BookView:
    require_power(context_now(caller, service), "book.view")
    book: ReadingRound | None = service.load(Stream(kinds.BOOK, case_id))[0]
    if book is None:
        raise NoSuchCase(
            found="no reading round with this id",
            needed="the id of a reading round",
            next_step="look the round up at /api/v1/reading-books",
            next_step_zh="没有该抄表任务，请在 /api/v1/reading-books 查询",
        )
    return BookView(
        case_id=case_id,
        case_number=book.number,
        book=book.book,
        month=book.month,
        due_on=book.due_on,
        reader=book.reader,
        stage=book_stage(book),
        audited=len(book.read),
        excepted=book.excepted,
        unread=list(book.unread),
        windows=windows_on_record(book.ledger, service.rules),
    )


@_commands.post("", status_code=201, summary="Open a book's round 建立抄表任务", openapi_extra=needs("book.open"))
async def open_round(body: RoundOpening, runner: Runner) -> Accepted:
    number, case = runner.new_number(), book_stream(body.book, body.month)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(runner.caller.stamp)
        fact = books.open_round(
            snapshot.of(case),
            ctx,
            number=number,
            book=body.book,
            month=body.month,
            due_on=body.due_on,
            reader=body.reader,
            meters=body.meters,
        )
        return events(case, fact, ctx)

    return await runner.carry_out(PendingCommand(case, runner.caller, decide, number=number), creates=True)


@_commands.post(
    "/{case_id}/audit", summary="Readings were checked by a second person 读数复核", openapi_extra=needs("book.audit")
)
async def audit(case_id: CaseId, body: Audit, runner: Runner) -> Accepted:
    found = await run_in_threadpool(_stored, runner.service, body.rows)
    standing_out = [each for each in found if each.row.signs]
    require_range("rows that stand out", len(standing_out), 0, MOST_STANDING_OUT)
    case = Stream(kinds.BOOK, case_id)
    usage = [(each, usage_stream(each.row.meter, each.row.read_at)) for each in standing_out]

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(runner.caller.stamp)
        audited = books.audit(snapshot.existing(case), ctx, [each.row for each in found])
        confirmed = [
            event for each, stream in usage for event in events(stream, _confirmed(snapshot.of(stream), ctx, each), ctx)
        ]
        return [*events(case, audited, ctx), *confirmed]

    others = tuple(dict.fromkeys(stream for _, stream in usage))
    return await runner.carry_out(PendingCommand(case, runner.caller, decide, others=others))


@_commands.post(
    "/{case_id}/exceptions", summary="A meter could not be read 抄表例外", openapi_extra=needs("book.except")
)
async def exempt(case_id: CaseId, body: Exemption, runner: Runner) -> Accepted:
    return await runner.field(
        case_id, body, lambda case, ctx: books.exempt(case, ctx, meter=body.meter, reason=body.reason)
    )


def _stored(service: Service, rows: Sequence[AuditRow]) -> list[_Found]:
    """The readings as they are stored. Refuses ``no-such-reading``."""
    wanted = dict.fromkeys((row.meter, row.read_at) for row in rows)
    columns = {"meters": [meter for meter, _ in wanted], "times": [at for _, at in wanted]}
    with service.connection() as connection:
        stored = connection.execute(sql("readings_to_audit"), columns).fetchall()
    found = [
        _Found(ReadingAudited(r["meter"], r["read_at"], r["litres"], r["used_litres"], tuple(r["flags"])), r["pending"])
        for r in stored
    ]
    missing = wanted.keys() - {(each.row.meter, each.row.read_at) for each in found}
    if missing:
        meter, at = min(missing)
        raise NoSuchReading(meter, at)
    return found


def _confirmed(usage: abnormal.Usage | None, ctx: CommandContext, found: _Found) -> list[Fact]:
    """An audited reading that stands out was looked at: the hour to tell the user runs from here."""
    if usage is None or found.pending:
        raise AnomalyPending(found.row.meter)
    return [] if usage.confirmed or usage.over is not None else [abnormal.confirm(usage, ctx, by="audit")]


router.include_router(_commands)
router.include_router(_queries)

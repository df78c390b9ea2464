"""The breach stream over HTTP: pages, and server-sent events that resume where they broke off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from api.board.answers import Breaches, BreachRow
from api.board.breach_notifier import Heads, Pulse
from api.http import cursor as cursors
from api.http.answers import QUERY_ERRORS, documented
from api.http.cursor import Cursor
from api.http.dependencies import Limit, ServiceDep
from api.http.errors import answer
from api.http.identity import counted_as, identified
from api.http.powers import needs
from api.http.refusals import TooManyStreams, TooManyStreamsOfOne
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from api.http.trace import note_outcome
from domain.people.scope import ALL, Scope
from infra.eventstore.service import Service
from infra.sql import sql
from infra.sql.bounds import bounds_of

router = APIRouter(prefix="/api/v1/breaches", tags=["breaches 超时"], responses=QUERY_ERRORS, route_class=StrictRoute)

PAGE = 200
HEARTBEAT_SECONDS = 15.0
RETRY_MS = 2_000

AfterCursor = Annotated[
    str | None,
    Query(max_length=4_096, description="a row's cursor, the page's next, or one position for all partitions"),
]


class EventStream(StreamingResponse):
    """Server-sent events, counted from before the answer begins until its connection is gone."""

    media_type = "text/event-stream"

    def __init__(
        self, content: AsyncIterator[str], pulse: Pulse, status_code: int = 200, *, whose: str | None = None
    ) -> None:
        super().__init__(content, status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._pulse = pulse
        self._whose = whose

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        try:
            with self._pulse.listening(self._whose):
                await super().__call__(scope, receive, send)
        except (TooManyStreams, TooManyStreamsOfOne) as refused:
            note_outcome(scope, refused.code)
            await answer(refused)(scope, receive, send)


@router.get(
    "", summary="The breach stream, page by page; without `after` its latest rows", openapi_extra=needs("case.read")
)
def breaches(service: ServiceDep, scope: ScopeDep, after: AfterCursor = None, limit: Limit = 100) -> Breaches:
    if after is None:
        return latest(service, limit, scope)
    return page(service, cursors.parse(after, service.settings.partitions), limit, scope)


@router.get(
    "/stream",
    summary="The breach stream as server-sent events; without a cursor it begins now",
    openapi_extra=needs("case.read"),
    response_class=EventStream,
    responses={
        **documented(_429="too-many-requests, too-many-streams-of-one", _503="store-unavailable, too-many-streams"),
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "events"},
    },
)
async def stream(
    request: Request,
    service: ServiceDep,
    scope: ScopeDep,
    after: AfterCursor = None,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", max_length=4_096, description="the cursor of the last row that was seen"),
    ] = None,
) -> EventStream:
    # A browser that reconnects repeats its first address and adds what it saw last: the header is the newer word.
    cursor = last_event_id or after
    if cursor is None:
        start = Cursor(await run_in_threadpool(heads, service))
    else:
        start = cursors.parse(cursor, service.settings.partitions)
    pulse: Pulse = request.app.state.pulse
    whose = counted_as(request, await identified(request))
    return EventStream(events(service, pulse, start, scope=scope), pulse, whose=whose)


async def events(
    service: Service,
    pulse: Pulse,
    cursor: Cursor,
    *,
    scope: Scope = ALL,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> AsyncIterator[str]:
    """The stream's text: every row after ``cursor`` exactly once, in order within a partition, until closed."""
    yield f"retry: {RETRY_MS}\n\n"
    while not pulse.closed:
        change = pulse.next()
        found = await _page_after(service, cursor, scope)
        if found is not None:
            for row in found.breaches:
                yield event(row)
            # Past what is not in scope too: it is not looked at again.
            cursor = cursors.parse(found.next, service.settings.partitions)
            if found.more:
                continue
        done, _ = await asyncio.wait([change], timeout=heartbeat_seconds)
        if not done:
            yield ": still here\n\n"


async def _page_after(service: Service, cursor: Cursor, scope: Scope) -> Breaches | None:
    try:
        return await run_in_threadpool(page, service, cursor, PAGE, scope)
    except psycopg.OperationalError:
        # The stream stays open while PostgreSQL is away; the pulse looks again and wakes it.
        return None


def event(row: BreachRow) -> str:
    """One server-sent event. Its id is the cursor after it."""
    return f"id: {row.cursor}\nevent: {row.change}\ndata: {row.model_dump_json()}\n\n"


# ---- reading


def page(service: Service, cursor: Cursor, limit: int, scope: Scope = ALL) -> Breaches:
    """The rows in scope among the first ``limit`` after a cursor; ``next`` is behind all that were looked at."""
    with service.connection() as connection:
        rows = connection.execute(
            sql("breaches_after"),
            {
                "topic": service.settings.breach_topic,
                "partitions": list(cursor.positions.keys()),
                "positions": list(cursor.positions.values()),
                "limit": limit,
                **bounds_of(scope),
            },
        ).fetchall()
    return _page(rows, cursor, more=len(rows) == limit)


def latest(service: Service, limit: int, scope: Scope = ALL) -> Breaches:
    """The newest rows in scope, and the cursor behind everything that is visible."""
    partitions = list(range(service.settings.partitions))
    with service.connection() as connection:
        rows = connection.execute(
            sql("breaches_latest"),
            {"topic": service.settings.breach_topic, "partitions": partitions, "limit": limit, **bounds_of(scope)},
        ).fetchall()
    hidden, shown = rows[:-limit], rows[-limit:]
    cursor = Cursor(dict.fromkeys(partitions, 0))
    for row in hidden:
        cursor = cursor.after(row["partition"], row["position"])
    return _page(shown, cursor, more=False)


def heads(service: Service) -> Heads:
    """Partition → the position of its newest row; 0 where it has none."""
    partitions = list(range(service.settings.partitions))
    with service.connection() as connection:
        rows = connection.execute(
            sql("breach_heads"), {"topic": service.settings.breach_topic, "partitions": partitions}
        ).fetchall()
    return {row["partition"]: row["position"] or 0 for row in rows}


def _page(rows: Sequence[Mapping[str, Any]], cursor: Cursor, *, more: bool) -> Breaches:
    shaped = []
    for row in rows:
        cursor = cursor.after(row["partition"], row["position"])
        if row.get("within", True):
            shaped.append(BreachRow.model_validate({**row, "cursor": str(cursor)}))
    return Breaches(breaches=shaped, next=str(cursor), more=more)

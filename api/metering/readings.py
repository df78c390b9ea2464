"""Meter readings 抄表数据: a batch in, onto their own topic; each row is taken or named, whatever the others are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from kafka import KafkaProducer
from kafka.errors import KafkaError
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.http import described
from api.http.answers import COMMAND_ERRORS, documented
from api.http.caller import Caller, CallerDep, context_now
from api.http.dependencies import Limit, ServiceDep
from api.http.fields import Body
from api.http.powers import needs
from api.http.refusals import ReadingsUnavailable
from api.http.strict import StrictRoute
from domain.kernel.refusals import Refusal
from domain.metering.readings import ASIDE_ZH, FLAGS_ZH, Aside, require_looker, require_read, require_sender
from infra.eventstore.service import Service
from infra.kafka.cluster import client_config
from infra.kafka.meter_readings import BadRowError, MeterReading, from_row, to_record
from infra.settings import Settings
from infra.sql import sql

ROWS_AT_MOST = 1_000
ACKNOWLEDGED_WITHIN_S = 10.0


class ReadingsRoute(StrictRoute):
    """A thousand rows need more room than a command."""

    body_limit_bytes = 256 * 1024


router = APIRouter(
    prefix="/api/v1/readings",
    tags=["readings 抄表"],
    route_class=ReadingsRoute,
    responses=COMMAND_ERRORS | documented(_503="readings-unavailable"),
)


class Batch(Body):
    """Readings, each judged by itself: ``meter``, ``read_at`` (with its offset) and ``value_m3`` (decimal text)."""

    unscreened = frozenset({"readings"})

    readings: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=ROWS_AT_MOST,
            examples=[[{"meter": "JS-2026-0001", "read_at": "2026-09-16T08:00:00+08:00", "value_m3": "12.345"}]],
            description=(
                "The readings, each an object of meter (its number), read_at (with its offset) and "
                "value_m3 (m³ as a decimal in text)."
            ),
        ),
    ]


class RowRefused(BaseModel):
    """A row that was not taken: its number from 1, why, and which field; never what was in it."""

    row: Annotated[int, Field(description="Number of the row in the batch, from 1.")]
    code: str = Field(examples=["bad-reading"], description="Code of the refusal.")
    field: str = Field(examples=["value_m3"], description="empty: the row as a whole")
    problem: Annotated[str, Field(description="What is wrong, in English; it never quotes the value.")]
    problem_zh: Annotated[str, Field(description="What is wrong, in Chinese; it never quotes the value.")]


class ReadingsTaken(BaseModel):
    """How many rows Kafka has acknowledged, and the others. A meter that nobody knows is found out afterwards."""

    accepted: Annotated[int, Field(description="How many rows Kafka has acknowledged.")]
    refused: Annotated[list[RowRefused], Field(description="The rows that were not taken.")]


class Anomaly(BaseModel):
    """A reading whose consumption stands out. ``used_litres`` None: the dial fell, and nothing can be told."""

    meter: described.MeterNumber
    read_at: described.ReadAt
    used_litres: Annotated[
        int | None,
        Field(description=("Use since the reading before, in litres; null where it cannot be told.")),
    ]
    flags: list[str] = Field(
        examples=[["high"]],
        description="What about the reading stands out: high, zero, falling, dial-over or never-still.",
    )
    flags_zh: Annotated[list[str], Field(description="What about the reading stands out, in Chinese.")]
    found_at: Annotated[datetime, Field(description="When the reading was found to stand out.")]


class SetAside(BaseModel):
    """A reading that was kept and not judged. One of an unknown meter is taken up by itself once its meter is in
    service; one that contradicts an earlier one of the same time stays, and so does one of a meter that was out."""

    meter: described.MeterNumber
    read_at: described.ReadAt
    litres: Annotated[int, Field(description="What the dial showed, in litres.")]
    reason: Annotated[Aside, Field(description="Why the reading was not judged, as a code.")]
    reason_zh: Annotated[str, Field(description="Why the reading was not judged, in Chinese.")]
    at: Annotated[datetime, Field(description="When it was set aside.")]


class ReadingsProducer:
    """The producer of the readings' topic, made when the first batch comes."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        # Asked for with the first batch: making the application touches nothing.
        self._settings = settings
        self._producer: Any = None
        self._lock = threading.Lock()

    def send(self, readings: list[MeterReading]) -> None:
        """Send readings and wait until Kafka has acknowledged all. Refuses ``readings-unavailable``: send them again,
        what came through already stays one row."""
        try:
            producer = self._made()
            futures = []
            for reading in readings:
                key, value = to_record(reading)
                futures.append(producer.send(self._settings().readings_topic, key=key, value=value))
            producer.flush(timeout=ACKNOWLEDGED_WITHIN_S)
            for future in futures:
                future.get(timeout=ACKNOWLEDGED_WITHIN_S)
        except KafkaError:
            raise ReadingsUnavailable() from None

    def close(self) -> None:
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=2)
                self._producer = None

    def _made(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = KafkaProducer(
                    **client_config(self._settings()) | {"bootstrap_timeout_ms": 3_000},
                    client_id="tongshui-readings-intake",
                    acks="all",
                    enable_idempotence=True,
                    allow_auto_create_topics=False,
                    linger_ms=5,
                    max_block_ms=3_000,
                    request_timeout_ms=5_000,
                    delivery_timeout_ms=8_000,
                )
            return self._producer


@router.post("", status_code=202, summary="Send a batch of readings 批量上报读数", openapi_extra=needs("readings.send"))
async def send(body: Batch, caller: CallerDep, service: ServiceDep, request: Request) -> ReadingsTaken:
    found, refused = _judged(body.readings, caller, service)
    if found:
        await run_in_threadpool(request.app.state.intake.send, found)
    return ReadingsTaken(accepted=len(found), refused=refused)


@router.get("/anomalies", summary="What stands out, newest first 用量异常", openapi_extra=needs("readings.read"))
def anomalies(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 100,
    meter: Annotated[str | None, Query(max_length=32, description="of this meter alone")] = None,
) -> list[Anomaly]:
    require_looker(context_now(caller, service))
    with service.connection() as connection:
        rows = connection.execute(
            sql("readings_anomalies"), {"meter": meter and meter.strip().upper(), "limit": limit}
        ).fetchall()
    return [Anomaly(**row, flags_zh=[FLAGS_ZH[flag] for flag in row["flags"]]) for row in rows]


@router.get(
    "/set-aside",
    summary="Readings that were kept and not judged, newest first 待核读数",
    openapi_extra=needs("readings.read"),
)
def set_aside(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 100,
    meter: Annotated[str | None, Query(max_length=32, description="of this meter alone")] = None,
    reason: Annotated[Aside | None, Query(description="for this reason alone")] = None,
) -> list[SetAside]:
    require_looker(context_now(caller, service))
    wanted = {"meter": meter and meter.strip().upper(), "reason": reason, "limit": limit}
    with service.connection() as connection:
        rows = connection.execute(sql("readings_aside"), wanted).fetchall()
    return [SetAside(**row, reason_zh=ASIDE_ZH[row["reason"]]) for row in rows]


def _judged(rows: list[Any], caller: Caller, service: Service) -> tuple[list[MeterReading], list[RowRefused]]:
    ctx = context_now(caller, service)
    require_sender(ctx)
    found: list[MeterReading] = []
    refused: list[RowRefused] = []
    for number, row in enumerate(rows, start=1):
        try:
            reading = from_row(row)
            require_read(ctx, reading.read_at)
        except BadRowError as error:
            refused.append(_refused(number, "bad-reading", error.field, str(error), "该行不是有效读数"))
        except Refusal as refusal:
            refused.append(_refused(number, refusal.code, "read_at", "later than now", "抄表时间晚于当前时间"))
        else:
            found.append(reading)
    return found, refused


def _refused(row: int, code: str, field: str, problem: str, problem_zh: str) -> RowRefused:
    return RowRefused(row=row, code=code, field=field, problem=problem, problem_zh=problem_zh)

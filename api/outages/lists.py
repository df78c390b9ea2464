"""Outages as lists: which are planned, running and over, and what the public is told on the page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http.answers import QUERY_ERRORS
from api.http.dependencies import Limit, ServiceDep
from api.http.strict import StrictRoute
from domain.outages.notices import KIND
from infra.sql import sql

router = APIRouter(prefix="/api/v1", tags=["outages 停水"], responses=QUERY_ERRORS, route_class=StrictRoute)

OutageState = Literal["planned", "running", "over", "cancelled"]


class OutageListRow(BaseModel):
    """An outage in the list; read from Kafka's read model, so a moment behind the store."""

    case_id: UUID
    case_number: str = Field(examples=["TS-2026-000017"])
    state: OutageState
    kind: Literal["planned", "emergency"]
    incident: UUID | None
    districts: list[str]
    affected_users: int
    announced_at: datetime
    begin_at: datetime | None
    end_at: datetime | None
    started_at: datetime | None
    restored_at: datetime | None
    cancelled_at: datetime | None
    first_notice_at: datetime | None
    reported_at: datetime | None
    notices: int
    proven: int
    failed: int
    water_litres: int


class OutageList(BaseModel):
    """Outages: the running ones first, then the planned ones, the next one first; then the latest that are over."""

    outages: list[OutageListRow]


class NoticeRow(BaseModel):
    """What the public is told of an outage, as it was sent."""

    case_id: UUID
    title: str
    text: str
    audience: list[str]
    told_at: datetime


class NoticeList(BaseModel):
    """The latest notices first."""

    notices: list[NoticeRow]


@router.get("/outages", summary="Outages: running, planned, over")
def every(
    service: ServiceDep,
    state: Annotated[OutageState | None, Query(description="only those that stand so")] = None,
    limit: Limit = 100,
) -> OutageList:
    with service.connection() as connection:
        rows = connection.execute(sql("list_outages"), {"state": state, "limit": limit}).fetchall()
    return OutageList(outages=[OutageListRow.model_validate(row) for row in rows])


@router.get("/notices", summary="What the public is told on the page 停水公告")
def notices(service: ServiceDep, limit: Limit = 20) -> NoticeList:
    with service.connection() as connection:
        rows = connection.execute(sql("outbox_page"), {"kind": KIND, "limit": limit}).fetchall()
    return NoticeList(notices=[NoticeRow.model_validate(row) for row in rows])

"""Outages as lists: which are planned, running and over, and what the public is told on the page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http import described
from api.http.answers import QUERY_ERRORS
from api.http.dependencies import Limit, ServiceDep
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain.outages.facts import BegunAs
from domain.outages.notices import KIND
from infra.sql import sql

router = APIRouter(prefix="/api/v1", tags=["outages 停水"], responses=QUERY_ERRORS, route_class=StrictRoute)

OutageState = Literal["planned", "running", "over", "cancelled"]


class OutageListRow(BaseModel):
    """An outage in the list; read from Kafka's read model, so a moment behind the store."""

    case_id: described.CaseId
    case_number: described.CaseNumber = Field(examples=["TS-2026-000017"])
    state: Annotated[OutageState, Field(description="Whether the outage is planned, runs, is over, or was cancelled.")]
    kind: Annotated[
        BegunAs,
        Field(description="Whether the outage was planned, is because of an incident, or came without either."),
    ]
    incident: Annotated[
        UUID | None, Field(description="Id of the incident that the outage is because of; null: planned.")
    ]
    districts: Annotated[list[str], Field(description="Codes of the districts without water.")]
    affected_users: Annotated[int, Field(description="Users without water.")]
    announced_at: Annotated[datetime, Field(description="When the outage was announced.")]
    begin_at: Annotated[
        datetime | None, Field(description="Announced beginning of the outage; null where none was announced.")
    ]
    end_at: Annotated[datetime | None, Field(description="Announced end of the outage; null where none was announced.")]
    started_at: Annotated[datetime | None, Field(description="When water went off; null while it is on.")]
    restored_at: Annotated[datetime | None, Field(description="When water was back; null while it is not.")]
    cancelled_at: Annotated[datetime | None, Field(description="When it was cancelled; null where it was not.")]
    first_notice_at: Annotated[
        datetime | None, Field(description="When the users were first told; null while they were not.")
    ]
    reported_at: Annotated[datetime | None, Field(description="When the authority was told; null while it was not.")]
    notices: Annotated[int, Field(description="How many notices were sent.")]
    proven: Annotated[int, Field(description="How many notices have their delivery proven.")]
    failed: Annotated[int, Field(description="How many notices could not be delivered.")]
    water_litres: Annotated[int, Field(description="How much water was handed out, in litres.")]


class OutageList(BaseModel):
    """Outages: the running ones first, then the planned ones, the next one first; then the latest that are over."""

    outages: Annotated[list[OutageListRow], Field(description="The outages.")]


class NoticeRow(BaseModel):
    """What the public is told of an outage, as it was sent."""

    case_id: Annotated[UUID, Field(description="Id of the outage.")]
    title: Annotated[str, Field(description="Title of the notice.")]
    text: Annotated[str, Field(description="The notice as it was sent.")]
    audience: Annotated[list[str], Field(description="Codes of the districts whose users are told.")]
    told_at: Annotated[datetime, Field(description="When it was sent.")]


class NoticeList(BaseModel):
    """The latest notices first."""

    notices: Annotated[list[NoticeRow], Field(description="The notices, the latest first.")]


@router.get("/outages", summary="Outages: running, planned, over", openapi_extra=needs(None))
def every(
    service: ServiceDep,
    state: Annotated[OutageState | None, Query(description="only those that stand so")] = None,
    district: Annotated[
        str | None, Query(max_length=64, description="only those of this district, by its code")
    ] = None,
    limit: Limit = 100,
) -> OutageList:
    wanted = {"state": state, "district": district, "limit": limit}
    with service.connection() as connection:
        rows = connection.execute(sql("list_outages"), wanted).fetchall()
    return OutageList(outages=[OutageListRow.model_validate(row) for row in rows])


@router.get("/notices", summary="What the public is told on the page 停水公告", openapi_extra=needs(None))
def notices(service: ServiceDep, limit: Limit = 20) -> NoticeList:
    with service.connection() as connection:
        rows = connection.execute(sql("outbox_page"), {"kind": KIND, "limit": limit}).fetchall()
    return NoticeList(notices=[NoticeRow.model_validate(row) for row in rows])

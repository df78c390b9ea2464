"""Which open incident a new report may be of. It is a suggestion: a person decides, and may undo it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http import described
from api.http.answers import QUERY_ERRORS
from api.http.dependencies import ServiceDep
from api.http.fields import Instant
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from domain.kernel.geo import cells_around
from domain.repairs import reports as repair_reports
from domain.standard.standards import district as district_of
from infra.sql import sql
from infra.sql.bounds import bounds_of

router = APIRouter(prefix="/api/v1/repairs", tags=["repairs 报修"], route_class=StrictRoute, responses=QUERY_ERRORS)


class Linkable(BaseModel):
    """An open incident of the same district whose kind of fault may be the same burst."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    kind: Annotated[str, Field(description="Kind of fault, as a code of the standard.")]
    stage: described.Stage
    crew: Annotated[str | None, Field(description="Code of the crew that is on it; null where none is.")]
    opened_at: Annotated[datetime, Field(description="When the incident began: at its first report.")]
    reports: Annotated[int, Field(description="How many reports the incident has.")]
    near: bool = Field(description="in the same square of some 200 m as the report, or in one beside it")


class Linkables(BaseModel):
    """Open incidents, those near by first and of these the nearest in time."""

    incidents: Annotated[
        list[Linkable], Field(description="The incidents, those near by first and of these the nearest in time.")
    ]


@router.get(
    "/suggestions", summary="Incidents that a report may belong to 并单建议", openapi_extra=needs("repair.read")
)
def suggestions(
    service: ServiceDep,
    scope: ScopeDep,
    kind: Annotated[str, Query(max_length=64, description="what is reported")],
    district: Annotated[str, Query(max_length=64, description="where it is")],
    cell: Annotated[
        str | None,
        Query(
            pattern=r"^-?[0-9]{1,6}:-?[0-9]{1,6}$",
            description="the square it lies in: degrees of latitude and longitude, each divided by 0.002 and rounded "
            "down (a position has no place in an address)",
            examples=["14155:54869"],
        ),
    ] = None,
    at: Annotated[Instant | None, Query(description="when it was reported; left out: now")] = None,
) -> Linkables:
    now = service.clock.now()
    standard = service.rules.in_force(now)
    district_of(standard, district)
    reported_at, apart = at or now, timedelta(minutes=standard.repair.link_suggestion_minutes)
    wanted = {
        "district": district,
        "kinds": list(repair_reports.kinds_that_may_be_one(standard, kind)),
        "at": reported_at,
        "since": reported_at - apart,
        "until": reported_at + apart,
        "cells": list(cells_around(cell)) if cell is not None else [],
        **bounds_of(scope),
    }
    with service.connection() as connection:
        rows = connection.execute(sql("incidents_to_link"), wanted).fetchall()
    return Linkables(incidents=[Linkable(**row) for row in rows])

"""The desk 窗口: the applications under way, the one due next first, and the visits that squads have to make. What is
missing in an application, and its next action, are asked of the case itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http import described
from api.http.answers import QUERY_ERRORS
from api.http.dependencies import Limit, ServiceDep
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from api.publication.public_answers import DeskList, DeskRow
from infra.sql import sql
from infra.sql.bounds import bounds_of

router = APIRouter(prefix="/api/v1", tags=["desk 窗口"], responses=QUERY_ERRORS, route_class=StrictRoute)

WORD = r"^[a-z][a-z0-9-]{0,63}$"
DeskFilter = Annotated[str | None, Query(pattern=WORD, description="only this desk's")]
OwnerFilter = Annotated[str | None, Query(pattern=WORD, description="only those that this person answers for")]


@router.get("/desk", summary="Applications under way, the one due next first", openapi_extra=needs("connection.read"))
def desk(
    service: ServiceDep, scope: ScopeDep, desk: DeskFilter = None, owner: OwnerFilter = None, limit: Limit = 50
) -> DeskList:
    wanted = {"desk": desk, "owner": owner, "limit": limit + 1, **bounds_of(scope)}
    with service.connection() as connection:
        rows = connection.execute(sql("list_desk"), wanted).fetchall()
    return DeskList(
        at=service.clock.now(),
        applications=[DeskRow.model_validate(row) for row in rows[:limit]],
        more=len(rows) > limit,
    )


class VisitRow(BaseModel):
    """A visit in the list; read from Kafka's read model, so a moment behind the store."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    category: Annotated[str, Field(description="Category of the applicant, as a code of the standard.")]
    stage: described.Stage
    version: described.EventsRead
    visit: Annotated[UUID, Field(description="Id of the visit.")]
    squad: Annotated[str, Field(description="Code of the squad.")]
    purpose: Annotated[str, Field(description="What the squad comes for, as a code of the standard.")]
    begin_at: Annotated[datetime, Field(description="Beginning of the time in which the squad comes.")]
    end_at: Annotated[datetime, Field(description="End of the time in which the squad comes.")]


class Visits(BaseModel):
    """Visits that are booked, the next one first."""

    at: described.AnsweredAt
    visits: Annotated[list[VisitRow], Field(description="The visits, the next one first.")]
    more: described.More


@router.get(
    "/visits", summary="Visits that are booked, the next one first 上门安排", openapi_extra=needs("connection.read")
)
def visits(
    service: ServiceDep,
    scope: ScopeDep,
    squad: Annotated[str | None, Query(pattern=WORD, description="only this squad's")] = None,
    within_hours: Annotated[int, Query(ge=0, le=8_784, description="only those that begin within so many hours")] = 24,
    limit: Limit = 100,
) -> Visits:
    """Those that are late are among them. An account of a squad is told of its own."""
    at = service.clock.now()
    wanted = {"squad": squad, "until": at + timedelta(hours=within_hours), "limit": limit + 1, **bounds_of(scope)}
    with service.connection() as connection:
        rows = connection.execute(sql("list_visits"), wanted).fetchall()
    return Visits(at=at, visits=[VisitRow.model_validate(row) for row in rows[:limit]], more=len(rows) > limit)

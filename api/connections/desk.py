"""The desk 窗口: the applications under way, the one due next first. What is missing in one, and its next action, are
asked of the case itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

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

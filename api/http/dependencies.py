"""What every route reaches the service by."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request

from api.http.carried import carried_in
from infra.eventstore.service import Service


def the_service(request: Request) -> Service:
    """The service that the application was made with; of a command that a second person approved, where that goes."""
    if (carried := carried_in(request.scope)) is not None:
        return carried.service
    service: Service = request.app.state.service
    return service


async def _service(request: Request) -> Service:
    # Without awaiting anything, and yet ``async``: the framework runs whatever is not in another thread.
    return the_service(request)


ServiceDep = Annotated[Service, Depends(_service)]
CaseId = Annotated[UUID, Path(description="the case's id")]
Limit = Annotated[int, Query(ge=1, le=500, description="at most so many rows")]

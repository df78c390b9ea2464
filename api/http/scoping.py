"""Which cases who asks may read and act on: held against each route's object before the route runs, and put into the
queries of lists.

A foreign case and one that there is not are refused alike (``not-yours``, 403), so that the answer tells nothing about
other people's cases, and whoever made a typing error reads what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from api.http.dependencies import the_service
from api.http.powers import power_of
from domain import kinds, particulars
from domain.kernel.facts import Recorded
from domain.kinds import Kind
from domain.people.refusals import NotYourCrew, NotYours
from domain.people.scope import ALL, Place, Scope
from domain.places import incident_of, place_of
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import order_stream

READS = frozenset({"GET", "HEAD"})


async def in_scope(request: Request) -> Scope:
    """How far what is asked reaches for who asks, as the guard found it."""
    # Without awaiting anything, and yet ``async``: the framework runs whatever is not in another thread.
    scope: Scope = getattr(request.state, "scope", ALL)
    return scope


ScopeDep = Annotated[Scope, Depends(in_scope)]


async def require_object_in_scope(request: Request, scope: Scope) -> None:
    """Refuse ``not-your-crew`` where the path names another crew, and ``not-yours`` where it names a case that is out
    of the scope, or none. Paths that name neither are lists or begin a case."""
    request.state.scope = scope
    if scope.is_all:
        return
    named = request.path_params
    if "crew" in named and not scope.reaches_crew(named["crew"]):
        raise NotYourCrew(named["crew"], str(scope.crew))
    case_id = case_of(named)
    if case_id is None:
        return
    # Whose particulars are shown is a read, although it is sent as POST.
    acts = request.method not in READS and power_of(request.scope.get("route")) != "vault.unmask"
    await run_in_threadpool(require_in_scope, the_service(request), scope, case_id, acts=acts)


def case_of(named: dict[str, Any]) -> UUID | None:
    """The case that a path names; None where it names none, or what is no id, which the route says."""
    try:
        if "case_id" in named:
            return UUID(str(named["case_id"]))
        if "source" in named and "number" in named:
            return order_stream(named["source"], named["number"]).id
    except ValueError:
        return None
    return None


def require_in_scope(service: Service, scope: Scope, case_id: UUID, *, acts: bool) -> None:
    """Refuse ``not-yours``. ``acts``: as of ``Scope.reaches``."""
    if not scope.reaches(where(service, case_id), case_id, acts=acts):
        raise NotYours("a case that does not, or none", str(scope))


def where(service: Service, case_id: UUID) -> Place | None:
    """Where the case belongs as the store has it; None: there is no such case."""
    history = service.history(case_id)
    kind = particulars.kind_with_subjects(history[0][0].type) if history else None
    if kind is None:
        return None
    return place_by(service, kind, [each for _, each in history])


def place_by(service: Service, kind: Kind, recorded: Sequence[Recorded]) -> Place | None:
    """Where a case belongs by its facts; an outside order where its incident does. None: that there is not."""
    state = kinds.folded(kind, recorded)
    incident = incident_of(state)
    return where(service, incident) if incident is not None else place_of(state, recorded)

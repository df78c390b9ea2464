"""The door-to-door squads 上门服务专班: who is in one."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Response

from api.http.answers import COMMAND_ERRORS, Accepted
from api.http.caller import Caller, CallerDep
from api.http.dependencies import ServiceDep
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.publication.bodies import SquadRoster
from api.publication.routes import published
from domain.crews import squads
from domain.kernel.facts import EventToAppend
from infra.eventstore.commands import Command, Snapshot, StreamEvent
from infra.eventstore.publication import context_now
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import squad_stream

router = APIRouter(prefix="/api/v1/squads", tags=["squads 专班"], route_class=StrictRoute, responses=COMMAND_ERRORS)


@router.post(
    "", status_code=201, summary="Form a squad, or change who is in it 组建专班", openapi_extra=needs("squad.form")
)
async def form(body: SquadRoster, caller: CallerDep, service: ServiceDep, response: Response) -> Accepted:
    return await published(service, forming(service, caller, body), response, body.squad)


def forming(service: Service, caller: Caller, body: SquadRoster) -> Command:
    """The command. The other squads of the standard are looked at: nobody is in two."""
    squad = squad_stream(body.squad)
    known = service.rules.in_force(service.clock.now()).crews.squads
    others = tuple(squad_stream(code) for code in sorted(known) if code != body.squad)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        elsewhere = [state for stream in others if (state := snapshot.of(stream)) is not None]
        ctx = context_now(snapshot, caller.stamp)
        fact = squads.form(snapshot.of(squad), ctx, squad=body.squad, members=body.members, others=elsewhere)
        return [(squad, EventToAppend(fact, snapshot.at))]

    return Command(squad, caller.stamp, decide, others, caller.key)

"""Sending crews: the incident, the crew's own stream, and whoever else is concerned, in one transaction.

Which crew an incident has is known only after a look at it; where that was out of date by the time of the decision,
the command looks again (``StaleLookup``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from api.http.answers import Accepted
from api.http.caller import Caller
from api.http.commanding import Claim, CommandRunner, Decision, PendingCommand, StaleLookup
from api.repairs import bodies, commands
from domain import kinds
from domain.crews import crews
from domain.crews.crews import Crew, Freed
from domain.kernel.facts import EventToAppend
from domain.repairs import dispatch as repair_dispatch
from domain.repairs import field
from domain.repairs.case import Repair
from domain.standard.context import CommandContext
from infra.eventstore.commands import Snapshot, Stream, StreamEvent
from infra.eventstore.shipped_rules import crew_stream


async def releasing_crew(
    runner: CommandRunner, case_id: UUID, claim: Claim | None, decide: Decision, reason: Freed
) -> Accepted:
    """A command on an incident after which its crew is free for another one; ``claim``: as ``CommandRunner.command``
    has it."""
    case = Stream(kinds.REPAIR, case_id)

    def command(seen: Repair | None) -> PendingCommand:
        crew = _crew_of(seen)
        freed = partial(_freed, case=case, crew=crew, reason=reason)
        return runner.command(case, claim, decide, further=freed, others=_streams(crew))

    return await runner.with_case_lookup(case, command)


def merge(caller: Caller, case_id: UUID, body: bodies.Merging, seen: Repair | None) -> PendingCommand:
    """The incident goes on in another one, and its crew is free."""
    case, into, crew = Stream(kinds.REPAIR, case_id), Stream(kinds.REPAIR, body.into), _crew_of(seen)
    orders = commands.orders_of(seen)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        moved = commands.merged(snapshot, caller, case, body, orders)
        return [*moved, *_freed(snapshot, case, crew, "closed")]

    return PendingCommand(case, caller, decide, others=(into, *orders, *_streams(crew)))


def dispatch(caller: Caller, case_id: UUID, body: bodies.Dispatch, seen: Repair | None) -> PendingCommand:
    """Send a crew: the one before is free, and so is the other incident that this one is taken from."""
    case, crew, before = Stream(kinds.REPAIR, case_id), crew_stream(body.crew), _crew_of(seen)
    other = Stream(kinds.REPAIR, body.reassigned_from) if body.reassigned_from not in (None, case_id) else None

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        sent = repair_dispatch.dispatch(snapshot.existing(case), ctx, crew=body.crew)
        said: list[StreamEvent] = [(case, EventToAppend(sent, snapshot.at))]
        if before != crew:
            said += _freed(snapshot, case, before, "reassigned")
        state: Crew | None = snapshot.of(crew)
        if other is not None:
            said += _taken_away(snapshot, ctx, other, crew, body.crew)
            state = crews.without(state, other.id)
        number = snapshot.existing(case).number
        assigned = crews.assign(state, crew=body.crew, case_id=case_id, case_number=number)
        return [*said, (crew, EventToAppend(assigned, snapshot.at))]

    return PendingCommand(case, caller, decide, others=_streams(crew, before, other), names_crew=True)


def _taken_away(snapshot: Snapshot, ctx: CommandContext, other: Stream, crew: Stream, code: str) -> list[StreamEvent]:
    withdrawn = repair_dispatch.withdraw(snapshot.existing(other), ctx, crew=code)
    released = crews.release(snapshot.of(crew), case_id=other.id, reason="reassigned")
    said: list[StreamEvent] = [(other, EventToAppend(withdrawn, snapshot.at))]
    return said + ([(crew, EventToAppend(released, snapshot.at))] if released is not None else [])


def decline(runner: CommandRunner, case_id: UUID, body: bodies.Declined) -> PendingCommand:
    """The crew says no, and is free."""
    crew, happened_at = crew_stream(body.crew), body.happened_at or runner.now()

    def free(snapshot: Snapshot) -> Sequence[StreamEvent]:
        released = crews.release(snapshot.of(crew), case_id=case_id, reason="declined")
        return [(crew, EventToAppend(released, happened_at))] if released is not None else []

    return runner.command(
        case_id,
        body,
        lambda case, ctx: repair_dispatch.decline(case, ctx, crew=body.crew, reason=body.reason),
        further=free,
        others=(crew,),
        names_crew=True,
    )


def hand_over(runner: CommandRunner, case_id: UUID, body: bodies.HandOver) -> PendingCommand:
    """One crew takes over from another on site, and with it the incident: the one is free, the other is on it."""
    case, before, after = Stream(kinds.REPAIR, case_id), crew_stream(body.from_crew), crew_stream(body.to_crew)
    happened_at = body.happened_at or runner.now()

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = runner.context(snapshot, body, happened_at)
        incident: Repair = snapshot.existing(case)
        elsewhere = crews.is_elsewhere(snapshot.of(after), case_id)
        handed = field.hand_over(incident, ctx, from_crew=body.from_crew, to_crew=body.to_crew, elsewhere=elsewhere)
        said: list[StreamEvent] = [(case, ctx.event(handed))]
        if not field.takes_over(incident, body.from_crew):
            return said
        if (released := crews.release(snapshot.of(before), case_id=case_id, reason="handed-over")) is not None:
            said.append((before, EventToAppend(released, snapshot.at)))
        if not elsewhere:
            assigned = crews.assign(snapshot.of(after), crew=body.to_crew, case_id=case_id, case_number=incident.number)
            said.append((after, EventToAppend(assigned, snapshot.at)))
        return said

    return PendingCommand(case, runner.caller, decide, others=_streams(before, after), names_crew=True)


def _crew_of(case: Repair | None) -> Stream | None:
    return crew_stream(case.crew) if case is not None and case.crew is not None else None


def _streams(*streams: Stream | None) -> tuple[Stream, ...]:
    return tuple({stream.id: stream for stream in streams if stream is not None}.values())


def _freed(snapshot: Snapshot, case: Stream, crew: Stream | None, reason: Freed) -> list[StreamEvent]:
    """The release of the incident's crew; looks again where the incident has another crew than was seen."""
    if _crew_of(snapshot.existing(case)) != crew:
        raise StaleLookup
    released = crews.release(snapshot.of(crew), case_id=case.id, reason=reason) if crew is not None else None
    return [(crew, EventToAppend(released, snapshot.at))] if crew is not None and released is not None else []

"""What every door of complaints and of satisfaction does: one command of the store, and the complaint shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from api.citizens.own import OwnCase
from api.complaints.bodies import ComplaintView, LinkSatisfaction
from api.http.answers import Accepted
from api.http.caller import Caller
from api.http.commanding import CommandRunner, new_case
from domain import kinds
from domain.complaints import complaints, satisfaction
from domain.complaints.complaints import Complaint, Door, Grievance
from domain.complaints.refusals import NoSuchComplaint
from domain.standard.context import CommandContext
from infra.complaints.complaints import Complaints
from infra.eventstore.commands import Command, NewSubject, Snapshot, Stream, StreamEvent
from infra.eventstore.service import Service

Deciding = Callable[[Complaint | None, CommandContext], Sequence[Any]]


async def make(
    service: Service, caller: Caller, said: Grievance, door: Door, complainant: NewSubject | None = None
) -> tuple[UUID, Complaint]:
    """Take a complaint down; its id, and how it stands. ``complainant``: a person for the vault."""
    stream = new_case(kinds.COMPLAINT, caller)
    number = kinds.COMPLAINT.new_number(service.next_number)
    await say(
        service,
        caller,
        stream.id,
        lambda state, ctx: complaints.make(state, ctx, said, number=number, door=door),
        complainant,
    )
    return stream.id, await run_in_threadpool(existing, service, stream.id)


async def say(
    service: Service, caller: Caller, complaint_id: UUID, decision: Deciding, complainant: NewSubject | None = None
) -> None:
    """What is decided about a complaint, in one command. Raises what the decision refuses."""
    stream = Stream(kinds.COMPLAINT, complaint_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [(stream, ctx.event(fact)) for fact in decision(snapshot.of(stream), ctx)]

    command = Command(stream, caller.stamp, decide, (), caller.key, complainant)
    # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
    await asyncio.shield(asyncio.wrap_future(service.submit(command)))


async def show(service: Service, caller: Caller, complaint_id: UUID, state: Complaint) -> list[UUID]:
    """Put on record that whoever complained is shown; which of the subjects are."""
    stream = Stream(kinds.COMPLAINT, complaint_id)
    of = {each: Stream(kinds.VAULT, each) for each in state.subjects}
    shown: list[UUID] = []

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        kept = {each: snapshot.of(vault) for each, vault in of.items()}
        facts = complaints.show(snapshot.of(stream), ctx, complaint=complaint_id, kept=kept)
        shown[:] = facts
        return [(of[each], ctx.event(fact)) for each, fact in facts.items()]

    # Without the request's key: who asks again is shown again, and that is another event.
    command = Command(stream, caller.stamp, decide, tuple(of.values()))
    await asyncio.shield(asyncio.wrap_future(service.submit(command)))
    return shown


async def give(service: Service, caller: Caller, response: Response, case: OwnCase, body: LinkSatisfaction) -> Accepted:
    """How satisfied the person of the case is, in the stream of the case."""
    runner = CommandRunner(case.stream.kind, caller, service, response)
    return await runner.instruct(
        case.stream,
        lambda state, ctx: satisfaction.give(state, ctx, report=case.report, score=body.score, reasons=body.reasons),
    )


def existing(service: Service, complaint_id: UUID) -> Complaint:
    """The complaint. Refuses ``no-such-complaint``."""
    state = Complaints(service).state(complaint_id)
    if state is None:
        raise NoSuchComplaint()
    return state


def fields(service: Service, complaint_id: UUID, state: Complaint) -> dict[str, Any]:
    """What everybody is shown who may see the complaint."""
    return {
        "id": complaint_id,
        "number": state.number,
        "topic": state.topic,
        "state": state.state,
        "made_at": state.made_at,
        "due_at": state.due_at,
        "overdue": state.is_overdue(service.clock.now()),
        "answered_at": state.answered_at,
        "answered_late": state.was_late,
        "outcome": state.outcome,
        "remedy": state.remedy,
        "escalated_at": state.escalated_at,
        "withdrawn_at": state.withdrawn_at,
    }


def view(service: Service, complaint_id: UUID, state: Complaint) -> ComplaintView:
    """The complaint as whoever made it sees it."""
    return ComplaintView(**fields(service, complaint_id, state))

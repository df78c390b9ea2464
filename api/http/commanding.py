"""From a request to one command and its answer: what every slice's commands are carried out with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import uuid4, uuid5

from fastapi import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.http.answers import Accepted
from api.http.caller import Caller
from api.http.refusals import Busy
from domain.kernel.subjects import Subject
from domain.kinds import Kind
from infra.eventstore.commands import Command, NewSubject, Snapshot, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import NAMESPACE


class PendingCommand:
    """A command, and the number of its case: noted when it is decided, since a receipt names the id only."""

    def __init__(
        self,
        case: Stream,
        caller: Caller,
        decide: Callable[[Snapshot], Sequence[StreamEvent]],
        *,
        others: tuple[Stream, ...] = (),
        subject: NewSubject | None = None,
        number: str | None = None,
    ) -> None:
        self.number = number

        def noting(snapshot: Snapshot) -> Sequence[StreamEvent]:
            said = decide(snapshot)
            known = snapshot.of(case)
            if known is not None:
                self.number = known.number
            return said

        self.command = Command(case, caller.stamp, noting, others, caller.key, subject)


async def carry_out(service: Service, order: PendingCommand, response: Response, *, creates: bool = False) -> Accepted:
    """Run the order and shape its answer. Raises what ``Service.submit`` says; the table of errors answers it."""
    # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
    receipt = await asyncio.shield(asyncio.wrap_future(service.submit(order.command)))
    number = order.number
    if receipt.replayed or number is None:
        state, _ = await run_in_threadpool(service.load, Stream(order.command.case.kind, receipt.case_id))
        number = state.number
    if receipt.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    if creates:
        response.headers["Location"] = f"/api/v1/cases/{receipt.case_id}"
    return Accepted(
        case_id=receipt.case_id,
        case_number=number,
        first_version=receipt.first_version,
        last_version=receipt.last_version,
        position=receipt.position,
        recorded_at=receipt.recorded_at,
    )


LOOKS = 5
"""How often a command looks at a case that changes under it, before its sender is told to try again."""


class StaleLookup(Exception):
    """The command named other streams than it would name now. Nothing was written."""


async def retry_on_stale(attempt: Callable[[], Awaitable[Accepted]]) -> Accepted:
    """The command, as often as it says that it must look again; then it is refused as ``busy``."""
    for _ in range(LOOKS):
        with suppress(StaleLookup):
            return await attempt()
    raise Busy()


def new_case(kind: Kind, caller: Caller) -> Stream:
    """A new case; under an idempotency key its id follows from the key, so a retried creation is the same case."""
    if caller.key is None:
        return Stream(kind, uuid4())
    return Stream(kind, uuid5(NAMESPACE, f"case:{caller.key.scope}\n{caller.key.key}"))


def meter_number(number: str) -> str:
    """A meter's number as its stream is named by."""
    return number.strip().upper()


def particulars(person: BaseModel) -> dict[str, str]:
    """What the vault keeps of a person: every field that was given."""
    return person.model_dump(exclude_none=True)


def named(subject: NewSubject) -> Subject:
    """How events name the person."""
    return Subject(subject.id, subject.revision)

"""From a request to one command and its answer: what every slice's commands are carried out with."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4, uuid5

from fastapi import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.http.answers import Accepted
from api.http.caller import Caller, CallerDep
from api.http.dependencies import ServiceDep
from api.http.fields import FromTheField
from api.http.refusals import Busy, CaseChanged
from domain import kinds
from domain.kernel.facts import EventToAppend
from domain.kernel.refusals import NotFound
from domain.kernel.subjects import Subject
from domain.kinds import Kind
from domain.people.refusals import NotYours
from domain.people.scope import require_own_facts, scope_of
from domain.places import place_of
from domain.standard.context import CommandContext, require_power
from infra.eventstore import case_numbers
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
        names_crew: bool = False,
        reads: tuple[Stream, ...] = (),
    ) -> None:
        self.number = number

        def noting(snapshot: Snapshot) -> Sequence[StreamEvent]:
            if caller.if_match not in (None, snapshot.versions.get(case.id)):
                raise CaseChanged(snapshot.versions.get(case.id, 0), caller.if_match)
            try:
                decided = decide(snapshot)
            except NotFound:
                # Who may not send the command is told so, not what there is and what there is not.
                if caller.power is not None:
                    require_power(snapshot.context(caller.stamp), caller.power)
                raise
            known = snapshot.of(case)
            _require_own_facts(caller, case, known, decided)
            _require_own_cases(caller, others, snapshot)
            if known is not None:
                self.number = known.number
            return decided

        self.command = Command(case, caller.stamp, noting, others, caller.key, subject, names_crew, reads)


def _require_own_facts(caller: Caller, case: Stream, state: Any, decided: Sequence[StreamEvent]) -> None:
    work = caller.identity.work if caller.identity is not None else None
    if work is None:
        return
    on_case = work.crew
    if case.kind in (kinds.REPAIR, kinds.CREW) and state is not None:
        on_case = state.crew if case.kind is kinds.REPAIR else state.number
    facts = [stated.fact for stream, stated in decided if stream.id == case.id]
    require_own_facts(work, caller.stamp.role, caller.power, on_case, facts)


def _require_own_cases(caller: Caller, others: Sequence[Stream], snapshot: Snapshot) -> None:
    """Refuse ``not-yours`` where a further case that the command changes lies elsewhere."""
    work = caller.identity.work if caller.identity is not None else None
    scope = scope_of(caller.power, caller.stamp.role, work)
    for other in others:
        districts = place_of(snapshot.of(other)).districts
        if not scope.reaches_districts(districts):
            raise NotYours(f"a further case in {', '.join(sorted(districts))}", str(scope))


class Claim(Protocol):
    """A body that may say when something happened."""

    @property
    def happened_at(self) -> datetime | None: ...


Decision = Callable[[Any, CommandContext], Any]
"""What a command decides about one case: from its state and the context of the command to
a fact, several facts, or an ``EventToAppend`` where the fact is to be told to somebody. Raises ``Refusal``."""


@dataclass(frozen=True, slots=True)
class CommandRunner:
    """Carries out every command of a request: who asks, of whom, and the kind of case that the route is about."""

    kind: Kind
    caller: Caller
    service: Service
    response: Response

    async def field(self, case: UUID | Stream, claim: Claim, decide: Decision, *, names_crew: bool = False) -> Accepted:
        """A fact from the field, on one case: it happened when ``claim`` says, or now. ``names_crew``: it names a crew,
        so the decision is to see which crews were formed."""
        return await self.carry_out(self.command(case, claim, decide, names_crew=names_crew))

    async def instruct(
        self, case: UUID | Stream, decide: Decision, *, confirmed_by: str | None = None, names_crew: bool = False
    ) -> Accepted:
        """An instruction, on one case: it happens when it is taken down. ``names_crew``: as of ``field``."""
        return await self.carry_out(self.command(case, None, decide, confirmed_by=confirmed_by, names_crew=names_crew))

    async def with_case_lookup(
        self, case: UUID | Stream, command: Callable[[Any], PendingCommand], *, creates: bool = False
    ) -> Accepted:
        """A command that must look at its case to know which further streams it names; ``command`` gets the state, or
        None where there is no such case. Looks again where the case changed in between (``StaleLookup``)."""

        async def attempt() -> Accepted:
            return await self.carry_out(command(await self.load(self.stream(case))), creates=creates)

        return await retry_on_stale(attempt)

    def command(
        self,
        case: UUID | Stream,
        claim: Claim | None,
        decide: Decision,
        *,
        further: Callable[[Snapshot], Sequence[StreamEvent]] = lambda _: (),
        others: tuple[Stream, ...] = (),
        confirmed_by: str | None = None,
        names_crew: bool = False,
    ) -> PendingCommand:
        """The command on one case, and ``further`` events in the ``others``. ``claim``: the times that are claimed for
        a fact from the field; None: an instruction, with its second person in ``confirmed_by``. ``names_crew``: as of
        ``field``."""
        stream = self.stream(case)
        happened_at = (claim.happened_at or self.now()) if claim is not None else None

        def decided(snapshot: Snapshot) -> Sequence[StreamEvent]:
            ctx = self.context(snapshot, claim, happened_at, confirmed_by)
            return [*events(stream, decide(snapshot.existing(stream), ctx), ctx), *further(snapshot)]

        return PendingCommand(stream, self.caller, decided, others=others, names_crew=names_crew)

    def context(
        self, snapshot: Snapshot, claim: Claim | None, happened_at: datetime | None, confirmed_by: str | None = None
    ) -> CommandContext:
        """The context of an instruction (``claim`` None), or of a fact from the field: with second person and time of
        the device, where the body has them."""
        if claim is None:
            return snapshot.context(self.caller.stamp, None, confirmed_by)
        if isinstance(claim, FromTheField):
            return snapshot.context(self.caller.stamp, happened_at, claim.confirmed_by, claim.reported_at)
        return snapshot.context(self.caller.stamp, happened_at)

    async def carry_out(self, command: PendingCommand, *, creates: bool = False) -> Accepted:
        """Run the command and shape its answer. Raises what ``Service.submit`` says; the table of errors answers it."""
        # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
        receipt = await asyncio.shield(asyncio.wrap_future(self.service.submit(command.command)))
        number = command.number
        if number is not None and receipt.number is not None:
            number = case_numbers.in_text(number, receipt.number)
        if receipt.replayed or number is None:
            number = (await self.load(Stream(command.command.case.kind, receipt.case_id))).number
        if receipt.replayed:
            self.response.headers["Idempotency-Replayed"] = "true"
        if creates:
            self.response.headers["Location"] = f"/api/v1/cases/{receipt.case_id}"
        return Accepted(
            case_id=receipt.case_id,
            case_number=number,
            first_version=receipt.first_version,
            last_version=receipt.last_version,
            position=receipt.position,
            recorded_at=receipt.recorded_at,
        )

    async def load(self, stream: Stream) -> Any:
        """The stream's state; None before its first fact."""
        state, _ = await run_in_threadpool(self.service.load, stream)
        return state

    def new_number(self) -> str:
        """What stands for the number of a case of the runner's kind until the store gives it one."""
        return self.kind.new_number(self.service.next_number)

    def new_case(self) -> Stream:
        """A new case of the runner's kind."""
        return new_case(self.kind, self.caller)

    def stream(self, case: UUID | Stream) -> Stream:
        """The case's stream, of the runner's kind where only its id is given."""
        return Stream(self.kind, case) if isinstance(case, UUID) else case

    def now(self) -> datetime:
        """The service's own time."""
        return self.service.clock.now()


def runner_of(kind: Kind) -> Callable[[Caller, Service, Response], Coroutine[Any, Any, CommandRunner]]:
    """The dependency that gives a route of that kind of case its runner."""

    # Without awaiting anything, and yet ``async``: the framework runs whatever is not in another thread.
    async def runner(caller: CallerDep, service: ServiceDep, response: Response) -> CommandRunner:
        return CommandRunner(kind, caller, service, response)

    return runner


def events(stream: Stream, decided: Any, ctx: CommandContext) -> list[StreamEvent]:
    """What a decision gave, as events of the stream, with the times that are claimed for them."""
    listed = decided if isinstance(decided, (tuple, list)) else (decided,)
    return [(stream, each if isinstance(each, EventToAppend) else ctx.event(each)) for each in listed]


LOOKS = 5
"""How often a command looks at a case that changes under it, before its sender is told to try again."""


Answer = TypeVar("Answer", bound=Accepted)


class StaleLookup(Exception):
    """The command named other streams than it would name now. Nothing was written."""


async def retry_on_stale(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """The command, as often as it says that it must look again; then it is refused as ``busy``."""
    for _ in range(LOOKS):
        with suppress(StaleLookup):
            return await attempt()
    raise Busy()


def new_case(kind: Kind, caller: Caller) -> Stream:
    """A new case; under an idempotency key its id follows from the key, so a retried creation is the same case."""
    if caller.key is None:
        return Stream(kind, uuid4())
    name = f"case:{caller.key.scope}\n{caller.key.key}"
    if caller.identity is not None and caller.identity.by == "nobody":
        # The id of a case is not to be found out from what its applicant said.
        name = hmac.new(caller.case_secret.encode(), name.encode(), sha256).hexdigest()
    return Stream(kind, uuid5(NAMESPACE, name))


def meter_number(number: str) -> str:
    """A meter's number as its stream is named by."""
    return number.strip().upper()


def particulars(person: BaseModel) -> dict[str, str]:
    """What the vault keeps of a person: every field that was given."""
    return person.model_dump(exclude_none=True)


def named(subject: NewSubject) -> Subject:
    """How events name the person."""
    return Subject(subject.id, subject.revision)

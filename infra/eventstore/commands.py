"""What the store is asked to do, and what it answers. Entry points build commands; only the writer runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from os import urandom
from typing import Any
from uuid import UUID

from domain.crews.register import CrewRegister
from domain.kernel.facts import EventToAppend
from domain.kernel.frozen import frozen
from domain.kernel.messages import Message
from domain.kinds import Kind, State
from domain.standard.alerts import Alert, Closing
from domain.standard.context import CommandContext, Person
from domain.standard.standards import Rules, Standard


@frozen
class Stream:
    """One event stream: a case, or a small stream that keeps something unique (a meter)."""

    kind: Kind
    id: UUID


@frozen
class Stamp:
    """Who says it, over which channel, in answer to what. Goes into every envelope of the command. ``confirmed_by``:
    the second person who stands behind it, where one was named, in the role ``confirmed_role``."""

    actor: str
    role: str
    channel: str
    command_id: str
    correlation_id: str
    causation_id: str | None = None
    confirmed_by: str | None = None
    confirmed_role: str | None = None


@frozen
class IdempotencyKey:
    """The client's key for this command in the actor's scope, and the SHA-256 of the request it stands for."""

    scope: str
    key: str
    digest: bytes


@frozen
class NewSubject:
    """Particulars for the vault, written in the command's own transaction: no case without, no orphan left behind.
    ``corrects``: they replace what every revision of the subject says in these fields, and make no revision."""

    id: UUID
    revision: int
    particulars: Mapping[str, str]
    corrects: bool = False


@frozen
class NewLink:
    """The first secret link of a case that a command opens, written in the command's own transaction. ``code_hash``:
    what is kept of its code; ``report``: of an incident the number of the report whose link it is, 0 of others."""

    code_hash: bytes
    case_id: UUID
    report: int


@frozen
class NewMessage:
    """A message for the outbox, written in the command's own transaction under the id of the event that tells it."""

    event_id: UUID
    case_id: UUID
    message: Message


@frozen
class NewAlert:
    """A window fact for staff to hear of, and what it closes of the alerts before it; written in the command's own
    transaction. ``version``: the fact's place in its case."""

    event_id: UUID
    case_id: UUID
    version: int
    case_number: str
    mass: str | None
    at: datetime
    alert: Alert | None
    closing: Closing | None


@frozen
class NextAsk:
    """When the watch is to ask about a commitment next (None: time alone changes nothing about it), as the case stands
    after ``version``. ``told``: a fact about its window is among the events it is written with."""

    case_id: UUID
    commitment: str
    family: str
    at: datetime | None
    version: int
    told: bool


@frozen
class Snapshot:
    """What a decision sees: the instant, the rules, the streams it named and their last versions, and the register of
    crews where it names one."""

    at: datetime
    rules: Rules
    states: Mapping[UUID, State]
    crews: CrewRegister | None = None
    versions: Mapping[UUID, int] = field(default_factory=dict)

    @property
    def standard(self) -> Standard:
        """The standard in force now."""
        return self.rules.in_force(self.at)

    def context(
        self,
        stamp: Stamp,
        happened_at: datetime | None = None,
        confirmed_by: str | None = None,
        reported_at: datetime | None = None,
    ) -> CommandContext:
        """What somebody says happened then (None: now, as with every instruction), under these rules."""
        by = Person(stamp.actor, stamp.role)
        second = confirmed_by or stamp.confirmed_by
        return CommandContext(
            happened_at or self.at,
            self.at,
            stamp.channel,
            self.rules,
            by,
            second,
            reported_at,
            stamp.confirmed_role,
            self.crews,
        )

    def of(self, stream: Stream) -> Any:
        """The state of a stream named by the command; None before its first fact."""
        return self.states[stream.id]

    def existing(self, stream: Stream) -> Any:
        """The same, of a case that must be there. Refuses what its kind says of a case that there is not."""
        return stream.kind.existing(self.of(stream))


StreamEvent = tuple[Stream, EventToAppend]
"""A fact and the stream it belongs to."""


@frozen
class Command:
    """One command. ``decide`` is pure: it may be called again when somebody else was faster.

    ``others`` are the further streams that ``decide`` looks at or writes to (a meter); they are saved in the same
    transaction as the case. ``reads``: those that it only looks at and that may be a moment old when the case is saved,
    so that commands which look at the same one do not wait for each other. A ``decide`` that says nothing is a question
    (the window watch asks): only what the rulebook concludes is appended. ``names_crew``: it names a crew, so
    ``decide`` is to see which were formed.
    ``stamps``: who says what goes into one of ``others``, where that is somebody else.
    """

    case: Stream
    stamp: Stamp
    decide: Callable[[Snapshot], Sequence[StreamEvent]]
    others: tuple[Stream, ...] = ()
    key: IdempotencyKey | None = None
    subject: NewSubject | None = None
    names_crew: bool = False
    reads: tuple[Stream, ...] = ()
    link: NewLink | None = None
    stamps: Mapping[UUID, Stamp] = field(default_factory=dict)

    def stamp_of(self, stream: Stream) -> Stamp:
        """Who says what goes into a stream."""
        return self.stamps.get(stream.id, self.stamp)


def evaluation_of(case: Stream, asker: str) -> Command:
    """A command that says nothing: what the rulebook concludes by now is appended. ``asker``: the part that asks."""
    command_id = _new_id()
    stamp = Stamp(asker, "system", "system", command_id, correlation_id=command_id)
    return Command(case, stamp, decide=_nothing)


def _nothing(snapshot: Snapshot) -> Sequence[StreamEvent]:
    return ()


def _new_id() -> str:
    """A random UUID (version 4) as text, as ``str(uuid4())`` is, at half its cost."""
    text = urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


@frozen
class Receipt:
    """What became of an accepted command.

    ``last_version`` is the case's version after it; nothing was written where ``first_version > last_version``
    (``position`` is then 0 and ``recorded_at`` None). ``next_ask_at``: commitment → when to ask about it again.
    ``number``: that the command gave to a case which it opened, without the prefix; None: it opened none, or was
    answered before.
    """

    case_id: UUID
    first_version: int
    last_version: int
    position: int
    recorded_at: datetime | None
    replayed: bool
    next_ask_at: Mapping[str, datetime]
    number: str | None = None


@dataclass(eq=False)
class KeyReusedError(Exception):
    """An idempotency key came back with another body."""

    key: str

    def __str__(self) -> str:
        return f"idempotency key {self.key!r} was used with another body"


class StoreUnavailableError(Exception):
    """PostgreSQL did not take the command in time; nothing is known to be written. Send it again with the same key."""


class UnreadableStreamError(Exception):
    """A stream holds an event that this program cannot read: a newer program wrote it, or a defect did."""


class BusyError(Exception):
    """The case was changed by others at every try."""

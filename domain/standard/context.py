"""The circumstances of a command: who says what happened when, over which channel, under which rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.crews.register import CrewRegister
from domain.kernel.facts import EventToAppend, Fact
from domain.people.actors import is_same
from domain.standard.powers import roles_with
from domain.standard.refusals import SamePerson, WrongRole
from domain.standard.standards import Rules, Standard, is_backdated


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts: an opaque staff or system id, and the role in which they act."""

    actor: str
    role: str


NOBODY = Person("", "")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """When it happened as claimed, when it is taken down (``at``), over which channel, by whom, under which rules.

    ``confirmed_by``: the second person, where something is told later than the channel allows or needs two; in the role
    ``confirmed_role``, where that is known. ``reported_at``: when a device took it down, which had no net perhaps and
    sent it later; None: not known. ``crews``: the crews that were formed, for a command that names one; None: it names
    none.
    """

    happened_at: datetime
    at: datetime
    channel: str
    rules: Rules
    by: Person = NOBODY
    confirmed_by: str | None = None
    reported_at: datetime | None = None
    confirmed_role: str | None = None
    crews: CrewRegister | None = None

    @property
    def standard(self) -> Standard:
        """The standard in force when it is taken down."""
        return self.rules.in_force(self.at)

    @property
    def is_history(self) -> bool:
        """Whether it is told over a channel of imported history."""
        return self.channel in self.standard.repair.history_channels

    @property
    def is_late(self) -> bool:
        """Whether it comes later than the channel's allowed lateness."""
        return is_backdated(self.standard, self.channel, self.happened_at, self.at)

    @property
    def was_uploaded_late(self) -> bool:
        """Whether a device took it down and sent it only later."""
        waited = self.at - self.reported_at if self.reported_at is not None else timedelta()
        return waited > timedelta(minutes=self.standard.late_upload_minutes)

    def event(self, fact: Fact) -> EventToAppend:
        """The fact with the times that are claimed for it."""
        return EventToAppend(fact, self.happened_at, self.reported_at)


def require_power(ctx: CommandContext, power: str) -> None:
    """Refuse ``wrong-role`` where the standard does not give the role ``power``: what is not given is not allowed."""
    require_one_of(ctx.by, roles_with(ctx.standard, power), power)


def require_one_of(by: Person, roles: Collection[str], power: str) -> None:
    """Refuse ``wrong-role`` where the person's role is none of these."""
    if by.role not in roles:
        raise WrongRole(power, by, roles)


def require_second_person(ctx: CommandContext, first: str, what: str) -> None:
    """Refuse ``same-person`` where whoever did the first half would do the second one too (our decision: four eyes)."""
    if is_same(ctx.by.actor, first):
        raise SamePerson(what, first)

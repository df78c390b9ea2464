"""Who may act: people and machines with an account, what they may act as, and that they left.

Sources: our decisions. An actor has one id for ever, written in one way; nobody changes their own account; who left
stays known, since their id stands in events. Name, telephone and secrets of a person are in no event.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CrewCode, SquadCode
from domain.kernel.refusals import UnknownRole
from domain.kernel.roles import ROLES
from domain.people.actors import is_same
from domain.people.refusals import (
    BadActorId,
    BadScopes,
    NoRoles,
    NoSuchPerson,
    NotYourOwnAccount,
    PersonExists,
    PersonLeftAlready,
    PersonUnchanged,
    RoleWithoutAccount,
    ScopeNotGranted,
)
from domain.standard.context import CommandContext, require_power
from domain.standard.fees import first_repeated
from domain.standard.scopes import SCOPES
from domain.standard.standards import district
from domain.standard.values import require_known

ActorKind = Literal["person", "machine"]
ActorId = Annotated[str, "The actor's id: small letters, digits and hyphens. It names nobody and is never given again."]
Roles = Annotated[tuple[str, ...], "Codes of the roles that the actor may act in."]
OwnCrew = Annotated[CrewCode | None, "The repair crew that the actor belongs to; null: none."]
OwnSquad = Annotated[SquadCode | None, "The door-to-door squad that the actor belongs to; null: none."]
OwnDistricts = Annotated[tuple[str, ...], "Codes of the districts that the actor works in; empty: every district."]
Scopes = Annotated[
    tuple[str, ...],
    "Powers that a machine is granted of those that its roles have; empty: all of them, as of a person.",
]

_ACTOR_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONG_NUMBER = re.compile(r"\d{6}")
LONGEST_ID = 40
CITIZENS = ("public", "applicant", "reporter")
"""Roles that nobody has an account for: whoever asks without one is of the public, and an applicant or a reporter is
known by the secret of their own case."""


@fact("人员入职", "actor joined", topic="office")
class PersonJoined:
    """Somebody, or a machine, may act from now on."""

    actor: ActorId
    kind: Annotated[ActorKind, "Whether it is a person or a machine, such as a vendor's system."]
    roles: Roles
    crew: OwnCrew = None
    squad: OwnSquad = None
    districts: OwnDistricts = ()
    scopes: Scopes = ()


@fact("人员调整", "actor moved", topic="office")
class PersonMoved:
    """What the actor may act as changed. Every value is the whole new one."""

    roles: Roles
    crew: OwnCrew = None
    squad: OwnSquad = None
    districts: OwnDistricts = ()
    scopes: Scopes = ()


@fact("人员离职", "actor left", topic="office")
class PersonLeft:
    """The actor may not act any more."""


@dataclass(frozen=True, slots=True)
class Work:
    """What an actor may act as: roles, and the crew, squad and districts that it is bound to (empty: every one).
    ``scopes``: the powers that a machine is granted of those of its roles (empty: all)."""

    roles: tuple[str, ...]
    crew: str | None = None
    squad: str | None = None
    districts: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    @property
    def is_bound(self) -> bool:
        """Whether it is bound to a crew, a squad or districts."""
        return bool(self.crew or self.squad or self.districts)

    def require_granted(self, power: str) -> None:
        """Refuse ``scope-not-granted`` where a machine was granted some powers, and not this one."""
        if self.scopes and power not in self.scopes:
            raise ScopeNotGranted(power, self.scopes)


@dataclass(frozen=True, slots=True)
class PersonState:
    """An actor as it is known. ``number`` is its id."""

    number: str
    kind: ActorKind
    work: Work
    has_left: bool = False


def evolve(state: PersonState | None, recorded: Recorded) -> PersonState | None:
    """The actor after a fact."""
    match recorded.fact:
        case PersonJoined(actor, kind, roles, crew, squad, districts, scopes):
            return PersonState(actor, kind, Work(roles, crew, squad, districts, scopes))
        case PersonMoved(roles, crew, squad, districts, scopes) if state is not None:
            return replace(state, work=Work(roles, crew, squad, districts, scopes))
        case PersonLeft() if state is not None:
            return replace(state, has_left=True)
        case _:
            return state


def join(state: PersonState | None, ctx: CommandContext, *, actor: str, kind: ActorKind, work: Work) -> PersonJoined:
    """Let somebody act. Refuses ``wrong-role``, ``bad-actor-id``, ``person-exists`` (also one who left: an id is never
    given again) and what ``_require_work`` does."""
    require_power(ctx, "people.manage")
    require_actor_id(actor)
    if state is not None:
        raise PersonExists(actor, has_left=state.has_left)
    _require_work(ctx, kind, work)
    return PersonJoined(actor, kind, work.roles, work.crew, work.squad, work.districts, work.scopes)


def move(state: PersonState | None, ctx: CommandContext, *, actor: str, work: Work) -> PersonMoved:
    """Change what somebody may act as. Refuses ``wrong-role``, ``no-such-person``, ``person-left``,
    ``own-account``, ``person-unchanged`` and what ``_require_work`` does."""
    known = _known(state, ctx, actor)
    _require_work(ctx, known.kind, work)
    if known.work == work:
        raise PersonUnchanged(actor)
    return PersonMoved(work.roles, work.crew, work.squad, work.districts, work.scopes)


def leave(state: PersonState | None, ctx: CommandContext, *, actor: str) -> PersonLeft:
    """Let somebody act no more. Refuses ``wrong-role``, ``no-such-person``, ``person-left``, ``own-account``."""
    _known(state, ctx, actor)
    return PersonLeft()


def require_manageable(state: PersonState | None, ctx: CommandContext, actor: str) -> PersonState:
    """The actor whose secrets somebody may set anew. Refuses what ``leave`` does."""
    return _known(state, ctx, actor)


def require_actor_id(actor: str) -> None:
    """Refuse ``bad-actor-id``: an id that has two forms would be two people, and a long number may be a telephone."""
    if len(actor) > LONGEST_ID or not _ACTOR_ID.fullmatch(actor) or _LONG_NUMBER.search(actor):
        raise BadActorId()


def _known(state: PersonState | None, ctx: CommandContext, actor: str) -> PersonState:
    require_power(ctx, "people.manage")
    if state is None:
        raise NoSuchPerson(actor)
    if state.has_left:
        raise PersonLeftAlready(actor)
    if is_same(ctx.by.actor, actor):
        raise NotYourOwnAccount(actor)
    return state


def _require_work(ctx: CommandContext, kind: ActorKind, work: Work) -> None:
    """Refuses ``no-roles``, ``unknown-role``, ``role-without-account``, ``unknown-district``, ``bad-scopes``."""
    if not work.roles or first_repeated(work.roles):
        raise NoRoles()
    _require_roles(work.roles)
    for code in work.districts:
        district(ctx.standard, code)
    unknown = sorted(set(work.scopes) - SCOPES.keys())
    if unknown or first_repeated(work.scopes) or (work.scopes and kind == "person"):
        raise BadScopes(unknown)


def _require_roles(roles: Sequence[str]) -> None:
    for role in roles:
        require_known(UnknownRole, role, ROLES)
        if role in CITIZENS:
            raise RoleWithoutAccount(role)

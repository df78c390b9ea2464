"""Approval requests: a second person is asked to stand behind a command, and says yes or no in a session of their own.

The request holds the very command. Giving the approval carries it out, in the same instant, as whoever asked, with the
second person beside them. Source: our decision (four eyes), ``docs/explanation/decisions``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from domain.approvals.refusals import (
    ApprovalDecided,
    ApprovalLate,
    MachineCannotApprove,
    NobodyAsked,
    NoSuchApproval,
    NotAskedOfYou,
    NotYourRequest,
)
from domain.kernel.facts import Recorded, fact
from domain.kernel.refusals import UnknownRole
from domain.kernel.roles import ROLES
from domain.people.actors import is_same
from domain.people.people import CITIZENS, PersonState
from domain.people.refusals import NoSuchPerson, PersonLeftAlready, RoleWithoutAccount
from domain.standard.context import CommandContext, Person
from domain.standard.refusals import SamePerson
from domain.standard.values import require_known

DeclineReason = Literal["incorrect", "unproven", "not-mine", "other"]
State = Literal["waiting", "given", "declined", "withdrawn", "expired"]


@fact("请求复核", "approval requested", topic="office")
class ApprovalRequested:
    """A second person is asked to stand behind a command. Its text is in no event."""

    operation: Annotated[str, "The operation that is to be carried out, by its id in /openapi.json."]
    digest: Annotated[
        str, "SHA-256 of the command and of a random text kept with it, so that nothing is found out from it."
    ]
    expires_at: Annotated[datetime, "Until when the second person may answer."]
    asked_role: Annotated[str | None, "The role that is asked; null: an account is."] = None
    asked_actor: Annotated[str | None, "Id of the account that is asked; null: a role is."] = None
    case_id: Annotated[UUID | None, "Id of the case that the command is about; null: it begins one, or is on none."] = (
        None
    )


@fact("同意复核", "approval given", topic="office")
class ApprovalGiven:
    """The second person said yes, and the command was carried out with it. Its actor is the second person."""

    role: Annotated[str, "The role in which the second person stands behind it."]
    case_id: Annotated[UUID, "Id of the stream that the command was carried out on."]


@fact("退回复核", "approval declined", topic="office")
class ApprovalDeclined:
    """The second person said no: the command is not carried out."""

    reason: Annotated[str, "Why, as a code: incorrect, unproven, not-mine or other."]


@fact("撤回复核请求", "approval withdrawn", topic="office")
class ApprovalWithdrawn:
    """Whoever asked does not want it any more."""


@fact("复核请求过期", "approval expired", topic="office")
class ApprovalExpired:
    """Nobody answered in time: the command is not carried out."""

    expires_at: Annotated[datetime, "Until when an answer could come."]


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval request as its stream has it. ``number`` is empty: people know it by its id. ``case_id``: that of the
    command, or once it was carried out that of the stream it was carried out on."""

    asker: Person
    operation: str
    digest: str
    requested_at: datetime
    expires_at: datetime
    asked_role: str | None
    asked_actor: str | None
    case_id: UUID | None
    state: State = "waiting"
    decided_by: Person | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    number: str = ""

    def standing(self, at: datetime) -> State:
        """How it stands at an instant: what nobody answered in time has expired, whether that is on record or not."""
        return "expired" if self.is_overdue(at) else self.state

    def is_overdue(self, at: datetime) -> bool:
        """Whether it expired and that is not on record yet."""
        return self.state == "waiting" and at >= self.expires_at

    @property
    def asked(self) -> str:
        """Who is asked, in words."""
        return f"the role {self.asked_role}" if self.asked_role is not None else f"the account {self.asked_actor}"


@dataclass(frozen=True, slots=True)
class Approver:
    """Who would be the second person: the role in which they act, and every role that they hold."""

    actor: str
    role: str
    roles: tuple[str, ...]
    is_machine: bool = False


def evolve(state: Approval | None, recorded: Recorded) -> Approval | None:
    """The request after a fact."""
    match recorded.fact:
        case ApprovalRequested(operation, digest, expires_at, asked_role, asked_actor, case_id):
            asker = Person(recorded.actor, recorded.role)
            at = recorded.happened_at
            return Approval(asker, operation, digest, at, expires_at, asked_role, asked_actor, case_id)
        case ApprovalGiven(role, case_id) if state is not None:
            return replace(_decided(state, "given", recorded, role), case_id=case_id)
        case ApprovalDeclined(reason) if state is not None:
            return replace(_decided(state, "declined", recorded), reason=reason)
        case ApprovalWithdrawn() if state is not None:
            return _decided(state, "withdrawn", recorded)
        case ApprovalExpired() if state is not None:
            return _decided(state, "expired", recorded)
        case _:
            return state


def _decided(state: Approval, to: State, recorded: Recorded, role: str | None = None) -> Approval:
    by = Person(recorded.actor, role or recorded.role)
    return replace(state, state=to, decided_by=by, decided_at=recorded.happened_at)


def require_one_asked(ctx: CommandContext, role: str | None, actor: str | None, account: PersonState | None) -> None:
    """Whether somebody can be asked: a role that accounts have, or somebody else's account. ``account``: that of
    ``actor``. Refuses ``nobody-asked``, ``unknown-role``, ``role-without-account``, ``no-such-person``,
    ``person-left``, ``machine-cannot-approve``, ``same-person``."""
    if (role is None) == (actor is None):
        raise NobodyAsked()
    if role is not None:
        require_known(UnknownRole, role, ROLES)
        if role in CITIZENS:
            raise RoleWithoutAccount(role)
    if actor is not None:
        if is_same(actor, ctx.by.actor):
            raise SamePerson("the command", ctx.by.actor)
        if account is None:
            raise NoSuchPerson(actor)
        if account.has_left:
            raise PersonLeftAlready(actor)
        if account.kind == "machine":
            raise MachineCannotApprove(actor)


def request(
    state: Approval | None,
    ctx: CommandContext,
    *,
    operation: str,
    digest: str,
    role: str | None,
    actor: str | None,
    case_id: UUID | None,
) -> tuple[ApprovalRequested, ...]:
    """Ask a second person. Nothing where it was asked already, under the same key."""
    if state is not None:
        return ()
    until = ctx.at + timedelta(hours=ctx.standard.approvals.approval_hours)
    return (ApprovalRequested(operation, digest, until, role, actor, case_id),)


def give(state: Approval | None, ctx: CommandContext, approver: Approver, *, case_id: UUID) -> ApprovalGiven:
    """Stand behind the command. Refuses what ``require_answerable`` does."""
    return ApprovalGiven(require_answerable(state, ctx, approver), case_id)


def decline(
    state: Approval | None, ctx: CommandContext, approver: Approver, *, reason: DeclineReason
) -> ApprovalDeclined:
    """Do not stand behind it. Refuses what ``require_answerable`` does."""
    require_answerable(state, ctx, approver)
    return ApprovalDeclined(reason)


def withdraw(state: Approval | None, ctx: CommandContext) -> ApprovalWithdrawn:
    """Whoever asked takes it back. Refuses ``no-such-approval``, ``not-your-request``, ``approval-decided``,
    ``approval-expired``."""
    if state is None:
        raise NoSuchApproval()
    if not is_same(state.asker.actor, ctx.by.actor):
        raise NotYourRequest()
    _require_waiting(state, ctx)
    return ApprovalWithdrawn()


def expire(state: Approval | None, at: datetime) -> tuple[ApprovalExpired, ...]:
    """What is on record once nobody answered in time; nothing before that, and nothing twice."""
    return (ApprovalExpired(state.expires_at),) if state is not None and state.is_overdue(at) else ()


def require_answerable(state: Approval | None, ctx: CommandContext, approver: Approver) -> str:
    """The role in which somebody may answer the request. Refuses ``no-such-approval``, ``same-person`` (whoever asked,
    under whatever role and however the id is written), ``machine-cannot-approve``, ``not-asked-of-you``,
    ``approval-decided``, ``approval-expired``."""
    if state is None:
        raise NoSuchApproval()
    if is_same(state.asker.actor, approver.actor):
        raise SamePerson("the command", state.asker.actor)
    if approver.is_machine:
        raise MachineCannotApprove(approver.actor)
    role = answering_role(state, approver)
    if role is None:
        raise NotAskedOfYou(state.asked, approver.role)
    _require_waiting(state, ctx)
    return role


def answering_role(state: Approval, approver: Approver) -> str | None:
    """The role in which somebody is asked: the one that the request names, or that in which the account acts; None:
    they are not asked."""
    if state.asked_actor is not None:
        return approver.role if is_same(state.asked_actor, approver.actor) else None
    return state.asked_role if state.asked_role in (approver.role, *approver.roles) else None


def may_see(state: Approval, approver: Approver) -> bool:
    """Whether somebody asked for it or is asked."""
    return is_own(state, approver) or answering_role(state, approver) is not None


def is_own(state: Approval, approver: Approver) -> bool:
    """Whether somebody asked for it themselves."""
    return is_same(state.asker.actor, approver.actor)


def can_answer(state: Approval, approver: Approver, at: datetime) -> bool:
    """Whether it waits for an answer of theirs."""
    asked = not is_own(state, approver) and not approver.is_machine and answering_role(state, approver) is not None
    return asked and state.standing(at) == "waiting"


def was_decided_by(state: Approval, approver: Approver) -> bool:
    """Whether the answer on record is theirs."""
    return state.decided_by is not None and is_same(state.decided_by.actor, approver.actor)


def require_given_by(state: Approval | None, approver: Approver) -> Approval:
    """The request, given by them. Refuses ``no-such-approval``, and ``approval-decided`` where somebody else was
    faster."""
    if state is None:
        raise NoSuchApproval()
    if state.state != "given" or not was_decided_by(state, approver):
        raise ApprovalDecided(state.state, state.decided_by.actor if state.decided_by is not None else None)
    return state


def _require_waiting(state: Approval, ctx: CommandContext) -> None:
    if state.standing(ctx.at) == "expired":
        raise ApprovalLate(state.expires_at)
    if state.state != "waiting":
        raise ApprovalDecided(state.state, state.decided_by.actor if state.decided_by is not None else None)

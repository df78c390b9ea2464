"""A person's rights over their particulars: to see, export, correct, restrict and erase them.

Each request has a stream. Source: 《个人信息保护法》 §§44 to 50 for the rights; the steps, grounds and days are our
decision. No particulars are in these events: subjects are named by the ids of the vault.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args
from uuid import UUID

from domain.deadlines.limits import WorkingDays, end
from domain.kernel.facts import Recorded, fact
from domain.rights.refusals import (
    CopyForThePerson,
    CopyTimeOver,
    ErasureHindered,
    NobodyToAskFor,
    NoCorrectedValue,
    NoSuchRightsRequest,
    NotErasedYet,
    NotOfThisRequest,
    OtherRight,
    RightsRequestDecided,
    RightsRequestNotGranted,
)
from domain.standard.context import CommandContext, Person, require_power
from domain.vault.vault import ParticularsCorrected, ParticularsRestricted, RestrictionLifted, VaultSubject

POWER = "rights.handle"
Right = Literal["see", "export", "correct", "restrict", "erase"]
IdentityCheck = Literal["own-phone", "identity-card", "call-back", "authorised-person"]
"""How it is known that the person asks: a code sent to their telephone; or as a clerk checked it."""
ClerksCheck = Literal["identity-card", "call-back", "authorised-person"]
Ground = Literal[
    "identity-not-proven", "not-held", "case-running", "retention-runs", "others-rights", "law-requires-it"
]
"""Why a request is refused."""
State = Literal["received", "granted", "refused", "done"]
COPIES: tuple[Right, ...] = ("see", "export")
CORRECTABLE = ("name", "phone", "address")
RIGHTS: tuple[str, ...] = get_args(Right)
GROUNDS: tuple[str, ...] = get_args(Ground)


@fact("收到个人信息请求", "rights request received", topic="office")
class RightsRequestReceived:
    """A person asks to see, export, correct, restrict or erase what is kept of them. Who took it down is its actor."""

    right: Annotated[str, "What is asked for, as a code: see, export, correct, restrict or erase."]
    subjects: Annotated[tuple[UUID, ...], "Ids of the person's entries in the vault."]
    identity_check: Annotated[
        str, "How it was seen who asks, as a code: own-phone, identity-card, call-back or authorised-person."
    ]
    due_at: Annotated[datetime, "Until when it is to be answered."]


@fact("同意个人信息请求", "rights request granted", topic="office")
class RightsRequestGranted:
    """The person gets what they asked for."""

    copy_until: Annotated[datetime | None, "Until when they can take the copy; null: they asked for none."]


@fact("拒绝个人信息请求", "rights request refused", topic="office")
class RightsRequestRefused:
    """The person does not get what they asked for."""

    ground: Annotated[
        str,
        "Why, as a code: identity-not-proven, not-held, case-running, retention-runs, others-rights or "
        "law-requires-it.",
    ]


@fact("办结个人信息请求", "rights request done", topic="office")
class RightsRequestDone:
    """What was granted is done: the copy was taken, or the particulars were corrected, restricted or erased."""


@dataclass(frozen=True, slots=True)
class RightsRequest:
    """A request as its stream has it. ``number`` is empty: people know it by its id."""

    right: str
    subjects: tuple[UUID, ...]
    identity_check: str
    received_at: datetime
    received_by: Person
    due_at: datetime
    state: State = "received"
    decided_at: datetime | None = None
    ground: str | None = None
    copy_until: datetime | None = None
    done_at: datetime | None = None
    number: str = ""

    def is_overdue(self, at: datetime) -> bool:
        """Whether the limit has passed and the utility still owes something: the answer, or what it granted. That a
        person has not taken their copy is not the utility's delay."""
        owes = self.state == "received" or (self.state == "granted" and self.right not in COPIES)
        return owes and at > self.due_at

    @property
    def was_late(self) -> bool:
        """Whether the answer came after the limit."""
        return self.decided_at is not None and self.decided_at > self.due_at


def evolve(state: RightsRequest | None, recorded: Recorded) -> RightsRequest | None:
    """The request after a fact."""
    at = recorded.happened_at
    match recorded.fact:
        case RightsRequestReceived(right, subjects, identity_check, due_at):
            by = Person(recorded.actor, recorded.role)
            return RightsRequest(right, tuple(subjects), identity_check, at, by, due_at)
        case RightsRequestGranted(copy_until) if state is not None:
            return replace(state, state="granted", decided_at=at, copy_until=copy_until)
        case RightsRequestRefused(ground) if state is not None:
            return replace(state, state="refused", decided_at=at, ground=ground)
        case RightsRequestDone() if state is not None:
            return replace(state, state="done", done_at=at)
        case _:
            return state


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long somebody's particulars are kept: whether a case of theirs runs, and otherwise until when the term of the
    standard runs (None: no case names them)."""

    case_runs: bool
    kept_until: datetime | None

    def hindrance(self, at: datetime) -> Ground | None:
        """The ground on which an erasure is refused at that instant; None: there is none."""
        if self.case_runs:
            return "case-running"
        return "retention-runs" if self.kept_until is not None and at < self.kept_until else None


def receive(
    state: RightsRequest | None, ctx: CommandContext, *, right: Right, subjects: Sequence[UUID], check: IdentityCheck
) -> tuple[RightsRequestReceived, ...]:
    """Take a request down: a person's own (``own-phone``), or a clerk's for them. Nothing where it was, under the same
    key. Refuses ``wrong-role`` and ``nothing-kept-of-you``."""
    if check != "own-phone":
        require_power(ctx, POWER)
    if state is not None:
        return ()
    if not subjects:
        raise NobodyToAskFor()
    limit = WorkingDays(ctx.at, ctx.standard.rights.rights_answer_working_days, ctx.standard.close_of_business)
    due_at = end(limit, ctx.rules.calendars_of(ctx.standard), None).due_at
    return (RightsRequestReceived(right, tuple(dict.fromkeys(subjects)), check, due_at),)


def grant(state: RightsRequest | None, ctx: CommandContext, keeping: Collection[Keeping]) -> RightsRequestGranted:
    """Grant a request. ``keeping``: of each of its subjects. Refuses ``wrong-role``, ``no-such-rights-request``,
    ``rights-request-decided``, ``erasure-hindered``."""
    request = _undecided(state, ctx)
    if request.right == "erase":
        for each in keeping:
            if (ground := each.hindrance(ctx.at)) is not None:
                raise ErasureHindered(ground)
    days = timedelta(days=ctx.standard.rights.rights_copy_days)
    return RightsRequestGranted(ctx.at + days if request.right in COPIES else None)


def refuse(state: RightsRequest | None, ctx: CommandContext, *, ground: Ground) -> RightsRequestRefused:
    """Refuse a request. Refuses ``wrong-role``, ``no-such-rights-request``, ``rights-request-decided``."""
    _undecided(state, ctx)
    return RightsRequestRefused(ground)


def take_copy(state: RightsRequest | None, ctx: CommandContext, *, by_person: bool) -> tuple[RightsRequestDone, ...]:
    """Take the copy. What is exported is taken once; what is seen is seen again until its time is over, and nothing
    more is said then. ``by_person``: by the person's own session. Refuses ``wrong-role``, ``no-such-rights-request``,
    ``rights-request-not-granted``, ``other-right``, ``copy-time-over``, ``copy-for-the-person`` (no clerk
    saw who asks)."""
    if not by_person:
        require_power(ctx, POWER)
    request = _existing(state)
    if request.right not in COPIES:
        raise OtherRight(request.right, " or ".join(COPIES))
    if not by_person and request.identity_check == "own-phone":
        raise CopyForThePerson()
    seen_again = request.right == "see" and request.state == "done"
    if request.state != "granted" and not seen_again:
        raise RightsRequestNotGranted(request.state)
    if request.copy_until is not None and ctx.at >= request.copy_until:
        raise CopyTimeOver(request.copy_until)
    return () if seen_again else (RightsRequestDone(),)


def correct(
    state: RightsRequest | None, ctx: CommandContext, *, subject: UUID, fields: Collection[str]
) -> tuple[ParticularsCorrected, RightsRequestDone]:
    """End a request to correct: what the vault keeps of the subject in ``fields`` is replaced. Refuses ``wrong-role``,
    ``no-such-rights-request``, ``rights-request-not-granted``, ``other-right``, ``not-of-this-request``,
    ``no-corrected-value``."""
    request = _granted(state, ctx, "correct")
    if subject not in request.subjects:
        raise NotOfThisRequest()
    if not fields:
        raise NoCorrectedValue()
    return ParticularsCorrected(subject, tuple(sorted(fields))), RightsRequestDone()


def finish(
    state: RightsRequest | None, ctx: CommandContext, kept: Mapping[UUID, VaultSubject | None]
) -> tuple[dict[UUID, ParticularsRestricted], RightsRequestDone]:
    """End a request to restrict or to erase; the facts of the subjects' own streams come with it. ``kept``: the
    subjects as their streams have them. Refuses ``wrong-role``, ``no-such-rights-request``,
    ``rights-request-not-granted``, ``other-right``, ``not-erased-yet``."""
    require_power(ctx, POWER)
    right = _existing(state).right
    if right == "restrict":
        request = _granted(state, ctx, "restrict")
        restricted = {each: kept.get(each) for each in request.subjects}
        return {
            each: ParticularsRestricted(each)
            for each, known in restricted.items()
            if known is None or not (known.is_restricted or known.is_erased)
        }, RightsRequestDone()
    request = _granted(state, ctx, "erase")
    if not all(known is not None and known.is_erased for known in map(kept.get, request.subjects)):
        raise NotErasedYet()
    return {}, RightsRequestDone()


def lift(state: VaultSubject | None, ctx: CommandContext, *, subject: UUID) -> tuple[RestrictionLifted, ...]:
    """End a restriction, as the person wants it; nothing where there is none. Refuses ``wrong-role``."""
    require_power(ctx, POWER)
    return (RestrictionLifted(subject),) if state is not None and state.is_restricted else ()


def _existing(state: RightsRequest | None) -> RightsRequest:
    if state is None:
        raise NoSuchRightsRequest()
    return state


def _undecided(state: RightsRequest | None, ctx: CommandContext) -> RightsRequest:
    require_power(ctx, POWER)
    request = _existing(state)
    if request.state != "received":
        raise RightsRequestDecided(request.state)
    return request


def _granted(state: RightsRequest | None, ctx: CommandContext, right: Right) -> RightsRequest:
    require_power(ctx, POWER)
    request = _existing(state)
    if request.right != right:
        raise OtherRight(request.right, right)
    if request.state != "granted":
        raise RightsRequestNotGranted(request.state)
    return request

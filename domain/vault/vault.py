"""Who was shown what of a person, and whose particulars were erased. A stream for each subject, under its id.

Source: our decisions, after the law on personal information (《个人信息保护法》): what the work needs, as long as it
needs it, on record; erased for good, by two persons. No particulars are in these events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args
from uuid import UUID

from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseId
from domain.kernel.fields import SecondPerson as OtherPerson
from domain.repairs.checks import require_other_person
from domain.standard.context import CommandContext, require_power
from domain.vault.refusals import NoSuchSubject, SubjectErasedAlready, SubjectRestricted

Reason = Literal["on-site", "call-back", "papers", "complaint"]
"""What particulars may be needed for: to come to the place, to tell whoever asked, to see to papers, a complaint."""
REASONS: tuple[str, ...] = get_args(Reason)
ErasureReason = Literal["asked-for", "time-is-up", "taken-by-mistake"]
ERASURE_REASONS: tuple[str, ...] = get_args(ErasureReason)

SubjectId = Annotated[UUID, "Id of the person's entry in the vault."]


@fact("查看个人信息", "particulars unmasked", topic="office")
class ParticularsUnmasked:
    """Somebody was shown particulars of the subject in plain, for their work on that case."""

    case_id: CaseId
    subject_id: SubjectId
    reason: Annotated[str, "What for, as a code: on-site, call-back, papers or complaint."]


@fact("删除个人信息", "subject erased", topic="office")
class SubjectErased:
    """The subject's particulars are gone for good; what happened stays on record, without them."""

    subject_id: SubjectId
    reason: Annotated[str, "Why, as a code: asked-for, time-is-up or taken-by-mistake."]
    confirmed_by: OtherPerson = None


@fact("更正个人信息", "particulars corrected", topic="office")
class ParticularsCorrected:
    """What was kept of the subject was replaced; neither the old values nor the new ones are on record."""

    subject_id: SubjectId
    fields: Annotated[tuple[str, ...], "Names of the fields that were replaced: name, phone, address."]


@fact("限制使用个人信息", "particulars restricted", topic="office")
class ParticularsRestricted:
    """The subject's particulars are kept, and shown in plain to nobody but whoever is on the way to a place."""

    subject_id: SubjectId


@fact("解除限制", "restriction lifted", topic="office")
class RestrictionLifted:
    """The subject's particulars are shown again to whoever needs them."""

    subject_id: SubjectId


@dataclass(frozen=True, slots=True)
class VaultSubject:
    """A subject as its stream has it: how often it was shown in plain, whether it was erased, and whether its use is
    restricted."""

    unmasked: int = 0
    is_erased: bool = False
    is_restricted: bool = False


def evolve(state: VaultSubject | None, recorded: Recorded) -> VaultSubject | None:
    """The subject after a fact."""
    known = state or VaultSubject()
    match recorded.fact:
        case ParticularsUnmasked():
            return replace(known, unmasked=known.unmasked + 1)
        case SubjectErased():
            return replace(known, is_erased=True)
        case ParticularsRestricted():
            return replace(known, is_restricted=True)
        case RestrictionLifted():
            return replace(known, is_restricted=False)
        case ParticularsCorrected():
            return known
        case _:
            return state


STILL_SHOWN = frozenset({"crew", "crew-lead", "squad"})
"""The roles that a restricted subject is still shown to, on site: a leak is not repaired without its place, and water
does not come on without whoever opens the door."""


def is_withheld(state: VaultSubject | None, role: str, reason: Reason) -> bool:
    """Whether a restriction keeps the subject from somebody in that role for that reason."""
    return state is not None and state.is_restricted and not (role in STILL_SHOWN and reason == "on-site")


def unmask(
    state: VaultSubject | None, ctx: CommandContext, *, case_id: UUID, subject: UUID, reason: Reason
) -> ParticularsUnmasked:
    """Show somebody what their work needs; ``domain.particulars`` says what that is. Refuses ``wrong-role`` and
    ``subject-restricted``."""
    require_power(ctx, "vault.unmask")
    if is_withheld(state, ctx.by.role, reason):
        raise SubjectRestricted()
    return ParticularsUnmasked(case_id, subject, reason)


def erase(
    state: VaultSubject | None, ctx: CommandContext, *, subject: UUID, is_known: bool, reason: ErasureReason
) -> SubjectErased:
    """Erase a subject for good; ``is_known``: whether the vault has it.

    Refuses ``wrong-role``, ``no-such-subject``, ``subject-erased``, ``second-person-needed``.
    """
    require_power(ctx, "vault.erase")
    if not is_known:
        raise NoSuchSubject()
    if state is not None and state.is_erased:
        raise SubjectErasedAlready()
    require_other_person(ctx, ctx.confirmed_by, "the erasure", "confirmed_by")
    return SubjectErased(subject, reason, ctx.confirmed_by)

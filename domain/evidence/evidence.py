"""Files behind the digests of the log: that one is kept, and that it is gone. A stream for each file, by its digest.

Source: our decisions. Nothing of a file but its digest, class, size and media type is in these events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import Digest
from domain.standard.context import CommandContext, require_power

PROGRAM = "system"
"""The role in which the program acts by itself."""
PurgeReason = Literal["time-is-up", "erased", "infected"]
EvidenceClassCode = Annotated[str, "Class of the file: photo, document, drawing, slip, contract or recording."]
SizeBytes = Annotated[int, "Size of the file in bytes."]
MediaType = Annotated[str, "Media type of the file, by its content."]
CaseOfEvidence = Annotated[UUID | None, "Id of the case that it was handed in for; null: for none."]


@fact("凭证入库", "evidence kept", topic="office")
class EvidenceKept:
    """The file with that digest is kept, checked, for that case. Said once for each case."""

    digest: Digest
    evidence_class: EvidenceClassCode
    size_bytes: SizeBytes
    media_type: MediaType
    case_id: CaseOfEvidence


@fact("凭证销毁", "evidence purged", topic="office")
class EvidencePurged:
    """The file with that digest is gone for good: its key was destroyed, then the file. Said once for each case that it
    was kept for."""

    digest: Digest
    evidence_class: EvidenceClassCode
    size_bytes: SizeBytes
    media_type: MediaType
    case_id: CaseOfEvidence
    reason: Annotated[str, "Why, as a code: time-is-up, erased or infected."]


@dataclass(frozen=True, slots=True)
class EvidenceState:
    """A file as its stream has it. ``cases``: those that it is kept for; ``gone``: those for which it is gone (None: no
    case)."""

    cases: frozenset[UUID | None] = frozenset()
    gone: frozenset[UUID | None] = frozenset()


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """What events say of a file."""

    digest: str
    evidence_class: str
    size_bytes: int
    media_type: str
    case_id: UUID | None


def evolve(state: EvidenceState | None, recorded: Recorded) -> EvidenceState | None:
    """The file after a fact."""
    known = state or EvidenceState()
    match recorded.fact:
        case EvidenceKept(case_id=case_id):
            return EvidenceState(known.cases | {case_id}, known.gone - {case_id})
        case EvidencePurged(case_id=case_id):
            return EvidenceState(known.cases - {case_id}, known.gone | {case_id})
        case _:
            return state


def keep(state: EvidenceState | None, ctx: CommandContext, file: EvidenceFile) -> tuple[EvidenceKept, ...]:
    """Say that a file is kept; nothing where that was said for the case. Refuses ``wrong-role``; not to the program,
    which says what was kept before it was stopped."""
    if ctx.by.role != PROGRAM:
        require_power(ctx, "evidence.keep")
    if state is not None and file.case_id in state.cases:
        return ()
    return (EvidenceKept(file.digest, file.evidence_class, file.size_bytes, file.media_type, file.case_id),)


def purge(state: EvidenceState | None, file: EvidenceFile, reason: PurgeReason) -> tuple[EvidencePurged, ...]:
    """What the program says of a file that is gone, for each case; nothing where that was said. One that was infected
    was never said to be kept."""
    known = state or EvidenceState()
    if file.case_id in known.gone or (reason != "infected" and file.case_id not in known.cases):
        return ()
    return (EvidencePurged(file.digest, file.evidence_class, file.size_bytes, file.media_type, file.case_id, reason),)

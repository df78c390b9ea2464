"""Applicants across applications (信用): one small stream for each, so that a broken commitment bars the next one.

The stream's id is a keyed pseudonym, made outside of the domain; nothing in it tells who it is. It says only which
cases hold a commitment of theirs; whether one bars is read in those cases, so a repair lifts the bar at once and an
expiry needs no event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.connections.case import Connection
from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseId


@fact("登记承诺", "papers pledge entered", topic="office")
class CommitmentEntered:
    """The applicant committed to supply papers later, in that case."""

    case_id: CaseId


@dataclass(frozen=True, slots=True)
class Applicant:
    """The cases that hold a commitment of the applicant's, in order."""

    cases: tuple[UUID, ...] = ()


def evolve(state: Applicant | None, recorded: Recorded) -> Applicant:
    """The applicant after a fact of their stream."""
    known = state or Applicant()
    match recorded.fact:
        case CommitmentEntered(case_id) if case_id not in known.cases:
            return Applicant((*known.cases, case_id))
        case _:
            return known


def is_barred(cases: Iterable[Connection | None], at: datetime) -> bool:
    """Whether a commitment in one of these cases bars its applicant at ``at``: broken, not repaired, not expired."""
    return any(case is not None and case.commitment is not None and case.commitment.bars(at) for case in cases)


def enter_commitment(state: Applicant | None, *, case_id: UUID) -> tuple[CommitmentEntered, ...]:
    """Note that the case holds a commitment; nothing where it is noted."""
    return () if state is not None and case_id in state.cases else (CommitmentEntered(case_id),)

"""Consultations 咨询: what people ask before they apply. Recorded so that nobody has to ask twice, and counted.

Source: technical consultation before applying can be had and is recorded, published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.connections.refusals import UnknownTopic
from domain.connections.requirements import as_told
from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseNumber, Flags, SecondPerson
from domain.kernel.refusals import CaseExists
from domain.kernel.subjects import Subject
from domain.repairs.checks import require_told_in_time
from domain.standard.context import CommandContext, require_power
from domain.standard.values import require_known


@fact("技术咨询", "consultation", topic="connection")
class ConsultationGiven:
    """Somebody asked about ``topic`` and was answered. ``subject`` None: they did not say who they are."""

    number: CaseNumber
    topic: Annotated[str, "What the consultation was about, as a code of the standard."]
    subject: Annotated[
        Subject | None, "Reference to the person in the vault; null where whoever asked did not say who they are."
    ] = None
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@dataclass(frozen=True, slots=True)
class Consultation:
    """A consultation as it was given."""

    number: str
    topic: str


def evolve(state: Consultation | None, recorded: Recorded) -> Consultation | None:
    """The consultation after a fact."""
    match recorded.fact:
        case ConsultationGiven(number=number, topic=topic):
            return Consultation(number, topic)
        case _:
            return state


def give(
    state: Consultation | None, ctx: CommandContext, *, number: str, topic: str, subject: Subject | None
) -> ConsultationGiven:
    """Record a consultation. Refuses ``wrong-role``, ``case-exists``, ``unknown-topic`` and what
    ``require_told_in_time`` does."""
    require_power(ctx, "consultation.record")
    if state is not None:
        raise CaseExists(
            found=f"consultation {state.number}",
            needed="a new consultation",
            next_step="nothing is to be done",
            next_step_zh="该咨询已登记，无需操作",
        )
    require_told_in_time(ctx)
    require_known(UnknownTopic, topic, ctx.standard.connection.consultation_topics)
    return as_told(ctx, ConsultationGiven(number, topic, subject))

"""How satisfied somebody is with what was done for them: the fact, and how a case keeps it.

Source: our decision. It stands in the stream of the case and changes no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, get_args

from domain.kernel.facts import fact

Score = Literal[1, 2, 3, 4, 5]
SatisfactionReason = Literal["speed", "work", "conduct", "charge", "information", "other"]
"""What the score is given for: how fast it was, how well the work was done, how people behaved, what it cost, how well
the person was kept informed, something else."""
REASONS: tuple[str, ...] = get_args(SatisfactionReason)
APPLICATION = 0
"""Stands for the number of a report where an application is meant."""


@fact("用户评价", "satisfaction given", topic=("repair", "connection"))
class SatisfactionGiven:
    """The person whose case it is says how satisfied they are. A later one of the same person replaces it."""

    report: Annotated[int, "Number of the person's report in the incident; 0: an application."]
    score: Annotated[int, "From 1, not at all, to 5, fully."]
    reasons: Annotated[tuple[str, ...], "What for, as codes: speed, work, conduct, charge, information, other."]


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """What a person said last, and when they said something first."""

    first_at: datetime
    score: int
    reasons: tuple[str, ...]


Given = Mapping[int, Satisfaction]
"""Number of the report (0: an application) → what its person said last."""


def given(known: Given, said: SatisfactionGiven, at: datetime) -> Given:
    """The same after a further fact."""
    before = known.get(said.report)
    first_at = before.first_at if before is not None else at
    return {**known, said.report: Satisfaction(first_at, said.score, tuple(said.reasons))}

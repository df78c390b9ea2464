"""The generations of the store: that published events were given up is itself on record.

A store restored from a backup stands behind what was published. Where the missing events do not come back, a new
generation begins above every published position, and says so: everybody who reads a topic may have acted on what was
given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from domain.kernel.facts import Recorded, fact


@fact("存储新世代开始", "generation of the store started", topic="public")
class GenerationStarted:
    """The store goes on as ``generation``, without some events that were published.

    ``given_up`` events with positions above ``forked_behind`` and up to ``begins_behind`` are not the store's any more;
    the operator keeps their list, whose digest is ``list_sha256``. The topics are made anew and hold the store's own
    events. Who has read beyond ``forked_behind`` takes back what is on the list and reads again from there.
    """

    generation: Annotated[UUID, "Id of the new generation of the store."]
    forked_behind: Annotated[int, "Last position that both generations share."]
    begins_behind: Annotated[
        int, "Last position of what was given up: the new generation's own events have later ones."
    ]
    given_up: Annotated[int, "How many published events are not the store's any more."]
    list_sha256: Annotated[str, "SHA-256 of the operator's list of what was given up."]


@dataclass(frozen=True, slots=True)
class Generations:
    """Every generation after the first, in order."""

    started: tuple[GenerationStarted, ...] = ()


def evolve(state: Generations | None, recorded: Recorded) -> Generations:
    """The generations after a fact of their stream."""
    known = state or Generations()
    match recorded.fact:
        case GenerationStarted() as started:
            return Generations((*known.started, started))
        case _:
            return known

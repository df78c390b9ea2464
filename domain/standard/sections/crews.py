"""What a standard says of repair crews, and of the squads that visit applicants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated


@dataclass(frozen=True, slots=True)
class CrewsSection:
    """Of crews and squads. A squad has a roster and days of its own, as a crew has; what it may come for is the
    connection's."""

    squads: Annotated[Mapping[str, str], "Code → Chinese name of the squads."] = field(default_factory=dict)
    crew_skills: Annotated[Mapping[str, str], "Code → what a crew can do."] = field(default_factory=dict)
    decline_reasons: Annotated[Mapping[str, str], "Code → why a crew may say no."] = field(default_factory=dict)

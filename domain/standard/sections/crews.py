"""What a standard says of repair crews, and of the squads that visit applicants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from domain.standard.values import Codes, require_fields


@dataclass(frozen=True, slots=True)
class CrewsSection:
    """Of crews and squads. A squad has a roster and days of its own, as a crew has; what it may come for is the
    connection's."""

    squads: Annotated[Mapping[str, str], "Code → Chinese name of the squads.", Codes(required=True)] = field(
        default_factory=dict
    )
    crew_skills: Annotated[Mapping[str, str], "Code → what a crew can do.", Codes()] = field(default_factory=dict)
    decline_reasons: Annotated[Mapping[str, str], "Code → why a crew may say no.", Codes()] = field(
        default_factory=dict
    )

    def require_sound(self) -> None:
        """Refuse what ``require_fields`` refuses."""
        require_fields(self, CrewsSection)

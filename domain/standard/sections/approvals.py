"""What a standard says of approval requests: how long a second person has for their answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.standard.values import Between, require_fields


@dataclass(frozen=True, slots=True)
class ApprovalsSection:
    """Of approval requests."""

    # Our decision: over a night and a day off, and short enough that the case is still as the asker saw it.
    approval_hours: Annotated[
        int, "Hours in which a second person can answer an approval request.", Between(1, 24 * 30)
    ] = 48

    def require_sound(self) -> None:
        """Refuse what ``require_fields`` refuses."""
        require_fields(self, ApprovalsSection)

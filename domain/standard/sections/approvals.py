"""What a standard says of approval requests: how long a second person has for their answer, and how they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from domain.kernel.messages import STAFF_WAYS
from domain.kernel.refusals import UnknownWay
from domain.standard.values import MOST_MINUTES, Between, Codes, require_fields, require_known, require_texts

APPROVAL_OCCASIONS = ("asked", "expiring")
"""What a standard may have a text to a second person for."""
APPROVAL_WORDS = ("whom", "until", "link")
"""What such a text may name in braces."""


@dataclass(frozen=True, slots=True)
class ApprovalsSection:
    """Of approval requests."""

    # Our decision: over a night and a day off, and short enough that the case is still as the asker saw it.
    approval_hours: Annotated[
        int, "Hours in which a second person can answer an approval request.", Between(1, 24 * 30)
    ] = 48
    approval_reminder_minutes: Annotated[
        int,
        "Minutes before the end of that time at which whoever is asked is told once more; 0: they are not.",
        Between(0, MOST_MINUTES),
    ] = 0
    approval_ways: Annotated[
        tuple[str, ...], "By which ways whoever is asked is told, beside the count on the pages.", Codes()
    ] = ()
    approval_texts: Annotated[
        Mapping[str, str],
        "Asked or expiring → the text to whoever is asked; words in braces are filled in.",
        Codes(),
    ] = field(default_factory=dict)

    def require_sound(self) -> None:
        """Refuse ``unknown-way`` and what ``require_fields`` and ``require_texts`` refuse."""
        require_fields(self, ApprovalsSection)
        for way in self.approval_ways:
            require_known(UnknownWay, way, STAFF_WAYS)
        require_texts(self.approval_texts, APPROVAL_OCCASIONS, APPROVAL_WORDS)

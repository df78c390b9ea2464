"""What an account is bound to: who belongs to a crew speaks for that crew alone.

Source: our decision. Only accounts that are bound to a crew are held to it; a crew lead over several crews is bound to
none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.people.people import Work
from domain.people.refusals import NotYourCrew

CREW_ROLES = frozenset({"crew", "crew-lead"})
_NAMES_A_CREW = ("crew", "from_crew")


def require_own_crew(work: Work, role: str, on_case: str | None, facts: Iterable[Any]) -> None:
    """Refuse ``not-your-crew`` where somebody of one crew speaks for another.

    A fact that names a crew must name their own. One that names none is about the case: their crew must be on it
    (``on_case``: the crew that is; None: none is). A report may be made by anybody.
    """
    if work.crew is None or role not in CREW_ROLES:
        return
    for fact in facts:
        named = [getattr(fact, name) for name in _NAMES_A_CREW if hasattr(fact, name)]
        if not named and hasattr(fact, "subject"):
            continue
        for crew in named or [on_case]:
            if crew is None or crew.lower() != work.crew.lower():
                raise NotYourCrew(crew, work.crew)

"""Whether a case is somebody's: what an account is bound to, held against where the case belongs.

Source: our decision. Only accounts that are bound are held to it; a crew lead over several crews is bound to none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.people.people import Work
from domain.people.refusals import NotYourCrew, NotYours
from domain.standard.scopes import CREW_ROLES, SCOPES, SQUAD_ROLES, holds

_NAMES_A_CREW = ("crew", "from_crew")
_NAMES_DISTRICTS = ("district", "districts")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case belongs. ``crews``: those that are on it; ``crews_before``: every one that it ever named.
    ``squads``: those that visit it, or did. ``districts`` empty: it names none."""

    crews: frozenset[str] = frozenset()
    crews_before: frozenset[str] = frozenset()
    squads: frozenset[str] = frozenset()
    districts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """How far a power reaches for somebody. None, and no districts: not narrowed by it. ``cases``: ids of their own."""

    crew: str | None = None
    squad: str | None = None
    districts: tuple[str, ...] = ()
    cases: frozenset[UUID] | None = None

    @property
    def is_all(self) -> bool:
        """Whether it reaches every case."""
        return self == ALL

    def reaches(self, place: Place | None, case_id: UUID, *, acts: bool = False) -> bool:
        """Whether the case is within it. ``place`` None: there is no such case. ``acts``: somebody acts on it, rather
        than reads it; a crew may tell late what it did before it handed the case over."""
        if self.is_all:
            return True
        if place is None:
            return False
        crews = place.crews | place.crews_before if acts else place.crews
        return (
            (self.cases is None or case_id in self.cases)
            and (self.crew is None or self.crew.lower() in {crew.lower() for crew in crews})
            and (self.squad is None or self.squad in place.squads)
            and self.reaches_districts(place.districts)
        )

    def reaches_crew(self, crew: str) -> bool:
        """Whether the crew itself is within it."""
        return self.crew is None or self.crew.lower() == crew.lower()

    def reaches_districts(self, districts: Iterable[str]) -> bool:
        """Whether one of the districts is within it; none named: it lies in each."""
        named = set(districts)
        return not named or not self.districts or not named.isdisjoint(self.districts)

    def __str__(self) -> str:
        own = (
            f"the crew {self.crew}" if self.crew is not None else "",
            f"the squad {self.squad}" if self.squad is not None else "",
            f"the districts {', '.join(self.districts)}" if self.districts else "",
            "your own cases" if self.cases is not None else "",
        )
        return " and ".join(each for each in own if each) or "every case"


ALL = Scope()


def scope_of(power: str | None, role: str, work: Work | None, cases: frozenset[UUID] | None = None) -> Scope:
    """How far the power reaches for somebody in that role. ``power`` None: what everybody may do. ``work`` None:
    nothing is known of what they are bound to, so they are bound to nothing. ``cases``: those that name them; None:
    they are no citizen."""
    bounds = {bound for bound in SCOPES.get(power or "", ()) if holds(bound, role)}
    own = work or Work((role,))
    return Scope(
        crew=own.crew if "own-crew" in bounds else None,
        squad=own.squad if "own-squad" in bounds else None,
        districts=own.districts if "own-district" in bounds else (),
        cases=cases if "own-case" in bounds else None,
    )


def require_own_facts(work: Work, role: str, power: str | None, on_case: str | None, facts: Iterable[Any]) -> None:
    """Refuse ``not-your-crew`` where somebody of one crew speaks for another, and ``not-yours`` where they speak of a
    squad or a district that is not theirs.

    A fact that names a crew must name their own. One that names none is about the case: their crew must be on it
    (``on_case``: the crew that is; None: none is). A report may be made by anybody.
    """
    scope = scope_of(power, role, work)
    for fact in facts:
        is_report = hasattr(fact, "subject")
        if work.crew is not None and role in CREW_ROLES:
            named = _named(fact, _NAMES_A_CREW)
            for crew in named or ([] if is_report else [on_case]):
                if crew is None or crew.lower() != work.crew.lower():
                    raise NotYourCrew(crew, work.crew)
        if work.squad is not None and role in SQUAD_ROLES and getattr(fact, "squad", work.squad) != work.squad:
            raise NotYours(f"the squad {fact.squad}", f"the squad {work.squad}")
        if not is_report and (foreign := sorted(set(_districts(fact)) - set(scope.districts or _districts(fact)))):
            raise NotYours(f"the districts {', '.join(foreign)}", str(scope))


def _named(fact: Any, names: Iterable[str]) -> list[Any]:
    return [getattr(fact, name) for name in names if hasattr(fact, name)]


def _districts(fact: Any) -> list[str]:
    found: list[str] = []
    for named in _named(fact, _NAMES_DISTRICTS):
        found += [named] if isinstance(named, str) else list(named or ())
    return found

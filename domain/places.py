"""Where a case belongs, by its facts: the crews on it, the squads that visit it, the districts that it lies in."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from domain.connections.case import Connection
from domain.kernel.facts import Recorded
from domain.kinds import State
from domain.outages.case import Outage
from domain.people.scope import Place
from domain.repairs.case import Repair
from domain.repairs.orders import OutsideOrder

_NAMES_A_CREW = ("crew", "from_crew", "to_crew")


def place_of(state: State, history: Iterable[Recorded] = ()) -> Place:
    """Where the case belongs, by its state and its facts. What an outside order is about tells ``incident_of``."""
    match state:
        case Repair():
            named = {getattr(recorded.fact, name, None) for recorded in history for name in _NAMES_A_CREW}
            return Place(
                crews=frozenset({state.crew} if state.crew is not None else ()),
                crews_before=frozenset(crew for crew in named if isinstance(crew, str)),
                districts=frozenset({state.district}),
            )
        case Connection():
            return Place(
                squads=frozenset(visit.squad for visit in state.visits.values() if not visit.cancelled),
                districts=frozenset({state.district} if state.district is not None else ()),
            )
        case Outage():
            return Place(districts=frozenset(state.districts))
        case _:
            return Place()


def incident_of(state: State) -> UUID | None:
    """The incident in whose place an outside order stands; None of every other case."""
    return state.case_id if isinstance(state, OutsideOrder) else None

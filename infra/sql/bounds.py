"""The parameters with which a query of a list leaves out what is not in scope (``views.within``)."""

from __future__ import annotations

from typing import Any

from domain.people.scope import ALL, Scope


def bounds_of(scope: Scope = ALL) -> dict[str, Any]:
    """Of every query that asks ``views.within``; nothing is left out by ``ALL``."""
    return {
        "bound": not scope.is_all,
        "own_crew": scope.crew,
        "own_squad": scope.squad,
        "own_districts": list(scope.districts) or None,
    }

"""The one table of permissions: each route with its power, the roles that have it, and the bounds that narrow it.

The reference page of permissions is written from it, and a test tries each of its cells against the application.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.http.powers import NONE, POWER
from domain.standard.powers import roles_with
from domain.standard.scopes import SCOPES, Bound, holds
from domain.standard.standards import Standard


@dataclass(frozen=True, slots=True)
class Permission:
    """A row of the table. ``power`` None: whoever asks. ``roles`` by the standard. ``bounds``: what narrows an account
    that is bound; empty: it reaches all."""

    method: str
    path: str
    power: str | None
    roles: tuple[str, ...] = ()
    bounds: tuple[Bound, ...] = ()

    def bounds_of(self, role: str) -> tuple[Bound, ...]:
        """What narrows an account of that role."""
        return tuple(bound for bound in self.bounds if holds(bound, role))


def permissions(document: Mapping[str, Any], standard: Standard) -> tuple[Permission, ...]:
    """A row for each route of the OpenAPI document. Raises LookupError for a route that does not say what it needs, and
    for a power that has no scope."""
    rows = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            if POWER not in operation:
                raise LookupError(f"{name} does not say which power it needs: openapi_extra=needs(…)")
            power = operation[POWER] if operation[POWER] != NONE else None
            if power is not None and power not in SCOPES:
                raise LookupError(f"the power {power} of {name} has no scope: enter it in domain/standard/scopes.py")
            roles = roles_with(standard, power) if power is not None else ()
            rows.append(Permission(method.upper(), path, power, tuple(roles), SCOPES.get(power or "", ())))
    return tuple(rows)

"""A command that a second person approved, on its way through the application: who asked for it, and who stands behind
it. It travels in the request's scope, where no client can put anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.standard.context import Person
from infra.eventstore.commands import IdempotencyKey
from infra.eventstore.service import Service

if TYPE_CHECKING:
    from api.http.identity import Identity

PLACE = "tongshui.carried"


@dataclass(frozen=True, slots=True)
class Carried:
    """Who asked for the command (``identity``), the second person as their own session proves them, the key under which
    it is carried out once, and the service that its events go to."""

    identity: Identity
    second: Person
    key: IdempotencyKey
    service: Service


def carried_in(scope: Mapping[str, Any]) -> Carried | None:
    """What a request carries; None: it is an ordinary one."""
    carried: Carried | None = scope.get(PLACE)
    return carried

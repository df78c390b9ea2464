"""Which actors there are, by their events."""

from __future__ import annotations

from domain import kinds
from domain.people.people import PersonJoined
from infra.eventstore.service import Service
from infra.sql import sql


def actors(service: Service) -> list[str]:
    """The ids of all actors that ever joined, in their order."""
    joined = kinds.REGISTRY.names[kinds.PERSON.topic, PersonJoined]
    with service.connection() as connection:
        return [row["actor"] for row in connection.execute(sql("identity_actors"), {"topic": joined})]

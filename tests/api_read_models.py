"""Read models filled without Kafka: the projections' own folds over events from the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from infra.eventstore.service import Service
from infra.readers.record import Event
from infra.settings import Settings
from projections.read_models.breaches import CHANGES
from projections.read_models.views import VIEWS


def project(service: Service, events: Sequence[dict[str, Any]]) -> None:
    """Fold stored events into the read models, as the Faust processors would from Kafka."""
    partitions = service.settings.partitions
    records = [as_event(event, service.settings, breach=False) for event in events]
    records += [
        as_event(event, service.settings, breach=True) for event in events if event["type"].split(".")[2] in CHANGES
    ]
    assert all(event.partition < partitions for event in records)
    with service.connection() as connection, connection.transaction(), connection.cursor() as cursor:
        for model in VIEWS:
            topics = {service.settings.home_topic(name) for name in model.topics}
            assert model.step(cursor, [event for event in records if event.topic in topics], {}) == []


def as_event(event: dict[str, Any], settings: Settings, *, breach: bool) -> Event:
    """A stored event as a reader sees it."""
    kind = event["type"].split(".")[1]
    return Event(
        position=event["position"],
        previous=0,
        id=UUID(event["id"]),
        type=event["type"],
        case_id=UUID(event["subject"]),
        version=event["caseversion"],
        happened_at=datetime.fromisoformat(event["time"]),
        reported_at=None,
        recorded_at=datetime.fromisoformat(event["recordedat"]),
        actor=event["actor"],
        role=event["role"],
        channel=event["channel"],
        command_id=event["commandid"],
        correlation_id=event["correlationid"],
        causation_id=None,
        data=event["data"],
        raw=b"",
        topic=settings.breach_topic if breach else settings.home_topic(kind),
        partition=UUID(event["subject"]).int % settings.partitions,
        offset=0,
    )

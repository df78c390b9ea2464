"""Is it well: /healthz for machines and for the page, /metrics for Prometheus."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api.http.answers import documented
from api.http.dependencies import ServiceDep
from api.http.powers import needs
from api.http.refusals import StoreCannotWrite
from api.http.strict import StrictRoute
from infra.eventstore.service import Service
from infra.meter_verifications import meter_verifications
from infra.status import Process, Reader, RelayStatus, Status, calendar_status, collect

router = APIRouter(tags=["health 运行状态"], route_class=StrictRoute)


class ProcessHealth(BaseModel):
    """The processes of one name: how many beat, and the youngest beat's age. One that was restarted counts once."""

    name: Annotated[str, Field(description="Name of the processes.")]
    alive: Annotated[int, Field(description="How many of them beat.")]
    up: Annotated[bool, Field(description="Whether at least one of them beats.")]
    beat_age_s: Annotated[float, Field(description="Real seconds since the youngest beat.")]


class ReaderHealth(BaseModel):
    """A reader over all its partitions; ``lag`` is the largest distance to what is acknowledged on Kafka."""

    name: Annotated[str, Field(description="Name of the reader.")]
    lag: Annotated[
        int, Field(description="The largest distance, over its partitions, to what is acknowledged on Kafka.")
    ]


class RelayHealth(BaseModel):
    """The relay: ``lag`` events are in the store and not known to be on Kafka."""

    all_out: Annotated[int, Field(description="Position in the store's log up to which every event is on Kafka.")]
    lag: Annotated[int, Field(description="How many events are in the store and not known to be on Kafka.")]
    tails_lost: Annotated[int, Field(description="How often Kafka had lost events that it had acknowledged.")]
    refills: Annotated[int, Field(description="How often the topics were filled anew from the store.")]
    last_error: Annotated[
        str | None, Field(description="The relay's last error, its first line; null where there was none.")
    ]


class Health(BaseModel):
    """The store takes commands, and so far everything else has come."""

    status: Annotated[str, Field(description="Always ok: whoever cannot take a command answers 503.")]
    service_time: Annotated[datetime, Field(description="The service's clock.")]
    clock_factor: Annotated[float, Field(description="Seconds of service time in one real second; 1 but in the demo.")]
    head_position: Annotated[int, Field(description="Position of the newest event in the store's log.")]
    recorded_at: Annotated[
        datetime | None, Field(description="When the newest event was recorded; null where there is none.")
    ]
    relay: Annotated[
        RelayHealth | None, Field(description="The relay from the store to Kafka; null where none has run yet.")
    ]
    readers: Annotated[list[ReaderHealth], Field(description="The readers of the topics.")]
    parts: Annotated[list[ProcessHealth], Field(description="The processes of the service, by name.")]


@router.get(
    "/healthz",
    summary="Health",
    responses=documented(_503="store-unavailable, store-cannot-write"),
    openapi_extra=needs(None),
)
def healthz(service: ServiceDep, response: Response) -> Health:
    """200: this API can take a command now. 503, with the reason and the next step: it cannot; PostgreSQL is away, or
    answers and writes nothing (a full disk, a read-only server). By itself it says 200 again once that is over.

    This asks for readiness: send nobody here while it says 503. It does not ask for life: an answer of any kind shows
    that the process lives, and to start it again mends nothing. How the other parts stand is told, and does not make
    it 503."""
    response.headers["Cache-Control"] = "no-store"
    found = status_of(service, figures=False)
    if found.cannot_write is not None:
        raise StoreCannotWrite(found.cannot_write)
    return health(found, service.clock.now())


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response, openapi_extra=needs(None))
def metrics(request: Request) -> Response:
    return Response(generate_latest(request.app.state.figures.registry), media_type=CONTENT_TYPE_LATEST)


def status_of(service: Service, *, figures: bool = True) -> Status:
    """The status by the service's own database."""
    with service.connection() as connection:
        found = collect(connection, service.settings, figures=figures)
        now = service.clock.now()
        meters = meter_verifications(connection, service.rules, now) if figures else None
    return replace(found, calendar=calendar_status(service.rules, now), meters=meters)


def health(status: Status, now: datetime) -> Health:
    """What is shown of a status."""
    return Health(
        status="ok",
        service_time=now,
        clock_factor=status.clock_factor,
        head_position=status.head.position,
        recorded_at=status.head.recorded_at,
        relay=_relay(status.relay) if status.relay is not None else None,
        readers=_by_name(status.readers),
        parts=_parts(status.processes),
    )


def _parts(processes: tuple[Process, ...]) -> list[ProcessHealth]:
    by_name: dict[str, list[Process]] = {}
    for process in processes:
        by_name.setdefault(process.name, []).append(process)
    return [
        ProcessHealth(
            name=name,
            alive=sum(process.up for process in same),
            up=any(process.up for process in same),
            beat_age_s=round(min(process.beat_age_s for process in same), 1),
        )
        for name, same in sorted(by_name.items())
    ]


def _relay(relay: RelayStatus) -> RelayHealth:
    return RelayHealth(
        all_out=relay.all_out,
        lag=relay.lag,
        tails_lost=relay.tails_lost,
        refills=relay.refills,
        last_error=relay.last_error and relay.last_error.splitlines()[0][:200],
    )


def _by_name(readers: tuple[Reader, ...]) -> list[ReaderHealth]:
    lags: dict[str, int] = {}
    for reader in readers:
        lags[reader.reader] = max(lags.get(reader.reader, 0), reader.lag)
    return [ReaderHealth(name=name, lag=lag) for name, lag in sorted(lags.items())]

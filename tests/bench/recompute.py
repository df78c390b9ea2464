"""A revised calendar over many open deadlines, beside the bare append of as many events of the same size."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from domain import kinds
from domain.connections.facts import ApplicationAdmitted, ApplicationReceived, DocumentSupplied, SupplyPoint
from domain.deadlines.calendar import Day
from domain.kernel.facts import EventToAppend, Fact, Recorded, event_id
from infra.clock import ManualClock
from infra.embedded import EmbeddedPostgres
from infra.eventstore import recompute
from infra.eventstore import shipped_rules as rules
from infra.eventstore.commands import Command, Stamp
from infra.eventstore.envelope import Envelope
from infra.eventstore.service import Service, open_service
from infra.postgres.migrate import migrate
from infra.settings import Settings
from tests.unit.cases import SUBJECT

CASES = int(os.environ.get("BENCH_CASES", "100000"))
AT = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
STAMP = Stamp("bench", "counter", "counter", "bench", "bench")
FACTS: tuple[Fact, ...] = (
    ApplicationReceived("BZ-1", "private", 1, SUBJECT, (SupplyPoint("grid-0101", {"residential": 100}, 3),)),
    DocumentSupplied("identity", "seen", None),
    DocumentSupplied("property-right", "seen", None),
    ApplicationAdmitted("papers"),
)


def case(service: Service, case_id: UUID) -> list[Envelope]:
    """The events of one admitted application with its open windows."""
    state, envelopes = None, []
    for version, fact in enumerate(FACTS, start=1):
        envelopes.append(Envelope(case_id, version, "connection", fact, AT, None, STAMP))
        recorded = Recorded(fact, event_id(case_id, version), version, AT, channel="counter")
        state = kinds.CONNECTION.evolve(state, recorded)
    for fact in kinds.conclusion(kinds.CONNECTION, state, service.rules, AT):
        envelopes.append(Envelope(case_id, len(envelopes) + 1, "connection", fact, AT, None, STAMP))
    return envelopes


def fill(service: Service, cases: int) -> int:
    """Open cases straight into the store, and into the read model of windows. Returns the number of events."""
    events, windows = 0, []
    batch: list[Envelope] = []
    for number in range(cases):
        envelopes = case(service, case_id := uuid4())
        batch += envelopes
        windows.append(_row(case_id))
        if len(batch) > 480 or number == cases - 1:
            service.store.save(*batch)
            events += len(batch)
            batch = []
        if len(windows) == 5_000 or number == cases - 1:
            _read(service, windows)
            windows = []
    return events


def _row(case_id: UUID) -> dict[str, object]:
    return {
        "case_id": str(case_id),
        "commitment": "connection.water_on",
        "family": "connection",
        "number": 1,
        "opened_at": AT.isoformat(),
        "due_at": AT.isoformat(),
        "tentative": False,
        "standard": "0225-5",
        "calendar": "CN@2026-1",
        "state": "running",
        "lapses": 0,
        "retracted": 0,
        "lapsed_ends": [],
        "position": 1,
    }


def _read(service: Service, windows: list[dict[str, object]]) -> None:
    with service.connection() as connection:
        connection.execute(
            "INSERT INTO views.windows SELECT * FROM jsonb_populate_recordset(NULL::views.windows, %s)",
            [Jsonb(windows)],
        )


def _caught_up(service: Service) -> None:
    """Say that the read model has read everything, as it has in an installation at rest."""
    with service.connection() as connection:
        connection.execute(
            "INSERT INTO views.places (reader, build, topic, partition, position)"
            " SELECT 'windows', 1, %s, n, (SELECT position FROM store.log_head) FROM generate_series(0, %s) n",
            [service.settings.home_topic("connection"), service.settings.partitions - 1],
        )


def publish(service: Service) -> None:
    """A revised calendar: Monday 21 September 2026 is off."""
    shipped = rules.shipped_calendar()
    moved = {day.date: day for day in (*shipped.days, Day(date(2026, 9, 21), True, "revised"))}
    document = replace(shipped, version="2026-2", days=tuple(moved[day] for day in sorted(moved)))
    stream = rules.calendar_stream("CN")
    said = [(stream, EventToAppend(document, service.clock.now()))]
    service.run(Command(stream, replace(STAMP, command_id=str(uuid4())), lambda snapshot: said))


def bare_append(service: Service, count: int) -> float:
    """Seconds to append as many events of the like, already decided, in full batches."""
    fact = kinds.conclusion(kinds.CONNECTION, _admitted(), service.rules, AT)[0]
    begun = time.perf_counter()
    for start in range(0, count, 500):
        service.store.save(
            *(Envelope(uuid4(), 1, "connection", fact, AT, None, STAMP) for _ in range(min(500, count - start)))
        )
    return time.perf_counter() - begun


def _admitted() -> object:
    state = None
    for version, fact in enumerate(FACTS, start=1):
        recorded = Recorded(fact, event_id(UUID(int=1), version), version, AT, channel="counter")
        state = kinds.CONNECTION.evolve(state, recorded)
    return state


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run came to; times in seconds."""

    events: int
    result: recompute.Recomputed
    moved: int
    lapsed: int
    bare_seconds: float


def measure(conninfo: str, home: Path, cases: int) -> Measured:
    """Fill an empty migrated database, publish a revised calendar, move everything."""
    clock = ManualClock(AT)
    service = open_service(Settings(data_dir=home, database_url=conninfo), clock=clock)
    try:
        events = fill(service, cases)
        _caught_up(service)
        clock.move(timedelta(hours=1))
        publish(service)
        result = recompute.run(service)
        assert result is not None, "nothing was recomputed"
        moved, lapsed = (_count(service, f"water.connection.Window{fact}.v1") for fact in ("Moved", "Lapsed"))
        return Measured(events, result, moved, lapsed, bare_append(service, cases))
    finally:
        service.close()


def _count(service: Service, type_name: str) -> int:
    with service.connection() as connection:
        row = connection.execute("SELECT count(*) AS n FROM store.stored_events WHERE topic = %s", [type_name])
        return int((row.fetchone() or {"n": 0})["n"])


def main() -> None:
    """Print how long it took, what moved, and what must not have happened."""
    home = Path(tempfile.mkdtemp(prefix="tsb-"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home / "postgres") as server:
            migrate(server.conninfo("postgres"))
            found = measure(server.conninfo("postgres"), home, CASES)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    seconds, rate = found.result.seconds, found.result.looked_at / found.result.seconds
    print(f"{CASES} open deadlines ({found.events} events) under a revised calendar")
    print(f"  looked at {found.result.looked_at}, moved {found.moved}, lapsed {found.lapsed}")
    print(f"  recomputed in          {seconds:8.1f} s   {rate:8.0f} cases/s")
    print(f"  bare append of as many {found.bare_seconds:8.1f} s   ratio {seconds / found.bare_seconds:.1f}")


if __name__ == "__main__":
    main()

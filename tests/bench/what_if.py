"""A year of real-sized cases under another standard: cases a second and memory, beside the bare reading of events.

``BENCH_TRIAL_CASES`` says how many: half of them applications up to water, half repairs up to the answer.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg

from domain import kinds
from domain.connections import facts as said
from domain.kernel.facts import Fact, Recorded, event_id
from domain.kinds import Kind
from domain.repairs.facts import (
    CaseClosed,
    CrewArrived,
    CrewDispatched,
    DispatchAcknowledged,
    FaultReported,
    RepairCompleted,
    ReporterAnswered,
    SeverityAssessed,
)
from domain.standard.standards import Rules
from infra.embedded import EmbeddedPostgres
from infra.eventstore.commands import Stamp
from infra.eventstore.envelope import Envelope, read
from infra.eventstore.service import open_service
from infra.eventstore.shipped_rules import shipped_trials
from infra.postgres.migrate import migrate
from infra.settings import Settings
from projections.reports.what_if import Period, trial
from tests.connection_history import DIGEST, LINES
from tests.unit.cases import SUBJECT, meter

CASES = int(os.environ.get("BENCH_TRIAL_CASES", "20000"))
YEAR = datetime(2025, 1, 2, 1, 0, tzinfo=UTC)
STAMP = Stamp("bench", "counter", "counter", "bench", "bench")
Step = tuple[Fact, timedelta]


def application(number: int) -> list[Step]:
    """An application: water on after two to nine days."""
    paid = said.PaymentReceived("P-1", tuple(said.MoneyLine(line.fee, line.amount_fen) for line in LINES))
    days = timedelta(days=2 + number % 8)
    return [
        (said.ApplicationReceived(f"BZ-{number}", "private", 1, SUBJECT), timedelta()),
        (said.DocumentSupplied("identity", "seen", None), timedelta()),
        (said.DocumentSupplied("property-right", "seen", None), timedelta()),
        (said.ApplicationAdmitted("papers"), timedelta()),
        (said.SurveyMade(True, ()), timedelta(hours=5)),
        (said.DesignApproved(DIGEST), timedelta(hours=20)),
        (said.QuoteIssued(1, "2021-1", "person", LINES), timedelta(hours=21)),
        (said.ContractSigned("HT-1", 1, DIGEST), timedelta(hours=22)),
        (paid, timedelta(hours=30)),
        (said.ConstructionStarted("crew-1"), timedelta(hours=31)),
        (said.ConstructionCompleted(), timedelta(hours=40)),
        (said.FinalInspectionMade(True, ()), timedelta(hours=41)),
        (said.WaterTurnedOn(1, SUBJECT, meter(f"M-{number}")), days),
    ]


def incident(number: int) -> list[Step]:
    """A repair: a crew there after 10 to 39 minutes."""
    minute = timedelta(minutes=1)
    return [
        (FaultReported(f"BX-{number}", "leak", "qianzhou", "urban", SUBJECT), timedelta()),
        (CrewDispatched("crew-1"), 3 * minute),
        (DispatchAcknowledged("crew-1"), 4 * minute),
        (CrewArrived("crew-1", None), (10 + number % 30) * minute),
        (SeverityAssessed("small", "valve"), 45 * minute),
        (RepairCompleted(), (100 + number % 300) * minute),
        (ReporterAnswered(1, "phone", None), 500 * minute),
        (CaseClosed(), 510 * minute),
    ]


def told(kind: Kind, steps: list[Step], begun: datetime, rules: Rules) -> list[Envelope]:
    """The events of a case with the verdicts on record."""
    case_id, state = uuid4(), None
    envelopes: list[Envelope] = []

    def take(fact: Fact, at: datetime) -> None:
        nonlocal state
        version = len(envelopes) + 1
        envelopes.append(Envelope(case_id, version, kind.topic, fact, at, None, STAMP))
        state = kind.evolve(state, Recorded(fact, event_id(case_id, version), version, at, channel="counter"))

    for fact, after in steps:
        take(fact, begun + after)
        for conclusion in kinds.conclusion(kind, state, rules, begun + after):
            take(conclusion, begun + after)
    return envelopes


def fill(settings: Settings) -> int:
    """A year's cases straight into the store. Returns the number of events."""
    service = open_service(settings)
    batch: list[Envelope] = []
    events = 0
    for number in range(CASES):
        kind, steps = (kinds.CONNECTION, application(number)) if number % 2 else (kinds.REPAIR, incident(number))
        batch += told(kind, steps, YEAR + timedelta(days=364) * number / CASES, service.rules)
        if len(batch) > 400 or number == CASES - 1:
            service.store.save(*batch)
            events += len(batch)
            batch = []
    service.close()
    return events


def bare(settings: Settings) -> float:
    """Seconds to read and decode every event of the store, in order, and nothing else."""
    begun = time.perf_counter()
    with psycopg.connect(settings.database_url) as connection, connection.cursor(name="all") as cursor:
        cursor.itersize = 5_000
        for (state,) in cursor.execute("SELECT state FROM store.stored_events ORDER BY notification_id"):
            read(bytes(state))
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="ts-bench-") as folder, EmbeddedPostgres(Path(folder) / "pg") as server:
        settings = Settings(data_dir=Path(folder), database_url=server.conninfo(), kafka_bootstrap="127.0.0.1:1")
        migrate(settings.database_url)
        events = fill(settings)
        floor = bare(settings)
        print(f"what-if: {CASES} cases, {events} events; read and decoded bare in {floor:.1f} s")
        for name, raw in sorted(shipped_trials().items()):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            with trial(settings, raw, Period()) as found:
                changed = sum(1 for _ in found.changes())
            sums = found.sums
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print(
                f"what-if {name}: {sums.cases} cases, {sums.seconds:.1f} s, {sums.cases / sums.seconds:,.0f} cases/s; "
                f"{changed} verdicts change; peak memory grew by {grown / 1024:.0f} MB"
            )


if __name__ == "__main__":
    main()

"""What stands out gets its case: after the rows are committed, and again after a kill, until the store has taken it.

The rows say how much of each finding its case was told. A case's id follows from its reading, and the case itself says
nothing twice, so what was submitted and not noted down is submitted again without harm.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

import psycopg

from domain import kinds
from domain.kernel.facts import EventToAppend
from domain.kernel.refusals import Refusal
from domain.metering import abnormal_use as abnormal
from infra.eventstore.commands import (
    BusyError,
    Command,
    Receipt,
    Snapshot,
    Stamp,
    StoreUnavailableError,
    StreamEvent,
    UnreadableStreamError,
)
from infra.eventstore.shipped_rules import meter_stream, usage_stream
from infra.postgres.connections import connect
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

AT_ONCE = 200
LOOK_S = 1.0
ACTOR = "readings"


class CommandWriter(Protocol):
    """What a case is told through."""

    def submit(self, command: Command) -> Future[Receipt]: ...

    def next_number(self, prefix: str) -> str: ...


@dataclass(frozen=True, slots=True)
class ReadingFinding:
    """What was found out about a reading, and how much of it its case was told."""

    meter: str
    read_at: datetime
    litres: int
    used_litres: int | None
    signs: tuple[str, ...]
    standing: bool
    revision: int
    told: int


class UsageCaseWriter:
    """Tells the cases; one process at a time does, the others stand by. ``cases_informed`` counts them."""

    def __init__(self, settings: Settings, writer: CommandWriter) -> None:
        self.cases_informed = 0
        self._settings = settings
        self._writer = writer
        self._wake = threading.Event()

    def wake(self) -> None:
        """There may be something to tell."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Tell what there is to tell until stopped. While PostgreSQL is away, it waits."""
        while not stop.is_set():
            try:
                with connect(self._settings) as connection:
                    self._run(connection, stop)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("PostgreSQL does not answer, cases are told later: %s", error)
                stop.wait(LOOK_S)

    def _run(self, connection: psycopg.Connection[Any], stop: threading.Event) -> None:
        alone = False
        while not stop.is_set():
            self._wake.clear()
            alone = alone or _row(connection, "readings_speak_alone")
            # Less than it looked for: the rest comes with the next batch, or was refused and is tried again later.
            if not alone or self.turn(connection) < AT_ONCE:
                self._wake.wait(LOOK_S)

    def turn(self, connection: psycopg.Connection[Any]) -> int:
        """Tell the oldest of what is untold. Returns how many of them the store has taken."""
        rows: list[Any] = connection.execute(sql("readings_untold"), {"limit": AT_ONCE}).fetchall()
        findings = [_finding(*row) for row in rows]
        # All on their way before the first answer is awaited: they go into the store together.
        submitted = [(finding, self._submitted(finding)) for finding in findings]
        failed = {finding: error for finding, future in submitted if (error := _failure(future)) is not None}
        if failed:
            log.warning("%d cases of abnormal use are told later: %s", len(failed), next(iter(failed.values())))
        taken = [finding for finding in findings if finding not in failed]
        if taken:
            columns = {
                "meters": [finding.meter for finding in taken],
                "times": [finding.read_at for finding in taken],
                "revisions": [finding.revision for finding in taken],
            }
            connection.execute(sql("readings_told"), columns)
        self.cases_informed += len(taken)
        return len(taken)

    def _submitted(self, finding: ReadingFinding) -> Future[Receipt]:
        # A number for what may open a case; where it does not after all, none is taken.
        number = kinds.USAGE.new_number(self._writer.next_number) if finding.standing else ""
        return self._writer.submit(command_for(finding, number))


def _finding(
    meter: str,
    read_at: datetime,
    litres: int,
    used_litres: int | None,
    flags: list[str],
    standing: bool,
    revision: int,
    told: int,
) -> ReadingFinding:
    return ReadingFinding(meter, read_at, litres, used_litres, tuple(flags), standing, revision, told)


def _failure(future: Future[Receipt]) -> Exception | None:
    """Why the store has not taken it; None where it has."""
    try:
        future.result()
    except (Refusal, BusyError, StoreUnavailableError, UnreadableStreamError) as error:
        return error
    return None


def command_for(finding: ReadingFinding, number: str) -> Command:
    """What a case is told: that its reading stands out, or does not any more. ``number``: of a case that it opens."""
    case, meter = usage_stream(finding.meter, finding.read_at), meter_stream(finding.meter)
    command_id = str(uuid4())
    stamp = Stamp(ACTOR, "system", "system", command_id, correlation_id=command_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(stamp)
        if not finding.standing:
            said = abnormal.withdraw(snapshot.of(case), ctx, revision=finding.revision)
        else:
            said = abnormal.find(
                snapshot.of(case),
                ctx,
                number=number,
                meter=finding.meter,
                in_service=snapshot.of(meter),
                read_at=finding.read_at,
                litres=finding.litres,
                used_litres=finding.used_litres,
                signs=finding.signs,
                revision=finding.revision,
            )
        return [(case, EventToAppend(fact, snapshot.at)) for fact in said]

    return Command(case, stamp, decide, others=(meter,))


def _row(connection: psycopg.Connection[Any], query: str) -> bool:
    found = connection.execute(sql(query)).fetchone()
    return bool(found and found[0])

"""How the parts stand: positions, lag, beats and lateness, read from PostgreSQL alone.

Used by /healthz, /metrics and ``tongshui status``. Positions are the log's and gapless, so head minus all_out is the
number of events that are not out yet. A reader's lag is a distance between positions: it is 0 when the reader has all
that was acknowledged in its partition, and no count of events otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from domain.deadlines.calendar import local_date
from domain.kinds import POWERS
from domain.publication.calendars import CalendarWarning, calendar_warnings
from domain.standard.powers import roles_with
from domain.standard.standards import Rules
from infra.clock import ScaledClock
from infra.disk_space import Disk, disks, refusal_to_write
from infra.eventstore.recorder import LATENESS_SECONDS
from infra.meter_verifications import MeterVerifications
from infra.settings import Settings
from infra.sql import sql

LAPSES_LOOKED_AT = 1_000
BEAT_PATIENCE_SECONDS = 10.0
CANARY_PATIENCE_SECONDS = 180.0
"""A canary is sent each minute; three that are not received are no accident."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the store's log. ``recorded_at`` None: nothing is recorded yet."""

    position: int
    recorded_at: datetime | None
    generation: UUID


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """The relay's memory of the cluster it last worked on. ``lag``: events that are not out yet."""

    cluster_id: str
    epoch: int
    all_out: int
    lag: int
    sessions: int
    tails_lost: int
    foreign_records: int
    refills: int
    last_error: str | None
    updated_at: datetime
    waiting_s: float = 0.0
    """For how many real seconds the oldest event has been waiting to be on Kafka; 0 where none waits."""
    settings_put_right: int = 0
    """How often a topic's setting was found wrong and was set to what it must be."""
    histories_refilled: int = 0
    """How often a log that had lost a part of its history was filled again."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader's position in one partition. ``lag`` is the distance to what the relay saw acknowledged there."""

    schema: str
    reader: str
    build: int
    topic: str
    partition: int
    position: int
    published: int
    lag: int


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """Something about a topic that is not as it must be, or that was put right within the last day."""

    topic: str
    code: str
    name: str
    found: str
    needed: str
    since: datetime
    put_right_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadingsLost:
    """Meter readings that Kafka lost before they were read: how many ever, and whether somebody is still to look."""

    lost: int = 0
    untold: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """A process and its last beat. ``up``: it beat within BEAT_PATIENCE_SECONDS."""

    name: str
    pid: int
    started_at: datetime
    beat_age_s: float
    up: bool
    detail: dict[str, Any]

    @property
    def clock_ahead_s(self) -> float:
        """How far its clock is ahead of PostgreSQL's, at least, as measured with its last beat; below zero: behind.
        What lies within the measurement's own error is 0."""
        found = self.detail.get("clock")
        if not found:
            return 0.0
        beyond: float = max(0.0, abs(found["ahead_s"]) - found["within_s"])
        return beyond if found["ahead_s"] > 0 else -beyond


@dataclass(frozen=True, slots=True)
class Promises:
    """One commitment's windows and the changes of the breach stream so far."""

    commitment: str
    running: int
    lapses: int
    retractions: int


@dataclass(frozen=True, slots=True)
class Lateness:
    """From the instant a limit ran out to the lapse on record, in real milliseconds, over the last lapses.

    A lapse that a fact reported afterwards brought to light counts with its whole delay.
    """

    lapses: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class CanaryStatus:
    """A watch's canary: how often it was sent and received, how late the last time (None: never yet), and since when
    nothing was received of it (since the watch's start where nothing ever was). ``up``: the watch's process beats."""

    pid: int
    sung: int
    heard: int
    lateness_ms: float | None
    silent_s: float
    up: bool


@dataclass(frozen=True, slots=True)
class Watching:
    """What the window watches have to show for themselves, all that ever ran together.

    ``late``: of the lapses that they found, in real seconds from the due instant to the record: (up to, lapses) in
    ascending order, the last up to infinity; ``late_s`` their sum. ``open_windows``: commitment → rows of the index
    that time alone will change, as the last sweep counted them. ``missed``: cases that only the sweeper found.
    """

    asked: int
    missed: int
    late: tuple[tuple[float, int], ...]
    late_s: float
    open_windows: dict[str, int]
    canaries: tuple[CanaryStatus, ...]

    @property
    def silent_s(self) -> float:
        """Since when no canary at all was received; 0 where no watch has run here in the last day."""
        return min((canary.silent_s for canary in self.canaries), default=0.0)

    @property
    def is_silent(self) -> bool:
        """Whether lapses may stay away: nothing is heard of any watch, or of one that runs."""
        runs = [canary.silent_s for canary in self.canaries if canary.up]
        return max([self.silent_s, *runs]) > CANARY_PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class CalendarStatus:
    """The calendar that deadlines are counted by. ``settled_days``: from today on, below zero when it has run out.
    ``warnings``: what a person should do something about."""

    version: str
    settled_until: date
    settled_days: int
    warnings: tuple[CalendarWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class StandardStatus:
    """The standard in force. ``missing_powers``: what it gives to nobody; one that is older than the program may lack
    what came since, and what a standard does not give is not allowed."""

    version: str
    missing_powers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """Messages to people by state. ``oldest_s``: how long the oldest one waits that is not done, 0 where none does."""

    waiting: int = 0
    sent: int = 0
    proven: int = 0
    dead: int = 0
    oldest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StoppedReader:
    """A reader that met more records it cannot take than settings allow, and takes none until that is mended."""

    reader: str
    letters: int
    topic: str
    partition: int
    position: int
    code: str
    stopped_at: datetime


@dataclass(frozen=True, slots=True)
class NotaryStatus:
    """Up to which position the log is signed, how many events are not yet, how old the newest checkpoint is, and why
    the notary refuses to sign (None: it does not)."""

    position: int
    unsigned: int
    age_s: float
    refusal: str | None = None

    @property
    def unsigned_s(self) -> float:
        """For how long something has waited to be signed, at most; 0 where nothing does."""
        return self.age_s if self.unsigned else 0.0


@dataclass(frozen=True, slots=True)
class Status:
    """How the installation stands. The figures after ``processes`` are empty where they were not asked for."""

    head: Head
    clock_factor: float
    relay: RelayStatus | None
    readers: tuple[Reader, ...]
    processes: tuple[Process, ...]
    dead_letters: dict[str, int] = field(default_factory=dict)
    stopped: tuple[StoppedReader, ...] = ()
    billing_differences: int = 0
    """Open ones between billing's books and the store."""
    promises: tuple[Promises, ...] = ()
    lateness: Lateness | None = None
    calendar: CalendarStatus | None = None
    meters: MeterVerifications | None = None
    """None: the standard in force watches no meters, or nobody asked."""
    outbox: OutboxStatus | None = None
    standard: StandardStatus | None = None
    watching: Watching | None = None
    notary: NotaryStatus | None = None
    topics: tuple[TopicFinding, ...] = ()
    readings_lost: ReadingsLost = ReadingsLost()
    cannot_write: str | None = None
    """Why PostgreSQL answers and writes nothing, in its own words; None: it writes."""
    disks: tuple[Disk, ...] = ()


def standard_status(rules: Rules, at: datetime) -> StandardStatus:
    """How the standard in force stands at an instant."""
    standard = rules.in_force(at)
    missing = sorted(power for power in POWERS if not roles_with(standard, power))
    return StandardStatus(standard.version, tuple(missing))


def calendar_status(rules: Rules, at: datetime) -> CalendarStatus:
    """How the calendar in use stands at an instant."""
    return CalendarStatus(
        rules.calendar.version,
        rules.calendar.settled_until,
        (rules.calendar.settled_until - local_date(at)).days,
        calendar_warnings(rules.calendar, rules.in_force(at), local_date(at)),
    )


def collect(connection: psycopg.Connection[DictRow], settings: Settings, *, figures: bool = True) -> Status:
    """Ask PostgreSQL. Raises what psycopg raises when it does not answer. ``figures=False``: the cheap part only."""
    # Readers before checkpoints before the head: what moves meanwhile shows as a little lag, never as a negative one.
    positions = connection.execute(sql("reader_positions")).fetchall()
    relay = connection.execute(sql("relay_now")).fetchone()
    published = connection.execute(sql("relay_positions")).fetchall()
    head = connection.execute(sql("head_now")).fetchone()
    assert head is not None
    anchor = connection.execute(sql("clock_anchor")).fetchone()
    factor = float(anchor["factor"]) if anchor is not None else settings.clock_factor
    processes = connection.execute(sql("process_beats")).fetchall()
    notary = connection.execute(sql("notary_now")).fetchone()
    return Status(
        head=Head(head["position"], head["recorded_at"], head["generation"]),
        clock_factor=factor,
        relay=_relay(connection, relay, head["position"], anchor) if relay is not None else None,
        readers=_readers(positions, published),
        notary=NotaryStatus(unsigned=max(0, head["position"] - notary["position"]), **notary)
        if notary is not None
        else None,
        processes=tuple(Process(up=row["beat_age_s"] <= BEAT_PATIENCE_SECONDS, **row) for row in processes),
        cannot_write=refusal_to_write(connection),
        **(_figures(connection, factor) | {"disks": disks(connection, settings)} if figures else {}),
    )


def _relay(connection: psycopg.Connection[DictRow], row: DictRow, head: int, anchor: DictRow | None) -> RelayStatus:
    lag, waiting_s = max(0, head - row["all_out"]), 0.0
    oldest = connection.execute(sql("oldest_unpublished"), {"all_out": row["all_out"]}).fetchone() if lag else None
    if oldest is not None:
        clock = ScaledClock(anchor["real_at"], anchor["service_at"], anchor["factor"]) if anchor is not None else None
        now = clock.at(oldest["now"]) if clock is not None else oldest["now"]
        waiting_s = max(0.0, (now - oldest["recorded_at"]).total_seconds()) / (clock.factor if clock is not None else 1)
    return RelayStatus(lag=lag, waiting_s=round(waiting_s, 1), **row)


def _readers(positions: list[DictRow], published: list[DictRow]) -> tuple[Reader, ...]:
    out = {(row["topic"], row["partition"]): row["position"] for row in published}
    readers = []
    for row in positions:
        acknowledged = row["published"]
        if acknowledged is None:
            acknowledged = out.get((row["topic"], row["partition"]), 0)
        readers.append(Reader(**row | {"published": acknowledged}, lag=max(0, acknowledged - row["position"])))
    return tuple(readers)


def _figures(connection: psycopg.Connection[DictRow], factor: float) -> dict[str, Any]:
    dead = connection.execute(sql("dead_letters_by_reader")).fetchall()
    promises = connection.execute(sql("promises_by_commitment")).fetchall()
    lateness = connection.execute(sql("lateness"), {"factor": factor, "most": LAPSES_LOOKED_AT}).fetchone()
    states = connection.execute(sql("outbox_states")).fetchall()
    stopped = connection.execute(sql("stopped_readers")).fetchall()
    differences = connection.execute(sql("billing_open_differences")).fetchone()
    lost = connection.execute(sql("readings_lost")).fetchone()
    return {
        "topics": tuple(TopicFinding(**row) for row in connection.execute(sql("topic_findings")).fetchall()),
        "readings_lost": ReadingsLost(**lost) if lost is not None else ReadingsLost(),
        "watching": _watching(connection),
        "stopped": tuple(StoppedReader(**row) for row in stopped),
        "billing_differences": differences["count"] if differences is not None else 0,
        "outbox": OutboxStatus(
            **{row["state"]: row["messages"] for row in states},
            oldest_s=max((row["oldest_s"] for row in states), default=0.0),
        ),
        "dead_letters": {row["reader"]: row["letters"] for row in dead},
        "promises": tuple(Promises(**row) for row in promises),
        "lateness": Lateness(**lateness) if lateness is not None and lateness["lapses"] else None,
    }


def _watching(connection: psycopg.Connection[DictRow]) -> Watching:
    tally = connection.execute(sql("watch_tally")).fetchone()
    late = {row["le"]: row for row in connection.execute(sql("watch_lateness")).fetchall()}
    sizes = connection.execute(sql("watch_sizes")).fetchall()
    canaries = connection.execute(sql("watch_canaries"), {"patience_s": BEAT_PATIENCE_SECONDS}).fetchall()
    return Watching(
        asked=tally["asked"] if tally is not None else 0,
        missed=tally["missed"] if tally is not None else 0,
        late=tuple((le, late[le]["lapses"] if le in late else 0) for le in LATENESS_SECONDS),
        late_s=sum(row["seconds"] for row in late.values()),
        open_windows={row["commitment"]: row["open"] for row in sizes},
        canaries=tuple(CanaryStatus(**row) for row in canaries),
    )

"""How an installation stands that has everything: for whoever looks at figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import inf
from uuid import UUID

from infra.disk_space import Disk
from infra.meter_verifications import MeterVerifications
from infra.status import (
    CalendarStatus,
    CanaryStatus,
    Head,
    Lateness,
    NotaryStatus,
    OutboxStatus,
    Process,
    Promises,
    Reader,
    ReadingsLost,
    RelayStatus,
    Status,
    StoppedReader,
    TopicFinding,
    Watching,
)
from tests.api_world import MORNING

STATUS = Status(
    head=Head(120, MORNING, UUID(int=1)),
    clock_factor=60.0,
    relay=RelayStatus("c", 3, 118, 2, 4, 1, 0, 1, "KafkaError: gone\nsecond line", MORNING),
    readers=(
        Reader("views", "board", 1, "water.repair.v1", 0, 100, 110, 10),
        Reader("views", "board", 1, "water.repair.v1", 1, 90, 90, 0),
    ),
    processes=(
        Process("relay", 7, MORNING, 1.0, True, {}),
        Process("board", 8, MORNING, 400.0, False, {}),
        Process("board", 9, MORNING, 2.0, True, {}),
        Process("watch", 10, MORNING, 99.0, False, {}),
    ),
    dead_letters={"board": 2},
    promises=(Promises("repair.arrival", 3, 5, 2),),
    lateness=Lateness(5, 12.0, 80.0, 95.0),
    notary=NotaryStatus(115, 5, 4.0),
    outbox=OutboxStatus(waiting=3, dead=2, oldest_s=61.5),
    watching=Watching(
        asked=9,
        missed=1,
        late=((0.05, 3), (0.1, 1), (inf, 2)),
        late_s=7.25,
        open_windows={"repair.arrival": 4},
        canaries=(
            CanaryStatus(10, 5, 4, 21.0, 12.0, up=True),
            CanaryStatus(11, 5, 4, 30.0, 900.0, up=False),
        ),
    ),
)


def whole_status() -> Status:
    """Every figure that there is."""
    return replace(
        STATUS,
        disks=(Disk("data", 3_000_000_000, is_low=False), Disk("postgres", 5_000_000, is_low=True)),
        calendar=CalendarStatus("CN@2026-1", date(2026, 12, 31), 106),
        meters=MeterVerifications(expired=3, ending=40, days=60),
        topics=(TopicFinding("water.repair.v1", "topic-setting", "retention.ms", "1000", "-1", MORNING),),
        readings_lost=ReadingsLost(20, untold=True),
        stopped=(StoppedReader("board", 20, "water.repair.v1", 1, 90, "bad-time", MORNING),),
    )

"""Which other planned outages a decision about one looks at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain import kinds
from domain.outages.case import Outage
from infra.eventstore.commands import Snapshot, Stream
from infra.eventstore.service import Service
from infra.sql import sql

AROUND = timedelta(days=31)
"""How far before and after an outage others are looked up: parts of one may follow each other."""


def nearby(
    service: Service, districts: Sequence[str], begin: datetime, end: datetime, case: Stream
) -> tuple[Stream, ...]:
    """The planned outages in these districts around that time but ``case``, at most 200, from the read model: one that
    was planned a moment ago may be missing. A decision looks at each as the store has it."""
    bounds = {"districts": list(districts), "since": begin - AROUND, "until": end + AROUND}
    with service.connection() as connection:
        rows = connection.execute(sql("outages_around"), bounds).fetchall()
    return tuple(Stream(kinds.OUTAGE, row["case_id"]) for row in rows if row["case_id"] != case.id)


def seen(snapshot: Snapshot, streams: Sequence[Stream]) -> tuple[Outage, ...]:
    """Those of the outages that are on record."""
    return tuple(outage for outage in (snapshot.of(stream) for stream in streams) if outage is not None)

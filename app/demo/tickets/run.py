"""An order book played through the rulebook, and every row of it accounted for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from app.demo.stage import ACCEPTED, NOT_OPENED, Stage, database, fill
from app.demo.tickets import city
from app.demo.tickets.rows import SourceChange, Ticket, TicketBook, code
from domain.kernel.refusals import restored
from infra.clock import ManualClock
from infra.embedded.errors import EmbeddedError
from infra.eventstore.service import open_service
from infra.postgres.migrate import migrate
from infra.settings import Settings
from infra.sql import sql

NOT_GIVEN = "not given"


@dataclass(slots=True)
class Counted:
    """Tickets of one sort; closed ones with both times to the second, and how long that took."""

    tickets: int = 0
    refused: int = 0
    closed: int = 0
    within_4_h: int = 0
    within_8_h: int = 0

    def take(self, ticket: Ticket, outcome: str) -> None:
        """Count one ticket."""
        self.tickets += 1
        self.refused += outcome not in ("opened", "linked")
        if ticket.closed is not None and ticket.reported is not None and ticket.refused is None:
            took = ticket.closed - ticket.reported
            self.closed += 1
            self.within_4_h += timedelta(0) <= took <= timedelta(hours=4)
            self.within_8_h += timedelta(0) <= took <= timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class TicketReplay:
    """What came of an order book.

    ``rows`` by outcome: opened, linked, or the code of the refusal; ``changes`` likewise: corrected, told, or a code.
    ``parts_refused``: refusals of what was told further of an incident, by step and code. ``tables``: the tickets by
    channel, category and kind in the source's words. ``incidents``, ``windows`` (commitment → verdict), ``completed``,
    ``facts`` and ``origins`` are counted from the store and its read models. ``unaccounted``: sums that do not add up.
    """

    source: str
    rows: Mapping[str, int]
    flags: Mapping[str, int]
    all_tickets: Counted
    tables: Mapping[str, Mapping[str, Counted]]
    classes: Mapping[str, int]
    stages: Mapping[str, int]
    reports: int
    windows: Mapping[str, Mapping[str, int]]
    completed: Mapping[str, int]
    facts: Mapping[str, int]
    origins: Mapping[str, int]
    changes: Mapping[str, int]
    parts_refused: Mapping[str, int]
    requests: int
    asked: int
    events: int
    seconds: float
    unaccounted: tuple[str, ...]

    @property
    def is_accounted_for(self) -> bool:
        """Whether all sums add up."""
        return not self.unaccounted

    @property
    def incidents(self) -> int:
        return sum(self.classes.values())


def replay(
    settings: Settings, book: TicketBook, database_url: str | None = None, *, watched: bool = False
) -> TicketReplay:
    """Play the book on an empty database, on one that it was played on before (then nothing changes), or, without
    one, on a fresh embedded one that is gone afterwards.

    ``watched``: what falls due is asked about at its instant, not once all is told; the verdicts are the same.
    Raises EmbeddedError ``database-not-empty``, Refusal where the city's standard is refused, and what PostgreSQL
    raises.
    """
    begun = time.monotonic()
    with database(database_url) as url:
        migrate(url)
        replaying = settings.model_copy(update={"database_url": url, "kafka_bootstrap": "", "demo": True})
        require_ours(url, book.source)
        stage = _played(replaying, book, watched=watched)
        with psycopg.connect(url, row_factory=dict_row) as connection:
            events = fill(replaying, connection)
            found = _Found(connection)
        return _counted(book, stage, found, events, begun)


def require_ours(url: str, source: str) -> None:
    """Refuses a database with anything in it that a book of that source did not put there."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        head = connection.execute(sql("log_head")).fetchone()
        known = connection.execute(sql("ticket_facts")).fetchone()
        drafted = connection.execute(sql("ticket_standards"), {"version": f"{source}-1"}).fetchone()
    assert head is not None
    assert drafted is not None
    if head["position"] and not drafted["standards"]:
        raise EmbeddedError(
            "database-not-empty",
            found=f"a database with {head['position']} events" + (", repairs among them" if known else ""),
            needed=f"an empty one, or one on which tickets of {source} were replayed: a replay makes up the clock",
            next_step="name such a database, or none at all",
        )


def _played(settings: Settings, book: TicketBook, *, watched: bool) -> Stage | None:
    if not book.scripts:
        return None
    clock = ManualClock(city.starts_at(book))
    service = open_service(settings, clock=clock)
    try:
        stage = Stage(service, clock, watched=watched)
        asyncio.run(publish(stage, book.source, city.publication(book)))
        asyncio.run(stage.play(book.scripts))
    finally:
        service.close()
    return stage


async def publish(stage: Stage, source: str, requests: Iterable[city.Publication]) -> None:
    """The city's standard, through the API like everything else. Raises Refusal where it is refused."""
    async with stage.client() as client:
        for number, (path, body, (actor, role, channel)) in enumerate(requests):
            key = f"{source}-rules-{number}"
            headers = {"X-Actor": actor, "X-Role": role, "X-Channel": channel, "Idempotency-Key": key}
            answer = await client.post(path, json=body, headers=headers)
            if answer.status_code >= 300:
                words = ("code", "found", "needed", "next_step", "next_step_zh")
                said = {name: str(answer.json().get(name, "")) for name in words}
                raise restored(**said)


# ---- counting


class _Found:
    """What the store and its read models say."""

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self.windows: dict[str, dict[str, int]] = {}
        for row in connection.execute(sql("ticket_verdicts")):
            self.windows.setdefault(row["commitment"], {})[row["verdict"]] = row["windows"]
        self.classes, self.stages = Counter[str](), Counter[str]()
        self.reports = 0
        for row in connection.execute(sql("ticket_incidents")):
            self.classes[row["class"]] += row["incidents"]
            self.stages[row["stage"] if row["open"] else "closed"] += row["incidents"]
            self.reports += row["reports"]
        self.facts, self.origins = Counter[str](), Counter[str]()
        for row in connection.execute(sql("ticket_facts")):
            name = row["type"].split(".")[2]
            self.facts[name] += row["facts"]
            if name in ("FaultReported", "ReportLinked"):
                self.origins[row["origin"] or NOT_GIVEN] += row["facts"]
        self.completed: dict[str, int] = connection.execute(sql("ticket_completions")).fetchone() or {}


def _counted(book: TicketBook, stage: Stage | None, found: _Found, events: int, begun: float) -> TicketReplay:
    outcomes = stage.outcomes if stage is not None else {}
    rows = {ticket.line: _outcome(ticket, outcomes) for ticket in book.tickets}
    changes = Counter(_change_outcome(change, outcomes) for change in book.changes)
    everything = Counted()
    for ticket in book.tickets:
        everything.take(ticket, rows[ticket.line])
    return TicketReplay(
        source=book.source,
        rows=_sorted(Counter(rows.values())),
        flags=_sorted(Counter(flag for ticket in book.tickets for flag in ticket.flags)),
        all_tickets=everything,
        tables={name: _table(book.tickets, rows, name) for name in ("channel", "category", "kind")},
        classes=_sorted(found.classes),
        stages=_sorted(found.stages),
        reports=found.reports,
        windows=found.windows,
        completed=dict(found.completed),
        facts=_sorted(found.facts),
        origins=_sorted(found.origins),
        changes=_sorted(changes),
        parts_refused=_sorted(_parts_refused(book, outcomes)),
        requests=len(outcomes),
        asked=stage.asked if stage is not None else 0,
        events=events,
        seconds=round(time.monotonic() - begun, 1),
        unaccounted=tuple(_unaccounted(book, rows, changes, found)),
    )


def _outcome(ticket: Ticket, outcomes: Mapping[tuple[str, int], str]) -> str:
    if ticket.refused is not None:
        return ticket.refused
    assert ticket.request is not None
    outcome = outcomes[ticket.request]
    if outcome != ACCEPTED:
        return outcome
    return "opened" if ticket.request[1] == 0 else "linked"


def _change_outcome(change: SourceChange, outcomes: Mapping[tuple[str, int], str]) -> str:
    if change.refused is not None:
        return change.refused
    assert change.request is not None
    outcome = outcomes[change.request]
    if outcome != ACCEPTED:
        return outcome
    return "told" if change.is_fact else "corrected"


def _parts_refused(book: TicketBook, outcomes: Mapping[tuple[str, int], str]) -> Counter[str]:
    """What was refused of an incident that did open, and is no row and no change of its own."""
    counted = {ticket.request for ticket in book.tickets} | {change.request for change in book.changes}
    steps = {
        (script.name, number): request.path for script in book.scripts for number, request in enumerate(script.requests)
    }
    return Counter(
        f"{steps[request].strip('/')}: {outcome}"
        for request, outcome in outcomes.items()
        if outcome not in (ACCEPTED, NOT_OPENED) and request not in counted
    )


def _table(tickets: Iterable[Ticket], rows: Mapping[int, str], name: str) -> dict[str, Counted]:
    table: dict[str, Counted] = {}
    for ticket in tickets:
        table.setdefault(getattr(ticket, name) or NOT_GIVEN, Counted()).take(ticket, rows[ticket.line])
    return dict(sorted(table.items(), key=lambda each: (-each[1].tickets, each[0])))


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda each: (-each[1], each[0])))


# ---- whether it adds up


def _unaccounted(book: TicketBook, rows: Mapping[int, str], changes: Mapping[str, int], found: _Found) -> Iterable[str]:
    """Every sum that does not add up, as what was found against what was needed."""
    opened, linked = _number_of(rows, "opened"), _number_of(rows, "linked")
    incidents = sum(found.classes.values())
    taken = [ticket for ticket in book.tickets if rows[ticket.line] in ("opened", "linked")]
    by_origin = Counter(code(ticket.channel) if ticket.channel else NOT_GIVEN for ticket in taken)
    sums: Sequence[tuple[str, Any, Any]] = (
        ("rows with an outcome", len(rows), len(book.tickets)),
        ("incidents for rows that opened one", incidents, opened),
        ("reports for rows that were taken", found.reports, opened + linked),
        ("reports by the channel of the source", dict(found.origins), dict(by_origin)),
        ("changes with an outcome", sum(changes.values()), len(book.changes)),
        ("incidents by stage", sum(found.stages.values()), incidents),
        ("arrival promises", sum(found.windows.get("repair.arrival", {}).values()), incidents),
        ("completion promises", sum(found.windows.get("repair.completion", {}).values()), incidents),
    )
    for what, have, needed in sums:
        if have != needed:
            yield f"{what}: found {have}, needed {needed}"


def _number_of(rows: Mapping[int, str], outcome: str) -> int:
    return sum(each == outcome for each in rows.values())

"""Boston's 311 tickets of 2011: street repairs, a few of them of water.

How a row is read (our decisions, where the data set says nothing):
- Times are the wall clock of New York. One without a time of day, or one of a column that has midnights only, is known
  by its day: it is told so, and nothing in hours is judged of it.
- A ticket and all that name it as their original, through chains and whichever came first, are one incident. The
  earliest report opens it; the others are further reports, made when they were made. What became of the incident is
  what became of the ticket that was worked on: the one that names no other.
- RESOLVED, INTERNAL (work that crews logged), SCHEDULED, OTHER, an unknown word and none at all: the repair was done.
  INVALID, REFERRED, NOTED, and DUPLICATE of a ticket that is not here: dismissed for that reason. Both are closed then.
- A status Open stays open, whatever its note says. The publisher's due times and verdicts are not our promises: unused
  here; ``verdicts`` compares them with what comes of the city's own rule, each ticket by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from app.days import is_day
from app.demo.tickets.rows import (
    CityCodes,
    Local,
    SourceRow,
    Story,
    Ticket,
    TicketBook,
    each_once,
    known,
    local,
    read_rows,
    with_bare_days,
)

ZONE = ZoneInfo("America/New_York")
COLUMNS = ("id", "reason", "type", "channel", "reported", "closed", "status", "closure_code", "duplicate_of", "area")
REPAIRED = ("RESOLVED", "INTERNAL", "SCHEDULED", "OTHER", "")
DISMISSED = ("INVALID", "REFERRED", "NOTED", "DUPLICATE")
NOT_GIVEN = "unknown"
"""The district of a ticket without an area."""


def read_book(path: Path, limit: int | None = None, *, alone: bool = False) -> TicketBook:
    """The order book in our words. ``alone``: every ticket is an incident of its own, as the city judged it. Raises
    EmbeddedError ``not-this-form``."""
    codes = CityCodes()
    rows: dict[int, SourceRow] = {}
    tickets = []
    for line, row in with_bare_days(read_rows(path, COLUMNS), ("reported", "closed"))[:limit]:
        ticket = Ticket(line, refused="bad-row") if row is None else _ticket(line, row)
        tickets.append(ticket)
        rows[line] = row or {}
    usable = list(each_once(tickets))
    scripts = []
    for group in [[ticket] for ticket in usable] if alone else _incidents(usable, rows):
        opener = group[0]
        for ticket in group[1:]:
            if ticket.kind != opener.kind:
                ticket.flags.append("other-kind-than-its-incident")
        scripts.append(_story(group, _worked_on(group, rows), rows, codes).script())
    return TicketBook("boston", ZONE, codes, tuple(tickets), (), tuple(scripts))


def _ticket(line: int, row: SourceRow) -> Ticket:
    ticket = Ticket(line, row["id"], row["channel"], row["reason"], row["type"])
    reported = local(row["reported"], ZONE)
    if reported is None:
        ticket.refused = "bad-time" if row["reported"] else "no-report-time"
    elif not row["type"]:
        ticket.refused = "no-kind"
    if reported is not None:
        ticket.reported = reported.at
        closed = _closed(row)
        if closed is not None and not closed.is_day and not reported.is_day:
            ticket.closed = closed.at
        ticket.flags += [each.flag for each in (reported, closed) if each is not None and each.flag is not None]
    ticket.flags += _oddities(ticket, row)
    return ticket


def _closed(row: SourceRow) -> Local | None:
    return local(row["closed"], ZONE) if row["status"] == "Closed" else None


def _oddities(ticket: Ticket, row: SourceRow) -> Iterator[str]:
    if is_day(row["reported"]) or (row["status"] == "Closed" and is_day(row["closed"])):
        yield "day-only"
    if row["status"] not in ("Open", "Closed"):
        yield "unknown-status"
    if row["status"] == "Closed" and _closed(row) is None:
        yield "no-close-time"
    if row["status"] == "Open" and row["closure_code"]:
        yield "open-with-a-closing-note"
    if row["closure_code"] not in (*REPAIRED, *DISMISSED):
        yield "unknown-closing-word"
    if not row["area"]:
        yield "no-area"
    if ticket.closed is not None and ticket.reported is not None and ticket.closed <= ticket.reported:
        yield "closed-at-report" if ticket.closed == ticket.reported else "closed-before-report"


# ---- which tickets are one incident


def _incidents(tickets: Sequence[Ticket], rows: Mapping[int, SourceRow]) -> Iterator[list[Ticket]]:
    """The tickets of each incident, by their reports; incidents by their first report."""
    of = {ticket.id: ticket for ticket in tickets}
    heads = {ticket.id: ticket.id for ticket in tickets}

    def head(id_: str) -> str:
        while heads[id_] != id_:
            heads[id_] = heads[heads[id_]]
            id_ = heads[id_]
        return id_

    for ticket in tickets:
        original = rows[ticket.line]["duplicate_of"]
        if original in of:
            heads[head(ticket.id)] = head(original)
        elif original:
            ticket.flags.append("original-not-here")
    groups: dict[str, list[Ticket]] = defaultdict(list)
    for ticket in sorted(tickets, key=_by_report):
        groups[head(ticket.id)].append(ticket)
    yield from groups.values()


def _by_report(ticket: Ticket) -> tuple[float, int]:
    assert ticket.reported is not None
    return ticket.reported.timestamp(), ticket.line


def _worked_on(group: Sequence[Ticket], rows: Mapping[int, SourceRow]) -> Ticket:
    """The ticket that names no other of the incident; where they name each other in a ring, the last of them."""
    ids = {ticket.id for ticket in group}
    return next((ticket for ticket in group if rows[ticket.line]["duplicate_of"] not in ids), group[-1])


# ---- what is told


def _story(group: Sequence[Ticket], worked_on: Ticket, rows: Mapping[int, SourceRow], codes: CityCodes) -> Story:
    opener = group[0]
    story = Story(f"boston {opener.id}")
    for ticket in group:
        row = rows[ticket.line]
        body = {"origin": known(codes.origins, ticket.channel)} if ticket.channel else {}
        body |= {"precision": "day"} if is_day(row["reported"]) else {}
        if ticket is opener:
            body["kind"] = known(codes.kinds, ticket.kind)
            body["district"] = known(codes.districts, row["area"] or NOT_GIVEN)
        story.tell("" if ticket is opener else "/reports", body, ticket.reported, carries=[ticket])
    closed, word = _closed(rows[worked_on.line]), rows[worked_on.line]["closure_code"]
    if closed is not None:
        precisely = {"precision": "day"} if closed.is_day else {}
        if word in DISMISSED:
            story.tell("/dismissal", {"reason": known(codes.reasons, word)} | precisely, closed.at)
        else:
            story.tell("/completion", precisely, closed.at)
        story.tell("/closure", {}, None, at=closed.at)
    return story

"""A city's standard: the shipped one with the city's own codes in it. Data only; the program is the same.

Our decisions: every district is urban (the strict reading; its arrival promise is unknown anyway), nobody classed the
repairs, so each is held to the small-repair window, and our promises are applied to people who never gave them: what
is measured is the rulebook on real times, not the cities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from app.demo.tickets.rows import IMPORTER, TicketBook
from domain.standard.flat import as_published, with_changes
from domain.standard.sections.common import District
from domain.standard.standards import Standard
from infra.eventstore.shipped_rules import shipped_standard

DRAFTER = ("manager-1", "manager", "office")
Publication = tuple[str, dict[str, Any], tuple[str, str, str]]
"""A request that publishes: path, body, who."""
APPROVER = ("deputy-1", "deputy-director", "office")
BEFORE = timedelta(days=2)
"""So long before the first report the installation starts."""


def starts_at(book: TicketBook) -> datetime:
    """When the installation starts. Raises ValueError where the book has nothing to tell."""
    return min(script.requests[0].at for script in book.scripts) - BEFORE


def standard_of(book: TicketBook, version: str, effective_from: datetime) -> Standard:
    """The city's standard."""
    codes, shipped = book.codes, shipped_standard()
    return with_changes(
        shipped,
        version=version,
        effective_from=effective_from,
        districts={code: District(_words(words), "urban") for code, words in sorted(codes.districts.items())},
        fault_kinds=_named(codes.kinds),
        fault_families={},
        history_channels=(IMPORTER[2],),
        origins=_named(codes.origins),
        dismissal_reasons=_named(codes.reasons),
        pipe_materials=_named(codes.materials),
        incident_details={detail: _named(table) for detail, table in sorted(codes.details.items())},
    )


def _named(table: dict[str, str]) -> dict[str, str]:
    return {code: _words(words) for code, words in sorted(table.items())}


def _words(words: str) -> str:
    return " ".join(words.split())[:80]


def publication(
    book: TicketBook, make: Callable[[TicketBook, str, datetime], Standard] = standard_of
) -> Iterator[Publication]:
    """The requests that publish it: path, body, who. Drafted by one person, approved by a second. ``make``: the
    standard from book, version and date.

    It is published again from the date of the shipped standard on, which would replace it otherwise.
    """
    start, shipped = starts_at(book), shipped_standard().effective_from
    begins = [start + timedelta(hours=1)]
    begins += [shipped] if shipped > begins[0] else []
    for number, effective_from in enumerate(begins, start=1):
        version = f"{book.source}-{number}"
        document = msgspec.to_builtins(as_published(make(book, version, effective_from)))
        yield "/api/v1/standards", document, DRAFTER
        yield f"/api/v1/standards/{version}/approval", {}, APPROVER

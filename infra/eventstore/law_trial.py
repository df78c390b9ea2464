"""A new version of the law before it is published: what it changes, and how many open windows would cite otherwise.

A window cites the articles in force when it began. A law that ends one article and begins another on a day to come
therefore changes no window that runs; a correction of the past does. The windows are counted in their read model, which
may be a moment behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from domain.deadlines.calendar import LOCAL
from domain.kernel.law import Law
from domain.publication import laws
from domain.publication.laws import BasisChange, LawChanges
from domain.publication.publishing import Laws
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import LAW
from infra.sql import sql


@dataclass(frozen=True, slots=True)
class LawTrial:
    """What a version of the law would do. ``windows`` open ones, of ``cases``, would cite other articles."""

    version: str
    changes: LawChanges
    windows: int
    cases: int


def try_law(service: Service, document: Law) -> LawTrial:
    """What would change; nothing is stored, and nobody's power is needed. Refuses what a publication refuses."""
    state: Laws = service.load(LAW)[0] or Laws()
    laws.require_publishable(state, document)
    found = laws.changes(state.published[-1][1] if state.published else None, document)
    windows, cases = _citing_otherwise(service, found.basis)
    return LawTrial(document.version, found, windows, cases)


def _citing_otherwise(service: Service, changed: Iterable[BasisChange]) -> tuple[int, int]:
    """How many open windows rest on other articles, and of how many cases."""
    stretches = [
        (each.code if each.kind == "promise" else None, _begins(each.since), _ends(each.until))
        for each in changed
        if each.kind == "promise" or each.code in ("day.start", "day.end")
    ]
    if not stretches:
        return 0, 0
    commitments, since, until = (list(column) for column in zip(*stretches, strict=True))
    with service.connection() as connection:
        wanted = {"commitments": commitments, "since": since, "until": until}
        found = connection.execute(sql("windows_citing_otherwise"), wanted).fetchone()
    return (int(found["windows"]), int(found["cases"])) if found is not None else (0, 0)


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), LOCAL)


def _ends(day: date | None) -> datetime | None:
    return _begins(day + timedelta(days=1)) if day is not None else None

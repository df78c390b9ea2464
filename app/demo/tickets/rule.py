"""Boston's own rule as data: its limits by kind of ticket, its intake hours, its calendar; how the limits are found.

The city published due times, not its rule. The rule was worked out from them (``limits_from``): each ticket's report
and due time name the one number of working days, and the one of civil days, that leads from the one to the other within
a minute; a kind's limit is the number that most of its tickets name, if that is at least half of all of them. What was
found is kept as a file, ``app/demo/data/boston-rule.json``, and a test finds it anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from importlib import resources
from pathlib import Path

from app import admin as office
from app.demo.tickets import boston, city
from app.demo.tickets.rows import SourceRow, TicketBook, code, local, read_rows, with_bare_days
from domain.deadlines.calendar import Calendar, CalendarPublished, from_published
from domain.deadlines.limits import DayUnit, Intake, WorkingDays, received
from domain.publication.calendars import notice_merged
from domain.standard.flat import with_changes
from domain.standard.sections.repair import KindLimit
from domain.standard.standards import Standard
from infra.decoders import decoder
from infra.eventstore.publication import CalendarWanted

REGION = "US"
CLOSE = time(17, 30)
"""Of the shipped standard; no limit of the city's ends by it."""
MINUTE = timedelta(minutes=1)
UNITS: tuple[DayUnit, ...] = ("working", "civil")


@dataclass(frozen=True, slots=True)
class CityRule:
    """The file: limits by the source's own words for a kind, and the hours in which reports are taken in."""

    about: str
    intake: Intake
    limits: Mapping[str, KindLimit]


_RULE = decoder(CityRule)


@dataclass(frozen=True, slots=True)
class DerivedLimit:
    """What the due times of one kind say. ``limit`` None: no number leads to half of its tickets' due times."""

    kind: str
    tickets: int
    with_target: int
    fit: int
    limit: KindLimit | None


def city_rule() -> CityRule:
    """The rule as shipped."""
    return _RULE.decode(_data("boston-rule.json"))


def notices() -> Iterator[CalendarWanted]:
    """The calendar's notices, in the order in which they are published."""
    for year in (2011, 2012):
        name = f"boston-calendar-{year}.json"
        yield office.calendar_wanted(_data(name), name, region=REGION, source=None, version=None)


def calendar() -> Calendar:
    """The calendar that the notices make."""
    latest: CalendarPublished | None = None
    for wanted in notices():
        latest = notice_merged(latest, wanted.notice, region=REGION, source=wanted.source)
    assert latest is not None
    return from_published([latest])


def standard_of(book: TicketBook, version: str, effective_from: datetime) -> Standard:
    """The city's rule as a standard: what has no target of the city's has no end, whatever its class."""
    rule = city_rule()
    limits = {code(kind): limit for kind, limit in rule.limits.items()}
    return with_changes(
        city.standard_of(book, version, effective_from),
        calendar_regions=(REGION,),
        completion_minutes={"small": None, "medium": None, "major": None},
        kind_limits={kind: limit for kind, limit in limits.items() if kind in book.codes.kinds},
        intake=rule.intake,
    )


def _data(name: str) -> bytes:
    return (resources.files("app.demo") / "data" / name).read_bytes()


# ---- how the limits are found


def limits_from(path: Path) -> list[DerivedLimit]:
    """What the due times in an order book say of each kind, the most frequent kind first."""
    by_kind: dict[str, list[SourceRow]] = defaultdict(list)
    for _, row in with_bare_days(read_rows(path, (*boston.COLUMNS, "due")), ("reported", "due")):
        if row is not None:
            by_kind[row["type"]].append(row)
    found = [_found(kind, rows) for kind, rows in by_kind.items()]
    return sorted(found, key=lambda each: (-each.tickets, each.kind))


def _found(kind: str, rows: list[SourceRow]) -> DerivedLimit:
    days, intake = calendar(), city_rule().intake
    named: Counter[tuple[int, DayUnit]] = Counter()
    for row in rows:
        named.update(_named(row, days, intake))
    # Of two that lead equally far the one in working days.
    best, fit = max(named.items(), key=lambda each: (each[1], each[0][1] == "working"), default=((0, "working"), 0))
    is_rule = fit * 2 >= len(rows)
    limit = KindLimit(best[0], best[1], "same-time") if is_rule else None
    return DerivedLimit(kind, len(rows), sum(bool(row["due"]) for row in rows), fit, limit)


def _named(row: SourceRow, days: Calendar, intake: Intake) -> Iterator[tuple[int, DayUnit]]:
    reported, due = local(row["reported"], boston.ZONE), local(row["due"], boston.ZONE)
    if reported is None or due is None or due.at <= reported.at:
        return
    if reported.is_day or due.is_day:
        return  # the minute that the rule would have to lead to is not known
    last = days.local(due.at).date()
    for unit in UNITS:
        begun, at = received(WorkingDays(reported.at, 1, CLOSE, unit=unit, intake=intake), days)
        between = [begun + timedelta(days=ahead) for ahead in range(1, (last - begun).days + 1)]
        counted = [day for day in between if unit == "civil" or days.is_working_day(day)]
        if counted and counted[-1] == last and abs(days.instant(last, at) - due.at) <= MINUTE:
            yield len(counted), unit

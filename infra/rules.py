"""The rules that the program ships, and how they come into and out of the store.

Standards and calendars are events like everything else. The first start publishes the shipped ones; from then on the
store is the source.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any
from uuid import UUID, uuid5

import msgspec

from domain import kinds
from domain.calendar import CalendarPublished, Day, from_published
from domain.facts import Stated
from domain.standards import Rules, StandardPublished
from infra.store.commands import Stamp, Stream

NAMESPACE = UUID("9f7d2c1e-0225-5000-8000-74756e677368")
"""Of every id that is made from a name (uuid5): standards, calendars, meters."""

STANDARDS = Stream(kinds.STANDARDS, uuid5(NAMESPACE, "standards"))
SHIPPED_REGION = "CN"
FIRST_START = Stamp("tongshui", "system", "system", command_id="first-start", correlation_id="first-start")


def calendar_stream(region: str) -> Stream:
    """The stream of a region's calendar."""
    return Stream(kinds.CALENDAR, uuid5(NAMESPACE, f"calendar:{region}"))


def meter_stream(number: str) -> Stream:
    """The stream of a meter body, by its normalised number."""
    return Stream(kinds.METER, uuid5(NAMESPACE, f"meter:{number}"))


def shipped_standard() -> StandardPublished:
    """The "0225" standard as shipped in infra/data."""
    text = (resources.files("infra") / "data" / "standard-0225.json").read_bytes()
    return msgspec.json.decode(text, type=StandardPublished)


def shipped_calendar() -> CalendarPublished:
    """The State Council's schedules 2015–2026 as one calendar of region CN."""
    folder = resources.files("infra") / "data" / "holiday-cn"
    files = [json.loads(file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith(".json")]
    statutory = json.loads((resources.files("infra") / "data" / "statutory-days.json").read_text(encoding="utf-8"))
    return calendar_of(SHIPPED_REGION, files, statutory["days"])


def shipped_regions() -> dict[str, CalendarPublished]:
    """Every calendar that is shipped, by region: CN, and overlays on it. An installation judges by CN alone until an
    overlay is published in it."""
    folder = resources.files("infra") / "data" / "regions"
    overlays = [json.loads(file.read_text(encoding="utf-8")) for file in folder.iterdir()]
    shipped = {
        found["region"]: replace(calendar_of(found["region"], [found], ()), source=found["source"])
        for found in overlays
    }
    return {SHIPPED_REGION: shipped_calendar(), **shipped}


def calendar_of(region: str, notices: Iterable[Mapping[str, Any]], statutory: Iterable[str]) -> CalendarPublished:
    """A region's calendar from notices in the shape of the holiday-cn data set."""
    years = sorted(notices, key=lambda notice: int(notice["year"]))
    last = int(years[-1]["year"])
    days = [
        Day(date.fromisoformat(day["date"]), bool(day["isOffDay"]), str(day["name"]))
        for notice in years
        for day in notice["days"]
    ]
    return CalendarPublished(
        region=region,
        version=f"{last}-1",
        # The next year's notice has moved days from 29 December on (2018, 2022): until it is out they are not settled.
        settled_until=date(last, 12, 28),
        days=tuple(sorted(days, key=lambda day: day.date)),
        statutory=tuple(date.fromisoformat(day) for day in statutory),
        source=f"State Council notices {years[0]['year']}–{last}",
    )


def first_publication(at: datetime) -> list[tuple[Stream, Stated]]:
    """What a new installation publishes before anything else."""
    return [
        (STANDARDS, Stated(shipped_standard(), at)),
        (calendar_stream(SHIPPED_REGION), Stated(shipped_calendar(), at)),
    ]


def rules_from(states: Mapping[UUID, Any], regions: Iterable[str] | None = None) -> Rules:
    """The rules from the folded streams of standards and calendars. Raises LookupError where one is not published."""
    standards = states.get(STANDARDS.id)
    if not standards:
        raise LookupError("no standard is published: run `tongshui migrate`")
    latest = max(standards, key=lambda standard: standard.effective_from)
    chain = [states.get(calendar_stream(region).id) for region in (regions or latest.calendar_regions)]
    if not all(chain):
        raise LookupError("a calendar region is not published: run `tongshui migrate`")
    return Rules(tuple(standards), from_published(published for published in chain if published is not None))


def shipped_rules() -> Rules:
    """The shipped rules without any store: for unit tests and `tongshui due`."""
    epoch = datetime(2021, 1, 1, tzinfo=UTC)
    return rules_from({stream.id: _state(stream, stated.fact) for stream, stated in first_publication(epoch)})


def _state(stream: Stream, fact: Any) -> Any:
    return (fact,) if stream is STANDARDS else fact

"""The rules that the program ships, and how they come into and out of the store.

Standards, calendars, fee catalogues and the law are events like everything else. The first start publishes the shipped
ones; from then on the store is the source.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any
from uuid import UUID, uuid5

from domain import kinds
from domain.deadlines.calendar import CalendarPublished, Day
from domain.kernel.facts import EventToAppend, Recorded
from domain.kernel.law import LawPublished
from domain.publication.publishing import Calendars, Catalogues, Laws, Standards
from domain.standard.fees import CataloguePublished
from domain.standard.flat import StandardPublished, as_published, in_sections
from domain.standard.standards import Rules, Standard, make_rules
from infra.decoders import decoder
from infra.eventstore.commands import Stamp, Stream
from infra.eventstore.documents import trial_standard_of

NAMESPACE = UUID("9f7d2c1e-0225-5000-8000-74756e677368")
"""Of every id that is made from a name (uuid5): standards, calendars, meters."""

STANDARDS = Stream(kinds.STANDARDS, uuid5(NAMESPACE, "standards"))
FEES = Stream(kinds.FEES, uuid5(NAMESPACE, "fees"))
LAW = Stream(kinds.LAW, uuid5(NAMESPACE, "law"))
MASS = Stream(kinds.MASS, uuid5(NAMESPACE, "mass-incidents"))
SHIPPED_REGION = "CN"
FIRST_START = Stamp("tongshui", "system", "system", command_id="first-start", correlation_id="first-start")

UPGRADE = Stamp("tongshui", "system", "system", command_id="program-upgrade", correlation_id="program-upgrade")
SHIPPED_BEFORE = ("0225-1", "0225-2", "0225-3", "0225-4")
"""Versions of the standard that older programs shipped as their last one."""

_STANDARD = decoder(StandardPublished)
_CATALOGUE = decoder(CataloguePublished)
_LAW = decoder(LawPublished)


def calendar_stream(region: str) -> Stream:
    """The stream of a region's calendar."""
    return Stream(kinds.CALENDAR, uuid5(NAMESPACE, f"calendar:{region}"))


def meter_stream(number: str) -> Stream:
    """The stream of a meter body, by its normalised number."""
    return Stream(kinds.METER, uuid5(NAMESPACE, f"meter:{number}"))


def usage_stream(meter: str, read_at: datetime) -> Stream:
    """The case of abnormal use of one reading: whoever finds it, and however often, it is the same case."""
    return Stream(kinds.USAGE, uuid5(NAMESPACE, f"usage:{meter}:{read_at.astimezone(UTC).isoformat()}"))


def book_stream(book: str, month: str) -> Stream:
    """The round of a reading book in a month: there is one."""
    return Stream(kinds.BOOK, uuid5(NAMESPACE, f"book:{book}:{month}"))


def person_stream(actor: str) -> Stream:
    """The stream of an actor's account, by its id."""
    return Stream(kinds.PERSON, uuid5(NAMESPACE, f"person:{actor}"))


def evidence_stream(digest: str) -> Stream:
    """The stream of a file, by its digest."""
    return Stream(kinds.EVIDENCE, uuid5(NAMESPACE, f"evidence:{digest}"))


def squad_stream(squad: str) -> Stream:
    """The stream of a squad's roster, by its code in the standard."""
    return Stream(kinds.SQUAD, uuid5(NAMESPACE, f"squad:{squad}"))


def squad_day_stream(squad: str, day: date) -> Stream:
    """The stream of a squad's visits on a civil day in China."""
    return Stream(kinds.SQUAD_DAY, uuid5(NAMESPACE, f"squad-day:{squad}:{day.isoformat()}"))


def order_stream(source: str, number: str) -> Stream:
    """The stream of another body's order, by its source and its number there. How the number is written makes no other
    order: ``js_2026〔3〕`` and ``JS-2026-3`` are one."""
    return Stream(kinds.ORDER, uuid5(NAMESPACE, f"order:{source}:{order_number(number)}"))


def order_number(number: str) -> str:
    """The one form in which order numbers are compared: large letters and digits, single hyphens between them. A number
    of large letters, digits and hyphens is its own form, as it always was."""
    plain = unicodedata.normalize("NFKC", number).upper()
    return plain if re.fullmatch(r"[A-Z0-9][A-Z0-9-]*", plain) else "-".join(re.findall(r"[A-Z0-9]+", plain))


def crew_stream(crew: str) -> Stream:
    """The stream of a repair crew, by its code; writing it large or small does not make another crew."""
    return Stream(kinds.CREW, uuid5(NAMESPACE, f"crew:{crew.lower()}"))


def shipped_standard() -> Standard:
    """The "0225" standard as shipped in infra/data."""
    text = (resources.files("infra") / "data" / "standard-0225.json").read_bytes()
    return in_sections(_STANDARD.decode(text))


def shipped_standards() -> tuple[Standard, ...]:
    """Every shipped standard, oldest first: "0225", and what the law of 2026-06-01 changed in it."""
    first = shipped_standard()
    changes = (resources.files("infra") / "data" / "standard-2026-06.json").read_bytes()
    return first, trial_standard_of(changes, {first.version: first}, first.version)


def shipped_trials() -> dict[str, bytes]:
    """The example standards for a trial (`tongshui what-if`), by their names."""
    folder = resources.files("infra") / "data" / "what-if"
    return {file.name.removesuffix(".json"): file.read_bytes() for file in folder.iterdir()}


def shipped_catalogue() -> CataloguePublished:
    """The fee catalogue as shipped in infra/data; its amounts and document numbers are examples."""
    text = (resources.files("infra") / "data" / "fees-0225.json").read_bytes()
    return _CATALOGUE.decode(text)


def shipped_law() -> LawPublished:
    """The articles that the program rests on, as shipped in infra/data; each says where it was read."""
    return _LAW.decode((resources.files("infra") / "data" / "law.json").read_bytes())


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


def first_publication(at: datetime) -> list[tuple[Stream, EventToAppend]]:
    """What a new installation publishes before anything else."""
    return [
        *((STANDARDS, EventToAppend(as_published(standard), at)) for standard in shipped_standards()),
        (calendar_stream(SHIPPED_REGION), EventToAppend(shipped_calendar(), at)),
        (FEES, EventToAppend(shipped_catalogue(), at)),
        (LAW, EventToAppend(shipped_law(), at)),
    ]


def missing_publications(states: Mapping[UUID, Any], at: datetime) -> list[tuple[Stream, EventToAppend, Stamp]]:
    """What the program ships and the store has not yet, by the folded streams.

    A standard that the utility published itself is never replaced: only one that an older program shipped is.
    """
    missing = [(stream, said, FIRST_START) for stream, said in first_publication(at) if stream.id not in states]
    standards: Standards | None = states.get(STANDARDS.id)
    if standards is not None and standards.published[-1].version in SHIPPED_BEFORE:
        newest = shipped_standards()[-1]
        upgraded = replace(newest, effective_from=max(at, newest.effective_from))
        missing.append((STANDARDS, EventToAppend(as_published(upgraded), at), UPGRADE))
    return missing


def rule_streams(states: Mapping[UUID, Any]) -> list[Stream]:
    """Every stream that rules come from, as far as the standards in ``states`` name the regions."""
    standards: Standards = states.get(STANDARDS.id) or Standards()
    regions = {region for standard in standards.published for region in standard.calendar_regions}
    return [STANDARDS, FEES, LAW, *(calendar_stream(region) for region in sorted(regions))]


def rules_from(states: Mapping[UUID, Any], position: int = 0) -> Rules:
    """The rules from the folded streams. Raises LookupError where a standard or a calendar is not published."""
    standards: Standards = states.get(STANDARDS.id) or Standards()
    catalogues: Catalogues = states.get(FEES.id) or Catalogues()
    calendars = [
        publication for state in states.values() if isinstance(state, Calendars) for publication in state.published
    ]
    laws: Laws = states.get(LAW.id) or Laws()
    return make_rules(
        standards.published, calendars, catalogues.published, position, [law for _, law in laws.published]
    )


def shipped_rules() -> Rules:
    """The shipped rules without any store: for unit tests and `tongshui due`."""
    epoch = datetime(2021, 1, 1, tzinfo=UTC)
    states: dict[UUID, Any] = {}
    for stream, stated in first_publication(epoch):
        known = states.get(stream.id)
        states[stream.id] = stream.kind.evolve(known, Recorded(stated.fact, stream.id, 1, epoch))
    return rules_from(states)

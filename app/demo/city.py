"""What happens in the demo city: a pure, seeded plan of cases, each a list of requests with the time each is due.

Real: kind, pipe size and time of day of every fault report (see ``data/README.md``), and the number of applications by
category and channel (240 published). Simulated: everything else, and everybody.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

from app.demo.applications import APPLICATION_DAYS, PUBLISHED_CATEGORIES, PUBLISHED_CHANNELS, applications
from app.demo.community import CREWS, consultations, crews, preservices, squads, works
from app.demo.outages import outages, outages_of_a_year
from app.demo.script import Request, Scene, Script, Who, digest, person
from domain.deadlines.calendar import LOCAL
from domain.standard.standards import Rules

__all__ = [
    "CREWS",
    "PUBLISHED_CATEGORIES",
    "PUBLISHED_CHANNELS",
    "START",
    "Request",
    "Script",
    "connections",
    "plan",
    "year",
]

START = datetime(2026, 9, 14, 0, 0, tzinfo=UTC)
"""Monday 2026-09-14, 08:00 in China: the week before a make-up working Sunday, two before the Mid-Autumn holiday."""
DAYS_OF_A_YEAR = 365
OPENING = "opening"
"""How the names of the opening scenes begin."""
URBAN = ("zhenxi", "donghe", "qianzhou", "jifeng", "shijiachong")
OTHER = ("shuangtang", "aizhai", "majingao", "hexi", "danqing")
MENDING = {"small": (70, 262), "medium": (180, 520), "major": (360, 1200)}
"""Minutes from a report until a repair of that class is done: at the soonest, at the latest."""


class Roster:
    """Who is on which incident when: a crew is never on two at once, nor sent within half an hour of the one before."""

    MARGIN = timedelta(minutes=30)

    @property
    def crews(self) -> tuple[str, ...]:
        """Every crew that there is."""
        return tuple(self._taken)

    def __init__(self) -> None:
        self._taken: dict[str, list[tuple[datetime, datetime]]] = {crew: [] for crew in CREWS}

    def free(self, rng: random.Random, begin: datetime, end: datetime) -> str:
        """Some crew that is free all that time; where there is none, one more."""
        known = rng.sample(list(self._taken), len(self._taken))
        one_more = f"crew-{len(known) + 1:02d}"
        crew = next((crew for crew in known if self._is_free(crew, begin, end)), one_more)
        self._taken.setdefault(crew, []).append((begin, end + self.MARGIN))
        return crew

    def _is_free(self, crew: str, begin: datetime, end: datetime) -> bool:
        return all(until <= begin or end + self.MARGIN <= since for since, until in self._taken[crew])


def plan(seed: int, rules: Rules, start: datetime = START, opens_at: datetime | None = None) -> list[Script]:
    """Every case of the demo, by the time of its first request. ``opens_at``: of the opening scenes, where the clock
    has run on since ``start`` until everything was up."""
    rng = random.Random(seed)
    roster = Roster()
    repairs = [*_opening_scenes(rng, opens_at or start, roster), *_repairs(rng, start, roster)]
    further = crews(start, roster.crews[len(CREWS) :])
    return _by_first_request([*repairs, *further, *outages(start), *connections(seed, rules, start)])


def year(seed: int, rules: Rules, start: datetime = START) -> list[Script]:
    """A whole year of the city: each real report on its own day of the year, the published period's 240 applications
    spread over all of it, and two planned outages a week."""
    rng = random.Random(f"year {seed}")
    roster = Roster()
    repairs = [
        _repair(
            f"{report['source']}-{report['id']}", report, _in_year(report, start), Scene(rng), _arrival(rng), roster
        )
        for report in reports()
    ]
    further = crews(start, roster.crews[len(CREWS) :])
    planned = outages_of_a_year(rng, start)
    return _by_first_request([*repairs, *further, *planned, *connections(seed, rules, start, DAYS_OF_A_YEAR)])


def _in_year(report: dict[str, str], start: datetime) -> datetime:
    """The report's own time of day on its own day of the year, in the year from ``start`` on."""
    reported = datetime.fromisoformat(report["reported"])
    first = start.astimezone(LOCAL)
    day_of_the_year = timedelta(days=reported.timetuple().tm_yday - 1)
    for year in (first.year, first.year + 1):
        at = datetime.combine(date(year, 1, 1) + day_of_the_year, reported.time(), LOCAL)
        if at > first:
            break
    return at.astimezone(UTC)


def connections(seed: int, rules: Rules, start: datetime = START, days: int = APPLICATION_DAYS) -> list[Script]:
    """The published period alone: crews and squads, the 240 applications spread over the first ``days``, and what was
    done ahead of building and besides."""
    # A generator of its own: what is made up here does not depend on how many repairs there are.
    rng = random.Random(f"connections {seed}")
    return _by_first_request(
        [
            *crews(start),
            *squads(start),
            *applications(rng, start, rules, days),
            *preservices(rng, start, rules.calendar),
            *consultations(rng, start, rules.calendar),
            *works(start, rules.calendar),
        ]
    )


def _by_first_request(scripts: Sequence[Script]) -> list[Script]:
    return sorted(scripts, key=lambda script: script.requests[0].at)


# ---- repairs


def reports() -> list[dict[str, str]]:
    """The shipped extract of real fault reports."""
    text = (resources.files("app.demo") / "data" / "repairs.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _opening_scenes(rng: random.Random, start: datetime, roster: Roster) -> Iterator[Script]:
    """The first two faults show, within a minute, what the system is for: a lapse that stands, one that falls away."""
    first, second = reports()[:2]
    at = start + timedelta(minutes=2)
    yield _repair(f"{OPENING}-forgot", first, at, Scene(rng), (24, 52), roster)
    yield _repair(f"{OPENING}-late", second, at + timedelta(minutes=1), Scene(rng), (45, 46), roster)


def _repairs(rng: random.Random, start: datetime, roster: Roster) -> Iterator[Script]:
    """Each real report on a demo day of its own weekday, at its own time of day."""
    for report in reports()[2:]:
        reported = datetime.fromisoformat(report["reported"])
        monday = start.astimezone(LOCAL).replace(hour=0, minute=0)
        days = reported.weekday() + 7 * rng.randrange(2)
        at = monday + timedelta(days=days, hours=reported.hour, minutes=reported.minute, seconds=reported.second)
        if at.astimezone(UTC) > start + timedelta(minutes=5):
            name = f"{report['source']}-{report['id']}"
            yield _repair(name, report, at.astimezone(UTC), Scene(rng), _arrival(rng), roster)


def _arrival(rng: random.Random) -> tuple[float, float]:
    """(minutes until the crew is there, minutes until it says so): on time, late, or on time and forgot to say."""
    fate = rng.random()
    if fate < 0.78:
        there = rng.uniform(8, 27)
        return there, there + rng.uniform(0, 1)
    if fate < 0.89:
        there = rng.uniform(32, 70)
        return there, there + rng.uniform(0, 1)
    return rng.uniform(12, 28), rng.uniform(38, 90)


def severity_of(report: dict[str, str]) -> str:
    """Small up to DN 50, medium up to DN 150, major above; small where the size is not published."""
    size = int(report["asset_size_mm"] or 0)
    return "small" if size <= 50 else "medium" if size <= 150 else "major"


def _repair(
    name: str,
    report: dict[str, str],
    at: datetime,
    scene: Scene,
    arrival: tuple[float, float],
    roster: Roster,
) -> Script:
    rng = scene.rng
    there, said = (at + timedelta(minutes=minutes) for minutes in arrival)
    assessed = said + scene.minutes(4, 20)
    done = max(at + scene.minutes(*MENDING[severity_of(report)]), assessed + timedelta(minutes=10))
    crew = roster.free(rng, at, done)
    channel = rng.choice(("hotline", "hotline", "hotline", "wechat", "website"))
    dispatcher, on_site = ("dispatcher-1", "dispatcher", "office"), (crew, "crew", "crew-phone")
    district = rng.choice(URBAN if rng.random() < 0.8 else OTHER)
    fault = {"kind": report["kind"], "district": district, "reporter": person(rng)}
    scene.tell(at, "", fault, ("hotline-2", "hotline", channel))
    reports = 1
    if rng.random() < 0.15:
        again = at + scene.minutes(3, 20)
        # Every third of them complained to the city's 12345, which hands the report on with a number of its own.
        order = {"order": {"source": "hotline-12345", "number": f"D-{name.upper()}"}} if rng.random() < 0.33 else {}
        scene.tell(again, "/reports", {"reporter": person(rng), **order}, ("hotline-3", "hotline", "hotline"))
        reports += 1
    sent = at + scene.minutes(1, 4)
    scene.instruct(sent, "/dispatch", {"crew": crew}, dispatcher)
    if rng.random() < 0.9:
        seen = sent + scene.minutes(0.5, 3)
        scene.tell(seen, "/acknowledgement", {"crew": crew}, on_site)
    _arrive(scene, name, said, there, on_site)
    _mend(scene, report, assessed, done, on_site, dispatcher)
    _answer(scene, done, reports)
    return scene.script(name, "repairs")


def _arrive(scene: Scene, name: str, said: datetime, there: datetime, on_site: Who) -> None:
    """Most crews tell their arrival with its evidence. Of the others some send a photo within hours, and some forget
    it: their arrival lapses a day later, and it shows."""
    proof = _evidence(scene.rng)
    # By a number of its own: who forgets the evidence changes nothing else of the city.
    fate = 0.0 if name.startswith(OPENING) else random.Random(f"evidence {name}").random()
    told = {"crew": on_site[0]} | ({"evidence": proof} if fate < 0.88 else {})
    scene.tell(said, "/arrival", told, on_site, there)
    if 0.88 <= fate < 0.95:
        photo = {"evidence": {"photo_digest": proof["photo_digest"]}}
        scene.tell(said + timedelta(hours=3), "/arrival/evidence", photo, on_site, about="/arrival")


def _mend(scene: Scene, report: dict[str, str], assessed: datetime, done: datetime, on_site: Who, office: Who) -> None:
    reason = f"dn-{report['asset_size_mm']}" if report["asset_size_mm"] else "size-not-published"
    scene.tell(assessed, "/assessment", {"severity": severity_of(report), "reason": reason}, on_site)
    if severity_of(report) == "major":
        _log_work(scene, assessed, done, on_site)
    scene.tell(done, "/completion", {}, on_site)
    flows = done + scene.minutes(1, 20)
    scene.tell(flows, "/restoration", {}, on_site)
    scene.instruct(flows + scene.minutes(20, 60), "/closure", {}, office)


def _answer(scene: Scene, done: datetime, reports: int) -> None:
    """Whoever reported is called back within hours of the repair; now and then somebody is forgotten, and it shows."""
    for report in range(1, reports + 1):
        if scene.rng.random() < 0.95:
            at = done + scene.minutes(30, 600)
            scene.tell(at, f"/reports/{report}/answer", {"way": "phone"}, ("hotline-2", "hotline", "hotline"))


def _log_work(scene: Scene, assessed: datetime, done: datetime, on_site: Who) -> None:
    """A major repair is logged every hour and a half or so; now and then a log is forgotten, and the gap shows."""
    at = assessed + scene.minutes(70, 105)
    while at < done:
        if scene.rng.random() < 0.92:
            note = scene.rng.choice(("excavating", "cutting", "fitting", "welding", "pressure-test"))
            scene.tell(at, "/work-logs", {"note": note, "crew": on_site[0]}, on_site)
        at += scene.minutes(70, 105)


def _evidence(rng: random.Random) -> dict[str, Any]:
    distance = round(rng.uniform(3, 60))
    return {
        "inside_geofence": distance <= 50,
        "distance_m": distance,
        "accuracy_m": round(rng.uniform(4, 15)),
        "photo_digest": digest(rng),
    }


def counted(scripts: Sequence[Script], name: str) -> dict[str, int]:
    """Applications by ``category`` or ``channel``, for the comparison with the published figures."""
    counts: dict[str, int] = {}
    for script in scripts:
        if script.kind == "connections":
            first = script.requests[0]
            value = first.channel if name == "channel" else first.body["category"]
            counts[value] = counts.get(value, 0) + 1
    return counts

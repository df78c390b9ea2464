"""What happens in the demo city: a pure, seeded plan of cases, each a list of requests with the time each is due.

Real: kind, pipe size and time of day of every fault report (see ``data/README.md``), and the number of applications by
category and channel (240 published). Simulated: who applies when, crews, arrivals, assessments, completions, meters.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Literal

from domain.calendar import LOCAL, Calendar

PUBLISHED_CATEGORIES = {"business": 37, "institution": 14, "prefecture-platform": 2, "private": 187}
"""The 240 intakes of the published period, by applicant category (the report's own total, 238, is not their sum)."""
PUBLISHED_CHANNELS = {"website": 12, "wechat": 8, "hotline": 10, "platform": 2, "counter": 208}
"""The same 240 by channel; the report gives 20 online, split here between website and WeChat."""

START = datetime(2026, 9, 14, 0, 0, tzinfo=UTC)
"""Monday 2026-09-14, 08:00 in China: the week before a make-up working Sunday, two before the Mid-Autumn holiday."""
APPLICATION_DAYS = 10
URBAN = ("zhenxi", "donghe", "qianzhou", "jifeng", "shijiachong")
OTHER = ("shuangtang", "aizhai", "majingao", "hexi", "danqing")
CREWS = tuple(f"crew-{number:02d}" for number in range(1, 13))
SURNAMES = "王李张刘陈杨黄赵吴周石龙彭向田"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the API. ``path`` is below the case's own path; the first request creates the case.

    ``at`` is when it is sent; ``happened_at`` what it claims, None for instructions.
    """

    at: datetime
    path: str
    body: dict[str, Any]
    actor: str
    role: str
    channel: str
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """One case: its requests in order of sending."""

    name: str
    kind: Literal["repairs", "connections"]
    requests: tuple[Request, ...]


@dataclass(slots=True)
class _Scene:
    """A script being written."""

    rng: random.Random
    requests: list[Request] = field(default_factory=list)

    def minutes(self, low: float, high: float) -> timedelta:
        return timedelta(seconds=round(self.rng.uniform(low, high) * 60))

    def add(self, at: datetime, path: str, body: dict[str, Any], who: tuple[str, str, str], **options: Any) -> None:
        self.requests.append(Request(at, path, body, *who, **options))


def plan(seed: int, calendar: Calendar, start: datetime = START) -> list[Script]:
    """Every case of the demo, by the time of its first request."""
    rng = random.Random(seed)
    scripts = [*_opening_scenes(rng, start), *_repairs(rng, start), *_connections(rng, start, calendar)]
    return sorted(scripts, key=lambda script: script.requests[0].at)


# ---- repairs


def reports() -> list[dict[str, str]]:
    """The shipped extract of real fault reports."""
    text = (resources.files("infra.demo") / "data" / "repairs.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _opening_scenes(rng: random.Random, start: datetime) -> Iterator[Script]:
    """The first two faults show, within a minute, what the system is for: a lapse that stands, one that falls away."""
    first, second = reports()[:2]
    at = start + timedelta(minutes=2)
    yield _repair("opening-forgot", first, at, _Scene(rng), arrival=(24, 52))
    yield _repair("opening-late", second, at + timedelta(minutes=1), _Scene(rng), arrival=(45, 46))


def _repairs(rng: random.Random, start: datetime) -> Iterator[Script]:
    """Each real report on a demo day of its own weekday, at its own time of day."""
    for report in reports()[2:]:
        reported = datetime.fromisoformat(report["reported"])
        monday = start.astimezone(LOCAL).replace(hour=0, minute=0)
        days = reported.weekday() + 7 * rng.randrange(2)
        at = monday + timedelta(days=days, hours=reported.hour, minutes=reported.minute, seconds=reported.second)
        if at.astimezone(UTC) > start + timedelta(minutes=5):
            yield _repair(f"{report['source']}-{report['id']}", report, at.astimezone(UTC), _Scene(rng), _arrival(rng))


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


def _repair(name: str, report: dict[str, str], at: datetime, scene: _Scene, arrival: tuple[float, float]) -> Script:
    rng, crew = scene.rng, scene.rng.choice(CREWS)
    channel = rng.choice(("hotline", "hotline", "hotline", "wechat", "website"))
    dispatcher, on_site = ("dispatcher-1", "dispatcher", "office"), (crew, "crew", "crew-phone")
    district = rng.choice(URBAN if rng.random() < 0.8 else OTHER)
    fault = {"kind": report["kind"], "district": district, "reporter": _person(rng)}
    scene.add(at, "", fault, ("hotline-2", "hotline", channel), happened_at=at)
    if rng.random() < 0.15:
        again = at + scene.minutes(3, 20)
        scene.add(again, "/reports", {"reporter": _person(rng)}, ("hotline-3", "hotline", channel), happened_at=again)
    sent = at + scene.minutes(1, 4)
    scene.add(sent, "/dispatch", {"crew": crew}, dispatcher)
    if rng.random() < 0.9:
        seen = sent + scene.minutes(0.5, 3)
        scene.add(seen, "/acknowledgement", {"crew": crew}, on_site, happened_at=seen)
    there, said = (at + timedelta(minutes=minutes) for minutes in arrival)
    scene.add(said, "/arrival", {"crew": crew, "evidence": _evidence(rng)}, on_site, happened_at=there)
    _mend(scene, report, at, said, on_site, dispatcher)
    return Script(name, "repairs", tuple(sorted(scene.requests, key=lambda request: request.at)))


def _mend(
    scene: _Scene,
    report: dict[str, str],
    at: datetime,
    arrived: datetime,
    on_site: tuple[str, str, str],
    dispatcher: tuple[str, str, str],
) -> None:
    severity = severity_of(report)
    assessed = arrived + scene.minutes(4, 20)
    reason = f"dn-{report['asset_size_mm']}" if report["asset_size_mm"] else "size-not-published"
    scene.add(assessed, "/assessment", {"severity": severity, "reason": reason}, on_site, happened_at=assessed)
    spans = {"small": (70, 262), "medium": (180, 520), "major": (360, 1200)}
    done = max(at + scene.minutes(*spans[severity]), assessed + timedelta(minutes=10))
    scene.add(done, "/completion", {}, on_site, happened_at=done)
    flows = done + scene.minutes(1, 20)
    scene.add(flows, "/restoration", {}, on_site, happened_at=flows)
    scene.add(flows + scene.minutes(20, 60), "/closure", {}, dispatcher)


def _evidence(rng: random.Random) -> dict[str, Any]:
    distance = round(rng.uniform(3, 60))
    return {
        "inside_geofence": distance <= 50,
        "distance_m": distance,
        "accuracy_m": round(rng.uniform(4, 15)),
        "photo_digest": f"sha256:{rng.getrandbits(256):064x}",
    }


def _person(rng: random.Random) -> dict[str, str]:
    """Somebody made up."""
    return {
        "name": rng.choice(SURNAMES) + rng.choice("建秀国桂春玉明金"),
        "phone": f"1{rng.choice('3578')}{rng.randrange(10**9):09d}",
        "address": f"示例路{rng.randrange(1, 400)}号",
    }


# ---- connections


def _connections(rng: random.Random, start: datetime, calendar: Calendar) -> Iterator[Script]:
    """The 240 applications of the published mix, spread over the demo's first days."""
    categories = _shuffled(rng, PUBLISHED_CATEGORIES)
    channels = _shuffled(rng, PUBLISHED_CHANNELS)
    # What came over the approval platform are the platform's own applicants.
    _pair(categories, channels, "prefecture-platform", "platform")
    for number, (category, channel) in enumerate(zip(categories, channels, strict=True), start=1):
        at = start + timedelta(minutes=rng.uniform(1, APPLICATION_DAYS * 24 * 60))
        yield _connection(number, category, channel, at.replace(microsecond=0), _Scene(rng), calendar)


def _shuffled(rng: random.Random, counts: dict[str, int]) -> list[str]:
    items = [name for name, count in counts.items() for _ in range(count)]
    rng.shuffle(items)
    return items


def _pair(categories: list[str], channels: list[str], category: str, channel: str) -> None:
    """Move the channel's places to those of the category."""
    wanted = [place for place, name in enumerate(categories) if name == category]
    for place in wanted:
        if channels[place] != channel:
            other = next(p for p, name in enumerate(channels) if name == channel and categories[p] != category)
            channels[place], channels[other] = channels[other], channels[place]


def _connection(number: int, category: str, channel: str, at: datetime, scene: _Scene, calendar: Calendar) -> Script:
    rng = scene.rng
    points = rng.choice((1, 2, 3)) if category == "business" else 1
    applicant = _person(rng) | {"id_number": f"4331{rng.randrange(10**13):013d}X"}
    body = {"category": category, "supply_points": points, "applicant": applicant}
    scene.add(at, "", body, ("counter-1", "counter", channel), happened_at=at)
    admitted = at + scene.minutes(1, 90)
    scene.add(admitted, "/admission", {}, ("counter-1", "counter", "counter"), happened_at=admitted)
    for point in range(1, points + 1):
        on_at = _water_on(rng, admitted, calendar) + timedelta(minutes=point)
        body = {"meter": _meter(rng, number, point, on_at)}
        who = (f"squad-{1 + number % 3}", "squad", "crew-phone")
        scene.add(on_at, f"/supply-points/{point}/water-on", body, who, happened_at=on_at)
    return Script(f"application-{number}", "connections", tuple(sorted(scene.requests, key=lambda r: r.at)))


def _water_on(rng: random.Random, admitted: datetime, calendar: Calendar) -> datetime:
    """During office hours of the first to fourth working day; one in twenty-five on the sixth or seventh."""
    days = rng.choice((6, 7)) if rng.random() < 0.04 else rng.choice((1, 1, 2, 2, 3, 3, 4))
    day = calendar.add_working_days(admitted.astimezone(LOCAL).date(), days)
    minute = rng.randrange(9 * 60, 17 * 60)
    return datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=LOCAL).astimezone(UTC)


def _meter(rng: random.Random, number: int, point: int, at: datetime) -> dict[str, Any]:
    verified = at.astimezone(LOCAL).date() - timedelta(days=rng.randrange(20, 200))
    return {
        "number": f"WM{number:04d}{point:02d}",
        "body_code": f"LXS-20E-{rng.randrange(10**6):06d}",
        "dn_mm": 20,
        "verified_on": verified.isoformat(),
        "expires_on": verified.replace(year=verified.year + 6, day=min(verified.day, 28)).isoformat(),
        "initial_reading_m3": "0.000",
        "dial_max_m3": 99999,
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

"""What the demo's utility does besides applications: crews and squads, service before building, consultations, works.

Four users served ahead of building and five pump rooms in five communities are published; who and where is made up.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from app.demo.script import MANAGER, Scene, Script, digest, on_day, person
from domain.deadlines.calendar import Calendar, local_date

PUMP_ROOMS = (
    ("renmin-road", "人民北路社区加压泵房", 412),
    ("wuling", "武陵社区加压泵房", 356),
    ("tuanjie", "团结社区加压泵房", 288),
    ("xiangyang", "向阳社区加压泵房", 540),
    ("jixiang", "吉象社区加压泵房", 198),
)
"""Community, name, households served."""
RENOVATIONS = (("guangming", "光明社区老旧管网改造", 0),)
PRESERVICES = (
    ("business", "pipe-information", "drawings"),
    ("business", "secondary-supply-design", "plan"),
    ("institution", "connection-design", "drawings"),
    ("business", "connection-design", "plan"),
)
"""Category, service, what was handed over."""
CONSULTATIONS = ("technical", "documents", "fees", "technical", "progress", "documents")


DISTRICTS = (
    "zhenxi",
    "donghe",
    "qianzhou",
    "jifeng",
    "shijiachong",
    "shuangtang",
    "aizhai",
    "majingao",
    "hexi",
    "danqing",
)
"""Codes of the districts of the shipped standard: where the crews begin their shift."""
CREWS = tuple(f"crew-{number:02d}" for number in range(1, 31))


def crews(start: datetime, codes: Sequence[str] = CREWS) -> Iterator[Script]:
    """The repair crews, formed and at work before anybody is sent: who dispatches a crew that nobody formed is refused,
    and one that is at work and was seen somewhere is suggested."""
    for code in codes:
        number = int(code.rpartition("-")[2])
        scene = Scene(random.Random(number))
        crew = {"crew": code, "name_zh": f"抢修 {number} 班", "skills": ["pipes"], "lead": f"lead-{number}"}
        scene.instruct(start, "", crew, MANAGER)
        on_site = (f"lead-{number}", "crew", "crew-phone")
        scene.tell(start, "/shift/start", {}, on_site)
        where = {"district": DISTRICTS[number % len(DISTRICTS)]}
        scene.tell(start, "/position", where, on_site)
        yield scene.script(code, "crews")


def squads(start: datetime) -> Iterator[Script]:
    """The three door-to-door squads, formed before anything else."""
    for number in (1, 2, 3):
        members = [f"fitter-{number}{letter}" for letter in "abc"]
        scene = Scene(random.Random(number))
        scene.instruct(start + timedelta(seconds=number), "", {"squad": f"squad-{number}", "members": members}, MANAGER)
        yield scene.script(f"squad-{number}", "squads")


def preservices(rng: random.Random, start: datetime, calendar: Calendar) -> Iterator[Script]:
    """Companies are given pipe data and guidance before they build."""
    for number, (category, service, deliverable) in enumerate(PRESERVICES, start=1):
        scene = Scene(rng)
        asked, given = _two_moments(rng, start, calendar)
        body: dict[str, Any] = {"service": service, "category": category, "applicant": person(rng)}
        scene.tell(asked, "", body, ("hotline-1", "hotline", "hotline"))
        scene.tell(given, "/given", {"deliverable": deliverable, "digest": digest(rng)}, OWNER)
        yield scene.script(f"preservice-{number}", "preservices")


OWNER = ("owner-3", "case-owner", "office")


def consultations(rng: random.Random, start: datetime, calendar: Calendar) -> Iterator[Script]:
    """Questions before applying, answered at once."""
    for number, topic in enumerate(CONSULTATIONS, start=1):
        scene = Scene(rng)
        asked, _ = _two_moments(rng, start, calendar)
        scene.tell(asked, "", {"topic": topic}, ("hotline-1", "hotline", "hotline"))
        yield scene.script(f"consultation-{number}", "consultations")


def _two_moments(rng: random.Random, start: datetime, calendar: Calendar) -> tuple[datetime, datetime]:
    """Two moments in office hours, a few working days apart."""
    first = calendar.add_working_days(local_date(start), rng.randrange(1, 5))
    second = calendar.add_working_days(first, rng.randrange(1, 4))
    return on_day(first, rng.randrange(540, 1020)), on_day(second, rng.randrange(540, 1020))


def works(start: datetime, calendar: Calendar) -> Iterator[Script]:
    """Five pump rooms that are completed in the period, and a renovation that goes on."""
    first = local_date(start)
    for number, (community, name_zh, households) in enumerate((*PUMP_ROOMS, *RENOVATIONS), start=1):
        scene = Scene(random.Random(number))
        kind = "pump-room" if number <= len(PUMP_ROOMS) else "pipe-renovation"
        body = {"kind": kind, "community": community, "name_zh": name_zh}
        scene.tell(start + timedelta(minutes=number), "", body, MANAGER)
        scene.tell(on_day(calendar.add_working_days(first, 1), 540 + number), "/start", {}, CREW_LEAD)
        if households:
            done = on_day(calendar.add_working_days(first, 2 + number), 960 + number)
            scene.tell(done, "/completion", {"households_served": households}, CREW_LEAD)
        yield scene.script(f"work-{number}", "works")


CREW_LEAD = ("crew-lead-1", "crew-lead", "crew-phone")

"""Planned outages of the demo, made up: one that keeps its word; one that takes longer than was announced, twice; a
small one that needs no approval and is put off; and one whose water goes off before the announced time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from app.demo.community import DISTRICTS
from app.demo.script import MANAGER, Scene, Script, Who, digest

DISPATCHER: Who = ("dispatcher-1", "dispatcher", "office")


def outages(start: datetime) -> Iterator[Script]:
    """Four planned outages, told to the users on the page a day and more ahead."""
    yield _outage(1, start + timedelta(minutes=3), ["zhenxi", "donghe"], 1_200, begin_h=30, end_h=33, over_h=32.75)
    yield _outage(2, start + timedelta(hours=4), ["qianzhou"], 640, begin_h=46, end_h=50, over_h=53, extended_h=52)
    yield _outage(3, start + timedelta(hours=5), ["hexi"], 90, begin_h=40, end_h=42, over_h=65.5, put_off_h=64)
    yield _outage(4, start + timedelta(hours=6), ["shijiachong"], 150, begin_h=34, end_h=38, over_h=33, off_h=28)


def _outage(
    number: int,
    planned: datetime,
    districts: list[str],
    users: int,
    *,
    begin_h: float,
    end_h: float,
    over_h: float,
    extended_h: float | None = None,
    put_off_h: float | None = None,
    off_h: float | None = None,
) -> Script:
    """Hours count from the planning. ``extended_h``: the end that is announced when it is seen to take longer;
    ``put_off_h``: the beginning that is announced instead of the first; ``off_h``: when water goes off, where that is
    not the announced time."""
    scene = Scene(random.Random(number))

    def after(hours: float) -> datetime:
        return planned + timedelta(hours=hours)

    def times(begin: float) -> dict[str, str]:
        return {"begin": after(begin).isoformat(), "end": after(begin + end_h - begin_h).isoformat()}

    body: dict[str, Any] = {"districts": districts, "affected_users": users, **times(begin_h)}
    if users > LARGE:
        body |= {"approval": f"示例停水批复〔2026〕{number}号", "supply": "tanker"}
    scene.instruct(planned, "/planned", body, MANAGER)
    scene.instruct(after(0.1), "/notices/order", {"way": "page"}, DISPATCHER)
    if put_off_h is not None:
        scene.instruct(after(2), "/new-times", times(put_off_h), MANAGER)
        scene.instruct(after(2.1), "/notices/order", {"way": "page"}, DISPATCHER)
    if off_h is not None:
        scene.tell(after(off_h), "/water-off", {}, DISPATCHER)
    else:
        scene.instruct(after(put_off_h or begin_h), "/start", {}, DISPATCHER)
    if extended_h is not None:
        scene.instruct(after(end_h - 0.5), "/extension", {"end": after(extended_h).isoformat()}, DISPATCHER)
        scene.instruct(after(end_h - 0.4), "/notices/order", {"way": "page"}, DISPATCHER)
    scene.tell(after(over_h), "/restoration", {}, DISPATCHER)
    return scene.script(f"outage-{number}", "outages")


# ---- a year of them


A_YEAR_OF_THEM = 104
"""Planned outages of a year: two a week."""
COURSES = {
    "as-announced": 58,
    "longer-and-told": 9,
    "longer": 8,
    "put-off-and-told": 8,
    "put-off": 4,
    "called-off-and-told": 5,
    "early": 5,
    "late": 4,
    "hardly-told": 3,
}
"""How many of them take which course. Nothing is published of how often that happens: it is made up."""


def outages_of_a_year(rng: random.Random, start: datetime) -> Iterator[Script]:
    """104 planned outages. The users are told on a board, by hand: no sender is at work while a year is played."""
    courses = [course for course, count in COURSES.items() for _ in range(count)]
    rng.shuffle(courses)
    for number, course in enumerate(courses, start=1):
        planned = start + timedelta(days=3.5 * (number - 1), hours=rng.uniform(0, 60))
        yield _outage_of_a_year(number, planned.replace(microsecond=0), course, rng)


def _outage_of_a_year(number: int, planned: datetime, course: str, rng: random.Random) -> Script:
    scene = Scene(rng)
    begin = planned + timedelta(hours=round(rng.uniform(30, 72)))
    end = begin + timedelta(hours=rng.choice((2, 3, 4, 6, 8)))

    def told(at: datetime) -> None:
        scene.tell(at, "/notices", {"way": "page", "digest": digest(rng)}, DISPATCHER)

    users = rng.randrange(40, LARGE)
    body = {"districts": [rng.choice(DISTRICTS)], "affected_users": users, **_times(begin, end)}
    # Also approved: under the law until 2026-05-31 every planned outage was.
    scene.instruct(planned, "/planned", body | {"approval": f"示例停水批复〔2026〕{number}号"}, MANAGER)
    told(begin - timedelta(hours=23) if course == "hardly-told" else planned + scene.minutes(10, 120))
    if course.startswith("called-off"):
        scene.instruct(planned + timedelta(hours=8), "/cancellation", {"reason": "work-postponed"}, MANAGER)
        told(planned + timedelta(hours=8, minutes=20))
        return scene.script(f"outage-{number}", "outages")
    if course.startswith("put-off"):
        later = timedelta(hours=round(rng.uniform(26, 50)))
        begin, end = begin + later, end + later
        moved = planned + timedelta(hours=6)
        scene.instruct(moved, "/new-times", _times(begin, end), MANAGER)
        if course == "put-off-and-told":
            told(moved + scene.minutes(10, 90))
    off = {"early": -scene.minutes(45, 600), "late": scene.minutes(45, 110)}.get(course, scene.minutes(-10, 15))
    scene.tell(begin + off, "/water-off", {}, DISPATCHER)
    over = end - scene.minutes(5, 60)
    if course.startswith("longer"):
        over = end + scene.minutes(40, 240)
        scene.instruct(end - timedelta(minutes=20), "/extension", {"end": (over + ENOUGH).isoformat()}, DISPATCHER)
        if course == "longer-and-told":
            told(end - timedelta(minutes=5))
    scene.tell(max(over, begin + off + timedelta(hours=1)), "/restoration", {}, DISPATCHER)
    return scene.script(f"outage-{number}", "outages")


def _times(begin: datetime, end: datetime) -> dict[str, str]:
    return {"begin": begin.isoformat(), "end": end.isoformat()}


ENOUGH = timedelta(minutes=30)
LARGE = 500
"""Users from which on an outage of the demo is approved, also under the law that asked it of every one."""

"""Planned outages of the demo, made up: one that keeps its word, one that takes longer than was announced, twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from app.demo.script import MANAGER, Scene, Script, Who

DISPATCHER: Who = ("dispatcher-1", "dispatcher", "office")


def outages(start: datetime) -> Iterator[Script]:
    """Two planned outages, told to the users on the page a day and more ahead."""
    yield _outage(1, start + timedelta(minutes=3), ["zhenxi", "donghe"], 1_200, begin_h=30, end_h=33, over_h=32.75)
    yield _outage(2, start + timedelta(hours=4), ["qianzhou"], 640, begin_h=46, end_h=50, over_h=53, extended_h=52)


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
) -> Script:
    """Hours count from the planning. ``extended_h``: the end that is announced when it is seen to take longer."""
    scene = Scene(random.Random(number))

    def after(hours: float) -> datetime:
        return planned + timedelta(hours=hours)

    body = {
        "districts": districts,
        "affected_users": users,
        "begin": after(begin_h).isoformat(),
        "end": after(end_h).isoformat(),
        "approval": f"示例停水批复〔2026〕{number}号",
    }
    scene.instruct(planned, "/planned", body, MANAGER)
    scene.instruct(after(0.1), "/notices/order", {"way": "page"}, DISPATCHER)
    scene.instruct(after(begin_h), "/start", {}, DISPATCHER)
    if extended_h is not None:
        scene.instruct(after(end_h - 0.5), "/extension", {"end": after(extended_h).isoformat()}, DISPATCHER)
        scene.instruct(after(end_h - 0.4), "/notices/order", {"way": "page"}, DISPATCHER)
    scene.tell(after(over_h), "/restoration", {}, DISPATCHER)
    return scene.script(f"outage-{number}", "outages")

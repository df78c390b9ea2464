"""A script: one case of the demo as the requests that make it, each with the time it is due; and people made up."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from domain.deadlines.calendar import LOCAL

ScriptKind = Literal["repairs", "connections", "crews", "squads", "works", "preservices", "consultations", "outages"]
Who = tuple[str, str, str]
"""Actor, role, channel."""

SURNAMES = "王李张刘陈杨黄赵吴周石龙彭向田"
MANAGER: Who = ("manager-1", "manager", "office")


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the API. ``path`` is below the case's own path; the first request creates the case.

    ``at`` is when it is sent; ``happened_at`` what it claims, None for instructions. ``refusal``: the code that it is
    meant to be refused with. ``second``: who stands behind it beside the actor, and in which role. ``about``: the path
    of an earlier request of the script; the body names its first event.
    """

    at: datetime
    path: str
    body: dict[str, Any]
    actor: str
    role: str
    channel: str
    happened_at: datetime | None = None
    refusal: str | None = None
    second: tuple[str, str] | None = None
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """One case: its requests in order of sending."""

    name: str
    kind: ScriptKind
    requests: tuple[Request, ...]


@dataclass(slots=True)
class Scene:
    """A script being written. ``instruct`` says what is done when it is said, ``tell`` what happened at a time."""

    rng: random.Random
    requests: list[Request] = field(default_factory=list)

    def minutes(self, low: float, high: float) -> timedelta:
        return timedelta(seconds=round(self.rng.uniform(low, high) * 60))

    def instruct(
        self,
        at: datetime,
        path: str,
        body: dict[str, Any],
        who: Who,
        refusal: str | None = None,
        second: Who | None = None,
    ) -> None:
        behind = second[:2] if second is not None else None
        self.requests.append(Request(at, path, body, *who, refusal=refusal, second=behind))

    def tell(
        self,
        at: datetime,
        path: str,
        body: dict[str, Any],
        who: Who,
        happened_at: datetime | None = None,
        about: str | None = None,
    ) -> None:
        self.requests.append(Request(at, path, body, *who, happened_at=happened_at or at, about=about))

    def script(self, name: str, kind: ScriptKind) -> Script:
        """What was written, in order of sending; of two at one time the one written first."""
        return Script(name, kind, tuple(sorted(self.requests, key=lambda request: request.at)))


def person(rng: random.Random) -> dict[str, str]:
    """Somebody made up."""
    return {
        "name": rng.choice(SURNAMES) + rng.choice("建秀国桂春玉明金"),
        "phone": f"1{rng.choice('3578')}{rng.randrange(10**9):09d}",
        "address": f"示例路{rng.randrange(1, 400)}号",
    }


def digest(rng: random.Random) -> str:
    """The digest of a file that does not exist."""
    return f"sha256:{rng.getrandbits(256):064x}"


def on_day(day: date, minute: int) -> datetime:
    """The instant so many minutes after midnight in China."""
    return datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=LOCAL).astimezone(UTC)

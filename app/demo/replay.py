"""The published period replayed: its applications through the real rulebook, as fast as the machine goes.

Which days the published period had is not known, so the demo's are played, on a stage (``app.demo.stage``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields

import msgspec
import psycopg
from psycopg.rows import dict_row

from app.demo import city
from app.demo.stage import Stage, database, fill
from infra.clock import ManualClock
from infra.embedded.errors import EmbeddedError
from infra.eventstore.service import open_service
from infra.eventstore.shipped_rules import shipped_rules
from infra.postgres.migrate import migrate
from infra.settings import Settings
from infra.sql import sql
from projections.reports.figures import PeriodFigures, figures
from projections.reports.figures_text import as_object, as_text


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What came of it. ``refused`` counts refusals by code, ``astray`` those that the plan did not mean; ``seconds`` is
    real time."""

    seed: int
    applications: int
    by_category: Mapping[str, int]
    by_channel: Mapping[str, int]
    requests: int
    asked: int
    events: int
    refused: Mapping[str, int]
    astray: Mapping[str, int]
    seconds: float
    figures: PeriodFigures

    @property
    def is_accounted_for(self) -> bool:
        """Whether every application that was played is counted, by category and by channel, and under way or over."""
        found = self.figures
        return (
            found.applications == self.applications == sum(found.by_outcome.values())
            and dict(found.by_category) == dict(self.by_category)
            and dict(found.by_channel) == dict(self.by_channel)
        )


def replay_published(settings: Settings, seed: int, database_url: str | None = None) -> ReplayResult:
    """Play the published period on an empty database: the given one, or a fresh embedded one that is gone afterwards.

    Raises EmbeddedError ``database-not-empty``, and what PostgreSQL raises.
    """
    with database(database_url) as url:
        migrate(url)
        require_empty(url, "a replay makes up 240 applications", "name an empty database, or none at all")
        replaying = settings.model_copy(update={"database_url": url, "kafka_bootstrap": "", "demo": True})
        return _replay(replaying, seed)


def report(found: ReplayResult, *, as_json: bool) -> str:
    """What came of it, for a terminal or as one JSON object."""
    counted = found.is_accounted_for
    if as_json:
        played = {f.name: getattr(found, f.name) for f in fields(found) if f.name != "figures"}
        answer = {"played": played, "accounted_for": counted, **as_object(found.figures, beside=True)}
        return msgspec.json.encode(answer).decode()
    refused = ", ".join(f"{code} {count}" for code, count in found.refused.items()) or "none"
    lines = [
        f"played {found.applications} applications: {found.requests} requests, {found.asked} questions of the watch, "
        f"{found.events} events in {found.seconds:g} s (the period's days are not published; the demo's were played)",
        f"refused as planned: {refused}" if not found.astray else f"REFUSED AGAINST THE PLAN: {dict(found.astray)}",
        "every application is accounted for 件件有着落" if counted else "NOT EVERY APPLICATION IS ACCOUNTED FOR",
        "",
        as_text(found.figures, beside=True, as_json=False),
    ]
    return "\n".join(lines)


def require_empty(url: str, why: str, next_step: str) -> None:
    """Raise EmbeddedError "database-not-empty" where there are events. ``why``: there must be none."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        head = connection.execute(sql("log_head")).fetchone()
    assert head is not None
    if head["position"]:
        raise EmbeddedError(
            "database-not-empty",
            found=f"a database with {head['position']} events",
            needed=f"an empty one: {why}",
            next_step=next_step,
        )


def _replay(settings: Settings, seed: int) -> ReplayResult:
    begun = time.monotonic()
    rules = shipped_rules()
    scripts = city.connections(seed, rules)
    clock = ManualClock(city.START)
    service = open_service(settings, clock=clock)
    try:
        stage = Stage(service, clock)
        asyncio.run(stage.play(scripts))
    finally:
        service.close()
    with psycopg.connect(settings.database_url, row_factory=dict_row) as connection:
        events = fill(settings, connection)
        found = figures(connection)
    return ReplayResult(
        seed=seed,
        applications=sum(script.kind == "connections" for script in scripts),
        by_category=dict(sorted(city.counted(scripts, "category").items())),
        by_channel=dict(sorted(city.counted(scripts, "channel").items())),
        requests=sum(len(script.requests) for script in scripts),
        asked=stage.asked,
        events=events,
        refused=dict(stage.refused),
        astray=dict(stage.astray),
        seconds=round(time.monotonic() - begun, 1),
        figures=found,
    )

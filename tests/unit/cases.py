"""Builders: a case played in memory, as the store shell plays it, without any store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import kinds
from domain.connections.facts import ApplicationAdmitted, ApplicationReceived
from domain.deadlines.windows import Window, WindowFact
from domain.kernel.facts import Fact, Recorded, event_id
from domain.kernel.subjects import Subject
from domain.kinds import Kind
from domain.metering.meters import MeterDetails
from domain.repairs.facts import ArrivalEvidence, FaultReported
from domain.standard.context import NOBODY, CommandContext, Person
from domain.standard.standards import Rules

NINE = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
"""Wednesday 2026-09-16, 09:00 in China."""
SUBJECT = Subject(UUID(int=7), 1)
CASE = UUID(int=1)
ON_SITE = ArrivalEvidence(inside_geofence=True, distance_m=20, accuracy_m=8, photo_digest=None)
"""The evidence of an arrival; one without counts provisionally under the shipped standard."""


def minutes(count: float) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=count)


@dataclass
class Play:
    """A case in the making: each ``say`` appends a fact, then what follows by rule, then what the rulebook concludes.

    ``followed`` and ``concluded`` keep the last two kinds, in order.
    """

    kind: Kind
    rules: Rules
    case_id: UUID = CASE
    state: Any = None
    version: int = 0
    followed: list[Fact] = field(default_factory=list)
    concluded: list[WindowFact] = field(default_factory=list)

    def say(
        self, fact: Fact, happened_at: datetime, at: datetime | None = None, *, by: Person = NOBODY, channel: str = ""
    ) -> list[WindowFact]:
        """The fact happened then and is recorded ``at`` (default: when it happened). Returns the conclusion. A tuple
        is several facts of one decision."""
        for one in fact if isinstance(fact, tuple) else (fact,):
            self.append(one, happened_at, by, channel)
        return self.conclude(at or happened_at)

    def append(self, fact: Fact, happened_at: datetime, by: Person = NOBODY, channel: str = "") -> None:
        self.version += 1
        id_ = event_id(self.case_id, self.version)
        recorded = Recorded(fact, id_, self.version, happened_at, by.actor, by.role, channel)
        self.state = self.kind.evolve(self.state, recorded)

    def conclude(self, at: datetime) -> list[WindowFact]:
        """What the rulebook adds at an instant, as when the watch asks."""
        while following := kinds.follows(self.kind, self.state, self.rules, at):
            for stated in following:
                self.followed.append(stated.fact)
                self.append(stated.fact, stated.happened_at, Person("tongshui", "system"), "system")
        facts = list(kinds.conclusion(self.kind, self.state, self.rules, at))
        for fact in facts:
            self.append(fact, at)
        self.concluded += facts
        return facts

    def windows(self, at: datetime) -> dict[str, Window]:
        return {window.commitment: window for window in kinds.windows(self.kind, self.state, self.rules, at)}


def names(facts: Sequence[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


def repairing(rules: Rules, *, zone: str = "urban", at: datetime = NINE) -> Play:
    """An incident reported at nine."""
    play = Play(kinds.REPAIR, rules)
    district = "qianzhou" if zone == "urban" else "aizhai"
    play.say(FaultReported("BX-1", "leak", district, zone, SUBJECT), at)  # type: ignore[arg-type]
    return play


def connecting(rules: Rules, *, points: int = 1, admitted_at: datetime = NINE) -> Play:
    """An application received and admitted at nine."""
    play = Play(kinds.CONNECTION, rules)
    play.append(ApplicationReceived("BZ-1", "private", points, SUBJECT), admitted_at)
    play.say(ApplicationAdmitted(), admitted_at)
    return play


def meter(number: str = "M-1", **changes: Any) -> MeterDetails:
    values: dict[str, Any] = {
        "number": number,
        "body_code": "LXS-20E-000001",
        "dn_mm": 20,
        "verified_on": date(2026, 6, 1),
        "expires_on": date(2032, 6, 1),
        "initial_reading_m3": Decimal("0.000"),
        "dial_max_m3": 99999,
    }
    return MeterDetails(**(values | changes))


def context(
    rules: Rules,
    happened_at: datetime,
    at: datetime | None = None,
    channel: str = "crew-phone",
    role: str = "crew",
    actor: str = "",
    confirmed_by: str | None = None,
) -> CommandContext:
    """Somebody in that role says that it happened then; taken down ``at`` (default: when it happened)."""
    return CommandContext(
        happened_at, at or happened_at, channel, rules, Person(actor or f"{role}-1", role), confirmed_by
    )

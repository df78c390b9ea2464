"""The worked example of an explanation: a pause, a calendar revision, a lapse, and its retraction.

Admitted on Wednesday 16 September 2026; by the calendar of that day due on the 22nd. On the 17th a revision takes the
20th and 21st off: due on the 24th, where it lapses. On the 25th a pause from the 18th to the 19th, asked for in time,
is approved late: the lapse falls away and water is due on the 28th, when it is turned on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from domain import kinds
from domain.connections import facts as said
from domain.deadlines.calendar import CalendarPublished, Day
from domain.kernel.facts import EventToAppend, Fact
from infra.eventstore.commands import Command, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.shipped_rules import shipped_calendar
from tests.unit.cases import SUBJECT, meter

STREAM = Stream(kinds.CONNECTION, UUID(int=225))
NUMBER = "BZ-2026-000001"
DIGEST = "sha256:" + "0" * 64
FOLDER = Path(__file__).parent / "unit" / "explained"
LAPSED_AT = datetime(2026, 9, 24, 10, 0, tzinfo=UTC)
RETRACTED_AT = datetime(2026, 9, 28, 10, 0, tzinfo=UTC)
OVER = datetime(2026, 10, 1, 1, 0, tzinfo=UTC)


def revised_calendar() -> CalendarPublished:
    """The shipped calendar with the prefecture's founding day off; hypothetical."""
    shipped = shipped_calendar()
    off = {day: Day(day, True, "州庆") for day in (date(2026, 9, 20), date(2026, 9, 21))}
    days = {known.date: known for known in shipped.days} | off
    return replace(shipped, version="2026-2", days=tuple(days[day] for day in sorted(days)), source="hypothetical")


def tell_worked_example(service: Any, publish: Callable[[CalendarPublished], None]) -> UUID:
    """Tell it to a service with a clock that can be set; ``publish`` puts the revision into force. The case's id."""

    steps = count(1)

    def at(day: int, hour: int, minute: int = 0) -> datetime:
        now = datetime(2026, 9, day, hour - 8, minute, tzinfo=UTC)
        service.clock.set(now)
        return now

    def say(actor: str, role: str, *facts: Fact, happened_at: datetime | None = None) -> None:
        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            return [(STREAM, EventToAppend(fact, happened_at or snapshot.at)) for fact in facts]

        service.run(Command(STREAM, Stamp(actor, role, "website", f"step {next(steps)}", "example"), decide))

    at(16, 9)
    papers = [said.DocumentSupplied(document, "upload", DIGEST) for document in ("identity", "property-right")]
    say("applicant", "applicant", said.ApplicationReceived(NUMBER, "private", 1, SUBJECT), *papers)
    at(17, 10)
    publish(revised_calendar())
    asked_at = at(18, 9)
    say("owner-1", "case-owner", said.PauseRequested(1, "government-permit", DIGEST), happened_at=asked_at)
    at(19, 10)
    say("owner-1", "case-owner", said.PauseEnded(1))
    at(24, 17, 30)
    say("tongshui", "system")
    at(25, 9)
    say("manager-1", "manager", said.PauseApproved(1))
    at(28, 15)
    say("crew-1", "crew", said.WaterTurnedOn(1, SUBJECT, meter()))
    service.clock.set(OVER)
    return STREAM.id


def text_of(name: str) -> str:
    """A fixture: what the command prints."""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")

"""Builders for the recount: a case played in memory, with every event also as it is published."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from eventsourcing.persistence import JSONTranscoder

from consumers.recount.policy import Policy
from consumers.recount.published_events import PublishedEvent, from_line
from consumers.recount.record import ComparisonTime, Disagreement, compare
from consumers.recount.verify import COUNTED
from domain import kinds
from domain.deadlines.calendar import CalendarPublished
from domain.kernel.facts import Fact
from domain.standard.context import NOBODY, Person
from domain.standard.flat import as_published
from domain.standard.standards import Standard
from infra.eventstore.commands import Stamp
from infra.eventstore.envelope import CloudEventMapper, Envelope, seal
from infra.eventstore.shipped_rules import shipped_calendar, shipped_standards
from tests.unit.cases import NINE, Play

LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)


@dataclass
class Published(Play):
    """A play that keeps what would be on the topics."""

    events: list[PublishedEvent] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    """The same as the bytes of the records."""

    def append(self, fact: Fact, happened_at: datetime, by: Person = NOBODY, channel: str = "") -> None:
        super().append(fact, happened_at, by, channel)
        stamp = Stamp(by.actor, by.role, channel, "c", "c")
        envelope = Envelope(self.case_id, self.version, self.kind.topic, fact, happened_at, None, stamp)
        stored = CloudEventMapper(JSONTranscoder()).to_stored_event(envelope)
        self.lines.append(seal(stored.state, 100 + self.version, happened_at))
        self.events.append(from_line(self.lines[-1]))


def publication(name: str, document: object, published_at: datetime, position: int) -> PublishedEvent:
    """A standard or a calendar as an event of the public topic."""
    data = json.loads(msgspec.json.encode(document))
    case = UUID(int=1000 + position)
    return PublishedEvent(
        position, case, f"water.public.{name}.v1", case, 1, published_at, published_at, "system", data
    )


def published(standard: Standard, position: int = 1) -> PublishedEvent:
    return publication("StandardPublished", as_published(standard), LONG_AGO, position)


def policy_events(
    standards: Iterable[Standard] | None = None,
    calendars: Iterable[tuple[datetime, CalendarPublished]] | None = None,
) -> list[PublishedEvent]:
    """The publications that the rules of a play are made of; by default the shipped ones, and the standard that the
    stored histories were written under."""
    first, *later = shipped_standards()
    documents = list(standards or [replace(first, version="0225-4"), first, *later])
    days = list(calendars or [(LONG_AGO, shipped_calendar())])
    found = [published(document, position) for position, document in enumerate(documents, start=1)]
    return found + [publication("CalendarPublished", document, at, 50 + n) for n, (at, document) in enumerate(days)]


def standards_of(events: Iterable[PublishedEvent]) -> list[Standard]:
    """The shipped standards that events were judged by: the first one, and those that their windows name."""
    first, *later = shipped_standards()
    named = {event.data["basis"]["standard"] for event in events if event.name.startswith("Window")}
    return [replace(first, version="0225-4"), first, *(each for each in later if each.version in named)]


def policy_of(
    standards: Iterable[Standard] | None = None,
    calendars: Iterable[tuple[datetime, CalendarPublished]] | None = None,
) -> Policy:
    """The same as the recount's policy."""
    return Policy(policy_events(standards, calendars))


def as_line(event: PublishedEvent) -> str:
    """The event as a line of JSON."""
    return json.dumps(
        {
            "position": event.position,
            "id": str(event.id),
            "type": event.type,
            "subject": str(event.case),
            "caseversion": event.version,
            "time": event.at.isoformat(),
            "recordedat": event.recorded_at.isoformat(),
            "channel": event.channel,
            "commandid": event.command,
            "data": event.data,
        }
    )


def disagreements(events: list[PublishedEvent], policy: Policy, at: datetime = NINE) -> list[Disagreement]:
    """Where the record in these events of one case and the recount differ at an instant."""
    return compare(events, COUNTED[events[0].type](events, policy), ComparisonTime(at))


def assert_no_meeting_is_wrong(play: Published, at: datetime) -> None:
    """By the algebra and by its record: nothing is met before it was owed, nor by an arrival whose evidence is overdue.
    The recount of the same events agrees with them elsewhere."""
    unproven = overdue_arrivals(play, at)
    for window in kinds.windows(play.kind, play.state, play.rules, at):
        assert window.met_at is None or window.met_at >= window.opened_at, window
        if window.commitment == "repair.arrival" and window.met_at is not None:
            assert unproven.isdisjoint(window.basis.decided_by), window
        assert play.state.ledger[window.commitment].met_at == window.met_at


def overdue_arrivals(play: Published, at: datetime) -> set[UUID]:
    """The events of the arrivals that have no evidence though it had to be there by then, read off the events."""
    reports = [event for event in play.events if event.name in ("FaultReported", "ReportLinked")]
    taken_out = {event.data["report"] for event in play.events if event.name == "ReportUnlinked"}
    standing = [event for event in reports if event.data.get("report", 1) not in taken_out]
    begun = min(standing, key=lambda event: event.moment, default=None)
    if begun is None or begun.channel == "import":
        return set()
    needed = play.rules.in_force(begun.at).repair.arrival_evidence_minutes
    proven = {event.data["arrival"] for event in play.events if event.name == "ArrivalEvidenceSupplied"}
    return {
        event.id
        for event in play.events
        if needed is not None
        and event.name == "CrewArrived"
        and event.channel != "import"
        and event.data["evidence"] is None
        and str(event.id) not in proven
        and event.at + timedelta(minutes=needed) <= at
    }


def told_apart(found: list[Disagreement]) -> list[tuple[str, str, object, object]]:
    """Of disagreements what matters in a test."""
    return [(each.commitment, each.what, each.on_record, each.recounted) for each in found]

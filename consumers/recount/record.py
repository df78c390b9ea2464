"""The windows on record, read off their events, and where the recount says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from consumers.recount.count import RecountVerdict
from consumers.recount.published_events import PublishedEvent, instant, instant_or_none


@dataclass(slots=True)
class RecordedWindow:
    """One window as its events have it: the last word of each. ``lapses``: those that stand, by their end."""

    commitment: str
    number: int = 0
    opened_at: datetime | None = None
    due_at: datetime | None = None
    tentative: bool = False
    met_at: datetime | None = None
    on_time: bool | None = None
    provisional_until: datetime | None = None
    cancelled: str | None = None
    lapses: dict[datetime, PublishedEvent] = field(default_factory=dict)
    events: list[PublishedEvent] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it still runs, lapsed or not."""
        return self.met_at is None and self.cancelled is None

    def take(self, event: PublishedEvent) -> None:
        """The next event of the window. One with a number that was there already changes nothing."""
        data = event.data
        self.events.append(event)
        if data["number"] <= self.number:
            return
        self.number = data["number"]
        match event.name:
            case "WindowOpened" | "WindowMoved":
                self.opened_at = instant(data["opened_at"])
                self.due_at, self.tentative = instant_or_none(data["due_at"]), data["tentative"]
            case "WindowMet":
                self.met_at, self.on_time = instant(data["met_at"]), data["on_time"]
                self.provisional_until = instant_or_none(data.get("provisional_until"))
            case "WindowLapsed":
                self.lapses[instant(data["due_at"])] = event
            case "WindowRetracted":
                self.lapses.pop(instant(data["due_at"]), None)
            case "WindowReopened":
                self.met_at = self.on_time = self.cancelled = self.provisional_until = None
                self.due_at = instant_or_none(data["due_at"])
            case "WindowCancelled":
                self.met_at, self.on_time, self.cancelled = None, None, data["reason"]
                self.provisional_until = None


def on_record(events: Iterable[PublishedEvent]) -> dict[str, RecordedWindow]:
    """Commitment → its window, from the events of one case in the order of their versions."""
    found: dict[str, RecordedWindow] = {}
    for event in events:
        if event.name.startswith("Window"):
            commitment = event.data["commitment"]
            found.setdefault(commitment, RecordedWindow(commitment)).take(event)
    return found


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Record and recount say different things of one window. ``events``: those that say what is on record, and those
    that the recount stands on. ``commitment`` empty: it is of the case as a whole. ``after``: the version of the event
    after which it was so; None: it is so now."""

    case: UUID
    commitment: str
    what: str
    on_record: Any
    recounted: Any
    events: tuple[PublishedEvent, ...]
    after: int | None = None


@dataclass(frozen=True, slots=True)
class ComparisonTime:
    """As of when record and recount are compared. What ran out within ``grace`` before it need not be on record yet:
    whoever writes lapses down comes to it a moment later (our decision)."""

    at: datetime
    grace: timedelta = timedelta()


def compare(
    events: Sequence[PublishedEvent], verdicts: Iterable[RecountVerdict], look: ComparisonTime
) -> list[Disagreement]:
    """Every difference between the windows on record in these events of one case and the recounted ones."""
    record, counted = on_record(events), {each.commitment: each for each in verdicts}
    found = gaps(events)
    for commitment in sorted({*record, *counted}):
        window = record.get(commitment)
        recounted = _said(window, counted.get(commitment), look)
        for what, said, should in (*_between(window, recounted, look), *_within(window)):
            concerned = _concerned(events, window, recounted)
            found.append(Disagreement(events[0].case, commitment, what, said, should, concerned))
    return found


FieldDifference = tuple[str, Any, Any]


def _said(
    window: RecordedWindow | None, recounted: RecountVerdict | None, look: ComparisonTime
) -> RecountVerdict | None:
    """What is to be said by now; what was to be said ``grace`` ago is right too, where that is on record still."""
    if recounted is None:
        return None
    now, before = recounted.said_at(look.at), recounted.said_at(look.at - look.grace)
    return before if _between(window, now, look) and not _between(window, before, look) else now


def _between(
    window: RecordedWindow | None, recounted: RecountVerdict | None, look: ComparisonTime
) -> list[FieldDifference]:
    if window is None:
        return [("window", None, "opened")]
    if recounted is None:
        # What was promised for a while and is not any more is cancelled, and was never broken.
        gone: list[FieldDifference] = [] if window.cancelled else [("window", "open", "owed no more")]
        return gone + [("lapse", due_at, None) for due_at in sorted(window.lapses)]
    found: list[FieldDifference] = []
    if window.cancelled != recounted.cancelled:
        found.append(("cancelled", window.cancelled, recounted.cancelled))
    elif window.cancelled is None:
        for what in ("opened_at", "due_at", "tentative", "met_at", "provisional_until"):
            said, should = getattr(window, what), getattr(recounted, what)
            if said != should:
                found.append((what, said, should))
        if window.met_at is not None and window.met_at == recounted.met_at:
            in_time = recounted.due_at is None or window.met_at <= recounted.due_at
            if window.on_time is not in_time:
                found.append(("on_time", window.on_time, in_time))
    return found + _lapses(window.lapses, recounted, look)


def _lapses(
    standing: Mapping[datetime, PublishedEvent], recounted: RecountVerdict, look: ComparisonTime
) -> list[FieldDifference]:
    missing = {due for due in recounted.lapses if due <= look.at - look.grace} - standing.keys()
    forged = standing.keys() - {due for due in recounted.lapses if due <= look.at}
    return [("lapse", None, due) for due in sorted(missing)] + [("lapse", due, None) for due in sorted(forged)]


def _within(window: RecordedWindow | None) -> list[FieldDifference]:
    """What an event says against itself, or against the one before it."""
    found: list[FieldDifference] = []
    for before, event in enumerate(window.events if window is not None else ()):
        number = event.data["number"]
        if number != before + 1:
            found.append(("number", number, before + 1))
            break
        if event.name == "WindowMet":
            due_at = instant_or_none(event.data["due_at"])
            in_time = due_at is None or instant(event.data["met_at"]) <= due_at
            if event.data["on_time"] is not in_time:
                found.append(("on_time", event.data["on_time"], in_time))
        if event.name == "WindowLapsed" and instant(event.data["due_at"]) > event.recorded_at:
            found.append(("lapse before its end", event.recorded_at, instant(event.data["due_at"])))
    return found


def gaps(events: Sequence[PublishedEvent]) -> list[Disagreement]:
    """The versions of a case count up from one: where one is missing, an event is."""
    for wanted, event in enumerate(events, start=1):
        if event.version != wanted:
            return [Disagreement(event.case, "", "version", event.version, wanted, (event,))]
    return []


def _concerned(
    events: Sequence[PublishedEvent], window: RecordedWindow | None, recounted: RecountVerdict | None
) -> tuple[PublishedEvent, ...]:
    ids = {event.id for event in window.events} if window is not None else set()
    ids |= recounted.by if recounted is not None else frozenset()
    return tuple(event for event in events if event.id in ids)

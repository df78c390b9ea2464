"""The ladders after lapses, gone up a second time: by the record's own order, with the published standard beside it.

An escalation is no verdict: nothing is owed or broken by it, so it is not recounted from the facts. It is checked
against the lapse that it goes on from. Each must come once, after its lapse and not before its instant, while nobody
had taken the lapse in hand and the promise was still broken; and where that is so still, each whose instant has passed
must be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from consumers.recount.count import CHINA, DAY
from consumers.recount.policy import Policy, StandardDocument, close_of_business
from consumers.recount.published_events import PublishedEvent, instant, instant_or_none
from consumers.recount.record import ComparisonTime, Disagreement

MOOT = {
    "repair.arrival": ("RepairCompleted", "IncidentDismissed"),
    "repair.assessment": ("RepairCompleted", "IncidentDismissed"),
    "connection.notice": ("ApplicationAdmitted",),
}
"""Once this is told nobody need be called any more, though the promise stays unmet."""

LadderStep = Mapping[str, Any]


@dataclass
class LapseLadder:
    """One lapse and what went up its ladder. ``closed_at``: when it was on record that nobody need be called;
    ``in_hand``: because somebody has it in hand, or it was taken back, for good."""

    event: PublishedEvent
    due_at: datetime
    opened_at: datetime
    closed_at: datetime | None = None
    in_hand: bool = False
    said: list[PublishedEvent] = field(default_factory=list)


def ladders(events: Sequence[PublishedEvent], policy: Policy, look: ComparisonTime) -> list[Disagreement]:
    """What is wrong with the escalations in these events of one case, in the order of their versions."""
    found: list[Disagreement] = []
    commitments = {event.data["commitment"] for event in events if event.name.startswith("Window")}
    for commitment in sorted(commitments):
        lapses, wrong = _lapses(events, commitment)
        for lapse in lapses:
            wrong += _checked(lapse, policy, look)
        for what, said, should, concerned in wrong:
            found.append(Disagreement(events[0].case, commitment, what, said, should, concerned))
    return found


Wrong = tuple[str, Any, Any, tuple[PublishedEvent, ...]]


def _lapses(events: Sequence[PublishedEvent], commitment: str) -> tuple[list[LapseLadder], list[Wrong]]:
    """Every lapse of the promise with its escalations, and escalations that go on from nothing."""
    window = _Window(commitment)
    for event in events:
        if event.name in MOOT.get(commitment, ()):
            window.moot = True
            window.close(event)
        elif event.name.startswith("Window") and event.data["commitment"] == commitment:
            window.take(event)
    return list(window.lapses.values()), window.wrong


@dataclass
class _Window:
    """The promise as far as its ladders depend on it. ``over``: met or cancelled; ``moot``: nobody need be called."""

    commitment: str
    lapses: dict[int, LapseLadder] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)
    opened_at: datetime | None = None
    due_at: datetime | None = None
    over: bool = False
    moot: bool = False

    def take(self, event: PublishedEvent) -> None:
        data = event.data
        match event.name:
            case "WindowOpened":
                self.opened_at, self.due_at = instant(data["opened_at"]), instant_or_none(data["due_at"])
            case "WindowMoved":
                moved = instant_or_none(data["due_at"]) != self.due_at
                self.opened_at, self.due_at = instant(data["opened_at"]), instant_or_none(data["due_at"])
                if moved:
                    self.close(event)
            case "WindowLapsed":
                due_at = instant(data["due_at"])
                self.lapses[data["lapse"]] = LapseLadder(event, due_at, self.opened_at or due_at)
                if self.over or self.moot or self.due_at not in (None, due_at):
                    self.close(event)
            case "WindowMet" | "WindowCancelled":
                self.over = True
                self.close(event)
            case "WindowReopened":
                self.over, self.due_at = False, instant_or_none(data["due_at"])
                self.reopen()
            case "WindowRetracted" | "WindowAcknowledged" if data["lapse"] in self.lapses:
                lapse = self.lapses[data["lapse"]]
                lapse.in_hand, lapse.closed_at = True, lapse.closed_at or event.recorded_at
            case "WindowEscalated":
                self._escalated(event)

    def close(self, event: PublishedEvent) -> None:
        for lapse in self.lapses.values():
            lapse.closed_at = lapse.closed_at or event.recorded_at

    def reopen(self) -> None:
        """What had met it no longer stands: a lapse of the end that runs again is open again, unless it was in hand."""
        for lapse in self.lapses.values():
            if lapse.due_at == self.due_at and not lapse.in_hand and not self.moot:
                lapse.closed_at = None

    def _escalated(self, event: PublishedEvent) -> None:
        known = self.lapses.get(event.data["lapse"])
        if known is None:
            self.wrong.append(("escalated", event.data["step"], "a lapse before it", (event,)))
        elif known.closed_at is not None:
            ended = "nothing: the ladder had ended"
            self.wrong.append(("escalated", event.data["step"], ended, (known.event, event)))
        else:
            known.said.append(event)


def _checked(lapse: LapseLadder, policy: Policy, look: ComparisonTime) -> Iterator[Wrong]:
    standard = policy.version(lapse.event.data["basis"]["standard"])
    ladder = _ladder(standard, lapse.event.data["commitment"]) if standard is not None else ()
    calls = bool(lapse.event.data["notify"])
    steps = {step["name"]: step for step in ladder if calls}
    seen: set[str] = set()
    for event in lapse.said:
        step, concerned = event.data["step"], (lapse.event, event)
        if step in seen:
            yield "escalated twice", step, "once", concerned
        seen.add(step)
        if standard is None or step not in steps:
            yield "escalated", step, "no such step in the standard", concerned
        elif event.recorded_at < (earliest := _instant(steps[step], lapse, standard, policy, event.recorded_at)):
            yield "escalated before its step", event.recorded_at, earliest, concerned
    for name, step in steps.items():
        assert standard is not None, "a step is a standard's"
        due = max(_instant(step, lapse, standard, policy, look.at), lapse.event.recorded_at)
        # Of a ladder that has ended nobody can say from the record whether somebody looked while the step stood.
        if name not in seen and lapse.closed_at is None and due + look.grace <= look.at:
            yield "escalated", None, name, (lapse.event,)


def _ladder(standard: StandardDocument, commitment: str) -> Sequence[LadderStep]:
    ladders: Mapping[str, Sequence[LadderStep]] = standard.get("escalations", {})
    for name in (commitment, commitment.partition(".")[0] + ".*", "*"):
        if name in ladders:
            return ladders[name]
    return ()


def _instant(
    step: LadderStep, lapse: LapseLadder, standard: StandardDocument, policy: Policy, known_at: datetime
) -> datetime:
    """When the step is reached, by the calendar as it was published by ``known_at``."""
    if step.get("minutes") is not None:
        minutes: int = step["minutes"]
        return lapse.due_at + timedelta(minutes=minutes)
    if step.get("percent") is not None:
        percent: int = step["percent"]
        return lapse.due_at + (lapse.due_at - lapse.opened_at) * percent / 100
    calendars = policy.calendars_of(standard)
    calendar = ([each for each in calendars if each.published_at <= known_at] or calendars[:1])[-1]
    day, left = lapse.due_at.astimezone(CHINA).date(), step["working_days"]
    while left:
        day += DAY
        left -= calendar.is_worked(day)
    return _closing(day, close_of_business(standard))


def _closing(day: date, closes: time) -> datetime:
    return datetime.combine(day, closes, CHINA)

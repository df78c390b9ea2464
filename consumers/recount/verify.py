"""``tongshui verify``: every case on the topics recounted, and compared with the windows on record."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from consumers.coverage import Coverage, TopicReading
from consumers.recount import others
from consumers.recount.connections import ConnectionCount
from consumers.recount.ladder import ladders
from consumers.recount.policy import Policy
from consumers.recount.published_events import PublishedEvent, from_topic
from consumers.recount.record import ComparisonTime, Disagreement, compare, gaps, on_record
from consumers.recount.repairs import RepairCount
from consumers.timeline import LOCAL, UnknownCaseError
from infra.settings import Settings

GRACE = timedelta(minutes=1)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

Counting = Callable[[Sequence[PublishedEvent], Policy], list[Any]]
COUNTED: dict[str, Counting] = {
    "water.repair.FaultReported.v1": lambda events, policy: RepairCount(events, policy).verdicts(),
    "water.connection.ApplicationReceived.v1": lambda events, policy: ConnectionCount(events, policy).verdicts(),
    "water.repair.OrderReceived.v1": others.order,
    "water.repair.OutagePlanned.v1": others.outage,
    "water.repair.EmergencyOutageBegan.v1": others.outage,
    "water.repair.UnannouncedOutageBegan.v1": others.outage,
    "water.usage.UsageAnomalyFound.v1": others.usage,
    "water.usage.ReadingRoundOpened.v1": others.book,
}
"""What a case begins with → how its promises are counted. Of a case with windows that begins otherwise it is said that
it was not recounted."""


@dataclass
class RecountReport:
    """What came of it. ``not_recounted``: first event → how many cases with windows begin with it."""

    cases: int = 0
    windows: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)
    not_recounted: Counter[str] = field(default_factory=Counter)
    seen: Coverage | None = None
    """How much of the store was recounted; None: the events came from files, which are whatever they are."""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, in all of the store."""
        return not self.disagreements and (self.seen is None or self.seen.is_whole)


# ---- where events come from


def from_topics(settings: Settings) -> tuple[list[PublishedEvent], Coverage]:
    """Every event on the topics up to now, and how much of the store that is."""
    reading = TopicReading(settings, settings.home_topics)
    return [from_topic(event) for event in reading], reading.seen


# ---- the comparison


def verify(
    events: Iterable[PublishedEvent],
    *,
    case: str | None = None,
    at: datetime | None = None,
    grace: timedelta = GRACE,
    steps: bool = False,
    seen: Coverage | None = None,
) -> RecountReport:
    """Recount every case in these events, or the one with that id or number (raises UnknownCaseError).

    ``at``: as of when lapses must be on record; None: as of the newest event. ``steps``: also as it stood after each
    decision, by the policy of that moment; else what is on record last is compared. Raises NoPolicyError.
    """
    once: dict[tuple[UUID, int], PublishedEvent] = {}
    report = RecountReport(seen=seen)
    for event in events:
        first = once.setdefault((event.case, event.version), event)
        if (first.type, first.at, first.data) != (event.type, event.at, event.data):
            report.disagreements.append(
                Disagreement(event.case, "", "told twice", first.name, event.name, (first, event))
            )
    policy = Policy(event for event in once.values() if event.type.startswith("water.public."))
    newest = max((event.recorded_at for event in once.values()), default=NEVER)
    look = ComparisonTime(at or newest, grace)
    for stream in _streams(once.values(), case):
        _check(stream, policy, look, report)
        if steps and stream[0].type in COUNTED:
            report.disagreements += _at_each_step(stream, policy, grace, report.disagreements)
    return report


def _streams(events: Iterable[PublishedEvent], case: str | None) -> Iterator[list[PublishedEvent]]:
    """Each case's events by version; only the wanted one where one is."""
    found: defaultdict[UUID, list[PublishedEvent]] = defaultdict(list)
    for event in events:
        found[event.case].append(event)
    streams = [sorted(stream, key=lambda event: event.version) for stream in found.values()]
    if case is None:
        yield from streams
        return
    wanted = [stream for stream in streams if str(stream[0].case) == case or _has_number(stream, case)]
    if not wanted:
        raise UnknownCaseError(case)
    yield from wanted


def _has_number(stream: Sequence[PublishedEvent], number: str) -> bool:
    return any(number in (event.data.get("case_number"), event.data.get("number")) for event in stream)


def _check(stream: Sequence[PublishedEvent], policy: Policy, look: ComparisonTime, report: RecountReport) -> None:
    opened = stream[0].type
    counting = COUNTED.get(opened)
    record = on_record(stream)
    if counting is None:
        report.not_recounted[opened] += bool(record)
        # A case whose beginning is missing is no other kind of case.
        report.disagreements += gaps(stream) if record else []
        return
    report.cases += 1
    report.windows += len(record)
    applied = _policy_of(stream, policy, look, any(window.is_open for window in record.values()))
    report.disagreements += compare(stream, counting(stream, applied), look)
    report.disagreements += ladders(stream, policy, look)


def _at_each_step(
    stream: Sequence[PublishedEvent], policy: Policy, grace: timedelta, known: Sequence[Disagreement]
) -> list[Disagreement]:
    """What was wrong on record after a decision, whatever it became later; each difference at its first step.

    What one command appended belongs together: between its fact and its verdicts nothing is to be compared.
    """
    counting = COUNTED[stream[0].type]
    seen = {_difference(each) for each in known}
    found = []
    for place in range(1, len(stream)):
        before, following = stream[place - 1], stream[place]
        if before.command == following.command:
            continue
        part = stream[:place]
        look = ComparisonTime(before.recorded_at, grace)
        for each in compare(part, counting(part, policy.until(before.position)), look):
            if _difference(each) not in seen:
                seen.add(_difference(each))
                found.append(replace(each, after=before.version))
    return found


def _difference(each: Disagreement) -> tuple[object, ...]:
    return each.case, each.commitment, each.what, each.on_record, each.recounted


def _policy_of(stream: Sequence[PublishedEvent], policy: Policy, look: ComparisonTime, is_open: bool) -> Policy:
    """The policy that the verdicts stand under. An open window moves with what is published; a case that owes nothing
    more keeps the verdict of the policy that it was last judged under."""
    newest = policy.newest
    if newest is None or (is_open and newest.recorded_at <= look.at - look.grace):
        return policy
    return policy.until(stream[-1].position)


# ---- how it is told


def describe(report: RecountReport) -> Iterator[str]:
    """The report as lines; the last one has the counts."""
    for each in report.disagreements:
        where = f"case {each.case}" + (f" {each.commitment}" if each.commitment else "")
        where += f" after version {each.after}" if each.after is not None else ""
        yield f"{where}: {each.what}: on record {_value(each.on_record)}, recounted {_value(each.recounted)}"
        for event in each.events:
            yield f"    {event.version:>3}  {_value(event.at)}  {event.name:<22} {event.id}  position {event.position}"
    for opened, cases in sorted((+report.not_recounted).items()):
        yield f"not recounted: {cases} cases with windows that begin with {opened}"
    if report.seen is not None:
        yield from report.seen.lines()
    yield (
        f"verify: {report.cases} cases, {report.windows} windows recounted, "
        f"{len(report.disagreements)} disagreements, {report.not_recounted.total()} cases not recounted"
    )


def as_json(report: RecountReport) -> Iterator[str]:
    """A disagreement a line, then the counts."""
    for each in report.disagreements:
        yield json.dumps(
            {
                "case": str(each.case),
                "commitment": each.commitment,
                "what": each.what,
                "on_record": _plain(each.on_record),
                "recounted": _plain(each.recounted),
                "after": each.after,
                "events": [str(event.id) for event in each.events],
            }
        )
    yield json.dumps(
        {
            "cases": report.cases,
            "windows": report.windows,
            "disagreements": len(report.disagreements),
            "not_recounted": dict(+report.not_recounted),
            "seen": report.seen and report.seen.as_json(),
        }
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")
    return "nothing" if value is None else str(value)

"""Recount of a repair: arrival, completion, assessment, continuity and answer, from its published events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from consumers.recount.count import DayLimit, DueChange, RecountVerdict, after, day_end, since, verdict
from consumers.recount.policy import Policy, StandardDocument, close_of_business
from consumers.recount.published_events import PublishedEvent, first, in_time_order, named

DONE = "RepairCompleted"
DISMISSED = "IncidentDismissed"


class RepairCount:
    """One incident, sorted into what its promises are counted from."""

    def __init__(self, events: Sequence[PublishedEvent], policy: Policy) -> None:
        taken_out = {event.data["report"] for event in named(events, "ReportUnlinked")}
        reports = named(events, "FaultReported", "ReportLinked")
        self.reports = [each for each in reports if _number(each) not in taken_out]
        # Who left no way to be told is owed no answer.
        self.waiting = {_number(each) for each in self.reports if each.data.get("answer_owed", True)}
        self.first_report = in_time_order(self.reports)[0]
        opened = next(event for event in events if event.name == "FaultReported")
        # One burst is one incident: what was merged is promised by the case that it goes on in.
        self.is_merged = bool(named(events, "IncidentMerged"))
        self.zone = opened.data["zone"]
        # What a fault was found to be it was from the beginning; what was told last counts.
        corrected = [each.data["new"] for each in named(events, "DetailCorrected") if each.data["detail"] == "kind"]
        self.kind = ([opened.data["kind"]] + [each for each in corrected if each])[-1]
        self.policy = policy
        self.standard: StandardDocument = policy.in_force(self.first_report.at)
        # What was rejected did not happen so.
        rejected = {event.data["rejects"] for event in named(events, "EvidenceRejected")}
        stands = [event for event in events if str(event.id) not in rejected]
        begun = self.first_report.at
        self.arrivals = since(begun, named(stands, "CrewArrived"), self.standard)
        self.classes = in_time_order(named(events, "SeverityAssessed", "SeverityReassessed"))
        self.done = self._credible(named(stands, DONE))
        self.dismissals = self._credible(named(events, DISMISSED))
        self.restored = first(since(begun, named(stands, "WaterRestored"), self.standard))
        self.was_done_too_early = bool(named(stands, DONE)) and not self.done
        # Arrivals whose evidence followed.
        self.proven_later = {event.data["arrival"] for event in named(events, "ArrivalEvidenceSupplied")}
        self.logs = named(events, "WorkLogged", "ShiftHandedOver")
        self.answers = in_time_order(named(events, "ReporterAnswered"))
        # Imported history: nobody can say of it what nobody wrote down.
        self.is_history = self.first_report.channel in self.standard.get("history_channels", ())

    def verdicts(self) -> list[RecountVerdict]:
        """Every promise of the incident."""
        if self.is_merged:
            return []
        if self.is_history and self.was_done_too_early:
            return [_unknown("repair.arrival", self.first_report), _unknown("repair.completion", self.first_report)]
        found = [self._arrival(), self._completion(), self._assessment(), self._continuity(), self._answer()]
        return [each for each in found if each is not None]

    def _credible(self, told: Sequence[PublishedEvent]) -> list[PublishedEvent]:
        """Without what is said to be from before the first report. What is known by its day only stays in."""
        exact = since(self.first_report.at, told, self.standard)
        return [each for each in told if each in exact or _precision(each) != "second"]

    # ---- arrival

    def _arrival(self) -> RecountVerdict:
        """Some minutes from the first report until the first crew is on site."""
        begun, arrived = self.first_report, first(self.arrivals)
        if _precision(begun) != "second" or (arrived is None and self.is_history):
            return _unknown("repair.arrival", begun)
        due_at = after(begun.at, self.standard["arrival_minutes"][self.zone])
        changes = [DueChange(begun.at, due_at, (begun.id,))]
        proof_ends = [(each, self._proof_ends(each)) for each in self.arrivals]

        def said_from(instant: datetime | None) -> RecountVerdict:
            """What the arrivals say that still count then; None: all of them."""
            met = first([each for each, end in proof_ends if end is None or instant is None or end > instant])
            found = self._owed("repair.arrival", begun.at, changes, met)
            until = self._proof_ends(met) if met is not None and found.met_at is not None else None
            return replace(found, provisional_until=until)

        ends = sorted({end for _, end in proof_ends if end is not None})
        return replace(said_from(None), later=tuple((instant, said_from(instant)) for instant in ends))

    def _proof_ends(self, arrival: PublishedEvent) -> datetime | None:
        """When an arrival without evidence stops counting; None where it counts for good."""
        minutes = self.standard.get("arrival_evidence_minutes")
        is_history = self.is_history or arrival.channel in self.standard.get("history_channels", ())
        if minutes is None or is_history or arrival.data.get("evidence") is not None:
            return None
        return None if str(arrival.id) in self.proven_later else after(arrival.at, minutes)

    # ---- completion

    def _completion(self) -> RecountVerdict:
        """By the class: small until there is one. From the first report, or from arrival or assessment where the
        standard says so; a class given at some instant holds from then on."""
        begun, done = self.first_report, _exact_first(self.done)
        promised = self.standard.get("kind_limits", {}).get(self.kind)
        if promised is not None:
            return self._completion_in_days(promised, done)
        changes = self._completion_changes()
        if _precision(begun) != "second" or (done is not None and _cannot_be_told(done, changes[-1].due_at)):
            return _unknown("repair.completion", begun)
        return self._owed("repair.completion", begun.at, changes, done)

    def _completion_changes(self) -> list[DueChange]:
        begun, start = self.first_report, self._start_of_completion()
        severity = self.standard["unassessed_as"]
        changes = [self._completion_change(begun, begun, severity)]
        # At the start itself the class of before holds from then on, and a class that is the start changes it at once.
        steps: list[tuple[PublishedEvent, str | None]] = [(each, each.data["severity"]) for each in self.classes]
        if start is not begun:
            steps.append((start, None))
        steps.sort(key=lambda step: (step[0].moment, step[1] is not None))
        for event, named_class in steps:
            severity = named_class or severity
            from_where = start if start.moment <= event.moment else begun
            changes.append(self._completion_change(from_where, event, severity))
        return changes

    def _completion_in_days(self, promised: StandardDocument, done: PublishedEvent | None) -> RecountVerdict:
        """A report that is known by its day came in at some instant of it. The limit is counted from its first and from
        its last one; where the repair was done between the two ends, nobody can say whether that was in time."""
        begun = self.first_report
        changes = latest = self._changes_in_days(promised, done, begun.at)
        if _precision(begun) == "day":
            zone = self.policy.calendars_of(self.standard)[-1].zone
            latest = self._changes_in_days(promised, done, _last_instant(begun.at, zone))
        first_end, last_end = changes[-1].due_at, latest[-1].due_at
        assert first_end is not None
        assert last_end is not None
        if _precision(begun) == "by" or (done is not None and _may_be_either(done, first_end, last_end)):
            return _unknown("repair.completion", begun)
        return self._owed("repair.completion", begun.at, latest, done)

    def _changes_in_days(
        self, promised: StandardDocument, done: PublishedEvent | None, reported_at: datetime
    ) -> list[DueChange]:
        """A kind of fault with a limit of its own, in days, whatever its class."""
        found = []
        for start in (self.first_report, self._start_of_completion())[: 1 + self._starts_later()]:
            limit = DayLimit(
                reported_at if start is self.first_report else start.at,
                promised["days"],
                close_of_business(self.standard),
                civil=promised["unit"] == "civil",
                until_same_time=promised["ends"] == "same-time",
                hours=_hours(self.standard.get("intake")),
            )
            calendars = self.policy.calendars_of(self.standard)
            due_at, tentative = day_end(limit, calendars, done.at if done is not None else None)
            found.append(DueChange(start.at, due_at, (start.id,), tentative=tentative))
        return found

    def _starts_later(self) -> bool:
        return self._start_of_completion() is not self.first_report

    def _completion_change(self, start: PublishedEvent, event: PublishedEvent, severity: str) -> DueChange:
        minutes = self.standard["completion_minutes"][severity]
        due_at = None if minutes is None else after(start.at, minutes)
        # What was told for a time before the report holds from the report on.
        return DueChange(max(event.at, start.at), due_at, (start.id, event.id), "no-end-limit")

    def _start_of_completion(self) -> PublishedEvent:
        choice = self.standard.get("completion_from", "report")
        begun = self.first_report
        chosen = {"report": None, "arrival": first(self.arrivals), "assessment": first(self.classes)}[choice]
        return chosen if chosen is not None and chosen.moment > begun.moment else begun

    # ---- assessment

    def _assessment(self) -> RecountVerdict | None:
        """Some minutes from the first arrival until the first class is given."""
        arrived, minutes = first(self.arrivals), self.standard.get("assessment_minutes")
        if arrived is None or minutes is None:
            return None
        changes = [DueChange(arrived.at, after(arrived.at, minutes), (arrived.id,))]
        classed = first(since(self.first_report.at, self.classes, self.standard))
        return self._owed("repair.assessment", arrived.at, changes, classed)

    # ---- continuity

    def _continuity(self) -> RecountVerdict | None:
        """While the class is major, each log of the work is to be followed by another; until water flows."""
        gap = self.standard.get("continuity_minutes")
        if not gap:
            return None
        water = self.restored
        logs = [log for log in self.logs if water is None or log.at < water.at]
        changes: list[DueChange] = []
        is_major = False
        for event in in_time_order([*self.classes, *logs]):
            severity = event.data.get("severity")
            if severity == "major" or (severity is None and is_major):
                is_major = True
                changes.append(DueChange(event.at, after(event.at, gap), (event.id,)))
            elif severity is not None and is_major:
                is_major = False
                changes.append(DueChange(event.at, None, (event.id,), "no-longer-major"))
        return self._owed("repair.continuity", changes[0].at, changes, water) if changes else None

    # ---- answer

    def _answer(self) -> RecountVerdict | None:
        """From the end of the incident until everybody who reported it has been told, after it ended."""
        over, minutes = first([*self.done, *self.dismissals]), self.standard.get("answer_minutes")
        if over is None or minutes is None or not self.waiting:
            return None
        told: dict[int, PublishedEvent] = {}
        for answer in self.answers:
            report = answer.data["report"]
            if answer.at >= over.at and report not in told:
                told[report] = answer
        all_told = None
        if all(report in told for report in self.waiting):
            all_told = in_time_order(told[report] for report in self.waiting)[-1]
        if self.is_history and (all_told is None or _precision(over) != "second"):
            return _unknown("repair.answer", over)
        changes = [DueChange(over.at, after(over.at, minutes), (over.id,))]
        return verdict("repair.answer", over.at, changes, all_told)

    # ---- what a dismissal takes away

    def _owed(
        self, commitment: str, opened_at: datetime, changes: list[DueChange], met: PublishedEvent | None
    ) -> RecountVerdict:
        """The verdict, with what a dismissal takes away: what was open when it was dismissed is owed no more."""
        dismissed = _exact_first(self.dismissals)
        if dismissed is None or (met is not None and max(met.at, opened_at) <= dismissed.at):
            return verdict(commitment, opened_at, changes, met)
        begun = changes[0].at
        if _precision(dismissed) != "second":
            return verdict(commitment, opened_at, [DueChange(begun, None, (dismissed.id,), "unknown")], None)
        kept = [each for each in changes if each.at < dismissed.at]
        end = DueChange(max(dismissed.at, begun), None, (dismissed.id,), "dismissed")
        return verdict(commitment, opened_at, [*kept, end], None)


def _hours(intake: StandardDocument | None) -> tuple[time, time] | None:
    return (time.fromisoformat(intake["opens"]), time.fromisoformat(intake["until"])) if intake else None


def _number(report: PublishedEvent) -> int:
    return 1 if report.name == "FaultReported" else int(report.data["report"])


def _precision(event: PublishedEvent) -> str:
    return str(event.data.get("precision", "second"))


def _exact_first(events: Sequence[PublishedEvent]) -> PublishedEvent | None:
    """The first one known to the second; where none is, the first."""
    return first([each for each in events if _precision(each) == "second"]) or first(events)


def _cannot_be_told(done: PublishedEvent, due_at: datetime | None) -> bool:
    """Of a day it is only known that it was late where the day began after the end; of "by then" only that it was in
    time where that is not after the end."""
    if due_at is None:
        return False
    return {"second": False, "day": done.at <= due_at, "by": done.at > due_at}[_precision(done)]


def _last_instant(day_begun: datetime, zone: ZoneInfo) -> datetime:
    """Of a civil day by that place's clock; of a day that begins at another hour there, 24 hours on."""
    wall = day_begun.astimezone(zone)
    if wall.time() == time():
        return datetime.combine(wall.date(), time.max, zone).astimezone(UTC)
    return day_begun + timedelta(days=1, microseconds=-1)


def _may_be_either(done: PublishedEvent, first_end: datetime, last_end: datetime) -> bool:
    """Whether it may have been in time and may have been late, of a limit that ended between these two instants."""
    told = _precision(done)
    if told == "day":
        day_over = done.at + timedelta(hours=25)  # the longest day: its clocks are put back
        return day_over > first_end and done.at <= last_end
    return done.at > first_end if told == "by" else first_end < done.at <= last_end


def _unknown(commitment: str, begun: PublishedEvent) -> RecountVerdict:
    return verdict(commitment, begun.at, [DueChange(begun.at, None, (begun.id,), "unknown")], None)

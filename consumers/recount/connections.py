"""Recount of a connection: water on, notice, papers outstanding and trips, from its published events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from consumers.recount.count import (
    CountedPause,
    DayLimit,
    DueChange,
    RecountVerdict,
    after,
    closing,
    day_end,
    since,
    verdict,
)
from consumers.recount.policy import Policy, StandardDocument, close_of_business
from consumers.recount.published_events import PublishedEvent, first, in_time_order, named

BROKEN_PAPERS = "papers-commitment-broken"
FOR_GOOD = ("ApplicationWithdrawn", "ApplicationRefused", "CaseEnded")


@dataclass(slots=True)
class CaseStop:
    """The case stopped, and went on again at ``until`` (None: it did not)."""

    event: PublishedEvent
    until: PublishedEvent | None = None

    @property
    def reason(self) -> str:
        return str(self.event.data["reason"])

    @property
    def is_final(self) -> bool:
        return self.event.name in FOR_GOOD


class ConnectionCount:
    """One application, sorted into what its promises are counted from. Instructions count in the order in which they
    were given; what the promises are measured against is when it happened."""

    def __init__(self, events: Sequence[PublishedEvent], policy: Policy) -> None:
        self.events = events
        self.received = next(event for event in events if event.name == "ApplicationReceived")
        self.standard: StandardDocument = policy.in_force(self.received.at)
        self.close = close_of_business(self.standard)
        self.calendars = policy.calendars_of(self.standard)
        self.stops = _stops(events)
        self.notice = next(iter(named(events, "OneTimeNoticeGiven")), None)
        self.admitted = _last(named(events, "ApplicationAdmitted"))
        self.promised = _last(named(events, "PapersPromised"))
        self.water_on = self._water_on_at_all_points()

    def verdicts(self) -> list[RecountVerdict]:
        """Every promise of the application."""
        found = [self._notice(), self._water_on(), self._papers(), self._trips()]
        return [each for each in found if each is not None]

    # ---- water on

    def _water_on_at_all_points(self) -> PublishedEvent | None:
        """When the last supply point got water; None while one waits. A point that is told again is corrected."""
        on = {event.data["point"]: event for event in named(self.events, "WaterTurnedOn")}
        if len(on) < self.received.data["supply_points"]:
            return None
        return in_time_order(on.values())[-1]

    def _water_since(self, begun: datetime) -> PublishedEvent | None:
        """The same, where every point is said to have got water after the promise began."""
        on = {event.data["point"]: event for event in named(self.events, "WaterTurnedOn")}
        counts = len(since(begun, on.values(), self.standard)) == len(on)
        return self.water_on if counts else None

    def _pauses(self) -> tuple[CountedPause, ...]:
        """Approved and not revoked, in the order of their numbers."""
        caps = self.standard.get("pause_reasons", {})
        found: dict[int, CountedPause] = {}
        for number in sorted({event.data["pause"] for event in named(self.events, "PauseRequested")}):
            asked, later = self._pause_events(number)
            if "PauseApproved" in later and "PauseRevoked" not in later:
                cap = caps.get(asked.data["reason"], {}).get("cap_working_days", 0)
                ended = later.get("PauseEnded")
                found[number] = CountedPause(asked.at, ended.at if ended else None, cap)
        return (*found.values(), *self._uncounted_stages())

    def _uncounted_stages(self) -> list[CountedPause]:
        """The stretches of the stages for which the standard lets the clock stand, in the order of their names here."""
        surveys = named(self.events, "SurveyMade", "ApprovedOnSite")
        designs = named(self.events, "DesignApproved")
        done = _last(named(self.events, "ConstructionCompleted"))
        passed = [each for each in named(self.events, "FinalInspectionMade") if each.data["passed"]]
        stretches = {
            "survey": [(self.admitted, first(surveys))],
            "design": [(first(surveys), self._designed(designs))],
            "payment": self._unpaid(),
            "construction": [(first(named(self.events, "ConstructionStarted")), done)],
            "inspection": [(done, first(passed))],
        }
        caps = self.standard.get("uncounted_stages", {})
        return [
            CountedPause(since.at, until.at if until else None, caps[stage])
            for stage, found in stretches.items()
            if stage in caps
            for since, until in found
            if since is not None and (until is None or until.at > since.at)
        ]

    def _designed(self, designs: Sequence[PublishedEvent]) -> PublishedEvent | None:
        """The first design; an approval at the door is one too, where none was told before it."""
        known: PublishedEvent | None = None
        for event in self.events:
            if event.name == "DesignApproved":
                known = event if known is None or event.moment < known.moment else known
            elif event.name == "ApprovedOnSite":
                known = known or event
        return known

    def _unpaid(self) -> list[tuple[PublishedEvent | None, PublishedEvent | None]]:
        """From a quote, or a reversal, to the payment after which nothing of the quote is left to pay. Who was refunded
        owes that again."""
        owed: dict[str, int] = {}
        is_quoted = False
        money: dict[tuple[str, str], dict[str, int]] = {}
        found: list[tuple[PublishedEvent | None, PublishedEvent | None]] = []
        waits_since: PublishedEvent | None = None
        for event in self.events:
            if event.name == "QuoteIssued":
                owed, is_quoted = _lines(event), True
            elif event.name in ("PaymentReceived", "RefundMade"):
                money[_money_key(event)] = _lines(event)
            elif event.name in ("PaymentReversed", "RefundReversed"):
                money.pop(_money_key(event), None)
            if event.name not in ("QuoteIssued", "PaymentReceived", "PaymentReversed"):
                continue
            fees = {*owed, *(fee for lines in money.values() for fee in lines)}
            is_owed = is_quoted and any(_balance(owed, money, fee) > 0 for fee in fees)
            if is_owed and waits_since is None:
                waits_since = event
            elif not is_owed and waits_since is not None:
                found.append((waits_since, event))
                waits_since = None
        return [*found, (waits_since, None)]

    def _pause_events(self, number: int) -> tuple[PublishedEvent, dict[str, PublishedEvent]]:
        """The request of that number that was told last, and what was said of it since."""
        asked = _last([event for event in named(self.events, "PauseRequested") if event.data["pause"] == number])
        assert asked is not None
        names = ("PauseApproved", "PauseRevoked", "PauseEnded")
        later = [each for each in named(self.events, *names) if each.data["pause"] == number]
        return asked, {each.name: each for each in later if each.version > asked.version}

    def _five_days(self, start: datetime, met: PublishedEvent | None) -> tuple[datetime, bool]:
        """The working days until water is on, from admission or from where the case went on."""
        days, caps = self.standard["connection_working_days"], self.standard.get("pause_cap_working_days", 0)
        limit = DayLimit(start, days, self.close, self._pauses(), caps)
        return day_end(limit, self.calendars, met.at if met else None)

    def _silence(self) -> tuple[datetime, bool]:
        """When silence counts as admission: on the day of receipt (by analogy to 行政许可法 §32, in force
        since 2004-07-01)."""
        days = self.standard.get("silence_working_days", 5)
        return day_end(DayLimit(self.received.at, days, self.close), self.calendars, None)

    def _water_on(self) -> RecountVerdict:
        went_on = [stop.until for stop in self.stops if stop.until is not None]
        opened = in_time_order([self.admitted or self.received, *went_on])[-1]
        met = self._water_since(opened.at)
        if self.admitted is None:
            due_at, tentative = self._silence()
            changes = [DueChange(self.received.at, due_at, (self.received.id,), tentative=tentative)]
        else:
            changes = []
            begun = self.admitted
            for start in [begun, *(each for each in went_on if each.moment > begun.moment)]:
                due_at, tentative = self._five_days(start.at, met)
                changes.append(DueChange(start.at, due_at, (start.id,), tentative=tentative))
        changes += [DueChange(stop.event.at, None, (stop.event.id,), stop.reason) for stop in self.stops]
        if self.admitted is None and self.notice is not None:
            changes.append(DueChange(self.notice.at, None, (self.notice.id,), "notice-given"))
        return verdict("connection.water_on", opened.at, _ordered(changes), met)

    # ---- notice

    def _notice(self) -> RecountVerdict | None:
        """What is missing is said at once at the counter and within a working day elsewhere; or it is admitted."""
        answers = [self.notice] if self.notice is not None else []
        if self.admitted is not None and self.admitted.data.get("basis") != "silence":
            answers.append(self.admitted)
        met, begun = first(answers), self.received
        if met is not None and met.at <= begun.at:
            return None
        minutes = self.standard.get("notice_minutes", {}).get(begun.channel)
        if minutes is not None:
            due_at, tentative = after(begun.at, minutes), False
        else:
            limit = DayLimit(begun.at, self.standard.get("notice_working_days", 1), self.close)
            due_at, tentative = day_end(limit, self.calendars, met.at if met else None)
        changes = [DueChange(begun.at, due_at, (begun.id,), tentative=tentative)]
        changes += [
            DueChange(stop.event.at, None, (stop.event.id,), stop.reason) for stop in self.stops if stop.is_final
        ]
        return verdict("connection.notice", begun.at, _ordered(changes), met)

    # ---- papers outstanding

    def _papers(self) -> RecountVerdict | None:
        """The applicant's own promise: every paper in by the close of its day. Kept is kept: a paper that is rejected
        after the day breaks nothing."""
        promised = self.promised
        if promised is None:
            return None
        due_at = closing(date.fromisoformat(promised.data["deadline"]), self.close)
        papers = promised.data["papers"]
        met = self._all_in(papers, due_at) or self._all_in(papers, None)
        changes = [DueChange(promised.at, due_at, (promised.id,))]
        changes += [
            DueChange(stop.event.at, None, (stop.event.id,), stop.reason)
            for stop in self.stops
            if stop.until is None and stop.reason != BROKEN_PAPERS
        ]
        return verdict("connection.papers", promised.at, _ordered(changes), met)

    def _all_in(self, papers: Sequence[str], by: datetime | None) -> PublishedEvent | None:
        """The paper that was the last to be in, as things stood at an instant; None: one was not in, or none is asked.

        A paper is in since it was first supplied after its last rejection; nobody rejects what is not there.
        """
        last = []
        for paper in papers:
            rejections = self._documents("DocumentRejected", paper, by)
            rejected_at = max((each.at for each in rejections), default=None)
            supplied = self._documents("DocumentSupplied", paper, by)
            since = first(each for each in supplied if rejected_at is None or each.at > rejected_at)
            if since is None:
                return None
            last.append(since)
        return in_time_order(last)[-1] if last else None

    def _documents(self, name: str, paper: str, by: datetime | None) -> list[PublishedEvent]:
        found = [each for each in named(self.events, name) if each.data["document"] == paper]
        return [each for each in found if by is None or each.at <= by]

    # ---- trips

    def _trips(self) -> RecountVerdict | None:
        """No appearance in person where it was applied for from afar, else so many; who comes after water is on, or
        after the case was stopped for good, does not come for the connection."""
        promise = self.standard.get("promise")
        if promise is None:
            return None
        is_remote = self.received.channel in self.standard.get("remote_channels", ())
        allowed = promise["trips_remote"] if is_remote else promise["trips_otherwise"]
        final = next((stop for stop in self.stops if stop.until is None and stop.is_final), None)
        water_on = self._water_since(self.received.at)
        end = water_on or (final.event if final else None)
        trips = in_time_order(named(self.events, "ApplicantAppeared"))
        too_many = [each for each in trips if end is None or each.at <= end.at][allowed:]
        is_met = water_on is not None and not too_many and final is None
        return RecountVerdict(
            "connection.trips",
            self.received.at,
            None,
            water_on.at if is_met and water_on else None,
            final.reason if final else None,
            frozenset(each.at for each in too_many),
            by=frozenset([self.received.id, *(each.id for each in too_many)]),
        )


def _stops(events: Sequence[PublishedEvent]) -> list[CaseStop]:
    """Every stop of the case; going on ends all that stand."""
    found: list[CaseStop] = []
    for event in events:
        if event.name in (*FOR_GOOD, "CaseSuspended"):
            found.append(CaseStop(event))
        if event.name == "CaseResumed":
            for stop in found:
                stop.until = stop.until or event
    return found


def _ordered(changes: Sequence[DueChange]) -> list[DueChange]:
    """In order of time. Of two at one instant the one without an end comes last: who stops a case at the instant of its
    admission means to stop it."""
    return sorted(changes, key=lambda change: (change.at, change.due_at is None))


def _lines(event: PublishedEvent) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in event.data["lines"]:
        found[line["fee"]] = found.get(line["fee"], 0) + int(line["amount_fen"])
    return found


def _money_key(event: PublishedEvent) -> tuple[str, str]:
    what = "payment" if "payment" in event.data else "refund"
    return what, str(event.data[what])


def _balance(owed: Mapping[str, int], money: Mapping[tuple[str, str], Mapping[str, int]], fee: str) -> int:
    """Still to be paid on a line: what a payment takes off and a refund puts on again."""
    moved = sum(lines.get(fee, 0) * (1 if what == "refund" else -1) for (what, _), lines in money.items())
    return owed.get(fee, 0) + moved


def _last(told: Sequence[PublishedEvent]) -> PublishedEvent | None:
    return told[-1] if told else None

"""Recount of orders of other bodies, outages, abnormal use and reading rounds, from their published events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from consumers.recount.count import DayLimit, DueChange, RecountVerdict, after, closing, day_end, since, verdict
from consumers.recount.policy import Policy, StandardDocument, close_of_business
from consumers.recount.published_events import PublishedEvent, first, in_time_order, instant, instant_or_none, named

# ---- the order of another body


def order(events: Sequence[PublishedEvent], policy: Policy) -> list[RecountVerdict]:
    """The reply: by the deadline that the order names, else within the source's working days; more time may be
    granted."""
    begun = next(event for event in events if event.name == "OrderReceived")
    standard = policy.in_force(begun.at)
    replied = first(since(begun.at, named(events, "OrderReplied"), standard))
    due_at, tentative = instant_or_none(begun.data.get("reply_by")), False
    if due_at is None:
        days = standard.get("order_sources", {}).get(begun.data["source"], {}).get("reply_working_days", 1)
        limit = DayLimit(begun.at, days, close_of_business(standard))
        due_at, tentative = day_end(limit, policy.calendars_of(standard), replied.at if replied else None)
    changes = [DueChange(begun.at, due_at, (begun.id,), tentative=tentative)]
    for granted in in_time_order(named(events, "OrderExtended")):
        changes.append(DueChange(max(granted.at, begun.at), instant(granted.data["reply_by"]), (granted.id,)))
    return [verdict("order.reply", begun.at, changes, replied)]


# ---- outages


def outage(events: Sequence[PublishedEvent], policy: Policy) -> list[RecountVerdict]:
    """Users told, authority told, water back by the announced end."""
    planned = first(named(events, "OutagePlanned"))
    begun = planned or named(events, "EmergencyOutageBegan")[0]
    standard = policy.in_force(begun.at)
    started = first(named(events, "OutageStarted")) if planned else begun
    restored = None
    if started is not None:
        restored = first(each for each in named(events, "OutageRestored") if each.at >= started.at)
    cancelled = first(named(events, "OutageCancelled")) if started is None else None

    def owed(commitment: str, changes: list[DueChange], met: PublishedEvent | None) -> RecountVerdict:
        if cancelled is not None and (met is None or met.at > cancelled.at):
            since = max(cancelled.at, changes[-1].at)
            changes = [*changes, DueChange(since, None, (cancelled.id,), "outage-cancelled")]
        return verdict(commitment, changes[0].at, changes, met)

    found = []
    if (due_at := _notice_due(begun, planned, standard.get("emergency_notice_minutes"), standard)) is not None:
        notice = first(since(begun.at, named(events, "OutageNoticeSent"), standard))
        found.append(owed("outage.notice", [DueChange(begun.at, due_at, (begun.id,))], notice))
    report_minutes = standard.get("emergency_report_minutes")
    if planned is None and report_minutes is not None:
        due_at = after(begun.at, report_minutes)
        reported = first(since(begun.at, named(events, "OutageReported"), standard))
        found.append(owed("outage.report", [DueChange(begun.at, due_at, (begun.id,))], reported))
    ends = [*([planned] if planned else []), *named(events, "OutageExtended")]
    if ends:
        changes = [DueChange(each.at, instant(each.data["end"]), (each.id,)) for each in in_time_order(ends)]
        found.append(owed("outage.restore", changes, restored))
    return found


def _notice_due(
    begun: PublishedEvent, planned: PublishedEvent | None, emergency_minutes: int | None, standard: StandardDocument
) -> datetime | None:
    """So many hours before a planned outage begins; so many minutes after an emergency began."""
    if planned is not None:
        return instant(planned.data["begin"]) - timedelta(hours=standard.get("outage_notice_hours", 24))
    return None if emergency_minutes is None else after(begun.at, emergency_minutes)


# ---- reading rounds


def book(events: Sequence[PublishedEvent], policy: Policy) -> list[RecountVerdict]:
    """Every meter of the book read (or excepted) by the close of business of its day."""
    begun = next(event for event in events if event.name == "ReadingRoundOpened")
    standard = policy.in_force(begun.at)
    close = close_of_business(standard)
    last: list[PublishedEvent] = []
    for meter in begun.data["meters"]:
        settled = [e for e in named(events, "ReadingAudited", "ReadingExcepted") if e.data["meter"] == meter]
        one = first(since(begun.at, settled, standard))
        if one is not None:
            last.append(one)
    met = in_time_order(last)[-1] if last and len(last) == len(begun.data["meters"]) else None
    due_at = closing(date.fromisoformat(begun.data["due_on"]), close)
    return [verdict("book.read", begun.at, [DueChange(begun.at, due_at, (begun.id,))], met)]


# ---- abnormal use


def usage(events: Sequence[PublishedEvent], policy: Policy) -> list[RecountVerdict]:
    """Somebody looks at what stands out; and once it is confirmed the user is told."""
    begun = next(event for event in events if event.name == "UsageAnomalyFound")
    standard = policy.in_force(begun.at)
    audit, notice = standard.get("usage_audit_minutes"), standard.get("usage_notice_minutes")
    found = []
    if audit is not None:
        found.append(_audit(events, begun, audit, standard))
    if notice is not None and (told := _told(events, notice, standard)) is not None:
        found.append(told)
    return found


def _turns(events: Sequence[PublishedEvent]) -> list[tuple[PublishedEvent, bool]]:
    """Where what stood out stands out no longer, or again: by the numbers of the revisions."""
    revisions = {event.data["revision"]: event for event in named(events, "AnomalyRevised", "AnomalyWithdrawn")}
    turns, stands = [], True
    for _, event in sorted(revisions.items()):
        if (event.name == "AnomalyRevised") != stands:
            stands = not stands
            turns.append((event, stands))
    return turns


def _audit(
    events: Sequence[PublishedEvent], begun: PublishedEvent, minutes: int, standard: StandardDocument
) -> RecountVerdict:
    looked = first(since(begun.at, named(events, "AnomalyConfirmed", "AnomalyDismissed"), standard))
    changes = [DueChange(begun.at, after(begun.at, minutes), (begun.id,))]
    for event, stands in _turns(events):
        if looked is None or event.moment < looked.moment:
            due_at = after(event.at, minutes) if stands else None
            changes.append(DueChange(event.at, due_at, (event.id,), None if stands else "withdrawn"))
    return verdict("usage.audit", begun.at, changes, looked)


def _told(events: Sequence[PublishedEvent], minutes: int, standard: StandardDocument) -> RecountVerdict | None:
    """From the first look that confirmed it; dismissed or withdrawn before the user was told ends it, and another
    confirmation begins it anew."""
    confirmed = named(events, "AnomalyConfirmed")
    steps: list[tuple[PublishedEvent, str | None]] = [(event, None) for event in confirmed]
    steps += [(event, "dismissed") for event in named(events, "AnomalyDismissed")]
    for event, stands in _turns(events):
        if not stands:
            steps.append((event, "withdrawn"))
        elif any(each.moment < event.moment for each in confirmed):
            steps.append((event, None))
    steps.sort(key=lambda step: step[0].moment)
    begun = next((event.at for event, ended in steps if ended is None), None)
    told = first(since(begun, named(events, "UserNotified"), standard)) if begun is not None else None
    changes: list[DueChange] = []
    is_owed = False
    for event, ended in steps:
        if ended is None and not is_owed:
            is_owed = True
            changes.append(DueChange(event.at, after(event.at, minutes), (event.id,)))
        elif ended is not None and is_owed and (told is None or event.moment < told.moment):
            is_owed = False
            changes.append(DueChange(event.at, None, (event.id,), ended))
    return verdict("usage.notice", changes[0].at, changes, told) if changes else None

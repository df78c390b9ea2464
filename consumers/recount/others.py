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
    """Users told, authority told, water back by the announced end; since the law of 2026 also: changes told, the fire
    service told, and no water off at another time than announced."""
    planned = first(named(events, "OutagePlanned"))
    begun = planned or named(events, "EmergencyOutageBegan", "UnannouncedOutageBegan")[0]
    standard = policy.in_force(begun.at)
    off = first(named(events, "OutageStarted")) if planned else begun
    restored = first(each for each in named(events, "OutageRestored") if off is not None and each.at >= off.at)
    cancelled = first(named(events, "OutageCancelled")) if off is None else None
    notices = in_time_order(named(events, "OutageNoticeSent"))

    def owed(commitment: str, changes: list[DueChange], met: PublishedEvent | None) -> RecountVerdict:
        if cancelled is not None and (met is None or met.at > cancelled.at):
            since = max(cancelled.at, changes[-1].at)
            changes = [*changes, DueChange(since, None, (cancelled.id,), "outage-cancelled")]
        return verdict(commitment, changes[0].at, changes, met)

    found = []
    notice = first(since(begun.at, notices, standard))
    if planned is not None:
        found.append(owed("outage.notice", *_planned_notice(events, planned, off, notices, standard)))
    elif begun.name == "UnannouncedOutageBegan":
        found.append(owed("outage.notice", [DueChange(begun.at, begun.at, (begun.id,))], notice))
    elif (minutes := standard.get("emergency_notice_minutes")) is not None:
        found.append(owed("outage.notice", [DueChange(begun.at, after(begun.at, minutes), (begun.id,))], notice))
    report_minutes = standard.get("emergency_report_minutes")
    if begun.name == "EmergencyOutageBegan" and report_minutes is not None:
        due_at = after(begun.at, report_minutes)
        reported = first(since(begun.at, named(events, "OutageReported"), standard))
        found.append(owed("outage.report", [DueChange(begun.at, due_at, (begun.id,))], reported))
    ends = [*([planned] if planned else []), *named(events, "OutageExtended", "OutageRescheduled")]
    if ends:
        changes = [DueChange(each.at, instant(each.data["end"]), (each.id,)) for each in in_time_order(ends)]
        found.append(owed("outage.restore", changes, restored))
    held = standard.get("planned_outages")
    if planned is not None and held is not None:
        change = _change_told(events, off, notices, standard)
        found += [change] if change is not None else []
        if planned.data.get("fire_affected"):
            found.append(owed("outage.fire-notice", *_fire_told(events, planned, off, standard)))
    return found


def _announcements(events: Sequence[PublishedEvent]) -> list[PublishedEvent]:
    """What announced a beginning: the plan, then the other ones in order of time."""
    return [*in_time_order(named(events, "OutagePlanned")), *in_time_order(named(events, "OutageRescheduled"))]


def _planned_notice(
    events: Sequence[PublishedEvent],
    planned: PublishedEvent,
    off: PublishedEvent | None,
    notices: Sequence[PublishedEvent],
    standard: StandardDocument,
) -> tuple[list[DueChange], PublishedEvent | None]:
    """So many hours before the beginning, as it stood when the users were first told. Water that went off at another
    time than announced went off untold, unless the promise had been broken before."""
    ahead = timedelta(hours=standard.get("outage_notice_hours", 24))
    told = first(since(planned.at, notices, standard))
    changes: list[DueChange] = []
    for each in _announcements(events):
        if each is planned or told is None or each.moment < told.moment:
            changes.append(DueChange(max(each.at, planned.at), instant(each.data["begin"]) - ahead, (each.id,)))
    held = standard.get("planned_outages")
    if off is None or held is None or _as_announced(events, off, held["start_tolerance_minutes"]):
        return changes, told
    off_at = max(off.at, planned.at)
    later = next((each for each in notices if each.at >= off_at), None)
    if told is not None and told.at <= _end_at(changes, told.at):
        return [DueChange(planned.at, off_at, (off.id,))], later
    if off_at >= _end_at(changes, off_at):
        return changes, told
    return [*(each for each in changes if each.at < off_at), DueChange(off_at, off_at, (off.id,))], later


def _as_announced(events: Sequence[PublishedEvent], off: PublishedEvent, tolerance: int) -> bool:
    """Whether water went off at the time that was announced last by then, give or take the tolerance in minutes."""
    if any(each.at <= off.at for each in named(events, "OutageCancelled")):
        return False
    begin = None
    for each in _announcements(events):
        if each.at <= off.at:
            begin = instant(each.data["begin"])
    minutes = timedelta(minutes=tolerance)
    return begin is not None and begin - minutes <= off.at <= begin + minutes


def _end_at(changes: Sequence[DueChange], at: datetime) -> datetime:
    """The end in force at an instant; before the first change, the first one's."""
    chosen = changes[0]
    for change in changes:
        if change.at <= at:
            chosen = change
    assert chosen.due_at is not None
    return chosen.due_at


def _change_told(
    events: Sequence[PublishedEvent],
    off: PublishedEvent | None,
    notices: Sequence[PublishedEvent],
    standard: StandardDocument,
) -> RecountVerdict | None:
    """Other times, a later end, and that it is cancelled, told to users who had been told of the outage."""
    if not notices:
        return None
    ahead = timedelta(hours=standard.get("outage_notice_hours", 24))
    soon = timedelta(minutes=standard["planned_outages"]["change_notice_minutes"])
    called_off = first(named(events, "OutageCancelled"))
    is_before = called_off is not None and (off is None or called_off.at <= off.at)
    said = [*named(events, "OutageRescheduled", "OutageExtended"), *([called_off] if called_off and is_before else [])]
    said = [each for each in in_time_order(said) if notices[0].moment < each.moment]
    changes: list[DueChange] = []
    unanswered: list[DueChange] = []
    for number, each in enumerate(said):
        is_new_times = each.name == "OutageRescheduled"
        due_at = instant(each.data["begin"]) - ahead if is_new_times else each.at + soon
        if each.name == "OutageExtended" and changes:
            due_at = _no_later_than_owed(changes[-1], each.at, due_at, notices)
        change = DueChange(each.at, due_at, (each.id,))
        changes.append(change)
        following = said[number + 1].at if number + 1 < len(said) else None
        told = next((notice.at for notice in notices if notice.at >= each.at), None)
        if following is None or told is None or told > min(due_at, following):
            unanswered.append(change)
        is_moot = following is None and is_new_times and off is not None and each.at <= off.at < due_at
        if off is not None and is_moot and (told is None or told > off.at):
            unanswered.append(DueChange(off.at, None, (off.id,), "water-off"))
    if not changes:
        return None
    met = next((notice for notice in notices if notice.at >= unanswered[-1].at), None)
    return verdict("outage.change-notice", changes[0].at, unanswered, met)


def _no_later_than_owed(
    change: DueChange, extended_at: datetime, due_at: datetime, notices: Sequence[PublishedEvent]
) -> datetime:
    """The end for telling of a later end of the outage: that of the change before it, where the users still wait for
    that one."""
    is_told = any(change.at <= notice.at <= extended_at for notice in notices)
    is_still_owed = change.due_at is not None and change.due_at > extended_at and not is_told
    return min(due_at, change.due_at) if is_still_owed and change.due_at is not None else due_at


def _fire_told(
    events: Sequence[PublishedEvent], planned: PublishedEvent, off: PublishedEvent | None, standard: StandardDocument
) -> tuple[list[DueChange], PublishedEvent | None]:
    """Before the announced beginning, or before water went off where that was earlier."""
    changes = [
        DueChange(max(each.at, planned.at), instant(each.data["begin"]), (each.id,)) for each in _announcements(events)
    ]
    if off is not None:
        off_at = max(off.at, planned.at)
        if off_at < _end_at(changes, off_at):
            changes = [*(each for each in changes if each.at < off_at), DueChange(off_at, off_at, (off.id,))]
    return changes, first(since(planned.at, named(events, "FireServiceTold"), standard))


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

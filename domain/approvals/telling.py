"""Whoever is asked for an approval is told that it waits, and once more before its time is over.

Our decision: a message says that something waits, for whom, until when and where to answer it. It says nothing of the
command, which may hold particulars of persons.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.deadlines.calendar import LOCAL
from domain.kernel.messages import Message, filled
from domain.standard.alerts import quiet_end
from domain.standard.sections.approvals import ApprovalsSection
from domain.standard.standards import Standard

KIND = "approval-request"
"""Of its messages."""
Occasion = Literal["asked", "expiring"]


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that waits. ``roles``: those that are told, the role that is asked or those of the account; ``whom``:
    what the message calls who is asked."""

    asked_at: datetime
    expires_at: datetime
    roles: tuple[str, ...]
    whom: str
    told: bool
    reminded: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """The messages of one look at a request. ``complete``: nothing of the occasion waits for the morning."""

    occasion: Occasion
    messages: tuple[Message, ...]
    complete: bool


def remind_from(section: ApprovalsSection, asked_at: datetime, expires_at: datetime) -> datetime:
    """From when on the second message is due: so many minutes before the end, and not before half of the time."""
    half = asked_at + (expires_at - asked_at) / 2
    return max(half, expires_at - timedelta(minutes=section.approval_reminder_minutes))


def telling_of(
    request: WaitingRequest, standard: Standard, reachable: frozenset[str], link: str, at: datetime
) -> Telling | None:
    """What is to be told of a request at ``at``; None: nothing. ``reachable``: "role way" of everybody who can be told.
    In the quiet hours the quiet ways wait, as with alerts that are not urgent, where the morning is not too late."""
    section = standard.approvals
    reminding = section.approval_reminder_minutes > 0 and at >= remind_from(
        section, request.asked_at, request.expires_at
    )
    occasion: Occasion
    if reminding and not request.reminded:
        occasion = "expiring"  # who was not told before is told by this one
    elif not request.told:
        occasion = "asked"
    else:
        return None
    template = section.approval_texts.get(occasion)
    until_morning = quiet_end(standard.alerting.alerts, at)
    quiet = until_morning is not None and until_morning < request.expires_at
    messages, complete = [], True
    for role in request.roles if template is not None else ():
        for way in section.approval_ways:
            if f"{role} {way}" not in reachable:
                continue
            if quiet and way in standard.alerting.alerts.quiet_ways:
                complete = False
                continue
            until = f"{request.expires_at.astimezone(LOCAL):%m-%d %H:%M}"
            words = {"whom": request.whom, "until": until, "link": link}
            text = filled(template or "", words)
            messages.append(Message(KIND, way, "通水 待复核", text, (role,)))
    return Telling(occasion, tuple(messages), complete)

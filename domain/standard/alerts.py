"""Alerts: what staff hear because a promise nears its end, ran out or was escalated, and when they are left alone.

Everything here is our decision; the numbers and texts are the standard's. A window fact raises an alert for the roles
it names; on the page it is seen at once, the other ways go through the outbox. A person is told of the ladder's news,
not of each case: what waits for one role by one way is one message a case, one for a mass incident (the dispatcher
knows that it freezes), and beyond so many an hour one digest, or a phone that never stops is switched off. At night
only what is urgent is sent; the rest waits for the morning and is withdrawn where it is moot by then. Whoever was
told of a lapse that was taken back, met or cancelled since is told that too, by the same way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from domain.deadlines.calendar import LOCAL
from domain.deadlines.windows import (
    WindowAcknowledged,
    WindowCancelled,
    WindowEscalated,
    WindowLapsed,
    WindowMet,
    WindowMoved,
    WindowNearing,
    WindowRetracted,
)
from domain.kernel.facts import CASE_TOPICS, fact
from domain.kernel.fields import Digest, PromiseCode, Way
from domain.kernel.frozen import frozen
from domain.kernel.messages import filled
from domain.standard.context import CommandContext, require_power
from domain.standard.escalation import ladder_after
from domain.standard.sections.alerting import AlertPolicy, EscalationStep, Rung
from domain.standard.standards import Rules, Standard

KIND = "window.alert"
"""Of messages to staff about one case: the case learns what became of them."""
GROUP_KIND = "window.alerts"
"""Of messages to staff about several cases: the message itself is the record."""

WindowChange = Literal["nearing", "lapsed", "escalated", "retracted", "met", "cancelled"]
RANKS: Mapping[str, int] = {"moved": 1, "lapsed": 1, "acknowledged": 1, "met": 2, "cancelled": 2, "retracted": 3}
"""Why an alert closes, and what outweighs what: one that was acknowledged and is then retracted is a retracted one."""
CORRECTED_FROM = 2
"""From this rank on whoever was told is told that too."""
CASES_NAMED = 10
"""So many case numbers a message about several cases names."""


# ---- the facts


@fact("告警送达", "staff told", topic=CASE_TOPICS)
class AlertTold:
    """A message to a role about an alert (the event ``alert``) was taken by its way, with this proof. ``change``: what
    it said; ``digest`` is of the deliverer's answer."""

    alert: Annotated[UUID, "Id of the event that the alert is about."]
    commitment: PromiseCode
    change: Annotated[
        str, "What the message said of the window: nearing, lapsed, escalated, retracted, met or cancelled."
    ]
    role: Annotated[str, "Role that is told, as a code."]
    way: Way
    receipt: Annotated[str, "The way's own receipt."]
    status: Annotated[str, "What the way says of the delivery, as its own code."]
    digest: Digest


@fact("告警未送达", "alert not delivered", topic=CASE_TOPICS)
class AlertFailed:
    """A message to a role about an alert was given up, for ``reason``. The page shows the alert all the same."""

    alert: Annotated[UUID, "Id of the event that the alert is about."]
    commitment: PromiseCode
    change: Annotated[
        str, "What the message said of the window: nearing, lapsed, escalated, retracted, met or cancelled."
    ]
    role: Annotated[str, "Role that is told, as a code."]
    way: Way
    reason: Annotated[str, "Why it was given up, as a code."]


@fact("告警撤销", "alert withdrawn", topic=CASE_TOPICS)
class AlertWithdrawn:
    """Messages about an alert that had not been sent are not sent any more: it was ``reason``. ``roles`` and ``ways``
    belong together by their place."""

    alert: Annotated[UUID, "Id of the event that the alert is about."]
    commitment: PromiseCode
    change: Annotated[
        str, "What the message said of the window: nearing, lapsed, escalated, retracted, met or cancelled."
    ]
    reason: Annotated[str, "Why the messages are not sent any more, as a code."]
    roles: Annotated[tuple[str, ...], "Roles that would have been told, as codes."]
    ways: Annotated[tuple[str, ...], "By which ways it would have been told, as codes."]


def tell(
    ctx: CommandContext, fact: AlertTold | AlertFailed | AlertWithdrawn
) -> AlertTold | AlertFailed | AlertWithdrawn:
    """What became of a message to staff, brought into the case. Refuses ``wrong-role``."""
    require_power(ctx, "alerts.tell")
    return fact


# ---- what a window fact raises and closes


@frozen
class Alert:
    """What roles are to hear because of a window fact. ``step``: the reminder, or the escalation level after a
    lapse."""

    change: WindowChange
    commitment: str
    lapse: int | None
    step: str | None
    due_at: datetime
    roles: tuple[str, ...]
    ways: tuple[str, ...]
    urgent: bool


@frozen
class Closing:
    """Alerts of the commitment that nobody need act on any more, for ``cause``; of one kind, lapse or reminder where
    one is named, else all. ``by``: who acknowledged."""

    commitment: str
    cause: str
    only: WindowChange | None = None
    lapse: int | None = None
    step: str | None = None
    due_at: datetime | None = None
    by: str | None = None


def raised(fact: Any, rules: Rules) -> Alert | None:
    """The alert of a window fact, by the standard that its window runs under; None where nobody is told."""
    if not isinstance(fact, WindowNearing | WindowLapsed | WindowEscalated):
        return None
    standard = rules.version(fact.basis.standard)
    if standard is None or not fact.notify:
        return None
    lapse, step, urgent = None, None, _is_urgent(standard, fact.commitment)
    change: WindowChange
    match fact:
        case WindowNearing():
            change, step = "nearing", fact.rung
            ways = standard.alerting.alerts.ways.get("nearing", ())
        case WindowLapsed():
            change, lapse = "lapsed", fact.lapse
            # A crew was there, as it said: who has to find its evidence need not be woken.
            urgent = urgent and fact.provisional_until is None
            ways = standard.alerting.alerts.ways.get("lapsed", ())
        case WindowEscalated():
            change, lapse, step = "escalated", fact.lapse, fact.step
            found = next((each for each in ladder_after(standard, fact.commitment) if each.name == step), None)
            ways, urgent = (found.ways, found.urgent) if found is not None else ((), False)
    return Alert(change, fact.commitment, lapse, step, fact.due_at, fact.notify, ways, urgent) if ways else None


def _is_urgent(standard: Standard, commitment: str) -> bool:
    return (
        commitment in standard.alerting.alerts.urgent
        or f"{commitment.partition('.')[0]}.*" in standard.alerting.alerts.urgent
    )


def closed(fact: Any) -> Closing | None:
    """Which alerts a window fact closes."""
    match fact:
        case WindowMet():
            return Closing(fact.commitment, "met")
        case WindowCancelled():
            return Closing(fact.commitment, "cancelled")
        case WindowRetracted():
            return Closing(fact.commitment, "retracted", lapse=fact.lapse)
        case WindowAcknowledged():
            only: WindowChange | None = "nearing" if fact.rung is not None else None
            return Closing(fact.commitment, "acknowledged", only, fact.lapse, fact.rung, fact.due_at, fact.by)
        case WindowLapsed():
            return Closing(fact.commitment, "lapsed", "nearing", due_at=fact.due_at)
        case WindowMoved() if fact.due_at != fact.old_due_at:
            return Closing(fact.commitment, "moved")
    return None


# ---- what is sent when


@dataclass(frozen=True, slots=True)
class WaitingAlert:
    """A role is to be told something by a way. ``alert``: the event that raised it; ``version``: its place in its
    case."""

    alert: UUID
    role: str
    way: str
    change: str
    case_id: UUID
    case_number: str
    commitment: str
    step: str | None
    due_at: datetime
    urgent: bool
    mass: str | None
    version: int
    raised_at: datetime

    @property
    def corrects(self) -> bool:
        """Whether it says that what was told before holds no more."""
        return RANKS.get(self.change, 0) >= CORRECTED_FROM


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that was made for a role and a way before. ``group``: "digest", "corrections", a mass incident's code,
    or None where it was of one case."""

    role: str
    way: str
    at: datetime
    group: str | None


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message to one role by one way, and everything that it tells; of one case where ``group`` is None."""

    role: str
    way: str
    title: str
    text: str
    tells: tuple[WaitingAlert, ...]
    group: str | None = None

    @property
    def newest(self) -> WaitingAlert:
        """What the message says; of a case the newest news."""
        return max(self.tells, key=lambda each: (each.version, each.corrects))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent now, and until when each of the rest waits."""

    messages: tuple[AlertMessage, ...]
    held: tuple[tuple[WaitingAlert, datetime], ...]


def plan(waiting: Iterable[WaitingAlert], made: Sequence[SentMessage], standard: Standard, at: datetime) -> Plan:
    """Who is told what at ``at``. ``made``: the messages of the last hour at least."""
    found: defaultdict[tuple[str, str], list[WaitingAlert]] = defaultdict(list)
    held: list[tuple[WaitingAlert, datetime]] = []
    quiet_until = quiet_end(standard.alerting.alerts, at)
    for each in sorted(waiting, key=lambda one: (one.raised_at, one.version, one.alert, one.change)):
        if quiet_until is not None and not each.urgent and each.way in standard.alerting.alerts.quiet_ways:
            held.append((each, quiet_until))
        else:
            found[each.role, each.way].append(each)
    messages: list[AlertMessage] = []
    for (role, way), tells in found.items():
        before = [each for each in made if (each.role, each.way) == (role, way)]
        planned = _planned(role, way, tells, before, standard, at)
        messages += planned.messages
        held += planned.held
    return Plan(tuple(messages), tuple(held))


def quiet_end(policy: AlertPolicy, at: datetime) -> datetime | None:
    """When the quiet hours that ``at`` lies in end; None outside of them."""
    local = at.astimezone(LOCAL)
    begins, ends = policy.quiet_from, policy.quiet_until
    now = local.time()
    if begins <= ends:
        if not begins <= now < ends:
            return None
        return datetime.combine(local.date(), ends, LOCAL).astimezone(at.tzinfo)
    if ends <= now < begins:
        return None
    day = local.date() + timedelta(days=1) if now >= begins else local.date()
    return datetime.combine(day, ends, LOCAL).astimezone(at.tzinfo)


def _planned(
    role: str, way: str, tells: Sequence[WaitingAlert], made: Sequence[SentMessage], standard: Standard, at: datetime
) -> Plan:
    """For one role and one way: a mass incident's together, one message a case while the hour has room, then a
    digest."""
    policy = standard.alerting.alerts
    messages: list[AlertMessage] = []
    held: list[tuple[WaitingAlert, datetime]] = []
    groups: defaultdict[str, list[WaitingAlert]] = defaultdict(list)
    cases: defaultdict[UUID, list[WaitingAlert]] = defaultdict(list)
    for each in tells:
        if each.mass is not None and not each.corrects:
            groups[each.mass].append(each)
        else:
            cases[each.case_id].append(each)
    room = policy.most_per_hour - sum(each.group is None and each.at > at - timedelta(hours=1) for each in made)
    for number, news in enumerate(cases.values()):
        if number < room:
            messages.append(_message_on_a_case(role, way, news, standard))
        else:
            for each in news:
                groups["corrections" if each.corrects else "digest"].append(each)
    for group, news in groups.items():
        pause = policy.digest_minutes if group in ("digest", "corrections") else policy.mass_minutes
        last = max((each.at for each in made if each.group == group), default=None)
        if last is not None and last + timedelta(minutes=pause) > at:
            held += [(each, last + timedelta(minutes=pause)) for each in news]
        else:
            messages.append(_message_on_several(role, way, group, news, standard))
    return Plan(tuple(messages), tuple(held))


# ---- texts


def _message_on_a_case(role: str, way: str, news: Sequence[WaitingAlert], standard: Standard) -> AlertMessage:
    message = AlertMessage(role, way, "", "", tuple(news))
    said = message.newest
    words = {
        "number": said.case_number,
        "commitment": standard.alerting.alerts.names.get(said.commitment, said.commitment),
        "due": _local(said.due_at),
        "step": _level_named(standard, said),
    }
    text = filled(_text(standard, said.change), words)
    return AlertMessage(role, way, f"通水 {said.case_number}", text, tuple(news))


def _level_named(standard: Standard, said: WaitingAlert) -> str:
    """When the reminder or the escalation level comes, in Chinese; its code where the standard in force has none of
    that code any more."""
    before = next((each for each in standard.alerting.ladders.get(said.commitment, ()) if each.name == said.step), None)
    if said.change == "nearing" and before is not None:
        return _reminder_named(before)
    after = next((each for each in ladder_after(standard, said.commitment) if each.name == said.step), None)
    return _escalation_named(after) if said.change == "escalated" and after is not None else said.step or ""


def _reminder_named(each: Rung) -> str:
    if each.minutes is not None:
        return f"{'未接单' if each.unless_acknowledged else '计时'}已{_duration(each.minutes)}"
    return f"时限已过{each.percent}%" if each.percent is not None else f"第{each.working_day}个工作日"


def _escalation_named(each: EscalationStep) -> str:
    if each.minutes is not None:
        return f"超时已{_duration(each.minutes)}"
    return f"超出时限{each.percent}%" if each.percent is not None else f"超时已{each.working_days}个工作日"


def _duration(minutes: int) -> str:
    return f"{minutes // 60}小时" if minutes % 60 == 0 else f"{minutes}分钟"


def _message_on_several(
    role: str, way: str, group: str, news: Sequence[WaitingAlert], standard: Standard
) -> AlertMessage:
    numbers = list(dict.fromkeys(each.case_number for each in news))
    more = f" 等{len(numbers)}件" if len(numbers) > CASES_NAMED else ""
    words = {
        "count": str(len(news)),
        "cases": "、".join(numbers[:CASES_NAMED]) + more,
        "mass": standard.repair.mass_causes.get(group, group),
    }
    kind = group if group in ("digest", "corrections") else "mass"
    return AlertMessage(role, way, "通水 告警汇总", filled(_text(standard, kind), words), tuple(news), group)


def _text(standard: Standard, kind: str) -> str:
    """The standard's text; where it has none a plain one, so that nobody goes untold."""
    plain = "{count} {cases}" if kind in ("mass", "digest", "corrections") else "{number} {commitment} {due} {step}"
    return standard.alerting.alerts.texts.get(kind) or f"{kind}: {plain}"


def _local(at: datetime) -> str:
    return f"{at.astimezone(LOCAL):%m-%d %H:%M}"

"""What a standard says of reminders before the end of a window, of a lapse, and of how staff are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Annotated

from domain.kernel import messages
from domain.kernel.fields import NotifiedRoles
from domain.kernel.refusals import UnknownRole, UnknownWay
from domain.kernel.roles import ADDRESSEES
from domain.standard.refusals import RungUnclear, UnknownNotice
from domain.standard.values import (
    MOST_DAYS,
    MOST_MINUTES,
    Between,
    require_codes,
    require_fields,
    require_known,
    require_range,
    require_texts,
)

ALERT_CHANGES = ("nearing", "lapsed")
"""What a standard says the ways of; a step of the ladder after a lapse says its own."""
ALERT_TEXTS = ("nearing", "lapsed", "escalated", "retracted", "met", "cancelled", "mass", "digest", "corrections")
"""What a standard may have a text to staff for."""
ALERT_WORDS = ("number", "commitment", "due", "step", "cases", "count", "mass")
"""What a text to staff may name in braces."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder before the end of a window: who is told, and when.

    Exactly one of the three says when: ``minutes`` after the start, ``percent`` of the span, or the close of the
    ``working_day``-th working day. ``unless_acknowledged``: the rung falls away once a crew has acknowledged.
    """

    name: Annotated[str, "Code of the reminder."]
    notify: NotifiedRoles
    minutes: Annotated[int | None, "Minutes after the start; null where it is set otherwise."] = None
    percent: Annotated[int | None, "Percent of the span from start to end; null where it is set otherwise."] = None
    working_day: Annotated[
        int | None, "It is reached at the close of this working day, counted from 1; null where it is set otherwise."
    ] = None
    unless_acknowledged: Annotated[bool, "Whether nobody is told once the crew has confirmed."] = False


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One step of the ladder after a lapse, until somebody acknowledges it: who is told, by which ways, and when.

    Exactly one of the three says when: ``minutes`` after the end that ran out, round the clock; ``percent`` of the span
    from the window's opening to that end, beyond it; the close of the ``working_days``-th working day after it.
    ``urgent``: told at any hour.
    """

    name: Annotated[str, "Code of the escalation level."]
    notify: NotifiedRoles
    ways: Annotated[tuple[str, ...], "By which ways the roles are told, as codes."]
    minutes: Annotated[
        int | None, "Minutes after the end that ran out, round the clock; null where it is set otherwise."
    ] = None
    percent: Annotated[
        int | None,
        "Percent of the span from the window's opening to its end, beyond that end; null where it is set otherwise.",
    ] = None
    working_days: Annotated[
        int | None, "It is reached at the close of this working day after the end; null where it is set otherwise."
    ] = None
    urgent: Annotated[bool, "Whether it is told at any hour."] = False


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """How staff are told that a promise nears its end or ran out, and when they are left alone.

    ``ways``: by which ways a ``nearing`` and a ``lapsed`` is told (a step after a lapse says its own; "page" is the
    list on the page). ``urgent``: the commitments (or ``<kind>.*``) whose nearing and lapse are told at any hour.
    From ``quiet_from`` to ``quiet_until`` the ``quiet_ways`` wait for what is not urgent. ``most_per_hour``: so many
    messages a role gets by one way in an hour; what is more waits and comes as one digest, at most every
    ``digest_minutes``. ``mass_minutes``: alerts of cases of one mass incident are one message, at most every so many
    minutes. ``texts``: of each kind of message; a word in braces is filled in. ``names``: what they call the
    commitments. A standard without ways tells nobody.
    """

    ways: Annotated[Mapping[str, tuple[str, ...]], "Nearing or lapsed → by which ways it is told."] = field(
        default_factory=dict
    )
    urgent: Annotated[tuple[str, ...], "Promises, or all of a kind (<kind>.*), that are told at any hour."] = ()
    quiet_from: Annotated[time, "Time of day from which on the quiet ways wait."] = time(22)
    quiet_until: Annotated[time, "Time of day until which the quiet ways wait."] = time(7)
    quiet_ways: Annotated[tuple[str, ...], "Ways that wait at night with what is not urgent."] = ()
    most_per_hour: Annotated[
        int,
        "Most messages that a role gets by one way in an hour; the rest is collected into a digest.",
        Between(1, 10_000),
    ] = 12
    digest_minutes: Annotated[int, "Fewest minutes between two digests.", Between(1, MOST_MINUTES)] = 15
    mass_minutes: Annotated[
        int, "Fewest minutes between two messages about the cases of one mass incident.", Between(1, MOST_MINUTES)
    ] = 30
    texts: Annotated[Mapping[str, str], "Kind of message → its text; words in braces are filled in."] = field(
        default_factory=dict
    )
    names: Annotated[Mapping[str, str], "Promise → what messages call it."] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertingSection:
    """Who is told that a promise nears its end or ran out, when and how.

    ``escalations``: commitment, ``<kind>.*`` or ``*`` → the ladder that goes on after a lapse.
    """

    ladders: Annotated[Mapping[str, tuple[Rung, ...]], "Promise → the reminders before its end."]
    notify_on_lapse: Annotated[Mapping[str, tuple[str, ...]], "Promise → roles that are told of a lapse."]
    escalations: Annotated[
        Mapping[str, tuple[EscalationStep, ...]],
        "Promise, or a pattern of promises → the escalation levels after a lapse.",
    ] = field(default_factory=dict)
    alerts: Annotated[AlertPolicy, "How staff are told."] = AlertPolicy()

    def require_sound(self) -> None:
        """Refuse ``unknown-role``, ``unknown-way``, ``unknown-notice``, ``rung-unclear``, ``out-of-range``,
        ``bad-code``, ``code-twice``. Which promises there are is not looked at here."""
        require_fields(self, AlertingSection)
        for commitment, told_on_lapse in self.notify_on_lapse.items():
            _require_addressees(commitment, told_on_lapse)
        for commitment, ladder in self.ladders.items():
            require_codes(f"the ladder of {commitment}", [reminder.name for reminder in ladder])
            for reminder in ladder:
                _require_reminder(commitment, reminder)
        for pattern, levels in self.escalations.items():
            require_codes(f"the ladder after {pattern}", [level.name for level in levels])
            for level in levels:
                _require_level(pattern, level)
        for change, ways in self.alerts.ways.items():
            require_known(UnknownNotice, change, ALERT_CHANGES)
            _require_staff_ways(ways)
        _require_staff_ways(self.alerts.quiet_ways)
        require_texts(self.alerts.texts, ALERT_TEXTS, ALERT_WORDS)


def _require_reminder(commitment: str, reminder: Rung) -> None:
    said = {
        "percent": (reminder.percent, 100),
        "minutes": (reminder.minutes, MOST_MINUTES),
        "working_day": (reminder.working_day, MOST_DAYS),
    }
    _require_one_time(commitment, reminder.name, said)
    _require_addressees(commitment, reminder.notify)


def _require_level(pattern: str, level: EscalationStep) -> None:
    said = {
        "minutes": (level.minutes, MOST_MINUTES),
        "percent": (level.percent, 1_000),
        "working_days": (level.working_days, MOST_DAYS),
    }
    _require_one_time(pattern, level.name, said)
    _require_addressees(pattern, level.notify)
    _require_staff_ways(level.ways)


def _require_one_time(commitment: str, name: str, said: Mapping[str, tuple[int | None, int]]) -> None:
    given = {name: (value, most) for name, (value, most) in said.items() if value is not None}
    if len(given) != 1:
        raise RungUnclear(commitment, name, given, said)
    for unit, (value, most) in given.items():
        require_range(f"{commitment}, {name}: {unit}", value, 1, most)


def _require_staff_ways(ways: Iterable[str]) -> None:
    for way in ways:
        require_known(UnknownWay, way, messages.STAFF_WAYS)


def _require_addressees(commitment: str, notify: Iterable[str]) -> None:
    for role in tuple(notify) or (f"nobody for {commitment}",):
        require_known(UnknownRole, role, ADDRESSEES)

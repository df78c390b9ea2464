"""That the contract is frozen as v1, since when, and how a type ends: said here once, shown wherever a reader looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

FROZEN_ON = date(2026, 11, 25)
LEAST_NOTICE = timedelta(days=180)
"""From the announcement of a type's end to the end. Our decision: two billing periods and the work of a release."""

WORDS = f"""\
Frozen as v1 on {FROZEN_ON.isoformat()}. From then on every type of event and every record described here is for ever:
its name, its topic, its key, its headers, each field, that the field is there and its form. A type that comes later is
frozen when it is published. Only additions are made: new types, new fields, further codes, words that say the same
better. `tongshui contract write` and the tests refuse everything else.

How a type ends. A change that would break a reader is a new type (`….v2`) beside the old one. From the day that the new
one is published both are sent, in one transaction and one partition, the old one first. The old one's schema then says
`deprecated` and `x-announced-end`: when it was announced, the day it ends, at least {LEAST_NOTICE.days} days later and
never moved nearer, and which type is sent instead. From the end on only the new one is sent. The old one's schema and
its events stay: what lies on a topic for ever can be read for ever.
"""


@dataclass(frozen=True, slots=True)
class Ending:
    """The announced end of a type: on which day it was announced, from which on it is sent no more, what instead."""

    announced_on: date
    ends_on: date
    instead: str


ENDINGS: dict[str, Ending] = {}
"""Type name → its announced end. None so far."""


def wrong_endings(endings: dict[str, Ending], known: set[str]) -> list[str]:
    """What of the announced ends does not keep the rule; ``known``: every type that is published."""
    found = []
    for name, ending in sorted(endings.items()):
        if name not in known or ending.instead not in known:
            found.append(f"{name}: it and {ending.instead}, which is sent instead, must both be published")
        if ending.ends_on - ending.announced_on < LEAST_NOTICE:
            found.append(f"{name}: ends on {ending.ends_on}, less than {LEAST_NOTICE.days} days after the announcement")
    return found

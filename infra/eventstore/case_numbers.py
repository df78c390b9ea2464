"""Numbers of cases: a command that opens a case is decided under a stand-in, and gets its number when it is appended.

So a command that is refused, tried out or sent a second time takes no number. The stand-in is a word that nobody
outside of the process can know, so nothing that somebody typed is taken for it.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from dataclasses import replace

from eventsourcing.persistence import StoredEvent

from infra.eventstore.commands import NewAlert, NewMessage

# As long as a number, so that an event has the size with which it was checked; of letters, which are nobody's number.
STAND_IN = "".join(secrets.choice(string.ascii_lowercase) for _ in "2026-000017")
_BYTES = STAND_IN.encode()


def stand_in(prefix: str) -> str:
    """What stands for a number with that prefix, for example ``BX``, until there is one."""
    return f"{prefix}-{STAND_IN}"


def lacks_number(stored: Sequence[StoredEvent]) -> bool:
    """Whether one of the events has the stand-in."""
    return any(_BYTES in each.state for each in stored)


def number_of(year: int, count: int) -> str:
    """A number without its prefix, for example ``2026-000017``."""
    return f"{year}-{count:06d}"


def in_text(text: str, number: str) -> str:
    """A text with the number in place of the stand-in."""
    return text.replace(STAND_IN, number)


def in_events(stored: Sequence[StoredEvent], number: str) -> list[StoredEvent]:
    """The events with the number in place of the stand-in."""
    return [replace(each, state=each.state.replace(_BYTES, number.encode())) for each in stored]


def in_messages(messages: Sequence[NewMessage], number: str) -> tuple[NewMessage, ...]:
    """The messages with the number in place of the stand-in."""
    return tuple(
        replace(
            each,
            message=replace(
                each.message, title=in_text(each.message.title, number), text=in_text(each.message.text, number)
            ),
        )
        for each in messages
    )


def in_alerts(alerts: Sequence[NewAlert], number: str) -> tuple[NewAlert, ...]:
    """The alerts with the number in place of the stand-in."""
    return tuple(replace(each, case_number=in_text(each.case_number, number)) for each in alerts)

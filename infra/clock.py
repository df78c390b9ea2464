"""The one clock of the service. Real by default; scaled for the demo; set by hand in tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


def real_now() -> datetime:
    """This machine's own clock; whatever asks it, asks here."""
    return datetime.now(UTC)


class Clock(Protocol):
    """Tells service time as aware UTC datetimes."""

    @property
    def factor(self) -> float:
        """Seconds of service time in one real second."""
        ...

    def now(self) -> datetime:
        """The service time now."""
        ...


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """Service time that runs ``factor`` times as fast from an anchor on; factor 1 and equal anchors: real time.

    The anchor is stored in the database once, so every process of an installation agrees.
    """

    real_at: datetime
    service_at: datetime
    factor: float

    def now(self) -> datetime:
        return self.at(real_now())

    def at(self, real: datetime) -> datetime:
        """The service time at a real instant."""
        return self.service_at + (real - self.real_at) * self.factor


REAL = ScaledClock(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC), 1.0)
"""Service time is real time."""


class ManualClock:
    """A clock that moves only when told. For tests."""

    factor = 1.0

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> datetime:
        """Move by a span and tell the new time."""
        self._now += by
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now

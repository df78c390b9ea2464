"""The facts of an outage. ``confirmed_by``: the second person, where one was told later than its channel allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.deadlines.windows import WindowFact


@dataclass(frozen=True, slots=True)
class OutagePlanned:
    """Water will be off between two instants (UTC), as the authority approved in that document."""

    number: str
    districts: tuple[str, ...]
    affected_users: int
    begin: datetime
    end: datetime
    approval: str


@dataclass(frozen=True, slots=True)
class EmergencyOutageBegan:
    """Water is off because of an incident."""

    number: str
    incident: UUID
    districts: tuple[str, ...]
    affected_users: int
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@dataclass(frozen=True, slots=True)
class OutageNoticeOrdered:
    """The users are to be told. ``about``: which text of the standard; ``digest``: of the text as it will be sent."""

    way: str
    about: str
    digest: str


@dataclass(frozen=True, slots=True)
class OutageNoticeSent:
    """The users were told. ``way``: a delivery way of the standard; ``digest``: of what was sent.

    ``order``: the event that ordered it; None where somebody told them by hand.
    """

    way: str
    digest: str
    order: UUID | None = None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@dataclass(frozen=True, slots=True)
class OutageNoticeProven:
    """The notice number ``notice`` (from 1) arrived; ``digest``: of the proof.

    ``receipt`` and ``status`` are the deliverer's own words for it, where the sender had them from there.
    """

    notice: int
    digest: str
    receipt: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class OutageNoticeFailed:
    """An ordered notice could not be delivered; ``order``: the event that ordered it, ``reason``: the sender's code."""

    order: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class OutageReported:
    """The authority was told of an emergency, in that document."""

    document: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@dataclass(frozen=True, slots=True)
class OutageCancelled:
    """A planned outage will not be, for a reason of the standard."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutageStarted:
    """Water of a planned outage is off."""


@dataclass(frozen=True, slots=True)
class OutageExtended:
    """It will take until then. Of an emergency, the first one is the end that is announced."""

    end: datetime


@dataclass(frozen=True, slots=True)
class EmergencyWaterProvided:
    """Water was handed out. ``point``: a code, never a private address."""

    point: str
    litres: int
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@dataclass(frozen=True, slots=True)
class OutageRestored:
    """Water flows again."""

    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


FACTS: tuple[type, ...] = (
    OutagePlanned,
    EmergencyOutageBegan,
    OutageNoticeOrdered,
    OutageNoticeSent,
    OutageNoticeProven,
    OutageNoticeFailed,
    OutageReported,
    OutageCancelled,
    OutageStarted,
    OutageExtended,
    EmergencyWaterProvided,
    OutageRestored,
)
"""Facts of windows are registered with the family of repairs, whose topic outages share."""
OutageFact = (
    OutagePlanned
    | EmergencyOutageBegan
    | OutageNoticeOrdered
    | OutageNoticeSent
    | OutageNoticeProven
    | OutageNoticeFailed
    | OutageReported
    | OutageCancelled
    | OutageStarted
    | OutageExtended
    | EmergencyWaterProvided
    | OutageRestored
    | WindowFact
)

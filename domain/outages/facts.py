"""The facts of an outage. ``confirmed_by``: the second person, where one was told later than its channel allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domain.kernel.facts import Name, fact

STAGES: Mapping[str, Name] = {
    "outage_planned": Name("计划停水", "outage planned"),
    "outage_noticed": Name("已通知停水", "users told"),
    "water_off": Name("停水中", "water off"),
    "water_back": Name("已恢复供水", "water back"),
}
"""The stages of such a case, in order."""

STOPS: Mapping[str, Name] = {
    "cancelled": Name("已取消", "cancelled"),
}
"""What it is at instead of a stage while it stands still, or once it is over."""


@fact("计划停水", "outage planned", topic="repair", stage="outage_planned")
class OutagePlanned:
    """Water will be off between two instants (UTC), as the authority approved in that document."""

    number: str
    districts: tuple[str, ...]
    affected_users: int
    begin: datetime
    end: datetime
    approval: str


@fact("突发停水", "emergency outage", topic="repair", stage="water_off")
class EmergencyOutageBegan:
    """Water is off because of an incident."""

    number: str
    incident: UUID
    districts: tuple[str, ...]
    affected_users: int
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("下达停水通知", "outage notice ordered", topic="repair")
class OutageNoticeOrdered:
    """The users are to be told. ``about``: which text of the standard; ``digest``: of the text as it will be sent."""

    way: str
    about: str
    digest: str


@fact("停水通知", "outage notice sent", topic="repair", stage="outage_noticed")
class OutageNoticeSent:
    """The users were told. ``way``: a delivery way of the standard; ``digest``: of what was sent.

    ``order``: the event that ordered it; None where somebody told them by hand.
    """

    way: str
    digest: str
    order: UUID | None = None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("通知送达", "notice proven", topic="repair")
class OutageNoticeProven:
    """The notice number ``notice`` (from 1) arrived; ``digest``: of the proof.

    ``receipt`` and ``status`` are the deliverer's own words for it, where the sender had them from there.
    """

    notice: int
    digest: str
    receipt: str | None = None
    status: str | None = None


@fact("通知发送失败", "notice failed", topic="repair")
class OutageNoticeFailed:
    """An ordered notice could not be delivered; ``order``: the event that ordered it, ``reason``: the sender's code."""

    order: UUID
    reason: str


@fact("报告主管部门", "authority told", topic="repair")
class OutageReported:
    """The authority was told of an emergency, in that document."""

    document: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("取消停水", "outage cancelled", topic="repair")
class OutageCancelled:
    """A planned outage will not be, for a reason of the standard."""

    reason: str


@fact("开始停水", "outage began", topic="repair", stage="water_off")
class OutageStarted:
    """Water of a planned outage is off."""


@fact("延长停水", "outage extended", topic="repair")
class OutageExtended:
    """It will take until then. Of an emergency, the first one is the end that is announced."""

    end: datetime


@fact("应急供水", "emergency water", topic="repair")
class EmergencyWaterProvided:
    """Water was handed out. ``point``: a code, never a private address."""

    point: str
    litres: int
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("恢复供水", "outage over", topic="repair", stage="water_back")
class OutageRestored:
    """Water flows again."""

    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


"""Facts of windows are registered with the family of repairs, whose topic outages share."""

"""The facts of an outage. ``confirmed_by``: the second person, where one was told later than its channel allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from domain.kernel.facts import Name, fact
from domain.kernel.fields import CaseNumber, Digest, Flags, ReasonCode, SecondPerson, Way

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

    number: CaseNumber
    districts: Annotated[tuple[str, ...], "Codes of the districts without water."]
    affected_users: Annotated[int, "Users without water."]
    begin: Annotated[datetime, "Announced beginning of the outage."]
    end: Annotated[datetime, "Announced end of the outage."]
    approval: Annotated[str, "Number of the authority's approval."]


@fact("突发停水", "emergency outage", topic="repair", stage="water_off")
class EmergencyOutageBegan:
    """Water is off because of an incident."""

    number: CaseNumber
    incident: Annotated[UUID, "Id of the incident that the outage is because of."]
    districts: Annotated[tuple[str, ...], "Codes of the districts without water."]
    affected_users: Annotated[int, "Users without water."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("下达停水通知", "outage notice ordered", topic="repair")
class OutageNoticeOrdered:
    """The users are to be told. ``about``: which text of the standard; ``digest``: of the text as it will be sent."""

    way: Way
    about: Annotated[
        str, "Which text of the standard: planned, emergency, emergency-until, extended, restored or cancelled."
    ]
    digest: Annotated[str, "SHA-256 of the text as it will be sent, as sha256: and 64 hex digits."]


@fact("停水通知", "outage notice sent", topic="repair", stage="outage_noticed")
class OutageNoticeSent:
    """The users were told. ``way``: a delivery way of the standard; ``digest``: of what was sent.

    ``order``: the event that ordered it; None where somebody told them by hand.
    """

    way: Way
    digest: Annotated[str, "SHA-256 of what was sent, as sha256: and 64 hex digits."]
    order: Annotated[
        UUID | None, "Id of the event that ordered the notice; null where the program did not send it."
    ] = None
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("通知送达", "notice proven", topic="repair")
class OutageNoticeProven:
    """The notice number ``notice`` (from 1) arrived; ``digest``: of the proof.

    ``receipt`` and ``status`` are the deliverer's own words for it, where the sender had them from there.
    """

    notice: Annotated[int, "Number of the notice in its outage, from 1."]
    digest: Digest
    receipt: Annotated[str | None, "The way's own receipt; null where it gave none."] = None
    status: Annotated[
        str | None, "What the way says of the delivery, as its own code; null where a person proved it."
    ] = None


@fact("通知发送失败", "notice failed", topic="repair")
class OutageNoticeFailed:
    """An ordered notice could not be delivered; ``order``: the event that ordered it, ``reason``: the sender's code."""

    order: Annotated[UUID, "Id of the event that ordered the notice."]
    reason: Annotated[str, "Why it could not be delivered, as a code of the way."]


@fact("报告主管部门", "authority told", topic="repair")
class OutageReported:
    """The authority was told of an emergency, in that document."""

    document: Annotated[str, "Number of the document in which the authority was told."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("取消停水", "outage cancelled", topic="repair")
class OutageCancelled:
    """A planned outage will not be, for a reason of the standard."""

    reason: ReasonCode


@fact("开始停水", "outage began", topic="repair", stage="water_off")
class OutageStarted:
    """Water of a planned outage is off."""


@fact("延长停水", "outage extended", topic="repair")
class OutageExtended:
    """It will take until then. Of an emergency, the first one is the end that is announced."""

    end: Annotated[datetime, "New announced end of the outage."]


@fact("应急供水", "emergency water", topic="repair")
class EmergencyWaterProvided:
    """Water was handed out. ``point``: a code, never a private address."""

    point: Annotated[str, "Code of the place where water was handed out."]
    litres: Annotated[int, "How much water was handed out, in litres."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("恢复供水", "outage over", topic="repair", stage="water_back")
class OutageRestored:
    """Water flows again."""

    flags: Flags = ()
    confirmed_by: SecondPerson = None


"""Facts of windows are registered with the topic of repairs, which outages share."""

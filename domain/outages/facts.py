"""The facts of an outage. ``confirmed_by``: the second person, where one was told later than its channel allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
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
    """Water will be off between two instants (UTC). The authority approved it in that document where its effect is
    large (供水条例 §23, since 2026-06-01), every one before that."""

    number: CaseNumber
    districts: Annotated[tuple[str, ...], "Codes of the districts without water."]
    affected_users: Annotated[int, "Users without water."]
    begin: Annotated[datetime, "Announced beginning of the outage."]
    end: Annotated[datetime, "Announced end of the outage."]
    approval: Annotated[str, "Number of the authority's approval; empty where none was needed."]
    places: Annotated[tuple[str, ...], "Kinds of place without water that count for its effect, as codes."] = ()
    supply: Annotated[
        str | None, "How people get water in the meantime, as a code of the standard; null where nothing is planned."
    ] = None
    fire_affected: Annotated[bool, "Whether water for fire fighting may be affected."] = False
    extent: Annotated[str | None, "Streets and buildings without water, in public words; null where not narrower."] = (
        None
    )


@fact("突发停水", "emergency outage", topic="repair", stage="water_off")
class EmergencyOutageBegan:
    """Water is off because of an incident."""

    number: CaseNumber
    incident: Annotated[UUID, "Id of the incident that the outage is because of."]
    districts: Annotated[tuple[str, ...], "Codes of the districts without water."]
    affected_users: Annotated[int, "Users without water."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("无通知停水", "outage without notice", topic="repair", stage="water_off")
class UnannouncedOutageBegan:
    """Water is off though nobody had planned it, told anybody, or reported an incident: the notice was broken."""

    number: CaseNumber
    districts: Annotated[tuple[str, ...], "Codes of the districts without water."]
    affected_users: Annotated[int, "Users without water."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("停水改期", "outage rescheduled", topic="repair")
class OutageRescheduled:
    """A planned outage will be at other times. Who was told of the old ones is told anew, with the whole notice."""

    begin: Annotated[datetime, "New announced beginning of the outage."]
    end: Annotated[datetime, "New announced end of the outage."]
    approval: Annotated[
        str | None, "Number of the authority's approval of the new times; null where the earlier one holds."
    ] = None
    supply: Annotated[
        str | None, "How people get water in the meantime, as a code of the standard; null where that stays."
    ] = None


@fact("告知消防部门", "fire service told", topic="repair")
class FireServiceTold:
    """The fire service was told that water for fire fighting may be affected, in that document."""

    document: Annotated[str, "Number of the document in which the fire service was told."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("下达停水通知", "outage notice ordered", topic="repair")
class OutageNoticeOrdered:
    """The users are to be told. ``about``: which text of the standard; ``digest``: of the text as it will be sent."""

    way: Way
    about: Annotated[
        str,
        "Which text of the standard: planned, emergency, emergency-until, extended, rescheduled, restored or "
        "cancelled.",
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
    """Water of a planned outage is off: turned off by an instruction, or found to be off.

    ``flags`` say where it went off without notice, or outside the announced times.
    """

    flags: Flags = ()
    confirmed_by: SecondPerson = None


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


BegunAs = Literal["planned", "emergency", "unannounced"]
BEGUN_AS: Mapping[type, BegunAs] = {
    OutagePlanned: "planned",
    EmergencyOutageBegan: "emergency",
    UnannouncedOutageBegan: "unannounced",
}
"""The facts that an outage begins with, and how it came about by each."""

"""Facts of windows are registered with the topic of repairs, which outages share."""

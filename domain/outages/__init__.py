"""Outages 停水: planned with approval and notice, or in an emergency; who is cut off, until when, and who was told.

Source: 城市供水条例 §22 (a planned outage needs the authority's approval and 24 hours' notice; in an emergency
people are told while it is being repaired, and the authority is reported to). That none is planned during a mass
incident, that an announced end is a promise, and the index, are our decision.
"""

from domain.outages.begun import MOST_LITRES, begin_emergency, cancel, extend, plan, provide_water, restore, start
from domain.outages.case import NoticeOrder, Outage, evolve
from domain.outages.checks import MOST_USERS
from domain.outages.facts import (
    EmergencyOutageBegan,
    EmergencyWaterProvided,
    OutageCancelled,
    OutageExtended,
    OutageNoticeFailed,
    OutageNoticeOrdered,
    OutageNoticeProven,
    OutageNoticeSent,
    OutagePlanned,
    OutageReported,
    OutageRestored,
    OutageStarted,
)
from domain.outages.index import Spell, index_minutes, lost_minutes
from domain.outages.notices import (
    KIND,
    OrderedNotice,
    deliver_notice,
    fail_notice,
    notice_text,
    order_notice,
    prove_notice,
    report,
    send_notice,
    stands_as,
)
from domain.outages.promises import NOTICE, PROMISES, REPORT, RESTORE, obligations

__all__ = [
    "KIND",
    "MOST_LITRES",
    "MOST_USERS",
    "NOTICE",
    "PROMISES",
    "REPORT",
    "RESTORE",
    "EmergencyOutageBegan",
    "EmergencyWaterProvided",
    "NoticeOrder",
    "OrderedNotice",
    "Outage",
    "OutageCancelled",
    "OutageExtended",
    "OutageNoticeFailed",
    "OutageNoticeOrdered",
    "OutageNoticeProven",
    "OutageNoticeSent",
    "OutagePlanned",
    "OutageReported",
    "OutageRestored",
    "OutageStarted",
    "Spell",
    "begin_emergency",
    "cancel",
    "deliver_notice",
    "evolve",
    "extend",
    "fail_notice",
    "index_minutes",
    "lost_minutes",
    "notice_text",
    "obligations",
    "order_notice",
    "plan",
    "prove_notice",
    "provide_water",
    "report",
    "restore",
    "send_notice",
    "stands_as",
    "start",
]

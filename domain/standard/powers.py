"""Which roles a standard gives a power to."""

from __future__ import annotations

from collections.abc import Mapping

from domain.kernel.roles import SYSTEM
from domain.standard.standards import Standard

NAMED_BEFORE: Mapping[str, str] = {
    "book.view": "book.read",
    "order.send-reply": "order.reply",
    "outage.tell": "outage.report",
    "repair.tell-reporter": "repair.answer",
    "usage.inspect": "usage.audit",
}
"""Power → what it was called in standards that were published while it still had the name of a promise."""


_ON_INCIDENTS = ("dispatcher", "duty-dispatcher", "duty-manager", "crew-lead")
_OVER_ALL = ("manager", "deputy-director", "auditor", "operator")
_ON_APPLICATIONS = ("counter", "case-owner", "squad", "inspector", "cashier")
_AT_WORK_ON_CASES = ("hotline", *_ON_INCIDENTS, "crew", *_ON_APPLICATIONS, "meter-reader")

UNLESS_SAID: Mapping[str, tuple[str, ...]] = {
    "case.read": ("hotline", *_ON_INCIDENTS, "crew", *_ON_APPLICATIONS, "meter-reader", *_OVER_ALL),
    "case.follow": ("hotline", "counter", "case-owner", "manager"),
    "repair.read": ("hotline", "counter", *_ON_INCIDENTS, "crew", *_OVER_ALL),
    "connection.read": ("hotline", *_ON_APPLICATIONS, *_OVER_ALL),
    "order.read": ("hotline", "counter", "platform", *_ON_INCIDENTS, *_OVER_ALL),
    "crew.read": (*_ON_INCIDENTS, *_OVER_ALL),
    "alerts.read": ("hotline", *_ON_INCIDENTS, "crew", *_ON_APPLICATIONS, "meter-reader", *_OVER_ALL),
    "evidence.keep": (*_AT_WORK_ON_CASES, "applicant", "reporter", "platform"),
    "evidence.read": (*_AT_WORK_ON_CASES, *_OVER_ALL[:-1]),
    "vault.read": ("hotline", *_ON_INCIDENTS, "crew", "counter", "case-owner", "squad", *_OVER_ALL[:-1]),
    "vault.unmask": ("hotline", "crew-lead", "crew", "counter", "case-owner", "squad"),
    "vault.erase": ("manager",),
    "rights.handle": ("counter", "case-owner", "manager"),
    "complaint.take": ("hotline", "counter", "case-owner", "duty-manager", "manager"),
    "complaint.answer": ("case-owner", "duty-manager", "manager"),
    "complaint.read": ("hotline", "counter", "case-owner", "duty-manager", *_OVER_ALL),
    "connection.tell-applicant": (SYSTEM,),
    "people.read": ("manager", "auditor", "operator"),
    "people.manage": ("manager", "operator", "system"),
}
"""Power → the roles that have it by a standard that does not name it. These are powers to read what anybody could read
before there were accounts, to keep accounts, to see and erase particulars of persons, and the program's own to say what
became of a message: a standard that was published before must not lock everybody out. Our decision; a standard that
names one of them says it for itself."""


def roles_with(standard: Standard, power: str) -> tuple[str, ...]:
    """The roles that have the power by this standard, under its name or the one that it had before; else those of
    ``UNLESS_SAID``; none: nobody."""
    for name in (power, NAMED_BEFORE.get(power, power)):
        if roles := standard.powers.get(name):
            return roles
    return UNLESS_SAID.get(power, ())

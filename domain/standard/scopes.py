"""The scope of each power: how far an account reaches that is bound to a crew, a squad, districts or its own cases.

Source: our decision. A power says what may be done, its scope says to which cases. An account that is bound to nothing
has the power over all; one that is bound has it over its own, and over all where the power's row is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Bound = Literal["own-case", "own-crew", "own-squad", "own-district"]

BOUNDS: Mapping[Bound, str] = {
    "own-case": "An applicant or a reporter: the cases that name them.",
    "own-crew": "An account of a crew: incidents that this crew is on, or was on when they were closed. Facts that are "
    "told late may be of an incident that the crew has handed over since.",
    "own-squad": "An account of a squad: visits of this squad, and the applications that it visits.",
    "own-district": "An account of districts: cases that lie there. A case that names no district lies in each.",
}
"""What each bound means."""

CITIZEN_ROLES = frozenset({"applicant", "reporter"})
CREW_ROLES = frozenset({"crew", "crew-lead"})
SQUAD_ROLES = frozenset({"squad"})
"""The roles that the bounds of a case, a crew and a squad hold; that of a district holds every role."""

_EVERY: tuple[Bound, ...] = ("own-case", "own-crew", "own-squad", "own-district")
_INCIDENT: tuple[Bound, ...] = ("own-crew", "own-district")
_APPLICATION: tuple[Bound, ...] = ("own-squad", "own-district")
_APPLICANTS: tuple[Bound, ...] = ("own-case", *_APPLICATION)
_CREW: tuple[Bound, ...] = ("own-crew",)
_DISTRICT: tuple[Bound, ...] = ("own-district",)
_ALL: tuple[Bound, ...] = ()

SCOPES: Mapping[str, tuple[Bound, ...]] = {
    # whatever kind of case
    "case.read": _EVERY,
    "case.follow": _EVERY,
    "window.acknowledge": _EVERY,
    "alerts.read": _EVERY,
    "alerts.tell": _ALL,
    "vault.read": _EVERY,
    "vault.unmask": _EVERY,
    "vault.erase": _ALL,
    "rights.handle": _ALL,
    # whoever calls is heard, wherever their case lies; who answers looks into cases by the powers over these
    "complaint.take": _ALL,
    "complaint.answer": _ALL,
    "complaint.read": _ALL,
    "evidence.keep": _EVERY,
    "evidence.read": _EVERY,
    # incidents and orders
    "history.import": _ALL,
    "repair.read": _INCIDENT,
    "repair.dispatch": _INCIDENT,
    "repair.tell": _INCIDENT,
    "repair.link": _DISTRICT,  # a crew may link what somebody told it on the road
    "repair.close": _INCIDENT,
    "repair.tell-reporter": _INCIDENT,
    "repair.deliver": _ALL,
    "repair.reassess": _INCIDENT,
    "repair.unlink": _INCIDENT,
    "repair.dismiss": _INCIDENT,
    "repair.reject": _INCIDENT,
    "repair.correct": _INCIDENT,
    "repair.start-paid-service": _INCIDENT,
    "order.read": _INCIDENT,
    "order.send-reply": _INCIDENT,
    "order.extend": _INCIDENT,
    "mass.declare": _DISTRICT,
    "mass.end": _ALL,
    "outage.plan": _DISTRICT,
    "outage.tell": _DISTRICT,
    "outage.cancel": _DISTRICT,
    "outage.notify": _DISTRICT,
    "outage.deliver": _ALL,
    "crew.read": _CREW,
    "crew.form": _ALL,
    "crew.shift": _CREW,
    "crew.locate": _CREW,
    # applications: a crew builds for each of them, and none says which crew does
    "connection.read": _APPLICATION,
    "connection.receive": _ALL,
    "connection.route": _APPLICATION,
    "connection.appear": _APPLICATION,
    "connection.withdraw": _APPLICANTS,
    "connection.refuse": _APPLICATION,
    "connection.supply-document": _APPLICANTS,
    "connection.reject-document": _APPLICATION,
    "connection.give-notice": _APPLICATION,
    "connection.request-further": _APPLICATION,
    "connection.promise-papers": _APPLICANTS,
    "connection.decline-outstanding": _APPLICANTS,
    "connection.repair-commitment": _APPLICATION,
    "connection.admit": _APPLICATION,
    "connection.resume": _APPLICATION,
    "connection.survey": _APPLICATION,
    "connection.design": _APPLICATION,
    "connection.approve-on-site": _APPLICATION,
    "connection.construct": _APPLICATION,
    "connection.inspect": _APPLICATION,
    "connection.install-meter": _APPLICATION,
    "connection.replace-meter": _APPLICATION,
    "connection.turn-water-on": _APPLICATION,
    "connection.change-class": _APPLICATION,
    "connection.change-customer": _APPLICATION,
    "connection.rename-customer": _APPLICATION,
    "connection.quote": _APPLICATION,
    "connection.sign-contract": _APPLICANTS,
    "connection.pay": _APPLICATION,
    "connection.reverse-payment": _APPLICATION,
    "connection.refund": _APPLICATION,
    "connection.confirm-refund": _APPLICATION,
    "connection.book-visit": ("own-case", "own-district"),  # a squad's first visit is booked by itself, for itself
    "connection.reassign-visit": _APPLICATION,
    "connection.make-visit": _APPLICATION,
    "connection.deliver": _APPLICATION,
    "connection.confirm-delivery": _APPLICANTS,
    "connection.tell-applicant": _ALL,
    "connection.request-pause": _APPLICATION,
    "connection.approve-pause": _APPLICATION,
    "connection.end-pause": _APPLICATION,
    "connection.revoke-pause": _APPLICATION,
    "charges.read": _DISTRICT,
    "squad.form": _ALL,
    # what is asked before an application names no squad and no district
    "consultation.record": _ALL,
    "preservice.request": _ALL,
    "preservice.give": _ALL,
    # meters: neither a reading round nor a case of abnormal use names a district
    "readings.read": _ALL,
    "readings.send": _ALL,
    "usage.find": _ALL,
    "usage.read": _ALL,
    "usage.inspect": _ALL,
    "usage.dismiss": _ALL,
    "usage.notify": _ALL,
    "usage.help": _ALL,
    "usage.conclude": _ALL,
    "book.open": _ALL,
    "book.view": _ALL,
    "book.audit": _ALL,
    "book.except": _ALL,
    # the whole utility's
    "standard.draft": _ALL,
    "standard.approve": _ALL,
    "calendar.publish": _ALL,
    "fees.draft": _ALL,
    "fees.review": _ALL,
    "fees.publish": _ALL,
    "law.publish": _ALL,
    "works.register": _ALL,
    "works.report": _ALL,
    "people.manage": _ALL,
    "people.read": _ALL,
}
"""Power → the bounds that narrow it; empty: an account that has the power has it over all. Every power is here."""


def holds(bound: Bound, role: str) -> bool:
    """Whether that bound narrows what somebody of the role may do, where their account has it."""
    match bound:
        case "own-case":
            return role in CITIZEN_ROLES
        case "own-crew":
            return role in CREW_ROLES
        case "own-squad":
            return role in SQUAD_ROLES
        case "own-district":
            return role not in CITIZEN_ROLES

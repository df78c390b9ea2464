"""Who may act and be told, and what a standard gives the power to do."""

from __future__ import annotations

ROLES = (
    "public",
    "applicant",
    "reporter",
    "hotline",
    "counter",
    "squad",
    "dispatcher",
    "duty-dispatcher",
    "duty-manager",
    "crew",
    "crew-lead",
    "case-owner",
    "inspector",
    "cashier",
    "platform",
    "manager",
    "deputy-director",
    "meter-reader",
    "price-authority",
    "market-regulator",
    "auditor",
    "operator",
)
"""The roles in which somebody may act."""

SYSTEM = "system"
"""The program's own role."""

ADDRESSEES = frozenset({*ROLES, "second-crew"})
"""Whom a ladder may name. The second crew is told to come, and acts as a crew."""

POWERS = frozenset(
    {
        "connection.receive",
        "connection.route",
        "connection.appear",
        "connection.withdraw",
        "connection.refuse",
        "connection.supply-document",
        "connection.reject-document",
        "connection.give-notice",
        "connection.request-further",
        "connection.promise-papers",
        "connection.decline-outstanding",
        "connection.repair-commitment",
        "connection.admit",
        "connection.resume",
        "connection.survey",
        "connection.design",
        "connection.approve-on-site",
        "connection.construct",
        "connection.inspect",
        "connection.install-meter",
        "connection.turn-water-on",
        "connection.quote",
        "connection.sign-contract",
        "connection.pay",
        "connection.reverse-payment",
        "connection.refund",
        "connection.book-visit",
        "connection.reassign-visit",
        "connection.make-visit",
        "connection.deliver",
        "connection.confirm-delivery",
        "connection.request-pause",
        "connection.approve-pause",
        "connection.end-pause",
        "connection.revoke-pause",
        "consultation.record",
        "preservice.request",
        "preservice.give",
        "works.register",
        "works.report",
        "squad.form",
        "outage.plan",
        "outage.report",
        "mass.declare",
        "mass.end",
        "crew.form",
        "crew.shift",
        "crew.locate",
        "repair.reassess",
        "repair.unlink",
        "repair.dismiss",
        "repair.correct",
        "repair.start-paid-service",
        "readings.read",
        "readings.send",
        "standard.draft",
        "standard.approve",
        "calendar.publish",
        "fees.draft",
        "fees.review",
        "fees.publish",
        "charges.read",
    }
)
"""What a standard gives to roles. One that it leaves out is nobody's, so every standard names them all; a test holds
this list against the decisions that ask for a power."""

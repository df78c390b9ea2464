"""Who may act, and who may be told."""

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

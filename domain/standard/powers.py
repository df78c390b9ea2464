"""Which roles a standard gives a power to."""

from __future__ import annotations

from collections.abc import Mapping

from domain.standard.standards import Standard

NAMED_BEFORE: Mapping[str, str] = {
    "book.view": "book.read",
    "order.send-reply": "order.reply",
    "outage.tell": "outage.report",
    "repair.tell-reporter": "repair.answer",
    "usage.inspect": "usage.audit",
}
"""Power → what it was called in standards that were published while it still had the name of a promise."""


def roles_with(standard: Standard, power: str) -> tuple[str, ...]:
    """The roles that have the power by this standard, under its name or the one that it had before; none: nobody."""
    return standard.powers.get(power) or standard.powers.get(NAMED_BEFORE.get(power, power), ())

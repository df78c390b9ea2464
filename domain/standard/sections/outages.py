"""What a standard says of outages: how long ahead users are told, by which ways, in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from domain.kernel import messages
from domain.kernel.refusals import UnknownWay
from domain.standard.values import MOST_DAYS, MOST_MINUTES, Between, Codes, require_fields, require_known, require_texts

OUTAGE_STANDS = ("planned", "emergency", "emergency-until", "extended", "rescheduled", "restored", "cancelled")
"""How an outage can stand: what a standard may have a text for."""
OUTAGE_WORDS = ("number", "districts", "begin", "end", "restored")
"""What a text on an outage may name in braces."""


@dataclass(frozen=True, slots=True)
class PlannedOutagePolicy:
    """How a planned outage is held to the law of 2026 (供水条例 §23, since 2026-06-01). What counts as a large effect,
    the tolerance and the minutes are our decision: the law names no number. The effect is large where one of the three
    holds, and then the outage needs the authority's approval and water in the meantime."""

    large_from_users: Annotated[
        int | None,
        "Users without water from which on the effect is large; null: their number does not decide.",
        Between(0, 1_000_000_000),
    ]
    large_from_hours: Annotated[
        int | None,
        "Announced hours without water from which on the effect is large; null: they do not decide.",
        Between(0, 24 * MOST_DAYS),
    ]
    sensitive_places: Annotated[
        Mapping[str, str], "Code → Chinese name of the kinds of place whose water makes the effect large.", Codes()
    ]
    supply_ways: Annotated[Mapping[str, str], "Code → how people get water in the meantime.", Codes(required=True)]
    start_tolerance_minutes: Annotated[
        int,
        "Minutes before and after the announced beginning in which water may go off; otherwise the notice is broken.",
        Between(0, 24 * 60),
    ]
    change_notice_minutes: Annotated[
        int,
        "Minutes in which users who were told of an outage are told that it is cancelled or takes longer.",
        Between(1, MOST_MINUTES),
    ]
    together_within_hours: Annotated[
        int | None,
        "Most hours between two planned outages of a district that are weighed as one; null: each is weighed alone.",
        Between(0, 24 * MOST_DAYS),
    ] = 24


@dataclass(frozen=True, slots=True)
class OutagesSection:
    """Of outages. A number that a standard does not have promises nothing."""

    # The least by law: 城市供水条例 §22 (in force until 2026-05-31), 供水条例 §23 (in force since 2026-06-01).
    outage_notice_hours: Annotated[
        int, "Hours before a planned outage by which users are told.", Between(24, 24 * 90)
    ] = 24
    emergency_notice_minutes: Annotated[
        int | None, "Minutes in which users are told of an emergency; null: no promise.", Between(1, MOST_MINUTES)
    ] = None
    emergency_report_minutes: Annotated[
        int | None,
        "Minutes in which the authority is told of an emergency; null: no promise.",
        Between(1, MOST_MINUTES),
    ] = None
    planned_outages: Annotated[
        PlannedOutagePolicy | None,
        "What decides whether a planned outage needs approval, and how it is held to its notice; null: every one needs "
        "approval, and its beginning is not held to what was announced (the law before 2026-06-01).",
    ] = None
    outage_cancel_reasons: Annotated[Mapping[str, str], "Code → why a planned outage may be cancelled.", Codes()] = (
        field(default_factory=dict)
    )
    notice_ways: Annotated[Mapping[str, str], "Code → how users are told of an outage.", Codes()] = field(
        default_factory=dict
    )
    outage_texts: Annotated[
        Mapping[str, str],
        "How an outage stands → the text that users are sent; words in braces are filled in.",
        Codes(),
    ] = field(default_factory=dict)
    customers: Annotated[
        int | None,
        "Customers of the utility, for figures per customer; null where it is not told.",
        Between(1, 1_000_000_000),
    ] = None

    def require_sound(self) -> None:
        """Refuse ``unknown-way`` for a way that the program cannot send by, and what ``require_fields`` and
        ``require_texts`` refuse."""
        require_fields(self, OutagesSection)
        for way in self.notice_ways:
            require_known(UnknownWay, way, messages.WAYS)
        require_texts(self.outage_texts, OUTAGE_STANDS, OUTAGE_WORDS)

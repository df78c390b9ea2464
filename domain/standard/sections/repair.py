"""What a standard says of repairs: limits, classes, and the words in which they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from domain.deadlines.limits import DayEnd, DayUnit, Intake
from domain.kernel.fields import ChineseName
from domain.kernel.refusals import UnknownFaultKind
from domain.standard.refusals import IntakeUnclear, UnknownSeverity, UnknownZone
from domain.standard.sections.common import Zone
from domain.standard.values import (
    MOST_DAYS,
    MOST_MINUTES,
    Between,
    Codes,
    require_codes,
    require_fields,
    require_known,
    require_range,
    require_texts,
)

Severity = Literal["small", "medium", "major"]
CompletionStart = Literal["report", "arrival", "assessment"]
ANSWER_STANDS = ("completed", "dismissed")
"""How an incident can end: what a standard may have a text for."""
ANSWER_WORDS = ("number", "kind", "district", "at")
"""What a text to a reporter may name in braces."""
MOST_KIND_DAYS = 1000


@dataclass(frozen=True, slots=True)
class SeverityClass:
    """A class of repair (小修, 中修, 大修) in words that a crew can check on site."""

    name_zh: ChineseName
    criteria_zh: Annotated[str, "What makes a repair one of the class, in Chinese."]


@dataclass(frozen=True, slots=True)
class OrderSource:
    """A body whose work orders come with a number and a deadline of their own (12345 政务服务便民热线).

    ``reply_working_days``: by when an order is replied to that names no deadline itself. ``furthest_working_days``: how
    far off a deadline may lie that an order or an extension names (our decision: a slip of the keyboard would else be a
    promise of years).
    """

    name_zh: ChineseName
    reply_working_days: Annotated[int, "Working days in which the body wants its reply."]
    furthest_working_days: Annotated[
        int, "Most working days from the day on which it is told to a deadline that an order or an extension names."
    ] = 60


@dataclass(frozen=True, slots=True)
class KindLimit:
    """A completion limit in days for one kind of fault, whatever its class: so many working or civil days, until the
    close of business or until the time of day at which it began."""

    days: Annotated[int, "How many days."]
    unit: Annotated[DayUnit, "Whether working days or civil days are counted."] = "working"
    ends: Annotated[
        DayEnd, "Whether a limit ends at the close of business or at the time of day at which it began."
    ] = "close"


@dataclass(frozen=True, slots=True)
class RepairSection:
    """Of repairs, imported history and what is known about a fault. A number that a standard does not have promises
    nothing. The codes of ``incident_details`` stand under the detail that they are of."""

    arrival_minutes: Annotated[Mapping[Zone, int], "Zone → minutes from the first report to a crew on site."]
    completion_minutes: Annotated[
        Mapping[Severity, int | None],
        "Class → minutes to the end of the repair; null: no end limit, continuous work instead.",
        Between(1, MOST_MINUTES),
    ]
    unassessed_as: Annotated[Severity, "Class whose limit holds until the repair is classed."]
    fault_kinds: Annotated[Mapping[str, str], "Code → Chinese name of the kinds of fault.", Codes(required=True)]
    severity_classes: Annotated[
        Mapping[Severity, SeverityClass], "Class → its name and what makes a repair one of it."
    ] = field(default_factory=dict)
    completion_from: Annotated[
        CompletionStart, "What the completion is counted from: the first report, the arrival or the assessment."
    ] = "report"
    arrival_evidence_minutes: Annotated[
        int | None,
        "Minutes after an arrival that was told without evidence in which the evidence may follow; then it meets "
        "nothing. Null: an arrival needs no evidence.",
        Between(1, MOST_MINUTES),
    ] = None
    assessment_minutes: Annotated[
        int | None,
        "Minutes from the first report in which a repair is classed; null: no promise.",
        Between(0, MOST_MINUTES),
    ] = None
    reassessment_second_person_percent: Annotated[
        int, "Percent of the limit after which another class needs a second person.", Between(0, 100)
    ] = 75
    continuity_minutes: Annotated[
        int | None,
        "Most minutes between two records of work on a major repair; null: no promise.",
        Between(0, MOST_MINUTES),
    ] = None
    work_notes: Annotated[Mapping[str, str], "Code → what a record of work may say.", Codes()] = field(
        default_factory=dict
    )
    fault_families: Annotated[
        Mapping[str, str], "Kind of fault → the group of kinds that may be one incident.", Codes()
    ] = field(default_factory=dict)
    link_suggestion_minutes: Annotated[
        int, "Minutes in which a further report may be the same incident.", Between(0, MOST_MINUTES)
    ] = 0
    kind_limits: Annotated[Mapping[str, KindLimit], "Kind of fault → a limit of its own in days.", Codes()] = field(
        default_factory=dict
    )
    intake: Annotated[
        Intake | None, "Hours of the office that takes reports in, for limits by another office's custom; null: always."
    ] = None
    geofence_metres: Annotated[
        int, "Metres from the incident within which an arrival is proven.", Between(1, 10_000)
    ] = 200
    mass_causes: Annotated[Mapping[str, str], "Code → what may cause a mass incident.", Codes()] = field(
        default_factory=dict
    )
    dismissal_reasons: Annotated[Mapping[str, str], "Code → why an incident may need no repair.", Codes()] = field(
        default_factory=dict
    )
    rejection_reasons: Annotated[Mapping[str, str], "Code → why proof may be rejected.", Codes()] = field(
        default_factory=dict
    )
    pipe_materials: Annotated[Mapping[str, str], "Code → what pipes are made of.", Codes()] = field(
        default_factory=dict
    )
    incident_details: Annotated[
        Mapping[str, Mapping[str, str]], "Detail → its allowed codes and their names.", Codes()
    ] = field(default_factory=dict)
    answer_minutes: Annotated[
        int | None,
        "Minutes after the end of the repair in which a reporter is told; null: no promise.",
        Between(0, MOST_MINUTES),
    ] = None
    answer_ways: Annotated[Mapping[str, str], "Code → how a reporter is told.", Codes()] = field(default_factory=dict)
    answer_texts: Annotated[
        Mapping[str, str],
        "How an incident ended → the text that a reporter is sent; words in braces are filled in.",
        Codes(),
    ] = field(default_factory=dict)
    apologies: Annotated[tuple[str, ...], "Promises whose lapse is apologised for."] = ()
    order_sources: Annotated[Mapping[str, OrderSource], "Code → the bodies that send orders, and their limit."] = field(
        default_factory=dict
    )
    history_channels: Annotated[tuple[str, ...], "Channels over which history is imported.", Codes()] = ()
    origins: Annotated[
        Mapping[str, str], "Code → over which of its own ways the source of imported history was told.", Codes()
    ] = field(default_factory=dict)

    def require_sound(self) -> None:
        """Refuse ``unknown-zone``, ``unknown-severity``, ``unknown-fault-kind``, ``intake-unclear`` and what
        ``require_fields`` and ``require_texts`` refuse."""
        require_fields(self, RepairSection)
        for detail, codes in self.incident_details.items():
            require_codes(f"incident_details: {detail}", list(codes))
        require_texts(self.answer_texts, ANSWER_STANDS, ANSWER_WORDS)
        for kind in (*self.fault_families, *self.kind_limits):
            require_known(UnknownFaultKind, kind, self.fault_kinds)
        self._require_limits()

    def _require_limits(self) -> None:
        # Hours in which nobody takes anything in.
        if self.intake is not None and self.intake.opens >= self.intake.until:
            raise IntakeUnclear(self.intake)
        for code, source in self.order_sources.items():
            require_range(f"order_sources: {code}", source.reply_working_days, 1, MOST_DAYS)
            require_range(f"order_sources: {code}", source.furthest_working_days, 1, MOST_DAYS)
        for code, promised in self.kind_limits.items():
            require_range(f"kind_limits: {code}", promised.days, 1, MOST_KIND_DAYS)
        for zone, minutes in self.arrival_minutes.items():
            require_range(f"minutes for {zone}", minutes, 1, MOST_MINUTES)
        for zone in get_args(Zone):
            require_known(UnknownZone, zone, self.arrival_minutes)
        for severity in get_args(Severity):
            require_known(UnknownSeverity, severity, self.completion_minutes)

"""What a standard says of connections: the promise to applicants, papers, the way of an application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from domain.kernel.fields import ChineseName, Version


@dataclass(frozen=True, slots=True)
class Promise:
    """What the public was told about connections, in numbers. A standard keeps within it or publishes another one."""

    version: Version
    working_days: Annotated[int, "Most working days until water is on."]
    steps: Annotated[int, "Most steps."]
    documents: Annotated[int, "Most documents."]
    fees: Annotated[int, "Most fees."]
    trips_remote: Annotated[int, "Most trips of who applied over a remote channel."]
    trips_otherwise: Annotated[int, "Most trips of everybody else."]


@dataclass(frozen=True, slots=True)
class Step:
    """A step 环节 that the applicant sees."""

    code: Annotated[str, "Code of the step."]
    name_zh: ChineseName


@dataclass(frozen=True, slots=True)
class DocumentRequirement:
    """A document that an applicant owes. ``main`` False: it may be outstanding at admission (容缺).

    ``met_by``: the ways that meet it, of upload, seen, shared, verified.
    """

    code: Annotated[str, "Code of the document."]
    name_zh: ChineseName
    main: Annotated[bool, "Whether nothing can be admitted without it."]
    met_by: Annotated[tuple[str, ...], "The ways that meet it, of upload, seen, shared and verified."]


@dataclass(frozen=True, slots=True)
class PapersPolicy:
    """Admission with papers outstanding (容缺受理).

    ``admits``: ``main-papers`` admits by itself once the main papers are in, unless the applicant is barred or has
    declined; ``with-commitment`` waits for the written commitment too. ``longest_working_days``: the latest deadline a
    commitment may have, never later than the case's own. ``bar_months``: how long a broken commitment bars.
    """

    admits: Annotated[
        Literal["main-papers", "with-commitment"],
        "What admits by itself: the main papers, or they with the written promise of the rest.",
    ]
    when_broken: Annotated[Literal["end", "suspend"], "What happens where the promise of papers is broken."]
    longest_working_days: Annotated[int, "The latest deadline that a promise of papers may have, in working days."]
    bar_months: Annotated[int, "Months for which a broken promise bars the applicant."]


@dataclass(frozen=True, slots=True)
class PauseReason:
    """A reason for which the clock may stand, at most ``cap_working_days`` of a case."""

    name_zh: ChineseName
    cap_working_days: Annotated[int, "Most working days of one such pause."]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where applications of some categories are handed on to, and the named people who own them."""

    name_zh: ChineseName
    owners: Annotated[tuple[str, ...], "Actor ids of who answers for cases at the desk."]


@dataclass(frozen=True, slots=True)
class ConnectionSection:
    """Of connections, of what is offered before building and of what changes once water is on.

    ``uncounted_stages``: stage of a connection → how many working days of it the clock may stand; without them none
    does. ``class_change_ahead_days`` 0: a change of class is not told ahead at all.
    """

    connection_working_days: Annotated[int, "Working days from admission to water."]
    applicant_categories: Annotated[Mapping[str, str], "Code → Chinese name of the applicants' categories."]
    max_supply_points: Annotated[int, "Most supply points of an application."]
    promise: Annotated[Promise | None, "What is published to applicants; null where nothing is."] = None
    steps: Annotated[tuple[Step, ...], "The steps of an application that applicants see."] = ()
    documents: Annotated[
        Mapping[str, tuple[DocumentRequirement, ...]], "Applicant category → the documents it needs."
    ] = field(default_factory=dict)
    document_ways: Annotated[Mapping[str, str], "Code → name of the ways in which a document may come."] = field(
        default_factory=dict
    )
    defects: Annotated[Mapping[str, str], "Code → name of what can be wrong with a document."] = field(
        default_factory=dict
    )
    hidden_defects: Annotated[Mapping[str, str], "Code → name of what could not be seen the first time."] = field(
        default_factory=dict
    )
    notice_minutes: Annotated[Mapping[str, int], "Channel → minutes to the one-time notice."] = field(
        default_factory=dict
    )
    notice_working_days: Annotated[int, "Working days to the one-time notice where the channel has no minutes."] = 1
    silence_working_days: Annotated[int, "Working days after which silence admits."] = 5
    papers: Annotated[PapersPolicy, "How papers may stay outstanding at admission."] = PapersPolicy(
        "main-papers", "end", 5, 12
    )
    pause_reasons: Annotated[Mapping[str, PauseReason], "Code → what a pause may be for, and how long."] = field(
        default_factory=dict
    )
    pause_cap_working_days: Annotated[int, "Most working days of all pauses of a case together."] = 0
    remote_channels: Annotated[tuple[str, ...], "Channels over which nobody needs to come."] = ()
    desks: Annotated[Mapping[str, Desk], "Code → the desks that take cases."] = field(default_factory=dict)
    routing: Annotated[Mapping[str, str], "Applicant category → desk."] = field(default_factory=dict)
    refusal_reasons: Annotated[Mapping[str, str], "Code → why an application may be refused."] = field(
        default_factory=dict
    )
    withdrawal_reasons: Annotated[Mapping[str, str], "Code → why an applicant withdraws."] = field(default_factory=dict)
    survey_findings: Annotated[Mapping[str, str], "Code → what a survey may find."] = field(default_factory=dict)
    inspection_defects: Annotated[Mapping[str, str], "Code → what an inspection may find."] = field(
        default_factory=dict
    )
    visit_purposes: Annotated[Mapping[str, str], "Code → what a squad may come for."] = field(default_factory=dict)
    deliverables: Annotated[Mapping[str, str], "Code → what is handed over to the applicant."] = field(
        default_factory=dict
    )
    delivery_ways: Annotated[Mapping[str, str], "Code → how it may be handed over."] = field(default_factory=dict)
    uncounted_stages: Annotated[Mapping[str, int], "Stage → most working days of it that do not count."] = field(
        default_factory=dict
    )
    payer_classes: Annotated[Mapping[str, str], "Code → name of the classes of who pays."] = field(default_factory=dict)
    price_version: Annotated[str, "Version of the water prices."] = ""
    price_classes: Annotated[Mapping[str, str], "Code → Chinese name of the price classes."] = field(
        default_factory=dict
    )
    class_changes: Annotated[Mapping[str, str], "Code → why a class of use may change."] = field(default_factory=dict)
    customer_changes: Annotated[Mapping[str, str], "Code → why a customer may change."] = field(default_factory=dict)
    class_change_ahead_days: Annotated[int, "Most days by which a change may be told ahead."] = 0
    consultation_topics: Annotated[Mapping[str, str], "Code → what a consultation may be about."] = field(
        default_factory=dict
    )
    preservices: Annotated[Mapping[str, str], "Code → what is offered before building."] = field(default_factory=dict)
    works_kinds: Annotated[Mapping[str, str], "Code → kinds of work for the community."] = field(default_factory=dict)

    def allowed_trips(self, channel: str) -> int | None:
        """How often the applicant may have to appear in person; None where nothing was promised about it."""
        if self.promise is None:
            return None
        return self.promise.trips_remote if channel in self.remote_channels else self.promise.trips_otherwise

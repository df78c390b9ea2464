"""What a standard says of connections: the promise to applicants, papers, the way of an application."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from domain.kernel.fields import ChineseName, Version
from domain.kernel.refusals import UnknownApplicantCategory, UnknownWay
from domain.standard.fees import plain
from domain.standard.refusals import (
    CatchAllDocument,
    CategoryIncomplete,
    DeskWithoutOwner,
    NoMainDocument,
    TableEmpty,
    UnknownDesk,
    UnknownDocumentWay,
)
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

PAPER_WAYS = ("sms", "wechat")
"""By which the program can send an applicant the link to a paper: their telephone is all that it knows of them."""
SENT_PAPERS = ("one-time-notice", "acceptance", "acceptance-outstanding", "refusal", "quote", "contract")
"""The papers of an application that the program can send."""
PAPER_WORDS = ("number", "paper", "link")
"""What such a text may name in braces."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What the public was told about connections, in numbers. A standard keeps within it or publishes another one."""

    version: Version
    working_days: Annotated[int, "Most working days until water is on.", Between(1, MOST_DAYS)]
    steps: Annotated[int, "Most steps.", Between(0, 100)]
    documents: Annotated[int, "Most documents.", Between(0, 100)]
    fees: Annotated[int, "Most fees.", Between(0, 100)]
    trips_remote: Annotated[int, "Most trips of who applied over a remote channel.", Between(0, 100)]
    trips_otherwise: Annotated[int, "Most trips of everybody else.", Between(0, 100)]


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
    longest_working_days: Annotated[
        int, "The latest deadline that a promise of papers may have, in working days.", Between(1, MOST_DAYS)
    ]
    bar_months: Annotated[int, "Months for which a broken promise bars the applicant.", Between(0, 120)]


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

    connection_working_days: Annotated[int, "Working days from admission to water.", Between(1, MOST_DAYS)]
    applicant_categories: Annotated[
        Mapping[str, str], "Code → Chinese name of the applicants' categories.", Codes(required=True)
    ]
    max_supply_points: Annotated[int, "Most supply points of an application.", Between(1, 100_000)]
    promise: Annotated[Promise | None, "What is published to applicants; null where nothing is."] = None
    steps: Annotated[tuple[Step, ...], "The steps of an application that applicants see."] = ()
    documents: Annotated[
        Mapping[str, tuple[DocumentRequirement, ...]], "Applicant category → the documents it needs.", Codes()
    ] = field(default_factory=dict)
    document_ways: Annotated[Mapping[str, str], "Code → name of the ways in which a document may come.", Codes()] = (
        field(default_factory=dict)
    )
    defects: Annotated[Mapping[str, str], "Code → name of what can be wrong with a document.", Codes()] = field(
        default_factory=dict
    )
    hidden_defects: Annotated[Mapping[str, str], "Code → name of what could not be seen the first time.", Codes()] = (
        field(default_factory=dict)
    )
    notice_minutes: Annotated[Mapping[str, int], "Channel → minutes to the one-time notice.", Codes()] = field(
        default_factory=dict
    )
    notice_working_days: Annotated[
        int, "Working days to the one-time notice where the channel has no minutes.", Between(1, MOST_DAYS)
    ] = 1
    silence_working_days: Annotated[int, "Working days after which silence admits.", Between(1, MOST_DAYS)] = 5
    papers: Annotated[PapersPolicy, "How papers may stay outstanding at admission."] = PapersPolicy(
        "main-papers", "end", 5, 12
    )
    pause_reasons: Annotated[Mapping[str, PauseReason], "Code → what a pause may be for, and how long.", Codes()] = (
        field(default_factory=dict)
    )
    pause_cap_working_days: Annotated[
        int, "Most working days of all pauses of a case together.", Between(0, MOST_DAYS)
    ] = 0
    remote_channels: Annotated[tuple[str, ...], "Channels over which nobody needs to come.", Codes()] = ()
    desks: Annotated[Mapping[str, Desk], "Code → the desks that take cases.", Codes()] = field(default_factory=dict)
    routing: Annotated[Mapping[str, str], "Applicant category → desk.", Codes()] = field(default_factory=dict)
    refusal_reasons: Annotated[Mapping[str, str], "Code → why an application may be refused.", Codes()] = field(
        default_factory=dict
    )
    withdrawal_reasons: Annotated[Mapping[str, str], "Code → why an applicant withdraws.", Codes()] = field(
        default_factory=dict
    )
    survey_findings: Annotated[Mapping[str, str], "Code → what a survey may find.", Codes()] = field(
        default_factory=dict
    )
    inspection_defects: Annotated[Mapping[str, str], "Code → what an inspection may find.", Codes()] = field(
        default_factory=dict
    )
    visit_purposes: Annotated[Mapping[str, str], "Code → what a squad may come for.", Codes()] = field(
        default_factory=dict
    )
    deliverables: Annotated[Mapping[str, str], "Code → what is handed over to the applicant.", Codes()] = field(
        default_factory=dict
    )
    delivery_ways: Annotated[Mapping[str, str], "Code → how it may be handed over.", Codes()] = field(
        default_factory=dict
    )
    paper_way: Annotated[
        str, "The way by which the program sends the applicant the link to a paper; empty: it sends none."
    ] = ""
    paper_texts: Annotated[
        Mapping[str, str],
        "Kind of paper → the text with which the applicant is sent it; words in braces are filled in.",
        Codes(),
    ] = field(default_factory=dict)
    uncounted_stages: Annotated[
        Mapping[str, int], "Stage → most working days of it that do not count.", Codes(), Between(0, MOST_DAYS)
    ] = field(default_factory=dict)
    payer_classes: Annotated[Mapping[str, str], "Code → name of the classes of who pays.", Codes()] = field(
        default_factory=dict
    )
    price_version: Annotated[str, "Version of the water prices."] = ""
    price_classes: Annotated[Mapping[str, str], "Code → Chinese name of the price classes.", Codes()] = field(
        default_factory=dict
    )
    class_changes: Annotated[Mapping[str, str], "Code → why a class of use may change.", Codes()] = field(
        default_factory=dict
    )
    customer_changes: Annotated[Mapping[str, str], "Code → why a customer may change.", Codes()] = field(
        default_factory=dict
    )
    class_change_ahead_days: Annotated[int, "Most days by which a change may be told ahead.", Between(0, MOST_DAYS)] = 0
    consultation_topics: Annotated[Mapping[str, str], "Code → what a consultation may be about.", Codes()] = field(
        default_factory=dict
    )
    preservices: Annotated[Mapping[str, str], "Code → what is offered before building.", Codes()] = field(
        default_factory=dict
    )
    works_kinds: Annotated[Mapping[str, str], "Code → kinds of work for the community.", Codes()] = field(
        default_factory=dict
    )

    def allowed_trips(self, channel: str) -> int | None:
        """How often the applicant may have to appear in person; None where nothing was promised about it."""
        if self.promise is None:
            return None
        return self.promise.trips_remote if channel in self.remote_channels else self.promise.trips_otherwise

    def require_sound(self) -> None:
        """Refuse what no application could be worked by.

        Every category of applicant has its documents, its desk and its payer class, and nothing else has.
        Refuses ``category-incomplete``, ``unknown-applicant-category``, ``unknown-desk``, ``desk-without-owner``,
        ``no-main-document``, ``catch-all-document``, ``unknown-document-way`` and what ``require_fields`` refuses.
        """
        require_fields(self, ConnectionSection)
        require_codes("steps", [step.code for step in self.steps])
        if not self.steps:
            raise TableEmpty("steps")
        self._require_each_category("documents", self.documents)
        self._require_each_category("routing", self.routing)
        self._require_each_category("payer_classes", self.payer_classes)
        for desk in self.routing.values():
            require_known(UnknownDesk, desk, self.desks)
        self._require_owners()
        for category in self.documents:
            self._require_documents(category)
        if self.paper_way:
            require_known(UnknownWay, self.paper_way, PAPER_WAYS)
        require_texts(self.paper_texts, SENT_PAPERS, PAPER_WORDS)
        for code, reason in self.pause_reasons.items():
            require_range(f"pause_reasons: {code}", reason.cap_working_days, 0, MOST_DAYS)
        for channel, minutes in self.notice_minutes.items():
            require_range(f"minutes for {channel}", minutes, 1, MOST_MINUTES)

    def _require_each_category(self, name: str, table: Mapping[str, object]) -> None:
        for category in table:
            require_known(UnknownApplicantCategory, category, self.applicant_categories)
        for category in self.applicant_categories:
            if not table.get(category):
                raise CategoryIncomplete(category, name)

    def _require_owners(self) -> None:
        for code, desk in self.desks.items():
            require_codes(f"the owners of {code}", desk.owners)
            if not desk.owners:
                raise DeskWithoutOwner(code)

    def _require_documents(self, category: str) -> None:
        required = self.documents[category]
        require_codes(f"the documents of {category}", [each.code for each in required])
        if not any(each.main for each in required):
            raise NoMainDocument(category)
        for each in required:
            if is_catch_all(each.name_zh) or each.code in _CATCH_ALL_CODES:
                raise CatchAllDocument(category, each)
            for way in each.met_by or ("no way at all",):
                require_known(UnknownDocumentWay, way, self.document_ways)


_CATCH_ALL_CODES = frozenset({"other", "others", "misc", "miscellaneous", "further", "etc"})
_CATCH_ALL = re.compile(
    "(?:其他|其它|其余|有关|相关|等|所需|必要)的?(?:材料|资料|文件|证件|证明|手续)|等有关|等相关|等其他"
)


def is_catch_all(name_zh: str) -> bool:
    """Whether a document's name leaves open what is asked for (兜底表述)."""
    return _CATCH_ALL.search(plain(unicodedata.normalize("NFKC", name_zh))) is not None

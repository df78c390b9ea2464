"""The JSON forms of what is public 公示, what the authorities see, and what a desk works from. Amounts are fen (分)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from api.http import described
from domain.kernel.law import SourceKind
from projections.reports.figures import PeriodFigures
from projections.reports.published import Beside, Contradiction


class FiguresAnswer(BaseModel):
    """Our own counts; in the demo beside them what was published of the reform that it plays, elsewhere nothing."""

    at: described.AnsweredAt
    figures: Annotated[PeriodFigures, Field(description="All figures of the period.")]
    published: Annotated[list[Beside], Field(description="Our numbers beside the published ones.")]
    contradictions: Annotated[list[Contradiction], Field(description="Published numbers that cannot both be right.")]


class ChargeLine(BaseModel):
    """One line of one charge. A reversal is shown line by line with the amounts that it takes back."""

    case_id: described.CaseId
    case_number: described.CaseNumberIfRead
    category: Annotated[
        str | None,
        Field(
            description=(
                "Category of the applicant, as a code of the standard; null where the read model does "
                "not have the case yet."
            )
        ),
    ]
    kind: str = Field(
        examples=["paid"],
        description=(
            "What was done with the money: quoted, paid, payment-reversed, refunded, refund-reversed or refused."
        ),
    )
    number: Annotated[
        str | None, Field(description="Number of the quote, payment or refund; null of a charge that was refused.")
    ]
    fee: Annotated[
        str | None,
        Field(description="Code of the fee or of the charge that was asked for; null where the line is of none."),
    ]
    quantity: Annotated[
        str | None, Field(description="How many units, as a decimal in text; null where nothing is counted.")
    ]
    amount_fen: Annotated[int | None, Field(description="Amount in fen; null where none was named.")]
    catalogue: Annotated[
        str | None, Field(description="Version of the fee catalogue that it follows; null where it follows none.")
    ]
    banned: Annotated[
        str | None, Field(description="The banned charge that it is, or is another word for; null where it is none.")
    ]
    why: Annotated[str | None, Field(description="Code of the refusal; null of a charge that was not refused.")]
    reason: Annotated[str | None, Field(description="Why it was reversed, as a code; null where it was not.")]
    actor: Annotated[str, Field(description="Actor id of who told it.")]
    role: Annotated[str, Field(description="The role in which somebody acted.")]
    happened_at: described.HappenedAt
    recorded_at: described.RecordedAt
    position: described.EventPosition


class ChargeSum(BaseModel):
    """All lines of one kind in the period."""

    kind: Annotated[
        str,
        Field(
            description=(
                "What was done with the money: quoted, paid, payment-reversed, refunded, refund-reversed or refused."
            )
        ),
    ]
    lines: Annotated[int, Field(description="How many lines there are.")]
    amount_fen: Annotated[int, Field(description="Their sum in fen.")]


class Charges(BaseModel):
    """Charges in order of recording. ``sums`` are of the whole period, not of the page; go on with ``after=<next>``."""

    charges: Annotated[list[ChargeLine], Field(description="The lines, in order of recording.")]
    sums: Annotated[list[ChargeSum], Field(description="Sums of the whole period, one for each kind.")]
    next: Annotated[
        int | None, Field(description="Where the next page goes on: send it as after; null: this is the last page.")
    ]


class NamedCode(BaseModel):
    """A code and its Chinese name."""

    code: Annotated[str, Field(description="The code.")]
    name_zh: described.ChineseName


class DisclosedPromise(BaseModel):
    """What the public was told about connections, in numbers."""

    version: described.DocumentVersion
    working_days: Annotated[int, Field(description="Most working days until water is on.")]
    steps: Annotated[int, Field(description="Most steps.")]
    documents: Annotated[int, Field(description="Most documents.")]
    fees: Annotated[int, Field(description="Most fees.")]
    trips_remote: Annotated[int, Field(description="Most trips of who applied over a remote channel.")]
    trips_otherwise: Annotated[int, Field(description="Most trips of everybody else.")]


class DisclosedDocument(BaseModel):
    """A document that an applicant owes; ``main`` False: it may follow after admission (容缺)."""

    code: Annotated[str, Field(description="Code of the document.")]
    name_zh: described.ChineseName
    main: Annotated[bool, Field(description="Whether nothing can be admitted without it.")]
    met_by: Annotated[list[NamedCode], Field(description="The ways that meet it.")]


class DisclosedDocuments(BaseModel):
    """The documents of one category of applicant."""

    category: Annotated[str, Field(description="Category of the applicant, as a code of the standard.")]
    name_zh: described.ChineseName
    documents: Annotated[list[DisclosedDocument], Field(description="The documents that such an applicant owes.")]


class DisclosedLimit(BaseModel):
    """A time limit. Exactly one of ``minutes`` and ``working_days`` is set; neither: without end limit."""

    commitment: described.PromiseCode
    name: Annotated[str, Field(description="Its English name, as people are shown it.")]
    name_zh: described.ChineseName
    minutes: Annotated[
        int | None,
        Field(
            description=(
                "How many minutes the limit has; null where it is in working days, or where there is no end limit."
            )
        ),
    ] = None
    working_days: Annotated[
        int | None,
        Field(
            description=(
                "How many working days the limit has; null where it is in minutes, or where there is no end limit."
            )
        ),
    ] = None
    basis: Annotated[
        list[str],
        Field(description="Codes of the articles in force that it rests on; empty: it is the utility's own promise."),
    ] = []


class DisclosedArticle(BaseModel):
    """An article of law in force that a promise, a refusal or a rule rests on."""

    code: Annotated[str, Field(description="Stable code of the article.")]
    cited: Annotated[str, Field(description="The act with its number and the article, in Chinese.")]
    summary: Annotated[str, Field(description="What it says, in our own English words.")]
    summary_zh: Annotated[str, Field(description="What it says, in our own Chinese words.")]
    valid_from: Annotated[date, Field(description="First day on which it is in force.")]
    valid_until: Annotated[date | None, Field(description="Last day on which it is in force; null: without an end.")]
    source: Annotated[str, Field(description="Where it was read.")]
    source_kind: Annotated[
        SourceKind, Field(description="secondary: it was read somewhere else than at the body that issued it.")
    ]


class DisclosedFee(BaseModel):
    """A fee of the catalogue in force. ``chargeable``: switched on, and valid today."""

    code: Annotated[str, Field(description="Code of the fee.")]
    name_zh: described.ChineseName
    legal_basis: Annotated[str, Field(description="Number of the document that allows it.")]
    formula: Annotated[str, Field(description="How the amount is found, in English words.")]
    formula_zh: Annotated[str, Field(description="How the amount is found, in Chinese words.")]
    unit_zh: Annotated[str, Field(description="What is counted, in Chinese.")]
    cap_fen: Annotated[
        int | None, Field(description="Most that may be charged, in fen; null: the formula alone bounds it.")
    ]
    payer_classes: Annotated[list[str], Field(description="Classes that pay the fee; empty: all.")]
    valid_from: Annotated[date, Field(description="First day on which it may be charged.")]
    valid_until: Annotated[date | None, Field(description="Last day on which it may be charged; null: no end.")]
    chargeable: Annotated[bool, Field(description="Whether it is switched on and valid today.")]
    extent: Annotated[
        str | None,
        Field(description="inside-red-line: it counts inside the building's red line; null where it does not say so."),
    ]


class DisclosedWork(BaseModel):
    """A work for the community."""

    number: Annotated[str, Field(description="The number that people know the work by.")]
    kind: Annotated[str, Field(description="Kind of work, as a code of the standard.")]
    name_zh: Annotated[str, Field(description="Its public name in Chinese.")]
    community: Annotated[str, Field(description="Code of the community.")]
    registered_at: Annotated[datetime, Field(description="When it was registered.")]
    started_at: Annotated[datetime | None, Field(description="When work began; null while it has not.")]
    completed_at: Annotated[datetime | None, Field(description="When it was done; null while it is not.")]
    households_served: Annotated[
        int | None, Field(description="How many households it serves; null while it is not done.")
    ]


class Disclosure(BaseModel):
    """Everything about connections that is public: process, standards, promises, limits, fees and their basis."""

    at: described.AnsweredAt
    standard: described.StandardInForce
    effective_from: Annotated[datetime, Field(description="From when on it is in force.")]
    promise: Annotated[
        DisclosedPromise | None, Field(description="What is published to applicants; null where nothing is.")
    ]
    steps: Annotated[list[NamedCode], Field(description="The steps of an application that applicants see.")]
    documents: Annotated[
        list[DisclosedDocuments], Field(description="The documents that each category of applicant needs.")
    ]
    limits: Annotated[list[DisclosedLimit], Field(description="Every time limit that the standard promises.")]
    catalogue: Annotated[str | None, Field(description="Version of the fee catalogue in force; null where none is.")]
    fees: Annotated[list[DisclosedFee], Field(description="The fees of the catalogue in force.")]
    banned: Annotated[list[str], Field(description="Chinese names of the charges that may not be asked for.")]
    law: Annotated[list[DisclosedArticle], Field(description="The articles of law in force that all of this rests on.")]
    works: Annotated[list[DisclosedWork], Field(description="The latest works for communities.")]
    works_kinds: Annotated[list[NamedCode], Field(description="The kinds of work for communities.")]
    figures: Annotated[PeriodFigures, Field(description="All figures of the period.")]
    figures_at: Annotated[
        datetime | None, Field(description="When the works and the figures were read; some seconds ago at most.")
    ] = None
    published: Annotated[list[Beside], Field(description="Our numbers beside the published ones.")]
    contradictions: Annotated[list[Contradiction], Field(description="Published numbers that cannot both be right.")]


class DeskRow(BaseModel):
    """An application under way. ``due_at`` None: no end runs (a notice was given, or the case stands still)."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    category: Annotated[str, Field(description="Category of the applicant, as a code of the standard.")]
    channel: Annotated[str, Field(description="The channel over which it was applied for, as a code of the standard.")]
    desk: Annotated[str | None, Field(description="Code of the desk; null where no desk has it.")]
    owner: Annotated[str | None, Field(description="Actor id of who answers for the case; null where nobody does yet.")]
    stage: described.Stage
    supply_points: Annotated[int, Field(description="How many places want water.")]
    points_on: Annotated[int, Field(description="How many supply points have water.")]
    received_at: Annotated[datetime, Field(description="When the application was received.")]
    admitted_at: Annotated[datetime | None, Field(description="When it was admitted; null while it is not.")]
    promise: Annotated[
        str,
        Field(
            description=(
                "How the promise to supply papers later stands: none, made, kept, broken, repaired or "
                "void (the case stopped before it was due)."
            )
        ),
    ]
    version: described.EventsRead
    due_at: Annotated[datetime | None, Field(description="Until when water is promised; null where no end runs.")]
    tentative: Annotated[
        bool | None,
        Field(description="Whether the end follows a calendar that is not published yet; null where no end runs."),
    ]
    state: Annotated[
        str,
        Field(
            description=(
                "How the limit until water is on stands: running, met, lapsed, cancelled or unknown; "
                "none: it has not begun."
            )
        ),
    ]
    lapses: Annotated[int, Field(description="How many lapses of the limit until water is on stand.")]


class DeskList(BaseModel):
    """Applications under way, the one due next first; ``more`` where the limit cut some off."""

    at: described.AnsweredAt
    applications: Annotated[list[DeskRow], Field(description="The applications, the one due next first.")]
    more: described.More

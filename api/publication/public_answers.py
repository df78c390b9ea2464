"""The JSON forms of what is public 公示, what the authorities see, and what a desk works from. Amounts are fen (分)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, Field

from projections.reports.figures import PeriodFigures
from projections.reports.published import Beside, Contradiction


class FiguresAnswer(BaseModel):
    """Our own counts; in the demo beside them what was published of the reform that it plays, elsewhere nothing."""

    at: datetime
    figures: PeriodFigures
    published: list[Beside]
    contradictions: list[Contradiction]


class ChargeLine(BaseModel):
    """One line of one charge. A reversal is shown line by line with the amounts that it takes back."""

    case_id: UUID
    case_number: str | None
    category: str | None
    kind: str = Field(examples=["paid"])
    number: str | None
    fee: str | None
    quantity: str | None
    amount_fen: int | None
    catalogue: str | None
    banned: str | None
    why: str | None
    reason: str | None
    actor: str
    role: str
    happened_at: datetime
    recorded_at: datetime
    position: int


class ChargeSum(BaseModel):
    """All lines of one kind in the period."""

    kind: str
    lines: int
    amount_fen: int


class Charges(BaseModel):
    """Charges in order of recording. ``sums`` are of the whole period, not of the page; go on with ``after=<next>``."""

    charges: list[ChargeLine]
    sums: list[ChargeSum]
    next: int | None


class NamedCode(BaseModel):
    """A code and its Chinese name."""

    code: str
    name_zh: str


class DisclosedPromise(BaseModel):
    """What the public was told about connections, in numbers."""

    version: str
    working_days: int
    steps: int
    documents: int
    fees: int
    trips_remote: int
    trips_otherwise: int


class DisclosedDocument(BaseModel):
    """A document that an applicant owes; ``main`` False: it may follow after admission (容缺)."""

    code: str
    name_zh: str
    main: bool
    met_by: list[NamedCode]


class DisclosedDocuments(BaseModel):
    """The documents of one category of applicant."""

    category: str
    name_zh: str
    documents: list[DisclosedDocument]


class DisclosedLimit(BaseModel):
    """A time limit. Exactly one of ``minutes`` and ``working_days`` is set; neither: without end limit."""

    commitment: str
    name: str
    name_zh: str
    minutes: int | None = None
    working_days: int | None = None


class DisclosedFee(BaseModel):
    """A fee of the catalogue in force. ``chargeable``: switched on, and valid today."""

    code: str
    name_zh: str
    legal_basis: str
    formula: str
    formula_zh: str
    unit_zh: str
    cap_fen: int | None
    payer_classes: list[str]
    valid_from: date
    valid_until: date | None
    chargeable: bool


class DisclosedWork(BaseModel):
    """A work for the community."""

    number: str
    kind: str
    name_zh: str
    community: str
    registered_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    households_served: int | None


class Disclosure(BaseModel):
    """Everything about connections that is public: process, standards, promises, limits, fees and their basis."""

    at: datetime
    standard: str
    effective_from: datetime
    promise: DisclosedPromise | None
    steps: list[NamedCode]
    documents: list[DisclosedDocuments]
    limits: list[DisclosedLimit]
    catalogue: str | None
    fees: list[DisclosedFee]
    banned: list[str]
    works: list[DisclosedWork]
    works_kinds: list[NamedCode]
    figures: PeriodFigures
    published: list[Beside]
    contradictions: list[Contradiction]


class DeskRow(BaseModel):
    """An application under way. ``due_at`` None: no end runs (a notice was given, or the case stands still)."""

    case_id: UUID
    case_number: str
    category: str
    channel: str
    desk: str | None
    owner: str | None
    stage: str
    supply_points: int
    points_on: int
    received_at: datetime
    admitted_at: datetime | None
    promise: str
    version: int
    due_at: datetime | None
    tentative: bool | None
    state: str
    lapses: int


class DeskList(BaseModel):
    """Applications under way, the one due next first; ``more`` where the limit cut some off."""

    at: datetime
    applications: list[DeskRow]
    more: bool

"""The JSON forms of answers. Times are RFC 3339 in UTC; codes are English, names beside them Chinese."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.http.answers import BreachChange, Family, WindowState
from domain.deadlines.explain import WindowExplained


class WindowView(BaseModel):
    """A running, met, lapsed or cancelled limit, or one of imported history that nobody can judge (unknown).

    ``lapses`` are those that stand, ``retracted`` fell away. Until ``settles_at`` the verdict, met or lapsed, is open;
    a settled one falls only on the word of two persons.
    """

    commitment: str = Field(examples=["repair.arrival"])
    number: int
    state: WindowState
    opened_at: datetime
    due_at: datetime | None
    tentative: bool
    met_at: datetime | None
    on_time: bool | None
    lapses: int
    retracted: int
    settles_at: datetime | None
    standard: str
    calendar: str | None


class WindowExplanation(BaseModel):
    """Why a window stood as it did at ``window.as_of``, by what was known then. ``text`` says the same in lines for
    people, in English and Chinese."""

    case_id: UUID
    case_number: str
    family: Family
    window: WindowExplained
    text: list[str]


class TimelineEntry(BaseModel):
    """One event of a case: what happened, when, when it was recorded, by whom, under which standard and calendar."""

    version: int
    position: int
    event_id: UUID
    type: str = Field(examples=["water.repair.CrewArrived.v1"])
    fact: str = Field(examples=["CrewArrived"])
    happened_at: datetime
    reported_at: datetime | None
    recorded_at: datetime
    actor: str
    role: str
    channel: str
    standard: str | None
    calendar: str | None
    data: dict[str, Any]


class CaseView(BaseModel):
    """A case as the store has it now. Nobody's particulars are in it. ``family``: the kind of case."""

    case_id: UUID
    family: str = Field(examples=["repair"])
    case_number: str
    stage: str
    open: bool
    opened_at: datetime
    version: int
    kind: str | None = None
    district: str | None = None
    zone: str | None = None
    crew: str | None = None
    severity: str | None = None
    reports: int | None = None
    details: dict[str, str] | None = None
    category: str | None = None
    supply_points: int | None = None
    points_on: list[int] | None = None
    admitted_at: datetime | None = None
    affected_users: int | None = None
    meters: dict[int, str] | None = Field(default=None, description="supply point → the meter that is in there")
    meter: str | None = None
    held: bool | None = None
    book: str | None = None
    unread: int | None = None
    windows: list[WindowView]
    timeline: list[TimelineEntry]


class CaseRow(BaseModel):
    """A case in the list; read from Kafka's read model, so a moment behind the store."""

    case_id: UUID
    family: Family
    case_number: str
    kind: str | None
    category: str | None
    channel: str
    district: str | None
    zone: str | None
    crew: str | None
    severity: str | None
    stage: str
    open: bool
    opened_at: datetime
    supply_points: int
    points_on: int
    reports: int
    flags: int
    version: int
    position: int
    mass: str | None


class Cases(BaseModel):
    """Cases, the latest first."""

    cases: list[CaseRow]


class BoardWindow(WindowView):
    """A window with what a board shows of its case."""

    case_id: UUID
    family: Family
    case_number: str | None
    kind: str | None
    category: str | None
    district: str | None
    crew: str | None
    severity: str | None
    stage: str | None
    mass: Annotated[str | None, Field(description="the mass incident 群发事件 that the incident is tagged with")]


class Windows(BaseModel):
    """Windows by due time, the next one first; ``more`` where the limit cut some off."""

    at: datetime
    windows: list[BoardWindow]
    more: bool


class BreachRow(BaseModel):
    """One change of the breach stream. ``cursor`` is where to go on after it: ``after`` or ``Last-Event-ID``."""

    cursor: str = Field(examples=["0:17,1:12,2:0,3:44"])
    partition: int
    position: int
    event_id: UUID
    change: BreachChange
    family: Family
    case_id: UUID
    case_number: str | None
    kind: str | None
    category: str | None
    district: str | None
    crew: str | None
    mass: str | None
    commitment: str
    due_at: datetime | None
    lapse: int | None
    rung: str | None
    notify: list[str]
    reason: str | None
    recorded_at: datetime
    settles_at: Annotated[datetime | None, Field(description="of a lapse: until then it is open")]
    overturns: Annotated[bool, Field(description="a settled verdict fell with it")]


class Breaches(BaseModel):
    """A page of the breach stream in order of position; go on with ``after=<next>``."""

    breaches: list[BreachRow]
    next: str
    more: bool


class PublishedTally(BaseModel):
    """A number of ours beside the published one, where there is one."""

    code: str
    name: str
    name_zh: str
    count: int
    published: int | None


class ConnectionCounts(BaseModel):
    """Applications; in the demo beside the published period, which is one utility's and no other's: None elsewhere."""

    total: int
    open: int
    water_on: int
    by_category: list[PublishedTally]
    by_channel: list[PublishedTally]
    published_sum: int | None
    published_reported: int | None


class RepairCounts(BaseModel):
    """Incidents."""

    total: int
    open: int
    closed: int
    reports: int
    by_severity: dict[str, int]


class WindowCounts(BaseModel):
    """The limits of one commitment."""

    commitment: str
    running: int
    met: int
    met_on_time: int
    lapsed: int
    cancelled: int
    unknown: int
    lapses: int
    retracted: int


class Counts(BaseModel):
    """Live counts."""

    at: datetime
    connections: ConnectionCounts
    repairs: RepairCounts
    windows: list[WindowCounts]
    lapses_standing: int
    lapses_retracted: int


class DueDate(BaseModel):
    """Until when a limit runs, counted as the law counts (民法典 §201, §203)."""

    region: str
    working_days: int
    counted_from: date
    due_on: date
    due_at: datetime
    tentative: bool
    counted: list[date]
    calendar: str
    standard: str


class Labels(BaseModel):
    """The Chinese names of codes in the standard in force."""

    standard: str
    fault_kinds: dict[str, str]
    applicant_categories: dict[str, str]
    documents: dict[str, str]
    defects: dict[str, str]
    deliverables: dict[str, str]
    squads: dict[str, str]
    usage_ways: dict[str, str]
    usage_dismissals: dict[str, str]
    usage_outcomes: dict[str, str]
    leak_findings: dict[str, str]
    meter_replacements: dict[str, str]
    price_classes: dict[str, str]
    class_changes: dict[str, str]
    customer_changes: dict[str, str]
    reading_exceptions: dict[str, str]
    fees: dict[str, str]
    districts: dict[str, dict[str, str]]
    channels: list[str]
    roles: list[str]


class DemoFacts(BaseModel):
    """What is real and what is simulated while the demo runs; empty otherwise."""

    running: bool | None = None
    clock_factor: float | None = None
    real: list[dict[str, str]] | None = None
    simulated: list[dict[str, str]] | None = None

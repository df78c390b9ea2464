"""The JSON forms of what is public for all: standards, fee catalogues, calendars, and what a calendar would move."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel


class StandardDraftView(BaseModel):
    """A standard that waits for a second person's approval."""

    version: str
    effective_from: datetime
    drafted_by: str
    document: dict[str, Any]


class StandardsView(BaseModel):
    """Every standard that was published, oldest first, each whole; and the drafts."""

    at: datetime
    in_force: str
    standards: list[dict[str, Any]]
    drafts: list[StandardDraftView]


class ReviewView(BaseModel):
    """An authority's opinion."""

    authority: str
    agreed: bool
    document: str
    reviewer: str


class CatalogueDraftView(BaseModel):
    """A catalogue under review."""

    version: str
    effective_from: datetime
    drafted_by: str
    reviews: list[ReviewView]
    catalogue: dict[str, Any]


class FeesView(BaseModel):
    """Every fee catalogue that was published, oldest first, each whole; and the drafts under review."""

    at: datetime
    in_force: str | None
    catalogues: list[dict[str, Any]]
    drafts: list[CatalogueDraftView]


class MoveView(BaseModel):
    """An open deadline that a calendar would move, or make tentative or settled."""

    case_id: str
    case_number: str
    commitment: str
    old_due_at: datetime | None
    new_due_at: datetime | None
    old_tentative: bool
    new_tentative: bool


class DryRunView(BaseModel):
    """What a notice would do if it were published now. Nothing is stored."""

    calendar: str
    looked_at: int
    moved: int
    moves: list[MoveView]
    more: bool


class MovedDay(BaseModel):
    """A civil day that a notice moves."""

    date: date
    off: bool
    name: str


class CalendarView(BaseModel):
    """A region's calendar: every version, and the days of the newest one from ``from`` on."""

    region: str
    version: str
    published_at: datetime
    settled_until: date
    source: str
    versions: list[str]
    days: list[MovedDay]


class WarningView(BaseModel):
    """Something that a person should do something about."""

    code: str
    year: int
    settled_until: date
    message: str
    message_zh: str


class CalendarsView(BaseModel):
    """The calendars, which one we judge by, and what is missing in it."""

    at: datetime
    judged_by: str
    settled_days: int
    calendars: list[CalendarView]
    warnings: list[WarningView]

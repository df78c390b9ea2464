"""The JSON forms of what is public for all: standards, fee catalogues, calendars, and what a calendar would move."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from api.http import described
from domain.kernel.law import Article, BasisOf


class StandardDraftView(BaseModel):
    """A standard that waits for a second person's approval."""

    version: described.DocumentVersion
    effective_from: Annotated[datetime, Field(description="From when on it is to be in force.")]
    drafted_by: Annotated[str, Field(description="Actor id of who drafted it.")]
    document: Annotated[dict[str, Any], Field(description="The whole document, as its body is described.")]


class StandardsView(BaseModel):
    """Every standard that was published, oldest first, each whole; and the drafts."""

    at: described.AnsweredAt
    in_force: described.StandardInForce
    standards: Annotated[
        list[dict[str, Any]], Field(description="Every standard that was published, oldest first, each whole.")
    ]
    drafts: Annotated[
        list[StandardDraftView], Field(description="The standards that wait for a second person's approval.")
    ]


class ReviewView(BaseModel):
    """An authority's opinion."""

    authority: Annotated[str, Field(description="The authority that reviewed it, as a role.")]
    agreed: Annotated[bool, Field(description="Whether the authority agrees.")]
    document: Annotated[str, Field(description="Number of the written opinion.")]
    reviewer: Annotated[str, Field(description="Actor id of who gave the opinion.")]


class CatalogueDraftView(BaseModel):
    """A catalogue under review."""

    version: described.DocumentVersion
    effective_from: Annotated[datetime, Field(description="From when on it is to be in force.")]
    drafted_by: Annotated[str, Field(description="Actor id of who drafted it.")]
    reviews: Annotated[list[ReviewView], Field(description="The opinions of the authorities so far.")]
    catalogue: Annotated[dict[str, Any], Field(description="The whole catalogue, as its body is described.")]
    watched: Annotated[
        dict[str, str],
        Field(description="Code of a fee → the word in its name that the authorities look at, for what it may hide."),
    ]


class FeesView(BaseModel):
    """Every fee catalogue that was published, oldest first, each whole; and the drafts under review."""

    at: described.AnsweredAt
    in_force: Annotated[str | None, Field(description="Version of the fee catalogue in force; null where none is.")]
    catalogues: Annotated[
        list[dict[str, Any]], Field(description="Every fee catalogue that was published, oldest first, each whole.")
    ]
    drafts: Annotated[list[CatalogueDraftView], Field(description="The catalogues under review.")]


class LawView(BaseModel):
    """The newest version of the law, and which of its articles are in force today."""

    at: described.AnsweredAt
    version: described.DocumentVersion
    reason: Annotated[str | None, Field(description="Why it was revised; null of the first version.")]
    versions: Annotated[list[str], Field(description="Every version, oldest first.")]
    in_force: Annotated[list[str], Field(description="Codes of the articles in force today.")]
    articles: Annotated[list[Article], Field(description="Every article, also those no longer in force.")]


class ReplacedView(BaseModel):
    """An article that ends, and the one that is the basis of the same from the next day on."""

    old: Annotated[str, Field(description="Code of the article that ends.")]
    new: Annotated[str, Field(description="Code of the article that begins.")]
    since: Annotated[date, Field(description="First day of the new one.")]


class BasisChangeView(BaseModel):
    """A promise, refusal or rule that would rest on other articles."""

    kind: Annotated[BasisOf, Field(description="What it is: a promise, a refusal or a rule.")]
    code: Annotated[str, Field(description="Its code.")]
    since: Annotated[date, Field(description="First day on which it would.")]
    until: Annotated[date | None, Field(description="Last day on which it would; null: without an end.")]
    old: Annotated[list[str], Field(description="Codes of the articles by the law as it is; empty: it has no basis.")]
    new: Annotated[list[str], Field(description="Codes of the articles by the new law; empty: it has no basis.")]


class LawTrialView(BaseModel):
    """What a version of the law would change; nothing is stored."""

    version: described.DocumentVersion
    begins: Annotated[list[str], Field(description="Codes of the articles that are added.")]
    ends: Annotated[list[str], Field(description="Codes of the articles that get a last day.")]
    replaced: Annotated[list[ReplacedView], Field(description="Which article replaces which.")]
    corrected: Annotated[list[str], Field(description="Codes of the articles that are said otherwise.")]
    basis: Annotated[list[BasisChangeView], Field(description="What would rest on other articles.")]
    windows: Annotated[int, Field(description="How many open windows would cite other articles.")]
    cases: Annotated[int, Field(description="Of how many cases these windows are.")]


class MoveView(BaseModel):
    """An open deadline that a calendar would move, or make tentative or settled."""

    case_id: Annotated[str, Field(description="Id of the case.")]
    case_number: described.CaseNumber
    commitment: described.PromiseCode
    old_due_at: Annotated[datetime | None, Field(description="When the limit ends now; null where it has no end.")]
    new_due_at: Annotated[
        datetime | None, Field(description="When the limit would end; null where it would have no end.")
    ]
    old_tentative: Annotated[
        bool, Field(description="Whether the end now follows a calendar that is not published yet.")
    ]
    new_tentative: Annotated[
        bool, Field(description="Whether the end would follow a calendar that is not published yet.")
    ]


class DryRunView(BaseModel):
    """What a notice would do if it were published now. Nothing is stored."""

    calendar: Annotated[str, Field(description="Version of the calendar that the notice would make.")]
    looked_at: Annotated[int, Field(description="How many open deadlines were looked at.")]
    moved: Annotated[int, Field(description="How many of them would move, or become tentative or settled.")]
    moves: Annotated[list[MoveView], Field(description="Those that would, as many as are shown.")]
    more: Annotated[bool, Field(description="Whether more would than are shown.")]
    statutory_worked: Annotated[
        list[date], Field(description="Statutory days that would be worked: to publish it, a second person confirms.")
    ]
    fallen_away: Annotated[
        list[date],
        Field(
            description="Days that the calendar moves now and would not any more; a second person confirms them too."
        ),
    ]


class MovedDay(BaseModel):
    """A civil day that a notice moves."""

    date: Annotated[date, Field(description="The civil day.")]
    off: Annotated[
        bool, Field(description="Whether it is a day off; false: a day that is worked although it is a weekend's.")
    ]
    name: Annotated[str, Field(description="Name of the holiday, as the notice has it.")]


class CalendarView(BaseModel):
    """A region's calendar: every version, and the days of the newest one from ``from`` on."""

    region: Annotated[str, Field(description="Code of the region whose calendar it is.")]
    version: Annotated[str, Field(description="Its newest version.")]
    published_at: Annotated[datetime, Field(description="When the newest version was published.")]
    settled_until: Annotated[date, Field(description="Last day for which the holiday notices are out.")]
    source: Annotated[str, Field(description="Title or number of the document that the newest version is from.")]
    versions: Annotated[list[str], Field(description="Every version, oldest first.")]
    days: Annotated[list[MovedDay], Field(description="The days that the newest version moves.")]


class WarningView(BaseModel):
    """Something that a person should do something about."""

    code: Annotated[str, Field(description="The warning's code.")]
    year: Annotated[int, Field(description="The year whose notice is missing.")]
    settled_until: Annotated[date, Field(description="Last day for which the holiday notices are out.")]
    message: Annotated[str, Field(description="What should be done, in English.")]
    message_zh: Annotated[str, Field(description="What should be done, in Chinese.")]


class CalendarsView(BaseModel):
    """The calendars, which one we judge by, and what is missing in it."""

    at: described.AnsweredAt
    judged_by: Annotated[str, Field(description="Version of the calendar by which limits are judged.")]
    settled_days: Annotated[
        int,
        Field(description="Days from today for which the holiday notices are out; below zero where they have run out."),
    ]
    calendars: Annotated[list[CalendarView], Field(description="The calendars of all regions.")]
    warnings: Annotated[list[WarningView], Field(description="What is missing in them.")]

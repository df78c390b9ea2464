"""What is published for all to see: standards, calendars, the fee catalogue and the law, each in a stream of its
own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, TypeVar

from domain.deadlines.calendar import CalendarPublished
from domain.kernel.facts import Recorded, fact
from domain.kernel.law import Law, LawPublished
from domain.standard.fees import Authority, Catalogue, CatalogueDrafted, CataloguePublished, CatalogueReviewed
from domain.standard.flat import StandardPublished, in_sections
from domain.standard.standards import Standard

T = TypeVar("T")

# ---- facts of standards (the publication itself is domain.standard.flat.StandardPublished)


@fact("起草标准", "standard drafted", topic="public")
class StandardDrafted:
    """A new standard was drafted; nothing runs under it until a second person approves."""

    document: Annotated[StandardPublished, "The whole standard, as drafted."]


# ---- states


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted standard, and who drafted it."""

    document: Standard
    drafted_by: str


@dataclass(frozen=True, slots=True)
class Standards:
    """Every standard that was published, in order, and the drafts that wait for approval by version."""

    published: tuple[Standard, ...] = ()
    drafts: Mapping[str, Draft] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calendars:
    """Every calendar of one region that was published, in order, each with the time of its publication."""

    published: tuple[tuple[datetime, CalendarPublished], ...] = ()


@dataclass(frozen=True, slots=True)
class Laws:
    """Every version of the law that was published, in order, each with the time of its publication."""

    published: tuple[tuple[datetime, Law], ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """An authority's opinion of a draft: agreed or objected, and by whom."""

    agreed: bool
    document: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class CatalogueDraft:
    """A drafted catalogue with the reviews it has."""

    catalogue: Catalogue
    drafted_by: str
    reviews: Mapping[Authority, Review] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogues:
    """Every catalogue that was published, in order, and the drafts under review by version."""

    published: tuple[CataloguePublished, ...] = ()
    drafts: Mapping[str, CatalogueDraft] = field(default_factory=dict)


# ---- folds


def evolve_standards(state: Standards | None, recorded: Recorded) -> Standards:
    """The standards after a fact; a publication takes its draft away."""
    known, fact = state or Standards(), recorded.fact
    match fact:
        case StandardDrafted(document):
            standard = in_sections(document)
            return replace(known, drafts={**known.drafts, standard.version: Draft(standard, recorded.actor)})
        case StandardPublished():
            standard = in_sections(fact)
            return Standards((*known.published, standard), _without(known.drafts, standard.version))
        case _:
            return known


def evolve_calendar(state: Calendars | None, recorded: Recorded) -> Calendars:
    """The region's calendars after a fact."""
    known, fact = state or Calendars(), recorded.fact
    if isinstance(fact, CalendarPublished):
        return Calendars((*known.published, (recorded.happened_at, fact)))
    return known


def evolve_laws(state: Laws | None, recorded: Recorded) -> Laws:
    """The versions of the law after a fact."""
    known, fact = state or Laws(), recorded.fact
    if isinstance(fact, LawPublished):
        return Laws((*known.published, (recorded.happened_at, fact)))
    return known


def evolve_catalogues(state: Catalogues | None, recorded: Recorded) -> Catalogues:
    """The catalogues after a fact; a publication takes its draft away."""
    known, fact = state or Catalogues(), recorded.fact
    match fact:
        case CatalogueDrafted(catalogue):
            draft = CatalogueDraft(catalogue, recorded.actor)
            return replace(known, drafts={**known.drafts, catalogue.version: draft})
        case CatalogueReviewed(version, authority, outcome, document) if version in known.drafts:
            draft = known.drafts[version]
            review = Review(outcome == "agreed", document, recorded.actor)
            draft = replace(draft, reviews={**draft.reviews, authority: review})
            return replace(known, drafts={**known.drafts, version: draft})
        case CataloguePublished():
            return Catalogues((*known.published, fact), _without(known.drafts, fact.version))
        case _:
            return known


def _without(drafts: Mapping[str, T], version: str) -> Mapping[str, T]:
    return {name: draft for name, draft in drafts.items() if name != version}

"""Commands that publish rules, for the API and the command line alike: which streams they look at, and what they say.

A publication is one event in the stream of its kind of document. The store decides a command again where rules were
published meanwhile, so two people cannot publish past each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from domain.deadlines.calendar import CalendarPublished
from domain.kernel.facts import EventToAppend, Fact
from domain.kernel.law import Law
from domain.publication import calendars, catalogues, laws, standards
from domain.publication.calendars import HolidayNotice, LeftOut
from domain.publication.publishing import Calendars, Catalogues, Laws, Standards
from domain.standard.context import CommandContext
from domain.standard.fees import Catalogue
from domain.standard.standards import Standard
from infra.eventstore.commands import Command, IdempotencyKey, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import (
    FEES,
    LAW,
    SHIPPED_REGION,
    STANDARDS,
    calendar_stream,
    shipped_calendar,
    shipped_regions,
)


def context_now(snapshot: Snapshot, stamp: Stamp) -> CommandContext:
    """An instruction: it happens when it is taken down."""
    return snapshot.context(stamp)


def _publication(
    stream: Stream,
    stamp: Stamp,
    key: IdempotencyKey | None,
    say: Callable[[Any, CommandContext, Snapshot], Fact],
    others: tuple[Stream, ...] = (),
) -> Command:
    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        return [(stream, EventToAppend(say(snapshot.of(stream), context_now(snapshot, stamp), snapshot), snapshot.at))]

    return Command(stream, stamp, decide, others, key)


# ---- standards


def draft_standard(stamp: Stamp, document: Standard, key: IdempotencyKey | None = None) -> Command:
    """Draft a standard."""
    others = _calendars(document.calendar_regions)

    def say(state: Standards | None, ctx: CommandContext, snapshot: Snapshot) -> Fact:
        return standards.draft(state, ctx, document=document, regions=_regions(snapshot, others))

    return _publication(STANDARDS, stamp, key, say, others)


def approve_standard(stamp: Stamp, version: str, regions: Iterable[str], key: IdempotencyKey | None = None) -> Command:
    """Approve a draft. ``regions``: those that the draft counts by (``regions_of_draft``)."""
    others = _calendars(regions)

    def say(state: Standards | None, ctx: CommandContext, snapshot: Snapshot) -> Fact:
        return standards.approve(state, ctx, version=version, regions=_regions(snapshot, others))

    return _publication(STANDARDS, stamp, key, say, others)


def regions_of_draft(service: Service, version: str) -> tuple[str, ...]:
    """The regions that a draft counts by; none where there is no such draft. A draft never changes."""
    state: Standards | None = service.load(STANDARDS)[0]
    draft = state.drafts.get(version) if state is not None else None
    return draft.document.calendar_regions if draft is not None else ()


# ---- fees


def draft_catalogue(stamp: Stamp, catalogue: Catalogue, key: IdempotencyKey | None = None) -> Command:
    """Draft a fee catalogue."""

    def say(state: Catalogues | None, ctx: CommandContext, snapshot: Snapshot) -> Fact:
        return catalogues.draft(state, ctx, catalogue=catalogue)

    return _publication(FEES, stamp, key, say)


def review_catalogue(
    stamp: Stamp, version: str, outcome: str, document: str, key: IdempotencyKey | None = None
) -> Command:
    """Review a draft; the authority is the stamp's role."""

    def say(state: Catalogues | None, ctx: CommandContext, snapshot: Snapshot) -> Fact:
        return catalogues.review(state, ctx, version=version, outcome=outcome, document=document)

    return _publication(FEES, stamp, key, say)


def publish_catalogue(stamp: Stamp, version: str, key: IdempotencyKey | None = None) -> Command:
    """Publish a draft that both authorities agreed to."""

    def say(state: Catalogues | None, ctx: CommandContext, snapshot: Snapshot) -> Fact:
        return catalogues.publish(state, ctx, version=version)

    return _publication(FEES, stamp, key, say)


# ---- the law


def publish_law(stamp: Stamp, document: Law, key: IdempotencyKey | None = None) -> Command:
    """Publish a version of the law."""

    def say(state: Laws | None, ctx: CommandContext, snapshot: Snapshot) -> Fact:
        return laws.publish(state, ctx, document=document)

    return _publication(LAW, stamp, key, say)


# ---- calendars


@dataclass(frozen=True, slots=True)
class CalendarWanted:
    """A notice to be merged into a region's calendar. ``version`` None: counted up. ``confirmed_by``: the second person
    who confirms what it leaves out."""

    region: str
    notice: HolidayNotice
    source: str
    version: str | None = None
    confirmed_by: str | None = None


def publish_calendar(stamp: Stamp, wanted: CalendarWanted, key: IdempotencyKey | None = None) -> Command:
    """Merge a notice into the region's calendar as it is then, and publish the whole."""
    stream = calendar_stream(wanted.region)
    others = _below(wanted.region)

    def say(state: Calendars | None, ctx: CommandContext, snapshot: Snapshot) -> Fact:
        return calendars.publish(
            state,
            ctx,
            document=merged(state, wanted),
            regions=_regions(snapshot, others),
            off_below=calendars.days_off(snapshot.of(stream) for stream in others),
            confirmed_by=wanted.confirmed_by,
        )

    return _publication(stream, stamp, key, say, others)


def merged(state: Calendars | None, wanted: CalendarWanted) -> CalendarPublished:
    """The calendar that the notice would make of the region's latest one."""
    latest = state.published[-1][1] if state is not None and state.published else None
    statutory = shipped_calendar().statutory if wanted.region == SHIPPED_REGION and latest is None else ()
    return calendars.notice_merged(
        latest,
        wanted.notice,
        region=wanted.region,
        source=wanted.source,
        version=wanted.version,
        statutory=statutory,
    )


def calendar_to_try(service: Service, wanted: CalendarWanted) -> CalendarPublished:
    """The calendar that would be published now: for a dry run, which nobody's power is needed for."""
    state: Calendars | None = service.load(calendar_stream(wanted.region))[0]
    return merged(state, wanted)


def calendar_leaves_out(service: Service, document: CalendarPublished) -> LeftOut:
    """What the calendar would leave out if it were published now."""
    state: Calendars | None = service.load(calendar_stream(document.region))[0]
    latest = state.published[-1][1] if state is not None and state.published else None
    below = calendars.days_off(service.load(stream)[0] for stream in _below(document.region))
    return calendars.left_out(latest, document, below)


def published_calendars(service: Service) -> dict[str, Calendars]:
    """Every region's calendars that are published: the regions that a standard counts by, and the shipped ones."""
    named = {region for standard in service.rules.standards for region in standard.calendar_regions}
    found: dict[str, Calendars] = {}
    for region in sorted(named | shipped_regions().keys()):
        state = service.load(calendar_stream(region))[0]
        if state is not None:
            found[region] = state
    return found


def _below(region: str) -> tuple[Stream, ...]:
    """The calendars that an overlay lies over; none of a country's own."""
    parts = region.split("-")
    return _calendars("-".join(parts[:length]) for length in range(1, len(parts)))


def _calendars(regions: Iterable[str]) -> tuple[Stream, ...]:
    return tuple(calendar_stream(region) for region in sorted(set(regions)))


def _regions(snapshot: Snapshot, streams: Iterable[Stream]) -> Collection[str]:
    return calendars.known_regions(snapshot.of(stream) for stream in streams)

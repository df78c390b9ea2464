"""What is public for all: standards, fee catalogues, calendars. Drafted, reviewed, approved, published; and shown."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted
from api.http.caller import Caller, CallerDep
from api.http.dependencies import ServiceDep
from api.http.fields import Nothing
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.publication.answers import (
    BasisChangeView,
    CalendarsView,
    CalendarView,
    CatalogueDraftView,
    DryRunView,
    FeesView,
    LawTrialView,
    LawView,
    MovedDay,
    MoveView,
    ReplacedView,
    ReviewView,
    StandardDraftView,
    StandardsView,
    WarningView,
)
from api.publication.bodies import CalendarNotice, FeeReview
from api.publication.documents import CatalogueBody, LawBody, StandardBody, catalogue_of, law_of, standard_of
from domain.deadlines.calendar import Day, local_date
from domain.publication.calendars import CalendarWarning, HolidayNotice, LeftOut
from domain.publication.catalogues import watched
from domain.publication.publishing import CatalogueDraft, Catalogues, Laws, Standards
from domain.publication.refusals import UnknownRegion
from domain.standard.flat import as_published
from infra.eventstore import law_trial, publication, recompute
from infra.eventstore.commands import Command, Receipt
from infra.eventstore.publication import CalendarWanted
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import FEES, LAW, STANDARDS
from infra.status import calendar_status

router = APIRouter(prefix="/api/v1", tags=["publication 公开"], route_class=StrictRoute)

VersionPath = Annotated[
    str, Path(max_length=40, pattern=r"^[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*$", description="the draft's version")
]


# ---- standards


@router.post(
    "/standards",
    status_code=201,
    summary="Draft a standard 起草标准",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("standard.draft"),
)
async def draft_standard(
    body: StandardBody,  # type: ignore[valid-type]
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    document = standard_of(body)
    command = publication.draft_standard(caller.stamp, document, caller.key)
    return await published(service, command, response, document.version)


@router.post(
    "/standards/{version}/approval",
    summary="Approve a drafted standard 批准标准",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("standard.approve"),
)
async def approve_standard(
    version: VersionPath, body: Nothing, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    regions = await run_in_threadpool(publication.regions_of_draft, service, version)
    command = publication.approve_standard(caller.stamp, version, regions, caller.key)
    return await published(service, command, response, version)


@router.get(
    "/standards",
    summary="The published standards and their drafts 公开的标准",
    responses=QUERY_ERRORS,
    openapi_extra=needs(None),
)
def standards(service: ServiceDep) -> StandardsView:
    state: Standards = service.load(STANDARDS)[0] or Standards()
    now = service.clock.now()
    return StandardsView(
        at=now,
        in_force=service.rules.in_force(now).version,
        standards=[msgspec.to_builtins(as_published(each)) for each in state.published],
        drafts=[
            StandardDraftView(
                version=version,
                effective_from=draft.document.effective_from,
                drafted_by=draft.drafted_by,
                document=msgspec.to_builtins(as_published(draft.document)),
            )
            for version, draft in state.drafts.items()
        ],
    )


# ---- fees


@router.post(
    "/fees/catalogues",
    status_code=201,
    summary="Draft a fee catalogue 起草收费目录",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("fees.draft"),
)
async def draft_catalogue(
    body: CatalogueBody,  # type: ignore[valid-type]
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    catalogue = catalogue_of(body)
    command = publication.draft_catalogue(caller.stamp, catalogue, caller.key)
    return await published(service, command, response, catalogue.version)


@router.post(
    "/fees/catalogues/{version}/review",
    summary="An authority reviews a draft 部门审核",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("fees.review"),
)
async def review_catalogue(
    version: VersionPath, body: FeeReview, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    command = publication.review_catalogue(caller.stamp, version, body.outcome, body.document, caller.key)
    return await published(service, command, response, version)


@router.post(
    "/fees/catalogues/{version}/publication",
    summary="Publish a reviewed catalogue 公布收费目录",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("fees.publish"),
)
async def publish_catalogue(
    version: VersionPath, body: Nothing, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    command = publication.publish_catalogue(caller.stamp, version, caller.key)
    return await published(service, command, response, version)


@router.get(
    "/fees",
    summary="The fee catalogues, published and under review 收费目录",
    responses=QUERY_ERRORS,
    openapi_extra=needs(None),
)
def fees(service: ServiceDep) -> FeesView:
    state: Catalogues = service.load(FEES)[0] or Catalogues()
    now = service.clock.now()
    in_force = service.rules.catalogue(now)
    return FeesView(
        at=now,
        in_force=in_force.version if in_force is not None else None,
        catalogues=[msgspec.to_builtins(each) for each in state.published],
        drafts=[_catalogue_draft(draft, service) for draft in state.drafts.values()],
    )


def _catalogue_draft(draft: CatalogueDraft, service: Service) -> CatalogueDraftView:
    today = local_date(service.clock.now())
    return CatalogueDraftView(
        version=draft.catalogue.version,
        effective_from=draft.catalogue.effective_from,
        drafted_by=draft.drafted_by,
        reviews=[
            ReviewView(authority=authority, agreed=opinion.agreed, document=opinion.document, reviewer=opinion.reviewer)
            for authority, opinion in draft.reviews.items()
        ],
        catalogue=msgspec.to_builtins(draft.catalogue),
        watched={item.code: word for item, word in watched(draft.catalogue, service.rules.law, today)},
    )


# ---- the law


@router.post(
    "/law",
    status_code=201,
    summary="Publish a version of the law 发布法律依据",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("law.publish"),
)
async def publish_law(
    body: LawBody,  # type: ignore[valid-type]
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> Accepted:
    document = law_of(body)
    command = publication.publish_law(caller.stamp, document, caller.key)
    return await published(service, command, response, document.version)


@router.post(
    "/law/dry-run",
    summary="What a version of the law would change 试算",
    responses=COMMAND_ERRORS,
    openapi_extra=needs(None),
)
async def try_law(
    body: LawBody,  # type: ignore[valid-type]
    caller: CallerDep,
    service: ServiceDep,
) -> LawTrialView:
    found = await run_in_threadpool(law_trial.try_law, service, law_of(body))
    changes = found.changes
    return LawTrialView(
        version=found.version,
        begins=[each.code for each in changes.begins],
        ends=[each.code for each in changes.ends],
        replaced=[ReplacedView(old=old, new=new, since=since) for old, new, since in changes.replaced],
        corrected=[each.code for each in changes.corrected],
        basis=[BasisChangeView.model_validate(each, from_attributes=True) for each in changes.basis],
        windows=found.windows,
        cases=found.cases,
    )


@router.get(
    "/law",
    summary="The articles that promises and refusals rest on 法律依据",
    responses=QUERY_ERRORS,
    openapi_extra=needs(None),
)
def law(service: ServiceDep) -> LawView:
    state: Laws = service.load(LAW)[0] or Laws()
    now, newest = service.clock.now(), service.rules.law
    return LawView(
        at=now,
        version=newest.version,
        reason=newest.reason,
        versions=[each.version for _, each in state.published],
        in_force=[each.code for each in newest.articles if each.in_force(local_date(now))],
        articles=list(newest.articles),
    )


# ---- calendars


@router.post(
    "/calendars",
    status_code=201,
    summary="Publish a year's notice 发布放假安排",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("calendar.publish"),
)
async def publish_calendar(
    body: CalendarNotice, caller: CallerDep, service: ServiceDep, response: Response
) -> Accepted:
    command = publication.publish_calendar(caller.stamp, _wanted(body, caller), caller.key)
    return await published(service, command, response, None)


MOVES_SHOWN = 1_000


@router.post(
    "/calendars/dry-run", summary="What a notice would move 试算", responses=COMMAND_ERRORS, openapi_extra=needs(None)
)
async def try_calendar(body: CalendarNotice, caller: CallerDep, service: ServiceDep) -> DryRunView:
    found, missing = await run_in_threadpool(_dry_run, service, _wanted(body, caller))
    shown = [
        MoveView(
            case_id=str(move.case_id),
            case_number=move.case_number,
            commitment=move.commitment,
            old_due_at=move.old_due_at,
            new_due_at=move.new_due_at,
            old_tentative=move.old_tentative,
            new_tentative=move.new_tentative,
        )
        for move in found.moves[:MOVES_SHOWN]
    ]
    moved = len(found.moves)
    return DryRunView(
        calendar=found.calendar,
        looked_at=found.looked_at,
        moved=moved,
        moves=shown,
        more=moved > len(shown),
        statutory_worked=list(missing.worked),
        fallen_away=list(missing.fallen),
    )


def _dry_run(service: Service, wanted: CalendarWanted) -> tuple[recompute.DryRun, LeftOut]:
    document = publication.calendar_to_try(service, wanted)
    missing = publication.calendar_leaves_out(service, document)
    try:
        return recompute.dry_run(service, document), missing
    except LookupError:
        raise UnknownRegion(
            wanted.region,
            {"a region that a published standard counts by"},
            next_step="publish a standard that counts by the region, or publish without a dry run: it moves nothing",
            next_step_zh="现行标准未采用该地区日历，发布后不影响任何期限",
        ) from None


def _wanted(body: CalendarNotice, caller: Caller) -> CalendarWanted:
    days = tuple(Day(day.date, day.isOffDay, day.name) for day in body.notice.days)
    return CalendarWanted(
        body.region,
        HolidayNotice(body.notice.year, days, body.notice.time_zone),
        body.source,
        body.version,
        body.confirmed_by or caller.stamp.confirmed_by,
    )


@router.get(
    "/calendars",
    summary="The working-day calendars and what is missing 工作日历",
    responses=QUERY_ERRORS,
    openapi_extra=needs(None),
)
def calendars(
    service: ServiceDep,
    start: Annotated[date | None, Query(alias="from", description="left out: from this year on")] = None,
) -> CalendarsView:
    now, rules = service.clock.now(), service.rules
    standing = calendar_status(rules, now)
    return CalendarsView(
        at=now,
        judged_by=standing.version,
        settled_days=standing.settled_days,
        calendars=_calendars(service, start or date(local_date(now).year, 1, 1)),
        warnings=[_warning(each) for each in standing.warnings],
    )


def _calendars(service: Service, start: date) -> list[CalendarView]:
    shown = []
    for region, state in publication.published_calendars(service).items():
        published_at, newest = state.published[-1]
        shown.append(
            CalendarView(
                region=region,
                version=newest.version,
                published_at=published_at,
                settled_until=newest.settled_until,
                source=newest.source,
                versions=[document.version for _, document in state.published],
                days=[MovedDay(date=day.date, off=day.off, name=day.name) for day in newest.days if day.date >= start],
            )
        )
    return shown


def _warning(warning: CalendarWarning) -> WarningView:
    return WarningView(
        code=warning.code,
        year=warning.year,
        settled_until=warning.settled_until,
        message=warning.message,
        message_zh=warning.message_zh,
    )


# ---- answers


async def published(service: Service, command: Command, response: Response, name: str | None) -> Accepted:
    """Run a command on a stream that is no case. ``name``: what the answer calls it in ``case_number``; None: the
    version of the document that it published, as the store has it."""
    # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
    receipt = await asyncio.shield(asyncio.wrap_future(service.submit(command)))
    if receipt.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    if name is None:
        name = await run_in_threadpool(_version_published, service, command, receipt)
    return Accepted(
        case_id=receipt.case_id,
        case_number=name,
        first_version=receipt.first_version,
        last_version=receipt.last_version,
        position=receipt.position,
        recorded_at=receipt.recorded_at,
    )


def _version_published(service: Service, command: Command, receipt: Receipt) -> str:
    _, events = service.load(command.case)
    return str(events[receipt.last_version - 1]["data"]["version"])

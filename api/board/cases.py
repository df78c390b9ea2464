"""Cases: one from the store with its timeline, many from the read model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime

from api.board.answers import CaseRow, Cases, CaseView, TimelineEntry, WindowExplanation, WindowView
from api.board.figures import require_in_order
from api.http.answers import CASE_ERRORS, QUERY_ERRORS, WINDOW_ERRORS, CaseKind, WindowState
from api.http.dependencies import CaseId, Limit, ServiceDep
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from domain import kinds
from domain.connections import outlook
from domain.connections.case import Connection
from domain.deadlines.windows import OnRecord, WindowLedger
from domain.kernel.refusals import NoSuchCase
from domain.kinds import Kind, State
from domain.metering.abnormal_use import Usage
from domain.metering.reading_rounds import ReadingRound
from domain.outages.case import Outage
from domain.repairs.case import Repair
from domain.repairs.orders import OutsideOrder
from domain.standard.standards import Rules
from infra.eventstore.envelope import CloudEvent
from infra.eventstore.service import Service
from infra.sql import sql
from infra.sql.bounds import bounds_of
from projections.reports.explain import explain_window, lines
from projections.reports.figures import bounds

router = APIRouter(prefix="/api/v1/cases", tags=["cases 案件"], route_class=StrictRoute)


@router.get("", summary="Cases, the latest first", responses=QUERY_ERRORS, openapi_extra=needs("case.read"))
def cases(
    service: ServiceDep,
    scope: ScopeDep,
    kind: Annotated[CaseKind | None, Query(description="only this kind of case")] = None,
    is_open: Annotated[bool | None, Query(alias="open", description="only open, or only finished ones")] = None,
    number: Annotated[str | None, Query(pattern=r"^[A-Z0-9-]{1,40}$", description="the case's number")] = None,
    district: Annotated[str | None, Query(max_length=32, description="only those of this district")] = None,
    first: Annotated[
        date | None, Query(alias="from", description="only those that began on this day in China or later")
    ] = None,
    last: Annotated[
        date | None, Query(alias="to", description="only those that began on this day in China or before")
    ] = None,
    limit: Limit = 100,
) -> Cases:
    require_in_order(first, last)
    wanted: dict[str, Any] = {"family": kind, "open": is_open, "number": number, "district": district, "limit": limit}
    wanted |= {**bounds(first, last), **bounds_of(scope)}
    with service.connection() as connection:
        rows = connection.execute(sql("list_cases"), wanted).fetchall()
    return Cases(cases=[CaseRow.model_validate(row) for row in rows])


@router.get(
    "/{case_id}",
    summary="A case with its windows and its timeline",
    responses=CASE_ERRORS,
    openapi_extra=needs("case.read"),
)
def case(case_id: CaseId, service: ServiceDep, response: Response) -> CaseView:
    """`ETag` is the case's version; a command that repeats it as `If-Match` is refused where the case has changed."""
    kind, state, events = load_case(service, case_id)
    response.headers["ETag"] = f'"{events[-1].caseversion}"'
    return CaseView(
        case_id=case_id,
        family=kind.name,
        case_number=state.number,
        version=events[-1].caseversion,
        windows=windows_on_record(state.ledger, service.rules),
        timeline=[timeline_entry(event) for event in events],
        **SHAPES[kind.name](state),
    )


@router.get(
    "/{case_id}/windows/{commitment}",
    summary="Why a window stands as it does, or stood at an instant by what was known then",
    responses=WINDOW_ERRORS,
    openapi_extra=needs("case.read"),
)
def window_explained(
    case_id: CaseId,
    commitment: Annotated[
        str,
        Path(
            pattern=r"^[a-z-]{1,32}\.[a-z_-]{1,32}$", examples=["connection.water_on"], description="the promise's code"
        ),
    ],
    service: ServiceDep,
    as_of: Annotated[AwareDatetime | None, Query(description="an instant that has passed; left out: now")] = None,
) -> WindowExplanation:
    found = explain_window(service, case_id, commitment, as_of)
    case_kind = cast(CaseKind, found.family)
    return WindowExplanation(
        case_id=case_id, case_number=found.case_number, family=case_kind, window=found.window, text=list(lines(found))
    )


def load_case(service: Service, case_id: UUID) -> tuple[Kind, State, list[CloudEvent]]:
    """The case, whichever kind it is of, and its events in version order. Refuses ``no-such-case``, also for streams
    that are no cases."""
    history = service.history(case_id)
    kind = kinds.opened_as(history[0][0].type) if history else None
    if kind is None:
        raise NoSuchCase()
    return kind, kinds.folded(kind, [recorded for _, recorded in history]), [event for event, _ in history]


def existing_kind(service: Service, case_id: UUID) -> Kind:
    """The kind of the case, by its first event. Refuses as ``load_case`` does."""
    kind = service.kinds_of([case_id]).get(case_id)
    if kind is None:
        raise NoSuchCase()
    return kind


# ---- shapes


def _repair(case: Repair) -> dict[str, Any]:
    return {
        "stage": repair_stage(case),
        "open": not case.closed,
        "opened_at": min(case.reports).at,
        "kind": case.kind,
        "district": case.district,
        "zone": case.zone,
        "crew": case.crew,
        "severity": case.severity,
        "reports": len(case.reports) if case.merged_into is None else 0,
        "merged_into": case.merged_into,
        "details": {name: value for name, value in sorted(case.details.items()) if value is not None},
    }


def repair_stage(case: Repair) -> str:
    """How far the incident has come: the furthest step that is on record, in whatever order they came in."""
    steps = (
        (case.merged_into is not None, "merged"),
        (case.closed, "closed"),
        (bool(case.restored), "restored"),
        (bool(case.completed), "completed"),
        (bool(case.dismissed), "dismissed"),
        (bool(case.assessed), "assessed"),
        (bool(case.arrived), "on_site"),
        (bool(case.acknowledged), "acknowledged"),
        (case.crew is not None, "dispatched"),
    )
    return next((stage for reached, stage in steps if reached), "reported")


def _connection(case: Connection) -> dict[str, Any]:
    return {
        "stage": outlook.stage(case),
        "open": not case.all_on and (case.stopped is None or not case.stopped.final),
        "opened_at": case.received_at,
        "category": case.category,
        "district": case.district,
        "supply_points": case.supply_points,
        "points_on": sorted(case.on),
        "meters": {point: meter.number for point, meter in sorted(case.meters.items())},
        "admitted_at": outlook.moment_at(case.admitted),
    }


def _order(order: OutsideOrder) -> dict[str, Any]:
    return {
        "stage": "replied" if order.replied else "received",
        "open": not order.replied,
        "opened_at": order.received.at,
        "kind": order.source,
    }


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        "stage": outage_stage(outage),
        "open": outage.restored is None and outage.cancelled is None,
        "opened_at": outage.announced.at,
        "kind": outage.begun_as,
        "district": outage.districts[0],
        "affected_users": outage.affected_users,
    }


def outage_stage(outage: Outage) -> str:
    """How far the outage has come."""
    steps = (
        (outage.cancelled is not None, "cancelled"),
        (outage.restored is not None, "water_back"),
        (outage.started is not None, "water_off"),
        (bool(outage.notices), "outage_noticed"),
    )
    return next((stage for reached, stage in steps if reached), "outage_planned")


def _usage(case: Usage) -> dict[str, Any]:
    return {
        "stage": usage_stage(case),
        "open": case.over is None,
        "opened_at": case.found.at,
        "meter": case.meter,
        "held": case.held,
    }


def usage_stage(case: Usage) -> str:
    """How far the case has come, or why it is over without an outcome."""
    if case.over in ("withdrawn", "dismissed"):
        return "explained" if case.over == "dismissed" else "withdrawn"
    steps = (
        (case.outcome is not None, "settled"),
        (bool(case.helped), "help_finished"),
        (bool(case.helping), "help_started"),
        (bool(case.notified), "notified"),
        (bool(case.confirmed), "confirmed"),
    )
    return next((stage for reached, stage in steps if reached), "found")


def _book(book: ReadingRound) -> dict[str, Any]:
    return {
        "stage": book_stage(book),
        "open": bool(book.unread),
        "opened_at": book.opened.at,
        "book": book.book,
        "unread": len(book.unread),
    }


def book_stage(book: ReadingRound) -> str:
    """How far the round has come."""
    if not book.unread:
        return "read"
    return "partly_read" if book.settled else "round_opened"


SHAPES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "repair": _repair,
    "connection": _connection,
    "order": _order,
    "outage": _outage,
    "usage": _usage,
    "book": _book,
}
"""What a case of each kind shows beside its windows and its timeline."""


def windows_on_record(ledger: WindowLedger, rules: Rules) -> list[WindowView]:
    """The verdicts on record, one window for each commitment, with the articles that its promise rests on."""
    return [_window(commitment, window, rules) for commitment, window in ledger.items()]


def _window(commitment: str, window: OnRecord, rules: Rules) -> WindowView:
    standing = len(window.lapses)
    return WindowView(
        commitment=commitment,
        number=window.number,
        state=_state(window),
        opened_at=window.opened_at,
        due_at=window.due_at,
        tentative=window.tentative,
        met_at=window.met_at,
        on_time=None if window.met_at is None or window.due_at is None else window.met_at <= window.due_at,
        lapses=standing,
        retracted=window.lapse_count - standing,
        settles_at=window.settles_at,
        standard=window.standard,
        calendar=window.calendar,
        basis=[each.code for each in rules.cited("promise", commitment, window.opened_at)],
        provisional_until=window.provisional_until,
    )


def _state(window: OnRecord) -> WindowState:
    if window.cancelled:
        return "unknown" if window.reason == "unknown" else "cancelled"
    if window.met_at is not None:
        return "met"
    return "lapsed" if window.due_at in window.lapses else "running"


def timeline_entry(event: CloudEvent) -> TimelineEntry:
    """One stored CloudEvent as an auditor reads it."""
    data = msgspec.json.decode(event.data)
    assert event.recordedat is not None, "the recorder closes every stored event with it"
    # An admission's basis is a word; a verdict's is what it stands on.
    basis = found if isinstance(found := data.get("basis"), dict) else data
    return TimelineEntry(
        version=event.caseversion,
        position=event.position,
        event_id=event.id,
        type=event.type,
        fact=event.type.split(".")[2],
        happened_at=event.time,
        reported_at=event.reportedat,
        recorded_at=event.recordedat,
        actor=event.actor,
        role=event.role,
        channel=event.channel,
        standard=basis.get("standard"),
        calendar=basis.get("calendar"),
        data=data,
    )

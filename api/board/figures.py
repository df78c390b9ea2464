"""Figures 统计 for everybody, and every charge 收费 for the authorities that supervise charging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, Literal

import psycopg
from fastapi import APIRouter, Query
from psycopg.rows import DictRow

from api.complaints.bodies import SatisfactionFigures, SatisfactionOfKind
from api.http.answers import QUERY_ERRORS, documented
from api.http.caller import CallerDep
from api.http.dependencies import ServiceDep
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from api.publication.public_answers import ChargeLine, Charges, ChargeSum, FiguresAnswer
from domain.kernel.refusals import DatesOutOfOrder
from domain.standard.context import Person, require_one_of
from domain.standard.powers import roles_with
from infra.eventstore.service import Service
from infra.sql import sql
from infra.sql.bounds import bounds_of
from projections.reports import published
from projections.reports.figures import bounds, figures

router = APIRouter(prefix="/api/v1", tags=["figures 统计"], responses=QUERY_ERRORS, route_class=StrictRoute)

SATISFACTION_OF: tuple[Literal["connection", "repair"], ...] = ("connection", "repair")
SCORES: tuple[Literal["1", "2", "3", "4", "5"], ...] = ("1", "2", "3", "4", "5")
ChargeKind = Literal["quoted", "paid", "payment-reversed", "refunded", "refund-reversed", "refused"]
From = Annotated[date | None, Query(alias="from", description="the first day in China; left out: from the beginning")]
To = Annotated[date | None, Query(alias="to", description="the last day, included; left out: until now")]


@contextmanager
def snapshot(service: Service) -> Iterator[psycopg.Connection[DictRow]]:
    """A connection whose queries all see one moment: sums and parts agree while the read models move on."""
    with service.connection() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection


@router.get(
    "/figures", summary="Our own counts of a period; in the demo beside the published ones", openapi_extra=needs(None)
)
def counted(service: ServiceDep, first: From = None, last: To = None) -> FiguresAnswer:
    require_in_order(first, last)
    with snapshot(service) as connection:
        now = service.clock.now()
        customers = service.rules.in_force(now).outages.customers
        found = figures(connection, first, last, at=now, customers=customers)
    return FiguresAnswer(
        at=service.clock.now(),
        figures=found,
        published=list(published.beside(found)) if service.settings.demo else [],
        contradictions=list(published.contradictions()) if service.settings.demo else [],
    )


@router.get(
    "/figures/satisfaction",
    summary="How satisfied people are, by what they said in a period 满意度",
    openapi_extra=needs(None),
)
def satisfaction(service: ServiceDep, first: From = None, last: To = None) -> SatisfactionFigures:
    """Of each person what they said last of their case counts, in the period in which they said it."""
    require_in_order(first, last)
    with snapshot(service) as connection:
        counts = connection.execute(sql("satisfaction_counts"), bounds(first, last)).fetchall()
        reasons = connection.execute(sql("satisfaction_reasons"), bounds(first, last)).fetchall()
    found = {kind: {row["score"]: row["people"] for row in counts if row["kind"] == kind} for kind in SATISFACTION_OF}
    return SatisfactionFigures(
        at=service.clock.now(),
        kinds=[
            _satisfaction_of(kind, scores, {row["reason"]: row["people"] for row in reasons if row["kind"] == kind})
            for kind, scores in found.items()
            if scores
        ],
    )


@router.get(
    "/charges",
    summary="Every charge quoted, paid, refunded or refused",
    responses=documented(_403="wrong-role"),
    openapi_extra=needs("charges.read"),
)
def charges(
    service: ServiceDep,
    caller: CallerDep,
    scope: ScopeDep,
    first: From = None,
    last: To = None,
    kind: Annotated[ChargeKind | None, Query(description="only lines of this kind")] = None,
    after: Annotated[int, Query(ge=0, description="go on behind this position")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="at most so many charges, each with all its lines")] = 100,
) -> Charges:
    # 发改 and 市场监管 supervise charging; auditors and managers answer for it. Who that is, is the standard's to say.
    standard = service.rules.in_force(service.clock.now())
    by = Person(caller.stamp.actor, caller.stamp.role)
    require_one_of(by, roles_with(standard, "charges.read"), "charges.read")
    require_in_order(first, last)
    period = {**bounds(first, last), "kind": kind, **bounds_of(scope)}
    with snapshot(service) as connection:
        # One charge more than is shown tells whether there is more.
        rows = connection.execute(sql("list_charges"), {**period, "after": after, "limit": limit + 1}).fetchall()
        sums = connection.execute(sql("sum_charges"), period).fetchall()
    shown, more = first_charges(rows, limit)
    return Charges(
        charges=[ChargeLine.model_validate(row) for row in shown],
        sums=[ChargeSum.model_validate(row) for row in sums],
        next=shown[-1]["position"] if more else None,
    )


def first_charges(rows: Sequence[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The lines of the first ``limit`` charges, and whether there is more. A charge is one position of the log."""
    positions = list(dict.fromkeys(row["position"] for row in rows))
    shown = set(positions[:limit])
    return [row for row in rows if row["position"] in shown], len(positions) > limit


def require_in_order(first: date | None, last: date | None) -> None:
    """Refuse ``dates-out-of-order``."""
    if first is not None and last is not None and first > last:
        raise DatesOutOfOrder(
            found="a first day that is later than the last one",
            needed="a first day that is not later than the last one",
        )


def _satisfaction_of(
    kind: Literal["connection", "repair"], scores: Mapping[int, int], reasons: Mapping[str, int]
) -> SatisfactionOfKind:
    people = sum(scores.values())
    return SatisfactionOfKind(
        kind=kind,
        people=people,
        mean=round(sum(score * count for score, count in scores.items()) / people, 2),
        shares={name: round(scores.get(int(name), 0) / people, 4) for name in SCORES},
        reasons=dict(reasons),
    )

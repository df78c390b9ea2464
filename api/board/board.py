"""The board: windows by due time, and live counts beside the published ones. Read from the read models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.board.answers import BoardWindow, ConnectionCounts, Counts, PublishedTally, RepairCounts, WindowCounts, Windows
from api.http.answers import QUERY_ERRORS, CaseKind
from api.http.dependencies import Limit, ServiceDep
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from infra.sql import sql
from infra.sql.bounds import bounds_of
from projections.reports import published
from projections.reports.published import PublishedNumber

router = APIRouter(prefix="/api/v1", tags=["board 看板"], responses=QUERY_ERRORS, route_class=StrictRoute)

SEVERITIES = ("small", "medium", "major", "unassessed")


@router.get("/windows", summary="Windows by due time", openapi_extra=needs("case.read"))
def windows(
    service: ServiceDep,
    scope: ScopeDep,
    running: Annotated[bool, Query(description="only running ones; otherwise the latest due of every state")] = True,
    kind: Annotated[CaseKind | None, Query(description="only this kind of case")] = None,
    limit: Limit = 100,
) -> Windows:
    query = sql("windows_running") if running else sql("windows_latest")
    with service.connection() as connection:
        rows = connection.execute(query, {"family": kind, "limit": limit + 1, **bounds_of(scope)}).fetchall()
    rules = service.rules
    for row in rows:
        row["basis"] = [each.code for each in rules.cited("promise", row["commitment"], row["opened_at"])]
    return Windows(
        at=service.clock.now(),
        windows=[BoardWindow.model_validate(row) for row in rows[:limit]],
        more=len(rows) > limit,
    )


@router.get("/counts", summary="Live counts", openapi_extra=needs(None))
def counts(service: ServiceDep) -> Counts:
    with service.connection() as connection:
        cases = connection.execute(sql("count_cases")).fetchall()
        by_commitment = connection.execute(sql("count_windows")).fetchall()
    per_window = [WindowCounts.model_validate(row) for row in by_commitment]
    return Counts(
        at=service.clock.now(),
        connections=connection_counts(
            [row for row in cases if row["family"] == "connection"], with_published=service.settings.demo
        ),
        repairs=repair_counts([row for row in cases if row["family"] == "repair"]),
        windows=per_window,
        lapses_standing=sum(row.lapses for row in per_window),
        lapses_retracted=sum(row.retracted for row in per_window),
    )


BoardRow = Mapping[str, Any]


def connection_counts(rows: Sequence[BoardRow], *, with_published: bool) -> ConnectionCounts:
    """Applications from rows grouped by everything that is counted; the published numbers beside them where they are
    ours to show (in the demo)."""
    total = _count(rows)
    return ConnectionCounts(
        total=total,
        open=_count(row for row in rows if row["open"]),
        water_on=_count(row for row in rows if row["stage"] == "water_on"),
        by_category=_tallies(rows, "category", published.CATEGORIES, with_published),
        by_channel=_tallies(rows, "channel", published.CHANNELS, with_published),
        published_sum=published.parts_sum() if with_published else None,
        published_reported=published.REPORTED_TOTAL if with_published else None,
    )


def repair_counts(rows: Sequence[BoardRow]) -> RepairCounts:
    """Incidents from rows grouped by everything that is counted."""
    severities = dict.fromkeys(SEVERITIES, 0)
    for row in rows:
        severities[row["severity"] or "unassessed"] += row["cases"]
    still_open = _count(row for row in rows if row["open"])
    return RepairCounts(
        total=_count(rows),
        open=still_open,
        closed=_count(rows) - still_open,
        reports=sum(row["reports"] for row in rows),
        by_severity=severities,
    )


def _tallies(
    rows: Sequence[BoardRow], column: str, groups: Iterable[PublishedNumber], with_published: bool
) -> list[PublishedTally]:
    """One line for each published group, and one for what the report does not know, where there is any."""
    groups = tuple(groups)
    known = {code for group in groups for code in group.members}
    tallies = [
        PublishedTally(
            code=group.code,
            name=group.name,
            name_zh=group.name_zh,
            count=_count(row for row in rows if row[column] in group.members),
            published=group.published if with_published else None,
        )
        for group in groups
    ]
    others = _count(row for row in rows if row[column] not in known)
    if others:
        code, name, name_zh = published.OTHERS
        tallies.append(PublishedTally(code=code, name=name, name_zh=name_zh, count=others, published=None))
    return tallies


def _count(rows: Iterable[BoardRow]) -> int:
    return sum(row["cases"] for row in rows)

"""The indicators of each month and district: getting water, repairs, readings, complaints, outages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from api.board.figures import snapshot
from api.http.answers import QUERY_ERRORS
from api.http.dependencies import ServiceDep
from api.http.kept import Kept
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain.deadlines.calendar import local_date
from projections.reports.indicators import INDICATORS, Report, Unit, indicators

router = APIRouter(prefix="/api/v1", tags=["figures 统计"], responses=QUERY_ERRORS, route_class=StrictRoute)


class IndicatorView(BaseModel):
    """What an indicator is."""

    code: Annotated[str, Field(description="Code of the indicator; its numbers stand under it in each row.")]
    name_zh: Annotated[str, Field(description="Its name in Chinese.")]
    name_en: Annotated[str, Field(description="Its name in English.")]
    unit: Annotated[Unit, Field(description="Unit of its numbers.")]
    meaning_zh: Annotated[str, Field(description="What it counts, in Chinese.")]
    meaning_en: Annotated[str, Field(description="What it counts, in English.")]
    cases: Annotated[
        str | None, Field(description="Kind of the cases behind its numbers, as the list of cases takes it.")
    ]
    by_district: Annotated[bool, Field(description="Whether there are numbers of districts too.")]


class MonthView(BaseModel):
    """The numbers of one month in one place."""

    month: Annotated[str, Field(description="Month in China, as 2026-11.")]
    district: Annotated[str | None, Field(description="Code of the district; null: the whole city.")]
    values: Annotated[
        dict[str, float | None],
        Field(description="Code of an indicator → its number; null where there is nothing to count it from."),
    ]


class IndicatorReport(BaseModel):
    """The months of the period, oldest first; of each the whole city, then its districts."""

    at: Annotated[datetime, Field(description="When the numbers were counted, by the service's clock.")]
    position: Annotated[
        int, Field(description="Position of the newest event that the numbers hold, in the store's log; 0: none.")
    ]
    indicators: Annotated[list[IndicatorView], Field(description="The indicators, in the order of a report.")]
    rows: Annotated[list[MonthView], Field(description="A row for each month and place.")]


@router.get("/indicators", summary="The indicators of each month and district 指标", openapi_extra=needs(None))
def indicator_report(
    service: ServiceDep,
    request: Request,
    to: Annotated[
        date | None, Query(description="a day of the last month in China; left out, or later than today: today")
    ] = None,
    months: Annotated[int, Query(ge=1, le=60, description="how many months, the last one included")] = 12,
) -> IndicatorReport:
    """A case belongs to the month in which it began. One that names several districts counts in each of them and once
    in the whole city, so the districts need not add up to it. The numbers are those of `at`, some seconds ago at
    most."""
    now = service.clock.now()
    today = local_date(now)
    last = min(to or today, today).replace(day=1)
    number = max(last.year * 12 + last.month - months, 12)
    first = date(number // 12, number % 12 + 1, 1)

    def count() -> tuple[datetime, Report]:
        with snapshot(service) as connection:
            return now, indicators(connection, first, last, at=now, rules=service.rules)

    kept: Kept[tuple[datetime, Report]] = request.app.state.indicators
    counted_at, report = kept.get(count, (first, last))
    return IndicatorReport(
        at=counted_at,
        position=report.position,
        indicators=[
            IndicatorView(
                code=each.code,
                name_zh=each.name.zh,
                name_en=each.name.en,
                unit=each.unit,
                meaning_zh=each.meaning.zh,
                meaning_en=each.meaning.en,
                cases=each.cases,
                by_district=each.by_district,
            )
            for each in INDICATORS
        ],
        rows=[MonthView.model_validate(each, from_attributes=True) for each in report.months],
    )

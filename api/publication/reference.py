"""What does not change from case to case: due dates, names of codes, and what is real in the demo."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from api.board.answers import DemoFacts, DueDate, Labels
from api.http.answers import QUERY_ERRORS
from api.http.caller import INTERNAL_CHANNELS
from api.http.dependencies import ServiceDep
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain.deadlines.calendar import Calendar, closing_time
from domain.kernel.roles import ROLES
from domain.publication.refusals import OutsideCalendar, UnknownRegion

router = APIRouter(prefix="/api/v1", tags=["reference 参考"], responses=QUERY_ERRORS, route_class=StrictRoute)

LAST_DAY = date(2199, 12, 31)


@router.get("/due", summary="Until when a limit of working days runs", openapi_extra=needs(None))
def due(
    service: ServiceDep,
    start: Annotated[date, Query(alias="from", description="the day of admission; it does not count")],
    working_days: Annotated[int | None, Query(ge=1, le=366, description="left out: the standard's")] = None,
    region: Annotated[str | None, Query(max_length=40, description="left out: the one we judge by")] = None,
) -> DueDate:
    rules = service.rules
    standard = rules.in_force(service.clock.now())
    ours = known_region(rules.calendar)
    if region is not None and region != ours:
        raise UnknownRegion(None, {ours}, next_step="leave the region out, or publish its calendar first")
    _require_inside(rules.calendar, start)
    days = working_days or standard.connection.connection_working_days
    counted = counted_days(rules.calendar, start, days)
    return DueDate(
        region=ours,
        working_days=days,
        counted_from=start,
        due_on=counted[-1],
        due_at=closing_time(counted[-1], standard.close_of_business),
        tentative=rules.calendar.is_tentative(counted[-1]),
        counted=counted,
        calendar=rules.calendar.version,
        standard=standard.version,
        basis=[each.code for rule in ("day.start", "day.end") for each in rules.law.cited("rule", rule, start)],
    )


@router.get("/labels", summary="The Chinese names of codes", openapi_extra=needs(None))
def labels(service: ServiceDep) -> Labels:
    now = service.clock.now()
    standard, catalogue = service.rules.in_force(now), service.rules.catalogue(now)
    return Labels(
        standard=standard.version,
        fault_kinds=dict(standard.repair.fault_kinds),
        applicant_categories=dict(standard.connection.applicant_categories),
        documents={one.code: one.name_zh for owed in standard.connection.documents.values() for one in owed},
        defects={**standard.connection.defects, **standard.connection.hidden_defects},
        deliverables=dict(standard.connection.deliverables),
        squads=dict(standard.crews.squads),
        usage_ways=dict(standard.metering.usage_ways),
        usage_dismissals=dict(standard.metering.usage_dismissals),
        usage_outcomes=dict(standard.metering.usage_outcomes),
        leak_findings=dict(standard.metering.leak_findings),
        meter_replacements=dict(standard.metering.meter_replacements),
        price_classes=dict(standard.connection.price_classes),
        class_changes=dict(standard.connection.class_changes),
        customer_changes=dict(standard.connection.customer_changes),
        reading_exceptions=dict(standard.metering.reading_exceptions),
        fees={item.code: item.name_zh for item in catalogue.items} if catalogue is not None else {},
        districts={code: {"name_zh": d.name_zh, "zone": d.zone} for code, d in standard.districts.items()},
        channels=sorted(set(standard.allowed_lateness_minutes) - INTERNAL_CHANNELS),
        roles=list(ROLES),
    )


@router.get(
    "/demo", summary="What is real and what is simulated", response_model_exclude_none=True, openapi_extra=needs(None)
)
def demo(service: ServiceDep) -> DemoFacts:
    if not service.settings.demo:
        return DemoFacts()
    return DemoFacts(
        running=True,
        clock_factor=service.clock.factor,
        real=[
            {
                "en": "Kinds of fault and times of report: public tickets of Kitchener (Ontario) and Boston, "
                "moved to these districts and days",
                "zh": "故障类型与报修时间取自加拿大基奇纳市和美国波士顿市的公开工单，已移至本地片区与日期",
            },
            {
                "en": "Working days: the State Council's holiday schedules 2015–2026",
                "zh": "工作日按国务院 2015–2026 年放假安排计算",
            },
        ],
        simulated=[
            {
                "en": "Water applications (in the published mix), crews, arrivals, repairs, outages, names and "
                "telephones",
                "zh": "报装申请（按公布的构成比例）、班组、到场与修复时间、停水、姓名和电话均为模拟",
            },
            {
                "en": f"The clock: {service.clock.factor:g} seconds of service time in one real second",
                "zh": f"时钟：真实 1 秒 = 服务时间 {service.clock.factor:g} 秒",
            },
        ],
    )


def known_region(calendar: Calendar) -> str:
    """The region that a calendar is of: the narrowest of its chain, for example ``CN-Xiangxi``."""
    return calendar.version.split("+")[-1].partition("@")[0]


def counted_days(calendar: Calendar, start: date, working_days: int) -> list[date]:
    """The days that count, in order; the starting day does not."""
    days: list[date] = []
    day = start
    for _ in range(working_days):
        day = calendar.add_working_days(day, 1)
        days.append(day)
    return days


def _require_inside(calendar: Calendar, start: date) -> None:
    first = date(min(calendar.moved).year, 1, 1) if calendar.moved else date.min
    # A year before the first notice would silently be counted Monday to Friday; the far end would never stop counting.
    last = LAST_DAY - timedelta(days=732)
    if not first <= start <= last:
        raise OutsideCalendar(start, first, last)

"""The connection case (用水报装): one application, all else inside the utility, water on in 5 working days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from domain.calendar import Calendar, closing_time, local_date
from domain.facts import Recorded
from domain.refusals import Refusal
from domain.standards import Rules, Standard, require_known, require_not_future
from domain.subjects import Subject
from domain.usage import MeterDetails
from domain.windows import FACTS as WINDOW_FACTS
from domain.windows import Ledger, Obligation, RungAt, Term, WindowFact, record

WATER_ON = "connection.water_on"


# ---- facts


@dataclass(frozen=True, slots=True)
class ApplicationReceived:
    """An application came in, over whichever channel; the 5 working days do not run yet."""

    case_number: str
    category: str
    supply_points: int
    subject: Subject


@dataclass(frozen=True, slots=True)
class ApplicationAdmitted:
    """The utility admitted (受理) the application; its 5 working days run from ``happened_at``."""


@dataclass(frozen=True, slots=True)
class WaterTurnedOn:
    """Water flows at one supply point (通水), measured by that meter; billing opens an account."""

    point: int
    subject: Subject
    meter: MeterDetails


ConnectionFact = ApplicationReceived | ApplicationAdmitted | WaterTurnedOn | WindowFact
FACTS: tuple[type, ...] = (ApplicationReceived, ApplicationAdmitted, WaterTurnedOn, *WINDOW_FACTS)


# ---- state


@dataclass(frozen=True, slots=True)
class Connection:
    """The application as its facts have it. ``on``: supply point → when water flowed first, and the event."""

    number: str
    category: str
    supply_points: int
    subject: Subject
    received_at: datetime
    admitted: tuple[datetime, UUID] | None = None
    on: Mapping[int, tuple[datetime, UUID]] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=dict)

    @property
    def all_on(self) -> bool:
        return len(self.on) >= self.supply_points


def evolve(case: Connection | None, recorded: Recorded) -> Connection | None:
    """The application after a fact of its stream; never refuses."""
    fact = recorded.fact
    if isinstance(fact, ApplicationReceived):
        return Connection(fact.case_number, fact.category, fact.supply_points, fact.subject, recorded.happened_at)
    if case is None:
        return None
    if isinstance(fact, WindowFact):
        return replace(case, ledger=record(case.ledger, fact))
    match fact:
        case ApplicationAdmitted():
            return replace(case, admitted=(recorded.happened_at, recorded.event_id))
        case WaterTurnedOn(point):
            return replace(case, on={**case.on, point: (recorded.happened_at, recorded.event_id)})
        case _:
            return case


# ---- decisions


def receive(
    case: Connection | None,
    *,
    case_number: str,
    category: str,
    supply_points: int,
    subject: Subject,
    happened_at: datetime,
    at: datetime,
    standard: Standard,
) -> ApplicationReceived:
    """Take an application in. Refuses unknown categories and a number of supply points out of range."""
    if case is not None:
        raise Refusal(
            "case-exists",
            found=f"case {case.number}",
            needed="a new case",
            next_step="look the application up by its number",
            next_step_zh="请按受理编号查询",
        )
    require_not_future(standard, happened_at, at)
    require_known("unknown-applicant-category", category, standard.applicant_categories)
    if not 1 <= supply_points <= standard.max_supply_points:
        raise Refusal(
            "supply-points-out-of-range",
            found=str(supply_points),
            needed=f"1 to {standard.max_supply_points}",
            next_step="split the application",
            next_step_zh="请拆分申请",
        )
    return ApplicationReceived(case_number, category, supply_points, subject)


def admit(case: Connection | None, *, happened_at: datetime, at: datetime, standard: Standard) -> ApplicationAdmitted:
    """Admit the application (受理). Refuses a second admission and one before the receipt."""
    known = _existing(case)
    require_not_future(standard, happened_at, at)
    if known.admitted is not None:
        raise Refusal(
            "already-admitted",
            found=f"application {known.number} admitted at {known.admitted[0].isoformat()}",
            needed="an application that is not admitted yet",
            next_step="nothing to do: its limit runs",
            next_step_zh="已受理，时限已开始计算",
        )
    _require_after(happened_at, known.received_at, "the receipt")
    return ApplicationAdmitted()


def turn_water_on(
    case: Connection | None,
    *,
    point: int,
    meter: MeterDetails,
    happened_at: datetime,
    at: datetime,
    standard: Standard,
) -> WaterTurnedOn:
    """Water on at one supply point, behind a meter whose forced verification is valid.

    Refuses before admission, for a point that is on or that the application does not have, and for a meter that is not
    verified or whose verification is over (计量法: DN ≤ 25 six years, DN ≤ 50 four years, above every two).
    """
    known = _existing(case)
    require_not_future(standard, happened_at, at)
    if known.admitted is None:
        raise Refusal(
            "not-admitted",
            found=f"application {known.number} is not admitted",
            needed="an admitted application",
            next_step="admit the application first",
            next_step_zh="请先受理该申请",
        )
    _require_after(happened_at, known.admitted[0], "the admission")
    _require_point(known, point)
    _require_verified(meter, happened_at, standard)
    return WaterTurnedOn(point, known.subject, meter)


# ---- the promise


def obligations(case: Connection | None, rules: Rules) -> tuple[Obligation, ...]:
    """Water on within the working days of the standard, counted from admission, met by the last supply point."""
    if case is None or case.admitted is None:
        return ()
    admitted_at, admitted_by = case.admitted
    standard = rules.in_force(admitted_at)
    day = rules.calendar.add_working_days(local_date(admitted_at), standard.connection_working_days)
    due_at = closing_time(day, standard.close_of_business)
    met = max(case.on.values()) if case.all_on else None
    return (
        Obligation(
            commitment=WATER_ON,
            opened_at=admitted_at,
            terms=(Term(admitted_at, due_at, (admitted_by,), rules.calendar.is_tentative(day)),),
            met_at=met[0] if met else None,
            met_by=(met[1],) if met else (),
            standard=standard.version,
            calendar=rules.calendar.version,
            rungs=_rungs(standard, rules.calendar, admitted_at),
            notify_on_lapse=standard.notify_on_lapse.get(WATER_ON, ()),
        ),
    )


def _rungs(standard: Standard, calendar: Calendar, start: datetime) -> tuple[RungAt, ...]:
    return tuple(
        RungAt(
            rung.name,
            closing_time(calendar.add_working_days(local_date(start), rung.working_day), standard.close_of_business),
            rung.notify,
        )
        for rung in standard.ladders.get(WATER_ON, ())
        if rung.working_day is not None
    )


# ---- helpers


def _existing(case: Connection | None) -> Connection:
    if case is None:
        raise Refusal(
            "no-such-case",
            found="no connection case with this id",
            needed="the id of a received application",
            next_step="look the application up by its number",
            next_step_zh="请按受理编号查询",
        )
    return case


def _require_after(happened_at: datetime, earlier: datetime, what: str) -> None:
    if happened_at < earlier:
        raise Refusal(
            "dates-out-of-order",
            found=f"happened_at {happened_at.isoformat()}",
            needed=f"not before {what} at {earlier.isoformat()}",
            next_step="check the date",
            next_step_zh="请核对日期先后",
        )


def _require_point(case: Connection, point: int) -> None:
    if not 1 <= point <= case.supply_points:
        raise Refusal(
            "no-such-supply-point",
            found=f"supply point {point}",
            needed=f"1 to {case.supply_points}",
            next_step="check the supply point's number",
            next_step_zh="请核对用水点编号",
        )
    if point in case.on:
        raise Refusal(
            "already-on",
            found=f"supply point {case.number}/{point} has water since {case.on[point][0].isoformat()}",
            needed="a supply point without water",
            next_step="nothing to do",
            next_step_zh="该用水点已通水",
        )


def _require_verified(meter: MeterDetails, happened_at: datetime, standard: Standard) -> None:
    day = local_date(happened_at)
    years = next(years for dn_mm, years in standard.meter_verification_years if meter.dn_mm <= dn_mm)
    latest = _years_later(meter, years)
    if not (meter.verified_on <= day <= min(meter.expires_on, latest)):
        raise Refusal(
            "meter-not-verified",
            found=f"meter {meter.number} DN {meter.dn_mm}, verified {meter.verified_on}, expires {meter.expires_on}",
            needed=f"a verification valid on {day}, at most {years} years old",
            next_step="fit a meter with a valid verification",
            next_step_zh="请更换检定有效期内的水表",
        )


def _years_later(meter: MeterDetails, years: int) -> date:
    verified = meter.verified_on
    try:
        return verified.replace(year=verified.year + years)
    except ValueError:  # 29 February
        return verified.replace(year=verified.year + years, day=28)

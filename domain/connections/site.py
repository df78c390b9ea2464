"""On site: survey, design, construction, final inspection, meters in, water on (勘察、设计、施工、验收、装表、通水).

Sources: the steps inside a case and the survey before admission as published (address and phone alone are enough);
approval at the door that starts construction at once (现场审批即施工); 计量法 §9 (in force since 1986-07-01) for the
verification of meters; water is turned on only after the papers are in (practice of papers outstanding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from domain.connections.automatic import missing
from domain.connections.case import Connection
from domain.connections.charges import require_contract, require_paid
from domain.connections.facts import (
    ApprovedOnSite,
    ConstructionCompleted,
    ConstructionStarted,
    DesignApproved,
    FinalInspectionMade,
    MeterInstalled,
    MeterReplaced,
    MeterVerified,
    SupplyPoint,
    SurveyMade,
    WaterTurnedOn,
)
from domain.connections.promises import standard_of
from domain.connections.refusals import (
    AlreadyInspected,
    ConstructionHasStarted,
    ConstructionIsCompleted,
    ConstructionNotCompleted,
    ConstructionNotStarted,
    DefectsDoNotMatch,
    FindingsMissing,
    MeterAlreadyInstalled,
    MeterMissing,
    MeterNotVerified,
    MeterToBeReplaced,
    NamedTwice,
    NotDesigned,
    NotInspected,
    NotSurveyed,
    OtherSquad,
    UnknownDefect,
    UnknownFinding,
    UnknownReplacementReason,
    VerificationUnchanged,
    VisitOver,
)
from domain.connections.requirements import (
    as_told,
    papers_missing,
    require_admitted,
    require_codes,
    require_feasible,
    require_not_done,
    require_once,
    require_point,
    require_timely,
    requirements,
    under_way,
)
from domain.connections.visits import the_visit
from domain.crews.register import require_formed
from domain.deadlines.calendar import local_date
from domain.kernel.facts import Fact, Moment
from domain.kernel.refusals import Refusal
from domain.metering.meters import MeterDetails
from domain.metering.verification import is_verified, verification
from domain.standard.context import CommandContext
from domain.standard.sections.numbers import require_number
from domain.standard.standards import Standard
from domain.standard.values import require_known

# ---- survey and design


def survey(case: Connection, ctx: CommandContext, *, feasible: bool, findings: Sequence[str]) -> SurveyMade:
    """A surveyor saw the site; also before admission. Refuses ``unknown-finding``, ``findings-missing`` (not feasible
    and no reason), ``named-twice``, ``all-on`` and what every fact of the field may be refused for."""
    known = under_way(case, ctx, "survey")
    require_not_done(known)
    require_timely(known, ctx)
    require_codes(UnknownFinding, findings, ctx.standard.connection.survey_findings)
    require_once(NamedTwice, findings)
    if not feasible and not findings:
        raise FindingsMissing()
    return as_told(ctx, SurveyMade(feasible, tuple(findings)))


def design(case: Connection, ctx: CommandContext, *, drawing_digest: str) -> DesignApproved:
    """The design is done and approved. Refuses ``not-surveyed``, ``not-feasible``, ``construction-completed``."""
    known = under_way(case, ctx, "design")
    if known.construction_completed is not None:
        raise _construction_completed(known)
    if not known.surveys:
        raise NotSurveyed(known)
    require_feasible(known)
    require_timely(known, ctx, (min(moment for moment, _ in known.surveys), "the survey"))
    return as_told(ctx, DesignApproved(drawing_digest))


def approve_on_site(
    case: Connection, ctx: CommandContext, *, visit: UUID, squad: str, drawing_digest: str
) -> tuple[Fact, ...]:
    """The squad surveyed, designed and approved at the door, and construction starts at once.

    Refuses ``not-admitted``, ``no-such-visit``, ``visit-over`` (cancelled, or made before it), ``other-squad``,
    ``not-feasible``, ``construction-started`` and what every fact of the field may be refused for.
    """
    known = under_way(case, ctx, "approve-on-site")
    admitted = require_admitted(known)
    booked = the_visit(known, visit)
    if booked.squad != squad:
        raise OtherSquad(squad, booked)
    if booked.cancelled or (booked.made is not None and booked.made.at < ctx.happened_at):
        raise VisitOver(
            found=f"visit {visit}, which was {('cancelled' if booked.cancelled else 'made before')}",
            needed="a visit that is under way",
        )
    require_feasible(known)
    _require_not_started(known)
    require_timely(known, ctx, (admitted, "the admission"), (booked.begin, "the visit's beginning"))
    approved, started = ApprovedOnSite(visit, squad, drawing_digest), ConstructionStarted(squad)
    return as_told(ctx, approved), as_told(ctx, started)


# ---- construction and final inspection


def start_construction(case: Connection, ctx: CommandContext, *, crew: str) -> ConstructionStarted:
    """Work begins on site. Refuses ``not-admitted``, ``not-feasible``, ``not-designed``, ``not-contracted``,
    ``not-paid``, ``construction-started``, ``unknown-crew`` for who is neither a crew that was formed nor a squad."""
    known = under_way(case, ctx, "construct")
    admitted = require_admitted(known)
    _require_not_started(known)
    require_feasible(known)
    if known.design is None:
        raise NotDesigned(known)
    require_contract(known)
    require_paid(known)
    require_timely(known, ctx, (admitted, "the admission"), (known.design, "the design"))
    return as_told(ctx, ConstructionStarted(crew, require_formed(ctx, crew, also=ctx.standard.crews.squads)))


def complete_construction(case: Connection, ctx: CommandContext) -> ConstructionCompleted:
    """The pipe is laid; again after a failed inspection. Refuses ``construction-not-started``,
    ``construction-completed``."""
    known = under_way(case, ctx, "construct")
    if known.construction_started is None:
        raise ConstructionNotStarted(known)
    failed = bool(known.inspections) and not known.inspected
    if known.construction_completed is not None and not failed:
        raise _construction_completed(known)
    require_timely(known, ctx, (known.construction_started, "the start of construction"))
    return as_told(ctx, ConstructionCompleted())


def inspect(case: Connection, ctx: CommandContext, *, passed: bool, defects: Sequence[str]) -> FinalInspectionMade:
    """Final inspection (验收). Refuses ``construction-not-completed``, ``already-inspected``, ``unknown-defect``,
    ``defects-do-not-match`` (failed without a defect, passed with one), ``named-twice``."""
    known = under_way(case, ctx, "inspect")
    if known.construction_completed is None:
        raise ConstructionNotCompleted(known)
    if known.inspected:
        raise AlreadyInspected(known)
    require_timely(known, ctx, (known.construction_completed, "the end of construction"))
    require_codes(UnknownDefect, defects, ctx.standard.connection.inspection_defects)
    require_once(NamedTwice, defects)
    if passed == bool(defects):
        raise DefectsDoNotMatch(passed, defects)
    return as_told(ctx, FinalInspectionMade(passed, tuple(defects)))


# ---- meters, and water


def install_meter(case: Connection, ctx: CommandContext, *, point: int, meter: MeterDetails) -> MeterInstalled:
    """A verified meter is in, free of charge. Refuses ``not-admitted``, ``no-such-supply-point``, ``already-on``,
    ``meter-already-installed``, ``meter-not-verified``."""
    known = under_way(case, ctx, "install-meter")
    admitted = require_admitted(known)
    require_point(known, point)
    if point in known.meters:
        raise _meter_already_installed(known, point)
    require_timely(known, ctx, (admitted, "the admission"))
    require_number(ctx.standard, "meter", meter.number)
    _require_verified(meter, ctx)
    return as_told(ctx, MeterInstalled(point, meter))


def replace_meter(
    case: Connection,
    ctx: CommandContext,
    *,
    point: int,
    final_reading_m3: Decimal,
    meter: MeterDetails,
    reason: str,
) -> MeterReplaced:
    """Another verified meter in place of the one that is in, before water is on or at any time after; free of charge.

    What the old dial showed is a fact of the field: a reading below the one it was put in with is flagged, not refused
    (a dial starts anew). Refuses ``no-such-supply-point``, ``meter-missing``, ``meter-already-installed`` (the same),
    ``meter-not-verified``, ``unknown-replacement-reason`` and dates before the receipt.
    """
    known = under_way(case, ctx, "replace-meter")
    old = known.meters.get(point)
    if old is None:
        require_point(known, point)
        raise _meter_missing(known, point)
    if old.number == meter.number:
        raise _meter_already_installed(known, point)
    require_timely(known, ctx, (known.admitted, "the admission"))
    require_known(UnknownReplacementReason, reason, ctx.standard.metering.meter_replacements)
    require_number(ctx.standard, "meter", meter.number)
    _require_verified(meter, ctx)
    flags = ("final-below-initial",) if final_reading_m3 < old.initial_reading_m3 else ()
    return as_told(ctx, MeterReplaced(point, old.number, final_reading_m3, meter, reason, flags))


def verify_meter(
    case: Connection,
    ctx: CommandContext,
    *,
    point: int,
    number: str,
    verified_on: date,
    expires_on: date,
    q3_m3h: Decimal | None,
) -> MeterVerified:
    """The meter that is in was verified again, or its Q3 became known (None: as it was); free of charge.

    Refuses ``no-such-supply-point``, ``meter-missing``, ``meter-already-installed`` (another one),
    ``verification-unchanged``, ``meter-to-be-replaced`` (such a meter is verified once), ``meter-not-verified`` and
    dates before the receipt.
    """
    known = under_way(case, ctx, "replace-meter")
    old = known.meters.get(point)
    if old is None:
        require_point(known, point)
        raise _meter_missing(known, point)
    if old.number != number:
        raise _meter_already_installed(known, point)
    require_timely(known, ctx, (known.admitted, "the admission"))
    meter = replace(old, verified_on=verified_on, expires_on=expires_on, q3_m3h=q3_m3h or old.q3_m3h)
    if meter == old:
        raise VerificationUnchanged(old)
    if verified_on != old.verified_on:
        if verification(meter, ctx.standard).replaced:
            raise MeterToBeReplaced(old)
        _require_verified(meter, ctx)
    return as_told(ctx, MeterVerified(point, number, meter.verified_on, meter.expires_on, meter.q3_m3h))


def turn_water_on(case: Connection, ctx: CommandContext, *, point: int, meter: MeterDetails | None) -> tuple[Fact, ...]:
    """Water on at one supply point, behind a meter whose forced verification is valid, by its certificate and by the
    periods of the standard. ``meter``: where it goes in at the same time; None where it is in.

    Refuses ``not-admitted``, ``no-such-supply-point``, ``already-on``, ``papers-missing`` (every required document must
    be in), ``not-contracted``, ``not-paid``, ``not-inspected``, ``meter-missing``, ``meter-already-installed`` (another
    one), ``meter-not-verified``, and dates before the admission, the inspection or the last document.
    """
    known = under_way(case, ctx, "turn-water-on")
    admitted = require_admitted(known)
    require_point(known, point)
    lacking = missing(known, standard_of(known, ctx.rules))
    if lacking:
        raise papers_missing(known, lacking)
    require_contract(known)
    require_paid(known)
    require_timely(known, ctx, (admitted, "the admission"), (_inspected_at(known), "the final inspection"))
    for owed in requirements(known, ctx.rules):
        require_timely(known, ctx, (known.supplied_since(owed.code), f"the document {owed.code}"))
    measuring = _measuring(known, point, meter)
    if point not in known.meters:
        require_number(ctx.standard, "meter", measuring.number)
    _require_verified(measuring, ctx)
    on = _on(known, point, measuring, ctx.standard)
    told = as_told(ctx, on)
    return (told,) if point in known.meters else (as_told(ctx, MeterInstalled(point, measuring)), told)


def _on(case: Connection, point: int, meter: MeterDetails, standard: Standard) -> WaterTurnedOn:
    place = case.points[point - 1] if case.points else SupplyPoint("", {})
    return WaterTurnedOn(
        point=point,
        subject=case.subject,
        meter=meter,
        contract=case.contract.contract if case.contract is not None else None,
        address_code=place.address_code or None,
        usage_split=place.usage_split,
        household_size=place.household_size,
        price_version=standard.connection.price_version or None,
    )


def _inspected_at(case: Connection) -> Moment:
    if not case.inspected:
        raise NotInspected(case)
    return max(case.inspections)[0]


def _measuring(case: Connection, point: int, given: MeterDetails | None) -> MeterDetails:
    """The meter that will measure the point: the one that is in, or the one that goes in now."""
    installed = case.meters.get(point)
    if installed is None and given is None:
        raise _meter_missing(case, point)
    if installed is not None and given is not None and given.number != installed.number:
        raise _meter_already_installed(case, point)
    found = installed or given
    assert found is not None
    return found


def _meter_missing(case: Connection, point: int) -> Refusal:
    return MeterMissing(point, case)


def _meter_already_installed(case: Connection, point: int) -> Refusal:
    return MeterAlreadyInstalled(point, case)


def _require_verified(meter: MeterDetails, ctx: CommandContext) -> None:
    day = local_date(ctx.happened_at)
    if not is_verified(meter, ctx.standard, day):
        raise MeterNotVerified(meter, day, verification(meter, ctx.standard))


def _require_not_started(case: Connection) -> None:
    if case.construction_started is not None:
        raise ConstructionHasStarted(case, case.construction_started)


def _construction_completed(case: Connection) -> Refusal:
    return ConstructionIsCompleted(case)

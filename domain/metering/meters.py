"""Meters: one stream for each meter body, so that a meter is never in service at two supply points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseId, CaseNumber, PointNumber
from domain.metering.refusals import MeterAlreadyInService, MeterNotInService


@dataclass(frozen=True, slots=True)
class MeterDetails:
    """A meter as billing needs it. Volumes in m³; the verification dates are civil days."""

    number: CaseNumber
    body_code: Annotated[str, "Mark on the meter's body."]
    dn_mm: Annotated[int, "Nominal diameter in millimetres."]
    verified_on: Annotated[date, "Day of the verification."]
    expires_on: Annotated[date, "Day on which the verification ends."]
    initial_reading_m3: Annotated[Decimal, "Reading at installation, in m³."]
    dial_max_m3: Annotated[int, "Largest reading that the dial can show, in m³."]
    q3_m3h: Annotated[Decimal | None, "Permanent flow rate Q3 in m³/h; null where it is not recorded."] = None


@fact("水表启用", "meter in service", topic="usage")
class MeterPutIntoService:
    """The meter measures that supply point from now on."""

    number: CaseNumber
    case_id: CaseId
    point: PointNumber


@fact("水表拆除", "meter taken out", topic="usage")
class MeterTakenOut:
    """The meter measures that supply point no longer; it may go in elsewhere. ``final_reading_m3``: what it showed."""

    number: CaseNumber
    case_id: CaseId
    point: PointNumber
    final_reading_m3: Annotated[Decimal, "Last reading of the meter that was taken out, in m³."]


@dataclass(frozen=True, slots=True)
class Meter:
    """Where the meter is in service, or was last (``out``); None before its first use."""

    number: str
    case_id: UUID
    point: int
    out: bool = False


def put_into_service(meter: Meter | None, *, number: str, case_id: UUID, point: int) -> MeterPutIntoService:
    """Take the meter into service. Refuses ``meter-already-in-service``."""
    if meter is not None and not meter.out:
        raise MeterAlreadyInService(number, meter)
    return MeterPutIntoService(number, case_id, point)


def take_out(
    meter: Meter | None, *, number: str, case_id: UUID, point: int, final_reading_m3: Decimal
) -> MeterTakenOut:
    """Take the meter out of service. Refuses ``meter-not-in-service`` where it is not in at that supply point."""
    if meter is None or meter.out or (meter.case_id, meter.point) != (case_id, point):
        raise MeterNotInService(number, case_id, point)
    return MeterTakenOut(number, case_id, point, final_reading_m3)


def evolve(meter: Meter | None, recorded: Recorded) -> Meter | None:
    """The meter after a fact of its stream."""
    match recorded.fact:
        case MeterPutIntoService(number, case_id, point):
            return Meter(number, case_id, point)
        case MeterTakenOut(number, case_id, point):
            return Meter(number, case_id, point, out=True)
        case _:
            return meter

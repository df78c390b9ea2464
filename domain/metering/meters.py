"""Meters: one stream for each meter body, so that a meter is never in service at two supply points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from domain.kernel.facts import Recorded, fact
from domain.metering.refusals import MeterAlreadyInService, MeterNotInService


@dataclass(frozen=True, slots=True)
class MeterDetails:
    """A meter as billing needs it. Volumes in m³; the verification dates are civil days."""

    number: str
    body_code: str
    dn_mm: int
    verified_on: date
    expires_on: date
    initial_reading_m3: Decimal
    dial_max_m3: int


@fact("水表启用", "meter in service", topic="usage")
class MeterPutIntoService:
    """The meter measures that supply point from now on."""

    number: str
    case_id: UUID
    point: int


@fact("水表拆除", "meter taken out", topic="usage")
class MeterTakenOut:
    """The meter measures that supply point no longer; it may go in elsewhere. ``final_reading_m3``: what it showed."""

    number: str
    case_id: UUID
    point: int
    final_reading_m3: Decimal


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

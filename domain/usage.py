"""Meters: one stream for each meter body, so that a meter is never in service at two supply points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from domain.facts import Recorded
from domain.refusals import Refusal


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


@dataclass(frozen=True, slots=True)
class MeterPutIntoService:
    """The meter measures that supply point from now on."""

    number: str
    case_id: UUID
    point: int


MeterFact = MeterPutIntoService
FACTS: tuple[type, ...] = (MeterPutIntoService,)


@dataclass(frozen=True, slots=True)
class Meter:
    """Where the meter is in service; None before its first use."""

    number: str
    case_id: UUID
    point: int


def put_into_service(meter: Meter | None, *, number: str, case_id: UUID, point: int) -> MeterPutIntoService:
    """Take the meter into service. Refuses ``meter-already-in-service``."""
    if meter is not None:
        raise Refusal(
            "meter-already-in-service",
            found=f"meter {number} at supply point {meter.case_id}/{meter.point}",
            needed="a meter that is not in service",
            next_step="check the number on the meter's body; take the other one out of service first if it was moved",
            next_step_zh="请核对表身编号；如确已移装，请先办理原点拆表",
        )
    return MeterPutIntoService(number, case_id, point)


def evolve(meter: Meter | None, recorded: Recorded) -> Meter | None:
    """The meter after a fact of its stream."""
    match recorded.fact:
        case MeterPutIntoService(number, case_id, point):
            return Meter(number, case_id, point)
        case _:
            return meter

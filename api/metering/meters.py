"""Meters in service whose verification has run out or soon will 检定到期水表."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http import described
from api.http.answers import COMMAND_ERRORS
from api.http.caller import CallerDep, context_now
from api.http.dependencies import Limit, ServiceDep
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain.deadlines.calendar import local_date
from domain.metering.readings import require_looker
from infra.meter_verifications import meters_ending

router = APIRouter(prefix="/api/v1/meters", tags=["meters 水表"], route_class=StrictRoute, responses=COMMAND_ERRORS)
DAYS = 60
"""How far ahead is looked where the standard says nothing."""


class MeterEnding(BaseModel):
    """A meter in service whose verification has run out or soon will."""

    meter: described.MeterNumber
    case_id: Annotated[UUID, Field(description="Id of the connection that put the meter in.")]
    point: Annotated[int, Field(description="Number of the supply point in its case, from 1.")]
    dn_mm: Annotated[int, Field(description="Nominal diameter in millimetres.")]
    q3_m3h: Annotated[
        Decimal | None, Field(description="Permanent flow rate Q3 in m³/h; null where it is not recorded.")
    ]
    verified_on: Annotated[date, Field(description="Day of the verification.")]
    expires_on: Annotated[date, Field(description="Day on which it ends by the certificate.")]
    ends_on: Annotated[
        date, Field(description="Last day of the verification, by the certificate and by the standard in force.")
    ]
    expired: Annotated[bool, Field(description="Whether that day has passed.")]
    replaced: Annotated[
        bool, Field(description="Whether the meter is to be replaced; false: it is to be verified again.")
    ]


class MetersEnding(BaseModel):
    """The meters, the one that ends first first. The counts are of all of them; ``more`` where the limit cut some
    off."""

    at: described.AnsweredAt
    standard: described.StandardInForce
    days: Annotated[int, Field(description="How many days ahead was looked.")]
    basis: Annotated[list[str], Field(description="Codes of the articles of law in force that ask for it.")]
    expired: Annotated[int, Field(description="How many verifications have run out.")]
    ending: Annotated[int, Field(description="How many more end within the days.")]
    meters: Annotated[list[MeterEnding], Field(description="The meters, the one that ends first first.")]
    more: described.More


@router.get(
    "/verification",
    summary="Meters whose verification has run out or soon will 检定到期水表",
    openapi_extra=needs("readings.read"),
)
def verification(
    caller: CallerDep,
    service: ServiceDep,
    days: Annotated[int | None, Query(ge=0, le=3660, description="how far ahead; left out: the standard's")] = None,
    limit: Limit = 100,
) -> MetersEnding:
    require_looker(context_now(caller, service))
    now, rules = service.clock.now(), service.rules
    standard, today = rules.in_force(now), local_date(now)
    ahead = days if days is not None else standard.metering.meter_expiry_warning_days or DAYS
    with service.connection() as connection:
        rows = meters_ending(connection, standard, today, days=ahead, limit=limit + 1)
    yesterday = today - timedelta(days=1)
    return MetersEnding(
        at=now,
        standard=standard.version,
        days=ahead,
        basis=[each.code for each in rules.cited("rule", "meter.verification", now)],
        expired=rows[0]["expired"] if rows else 0,
        ending=rows[0]["ending"] if rows else 0,
        meters=[MeterEnding(**row | {"expired": row["ends_on"] <= yesterday}) for row in rows[:limit]],
        more=len(rows) > limit,
    )

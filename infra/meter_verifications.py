"""Which meters in service have a verification that has run out or soon will, by the standard in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import DictRow

from domain.deadlines.calendar import local_date
from domain.standard.standards import Rules, Standard
from infra.sql import sql


@dataclass(frozen=True, slots=True)
class MeterVerifications:
    """How many meters in service have a verification that has run out, and how many one that ends within ``days``."""

    expired: int
    ending: int
    days: int


def meters_ending(
    connection: psycopg.Connection[DictRow], standard: Standard, today: date, *, days: int, limit: int
) -> list[DictRow]:
    """Meters whose verification has run out or ends within ``days``, the first one first; every row has the counts of
    all of them, ``expired`` and ``ending``."""
    periods = standard.metering.meter_verification
    wanted: dict[str, Any] = {
        "dns": [period.dn_mm for period in periods],
        "q3s": [period.q3_m3h for period in periods],
        "years": [period.years for period in periods],
        "assumed": [period.q3_assumed for period in periods],
        "replaced": [period.replaced for period in periods],
        "today": today,
        "until": today + timedelta(days=days),
        "limit": limit,
    }
    return connection.execute(sql("meters_ending"), wanted).fetchall()


def meter_verifications(
    connection: psycopg.Connection[DictRow], rules: Rules, at: datetime
) -> MeterVerifications | None:
    """The counts by the standard in force; None where it watches no meters."""
    standard = rules.in_force(at)
    days = standard.metering.meter_expiry_warning_days
    if days is None:
        return None
    found = meters_ending(connection, standard, local_date(at), days=days, limit=1)
    return (
        MeterVerifications(found[0]["expired"], found[0]["ending"], days) if found else MeterVerifications(0, 0, days)
    )

"""What the utility can count about its own service, from the read models of connections, visits, works and repairs.

Every number is a count of ours. Applications belong to the period in which they were received; visits, consultations
and works to the one in which they were made, asked for and completed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import psycopg
from psycopg.rows import DictRow

from domain.deadlines.calendar import LOCAL
from domain.outages.index import Spell, index_minutes, lost_minutes
from infra.sql import sql
from projections.reports.repair_figures import RepairFigures, repair_figures

ONLINE = ("website", "wechat")
"""The channels that are counted as online 线上."""


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """One channel's commitments to supply papers, and the trips its applicants had to make.

    ``kept_percent`` is of the commitments that were decided; None while none was.
    """

    channel: str
    made: int
    kept: int
    broken: int
    repaired: int
    kept_percent: float | None
    no_trip: int
    one_trip: int
    more_trips: int
    too_many_trips: int


@dataclass(frozen=True, slots=True)
class WorksFigures:
    """The works of one kind; communities and households of the completed ones."""

    kind: str
    registered: int
    completed: int
    communities: int
    households: int


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """Outages whose water went off in the period (``cancelled``: that was to), and the outage index.

    ``lost_minutes`` is Σ(duration × users) within the period, whenever the outage began; ``index_minutes`` is that for
    each of the ``customers``, an estimate of the standard's, and None where the standard does not say how many.
    """

    planned: int
    emergency: int
    cancelled: int
    noticed: int
    affected_users: int
    water_litres: int
    lost_minutes: int
    customers: int | None
    index_minutes: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """A time in minutes: half were done within the median, nine in ten within p90. None while there is none."""

    median: int | None
    p90: int | None


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """All figures of a period; days in China, both included, None: no bound.

    ``on_time_percent`` is of the applications with water on everywhere. ``gross`` is from receipt to water on, ``net``
    from admission less approved pauses. Amounts are fen, reversals taken off.
    """

    first: date | None
    last: date | None
    applications: int
    by_category: Mapping[str, int]
    by_channel: Mapping[str, int]
    online: int
    by_basis: Mapping[str, int]
    by_outcome: Mapping[str, int]
    home_visits: int
    users_visited: int
    papers_outstanding: int
    papers_outstanding_at_home: int
    outstanding_declined: int
    approved_on_site: int
    channels: tuple[ChannelFigures, ...]
    consultations: int
    preservices: int
    preservices_given: int
    works: tuple[WorksFigures, ...]
    water_on: int
    on_time: int
    on_time_percent: float | None
    lapsed: int
    gross: Spread
    net: Spread
    pauses: Mapping[str, int]
    charges_refused: int
    further_requests_refused: int
    quoted_fen: int
    paid_fen: int
    refunded_fen: int
    repairs: RepairFigures
    outages: OutageFigures


def bounds(first: date | None, last: date | None) -> dict[str, datetime | None]:
    """The instants from which and until which a period of days in China runs, as the queries take them."""
    return {
        "since": _midnight(first) if first is not None else None,
        "until": _midnight(last + timedelta(days=1)) if last is not None else None,
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0, 0), LOCAL)


def figures(
    connection: psycopg.Connection[DictRow],
    first: date | None = None,
    last: date | None = None,
    *,
    at: datetime | None = None,
    customers: int | None = None,
) -> PeriodFigures:
    """Count the period. The queries run one after the other: inside a repeatable-read transaction they agree.

    ``at``: until when an outage that lasts counts (None: it does not count yet); ``customers`` of the outage index.
    """
    period = bounds(first, last)

    def rows(name: str) -> list[Any]:
        return connection.execute(sql(name), period).fetchall()

    applications = rows("figures_applications")
    by_channel = _sums(applications, "channel")
    (service,), (visits,), (ahead,) = rows("figures_service"), rows("figures_visits"), rows("figures_ahead")
    return PeriodFigures(
        first=first,
        last=last,
        applications=sum(row["applications"] for row in applications),
        by_category=_sums(applications, "category"),
        by_channel=by_channel,
        online=sum(by_channel.get(channel, 0) for channel in ONLINE),
        by_basis=_sums(applications, "basis"),
        by_outcome=_sums(rows("figures_outcomes"), "outcome"),
        home_visits=visits["visits"],
        users_visited=visits["users"],
        channels=tuple(_channel(row) for row in rows("figures_channels")),
        works=tuple(_works(row) for row in rows("figures_works")),
        on_time_percent=_percent(service["on_time"], service["water_on"]),
        gross=_spread(service, "gross"),
        net=_spread(service, "net"),
        outages=_outages(connection, period, at, customers),
        pauses={row["reason"]: row["pauses"] for row in rows("figures_pauses")},
        repairs=repair_figures(connection, period),
        **ahead,
        **{name: service[name] for name in AS_COUNTED},
    )


AS_COUNTED = (
    "papers_outstanding",
    "papers_outstanding_at_home",
    "outstanding_declined",
    "approved_on_site",
    "water_on",
    "on_time",
    "lapsed",
    "charges_refused",
    "further_requests_refused",
    "quoted_fen",
    "paid_fen",
    "refunded_fen",
)
"""The columns of ``figures_service`` that are figures as they stand."""


def _outages(
    connection: psycopg.Connection[DictRow],
    period: Mapping[str, datetime | None],
    at: datetime | None,
    customers: int | None,
) -> OutageFigures:
    rows = connection.execute(sql("figures_outage_spells"), period).fetchall()
    spells = [
        Spell(row["started_at"], row["restored_at"] or at or row["started_at"], row["affected_users"]) for row in rows
    ]
    lost = lost_minutes(spells, first=period["since"], last=period["until"])
    index = index_minutes(lost, customers)
    (counted,) = connection.execute(sql("figures_outages"), period).fetchall()
    return OutageFigures(
        lost_minutes=round(lost),
        customers=customers,
        index_minutes=None if index is None else round(index, 3),
        **counted,
    )


def _sums(rows: Iterable[Mapping[str, Any]], column: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row[column]] += row["applications"]
    return dict(sorted(counts.items()))


def _channel(row: Mapping[str, Any]) -> ChannelFigures:
    kept, broken = row["kept"], row["broken"]
    return ChannelFigures(kept_percent=_percent(kept, kept + broken), **row)


def _works(row: Mapping[str, Any]) -> WorksFigures:
    return WorksFigures(row["kind"], row["works"], row["completed"], row["communities"], row["households"])


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _spread(row: Mapping[str, Any], name: str) -> Spread:
    median, p90 = row[f"{name}_median"], row[f"{name}_p90"]
    return Spread(*(round(value) if value is not None else None for value in (median, p90)))

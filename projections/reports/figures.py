"""What the utility can count about its own service, from the read models of connections, visits, works and repairs.

Every number is a count of ours. Applications belong to the period in which they were received; visits, consultations
and works to the one in which they were made, asked for and completed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

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

    channel: Annotated[str, "The channel over which was applied, as a code of the standard."]
    made: Annotated[int, "How many promises to supply papers later were made."]
    kept: Annotated[int, "How many of them were kept."]
    broken: Annotated[int, "How many of them were broken, also those that were made good."]
    repaired: Annotated[int, "How many of the broken ones were made good."]
    kept_percent: Annotated[float | None, "Percent kept of those that are decided; null while none is."]
    no_trip: Annotated[int, "Applicants who never had to come."]
    one_trip: Annotated[int, "Applicants who had to come once."]
    more_trips: Annotated[int, "Applicants who had to come more than once."]
    too_many_trips: Annotated[int, "Applicants who had to come more often than was promised."]


@dataclass(frozen=True, slots=True)
class WorksFigures:
    """The works of one kind; communities and households of the completed ones."""

    kind: Annotated[str, "Kind of work, as a code of the standard."]
    registered: Annotated[int, "How many works there are."]
    completed: Annotated[int, "How many of them are done."]
    communities: Annotated[int, "How many communities the completed ones are for."]
    households: Annotated[int, "How many households the completed ones serve."]


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """Outages whose water went off in the period (``cancelled``: that was to), and the outage index.

    ``lost_minutes`` is Σ(duration × users) within the period, whenever the outage began; ``index_minutes`` is that for
    each of the ``customers``, an estimate of the standard's, and None where the standard does not say how many.
    """

    planned: Annotated[int, "How many planned outages there were."]
    emergency: Annotated[int, "How many outages were because of an incident."]
    unannounced: Annotated[int, "How many outages came without a plan and without a known incident."]
    cancelled: Annotated[int, "How many planned outages that were to begin in the period were cancelled."]
    noticed: Annotated[int, "How many outages whose water went off the users were told of."]
    affected_users: Annotated[int, "Users without water, summed over the outages whose water went off."]
    water_litres: Annotated[int, "How much water was handed out, in litres."]
    lost_minutes: Annotated[int, "Σ(minutes without water × users) within the period, whenever the outage began."]
    customers: Annotated[
        int | None, "Customers of the utility, an estimate of the standard's; null where it does not say."
    ]
    index_minutes: Annotated[
        float | None,
        "Minutes without water for each customer; null where the standard does not say how many there are.",
    ]


@dataclass(frozen=True, slots=True)
class Spread:
    """A time in minutes: half were done within the median, nine in ten within p90. None while there is none."""

    median: Annotated[int | None, "Minutes within which half were done; null while none is."]
    p90: Annotated[int | None, "Minutes within which nine in ten were done; null while none is."]


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """All figures of a period; days in China, both included, None: no bound.

    ``on_time_percent`` is of the applications with water on everywhere. ``gross`` is from receipt to water on, ``net``
    from admission less approved pauses. Amounts are fen, reversals taken off.
    """

    first: Annotated[date | None, "First day of the period in China; null: no bound."]
    last: Annotated[date | None, "Last day of the period in China, included; null: no bound."]
    applications: Annotated[int, "How many applications were received."]
    by_category: Annotated[Mapping[str, int], "Category of the applicant → applications."]
    by_channel: Annotated[Mapping[str, int], "Channel → applications."]
    online: Annotated[int, "How many applications came over the online channels."]
    by_basis: Annotated[Mapping[str, int], "Why it was admitted, or not-admitted → applications."]
    by_outcome: Annotated[Mapping[str, int], "What became of it: water_on, how it stopped, or open → applications."]
    home_visits: Annotated[int, "How many home visits were made in the period."]
    users_visited: Annotated[int, "How many applications they were for."]
    papers_outstanding: Annotated[int, "How many applications were admitted with papers outstanding."]
    papers_outstanding_at_home: Annotated[int, "How many of these had a home visit."]
    outstanding_declined: Annotated[int, "How many applicants wanted no papers outstanding."]
    approved_on_site: Annotated[int, "How many were surveyed, designed and approved at the door."]
    channels: Annotated[tuple[ChannelFigures, ...], "The figures of each channel."]
    consultations: Annotated[int, "How many consultations there were."]
    preservices: Annotated[int, "How many services before building were asked for."]
    preservices_given: Annotated[int, "How many of them were given."]
    works: Annotated[tuple[WorksFigures, ...], "The figures of each kind of work for the community."]
    water_on: Annotated[int, "How many applications have water everywhere."]
    on_time: Annotated[int, "How many of these had it in time."]
    on_time_percent: Annotated[float | None, "Percent in time of those with water everywhere; null while none has."]
    lapsed: Annotated[int, "How many applications have a lapse that stands."]
    gross: Annotated[Spread, "Minutes from receipt to water on everywhere."]
    net: Annotated[Spread, "Minutes from admission to water on everywhere, less approved pauses."]
    pauses: Annotated[Mapping[str, int], "Reason → pauses that were approved and not revoked."]
    charges_refused: Annotated[int, "How many charges were asked for and refused."]
    further_requests_refused: Annotated[
        int, "How many requests for papers were refused, since they had to be asked the first time."
    ]
    quoted_fen: Annotated[int, "What was quoted, in fen."]
    paid_fen: Annotated[int, "What was paid, in fen, reversals taken off."]
    refunded_fen: Annotated[int, "What was refunded, in fen, reversals taken off."]
    repairs: Annotated[RepairFigures, "The figures of repairs."]
    outages: Annotated[OutageFigures, "The figures of outages."]


def bounds(first: date | None = None, last: date | None = None) -> dict[str, datetime | None]:
    """The instants from which and until which a period of days in China runs, as the queries take them."""
    return {
        "since": midnight(first) if first is not None else None,
        # The last day that there is has none behind it: no bound.
        "until": midnight(last + timedelta(days=1)) if last is not None and last < date.max else None,
    }


def midnight(day: date) -> datetime:
    """When the day begins in China."""
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
        on_time_percent=percent(service["on_time"], service["water_on"]),
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
    return ChannelFigures(kept_percent=percent(kept, kept + broken), **row)


def _works(row: Mapping[str, Any]) -> WorksFigures:
    return WorksFigures(row["kind"], row["works"], row["completed"], row["communities"], row["households"])


def percent(part: int, whole: int) -> float | None:
    """The part in per cent of the whole, to one digit; None of nothing."""
    return round(100 * part / whole, 1) if whole else None


def _spread(row: Mapping[str, Any], name: str) -> Spread:
    median, p90 = row[f"{name}_median"], row[f"{name}_p90"]
    return Spread(*(round(value) if value is not None else None for value in (median, p90)))

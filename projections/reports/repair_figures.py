"""What the utility can count about its repairs: by channel and kind, and its promises by first and by final class.

An incident belongs to the period in which it was first reported. A verdict is ``late`` where any lapse of the promise
stands, also one that a later class would have saved; else it is how the window stands. A repair that was classed twice
counts under both classes, in columns of their own: reclassifying moves no lapse out of sight (our decision).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow

from infra.sql import sql

CLASSES = ("small", "medium", "major", "unassessed")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How often a promise was kept. ``on_time_percent`` is of those that are decided: on time and late; None while
    there is none. ``no_limit``: no end is owed (any longer). ``unknown``: imported history does not tell."""

    on_time: int
    late: int
    running: int
    no_limit: int
    unknown: int
    on_time_percent: float | None


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class of repair: how many incidents had it first and have it at last, and how the promise to complete was
    kept by each. Minutes from the first report to the completion, by the final class."""

    severity: str
    first: int
    final: int
    by_first: Verdicts
    by_final: Verdicts
    median_minutes: int | None
    p90_minutes: int | None


@dataclass(frozen=True, slots=True)
class RepairFigures:
    """All figures of repairs. ``reclassified``: the final class is another than the first."""

    incidents: int
    reports: int
    open: int
    by_channel: Mapping[str, int]
    by_kind: Mapping[str, int]
    by_district: Mapping[str, int]
    reclassified: int
    arrival: Verdicts
    arrival_median_minutes: int | None
    arrival_p90_minutes: int | None
    classes: tuple[ClassFigures, ...]
    answers: Verdicts
    orders: int
    orders_replied: Verdicts


FigureRow = Mapping[str, Any]


def repair_figures(connection: psycopg.Connection[DictRow], period: Mapping[str, datetime | None]) -> RepairFigures:
    """Count the period."""
    rows = connection.execute(sql("figures_incidents"), period).fetchall()
    spans = {row["severity"]: row for row in connection.execute(sql("figures_completion_minutes"), period)}
    (arrivals,) = connection.execute(sql("figures_arrival_minutes"), period).fetchall()
    orders = connection.execute(sql("figures_orders"), period).fetchall()
    return RepairFigures(
        incidents=_count(rows),
        reports=sum(row["reports"] for row in rows),
        open=_count(row for row in rows if row["open"]),
        by_channel=_by(rows, "channel"),
        by_kind=_by(rows, "kind"),
        by_district=_by(rows, "district"),
        reclassified=_count(row for row in rows if row["first_severity"] != row["severity"]),
        arrival=verdicts(rows, "arrival"),
        arrival_median_minutes=_rounded(arrivals["median"]),
        arrival_p90_minutes=_rounded(arrivals["p90"]),
        classes=tuple(_class(severity, rows, spans.get(severity)) for severity in CLASSES),
        answers=verdicts([row for row in rows if row["answer"] is not None], "answer"),
        orders=_count(orders),
        orders_replied=verdicts(orders, "reply"),
    )


def verdicts(rows: Iterable[FigureRow], column: str) -> Verdicts:
    """The verdicts in a column of grouped rows."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row[column]] += row["cases"]
    decided = found["on_time"] + found["late"]
    return Verdicts(
        on_time=found["on_time"],
        late=found["late"],
        running=found["running"],
        no_limit=found["cancelled"],
        unknown=found["unknown"],
        on_time_percent=round(100 * found["on_time"] / decided, 1) if decided else None,
    )


def _class(severity: str, rows: list[DictRow], span: FigureRow | None) -> ClassFigures:
    def of(column: str) -> list[DictRow]:
        return [row for row in rows if row[column] == severity]

    return ClassFigures(
        severity=severity,
        first=_count(of("first_severity")),
        final=_count(of("severity")),
        by_first=verdicts(of("first_severity"), "completion"),
        by_final=verdicts(of("severity"), "completion"),
        median_minutes=_rounded(span["median"]) if span is not None else None,
        p90_minutes=_rounded(span["p90"]) if span is not None else None,
    )


def _by(rows: Iterable[FigureRow], column: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in rows:
        found[row[column]] += row["cases"]
    return dict(sorted(found.items()))


def _count(rows: Iterable[FigureRow]) -> int:
    return sum(row["cases"] for row in rows)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)

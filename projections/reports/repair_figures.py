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
from typing import Annotated, Any

import psycopg
from psycopg.rows import DictRow

from infra.sql import sql

CLASSES = ("small", "medium", "major", "unassessed")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How often a promise was kept. ``on_time_percent`` is of those that are decided: on time and late; None while
    there is none. ``no_limit``: no end is owed (any longer). ``unknown``: imported history does not tell."""

    on_time: Annotated[int, "How often it was kept."]
    late: Annotated[int, "How often it lapsed, whatever came after."]
    running: Annotated[int, "How often it is not decided yet."]
    no_limit: Annotated[int, "How often no end is owed, or not any longer."]
    unknown: Annotated[int, "How often imported history does not tell."]
    on_time_percent: Annotated[float | None, "Percent kept of those that are decided; null while none is."]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class of repair: how many incidents had it first and have it at last, and how the promise to complete was
    kept by each. Minutes from the first report to the completion, by the final class."""

    severity: Annotated[str, "Class of the repair: small, medium or major; or unassessed."]
    first: Annotated[int, "How many incidents had the class first."]
    final: Annotated[int, "How many incidents have it at last."]
    by_first: Annotated[Verdicts, "How the promise to complete was kept, of those that had the class first."]
    by_final: Annotated[Verdicts, "How the promise to complete was kept, of those that have it at last."]
    median_minutes: Annotated[
        int | None,
        "Minutes from the first report to the end of the repair, within which half were done; of a "
        "major repair until water flows; null where none was done.",
    ]
    p90_minutes: Annotated[
        int | None, "The same minutes, within which nine in ten were done; null where none was done."
    ]


@dataclass(frozen=True, slots=True)
class RepairFigures:
    """All figures of repairs. ``reclassified``: the final class is another than the first."""

    incidents: Annotated[int, "How many incidents began in the period; what was merged is counted where it goes on."]
    reports: Annotated[int, "How many reports they have."]
    open: Annotated[int, "How many of them are still open."]
    by_channel: Annotated[Mapping[str, int], "Channel → incidents."]
    by_kind: Annotated[Mapping[str, int], "Kind of fault → incidents."]
    by_district: Annotated[Mapping[str, int], "Code of the district → incidents."]
    reclassified: Annotated[int, "How many have another class at last than first."]
    arrival: Annotated[Verdicts, "How the promise to be on site was kept."]
    arrival_median_minutes: Annotated[
        int | None, "Minutes to a crew on site, within which half were; null where none was."
    ]
    arrival_p90_minutes: Annotated[
        int | None, "Minutes to a crew on site, within which nine in ten were; null where none was."
    ]
    classes: Annotated[tuple[ClassFigures, ...], "The figures of each class of repair."]
    answers: Annotated[Verdicts, "How the promise to tell reporters was kept."]
    orders: Annotated[int, "How many orders of other bodies came in the period."]
    orders_replied: Annotated[Verdicts, "How the promise to reply to them was kept."]


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

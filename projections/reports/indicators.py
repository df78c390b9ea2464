"""The indicators that a utility reports: getting water 获得用水, repairs, readings, complaints, outages; for each month
and district, from the read models.

A case belongs to the month in which it began, in China. One that names several districts counts in each of them and
once in the whole city, so the districts need not add up. Percentages are of what is decided: on time and late; a lapse
that stands is late whatever came after it (our decision, as in ``figures``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg.rows import DictRow

from domain.kernel.facts import Name
from domain.outages.index import Spell, index_minutes, lost_minutes
from domain.standard.standards import Rules, Standard
from infra.sql import sql
from projections.reports.figures import midnight, percent

Unit = Literal["cases", "percent", "days", "minutes", "trips", "yuan", "steps", "documents"]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator. ``cases``: the kind of case that it counts, whose list shows what is behind a number; None: there
    is no such list. ``by_district``: False where what it counts names no district."""

    code: str
    name: Name
    unit: Unit
    meaning: Name
    cases: str | None
    by_district: bool = True


INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "applications",
        Name("用水报装", "applications"),
        "cases",
        Name("当月收到的用水报装件数", "applications for water received in the month"),
        "connection",
    ),
    Indicator(
        "connection_on_time",
        Name("报装按时率", "water on in time"),
        "percent",
        Name("已全部通水的报装中按承诺时限通水的比例", "of those with water everywhere, how many had it in time"),
        "connection",
    ),
    Indicator(
        "connection_days",
        Name("获得用水时间", "time to water"),
        "days",
        Name(
            "自受理至全部通水、扣除经批准的暂停，中位数，日历日",
            "from admission to water on everywhere less approved pauses, the median, in days of 24 hours",
        ),
        "connection",
    ),
    Indicator(
        "connection_gross_days",
        Name("报装全程时间", "time from receipt to water"),
        "days",
        Name(
            "自收件至全部通水，中位数，日历日", "from receipt to water on everywhere, the median, in days of 24 hours"
        ),
        "connection",
    ),
    Indicator(
        "connection_steps",
        Name("报装环节", "steps"),
        "steps",
        Name(
            "月末施行标准规定的申请人环节数",
            "steps that an applicant takes, by the standard in force when the month ends",
        ),
        None,
        by_district=False,
    ),
    Indicator(
        "connection_documents",
        Name("报装材料", "documents"),
        "documents",
        Name(
            "月末施行标准规定的材料数，取各类申请人中最多者",
            "documents by the standard in force when the month ends, the most that any applicant needs",
        ),
        None,
        by_district=False,
    ),
    Indicator(
        "connection_trips",
        Name("申请人跑动次数", "trips of an applicant"),
        "trips",
        Name("平均每件报装申请人到场次数", "how often an applicant had to come, on average"),
        "connection",
    ),
    Indicator(
        "connection_cost",
        Name("报装费用", "cost of a connection"),
        "yuan",
        Name("已全部通水的报装平均实收（扣除退款）", "paid less refunds for those with water everywhere, on average"),
        "connection",
    ),
    Indicator(
        "incidents",
        Name("报修事件", "incidents"),
        "cases",
        Name("当月首次报修的事件数，已合并的不重复计", "incidents first reported in the month; merged ones count once"),
        "repair",
    ),
    Indicator(
        "arrival_on_time",
        Name("到场及时率", "on site in time"),
        "percent",
        Name("按承诺时限到场的比例", "how many had a crew on site in time"),
        "repair",
    ),
    Indicator(
        "arrival_minutes",
        Name("到场时间", "time to a crew on site"),
        "minutes",
        Name("自报修至到场，中位数", "from the report to a crew on site, the median"),
        "repair",
    ),
    Indicator(
        "completion_on_time",
        Name("修复及时率", "repaired in time"),
        "percent",
        Name("按小修、中修时限修复的比例（大修无时限）", "how many were repaired in time; a major repair has no limit"),
        "repair",
    ),
    Indicator(
        "answer_on_time",
        Name("回访及时率", "reporters told in time"),
        "percent",
        Name("按时限告知报修人结果的比例", "how many reporters were told in time what became of it"),
        "repair",
    ),
    Indicator(
        "outages",
        Name("停水次数", "outages"),
        "cases",
        Name("当月停水的次数（计划、抢修、未公告）", "outages whose water went off in the month, of every kind"),
        "outage",
    ),
    Indicator(
        "outages_noticed",
        Name("停水告知率", "outages told of"),
        "percent",
        Name("有通知的停水所占比例", "how many of the outages the users were told of"),
        "outage",
    ),
    Indicator(
        "outage_index",
        Name("停水指标", "outage index"),
        "minutes",
        Name("Σ（停水时长×户数）÷用户数，每户分钟", "Σ(duration × users) / customers, minutes for each customer"),
        "outage",
        by_district=False,
    ),
    Indicator(
        "rounds_on_time",
        Name("抄表按时率", "reading rounds in time"),
        "percent",
        Name("按期完成的抄表册所占比例", "how many reading rounds were read in time"),
        "book",
        by_district=False,
    ),
    Indicator(
        "orders_on_time",
        Name("工单回复及时率", "orders replied to in time"),
        "percent",
        Name(
            "12345 等转办工单按时回复的比例", "how many orders of other bodies, such as 12345, had their reply in time"
        ),
        "order",
        by_district=False,
    ),
    Indicator(
        "complaints",
        Name("投诉", "complaints"),
        "cases",
        Name("当月收到的投诉件数", "complaints made in the month"),
        None,
        by_district=False,
    ),
)
"""In the order of a report."""


@dataclass(frozen=True, slots=True)
class MonthOfPlace:
    """The indicators of one month, "2026-11", in one district (None: the whole city). Code → number in the indicator's
    unit; None where there is nothing to count it from. Indicators that name no district are of the whole city only."""

    month: str
    district: str | None
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Report:
    """Every month of the period, oldest first, the whole city before its districts. ``position``: the newest event of
    the store that the numbers hold."""

    position: int
    months: tuple[MonthOfPlace, ...]


def months_between(first: date, last: date) -> Iterator[date]:
    """The first day of each month from the one of ``first`` to the one of ``last``."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = after(month)


def after(month: date) -> date:
    """The first day of the next month."""
    return (month + timedelta(days=31)).replace(day=1)


def asked_of_applicants(standard: Standard) -> dict[str, float | None]:
    """How many steps and documents a standard asks for. None where it names none."""
    documents = [len(needed) for needed in standard.connection.documents.values()]
    return {
        "connection_steps": len(standard.connection.steps) or None,
        "connection_documents": max(documents, default=None),
    }


def indicators(
    connection: psycopg.Connection[DictRow], first: date, last: date, *, at: datetime, rules: Rules
) -> Report:
    """Count from the month of ``first`` to that of ``last``. Inside a repeatable-read transaction the queries agree.

    ``at``: now; until then an outage that lasts counts, and no standard counts that begins later. ``rules``: the
    standards, for what they ask of applicants and how many customers there are.
    """
    customers = rules.in_force(at).outages.customers
    months = list(months_between(first, last))
    period = {"since": midnight(months[0]), "until": midnight(after(months[-1]))}

    def rows(name: str) -> list[DictRow]:
        return connection.execute(sql(name), period).fetchall()

    found: dict[tuple[str, str | None], dict[str, float | None]] = defaultdict(dict)
    for month in months:
        end = min(at, midnight(after(month)) - timedelta(seconds=1))
        none = {"applications": 0, "incidents": 0, "outages": 0, "complaints": 0}
        found[f"{month:%Y-%m}", None] |= {**none, **asked_of_applicants(rules.in_force(end))}
    for name, values in (
        ("indicators_connections", _connections),
        ("indicators_repairs", _repairs),
        ("indicators_outages", _outages),
    ):
        for row in rows(name):
            found[row["month"], row["district"]] |= values(row)
    for row in rows("indicators_windows"):
        code = {"order.reply": "orders_on_time", "book.read": "rounds_on_time"}[row["commitment"]]
        found[row["month"], None][code] = percent(row["on_time"], row["on_time"] + row["late"])
    for row in rows("indicators_complaints"):
        found[row["month"], None]["complaints"] = row["complaints"]
    spells = [
        Spell(row["started_at"], row["restored_at"] or max(at, row["started_at"]), row["affected_users"])
        for row in rows("figures_outage_spells")
    ]
    for month in months:
        lost = lost_minutes(spells, first=midnight(month), last=midnight(after(month)))
        index = index_minutes(lost, customers)
        found[f"{month:%Y-%m}", None]["outage_index"] = None if index is None else round(index, 3)
    (held,) = rows("indicators_position")
    return Report(held["position"], tuple(_months(found)))


def _months(found: Mapping[tuple[str, str | None], Mapping[str, float | None]]) -> Iterator[MonthOfPlace]:
    for month, district in sorted(found, key=lambda key: (key[0], key[1] is not None, key[1] or "")):
        told = found[month, district]
        codes: Iterable[str] = (each.code for each in INDICATORS if district is None or each.by_district)
        yield MonthOfPlace(month, district, {code: told.get(code) for code in codes})


def _connections(row: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        "applications": row["applications"],
        "connection_on_time": percent(row["on_time"], row["water_on"]),
        "connection_days": _scaled(row["net_minutes"], 1 / (24 * 60), 1),
        "connection_gross_days": _scaled(row["gross_minutes"], 1 / (24 * 60), 1),
        "connection_trips": _scaled(row["trips"], 1, 2),
        "connection_cost": _scaled(row["paid_fen"], 0.01, 2),
    }


def _repairs(row: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        "incidents": row["incidents"],
        "arrival_on_time": _kept(row, "arrival"),
        "arrival_minutes": _scaled(row["arrival_minutes"], 1, 0),
        "completion_on_time": _kept(row, "completion"),
        "answer_on_time": _kept(row, "answer"),
    }


def _outages(row: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        "outages": row["outages"],
        "outages_noticed": percent(row["noticed"], row["outages"]),
    }


def _kept(row: Mapping[str, Any], promise: str) -> float | None:
    """Of what is decided, how much was on time."""
    on_time, late = row[f"{promise}_on_time"], row[f"{promise}_late"]
    return percent(on_time, on_time + late)


def _scaled(value: float | None, factor: float, digits: int) -> float | None:
    return None if value is None else round(value * factor, digits)

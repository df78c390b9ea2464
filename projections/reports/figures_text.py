"""Figures as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from unicodedata import east_asian_width

import msgspec

from domain.kernel.facts import Name
from projections.names import BASES, CHANNELS, OUTCOMES, SEVERITIES, name
from projections.reports.figures import ChannelFigures, OutageFigures, PeriodFigures, Spread, WorksFigures
from projections.reports.published import beside as published_beside
from projections.reports.published import contradictions
from projections.reports.repair_figures import RepairFigures, Verdicts

WIDTH = 42


def as_text(figures: PeriodFigures, *, beside: bool, as_json: bool) -> str:
    """The figures for a terminal or, as one JSON object, for a script; with the published ones where ``beside``."""
    if as_json:
        return msgspec.json.encode(as_object(figures, beside=beside)).decode()
    return "\n".join([*lines(figures), *(["", *published_lines(figures)] if beside else [])])


def as_object(figures: PeriodFigures, *, beside: bool) -> dict[str, object]:
    """The figures as one object for JSON."""
    ours: dict[str, object] = {"figures": figures}
    return ours | ({"published": published_beside(figures), "contradictions": contradictions()} if beside else {})


def lines(figures: PeriodFigures) -> Iterator[str]:
    """All figures of a period."""
    yield f"报装统计 figures, {_period(figures)}"
    yield _line("报装申请 applications", figures.applications)
    yield from _counts("按类别 by category", figures.by_category, {})
    yield from _counts("按渠道 by channel", figures.by_channel, CHANNELS)
    yield from _counts("受理依据 admitted by", figures.by_basis, BASES)
    yield from _counts("结果 outcome", figures.by_outcome, OUTCOMES)
    yield _line("按时通水 on time", f"{figures.on_time} / {figures.water_on} ({_percent(figures.on_time_percent)})")
    yield _line("总用时 gross, median / p90", _spread(figures.gross))
    yield _line("净用时 net, median / p90", _spread(figures.net))
    yield from _counts("中止 pauses", figures.pauses, {})
    yield _line("上门服务 home visits", f"{figures.home_visits} ({figures.users_visited} users 户)")
    yield _line("现场审批 approved on site", figures.approved_on_site)
    at_home = f"{figures.papers_outstanding} ({figures.papers_outstanding_at_home} served at home 上门)"
    yield _line("容缺受理 papers outstanding", at_home)
    for channel in figures.channels:
        yield _line(f"  {name(CHANNELS, channel.channel)}", _channel(channel))
    yield _line("技术咨询 consultations", figures.consultations)
    yield _line("服务前置 pre-service", f"{figures.preservices} ({figures.preservices_given} given 已提供)")
    for works in figures.works:
        yield _line(f"民生工程 works: {works.kind}", _works(works))
    yield from _outages(figures.outages)
    yield _line("拒绝的收费 charges refused", figures.charges_refused)
    yield _line("拒绝的再次补正 further requests refused", figures.further_requests_refused)
    money = (figures.quoted_fen, figures.paid_fen, figures.refunded_fen)
    yield _line("报价/实收/退款 quoted/paid/refunded", " / ".join(f"¥{fen / 100:,.2f}" for fen in money))
    yield from _repairs(figures.repairs)


def _repairs(repairs: RepairFigures) -> Iterator[str]:
    if not repairs.incidents:
        return
    yield _line("抢修工单 incidents", f"{repairs.incidents} ({repairs.reports} reports 报修, {repairs.open} open 在办)")
    yield from _counts("按渠道 by channel", repairs.by_channel, CHANNELS)
    yield from _counts("按故障 by kind", repairs.by_kind, {})
    spread = _minutes(repairs.arrival_median_minutes, repairs.arrival_p90_minutes)
    yield _line("到场 arrival", f"{_verdicts(repairs.arrival)}; median / p90 {spread}")
    yield _line("改级 reclassified", repairs.reclassified)
    for each in repairs.classes:
        if each.first or each.final:
            yield _line(f"  {name(SEVERITIES, each.severity)} first 初定", f"{each.first}: {_verdicts(each.by_first)}")
            spread = _minutes(each.median_minutes, each.p90_minutes)
            final = f"{each.final}: {_verdicts(each.by_final)}; median / p90 {spread}"
            yield _line(f"  {name(SEVERITIES, each.severity)} final 终定", final)
    yield _line("回复报修人 reporters answered", _verdicts(repairs.answers))
    if repairs.orders:
        yield _line("热线工单 orders", f"{repairs.orders}: {_verdicts(repairs.orders_replied)}")


def _verdicts(found: Verdicts) -> str:
    words = (
        ("on time 按时", found.on_time),
        ("late 超时", found.late),
        ("running 运行中", found.running),
        ("no limit 不限时", found.no_limit),
        ("unknown 未知", found.unknown),
    )
    counts = ", ".join(f"{count} {word}" for word, count in words if count) or "none 无"
    return f"{counts} ({_percent(found.on_time_percent)})"


def _minutes(median: int | None, p90: int | None) -> str:
    return " / ".join("–" if value is None else f"{value} min" for value in (median, p90))


def published_lines(figures: PeriodFigures) -> Iterator[str]:
    """Ours beside the published ones, and what of those cannot both be right."""
    yield f"{'ours 本系统':>12} {'published 公布':>14}"
    for line in published_beside(figures):
        yield f"{line.ours:>12} {line.published or '–':>14}  {line.name_zh} {line.name}"
    for contradiction in contradictions():
        yield f"! {contradiction.text}"
        yield f"  {contradiction.text_zh}"


def _line(what: str, value: object) -> str:
    # A Chinese character takes two columns of a terminal.
    columns = sum(2 if east_asian_width(character) in "WF" else 1 for character in what)
    return f"{what}{' ' * max(0, WIDTH - columns)} {value}"


def _counts(what: str, counts: Mapping[str, int], names: Mapping[str, Name]) -> Iterator[str]:
    if counts:
        yield _line(what, ", ".join(f"{name(names, code)} {count}" for code, count in counts.items()))


def _channel(channel: ChannelFigures) -> str:
    trips = f"trips 跑腿 0/1/more {channel.no_trip}/{channel.one_trip}/{channel.more_trips}"
    if not channel.made:
        return trips
    kept = f"{_percent(channel.kept_percent)} of {channel.kept + channel.broken} papers pledges kept 容缺承诺兑现"
    return f"{trips}; {kept}"


def _works(works: WorksFigures) -> str:
    where = f"{works.communities} communities 小区, {works.households} households 户"
    return f"{works.completed} of {works.registered} completed 完工, {where}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:g} %"


def _spread(spread: Spread) -> str:
    return " / ".join(_days(minutes) for minutes in (spread.median, spread.p90))


def _outages(outages: OutageFigures) -> Iterator[str]:
    if not outages.planned + outages.emergency + outages.unannounced + outages.cancelled + outages.lost_minutes:
        return
    kinds = (
        f"planned 计划 {outages.planned}, emergency 突发 {outages.emergency}, "
        f"without notice 无通知 {outages.unannounced}, cancelled 取消 {outages.cancelled}"
    )
    yield _line("停水 outages", f"{kinds}; users told 已通知 {outages.noticed}")
    index = "–" if outages.index_minutes is None else f"{outages.index_minutes:g} min"
    of = f"{outages.lost_minutes} user-minutes 户·分钟 / {outages.customers or '–'} customers 用户"
    yield _line("停水指标 outage index", f"{index} ({of})")


def _days(minutes: int | None) -> str:
    return "–" if minutes is None else f"{minutes / 1440:.1f} d"


def _period(figures: PeriodFigures) -> str:
    first, last = figures.first, figures.last
    if first is None and last is None:
        return "all there is 全部"
    return f"{first or '…'} to 至 {last or 'now 今'}"

"""A trial of another standard as a chart: one SVG without any library, also in a page of its own.

Each row is a commitment, or a value of a dimension: lapsed promises under the standards in force above, under the one
that is tried below, on one scale for each part, the numbers beside the bars, so that nothing rests on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from domain.what_if import DIMENSIONS
from projections.names import COMMITMENTS, name
from projections.reports.what_if import Trial
from projections.reports.what_if_text import DIMENSION_NAMES, VALUE_NAMES, lapsed_by

BEFORE, AFTER = "#8a94a0", "#1f6fb2"
LABEL, BAR, NUMBER = 250, 420, 110
WIDTH = LABEL + BAR + NUMBER + 40
ROW, PART = 34, 40
MOST_VALUES = 12
FONT = "font-family='system-ui, sans-serif'"


class ChartRow(NamedTuple):
    """A label and two numbers of lapsed promises."""

    label: str
    before: int
    after: int


def parts(trial: Trial, by: Sequence[str] = DIMENSIONS) -> Iterator[tuple[str, list[ChartRow]]]:
    """The chart's parts: title and rows. Values beyond the twelve that differ most are left out, and counted."""
    commitments = [
        ChartRow(name(COMMITMENTS, commitment), both.before["lapsed"], both.after["lapsed"])
        for commitment, both in sorted(trial.sums.by_commitment.items())
        if both.before["lapsed"] or both.after["lapsed"]
    ]
    yield "承诺 by commitment", commitments
    for dimension in by:
        rows = [row for row in lapsed_by(trial.sums, dimension) if row[1] or row[2]]
        left = len(rows) - MOST_VALUES
        more = f" (… {left} more 其余 {left} 项未列)" if left > 0 else ""
        shown = [ChartRow(name(VALUE_NAMES, value), before, after) for value, before, after, _ in rows[:MOST_VALUES]]
        yield f"{DIMENSION_NAMES[dimension]} by {dimension}{more}", shown


def svg(trial: Trial, by: Sequence[str] = DIMENSIONS) -> str:
    """The chart of a trial that has been gone through."""
    found = list(parts(trial, by))
    period = trial.period
    title = f"超时 lapsed promises: in force 实际执行, and 与 {trial.standard.version}"
    about = (
        f"cases 件 {trial.sums.cases}, began 开始于 {period.first or '起始'} … {period.last or '当前'}, "
        f"judged at 判定时刻 {trial.at:%Y-%m-%d %H:%M} UTC"
    )
    body: list[str] = []
    y = 96
    for heading, rows in found:
        body += _part(heading, rows, y)
        y += PART + ROW * max(len(rows), 1)
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{y + 20}' viewBox='0 0 {WIDTH} {y + 20}'"
            " role='img' aria-labelledby='t d'>",
            f"<title id='t'>{escape(title)}</title><desc id='d'>{escape(about)}</desc>",
            f"<rect width='{WIDTH}' height='{y + 20}' fill='#ffffff'/>",
            _text(20, 30, title, size=18, weight=600),
            _text(20, 52, about, size=12, colour="#555555"),
            f"<rect x='20' y='66' width='12' height='12' fill='{BEFORE}'/>",
            _text(38, 77, "standards in force 实际执行的标准", size=12),
            f"<rect x='270' y='66' width='12' height='12' fill='{AFTER}'/>",
            _text(288, 77, f"{trial.standard.version} 假设的标准", size=12),
            *body,
            "</svg>",
        ]
    )


def page(trial: Trial, lines: Sequence[str], by: Sequence[str] = DIMENSIONS) -> str:
    """The chart in a page, with the tables below it."""
    title = escape(f"what if {trial.standard.version} 假如执行 {trial.standard.version}")
    text = escape("\n".join(lines))
    return (
        f"<!doctype html>\n<html lang='zh'><meta charset='utf-8'><title>{title}</title>\n"
        f"{svg(trial, by)}\n<pre>{text}</pre>\n</html>\n"
    )


def _part(heading: str, rows: Sequence[ChartRow], y: int) -> Iterator[str]:
    yield _text(20, y + 24, heading, size=14, weight=600)
    yield f"<line x1='20' y1='{y + 30}' x2='{WIDTH - 20}' y2='{y + 30}' stroke='#dddddd'/>"
    if not rows:
        yield _text(20, y + PART + 18, "no lapse under either 两者均无超时", size=12, colour="#555555")
    most = max((max(row.before, row.after) for row in rows), default=0)
    for place, row in enumerate(rows):
        top = y + PART + ROW * place
        yield f"<g><title>{escape(f'{row.label}: {row.before} → {row.after}')}</title>"
        yield _text(LABEL + 10, top + 18, row.label, size=12, anchor="end")
        for number, offset, colour in ((row.before, 2, BEFORE), (row.after, 15, AFTER)):
            length = round(BAR * number / most, 1)
            yield f"<rect x='{LABEL + 20}' y='{top + offset}' width='{length}' height='12' fill='{colour}'/>"
            told = str(number) if colour == BEFORE else f"{number} ({row.after - row.before:+d})"
            yield _text(LABEL + 26 + length, top + offset + 10, told, size=11)
        yield "</g>"


def _text(
    x: float, y: float, words: str, *, size: int, weight: int = 400, colour: str = "#222222", anchor: str = "start"
) -> str:
    return (
        f"<text x='{x}' y='{y}' {FONT} font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{escape(words)}</text>"
    )

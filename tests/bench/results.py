"""What the measurements find: figures with what stands beside them, kept so that a later run can be compared.

A measurement says each figure by ``found``. Alone it only prints; under ``python -m tests.bench`` the figures of all
are collected, put behind those of earlier runs, and shown as one page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

RESULTS = "BENCH_RESULTS"
"""Environment variable: the file to which figures are appended, a JSON object a line."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a run. ``beside``: the same of the bare part that was measured in the same run, and ``what`` that
    is. ``goal``: what is to be reached, of the ratio to ``beside`` where there is one, else of the value; None: no
    goal."""

    work: str
    value: float
    unit: str
    better: Literal["higher", "lower"]
    beside: float | None = None
    what: str = ""
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value by what stands beside it; None: nothing does."""
        return self.value / self.beside if self.beside else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None: there is none."""
        if self.goal is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured >= self.goal if self.better == "higher" else measured <= self.goal


def found(
    work: str,
    value: float,
    unit: str,
    better: Literal["higher", "lower"],
    *,
    beside: float | None = None,
    what: str = "",
    goal: float | None = None,
) -> None:
    """Keep a figure where somebody collects them."""
    if path := os.environ.get(RESULTS):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(Figure(work, value, unit, better, beside, what, goal))) + "\n")


def read(path: Path) -> list[Figure]:
    """The figures in a file; none where there is no such file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Figure(**json.loads(line)) for line in lines]


def page(runs: Sequence[Mapping[str, Any]]) -> str:
    """All runs, oldest first, as a page: the figures of the newest, and how each went over the runs."""
    newest = runs[-1]
    rows = "".join(_row(Figure(**each), list(_history(runs, each["work"]))) for each in newest["figures"])
    told = ", ".join(f"{escape(name)} {escape(str(newest[name]))}" for name in newest if name != "figures")
    heads = "".join(f"<th>{each}</th>" for each in ("work", "measured", "beside it", "ratio", "goal", "runs"))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>tongshui: measurements</title>'
        "<style>body{font:15px sans-serif;margin:24px auto;max-width:1100px}td,th{text-align:left;padding:6px 12px;"
        "border-bottom:1px solid #ccc;vertical-align:top}.no{color:#a11;font-weight:600}.yes{color:#063}"
        "polyline{fill:none;stroke:#005b82;stroke-width:2}</style>"
        f"<h1>Measurements</h1><p>{told}; {len(runs)} runs. Absolute values of such machines move by a factor of two "
        f"between runs; ratios of one run do not.</p><table><tr>{heads}</tr>{rows}</table></html>"
    )


def _history(runs: Sequence[Mapping[str, Any]], work: str) -> Iterator[float]:
    for run in runs:
        for each in run["figures"]:
            if each["work"] == work:
                figure = Figure(**each)
                yield figure.value if figure.ratio is None else figure.ratio


def _row(figure: Figure, history: Sequence[float]) -> str:
    goal = "" if figure.goal is None else f"{'≥' if figure.better == 'higher' else '≤'} {figure.goal:g}"
    tone = {None: "", True: "yes", False: "no"}[figure.reached]
    cells = (
        escape(figure.work),
        f"{figure.value:,.4g} {escape(figure.unit)}",
        f"{figure.beside:,.4g} {escape(figure.what)}" if figure.beside is not None else "",
        f"{figure.ratio:.2f}" if figure.ratio is not None else "",
        f'<span class="{tone}">{goal}{" not reached" if figure.reached is False else ""}</span>',
        _plot(history),
    )
    return f"<tr>{''.join(f'<td>{each}</td>' for each in cells)}</tr>"


def _plot(history: Sequence[float]) -> str:
    """The runs as a line, with its first and last value in words."""
    if len(history) < 2:
        return "first run"
    most, step = max(history) or 1, 140 / (len(history) - 1)
    points = " ".join(f"{number * step:.0f},{38 - 36 * value / most:.1f}" for number, value in enumerate(history))
    said = f"{history[0]:.3g} to {history[-1]:.3g}"
    return f'<svg width="144" height="40" role="img" aria-label="{said}"><polyline points="{points}"/></svg><br>{said}'

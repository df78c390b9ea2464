"""Sequence diagrams as SVG, without a script and without a network.

The source is the part of Mermaid's ``sequenceDiagram`` that our documents use: ``participant A as Words``,
``A->>B: words`` (a request or a record), ``A-->>B: words`` (an answer) and ``Note over A: words``. The same source is
drawn by whatever shows Markdown with Mermaid, and can be read as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

COLUMN, ROW, HEAD, MARGIN = 160, 44, 56, 24
PARTICIPANT = re.compile(r"participant (\w+) as (.+)")
MESSAGE = re.compile(r"(\w+)(--?>>)(\w+): (.+)")
NOTE = re.compile(r"Note over (\w+)(?:,(\w+))?: (.+)")


@dataclass(frozen=True, slots=True)
class Arrow:
    """One row of a diagram. ``kind``: "->>" a request, "-->>" an answer, "note" words over one or two columns."""

    begin: str
    end: str
    kind: str
    words: str


def parsed(source: str) -> tuple[dict[str, str], list[Arrow]]:
    """Participants (name → words) and rows. Raises ValueError, naming the line, for anything else."""
    lines = [line.strip() for line in source.strip().splitlines() if line.strip()]
    if lines[:1] != ["sequenceDiagram"]:
        raise ValueError("a diagram begins with the line sequenceDiagram")
    who: dict[str, str] = {}
    rows: list[Arrow] = []
    for line in lines[1:]:
        if found := PARTICIPANT.fullmatch(line):
            who[found[1]] = found[2]
        elif found := MESSAGE.fullmatch(line):
            rows.append(Arrow(found[1], found[3], found[2], found[4]))
        elif found := NOTE.fullmatch(line):
            rows.append(Arrow(found[1], found[2] or found[1], "note", found[3]))
        else:
            raise ValueError(f"not a line of a sequence diagram that is drawn here: {line}")
    for row in rows:
        if missing := {row.begin, row.end} - who.keys():
            raise ValueError(f"no participant {', '.join(sorted(missing))}: {row.words}")
    return who, rows


def svg(source: str) -> str:
    """The diagram as one SVG element that takes the colours of the page."""
    who, rows = parsed(source)
    at = {name: MARGIN + COLUMN // 2 + number * COLUMN for number, name in enumerate(who)}
    width, height = 2 * MARGIN + COLUMN * len(who), HEAD + ROW * (len(rows) + 1) + MARGIN
    marks = [_participant(at[name], words, height) for name, words in who.items()]
    marks += [_row(row, at, HEAD + ROW * (number + 1)) for number, row in enumerate(rows)]
    return (
        f'<svg class="sequence" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(_spoken(who, rows))}" '
        'xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" font-size="12">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8" stroke="currentColor"/></marker></defs>{"".join(marks)}</svg>'
    )


def _spoken(who: dict[str, str], rows: list[Arrow]) -> str:
    return "; ".join(
        f"{who[row.begin]}: {row.words}" if row.kind == "note" else f"{who[row.begin]} to {who[row.end]}: {row.words}"
        for row in rows
    )


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" fill="currentColor" stroke="none">{escape(words)}</text>'


def _participant(x: int, words: str, height: int) -> str:
    box = f'<rect x="{x - COLUMN // 2 + 8}" y="8" width="{COLUMN - 16}" height="{HEAD - 20}" rx="4"/>'
    return f'{box}{_text(x, 31, words)}<path d="M{x} {HEAD - 12}V{height - 8}" stroke-dasharray="3 4" opacity=".5"/>'


def _row(row: Arrow, at: dict[str, int], y: int) -> str:
    begin, end = at[row.begin], at[row.end]
    if row.kind == "note":
        half = max(len(row.words) * 3.4, 60)
        # A note over the last column stays inside the picture.
        middle = min(max((begin + end) / 2, half + 4), max(at.values()) + COLUMN / 2 + MARGIN - half)
        box = f'<rect class="note" x="{middle - half:g}" y="{y - 20}" width="{2 * half:g}" height="26" rx="2"/>'
        return box + _text(middle, y - 3, row.words)
    dashed = ' stroke-dasharray="5 4"' if row.kind == "-->>" else ""
    if begin == end:
        line = f'<path d="M{begin} {y - 12}h28v16h-26" marker-end="url(#tip)"{dashed}/>'
        return line + _text(begin + 34 + len(row.words) * 3, y - 1, row.words)
    short = end - 2 if end > begin else end + 2
    return (
        f'<path d="M{begin} {y}H{short}" marker-end="url(#tip)"{dashed}/>{_text((begin + end) / 2, y - 6, row.words)}'
    )

"""Small pieces of Markdown that every reference page is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """One cell of a table: on one line, its pipes escaped, what looks like a tag escaped outside of code."""
    line = " ".join(str(text).split()).replace("|", "\\|")
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table, an empty one after it. No rows, no table."""
    body = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not body:
        return []
    return ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |", *body, ""]


def prose(text: str) -> str:
    """A docstring's words as Markdown: paragraphs kept, double backticks made single ones, tags escaped."""
    text = text.replace("``", "`")
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def slug(text: str) -> str:
    """A file name or an anchor of ASCII letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def page(title: str, about: str, *sections: Iterable[str]) -> str:
    """A whole page. ``about``: what is in it, in a sentence or two."""
    lines = [f"# {title}", "", about, ""]
    for section in sections:
        lines += section
    return "\n".join(lines).rstrip() + "\n"

"""The home of SQL: migrations, and named queries that Python calls by name."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString

_NAME = re.compile(r"^-- name: ([a-z_]+)\s*$", re.MULTILINE)


@cache
def _queries() -> dict[str, str]:
    queries: dict[str, str] = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            parts = _NAME.split(file.read_text(encoding="utf-8"))
            for name, text in zip(parts[1::2], parts[2::2], strict=True):
                if name in queries:
                    raise ValueError(f"the query {name} is defined twice, again in {file.name}")
                queries[name] = text.strip()
    return queries


def sql(name: str) -> LiteralString:
    """The query of that name. Raises KeyError, naming it, where there is none."""
    # Read from our own package, never from input: as literal as a string in the code.
    return _queries()[name]

"""What the documents' generator (MkDocs) asks of us: the reference pages, their places in the navigation, diagrams."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from app.reference import pages
from app.reference.sequences import svg

_made: dict[str, str] = {}
DECISIONS = "explanation/decisions"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put what is made, and every decision, into the navigation."""
    _made.clear()
    _made.update(pages())
    for section in config.nav or ():
        for title, entries in section.items():
            if title == "Reference":
                entries.extend(_entries(_made))
            if title == "Explanation":
                folder = Path(config.docs_dir) / DECISIONS
                files = {f"{DECISIONS}/{file.name}": file.read_text(encoding="utf-8") for file in folder.glob("0*.md")}
                entries.append(
                    {"Decisions": [f"{DECISIONS}/index.md", *(_entry(*each) for each in sorted(files.items()))]}
                )
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for path, text in _made.items():
        files.append(File.generated(config, path, content=text))
    return files


def fence(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """A block of the language ``mermaid``, drawn while the documents are built."""
    return f'<figure class="diagram">{svg(source)}</figure>'


def _entry(path: str, text: str) -> dict[str, str]:
    return {text.partition("\n")[0].removeprefix("# "): path}


def _entries(made: dict[str, str]) -> list[Any]:
    """Pages in the order in which they are made, those of a folder together."""
    found: list[Any] = []
    folders: dict[str, list[Any]] = {}
    for path, text in made.items():
        folder = re.match(r"reference/(\w+)/", path)
        if folder is None:
            found.append(_entry(path, text))
        elif folder[1] not in folders:
            folders[folder[1]] = [path] if path.endswith("index.md") else [_entry(path, text)]
            found.append({{"api": "API", "events": "Events"}[folder[1]]: folders[folder[1]]})
        else:
            folders[folder[1]].append(_entry(path, text))
    return found

"""The documents as tests see them: their pages, the commands that they show, their links.

A fenced block of the language ``sh`` is a command that runs in front of a running installation, in the order of its
page and in one shell. A block ``console`` shows a session whose commands need something that a test does not have
(brokers of your own, two terminals); the form of its commands is checked all the same.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs"
PLAIN = tuple(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """One command of a document, split as a shell splits it. ``runs``: whether it is of a block that a test runs."""

    page: str
    words: tuple[str, ...]
    runs: bool


def documents() -> list[Path]:
    """Every page, and the documents at the root of the repository."""
    return [*PLAIN, *sorted(FOLDER.rglob("*.md"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    """The text of every fenced block of a language."""
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [text for _, name, text in found if name == language]


def commands(path: Path) -> list[ShownCommand]:
    """Every command of a page's ``sh`` and ``console`` blocks."""
    found = []
    for language in ("sh", "console"):
        for block in blocks(path, language):
            for line in _lines(block, prompts=language == "console"):
                for words in _split(line):
                    found.append(ShownCommand(name_of(path), words, language == "sh"))
    return found


def _lines(block: str, *, prompts: bool) -> list[str]:
    """A block's commands, each on one line; of a session only what stands behind a prompt."""
    joined = re.sub(r"\\\n\s*", " ", block)
    whole: list[str] = []
    for line in joined.splitlines():
        if whole and whole[-1].count("'") % 2:
            whole[-1] += " " + line.strip()
        else:
            whole.append(line)
    if prompts:
        whole = [line.removeprefix("$ ") for line in whole if line.startswith("$ ")]
    return [line for line in whole if line.strip() and not line.lstrip().startswith("#")]


def _split(line: str) -> list[tuple[str, ...]]:
    """The simple commands of a line: those of a pipe, and one whose answer goes into a variable."""
    inner = re.match(r"[A-Z_]+=\$\((.*)\)$", line)
    lexer = shlex.shlex(inner[1] if inner else line, posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set(";|&"):
            found.append([])
        else:
            found[-1].append(word)
    kept = [words[: words.index(">")] if ">" in words else words for words in found]
    return [tuple(words) for words in kept if words and not re.match(r"[A-Z_]+=", words[0])]

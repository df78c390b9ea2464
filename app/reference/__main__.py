"""``python -m app.reference DIR``: the generated reference pages as plain Markdown files."""

from __future__ import annotations

import sys
from pathlib import Path

from app.reference import pages


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m app.reference DIR")
    for path, text in pages().items():
        file = Path(sys.argv[1]) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

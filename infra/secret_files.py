"""Files that only their owner may read: written whole, and made once, however many processes want them at once."""

from __future__ import annotations

import os
from pathlib import Path


def make_once(path: Path, text: str) -> None:
    """Write the file where there is none; of several that try at once all find one file. Raises OSError."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path)
    try:
        _write(draft, text)
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def replace(path: Path, text: str) -> None:
    """Write the file anew; whoever reads it sees the old text or the new one, and each whole. Raises OSError."""
    draft = _draft(path)
    _write(draft, text)
    draft.replace(path)


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.urandom(8).hex()}")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())

"""A small disk that a test may fill."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size_mb: int) -> Iterator[Path]:
    """A file system in memory at a directory that is made for it. Skips the test where none may be mounted."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs root that may mount a file system in memory")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take up every byte; the file that does, to be deleted for room."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):  # the last pages too
            while _took(file.fileno(), size):
                pass
    return filler


def _took(descriptor: int, size: int) -> bool:
    try:
        os.write(descriptor, bytes(size))
    except OSError:
        return False
    return True

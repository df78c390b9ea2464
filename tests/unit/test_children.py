"""Child processes, and what they leave behind."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from infra.embedded.children import end_group, spawn
from tests.faults.installation import gone, wait_until

PARENT = """
import pathlib, signal, subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
pathlib.Path(sys.argv[1]).write_text(f"{grandchild.pid}\\n")
signal.pause()
"""


def test_what_a_killed_child_has_started_is_gone_before_its_place_is_made_anew(tmp_path: Path) -> None:
    told = tmp_path / "told"
    child = spawn([sys.executable, "-c", PARENT, str(told)])
    wait_until(lambda: told.exists() and told.read_text().endswith("\n"))
    grandchild = psutil.Process(int(told.read_text()))
    child.kill()
    child.wait()
    assert not gone([grandchild])
    end_group(child)
    assert gone([grandchild])

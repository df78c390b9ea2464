"""The commands that the documents show run, page by page, in front of one running installation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import blocks, documents, name_of
from tests.faults.installation import Installation, new_home

RUN = [path for path in documents() if blocks(path, "sh")]
FAST = 600
"""How fast the service clock runs, as in the demo: the tutorial on a case waits for a limit to run out."""


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with new_home() as home:
        installation = Installation(home, clock_factor=FAST, demo=True)
        installation.start()
        yield installation
        assert installation.stop() == 0


def as_typed(it: Installation, page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A page's blocks in one shell that ends at the first command that fails."""
    script = "set -eo pipefail\n" + "\n".join(blocks(page, "sh"))
    script = script.replace("http://127.0.0.1:8225", it.base_url)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    # Settings of the installation beside those of whoever runs the shell: it finds PostgreSQL and Kafka by the folder.
    environment = it.environment | {"PATH": path}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_commands_of_a_page_run(it: Installation, page: Path, tmp_path: Path) -> None:
    ended = as_typed(it, page, tmp_path)
    assert ended.returncode == 0, ended.stdout[-2_000:] + ended.stderr[-2_000:]
    if page.name == "follow-a-case.md":
        assert "WindowLapsed" in ended.stdout
        assert "WindowRetracted" in ended.stdout
        assert "0 disagreements" in ended.stdout

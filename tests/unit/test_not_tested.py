"""A machine without a browser: one is fetched where that can be, and where not the run says what was not tested."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e import browser

ROOT = Path(__file__).parents[2]
SKIPS = """
import pytest

@pytest.mark.parametrize("page", range(3))
def test_a_page(page):
    pytest.skip("no Chromium here")

def test_another():
    pass
"""


@pytest.mark.parametrize(
    ("is_root", "works", "tried"),
    [
        (True, ("apt-get",), ["apt-get", "apt-get"]),
        (True, (sys.executable,), ["apt-get", sys.executable]),
        (False, (sys.executable,), [sys.executable]),
        (False, (), [sys.executable]),
    ],
)
def test_a_browser_is_the_distributions_for_root_and_else_playwrights_own(
    monkeypatch: pytest.MonkeyPatch, is_root: bool, works: Sequence[str], tried: list[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    commands: list[str] = []

    def run(command: Sequence[str]) -> bool:
        commands.append(command[0])
        return command[0] in works

    assert browser.bring(run, is_root=is_root) is bool(works)
    assert commands == tried


def test_no_browser_and_no_way_to_fetch_one_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser, "installed", lambda path: None)
    monkeypatch.setattr(browser, "_run", lambda command: False)
    browser.main()
    assert "browser: no Chromium on this machine: apt-get install chromium" in capsys.readouterr().out


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_last_line_of_a_run_says_what_was_not_tested(
    tmp_path: Path, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_TESTED", raising=False)  # under `make test` a file collects what all runs say
    (tmp_path / "test_pages.py").write_text(SKIPS)
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(tmp_path), "-p", "tests.conftest", str(tmp_path / "test_pages.py")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.splitlines()[-1] == "NOT TESTED: 3 of test_pages.py: no Chromium here"

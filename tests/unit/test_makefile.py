"""What the targets of the Makefile install, as ``make`` itself would do it on a machine that has nothing yet."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEVELOPMENT_ONLY = ("ruff", "mypy", "playwright", "pytest", "hypothesis", "uv", "import-linter", "confluent-kafka")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


def planned(tmp_path: Path, target: str) -> str:
    """The commands that ``make`` would run for a target with a fresh environment."""
    command = ["make", "--dry-run", "--no-print-directory", f"VENV={tmp_path / 'venv'}", target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("target", ["demo", "smoke"])
def test_who_only_looks_installs_what_the_program_needs_and_no_more(tmp_path: Path, target: str) -> None:
    commands = planned(tmp_path, target)
    assert "-r requirements.txt" in commands
    assert "requirements-dev.txt" not in commands
    assert "crosscheck" not in commands
    assert not names("requirements.txt") & set(DEVELOPMENT_ONLY)
    assert "setuptools" in names("requirements.txt")  # which installs the checkout


@pytest.mark.parametrize("target", ["test", "lint", "setup", "test-unit"])
def test_who_develops_gets_the_development_lock_on_top(tmp_path: Path, target: str) -> None:
    commands = planned(tmp_path, target)
    assert commands.index("-r requirements.txt") < commands.index("-r requirements-dev.txt")
    assert set(DEVELOPMENT_ONLY) <= names("requirements-dev.txt")


def test_the_optional_producer_is_locked_as_it_is_tested() -> None:
    """And the list that its lock is made from says what the extra of the package says."""
    locked, tested = (
        re.findall(r"^(confluent-kafka==\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
        for lock in ("requirements-confluent.txt", "requirements-dev.txt")
    )
    assert locked == tested
    assert names("requirements-confluent.txt") == {"confluent-kafka"}
    wanted = (ROOT / "requirements-confluent.in").read_text(encoding="utf-8").splitlines()
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert [line for line in wanted if not line.startswith("#")] == extra["confluent"]


def test_set_up_names_each_step_before_it_begins(tmp_path: Path) -> None:
    commands = planned(tmp_path, "demo")
    steps = [commands.index(f"set-up {number} of 3") for number in (1, 2, 3)]
    assert steps == sorted(steps)
    installs = [line for line in commands.splitlines() if "pip " in line and " install " in line]
    assert installs
    assert all("--quiet" in line for line in installs)  # the steps are to be seen, not the names of 80 packages


@pytest.mark.parametrize("target", ["test", "test-all"])
def test_the_tests_bring_a_browser_first_and_say_last_what_was_not_tested(tmp_path: Path, target: str) -> None:
    commands = planned(tmp_path, target).splitlines()
    brings = next(place for place, each in enumerate(commands) if "-m tests.e2e.browser" in each)
    assert brings < min(place for place, each in enumerate(commands) if "/pytest " in each)
    assert commands[-1].endswith(f"cat {tmp_path / 'venv'}/not-tested.txt")


def ran(tmp_path: Path, target: str, *, unit_ends: int) -> tuple[int, list[str]]:
    """The end of ``make`` and what it started, in order, with programs that only write down that they ran; the jars
    come when the unit tests are over."""
    told, programs = tmp_path / "told", tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    told.touch()
    python = f'#!/bin/sh\n[ "$2" = tests.jars ] || exit 0\nuntil grep -q unit {told}; do :; done\necho jars >> {told}\n'
    pytest_ = (
        f'#!/bin/sh\ncase "$*" in *tests/contract*) echo unit >> {told}; exit {unit_ends};; '
        f"*tests/faults*) echo whole >> {told};; esac\n"
    )
    for name, text in (("python", python), ("pytest", pytest_)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    done_already = [f"--old-file={each}" for each in ("lint", "browser", "archive")]
    command = ["make", *done_already, f"VENV={tmp_path / 'venv'}", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, told.read_text().split()


@pytest.mark.parametrize("target", ["test", "test-all"])
def test_jars_come_beside_the_unit_tests_and_before_the_tests_that_need_them(tmp_path: Path, target: str) -> None:
    assert ran(tmp_path, target, unit_ends=0) == (0, ["unit", "jars", "whole"])


@pytest.mark.parametrize("target", ["test", "test-all"])
def test_a_unit_test_that_fails_ends_the_run_whatever_became_of_the_jars(tmp_path: Path, target: str) -> None:
    code, told = ran(tmp_path, target, unit_ends=1)
    assert code != 0
    assert told == ["unit", "jars"]

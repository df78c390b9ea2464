"""What the documents show is what the program prints."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_worked_example_of_the_architecture_is_what_the_command_prints() -> None:
    printed = (ROOT / "tests" / "unit" / "explained" / "retracted.txt").read_text(encoding="utf-8").rstrip()
    assert f"```\n{printed}\n```" in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")

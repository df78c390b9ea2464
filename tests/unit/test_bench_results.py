"""What the measurements find is kept, compared with earlier runs and shown."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from tests.bench.results import RESULTS, Figure, found, page, read


def test_a_figure_is_kept_where_somebody_collects_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found("alone", 1, "/s", "higher")
    path = tmp_path / "figures.jsonl"
    assert read(path) == []
    monkeypatch.setenv(RESULTS, str(path))
    found("relay", 12_000, "records/s", "higher", beside=20_000, what="bare kafka-python", goal=0.8)
    found("idle, memory", 540, "MB", "lower", goal=600)
    relay, memory = read(path)
    assert (relay.ratio, relay.reached) == (0.6, False)
    assert (memory.ratio, memory.reached) == (None, True)


def test_a_page_shows_the_newest_run_and_how_each_figure_went() -> None:
    def run(rate: float) -> dict[str, object]:
        return {
            "at": "2026-11-30",
            "load before": 0.1,
            "figures": [asdict(Figure("<relay>", rate, "/s", "higher", 2, "b", 0.8))],
        }

    shown = page([run(1), run(1.8)])
    assert "&lt;relay&gt;" in shown
    assert "0.5 to 0.9" in shown
    assert "not reached" not in shown
    assert "not reached" in page([run(1)])

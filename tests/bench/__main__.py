"""``python -m tests.bench [NAME …]``: the measurements, one after the other, each a process of its own; then one page.

``build/bench/index.html`` has the figures beside the bare part of the same run, the goals, and how each went over the
runs in ``build/bench/history.jsonl``, to which this run is added. It says the load before, and what other programs
took meanwhile: on a machine that does something else the values mean little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.bench.results import RESULTS, Figure, page, read

HISTORY = Path("build/bench/history.jsonl")
PAGE = Path("build/bench/index.html")
WHOLE_STAGE = {"BENCH_PARTS": "steady storm"}
BENCHES: dict[str, tuple[list[str], dict[str, str]]] = {
    "throughput": (["tests.bench.throughput"], {}),
    "latency": (["tests.bench.latency"], {}),
    "http": (["tests.bench.latency", "--rate", "200"], {}),
    "api-processes": (["tests.bench.api_processes"], {}),
    "relay": (["tests.bench.relay"], {}),
    "readings": (["tests.bench.readings"], {}),
    "watch": (["tests.bench.watch"], WHOLE_STAGE),
    "evaluation": (["tests.bench.cpu", "--only-evaluation"], {}),
    "idle": (["tests.bench.idle", "--small"], {}),
    "recompute": (["tests.bench.recompute"], {}),
    "what-if": (["tests.bench.what_if"], {}),
    "rebuild": (["tests.bench.rebuild"], {}),
    "growth": (["tests.bench.growth"], {}),
}
"""Name → module with its arguments, and its environment."""


def measured(name: str, timeout_s: float) -> list[Figure]:
    """Run one; what it prints is shown. A measurement that fails or takes too long has no figures, and says so."""
    arguments, environment = BENCHES[name]
    print(f"== {name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "figures.jsonl"
        try:
            subprocess.run(
                [sys.executable, "-m", *arguments],
                env={**environment, **os.environ, RESULTS: str(results)},
                timeout=timeout_s,
                check=True,
            )
        except (subprocess.SubprocessError, OSError) as error:
            print(f"== {name}: no figures ({error})", file=sys.stderr, flush=True)
        return read(results)


def main() -> None:
    """Measure, add the run to the history, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHES)}; none: all")
    parser.add_argument("--history", type=Path, default=HISTORY)
    parser.add_argument("--timeout", type=float, default=1_800, help="seconds for each measurement")
    options = parser.parse_args()
    if unknown := [each for each in options.names if each not in BENCHES]:
        parser.error(f"found {', '.join(unknown)}; needed some of {', '.join(BENCHES)}")
    load, begun, busy = os.getloadavg()[0], time.monotonic(), _busy_s()
    figures = [each for name in options.names or BENCHES for each in measured(name, options.timeout)]
    ours = sum(os.times()[:4])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    run = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "commit": commit.stdout.strip(),
        "cores": psutil.cpu_count(),
        "load before": round(load, 1),
        "cores that others took": round(max(0.0, _busy_s() - busy - ours) / (time.monotonic() - begun), 2),
        "figures": [asdict(each) for each in figures],
    }
    options.history.parent.mkdir(parents=True, exist_ok=True)
    with options.history.open("a", encoding="utf-8") as file:
        file.write(json.dumps(run, ensure_ascii=False) + "\n")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    runs = [json.loads(line) for line in options.history.read_text(encoding="utf-8").splitlines()]
    PAGE.write_text(page(runs), encoding="utf-8")
    print(f"== {PAGE}: {len(figures)} figures, {len(runs)} runs")


def _busy_s() -> float:
    """Seconds that the cores were at work since the machine began."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


if __name__ == "__main__":
    main()

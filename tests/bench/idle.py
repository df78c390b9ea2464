"""What an installation costs that has nothing to do. ``python -m tests.bench.idle [--seconds 120] [up's options …]``

Starts ``tongshui up`` in a folder of its own, waits until ``tongshui status`` is well and some time more. Then it
counts for some minutes. One line for each part: processor time as a share of one core (in per cent, of the process
and of the children that ended meanwhile), proportional set size (MB; a page that n processes share counts 1/n for each)
and processes. The last line is the sum.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import psutil

from tests.bench.results import found
from tests.faults.installation import Installation, installed, wait_until

WARM_S = 45.0
"""After the start: what is compiled, checkpointed and vacuumed once is not the cost of being idle."""
MB = 1_000_000


@dataclass
class Cost:
    """By part: processor seconds since a process began, proportional set size in bytes, number of processes."""

    cpu_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    pss: Counter[str] = field(default_factory=Counter)
    processes: Counter[str] = field(default_factory=Counter)


def measured(it: Installation) -> Cost:
    """What the installation's processes have cost so far."""
    names = {part["pid"]: name for name, part in it.state()["parts"].items()}
    cost = Cost()
    for process in it.processes():
        try:
            name = _part_of(process, names)
            spent = process.cpu_times()
            cost.cpu_s[name] += spent.user + spent.system + spent.children_user + spent.children_system
            cost.pss[name] += process.memory_full_info().pss
            cost.processes[name] += 1
        except psutil.NoSuchProcess:  # a worker of the server's own that has just ended: its parent counts it
            continue
    return cost


def _part_of(process: psutil.Process, names: dict[int, str]) -> str:
    """The part that the process is, or that started it; ``up`` for the supervisor itself."""
    for each in (process, *process.parents()):
        if each.pid in names:
            return names[each.pid]
    return "up"


def idle_cost(it: Installation, seconds: float) -> tuple[float, float, int, str]:
    """Count for so many seconds: share of a core (0.04 is 4 %), PSS in MB, processes, and a table by part."""
    begun, before = time.monotonic(), measured(it)
    time.sleep(seconds)
    after, took_s = measured(it), time.monotonic() - begun
    share = {name: (after.cpu_s[name] - before.cpu_s[name]) / took_s for name in after.cpu_s}
    lines = [f"{'part':<11} {'% of a core':>11} {'PSS MB':>8} {'processes':>10}"]
    for name in sorted(share, key=lambda each: -share[each]):
        lines.append(f"{name:<11} {100 * share[name]:>11.2f} {after.pss[name] / MB:>8.1f} {after.processes[name]:>10}")
    total, pss, processes = sum(share.values()), after.pss.total() / MB, after.processes.total()
    lines.append(f"{'all':<11} {100 * total:>11.2f} {pss:>8.1f} {processes:>10}")
    return total, pss, processes, "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--warm", type=float, default=WARM_S)
    options, of_up = parser.parse_known_args()
    with installed(*of_up) as it:
        wait_until(lambda: it.run("status").code == 0, what="a status that is well")
        time.sleep(options.warm)
        share, memory_mb, _, table = idle_cost(it, options.seconds)
        print(table, flush=True)
        found("idle, processor", 100 * share, "% of a core", "lower", goal=4)
        found("idle, memory", memory_mb, "MB", "lower", goal=600)


if __name__ == "__main__":
    main()

"""``python -m tests.bench``: every measurement, one after the other."""

from __future__ import annotations

from tests.bench import latency, readings, recompute, throughput, watch, what_if

if __name__ == "__main__":
    latency.main()
    throughput.main()
    recompute.main()
    readings.main()
    watch.moderate()
    what_if.main()

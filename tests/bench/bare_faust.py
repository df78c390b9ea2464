"""Faust with nothing of ours: an agent that counts the records of a topic, and prints how long they took."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import faust


def main(topic: str, folder: str) -> None:
    """Count ``BENCH_COUNT`` records, print the seconds from the first to the last, and end the process."""
    wanted = int(os.environ["BENCH_COUNT"])
    app = faust.App(
        "bench-bare-faust",
        broker=f"kafka://{os.environ['BENCH_KAFKA']}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
    )
    source = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def count(records: Any) -> None:
        seen, begun = 0, 0.0
        async for _ in records:
            begun = begun or time.perf_counter()
            seen += 1
            if seen == wanted:
                print(time.perf_counter() - begun, flush=True)
                os._exit(0)

    app.Worker(loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])

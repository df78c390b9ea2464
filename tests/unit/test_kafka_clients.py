"""A client that cannot be made leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# A process of its own: pytest keeps what was logged, and with it the sockets of refused connections.
TRY_OFTEN = """
import contextlib, gc, kafka, sys, threading
from pathlib import Path
from infra.kafka_clients import opened

def held():
    gc.collect()
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

before = held()
for _ in range(5):
    with contextlib.suppress(kafka.errors.KafkaTimeoutError):
        opened(getattr(kafka, sys.argv[1]), bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=100)
assert held() == before, (before, held())
"""


@pytest.mark.parametrize("kind", ["KafkaAdminClient", "KafkaConsumer"])
def test_a_client_without_a_broker_leaves_no_thread_and_no_open_file(kind: str) -> None:
    """Tried every few seconds for an hour while Kafka is away, a process would run out of open files."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRY_OFTEN, kind],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr

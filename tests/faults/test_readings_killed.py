"""The processors of readings killed with SIGKILL again and again while batches come in: nothing lost, nothing twice.

Two workers share the partitions. What stands out has its case afterwards, and each one case.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest

from tests.api_world import staff
from tests.faults.installation import Installation, installed, wait_until

# `make test` ends the processor's transaction in its middle in integration/test_readings, and kills whole processes
# under load in faults/test_kill_under_load.
pytestmark = pytest.mark.slow

METERS = 500
ROUNDS = 40
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with installed("--workers", "2") as running:
        yield running


def batch(round_number: int) -> list[dict[str, str]]:
    """One reading of every meter; the last one of every fifth meter stands out."""
    at = (BEGIN + timedelta(days=round_number)).isoformat()
    more = 90 if round_number == ROUNDS - 1 else 0
    return [
        {
            "meter": f"JS-{number:05d}",
            "read_at": at,
            "value_m3": str((round_number + 1) * 10 + (more if number % 5 == 0 else 0)),
        }
        for number in range(METERS)
    ]


def send_all(it: Installation, accepted: list[int]) -> None:
    url = f"http://127.0.0.1:{it.options['http_port']}/api/v1/readings"
    for number in range(ROUNDS):
        answer = httpx.post(url, json={"readings": batch(number)}, headers=staff("meter-reader"), timeout=30)
        assert answer.status_code == 202, answer.text
        accepted.append(answer.json()["accepted"])


def _sent(accepted: list[int], least: int) -> bool:
    return len(accepted) >= least


def test_every_reading_that_was_acknowledged_is_stored_once_and_judged(it: Installation) -> None:
    it.query(
        "INSERT INTO readings.meters SELECT 'JS-' || lpad(n::text, 5, '0'), 0, 99999 FROM generate_series(0, %s) n"
        " RETURNING meter",
        METERS - 1,
    )
    accepted: list[int] = []
    sender = threading.Thread(target=send_all, args=(it, accepted))
    sender.start()
    for wanted, worker in ((2, "readings-1"), (12, "readings-2"), (24, "readings-1")):
        wait_until(partial(_sent, accepted, wanted), what="the batches")
        pid = it.kill_part(worker)
        it.wait_for_part(worker, other_than=pid)
    sender.join(timeout=60)
    wait_until(lambda: it.one("SELECT count(*) FROM readings.anomalies") > 0, what="the first that stands out")
    killed = {worker: it.kill_part(worker) for worker in ("readings-1", "readings-2")}
    for worker, pid in killed.items():
        it.wait_for_part(worker, other_than=pid)
    assert accepted == [METERS] * ROUNDS
    total = METERS * ROUNDS
    wait_until(lambda: it.one("SELECT count(*) FROM readings.readings") == total, what="the last readings")
    wait_until(lambda: it.one("SELECT sum(next_offset) FROM readings.offsets") == total, what="the places")
    newest = "SELECT count(*) FROM readings.histories WHERE read_at = %s"
    assert it.one(newest, BEGIN + timedelta(days=ROUNDS - 1)) == METERS
    flagged = it.one("SELECT count(*) FROM readings.anomalies WHERE 'high' = ANY(flags)")
    assert flagged == METERS // 5
    wait_until(lambda: it.one("SELECT count(*) FROM readings.anomalies WHERE told < revision") == 0, what="the cases")
    wait_until(lambda: it.one("SELECT count(*) FROM views.usage WHERE held") == METERS // 5, what="the read model")
    cases = it.query("SELECT meter, read_at, count(*) AS cases FROM views.usage GROUP BY meter, read_at")
    assert {row["cases"] for row in cases} == {1}
    assert len(cases) == it.one("SELECT count(*) FROM readings.anomalies") == METERS // 5

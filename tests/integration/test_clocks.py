"""A process whose clock is wrong: it is named, by how much and which way, and no age is counted between two clocks."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from app.status_report import status_report, store_status
from infra.eventstore.service import open_service
from infra.kafka.cluster import ensure_readings_topic, ensure_topics
from infra.settings import Settings
from infra.status import Process
from tests.faults.installation import environment_of, wait_until

WRONG_CLOCK = """
import sys
from datetime import UTC, datetime, timedelta
import infra.clock
infra.clock.real_now = lambda: datetime.now(UTC) + timedelta(seconds=float(sys.argv[1]))
from app.cli import main
main([sys.argv[2]])
"""


@contextmanager
def running(settings: Settings, name: str, ahead_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """A real process of the installation, on a machine whose clock is ahead by so many seconds."""
    options = settings.model_dump(
        include={"data_dir", "database_url", "kafka_bootstrap", "topic_prefix", "log_level"}, mode="json"
    )
    program = [sys.executable, "-c", WRONG_CLOCK, str(ahead_s), name]
    process = subprocess.Popen(program, env=environment_of(options), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def beating(settings: Settings, name: str, pid: int) -> Process | None:
    """What the process's beat says; None before the first."""
    found, _ = store_status(settings)
    assert found is not None
    return next((each for each in found.processes if (each.name, each.pid) == (name, pid)), None)


@pytest.mark.parametrize("ahead_s", [93.0, pytest.param(-93.0, marks=pytest.mark.slow)])
def test_a_watch_whose_clock_is_wrong_is_named_and_no_age_is_negative(settings: Settings, ahead_s: float) -> None:
    ensure_topics(settings)
    ensure_readings_topic(settings)
    open_service(settings).close()
    with running(settings, "watch", ahead_s) as watch:
        wait_until(lambda: beating(settings, "watch", watch.pid), what="the first beat")
        with psycopg.connect(settings.database_url) as connection:
            known = "SELECT 1 FROM watch.canaries WHERE pid = %s"
            wait_until(lambda: connection.execute(known, [watch.pid]).fetchone(), what="the canary's row")
        text, well = status_report(settings, as_json=False)
        way = "ahead of" if ahead_s > 0 else "behind"
        assert re.search(rf"^clock      of watch pid {watch.pid} is (92\.9|93\.\d) s {way} PostgreSQL's", text, re.M)
        assert not well
        ages = [float(age) for age in re.findall(r"(-?[\d.]+) s ago", text)]
        assert len(ages) >= 2  # the beat's and the canary's
        assert all(0 <= age < 60 for age in ages), text


def test_a_process_whose_clock_is_right_is_not_named(settings: Settings) -> None:
    ensure_topics(settings)
    open_service(settings).close()
    with running(settings, "sender", 0.0) as sender:
        wait_until(lambda: beating(settings, "sender", sender.pid), what="the first beat")
        process = beating(settings, "sender", sender.pid)
        assert process is not None
        assert abs(process.clock_ahead_s) < settings.clock_tolerance_s
        assert "clock      of" not in status_report(settings, as_json=False)[0]

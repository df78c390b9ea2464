"""The API's first requests, all at once: what is made at its first use must be made safely, or the process dies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from infra.embedded import free_port
from infra.embedded.ports import answers
from infra.eventstore.service import open_service
from infra.settings import Settings
from tests.faults.installation import environment_of, wait_until
from tests.proven import LOOKER

HISTORIES = sorted((Path(__file__).parents[1] / "unit" / "histories").glob("*.jsonl"))
PROCESSES = 12
CONNECTIONS = 8
# Hands over between threads fifty times as often as Python does by itself: a busy machine, on a quiet one.
API = "import sys; sys.setswitchinterval(1e-4); from app.cli import main; main(['api'])"


@pytest.mark.slow
def test_an_api_that_is_asked_from_its_first_moment_on_lives(store_settings: Settings) -> None:
    """Fresh processes, one after the other; each is asked for every case over many connections once it listens."""
    open_service(store_settings).close()  # publishes the rules, which every process reads at its start
    cases = _store_histories(store_settings.database_url)
    for _ in range(PROCESSES):
        port = free_port()
        options = {"database_url": store_settings.database_url, "kafka_bootstrap": "127.0.0.1:1", "http_port": port}
        process = subprocess.Popen(
            [sys.executable, "-c", API],
            env=environment_of(options | {"data_dir": store_settings.data_dir}),
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda port=port: answers(port), what="the API")  # type: ignore[misc]
            found = _ask_at_once(port, cases)
            assert process.poll() is None, f"the API ended with {process.returncode}"
            assert found == {200, 404}
        finally:
            process.kill()
            process.wait()


def _store_histories(database_url: str) -> list[UUID]:
    """Put the stored histories of every type of event behind what is in the store; their streams."""
    rows = [(json.loads(line), line) for path in HISTORIES for line in path.read_bytes().splitlines()]
    with psycopg.connect(database_url, autocommit=True) as connection:
        (head,) = connection.execute("SELECT position FROM store.log_head").fetchone() or (0,)
        for number, (event, line) in enumerate(rows, start=head + 1):
            connection.execute(
                "INSERT INTO store.stored_events (originator_id, originator_version, topic, state, notification_id)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [event["subject"], event["caseversion"], event["type"], line, number],
            )
    return list(dict.fromkeys(UUID(event["subject"]) for event, _ in rows))


def _ask_at_once(port: int, cases: Sequence[UUID]) -> set[int]:
    """The statuses of all answers: each case is asked for over every connection in the same moment."""
    connections = [HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(CONNECTIONS)]
    found: set[int] = set()
    for case in cases:
        for connection in connections:
            connection.request("GET", f"/api/v1/cases/{case}", headers=LOOKER)
        for connection in connections:
            try:
                answer = connection.getresponse()
            except OSError:
                return found  # the process has died, which the test says
            answer.read()
            found.add(answer.status)
    for connection in connections:
        connection.close()
    return found

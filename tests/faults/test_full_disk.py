"""The disk of a whole installation fills up, and room is made again: everything comes back by itself."""

from __future__ import annotations

import contextlib

import httpx
import psycopg
import pytest

from tests.faults.cases import SLOW, tell_cases
from tests.faults.installation import Installation, gone, new_home, wait_until
from tests.small_disk import fill, small_disk

SIZE_MB = 400


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_full_disk_is_told_and_room_brings_everything_back() -> None:
    with new_home() as home, small_disk(home / "data", SIZE_MB):
        it = Installation(home, **SLOW, disk_floor_mb=4)
        it.start()
        try:
            tell_cases(it, 1)
            wait_until(lambda: it.run("status").code == 0, what="a status that is well")
            filler = fill(it.data)
            wait_until(lambda: health(it) == (503, "store-cannot-write"), what="health that says so")
            ended = it.run("status")
            assert ended.code == 1
            assert "CANNOT WRITE" in ended.out
            assert "LOW for data" in ended.out

            pid = it.part("postgres")["pid"]
            log_until_it_dies(it)
            wait_until(lambda: health(it) == (503, "store-unavailable"), what="health without PostgreSQL")
            filler.unlink()
            it.wait_for_part("postgres", other_than=pid)
            wait_until(lambda: health(it)[0] == 200, what="health with room again")
            wait_until(lambda: it.run("status").code == 0, 300, what="a status that is well with room again")
            tell_cases(it, 1)
            wait_until(lambda: not it.lagging(), what="the readers")
            it.wait_for_agreement()
        finally:
            processes = it.processes()
            it.kill()
            wait_until(lambda: gone(processes), what="the end of every process")


def log_until_it_dies(it: Installation) -> None:
    """Use up what PostgreSQL's log has left: the server stops, and cannot start again before there is room."""
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            it.query("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 4000000))")


def health(it: Installation) -> tuple[int, str]:
    """Status and code of /healthz."""
    answer = httpx.get(f"{it.base_url}/healthz", timeout=30)
    return answer.status_code, answer.json().get("code", "")

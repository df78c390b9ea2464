"""The demo ends by itself once it has proven itself: a broken demo cannot land."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psutil
import pytest

from infra.embedded import EmbeddedPostgres
from tests.faults.installation import Installation, new_home


@pytest.fixture
def it() -> Iterator[Installation]:
    """A home for the demo, which keeps everything in a folder of its own."""
    with new_home() as home:
        yield Installation(home)
        EmbeddedPostgres(home / "data" / "demo" / "postgres").wipe()


def test_the_demo_proves_itself_and_leaves_nothing_running(it: Installation) -> None:
    ended = it.run("demo", "--until-proven", timeout_s=180)
    assert ended.code == 0, ended
    told = ended.err.splitlines()
    assert "demo: proven: a lapse and a retraction were seen on water.breach.v1; every read model agrees" in told
    assert told[-1].startswith("up: everything has stopped after ")
    for kind in ("WindowLapsed", "WindowRetracted"):
        (first,) = [line for line in told if line.startswith(f"demo: first {kind} ")]
        assert re.search(r" after .* case [A-Z]{2}-2026-\d{6}, promise [\u4e00-\u9fff]+", first), first
    assert f"{it.base_url}/" in ended.err
    assert [process for process in psutil.process_iter(["cmdline"]) if uses(process, str(it.home))] == []


def uses(process: psutil.Process, home: str) -> bool:
    return any(home in argument for argument in process.info["cmdline"] or ())
